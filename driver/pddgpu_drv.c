// SPDX-License-Identifier: GPL-2.0
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/pci.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_prime.h>

#include <pddgpu_regs.h>

#include "pddgpu_clear.h"
#include "pddgpu_compat.h"
#include "pddgpu_debugfs.h"
#include "pddgpu_device.h"
#include "pddgpu_fdinfo.h"
#include "pddgpu_file.h"
#include "pddgpu_gem.h"
#include "pddgpu_gone.h"
#include "pddgpu_monitor.h"
#include "pddgpu_pm.h"
#include "pddgpu_prime.h"
#include "pddgpu_query.h"
#include "pddgpu_reset.h"
#include "pddgpu_submit.h"
#include "pddgpu_syncobj.h"
#include "pddgpu_sysfs.h"
#include "pddgpu_unfreed.h"

#define PDDGPU_IOCTL(name, func) \
	DRM_IOCTL_DEF_DRV(PDDGPU_##name, func, DRM_RENDER_ALLOW)

static const struct drm_ioctl_desc pddgpu_ioctls[] = {
	PDDGPU_IOCTL(GEM_CREATE, pddgpu_gem_create_ioctl),
	PDDGPU_IOCTL(GEM_MAP, pddgpu_gem_map_ioctl),
	PDDGPU_IOCTL(GEM_INFO, pddgpu_gem_info_ioctl),
	PDDGPU_IOCTL(GEM_DESTROY, pddgpu_gem_destroy_ioctl),
	PDDGPU_IOCTL(GEM_WAIT, pddgpu_gem_wait_ioctl),
	PDDGPU_IOCTL(GEM_SET_DOMAIN, pddgpu_gem_set_domain_ioctl),
	PDDGPU_IOCTL(SUBMIT, pddgpu_submit_ioctl),
	PDDGPU_IOCTL(QUERY, pddgpu_query_ioctl),
	PDDGPU_IOCTL(GEM_SET_LABEL, pddgpu_gem_set_label_ioctl),
};

/* Does it give something back? That can be done with a wedged device too. */
static bool pddgpu_drv_frees(unsigned int cmd)
{
	return _IOC_NR(cmd) == _IOC_NR(DRM_IOCTL_GEM_CLOSE) ||
	       _IOC_NR(cmd) == _IOC_NR(DRM_IOCTL_SYNCOBJ_DESTROY) ||
	       _IOC_NR(cmd) == _IOC_NR(DRM_IOCTL_PDDGPU_GEM_DESTROY);
}

/* Is the card there, and of use? 0; -EIO: no more, but what is there can be freed; -ENODEV. */
static int pddgpu_drv_look(struct drm_device *drm)
{
	CLASS(pddgpu_inside, inside)(drm);
	if (!inside.is || !pddgpu_gone_look(to_pddgpu(drm)))
		return -ENODEV;
	return pddgpu_device_error(to_pddgpu(drm));
}

/*
 * Those who are at the card's are inside drm_dev_enter() for that, each by himself. Not
 * here: the core copies from and to the user's memory, which may be a file whose server
 * does not answer, and unplugging, of any DRM device, would wait for it. What fails while
 * the card goes has failed for that, whatever it came to.
 */
static long pddgpu_drv_guarded_ioctl(struct file *filp, unsigned int cmd,
				     unsigned long arg,
				     long (*ioctl)(struct file *filp,
						   unsigned int cmd,
						   unsigned long arg))
{
	struct drm_file *file = filp->private_data;
	struct drm_device *drm = file->minor->dev;
	long ret;

	ret = pddgpu_drv_look(drm);
	if (ret && !(ret == -EIO && pddgpu_drv_frees(cmd)))
		return ret;
	ret = pddgpu_syncobj_check(cmd, (void __user *)arg);
	if (!ret)
		ret = ioctl(filp, cmd, arg);
	if (ret && ret != -ERESTARTSYS && pddgpu_device_error(to_pddgpu(drm)) == -ENODEV)
		ret = -ENODEV;
	return ret;
}

static long pddgpu_drv_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return pddgpu_drv_guarded_ioctl(filp, cmd, arg, drm_ioctl);
}

