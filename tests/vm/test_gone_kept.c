// SPDX-License-Identifier: MIT
/*
 * What somebody keeps of a card that is gone: open files, mappings, dma-bufs,
 * syncobjs, and what is shared with another device.
 */
#include "pdt.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* As in test_gone.c */
#define PROMPT_MS 4000
#define DEATH_MS 12000

/* What somebody keeps of a card that is gone */
struct kept {
	struct pdt_buffer vram, gtt, cpu, shared;
	int fd, dmabuf, vgem;
	uint32_t theirs;
};

static void keep(struct kept *kept)
{
	static const char *const load[] = { "modprobe", "vgem", NULL };
	uint32_t syncobj;

	kept->fd = pdt_open();
	assert_true(kept->fd >= 0);
	assert_ok(pdt_buffer_create(kept->fd, &kept->vram, 8 * PDT_PAGE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(kept->fd, &kept->gtt, 8 * PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(kept->fd, &kept->cpu, 8 * PDT_PAGE, PDT_CPU, 0));
	assert_ok(pdt_buffer_create(kept->fd, &kept->shared, 8 * PDT_PAGE, PDT_BOTH, 0));
	pdt_buffer_fill(&kept->vram, 1);
	pdt_buffer_fill(&kept->gtt, 2);
	pdt_buffer_fill(&kept->cpu, 3);
	pdt_buffer_fill(&kept->shared, 4);
	assert_ok(pdt_syncobj_create(kept->fd, &syncobj));
	assert_ok(pdt_export(kept->fd, kept->shared.handle, &kept->dmabuf));
	pdt_command(load);
	kept->vgem = pdt_open_card("vgem", false);
	if (kept->vgem >= 0)
		assert_ok(pdt_import(kept->vgem, kept->dmabuf, &kept->theirs));
}

/* Until somebody notices: an idle card is not looked at. */
static uint64_t wait_for_enodev(int fd)
{
	uint64_t start = pdt_now_ms();
	struct drm_pddgpu_device_info info;
	int rc;

	while ((rc = pdt_device_info(fd, &info)) != -ENODEV &&
	       pdt_now_ms() < start + DEATH_MS * pdt_slow())
		pdt_sleep_ms(1);
	assert_int_equal(rc, -ENODEV);
	return pdt_now_ms() - start;
}

static int read_all(void *arg)
{
	const struct pdt_buffer *buf = arg;
	volatile char *bytes = buf->map;

	for (uint64_t i = 0; i < buf->size; i += PDT_PAGE) {
		(void)bytes[i];
		bytes[i] = 1;
	}
	return 0;
}

static void check_kept(const struct kept *kept)
{
	struct drm_pddgpu_gem_info info;
	uint32_t handle;
	void *map;

	/* System pages hold what they held, by all their mappings. */
	assert_ok(pdt_buffer_check(&kept->gtt));
	assert_ok(pdt_buffer_check(&kept->cpu));
	/* It is in the GTT when another device has it. */
	if (kept->vgem >= 0)
		assert_ok(pdt_buffer_check(&kept->shared));
	map = mmap(NULL, kept->shared.size, PROT_READ | PROT_WRITE, MAP_SHARED, kept->dmabuf, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	if (kept->vgem >= 0)
		assert_int_equal(pdt_pattern_check(map, kept->shared.size, 4), -1);
	munmap(map, kept->shared.size);
	/* What was in VRAM is not there, and kills nobody. */
	assert_int_equal(pdt_run(read_all, (void *)&kept->vram), 0);

	assert_err(ENODEV, pdt_create(kept->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	assert_err(ENODEV, pdt_info(kept->fd, kept->gtt.handle, &info));
	assert_err(ENODEV, pdt_import(kept->fd, kept->dmabuf, &handle));
	assert_err(ENODEV, pdt_destroy(kept->fd, kept->gtt.handle));
}

static void let_go(struct kept *kept)
{
	munmap(kept->vram.map, kept->vram.size);
	munmap(kept->gtt.map, kept->gtt.size);
	munmap(kept->cpu.map, kept->cpu.size);
	munmap(kept->shared.map, kept->shared.size);
	close(kept->dmabuf);
	if (kept->vgem >= 0)
		close(kept->vgem);
	close(kept->fd);
}

/* Files, mappings, dma-bufs and syncobjs are held over the end, and over the return */
static void what_is_kept(void **state)
{
	struct kept kept;

	(void)state;
	for (enum pdt_way way = 0; way < PDT_WAYS; way++) {
		uint64_t ms;

		if (!pdt_way_possible(way)) {
			printf("# not here: %s\n", pdt_way_names[way]);
			continue;
		}
		keep(&kept);
		assert_ok(pdt_take_away(way));
		ms = wait_for_enodev(kept.fd);
		printf("# %s, idle: -ENODEV after %llu ms\n", pdt_way_names[way],
		       (unsigned long long)ms);
		assert_in_range(ms, 0, (way == PDT_DIE ? DEATH_MS : PROMPT_MS) * pdt_slow());
		check_kept(&kept);
		assert_ok(pdt_bring_back(way));
		assert_ok(pdt_gone_works());
		check_kept(&kept);
		let_go(&kept);
		assert_ok(pdt_gone_works());
	}
}

/* A buffer of a foreign device that the card had imported lives on. */
static void imported_lives_on(void **state)
{
	static const char *const load[] = { "modprobe", "vgem", NULL };
	struct drm_mode_create_dumb dumb = { .width = 16384, .height = 4, .bpp = 8 };
	struct drm_mode_map_dumb where = { 0 };
	int fd = pdt_open(), vgem, dmabuf;
	uint32_t handle;
	void *map;

	(void)state;
	assert_true(fd >= 0);
	pdt_command(load);
	vgem = pdt_open_card("vgem", false);
	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_ioctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &dumb));
	where.handle = dumb.handle;
	assert_ok(pdt_ioctl(vgem, DRM_IOCTL_MODE_MAP_DUMB, &where));
	map = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, vgem,
		   (off_t)where.offset);
	assert_ptr_not_equal(map, MAP_FAILED);
	pdt_pattern_fill(map, dumb.size, 9);
	assert_ok(pdt_export(vgem, dumb.handle, &dmabuf));
	assert_ok(pdt_import(fd, dmabuf, &handle));
	close(dmabuf);
	assert_ok(pdt_take_away(PDT_BUS));
	wait_for_enodev(fd);
	assert_int_equal(pdt_pattern_check(map, dumb.size, 9), -1);
	close(fd);
	assert_int_equal(pdt_pattern_check(map, dumb.size, 9), -1);
	munmap(map, dumb.size);
	close(vgem);
	assert_ok(pdt_bring_back(PDT_BUS));
	assert_ok(pdt_gone_works());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_gone_test(what_is_kept),
		pdt_gone_test(imported_lives_on),
	};

	return pdt_run_tests("gone_kept", tests);
}
