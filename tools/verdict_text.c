// SPDX-License-Identifier: MIT
/* Why a group is taken for what it is, in a line for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "verdict_internal.h"

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

void verdict_explain(const struct verdict *verdict, struct group *group)
{
	struct verdict_group *shown = &group->shown;
	uint64_t count = shown->rated_objects[shown->rating];
	char a[32], b[32], c[32];

	if (shown->idle_ns == UINT64_MAX)
		shown->idle_ns = 0;
	switch (shown->rating) {
	case RATING_STUCK:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " wait for a fence, for up to %s; nothing else of "
			 "this process had to wait longer than %s",
			 count, shown->objects, span(a, sizeof(a), group->longest_wait_ns),
			 span(b, sizeof(b), group->owner->busy_ns));
		break;
	case RATING_ORPHANED:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " have no handle, something else such as a dma-buf "
			 "or a mapping keeps them, and they are unused for %s or longer",
			 count, shown->objects, span(a, sizeof(a), shown->idle_ns));
		break;
	case RATING_GROWING:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " are unused for more than %s, and they become more "
			 "and more, for %s; others are used again within %s",
			 count, shown->objects, span(a, sizeof(a), group->growth_ns),
			 span(b, sizeof(b), group->last_leak_ns - group->first_leak_ns),
			 span(c, sizeof(c), shown->usual_ns));
		break;
	case RATING_IDLE:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " are unused for more than %s, while %" PRIu64
			 " others were freed, and none was unused for longer than %s before",
			 count, shown->objects, span(a, sizeof(a), group->outlier_ns),
			 shown->freed, span(b, sizeof(b), shown->usual_ns));
		break;
	case RATING_CACHED:
		snprintf(shown->why, sizeof(shown->why),
			 "%" PRIu64 " of %" PRIu64 " are unused for a while, but there do not come more "
			 "and more of them",
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
