// SPDX-License-Identifier: GPL-2.0
/* Free VRAM for the one who clears it: when there is some, how much, and who waits */
#include <kunit/test.h>

#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sizes.h>

#include <drm/ttm/ttm_placement.h>

#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_vram_clear.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

#define VCLEAR_SIZE	((u64)SZ_64M)

/**
 * struct vclear_test - what the manager has said
 */
struct vclear_test {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @mgr: what is tested */
	struct pddgpu_vram_mgr *mgr;
	/** @blocks: what was taken */
	struct list_head blocks;
	/** @soon: how often there was something to clear later */
	u32 soon;
	/** @now: how often there was enough */
	u32 now;
	/** @bo: of a thread */
	struct pddgpu_kunit_bo *bo;
	/** @done: the thread's result is there */
	struct completion done;
	/** @result: of the thread */
	int result;
};

static void vclear_notify(void *data, bool now)
{
	struct vclear_test *vt = data;

	if (now)
		vt->now++;
	else
		vt->soon++;
}

static void vclear_fini(void *data)
{
	struct vclear_test *vt = data;

	pddgpu_vram_mgr_on_stale(vt->mgr, NULL, NULL);
	if (!list_empty(&vt->blocks))
		pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, false, 0);
}

static int vclear_test_init(struct kunit *test)
{
	struct vclear_test *vt = kunit_kzalloc(test, sizeof(*vt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vt);
	vt->pdev = pddgpu_kunit_memory(test, VCLEAR_SIZE, SZ_16M, SZ_64M, SZ_64M);
	vt->mgr = vt->pdev->vram_mgr;
	INIT_LIST_HEAD(&vt->blocks);
	init_completion(&vt->done);
	pddgpu_vram_mgr_on_stale(vt->mgr, vclear_notify, vt);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vclear_fini, vt));
	test->priv = vt;
	return 0;
}

static struct pddgpu_kunit_bo *vclear_bo(struct kunit *test, u64 size, u64 end)
{
	struct vclear_test *vt = test->priv;
	struct pddgpu_kunit_bo *bo = pddgpu_kunit_bo(test, vt->pdev, size, 0);

	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_VRAM, 0, end >> PAGE_SHIFT, 0));
	return bo;
}

/* Of a buffer that has content: it wants no zeros, and none are cleared for it */
static struct pddgpu_kunit_bo *vclear_old_bo(struct kunit *test, u64 size)
{
	static struct ttm_resource content;
	struct vclear_test *vt = test->priv;
	struct pddgpu_kunit_bo *bo = pddgpu_kunit_bo(test, vt->pdev, size, 0);

	bo->tbo.resource = &content;
	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_VRAM, 0, 0, 0));
	return bo;
}

static u64 vclear_sum(struct vclear_test *vt, u32 *ranges)
{
	struct gpu_buddy_block *block;
	u64 sum = 0, next = U64_MAX;

	*ranges = 0;
	list_for_each_entry(block, &vt->blocks, link) {
		*ranges += gpu_buddy_block_offset(block) != next;
		next = gpu_buddy_block_offset(block) + gpu_buddy_block_size(&vt->mgr->mm, block);
		sum += gpu_buddy_block_size(&vt->mgr->mm, block);
	}
	return sum;
}

/* What was never used is left alone; there may be no host memory behind it */
static void vclear_test_unused(struct kunit *test)
{
	struct vclear_test *vt = test->priv;

	KUNIT_EXPECT_EQ(test, -ENOENT, pddgpu_vram_mgr_stale(vt->mgr, true));
	KUNIT_EXPECT_EQ(test, -ENOENT, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_1M, true,
								  &vt->blocks));
	KUNIT_EXPECT_TRUE(test, list_empty(&vt->blocks));
	KUNIT_EXPECT_EQ(test, vt->now + vt->soon, 0);
}

