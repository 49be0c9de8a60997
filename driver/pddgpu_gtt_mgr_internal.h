/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the GTT manager share; nobody else includes this.
 */
#ifndef PDDGPU_GTT_MGR_INTERNAL_H
#define PDDGPU_GTT_MGR_INTERNAL_H

#include <linux/list.h>
#include <linux/spinlock.h>

#include <drm/drm_mm.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_gtt_mgr.h"
#include "pddgpu_health.h"
#include "pddgpu_vram_mgr.h"

/**
 * struct pddgpu_gtt_resource - addresses that a buffer holds
 */
struct pddgpu_gtt_resource {
	/** @base: TTM's part; its start is the page number in the aperture */
	struct ttm_resource base;
	/** @node: its addresses; under the manager's lock */
	struct drm_mm_node node;
	/** @live: in the manager's list; under its lock */
	struct list_head live;
	/** @placed: it has addresses; false for a temporary one; constant */
	bool placed;
};

/**
 * struct pddgpu_gtt_inject - faults that were asked for, by a test
 */
struct pddgpu_gtt_inject {
	/** @lost: an address that belongs to nobody, where allocated */
	struct drm_mm_node lost;
	/** @free: the next resource that is freed is to look wrong */
	bool free;
	/** @alloc: the next allocation is to fail */
	bool alloc;
};

/**
 * struct pddgpu_gtt_mgr - who allocates the GTT aperture
 */
struct pddgpu_gtt_mgr {
	/** @manager: TTM's part; counts bytes under the LRU lock */
	struct ttm_resource_manager manager;
	/** @ttm: the TTM device; constant */
	struct ttm_device *ttm;
	/** @health: state and counts */
	struct pddgpu_health health;
	/**
	 * @lock: guards what follows up to @inject; the LRU lock and the health's
	 * alone are taken inside
	 */
	spinlock_t lock;
	/** @mm: the aperture, in pages */
	struct drm_mm mm;
	/** @reserved: what the driver keeps for itself; allocated once at most */
	struct drm_mm_node reserved;
	/** @live: what buffers hold: the record apart from the allocator's */
	struct list_head live;
	/** @live_count: how many */
	u64 live_count;
	/** @live_pages: their sum */
	u64 live_pages;
	/** @inject: faults to come, for a test */
	struct pddgpu_gtt_inject inject;
	/** @aperture_pages: the aperture's size in pages; constant */
	u64 aperture_pages;
	/** @limit: bytes that buffers may use: what the system gives; constant with users */
	u64 limit;
	/** @retry: what to do about a transient failure */
	struct pddgpu_retry retry;
};

static inline struct pddgpu_gtt_resource *to_pddgpu_gtt_resource(struct ttm_resource *res)
{
	return container_of(res, struct pddgpu_gtt_resource, base);
}

int pddgpu_gtt_ready(struct pddgpu_gtt_mgr *mgr);
void pddgpu_gtt_hold(struct pddgpu_gtt_mgr *mgr, struct pddgpu_gtt_resource *gres);
void pddgpu_gtt_release(struct pddgpu_gtt_mgr *mgr, struct pddgpu_gtt_resource *gres);

extern const struct pddgpu_health_ops pddgpu_gtt_health_ops;

#endif /* PDDGPU_GTT_MGR_INTERNAL_H */
