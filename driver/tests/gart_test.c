// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables: what the chip would find in them, against what was bound. The
 * test walks them as docs/device.md says that the chip does, and knows nothing
 * of where the driver puts which table.
 */
#include <kunit/test.h>

#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include <drm/drm_drv.h>

#include <pddgpu_pte.h>
#include <pddgpu_regs.h>

#include "kunit_card.h"
#include "kunit_device.h"

#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_gart.h"
#include "pddgpu_vram_mgr.h"

#define GART_VRAM	(32ull << 20)
#define GART_VISIBLE	(16ull << 20)
#define GART_LEAF	512u
#define GART_BINDINGS	24

/**
 * struct gart_binding - something bound, and what the model knows of it
 */
struct gart_binding {
	/** @binding: the driver's part */
	struct pddgpu_gart_binding binding;
	/** @sgt: bus addresses */
	struct sg_table sgt;
	/** @bound: it is */
	bool bound;
	/** @first: its first page */
	u64 first;
	/** @pages: how many */
	u32 pages;
};

/**
 * struct gart_test - a GART, and the model of it
 */
struct gart_test {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @card: the card */
	struct pddgpu_kunit_card *card;
	/** @gart: what is tested */
	struct pddgpu_gart *gart;
	/** @pages: pages of the aperture */
	u64 pages;
	/** @dummy: bus address of the page of zeros */
	u64 dummy;
	/** @expect: for each page of the aperture its address and flags; 0: the dummy page */
	u64 *expect;
	/** @rnd: random numbers */
	struct rnd_state rnd;
	/** @binding: what may be bound */
	struct gart_binding binding[GART_BINDINGS];
};

static void gart_test_fini(void *data)
{
	struct gart_test *gt = data;
	u32 i;

	for (i = 0; gt->gart && i < GART_BINDINGS; i++) {
		pddgpu_gart_unbind(gt->gart, &gt->binding[i].binding);
		sg_free_table(&gt->binding[i].sgt);
	}
	vfree(gt->expect);
}

/* A device whose aperture has @gtt bytes, with page tables if it can have them */
static struct gart_test *gart_create(struct kunit *test, u64 gtt)
{
	struct pddgpu_device *pdev = pddgpu_kunit_memory(test, GART_VRAM, GART_VISIBLE, gtt, gtt);
	struct gart_test *gt = kunit_kzalloc(test, sizeof(*gt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, gt);
	gt->pdev = pdev;
	gt->card = pddgpu_kunit_card_init(test, &pdev->drm, GART_VRAM, GART_VISIBLE, gtt);
	/* What was in VRAM before is no page table */
	memset(gt->card->vram, 0xa5, GART_VISIBLE);
	pdev->hw = gt->card->hw;
	pdev->chip = pddgpu_chip_init(&pdev->drm, pdev->hw);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev->chip);
	pddgpu_kunit_seed(test, &gt->rnd);
	return gt;
}

static void gart_expect_all(struct kunit *test, struct gart_test *gt)
{
	struct pddgpu_kunit_walk walk;
	u64 page;

	for (page = 0; page < gt->pages; page++) {
		u64 expect = gt->expect[page], got;

		pddgpu_kunit_card_walk(gt->card, PDDGPU_KUNIT_GTT_START + (page << PAGE_SHIFT),
				       &walk);
		got = walk.fault ? 0 : walk.addr | (walk.entry & (PDDGPU_PTE_VALID |
				       PDDGPU_PTE_WRITABLE | PDDGPU_PTE_SNOOPED |
				       PDDGPU_PTE_SYSTEM));
		if (!expect)
			expect = gt->dummy | PDDGPU_PTE_VALID | PDDGPU_PTE_SNOOPED |
				 PDDGPU_PTE_SYSTEM;
		if (got != expect) {
			KUNIT_FAIL(test, "page %llu: %#llx, not %#llx; fault %u at level %u",
				   page, got, expect, walk.fault, walk.level);
			return;
		}
	}
	/* Behind the end there is nothing */
	pddgpu_kunit_card_walk(gt->card, PDDGPU_KUNIT_GTT_START + (gt->pages << PAGE_SHIFT), &walk);
	KUNIT_EXPECT_NE(test, walk.fault, 0);
}

