// SPDX-License-Identifier: MIT
/*
 * What fell idle together: when a window is minimised, a tab goes to the background or a
 * level of a game is left, all that belongs to it is used no more from one moment on,
 * whatever it is for. A leak is alone: what else was used with it is used on, or freed.
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

		seen->together = false;
		if (!seen->wait_ns && verdict->now_ns - seen->active_ns > IDLE_NS)
			verdict->idle[count++] = seen;
	}
	return count;
}

static uint64_t apart(const struct seen *early, const struct seen *late)
{
	return late->active_ns - early->active_ns;
}

/* Runs of one owner: windows of both lengths slide along it */
static void judge_run(struct seen **at, size_t count)
{
	size_t near = 0, near_end = 0, around = 0, around_end = 0, i, j;

	for (i = 0; i < count; i++) {
		size_t others = 0, usual;

		while (apart(at[near], at[i]) > NEAR_NS)
			near++;
		while (near_end < count && apart(at[i], at[near_end < i ? i : near_end]) <= NEAR_NS)
			near_end++;
		while (apart(at[around], at[i]) > AROUND_NS)
			around++;
		while (around_end < count &&
		       apart(at[i], at[around_end < i ? i : around_end]) <= AROUND_NS)
			around_end++;
		/* Very many at once: the first ones tell */
		for (j = near; j < near_end && j < near + 1024 && others < OTHERS; j++)
			others += at[j]->kind != at[i]->kind;
		usual = (around_end - around) - (near_end - near);
		at[i]->together = others >= OTHERS &&
			(near_end - near) * AROUND_NS >= TIMES * usual * NEAR_NS;
	}
}

int verdict_together(struct verdict *verdict)
{
	size_t count, begin, i;

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
		begin = i;
	}
	return 0;
}
