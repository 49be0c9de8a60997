// SPDX-License-Identifier: MIT
/* Memory that is full, or in pieces: clean failure and full recovery. */
#include "pdt.h"

#include <unistd.h>

#define MAX_BUFFERS	20000

static struct pdt_buffer vram[MAX_BUFFERS], gtt[MAX_BUFFERS];

static void free_all(struct pdt_state *s, struct pdt_buffer *bufs, size_t n)
{
	while (n)
		pdt_buffer_destroy(s->fd, &bufs[--n]);
}

static uint64_t bytes_of(const struct pdt_buffer *bufs, size_t n)
{
	uint64_t bytes = 0;

	while (n)
		bytes += bufs[--n].size;
	return bytes;
}

static void skip_if_large(struct pdt_state *s)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.gtt_total > 768 * PDT_MIB)
		pdt_skip("the GTT is too large for the machine's time");
}

/* What is left when nothing of this size fits any more */
static void assert_full(struct pdt_state *s, uint32_t domains)
{
	struct drm_pddgpu_memory_stats before, after;
	static const uint64_t sizes[] = { 1, PDT_PAGE, 3 * PDT_PAGE, PDT_MIB };
	uint32_t handle;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
		assert_ok(pdt_stats(s->fd, &before));
		assert_err(ENOMEM, pdt_create(s->fd, sizes[i], domains, 0, &handle));
		assert_ok(pdt_stats(s->fd, &after));
		assert_u64(after.vram_used, before.vram_used);
		assert_u64(after.gtt_used, before.gtt_used);
		assert_u64(after.live_objects, before.live_objects);
		assert_u64(after.live_bytes, before.live_bytes);
		assert_u64(after.total_allocations, before.total_allocations);
		assert_u64(after.failed_allocations - before.failed_allocations, 1);
	}
}

static void both_full(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	size_t n_vram, n_gtt, again;
	uint64_t bytes[2];
	uint32_t handle;
	int err;

	skip_if_large(s);
	n_vram = pdt_fill_domain(s->fd, vram, MAX_BUFFERS, 4 * PDT_MIB, PDT_VRAM, &err);
	assert_int_equal(err, -ENOMEM);
	n_gtt = pdt_fill_domain(s->fd, gtt, MAX_BUFFERS, 16 * PDT_MIB, PDT_GTT, &err);
	assert_int_equal(err, -ENOMEM);
	bytes[0] = bytes_of(vram, n_vram);
	bytes[1] = bytes_of(gtt, n_gtt);

	/* Full to the last byte that can be used */
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.vram_visible_used, stats.vram_visible_total);
	assert_u64(stats.vram_used - s->before.vram_used, bytes[0]);
	assert_u64(stats.gtt_used, stats.gtt_total);
	assert_u64(stats.gtt_used - s->before.gtt_used, bytes[1]);
	assert_full(s, PDT_VRAM);
	assert_full(s, PDT_GTT);
	assert_full(s, PDT_BOTH);

	/* Every buffer is still there. */
	for (size_t i = 0; i < n_vram; i++)
		assert_int_equal(pdt_domain(s->fd, vram[i].handle), PDT_VRAM);
	for (size_t i = 0; i < n_gtt; i++)
		assert_int_equal(pdt_domain(s->fd, gtt[i].handle), PDT_GTT);

	/* The room of one that goes is another's. */
	assert_ok(pdt_destroy(s->fd, vram[0].handle));
	assert_ok(pdt_create(s->fd, vram[0].size, PDT_VRAM, 0, &vram[0].handle));
	assert_ok(pdt_destroy(s->fd, gtt[0].handle));
	assert_ok(pdt_create(s->fd, gtt[0].size, PDT_BOTH, 0, &handle));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_GTT);
	gtt[0].handle = handle;

	free_all(s, vram, n_vram);
	free_all(s, gtt, n_gtt);
	assert_true(pdt_level_wait(s->fd, &s->before));

	/* Full recovery: as much fits again, and in large pieces. */
	again = pdt_fill_domain(s->fd, vram, MAX_BUFFERS, 4 * PDT_MIB, PDT_VRAM, &err);
	assert_u64(bytes_of(vram, again), bytes[0]);
	assert_int_equal(again, n_vram);
	free_all(s, vram, again);
	again = pdt_fill_domain(s->fd, gtt, MAX_BUFFERS, 16 * PDT_MIB, PDT_GTT, &err);
	assert_u64(bytes_of(gtt, again), bytes[1]);
	free_all(s, gtt, again);
}