static struct gart_test *gart_begin(struct kunit *test, u64 gtt)
{
	struct gart_test *gt = gart_create(test, gtt);
	struct pddgpu_kunit_walk walk;

	gt->pages = gtt >> PAGE_SHIFT;
	gt->expect = vzalloc(array_size(gt->pages, sizeof(*gt->expect)));
	KUNIT_ASSERT_NOT_NULL(test, gt->expect);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, gart_test_fini, gt));
	gt->gart = pddgpu_gart_init(&gt->pdev->drm, gt->pdev->hw, gt->pdev->chip,
				    gt->pdev->vram_mgr);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, gt->gart);
	pddgpu_kunit_card_walk(gt->card, PDDGPU_KUNIT_GTT_START, &walk);
	KUNIT_ASSERT_EQ(test, walk.fault, 0);
	gt->dummy = walk.addr;
	return gt;
}

/* Nothing is bound: each page leads to the same page of zeros, which is read-only */
static void gart_test_empty(struct kunit *test)
{
	const u64 *size = test->param_value;
	struct gart_test *gt = gart_begin(test, *size);
	u64 tables = pddgpu_kunit_card_get(gt->card, PDDGPU_GART_TABLE_SIZE);
	struct pddgpu_kunit_walk walk;
	struct page *dummy;
	u64 next;

	gart_expect_all(test, gt);
	dummy = pfn_to_page(gt->dummy >> PAGE_SHIFT);
	KUNIT_EXPECT_TRUE(test, mem_is_zero(page_address(dummy), PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_reserved(gt->pdev->vram_mgr), tables);
	KUNIT_EXPECT_EQ(test, gt->card->flushes, 1);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(gt->card, PDDGPU_MC_GTT_CTRL),
			PDDGPU_MC_ENABLE);
	/* What the GiB has and the aperture has not is invalid, should a chip look */
	next = gt->card->gtt_size;
	gt->card->gtt_size = U64_MAX;
	for (; next & (SZ_1G - 1); next += SZ_2M) {
		pddgpu_kunit_card_walk(gt->card, PDDGPU_KUNIT_GTT_START + next, &walk);
		KUNIT_EXPECT_EQ(test, walk.fault, PDDGPU_FAULT_INVALID_ENTRY);
		KUNIT_EXPECT_EQ(test, walk.level, 2);
	}
	pddgpu_kunit_card_walk(gt->card, PDDGPU_KUNIT_GTT_START + next, &walk);
	KUNIT_EXPECT_EQ(test, walk.fault, PDDGPU_FAULT_INVALID_ENTRY);
	KUNIT_EXPECT_EQ(test, walk.level, 1);
}

static const u64 gart_sizes[] = { SZ_8M, SZ_1G - SZ_2M, SZ_1G, SZ_1G + SZ_2M };

static void gart_size_desc(const u64 *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%llu MiB", *size >> 20);
}

KUNIT_ARRAY_PARAM(gart_size, gart_sizes, gart_size_desc);

static int gart_init_error(struct pddgpu_device *pdev)
{
	return PTR_ERR_OR_ZERO(pddgpu_gart_init(&pdev->drm, pdev->hw, pdev->chip,
						pdev->vram_mgr));
}

