// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <time.h>

#include "fields.h"
#include "json.h"
#include "out.h"
#include "status.h"

const struct query_field status_fields[] = {
	{ "timestamp", "", "when it was asked, UTC" },
	{ "index", "", "place in the order of PCI addresses, from 0" },
	{ "pci", "", "PCI address" },
	{ "card", "", "primary node" },
	{ "render", "", "render node" },
	{ "name", "", "chip" },
	{ "revision", "", "of the chip" },
	{ "state", "", "ready, shutdown, wedged, initializing" },
#define REGION(name) \
	{ name ".total", "B", "its size" }, \
	{ name ".used", "B", "live + orphan + zombie + kernel" }, \
	{ name ".free", "B", "total less used" }, \
	{ name ".live", "B", "of buffers with a handle" }, \
	{ name ".orphan", "B", "of buffers that a dma-buf, a mapping or the kernel keeps" }, \
	{ name ".zombie", "B", "of freed buffers that wait for a fence" }, \
	{ name ".kernel", "B", "of no buffer: the driver's, or of a move under way" }, \
	{ name ".live_objects", "", "buffers" }, \
	{ name ".orphan_objects", "", "buffers" }, \
	{ name ".zombie_objects", "", "buffers" }
	REGION("vram"),
	{ "vram.visible_total", "B", "that the CPU reaches" },
	{ "vram.visible_used", "B", "of it in use" },
	REGION("gtt"),
	REGION("cpu"),
	{ "leaks.suspicious", "", "objects past the suspicious age" },
	{ "leaks.suspicious_bytes", "B", "their bytes" },
	{ "leaks.confirmed", "", "objects past the confirmed age" },
	{ "leaks.confirmed_bytes", "B", "their bytes" },
	{ "stats.total_allocations", "", "buffers ever made" },
	{ "stats.total_deallocations", "", "buffers ever freed" },
	{ "stats.failed_allocations", "", "requests that found no room" },
	{ "stats.moves", "", "buffers moved from one domain to another" },
	{ "stats.evictions", "", "of them, to make room for others" },
	{ "stats.bytes_moved", "B", "moved from one domain to another" },
	{ "stats.swap_outs", "", "buffers written to swap" },
	{ "stats.swap_ins", "", "buffers read back" },
	{ "stats.swapped_bytes", "B", "of buffers that are in swap now" },
	{ "stats.avg_allocation_time", "ns", "to make a buffer" },
	{ "stats.avg_deallocation_time", "ns", "to free one" },
	{ "stats.avg_move_time", "ns", "to move one" },
	{ "health.device_healthy", "", "1 or 0 (root)" },
	{ "health.vram_state", "", "of the manager of VRAM (root)" },
	{ "health.gtt_state", "", "of the manager of the GTT (root)" },
	{ "health.reset_state", "", "ready or wedged (root)" },
	{ "health.reset_engine_resets", "", "engines that had to be reset (root)" },
	{ "health.reset_chip_resets", "", "resets of the chip (root)" },
	{ NULL }
};

const struct query_field process_fields[] = {
	{ "pci", "", "the card" },
	{ "pid", "", "in the machine's own numbers" },
	{ "comm", "", "name when it made its first buffer" },
	{ "exited", "", "it is not there any more" },
	{ "bytes", "B", "all that it has" },
	{ "objects", "", "buffers" },
#define PROCESS(name) \
	{ name ".used", "B", "live + orphan + zombie" }, \
	{ name ".live", "B", "of buffers with a handle" }, \
	{ name ".orphan", "B", "of buffers that something else keeps" }, \
	{ name ".zombie", "B", "of freed buffers that wait for a fence" }
	PROCESS("vram"),
	PROCESS("gtt"),
	PROCESS("cpu"),
	{ NULL }
};

static json_t *region_json(const struct facts *facts, unsigned int region)
{
	const struct drm_pddgpu_domain_usage *usage = &facts->usage[region];
	const struct drm_pddgpu_ownership *own = &facts->own[region];
	json_t *object = out_need(json_object());
	const struct { const char *name; uint64_t value; } parts[] = {
		{ "live", own->live }, { "orphan", own->orphan }, { "zombie", own->zombie },
		{ "kernel", own->kernel }, { "live_objects", own->live_objects },
		{ "orphan_objects", own->orphan_objects },
		{ "zombie_objects", own->zombie_objects },
	};
	unsigned int i;

	json_put(object, "total", json_count(usage->total));
	json_put(object, "used", json_count(own->used));
	json_put(object, "free", json_count(usage->total > own->used ?
					    usage->total - own->used : 0));
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		json_put(object, parts[i].name,
			 facts->own_error ? json_null() : json_count(parts[i].value));
	if (region == PDDGPU_REGION_VRAM) {
		json_put(object, "visible_total", json_count(usage->visible_total));
		json_put(object, "visible_used", json_count(usage->visible_used));
	}
	return object;
}

