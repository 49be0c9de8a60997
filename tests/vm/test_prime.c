// SPDX-License-Identifier: MIT
/* dma-bufs: shared between files, processes and devices. */
#include "pdt.h"

#if __has_include(<drm_mode.h>)
#include <drm_mode.h>
#else
#include <libdrm/drm_mode.h>
#endif
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE	(16 * PDT_PAGE)

static const uint32_t single[] = { PDT_VRAM, PDT_GTT, PDT_CPU };

static void assert_objects(struct pdt_state *s, uint64_t live, uint64_t orphan)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.live_objects, live);
	assert_u64(stats.orphan_objects, orphan);
}

static void same_file_same_handle(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle, again;
	int dmabuf;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &again));
	assert_int_equal(again, handle);
	assert_int_equal(lseek(dmabuf, 0, SEEK_END), SIZE);
	assert_objects(s, 1, 0);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_objects(s, 0, 1);
	assert_ok(pdt_import(s->fd, dmabuf, &again));
	assert_objects(s, 1, 0);
	assert_int_equal(pdt_domain(s->fd, again), PDT_VRAM);
	close(dmabuf);
	assert_objects(s, 1, 0);
}

/* Another file of the same device: the same buffer, and no other memory */
static void other_file_same_buffer(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	struct pdt_level one, two;
	uint32_t handle;
	int other = pdt_open(), dmabuf;
	void *map;

	assert_true(other >= 0);
	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, single[d], 0));
		pdt_buffer_fill(&buf, 3 + d);
		assert_ok(pdt_level_read(s->fd, &one));
		assert_ok(pdt_export(s->fd, buf.handle, &dmabuf));
		assert_ok(pdt_import(other, dmabuf, &handle));
		close(dmabuf);
		assert_ok(pdt_level_read(s->fd, &two));
		assert_memory_equal(&one, &two, sizeof(one));
		assert_int_equal(pdt_domain(other, handle), single[d]);

		assert_ok(pdt_mmap(other, handle, SIZE, &map));
		assert_int_equal(pdt_pattern_check(map, SIZE, 3 + d), -1);
		/* Not another device's: it moves as before, for both. */
		assert_ok(pdt_set_domain(other, handle, single[(d + 1) % 3], NULL));
		assert_int_equal(pdt_domain(s->fd, buf.handle), single[(d + 1) % 3]);
		pdt_pattern_fill(map, SIZE, 33 + d);
		buf.seed = 33 + d;
		assert_ok(pdt_buffer_check(&buf));

		/* One lets go, the other has it still. */
		pdt_buffer_destroy(s->fd, &buf);
		assert_int_equal(pdt_pattern_check(map, SIZE, 33 + d), -1);
		munmap(map, SIZE);
		assert_ok(pdt_destroy(other, handle));
		assert_true(pdt_level_wait(s->fd, &s->before));
	}
	close(other);
}

static int map_received(void *arg)
{
	int fd = pdt_open(), dmabuf = pdt_receive_fd(*(int *)arg);
	uint32_t handle;
	void *map;

	child_check(fd >= 0 && dmabuf >= 0);
	child_check(!pdt_import(fd, dmabuf, &handle));
	child_check(!pdt_mmap(fd, handle, SIZE, &map));
	child_check(pdt_pattern_check(map, SIZE, 21) < 0);
	pdt_pattern_fill(map, SIZE, 22);
	return 0;
}

static void to_another_process(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	int ends[2], dmabuf;
	pid_t pid;

	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_BOTH, 0));
	pdt_buffer_fill(&buf, 21);
	assert_ok(pdt_export(s->fd, buf.handle, &dmabuf));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = pdt_fork(map_received, &ends[0]);
	assert_ok(pdt_send_fd(ends[1], dmabuf));
	close(dmabuf);
	assert_int_equal(pdt_wait(pid), 0);
	buf.seed = 22;
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
	close(ends[0]);
	close(ends[1]);
}

