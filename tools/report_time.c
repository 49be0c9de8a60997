// SPDX-License-Identifier: MIT
/*
 * Who had how much memory through time: a bounded number of points and of owners.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "report.h"

uint64_t index_hash(uint64_t value, const void *bytes, size_t count)
{
	const unsigned char *at = bytes;

	while (count--)
		value = (value ^ *at++) * 0x100000001b3;
	return value ^ value >> 32;
}

static size_t place_of(const struct index *index, uint64_t key)
{
	size_t at = index_hash(INDEX_SEED, &key, sizeof(key)) & (index->room - 1);

	while (index->values[at] != NOT_THERE && index->keys[at] != key)
		at = (at + 1) & (index->room - 1);
	return at;
}

uint32_t index_find(const struct index *index, uint64_t key)
{
	return index->room ? index->values[place_of(index, key)] : NOT_THERE;
}

static void make_room(struct index *index)
{
	struct index bigger = { .room = index->room ? index->room * 2 : 64 };
	size_t i, at;

	bigger.keys = out_need(calloc(bigger.room, sizeof(*bigger.keys)));
	bigger.values = out_need(malloc(bigger.room * sizeof(*bigger.values)));
	memset(bigger.values, 0xff, bigger.room * sizeof(*bigger.values));
	for (i = 0; i < index->room; i++) {
		if (index->values[i] == NOT_THERE)
			continue;
		at = place_of(&bigger, index->keys[i]);
		bigger.keys[at] = index->keys[i];
		bigger.values[at] = index->values[i];
	}
	bigger.count = index->count;
	index_free(index);
	*index = bigger;
}

void index_add(struct index *index, uint64_t key, uint32_t value)
{
	size_t at;

	if (index->count * 2 >= index->room)
		make_room(index);
	at = place_of(index, key);
	index->keys[at] = key;
	index->values[at] = value;
	index->count++;
}

void index_free(struct index *index)
{
	free(index->keys);
	free(index->values);
	memset(index, 0, sizeof(*index));
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

uint64_t time_bytes(const struct report_owner *owner, size_t point)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; owner->points && i < PDDGPU_REGIONS; i++)
		sum = add(sum, owner->points[point][i]);
	return sum;
}

static void *new_points(void)
{
	return out_need(calloc(REPORT_POINTS, PDDGPU_REGIONS * sizeof(uint64_t)));
}

static uint64_t key_of(int32_t pid, const char *comm)
{
	return index_hash(index_hash(INDEX_SEED, &pid, sizeof(pid)), comm, strlen(comm));
}

static bool is_it(const struct report_owner *owner, int32_t pid, const char *comm)
{
	return owner->pid == pid && !strcmp(owner->comm, comm);
}

/* Where it is, or else *key is where it may go */
static uint32_t find(const struct report_time *time, int32_t pid, const char *comm, uint64_t *key)
{
	uint32_t at;

	*key = key_of(pid, comm);
	while ((at = index_find(&time->by_name, *key)) != NOT_THERE &&
	       !is_it(&time->owners[at], pid, comm))
		++*key;
	return at;
}

uint32_t time_find(const struct report_time *time, int32_t pid, const char *comm)
{
	uint64_t key;

	return find(time, pid, comm, &key);
}

static void index_owners(struct report_time *time)
{
	uint64_t key;
	uint32_t i;

	index_free(&time->by_name);
	for (i = 0; i < time->owner_count; i++) {
		find(time, time->owners[i].pid, time->owners[i].comm, &key);
		index_add(&time->by_name, key, i);
	}
}

/*
 * Who was not there at the last look, and had least, makes room, and is one of the others
 * from now on. Who is there may yet be told of at this one.
 */
static bool forget_one(struct report_time *time)
{
	struct report_owner *least = NULL, *owner;
	size_t i, j;

	for (i = 0; i < time->owner_count; i++) {
		owner = &time->owners[i];
		if (owner->look + 1 < time->looks && (!least || owner->peak < least->peak))
			least = owner;
	}
	if (!least)
		return false;
	for (i = 0; i < time->count; i++)
		for (j = 0; j < PDDGPU_REGIONS; j++)
			time->rest.points[i][j] = add(time->rest.points[i][j],
						      least->points[i][j]);
	free(least->points);
	*least = time->owners[--time->owner_count];
	index_owners(time);
	return true;
}

static struct report_owner *owner_of(struct report_time *time, int32_t pid, const char *comm)
{
	struct report_owner *owner;
	uint64_t key;
	uint32_t at = time->last;

