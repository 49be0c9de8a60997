// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "out.h"
#include "status.h"
#include "table.h"
#include "text.h"

#define BAR_MAX 40

/* The largest unit in which all of them are whole numbers, so that they add up */
static unsigned int common_unit(const struct drm_pddgpu_ownership *own)
{
	uint64_t bits = own->live | own->orphan | own->zombie | own->kernel;
	unsigned int unit = 0;

	while (unit < 3 && bits && !(bits & ((1ULL << 10 * (unit + 1)) - 1)))
		unit++;
	return unit;
}

static void print_sum(const struct facts *facts, unsigned int region)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
	const struct drm_pddgpu_ownership *own = &facts->own[region];
	unsigned int unit = common_unit(own), shift = 10 * unit;

	if (facts->own_error) {
		printf("        used %" PRIu64 " B; this driver does not say whose\n",
		       (uint64_t)own->used);
		return;
	}
	printf("        used %" PRIu64 " = %slive%s %" PRIu64 " + %sorphaned%s %" PRIu64
	       " + %szombie%s %" PRIu64 " + %skernel%s %" PRIu64 " %s\n",
	       (uint64_t)own->used >> shift,
	       out_on(OUT_LIVE), out_off(), (uint64_t)own->live >> shift,
	       out_on(OUT_ORPHAN), out_off(), (uint64_t)own->orphan >> shift,
	       out_on(OUT_ZOMBIE), out_off(), (uint64_t)own->zombie >> shift,
	       out_on(OUT_KERNEL), out_off(), (uint64_t)own->kernel >> shift,
	       units[unit]);
}

static void print_region(const struct facts *facts, unsigned int region)
{
	const struct drm_pddgpu_domain_usage *usage = &facts->usage[region];
	const struct drm_pddgpu_ownership *own = &facts->own[region];
	const struct out_part parts[] = {
		{ facts->own_error ? own->used : own->live, OUT_LIVE, '#' },
		{ own->orphan, OUT_ORPHAN, 'o' },
		{ own->zombie, OUT_ZOMBIE, 'z' },
		{ own->kernel, OUT_KERNEL, 'k' },
	};
	char used[OUT_SIZE_MAX], total[OUT_SIZE_MAX];
	unsigned int width = screen.columns > 60 ? screen.columns - 50 : 10;

	printf("  %-4s  ", region_titles[region]);
	if (usage->total && screen.terminal) {
		putchar('[');
		out_bar(width < BAR_MAX ? width : BAR_MAX, usage->total, parts, 4);
		fputs("] ", stdout);
	}
	out_size(used, own->used);
	if (usage->total)
		printf("%s of %s, %.1f %%", used, out_size(total, usage->total),
		       (double)own->used * 100 / (double)usage->total);
	else
		printf("%s", used);
	if (usage->visible_total && usage->visible_total != usage->total)
		printf("; the CPU reaches %s, %s used", out_size(total, usage->visible_total),
		       out_size(used, usage->visible_used));
	putchar('\n');
	if (!facts->sums_only)
		print_sum(facts, region);
}

static void print_leaks(const struct drm_pddgpu_memory_stats *stats)
{
	char suspicious[OUT_SIZE_MAX], confirmed[OUT_SIZE_MAX];

	printf("  leaks %s%" PRIu64 " suspicious%s (%s), %s%" PRIu64 " confirmed%s (%s)\n",
	       stats->leak_suspicious ? out_on(OUT_WARN) : "",
	       (uint64_t)stats->leak_suspicious, stats->leak_suspicious ? out_off() : "",
	       out_size(suspicious, stats->leak_suspicious_bytes),
	       stats->leak_confirmed ? out_on(OUT_BAD) : "",
	       (uint64_t)stats->leak_confirmed, stats->leak_confirmed ? out_off() : "",
	       out_size(confirmed, stats->leak_confirmed_bytes));
}

