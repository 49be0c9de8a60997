// SPDX-License-Identifier: MIT
/*
 * What cards answered, as metrics. The names and labels are a contract with alert
 * rules and dashboards (packaging/): they are added to, never changed.
 *
 * A card that could not be asked has pddgpu_up 0 and no figures: zeros would be taken
 * for free memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stddef.h>
#include <string.h>

#include "commands.h"
#include "export.h"

/* Labels of a card, and room for two of the sample's own and the end */
struct labels {
	char card[16];
	struct metrics_label list[5];
};

static const char * const regions[3] = {"vram", "gtt", "memory"};

static void set_labels(struct labels *labels, const struct export_sample *sample,
		       const char *name, const char *value)
{
	snprintf(labels->card, sizeof(labels->card), "card%d", sample->id.card);
	labels->list[0] = (struct metrics_label){"card", labels->card};
	labels->list[1] = (struct metrics_label){"pdev", sample->id.pci};
	labels->list[2] = (struct metrics_label){name, value};
	labels->list[3] = (struct metrics_label){NULL, NULL};
	labels->list[4] = (struct metrics_label){NULL, NULL};
}

/* With a region before the label */
static void set_region(struct labels *labels, const struct export_sample *sample,
		       unsigned int region, const char *name, const char *value)
{
	set_labels(labels, sample, "region", regions[region]);
	labels->list[3] = (struct metrics_label){name, value};
}

static const struct export_sample *next(const struct export_sample *samples, int count, int *n)
{
	while (*n < count && samples[*n].error)
		++*n;
	return *n < count ? &samples[(*n)++] : NULL;
}

/* For each card that answered */
#define for_each(sample, samples, count, n) \
	for ((n) = 0; ((sample) = next(samples, count, &(n)));)

static void integer(struct metrics_text *out, const struct export_sample *sample,
		    const char *name, const char *value, uint64_t number)
{
	struct labels labels = {0};

	set_labels(&labels, sample, name, value);
	metrics_integer(out, labels.list, number);
}

/* Of which the cards that answered say one number each, a member of their statistics */
static const struct {
	const char *name;
	enum metrics_type type;
	size_t offset;
	const char *help;
} simple[] = {
#define STAT(name, type, member, help) \
	{name, METRICS_##type, offsetof(struct drm_pddgpu_memory_stats, member), help}
	STAT("pddgpu_allocations_total", COUNTER, total_allocations,
	     "Buffers that were made or imported."),
	STAT("pddgpu_deallocations_total", COUNTER, total_deallocations,
	     "Buffers that were freed."),
	STAT("pddgpu_failed_allocations_total", COUNTER, failed_allocations,
	     "Requests for memory that failed for want of room."),
	STAT("pddgpu_moves_total", COUNTER, moves,
	     "Buffers that were moved from one region to another."),
	STAT("pddgpu_evictions_total", COUNTER, evictions,
	     "Moves that made room for another buffer."),
	STAT("pddgpu_moved_bytes_total", COUNTER, bytes_moved,
	     "Bytes that were moved from one region to another."),
	STAT("pddgpu_swap_outs_total", COUNTER, swap_outs,
	     "Buffers that were written to swap."),
	STAT("pddgpu_swap_ins_total", COUNTER, swap_ins,
	     "Buffers that were read back from swap."),
	STAT("pddgpu_swapped_bytes", GAUGE, swapped_bytes,
	     "Bytes of buffers that are in swap."),
#undef STAT
};

static void put_simple(struct metrics_text *out, const struct export_sample *samples, int count)
{
	const struct export_sample *sample;
	uint64_t value;
	size_t i;
	int n;

	for (i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
		metrics_family(out, simple[i].name, simple[i].type, simple[i].help);
		for_each(sample, samples, count, n) {
			memcpy(&value, (const char *)&sample->stats + simple[i].offset,
			       sizeof(value));
			integer(out, sample, NULL, NULL, value);
		}
	}
}

static void put_usage(struct metrics_text *out, const struct export_sample *samples, int count,
		      const char *name, size_t offset, bool all, const char *help)
{
	const struct export_sample *sample;
	struct labels labels = {0};
	unsigned int region;
	uint64_t value;
	int n;

	metrics_family(out, name, METRICS_GAUGE, help);
	for_each(sample, samples, count, n)
		for (region = 0; region < (all ? 3 : 1); region++) {
			memcpy(&value, (const char *)&sample->usage[region] + offset,
			       sizeof(value));
			set_region(&labels, sample, region, NULL, NULL);
			metrics_integer(out, labels.list, value);
		}
}

/* Members of a region's ownership, by state */
static const struct {
	const char *state;
	size_t bytes;
	size_t objects;
} states[] = {
#define OWNED(member)	offsetof(struct drm_pddgpu_ownership, member)
	{"live", OWNED(live), OWNED(live_objects)},
	{"orphan", OWNED(orphan), OWNED(orphan_objects)},
	{"zombie", OWNED(zombie), OWNED(zombie_objects)},
	/* The driver's own are no objects */
	{"kernel", OWNED(kernel), 0},
#undef OWNED
};

static void put_owned(struct metrics_text *out, const struct export_sample *samples, int count,
		      bool objects)
{
	const struct export_sample *sample;
	struct labels labels = {0};
	unsigned int region;
	uint64_t value;
	size_t i, offset;
	int n;

	for_each(sample, samples, count, n)
		for (region = 0; sample->has_owners && region < 3; region++)
			for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
				offset = objects ? states[i].objects : states[i].bytes;
				if (!offset)
					continue;
				memcpy(&value, (const char *)&sample->owned[region] + offset,
				       sizeof(value));
				set_region(&labels, sample, region, "state", states[i].state);
				metrics_integer(out, labels.list, value);
			}
}

