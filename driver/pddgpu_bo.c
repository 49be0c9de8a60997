// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-buf.h>
#include <linux/instruction_pointer.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pddgpu_bo.h"
#include "pddgpu_bo_trace.h"
#include "pddgpu_chip.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_import.h"
#include "pddgpu_leak.h"
#include "pddgpu_loss.h"
#include "pddgpu_room.h"
#include "pddgpu_stats.h"
#include "pddgpu_vram_mgr.h"

/**
 * pddgpu_bo_domain() - the domain that a resource is in
 * @res: a resource of one of the device's managers
 *
 * Return: one of PDDGPU_GEM_DOMAIN_*.
 */
u32 pddgpu_bo_domain(const struct ttm_resource *res)
{
	switch (res->mem_type) {
	case TTM_PL_VRAM:
		return PDDGPU_GEM_DOMAIN_VRAM;
	case TTM_PL_TT:
		return PDDGPU_GEM_DOMAIN_GTT;
	default:
		return PDDGPU_GEM_DOMAIN_CPU;
	}
}

/**
 * pddgpu_bo_region() - the region that a set of domains prefers
 * @domains: PDDGPU_GEM_DOMAIN_*, not empty
 *
 * Return: what that one is accounted for as.
 */
enum pddgpu_account_region pddgpu_bo_region(u32 domains)
{
	if (domains & PDDGPU_GEM_DOMAIN_VRAM)
		return PDDGPU_ACCOUNT_VRAM;
	return domains & PDDGPU_GEM_DOMAIN_GTT ? PDDGPU_ACCOUNT_GTT : PDDGPU_ACCOUNT_MEMORY;
}

/**
 * pddgpu_bo_moved() - a buffer has moved
 * @pdev: the device
 * @bo: the buffer, reserved
 * @now: where it is now
 * @evict: to make room for others
 */
void pddgpu_bo_moved(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
		     const struct ttm_resource *now, bool evict)
{
	u32 domain = pddgpu_bo_domain(now);

	pddgpu_leak_set_domain(pdev->leaks, &bo->leak, domain);
	pddgpu_account_move(pdev->account, &bo->account, pddgpu_bo_region(domain), evict);
}

/**
 * pddgpu_bo_gpu_address() - where the chip sees a buffer's first byte
 * @pdev: the device
 * @bo: the buffer, reserved
 *
 * Return: a GPU address, or 0 when it has none.
 */
u64 pddgpu_bo_gpu_address(struct pddgpu_device *pdev, struct pddgpu_bo *bo)
{
	struct ttm_resource *res = bo->tbo.resource;

	switch (res->mem_type) {
	case TTM_PL_VRAM:
		return pdev->chip->vram_start + ((u64)res->start << PAGE_SHIFT);
	case TTM_PL_TT:
		return pdev->chip->gtt_start + ((u64)res->start << PAGE_SHIFT);
	default:
		return 0;
	}
}

static void pddgpu_bo_add_place(struct pddgpu_bo_placement *placement, u32 type,
				u32 flags, u32 start, u32 end)
{
	struct ttm_place *place = &placement->places[placement->base.num_placement];

	/*
	 * Behind the first place only as a fallback: room is made in the
	 * preferred domain before the next one is taken (ttm_bo.c).
	 */
	if (placement->base.num_placement)
		flags |= TTM_PL_FLAG_FALLBACK;
	place->mem_type = type;
	place->flags = flags;
	place->fpfn = start;
	place->lpfn = end;
	placement->base.num_placement++;
}

/*
 * Which part of VRAM? What nobody can move later has to be right at once: where
 * the CPU reaches it, unless the CPU never will.
 */
static bool pddgpu_bo_wants_visible(u32 flags)
{
	return flags & PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED ||
	       (flags & PDDGPU_GEM_CREATE_UNPAGEABLE &&
		!(flags & PDDGPU_GEM_CREATE_NO_CPU_ACCESS));
}

static bool pddgpu_bo_wants_invisible(struct pddgpu_device *pdev, u32 flags)
{
	return flags & PDDGPU_GEM_CREATE_UNPAGEABLE &&
	       flags & PDDGPU_GEM_CREATE_NO_CPU_ACCESS &&
	       pddgpu_vram_mgr_size(pdev->vram_mgr) >
	       pddgpu_vram_mgr_visible_size(pdev->vram_mgr);
}

static u64 pddgpu_bo_vram_size(struct pddgpu_device *pdev, u32 flags)
{
	u64 size = pddgpu_vram_mgr_size(pdev->vram_mgr);
	u64 visible = pddgpu_vram_mgr_visible_size(pdev->vram_mgr);

	if (pddgpu_bo_wants_invisible(pdev, flags))
		return size - visible;
	return (pddgpu_bo_wants_visible(flags) ? visible : size) -
	       pddgpu_vram_mgr_reserved(pdev->vram_mgr);
}

