// SPDX-License-Identifier: GPL-2.0
#include <kunit/test.h>

#include <linux/bitmap.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include <drm/ttm/ttm_placement.h>

#include "kunit_device.h"
#include "kunit_vram.h"

#include "pddgpu_device.h"
#include "pddgpu_extent.h"
#include "pddgpu_vram_clear.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

static void vrec_fini(void *data)
{
	struct pddgpu_vrec *vt = data;

	if (vt->undo)
		vt->undo(vt);
	if (!list_empty(&vt->held))
		pddgpu_vram_mgr_return_stale(vt->mgr, &vt->held, false, 0);
	vfree(vt);
}

/**
 * pddgpu_vrec_init() - the fixture, for a suite's init
 * @test: the test, with which it ends
 *
 * Return: 0; a test that cannot have it has failed.
 */
int pddgpu_vrec_init(struct kunit *test)
{
	struct pddgpu_vrec *vt = vzalloc(sizeof(*vt));
	u64 at;

	KUNIT_ASSERT_NOT_NULL(test, vt);
	INIT_LIST_HEAD(&vt->held);
	init_completion(&vt->done);
	vt->pdev = pddgpu_kunit_memory(test, VREC_SIZE, VREC_VISIBLE, SZ_64M, SZ_64M);
	vt->mgr = vt->pdev->vram_mgr;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vrec_fini, vt));
	test->priv = vt;
	pddgpu_kunit_seed(test, &vt->rnd);
	/* Nobody recovers it but the test */
	pddgpu_vram_mgr_health(vt->mgr)->recover_count = 0;
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_reserve(vt->mgr, VREC_RESERVED, SZ_64K, &at));
	return 0;
}

/* Who has which page, by the blocks that readers see, or by those that are booked */
static void vrec_map_blocks(struct kunit *test, struct list_head *blocks, u16 who, u16 *map)
{
	struct pddgpu_vrec *vt = test->priv;
	struct gpu_buddy_block *block;

	list_for_each_entry(block, blocks, link) {
		u64 page = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		u64 end = page + (gpu_buddy_block_size(&vt->mgr->mm, block) >> PAGE_SHIFT);

		KUNIT_ASSERT_LE(test, end, VREC_PAGES);
		KUNIT_EXPECT_TRUE(test, gpu_buddy_block_is_allocated(block));
		for (; page < end; page++) {
			if (map[page])
				KUNIT_FAIL(test, "page %llu: %u and %u", page, map[page], who);
			map[page] = who;
		}
	}
}

/**
 * pddgpu_vrec_map() - who has which page
 * @test: the test; fails where two have the same
 * @booked: by what is taken in the present allocator, or else by what readers see
 * @map: out: a buffer's number and 1, or VREC_FREE or VREC_DRIVER, for each page
 */
void pddgpu_vrec_map(struct kunit *test, bool booked, u16 *map)
{
	struct pddgpu_vrec *vt = test->priv;
	u16 i;

	memset(map, VREC_FREE, sizeof(vt->before));
	vrec_map_blocks(test, &vt->mgr->reserved_blocks, VREC_DRIVER, map);
	for (i = 0; i < VREC_BUFFERS; i++) {
		struct pddgpu_vram_resource *vres;

		if (!vt->bo[i])
			continue;
		vres = to_pddgpu_vram_resource(vt->bo[i]->res);
		vrec_map_blocks(test, booked && vres->booking ? &vres->booking->blocks :
				&vres->blocks, i + 1, map);
	}
}

/**
 * pddgpu_vrec_free_bytes() - what nobody has
 * @map: who has which page
 *
 * Return: bytes.
 */
u64 pddgpu_vrec_free_bytes(const u16 *map)
{
	u64 page, bytes = 0;

	for (page = 0; page < VREC_PAGES; page++)
		bytes += map[page] == VREC_FREE ? PAGE_SIZE : 0;
	return bytes;
}

/**
 * pddgpu_vrec_free() - free a buffer, if there is one
 * @vt: the fixture
 * @i: its number
 */
