/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Moving a buffer's content from one memory to another.
 */
#ifndef PDDGPU_MOVE_H
#define PDDGPU_MOVE_H

#include <linux/types.h>

struct dma_fence;
struct pddgpu_batch;
struct pddgpu_device;
struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_resource;

int pddgpu_move_init(struct pddgpu_device *pdev);
bool pddgpu_move_by_cpu(void);
int pddgpu_move_batch_begin(struct pddgpu_device *pdev, struct pddgpu_batch *batch);
struct dma_fence *pddgpu_move_batch_end(struct pddgpu_device *pdev,
					struct pddgpu_batch *batch, int error);
int pddgpu_bo_move(struct ttm_buffer_object *tbo, bool evict,
		   struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
		   struct ttm_place *hop);

#endif /* PDDGPU_MOVE_H */
