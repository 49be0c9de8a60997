// SPDX-License-Identifier: GPL-2.0
/*
 * Memory statistics: event counters, times and histograms.
 *
 * Every CPU counts for itself, so that counting takes no lock, waits for nobody
 * and loses nothing. A reader adds the CPUs up. A reset does not write to what
 * other CPUs are counting on: it remembers the sums of that moment, and readers
 * subtract them.
 */
#include <linux/bitops.h>
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/u64_stats_sync.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_stats.h"

/* To see what counting costs; read once, so that a start has its end */
DEFINE_STATIC_KEY_TRUE(pddgpu_stats_key);
static bool stats_on = true;

static int stats_set(const char *val, const struct kernel_param *kp)
{
	int ret = param_set_bool(val, kp);

	if (ret)
		return ret;
	if (stats_on)
		static_branch_enable(&pddgpu_stats_key);
	else
		static_branch_disable(&pddgpu_stats_key);
	return 0;
}

static const struct kernel_param_ops stats_ops = {
	.set = stats_set,
	.get = param_get_bool,
};
module_param_cb(stats, &stats_ops, &stats_on, 0444);
MODULE_PARM_DESC(stats, "Count and time what happens to buffers (default: true)");

/*
 * A later event stands before the one that it presupposes, here and among the
 * operations below. Readers add up in this order, so they never see more
 * evictions than moves, nor more deallocations than allocations.
 */
enum pddgpu_stats_counter {
	PDDGPU_STATS_DEALLOCATION_TIME,
	PDDGPU_STATS_ALLOCATION_TIME,
	PDDGPU_STATS_FAILED_ALLOCATIONS,
	PDDGPU_STATS_EVICTIONS,
	PDDGPU_STATS_MOVES,
	PDDGPU_STATS_MOVE_TIME,
	PDDGPU_STATS_BYTES_MOVED,
	/* Swap-ins that are counted as such, and that came to nothing */
	PDDGPU_STATS_SWAP_INS_FAILED,
	PDDGPU_STATS_SWAP_INS,
	PDDGPU_STATS_SWAP_OUTS,
	PDDGPU_STATS_COUNTERS,
};

/* Counters that stay inside, because only others need them */
#define PDDGPU_STATS_HIDDEN	U16_MAX

#define PDDGPU_STATS_FIELD(name)	offsetof(struct drm_pddgpu_memory_stats, name)

static const u16 counter_fields[] = {
	[PDDGPU_STATS_DEALLOCATION_TIME] = PDDGPU_STATS_HIDDEN,
	[PDDGPU_STATS_ALLOCATION_TIME] = PDDGPU_STATS_HIDDEN,
	[PDDGPU_STATS_FAILED_ALLOCATIONS] = PDDGPU_STATS_FIELD(failed_allocations),
	[PDDGPU_STATS_EVICTIONS] = PDDGPU_STATS_FIELD(evictions),
	[PDDGPU_STATS_MOVES] = PDDGPU_STATS_FIELD(moves),
	[PDDGPU_STATS_MOVE_TIME] = PDDGPU_STATS_HIDDEN,
	[PDDGPU_STATS_BYTES_MOVED] = PDDGPU_STATS_FIELD(bytes_moved),
	[PDDGPU_STATS_SWAP_INS_FAILED] = PDDGPU_STATS_HIDDEN,
	[PDDGPU_STATS_SWAP_INS] = PDDGPU_STATS_FIELD(swap_ins),
	[PDDGPU_STATS_SWAP_OUTS] = PDDGPU_STATS_FIELD(swap_outs),
};

static_assert(ARRAY_SIZE(counter_fields) == PDDGPU_STATS_COUNTERS);

enum pddgpu_stats_operation {
	PDDGPU_STATS_OP_FREE,
	PDDGPU_STATS_OP_ALLOC,
	PDDGPU_STATS_OP_MOVE,
	PDDGPU_STATS_OPS,
};

