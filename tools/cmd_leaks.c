// SPDX-License-Identifier: MIT
/*
 * pddgpu leaks: buffers that are older than they should be, who made them and where; and
 * by other files, which of them are leaks, and what a program leaves behind.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "json.h"
#include "leaks.h"
#include "leaks_modes.h"
#include "looks.h"
#include "out.h"
#include "query.h"
#include "looks_print.h"

/* For how long to wait for what a program has started, ms */
#define GRACE_MS	10000

static const char *device, *fail_on;
static bool as_json, scan, clear_all, help_query, interval_given, max_given;
static unsigned int unit, by, sort;
static uint64_t max_groups, pid;
static struct leaks_wish wish = { .interval_ms = 1000 };
static struct leaks_filter filter;
static struct query query;

static const struct args_option options[] = {
	ARGS_DEVICE(&device),
	ARGS_JSON(&as_json),
	ARGS_UNIT(&unit),
	{ "by", 'b', ARGS_WORD, &by, "stack|owner|label|none",
	  "what to group by; stack: process, label and place in the\n"
	  "driver alike; none: each by itself" },
	{ "sort", 's', ARGS_WORD, &sort, "bytes|objects|age", "most first" },
	{ "max", 'n', ARGS_NUMBER, &max_groups, "N", "the first N groups; 0: all",
	  .given = &max_given },
	{ "min-age", 0, ARGS_TIME, &filter.min_age_ms, "TIME", "only older ones: 90, 5m, 2h" },
	{ "min-size", 0, ARGS_SIZE, &filter.min_size, "SIZE", "only larger ones: 64K, 1M" },
	{ "state", 0, ARGS_WORD, &filter.state, "any|live|orphan|zombie", "only such" },
	{ "pid", 'p', ARGS_NUMBER, &pid, "PID", "only those of this process", 1, INT32_MAX },
	{ "confirmed", 0, ARGS_FLAG, &filter.confirmed, NULL, "only confirmed ones" },
	{ "fail-on", 0, ARGS_TEXT, &fail_on, "suspicious|confirmed[:SIZE]|SIZE",
	  "exit status 1 if there are such, or SIZE or more of them;\n"
	  "confirmed ones are suspicious too. SIZE alone: with --for\n"
	  "and --watch, of leaks; else of what PROGRAM leaves" },
	{ "for", 0, ARGS_TIME, &wish.for_ms, "TIME",
	  "look for so long, then say which are leaks, and why;\n"
	  "with PROGRAM: how long to wait for what it has started",
	  .given = &wish.for_given },
	{ "watch", 'w', ARGS_FLAG, &wish.watch, NULL, "go on looking, and say when that changes" },
	{ "interval", 'i', ARGS_TIME, &wish.interval_ms, "TIME", "from look to look; 1 s",
	  .min = 100, .max = 3600000, .given = &interval_given },
	{ "since", 0, ARGS_TEXT, &wish.since, "TIME|now|boot",
	  "with these: only buffers not older than TIME, or than\n"
	  "now; boot: all" },
	{ "output", 'o', ARGS_TEXT, &wish.output, "FILE",
	  "with PROGRAM: what it has left, also there; - is stdout" },
	{ "new-sessions", 0, ARGS_FLAG, &wish.new_sessions, NULL,
	  "of a program: count what sessions leave that begin meanwhile" },
	{ "scan", 0, ARGS_FLAG, &scan, NULL, "have the driver look for leaks first" },
	{ "clear", 0, ARGS_FLAG, &clear_all, NULL,
	  "take what exists now for no leak, and list nothing" },
	{ "query", 'q', ARGS_TEXT, &query.names, "FIELD,...",
	  "these fields alone, a line a group" },
	{ "format", 'f', ARGS_TEXT, &query.format, "csv[,noheader][,nounits]", "of a query" },
	{ "help-query", 0, ARGS_FLAG, &help_query, NULL, "what fields there are" },
	ARGS_END
};

static const struct args_command command = {
	.name = "leaks",
	.summary = "Buffers older than leak_suspicious_age, by who made them and where; with\n"
		   "--for or --watch, which of all buffers are leaks, and why; with PROGRAM, what\n"
		   "that leaves behind",
	.operands = "[-- PROGRAM [ARG]...]",
	.operands_max = -1,
	.program = true,
	.options = options,
};

