/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An engine's command ring: packets, as docs/device.md has them.
 */
#ifndef PDDGPU_RING_H
#define PDDGPU_RING_H

#include <linux/types.h>

struct pddgpu_hw;
struct pddgpu_job;

/**
 * struct pddgpu_ring - where packets are written
 */
struct pddgpu_ring {
	/** @hw: the card */
	struct pddgpu_hw *hw;
	/** @offset: of the ring in VRAM; constant */
	u64 offset;
	/**
	 * @wptr: where the next packet goes. The scheduler's submission work
	 * alone writes the ring; recovery does while that is stopped.
	 */
	u32 wptr;
};

void pddgpu_ring_put_flush(struct pddgpu_ring *ring);
void pddgpu_ring_put_work(struct pddgpu_ring *ring, const struct pddgpu_job *job);
void pddgpu_ring_put_fill(struct pddgpu_ring *ring, u64 addr, u64 bytes, u32 pattern);
void pddgpu_ring_put_fence(struct pddgpu_ring *ring, u64 addr, u64 number);

#endif /* PDDGPU_RING_H */
