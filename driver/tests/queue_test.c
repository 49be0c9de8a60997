// SPDX-License-Identifier: GPL-2.0
/* What a client may have under way, and what stands in an engine's ring */
#include <kunit/test.h>

#include <linux/kthread.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <pddgpu_packets.h>

#include "kunit_card.h"
#include "kunit_device.h"

#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_queue.h"
#include "pddgpu_ring.h"

#define QUEUE_MOST	256

/**
 * struct queue_test - a queue of an engine that runs nothing
 */
struct queue_test {
	/** @sched: the engine's scheduler */
	struct drm_gpu_scheduler sched;
	/** @queue: what is tested */
	struct pddgpu_queue *queue;
	/** @result: of a thread */
	int result;
	/** @done: it is there */
	struct completion done;
};

static struct dma_fence *queue_run_job(struct drm_sched_job *job)
{
	return NULL;
}

static enum drm_gpu_sched_stat queue_timedout_job(struct drm_sched_job *job)
{
	return DRM_GPU_SCHED_STAT_RESET;
}

static void queue_free_job(struct drm_sched_job *job)
{
}

static const struct drm_sched_backend_ops queue_sched_ops = {
	.run_job = queue_run_job,
	.timedout_job = queue_timedout_job,
	.free_job = queue_free_job,
};

static void queue_test_fini(void *data)
{
	struct queue_test *qt = data;

	if (!IS_ERR_OR_NULL(qt->queue))
		pddgpu_queue_fini(qt->queue);
	drm_sched_fini(&qt->sched);
}

static int queue_test_init(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);
	struct queue_test *qt = kunit_kzalloc(test, sizeof(*qt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, qt);
	init_completion(&qt->done);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_sched_init(&qt->sched, &queue_sched_ops, 16, HZ, NULL,
						   "kunit", pdev->drm.dev));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, queue_test_fini, qt));
	qt->queue = pddgpu_queue_init(&qt->sched, DRM_SCHED_PRIORITY_NORMAL, true);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, qt->queue);
	test->priv = qt;
	return 0;
}

/* Full at its weight; who has begun may go over it */
static void queue_test_weight(struct kunit *test)
{
	struct queue_test *qt = test->priv;

	KUNIT_EXPECT_FALSE(test, pddgpu_queue_full(qt->queue));
	pddgpu_queue_charge(qt->queue, QUEUE_MOST - 1);
	KUNIT_EXPECT_FALSE(test, pddgpu_queue_full(qt->queue));
	pddgpu_queue_charge(qt->queue, 65);
	KUNIT_EXPECT_TRUE(test, pddgpu_queue_full(qt->queue));
	pddgpu_queue_uncharge(qt->queue, 64);
	KUNIT_EXPECT_TRUE(test, pddgpu_queue_full(qt->queue));
	pddgpu_queue_uncharge(qt->queue, 1);
	KUNIT_EXPECT_FALSE(test, pddgpu_queue_full(qt->queue));
	pddgpu_queue_uncharge(qt->queue, QUEUE_MOST - 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&qt->queue->used), 0);
}

static void queue_test_nonblock(struct kunit *test)
{
	struct queue_test *qt = test->priv;

	KUNIT_ASSERT_EQ(test, 0, pddgpu_queue_lock(qt->queue, true));
	KUNIT_EXPECT_EQ(test, qt->queue->turn, 1);
	KUNIT_EXPECT_TRUE(test, mutex_is_locked(&qt->queue->lock));
	mutex_unlock(&qt->queue->lock);
	pddgpu_queue_charge(qt->queue, QUEUE_MOST);
	KUNIT_EXPECT_EQ(test, -EAGAIN, pddgpu_queue_lock(qt->queue, true));
	/* Who has not begun has no turn, and no lock */
	KUNIT_EXPECT_EQ(test, qt->queue->turn, 1);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&qt->queue->lock));
	pddgpu_queue_uncharge(qt->queue, QUEUE_MOST);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_queue_lock(qt->queue, false));
	KUNIT_EXPECT_EQ(test, qt->queue->turn, 2);
	mutex_unlock(&qt->queue->lock);
}

