/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walks the VRAM that a buffer holds, block by block, in the order of the
 * buffer's bytes.
 */
#ifndef PDDGPU_RES_CURSOR_H
#define PDDGPU_RES_CURSOR_H

#include <linux/list.h>
#include <linux/minmax.h>

#include "pddgpu_compat.h"
#include "pddgpu_vram_mgr.h"

/**
 * struct pddgpu_res_cursor - a place in a VRAM resource
 *
 * Valid as long as the resource is: the buffer's reservation is held.
 */
struct pddgpu_res_cursor {
	/** @offset: the place's offset in VRAM, bytes */
	u64 offset;
	/** @size: bytes from there in one piece; 0 at the end */
	u64 size;
	/** @remaining: bytes to the end of the walk, @size included */
	u64 remaining;
	/** @block: the block that @offset lies in */
	struct gpu_buddy_block *block;
	/** @blocks: the list it is on */
	struct list_head *blocks;
	/** @spoilt: none of it is clear */
	bool spoilt;
};

static inline u64 pddgpu_res_cursor_block_size(struct gpu_buddy_block *block)
{
	/* The VRAM manager's unit is a page */
	struct gpu_buddy mm = { .chunk_size = PAGE_SIZE };

	return gpu_buddy_block_size(&mm, block);
}

static inline void pddgpu_res_cursor_settle(struct pddgpu_res_cursor *cur,
					    u64 skip)
{
	u64 left = pddgpu_res_cursor_block_size(cur->block) - skip;

	cur->offset = gpu_buddy_block_offset(cur->block) + skip;
	cur->size = min(left, cur->remaining);
}

/**
 * pddgpu_res_first() - begin a walk
 * @res: a resource of the VRAM manager
 * @start: byte of the buffer to begin at
 * @size: bytes to walk; @start + @size lies within the buffer
 * @cur: the cursor
 */
static inline void pddgpu_res_first(struct ttm_resource *res, u64 start, u64 size,
				    struct pddgpu_res_cursor *cur)
{
	struct pddgpu_vram_resource *vres = to_pddgpu_vram_resource(res);

	cur->blocks = &vres->blocks;
	cur->spoilt = vres->spoilt;
	cur->remaining = size;
	cur->block = list_first_entry(cur->blocks, struct gpu_buddy_block, link);
	while (start >= pddgpu_res_cursor_block_size(cur->block)) {
		start -= pddgpu_res_cursor_block_size(cur->block);
		cur->block = list_next_entry(cur->block, link);
	}
	pddgpu_res_cursor_settle(cur, start);
}

/**
 * pddgpu_res_next() - go on
 * @cur: the cursor
 * @bytes: how far, at most @cur->size
 */
static inline void pddgpu_res_next(struct pddgpu_res_cursor *cur, u64 bytes)
{
	cur->remaining -= bytes;
	cur->offset += bytes;
	cur->size -= bytes;
	if (cur->size || !cur->remaining)
		return;
	cur->block = list_next_entry(cur->block, link);
	pddgpu_res_cursor_settle(cur, 0);
}

/**
 * pddgpu_res_is_clear() - did the place hold zeros when it was allocated?
 * @cur: the cursor
 *
 * Return: true when it did.
 */
static inline bool pddgpu_res_is_clear(const struct pddgpu_res_cursor *cur)
{
	return !cur->spoilt && gpu_buddy_block_is_clear(cur->block);
}

#endif /* PDDGPU_RES_CURSOR_H */
