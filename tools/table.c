// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "table.h"
#include "text.h"

#define GAP 2
#define SHRUNK_MIN 4

struct cell {
	char *text;
	enum out_style style;
};

struct table {
	const struct table_column *columns;
	unsigned int columns_count;
	struct cell *cells;
	size_t count, room;
};

struct table *table_new(const struct table_column *columns, unsigned int count)
{
	struct table *table = out_need(calloc(1, sizeof(*table)));

	table->columns = columns;
	table->columns_count = count;
	return table;
}

void table_cell(struct table *table, enum out_style style, const char *format, ...)
{
	va_list list;
	char *raw;
	int length;

	va_start(list, format);
	length = vasprintf(&raw, format, list);
	va_end(list);
	if (length < 0)
		out_need(NULL);
	if (table->count == table->room) {
		table->room = table->room * 2 + 64;
		table->cells = out_need(realloc(table->cells,
						table->room * sizeof(*table->cells)));
	}
	table->cells[table->count].text = text_printable(raw);
	table->cells[table->count++].style = style;
	free(raw);
}

void table_size(struct table *table, enum out_style style, uint64_t bytes)
{
	char size[OUT_SIZE_MAX];

	table_cell(table, style, "%s", out_size(size, bytes));
}

static unsigned int next_column(const struct table *table, unsigned int i)
{
	return i + 1 == table->columns_count ? 0 : i + 1;
}

static void measure(const struct table *table, unsigned int *widths, unsigned int indent)
{
	unsigned int i, total = indent;
	size_t at;

	for (i = 0; i < table->columns_count; i++)
		widths[i] = text_width(table->columns[i].title);
	for (at = 0, i = 0; at < table->count; at++, i = next_column(table, i)) {
		unsigned int width = text_width(table->cells[at].text);

		if (widths[i] < width)
			widths[i] = width;
	}
	if (!screen.terminal)
		return;
	for (i = 0; i < table->columns_count; i++)
		total += widths[i] + (i ? GAP : 0);
	for (i = table->columns_count; i-- > 0 && total > screen.columns;) {
		unsigned int less = total - screen.columns;

		if (!table->columns[i].shrink || widths[i] <= SHRUNK_MIN)
			continue;
		if (less > widths[i] - SHRUNK_MIN)
			less = widths[i] - SHRUNK_MIN;
		widths[i] -= less;
		total -= less;
	}
}

static void print_cell(const struct table *table, unsigned int i, const char *text,
		       enum out_style style, unsigned int width)
{
	unsigned int wide = text_width(text), pad;
	bool last = i + 1 == table->columns_count, cut = wide > width;
	size_t bytes;

	/* No blanks at the end of a line */
	if (last && !*text)
		return;
	if (i)
		printf("%*s", GAP, "");
	if (!*text)
		style = OUT_PLAIN;
	bytes = text_fit(text, cut ? width - 1 : width);
	pad = cut ? 0 : width - wide;
	if (table->columns[i].right)
		printf("%*s", (int)pad, "");
	printf("%s%.*s%s%s", out_on(style), (int)bytes, text,
	       cut ? screen.utf8 ? "\u2026" : "~" : "", style != OUT_PLAIN ? out_off() : "");
	if (!table->columns[i].right && !last)
		printf("%*s", (int)pad, "");
}

void table_print(struct table *table, unsigned int indent)
{
	unsigned int *widths = out_need(calloc(table->columns_count + 1, sizeof(*widths)));
	unsigned int i;
	size_t at;

	measure(table, widths, indent);
	printf("%*s", (int)indent, "");
	for (i = 0; i < table->columns_count; i++)
		print_cell(table, i, table->columns[i].title, OUT_DIM, widths[i]);
	putchar('\n');
	for (at = 0, i = 0; at < table->count; at++, i = next_column(table, i)) {
		if (!i)
			printf("%*s", (int)indent, "");
		print_cell(table, i, table->cells[at].text, table->cells[at].style, widths[i]);
		if (i + 1 == table->columns_count)
			putchar('\n');
		free(table->cells[at].text);
	}
	free(widths);
	free(table->cells);
	free(table);
}
