/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_STATS_H
#define PDDGPU_STATS_H

#include <linux/jump_label.h>
#include <linux/timekeeping.h>
#include <linux/types.h>

struct drm_device;
struct drm_pddgpu_memory_stats;
struct pddgpu_stats;

/**
 * struct pddgpu_memory_stats_batch - several events, counted in one go
 *
 * A member that is zero changes nothing. Events counted this way carry no
 * time, so the averages and histograms do not know them.
 */
struct pddgpu_memory_stats_batch {
	/** @failed_allocations: requests that failed for want of room */
	u64 failed_allocations;
	/** @moves: buffers moved from one domain to another */
	u64 moves;
	/** @evictions: of them, moves that made room for another buffer */
	u64 evictions;
	/** @bytes_moved: bytes */
	u64 bytes_moved;
	/** @swap_outs: buffers written to swap */
	u64 swap_outs;
	/** @swap_ins: buffers read back */
	u64 swap_ins;
	/** @swap_ins_failed: counted among @swap_ins at some time, and were not */
	u64 swap_ins_failed;
};

struct pddgpu_stats *pddgpu_memory_stats_init(struct drm_device *drm);

DECLARE_STATIC_KEY_TRUE(pddgpu_stats_key);

/* The time; 0 where nothing is counted. No call of its own: four for each buffer */
static inline u64 pddgpu_memory_stats_clock(void)
{
	return static_branch_likely(&pddgpu_stats_key) ? ktime_get_ns() : 0;
}

/**
 * pddgpu_memory_stats_alloc_start() - a buffer is about to be made
 * @stats: the statistics
 *
 * Return: the time, for pddgpu_memory_stats_alloc_end().
 */
static inline u64 pddgpu_memory_stats_alloc_start(struct pddgpu_stats *stats)
{
	return pddgpu_memory_stats_clock();
}

/**
 * pddgpu_memory_stats_free_start() - a buffer is about to be freed
 * @stats: the statistics
 *
 * Return: the time, for pddgpu_memory_stats_free_end().
 */
static inline u64 pddgpu_memory_stats_free_start(struct pddgpu_stats *stats)
{
	return pddgpu_memory_stats_clock();
}

/**
 * pddgpu_memory_stats_move_start() - a buffer is about to be moved
 * @stats: the statistics
 *
 * Return: the time, for pddgpu_memory_stats_move_end().
 */
static inline u64 pddgpu_memory_stats_move_start(struct pddgpu_stats *stats)
{
	return pddgpu_memory_stats_clock();
}

u64 pddgpu_memory_stats_alloc_end(struct pddgpu_stats *stats, u64 start, int result);
void pddgpu_memory_stats_free_end(struct pddgpu_stats *stats, u64 start);
void pddgpu_memory_stats_move_end(struct pddgpu_stats *stats, u64 start, u64 bytes,
				  bool evict, int result);
void pddgpu_memory_stats_swap_out(struct pddgpu_stats *stats);
void pddgpu_memory_stats_swap_in(struct pddgpu_stats *stats);
void pddgpu_memory_stats_batch_update(struct pddgpu_stats *stats,
				      const struct pddgpu_memory_stats_batch *batch);

void pddgpu_memory_stats_reset(struct pddgpu_stats *stats);
void pddgpu_memory_stats_fill(struct pddgpu_stats *stats, struct drm_pddgpu_memory_stats *out);

#endif /* PDDGPU_STATS_H */
