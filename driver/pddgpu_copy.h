/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copying by the CPU.
 */
#ifndef PDDGPU_COPY_H
#define PDDGPU_COPY_H

#include <linux/types.h>

struct pddgpu_device;
struct ttm_resource;
struct ttm_tt;

int pddgpu_copy_clear(struct pddgpu_device *pdev, struct ttm_resource *res);
int pddgpu_copy_pages(struct pddgpu_device *pdev,
		      struct ttm_resource *res, struct ttm_tt *tt, bool to_vram);
int pddgpu_copy_vram(struct pddgpu_device *pdev,
		     struct ttm_resource *from, struct ttm_resource *to);
int pddgpu_copy_access_vram(struct pddgpu_device *pdev, struct ttm_resource *res,
			    u64 offset, void *buf, u64 len, bool write);
void pddgpu_copy_access_pages(struct ttm_tt *tt, u64 offset, void *buf, u64 len,
			      bool write);

#endif /* PDDGPU_COPY_H */
