// SPDX-License-Identifier: GPL-2.0
/* The VRAM manager: which memory a buffer gets, and what is said of it */
#include <kunit/test.h>

#include <linux/sizes.h>

#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_res_cursor.h"
#include "pddgpu_vram_clear.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

#define VRAM_SIZE	((u64)SZ_64M)
#define VRAM_VISIBLE	((u64)SZ_16M)

static int vram_test_init(struct kunit *test)
{
	pddgpu_kunit_memory(test, VRAM_SIZE, VRAM_VISIBLE, SZ_64M, SZ_64M);
	return 0;
}

static struct pddgpu_kunit_bo *vram_bo(struct kunit *test, u64 size, u32 align_pages)
{
	return pddgpu_kunit_bo(test, test->priv, size, align_pages);
}

static struct pddgpu_vram_mgr *vram_mgr(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;

	return pdev->vram_mgr;
}

static int vram_place(struct pddgpu_kunit_bo *bo, u32 flags)
{
	return pddgpu_kunit_place(bo, TTM_PL_VRAM, 0, 0, flags);
}

static struct pddgpu_vram_resource *vram_res(struct pddgpu_kunit_bo *bo)
{
	return to_pddgpu_vram_resource(bo->res);
}

/* What holds for every resource, whatever was asked for */
static void vram_expect_sound(struct kunit *test, struct pddgpu_kunit_bo *bo, u64 first, u64 end)
{
	struct pddgpu_vram_resource *vres = vram_res(bo);
	u64 sum = 0, visible = 0, next = 0;
	struct gpu_buddy_block *block;
	bool adjoin = true;

	KUNIT_ASSERT_FALSE(test, list_empty(&vres->blocks));
	list_for_each_entry(block, &vres->blocks, link) {
		u64 start = gpu_buddy_block_offset(block);
		u64 size = gpu_buddy_block_size(&vram_mgr(test)->mm, block);

		if (!sum)
			KUNIT_EXPECT_EQ(test, bo->res->start, start >> PAGE_SHIFT);
		else
			adjoin &= start == next;
		next = start + size;
		sum += size;
		visible += start < VRAM_VISIBLE ? min(next, VRAM_VISIBLE) - start : 0;
		KUNIT_EXPECT_GE(test, start, first);
		KUNIT_EXPECT_LE(test, next, end);
		if (bo->tbo.page_alignment && size >= (u64)bo->tbo.page_alignment << PAGE_SHIFT)
			KUNIT_EXPECT_TRUE(test, IS_ALIGNED(start, (u64)bo->tbo.page_alignment <<
							   PAGE_SHIFT));
	}
	KUNIT_EXPECT_EQ(test, sum, bo->tbo.base.size);
	KUNIT_EXPECT_EQ(test, visible, vres->visible);
	KUNIT_EXPECT_EQ(test, adjoin, vres->contiguous);
	KUNIT_EXPECT_EQ(test, adjoin, !!(bo->res->placement & TTM_PL_FLAG_CONTIGUOUS));
	KUNIT_EXPECT_EQ(test, bo->res->mem_type, TTM_PL_VRAM);
	KUNIT_EXPECT_LE(test, vres->unclear, sum);
}

static void vram_expect_empty(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(vram_mgr(test)), 0);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_visible_usage(vram_mgr(test)), 0);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_invisible_free(vram_mgr(test)),
			VRAM_SIZE - VRAM_VISIBLE);
	KUNIT_EXPECT_EQ(test, vram_mgr(test)->mm.avail, VRAM_SIZE);
}

static void vram_test_sizes(struct kunit *test)
{
	static const u64 sizes[] = {
		SZ_4K, SZ_8K, 3 * SZ_4K, SZ_64K, SZ_64K + SZ_4K, SZ_1M - SZ_4K, SZ_1M,
		SZ_2M, SZ_2M + SZ_4K, 3 * SZ_2M, 5 * SZ_1M + 7 * SZ_4K, SZ_32M, VRAM_SIZE,
	};
	size_t i;
	u32 f;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (f = 0; f < 4; f++) {
			struct pddgpu_kunit_bo *bo = vram_bo(test, sizes[i], 0);
			u32 flags = (f & 1 ? TTM_PL_FLAG_CONTIGUOUS : 0) |
				    (f & 2 ? TTM_PL_FLAG_TOPDOWN : 0);

			KUNIT_ASSERT_EQ_MSG(test, 0, vram_place(bo, flags), "%llu, flags %u",
					    sizes[i], f);
			vram_expect_sound(test, bo, 0, VRAM_SIZE);
			if (f & 1)
				KUNIT_EXPECT_TRUE(test, vram_res(bo)->contiguous);
			KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(vram_mgr(test)), sizes[i]);
			KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_visible_usage(vram_mgr(test)),
					vram_res(bo)->visible);
			pddgpu_kunit_bo_free(bo);
			vram_expect_empty(test);
		}
	}
}

