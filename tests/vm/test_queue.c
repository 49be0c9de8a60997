// SPDX-License-Identifier: MIT
/* What one client has under way, and how little that is to the others. */
#include "pdt.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a client may have under way, as the interface says */
#define ROOM_JOBS	256
#define ROOM_BYTES	(256 * PDT_MIB)

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

/* Not pdt_submit(), which tries again */
static int submit_once(int fd, const struct drm_pddgpu_submit_op *op)
{
	struct drm_pddgpu_submit args = { .ops = (uintptr_t)op, .op_count = 1 };

	return ioctl(fd, DRM_IOCTL_PDDGPU_SUBMIT, &args) ? -errno : 0;
}

/* As many jobs as there is room for, and then it says so; more when some are over. */
static void room_is_bounded(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer buf;
	/* Where the CPU is slow fewer that weigh more, or the engine is found to hang before */
	const uint64_t size = pdt_slow() > 1 ? 3 * PDT_MIB : PDT_PAGE;
	const unsigned int most = pdt_slow() > 1 ? ROOM_JOBS / 4 : ROOM_JOBS;
	unsigned int jobs = 0;
	int flags, rc;

	assert_ok(pdt_buffer_create(s->fd, &buf, size, PDT_GTT, 0));
	flags = fcntl(s->fd, F_GETFL);
	assert_int_equal(fcntl(s->fd, F_SETFL, flags | O_NONBLOCK), 0);
	control("hang 0");
	do {
		op = pdt_fill(buf.handle, 0, size, ++jobs);
		rc = submit_once(s->fd, &op);
	} while (!rc && jobs <= most);
	assert_err(EAGAIN, rc);
	assert_true(jobs > most / 4);
	control("unhang 0");

	assert_int_equal(fcntl(s->fd, F_SETFL, flags), 0);
	assert_ok(submit_once(s->fd, &op));
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
	assert_int_equal(*(uint32_t *)buf.map, jobs);
	pdt_buffer_destroy(s->fd, &buf);
}

struct hog {
	pid_t pid;
	int dmabuf;
	uint64_t size;
	int *ready;
};

/* A job of a million operations, each as large as the buffer */
static int submit_for_ever(void *arg)
{
	struct drm_pddgpu_submit_op *ops = calloc(PDDGPU_SUBMIT_OPS_MAX, sizeof(*ops));
	struct hog *hog = arg;
	int fd = pdt_open();
	uint32_t handle;

	child_check(ops && fd >= 0);
	child_check(!pdt_import(fd, hog->dmabuf, &handle));
	for (uint32_t i = 0; i < PDDGPU_SUBMIT_OPS_MAX; i++)
		ops[i] = pdt_fill(handle, 0, hog->size, i);
	*hog->ready = 1;
	child_check(!pdt_submit(fd, ops, PDDGPU_SUBMIT_OPS_MAX));
	return 0;
}

/* In a buffer that is also ours */
static void hog_start(struct pdt_state *s, struct hog *hog, uint32_t handle, uint64_t size)
{
	uint64_t before, now;

	hog->size = size;
	hog->ready = pdt_shared(sizeof(*hog->ready));
	assert_non_null(hog->ready);
	assert_ok(pdt_export(s->fd, handle, &hog->dmabuf));
	assert_ok(pdt_control_stat("bytes_filled", &before));
	hog->pid = pdt_fork(submit_for_ever, hog);
	assert_true(hog->pid > 0);
	do {
		pdt_sleep_ms(20);
		assert_ok(pdt_control_stat("bytes_filled", &now));
	} while (now < before + 2 * ROOM_BYTES);
}

static void hog_stop(struct hog *hog)
{
	kill(hog->pid, SIGKILL);
	assert_int_equal(pdt_wait(hog->pid), 128 + SIGKILL);
	close(hog->dmabuf);
	munmap(hog->ready, sizeof(*hog->ready));
}

/*
 * Beside a job that would take hours, others' jobs run after what that client
 * has under way; and nobody is kept from its buffer, who has it too.
 */
