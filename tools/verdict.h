/* SPDX-License-Identifier: MIT */
/*
 * Which buffers are leaks, and why. It looks at all buffers now and then (a look), and
 * judges them in groups: those that one owner allocated at one place. It knows no card
 * and no clock but what it is told, so it judges recordings and models as well.
 */
#ifndef PDDGPU_TOOLS_VERDICT_H
#define PDDGPU_TOOLS_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pddgpu.h"

/**
 * enum rating - what a group, or a buffer, is taken for
 * @RATING_NEW: too young, or looked at too short a time, to say anything
 * @RATING_IN_USE: jobs or the CPU use it
 * @RATING_CACHED: old and unused, but a pool that does not grow
 * @RATING_IDLE: unused for longer than any other of the group ever was before it was used
 *	again or freed; a leak
 * @RATING_GROWING: more and more of them, of which the old ones are not used; a leak
 * @RATING_ORPHANED: unused, and no handle leads to it; a leak
 * @RATING_STUCK: waits for a fence that does not signal; a leak
 * @RATINGS: how many
 */
enum rating {
	RATING_NEW,
	RATING_IN_USE,
	RATING_CACHED,
	RATING_IDLE,
	RATING_GROWING,
	RATING_ORPHANED,
	RATING_STUCK,
	RATINGS
};

/* "in use", "growing while idle" and so on; and whether it is a leak */
const char *rating_name(enum rating rating);
bool rating_is_leak(enum rating rating);

/**
 * struct verdict_group - buffers that one owner allocated at one place
 */
struct verdict_group {
	/** @key: the same from look to look */
	uint64_t key;
	/** @client_id: and the rest: whose; texts may hold any byte */
	uint64_t client_id;
	uint32_t pid, site;
	char comm[16];
	char label[64];
	/** @rating: the worst that any of it has */
	enum rating rating;
	/** @objects: and bytes, of all of it; by enum rating */
	uint64_t objects, bytes;
	uint64_t rated_objects[RATINGS], rated_bytes[RATINGS];
	/** @leaked_objects: and bytes, of those that are leaks */
	uint64_t leaked_objects, leaked_bytes;
	/** @oldest_ns: age of the oldest leak, or where there is none, of the oldest */
	uint64_t oldest_ns;
	/** @idle_ns: for how long the leak that was used last has not been used */
	uint64_t idle_ns;
	/** @usual_ns: how long others of the group were unused before they were used or freed */
	uint64_t usual_ns;
	/** @freed: how many others have been seen to be freed */
	uint64_t freed;
	/** @per_minute: bytes by which the leaks grow; 0: they do not, or it is not known */
	uint64_t per_minute;
	/** @vram_per_minute: what of that is in VRAM, as they lie now */
	uint64_t vram_per_minute;
	/** @why: a sentence for people, in ASCII, without texts of others */
	char why[256];
};

struct verdict;

/* NULL: no memory */
struct verdict *verdict_new(void);
void verdict_free(struct verdict *verdict);

/*
 * A look: begin, add every buffer in order of ids, end. Times are of the driver's clock; a
 * look whose time is before the last one's begins everything anew. 0 or -ENOMEM; after
 * that everything begins anew at the next look.
 */
int verdict_begin(struct verdict *verdict, uint64_t now_ns);
int verdict_add(struct verdict *verdict, const struct drm_pddgpu_object *object);
int verdict_end(struct verdict *verdict);

/* The groups of the last look, the most leaked bytes first; valid until the next one */
const struct verdict_group *const *verdict_groups(const struct verdict *verdict, size_t *count);
/* What a buffer of the last look is taken for; RATING_NEW also where there is none such */
enum rating verdict_rating(const struct verdict *verdict, uint64_t id);
/* The group of a buffer of the last look, or NULL */
const struct verdict_group *verdict_group_of(const struct verdict *verdict, uint64_t id);
/* How long it has been looking, ns; and all bytes in leaks */
uint64_t verdict_span(const struct verdict *verdict);
uint64_t verdict_leaked(const struct verdict *verdict);

#endif
