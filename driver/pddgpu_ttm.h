/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What TTM asks of a driver: page arrays, eviction, CPU mappings.
 */
#ifndef PDDGPU_TTM_H
#define PDDGPU_TTM_H

#include <linux/mm.h>

#include <drm/ttm/ttm_tt.h>

#include "pddgpu_gart.h"

struct pddgpu_account_node;
struct pddgpu_device;

/**
 * struct pddgpu_tt - a buffer's system pages
 */
struct pddgpu_tt {
	/** @base: TTM's part */
	struct ttm_tt base;
	/** @binding: its place in the aperture */
	struct pddgpu_gart_binding binding;
	/** @swapping: TTM is about to write it to swap, see pddgpu_swap.c */
	bool swapping;
	/** @swapped: it is counted as being in swap */
	bool swapped;
	/** @account: the buffer's, while @swapping or @swapped */
	struct pddgpu_account_node *account;
};

static inline struct pddgpu_tt *to_pddgpu_tt(struct ttm_tt *tt)
{
	return container_of(tt, struct pddgpu_tt, base);
}

extern const struct vm_operations_struct pddgpu_ttm_vm_ops;

int pddgpu_ttm_init(struct pddgpu_device *pdev);
int pddgpu_ttm_init_evict(struct pddgpu_device *pdev);
int pddgpu_ttm_bind(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
		    struct ttm_resource *res);
void pddgpu_ttm_unbind(struct pddgpu_device *pdev, struct ttm_tt *tt);

#endif /* PDDGPU_TTM_H */
