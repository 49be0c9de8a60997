// SPDX-License-Identifier: GPL-2.0
/*
 * An engine and its jobs, on a chip that does at once what stands in the ring:
 * what is written there, in which order it is done, and what becomes of jobs when
 * the engine faults, hangs or is lost.
 */
#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/mutex.h>
#include <linux/sizes.h>

#include <drm/drm_drv.h>

#include <pddgpu_packets.h>
#include <pddgpu_regs.h>

#include "kunit_card.h"
#include "kunit_device.h"

#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_gart.h"
#include "pddgpu_hw.h"
#include "pddgpu_job.h"
#include "pddgpu_queue.h"
#include "pddgpu_vram_mgr.h"

#define ENGINE_VRAM	((u64)SZ_16M)
#define ENGINE_QUEUES	2
/* Much longer than anything takes; the engine's own patience is 5 s */
#define ENGINE_WAIT	(20 * HZ)

/**
 * struct engine_test - a chip with one engine
 */
struct engine_test {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @card: the card */
	struct pddgpu_kunit_card *card;
	/** @engine: what is tested */
	struct pddgpu_engine *engine;
	/** @recovery: for when it has stopped */
	struct pddgpu_recovery recovery;
	/** @queue: two clients */
	struct pddgpu_queue *queue[ENGINE_QUEUES];
	/** @work: copies and fills that were done */
	u32 work;
	/** @flushes: TLB flushes by packet */
	u32 flushes;
	/** @bad: packets that the chip does not know */
	u32 bad;
	/** @stop_at: it stops before this value is filled in, @stops times */
	u32 stop_at;
	/** @stops: how often still */
	u32 stops;
	/** @hangs: it says nothing when it stops, otherwise it faults */
	bool hangs;
};

static u8 *engine_vram(struct engine_test *et, u64 addr)
{
	return (u8 *)et->card->vram + (addr - PDDGPU_KUNIT_VRAM_START);
}

static void engine_stop_here(struct engine_test *et)
{
	const u32 fault = PDDGPU_FAULT_VALID |
			  PDDGPU_FAULT_INJECTED << PDDGPU_FAULT_REASON_SHIFT;
	struct pddgpu_kunit_card *card = et->card;

	et->stops--;
	pddgpu_kunit_card_set(card, PDDGPU_STATUS, pddgpu_kunit_card_get(card, PDDGPU_STATUS) |
			      PDDGPU_STATUS_ENGINE_HALTED(0));
	if (et->hangs)
		return;
	pddgpu_kunit_card_set(card, PDDGPU_FAULT_STATUS, fault);
	pddgpu_engine_fault(et->engine, fault, PDDGPU_KUNIT_VRAM_START);
}

/* One packet; false when the engine stops at it */
static bool engine_packet(struct engine_test *et, const u32 *packet)
{
	const u64 *wide = (const u64 *)packet;

	switch (packet[0] & PDDGPU_PKT_OPCODE_MASK) {
	case PDDGPU_OP_COPY:
		memmove(engine_vram(et, wide[2]), engine_vram(et, wide[1]), wide[3]);
		et->work++;
		return true;
	case PDDGPU_OP_FILL:
		if (et->stops && packet[1] == et->stop_at) {
			engine_stop_here(et);
			return false;
		}
		memset32((u32 *)engine_vram(et, wide[1]), packet[1], wide[2] / 4);
		et->work++;
		return true;
	case PDDGPU_OP_FENCE:
		*(u64 *)engine_vram(et, wide[1]) = wide[2];
		return true;
	case PDDGPU_OP_TLB_FLUSH:
		et->flushes++;
		return true;
	}
	et->bad++;
	return false;
}

/* The engine's doorbell: all that is in the ring is done before it returns */
static void engine_ring(struct pddgpu_kunit_card *card, u32 index)
{
	struct engine_test *et = card->data;
	u64 base = (u64)pddgpu_kunit_card_get(card, PDDGPU_CP_RING_BASE(index)) << 12;
	u32 size = pddgpu_kunit_card_get(card, PDDGPU_CP_RING_SIZE(index));
	u32 rptr = pddgpu_kunit_card_get(card, PDDGPU_CP_RING_RPTR(index));
	u32 wptr = pddgpu_kunit_card_get(card, PDDGPU_CP_RING_WPTR(index));
	u32 packet[8], dwords, i;

	while (rptr != wptr && !(pddgpu_kunit_card_get(card, PDDGPU_STATUS) &
				 PDDGPU_STATUS_ENGINE_HALTED(index))) {
		dwords = *(u32 *)engine_vram(et, base + rptr) >> PDDGPU_PKT_LENGTH_SHIFT;
		for (i = 0; i < min(dwords, 8u); i++)
			packet[i] = *(u32 *)engine_vram(et, base + (rptr + 4 * i) % size);
		if (!engine_packet(et, packet))
			break;
		rptr = (rptr + 4 * dwords) % size;
		pddgpu_kunit_card_set(card, PDDGPU_CP_RING_RPTR(index), rptr);
	}
	pddgpu_engine_signal(et->engine);
}

