// SPDX-License-Identifier: MIT
/* Domains: where buffers are put, where the chip sees them, and moving them. */
#include "pdt.h"

#include <sys/mman.h>

static const uint32_t single[] = { PDT_VRAM, PDT_GTT, PDT_CPU };

static void preferences(void **state)
{
	static const struct {
		uint32_t domains;
		uint32_t first;
	} cases[] = {
		{ PDT_VRAM, PDT_VRAM },
		{ PDT_GTT, PDT_GTT },
		{ PDT_CPU, PDT_CPU },
		{ PDT_VRAM | PDT_GTT, PDT_VRAM },
		{ PDT_VRAM | PDT_CPU, PDT_VRAM },
		{ PDT_GTT | PDT_CPU, PDT_GTT },
		{ PDT_VRAM | PDT_GTT | PDT_CPU, PDT_VRAM },
	};
	struct pdt_state *s = *state;
	uint32_t handle, now;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(cases); i++) {
		assert_ok(pdt_create(s->fd, 3 * PDT_PAGE, cases[i].domains, 0, &handle));
		assert_int_equal(pdt_domain(s->fd, handle), cases[i].first);
		/* And from wherever else it was */
		for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
			assert_ok(pdt_set_domain(s->fd, handle, single[d], &now));
			assert_int_equal(now, single[d]);
			assert_int_equal(pdt_domain(s->fd, handle), single[d]);
			assert_ok(pdt_set_domain(s->fd, handle, cases[i].domains, &now));
			if (now != cases[i].first)
				fail_msg("from %x to %x it came to %x", single[d],
					 cases[i].domains, now);
		}
		assert_ok(pdt_destroy(s->fd, handle));
	}
}

/* The address lies, with all of the buffer, in a segment that serves its domain. */
static void assert_in_segment(struct pdt_state *s, uint32_t handle)
{
	struct drm_pddgpu_segment segments[16];
	struct drm_pddgpu_gem_info info;
	unsigned int n;

	assert_ok(pdt_segments(s->fd, segments, PDT_ARRAY_SIZE(segments), &n));
	assert_ok(pdt_info(s->fd, handle, &info));
	if (info.domain == PDT_CPU) {
		assert_u64(info.offset, 0);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		if (segments[i].domain == info.domain && info.offset >= segments[i].base &&
		    info.offset - segments[i].base + info.size <= segments[i].size)
			return;
	fail_msg("address %llx, size %llx, domain %x: in no segment of that domain",
		 (unsigned long long)info.offset, (unsigned long long)info.size, info.domain);
}

static void addresses(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info[48];
	uint32_t handle, now;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(info); i++) {
		assert_ok(pdt_create(s->fd, (1 + i % 5) * PDT_PAGE, single[i % 2],
				     PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS, &handle));
		assert_in_segment(s, handle);
		assert_ok(pdt_info(s->fd, handle, &info[i]));
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(info); i++)
		for (size_t j = 0; j < i; j++)
			assert_true(info[i].offset + info[i].size <= info[j].offset ||
				    info[j].offset + info[j].size <= info[i].offset);

	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		assert_ok(pdt_set_domain(s->fd, handle, single[d], &now));
		assert_in_segment(s, handle);
	}
}

static void assert_usage(struct pdt_state *s, uint32_t domain, uint64_t size)
{
	struct pdt_level now;

	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.vram_used - s->before.vram_used, domain == PDT_VRAM ? size : 0);
	assert_u64(now.gtt_used - s->before.gtt_used, domain == PDT_GTT ? size : 0);
	assert_u64(now.objects, s->before.objects + 1);
}

