// SPDX-License-Identifier: MIT
/*
 * The picture on a terminal: a cell a character. With colours and UTF-8 its colour says
 * whose it is and its shade how full; else a letter does, a small one where less than
 * half is used.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "out.h"
#include "text.h"

#define LABEL 10		/* columns before a row */
#define LEGEND_ROWS 8	/* that are left for the legend */
#define REGION_ROWS_MAX 24

/* What is told apart at a glance, of 256 colours and of 16 */
static const unsigned char palette256[] = {
	39, 208, 41, 199, 226, 99, 51, 203, 154, 141, 220, 30,
};

static const unsigned char palette16[] = { 36, 33, 32, 35, 34, 96, 93, 92, 95, 94 };

static bool shaded(void)
{
	return screen.colour && screen.utf8;
}

static unsigned int named_ranks(void)
{
	return shaded() && !screen.colours256 ? sizeof(palette16) : sizeof(palette256);
}

static char letter(uint32_t key)
{
	if (key & MAP_STATE)
		return "LOZ#.~?"[key & ~MAP_STATE];
	return key < named_ranks() ? (char)('A' + key) : '+';
}

static void colour_on(uint32_t key)
{
	static const enum out_style states[] = {
		OUT_LIVE, OUT_ORPHAN, OUT_ZOMBIE, OUT_DIM, OUT_FREE, OUT_FREE, OUT_BAD,
	};

	if (!screen.colour)
		return;
	if (key & MAP_STATE)
		fputs(out_on(states[key & ~MAP_STATE]), stdout);
	else if (key >= named_ranks())
		fputs("\033[37m", stdout);
	else if (screen.colours256)
		printf("\033[38;5;%um", palette256[key % sizeof(palette256)]);
	else
		printf("\033[%um", palette16[key % sizeof(palette16)]);
}

static void put_glyph(const struct map_cell *cell)
{
	static const char *const shades[] = { "\u2591", "\u2592", "\u2593", "\u2588" };
	char as = letter(cell->key);

	if (!cell->used)
		fputs(cell->key == (MAP_STATE | PDDGPU_STATE_CLEARING) ? "~" :
		      screen.utf8 ? "\u00b7" : ".", stdout);
	else if (shaded())
		fputs(shades[cell->used / 64], stdout);
	else
		putchar(cell->used < 128 && as >= 'A' && as <= 'Z' ? as + 'a' - 'A' : as);
}

static void print_row(uint64_t offset, const struct map_cell *cells, size_t count)
{
	char size[OUT_SIZE_MAX];
	uint32_t key = UINT32_MAX;
	size_t i;

	printf("%*s ", LABEL - 1, out_size(size, offset));
	for (i = 0; i < count; i++) {
		if (screen.colour && key != cells[i].key) {
			if (key != UINT32_MAX)
				fputs(out_off(), stdout);
			key = cells[i].key;
			colour_on(key);
		}
		put_glyph(&cells[i]);
	}
	fputs(out_off(), stdout);
	putchar('\n');
}

static void print_figures(const struct map_region *region)
{
	char free_size[OUT_SIZE_MAX], block[OUT_SIZE_MAX], run[OUT_SIZE_MAX];
	bool first = true;
	unsigned int i;

	printf("  free %s in %" PRIu64 " block%s; the largest %s, in one piece %s; "
	       "fragmentation %.1f %%\n",
	       out_size(free_size, map_free_bytes(region)), region->free_blocks,
	       region->free_blocks == 1 ? "" : "s", out_size(block, region->largest_block),
	       out_size(run, region->largest_run), map_fragmentation(region) * 100);
	for (i = 0; i < MAP_ORDERS; i++) {
		if (!region->orders[i])
			continue;
		/* The GTT's are of any size, up to twice that */
		printf("%s%s%s: %" PRIu64, first ? "  free blocks by size: " : ", ",
		       out_size(block, (uint64_t)MAP_PAGE << i),
		       region->region == PDDGPU_REGION_GTT ? "+" : "", region->orders[i]);
		first = false;
	}
	if (!first)
		putchar('\n');
}

/* Of a kind that lets rows begin at round addresses */
static unsigned int picture_columns(void)
{
	unsigned int columns = screen.columns > LABEL + 4 ? screen.columns - LABEL : 4;

	return columns < 32 ? columns : columns / 32 * 32;
}

