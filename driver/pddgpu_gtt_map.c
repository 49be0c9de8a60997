// SPDX-License-Identifier: GPL-2.0
/*
 * What lies where in the GTT aperture. drm_mm has its nodes in order of address, and
 * finds the one at an address: so a walk goes on where it was, whatever has become of
 * the nodes there.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/spinlock.h>

#include <drm/drm_mm.h>

#include "pddgpu_extent.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_gtt_mgr_internal.h"

static bool pddgpu_gtt_show(u64 first, u64 end, enum pddgpu_extent_kind kind,
			    struct ttm_resource *res, pddgpu_extent_fn fn, void *data)
{
	const struct pddgpu_extent extent = {
		.start = first << PAGE_SHIFT,
		.end = end << PAGE_SHIFT,
		.kind = kind,
		.res = res,
	};

	return fn(&extent, data);
}

static bool pddgpu_gtt_show_node(struct pddgpu_gtt_mgr *mgr, struct drm_mm_node *node,
				 u64 from, pddgpu_extent_fn fn, void *data)
{
	enum pddgpu_extent_kind kind = PDDGPU_EXTENT_KERNEL;
	struct ttm_resource *res = NULL;

	if (node != &mgr->reserved && node != &mgr->inject.lost) {
		kind = PDDGPU_EXTENT_RESOURCE;
		res = &container_of(node, struct pddgpu_gtt_resource, node)->base;
	}
	return pddgpu_gtt_show(max(from, node->start), node->start + node->size, kind, res,
			       fn, data);
}

/**
 * pddgpu_gtt_mgr_walk() - look at what lies where
 * @mgr: the manager
 * @from: offset to begin at, within the aperture; whole pages
 * @fn: called for each buffer's addresses, and for each hole; the first one is cut to
 *      begin at @from. Does not sleep, and has enough soon: others wait
 * @data: for @fn
 *
 * Takes the manager's lock until @fn has had enough. A buffer gives its addresses up
 * under that lock before it is freed, so what @fn sees is there. While the manager
 * recovers what is not in its record yet looks free.
 *
 * Return: where to go on; the size of the aperture at the end.
 */
u64 pddgpu_gtt_mgr_walk(struct pddgpu_gtt_mgr *mgr, u64 from, pddgpu_extent_fn fn,
			void *data)
{
	u64 at = from >> PAGE_SHIFT;
	struct drm_mm_node *node;
	bool more = true;

	spin_lock(&mgr->lock);
	drm_mm_for_each_node_in_range(node, &mgr->mm, at, mgr->aperture_pages) {
		if (node->start > at) {
			more = pddgpu_gtt_show(at, node->start, PDDGPU_EXTENT_FREE, NULL, fn,
					       data);
			at = node->start;
		}
		if (more) {
			more = pddgpu_gtt_show_node(mgr, node, at, fn, data);
			at = node->start + node->size;
		}
		if (!more)
			break;
	}
	if (more && at < mgr->aperture_pages) {
		pddgpu_gtt_show(at, mgr->aperture_pages, PDDGPU_EXTENT_FREE, NULL, fn, data);
		at = mgr->aperture_pages;
	}
	spin_unlock(&mgr->lock);
	return at << PAGE_SHIFT;
}

/**
 * pddgpu_gtt_mgr_aperture() - how many bytes of addresses there are
 * @mgr: the manager
 *
 * Return: bytes, those included that no buffer can have.
 */
u64 pddgpu_gtt_mgr_aperture(struct pddgpu_gtt_mgr *mgr)
{
	return mgr->aperture_pages << PAGE_SHIFT;
}