static void engine_test_fini(void *data)
{
	struct engine_test *et = data;
	u32 i;

	et->stops = 0;
	for (i = 0; i < ENGINE_QUEUES; i++) {
		if (!IS_ERR_OR_NULL(et->queue[i]))
			pddgpu_queue_fini(et->queue[i]);
	}
}

/* The CPU goes on at once when the engine cannot be reset */
static bool engine_no_chip_reset(void *data)
{
	return false;
}

static int engine_test_init(struct kunit *test)
{
	struct engine_test *et = kunit_kzalloc(test, sizeof(*et), GFP_KERNEL);
	struct pddgpu_device *pdev;
	u64 offset;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, et);
	pdev = pddgpu_kunit_memory(test, ENGINE_VRAM, ENGINE_VRAM, SZ_8M, SZ_8M);
	et->pdev = pdev;
	et->recovery.wq = system_wq;
	et->recovery.reset_chip = engine_no_chip_reset;
	et->card = pddgpu_kunit_card_init(test, &pdev->drm, ENGINE_VRAM, ENGINE_VRAM, SZ_8M);
	pdev->hw = et->card->hw;
	pdev->chip = pddgpu_chip_init(&pdev->drm, pdev->hw);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev->chip);
	pdev->gart = pddgpu_gart_init(&pdev->drm, pdev->hw, pdev->chip, pdev->vram_mgr);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev->gart);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_reserve(pdev->vram_mgr, PDDGPU_ENGINE_VRAM_SIZE,
							 PAGE_SIZE, &offset));
	et->engine = pddgpu_engine_init(&pdev->drm, pdev->hw, pdev->chip, pdev->gart, 0, offset,
					&et->recovery);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, et->engine);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, engine_test_fini, et));
	for (i = 0; i < ENGINE_QUEUES; i++) {
		et->queue[i] = pddgpu_queue_init(pddgpu_engine_sched(et->engine),
						 DRM_SCHED_PRIORITY_NORMAL, true);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, et->queue[i]);
	}
	et->card->data = et;
	et->card->ring = engine_ring;
	pddgpu_engine_start(et->engine);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_hw_flush_tlb(pdev->hw));
	test->priv = et;
	return 0;
}

static void engine_begin(struct kunit *test, struct pddgpu_batch *batch, u32 queue, bool must_run)
{
	struct engine_test *et = test->priv;

	KUNIT_ASSERT_EQ(test, 0, pddgpu_queue_lock(et->queue[queue], false));
	KUNIT_ASSERT_EQ(test, 0, pddgpu_batch_begin(batch, et->engine, et->queue[queue], 1,
						    NULL, must_run));
}

static struct dma_fence *engine_end(struct kunit *test, struct pddgpu_batch *batch)
{
	struct dma_fence *fence = pddgpu_batch_end(batch);

	mutex_unlock(&batch->queue->lock);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	return fence;
}

/* A batch of one fill, of one word at the start of a page */
static struct dma_fence *engine_fill(struct kunit *test, u32 queue, bool must_run, u32 page,
				     u32 value)
{
	struct pddgpu_batch batch;

	engine_begin(test, &batch, queue, must_run);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_batch_fill(&batch, PDDGPU_KUNIT_VRAM_START +
						   page * PAGE_SIZE, 4, value));
	return engine_end(test, &batch);
}

static int engine_wait(struct kunit *test, struct dma_fence *fence)
{
	int error = -ETIMEDOUT;

	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fence, false, ENGINE_WAIT), 0);
	if (dma_fence_is_signaled(fence))
		error = fence->error;
	dma_fence_put(fence);
	return error;
}

static u32 engine_word(struct kunit *test, u32 page)
{
	struct engine_test *et = test->priv;

	return *(u32 *)engine_vram(et, PDDGPU_KUNIT_VRAM_START + page * PAGE_SIZE);
}

