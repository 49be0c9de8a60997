// SPDX-License-Identifier: MIT
/* The list of clients or processes */
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "top.h"

/* More than this in a minute is worth a colour. */
#define GROWTH_WARN (1 << 20)
#define GROWTH_BAD (16 << 20)
#define NAME_MIN 8
#define NAME_WIDE 18	/* on a screen of so many columns */
#define NAME_WIDE_FROM 60

enum column {
	COLUMN_PID, COLUMN_USER, COLUMN_DRIVER, COLUMN_CARD, COLUMN_CLIENT, COLUMN_VRAM,
	COLUMN_GTT, COLUMN_SYSTEM, COLUMN_GROWTH, COLUMN_BUSY, COLUMN_EVICTIONS, COLUMN_NAME,
	COLUMNS
};

static const struct {
	const char *title;
	int width;
	int rank;		/* the lowest are there on the narrowest screen */
	bool left;
	enum rows_sort sort;
} columns[COLUMNS] = {
	[COLUMN_PID] = { "PID", 7, 3, false, SORT_PID },
	[COLUMN_USER] = { "USER", 8, 8, true, SORT_USER },
	[COLUMN_DRIVER] = { "DRIVER", 8, 7, true, SORT_DRIVER },
	[COLUMN_CARD] = { "CARD", 12, 10, true, SORTS },
	[COLUMN_CLIENT] = { "CLIENT", 6, 11, false, SORT_CLIENT },
	[COLUMN_VRAM] = { "VRAM", 6, 1, false, SORT_VRAM },
	[COLUMN_GTT] = { "GTT", 6, 4, false, SORT_GTT },
	[COLUMN_SYSTEM] = { "SYS", 6, 9, false, SORT_SYSTEM },
	[COLUMN_GROWTH] = { "/MIN", 7, 2, false, SORT_GROWTH },
	[COLUMN_BUSY] = { "BUSY%", 5, 5, false, SORT_BUSY },
	[COLUMN_EVICTIONS] = { "EVICT", 6, 6, false, SORT_EVICTIONS },
	[COLUMN_NAME] = { "NAME", NAME_MIN, 0, true, SORT_NAME },
};

/*
 * Which columns there is room for. A card without memory of its own has no VRAM: then
 * that column's place is the system memory's.
 */
static unsigned int choose(const struct top *top)
{
	unsigned int chosen = 1u << COLUMN_NAME, any_vram = 0, any_evictions = 0;
	int left = top->width - (top->width < NAME_WIDE_FROM ? NAME_MIN : NAME_WIDE);

	for (size_t i = 0; i < top->rows.count; i++) {
		any_vram |= top->rows.row[i].used[REGION_VRAM] != 0;
		any_evictions |= top->rows.row[i].has_evictions;
	}
	for (size_t i = 0; i < top->sample->nr_cards; i++)
		any_vram |= top->sample->cards[i].total[REGION_VRAM] != 0;
	for (int rank = 1; rank <= 11; rank++) {
		for (unsigned int i = 0; i < COLUMNS; i++) {
			unsigned int column = i;

			if (columns[i].rank != rank)
				continue;
			if (!any_vram && i == COLUMN_VRAM)
				column = COLUMN_SYSTEM;
			else if (!any_vram && i == COLUMN_SYSTEM)
				column = COLUMN_VRAM;
			if (i == COLUMN_EVICTIONS && !any_evictions)
				continue;
			if (i == COLUMN_CARD && top->sample->nr_cards < 2)
				continue;
			if (left < columns[column].width + 1)
				return chosen;
			left -= columns[column].width + 1;
			chosen |= 1u << column;
		}
	}
	return chosen;
}

static int width_of(const struct top *top, unsigned int chosen, enum column column)
{
	int left = top->width;

	if (column != COLUMN_NAME)
		return columns[column].width;
	for (unsigned int i = 0; i < COLUMN_NAME; i++)
		if (chosen & 1u << i)
			left -= columns[i].width + 1;
	return left;
}

static void draw_head(const struct top *top, int y, unsigned int chosen)
{
	int x = 0;

	fill(y, 0, top->width, LOOK_HEAD, ' ');
	for (unsigned int i = 0; i < COLUMNS; i++) {
		bool sorted = columns[i].sort == top->view.sort;
		enum look look = sorted ? LOOK_SELECTED : LOOK_HEAD;
		int width = width_of(top, chosen, i);

		if (!(chosen & 1u << i))
			continue;
		if (columns[i].left)
			put(y, x, width, look, "%s", columns[i].title);
		else
			put_right(y, x, width, look, "%s", columns[i].title);
		x += width + 1;
	}
}

