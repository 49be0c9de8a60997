/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupts: the ring that the chip writes its reasons into.
 */
#ifndef PDDGPU_IRQ_H
#define PDDGPU_IRQ_H

#include <linux/types.h>

struct drm_device;
struct pci_dev;
struct pddgpu_hw;
struct pddgpu_irq;

/**
 * struct pddgpu_irq_handler - what is called, in interrupt context
 */
struct pddgpu_irq_handler {
	/** @fences: fences of this engine may have signalled; more than once a time */
	void (*fences)(void *data, u32 engine);
	/** @fault: an engine has stopped; @status and @addr are the chip's FAULT registers */
	void (*fault)(void *data, u32 engine, u32 status, u64 addr);
	/** @data: their first argument */
	void *data;
};

#define PDDGPU_IRQ_RING_SIZE	0x4000u

struct pddgpu_irq *pddgpu_irq_init(struct drm_device *drm, struct pddgpu_hw *hw,
				   struct pci_dev *pci, u64 vram_start, u64 ring_offset);
int pddgpu_irq_start(struct pddgpu_irq *irq, const struct pddgpu_irq_handler *handler);
void pddgpu_irq_pause(struct pddgpu_irq *irq);
void pddgpu_irq_restart(struct pddgpu_irq *irq);
void pddgpu_irq_stop(struct pddgpu_irq *irq);
void pddgpu_irq_hold(struct pddgpu_irq *irq);
void pddgpu_irq_release(struct pddgpu_irq *irq);

#endif /* PDDGPU_IRQ_H */
