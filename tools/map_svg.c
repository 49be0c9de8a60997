// SPDX-License-Identifier: MIT
/*
 * The picture as SVG: a cell is a pixel wide, and what is alike beside each other is one
 * rectangle, so that the file stays small however many blocks there are.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "out.h"
#include "text.h"

#define MARGIN		20
#define LABEL		80	/* left of the rows */
#define COLUMNS		1024
#define WIDTH		(COLUMNS + LABEL + 2 * MARGIN)
#define ROWS_MAX	32
#define ROW_HEIGHT	14
#define ROW_GAP		2
#define CHART_HEIGHT	70
#define LEGEND_COLUMNS	3
#define LEGEND_TEXT	26	/* characters of a name */
#define HEAD_HEIGHT	40

static const char *const palette[] = {
	"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9",
	"#8a6d00", "#7a4fbf", "#b0305c", "#3c8031", "#5e6ad2", "#a0522d",
};

#define NAMED (sizeof(palette) / sizeof(palette[0]))
#define OTHERS "#7f7f7f"

static const char *const state_colours[] = {
	"#009e73", "#e69f00", "#d55e00", "#333333", "#ededed", "#cfe8f7", "#ff00ff",
};

static const char *colour_of(uint32_t key)
{
	if (key & MAP_STATE)
		return state_colours[key & ~MAP_STATE];
	return key < NAMED ? palette[key] : OTHERS;
}

static void put_text(FILE *to, const char *raw)
{
	char *text = text_xml(raw);

	fputs(text, to);
	free(text);
}

static void key_name(const struct map *map, uint32_t key, char *text, size_t room)
{
	if (key & MAP_STATE)
		snprintf(text, room, "%s", state_name((int)(key & ~MAP_STATE)));
	else
		map_owner_name(&map->owners[map->ranked[key]], text, room);
}

/* Four shades: what is less used is paler */
static unsigned int shade(const struct map_cell *cell)
{
	return cell->used ? cell->used / 64 : 3;
}

static bool alike(const struct map_cell *a, const struct map_cell *b)
{
	return a->key == b->key && shade(a) == shade(b);
}

static void put_row(FILE *to, const struct map *map, const struct map_cell *cells,
		    unsigned int count, unsigned int y, uint64_t offset, uint64_t cell_bytes)
{
	static const char *const opacity[] = { "0.4", "0.6", "0.8", "1" };
	char size[OUT_SIZE_MAX], where[OUT_SIZE_MAX], name[64];
	unsigned int from, i;

	fprintf(to, "<text x=\"%d\" y=\"%u\" class=\"a\">%s</text>\n", MARGIN + LABEL - 6,
		y + ROW_HEIGHT - 3, out_size(size, offset));
	for (from = 0; from < count; from = i) {
		for (i = from + 1; i < count && alike(&cells[from], &cells[i]); i++)
			;
		key_name(map, cells[from].key, name, sizeof(name));
		fprintf(to, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%d\" fill=\"%s\"",
			MARGIN + LABEL + from, y, i - from, ROW_HEIGHT, colour_of(cells[from].key));
		if (shade(&cells[from]) < 3)
			fprintf(to, " fill-opacity=\"%s\"", opacity[shade(&cells[from])]);
		fputs("><title>", to);
		put_text(to, name);
		fprintf(to, ", %s at %s</title></rect>\n",
			out_size(size, (i - from) * cell_bytes),
			out_size(where, offset + from * cell_bytes));
	}
}

/* What a pixel is: a power of two, so that rows begin at round addresses */
static uint64_t cell_of(const struct map_region *region)
{
	uint64_t bytes = MAP_PAGE;

	while (region->size > bytes * COLUMNS * ROWS_MAX)
		bytes *= 2;
	return bytes;
}

static unsigned int region_height(const struct map_region *region)
{
	uint64_t row = cell_of(region) * COLUMNS;

	if (region->error || !region->size)
		return 40;
	return 28 + (unsigned int)((region->size + row - 1) / row) * (ROW_HEIGHT + ROW_GAP) +
	       CHART_HEIGHT + 80;
}

/* How many free blocks there are of each size, as columns */
static void put_chart(FILE *to, const struct map_region *region, unsigned int y)
{
	unsigned int i, x = MARGIN + LABEL, height;
	uint64_t most = 0;
	char size[OUT_SIZE_MAX];

	for (i = 0; i < MAP_ORDERS; i++)
		if (most < region->orders[i])
			most = region->orders[i];
	fprintf(to, "<text x=\"%u\" y=\"%u\">Free blocks by size</text>\n", x, y);
	y += CHART_HEIGHT + 16;
	for (i = 0; i < MAP_ORDERS; i++) {
		if (!region->orders[i])
			continue;
		height = (unsigned int)((double)region->orders[i] / (double)most *
					(CHART_HEIGHT - 16));
		if (!height)
			height = 1;
		fprintf(to, "<rect x=\"%u\" y=\"%u\" width=\"36\" height=\"%u\" fill=\"%s\"/>\n",
			x, y - height, height, palette[0]);
		fprintf(to, "<text x=\"%u\" y=\"%u\" class=\"m\">%" PRIu64 "</text>\n", x + 18,
			y - height - 3, region->orders[i]);
		fprintf(to, "<text x=\"%u\" y=\"%u\" class=\"m\">%s</text>\n", x + 18, y + 13,
			out_size(size, (uint64_t)MAP_PAGE << i));
		x += 54;
	}
}

static void put_region(FILE *to, const struct map *map, const struct map_region *region,
		       enum map_by by, unsigned int y)
{
	char used[OUT_SIZE_MAX], size[OUT_SIZE_MAX], block[OUT_SIZE_MAX], run[OUT_SIZE_MAX];
	uint64_t cell_bytes = cell_of(region);
	struct map_cell *cells;
	unsigned int row, count;

