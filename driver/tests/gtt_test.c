// SPDX-License-Identifier: GPL-2.0
/* The GTT manager: addresses in the aperture, and the limit of what they may hold */
#include <kunit/test.h>

#include <linux/bitmap.h>
#include <linux/sizes.h>

#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_extent.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_vram_mgr.h"

#define GTT_PAGES	16384ull
#define GTT_SIZE	(GTT_PAGES << PAGE_SHIFT)
#define GTT_LIMIT	(48ull * SZ_1M)
#define GTT_LEAF	512
#define GTT_BUFFERS	150

static struct pddgpu_gtt_mgr *gtt_mgr(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;

	return pdev->gtt_mgr;
}

static int gtt_test_init(struct kunit *test)
{
	pddgpu_kunit_memory(test, SZ_16M, SZ_16M, GTT_SIZE, GTT_LIMIT);
	return 0;
}

static struct pddgpu_kunit_bo *gtt_bo(struct kunit *test, u64 pages, u32 align)
{
	return pddgpu_kunit_bo(test, test->priv, pages << PAGE_SHIFT, align);
}

static int gtt_place(struct pddgpu_kunit_bo *bo, u32 flags)
{
	return pddgpu_kunit_place(bo, TTM_PL_TT, 0, 0, flags);
}

static void gtt_test_sizes(struct kunit *test)
{
	struct pddgpu_retry *retry = pddgpu_gtt_mgr_retry(gtt_mgr(test));

	KUNIT_EXPECT_EQ(test, retry->count, 3);
	KUNIT_EXPECT_EQ(test, retry->delay_ms, 5);
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_size(gtt_mgr(test)), GTT_LIMIT);
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_to_ttm(gtt_mgr(test))->size, GTT_LIMIT);
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_usage(gtt_mgr(test)), 0);
}

/* The limit is bytes that all hold together, to the last page */
static void gtt_test_limit(struct kunit *test)
{
	u64 pages = GTT_LIMIT >> PAGE_SHIFT;
	struct pddgpu_kunit_bo *most = gtt_bo(test, pages - 1, 0);
	struct pddgpu_kunit_bo *last = gtt_bo(test, 1, 0), *more = gtt_bo(test, 1, 0);
	struct pddgpu_kunit_bo *too = gtt_bo(test, pages + 1, 0);

	KUNIT_EXPECT_EQ(test, -ENOSPC, gtt_place(too, 0));
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_usage(gtt_mgr(test)), 0);
	KUNIT_EXPECT_TRUE(test, pddgpu_gtt_mgr_has_room(gtt_mgr(test), pages, 0));
	KUNIT_EXPECT_FALSE(test, pddgpu_gtt_mgr_has_room(gtt_mgr(test), pages + 1, 0));
	KUNIT_ASSERT_EQ(test, 0, gtt_place(most, 0));
	KUNIT_EXPECT_TRUE(test, pddgpu_gtt_mgr_has_room(gtt_mgr(test), 1, 0));
	KUNIT_ASSERT_EQ(test, 0, gtt_place(last, 0));
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_usage(gtt_mgr(test)), GTT_LIMIT);
	KUNIT_EXPECT_FALSE(test, pddgpu_gtt_mgr_has_room(gtt_mgr(test), 1, 0));
	KUNIT_EXPECT_EQ(test, -ENOSPC, gtt_place(more, 0));
	KUNIT_EXPECT_NULL(test, more->res);
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_usage(gtt_mgr(test)), GTT_LIMIT);
	/* Who only passes through needs no address, and meets no limit */
	KUNIT_ASSERT_EQ(test, 0, gtt_place(more, TTM_PL_FLAG_TEMPORARY));
	KUNIT_EXPECT_FALSE(test, pddgpu_gtt_has_address(more->res));
	KUNIT_EXPECT_TRUE(test, pddgpu_gtt_has_address(last->res));
	pddgpu_kunit_unplace(more);
	pddgpu_kunit_unplace(last);
	KUNIT_EXPECT_EQ(test, 0, gtt_place(more, 0));
}

