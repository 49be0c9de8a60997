// SPDX-License-Identifier: GPL-2.0
/*
 * The file in debugfs about resets: it counts them, and asks for one.
 */
#include <linux/debugfs.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "pddgpu_debugfs_reset.h"
#include "pddgpu_device.h"
#include "pddgpu_reset.h"

/* The longest number that is read, with a sign, a newline and room to spare */
#define PDDGPU_RESET_TEXT_MAX	32

static const char *reset_state_name(u32 state)
{
	switch (state) {
	case PDDGPU_DEVICE_STATE_INITIALIZING:
		return "initializing";
	case PDDGPU_DEVICE_STATE_READY:
		return "ready";
	case PDDGPU_DEVICE_STATE_WEDGED:
		return "wedged";
	default:
		return "shutdown";
	}
}

static int reset_show(struct seq_file *m, void *unused)
{
	struct pddgpu_device *pdev = m->private;
	struct pddgpu_reset_info info;

	pddgpu_reset_get_info(pdev, &info);
	seq_printf(m, "state: %s\n", reset_state_name(pddgpu_device_state(pdev)));
	seq_printf(m, "engines_lost: %u\n", hweight32(info.lost));
	seq_printf(m, "engine_resets: %llu\n", info.engine_resets);
	seq_printf(m, "chip_resets: %llu\n", info.chip_resets);
	seq_printf(m, "chip_resets_failed: %llu\n", info.chip_resets_failed);
	seq_printf(m, "vram_lost: %llu\n", info.vram_lost);
	seq_printf(m, "last_chip_reset_us: %llu\n", info.last_us);
	return 0;
}

static int reset_open(struct inode *inode, struct file *file)
{
	return single_open(file, reset_show, inode->i_private);
}

static ssize_t reset_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct pddgpu_device *pdev = ((struct seq_file *)file->private_data)->private;
	char text[PDDGPU_RESET_TEXT_MAX];
	u64 value;
	int ret;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	text[len] = '\0';
	/* All of it has to be the number: nothing hides behind a NUL */
	if (strlen(text) != len)
		return -EINVAL;
	ret = kstrtou64(text, 10, &value);
	if (!ret && value != 1)
		ret = -ERANGE;
	if (!ret)
		ret = pddgpu_reset_now(pdev);
	return ret ?: len;
}

static const struct file_operations reset_fops = {
	.owner = THIS_MODULE,
	.open = reset_open,
	.read = seq_read,
	.write = reset_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * pddgpu_debugfs_reset_init() - make a card's file about resets
 * @pdev: the device
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_reset_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("reset", 0600, root, pdev, &reset_fops);
}
