// SPDX-License-Identifier: MIT
/* A signal ends each kind of wait, and what was waited for is as if never asked. */
#include "pdt.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t rang;

static void ring(int number)
{
	(void)number;
	rang++;
}

/* Rings again and again, as the first may come before the wait begins. */
static void bell(unsigned int ms)
{
	const struct sigaction action = { .sa_handler = ring };
	const struct itimerval timer = {
		.it_interval.tv_usec = ms * 1000,
		.it_value.tv_usec = ms * 1000,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void control(const char *command)
{
	char answer[256];
	int rc;

	/* Its own waits are to end well. */
	bell(0);
	rc = pdt_control(command, answer, sizeof(answer));
	assert_ok(rc);
}

/* Not pdt_ioctl(), which tries again. Returns the errno that ended it. */
static int interrupted(int fd, unsigned long request, void *arg)
{
	int rc;

	rang = 0;
	bell(50);
	rc = ioctl(fd, request, arg) ? -errno : 0;
	bell(0);
	return rc == -EINTR && !rang ? -EPROTO : rc;
}

/* A job that does not end */
static void keep_busy(struct pdt_state *s, uint32_t handle, uint64_t bytes)
{
	struct drm_pddgpu_submit_op op = pdt_fill(handle, 0, bytes, 0x44444444);

	assert_ok(pdt_submit(s->fd, &op, 1));
}

static void gem_wait(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_wait args = { .timeout_ns = INT64_MAX };

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &args.handle));
	control("hang 0");
	keep_busy(s, args.handle, PDT_PAGE);
	assert_err(EINTR, interrupted(s->fd, DRM_IOCTL_PDDGPU_GEM_WAIT, &args));
	control("unhang 0");
	assert_ok(pdt_wait_idle(s->fd, args.handle, 60000));
	assert_ok(pdt_destroy(s->fd, args.handle));
}

/* Until there is room for another job */
static void submit(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct drm_pddgpu_submit args = { .ops = (uintptr_t)&op, .op_count = 1 };
	struct pdt_buffer buf;
	uint32_t jobs = 0;
	int rc;

	/* Jobs that weigh much: it is full before the engine is found to hang */
	assert_ok(pdt_buffer_create(s->fd, &buf, 4 * PDT_MIB, PDT_GTT, 0));
	control("hang 0");
	do {
		op = pdt_fill(buf.handle, 0, 4 * PDT_MIB, ++jobs);
		rc = interrupted(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args);
	} while (!rc && jobs < 2000);
	assert_err(EINTR, rc);
	control("unhang 0");
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
	/* The one that was interrupted has not run. */
	assert_int_equal(*(uint32_t *)buf.map, jobs - 1);
	pdt_buffer_destroy(s->fd, &buf);
}

static void set_domain(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_set_domain args = { 0 };
	struct drm_pddgpu_gem_info before, after;
	struct pdt_buffer buf;

	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_MIB, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 8);
	assert_ok(pdt_info(s->fd, buf.handle, &before));
	control("hang 0");
	keep_busy(s, buf.handle, PDT_PAGE);
	args.handle = buf.handle;
	args.domains = PDT_GTT;
	assert_err(EINTR, interrupted(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &args));
	assert_ok(pdt_info(s->fd, buf.handle, &after));
	assert_int_equal(after.domain, PDT_VRAM);
	assert_u64(after.offset, before.offset);
	control("unhang 0");
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
	assert_int_equal(*(uint32_t *)buf.map, 0x44444444);

	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_GTT, NULL));
	assert_int_equal(*(uint32_t *)buf.map, 0x44444444);
	pdt_buffer_destroy(s->fd, &buf);
}

#define VICTIMS	64

/* All of VRAM is in use by jobs: who wants some waits for one of them. */
static void create(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_create args = { .domains = PDT_VRAM };
	struct pdt_buffer victims[VICTIMS];
	struct drm_pddgpu_memory_stats stats;
	size_t count = 0;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_free > stats.gtt_free)
		pdt_skip("the GTT does not hold what is in VRAM");
	args.size = pdt_pages(stats.vram_free / 16);
	for (; count < VICTIMS; count++) {
		assert_ok(pdt_stats(s->fd, &stats));
		if (stats.vram_free < args.size)
			break;
		assert_ok(pdt_create(s->fd, args.size, PDT_BOTH, 0, &victims[count].handle));
	}
	control("hang 0");
	for (size_t i = 0; i < count; i++)
		keep_busy(s, victims[i].handle, PDT_PAGE);
	assert_ok(pdt_stats(s->fd, &stats));
	assert_err(EINTR, interrupted(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args));
	control("unhang 0");
	for (size_t i = 0; i < count; i++)
		assert_ok(pdt_wait_idle(s->fd, victims[i].handle, 60000));
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pdt_domain(s->fd, victims[i].handle), PDT_VRAM);
	assert_ok(pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args));
	assert_ok(pdt_destroy(s->fd, args.handle));
	for (size_t i = 0; i < count; i++)
		assert_ok(pdt_destroy(s->fd, victims[i].handle));
}

/* A buffer that the CPU touches while it moves: the handler runs, and then it goes on. */
static void page_fault(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;

	assert_ok(pdt_buffer_create(s->fd, &buf, 2 * PDT_MIB, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 9);
	for (unsigned int i = 0; i < 20; i++) {
		rang = 0;
		bell(1);
		assert_ok(pdt_set_domain(s->fd, buf.handle, i % 2 ? PDT_VRAM : PDT_GTT, NULL));
		assert_ok(pdt_buffer_check(&buf));
		while (!rang)
			pause();
		bell(0);
	}
	pdt_buffer_destroy(s->fd, &buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(gem_wait),
		pdt_test(submit),
		pdt_test(set_domain),
		pdt_test(create),
		pdt_test(page_fault),
	};

	return pdt_run_tests("signals", tests);
}
