// SPDX-License-Identifier: GPL-2.0
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_pool.h>

#include "pddgpu_bo.h"
#include "pddgpu_compat.h"
#include "pddgpu_copy.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_hw.h"
#include "pddgpu_leak.h"
#include "pddgpu_move.h"
#include "pddgpu_res_cursor.h"
#include "pddgpu_room.h"
#include "pddgpu_stats.h"
#include "pddgpu_ttm.h"
#include "pddgpu_vram_mgr.h"

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

/* Bytes of system memory that the buffers of all cards hold */
static atomic64_t pddgpu_ttm_all_cards;

static u64 pddgpu_ttm_half_the_ram(void)
{
	return (u64)totalram_pages() / 2 << PAGE_SHIFT;
}

static void pddgpu_ttm_uncharge(struct pddgpu_device *pdev, u64 bytes)
{
	atomic64_sub(bytes, &pdev->system_used);
	atomic64_sub(bytes, &pddgpu_ttm_all_cards);
}

/*
 * Pages count against what the system gives, whether the aperture maps them or
 * not: without a bound a user could take all the machine's memory. A second
 * card does not make it more.
 */
static int pddgpu_ttm_charge(struct pddgpu_device *pdev, u64 bytes)
{
	u64 all = atomic64_add_return(bytes, &pddgpu_ttm_all_cards);
	u64 ours = atomic64_add_return(bytes, &pdev->system_used);

	if (all <= pddgpu_ttm_half_the_ram() && ours <= pdev->system_limit)
		return 0;
	pddgpu_ttm_uncharge(pdev, bytes);
	return -ENOMEM;
}

static int pddgpu_ttm_tt_populate(struct ttm_device *ttm, struct ttm_tt *tt,
				  struct ttm_operation_ctx *ctx)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(ttm);
	u64 bytes = (u64)tt->num_pages << PAGE_SHIFT;
	int ret, idx;

	if (tt->page_flags & TTM_TT_FLAG_EXTERNAL)
		return 0;
	if (!drm_dev_enter(&pdev->drm, &idx))
		return -ENODEV;

	ret = pddgpu_ttm_charge(pdev, bytes);
	if (ret)
		goto out_exit;

	/* Fail rather than wake the OOM killer for a user's request */
	ctx->gfp_retry_mayfail = true;
	ret = ttm_pool_alloc(&ttm->pool, tt, ctx);
	if (ret)
		pddgpu_ttm_uncharge(pdev, bytes);
	else if (tt->page_flags & TTM_TT_FLAG_SWAPPED)
		pddgpu_memory_stats_swap_in(pdev->stats);
out_exit:
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
	pddgpu_ttm_uncharge(pdev, (u64)tt->num_pages << PAGE_SHIFT);
}

static void pddgpu_ttm_tt_destroy(struct ttm_device *ttm, struct ttm_tt *tt)
{
	pddgpu_ttm_unbind(ttm_to_pddgpu(ttm), tt);
	ttm_tt_fini(tt);
	kfree(to_pddgpu_tt(tt));
}

/**
 * pddgpu_ttm_bind() - give a buffer's pages their place in the aperture
 * @pdev: the device
 * @tbo: the buffer, reserved, its pages populated and not bound
 * @res: the resource that holds the place; a temporary one has none
 *
 * Return: 0 or what pddgpu_gart_bind_pages() says.
 */
int pddgpu_ttm_bind(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
		    struct ttm_resource *res)
{
	struct pddgpu_tt *tt = to_pddgpu_tt(tbo->ttm);
	bool snooped = tt->base.caching == ttm_cached;

	if (!pddgpu_gtt_has_address(res))
		return 0;
	if (tt->base.page_flags & TTM_TT_FLAG_EXTERNAL)
		return pddgpu_gart_bind_sgt(pdev->gart, &tt->binding, res->start,
					    tbo->sg, tt->base.num_pages, snooped);
	return pddgpu_gart_bind_pages(pdev->gart, &tt->binding, res->start,
				      tt->base.pages, tt->base.num_pages, snooped);
}

/**
 * pddgpu_ttm_unbind() - take a buffer's pages out of the aperture
 * @pdev: the device
 * @tt: the pages, bound or not
 */
void pddgpu_ttm_unbind(struct pddgpu_device *pdev, struct ttm_tt *tt)
{
	pddgpu_gart_unbind(pdev->gart, &to_pddgpu_tt(tt)->binding);
}

/* Would system pages for so much be given? */
static bool pddgpu_ttm_has_pages(struct pddgpu_device *pdev, u64 bytes)
{
	return atomic64_read(&pdev->system_used) + bytes <= pdev->system_limit &&
	       atomic64_read(&pddgpu_ttm_all_cards) + bytes <= pddgpu_ttm_half_the_ram();
}

