// SPDX-License-Identifier: GPL-2.0
/*
 * Files in debugfs about health: how the managers are, checking and recovering
 * them, and spoiling their records to see that done.
 */
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "pddgpu_debugfs_health.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_health.h"
#include "pddgpu_vram_mgr.h"

/* The longest line that is taken: two words and room to spare */
#define HEALTH_LINE_MAX			32

static const char *const fault_names[] = {
	[PDDGPU_HEALTH_FAULT_LOST] = "lost",
	[PDDGPU_HEALTH_FAULT_ACCOUNT] = "account",
	[PDDGPU_HEALTH_FAULT_FREE] = "free",
	[PDDGPU_HEALTH_FAULT_ALLOC] = "alloc",
	[PDDGPU_HEALTH_FAULT_RECOVER] = "recover",
	[PDDGPU_HEALTH_FAULT_OFF] = "off",
};

static_assert(ARRAY_SIZE(fault_names) == PDDGPU_HEALTH_FAULTS);

static void health_show_manager(struct seq_file *m, const char *name,
				const struct pddgpu_health_stats *stats)
{
	const struct pddgpu_health_counts *counts = &stats->counts;

	seq_printf(m, "%s_state: %s\n", name, pddgpu_health_state_name(stats->state));
	seq_printf(m, "%s_healthy: %u\n", name, stats->is_healthy);
	seq_printf(m, "%s_recovering: %u\n", name, stats->recovering);
	seq_printf(m, "%s_cause: %s\n", name, stats->cause[0] ? stats->cause : "-");
	seq_printf(m, "%s_cause_at_ms: %llu\n", name, stats->cause_at_ms);
	seq_printf(m, "%s_error_ms: %llu\n", name, stats->error_ms);
	seq_printf(m, "%s_allocations: %llu\n", name, counts->allocations);
	seq_printf(m, "%s_failures: %llu\n", name, counts->failures);
	seq_printf(m, "%s_retries: %llu\n", name, stats->retries);
	seq_printf(m, "%s_retries_helped: %llu\n", name, stats->retries_helped);
	seq_printf(m, "%s_errors: %llu\n", name, counts->errors);
	seq_printf(m, "%s_recoveries: %llu\n", name, counts->recoveries);
	seq_printf(m, "%s_recoveries_failed: %llu\n", name, counts->recoveries_failed);
	seq_printf(m, "%s_checks: %llu\n", name, counts->checks);
}

/**
 * pddgpu_debugfs_health_show() - print how the card and its managers are
 * @m: where to
 * @pdev: the device
 *
 * Return: 0.
 */
int pddgpu_debugfs_health_show(struct seq_file *m, struct pddgpu_device *pdev)
{
	struct pddgpu_vram_stats vram;
	struct pddgpu_gtt_stats gtt;

	pddgpu_vram_mgr_get_stats(pdev->vram_mgr, &vram);
	pddgpu_gtt_mgr_get_stats(pdev->gtt_mgr, &gtt);

	/* Its states are the first of the managers' */
	static_assert(PDDGPU_DEVICE_STATE_INITIALIZING == (u32)PDDGPU_HEALTH_INITIALIZING);
	static_assert(PDDGPU_DEVICE_STATE_READY == (u32)PDDGPU_HEALTH_READY);
	static_assert(PDDGPU_DEVICE_STATE_SHUTDOWN == (u32)PDDGPU_HEALTH_SHUTDOWN);
	seq_printf(m, "device_state: %s\n",
		   pddgpu_health_state_name(pddgpu_device_state(pdev)));
	seq_printf(m, "device_healthy: %u\n", pddgpu_device_ready(pdev) &&
		   vram.health.is_healthy && gtt.health.is_healthy);

	seq_printf(m, "vram_total_size: %llu\n", vram.total_size);
	seq_printf(m, "vram_used_size: %llu\n", vram.used_size);
	seq_printf(m, "vram_visible_used: %llu\n", vram.visible_used);
	seq_printf(m, "vram_buffers: %llu\n", vram.buffers);
	health_show_manager(m, "vram", &vram.health);
	seq_printf(m, "gtt_total_size: %llu\n", gtt.total_size);
	seq_printf(m, "gtt_used_size: %llu\n", gtt.used_size);
	seq_printf(m, "gtt_buffers: %llu\n", gtt.buffers);
	health_show_manager(m, "gtt", &gtt.health);
	return 0;
}

