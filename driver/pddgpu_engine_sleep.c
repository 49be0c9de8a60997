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

/*
 * No more jobs get into the ring, and none is taken for hung. The timeout's work
 * lets the scheduler go on when it is over, so that is stopped behind it again.
 */
static void pddgpu_engine_stop_sched(struct pddgpu_engine *engine)
{
	drm_sched_wqueue_stop(&engine->sched);
	cancel_delayed_work_sync(&engine->sched.work_tdr);
	drm_sched_wqueue_stop(&engine->sched);
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
		if (pddgpu_engine_is_empty(engine))
			break;
		/* One that the scheduler was just handing over */
		drm_sched_wqueue_start(&engine->sched);
	}
	timer_delete_sync(&engine->timer);
	return 0;
}

/**
 * pddgpu_engine_asleep() - does it begin no jobs?
 * @engine: the engine
 *
 * A reset of the chip, for the other engine's sake, lets both go on.
 *
 * Return: false after pddgpu_engine_wake(), or such a reset.
 */
bool pddgpu_engine_asleep(struct pddgpu_engine *engine)
{
	return READ_ONCE(engine->sched.pause_submit);
}

/**
 * pddgpu_engine_wake() - undo pddgpu_engine_sleep()
 * @engine: the engine, its ring empty
 */
void pddgpu_engine_wake(struct pddgpu_engine *engine)
{
	drm_sched_wqueue_start(&engine->sched);
}
