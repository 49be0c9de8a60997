// SPDX-License-Identifier: GPL-2.0
/*
 * An engine's scheduler runs one job after the other into the ring; the fence
 * at a job's end signals it. Jobs that are in the ring are remembered, so that
 * after a reset the ring is written anew: the job that hung is dropped, unless
 * data depends on it, and the others run as if nothing had happened.
 *
 * An engine that cannot be reset is lost until the chip has been: its jobs are
 * then run by the CPU.
 */
#include <linux/io.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <pddgpu_packets.h>
#include <pddgpu_regs.h>

#include "pddgpu_chip.h"
#include "pddgpu_compat.h"
#include "pddgpu_coredump.h"
#include "pddgpu_engine_internal.h"
#include "pddgpu_fence.h"
#include "pddgpu_gart.h"
#include "pddgpu_hw.h"
#include "pddgpu_job.h"
#include "pddgpu_ring.h"
#include "pddgpu_trace.h"

/* Room in the ring is counted in packets of this size, the largest */
#define PDDGPU_ENGINE_CREDIT	sizeof(struct pddgpu_pkt_copy)
/*
 * A full ring would look empty, and the fence of the job before may not have
 * been passed yet.
 */
#define PDDGPU_ENGINE_CREDITS	(PDDGPU_ENGINE_RING_SIZE / PDDGPU_ENGINE_CREDIT - 2)

/* What a job costs the engine beside what it moves, in bytes that it moves meanwhile */
#define PDDGPU_ENGINE_JOB_WORK	SZ_64K

/* For the fences of interrupts that got lost */
#define PDDGPU_ENGINE_POLL	msecs_to_jiffies(20)
/* Who is so long at a packet, of some 10 ms, may be dead: it is asked */
#define PDDGPU_ENGINE_DOUBT	msecs_to_jiffies(500)
static unsigned int job_timeout_ms = 5000;
module_param(job_timeout_ms, uint, 0444);
MODULE_PARM_DESC(job_timeout_ms, "Milliseconds after which an engine that gets no further is taken for hung (default: 5000)");

/**
 * pddgpu_engine_emit() - write a job into the ring
 * @engine: the engine
 * @job: the job; the ring has room for it
 * @fence_only: not what it does, only that it is done
 *
 * The engine caches translations: what has changed in the page tables since it
 * last forgot them is seen by no job written after. Where the engine's jobs are
 * run, or while that is stopped.
 */
void pddgpu_engine_emit(struct pddgpu_engine *engine, const struct pddgpu_job *job,
			bool fence_only)
{
	u64 generation = pddgpu_gart_generation(engine->gart);

	if (generation != engine->flushed) {
		pddgpu_ring_put_flush(&engine->ring);
		engine->flushed = generation;
	}
	if (!fence_only)
		pddgpu_ring_put_work(&engine->ring, job);
	pddgpu_ring_put_fence(&engine->ring, engine->chip->vram_start + engine->slot_offset,
			      job->fence->base.seqno);
}

/**
 * pddgpu_engine_kick() - make the engine look at what was emitted
 * @engine: the engine; as pddgpu_engine_emit()
 */
void pddgpu_engine_kick(struct pddgpu_engine *engine)
{
	pddgpu_hw_write(engine->hw, PDDGPU_CP_RING_WPTR(engine->index), engine->ring.wptr);
	pddgpu_hw_doorbell(engine->hw, PDDGPU_DOORBELL_ENGINE0 + engine->index);
	mod_timer(&engine->timer, jiffies + PDDGPU_ENGINE_POLL);
}

/**
 * pddgpu_engine_signal() - signal what the engine has done
 * @engine: the engine
 *
 * Any context; the registers are mapped.
 */
