/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_SUBMIT_OP_H
#define PDDGPU_SUBMIT_OP_H

#include <linux/types.h>

struct drm_pddgpu_submit_op;
struct pddgpu_batch;
struct pddgpu_bo;
struct pddgpu_device;

int pddgpu_submit_op_add(struct pddgpu_device *pdev, struct pddgpu_batch *batch,
			 const struct drm_pddgpu_submit_op *op, struct pddgpu_bo *to,
			 struct pddgpu_bo *from, u64 *done);

#endif /* PDDGPU_SUBMIT_OP_H */
