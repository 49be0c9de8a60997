/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The system goes to sleep, and wakes up.
 */
#ifndef PDDGPU_PM_H
#define PDDGPU_PM_H

#include <linux/pm.h>
#include <linux/types.h>

struct pddgpu_device;

/**
 * enum pddgpu_pm_phase - where the card is in it
 */
enum pddgpu_pm_phase {
	/** @PDDGPU_PM_ACTIVE: awake */
	PDDGPU_PM_ACTIVE,
	/** @PDDGPU_PM_PREPARING: VRAM is being emptied, users still work */
	PDDGPU_PM_PREPARING,
	/** @PDDGPU_PM_SUSPENDING: users are frozen, the rest is saved */
	PDDGPU_PM_SUSPENDING,
	/** @PDDGPU_PM_SUSPENDED: the chip has been reset and may lose power */
	PDDGPU_PM_SUSPENDED,
	/** @PDDGPU_PM_RESUMING: it is being brought back */
	PDDGPU_PM_RESUMING,
	/** @PDDGPU_PM_GONE: it did not come back, and is taken for removed */
	PDDGPU_PM_GONE,
};

/**
 * struct pddgpu_pm_info - what has come of it
 */
struct pddgpu_pm_info {
	/** @phase: where it is now */
	enum pddgpu_pm_phase phase;
	/** @suspends: how often it went to sleep */
	u64 suspends;
	/** @resumes: how often it woke up */
	u64 resumes;
	/** @failures: how often it refused to sleep, or did not come back */
	u64 failures;
	/** @last_error: of the last of @failures, negative; 0 when there was none */
	int last_error;
	/** @evicted: bytes that left VRAM for the last sleep, for good */
	u64 evicted;
	/** @saved: bytes that were copied, and copied back to where they were */
	u64 saved;
	/** @prepare_ms: how long the last time took before users were frozen */
	u64 prepare_ms;
	/** @suspend_ms: and then */
	u64 suspend_ms;
	/** @resume_ms: how long the last time took to come back */
	u64 resume_ms;
};

extern const struct dev_pm_ops pddgpu_pm_ops;

int pddgpu_pm_init(struct pddgpu_device *pdev);
void pddgpu_pm_get_info(struct pddgpu_device *pdev, struct pddgpu_pm_info *info);

#endif /* PDDGPU_PM_H */
