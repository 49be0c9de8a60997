/* SPDX-License-Identifier: MIT */
/* Made-up cards and what is on them, through made-up time. See README.md. */
#ifndef TESTS_REPORT_WORLD_H
#define TESTS_REPORT_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include <pddgpu.h>

/** struct thing - a buffer, from its birth to its end */
struct thing {
	uint64_t size;
	/** @born: and the rest, ms; @used_every 0: never after @used_until */
	uint64_t born, died, used_every, used_until;
	uint32_t pid, site;
	const char *comm, *label;
	uint8_t domain, state;
	uint32_t is;
};

/** struct frame - of a made-up stack */
struct frame {
	uint32_t kind;
	uint64_t offset;
	const char *name;
};

/** struct world - a card */
struct world {
	struct thing *things;
	size_t count, room;
	uint64_t vram, gtt;
	/** @old: the driver has none of the queries; @user: it is not root who asks */
	int old, user;
	/** @gone_ms: when it is unplugged; 0 never */
	uint64_t gone_ms;
	/** @alert_ms: when there is a leak alert; and when somebody left something; 0 never */
	uint64_t alert_ms, unfreed_ms;
};

/* Of the kinds that README.md lists; ends the program for another */
void world_make(struct world *world, const char *kind);
/* Frames of a site, innermost first; NULL: there is none such */
const struct frame *world_site(uint32_t site, unsigned int *count);

#endif
