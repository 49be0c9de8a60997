// SPDX-License-Identifier: MIT
/* Buffers that clients keep where they are: rules, limits, and the end of both. */
#include "pdt.h"

#include <signal.h>
#include <unistd.h>

#define SIZE		(64 * PDT_KIB)
#define STAY		PDDGPU_GEM_SET_UNPAGEABLE
#define GO		PDDGPU_GEM_SET_PAGEABLE
#define CREATE_STAY	PDDGPU_GEM_CREATE_UNPAGEABLE

static uint64_t used(const char *segment)
{
	struct pdt_limits limits;

	return pdt_limits(segment, &limits) ? UINT64_MAX : limits.used;
}

/* Whatever a test that failed has left behind */
static void begin(struct pdt_state *s)
{
	(void)s;
	assert_ok(pdt_limits_restore());
	assert_u64(used("vram"), 0);
	assert_u64(used("vram_invisible"), 0);
	assert_u64(used("system"), 0);
}

static void the_rules(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info;
	struct pdt_buffer buf;
	uint32_t now;

	begin(s);
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_BOTH, 0));
	pdt_buffer_fill(&buf, 1);
	assert_false(pdt_unpageable(s->fd, buf.handle));
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_BOTH, GO, &now));
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_BOTH, STAY, &now));
	assert_int_equal(now, PDT_VRAM);
	assert_true(pdt_unpageable(s->fd, buf.handle));
	assert_u64(used("vram"), SIZE);

	/* Again, or without a wish: the same. Another set: no. */
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_BOTH, STAY, &now));
	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_BOTH, &now));
	assert_int_equal(now, PDT_VRAM);
	assert_err(EBUSY, pdt_set_domain(s->fd, buf.handle, PDT_GTT, NULL));
	assert_err(EBUSY, pdt_set_domain(s->fd, buf.handle, PDT_VRAM, NULL));
	assert_err(EBUSY, pdt_set_domain_flags(s->fd, buf.handle, PDT_GTT, STAY, NULL));
	assert_err(EINVAL, pdt_set_domain_flags(s->fd, buf.handle, PDT_BOTH, STAY | GO, NULL));
	assert_err(EINVAL, pdt_set_domain_flags(s->fd, buf.handle, 0, GO, NULL));
	assert_err(EINVAL, pdt_set_domain_flags(s->fd, buf.handle, PDT_BOTH, 1U << 31, NULL));
	assert_err(ENOENT, pdt_set_domain_flags(s->fd, 0xdead, PDT_BOTH, STAY, NULL));
	assert_true(pdt_unpageable(s->fd, buf.handle));
	assert_u64(used("vram"), SIZE);

	/* A move ends it. */
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_GTT | PDT_CPU, GO, &now));
	assert_int_equal(now, PDT_GTT);
	assert_false(pdt_unpageable(s->fd, buf.handle));
	assert_u64(used("vram"), 0);

	/* Moved, then kept */
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_CPU, STAY, &now));
	assert_int_equal(now, PDT_CPU);
	assert_u64(used("system"), SIZE);
	assert_ok(pdt_info(s->fd, buf.handle, &info));
	assert_int_equal(info.flags, CREATE_STAY);
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_CPU, GO, &now));
	assert_u64(used("system"), 0);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
}

/* Where there is no room it cannot go: that it was to stay is not lost. */
static void a_failed_move_ends_nothing(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf, fill[64];
	struct drm_pddgpu_memory_stats stats;
	uint32_t now;
	size_t n;
	int err;

	begin(s);
	assert_ok(pdt_buffer_create(s->fd, &buf, 4 * PDT_MIB, PDT_GTT, CREATE_STAY));
	pdt_buffer_fill(&buf, 4);
	assert_ok(pdt_stats(s->fd, &stats));
	n = pdt_fill_domain(s->fd, fill, PDT_ARRAY_SIZE(fill),
			    pdt_pages(stats.vram_free / 16), PDT_VRAM, &err);
	assert_int_equal(err, -ENOMEM);
	assert_err(ENOMEM, pdt_set_domain_flags(s->fd, buf.handle, PDT_VRAM, GO, NULL));
	assert_true(pdt_unpageable(s->fd, buf.handle));
	assert_u64(used("system"), 4 * PDT_MIB);
	assert_err(ENOENT, pdt_page_out("gtt", PDT_PAGE, NULL));
	/* Nor does a new wish that finds no room make one. */
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_GTT, GO, NULL));
	assert_err(ENOMEM, pdt_set_domain_flags(s->fd, buf.handle, PDT_VRAM, STAY, NULL));
	assert_false(pdt_unpageable(s->fd, buf.handle));
	assert_u64(used("vram"), 0);
	while (n)
		pdt_buffer_destroy(s->fd, &fill[--n]);
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_VRAM, STAY, &now));
	assert_int_equal(now, PDT_VRAM);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
}

