// SPDX-License-Identifier: GPL-2.0
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_placement.h>

#include "pddgpu_buddy.h"
#include "pddgpu_compat.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

static struct pddgpu_vram_mgr *to_pddgpu_vram_mgr(struct ttm_resource_manager *man)
{
	return container_of(man, struct pddgpu_vram_mgr, manager);
}

/* The buddy allocator says -EINVAL to what can never fit; TTM wants -ENOSPC. */
static int pddgpu_vram_check_request(struct pddgpu_vram_mgr *mgr,
				     const struct pddgpu_vram_request *req)
{
	if (req->start >= req->end || req->end > mgr->size)
		return -ENOSPC;
	if (req->size > req->end - req->start || req->align > mgr->size)
		return -ENOSPC;
	return 0;
}

static int pddgpu_vram_mgr_alloc(struct ttm_resource_manager *man,
				 struct ttm_buffer_object *bo,
				 const struct ttm_place *place,
				 struct ttm_resource **res)
{
	struct pddgpu_vram_mgr *mgr = to_pddgpu_vram_mgr(man);
	struct pddgpu_vram_request req = {
		.start = (u64)place->fpfn << PAGE_SHIFT,
		.end = place->lpfn ? (u64)place->lpfn << PAGE_SHIFT : mgr->size,
		.align = max_t(u64, (u64)bo->page_alignment << PAGE_SHIFT, PAGE_SIZE),
		.contiguous = place->flags & TTM_PL_FLAG_CONTIGUOUS,
		.topdown = place->flags & TTM_PL_FLAG_TOPDOWN,
		.first = !bo->resource,
	};
	struct pddgpu_vram_resource *vres;
	int ret;

	vres = kzalloc(sizeof(*vres), GFP_KERNEL);
	if (!vres)
		return -ENOMEM;
	INIT_LIST_HEAD(&vres->blocks);
	ttm_resource_init(bo, place, &vres->base);
	req.size = PAGE_ALIGN(vres->base.size);

	ret = pddgpu_vram_check_request(mgr, &req);
	if (!ret)
		ret = pddgpu_vram_alloc(mgr, &req, vres);
	if (ret)
		goto err_fini;

	*res = &vres->base;
	return 0;

err_fini:
	ttm_resource_fini(man, &vres->base);
	kfree(vres);
	return ret;
}

static void pddgpu_vram_mgr_free(struct ttm_resource_manager *man,
				 struct ttm_resource *res)
{
	struct pddgpu_vram_resource *vres = to_pddgpu_vram_resource(res);
	struct pddgpu_vram_mgr *mgr = to_pddgpu_vram_mgr(man);

	mutex_lock(&mgr->lock);
	pddgpu_vram_release(mgr, vres);
	mutex_unlock(&mgr->lock);

	ttm_resource_fini(man, res);
	kfree(vres);
}

static bool pddgpu_vram_mgr_intersects(struct ttm_resource_manager *man,
				       struct ttm_resource *res,
				       const struct ttm_place *place, size_t size)
{
	struct pddgpu_vram_resource *vres = to_pddgpu_vram_resource(res);
	struct pddgpu_vram_mgr *mgr = to_pddgpu_vram_mgr(man);
	u64 first = (u64)place->fpfn << PAGE_SHIFT;
	u64 end = place->lpfn ? (u64)place->lpfn << PAGE_SHIFT : mgr->size;
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &vres->blocks, link) {
		u64 start = gpu_buddy_block_offset(block);

		if (start < end &&
		    start + gpu_buddy_block_size(&mgr->mm, block) > first)
			return true;
	}
	return false;
}

static bool pddgpu_vram_mgr_compatible(struct ttm_resource_manager *man,
				       struct ttm_resource *res,
				       const struct ttm_place *place, size_t size)
{
	struct pddgpu_vram_resource *vres = to_pddgpu_vram_resource(res);
	struct pddgpu_vram_mgr *mgr = to_pddgpu_vram_mgr(man);
	u64 first = (u64)place->fpfn << PAGE_SHIFT;
	u64 end = place->lpfn ? (u64)place->lpfn << PAGE_SHIFT : mgr->size;
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &vres->blocks, link) {
		u64 start = gpu_buddy_block_offset(block);

		if (start < first ||
		    start + gpu_buddy_block_size(&mgr->mm, block) > end)
			return false;
	}
	return true;
}

static void pddgpu_vram_mgr_debug(struct ttm_resource_manager *man,
				  struct drm_printer *p)
{
	struct pddgpu_vram_mgr *mgr = to_pddgpu_vram_mgr(man);
	struct gpu_buddy_block *block;

	drm_printf(p, "  vis usage:%llu of %llu\n",
		   pddgpu_vram_mgr_visible_usage(mgr), mgr->visible_size);
	drm_printf(p, "  reserved:%llu\n", pddgpu_vram_mgr_reserved(mgr));

