/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resetting the chip.
 */
#ifndef PDDGPU_RESET_H
#define PDDGPU_RESET_H

#include <linux/types.h>

struct pddgpu_device;
struct pddgpu_recovery;
struct pddgpu_reset;

/**
 * struct pddgpu_reset_info - how often, and what came of it
 */
struct pddgpu_reset_info {
	/** @engine_resets: of an engine alone, good */
	u64 engine_resets;
	/** @chip_resets: of the chip, good */
	u64 chip_resets;
	/** @chip_resets_failed: of the chip, and it did not work afterwards */
	u64 chip_resets_failed;
	/** @vram_lost: of the good ones, those that lost VRAM */
	u64 vram_lost;
	/** @last_us: how long the last of the chip took, microseconds */
	u64 last_us;
	/** @lost: a bit for each engine whose work the CPU does now */
	u32 lost;
};

int pddgpu_reset_init(struct pddgpu_device *pdev);
const struct pddgpu_recovery *pddgpu_reset_recovery(struct pddgpu_device *pdev);
int pddgpu_reset_now(struct pddgpu_device *pdev);
void pddgpu_reset_stop(struct pddgpu_device *pdev);
void pddgpu_reset_forget(struct pddgpu_device *pdev);
void pddgpu_reset_hold(struct pddgpu_device *pdev);
void pddgpu_reset_go_on(struct pddgpu_device *pdev);
void pddgpu_reset_woken(struct pddgpu_device *pdev);
void pddgpu_reset_get_info(struct pddgpu_device *pdev, struct pddgpu_reset_info *info);

#endif /* PDDGPU_RESET_H */
