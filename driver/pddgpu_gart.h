/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The GART: page tables in VRAM through which the chip sees system pages in the
 * GTT aperture (requirements D3, D4).
 */
#ifndef PDDGPU_GART_H
#define PDDGPU_GART_H

#include <linux/list.h>
#include <linux/types.h>

struct drm_device;
struct page;
struct pddgpu_chip;
struct pddgpu_gart;
struct pddgpu_hw;
struct pddgpu_vram_mgr;
struct sg_table;

/**
 * struct pddgpu_gart_binding - system pages mapped for the chip
 *
 * Embedded in the owner, zeroed before first use.
 */
struct pddgpu_gart_binding {
	/** @link: in the GART's list of bindings, under its lock */
	struct list_head link;
	/** @sgt: the pages' bus addresses; NULL when not bound */
	struct sg_table *sgt;
	/** @first_page: page number in the aperture */
	u64 first_page;
	/** @pages: how many */
	u64 pages;
	/** @flags: of their page table entries */
	u64 flags;
	/** @owns_sgt: bound from pages: @sgt is unmapped and freed with it */
	bool owns_sgt;
};

/* Levels of the page tables */
#define PDDGPU_GART_LEVELS	3

struct pddgpu_gart *pddgpu_gart_init(struct drm_device *drm, struct pddgpu_hw *hw,
				     const struct pddgpu_chip *chip,
				     struct pddgpu_vram_mgr *vram_mgr);

int pddgpu_gart_bind_pages(struct pddgpu_gart *gart,
			   struct pddgpu_gart_binding *binding, u64 first_page,
			   struct page **pages, u32 count, bool snooped);
int pddgpu_gart_bind_sgt(struct pddgpu_gart *gart,
			 struct pddgpu_gart_binding *binding, u64 first_page,
			 struct sg_table *sgt, u32 count, bool snooped);
void pddgpu_gart_unbind(struct pddgpu_gart *gart,
			struct pddgpu_gart_binding *binding);
int pddgpu_gart_restore(struct pddgpu_gart *gart);
u64 pddgpu_gart_generation(struct pddgpu_gart *gart);
struct page *pddgpu_gart_page(struct pddgpu_gart *gart, u64 addr);
u32 pddgpu_gart_read_entries(struct pddgpu_gart *gart, u64 addr, u64 *entries);
void pddgpu_gart_unplug(struct pddgpu_gart *gart);

#endif /* PDDGPU_GART_H */
