// SPDX-License-Identifier: MIT
/*
 * pddgpu stats: all that the driver counts, once, or again and again with what has
 * changed since.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "card.h"
#include "commands.h"
#include "fields.h"
#include "json.h"
#include "out.h"
#include "table.h"

#define BAR_MAX 40

static const char *device;
static bool as_json;
static unsigned int unit;
static uint64_t interval_ms, count;

static const struct args_option options[] = {
	ARGS_DEVICE(&device),
	ARGS_JSON(&as_json),
	ARGS_UNIT(&unit),
	{ "interval", 'i', ARGS_TIME, &interval_ms, "TIME",
	  "again each so many seconds (or 100ms, 1m): a line with the\n"
	  "rates since the last; with --json a document a line", 10, 86400000 },
	{ "count", 'n', ARGS_NUMBER, &count, "N", "end after so many intervals", 1 },
	ARGS_END
};

static const struct args_command command = {
	.name = "stats",
	.summary = "Everything that the driver counts: memory, buffers, moves, times",
	.options = options,
};

/**
 * struct sample - a card's statistics at a moment
 */
struct sample {
	struct drm_pddgpu_memory_stats stats;
	uint64_t at_ns;
};

/* What has been counted since; from 0 if it was reset meanwhile */
static uint64_t delta(const struct field *field, const struct sample *before,
		      const struct sample *now)
{
	uint64_t from = field_get(field, &before->stats), to = field_get(field, &now->stats);

	return to >= from ? to - from : to;
}

static int take(const struct card *card, struct sample *sample)
{
	struct timespec now;
	int error = pddgpu_query_stats(card->dev, &sample->stats);

	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->at_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return error;
}

/* ---- JSON ---- */

static json_t *changes_json(const struct sample *before, const struct sample *now)
{
	json_t *object = out_need(json_object()), *sums = out_need(json_object());
	json_t *rates = out_need(json_object());
	double seconds = (double)(now->at_ns - before->at_ns) / 1e9;
	const struct field *field;

	for (field = fields; field->name; field++) {
		if (!field_is_total(field))
			continue;
		json_put(sums, field->name, json_count(delta(field, before, now)));
		json_put(rates, field->name, json_real(seconds > 0 ?
			 (double)delta(field, before, now) / seconds : 0));
	}
	json_put(object, "ns", json_count(now->at_ns - before->at_ns));
	json_put(object, "delta", sums);
	json_put(object, "per_second", rates);
	return object;
}

static json_t *sample_json(const struct card *card, const struct sample *before,
			   const struct sample *now)
{
	json_t *object = card_json(card), *stats = out_need(json_object());
	const struct histogram *histogram;
	const struct field *field;
	unsigned int i;

	for (field = fields; field->name; field++)
		json_put(stats, field->name, json_count(field_get(field, &now->stats)));
	for (histogram = histograms; histogram->name; histogram++) {
		json_t *buckets = out_need(json_array());

		for (i = 0; i < PDDGPU_LATENCY_BUCKETS; i++)
			json_add(buckets, json_count(histogram_get(histogram, &now->stats)[i]));
		json_put(stats, histogram->name, buckets);
	}
	json_put(object, "error", json_null());
	json_put(object, "stats", stats);
	if (interval_ms)
		json_put(object, "since", before ? changes_json(before, now) : json_null());
	return object;
}

/* ---- text ---- */

static void value_cell(struct table *table, const struct field *field, uint64_t value)
{
	char text[OUT_SIZE_MAX];

	if (field_is_bytes(field))
		table_size(table, OUT_BOLD, value);
	else if (field->kind == FIELD_NS)
		table_cell(table, OUT_BOLD, "%s", out_ns(text, value));
	else
		table_cell(table, OUT_BOLD, "%" PRIu64, value);
}

/* The bucket in which that share of all lies, of sums from below */
static unsigned int quantile(const __u64 *buckets, uint64_t all, double share)
{
	double below = 0;
	unsigned int i;

	for (i = 0; i < PDDGPU_LATENCY_BUCKETS - 1; i++) {
		below += (double)buckets[i];
		if (below >= (double)all * share)
			break;
	}
	return i;
}