/* Tables that do not fit, in any way */
static void gart_test_bad_chip(struct kunit *test)
{
	struct gart_test *gt = gart_create(test, SZ_8M);
	struct pddgpu_device *pdev = gt->pdev;
	u32 size = pdev->chip->gart_table_size;
	u64 start = pdev->chip->gtt_start, offset;

	KUNIT_EXPECT_EQ(test, size, 5 * PAGE_SIZE);
	pdev->chip->gart_table_size = size - 1;
	KUNIT_EXPECT_EQ(test, -EIO, gart_init_error(pdev));
	pdev->chip->gart_table_size = size;
	pdev->chip->gtt_start = start + SZ_2M;
	KUNIT_EXPECT_EQ(test, -EIO, gart_init_error(pdev));
	pdev->chip->gtt_start = start;
	KUNIT_EXPECT_EQ(test, pddgpu_vram_mgr_reserved(pdev->vram_mgr), 0);
	/* They must be visible, and all of that is taken */
	KUNIT_ASSERT_EQ(test, 0, pddgpu_vram_mgr_reserve(pdev->vram_mgr, GART_VISIBLE, PAGE_SIZE,
							 &offset));
	KUNIT_EXPECT_EQ(test, -ENOSPC, gart_init_error(pdev));
}

static void gart_test_no_answer(struct kunit *test)
{
	struct gart_test *gt = gart_create(test, SZ_8M);
	struct pddgpu_device *pdev = gt->pdev;

	gt->card->gone = true;
	KUNIT_EXPECT_EQ(test, -ENODEV, gart_init_error(pdev));
}

/* Made-up bus addresses in pieces: @most pages each, a large leaf's now and then */
static void gart_fill_sgt(struct kunit *test, struct gart_test *gt, struct gart_binding *it,
			  u32 pages, u32 most)
{
	struct scatterlist *sg;
	u32 left = pages, i, n;
	u64 addr;

	sg_free_table(&it->sgt);
	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&it->sgt, min(pages, 200u), GFP_KERNEL));
	for_each_sgtable_sg(&it->sgt, sg, i) {
		n = left <= 1 ? left : 1 + pddgpu_kunit_below(&gt->rnd, min(left, most));
		if (i + 1 == it->sgt.orig_nents)
			n = left;
		addr = (((u64)prandom_u32_state(&gt->rnd) << 20) ^ prandom_u32_state(&gt->rnd)) &
		       0x7ffffffffull;
		if (pddgpu_kunit_below(&gt->rnd, 2))
			addr &= ~0x1ffull;
		sg_dma_address(sg) = addr << PAGE_SHIFT;
		sg_dma_len(sg) = n << PAGE_SHIFT;
		left -= n;
		it->sgt.nents = i + 1;
		if (!left)
			break;
	}
	KUNIT_ASSERT_EQ(test, left, 0);
}

static u64 gart_flags(bool snooped)
{
	return PDDGPU_PTE_VALID | PDDGPU_PTE_WRITABLE | PDDGPU_PTE_SYSTEM |
	       (snooped ? PDDGPU_PTE_SNOOPED : 0);
}

/* Into the model: page after page, as the list has them */
static void gart_model_bind(struct gart_test *gt, struct gart_binding *it, bool snooped)
{
	struct scatterlist *sg;
	u32 done = 0, i, n;

	for_each_sgtable_dma_sg(&it->sgt, sg, i) {
		for (n = 0; n < sg_dma_len(sg) >> PAGE_SHIFT && done < it->pages; n++)
			gt->expect[it->first + done++] =
				(sg_dma_address(sg) + ((u64)n << PAGE_SHIFT)) | gart_flags(snooped);
	}
	it->bound = true;
}

static void gart_model_unbind(struct gart_test *gt, struct gart_binding *it)
{
	memset(&gt->expect[it->first], 0, it->pages * sizeof(*gt->expect));
	it->bound = false;
}

static void gart_bind(struct kunit *test, struct gart_test *gt, struct gart_binding *it,
		      u64 first, u32 pages, bool snooped)
{
	u64 generation = pddgpu_gart_generation(gt->gart);

	it->first = first;
	it->pages = pages;
	KUNIT_ASSERT_EQ(test, 0, pddgpu_gart_bind_sgt(gt->gart, &it->binding, first, &it->sgt,
						      pages, snooped));
	KUNIT_EXPECT_GT(test, pddgpu_gart_generation(gt->gart), generation);
	gart_model_bind(gt, it, snooped);
}

