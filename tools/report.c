// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "json.h"
#include "out.h"
#include "report.h"

void report_note(struct report *report, const char *text)
{
	json_t *old;
	size_t i;

	if (!report->notes)
		report->notes = out_need(json_array());
	/* Once for all cards */
	json_array_foreach(report->notes, i, old)
		if (!strcmp(json_string_value(old), text))
			return;
	json_add(report->notes, json_text(text));
}

static void read_map(struct report *report, struct report_card *card)
{
	int error = map_read(card->card, 3, &card->map);

	if (error) {
		map_free(&card->map);
		return;
	}
	card->map_known = true;
	if (card->map.region[0].error == -ENOENT)
		report_note(report, "Without debugfs there is no map of the memory: "
			    "mount -t debugfs none /sys/kernel/debug.");
	else if (card->map.region[0].error && sees_all())
		report_note(report, "What lies where in the memory could not be read.");
}

void report_finish(struct report *report, struct report_card *card)
{
	size_t i;

	report_judge(report, card);
	if (!card->gone)
		read_map(report, card);
	for (i = 0; i < card->time.owner_count; i++) {
		struct report_owner *owner = &card->time.owners[i];

		if (owner->pid)
			owner->alive = process_alive(owner->pid, owner->comm);
	}
}

static void free_card(struct report_card *card)
{
	size_t i, j;

	for (i = 0; i < card->site_count; i++)
		for (j = 0; j < card->sites[i].count; j++)
			free(card->sites[i].frames[j].text);
	for (i = 0; i < card->node_count; i++)
		free(card->nodes[i].name);
	free(card->device);
	free(card->driver);
	free(card->groups);
	free(card->sums);
	free(card->sites);
	free(card->nodes);
	free(card->events);
	index_free(&card->site_of);
	index_free(&card->node_of);
	index_free(&card->ratings);
	time_free(&card->time);
	map_free(&card->map);
	verdict_free(card->verdict);
}

void report_free(struct report *report)
{
	size_t i;

	for (i = 0; i < report->count; i++)
		free_card(&report->cards[i]);
	free(report->cards);
	json_decref(report->notes);
	memset(report, 0, sizeof(*report));
}
