/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Imported dma-bufs, whose pages another driver has mapped for this card.
 */
#ifndef PDDGPU_IMPORT_H
#define PDDGPU_IMPORT_H

struct dma_buf;
struct pddgpu_bo;
struct pddgpu_device;
struct pddgpu_import;
struct sg_table;

int pddgpu_import_init(struct pddgpu_device *pdev);
struct pddgpu_import *pddgpu_import_get(struct pddgpu_device *pdev, struct dma_buf *dma_buf);
void pddgpu_import_put(struct pddgpu_import *import);
struct sg_table *pddgpu_import_sgt(struct pddgpu_import *import);
void pddgpu_import_join(struct pddgpu_import *import, struct pddgpu_bo *bo);
void pddgpu_import_show(struct pddgpu_bo *bo);
void pddgpu_import_leave(struct pddgpu_bo *bo);
void pddgpu_import_unplug(struct pddgpu_device *pdev);

#endif /* PDDGPU_IMPORT_H */
