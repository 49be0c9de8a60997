// SPDX-License-Identifier: MIT
/*
 * What the chip sees: through its own page tables, asked over its control
 * channel, not through the driver.
 */
#include "pdt.h"

#include <sys/mman.h>

#define PEEK 64

/* Some places of a buffer: its ends, page boundaries, and here and there */
static uint64_t place(const struct pdt_buffer *buf, unsigned int i, uint64_t *random)
{
	switch (i) {
	case 0:
		return 0;
	case 1:
		return buf->size - PEEK;
	case 2:
		return buf->size > PDT_PAGE ? PDT_PAGE - PEEK / 2 : 0;
	default:
		return pdt_random(random) % (buf->size - PEEK);
	}
}

/* The chip finds at the buffer's GPU address what the CPU finds in its mapping. */
static void assert_chip_sees(int fd, const struct pdt_buffer *buf)
{
	struct drm_pddgpu_gem_info info;
	unsigned char seen[PEEK];
	uint64_t random = buf->seed;

	/* What the CPU touches may move: not between the two looks at it */
	(void)*(volatile char *)buf->map;
	assert_ok(pdt_info(fd, buf->handle, &info));
	assert_int_not_equal(info.offset, 0);
	for (unsigned int i = 0; i < 12; i++) {
		uint64_t at = place(buf, i, &random);

		assert_ok(pdt_control_peek(info.offset + at, seen, sizeof(seen)));
		if (memcmp(seen, (char *)buf->map + at, sizeof(seen)))
			fail_msg("domain %u, size %llu: the chip sees something else at %llu",
				 info.domain, (unsigned long long)buf->size,
				 (unsigned long long)at);
	}
}

static void assert_zeros_at(uint64_t addr, uint64_t size)
{
	static const unsigned char zeros[PEEK];
	unsigned char seen[PEEK];

	for (uint64_t at = 0; at < size; at += PDT_PAGE) {
		assert_ok(pdt_control_peek(addr + at, seen, sizeof(seen)));
		assert_memory_equal(seen, zeros, sizeof(seen));
	}
}

static const uint64_t sizes[] = {
	PDT_PAGE, 3 * PDT_PAGE, PDT_MIB + PDT_PAGE, 2 * PDT_MIB, 10 * PDT_MIB,
};

static void chip_sees_what_the_cpu_wrote(void **state)
{
	static const struct {
		uint32_t domains;
		uint32_t flags;
	} kinds[] = {
		{ PDT_GTT, 0 },
		{ PDT_GTT, PDT_USWC },
		/* In one piece, so that it has one address */
		{ PDT_VRAM, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS },
	};
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[PDT_ARRAY_SIZE(sizes)];

	for (size_t k = 0; k < PDT_ARRAY_SIZE(kinds); k++) {
		/* All at once: none lies where another does */
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
			assert_ok(pdt_buffer_create(s->fd, &bufs[i], sizes[i],
						    kinds[k].domains, kinds[k].flags));
			pdt_buffer_fill(&bufs[i], 1000 * k + i + 1);
		}
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++)
			assert_chip_sees(s->fd, &bufs[i]);
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++)
			pdt_buffer_destroy(s->fd, &bufs[i]);
	}
}

/* Every entry that is not in use leads to the dummy page: zeros, and no fault. */
static void freed_addresses_lead_to_the_dummy_page(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info[PDT_ARRAY_SIZE(sizes)];
	struct pdt_buffer buf[PDT_ARRAY_SIZE(sizes)];

	for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
		assert_ok(pdt_buffer_create(s->fd, &buf[i], sizes[i], PDT_GTT, 0));
		pdt_buffer_fill(&buf[i], 77 + i);
		assert_ok(pdt_info(s->fd, buf[i].handle, &info[i]));
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++)
		pdt_buffer_destroy(s->fd, &buf[i]);
	assert_true(pdt_level_wait(s->fd, &s->before));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++)
		assert_zeros_at(info[i].offset, info[i].size);
}

static void both_ends_of_the_aperture_are_mapped(void **state)
{
	struct drm_pddgpu_device_info info;
	unsigned char seen[PEEK];
	struct pdt_state *s = *state;

	assert_ok(pdt_device_info(s->fd, &info));
	assert_zeros_at(info.gtt_start + info.gtt_size - PDT_PAGE, PDT_PAGE);
	assert_err(EIO, pdt_control_peek(info.gtt_start + info.gtt_size, seen, PEEK));
	assert_err(EIO, pdt_control_peek(info.gtt_start - PDT_PAGE, seen, PEEK));
}

/* A buffer that moves takes its content along, and leaves nothing behind. */
static void moves_change_what_the_chip_sees(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info old;
	struct pdt_buffer buf;
	uint32_t now;

	assert_ok(pdt_buffer_create(s->fd, &buf, 3 * PDT_MIB + PDT_PAGE, PDT_GTT,
				    PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS));
	pdt_buffer_fill(&buf, 4242);
	assert_chip_sees(s->fd, &buf);
	assert_ok(pdt_info(s->fd, buf.handle, &old));

	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_VRAM, &now));
	assert_int_equal(now, PDT_VRAM);
	assert_chip_sees(s->fd, &buf);
	assert_ok(pdt_buffer_check(&buf));
	assert_zeros_at(old.offset, old.size);

	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_GTT, &now));
	assert_chip_sees(s->fd, &buf);
	assert_ok(pdt_info(s->fd, buf.handle, &old));
	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_CPU, &now));
	assert_int_equal(now, PDT_CPU);
	assert_zeros_at(old.offset, old.size);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
}

