// SPDX-License-Identifier: GPL-2.0
/*
 * The VRAM manager's part in a loss of VRAM. Where that is noticed fences wait, so
 * there a number is raised and nothing else: whoever takes the manager's lock next
 * for memory that is to be clear tells the allocator. And a buffer knows at which
 * number it got what it holds.
 */
#include <linux/bitmap.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "pddgpu_compat.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

/**
 * pddgpu_vram_loss_init() - prepare for losses
 * @mgr: the manager, its size known
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_vram_loss_init(struct pddgpu_vram_mgr *mgr)
{
	mgr->touched = kvcalloc(BITS_TO_LONGS(DIV_ROUND_UP(mgr->size, PDDGPU_VRAM_GRANULE)),
				sizeof(long), GFP_KERNEL);
	return mgr->touched ? 0 : -ENOMEM;
}

/**
 * pddgpu_vram_loss_fini() - the end of it
 * @mgr: the manager
 */
void pddgpu_vram_loss_fini(struct pddgpu_vram_mgr *mgr)
{
	kvfree(mgr->touched);
}

/**
 * pddgpu_vram_mgr_losses() - how often has VRAM been lost?
 * @mgr: the manager
 *
 * Any context.
 *
 * Return: the number.
 */
u32 pddgpu_vram_mgr_losses(struct pddgpu_vram_mgr *mgr)
{
	return atomic_read_acquire(&mgr->losses);
}

/**
 * pddgpu_vram_mgr_lose() - VRAM has been lost
 * @mgr: the manager
 *
 * What it held is gone, and none of it is clear. Any context.
 */
void pddgpu_vram_mgr_lose(struct pddgpu_vram_mgr *mgr)
{
	atomic_inc_return_release(&mgr->losses);
}

/*
 * All that is free is taken, and what of it was clear is given back as what was used.
 * False when there is no memory for that.
 */
static bool pddgpu_vram_loss_forget(struct pddgpu_vram_mgr *mgr)
{
	LIST_HEAD(all);

	if (!mgr->mm.clear_avail)
		return true;
	if (gpu_buddy_alloc_blocks(&mgr->mm, 0, mgr->size, mgr->mm.avail, PAGE_SIZE, &all, 0))
		return false;
	pddgpu_vram_clear_doubt(mgr, &all);
	return true;
}

/**
 * pddgpu_vram_loss_sync() - tell the allocator of losses that it does not know of
 * @mgr: the manager, locked
 */
void pddgpu_vram_loss_sync(struct pddgpu_vram_mgr *mgr)
{
	u32 losses = pddgpu_vram_mgr_losses(mgr);

	lockdep_assert_held(&mgr->lock);

	if (mgr->clear.losses != losses) {
		mgr->clear.losses = losses;
		mgr->clear.distrust = true;
	}
	if (mgr->clear.distrust && pddgpu_vram_loss_forget(mgr))
		mgr->clear.distrust = false;
}

/**
 * pddgpu_vram_loss_allocated() - a buffer is about to get memory
 * @mgr: the manager, locked since pddgpu_vram_loss_sync()
 * @vres: the memory
 */
void pddgpu_vram_loss_allocated(struct pddgpu_vram_mgr *mgr,
				struct pddgpu_vram_resource *vres)
{
	struct gpu_buddy_block *block;

	lockdep_assert_held(&mgr->lock);

	list_for_each_entry(block, &vres->blocks, link) {
		u64 first = gpu_buddy_block_offset(block);
		u64 last = first + gpu_buddy_block_size(&mgr->mm, block) - 1;
		unsigned long bit = first >> PDDGPU_VRAM_GRANULE_SHIFT;

		for (; bit <= last >> PDDGPU_VRAM_GRANULE_SHIFT; bit++)
			set_bit(bit, mgr->touched);
	}
	vres->losses = mgr->clear.losses;
	vres->spoilt = mgr->clear.distrust;
}

/**
 * pddgpu_vram_mgr_refresh() - get ready to give a buffer's new place its content
 * @mgr: the manager
 * @res: the place, not in use yet
 *
 * Has VRAM been lost since it was allocated, none of it is clear. What is put there
 * from now on is good until the next loss.
 *
 * Return: what pddgpu_vram_mgr_losses() is: when it has changed afterwards, what
 * was put there is not.
 */
u32 pddgpu_vram_mgr_refresh(struct pddgpu_vram_mgr *mgr, struct ttm_resource *res)
{
	struct pddgpu_vram_resource *vres = to_pddgpu_vram_resource(res);
	u32 losses = pddgpu_vram_mgr_losses(mgr);

	if (vres->losses != losses)
		vres->spoilt = true;
	if (vres->spoilt)
		vres->unclear = res->size;
	vres->losses = losses;
	return losses;
}

/* Up to where @at lies in something that the driver has for itself; 0 when it does not */
static u64 pddgpu_vram_reserved_end(struct pddgpu_vram_mgr *mgr, u64 at, u64 *next)
{
	u32 i;

	for (i = 0; i < mgr->reserved_ranges; i++) {
		u64 start = mgr->reserved_range[i].start;
		u64 end = mgr->reserved_range[i].end;

		if (at >= start && at < end)
			return end;
		if (start > at)
			*next = min(*next, start);
	}
	return 0;
}

/**
 * pddgpu_vram_mgr_next_touched() - VRAM that buffers have been in
 * @mgr: the manager; all that is reserved has been
 * @from: in: where to look from, bytes; out: where it begins
 * @most: bytes, a multiple of PDDGPU_VRAM_GRANULE
 *
 * Takes no lock. What a buffer gets at this moment may be missing: it has not been
 * written yet.
 *
 * Return: how many bytes; 0 when there is no more.
 */
u64 pddgpu_vram_mgr_next_touched(struct pddgpu_vram_mgr *mgr, u64 *from, u64 most)
{
	unsigned long granules = DIV_ROUND_UP(mgr->size, PDDGPU_VRAM_GRANULE), first, end;
	u64 stop, past;

	for (;;) {
		first = find_next_bit(mgr->touched, granules,
				      *from >> PDDGPU_VRAM_GRANULE_SHIFT);
		if (first >= granules || *from >= mgr->size)
			return 0;
		end = find_next_zero_bit(mgr->touched, granules, first);
		*from = max(*from, first * PDDGPU_VRAM_GRANULE);
		stop = min3(end * PDDGPU_VRAM_GRANULE, mgr->size, *from + most);
		past = pddgpu_vram_reserved_end(mgr, *from, &stop);
		if (!past)
			return stop - *from;
		*from = past;
	}
}