/* Bytes that a buffer could have in a domain that is empty */
static u64 pddgpu_bo_domain_size(struct pddgpu_device *pdev, u32 domain, u32 flags)
{
	switch (domain) {
	case PDDGPU_GEM_DOMAIN_VRAM:
		return pddgpu_bo_vram_size(pdev, flags);
	case PDDGPU_GEM_DOMAIN_GTT:
		return pddgpu_gtt_mgr_size(pdev->gtt_mgr);
	default:
		return pdev->system_limit;
	}
}

/*
 * The domains of a set that would take a buffer if they were empty. Only they
 * are asked: room that cannot be enough is not made at others' expense.
 */
static u32 pddgpu_bo_domains_that_fit(struct pddgpu_device *pdev, u64 size,
				      u64 alignment, u32 domains, u32 flags)
{
	u32 domain, fit = 0;

	for (domain = PDDGPU_GEM_DOMAIN_CPU; domain & PDDGPU_GEM_DOMAIN_MASK; domain <<= 1) {
		u64 most = pddgpu_bo_domain_size(pdev, domain, flags);

		if (domains & domain && size <= most && alignment <= most)
			fit |= domain;
	}
	return fit;
}

/*
 * What no CPU is known to want is put at the top, into the invisible part of VRAM
 * while there is room, since nothing else can be.
 */
static void pddgpu_bo_add_vram(struct pddgpu_device *pdev,
			       struct pddgpu_bo_placement *placement, u32 flags)
{
	u64 end = pddgpu_vram_mgr_size(pdev->vram_mgr), start = 0;
	u32 place_flags = TTM_PL_FLAG_TOPDOWN;

	if (pddgpu_bo_wants_visible(flags)) {
		end = pddgpu_vram_mgr_visible_size(pdev->vram_mgr);
		place_flags = 0;
	} else if (pddgpu_bo_wants_invisible(pdev, flags)) {
		start = pddgpu_vram_mgr_visible_size(pdev->vram_mgr);
	}
	if (flags & PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS)
		place_flags |= TTM_PL_FLAG_CONTIGUOUS;
	pddgpu_bo_add_place(placement, TTM_PL_VRAM, place_flags, start >> PAGE_SHIFT,
			    end >> PAGE_SHIFT);
}

/**
 * pddgpu_bo_placement_init() - turn domains into a TTM placement
 * @pdev: the device
 * @placement: filled in
 * @size: of the buffer, bytes
 * @alignment: of the buffer, bytes
 * @domains: not empty; VRAM is preferred to GTT, GTT to CPU (requirement B4)
 * @flags: the buffer's creation flags
 *
 * Return: 0, or -E2BIG when the buffer fits none of them even when they are
 * empty; TTM takes a placement without places for a wish to drop the content.
 */
int pddgpu_bo_placement_init(struct pddgpu_device *pdev,
			     struct pddgpu_bo_placement *placement, u64 size,
			     u64 alignment, u32 domains, u32 flags)
{
	u32 fit = pddgpu_bo_domains_that_fit(pdev, size, alignment, domains, flags);

	if (!fit)
		return -E2BIG;
	memset(placement, 0, sizeof(*placement));
	placement->base.placement = placement->places;

	if (fit & PDDGPU_GEM_DOMAIN_VRAM)
		pddgpu_bo_add_vram(pdev, placement, flags);
	if (fit & PDDGPU_GEM_DOMAIN_GTT)
		pddgpu_bo_add_place(placement, TTM_PL_TT, 0, 0,
				    PDDGPU_BO_PLACE_END);
	if (fit & PDDGPU_GEM_DOMAIN_CPU)
		pddgpu_bo_add_place(placement, TTM_PL_SYSTEM, 0, 0,
				    PDDGPU_BO_PLACE_END);
	return 0;
}

/**
 * pddgpu_bo_is_visible() - can the CPU reach a buffer where it is?
 * @bo: the buffer, reserved
 *
 * Return: false when some of it lies in the invisible part of VRAM.
 */
bool pddgpu_bo_is_visible(const struct pddgpu_bo *bo)
{
	struct ttm_resource *res = bo->tbo.resource;

	return res->mem_type != TTM_PL_VRAM ||
	       to_pddgpu_vram_resource(res)->visible >= res->size;
}

