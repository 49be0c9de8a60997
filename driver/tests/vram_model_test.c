// SPDX-License-Identifier: GPL-2.0
/*
 * The VRAM manager against a model: a byte for each page that says who has it and
 * what is in it. Buffers come and go, free memory is cleared or not, in any order.
 * Nobody may get what another one has, and nobody may be told that there are zeros
 * where there are none.
 */
#include <kunit/test.h>

#include <linux/bitmap.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include <drm/ttm/ttm_placement.h>

#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_extent.h"
#include "pddgpu_res_cursor.h"
#include "pddgpu_vram_clear.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

#define VMODEL_SIZE	((u64)SZ_64M)
#define VMODEL_VISIBLE	(24ull * SZ_1M)
#define VMODEL_PAGES	(VMODEL_SIZE >> PAGE_SHIFT)
#define VMODEL_BUFFERS	200
#define VMODEL_BATCHES	4

/* Bits of a page: somebody has it; it may hold anything; both of a buffer that went */
#define VMODEL_USED	1
#define VMODEL_DIRTY	2
#define VMODEL_STALE	4

/**
 * struct vmodel - the model
 */
struct vmodel {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @mgr: what is tested */
	struct pddgpu_vram_mgr *mgr;
	/** @rnd: random numbers */
	struct rnd_state rnd;
	/** @page: VMODEL_ bits of each page */
	u8 page[VMODEL_PAGES];
	/** @bo: buffers, or NULL */
	struct pddgpu_kunit_bo *bo[VMODEL_BUFFERS];
	/** @content: what a buffer has that is not new */
	struct ttm_resource content;
	/** @batch: what is being cleared */
	struct list_head batch[VMODEL_BATCHES];
	/** @used: bytes of buffers */
	u64 used;
	/** @visible: of them, those that the CPU reaches */
	u64 visible;
	/** @held: bytes that are being cleared */
	u64 held;
	/** @clear: bytes that buffers found clear */
	u64 clear;
	/** @refused: how many found no room */
	u32 refused;
};

static void vmodel_fini(void *data)
{
	struct vmodel *model = data;
	u32 i;

	for (i = 0; i < VMODEL_BATCHES; i++) {
		if (!list_empty(&model->batch[i]))
			pddgpu_vram_mgr_return_stale(model->mgr, &model->batch[i], false, 0);
	}
	vfree(model);
}

static int vmodel_test_init(struct kunit *test)
{
	struct vmodel *model = vzalloc(sizeof(*model));
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, model);
	for (i = 0; i < VMODEL_BATCHES; i++)
		INIT_LIST_HEAD(&model->batch[i]);
	model->pdev = pddgpu_kunit_memory(test, VMODEL_SIZE, VMODEL_VISIBLE, SZ_64M, SZ_64M);
	model->mgr = model->pdev->vram_mgr;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vmodel_fini, model));
	/* What is in VRAM at the beginning nobody knows */
	memset(model->page, VMODEL_DIRTY, sizeof(model->page));
	pddgpu_kunit_seed(test, &model->rnd);
	test->priv = model;
	return 0;
}

/* Pages change hands; what they have to be before, what they are after */
static void vmodel_take(struct kunit *test, struct vmodel *model, u64 start, u64 bytes,
			u8 not, u8 then)
{
	u64 page, end = (start + bytes) >> PAGE_SHIFT;

	for (page = start >> PAGE_SHIFT; page < end; page++) {
		if (page >= VMODEL_PAGES || model->page[page] & not) {
			KUNIT_FAIL(test, "page %llu of %#llx+%#llx is %u", page, start, bytes,
				   page < VMODEL_PAGES ? model->page[page] : 99);
			return;
		}
		model->page[page] = then;
	}
}

