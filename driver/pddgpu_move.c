// SPDX-License-Identifier: GPL-2.0
/*
 * Moves are the paging engine's: it copies between VRAM and the aperture while
 * the buffer already counts as moved, and a fence in its reservation says when
 * it is. The CPU copies what has no address for the engine, what is too little
 * to be worth a job, and everything when no job can be made.
 */
#include <linux/dma-resv.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_bo.h>

#include "pddgpu_bo.h"
#include "pddgpu_compat.h"
#include "pddgpu_copy.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_job.h"
#include "pddgpu_loss.h"
#include "pddgpu_move.h"
#include "pddgpu_paging.h"
#include "pddgpu_queue.h"
#include "pddgpu_room.h"
#include "pddgpu_stats.h"
#include "pddgpu_ttm.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_wait.h"
#include "pddgpu_walk.h"

/* Below this the CPU has copied from and to pages without an address before a job is made */
#define PDDGPU_MOVE_CPU_COPY	SZ_64K

/* What happens anyway when there is no memory for a job */
static bool cpu_moves;
module_param(cpu_moves, bool, 0644);
MODULE_PARM_DESC(cpu_moves, "Let the CPU move buffers, not the engine (default: false)");

/**
 * struct pddgpu_mover - the driver's own queue for the paging engine
 *
 * It is one, and runs in order:
 *
 * - TTM remembers of the moves that make room the last one alone, and lets who
 *   gets the room wait for that. It takes a later fence of one queue for later
 *   in time, and could not tell with two.
 * - So no move may wait in it for anybody else, or all that come after would:
 *   who wants a buffer moved that a user's job is busy with waits for the job
 *   himself, before the move is queued; see pddgpu_move_wait_users(). What is in
 *   the queue waits for what was there before, and for the engine.
 * - Moves of one buffer are in order besides, by the fences in its reservation.
 * - An engine that forgets its translations does so between two jobs, when the
 *   later one is written into its ring: as pages are bound before the move that
 *   needs them is queued, any order of moves would do for that.
 */
struct pddgpu_mover {
	/** @queue: the queue; its lock is taken last */
	struct pddgpu_queue *queue;
};

static void pddgpu_move_fini(struct drm_device *drm, void *arg)
{
	struct pddgpu_mover *mover = arg;

	pddgpu_queue_fini(mover->queue);
}

/**
 * pddgpu_move_init() - make the driver's queue for the paging engine
 * @pdev: the device, with its engines
 *
 * Return: 0 or an errno; ended with the DRM device.
 */
int pddgpu_move_init(struct pddgpu_device *pdev)
{
	struct drm_gpu_scheduler *sched =
		pddgpu_engine_sched(pdev->engine[PDDGPU_ENGINE_PAGING]);
	struct pddgpu_mover *mover;

	mover = drmm_kzalloc(&pdev->drm, sizeof(*mover), GFP_KERNEL);
	if (!mover)
		return -ENOMEM;
	mover->queue = pddgpu_queue_init(sched, DRM_SCHED_PRIORITY_KERNEL, false);
	if (IS_ERR(mover->queue))
		return PTR_ERR(mover->queue);
	pdev->mover = mover;
	return drmm_add_action_or_reset(&pdev->drm, pddgpu_move_fini, mover);
}

static int pddgpu_move_add_copies(struct pddgpu_device *pdev, struct pddgpu_batch *batch,
				  struct ttm_resource *from, struct ttm_resource *to)
{
	struct pddgpu_walk src, dst;
	u64 left = to->size;
	int ret = 0;

	pddgpu_walk_first(pdev, from, 0, left, &src);
	pddgpu_walk_first(pdev, to, 0, left, &dst);
	while (left && !ret) {
		u64 bytes = min(src.size, dst.size);

		ret = pddgpu_batch_copy(batch, dst.addr, src.addr, bytes);
		pddgpu_walk_next(&src, bytes);
		pddgpu_walk_next(&dst, bytes);
		left -= bytes;
	}
	return ret;
}

/* Only what is not clear already: @to is VRAM that was allocated just now. */
static int pddgpu_move_add_fills(struct pddgpu_device *pdev, struct pddgpu_batch *batch,
				 struct ttm_resource *to)
{
	struct pddgpu_walk walk;
	u64 left = to->size;
	int ret = 0;

