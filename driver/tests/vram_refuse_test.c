// SPDX-License-Identifier: GPL-2.0
/*
 * A VRAM manager's record that contradicts itself cannot be rebuilt: that is refused,
 * for a reason that is told, and nothing has changed then.
 */
#include <kunit/test.h>

#include <linux/bitmap.h>
#include <linux/sizes.h>

#include <drm/ttm/ttm_placement.h>

#include "kunit_device.h"
#include "kunit_vram.h"

#include "pddgpu_buddy.h"
#include "pddgpu_device.h"
#include "pddgpu_extent.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

/**
 * struct vrefuse_figures - what a recovery that fails must not change
 */
struct vrefuse_figures {
	/** @avail: free bytes */
	u64 avail;
	/** @clear_avail: of them, those that are clear */
	u64 clear_avail;
	/** @roots: the allocator's: which allocator it is */
	struct gpu_buddy_block **roots;
	/** @live_count: buffers */
	u64 live_count;
	/** @live_bytes: what they hold */
	u64 live_bytes;
	/** @visible: bytes in use that the CPU reaches */
	u64 visible;
	/** @stale_bytes: free bytes that were used before */
	u64 stale_bytes;
	/** @booked: buffers that are older than the allocator */
	u64 booked;
	/** @allocated: blocks of buffers that the allocator says are taken */
	u64 allocated;
};

/**
 * struct vrefuse_forged - what somebody claims to hold
 */
struct vrefuse_forged {
	/** @mm: an allocator whose blocks contradict the manager's */
	struct gpu_buddy mm;
	/** @vres: the claim */
	struct pddgpu_vram_resource vres;
};

/* Outlives a test that fails */
static struct vrefuse_forged vrefuse_forged;

static void vrefuse_figures(struct pddgpu_vrec *vt, struct vrefuse_figures *now)
{
	struct pddgpu_vram_mgr *mgr = vt->mgr;
	u32 i;

	*now = (struct vrefuse_figures) {
		.avail = mgr->mm.avail,
		.clear_avail = mgr->mm.clear_avail,
		.roots = mgr->mm.roots,
		.live_count = mgr->live_count,
		.live_bytes = mgr->live_bytes,
		.visible = pddgpu_vram_mgr_visible_usage(mgr),
		.stale_bytes = mgr->clear.stale_bytes,
	};
	for (i = 0; i < VREC_BUFFERS; i++) {
		struct pddgpu_vram_resource *vres;
		struct gpu_buddy_block *block;

		if (!vt->bo[i])
			continue;
		vres = to_pddgpu_vram_resource(vt->bo[i]->res);
		now->booked += !!vres->booking;
		list_for_each_entry(block, &vres->blocks, link)
			now->allocated += gpu_buddy_block_is_allocated(block);
	}
}

/* It is refused, for a reason, and all is as it was */
static void vrefuse_expect(struct kunit *test, int result, const char *cause)
{
	struct pddgpu_vrec *vt = test->priv;
	struct pddgpu_health_stats stats;
	struct vrefuse_figures was, is;
	u64 failed;

	pddgpu_health_get_stats(&vt->mgr->health, &stats);
	KUNIT_EXPECT_EQ(test, stats.state, PDDGPU_HEALTH_ERROR);
	KUNIT_EXPECT_STREQ(test, stats.cause, cause);
	failed = stats.counts.recoveries_failed;
	pddgpu_vrec_map(test, true, vt->before);
	bitmap_copy(vt->stale, vt->mgr->clear.stale, VREC_PAGES);
	vrefuse_figures(vt, &was);
	KUNIT_EXPECT_EQ(test, result, pddgpu_vram_mgr_recover(vt->mgr));
	vrefuse_figures(vt, &is);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&was, &is, sizeof(was)));
	pddgpu_vrec_map(test, true, vt->after);
	KUNIT_EXPECT_EQ(test, 0, memcmp(vt->before, vt->after, sizeof(vt->before)));
	KUNIT_EXPECT_TRUE(test, bitmap_equal(vt->stale, vt->mgr->clear.stale, VREC_PAGES));

	pddgpu_health_get_stats(&vt->mgr->health, &stats);
	KUNIT_EXPECT_EQ(test, stats.state, PDDGPU_HEALTH_ERROR);
	KUNIT_EXPECT_STREQ(test, stats.cause, cause);
	KUNIT_EXPECT_EQ(test, stats.counts.recoveries_failed, failed + 1);
	KUNIT_EXPECT_FALSE(test, ttm_resource_manager_used(&vt->mgr->manager));
}

static void vrefuse_unforge(struct pddgpu_vrec *vt)
{
	struct vrefuse_forged *forged = &vrefuse_forged;

	mutex_lock(&vt->mgr->lock);
	list_del(&forged->vres.live);
	vt->mgr->live_count--;
	atomic64_sub(forged->vres.visible, &vt->mgr->visible_used);
	mutex_unlock(&vt->mgr->lock);
	gpu_buddy_free_list(&forged->mm, &forged->vres.blocks, 0);
	gpu_buddy_fini(&forged->mm);
	vt->undo = NULL;
}

