// SPDX-License-Identifier: GPL-2.0
/*
 * What is in VRAM, for the one who saves it before the card is switched off, and
 * what is not there any more when it comes back. The buddy allocator names what is
 * free to nobody but who asks for it: so all of it is taken, looked at, and given
 * back as it was. Whole blocks alone are taken, since nothing is larger than all
 * that is left: no block is split, and no memory is needed.
 */
#include <linux/bitmap.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#include "pddgpu_compat.h"
#include "pddgpu_vram_mgr_internal.h"
#include "pddgpu_vram_used.h"

static int pddgpu_vram_take_free(struct pddgpu_vram_mgr *mgr, struct list_head *blocks)
{
	lockdep_assert_held(&mgr->lock);

	if (!mgr->mm.avail)
		return 0;
	return gpu_buddy_alloc_blocks(&mgr->mm, 0, mgr->size, mgr->mm.avail, PAGE_SIZE,
				      blocks, 0);
}

static void pddgpu_vram_used_not(struct pddgpu_vram_mgr *mgr, struct list_head *blocks,
				 unsigned long *used)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, blocks, link)
		bitmap_clear(used, gpu_buddy_block_offset(block) >> PAGE_SHIFT,
			     gpu_buddy_block_size(&mgr->mm, block) >> PAGE_SHIFT);
}

/**
 * pddgpu_vram_mgr_used() - which pages hold what users have there
 * @mgr: the manager; nothing is being cleared
 * @used: out: a bit for each page of VRAM
 *
 * Buffers on their way out, and those whose content is on its way elsewhere, are
 * among them; what the driver keeps for itself is not. Takes the manager's lock.
 *
 * Return: 0 or an errno.
 */
int pddgpu_vram_mgr_used(struct pddgpu_vram_mgr *mgr, unsigned long *used)
{
	LIST_HEAD(blocks);
	int ret;

	bitmap_fill(used, mgr->size >> PAGE_SHIFT);
	mutex_lock(&mgr->lock);
	ret = pddgpu_vram_take_free(mgr, &blocks);
	pddgpu_vram_used_not(mgr, &blocks, used);
	pddgpu_vram_clear_undo(mgr, &blocks);
	pddgpu_vram_used_not(mgr, &mgr->reserved_blocks, used);
	mutex_unlock(&mgr->lock);
	return ret;
}

/**
 * pddgpu_vram_mgr_forget_clear() - what is free is not clear any more
 * @mgr: the manager
 *
 * For a card that has been switched off. What was never used is still left alone.
 * Takes the manager's lock.
 *
 * Return: 0 or an errno.
 */
int pddgpu_vram_mgr_forget_clear(struct pddgpu_vram_mgr *mgr)
{
	struct gpu_buddy_block *block, *next;
	LIST_HEAD(blocks);
	LIST_HEAD(stale);
	int ret;

	mutex_lock(&mgr->lock);
	ret = pddgpu_vram_take_free(mgr, &blocks);
	list_for_each_entry_safe(block, next, &blocks, link) {
		if (gpu_buddy_block_is_clear(block))
			list_move_tail(&block->link, &stale);
	}
	pddgpu_vram_clear_undo(mgr, &blocks);
	pddgpu_vram_clear_freed(mgr, &stale);
	mutex_unlock(&mgr->lock);
	return ret;
}
