// SPDX-License-Identifier: MIT
/*
 * What follows from what was learnt. Four ways to be a leak:
 *
 * - an outlier: buffers of its kind are freed, and it is unused for several times as long
 *   as any of them was before that or before it was used again (staleness, as Chilimbi and
 *   Hauswirth's SWAT has it, ASPLOS 2004, with limits that each place in a program gives);
 * - growth: nothing of its kind is freed, and unused ones become more and more, steadily
 *   and for longer than a program takes to warm up (Xu and Rountev's growth of containers,
 *   ICSE 2008, without knowing containers);
 * - an orphan that nobody uses: no handle leads to it any more;
 * - a fence that does not signal.
 *
 * What is old and unused and none of these is a cache.
 */
#include "verdict_internal.h"

/* Nothing is stale before, on its owner's clock */
#define STALE_NS (20 * SECOND)
/* An orphan without a habit, and one that waits for a fence */
#define ORPHAN_NS (45 * SECOND)
#define STUCK_NS (30 * SECOND)
#define STUCK_TIMES 3
/* Looks in which something was freed that make a habit */
#define HABIT_LOOKS 8
/* How often something must have grown, for how long, and how much of it while we looked */
#define GROWTH_BIRTHS 6
#define GROWTH_NEW 3
#define GROWTH_NS (120 * SECOND)
#define GROWTH_TIMES 3
/* The same where others of the kind are used again very soon */
#define BRISK_LOOKS 20
#define BRISK_NS (5 * SECOND)
#define BRISK_GROWTH_NS (60 * SECOND)
/* No rate is given of what has not grown lately */
#define RECENT_NS (300 * SECOND)
/* Whoever was born and looked at for less than that is new */
#define NEW_NS (10 * SECOND)

/* The fewer have been seen, the more may be the exception */
static uint64_t times(uint32_t looks)
{
	return looks < 16 ? 6 : looks < 64 ? 4 : 3;
}

static uint64_t at_least(uint64_t ns, uint64_t floor)
{
	return ns > floor ? ns : floor;
}

static uint64_t outlier_limit(const struct kind *kind)
{
	const struct habit *own = &kind->habit, *all = &kind->group->habit;

	if (own->freed_looks >= HABIT_LOOKS)
		return at_least(times(own->freed_looks) * own->longest_ns, STALE_NS);
	/* One size of a place that is freed as a rule */
	if (all->freed_looks >= 2 * HABIT_LOOKS)
		return at_least(2 * times(all->freed_looks) * all->longest_ns, 2 * STALE_NS);
	return 0;
}

static bool forgiven(const struct seen *seen)
{
	return (seen->is & (PDDGPU_OBJECT_BASELINE | PDDGPU_OBJECT_KERNEL)) ||
	       seen->wait_ns || seen->state == PDDGPU_OBJECT_ZOMBIE;
}

static void count_stale(const struct verdict *verdict, const struct seen *seen)
{
	struct kind *kind = seen->kind;

	kind->objects++;
	if (forgiven(seen))
		return;
	if (kind->outlier_ns && seen->idle_ns > kind->outlier_ns)
		kind->outliers++;
	if (seen->idle_ns <= kind->growth_ns)
		return;
	kind->stale++;
	if (!kind->stale_births) {
		kind->first_ns = seen->birth_ns;
		kind->stale_births = 1;
	} else if (seen->birth_ns - kind->last_ns > SECOND / 2) {
		if (seen->birth_ns - kind->last_ns > kind->spacing_ns)
			kind->spacing_ns = seen->birth_ns - kind->last_ns;
		kind->stale_births++;
	} else {
		return;
	}
	if (seen->birth_ns > verdict->first_ns)
		kind->stale_new++;
	kind->last_ns = seen->birth_ns;
}

