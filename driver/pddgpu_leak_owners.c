// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the leak tracker: the owners, those that have exited too. Records are
 * copied some at a time; a mark in the list of owners, which has nothing and so is
 * nobody's line, keeps the reader's place while it is without the lock.
 */
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>

#include "pddgpu_leak_internal.h"

/**
 * struct pddgpu_leak_owner_iter - a reader's place among the owners
 */
struct pddgpu_leak_owner_iter {
	/** @tracker: the tracker, kept alive by a reference to its device */
	struct pddgpu_leak_tracker *tracker;
	/** @mark: the place; listed unless @done, under the tracker's lock */
	struct pddgpu_leak_owner mark;
	/** @done: there is nothing behind the records */
	bool done;
	/** @last: the youngest owner when the reading began: it ends there */
	u64 last;
	/** @nr: records copied */
	unsigned int nr;
	/** @pos: records handed out */
	unsigned int pos;
	/** @records: the batch */
	struct pddgpu_leak_owner_held records[PDDGPU_LEAK_READ_BATCH];
};

/**
 * pddgpu_leak_owner_iter_create() - prepare to read the owners
 * @tracker: the tracker
 *
 * The reader keeps the device from being released. It is at its end until
 * pddgpu_leak_owner_iter_rewind().
 *
 * Return: a reader for one thread at a time, or NULL when there is no memory.
 */
struct pddgpu_leak_owner_iter *pddgpu_leak_owner_iter_create(struct pddgpu_leak_tracker *tracker)
{
	struct pddgpu_leak_owner_iter *iter = kzalloc(sizeof(*iter), GFP_KERNEL);

	if (!iter)
		return NULL;

	drm_dev_get(tracker->drm);
	iter->tracker = tracker;
	INIT_LIST_HEAD(&iter->mark.link);
	iter->done = true;
	return iter;
}

/**
 * pddgpu_leak_owner_iter_destroy() - end reading
 * @iter: the reader, or NULL
 */
void pddgpu_leak_owner_iter_destroy(struct pddgpu_leak_owner_iter *iter)
{
	struct drm_device *drm;

	if (!iter)
		return;

	drm = iter->tracker->drm;
	spin_lock(&iter->tracker->lock);
	list_del(&iter->mark.link);
	spin_unlock(&iter->tracker->lock);
	kfree(iter);
	drm_dev_put(drm);
}

static void owner_copy(struct pddgpu_leak_owner_iter *iter,
		       const struct pddgpu_leak_owner *owner)
{
	struct pddgpu_leak_owner_held *record = &iter->records[iter->nr];

	if (!pddgpu_leak_objects(&owner->has))
		return;
	pddgpu_leak_held(&owner->has, &record->held);
	record->client_id = owner->client_id;
	record->pid = owner->pid;
	memcpy(record->comm, owner->comm, sizeof(record->comm));
	iter->nr++;
}

/**
 * pddgpu_leak_owner_iter_rewind() - begin with what is nobody's, then the oldest owner
 * @iter: the reader
 */
void pddgpu_leak_owner_iter_rewind(struct pddgpu_leak_owner_iter *iter)
{
	struct pddgpu_leak_tracker *tracker = iter->tracker;

	iter->nr = 0;
	iter->pos = 0;
	iter->done = false;

	spin_lock(&tracker->lock);
	iter->last = tracker->owner_seq;
	list_move(&iter->mark.link, &tracker->owners);
	owner_copy(iter, &tracker->nobody);
	spin_unlock(&tracker->lock);
}