static void vram_test_alignment(struct kunit *test)
{
	struct pddgpu_kunit_bo *odd = vram_bo(test, 3 * SZ_4K, 0);
	u32 align, f;

	KUNIT_ASSERT_EQ(test, 0, vram_place(odd, 0));
	/* Up to 16 MiB; for less than that, as much, and more */
	for (align = 1; align <= 4096; align *= 2) {
		const u64 sizes[] = { SZ_4K, SZ_4K * 3ull, SZ_4K * (u64)align,
				      SZ_4K * (align + 5ull) };
		size_t i;

		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			for (f = 0; f < 2; f++) {
				struct pddgpu_kunit_bo *bo = vram_bo(test, sizes[i], align);
				u64 start;

				KUNIT_ASSERT_EQ(test, 0, vram_place(bo, f ? TTM_PL_FLAG_CONTIGUOUS :
								    0));
				vram_expect_sound(test, bo, 0, VRAM_SIZE);
				start = bo->res->start;
				KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED(start, align),
						      "%llu bytes, by %u pages, %u: %llu",
						      sizes[i], align, f, start);
				pddgpu_kunit_bo_free(bo);
			}
		}
	}
	pddgpu_kunit_bo_free(odd);
	vram_expect_empty(test);
}

/*
 * All of VRAM is free, and it depends on the page whether it is clear, was used since,
 * or was never used: neighbours that are not alike stay apart in the allocator.
 */
static void vram_mix(struct kunit *test, struct rnd_state *rnd)
{
	struct pddgpu_vram_mgr *mgr = vram_mgr(test);
	struct pddgpu_kunit_bo *bo = vram_bo(test, VRAM_SIZE / 8 * 7, 0);
	LIST_HEAD(blocks);
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, vram_place(bo, pddgpu_kunit_below(rnd, 2) ?
					    TTM_PL_FLAG_TOPDOWN : 0));
	pddgpu_kunit_bo_free(bo);
	for (i = 0; i < 100; i++) {
		u64 most = (1 + (u64)pddgpu_kunit_below(rnd, 80)) << PAGE_SHIFT;

		/* Who finds no room does not keep us from it */
		mgr->clear.scarce = false;
		if (pddgpu_vram_mgr_take_stale(mgr, most, true, &blocks))
			break;
		pddgpu_vram_mgr_return_stale(mgr, &blocks, i & 1, 0);
	}
	KUNIT_EXPECT_GT(test, mgr->mm.clear_avail, 0);
	KUNIT_EXPECT_LT(test, mgr->mm.clear_avail, VRAM_SIZE);
	KUNIT_EXPECT_GT(test, mgr->clear.stale_bytes, 0);
	vram_expect_empty(test);
}

