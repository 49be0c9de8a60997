// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the leak tracker: the objects past an age, one by one. Records are
 * copied in batches under the tracker's lock and looked at without it; a mark in
 * the list keeps the reader's place meanwhile.
 */
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/time64.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>

#include "pddgpu_leak_internal.h"

/**
 * struct pddgpu_leak_iter - a reader's place among the objects past an age
 */
struct pddgpu_leak_iter {
	/** @tracker: the tracker, kept alive by a reference to its device */
	struct pddgpu_leak_tracker *tracker;
	/** @mark: the place, listed unless @done; under the tracker's lock */
	struct pddgpu_leak_node mark;
	/** @done: there is nothing behind the records */
	bool done;
	/** @start: when the reading began; what is younger is not shown */
	u64 start;
	/** @nr: records copied */
	unsigned int nr;
	/** @pos: records handed out */
	unsigned int pos;
	/** @records: the batch */
	struct pddgpu_leak_record records[PDDGPU_LEAK_READ_BATCH];
};

/**
 * pddgpu_leak_iter_create() - prepare to read the objects past the suspicious age
 * @tracker: the tracker
 *
 * The reader keeps the device from being released. It is at its end until
 * pddgpu_leak_iter_rewind().
 *
 * Return: a reader for one thread at a time, or NULL when there is no memory.
 */
struct pddgpu_leak_iter *pddgpu_leak_iter_create(struct pddgpu_leak_tracker *tracker)
{
	struct pddgpu_leak_iter *iter = kzalloc(sizeof(*iter), GFP_KERNEL);

	if (!iter)
		return NULL;

	drm_dev_get(tracker->drm);
	iter->tracker = tracker;
	iter->mark.is.mark = true;
	INIT_LIST_HEAD(&iter->mark.link);
	iter->done = true;
	return iter;
}

/**
 * pddgpu_leak_iter_destroy() - end reading
 * @iter: the reader, or NULL
 */
void pddgpu_leak_iter_destroy(struct pddgpu_leak_iter *iter)
{
	struct drm_device *drm;

	if (!iter)
		return;

	drm = iter->tracker->drm;
	spin_lock(&iter->tracker->lock);
	pddgpu_leak_mark_remove(iter->tracker, &iter->mark);
	spin_unlock(&iter->tracker->lock);
	kfree(iter);
	drm_dev_put(drm);
}

/**
 * pddgpu_leak_iter_rewind() - begin with the oldest object
 * @iter: the reader
 *
 * Classifies everything by its age now, monitor or no monitor.
 *
 * Context: may sleep.
 */
void pddgpu_leak_iter_rewind(struct pddgpu_leak_iter *iter)
{
	struct pddgpu_leak_tracker *tracker = iter->tracker;
	struct pddgpu_leak_cohort *oldest;

	pddgpu_leak_check(tracker, NULL);

	spin_lock(&tracker->lock);
	oldest = list_first_entry(&tracker->cohorts, struct pddgpu_leak_cohort, link);
	iter->start = tracker->checked;
	pddgpu_leak_mark_move(tracker, &iter->mark, oldest, &oldest->nodes);
	spin_unlock(&tracker->lock);

	iter->done = false;
	iter->nr = 0;
	iter->pos = 0;
}

static void iter_fetch(struct pddgpu_leak_iter *iter)
{
	struct pddgpu_leak_tracker *tracker = iter->tracker;
	struct list_head *at = &iter->mark.link;	/* the last that was looked at */
	unsigned int budget = PDDGPU_LEAK_AGE_BATCH;
	struct pddgpu_leak_cohort *cohort;

	iter->nr = 0;
	iter->pos = 0;

	spin_lock(&tracker->lock);
	cohort = iter->mark.cohort;
	while (iter->nr < ARRAY_SIZE(iter->records) && budget--) {
		struct pddgpu_leak_node *node;
		enum pddgpu_leak_class class;

		/* What is forgiven goes by cohorts */
		if (at->next == &cohort->nodes || cohort->last <= tracker->baseline) {
			iter->done = cohort == tracker->youngest;
			if (iter->done)
				break;
			cohort = list_next_entry(cohort, link);
			at = &cohort->nodes;
			continue;
		}
		at = at->next;
		node = list_entry(at, struct pddgpu_leak_node, link);
		if (node->is.mark)
			continue;
		class = pddgpu_leak_class_of(tracker, node->birth);
		iter->done = class == PDDGPU_LEAK_YOUNG || node->birth > iter->start;
		if (iter->done)
			break;
		if (node->birth > tracker->baseline)
			pddgpu_leak_record_fill(&iter->records[iter->nr++], tracker, node,
						iter->start);
	}
	if (iter->done)
		pddgpu_leak_mark_remove(tracker, &iter->mark);
	else
		pddgpu_leak_mark_move(tracker, &iter->mark, cohort, at);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_iter_next() - the next object past the suspicious age
 * @iter: the reader
 *
 * Objects come from the oldest to the youngest, each at most once. One that
 * goes while the reading lasts may be missing; one that comes is. What is from
 * before the baseline is passed by.
 *
 * Context: may sleep.
 * Return: a record, good until the next call, or NULL at the end.
 */
const struct pddgpu_leak_record *pddgpu_leak_iter_next(struct pddgpu_leak_iter *iter)
{
	while (iter->pos == iter->nr && !iter->done) {
		iter_fetch(iter);
		cond_resched();
	}
	if (iter->pos == iter->nr)
		return NULL;
	return &iter->records[iter->pos++];
}
