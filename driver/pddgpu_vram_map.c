// SPDX-License-Identifier: GPL-2.0
/*
 * What lies where in VRAM. The buddy allocator's tree has every block in order of
 * address, free or not, and each that is taken says by its private pointer whose it
 * is. So a walk begins at any address and sorts nothing; who needs the lock
 * meanwhile gets it every so many blocks, and the walk goes on at the address that
 * it has come to, whatever has become of the blocks there.
 */
#include <linux/minmax.h>
#include <linux/mutex.h>

#include "pddgpu_buddy.h"
#include "pddgpu_compat.h"
#include "pddgpu_extent.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

static void pddgpu_vram_extent(struct pddgpu_vram_mgr *mgr, struct gpu_buddy_block *block,
			       struct pddgpu_extent *extent)
{
	extent->start = gpu_buddy_block_offset(block);
	extent->end = extent->start + gpu_buddy_block_size(&mgr->mm, block);
	extent->res = NULL;
	if (gpu_buddy_block_is_free(block)) {
		extent->kind = PDDGPU_EXTENT_FREE;
	} else if (block->private == &mgr->clear) {
		extent->kind = PDDGPU_EXTENT_CLEARING;
	} else if (!block->private) {
		extent->kind = PDDGPU_EXTENT_KERNEL;
	} else {
		extent->kind = PDDGPU_EXTENT_RESOURCE;
		extent->res = &((struct pddgpu_vram_resource *)block->private)->base;
	}
}

/**
 * pddgpu_vram_mgr_walk() - look at what lies where
 * @mgr: the manager
 * @from: offset to begin at, within VRAM
 * @fn: called for each block; the first one is cut to begin at @from
 * @data: for @fn
 *
 * Takes the manager's lock until @fn has had enough. A buffer gives its place up
 * under that lock before it is freed, so what @fn sees is there.
 *
 * Context: process, may sleep.
 * Return: where to go on; the size of VRAM at the end.
 */
u64 pddgpu_vram_mgr_walk(struct pddgpu_vram_mgr *mgr, u64 from, pddgpu_extent_fn fn,
			 void *data)
{
	struct gpu_buddy_block *block;
	struct pddgpu_extent extent;
	bool more = true;

	mutex_lock(&mgr->lock);
	for (block = from < mgr->size ? pddgpu_buddy_leaf(&mgr->mm, from) : NULL; block && more;
	     block = pddgpu_buddy_next_leaf(&mgr->mm, block)) {
		pddgpu_vram_extent(mgr, block, &extent);
		extent.start = max(extent.start, from);
		more = fn(&extent, data);
		from = extent.end;
	}
	mutex_unlock(&mgr->lock);
	return from;
}
