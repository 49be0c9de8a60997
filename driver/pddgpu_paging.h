/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The paging segment: a window in the aperture through which the engine copies
 * between VRAM and system pages that have no place there (requirement D2).
 */
#ifndef PDDGPU_PAGING_H
#define PDDGPU_PAGING_H

#include <linux/types.h>

struct pddgpu_device;
struct ttm_resource;
struct ttm_tt;

int pddgpu_paging_init(struct pddgpu_device *pdev);
int pddgpu_paging_copy(struct pddgpu_device *pdev, struct ttm_resource *vram,
		       struct ttm_tt *tt, bool to_vram);

#endif /* PDDGPU_PAGING_H */