void pddgpu_vrec_free(struct pddgpu_vrec *vt, u32 i)
{
	if (vt->bo[i])
		pddgpu_kunit_bo_free(vt->bo[i]);
	vt->bo[i] = NULL;
}

/* A buffer of any size, anywhere; none where there is no room for it */
static void vrec_make(struct kunit *test, u32 i)
{
	static const u32 scale[] = { 3, 24, 200, 900 };
	struct pddgpu_vrec *vt = test->priv;
	u64 pages = 1 + pddgpu_kunit_below(&vt->rnd, scale[pddgpu_kunit_below(&vt->rnd, 4)]);
	u32 flags = 0;

	flags |= pddgpu_kunit_below(&vt->rnd, 4) ? 0 : TTM_PL_FLAG_CONTIGUOUS;
	flags |= pddgpu_kunit_below(&vt->rnd, 2) ? 0 : TTM_PL_FLAG_TOPDOWN;
	vt->bo[i] = pddgpu_kunit_bo(test, vt->pdev, pages << PAGE_SHIFT, 0);
	if (pddgpu_kunit_place(vt->bo[i], TTM_PL_VRAM, 0, 0, flags))
		pddgpu_vrec_free(vt, i);
}

/* Some of what is free is clear: it was cleared after somebody had used it */
static void vrec_clear_some(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	u32 i;

	for (i = 0; i < 40; i++) {
		u64 most = (1 + (u64)pddgpu_kunit_below(&vt->rnd, 64)) << PAGE_SHIFT;

		vt->mgr->clear.scarce = false;
		if (pddgpu_vram_mgr_take_stale(vt->mgr, most, true, &vt->held))
			return;
		pddgpu_vram_mgr_return_stale(vt->mgr, &vt->held, i & 1, 0);
	}
}

/**
 * pddgpu_vrec_layout() - buffers of all sizes, and holes between them, clear and not
 * @test: the test; buffers from before are there still, but for half of them
 */
void pddgpu_vrec_layout(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	u32 i;

	for (i = 0; i < VREC_BUFFERS; i++) {
		if (!vt->bo[i])
			vrec_make(test, i);
	}
	for (i = 0; i < VREC_BUFFERS; i++) {
		if (pddgpu_kunit_below(&vt->rnd, 2))
			pddgpu_vrec_free(vt, i);
	}
	vrec_clear_some(test);
}

/* The order in which buffers are looked at is not the one of their places */
static void vrec_shuffle(struct pddgpu_vrec *vt)
{
	u32 i;

	mutex_lock(&vt->mgr->lock);
	for (i = 0; i < VREC_BUFFERS; i++) {
		struct pddgpu_vram_resource *vres;

		if (!vt->bo[i])
			continue;
		vres = to_pddgpu_vram_resource(vt->bo[i]->res);
		if (pddgpu_kunit_below(&vt->rnd, 2))
			list_move(&vres->live, &vt->mgr->live);
		else
			list_move_tail(&vres->live, &vt->mgr->live);
	}
	mutex_unlock(&vt->mgr->lock);
}

/**
 * pddgpu_vrec_spoil() - lose a free page, and have it noticed
 * @test: the test
 */
void pddgpu_vrec_spoil(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;

	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_inject(vt->mgr, PDDGPU_HEALTH_FAULT_LOST));
	KUNIT_ASSERT_EQ(test, -EIO, pddgpu_vram_mgr_check(vt->mgr));
	KUNIT_ASSERT_FALSE(test, pddgpu_vram_mgr_is_healthy(vt->mgr));
}

/**
 * pddgpu_vrec_expect_free() - all that is free, and nothing else, can be had
 * @test: the test; fails also where any of it is said to be clear
 * @map: who has which page
 */