/* Somebody claims to hold a range, and the sums do not tell that he is wrong */
static void vrefuse_forge(struct kunit *test, u64 size, u64 start, u64 end)
{
	struct vrefuse_forged *forged = &vrefuse_forged;
	struct pddgpu_vrec *vt = test->priv;

	memset(forged, 0, sizeof(*forged));
	INIT_LIST_HEAD(&forged->vres.blocks);
	KUNIT_ASSERT_EQ(test, 0, gpu_buddy_init(&forged->mm, size, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, pddgpu_buddy_alloc_at(&forged->mm, start, end,
						       &forged->vres.blocks));
	mutex_lock(&vt->mgr->lock);
	pddgpu_vram_hold(vt->mgr, &forged->vres);
	vt->mgr->live_bytes -= forged->vres.bytes;
	mutex_unlock(&vt->mgr->lock);
	vt->undo = vrefuse_unforge;
}

/* The first page of a run of @pages pages of which the last is somebody's */
static u64 vrefuse_run_to(struct pddgpu_vrec *vt, u16 who, u64 pages)
{
	u64 page;

	for (page = pages; page < VREC_PAGES; page++) {
		if (vt->before[page] == VREC_FREE || (who && vt->before[page] != who))
			continue;
		if (who || vt->before[page - 1] == VREC_FREE)
			return (page + 1 - pages) << PAGE_SHIFT;
	}
	return U64_MAX;
}

/* Of a claim that overlaps what another holds nothing is given, wherever it lies */
static void vrefuse_test_overlap(struct kunit *test)
{
	static const char cause[] = "when it was checked: two buffers hold the same memory";
	struct pddgpu_vrec *vt = test->priv;
	u32 round;
	u64 at;

	pddgpu_vrec_layout(test);
	pddgpu_vrec_recover(test);
	for (round = 0; round < 6; round++) {
		u64 pages = 1 + round % 3;

		/* From here on some are older than the allocator and some are not */
		if (round == 3)
			pddgpu_vrec_layout(test);
		pddgpu_vrec_map(test, false, vt->before);
		at = vrefuse_run_to(vt, round & 1 ? VREC_DRIVER : VREC_FREE, pages);
		KUNIT_ASSERT_NE(test, at, U64_MAX);
		/* What is to be cleared would be noticed first */
		bitmap_clear(vt->mgr->clear.stale, at >> PAGE_SHIFT, pages);
		vt->mgr->clear.stale_bytes =
			(u64)bitmap_weight(vt->mgr->clear.stale, VREC_PAGES) << PAGE_SHIFT;
		vrefuse_forge(test, VREC_SIZE, at, at + (pages << PAGE_SHIFT));
		KUNIT_EXPECT_EQ(test, -EIO, pddgpu_vram_mgr_check(vt->mgr));
		vrefuse_expect(test, -EBUSY, cause);
		/* Asked once more it says the same */
		vrefuse_expect(test, -EBUSY, cause);
		vrefuse_unforge(vt);
		pddgpu_vrec_map(test, false, vt->before);
		KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_recover(vt->mgr));
		pddgpu_vrec_expect_rebuilt(test);
		pddgpu_vrec_expect_free(test, vt->before);
	}
}

static void vrefuse_test_beyond_the_end(struct kunit *test)
{
	static const char cause[] = "when it was checked: a buffer holds memory beyond the end";
	struct pddgpu_vrec *vt = test->priv;

	pddgpu_vrec_layout(test);
	vrefuse_forge(test, 2 * VREC_SIZE, VREC_SIZE, VREC_SIZE + SZ_64K);
	KUNIT_EXPECT_EQ(test, -EIO, pddgpu_vram_mgr_check(vt->mgr));
	vrefuse_expect(test, -EUCLEAN, cause);
	vrefuse_unforge(vt);
	pddgpu_vrec_map(test, false, vt->before);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_recover(vt->mgr));
	pddgpu_vrec_expect_rebuilt(test);
}

/**
 * struct vrefuse_search - is there a block of a buffer's?
 */
struct vrefuse_search {
	/** @res: what it held; only to be compared with */
	const struct ttm_resource *res;
	/** @found: there is */
	bool found;
};

static bool vrefuse_is_named(const struct pddgpu_extent *extent, void *data)
{
	struct vrefuse_search *search = data;

	search->found |= extent->res == search->res;
	return true;
}

/* Whoever looks at what lies where finds nothing that leads to what is freed */
static void vrefuse_expect_disowned(struct kunit *test, const struct ttm_resource *res)
{
	struct vrefuse_search search = { .res = res };
	struct pddgpu_vrec *vt = test->priv;

	KUNIT_EXPECT_EQ(test, VREC_SIZE, pddgpu_vram_mgr_walk(vt->mgr, 0, vrefuse_is_named,
							      &search));
	KUNIT_EXPECT_FALSE(test, search.found);
}