static const struct query_field leak_fields[] = {
	{ "pci", "", "the card" },
	{ "bytes", "B", "of the group" },
	{ "objects", "", "buffers of the group" },
	{ "confirmed_bytes", "B", "of those past the confirmed age" },
	{ "confirmed", "", "those past the confirmed age" },
	{ "oldest_ms", "ms", "age of the oldest" },
	{ "youngest_ms", "ms", "age of the youngest" },
	{ "live", "", "buffers with a handle" },
	{ "orphan", "", "buffers that something else keeps" },
	{ "zombie", "", "freed buffers that wait for a fence" },
	{ "vram", "B", "in VRAM" },
	{ "gtt", "B", "in the GTT" },
	{ "cpu", "B", "in neither" },
	{ "pid", "", "who made them" },
	{ "comm", "", "his name" },
	{ "exited", "", "he is not there any more" },
	{ "label", "", "what they are for" },
	{ NULL }
};

/**
 * struct limit - what --fail-on says
 */
struct limit {
	bool confirmed;
	/* Not of old buffers, but of leaks */
	bool leaks;
	uint64_t bytes;
};

static int parse_limit(struct limit *limit)
{
	const char *rest;

	if (!fail_on)
		return -1;
	rest = strchr(fail_on, ':');
	if (!strncmp(fail_on, "confirmed", 9) && (!fail_on[9] || rest == fail_on + 9))
		limit->confirmed = true;
	else if (args_size(fail_on, &limit->bytes))
		limit->leaks = true;
	else if (strncmp(fail_on, "suspicious", 10) || (fail_on[10] && rest != fail_on + 10))
		return args_wrong(&command, "--fail-on: '%s' is neither suspicious nor confirmed, "
				  "nor a size", fail_on);
	if (rest && !args_size(rest + 1, &limit->bytes))
		return args_wrong(&command, "--fail-on: '%s' is no size", rest + 1);
	return -1;
}

static bool beyond(const struct limit *limit, uint64_t objects, uint64_t bytes)
{
	return fail_on && objects && bytes >= limit->bytes;
}

static bool filtered(void)
{
	return filter.min_age_ms || filter.min_size || filter.state || filter.pid ||
	       filter.confirmed;
}

/**
 * struct found - what came of a card
 */
struct found {
	const struct card *card;
	struct drm_pddgpu_memory_stats stats;
	struct leaks leaks;
	int leaks_error;
	/* What is thought of the buffers by a first look; verdict is NULL: not known */
	struct looked first;
};

static struct sites *sites;

static json_t *device_json(const struct found *found)
{
	const struct drm_pddgpu_memory_stats *stats = &found->stats;
	json_t *object = card_json(found->card), *groups;
	size_t i;

	json_put(object, "error", json_null());
	json_put(object, "verdict", found->first.verdict ?
		 verdict_json(&found->first, sites, max_groups) : json_null());
	json_put(object, "suspicious", json_count(stats->leak_suspicious));
	json_put(object, "suspicious_bytes", json_count(stats->leak_suspicious_bytes));
	json_put(object, "confirmed", json_count(stats->leak_confirmed));
	json_put(object, "confirmed_bytes", json_count(stats->leak_confirmed_bytes));
	if (found->leaks_error) {
		json_put(object, "groups", json_null());
		return object;
	}
	groups = out_need(json_array());
	for (i = 0; i < found->leaks.count && (!max_groups || i < max_groups); i++)
		json_add(groups, leak_group_json(&found->leaks.groups[i], by));
	json_put(object, "listed_objects", json_count(found->leaks.all.objects));
	json_put(object, "listed_bytes", json_count(found->leaks.all.bytes));
	json_put(object, "groups", groups);
	return object;
}

/* The list says what is old; who wants to know what is a leak is told how */
static void print_first(const struct found *found)
{
	const struct drm_pddgpu_memory_stats *stats = &found->stats;
	struct looks_sum sum = looks_sum(&found->first);
	char size[OUT_SIZE_MAX];

	if (!found->first.verdict || !(sum.objects || stats->leak_suspicious ||
				       stats->leak_confirmed))
		return;
	if (sum.objects)
		printf("\n  at a first look %s in %" PRIu64 " buffer%s leaked; ",
		       out_size(size, sum.bytes), sum.objects, sum.objects == 1 ? "" : "s");
	else
		fputs("\n  ", stdout);
	printf("pddgpu leaks --for=1m says which are leaks, and why\n");
}

