// SPDX-License-Identifier: MIT
/* VRAM that no CPU reaches. Its VM has a card with a small BAR. */
#include "pdt.h"

#include <sys/mman.h>
#include <unistd.h>

#define SIZE	(8 * PDT_MIB)
#define BUFFERS	512

static uint64_t invisible(const struct drm_pddgpu_memory_stats *stats)
{
	return stats->vram_total - stats->vram_visible_total;
}

static void need_invisible(struct pdt_state *s, struct drm_pddgpu_memory_stats *stats)
{
	assert_ok(pdt_stats(s->fd, stats));
	if (invisible(stats) < 8 * SIZE)
		pdt_skip("all of this card's VRAM is visible");
}

static uint64_t visible_used(int fd)
{
	struct drm_pddgpu_memory_stats stats;

	return pdt_stats(fd, &stats) ? UINT64_MAX : stats.vram_visible_used;
}

/* What no CPU touches takes nothing of the visible part; what one does, does. */
static void touched_buffers_come_into_sight(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_buffer buf;

	need_invisible(s, &before);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &buf.handle));
	buf.size = SIZE;
	assert_u64(visible_used(s->fd), before.vram_visible_used);
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.vram_used, before.vram_used + SIZE);

	/* Mapping alone moves nothing. */
	assert_ok(pdt_mmap(s->fd, buf.handle, SIZE, &buf.map));
	assert_u64(visible_used(s->fd), before.vram_visible_used);
	assert_int_equal(pdt_zero_check(buf.map, SIZE), -1);
	assert_u64(visible_used(s->fd), before.vram_visible_used + SIZE);
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.vram_used, before.vram_used + SIZE);
	assert_u64(after.moves, before.moves + 1);

	pdt_buffer_fill(&buf, 5);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_u64(visible_used(s->fd), before.vram_visible_used);
}

static void flags_say_who_touches(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before;
	uint32_t handle;

	need_invisible(s, &before);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED,
			     &handle));
	assert_u64(visible_used(s->fd), before.vram_visible_used + SIZE);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, PDDGPU_GEM_CREATE_NO_CPU_ACCESS, &handle));
	assert_u64(visible_used(s->fd), before.vram_visible_used);
	assert_ok(pdt_destroy(s->fd, handle));

	/* What must be visible cannot be larger than what is. */
	assert_err(E2BIG, pdt_create(s->fd, before.vram_visible_total + PDT_PAGE, PDT_VRAM,
				     PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED, &handle));
	assert_ok(pdt_create(s->fd, before.vram_visible_total + PDT_PAGE, PDT_VRAM,
			     PDDGPU_GEM_CREATE_NO_CPU_ACCESS, &handle));
	assert_ok(pdt_destroy(s->fd, handle));
}

/* More than the visible part, written and read by the CPU: every byte is right. */
static void more_than_can_be_seen(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_buffer *bufs = calloc(BUFFERS, sizeof(*bufs));
	uint64_t random = 9;
	size_t n;

	assert_non_null(bufs);
	need_invisible(s, &before);
	n = before.vram_visible_total * 3 / 2 / SIZE;
	if (n > BUFFERS || n * SIZE > before.vram_free)
		pdt_skip("made for a smaller card");
	for (size_t i = 0; i < n; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, i % 2 ? PDT_VRAM : PDT_BOTH,
					    0));
		pdt_buffer_fill(&bufs[i], i + 1);
	}
	for (size_t i = 0; i < n; i++)
		assert_ok(pdt_buffer_check(&bufs[pdt_random(&random) % n]));
	/* Out of sight and back */
	for (size_t i = 0; i < n; i++)
		assert_ok(pdt_set_domain(s->fd, bufs[i].handle, bufs[i].domains, NULL));
	for (size_t i = 0; i < n; i++)
		assert_ok(pdt_buffer_check(&bufs[i]));

	assert_ok(pdt_stats(s->fd, &after));
	assert_true(after.vram_visible_used <= after.vram_visible_total);
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(s->fd, &bufs[i]);
	free(bufs);
}

/* All of VRAM in buffers that no CPU touches, filled and copied by the engine */
static void engine_reaches_all_of_it(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer *bufs = calloc(BUFFERS, sizeof(*bufs)), out;
	struct drm_pddgpu_submit_op op;
	size_t n;
	int err;

	assert_non_null(bufs);
	need_invisible(s, &stats);
	n = pdt_fill_domain(s->fd, bufs, BUFFERS, pdt_pages(stats.vram_free / 64), PDT_VRAM,
			    &err);
	assert_int_equal(err, -ENOMEM);
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.vram_free, 0);
	assert_u64(stats.vram_visible_used, stats.vram_visible_total);

	assert_ok(pdt_buffer_create(s->fd, &out, PDT_MIB, PDT_GTT, 0));
	for (size_t i = 0; i < n; i++) {
		op = pdt_fill(bufs[i].handle, 0, bufs[i].size, (uint32_t)i * 0x01010101);
		assert_ok(pdt_submit(s->fd, &op, 1));
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t bytes = bufs[i].size < out.size ? bufs[i].size : out.size;
		const uint32_t *words = out.map;

		op = pdt_copy(out.handle, 0, bufs[i].handle, bufs[i].size - bytes, bytes);
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_wait_idle(s->fd, out.handle, 60000));
		for (uint64_t w = 0; w < bytes / 4; w += 61)
			assert_int_equal(words[w], (uint32_t)i * 0x01010101);
	}
	pdt_buffer_destroy(s->fd, &out);
	for (size_t i = 0; i < n; i++)
		assert_ok(pdt_destroy(s->fd, bufs[i].handle));
	free(bufs);
}

