// SPDX-License-Identifier: GPL-2.0
/*
 * Stopping an engine where nothing is amiss, and letting it go on.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>

#include "pddgpu_engine_internal.h"

static bool pddgpu_engine_is_empty(struct pddgpu_engine *engine)
{
	unsigned long flags;
	bool empty;

	spin_lock_irqsave(&engine->timeline.lock, flags);
	empty = list_empty(&engine->timeline.pending);
	spin_unlock_irqrestore(&engine->timeline.lock, flags);
	return empty;
}

/**
 * pddgpu_engine_stop_sched() - run no jobs
 * @engine: the engine
 *
 * Until as many pddgpu_engine_start_sched() have been called: recovery of either
 * engine, sleep and the card's end each have their own. Waits for one that is being
 * put into the ring. Sleeps.
 */
void pddgpu_engine_stop_sched(struct pddgpu_engine *engine)
{
	mutex_lock(&engine->stop_lock);
	engine->stops++;
	drm_sched_wqueue_stop(&engine->sched);
	mutex_unlock(&engine->stop_lock);
}

/**
 * pddgpu_engine_start_sched() - undo one pddgpu_engine_stop_sched()
 * @engine: the engine
 */
void pddgpu_engine_start_sched(struct pddgpu_engine *engine)
{
	mutex_lock(&engine->stop_lock);
	if (!--engine->stops)
		drm_sched_wqueue_start(&engine->sched);
	mutex_unlock(&engine->stop_lock);
}

/**
 * pddgpu_engine_sleep() - begin no more jobs, once those begun are over
 * @engine: the engine; its interrupts come, and nobody makes jobs for it any more
 * @deadline: jiffies until which they have time
 *
 * One that hangs is dealt with as ever meanwhile. Jobs that wait for somebody
 * else's fence have not begun; they do so after pddgpu_engine_wake(). May sleep.
 *
 * Return: 0, or -EBUSY, and then the engine goes on.
 */
int pddgpu_engine_sleep(struct pddgpu_engine *engine, unsigned long deadline)
{
	for (;;) {
		while (!pddgpu_engine_is_empty(engine)) {
			if (time_after(jiffies, deadline))
				return -EBUSY;
			usleep_range(200, 1000);
		}
		pddgpu_engine_stop_sched(engine);
		/* None is taken for hung from here on */
		cancel_delayed_work_sync(&engine->sched.work_tdr);
		if (pddgpu_engine_is_empty(engine))
			break;
		/* One that the scheduler was just handing over */
		pddgpu_engine_start_sched(engine);
	}
	engine->asleep = true;
	timer_delete_sync(&engine->timer);
	return 0;
}

/**
 * pddgpu_engine_wake() - undo pddgpu_engine_sleep()
 * @engine: the engine, its ring empty; nothing happens when it is awake
 */
void pddgpu_engine_wake(struct pddgpu_engine *engine)
{
	if (!engine->asleep)
		return;
	engine->asleep = false;
	pddgpu_engine_start_sched(engine);
}
