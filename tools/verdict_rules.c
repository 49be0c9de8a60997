// SPDX-License-Identifier: MIT
/*
 * What follows from what was learnt. Six ways to be a leak:
 *
 * - an outlier: others of its place are freed, and it is unused for longer than any of them
 *   was before that, or before it was used again. How much longer depends: on how many have
 *   been seen, how wide their habits are spread, and how many such outliers there are that
 *   were left at different times. (Staleness is of Chilimbi and Hauswirth's SWAT, ASPLOS
 *   2004; that each place has its own limit, and that it is a probability, is ours.)
 * - growth: nothing of its place is freed, and unused ones become more and more, steadily
 *   and for longer than a program takes to warm up;
 * - passed over: a pool made another one of that size instead of giving it;
 * - dropped: a pool gave it all the time, and then, it alone, no longer, and that happens again
 *   and again;
 * - an orphan that nobody uses: no handle leads to it any more;
 * - a fence that does not signal.
 *
 * What is old and unused and none of these is a cache.
 */
#include <math.h>

#include "verdict_internal.h"

/* Nothing is stale before, on its group's clock */
#define STALE_NS (20 * SECOND)
/* Shorter habits are not told apart: looks are no closer */
#define HABIT_NS (3 * SECOND)
/* An orphan without a habit, and one that waits for a fence */
#define ORPHAN_NS (45 * SECOND)
#define STUCK_NS (45 * SECOND)
#define STUCK_TIMES 5
/* It may be a single long job; so it is for less if it happens again and again */
#define STUCK_ONCE_NS (90 * SECOND)
#define STUCK_TWICE_NS (60 * SECOND)
/* Looks in which something was freed, or used again, that make a habit */
#define HABIT_LOOKS 8
/* Nothing is unusual before we have looked for so long */
#define SPAN_NS (30 * SECOND)
/* The logarithm of how improbable it must be that outliers are none: one in 160,000 */
#define PROOF 12.0
#define OUTLIER_TIMES 1.2
/* The share of what more outliers say */
#define DEPENDENT 0.3
/* Below that slope gaps are so different that there must be more of them than there were */
#define WIDE 3.0
#define MORE 1.3
#define WIDE_SPAN_NS (180 * SECOND)
/* Unless that is how much it is beyond proof */
#define BEYOND 3
/* How far beyond it must be that excuses do not hold */
#define EXCUSED 2
/* What may well be several places proves less, unless that size is freed so often */
#define MIXED_TIMES 1.5
#define PURE_LOOKS 24
/* What falls idle at the same time is a phase of the program; so there must be several */
#define APART_NS (5 * SECOND)
#define CLUSTERS 3
#define CLUSTERS_MIXED 4
/* Or they have to be idle for that long, and so many at least */
#define ALONE_NS (240 * SECOND)
#define ALONE 3
/* At so many moments one of a pool must have been given no longer */
#define DROPS 9
#define DROPS_MIXED 10
/* What makes a pool: how often some of it are used again, and how many there are */
#define POOL_LOOKS 32
#define POOL_OBJECTS 3
/* How often one of a pool must have been used, so that it is strange that it no longer is */
#define POOL_USES 16
#define PASSED_NS (30 * SECOND)
#define PASSED 3
#define PASSED_APART_NS SECOND
/* So many may be a mistake, more are no pool */
#define NOT_GIVEN 1
/* What makes scenes: so many are freed at once, now and then; and when that is known */
#define SCENE 8
#define SCENES_KNOWN 24
/* What a program makes as it begins is seldom lost, and often kept and not used */
#define BEGIN_NS (5 * SECOND)
/* The same where that cannot be told from what comes later */
#define BEGIN_MIXED_NS (120 * SECOND)
/* How often something must have grown, for how long, and how much of it while we looked */
#define GROWTH_BIRTHS 6
#define GROWTH_SEEN 3
/* The same of one size, where others of the place are freed */
#define GROWTH_MANY 12
#define GROWTH_NS (120 * SECOND)
/*
 * Where nothing of it has been used again or freed, as by a server that warms up: for how long,
 * and how many in how many seconds, as a product. A few have to come for many minutes, four a
 * second for 50 s.
 */