void pddgpu_engine_signal(struct pddgpu_engine *engine)
{
	u64 reached = readq(pddgpu_hw_vram(engine->hw) + engine->slot_offset);
	u32 rptr = pddgpu_hw_read(engine->hw, PDDGPU_CP_RING_RPTR(engine->index));

	if (READ_ONCE(engine->paused))
		return;
	/* Once around the ring are many jobs, so one of them shows it */
	if (reached != READ_ONCE(engine->reached) || rptr != READ_ONCE(engine->rptr)) {
		WRITE_ONCE(engine->reached, reached);
		WRITE_ONCE(engine->rptr, rptr);
		WRITE_ONCE(engine->progress, jiffies);
	}
	pddgpu_timeline_signal(&engine->timeline, reached);
}

/**
 * pddgpu_engine_tick() - bring clients' time up to date
 * @engine: the engine
 */
void pddgpu_engine_tick(struct pddgpu_engine *engine)
{
	pddgpu_timeline_tick(&engine->timeline);
}

/**
 * pddgpu_engine_poll_fence() - signal what is done, for who waits for a fence
 * @engine: the engine
 * @fence: the fences of a job of its
 *
 * Any context; the registers are mapped.
 *
 * Return: false when the engine has other jobs before that one, so that there is
 * no use in looking again soon.
 */
bool pddgpu_engine_poll_fence(struct pddgpu_engine *engine, struct drm_sched_fence *fence)
{
	u64 reached = readq(pddgpu_hw_vram(engine->hw) + engine->slot_offset);
	struct dma_fence *parent;
	u64 number;

	if (reached != READ_ONCE(engine->reached))
		pddgpu_engine_signal(engine);

	/* It may be let go of meanwhile; fences live for a grace period longer */
	rcu_read_lock();
	parent = READ_ONCE(fence->parent);
	number = parent ? parent->seqno : READ_ONCE(engine->timeline.emitted) + 1;
	rcu_read_unlock();
	return number <= reached + 2;
}

/**
 * pddgpu_engine_is_stuck() - has the engine stopped?
 * @engine: the engine
 *
 * A job may take any time, a packet may not.
 *
 * Return: true when it has faulted, or got no further for too long.
 */
bool pddgpu_engine_is_stuck(struct pddgpu_engine *engine)
{
	return READ_ONCE(engine->fault_status) & PDDGPU_FAULT_VALID ||
	       time_after_eq(jiffies, READ_ONCE(engine->progress) + engine->timeout);
}

static void pddgpu_engine_poll(struct timer_list *timer)
{
	struct pddgpu_engine *engine = container_of(timer, struct pddgpu_engine, timer);
	bool pending = true;
	int idx;

	if (!drm_dev_enter(engine->drm, &idx))
		return;
	pddgpu_engine_signal(engine);
	spin_lock_irq(&engine->timeline.lock);
	pending = !list_empty(&engine->timeline.pending);
	spin_unlock_irq(&engine->timeline.lock);
	/* Who is told of it ends the jobs */
	if (!pddgpu_hw_look(engine->hw))
		pending = false;
	else if (pending && time_after_eq(jiffies, READ_ONCE(engine->progress) +
					  PDDGPU_ENGINE_DOUBT))
		pddgpu_hw_doubt(engine->hw);
	/* The scheduler puts its own look off with each job that it begins */
	if (pending && pddgpu_engine_is_stuck(engine))
		drm_sched_fault(&engine->sched);
	if (pending)
		mod_timer(&engine->timer, jiffies + PDDGPU_ENGINE_POLL);
	drm_dev_exit(idx);
}

/**
 * pddgpu_engine_stale() - is a job not to be run any more?
 * @engine: the engine
 * @job: the job
 *
 * A user's that was made before VRAM was lost would go on with what is not there,
 * and one of a card that is given up has come too late. Moves are run: what they
 * bring is there still, and who made them sees to the rest.
 *
 * Return: what it fails with, negative; or 0.
 */
int pddgpu_engine_stale(const struct pddgpu_engine *engine, const struct pddgpu_job *job)
{
	if (job->must_run)
		return 0;
	if (job->losses != READ_ONCE(engine->losses))
		return -ECANCELED;
	return READ_ONCE(engine->refused);
}

/**
 * pddgpu_engine_run_by_cpu() - do a job instead of the engine
 * @engine: the engine
 * @job: the job
 *
 * What belongs to a move is done even if part of it has failed, since that much
 * then is not lost; but all of it has failed. As pddgpu_engine_emit().
 *
 * Return: 0 or an errno.
 */
