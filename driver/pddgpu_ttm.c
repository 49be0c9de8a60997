// SPDX-License-Identifier: GPL-2.0
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_pool.h>

#include "pddgpu_bo.h"
#include "pddgpu_bo_evidence.h"
#include "pddgpu_bo_trace.h"
#include "pddgpu_compat.h"
#include "pddgpu_copy.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_file.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_hw.h"
#include "pddgpu_leak.h"
#include "pddgpu_move.h"
#include "pddgpu_res_cursor.h"
#include "pddgpu_room.h"
#include "pddgpu_stats.h"
#include "pddgpu_swap.h"
#include "pddgpu_ttm.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_wait.h"

static struct ttm_tt *pddgpu_ttm_tt_create(struct ttm_buffer_object *tbo,
					   uint32_t page_flags)
{
	enum ttm_caching caching = ttm_cached;
	struct pddgpu_tt *tt;
	int ret;

	tt = kzalloc(sizeof(*tt), GFP_KERNEL);
	if (!tt)
		return NULL;

	if (to_pddgpu_bo(tbo)->flags & PDDGPU_GEM_CREATE_CPU_GTT_USWC)
		caching = ttm_write_combined;

	/* Bus addresses are the binding's: no array of them is wanted here */
	if (page_flags & TTM_TT_FLAG_EXTERNAL)
		ret = ttm_sg_tt_init(&tt->base, tbo, page_flags, caching);
	else
		ret = ttm_tt_init(&tt->base, tbo, page_flags, caching, 0);
	if (ret) {
		kfree(tt);
		return NULL;
	}
	return &tt->base;
}

/* Pages, and where they would be too many, pages that others give up for them */
static int pddgpu_ttm_get_pages(struct pddgpu_device *pdev, struct ttm_tt *tt,
				struct ttm_operation_ctx *ctx)
{
	u64 bytes = (u64)tt->num_pages << PAGE_SHIFT;
	int ret;

	/* Fail rather than wake the OOM killer for a user's request */
	ctx->gfp_retry_mayfail = true;
	for (;;) {
		ret = pddgpu_swap_charge(pdev, bytes);
		if (!ret) {
			ret = ttm_pool_alloc(&pdev->ttm.pool, tt, ctx);
			if (!ret)
				return 0;
			pddgpu_swap_uncharge(pdev, bytes);
		}
		if (ret == -ENOMEM)
			ret = pddgpu_swap_out_some(pdev, ctx);
		if (ret)
			return ret;
		/* Others may take what is swapped out for this, for ever */
		if (fatal_signal_pending(current))
			return ctx->interruptible ? -ERESTARTSYS : -ENOMEM;
	}
}

static int pddgpu_ttm_tt_populate(struct ttm_device *ttm, struct ttm_tt *tt,
				  struct ttm_operation_ctx *ctx)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(ttm);
	int ret, idx;

	if (tt->page_flags & TTM_TT_FLAG_EXTERNAL)
		return 0;
	if (!drm_dev_enter(&pdev->drm, &idx))
		return -ENODEV;
	ret = pddgpu_ttm_get_pages(pdev, tt, ctx);
	if (!ret)
		pddgpu_swap_populated(pdev, to_pddgpu_tt(tt));
	drm_dev_exit(idx);
	return ret;
}

static void pddgpu_ttm_tt_unpopulate(struct ttm_device *ttm, struct ttm_tt *tt)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(ttm);

	pddgpu_ttm_unbind(pdev, tt);
	if (tt->page_flags & TTM_TT_FLAG_EXTERNAL)
		return;
	ttm_pool_free(&ttm->pool, tt);
	pddgpu_swap_uncharge(pdev, (u64)tt->num_pages << PAGE_SHIFT);
	pddgpu_swap_unpopulated(pdev, to_pddgpu_tt(tt));
}