/* Within a range, the visible part first of all, to its last page */
static const struct vram_range_case {
	u64 first, end, size;
	u32 flags;
	int result;
} vram_range_cases[] = {
	{ 0, VRAM_VISIBLE, VRAM_VISIBLE, 0, 0 },
	{ 0, VRAM_VISIBLE, VRAM_VISIBLE + SZ_4K, 0, -ENOSPC },
	{ VRAM_VISIBLE, 0, VRAM_SIZE - VRAM_VISIBLE, 0, 0 },
	{ VRAM_VISIBLE, 0, VRAM_SIZE - VRAM_VISIBLE + SZ_4K, 0, -ENOSPC },
	{ SZ_4K, 3 * SZ_4K, SZ_8K, 0, 0 },
	{ SZ_4K, 3 * SZ_4K, 3 * SZ_4K, 0, -ENOSPC },
	{ VRAM_SIZE - SZ_4K, VRAM_SIZE, SZ_4K, 0, 0 },
	{ 0, VRAM_SIZE + SZ_4K, SZ_4K, 0, -ENOSPC },
	{ VRAM_SIZE, VRAM_SIZE + SZ_4K, SZ_4K, 0, -ENOSPC },
	{ SZ_8K, SZ_4K, SZ_4K, 0, -ENOSPC },
	{ SZ_8K, SZ_8K, SZ_4K, 0, -ENOSPC },
	{ 0, 0, VRAM_SIZE + SZ_4K, 0, -ENOSPC },
	{ 0, 0, 1ull << 50, 0, -ENOSPC },
	/* No power of two, in one piece, within a range */
	{ 0, VRAM_VISIBLE, 5 * SZ_1M + SZ_4K, TTM_PL_FLAG_CONTIGUOUS, 0 },
	{ 0, VRAM_VISIBLE, 9 * SZ_1M + SZ_8K, TTM_PL_FLAG_CONTIGUOUS, 0 },
	{ 0, VRAM_VISIBLE, VRAM_VISIBLE - SZ_4K, TTM_PL_FLAG_CONTIGUOUS, 0 },
	{ VRAM_VISIBLE, 0, 33 * SZ_1M, TTM_PL_FLAG_CONTIGUOUS, 0 },
	{ VRAM_VISIBLE, 0, 47 * SZ_1M, TTM_PL_FLAG_CONTIGUOUS | TTM_PL_FLAG_TOPDOWN, 0 },
	{ SZ_4K, VRAM_SIZE - SZ_4K, VRAM_SIZE - SZ_8K, TTM_PL_FLAG_CONTIGUOUS, 0 },
};

static void vram_ranges(struct kunit *test, struct rnd_state *rnd)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vram_range_cases); i++) {
		const struct vram_range_case *c = &vram_range_cases[i];
		struct pddgpu_kunit_bo *bo = vram_bo(test, c->size, 0);
		struct gpu_buddy_block *block;
		u64 unclear = 0;

		if (rnd)
			vram_mix(test, rnd);
		KUNIT_EXPECT_EQ_MSG(test, c->result,
				    pddgpu_kunit_place(bo, TTM_PL_VRAM, c->first >> PAGE_SHIFT,
						       c->end >> PAGE_SHIFT, c->flags),
				    "case %zu", i);
		if (bo->res) {
			vram_expect_sound(test, bo, c->first, c->end ?: VRAM_SIZE);
			list_for_each_entry(block, &vram_res(bo)->blocks, link)
				unclear += gpu_buddy_block_is_clear(block) ? 0 :
					   gpu_buddy_block_size(&vram_mgr(test)->mm, block);
			KUNIT_EXPECT_EQ_MSG(test, vram_res(bo)->unclear, unclear, "case %zu", i);
		}
		if (bo->res && c->flags & TTM_PL_FLAG_CONTIGUOUS)
			KUNIT_EXPECT_TRUE(test, vram_res(bo)->contiguous);
		KUNIT_EXPECT_EQ_MSG(test, 0, pddgpu_vram_mgr_check(vram_mgr(test)), "case %zu", i);
		pddgpu_kunit_bo_free(bo);
		vram_expect_empty(test);
	}
}

static void vram_test_ranges(struct kunit *test)
{
	vram_ranges(test, NULL);
}

/* The same, to the page, where free memory is clear here and not there */
static void vram_test_ranges_mixed(struct kunit *test)
{
	struct rnd_state rnd;
	u32 round;

	pddgpu_kunit_seed(test, &rnd);
	for (round = 0; round < 2; round++)
		vram_ranges(test, &rnd);
}

/* An alignment that nothing can have is not an endless search */
static void vram_test_alignment_too_large(struct kunit *test)
{
	struct pddgpu_kunit_bo *bo = vram_bo(test, SZ_4K, (VRAM_SIZE >> PAGE_SHIFT) * 2);

	KUNIT_EXPECT_EQ(test, -ENOSPC, vram_place(bo, 0));
	KUNIT_EXPECT_EQ(test, -ENOSPC, vram_place(bo, TTM_PL_FLAG_CONTIGUOUS));
	vram_expect_empty(test);
	bo->tbo.page_alignment = VRAM_SIZE >> PAGE_SHIFT;
	KUNIT_EXPECT_EQ(test, 0, vram_place(bo, 0));
	KUNIT_EXPECT_EQ(test, bo->res->start, 0);
}

