// SPDX-License-Identifier: MIT
/*
 * What is rated how, in the end: the engine's groups, or with an older driver the list of
 * what is old; and where they were allocated.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leaks.h"
#include "out.h"
#include "report.h"

static struct report_site *new_site(struct report_card *card)
{
	/* To the next power of two */
	if (!(card->site_count & (card->site_count - 1)))
		card->sites = out_need(realloc(card->sites, (card->site_count * 2 + 1) *
							    sizeof(*card->sites)));
	memset(&card->sites[card->site_count], 0, sizeof(*card->sites));
	return &card->sites[card->site_count++];
}

static void read_site(struct report_card *card, uint32_t id)
{
	const struct site *from = sites_get(card->resolver, card->card->dev, id);
	const char *name = site_name(from);
	struct report_site *site;
	unsigned int i;

	if (!from->count) {
		index_add(&card->site_of, id, NOT_THERE - 1);
		return;
	}
	index_add(&card->site_of, id, (uint32_t)card->site_count);
	site = new_site(card);
	for (i = 0; i < from->count; i++) {
		site->frames[i].user = from->frames[i].kind == PDDGPU_FRAME_USER;
		site->frames[i].text = out_need(strdup(from->texts[i]));
		if (from->texts[i] == name)
			site->main = i;
	}
	site->count = from->count;
}

static uint32_t site_of(struct report_card *card, uint32_t id)
{
	uint32_t at;

	if (!id)
		return NOT_THERE;
	if (index_find(&card->site_of, id) == NOT_THERE)
		read_site(card, id);
	at = index_find(&card->site_of, id);
	return at == NOT_THERE - 1 ? NOT_THERE : at;
}

static void take_group(struct report_card *card, const struct verdict_group *from,
		       struct report_group *group)
{
	memset(group, 0, sizeof(*group));
	group->rating = rating_name(from->rating);
	group->leak = rating_is_leak(from->rating);
	group->client_id = from->client_id;
	group->pid = (int32_t)from->pid;
	snprintf(group->comm, sizeof(group->comm), "%.*s", (int)sizeof(from->comm), from->comm);
	snprintf(group->label, sizeof(group->label), "%.*s", (int)sizeof(from->label),
		 from->label);
	group->site = site_of(card, from->site);
	group->objects = from->objects;
	group->bytes = from->bytes;
	group->leaked_objects = from->leaked_objects;
	group->leaked_bytes = from->leaked_bytes;
	group->oldest_ms = from->oldest_ns / 1000000;
	group->idle_ms = from->idle_ns / 1000000;
	group->usual_ms = from->usual_ns / 1000000;
	group->freed = from->freed;
	group->per_minute = from->per_minute;
	memcpy(group->why, from->why, sizeof(group->why));
	group->why[sizeof(group->why) - 1] = '\0';
}

static int by_bytes(const void *a, const void *b)
{
	const struct verdict_group *x = *(const struct verdict_group *const *)a;
	const struct verdict_group *y = *(const struct verdict_group *const *)b;

	if (x->leaked_bytes != y->leaked_bytes)
		return x->leaked_bytes < y->leaked_bytes ? 1 : -1;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->key > y->key) - (x->key < y->key);
}

static void judge_by_verdict(struct report_card *card)
{
	const struct verdict_group *const *groups;
	const struct verdict_group **sorted;
	struct report_group other = { 0 };
	size_t count, i, j;

	groups = verdict_groups(card->verdict, &count);
	sorted = out_need(calloc(count + 1, sizeof(void *)));
	card->sums = out_need(calloc(RATINGS, sizeof(*card->sums)));
	card->sum_count = RATINGS;
	for (j = 0; j < RATINGS; j++) {
		card->sums[j].name = rating_name((enum rating)j);
		card->sums[j].leak = rating_is_leak((enum rating)j);
	}
	for (i = 0; i < count; i++) {
		sorted[i] = groups[i];
		card->per_minute += groups[i]->per_minute;
		card->vram_per_minute += groups[i]->vram_per_minute;
		for (j = 0; j < RATINGS; j++) {
			card->sums[j].objects += groups[i]->rated_objects[j];
			card->sums[j].bytes += groups[i]->rated_bytes[j];
		}
	}
	qsort(sorted, count, sizeof(void *), by_bytes);
	card->groups = out_need(calloc(PAGE_GROUPS, sizeof(*card->groups)));
	for (i = 0; i < count; i++) {
		struct report_group *group = i < PAGE_GROUPS ? &card->groups[i] : &other;

		take_group(card, sorted[i], group);
		report_flame(card, group);
	}
	card->group_count = count < PAGE_GROUPS ? count : PAGE_GROUPS;
	card->groups_all = count;
	card->judged = true;
	free(sorted);
}