/* The driver's structures are the same for 32 bits, the core's are not. */
static long __maybe_unused
pddgpu_drv_compat_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return pddgpu_drv_guarded_ioctl(filp, cmd, arg, drm_compat_ioctl);
}

/* What has handles still has not been freed by its users. */
static int pddgpu_drv_release(struct inode *inode, struct file *filp)
{
	struct drm_file *file = filp->private_data;

	pddgpu_unfreed_begin(&to_pddgpu_file(file)->unfreed, !idr_is_empty(&file->object_idr));
	return drm_release(inode, filp);
}

static const struct file_operations pddgpu_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = pddgpu_drv_release,
	.unlocked_ioctl = pddgpu_drv_ioctl,
	.compat_ioctl = IS_ENABLED(CONFIG_COMPAT) ? pddgpu_drv_compat_ioctl : NULL,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = drm_gem_mmap,
	.fop_flags = FOP_UNSIGNED_OFFSET,
	.show_fdinfo = drm_show_fdinfo,
};

static void pddgpu_drv_debugfs_init(struct drm_minor *minor)
{
	pddgpu_debugfs_init(to_pddgpu(minor->dev), minor->debugfs_root);
}

static const struct drm_driver pddgpu_drm_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.open = pddgpu_gem_file_open,
	.postclose = pddgpu_gem_file_close,
	.gem_prime_import = pddgpu_prime_import,
	.show_fdinfo = pddgpu_fdinfo_show,
	.debugfs_init = pddgpu_drv_debugfs_init,
	.ioctls = pddgpu_ioctls,
	.num_ioctls = ARRAY_SIZE(pddgpu_ioctls),
	.fops = &pddgpu_fops,
	.name = "pddgpu",
	.desc = "PDDGPU virtual discrete GPU",
	PDDGPU_DRIVER_DATE
	.major = 1,
	.minor = 0,
};

static int pddgpu_pci_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	struct pddgpu_device *pdev;
	int ret;

	pdev = devm_drm_dev_alloc(&pci->dev, &pddgpu_drm_driver,
				  struct pddgpu_device, drm);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	pci_set_drvdata(pci, pdev);

	ret = pcim_enable_device(pci);
	if (ret)
		return ret;
	ret = pddgpu_device_init(pdev, pci);
	if (ret)
		return ret;
	ret = pddgpu_pm_init(pdev);
	if (ret)
		goto err_undo;
	ret = drm_dev_register(&pdev->drm, 0);
	if (ret)
		goto err_undo;

	pddgpu_debugfs_link(pdev);
	pddgpu_monitor_start(pdev);
	pddgpu_clear_start(pdev);
	pddgpu_gone_start(pdev);
	return 0;

err_undo:
	pddgpu_device_undo(pdev);
	return ret;
}

static void pddgpu_pci_remove(struct pci_dev *pci)
{
	pddgpu_gone_remove(pci_get_drvdata(pci));
}

/* Before power-off or another kernel: no DMA into what is no longer ours */
static void pddgpu_pci_shutdown(struct pci_dev *pci)
{
	struct pddgpu_device *pdev = pci_get_drvdata(pci);

	pddgpu_clear_stop(pdev);
	pddgpu_reset_stop(pdev);
	pddgpu_device_quiesce(pdev);
}

/* ivshmem's identity, which other software uses too: probe looks closer */
static const struct pci_device_id pddgpu_pci_ids[] = {
	{ PCI_DEVICE(PDDGPU_PCI_VENDOR, PDDGPU_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, pddgpu_pci_ids);

static struct pci_driver pddgpu_pci_driver = {
	.name = "pddgpu",
	.id_table = pddgpu_pci_ids,
	.probe = pddgpu_pci_probe,
	.remove = pddgpu_pci_remove,
	.shutdown = pddgpu_pci_shutdown,
	.driver.pm = pm_sleep_ptr(&pddgpu_pm_ops),
	.dev_groups = pddgpu_sysfs_groups,
};
module_pci_driver(pddgpu_pci_driver);

MODULE_AUTHOR("The PDDGPU authors");
MODULE_DESCRIPTION("PDDGPU virtual discrete GPU");
MODULE_LICENSE("GPL");