/* What need not be visible leaves the visible part alone until the rest is full */
static void vram_test_topdown(struct kunit *test)
{
	struct pddgpu_kunit_bo *bo[16];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bo); i++) {
		bo[i] = vram_bo(test, SZ_4M, 0);
		KUNIT_ASSERT_EQ(test, 0, vram_place(bo[i], TTM_PL_FLAG_TOPDOWN));
		vram_expect_sound(test, bo[i], 0, VRAM_SIZE);
		KUNIT_EXPECT_EQ(test, vram_res(bo[i])->visible, i < 12 ? 0 : SZ_4M);
		KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_invisible_free(vram_mgr(test)),
				i < 12 ? (11 - i) * SZ_4M : 0);
	}
	for (i = 0; i < ARRAY_SIZE(bo); i++)
		pddgpu_kunit_bo_free(bo[i]);
	vram_expect_empty(test);
}

static void vram_test_exhaustion(struct kunit *test)
{
	struct pddgpu_kunit_bo *bo, *more = vram_bo(test, SZ_4K, 0);
	const u32 count = VRAM_SIZE / SZ_64K;
	struct pddgpu_kunit_bo **all;
	u32 i;

	all = kunit_kcalloc(test, count, sizeof(*all), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, all);
	for (i = 0; i < count; i++) {
		all[i] = vram_bo(test, SZ_64K, 0);
		KUNIT_ASSERT_EQ(test, 0, vram_place(all[i], 0));
	}
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(vram_mgr(test)), VRAM_SIZE);
	KUNIT_EXPECT_EQ(test, -ENOSPC, vram_place(more, 0));
	KUNIT_EXPECT_NULL(test, more->res);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(vram_mgr(test)), VRAM_SIZE);
	/* A hole in every second place: half is free, no two together */
	for (i = 0; i < count; i += 2)
		pddgpu_kunit_unplace(all[i]);
	bo = vram_bo(test, SZ_64K + SZ_4K, 0);
	KUNIT_EXPECT_EQ(test, -ENOSPC, vram_place(bo, TTM_PL_FLAG_CONTIGUOUS));
	KUNIT_EXPECT_EQ(test, 0, vram_place(bo, 0));
	vram_expect_sound(test, bo, 0, VRAM_SIZE);
	KUNIT_EXPECT_FALSE(test, vram_res(bo)->contiguous);
	pddgpu_kunit_bo_free(bo);
	bo = vram_bo(test, VRAM_SIZE / 2, 0);
	KUNIT_EXPECT_EQ(test, 0, vram_place(bo, 0));
	vram_expect_sound(test, bo, 0, VRAM_SIZE);
	KUNIT_EXPECT_EQ(test, -ENOSPC, vram_place(more, 0));
	pddgpu_kunit_bo_free(bo);
	for (i = 0; i < count; i++)
		pddgpu_kunit_bo_free(all[i]);
	vram_expect_empty(test);
	/* And all of it is one piece again */
	bo = vram_bo(test, VRAM_SIZE, 0);
	KUNIT_EXPECT_EQ(test, 0, vram_place(bo, TTM_PL_FLAG_CONTIGUOUS));
}

static void vram_test_intersects_compatible(struct kunit *test)
{
	const struct { u64 first, end; bool intersects, compatible; } cases[] = {
		{ 0, 0, true, true },
		{ 0, 16, false, false },
		{ 0, 17, true, false },
		{ 16, 48, true, true },
		{ 15, 49, true, true },
		{ 17, 48, true, false },
		{ 16, 47, true, false },
		{ 47, 0, true, false },
		{ 48, 0, false, false },
		{ 48, 64, false, false },
		{ 20, 30, true, false },
	};
	struct pddgpu_kunit_bo *bo = vram_bo(test, 32 * SZ_4K, 0);
	size_t i;

	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_VRAM, 16, 48, 0));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ttm_place place = {
			.fpfn = cases[i].first,
			.lpfn = cases[i].end,
			.mem_type = TTM_PL_VRAM,
		};

		KUNIT_EXPECT_EQ_MSG(test, cases[i].intersects,
				    bo->man->func->intersects(bo->man, bo->res, &place, SZ_4K),
				    "case %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].compatible,
				    bo->man->func->compatible(bo->man, bo->res, &place, SZ_4K),
				    "case %zu", i);
	}
}