/* "a < b < c", the innermost first */
static uint32_t site_of_text(struct report_card *card, const char *stack)
{
	uint32_t at;
	uint64_t key = index_hash(INDEX_SEED, stack, strlen(stack));
	struct report_site *site;

	if (!*stack)
		return NOT_THERE;
	at = index_find(&card->site_of, key);
	if (at != NOT_THERE)
		return at;
	at = (uint32_t)card->site_count;
	site = new_site(card);
	index_add(&card->site_of, key, at);
	while (*stack && site->count < PDDGPU_SITE_FRAMES) {
		const char *end = strstr(stack, " < ");
		size_t length = end ? (size_t)(end - stack) : strlen(stack);

		site->frames[site->count++].text = out_need(strndup(stack, length));
		stack += length + (end ? 3 : 0);
	}
	return at;
}

static void take_aged(struct report_card *card, const struct leak_group *from,
		      struct report_group *group)
{
	memset(group, 0, sizeof(*group));
	group->rating = card->sums[from->confirmed ? 1 : 0].name;
	group->leak = true;
	group->pid = from->pid;
	snprintf(group->comm, sizeof(group->comm), "%s", from->comm);
	snprintf(group->label, sizeof(group->label), "%s", from->label);
	group->site = site_of_text(card, from->stack);
	group->objects = from->objects;
	group->bytes = from->bytes;
	group->leaked_objects = from->objects;
	group->leaked_bytes = from->bytes;
	group->oldest_ms = from->oldest_ms;
	snprintf(group->why, sizeof(group->why),
		 "older than buffers usually get; whether they are used is not known");
}

static int judge_by_age(struct report_card *card)
{
	static const struct leaks_filter all;
	static const struct leaks_wanted wanted = { .filter = &all };
	struct report_group other = { 0 };
	struct leaks leaks;
	size_t i;
	int ret = leaks_read_text(card->card, &wanted, &leaks);

	if (!ret) {
		card->sums = out_need(calloc(2, sizeof(*card->sums)));
		card->sum_count = 2;
		card->sums[0].name = "suspicious";
		card->sums[1].name = "confirmed";
		card->sums[0].leak = true;
		card->sums[1].leak = true;
		card->groups = out_need(calloc(PAGE_GROUPS, sizeof(*card->groups)));
		for (i = 0; i < leaks.count; i++) {
			const struct leak_group *from = &leaks.groups[i];
			struct report_group *group = i < PAGE_GROUPS ? &card->groups[i] : &other;

			take_aged(card, from, group);
			report_flame(card, group);
			card->sums[1].objects += from->confirmed;
			card->sums[1].bytes += from->confirmed_bytes;
			card->sums[0].objects += from->objects - from->confirmed;
			card->sums[0].bytes += from->bytes - from->confirmed_bytes;
		}
		card->group_count = i < PAGE_GROUPS ? i : PAGE_GROUPS;
		card->groups_all = i;
		card->judged = true;
	}
	leaks_free(&leaks);
	return ret;
}

void report_judge(struct report *report, struct report_card *card)
{
	int ret;

	if (!card->by_age) {
		if (card->time.count)
			judge_by_verdict(card);
		return;
	}
	ret = card->gone ? -ENODEV : judge_by_age(card);
	if (!ret)
		report_note(report, "The driver is an older one: what is listed as a leak is so "
			    "by its age alone.");
	else if (ret == -EACCES || ret == -EPERM)
		report_note(report, "The driver is an older one, of which only root learns which "
			    "buffers are old.");
}
