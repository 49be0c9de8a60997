// SPDX-License-Identifier: GPL-2.0
/*
 * How objects come of age: cohorts, and the edges that part them by age.
 *
 * All objects stand in order of birth, 256 of them at a time in a cohort, which
 * knows their number and their size:
 *
 *   confirmed ... edge[CONFIRMED] suspicious ... edge[SUSPICIOUS] young ...
 *
 * A check moves the edges, over whole cohorts where they are old enough as a
 * whole, and over single objects in the one that an edge comes to lie in. When
 * an age is changed they may move back. What is past an edge is a number that
 * is kept as objects go, and the class of an object is not kept at all: it
 * follows from its birth.
 *
 * The youngest cohort is full when a new one begins. A cohort that has become
 * small joins its neighbour, if that is small too, so that a few objects that
 * stay do not keep many cohorts. One more than needed is kept in store, and when
 * there is none the youngest just grows: no allocation fails for want of a cohort.
 */
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/timekeeping.h>

#include "pddgpu_leak_internal.h"

static struct pddgpu_leak_node *node_at(struct list_head *link)
{
	return list_entry(link, struct pddgpu_leak_node, link);
}

/**
 * pddgpu_leak_cohorts_init() - make the first cohort
 * @tracker: the tracker
 *
 * Return: 0 or -ENOMEM. Ends by pddgpu_leak_cohorts_fini() either way.
 */
int pddgpu_leak_cohorts_init(struct pddgpu_leak_tracker *tracker)
{
	struct pddgpu_leak_cohort *cohort = kzalloc(sizeof(*cohort), GFP_KERNEL);
	int class;

	INIT_LIST_HEAD(&tracker->cohorts);
	INIT_LIST_HEAD(&tracker->spare);
	if (!cohort)
		return -ENOMEM;
	list_add(&cohort->link, &tracker->spare);
	tracker->spares = 1;

	spin_lock(&tracker->lock);
	pddgpu_leak_cohort_begin(tracker);
	for (class = PDDGPU_LEAK_CONFIRMED; class > PDDGPU_LEAK_YOUNG; class--) {
		struct pddgpu_leak_node *mark = &tracker->edge[class].mark;

		INIT_LIST_HEAD(&mark->link);
		mark->is.mark = true;
		pddgpu_leak_mark_move(tracker, mark, cohort, cohort->nodes.prev);
	}
	spin_unlock(&tracker->lock);
	tracker->age_ms[PDDGPU_LEAK_SUSPICIOUS] = PDDGPU_LEAK_SUSPICIOUS_AGE_MS;
	tracker->age_ms[PDDGPU_LEAK_CONFIRMED] = PDDGPU_LEAK_CONFIRMED_AGE_MS;
	return 0;
}

static void cohorts_free(struct list_head *list)
{
	struct pddgpu_leak_cohort *cohort, *next;

	list_for_each_entry_safe(cohort, next, list, link)
		kfree(cohort);
}

/**
 * pddgpu_leak_cohorts_fini() - free all cohorts
 * @tracker: the tracker; nothing is tracked any more
 */
void pddgpu_leak_cohorts_fini(struct pddgpu_leak_tracker *tracker)
{
	cohorts_free(&tracker->cohorts);
	cohorts_free(&tracker->spare);
}

/**
 * pddgpu_leak_cohorts_stock() - keep one spare cohort, no more and if possible no less
 * @tracker: the tracker
 *
 * Neither waits nor reclaims, since a buffer may be reserved: it can fail, and
 * the youngest cohort grows until it does not.
 *
 * Context: the tracker's lock is not held.
 */