static void engine_test_work(struct kunit *test)
{
	const u64 at = PDDGPU_KUNIT_VRAM_START;
	struct engine_test *et = test->priv;
	struct pddgpu_batch batch;

	engine_begin(test, &batch, 0, false);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_batch_fill(&batch, at, SZ_8K, 0x11223344));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_batch_copy(&batch, at + SZ_64K + 1, at + 2, 5001));
	KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_end(test, &batch)));
	KUNIT_EXPECT_EQ(test, et->work, 2);
	KUNIT_EXPECT_EQ(test, et->bad, 0);
	KUNIT_EXPECT_EQ(test, engine_word(test, 1), 0x11223344);
	KUNIT_EXPECT_MEMEQ(test, engine_vram(et, at + SZ_64K + 1), engine_vram(et, at + 2), 5001);
	KUNIT_EXPECT_EQ(test, *engine_vram(et, at + SZ_64K), 0);
	KUNIT_EXPECT_EQ(test, *engine_vram(et, at + SZ_64K + 5002), 0);
}

/* What adjoins is one packet, unless that would change what comes of it */
static void engine_test_merges(struct kunit *test)
{
	const u64 at = PDDGPU_KUNIT_VRAM_START;
	const struct { u64 dst, src, bytes; u32 packets; } copies[] = {
		{ SZ_1M, 0, SZ_4K, 1 },
		{ SZ_1M + SZ_4K, SZ_4K, SZ_8K, 1 },
		/* The source has a gap, the destination has one */
		{ SZ_1M + 3 * SZ_4K, SZ_16K, SZ_4K, 2 },
		{ SZ_1M + 5 * SZ_4K, 5 * SZ_4K, SZ_4K, 3 },
		/* They overlap when they are one */
		{ SZ_2M + SZ_4K, SZ_2M, SZ_4K, 4 },
		{ SZ_2M + SZ_8K, SZ_2M + SZ_4K, SZ_4K, 5 },
	};
	struct engine_test *et = test->priv;
	struct pddgpu_batch batch;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		size_t n;

		et->work = 0;
		engine_begin(test, &batch, 0, false);
		for (n = 0; n <= i; n++)
			KUNIT_EXPECT_EQ(test, 0, pddgpu_batch_copy(&batch, at + copies[n].dst,
								   at + copies[n].src,
								   copies[n].bytes));
		KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_end(test, &batch)));
		KUNIT_EXPECT_EQ_MSG(test, et->work, copies[i].packets, "copy %zu", i);
	}
}

/* Many more than a ring holds, each after the one before it */
static void engine_test_order(struct kunit *test)
{
	struct engine_test *et = test->priv;
	struct pddgpu_batch batch;
	u32 i, n;

	for (n = 0; n < 20; n++) {
		engine_begin(test, &batch, 0, false);
		for (i = 0; i < 1000; i++) {
			/* The word, and then its copy: neither merges */
			pddgpu_batch_fill(&batch, PDDGPU_KUNIT_VRAM_START, 4, n * 1000 + i);
			pddgpu_batch_copy(&batch, PDDGPU_KUNIT_VRAM_START + SZ_1M + 4 * i,
					  PDDGPU_KUNIT_VRAM_START, 4);
		}
		KUNIT_ASSERT_EQ(test, 0, engine_wait(test, engine_end(test, &batch)));
		for (i = 0; i < 1000; i++)
			KUNIT_ASSERT_EQ(test, ((u32 *)engine_vram(et, PDDGPU_KUNIT_VRAM_START +
								  SZ_1M))[i], n * 1000 + i);
	}
	KUNIT_EXPECT_EQ(test, et->work, 20 * 2000);
	KUNIT_EXPECT_EQ(test, et->bad, 0);
	KUNIT_EXPECT_EQ(test, et->card->resets, 0);
}