	pddgpu_walk_first(pdev, to, 0, left, &walk);
	while (left && !ret) {
		u64 bytes = walk.size;

		if (!pddgpu_res_is_clear(&walk.cur))
			ret = pddgpu_batch_fill(batch, walk.addr, bytes, 0);
		pddgpu_walk_next(&walk, bytes);
		left -= bytes;
	}
	return ret;
}

/**
 * pddgpu_move_by_cpu() - is the engine not to be used?
 *
 * Return: true with the parameter cpu_moves.
 */
bool pddgpu_move_by_cpu(void)
{
	return READ_ONCE(cpu_moves);
}

/**
 * pddgpu_move_batch_begin() - begin work for the paging engine
 * @pdev: the device
 * @batch: filled in
 *
 * Takes the lock of the driver's queue, and keeps it when it succeeds.
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_move_batch_begin(struct pddgpu_device *pdev, struct pddgpu_batch *batch)
{
	struct pddgpu_queue *queue = pdev->mover->queue;
	int ret;

	if (pddgpu_move_by_cpu())
		return -ENOMEM;
	mutex_lock(&queue->lock);
	queue->turn++;
	ret = pddgpu_batch_begin(batch, pdev->engine[PDDGPU_ENGINE_PAGING], queue, 0,
				 pddgpu_room_client(pdev), true);
	if (ret)
		mutex_unlock(&queue->lock);
	return ret;
}

/**
 * pddgpu_move_batch_end() - let the paging engine work, or not
 * @pdev: the device
 * @batch: the batch
 * @error: not 0: give it up
 *
 * Gives the queue's lock back.
 *
 * Return: the fence, with a reference; NULL after an error.
 */
struct dma_fence *pddgpu_move_batch_end(struct pddgpu_device *pdev,
					struct pddgpu_batch *batch, int error)
{
	struct dma_fence *fence = NULL;

	if (error)
		pddgpu_batch_abort(batch);
	else
		fence = pddgpu_batch_end(batch);
	mutex_unlock(&pdev->mover->queue->lock);
	return fence;
}

/*
 * Wait until no user's job is busy with a buffer, nor anybody else who is not in
 * the paging engine's queue: what waits there would hold up all that follow.
 */
static int pddgpu_move_wait_users(struct pddgpu_device *pdev,
				  struct ttm_buffer_object *tbo,
				  struct ttm_operation_ctx *ctx)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	bool busy = false;
	long ret;

	dma_resv_for_each_fence(&cursor, tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP, fence) {
		if (!pddgpu_queue_made(pdev->mover->queue, fence) &&
		    !dma_fence_is_signaled(fence))
			busy = true;
	}
	if (!busy)
		return 0;
	if (ctx->no_wait_gpu)
		return -EBUSY;
	ret = dma_resv_wait_timeout(tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP,
				    ctx->interruptible, MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}

/*
 * Queue a copy to @to, or a fill with zeros where there is nothing to copy,
 * behind all that is going on with the buffer. Returns its fence.
 */
static struct dma_fence *pddgpu_move_queue(struct pddgpu_device *pdev,
					   struct ttm_buffer_object *tbo,
					   struct ttm_resource *from,
					   struct ttm_resource *to)
{
	struct dma_fence *fence;
	struct pddgpu_batch batch;
	int ret;

	ret = pddgpu_move_batch_begin(pdev, &batch);
	if (ret)
		return ERR_PTR(ret);
	ret = pddgpu_batch_wait_all(&batch, tbo->base.resv);
	if (!ret && from)
		ret = pddgpu_move_add_copies(pdev, &batch, from, to);
	else if (!ret)
		ret = pddgpu_move_add_fills(pdev, &batch, to);
	if (!ret && from)
		pddgpu_batch_carry(&batch, pdev->account, &to_pddgpu_bo(tbo)->account);
	fence = pddgpu_move_batch_end(pdev, &batch, ret);
	return ret ? ERR_PTR(ret) : fence;
}

/* Fill a buffer's first place with zeros, where there are none. */
static int pddgpu_move_zero(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
			    struct ttm_operation_ctx *ctx, struct ttm_resource *to)
{
	u64 unclear = to_pddgpu_vram_resource(to)->unclear;
	struct dma_fence *fence;
	int ret;

	if (!unclear)
		return 0;
	if (unclear <= PDDGPU_VRAM_CPU_CLEAR &&
	    dma_resv_test_signaled(tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP) &&
	    !pddgpu_copy_clear(pdev, to))
		return 0;