/* 1 MiB is worth it at once; less is when it has waited */
static void vclear_test_worth(struct kunit *test)
{
	struct pddgpu_kunit_bo *most = vclear_old_bo(test, SZ_1M - SZ_4K);
	struct pddgpu_kunit_bo *last = vclear_old_bo(test, SZ_4K);
	struct vclear_test *vt = test->priv;
	u32 ranges;

	pddgpu_kunit_unplace(most);
	KUNIT_EXPECT_EQ(test, vt->soon, 1);
	KUNIT_EXPECT_EQ(test, vt->now, 0);
	KUNIT_EXPECT_EQ(test, -EAGAIN, pddgpu_vram_mgr_stale(vt->mgr, false));
	KUNIT_EXPECT_EQ(test, -EAGAIN, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_8M, false,
								  &vt->blocks));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_stale(vt->mgr, true));
	pddgpu_kunit_unplace(last);
	KUNIT_EXPECT_EQ(test, vt->now, 1);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_stale(vt->mgr, false));
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_8M, false, &vt->blocks));
	KUNIT_EXPECT_EQ(test, vclear_sum(vt, &ranges), SZ_1M);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.held, SZ_1M);
	KUNIT_EXPECT_EQ(test, -ENOENT, pddgpu_vram_mgr_stale(vt->mgr, true));
	/* It was not cleared: then it is to be */
	pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, false, 0);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_stale(vt->mgr, false));
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_8M, false, &vt->blocks));
	pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, true, 0);
	KUNIT_EXPECT_EQ(test, -ENOENT, pddgpu_vram_mgr_stale(vt->mgr, true));
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.clear_avail, SZ_1M);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.held, 0);
}

/* A batch has its bounds, in bytes and in ranges, and the next goes on behind it */
static void vclear_test_bounds(struct kunit *test)
{
	struct vclear_test *vt = test->priv;
	const u32 count = 400;
	struct pddgpu_kunit_bo **bo;
	u64 all = 200 * SZ_16K;
	u32 i, ranges;

	bo = kunit_kcalloc(test, count, sizeof(*bo), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bo);
	for (i = 0; i < count; i++)
		bo[i] = vclear_old_bo(test, SZ_16K);
	for (i = 0; i < count; i += 2)
		pddgpu_kunit_unplace(bo[i]);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_64K + SZ_4K, true,
							    &vt->blocks));
	KUNIT_EXPECT_EQ(test, vclear_sum(vt, &ranges), SZ_64K + SZ_4K);
	KUNIT_EXPECT_EQ(test, ranges, 5);
	pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, true, 0);
	all -= SZ_64K + SZ_4K;
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_64M, true, &vt->blocks));
	KUNIT_EXPECT_EQ(test, vclear_sum(vt, &ranges), 128 * SZ_16K - SZ_4K);
	KUNIT_EXPECT_EQ(test, ranges, 128);
	all -= 128 * SZ_16K - SZ_4K;
	pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, true, 0);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_64M, true, &vt->blocks));
	KUNIT_EXPECT_EQ(test, vclear_sum(vt, &ranges), all);
	pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, true, 0);
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.clear_avail, 200 * SZ_16K);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.stale_bytes, 0);
	for (i = 0; i < count; i++)
		pddgpu_kunit_bo_free(bo[i]);
}

/* Each miss doubles what is cleared ahead, within a bound; and then any memory will do */
static void vclear_test_ahead(struct kunit *test)
{
	struct vclear_test *vt = test->priv;
	struct pddgpu_kunit_bo *bo;
	u32 ranges;

	bo = vclear_bo(test, SZ_64K, 0);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.ahead, SZ_1M);
	KUNIT_EXPECT_EQ(test, vt->now, 1);
	vclear_bo(test, SZ_64K, 0);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.ahead, SZ_2M);
	vclear_bo(test, SZ_1M, 0);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.ahead, SZ_4M);
	vclear_bo(test, SZ_2M, 0);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.ahead, SZ_8M);
	/* An eighth of VRAM is the most */
	vclear_bo(test, SZ_2M, 0);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.ahead, VCLEAR_SIZE / 8);
	/* What has content misses nothing */
	vclear_old_bo(test, SZ_1M);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_stale(vt->mgr, false));
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_2M, false, &vt->blocks));
	KUNIT_EXPECT_EQ(test, vclear_sum(vt, &ranges), SZ_2M);
	pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, true, 0);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_64M, false, &vt->blocks));
	KUNIT_EXPECT_EQ(test, vclear_sum(vt, &ranges), VCLEAR_SIZE / 8 - SZ_2M);
	pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, true, 0);
	KUNIT_EXPECT_EQ(test, -ENOENT, pddgpu_vram_mgr_stale(vt->mgr, true));
	/* And who comes now finds it */
	bo = vclear_bo(test, SZ_1M, 0);
	KUNIT_EXPECT_EQ(test, to_pddgpu_vram_resource(bo->res)->unclear, 0);
}

