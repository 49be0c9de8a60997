/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies where in a segment, as its manager knows it.
 */
#ifndef PDDGPU_EXTENT_H
#define PDDGPU_EXTENT_H

#include <linux/types.h>

struct pddgpu_gtt_mgr;
struct pddgpu_vram_mgr;
struct ttm_resource;

/**
 * enum pddgpu_extent_kind - who has a part of a segment
 */
enum pddgpu_extent_kind {
	/** @PDDGPU_EXTENT_FREE: nobody; a block of the allocator's, or a hole */
	PDDGPU_EXTENT_FREE,
	/** @PDDGPU_EXTENT_CLEARING: nobody; it is being filled with zeros */
	PDDGPU_EXTENT_CLEARING,
	/** @PDDGPU_EXTENT_KERNEL: the driver itself, or what was lost to a fault */
	PDDGPU_EXTENT_KERNEL,
	/** @PDDGPU_EXTENT_RESOURCE: a buffer, or what is left of one that has moved */
	PDDGPU_EXTENT_RESOURCE,
};

/**
 * struct pddgpu_extent - a part of a segment
 */
struct pddgpu_extent {
	/** @start: offset of its first byte in the segment */
	u64 start;
	/** @end: of the byte behind it */
	u64 end;
	/** @kind: enum pddgpu_extent_kind */
	enum pddgpu_extent_kind kind;
	/** @res: of PDDGPU_EXTENT_RESOURCE; else NULL */
	struct ttm_resource *res;
};

/**
 * typedef pddgpu_extent_fn - look at a part of a segment
 * @extent: the part; it begins where the one before has ended
 * @data: the caller's
 *
 * Called with the manager's lock held, which keeps @extent->res, and whatever buffer
 * it belongs to, from being freed: see the manager. Takes no more than the LRU lock
 * and the leak tracker's.
 *
 * Return: false when it is to be the last.
 */
typedef bool (*pddgpu_extent_fn)(const struct pddgpu_extent *extent, void *data);

u64 pddgpu_vram_mgr_walk(struct pddgpu_vram_mgr *mgr, u64 from, pddgpu_extent_fn fn,
			 void *data);
u64 pddgpu_gtt_mgr_walk(struct pddgpu_gtt_mgr *mgr, u64 from, pddgpu_extent_fn fn,
			void *data);
u64 pddgpu_gtt_mgr_aperture(struct pddgpu_gtt_mgr *mgr);

#endif /* PDDGPU_EXTENT_H */