/* Once for however many changes, and not again before there are others */
static void engine_test_flushes(struct kunit *test)
{
	struct engine_test *et = test->priv;
	struct pddgpu_gart_binding binding[2] = {};
	struct sg_table sgt;
	u32 before;

	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&sgt, 1, GFP_KERNEL));
	sg_dma_address(sgt.sgl) = SZ_1M;
	sg_dma_len(sgt.sgl) = PAGE_SIZE;
	engine_wait(test, engine_fill(test, 0, false, 0, 1));
	before = et->flushes;
	engine_wait(test, engine_fill(test, 0, false, 0, 2));
	KUNIT_EXPECT_EQ(test, et->flushes, before);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gart_bind_sgt(et->pdev->gart, &binding[0], 0, &sgt, 1,
						      true));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gart_bind_sgt(et->pdev->gart, &binding[1], 1, &sgt, 1,
						      true));
	engine_wait(test, engine_fill(test, 0, false, 0, 3));
	engine_wait(test, engine_fill(test, 1, false, 0, 4));
	KUNIT_EXPECT_EQ(test, et->flushes, before + 1);
	pddgpu_gart_unbind(et->pdev->gart, &binding[0]);
	pddgpu_gart_unbind(et->pdev->gart, &binding[1]);
	engine_wait(test, engine_fill(test, 0, false, 0, 5));
	KUNIT_EXPECT_EQ(test, et->flushes, before + 2);
	sg_free_table(&sgt);
}

/* Who faults fails, as a whole; others do not */
static void engine_test_fault(struct kunit *test)
{
	struct engine_test *et = test->priv;
	struct pddgpu_batch batch;
	struct dma_fence *fence;
	u32 i;

	et->stop_at = 0xbad;
	et->stops = 1;
	engine_begin(test, &batch, 0, false);
	/* Three jobs, of which the second one faults */
	for (i = 0; i < 3 * PDDGPU_JOB_OPS_MAX; i++)
		pddgpu_batch_fill(&batch, PDDGPU_KUNIT_VRAM_START + i * PAGE_SIZE, 4,
				  i == PDDGPU_JOB_OPS_MAX + 5 ? 0xbad : 0x900d);
	fence = engine_end(test, &batch);
	KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_fill(test, 1, false, 1000, 0x77)));
	KUNIT_EXPECT_LT(test, engine_wait(test, fence), 0);
	KUNIT_EXPECT_EQ(test, engine_word(test, 1000), 0x77);
	KUNIT_EXPECT_EQ(test, engine_word(test, PDDGPU_JOB_OPS_MAX + 4), 0x900d);
	KUNIT_EXPECT_EQ(test, engine_word(test, PDDGPU_JOB_OPS_MAX + 5), 0);
	/* What came behind it in the same turn was not done */
	KUNIT_EXPECT_EQ(test, engine_word(test, 2 * PDDGPU_JOB_OPS_MAX + 1), 0);
	KUNIT_EXPECT_EQ(test, et->card->resets, 1);
	/* The next turn is another one */
	KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_fill(test, 0, false, 1001, 0x78)));
	KUNIT_EXPECT_EQ(test, engine_word(test, 1001), 0x78);
	KUNIT_EXPECT_FALSE(test, pddgpu_engine_lost(et->engine));
}

/* A move is tried again, and comes to what it should */
static void engine_test_fault_of_move(struct kunit *test)
{
	struct engine_test *et = test->priv;

	et->stop_at = 0xbad;
	et->stops = 2;
	KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_fill(test, 0, true, 7, 0xbad)));
	KUNIT_EXPECT_EQ(test, engine_word(test, 7), 0xbad);
	KUNIT_EXPECT_EQ(test, et->card->resets, 2);
	KUNIT_EXPECT_FALSE(test, pddgpu_engine_lost(et->engine));
}

/* And when that does not help the CPU does it, and all that follows */
static void engine_test_lost(struct kunit *test)
{
	struct engine_test *et = test->priv;
	u32 work;

	et->stop_at = 0xbad;
	et->stops = U32_MAX;
	KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_fill(test, 0, true, 7, 0xbad)));
	KUNIT_EXPECT_EQ(test, engine_word(test, 7), 0xbad);
	KUNIT_EXPECT_TRUE(test, pddgpu_engine_lost(et->engine));
	work = et->work;
	KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_fill(test, 1, false, 8, 0x88)));
	KUNIT_EXPECT_EQ(test, engine_word(test, 8), 0x88);
	KUNIT_EXPECT_EQ(test, et->work, work);
}

/* The chip's reset, as far as the engine is concerned */
static bool engine_chip_reset(void *data)
{
	struct engine_test *et = data;

	pddgpu_engine_start(et->engine);
	pddgpu_engine_replay(et->engine);
	return true;
}

/*
 * Neither the engine nor the CPU can do a part of a move: all of it has failed, but the
 * rest is done, for nothing else clears the memory that it goes to.
 */