static void vmodel_take_bo(struct kunit *test, struct vmodel *model, struct pddgpu_kunit_bo *bo)
{
	struct pddgpu_vram_resource *vres = to_pddgpu_vram_resource(bo->res);
	struct gpu_buddy_block *block;
	u64 unclear = 0, sum = 0;

	list_for_each_entry(block, &vres->blocks, link) {
		u64 size = gpu_buddy_block_size(&model->mgr->mm, block);
		bool clear = gpu_buddy_block_is_clear(block);

		/* Whoever has it writes to it */
		vmodel_take(test, model, gpu_buddy_block_offset(block), size,
			    clear ? VMODEL_USED | VMODEL_DIRTY : VMODEL_USED,
			    VMODEL_USED | VMODEL_DIRTY);
		unclear += clear ? 0 : size;
		sum += size;
	}
	KUNIT_EXPECT_EQ(test, vres->unclear, unclear);
	KUNIT_EXPECT_EQ(test, sum, bo->tbo.base.size);
	model->used += sum;
	model->visible += vres->visible;
	model->clear += sum - unclear;
}

static void vmodel_free(struct kunit *test, struct vmodel *model, struct pddgpu_kunit_bo **at)
{
	struct pddgpu_vram_resource *vres = to_pddgpu_vram_resource((*at)->res);
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &vres->blocks, link)
		vmodel_take(test, model, gpu_buddy_block_offset(block),
			    gpu_buddy_block_size(&model->mgr->mm, block), 0,
			    VMODEL_DIRTY | VMODEL_STALE);
	model->used -= (*at)->tbo.base.size;
	model->visible -= vres->visible;
	pddgpu_kunit_bo_free(*at);
	*at = NULL;
}

static void vmodel_return(struct kunit *test, struct vmodel *model, struct list_head *batch,
			  bool clear)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, batch, link) {
		u64 size = gpu_buddy_block_size(&model->mgr->mm, block);

		vmodel_take(test, model, gpu_buddy_block_offset(block), size, 0,
			    clear ? 0 : VMODEL_DIRTY | VMODEL_STALE);
		model->held -= size;
	}
	pddgpu_vram_mgr_return_stale(model->mgr, batch, clear, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(batch));
}

static void vmodel_return_all(struct kunit *test, struct vmodel *model)
{
	u32 i;

	for (i = 0; i < VMODEL_BATCHES; i++) {
		if (!list_empty(&model->batch[i]))
			vmodel_return(test, model, &model->batch[i],
				      pddgpu_kunit_below(&model->rnd, 4));
	}
}

/* Take some away to clear it, or give back what was taken */
static void vmodel_clear(struct kunit *test, struct vmodel *model)
{
	struct list_head *batch = &model->batch[pddgpu_kunit_below(&model->rnd, VMODEL_BATCHES)];
	u64 most = (1 + (u64)pddgpu_kunit_below(&model->rnd, 2048)) << PAGE_SHIFT, got = 0;
	struct gpu_buddy_block *block;
	int ret;

	if (!list_empty(batch)) {
		vmodel_return(test, model, batch, pddgpu_kunit_below(&model->rnd, 8));
		return;
	}
	/* Not to wait until memory is no longer scarce */
	model->mgr->clear.scarce = false;
	ret = pddgpu_vram_mgr_take_stale(model->mgr, most, pddgpu_kunit_below(&model->rnd, 2),
					 batch);
	if (ret) {
		KUNIT_EXPECT_TRUE(test, ret == -EAGAIN || ret == -ENOENT);
		KUNIT_EXPECT_TRUE(test, list_empty(batch));
		return;
	}
	list_for_each_entry(block, batch, link) {
		u64 size = gpu_buddy_block_size(&model->mgr->mm, block);

		vmodel_take(test, model, gpu_buddy_block_offset(block), size, VMODEL_USED,
			    VMODEL_USED | VMODEL_DIRTY);
		got += size;
	}
	KUNIT_EXPECT_GT(test, got, 0);
	KUNIT_EXPECT_LE(test, got, most);
	model->held += got;
}

static u64 vmodel_size(struct vmodel *model)
{
	static const u32 scale[] = { 4, 32, 256, 2048 };
	u64 pages = 1 + pddgpu_kunit_below(&model->rnd,
					   scale[pddgpu_kunit_below(&model->rnd, 4)]);

	if (!pddgpu_kunit_below(&model->rnd, 3))
		pages = rounddown_pow_of_two(pages);
	return pages << PAGE_SHIFT;
}

