// SPDX-License-Identifier: MIT
/*
 * What is learnt from a look: for how long buffers are unused before they are used again,
 * or freed. A leak is what is unused for much longer than that; so no number of seconds is
 * right for all programs, and none need be given.
 *
 * Time runs on a clock of each group, which stands when none of it is made, used or freed for
 * much longer than usual: the buffers of a program that is stopped, whose user is away or
 * does something else, do not grow old by that. It does not stand for a kind of which there
 * are far more than usual, as after a burst.
 */
#include "verdict_internal.h"

/* A group of which nothing happens for that long, and for so many times what is usual, rests */
#define REST_NS (8 * SECOND)
#define REST_TIMES 3
/* Looks that the usual number is an average of; and the fewest that make it known */
#define USUAL_LOOKS 64
#define USUAL_KNOWN 16
#define BIN_NS (SECOND / 4)
/* Not used for that long is not in use */
#define IDLE_NS (2 * SECOND)

static unsigned int bin_of(uint64_t gap)
{
	uint64_t units = gap / BIN_NS;
	unsigned int bits, bin;

	if (!units)
		return 0;
	bits = 63 - (unsigned int)__builtin_clzll(units);
	/* The square root of two is 99/70 */
	bin = 2 * bits + (units * 70 >= (99ull << bits));
	return bin < HABIT_BINS ? bin : HABIT_BINS - 1;
}

static void note(struct habit *habit, const struct verdict *verdict, uint64_t gap, bool freed)
{
	unsigned int bin = bin_of(gap);

	if (gap > habit->longest_ns)
		habit->longest_ns = gap;
	if (habit->last[bin] != verdict->looks)
		habit->gaps[bin]++;
	habit->last[bin] = verdict->looks;
	if (freed) {
		habit->freed++;
		if (habit->last_freed != verdict->looks)
			habit->freed_looks++;
		habit->last_freed = verdict->looks;
	} else {
		if (habit->last_reused != verdict->looks)
			habit->reused_looks++;
		habit->last_reused = verdict->looks;
	}
}

static void note_all(const struct seen *seen, const struct verdict *verdict, uint64_t gap,
		     bool freed)
{
	struct kind *kind = seen->kind;
	struct group *group = kind->group;

	if (group->owner->last_event != verdict->looks)
		group->owner->event_looks++;
	group->owner->last_event = verdict->looks;
	note(&kind->size->habit, verdict, gap, freed);
	note(&group->place->habit, verdict, gap, freed);
	if (group->alike)
		note(&group->alike->habit, verdict, gap, freed);
	if (seen->orphan_ns) {
		uint64_t since = verdict->now_ns - seen->orphan_ns;

		note(&group->place->orphans, verdict, gap < since ? gap : since, freed);
	}
	/* One that had been taken for a leak was none: see the others anew */
	if (seen->rating == RATING_IDLE || seen->rating == RATING_GROWING)
		kind->retracted = verdict->looks;
	/* What had been found to grow is used after all */
	if (seen->rating == RATING_GROWING)
		kind->since_ns = group->since_ns = 0;
}

static bool far_more_than_usual(const struct kind *kind)
{
	return kind->looks >= USUAL_KNOWN && kind->tally.objects > 2 * kind->usual + 4;
}

static void average(struct tally *tally)
{
	tally->looks++;
	tally->mean += (tally->objects - tally->mean) / tally->looks;
}

static void tick_group(struct group *group, uint64_t step)
{
	struct kind *kind;
	uint64_t limit;

	group->quiet_ns += step;
	if (group->active) {
		/* An average of the last eight times or so */
		group->every_ns = group->every_ns - group->every_ns / 8 + group->quiet_ns / 8;
		group->quiet_ns = 0;
		average(&group->tally);
		for (kind = group->kinds; kind; kind = kind->next) {
			if (kind->looks < USUAL_LOOKS)
				kind->looks++;
			kind->usual += (kind->tally.objects - kind->usual) / kind->looks;
			average(&kind->tally);
		}
	}
	limit = REST_TIMES * group->every_ns;
	group->resting = group->quiet_ns > (limit > REST_NS ? limit : REST_NS);
	group->active = false;
}

static void tick(struct verdict *verdict)
{
	struct owner *owner;
	struct group *group;

	for (owner = verdict->owners; owner; owner = owner->next)
		for (group = owner->groups; group; group = group->next)
			tick_group(group, verdict->now_ns - verdict->last_ns);
}

/* What has gone by for a buffer since the last look */
static uint64_t step_of(const struct verdict *verdict, const struct seen *seen)
{
	if (seen->kind->group->resting && !far_more_than_usual(seen->kind))
		return 0;
	return verdict->now_ns - verdict->last_ns;
}

static bool waits(const struct seen *seen)
{
	return (seen->is & PDDGPU_OBJECT_BUSY) || seen->state == PDDGPU_OBJECT_ZOMBIE;
}

