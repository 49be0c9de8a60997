// SPDX-License-Identifier: MIT
/*
 * pddgpu list: the cards there are, also those that cannot be opened.
 */
#include <errno.h>
#include <stdio.h>

#include "args.h"
#include "card.h"
#include "commands.h"
#include "json.h"
#include "out.h"
#include "table.h"

static const char *device;
static bool as_json;
static unsigned int unit;

static const struct args_option options[] = {
	ARGS_DEVICE(&device),
	ARGS_JSON(&as_json),
	ARGS_UNIT(&unit),
	ARGS_END
};

static const struct args_command command = {
	.name = "list",
	.summary = "The PDDGPU cards of this machine, by PCI address",
	.options = options,
};

static void list_json(const struct cards *cards, const struct drm_pddgpu_device_info *info,
		      const int *error)
{
	json_t *document = json_document("list"), *devices = json_array();
	unsigned int i;

	for (i = 0; i < cards->count; i++) {
		json_t *object = card_json(&cards->card[i]);

		if (error[i]) {
			json_put(object, "error", json_text(pddgpu_strerror(error[i])));
		} else {
			json_put(object, "error", json_null());
			json_put(object, "name", json_text(info[i].name));
			json_put(object, "revision", json_count(info[i].chip_rev));
			json_put(object, "vram_bytes", json_count(info[i].vram_size));
			json_put(object, "vram_visible_bytes",
				 json_count(info[i].vram_visible_size));
			json_put(object, "gtt_bytes", json_count(info[i].gtt_size));
		}
		json_add(devices, object);
	}
	json_put(document, "devices", devices);
	json_print(document, false);
}

static void list_table(const struct cards *cards, const struct drm_pddgpu_device_info *info,
		       const int *error)
{
	static const struct table_column columns[] = {
		{ "PCI", .right = false }, { "NAME", .shrink = true }, { "VRAM", .right = true },
		{ "VISIBLE", .right = true }, { "GTT", .right = true },
		{ "CARD", .shrink = true }, { "RENDER", .shrink = true },
	};
	struct table *table = table_new(columns, 7);
	unsigned int i;

	for (i = 0; i < cards->count; i++) {
		const struct card *card = &cards->card[i];

		table_cell(table, OUT_BOLD, "%s", card->id.pci);
		if (error[i]) {
			table_cell(table, OUT_BAD, "?");
			table_cell(table, OUT_PLAIN, "-");
			table_cell(table, OUT_PLAIN, "-");
			table_cell(table, OUT_PLAIN, "-");
		} else {
			table_cell(table, OUT_PLAIN, "%.16s", info[i].name);
			table_size(table, OUT_PLAIN, info[i].vram_size);
			table_size(table, OUT_PLAIN, info[i].vram_visible_size);
			table_size(table, OUT_PLAIN, info[i].gtt_size);
		}
		table_cell(table, OUT_PLAIN, "%s", *card->id.primary ? card->id.primary : "-");
		table_cell(table, OUT_PLAIN, "%s", *card->id.render ? card->id.render : "-");
	}
	table_print(table, 0);
}

int cmd_list(int argc, char **argv)
{
	struct cards cards;
	struct drm_pddgpu_device_info *info;
	int rc, *error;
	unsigned int i;

	rc = args_parse(&command, argc, argv);
	if (rc >= 0)
		return rc;
	args_unit(unit);
	rc = cards_open(device, &cards);
	info = out_need(calloc(cards.count + 1, sizeof(*info)));
	error = out_need(calloc(cards.count + 1, sizeof(*error)));
	for (i = 0; i < cards.count; i++) {
		error[i] = cards.card[i].error;
		if (error[i])
			continue;
		error[i] = pddgpu_query_info(cards.card[i].dev, &info[i]);
		if (error[i])
			rc = out_worse(rc, card_say(&cards.card[i], "cannot ask it", error[i]));
	}
	if (as_json)
		list_json(&cards, info, error);
	else if (cards.count)
		list_table(&cards, info, error);
	free(info);
	free(error);
	cards_close(&cards);
	return rc;
}