void pddgpu_leak_cohorts_stock(struct pddgpu_leak_tracker *tracker)
{
	struct pddgpu_leak_cohort *cohort = NULL;
	LIST_HEAD(surplus);

	if (!READ_ONCE(tracker->spares)) {
		cohort = kzalloc(sizeof(*cohort), GFP_NOWAIT | __GFP_NOWARN);
		if (!cohort)
			return;
	}

	spin_lock(&tracker->lock);
	if (cohort) {
		list_add(&cohort->link, &tracker->spare);
		tracker->spares++;
	}
	while (tracker->spares > 1) {
		list_move(tracker->spare.next, &surplus);
		tracker->spares--;
	}
	spin_unlock(&tracker->lock);

	cohorts_free(&surplus);
}

/**
 * pddgpu_leak_cohort_begin() - begin a new cohort, if there is a spare one
 * @tracker: the tracker
 *
 * Context: the tracker's lock is held.
 */
void pddgpu_leak_cohort_begin(struct pddgpu_leak_tracker *tracker)
{
	struct pddgpu_leak_cohort *cohort;

	lockdep_assert_held(&tracker->lock);

	if (!tracker->spares)
		return;
	cohort = list_first_entry(&tracker->spare, struct pddgpu_leak_cohort, link);
	WRITE_ONCE(tracker->spares, tracker->spares - 1);
	INIT_LIST_HEAD(&cohort->nodes);
	cohort->first = tracker->born + 1;
	cohort->last = tracker->born + 1;
	cohort->bytes = 0;
	cohort->objects = 0;
	list_move_tail(&cohort->link, &tracker->cohorts);
	tracker->youngest = cohort;
}

/* Lay a cohort aside if nothing stands in it, no mark either */
static void cohort_release(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_cohort *cohort)
{
	if (cohort == tracker->youngest || !list_empty(&cohort->nodes))
		return;
	list_move(&cohort->link, &tracker->spare);
	WRITE_ONCE(tracker->spares, tracker->spares + 1);
}

static bool cohort_is_sparse(const struct pddgpu_leak_tracker *tracker,
			     const struct pddgpu_leak_cohort *cohort)
{
	return cohort != tracker->youngest && cohort->objects <= PDDGPU_LEAK_SPARSE;
}

/* Let a cohort take in the next one, with the marks that stand in it */
static void cohort_join(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_cohort *cohort)
{
	struct pddgpu_leak_cohort *next = list_next_entry(cohort, link);
	struct pddgpu_leak_node *pos;

	list_for_each_entry(pos, &next->nodes, link)
		pos->cohort = cohort;
	list_splice_tail_init(&next->nodes, &cohort->nodes);
	cohort->last = next->last;
	cohort->bytes += next->bytes;
	cohort->objects += next->objects;
	cohort_release(tracker, next);
}

/**
 * pddgpu_leak_cohort_shrunk() - see whether a cohort is too small to stay
 * @tracker: the tracker
 * @cohort: the cohort, not the youngest, with at most PDDGPU_LEAK_SPARSE objects
 *
 * To join takes a step for each object, at most PDDGPU_LEAK_SPARSE, and as many
 * have gone since it was full or has last joined.
 *
 * Context: the tracker's lock is held.
 */
void pddgpu_leak_cohort_shrunk(struct pddgpu_leak_tracker *tracker,
			       struct pddgpu_leak_cohort *cohort)
{
	struct pddgpu_leak_cohort *prev;

	lockdep_assert_held(&tracker->lock);

	if (list_empty(&cohort->nodes)) {
		cohort_release(tracker, cohort);
		return;
	}
	if (!list_is_first(&cohort->link, &tracker->cohorts)) {
		prev = list_prev_entry(cohort, link);
		if (cohort_is_sparse(tracker, prev)) {
			cohort_join(tracker, prev);
			cohort = prev;
		}
	}
	/* The youngest is the last, so there is a next one */
	if (cohort_is_sparse(tracker, cohort) &&
	    cohort_is_sparse(tracker, list_next_entry(cohort, link)))
		cohort_join(tracker, cohort);
}

/**
 * pddgpu_leak_mark_move() - put a mark to another place
 * @tracker: the tracker
 * @mark: the mark; its link is initialised
 * @cohort: the cohort it is to stand in
 * @after: what it is to stand behind: the link of a node, which may be its own,
 *         or the head of the cohort's list
 *
 * Context: the tracker's lock is held.
 */
