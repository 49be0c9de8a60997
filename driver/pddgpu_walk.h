/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walks a buffer's GPU addresses, wherever it is: scattered in VRAM, in one
 * piece in the aperture.
 */
#ifndef PDDGPU_WALK_H
#define PDDGPU_WALK_H

#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_res_cursor.h"

/**
 * struct pddgpu_walk - a place in a buffer
 *
 * Valid as long as the resource is: the buffer's reservation is held.
 */
struct pddgpu_walk {
	/** @addr: GPU address */
	u64 addr;
	/** @size: bytes from there in one piece; 0 at the end */
	u64 size;
	/** @vram_start: where VRAM begins; 0 when the buffer is not there */
	u64 vram_start;
	/** @cur: the place in VRAM */
	struct pddgpu_res_cursor cur;
};

/**
 * pddgpu_walk_possible() - does the chip have an address for a resource?
 * @res: a resource of one of the device's managers
 *
 * Return: false for system pages that the aperture does not map.
 */
static inline bool pddgpu_walk_possible(struct ttm_resource *res)
{
	return res->mem_type == TTM_PL_VRAM ||
	       (res->mem_type == TTM_PL_TT && pddgpu_gtt_has_address(res));
}

/**
 * pddgpu_walk_first() - begin a walk
 * @pdev: the device
 * @res: a resource for which pddgpu_walk_possible()
 * @start: byte of the buffer to begin at
 * @size: bytes to walk, at least one, within the buffer
 * @walk: the walk
 */
static inline void pddgpu_walk_first(struct pddgpu_device *pdev,
				     struct ttm_resource *res, u64 start, u64 size,
				     struct pddgpu_walk *walk)
{
	if (res->mem_type == TTM_PL_VRAM) {
		walk->vram_start = pdev->chip->vram_start;
		pddgpu_res_first(res, start, size, &walk->cur);
		walk->addr = walk->vram_start + walk->cur.offset;
		walk->size = walk->cur.size;
		return;
	}
	walk->vram_start = 0;
	walk->addr = pdev->chip->gtt_start + ((u64)res->start << PAGE_SHIFT) + start;
	walk->size = size;
}

/**
 * pddgpu_walk_next() - go on
 * @walk: the walk
 * @bytes: how far, at most @walk->size
 */
static inline void pddgpu_walk_next(struct pddgpu_walk *walk, u64 bytes)
{
	if (walk->vram_start) {
		pddgpu_res_next(&walk->cur, bytes);
		walk->addr = walk->vram_start + walk->cur.offset;
		walk->size = walk->cur.size;
		return;
	}
	walk->addr += bytes;
	walk->size -= bytes;
}

#endif /* PDDGPU_WALK_H */
