// SPDX-License-Identifier: GPL-2.0
/* Timelines: fences signal in order, at their numbers, once, and never for rubbish */
#include <kunit/test.h>

#include <linux/slab.h>

#include "kunit_clock.h"
#include "kunit_device.h"

#include "pddgpu_account.h"
#include "pddgpu_fence.h"
#include "pddgpu_job.h"

#define FENCES	100

/**
 * struct fence_test - a timeline and fences of it
 */
struct fence_test {
	/** @timeline: the timeline */
	struct pddgpu_timeline timeline;
	/** @fence: fences, with a reference each */
	struct pddgpu_fence *fence[FENCES];
	/** @cb: to be called when they signal */
	struct dma_fence_cb cb[FENCES];
	/** @order: the numbers of those that called, as they came */
	u64 order[FENCES];
	/** @called: how many did */
	u32 called;
};

static struct fence_test *fence_test_now;

static int fence_test_init(struct kunit *test)
{
	struct fence_test *ft = kunit_kzalloc(test, sizeof(*ft), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ft);
	pddgpu_timeline_init(&ft->timeline, 1, "kunit");
	fence_test_now = ft;
	test->priv = ft;
	return 0;
}

/* Not one fence is forgotten, whatever the test came to */
static void fence_test_exit(struct kunit *test)
{
	struct fence_test *ft = test->priv;
	u32 i;

	pddgpu_timeline_fail(&ft->timeline, -ENODEV);
	for (i = 0; i < FENCES; i++) {
		if (ft->fence[i])
			dma_fence_put(&ft->fence[i]->base);
	}
	/* They are freed behind a grace period, and their code is here */
	rcu_barrier();
}

static void fence_test_called(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct fence_test *ft = fence_test_now;

	ft->order[ft->called++] = fence->seqno;
}

static void fence_test_emit(struct kunit *test, u32 count)
{
	struct fence_test *ft = test->priv;
	u32 i;

	for (i = 0; i < count; i++) {
		struct pddgpu_fence *fence = pddgpu_fence_alloc(GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, fence);
		pddgpu_fence_emit(&ft->timeline, fence);
		ft->fence[i] = fence;
		KUNIT_ASSERT_EQ(test, 0, dma_fence_add_callback(&fence->base, &ft->cb[i],
								fence_test_called));
	}
}

static void fence_test_expect_first(struct kunit *test, u32 signalled)
{
	struct fence_test *ft = test->priv;
	u32 i;

	for (i = 0; i < FENCES && ft->fence[i]; i++)
		KUNIT_EXPECT_EQ_MSG(test, dma_fence_is_signaled(&ft->fence[i]->base),
				    i < signalled, "fence %u", i);
	KUNIT_EXPECT_EQ(test, ft->called, signalled);
	for (i = 0; i < ft->called; i++)
		KUNIT_EXPECT_EQ(test, ft->order[i], ft->fence[i]->base.seqno);
}

static void fence_test_numbers(struct kunit *test)
{
	struct fence_test *ft = test->priv;
	struct dma_fence *fence;
	u32 i;

	fence_test_emit(test, FENCES);
	KUNIT_EXPECT_EQ(test, ft->timeline.emitted, FENCES);
	for (i = 0; i < FENCES; i++) {
		KUNIT_EXPECT_EQ(test, ft->fence[i]->base.seqno, i + 1);
		KUNIT_EXPECT_EQ(test, ft->fence[i]->base.context, ft->timeline.context);
		KUNIT_EXPECT_EQ(test, kref_read(&ft->fence[i]->base.refcount), 2);
	}
	fence_test_expect_first(test, 0);
	fence = &ft->fence[0]->base;
	KUNIT_EXPECT_STREQ(test, "pddgpu", fence->ops->get_driver_name(fence));
	KUNIT_EXPECT_STREQ(test, "kunit", fence->ops->get_timeline_name(fence));
}

static void fence_test_in_order(struct kunit *test)
{
	struct fence_test *ft = test->priv;

	fence_test_emit(test, 10);
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, 0));
	fence_test_expect_first(test, 0);
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, 1));
	fence_test_expect_first(test, 1);
	/* Several at once; and the same number again says nothing new */
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, 7));
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, 7));
	fence_test_expect_first(test, 7);
	/* Neither does an older one */
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, 3));
	fence_test_expect_first(test, 7);
	KUNIT_EXPECT_FALSE(test, pddgpu_timeline_signal(&ft->timeline, 10));
	fence_test_expect_first(test, 10);
	KUNIT_EXPECT_FALSE(test, pddgpu_timeline_signal(&ft->timeline, 10));
	/* The timeline has let go of them */
	KUNIT_EXPECT_EQ(test, kref_read(&ft->fence[9]->base.refcount), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&ft->fence[9]->base), 1);
}

