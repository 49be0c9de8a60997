// SPDX-License-Identifier: MIT
/*
 * Texts of debugfs with a line for each thing, and a header line that names the
 * columns. Columns are found by name, so that a driver may have more of them, or
 * others.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define LINE_FIRST	65536
#define LINE_MAX_BYTES	(1 << 20)

/* Bytes that have come, 0 at the end, or a negative errno */
static ssize_t read_more(struct pddi_table *table)
{
	ssize_t n;

	do {
		n = read(table->fd, table->text + table->end, table->room - table->end);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	table->end += (size_t)n;
	return n;
}

/* Room for what comes, at the end of what there is of a line */
static int make_room(struct pddi_table *table)
{
	char *bigger;

	if (table->begin) {
		table->end -= table->begin;
		memmove(table->text, table->text + table->begin, table->end);
		table->begin = 0;
	}
	if (table->end < table->room)
		return 0;
	if (table->room >= LINE_MAX_BYTES)
		return -EPROTO;
	bigger = realloc(table->text, table->room * 2);
	if (!bigger)
		return -ENOMEM;
	table->text = bigger;
	table->room *= 2;
	return 0;
}

/* Throws away what is left of a line that is too long. */
static void skip_line(struct pddi_table *table)
{
	char *newline;

	do {
		newline = memchr(table->text, '\n', table->end);
		if (newline) {
			table->begin = (size_t)(newline + 1 - table->text);
			return;
		}
		table->begin = table->end = 0;
	} while (read_more(table) > 0);
}

/* A line without its newline: 1; 0 at the end */
static int next_line(struct pddi_table *table, char **line)
{
	size_t seen = 0;
	char *newline;
	ssize_t n;
	int ret;

	*line = NULL;
	for (;;) {
		newline = memchr(table->text + table->begin + seen, '\n',
				 table->end - table->begin - seen);
		if (newline)
			break;
		seen = table->end - table->begin;
		ret = make_room(table);
		if (ret) {
			if (ret == -EPROTO)
				skip_line(table);
			return ret;
		}
		n = read_more(table);
		if (n < 0)
			return pddi_gone(table->dev) ? -ENODEV : (int)n;
		if (!n) {
			/* A number that is cut off would look like another one. */
			table->begin = table->end = 0;
			return seen ? -EPROTO : 0;
		}
	}
	*newline = '\0';
	*line = table->text + table->begin;
	table->begin = (size_t)(newline + 1 - table->text);
	return strlen(*line) == (size_t)(newline - *line) ? 1 : -EPROTO;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* strspn() would make itself a table for each of a hundred thousand short words. */
static char *next_word(char **line)
{
	char *word = *line, *end;

	while (is_blank(*word))
		word++;
	/* Most characters are beyond the blank, and need not be asked for more */
	for (end = word; (unsigned char)*end > ' ' || (*end && !is_blank(*end)); end++)
		;
	*line = end;
	if (*end)
		*(*line)++ = '\0';
	return *word ? word : NULL;
}

static int read_header(struct pddi_table *table)
{
	unsigned int i, found = 0, needed = 0;
	char *line, *word;
	int ret = next_line(table, &line);

	if (ret <= 0)
		return ret ? ret : -EPROTO;
	for (; (word = next_word(&line)) && table->columns < PDDI_COLUMNS_MAX; table->columns++) {
		table->map[table->columns] = -1;
		for (i = 0; i < table->count; i++)
			if (!strcmp(table->wanted[i].name, word))
				break;
		/* One that is there twice: the first */
		if (i < table->count && !(found & 1U << i)) {
			table->map[table->columns] = (signed char)i;
			found |= 1U << i;
		}
	}
	for (i = 0; i < table->count; i++)
		needed |= (unsigned int)table->wanted[i].needed << i;
	return (found & needed) == needed ? 0 : -EPROTO;
}

int pddi_table_open(struct pddgpu_device *dev, const char *file,
		    const struct pddi_column *wanted, unsigned int count,
		    struct pddi_table *table)
{
	int ret;

	memset(table, 0, sizeof(*table));
	table->fd = pddgpu_debugfs_open(dev, file, O_RDONLY);
	if (table->fd < 0)
		return table->fd;
	table->dev = pddi_ref(dev);
	table->wanted = wanted;
	table->count = count;
	table->room = LINE_FIRST;
	table->text = malloc(table->room);
	ret = table->text ? read_header(table) : -ENOMEM;
	if (ret)
		pddi_table_close(table);
	return ret;
}

/* The next line, of which nothing is split: 1; 0 at the end */
int pddi_table_line(struct pddi_table *table)
{
	int ret;

	do {
		ret = next_line(table, &table->line);
		if (ret <= 0)
			return ret;
	} while (!*table->line);	/* an empty one */
	table->column = 0;
	memset(table->field, 0, table->count * sizeof(table->field[0]));
	return 1;
}

/*
 * The fields of its columns up to so many. The last column takes what is left of the
 * line, blanks and all. When there are no more: 1, or that something is missing.
 */
int pddi_table_split(struct pddi_table *table, unsigned int columns)
{
	char *word;
	unsigned int i;

	for (; table->column < table->columns && table->column < columns; table->column++) {
		if (table->column == table->columns - 1) {
			for (word = table->line; is_blank(*word); word++)
				;
			word = *word ? word : NULL;
		} else {
			word = next_word(&table->line);
		}
		if (word && table->map[table->column] >= 0)
			table->field[(int)table->map[table->column]] = word;
	}
	if (table->column < table->columns)
		return 0;
	for (i = 0; i < table->count; i++)
		if (table->wanted[i].needed && !table->field[i])
			return -EPROTO;
	return 1;
}

/* The fields of the next line: 1; 0 at the end */
int pddi_table_next(struct pddi_table *table)
{
	int ret = pddi_table_line(table);

	return ret <= 0 ? ret : pddi_table_split(table, PDDI_COLUMNS_MAX);
}

void pddi_table_close(struct pddi_table *table)
{
	close(table->fd);
	free(table->text);
	pddgpu_close(table->dev);
}
