/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the chip is: its name, its memories, its segments (requirement D1).
 */
#ifndef PDDGPU_CHIP_H
#define PDDGPU_CHIP_H

#include <linux/types.h>

#include <pddgpu_regs.h>

struct drm_device;
struct pddgpu_hw;

/**
 * struct pddgpu_segment - a range of GPU addresses
 */
struct pddgpu_segment {
	/** @kind: PDDGPU_SEGMENT_LOCAL and so on */
	u32 kind;
	/** @base: GPU address */
	u64 base;
	/** @size: bytes */
	u64 size;
};

struct pddgpu_chip_funcs;

/**
 * struct pddgpu_chip - what the chip says it is; constant after init
 */
struct pddgpu_chip {
	/** @funcs: what this kind of chip does in its own way */
	const struct pddgpu_chip_funcs *funcs;
	/** @hw: the card */
	struct pddgpu_hw *hw;
	/** @name: for people */
	const char *name;
	/** @id: PDDGPU_CHIP_PDD1000 and so on */
	u32 id;
	/** @rev: revision */
	u32 rev;
	/** @spec_version: major << 16 | minor */
	u32 spec_version;
	/** @segment_count: how many of @segments there are */
	u32 segment_count;
	/** @segments: as the chip lists them */
	struct pddgpu_segment segments[PDDGPU_SEGMENT_MAX];
	/** @vram_start: GPU address */
	u64 vram_start;
	/** @vram_size: bytes */
	u64 vram_size;
	/** @vram_visible_size: bytes the CPU reaches */
	u64 vram_visible_size;
	/** @vram_bar_offset: where visible VRAM begins in the memory BAR */
	u64 vram_bar_offset;
	/** @gtt_start: GPU address */
	u64 gtt_start;
	/** @gtt_size: bytes of the aperture */
	u64 gtt_size;
	/** @pcie_mem_size: bytes of system memory the chip can map */
	u64 pcie_mem_size;
	/** @gart_table_size: bytes of VRAM the page tables take */
	u32 gart_table_size;
};

struct pddgpu_chip *pddgpu_chip_init(struct drm_device *drm, struct pddgpu_hw *hw);
u64 pddgpu_chip_system_memory(const struct pddgpu_chip *chip, u64 ram_size);
void pddgpu_chip_limit_vram(struct pddgpu_chip *chip, u64 size);
void pddgpu_chip_set_page_directory(const struct pddgpu_chip *chip, u32 index,
				    u64 entry);

#endif /* PDDGPU_CHIP_H */
