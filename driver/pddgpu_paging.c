// SPDX-License-Identifier: GPL-2.0
/*
 * The window has two halves. While the engine copies through one of them, the
 * pages of the next chunk are mapped in the other, so that both halves of the
 * way overlap.
 */
#include <linux/bitmap.h>
#include <linux/dma-fence.h>
#include <linux/mutex.h>
#include <linux/sizes.h>

#include <drm/drm_managed.h>
#include <drm/ttm/ttm_tt.h>

#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_gart.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_job.h"
#include "pddgpu_move.h"
#include "pddgpu_paging.h"
#include "pddgpu_wait.h"
#include "pddgpu_walk.h"

#define PDDGPU_PAGING_HALVES	2
#define PDDGPU_PAGING_CHUNK	SZ_2M
#define PDDGPU_PAGING_PAGES	(PDDGPU_PAGING_CHUNK >> PAGE_SHIFT)

/**
 * struct pddgpu_paging_half - a half of the window
 */
struct pddgpu_paging_half {
	/** @binding: the pages in it */
	struct pddgpu_gart_binding binding;
	/** @fence: who uses it, with a reference; or NULL */
	struct dma_fence *fence;
};

/**
 * struct pddgpu_paging - the window
 */
struct pddgpu_paging {
	/** @lock: one buffer at a time; taken after reservations, sleeps */
	struct mutex lock;
	/** @first_page: where it lies in the aperture; constant */
	u64 first_page;
	/** @half: its halves, under @lock */
	struct pddgpu_paging_half half[PDDGPU_PAGING_HALVES];
};

/**
 * pddgpu_paging_init() - take the window out of the aperture
 * @pdev: the device, with its GTT manager
 *
 * Return: 0 or an errno; ended with the DRM device.
 */
int pddgpu_paging_init(struct pddgpu_device *pdev)
{
	struct pddgpu_paging *paging;
	int ret;

	paging = drmm_kzalloc(&pdev->drm, sizeof(*paging), GFP_KERNEL);
	if (!paging)
		return -ENOMEM;
	ret = drmm_mutex_init(&pdev->drm, &paging->lock);
	if (ret)
		return ret;
	ret = pddgpu_gtt_mgr_reserve(pdev->gtt_mgr, PDDGPU_PAGING_HALVES * PDDGPU_PAGING_PAGES,
				     PDDGPU_PAGING_PAGES, &paging->first_page);
	if (ret)
		return ret;
	pdev->paging = paging;
	return 0;
}

/* Wait until nobody uses a half, and empty it. */
static int pddgpu_paging_empty(struct pddgpu_device *pdev, struct pddgpu_paging_half *half)
{
	int ret = 0;

	if (half->fence) {
		pddgpu_wait_fence(pdev, half->fence, false);
		ret = half->fence->error;
		dma_fence_put(half->fence);
		half->fence = NULL;
	}
	pddgpu_gart_unbind(pdev->gart, &half->binding);
	return ret;
}

static int pddgpu_paging_empty_all(struct pddgpu_device *pdev)
{
	int ret = 0, end;
	u32 i;

	for (i = 0; i < PDDGPU_PAGING_HALVES; i++) {
		end = pddgpu_paging_empty(pdev, &pdev->paging->half[i]);
		if (!ret)
			ret = end;
	}
	return ret;
}

static int pddgpu_paging_chunk(struct pddgpu_device *pdev, u32 index,
			       struct ttm_resource *vram, struct ttm_tt *tt,
			       u64 done, u64 bytes, bool to_vram)
{
	struct pddgpu_paging_half *half = &pdev->paging->half[index];
	u64 page = pdev->paging->first_page + index * PDDGPU_PAGING_PAGES;
	u64 window = pdev->chip->gtt_start + (page << PAGE_SHIFT);
	struct pddgpu_walk walk;
	struct pddgpu_batch batch;
	u64 left = bytes;
	int ret;

	ret = pddgpu_paging_empty(pdev, half);
	if (ret)
		return ret;
	ret = pddgpu_gart_bind_pages(pdev->gart, &half->binding, page,
				     tt->pages + (done >> PAGE_SHIFT),
				     bytes >> PAGE_SHIFT, tt->caching == ttm_cached);
	if (ret)
		return ret;

	ret = pddgpu_move_batch_begin(pdev, &batch);
	if (ret)
		return ret;
	pddgpu_walk_first(pdev, vram, done, bytes, &walk);
	while (left && !ret) {
		u64 piece = walk.size;

		ret = pddgpu_batch_copy(&batch, to_vram ? walk.addr : window,
					to_vram ? window : walk.addr, piece);
		pddgpu_walk_next(&walk, piece);
		window += piece;
		left -= piece;
	}
	half->fence = pddgpu_move_batch_end(pdev, &batch, ret);
	return ret;
}

