/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The GTT manager: TTM's resource manager for addresses in the GTT aperture, on
 * drm_mm (requirements B2, B3, B5, B6).
 */
#ifndef PDDGPU_GTT_MGR_H
#define PDDGPU_GTT_MGR_H

#include <linux/types.h>

#include "pddgpu_health.h"

struct drm_device;
struct pddgpu_gtt_mgr;
struct pddgpu_retry;
struct ttm_device;
struct ttm_resource;
struct ttm_resource_manager;

/* Requirement C5: three times, 5 ms */
#define PDDGPU_GTT_ALLOC_RETRY_COUNT	3
#define PDDGPU_GTT_ALLOC_RETRY_DELAY	5

/**
 * struct pddgpu_gtt_stats - the GTT manager's figures (requirement C4)
 */
struct pddgpu_gtt_stats {
	/** @total_size: bytes that buffers may hold */
	u64 total_size;
	/** @used_size: bytes that hold addresses */
	u64 used_size;
	/** @buffers: places that buffers hold, those that they are leaving included */
	u64 buffers;
	/** @health: state and counts */
	struct pddgpu_health_stats health;
};

struct pddgpu_gtt_mgr *pddgpu_gtt_mgr_create(struct drm_device *drm);
int pddgpu_gtt_mgr_init(struct pddgpu_gtt_mgr *mgr, struct drm_device *drm,
			struct ttm_device *ttm, u64 aperture, u64 limit);
void pddgpu_gtt_mgr_shutdown(struct pddgpu_gtt_mgr *mgr);

int pddgpu_gtt_mgr_reserve(struct pddgpu_gtt_mgr *mgr, u64 pages, u64 align,
			   u64 *first_page);
bool pddgpu_gtt_mgr_has_room(struct pddgpu_gtt_mgr *mgr, u64 pages, u64 align);
bool pddgpu_gtt_has_address(struct ttm_resource *res);
struct ttm_resource_manager *pddgpu_gtt_mgr_to_ttm(struct pddgpu_gtt_mgr *mgr);
struct pddgpu_retry *pddgpu_gtt_mgr_retry(struct pddgpu_gtt_mgr *mgr);
u64 pddgpu_gtt_mgr_size(struct pddgpu_gtt_mgr *mgr);
u64 pddgpu_gtt_mgr_usage(struct pddgpu_gtt_mgr *mgr);

struct pddgpu_health *pddgpu_gtt_mgr_health(struct pddgpu_gtt_mgr *mgr);
bool pddgpu_gtt_mgr_is_healthy(struct pddgpu_gtt_mgr *mgr);
void pddgpu_gtt_mgr_get_stats(struct pddgpu_gtt_mgr *mgr, struct pddgpu_gtt_stats *stats);
int pddgpu_gtt_mgr_check(struct pddgpu_gtt_mgr *mgr);
int pddgpu_gtt_mgr_recover(struct pddgpu_gtt_mgr *mgr);
int pddgpu_gtt_mgr_inject(struct pddgpu_gtt_mgr *mgr, enum pddgpu_health_fault fault);

#endif /* PDDGPU_GTT_MGR_H */
