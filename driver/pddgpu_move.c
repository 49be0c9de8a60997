// SPDX-License-Identifier: GPL-2.0
/*
 * Moves go by the CPU, block by block, through the visible window: VRAM may be
 * scattered, so TTM's own linear copy would corrupt it.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/ttm/ttm_bo.h>

#include "pddgpu_bo.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_hw.h"
#include "pddgpu_leak.h"
#include "pddgpu_move.h"
#include "pddgpu_res_cursor.h"
#include "pddgpu_stats.h"
#include "pddgpu_ttm.h"
#include "pddgpu_vram_mgr.h"

/* Between two looks at whether somebody else wants the CPU */
#define PDDGPU_MOVE_CHUNK	SZ_1M

static bool pddgpu_move_reachable(struct ttm_resource *res)
{
	return to_pddgpu_vram_resource(res)->visible >= res->size;
}

static int pddgpu_move_clear(struct pddgpu_device *pdev, struct ttm_resource *res)
{
	void __iomem *vram = pddgpu_hw_vram(pdev->hw);
	struct pddgpu_res_cursor cur;

	if (!pddgpu_move_reachable(res))
		return -EINVAL;

	pddgpu_res_first(res, 0, res->size, &cur);
	while (cur.remaining) {
		u64 bytes = min_t(u64, cur.size, PDDGPU_MOVE_CHUNK);

		memset_io(vram + cur.offset, 0, bytes);
		pddgpu_res_next(&cur, bytes);
		cond_resched();
	}
	return 0;
}

static int pddgpu_move_copy_pages(struct pddgpu_device *pdev,
				  struct ttm_resource *res, struct ttm_tt *tt,
				  bool to_vram)
{
	void __iomem *vram = pddgpu_hw_vram(pdev->hw);
	struct pddgpu_res_cursor cur;
	u32 page;

	if (!pddgpu_move_reachable(res))
		return -EINVAL;

	/* Blocks are whole pages, so a page is never split */
	pddgpu_res_first(res, 0, res->size, &cur);
	for (page = 0; cur.remaining; page++) {
		void *mem = kmap_local_page(tt->pages[page]);

		if (to_vram)
			memcpy_toio(vram + cur.offset, mem, PAGE_SIZE);
		else
			memcpy_fromio(mem, vram + cur.offset, PAGE_SIZE);
		kunmap_local(mem);
		pddgpu_res_next(&cur, PAGE_SIZE);
		cond_resched();
	}
	return 0;
}

static int pddgpu_move_copy_vram(struct pddgpu_device *pdev,
				 struct ttm_resource *from, struct ttm_resource *to)
{
	void __iomem *vram = pddgpu_hw_vram(pdev->hw);
	struct pddgpu_res_cursor src, dst;
	void *bounce;

	if (!pddgpu_move_reachable(from) || !pddgpu_move_reachable(to))
		return -EINVAL;
	bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!bounce)
		return -ENOMEM;

	pddgpu_res_first(from, 0, from->size, &src);
	pddgpu_res_first(to, 0, to->size, &dst);
	while (src.remaining) {
		memcpy_fromio(bounce, vram + src.offset, PAGE_SIZE);
		memcpy_toio(vram + dst.offset, bounce, PAGE_SIZE);
		pddgpu_res_next(&src, PAGE_SIZE);
		pddgpu_res_next(&dst, PAGE_SIZE);
		cond_resched();
	}
	kfree(bounce);
	return 0;
}

/* System pages to VRAM: pages that never were are zeros, and so is swap. */
static int pddgpu_move_into_vram(struct pddgpu_device *pdev,
				 struct ttm_buffer_object *tbo,
				 struct ttm_operation_ctx *ctx,
				 struct ttm_resource *to)
{
	int ret;

	if (!ttm_tt_is_populated(tbo->ttm)) {
		if (!(tbo->ttm->page_flags & TTM_TT_FLAG_SWAPPED))
			return pddgpu_move_clear(pdev, to);
		ret = pddgpu_ttm_populate(tbo, ctx);
		if (ret)
			return ret;
	}
	return pddgpu_move_copy_pages(pdev, to, tbo->ttm, true);
}

static int pddgpu_move_out_of_vram(struct pddgpu_device *pdev,
				   struct ttm_buffer_object *tbo,
				   struct ttm_operation_ctx *ctx,
				   struct ttm_resource *to)
{
	int ret;

	/* TTM has populated the pages unless they go to SYSTEM */
	ret = pddgpu_ttm_populate(tbo, ctx);
	if (ret)
		return ret;
	ret = pddgpu_move_copy_pages(pdev, tbo->resource, tbo->ttm, false);
	if (!ret && to->mem_type == TTM_PL_TT)
		ret = pddgpu_ttm_bind(pdev, tbo, to);
	return ret;
}