static int queue_lock_nonblock_thread(void *data)
{
	struct queue_test *qt = data;

	qt->result = pddgpu_queue_lock(qt->queue, true);
	complete(&qt->done);
	return 0;
}

static int queue_lock_thread(void *data)
{
	struct queue_test *qt = data;

	qt->result = pddgpu_queue_lock(qt->queue, false);
	if (!qt->result)
		mutex_unlock(&qt->queue->lock);
	complete(&qt->done);
	return 0;
}

static int queue_half_thread(void *data)
{
	struct queue_test *qt = data;

	qt->result = pddgpu_queue_wait_half(qt->queue);
	complete(&qt->done);
	return 0;
}

static void queue_thread(struct kunit *test, int (*func)(void *data))
{
	struct task_struct *thread = kthread_run(func, test->priv, "pddgpu_kunit");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
}

static void queue_expect_waits(struct kunit *test)
{
	struct queue_test *qt = test->priv;

	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&qt->done, HZ / 10));
}

static void queue_expect_done(struct kunit *test, int result)
{
	struct queue_test *qt = test->priv;

	KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&qt->done, 10 * HZ));
	KUNIT_EXPECT_EQ(test, qt->result, result);
}

/* One at a time, and only when there is room */
static void queue_test_waits(struct kunit *test)
{
	struct queue_test *qt = test->priv;

	KUNIT_ASSERT_EQ(test, 0, pddgpu_queue_lock(qt->queue, false));
	queue_thread(test, queue_lock_nonblock_thread);
	queue_expect_done(test, -EAGAIN);
	queue_thread(test, queue_lock_thread);
	queue_expect_waits(test);
	pddgpu_queue_charge(qt->queue, QUEUE_MOST + 1);
	mutex_unlock(&qt->queue->lock);
	queue_expect_waits(test);
	pddgpu_queue_uncharge(qt->queue, 1);
	queue_expect_waits(test);
	pddgpu_queue_uncharge(qt->queue, 1);
	queue_expect_done(test, 0);
	KUNIT_EXPECT_EQ(test, qt->queue->turn, 2);
	pddgpu_queue_uncharge(qt->queue, QUEUE_MOST - 1);
}

static void queue_test_wait_half(struct kunit *test)
{
	struct queue_test *qt = test->priv;

	KUNIT_EXPECT_EQ(test, 0, pddgpu_queue_wait_half(qt->queue));
	pddgpu_queue_charge(qt->queue, QUEUE_MOST);
	queue_thread(test, queue_half_thread);
	queue_expect_waits(test);
	pddgpu_queue_uncharge(qt->queue, QUEUE_MOST / 2 - 1);
	queue_expect_waits(test);
	pddgpu_queue_uncharge(qt->queue, 1);
	queue_expect_done(test, 0);
	pddgpu_queue_uncharge(qt->queue, QUEUE_MOST / 2);
}

/* Both fences of its jobs are its, and nobody else's */
static void queue_test_made(struct kunit *test)
{
	struct queue_test *qt = test->priv;
	u64 context = qt->queue->entity.fence_context;
	struct dma_fence fence = { .context = context - 1 };

	KUNIT_EXPECT_FALSE(test, pddgpu_queue_made(qt->queue, &fence));
	fence.context = context;
	KUNIT_EXPECT_TRUE(test, pddgpu_queue_made(qt->queue, &fence));
	fence.context = context + 1;
	KUNIT_EXPECT_TRUE(test, pddgpu_queue_made(qt->queue, &fence));
	fence.context = context + 2;
	KUNIT_EXPECT_FALSE(test, pddgpu_queue_made(qt->queue, &fence));
}