static void vmodel_alloc(struct kunit *test, struct vmodel *model, struct pddgpu_kunit_bo **at)
{
	u64 free = VMODEL_SIZE - model->used - model->held, size = vmodel_size(model);
	bool visible = !pddgpu_kunit_below(&model->rnd, 3), must;
	u32 align = pddgpu_kunit_below(&model->rnd, 8) ? 0 : 1 << pddgpu_kunit_below(&model->rnd,
										    10);
	struct pddgpu_kunit_bo *bo;
	u32 flags = 0;
	int ret;

	if (!pddgpu_kunit_below(&model->rnd, 4))
		flags |= TTM_PL_FLAG_CONTIGUOUS;
	if (pddgpu_kunit_below(&model->rnd, 2))
		flags |= TTM_PL_FLAG_TOPDOWN;
	/* Any pages will do, and there are enough */
	must = size <= free && !visible && align <= 1 && !(flags & TTM_PL_FLAG_CONTIGUOUS);
	/* Who finds no room waits for what is being cleared, by nobody else here */
	if (!must)
		vmodel_return_all(test, model);
	if (visible)
		must = align <= 1 && !(flags & TTM_PL_FLAG_CONTIGUOUS) &&
		       size <= VMODEL_VISIBLE - model->visible;

	bo = pddgpu_kunit_bo(test, model->pdev, size, align);
	if (!pddgpu_kunit_below(&model->rnd, 3))
		bo->tbo.resource = &model->content;
	ret = pddgpu_kunit_place(bo, TTM_PL_VRAM, 0, visible ? VMODEL_VISIBLE >> PAGE_SHIFT : 0,
				 flags);
	if (ret) {
		if (ret != -ENOSPC || must)
			KUNIT_FAIL(test, "%d for %llu of %llu, flags %u", ret, size, free, flags);
		pddgpu_kunit_bo_free(bo);
		model->refused++;
		return;
	}
	vmodel_take_bo(test, model, bo);
	if (flags & TTM_PL_FLAG_CONTIGUOUS)
		KUNIT_EXPECT_TRUE(test, to_pddgpu_vram_resource(bo->res)->contiguous);
	*at = bo;
}

/* The manager's books, and its bits for what was used before */
static void vmodel_expect(struct kunit *test, struct vmodel *model)
{
	struct pddgpu_vram_mgr *mgr = model->mgr;
	u64 page, stale = 0, zeros = 0;
	u32 wrong = 0;

	for (page = 0; page < VMODEL_PAGES; page++) {
		u8 is = model->page[page];

		wrong += test_bit(page, mgr->clear.stale) != !!(is & VMODEL_STALE);
		stale += !!(is & VMODEL_STALE);
		zeros += !is;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, mgr->clear.stale_bytes, stale << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, mgr->clear.held, model->held);
	KUNIT_EXPECT_EQ(test, mgr->mm.avail, VMODEL_SIZE - model->used - model->held);
	/* What is clear may be forgotten, but not invented */
	KUNIT_EXPECT_LE(test, mgr->mm.clear_avail, zeros << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_usage(mgr), model->used);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_visible_usage(mgr), model->visible);
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_invisible_free(mgr),
			VMODEL_SIZE - VMODEL_VISIBLE - (model->used - model->visible));
}

/**
 * struct vmodel_tour - a walk over all of VRAM
 */
struct vmodel_tour {
	/** @test: the test */
	struct kunit *test;
	/** @at: what has been told of so far ends here */
	u64 at;
	/** @steps: how many more in this go */
	u32 steps;
	/** @sum: bytes of each kind */
	u64 sum[PDDGPU_EXTENT_RESOURCE + 1];
};

static bool vmodel_has(struct ttm_resource *res, u64 at)
{
	struct pddgpu_res_cursor cur;

	for (pddgpu_res_first(res, 0, res->size, &cur); cur.remaining;
	     pddgpu_res_next(&cur, cur.size)) {
		if (at >= cur.offset && at < cur.offset + cur.size)
			return true;
	}
	return false;
}