static void put_memory(struct metrics_text *out, const struct export_sample *samples, int count)
{
	put_usage(out, samples, count, "pddgpu_memory_size_bytes",
		  offsetof(struct drm_pddgpu_domain_usage, total), true,
		  "Bytes that the region has.");
	put_usage(out, samples, count, "pddgpu_memory_used_bytes",
		  offsetof(struct drm_pddgpu_domain_usage, used), true,
		  "Bytes of it that are used.");
	put_usage(out, samples, count, "pddgpu_memory_visible_size_bytes",
		  offsetof(struct drm_pddgpu_domain_usage, visible_total), false,
		  "Bytes of it that the CPU reaches.");
	put_usage(out, samples, count, "pddgpu_memory_visible_used_bytes",
		  offsetof(struct drm_pddgpu_domain_usage, visible_used), false,
		  "Bytes that the CPU reaches and that are used.");
	metrics_family(out, "pddgpu_memory_owned_bytes", METRICS_GAUGE,
		       "Bytes by whose they are: live, a handle exists; orphan, kept by a "
		       "mapping or a dma-buf alone; zombie, freed and still busy; kernel, the "
		       "driver's. Their sum is all that is used.");
	put_owned(out, samples, count, false);
	metrics_family(out, "pddgpu_memory_objects", METRICS_GAUGE,
		       "Buffers, by the same states.");
	put_owned(out, samples, count, true);
}

static void put_leaks(struct metrics_text *out, const struct export_sample *samples, int count)
{
	const struct export_sample *sample;
	int n;

	metrics_family(out, "pddgpu_leak_objects", METRICS_GAUGE,
		       "Buffers past the suspicious, and past the confirmed age.");
	for_each(sample, samples, count, n) {
		integer(out, sample, "state", "suspicious", sample->stats.leak_suspicious);
		integer(out, sample, "state", "confirmed", sample->stats.leak_confirmed);
	}
	metrics_family(out, "pddgpu_leak_bytes", METRICS_GAUGE, "Their bytes.");
	for_each(sample, samples, count, n) {
		integer(out, sample, "state", "suspicious", sample->stats.leak_suspicious_bytes);
		integer(out, sample, "state", "confirmed", sample->stats.leak_confirmed_bytes);
	}
}

static void put_times(struct metrics_text *out, const struct export_sample *samples, int count,
		      unsigned int which, const char *name, const char *help)
{
	static const size_t histograms[3] = {
		offsetof(struct drm_pddgpu_memory_stats, allocation_histogram),
		offsetof(struct drm_pddgpu_memory_stats, deallocation_histogram),
		offsetof(struct drm_pddgpu_memory_stats, move_histogram),
	};
	const struct export_sample *sample;
	uint64_t buckets[PDDGPU_LATENCY_BUCKETS];
	struct labels labels = {0};
	int n;

	metrics_family(out, name, METRICS_HISTOGRAM, help);
	for_each(sample, samples, count, n) {
		memcpy(buckets, (const char *)&sample->stats + histograms[which],
		       sizeof(buckets));
		set_labels(&labels, sample, NULL, NULL);
		metrics_histogram(out, labels.list, buckets, PDDGPU_LATENCY_BUCKETS,
				  sample->seconds_of[which]);
	}
}

static const char *state_of(const struct export_sample *sample)
{
	switch (sample->error) {
	case 0:
		break;
	case -EIO:
		return "wedged";
	case -ETIMEDOUT:
		return "hung";
	case -EACCES:
	case -EPERM:
		return "denied";
	case -ENODEV:
	case -ENOENT:
	case -ENXIO:
		return "gone";
	default:
		return "error";
	}
	switch (sample->info.state) {
	case PDDGPU_DEVICE_STATE_READY:
		return "ready";
	case PDDGPU_DEVICE_STATE_WEDGED:
		return "wedged";
	default:
		return "starting";
	}
}