/* Mapped through its own file, synchronised as documented, after its handle */
static void mapped_dmabuf(void **state)
{
	struct pdt_state *s = *state;
	struct dma_buf_sync begin = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };
	struct dma_buf_sync end = { .flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW };
	uint32_t handle;
	int dmabuf;
	void *map;

	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		assert_ok(pdt_create(s->fd, SIZE, single[d], 0, &handle));
		assert_ok(pdt_export(s->fd, handle, &dmabuf));
		assert_ok(pdt_destroy(s->fd, handle));
		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
		assert_ptr_not_equal(map, MAP_FAILED);
		assert_ok(pdt_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &begin));
		pdt_pattern_fill(map, SIZE, d);
		assert_ok(pdt_ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &end));
		close(dmabuf);
		assert_int_equal(pdt_pattern_check(map, SIZE, d), -1);
		assert_objects(s, 0, 1);
		munmap(map, SIZE);
		assert_true(pdt_level_wait(s->fd, &s->before));
	}
}

static void refused(void **state)
{
	struct pdt_state *s = *state;
	struct drm_prime_handle args = { .flags = ~0U };
	uint32_t handle, no_cpu;
	int ends[2], dmabuf;
	void *map;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	args.handle = handle;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args));
	assert_err(EBADF, pdt_import(s->fd, -1, &handle));
	assert_int_equal(pipe(ends), 0);
	assert_err(EINVAL, pdt_import(s->fd, ends[0], &handle));
	assert_err(EINVAL, pdt_import(s->fd, s->fd, &handle));
	close(ends[0]);
	close(ends[1]);

	/* Exporting is no way round what GEM_MAP refuses. */
	assert_ok(pdt_create(s->fd, SIZE, PDT_GTT, PDDGPU_GEM_CREATE_NO_CPU_ACCESS, &no_cpu));
	assert_ok(pdt_export(s->fd, no_cpu, &dmabuf));
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, dmabuf, 0);
	assert_ptr_equal(map, MAP_FAILED);
	assert_int_equal(errno, EACCES);
	close(dmabuf);
}

/* The kernel's own virtual GEM device, as somebody else to share with */
static int open_vgem(void)
{
	static const char *const load[] = { "modprobe", "vgem", NULL };
	uint64_t end;
	int fd;

	pdt_command(load);
	end = pdt_now_ms() + 3000 * pdt_slow();
	do {
		fd = pdt_open_card("vgem", false);
		if (fd >= 0)
			return fd;
		pdt_sleep_ms(20);
	} while (pdt_now_ms() < end);
	return fd;
}

static void *map_vgem(int vgem, uint32_t handle)
{
	struct drm_mode_map_dumb args = { .handle = handle };
	void *map;

	assert_ok(pdt_ioctl(vgem, DRM_IOCTL_MODE_MAP_DUMB, &args));
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vgem, (off_t)args.offset);
	assert_ptr_not_equal(map, MAP_FAILED);
	return map;
}

static void imported_from_another_device(void **state)
{
	struct pdt_state *s = *state;
	struct drm_mode_create_dumb dumb = { .width = 16384, .height = 4, .bpp = 8 };
	struct drm_pddgpu_gem_info info;
	struct pdt_level now;
	int vgem = open_vgem(), dmabuf;
	uint32_t handle;
	void *theirs, *map;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_ioctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &dumb));
	assert_u64(dumb.size, SIZE);
	theirs = map_vgem(vgem, dumb.handle);
	pdt_pattern_fill(theirs, SIZE, 50);
	assert_ok(pdt_export(vgem, dumb.handle, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &handle));
	close(dmabuf);

	assert_ok(pdt_info(s->fd, handle, &info));
	assert_u64(info.size, SIZE);
	assert_int_equal(info.domain, PDT_GTT);
	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.gtt_used, s->before.gtt_used + SIZE);
	assert_objects(s, 1, 0);

	/* Another's memory: here it stays. */
	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++)
		assert_err(EBUSY, pdt_set_domain(s->fd, handle, single[d], NULL));
	assert_ok(pdt_mmap(s->fd, handle, SIZE, &map));
	assert_int_equal(pdt_pattern_check(map, SIZE, 50), -1);
	pdt_pattern_fill(map, SIZE, 51);
	assert_int_equal(pdt_pattern_check(theirs, SIZE, 51), -1);
	munmap(theirs, SIZE);
	close(vgem);

	/* We keep it now, and give it back. */
	assert_int_equal(pdt_pattern_check(map, SIZE, 51), -1);
	munmap(map, SIZE);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
}