/**
 * pddgpu_bo_make_visible() - bring a buffer to where the CPU reaches it
 * @pdev: the device, inside drm_dev_enter()
 * @bo: the buffer, reserved
 * @ctx: how to wait
 *
 * Into the visible part of VRAM, or where that is full into the GTT, also when it
 * may live in VRAM alone; only when neither has room are others evicted for it.
 *
 * Return: 0; -EBUSY when it is pinned, -E2BIG when it fits nowhere, -ENOMEM.
 */
int pddgpu_bo_make_visible(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			   struct ttm_operation_ctx *ctx)
{
	struct pddgpu_bo_placement placement;
	u32 i;
	int ret;

	if (pddgpu_bo_is_visible(bo))
		return 0;
	if (bo->tbo.pin_count)
		return -EBUSY;
	ret = pddgpu_bo_placement_init(pdev, &placement, bo->tbo.base.size,
				       (u64)bo->tbo.page_alignment << PAGE_SHIFT,
				       bo->domains | PDDGPU_GEM_DOMAIN_GTT,
				       bo->flags | PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED);
	if (ret)
		return ret;
	for (i = 0; i < placement.base.num_placement; i++)
		placement.places[i].flags &= ~TTM_PL_FLAG_FALLBACK;
	bo->settle = true;
	ret = ttm_bo_validate(&bo->tbo, &placement.base, ctx);
	bo->settle = false;
	return ret;
}

/*
 * Could a buffer ever be placed? -EINVAL for a size of 0 or an alignment that is
 * no power of two or larger than every named domain; -E2BIG for a size that fits
 * none of them even when they are empty.
 */
static int pddgpu_bo_check_size(struct pddgpu_device *pdev, u64 size,
				u64 alignment, u32 domains, u32 flags)
{
	if (!size || (alignment && !is_power_of_2(alignment)) ||
	    !pddgpu_bo_domains_that_fit(pdev, 0, alignment, domains, flags))
		return -EINVAL;
	return pddgpu_bo_domains_that_fit(pdev, size, alignment, domains, flags) ? 0 : -E2BIG;
}

/**
 * pddgpu_bo_check() - could such a buffer ever be made?
 * @pdev: the device
 * @param: what it would be made of
 *
 * Return: 0, -EINVAL or -E2BIG, as pddgpu_bo_create().
 */
int pddgpu_bo_check(struct pddgpu_device *pdev, const struct pddgpu_bo_param *param)
{
	return pddgpu_bo_check_size(pdev, param->size, param->alignment, param->domains,
				    param->flags);
}

/**
 * pddgpu_bo_destroy() - TTM's last word on a buffer
 * @tbo: the buffer; nobody has a reference any more
 */
void pddgpu_bo_destroy(struct ttm_buffer_object *tbo)
{
	struct pddgpu_device *pdev = ttm_to_pddgpu(tbo->bdev);
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);

	pddgpu_loss_fini(bo);
	/* A listed node is always valid memory */
	pddgpu_bo_trace_destroyed(pdev, bo);
	pddgpu_account_end(pdev->account, &bo->account);

	if (bo->import)
		pddgpu_import_leave(bo);
	drm_gem_object_release(&tbo->base);
	if (bo->dma_buf)
		dma_buf_put(bo->dma_buf);
	if (bo->unplugged_page)
		__free_page(bo->unplugged_page);
	if (bo->created)
		pddgpu_memory_stats_free_end(pdev->stats, bo->free_start);
	kfree(bo->named.label);
	kfree(bo);
}

/**
 * struct pddgpu_bo_request - where a new buffer is asked for, and when
 */
struct pddgpu_bo_request {
	/** @start: for the statistics */
	u64 start;
	/** @caller: the return address of pddgpu_bo_create() */
	unsigned long caller;
};

/* A buffer exists: let statistics and leak tracker know, with one look at the clock */
static void pddgpu_bo_created(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			      const struct pddgpu_bo_param *param,
			      const struct pddgpu_bo_request *request)
{
	struct pddgpu_leak_birth birth = {
		.client = param->client,
		.size = bo->tbo.base.size,
		.now = pddgpu_memory_stats_alloc_end(pdev->stats, request->start, 0),
		.caller = request->caller,
		.domain = pddgpu_bo_domain(bo->tbo.resource),
		.flags = param->flags,
		.has_handle = !param->dma_buf,
	};

	bo->created = true;
	pddgpu_account_begin(&bo->account, birth.size, pddgpu_bo_region(bo->domains),
			     pddgpu_bo_region(birth.domain), param->dma_buf);
	pddgpu_leak_track(pdev->leaks, &bo->leak, &birth);
	pddgpu_bo_trace_created(pdev, bo, param->client ? param->client->client_id : 0);
}