static bool pddgpu_ttm_has_room(struct pddgpu_device *pdev,
				const struct pddgpu_bo *bo)
{
	u64 size = bo->tbo.base.size;

	if (!pddgpu_ttm_has_pages(pdev, size))
		return false;
	if (bo->domains & PDDGPU_GEM_DOMAIN_CPU)
		return true;
	return pddgpu_gtt_mgr_has_room(pdev->gtt_mgr, PFN_UP(size),
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
 * is no use to evict, nor one for which there is no room where it may go.
 *
 * Nothing is swapped out. TTM wants that when the pages of all its devices pass
 * half the RAM. That is where the limit here lies as well: a
 * request beyond it is to fail, and not to push others out, to shared memory
 * without a bound and perhaps without a disk behind it.
 */
static bool pddgpu_ttm_eviction_valuable(struct ttm_buffer_object *tbo,
					 const struct ttm_place *place)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	const struct pddgpu_bo *bo = to_pddgpu_bo(tbo);

	if (!pddgpu_bo_is_ours(tbo) || tbo->deleted)
		return ttm_bo_eviction_valuable(tbo, place);

	switch (tbo->resource->mem_type) {
	case TTM_PL_SYSTEM:
		return false;
	case TTM_PL_VRAM:
		if (pddgpu_ttm_can_hide(pdev, bo) &&
		    place->lpfn <= pddgpu_ttm_visible_pages(pdev))
			break;
		if (!(bo->domains & (PDDGPU_GEM_DOMAIN_GTT | PDDGPU_GEM_DOMAIN_CPU)) ||
		    !pddgpu_ttm_has_room(pdev, bo))
			return false;
		break;
	case TTM_PL_TT:
		/* Its pages stay: a place alone helps only who can have pages too */
		if (!(bo->domains & PDDGPU_GEM_DOMAIN_CPU) ||
		    pddgpu_ttm_place_is_swap(place) ||
		    !pddgpu_ttm_has_pages(pdev, tbo->base.size))
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
	/* The place before them; alone for who may live in VRAM alone */
	if (ours && pddgpu_ttm_can_hide(pdev, to_pddgpu_bo(tbo))) {
		placement->placement--;
		placement->num_placement++;
		if (domains == PDDGPU_GEM_DOMAIN_VRAM) {
			placement->placement = evict->nowhere;
			placement->num_placement = 1;
		}
	}
}

static void pddgpu_ttm_swap_notify(struct ttm_buffer_object *tbo)
{
	pddgpu_memory_stats_swap_out(ttm_to_pddgpu(tbo->bdev)->stats);
}

static void pddgpu_ttm_release_notify(struct ttm_buffer_object *tbo)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);

	if (!pddgpu_bo_is_ours(tbo) || !bo->created)
		return;
	bo->free_start = pddgpu_memory_stats_free_start(pdev->stats);
	pddgpu_leak_zombie(pdev->leaks, &bo->leak);
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
	.move = pddgpu_bo_move,
	.swap_notify = pddgpu_ttm_swap_notify,
	.release_notify = pddgpu_ttm_release_notify,
	.io_mem_reserve = pddgpu_ttm_io_mem_reserve,
	.io_mem_pfn = pddgpu_ttm_io_mem_pfn,
};

/*
 * The card is gone: a CPU mapping of it must not kill its user. One page of
 * zeros for each buffer, so that nothing passes between those who did not share
 * the buffer anyway.
 */
static vm_fault_t pddgpu_ttm_fault_unplugged(struct vm_fault *vmf,
					     struct pddgpu_bo *bo)
{
	dma_resv_assert_held(bo->tbo.base.resv);

	if (!bo->unplugged_page) {
		bo->unplugged_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!bo->unplugged_page)
			return VM_FAULT_OOM;
	}
	return vmf_insert_pfn_prot(vmf->vma, vmf->address,
				   page_to_pfn(bo->unplugged_page),
				   vmf->vma->vm_page_prot);
}

/* What the CPU touches has to be where it reaches. */
static vm_fault_t pddgpu_ttm_fault_visible(struct pddgpu_bo *bo)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };

	switch (pddgpu_bo_make_visible(ttm_to_pddgpu(bo->tbo.bdev), bo, &ctx)) {
	case 0:
		return 0;
	case -EINTR:
	case -ERESTARTSYS:
		/* The signal first, then the fault again */
		return VM_FAULT_NOPAGE;
	default:
		return VM_FAULT_SIGBUS;
	}
}

static vm_fault_t pddgpu_ttm_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	vm_fault_t ret;
	int idx;

	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;

	if (drm_dev_enter(tbo->base.dev, &idx)) {
		ret = pddgpu_ttm_fault_visible(to_pddgpu_bo(tbo));
		if (!ret)
			ret = ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
						       TTM_BO_VM_NUM_PREFAULT);
		drm_dev_exit(idx);
	} else {
		ret = pddgpu_ttm_fault_unplugged(vmf, to_pddgpu_bo(tbo));
	}

	/* TTM has dropped the reservation already when it asks for a retry */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;

	/* Also makes it the last to be evicted: it is in use */
	ttm_bo_unreserve(tbo);
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
		ret = ttm_bo_wait_ctx(tbo, &ctx);
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
		ret = pddgpu_ttm_access(tbo, offset, buf, len, write);
		ttm_bo_unreserve(tbo);
	}
	drm_dev_exit(idx);
	return ret ? -EIO : len;
}

const struct vm_operations_struct pddgpu_ttm_vm_ops = {
	.fault = pddgpu_ttm_fault,
	.open = ttm_bo_vm_open,
	.close = ttm_bo_vm_close,
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