static void print_device(const struct found *found, bool more)
{
	const struct drm_pddgpu_memory_stats *stats = &found->stats;
	char suspicious[OUT_SIZE_MAX], confirmed[OUT_SIZE_MAX], size[OUT_SIZE_MAX];
	const struct leaks *leaks = &found->leaks;
	size_t i;

	printf("%s%s%s%s  %s%" PRIu64 " suspicious%s (%s), %s%" PRIu64 " confirmed%s (%s)\n",
	       more ? "\n" : "", out_on(OUT_TITLE), found->card->id.pci, out_off(),
	       stats->leak_suspicious ? out_on(OUT_WARN) : "",
	       (uint64_t)stats->leak_suspicious, stats->leak_suspicious ? out_off() : "",
	       out_size(suspicious, stats->leak_suspicious_bytes),
	       stats->leak_confirmed ? out_on(OUT_BAD) : "",
	       (uint64_t)stats->leak_confirmed, stats->leak_confirmed ? out_off() : "",
	       out_size(confirmed, stats->leak_confirmed_bytes));
	if (found->leaks_error) {
		print_first(found);
		return;
	}
	if (filtered())
		printf("  %" PRIu64 " as asked for (%s)\n", leaks->all.objects,
		       out_size(size, leaks->all.bytes));
	for (i = 0; i < leaks->count && (!max_groups || i < max_groups); i++) {
		putchar('\n');
		leak_group_print(&leaks->groups[i], by);
	}
	if (i < leaks->count)
		printf("\n  and %zu more groups\n", leaks->count - i);
	print_first(found);
}

static void print_rows(const struct found *found)
{
	size_t i;

	for (i = 0; i < found->leaks.count && (!max_groups || i < max_groups); i++) {
		json_t *row = leak_group_json(&found->leaks.groups[i], by);

		json_put(row, "pci", json_text(found->card->id.pci));
		query_row(&query, row);
		json_decref(row);
	}
}

/* Without the list the driver's sums tell, but not of what was filtered */
static int judge(const struct found *found, const struct limit *limit)
{
	const struct drm_pddgpu_memory_stats *stats = &found->stats;
	const struct leak_group *all = &found->leaks.all;
	uint64_t objects, bytes;

	if (!found->leaks_error) {
		objects = limit->confirmed ? all->confirmed : all->objects;
		bytes = limit->confirmed ? all->confirmed_bytes : all->bytes;
	} else {
		objects = stats->leak_confirmed;
		bytes = stats->leak_confirmed_bytes;
		if (!limit->confirmed) {
			objects += stats->leak_suspicious;
			bytes += stats->leak_suspicious_bytes;
		}
	}
	return beyond(limit, objects, bytes) ? RC_FOUND : RC_OK;
}

static int list_missing(const struct found *found)
{
	int error = found->leaks_error;
	static bool said;

	if (!error)
		return RC_OK;
	/* Once for all cards */
	if (!said && (error == -EACCES || error == -EPERM))
		out_say("only root may see which buffers they are");
	else if (!said && error == -ENOENT)
		out_say("the list needs debugfs: mount -t debugfs none /sys/kernel/debug");
	else if (error != -EACCES && error != -EPERM && error != -ENOENT)
		out_say("%s: the list: %s", found->card->id.pci, pddgpu_strerror(error));
	said = true;
	/* It was asked for what only the list can tell */
	if (query.names || filtered() || (error != -EACCES && error != -EPERM && error != -ENOENT))
		return error == -EACCES || error == -EPERM ? RC_DENIED : RC_ERROR;
	return RC_OK;
}

/* 0 or an error: of a card that does not answer */
static int look(struct found *found)
{
	const struct leaks_wanted wanted = {
		.filter = &filter, .by = by, .sort = sort, .sites = sites,
	};
	struct pddgpu_device *dev = found->card->dev;
	int error = found->card->error;

	if (!error && scan) {
		error = pddgpu_leaks_scan(dev);
		if (error)
			return error;
	}
	if (error)
		return error;
	/* That an older driver has no first look is not said: the list is what was asked for */
	found->leaks_error = leaks_read(found->card, &wanted, &found->leaks, &found->first);
	if (found->leaks_error == -ENODEV)
		return -ENODEV;
	return pddgpu_query_stats(dev, &found->stats);
}

static int one(const struct card *card, bool more, const struct limit *limit, json_t *devices)
{
	struct found found = { .card = card };
	int error = look(&found), rc = RC_OK;

	if (error && !card->error)
		rc = card_say(card, scan ? "cannot scan or ask it" : "cannot ask it", error);
	if (error && devices) {
		json_t *object = card_json(card);

		json_put(object, "error", json_text(pddgpu_strerror(error)));
		json_add(devices, object);
	} else if (devices) {
		json_add(devices, device_json(&found));
	} else if (!error && query.names) {
		print_rows(&found);
	} else if (!error) {
		print_device(&found, more);
	}
	if (!error) {
		rc = judge(&found, limit);
		rc = out_worse(rc, list_missing(&found));
	}
	verdict_free(found.first.verdict);
	leaks_free(&found.leaks);
	return rc;
}

