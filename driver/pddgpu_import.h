/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Imported buffers, whose pages another driver has mapped for this card.
 */
#ifndef PDDGPU_IMPORT_H
#define PDDGPU_IMPORT_H

struct dma_buf_attachment;
struct pddgpu_bo;
struct pddgpu_device;

void pddgpu_import_init(struct pddgpu_device *pdev);
void pddgpu_import_add(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
		       struct dma_buf_attachment *attach);
void pddgpu_import_destroy(struct pddgpu_device *pdev, struct pddgpu_bo *bo);
void pddgpu_import_unplug(struct pddgpu_device *pdev);

#endif /* PDDGPU_IMPORT_H */
