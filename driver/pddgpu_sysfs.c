// SPDX-License-Identifier: GPL-2.0
/*
 * Figures for everybody in the PCI device's folder, with amdgpu's names and meaning,
 * for the collectors that know those. The driver core makes the files when a card is
 * bound, and before it is unbound takes them away and waits for who reads them.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_sysfs.h"
#include "pddgpu_vram_mgr.h"

/**
 * struct pddgpu_sysfs_figure - a file that shows a number of bytes
 */
struct pddgpu_sysfs_figure {
	/** @attr: the driver core's part */
	struct device_attribute attr;
	/** @get: the number; waits for nobody, and for no card */
	u64 (*get)(struct pddgpu_device *pdev);
};

/*
 * What a wedged card holds is still held, and given back; of one that is gone, though
 * it is bound still, there is nothing to tell.
 */
static ssize_t figure_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct pddgpu_sysfs_figure *figure =
		container_of_const(attr, struct pddgpu_sysfs_figure, attr);
	struct pddgpu_device *pdev = dev_get_drvdata(dev);

	if (pddgpu_device_error(pdev) == -ENODEV)
		return -ENODEV;
	return sysfs_emit(buf, "%llu\n", figure->get(pdev));
}

static u64 vram_total_get(struct pddgpu_device *pdev)
{
	return pddgpu_vram_mgr_size(pdev->vram_mgr);
}

static u64 vram_used_get(struct pddgpu_device *pdev)
{
	return pddgpu_vram_mgr_usage(pdev->vram_mgr);
}

static u64 vis_vram_total_get(struct pddgpu_device *pdev)
{
	return pddgpu_vram_mgr_visible_size(pdev->vram_mgr);
}

static u64 vis_vram_used_get(struct pddgpu_device *pdev)
{
	return pddgpu_vram_mgr_visible_usage(pdev->vram_mgr);
}

static u64 gtt_total_get(struct pddgpu_device *pdev)
{
	return pddgpu_gtt_mgr_size(pdev->gtt_mgr);
}

static u64 gtt_used_get(struct pddgpu_device *pdev)
{
	return pddgpu_gtt_mgr_usage(pdev->gtt_mgr);
}

#define PDDGPU_SYSFS_FIGURE(name)							\
	static struct pddgpu_sysfs_figure mem_info_##name = {				\
		.attr = __ATTR(mem_info_##name, 0444, figure_show, NULL),		\
		.get = name##_get,							\
	}

PDDGPU_SYSFS_FIGURE(vram_total);
PDDGPU_SYSFS_FIGURE(vram_used);
PDDGPU_SYSFS_FIGURE(vis_vram_total);
PDDGPU_SYSFS_FIGURE(vis_vram_used);
PDDGPU_SYSFS_FIGURE(gtt_total);
PDDGPU_SYSFS_FIGURE(gtt_used);

static struct attribute *pddgpu_sysfs_attrs[] = {
	&mem_info_vram_total.attr.attr,
	&mem_info_vram_used.attr.attr,
	&mem_info_vis_vram_total.attr.attr,
	&mem_info_vis_vram_used.attr.attr,
	&mem_info_gtt_total.attr.attr,
	&mem_info_gtt_used.attr.attr,
	NULL
};

static const struct attribute_group pddgpu_sysfs_group = {
	.attrs = pddgpu_sysfs_attrs,
};

/* The files, for &struct pci_driver.dev_groups */
const struct attribute_group *pddgpu_sysfs_groups[] = {
	&pddgpu_sysfs_group,
	NULL
};
