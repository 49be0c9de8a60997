// SPDX-License-Identifier: MIT
/*
 * pddgpu map: a picture of VRAM and of the GTT, and how much in pieces they are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "json.h"
#include "map.h"
#include "out.h"

static const char *device, *file;
static bool as_json, blocks;
static unsigned int unit, by, which;
static uint64_t rows;

static const struct args_option options[] = {
	ARGS_DEVICE(&device),
	ARGS_JSON(&as_json),
	ARGS_UNIT(&unit),
	{ "by", 'b', ARGS_WORD, &by, "owner|state", "what the colours or letters tell" },
	{ "region", 'r', ARGS_WORD, &which, "all|vram|gtt", "what to show" },
	{ "rows", 'n', ARGS_NUMBER, &rows, "N", "rows for the pictures, all together", 1, 1000 },
	{ "output", 'o', ARGS_TEXT, &file, "FILE.svg", "write the picture there; - is stdout" },
	{ "blocks", 0, ARGS_FLAG, &blocks, NULL, "with --json: every block too" },
	ARGS_END
};

static const struct args_command command = {
	.name = "map",
	.summary = "What lies where in VRAM and in the GTT, and how much in pieces they are",
	.options = options,
};

static int write_svg(const struct map *maps, unsigned int count)
{
	FILE *to = stdout;
	int error = 0;

	if (!strcmp(file, "-")) {
		map_svg(to, maps, count, by);
		return RC_OK;
	}
	to = fopen(file, "we");
	if (!to) {
		error = errno;
		out_say("%s: %s", file, strerror(error));
		return out_rc_file(-error);
	}
	errno = 0;
	map_svg(to, maps, count, by);
	if (fflush(to) || ferror(to))
		error = errno ? errno : EIO;
	if (fclose(to) && !error)
		error = errno;
	if (!error)
		return RC_OK;
	out_say("%s: %s", file, strerror(error));
	return RC_ERROR;
}

/* Both regions are refused for the same reason, or neither is */
static int region_errors(const struct map *map)
{
	static bool said;
	int error = 0;
	unsigned int i;

	for (i = 0; i < map->regions; i++)
		if (map->region[i].error)
			error = map->region[i].error;
	if (!error)
		return RC_OK;
	if (error != -EACCES && error != -EPERM && error != -ENOENT)
		return card_say(map->card, "cannot read what lies where", error);
	/* Once for all cards */
	if (!said)
		out_say("%s", error == -ENOENT ?
			"the map needs debugfs: mount -t debugfs none /sys/kernel/debug" :
			"only root may see what lies where");
	said = true;
	return error == -ENOENT ? RC_ERROR : RC_DENIED;
}

static bool nothing(const struct map *map)
{
	unsigned int i;

	for (i = 0; i < map->regions; i++)
		if (!map->region[i].error)
			return false;
	return true;
}

static void show_json(const struct cards *cards, const struct map *maps, const int *errors)
{
	json_t *document = json_document("map"), *devices = out_need(json_array()), *object;
	unsigned int i, at = 0;

	for (i = 0; i < cards->count; i++) {
		if (errors[i]) {
			object = card_json(&cards->card[i]);
			json_put(object, "error", json_text(pddgpu_strerror(errors[i])));
			json_add(devices, object);
		} else {
			json_add(devices, map_json(&maps[at++], blocks));
		}
	}
	json_put(document, "devices", devices);
	json_print(document, false);
}

static void show(const struct map *maps, unsigned int count)
{
	bool more = false;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (nothing(&maps[i]))
			continue;
		if (more)
			putchar('\n');
		more = true;
		map_print(&maps[i], by, (unsigned int)rows);
	}
}

/* Returns the exit code; maps of those that could be read, in their order */
static int read_maps(const struct cards *cards, struct map *maps, unsigned int *count,
		     int *errors)
{
	unsigned int bits = which ? which : 3, i;
	int rc = RC_OK;

	for (i = 0; i < cards->count; i++) {
		const struct card *card = &cards->card[i];

		errors[i] = card->error;
		if (errors[i])
			continue;
		errors[i] = map_read(card, bits, &maps[*count]);
		if (errors[i]) {
			rc = out_worse(rc, card_say(card, "cannot ask it", errors[i]));
			map_free(&maps[*count]);
		} else {
			rc = out_worse(rc, region_errors(&maps[*count]));
			++*count;
		}
	}
	return rc;
}

static int check(void)
{
	if (file && as_json)
		return args_wrong(&command, "--output is SVG, and excludes --json");
	if (blocks && !as_json)
		return args_wrong(&command, "--blocks is for --json");
	if (rows && (file || as_json))
		return args_wrong(&command, "--rows is for the terminal");
	return -1;
}

int cmd_map(int argc, char **argv)
{
	unsigned int count = 0, i;
	struct cards cards;
	struct map *maps;
	int rc, *errors;

	rc = args_parse(&command, argc, argv);
	if (rc < 0)
		rc = check();
	if (rc >= 0)
		return rc;
	args_unit(unit);
	rc = cards_open(device, &cards);
	maps = out_need(calloc(cards.count + 1, sizeof(*maps)));
	errors = out_need(calloc(cards.count + 1, sizeof(*errors)));
	rc = out_worse(rc, read_maps(&cards, maps, &count, errors));
	if (as_json)
		show_json(&cards, maps, errors);
	else if (!file)
		show(maps, count);
	else if (count)
		rc = out_worse(rc, write_svg(maps, count));
	for (i = 0; i < count; i++)
		map_free(&maps[i]);
	free(maps);
	free(errors);
	cards_close(&cards);
	return rc;
}