int pddgpu_engine_run_by_cpu(struct pddgpu_engine *engine, struct pddgpu_job *job)
{
	int ret = 0;

	if (!pddgpu_job_broken(job) || job->must_run)
		ret = pddgpu_job_run_by_cpu(job, engine->hw, engine->chip, engine->gart,
					    engine->bounce);
	if (ret)
		pddgpu_job_break(job, ret);
	return pddgpu_job_broken(job);
}

static struct dma_fence *pddgpu_engine_begin_job(struct pddgpu_engine *engine,
						 struct pddgpu_job *job)
{
	int ret;

	ret = pddgpu_engine_stale(engine, job);
	if (ret)
		return ERR_PTR(ret);
	if (READ_ONCE(engine->lost)) {
		ret = pddgpu_engine_run_by_cpu(engine, job);
		return ret ? ERR_PTR(ret) : NULL;
	}
	/* What belongs to a move is done all the same, as by the CPU */
	ret = pddgpu_job_broken(job);
	if (ret && !job->must_run)
		return ERR_PTR(ret);

	/* Its time begins now, unless it waits for others in the ring */
	if (list_empty_careful(&engine->timeline.pending))
		WRITE_ONCE(engine->progress, jiffies);
	job->fence->client = job->client;
	job->fence->work = job->bytes + PDDGPU_ENGINE_JOB_WORK;
	pddgpu_fence_emit(&engine->timeline, job->fence);
	if (ret)
		dma_fence_set_error(&job->fence->base, ret);
	job->emitted = true;
	spin_lock(&engine->lock);
	list_add_tail(&job->link, &engine->jobs);
	spin_unlock(&engine->lock);
	trace_job_run(engine->drm->dev, engine->index, job->fence->base.seqno, job->client_id,
		      job->count, job->bytes);
	pddgpu_engine_emit(engine, job, false);
	pddgpu_engine_kick(engine);
	return dma_fence_get(&job->fence->base);
}

static struct dma_fence *pddgpu_engine_run_job(struct drm_sched_job *base)
{
	struct pddgpu_job *job = to_pddgpu_job(base);
	struct pddgpu_engine *engine = job->engine;
	struct dma_fence *fence;
	int idx, ret;

	CLASS(pddgpu_signalling, cookie)();
	/* Its client was killed, or what it waited for has failed */
	if (base->s_fence->finished.error)
		return NULL;
	if (READ_ONCE(engine->abandoned)) {
		ret = pddgpu_engine_finish_job(engine, job);
		return ret ? ERR_PTR(ret) : NULL;
	}
	/* Unplugging waits for the driver's own, and sees to it that they end */
	if (job->must_run)
		return pddgpu_engine_begin_job(engine, job);
	if (!drm_dev_enter(engine->drm, &idx))
		return ERR_PTR(-ENODEV);
	fence = pddgpu_engine_begin_job(engine, job);
	drm_dev_exit(idx);
	return fence;
}

/* A job is over. One that was never in the ring, or that the CPU did, has number 0. */
static void pddgpu_engine_trace_done(struct pddgpu_engine *engine, struct pddgpu_job *job)
{
	struct drm_sched_fence *fence = job->base.s_fence;
	u64 ns = 0;

	if (job->emitted && dma_fence_is_signaled(&fence->finished))
		ns = ktime_to_ns(ktime_sub(dma_fence_timestamp(&fence->finished),
					   dma_fence_timestamp(&fence->scheduled)));
	trace_job_done(engine->drm->dev, engine->index, job->emitted ? job->fence->base.seqno : 0,
		       job->client_id, ns, fence->finished.error);
}

static void pddgpu_engine_free_job(struct drm_sched_job *base)
{
	struct pddgpu_job *job = to_pddgpu_job(base);
	struct pddgpu_engine *engine = job->engine;

	spin_lock(&engine->lock);
	list_del_init(&job->link);
	spin_unlock(&engine->lock);
	if (trace_job_done_enabled())
		pddgpu_engine_trace_done(engine, job);
	pddgpu_job_forget(base->s_fence, &engine->timeline);
	pddgpu_job_free(job);
	if (atomic_dec_and_test(&engine->alive))
		wake_up_var(&engine->alive);
}