static void print_region(const struct map *map, const struct map_region *region,
			 enum map_by by, unsigned int rows)
{
	unsigned int columns = picture_columns(), row;
	char size[OUT_SIZE_MAX], used[OUT_SIZE_MAX];
	struct map_cell *cells;
	uint64_t cell_bytes = MAP_PAGE;
	size_t count;

	if (region->error || !region->size)
		return;
	while (region->size > cell_bytes * columns * rows)
		cell_bytes *= 2;
	count = (size_t)((region->size + cell_bytes - 1) / cell_bytes);
	cells = out_need(calloc(count, sizeof(*cells)));
	map_cells(map, region, by, cell_bytes, cells, count);

	printf("%s%s%s  %s of %s used; ", out_on(OUT_TITLE), region_titles[region->region],
	       out_off(), out_size(used, region->size - map_free_bytes(region)),
	       out_size(size, region->size));
	printf("a cell is %s\n", out_size(size, cell_bytes));
	for (row = 0; (size_t)row * columns < count; row++) {
		size_t from = (size_t)row * columns;

		print_row(from * cell_bytes, &cells[from],
			  count - from < columns ? count - from : columns);
	}
	print_figures(region);
	free(cells);
}

static void legend_entry(uint32_t key, const char *raw, uint64_t bytes, const char *note)
{
	struct map_cell full = { .key = key, .used = 255 };
	char *text = text_printable(raw);
	char size[OUT_SIZE_MAX];

	if (key == (MAP_STATE | PDDGPU_STATE_FREE) || key == (MAP_STATE | PDDGPU_STATE_CLEARING))
		full.used = 0;
	fputs("  ", stdout);
	colour_on(key);
	put_glyph(&full);
	printf("%s %s, %s%s\n", out_off(), text, out_size(size, bytes), note);
	free(text);
}

static uint64_t state_bytes(const struct map *map, unsigned int state)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < map->regions; i++)
		sum += map->region[i].states[state];
	return sum;
}

static void print_owners(const struct map *map)
{
	unsigned int named = named_ranks(), i;
	uint64_t rest = 0;
	char name[64];

	for (i = 0; i < map->owner_count; i++) {
		const struct map_owner *owner = &map->owners[map->ranked[i]];

		if (i >= named) {
			rest += owner->bytes;
			continue;
		}
		map_owner_name(owner, name, sizeof(name));
		legend_entry(i, name, owner->bytes, owner->alive == ALIVE_NO ? ", exited" : "");
	}
	if (map->owner_count > named) {
		snprintf(name, sizeof(name), "%zu others", map->owner_count - named);
		legend_entry(named_ranks(), name, rest, "");
	}
}

static void print_legend(const struct map *map, enum map_by by)
{
	unsigned int state = by == MAP_BY_OWNER ? PDDGPU_STATE_KERNEL : 0;

	if (by == MAP_BY_OWNER)
		print_owners(map);
	for (; state <= PDDGPU_STATE_CLEARING + 1; state++)
		if (state_bytes(map, state))
			legend_entry(MAP_STATE | state, state_name((int)state),
				     state_bytes(map, state), "");
	if (!shaded())
		puts("  a small letter: less than half of the cell is used");
}

void map_print(const struct map *map, enum map_by by, unsigned int rows)
{
	unsigned int i, shown = 0, each;

	for (i = 0; i < map->regions; i++)
		shown += !map->region[i].error;
	printf("%s%s%s  %s\n", out_on(OUT_TITLE), map->name, out_off(), map->card->id.pci);
	if (!shown)
		return;
	if (!rows) {
		unsigned int others = 4 + 3 * shown + LEGEND_ROWS;

		rows = screen.terminal && screen.rows < others + 2 * shown ? 2 * shown :
		       screen.terminal ? screen.rows - others : 16 * shown;
	}
	each = rows / shown;
	if (!each)
		each = 1;
	if (each > REGION_ROWS_MAX)
		each = REGION_ROWS_MAX;
	for (i = 0; i < map->regions; i++)
		print_region(map, &map->region[i], by, each);
	print_legend(map, by);
}