static void pddgpu_ttm_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	pddgpu_ttm_unbind(ttm_to_pddgpu(ttm), tt);
	pddgpu_swap_destroyed(ttm_to_pddgpu(ttm), to_pddgpu_tt(tt));
	ttm_tt_fini(tt);
	kfree(to_pddgpu_tt(tt));
}

/* Would a buffer get pages, if others have to go to swap for them? */
static bool pddgpu_ttm_has_pages(struct pddgpu_device *pdev, u64 bytes)
{
	return pddgpu_swap_has_pages(pdev, bytes) || pddgpu_swap_has_room(pdev, bytes);
}

static bool pddgpu_ttm_has_room(struct pddgpu_device *pdev,
				const struct pddgpu_bo *bo)
{
	u64 size = bo->tbo.base.size;

	if (!pddgpu_ttm_has_pages(pdev, size))
		return false;
	if (bo->domains & PDDGPU_GEM_DOMAIN_CPU)
		return true;
	/* Those in the aperture that are in the way can go to swap */
	return pddgpu_swap_has_room(pdev, size) ||
	       pddgpu_gtt_mgr_has_room(pdev->gtt_mgr, PFN_UP(size),
				       bo->tbo.page_alignment);
}

static u32 pddgpu_ttm_visible_pages(struct pddgpu_device *pdev)
{
	return pddgpu_vram_mgr_visible_size(pdev->vram_mgr) >> PAGE_SHIFT;
}

/*
 * Could a buffer give up the visible part of VRAM for the invisible one? One that is to be
 * in one piece might not be any more, and where it has to go if there is no such piece is
 * not known before.
 */
static bool pddgpu_ttm_can_hide(struct pddgpu_device *pdev, const struct pddgpu_bo *bo)
{
	return !(bo->flags & (PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED |
			      PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS)) &&
	       !pddgpu_engine_lost(pdev->engine[PDDGPU_ENGINE_PAGING]) &&
	       to_pddgpu_vram_resource(bo->tbo.resource)->visible &&
	       pddgpu_vram_mgr_invisible_free(pdev->vram_mgr) >= bo->tbo.base.size;
}

/* A place of the driver's own has an end; TTM's, for swapping out, has none. */
static bool pddgpu_ttm_place_is_swap(const struct ttm_place *place)
{
	return !place->lpfn;
}

/*
 * A buffer stays within its own set of domains: one that may live nowhere else
 * is no use to evict, nor one for which there is no room where it may go. But
 * where it has system pages it may be swapped out while swap has room; to lose
 * its place in the aperture is the first half of that.
 */
static bool pddgpu_ttm_eviction_valuable(struct ttm_buffer_object *tbo,
					 const struct ttm_place *place)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	const struct pddgpu_bo *bo = to_pddgpu_bo(tbo);

	/*
	 * Before TTM has put its own reference a ghost looks like a buffer that
	 * could be moved, but the driver has nothing of it; soon it is deleted.
	 */
	if (!tbo->deleted && !pddgpu_bo_is_ours(tbo))
		return false;
	if (tbo->deleted)
		return ttm_bo_eviction_valuable(tbo, place);
	/* Without the card nothing comes back from swap, and mappings still read it */
	if (pddgpu_ttm_place_is_swap(place) && drm_dev_is_unplugged(&pdev->drm))
		return false;

	switch (tbo->resource->mem_type) {
	case TTM_PL_SYSTEM:
		if (!pddgpu_swap_has_room(pdev, tbo->base.size))
			return false;
		pddgpu_room_evicts(pdev);
		break;
	case TTM_PL_VRAM:
		if (pddgpu_ttm_can_hide(pdev, bo) &&
		    place->lpfn <= pddgpu_ttm_visible_pages(pdev))
			break;
		/* It would fail, and that would end the search */
		if (pddgpu_engine_lost(pdev->engine[PDDGPU_ENGINE_PAGING]) &&
		    !pddgpu_bo_is_visible(bo))
			return false;
		if (!(bo->domains & (PDDGPU_GEM_DOMAIN_GTT | PDDGPU_GEM_DOMAIN_CPU)) ||
		    !pddgpu_ttm_has_room(pdev, bo))
			return false;
		break;
	case TTM_PL_TT:
		if (pddgpu_swap_has_room(pdev, tbo->base.size)) {
			pddgpu_room_evicts(pdev);
			break;
		}
		/* Its pages stay: a place alone helps only who can have pages too */
		if (!(bo->domains & PDDGPU_GEM_DOMAIN_CPU) ||
		    pddgpu_ttm_place_is_swap(place) ||
		    !pddgpu_swap_has_pages(pdev, tbo->base.size))
			return false;
		break;
	}
	return ttm_bo_eviction_valuable(tbo, place);
}

