// SPDX-License-Identifier: GPL-2.0
/*
 * Files for the administrator in debugfs, and a link to the first card's folder
 * under the driver's name.
 *
 * The DRM core removes the folder at unplug, and debugfs waits then for whoever
 * is in one of the functions here; so the device is there whenever they run.
 */
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_debugfs.h"
#include "pddgpu_debugfs_evict.h"
#include "pddgpu_debugfs_gem.h"
#include "pddgpu_debugfs_health.h"
#include "pddgpu_debugfs_leak.h"
#include "pddgpu_debugfs_site.h"
#include "pddgpu_debugfs_owners.h"
#include "pddgpu_debugfs_pm.h"
#include "pddgpu_debugfs_residency.h"
#include "pddgpu_debugfs_reset.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_leak.h"
#include "pddgpu_monitor.h"
#include "pddgpu_stats.h"
#include "pddgpu_tunable.h"
#include "pddgpu_vram_mgr.h"

/* The longest number that is read, with a sign, a newline and room to spare */
#define PDDGPU_NUMBER_MAX		32

/**
 * struct pddgpu_debugfs_file - what a file shows and takes
 *
 * It is as readable and as writable as it has functions for.
 */
struct pddgpu_debugfs_file {
	/** @name: its name */
	const char *name;
	/** @show: prints a text; or NULL */
	int (*show)(struct seq_file *m, struct pddgpu_device *pdev);
	/** @get: the number to print; or NULL */
	u64 (*get)(struct pddgpu_device *pdev);
	/** @set: takes a number, or refuses it and changes nothing; or NULL */
	int (*set)(struct pddgpu_device *pdev, u64 value);
};

/**
 * struct pddgpu_debugfs_inode - a file of one device; goes with the device
 */
struct pddgpu_debugfs_inode {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @file: what it shows and takes */
	const struct pddgpu_debugfs_file *file;
};

static int memory_stats_show(struct seq_file *m, struct pddgpu_device *pdev)
{
	struct drm_printer p = drm_seq_file_printer(m);
	struct drm_pddgpu_memory_stats *info;

	info = kmalloc(sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;

	pddgpu_memory_stats_get_info(pdev, info);
	pddgpu_memory_stats_print(info, &p);
	kfree(info);
	return 0;
}

static int vram_mm_show(struct seq_file *m, struct pddgpu_device *pdev)
{
	struct drm_printer p = drm_seq_file_printer(m);

	ttm_resource_manager_debug(pddgpu_vram_mgr_to_ttm(pdev->vram_mgr), &p);
	return 0;
}

static int gtt_mm_show(struct seq_file *m, struct pddgpu_device *pdev)
{
	struct drm_printer p = drm_seq_file_printer(m);

	ttm_resource_manager_debug(pddgpu_gtt_mgr_to_ttm(pdev->gtt_mgr), &p);
	return 0;
}

static int trigger_leak_check_set(struct pddgpu_device *pdev, u64 value)
{
	if (value != 1)
		return -ERANGE;

	pddgpu_memory_stats_leak_check(pdev);
	pddgpu_memory_stats_debug_print(pdev);
	return 0;
}

static int reset_stats_set(struct pddgpu_device *pdev, u64 value)
{
	if (value != 1)
		return -ERANGE;

	pddgpu_memory_stats_reset(pdev->stats);
	return 0;
}

static u64 leak_object_bytes_get(struct pddgpu_device *pdev)
{
	return pddgpu_leak_object_bytes();
}

static const struct pddgpu_debugfs_file debugfs_files[] = {
	{ "memory_stats", .show = memory_stats_show },
	{ "trigger_leak_check", .set = trigger_leak_check_set },
	{ "leak_check_interval", .get = pddgpu_memory_stats_get_leak_check_interval,
	  .set = pddgpu_memory_stats_set_leak_check_interval },
	{ "leak_threshold", .get = pddgpu_memory_stats_get_leak_threshold,
	  .set = pddgpu_memory_stats_set_leak_threshold },
	{ "leak_suspicious_age", .get = pddgpu_tunable_get_suspicious_age,
	  .set = pddgpu_tunable_set_suspicious_age },
	{ "leak_confirmed_age", .get = pddgpu_tunable_get_confirmed_age,
	  .set = pddgpu_tunable_set_confirmed_age },
	{ "leak_monitor_enabled", .get = pddgpu_memory_stats_get_leak_monitor_enabled,
	  .set = pddgpu_memory_stats_set_leak_monitor_enabled },
	{ "leak_object_bytes", .get = leak_object_bytes_get },
	{ "vram_retry_count", .get = pddgpu_tunable_get_vram_retry_count,
	  .set = pddgpu_tunable_set_vram_retry_count },
	{ "vram_retry_delay", .get = pddgpu_tunable_get_vram_retry_delay,
	  .set = pddgpu_tunable_set_vram_retry_delay },
	{ "gtt_retry_count", .get = pddgpu_tunable_get_gtt_retry_count,
	  .set = pddgpu_tunable_set_gtt_retry_count },
	{ "gtt_retry_delay", .get = pddgpu_tunable_get_gtt_retry_delay,
	  .set = pddgpu_tunable_set_gtt_retry_delay },
	{ "health", .show = pddgpu_debugfs_health_show },
	{ "recover_count", .get = pddgpu_tunable_get_recover_count,
	  .set = pddgpu_tunable_set_recover_count },
	{ "recover_delay", .get = pddgpu_tunable_get_recover_delay,
	  .set = pddgpu_tunable_set_recover_delay },
	{ "vram_mm", .show = vram_mm_show },
	{ "gtt_mm", .show = gtt_mm_show },
	{ "reset_stats", .set = reset_stats_set },
};

static bool debugfs_readable(const struct pddgpu_debugfs_file *file)
{
	return file->show || file->get;
}

static int debugfs_show(struct seq_file *m, void *data)
{
	struct pddgpu_debugfs_inode *di = m->private;

	if (di->file->show)
		return di->file->show(m, di->pdev);

	seq_printf(m, "%llu\n", di->file->get(di->pdev));
	return 0;
}

static int debugfs_open(struct inode *inode, struct file *file)
{
	struct pddgpu_debugfs_inode *di = inode->i_private;

	/* Root is not stopped by a file's mode */
	if ((file->f_mode & FMODE_READ) && !debugfs_readable(di->file))
		return -EACCES;
	if ((file->f_mode & FMODE_WRITE) && !di->file->set)
		return -EACCES;
	return single_open(file, debugfs_show, di);
}

static ssize_t debugfs_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct pddgpu_debugfs_inode *di = ((struct seq_file *)file->private_data)->private;
	char text[PDDGPU_NUMBER_MAX];
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
	if (!ret)
		ret = di->file->set(di->pdev, value);
	return ret ?: len;
}