/* How many there were is the sum of the histogram, not one more counter */
static const struct {
	enum pddgpu_stats_counter time;
	u16 count_field;
	u16 average_field;
	u16 histogram_field;
} operations[] = {
	[PDDGPU_STATS_OP_FREE] = {
		PDDGPU_STATS_DEALLOCATION_TIME,
		PDDGPU_STATS_FIELD(total_deallocations),
		PDDGPU_STATS_FIELD(avg_deallocation_time),
		PDDGPU_STATS_FIELD(deallocation_histogram),
	},
	[PDDGPU_STATS_OP_ALLOC] = {
		PDDGPU_STATS_ALLOCATION_TIME,
		PDDGPU_STATS_FIELD(total_allocations),
		PDDGPU_STATS_FIELD(avg_allocation_time),
		PDDGPU_STATS_FIELD(allocation_histogram),
	},
	[PDDGPU_STATS_OP_MOVE] = {
		PDDGPU_STATS_MOVE_TIME,
		PDDGPU_STATS_HIDDEN,
		PDDGPU_STATS_FIELD(avg_move_time),
		PDDGPU_STATS_FIELD(move_histogram),
	},
};

static_assert(ARRAY_SIZE(operations) == PDDGPU_STATS_OPS);

#define PDDGPU_STATS_BUCKETS	(PDDGPU_STATS_OPS * PDDGPU_LATENCY_BUCKETS)
#define PDDGPU_STATS_VALUES	(PDDGPU_STATS_COUNTERS + PDDGPU_STATS_BUCKETS)

/**
 * struct pddgpu_stats_cpu - what one CPU has counted since the device appeared
 */
struct pddgpu_stats_cpu {
	/** @value: the counters, then the buckets of each operation */
	u64_stats_t value[PDDGPU_STATS_VALUES];
	/** @sync: lets 32-bit readers see whole values */
	struct u64_stats_sync sync;
};

/**
 * struct pddgpu_stats - a device's memory statistics
 */
struct pddgpu_stats {
	/** @cpu: what each CPU has counted */
	struct pddgpu_stats_cpu __percpu *cpu;
	/** @lock: serialises readers and resets with each other; guards @base, @sum */
	struct mutex lock;
	/** @base: the sums at the last reset */
	u64 base[PDDGPU_STATS_VALUES];
	/** @sum: room for a reader to add up in */
	u64 sum[PDDGPU_STATS_VALUES];
};

static void pddgpu_memory_stats_fini(struct drm_device *drm, void *data)
{
	struct pddgpu_stats *stats = data;

	free_percpu(stats->cpu);
	mutex_destroy(&stats->lock);
}

/**
 * pddgpu_memory_stats_init() - start to count
 * @drm: the device; its release ends it
 *
 * Return: the statistics, all zero, or an ERR_PTR().
 */
struct pddgpu_stats *pddgpu_memory_stats_init(struct drm_device *drm)
{
	struct pddgpu_stats *stats;
	int cpu, ret;

	stats = drmm_kzalloc(drm, sizeof(*stats), GFP_KERNEL);
	if (!stats)
		return ERR_PTR(-ENOMEM);

	stats->cpu = alloc_percpu(struct pddgpu_stats_cpu);
	if (!stats->cpu)
		return ERR_PTR(-ENOMEM);
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(stats->cpu, cpu)->sync);
	mutex_init(&stats->lock);

	ret = drmm_add_action_or_reset(drm, pddgpu_memory_stats_fini, stats);
	if (ret)
		return ERR_PTR(ret);
	return stats;
}

static struct pddgpu_stats_cpu *stats_begin(struct pddgpu_stats *stats)
{
	struct pddgpu_stats_cpu *cpu = get_cpu_ptr(stats->cpu);

	u64_stats_update_begin(&cpu->sync);
	return cpu;
}

static void stats_end(struct pddgpu_stats *stats, struct pddgpu_stats_cpu *cpu)
{
	u64_stats_update_end(&cpu->sync);
	put_cpu_ptr(stats->cpu);
}

static void count_time(struct pddgpu_stats_cpu *cpu, enum pddgpu_stats_operation op, u64 ns)
{
	unsigned int bucket = ns ? min(ilog2(ns), PDDGPU_LATENCY_BUCKETS - 1) : 0;

	u64_stats_add(&cpu->value[operations[op].time], ns);
	u64_stats_inc(&cpu->value[PDDGPU_STATS_COUNTERS + op * PDDGPU_LATENCY_BUCKETS + bucket]);
}

/**
 * pddgpu_memory_stats_alloc_end() - a buffer was made, or could not be
 * @stats: the statistics
 * @start: what pddgpu_memory_stats_alloc_start() returned
 * @result: 0 counts an allocation and its time; -ENOMEM, -ENOSPC and -E2BIG count
 *          a failed one; other errors, which say nothing about memory, nothing
 *
 * Return: the time, by ktime_get_ns(), of an allocation that was counted; else 0.
 */