static void print_histogram(const struct histogram *histogram,
			    const struct drm_pddgpu_memory_stats *stats)
{
	const __u64 *buckets = histogram_get(histogram, stats);
	unsigned int i, first = PDDGPU_LATENCY_BUCKETS, last = 0, width;
	char from[OUT_SIZE_MAX], to[OUT_SIZE_MAX];
	uint64_t all = 0, most = 0;

	for (i = 0; i < PDDGPU_LATENCY_BUCKETS; i++) {
		all += buckets[i];
		if (most < buckets[i])
			most = buckets[i];
		if (!buckets[i])
			continue;
		last = i;
		if (first > i)
			first = i;
	}
	if (!all)
		return;
	printf("\n  %s%s%s: %" PRIu64 "; half of them below %s, 99 %% below %s\n",
	       out_on(OUT_TITLE), histogram->what, out_off(), all,
	       out_ns(from, 2ULL << quantile(buckets, all, 0.5)),
	       out_ns(to, 2ULL << quantile(buckets, all, 0.99)));
	width = screen.columns > 40 ? screen.columns - 36 : 4;
	if (width > BAR_MAX)
		width = BAR_MAX;
	for (i = first; i <= last; i++) {
		double share = (double)buckets[i] / (double)most;
		unsigned int cells = (unsigned int)(share * width + 0.5);

		printf("  %8s ", i == PDDGPU_LATENCY_BUCKETS - 1 ? "more" :
		       out_ns(to, 2ULL << i));
		fputs(out_on(OUT_LIVE), stdout);
		if (!cells && buckets[i])
			cells = 1;
		while (cells--)
			fputs(screen.utf8 && screen.terminal ? "\u2588" : "#", stdout);
		printf("%s %" PRIu64 "\n", out_off(), (uint64_t)buckets[i]);
	}
}

static void print_all(const struct card *card, const struct sample *now, bool more)
{
	static const struct table_column columns[] = {
		{ "NAME" }, { "VALUE", .right = true }, { "WHAT", .shrink = true },
	};
	struct table *table = table_new(columns, 3);
	const struct histogram *histogram;
	const struct field *field;

	printf("%s%s%s%s\n", more ? "\n" : "", out_on(OUT_TITLE), card->id.pci, out_off());
	for (field = fields; field->name; field++) {
		table_cell(table, OUT_PLAIN, "%s", field->name);
		value_cell(table, field, field_get(field, &now->stats));
		table_cell(table, OUT_DIM, "%s", field->help);
	}
	table_print(table, 2);
	for (histogram = histograms; histogram->name; histogram++)
		print_histogram(histogram, &now->stats);
}

static const struct field *field_named(const char *name)
{
	const struct field *field = fields;

	while (strcmp(field->name, name))
		field++;
	return field;
}

static const char *const line_rates[] = {
	"total_allocations", "total_deallocations", "failed_allocations", "moves",
	"evictions", "bytes_moved", "swap_outs", "swap_ins",
};

#define LINE_RATES (sizeof(line_rates) / sizeof(line_rates[0]))

static void print_line_header(void)
{
	printf("%s%-12s %9s %9s %8s %8s %7s %7s %7s %11s %7s %7s %7s%s\n", out_on(OUT_DIM),
	       "CARD", "VRAM", "GTT", "ALLOC/S", "FREE/S", "FAIL/S", "MOVE/S", "EVICT/S",
	       "MOVED/S", "OUT/S", "IN/S", "LEAKS", out_off());
}

