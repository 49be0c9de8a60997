// SPDX-License-Identifier: MIT
/*
 * What fell idle together: when a window is minimised, a tab goes to the background or a
 * level of a game is left, all that belongs to it is used no more from one moment on,
 * whatever it is for. A leak is alone: what else was used with it is used on, or freed.
 *
 * And what was dropped alone: a pool gives the same buffers again and again as long as its
 * program does the same. One that was given all the time, and is no more, has been replaced by
 * another, for it has been lost. Now and then that happens by itself, but seldom.
 */
#include <errno.h>
#include <stdlib.h>

#include "verdict_internal.h"

/* Nobody is asked about who is unused for less */
#define IDLE_NS (15 * SECOND)
/* Together is within that time; and what is usual is what falls idle in this */
#define NEAR_NS (3 * SECOND / 2)
#define AROUND_NS (60 * SECOND)
/* So many others must have fallen idle, and so many times as many as usual */
#define OTHERS 4
#define TIMES 4
/* So many are a phase as well if all are of one kind: a tab, or a scene */
#define CROWD 8
/* Given all the time: so often, and for so many times as long as it ever was not given */
#define GIVEN_USES 16
#define GIVEN_TIMES 4
/* No longer: for so many times as long, and that long; moments are so far apart */
#define DROPPED_TIMES 6
#define DROPPED_NS (120 * SECOND)
#define APART_NS (5 * SECOND)

static int by_time(const void *a, const void *b)
{
	const struct seen *x = *(const struct seen *const *)a, *y = *(const struct seen *const *)b;
	const struct owner *p = x->kind->group->owner, *q = y->kind->group->owner;

	if (p != q)
		return p < q ? -1 : 1;
	if (x->active_ns != y->active_ns)
		return x->active_ns < y->active_ns ? -1 : 1;
	return 0;
}

static size_t list_idle(struct verdict *verdict)
{
	size_t count = 0, i;

	for (i = 0; i < verdict->now.count; i++) {
		struct seen *seen = &verdict->now.at[i];

		seen->together = seen->crowded = seen->dropped = false;
		if (!seen->wait_ns && verdict->now_ns - seen->active_ns > IDLE_NS)
			verdict->idle[count++] = seen;
	}
	return count;
}

static uint64_t apart(const struct seen *early, const struct seen *late)
{
	return late->active_ns - early->active_ns;
}

/* Runs of one owner: windows of both lengths slide along it; kinds count who is in the near one */
static void judge_run(struct seen **at, size_t count)
{
	size_t near = 0, near_end = 0, around = 0, around_end = 0, i;

	for (i = 0; i < count; i++) {
		size_t all, others, usual;
		bool sharp;

		while (near_end < count && (near_end <= i || apart(at[i], at[near_end]) <= NEAR_NS))
			at[near_end++]->kind->near++;
		while (apart(at[near], at[i]) > NEAR_NS)
			at[near++]->kind->near--;
		while (around_end < count &&
		       (around_end <= i || apart(at[i], at[around_end]) <= AROUND_NS))
			around_end++;
		while (apart(at[around], at[i]) > AROUND_NS)
			around++;
		all = near_end - near;
		others = all - at[i]->kind->near;
		usual = (around_end - around) - all;
		sharp = all * AROUND_NS >= TIMES * usual * NEAR_NS;
		at[i]->together = sharp && others >= OTHERS;
		at[i]->crowded = sharp && all > CROWD;
	}
	while (near < near_end)
		at[near++]->kind->near--;
}

static bool is_drop(const struct seen *seen)
{
	return seen->kind->pool && seen->uses >= GIVEN_USES &&
	       seen->active_ns - seen->first_ns > GIVEN_TIMES * seen->longest_ns &&
	       seen->idle_ns > DROPPED_TIMES * seen->longest_ns && seen->idle_ns > DROPPED_NS;
}

static void end_moment(struct drops *drops)
{
	unsigned int i;

	if (drops->count && drops->count <= DROPS_MAX) {
		for (i = 0; i < drops->count; i++)
			drops->last[i]->dropped = true;
		drops->moments++;
	}
	drops->count = 0;
}

static void list_drops(struct seen **at, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct drops *drops = &at[i]->kind->group->drops;

		if (!is_drop(at[i]))
			continue;
		if (at[i]->active_ns - drops->last_ns > APART_NS)
			end_moment(drops);
		if (drops->count < DROPS_MAX)
			drops->last[drops->count] = at[i];
		drops->count++;
		drops->last_ns = at[i]->active_ns;
	}
	for (i = 0; i < count; i++)
		end_moment(&at[i]->kind->group->drops);
}

int verdict_together(struct verdict *verdict)
{
	size_t count, begin, i;
	struct owner *owner;
	struct group *group;

	for (owner = verdict->owners; owner; owner = owner->next)
		for (group = owner->groups; group; group = group->next)
			group->drops = (struct drops) { 0 };
	if (verdict->idle_room < verdict->now.count) {
		size_t room = verdict->now.room;
		void *idle = reallocarray(verdict->idle, room, sizeof(struct seen *));

		if (!idle)
			return -ENOMEM;
		verdict->idle = idle;
		verdict->idle_room = room;
	}
	count = list_idle(verdict);
	if (!count)
		return 0;
	qsort(verdict->idle, count, sizeof(struct seen *), by_time);
	for (begin = 0, i = 1; i <= count; i++) {
		if (i < count && verdict->idle[i]->kind->group->owner ==
				 verdict->idle[begin]->kind->group->owner)
			continue;
		judge_run(&verdict->idle[begin], i - begin);
		list_drops(&verdict->idle[begin], i - begin);
		begin = i;
	}
	return 0;
}
