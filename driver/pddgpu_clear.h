/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clearing free VRAM in the background.
 */
#ifndef PDDGPU_CLEAR_H
#define PDDGPU_CLEAR_H

struct pddgpu_device;

int pddgpu_clear_init(struct pddgpu_device *pdev);
void pddgpu_clear_start(struct pddgpu_device *pdev);
void pddgpu_clear_stop(struct pddgpu_device *pdev);

#endif /* PDDGPU_CLEAR_H */