static bool grows(const struct verdict *verdict, const struct kind *kind)
{
	uint64_t span = kind->last_ns - kind->first_ns, mean, quiet;
	bool brisk = kind->habit.reused_looks >= BRISK_LOOKS &&
		     kind->habit.longest_ns < BRISK_NS && kind->stale_births >= BRISK_LOOKS;

	if (kind->stale_births < GROWTH_BIRTHS || kind->stale_new < GROWTH_NEW)
		return false;
	if (span < (brisk ? BRISK_GROWTH_NS : GROWTH_NS) || kind->spacing_ns > span / 2)
		return false;
	mean = span / (kind->stale_births - 1);
	/* The last ones are not stale yet, so it seems to have stopped that long ago */
	quiet = verdict->now_ns - kind->last_ns;
	return quiet < kind->growth_ns + 3 * mean + 2 * SECOND;
}

static void prepare(struct kind *kind)
{
	uint64_t stale_ns = at_least(GROWTH_TIMES * kind->habit.longest_ns, STALE_NS);

	kind->objects = kind->outliers = 0;
	kind->stale = kind->stale_births = kind->stale_new = 0;
	kind->first_ns = kind->last_ns = kind->spacing_ns = 0;
	kind->outlier_ns = outlier_limit(kind);
	/* One of those that had been found to grow was used again, or freed */
	if (stale_ns > kind->growth_ns)
		kind->growing = false;
	kind->growth_ns = stale_ns;
}

static void judge_kinds(struct verdict *verdict)
{
	struct owner *owner;
	struct group *group;
	struct kind *kind;
	size_t i;

	for (owner = verdict->owners; owner; owner = owner->next) {
		for (group = owner->groups; group; group = group->next) {
			for (kind = group->kinds; kind; kind = kind->next)
				prepare(kind);
		}
	}
	for (i = 0; i < verdict->now.count; i++)
		count_stale(verdict, &verdict->now.at[i]);
	for (owner = verdict->owners; owner; owner = owner->next) {
		for (group = owner->groups; group; group = group->next) {
			for (kind = group->kinds; kind; kind = kind->next) {
				if (!kind->stale)
					kind->growing = false;
				else if (grows(verdict, kind))
					kind->growing = true;
			}
		}
	}
}

static enum rating rate(const struct verdict *verdict, const struct seen *seen)
{
	const struct kind *kind = seen->kind;
	const struct group *group = kind->group;
	uint64_t limit;

	if (seen->is & PDDGPU_OBJECT_KERNEL)
		return RATING_IN_USE;
	if (seen->wait_ns) {
		limit = at_least(STUCK_TIMES * group->owner->busy_ns, STUCK_NS);
		return verdict->now_ns - seen->wait_ns > limit ? RATING_STUCK : RATING_IN_USE;
	}
	if (seen->is & PDDGPU_OBJECT_BASELINE)
		return seen->idle_ns > STALE_NS ? RATING_CACHED : RATING_IN_USE;
	if (seen->orphan_ns) {
		uint64_t unused = verdict->now_ns - at_least(seen->active_ns, seen->orphan_ns);

		limit = at_least(3 * group->orphans.longest_ns, ORPHAN_NS);
		if (unused > limit)
			return RATING_ORPHANED;
	}
	if (kind->growing && seen->idle_ns > kind->growth_ns)
		return RATING_GROWING;
	/* A single one may be kept for a reason */
	if (kind->outlier_ns && seen->idle_ns > kind->outlier_ns && kind->outliers > 1 &&
	    kind->outliers <= kind->habit.freed + group->habit.freed)
		return RATING_IDLE;
	if (seen->idle_ns > STALE_NS && seen->idle_ns > kind->habit.longest_ns)
		return RATING_CACHED;
	if (verdict->now_ns - seen->birth_ns < NEW_NS || verdict_span(verdict) < NEW_NS)
		return RATING_NEW;
	return RATING_IN_USE;
}