#define GROWTH_UNKNOWN_NS (30 * SECOND)
#define GROWTH_UNKNOWN 10000
/* The same of who has done nothing else either: one in five seconds for 45 s */
#define GROWTH_ONLY 450
#define GROWTH_TIMES 3
/* What grows from the beginning of its owner on may be filling up, for so long */
#define WARM_UP_NS (180 * SECOND)
#define WARM_UP_GROWTH_NS (480 * SECOND)
/* A stretch of growth ends where nothing came for so many times the usual time */
#define GROWTH_BREAK 8
/* The same where others of the kind are used again very soon */
#define BRISK_LOOKS 20
#define BRISK_NS (5 * SECOND)
#define BRISK_GROWTH_NS (60 * SECOND)
/* Whoever was born and looked at for less than that is new */
#define NEW_NS (10 * SECOND)

static uint64_t at_least(uint64_t ns, uint64_t floor)
{
	return ns > floor ? ns : floor;
}

static uint64_t apart(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns;
}

static uint32_t events(const struct habit *habit)
{
	return habit->freed_looks + habit->reused_looks;
}

/*
 * The exponent with which long gaps become rare, as of a Pareto distribution (Hill's
 * estimate, from a histogram): 1 where there is no longest one to speak of, and much where
 * all gaps are alike.
 */
static double slope_of(const struct habit *habit)
{
	uint32_t all = 0, tail = 0;
	int bin;

	for (bin = 0; bin < HABIT_BINS; bin++)
		all += habit->gaps[bin];
	for (bin = HABIT_BINS - 1; bin >= 0; bin--) {
		tail += habit->gaps[bin];
		if (tail >= 4 && tail >= all / 8)
			break;
	}
	if (tail < 4)
		return 0.7;
	return fmin(4, fmax(0.7, log(tail) /
				 log(1.1 * (double)at_least(habit->longest_ns, SECOND / 4) /
				     (exp2(bin / 2.0) * SECOND / 4))));
}

/* What holds for others is worth a share of what holds for itself */
static void learn_from(struct kind *kind, const struct habit *habit, double share)
{
	double slope = slope_of(habit);

	kind->habit_ns = at_least(habit->longest_ns, HABIT_NS);
	kind->slope = share * slope;
	kind->wide = slope < WIDE;
}

static void clear(struct tally *tally)
{
	tally->objects = tally->outliers = 0;
	tally->evidence = tally->best = 0;
	tally->cluster_ns = 0;
	tally->clusters = 0;
}

static void prepare_group(struct group *group)
{
	const struct habit *habit = &group->place->habit;

	/* A label says what it is for; and where there are several sites, each is one */
	group->pure = group->owner->sites > 1 || group->shown.label[0];
	group->pooled = group->pure && habit->freed_looks >= HABIT_LOOKS;
	/* Whatever it may be, all of it lives shortly */
	if (!group->pure && habit->freed_looks >= 3 * HABIT_LOOKS)
		group->pooled = slope_of(habit) >= WIDE;
	group->growth = (struct growth) { 0 };
	clear(&group->tally);
}

static void prepare(struct kind *kind)
{
	const struct habit *own = &kind->size->habit, *all = &kind->group->place->habit;
	const struct place *alike = kind->group->alike;
	uint64_t longest;

	kind->pool = own->freed_looks < HABIT_LOOKS && own->reused_looks >= POOL_LOOKS &&
		     4 * own->reused_looks >= kind->tally.looks &&
		     kind->tally.mean >= POOL_OBJECTS;
	clear(&kind->tally);
	kind->passed = 0;
	kind->passed_ns = 0;
	kind->growth = (struct growth) { 0 };
	if (kind->group->pooled)
		learn_from(kind, all, 1);
	else if (kind->pool || own->freed_looks >= (kind->group->pure ? 1 : 3) * HABIT_LOOKS)
		learn_from(kind, own, 1);
	else if (alike && alike->habit.freed_looks >= 4 * HABIT_LOOKS)
		learn_from(kind, &alike->habit, 0.5);
	else
		kind->habit_ns = 0;
	/* A single one that was used again shows that it may be so */
	longest = events(own) >= HABIT_LOOKS ? own->longest_ns : all->longest_ns;
	kind->growth_ns = at_least(GROWTH_TIMES * longest, STALE_NS);
	kind->grown_ns = at_least(longest + longest / 2, STALE_NS);
}

/* Those of exactly this size are freed all the time, or all of its group are one place */
static bool is_pure(const struct seen *seen)
{
	const struct births *births;

	if (seen->kind->group->pure)
		return true;
	births = verdict_births(seen->kind, seen->size);
	return births && births->freed_looks >= PURE_LOOKS;
}

static bool forgiven(const struct seen *seen)
{
	return (seen->is & (PDDGPU_OBJECT_BASELINE | PDDGPU_OBJECT_KERNEL)) ||
	       seen->wait_ns || seen->state == PDDGPU_OBJECT_ZOMBIE;
}

