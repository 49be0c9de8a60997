// SPDX-License-Identifier: MIT
/* fdinfo while many threads do everything at once, and while the card goes. */
#include "pdt.h"

#include <pthread.h>
#include <unistd.h>

#define FILES		6
#define POOL		8
#define THREADS		100
#define HANDLES		64
#define SIZE		(16 * PDT_PAGE)

/**
 * struct crowd - what the threads have in common; who owns what is nobody's business
 */
struct crowd {
	/** @fd: files of the card */
	int fd[FILES];
	/** @pool: dma-bufs, in nobody's hands alone */
	int pool[POOL];
	/** @rounds: how often each thread does something */
	unsigned int rounds;
	/** @seed: of the random numbers */
	uint64_t seed;
};

/* Anything may fail for want of a handle that another has closed, or of memory */
static bool fair(int rc)
{
	return !rc || rc == -ENOENT || rc == -ENOMEM || rc == -EBUSY || rc == -EINVAL ||
	       rc == -EINTR;
}

static int act(struct crowd *c, uint64_t *random)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_CPU, PDT_BOTH };
	int fd = c->fd[pdt_random(random) % FILES];
	uint32_t handle = 1 + pdt_random(random) % HANDLES;
	uint32_t where = domains[pdt_random(random) % PDT_ARRAY_SIZE(domains)];
	struct drm_pddgpu_submit_op op = pdt_fill(handle, 0, SIZE, 1);
	struct pdt_fdinfo info;

	switch (pdt_random(random) % 8) {
	case 0:
		return pdt_create(fd, SIZE, where, 0, &handle);
	case 1:
	case 2:
		return pdt_import(fd, c->pool[pdt_random(random) % POOL], &handle);
	case 3:
		return pdt_set_domain(fd, handle, where, NULL);
	case 4:
		return pdt_submit(fd, &op, 1);
	case 5:
		return pdt_fdinfo(fd, &info);
	default:
		return pdt_destroy(fd, handle);
	}
}

static int crowd_member(void *arg, unsigned int index)
{
	struct crowd *c = arg;
	uint64_t random = c->seed + index * 7919;

	for (unsigned int i = 0; i < c->rounds; i++) {
		int rc = act(c, &random);

		if (!fair(rc)) {
			fprintf(stderr, "# %s in a thread\n", strerror(-rc));
			return 1;
		}
	}
	return 0;
}

static void make_crowd(struct pdt_state *s, struct crowd *c)
{
	uint32_t handle;

	c->seed = pdt_seed(1);
	for (unsigned int i = 0; i < FILES; i++) {
		c->fd[i] = pdt_open();
		assert_true(c->fd[i] >= 0);
	}
	for (unsigned int i = 0; i < POOL; i++) {
		assert_ok(pdt_create(s->fd, SIZE, i % 2 ? PDT_BOTH : PDT_GTT, 0, &handle));
		assert_ok(pdt_export(s->fd, handle, &c->pool[i]));
		assert_ok(pdt_destroy(s->fd, handle));
	}
}

/* All handles that there can be: they are given out from 1 on */
static void close_all(int fd, unsigned int most)
{
	for (uint32_t handle = 1; handle <= most; handle++)
		pdt_destroy(fd, handle);
}

/* However they met: with the last handle there is nothing */
static void crowd_of_threads(void **state)
{
	struct pdt_state *s = *state;
	struct crowd c = { .rounds = pdt_count("PDT_ROUNDS", 60) };
	struct pdt_fdinfo info;
	uint64_t end;

	make_crowd(s, &c);
	assert_int_equal(pdt_threads(THREADS, crowd_member, &c), 0);
	for (unsigned int i = 0; i < FILES; i++) {
		close_all(c.fd[i], THREADS * c.rounds);
		assert_ok(pdt_fdinfo(c.fd[i], &info));
		assert_true(pdt_fdinfo_is_empty(&info));
	}
	for (unsigned int i = 0; i < POOL; i++)
		close(c.pool[i]);
	/* Records of jobs are gone too: nobody looks at freed memory later */
	end = pdt_now_ms() + 5000 * pdt_slow();
	while (!pdt_level_wait(s->fd, &s->before) && pdt_now_ms() < end)
		;
	for (unsigned int i = 0; i < FILES; i++)
		close(c.fd[i]);
}

