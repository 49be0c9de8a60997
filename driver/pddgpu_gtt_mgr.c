// SPDX-License-Identifier: GPL-2.0
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>
#include <drm/drm_mm.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_gtt_mgr.h"
#include "pddgpu_gtt_mgr_internal.h"
#include "pddgpu_health.h"

/* A buffer of this size gets an address that large page table leaves fit */
#define PDDGPU_GTT_LEAF_PAGES		(SZ_2M >> PAGE_SHIFT)

static struct pddgpu_gtt_mgr *to_pddgpu_gtt_mgr(struct ttm_resource_manager *man)
{
	return container_of(man, struct pddgpu_gtt_mgr, manager);
}

/* Best fit; at a large leaf's boundary where that costs nothing. */
static int pddgpu_gtt_insert(struct pddgpu_gtt_mgr *mgr,
			     struct drm_mm_node *node, u64 pages, u64 align,
			     u64 first, u64 end)
{
	int ret = -ENOSPC;

	lockdep_assert_held(&mgr->lock);

	if (pages >= PDDGPU_GTT_LEAF_PAGES && align < PDDGPU_GTT_LEAF_PAGES)
		ret = drm_mm_insert_node_in_range(&mgr->mm, node, pages,
						  PDDGPU_GTT_LEAF_PAGES, 0,
						  first, end, DRM_MM_INSERT_BEST);
	if (ret)
		ret = drm_mm_insert_node_in_range(&mgr->mm, node, pages, align, 0,
						  first, end, DRM_MM_INSERT_BEST);
	return ret;
}

static int pddgpu_gtt_place(struct pddgpu_gtt_mgr *mgr, struct pddgpu_gtt_resource *gres,
			    u64 align, u64 first, u64 end)
{
	u64 used = ttm_resource_manager_usage(&mgr->manager);
	int ret;

	spin_lock(&mgr->lock);
	ret = pddgpu_gtt_ready(mgr);
	/* Its own size is counted already, so concurrent callers can't pass */
	if (!ret && used > mgr->limit)
		ret = -ENOSPC;
	if (!ret)
		ret = pddgpu_gtt_insert(mgr, &gres->node, PFN_UP(gres->base.size), align,
					first, end);
	if (!ret) {
		pddgpu_gtt_hold(mgr, gres);
		mgr->health.counts.allocations++;
	} else {
		mgr->health.counts.failures++;
	}
	spin_unlock(&mgr->lock);
	return ret;
}

static int pddgpu_gtt_mgr_alloc(struct ttm_resource_manager *man,
				struct ttm_buffer_object *bo,
				const struct ttm_place *place,
				struct ttm_resource **res)
{
	struct pddgpu_gtt_mgr *mgr = to_pddgpu_gtt_mgr(man);
	u64 end = place->lpfn ? place->lpfn : mgr->aperture_pages;
	struct pddgpu_gtt_resource *gres;
	int ret;

	gres = kzalloc(sizeof(*gres), GFP_KERNEL);
	if (!gres)
		return -ENOMEM;
	ttm_resource_init(bo, place, &gres->base);

	/* Temporary: only passing through, nobody needs its address */
	if (place->flags & TTM_PL_FLAG_TEMPORARY) {
		*res = &gres->base;
		return 0;
	}

	ret = pddgpu_gtt_place(mgr, gres, max_t(u64, bo->page_alignment, 1), place->fpfn,
			       min(end, mgr->aperture_pages));
	if (ret)
		goto err_fini;

	*res = &gres->base;
	return 0;

err_fini:
	ttm_resource_fini(man, &gres->base);
	kfree(gres);
	return ret;
}

static void pddgpu_gtt_mgr_free(struct ttm_resource_manager *man,
				struct ttm_resource *res)
{
	struct pddgpu_gtt_resource *gres = to_pddgpu_gtt_resource(res);
	struct pddgpu_gtt_mgr *mgr = to_pddgpu_gtt_mgr(man);

	if (gres->placed) {
		spin_lock(&mgr->lock);
		pddgpu_gtt_release(mgr, gres);
		spin_unlock(&mgr->lock);
	}
	ttm_resource_fini(man, res);
	kfree(gres);
}

static bool pddgpu_gtt_mgr_intersects(struct ttm_resource_manager *man,
				      struct ttm_resource *res,
				      const struct ttm_place *place, size_t size)
{
	/* A temporary one holds no address that anybody could want */
	if (!pddgpu_gtt_has_address(res))
		return false;
	return (!place->lpfn || res->start < place->lpfn) &&
	       res->start + PFN_UP(res->size) > place->fpfn;
}

