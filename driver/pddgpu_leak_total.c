// SPDX-License-Identifier: GPL-2.0
/* What a process has altogether, for who traces that */
#include <linux/sched.h>

#include "pddgpu_leak_internal.h"

/**
 * pddgpu_leak_totals() - what a process has allocated and still exists, and all
 * @tracker: the tracker
 * @pid: the process, in the initial namespace
 * @all: out: bytes of all objects, whoever allocated them
 *
 * A process may have several files open, or have had. Each owner is looked at once,
 * and not all at the same moment.
 *
 * Context: may sleep.
 * Return: bytes.
 */
u64 pddgpu_leak_totals(struct pddgpu_leak_tracker *tracker, pid_t pid, u64 *all)
{
	struct pddgpu_leak_owner mark = {};
	struct pddgpu_leak_owner *pos;
	unsigned int budget;
	bool done = false;
	u64 last, bytes = 0;

	spin_lock(&tracker->lock);
	/* Owners that come, or come back, stand behind this one */
	last = tracker->owner_seq;
	list_add(&mark.link, &tracker->owners);
	while (!done) {
		budget = PDDGPU_LEAK_READ_BATCH;
		pos = &mark;
		list_for_each_entry_continue(pos, &tracker->owners, link) {
			if (pos->seq > last || !budget--)
				break;
			if (pos->pid == pid)
				bytes += pddgpu_leak_total(&pos->has).bytes;
		}
		done = list_entry_is_head(pos, &tracker->owners, link) || pos->seq > last;
		list_move_tail(&mark.link, &pos->link);
		if (done)
			break;
		spin_unlock(&tracker->lock);
		cond_resched();
		spin_lock(&tracker->lock);
	}
	list_del(&mark.link);
	*all = pddgpu_leak_total(&tracker->has).bytes;
	spin_unlock(&tracker->lock);
	return bytes;
}
