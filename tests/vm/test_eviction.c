// SPDX-License-Identifier: MIT
/* More than VRAM holds: eviction to the GTT and back, and what must stay. */
#include "pdt.h"

#include <pthread.h>
#include <unistd.h>

/* A test's buffers, and how many fit */
struct set {
	struct pdt_buffer *bufs;
	size_t count;
	uint64_t size;
};

/* Buffers of @size for @bytes in all; the memory goes with free(). */
static void make_set(struct pdt_state *s, struct set *set, uint64_t bytes, uint64_t size,
		     uint32_t domains)
{
	set->size = size;
	set->count = bytes / size;
	set->bufs = calloc(set->count, sizeof(*set->bufs));
	assert_non_null(set->bufs);
	for (size_t i = 0; i < set->count; i++) {
		assert_ok(pdt_buffer_create(s->fd, &set->bufs[i], size, domains, 0));
		pdt_buffer_fill(&set->bufs[i], i + 1);
	}
}

static void check_set(const struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		assert_ok(pdt_buffer_check(&set->bufs[i]));
}

static void free_set(struct pdt_state *s, struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		pdt_buffer_destroy(s->fd, &set->bufs[i]);
	free(set->bufs);
}

static size_t count_in(struct pdt_state *s, const struct set *set, uint32_t domain)
{
	size_t n = 0;

	for (size_t i = 0; i < set->count; i++)
		n += pdt_domain(s->fd, set->bufs[i].handle) == domain;
	return n;
}

/* VRAM that is free, in whole pieces of @size */
static uint64_t free_vram(struct pdt_state *s, uint64_t size)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	return (stats.vram_visible_total - stats.vram_visible_used) / size * size;
}

static void skip_unless_gtt_holds(struct pdt_state *s, uint64_t bytes)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.gtt_free < bytes)
		pdt_skip("the GTT is too small beside VRAM");
}

/* A size of which some hundred fill VRAM, with an odd page */
static uint64_t piece(struct pdt_state *s)
{
	return (free_vram(s, 1) / 100 & ~(PDT_PAGE - 1)) | PDT_PAGE;
}

/*
 * Back into VRAM, where others make room: of two domains it would take the one
 * that has room already.
 */
static int bring_back(int fd, const struct pdt_buffer *buf, uint32_t *now)
{
	int rc = pdt_set_domain(fd, buf->handle, PDT_VRAM, now);

	return rc ? rc : pdt_set_domain(fd, buf->handle, PDT_BOTH, now);
}

/* Twice the VRAM, touched and brought back in random order */
static void twice_the_vram(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	uint64_t random = 4711, size = piece(s), vram = free_vram(s, size);
	unsigned int returned = 0;
	struct set set;

	skip_unless_gtt_holds(s, vram + 4 * size);
	assert_ok(pdt_stats(s->fd, &before));
	make_set(s, &set, 2 * vram, size, PDT_BOTH);
	assert_true(count_in(s, &set, PDT_VRAM) > 0);
	assert_true(count_in(s, &set, PDT_GTT) > 0);

	for (size_t i = 0; i < 2 * set.count; i++) {
		struct pdt_buffer *buf = &set.bufs[pdt_random(&random) % set.count];
		uint32_t was = pdt_domain(s->fd, buf->handle), now;

		assert_ok(bring_back(s->fd, buf, &now));
		returned += was == PDT_GTT && now == PDT_VRAM;
		if (i % 2)
			assert_ok(pdt_buffer_check(buf));
		if (i % 4 == 0)
			pdt_buffer_fill(buf, pdt_random(&random));
	}
	check_set(&set);
	assert_true(returned > 0);
	assert_ok(pdt_stats(s->fd, &after));
	assert_true(after.evictions > before.evictions);
	assert_true(after.moves - before.moves >= after.evictions - before.evictions + returned);
	assert_true(after.vram_used <= after.vram_total);
	assert_true(after.gtt_used <= after.gtt_total);
	free_set(s, &set);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

/* Buffers that may live in VRAM only keep their place, whatever is asked for. */
static void vram_only_stays(void **state)
{
	struct pdt_state *s = *state;
	uint64_t size = piece(s);
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_buffer buf;
	struct set set;
	uint32_t handle;

	skip_unless_gtt_holds(s, 4 * size);
	make_set(s, &set, free_vram(s, size), size, PDT_VRAM);
	assert_ok(pdt_stats(s->fd, &before));
	assert_err(ENOMEM, pdt_create(s->fd, 2 * size, PDT_VRAM, 0, &handle));
	assert_ok(pdt_buffer_create(s->fd, &buf, 2 * size, PDT_BOTH, 0));
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_GTT);
	assert_err(ENOMEM, pdt_set_domain(s->fd, buf.handle, PDT_VRAM, NULL));
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_GTT);
	assert_int_equal(count_in(s, &set, PDT_VRAM), set.count);
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.evictions, before.evictions);
	check_set(&set);
	pdt_buffer_destroy(s->fd, &buf);
	free_set(s, &set);
}

