// SPDX-License-Identifier: GPL-2.0
/*
 * The file in debugfs about sleep.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "pddgpu_debugfs_pm.h"
#include "pddgpu_device.h"
#include "pddgpu_pm.h"

static const char *const phase_names[] = {
	[PDDGPU_PM_ACTIVE] = "active",
	[PDDGPU_PM_PREPARING] = "preparing",
	[PDDGPU_PM_SUSPENDING] = "suspending",
	[PDDGPU_PM_SUSPENDED] = "suspended",
	[PDDGPU_PM_RESUMING] = "resuming",
	[PDDGPU_PM_GONE] = "gone",
};

static int pm_state_show(struct seq_file *m, void *data)
{
	struct pddgpu_pm_info info;

	pddgpu_pm_get_info(m->private, &info);
	seq_printf(m, "state: %s\n", phase_names[info.phase]);
	seq_printf(m, "suspends: %llu\n", info.suspends);
	seq_printf(m, "resumes: %llu\n", info.resumes);
	seq_printf(m, "failures: %llu\n", info.failures);
	seq_printf(m, "last_error: %d\n", info.last_error);
	seq_printf(m, "evicted_bytes: %llu\n", info.evicted);
	seq_printf(m, "saved_bytes: %llu\n", info.saved);
	seq_printf(m, "prepare_ms: %llu\n", info.prepare_ms);
	seq_printf(m, "suspend_ms: %llu\n", info.suspend_ms);
	seq_printf(m, "resume_ms: %llu\n", info.resume_ms);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pm_state);

/**
 * pddgpu_debugfs_pm_init() - make a card's file about sleep
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_pm_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("pm_state", 0400, root, pdev, &pm_state_fops);
}
