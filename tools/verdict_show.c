// SPDX-License-Identifier: MIT
/* Groups as they are shown: their sums, and why they are taken for what they are. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "verdict_internal.h"

/* No rate is given of what has not grown lately */
#define RECENT_NS (300 * SECOND)

static const char *const names[RATINGS] = {
	[RATING_NEW] = "new",
	[RATING_IN_USE] = "in use",
	[RATING_CACHED] = "cached",
	[RATING_IDLE] = "idle",
	[RATING_GROWING] = "growing while idle",
	[RATING_ORPHANED] = "orphaned",
	[RATING_STUCK] = "stuck",
};

const char *rating_name(enum rating rating)
{
	return (unsigned int)rating < RATINGS ? names[rating] : "?";
}

bool rating_is_leak(enum rating rating)
{
	return rating >= RATING_IDLE && rating < RATINGS;
}

/* "0.4 s", "12 s", "3 min", "5 h" */
static const char *span(char *out, size_t bytes, uint64_t ns)
{
	uint64_t ms = ns / 1000000;

	if (ms < 10000)
		snprintf(out, bytes, "%.1f s", (double)ms / 1000);
	else if (ms < 120000)
		snprintf(out, bytes, "%" PRIu64 " s", ms / 1000);
	else if (ms < 7200000)
		snprintf(out, bytes, "%" PRIu64 " min", ms / 60000);
	else
		snprintf(out, bytes, "%" PRIu64 " h", ms / 3600000);
	return out;
}

static void clear(struct group *group)
{
	struct verdict_group *shown = &group->shown;
	const struct habit *habit = &group->place->habit;
	unsigned int i;

	for (i = 0; i < RATINGS; i++)
		shown->rated_objects[i] = shown->rated_bytes[i] = 0;
	shown->rating = RATING_NEW;
	shown->objects = shown->bytes = 0;
	shown->leaked_objects = shown->leaked_bytes = 0;
	shown->oldest_ns = shown->per_minute = 0;
	shown->idle_ns = UINT64_MAX;
	shown->usual_ns = habit->longest_ns;
	shown->freed = habit->freed;
	shown->vram_per_minute = 0;
	group->first_leak_ns = group->last_leak_ns = group->recent_ns = 0;
	group->recent_first_size = group->recent_bytes = group->recent_count = 0;
	group->vram_leak_bytes = 0;
	group->longest_wait_ns = group->outlier_ns = group->growth_ns = group->dropped = 0;
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
	group->last_leak_ns = seen->birth_ns;
	if (seen->vram)
		group->vram_leak_bytes += seen->size;
	if (verdict->now_ns - seen->birth_ns >= RECENT_NS)
		return;
	if (!group->recent_count++) {
		group->recent_ns = seen->birth_ns;
		group->recent_first_size = seen->size;
	}
	group->recent_bytes += seen->size;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void add(const struct verdict *verdict, const struct seen *seen)
{
	struct group *group = seen->kind->group;
	struct verdict_group *shown = &group->shown;
	uint64_t unused = verdict->now_ns - seen->active_ns;

	shown->objects++;
	shown->bytes += seen->size;
	shown->rated_objects[seen->rating]++;
	shown->rated_bytes[seen->rating] += seen->size;
	if (seen->rating > shown->rating)
		shown->rating = seen->rating;
	if (seen->wait_ns)
		group->longest_wait_ns = greater(group->longest_wait_ns,
						 verdict->now_ns - seen->wait_ns);
	if (seen->rating == RATING_IDLE) {
		group->outlier_ns = greater(group->outlier_ns, seen->kind->habit_ns);
		group->dropped += seen->dropped;
	}
	if (seen->rating == RATING_GROWING)
		group->growth_ns = greater(group->growth_ns, seen->kind->growth_ns);
	if (rating_is_leak(seen->rating))
		add_leak(verdict, group, seen);
	else if (shown->leaked_objects)
		return;
	shown->oldest_ns = greater(shown->oldest_ns, verdict->now_ns - seen->birth_ns);
	if (shown->idle_ns > unused)
		shown->idle_ns = unused;
}

/*
 * A leak becomes known late, so the rate is that of the time when they were born, from
 * one to the next: the young ones, or all where few are. It is 0 where no new one has
 * come for long, measured by those that came before.
 */
static void give_rate(const struct verdict *verdict, struct group *group)
{
	struct verdict_group *shown = &group->shown;
	uint64_t count = shown->leaked_objects, span, quiet;
	double bytes;

	if (count < 3)
		return;
	span = group->last_leak_ns - group->first_leak_ns;
	quiet = verdict->now_ns - group->last_leak_ns;
	if (quiet > RECENT_NS || quiet > 4 * span / (count - 1) + 60 * SECOND)
		return;
	bytes = (double)shown->leaked_bytes * (double)(count - 1) / (double)count;
	if (group->recent_count >= 3 && group->last_leak_ns - group->recent_ns >= 5 * SECOND) {
		span = group->last_leak_ns - group->recent_ns;
		bytes = (double)(group->recent_bytes - group->recent_first_size);
	}
	if (span < 5 * SECOND)
		return;
	shown->per_minute = (uint64_t)(bytes * 60 * SECOND / (double)span);
	shown->vram_per_minute = (uint64_t)((double)shown->per_minute *
					    (double)group->vram_leak_bytes /
					    (double)shown->leaked_bytes);
}

static void explain_idle(struct group *group, uint64_t count)
{
	struct verdict_group *shown = &group->shown;
	char a[32], b[32];

	span(a, sizeof(a), shown->idle_ns);
	span(b, sizeof(b), group->outlier_ns);
	if (group->dropped == count)
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " were used all the time, and then, one after "
			 "the other, no more, for %s or longer; the others are used on",
			 count, shown->objects, a);
	else if (shown->idle_ns > group->outlier_ns)
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " are unused for %s or longer; others like them "
			 "are used again or freed within %s, and %" PRIu64 " were freed",
			 count, shown->objects, a, b, shown->freed);
	else
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " were unused for longer than any like them "
			 "when that was seen, and still are; by now others were for %s",
			 count, shown->objects, b);
}