	ret = pddgpu_move_wait_users(pdev, tbo, ctx);
	if (!ret)
		ret = dma_resv_reserve_fences(tbo->base.resv, 1);
	if (ret)
		return ret;
	fence = pddgpu_move_queue(pdev, tbo, NULL, to);
	if (IS_ERR(fence)) {
		ret = pddgpu_wait_idle(pdev, tbo, ctx);
		/* What the CPU does not reach waits for better times */
		if (!ret && pddgpu_copy_clear(pdev, to))
			ret = -ENOMEM;
	} else {
		dma_resv_add_fence(tbo->base.resv, fence, DMA_RESV_USAGE_KERNEL);
		/*
		 * Until it is known to be clear nobody gets it; and whoever frees
		 * it again gets the room back at once. No signal ends this: the
		 * engine would go on filling what then is another's.
		 */
		pddgpu_wait_fence(pdev, fence, false);
		if (fence->error && pddgpu_copy_clear(pdev, to))
			ret = fence->error;
		dma_fence_put(fence);
	}
	return ret;
}

/* Has VRAM been lost? Then what was put there since may be gone. */
static bool pddgpu_move_undone(struct pddgpu_device *pdev, u32 losses)
{
	return pddgpu_vram_mgr_losses(pdev->vram_mgr) != losses;
}

/* A buffer's first place in VRAM: zeros. */
static int pddgpu_move_clear(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
			     struct ttm_operation_ctx *ctx, struct ttm_resource *to)
{
	u32 losses;
	int ret;

	do {
		losses = pddgpu_vram_mgr_refresh(pdev->vram_mgr, to);
		ret = pddgpu_move_zero(pdev, tbo, ctx, to);
	} while (!ret && pddgpu_move_undone(pdev, losses));
	if (!ret)
		ttm_bo_move_null(tbo, to);
	return ret;
}

/* Through the window, or by the CPU what is little, or when that fails. */
static int pddgpu_move_pages(struct pddgpu_device *pdev, struct ttm_resource *vram,
			     struct ttm_tt *tt, bool to_vram)
{
	int ret;

	if (vram->size <= PDDGPU_MOVE_CPU_COPY &&
	    !pddgpu_copy_pages(pdev, vram, tt, to_vram))
		return 0;
	ret = pddgpu_paging_copy(pdev, vram, tt, to_vram);
	if (ret && !pddgpu_copy_pages(pdev, vram, tt, to_vram))
		ret = 0;
	return ret;
}

/* Fill VRAM with zeros, and be done when it returns. */
static int pddgpu_move_clear_now(struct pddgpu_device *pdev,
				 struct ttm_buffer_object *tbo, struct ttm_resource *to)
{
	struct dma_fence *fence;
	int ret;

	if (!to_pddgpu_vram_resource(to)->unclear)
		return 0;
	fence = pddgpu_move_queue(pdev, tbo, NULL, to);
	if (IS_ERR(fence))
		return pddgpu_copy_clear(pdev, to);
	pddgpu_wait_fence(pdev, fence, false);
	ret = fence->error;
	dma_fence_put(fence);
	return ret && pddgpu_copy_clear(pdev, to) ? ret : 0;
}

/* System pages to VRAM: pages that never were are zeros, and so is swap. */
static int pddgpu_move_into_vram(struct pddgpu_device *pdev,
				 struct ttm_buffer_object *tbo,
				 struct ttm_operation_ctx *ctx,
				 struct ttm_resource *to)
{
	int ret;

	if (!ttm_tt_is_populated(tbo->ttm)) {
		if (!(tbo->ttm->page_flags & TTM_TT_FLAG_SWAPPED))
			return pddgpu_move_clear_now(pdev, tbo, to);
		ret = pddgpu_ttm_populate(tbo, ctx);
		if (ret)
			return ret;
	}
	return pddgpu_move_pages(pdev, to, tbo->ttm, true);
}

static int pddgpu_move_out_of_vram(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
				   struct ttm_operation_ctx *ctx, struct ttm_resource *to)
{
	int ret;

	/* TTM has populated the pages unless they go to SYSTEM */
	ret = pddgpu_ttm_populate(tbo, ctx);
	if (ret)
		return ret;
	return pddgpu_move_pages(pdev, tbo->resource, tbo->ttm, false);
}

/* The number of losses before a move; where it goes is to be as of then. */
static u32 pddgpu_move_losses(struct pddgpu_device *pdev, struct ttm_resource *to)
{
	if (to->mem_type == TTM_PL_VRAM)
		return pddgpu_vram_mgr_refresh(pdev->vram_mgr, to);
	return pddgpu_vram_mgr_losses(pdev->vram_mgr);
}