static enum look growth_look(const struct row *row)
{
	return row->growth >= GROWTH_BAD ? LOOK_BAD : row->growth >= GROWTH_WARN ? LOOK_WARN :
	       row->growth > 0 ? LOOK_PLAIN : LOOK_DIM;
}

static void draw_name(const struct top *top, const struct row *row, int y, int x, int width,
		      enum look look)
{
	const char *label = row->kind == ROW_CLIENT ? row->client->info.label : "";

	if (row->child) {
		put(y, x, width, look, screen.utf8 ? row->last ? "└─ " : "├─ " :
						  row->last ? "`- " : "|- ");
		x += 3;
		width -= 3;
		put(y, x, width, look, "client %llu%s%s", (unsigned long long)row->id,
		    *label ? " " : "", label);
		return;
	}
	for (unsigned int i = 0; i < TOP_OWNERS && width > 2 && row->kind != ROW_EXITED; i++) {
		if (!top->owners[i].set || top->owners[i].pid != row->pid)
			continue;
		/* Its colour in the bars */
		if (screen.colour)
			fill(y, x, 1, LOOK_OWNER + i, ' ');
		break;
	}
	if (screen.colour) {
		x += 2;
		width -= 2;
	}
	if (row->kind == ROW_EXITED)
		put(y, x, width, look, "%s (exited)", *row->comm ? row->comm : "?");
	else if (row->kind == ROW_PROCESS && row->clients > 1)
		put(y, x, width, look, "%s (%u)", row->comm, row->clients);
	else
		put(y, x, width, look, "%s%s%s", *row->comm ? row->comm : "?",
		    *label ? " " : "", label);
}

static void draw_size(int y, int x, int width, enum look look, uint64_t bytes)
{
	char text[SHORT_SIZE];

	put_right(y, x, width, look == LOOK_PLAIN && !bytes ? LOOK_DIM : look, "%s",
		  short_size(text, bytes));
}

static void draw_figure(const struct row *row, enum column column, int y, int x, int width,
			enum look look)
{
	bool plain = look == LOOK_PLAIN;
	char text[SHORT_SIZE];

	switch (column) {
	case COLUMN_VRAM:
	case COLUMN_GTT:
	case COLUMN_SYSTEM:
		draw_size(y, x, width, look, row->used[column - COLUMN_VRAM]);
		break;
	case COLUMN_GROWTH:
		if (row->growing)
			put_right(y, x, width, plain ? growth_look(row) : look, "%s",
				  short_growth(text, row->growth));
		else
			put_right(y, x, width, plain ? LOOK_DIM : look, "-");
		break;
	case COLUMN_BUSY:
		if (row->history && row->client->info.nr_engines)
			put_right(y, x, width, plain && row->busy < 0.05 ? LOOK_DIM : look,
				  "%.1f", (double)row->busy);
		else
			put_right(y, x, width, plain ? LOOK_DIM : look, "-");
		break;
	case COLUMN_EVICTIONS:
		if (row->has_evictions)
			put_right(y, x, width, plain && !row->evictions ? LOOK_DIM : look,
				  "%llu", (unsigned long long)row->evictions);
		else
			put_right(y, x, width, plain ? LOOK_DIM : look, "-");
		break;
	default:
		break;
	}
}

static void draw_row(const struct top *top, const struct row *row, int y, unsigned int chosen,
		     bool selected)
{
	enum look look = selected ? LOOK_SELECTED : row->kind == ROW_EXITED ? LOOK_BAD :
			 LOOK_PLAIN;
	int x = 0;

	if (selected)
		fill(y, 0, top->width, LOOK_SELECTED, ' ');
	for (unsigned int i = 0; i < COLUMNS; i++) {
		int width = width_of(top, chosen, i);

		if (!(chosen & 1u << i))
			continue;
		switch (i) {
		case COLUMN_PID:
			if (!row->child)
				put_right(y, x, width, look, "%d", row->pid);
			break;
		case COLUMN_USER:
			if (!row->child && row->kind != ROW_EXITED)
				put(y, x, width, look, "%s", rows_user(row->uid));
			break;
		case COLUMN_DRIVER:
			put(y, x, width, look, "%s", row->driver);
			break;
		case COLUMN_CARD:
			put(y, x, width, look, "%s", row->device);
			break;
		case COLUMN_CLIENT:
			if (row->kind == ROW_PROCESS && row->clients > 1)
				put_right(y, x, width, look, "*");
			else
				put_right(y, x, width, look, "%llu",
					  (unsigned long long)row->id);
			break;
		case COLUMN_NAME:
			draw_name(top, row, y, x, width, look);
			break;
		default:
			draw_figure(row, i, y, x, width, look);
			break;
		}
		x += width + 1;
	}
}

