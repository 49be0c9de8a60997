// SPDX-License-Identifier: MIT
/*
 * pddgpu replay: what was recorded, in top's screen or as JSON, or what came of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "json.h"
#include "out.h"
#include "recording.h"
#include "sample_json.h"
#include "table.h"
#include "top.h"

#define SUMMARY_MAX 50	/* clients in the table; JSON has all */

static bool as_json, summary;
static uint64_t speed = 1;
static unsigned int sort, group;

static const struct args_option options[] = {
	ARGS_JSON(&as_json),
	{ "summary", 's', ARGS_FLAG, &summary, NULL, "what each client had, first and last, and\n"
	  "how it grew; without a terminal that is so anyway" },
	{ "speed", 'x', ARGS_NUMBER, &speed, "N", "times as fast", .min = 1, .max = 1000 },
	{ "sort", 0, ARGS_WORD, &sort, "vram|gtt|system|memory|growth|busy|evictions|"
	  "pid|user|name|driver|client", "what comes first" },
	{ "group", 'g', ARGS_WORD, &group, "clients|processes|tree", "a line for each ..." },
	ARGS_END
};

static const struct args_command command = {
	.name = "replay",
	.summary = "Shows again what `pddgpu record` has kept",
	.operands = "FILE",
	.operands_min = 1,
	.operands_max = 1,
	.options = options,
};

static const char *name;

static int say(int error, const char *why)
{
	out_say("replay: %s: %s", name, why ? why : strerror(-error));
	return out_rc_file(error);
}

/* Every sample as a line */
static int print_all(struct player *player)
{
	struct rows_view view = { .sort = sort, .group = group };
	struct history *history = out_need(history_new());
	const struct sample *sample;
	struct rows rows = { 0 };
	int got;

	while ((got = player_next(player, &sample)) > 0) {
		got = history_update(history, sample);
		if (!got)
			got = rows_build(&rows, &view, sample, history);
		if (got)
			break;
		json_print(sample_json("replay", sample, history, &rows), true);
		if (!out_flush())
			break;
	}
	rows_free(&rows);
	history_free(history);
	return got < 0 ? say(got, player_why(player)) : RC_OK;
}

static int64_t growth(const struct played *one)
{
	uint64_t ms = one->last_ms - one->first_ms;
	double rate = ms ? ((double)one->last - (double)one->first) * 60000 / (double)ms : 0;

	return rate >= 9e18 ? INT64_MAX : rate <= -9e18 ? INT64_MIN : (int64_t)rate;
}

static int by_growth(const void *a, const void *b)
{
	const struct played *one = *(const struct played * const *)a;
	const struct played *other = *(const struct played * const *)b;
	double first = (double)one->last - (double)one->first;
	double second = (double)other->last - (double)other->first;

	if (first != second)
		return first < second ? 1 : -1;
	return (one->most < other->most) - (one->most > other->most);
}

static void summary_table(const struct played *const *all, size_t count)
{
	static const struct table_column columns[] = {
		{ "PID", .right = true }, { "DRIVER" }, { "CARD" }, { "CLIENT", .right = true },
		{ "TIME", .right = true }, { "FIRST", .right = true }, { "LAST", .right = true },
		{ "MOST", .right = true }, { "/MIN", .right = true }, { "NAME", .shrink = true },
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(*columns));
	char text[OUT_SIZE_MAX];

	for (size_t i = 0; i < count && i < SUMMARY_MAX; i++) {
		const struct played *one = all[i];

		table_cell(table, OUT_PLAIN, "%d", one->client.pid);
		table_cell(table, OUT_PLAIN, "%s", one->client.driver);
		table_cell(table, OUT_PLAIN, "%s", one->client.device);
		table_cell(table, OUT_PLAIN, "%llu", (unsigned long long)one->client.id);
		table_cell(table, OUT_PLAIN, "%s", out_time(text, one->last_ms - one->first_ms));
		table_cell(table, OUT_PLAIN, "%s", short_size(text, one->first));
		table_cell(table, OUT_PLAIN, "%s", short_size(text, one->last));
		table_cell(table, OUT_PLAIN, "%s", short_size(text, one->most));
		table_cell(table, one->last > one->first ? OUT_WARN : OUT_PLAIN, "%s",
			   short_growth(text, growth(one)));
		table_cell(table, OUT_PLAIN, "%s", one->client.comm);
	}
	table_print(table, 0);
	if (count > SUMMARY_MAX)
		printf("and %zu more\n", count - SUMMARY_MAX);
}