static int pddgpu_move_one(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
			   struct ttm_operation_ctx *ctx, struct ttm_resource *to)
{
	int ret;

	if (tbo->resource->mem_type != TTM_PL_VRAM)
		return pddgpu_move_into_vram(pdev, tbo, ctx, to);
	if (to->mem_type != TTM_PL_VRAM)
		return pddgpu_move_out_of_vram(pdev, tbo, ctx, to);
	ret = pddgpu_copy_vram(pdev, tbo->resource, to);
	/* What the CPU does not reach is for the engine, if there is one */
	if (ret == -EINVAL)
		ret = pddgpu_engine_lost(pdev->engine[PDDGPU_ENGINE_PAGING]) ? -EIO : -ENOMEM;
	return ret;
}

/* The copy is made, and nobody is at it any more: the new place counts. */
static void pddgpu_move_done(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
			     struct ttm_resource *to)
{
	if (tbo->resource->mem_type == TTM_PL_VRAM)
		pddgpu_loss_left(pdev, to_pddgpu_bo(tbo),
				 to_pddgpu_vram_resource(tbo->resource)->losses);
	ttm_bo_move_sync_cleanup(tbo, to);
}

/*
 * Where one side has no address, or no job can be made: done when it returns. What
 * comes from system pages is there still when VRAM is lost under it.
 */
static int pddgpu_move_now(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
			   struct ttm_operation_ctx *ctx, struct ttm_resource *to)
{
	bool inward = tbo->resource->mem_type != TTM_PL_VRAM;
	u32 losses;
	int ret;

	ret = pddgpu_wait_idle(pdev, tbo, ctx);
	if (ret)
		return ret;
	do {
		losses = pddgpu_move_losses(pdev, to);
		ret = pddgpu_move_one(pdev, tbo, ctx, to);
	} while (!ret && inward && pddgpu_move_undone(pdev, losses));
	if (!ret)
		pddgpu_move_done(pdev, tbo, to);
	return ret;
}

/* Only an engine gets at all of it */
static bool pddgpu_move_hides(struct ttm_resource *to)
{
	return to->mem_type == TTM_PL_VRAM && to_pddgpu_vram_resource(to)->visible < to->size;
}

/* Content that is, or will be, in VRAM; system pages have their place already. */
static int pddgpu_move_copy(struct pddgpu_device *pdev,
			    struct ttm_buffer_object *tbo, bool evict,
			    struct ttm_operation_ctx *ctx, struct ttm_resource *to)
{
	bool inward = tbo->resource->mem_type != TTM_PL_VRAM;
	bool hides = pddgpu_move_hides(to);
	struct dma_fence *fence;
	u32 losses;
	int ret;

	/* With no engine it may fail, and that has to be known before it counts as moved */
	if (!pddgpu_walk_possible(tbo->resource) || !pddgpu_walk_possible(to) ||
	    pddgpu_engine_lost(pdev->engine[PDDGPU_ENGINE_PAGING]))
		return pddgpu_move_now(pdev, tbo, ctx, to);

	ret = pddgpu_move_wait_users(pdev, tbo, ctx);
	if (!ret)
		ret = dma_resv_reserve_fences(tbo->base.resv, 1);
	if (ret)
		return ret;
	losses = pddgpu_move_losses(pdev, to);
	fence = pddgpu_move_queue(pdev, tbo, tbo->resource, to);
	if (IS_ERR(fence))
		return pddgpu_move_now(pdev, tbo, ctx, to);

	/*
	 * Who asked for the move itself gets it done, and the old place back; a
	 * signal makes it one of those that go on by themselves. Not where the CPU
	 * could put nothing there, should the engine be lost: what another has left
	 * there would be the buffer's then.
	 */
	if ((hides || to_pddgpu_bo(tbo)->settle) && !pddgpu_wait_fence(pdev, fence, !hides)) {
		ret = fence->error;
		dma_fence_put(fence);
		/* The content is where it was still */
		if (ret && hides)
			return ret;
		if (ret || (inward && pddgpu_move_undone(pdev, losses)))
			return pddgpu_move_now(pdev, tbo, ctx, to);
		pddgpu_move_done(pdev, tbo, to);
		return 0;
	}

