// SPDX-License-Identifier: MIT
/* What is thought of buffers, for people and for programs */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "facts.h"
#include "json.h"
#include "out.h"
#include "text.h"
#include "looks_print.h"

#define NS_PER_MS	1000000
/* Groups that are no leaks, where nobody has said how many */
#define OTHERS		10

static const char *const rating_words[RATINGS] = {
	[RATING_NEW] = "new",
	[RATING_IN_USE] = "in_use",
	[RATING_CACHED] = "cached",
	[RATING_IDLE] = "idle",
	[RATING_GROWING] = "growing",
	[RATING_ORPHANED] = "orphaned",
	[RATING_STUCK] = "stuck",
};

/* How long free memory lasts, ms; 0: for ever, as far as is known; 1 where none is left */
static uint64_t lasts_ms(uint64_t free_bytes, uint64_t per_minute)
{
	double ms = per_minute ? (double)free_bytes / (double)per_minute * 60000 : 0;

	if (per_minute && ms < 1)
		return 1;
	return ms < 1e15 ? (uint64_t)ms : 0;
}

/* ---- text ---- */

static void print_text(FILE *to, const char *raw)
{
	char *text = text_printable(raw);

	fputs(text, to);
	free(text);
}

/* Groups of one owner are many, and it takes a while to find out */
static enum alive is_alive(const struct verdict_group *group)
{
	static struct known {
		uint32_t pid;
		time_t when;
		enum alive alive;
		char comm[16];
	} known[64];
	struct known *one = &known[group->pid % 64];
	time_t now = time(NULL);

	if (one->pid != group->pid || one->when != now || strcmp(one->comm, group->comm) != 0) {
		one->pid = group->pid;
		one->when = now;
		memcpy(one->comm, group->comm, sizeof(one->comm));
		one->alive = process_alive((int32_t)group->pid, group->comm);
	}
	return one->alive;
}

void verdict_print_owner(FILE *to, const struct verdict_group *group)
{
	enum alive alive = is_alive(group);

	if (!group->pid && !*group->comm) {
		fputs("nobody", to);
	} else {
		print_text(to, group->comm);
		fprintf(to, " (pid %" PRIu32 "%s%s%s%s)", group->pid,
			alive == ALIVE_NO ? ", " : "", alive == ALIVE_NO ? out_on(OUT_WARN) : "",
			alive == ALIVE_NO ? "exited" : "", alive == ALIVE_NO ? out_off() : "");
	}
	if (*group->label) {
		fputs(", label ", to);
		print_text(to, group->label);
	}
}

void verdict_print_size(FILE *to, const struct verdict_group *group)
{
	bool leak = rating_is_leak(group->rating);
	uint64_t objects = leak ? group->leaked_objects : group->objects;
	char size[OUT_SIZE_MAX];

	fprintf(to, "%s in %" PRIu64 " buffer%s",
		out_size(size, leak ? group->leaked_bytes : group->bytes), objects,
		objects == 1 ? "" : "s");
	if (objects != group->objects)
		fprintf(to, " of %" PRIu64, group->objects);
	if (group->per_minute)
		fprintf(to, ", %s more each minute", out_size(size, group->per_minute));
}

static enum out_style style_of(enum rating rating)
{
	if (rating_is_leak(rating))
		return OUT_BAD;
	return rating == RATING_IN_USE ? OUT_GOOD : rating == RATING_CACHED ? OUT_WARN : OUT_DIM;
}

static void print_group(FILE *to, const struct verdict_group *group, const struct site *site)
{
	bool leak = rating_is_leak(group->rating);
	char oldest[OUT_SIZE_MAX], idle[OUT_SIZE_MAX];

	fprintf(to, "\n  %s%s%s  ", out_on(style_of(group->rating)), rating_name(group->rating),
		out_off());
	verdict_print_size(to, group);
	fprintf(to, ", the oldest %s", out_time(oldest, group->oldest_ns / NS_PER_MS));
	if (leak)
		fprintf(to, ", unused for %s", out_time(idle, group->idle_ns / NS_PER_MS));
	fputs("\n    ", to);
	verdict_print_owner(to, group);
	fprintf(to, "\n    %s\n", group->why);
	if (leak)
		site_print(to, site, 6, true);
}

static void print_head(FILE *to, const struct looked *looked)
{
	struct looks_sum sum = looks_sum(looked);
	uint64_t lasts = lasts_ms(looked->vram_free, sum.vram_per_minute);
	char text[OUT_SIZE_MAX];

	fprintf(to, "%s%s%s  looked for %s: ", out_on(OUT_TITLE), looked->card.id.pci, out_off(),
		out_time(text, verdict_span(looked->verdict) / NS_PER_MS));
	if (!sum.objects) {
		fprintf(to, "%sno leaks%s\n", out_on(OUT_GOOD), out_off());
		return;
	}
	fprintf(to, "%s%s in %" PRIu64 " buffer%s leaked%s", out_on(OUT_BAD),
		out_size(text, sum.bytes), sum.objects, sum.objects == 1 ? "" : "s", out_off());
	if (sum.per_minute)
		fprintf(to, ", %s more each minute", out_size(text, sum.per_minute));
	if (lasts)
		fprintf(to, "; VRAM lasts for %s", out_time(text, lasts));
	putc('\n', to);
}