static void gart_unbind(struct kunit *test, struct gart_test *gt, struct gart_binding *it)
{
	u64 generation = pddgpu_gart_generation(gt->gart);

	pddgpu_gart_unbind(gt->gart, &it->binding);
	KUNIT_EXPECT_GT(test, pddgpu_gart_generation(gt->gart), generation);
	gart_model_unbind(gt, it);
}

/* First and last page, a whole leaf, one that almost is, across tables and a GiB */
static void gart_test_edges(struct kunit *test)
{
	static const struct { u64 first; u32 pages; u64 addr; bool leaf; } cases[] = {
		{ 0, 1, 0x1000, false },
		{ 511, 2, 0x200000, false },
		{ 512, 512, 0x40000000, true },
		{ 512, 512, 0x40001000, false },
		{ 512, 511, 0x40000000, false },
		{ 513, 512, 0x40000000, false },
		{ 1024, 1536, 0x7ffffff00000, false },
		{ 1024, 1536, 0x7fffff000000, true },
		{ 1000, 2000, 0xffffff000, false },
		{ 262143, 2, 0xffffffffff000, false },
		{ 261632, 1024, 0x8000000000000, true },
		{ 262144 + 511, 1, 0x123000, false },
		{ 262144, 512, 0, true },
		{ 0, 262144 + 512, 0x100000000, true },
	};
	struct gart_test *gt = gart_begin(test, SZ_1G + SZ_2M);
	struct gart_binding *it = &gt->binding[0];
	struct pddgpu_kunit_walk walk;
	size_t i;

	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&it->sgt, 1, GFP_KERNEL));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The last one ends at the last page that an entry can name */
		u64 addr = min(cases[i].addr, BIT_ULL(52) - ((u64)cases[i].pages << PAGE_SHIFT));

		sg_dma_address(it->sgt.sgl) = addr;
		sg_dma_len(it->sgt.sgl) = cases[i].pages << PAGE_SHIFT;
		gart_bind(test, gt, it, cases[i].first, cases[i].pages, i & 1);
		gart_expect_all(test, gt);
		pddgpu_kunit_card_walk(gt->card, PDDGPU_KUNIT_GTT_START +
				       (cases[i].first << PAGE_SHIFT), &walk);
		KUNIT_EXPECT_EQ_MSG(test, walk.level == 2, cases[i].leaf, "case %zu", i);
		gart_unbind(test, gt, it);
		gart_expect_all(test, gt);
	}
}

/* What cannot be bound changes nothing */
static void gart_test_refused(struct kunit *test)
{
	static const struct { u64 addr; u64 first; u32 len; u32 pages; } bad[] = {
		{ 0x1000, 2048, 0x1000, 1 },
		{ 0x1000, 2049, 0x1000, 1 },
		{ 0x1000, U64_MAX, 0x1000, 1 },
		{ 0x1000, 2047, 0x2000, 2 },
		{ 0x1000, 0, 0x801000, 2049 },
		{ 0x1000, 0, 0x1000, 2 },
		{ 0x1001, 0, 0x1000, 1 },
		{ 0x1000, 0, 0x1001, 1 },
		{ 0x1000, 0, 0x0800, 1 },
		{ 1ull << 52, 0, 0x1000, 1 },
		{ (1ull << 52) - 0x1000, 0, 0x2000, 2 },
		{ 1ull << 63, 0, 0x1000, 1 },
	};
	struct gart_test *gt = gart_begin(test, SZ_8M);
	struct gart_binding *it = &gt->binding[0];
	u64 generation = pddgpu_gart_generation(gt->gart);
	size_t i;

	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&it->sgt, 1, GFP_KERNEL));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		sg_dma_address(it->sgt.sgl) = bad[i].addr;
		sg_dma_len(it->sgt.sgl) = bad[i].len;
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    pddgpu_gart_bind_sgt(gt->gart, &it->binding, bad[i].first,
							 &it->sgt, bad[i].pages, true),
				    "case %zu", i);
		KUNIT_EXPECT_NULL(test, it->binding.sgt);
	}
	gart_expect_all(test, gt);
	/* Nor does it change anything to unbind what is not bound */
	pddgpu_gart_unbind(gt->gart, &it->binding);
	KUNIT_EXPECT_EQ(test, pddgpu_gart_generation(gt->gart), generation);
	/* More addresses than are asked for are no error; they are left alone */
	sg_dma_address(it->sgt.sgl) = 0x200000;
	sg_dma_len(it->sgt.sgl) = SZ_4M;
	gart_bind(test, gt, it, 512, 513, true);
	gart_expect_all(test, gt);
	gart_unbind(test, gt, it);
	gart_expect_all(test, gt);
}

