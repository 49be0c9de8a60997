// SPDX-License-Identifier: MIT
/*
 * Many sleeps, sleeps in a crowd, sleeps that are refused, two cards that sleep,
 * and cards that do not wake up. PDT_SLEEPS=N makes N sleeps of those in a row.
 */
#include "pdt.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE	(300 * PDT_KIB)
#define STAY	PDDGPU_GEM_CREATE_UNPAGEABLE
#define THREADS	6
/* A child has so much time, and no more */
#define CROWDED	10

static void control(const char *command)
{
	char answer[512];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

static int64_t figure(const char *name)
{
	int64_t value;

	assert_ok(pdt_pm_number(name, &value));
	return value;
}

static unsigned int sleeps(void)
{
	return pdt_count("PDT_SLEEPS", 6);
}

/* Every third is a real one. */
static const char *how(unsigned int n)
{
	return n % 3 ? "devices" : "mem";
}

/* The same buffers through all of them, some of them written in between */
static void many_in_a_row(void **state)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_BOTH, PDT_GTT, PDT_BOTH | PDT_CPU };
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[24];
	uint64_t random = pdt_seed(11);
	struct drm_pddgpu_submit_op op;
	int64_t resumes = figure("resumes");

	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, domains[i % 4],
					    i % 8 ? 0 : STAY));
		pdt_buffer_fill(&bufs[i], i);
	}
	for (unsigned int n = 0; n < sleeps(); n++) {
		control("lose-vram");
		assert_ok(pdt_sleep(how(n)));
		for (unsigned int k = 0; k < 4; k++) {
			size_t to = pdt_random(&random) % PDT_ARRAY_SIZE(bufs);
			size_t from = pdt_random(&random) % PDT_ARRAY_SIZE(bufs);

			op = pdt_copy(bufs[to].handle, 0, bufs[from].handle, 0, SIZE);
			assert_ok(pdt_submit(s->fd, &op, 1));
			bufs[to].seed = bufs[from].seed;
		}
		for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
			if (pdt_random(&random) % 3)
				continue;
			assert_ok(pdt_wait_idle(s->fd, bufs[i].handle, 60000));
			assert_ok(pdt_buffer_check(&bufs[i]));
			pdt_buffer_fill(&bufs[i], n * 100 + i);
		}
	}
	assert_u64(figure("resumes"), resumes + sleeps());
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_ok(pdt_wait_idle(s->fd, bufs[i].handle, 60000));
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
}

struct crowd {
	volatile int stop;
	volatile unsigned int rounds[THREADS];
};

/* Without pdt_ioctl(): to be frozen must not look like a signal */
static int as_it_is(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? -errno : 0;
}

static int make_use_free(int fd, uint64_t *random)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_BOTH, PDT_GTT };
	struct drm_pddgpu_gem_create create = {
		.size = PDT_PAGE * (1 + pdt_random(random) % 300),
		.domains = domains[pdt_random(random) % 3],
	};
	struct drm_pddgpu_submit_op op;
	struct drm_pddgpu_submit submit = { .ops = (uintptr_t)&op, .op_count = 1 };
	struct drm_pddgpu_gem_wait wait = { .timeout_ns = INT64_MAX };
	struct drm_pddgpu_gem_destroy destroy = { 0 };
	uint32_t pattern = (uint32_t)pdt_random(random);
	void *map;

	child_check(!as_it_is(fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &create));
	child_check(!pdt_mmap(fd, create.handle, create.size, &map));
	child_check(pdt_zero_check(map, create.size) == -1);
	op = pdt_fill(create.handle, 0, create.size, pattern);
	child_check(!as_it_is(fd, DRM_IOCTL_PDDGPU_SUBMIT, &submit));
	wait.handle = create.handle;
	child_check(!as_it_is(fd, DRM_IOCTL_PDDGPU_GEM_WAIT, &wait));
	for (size_t i = 0; i < create.size / 4; i++)
		child_check(((uint32_t *)map)[i] == pattern);
	pdt_pattern_fill(map, create.size, pattern);
	child_check(!pdt_set_domain(fd, create.handle, PDT_BOTH, NULL));
	child_check(pdt_pattern_check(map, create.size, pattern) == -1);
	munmap(map, create.size);
	destroy.handle = create.handle;
	child_check(!as_it_is(fd, DRM_IOCTL_PDDGPU_GEM_DESTROY, &destroy));
	return 0;
}

static int one_of_many(void *arg, unsigned int index)
{
	struct crowd *crowd = arg;
	uint64_t random = pdt_seed(index + 1);
	int fd = pdt_open(), rc = 0;

	child_check(fd >= 0);
	while (!crowd->stop && !rc) {
		rc = make_use_free(fd, &random);
		crowd->rounds[index]++;
	}
	close(fd);
	return rc;
}