static bool vmodel_tour_fn(const struct pddgpu_extent *extent, void *data)
{
	bool nobodys = extent->kind == PDDGPU_EXTENT_FREE;
	bool held = extent->kind == PDDGPU_EXTENT_RESOURCE;
	struct vmodel_tour *tour = data;
	struct vmodel *model = tour->test->priv;
	u64 page;

	if (extent->start != tour->at || extent->end <= extent->start ||
	    !extent->res == held) {
		KUNIT_FAIL(tour->test, "%#llx to %#llx after %#llx, kind %u", extent->start,
			   extent->end, tour->at, extent->kind);
		return false;
	}
	for (page = extent->start >> PAGE_SHIFT; page < extent->end >> PAGE_SHIFT; page++) {
		if (nobodys != !(model->page[page] & VMODEL_USED))
			KUNIT_FAIL(tour->test, "page %llu, kind %u", page, extent->kind);
	}
	if (extent->res)
		KUNIT_EXPECT_TRUE(tour->test, vmodel_has(extent->res, extent->start));
	tour->sum[extent->kind] += extent->end - extent->start;
	tour->at = extent->end;
	return --tour->steps;
}

/* What lies where, some at a time, as the model has it: each byte once */
static void vmodel_expect_map(struct kunit *test, struct vmodel *model)
{
	struct vmodel_tour tour = { .test = test };
	u64 from = 0;

	while (from < VMODEL_SIZE && from == tour.at) {
		tour.steps = 1 + pddgpu_kunit_below(&model->rnd, 50);
		from = pddgpu_vram_mgr_walk(model->mgr, from, vmodel_tour_fn, &tour);
	}
	KUNIT_EXPECT_EQ(test, tour.at, VMODEL_SIZE);
	KUNIT_EXPECT_EQ(test, tour.sum[PDDGPU_EXTENT_RESOURCE], model->used);
	KUNIT_EXPECT_EQ(test, tour.sum[PDDGPU_EXTENT_CLEARING], model->held);
	KUNIT_EXPECT_EQ(test, tour.sum[PDDGPU_EXTENT_KERNEL], 0);
	/* From the middle of something, and beyond the end */
	tour.at = pddgpu_kunit_below(&model->rnd, VMODEL_PAGES) << PAGE_SHIFT;
	tour.steps = 3;
	from = pddgpu_vram_mgr_walk(model->mgr, tour.at, vmodel_tour_fn, &tour);
	KUNIT_EXPECT_EQ(test, from, tour.at);
	KUNIT_EXPECT_EQ(test, VMODEL_SIZE, pddgpu_vram_mgr_walk(model->mgr, VMODEL_SIZE,
								vmodel_tour_fn, &tour));
}

static void vmodel_test_histories(struct kunit *test)
{
	struct vmodel *model = test->priv;
	u32 i, crowd = 40;

	for (i = 0; i < 8000; i++) {
		struct pddgpu_kunit_bo **at =
			&model->bo[pddgpu_kunit_below(&model->rnd, VMODEL_BUFFERS)];

		if (!(i % 400))
			crowd = 1 + pddgpu_kunit_below(&model->rnd, 64);
		if (!pddgpu_kunit_below(&model->rnd, 4))
			vmodel_clear(test, model);
		else if (*at)
			vmodel_free(test, model, at);
		else if (model->used < crowd * (u64)SZ_1M)
			vmodel_alloc(test, model, at);
		if (!(i % 400)) {
			vmodel_expect(test, model);
			vmodel_expect_map(test, model);
		}
		cond_resched();
	}
	/* It has happened, what it is about */
	KUNIT_EXPECT_GT(test, model->clear, VMODEL_SIZE);
	KUNIT_EXPECT_GT(test, model->refused, 20);
	kunit_info(test, "%llu MiB found clear, %u found no room", model->clear >> 20,
		   model->refused);

	vmodel_return_all(test, model);
	for (i = 0; i < VMODEL_BUFFERS; i++) {
		if (model->bo[i])
			vmodel_free(test, model, &model->bo[i]);
	}
	vmodel_expect(test, model);
	KUNIT_EXPECT_EQ(test, model->used, 0);
	KUNIT_EXPECT_EQ(test, model->visible, 0);
}

/*
 * A walk over a buffer's pieces, from and to anywhere, against a list of what the
 * buffer has, byte by byte.
 */
