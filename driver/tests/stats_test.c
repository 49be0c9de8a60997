// SPDX-License-Identifier: GPL-2.0
/* Statistics: what is counted, where the histograms' edges are, what a reset leaves */
#include <kunit/test.h>

#include <linux/kthread.h>
#include <linux/minmax.h>

#include <drm/pddgpu_drm.h>

#include "kunit_clock.h"
#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_stats.h"

static struct pddgpu_stats *stats_of(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;

	return pdev->stats;
}

static int stats_test_init(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);

	pddgpu_kunit_now = 1000;
	pdev->stats = pddgpu_memory_stats_init(&pdev->drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev->stats);
	return 0;
}

static struct drm_pddgpu_memory_stats *stats_read(struct kunit *test)
{
	struct drm_pddgpu_memory_stats *out = kunit_kzalloc(test, sizeof(*out), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, out);
	pddgpu_memory_stats_fill(stats_of(test), out);
	return out;
}

static u64 stats_alloc(struct kunit *test, u64 ns, int result)
{
	u64 start = pddgpu_memory_stats_alloc_start(stats_of(test));

	pddgpu_kunit_now += ns;
	return pddgpu_memory_stats_alloc_end(stats_of(test), start, result);
}

static void stats_free(struct kunit *test, u64 ns)
{
	u64 start = pddgpu_memory_stats_free_start(stats_of(test));

	pddgpu_kunit_now += ns;
	pddgpu_memory_stats_free_end(stats_of(test), start);
}

static void stats_move(struct kunit *test, u64 ns, u64 bytes, bool evict, int result)
{
	u64 start = pddgpu_memory_stats_move_start(stats_of(test));

	pddgpu_kunit_now += ns;
	pddgpu_memory_stats_move_end(stats_of(test), start, bytes, evict, result);
}

static void stats_test_begins_at_zero(struct kunit *test)
{
	struct drm_pddgpu_memory_stats *out = stats_read(test);

	KUNIT_EXPECT_TRUE(test, mem_is_zero(out, sizeof(*out)));
}

/* The nth bucket is from 2^n to before 2^(n + 1); 0 is in the first, all else in the last */
static void stats_test_histogram_edges(struct kunit *test)
{
	struct drm_pddgpu_memory_stats *out;
	u64 expect[PDDGPU_LATENCY_BUCKETS] = { 2 };
	u32 n;

	stats_alloc(test, 0, 0);
	stats_alloc(test, 1, 0);
	for (n = 1; n < 63; n++) {
		stats_alloc(test, 1ull << n, 0);
		stats_alloc(test, (2ull << n) - 1, 0);
		expect[min(n, PDDGPU_LATENCY_BUCKETS - 1)] += 2;
	}
	stats_alloc(test, U64_MAX, 0);
	expect[PDDGPU_LATENCY_BUCKETS - 1]++;

	out = stats_read(test);
	for (n = 0; n < PDDGPU_LATENCY_BUCKETS; n++)
		KUNIT_EXPECT_EQ_MSG(test, out->allocation_histogram[n], expect[n], "bucket %u", n);
	KUNIT_EXPECT_EQ(test, out->total_allocations, 2 + 62 * 2 + 1);
	/* Nobody else's */
	KUNIT_EXPECT_TRUE(test, mem_is_zero(out->deallocation_histogram,
					    sizeof(out->deallocation_histogram)));
	KUNIT_EXPECT_TRUE(test, mem_is_zero(out->move_histogram, sizeof(out->move_histogram)));
}

static void stats_test_averages(struct kunit *test)
{
	struct drm_pddgpu_memory_stats *out;

	stats_alloc(test, 100, 0);
	stats_alloc(test, 201, 0);
	stats_free(test, 7);
	stats_free(test, 8);
	stats_free(test, 9);
	stats_move(test, 1ull << 40, 4096, false, 0);
	out = stats_read(test);
	KUNIT_EXPECT_EQ(test, out->avg_allocation_time, 150);
	KUNIT_EXPECT_EQ(test, out->avg_deallocation_time, 8);
	KUNIT_EXPECT_EQ(test, out->avg_move_time, 1ull << 40);
	KUNIT_EXPECT_EQ(test, out->total_allocations, 2);
	KUNIT_EXPECT_EQ(test, out->total_deallocations, 3);
	KUNIT_EXPECT_EQ(test, out->moves, 1);
}