static void engine_test_rest_of_move(struct kunit *test)
{
	struct engine_test *et = test->priv;
	struct pddgpu_batch batch;
	u32 i;

	et->recovery.reset_chip = engine_chip_reset;
	et->recovery.data = et;
	et->stop_at = 0xbad;
	et->stops = U32_MAX;
	engine_begin(test, &batch, 0, true);
	pddgpu_batch_fill(&batch, PDDGPU_KUNIT_VRAM_START, 4, 0xbad);
	/* Of which the CPU knows no page */
	pddgpu_batch_fill(&batch, et->pdev->chip->gtt_start, 4, 0x900d);
	for (i = 2; i < 3 * PDDGPU_JOB_OPS_MAX; i++)
		pddgpu_batch_fill(&batch, PDDGPU_KUNIT_VRAM_START + i * PAGE_SIZE, 4, 0x900d);
	KUNIT_EXPECT_LT(test, engine_wait(test, engine_end(test, &batch)), 0);
	KUNIT_EXPECT_FALSE(test, pddgpu_engine_lost(et->engine));
	KUNIT_EXPECT_EQ(test, engine_word(test, PDDGPU_JOB_OPS_MAX + 5), 0x900d);
	KUNIT_EXPECT_EQ(test, engine_word(test, 3 * PDDGPU_JOB_OPS_MAX - 1), 0x900d);
}

static void engine_test_reset_fails(struct kunit *test)
{
	struct engine_test *et = test->priv;
	struct dma_fence *fence;

	et->stop_at = 0xbad;
	et->stops = 1;
	et->card->fail_reset = true;
	fence = engine_fill(test, 0, false, 7, 0xbad);
	KUNIT_EXPECT_LT(test, engine_wait(test, fence), 0);
	KUNIT_EXPECT_TRUE(test, pddgpu_engine_lost(et->engine));
	KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_fill(test, 1, false, 8, 0x88)));
	KUNIT_EXPECT_EQ(test, engine_word(test, 8), 0x88);
}

/* Not a word from the chip: its time is up after 5 s */
static void engine_test_hang(struct kunit *test)
{
	struct engine_test *et = test->priv;
	unsigned long begin = jiffies;
	struct dma_fence *fence;

	et->hangs = true;
	et->stop_at = 0xbad;
	et->stops = 1;
	fence = engine_fill(test, 0, false, 7, 0xbad);
	KUNIT_EXPECT_EQ(test, 0, engine_wait(test, engine_fill(test, 1, false, 8, 0x88)));
	KUNIT_EXPECT_LT(test, engine_wait(test, fence), 0);
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, begin + 5 * HZ));
	KUNIT_EXPECT_EQ(test, et->card->resets, 1);
	KUNIT_EXPECT_EQ(test, engine_word(test, 8), 0x88);
}

/* The card goes away in the middle of it: whoever waits is told */
static void engine_test_unplug(struct kunit *test)
{
	struct engine_test *et = test->priv;
	struct dma_fence *fence, *after;

	et->hangs = true;
	et->stop_at = 0xbad;
	et->stops = 1;
	fence = engine_fill(test, 0, false, 7, 0xbad);
	KUNIT_EXPECT_EQ(test, 0, dma_fence_wait_timeout(fence, false, HZ / 10));
	drm_dev_unplug(&et->pdev->drm);
	pddgpu_engine_stop(et->engine);
	after = engine_fill(test, 1, false, 8, 0x88);
	KUNIT_EXPECT_EQ(test, -ENODEV, engine_wait(test, fence));
	KUNIT_EXPECT_EQ(test, -ENODEV, engine_wait(test, after));
	KUNIT_EXPECT_EQ(test, engine_word(test, 8), 0);
}

static struct kunit_case engine_test_cases[] = {
	KUNIT_CASE(engine_test_work),
	KUNIT_CASE(engine_test_merges),
	KUNIT_CASE(engine_test_order),
	KUNIT_CASE(engine_test_flushes),
	KUNIT_CASE(engine_test_fault),
	KUNIT_CASE(engine_test_fault_of_move),
	KUNIT_CASE(engine_test_lost),
	KUNIT_CASE(engine_test_rest_of_move),
	KUNIT_CASE(engine_test_reset_fails),
	KUNIT_CASE_SLOW(engine_test_hang),
	KUNIT_CASE(engine_test_unplug),
	{}
};

static struct kunit_suite engine_test_suite = {
	.name = "pddgpu_engine",
	.init = engine_test_init,
	.test_cases = engine_test_cases,
};

kunit_test_suite(engine_test_suite);