static void put_states(struct metrics_text *out, const struct export_sample *samples, int count)
{
	static const char * const all[] = {"ready", "starting", "wedged", "hung", "gone",
					   "denied", "error"};
	size_t i;
	int n;

	metrics_family(out, "pddgpu_up", METRICS_GAUGE,
		       "Whether the card answered when it was asked.");
	for (n = 0; n < count; n++)
		integer(out, &samples[n], NULL, NULL, !samples[n].error);
	metrics_family(out, "pddgpu_state", METRICS_GAUGE,
		       "The card's state: 1 for the one it is in. Wedged: it could not be reset; "
		       "hung: no answer in time; denied: the exporter may not open it.");
	for (n = 0; n < count; n++)
		for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			integer(out, &samples[n], "state", all[i],
				!strcmp(all[i], state_of(&samples[n])));
	metrics_family(out, "pddgpu_collect_duration_seconds", METRICS_GAUGE,
		       "How long it took to ask the card.");
	for (n = 0; n < count; n++) {
		struct labels labels = {0};

		set_labels(&labels, &samples[n], NULL, NULL);
		metrics_number(out, labels.list, samples[n].seconds);
	}
}

static void put_infos(struct metrics_text *out, const struct export_sample *samples, int count)
{
	const struct metrics_label build[] = {
		{"version", PDDGPU_TOOL_VERSION}, {"library", pddgpu_version()}, {NULL, NULL},
	};
	const struct export_sample *sample;
	char chip[sizeof(sample->info.name) + 1], revision[16];
	struct labels labels = {0};
	int n;

	metrics_family(out, "pddgpu_exporter_build_info", METRICS_INFO, "What tells this.");
	metrics_integer(out, build, 1);
	metrics_family(out, "pddgpu_cards", METRICS_GAUGE, "Cards that are there.");
	metrics_integer(out, NULL, (uint64_t)count);
	metrics_family(out, "pddgpu_card_info", METRICS_INFO, "The card and its driver.");
	for_each(sample, samples, count, n) {
		struct metrics_label all[6];

		snprintf(chip, sizeof(chip), "%.*s", (int)sizeof(sample->info.name),
			 sample->info.name);
		snprintf(revision, sizeof(revision), "%u", sample->info.chip_rev);
		set_labels(&labels, sample, NULL, NULL);
		memcpy(all, labels.list, 2 * sizeof(all[0]));
		all[2] = (struct metrics_label){"chip", chip};
		all[3] = (struct metrics_label){"revision", revision};
		all[4] = (struct metrics_label){"driver", sample->driver};
		all[5] = (struct metrics_label){NULL, NULL};
		metrics_integer(out, all, 1);
	}
}

static void put_process(struct metrics_text *out, const struct export_sample *sample,
			const struct export_process *process, bool named)
{
	struct labels labels = {0};
	unsigned int region;

	for (region = 0; region < 3; region++) {
		set_region(&labels, sample, region, named ? "comm" : NULL, process->comm);
		metrics_integer(out, labels.list, process->bytes[region][0] +
				process->bytes[region][1] + process->bytes[region][2]);
	}
}

static void put_processes(struct metrics_text *out, const struct export_sample *samples,
			  int count)
{
	const struct export_sample *sample;
	bool asked = false;
	unsigned int i;
	int n;

	for_each(sample, samples, count, n)
		asked |= sample->asked_processes;
	if (!asked)
		return;
	metrics_family(out, "pddgpu_process_memory_bytes", METRICS_GAUGE,
		       "Bytes of all processes of a name, alive or not.");
	for_each(sample, samples, count, n)
		for (i = 0; i < sample->process_count; i++)
			put_process(out, sample, &sample->processes[i], true);
	/* A name of its own, for a process may have any comm that could be used here */
	metrics_family(out, "pddgpu_other_processes_memory_bytes", METRICS_GAUGE,
		       "Bytes of all processes with names that have less than those.");
	for_each(sample, samples, count, n)
		if (!sample->process_error)
			put_process(out, sample, &sample->others, false);
	metrics_family(out, "pddgpu_process_up", METRICS_GAUGE,
		       "Whether it could be read who has memory; that takes root.");
	for_each(sample, samples, count, n)
		integer(out, sample, NULL, NULL, !sample->process_error);
}

/**
 * export_text() - writes all that there is to say
 * @out: an empty text
 * @samples: what the cards said
 * @count: how many cards
 */
void export_text(struct metrics_text *out, const struct export_sample *samples, int count)
{
	put_infos(out, samples, count);
	put_states(out, samples, count);
	put_memory(out, samples, count);
	put_simple(out, samples, count);
	put_leaks(out, samples, count);
	put_times(out, samples, count, 0, "pddgpu_allocation_duration_seconds",
		  "How long it took to make a buffer.");
	put_times(out, samples, count, 1, "pddgpu_deallocation_duration_seconds",
		  "How long it took to free a buffer.");
	put_times(out, samples, count, 2, "pddgpu_move_duration_seconds",
		  "How long it took to move a buffer from one region to another.");
	put_processes(out, samples, count);
	metrics_end(out);
}
