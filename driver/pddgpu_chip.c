// SPDX-License-Identifier: GPL-2.0
#include <linux/log2.h>
#include <linux/mm.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <pddgpu_pte.h>

#include "pddgpu_chip.h"
#include "pddgpu_hw.h"

/**
 * struct pddgpu_chip_funcs - the chip function table (requirement D1)
 */
struct pddgpu_chip_funcs {
	/** @name: the chip's name */
	const char *name;
	/** @read_info: fill in what the chip says of itself; 0 or an errno */
	int (*read_info)(struct pddgpu_chip *chip);
	/** @set_page_directory: write a first-level entry */
	void (*set_page_directory)(struct pddgpu_hw *hw, u32 index, u64 entry);
};

static int pdd1000_read_info(struct pddgpu_chip *chip)
{
	struct pddgpu_hw *hw = chip->hw;
	u32 i;

	chip->rev = pddgpu_hw_read(hw, PDDGPU_CHIP_REV);
	chip->vram_size = pddgpu_hw_read64(hw, PDDGPU_VRAM_SIZE_LO);
	chip->gtt_size = pddgpu_hw_read64(hw, PDDGPU_GTT_SIZE_LO);
	chip->vram_start = pddgpu_hw_read64(hw, PDDGPU_VRAM_START_LO);
	chip->gtt_start = pddgpu_hw_read64(hw, PDDGPU_GTT_START_LO);
	chip->vram_visible_size = pddgpu_hw_read64(hw, PDDGPU_VRAM_VISIBLE_SIZE_LO);
	chip->vram_bar_offset = pddgpu_hw_read64(hw, PDDGPU_VRAM_BAR_OFFSET_LO);
	chip->pcie_mem_size = pddgpu_hw_read64(hw, PDDGPU_PCIE_MEM_SIZE_LO);
	chip->gart_table_size = pddgpu_hw_read(hw, PDDGPU_GART_TABLE_SIZE);

	chip->segment_count = min_t(u32, pddgpu_hw_read(hw, PDDGPU_SEGMENT_COUNT),
				    PDDGPU_SEGMENT_MAX);
	for (i = 0; i < chip->segment_count; i++) {
		u32 desc = PDDGPU_SEGMENT_DESC + i * PDDGPU_SEGMENT_STRIDE;

		chip->segments[i].kind =
			pddgpu_hw_read(hw, desc + PDDGPU_SEGMENT_KIND);
		chip->segments[i].base =
			pddgpu_hw_read64(hw, desc + PDDGPU_SEGMENT_BASE_LO);
		chip->segments[i].size =
			pddgpu_hw_read64(hw, desc + PDDGPU_SEGMENT_SIZE_LO);
	}
	return 0;
}

static void pdd1000_set_page_directory(struct pddgpu_hw *hw, u32 index, u64 entry)
{
	pddgpu_hw_write64(hw, PDDGPU_MMIO_MMU_START_ADDRESS +
			  index * PDDGPU_MMU_ENTRY_SIZE, entry);
}

/* The family differs in sizes alone, which the registers tell. */
static const struct pddgpu_chip_funcs pdd1000_funcs = {
	.name = "PDD1000",
	.read_info = pdd1000_read_info,
	.set_page_directory = pdd1000_set_page_directory,
};

static const struct pddgpu_chip_funcs pdd2000_funcs = {
	.name = "PDD2000",
	.read_info = pdd1000_read_info,
	.set_page_directory = pdd1000_set_page_directory,
};

static const struct pddgpu_chip_funcs pdd3000_funcs = {
	.name = "PDD3000",
	.read_info = pdd1000_read_info,
	.set_page_directory = pdd1000_set_page_directory,
};

static const struct pddgpu_chip_funcs *pddgpu_chip_find(u32 id)
{
	switch (id) {
	case PDDGPU_CHIP_PDD1000:
		return &pdd1000_funcs;
	case PDDGPU_CHIP_PDD2000:
		return &pdd2000_funcs;
	case PDDGPU_CHIP_PDD3000:
		return &pdd3000_funcs;
	default:
		return NULL;
	}
}

static bool pddgpu_chip_range_ok(u64 start, u64 size)
{
	const u64 end = BIT_ULL(PDDGPU_MMU_ADDR_BITS);

	return size && PAGE_ALIGNED(start | size) && start < end &&
	       size <= end - start;
}

