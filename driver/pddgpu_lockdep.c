// SPDX-License-Identifier: GPL-2.0
/*
 * Shows lockdep the driver's lock order when a card is brought up, so that a
 * place which takes its locks in another order is reported the first time it
 * runs, and not when two threads happen to meet. The order, outermost first:
 *
 *   a client's queue			held while it waits for room
 *    mmap_lock				SUBMIT copies from its caller; faults
 *     a buffer's reservation
 *      the paging window		waits for fences
 *       the driver's queue		allocates
 *      the VRAM manager		allocates
 *      the GART, the GTT manager	allocate nothing
 *       TTM's lists
 *        the leak tracker
 *
 * Reclaim may wait for a fence, since other drivers' shrinkers and MMU notifiers
 * do. So what a fence waits for, which is the scheduler's run_job and timedout_job
 * (see pddgpu_fence.h), neither allocates with reclaim nor takes a lock under
 * which somebody does, nor a reservation. Of the locks above it takes the GART's
 * alone, for the CPU's copies; and the card's request lock, for a reset. Lockdep is
 * told so of run_job, and of what is done while the engines are paused for a reset of
 * the chip; not of the rest of timedout_job, which waits for run_job: it would take
 * that for more than it is.
 *
 * Reclaim takes none of the driver's locks: the shrinker asks its worker.
 */
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include <drm/drm_print.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_gart.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_hw.h"
#include "pddgpu_job.h"
#include "pddgpu_leak.h"
#include "pddgpu_lockdep.h"
#include "pddgpu_move.h"
#include "pddgpu_paging.h"
#include "pddgpu_queue.h"
#include "pddgpu_vram_mgr.h"

static void pddgpu_lockdep_print(struct drm_printer *p, struct va_format *vaf)
{
}

static void pddgpu_lockdep_puts(struct drm_printer *p, const char *str)
{
}

/* What is taken with a buffer reserved. Each call takes one lock, or two. */
static int pddgpu_lockdep_reserved(struct pddgpu_device *pdev)
{
	struct drm_printer nowhere = {
		.printfn = pddgpu_lockdep_print,
		.puts = pddgpu_lockdep_puts,
	};
	struct pddgpu_leak_summary summary;
	struct pddgpu_leak_held held;
	struct ttm_resource nothing = {};
	struct pddgpu_batch batch;
	int ret;

	/* Of no bytes: the window's lock and the GART's */
	ret = pddgpu_paging_copy(pdev, &nothing, NULL, true);
	if (ret)
		return ret;
	if (!pddgpu_move_batch_begin(pdev, &batch))
		pddgpu_move_batch_end(pdev, &batch, -ECANCELED);
	ttm_resource_manager_debug(pddgpu_vram_mgr_to_ttm(pdev->vram_mgr), &nowhere);
	ttm_resource_manager_debug(pddgpu_gtt_mgr_to_ttm(pdev->gtt_mgr), &nowhere);
	pddgpu_leak_check(pdev->leaks, &summary);
	/* Who looks for a buffer's owner by its place */
	spin_lock(&pdev->ttm.lru_lock);
	pddgpu_leak_get_held(pdev->leaks, &held);
	spin_unlock(&pdev->ttm.lru_lock);
	return 0;
}

/* A reservation, inside the caller's mmap_lock where it has one. */
static int pddgpu_lockdep_reserve(struct pddgpu_device *pdev)
{
	struct mm_struct *mm = current->mm;
	struct ww_acquire_ctx ticket;
	struct dma_resv resv;
	int ret;

	dma_resv_init(&resv);
	if (mm)
		mmap_read_lock(mm);
	ww_acquire_init(&ticket, &reservation_ww_class);
	ret = dma_resv_lock(&resv, &ticket);
	if (ret == -EDEADLK) {
		dma_resv_lock_slow(&resv, &ticket);
		ret = 0;
	}
	if (!ret) {
		ret = pddgpu_lockdep_reserved(pdev);
		dma_resv_unlock(&resv);
	}
	ww_acquire_fini(&ticket);
	if (mm)
		mmap_read_unlock(mm);
	dma_resv_fini(&resv);
	return ret;
}

/**
 * pddgpu_lockdep_prime() - take every lock once, in order
 * @pdev: the device, brought up, without users
 *
 * Context: process, without locks; allocates, and waits for the card.
 * Return: 0, or the errno of a card that does not answer, or -ENOMEM.
 */
int pddgpu_lockdep_prime(struct pddgpu_device *pdev)
{
	struct drm_gpu_scheduler *sched = pddgpu_engine_sched(pdev->engine[PDDGPU_ENGINE_USER]);
	struct dma_fence *signaled = dma_fence_get_stub();
	struct pddgpu_queue *queue;
	bool cookie;
	int ret;

	/* Reclaim waits for fences */
	fs_reclaim_acquire(GFP_KERNEL);
	dma_fence_wait(signaled, false);
	fs_reclaim_release(GFP_KERNEL);
	dma_fence_put(signaled);

	/* What fences wait for */
	cookie = dma_fence_begin_signalling();
	ret = pddgpu_hw_flush_tlb(pdev->hw);
	pddgpu_gart_page(pdev->gart, pdev->chip->gtt_start);
	dma_fence_end_signalling(cookie);
	if (ret)
		return ret;

	queue = pddgpu_queue_init(sched, DRM_SCHED_PRIORITY_NORMAL, true);
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	mutex_lock(&queue->lock);
	ret = pddgpu_lockdep_reserve(pdev);
	mutex_unlock(&queue->lock);
	pddgpu_queue_fini(queue);
	return ret;
}