/* Two close the same handle, and a third brings it back */
static int close_or_import(void *arg, unsigned int index)
{
	struct crowd *c = arg;
	uint32_t handle;

	for (unsigned int i = 0; i < c->rounds; i++) {
		if (index % 3)
			pdt_destroy(c->fd[0], 1);
		else
			child_check(!pdt_import(c->fd[0], c->pool[0], &handle));
	}
	return 0;
}

static void closed_twice(void **state)
{
	struct pdt_state *s = *state;
	struct crowd c = { .rounds = 300 };
	struct pdt_fdinfo info;

	make_crowd(s, &c);
	assert_int_equal(pdt_threads(6, close_or_import, &c), 0);
	close_all(c.fd[0], HANDLES);
	assert_ok(pdt_fdinfo(c.fd[0], &info));
	assert_true(pdt_fdinfo_is_empty(&info));
	for (unsigned int i = 0; i < POOL; i++)
		close(c.pool[i]);
	for (unsigned int i = 0; i < FILES; i++)
		close(c.fd[i]);
}

/* One buffer in many files: all see it move, and who is left is alone with it */
static void many_sharers(void **state)
{
	struct pdt_state *s = *state;
	unsigned int count = pdt_count("PDT_SHARERS", 300);
	int *fd = calloc(count, sizeof(*fd)), dmabuf;
	struct pdt_fdinfo info;
	uint32_t handle, theirs;

	assert_non_null(fd);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	for (unsigned int i = 0; i < count; i++) {
		fd[i] = pdt_open();
		assert_true(fd[i] >= 0);
		assert_ok(pdt_import(fd[i], dmabuf, &theirs));
	}
	assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
	for (unsigned int i = 0; i < count; i++) {
		assert_ok(pdt_fdinfo(fd[i], &info));
		assert_u64(info.total[PDT_FDINFO_GTT], SIZE);
		assert_u64(info.resident[PDT_FDINFO_GTT], SIZE);
		assert_u64(info.shared[PDT_FDINFO_GTT], SIZE);
		assert_u64(info.total[PDT_FDINFO_VRAM], 0);
		close(fd[i]);
	}
	close(dmabuf);
	assert_ok(pdt_fdinfo(s->fd, &info));
	assert_u64(info.total[PDT_FDINFO_GTT], SIZE);
	assert_ok(pdt_destroy(s->fd, handle));
	free(fd);
}

/**
 * struct reader - one who reads until the card has gone
 */
struct reader {
	/** @fd: of the card */
	int fd;
	/** @stop: enough */
	volatile bool stop;
	/** @seen: how often it said something, and then nothing */
	volatile unsigned long seen, gone;
	/** @wrong: what else came of it */
	volatile int wrong;
};

static void *read_on(void *arg)
{
	struct reader *r = arg;
	struct pdt_fdinfo info;

	while (!r->stop) {
		int rc = pdt_fdinfo(r->fd, &info);

		if (!rc)
			r->seen++;
		else if (rc == -ENODATA)
			r->gone++;
		else
			r->wrong = rc;
	}
	return NULL;
}

/* Who reads while the card goes sees it, and then only that there is a file */
static void card_goes(void **state)
{
	struct reader r = { .fd = pdt_open() };
	pthread_t threads[4];
	uint32_t handle;

	(void)state;
	assert_true(r.fd >= 0);
	for (unsigned int i = 0; i < 50; i++)
		assert_ok(pdt_create(r.fd, SIZE, PDT_BOTH, 0, &handle));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
	pdt_sleep_ms(100);
	assert_ok(pdt_take_away(PDT_UNBIND));
	pdt_sleep_ms(100);
	r.stop = true;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_true(r.seen > 0);
	assert_true(r.gone > 0);
	assert_int_equal(r.wrong, 0);
	close(r.fd);
	assert_ok(pdt_bring_back(PDT_UNBIND));
	assert_ok(pdt_gone_works());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(crowd_of_threads),
		pdt_test(closed_twice),
		pdt_test(many_sharers),
		pdt_gone_test(card_goes),
	};

	return pdt_run_tests("fdinfo_load", tests);
}