static bool pddgpu_gtt_mgr_compatible(struct ttm_resource_manager *man,
				      struct ttm_resource *res,
				      const struct ttm_place *place, size_t size)
{
	if (!pddgpu_gtt_has_address(res))
		return false;
	return res->start >= place->fpfn &&
	       (!place->lpfn || res->start + PFN_UP(res->size) <= place->lpfn);
}

/* How scattered the free addresses are (requirement B5) */
static void pddgpu_gtt_print_fragmentation(struct pddgpu_gtt_mgr *mgr,
					   struct drm_printer *p)
{
	u64 start, end, free = 0, largest = 0, holes = 0;
	struct drm_mm_node *node;

	lockdep_assert_held(&mgr->lock);

	drm_mm_for_each_hole(node, &mgr->mm, start, end) {
		free += end - start;
		largest = max(largest, end - start);
		holes++;
	}
	drm_printf(p, "  holes:%llu free:%llu largest:%llu\n", holes,
		   free << PAGE_SHIFT, largest << PAGE_SHIFT);
}

static void pddgpu_gtt_mgr_debug(struct ttm_resource_manager *man,
				 struct drm_printer *p)
{
	struct pddgpu_gtt_mgr *mgr = to_pddgpu_gtt_mgr(man);

	drm_printf(p, "  aperture:%llu limit:%llu\n",
		   mgr->aperture_pages << PAGE_SHIFT, mgr->limit);
	spin_lock(&mgr->lock);
	pddgpu_gtt_print_fragmentation(mgr, p);
	drm_mm_print(&mgr->mm, p);
	spin_unlock(&mgr->lock);
}

static const struct ttm_resource_manager_func pddgpu_gtt_mgr_func = {
	.alloc = pddgpu_gtt_mgr_alloc,
	.free = pddgpu_gtt_mgr_free,
	.intersects = pddgpu_gtt_mgr_intersects,
	.compatible = pddgpu_gtt_mgr_compatible,
	.debug = pddgpu_gtt_mgr_debug,
};

static void pddgpu_gtt_mgr_fini(struct drm_device *drm, void *arg)
{
	struct pddgpu_gtt_mgr *mgr = arg;

	ttm_resource_manager_set_used(&mgr->manager, false);
	drm_WARN_ON(drm, ttm_resource_manager_evict_all(mgr->ttm, &mgr->manager));
	pddgpu_health_fini(&mgr->health);
	if (drm_mm_node_allocated(&mgr->inject.lost))
		drm_mm_remove_node(&mgr->inject.lost);
	if (drm_mm_node_allocated(&mgr->reserved))
		drm_mm_remove_node(&mgr->reserved);
	drm_mm_takedown(&mgr->mm);
	ttm_resource_manager_cleanup(&mgr->manager);
	ttm_set_driver_manager(mgr->ttm, TTM_PL_TT, NULL);
}

/**
 * pddgpu_gtt_mgr_create() - memory for the GTT manager
 * @drm: the DRM device, which frees it
 *
 * Before the TTM device is made, so that it outlives that: until it is gone,
 * other devices' searches look at its managers.
 *
 * Return: the manager, or NULL.
 */
struct pddgpu_gtt_mgr *pddgpu_gtt_mgr_create(struct drm_device *drm)
{
	return drmm_kzalloc(drm, sizeof(struct pddgpu_gtt_mgr), GFP_KERNEL);
}

/**
 * pddgpu_gtt_mgr_init() - start the GTT manager and give it to TTM
 * @mgr: the manager
 * @drm: the DRM device, which ends it
 * @ttm: the TTM device
 * @aperture: bytes of addresses
 * @limit: bytes of system memory that buffers may hold in it
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_gtt_mgr_init(struct pddgpu_gtt_mgr *mgr, struct drm_device *drm,
			struct ttm_device *ttm, u64 aperture, u64 limit)
{
	int ret;

	ret = pddgpu_health_init(&mgr->health, drm, "GTT", &pddgpu_gtt_health_ops);
	if (ret)
		return ret;
	mgr->ttm = ttm;
	mgr->aperture_pages = aperture >> PAGE_SHIFT;
	mgr->limit = min(aperture, limit);
	mgr->retry.count = PDDGPU_GTT_ALLOC_RETRY_COUNT;
	mgr->retry.delay_ms = PDDGPU_GTT_ALLOC_RETRY_DELAY;
	spin_lock_init(&mgr->lock);
	drm_mm_init(&mgr->mm, 0, mgr->aperture_pages);
	INIT_LIST_HEAD(&mgr->live);

	mgr->manager.use_tt = true;
	mgr->manager.func = &pddgpu_gtt_mgr_func;
	ttm_resource_manager_init(&mgr->manager, ttm, mgr->limit);
	ttm_set_driver_manager(ttm, TTM_PL_TT, &mgr->manager);
	ttm_resource_manager_set_used(&mgr->manager, true);
	pddgpu_health_start(&mgr->health);

	return drmm_add_action_or_reset(drm, pddgpu_gtt_mgr_fini, mgr);
}

/**
 * pddgpu_gtt_mgr_shutdown() - the card is taken away
 * @mgr: the manager; nothing is given out any more, freeing works
 */