static bool gart_is_free(struct gart_test *gt, u64 first, u32 pages)
{
	while (pages--) {
		if (gt->expect[first++])
			return false;
	}
	return true;
}

static void gart_test_random(struct kunit *test)
{
	struct gart_test *gt = gart_begin(test, SZ_64M);
	u32 i, bound = 0;

	for (i = 0; i < 2000; i++) {
		struct gart_binding *it = &gt->binding[pddgpu_kunit_below(&gt->rnd,
									  GART_BINDINGS)];
		u32 pages = 1 + pddgpu_kunit_below(&gt->rnd, pddgpu_kunit_below(&gt->rnd, 3) ?
						   100 : 3000);
		u64 first = pddgpu_kunit_below(&gt->rnd, gt->pages - pages + 1);

		if (pddgpu_kunit_below(&gt->rnd, 2))
			first &= ~(GART_LEAF - 1ull);
		if (it->bound) {
			gart_unbind(test, gt, it);
		} else if (gart_is_free(gt, first, pages)) {
			gart_fill_sgt(test, gt, it, pages, i & 1 ? 8 : 2000);
			gart_bind(test, gt, it, first, pages, pddgpu_kunit_below(&gt->rnd, 2));
			bound++;
		}
		if (!(i % 20))
			gart_expect_all(test, gt);
	}
	KUNIT_EXPECT_GT(test, bound, 100);
	for (i = 0; i < GART_BINDINGS; i++) {
		if (gt->binding[i].bound)
			gart_unbind(test, gt, &gt->binding[i]);
	}
	gart_expect_all(test, gt);
}

#define GART_PAGES	64

static void gart_free_pages(void *data)
{
	struct page **pages = data;
	u32 i;

	for (i = 0; i < GART_PAGES; i++) {
		if (pages[i])
			__free_page(pages[i]);
	}
}

static struct page **gart_alloc_pages(struct kunit *test)
{
	struct page **pages = kunit_kcalloc(test, GART_PAGES, sizeof(*pages), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, gart_free_pages, pages));
	for (i = 0; i < GART_PAGES; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, pages[i]);
	}
	return pages;
}