	mutex_lock(&mgr->lock);
	pddgpu_vram_clear_debug(mgr, p);
	drm_printf(p, "default_page_size: %lluKiB\n", mgr->mm.chunk_size >> 10);
	drm_buddy_print(&mgr->mm, p);
	drm_puts(p, "reserved:\n");
	list_for_each_entry(block, &mgr->reserved_blocks, link)
		drm_buddy_block_print(&mgr->mm, block, p);
	mutex_unlock(&mgr->lock);
}

static const struct ttm_resource_manager_func pddgpu_vram_mgr_func = {
	.alloc = pddgpu_vram_mgr_alloc,
	.free = pddgpu_vram_mgr_free,
	.intersects = pddgpu_vram_mgr_intersects,
	.compatible = pddgpu_vram_mgr_compatible,
	.debug = pddgpu_vram_mgr_debug,
};

static void pddgpu_vram_mgr_fini(struct drm_device *drm, void *arg)
{
	struct pddgpu_vram_mgr *mgr = arg;

	ttm_resource_manager_set_used(&mgr->manager, false);
	/* The card is gone by now and no buffer is left: nothing is copied */
	drm_WARN_ON(drm, ttm_resource_manager_evict_all(mgr->ttm, &mgr->manager));

	pddgpu_health_fini(&mgr->health);
	mutex_lock(&mgr->lock);
	gpu_buddy_free_list(&mgr->mm, &mgr->inject.lost, 0);
	gpu_buddy_free_list(&mgr->mm, &mgr->reserved_blocks, 0);
	gpu_buddy_fini(&mgr->mm);
	pddgpu_vram_clear_fini(mgr);
	pddgpu_vram_loss_fini(mgr);
	mutex_unlock(&mgr->lock);

	ttm_resource_manager_cleanup(&mgr->manager);
	ttm_set_driver_manager(mgr->ttm, TTM_PL_VRAM, NULL);
}

/**
 * pddgpu_vram_mgr_create() - memory for the VRAM manager
 * @drm: the DRM device, which frees it
 *
 * Before the TTM device is made, so that it outlives that: until it is gone,
 * other devices' searches look at its managers.
 *
 * Return: the manager, or NULL.
 */
struct pddgpu_vram_mgr *pddgpu_vram_mgr_create(struct drm_device *drm)
{
	return drmm_kzalloc(drm, sizeof(struct pddgpu_vram_mgr), GFP_KERNEL);
}

/**
 * pddgpu_vram_mgr_init() - start the VRAM manager and give it to TTM
 * @mgr: the manager
 * @drm: the DRM device, which ends it
 * @ttm: the TTM device
 * @size: bytes of VRAM
 * @visible_size: bytes from the start of VRAM that the CPU reaches
 *
 * Return: 0, -ENOMEM, or -EINVAL for a size that the allocator does not take.
 */
int pddgpu_vram_mgr_init(struct pddgpu_vram_mgr *mgr, struct drm_device *drm,
			 struct ttm_device *ttm, u64 size, u64 visible_size)
{
	int ret;

	mgr->ttm = ttm;
	mgr->size = size;
	mgr->visible_size = visible_size;
	mgr->retry.count = PDDGPU_VRAM_ALLOC_RETRY_COUNT;
	mgr->retry.delay_ms = PDDGPU_VRAM_ALLOC_RETRY_DELAY;
	INIT_LIST_HEAD(&mgr->reserved_blocks);
	INIT_LIST_HEAD(&mgr->live);
	INIT_LIST_HEAD(&mgr->inject.lost);

	ret = pddgpu_cgroup_init(&mgr->manager, drm, "vram", size);
	if (ret)
		return ret;
	ret = drmm_mutex_init(drm, &mgr->lock);
	if (ret)
		return ret;
	ret = pddgpu_health_init(&mgr->health, drm, "VRAM", &pddgpu_vram_health_ops);
	if (ret)
		return ret;
	ret = pddgpu_vram_clear_init(mgr);
	if (ret)
		return ret;
	ret = pddgpu_vram_loss_init(mgr);
	if (!ret)
		ret = gpu_buddy_init(&mgr->mm, size, PAGE_SIZE);
	if (ret) {
		pddgpu_vram_loss_fini(mgr);
		pddgpu_vram_clear_fini(mgr);
		return ret;
	}

	mgr->manager.func = &pddgpu_vram_mgr_func;
	ttm_resource_manager_init(&mgr->manager, ttm, size);
	ttm_set_driver_manager(ttm, TTM_PL_VRAM, &mgr->manager);
	ttm_resource_manager_set_used(&mgr->manager, true);
	pddgpu_health_start(&mgr->health);

	return drmm_add_action_or_reset(drm, pddgpu_vram_mgr_fini, mgr);
}