/* Kept where the engine does not reach: said so, and not when it may move */
static void jobs_of_the_cpu_domain(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer fill[64];
	uint32_t handle, now;
	size_t n;
	int err;

	begin(s);
	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.gtt_total > 96 * PDT_MIB)
		pdt_skip("made for a small aperture");
	n = pdt_fill_domain(s->fd, fill, PDT_ARRAY_SIZE(fill),
			    pdt_pages(stats.gtt_free / 16), PDT_GTT, &err);
	assert_int_equal(err, -ENOMEM);
	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_GTT | PDT_CPU, CREATE_STAY, &handle));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_CPU);
	while (n)
		pdt_buffer_destroy(s->fd, &fill[--n]);
	op = pdt_fill(handle, 0, PDT_MIB, 7);
	assert_err(EBUSY, pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_set_domain_flags(s->fd, handle, PDT_GTT | PDT_CPU, GO, &now));
	assert_int_equal(now, PDT_GTT);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_destroy(s->fd, handle));
}

/* More than VRAM holds, four times: what was to stay is where it was, whole. */
static void stays_when_oversubscribed(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats, after;
	struct drm_pddgpu_gem_info info;
	uint64_t address[4], size, moved, chunk;
	struct pdt_buffer kept[4];
	uint32_t ring[24] = { 0 };

	begin(s);
	assert_ok(pdt_stats(s->fd, &stats));
	size = pdt_pages(stats.vram_visible_total / 8 / 4);
	chunk = pdt_pages(stats.vram_total / 16);
	if (stats.gtt_free < 12 * chunk)
		pdt_skip("the GTT is too small beside VRAM");
	for (size_t i = 0; i < 4; i++) {
		assert_ok(pdt_buffer_create(s->fd, &kept[i], size, i < 2 ? PDT_VRAM : PDT_BOTH,
					    CREATE_STAY));
		pdt_buffer_fill(&kept[i], i + 1);
		assert_ok(pdt_info(s->fd, kept[i].handle, &info));
		assert_int_equal(info.domain, PDT_VRAM);
		address[i] = info.offset;
	}
	assert_err(EDQUOT, pdt_create(s->fd, size, PDT_VRAM, CREATE_STAY, ring));

	for (size_t i = 0; i < 4 * 16; i++) {
		uint32_t *handle = &ring[i % PDT_ARRAY_SIZE(ring)];

		if (*handle)
			assert_ok(pdt_destroy(s->fd, *handle));
		assert_ok(pdt_create(s->fd, chunk, PDT_BOTH, 0, handle));
	}
	assert_ok(pdt_stats(s->fd, &after));
	assert_true(after.evictions > stats.evictions);
	assert_ok(pdt_page_out("vram", stats.vram_total, &moved));
	assert_true(moved > 0);
	assert_u64(pdt_residency_sum("vram_unpageable_bytes"), stats.kernel_bytes + 4 * size);
	for (size_t i = 0; i < 4; i++) {
		assert_ok(pdt_info(s->fd, kept[i].handle, &info));
		assert_int_equal(info.domain, PDT_VRAM);
		assert_u64(info.offset, address[i]);
		assert_ok(pdt_buffer_check(&kept[i]));
		pdt_buffer_destroy(s->fd, &kept[i]);
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(ring); i++)
		assert_ok(pdt_destroy(s->fd, ring[i]));
	assert_u64(used("vram"), 0);
}

