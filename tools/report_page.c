// SPDX-License-Identifier: MIT
/*
 * The page: the template with the document in it, and its main facts as tables for who
 * has no scripts. The template is made by the Makefile from what is in report/.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "out.h"
#include "report.h"
#include "text.h"

#define SUMMARY_ROWS 25

static void put_text(FILE *to, const char *raw)
{
	char *text = text_xml(raw);

	fputs(text, to);
	free(text);
}

/* In a script element nothing may look like its end, or like a comment */
static int put_json(const char *text, size_t length, void *context)
{
	FILE *to = context;

	for (; length--; text++) {
		if (*text == '<' || *text == '>' || *text == '&')
			fprintf(to, "\\u%04x", *text);
		else
			putc(*text, to);
	}
	return 0;
}

static void put_size(FILE *to, uint64_t bytes)
{
	char text[OUT_SIZE_MAX];

	fprintf(to, "<td class=\"n\">%s</td>", out_size(text, bytes));
}

static void put_owner(FILE *to, int32_t pid, const char *comm)
{
	fputs("<td>", to);
	if (pid || *comm) {
		put_text(to, comm);
		fprintf(to, " (pid %d)", pid);
	} else {
		fputs("nobody", to);
	}
	fputs("</td>", to);
}

static void put_more(FILE *to, size_t all, size_t shown)
{
	if (all > shown)
		fprintf(to, "<p>and %zu more</p>\n", all - shown);
}

static void put_regions(FILE *to, const struct report_card *card)
{
	unsigned int i;

	fputs("<table><tr><th>Memory</th><th class=\"n\">Used</th><th class=\"n\">Of</th>"
	      "<th class=\"n\">Fragmentation</th></tr>\n", to);
	for (i = 0; i < PDDGPU_REGION_CPU; i++) {
		fprintf(to, "<tr><td>%s</td>", region_titles[i]);
		put_size(to, card->used[i]);
		put_size(to, card->total[i]);
		if (card->map_known && i < card->map.regions && !card->map.region[i].error)
			fprintf(to, "<td class=\"n\">%.1f %%</td></tr>\n",
				map_fragmentation(&card->map.region[i]) * 100);
		else
			fputs("<td class=\"n\">not known</td></tr>\n", to);
	}
	fputs("</table>\n", to);
}

static void put_groups(FILE *to, const struct report_card *card)
{
	size_t i;

	if (!card->judged)
		return;
	fputs("<h3>Buffers by owner and place</h3>\n<table><tr><th>Rating</th><th>Owner</th>"
	      "<th>Label</th><th class=\"n\">Leaked</th><th class=\"n\">All</th>"
	      "<th class=\"n\">Buffers</th><th>Why</th></tr>\n", to);
	for (i = 0; i < card->group_count && i < SUMMARY_ROWS; i++) {
		const struct report_group *group = &card->groups[i];

		fprintf(to, "<tr><td>%s</td>", group->rating);
		put_owner(to, group->pid, group->comm);
		fputs("<td>", to);
		put_text(to, group->label);
		fputs("</td>", to);
		put_size(to, group->leaked_bytes);
		put_size(to, group->bytes);
		fprintf(to, "<td class=\"n\">%" PRIu64 "</td><td>", group->objects);
		put_text(to, group->why);
		fputs("</td></tr>\n", to);
	}
	fputs("</table>\n", to);
	put_more(to, card->groups_all, i);
}

static void put_owners(FILE *to, const struct report_card *card)
{
	uint32_t *ranked = time_ranked(&card->time);
	size_t i;

	fputs("<h3>Who has memory</h3>\n<table><tr><th>Owner</th><th class=\"n\">VRAM</th>"
	      "<th class=\"n\">GTT</th><th class=\"n\">System</th>"
	      "<th class=\"n\">Most at once</th></tr>\n", to);
	for (i = 0; i < card->time.owner_count && i < SUMMARY_ROWS; i++) {
		const struct report_owner *owner = &card->time.owners[ranked[i]];

		fputs("<tr>", to);
		put_owner(to, owner->pid, owner->comm);
		put_size(to, owner->now[PDDGPU_REGION_VRAM]);
		put_size(to, owner->now[PDDGPU_REGION_GTT]);
		put_size(to, owner->now[PDDGPU_REGION_CPU]);
		put_size(to, owner->peak);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
	put_more(to, card->time.owner_count, i);
	free(ranked);
}

static void put_card(FILE *to, const struct report_card *card)
{
	char size[OUT_SIZE_MAX];
	uint64_t objects, bytes = report_leaked(card, &objects);

	fputs("<h2>", to);
	put_text(to, card->name);
	fputs(" ", to);
	put_text(to, card->device);
	fputs("</h2>\n", to);
	if (card->error && !card->time.count) {
		fputs("<p>It could not be looked at: ", to);
		put_text(to, pddgpu_strerror(card->error));
		fputs(".</p>\n", to);
		return;
	}
	if (card->judged)
		fprintf(to, "<p>%" PRIu64 " buffers of %s are taken for leaks.</p>\n", objects,
			out_size(size, bytes));
	put_regions(to, card);
	put_groups(to, card);
	put_owners(to, card);
}

static void put_summary(FILE *to, const struct report *report)
{
	const json_t *note;
	size_t i;

	json_array_foreach(report->notes, i, note) {
		fputs("<p>", to);
		put_text(to, json_string_value(note));
		fputs("</p>\n", to);
	}
	for (i = 0; i < report->count; i++)
		put_card(to, &report->cards[i]);
}

static void put_when(FILE *to, const struct report *report)
{
	time_t seconds = (time_t)(report->made_ms / 1000);
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
	fputs(text, to);
}

void report_page(FILE *to, const struct report *report, const json_t *document)
{
	static const char *const markers[] = { "<!--when-->", "<!--summary-->", "<!--data-->" };
	const char *at = report_template, *end = report_template_end;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		const char *marker = memmem(at, (size_t)(end - at), markers[i], strlen(markers[i]));

		/* The Makefile has seen to it that they are there, in that order */
		if (!marker)
			break;
		fwrite(at, 1, (size_t)(marker - at), to);
		at = marker + strlen(markers[i]);
		if (!i)
			put_when(to, report);
		else if (i == 1)
			put_summary(to, report);
		else
			json_dump_callback(document, put_json, to, JSON_COMPACT |
					   JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
	}
	fwrite(at, 1, (size_t)(end - at), to);
}
