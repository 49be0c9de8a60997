/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Moving a buffer's content from one memory to another.
 */
#ifndef PDDGPU_MOVE_H
#define PDDGPU_MOVE_H

#include <linux/types.h>

struct pddgpu_device;
struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_resource;

int pddgpu_bo_move(struct ttm_buffer_object *tbo, bool evict,
		   struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
		   struct ttm_place *hop);
int pddgpu_move_access_vram(struct pddgpu_device *pdev, struct ttm_resource *res,
			    u64 offset, void *buf, u64 len, bool write);

#endif /* PDDGPU_MOVE_H */