/**
 * struct pddgpu_evict - where victims go, in order
 *
 * TTM keeps a pointer, so they outlive the call. In each the first place is the
 * invisible part of VRAM, for those who need not be visible.
 */
struct pddgpu_evict {
	/** @nowhere: nowhere else: the buffer may live in VRAM alone */
	struct ttm_place nowhere[1];
	/** @whole: the same for one that is to be in one piece */
	struct ttm_place whole[1];
	/** @gtt: to the aperture */
	struct ttm_place gtt[2];
	/** @system: to pages without a place in it */
	struct ttm_place system[2];
	/** @anywhere: where the whole of VRAM is emptied, domains don't count */
	struct ttm_place anywhere[3];
};

/**
 * pddgpu_ttm_init_evict() - say where victims go
 * @pdev: the device, with its managers, and without buffers
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_ttm_init_evict(struct pddgpu_device *pdev)
{
	const struct ttm_place hidden = {
		.mem_type = TTM_PL_VRAM,
		.fpfn = pddgpu_ttm_visible_pages(pdev),
		.lpfn = pddgpu_vram_mgr_size(pdev->vram_mgr) >> PAGE_SHIFT,
	};
	const struct ttm_place gtt = {
		.mem_type = TTM_PL_TT,
		.lpfn = PDDGPU_BO_PLACE_END,
	};
	const struct ttm_place system = {
		.mem_type = TTM_PL_SYSTEM,
		.flags = TTM_PL_FLAG_FALLBACK,
	};
	struct pddgpu_evict *evict;

	evict = drmm_kzalloc(&pdev->drm, sizeof(*evict), GFP_KERNEL);
	if (!evict)
		return -ENOMEM;
	evict->nowhere[0] = hidden;
	evict->whole[0] = hidden;
	evict->whole[0].flags = TTM_PL_FLAG_CONTIGUOUS;
	evict->gtt[0] = hidden;
	evict->gtt[1] = gtt;
	evict->system[0] = hidden;
	evict->system[1] = system;
	evict->system[1].flags = 0;
	evict->anywhere[0] = hidden;
	evict->anywhere[1] = gtt;
	evict->anywhere[2] = system;
	pdev->evict = evict;
	return 0;
}

static void pddgpu_ttm_evict_flags(struct ttm_buffer_object *tbo,
				   struct ttm_placement *placement)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	const struct pddgpu_evict *evict = pdev->evict;
	bool ours = pddgpu_bo_is_ours(tbo);
	u32 domains = ours ? to_pddgpu_bo(tbo)->domains : 0;

	pddgpu_room_evicts(pdev);
	placement->placement = &evict->system[1];
	placement->num_placement = 1;
	if (tbo->resource->mem_type != TTM_PL_VRAM)
		return;

	switch (domains & PDDGPU_GEM_DOMAIN_MASK) {
	case PDDGPU_GEM_DOMAIN_VRAM | PDDGPU_GEM_DOMAIN_GTT:
		placement->placement = &evict->gtt[1];
		break;
	case PDDGPU_GEM_DOMAIN_VRAM | PDDGPU_GEM_DOMAIN_CPU:
		break;
	default:
		placement->placement = &evict->anywhere[1];
		placement->num_placement = 2;
		break;
	}
	/* The place before them */
	if (ours && pddgpu_ttm_can_hide(pdev, to_pddgpu_bo(tbo))) {
		placement->placement--;
		placement->num_placement++;
	}
	/* Also when others have just taken the room there: it stays, then */
	if (domains == PDDGPU_GEM_DOMAIN_VRAM &&
	    evict->nowhere[0].fpfn < evict->nowhere[0].lpfn) {
		placement->placement =
			to_pddgpu_bo(tbo)->flags & PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS ?
			evict->whole : evict->nowhere;
		placement->num_placement = 1;
	}
}