static int the_crowd(void *arg)
{
	return pdt_threads(THREADS, one_of_many, arg) ? 1 : 0;
}

/* Sleeps from the @first on, to the end or to when others take over */
static unsigned int some_in_a_crowd(unsigned int first)
{
	struct crowd *crowd = pdt_shared(sizeof(*crowd));
	unsigned int before, n;
	pid_t child;

	assert_non_null(crowd);
	child = pdt_fork(the_crowd, crowd);
	assert_true(child > 0);
	for (n = first; n < sleeps() && n < first + CROWDED; n++) {
		before = crowd->rounds[n % THREADS];
		for (unsigned int i = 0; i < 2000 && crowd->rounds[n % THREADS] < before + 2; i++)
			pdt_sleep_ms(10);
		assert_true(crowd->rounds[n % THREADS] >= before + 2);
		control("lose-vram");
		assert_ok(pdt_sleep(how(n)));
	}
	crowd->stop = 1;
	assert_int_equal(pdt_wait(child), 0);
	munmap(crowd, sizeof(*crowd));
	return n;
}

/* Nobody notices, whatever he was doing; nor is anybody's call cut off. */
static void in_a_crowd(void **state)
{
	unsigned int n = 0;

	(void)state;
	while (n < sleeps())
		n = some_in_a_crowd(n);
}

/* More in VRAM than memory takes: no sleep, and all is as it was. */
static void too_much_for_memory(void **state)
{
	static uint32_t handle[512];
	uint64_t available, size = 2 * PDT_MIB;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_state *s = *state;
	int64_t failures = figure("failures"), suspends = figure("suspends");
	struct pdt_buffer glass;
	size_t n = 0;

	assert_ok(pdt_stats(s->fd, &stats));
	assert_ok(pdt_meminfo("MemAvailable", &available));
	if (stats.vram_free < available)
		pdt_skip("memory takes all of this VRAM");
	assert_ok(pdt_buffer_create(s->fd, &glass, size, PDT_GTT, 0));
	while (n < PDT_ARRAY_SIZE(handle) &&
	       !pdt_create(s->fd, size, PDT_VRAM, 0, &handle[n])) {
		assert_ok(pdt_spoil(s->fd, handle[n], size, 0x5000 + (uint32_t)n));
		n++;
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_err(ENOMEM, pdt_sleep(i ? "devices" : "mem"));
	assert_u64(figure("failures"), failures + 3);
	assert_u64(figure("suspends"), suspends);
	assert_int_equal(figure("last_error"), -ENOMEM);
	assert_true(pdt_log_count(&s->log, "no sleep") == 3);
	for (size_t i = 0; i < n; i++) {
		struct drm_pddgpu_submit_op op = pdt_copy(glass.handle, 0, handle[i], 0, size);

		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_wait_idle(s->fd, glass.handle, 60000));
		for (size_t at = 0; at < size / 4; at += 1021)
			assert_int_equal(((uint32_t *)glass.map)[at], 0x5000 + i);
	}
	/* And when there is less of it, it works. */
	while (n > 8)
		assert_ok(pdt_destroy(s->fd, handle[--n]));
	control("lose-vram");
	assert_ok(pdt_sleep("mem"));
	assert_u64(figure("suspends"), suspends + 1);
	while (n)
		assert_ok(pdt_destroy(s->fd, handle[--n]));
	pdt_buffer_destroy(s->fd, &glass);
}

/* The other card of ours than the one that pdt_open() opens; negative for none */
static int open_second(void)
{
	char path[64], name[16];

	for (unsigned int i = 128; i < 140; i++) {
		struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/renderD%u", i);
		fd = strcmp(path, pdt_render_path()) ? open(path, O_RDWR | O_CLOEXEC) : -1;
		if (fd < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!pdt_ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "pddgpu"))
			return fd;
		close(fd);
	}
	return -ENODEV;
}