/* Others make room for it, and no more of them than it takes. */
static void makes_room(void **state)
{
	struct pdt_state *s = *state;
	uint64_t size = piece(s);
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_buffer buf;
	struct set set;
	size_t left;

	skip_unless_gtt_holds(s, 16 * size);
	make_set(s, &set, free_vram(s, size), size, PDT_BOTH);
	assert_int_equal(count_in(s, &set, PDT_VRAM), set.count);
	assert_ok(pdt_stats(s->fd, &before));
	assert_ok(pdt_buffer_create(s->fd, &buf, 2 * size, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 1234);
	assert_ok(pdt_stats(s->fd, &after));
	left = set.count - count_in(s, &set, PDT_VRAM);
	assert_in_range(left, 1, 8);
	assert_int_equal(count_in(s, &set, PDT_GTT), left);
	assert_u64(after.evictions - before.evictions, left);
	assert_u64(after.bytes_moved - before.bytes_moved, left * size);
	assert_u64(after.gtt_used - before.gtt_used, left * size);
	check_set(&set);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
	free_set(s, &set);
}

/* Least recently used first: what was brought in last is the last to go. */
static void oldest_goes_first(void **state)
{
	struct pdt_state *s = *state;
	uint64_t size = piece(s);
	struct set set;
	uint32_t handle;

	skip_unless_gtt_holds(s, 16 * size);
	make_set(s, &set, free_vram(s, size), size, PDT_BOTH);
	for (size_t i = 0; i < set.count / 2; i++)
		assert_ok(pdt_set_domain(s->fd, set.bufs[i].handle, PDT_BOTH, NULL));
	assert_ok(pdt_create(s->fd, 2 * size, PDT_VRAM, 0, &handle));
	for (size_t i = 0; i < set.count / 2; i++)
		assert_int_equal(pdt_domain(s->fd, set.bufs[i].handle), PDT_VRAM);
	free_set(s, &set);
}

/* With the GTT full there is nowhere to evict to: an honest -ENOMEM. */
static void no_room_for_victims(void **state)
{
	struct pdt_state *s = *state;
	static struct pdt_buffer filler[4096];
	uint64_t size = piece(s);
	struct drm_pddgpu_memory_stats stats;
	struct set set;
	uint32_t handle;
	size_t n;
	int err;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.gtt_total > 768 * PDT_MIB)
		pdt_skip("the GTT is too large for the machine's time");
	make_set(s, &set, free_vram(s, size), size, PDT_BOTH);
	n = pdt_fill_domain(s->fd, filler, PDT_ARRAY_SIZE(filler), 16 * PDT_MIB, PDT_GTT, &err);
	assert_int_equal(err, -ENOMEM);
	assert_err(ENOMEM, pdt_create(s->fd, 2 * size, PDT_VRAM, 0, &handle));
	assert_err(ENOMEM, pdt_create(s->fd, 2 * size, PDT_BOTH, 0, &handle));
	assert_int_equal(count_in(s, &set, PDT_VRAM), set.count);

	/* A buffer that may live in the GTT alone is not moved, so free some. */
	while (n && pdt_stats(s->fd, &stats) == 0 && stats.gtt_free < 8 * size)
		pdt_buffer_destroy(s->fd, &filler[--n]);
	assert_ok(pdt_create(s->fd, 2 * size, PDT_VRAM, 0, &handle));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_VRAM);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pdt_domain(s->fd, filler[i].handle), PDT_GTT);
	check_set(&set);
	while (n)
		pdt_buffer_destroy(s->fd, &filler[--n]);
	free_set(s, &set);
}

struct pressure {
	uint64_t size;
	unsigned int count;
	unsigned int rounds;
	/* All have made their buffers: together they do not fit */
	pthread_barrier_t made;
};

/* Each with a file of its own and more than its share of VRAM */
static int press(void *arg, unsigned int index)
{
	struct pressure *pressure = arg;
	struct pdt_buffer *bufs = calloc(pressure->count, sizeof(*bufs));
	uint64_t random = index + 1;
	int rc, fd = pdt_open();

	child_check(bufs && fd >= 0);
	for (unsigned int i = 0; i < pressure->count; i++) {
		child_check(!pdt_buffer_create(fd, &bufs[i], pressure->size, PDT_BOTH, 0));
		pdt_buffer_fill(&bufs[i], pdt_random(&random));
	}
	pthread_barrier_wait(&pressure->made);
	for (unsigned int i = 0; i < pressure->rounds; i++) {
		struct pdt_buffer *buf = &bufs[pdt_random(&random) % pressure->count];

		/* Others may hold all of VRAM for the moment. */
		rc = bring_back(fd, buf, NULL);
		child_check(!rc || rc == -ENOMEM);
		child_check(!pdt_buffer_check(buf));
		pdt_buffer_fill(buf, pdt_random(&random));
		if (i % 8 == 0) {
			pdt_buffer_destroy(fd, buf);
			child_check(!pdt_buffer_create(fd, buf, pressure->size, PDT_BOTH, 0));
			child_check(pdt_zero_check(buf->map, buf->size) < 0);
			pdt_buffer_fill(buf, pdt_random(&random));
		}
	}
	for (unsigned int i = 0; i < pressure->count; i++) {
		child_check(!pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(fd, &bufs[i]);
	}
	free(bufs);
	close(fd);
	return 0;
}

/* Threads evict each other's buffers while they are being written. */
static void under_pressure(void **state)
{
	struct pdt_state *s = *state;
	struct pressure pressure = { .rounds = 60 };
	struct drm_pddgpu_memory_stats before, after;
	uint64_t vram = free_vram(s, PDT_PAGE);

	skip_unless_gtt_holds(s, vram);
	pressure.size = piece(s);
	pressure.count = (unsigned int)(vram / pressure.size / 4 + vram / pressure.size / 16);
	assert_ok(pdt_stats(s->fd, &before));
	assert_int_equal(pthread_barrier_init(&pressure.made, NULL, 4), 0);
	assert_int_equal(pdt_threads(4, press, &pressure), 0);
	pthread_barrier_destroy(&pressure.made);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &after));
	assert_true(after.evictions > before.evictions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(twice_the_vram),
		pdt_test(vram_only_stays),
		pdt_test(makes_room),
		pdt_test(oldest_goes_first),
		pdt_test(no_room_for_victims),
		pdt_test(under_pressure),
	};

	return pdt_run_tests("eviction", tests);
}
