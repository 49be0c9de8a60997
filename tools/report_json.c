// SPDX-License-Identifier: MIT
/*
 * The document that is in the page, and that its script draws.
 */
#include <stdlib.h>
#include <unistd.h>

#include "commands.h"
#include "json.h"
#include "out.h"
#include "report.h"

/* What the page is told of a card's owners: those that have a place in its list */
struct places {
	uint32_t *ranked;
	/* By place in time.owners; NOT_THERE: one of the others */
	uint32_t *place;
	size_t count;
};

static struct places places_of(const struct report_card *card)
{
	struct places places = { .ranked = time_ranked(&card->time) };
	size_t i;

	places.place = out_need(calloc(card->time.owner_count + 1, sizeof(*places.place)));
	places.count = card->time.owner_count < PAGE_OWNERS ? card->time.owner_count : PAGE_OWNERS;
	for (i = 0; i < card->time.owner_count; i++)
		places.place[places.ranked[i]] = i < PAGE_OWNERS ? (uint32_t)i : NOT_THERE;
	return places;
}

static json_t *alive_json(enum alive alive)
{
	return alive == ALIVE_UNKNOWN ? json_null() : json_boolean(alive == ALIVE_YES);
}

static json_t *owners_json(const struct report_card *card, const struct places *places)
{
	json_t *list = out_need(json_array());
	size_t i;

	for (i = 0; i < places->count; i++) {
		const struct report_owner *owner = &card->time.owners[places->ranked[i]];
		json_t *object = out_need(json_object());

		json_put(object, "pid", owner->pid ? json_integer(owner->pid) : json_null());
		json_put(object, "comm", json_text(owner->comm));
		json_put(object, "alive", owner->pid ? alive_json(owner->alive) : json_null());
		json_put(object, "objects", json_count(owner->objects));
		json_put(object, "vram", json_count(owner->now[PDDGPU_REGION_VRAM]));
		json_put(object, "gtt", json_count(owner->now[PDDGPU_REGION_GTT]));
		json_put(object, "cpu", json_count(owner->now[PDDGPU_REGION_CPU]));
		json_put(object, "first", json_count(time_bytes(owner, 0)));
		json_put(object, "peak", json_count(owner->peak));
		json_add(list, object);
	}
	return list;
}

static json_t *points_json(const uint64_t *first, size_t step, size_t count)
{
	json_t *list = out_need(json_array());
	size_t i;

	for (i = 0; i < count; i++)
		json_add(list, json_count(first[i * step]));
	return list;
}

/* Of an owner; or of all from a place on, as one */
static json_t *series_json(const struct report_time *time, const struct places *places,
			   size_t from)
{
	uint64_t (*sums)[PDDGPU_REGIONS] = out_need(calloc(REPORT_POINTS, sizeof(*sums)));
	size_t to = from < PAGE_SERIES ? from + 1 : time->owner_count, i, j;
	json_t *object = out_need(json_object());
	unsigned int region;

	for (i = from; i < to; i++) {
		const struct report_owner *owner = &time->owners[places->ranked[i]];

		for (j = 0; j < time->count; j++)
			for (region = 0; region < PDDGPU_REGIONS; region++)
				sums[j][region] += owner->points[j][region];
	}
	for (j = 0; from >= PAGE_SERIES && time->rest.points && j < time->count; j++)
		for (region = 0; region < PDDGPU_REGIONS; region++)
			sums[j][region] += time->rest.points[j][region];
	json_put(object, "owner", from < PAGE_SERIES ? json_count(from) : json_null());
	for (region = 0; region < PDDGPU_REGIONS; region++)
		json_put(object, region_names[region],
			 points_json(&sums[0][region], PDDGPU_REGIONS, time->count));
	free(sums);
	return object;
}