/* The second card has no channel here, and debugfs shows the first. */
static void two_cards(void **state)
{
	struct pdt_buffer bufs[2], shared;
	int fds[2], dmabuf;
	uint32_t theirs;
	void *map;

	(void)state;
	fds[0] = pdt_open();
	fds[1] = open_second();
	if (fds[1] < 0) {
		close(fds[0]);
		pdt_skip("there are no two cards in this machine");
	}
	for (int i = 0; i < 2; i++) {
		assert_ok(pdt_buffer_create(fds[i], &bufs[i], 4 * PDT_MIB, PDT_VRAM, 0));
		pdt_buffer_fill(&bufs[i], 40 + (uint64_t)i);
	}
	assert_ok(pdt_buffer_create(fds[0], &shared, SIZE, PDT_BOTH, 0));
	pdt_buffer_fill(&shared, 50);
	assert_ok(pdt_export(fds[0], shared.handle, &dmabuf));
	assert_ok(pdt_import(fds[1], dmabuf, &theirs));
	control("lose-vram");
	assert_ok(pdt_sleep("mem"));
	assert_ok(pdt_mmap(fds[1], theirs, SIZE, &map));
	assert_int_equal(pdt_pattern_check(map, SIZE, 50), -1);
	munmap(map, SIZE);
	for (int i = 0; i < 2; i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		assert_ok(pdt_set_domain(fds[i], bufs[i].handle, PDT_GTT, NULL));
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(fds[i], &bufs[i]);
	}
	assert_ok(pdt_destroy(fds[1], theirs));
	pdt_buffer_destroy(fds[0], &shared);
	close(dmabuf);
	close(fds[0]);
	close(fds[1]);
}

/* Whatever becomes of the card in its sleep: it is as if it had been taken away. */
static void does_not_wake_up(const char *command, const char *says)
{
	struct pdt_log log;
	struct pdt_buffer vram, gtt;
	uint32_t handle;
	int fd = pdt_open();

	assert_true(fd >= 0);
	assert_ok(pdt_log_open(&log));
	assert_ok(pdt_buffer_create(fd, &vram, SIZE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(fd, &gtt, SIZE, PDT_GTT, 0));
	pdt_buffer_fill(&vram, 1);
	pdt_buffer_fill(&gtt, 2);
	control(command);
	assert_ok(pdt_sleep("mem"));
	/* At once */
	assert_int_equal(pdt_zero_check(vram.map, SIZE), -1);
	assert_err(ENODEV, pdt_create(fd, SIZE, PDT_GTT, 0, &handle));
	assert_true(pdt_log_wait(&log, says));
	munmap(vram.map, SIZE);
	munmap(gtt.map, SIZE);
	close(fd);
	assert_null(pdt_log_complaint(&log));
	pdt_log_close(&log);

	/* It sleeps no more, and keeps nobody from it; then it comes back. */
	assert_ok(pdt_sleep("devices"));
	control("clear");
	assert_ok(pdt_module_unload());
	assert_ok(pdt_module_load());
	fd = pdt_open();
	assert_true(fd >= 0);
	assert_ok(pdt_buffer_create(fd, &vram, SIZE, PDT_VRAM, 0));
	pdt_buffer_fill(&vram, 1);
	assert_ok(pdt_sleep("mem"));
	assert_ok(pdt_buffer_check(&vram));
	pdt_buffer_destroy(fd, &vram);
	close(fd);
}

static void a_reset_that_fails(void **state)
{
	(void)state;
	does_not_wake_up("fail-reset 1000", "the card has not come back");
}

/* One on the way to sleep, which does not matter, and three on the way back */
static void a_reset_that_fails_for_a_while(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer vram, gtt;

	assert_ok(pdt_buffer_create(s->fd, &vram, SIZE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &gtt, SIZE, PDT_GTT, 0));
	pdt_buffer_fill(&vram, 1);
	control("fail-reset 4");
	assert_ok(pdt_sleep("mem"));
	assert_int_equal(pdt_log_count(&s->log, "*ERROR* PDDGPU: reset failed"), 4);
	assert_int_equal(pdt_log_count(&s->log, "the card has not come back"), 0);
	assert_ok(pdt_buffer_check(&vram));
	assert_false(pdt_vram_lost(s->fd, vram.handle));
	op = pdt_copy(gtt.handle, 0, vram.handle, 0, SIZE);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, gtt.handle, 10000));
	gtt.seed = 1;
	assert_ok(pdt_buffer_check(&gtt));
	pdt_buffer_destroy(s->fd, &vram);
	pdt_buffer_destroy(s->fd, &gtt);
}

static void a_card_that_has_gone(void **state)
{
	(void)state;
	/* Noticed on the way to sleep already */
	does_not_wake_up("all-ones", "the card is gone: it has fallen off the bus");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(many_in_a_row),
		pdt_test(in_a_crowd),
		pdt_test(too_much_for_memory),
		pdt_test(a_reset_that_fails_for_a_while),
		cmocka_unit_test(two_cards),
		cmocka_unit_test(a_reset_that_fails),
		cmocka_unit_test(a_card_that_has_gone),
	};

	return pdt_run_tests("sleeps", tests);
}
