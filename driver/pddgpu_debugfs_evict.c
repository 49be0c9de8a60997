// SPDX-License-Identifier: GPL-2.0
/*
 * The files in debugfs that empty a segment when they are read, as amdgpu's do: what
 * they show is 0 or an errno.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "pddgpu_debugfs_evict.h"
#include "pddgpu_device.h"
#include "pddgpu_residency.h"

static int evict_show(struct seq_file *m, u32 domain)
{
	int ret = pddgpu_residency_evict(m->private, domain);

	/* What ends the reading itself is no result */
	if (ret == -EINTR || ret == -ERESTARTSYS || ret == -ENODEV)
		return ret;
	seq_printf(m, "%d\n", ret);
	return 0;
}

static int evict_vram_show(struct seq_file *m, void *unused)
{
	return evict_show(m, PDDGPU_GEM_DOMAIN_VRAM);
}

static int evict_gtt_show(struct seq_file *m, void *unused)
{
	return evict_show(m, PDDGPU_GEM_DOMAIN_GTT);
}

static int evict_open(struct inode *inode, struct file *file,
		      int (*show)(struct seq_file *m, void *unused))
{
	/* Root is not stopped by a file's mode */
	if (file->f_mode & FMODE_WRITE)
		return -EACCES;
	return single_open(file, show, inode->i_private);
}

static int evict_vram_open(struct inode *inode, struct file *file)
{
	return evict_open(inode, file, evict_vram_show);
}

static int evict_gtt_open(struct inode *inode, struct file *file)
{
	return evict_open(inode, file, evict_gtt_show);
}

static const struct file_operations evict_vram_fops = {
	.owner = THIS_MODULE,
	.open = evict_vram_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static const struct file_operations evict_gtt_fops = {
	.owner = THIS_MODULE,
	.open = evict_gtt_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * pddgpu_debugfs_evict_init() - make a card's files that empty a segment
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_evict_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("evict_vram", 0400, root, pdev, &evict_vram_fops);
	debugfs_create_file("evict_gtt", 0400, root, pdev, &evict_gtt_fops);
}
