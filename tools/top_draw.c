// SPDX-License-Identifier: MIT
/* How the screen is shared out, its first and last line, and help */
#include <ncurses.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "out.h"
#include "top.h"

static const char * const help[] = {
	"q F10        quit",
	"up down      select, also j k; page up and down, home, end",
	"Enter i      more of the one that is selected",
	"Tab          the next card; after the last, all",
	"t F5         clients, processes, or a tree of both",
	"/ F4         filter by name, user, driver, card or PID; Esc ends it",
	"s > F6       sort by ...",
	"V G S M      sort by VRAM, GTT, system memory, or all of it",
	"R B E        sort by growth, engine time, evictions",
	"P U N        sort by PID, user, name; once more turns it round, as does I",
	"p space      pause",
	"+ -          faster, slower",
	"o            with or without processes that have exited",
	"",
	"K M G T are KiB, MiB, GiB, TiB.",
	"/MIN   growth of all its memory in the last minute",
	"BUSY%  time of the engine that it uses most; EVICT its buffers evicted",
	"Bars   who has the memory, the largest first; k is what is no client's,",
	"       X orphaned: no handle, but still held; z freed, waiting for a fence",
};

int top_help_lines(void)
{
	return (int)(sizeof(help) / sizeof(*help));
}

void top_draw_help(struct top *top)
{
	put(0, 0, top->width, LOOK_TITLE, "%s: keys (any other goes back)", top->source->title);
	for (int y = 1; y < top->height; y++) {
		int line = y - 1 + (int)top->help_line;

		if (line >= top_help_lines())
			break;
		put(y, 1, top->width - 1, LOOK_PLAIN, "%s", help[line]);
	}
}

static void draw_sort(const struct top *top)
{
	unsigned int room = top->height > 1 ? (unsigned int)top->height - 1 : 1;
	unsigned int first = top->menu >= room ? top->menu - room + 1 : 0;

	for (int y = 0; y < top->height; y++)
		fill(y, 0, 16, LOOK_PLAIN, ' ');
	put(0, 0, 15, LOOK_HEAD, "Sort by        ");
	for (unsigned int i = first; i < SORTS && i - first < room; i++)
		put((int)(i - first) + 1, 0, 15, i == top->menu ? LOOK_SELECTED : LOOK_PLAIN,
		    "%c%-14s", i == top->view.sort ? '*' : ' ', rows_sorts[i]);
}

static void draw_title(const struct top *top)
{
	static const char * const groups[GROUPS] = { "client", "process", "line" };
	static const char * const many[GROUPS] = { "clients", "processes", "lines" };
	const struct sample *sample = top->sample;
	time_t seconds = (time_t)(sample->wall_ms / 1000);
	char when[16] = "", pace[32];
	struct tm local;
	int x;

	if (localtime_r(&seconds, &local))
		strftime(when, sizeof(when), "%H:%M:%S", &local);
	if (top->source->gap)
		snprintf(pace, sizeof(pace), "x%g", top->speed);
	else
		snprintf(pace, sizeof(pace), "%g s", (double)top->delay_ms / 1000);
	x = (int)strlen(top->source->title) + 2;
	put(0, 0, top->width, LOOK_TITLE, "%s", top->source->title);
	put(0, x, top->width - x, LOOK_PLAIN, "%s  %s  %zu %s, by %s%s", when, pace,
	    top->rows.count, (top->rows.count == 1 ? groups : many)[top->view.group],
	    rows_sorts[top->view.sort],
	    top->view.reverse ? " reversed" : "");
	if (top->paused || top->ended)
		put_right(0, top->width - 8, 8, LOOK_WARN, "%s", top->ended ? " the end" :
			  "  PAUSED");
}

/* What the list does not show, and why */
static void missing(const struct top *top, char *text, size_t size)
{
	const struct sample *sample = top->sample;
	bool pddgpu = false;

	*text = '\0';
	for (size_t i = 0; i < sample->nr_cards; i++)
		pddgpu |= sample->cards[i].owned;
	if (top->source->gap)
		return;
	if (sample->totals.denied)
		snprintf(text, size, "%u processes hidden: root sees all", sample->totals.denied);
	else if (pddgpu && !sample->owners_known)
		snprintf(text, size, "root sees who exited, too");
	else if (sample->totals.silent)
		snprintf(text, size, "%u file%s of drivers that show nothing",
			 sample->totals.silent, sample->totals.silent == 1 ? "" : "s");
}

static void draw_keys(const struct top *top, int y)
{
	static const struct { const char *key, *name; } keys[] = {
		{ "F1", "Help" }, { "F4", "Filter" }, { "F5", "Tree" }, { "F6", "Sort" },
		{ "p", "Pause" }, { "Tab", "Card" }, { "Enter", "More" }, { "q", "Quit" },
	};
	char text[64];
	int x = 0, length;

	if (top->mode == TOP_FILTER) {
		put(y, 0, top->width, LOOK_TITLE, "Filter: %s_", top->view.filter);
		return;
	}
	missing(top, text, sizeof(text));
	length = (int)strlen(text);
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		int key = (int)strlen(keys[i].key), name = (int)strlen(keys[i].name);

		if (x + key + name + 1 > top->width)
			break;
		put(y, x, key, LOOK_TITLE, "%s", keys[i].key);
		put(y, x + key, name, LOOK_KEY, "%s", keys[i].name);
		x += key + name + 1;
	}
	if (*top->view.filter && x + 9 < top->width) {
		put(y, x, top->width - x, LOOK_WARN, "Filter: %s", top->view.filter);
		x += 8 + (int)strlen(top->view.filter) + 1;
	}
	if (length && x + length + 1 <= top->width)
		put_right(y, x, top->width - x, LOOK_DIM, "%s", text);
}

/*
 * The list has half of the screen or more, but for the smallest. What there is not room
 * for goes: first the graphs, then all but one line of each card, then the keys.
 */
static void draw_all(struct top *top)
{
	int height = top->height, y = 0, end = height, details = 0;

	if (height >= 4)
		draw_title(top);
	y += height >= 4;
	if (height >= 10)
		draw_keys(top, --end);
	else if (top->mode == TOP_FILTER)
		draw_keys(top, --end);
	y += top_draw_cards(top, y, height < 3 ? 0 : height < 10 ? 1 : height < 20 ? height / 4 :
			    height / 3);
	if (height >= 24)
		y += top_draw_graphs(top, y, height >= 32 ? 6 : height >= 28 ? 5 : 4);
	if (top->details) {
		details = (end - y) * 2 / 3;
		if (details > top_details_lines(top))
			details = top_details_lines(top);
		end -= details;
	}
	top_draw_list(top, y, end - y);
	top_draw_details(top, end, details);
}

void top_draw(struct top *top)
{
	getmaxyx(stdscr, top->height, top->width);
	erase();
	if (top->mode == TOP_HELP) {
		top_draw_help(top);
	} else {
		draw_all(top);
		if (top->mode == TOP_SORT)
			draw_sort(top);
	}
	refresh();
}