/* A chip that contradicts itself would make the driver write past a BAR. */
static bool pddgpu_chip_sane(const struct pddgpu_chip *chip)
{
	return pddgpu_chip_range_ok(chip->vram_start, chip->vram_size) &&
	       pddgpu_chip_range_ok(chip->gtt_start, chip->gtt_size) &&
	       IS_ALIGNED(chip->gtt_start | chip->gtt_size, PDDGPU_MMU_LEAF_SIZE) &&
	       chip->vram_visible_size <= chip->vram_size &&
	       chip->pcie_mem_size >= PAGE_SIZE &&
	       chip->gart_table_size < chip->vram_visible_size &&
	       (chip->vram_start + chip->vram_size <= chip->gtt_start ||
		chip->gtt_start + chip->gtt_size <= chip->vram_start);
}

/**
 * pddgpu_chip_init() - find out which chip it is, and what it has
 * @drm: the DRM device
 * @hw: the card, reset
 *
 * Return: the chip, freed with @drm; -ENODEV for an unknown chip or a register
 * file of another major version, -EIO when what it says cannot be.
 */
struct pddgpu_chip *pddgpu_chip_init(struct drm_device *drm, struct pddgpu_hw *hw)
{
	struct pddgpu_chip *chip;
	int ret;

	chip = drmm_kzalloc(drm, sizeof(*chip), GFP_KERNEL);
	if (!chip)
		return ERR_PTR(-ENOMEM);

	chip->hw = hw;
	chip->id = pddgpu_hw_read(hw, PDDGPU_CHIP_ID);
	chip->spec_version = pddgpu_hw_read(hw, PDDGPU_SPEC_VERSION);
	chip->funcs = pddgpu_chip_find(chip->id);
	if (!chip->funcs || chip->spec_version >> PDDGPU_SPEC_MAJOR_SHIFT !=
	    PDDGPU_SPEC_VERSION_1_0 >> PDDGPU_SPEC_MAJOR_SHIFT) {
		drm_err(drm, "PDDGPU: unknown chip %#x, specification %#x\n",
			chip->id, chip->spec_version);
		return ERR_PTR(-ENODEV);
	}
	chip->name = chip->funcs->name;

	ret = chip->funcs->read_info(chip);
	if (ret)
		return ERR_PTR(ret);
	if (!pddgpu_chip_sane(chip)) {
		drm_err(drm, "PDDGPU: %s: its registers contradict each other\n",
			chip->name);
		return ERR_PTR(-EIO);
	}
	return chip;
}

/**
 * pddgpu_chip_limit_vram() - take a chip for one with less VRAM
 * @chip: the chip, before anybody else has looked at it
 * @size: bytes, a multiple of a page; no less than the driver itself needs. More than
 *	there is changes nothing
 *
 * A segment of which nothing is left is none any more.
 */
void pddgpu_chip_limit_vram(struct pddgpu_chip *chip, u64 size)
{
	u32 i, left = 0;
	u64 end;

	chip->vram_size = min(chip->vram_size, size);
	chip->vram_visible_size = min(chip->vram_visible_size, size);
	end = chip->vram_start + chip->vram_size;
	for (i = 0; i < chip->segment_count; i++) {
		struct pddgpu_segment segment = chip->segments[i];

		if (segment.kind == PDDGPU_SEGMENT_LOCAL) {
			if (segment.base >= end)
				continue;
			segment.size = min(segment.size, end - segment.base);
		}
		chip->segments[left++] = segment;
	}
	chip->segment_count = left;
}

/**
 * pddgpu_chip_system_memory() - how much PCIe memory the system gives
 * @chip: the chip
 * @ram_size: the machine's RAM in bytes
 *
 * Half the RAM, as TTM allows itself (ttm_device.c), but no more than the chip
 * can map (requirement D1).
 *
 * Return: bytes, a multiple of a page.
 */
u64 pddgpu_chip_system_memory(const struct pddgpu_chip *chip, u64 ram_size)
{
	return round_down(min(ram_size / 2, chip->pcie_mem_size), PAGE_SIZE);
}

/**
 * pddgpu_chip_set_page_directory() - write a first-level entry
 * @chip: the chip
 * @index: 0 to PDDGPU_MMU_L1_ENTRIES - 1
 * @entry: the entry; the TLB must be flushed afterwards
 */
void pddgpu_chip_set_page_directory(const struct pddgpu_chip *chip, u32 index,
				    u64 entry)
{
	chip->funcs->set_page_directory(chip->hw, index, entry);
}
