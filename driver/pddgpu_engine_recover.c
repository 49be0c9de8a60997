// SPDX-License-Identifier: GPL-2.0
/*
 * An engine that has stopped: what is said of it, and how it goes on.
 */
#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include <pddgpu_regs.h>

#include "pddgpu_compat.h"
#include "pddgpu_coredump.h"
#include "pddgpu_engine_internal.h"
#include "pddgpu_hw.h"
#include "pddgpu_job.h"

/* A job that hangs although data depends on it is tried so often */
#define PDDGPU_ENGINE_ATTEMPTS	3

/*
 * What has stopped the engine. Its interrupt may have been lost: then the chip
 * may still know.
 */
static void pddgpu_engine_what(struct pddgpu_engine *engine, struct pddgpu_fault *fault)
{
	*fault = (struct pddgpu_fault) {
		.engine = engine->index,
		.status = READ_ONCE(engine->fault_status),
		.addr = READ_ONCE(engine->fault_addr),
	};
	WRITE_ONCE(engine->fault_status, 0);
	if (fault->status & PDDGPU_FAULT_VALID ||
	    !(pddgpu_hw_read(engine->hw, PDDGPU_STATUS) &
	      PDDGPU_STATUS_ENGINE_HALTED(engine->index)) ||
	    pddgpu_hw_read(engine->hw, PDDGPU_FAULT_ENGINE) != engine->index)
		return;
	fault->status = pddgpu_hw_read(engine->hw, PDDGPU_FAULT_STATUS);
	fault->addr = pddgpu_hw_read64(engine->hw, PDDGPU_FAULT_ADDR_LO);
}

/* Say what happened to whose job, and keep it. */
static void pddgpu_engine_report(struct pddgpu_engine *engine,
				 const struct pddgpu_job *job)
{
	struct pddgpu_fault fault;

	pddgpu_engine_what(engine, &fault);
	pddgpu_fault_find_buffer(&fault, job);
	pddgpu_fault_report(engine->drm, &fault, job);
	pddgpu_coredump_keep(engine->coredump, &fault, job, engine->ring.wptr);
}

/*
 * The jobs in the ring are the CPU's now, and so are all that follow. A user's job
 * that the engine has begun has failed: to do it once more may come to something
 * else, where it reads what it has written. Moves come to the same.
 */
static void pddgpu_engine_give_up(struct pddgpu_engine *engine, struct pddgpu_job *begun)
{
	struct pddgpu_job *job;
	int ret = 0;

	drm_err(engine->drm, "PDDGPU: engine %u is lost: the CPU does its work\n",
		engine->index);
	WRITE_ONCE(engine->lost, true);
	if (!begun->must_run && !dma_fence_is_signaled(&begun->fence->base))
		pddgpu_job_break(begun, -EIO);
	list_for_each_entry(job, &engine->jobs, link) {
		if (dma_fence_is_signaled(&job->fence->base) || job->fence->base.error)
			continue;
		ret = pddgpu_engine_run_by_cpu(engine, job);
		if (ret)
			dma_fence_set_error(&job->fence->base, ret);
	}
	pddgpu_timeline_fail(&engine->timeline, 0);
}

/*
 * Reset the engine and let it go on behind the job that stopped it. The
 * scheduler is stopped: nobody else touches the ring or the jobs.
 */
static void pddgpu_engine_recover(struct pddgpu_engine *engine)
{
	struct pddgpu_job *job, *guilty = NULL;
	int ret;

	list_for_each_entry(job, &engine->jobs, link) {
		if (!dma_fence_is_signaled(&job->fence->base)) {
			guilty = job;
			break;
		}
	}
	/* Called twice for the same stop, the second time is the next job's turn */
	if (!guilty || !pddgpu_engine_is_stuck(engine))
		return;

	pddgpu_engine_report(engine, guilty);
	ret = pddgpu_hw_reset_engine(engine->hw, engine->index);
	/* Whoever is told that the card is gone ends the jobs */
	if (ret == -ENODEV)
		return;
	if (ret ||
	    (guilty->must_run && ++guilty->attempts >= PDDGPU_ENGINE_ATTEMPTS)) {
		pddgpu_engine_give_up(engine, guilty);
		return;
	}
	/* It may have been slow, and done in the end; now it is known */
	pddgpu_engine_signal(engine);
	if (!guilty->must_run && !dma_fence_is_signaled(&guilty->fence->base))
		pddgpu_job_break(guilty, -EIO);

	pddgpu_engine_write_ring(engine);
	if (pddgpu_hw_flush_tlb(engine->hw))
		return;
	list_for_each_entry(job, &engine->jobs, link) {
		if (dma_fence_is_signaled(&job->fence->base))
			continue;
		/* What follows in a job that has failed goes with it */
		if (pddgpu_job_broken(job) && !job->fence->base.error)
			dma_fence_set_error(&job->fence->base, pddgpu_job_broken(job));
		pddgpu_engine_emit(engine, job, job->fence->base.error);
	}
	WRITE_ONCE(engine->fault_status, 0);
	WRITE_ONCE(engine->progress, jiffies);
	pddgpu_engine_kick(engine);
}

/**
 * pddgpu_engine_timedout_job() - the scheduler's timedout_job callback
 * @base: the job that it takes for the one that hangs; it may be another
 *
 * Return: whether the engine goes on.
 */
enum drm_gpu_sched_stat pddgpu_engine_timedout_job(struct drm_sched_job *base)
{
	struct pddgpu_engine *engine = to_pddgpu_job(base)->engine;
	enum drm_gpu_sched_stat stat = DRM_GPU_SCHED_STAT_RESET;
	int idx;

	CLASS(pddgpu_signalling, cookie)();
	drm_sched_wqueue_stop(&engine->sched);
	/* The scheduler took it off its list, but it has not gone away */
	spin_lock(&engine->sched.job_list_lock);
	list_add(&base->list, &engine->sched.pending_list);
	spin_unlock(&engine->sched.job_list_lock);

	if (drm_dev_enter(engine->drm, &idx)) {
		/* Only its interrupt may have been lost */
		pddgpu_engine_signal(engine);
		pddgpu_engine_recover(engine);
		drm_dev_exit(idx);
	} else {
		pddgpu_timeline_fail(&engine->timeline, -ENODEV);
		stat = DRM_GPU_SCHED_STAT_ENODEV;
	}
	drm_sched_wqueue_start(&engine->sched);
	return stat;
}
