// SPDX-License-Identifier: GPL-2.0
/*
 * An engine that has stopped: what is said of it, and how it goes on.
 */
#include <linux/delay.h>
#include <linux/io.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include <pddgpu_regs.h>

#include "pddgpu_compat.h"
#include "pddgpu_coredump.h"
#include "pddgpu_engine_internal.h"
#include "pddgpu_hw.h"
#include "pddgpu_job.h"
#include "pddgpu_trace.h"

/*
 * A job that hangs although data depends on it is tried so often before the chip is
 * reset for it, and once more after that
 */
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

/* Say what happened to whose job, and keep it. Returns what the job fails with. */
static int pddgpu_engine_report(struct pddgpu_engine *engine,
				const struct pddgpu_job *job)
{
	struct pddgpu_fault fault;

	pddgpu_engine_what(engine, &fault);
	pddgpu_fault_find_buffer(&fault, job);
	pddgpu_fault_report(engine->drm, &fault, job);
	pddgpu_coredump_keep(engine->coredump, &fault, job, engine->ring.wptr);
	return fault.status & PDDGPU_FAULT_VALID ? -EIO : -ETIME;
}

/* The oldest job in the ring that is not over: what the engine is at, if anything */
static struct pddgpu_job *pddgpu_engine_at_work(struct pddgpu_engine *engine)
{
	struct pddgpu_job *job;

	list_for_each_entry(job, &engine->jobs, link) {
		if (!dma_fence_is_signaled(&job->fence->base))
			return job;
	}
	return NULL;
}

/*
 * What the engine was at may have been done in part. A user's job that would come
 * to something else when it is done once more has failed, if it has not already.
 */
static void pddgpu_engine_interrupt(struct pddgpu_engine *engine)
{
	struct pddgpu_job *job = pddgpu_engine_at_work(engine);

	if (job && !job->must_run && !pddgpu_job_broken(job) &&
	    !pddgpu_job_repeatable(job, engine->chip))
		pddgpu_job_break(job, -ECANCELED);
}

/*
 * What a job in the ring has failed with, negative; or 0. What follows in it goes too, but
 * not what belongs to a move: where that would not be done, memory is not even cleared.
 */
static int pddgpu_engine_job_error(struct pddgpu_engine *engine, struct pddgpu_job *job)
{
	int error = pddgpu_job_broken(job);

	if (!error)
		error = pddgpu_engine_stale(engine, job);
	if (error && !job->fence->base.error)
		dma_fence_set_error(&job->fence->base, error);
	return job->fence->base.error;
}

/**
 * pddgpu_engine_give_up() - the jobs in the ring are the CPU's, and all that follow
 * @engine: the engine, which does nothing any more; its scheduler is stopped
 *
 * A user's job that the engine has begun has failed, unless to do it once more
 * comes to the same. Moves always do.
 */
void pddgpu_engine_give_up(struct pddgpu_engine *engine)
{
	struct pddgpu_job *job;
	int ret;

	if (!engine->lost)
		drm_err(engine->drm, "PDDGPU: engine %u is lost: the CPU does its work\n",
			engine->index);
	WRITE_ONCE(engine->lost, true);
	pddgpu_engine_interrupt(engine);
	list_for_each_entry(job, &engine->jobs, link) {
		if (dma_fence_is_signaled(&job->fence->base) ||
		    (job->fence->base.error && !job->must_run))
			continue;
		ret = pddgpu_engine_stale(engine, job);
		if (!ret)
			ret = pddgpu_engine_run_by_cpu(engine, job);
		if (ret)
			dma_fence_set_error(&job->fence->base, ret);
	}
	pddgpu_timeline_fail(&engine->timeline, 0);
}

/**
 * pddgpu_engine_replay() - let the engine go on with the jobs in its ring
 * @engine: the engine, reset, its ring empty; its scheduler is stopped
 *
 * Users' that have failed are passed over. The others run, the first of them once
 * more; see pddgpu_engine_give_up().
 */
void pddgpu_engine_replay(struct pddgpu_engine *engine)
{
	struct pddgpu_job *job;
	bool any = false, skip;
	int ret;

	pddgpu_engine_interrupt(engine);
	list_for_each_entry(job, &engine->jobs, link) {
		if (dma_fence_is_signaled(&job->fence->base))
			continue;
		skip = pddgpu_engine_job_error(engine, job) && !job->must_run;
		/* What stops it again and again, and so is the first, is the CPU's */
		if (!skip && job->attempts > PDDGPU_ENGINE_ATTEMPTS) {
			ret = pddgpu_engine_run_by_cpu(engine, job);
			if (ret)
				dma_fence_set_error(&job->fence->base, ret);
			skip = true;
		}
		pddgpu_engine_emit(engine, job, skip);
		any = true;
	}
	WRITE_ONCE(engine->fault_status, 0);
	WRITE_ONCE(engine->progress, jiffies);
	if (engine->lost)
		drm_notice(engine->drm, "PDDGPU: engine %u works again\n", engine->index);
	WRITE_ONCE(engine->lost, false);
	if (any)
		pddgpu_engine_kick(engine);
}

/* Reset the engine and give it its ring. 0; -EIO: it does not work; -ENODEV. */
static int pddgpu_engine_reset(struct pddgpu_engine *engine, struct pddgpu_job *guilty)
{
	int ret = pddgpu_hw_reset_engine(engine->hw, engine->index);

	/* To reset it alone has not helped */
	if (!ret && guilty->must_run && ++guilty->attempts == PDDGPU_ENGINE_ATTEMPTS)
		ret = -EIO;
	if (ret)
		return ret;
	pddgpu_engine_write_ring(engine);
	return pddgpu_hw_flush_tlb(engine->hw);
}

