/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which buffers have lost what they held with VRAM.
 */
#ifndef PDDGPU_LOSS_H
#define PDDGPU_LOSS_H

#include <linux/types.h>

struct dma_fence;
struct pddgpu_bo;
struct pddgpu_device;

bool pddgpu_loss_check(struct pddgpu_device *pdev, struct pddgpu_bo *bo);
void pddgpu_loss_forget(struct pddgpu_device *pdev, struct pddgpu_bo *bo);
void pddgpu_loss_left(struct pddgpu_device *pdev, struct pddgpu_bo *bo, u32 losses);
void pddgpu_loss_leaving(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			 struct dma_fence *fence, u32 losses);
void pddgpu_loss_fini(struct pddgpu_bo *bo);

#endif /* PDDGPU_LOSS_H */