static void owner_fetch(struct pddgpu_leak_owner_iter *iter)
{
	struct pddgpu_leak_tracker *tracker = iter->tracker;
	struct pddgpu_leak_owner *pos = &iter->mark;
	unsigned int budget = PDDGPU_LEAK_AGE_BATCH;

	iter->nr = 0;
	iter->pos = 0;

	spin_lock(&tracker->lock);
	iter->done = true;
	list_for_each_entry_continue(pos, &tracker->owners, link) {
		/* Owners that come stand behind this one */
		if (pos->seq > iter->last)
			break;
		if (iter->nr == ARRAY_SIZE(iter->records) || !budget--) {
			iter->done = false;
			break;
		}
		owner_copy(iter, pos);
	}
	if (iter->done)
		list_del_init(&iter->mark.link);
	else
		list_move_tail(&iter->mark.link, &pos->link);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_owner_iter_next() - the next owner that has something
 * @iter: the reader
 *
 * Each comes at most once, the numbers of each of one moment, but not all of the
 * same. One that comes while the reading lasts is not shown.
 *
 * Context: may sleep.
 * Return: a record, good until the next call, or NULL at the end.
 */
const struct pddgpu_leak_owner_held *
pddgpu_leak_owner_iter_next(struct pddgpu_leak_owner_iter *iter)
{
	while (iter->pos == iter->nr && !iter->done) {
		owner_fetch(iter);
		cond_resched();
	}
	if (iter->pos == iter->nr)
		return NULL;
	return &iter->records[iter->pos++];
}

/* Put an owner into a list of the largest so far, if it is one of them */
static unsigned int owner_rank(const struct pddgpu_leak_owner *owner,
			       struct pddgpu_leak_owner_record *out, unsigned int nr,
			       unsigned int max)
{
	const struct pddgpu_leak_count has = pddgpu_leak_total(&owner->has);
	unsigned int i = nr;

	if (!has.objects)
		return nr;
	while (i && out[i - 1].has.bytes < has.bytes)
		i--;
	if (i == max)
		return nr;

	if (nr < max)
		nr++;
	memmove(&out[i + 1], &out[i], (nr - i - 1) * sizeof(*out));
	out[i].has = has;
	out[i].client_id = owner->client_id;
	out[i].pid = owner->pid;
	memcpy(out[i].comm, owner->comm, sizeof(out[i].comm));
	return nr;
}

/**
 * pddgpu_leak_walk_owners() - look at every owner once
 * @tracker: the tracker
 * @fn: called with the tracker's lock held; does not sleep
 * @data: for @fn
 *
 * The lock is let go of every %PDDGPU_LEAK_READ_BATCH owners, so all are not seen
 * at one moment. Who comes, or comes back, meanwhile is left out.
 *
 * Context: may sleep.
 */
void pddgpu_leak_walk_owners(struct pddgpu_leak_tracker *tracker, pddgpu_leak_owner_fn fn,
			     void *data)
{
	struct pddgpu_leak_owner mark = {};
	struct pddgpu_leak_owner *pos;
	unsigned int budget;
	bool done = false;
	u64 last;

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
			fn(pos, data);
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
	spin_unlock(&tracker->lock);
}

/**
 * struct pddgpu_leak_largest - the owners that have most, so far
 */
struct pddgpu_leak_largest {
	/** @out: their records, the largest first */
	struct pddgpu_leak_owner_record *out;
	/** @nr: records in it */
	unsigned int nr;
	/** @max: records that have room */
	unsigned int max;
};

static void owner_look(const struct pddgpu_leak_owner *owner, void *data)
{
	struct pddgpu_leak_largest *largest = data;

	largest->nr = owner_rank(owner, largest->out, largest->nr, largest->max);
}

/**
 * pddgpu_leak_largest_owners() - who has most
 * @tracker: the tracker
 * @out: gets their records, the largest first
 * @max: how many there is room for; a few
 *
 * Each owner is looked at once, and not all at the same moment.
 *
 * Context: may sleep.
 * Return: the number of records.
 */
unsigned int pddgpu_leak_largest_owners(struct pddgpu_leak_tracker *tracker,
					struct pddgpu_leak_owner_record *out, unsigned int max)
{
	struct pddgpu_leak_largest largest = { .out = out, .max = max };

	pddgpu_leak_walk_owners(tracker, owner_look, &largest);
	return largest.nr;
}
