// SPDX-License-Identifier: MIT
/*
 * The engine's copies from every kind of memory to every other, byte for byte;
 * and what the device says it has copied against what the driver was asked to.
 */
#include "pdt.h"

#define KINDS	5
#define SIZE	(5 * PDT_MIB + 3 * PDT_PAGE)
#define LEAF	(2 * PDT_MIB)

static const struct {
	uint32_t domains;
	uint32_t flags;
} kinds[KINDS] = {
	{ PDT_VRAM, PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED },
	{ PDT_VRAM, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS },
	/* Where no CPU reaches, if the card has that */
	{ PDT_VRAM, PDDGPU_GEM_CREATE_NO_CPU_ACCESS },
	{ PDT_GTT, 0 },
	{ PDT_GTT, PDT_USWC },
};

/* A buffer of each kind, what it holds, and one by which the CPU gets at it */
struct set {
	uint32_t handle[KINDS];
	unsigned char *bytes[KINDS];
	struct pdt_buffer stage;
};

/* Between blocks of VRAM that are in use, so that there is no large piece left */
static void set_create(struct pdt_state *s, struct set *set, bool scattered)
{
	uint32_t plugs[256];

	for (size_t i = 0; i < PDT_ARRAY_SIZE(plugs) && scattered; i++)
		assert_ok(pdt_create(s->fd, 5 * PDT_PAGE, PDT_VRAM, 0, &plugs[i]));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(plugs) && scattered; i += 2)
		assert_ok(pdt_destroy(s->fd, plugs[i]));
	assert_ok(pdt_buffer_create(s->fd, &set->stage, SIZE, PDT_GTT, 0));
	for (size_t i = 0; i < KINDS; i++) {
		struct drm_pddgpu_submit_op op;

		assert_ok(pdt_create(s->fd, SIZE, kinds[i].domains, kinds[i].flags,
				     &set->handle[i]));
		set->bytes[i] = malloc(SIZE);
		assert_non_null(set->bytes[i]);
		pdt_pattern_fill(set->bytes[i], SIZE, i + 1);
		memcpy(set->stage.map, set->bytes[i], SIZE);
		op = pdt_copy(set->handle[i], 0, set->stage.handle, 0, SIZE);
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_wait_idle(s->fd, set->stage.handle, 60000));
	}
	for (size_t i = 1; i < PDT_ARRAY_SIZE(plugs) && scattered; i += 2)
		assert_ok(pdt_destroy(s->fd, plugs[i]));
}

static void set_destroy(struct pdt_state *s, struct set *set)
{
	for (size_t i = 0; i < KINDS; i++) {
		assert_ok(pdt_destroy(s->fd, set->handle[i]));
		free(set->bytes[i]);
	}
	pdt_buffer_destroy(s->fd, &set->stage);
}

static void set_check(struct pdt_state *s, struct set *set, size_t kind)
{
	struct drm_pddgpu_submit_op op = pdt_copy(set->stage.handle, 0, set->handle[kind], 0,
						  SIZE);
	const unsigned char *seen = set->stage.map;
	uint64_t at = 0;

	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, set->stage.handle, 60000));
	if (!memcmp(seen, set->bytes[kind], SIZE))
		return;
	while (seen[at] == set->bytes[kind][at])
		at++;
	fail_msg("kind %zu: byte %llu is %#x, not %#x", kind, (unsigned long long)at,
		 seen[at], set->bytes[kind][at]);
}

static const uint64_t lengths[] = {
	1, 2, 3, 4, 5, 7, 8, 9, 15, 31, 63, 64, 65, 127, 1000, 4093, 4095, 4096, 4097, 8191,
	8193, 65535, 70001, LEAF - 1, LEAF, LEAF + 1,
};

/* Across page borders and those of large leaves, and anywhere */
static uint64_t offset_of(uint64_t bytes, size_t i, uint64_t *random)
{
	uint64_t back = bytes > 1 ? bytes / 2 : 0;

	switch (i % 4) {
	case 0:
		return LEAF - (back < LEAF ? back : LEAF);
	case 1:
		return 3 * PDT_PAGE - (back < 3 * PDT_PAGE ? back : 0);
	default:
		return pdt_random(random) % (SIZE - bytes + 1);
	}
}

static void copy_path(struct pdt_state *s, struct set *set, size_t to, size_t from,
		      uint64_t *random)
{
	struct drm_pddgpu_submit_op ops[PDT_ARRAY_SIZE(lengths)];

	for (size_t i = 0; i < PDT_ARRAY_SIZE(ops); i++) {
		uint64_t dst = offset_of(lengths[i], i, random);
		uint64_t src = offset_of(lengths[i], i / 4, random);

		ops[i] = pdt_copy(set->handle[to], dst, set->handle[from], src, lengths[i]);
		memmove(set->bytes[to] + dst, set->bytes[from] + src, lengths[i]);
	}
	assert_ok(pdt_submit(s->fd, ops, PDT_ARRAY_SIZE(ops)));
	set_check(s, set, to);
}

