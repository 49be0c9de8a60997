// SPDX-License-Identifier: MIT
/* Buffers of another device, vgem, and its fences. */
#include "pdt.h"

/* vgem's interface to its fences, which libdrm does not bring along */
#define VGEM_FENCE_WRITE	0x1

struct vgem_fence_attach {
	uint32_t handle;
	uint32_t flags;
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_fence_signal {
	uint32_t fence;
	uint32_t flags;
};

#define IOCTL_VGEM_FENCE_ATTACH	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define IOCTL_VGEM_FENCE_SIGNAL	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

/* Its file; negative where there is no vgem */
int pdt_vgem_open(void)
{
	static const char *const load[] = { "modprobe", "vgem", NULL };
	uint64_t end = pdt_now_ms() + 3000 * pdt_slow();
	int fd;

	pdt_command(load);
	do {
		fd = pdt_open_card("vgem", false);
		if (fd >= 0)
			return fd;
		pdt_sleep_ms(20);
	} while (pdt_now_ms() < end);
	return fd;
}

/* A new buffer of 64 KiB and a dma-buf of it */
int pdt_vgem_create(int vgem, uint32_t *handle, int *dmabuf)
{
	struct drm_mode_create_dumb dumb = { .width = 16384, .height = 4, .bpp = 8 };
	int rc = pdt_ioctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);

	*handle = dumb.handle;
	return rc ? rc : pdt_export(vgem, dumb.handle, dmabuf);
}

/* Somebody writes to it until the fence is signalled, for 10 s at most */
int pdt_vgem_busy(int vgem, uint32_t handle, uint32_t *fence)
{
	struct vgem_fence_attach attach = { .handle = handle, .flags = VGEM_FENCE_WRITE };
	int rc = pdt_ioctl(vgem, IOCTL_VGEM_FENCE_ATTACH, &attach);

	*fence = attach.out_fence;
	return rc;
}

int pdt_vgem_signal(int vgem, uint32_t fence)
{
	struct vgem_fence_signal signal = { .fence = fence };

	return pdt_ioctl(vgem, IOCTL_VGEM_FENCE_SIGNAL, &signal);
}
