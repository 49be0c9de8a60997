// SPDX-License-Identifier: GPL-2.0
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "pddgpu_bo.h"
#include "pddgpu_device.h"
#include "pddgpu_gem.h"
#include "pddgpu_leak.h"

static_assert(sizeof(struct drm_pddgpu_gem_set_label) == 16);
static_assert(PDDGPU_LABEL_MAX == PDDGPU_LEAK_LABEL);

/* A copy of what userspace says, charged to it; NULL for no label */
static char *pddgpu_gem_copy_label(u64 from)
{
	char text[PDDGPU_LABEL_MAX], *label;
	long len;

	if (!from)
		return NULL;
	len = strncpy_from_user(text, u64_to_user_ptr(from), sizeof(text));
	if (len < 0)
		return ERR_PTR(len);
	if (len == sizeof(text))
		return ERR_PTR(-EINVAL);
	if (!len)
		return NULL;
	label = kmemdup(text, len + 1, GFP_KERNEL_ACCOUNT);
	return label ?: ERR_PTR(-ENOMEM);
}

/**
 * pddgpu_gem_set_label_ioctl() - DRM_IOCTL_PDDGPU_GEM_SET_LABEL
 * @drm: the DRM device
 * @data: struct drm_pddgpu_gem_set_label
 * @file: who asks
 *
 * Takes the leak tracker's lock. The label goes with the buffer, or with the next.
 *
 * Return: 0; -EINVAL, -EFAULT, -ENOENT, -ENOMEM.
 */
int pddgpu_gem_set_label_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	const struct drm_pddgpu_gem_set_label *args = data;
	struct drm_gem_object *obj;
	char *label;

	if (args->pad)
		return -EINVAL;
	label = pddgpu_gem_copy_label(args->label);
	if (IS_ERR(label))
		return PTR_ERR(label);
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj) {
		kfree(label);
		return -ENOENT;
	}
	label = pddgpu_leak_set_label(to_pddgpu(drm)->leaks, &gem_to_pddgpu_bo(obj)->named,
				      label);
	drm_gem_object_put(obj);
	kfree(label);
	return 0;
}
