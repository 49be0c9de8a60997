// SPDX-License-Identifier: MIT
/*
 * Who waits for a job looks for it awake first, and has the chip's interrupts
 * held back meanwhile; others' are not to get lost by that.
 */
#include "pdt.h"

#include <sys/resource.h>

#define BUSYWAIT	"/sys/module/pddgpu/parameters/busywait_us"
#define JOBS		100

static void set_busywait(const char *us)
{
	assert_ok(pdt_file_write(BUSYWAIT, us));
}

static uint64_t counter(const char *name)
{
	uint64_t value;

	assert_ok(pdt_control_stat(name, &value));
	return value;
}

/* Fills a buffer over and over; each time the bytes are there after the wait. */
static int run_jobs(int fd, uint64_t size, uint32_t first)
{
	struct pdt_buffer buf;

	child_check(!pdt_buffer_create(fd, &buf, size, PDT_VRAM, 0));
	for (uint32_t i = 0; i < JOBS; i++) {
		struct drm_pddgpu_submit_op op = pdt_fill(buf.handle, 0, size, first + i);

		child_check(!pdt_submit(fd, &op, 1));
		child_check(!pdt_wait_idle(fd, buf.handle, 60000));
		child_check(*(volatile uint32_t *)buf.map == first + i);
		child_check(((volatile uint32_t *)buf.map)[size / 4 - 1] == first + i);
	}
	pdt_buffer_destroy(fd, &buf);
	return 0;
}

/* Awake, jobs need no interrupt; asleep each one has its own. */
static void awake_and_asleep(void **state)
{
	struct pdt_state *s = *state;
	uint64_t held = counter("interrupts_held"), raised;

	set_busywait("10000");
	assert_int_equal(run_jobs(s->fd, 4 * PDT_KIB, 1), 0);
	assert_true(counter("interrupts_held") > held);

	set_busywait("0");
	held = counter("interrupts_held");
	raised = counter("interrupts");
	assert_int_equal(run_jobs(s->fd, 4 * PDT_KIB, 1), 0);
	assert_int_equal(counter("interrupts_held"), held);
	assert_true(counter("interrupts") >= raised + JOBS);
	set_busywait("150");
}

static int wait_for_small(void *arg)
{
	int fd = pdt_open();

	(void)arg;
	child_check(fd >= 0);
	return run_jobs(fd, 4 * PDT_KIB, 1000);
}

/* Long enough that the wait ends asleep */
static int wait_for_large(void *arg)
{
	int fd = pdt_open();

	(void)arg;
	child_check(fd >= 0);
	return run_jobs(fd, 4 * PDT_MIB, 5000);
}

/* Some look, some sleep, on both engines: all get what they wait for. */
static void sleepers_beside_the_awake(void **state)
{
	struct pdt_state *s = *state;
	pid_t children[3];
	uint8_t byte = 0;

	set_busywait("100");
	children[0] = pdt_fork(wait_for_small, NULL);
	children[1] = pdt_fork(wait_for_small, NULL);
	children[2] = pdt_fork(wait_for_large, NULL);
	for (int i = 0; i < 20; i++) {
		struct pdt_buffer buf;

		assert_ok(pdt_buffer_create(s->fd, &buf, PDT_MIB, PDT_VRAM, 0));
		memset(buf.map, ++byte, PDT_MIB);
		assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_GTT, NULL));
		for (uint64_t k = 0; k < PDT_MIB; k += 500)
			assert_int_equal(((uint8_t *)buf.map)[k], byte);
		pdt_buffer_destroy(s->fd, &buf);
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pdt_wait(children[i]), 0);
	set_busywait("150");
}

/* Neither way depends on them. */
static void lost_interrupts(void **state)
{
	struct pdt_state *s = *state;
	char answer[256];

	set_busywait("50");
	assert_ok(pdt_control("drop-interrupts 1000000", answer, sizeof(answer)));
	assert_int_equal(run_jobs(s->fd, 64 * PDT_KIB, 9000), 0);
	assert_ok(pdt_control("drop-interrupts 0", answer, sizeof(answer)));
	set_busywait("150");
}

static uint64_t cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* However long one is told to stay awake, it is not for longer than 10 ms. */
static void not_awake_for_long(void **state)
{
	struct drm_pddgpu_submit_op op;
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	uint64_t cpu, begun, least = UINT64_MAX;
	char answer[256];

	set_busywait("4294967295");
	assert_ok(pdt_buffer_create(s->fd, &buf, 4 * PDT_KIB, PDT_GTT, 0));
	for (int i = 0; i < 3; i++) {
		op = pdt_fill(buf.handle, 0, buf.size, 0x600d0000);
		assert_ok(pdt_control("delay 200000", answer, sizeof(answer)));
		cpu = cpu_ms();
		begun = pdt_now_ms();
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
		begun = pdt_now_ms() - begun;
		cpu = cpu_ms() - cpu;
		assert_ok(pdt_control("delay 0", answer, sizeof(answer)));
		assert_true(begun >= 150);
		least = cpu < least ? cpu : least;
	}
	/*
	 * Ten for the wait, and as much again and more for what is around it. Time that
	 * the host takes from the guest counts too, but not each time.
	 */
	if (least > 80 * pdt_slow())
		fail_msg("%llu ms of the CPU for each wait", (unsigned long long)least);
	set_busywait("150");
	pdt_buffer_destroy(s->fd, &buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(awake_and_asleep),
		pdt_test(sleepers_beside_the_awake),
		pdt_test(lost_interrupts),
		pdt_test(not_awake_for_long),
	};

	return pdt_run_tests("wait", tests);
}