void pddgpu_leak_mark_move(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *mark,
			   struct pddgpu_leak_cohort *cohort, struct list_head *after)
{
	struct pddgpu_leak_cohort *left = mark->cohort;

	lockdep_assert_held(&tracker->lock);

	if (after != &mark->link)
		list_move(&mark->link, after);
	mark->cohort = cohort;
	if (left && left != cohort)
		cohort_release(tracker, left);
}

/**
 * pddgpu_leak_mark_remove() - take a mark away
 * @tracker: the tracker
 * @mark: the mark; it may stand nowhere
 *
 * Context: the tracker's lock is held.
 */
void pddgpu_leak_mark_remove(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *mark)
{
	lockdep_assert_held(&tracker->lock);

	list_del_init(&mark->link);
	if (mark->cohort)
		cohort_release(tracker, mark->cohort);
	mark->cohort = NULL;
}

/*
 * The last time of birth that makes a node one of a class. Being confirmed takes
 * being suspicious too, so that the edges keep their order whatever the ages are.
 */
static u64 edge_target(const struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class)
{
	u64 ms = tracker->age_ms[PDDGPU_LEAK_SUSPICIOUS];

	if (class == PDDGPU_LEAK_CONFIRMED)
		ms = max(ms, tracker->age_ms[PDDGPU_LEAK_CONFIRMED]);
	return tracker->checked - min(tracker->checked, ms * NSEC_PER_MSEC);
}

/*
 * What is past an edge and not forgiven. All that is forgiven is older than all
 * that is not: so until the edge has come beyond the baseline it is past nothing
 * else, and afterwards past all of it.
 */
static struct pddgpu_leak_count edge_counts(const struct pddgpu_leak_tracker *tracker,
					    const struct pddgpu_leak_edge *edge)
{
	struct pddgpu_leak_count count = {};

	if (edge->limit > tracker->baseline) {
		count = edge->past;
		pddgpu_leak_count_sub(&count, tracker->forgiven.objects,
				      tracker->forgiven.bytes);
	}
	return count;
}

static void edge_pass(const struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_edge *edge,
		      u64 objects, u64 bytes, u64 limit)
{
	struct pddgpu_leak_count before = edge_counts(tracker, edge), after;

	pddgpu_leak_count_add(&edge->past, objects, bytes);
	edge->limit = limit;
	/* A cohort may be forgiven in part */
	after = edge_counts(tracker, edge);
	pddgpu_leak_count_add(&edge->entered, after.objects - before.objects,
			      after.bytes - before.bytes);
}

static void edge_unpass(struct pddgpu_leak_edge *edge, u64 objects, u64 bytes, u64 limit)
{
	pddgpu_leak_count_sub(&edge->past, objects, bytes);
	edge->limit = limit;
}

/* Move an edge over what has come of age; returns the budget left */
static unsigned int edge_advance(struct pddgpu_leak_tracker *tracker,
				 enum pddgpu_leak_class class, unsigned int budget)
{
	struct pddgpu_leak_edge *edge = &tracker->edge[class];
	struct pddgpu_leak_cohort *cohort = edge->mark.cohort;
	struct list_head *at = &edge->mark.link;	/* the last that is past */
	u64 target = edge_target(tracker, class);

	if (target <= edge->limit)
		return budget;
	while (at != &cohort->nodes && node_at(at)->is.mark)
		at = at->prev;

