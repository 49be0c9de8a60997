// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the leak tracker: the totals, and what is known of a single object, its
 * label with it. Everything is a copy, made under the tracker's lock.
 */
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_leak_internal.h"

/**
 * pddgpu_leak_held() - part objects by region and state
 * @has: of the tracker, or of an owner
 * @held: out
 *
 * Objects become ZOMBIE without the lock: one that does so meanwhile is counted
 * as one or the other, and not twice.
 *
 * Context: the tracker's lock is held.
 */
void pddgpu_leak_held(const struct pddgpu_leak_counts *has, struct pddgpu_leak_held *held)
{
	int region;

	for (region = 0; region < PDDGPU_LEAK_REGIONS; region++) {
		const struct pddgpu_leak_count *orphans = &has->orphans[region];
		struct pddgpu_leak_count zombies = pddgpu_leak_zombies(&has->zombies[region]);
		struct pddgpu_leak_count *in = held->in[region];

		in[PDDGPU_LEAK_ORPHAN] = *orphans;
		in[PDDGPU_LEAK_ZOMBIE] = zombies;
		in[PDDGPU_LEAK_LIVE] = has->all[region];
		pddgpu_leak_count_sub(&in[PDDGPU_LEAK_LIVE], orphans->objects + zombies.objects,
				      orphans->bytes + zombies.bytes);
	}
}

/**
 * pddgpu_leak_total() - add objects up
 * @has: of the tracker, or of an owner
 *
 * Context: the tracker's lock is held.
 * Return: all of them.
 */
struct pddgpu_leak_count pddgpu_leak_total(const struct pddgpu_leak_counts *has)
{
	struct pddgpu_leak_count total = {};
	int region;

	for (region = 0; region < PDDGPU_LEAK_REGIONS; region++)
		pddgpu_leak_count_add(&total, has->all[region].objects, has->all[region].bytes);
	return total;
}

/**
 * pddgpu_leak_get_held() - what there is of each state in each region
 * @tracker: the tracker
 * @held: out: at one moment
 *
 * Walks nothing, and ages nothing.
 */