/* Large ones begin where a large leaf does, as long as that costs nothing */
static void gtt_test_alignment(struct kunit *test)
{
	struct pddgpu_kunit_bo *odd = gtt_bo(test, 3, 0), *bo;
	u32 align;

	KUNIT_ASSERT_EQ(test, 0, gtt_place(odd, 0));
	for (align = 1; align <= 4096; align *= 2) {
		bo = gtt_bo(test, 5, align);
		KUNIT_ASSERT_EQ(test, 0, gtt_place(bo, 0));
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(bo->res->start, align));
		pddgpu_kunit_bo_free(bo);
	}
	bo = gtt_bo(test, GTT_LEAF, 0);
	KUNIT_ASSERT_EQ(test, 0, gtt_place(bo, 0));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(bo->res->start, GTT_LEAF));
	pddgpu_kunit_bo_free(bo);
	bo = gtt_bo(test, GTT_LEAF, 1024);
	KUNIT_ASSERT_EQ(test, 0, gtt_place(bo, 0));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(bo->res->start, 1024));
	pddgpu_kunit_bo_free(bo);
	/* In a range where no boundary leaves room it begins elsewhere */
	bo = gtt_bo(test, GTT_LEAF, 0);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_TT, 513, 1535, 0));
	KUNIT_EXPECT_GE(test, bo->res->start, 513);
	KUNIT_EXPECT_LE(test, bo->res->start, 1535 - GTT_LEAF);
	pddgpu_kunit_bo_free(bo);
	bo = gtt_bo(test, GTT_LEAF, GTT_LEAF);
	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_kunit_place(bo, TTM_PL_TT, 513, 1535, 0));
}

static void gtt_test_intersects_compatible(struct kunit *test)
{
	const struct { u64 first, end; bool intersects, compatible; } cases[] = {
		{ 0, 0, true, true }, { 0, 16, false, false }, { 0, 17, true, false },
		{ 16, 48, true, true }, { 15, 49, true, true }, { 17, 0, true, false },
		{ 16, 47, true, false }, { 47, 48, true, false }, { 48, 0, false, false },
	};
	struct pddgpu_kunit_bo *bo = gtt_bo(test, 32, 0), *temporary = gtt_bo(test, 32, 0);
	size_t i;

	KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_TT, 16, 48, 0));
	KUNIT_ASSERT_EQ(test, 0, gtt_place(temporary, TTM_PL_FLAG_TEMPORARY));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct ttm_place place = {
			.fpfn = cases[i].first, .lpfn = cases[i].end, .mem_type = TTM_PL_TT,
		};

		KUNIT_EXPECT_EQ_MSG(test, cases[i].intersects,
				    bo->man->func->intersects(bo->man, bo->res, &place, SZ_4K),
				    "case %zu", i);
		KUNIT_EXPECT_EQ_MSG(test, cases[i].compatible,
				    bo->man->func->compatible(bo->man, bo->res, &place, SZ_4K),
				    "case %zu", i);
		KUNIT_EXPECT_FALSE(test, bo->man->func->intersects(bo->man, temporary->res,
								   &place, SZ_4K));
		KUNIT_EXPECT_FALSE(test, bo->man->func->compatible(bo->man, temporary->res,
								   &place, SZ_4K));
	}
}

/* The driver's own, at the end; then there is so much less for buffers */
static void gtt_test_reserve(struct kunit *test)
{
	struct pddgpu_kunit_bo *bo;
	u64 first = 0;

	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_gtt_mgr_reserve(gtt_mgr(test), GTT_PAGES + 1, 1,
							      &first));
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_size(gtt_mgr(test)), GTT_LIMIT);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_gtt_mgr_reserve(gtt_mgr(test), 6000, 16, &first));
	KUNIT_EXPECT_EQ(test, first, (GTT_PAGES - 6000) & ~15ull);
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_size(gtt_mgr(test)), (GTT_PAGES - 6000) << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_to_ttm(gtt_mgr(test))->size,
			(GTT_PAGES - 6000) << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_usage(gtt_mgr(test)), 0);
	bo = gtt_bo(test, first, 0);
	KUNIT_ASSERT_EQ(test, 0, gtt_place(bo, 0));
	KUNIT_EXPECT_EQ(test, bo->res->start, 0);
	bo = gtt_bo(test, 1, 0);
	KUNIT_EXPECT_EQ(test, -ENOSPC, pddgpu_kunit_place(bo, TTM_PL_TT, first, 0, 0));
}

/**
 * struct gtt_tour - a walk over the whole aperture
 */
struct gtt_tour {
	/** @test: the test */
	struct kunit *test;
	/** @taken: a bit for each page that is */
	unsigned long *taken;
	/** @at: what has been told of so far ends here */
	u64 at;
	/** @steps: how many more in this go */
	u32 steps;
};

static bool gtt_tour_fn(const struct pddgpu_extent *extent, void *data)
{
	struct gtt_tour *tour = data;
	u64 first = extent->start >> PAGE_SHIFT, end = extent->end >> PAGE_SHIFT;

	KUNIT_EXPECT_EQ(tour->test, extent->start, tour->at);
	KUNIT_EXPECT_LT(tour->test, first, end);
	if (extent->kind == PDDGPU_EXTENT_RESOURCE) {
		KUNIT_EXPECT_EQ(tour->test, end, extent->res->start + PFN_UP(extent->res->size));
		KUNIT_EXPECT_GE(tour->test, find_next_zero_bit(tour->taken, end, first), end);
	} else {
		KUNIT_EXPECT_EQ(tour->test, extent->kind, PDDGPU_EXTENT_FREE);
		KUNIT_EXPECT_GE(tour->test, find_next_bit(tour->taken, end, first), end);
	}
	tour->at = extent->end;
	return --tour->steps;
}