/* The time of an allocation that is counted is handed on, to be the buffer's birth */
static void stats_test_results(struct kunit *test)
{
	static const int failed[] = { -ENOMEM, -ENOSPC, -E2BIG };
	static const int other[] = { -EINTR, -ERESTARTSYS, -EINVAL, -ENODEV, -EPERM };
	struct drm_pddgpu_memory_stats *out;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(failed); i++)
		KUNIT_EXPECT_EQ(test, stats_alloc(test, 5, failed[i]), 0);
	for (i = 0; i < ARRAY_SIZE(other); i++)
		KUNIT_EXPECT_EQ(test, stats_alloc(test, 5, other[i]), 0);
	KUNIT_EXPECT_EQ(test, stats_alloc(test, 5, 0), pddgpu_kunit_now);
	out = stats_read(test);
	KUNIT_EXPECT_EQ(test, out->failed_allocations, ARRAY_SIZE(failed));
	KUNIT_EXPECT_EQ(test, out->total_allocations, 1);
	KUNIT_EXPECT_EQ(test, out->avg_allocation_time, 5);
}

static void stats_test_moves(struct kunit *test)
{
	struct drm_pddgpu_memory_stats *out;

	stats_move(test, 10, 4096, false, 0);
	stats_move(test, 30, 1ull << 33, true, 0);
	stats_move(test, 50, 1, true, -ENOMEM);
	stats_move(test, 50, 1, false, -EINTR);
	out = stats_read(test);
	KUNIT_EXPECT_EQ(test, out->moves, 2);
	KUNIT_EXPECT_EQ(test, out->evictions, 1);
	KUNIT_EXPECT_EQ(test, out->bytes_moved, 4096 + (1ull << 33));
	KUNIT_EXPECT_EQ(test, out->avg_move_time, 20);
	KUNIT_EXPECT_EQ(test, out->move_histogram[3], 1);
	KUNIT_EXPECT_EQ(test, out->move_histogram[4], 1);
}

static void stats_test_batch(struct kunit *test)
{
	const struct pddgpu_memory_stats_batch batch = {
		.failed_allocations = 1, .moves = 20, .evictions = 3,
		.bytes_moved = 1ull << 40, .swap_outs = 5, .swap_ins = 4,
	};
	struct drm_pddgpu_memory_stats *out;

	pddgpu_memory_stats_batch_update(stats_of(test), &batch);
	pddgpu_memory_stats_batch_update(stats_of(test), &batch);
	pddgpu_memory_stats_swap_out(stats_of(test));
	pddgpu_memory_stats_swap_in(stats_of(test));
	out = stats_read(test);
	KUNIT_EXPECT_EQ(test, out->failed_allocations, 2);
	KUNIT_EXPECT_EQ(test, out->moves, 40);
	KUNIT_EXPECT_EQ(test, out->evictions, 6);
	KUNIT_EXPECT_EQ(test, out->bytes_moved, 2ull << 40);
	KUNIT_EXPECT_EQ(test, out->swap_outs, 11);
	KUNIT_EXPECT_EQ(test, out->swap_ins, 9);
	/* They carry no time */
	KUNIT_EXPECT_EQ(test, out->avg_move_time, 0);
	KUNIT_EXPECT_TRUE(test, mem_is_zero(out->move_histogram, sizeof(out->move_histogram)));
}

/* After a reset only what comes later counts, in averages too */
static void stats_test_reset(struct kunit *test)
{
	struct drm_pddgpu_memory_stats *out;

	stats_alloc(test, 1000000, 0);
	stats_alloc(test, 5, -ENOMEM);
	stats_free(test, 1000000);
	stats_move(test, 1000000, 4096, true, 0);
	pddgpu_memory_stats_swap_out(stats_of(test));
	pddgpu_memory_stats_reset(stats_of(test));
	out = stats_read(test);
	KUNIT_EXPECT_TRUE(test, mem_is_zero(out, sizeof(*out)));

	stats_alloc(test, 3, 0);
	stats_free(test, 5);
	out = stats_read(test);
	KUNIT_EXPECT_EQ(test, out->total_allocations, 1);
	KUNIT_EXPECT_EQ(test, out->avg_allocation_time, 3);
	KUNIT_EXPECT_EQ(test, out->allocation_histogram[1], 1);
	KUNIT_EXPECT_EQ(test, out->avg_deallocation_time, 5);
	KUNIT_EXPECT_EQ(test, out->moves, 0);
	pddgpu_memory_stats_reset(stats_of(test));
	pddgpu_memory_stats_reset(stats_of(test));
	out = stats_read(test);
	KUNIT_EXPECT_TRUE(test, mem_is_zero(out, sizeof(*out)));
}

