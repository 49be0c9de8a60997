/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The paging segment: a window in the aperture through which the engine copies
 * between VRAM and system pages that have no place there (requirement D2).
 */
#ifndef PDDGPU_PAGING_H
#define PDDGPU_PAGING_H

#include <linux/types.h>

struct page;
struct pddgpu_device;
struct ttm_resource;
struct ttm_tt;

/**
 * struct pddgpu_paging_set - pages of VRAM and as many of system memory
 */
struct pddgpu_paging_set {
	/** @used: a bit for each page of VRAM: whether it is one of them */
	const unsigned long *used;
	/** @end: how many bits there are */
	unsigned long end;
	/** @pages: the others, in the order of the bits that are set */
	struct page **pages;
};

int pddgpu_paging_init(struct pddgpu_device *pdev);
int pddgpu_paging_copy(struct pddgpu_device *pdev, struct ttm_resource *vram,
		       struct ttm_tt *tt, bool to_vram);
int pddgpu_paging_copy_set(struct pddgpu_device *pdev,
			   const struct pddgpu_paging_set *set, bool to_vram);

#endif /* PDDGPU_PAGING_H */