	while (budget) {
		if (at == &cohort->nodes && cohort->objects && cohort->last <= target) {
			edge_pass(tracker, edge, cohort->objects, cohort->bytes, cohort->last);
			budget--;
			/* Not one of its nodes is looked at: each is a cache line */
			if (cohort == tracker->youngest) {
				at = cohort->nodes.prev;
				break;
			}
			cohort = list_next_entry(cohort, link);
			at = &cohort->nodes;
		} else if (at->next == &cohort->nodes) {
			if (cohort == tracker->youngest)
				break;
			cohort = list_next_entry(cohort, link);
			at = &cohort->nodes;
		} else {
			struct pddgpu_leak_node *node = node_at(at->next);

			if (!node->is.mark) {
				if (node->birth > target)
					break;
				edge_pass(tracker, edge, 1, node->size, node->birth);
				budget--;
			}
			at = &node->link;
		}
	}
	if (budget)
		edge->limit = target;
	/* Who looked at the clock before that, but is born only now, is young too */
	tracker->born = max(tracker->born, edge->limit);
	pddgpu_leak_mark_move(tracker, &edge->mark, cohort, at);
	return budget;
}

/* Move an edge back over what is too young for it, since its age was raised */
static unsigned int edge_retreat(struct pddgpu_leak_tracker *tracker,
				 enum pddgpu_leak_class class, unsigned int budget)
{
	struct pddgpu_leak_edge *edge = &tracker->edge[class];
	struct pddgpu_leak_cohort *cohort = edge->mark.cohort;
	struct list_head *at = &edge->mark.link;	/* the first that is not past */
	u64 target = edge_target(tracker, class);

	if (target >= edge->limit)
		return budget;
	while (at != &cohort->nodes && node_at(at)->is.mark)
		at = at->next;

	while (budget) {
		if (at == &cohort->nodes && cohort->objects && cohort->first > target) {
			edge_unpass(edge, cohort->objects, cohort->bytes, cohort->first - 1);
			budget--;
			if (list_is_first(&cohort->link, &tracker->cohorts)) {
				at = cohort->nodes.next;
				break;
			}
			cohort = list_prev_entry(cohort, link);
			at = &cohort->nodes;
		} else if (at->prev == &cohort->nodes) {
			if (list_is_first(&cohort->link, &tracker->cohorts))
				break;
			cohort = list_prev_entry(cohort, link);
			at = &cohort->nodes;
		} else {
			struct pddgpu_leak_node *node = node_at(at->prev);

			if (!node->is.mark) {
				if (node->birth <= target)
					break;
				edge_unpass(edge, 1, node->size, node->birth - 1);
				budget--;
			}
			at = &node->link;
		}
	}
	if (budget)
		edge->limit = target;
	pddgpu_leak_mark_move(tracker, &edge->mark, cohort, at->prev);
	return budget;
}

static void check_states(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_summary *out)
{
	struct pddgpu_leak_held held;
	int region, state;

	pddgpu_leak_held(&tracker->has, &held);
	for (region = 0; region < PDDGPU_LEAK_REGIONS; region++) {
		for (state = 0; state < PDDGPU_LEAK_STATES; state++)
			pddgpu_leak_count_add(&out->state[state], held.in[region][state].objects,
					      held.in[region][state].bytes);
	}
}

static void check_summary(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_summary *out)
{
	struct pddgpu_leak_count suspicious, confirmed;
	int class;

	memset(out, 0, sizeof(*out));
	out->total = pddgpu_leak_total(&tracker->has);
	check_states(tracker, out);

	suspicious = edge_counts(tracker, &tracker->edge[PDDGPU_LEAK_SUSPICIOUS]);
	confirmed = edge_counts(tracker, &tracker->edge[PDDGPU_LEAK_CONFIRMED]);
	out->baseline = tracker->forgiven;
	out->class[PDDGPU_LEAK_YOUNG] = out->total;
	pddgpu_leak_count_sub(&out->class[PDDGPU_LEAK_YOUNG],
			      tracker->forgiven.objects + suspicious.objects,
			      tracker->forgiven.bytes + suspicious.bytes);
	out->class[PDDGPU_LEAK_SUSPICIOUS] = suspicious;
	pddgpu_leak_count_sub(&out->class[PDDGPU_LEAK_SUSPICIOUS], confirmed.objects,
			      confirmed.bytes);
	out->class[PDDGPU_LEAK_CONFIRMED] = confirmed;
	for (class = PDDGPU_LEAK_SUSPICIOUS; class < PDDGPU_LEAK_CLASSES; class++)
		out->entered[class] = tracker->edge[class].entered;
}

