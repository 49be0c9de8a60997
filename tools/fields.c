// SPDX-License-Identifier: MIT
#include "fields.h"

#define FIELD(name, kind, help) \
	{ #name, help, offsetof(struct drm_pddgpu_memory_stats, name), FIELD_##kind }

const struct field fields[] = {
	FIELD(vram_total, BYTES, "video memory"),
	FIELD(vram_used, BYTES, "of it in use"),
	FIELD(vram_free, BYTES, "of it free"),
	FIELD(vram_visible_total, BYTES, "video memory that the CPU reaches"),
	FIELD(vram_visible_used, BYTES, "of it in use"),
	FIELD(gtt_total, BYTES, "the GTT aperture"),
	FIELD(gtt_used, BYTES, "of it in use"),
	FIELD(gtt_free, BYTES, "of it free"),
	FIELD(total_allocations, TOTAL, "buffers made or imported"),
	FIELD(total_deallocations, TOTAL, "of them, freed"),
	FIELD(failed_allocations, TOTAL, "requests that found no room"),
	FIELD(moves, TOTAL, "buffers moved from one domain to another"),
	FIELD(evictions, TOTAL, "of them, to make room for others"),
	FIELD(bytes_moved, TOTAL_BYTES, "moved from one domain to another"),
	FIELD(swap_outs, TOTAL, "buffers written to swap"),
	FIELD(swap_ins, TOTAL, "buffers read back"),
	FIELD(leak_suspicious, COUNT, "objects past the suspicious age"),
	FIELD(leak_suspicious_bytes, BYTES, "their bytes"),
	FIELD(leak_confirmed, COUNT, "objects past the confirmed age"),
	FIELD(leak_confirmed_bytes, BYTES, "their bytes"),
	FIELD(avg_allocation_time, NS, "to make a buffer, on average"),
	FIELD(avg_deallocation_time, NS, "to free one"),
	FIELD(avg_move_time, NS, "to move one"),
	FIELD(live_objects, COUNT, "buffers with a handle"),
	FIELD(live_bytes, BYTES, "their bytes"),
	FIELD(orphan_objects, COUNT, "buffers without, but kept by something else"),
	FIELD(orphan_bytes, BYTES, "their bytes"),
	FIELD(zombie_objects, COUNT, "buffers that are freed and wait for a fence"),
	FIELD(zombie_bytes, BYTES, "their bytes"),
	FIELD(kernel_bytes, BYTES, "video memory that the driver uses itself"),
	FIELD(swapped_bytes, BYTES, "of buffers that are in swap now"),
	{ 0 }
};

#define HISTOGRAM(name, what) \
	{ #name, what, offsetof(struct drm_pddgpu_memory_stats, name) }

const struct histogram histograms[] = {
	HISTOGRAM(allocation_histogram, "allocation times"),
	HISTOGRAM(deallocation_histogram, "deallocation times"),
	HISTOGRAM(move_histogram, "move times"),
	{ 0 }
};
