// SPDX-License-Identifier: MIT
/*
 * What is new reads as zeros, whatever others do meanwhile: many processes make
 * buffers of any size, write to them, move them, free them and make others, while
 * free memory is being cleared.
 */
#include "pdt.h"

#include <sys/mman.h>
#include <unistd.h>

#define PROCESSES	8
#define OWN		12	/* buffers of a process */
#define SECONDS		5

/* In memory that they share */
struct tally {
	uint64_t made;
	uint64_t refused;
};

struct user {
	uint64_t seed;
	uint64_t end;
	struct tally *tally;
	/* The largest buffer, in pages; and how often one is moved, in 8 times */
	uint64_t pages;
	unsigned int moves;
};

struct own {
	struct pdt_buffer buf;
	bool seen;	/* by the CPU, else by the engine alone */
};

/* Is it all zeros? Then write to all of it. */
static int look_and_write(int fd, const struct pdt_buffer *glass, struct own *own,
			  uint64_t seed)
{
	struct drm_pddgpu_submit_op op;

	if (own->seen) {
		child_check(pdt_zero_check(own->buf.map, own->buf.size) < 0);
		pdt_buffer_fill(&own->buf, seed);
		return 0;
	}
	child_check(!pdt_glass_zero_check(fd, glass, own->buf.handle, own->buf.size,
					  PDT_GIB));
	/* Its job may still be at it when the buffer is freed */
	op = pdt_fill(own->buf.handle, 0, own->buf.size, (uint32_t)seed | 1);
	child_check(!pdt_submit(fd, &op, 1));
	return 0;
}

static int make(int fd, const struct pdt_buffer *glass, struct own *own,
		const struct user *user, uint64_t r)
{
	static const uint32_t alignments[] = { 0, PDT_PAGE, 64 * PDT_KIB, PDT_MIB };
	uint32_t flags = r & 1 ? PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS : 0;
	/* As many small ones as large ones */
	uint64_t most = user->pages >> (r >> 1) % 10;
	uint64_t size = (1 + (r >> 8) % (most ? most : 1)) * PDT_PAGE;
	int rc;

	own->seen = r >> 5 & 1;
	if (own->seen)
		flags |= PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED;
	own->buf = (struct pdt_buffer) { .size = size };
	rc = pdt_create_aligned(fd, size, alignments[r >> 6 & 3], PDT_VRAM, flags,
				&own->buf.handle);
	if (rc == -ENOMEM) {
		__atomic_fetch_add(&user->tally->refused, 1, __ATOMIC_RELAXED);
		return 0;
	}
	child_check(!rc);
	__atomic_fetch_add(&user->tally->made, 1, __ATOMIC_RELAXED);
	if (own->seen)
		child_check(!pdt_mmap(fd, own->buf.handle, size, &own->buf.map));
	return look_and_write(fd, glass, own, r);
}

static int end(int fd, struct own *own, const struct user *user, uint64_t r)
{
	if (r % 8 < user->moves) {
		int rc = pdt_set_domain(fd, own->buf.handle, PDT_GTT, NULL);

		child_check(!rc || rc == -ENOMEM);
		rc = pdt_set_domain(fd, own->buf.handle, PDT_BOTH, NULL);
		child_check(!rc || rc == -ENOMEM);
	}
	if (own->seen)
		child_check(!pdt_buffer_check(&own->buf));
	pdt_buffer_destroy(fd, &own->buf);
	return 0;
}

static int use(void *arg)
{
	const struct user *user = arg;
	struct own own[OWN] = { 0 };
	struct pdt_buffer glass;
	uint64_t random = user->seed;
	int fd = pdt_open();
	int rc = 0;

	child_check(fd >= 0);
	child_check(!pdt_glass_create(fd, &glass));
	while (!rc && pdt_now_ms() < user->end) {
		uint64_t r = pdt_random(&random);
		struct own *one = &own[r % OWN];

		r = pdt_random(&random);
		rc = one->buf.handle ? end(fd, one, user, r) : make(fd, &glass, one, user, r);
		/* Now and then there is time to clear */
		if (r >> 60 == 0)
			usleep((r >> 40) % 30000);
	}
	return rc;
}

static void many_users(struct pdt_state *s, uint64_t pages, unsigned int moves)
{
	struct user users[PROCESSES];
	struct tally *tally = pdt_shared(sizeof(*tally));
	uint64_t before, after;
	pid_t pids[PROCESSES];

	assert_non_null(tally);
	memset(tally, 0, sizeof(*tally));
	assert_ok(pdt_control_stat("bytes_filled", &before));
	for (unsigned int i = 0; i < PROCESSES; i++) {
		users[i] = (struct user) {
			.seed = 77 + i + pages,
			/* On a slow kernel fewer have to do */
			.end = pdt_now_ms() + SECONDS * 1000 * (pdt_slow() > 1 ? 2 : 1),
			.tally = tally,
			.pages = pages,
			.moves = moves,
		};
		pids[i] = pdt_fork(use, &users[i]);
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		assert_int_equal(pdt_wait(pids[i]), 0);
	assert_ok(pdt_control_stat("bytes_filled", &after));
	printf("# %llu buffers, %llu refused, %llu MiB filled\n",
	       (unsigned long long)tally->made, (unsigned long long)tally->refused,
	       (unsigned long long)((after - before) / PDT_MIB));
	/* However busy the host is; what they came to is printed above */
	assert_true(tally->made > PROCESSES);
	assert_true(after > before);
	munmap(tally, sizeof(*tally));
	assert_true(pdt_level_wait(s->fd, &s->before));
}

/* Small ones, which the CPU clears, among larger ones */
static void small_buffers(void **state)
{
	many_users(*state, 64, 0);
}

static void buffers_of_any_size(void **state)
{
	many_users(*state, 1024, 0);
}

/* What is moved leaves a place behind, and takes one that holds something. */
static void buffers_on_the_move(void **state)
{
	many_users(*state, 512, 3);
}

/* More than fits: memory is wanted as soon as it is free. */
static void more_than_fits(void **state)
{
	struct drm_pddgpu_memory_stats stats;
	struct pdt_state *s = *state;
	uint64_t held;
	uint32_t handle;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_total > 2 * PDT_GIB)
		pdt_skip("VRAM is too large to fill");
	held = pdt_pages(stats.vram_free / 2);
	/* Somebody holds all but some of it, in two pieces */
	if (stats.vram_free > 64 * PDT_MIB)
		held = pdt_pages((stats.vram_free - 32 * PDT_MIB) / 2);
	assert_ok(pdt_create(s->fd, held, PDT_VRAM, 0, &handle));
	if (stats.vram_free > 64 * PDT_MIB)
		assert_ok(pdt_create(s->fd, held, PDT_VRAM, 0, &handle));
	assert_ok(pdt_level_read(s->fd, &s->before));
	many_users(s, 1024, 1);
	/* They go with the file: what was there before is what is there then */
	close(s->fd);
	s->fd = pdt_open();
	assert_true(s->fd >= 0);
	s->before.vram_used = stats.vram_used;
	s->before.objects = 0;
	assert_true(pdt_level_wait(s->fd, &s->before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(small_buffers),
		pdt_test(buffers_of_any_size),
		pdt_test(buffers_on_the_move),
		pdt_test(more_than_fits),
	};

	return pdt_run_tests("reuse", tests);
}