static void nobody_starves(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer mine, theirs;
	struct drm_pddgpu_submit_op op;
	struct hog hog;
	uint64_t before, after, most = 0, start;
	uint32_t now;

	assert_ok(pdt_buffer_create(s->fd, &mine, PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &theirs, 16 * PDT_MIB, PDT_GTT, 0));
	hog_start(s, &hog, theirs.handle, theirs.size);
	for (uint32_t i = 1; i <= 10; i++) {
		op = pdt_fill(mine.handle, 0, PDT_PAGE, i);
		assert_ok(pdt_control_stat("bytes_filled", &before));
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_wait_idle(s->fd, mine.handle, 60000));
		assert_ok(pdt_control_stat("bytes_filled", &after));
		assert_int_equal(*(uint32_t *)mine.map, i);
		if (after - before > most)
			most = after - before;
	}
	/* What is under way, and what is done while we are told */
	if (most > 8 * ROOM_BYTES)
		fail_msg("%llu MiB came before", (unsigned long long)(most / PDT_MIB));

	start = pdt_now_ms();
	for (unsigned int i = 0; i < 4; i++) {
		assert_ok(pdt_set_domain(s->fd, theirs.handle, i % 2 ? PDT_GTT : PDT_VRAM, &now));
		op = pdt_copy(mine.handle, 0, theirs.handle, 0, PDT_PAGE);
		assert_ok(pdt_submit(s->fd, &op, 1));
	}
	assert_ok(pdt_wait_idle(s->fd, mine.handle, 60000));
	if (pdt_now_ms() - start > 20000 * pdt_slow())
		fail_msg("kept from the buffer for %llu ms",
			 (unsigned long long)(pdt_now_ms() - start));
	hog_stop(&hog);
	pdt_buffer_destroy(s->fd, &mine);
	pdt_buffer_destroy(s->fd, &theirs);
}

struct mover {
	int fd;
	uint32_t handle;
	int rc;
};

static void *move_to_gtt(void *arg)
{
	struct mover *mover = arg;

	mover->rc = pdt_set_domain(mover->fd, mover->handle, PDT_GTT, NULL);
	return NULL;
}

/* A move that waits for a job holds up its own buffer alone. */
static void moves_wait_alone(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer busy, other;
	struct mover mover;
	pthread_t thread;

	assert_ok(pdt_buffer_create(s->fd, &busy, PDT_MIB, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &other, PDT_MIB, PDT_VRAM, 0));
	pdt_buffer_fill(&other, 5);
	control("hang 0");
	op = pdt_fill(busy.handle, 0, PDT_MIB, 0x33333333);
	assert_ok(pdt_submit(s->fd, &op, 1));
	mover = (struct mover){ .fd = s->fd, .handle = busy.handle, .rc = 1 };
	assert_int_equal(pthread_create(&thread, NULL, move_to_gtt, &mover), 0);
	pdt_sleep_ms(100);

	for (unsigned int i = 0; i < 4; i++) {
		struct pdt_buffer fresh;

		assert_ok(pdt_set_domain(s->fd, other.handle, i % 2 ? PDT_VRAM : PDT_GTT, NULL));
		assert_ok(pdt_buffer_create(s->fd, &fresh, PDT_MIB, PDT_VRAM, 0));
		pdt_buffer_destroy(s->fd, &fresh);
	}
	assert_ok(pdt_buffer_check(&other));
	/* All that while */
	assert_err(ETIME, pdt_wait_idle(s->fd, busy.handle, 0));
	assert_int_equal(mover.rc, 1);
	control("unhang 0");
	pthread_join(thread, NULL);
	assert_ok(mover.rc);
	assert_int_equal(pdt_domain(s->fd, busy.handle), PDT_GTT);
	for (uint64_t i = 0; i < PDT_MIB / 4; i += 100)
		assert_int_equal(((uint32_t *)busy.map)[i], 0x33333333);
	pdt_buffer_destroy(s->fd, &busy);
	pdt_buffer_destroy(s->fd, &other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(room_is_bounded),
		pdt_test(nobody_starves),
		pdt_test(moves_wait_alone),
	};

	return pdt_run_tests("queue", tests);
}