void verdict_print(FILE *to, const struct looked *looked, struct sites *sites, uint64_t max)
{
	static const struct site nowhere;
	const struct verdict_group *const *groups;
	size_t count, others = 0, i;

	print_head(to, looked);
	groups = verdict_groups(looked->verdict, &count);
	for (i = 0; i < count && (!max || i < max); i++) {
		bool leak = rating_is_leak(groups[i]->rating);

		/* Leaks are in front */
		if (!leak && max == VERDICT_MAX_PRESET && others++ == OTHERS)
			break;
		print_group(to, groups[i], leak ? sites_get(sites, looked->card.dev,
							    groups[i]->site) : &nowhere);
	}
	if (i < count)
		fprintf(to, "\n  and %zu more group%s\n", count - i, count - i == 1 ? "" : "s");
}

/* ---- JSON ---- */

static json_t *ratings_json(const struct verdict_group *group)
{
	json_t *all = out_need(json_object());
	unsigned int i;

	for (i = 0; i < RATINGS; i++) {
		json_t *one = out_need(json_object());

		json_put(one, "objects", json_count(group->rated_objects[i]));
		json_put(one, "bytes", json_count(group->rated_bytes[i]));
		json_put(all, rating_words[i], one);
	}
	return all;
}

static json_t *group_json(const struct verdict_group *group, const struct site *site)
{
	enum alive alive = is_alive(group);
	const char *place = site_name(site);
	json_t *object = out_need(json_object());

	json_put(object, "rating", json_string(rating_words[group->rating]));
	json_put(object, "leak", json_boolean(rating_is_leak(group->rating)));
	json_put(object, "why", json_text(group->why));
	json_put(object, "bytes", json_count(group->bytes));
	json_put(object, "objects", json_count(group->objects));
	json_put(object, "leaked_bytes", json_count(group->leaked_bytes));
	json_put(object, "leaked_objects", json_count(group->leaked_objects));
	json_put(object, "ratings", ratings_json(group));
	json_put(object, "per_minute", json_count(group->per_minute));
	json_put(object, "oldest_ns", json_count(group->oldest_ns));
	json_put(object, "idle_ns", json_count(group->idle_ns));
	json_put(object, "usual_ns", json_count(group->usual_ns));
	json_put(object, "freed", json_count(group->freed));
	json_put(object, "client_id", json_count(group->client_id));
	json_put(object, "pid", group->pid ? json_count(group->pid) : json_null());
	json_put(object, "comm", *group->comm ? json_text(group->comm) : json_null());
	json_put(object, "exited", alive == ALIVE_UNKNOWN ? json_null() :
		 json_boolean(alive == ALIVE_NO));
	json_put(object, "label", *group->label ? json_text(group->label) : json_null());
	json_put(object, "site", json_count(group->site));
	json_put(object, "place", place ? json_text(place) : json_null());
	json_put(object, "frames", site_json(site));
	return object;
}

json_t *verdict_json(const struct looked *looked, struct sites *sites, uint64_t max)
{
	json_t *object = out_need(json_object()), *list = out_need(json_array());
	const struct verdict_group *const *groups;
	struct looks_sum sum = looks_sum(looked);
	uint64_t lasts = lasts_ms(looked->vram_free, sum.vram_per_minute);
	size_t count, i;

	json_put(object, "span_ns", json_count(verdict_span(looked->verdict)));
	json_put(object, "leaked_bytes", json_count(sum.bytes));
	json_put(object, "leaked_objects", json_count(sum.objects));
	json_put(object, "per_minute", json_count(sum.per_minute));
	json_put(object, "vram_free", json_count(looked->vram_free));
	json_put(object, "lasts_ms", lasts ? json_count(lasts) : json_null());
	groups = verdict_groups(looked->verdict, &count);
	json_put(object, "groups_count", json_count(count));
	for (i = 0; i < count && (!max || i < max); i++)
		json_add(list, group_json(groups[i], sites_get(sites, looked->card.dev,
							       groups[i]->site)));
	json_put(object, "groups", list);
	return object;
}

json_t *verdict_card_json(const struct looked *looked, struct sites *sites, uint64_t max)
{
	json_t *object = card_json(&looked->card), *more;
	int error = looked->card.error;

	json_put(object, "error", error ? json_text(pddgpu_strerror(error)) : json_null());
	if (error || !looked->verdict)
		return object;
	more = verdict_json(looked, sites, max);
	if (json_object_update(object, more))
		out_need(NULL);
	json_decref(more);
	return object;
}
