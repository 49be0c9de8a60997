// SPDX-License-Identifier: MIT
/*
 * Threads that work while engines hang, fault, lose interrupts, cannot be reset, VRAM
 * is lost, and its manager's record is rebuilt, at random. What a thread has written is
 * there, unless its buffer says that it was lost, or its job that it failed. PDT_RESETS
 * says how many of these there are, PDT_SEED where the random numbers begin. Its VM
 * loads the driver with a short job_timeout_ms.
 */
#include "pdt.h"

#include <pthread.h>
#include <unistd.h>

#define THREADS		4
#define BUFFERS		3
#define SIZE		(256 * PDT_KIB)

static volatile bool over;
static uint64_t base;
/* How many jobs failed, and how many buffers were lost */
static unsigned int failed_jobs, lost_buffers, good_jobs, recoveries;

struct buffer {
	struct pdt_buffer base;
	uint32_t pattern;
};

static int rewrite(int fd, struct buffer *buf, uint32_t pattern)
{
	child_check(!pdt_wait_idle(fd, buf->base.handle, 60000));
	for (uint64_t i = 0; i < SIZE / 4; i++)
		((uint32_t *)buf->base.map)[i] = pattern;
	buf->pattern = pattern;
	return 0;
}

/* All is as it was written; or it is lost, and then it is zeros or what came later */
static int check(int fd, struct buffer *buf)
{
	uint64_t i;
	int rc;

	child_check(!pdt_wait_idle(fd, buf->base.handle, 60000));
	for (i = 0; i < SIZE / 4; i++) {
		if (((volatile uint32_t *)buf->base.map)[i] != buf->pattern)
			break;
	}
	if (i == SIZE / 4)
		return 0;
	if (!pdt_vram_lost(fd, buf->base.handle)) {
		fprintf(stderr, "# word %llu is %#x, not %#x, and it is not lost\n",
			(unsigned long long)i, ((uint32_t *)buf->base.map)[i], buf->pattern);
		return 1;
	}
	__atomic_add_fetch(&lost_buffers, 1, __ATOMIC_RELAXED);
	do {
		rc = pdt_vram_lost_seen(fd, buf->base.handle, buf->base.domains);
	} while (rc == -ENOMEM);
	child_check(!rc);
	return rewrite(fd, buf, buf->pattern + 1);
}

/* A fill, or a copy of another buffer's content; what a failed job left is written anew */
static int job(int fd, struct buffer *bufs, uint64_t *random)
{
	struct buffer *to = &bufs[pdt_random(random) % BUFFERS];
	struct buffer *from = &bufs[pdt_random(random) % BUFFERS];
	bool copy = from != to && pdt_random(random) % 2;
	uint32_t pattern = copy ? from->pattern : (uint32_t)pdt_random(random);
	struct drm_pddgpu_submit_op op = copy ?
		pdt_copy(to->base.handle, 0, from->base.handle, 0, SIZE) :
		pdt_fill(to->base.handle, 0, SIZE, pattern);
	int sync, status;

	if (copy && check(fd, from))
		return 1;
	if (copy)
		pattern = from->pattern;
	child_check(!pdt_submit_fence(fd, &op, 1, &sync));
	status = pdt_fence_fd_wait(sync, 60000);
	close(sync);
	if (status == 1 && copy && pdt_vram_lost(fd, from->base.handle)) {
		/* Before the copy, or after it: who knows */
		return check(fd, from) || rewrite(fd, to, pattern);
	}
	if (status == 1) {
		__atomic_add_fetch(&good_jobs, 1, __ATOMIC_RELAXED);
		to->pattern = pattern;
		return 0;
	}
	child_check(status == -ETIME || status == -EIO || status == -ECANCELED);
	__atomic_add_fetch(&failed_jobs, 1, __ATOMIC_RELAXED);
	return rewrite(fd, to, pattern);
}

static int move(int fd, struct buffer *bufs, uint64_t *random)
{
	struct buffer *buf = &bufs[pdt_random(random) % BUFFERS];
	uint32_t domains = pdt_random(random) % 2 ? PDT_VRAM : PDT_GTT, now;
	int rc = pdt_set_domain(fd, buf->base.handle, domains, &now);

	/* In ERROR nothing is given out */
	child_check(!rc || rc == -ENOMEM || rc == -EIO);
	if (!rc)
		buf->base.domains = domains;
	return check(fd, buf);
}

/* Where the CPU gets at it while it does a lost engine's work */
static int make(int fd, struct buffer *buf)
{
	uint64_t end = pdt_now_ms() + 60000;
	int rc;

	do {
		rc = pdt_buffer_create(fd, &buf->base, SIZE, PDT_VRAM,
				       PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED);
		/* In ERROR nothing is given out */
	} while (rc == -EIO && pdt_now_ms() < end);
	child_check(!rc);
	return 0;
}