static const struct file_operations debugfs_fops = {
	.owner = THIS_MODULE,
	.open = debugfs_open,
	.read = seq_read,
	.write = debugfs_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * pddgpu_debugfs_init() - make a card's files
 * @pdev: the device, with everything but its registration
 * @root: its folder, which the DRM core removes with all that is in it
 */
void pddgpu_debugfs_init(struct pddgpu_device *pdev, struct dentry *root)
{
	struct pddgpu_debugfs_inode *inodes;
	unsigned int i;

	inodes = drmm_kcalloc(&pdev->drm, ARRAY_SIZE(debugfs_files), sizeof(*inodes), GFP_KERNEL);
	if (!inodes)
		return;

	pddgpu_debugfs_leak_init(pdev, root);
	pddgpu_debugfs_site_init(pdev, root);
	pddgpu_debugfs_gem_init(pdev, root);
	pddgpu_debugfs_owners_init(pdev, root);
	pddgpu_debugfs_evict_init(pdev, root);
	pddgpu_debugfs_residency_init(pdev, root);
	pddgpu_debugfs_health_init(pdev, root);
	pddgpu_debugfs_pm_init(pdev, root);
	pddgpu_debugfs_reset_init(pdev, root);
	for (i = 0; i < ARRAY_SIZE(debugfs_files); i++) {
		const struct pddgpu_debugfs_file *file = &debugfs_files[i];
		umode_t mode = (debugfs_readable(file) ? 0400 : 0) | (file->set ? 0200 : 0);

		inodes[i].pdev = pdev;
		inodes[i].file = file;
		debugfs_create_file(file->name, mode, root, &inodes[i], &debugfs_fops);
	}
}

/**
 * struct pddgpu_debugfs_card - a card that the link can lead to
 */
struct pddgpu_debugfs_card {
	/** @list: in debugfs_cards, in the order in which they came */
	struct list_head list;
	/** @pdev: the card */
	struct pddgpu_device *pdev;
};

static LIST_HEAD(debugfs_cards);
static struct dentry *debugfs_link;
/* Guards the two above */
static DEFINE_MUTEX(debugfs_link_lock);

/* Let the link lead to the first card */
static void debugfs_link_update(void)
{
	struct pddgpu_debugfs_card *card;
	char *target;

	lockdep_assert_held(&debugfs_link_lock);

	debugfs_remove(debugfs_link);
	debugfs_link = NULL;
	card = list_first_entry_or_null(&debugfs_cards, struct pddgpu_debugfs_card, list);
	if (!card)
		return;

	target = kasprintf(GFP_KERNEL, "dri/%s", card->pdev->drm.unique);
	if (!target)
		return;
	debugfs_link = debugfs_create_symlink("pddgpu", NULL, target);
	kfree(target);
}

/**
 * pddgpu_debugfs_link() - let debugfs/pddgpu lead to a card, if it is the first
 * @pdev: the device, registered
 */
void pddgpu_debugfs_link(struct pddgpu_device *pdev)
{
	struct pddgpu_debugfs_card *card = kzalloc(sizeof(*card), GFP_KERNEL);

	if (!card)
		return;

	card->pdev = pdev;
	mutex_lock(&debugfs_link_lock);
	list_add_tail(&card->list, &debugfs_cards);
	if (list_is_first(&card->list, &debugfs_cards))
		debugfs_link_update();
	mutex_unlock(&debugfs_link_lock);
}

/**
 * pddgpu_debugfs_unlink() - let debugfs/pddgpu lead to a card no longer
 * @pdev: the device; does nothing when it has not been linked
 *
 * The next card takes the link over.
 */
void pddgpu_debugfs_unlink(struct pddgpu_device *pdev)
{
	struct pddgpu_debugfs_card *card;
	bool first;

	mutex_lock(&debugfs_link_lock);
	list_for_each_entry(card, &debugfs_cards, list) {
		if (card->pdev != pdev)
			continue;
		first = list_is_first(&card->list, &debugfs_cards);
		list_del(&card->list);
		kfree(card);
		if (first)
			debugfs_link_update();
		break;
	}
	mutex_unlock(&debugfs_link_lock);
}