static void every_path(struct pdt_state *s, bool scattered)
{
	uint64_t random = pdt_seed(scattered ? 31 : 32);
	struct drm_pddgpu_memory_stats stats;
	struct set set;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_free < 4 * SIZE)
		pdt_skip("made for a larger card");
	set_create(s, &set, scattered);
	for (size_t to = 0; to < KINDS; to++)
		for (size_t from = 0; from < KINDS; from++)
			copy_path(s, &set, to, from, &random);
	for (size_t i = 0; i < KINDS; i++)
		set_check(s, &set, i);
	set_destroy(s, &set);
}

static void every_path_in_whole_memory(void **state)
{
	every_path(*state, false);
}

static void every_path_in_scattered_memory(void **state)
{
	every_path(*state, true);
}

/* Longer than the engine is given at once: its parts are in the right order too. */
static void long_copies_that_overlap(void **state)
{
	static const int64_t shifts[] = { 1, -1, 12345, -12345 };
	const uint64_t size = 70 * PDT_MIB, span = size - 12345;
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	unsigned char *bytes;
	struct pdt_buffer buf;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_free < 2 * size || stats.gtt_free < 2 * size)
		pdt_skip("made for a larger card");
	bytes = malloc(size);
	assert_non_null(bytes);
	assert_ok(pdt_buffer_create(s->fd, &buf, size, PDT_GTT, 0));
	pdt_buffer_fill(&buf, 3);
	memcpy(bytes, buf.map, size);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(shifts); i++) {
		uint64_t src = shifts[i] < 0 ? (uint64_t)-shifts[i] : 0;
		uint64_t dst = src + (uint64_t)shifts[i];
		struct drm_pddgpu_submit_op op = pdt_copy(buf.handle, dst, buf.handle, src,
							  span);

		memmove(bytes + dst, bytes + src, span);
		assert_ok(pdt_submit(s->fd, &op, 1));
	}
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
	assert_int_equal(memcmp(bytes, buf.map, size), 0);
	free(bytes);
	pdt_buffer_destroy(s->fd, &buf);
}

static uint64_t counter(const char *name)
{
	uint64_t value;

	assert_ok(pdt_control_stat(name, &value));
	return value;
}

/* Jobs and moves, as the driver counts them and as the device does */
static void device_counts_the_same(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	uint64_t copied, filled, fences, faults, jobs = 0, fills = 0;
	uint32_t a, b, now;

	assert_ok(pdt_create(s->fd, 3 * PDT_MIB, PDT_GTT, 0, &a));
	assert_ok(pdt_create(s->fd, 3 * PDT_MIB, PDT_VRAM, 0, &b));
	assert_ok(pdt_stats(s->fd, &before));
	copied = counter("bytes_copied");
	filled = counter("bytes_filled");
	fences = counter("fences");
	faults = counter("faults");
	for (uint64_t i = 1; i <= 20; i++) {
		struct drm_pddgpu_submit_op ops[2] = {
			pdt_copy(b, i, a, 3 * i, 100000 + i),
			pdt_fill(a, 4 * i, 4096 * i, 1),
		};

		assert_ok(pdt_submit(s->fd, ops, 2));
		jobs += 100000 + i;
		fills += 4096 * i;
	}
	/* Large enough for the engine */
	for (unsigned int i = 0; i < 6; i++) {
		assert_ok(pdt_set_domain(s->fd, b, i % 2 ? PDT_VRAM : PDT_GTT, &now));
		assert_int_equal(now, i % 2 ? PDT_VRAM : PDT_GTT);
	}
	assert_ok(pdt_wait_idle(s->fd, a, 60000));
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.moves - before.moves, 6);
	assert_u64(after.bytes_moved - before.bytes_moved, 6 * 3 * PDT_MIB);
	assert_u64(counter("bytes_copied") - copied, jobs + 6 * 3 * PDT_MIB);
	/* What is freed may be cleared meanwhile. */
	assert_true(counter("bytes_filled") - filled >= fills);
	assert_true(counter("fences") - fences >= 20 + 6);
	assert_u64(counter("faults"), faults);
	assert_ok(pdt_destroy(s->fd, a));
	assert_ok(pdt_destroy(s->fd, b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(every_path_in_whole_memory),
		pdt_test(every_path_in_scattered_memory),
		pdt_test(long_copies_that_overlap),
		pdt_test(device_counts_the_same),
	};

	return pdt_run_tests("paths", tests);
}