/* What lies where, some at a time: each byte once */
static void gtt_expect_map(struct kunit *test, unsigned long *taken, struct rnd_state *rnd)
{
	u64 from = 0, end = pddgpu_gtt_mgr_aperture(gtt_mgr(test));
	struct gtt_tour tour = { .test = test, .taken = taken };

	while (from < end && from == tour.at) {
		tour.steps = 1 + pddgpu_kunit_below(rnd, 20);
		from = pddgpu_gtt_mgr_walk(gtt_mgr(test), from, gtt_tour_fn, &tour);
	}
	KUNIT_EXPECT_EQ(test, tour.at, end);
	/* From the middle of something */
	tour.at = (u64)pddgpu_kunit_below(rnd, GTT_PAGES) << PAGE_SHIFT;
	tour.steps = 3;
	from = pddgpu_gtt_mgr_walk(gtt_mgr(test), tour.at, gtt_tour_fn, &tour);
	KUNIT_EXPECT_EQ(test, from, tour.at);
}

/* Buffers come and go: nobody gets another's addresses, and the sums are right */
static void gtt_test_histories(struct kunit *test)
{
	unsigned long *taken = kunit_kcalloc(test, BITS_TO_LONGS(GTT_PAGES), sizeof(long),
					     GFP_KERNEL);
	struct pddgpu_kunit_bo **bo = kunit_kcalloc(test, GTT_BUFFERS, sizeof(*bo), GFP_KERNEL);
	u64 used = 0;
	struct rnd_state rnd;
	u32 i, refused = 0;

	KUNIT_ASSERT_NOT_NULL(test, taken);
	KUNIT_ASSERT_NOT_NULL(test, bo);
	pddgpu_kunit_seed(test, &rnd);
	for (i = 0; i < 20000; i++) {
		struct pddgpu_kunit_bo **at = &bo[pddgpu_kunit_below(&rnd, GTT_BUFFERS)];
		u64 pages = 1 + pddgpu_kunit_below(&rnd, i & 1 ? 8 : 600);
		u32 align = pddgpu_kunit_below(&rnd, 4) ? 0 : 1 << pddgpu_kunit_below(&rnd, 11);
		bool room;

		if (*at) {
			pages = PFN_UP((*at)->tbo.base.size);
			bitmap_clear(taken, (*at)->res->start, pages);
			used -= pages;
			pddgpu_kunit_bo_free(*at);
			*at = NULL;
		} else {
			room = pddgpu_gtt_mgr_has_room(gtt_mgr(test), pages, align);
			*at = gtt_bo(test, pages, align);
			if (gtt_place(*at, 0)) {
				/* Who was told that there is room finds it */
				KUNIT_EXPECT_FALSE(test, room);
				refused++;
				pddgpu_kunit_bo_free(*at);
				*at = NULL;
				continue;
			}
			KUNIT_ASSERT_LE(test, (*at)->res->start + pages, GTT_PAGES);
			KUNIT_EXPECT_GE(test, find_next_bit(taken, (*at)->res->start + pages,
							    (*at)->res->start),
					(*at)->res->start + pages);
			KUNIT_EXPECT_TRUE(test, !align || IS_ALIGNED((*at)->res->start, align));
			bitmap_set(taken, (*at)->res->start, pages);
			used += pages;
		}
		KUNIT_EXPECT_EQ(test, pddgpu_gtt_mgr_usage(gtt_mgr(test)), used << PAGE_SHIFT);
		KUNIT_EXPECT_LE(test, used << PAGE_SHIFT, GTT_LIMIT);
		if (!(i % 500))
			gtt_expect_map(test, taken, &rnd);
	}
	KUNIT_EXPECT_GT(test, refused, 100);
}

static struct kunit_case gtt_test_cases[] = {
	KUNIT_CASE(gtt_test_sizes),
	KUNIT_CASE(gtt_test_limit),
	KUNIT_CASE(gtt_test_alignment),
	KUNIT_CASE(gtt_test_intersects_compatible),
	KUNIT_CASE(gtt_test_reserve),
	KUNIT_CASE(gtt_test_histories),
	{}
};

static struct kunit_suite gtt_test_suite = {
	.name = "pddgpu_gtt_mgr",
	.init = gtt_test_init,
	.test_cases = gtt_test_cases,
};

kunit_test_suite(gtt_test_suite);