void pddgpu_leak_get_held(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_held *held)
{
	spin_lock(&tracker->lock);
	pddgpu_leak_held(&tracker->has, held);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_node_state() - what an object is
 * @node: its node, tracked
 *
 * Context: the tracker's lock is held.
 * Return: that.
 */
enum pddgpu_leak_state pddgpu_leak_node_state(const struct pddgpu_leak_node *node)
{
	if (atomic_read(&node->handles) & PDDGPU_LEAK_FREED)
		return PDDGPU_LEAK_ZOMBIE;
	return node->is.orphan ? PDDGPU_LEAK_ORPHAN : PDDGPU_LEAK_LIVE;
}

/**
 * pddgpu_leak_read_label() - copy an object's label
 * @node: its node
 * @label: out: %PDDGPU_LEAK_LABEL bytes
 *
 * Context: the tracker's lock is held.
 */
void pddgpu_leak_read_label(const struct pddgpu_leak_node *node, char *label)
{
	if (node->is.named)
		strscpy(label, container_of(node, struct pddgpu_leak_named, node)->label,
			PDDGPU_LEAK_LABEL);
	else
		label[0] = '\0';
}

/**
 * pddgpu_leak_record_fill() - copy what is known of an object
 * @record: out
 * @tracker: the tracker
 * @node: the object's node, tracked
 * @now: the time for which to tell its age
 *
 * Context: the tracker's lock is held.
 */
void pddgpu_leak_record_fill(struct pddgpu_leak_record *record,
			     const struct pddgpu_leak_tracker *tracker,
			     const struct pddgpu_leak_node *node, u64 now)
{
	const struct pddgpu_leak_owner *owner = node->owner;

	record->id = node->birth;
	record->now_ns = now;
	record->age_ms = now > node->birth ? div_u64(now - node->birth, NSEC_PER_MSEC) : 0;
	record->size = node->size;
	record->flags = node->flags;
	record->state = pddgpu_leak_node_state(node);
	record->class = pddgpu_leak_class_of(tracker, node->birth);
	record->site = node->site;
	record->domain = node->is.domain;
	record->foreign = node->is.foreign;
	record->owned = owner != &tracker->nobody;
	record->client_id = owner->client_id;
	record->pid = owner->pid;
	record->session = owner->session;
	record->uid = owner->uid;
	memcpy(record->comm, owner->comm, sizeof(record->comm));
	pddgpu_leak_read_label(node, record->label);
	record->evidence = (struct pddgpu_leak_evidence) {};
	if (tracker->look)
		tracker->look(node, record->state, &record->evidence);
	if (node->birth <= tracker->baseline)
		record->evidence.is |= PDDGPU_OBJECT_BASELINE;
}

/**
 * pddgpu_leak_read_named() - copy what is known of an object
 * @tracker: the tracker
 * @named: the object's node, which stays valid memory meanwhile
 * @record: out; of one that is not tracked it has the label alone, and 0 as size
 *
 * Context: any that may take a spinlock.
 */
void pddgpu_leak_read_named(struct pddgpu_leak_tracker *tracker,
			    const struct pddgpu_leak_named *named,
			    struct pddgpu_leak_record *record)
{
	memset(record, 0, sizeof(*record));
	spin_lock(&tracker->lock);
	if (named->node.birth)
		pddgpu_leak_record_fill(record, tracker, &named->node, ktime_get_ns());
	else
		pddgpu_leak_read_label(&named->node, record->label);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_read_owner() - who allocated an object?
 * @tracker: the tracker
 * @node: the object's node, which stays valid memory meanwhile
 * @pid: out: the process in the initial namespace
 * @comm: out: its name, TASK_COMM_LEN bytes
 *
 * Context: any that may take a spinlock.
 * Return: false when it is not tracked, or not known.
 */
bool pddgpu_leak_read_owner(struct pddgpu_leak_tracker *tracker,
			    const struct pddgpu_leak_node *node, pid_t *pid, char *comm)
{
	struct pddgpu_leak_holder holder;

	if (!pddgpu_leak_read_holder(tracker, node, &holder) || !holder.pid)
		return false;
	*pid = holder.pid;
	memcpy(comm, holder.comm, sizeof(holder.comm));
	return true;
}

/**
 * pddgpu_leak_read_holder() - whose is an object, and of what state?
 * @tracker: the tracker
 * @node: the object's node, which stays valid memory meanwhile
 * @holder: out
 *
 * Context: any that may take a spinlock.
 * Return: false when it is not tracked; then @holder is as it was.
 */
bool pddgpu_leak_read_holder(struct pddgpu_leak_tracker *tracker,
			     const struct pddgpu_leak_node *node,
			     struct pddgpu_leak_holder *holder)
{
	bool tracked;

	spin_lock(&tracker->lock);
	tracked = node->birth;
	if (tracked) {
		holder->client_id = node->owner->client_id;
		holder->pid = node->owner->pid;
		holder->state = pddgpu_leak_node_state(node);
		memcpy(holder->comm, node->owner->comm, sizeof(holder->comm));
	}
	spin_unlock(&tracker->lock);
	return tracked;
}

/**
 * pddgpu_leak_set_label() - give an object another label
 * @tracker: the tracker
 * @named: the object's node, tracked or not; somebody has a reference to the buffer
 * @label: a string shorter than PDDGPU_LEAK_LABEL; the node's from now on. NULL: none
 *
 * Of several at once the last to get the lock wins. A reader that has the lock sees
 * one label whole, and copies it.
 *
 * Return: the label that it had before, for kfree().
 */
char *pddgpu_leak_set_label(struct pddgpu_leak_tracker *tracker,
			    struct pddgpu_leak_named *named, char *label)
{
	char *old;

	spin_lock(&tracker->lock);
	old = named->label;
	named->label = label;
	named->node.is.named = !!label;
	spin_unlock(&tracker->lock);
	return old;
}