/* Between the part that is not seen and system pages, through the window */
static void to_pages_and_back(void **state)
{
	static const uint64_t sizes[] = {
		PDT_PAGE, 68 * PDT_KIB, 2 * PDT_MIB, 2 * PDT_MIB + PDT_PAGE, 9 * PDT_MIB,
	};
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint32_t now;

	need_invisible(s, &stats);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
		struct pdt_buffer buf;

		assert_ok(pdt_buffer_create(s->fd, &buf, sizes[i], PDT_CPU, 0));
		pdt_buffer_fill(&buf, i + 70);
		for (unsigned int round = 0; round < 3; round++) {
			uint64_t used = visible_used(s->fd);

			assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_VRAM, &now));
			assert_int_equal(now, PDT_VRAM);
			assert_u64(visible_used(s->fd), used);
			assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_CPU, &now));
			assert_int_equal(now, PDT_CPU);
			assert_ok(pdt_buffer_check(&buf));
		}
		pdt_buffer_destroy(s->fd, &buf);
	}
}

/* How many pieces a client has of VRAM */
static unsigned int pieces(uint64_t client)
{
	char *text = pdt_debugfs_read("vram_blocks"), *line, *rest;
	unsigned long long owner;
	unsigned int count = 0;

	assert_non_null(text);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		count += sscanf(line, "%*u %*u LIVE %llu", &owner) == 1 && owner == client;
	free(text);
	return count;
}

/* Buffers of so much until there is no more room of that kind for one */
static size_t take(int fd, uint32_t *handles, uint64_t size, uint32_t flags)
{
	uint64_t used = visible_used(fd);
	size_t n = 0;

	while (n < BUFFERS && !pdt_create(fd, size, PDT_VRAM, flags, &handles[n])) {
		n++;
		if (flags & PDDGPU_GEM_CREATE_NO_CPU_ACCESS && visible_used(fd) > used)
			break;
	}
	return n;
}

/* What is to be in one piece stays so, also where others want the visible part. */
static void in_one_piece(void **state)
{
	static uint32_t hidden[BUFFERS], seen[BUFFERS];
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer only, either;
	struct pdt_fdinfo info;
	int fd = pdt_open();
	size_t n, m;

	need_invisible(s, &stats);
	assert_true(fd >= 0);
	assert_ok(pdt_fdinfo_of(getpid(), fd, &info));
	n = take(s->fd, hidden, SIZE / 2, PDDGPU_GEM_CREATE_NO_CPU_ACCESS);
	if (n == BUFFERS)
		pdt_skip("more than %d buffers are out of the CPU's reach", BUFFERS);
	assert_ok(pdt_buffer_create(fd, &only, SIZE, PDT_VRAM,
				    PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS));
	assert_ok(pdt_buffer_create(fd, &either, SIZE, PDT_BOTH,
				    PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS));
	pdt_buffer_fill(&only, 1);
	pdt_buffer_fill(&either, 2);
	assert_int_equal(pieces(info.client_id), 2);
	/* Holes that hold half of one */
	for (size_t i = 0; i < n; i += 2)
		assert_ok(pdt_destroy(s->fd, hidden[i]));
	m = take(s->fd, seen, SIZE / 2, PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED);
	assert_true(m > 0);
	assert_int_equal(pieces(info.client_id), 1);
	assert_int_equal(pdt_domain(fd, only.handle), PDT_VRAM);
	assert_int_equal(pdt_domain(fd, either.handle), PDT_GTT);
	assert_ok(pdt_buffer_check(&only));
	assert_ok(pdt_buffer_check(&either));
	pdt_buffer_destroy(fd, &only);
	pdt_buffer_destroy(fd, &either);
	while (m--)
		assert_ok(pdt_destroy(s->fd, seen[m]));
	for (size_t i = 1; i < n; i += 2)
		assert_ok(pdt_destroy(s->fd, hidden[i]));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(touched_buffers_come_into_sight),
		pdt_test(flags_say_who_touches),
		pdt_test(more_than_can_be_seen),
		pdt_test(engine_reaches_all_of_it),
		pdt_test(to_pages_and_back),
		pdt_test(in_one_piece),
	};

	return pdt_run_tests("invisible", tests);
}