/**
 * pddgpu_leak_check() - classify everything by its age now
 * @tracker: the tracker
 * @out: gets the totals after it; may be NULL
 *
 * Costs as much as there are cohorts that change their class, and at most one
 * cohort's objects for each edge.
 *
 * Context: may sleep.
 */
void pddgpu_leak_check(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_summary *out)
{
	might_sleep();

	spin_lock(&tracker->lock);
	/*
	 * One moment for the whole check, or it might never end; the latest
	 * one, or two checks at once would undo each other's work.
	 */
	tracker->checked = max(tracker->checked, ktime_get_ns());
	for (;;) {
		unsigned int budget = PDDGPU_LEAK_AGE_BATCH;

		/* In this order the edges keep theirs, also when it ends half-way */
		budget = edge_retreat(tracker, PDDGPU_LEAK_CONFIRMED, budget);
		budget = edge_retreat(tracker, PDDGPU_LEAK_SUSPICIOUS, budget);
		budget = edge_advance(tracker, PDDGPU_LEAK_SUSPICIOUS, budget);
		budget = edge_advance(tracker, PDDGPU_LEAK_CONFIRMED, budget);
		if (budget)
			break;
		spin_unlock(&tracker->lock);
		cond_resched();
		spin_lock(&tracker->lock);
	}
	if (out)
		check_summary(tracker, out);
	spin_unlock(&tracker->lock);

	if (READ_ONCE(tracker->spares) > 1)
		pddgpu_leak_cohorts_stock(tracker);
}

/**
 * pddgpu_leak_set_baseline() - forgive all that exists
 * @tracker: the tracker
 *
 * What exists now is of no class from now on, however old it grows, and readers of
 * objects pass it by. It still counts in the totals, by state and by owner. What
 * has ever entered a class stays so.
 */
void pddgpu_leak_set_baseline(struct pddgpu_leak_tracker *tracker)
{
	spin_lock(&tracker->lock);
	tracker->baseline = tracker->born;
	tracker->forgiven = pddgpu_leak_total(&tracker->has);
	spin_unlock(&tracker->lock);
}

/**
 * pddgpu_leak_get_age() - the age at which a class begins
 * @tracker: the tracker
 * @class: PDDGPU_LEAK_SUSPICIOUS or PDDGPU_LEAK_CONFIRMED
 *
 * Return: milliseconds.
 */
u64 pddgpu_leak_get_age(struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class)
{
	u64 ms;

	spin_lock(&tracker->lock);
	ms = tracker->age_ms[class];
	spin_unlock(&tracker->lock);
	return ms;
}

/**
 * pddgpu_leak_set_age() - change the age at which a class begins
 * @tracker: the tracker
 * @class: PDDGPU_LEAK_SUSPICIOUS or PDDGPU_LEAK_CONFIRMED
 * @ms: PDDGPU_LEAK_AGE_MIN_MS to PDDGPU_LEAK_AGE_MAX_MS
 *
 * Everything tracked is classified anew. The two ages can be set in any order:
 * while the confirmed age is the smaller one, the suspicious age counts for both.
 *
 * Context: may sleep.
 * Return: 0, or -EINVAL for another class, -ERANGE for another age; these
 * change nothing.
 */
int pddgpu_leak_set_age(struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class,
			u64 ms)
{
	if (class != PDDGPU_LEAK_SUSPICIOUS && class != PDDGPU_LEAK_CONFIRMED)
		return -EINVAL;
	if (ms < PDDGPU_LEAK_AGE_MIN_MS || ms > PDDGPU_LEAK_AGE_MAX_MS)
		return -ERANGE;

	spin_lock(&tracker->lock);
	tracker->age_ms[class] = ms;
	spin_unlock(&tracker->lock);

	pddgpu_leak_check(tracker, NULL);
	return 0;
}
