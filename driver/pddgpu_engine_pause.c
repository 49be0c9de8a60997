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
 * pddgpu_engine_pause() - begin no more jobs, once those begun are over
 * @engine: the engine; its interrupts come, and nobody makes jobs for it any more
 * @deadline: jiffies until which they have time
 *
 * One that hangs is dealt with as ever meanwhile. Jobs that wait for somebody
 * else's fence have not begun; they do so after pddgpu_engine_unpause(). May sleep.
 *
 * Return: 0, or -EBUSY, and then the engine goes on.
 */
int pddgpu_engine_pause(struct pddgpu_engine *engine, unsigned long deadline)
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
 * pddgpu_engine_unpause() - undo pddgpu_engine_pause()
 * @engine: the engine, its ring empty
 */
void pddgpu_engine_unpause(struct pddgpu_engine *engine)
{
	drm_sched_wqueue_start(&engine->sched);
}