/**
 * pddgpu_engine_hold() - a job is about to be handed over
 * @engine: its engine, which stays until the job is freed
 */
void pddgpu_engine_hold(struct pddgpu_engine *engine)
{
	atomic_inc(&engine->alive);
}

/**
 * pddgpu_engine_write_ring() - give the engine its ring, empty
 * @engine: the engine, stopped
 */
void pddgpu_engine_write_ring(struct pddgpu_engine *engine)
{
	u64 addr = engine->chip->vram_start + engine->ring.offset;

	engine->ring.wptr = 0;
	/* Whatever was cached is gone, but it costs little to be sure */
	engine->flushed = U64_MAX;
	pddgpu_hw_write(engine->hw, PDDGPU_CP_RING_BASE(engine->index), addr >> PAGE_SHIFT);
	pddgpu_hw_write(engine->hw, PDDGPU_CP_RING_SIZE(engine->index),
			PDDGPU_ENGINE_RING_SIZE);
	pddgpu_hw_write(engine->hw, PDDGPU_CP_RING_WPTR(engine->index), 0);
	pddgpu_hw_write(engine->hw, PDDGPU_CP_RING_CTRL(engine->index),
			PDDGPU_CP_RING_ENABLE);
}

static const struct drm_sched_backend_ops pddgpu_engine_sched_ops = {
	.run_job = pddgpu_engine_run_job,
	.timedout_job = pddgpu_engine_timedout_job,
	.free_job = pddgpu_engine_free_job,
};

/**
 * pddgpu_engine_fault() - the engine has stopped at a fault
 * @engine: the engine
 * @status: the chip's FAULT_STATUS
 * @addr: the failing address
 *
 * Interrupt context. What is to be done about it is done by the scheduler's
 * timeout work, now.
 */
void pddgpu_engine_fault(struct pddgpu_engine *engine, u32 status, u64 addr)
{
	/* It may have been reset since, by who had no patience with it */
	if (!pddgpu_hw_look(engine->hw) ||
	    !(pddgpu_hw_read(engine->hw, PDDGPU_STATUS) &
	      PDDGPU_STATUS_ENGINE_HALTED(engine->index)))
		return;
	engine->fault_addr = addr;
	WRITE_ONCE(engine->fault_status, status);
	drm_sched_fault(&engine->sched);
}

/**
 * pddgpu_engine_sched() - the engine's scheduler
 * @engine: the engine
 *
 * Return: for entities.
 */
struct drm_gpu_scheduler *pddgpu_engine_sched(struct pddgpu_engine *engine)
{
	return &engine->sched;
}

/**
 * pddgpu_engine_lost() - does the CPU do the engine's work?
 * @engine: the engine
 *
 * Return: true when it does, from now on.
 */
bool pddgpu_engine_lost(struct pddgpu_engine *engine)
{
	return READ_ONCE(engine->lost);
}

/**
 * pddgpu_engine_losses() - how often has VRAM been lost?
 * @engine: the engine
 *
 * Return: the number; one that has changed tells that it has been since.
 */
u32 pddgpu_engine_losses(struct pddgpu_engine *engine)
{
	return READ_ONCE(engine->losses);
}

/**
 * pddgpu_engine_resets() - how often has the engine been reset alone, and well?
 * @engine: the engine
 *
 * Return: the number.
 */
u64 pddgpu_engine_resets(struct pddgpu_engine *engine)
{
	return atomic64_read(&engine->resets);
}

/**
 * pddgpu_engine_start() - give the engine its ring
 * @engine: the engine, after a reset of the chip; its scheduler is stopped
 *
 * Its number is that of the last fence that has signalled, whatever VRAM holds.
 * The chip takes it over with the next control doorbell: a TLB flush will do.
 */
