/* SPDX-License-Identifier: MIT */
/*
 * What a DRM driver tells of one open file in /proc/PID/fdinfo/FD, by the kernel's
 * Documentation/gpu/drm-usage-stats.rst. Regions and engines are whatever names the
 * driver gives them.
 */
#ifndef PDDGPU_TOOLS_FDINFO_H
#define PDDGPU_TOOLS_FDINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names.h"

#define FDINFO_REGIONS 8	/* amdgpu has 7, the most of all */
#define FDINFO_ENGINES 12	/* amdgpu has 9 */

enum fdinfo_memory {
	FDINFO_TOTAL,		/* drm-total-REGION */
	FDINFO_SHARED,
	FDINFO_ACTIVE,
	FDINFO_RESIDENT,
	FDINFO_PURGEABLE,
	FDINFO_MEMORY,		/* drm-memory-REGION: older drivers' word for resident */
	FDINFO_MEMORIES
};

struct fdinfo_region {
	const char *name;	/* of the table of names, as all names here */
	uint64_t bytes[FDINFO_MEMORIES];
	uint8_t has;		/* a bit for each of enum fdinfo_memory */
};

#define FDINFO_HAS_NS		1
#define FDINFO_HAS_CYCLES	2
#define FDINFO_HAS_TOTAL_CYCLES	4
#define FDINFO_HAS_MAX_HZ	8

struct fdinfo_engine {
	const char *name;
	uint64_t ns;		/* drm-engine-NAME: time spent on this client's work */
	uint64_t cycles;	/* drm-cycles-NAME, of */
	uint64_t total_cycles;	/* drm-total-cycles-NAME that have gone by */
	uint64_t max_hz;	/* drm-maxfreq-NAME */
	uint32_t capacity;	/* how many such engines there are: 1 unless it says more */
	uint8_t has;		/* FDINFO_HAS_... */
};

struct fdinfo {
	const char *driver;	/* NULL: no DRM driver that says anything */
	const char *pdev;	/* PCI address; NULL: none */
	uint64_t client_id;
	uint64_t evictions;	/* pddgpu-evictions: this client's buffers evicted */
	char label[24];		/* drm-client-name, raw; empty: none */
	bool has_client_id;
	bool has_evictions;
	uint8_t nr_regions;
	uint8_t nr_engines;
	struct fdinfo_region regions[FDINFO_REGIONS];
	struct fdinfo_engine engines[FDINFO_ENGINES];
};

/*
 * Reads the text of an fdinfo file, which may hold anything. A line that makes no sense
 * is left out, and so is a region or engine too many. True: a DRM driver was named.
 */
bool fdinfo_parse(struct fdinfo *info, const char *text, size_t length, struct names *names);

enum region_class {
	REGION_VRAM,		/* the card's own memory */
	REGION_GTT,		/* system memory that the card has mapped */
	REGION_SYSTEM,		/* other system memory */
	REGION_CLASSES
};

/* By what drivers call them; a card without its own memory has none of the first. */
enum region_class fdinfo_class(const char *region);

/* What a client has in a region now: resident, or what comes next to it. */
uint64_t fdinfo_used(const struct fdinfo_region *region);

/* The same by class. */
void fdinfo_sums(const struct fdinfo *info, uint64_t sums[REGION_CLASSES]);

/* a + b, or the largest number where that is larger */
static inline uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

#endif
