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
#include "pddgpu_vram_mgr.h"

/* Requirement C5: three times, 5 ms */
#define PDDGPU_GTT_ALLOC_RETRY_COUNT	3
#define PDDGPU_GTT_ALLOC_RETRY_DELAY	5

/* A buffer of this size gets an address that large page table leaves fit */
#define PDDGPU_GTT_LEAF_PAGES		(SZ_2M >> PAGE_SHIFT)

/**
 * struct pddgpu_gtt_resource - addresses that a buffer holds
 */
struct pddgpu_gtt_resource {
	/** @base: TTM's part; its start is the page number in the aperture */
	struct ttm_resource base;
	/** @node: not allocated for a temporary resource, which has no address */
	struct drm_mm_node node;
};

/**
 * struct pddgpu_gtt_mgr - who allocates the GTT aperture
 */
struct pddgpu_gtt_mgr {
	/** @manager: TTM's part; counts bytes under the LRU lock */
	struct ttm_resource_manager manager;
	/** @ttm: the TTM device; constant */
	struct ttm_device *ttm;
	/** @lock: guards @mm; a leaf, never sleeps under it */
	spinlock_t lock;
	/** @mm: the aperture, in pages */
	struct drm_mm mm;
	/** @reserved: what the driver keeps for itself; allocated once at most */
	struct drm_mm_node reserved;
	/** @aperture_pages: the aperture's size in pages; constant */
	u64 aperture_pages;
	/** @limit: bytes that buffers may use: what the system gives; constant with users */
	u64 limit;
	/** @retry: what to do about a transient failure */
	struct pddgpu_retry retry;
};

static struct pddgpu_gtt_mgr *to_pddgpu_gtt_mgr(struct ttm_resource_manager *man)
{
	return container_of(man, struct pddgpu_gtt_mgr, manager);
}

static struct pddgpu_gtt_resource *to_pddgpu_gtt_resource(struct ttm_resource *res)
{
	return container_of(res, struct pddgpu_gtt_resource, base);
}

/* Best fit; at a large leaf's boundary where that costs nothing. */
static int pddgpu_gtt_insert(struct pddgpu_gtt_mgr *mgr,
			     struct drm_mm_node *node, u64 pages, u64 align,
			     u64 first, u64 end)
{
	int ret = -ENOSPC;

	spin_lock(&mgr->lock);
	if (pages >= PDDGPU_GTT_LEAF_PAGES && align < PDDGPU_GTT_LEAF_PAGES)
		ret = drm_mm_insert_node_in_range(&mgr->mm, node, pages,
						  PDDGPU_GTT_LEAF_PAGES, 0,
						  first, end, DRM_MM_INSERT_BEST);
	if (ret)
		ret = drm_mm_insert_node_in_range(&mgr->mm, node, pages, align, 0,
						  first, end, DRM_MM_INSERT_BEST);
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

	/* Its own size is counted already, so concurrent callers can't pass */
	if (ttm_resource_manager_usage(man) > mgr->limit) {
		ret = -ENOSPC;
		goto err_fini;
	}
	ret = pddgpu_gtt_insert(mgr, &gres->node, PFN_UP(gres->base.size),
				max_t(u64, bo->page_alignment, 1), place->fpfn,
				min(end, mgr->aperture_pages));
	if (ret)
		goto err_fini;

	gres->base.start = gres->node.start;
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

	spin_lock(&mgr->lock);
	if (drm_mm_node_allocated(&gres->node))
		drm_mm_remove_node(&gres->node);
	spin_unlock(&mgr->lock);

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
	mgr->ttm = ttm;
	mgr->aperture_pages = aperture >> PAGE_SHIFT;
	mgr->limit = min(aperture, limit);
	mgr->retry.count = PDDGPU_GTT_ALLOC_RETRY_COUNT;
	mgr->retry.delay_ms = PDDGPU_GTT_ALLOC_RETRY_DELAY;
	spin_lock_init(&mgr->lock);
	drm_mm_init(&mgr->mm, 0, mgr->aperture_pages);

	mgr->manager.use_tt = true;
	mgr->manager.func = &pddgpu_gtt_mgr_func;
	ttm_resource_manager_init(&mgr->manager, ttm, mgr->limit);
	ttm_set_driver_manager(ttm, TTM_PL_TT, &mgr->manager);
	ttm_resource_manager_set_used(&mgr->manager, true);

	return drmm_add_action_or_reset(drm, pddgpu_gtt_mgr_fini, mgr);
}

/**
 * pddgpu_gtt_has_address() - does a resource have a place in the aperture?
 * @res: a resource of the GTT manager
 *
 * Return: false for a temporary one.
 */
bool pddgpu_gtt_has_address(struct ttm_resource *res)
{
	return drm_mm_node_allocated(&to_pddgpu_gtt_resource(res)->node);
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

	if (used + (pages << PAGE_SHIFT) > mgr->limit)
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
