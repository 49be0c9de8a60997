/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The card's PCI side: registers, doorbells, requests that the device answers,
 * and the CPU's window into VRAM.
 */
#ifndef PDDGPU_HW_H
#define PDDGPU_HW_H

#include <linux/types.h>

struct drm_device;
struct pci_dev;
struct pddgpu_hw;

/**
 * struct pddgpu_hw_watch - who is told about the card; in any context
 */
struct pddgpu_hw_watch {
	/** @gone: the card is gone; called once */
	void (*gone)(void *data);
	/** @doubt: somebody has waited for it for long */
	void (*doubt)(void *data);
	/** @data: their argument */
	void *data;
};

struct pddgpu_hw *pddgpu_hw_init(struct drm_device *drm, struct pci_dev *pci);
int pddgpu_hw_map_vram(struct pddgpu_hw *hw, u64 bar_offset, u64 size);

u32 pddgpu_hw_read(struct pddgpu_hw *hw, u32 reg);
u64 pddgpu_hw_read64(struct pddgpu_hw *hw, u32 reg_lo);
void pddgpu_hw_write(struct pddgpu_hw *hw, u32 reg, u32 value);
void pddgpu_hw_write64(struct pddgpu_hw *hw, u32 reg_lo, u64 value);
void pddgpu_hw_doorbell(struct pddgpu_hw *hw, u32 number);

bool pddgpu_hw_present(struct pddgpu_hw *hw);
void pddgpu_hw_watch(struct pddgpu_hw *hw, const struct pddgpu_hw_watch *watch);
bool pddgpu_hw_look(struct pddgpu_hw *hw);
void pddgpu_hw_doubt(struct pddgpu_hw *hw);
void pddgpu_hw_halt(struct pddgpu_hw *hw);
int pddgpu_hw_ping(struct pddgpu_hw *hw);
int pddgpu_hw_reset(struct pddgpu_hw *hw);
bool pddgpu_hw_vram_lost(struct pddgpu_hw *hw);
void pddgpu_hw_silence(struct pddgpu_hw *hw);
int pddgpu_hw_reset_engine(struct pddgpu_hw *hw, u32 engine);
int pddgpu_hw_enable_memory(struct pddgpu_hw *hw);
int pddgpu_hw_flush_tlb(struct pddgpu_hw *hw);

void __iomem *pddgpu_hw_vram(struct pddgpu_hw *hw);
phys_addr_t pddgpu_hw_vram_phys(struct pddgpu_hw *hw);

#endif /* PDDGPU_HW_H */
