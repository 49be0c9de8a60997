// SPDX-License-Identifier: GPL-2.0
/*
 * Rebuilding the VRAM manager's record: what buffers hold is taken where it was and
 * nothing else is, whatever the layout, and nothing is called clear.
 */
#include <kunit/test.h>

#include <linux/bitmap.h>
#include <linux/kthread.h>
#include <linux/sizes.h>

#include <drm/ttm/ttm_placement.h>

#include "kunit_device.h"
#include "kunit_vram.h"

#include "pddgpu_device.h"
#include "pddgpu_vram_clear.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

static void vrec_test_layouts(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	u32 round, i;

	for (round = 0; round < 8; round++) {
		pddgpu_vrec_layout(test);
		KUNIT_EXPECT_GT(test, vt->mgr->mm.clear_avail, 0);
		pddgpu_vrec_recover(test);
		pddgpu_vrec_expect_free(test, vt->before);
		for (i = 0; i < VREC_BUFFERS; i++)
			pddgpu_vrec_free(vt, i);
		KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, VREC_SIZE - VREC_RESERVED);
		KUNIT_EXPECT_EQ(test, vt->mgr->live_count, 0);
	}
	KUNIT_EXPECT_EQ(test, vt->mgr->health.counts.recoveries, 8);
	KUNIT_EXPECT_EQ(test, vt->mgr->health.counts.recoveries_failed, 0);
}

/* Nothing, and everything, is in use */
static void vrec_test_empty_and_full(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	u32 i;

	pddgpu_vrec_recover(test);
	pddgpu_vrec_expect_free(test, vt->before);
	for (i = 0; i < 2; i++) {
		vt->bo[i] = pddgpu_kunit_bo(test, vt->pdev, i ? VREC_SIZE / 2 : VREC_SIZE / 2 -
					    VREC_RESERVED, 0);
		KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(vt->bo[i], TTM_PL_VRAM, 0, 0, 0));
	}
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, 0);
	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_vram_mgr_inject(vt->mgr, PDDGPU_HEALTH_FAULT_LOST));
	pddgpu_vrec_map(test, false, vt->before);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_inject(vt->mgr, PDDGPU_HEALTH_FAULT_ACCOUNT));
	KUNIT_EXPECT_EQ(test, -EIO, pddgpu_vram_mgr_check(vt->mgr));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_recover(vt->mgr));
	pddgpu_vrec_expect_rebuilt(test);
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, 0);
}

/* Again and again, with buffers of every age: each has its home as long as it lives */
static void vrec_test_again(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	u32 round, i, k;

	for (round = 0; round < 6; round++) {
		pddgpu_vrec_layout(test);
		pddgpu_vrec_recover(test);
		for (i = 0; i < VREC_BUFFERS; i++) {
			struct pddgpu_vram_retired *home;
			u64 users = 0;

			if (!vt->bo[i])
				continue;
			KUNIT_ASSERT_NOT_NULL(test,
					      to_pddgpu_vram_resource(vt->bo[i]->res)->booking);
			home = to_pddgpu_vram_resource(vt->bo[i]->res)->booking->home;
			for (k = 0; k < VREC_BUFFERS; k++) {
				users += vt->bo[k] && home ==
					 to_pddgpu_vram_resource(vt->bo[k]->res)->booking->home;
			}
			KUNIT_EXPECT_EQ(test, home->users, users);
		}
		if (round & 1)
			pddgpu_vrec_expect_free(test, vt->before);
	}
	for (i = 0; i < VREC_BUFFERS; i++)
		pddgpu_vrec_free(vt, i);
	KUNIT_EXPECT_TRUE(test, pddgpu_vram_mgr_is_healthy(vt->mgr));
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, VREC_SIZE - VREC_RESERVED);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_check(vt->mgr));
}