/* What the statistics do not know they leave as it is */
static void stats_test_others_stay(struct kunit *test)
{
	struct drm_pddgpu_memory_stats *out = kunit_kzalloc(test, sizeof(*out), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, out);
	out->vram_used = 11;
	out->kernel_bytes = 12;
	out->moves = 13;
	pddgpu_memory_stats_fill(stats_of(test), out);
	KUNIT_EXPECT_EQ(test, out->vram_used, 11);
	KUNIT_EXPECT_EQ(test, out->kernel_bytes, 12);
	KUNIT_EXPECT_EQ(test, out->moves, 0);
}

#define STATS_THREADS	4
#define STATS_EVENTS	20000

static int stats_thread(void *data)
{
	const struct pddgpu_memory_stats_batch evicted = { .moves = 1, .evictions = 1 };
	u32 i;

	for (i = 0; i < STATS_EVENTS; i++) {
		pddgpu_memory_stats_alloc_end(data, 0, 0);
		pddgpu_memory_stats_batch_update(data, &evicted);
		pddgpu_memory_stats_free_end(data, 0);
		cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return 0;
}

/* Nothing gets lost, and no reader sees what follows without what comes before */
static void stats_test_threads(struct kunit *test)
{
	struct task_struct *thread[STATS_THREADS];
	struct drm_pddgpu_memory_stats *out;
	u32 i, reads = 0;

	pddgpu_kunit_now = 64;
	for (i = 0; i < STATS_THREADS; i++) {
		thread[i] = kthread_run(stats_thread, stats_of(test), "pddgpu_kunit/%u", i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread[i]);
	}
	out = stats_read(test);
	while (out->total_deallocations < STATS_THREADS * STATS_EVENTS && reads++ < 100000) {
		pddgpu_memory_stats_fill(stats_of(test), out);
		KUNIT_EXPECT_LE(test, out->total_deallocations, out->total_allocations);
		KUNIT_EXPECT_LE(test, out->evictions, out->moves);
		schedule_timeout_uninterruptible(1);
	}
	for (i = 0; i < STATS_THREADS; i++)
		kthread_stop(thread[i]);
	pddgpu_memory_stats_fill(stats_of(test), out);
	KUNIT_EXPECT_EQ(test, out->total_allocations, STATS_THREADS * STATS_EVENTS);
	KUNIT_EXPECT_EQ(test, out->allocation_histogram[6], STATS_THREADS * STATS_EVENTS);
	KUNIT_EXPECT_EQ(test, out->evictions, STATS_THREADS * STATS_EVENTS);
	KUNIT_EXPECT_EQ(test, out->avg_allocation_time, 64);
}

/* A swap-in that came to nothing is none, also where counting has begun in between */
static void stats_test_swap_ins_that_fail(struct kunit *test)
{
	const struct pddgpu_memory_stats_batch in = { .swap_ins = 1 };
	const struct pddgpu_memory_stats_batch failed = { .swap_ins_failed = 1 };
	struct pddgpu_stats *stats = stats_of(test);

	pddgpu_memory_stats_batch_update(stats, &in);
	pddgpu_memory_stats_batch_update(stats, &in);
	pddgpu_memory_stats_batch_update(stats, &failed);
	KUNIT_EXPECT_EQ(test, stats_read(test)->swap_ins, 1);
	pddgpu_memory_stats_batch_update(stats, &in);
	pddgpu_memory_stats_reset(stats);
	pddgpu_memory_stats_batch_update(stats, &failed);
	KUNIT_EXPECT_EQ(test, stats_read(test)->swap_ins, 0);
}

static struct kunit_case stats_test_cases[] = {
	KUNIT_CASE(stats_test_begins_at_zero),
	KUNIT_CASE(stats_test_histogram_edges),
	KUNIT_CASE(stats_test_averages),
	KUNIT_CASE(stats_test_results),
	KUNIT_CASE(stats_test_moves),
	KUNIT_CASE(stats_test_batch),
	KUNIT_CASE(stats_test_reset),
	KUNIT_CASE(stats_test_swap_ins_that_fail),
	KUNIT_CASE(stats_test_others_stay),
	KUNIT_CASE(stats_test_threads),
	{}
};

static struct kunit_suite stats_test_suite = {
	.name = "pddgpu_stats",
	.init = stats_test_init,
	.test_cases = stats_test_cases,
};

kunit_test_suite(stats_test_suite);