/* System pages, in any order; the driver finds them again by their address */
static void gart_test_pages(struct kunit *test)
{
	struct gart_test *gt = gart_begin(test, SZ_8M);
	struct gart_binding *it = &gt->binding[0];
	struct page **pages = gart_alloc_pages(test);
	u64 entries[PDDGPU_GART_LEVELS], at = PDDGPU_KUNIT_GTT_START + 100 * PAGE_SIZE;
	u32 i, other;

	for (i = GART_PAGES - 1; i; i--) {
		other = pddgpu_kunit_below(&gt->rnd, i + 1);
		swap(pages[i], pages[other]);
	}
	it->first = 100;
	it->pages = GART_PAGES;
	KUNIT_ASSERT_EQ(test, 0, pddgpu_gart_bind_pages(gt->gart, &it->binding, 100, pages,
							GART_PAGES, true));
	for (i = 0; i < GART_PAGES; i++) {
		gt->expect[100 + i] = page_to_phys(pages[i]) | gart_flags(true);
		KUNIT_EXPECT_PTR_EQ(test, pddgpu_gart_page(gt->gart, at + i * PAGE_SIZE),
				    pages[i]);
		KUNIT_EXPECT_EQ(test, pddgpu_gart_read_entries(gt->gart, at + i * PAGE_SIZE,
							       entries), 3);
		KUNIT_EXPECT_EQ(test, entries[2], gt->expect[100 + i]);
	}
	gart_expect_all(test, gt);
	KUNIT_EXPECT_NULL(test, pddgpu_gart_page(gt->gart, at - 1));
	KUNIT_EXPECT_NULL(test, pddgpu_gart_page(gt->gart, at + GART_PAGES * PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, pddgpu_gart_page(gt->gart, PDDGPU_KUNIT_VRAM_START));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gart_read_entries(gt->gart, PDDGPU_KUNIT_GTT_START - 1,
							  entries));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_gart_read_entries(gt->gart, PDDGPU_KUNIT_GTT_START +
							  SZ_8M, entries));
	gart_unbind(test, gt, it);
	gart_expect_all(test, gt);
	KUNIT_EXPECT_NULL(test, pddgpu_gart_page(gt->gart, at));

	/* Another device's memory has no pages; and a leaf has two levels */
	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&it->sgt, 1, GFP_KERNEL));
	sg_dma_address(it->sgt.sgl) = SZ_64M;
	sg_dma_len(it->sgt.sgl) = SZ_2M;
	gart_bind(test, gt, it, 512, 512, false);
	KUNIT_EXPECT_NULL(test, pddgpu_gart_page(gt->gart, PDDGPU_KUNIT_GTT_START + SZ_2M));
	KUNIT_EXPECT_EQ(test, 2, pddgpu_gart_read_entries(gt->gart, PDDGPU_KUNIT_GTT_START + SZ_2M,
							  entries));
	KUNIT_EXPECT_EQ(test, entries[1], SZ_64M | PDDGPU_PTE_LEAF | gart_flags(false));
	gart_unbind(test, gt, it);
}

/* When the card is gone nothing is written, and nothing is kept */
static void gart_test_unplug(struct kunit *test)
{
	struct gart_test *gt = gart_begin(test, SZ_8M);
	struct page **pages = gart_alloc_pages(test);
	u64 generation;
	u32 i;

	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_EQ(test, 0, pddgpu_gart_bind_pages(gt->gart, &gt->binding[i].binding,
								i * 100, pages + i * 8, 8, true));
	generation = pddgpu_gart_generation(gt->gart);
	drm_dev_unplug(&gt->pdev->drm);
	pddgpu_gart_unbind(gt->gart, &gt->binding[0].binding);
	KUNIT_EXPECT_EQ(test, -ENODEV,
			pddgpu_gart_bind_pages(gt->gart, &gt->binding[0].binding, 0, pages, 8,
					       true));
	pddgpu_gart_unplug(gt->gart);
	pddgpu_gart_unplug(gt->gart);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_NULL(test, gt->binding[i].binding.sgt);
		KUNIT_EXPECT_NULL(test, pddgpu_gart_page(gt->gart, PDDGPU_KUNIT_GTT_START +
							 i * 100 * PAGE_SIZE));
		pddgpu_gart_unbind(gt->gart, &gt->binding[i].binding);
	}
	KUNIT_EXPECT_EQ(test, pddgpu_gart_generation(gt->gart), generation);
}

static struct kunit_case gart_test_cases[] = {
	KUNIT_CASE_PARAM(gart_test_empty, gart_size_gen_params),
	KUNIT_CASE(gart_test_bad_chip),
	KUNIT_CASE(gart_test_no_answer),
	KUNIT_CASE(gart_test_edges),
	KUNIT_CASE(gart_test_refused),
	KUNIT_CASE_SLOW(gart_test_random),
	KUNIT_CASE(gart_test_pages),
	KUNIT_CASE(gart_test_unplug),
	{}
};

static struct kunit_suite gart_test_suite = {
	.name = "pddgpu_gart",
	.test_cases = gart_test_cases,
};

kunit_test_suite(gart_test_suite);
