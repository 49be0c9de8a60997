// SPDX-License-Identifier: MIT
/*
 * The document's part on what is rated how: groups, places, the flame graph, the log.
 */
#include "json.h"
#include "out.h"
#include "report.h"

static json_t *sums_json(const struct report_card *card)
{
	json_t *list = out_need(json_array());
	size_t i;

	for (i = 0; i < card->sum_count; i++) {
		json_t *object = out_need(json_object());

		json_put(object, "rating", json_string(card->sums[i].name));
		json_put(object, "leak", json_boolean(card->sums[i].leak));
		json_put(object, "objects", json_count(card->sums[i].objects));
		json_put(object, "bytes", json_count(card->sums[i].bytes));
		json_add(list, object);
	}
	return list;
}

static json_t *group_json(const struct report_group *group)
{
	json_t *object = out_need(json_object());

	json_put(object, "rating", json_string(group->rating));
	json_put(object, "leak", json_boolean(group->leak));
	json_put(object, "pid", group->pid ? json_integer(group->pid) : json_null());
	json_put(object, "comm", json_text(group->comm));
	json_put(object, "client_id", json_count(group->client_id));
	json_put(object, "label", *group->label ? json_text(group->label) : json_null());
	json_put(object, "site", group->site == NOT_THERE ? json_null() : json_count(group->site));
	json_put(object, "objects", json_count(group->objects));
	json_put(object, "bytes", json_count(group->bytes));
	json_put(object, "leaked_objects", json_count(group->leaked_objects));
	json_put(object, "leaked_bytes", json_count(group->leaked_bytes));
	json_put(object, "oldest_ms", json_count(group->oldest_ms));
	json_put(object, "idle_ms", json_count(group->idle_ms));
	json_put(object, "usual_ms", json_count(group->usual_ms));
	json_put(object, "freed", json_count(group->freed));
	json_put(object, "per_minute", json_count(group->per_minute));
	json_put(object, "why", json_text(group->why));
	return object;
}

static json_t *groups_json(const struct report_card *card)
{
	json_t *list = out_need(json_array());
	size_t i;

	for (i = 0; i < card->group_count; i++)
		json_add(list, group_json(&card->groups[i]));
	return list;
}

/* Only those that a group in the page has: by place, null for the others */
static json_t *sites_json(const struct report_card *card)
{
	bool *wanted = out_need(calloc(card->site_count + 1, sizeof(*wanted)));
	json_t *list = out_need(json_array());
	size_t i, j;

	for (i = 0; i < card->group_count; i++)
		if (card->groups[i].site != NOT_THERE)
			wanted[card->groups[i].site] = true;
	for (i = 0; i < card->site_count; i++) {
		json_t *frames, *site;

		if (!wanted[i]) {
			json_add(list, json_null());
			continue;
		}
		frames = out_need(json_array());
		for (j = 0; j < card->sites[i].count; j++) {
			json_t *frame = out_need(json_array());

			json_add(frame, json_string(card->sites[i].frames[j].user ? "user" :
						    "kernel"));
			json_add(frame, json_text(card->sites[i].frames[j].text));
			json_add(frames, frame);
		}
		site = out_need(json_object());
		json_put(site, "main", json_count(card->sites[i].main));
		json_put(site, "frames", frames);
		json_add(list, site);
	}
	free(wanted);
	return list;
}

static json_t *nodes_json(const struct report_card *card)
{
	static const char *const kinds[] = { "all", "process", "others", "user", "kernel",
					     "label", "unknown" };
	json_t *list = out_need(json_array());
	size_t i;

	for (i = 0; i < card->node_count; i++) {
		const struct report_node *node = &card->nodes[i];
		json_t *one = out_need(json_array());

		json_add(one, node->parent == NOT_THERE ? json_integer(-1) :
			 json_count(node->parent));
		json_add(one, json_string(kinds[node->kind]));
		json_add(one, json_text(node->name));
		json_add(one, json_count(node->bytes));
		json_add(one, json_count(node->leaked));
		json_add(one, json_count(node->objects));
		json_add(list, one);
	}
	return list;
}

const char *report_event_name(enum report_event_type type)
{
	static const char *const names[REPORT_EVENTS] = {
		[REPORT_ALERT] = "alert", [REPORT_CLEAR] = "clear", [REPORT_WEDGED] = "wedged",
		[REPORT_ADDED] = "added", [REPORT_REMOVED] = "removed", [REPORT_LOST] = "lost",
		[REPORT_RATING] = "rating", [REPORT_UNFREED] = "unfreed", [REPORT_AGED] = "aged",
	};

	return names[type];
}

static json_t *event_json(const struct report_event *event)
{
	json_t *object = out_need(json_object());
	bool rating = event->type == REPORT_RATING;

	json_put(object, "ms", json_count(event->ms));
	json_put(object, "event", json_string(report_event_name(event->type)));
	json_put(object, "pid", event->pid ? json_integer(event->pid) : json_null());
	json_put(object, "comm", json_text(event->comm));
	json_put(object, "label", *event->label ? json_text(event->label) : json_null());
	json_put(object, "from", rating ? json_string(rating_name(event->from)) : json_null());
	json_put(object, "to", rating ? json_string(rating_name(event->to)) : json_null());
	json_put(object, "leak", json_boolean(rating && rating_is_leak(event->to)));
	json_put(object, "bytes", json_count(event->bytes));
	json_put(object, "objects", json_count(event->objects));
	json_put(object, "threshold", json_count(event->threshold));
	return object;
}

uint64_t report_leaked(const struct report_card *card, uint64_t *objects)
{
	uint64_t bytes = 0;
	size_t i;

	*objects = 0;
	for (i = 0; i < card->sum_count; i++) {
		if (!card->sums[i].leak)
			continue;
		bytes += card->sums[i].bytes;
		*objects += card->sums[i].objects;
	}
	return bytes;
}

uint64_t report_full_ms(const struct report_card *card)
{
	uint64_t rate = card->vram_per_minute;
	uint64_t room = card->total[PDDGPU_REGION_VRAM] - card->used[PDDGPU_REGION_VRAM];

	if (!rate || card->total[PDDGPU_REGION_VRAM] < card->used[PDDGPU_REGION_VRAM])
		return 0;
	return (uint64_t)((double)room / (double)rate * 60000) + 1;
}

void report_json_judged(json_t *object, const struct report_card *card)
{
	json_t *log = out_need(json_array());
	uint64_t objects, bytes = report_leaked(card, &objects);
	uint64_t full = report_full_ms(card);
	size_t i;

	json_put(object, "leaked_bytes", card->judged ? json_count(bytes) : json_null());
	json_put(object, "leaked_objects", card->judged ? json_count(objects) : json_null());
	json_put(object, "per_minute", json_count(card->per_minute));
	json_put(object, "full_ms", full ? json_count(full) : json_null());
	json_put(object, "ratings", sums_json(card));
	json_put(object, "groups", groups_json(card));
	json_put(object, "groups_all", json_count(card->groups_all));
	json_put(object, "sites", sites_json(card));
	json_put(object, "flame", nodes_json(card));
	json_put(object, "flame_more", json_boolean(card->nodes_more));
	for (i = 0; i < card->event_count; i++)
		json_add(log, event_json(&card->events[i]));
	json_put(object, "log", log);
	json_put(object, "log_all", json_count(card->events_all));
}