void pddgpu_engine_start(struct pddgpu_engine *engine)
{
	writeq(pddgpu_timeline_signalled(&engine->timeline),
	       pddgpu_hw_vram(engine->hw) + engine->slot_offset);
	pddgpu_engine_write_ring(engine);
}

/*
 * Free the jobs that are over, which the scheduler would forget, and wait for
 * those that were killed: each is freed by a work item of its own.
 */
static void pddgpu_engine_free_jobs(struct pddgpu_engine *engine)
{
	struct drm_sched_job *job, *next;

	cancel_delayed_work_sync(&engine->sched.work_tdr);
	drm_sched_wqueue_stop(&engine->sched);
	list_for_each_entry_safe(job, next, &engine->sched.pending_list, list) {
		list_del_init(&job->list);
		pddgpu_engine_free_job(job);
	}
	wait_var_event(&engine->alive, !atomic_read(&engine->alive));
}

static void pddgpu_engine_fini(struct drm_device *drm, void *arg)
{
	struct pddgpu_engine *engine = arg;

	timer_shutdown_sync(&engine->timer);
	pddgpu_coredump_stop(engine->coredump);
	pddgpu_timeline_fail(&engine->timeline, -ENODEV);
	pddgpu_engine_free_jobs(engine);
	pddgpu_timeline_fini(&engine->timeline);
	drm_sched_fini(&engine->sched);
	mutex_destroy(&engine->abandon_lock);
	mutex_destroy(&engine->stop_lock);
}

/**
 * pddgpu_engine_init() - make an engine
 * @drm: the DRM device, which frees it
 * @hw: the card
 * @chip: the chip
 * @gart: the page tables that it translates with
 * @index: its number
 * @vram_offset: PDDGPU_ENGINE_VRAM_SIZE bytes of visible VRAM, page aligned
 * @recovery: for when it has stopped; outlives it
 *
 * Return: the engine, stopped; or an error pointer.
 */
struct pddgpu_engine *pddgpu_engine_init(struct drm_device *drm, struct pddgpu_hw *hw,
					 const struct pddgpu_chip *chip,
					 struct pddgpu_gart *gart, u32 index,
					 u64 vram_offset,
					 const struct pddgpu_recovery *recovery)
{
	struct pddgpu_engine *engine;
	int ret;

	engine = drmm_kzalloc(drm, sizeof(*engine), GFP_KERNEL);
	if (!engine)
		return ERR_PTR(-ENOMEM);
	engine->drm = drm;
	engine->hw = hw;
	engine->ring.hw = hw;
	engine->chip = chip;
	engine->gart = gart;
	engine->index = index;
	engine->recovery = recovery;
	engine->timeout = msecs_to_jiffies(max(job_timeout_ms, 1u));
	engine->ring.offset = vram_offset;
	engine->slot_offset = vram_offset + PDDGPU_ENGINE_RING_SIZE;
	snprintf(engine->name, sizeof(engine->name), "engine %u", index);
	spin_lock_init(&engine->lock);
	mutex_init(&engine->abandon_lock);
	mutex_init(&engine->stop_lock);
	INIT_LIST_HEAD(&engine->jobs);
	pddgpu_timeline_init(&engine->timeline, index, engine->name);
	timer_setup(&engine->timer, pddgpu_engine_poll, 0);

	engine->bounce = drmm_kmalloc(drm, PAGE_SIZE, GFP_KERNEL);
	if (!engine->bounce)
		return ERR_PTR(-ENOMEM);
	ret = pddgpu_job_init_past();
	if (ret)
		return ERR_PTR(ret);
	engine->coredump = pddgpu_coredump_init(drm, hw, chip, gart);
	if (IS_ERR(engine->coredump))
		return ERR_CAST(engine->coredump);
	ret = pddgpu_sched_init(&engine->sched, &pddgpu_engine_sched_ops,
				PDDGPU_ENGINE_CREDITS, engine->timeout,
				recovery->wq, engine->name, drm->dev);
	if (ret)
		return ERR_PTR(ret);
	ret = drmm_add_action_or_reset(drm, pddgpu_engine_fini, engine);
	if (ret)
		return ERR_PTR(ret);
	return engine;
}