static void explain(const struct verdict *verdict, struct group *group)
{
	struct verdict_group *shown = &group->shown;
	uint64_t count = shown->rated_objects[shown->rating];
	char a[32], b[32], c[32];

	if (shown->idle_ns == UINT64_MAX)
		shown->idle_ns = 0;
	switch (shown->rating) {
	case RATING_STUCK:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " wait for a fence, for up to %s; nothing else "
			 "of this process had to wait longer than %s",
			 count, shown->objects, span(a, sizeof(a), group->longest_wait_ns),
			 span(b, sizeof(b), group->owner->busy_ns));
		break;
	case RATING_ORPHANED:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " have no handle, something else such as a "
			 "dma-buf or a mapping keeps them, and they are unused for %s or longer",
			 count, shown->objects, span(a, sizeof(a), shown->idle_ns));
		break;
	case RATING_GROWING:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " are unused for more than %s, and they become "
			 "more and more, for %s; others are used again within %s",
			 count, shown->objects, span(a, sizeof(a), group->growth_ns),
			 span(b, sizeof(b), group->last_leak_ns - group->first_leak_ns),
			 span(c, sizeof(c), shown->usual_ns));
		break;
	case RATING_IDLE:
		explain_idle(group, count);
		break;
	case RATING_CACHED:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " are unused for a while, but there do not come "
			 "more and more of them",
			 count, shown->objects);
		break;
	case RATING_IN_USE:
		snprintf(shown->why, sizeof(shown->why), "last used %s ago",
			 span(a, sizeof(a), shown->idle_ns));
		break;
	default:
		snprintf(shown->why, sizeof(shown->why), "new, or looked at for %s only",
			 span(a, sizeof(a), verdict_span(verdict)));
		break;
	}
}

void verdict_show(struct verdict *verdict)
{
	struct owner *owner;
	struct group *group;
	size_t i;

	for (owner = verdict->owners; owner; owner = owner->next)
		for (group = owner->groups; group; group = group->next)
			clear(group);
	for (i = 0; i < verdict->now.count; i++)
		add(verdict, &verdict->now.at[i]);
	for (owner = verdict->owners; owner; owner = owner->next) {
		for (group = owner->groups; group; group = group->next) {
			if (!group->shown.objects)
				continue;
			give_rate(verdict, group);
			explain(verdict, group);
		}
	}
}