static int work(void *arg, unsigned int index)
{
	uint64_t random = base + index;
	struct buffer bufs[BUFFERS] = { 0 };
	int fd = pdt_open(), rc = 0;

	(void)arg;
	child_check(fd >= 0);
	for (size_t i = 0; i < BUFFERS; i++) {
		rc = make(fd, &bufs[i]);
		if (!rc)
			rc = rewrite(fd, &bufs[i], (uint32_t)i);
		if (rc)
			break;
	}
	while (!over && !rc) {
		switch (pdt_random(&random) % 8) {
		case 0:
		case 1:
			rc = move(fd, bufs, &random);
			break;
		case 2:
			rc = check(fd, &bufs[pdt_random(&random) % BUFFERS]);
			break;
		default:
			rc = job(fd, bufs, &random);
		}
	}
	for (size_t i = 0; i < BUFFERS; i++)
		rc |= check(fd, &bufs[i]);
	for (size_t i = 0; i < BUFFERS; i++)
		pdt_buffer_destroy(fd, &bufs[i].base);
	close(fd);
	return rc;
}

/* What goes wrong; "error" is no fault of the card's */
static const char *const faults[] = {
	"hang 0", "hang 1", "fault 0", "fault 1", "drop-interrupts 5", "fail-reset 1",
	"fail-reset 2", "lose-vram", "error",
};

/* The manager's record is wrong, which is noticed, and rebuilt when @ms have gone */
static int error_and_recovery(unsigned int ms)
{
	uint64_t end = pdt_now_ms() + 60000;
	int rc;

	child_check(!pdt_debugfs_write("inject_error", "vram account"));
	child_check(pdt_debugfs_write("check", "vram") == -EIO);
	pdt_sleep_ms(ms);
	do {
		/* What is being cleared by an engine that hangs may not come back soon */
		rc = pdt_debugfs_write("recover", "vram");
		child_check(!rc || rc == -EBUSY);
	} while (rc && pdt_now_ms() < end);
	child_check(!rc);
	recoveries++;
	return 0;
}

static void *make_trouble(void *arg)
{
	unsigned int count = pdt_count("PDT_RESETS", 40), done;
	uint64_t random = base ^ 0x5555;
	char answer[256];
	long failed = 0;

	(void)arg;
	for (done = 0; done < count && !failed; done++) {
		/* Each at least once */
		const char *fault = faults[done < PDT_ARRAY_SIZE(faults) ? done :
					   pdt_random(&random) % PDT_ARRAY_SIZE(faults)];

		if (strcmp(fault, "error"))
			failed = pdt_control(fault, answer, sizeof(answer));
		else
			failed = error_and_recovery((unsigned int)(pdt_random(&random) % 30));
		/* It may be told to fail */
		if (!strcmp(fault, "lose-vram"))
			pdt_reset_chip();
		pdt_sleep_ms(20 + (unsigned int)(pdt_random(&random) % 100));
	}
	pdt_control("clear", answer, sizeof(answer));
	over = true;
	return (void *)failed;
}

static void trouble_under_load(void **state)
{
	struct pdt_state *s = *state;
	uint64_t engine, chip, bad, lost, left = 1, end;
	pthread_t thread;
	int bad_threads;
	void *failed;

	base = pdt_seed(31);
	/* However many fail in a row: test_wedged has the rest */
	assert_ok(pdt_parameter("chip_resets", "1000"));
	assert_ok(pdt_debugfs_write("recover_count", "0"));
	over = false;
	assert_int_equal(pthread_create(&thread, NULL, make_trouble, NULL), 0);
	bad_threads = pdt_threads(THREADS, work, NULL);
	over = true;
	pthread_join(thread, &failed);
	/* The programs after this one expect it */
	assert_ok(pdt_parameter("chip_resets", "4"));
	assert_int_equal(bad_threads, 0);
	assert_null(failed);
	for (end = pdt_now_ms() + 20000; left && pdt_now_ms() < end; pdt_sleep_ms(10))
		assert_ok(pdt_reset_figure("engines_lost", &left));
	assert_u64(left, 0);
	assert_ok(pdt_reset_figure("engine_resets", &engine));
	assert_ok(pdt_reset_figure("chip_resets", &chip));
	assert_ok(pdt_reset_figure("chip_resets_failed", &bad));
	assert_ok(pdt_reset_figure("vram_lost", &lost));
	printf("# %u jobs done, %u failed, %u buffers lost; resets of engines: %llu, of the ",
	       good_jobs, failed_jobs, lost_buffers, (unsigned long long)engine);
	printf("chip: %llu, and %llu that failed; %llu lost VRAM\n", (unsigned long long)chip,
	       (unsigned long long)bad, (unsigned long long)lost);
	printf("# the record was rebuilt %u times\n", recoveries);
	assert_true(recoveries > 0);
	assert_ok(pdt_debugfs_write("check", "device"));
	assert_true(good_jobs > 0);
	assert_ok(pdt_settings_restore());
	assert_int_equal(pdt_log_count(&s->log, "wedged"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(trouble_under_load),
	};

	return pdt_run_tests("reset_load", tests);
}