/* Its jobs keep it when its owner has gone */
static void queue_test_kept(struct kunit *test)
{
	struct queue_test *qt = test->priv;
	struct pddgpu_queue *queue = qt->queue;

	pddgpu_queue_get(queue);
	pddgpu_queue_charge(queue, 5);
	qt->queue = NULL;
	pddgpu_queue_fini(queue);
	KUNIT_EXPECT_EQ(test, kref_read(&queue->ref), 1);
	pddgpu_queue_uncharge(queue, 5);
	KUNIT_EXPECT_EQ(test, atomic_read(&queue->used), 0);
	pddgpu_queue_put(queue);
}

/* Packets as docs/device.md has them, round the end of the ring and on */
static void ring_test_packets(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);
	struct pddgpu_kunit_card *card = pddgpu_kunit_card_init(test, &pdev->drm, SZ_16M, SZ_16M,
								SZ_8M);
	const u32 size = PDDGPU_ENGINE_RING_SIZE, at = SZ_64K;
	struct pddgpu_ring ring = { .hw = card->hw, .offset = at, .wptr = size - 56 };
	struct pddgpu_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	const u32 expect[] = {
		4 | 2 << 16, 0,
		1 | 8 << 16, 0, 0x89abcdef, 0x1234567, 0x87654321, 0x1edcba9, 0x2000000, 0,
		2 | 6 << 16, 0xdeadbeef, 0x1000, 0x8, 0xffc, 0,
		3 | 1 << 8 | 6 << 16, 0, 0x20000, 0x8, 0x9abcdef0, 0x12345678,
	};
	u32 *words = card->vram + at;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, job);
	memset(card->vram, 0x77, SZ_1M);
	job->ops = job->few;
	job->count = 2;
	job->few[0] = (struct pddgpu_op) {
		.opcode = PDDGPU_OP_COPY, .src = 0x0123456789abcdefull,
		.dst = 0x01edcba987654321ull, .bytes = SZ_32M,
	};
	job->few[1] = (struct pddgpu_op) {
		.opcode = PDDGPU_OP_FILL, .dst = 0x800001000ull, .bytes = 0xffc,
		.pattern = 0xdeadbeef,
	};
	pddgpu_ring_put_flush(&ring);
	pddgpu_ring_put_work(&ring, job);
	pddgpu_ring_put_fence(&ring, 0x800020000ull, 0x123456789abcdef0ull);
	KUNIT_EXPECT_EQ(test, ring.wptr, sizeof(expect) - 56);
	for (i = 0; i < ARRAY_SIZE(expect); i++)
		KUNIT_EXPECT_EQ_MSG(test, words[(size - 56) / 4 + i - (i < 14 ? 0 : size / 4)],
				    expect[i], "dword %u", i);
	/* Neither before the ring nor behind it, nor what was there before */
	KUNIT_EXPECT_EQ(test, words[-1], 0x77777777);
	KUNIT_EXPECT_EQ(test, words[size / 4], 0x77777777);
	KUNIT_EXPECT_EQ(test, words[ring.wptr / 4], 0x77777777);
	KUNIT_EXPECT_EQ(test, words[(size - 56) / 4 - 1], 0x77777777);
}

static struct kunit_case queue_test_cases[] = {
	KUNIT_CASE(queue_test_weight),
	KUNIT_CASE(queue_test_nonblock),
	KUNIT_CASE(queue_test_waits),
	KUNIT_CASE(queue_test_wait_half),
	KUNIT_CASE(queue_test_made),
	KUNIT_CASE(queue_test_kept),
	{}
};

static struct kunit_suite queue_test_suite = {
	.name = "pddgpu_queue",
	.init = queue_test_init,
	.test_cases = queue_test_cases,
};

static struct kunit_case ring_test_cases[] = {
	KUNIT_CASE(ring_test_packets),
	{}
};

static struct kunit_suite ring_test_suite = {
	.name = "pddgpu_ring",
	.test_cases = ring_test_cases,
};

kunit_test_suites(&queue_test_suite, &ring_test_suite);
