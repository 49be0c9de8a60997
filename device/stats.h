/* SPDX-License-Identifier: MIT */
#ifndef PDD_STATS_H
#define PDD_STATS_H

#include <stdatomic.h>
#include <stdint.h>

/* The device's counters, by the names that the control channel gives them */
#define STATS_LIST(X) \
	X(packets) \
	X(copies) \
	X(fills) \
	X(bytes_copied) \
	X(bytes_filled) \
	X(fences) \
	X(interrupts) \
	X(interrupts_dropped) \
	X(interrupts_held) \
	X(ih_entries) \
	X(ih_overflows) \
	X(doorbells_control) \
	X(doorbells_engine0) \
	X(doorbells_engine1) \
	X(tlb_hits) \
	X(tlb_misses) \
	X(tlb_flushes) \
	X(faults) \
	X(resets) \
	X(engine_resets) \
	X(resets_failed)

enum counter {
#define X(name) STAT_##name,
	STATS_LIST(X)
#undef X
	STAT_COUNT
};

/**
 * struct stats - counters, updated by every thread without a lock
 * @value: a counter each, by enum counter
 */
struct stats {
	_Atomic uint64_t value[STAT_COUNT];
};

static inline void stats_add(struct stats *stats, enum counter which, uint64_t n)
{
	atomic_fetch_add_explicit(&stats->value[which], n, memory_order_relaxed);
}

static inline uint64_t stats_get(struct stats *stats, enum counter which)
{
	return atomic_load_explicit(&stats->value[which], memory_order_relaxed);
}

static inline void stats_reset(struct stats *stats)
{
	for (int i = 0; i < STAT_COUNT; i++)
		atomic_store_explicit(&stats->value[i], 0, memory_order_relaxed);
}

#endif