static int clear_cards(struct cards *cards)
{
	unsigned int i;
	int rc = RC_OK;

	for (i = 0; i < cards->count; i++) {
		const struct card *card = &cards->card[i];
		int error = card->error ? 0 : pddgpu_leaks_clear(card->dev);

		if (error)
			rc = out_worse(rc, card_say(card, "cannot clear", error));
		else if (!card->error)
			printf("%s: what exists now is taken for no leak\n", card->id.pci);
	}
	return rc;
}

/* What is for one of the three things that this does, and not for another */
static int check_modes(const struct limit *limit, const char *operand)
{
	bool looking = wish.for_given || wish.watch;
	bool listing = scan || clear_all || query.names || filter.min_age_ms || filter.state ||
		       filter.confirmed || by || sort || (fail_on && !limit->leaks);

	if (operand && !limit->leaks)
		return args_wrong(&command, "'%s' is too much: a program needs --fail-on=SIZE",
				  operand);
	if (operand && (wish.watch || wish.since || interval_given || pid || filter.min_size))
		return args_wrong(&command, "--watch, --since, --interval, --pid and --min-size "
				  "are not for a program");
	if (operand && as_json && !wish.output)
		return args_wrong(&command, "--json with a program needs --output");
	if (!operand && (wish.output || wish.new_sessions))
		return args_wrong(&command, "--%s is for a program",
				  wish.output ? "output" : "new-sessions");
	if (!operand && !looking && limit->leaks)
		return args_wrong(&command,
				  "--fail-on=SIZE needs a program, or --for or --watch");
	if (!operand && !looking && (wish.since || interval_given))
		return args_wrong(&command, "--since and --interval are for --for and --watch");
	if ((operand || looking) && listing)
		return args_wrong(&command, "it is the list by age that has --%s",
				  scan ? "scan" : clear_all ? "clear" : query.names ? "query" :
				  filter.min_age_ms ? "min-age" : filter.state ? "state" :
				  filter.confirmed ? "confirmed" : by ? "by" : sort ? "sort" :
				  "fail-on=suspicious or confirmed");
	return -1;
}

static int check(struct limit *limit, const char *operand)
{
	int rc;

	filter.pid = (int32_t)pid;
	if (clear_all && (as_json || scan || fail_on || query.names || filtered()))
		return args_wrong(&command, "--clear goes with --device alone");
	if (as_json && query.names)
		return args_wrong(&command, "a query has no --json");
	if (query.format && !query.names)
		return args_wrong(&command, "--format is for --query");
	if (query.names) {
		rc = query_check(&command, leak_fields, &query);
		if (rc >= 0)
			return rc;
	}
	rc = parse_limit(limit);
	return rc >= 0 ? rc : check_modes(limit, operand);
}

static int other_modes(const struct limit *limit, char **operands)
{
	wish.device = device;
	wish.as_json = as_json;
	wish.limited = limit->leaks;
	wish.limit = limit->bytes;
	wish.max = max_given || as_json || *operands ? max_groups : VERDICT_MAX_PRESET;
	wish.pid = (int32_t)pid;
	wish.min_size = filter.min_size;
	if (!*operands)
		return leaks_look(&command, &wish);
	if (!wish.for_given)
		wish.for_ms = GRACE_MS;
	return leaks_run(&wish, operands);
}

int cmd_leaks(int argc, char **argv)
{
	json_t *document, *devices = NULL;
	struct limit limit = { 0 };
	struct cards cards;
	unsigned int i;
	int rc;

	rc = args_parse(&command, argc, argv);
	if (rc >= 0)
		return rc;
	if (help_query) {
		query_help(leak_fields, "query");
		return RC_OK;
	}
	rc = check(&limit, argv[optind]);
	if (rc >= 0)
		return rc;
	args_unit(unit);
	if (argv[optind] || wish.for_given || wish.watch)
		return other_modes(&limit, argv + optind);
	rc = cards_open(device, &cards);
	if (clear_all) {
		rc = out_worse(rc, clear_cards(&cards));
		cards_close(&cards);
		return rc;
	}
	if (as_json)
		devices = out_need(json_array());
	sites = sites_new();
	if (query.names)
		query_header(&query);
	for (i = 0; i < cards.count; i++)
		rc = out_worse(rc, one(&cards.card[i], i, &limit, devices));
	if (devices) {
		document = json_document("leaks");
		json_put(document, "devices", devices);
		json_print(document, false);
	}
	sites_free(sites);
	cards_close(&cards);
	return rc;
}