static void limits_by_client_and_over_all(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_limits limits;
	struct pdt_level level, now;
	uint32_t mine[2], handle, domain;
	int fds[2];

	begin(s);
	assert_ok(pdt_limits("vram", &limits));
	assert_u64(limits.client, limits.size / 8);
	assert_u64(limits.all, limits.size / 2);
	assert_ok(pdt_limits_set("vram", 2 * SIZE, 4 * SIZE));
	for (size_t i = 0; i < 2; i++) {
		fds[i] = pdt_open();
		assert_true(fds[i] >= 0);
		assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, CREATE_STAY, &mine[i]));
	}
	assert_u64(used("vram"), 2 * SIZE);

	/* This client has all that it may: nothing happens. */
	assert_ok(pdt_level_read(s->fd, &level));
	assert_err(EDQUOT, pdt_create(s->fd, PDT_PAGE, PDT_VRAM, CREATE_STAY, &handle));
	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.objects, level.objects);
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_err(EDQUOT, pdt_set_domain_flags(s->fd, handle, PDT_VRAM, STAY, NULL));
	assert_false(pdt_unpageable(s->fd, handle));
	/* Elsewhere it may still. */
	assert_ok(pdt_set_domain_flags(s->fd, handle, PDT_BOTH, STAY, &domain));
	assert_int_equal(domain, PDT_GTT);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_BOTH, CREATE_STAY, &handle));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_GTT);
	assert_ok(pdt_destroy(s->fd, handle));

	/* Another has its own, and a third finds that all have too much. */
	assert_ok(pdt_create(fds[0], 2 * SIZE, PDT_VRAM, CREATE_STAY, &handle));
	assert_err(EDQUOT, pdt_create(fds[1], PDT_PAGE, PDT_VRAM, CREATE_STAY, &handle));
	assert_ok(pdt_limits_set("vram", 2 * SIZE, 5 * SIZE));
	assert_ok(pdt_create(fds[1], PDT_PAGE, PDT_VRAM, CREATE_STAY, &handle));
	/* Lowered: what is there stays, nothing comes, and what goes is room at last. */
	assert_ok(pdt_limits_set("vram", SIZE, SIZE));
	assert_true(pdt_unpageable(s->fd, mine[0]));
	assert_ok(pdt_destroy(s->fd, mine[0]));
	assert_err(EDQUOT, pdt_create(s->fd, PDT_PAGE, PDT_VRAM, CREATE_STAY, &handle));
	close(fds[0]);
	close(fds[1]);
	assert_ok(pdt_set_domain_flags(s->fd, mine[1], PDT_VRAM, GO, NULL));
	assert_u64(used("vram"), 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, CREATE_STAY, &handle));
	/* What can never be is told apart from what may not. */
	assert_err(EINVAL, pdt_create(s->fd, 0, PDT_VRAM, CREATE_STAY, &handle));
	assert_err(E2BIG, pdt_create(s->fd, UINT64_MAX / 2, PDT_VRAM, CREATE_STAY, &handle));
	assert_ok(pdt_limits_restore());
}

static int hold(void *arg)
{
	int *ends = arg, fd = pdt_open(), dmabuf;
	uint32_t handle;
	char byte = 'r';

	child_check(fd >= 0);
	for (unsigned int i = 0; i < 64; i++) {
		child_check(!pdt_create(fd, PDT_PAGE, i % 2 ? PDT_VRAM : PDT_GTT, CREATE_STAY,
					&handle));
		/* Not with the handle either, when a dma-buf goes on */
		child_check(i % 8 || !pdt_export(fd, handle, &dmabuf));
	}
	child_check(write(ends[1], &byte, 1) == 1);
	for (;;)
		pause();
}

static void charges_end_with_their_client(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle, again;
	int fd, ends[2], dmabuf;
	char byte;
	pid_t pid;

	begin(s);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, CREATE_STAY, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_u64(used("vram"), 0);
	assert_ok(pdt_import(s->fd, dmabuf, &again));
	assert_false(pdt_unpageable(s->fd, again));
	assert_ok(pdt_destroy(s->fd, again));
	close(dmabuf);

	fd = pdt_open();
	assert_true(fd >= 0);
	for (unsigned int i = 0; i < 16; i++)
		assert_ok(pdt_create(fd, SIZE, PDT_BOTH, CREATE_STAY, &handle));
	assert_u64(used("vram"), 16 * SIZE);
	close(fd);
	assert_u64(used("vram"), 0);

	assert_int_equal(pipe(ends), 0);
	pid = pdt_fork(hold, ends);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	assert_u64(used("vram"), 32 * PDT_PAGE);
	assert_u64(used("system"), 32 * PDT_PAGE);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(pdt_wait(pid), 128 + SIGKILL);
	assert_u64(used("vram"), 0);
	assert_u64(used("system"), 0);
}

static int wish_in_child(void *arg)
{
	uint32_t handle;
	int fd = *(int *)arg;

	/* The same file: the same client, whose account is full */
	child_check(pdt_create(fd, PDT_PAGE, PDT_VRAM, CREATE_STAY, &handle) == -EDQUOT);
	return 0;
}

