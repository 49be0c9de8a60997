/* SPDX-License-Identifier: MIT */
/* Cards that are looked at again and again, and what is thought of their buffers */
#ifndef PDDGPU_TOOLS_LOOKS_H
#define PDDGPU_TOOLS_LOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "card.h"
#include "sites.h"
#include "verdict.h"

/**
 * struct looked - a card
 */
struct looked {
	/** @card: it; its dev is NULL between looks, and error is why it could not be asked */
	struct card card;
	/** @verdict: NULL before the first look, and after it has gone */
	struct verdict *verdict;
	/** @vram_free: bytes, at the last look */
	uint64_t vram_free;
	/** @now_ns: time of the last look, by the driver's clock */
	uint64_t now_ns;
	/** @since_ns: older buffers are left out */
	uint64_t since_ns;
	/** @bound: card_bound() of the last look */
	uint64_t bound;
	/** @said: the error of asking it that was said last, of those that there are still */
	int said;
};

/**
 * struct looks - all of them
 */
struct looks {
	/** @device: this one alone; NULL: all there are */
	const char *device;
	/** @pid: what this process has allocated alone, or 0 */
	uint32_t pid;
	/** @min_size: smaller ones are left out */
	uint64_t min_size;
	/** @since: see struct leaks_wish */
	const char *since;
	/** @since_ms: what it means, where it is a time */
	uint64_t since_ms;
	/** @each: is told of every buffer, those that are left out too; or NULL */
	void (*each)(void *to, const struct drm_pddgpu_object *object, uint64_t now_ns);
	/** @to: for @each */
	void *to;
	struct looked *cards;
	unsigned int count;
	struct sites *sites;
};

/* Bytes of all leaks, and by how many they grow in a minute, and of that in VRAM */
struct looks_sum {
	uint64_t objects, bytes, per_minute, vram_per_minute;
};

/* An open card, for one look: the caller's card is left open */
int looks_once(struct looked *looked, const struct looks *looks);
/*
 * Opens all cards and looks at each; returns the exit code. What is new that cannot be
 * asked is said. looks_rest() closes them again.
 */
int looks_look(struct looks *looks);
void looks_rest(struct looks *looks);
void looks_free(struct looks *looks);
/* Whether any card could be asked the last time */
bool looks_any(const struct looks *looks);
struct looks_sum looks_sum(const struct looked *looked);

#endif
