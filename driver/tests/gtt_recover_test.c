// SPDX-License-Identifier: GPL-2.0
/*
 * The GTT manager's record: what is wrong with it is noticed and explained, and it is
 * rebuilt with every buffer's addresses where they were, or not at all.
 */
#include <kunit/test.h>

#include <linux/bitmap.h>
#include <linux/sizes.h>

#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_gtt_mgr_internal.h"

#define GREC_PAGES	16384ull
#define GREC_SIZE	(GREC_PAGES << PAGE_SHIFT)
#define GREC_BUFFERS	150
#define GREC_RESERVED	1000

/**
 * struct grec_test - a device and its buffers
 */
struct grec_test {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @mgr: what is tested */
	struct pddgpu_gtt_mgr *mgr;
	/** @rnd: random numbers */
	struct rnd_state rnd;
	/** @bo: buffers, or NULL */
	struct pddgpu_kunit_bo *bo[GREC_BUFFERS];
	/** @start: where each of them begins */
	u64 start[GREC_BUFFERS];
};

static int grec_test_init(struct kunit *test)
{
	struct grec_test *gt = kunit_kzalloc(test, sizeof(*gt), GFP_KERNEL);
	u64 first;

	KUNIT_ASSERT_NOT_NULL(test, gt);
	gt->pdev = pddgpu_kunit_memory(test, SZ_16M, SZ_16M, GREC_SIZE, GREC_SIZE);
	gt->mgr = gt->pdev->gtt_mgr;
	test->priv = gt;
	pddgpu_kunit_seed(test, &gt->rnd);
	/* Nobody recovers it but the test */
	pddgpu_gtt_mgr_health(gt->mgr)->recover_count = 0;
	KUNIT_ASSERT_EQ(test, 0, pddgpu_gtt_mgr_reserve(gt->mgr, GREC_RESERVED, 1, &first));
	return 0;
}

static struct pddgpu_kunit_bo *grec_bo(struct kunit *test, u64 pages, int result)
{
	struct grec_test *gt = test->priv;
	struct pddgpu_kunit_bo *bo = pddgpu_kunit_bo(test, gt->pdev, pages << PAGE_SHIFT, 0);

	KUNIT_EXPECT_EQ(test, result, pddgpu_kunit_place(bo, TTM_PL_TT, 0, 0, 0));
	return bo;
}

static void grec_free(struct grec_test *gt, u32 i)
{
	if (gt->bo[i])
		pddgpu_kunit_bo_free(gt->bo[i]);
	gt->bo[i] = NULL;
}

/* Buffers with holes between them; one of them has no address */
static void grec_layout(struct kunit *test)
{
	struct grec_test *gt = test->priv;
	u32 i;

	for (i = 0; i < GREC_BUFFERS; i++) {
		u64 pages = 1 + pddgpu_kunit_below(&gt->rnd, i % 5 ? 12 : 300);

		if (!gt->bo[i])
			gt->bo[i] = grec_bo(test, pages, 0);
	}
	for (i = 0; i < GREC_BUFFERS; i++) {
		if (pddgpu_kunit_below(&gt->rnd, 2))
			grec_free(gt, i);
	}
	for (i = 0; i < GREC_BUFFERS; i++)
		gt->start[i] = gt->bo[i] ? gt->bo[i]->res->start : 0;
}

/* Where buffers were they are, nobody else is there, and all that is left can be had */
static void grec_expect(struct kunit *test)
{
	struct grec_test *gt = test->priv;
	unsigned long *taken = kunit_kcalloc(test, BITS_TO_LONGS(GREC_PAGES), sizeof(long),
					     GFP_KERNEL);
	u64 used = 0, left, at, next;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, taken);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_check(gt->mgr));
	KUNIT_EXPECT_TRUE(test, pddgpu_gtt_mgr_is_healthy(gt->mgr));
	bitmap_set(taken, GREC_PAGES - GREC_RESERVED, GREC_RESERVED);
	for (i = 0; i < GREC_BUFFERS; i++) {
		struct pddgpu_gtt_resource *gres;

		if (!gt->bo[i])
			continue;
		gres = to_pddgpu_gtt_resource(gt->bo[i]->res);
		KUNIT_EXPECT_EQ(test, gres->base.start, gt->start[i]);
		KUNIT_EXPECT_EQ(test, gres->node.start, gt->start[i]);
		KUNIT_EXPECT_TRUE(test, drm_mm_node_allocated(&gres->node));
		bitmap_set(taken, gt->start[i], gres->node.size);
		used += gres->node.size;
	}
	KUNIT_EXPECT_EQ(test, bitmap_weight(taken, GREC_PAGES), used + GREC_RESERVED);
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_usage(gt->mgr), used << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, gt->mgr->live_pages, used);
	/* Each hole, to its last page, and no more */
	for (at = 0; at < GREC_PAGES; at = next) {
		struct pddgpu_kunit_bo *bo;

		at = find_next_zero_bit(taken, GREC_PAGES, at);
		next = find_next_bit(taken, GREC_PAGES, at);
		left = next - at;
		if (!left)
			break;
		bo = pddgpu_kunit_bo(test, gt->pdev, left << PAGE_SHIFT, 0);
		KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_kunit_place(bo, TTM_PL_TT, at + 1, next, 0));
		KUNIT_EXPECT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_TT, at, next, 0));
		pddgpu_kunit_bo_free(bo);
	}
}

