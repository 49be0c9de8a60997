// SPDX-License-Identifier: MIT
/* What a session has left, for people and for programs */
#include <inttypes.h>
#include <stdlib.h>

#include "facts.h"
#include "json.h"
#include "left.h"
#include "out.h"
#include "text.h"

static void print_text(FILE *to, const char *raw)
{
	char *text = text_printable(raw);

	fputs(text, to);
	free(text);
}

static void print_kinds(FILE *to, const struct left_group *group)
{
	static const char *const kinds[PDDGPU_STATES_OWNED] = {
		"that a process has still", "kept by a dma-buf or a mapping",
		"waiting for a fence",
	};
	const char *comma = ": ";
	unsigned int i;

	if (group->unfreed_objects) {
		fprintf(to, "%s%" PRIu64 " not freed when the card was closed", comma,
			group->unfreed_objects);
		comma = ", ";
	}
	for (i = 0; i < PDDGPU_STATES_OWNED; i++) {
		if (!group->kept_states[i])
			continue;
		fprintf(to, "%s%" PRIu64 " %s", comma, group->kept_states[i], kinds[i]);
		comma = ", ";
	}
}

static void print_group(FILE *to, const struct left_group *group, const struct card *card,
			struct sites *sites, bool several)
{
	char size[OUT_SIZE_MAX];

	fprintf(to, "  %s in %" PRIu64 " buffer%s", out_size(size, group->bytes),
		group->objects, group->objects == 1 ? "" : "s");
	print_kinds(to, group);
	fputs("\n    ", to);
	print_text(to, group->comm);
	if (group->processes > 1)
		fprintf(to, " (%" PRIu64 " processes)", group->processes);
	else
		fprintf(to, " (pid %" PRIu32 ")", group->pid);
	if (*group->label) {
		fputs(", label ", to);
		print_text(to, group->label);
	}
	if (several)
		fprintf(to, ", %s", card->id.pci);
	putc('\n', to);
	site_print(to, sites_get(sites, card->dev, group->site), 6, false);
}

void left_print(FILE *to, const struct left *left, struct sites *sites, uint64_t max)
{
	size_t i;

	for (i = 0; i < left->count && (!max || i < max); i++) {
		const struct left_group *group = &left->groups[i];

		print_group(to, group, &left->cards->card[group->card], sites,
			    left->cards->count > 1);
	}
	if (i < left->count)
		fprintf(to, "  and %zu more places\n", left->count - i);
}

static json_t *group_json(const struct left_group *group, const struct card *card,
			  struct sites *sites)
{
	const struct site *site = sites_get(sites, card->dev, group->site);
	const char *name = site_name(site);
	json_t *object = out_need(json_object());
	unsigned int i;

	json_put(object, "bytes", json_count(group->bytes));
	json_put(object, "objects", json_count(group->objects));
	json_put(object, "unfreed_bytes", json_count(group->unfreed_bytes));
	json_put(object, "unfreed", json_count(group->unfreed_objects));
	json_put(object, "kept_bytes", json_count(group->kept_bytes));
	json_put(object, "kept", json_count(group->kept_objects));
	for (i = 0; i < PDDGPU_STATES_OWNED; i++)
		json_put(object, state_names[i], json_count(group->kept_states[i]));
	json_put(object, "comm", json_text(group->comm));
	json_put(object, "pid", json_count(group->pid));
	json_put(object, "processes", json_count(group->processes));
	json_put(object, "label", *group->label ? json_text(group->label) : json_null());
	json_put(object, "site", json_count(group->site));
	json_put(object, "place", name ? json_text(name) : json_null());
	json_put(object, "frames", site_json(site));
	return object;
}

json_t *left_json(const struct left *left, struct sites *sites)
{
	json_t *devices = out_need(json_array());
	unsigned int i;
	size_t j;

	for (i = 0; i < left->cards->count; i++) {
		const struct card *card = &left->cards->card[i];
		const struct left_card *own = &left->card[i];
		json_t *object = card_json(card), *groups = out_need(json_array());

		json_put(object, "error", own->error ? json_text(pddgpu_strerror(own->error)) :
			 json_null());
		json_put(object, "bytes", json_count(own->bytes));
		json_put(object, "objects", json_count(own->objects));
		json_put(object, "lost", json_count(own->lost));
		for (j = 0; j < left->count; j++)
			if (left->groups[j].card == i)
				json_add(groups, group_json(&left->groups[j], card, sites));
		json_put(object, "groups", groups);
		json_add(devices, object);
	}
	return devices;
}