static json_t *time_json(const struct report_card *card, const struct places *places)
{
	const struct report_time *time = &card->time;
	json_t *object = out_need(json_object()), *list = out_need(json_array());
	json_t *used = out_need(json_object()), *rated = out_need(json_object());
	unsigned int i;

	json_put(object, "ms", points_json(time->ms, 1, time->count));
	for (i = 0; i < PAGE_SERIES && i < time->owner_count; i++)
		json_add(list, series_json(time, places, i));
	if (time->owner_count > PAGE_SERIES)
		json_add(list, series_json(time, places, PAGE_SERIES));
	json_put(object, "series", list);
	for (i = 0; i < PDDGPU_REGIONS; i++)
		json_put(used, region_names[i],
			 points_json(&time->used[0][i], PDDGPU_REGIONS, time->count));
	json_put(object, "used", used);
	for (i = 0; i < RATINGS; i++)
		json_put(rated, rating_name((enum rating)i),
			 points_json(&time->rated[0][i], RATINGS, time->count));
	json_put(object, "rated", card->by_age || !card->verdict ? json_null() : rated);
	if (card->by_age || !card->verdict)
		json_decref(rated);
	return object;
}

/*
 * What a cell shows as a number: an owner's place; or -1 for the state live, -2 orphan
 * and so on; -8 an owner without a place.
 */
static json_int_t cell_key(const struct report_card *card, const struct places *places,
			   uint32_t key)
{
	const struct map_owner *owner;
	uint32_t at;

	if (key & MAP_STATE)
		return -1 - (json_int_t)(key & ~MAP_STATE);
	owner = &card->map.owners[card->map.ranked[key]];
	at = time_find(&card->time, owner->pid, owner->comm);
	if (at == NOT_THERE || places->place[at] == NOT_THERE)
		return -8;
	return places->place[at];
}

/* key, how full of 4, how many alike, and so on */
static json_t *cells_json(const struct report_card *card, const struct places *places,
			  const struct map_region *region, enum map_by by, uint64_t cell_bytes)
{
	size_t count = (region->size + cell_bytes - 1) / cell_bytes, i, from;
	struct map_cell *cells = out_need(calloc(count + 1, sizeof(*cells)));
	json_t *list = out_need(json_array());

	map_cells(&card->map, region, by, cell_bytes, cells, count);
	for (from = 0; from < count; from = i) {
		for (i = from + 1; i < count && cells[i].key == cells[from].key &&
		     cells[i].used / 64 == cells[from].used / 64; i++)
			;
		json_add(list, json_integer(cell_key(card, places, cells[from].key)));
		json_add(list, json_integer(cells[from].used ? cells[from].used / 64 + 1 : 0));
		json_add(list, json_count(i - from));
	}
	free(cells);
	return list;
}

static json_t *orders_json(const struct map_region *region)
{
	json_t *list = out_need(json_array());
	unsigned int i;

	for (i = 0; i < MAP_ORDERS; i++) {
		json_t *pair;

		if (!region->orders[i])
			continue;
		pair = out_need(json_array());
		json_add(pair, json_count((uint64_t)MAP_PAGE << i));
		json_add(pair, json_count(region->orders[i]));
		json_add(list, pair);
	}
	return list;
}

static json_t *region_json(const struct report_card *card, const struct places *places,
			   const struct map_region *region)
{
	json_t *object = out_need(json_object()), *states = out_need(json_array());
	uint64_t cell_bytes = MAP_PAGE;
	unsigned int i;

	while (region->size / PAGE_CELLS >= cell_bytes && region->size > cell_bytes * PAGE_CELLS)
		cell_bytes *= 2;
	json_put(object, "region", json_string(region_names[region->region]));
	json_put(object, "size", json_count(region->size));
	for (i = 0; i <= PDDGPU_STATE_CLEARING + 1; i++)
		json_add(states, json_count(region->states[i]));
	json_put(object, "states", states);
	json_put(object, "blocks", json_count(region->count));
	json_put(object, "free", json_count(map_free_bytes(region)));
	json_put(object, "free_blocks", json_count(region->free_blocks));
	json_put(object, "largest_block", json_count(region->largest_block));
	json_put(object, "largest_run", json_count(region->largest_run));
	json_put(object, "fragmentation", json_real(map_fragmentation(region)));
	json_put(object, "orders", orders_json(region));
	json_put(object, "cell_bytes", json_count(cell_bytes));
	json_put(object, "by_owner", cells_json(card, places, region, MAP_BY_OWNER, cell_bytes));
	json_put(object, "by_state", cells_json(card, places, region, MAP_BY_STATE, cell_bytes));
	return object;
}

