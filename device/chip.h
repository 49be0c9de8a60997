/* SPDX-License-Identifier: MIT */
/* The chip: its blocks put together, and what concerns all of them. */
#ifndef PDD_CHIP_H
#define PDD_CHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "irq.h"
#include "mem.h"
#include "mmu.h"
#include "options.h"
#include "regs.h"
#include "stats.h"

/**
 * struct chip - the chip
 * @options: what it was made with
 * @mem: VRAM and guest RAM
 * @regs: the register file
 * @stats: counters
 * @mmu: address translation
 * @irq: status, faults, interrupts
 * @engine: the copy engines
 * @doorbell: eventfd that the guest rings after it has written a register
 * @spare_doorbell: eventfd for the vectors that mean nothing; nobody reads it
 * @identity: what the registers hold after a reset
 * @tlb_done: TLB_FLUSH_DONE as the device knows it
 * @ready: the last reset succeeded; else nothing but a reset is answered
 * @fail_resets: so many chip resets fail (a fault of the control channel)
 * @lose_vram: the next good reset loses VRAM (likewise)
 *
 * Its functions are called by the control thread alone; the engines' threads
 * and their memory are behind the engines' own locks.
 */
struct chip {
	const struct options *options;
	struct mem mem;
	struct regs regs;
	struct stats stats;
	struct mmu mmu;
	struct irq irq;
	struct engine engine[PDDGPU_ENGINE_COUNT];
	int doorbell;
	int spare_doorbell;
	uint32_t identity[PDDGPU_REG_FILE_SIZE / 4];
	uint32_t tlb_done;
	bool ready;
	uint64_t fail_resets;
	bool lose_vram;
};

int chip_init(struct chip *chip, const struct options *options);
int chip_start(struct chip *chip);
void chip_fini(struct chip *chip);
void chip_doorbell(struct chip *chip);
void chip_power_cycle(struct chip *chip);
void chip_all_ones(struct chip *chip);
void chip_restore_registers(struct chip *chip);
void chip_clear_faults(struct chip *chip);

#endif