	fprintf(to, "<text x=\"%d\" y=\"%u\" class=\"h\">%s</text>\n", MARGIN, y + 16,
		region_titles[region->region]);
	if (region->error || !region->size) {
		fprintf(to, "<text x=\"%d\" y=\"%u\">cannot be shown: %s</text>\n", MARGIN + LABEL,
			y + 16, region->error ? pddgpu_strerror(region->error) : "there is none");
		return;
	}
	fprintf(to, "<text x=\"%d\" y=\"%u\">%s of %s used; free: the largest block %s, in one "
		"piece %s; fragmentation %.1f %%</text>\n", MARGIN + LABEL, y + 16,
		out_size(used, region->size - map_free_bytes(region)),
		out_size(size, region->size), out_size(block, region->largest_block),
		out_size(run, region->largest_run), map_fragmentation(region) * 100);

	count = (unsigned int)((region->size + cell_bytes - 1) / cell_bytes);
	cells = out_need(calloc(count, sizeof(*cells)));
	map_cells(map, region, by, cell_bytes, cells, count);
	y += 28;
	for (row = 0; row * COLUMNS < count; row++, y += ROW_HEIGHT + ROW_GAP) {
		unsigned int from = row * COLUMNS;

		put_row(to, map, &cells[from], count - from < COLUMNS ? count - from : COLUMNS, y,
			from * cell_bytes, cell_bytes);
	}
	free(cells);
	put_chart(to, region, y + 22);
}

static void legend_entry(FILE *to, unsigned int place, unsigned int y, const char *colour,
			 const char *raw, uint64_t bytes, const char *note)
{
	unsigned int x = MARGIN + place % LEGEND_COLUMNS * (WIDTH / LEGEND_COLUMNS);
	char size[OUT_SIZE_MAX], *valid = text_utf8(raw), *text;
	size_t fits = text_characters(valid, LEGEND_TEXT);
	bool cut = valid[fits];

	valid[fits] = '\0';
	text = text_xml(valid);
	y += place / LEGEND_COLUMNS * 18;
	fprintf(to, "<rect x=\"%u\" y=\"%u\" width=\"12\" height=\"12\" fill=\"%s\"/>", x, y,
		colour);
	fprintf(to, "<text x=\"%u\" y=\"%u\">%s%s, %s%s</text>\n", x + 18, y + 10, text,
		cut ? "\u2026" : "", out_size(size, bytes), note);
	free(text);
	free(valid);
}

/* Returns how many there were */
static unsigned int put_owners(FILE *to, const struct map *map, unsigned int y)
{
	unsigned int i;
	uint64_t rest = 0;
	char name[64];

	for (i = 0; i < map->owner_count; i++) {
		const struct map_owner *owner = &map->owners[map->ranked[i]];

		map_owner_name(owner, name, sizeof(name));
		if (i < NAMED)
			legend_entry(to, i, y, palette[i], name, owner->bytes,
				     owner->alive == ALIVE_NO ? ", exited" : "");
		else
			rest += owner->bytes;
	}
	if (i <= NAMED)
		return i;
	snprintf(name, sizeof(name), "%zu others", map->owner_count - NAMED);
	legend_entry(to, NAMED, y, OTHERS, name, rest, "");
	return NAMED + 1;
}

static void put_legend(FILE *to, const struct map *map, enum map_by by, unsigned int y)
{
	unsigned int place = 0, state = 0, i;
	uint64_t bytes;

	if (by == MAP_BY_OWNER) {
		place = put_owners(to, map, y);
		state = PDDGPU_STATE_KERNEL;
	}
	for (; state <= PDDGPU_STATE_CLEARING + 1; state++) {
		for (bytes = 0, i = 0; i < map->regions; i++)
			bytes += map->region[i].states[state];
		if (bytes)
			legend_entry(to, place++, y, state_colours[state], state_name((int)state),
				     bytes, "");
	}
}

/* Of all that a legend may have */
static unsigned int legend_height(const struct map *map)
{
	size_t entries = (map->owner_count < NAMED ? map->owner_count : NAMED) + 8;

	return (unsigned int)(entries + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS * 18 + 20;
}

static unsigned int height_of(const struct map *map)
{
	unsigned int height = HEAD_HEIGHT + legend_height(map), i;

	for (i = 0; i < map->regions; i++)
		height += region_height(&map->region[i]);
	return height;
}

void map_svg(FILE *to, const struct map *maps, unsigned int count, enum map_by by)
{
	unsigned int height = 0, y = 0, i, j;

	for (i = 0; i < count; i++)
		height += height_of(&maps[i]);
	fprintf(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
		"viewBox=\"0 0 %d %u\">\n<title>PDDGPU memory</title>\n"
		"<style>text{font:12px sans-serif;fill:#222}.h{font-weight:bold;font-size:14px}"
		".a{text-anchor:end;font-size:10px;fill:#666}.m{text-anchor:middle;font-size:10px}"
		"</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
		WIDTH, height, WIDTH, height);
	for (i = 0; i < count; i++) {
		const struct map *map = &maps[i];

		fprintf(to, "<text x=\"%d\" y=\"%u\" class=\"h\">", MARGIN, y + 24);
		put_text(to, map->name);
		fprintf(to, " at %s</text>\n", map->card->id.pci);
		y += HEAD_HEIGHT;
		for (j = 0; j < map->regions; j++) {
			put_region(to, map, &map->region[j], by, y);
			y += region_height(&map->region[j]);
		}
		put_legend(to, map, by, y);
		y += legend_height(map);
	}
	fputs("</svg>\n", to);
}