/**
 * pddgpu_vram_mgr_reserve() - take visible VRAM for the driver itself
 * @mgr: the manager
 * @size: bytes, a multiple of a page
 * @align: bytes, a power of two, at least a page
 * @offset: out: offset of its first byte in VRAM
 *
 * One range, from the top of the visible part so that the rest stays whole. It
 * counts as used and is given back with the manager. Takes the manager's lock.
 *
 * Return: 0, -ENOSPC or -ENOMEM.
 */
int pddgpu_vram_mgr_reserve(struct pddgpu_vram_mgr *mgr, u64 size, u64 align,
			    u64 *offset)
{
	LIST_HEAD(blocks);
	int ret = -ENOSPC;
	u64 at;

	if (size > mgr->visible_size)
		return -ENOSPC;

	mutex_lock(&mgr->lock);
	if (mgr->reserved_ranges == ARRAY_SIZE(mgr->reserved_range))
		goto out_unlock;
	for (at = round_down(mgr->visible_size - size, align); ret == -ENOSPC; at -= align) {
		ret = pddgpu_buddy_alloc_at(&mgr->mm, at, at + size, &blocks);
		if (at < align)
			break;
	}
	if (!ret) {
		*offset = gpu_buddy_block_offset(list_first_entry(&blocks,
								  struct gpu_buddy_block,
								  link));
		list_splice_tail(&blocks, &mgr->reserved_blocks);
		mgr->reserved_range[mgr->reserved_ranges].start = *offset;
		mgr->reserved_range[mgr->reserved_ranges++].end = *offset + size;
		atomic64_add(size, &mgr->reserved);
		atomic64_add(size, &mgr->visible_used);
	}
out_unlock:
	mutex_unlock(&mgr->lock);
	return ret;
}

/**
 * pddgpu_vram_mgr_shutdown() - the card is taken away
 * @mgr: the manager; nothing is given out any more, freeing works
 */
void pddgpu_vram_mgr_shutdown(struct pddgpu_vram_mgr *mgr)
{
	pddgpu_health_stop(&mgr->health);
	/* Who recovers it may be waiting there */
	wake_up_all(&mgr->clear.returned);
}

/**
 * pddgpu_vram_mgr_to_ttm() - TTM's view of the manager
 * @mgr: the manager
 *
 * Return: the resource manager.
 */
struct ttm_resource_manager *pddgpu_vram_mgr_to_ttm(struct pddgpu_vram_mgr *mgr)
{
	return &mgr->manager;
}

/**
 * pddgpu_vram_mgr_retry() - how transient failures are retried
 * @mgr: the manager
 *
 * Return: the settings, see &struct pddgpu_retry.
 */
struct pddgpu_retry *pddgpu_vram_mgr_retry(struct pddgpu_vram_mgr *mgr)
{
	return &mgr->retry;
}

/**
 * pddgpu_vram_mgr_size() - how much VRAM there is
 * @mgr: the manager
 *
 * Return: bytes.
 */
u64 pddgpu_vram_mgr_size(struct pddgpu_vram_mgr *mgr)
{
	return mgr->size;
}

/**
 * pddgpu_vram_mgr_usage() - how much VRAM is used, by buffers and the driver
 * @mgr: the manager
 *
 * Return: bytes.
 */
u64 pddgpu_vram_mgr_usage(struct pddgpu_vram_mgr *mgr)
{
	return ttm_resource_manager_usage(&mgr->manager) +
	       pddgpu_vram_mgr_reserved(mgr);
}

/**
 * pddgpu_vram_mgr_visible_size() - how much VRAM the CPU reaches
 * @mgr: the manager
 *
 * Return: bytes.
 */
u64 pddgpu_vram_mgr_visible_size(struct pddgpu_vram_mgr *mgr)
{
	return mgr->visible_size;
}

/**
 * pddgpu_vram_mgr_visible_usage() - how much of the visible VRAM is used
 * @mgr: the manager
 *
 * Return: bytes.
 */
u64 pddgpu_vram_mgr_visible_usage(struct pddgpu_vram_mgr *mgr)
{
	return atomic64_read(&mgr->visible_used);
}

/**
 * pddgpu_vram_mgr_reserved() - how much VRAM the driver uses itself
 * @mgr: the manager
 *
 * Return: bytes.
 */
u64 pddgpu_vram_mgr_reserved(struct pddgpu_vram_mgr *mgr)
{
	return atomic64_read(&mgr->reserved);
}

/**
 * pddgpu_vram_mgr_invisible_free() - how much of the invisible VRAM is free
 * @mgr: the manager
 *
 * Return: bytes; an estimate while others allocate.
 */
u64 pddgpu_vram_mgr_invisible_free(struct pddgpu_vram_mgr *mgr)
{
	u64 used = pddgpu_vram_mgr_usage(mgr) - pddgpu_vram_mgr_visible_usage(mgr);
	u64 all = mgr->size - mgr->visible_size;

	return all - min(all, used);
}