	if (at < time->owner_count && is_it(&time->owners[at], pid, comm))
		return &time->owners[at];
	at = find(time, pid, comm, &key);
	if (at == NOT_THERE) {
		if (time->owner_count == REPORT_OWNERS) {
			if (!forget_one(time))
				return &time->rest;
			find(time, pid, comm, &key);
		}
		if (!time->owners)
			time->owners = out_need(calloc(REPORT_OWNERS, sizeof(*time->owners)));
		at = (uint32_t)time->owner_count++;
		owner = &time->owners[at];
		memset(owner, 0, sizeof(*owner));
		owner->pid = pid;
		snprintf(owner->comm, sizeof(owner->comm), "%s", comm);
		owner->points = new_points();
		index_add(&time->by_name, key, at);
	}
	time->last = at;
	return &time->owners[at];
}

static void halve_owner(struct report_owner *owner, const bool *second)
{
	size_t i;

	for (i = 0; i < REPORT_POINTS / 2; i++)
		memcpy(owner->points[i], owner->points[2 * i + second[i]],
		       sizeof(owner->points[i]));
	memset(owner->points[i], 0, sizeof(owner->points[i]) * (REPORT_POINTS - i));
}

/* Of two neighbours stays who has more, for what is looked for are peaks */
static void halve(struct report_time *time)
{
	bool second[REPORT_POINTS / 2];
	size_t i, from;

	for (i = 0; i < REPORT_POINTS / 2; i++) {
		second[i] = i && time->sums[2 * i + 1] >= time->sums[2 * i];
		from = 2 * i + second[i];
		time->ms[i] = time->ms[from];
		time->sums[i] = time->sums[from];
		memcpy(time->used[i], time->used[from], sizeof(time->used[i]));
		memcpy(time->rated[i], time->rated[from], sizeof(time->rated[i]));
	}
	for (i = 0; i < time->owner_count; i++)
		halve_owner(&time->owners[i], second);
	halve_owner(&time->rest, second);
	time->count = REPORT_POINTS / 2;
}

void time_begin(struct report_time *time, uint64_t ms)
{
	size_t i;

	if (!time->rest.points)
		time->rest.points = new_points();
	if (time->count == REPORT_POINTS)
		halve(time);
	time->ms[time->count] = ms;
	time->sums[time->count] = 0;
	memset(time->used[time->count], 0, sizeof(time->used[0]));
	memset(time->rated[time->count], 0, sizeof(time->rated[0]));
	time->count++;
	time->looks++;
	for (i = 0; i < time->owner_count; i++) {
		memset(time->owners[i].now, 0, sizeof(time->owners[i].now));
		time->owners[i].objects = 0;
	}
	memset(time->rest.now, 0, sizeof(time->rest.now));
	time->rest.objects = 0;
}

void time_add(struct report_time *time, int32_t pid, const char *comm, unsigned int region,
	      uint64_t bytes, uint64_t objects)
{
	struct report_owner *owner = owner_of(time, pid, comm);

	owner->look = time->looks;
	owner->now[region] = add(owner->now[region], bytes);
	owner->objects += objects;
}

static uint64_t take(struct report_owner *owner, size_t point)
{
	uint64_t sum;

	/* What was put there is of those that were forgotten meanwhile */
	memcpy(owner->points[point], owner->now, sizeof(owner->now));
	sum = time_bytes(owner, point);
	if (owner->peak < sum)
		owner->peak = sum;
	return sum;
}

void time_end(struct report_time *time)
{
	size_t point = time->count - 1, i;
	uint64_t sum = take(&time->rest, point);

	for (i = 0; i < time->owner_count; i++)
		sum = add(sum, take(&time->owners[i], point));
	time->sums[point] = sum;
}

static const struct report_owner *ranking;

static int by_peak(const void *a, const void *b)
{
	const struct report_owner *x = &ranking[*(const uint32_t *)a];
	const struct report_owner *y = &ranking[*(const uint32_t *)b];

	if (x->peak != y->peak)
		return x->peak < y->peak ? 1 : -1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return strcmp(x->comm, y->comm);
}

uint32_t *time_ranked(const struct report_time *time)
{
	uint32_t *ranked = out_need(calloc(time->owner_count + 1, sizeof(*ranked)));
	uint32_t i;

	for (i = 0; i < time->owner_count; i++)
		ranked[i] = i;
	ranking = time->owners;
	if (time->owner_count)
		qsort(ranked, time->owner_count, sizeof(*ranked), by_peak);
	return ranked;
}

void time_free(struct report_time *time)
{
	size_t i;

	for (i = 0; i < time->owner_count; i++)
		free(time->owners[i].points);
	free(time->owners);
	free(time->rest.points);
	index_free(&time->by_name);
}
