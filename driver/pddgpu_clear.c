// SPDX-License-Identifier: GPL-2.0
/*
 * Clears free VRAM in the background, so that whoever makes a buffer need not
 * wait for it. Fills go through the same queue as moves: a buffer that is being
 * evicted may have given up its memory while the engine still reads it, and
 * behind that copy the fill comes too late to harm it.
 *
 * Nothing in that queue waits for a user's job, so that memory which is being
 * cleared can be had again soon. Whoever wants it waits for two batches at most,
 * and for the moves before them.
 */
#include <linux/dma-fence.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>

#include "pddgpu_chip.h"
#include "pddgpu_clear.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_job.h"
#include "pddgpu_move.h"
#include "pddgpu_res_cursor.h"
#include "pddgpu_vram_clear.h"
#include "pddgpu_vram_mgr.h"

/* One at work, and the next in the ring behind it */
#define PDDGPU_CLEAR_BATCHES	2
/* 1 ms of the engine: several times what a job costs, and soon over for who waits */
#define PDDGPU_CLEAR_BATCH	SZ_8M
/*
 * For what is too little to be worth a job by itself: at most 20 of them a second;
 * and where it could not be done
 */
#define PDDGPU_CLEAR_DELAY	msecs_to_jiffies(50)

static bool clear_freed = true;
module_param(clear_freed, bool, 0644);
MODULE_PARM_DESC(clear_freed, "Clear free VRAM before somebody wants it (default: true)");

/**
 * struct pddgpu_clear_batch - memory that is being cleared
 */
struct pddgpu_clear_batch {
	/** @clear: whose it is */
	struct pddgpu_clear *clear;
	/** @blocks: the memory */
	struct list_head blocks;
	/** @losses: how often VRAM had been lost when it was taken */
	u32 losses;
	/** @fence: when it is clear, with a reference; NULL: none is */
	struct dma_fence *fence;
	/** @cb: tells of it */
	struct dma_fence_cb cb;
};

/**
 * struct pddgpu_clear - who clears free VRAM
 */
struct pddgpu_clear {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @wq: for @work alone */
	struct workqueue_struct *wq;
	/** @work: gives back what is clear and takes more; the batches are its own */
	struct delayed_work work;
	/** @batch: what is under way */
	struct pddgpu_clear_batch batch[PDDGPU_CLEAR_BATCHES];
	/** @busy: how many batches are; written by @work */
	u32 busy;
	/** @due: jiffies when what is little has waited long enough */
	unsigned long due;
	/** @stopped: no more is taken */
	bool stopped;
	/** @idle: woken when @busy is 0 */
	wait_queue_head_t idle;
};

/* What is little by now may become more, and what failed may succeed. */
static void pddgpu_clear_later(struct pddgpu_clear *clear)
{
	if (queue_delayed_work(clear->wq, &clear->work, PDDGPU_CLEAR_DELAY))
		WRITE_ONCE(clear->due, jiffies + PDDGPU_CLEAR_DELAY);
}

/* The VRAM manager's lock is held. When a batch is over it is looked anyway. */
static void pddgpu_clear_notify(void *data, bool now)
{
	struct pddgpu_clear *clear = data;

	if (!now)
		pddgpu_clear_later(clear);
	else if (READ_ONCE(clear->busy) < PDDGPU_CLEAR_BATCHES)
		mod_delayed_work(clear->wq, &clear->work, 0);
}

static void pddgpu_clear_done(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct pddgpu_clear *clear =
		container_of(cb, struct pddgpu_clear_batch, cb)->clear;

	mod_delayed_work(clear->wq, &clear->work, 0);
}

/* Give back what is clear, or could not be cleared. Returns the last error. */
static int pddgpu_clear_reap(struct pddgpu_clear *clear)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < PDDGPU_CLEAR_BATCHES; i++) {
		struct pddgpu_clear_batch *batch = &clear->batch[i];

		if (!batch->fence || !dma_fence_is_signaled(batch->fence))
			continue;
		/* It may not have been called yet */
		dma_fence_remove_callback(batch->fence, &batch->cb);
		if (batch->fence->error)
			ret = batch->fence->error;
		pddgpu_vram_mgr_return_stale(clear->pdev->vram_mgr, &batch->blocks,
					     !batch->fence->error, batch->losses);
		dma_fence_put(batch->fence);
		batch->fence = NULL;
		WRITE_ONCE(clear->busy, clear->busy - 1);
	}
	if (!clear->busy)
		wake_up_all(&clear->idle);
	return ret;
}

static int pddgpu_clear_fill(struct pddgpu_device *pdev, struct pddgpu_batch *job,
			     struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	int ret = 0;

	list_for_each_entry(block, blocks, link) {
		ret = pddgpu_batch_fill(job, pdev->chip->vram_start +
					gpu_buddy_block_offset(block),
					pddgpu_res_cursor_block_size(block), 0);
		if (ret)
			break;
	}
	return ret;
}

/*
 * Allocations may wait for what is taken here, reservations held; memory for the
 * job does not wait for them in turn, as reclaim only tries for reservations. The
 * blocks make no more operations than fit into one job: its fence tells of each.
 */
static struct dma_fence *pddgpu_clear_queue(struct pddgpu_device *pdev, bool due,
					    struct pddgpu_clear_batch *batch)
{
	struct list_head *blocks = &batch->blocks;
	struct dma_fence *fence;
	struct pddgpu_batch job;
	int ret;