static void print_line(const struct card *card, const struct sample *before,
		       const struct sample *now)
{
	static const int widths[LINE_RATES] = { 8, 8, 7, 7, 7, 11, 7, 7 };
	double seconds = (double)(now->at_ns - before->at_ns) / 1e9;
	const struct drm_pddgpu_memory_stats *stats = &now->stats;
	char text[OUT_SIZE_MAX];
	size_t i;

	printf("%-12s %9s", card->id.pci, out_size(text, stats->vram_used));
	printf(" %9s", out_size(text, stats->gtt_used));
	for (i = 0; i < LINE_RATES; i++) {
		const struct field *field = field_named(line_rates[i]);
		double rate = seconds > 0 ? (double)delta(field, before, now) / seconds : 0;

		if (field_is_bytes(field))
			printf(" %*s", widths[i], out_size(text, (uint64_t)(rate + 0.5)));
		else
			printf(" %*.*f", widths[i], rate > 0 && rate < 99.5, rate);
	}
	printf(" %s%7" PRIu64 "%s\n",
	       stats->leak_confirmed ? out_on(OUT_BAD) :
	       stats->leak_suspicious ? out_on(OUT_WARN) : "",
	       (uint64_t)(stats->leak_suspicious + stats->leak_confirmed),
	       stats->leak_confirmed || stats->leak_suspicious ? out_off() : "");
}

/* ---- both ---- */

/*
 * One look at all cards; now is where samples go, before has those of the last look.
 * A card that has gone is not asked again.
 */
static int look(struct cards *cards, const struct sample *before, struct sample *now)
{
	json_t *devices = as_json ? out_need(json_array()) : NULL, *document, *object;
	unsigned int i;
	int rc = RC_OK;

	for (i = 0; i < cards->count; i++) {
		struct card *card = &cards->card[i];
		int error = card->error;

		if (!error) {
			error = take(card, &now[i]);
			card->error = error;
			if (error)
				rc = out_worse(rc, card_say(card, "cannot ask it", error));
		}
		if (devices && error) {
			object = card_json(card);
			json_put(object, "error", json_text(pddgpu_strerror(error)));
			json_add(devices, object);
		} else if (devices) {
			json_add(devices, sample_json(card, before ? &before[i] : NULL, &now[i]));
		} else if (!error && before) {
			print_line(card, &before[i], &now[i]);
		} else if (!error && !interval_ms) {
			print_all(card, &now[i], i);
		}
	}
	if (devices) {
		document = json_document("stats");
		json_put(document, "devices", devices);
		json_print(document, interval_ms);
	}
	return rc;
}

static void wait_until(struct timespec *next)
{
	next->tv_sec += (time_t)(interval_ms / 1000);
	next->tv_nsec += (long)(interval_ms % 1000) * 1000000;
	if (next->tv_nsec >= 1000000000) {
		next->tv_nsec -= 1000000000;
		next->tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
		;
}

static bool all_gone(const struct cards *cards)
{
	unsigned int i;

	for (i = 0; i < cards->count; i++)
		if (!cards->card[i].error)
			return false;
	return true;
}

static int repeat(struct cards *cards, struct sample *samples[2])
{
	struct timespec next;
	uint64_t lines = 0, done;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &next);
	rc = look(cards, NULL, samples[0]);
	for (done = 0; (!count || done < count) && !all_gone(cards); done++) {
		/* Whoever reads the lines wants them now, and may have gone */
		if (!out_flush())
			break;
		wait_until(&next);
		if (!as_json && lines % (screen.rows > 3 ? screen.rows - 2 : 20) == 0)
			print_line_header();
		rc = out_worse(rc, look(cards, samples[done % 2], samples[(done + 1) % 2]));
		lines += cards->count;
	}
	return rc;
}

int cmd_stats(int argc, char **argv)
{
	struct sample *samples[2];
	struct cards cards;
	int rc;

	rc = args_parse(&command, argc, argv);
	if (rc >= 0)
		return rc;
	if (count && !interval_ms)
		return args_wrong(&command, "--count is for --interval");
	args_unit(unit);
	rc = cards_open(device, &cards);
	samples[0] = out_need(calloc(cards.count + 1, sizeof(**samples)));
	samples[1] = out_need(calloc(cards.count + 1, sizeof(**samples)));
	if (!cards.count && !as_json)
		;
	else if (interval_ms)
		rc = out_worse(rc, repeat(&cards, samples));
	else
		rc = out_worse(rc, look(&cards, NULL, samples[0]));
	free(samples[0]);
	free(samples[1]);
	cards_close(&cards);
	return rc;
}