/* What was never handed out signals nothing: the card may write anything */
static void fence_test_rubbish(struct kunit *test)
{
	static const u64 rubbish[] = { 11, 12, U64_MAX, U64_MAX - 1, 1ull << 63, 1ull << 32 };
	struct fence_test *ft = test->priv;
	size_t i;

	KUNIT_EXPECT_FALSE(test, pddgpu_timeline_signal(&ft->timeline, 1));
	fence_test_emit(test, 10);
	for (i = 0; i < ARRAY_SIZE(rubbish); i++)
		KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, rubbish[i]));
	fence_test_expect_first(test, 0);
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, 9));
	fence_test_expect_first(test, 9);
}

/* Numbers have 64 bits: past 32 of them nothing changes */
static void fence_test_large_numbers(struct kunit *test)
{
	struct fence_test *ft = test->priv;

	ft->timeline.emitted = U32_MAX - 2;
	fence_test_emit(test, 6);
	KUNIT_EXPECT_EQ(test, ft->fence[5]->base.seqno, U32_MAX + 4ull);
	/* The low half of a later number is a number of long ago */
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, 2));
	fence_test_expect_first(test, 0);
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, U32_MAX));
	fence_test_expect_first(test, 2);
	KUNIT_EXPECT_TRUE(test, pddgpu_timeline_signal(&ft->timeline, U32_MAX + 1ull));
	fence_test_expect_first(test, 3);
	KUNIT_EXPECT_FALSE(test, pddgpu_timeline_signal(&ft->timeline, U32_MAX + 4ull));
	fence_test_expect_first(test, 6);
}

static void fence_test_fail(struct kunit *test)
{
	struct fence_test *ft = test->priv;
	u32 i;

	fence_test_emit(test, 10);
	pddgpu_timeline_signal(&ft->timeline, 4);
	/* One had an error of its own */
	dma_fence_set_error(&ft->fence[6]->base, -EIO);
	pddgpu_timeline_fail(&ft->timeline, 0);
	fence_test_expect_first(test, 10);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(&ft->fence[i]->base),
				i == 6 ? -EIO : 1);
	KUNIT_EXPECT_FALSE(test, pddgpu_timeline_signal(&ft->timeline, 10));
}

static void fence_test_fail_with_error(struct kunit *test)
{
	struct fence_test *ft = test->priv;
	u32 i;

	fence_test_emit(test, 5);
	pddgpu_timeline_signal(&ft->timeline, 2);
	pddgpu_timeline_fail(&ft->timeline, -ENODEV);
	/* Twice is no harm */
	pddgpu_timeline_fail(&ft->timeline, -EIO);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(&ft->fence[i]->base),
				i < 2 ? 1 : -ENODEV);
}

/* Two clients, and fences of theirs in turn; every third is nobody's */
struct fence_test_time {
	struct pddgpu_account_client *client[2];
	u32 emitted;
};

