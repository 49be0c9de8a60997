// SPDX-License-Identifier: MIT
/*
 * The log: what has happened while the report looked.
 */
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "report.h"

struct report_event *report_log(struct report_card *card, enum report_event_type type,
				uint64_t ms)
{
	struct report_event *event;

	if (!card->events)
		card->events = out_need(calloc(PAGE_LOG, sizeof(*card->events)));
	card->events_all++;
	/* Of very many the first, and the last: that one is written over and over */
	if (card->event_count < PAGE_LOG)
		card->event_count++;
	event = &card->events[card->event_count - 1];
	memset(event, 0, sizeof(*event));
	event->ms = ms;
	event->type = type;
	return event;
}

static void log_rating(struct report_card *card, const struct verdict_group *group,
		       enum rating from, uint64_t ms)
{
	struct report_event *event = report_log(card, REPORT_RATING, ms);

	event->pid = (int32_t)group->pid;
	memcpy(event->comm, group->comm, sizeof(group->comm));
	memcpy(event->label, group->label, sizeof(group->label));
	event->from = from;
	event->to = group->rating;
	event->bytes = rating_is_leak(group->rating) ? group->leaked_bytes : group->bytes;
	event->objects = rating_is_leak(group->rating) ? group->leaked_objects : group->objects;
}

/* That something is young, and then in use, is no news; that it is a leak, or none, is */
void report_log_ratings(struct report_card *card, uint64_t ms)
{
	const struct verdict_group *const *groups;
	struct index now = { 0 };
	size_t count, i;

	groups = verdict_groups(card->verdict, &count);
	for (i = 0; i < count; i++) {
		uint32_t before = index_find(&card->ratings, groups[i]->key);
		enum rating from = before == NOT_THERE ? RATING_NEW : (enum rating)before;
		enum rating to = groups[i]->rating;

		if (from != to && (rating_is_leak(from) || rating_is_leak(to)))
			log_rating(card, groups[i], from, ms);
		if (index_find(&now, groups[i]->key) == NOT_THERE)
			index_add(&now, groups[i]->key, to);
	}
	index_free(&card->ratings);
	card->ratings = now;
}

static void log_unfreed(struct report_card *card, const struct drm_pddgpu_unfreed *unfreed,
			uint64_t ms)
{
	struct report_event *event = report_log(card, REPORT_UNFREED, ms);

	event->pid = (int32_t)unfreed->pid;
	memcpy(event->comm, unfreed->comm, sizeof(unfreed->comm));
	memcpy(event->label, unfreed->label, sizeof(unfreed->label));
	event->bytes = unfreed->bytes;
	event->objects = unfreed->objects;
}

void report_log_unfreed(struct report_card *card, uint64_t ms)
{
	const struct drm_pddgpu_unfreed *one;
	struct pddgpu_unfreed *unfreed;
	uint64_t last = card->unfreed_after;

	/* What was before is not of this report */
	if (!card->unfreed_known) {
		card->unfreed_known =
			!pddgpu_unfreed_last(card->card->dev, &card->unfreed_after);
		return;
	}
	if (pddgpu_unfreed_open(card->card->dev, last, &unfreed))
		return;
	while (pddgpu_unfreed_next(unfreed, &one) > 0) {
		last = one->id;
		log_unfreed(card, one, ms);
	}
	if (pddgpu_unfreed_lost(unfreed))
		report_log(card, REPORT_LOST, ms)->objects = pddgpu_unfreed_lost(unfreed);
	card->unfreed_after = last;
	pddgpu_unfreed_close(unfreed);
}
