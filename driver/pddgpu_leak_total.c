// SPDX-License-Identifier: GPL-2.0
/* What a process has altogether, for who traces that */
#include <linux/spinlock.h>

#include "pddgpu_leak_internal.h"

/**
 * struct pddgpu_leak_of_process - what one process has, so far
 */
struct pddgpu_leak_of_process {
	/** @pid: the process */
	pid_t pid;
	/** @bytes: of its objects */
	u64 bytes;
};

static void process_look(const struct pddgpu_leak_owner *owner, void *data)
{
	struct pddgpu_leak_of_process *process = data;

	if (owner->pid == process->pid)
		process->bytes += pddgpu_leak_total(&owner->has).bytes;
}

/**
 * pddgpu_leak_totals() - what a process has allocated and still exists, and all
 * @tracker: the tracker
 * @pid: the process, in the initial namespace
 * @all: out: bytes of all objects, whoever allocated them
 *
 * A process may have several files open, or have had: see pddgpu_leak_walk_owners().
 *
 * Context: may sleep.
 * Return: bytes.
 */
u64 pddgpu_leak_totals(struct pddgpu_leak_tracker *tracker, pid_t pid, u64 *all)
{
	struct pddgpu_leak_of_process process = { .pid = pid };

	pddgpu_leak_walk_owners(tracker, process_look, &process);
	spin_lock(&tracker->lock);
	*all = pddgpu_leak_total(&tracker->has).bytes;
	spin_unlock(&tracker->lock);
	return process.bytes;
}
