// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "json.h"
#include "out.h"
#include "sample_json.h"
#include "table.h"
#include "top.h"

static const char * const class_names[REGION_CLASSES] = { "vram", "gtt", "system" };

static json_t *percent(float value)
{
	return json_real(round((double)value * 10) / 10);
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_text(text) : json_null();
}

static json_t *card_json_of(const struct sample_card *card, const struct history_card *past)
{
	json_t *object = json_object(), *regions = json_object(), *engines = json_object();

	json_put(object, "device", json_text(card->device));
	json_put(object, "driver", text_or_null(card->driver));
	json_put(object, "node", text_or_null(card->node));
	json_put(object, "gone", json_boolean(card->gone));
	json_put(object, "wedged", json_boolean(card->wedged));
	json_put(object, "clients", json_count(past->clients));
	json_put(object, "growth_bytes_per_minute", json_integer(past->growth));
	for (unsigned int i = 0; i < REGION_CLASSES; i++) {
		const struct sample_ownership *own = &card->own[i];
		json_t *region = json_object();

		json_put(region, "total_bytes", card->total[i] ? json_count(card->total[i]) :
			 json_null());
		json_put(region, "used_bytes", json_count(card->used[i]));
		json_put(region, "live_bytes", card->owned ? json_count(own->live) :
			 json_null());
		json_put(region, "orphan_bytes", card->owned ? json_count(own->orphan) :
			 json_null());
		json_put(region, "zombie_bytes", card->owned ? json_count(own->zombie) :
			 json_null());
		json_put(region, "kernel_bytes", card->owned ? json_count(own->kernel) :
			 json_null());
		json_put(regions, class_names[i], region);
	}
	json_put(object, "regions", regions);
	for (unsigned int i = 0; i < past->nr_engines; i++)
		json_put(engines, past->engines[i].name, percent(past->engines[i].percent));
	json_put(object, "busy_percent", engines);
	json_put(object, "suspicious_objects", card->owned ? json_count(card->leaks) :
		 json_null());
	return object;
}

static json_t *regions_json(const struct fdinfo *info)
{
	static const struct { const char *name; enum fdinfo_memory kind; } kinds[] = {
		{ "total_bytes", FDINFO_TOTAL }, { "shared_bytes", FDINFO_SHARED },
		{ "active_bytes", FDINFO_ACTIVE }, { "purgeable_bytes", FDINFO_PURGEABLE },
	};
	json_t *regions = json_object();

	for (unsigned int i = 0; i < info->nr_regions; i++) {
		const struct fdinfo_region *region = &info->regions[i];
		json_t *object = json_object();

		json_put(object, "used_bytes", json_count(fdinfo_used(region)));
		for (unsigned int j = 0; j < 4; j++)
			if (region->has & 1u << kinds[j].kind)
				json_put(object, kinds[j].name,
					 json_count(region->bytes[kinds[j].kind]));
		json_put(regions, region->name, object);
	}
	return regions;
}

static json_t *engines_json(const struct row *row)
{
	const struct fdinfo *info = &row->client->info;
	json_t *engines = json_object();

	for (unsigned int i = 0; i < info->nr_engines; i++) {
		const struct fdinfo_engine *engine = &info->engines[i];
		json_t *object = json_object();

		json_put(object, "busy_percent", percent(row->history->percent[i]));
		if (engine->has & FDINFO_HAS_NS)
			json_put(object, "busy_ns", json_count(engine->ns));
		if (engine->has & FDINFO_HAS_CYCLES)
			json_put(object, "busy_cycles", json_count(engine->cycles));
		json_put(object, "capacity", json_count(engine->capacity));
		json_put(engines, engine->name, object);
	}
	return engines;
}

static json_t *row_json(const struct row *row)
{
	json_t *object = json_object();

	json_put(object, "device", json_text(row->device));
	json_put(object, "driver", json_text(row->driver));
	json_put(object, "client_id", row->kind == ROW_PROCESS ? json_null() :
		 json_count(row->id));
	json_put(object, "pid", json_integer(row->pid));
	json_put(object, "name", json_text(row->comm));
	json_put(object, "exited", json_boolean(row->kind == ROW_EXITED));
	for (unsigned int i = 0; i < REGION_CLASSES; i++) {
		static const char * const keys[] = { "vram_bytes", "gtt_bytes", "system_bytes" };

		json_put(object, keys[i], json_count(row->used[i]));
	}
	if (row->kind == ROW_EXITED)
		return object;
	json_put(object, "uid", json_count(row->uid));
	json_put(object, "user", json_text(rows_user(row->uid)));
	json_put(object, "growth_bytes_per_minute", row->growing ? json_integer(row->growth) :
		 json_null());
	json_put(object, "busy_percent", percent(row->busy));
	json_put(object, "evictions", row->has_evictions ? json_count(row->evictions) :
		 json_null());
	if (row->kind == ROW_PROCESS) {
		json_put(object, "clients", json_count(row->clients));
		return object;
	}
	json_put(object, "label", text_or_null(row->client->info.label));
	json_put(object, "files", json_count(row->client->files));
	json_put(object, "regions", regions_json(&row->client->info));
	json_put(object, "engines", engines_json(row));
	return object;
}