/**
 * pddgpu_paging_copy() - copy between VRAM and system pages
 * @pdev: the device, inside drm_dev_enter()
 * @vram: a resource of the VRAM manager
 * @tt: the pages, populated, as many
 * @to_vram: which way
 *
 * Nobody else uses either. Done when it returns; takes the window's lock.
 *
 * Return: 0 or an errno, and then the copy is to be made in another way.
 */
int pddgpu_paging_copy(struct pddgpu_device *pdev, struct ttm_resource *vram,
		       struct ttm_tt *tt, bool to_vram)
{
	struct pddgpu_paging *paging = pdev->paging;
	u64 done = 0;
	u32 index = 0;
	int ret = 0, end;

	mutex_lock(&paging->lock);
	while (done < vram->size && !ret) {
		u64 bytes = min_t(u64, vram->size - done, PDDGPU_PAGING_CHUNK);

		ret = pddgpu_paging_chunk(pdev, index, vram, tt, done, bytes, to_vram);
		done += bytes;
		index = (index + 1) % PDDGPU_PAGING_HALVES;
	}
	end = pddgpu_paging_empty_all(pdev);
	mutex_unlock(&paging->lock);
	return ret ?: end;
}

/*
 * Copy through a half what begins at @first, up to a chunk of pages. Returns how
 * many there were, and moves @first behind them.
 */
static int pddgpu_paging_set_chunk(struct pddgpu_device *pdev, u32 index,
				   const struct pddgpu_paging_set *set, u64 done,
				   unsigned long *first, bool to_vram)
{
	struct pddgpu_paging_half *half = &pdev->paging->half[index];
	u64 page = pdev->paging->first_page + index * PDDGPU_PAGING_PAGES;
	u64 window = pdev->chip->gtt_start + (page << PAGE_SHIFT);
	unsigned long from = *first, end, count = 0;
	struct pddgpu_batch batch;
	int ret;

	for (; count < PDDGPU_PAGING_PAGES; count++, from++) {
		from = find_next_bit(set->used, set->end, from);
		if (from >= set->end)
			break;
	}
	ret = pddgpu_paging_empty(pdev, half);
	if (ret || !count)
		return ret;
	ret = pddgpu_gart_bind_pages(pdev->gart, &half->binding, page, set->pages + done,
				     count, true);
	if (!ret)
		ret = pddgpu_move_batch_begin(pdev, &batch);
	if (ret)
		return ret;

	for (from = find_next_bit(set->used, set->end, *first), done = 0;
	     done < count && !ret; from = find_next_bit(set->used, set->end, end)) {
		u64 vram = pdev->chip->vram_start + ((u64)from << PAGE_SHIFT);
		u64 bytes;

		end = find_next_zero_bit(set->used, min(set->end, from + count - done), from);
		bytes = (u64)(end - from) << PAGE_SHIFT;
		ret = pddgpu_batch_copy(&batch, to_vram ? vram : window,
					to_vram ? window : vram, bytes);
		window += bytes;
		done += end - from;
		*first = end;
	}
	half->fence = pddgpu_move_batch_end(pdev, &batch, ret);
	return ret ?: count;
}

/**
 * pddgpu_paging_copy_set() - copy between pages of VRAM and system pages
 * @pdev: the device, inside drm_dev_enter()
 * @set: which
 * @to_vram: which way
 *
 * Nobody else uses either. Done when it returns; takes the window's lock.
 *
 * Return: 0 or an errno, and then the copy is to be made in another way.
 */
int pddgpu_paging_copy_set(struct pddgpu_device *pdev,
			   const struct pddgpu_paging_set *set, bool to_vram)
{
	struct pddgpu_paging *paging = pdev->paging;
	unsigned long first = 0;
	u64 done = 0;
	u32 index = 0;
	int ret, end;

	mutex_lock(&paging->lock);
	do {
		ret = pddgpu_paging_set_chunk(pdev, index, set, done, &first, to_vram);
		if (ret > 0)
			done += ret;
		index = (index + 1) % PDDGPU_PAGING_HALVES;
	} while (ret > 0);
	end = pddgpu_paging_empty_all(pdev);
	mutex_unlock(&paging->lock);
	return ret ?: end;
}