	if (!inward)
		pddgpu_loss_leaving(pdev, to_pddgpu_bo(tbo), fence,
				    to_pddgpu_vram_resource(tbo->resource)->losses);
	ret = ttm_bo_move_accel_cleanup(tbo, fence, evict, true, to);
	if (ret) {
		/* No memory to remember the old place in: finish now */
		pddgpu_wait_fence(pdev, fence, false);
		ret = fence->error;
		if (!ret && inward && pddgpu_move_undone(pdev, losses))
			ret = -ECANCELED;
		if (!ret)
			pddgpu_move_done(pdev, tbo, to);
	}
	dma_fence_put(fence);
	/* The content is where it was still */
	return ret ? pddgpu_move_now(pdev, tbo, ctx, to) : 0;
}

static int pddgpu_move_content(struct pddgpu_device *pdev,
			       struct ttm_buffer_object *tbo, bool evict,
			       struct ttm_operation_ctx *ctx, struct ttm_resource *to)
{
	bool bind = tbo->resource && to->mem_type == TTM_PL_TT;
	int ret, idx;

	if (!drm_dev_enter(&pdev->drm, &idx))
		return -ENODEV;

	ret = bind ? pddgpu_ttm_bind(pdev, tbo, to) : 0;
	if (!ret && !tbo->resource)
		ret = pddgpu_move_clear(pdev, tbo, ctx, to);
	else if (!ret)
		ret = pddgpu_move_copy(pdev, tbo, evict, ctx, to);
	if (ret && bind)
		pddgpu_ttm_unbind(pdev, tbo->ttm);
	drm_dev_exit(idx);
	return ret;
}

/* The pages stay where they are: only their place in the aperture changes. */
static int pddgpu_move_address(struct pddgpu_device *pdev,
			       struct ttm_buffer_object *tbo,
			       struct ttm_operation_ctx *ctx,
			       struct ttm_resource *to)
{
	struct ttm_resource *from = tbo->resource;
	bool was_bound = from && from->mem_type == TTM_PL_TT;
	int ret;

	/*
	 * An engine may be at work at the old place. An imported buffer may be
	 * busy for long, and its importer holds locks that every creation wants;
	 * but its first placement touches nothing.
	 */
	ret = from ? pddgpu_wait_idle(pdev, tbo, ctx) : 0;
	if (ret)
		return ret;

	if (was_bound)
		pddgpu_ttm_unbind(pdev, tbo->ttm);
	if (to->mem_type == TTM_PL_TT) {
		ret = pddgpu_ttm_bind(pdev, tbo, to);
		if (ret) {
			/* Back to the old place; where even that fails the card is gone */
			if (was_bound)
				pddgpu_ttm_bind(pdev, tbo, from);
			return ret;
		}
	}
	ttm_bo_move_null(tbo, to);
	return 0;
}

/**
 * pddgpu_bo_move() - TTM's move callback
 * @tbo: the buffer, reserved; its resource is NULL at the first move
 * @evict: to make room for another buffer
 * @ctx: how to wait
 * @new_mem: where to; the buffer's own when it succeeds
 * @hop: not used: the CPU reaches what the engine does not
 *
 * Return: 0, and fences in the reservation say when the content is there; or an
 * errno and the buffer is where it was: -EBUSY when it is pinned or a ghost, -ENOMEM,
 * -ENODEV when the card is gone.
 */
int pddgpu_bo_move(struct ttm_buffer_object *tbo, bool evict,
		   struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
		   struct ttm_place *hop)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);
	bool first = !tbo->resource;
	bool content;
	u64 start;
	int ret;

	if (tbo->pin_count || !pddgpu_bo_is_ours(tbo))
		return -EBUSY;
	/* Whatever it is, it has not been swapped out */
	if (tbo->ttm)
		to_pddgpu_tt(tbo->ttm)->swapping = false;

	if (!first)
		pddgpu_loss_check(pdev, bo);
	content = new_mem->mem_type == TTM_PL_VRAM ||
		  (!first && tbo->resource->mem_type == TTM_PL_VRAM);
	start = first ? 0 : pddgpu_memory_stats_move_start(pdev->stats);
	if (content)
		ret = pddgpu_move_content(pdev, tbo, evict, ctx, new_mem);
	else
		ret = pddgpu_move_address(pdev, tbo, ctx, new_mem);

	/* The first placement is part of the allocation, not a move */
	if (!first) {
		pddgpu_memory_stats_move_end(pdev->stats, start, tbo->base.size,
					     evict, ret);
		if (!ret)
			pddgpu_bo_moved(pdev, bo, new_mem, evict);
	}
	return ret;
}