json_t *sample_json(const char *name, const struct sample *sample,
		    const struct history *history, const struct rows *rows)
{
	json_t *document = json_document(name), *cards = json_array(), *list = json_array();

	json_put(document, "time_ms", json_integer(sample->wall_ms));
	for (size_t i = 0; i < sample->nr_cards; i++)
		json_add(cards, card_json_of(&sample->cards[i], history_card(history, i)));
	json_put(document, "cards", cards);
	for (size_t i = 0; i < rows->count; i++)
		if (!rows->row[i].child)
			json_add(list, row_json(&rows->row[i]));
	json_put(document, "clients", list);
	json_put(document, "exited_known", json_boolean(sample->owners_known));
	json_put(document, "hidden_processes", json_count(sample->totals.denied));
	json_put(document, "silent_files", json_count(sample->totals.silent));
	return document;
}

static void print_card(const struct sample_card *card, const struct history_card *past)
{
	static const char * const labels[REGION_CLASSES] = { "VRAM", "GTT", "SYS" };
	char used[SHORT_SIZE], total[SHORT_SIZE];

	printf("%s%s%s %s%s%s", card->node, *card->node ? " " : "",
	       card->driver ? card->driver : "?", card->device, card->gone ? " has gone" : "",
	       card->wedged ? " is wedged" : "");
	for (unsigned int i = 0; i < REGION_CLASSES; i++) {
		if (!card->total[i] && !card->used[i])
			continue;
		printf("  %s %s", labels[i], short_size(used, card->used[i]));
		if (card->total[i])
			printf("/%s", short_size(total, card->total[i]));
	}
	for (unsigned int i = 0; i < past->nr_engines; i++)
		printf("  %s %.0f%%", past->engines[i].name,
		       (double)past->engines[i].percent);
	if (card->leaks)
		printf("  %llu suspicious", (unsigned long long)card->leaks);
	putchar('\n');
}

static void print_row(struct table *table, const struct row *row, bool evictions)
{
	char text[SHORT_SIZE];

	table_cell(table, OUT_PLAIN, "%d", row->pid);
	table_cell(table, OUT_PLAIN, "%s", row->kind == ROW_EXITED ? "-" :
		   rows_user(row->uid));
	table_cell(table, OUT_PLAIN, "%s", row->driver);
	table_cell(table, OUT_PLAIN, "%s", row->device);
	if (row->kind == ROW_PROCESS && row->clients > 1)
		table_cell(table, OUT_PLAIN, "*");
	else
		table_cell(table, OUT_PLAIN, "%llu", (unsigned long long)row->id);
	for (unsigned int i = 0; i < REGION_CLASSES; i++)
		table_cell(table, OUT_PLAIN, "%s", short_size(text, row->used[i]));
	table_cell(table, OUT_PLAIN, "%s", row->growing ? short_growth(text, row->growth) : "-");
	table_cell(table, OUT_PLAIN, row->history ? "%.1f" : "-", (double)row->busy);
	if (evictions && row->has_evictions)
		table_cell(table, OUT_PLAIN, "%llu", (unsigned long long)row->evictions);
	else if (evictions)
		table_cell(table, OUT_PLAIN, "-");
	table_cell(table, row->kind == ROW_EXITED ? OUT_BAD : OUT_PLAIN, "%s%s%s",
		   row->child ? "  " : "", row->comm, row->kind == ROW_EXITED ? " (exited)" : "");
}

void sample_print(const struct sample *sample, const struct history *history,
		  const struct rows *rows)
{
	static const struct table_column columns[] = {
		{ "PID", .right = true }, { "USER" }, { "DRIVER" }, { "CARD" },
		{ "CLIENT", .right = true }, { "VRAM", .right = true }, { "GTT", .right = true },
		{ "SYS", .right = true }, { "/MIN", .right = true }, { "BUSY%", .right = true },
		{ "EVICT", .right = true }, { "NAME", .shrink = true },
	};
	time_t seconds = (time_t)(sample->wall_ms / 1000);
	struct table *table;
	char when[32] = "";
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(when, sizeof(when), "%F %T", &local);
	printf("%s  %zu card%s  %zu client%s", when, sample->nr_cards,
	       sample->nr_cards == 1 ? "" : "s", sample->nr_clients,
	       sample->nr_clients == 1 ? "" : "s");
	if (sample->totals.denied)
		printf("  (%u processes hidden: root sees all)", sample->totals.denied);
	putchar('\n');
	for (size_t i = 0; i < sample->nr_cards; i++)
		print_card(&sample->cards[i], history_card(history, i));
	table = table_new(columns, sizeof(columns) / sizeof(*columns));
	for (size_t i = 0; i < rows->count; i++)
		print_row(table, &rows->row[i], true);
	table_print(table, 0);
}
