// SPDX-License-Identifier: GPL-2.0
/*
 * The card is gone, or is about to go: the engine's jobs end all the same, since
 * somebody waits for each. Users' jobs have failed. Of a move the CPU does what it
 * still can, so that what is in system pages afterwards is what the buffer held or
 * zeros, and never what another has left there.
 */
#include <linux/timer.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "pddgpu_coredump.h"
#include "pddgpu_engine_internal.h"
#include "pddgpu_job.h"

/**
 * pddgpu_engine_finish_job() - a job that no engine will do
 * @engine: the engine, abandoned or about to be
 * @job: the job
 *
 * Where the engine's jobs are run, or while that is stopped.
 *
 * Return: 0 when the CPU has done it, else -ENODEV.
 */
int pddgpu_engine_finish_job(struct pddgpu_engine *engine, struct pddgpu_job *job)
{
	if (!job->must_run || pddgpu_job_run_by_cpu(job, engine->hw, engine->chip,
						    engine->gart, engine->bounce))
		return -ENODEV;
	return 0;
}

/**
 * pddgpu_engine_forsake() - no more recovery
 * @engine: the engine; it never starts again
 *
 * Waits for one that is under way. May be called again. Sleeps.
 */
void pddgpu_engine_forsake(struct pddgpu_engine *engine)
{
	disable_delayed_work_sync(&engine->sched.work_tdr);
}

/**
 * pddgpu_engine_abandon() - run no more jobs, and let nobody wait for those there are
 * @engine: the engine, forsaken, since recovery stops and starts the scheduler too.
 *	The card is gone; or it has been reset, so that the engine has stopped, after
 *	drm_dev_unplug(), and no interrupt comes any more
 *
 * Jobs in the ring, and all that follow, fail with -ENODEV, but for moves that the
 * CPU could do. The page tables' bindings and the registers' mapping stay until
 * pddgpu_engine_drain(). May be called again, and concurrently. Fences wait for
 * this: it allocates nothing. Sleeps.
 */
void pddgpu_engine_abandon(struct pddgpu_engine *engine)
{
	struct pddgpu_job *job;
	int ret;

	mutex_lock(&engine->abandon_lock);
	if (engine->abandoned)
		goto out_unlock;
	pddgpu_engine_stop_sched(engine);
	list_for_each_entry(job, &engine->jobs, link) {
		if (dma_fence_is_signaled(&job->fence->base) ||
		    (job->fence->base.error && !job->must_run))
			continue;
		ret = pddgpu_engine_finish_job(engine, job);
		if (ret)
			dma_fence_set_error(&job->fence->base, ret);
	}
	WRITE_ONCE(engine->abandoned, true);
	pddgpu_timeline_fail(&engine->timeline, 0);
	pddgpu_engine_start_sched(engine);
out_unlock:
	mutex_unlock(&engine->abandon_lock);
}

/**
 * pddgpu_engine_stop() - the card is gone, or is about to
 * @engine: the engine, forsaken; the chip no longer runs it, and drm_dev_unplug() is
 *	over
 *
 * Whoever waits for one of its fences gets -ENODEV. It may be asleep: what is
 * queued gets the same. Sleeps.
 */
void pddgpu_engine_stop(struct pddgpu_engine *engine)
{
	timer_delete_sync(&engine->timer);
	pddgpu_engine_abandon(engine);
	pddgpu_engine_wake(engine);
	/* It waits for memory, and so perhaps for the fences that have just ended */
	pddgpu_coredump_stop(engine->coredump);
}

/**
 * pddgpu_engine_drain() - wait until all jobs are over
 * @engine: the paging engine, abandoned, after drm_dev_unplug(): none comes any more,
 *	and none waits for anybody but this card's engines
 *
 * Sleeps.
 */
void pddgpu_engine_drain(struct pddgpu_engine *engine)
{
	wait_var_event(&engine->alive, !atomic_read(&engine->alive));
}