static json_t *map_part(const struct report_card *card, const struct places *places)
{
	json_t *list = out_need(json_array());
	unsigned int i;

	for (i = 0; card->map_known && i < card->map.regions; i++)
		if (!card->map.region[i].error && card->map.region[i].size)
			json_add(list, region_json(card, places, &card->map.region[i]));
	return list;
}

static json_t *regions_json(const struct report_card *card)
{
	json_t *object = out_need(json_object());
	unsigned int i;

	for (i = 0; i < PDDGPU_REGIONS; i++) {
		json_t *one = out_need(json_object());

		json_put(one, "total", json_count(card->total[i]));
		json_put(one, "used", json_count(card->used[i]));
		json_put(object, region_names[i], one);
	}
	return object;
}

static json_t *counters_json(const struct report_card *card)
{
	const struct drm_pddgpu_memory_stats *a = &card->first, *b = &card->stats;
	const struct { const char *name; uint64_t first, last; } all[] = {
		{ "allocations", a->total_allocations, b->total_allocations },
		{ "deallocations", a->total_deallocations, b->total_deallocations },
		{ "failed allocations", a->failed_allocations, b->failed_allocations },
		{ "evictions", a->evictions, b->evictions },
		{ "bytes moved", a->bytes_moved, b->bytes_moved },
		{ "swapped out", a->swap_outs, b->swap_outs },
	};
	json_t *list;
	size_t i;

	if (!card->stats_known)
		return json_null();
	list = out_need(json_array());
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		json_t *object = out_need(json_object());

		json_put(object, "name", json_string(all[i].name));
		/* Somebody may have reset them meanwhile */
		json_put(object, "meanwhile", all[i].last < all[i].first ? json_null() :
			 json_count(all[i].last - all[i].first));
		json_put(object, "all", json_count(all[i].last));
		json_add(list, object);
	}
	return list;
}

static json_t *card_part(const struct report_card *card)
{
	struct places places = places_of(card);
	json_t *object = out_need(json_object());

	json_put(object, "device", json_text(card->device));
	json_put(object, "driver", card->driver ? json_text(card->driver) : json_null());
	json_put(object, "name", *card->name ? json_text(card->name) : json_null());
	json_put(object, "error", card->error ? json_text(pddgpu_strerror(card->error)) :
		 json_null());
	json_put(object, "gone", json_boolean(card->gone));
	json_put(object, "by_age", json_boolean(card->by_age));
	json_put(object, "judged", json_boolean(card->judged));
	json_put(object, "regions", regions_json(card));
	json_put(object, "counters", counters_json(card));
	json_put(object, "owners", owners_json(card, &places));
	json_put(object, "owners_all", json_count(card->time.owner_count));
	json_put(object, "time", time_json(card, &places));
	json_put(object, "map", map_part(card, &places));
	report_json_judged(object, card);
	free(places.ranked);
	free(places.place);
	return object;
}

json_t *report_json(const struct report *report)
{
	json_t *document = json_document("report"), *cards = out_need(json_array());
	char host[256] = "";
	size_t i;

	gethostname(host, sizeof(host) - 1);
	json_put(document, "made_ms", json_integer(report->made_ms));
	json_put(document, "host", json_text(host));
	json_put(document, "version", json_string(PDDGPU_TOOL_VERSION));
	json_put(document, "recording", report->file ? json_text(report->file) : json_null());
	json_put(document, "looks", json_count(report->looks));
	json_put(document, "duration_ms", json_count(report->duration_ms));
	json_put(document, "notes", report->notes ? json_incref(report->notes) :
		 out_need(json_array()));
	for (i = 0; i < report->count; i++)
		json_add(cards, card_part(&report->cards[i]));
	json_put(document, "cards", cards);
	return document;
}