/*
 * Reset the engine and let it go on behind the job that stopped it; or reset the
 * chip; or let the CPU go on. The scheduler is stopped: nobody else touches the
 * ring or the jobs.
 */
static void pddgpu_engine_recover(struct pddgpu_engine *engine)
{
	struct pddgpu_job *guilty = pddgpu_engine_at_work(engine);
	int error, ret;

	/* Called twice for the same stop, the second time is the next job's turn */
	if (!guilty || !pddgpu_engine_is_stuck(engine))
		return;

	error = pddgpu_engine_report(engine, guilty);
	ret = pddgpu_engine_reset(engine, guilty);
	trace_engine_reset(engine->drm->dev, engine->index, ret);
	/* Whoever is told that the card is gone ends the jobs */
	if (ret == -ENODEV)
		return;
	/* It may have been slow, and done in the end; now it is known */
	pddgpu_engine_signal(engine);
	if (!guilty->must_run && !dma_fence_is_signaled(&guilty->fence->base))
		pddgpu_job_break(guilty, error);
	if (!ret) {
		atomic64_inc(&engine->resets);
		pddgpu_engine_replay(engine);
	} else if (!engine->recovery->reset_chip(engine->recovery->data)) {
		pddgpu_engine_give_up(engine);
	}
}

/**
 * pddgpu_engine_timedout_job() - the scheduler's timedout_job callback
 * @base: the job that it takes for the one that hangs; it may be another
 *
 * Runs where the chip is reset too, so one comes after the other.
 *
 * Return: whether the engine goes on.
 */
enum drm_gpu_sched_stat pddgpu_engine_timedout_job(struct drm_sched_job *base)
{
	struct pddgpu_engine *engine = to_pddgpu_job(base)->engine;
	enum drm_gpu_sched_stat stat = DRM_GPU_SCHED_STAT_RESET;
	int idx;

	pddgpu_engine_stop_sched(engine);
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
		/* Who unplugs may be waiting for these jobs, and nobody else ends them */
		pddgpu_engine_signal(engine);
		/* It does nothing any more when its fences say so */
		pddgpu_hw_reset_engine(engine->hw, engine->index);
		pddgpu_engine_abandon(engine);
		stat = DRM_GPU_SCHED_STAT_ENODEV;
	}
	pddgpu_engine_start_sched(engine);
	return stat;
}

/**
 * pddgpu_engine_pause() - the chip is about to be reset
 * @engine: the engine
 *
 * Its scheduler stops, and nobody looks at what it writes any more, until
 * pddgpu_engine_resume(). Waits for the CPU where that does the engine's work.
 */
void pddgpu_engine_pause(struct pddgpu_engine *engine)
{
	pddgpu_engine_stop_sched(engine);
	timer_delete_sync(&engine->timer);
	pddgpu_engine_signal(engine);
	WRITE_ONCE(engine->paused, true);
}

/**
 * pddgpu_engine_catch_up() - signal what was done when the chip was reset
 * @engine: the engine, paused; VRAM holds what it held
 */
void pddgpu_engine_catch_up(struct pddgpu_engine *engine)
{
	pddgpu_timeline_signal(&engine->timeline,
			       readq(pddgpu_hw_vram(engine->hw) + engine->slot_offset));
}

/**
 * pddgpu_engine_lose_vram() - users' jobs made until now are not to be run
 * @engine: the engine, paused
 */
void pddgpu_engine_lose_vram(struct pddgpu_engine *engine)
{
	WRITE_ONCE(engine->losses, engine->losses + 1);
}

/**
 * pddgpu_engine_fill_now() - fill memory with zeros, before anything else
 * @engine: the engine, paused, its ring empty
 * @addr: GPU address, a multiple of 4
 * @bytes: how much, a multiple of 4, at most PDDGPU_OP_BYTES_MAX
 *
 * Sleeps until it is done. Allocates nothing.
 *
 * Return: 0; -EIO when it faults, -ETIME when it hangs. Then reset it.
 */
int pddgpu_engine_fill_now(struct pddgpu_engine *engine, u64 addr, u64 bytes)
{
	unsigned long end = jiffies + engine->timeout;
	u32 reg = PDDGPU_CP_RING_RPTR(engine->index);

	pddgpu_ring_put_fill(&engine->ring, addr, bytes, 0);
	pddgpu_hw_write(engine->hw, PDDGPU_CP_RING_WPTR(engine->index), engine->ring.wptr);
	pddgpu_hw_doorbell(engine->hw, PDDGPU_DOORBELL_ENGINE0 + engine->index);
	while (pddgpu_hw_read(engine->hw, reg) != engine->ring.wptr) {
		if (pddgpu_hw_read(engine->hw, PDDGPU_STATUS) &
		    PDDGPU_STATUS_ENGINE_HALTED(engine->index))
			return -EIO;
		if (time_after(jiffies, end))
			return -ETIME;
		usleep_range(20, 50);
	}
	return 0;
}

/**
 * pddgpu_engine_resume() - go on
 * @engine: the engine, paused
 */
void pddgpu_engine_resume(struct pddgpu_engine *engine)
{
	WRITE_ONCE(engine->paused, false);
	pddgpu_engine_start_sched(engine);
}

/**
 * pddgpu_engine_refuse() - users' jobs fail from now on
 * @engine: the engine
 * @error: what with, negative
 */
void pddgpu_engine_refuse(struct pddgpu_engine *engine, int error)
{
	WRITE_ONCE(engine->refused, error);
}
