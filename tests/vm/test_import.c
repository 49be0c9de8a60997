// SPDX-License-Identifier: MIT
/* Buffers of another device: imports that fail, that are busy, and their end. */
#include "pdt.h"

#include <unistd.h>

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

#define SIZE (64 * PDT_KIB)

static int open_vgem(void)
{
	static const char *const load[] = { "modprobe", "vgem", NULL };
	uint64_t end = pdt_now_ms() + 3000;
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

/* A new buffer of vgem's and a dma-buf of it */
static int make_theirs(int vgem, uint32_t *handle, int *dmabuf)
{
	struct drm_mode_create_dumb dumb = { .width = 16384, .height = 4, .bpp = 8 };
	int rc = pdt_ioctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);

	*handle = dumb.handle;
	return rc ? rc : pdt_export(vgem, dumb.handle, dmabuf);
}

static void close_theirs(int vgem, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	assert_ok(pdt_ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &args));
}

/*
 * TTM frees what it could not place later, and looks at the reservation then,
 * which is the dma-buf's.
 */
static void failed_imports_leave_nothing(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[256];
	struct drm_pddgpu_memory_stats stats;
	int vgem = open_vgem(), dmabuf, err;
	uint32_t theirs, ours;
	size_t n;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_stats(s->fd, &stats));
	n = pdt_fill_domain(s->fd, bufs, PDT_ARRAY_SIZE(bufs),
			    pdt_pages(stats.gtt_free / 100), PDT_GTT, &err);
	assert_int_equal(err, -ENOMEM);
	for (unsigned int i = 0; i < 50; i++) {
		assert_ok(make_theirs(vgem, &theirs, &dmabuf));
		assert_err(ENOMEM, pdt_import(s->fd, dmabuf, &ours));
		close_theirs(vgem, theirs);
		close(dmabuf);
	}
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(s->fd, &bufs[i]);

	/* And with room again it works. */
	assert_ok(make_theirs(vgem, &theirs, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_destroy(s->fd, ours));
	close(dmabuf);
	close(vgem);
}

static int zombies(int fd, uint64_t *count)
{
	struct drm_pddgpu_memory_stats stats;
	int rc = pdt_stats(fd, &stats);

	*count = stats.zombie_objects;
	return rc;
}

/*
 * Importing does not wait for those who use the buffer: a fence that nobody has
 * signalled yet can still be signalled afterwards, since vgem's run out after a
 * while. Freed in that state, the buffer is a ZOMBIE until then.
 */
static void busy_buffers_are_imported_at_once(void **state)
{
	struct vgem_fence_attach attach = { .flags = VGEM_FENCE_WRITE };
	struct vgem_fence_signal signal = { 0 };
	struct pdt_state *s = *state;
	int vgem = open_vgem(), dmabuf;
	uint32_t theirs, ours;
	uint64_t count;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(make_theirs(vgem, &theirs, &dmabuf));
	attach.handle = theirs;
	assert_ok(pdt_ioctl(vgem, IOCTL_VGEM_FENCE_ATTACH, &attach));

	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_destroy(s->fd, ours));
	assert_ok(zombies(s->fd, &count));
	assert_u64(count, 1);

	signal.fence = attach.out_fence;
	assert_ok(pdt_ioctl(vgem, IOCTL_VGEM_FENCE_SIGNAL, &signal));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(zombies(s->fd, &count));
	assert_u64(count, 0);
	close(dmabuf);
	close(vgem);
}

/* A zombie past the suspicious age is listed as one. */
static void zombies_are_listed(void **state)
{
	struct vgem_fence_attach attach = { .flags = VGEM_FENCE_WRITE };
	struct vgem_fence_signal signal = { 0 };
	struct pdt_state *s = *state;
	int vgem = open_vgem(), dmabuf;
	uint32_t theirs, ours;
	char *objects;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(make_theirs(vgem, &theirs, &dmabuf));
	attach.handle = theirs;
	assert_ok(pdt_ioctl(vgem, IOCTL_VGEM_FENCE_ATTACH, &attach));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_destroy(s->fd, ours));

	pdt_sleep_ms(10);
	objects = pdt_debugfs_read("leak_objects");
	assert_non_null(objects);
	assert_non_null(strstr(objects, "ZOMBIE"));
	assert_non_null(strstr(objects, "imported"));
	free(objects);

	signal.fence = attach.out_fence;
	assert_ok(pdt_ioctl(vgem, IOCTL_VGEM_FENCE_SIGNAL, &signal));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_settings_restore());
	close(dmabuf);
	close(vgem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(failed_imports_leave_nothing),
		pdt_test(busy_buffers_are_imported_at_once),
		pdt_test(zombies_are_listed),
	};

	return pdt_run_tests("import", tests);
}