/* Move content that is, or will be, in VRAM. */
static int pddgpu_move_content(struct pddgpu_device *pdev,
			       struct ttm_buffer_object *tbo,
			       struct ttm_operation_ctx *ctx,
			       struct ttm_resource *to)
{
	int ret, idx;

	if (!drm_dev_enter(&pdev->drm, &idx))
		return -ENODEV;

	if (!tbo->resource)
		ret = pddgpu_move_clear(pdev, to);
	else if (tbo->resource->mem_type != TTM_PL_VRAM)
		ret = pddgpu_move_into_vram(pdev, tbo, ctx, to);
	else if (to->mem_type == TTM_PL_VRAM)
		ret = pddgpu_move_copy_vram(pdev, tbo->resource, to);
	else
		ret = pddgpu_move_out_of_vram(pdev, tbo, ctx, to);

	drm_dev_exit(idx);
	if (ret)
		return ret;

	if (tbo->resource)
		ttm_bo_move_sync_cleanup(tbo, to);
	else
		ttm_bo_move_null(tbo, to);
	return 0;
}

/* The pages stay where they are: only their place in the aperture changes. */
static int pddgpu_move_address(struct pddgpu_device *pdev,
			       struct ttm_buffer_object *tbo,
			       struct ttm_resource *to)
{
	struct ttm_resource *from = tbo->resource;
	int ret;

	if (from && from->mem_type == TTM_PL_TT)
		pddgpu_ttm_unbind(pdev, tbo->ttm);
	if (to->mem_type == TTM_PL_TT) {
		ret = pddgpu_ttm_bind(pdev, tbo, to);
		if (ret) {
			/* Back to the old place; where even that fails the card is gone */
			if (from && from->mem_type == TTM_PL_TT)
				pddgpu_ttm_bind(pdev, tbo, from);
			return ret;
		}
	}
	ttm_bo_move_null(tbo, to);
	return 0;
}

/**
 * pddgpu_bo_move() - TTM's move callback
 * @tbo: the buffer, reserved; its resource is NULL at the first move
 * @evict: to make room for another buffer
 * @ctx: how to wait
 * @new_mem: where to; the buffer's own when it succeeds
 * @hop: not used: the CPU reaches everything in one go
 *
 * Return: 0, or an errno and the buffer is where it was: -EBUSY when it is
 * pinned, -ENOMEM, -ENODEV when the card is gone.
 */
int pddgpu_bo_move(struct ttm_buffer_object *tbo, bool evict,
		   struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
		   struct ttm_place *hop)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);
	bool first = !tbo->resource;
	bool content;
	u64 start;
	int ret;

	if (tbo->pin_count)
		return -EBUSY;
	/*
	 * The first placement touches nothing that others could be at work on.
	 * An imported buffer may be busy for long, and its importer holds locks
	 * that every creation wants.
	 */
	ret = first ? 0 : ttm_bo_wait_ctx(tbo, ctx);
	if (ret)
		return ret;

	content = new_mem->mem_type == TTM_PL_VRAM ||
		  (!first && tbo->resource->mem_type == TTM_PL_VRAM);
	start = pddgpu_memory_stats_move_start(pdev->stats);
	if (content)
		ret = pddgpu_move_content(pdev, tbo, ctx, new_mem);
	else
		ret = pddgpu_move_address(pdev, tbo, new_mem);

	/* The first placement is part of the allocation, not a move */
	if (!first) {
		pddgpu_memory_stats_move_end(pdev->stats, start, tbo->base.size,
					     evict, ret);
		if (!ret)
			pddgpu_leak_set_domain(pdev->leaks, &bo->leak,
					       pddgpu_bo_domain(new_mem));
	}
	return ret;
}

/**
 * pddgpu_move_access_vram() - read or write a buffer's VRAM by the CPU
 * @pdev: the device, inside drm_dev_enter()
 * @res: a resource of the VRAM manager; the buffer is reserved
 * @offset: byte of the buffer
 * @buf: the other side
 * @len: bytes; @offset + @len lies within the buffer
 * @write: to VRAM
 *
 * Return: 0, or -EINVAL where the CPU does not reach.
 */
int pddgpu_move_access_vram(struct pddgpu_device *pdev, struct ttm_resource *res,
			    u64 offset, void *buf, u64 len, bool write)
{
	void __iomem *vram = pddgpu_hw_vram(pdev->hw);
	struct pddgpu_res_cursor cur;

	if (!pddgpu_move_reachable(res))
		return -EINVAL;

	pddgpu_res_first(res, offset, len, &cur);
	while (cur.remaining) {
		u64 bytes = cur.size;

		if (write)
			memcpy_toio(vram + cur.offset, buf, bytes);
		else
			memcpy_fromio(buf, vram + cur.offset, bytes);
		buf += bytes;
		pddgpu_res_next(&cur, bytes);
	}
	return 0;
}
