// SPDX-License-Identifier: MIT
/* Processes that die, fork, and hand files to each other. */
#include "pdt.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_CPU };

/* Tells the parent that it has all, and waits for its end. */
static void ready_for_the_end(int pipe_end)
{
	if (write(pipe_end, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int hold_thousand(void *arg)
{
	int fd = pdt_open(), dmabuf, *ends = arg;
	uint32_t handle;
	void *map;

	child_check(fd >= 0);
	for (unsigned int i = 0; i < 1000; i++) {
		child_check(!pdt_create(fd, (1 + i % 5) * PDT_PAGE, domains[i % 4], 0, &handle));
		if (i % 10 == 0) {
			child_check(!pdt_mmap(fd, handle, PDT_PAGE, &map));
			*(volatile char *)map = 1;
		}
		if (i % 50 == 7)
			child_check(!pdt_export(fd, handle, &dmabuf));
	}
	ready_for_the_end(ends[1]);
	return 0;
}

static void killed_with_thousand_buffers(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_level now;
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = pdt_fork(hold_thousand, ends);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.objects, s->before.objects + 1000);

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(pdt_wait(pid), 128 + SIGKILL);
	assert_true(pdt_level_wait(s->fd, &s->before));
	close(ends[0]);
}

static int churn(void *arg, unsigned int index)
{
	int fd = *(int *)arg;
	uint64_t random = index + 1;
	struct pdt_buffer buf;

	for (;;) {
		uint64_t r = pdt_random(&random);

		if (pdt_buffer_create(fd, &buf, (1 + r % 8) * PDT_PAGE, domains[r / 8 % 4], 0))
			continue;
		pdt_buffer_fill(&buf, r);
		pdt_set_domain(fd, buf.handle, domains[r / 32 % 4], NULL);
		if (r / 256 % 4)
			pdt_buffer_destroy(fd, &buf);
		else
			munmap(buf.map, buf.size);
	}
	return 0;
}

static int churn_for_ever(void *arg)
{
	int fd = pdt_open();

	(void)arg;
	child_check(fd >= 0);
	return (int)pdt_threads(8, churn, &fd);
}

/* Killed in the midst of whatever the threads do */
static void killed_while_allocating(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, now;
	uint64_t end;
	pid_t pid;

	for (int i = 0; i < 5; i++) {
		assert_ok(pdt_stats(s->fd, &before));
		pid = pdt_fork(churn_for_ever, NULL);
		end = pdt_now_ms() + 20000 * pdt_slow();
		do {
			assert_ok(pdt_stats(s->fd, &now));
			pdt_sleep_ms(5);
		} while (now.total_allocations < before.total_allocations + 100 + 37 * i &&
			 pdt_now_ms() < end);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(pdt_wait(pid), 128 + SIGKILL);
		assert_true(now.total_allocations >= before.total_allocations + 100);
		assert_true(pdt_level_wait(s->fd, &s->before));
	}
}

struct inherited {
	int fd;
	struct pdt_buffer buf;
};

static int use_inherited(void *arg)
{
	struct inherited *inherited = arg;
	uint32_t handle;

	child_check(!pdt_buffer_check(&inherited->buf));
	/* The same open file: the same handles */
	child_check(pdt_domain(inherited->fd, inherited->buf.handle) == PDT_VRAM);
	child_check(!pdt_create(inherited->fd, 3 * PDT_PAGE, PDT_GTT, 0, &handle));
	close(inherited->fd);
	return 0;
}

static void fork_shares_the_file(void **state)
{
	struct pdt_state *s = *state;
	struct inherited inherited = { .fd = s->fd };
	struct pdt_level now;

	assert_ok(pdt_buffer_create(s->fd, &inherited.buf, 4 * PDT_PAGE, PDT_VRAM, 0));
	pdt_buffer_fill(&inherited.buf, 8);
	assert_int_equal(pdt_run(use_inherited, &inherited), 0);

	/* What the child made lives as long as the file that we share. */
	assert_ok(pdt_buffer_check(&inherited.buf));
	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.objects, s->before.objects + 2);
	assert_u64(now.gtt_used, s->before.gtt_used + 3 * PDT_PAGE);
	pdt_buffer_destroy(s->fd, &inherited.buf);
}

static int send_own_file(void *arg)
{
	int fd = pdt_open();
	uint32_t handle;

	child_check(fd >= 0);
	child_check(!pdt_create(fd, 6 * PDT_PAGE, PDT_VRAM, 0, &handle));
	child_check(handle == 1);
	child_check(!pdt_send_fd(*(int *)arg, fd));
	return 0;
}

static void file_outlives_its_opener(void **state)
{
	struct pdt_state *s = *state;
	int ends[2], fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(pdt_run(send_own_file, &ends[1]), 0);
	fd = pdt_receive_fd(ends[0]);
	assert_true(fd >= 0);
	assert_int_equal(pdt_domain(fd, 1), PDT_VRAM);
	assert_ok(pdt_destroy(fd, 1));
	close(fd);
	close(ends[0]);
	close(ends[1]);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

static int hold_at_once(void *arg)
{
	int fd = pdt_open(), *ends = arg;
	uint32_t handle;

	child_check(fd >= 0);
	for (unsigned int i = 0; i < 100; i++)
		child_check(!pdt_create(fd, PDT_PAGE, domains[i % 4], 0, &handle));
	ready_for_the_end(ends[1]);
	return 0;
}

/* Many processes that end in the same moment */
static void all_killed_at_once(void **state)
{
	struct pdt_state *s = *state;
	int ends[2];
	pid_t pids[10];
	char byte;

	assert_int_equal(pipe(ends), 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(pids); i++)
		pids[i] = pdt_fork(hold_at_once, ends);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(pids); i++)
		assert_int_equal(read(ends[0], &byte, 1), 1);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(pids); i++)
		kill(pids[i], SIGKILL);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(pids); i++)
		assert_int_equal(pdt_wait(pids[i]), 128 + SIGKILL);
	assert_true(pdt_level_wait(s->fd, &s->before));
	close(ends[0]);
	close(ends[1]);
}

/* Signals that come all the time: calls are made again, none is lost. */
static void on_alarm(int number)
{
	(void)number;
}

static void interrupted_all_the_time(void **state)
{
	struct pdt_state *s = *state;
	struct sigaction action = { .sa_handler = on_alarm };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec often = {
		.it_interval.tv_nsec = 2000000,
		.it_value.tv_nsec = 2000000,
	};
	struct pdt_buffer buf;

	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &often, NULL), 0);
	for (unsigned int i = 0; i < 50; i++) {
		assert_ok(pdt_buffer_create(s->fd, &buf, PDT_MIB, domains[i % 4], 0));
		pdt_buffer_fill(&buf, i);
		assert_ok(pdt_set_domain(s->fd, buf.handle, domains[(i + 1) % 4], NULL));
		assert_ok(pdt_buffer_check(&buf));
		pdt_buffer_destroy(s->fd, &buf);
	}
	timer_delete(timer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(killed_with_thousand_buffers),
		pdt_test(killed_while_allocating),
		pdt_test(fork_shares_the_file),
		pdt_test(file_outlives_its_opener),
		pdt_test(all_killed_at_once),
		pdt_test(interrupted_all_the_time),
	};

	return pdt_run_tests("process", tests);
}
