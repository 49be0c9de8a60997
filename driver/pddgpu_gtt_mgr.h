/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The GTT manager: TTM's resource manager for addresses in the GTT aperture, on
 * drm_mm (requirements B2, B3, B5, B6).
 */
#ifndef PDDGPU_GTT_MGR_H
#define PDDGPU_GTT_MGR_H

#include <linux/types.h>

struct drm_device;
struct pddgpu_gtt_mgr;
struct pddgpu_retry;
struct ttm_device;
struct ttm_resource;
struct ttm_resource_manager;

struct pddgpu_gtt_mgr *pddgpu_gtt_mgr_create(struct drm_device *drm);
int pddgpu_gtt_mgr_init(struct pddgpu_gtt_mgr *mgr, struct drm_device *drm,
			struct ttm_device *ttm, u64 aperture, u64 limit);

int pddgpu_gtt_mgr_reserve(struct pddgpu_gtt_mgr *mgr, u64 pages, u64 align,
			   u64 *first_page);
bool pddgpu_gtt_mgr_has_room(struct pddgpu_gtt_mgr *mgr, u64 pages, u64 align);
bool pddgpu_gtt_has_address(struct ttm_resource *res);
struct ttm_resource_manager *pddgpu_gtt_mgr_to_ttm(struct pddgpu_gtt_mgr *mgr);
struct pddgpu_retry *pddgpu_gtt_mgr_retry(struct pddgpu_gtt_mgr *mgr);
u64 pddgpu_gtt_mgr_size(struct pddgpu_gtt_mgr *mgr);
u64 pddgpu_gtt_mgr_usage(struct pddgpu_gtt_mgr *mgr);

#endif /* PDDGPU_GTT_MGR_H */