static void move_around(struct pdt_state *s, uint64_t size, uint32_t flags)
{
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_buffer buf;
	unsigned int moves = 0;
	uint64_t seed = 1;
	uint32_t now;

	assert_ok(pdt_buffer_create(s->fd, &buf, size, PDT_VRAM, flags));
	pdt_buffer_fill(&buf, seed);
	assert_ok(pdt_stats(s->fd, &before));
	for (size_t from = 0; from < PDT_ARRAY_SIZE(single); from++) {
		for (size_t to = 0; to < PDT_ARRAY_SIZE(single); to++) {
			uint32_t was = pdt_domain(s->fd, buf.handle);

			assert_ok(pdt_set_domain(s->fd, buf.handle, single[from], &now));
			moves += was != now;
			assert_ok(pdt_buffer_check(&buf));
			assert_ok(pdt_set_domain(s->fd, buf.handle, single[to], &now));
			assert_int_equal(now, single[to]);
			moves += single[from] != single[to];
			assert_usage(s, single[to], size);
			assert_ok(pdt_buffer_check(&buf));
			pdt_buffer_fill(&buf, ++seed);
		}
	}
	assert_ok(pdt_stats(s->fd, &after));
	/* Where VRAM is not all visible, touching it moves it too. */
	if (after.vram_total == after.vram_visible_total) {
		assert_u64(after.moves - before.moves, moves);
		assert_u64(after.bytes_moved - before.bytes_moved, moves * size);
	}
	assert_true(after.moves - before.moves >= moves);
	assert_u64(after.evictions, before.evictions);
	assert_true(after.avg_move_time > 0);
	pdt_buffer_destroy(s->fd, &buf);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

static void moves_keep_data(void **state)
{
	move_around(*state, PDT_PAGE, 0);
	move_around(*state, 3 * PDT_PAGE, 0);
	move_around(*state, 3 * PDT_PAGE, PDT_USWC);
	move_around(*state, PDT_MIB + 7 * PDT_PAGE, 0);
	move_around(*state, PDT_MIB + 7 * PDT_PAGE, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS);
	move_around(*state, 4 * PDT_MIB, 0);
}

/* Content that was never mapped: zeros, wherever it goes first. */
static void untouched_stays_zero(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle, now;
	void *map;

	for (size_t from = 0; from < PDT_ARRAY_SIZE(single); from++) {
		for (size_t to = 0; to < PDT_ARRAY_SIZE(single); to++) {
			assert_ok(pdt_create(s->fd, 64 * PDT_PAGE, single[from], 0, &handle));
			assert_ok(pdt_set_domain(s->fd, handle, single[to], &now));
			assert_ok(pdt_mmap(s->fd, handle, 64 * PDT_PAGE, &map));
			assert_int_equal(pdt_zero_check(map, 64 * PDT_PAGE), -1);
			munmap(map, 64 * PDT_PAGE);
			assert_ok(pdt_destroy(s->fd, handle));
		}
	}
}

static void moves_keep_alignment(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info;
	uint32_t handle, odd, now;

	assert_ok(pdt_create_aligned(s->fd, 3 * PDT_PAGE, 1 << 20, PDT_VRAM, 0, &handle));
	for (size_t i = 0; i < 12; i++) {
		/* Something of a page, to make the next address an odd one */
		assert_ok(pdt_create(s->fd, PDT_PAGE, single[i % 3], 0, &odd));
		assert_ok(pdt_set_domain(s->fd, handle, single[(i + 1) % 3], &now));
		assert_ok(pdt_info(s->fd, handle, &info));
		assert_u64(info.offset % (1 << 20), 0);
	}
}

/* Too large for VRAM: refused, and it stays where it was. */
static void too_large_to_move(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint64_t size;
	uint32_t handle, now;

	assert_ok(pdt_stats(s->fd, &stats));
	size = stats.vram_total + PDT_PAGE;
	if (size > stats.gtt_free || size > 512 * PDT_MIB)
		pdt_skip("VRAM is larger than the GTT, or than the machine's time");
	assert_ok(pdt_create(s->fd, size, PDT_GTT, 0, &handle));
	assert_err(E2BIG, pdt_set_domain(s->fd, handle, PDT_VRAM, &now));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_GTT);
	assert_usage(s, PDT_GTT, size);
	assert_ok(pdt_set_domain(s->fd, handle, PDT_BOTH, &now));
	assert_int_equal(now, PDT_GTT);
}

struct mover {
	int fd;
	struct pdt_buffer *bufs;
	unsigned int count;
	bool stop;
	unsigned int moves;
};

static int move_or_write(void *arg, unsigned int index)
{
	struct mover *mover = arg;
	uint64_t random = 99;

	if (!index) {
		while (!__atomic_load_n(&mover->stop, __ATOMIC_RELAXED)) {
			uint64_t r = pdt_random(&random);

			child_check(!pdt_set_domain(mover->fd,
						    mover->bufs[r % mover->count].handle,
						    single[r / 64 % 3], NULL));
			__atomic_add_fetch(&mover->moves, 1, __ATOMIC_RELAXED);
		}
		return 0;
	}

	for (uint64_t round = 1; round <= 100 || (mover->moves < 50 && round < 10000); round++) {
		struct pdt_buffer *buf = &mover->bufs[round % mover->count];

		child_check(!pdt_buffer_check(buf));
		pdt_buffer_fill(buf, round);
		child_check(!pdt_buffer_check(buf));
	}
	__atomic_store_n(&mover->stop, true, __ATOMIC_RELAXED);
	return 0;
}

/* A thread writes while another moves what it writes to. */
static void moved_while_written(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[4];
	struct mover mover = { .fd = s->fd, .bufs = bufs, .count = 4 };

	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], 32 * PDT_PAGE, PDT_VRAM, 0));
		pdt_buffer_fill(&bufs[i], i);
	}
	assert_int_equal(pdt_threads(2, move_or_write, &mover), 0);
	assert_true(mover.moves > 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(preferences),
		pdt_test(addresses),
		pdt_test(moves_keep_data),
		pdt_test(untouched_stays_zero),
		pdt_test(moves_keep_alignment),
		pdt_test(too_large_to_move),
		pdt_test(moved_while_written),
	};

	return pdt_run_tests("domains", tests);
}