/* Unused for longer than is usual */
static bool unusual(const struct seen *seen)
{
	const struct kind *kind = seen->kind;

	if (kind->pool && !kind->group->pooled && seen->uses < POOL_USES)
		return false;
	return kind->habit_ns && seen->idle_ns > STALE_NS &&
	       (double)seen->idle_ns > OUTLIER_TIMES * (double)kind->habit_ns;
}

/*
 * Many fall idle at once, as when a tab or a level is left. Not where they are freed one by one,
 * or about as often as they are used: then so many were forgotten.
 */
static bool has_scenes(const struct group *group)
{
	const struct habit *habit = &group->place->habit;

	return habit->freed_looks < SCENES_KNOWN ||
	       (habit->freed >= (uint64_t)SCENE * habit->freed_looks &&
		habit->freed_looks < habit->reused_looks / 4);
}

/* There may be a reason for it */
static bool excused(const struct seen *seen)
{
	const struct group *group = seen->kind->group;

	if (seen->together || (seen->crowded && has_scenes(group)))
		return true;
	return seen->birth_ns - group->owner->born_ns <
	       (is_pure(seen) ? BEGIN_NS : BEGIN_MIXED_NS);
}

/*
 * How improbable it is that one more is left for that long, as a logarithm. What was left
 * when we came is known to last: half of that counts.
 */
static double improbable(const struct seen *seen, const struct tally *tally)
{
	const struct kind *kind = seen->kind;
	double from = (double)kind->habit_ns, seen_from = (double)seen->first_idle_ns;

	if (seen_from > from)
		from = sqrt(from * seen_from);
	if ((double)seen->idle_ns <= from)
		return 0;
	return kind->slope * log((double)seen->idle_ns / from) +
	       0.5 * log1p(kind->group->place->habit.freed_looks / (1.0 + tally->objects));
}

static struct tally *tally_of(const struct seen *seen)
{
	return seen->kind->group->pooled ? &seen->kind->group->tally : &seen->kind->tally;
}

static void weigh(const struct seen *seen)
{
	struct tally *tally = tally_of(seen);
	double evidence;

	tally->outliers++;
	/* Those that were left at the same time are one */
	if (tally->cluster_ns && apart(seen->active_ns, tally->cluster_ns) < APART_NS)
		return;
	tally->cluster_ns = seen->active_ns;
	tally->clusters++;
	evidence = improbable(seen, tally);
	/* They have not come about independently of each other: a program has its phases */
	if (evidence > tally->best) {
		tally->evidence += (1 - DEPENDENT) * (evidence - tally->best);
		tally->best = evidence;
	}
	tally->evidence += DEPENDENT * evidence;
}

static void grow(const struct verdict *verdict, struct growth *growth, uint64_t birth_ns)
{
	uint64_t gap = birth_ns - growth->last_ns, mean;

	growth->objects++;
	if (growth->births && gap < SECOND / 2)
		return;
	if (growth->births > 2) {
		mean = (growth->last_ns - growth->first_ns) / (growth->births - 1);
		if (gap > GROWTH_BREAK * mean + 5 * SECOND)
			*growth = (struct growth) { .objects = 1 };
	}
	if (!growth->births)
		growth->first_ns = birth_ns;
	else if (gap > growth->spacing_ns)
		growth->spacing_ns = gap;
	growth->last_ns = birth_ns;
	growth->births++;
	if (birth_ns > verdict->first_ns)
		growth->seen++;
}

static bool is_brisk(const struct habit *habit)
{
	return habit->reused_looks >= BRISK_LOOKS && habit->longest_ns < BRISK_NS;
}

static bool grows(const struct verdict *verdict, const struct owner *owner,
		  const struct growth *growth, const struct habit *habit, uint64_t stale_ns)
{
	uint64_t span = growth->last_ns - growth->first_ns, least = GROWTH_NS, mean;
	bool brisk = is_brisk(habit) && growth->births >= BRISK_LOOKS;
	bool known = events(habit) >= HABIT_LOOKS;
	uint64_t enough = owner->event_looks < HABIT_LOOKS ? GROWTH_ONLY : GROWTH_UNKNOWN;

	if (growth->births < GROWTH_BIRTHS || growth->seen < GROWTH_SEEN)
		return false;
	if (!known && growth->objects * (span / SECOND) < enough)
		return false;
	if (!known)
		least = GROWTH_UNKNOWN_NS;
	else if (growth->first_ns - owner->born_ns < WARM_UP_NS)
		least = WARM_UP_GROWTH_NS;
	if (span < (brisk ? BRISK_GROWTH_NS : least) || growth->spacing_ns > span / 2)
		return false;
	mean = span / (growth->births - 1);
	/* The last ones are not stale yet, so it seems to have stopped that long ago */
	return verdict->now_ns - growth->last_ns < stale_ns + 3 * mean + 2 * SECOND;
}