/* Freeing works while it is in ERROR; what was lost, and what was freed, is free then */
static void vrec_test_freed_in_error(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	struct pddgpu_kunit_bo *none = pddgpu_kunit_bo(test, vt->pdev, PAGE_SIZE, 0);
	u32 i;

	pddgpu_vrec_layout(test);
	pddgpu_vrec_spoil(test);
	for (i = 0; i < VREC_BUFFERS; i += 2)
		pddgpu_vrec_free(vt, i);
	KUNIT_EXPECT_EQ(test, -EIO, pddgpu_kunit_place(none, TTM_PL_VRAM, 0, 0, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_1M, true,
								 &vt->held));
	pddgpu_vrec_map(test, false, vt->before);
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, pddgpu_vrec_free_bytes(vt->before) - PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_recover(vt->mgr));
	pddgpu_vrec_expect_rebuilt(test);
	pddgpu_vrec_expect_free(test, vt->before);
}

static int vrec_thread(void *data)
{
	struct pddgpu_vrec *vt = data;

	vt->result = pddgpu_vram_mgr_recover(vt->mgr);
	complete(&vt->done);
	return 0;
}

/* What is being cleared is waited for, and is not clear then, whatever it is told */
static void vrec_test_waits_for_clearing(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	struct task_struct *thread;
	u32 round;

	for (round = 0; round < 3; round++) {
		pddgpu_vrec_layout(test);
		pddgpu_vrec_map(test, false, vt->before);
		vt->mgr->clear.scarce = false;
		KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_take_stale(vt->mgr, SZ_8M, true,
								    &vt->held));
		pddgpu_vrec_spoil(test);
		reinit_completion(&vt->done);
		thread = kthread_run(vrec_thread, vt, "pddgpu_kunit");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
		KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&vt->done, HZ / 10));
		if (round == 2) {
			/* Not for ever: the card is taken away */
			pddgpu_vram_mgr_shutdown(vt->mgr);
			KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&vt->done, 5 * HZ));
			KUNIT_EXPECT_NE(test, vt->result, 0);
			KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_vram_mgr_check(vt->mgr));
			continue;
		}
		pddgpu_vram_mgr_return_stale(vt->mgr, &vt->held, round, 0);
		KUNIT_ASSERT_NE(test, 0, wait_for_completion_timeout(&vt->done, 10 * HZ));
		KUNIT_EXPECT_EQ(test, vt->result, 0);
		pddgpu_vrec_expect_rebuilt(test);
		pddgpu_vrec_expect_free(test, vt->before);
	}
}

/* VRAM that is lost, before or after: the numbers say so, and nothing is clear */
static void vrec_test_losses(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	struct pddgpu_kunit_bo *bo;
	u32 round;

	for (round = 0; round < 2; round++) {
		pddgpu_vrec_layout(test);
		pddgpu_vrec_map(test, false, vt->before);
		pddgpu_vrec_spoil(test);
		if (!round)
			pddgpu_vram_mgr_lose(vt->mgr);
		KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_recover(vt->mgr));
		pddgpu_vrec_expect_rebuilt(test);
		if (round)
			pddgpu_vram_mgr_lose(vt->mgr);
		bo = pddgpu_kunit_bo(test, vt->pdev, SZ_64K, 0);
		KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_VRAM, 0, 0, 0));
		KUNIT_EXPECT_EQ(test, to_pddgpu_vram_resource(bo->res)->losses, round + 1);
		KUNIT_EXPECT_EQ(test, to_pddgpu_vram_resource(bo->res)->unclear, SZ_64K);
		KUNIT_EXPECT_FALSE(test, to_pddgpu_vram_resource(bo->res)->spoilt);
		pddgpu_kunit_bo_free(bo);
		pddgpu_vrec_expect_free(test, vt->before);
	}
}

static struct kunit_case vrec_test_cases[] = {
	KUNIT_CASE(vrec_test_layouts),
	KUNIT_CASE(vrec_test_empty_and_full),
	KUNIT_CASE(vrec_test_again),
	KUNIT_CASE(vrec_test_freed_in_error),
	KUNIT_CASE(vrec_test_waits_for_clearing),
	KUNIT_CASE(vrec_test_losses),
	{}
};

static struct kunit_suite vrec_test_suite = {
	.name = "pddgpu_vram_recover",
	.init = pddgpu_vrec_init,
	.test_cases = vrec_test_cases,
};

kunit_test_suite(vrec_test_suite);