static void shared_by_clients(void **state)
{
	struct pdt_state *s = *state;
	int other = pdt_open(), dmabuf;
	uint32_t mine, theirs, same, now;

	begin(s);
	assert_true(other >= 0);
	assert_ok(pdt_limits_set("vram", SIZE, 8 * SIZE));
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, CREATE_STAY, &mine));
	assert_int_equal(pdt_run(wish_in_child, &s->fd), 0);
	assert_ok(pdt_export(s->fd, mine, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &same));
	assert_int_equal(same, mine);
	assert_ok(pdt_import(other, dmabuf, &theirs));
	close(dmabuf);

	/* Theirs is not the wish: they can neither end nor move it. */
	assert_true(pdt_unpageable(other, theirs));
	assert_ok(pdt_set_domain_flags(other, theirs, PDT_BOTH, GO, &now));
	assert_err(EBUSY, pdt_set_domain_flags(other, theirs, PDT_GTT, GO, NULL));
	assert_err(EBUSY, pdt_set_domain(other, theirs, PDT_GTT, NULL));
	assert_true(pdt_unpageable(s->fd, mine));

	/* Both wish it: each pays, together it counts once; the last one ends it. */
	assert_ok(pdt_set_domain_flags(other, theirs, PDT_BOTH, STAY, &now));
	assert_u64(used("vram"), SIZE);
	assert_err(EDQUOT, pdt_create(other, PDT_PAGE, PDT_VRAM, CREATE_STAY, &same));
	assert_err(EBUSY, pdt_set_domain_flags(s->fd, mine, PDT_GTT, GO, NULL));
	assert_ok(pdt_destroy(s->fd, mine));
	assert_true(pdt_unpageable(other, theirs));
	assert_u64(used("vram"), SIZE);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, CREATE_STAY, &mine));
	assert_ok(pdt_set_domain_flags(other, theirs, PDT_GTT, GO, &now));
	assert_int_equal(now, PDT_GTT);
	assert_u64(used("vram"), SIZE);
	close(other);
	assert_ok(pdt_limits_restore());
}

/* Two handles in one file, by name: the wish is that of the later one. */
static void the_handle_that_wished(void **state)
{
	struct pdt_state *s = *state;
	struct drm_gem_flink name = { 0 };
	struct drm_gem_open twin = { 0 };
	int fd = pdt_open_card("pddgpu", false);

	begin(s);
	if (fd < 0)
		pdt_skip("no primary node");
	assert_ok(pdt_create(fd, SIZE, PDT_VRAM, CREATE_STAY, &name.handle));
	if (pdt_ioctl(fd, DRM_IOCTL_GEM_FLINK, &name)) {
		close(fd);
		pdt_skip("no names for buffers here");
	}
	twin.name = name.name;
	assert_ok(pdt_ioctl(fd, DRM_IOCTL_GEM_OPEN, &twin));
	assert_int_not_equal(twin.handle, name.handle);
	assert_ok(pdt_destroy(fd, twin.handle));
	assert_true(pdt_unpageable(fd, name.handle));

	assert_ok(pdt_ioctl(fd, DRM_IOCTL_GEM_OPEN, &twin));
	assert_ok(pdt_set_domain_flags(fd, twin.handle, PDT_VRAM, STAY, NULL));
	assert_u64(used("vram"), SIZE);
	assert_ok(pdt_destroy(fd, name.handle));
	assert_true(pdt_unpageable(fd, twin.handle));
	assert_ok(pdt_ioctl(fd, DRM_IOCTL_GEM_OPEN, &twin));
	close(fd);
	assert_u64(used("vram"), 0);
}

static void with_another_device(void **state)
{
	static const char *const load[] = { "modprobe", "vgem", NULL };
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	uint32_t theirs, now;
	int vgem, dmabuf;

	begin(s);
	pdt_command(load);
	vgem = pdt_open_card("vgem", false);
	for (int i = 0; vgem < 0 && i < 100; i++) {
		pdt_sleep_ms(20);
		vgem = pdt_open_card("vgem", false);
	}
	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_BOTH, CREATE_STAY));
	pdt_buffer_fill(&buf, 3);
	assert_ok(pdt_export(s->fd, buf.handle, &dmabuf));
	assert_err(EBUSY, pdt_import(vgem, dmabuf, &theirs));
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_VRAM);

	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_BOTH, GO, NULL));
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_GTT, STAY, NULL));
	assert_ok(pdt_import(vgem, dmabuf, &theirs));
	assert_u64(pdt_residency_sum("gtt_unpageable_bytes"), SIZE);
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_GTT, GO, &now));
	assert_u64(used("system"), 0);
	/* The other device has it still. */
	assert_false(pdt_unpageable(s->fd, buf.handle));
	assert_int_equal(pdt_listed("gtt", "attached", NULL, 0), 1);
	assert_err(EBUSY, pdt_set_domain(s->fd, buf.handle, PDT_GTT, NULL));
	assert_ok(pdt_set_domain_flags(s->fd, buf.handle, PDT_GTT, STAY, &now));
	assert_u64(used("system"), SIZE);
	close(dmabuf);
	close(vgem);
	assert_true(pdt_unpageable(s->fd, buf.handle));
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
	assert_u64(used("system"), 0);
}