/* Spoil it, and see it told in words */
static void grec_spoil(struct kunit *test, enum pddgpu_health_fault fault, const char *cause)
{
	struct grec_test *gt = test->priv;
	struct pddgpu_health_stats stats;

	KUNIT_ASSERT_EQ(test, 0, pddgpu_gtt_mgr_inject(gt->mgr, fault));
	KUNIT_EXPECT_EQ(test, -EIO, pddgpu_gtt_mgr_check(gt->mgr));
	pddgpu_health_get_stats(&gt->mgr->health, &stats);
	KUNIT_EXPECT_STREQ(test, stats.cause, cause);
	KUNIT_EXPECT_EQ(test, stats.state, PDDGPU_HEALTH_ERROR);
	KUNIT_EXPECT_FALSE(test, ttm_resource_manager_used(&gt->mgr->manager));
}

static void grec_test_layouts(struct kunit *test)
{
	static const char *const causes[] = {
		[PDDGPU_HEALTH_FAULT_LOST] =
			"when it was checked: addresses are taken that nobody holds",
		[PDDGPU_HEALTH_FAULT_ACCOUNT] = "when it was checked: the buffers' sum is wrong",
	};
	struct grec_test *gt = test->priv;
	u32 round, i;

	for (round = 0; round < 10; round++) {
		struct pddgpu_kunit_bo *temporary = pddgpu_kunit_bo(test, gt->pdev, SZ_64K, 0);
		enum pddgpu_health_fault fault = round & 1 ? PDDGPU_HEALTH_FAULT_ACCOUNT :
							     PDDGPU_HEALTH_FAULT_LOST;

		grec_layout(test);
		KUNIT_EXPECT_EQ(test, 0, pddgpu_kunit_place(temporary, TTM_PL_TT, 0, 0,
							    TTM_PL_FLAG_TEMPORARY));
		grec_spoil(test, fault, causes[fault]);
		if (fault == PDDGPU_HEALTH_FAULT_LOST)
			KUNIT_EXPECT_EQ(test, -EBUSY, pddgpu_gtt_mgr_inject(gt->mgr, fault));
		/* Nothing is given, freeing works */
		pddgpu_kunit_bo_free(grec_bo(test, 1, -EIO));
		for (i = round % 7; i < GREC_BUFFERS; i += 7)
			grec_free(gt, i);
		pddgpu_kunit_bo_free(temporary);
		KUNIT_ASSERT_EQ(test, 0, pddgpu_gtt_mgr_recover(gt->mgr));
		KUNIT_EXPECT_EQ(test, gt->mgr->health.counts.recoveries, round + 1);
		grec_expect(test);
	}
	for (i = 0; i < GREC_BUFFERS; i++)
		grec_free(gt, i);
	grec_expect(test);
	KUNIT_EXPECT_EQ(test, gt->mgr->live_count, 0);
}

