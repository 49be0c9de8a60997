/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The buddy allocator, asked in such a way that memory which is not to be had
 * for its own records does it no harm.
 */
#ifndef PDDGPU_BUDDY_H
#define PDDGPU_BUDDY_H

#include <linux/types.h>

struct gpu_buddy;
struct gpu_buddy_block;
struct list_head;

int pddgpu_buddy_alloc(struct gpu_buddy *mm, u64 start, u64 end, u64 size, u64 align,
		       struct list_head *blocks, unsigned long flags);
int pddgpu_buddy_alloc_at(struct gpu_buddy *mm, u64 start, u64 end,
			  struct list_head *blocks);
struct gpu_buddy_block *pddgpu_buddy_leaf(struct gpu_buddy *mm, u64 at);
struct gpu_buddy_block *pddgpu_buddy_next_leaf(struct gpu_buddy *mm,
					       struct gpu_buddy_block *block);
void pddgpu_buddy_undo(struct gpu_buddy *mm, struct list_head *blocks);

#endif /* PDDGPU_BUDDY_H */