static void fence_test_emit_for(struct kunit *test, struct fence_test_time *time, u64 work)
{
	struct fence_test *ft = test->priv;
	struct pddgpu_fence *fence = pddgpu_fence_alloc(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	if (time->emitted % 3 < 2)
		fence->client = time->client[time->emitted % 3];
	fence->work = work;
	pddgpu_fence_emit(&ft->timeline, fence);
	ft->fence[time->emitted++] = fence;
}

static void fence_test_expect_ns(struct kunit *test, const struct fence_test_time *time, u64 first,
				 u64 second)
{
	KUNIT_EXPECT_EQ(test, atomic64_read(&time->client[0]->engine_ns[1]), first);
	KUNIT_EXPECT_EQ(test, atomic64_read(&time->client[1]->engine_ns[1]), second);
	KUNIT_EXPECT_EQ(test, atomic64_read(&time->client[0]->engine_ns[0]), 0);
}

/* For whom the engine has worked, and how long */
static void fence_test_time_of_clients(struct kunit *test)
{
	struct fence_test *ft = test->priv;
	struct fence_test_time time = {};
	u32 i;

	for (i = 0; i < 2; i++) {
		time.client[i] = kunit_kzalloc(test, sizeof(*time.client[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, time.client[i]);
	}
	pddgpu_kunit_now = 1000;
	for (i = 0; i < 4; i++)
		fence_test_emit_for(test, &time, 100);
	pddgpu_kunit_now = 1500;
	/* Nothing is over, and rubbish is not either */
	pddgpu_timeline_signal(&ft->timeline, 0);
	pddgpu_timeline_signal(&ft->timeline, 77);
	fence_test_expect_ns(test, &time, 0, 0);
	/* What it is at */
	pddgpu_timeline_tick(&ft->timeline);
	fence_test_expect_ns(test, &time, 500, 0);
	pddgpu_kunit_now = 1600;
	pddgpu_timeline_signal(&ft->timeline, 1);
	fence_test_expect_ns(test, &time, 600, 0);
	/* From then on it was at the next; and the one after that is nobody's */
	pddgpu_kunit_now = 1700;
	pddgpu_timeline_signal(&ft->timeline, 2);
	pddgpu_kunit_now = 1900;
	pddgpu_timeline_signal(&ft->timeline, 3);
	pddgpu_timeline_tick(&ft->timeline);
	fence_test_expect_ns(test, &time, 600, 100);
	pddgpu_timeline_signal(&ft->timeline, 4);
	fence_test_expect_ns(test, &time, 600, 100);
	/* Idle time is nobody's */
	pddgpu_kunit_now = 5000;
	pddgpu_timeline_tick(&ft->timeline);
	pddgpu_timeline_signal(&ft->timeline, 4);
	time.emitted = 6;
	fence_test_emit_for(test, &time, 3);
	fence_test_emit_for(test, &time, 1);
	pddgpu_kunit_now = 5400;
	/* Seen at once: by what they had to do */
	pddgpu_timeline_signal(&ft->timeline, 6);
	fence_test_expect_ns(test, &time, 900, 200);
	/* An engine that fails has worked too */
	time.emitted = 9;
	fence_test_emit_for(test, &time, 1);
	pddgpu_kunit_now = 5450;
	pddgpu_timeline_fail(&ft->timeline, -EIO);
	fence_test_expect_ns(test, &time, 950, 200);
}

/*
 * A scheduler's fence lets go of the engine's. Who has set a deadline for it may look
 * at that without a reference.
 */
static void fence_test_forgotten(struct kunit *test)
{
	struct drm_sched_fence *sched = kunit_kzalloc(test, sizeof(*sched), GFP_KERNEL);
	struct fence_test *ft = test->priv;
	struct dma_fence *plain, *looked_at;

	KUNIT_ASSERT_NOT_NULL(test, sched);
	spin_lock_init(&sched->lock);
	fence_test_emit(test, 2);
	pddgpu_timeline_signal(&ft->timeline, 2);
	plain = &ft->fence[0]->base;
	looked_at = &ft->fence[1]->base;

	sched->parent = dma_fence_get(plain);
	pddgpu_job_forget(sched, &ft->timeline);
	KUNIT_EXPECT_NULL(test, sched->parent);
	KUNIT_EXPECT_EQ(test, kref_read(&plain->refcount), 1);

	set_bit(DRM_SCHED_FENCE_FLAG_HAS_DEADLINE_BIT, &sched->finished.flags);
	sched->parent = dma_fence_get(looked_at);
	/* This task has not slept since: it might be the one that looks */
	pddgpu_job_forget(sched, &ft->timeline);
	KUNIT_EXPECT_EQ(test, kref_read(&looked_at->refcount), 2);
	KUNIT_EXPECT_NULL(test, sched->parent);
	pddgpu_timeline_fini(&ft->timeline);
	KUNIT_EXPECT_EQ(test, kref_read(&looked_at->refcount), 1);

	/* It never came so far that there was one */
	sched->parent = NULL;
	pddgpu_job_forget(sched, &ft->timeline);
}

static struct kunit_case fence_test_cases[] = {
	KUNIT_CASE(fence_test_numbers),
	KUNIT_CASE(fence_test_in_order),
	KUNIT_CASE(fence_test_rubbish),
	KUNIT_CASE(fence_test_large_numbers),
	KUNIT_CASE(fence_test_fail),
	KUNIT_CASE(fence_test_fail_with_error),
	KUNIT_CASE(fence_test_time_of_clients),
	KUNIT_CASE(fence_test_forgotten),
	{}
};

static struct kunit_suite fence_test_suite = {
	.name = "pddgpu_fence",
	.init = fence_test_init,
	.exit = fence_test_exit,
	.test_cases = fence_test_cases,
};

kunit_test_suite(fence_test_suite);