static void vmodel_walk(struct kunit *test, struct vmodel *model, struct ttm_resource *res,
			const u64 *at, u64 start, u64 bytes)
{
	struct pddgpu_res_cursor cur;
	u64 done = 0, step;

	pddgpu_res_first(res, start, bytes, &cur);
	while (cur.remaining) {
		u64 first = (start + done) >> PAGE_SHIFT, end = (start + done + cur.size - 1) >>
			PAGE_SHIFT, page;

		if (!cur.size || cur.remaining != bytes - done || cur.size > cur.remaining) {
			KUNIT_FAIL(test, "%llu of %llu at %llu", cur.size, cur.remaining, done);
			return;
		}
		/* Every page of the piece is where the buffer has it */
		for (page = first; page <= end; page++) {
			u64 byte = max(page << PAGE_SHIFT, start + done);

			if (cur.offset + byte - start - done != at[page] + (byte & ~PAGE_MASK)) {
				KUNIT_FAIL(test, "byte %llu at %llu", byte, cur.offset);
				return;
			}
		}
		/* The piece in one go, or only some of it */
		step = pddgpu_kunit_below(&model->rnd, 3) ? cur.size :
		       1 + pddgpu_kunit_below(&model->rnd, min(cur.size, (u64)S32_MAX));
		pddgpu_res_next(&cur, step);
		done += step;
	}
	KUNIT_EXPECT_EQ(test, done, bytes);
	KUNIT_EXPECT_EQ(test, cur.size, 0);
}

static void vmodel_test_cursor(struct kunit *test)
{
	struct vmodel *model = test->priv;
	u64 *at = kunit_kcalloc(test, 4096, sizeof(*at), GFP_KERNEL);
	struct gpu_buddy_block *block;
	struct pddgpu_kunit_bo *bo;
	u32 i, n, blocks = 0;

	KUNIT_ASSERT_NOT_NULL(test, at);
	/* Holes of many sizes, so that what comes next is in many pieces */
	for (i = 0; i < VMODEL_BUFFERS; i++)
		vmodel_alloc(test, model, &model->bo[i]);
	for (i = 0; i < VMODEL_BUFFERS; i++) {
		if (model->bo[i] && pddgpu_kunit_below(&model->rnd, 2))
			vmodel_free(test, model, &model->bo[i]);
	}
	for (i = 0; i < 100; i++) {
		u64 pages = 1 + pddgpu_kunit_below(&model->rnd, 4096), size = pages << PAGE_SHIFT;

		if (size > VMODEL_SIZE - model->used)
			continue;
		bo = pddgpu_kunit_bo(test, model->pdev, size, 0);
		KUNIT_ASSERT_EQ(test, 0, pddgpu_kunit_place(bo, TTM_PL_VRAM, 0, 0, 0));
		n = 0;
		list_for_each_entry(block, &to_pddgpu_vram_resource(bo->res)->blocks, link) {
			u64 left = gpu_buddy_block_size(&model->mgr->mm, block), here;

			for (here = gpu_buddy_block_offset(block); left; left -= PAGE_SIZE) {
				at[n++] = here;
				here += PAGE_SIZE;
			}
			blocks++;
		}
		KUNIT_ASSERT_EQ(test, n, pages);
		/* From the first byte of each page, thus of each block */
		for (n = 0; n < pages && i < 10; n++)
			vmodel_walk(test, model, bo->res, at, (u64)n << PAGE_SHIFT,
				    min(size - ((u64)n << PAGE_SHIFT), (u64)SZ_8K));
		vmodel_walk(test, model, bo->res, at, 0, size);
		vmodel_walk(test, model, bo->res, at, 0, 1);
		vmodel_walk(test, model, bo->res, at, size - 1, 1);
		for (n = 0; n < 20; n++) {
			u64 start = pddgpu_kunit_below(&model->rnd, size);

			vmodel_walk(test, model, bo->res, at, start,
				    1 + pddgpu_kunit_below(&model->rnd, size - start));
		}
		pddgpu_kunit_bo_free(bo);
	}
	/* Many had many pieces */
	KUNIT_EXPECT_GT(test, blocks, 500);
}

static struct kunit_case vmodel_test_cases[] = {
	KUNIT_CASE_SLOW(vmodel_test_histories),
	KUNIT_CASE(vmodel_test_cursor),
	{}
};

static struct kunit_suite vmodel_test_suite = {
	.name = "pddgpu_vram_model",
	.init = vmodel_test_init,
	.test_cases = vmodel_test_cases,
};

kunit_test_suite(vmodel_test_suite);