struct race {
	int fd;
	uint32_t handle;
	unsigned int round;
};

/* One closes a handle while another wishes something through it. */
static int race(void *arg, unsigned int index)
{
	struct race *race = arg;
	uint64_t random = race->round;
	int rc;

	for (uint64_t i = pdt_random(&random) % 2000; index && i; i--)
		__asm__ volatile("" ::: "memory");
	if (index) {
		child_check(!pdt_destroy(race->fd, race->handle));
		return 0;
	}
	rc = pdt_set_domain_flags(race->fd, race->handle, PDT_BOTH, STAY, NULL);
	child_check(!rc || rc == -ENOENT);
	return 0;
}

static void wishes_for_closing_handles(void **state)
{
	struct pdt_state *s = *state;
	struct race shared = { .fd = s->fd };

	begin(s);
	for (shared.round = 0; shared.round < 300; shared.round++) {
		assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_BOTH, 0, &shared.handle));
		assert_int_equal(pdt_threads(2, race, &shared), 0);
		assert_u64(used("vram"), 0);
	}
}

/* Where no CPU reaches, or where one does: each kind on its own account */
static void visible_or_not(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_buffer seen;
	struct pdt_limits limits;
	uint32_t hidden;

	begin(s);
	assert_ok(pdt_stats(s->fd, &before));
	assert_ok(pdt_limits("vram_invisible", &limits));
	assert_u64(limits.size, before.vram_total - before.vram_visible_total);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM,
			     CREATE_STAY | PDDGPU_GEM_CREATE_NO_CPU_ACCESS, &hidden));
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.vram_visible_used - before.vram_visible_used, limits.size ? 0 : SIZE);
	assert_u64(used("vram_invisible"), limits.size ? SIZE : 0);

	assert_ok(pdt_buffer_create(s->fd, &seen, SIZE, PDT_VRAM, 0));
	assert_ok(pdt_set_domain_flags(s->fd, seen.handle, PDT_VRAM, STAY, NULL));
	assert_ok(pdt_stats(s->fd, &before));
	pdt_buffer_fill(&seen, 9);
	assert_ok(pdt_buffer_check(&seen));
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.moves, before.moves);
	assert_u64(used("vram"), limits.size ? SIZE : 2 * SIZE);
	pdt_buffer_destroy(s->fd, &seen);
	assert_ok(pdt_destroy(s->fd, hidden));
}

static void bad_limits(void **state)
{
	static const char *const rubbish[] = {
		"vram", "vram 1", "vram 1 2 3", "gtt 1 2", "vram 1 x", "vram -1 1", "system 1 2 ",
		"1 2", "vram  1 2", "vram 1,2", "x 1 2", "vram_ 1 2", "system 1 2\nvram 1 2",
	};
	struct pdt_state *s = *state;
	struct pdt_limits before, after;

	begin(s);
	assert_ok(pdt_limits("vram", &before));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(rubbish); i++) {
		if (pdt_debugfs_write("unpageable_limits", rubbish[i]) != -EINVAL)
			fail_msg("\"%s\" was not refused", rubbish[i]);
	}
	assert_err(ERANGE, pdt_limits_set("vram", before.size + 1, 0));
	assert_err(ERANGE, pdt_limits_set("vram", 0, before.size + 1));
	assert_err(ERANGE, pdt_debugfs_write("unpageable_limits",
					     "vram 1 99999999999999999999999"));
	assert_ok(pdt_limits("vram", &after));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_ok(pdt_debugfs_write("unpageable_limits", "vram 1M 2m\n"));
	assert_ok(pdt_limits("vram", &after));
	assert_u64(after.client, PDT_MIB);
	assert_u64(after.all, 2 * PDT_MIB);
	assert_ok(pdt_limits_restore());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(the_rules),
		pdt_test(a_failed_move_ends_nothing),
		pdt_test(jobs_of_the_cpu_domain),
		pdt_test(stays_when_oversubscribed),
		pdt_test(limits_by_client_and_over_all),
		pdt_test(charges_end_with_their_client),
		pdt_test(shared_by_clients),
		pdt_test(the_handle_that_wished),
		pdt_test(with_another_device),
		pdt_test(wishes_for_closing_handles),
		pdt_test(visible_or_not),
		pdt_test(bad_limits),
	};

	return pdt_run_tests("unpageable", tests);
}
