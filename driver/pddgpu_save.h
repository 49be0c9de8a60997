/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A copy of what is in VRAM, for the time that the card is switched off.
 */
#ifndef PDDGPU_SAVE_H
#define PDDGPU_SAVE_H

#include <linux/types.h>

struct pddgpu_device;
struct pddgpu_save;

struct pddgpu_save *pddgpu_save_init(struct pddgpu_device *pdev);
int pddgpu_save_prepare(struct pddgpu_save *save);
int pddgpu_save_vram(struct pddgpu_save *save, u64 *bytes);
int pddgpu_save_restore(struct pddgpu_save *save);
void pddgpu_save_free(struct pddgpu_save *save);

#endif /* PDDGPU_SAVE_H */