/* Fills a set with mapped buffers that hold something, and gives it all back. */
static void fill_to_the_end(struct pdt_state *s, uint32_t domains, uint64_t *bytes)
{
	uint64_t available, size = 8 * PDT_MIB;
	size_t n;
	int rc = 0;

	*bytes = 0;
	for (n = 0; n < MAX_BUFFERS; n++) {
		/* Where all is full, nothing can be brought where the CPU reaches it. */
		rc = pdt_buffer_create(s->fd, &gtt[n], size, domains,
				       PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED);
		if (rc)
			break;
		pdt_pattern_fill(gtt[n].map, PDT_PAGE, n);
		pdt_pattern_fill((char *)gtt[n].map + size - PDT_PAGE, PDT_PAGE, n + 1);
		*bytes += size;
	}
	assert_int_equal(rc, -ENOMEM);
	assert_true(n > 0);
	/* The limit is ours, not the end of the machine's memory. */
	assert_ok(pdt_meminfo("MemAvailable", &available));
	assert_true(available > 32 * PDT_MIB);
	while (n--) {
		assert_int_equal(pdt_pattern_check(gtt[n].map, PDT_PAGE, n), -1);
		assert_int_equal(pdt_pattern_check((char *)gtt[n].map + size - PDT_PAGE,
						   PDT_PAGE, n + 1), -1);
		pdt_buffer_destroy(s->fd, &gtt[n]);
	}
	assert_true(pdt_level_wait(s->fd, &s->before));
}

/* System pages have an end, too, long before the machine has none left. */
static void system_memory_is_bounded(void **state)
{
	static const uint32_t sets[] = {
		PDT_CPU, PDT_GTT | PDT_CPU, PDT_VRAM | PDT_CPU, PDT_BOTH | PDT_CPU,
	};
	struct pdt_state *s = *state;
	uint64_t first, again;

	skip_if_large(s);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(sets); i++) {
		fill_to_the_end(s, sets[i], &first);
		fill_to_the_end(s, sets[i], &again);
		assert_u64(again, first);
	}
}

/* What one domain's pages take the other has no more of. */
static void system_memory_is_one(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	size_t n;
	int err;

	skip_if_large(s);
	n = pdt_fill_domain(s->fd, gtt, MAX_BUFFERS, 16 * PDT_MIB, PDT_CPU, &err);
	assert_int_equal(err, -ENOMEM);
	assert_err(ENOMEM, pdt_create(s->fd, PDT_MIB, PDT_GTT, 0, &handle));
	free_all(s, gtt, n);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_create(s->fd, 4 * PDT_MIB, PDT_GTT, 0, &handle));
	assert_ok(pdt_destroy(s->fd, handle));
}

/* A move finds no room: it fails, and the buffer is as it was. */
static void no_room_to_move(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	size_t n;
	int err;

	assert_ok(pdt_buffer_create(s->fd, &buf, 2 * PDT_MIB, PDT_GTT, 0));
	pdt_buffer_fill(&buf, 3);
	n = pdt_fill_domain(s->fd, vram, MAX_BUFFERS, 4 * PDT_MIB, PDT_VRAM, &err);
	assert_int_equal(err, -ENOMEM);
	assert_err(ENOMEM, pdt_set_domain(s->fd, buf.handle, PDT_VRAM, NULL));
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_GTT);
	assert_ok(pdt_buffer_check(&buf));
	free_all(s, vram, n);
	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_VRAM, NULL));
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
}

static int by_address(const void *a, const void *b)
{
	const struct pdt_buffer *left = a, *right = b;

	return left->seed < right->seed ? -1 : left->seed > right->seed;
}

/* Fills VRAM with pieces of 64 KiB, sorted by where they lie. */
static size_t fill_in_pieces(struct pdt_state *s)
{
	struct drm_pddgpu_gem_info info;
	size_t n;
	int err;

	n = pdt_fill_domain(s->fd, vram, MAX_BUFFERS, 64 * PDT_KIB, PDT_VRAM, &err);
	assert_int_equal(err, -ENOMEM);
	for (size_t i = 0; i < n; i++) {
		assert_ok(pdt_info(s->fd, vram[i].handle, &info));
		vram[i].seed = info.offset;
	}
	qsort(vram, n, sizeof(vram[0]), by_address);
	return n;
}

