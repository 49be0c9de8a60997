/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System memory that buffers hold: its limit, and its way to the kernel's swap.
 */
#ifndef PDDGPU_SWAP_H
#define PDDGPU_SWAP_H

#include <linux/types.h>

struct pddgpu_device;
struct pddgpu_tt;
struct ttm_buffer_object;
struct ttm_operation_ctx;

int pddgpu_swap_init(struct pddgpu_device *pdev);
void pddgpu_swap_flush(struct pddgpu_device *pdev);

int pddgpu_swap_charge(struct pddgpu_device *pdev, u64 bytes);
void pddgpu_swap_uncharge(struct pddgpu_device *pdev, u64 bytes);
bool pddgpu_swap_has_pages(struct pddgpu_device *pdev, u64 bytes);
bool pddgpu_swap_has_room(struct pddgpu_device *pdev, u64 bytes);
int pddgpu_swap_out_some(struct pddgpu_device *pdev, struct ttm_operation_ctx *ctx);

void pddgpu_swap_began(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo);
void pddgpu_swap_populated(struct pddgpu_device *pdev, struct pddgpu_tt *tt);
void pddgpu_swap_unpopulated(struct pddgpu_device *pdev, struct pddgpu_tt *tt);
void pddgpu_swap_destroyed(struct pddgpu_device *pdev, struct pddgpu_tt *tt);
u64 pddgpu_swap_bytes(struct pddgpu_device *pdev);

#endif /* PDDGPU_SWAP_H */