	ret = pddgpu_move_batch_begin(pdev, &job);
	if (ret)
		return ERR_PTR(ret);
	batch->losses = pddgpu_vram_mgr_losses(pdev->vram_mgr);
	ret = pddgpu_vram_mgr_take_stale(pdev->vram_mgr, PDDGPU_CLEAR_BATCH, due, blocks);
	if (!ret)
		ret = pddgpu_clear_fill(pdev, &job, blocks);
	fence = pddgpu_move_batch_end(pdev, &job, ret);
	if (!ret)
		return fence;
	if (!list_empty(blocks))
		pddgpu_vram_mgr_return_stale(pdev->vram_mgr, blocks, false, 0);
	return ERR_PTR(ret);
}

/*
 * Begin a batch. Returns -ENODEV where none will ever be, -ENOENT when there is
 * nothing to do, -EAGAIN when there is little, and other errors for the time being.
 */
static int pddgpu_clear_begin(struct pddgpu_clear *clear, bool due)
{
	struct pddgpu_clear_batch *batch = clear->batch;
	struct pddgpu_device *pdev = clear->pdev;
	struct dma_fence *fence;
	int ret;

	/* The CPU is too slow to do it without need */
	if (READ_ONCE(clear->stopped) || !READ_ONCE(clear_freed) || pddgpu_move_by_cpu() ||
	    pddgpu_engine_lost(pdev->engine[PDDGPU_ENGINE_PAGING]))
		return -ENODEV;
	/* The work comes again when one is over */
	if (clear->busy == PDDGPU_CLEAR_BATCHES)
		return -ENOENT;
	ret = pddgpu_vram_mgr_stale(pdev->vram_mgr, due);
	if (ret)
		return ret;

	if (batch->fence)
		batch++;
	fence = pddgpu_clear_queue(pdev, due, batch);
	if (IS_ERR(fence))
		return PTR_ERR(fence);
	batch->fence = fence;
	WRITE_ONCE(clear->busy, clear->busy + 1);
	if (dma_fence_add_callback(fence, &batch->cb, pddgpu_clear_done))
		mod_delayed_work(clear->wq, &clear->work, 0);
	return 0;
}

static void pddgpu_clear_work(struct work_struct *work)
{
	struct pddgpu_clear *clear = container_of(work, struct pddgpu_clear, work.work);
	bool due = !time_before(jiffies, READ_ONCE(clear->due));
	int ret, idx;

	/* What is little from now on has its own time to wait */
	if (due)
		WRITE_ONCE(clear->due, jiffies + MAX_JIFFY_OFFSET);
	ret = pddgpu_clear_reap(clear);
	if (!drm_dev_enter(&clear->pdev->drm, &idx))
		return;
	while (!ret)
		ret = pddgpu_clear_begin(clear, due);
	drm_dev_exit(idx);
	if (ret != -ENODEV && ret != -ENOENT)
		pddgpu_clear_later(clear);
}

static void pddgpu_clear_fini(struct drm_device *drm, void *arg)
{
	struct pddgpu_clear *clear = arg;

	destroy_workqueue(clear->wq);
}

/**
 * pddgpu_clear_init() - get ready to clear free VRAM
 * @pdev: the device, with its queue for the paging engine
 *
 * Return: 0 or an errno; ended with the DRM device.
 */
int pddgpu_clear_init(struct pddgpu_device *pdev)
{
	struct pddgpu_clear *clear;
	u32 i;
	int ret;

	clear = drmm_kzalloc(&pdev->drm, sizeof(*clear), GFP_KERNEL);
	if (!clear)
		return -ENOMEM;
	clear->pdev = pdev;
	clear->due = jiffies;
	init_waitqueue_head(&clear->idle);
	INIT_DELAYED_WORK(&clear->work, pddgpu_clear_work);
	for (i = 0; i < PDDGPU_CLEAR_BATCHES; i++) {
		clear->batch[i].clear = clear;
		INIT_LIST_HEAD(&clear->batch[i].blocks);
	}
	/* Allocations wait for it with a reservation held, which reclaim may want */
	clear->wq = alloc_ordered_workqueue("pddgpu-clear", WQ_MEM_RECLAIM | WQ_HIGHPRI);
	if (!clear->wq)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&pdev->drm, pddgpu_clear_fini, clear);
	if (ret)
		return ret;
	pdev->clear = clear;
	return 0;
}

/**
 * pddgpu_clear_start() - clear from now on
 * @pdev: the device, ready
 */
void pddgpu_clear_start(struct pddgpu_device *pdev)
{
	WRITE_ONCE(pdev->clear->stopped, false);
	pddgpu_vram_mgr_on_stale(pdev->vram_mgr, pddgpu_clear_notify, pdev->clear);
	/* What was freed while nobody was told */
	pddgpu_clear_later(pdev->clear);
}

/**
 * pddgpu_clear_stop() - clear no more
 * @pdev: the device; each job that was queued ends, be it with an error
 *
 * What is under way is waited for and given back.
 */
void pddgpu_clear_stop(struct pddgpu_device *pdev)
{
	struct pddgpu_clear *clear = pdev->clear;

	pddgpu_vram_mgr_on_stale(pdev->vram_mgr, NULL, NULL);
	WRITE_ONCE(clear->stopped, true);
	/* Whoever has not seen that may be about to begin a batch */
	cancel_delayed_work_sync(&clear->work);
	mod_delayed_work(clear->wq, &clear->work, 0);
	wait_event(clear->idle, !READ_ONCE(clear->busy));
	cancel_delayed_work_sync(&clear->work);
}