static void clear_shown(struct verdict *verdict)
{
	struct owner *owner;
	struct group *group;

	for (owner = verdict->owners; owner; owner = owner->next) {
		for (group = owner->groups; group; group = group->next) {
			struct verdict_group *shown = &group->shown;
			unsigned int i;

			for (i = 0; i < RATINGS; i++)
				shown->rated_objects[i] = shown->rated_bytes[i] = 0;
			shown->rating = RATING_NEW;
			shown->objects = shown->bytes = 0;
			shown->leaked_objects = shown->leaked_bytes = 0;
			shown->oldest_ns = shown->per_minute = 0;
			shown->idle_ns = UINT64_MAX;
			shown->usual_ns = group->habit.longest_ns;
			shown->freed = group->habit.freed;
			group->first_leak_ns = group->last_leak_ns = group->recent_leak_bytes = 0;
			group->leak_births = 0;
			group->longest_wait_ns = group->outlier_ns = group->growth_ns = 0;
		}
	}
}

static void add_leak(const struct verdict *verdict, struct group *group, const struct seen *seen)
{
	struct verdict_group *shown = &group->shown;

	/* What comes before the first leak is no leak: the age of the oldest begins anew */
	if (!shown->leaked_objects) {
		shown->oldest_ns = verdict->now_ns - seen->birth_ns;
		shown->idle_ns = UINT64_MAX;
		group->first_leak_ns = seen->birth_ns;
	}
	shown->leaked_objects++;
	shown->leaked_bytes += seen->size;
	if (seen->birth_ns - group->last_leak_ns > SECOND / 2 || !group->leak_births)
		group->leak_births++;
	group->last_leak_ns = seen->birth_ns;
	if (verdict->now_ns - seen->birth_ns < RECENT_NS)
		group->recent_leak_bytes += seen->size;
}

static void show_one(const struct verdict *verdict, const struct seen *seen)
{
	struct group *group = seen->kind->group;
	struct verdict_group *shown = &group->shown;
	bool leak = rating_is_leak(seen->rating);
	uint64_t unused = verdict->now_ns - seen->active_ns;

	shown->objects++;
	shown->bytes += seen->size;
	shown->rated_objects[seen->rating]++;
	shown->rated_bytes[seen->rating] += seen->size;
	if (seen->rating > shown->rating)
		shown->rating = seen->rating;
	if (seen->wait_ns && verdict->now_ns - seen->wait_ns > group->longest_wait_ns)
		group->longest_wait_ns = verdict->now_ns - seen->wait_ns;
	if (seen->rating == RATING_IDLE)
		group->outlier_ns = at_least(group->outlier_ns, seen->kind->outlier_ns);
	if (seen->rating == RATING_GROWING)
		group->growth_ns = at_least(group->growth_ns, seen->kind->growth_ns);
	if (leak)
		add_leak(verdict, group, seen);
	else if (shown->leaked_objects)
		return;
	if (shown->oldest_ns < verdict->now_ns - seen->birth_ns)
		shown->oldest_ns = verdict->now_ns - seen->birth_ns;
	if (shown->idle_ns > unused)
		shown->idle_ns = unused;
}

/* Leaks become known late, so the rate is that of when they were born */
static void give_rates(struct verdict *verdict)
{
	struct owner *owner;
	struct group *group;

	for (owner = verdict->owners; owner; owner = owner->next) {
		for (group = owner->groups; group; group = group->next) {
			uint64_t span, from = group->first_leak_ns;

			if (group->leak_births < 3 || !group->recent_leak_bytes)
				continue;
			if (verdict->now_ns - from > RECENT_NS)
				from = verdict->now_ns - RECENT_NS;
			span = group->last_leak_ns > from ? group->last_leak_ns - from : 0;
			if (span >= SECOND)
				group->shown.per_minute = (uint64_t)((double)group->recent_leak_bytes *
								     60 * SECOND / (double)span);
		}
	}
}

void verdict_judge(struct verdict *verdict)
{
	size_t i;

	judge_kinds(verdict);
	clear_shown(verdict);
	for (i = 0; i < verdict->now.count; i++) {
		struct seen *seen = &verdict->now.at[i];

		seen->rating = (uint8_t)rate(verdict, seen);
		show_one(verdict, seen);
	}
	give_rates(verdict);
}