/* Of a buffer's blocks one that stays as it is when it is freed */
static struct gpu_buddy_block *vrefuse_lonely(struct list_head *blocks)
{
	struct gpu_buddy_block *block, *sibling;

	list_for_each_entry(block, blocks, link) {
		if (!block->parent)
			continue;
		sibling = block->parent->left == block ? block->parent->right :
							 block->parent->left;
		if (!gpu_buddy_block_is_free(sibling))
			return block;
	}
	return NULL;
}

/* What was freed behind a buffer's back is left alone when that goes: it has no link */
static void vrefuse_test_free_already(struct kunit *test)
{
	static const char cause[] = "when it was checked: memory that a buffer holds is free";
	struct pddgpu_vrec *vt = test->priv;
	struct pddgpu_kunit_bo *bo = pddgpu_kunit_bo(test, vt->pdev, SZ_64K + SZ_32K, 0);
	struct pddgpu_vram_resource *vres;
	struct gpu_buddy_block *block;
	u64 rest = SZ_64K + SZ_32K;
	LIST_HEAD(blocks);

	pddgpu_vrec_layout(test);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_VRAM, 0, 0,
						    TTM_PL_FLAG_CONTIGUOUS));
	vres = to_pddgpu_vram_resource(bo->res);
	block = vrefuse_lonely(&vres->blocks);
	KUNIT_ASSERT_NOT_NULL(test, block);
	rest -= gpu_buddy_block_size(&vt->mgr->mm, block);
	mutex_lock(&vt->mgr->lock);
	list_splice_init(&vres->blocks, &blocks);
	list_move(&block->link, &vres->blocks);
	gpu_buddy_free_block(&vt->mgr->mm, block);
	/* The sums would be noticed first */
	vt->mgr->live_bytes -= vres->bytes - rest;
	mutex_unlock(&vt->mgr->lock);
	KUNIT_EXPECT_EQ(test, -EIO, pddgpu_vram_mgr_check(vt->mgr));
	vrefuse_expect(test, -EUCLEAN, cause);
	vt->mgr->live_bytes += vres->bytes - rest;
	pddgpu_kunit_bo_free(bo);
	vrefuse_expect_disowned(test, &vres->base);
	pddgpu_vrec_map(test, false, vt->before);
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, pddgpu_vrec_free_bytes(vt->before) - rest);
	mutex_lock(&vt->mgr->lock);
	list_splice(&blocks, &vt->mgr->inject.lost);
	mutex_unlock(&vt->mgr->lock);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_recover(vt->mgr));
	pddgpu_vrec_expect_rebuilt(test);
	pddgpu_vrec_expect_free(test, vt->before);
}

/* What makes no sense is not built on; when it is gone, the rest is */
static void vrefuse_test_nonsense(struct kunit *test)
{
	static const char cause[] =
		"when it was checked: a buffer holds more or less than it was given";
	struct pddgpu_vrec *vt = test->priv;
	struct pddgpu_kunit_bo *bo = pddgpu_kunit_bo(test, vt->pdev, SZ_64K, 0);
	struct pddgpu_vram_resource *vres;
	LIST_HEAD(blocks);

	pddgpu_vrec_layout(test);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_VRAM, 0, 0, 0));
	vres = to_pddgpu_vram_resource(bo->res);
	list_splice_init(&vres->blocks, &blocks);
	KUNIT_EXPECT_EQ(test, -EIO, pddgpu_vram_mgr_check(vt->mgr));
	vrefuse_expect(test, -EUCLEAN, cause);
	pddgpu_kunit_bo_free(bo);
	vrefuse_expect_disowned(test, &vres->base);
	/* Freeing has found it too, and given back nothing that might be another's */
	KUNIT_EXPECT_EQ(test, vt->mgr->health.counts.errors, 2);
	pddgpu_vrec_map(test, false, vt->before);
	KUNIT_EXPECT_EQ(test, vt->mgr->mm.avail, pddgpu_vrec_free_bytes(vt->before) - SZ_64K);
	mutex_lock(&vt->mgr->lock);
	list_splice(&blocks, &vt->mgr->inject.lost);
	mutex_unlock(&vt->mgr->lock);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_recover(vt->mgr));
	pddgpu_vrec_expect_rebuilt(test);
	pddgpu_vrec_expect_free(test, vt->before);
}

static struct kunit_case vrefuse_test_cases[] = {
	KUNIT_CASE(vrefuse_test_overlap),
	KUNIT_CASE(vrefuse_test_beyond_the_end),
	KUNIT_CASE(vrefuse_test_nonsense),
	KUNIT_CASE(vrefuse_test_free_already),
	{}
};

static struct kunit_suite vrefuse_test_suite = {
	.name = "pddgpu_vram_refuse",
	.init = pddgpu_vrec_init,
	.test_cases = vrefuse_test_cases,
};

kunit_test_suite(vrefuse_test_suite);