static json_t *sums_json(const struct facts *facts, unsigned int region)
{
	uint64_t total = facts->usage[region].total, used = facts->usage[region].used;
	json_t *object = out_need(json_object());

	json_put(object, "total", json_count(total));
	json_put(object, "used", json_count(used));
	json_put(object, "free", json_count(total > used ? total - used : 0));
	return object;
}

static json_t *leaks_json(const struct drm_pddgpu_memory_stats *stats)
{
	json_t *object = out_need(json_object());

	json_put(object, "suspicious", json_count(stats->leak_suspicious));
	json_put(object, "suspicious_bytes", json_count(stats->leak_suspicious_bytes));
	json_put(object, "confirmed", json_count(stats->leak_confirmed));
	json_put(object, "confirmed_bytes", json_count(stats->leak_confirmed_bytes));
	return object;
}

json_t *process_json(const struct facts *facts, const struct process *process)
{
	bool seen = facts->processes_error;
	json_t *object = out_need(json_object()), *clients = out_need(json_array());
	uint64_t objects = 0;
	unsigned int region, state;
	size_t i;

	for (state = 0; state < PDDGPU_STATES_OWNED; state++)
		objects += process->objects[state];
	json_put(object, "pid", process->pid ? json_integer(process->pid) : json_null());
	json_put(object, "comm", *process->comm ? json_text(process->comm) : json_null());
	json_put(object, "exited", process->alive == ALIVE_UNKNOWN ? json_null() :
		 json_boolean(process->alive == ALIVE_NO));
	json_put(object, "bytes", json_count(process_total(process)));
	json_put(object, "objects", seen ? json_null() : json_count(objects));
	for (region = 0; region < PDDGPU_REGIONS; region++) {
		json_t *part = out_need(json_object());

		json_put(part, "used", json_count(process_region(process, region)));
		for (state = 0; state < PDDGPU_STATES_OWNED; state++)
			json_put(part, state_names[state], seen ? json_null() :
				 json_count(process->bytes[region][state]));
		json_put(object, region_names[region], part);
	}
	for (i = 0; i < process->client_count; i++)
		json_add(clients, json_count(process->clients[i]));
	json_put(object, "clients", clients);
	return object;
}

static json_t *device_json(const struct facts *facts)
{
	json_t *object = card_json(facts->card);
	unsigned int region;

	if (facts->sums_only) {
		json_put(object, "error", json_text(pddgpu_strerror(facts->card->error)));
		for (region = 0; region < PDDGPU_REGION_CPU; region++)
			json_put(object, region_names[region], sums_json(facts, region));
		return object;
	}
	json_put(object, "error", json_null());
	json_put(object, "name", json_text(facts->info.name));
	json_put(object, "revision", json_count(facts->info.chip_rev));
	json_put(object, "state", json_string(device_state_name(facts->info.state)));
	for (region = 0; region < PDDGPU_REGIONS; region++)
		json_put(object, region_names[region], region_json(facts, region));
	json_put(object, "leaks", leaks_json(&facts->stats));
	json_put(object, "health", facts->health ? json_incref(facts->health) : json_null());
	return object;
}

json_t *status_json(const struct facts *facts)
{
	json_t *object = device_json(facts), *array;
	size_t i;

	if (facts->sums_only)
		return object;
	array = out_need(json_array());
	for (i = 0; i < facts->process_count; i++)
		json_add(array, process_json(facts, &facts->processes[i]));
	/* debugfs: all; fdinfo: those whose open files this user may see */
	json_put(object, "processes_from",
		 json_string(facts->processes_error ? "fdinfo" : "debugfs"));
	json_put(object, "processes", array);
	/* The processes' bytes add up to those above */
	json_put(object, "processes_exact", json_boolean(facts->exact));
	return object;
}

json_t *status_row(const struct facts *facts, unsigned int index)
{
	json_t *object = device_json(facts), *stats = out_need(json_object());
	const struct field *field;
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	for (field = fields; field->name && !facts->sums_only; field++)
		json_put(stats, field->name, json_count(field_get(field, &facts->stats)));
	json_put(object, "stats", stats);
	json_put(object, "index", json_count(index));
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	json_put(object, "timestamp", json_string(text));
	return object;
}