/* As the driver wrote it, made printable; to be freed */
static char *health_text(const struct facts *facts, const char *name)
{
	const char *text = json_string_value(json_object_get(facts->health, name));

	return text_printable(text ? text : "?");
}

static long long health_number(const struct facts *facts, const char *name)
{
	return (long long)json_integer_value(json_object_get(facts->health, name));
}

static void print_manager(const struct facts *facts, const char *title, const char *prefix)
{
	char name[32], *state, *cause;
	bool well;

	snprintf(name, sizeof(name), "%s_state", prefix);
	state = health_text(facts, name);
	well = !strcmp(state, "READY");
	printf(", %s %s%s%s", title, out_on(well ? OUT_GOOD : OUT_BAD), state, out_off());
	free(state);
	if (well)
		return;
	snprintf(name, sizeof(name), "%s_cause", prefix);
	cause = health_text(facts, name);
	printf(" (%s)", cause);
	free(cause);
}

static void print_health(const struct facts *facts)
{
	bool well = health_number(facts, "device_healthy");

	if (!facts->health)
		return;
	printf("  card  %s%s%s", out_on(well ? OUT_GOOD : OUT_BAD),
	       well ? "healthy" : "not healthy", out_off());
	print_manager(facts, "VRAM", "vram");
	print_manager(facts, "GTT", "gtt");
	printf("; resets: %lld of engines, %lld of the chip",
	       health_number(facts, "reset_engine_resets"),
	       health_number(facts, "reset_chip_resets"));
	if (health_number(facts, "reset_engines_lost"))
		printf("; %s%lld engines lost%s", out_on(OUT_BAD),
		       health_number(facts, "reset_engines_lost"), out_off());
	putchar('\n');
}

static uint64_t process_state(const struct process *process, unsigned int state)
{
	uint64_t sum = 0;
	unsigned int region;

	for (region = 0; region < PDDGPU_REGIONS; region++)
		sum += process->bytes[region][state];
	return sum;
}

static void some_size(struct table *table, enum out_style style, uint64_t bytes)
{
	if (bytes)
		table_size(table, style, bytes);
	else
		table_cell(table, OUT_DIM, "-");
}

static void process_row(struct table *table, const struct facts *facts,
			const struct process *process)
{
	uint64_t objects = process->objects[0] + process->objects[1] + process->objects[2];
	enum out_style style = process->alive == ALIVE_NO ? OUT_WARN : OUT_PLAIN;
	unsigned int region;

	if (process->pid)
		table_cell(table, style, "%d", process->pid);
	else
		table_cell(table, style, "-");
	table_cell(table, style, "%s", process->pid || *process->comm ? process->comm : "nobody");
	for (region = 0; region < PDDGPU_REGIONS; region++)
		some_size(table, OUT_PLAIN, process_region(process, region));
	some_size(table, OUT_ORPHAN, process_state(process, PDDGPU_STATE_ORPHAN));
	some_size(table, OUT_ZOMBIE, process_state(process, PDDGPU_STATE_ZOMBIE));
	if (facts->processes_error)
		table_cell(table, OUT_DIM, "-");
	else
		table_cell(table, OUT_PLAIN, "%" PRIu64, objects);
	table_cell(table, style, "%s", process->alive == ALIVE_NO ? "exited" : "");
}

/* What those have whom this user may not see, and who has ended */
static void others_row(struct table *table, const struct facts *facts)
{
	unsigned int region, i;

	table_cell(table, OUT_PLAIN, "-");
	table_cell(table, OUT_PLAIN, "others");
	for (region = 0; region < PDDGPU_REGIONS; region++) {
		const struct drm_pddgpu_ownership *own = &facts->own[region];
		uint64_t seen = 0;
		size_t process;

		for (process = 0; process < facts->process_count; process++)
			seen += process_region(&facts->processes[process], region);
		/* What they share counts for each of them */
		some_size(table, OUT_PLAIN, own->used - own->kernel > seen ?
			  own->used - own->kernel - seen : 0);
	}
	for (i = 0; i < 4; i++)
		table_cell(table, OUT_DIM, "%s", i == 3 ? "" : "-");
}