/*
 * The chip keeps translations until it is told to forget them: a job that is
 * queued after the page tables have changed makes it, and one after which they
 * have not needs not.
 */
static void tlb_is_flushed_when_tables_changed(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	uint64_t before, changed, same;
	uint32_t a, b;

	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_GTT, 0, &a));
	op = pdt_fill(a, 0, PDT_MIB, 1);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, a, 60000));
	assert_ok(pdt_control_stat("tlb_flushes", &before));

	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_GTT, 0, &b));
	op = pdt_copy(b, 0, a, 0, PDT_MIB);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, b, 60000));
	assert_ok(pdt_control_stat("tlb_flushes", &changed));
	assert_true(changed > before);

	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, b, 60000));
	assert_ok(pdt_control_stat("tlb_flushes", &same));
	assert_u64(same, changed);
	assert_ok(pdt_destroy(s->fd, a));
	assert_ok(pdt_destroy(s->fd, b));
}

/*
 * The engine reads what is there now: an address that another buffer had, with
 * other pages, a moment ago. A flush that is missing shows as the old bytes.
 */
static void engine_sees_the_buffer_that_is_there_now(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info;
	struct pdt_buffer in, out;
	uint64_t addr = 0;

	assert_ok(pdt_buffer_create(s->fd, &out, PDT_MIB, PDT_VRAM, 0));
	for (uint64_t i = 1; i <= 50; i++) {
		struct drm_pddgpu_submit_op op;

		assert_ok(pdt_buffer_create(s->fd, &in, PDT_MIB, PDT_GTT, 0));
		assert_ok(pdt_info(s->fd, in.handle, &info));
		pdt_buffer_fill(&in, i);
		op = pdt_copy(out.handle, 0, in.handle, 0, PDT_MIB);
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_wait_idle(s->fd, out.handle, 60000));
		assert_int_equal(pdt_pattern_check(out.map, PDT_MIB, i), -1);
		pdt_buffer_destroy(s->fd, &in);
		/* It is the same address again and again, or this shows nothing. */
		assert_true(!addr || addr == info.offset);
		addr = info.offset;
	}
	out.seed = 50;
	pdt_buffer_destroy(s->fd, &out);
}

#define OLD_SIZE (64 * PDT_KIB)

/*
 * Two buffers at one address, one after the other, with other pages. Returns
 * whether the engine found the first one's bytes there in the second one's time.
 */
static bool engine_sees_the_old_buffer(struct pdt_state *s, unsigned int skip_flushes)
{
	struct drm_pddgpu_gem_info before, after;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer a, b, out;
	char answer[64], skip[32];
	bool old;

	/* To bring it into sight would be a move, and that another flush. */
	assert_ok(pdt_buffer_create(s->fd, &out, OLD_SIZE, PDT_VRAM,
				    PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED));
	assert_ok(pdt_buffer_create(s->fd, &a, OLD_SIZE, PDT_GTT, 0));
	pdt_buffer_fill(&a, 1);
	assert_ok(pdt_info(s->fd, a.handle, &before));
	op = pdt_copy(out.handle, 0, a.handle, 0, OLD_SIZE);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, out.handle, 60000));
	assert_int_equal(pdt_pattern_check(out.map, OLD_SIZE, 1), -1);

	/* Its pages stay its own: the engine may read them, or so it is for a test. */
	assert_ok(pdt_set_domain(s->fd, a.handle, PDT_CPU, NULL));
	assert_ok(pdt_buffer_create(s->fd, &b, OLD_SIZE, PDT_GTT, 0));
	assert_ok(pdt_info(s->fd, b.handle, &after));
	assert_u64(before.offset, after.offset);
	pdt_buffer_fill(&b, 2);
	op = pdt_copy(out.handle, 0, b.handle, 0, OLD_SIZE);
	snprintf(skip, sizeof(skip), "skip-flushes %u", skip_flushes);
	assert_ok(pdt_control(skip, answer, sizeof(answer)));
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, out.handle, 60000));
	assert_ok(pdt_control("skip-flushes 0", answer, sizeof(answer)));
	old = pdt_pattern_check(out.map, OLD_SIZE, 1) == -1;
	if (!old)
		assert_int_equal(pdt_pattern_check(out.map, OLD_SIZE, 2), -1);

	pdt_buffer_destroy(s->fd, &a);
	pdt_buffer_destroy(s->fd, &b);
	pdt_buffer_destroy(s->fd, &out);
	return old;
}

/* A flush left out, and the comparison of bytes says so; or it says nothing. */
static void missed_flush_is_caught(void **state)
{
	unsigned int caught = 0;

	for (unsigned int i = 0; i < 10 && !caught; i++) {
		assert_false(engine_sees_the_old_buffer(*state, 0));
		/* The flush left out may have been another's that was not needed */
		caught += engine_sees_the_old_buffer(*state, 1 + i / 2);
	}
	assert_true(caught > 0);
	assert_false(engine_sees_the_old_buffer(*state, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(chip_sees_what_the_cpu_wrote),
		pdt_test(freed_addresses_lead_to_the_dummy_page),
		pdt_test(both_ends_of_the_aperture_are_mapped),
		pdt_test(moves_change_what_the_chip_sees),
		pdt_test(tlb_is_flushed_when_tables_changed),
		pdt_test(engine_sees_the_buffer_that_is_there_now),
		pdt_test(missed_flush_is_caught),
	};

	return pdt_run_tests("gart", tests);
}
