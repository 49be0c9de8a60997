// SPDX-License-Identifier: GPL-2.0
/*
 * Which memory the VRAM manager takes for a request.
 */
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/sizes.h>

#include "pddgpu_buddy.h"
#include "pddgpu_compat.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

/* Clear pieces smaller than this would make too many packets of a buffer */
#define PDDGPU_VRAM_CLEAR_PIECE		SZ_256K

/**
 * pddgpu_vram_block_visible() - how much of a block the CPU reaches
 * @mgr: the manager
 * @block: the block
 *
 * Return: bytes.
 */
u64 pddgpu_vram_block_visible(struct pddgpu_vram_mgr *mgr,
			      struct gpu_buddy_block *block)
{
	u64 start = gpu_buddy_block_offset(block);
	u64 end = start + gpu_buddy_block_size(&mgr->mm, block);

	if (start >= mgr->visible_size)
		return 0;
	return min(end, mgr->visible_size) - start;
}

static u64 pddgpu_vram_visible(struct pddgpu_vram_mgr *mgr, struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	u64 bytes = 0;

	list_for_each_entry(block, blocks, link)
		bytes += pddgpu_vram_block_visible(mgr, block);
	return bytes;
}

static bool pddgpu_vram_hides(struct pddgpu_vram_mgr *mgr,
			      const struct pddgpu_vram_request *req)
{
	return req->topdown && mgr->visible_size < mgr->size;
}

static int pddgpu_vram_try(struct pddgpu_vram_mgr *mgr,
			   const struct pddgpu_vram_request *req, u64 min_block,
			   unsigned long flags, struct list_head *blocks)
{
	lockdep_assert_held(&mgr->lock);

	/* Where all is visible there is no reason to break a larger block for it */
	if (pddgpu_vram_hides(mgr, req))
		flags |= GPU_BUDDY_TOPDOWN_ALLOCATION;
	if (req->clear)
		flags |= GPU_BUDDY_CLEAR_ALLOCATION;
	return pddgpu_buddy_alloc(&mgr->mm, req->start, req->end, req->size, min_block,
				  blocks, flags);
}

/*
 * Large blocks are worth a try, since they make for few page table leaves and
 * few packets; then whatever there is (requirement B1: the fallback).
 */
static int pddgpu_vram_alloc_blocks(struct pddgpu_vram_mgr *mgr,
				    const struct pddgpu_vram_request *req,
				    struct list_head *blocks)
{
	u64 large = max_t(u64, req->align, SZ_2M);
	int ret;

	lockdep_assert_held(&mgr->lock);

	if (req->contiguous)
		return pddgpu_vram_try(mgr, req, req->align,
				       GPU_BUDDY_CONTIGUOUS_ALLOCATION, blocks);

	if (req->size >= large && IS_ALIGNED(req->size, large)) {
		ret = pddgpu_vram_try(mgr, req, large, 0, blocks);
		if (!ret)
			return 0;
	}
	return pddgpu_vram_try(mgr, req, req->align, 0, blocks);
}

/*
 * What need not be visible is not to take what is for being clear, or for not
 * being so, as long as there is other memory.
 */
static int pddgpu_vram_alloc_any(struct pddgpu_vram_mgr *mgr,
				 const struct pddgpu_vram_request *req,
				 struct list_head *blocks)
{
	struct pddgpu_vram_request other = *req;
	LIST_HEAD(others);
	int ret;

	ret = pddgpu_vram_alloc_blocks(mgr, req, blocks);
	if (ret || !pddgpu_vram_hides(mgr, req) || !pddgpu_vram_visible(mgr, blocks))
		return ret;

	other.clear = !req->clear;
	if (pddgpu_vram_alloc_blocks(mgr, &other, &others))
		return 0;
	if (pddgpu_vram_visible(mgr, &others) < pddgpu_vram_visible(mgr, blocks))
		list_swap(blocks, &others);
	pddgpu_vram_clear_undo(mgr, &others);
	return 0;
}

static bool pddgpu_vram_all_clear(struct list_head *blocks)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, blocks, link) {
		if (!gpu_buddy_block_is_clear(block))
			return false;
	}
	return true;
}

/*
 * The allocator would rather take a large block that is not clear than several that
 * are. So ask for less and less at a time until what it gives is clear.
 */
