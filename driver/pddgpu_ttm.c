// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
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

/* Could a buffer give up the visible part of VRAM for the invisible one? */
static bool pddgpu_ttm_can_hide(struct pddgpu_device *pdev, const struct pddgpu_bo *bo)
{
	return !(bo->flags & PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED) &&
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
		placement->placement = evict->nowhere;
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

/*
 * The card is gone: a CPU mapping of it must not kill its user. What is in system
 * pages is there still: moves are over, be it that zeros took the place of what
 * could not be read. For the rest there is one page of zeros for each buffer, so
 * that nothing passes between those who did not share the buffer anyway.
 */
static vm_fault_t pddgpu_ttm_fault_unplugged(struct vm_fault *vmf,
					     struct pddgpu_bo *bo)
{
	struct ttm_buffer_object *tbo = &bo->tbo;

	dma_resv_assert_held(tbo->base.resv);

	if (tbo->resource && tbo->resource->mem_type != TTM_PL_VRAM && tbo->ttm &&
	    ttm_tt_is_populated(tbo->ttm))
		return ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
						TTM_BO_VM_NUM_PREFAULT);
	if (!bo->unplugged_page) {
		bo->unplugged_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!bo->unplugged_page)
			return VM_FAULT_OOM;
	}
	return vmf_insert_pfn_prot(vmf->vma, vmf->address,
				   page_to_pfn(bo->unplugged_page),
				   vmf->vma->vm_page_prot);
}

/* Faults wait for room that others are making, but not for ever */
#define PDDGPU_TTM_FAULT_PATIENCE	(10 * HZ)
/* And where nobody is, only a little: somebody may just have been */
#define PDDGPU_TTM_FAULT_HOPE		(HZ / 10)
/* How long before the next attempt, ms: a page to swap takes less */
#define PDDGPU_TTM_FAULT_DELAY		5

static bool pddgpu_ttm_has_its_pages(struct ttm_buffer_object *tbo)
{
	return !tbo->ttm || tbo->resource->mem_type == TTM_PL_VRAM ||
	       ttm_tt_is_populated(tbo->ttm);
}

/* Where the CPU reaches it, and not in swap */
static int pddgpu_ttm_fault_try(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
				const struct vm_area_struct *vma)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct pddgpu_room room;
	int ret;

	pddgpu_room_init(&room, pddgpu_file_account(&pdev->drm, vma->vm_file), false);
	pddgpu_room_search(pdev, &room);
	ret = pddgpu_bo_make_visible(pdev, bo, &ctx);
	if (!ret && !pddgpu_ttm_has_its_pages(&bo->tbo))
		ret = pddgpu_ttm_populate(&bo->tbo, &ctx);
	pddgpu_room_found(pdev, &room);
	return ret;
}

/*
 * What the CPU touches has to be where it reaches, and its pages may have gone to
 * swap. That there is no room at the moment may be so because those who could
 * give some up are at work, or give it to somebody else.
 */
static vm_fault_t pddgpu_ttm_fault_place(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
					 const struct vm_area_struct *vma)
{
	unsigned long patience;
	bool wanted = false;
	int ret = 0;

	if (!pddgpu_bo_is_visible(bo) || !pddgpu_ttm_has_its_pages(&bo->tbo)) {
		/* Before too: what was in the way may be over when it has failed */
		wanted = pddgpu_room_wanted(pdev);
		ret = pddgpu_ttm_fault_try(pdev, bo, vma);
	}
	switch (ret) {
	case 0:
		bo->starving = 0;
		return 0;
	case -EINTR:
	case -ERESTARTSYS:
		/* The signal first, then the fault again */
		return VM_FAULT_NOPAGE;
	case -EIO:
		/* Or else a manager is in ERROR: it may recover */
		if (pddgpu_engine_lost(pdev->engine[PDDGPU_ENGINE_PAGING]))
			return VM_FAULT_SIGBUS;
		wanted = true;
		fallthrough;
	case -ENOMEM:
		/* Who starved long ago may have been killed meanwhile */
		if (!bo->starving ||
		    time_after(jiffies, bo->starved + PDDGPU_TTM_FAULT_PATIENCE))
			bo->starving = jiffies | 1;
		bo->starved = jiffies;
		patience = wanted || pddgpu_room_wanted(pdev) ?
			   PDDGPU_TTM_FAULT_PATIENCE : PDDGPU_TTM_FAULT_HOPE;
		if (time_before(jiffies, bo->starving + patience))
			return VM_FAULT_NOPAGE;
		fallthrough;
	default:
		bo->starving = 0;
		return VM_FAULT_SIGBUS;
	}
}