u64 pddgpu_memory_stats_alloc_end(struct pddgpu_stats *stats, u64 start, int result)
{
	struct pddgpu_stats_cpu *cpu;
	u64 now = 0;

	if (!static_branch_likely(&pddgpu_stats_key))
		return 0;
	if (result && result != -ENOMEM && result != -ENOSPC && result != -E2BIG)
		return 0;

	if (!result)
		now = ktime_get_ns();
	cpu = stats_begin(stats);
	if (result)
		u64_stats_inc(&cpu->value[PDDGPU_STATS_FAILED_ALLOCATIONS]);
	else
		count_time(cpu, PDDGPU_STATS_OP_ALLOC, now - start);
	stats_end(stats, cpu);
	return now;
}

/**
 * pddgpu_memory_stats_free_end() - a buffer was freed
 * @stats: the statistics
 * @start: what pddgpu_memory_stats_free_start() returned
 */
void pddgpu_memory_stats_free_end(struct pddgpu_stats *stats, u64 start)
{
	struct pddgpu_stats_cpu *cpu;
	u64 ns;

	if (!static_branch_likely(&pddgpu_stats_key))
		return;
	ns = ktime_get_ns() - start;
	cpu = stats_begin(stats);
	count_time(cpu, PDDGPU_STATS_OP_FREE, ns);
	stats_end(stats, cpu);
}

/**
 * pddgpu_memory_stats_move_end() - a buffer was moved, or could not be
 * @stats: the statistics
 * @start: what pddgpu_memory_stats_move_start() returned
 * @bytes: its size
 * @evict: it made room for another
 * @result: only 0 counts
 */
void pddgpu_memory_stats_move_end(struct pddgpu_stats *stats, u64 start, u64 bytes,
				  bool evict, int result)
{
	struct pddgpu_stats_cpu *cpu;
	u64 ns;

	if (!static_branch_likely(&pddgpu_stats_key) || result)
		return;

	ns = ktime_get_ns() - start;
	cpu = stats_begin(stats);
	u64_stats_inc(&cpu->value[PDDGPU_STATS_MOVES]);
	u64_stats_add(&cpu->value[PDDGPU_STATS_BYTES_MOVED], bytes);
	if (evict)
		u64_stats_inc(&cpu->value[PDDGPU_STATS_EVICTIONS]);
	count_time(cpu, PDDGPU_STATS_OP_MOVE, ns);
	stats_end(stats, cpu);
}

/**
 * pddgpu_memory_stats_swap_out() - a buffer was written to swap
 * @stats: the statistics
 */
void pddgpu_memory_stats_swap_out(struct pddgpu_stats *stats)
{
	struct pddgpu_memory_stats_batch batch = { .swap_outs = 1 };

	pddgpu_memory_stats_batch_update(stats, &batch);
}

/**
 * pddgpu_memory_stats_swap_in() - a buffer was read back from swap
 * @stats: the statistics
 */
void pddgpu_memory_stats_swap_in(struct pddgpu_stats *stats)
{
	struct pddgpu_memory_stats_batch batch = { .swap_ins = 1 };

	pddgpu_memory_stats_batch_update(stats, &batch);
}

/**
 * pddgpu_memory_stats_batch_update() - count several events in one go
 * @stats: the statistics
 * @batch: how many of each
 */
void pddgpu_memory_stats_batch_update(struct pddgpu_stats *stats,
				      const struct pddgpu_memory_stats_batch *batch)
{
	struct pddgpu_stats_cpu *cpu;

	if (!static_branch_likely(&pddgpu_stats_key))
		return;
	cpu = stats_begin(stats);
	u64_stats_add(&cpu->value[PDDGPU_STATS_FAILED_ALLOCATIONS], batch->failed_allocations);
	u64_stats_add(&cpu->value[PDDGPU_STATS_MOVES], batch->moves);
	u64_stats_add(&cpu->value[PDDGPU_STATS_EVICTIONS], batch->evictions);
	u64_stats_add(&cpu->value[PDDGPU_STATS_BYTES_MOVED], batch->bytes_moved);
	u64_stats_add(&cpu->value[PDDGPU_STATS_SWAP_OUTS], batch->swap_outs);
	u64_stats_add(&cpu->value[PDDGPU_STATS_SWAP_INS], batch->swap_ins);
	u64_stats_add(&cpu->value[PDDGPU_STATS_SWAP_INS_FAILED], batch->swap_ins_failed);
	stats_end(stats, cpu);
}

