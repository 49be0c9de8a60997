/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free VRAM that is not clear, for the one who clears it.
 */
#ifndef PDDGPU_VRAM_CLEAR_H
#define PDDGPU_VRAM_CLEAR_H

#include <linux/types.h>

struct list_head;
struct pddgpu_vram_mgr;

int pddgpu_vram_mgr_stale(struct pddgpu_vram_mgr *mgr, bool due);
int pddgpu_vram_mgr_take_stale(struct pddgpu_vram_mgr *mgr, u64 most, bool due,
			       struct list_head *blocks);
void pddgpu_vram_mgr_return_stale(struct pddgpu_vram_mgr *mgr, struct list_head *blocks,
				  bool clear, u32 losses);
void pddgpu_vram_mgr_on_stale(struct pddgpu_vram_mgr *mgr,
			      void (*notify)(void *data, bool now), void *data);

#endif /* PDDGPU_VRAM_CLEAR_H */