void pddgpu_vrec_expect_free(struct kunit *test, const u16 *map)
{
	struct pddgpu_vrec *vt = test->priv;
	u64 left = pddgpu_vrec_free_bytes(map);
	struct pddgpu_kunit_bo *rest = pddgpu_kunit_bo(test, vt->pdev, left, 0);
	struct pddgpu_kunit_bo *more = pddgpu_kunit_bo(test, vt->pdev, PAGE_SIZE, 0);
	struct gpu_buddy_block *block;

	KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, left);
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.clear_avail, 0);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(rest, TTM_PL_VRAM, 0, 0, 0));
	KUNIT_EXPECT_EQ(test, to_pddgpu_vram_resource(rest->res)->unclear, left);
	list_for_each_entry(block, &to_pddgpu_vram_resource(rest->res)->blocks, link) {
		u64 page = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		u64 end = page + (gpu_buddy_block_size(&vt->mgr->mm, block) >> PAGE_SHIFT);

		KUNIT_EXPECT_FALSE(test, gpu_buddy_block_is_clear(block));
		for (; page < end; page++) {
			if (map[page] != VREC_FREE)
				KUNIT_FAIL(test, "page %llu is %u's", page, map[page]);
		}
	}
	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_kunit_place(more, TTM_PL_VRAM, 0, 0, 0));
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(vt->mgr), VREC_SIZE);
	pddgpu_kunit_bo_free(rest);
	pddgpu_kunit_bo_free(more);
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, left);
}

static bool vrec_tour(const struct pddgpu_extent *extent, void *data)
{
	struct kunit *test = data;
	struct pddgpu_vrec *vt = test->priv;
	u64 page;
	u16 who;

	for (page = extent->start >> PAGE_SHIFT; page < extent->end >> PAGE_SHIFT; page++) {
		who = vt->before[page];
		if (extent->kind == PDDGPU_EXTENT_RESOURCE ?
		    who == VREC_FREE || who == VREC_DRIVER || vt->bo[who - 1]->res != extent->res :
		    who != (extent->kind == PDDGPU_EXTENT_FREE ? VREC_FREE : VREC_DRIVER)) {
			KUNIT_FAIL(test, "page %llu of %u, kind %u", page, who, extent->kind);
			return false;
		}
	}
	return true;
}

/**
 * pddgpu_vrec_expect_rebuilt() - what holds after each recovery
 * @test: the test, with who had which page before it
 */
void pddgpu_vrec_expect_rebuilt(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;
	u64 used = 0, visible = 0, page;

	KUNIT_EXPECT_TRUE(test, pddgpu_vram_mgr_is_healthy(vt->mgr));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_check(vt->mgr));
	/* Readers find buffers where they were, and that is what is taken */
	pddgpu_vrec_map(test, false, vt->after);
	KUNIT_EXPECT_EQ(test, 0, memcmp(vt->before, vt->after, sizeof(vt->before)));
	pddgpu_vrec_map(test, true, vt->after);
	KUNIT_EXPECT_EQ(test, 0, memcmp(vt->before, vt->after, sizeof(vt->before)));
	KUNIT_EXPECT_EQ(test, VREC_SIZE, pddgpu_vram_mgr_walk(vt->mgr, 0, vrec_tour, test));
	for (page = 0; page < VREC_PAGES; page++) {
		if (!vt->before[page])
			continue;
		used += PAGE_SIZE;
		visible += page << PAGE_SHIFT < VREC_VISIBLE ? PAGE_SIZE : 0;
	}
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(vt->mgr), used);
	KUNIT_EXPECT_EQ(test, vt->mgr->live_bytes, used - VREC_RESERVED);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_visible_usage(vt->mgr), visible);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_invisible_free(vt->mgr),
			VREC_SIZE - VREC_VISIBLE - (used - visible));
}

/**
 * pddgpu_vrec_recover() - from READY to ERROR and back, and all is as it should be
 * @test: the test
 */
void pddgpu_vrec_recover(struct kunit *test)
{
	struct pddgpu_vrec *vt = test->priv;

	pddgpu_vrec_map(test, false, vt->before);
	vrec_shuffle(vt);
	pddgpu_vrec_spoil(test);
	bitmap_copy(vt->stale, vt->mgr->clear.stale, VREC_PAGES);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_recover(vt->mgr));
	/* What was to be cleared is to be cleared still */
	KUNIT_EXPECT_TRUE(test, bitmap_equal(vt->stale, vt->mgr->clear.stale, VREC_PAGES));
	pddgpu_vrec_expect_rebuilt(test);
}