static void learn_wait(const struct verdict *verdict, const struct seen *seen)
{
	struct group *group = seen->kind->group;
	uint64_t waited = verdict->now_ns - seen->wait_ns;

	if (waited > group->owner->busy_ns)
		group->owner->busy_ns = waited;
	if (waited > group->place->busy_ns)
		group->place->busy_ns = waited;
}

/* The longest wait is of one that is over: one that goes on may never end */
static void learn_waits(const struct verdict *verdict, struct seen *seen)
{
	if (seen->wait_ns && (!waits(seen) || seen->active_ns > seen->was_ns)) {
		learn_wait(verdict, seen);
		seen->wait_ns = 0;
	}
	if (!seen->wait_ns && waits(seen)) {
		bool submitted = seen->active_ns > seen->birth_ns &&
				 seen->active_ns > verdict->last_ns;

		seen->wait_ns = submitted || seen->fresh ? seen->active_ns : verdict->now_ns;
	}
}

struct births *verdict_births(struct kind *kind, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < KIND_SIZES; i++)
		if (kind->births[i].size == size)
			return &kind->births[i];
	return NULL;
}

static void learn_birth(const struct seen *seen)
{
	struct kind *kind = seen->kind;
	struct births *births = verdict_births(kind, seen->size);

	if (!births) {
		kind->last_birth = (kind->last_birth + 1) % KIND_SIZES;
		births = &kind->births[kind->last_birth];
		*births = (struct births) { .size = seen->size };
	}
	/* Those of one moment are one */
	if (births->at_ns[0] && seen->birth_ns - births->at_ns[0] < SECOND / 2)
		return;
	births->at_ns[1] = births->at_ns[0];
	births->at_ns[0] = seen->birth_ns;
}

/* Of a pool none is idle while another of that size is made, or it has been lost */
static void learn_pool(const struct seen *seen)
{
	struct kind *kind = seen->kind;
	const struct births *births = verdict_births(kind, seen->size);
	unsigned int j;

	for (j = 0; births && j < 2; j++) {
		uint64_t at = births->at_ns[j];

		if (at > seen->was_ns + IDLE_NS && at + IDLE_NS < seen->active_ns) {
			kind->not_given++;
			return;
		}
	}
}

static void learn_one(const struct verdict *verdict, struct seen *seen)
{
	uint64_t unused = verdict->now_ns - seen->active_ns;
	uint64_t step = step_of(verdict, seen), gap;

	if (seen->fresh) {
		learn_birth(seen);
		seen->idle_ns = seen->first_idle_ns = unused;
		seen->first_ns = seen->active_ns;
	} else if (seen->active_ns > seen->was_ns) {
		uint64_t more = seen->active_ns > verdict->last_ns ?
			seen->active_ns - verdict->last_ns : 0;

		gap = seen->idle_ns + (more < step ? more : step);
		if (seen->active_ns - seen->birth_ns >= MADE_NS) {
			note_all(seen, verdict, gap, false);
			learn_pool(seen);
		}
		if (gap > seen->longest_ns)
			seen->longest_ns = gap;
		seen->idle_ns = unused;
		seen->first_idle_ns = 0;
		if (seen->uses < USES_MAX)
			seen->uses++;
	} else {
		seen->idle_ns += step;
	}
	if (seen->state != PDDGPU_OBJECT_ORPHAN)
		seen->orphan_ns = 0;
	else if (!seen->orphan_ns)
		seen->orphan_ns = verdict->now_ns;
	learn_waits(verdict, seen);
	if (seen->wait_ns)
		seen->idle_ns = seen->first_idle_ns = 0;
}

static void learn_size(const struct verdict *verdict, const struct seen *dead)
{
	struct births *births = verdict_births(dead->kind, dead->size);

	if (!births || births->last_freed == verdict->looks)
		return;
	births->freed_looks++;
	births->last_freed = verdict->looks;
}

void verdict_learn(struct verdict *verdict)
{
	bool first = verdict->looks == 1;
	size_t i;

	for (i = 0; i < verdict->dead.count; i++)
		verdict->dead.at[i].kind->group->active = true;
	for (i = 0; i < verdict->now.count; i++) {
		const struct seen *seen = &verdict->now.at[i];

		if (!first && (seen->fresh || seen->active_ns > seen->was_ns))
			seen->kind->group->active = true;
	}
	tick(verdict);
	for (i = 0; i < verdict->dead.count; i++) {
		const struct seen *dead = &verdict->dead.at[i];

		/* Who has nothing left has ended, and that says nothing of its habits */
		if (!dead->kind->group->owner->objects)
			continue;
		if (dead->wait_ns)
			learn_wait(verdict, dead);
		note_all(dead, verdict, dead->idle_ns, true);
		learn_size(verdict, dead);
	}
	for (i = 0; i < verdict->now.count; i++)
		learn_one(verdict, &verdict->now.at[i]);
}