/* With @seen the CPU has to clear it: VRAM that it reaches, or none. */
static struct pddgpu_bo *pddgpu_bo_try_create(struct pddgpu_device *pdev,
					      const struct pddgpu_bo_param *param,
					      const struct pddgpu_bo_request *request,
					      bool seen)
{
	u32 flags = param->flags | (seen ? PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED : 0);
	enum ttm_bo_type type = param->dma_buf ? ttm_bo_type_sg : ttm_bo_type_device;
	struct dma_resv *resv = param->dma_buf ? param->dma_buf->resv : NULL;
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct pddgpu_bo_placement placement;
	struct pddgpu_bo *bo;
	int ret;

	ret = pddgpu_bo_placement_init(pdev, &placement, param->size, param->alignment,
				       param->domains, flags);
	if (ret)
		return ERR_PTR(ret);
	bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->domains = param->domains;
	bo->flags = param->flags & ~PDDGPU_GEM_CREATE_UNPAGEABLE;
	INIT_LIST_HEAD(&bo->swap_link);
	INIT_LIST_HEAD(&bo->import_link);
	INIT_LIST_HEAD(&bo->wishes);
	bo->tbo.base.funcs = pdev->gem_funcs;
	if (param->dma_buf) {
		get_dma_buf(param->dma_buf);
		bo->dma_buf = param->dma_buf;
		pddgpu_import_join(param->import, bo);
	}
	drm_gem_private_object_init(&pdev->drm, &bo->tbo.base,
				    PAGE_ALIGN(param->size));

	/* Calls pddgpu_bo_destroy() when it fails */
	ret = ttm_bo_init_reserved(&pdev->ttm, &bo->tbo, type, &placement.base,
				   PFN_UP(param->alignment), &ctx,
				   param->import ? pddgpu_import_sgt(param->import) : NULL,
				   resv, pddgpu_bo_destroy);
	if (ret)
		return ERR_PTR(ret);

	/* Pages in the CPU domain now, so that want of them is an error here */
	if (bo->tbo.resource->mem_type == TTM_PL_SYSTEM)
		ret = pddgpu_ttm_populate(&bo->tbo, &ctx);
	if (!ret)
		pddgpu_bo_created(pdev, bo, param, request);
	if (!resv)
		ttm_bo_unreserve(&bo->tbo);
	if (ret) {
		drm_gem_object_put(&bo->tbo.base);
		return ERR_PTR(ret);
	}
	return bo;
}

/**
 * pddgpu_bo_create() - make a buffer
 * @pdev: the device
 * @param: what it is made of
 *
 * It reads as zeros. May sleep, evict other buffers, and retry a transient
 * failure. Counted and timed in the statistics.
 *
 * Return: the buffer with one GEM reference, tracked; or an error pointer:
 * -EINVAL for a size of 0 or an alignment that is no power of two or larger
 * than every domain, -E2BIG for a size that no domain ever has, -ENOMEM when
 * there is no room now, -EIO when the managers of all its domains are in ERROR,
 * -ERESTARTSYS, -ENODEV. An imported buffer's reservation stays locked.
 */
noinline struct pddgpu_bo *pddgpu_bo_create(struct pddgpu_device *pdev,
					    const struct pddgpu_bo_param *param)
{
	struct pddgpu_bo_request request = {
		.start = pddgpu_memory_stats_alloc_start(pdev->stats),
		.caller = _RET_IP_,
	};
	struct pddgpu_room room;
	struct pddgpu_engine *engine = pdev->engine[PDDGPU_ENGINE_PAGING];
	struct pddgpu_bo *bo = NULL;
	bool lost;
	int ret;

	pddgpu_room_init(&room, param->account, true);
	ret = pddgpu_bo_check(pdev, param);
	while (!ret) {
		pddgpu_room_search(pdev, &room);
		lost = pddgpu_engine_lost(engine);
		bo = pddgpu_bo_try_create(pdev, param, &request, lost);
		pddgpu_room_found(pdev, &room);
		if (!IS_ERR(bo)) {
			pddgpu_room_done(pdev, &room, param->domains);
			break;
		}
		ret = PTR_ERR(bo);
		/* Lost meanwhile: elsewhere, then */
		if (ret == -EIO && !lost && pddgpu_engine_lost(engine)) {
			ret = 0;
			continue;
		}
		/* With a reservation held there is no waiting */
		if (!param->dma_buf)
			ret = pddgpu_room_retry(pdev, &room, param->domains, ret);
	}
	if (ret) {
		pddgpu_memory_stats_alloc_end(pdev->stats, request.start, ret);
		return ERR_PTR(ret);
	}
	return bo;
}