static bool pddgpu_vram_alloc_clear(struct pddgpu_vram_mgr *mgr,
				    const struct pddgpu_vram_request *req,
				    struct list_head *blocks)
{
	u64 least = max_t(u64, req->align, PDDGPU_VRAM_CLEAR_PIECE), left = req->size;
	struct pddgpu_vram_request piece = *req;
	LIST_HEAD(got);

	while (left) {
		piece.size = min(piece.size, rounddown_pow_of_two(left));
		if (!pddgpu_vram_try(mgr, &piece, req->align, 0, &got) &&
		    pddgpu_vram_all_clear(&got)) {
			list_splice_tail_init(&got, blocks);
			left -= piece.size;
			continue;
		}
		pddgpu_vram_clear_undo(mgr, &got);
		if (piece.size <= least)
			break;
		piece.size /= 2;
	}
	if (left)
		pddgpu_vram_clear_undo(mgr, blocks);
	return !left;
}

/* Large and clear, if there is enough of it, and anything else if not. */
static int pddgpu_vram_alloc_best(struct pddgpu_vram_mgr *mgr,
				  const struct pddgpu_vram_request *req,
				  struct list_head *blocks)
{
	if (req->clear && !req->contiguous && req->size <= mgr->mm.clear_avail &&
	    !req->start && req->end == mgr->size && IS_ALIGNED(req->size, req->align) &&
	    pddgpu_vram_alloc_clear(mgr, req, blocks)) {
		if (!pddgpu_vram_hides(mgr, req) || !pddgpu_vram_visible(mgr, blocks))
			return 0;
		pddgpu_vram_clear_undo(mgr, blocks);
	}
	return pddgpu_vram_alloc_any(mgr, req, blocks);
}

/* What is cleared by the CPU where there is a choice */
#define PDDGPU_VRAM_CPU_REUSE	SZ_16K

/*
 * The CPU clears a little sooner than it is split off a clear block; and then the
 * same page is taken again and again, which caches like.
 */
static bool pddgpu_vram_cleared_by_cpu(struct pddgpu_vram_mgr *mgr,
				       const struct pddgpu_vram_request *req)
{
	return req->size <= PDDGPU_VRAM_CPU_REUSE && req->end <= mgr->visible_size;
}

/* One attempt, if there may be one: the lock is given up between two. */
static int pddgpu_vram_attempt(struct pddgpu_vram_mgr *mgr,
			       const struct pddgpu_vram_request *req,
			       struct list_head *blocks)
{
	int ret = pddgpu_vram_ready(mgr);

	if (ret)
		return ret;
	ret = pddgpu_vram_alloc_best(mgr, req, blocks);
	return ret == -ENOSPC ? ret : pddgpu_vram_judge(mgr, ret);
}

/**
 * pddgpu_vram_alloc() - take memory for a buffer
 * @mgr: the manager
 * @req: what is asked for
 * @vres: gets the blocks, what is known of them, and is live from now on
 *
 * Where memory is being cleared that could be what is wanted, it is waited for:
 * it is free, though it cannot be had at this moment. Takes the manager's lock.
 *
 * Return: 0, -ENOSPC, -ENOMEM, or what pddgpu_health_errno() says.
 */
int pddgpu_vram_alloc(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_request *req,
		      struct pddgpu_vram_resource *vres)
{
	bool by_cpu = pddgpu_vram_cleared_by_cpu(mgr, req);
	int ret;

	mutex_lock(&mgr->lock);
	pddgpu_vram_loss_sync(mgr);
	req->clear = req->first &&
		     !(by_cpu && pddgpu_vram_clear_has_stale(mgr, req->size));
	if (req->first && !by_cpu)
		pddgpu_vram_clear_expect(mgr, req->size);
	ret = pddgpu_vram_attempt(mgr, req, &vres->blocks);
	if (ret == -ENOSPC && pddgpu_vram_clear_wait(mgr))
		ret = pddgpu_vram_attempt(mgr, req, &vres->blocks);
	if (!ret) {
		pddgpu_vram_loss_allocated(mgr, vres);
		vres->unclear = pddgpu_vram_clear_used(mgr, &vres->blocks);
		if (req->first && !by_cpu)
			pddgpu_vram_clear_demand(mgr, req->size, vres->unclear);
		pddgpu_vram_hold(mgr, vres);
		mgr->health.counts.allocations++;
	} else {
		mgr->health.counts.failures++;
	}
	mutex_unlock(&mgr->lock);
	return ret;
}
