/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A card of plain memory: registers, visible VRAM, and what a chip does when a
 * doorbell rings, as docs/device.md has it, as far as the tests need that.
 */
#ifndef PDDGPU_KUNIT_CARD_H
#define PDDGPU_KUNIT_CARD_H

#include <linux/types.h>

#include <pddgpu_regs.h>

struct drm_device;
struct kunit;
struct pddgpu_hw;
struct pddgpu_kunit_card;

/* GPU addresses, as of every chip of the family */
#define PDDGPU_KUNIT_VRAM_START	0x0800000000ull
#define PDDGPU_KUNIT_GTT_START	0x2000000000ull

/**
 * struct pddgpu_kunit_walk - where a GPU address leads
 */
struct pddgpu_kunit_walk {
	/** @entry: the entry that says so; of the level at which the walk ended */
	u64 entry;
	/** @addr: bus address of the byte; U64_MAX when it leads nowhere */
	u64 addr;
	/** @level: of @entry */
	u32 level;
	/** @fault: PDDGPU_FAULT_*; 0 for none */
	u32 fault;
};

/**
 * struct pddgpu_kunit_card - the card
 */
struct pddgpu_kunit_card {
	/** @drm: the device that it is */
	struct drm_device *drm;
	/** @hw: what the driver has of it */
	struct pddgpu_hw *hw;
	/** @doorbell: BAR0, of which one register does something */
	u32 doorbell[64];
	/** @regs: the register file */
	void *regs;
	/** @vram: its visible VRAM */
	void *vram;
	/** @vram_visible: bytes of @vram */
	u64 vram_visible;
	/** @vram_size: bytes of VRAM */
	u64 vram_size;
	/** @gtt_size: bytes of the aperture */
	u64 gtt_size;
	/** @silent: it answers no request */
	bool silent;
	/** @deaf: so many doorbells it does not hear */
	u32 deaf;
	/** @gone: it falls off the bus at the next doorbell */
	bool gone;
	/** @fail_reset: resets fail */
	bool fail_reset;
	/** @lose_vram: a chip reset loses what VRAM held */
	bool lose_vram;
	/** @flushes: TLB flushes by register */
	u32 flushes;
	/** @resets: good resets, of the chip or an engine */
	u32 resets;
	/** @rings: how often each doorbell was rung */
	u32 rings[4];
	/** @ring: called when an engine's doorbell has rung; or NULL */
	void (*ring)(struct pddgpu_kunit_card *card, u32 engine);
	/** @data: the test's */
	void *data;
};

struct pddgpu_kunit_card *pddgpu_kunit_card_init(struct kunit *test, struct drm_device *drm,
						 u64 vram_size, u64 vram_visible, u64 gtt_size);
void pddgpu_kunit_card_publish(struct pddgpu_kunit_card *card);
u32 pddgpu_kunit_card_get(struct pddgpu_kunit_card *card, u32 reg);
void pddgpu_kunit_card_set(struct pddgpu_kunit_card *card, u32 reg, u32 value);
void pddgpu_kunit_card_set64(struct pddgpu_kunit_card *card, u32 reg, u64 value);
void pddgpu_kunit_card_walk(struct pddgpu_kunit_card *card, u64 gpu_addr,
			    struct pddgpu_kunit_walk *walk);

#endif /* PDDGPU_KUNIT_CARD_H */