/* As many were freed as there are; and not just once or twice */
static bool is_freed(const struct habit *habit, const struct tally *tally)
{
	return habit->freed_looks >= HABIT_LOOKS && habit->freed >= tally->objects;
}

static void judge_group(const struct verdict *verdict, struct group *group)
{
	const struct habit *all = &group->place->habit;
	uint64_t stale_ns = 0;
	struct kind *kind;

	for (kind = group->kinds; kind; kind = kind->next) {
		stale_ns = at_least(stale_ns, kind->growth_ns);
		if (kind->since_ns || is_freed(&kind->size->habit, &kind->tally))
			continue;
		if (group->pure && is_freed(all, &group->tally) &&
		    kind->growth.births < GROWTH_MANY)
			continue;
		if (grows(verdict, group->owner, &kind->growth, &kind->size->habit,
			  kind->growth_ns))
			kind->since_ns = kind->growth.first_ns;
	}
	if (!group->since_ns && (group->pure || events(all) < HABIT_LOOKS) &&
	    !is_freed(all, &group->tally) &&
	    grows(verdict, group->owner, &group->growth, all, stale_ns))
		group->since_ns = group->growth.first_ns;
}

/*
 * A pool that has one to give does not make another: so it has not got it any more. That is
 * of pools only, whose buffers are used again and not freed.
 */
static bool is_passed_over(const struct seen *seen)
{
	const struct kind *kind = seen->kind;
	const struct habit *habit = &kind->size->habit;
	const struct births *births;

	if (!kind->pool || kind->not_given > NOT_GIVEN || seen->together || seen->crowded ||
	    seen->idle_ns < at_least(3 * habit->longest_ns / 2, STALE_NS))
		return false;
	births = verdict_births(seen->kind, seen->size);
	return births && births->at_ns[1] > seen->active_ns + PASSED_NS;
}

/* Those of one moment are one */
static void count_passed(const struct seen *seen)
{
	struct kind *kind = seen->kind;

	if (!is_passed_over(seen) || apart(seen->active_ns, kind->passed_ns) < PASSED_APART_NS)
		return;
	kind->passed++;
	kind->passed_ns = seen->active_ns;
}

static void count_stuck(const struct verdict *verdict, const struct seen *seen)
{
	struct place *place = seen->kind->group->place;

	if (!seen->wait_ns || verdict->now_ns - seen->wait_ns < STUCK_NS)
		return;
	if (place->stuck && apart(seen->wait_ns, place->stuck_ns) < 2 * SECOND)
		return;
	place->stuck++;
	place->stuck_ns = seen->wait_ns;
}

static void judge_groups(struct verdict *verdict)
{
	struct place *place;
	struct owner *owner;
	struct group *group;
	struct kind *kind;
	size_t i;

	for (owner = verdict->owners; owner; owner = owner->next) {
		for (group = owner->groups; group; group = group->next) {
			prepare_group(group);
			for (kind = group->kinds; kind; kind = kind->next)
				prepare(kind);
		}
	}
	for (place = verdict->places; place; place = place->next)
		place->stuck = 0;
	for (i = 0; i < verdict->now.count; i++) {
		verdict->now.at[i].kind->tally.objects++;
		verdict->now.at[i].kind->group->tally.objects++;
		count_stuck(verdict, &verdict->now.at[i]);
	}
	for (i = 0; i < verdict->now.count; i++) {
		struct seen *seen = &verdict->now.at[i];

		if (forgiven(seen))
			continue;
		count_passed(seen);
		if (unusual(seen) && !excused(seen))
			weigh(seen);
		if (seen->idle_ns > seen->kind->growth_ns && !seen->together) {
			grow(verdict, &seen->kind->growth, seen->birth_ns);
			grow(verdict, &seen->kind->group->growth, seen->birth_ns);
		}
	}
	for (owner = verdict->owners; owner; owner = owner->next)
		for (group = owner->groups; group; group = group->next)
			judge_group(verdict, group);
}

/* Where buffers without a handle are used as a rule, that they have none says nothing */
static bool is_orphaned(const struct verdict *verdict, const struct seen *seen)
{
	const struct habit *habit = &seen->kind->group->place->orphans;
	uint64_t unused = verdict->now_ns - at_least(seen->active_ns, seen->orphan_ns);

	if (!seen->orphan_ns || habit->reused_looks >= HABIT_LOOKS)
		return false;
	return unused > at_least(3 * habit->longest_ns, ORPHAN_NS);
}

