// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the leak tracker: all objects, in order of birth, which is what they are
 * named by. So a reader that comes back goes on behind a name, and each object that
 * is there the whole time is told of once, whatever else comes and goes.
 *
 * Whole cohorts of what is too old are passed by.
 */
#include <linux/list.h>
#include <linux/jump_label.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_leak_internal.h"

DEFINE_STATIC_KEY_TRUE(pddgpu_leak_evidence_key);
static bool evidence = true;

static int evidence_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_bool(val, kp);

	if (ret)
		return ret;
	if (evidence)
		static_branch_enable(&pddgpu_leak_evidence_key);
	else
		static_branch_disable(&pddgpu_leak_evidence_key);
	return 0;
}

static const struct kernel_param_ops evidence_ops = {
	.set = evidence_set,
	.get = param_get_bool,
};
module_param_cb(evidence, &evidence_ops, &evidence, 0644);
MODULE_PARM_DESC(evidence, "Note when each buffer was used last, for who looks for leaks (default: true)");

static_assert((int)PDDGPU_LEAK_LIVE == PDDGPU_OBJECT_LIVE);
static_assert((int)PDDGPU_LEAK_ORPHAN == PDDGPU_OBJECT_ORPHAN);
static_assert((int)PDDGPU_LEAK_ZOMBIE == PDDGPU_OBJECT_ZOMBIE);
static_assert((int)PDDGPU_LEAK_YOUNG == PDDGPU_OBJECT_YOUNG);
static_assert((int)PDDGPU_LEAK_SUSPICIOUS == PDDGPU_OBJECT_SUSPICIOUS);
static_assert((int)PDDGPU_LEAK_CONFIRMED == PDDGPU_OBJECT_CONFIRMED);
static_assert(sizeof_field(struct drm_pddgpu_object, comm) == TASK_COMM_LEN);
static_assert(sizeof_field(struct drm_pddgpu_object, label) == PDDGPU_LEAK_LABEL);

/* By its age now; the checks' edges may be behind */
static enum pddgpu_leak_class list_class(const struct pddgpu_leak_tracker *tracker, u64 age)
{
	u64 suspicious = tracker->age_ms[PDDGPU_LEAK_SUSPICIOUS];
	u64 confirmed = max(suspicious, tracker->age_ms[PDDGPU_LEAK_CONFIRMED]);

	if (age < suspicious * NSEC_PER_MSEC)
		return PDDGPU_LEAK_YOUNG;
	return age < confirmed * NSEC_PER_MSEC ? PDDGPU_LEAK_SUSPICIOUS : PDDGPU_LEAK_CONFIRMED;
}

static void list_fill(const struct pddgpu_leak_tracker *tracker,
		      const struct pddgpu_leak_node *node, u64 now,
		      struct drm_pddgpu_object *object)
{
	const struct pddgpu_leak_owner *owner = node->owner;

	object->id = node->birth;
	object->size = node->size;
	object->client_id = owner->client_id;
	object->birth_ns = node->birth;
	object->pid = owner->pid;
	object->site = node->site;
	object->flags = node->flags;
	object->is = node->birth <= tracker->baseline ? PDDGPU_OBJECT_BASELINE : 0;
	object->domain = node->is.domain;
	object->state = pddgpu_leak_node_state(node);
	object->age_class = list_class(tracker, now > node->birth ? now - node->birth : 0);
	object->session = owner->session;
	memcpy(object->comm, owner->comm, sizeof(object->comm));
	pddgpu_leak_read_label(node, object->label);
}

static bool list_wants(const struct pddgpu_leak_listing *listing,
		       const struct pddgpu_leak_tracker *tracker,
		       const struct pddgpu_leak_node *node)
{
	if (node->is.mark || node->birth <= listing->after)
		return false;
	return listing->all ||
	       (node->owner != &tracker->nobody && uid_eq(node->owner->uid, listing->uid));
}

/* Some more of them; true when there is no room or nothing behind them */
static bool list_some(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_listing *listing,
		      struct pddgpu_leak_node *mark)
{
	u32 most = min(listing->room, listing->count + PDDGPU_LEAK_LIST_BATCH);
	unsigned int budget = PDDGPU_LEAK_AGE_BATCH;
	struct list_head *at = &mark->link;	/* the last that was looked at */
	struct pddgpu_leak_cohort *cohort;
	struct drm_pddgpu_object *object;
	struct pddgpu_leak_node *node;
	bool end = false;

	spin_lock(&tracker->lock);
	listing->now_ns = ktime_get_ns();
	cohort = mark->cohort;
	while (listing->count < most && budget--) {
		if (at->next == &cohort->nodes || cohort->last <= listing->after) {
			end = cohort == tracker->youngest;
			if (end)
				break;
			cohort = list_next_entry(cohort, link);
			at = &cohort->nodes;
			continue;
		}
		at = at->next;
		node = list_entry(at, struct pddgpu_leak_node, link);
		if (!list_wants(listing, tracker, node))
			continue;
		object = &listing->objects[listing->count++];
		list_fill(tracker, node, listing->now_ns, object);
		if (listing->look)
			listing->look(listing, node, object);
	}
	pddgpu_leak_mark_move(tracker, mark, cohort, at);
	spin_unlock(&tracker->lock);
	return end || listing->count == listing->room;
}

/**
 * pddgpu_leak_list() - what objects there are
 * @tracker: the tracker
 * @listing: what is asked for, and the answer
 *
 * Fewer than there is room for are all that there are; but for who is being killed.
 *
 * Context: may sleep.
 */
void pddgpu_leak_list(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_listing *listing)
{
	struct pddgpu_leak_node mark = { .is.mark = true };
	struct pddgpu_leak_cohort *oldest;
	bool done;

	INIT_LIST_HEAD(&mark.link);
	spin_lock(&tracker->lock);
	oldest = list_first_entry(&tracker->cohorts, struct pddgpu_leak_cohort, link);
	pddgpu_leak_mark_move(tracker, &mark, oldest, &oldest->nodes);
	spin_unlock(&tracker->lock);

	listing->count = 0;
	do {
		done = list_some(tracker, listing, &mark);
		if (listing->looked)
			listing->looked(listing);
		cond_resched();
	} while (!done && !fatal_signal_pending(current));

	spin_lock(&tracker->lock);
	pddgpu_leak_mark_remove(tracker, &mark);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_set_look() - somebody knows of objects' use
 * @tracker: the tracker, of which nothing is read yet
 * @look: tells of it
 */
void pddgpu_leak_set_look(struct pddgpu_leak_tracker *tracker, pddgpu_leak_look_fn look)
{
	tracker->look = look;
}

/**
 * pddgpu_leak_sites() - where objects are allocated
 * @tracker: the tracker
 *
 * Return: the sites, which end with the tracker.
 */
struct pddgpu_sites *pddgpu_leak_sites(struct pddgpu_leak_tracker *tracker)
{
	return tracker->sites;
}