void top_draw_list(struct top *top, int y, int height)
{
	unsigned int chosen = choose(top);
	size_t room;

	if (height < 1)
		return;
	draw_head(top, y, chosen);
	room = (size_t)height - 1;
	top->page = room ? room : 1;
	if (top->selected < top->offset)
		top->offset = top->selected;
	if (room && top->selected >= top->offset + room)
		top->offset = top->selected - room + 1;
	if (top->offset + room > top->rows.count)
		top->offset = top->rows.count > room ? top->rows.count - room : 0;
	for (size_t i = 0; i < room && top->offset + i < top->rows.count; i++)
		draw_row(top, &top->rows.row[top->offset + i], y + 1 + (int)i, chosen,
			 top->offset + i == top->selected);
	if (!top->rows.count && room)
		put(y + 1, 0, top->width, LOOK_DIM, "%s", *top->view.filter ?
		    "Nothing matches the filter" : "No clients");
}

static void draw_regions(const struct fdinfo *info, int *y, int end)
{
	static const struct { const char *title; enum fdinfo_memory kind; } kinds[] = {
		{ "total", FDINFO_TOTAL }, { "shared", FDINFO_SHARED },
		{ "active", FDINFO_ACTIVE }, { "purgeable", FDINFO_PURGEABLE },
	};
	char text[SHORT_SIZE];

	if (*y >= end)
		return;
	put(*y, 1, 12, LOOK_TITLE, "region");
	put_right(*y, 13, 10, LOOK_TITLE, "used");
	for (int i = 0; i < 4; i++)
		put_right(*y, 23 + 10 * i, 10, LOOK_TITLE, "%s", kinds[i].title);
	++*y;
	for (unsigned int i = 0; i < info->nr_regions && *y < end; i++, ++*y) {
		const struct fdinfo_region *region = &info->regions[i];

		put(*y, 1, 12, LOOK_PLAIN, "%s", region->name);
		put_right(*y, 13, 10, LOOK_PLAIN, "%s", short_size(text, fdinfo_used(region)));
		for (int j = 0; j < 4; j++) {
			bool has = region->has & 1u << kinds[j].kind;

			put_right(*y, 23 + 10 * j, 10, has ? LOOK_PLAIN : LOOK_DIM, "%s",
				  has ? short_size(text, region->bytes[kinds[j].kind]) : "-");
		}
	}
}

int top_details_lines(const struct top *top)
{
	const struct fdinfo *info;

	if (top->selected >= top->rows.count)
		return 0;
	if (!top->rows.row[top->selected].client)
		return 2;
	info = &top->rows.row[top->selected].client->info;
	/* Two heads, the engines, the minute */
	return info->nr_regions + 3 + !!info->nr_engines;
}

void top_draw_details(struct top *top, int y, int height)
{
	const struct row *row;
	int end = y + height, x = 1;

	if (height < 2 || top->selected >= top->rows.count)
		return;
	row = &top->rows.row[top->selected];
	fill(y, 0, top->width, LOOK_HEAD, ' ');
	put(y, 1, top->width - 1, LOOK_HEAD, "%s %s  %s, pid %d  client %llu%s",
	    row->driver, row->device, row->comm, row->pid, (unsigned long long)row->id,
	    row->kind == ROW_PROCESS && row->clients > 1 ? ", its largest" : "");
	y++;
	if (!row->client) {
		put(y, 1, top->width - 1, LOOK_BAD,
		    "The process has exited; its buffers are still held: pddgpu leaks");
		return;
	}
	/* The last line of it is the minute's. */
	draw_regions(&row->client->info, &y, height > 4 ? end - 2 : end);
	if (y < end && row->client->info.nr_engines) {
		for (unsigned int i = 0; i < row->client->info.nr_engines; i++) {
			char text[NAME_BYTES + 16];
			int length = snprintf(text, sizeof(text), "%s %.1f%%  ",
					      row->client->info.engines[i].name,
					      (double)row->history->percent[i]);

			put(y, x, top->width - x, LOOK_BUSY, "%s", text);
			x += length;
		}
		y++;
	}
	if (y < end) {
		put(y, 1, 10, LOOK_TITLE, "60 s");
		top_draw_line(top->history, y, 6, top->width - 7, row->history->first_tick,
			      row->history->points, LOOK_GRAPH);
	}
}