void pddgpu_gtt_mgr_shutdown(struct pddgpu_gtt_mgr *mgr)
{
	pddgpu_health_stop(&mgr->health);
}

/**
 * pddgpu_gtt_has_address() - does a resource have a place in the aperture?
 * @res: a resource of the GTT manager
 *
 * Return: false for a temporary one.
 */
bool pddgpu_gtt_has_address(struct ttm_resource *res)
{
	return to_pddgpu_gtt_resource(res)->placed;
}

/**
 * pddgpu_gtt_mgr_reserve() - take addresses for the driver itself
 * @mgr: the manager
 * @pages: how many
 * @align: in pages
 * @first_page: out: the first page's number in the aperture
 *
 * Once, before there are users; from the end of the aperture. The manager is the
 * smaller for it until its end.
 *
 * Return: 0 or -ENOSPC.
 */
int pddgpu_gtt_mgr_reserve(struct pddgpu_gtt_mgr *mgr, u64 pages, u64 align,
			   u64 *first_page)
{
	int ret;

	spin_lock(&mgr->lock);
	ret = drm_mm_insert_node_in_range(&mgr->mm, &mgr->reserved, pages, align, 0, 0,
					  mgr->aperture_pages, DRM_MM_INSERT_HIGH);
	spin_unlock(&mgr->lock);
	if (ret)
		return ret;
	*first_page = mgr->reserved.start;
	mgr->limit = min(mgr->limit, (mgr->aperture_pages - pages) << PAGE_SHIFT);
	mgr->manager.size = mgr->limit;
	return 0;
}

/**
 * pddgpu_gtt_mgr_has_room() - would a buffer find a place now?
 * @mgr: the manager
 * @pages: its size
 * @align: its alignment in pages; 0 for none
 *
 * Looks at the largest hole alone. Takes the manager's lock and the LRU's.
 *
 * Return: true when it would, unless somebody else is quicker.
 */
bool pddgpu_gtt_mgr_has_room(struct pddgpu_gtt_mgr *mgr, u64 pages, u64 align)
{
	u64 used = ttm_resource_manager_usage(&mgr->manager);
	struct rb_node *rb;
	u64 hole = 0;

	if (used + (pages << PAGE_SHIFT) > mgr->limit || !pddgpu_health_ready(&mgr->health))
		return false;

	spin_lock(&mgr->lock);
	rb = rb_first_cached(&mgr->mm.holes_size);
	if (rb)
		hole = rb_entry(rb, struct drm_mm_node, rb_hole_size)->hole_size;
	spin_unlock(&mgr->lock);
	return hole >= pages + (align ? align - 1 : 0);
}

/**
 * pddgpu_gtt_mgr_to_ttm() - TTM's view of the manager
 * @mgr: the manager
 *
 * Return: the resource manager.
 */
struct ttm_resource_manager *pddgpu_gtt_mgr_to_ttm(struct pddgpu_gtt_mgr *mgr)
{
	return &mgr->manager;
}

/**
 * pddgpu_gtt_mgr_retry() - how transient failures are retried
 * @mgr: the manager
 *
 * Return: the settings, see &struct pddgpu_retry.
 */
struct pddgpu_retry *pddgpu_gtt_mgr_retry(struct pddgpu_gtt_mgr *mgr)
{
	return &mgr->retry;
}

/**
 * pddgpu_gtt_mgr_size() - how much the GTT may hold
 * @mgr: the manager
 *
 * Return: bytes: the smaller of the aperture and what the system gives.
 */
u64 pddgpu_gtt_mgr_size(struct pddgpu_gtt_mgr *mgr)
{
	return mgr->limit;
}

/**
 * pddgpu_gtt_mgr_usage() - how much the GTT holds
 * @mgr: the manager
 *
 * Return: bytes.
 */
u64 pddgpu_gtt_mgr_usage(struct pddgpu_gtt_mgr *mgr)
{
	return ttm_resource_manager_usage(&mgr->manager);
}