/* One counter over all CPUs; they only grow, so later sums are never smaller */
static u64 stats_sum(struct pddgpu_stats *stats, unsigned int index)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct pddgpu_stats_cpu *c = per_cpu_ptr(stats->cpu, cpu);
		unsigned int start;
		u64 value;

		do {
			start = u64_stats_fetch_begin(&c->sync);
			value = u64_stats_read(&c->value[index]);
		} while (u64_stats_fetch_retry(&c->sync, start));
		sum += value;
	}
	return sum;
}

static void stats_sum_all(struct pddgpu_stats *stats, u64 *sum)
{
	unsigned int i;

	lockdep_assert_held(&stats->lock);

	for (i = 0; i < PDDGPU_STATS_VALUES; i++) {
		sum[i] = stats_sum(stats, i);
		/* Keeps the order that enum pddgpu_stats_counter promises */
		smp_rmb();
	}
}

/*
 * Where counting begins: the other way round. What is counted meanwhile is taken off
 * the later events, if only off one of the two, so that there are not more of them.
 */
static void stats_base_all(struct pddgpu_stats *stats)
{
	unsigned int i = PDDGPU_STATS_VALUES;

	lockdep_assert_held(&stats->lock);

	while (i--) {
		stats->base[i] = stats_sum(stats, i);
		/* Keeps that order, reversed */
		smp_rmb();
	}
}

/**
 * pddgpu_memory_stats_reset() - begin all counters and histograms anew
 * @stats: the statistics
 *
 * Events that happen meanwhile are counted either before or after the reset.
 * What still exists is untouched: freeing it later counts as a deallocation
 * whose allocation lies before the reset.
 */
void pddgpu_memory_stats_reset(struct pddgpu_stats *stats)
{
	mutex_lock(&stats->lock);
	stats_base_all(stats);
	mutex_unlock(&stats->lock);
}

static void *stats_field(struct drm_pddgpu_memory_stats *out, u16 offset)
{
	return (void *)out + offset;
}

static void fill_operation(enum pddgpu_stats_operation op, const u64 *sum,
			   struct drm_pddgpu_memory_stats *out)
{
	const u64 *buckets = &sum[PDDGPU_STATS_COUNTERS + op * PDDGPU_LATENCY_BUCKETS];
	u64 *average = stats_field(out, operations[op].average_field);
	u64 count = 0;
	unsigned int i;

	for (i = 0; i < PDDGPU_LATENCY_BUCKETS; i++)
		count += buckets[i];
	if (operations[op].count_field != PDDGPU_STATS_HIDDEN)
		*(u64 *)stats_field(out, operations[op].count_field) = count;
	*average = count ? div64_u64(sum[operations[op].time], count) : 0;
	memcpy(stats_field(out, operations[op].histogram_field), buckets,
	       PDDGPU_LATENCY_BUCKETS * sizeof(*buckets));
}

/**
 * pddgpu_memory_stats_fill() - read the statistics
 * @stats: the statistics
 * @out: gets the event counters, the average times and the histograms since the
 *       last reset; its other members stay as they are
 *
 * Context: may sleep.
 */
void pddgpu_memory_stats_fill(struct pddgpu_stats *stats, struct drm_pddgpu_memory_stats *out)
{
	u64 *sum = stats->sum;
	unsigned int i;

	mutex_lock(&stats->lock);
	stats_sum_all(stats, sum);
	for (i = 0; i < PDDGPU_STATS_VALUES; i++)
		sum[i] -= stats->base[i];

	sum[PDDGPU_STATS_SWAP_INS] -= min(sum[PDDGPU_STATS_SWAP_INS],
					  sum[PDDGPU_STATS_SWAP_INS_FAILED]);

	for (i = 0; i < PDDGPU_STATS_COUNTERS; i++) {
		if (counter_fields[i] != PDDGPU_STATS_HIDDEN)
			*(u64 *)stats_field(out, counter_fields[i]) = sum[i];
	}
	for (i = 0; i < PDDGPU_STATS_OPS; i++)
		fill_operation(i, sum, out);
	mutex_unlock(&stats->lock);
}
