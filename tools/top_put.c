// SPDX-License-Identifier: MIT
/* Text on the screen of top: never longer than its place, nor more than there is */
#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "text.h"
#include "top.h"

/* The text of a pair, and what is done where there are no colours */
static const struct {
	short foreground, background;
	attr_t with, without;
} looks[LOOKS] = {
	[LOOK_PLAIN] = { -1, -1, A_NORMAL, A_NORMAL },
	[LOOK_OWNER] = { COLOR_BLACK, COLOR_GREEN, A_NORMAL, A_NORMAL },
	[LOOK_OWNER + 1] = { COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_NORMAL },
	[LOOK_OWNER + 2] = { COLOR_BLACK, COLOR_YELLOW, A_NORMAL, A_NORMAL },
	[LOOK_OWNER + 3] = { COLOR_WHITE, COLOR_BLUE, A_NORMAL, A_NORMAL },
	[LOOK_OWNER + 4] = { COLOR_BLACK, COLOR_MAGENTA, A_NORMAL, A_NORMAL },
	[LOOK_OWNER_LAST] = { COLOR_BLACK, COLOR_WHITE, A_NORMAL, A_NORMAL },
	[LOOK_OTHERS] = { COLOR_GREEN, COLOR_BLACK, A_REVERSE | A_DIM, A_NORMAL },
	[LOOK_ORPHAN] = { COLOR_WHITE, COLOR_RED, A_BOLD, A_BOLD },
	[LOOK_ZOMBIE] = { COLOR_RED, COLOR_BLACK, A_REVERSE | A_DIM, A_BOLD },
	[LOOK_KERNEL] = { COLOR_WHITE, COLOR_BLACK, A_REVERSE | A_DIM, A_DIM },
	[LOOK_GOOD] = { COLOR_GREEN, -1, A_NORMAL, A_NORMAL },
	[LOOK_WARN] = { COLOR_YELLOW, -1, A_NORMAL, A_NORMAL },
	[LOOK_BAD] = { COLOR_RED, -1, A_BOLD, A_BOLD },
	[LOOK_DIM] = { -1, -1, A_DIM, A_DIM },
	[LOOK_TITLE] = { -1, -1, A_BOLD, A_BOLD },
	[LOOK_HEAD] = { COLOR_BLACK, COLOR_GREEN, A_NORMAL, A_REVERSE },
	[LOOK_SELECTED] = { COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE },
	[LOOK_KEY] = { COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_REVERSE },
	[LOOK_GRAPH] = { COLOR_CYAN, -1, A_NORMAL, A_NORMAL },
	[LOOK_BUSY] = { COLOR_GREEN, -1, A_NORMAL, A_NORMAL },
};

void top_colours(void)
{
	if (!screen.colour || !has_colors() || start_color() == ERR || COLOR_PAIRS < LOOKS) {
		screen.colour = false;
		return;
	}
	use_default_colors();
	for (int i = 1; i < LOOKS; i++)
		init_pair((short)i, looks[i].foreground, looks[i].background);
}

static void begin(enum look look)
{
	attrset(screen.colour ? (attr_t)COLOR_PAIR(look) | looks[look].with : looks[look].without);
}

static void put_text(int y, int x, int width, enum look look, bool right, const char *format,
		     va_list list)
{
	char *raw, *text;
	size_t length;
	int columns;

	if (width > COLS - x)
		width = COLS - x;
	if (y < 0 || y >= LINES || x < 0 || width <= 0)
		return;
	if (vasprintf(&raw, format, list) < 0)
		return;
	text = text_printable(raw);
	free(raw);
	length = text_fit(text, (unsigned int)width);
	text[length] = '\0';
	columns = (int)text_width(text);
	begin(look);
	mvaddnstr(y, right ? x + width - columns : x, text, (int)length);
	attrset(A_NORMAL);
	free(text);
}

void put(int y, int x, int width, enum look look, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	put_text(y, x, width, look, false, format, list);
	va_end(list);
}

void put_right(int y, int x, int width, enum look look, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	put_text(y, x, width, look, true, format, list);
	va_end(list);
}

void fill(int y, int x, int width, enum look look, char with)
{
	if (width > COLS - x)
		width = COLS - x;
	if (y < 0 || y >= LINES || x < 0 || width <= 0)
		return;
	begin(look);
	mvhline(y, x, (unsigned char)with | (screen.colour ? (chtype)COLOR_PAIR(look) |
		looks[look].with : looks[look].without), width);
	attrset(A_NORMAL);
}

void put_glyph(int y, int x, enum look look, const char *utf8, char ascii)
{
	char plain[2] = { ascii, '\0' };

	if (y < 0 || y >= LINES || x < 0 || x >= COLS)
		return;
	begin(look);
	mvaddstr(y, x, screen.utf8 ? utf8 : plain);
	attrset(A_NORMAL);
}