/* What belongs to no process, and all together: the columns add up to what is used */
static void sum_rows(struct table *table, const struct facts *facts)
{
	const struct drm_pddgpu_ownership *own = facts->own;
	uint64_t orphan = 0, zombie = 0, objects = 0;
	unsigned int region, i;

	table_cell(table, OUT_PLAIN, "-");
	table_cell(table, OUT_KERNEL, "kernel");
	for (region = 0; region < PDDGPU_REGIONS; region++)
		some_size(table, OUT_PLAIN, own[region].kernel);
	for (i = 0; i < 4; i++)
		table_cell(table, OUT_DIM, "%s", i == 3 ? "" : "-");

	table_cell(table, OUT_BOLD, "%s", "");
	table_cell(table, OUT_BOLD, "total");
	for (region = 0; region < PDDGPU_REGIONS; region++) {
		table_size(table, OUT_BOLD, own[region].used);
		orphan += own[region].orphan;
		zombie += own[region].zombie;
		objects += own[region].live_objects + own[region].orphan_objects +
			   own[region].zombie_objects;
	}
	some_size(table, OUT_BOLD, orphan);
	some_size(table, OUT_BOLD, zombie);
	table_cell(table, OUT_BOLD, "%" PRIu64, objects);
	table_cell(table, OUT_BOLD, "%s", "");
}

static void print_processes(const struct facts *facts, uint64_t max)
{
	static const struct table_column columns[] = {
		{ "PID", .right = true }, { "NAME", .shrink = true },
		{ "VRAM", .right = true }, { "GTT", .right = true }, { "CPU", .right = true },
		{ "ORPHANED", .right = true }, { "ZOMBIE", .right = true },
		{ "BUFFERS", .right = true }, { "", .shrink = true },
	};
	struct table *table;
	size_t i;

	if (facts->processes_error && !facts->process_count)
		return;
	table = table_new(columns, 9);
	for (i = 0; i < facts->process_count && (!max || i < max); i++)
		process_row(table, facts, &facts->processes[i]);
	if (facts->processes_error && !facts->own_error)
		others_row(table, facts);
	if (!facts->own_error)
		sum_rows(table, facts);
	putchar('\n');
	table_print(table, 2);
	if (i < facts->process_count)
		printf("  and %zu more\n", facts->process_count - i);
	if (!facts->exact && !facts->own_error && !facts->processes_error)
		puts("  Memory came and went meanwhile: the rows may not add up.");
}

void status_print(const struct facts *facts, uint64_t max_processes)
{
	const struct pddgpu_device_id *id = &facts->card->id;
	bool ready = facts->info.state == PDDGPU_DEVICE_STATE_READY;
	unsigned int region;

	printf("%s%s%s  %s", out_on(OUT_TITLE), facts->sums_only ? "PDDGPU" : facts->info.name,
	       out_off(), id->pci);
	if (*id->primary)
		printf("  %s", strrchr(id->primary, '/') ? strrchr(id->primary, '/') + 1 :
		       id->primary);
	if (*id->render)
		printf(" %s", strrchr(id->render, '/') ? strrchr(id->render, '/') + 1 :
		       id->render);
	if (facts->sums_only) {
		puts("");
		for (region = 0; region < PDDGPU_REGION_CPU; region++)
			print_region(facts, region);
		return;
	}
	printf("  %s%s%s\n", out_on(ready ? OUT_GOOD : OUT_BAD),
	       device_state_name(facts->info.state), out_off());
	for (region = 0; region < PDDGPU_REGIONS; region++)
		print_region(facts, region);
	print_leaks(&facts->stats);
	print_health(facts);
	print_processes(facts, max_processes);
}