static void pddgpu_ttm_swap_notify(struct ttm_buffer_object *tbo)
{
	if (pddgpu_bo_is_ours(tbo))
		pddgpu_swap_began(ttm_to_pddgpu(tbo->bdev), tbo);
}

static void pddgpu_ttm_release_notify(struct ttm_buffer_object *tbo)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);

	if (!pddgpu_bo_is_ours(tbo) || !bo->created)
		return;
	bo->free_start = pddgpu_memory_stats_free_start(pdev->stats);
	pddgpu_bo_trace_freed(bo, pddgpu_leak_zombie(pdev->leaks, &bo->leak));
}

static int pddgpu_ttm_io_mem_reserve(struct ttm_device *ttm,
				     struct ttm_resource *res)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(ttm);

	if (res->mem_type != TTM_PL_VRAM)
		return 0;
	if (to_pddgpu_vram_resource(res)->visible < res->size)
		return -EINVAL;

	/* Right for all of it only where it is one range; see io_mem_pfn */
	res->bus.offset = pddgpu_hw_vram_phys(pdev->hw) +
			  ((u64)res->start << PAGE_SHIFT);
	res->bus.is_iomem = true;
	res->bus.caching = ttm_write_combined;
	return 0;
}

static unsigned long pddgpu_ttm_io_mem_pfn(struct ttm_buffer_object *tbo,
					   unsigned long page)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	struct pddgpu_res_cursor cur;

	pddgpu_res_first(tbo->resource, (u64)page << PAGE_SHIFT, PAGE_SIZE, &cur);
	return (pddgpu_hw_vram_phys(pdev->hw) + cur.offset) >> PAGE_SHIFT;
}

static const struct ttm_device_funcs pddgpu_ttm_funcs = {
	.ttm_tt_create = pddgpu_ttm_tt_create,
	.ttm_tt_populate = pddgpu_ttm_tt_populate,
	.ttm_tt_unpopulate = pddgpu_ttm_tt_unpopulate,
	.ttm_tt_destroy = pddgpu_ttm_tt_destroy,
	.eviction_valuable = pddgpu_ttm_eviction_valuable,
	.evict_flags = pddgpu_ttm_evict_flags,
	.move = pddgpu_bo_trace_move,
	.swap_notify = pddgpu_ttm_swap_notify,
	.release_notify = pddgpu_ttm_release_notify,
	.io_mem_reserve = pddgpu_ttm_io_mem_reserve,
	.io_mem_pfn = pddgpu_ttm_io_mem_pfn,
};

static void pddgpu_ttm_fini(struct drm_device *drm, void *arg)
{
	ttm_device_fini(arg);
}

/**
 * pddgpu_ttm_init() - start TTM on the device
 * @pdev: the device
 *
 * Return: 0 or an errno; ended with the DRM device.
 */
int pddgpu_ttm_init(struct pddgpu_device *pdev)
{
	int ret;

	ret = pddgpu_ttm_device_init(&pdev->ttm, &pddgpu_ttm_funcs, &pdev->drm,
				     pdev->drm.anon_inode->i_mapping);
	if (ret)
		return ret;
	return drmm_add_action_or_reset(&pdev->drm, pddgpu_ttm_fini, &pdev->ttm);
}