/* Of two blocks with a gap between them: not only their ends count */
static void vram_test_intersects_gap(struct kunit *test)
{
	struct pddgpu_kunit_bo *low = vram_bo(test, SZ_4K, 0), *gap = vram_bo(test, SZ_4K, 0);
	struct pddgpu_kunit_bo *bo = vram_bo(test, SZ_8K, 0);
	struct ttm_place place = { .mem_type = TTM_PL_VRAM, .fpfn = 9, .lpfn = 10 };

	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(gap, TTM_PL_VRAM, 9, 10, 0));
	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(low, TTM_PL_VRAM, 10, 11, 0));
	KUNIT_ASSERT_EQ(test, -ENOSPC, pddgpu_kunit_place(bo, TTM_PL_VRAM, 8, 11, 0));
	pddgpu_kunit_unplace(low);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_VRAM, 8, 11, 0));
	KUNIT_EXPECT_FALSE(test, vram_res(bo)->contiguous);
	KUNIT_EXPECT_FALSE(test, bo->man->func->intersects(bo->man, bo->res, &place, SZ_4K));
	place.lpfn = 11;
	KUNIT_EXPECT_TRUE(test, bo->man->func->intersects(bo->man, bo->res, &place, SZ_4K));
	place.fpfn = 8;
	KUNIT_EXPECT_TRUE(test, bo->man->func->compatible(bo->man, bo->res, &place, SZ_4K));
}

/* The driver's own: one range, high in the visible part, used for good */
static void vram_test_reserve(struct kunit *test)
{
	struct pddgpu_vram_mgr *mgr = vram_mgr(test);
	struct pddgpu_kunit_bo *bo;
	u64 at[3];

	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_reserve(mgr, SZ_1M + SZ_8K, PAGE_SIZE, &at[0]));
	KUNIT_EXPECT_EQ(test, at[0], VRAM_VISIBLE - SZ_1M - SZ_8K);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_vram_mgr_reserve(mgr, SZ_4K, SZ_1M, &at[1]));
	KUNIT_EXPECT_EQ(test, at[1], VRAM_VISIBLE - 2 * SZ_1M);
	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_vram_mgr_reserve(mgr, VRAM_VISIBLE + SZ_4K,
							       PAGE_SIZE, &at[2]));
	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_vram_mgr_reserve(mgr, VRAM_VISIBLE - SZ_1M,
							       PAGE_SIZE, &at[2]));
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_reserved(mgr), SZ_1M + SZ_8K + SZ_4K);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(mgr), SZ_1M + SZ_8K + SZ_4K);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_visible_usage(mgr), SZ_1M + SZ_8K + SZ_4K);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_invisible_free(mgr), VRAM_SIZE - VRAM_VISIBLE);
	/* No buffer gets what is reserved */
	bo = vram_bo(test, VRAM_SIZE - SZ_1M - SZ_8K - SZ_4K, 0);
	KUNIT_ASSERT_EQ(test, 0, vram_place(bo, 0));
	vram_expect_sound(test, bo, 0, VRAM_SIZE);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(mgr), VRAM_SIZE);
	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_vram_mgr_reserve(mgr, SZ_4K, PAGE_SIZE, &at[2]));
}

static void vram_test_settings(struct kunit *test)
{
	struct pddgpu_vram_mgr *mgr = vram_mgr(test);
	struct pddgpu_retry *retry = pddgpu_vram_mgr_retry(mgr);

	KUNIT_EXPECT_EQ(test, retry->count, 3);
	KUNIT_EXPECT_EQ(test, retry->delay_ms, 10);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_size(mgr), VRAM_SIZE);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_visible_size(mgr), VRAM_VISIBLE);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_to_ttm(mgr)->size, VRAM_SIZE);
}

static struct kunit_case vram_test_cases[] = {
	KUNIT_CASE(vram_test_sizes),
	KUNIT_CASE(vram_test_alignment),
	KUNIT_CASE(vram_test_ranges),
	KUNIT_CASE(vram_test_ranges_mixed),
	KUNIT_CASE(vram_test_alignment_too_large),
	KUNIT_CASE(vram_test_topdown),
	KUNIT_CASE(vram_test_exhaustion),
	KUNIT_CASE(vram_test_intersects_compatible),
	KUNIT_CASE(vram_test_intersects_gap),
	KUNIT_CASE(vram_test_reserve),
	KUNIT_CASE(vram_test_settings),
	{}
};

static struct kunit_suite vram_test_suite = {
	.name = "pddgpu_vram_mgr",
	.init = vram_test_init,
	.test_cases = vram_test_cases,
};

kunit_test_suite(vram_test_suite);