static vm_fault_t pddgpu_ttm_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);
	vm_fault_t ret;
	bool starving;
	int idx;

	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;
	pddgpu_bo_touched(bo);

	if (drm_dev_enter(tbo->base.dev, &idx)) {
		ret = pddgpu_ttm_fault_place(ttm_to_pddgpu(tbo->bdev), bo, vmf->vma);
		if (!ret && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
			pddgpu_wait_awake(to_pddgpu(tbo->base.dev), tbo->base.resv,
					  DMA_RESV_USAGE_KERNEL, true);
		if (!ret)
			ret = ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
						       TTM_BO_VM_NUM_PREFAULT);
		drm_dev_exit(idx);
	} else {
		ret = pddgpu_ttm_fault_unplugged(vmf, bo);
	}

	/* TTM has dropped the reservation already when it asks for a retry */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;

	starving = bo->starving;
	/* Also makes it the last to be evicted: it is in use */
	ttm_bo_unreserve(tbo);
	if (starving)
		msleep_interruptible(PDDGPU_TTM_FAULT_DELAY);
	return ret;
}

/* A debugger reads or writes: unlike TTM's own, not before a move is over. */
static int pddgpu_ttm_access(struct ttm_buffer_object *tbo, u64 offset, void *buf,
			     int len, int write)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	int ret;

	ret = pddgpu_bo_make_visible(ttm_to_pddgpu(tbo->bdev), to_pddgpu_bo(tbo), &ctx);
	if (!ret)
		ret = pddgpu_wait_idle(ttm_to_pddgpu(tbo->bdev), tbo, &ctx);
	if (ret)
		return ret;
	if (tbo->resource->mem_type == TTM_PL_VRAM)
		return pddgpu_copy_access_vram(ttm_to_pddgpu(tbo->bdev), tbo->resource,
					       offset, buf, len, write);
	ret = pddgpu_ttm_populate(tbo, &ctx);
	if (!ret)
		pddgpu_copy_access_pages(tbo->ttm, offset, buf, len, write);
	return ret;
}

static int pddgpu_ttm_vm_access(struct vm_area_struct *vma, unsigned long addr,
				void *buf, int len, int write)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	u64 offset = addr - vma->vm_start +
		     ((vma->vm_pgoff - drm_vma_node_start(&tbo->base.vma_node)) << PAGE_SHIFT);
	int ret = -EIO, idx;

	if (len < 1 || offset > tbo->base.size || len > tbo->base.size - offset)
		return -EIO;
	if (!drm_dev_enter(tbo->base.dev, &idx))
		return -EIO;
	if (!ttm_bo_reserve(tbo, true, false, NULL)) {
		pddgpu_bo_touched(to_pddgpu_bo(tbo));
		ret = pddgpu_ttm_access(tbo, offset, buf, len, write);
		ttm_bo_unreserve(tbo);
	}
	drm_dev_exit(idx);
	return ret ? -EIO : len;
}

static void pddgpu_ttm_vm_open(struct vm_area_struct *vma)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;

	atomic_inc(&to_pddgpu_bo(tbo)->maps);
	ttm_bo_vm_open(vma);
}

static void pddgpu_ttm_vm_close(struct vm_area_struct *vma)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;

	/* It may have been the last that anybody has of it */
	atomic_dec(&to_pddgpu_bo(tbo)->maps);
	ttm_bo_vm_close(vma);
}

const struct vm_operations_struct pddgpu_ttm_vm_ops = {
	.fault = pddgpu_ttm_fault,
	.open = pddgpu_ttm_vm_open,
	.close = pddgpu_ttm_vm_close,
	.access = pddgpu_ttm_vm_access,
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
