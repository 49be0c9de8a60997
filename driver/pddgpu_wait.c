// SPDX-License-Identifier: GPL-2.0
/*
 * A small job is done sooner than a CPU falls asleep and is woken again. So who
 * waits for a fence of this card's engines looks at what the engine has written
 * first, for a short time, and signals what it finds done, as the interrupt's
 * handler does. The chip is told not to interrupt meanwhile.
 */
#include <linux/dma-fence.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

#include <drm/drm_drv.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_bo.h>

#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_irq.h"
#include "pddgpu_wait.h"

/*
 * What a job that does little takes from the doorbell to its fence, with some
 * room: an engine copies 1 MiB meanwhile. See docs/bench.md.
 */
static unsigned int busywait_us = 150;
module_param(busywait_us, uint, 0644);
MODULE_PARM_DESC(busywait_us,
		 "microseconds to look for an engine's fence before sleeping; 0: none (default: 150)");

/* More would be a spin lock */
#define PDDGPU_WAIT_AWAKE_MAX	(10 * USEC_PER_MSEC)

/* When to stop looking, on local_clock() */
static u64 pddgpu_wait_deadline(void)
{
	u64 us = min_t(u64, READ_ONCE(busywait_us), PDDGPU_WAIT_AWAKE_MAX);

	/* There the locks below sleep, and nobody is to look so long */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return 0;
	return us ? local_clock() + us * NSEC_PER_USEC : 0;
}

/* Which of this card's engines is to signal a fence; NULL for others' fences */
static struct pddgpu_engine *pddgpu_wait_engine(struct pddgpu_device *pdev,
						struct drm_sched_fence *fence)
{
	u32 i;

	for (i = 0; fence && i < PDDGPU_ENGINE_COUNT; i++) {
		if (READ_ONCE(fence->sched) == pddgpu_engine_sched(pdev->engine[i]))
			return pdev->engine[i];
	}
	return NULL;
}

/* Is it worth while to look once more? */
static bool pddgpu_wait_goes_on(struct pddgpu_engine *engine,
				struct drm_sched_fence *fence,
				bool interruptible, u64 deadline)
{
	return pddgpu_engine_poll_fence(engine, fence) &&
	       !dma_fence_is_signaled(&fence->finished) && local_clock() < deadline &&
	       !(interruptible && signal_pending(current));
}

/* Look until there is no use in it, with the interrupt held back */
static void pddgpu_wait_poll(struct pddgpu_device *pdev, struct pddgpu_engine *engine,
			     struct drm_sched_fence *fence, bool interruptible,
			     u64 deadline)
{
	bool more;

	do {
		preempt_disable();
		pddgpu_irq_hold(pdev->irq);
		do {
			cpu_relax();
			more = pddgpu_wait_goes_on(engine, fence, interruptible, deadline);
		} while (more && !need_resched());
		pddgpu_irq_release(pdev->irq);
		preempt_enable();
		cond_resched();
		/* While it is not in the ring, others have to run to put it there */
	} while (more && !dma_fence_is_signaled(&fence->scheduled));
}

/* Look until the deadline whether a fence is signalled. Is it? */
static bool pddgpu_wait_for(struct pddgpu_device *pdev, struct dma_fence *fence,
			    bool interruptible, u64 deadline)
{
	struct drm_sched_fence *sched_fence;
	struct pddgpu_engine *engine;
	int idx;

	if (dma_fence_is_signaled(fence))
		return true;
	sched_fence = to_drm_sched_fence(fence);
	engine = deadline ? pddgpu_wait_engine(pdev, sched_fence) : NULL;
	if (!engine || !drm_dev_enter(&pdev->drm, &idx))
		return false;
	pddgpu_wait_poll(pdev, engine, sched_fence, interruptible, deadline);
	drm_dev_exit(idx);
	return dma_fence_is_signaled(fence);
}

/**
 * pddgpu_wait_awake() - look for a short time whether a buffer's fences signal
 * @pdev: the device
 * @resv: the buffer's reservation, held or not
 * @usage: which fences
 * @interruptible: a signal ends it
 *
 * Before a wait that sleeps, for which nothing is left then in the best case.
 * Up to busywait_us, and only for a job that is at work or next. May sleep.
 */
void pddgpu_wait_awake(struct pddgpu_device *pdev, struct dma_resv *resv,
		       enum dma_resv_usage usage, bool interruptible)
{
	u64 deadline = pddgpu_wait_deadline();
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	dma_resv_iter_begin(&cursor, resv, usage);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (!pddgpu_wait_for(pdev, fence, interruptible, deadline))
			break;
	}
	dma_resv_iter_end(&cursor);
}

/**
 * pddgpu_wait_fence() - wait for a fence
 * @pdev: the device
 * @fence: the fence
 * @interruptible: a signal ends it
 *
 * May sleep.
 *
 * Return: 0, or -ERESTARTSYS.
 */
int pddgpu_wait_fence(struct pddgpu_device *pdev, struct dma_fence *fence,
		      bool interruptible)
{
	if (pddgpu_wait_for(pdev, fence, interruptible, pddgpu_wait_deadline()))
		return 0;
	return dma_fence_wait(fence, interruptible);
}

/**
 * pddgpu_wait_idle() - wait until nobody uses a buffer
 * @pdev: the device
 * @tbo: the buffer, reserved
 * @ctx: how to wait
 *
 * Return: as ttm_bo_wait_ctx(): 0, -EBUSY when there is to be no waiting,
 * -ERESTARTSYS.
 */
int pddgpu_wait_idle(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
		     struct ttm_operation_ctx *ctx)
{
	int ret;

	if (!ctx->no_wait_gpu)
		pddgpu_wait_awake(pdev, tbo->base.resv, DMA_RESV_USAGE_BOOKKEEP,
				  ctx->interruptible);
	/* TTM's patience ends after 15 s, but a job may take any time */
	do {
		ret = ttm_bo_wait_ctx(tbo, ctx);
	} while (ret == -EBUSY && !ctx->no_wait_gpu);
	return ret;
}