/* Two who hold the same: it is refused, and both keep what they have until one goes */
static void grec_test_overlap(struct kunit *test)
{
	static const char cause[] =
		"when it was checked: a buffer holds more or less than it was given";
	static const u64 starts[] = {
		0, GREC_PAGES - 2, GREC_PAGES - GREC_RESERVED - 1, GREC_PAGES - 1,
	};
	struct pddgpu_gtt_resource *gres;
	struct grec_test *gt = test->priv;
	struct pddgpu_kunit_bo *liar;
	struct pddgpu_health_stats stats;
	u32 round;
	u64 true_start;

	for (round = 0; round < 4; round++) {
		grec_layout(test);
		liar = grec_bo(test, 2, 0);
		gres = to_pddgpu_gtt_resource(liar->res);
		true_start = gres->base.start;
		/* A buffer's, the driver's own, half of that, and what is not there at all */
		gres->base.start = starts[round];
		if (!round) {
			/* The first page is somebody's */
			gres->base.start = list_first_entry(drm_mm_nodes(&gt->mgr->mm),
							    struct drm_mm_node,
							    node_list)->start;
			if (gres->base.start == true_start)
				gres->base.start = gt->mgr->reserved.start;
		}
		KUNIT_EXPECT_EQ(test, -EIO, pddgpu_gtt_mgr_check(gt->mgr));
		pddgpu_health_get_stats(&gt->mgr->health, &stats);
		KUNIT_EXPECT_STREQ(test, stats.cause, cause);
		KUNIT_EXPECT_EQ(test, -EBUSY, pddgpu_gtt_mgr_recover(gt->mgr));
		KUNIT_EXPECT_EQ(test, -EBUSY, pddgpu_gtt_mgr_recover(gt->mgr));
		KUNIT_EXPECT_EQ(test, gt->mgr->health.counts.recoveries_failed, 2 * (round + 1));
		KUNIT_EXPECT_EQ(test, -EIO, pddgpu_gtt_mgr_check(gt->mgr));
		pddgpu_kunit_bo_free(grec_bo(test, 1, -EIO));
		/* The liar goes, or tells the truth */
		if (round & 1)
			gres->base.start = true_start;
		else
			pddgpu_kunit_bo_free(liar);
		KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_recover(gt->mgr));
		if (round & 1)
			pddgpu_kunit_bo_free(liar);
		grec_expect(test);
	}
}

/* What is wrong with what is freed, and with the allocator's answer */
static void grec_test_noticed(struct kunit *test)
{
	struct grec_test *gt = test->priv;
	struct pddgpu_kunit_bo *bo;

	grec_layout(test);
	bo = grec_bo(test, 3, 0);
	to_pddgpu_gtt_resource(bo->res)->node.size = 2;
	pddgpu_kunit_unplace(bo);
	KUNIT_EXPECT_STREQ(test, gt->mgr->health.cause,
			   "when one was freed: a buffer holds more or less than it was given");
	KUNIT_EXPECT_EQ(test, gt->mgr->health.counts.errors, 1);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_recover(gt->mgr));
	grec_expect(test);

	KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_inject(gt->mgr, PDDGPU_HEALTH_FAULT_ALLOC));
	KUNIT_EXPECT_TRUE(test, pddgpu_gtt_mgr_is_healthy(gt->mgr));
	pddgpu_kunit_bo_free(grec_bo(test, 1, -EIO));
	KUNIT_EXPECT_STREQ(test, gt->mgr->health.cause, "the allocator said -117");
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_recover(gt->mgr));

	bo = grec_bo(test, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_inject(gt->mgr, PDDGPU_HEALTH_FAULT_ACCOUNT));
	pddgpu_kunit_bo_free(bo);
	KUNIT_EXPECT_FALSE(test, pddgpu_gtt_mgr_is_healthy(gt->mgr));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_recover(gt->mgr));
	grec_expect(test);
	KUNIT_EXPECT_EQ(test, gt->mgr->health.counts.recoveries, 3);
	KUNIT_EXPECT_EQ(test, gt->mgr->health.counts.recoveries_failed, 0);

	/* A recovery that is to fail fails, once; and there is an end */
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_inject(gt->mgr, PDDGPU_HEALTH_FAULT_RECOVER));
	grec_spoil(test, PDDGPU_HEALTH_FAULT_LOST,
		   "when it was checked: addresses are taken that nobody holds");
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_gtt_mgr_recover(gt->mgr));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gtt_mgr_recover(gt->mgr));
	grec_expect(test);
	pddgpu_gtt_mgr_shutdown(gt->mgr);
	KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_gtt_mgr_check(gt->mgr));
	KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_gtt_mgr_recover(gt->mgr));
	pddgpu_kunit_bo_free(grec_bo(test, 1, -ENODEV));
}

static struct kunit_case grec_test_cases[] = {
	KUNIT_CASE(grec_test_layouts),
	KUNIT_CASE(grec_test_overlap),
	KUNIT_CASE(grec_test_noticed),
	{}
};

static struct kunit_suite grec_test_suite = {
	.name = "pddgpu_gtt_recover",
	.init = grec_test_init,
	.test_cases = grec_test_cases,
};

kunit_test_suite(grec_test_suite);