static void summary_json(const struct played *const *all, size_t count, uint64_t ms,
			 uint64_t samples)
{
	json_t *document = json_document("replay-summary"), *list = json_array();

	json_put(document, "duration_ms", json_count(ms));
	json_put(document, "samples", json_count(samples));
	for (size_t i = 0; i < count; i++) {
		const struct played *one = all[i];
		json_t *object = json_object();

		json_put(object, "device", json_text(one->client.device));
		json_put(object, "driver", json_text(one->client.driver));
		json_put(object, "client_id", json_count(one->client.id));
		json_put(object, "pid", json_integer(one->client.pid));
		json_put(object, "name", json_text(one->client.comm));
		json_put(object, "from_ms", json_count(one->first_ms));
		json_put(object, "to_ms", json_count(one->last_ms));
		json_put(object, "first_bytes", json_count(one->first));
		json_put(object, "last_bytes", json_count(one->last));
		json_put(object, "most_bytes", json_count(one->most));
		json_put(object, "growth_bytes_per_minute", json_integer(growth(one)));
		json_add(list, object);
	}
	json_put(document, "clients", list);
	json_print(document, false);
}

static int print_summary(struct player *player)
{
	const struct sample *sample;
	const struct played *const *all;
	const struct played **sorted;
	uint64_t samples = 0, first = 0, last = 0;
	char text[OUT_SIZE_MAX];
	size_t count;
	int got;

	while ((got = player_next(player, &sample)) > 0) {
		if (!samples++)
			first = sample->ms;
		last = sample->ms;
	}
	all = player_clients(player, &count);
	sorted = out_need(calloc(count + 1, sizeof(void *)));
	for (size_t i = 0; i < count; i++)
		sorted[i] = all[i];
	qsort(sorted, count, sizeof(void *), by_growth);
	if (as_json) {
		summary_json(sorted, count, last - first, samples);
	} else {
		printf("%llu samples in %s, %zu client%s\n", (unsigned long long)samples,
		       out_time(text, last - first), count, count == 1 ? "" : "s");
		if (count)
			summary_table(sorted, count);
	}
	free(sorted);
	return got < 0 ? say(got, player_why(player)) : RC_OK;
}

/* A damaged file ends the screen where it is; what is wrong is told afterwards. */
struct show {
	struct player *player;
	int error;
};

static int next(void *context, const struct sample **sample)
{
	struct show *show = context;
	int got = player_next(show->player, sample);

	if (got < 0)
		show->error = got;
	return got < 0 ? 0 : got;
}

static uint64_t gap(void *context)
{
	return player_gap(((struct show *)context)->player);
}

static int on_screen(struct player *player)
{
	struct show show = { player, 0 };
	struct top_source source = {
		.context = &show, .next = next, .gap = gap, .title = "pddgpu replay",
	};
	struct top top = {
		.source = &source, .card = SIZE_MAX, .delay_ms = 1000, .speed = (double)speed,
		.view = { .sort = sort, .group = group },
	};
	int rc = top_run(&top);

	if (rc == RC_OK && show.error)
		return say(show.error, player_why(player));
	if (rc == RC_OK && !top.sample)
		puts("0 samples");
	return rc;
}

int cmd_replay(int argc, char **argv)
{
	struct player *player;
	const char *why;
	FILE *file;
	int rc = args_parse(&command, argc, argv);
	int error;

	if (rc >= 0)
		return rc;
	name = argv[optind];
	file = strcmp(name, "-") ? fopen(name, "re") : stdin;
	if (!file)
		return say(-errno, NULL);
	error = player_new(file, &player, &why);
	if (error)
		return say(error, why);
	if (summary || (!as_json && (!screen.terminal || !isatty(STDIN_FILENO))))
		rc = print_summary(player);
	else if (as_json)
		rc = print_all(player);
	else
		rc = on_screen(player);
	player_free(player);
	return rc;
}
