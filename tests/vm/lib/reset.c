// SPDX-License-Identifier: MIT
/* How jobs ended, and what resets there were. */
#include "pdt.h"

#include <linux/sync_file.h>
#include <poll.h>
#include <unistd.h>

/* A syncobj's fence as a file, which needs the card no more */
int pdt_fence_fd(int fd, uint32_t syncobj, int *sync)
{
	struct drm_syncobj_handle args = {
		.handle = syncobj,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
		.fd = -1,
	};
	int rc = pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);

	*sync = args.fd;
	return rc;
}

/* How it ended: 1, or a negative errno; 0 when it has not within that time */
int pdt_fence_fd_wait(int sync, unsigned int ms)
{
	struct pollfd wait = { .fd = sync, .events = POLLIN };
	struct sync_file_info info = { 0 };
	int rc;

	if (poll(&wait, 1, (int)ms) <= 0)
		return 0;
	rc = pdt_ioctl(sync, SYNC_IOC_FILE_INFO, &info);
	return rc ? rc : info.status;
}

int pdt_fence_status(int fd, uint32_t syncobj)
{
	int sync, rc = pdt_fence_fd(fd, syncobj, &sync);

	if (rc)
		return rc;
	rc = pdt_fence_fd_wait(sync, 0);
	close(sync);
	return rc;
}

/* Begins a job; how it ends is told by *sync, to be closed */
int pdt_submit_fence(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count, int *sync)
{
	uint32_t syncobj;
	int rc = pdt_syncobj_create(fd, &syncobj);

	*sync = -1;
	if (rc)
		return rc;
	rc = pdt_submit_sync(fd, ops, count, 0, 0, syncobj, 0);
	if (!rc)
		rc = pdt_fence_fd(fd, syncobj, sync);
	pdt_syncobj_destroy(fd, syncobj);
	return rc;
}

/* A figure of debugfs reset */
int pdt_reset_figure(const char *name, uint64_t *value)
{
	char *text = pdt_debugfs_read("reset");
	int rc = text ? pdt_number_of(text, name, value) : -EIO;

	free(text);
	return rc;
}

/* Resets the chip */
int pdt_reset_chip(void)
{
	return pdt_debugfs_write("reset", "1");
}

/* Has the buffer lost what it held with VRAM? */
bool pdt_vram_lost(int fd, uint32_t handle)
{
	struct drm_pddgpu_gem_info info = { 0 };

	return !pdt_info(fd, handle, &info) && info.flags & PDDGPU_GEM_INFO_VRAM_LOST;
}

/* Say that one knows */
int pdt_vram_lost_seen(int fd, uint32_t handle, uint32_t domains)
{
	uint32_t now;

	return pdt_set_domain_flags(fd, handle, domains, PDDGPU_GEM_SET_VRAM_LOST_SEEN, &now);
}