/* Up to 16 KiB of visible memory is cleared by the CPU: it takes what was used before */
static void vclear_test_reuse(struct kunit *test)
{
	struct pddgpu_kunit_bo *bo = vclear_bo(test, SZ_16K, SZ_16M), *again;
	struct vclear_test *vt = test->priv;
	u64 start = bo->res->start;

	KUNIT_EXPECT_EQ(test, vt->mgr->clear.ahead, 0);
	pddgpu_kunit_unplace(bo);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.stale_bytes, SZ_16K);
	again = vclear_bo(test, SZ_16K, SZ_16M);
	KUNIT_EXPECT_EQ(test, again->res->start, start);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.stale_bytes, 0);
	KUNIT_EXPECT_EQ(test, to_pddgpu_vram_resource(again->res)->unclear, SZ_16K);
}

/* For a while after somebody has found no room nothing is taken away */
static void vclear_test_scarce(struct kunit *test)
{
	struct pddgpu_kunit_bo *bo = vclear_old_bo(test, SZ_4M);
	struct vclear_test *vt = test->priv;
	struct pddgpu_kunit_bo *large = pddgpu_kunit_bo(test, vt->pdev, VCLEAR_SIZE, 0);

	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_kunit_place(large, TTM_PL_VRAM, 0, 0, 0));
	pddgpu_kunit_unplace(bo);
	KUNIT_EXPECT_EQ(test, -EBUSY, pddgpu_vram_mgr_stale(vt->mgr, true));
	KUNIT_EXPECT_EQ(test, -EBUSY, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_1M, true,
								 &vt->blocks));
	vt->mgr->clear.scarce_until = jiffies;
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_stale(vt->mgr, true));
}

static int vclear_thread(void *data)
{
	struct vclear_test *vt = data;

	vt->result = pddgpu_kunit_place(vt->bo, TTM_PL_VRAM, 0, 0, 0);
	complete(&vt->done);
	return 0;
}

/* Who finds no room waits for what is being cleared: it is free */
static void vclear_test_waits(struct kunit *test)
{
	struct pddgpu_kunit_bo *bo = vclear_old_bo(test, SZ_8M);
	struct vclear_test *vt = test->priv;
	struct task_struct *thread;

	vclear_old_bo(test, VCLEAR_SIZE - SZ_8M);
	pddgpu_kunit_unplace(bo);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_8M, true, &vt->blocks));
	vt->bo = pddgpu_kunit_bo(test, vt->pdev, SZ_8M, 0);
	thread = kthread_run(vclear_thread, vt, "pddgpu_kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&vt->done, HZ / 5));
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.wanting, 1);
	/* And nobody takes more away meanwhile */
	KUNIT_EXPECT_NE(test, 0, pddgpu_vram_mgr_stale(vt->mgr, true));
	pddgpu_vram_mgr_return_stale(vt->mgr, &vt->blocks, true, 0);
	KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&vt->done, 10 * HZ));
	KUNIT_EXPECT_EQ(test, vt->result, 0);
	KUNIT_EXPECT_EQ(test, to_pddgpu_vram_resource(vt->bo->res)->unclear, 0);
	KUNIT_EXPECT_EQ(test, vt->mgr->clear.wanting, 0);
}

/* Told no more is told no more */
static void vclear_test_notify_ends(struct kunit *test)
{
	struct pddgpu_kunit_bo *bo = vclear_old_bo(test, SZ_4M);
	struct vclear_test *vt = test->priv;

	pddgpu_vram_mgr_on_stale(vt->mgr, NULL, NULL);
	pddgpu_kunit_unplace(bo);
	KUNIT_EXPECT_EQ(test, vt->now + vt->soon, 0);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_stale(vt->mgr, false));
}

static struct kunit_case vclear_test_cases[] = {
	KUNIT_CASE(vclear_test_unused),
	KUNIT_CASE(vclear_test_worth),
	KUNIT_CASE(vclear_test_bounds),
	KUNIT_CASE(vclear_test_ahead),
	KUNIT_CASE(vclear_test_reuse),
	KUNIT_CASE(vclear_test_scarce),
	KUNIT_CASE(vclear_test_waits),
	KUNIT_CASE(vclear_test_notify_ends),
	{}
};

static struct kunit_suite vclear_test_suite = {
	.name = "pddgpu_vram_clear",
	.init = vclear_test_init,
	.test_cases = vclear_test_cases,
};

kunit_test_suite(vclear_test_suite);
