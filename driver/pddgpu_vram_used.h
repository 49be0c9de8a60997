/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What VRAM holds when the card is switched off, and when it comes back.
 */
#ifndef PDDGPU_VRAM_USED_H
#define PDDGPU_VRAM_USED_H

struct pddgpu_vram_mgr;

int pddgpu_vram_mgr_used(struct pddgpu_vram_mgr *mgr, unsigned long *used);
int pddgpu_vram_mgr_forget_clear(struct pddgpu_vram_mgr *mgr);

#endif /* PDDGPU_VRAM_USED_H */
