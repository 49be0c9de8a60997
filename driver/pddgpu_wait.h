/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waiting for the engines: awake while it cannot take long, then asleep.
 */
#ifndef PDDGPU_WAIT_H
#define PDDGPU_WAIT_H

#include <linux/dma-resv.h>
#include <linux/types.h>

struct dma_fence;
struct pddgpu_device;
struct ttm_buffer_object;
struct ttm_operation_ctx;

void pddgpu_wait_awake(struct pddgpu_device *pdev, struct dma_resv *resv,
		       enum dma_resv_usage usage, bool interruptible);
int pddgpu_wait_fence(struct pddgpu_device *pdev, struct dma_fence *fence,
		      bool interruptible);
int pddgpu_wait_idle(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
		     struct ttm_operation_ctx *ctx);

#endif /* PDDGPU_WAIT_H */
