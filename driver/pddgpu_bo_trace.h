/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tracepoints tell of buffers. While they are off each of these costs a nop
 * besides what it does anyway.
 */
#ifndef PDDGPU_BO_TRACE_H
#define PDDGPU_BO_TRACE_H

#include <linux/types.h>

#include "pddgpu_leak.h"

struct pddgpu_bo;
struct pddgpu_device;
struct ttm_buffer_object;
struct ttm_operation_ctx;
struct ttm_place;
struct ttm_resource;

void pddgpu_bo_trace_created(struct pddgpu_device *pdev, struct pddgpu_bo *bo, u64 client);
void pddgpu_bo_trace_destroyed(struct pddgpu_device *pdev, struct pddgpu_bo *bo);
void pddgpu_bo_trace_state(struct pddgpu_bo *bo, enum pddgpu_leak_state now);
void pddgpu_bo_trace_freed(struct pddgpu_bo *bo, bool orphan);
int pddgpu_bo_trace_move(struct ttm_buffer_object *tbo, bool evict,
			 struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
			 struct ttm_place *hop);

#endif /* PDDGPU_BO_TRACE_H */
