// SPDX-License-Identifier: GPL-2.0
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include <drm/drm.h>
#include <drm/pddgpu_drm.h>

#include "pddgpu_syncobj.h"

/* Where an ioctl has the number of its syncobjs; 0 for one that has none */
static size_t pddgpu_syncobj_count_at(unsigned int cmd)
{
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_WAIT):
		return offsetof(struct drm_syncobj_wait, count_handles);
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT):
		return offsetof(struct drm_syncobj_timeline_wait, count_handles);
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_RESET):
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_SIGNAL):
		return offsetof(struct drm_syncobj_array, count_handles);
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL):
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_QUERY):
		return offsetof(struct drm_syncobj_timeline_array, count_handles);
	default:
		return 0;
	}
}

/**
 * pddgpu_syncobj_check() - may DRM see an ioctl?
 * @cmd: the ioctl
 * @args: its structure, in user memory
 *
 * DRM allocates arrays of as many elements of up to 64 bytes as a syncobj ioctl
 * names, in one piece, and warns in the log when there cannot be such a piece.
 * So no more are let through than SUBMIT takes. Who changes the number after
 * this look gets DRM's own answer; it is no matter of the driver's then.
 *
 * Return: 0; -E2BIG for more than PDDGPU_SUBMIT_SYNCS_MAX; -EFAULT.
 */
int pddgpu_syncobj_check(unsigned int cmd, const void __user *args)
{
	size_t at = pddgpu_syncobj_count_at(cmd);
	u32 count = 0;

	if (!at || _IOC_SIZE(cmd) <= at)
		return 0;
	/* A structure may end in the middle of the number: DRM adds zeros */
	if (copy_from_user(&count, args + at,
			   min_t(size_t, sizeof(count), _IOC_SIZE(cmd) - at)))
		return -EFAULT;
	return count > PDDGPU_SUBMIT_SYNCS_MAX ? -E2BIG : 0;
}
