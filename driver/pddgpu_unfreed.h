/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffers that clients have left to the kernel to free.
 */
#ifndef PDDGPU_UNFREED_H
#define PDDGPU_UNFREED_H

#include <linux/types.h>
#include <linux/uidgid.h>

#include <drm/pddgpu_drm.h>

struct drm_device;
struct pddgpu_leak_record;
struct pddgpu_unfreed;

/* Elements that are kept, and kinds of buffers that are told apart in one file */
#define PDDGPU_UNFREED_KEPT	1024
#define PDDGPU_UNFREED_KINDS	64

/**
 * struct pddgpu_unfreed_element - buffers that are of one kind
 */
struct pddgpu_unfreed_element {
	/** @sum: what is told of them */
	struct drm_pddgpu_unfreed sum;
	/** @uid: whose process allocated them */
	kuid_t uid;
};

/**
 * struct pddgpu_unfreed_sum - what is left in a file that is being closed
 */
struct pddgpu_unfreed_sum {
	/** @closing: it is */
	bool closing;
	/** @nr: kinds in @kinds */
	u32 nr;
	/** @last: the one that was met last: they come in turn */
	u32 last;
	/** @kinds: as many as there are; NULL: there was no memory, or there is nothing */
	struct pddgpu_unfreed_element *kinds;
	/** @rest: what has no place there */
	struct pddgpu_unfreed_element rest;
};

/**
 * struct pddgpu_unfreed_viewer - who asks
 */
struct pddgpu_unfreed_viewer {
	/** @all: he may see all */
	bool all;
	/** @uid: else what this user's processes have left */
	kuid_t uid;
};

struct pddgpu_unfreed *pddgpu_unfreed_init(struct drm_device *drm);
void pddgpu_unfreed_begin(struct pddgpu_unfreed_sum *sum, bool some);
void pddgpu_unfreed_add(struct pddgpu_unfreed_sum *sum, const struct pddgpu_leak_record *record);
void pddgpu_unfreed_end(struct pddgpu_unfreed *unfreed, struct pddgpu_unfreed_sum *sum);
u64 pddgpu_unfreed_last(struct pddgpu_unfreed *unfreed);
u32 pddgpu_unfreed_read(struct pddgpu_unfreed *unfreed,
			const struct pddgpu_unfreed_viewer *viewer, u64 after,
			struct drm_pddgpu_unfreed *out, u32 room, u64 *lost);

#endif /* PDDGPU_UNFREED_H */
