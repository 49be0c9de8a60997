// SPDX-License-Identifier: GPL-2.0
/*
 * leak_sites: where buffers are allocated, and how many that were allocated there exist.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/pddgpu_drm.h>

#include "pddgpu_debugfs_site.h"
#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_site.h"

/* Objects looked at in one go */
#define LEAK_SITES_BATCH	256

/**
 * struct leak_sites_reader - an open leak_sites
 */
struct leak_sites_reader {
	/** @sites: the device's; the open file keeps the device */
	struct pddgpu_sites *sites;
	/** @last: the last site that is shown */
	u32 last;
	/** @names: functions' */
	struct pddgpu_site_names names;
	/** @has: what there is of each */
	struct pddgpu_leak_count has[PDDGPU_SITES + 1];
};

static void *leak_sites_at(struct leak_sites_reader *reader, loff_t *pos)
{
	/* There are gaps */
	while (*pos && *pos <= reader->last && !pddgpu_site_nr(reader->sites, *pos))
		(*pos)++;
	return *pos <= reader->last ? pos : NULL;
}

static void *leak_sites_start(struct seq_file *m, loff_t *pos)
{
	return leak_sites_at(m->private, pos);
}

static void *leak_sites_next(struct seq_file *m, void *v, loff_t *pos)
{
	(*pos)++;
	return leak_sites_at(m->private, pos);
}

static void leak_sites_stop(struct seq_file *m, void *v)
{
}

static int leak_sites_show(struct seq_file *m, void *v)
{
	struct leak_sites_reader *reader = m->private;
	u32 site = *(loff_t *)v;

	if (!site) {
		seq_printf(m, "%-6s %-10s %-14s %s\n", "site", "objects", "bytes", "stack");
		return 0;
	}
	seq_printf(m, "%-6u %-10llu %-14llu ", site, reader->has[site].objects,
		   reader->has[site].bytes);
	pddgpu_site_show(reader->sites, &reader->names, m, site);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations leak_sites_ops = {
	.start = leak_sites_start,
	.next = leak_sites_next,
	.stop = leak_sites_stop,
	.show = leak_sites_show,
};

static int leak_sites_count(struct pddgpu_device *pdev, struct leak_sites_reader *reader)
{
	struct pddgpu_leak_listing listing = { .all = true, .room = LEAK_SITES_BATCH };
	u64 until = 0;
	u32 i;

	listing.objects = kvcalloc(LEAK_SITES_BATCH, sizeof(*listing.objects), GFP_KERNEL);
	if (!listing.objects)
		return -ENOMEM;
	do {
		pddgpu_leak_list(pdev->leaks, &listing);
		/* Whoever makes them as fast as they are counted does not keep it going */
		until = until ?: listing.now_ns;
		for (i = 0; i < listing.count; i++) {
			const struct drm_pddgpu_object *object = &listing.objects[i];

			reader->has[object->site].objects++;
			reader->has[object->site].bytes += object->size;
			listing.after = object->id;
		}
	} while (listing.count == listing.room && listing.after < until);
	kvfree(listing.objects);
	return 0;
}

static int leak_sites_open(struct inode *inode, struct file *file)
{
	struct pddgpu_device *pdev = inode->i_private;
	struct leak_sites_reader *reader = kvzalloc(sizeof(*reader), GFP_KERNEL);
	int ret;

	if (!reader)
		return -ENOMEM;
	reader->sites = pddgpu_leak_sites(pdev->leaks);
	ret = leak_sites_count(pdev, reader);
	/* Whatever was counted is shown */
	reader->last = pddgpu_sites_last(reader->sites);
	if (!ret)
		ret = seq_open(file, &leak_sites_ops);
	if (ret) {
		kvfree(reader);
		return ret;
	}
	((struct seq_file *)file->private_data)->private = reader;
	drm_dev_get(&pdev->drm);
	return 0;
}

static int leak_sites_release(struct inode *inode, struct file *file)
{
	struct pddgpu_device *pdev = inode->i_private;

	kvfree(((struct seq_file *)file->private_data)->private);
	seq_release(inode, file);
	drm_dev_put(&pdev->drm);
	return 0;
}

static const struct file_operations leak_sites_fops = {
	.owner = THIS_MODULE,
	.open = leak_sites_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = leak_sites_release,
};

/**
 * pddgpu_debugfs_site_init() - make a card's file about where buffers are allocated
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_site_init(struct pddgpu_device *pdev, struct dentry *root)
{
	debugfs_create_file("leak_sites", 0400, root, pdev, &leak_sites_fops);
}