/* Every second piece is free: nothing larger is in one block, all of it is. */
static void fragmented(void **state)
{
	struct pdt_state *s = *state;
	uint64_t freed = 0, size;
	uint32_t handle, whole;
	size_t n = fill_in_pieces(s);
	struct pdt_buffer buf;
	uint32_t contiguous = PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS;

	for (size_t i = 0; i < n; i += 2) {
		if (vram[i].size == 64 * PDT_KIB && freed < 8 * PDT_MIB) {
			assert_ok(pdt_destroy(s->fd, vram[i].handle));
			freed += vram[i].size;
			vram[i].handle = 0;
		}
	}
	assert_true(freed >= 4 * PDT_MIB);

	assert_ok(pdt_create(s->fd, 64 * PDT_KIB, PDT_VRAM, contiguous, &handle));
	assert_ok(pdt_destroy(s->fd, handle));
	for (size = 128 * PDT_KIB; size <= 4 * PDT_MIB; size *= 2) {
		assert_err(ENOMEM, pdt_create(s->fd, size, PDT_VRAM, contiguous, &handle));
		assert_ok(pdt_buffer_create(s->fd, &buf, size, PDT_VRAM, 0));
		assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_VRAM);
		pdt_buffer_fill(&buf, size);
		assert_ok(pdt_buffer_check(&buf));
		pdt_buffer_destroy(s->fd, &buf);
	}
	/* Not a power of two, and all that is free */
	assert_err(ENOMEM, pdt_create(s->fd, 17 * PDT_PAGE, PDT_VRAM, contiguous, &handle));
	assert_ok(pdt_create(s->fd, freed, PDT_VRAM, 0, &whole));
	assert_err(ENOMEM, pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_destroy(s->fd, whole));

	/* With another domain in its set it need not fail. */
	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_BOTH, contiguous, &handle));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_GTT);
	assert_ok(pdt_destroy(s->fd, handle));

	for (size_t i = 0; i < n; i++)
		if (vram[i].handle)
			assert_ok(pdt_destroy(s->fd, vram[i].handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_create(s->fd, 4 * PDT_MIB, PDT_VRAM, contiguous, &handle));
	assert_ok(pdt_destroy(s->fd, handle));
}

/* Scattered buffers move out and in again, byte for byte. */
static void scattered_moves(void **state)
{
	struct pdt_state *s = *state;
	size_t n = fill_in_pieces(s), freed = 0;
	struct pdt_buffer buf;

	for (size_t i = 0; i < n && freed < 16; i += 2) {
		if (vram[i].size == 64 * PDT_KIB) {
			assert_ok(pdt_destroy(s->fd, vram[i].handle));
			freed++;
		}
	}
	assert_ok(pdt_buffer_create(s->fd, &buf, 16 * 64 * PDT_KIB, PDT_VRAM, 0));
	for (unsigned int i = 0; i < 4; i++) {
		pdt_buffer_fill(&buf, i);
		assert_ok(pdt_set_domain(s->fd, buf.handle, i % 2 ? PDT_CPU : PDT_GTT, NULL));
		assert_ok(pdt_buffer_check(&buf));
		assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_VRAM, NULL));
		assert_ok(pdt_buffer_check(&buf));
	}
	pdt_buffer_destroy(s->fd, &buf);
}

struct fight {
	int fd;
	unsigned int got;
	unsigned int refused;
	unsigned int odd;
};

static int fight_for_room(void *arg, unsigned int index)
{
	struct fight *fight = arg;
	uint32_t handles[16] = { 0 };
	uint64_t random = index + 11;

	for (unsigned int i = 0; i < 200; i++) {
		unsigned int slot = (unsigned int)(pdt_random(&random) % 16);
		int rc;

		if (handles[slot]) {
			child_check(!pdt_destroy(fight->fd, handles[slot]));
			handles[slot] = 0;
			continue;
		}
		rc = pdt_create(fight->fd, (1 + pdt_random(&random) % 64) * PDT_PAGE,
				PDT_VRAM, 0, &handles[slot]);
		if (!rc)
			__atomic_add_fetch(&fight->got, 1, __ATOMIC_RELAXED);
		else if (rc == -ENOMEM)
			__atomic_add_fetch(&fight->refused, 1, __ATOMIC_RELAXED);
		else
			__atomic_add_fetch(&fight->odd, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* Threads fight for the last 4 MiB: some get it, some don't, none break it. */
static void fought_over(void **state)
{
	struct pdt_state *s = *state;
	struct fight fight = { .fd = pdt_open() };
	uint64_t freed = 0;
	size_t n;
	int err;

	assert_true(fight.fd >= 0);
	n = pdt_fill_domain(s->fd, vram, MAX_BUFFERS, PDT_MIB, PDT_VRAM, &err);
	for (size_t i = 0; i < n && freed < 4 * PDT_MIB; i++) {
		freed += vram[i].size;
		assert_ok(pdt_destroy(s->fd, vram[i].handle));
	}
	/* Each failure may retry; not to wait for that makes the fight a harder one. */
	assert_ok(pdt_debugfs_write("vram_retry_delay", "0"));
	assert_int_equal(pdt_threads(8, fight_for_room, &fight), 0);
	assert_ok(pdt_settings_restore());
	assert_int_equal(fight.odd, 0);
	assert_true(fight.got > 0);
	assert_true(fight.refused > 0);
	close(fight.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(both_full),
		pdt_test(system_memory_is_bounded),
		pdt_test(system_memory_is_one),
		pdt_test(no_room_to_move),
		pdt_test(fragmented),
		pdt_test(scattered_moves),
		pdt_test(fought_over),
	};

	return pdt_run_tests("exhaustion", tests);
}