static bool is_growth(const struct seen *seen)
{
	const struct kind *kind = seen->kind;

	if (kind->passed >= PASSED && is_passed_over(seen))
		return true;
	if (seen->idle_ns <= kind->grown_ns || seen->together)
		return false;
	return (kind->since_ns && seen->birth_ns >= kind->since_ns) ||
	       (kind->group->since_ns && seen->birth_ns >= kind->group->since_ns);
}

static bool is_outlier(const struct verdict *verdict, const struct seen *seen)
{
	const struct tally *tally = tally_of(seen);
	const struct kind *kind = seen->kind;
	const struct habit *habit = &kind->group->place->habit;
	double evidence;
	bool pure;

	if (verdict_span(verdict) < SPAN_NS || !unusual(seen))
		return false;
	/* Of those that live shorter than from look to look most are not seen */
	if (!kind->pool && tally->outliers > habit->freed && tally->clusters > habit->freed_looks &&
	    (!kind->group->alike || tally->outliers > kind->group->alike->habit.freed))
		return false;
	pure = is_pure(seen);
	evidence = pure ? tally->evidence : tally->evidence / MIXED_TIMES;
	if (tally->clusters < (pure ? CLUSTERS : CLUSTERS_MIXED) &&
	    (!pure || seen->idle_ns < ALONE_NS || tally->outliers < ALONE))
		return false;
	/* Where others of it are leaks, there is another reason for it */
	if (excused(seen) && (!kind->group->pooled || !kind->group->pure ||
			      evidence < EXCUSED * PROOF))
		return false;
	if (!kind->wide || kind->pool || evidence > BEYOND * PROOF)
		return evidence >= PROOF;
	/* A cache of so many, such as for undoing, has old ones; but no more than ever */
	return evidence >= PROOF && verdict_span(verdict) > WIDE_SPAN_NS &&
	       tally->objects > MORE * tally->mean + 1;
}

static bool is_dropped(const struct seen *seen)
{
	const struct group *group = seen->kind->group;

	return seen->dropped && group->drops.moments >= (group->pure ? DROPS : DROPS_MIXED);
}

static enum rating rate(const struct verdict *verdict, const struct seen *seen)
{
	const struct kind *kind = seen->kind;
	const struct group *group = kind->group;
	uint64_t unused = verdict->now_ns - seen->active_ns;

	if (seen->is & PDDGPU_OBJECT_KERNEL)
		return RATING_IN_USE;
	if (seen->wait_ns) {
		uint64_t longest = at_least(group->owner->busy_ns, group->place->busy_ns);
		uint64_t limit = group->place->stuck > 2 ? STUCK_NS :
			group->place->stuck == 2 ? STUCK_TWICE_NS : STUCK_ONCE_NS;

		limit = at_least(STUCK_TIMES * longest, limit);
		return verdict->now_ns - seen->wait_ns > limit ? RATING_STUCK : RATING_IN_USE;
	}
	if (seen->is & PDDGPU_OBJECT_BASELINE)
		return unused > STALE_NS ? RATING_CACHED : RATING_IN_USE;
	if (is_orphaned(verdict, seen))
		return RATING_ORPHANED;
	if (is_growth(seen))
		return RATING_GROWING;
	if (is_outlier(verdict, seen) || is_dropped(seen))
		return RATING_IDLE;
	if (unused > STALE_NS && unused > kind->size->habit.longest_ns)
		return RATING_CACHED;
	if (verdict->now_ns - seen->birth_ns < NEW_NS || verdict_span(verdict) < NEW_NS)
		return RATING_NEW;
	return RATING_IN_USE;
}

/*
 * What was taken for a leak stays one, unless it, or another of its kind that was as well, is
 * used or freed: that others are unused for longer and longer says nothing of it.
 */
static bool stays(const struct verdict *verdict, const struct seen *seen)
{
	return (seen->rating == RATING_IDLE || seen->rating == RATING_GROWING) &&
	       seen->active_ns == seen->was_ns && !seen->wait_ns &&
	       seen->kind->retracted != verdict->looks;
}

void verdict_judge(struct verdict *verdict)
{
	size_t i;

	judge_groups(verdict);
	for (i = 0; i < verdict->now.count; i++) {
		struct seen *seen = &verdict->now.at[i];
		enum rating rating = rate(verdict, seen);

		if (!rating_is_leak(rating) && stays(verdict, seen))
			continue;
		seen->rating = (uint8_t)rating;
	}
}