/* A line from userspace, without its end; to be freed, or an error. */
static char *health_read_line(const char __user *from, size_t len)
{
	char *line;

	if (!len || len > HEALTH_LINE_MAX)
		return ERR_PTR(-EINVAL);
	line = memdup_user_nul(from, len);
	if (IS_ERR(line))
		return line;
	/* Nothing hides behind a NUL */
	if (strlen(line) != len) {
		kfree(line);
		return ERR_PTR(-EINVAL);
	}
	if (line[len - 1] == '\n')
		line[len - 1] = '\0';
	return line;
}

/* Both are done, though the first fails */
static int health_both(struct pddgpu_device *pdev, const char *which,
		       int (*vram)(struct pddgpu_vram_mgr *mgr),
		       int (*gtt)(struct pddgpu_gtt_mgr *mgr))
{
	bool device = !strcmp(which, "device");
	int ret = -EINVAL, other;

	if (device || !strcmp(which, "vram"))
		ret = vram(pdev->vram_mgr);
	if (!device && strcmp(which, "gtt"))
		return ret;
	other = gtt(pdev->gtt_mgr);
	return device ? ret ?: other : other;
}

static ssize_t check_write(struct file *file, const char __user *from, size_t len,
			   loff_t *pos)
{
	char *line = health_read_line(from, len);
	int ret;

	if (IS_ERR(line))
		return PTR_ERR(line);
	ret = health_both(file->private_data, line, pddgpu_vram_mgr_check,
			  pddgpu_gtt_mgr_check);
	kfree(line);
	return ret ?: len;
}

static ssize_t recover_write(struct file *file, const char __user *from, size_t len,
			     loff_t *pos)
{
	char *line = health_read_line(from, len);
	int ret;

	if (IS_ERR(line))
		return PTR_ERR(line);
	ret = health_both(file->private_data, line, pddgpu_vram_mgr_recover,
			  pddgpu_gtt_mgr_recover);
	kfree(line);
	return ret ?: len;
}

static ssize_t inject_error_write(struct file *file, const char __user *from, size_t len,
				  loff_t *pos)
{
	struct pddgpu_device *pdev = file->private_data;
	char *line = health_read_line(from, len), *fault_name;
	int fault, ret = -EINVAL;

	if (IS_ERR(line))
		return PTR_ERR(line);
	fault_name = line;
	strsep(&fault_name, " ");
	fault = fault_name ? match_string(fault_names, ARRAY_SIZE(fault_names), fault_name) :
			     -EINVAL;
	if (fault >= 0 && !strcmp(line, "vram"))
		ret = pddgpu_vram_mgr_inject(pdev->vram_mgr, fault);
	else if (fault >= 0 && !strcmp(line, "gtt"))
		ret = pddgpu_gtt_mgr_inject(pdev->gtt_mgr, fault);
	kfree(line);
	return ret ?: len;
}

/* Root is not stopped by a file's mode */
static int health_open(struct inode *inode, struct file *file)
{
	return file->f_mode & FMODE_READ ? -EACCES : simple_open(inode, file);
}

static const struct file_operations check_fops = {
	.owner = THIS_MODULE,
	.open = health_open,
	.write = check_write,
};

static const struct file_operations recover_fops = {
	.owner = THIS_MODULE,
	.open = health_open,
	.write = recover_write,
};

static const struct file_operations inject_error_fops = {
	.owner = THIS_MODULE,
	.open = health_open,
	.write = inject_error_write,
};

/**
 * pddgpu_debugfs_health_init() - make a card's files about health
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_health_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("check", 0200, root, pdev, &check_fops);
	debugfs_create_file("recover", 0200, root, pdev, &recover_fops);
	debugfs_create_file("inject_error", 0200, root, pdev, &inject_error_fops);
}