static void exported_to_another_device(void **state)
{
	struct pdt_state *s = *state;
	int vgem = open_vgem(), dmabuf;
	struct drm_gem_close gem_close = { 0 };
	struct pdt_buffer buf;
	uint32_t handle, now;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_BOTH, 0));
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_VRAM);
	pdt_buffer_fill(&buf, 60);
	assert_ok(pdt_export(s->fd, buf.handle, &dmabuf));
	assert_ok(pdt_import(vgem, dmabuf, &handle));

	/* The other device reaches system memory only. It has come there whole. */
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_GTT);
	assert_ok(pdt_buffer_check(&buf));
	assert_err(EBUSY, pdt_set_domain(s->fd, buf.handle, PDT_VRAM, &now));
	assert_err(EBUSY, pdt_set_domain(s->fd, buf.handle, PDT_BOTH, &now));
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_GTT);

	gem_close.handle = handle;
	assert_ok(pdt_ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &gem_close));
	close(dmabuf);
	close(vgem);
	/* Let go, it moves again. */
	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_VRAM, &now));
	assert_int_equal(now, PDT_VRAM);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
}

/* It may live in VRAM alone, which nobody else reaches: refused, and unharmed */
static void vram_only_is_not_for_others(void **state)
{
	struct pdt_state *s = *state;
	int vgem = open_vgem(), dmabuf;
	struct pdt_buffer buf;
	uint32_t handle;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 61);
	assert_ok(pdt_export(s->fd, buf.handle, &dmabuf));
	assert_true(pdt_import(vgem, dmabuf, &handle) < 0);
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_VRAM);
	assert_ok(pdt_buffer_check(&buf));
	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_GTT, NULL));
	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_VRAM, NULL));
	assert_ok(pdt_buffer_check(&buf));
	close(dmabuf);
	close(vgem);
	pdt_buffer_destroy(s->fd, &buf);
}

/* The other device keeps it after handle, file and all have gone here. */
static void kept_by_another_device(void **state)
{
	struct pdt_state *s = *state;
	int vgem = open_vgem(), dmabuf;
	struct pdt_level now;
	uint32_t handle, theirs;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_create(s->fd, SIZE, PDT_GTT, 0, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_ok(pdt_import(vgem, dmabuf, &theirs));
	close(dmabuf);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_objects(s, 0, 1);
	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.gtt_used, s->before.gtt_used + SIZE);
	close(vgem);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

struct sharing {
	int dmabuf;
};

static int import_and_close(void *arg, unsigned int index)
{
	struct sharing *sharing = arg;
	int fd = pdt_open(), again;
	uint32_t handle;
	void *map;

	child_check(fd >= 0);
	for (unsigned int i = 0; i < 100; i++) {
		child_check(!pdt_import(fd, sharing->dmabuf, &handle));
		if (i % 4 == index % 4) {
			child_check(!pdt_mmap(fd, handle, SIZE, &map));
			child_check(pdt_pattern_check(map, SIZE, 70) < 0);
			munmap(map, SIZE);
		}
		child_check(!pdt_export(fd, handle, &again));
		child_check(!pdt_destroy(fd, handle));
		close(again);
	}
	close(fd);
	return 0;
}

static void shared_by_threads(void **state)
{
	struct pdt_state *s = *state;
	struct sharing sharing = { 0 };
	struct pdt_buffer buf;

	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_BOTH, 0));
	pdt_buffer_fill(&buf, 70);
	assert_ok(pdt_export(s->fd, buf.handle, &sharing.dmabuf));
	pdt_buffer_destroy(s->fd, &buf);
	assert_int_equal(pdt_threads(4, import_and_close, &sharing), 0);
	assert_objects(s, 0, 1);
	close(sharing.dmabuf);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(same_file_same_handle),
		pdt_test(other_file_same_buffer),
		pdt_test(to_another_process),
		pdt_test(mapped_dmabuf),
		pdt_test(refused),
		pdt_test(imported_from_another_device),
		pdt_test(exported_to_another_device),
		pdt_test(vram_only_is_not_for_others),
		pdt_test(kept_by_another_device),
		pdt_test(shared_by_threads),
	};

	return pdt_run_tests("prime", tests);
}
