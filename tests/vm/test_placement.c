// SPDX-License-Identifier: MIT
/* Where buffers are put when it matters: what is asked for holds, nobody else pays. */
#include "pdt.h"

#define BUFFERS 64

static void contiguous_keeps_its_alignment(void **state)
{
	static const uint32_t alignments[] = {
		64 * PDT_KIB, 2 * PDT_MIB, 16 * PDT_MIB,
	};
	static const uint64_t sizes[] = {
		PDT_PAGE, 3 * PDT_PAGE, 64 * PDT_KIB, 68 * PDT_KIB, PDT_MIB,
		2 * PDT_MIB, 3 * PDT_MIB, 5 * PDT_MIB + PDT_PAGE,
	};
	struct pdt_state *s = *state;
	uint32_t handles[PDT_ARRAY_SIZE(sizes)];
	struct drm_pddgpu_device_info device;

	assert_ok(pdt_device_info(s->fd, &device));
	for (size_t a = 0; a < PDT_ARRAY_SIZE(alignments); a++) {
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
			struct drm_pddgpu_gem_info info;

			assert_ok(pdt_create_aligned(s->fd, sizes[i], alignments[a], PDT_VRAM,
						     PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS,
						     &handles[i]));
			assert_ok(pdt_info(s->fd, handles[i], &info));
			if ((info.offset - device.vram_start) % alignments[a])
				fail_msg("size %llu, alignment %u: at %llx",
					 (unsigned long long)sizes[i], alignments[a],
					 (unsigned long long)info.offset);
		}
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++)
			assert_ok(pdt_destroy(s->fd, handles[i]));
	}
}

/* What VRAM cannot hold even when it is empty goes elsewhere, and evicts nobody. */
static void hopeless_requests_evict_nobody(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_buffer bufs[BUFFERS];
	uint64_t chunk;
	uint32_t handle;

	assert_ok(pdt_stats(s->fd, &before));
	chunk = pdt_pages(before.vram_free / 2 / BUFFERS);
	if (before.gtt_total < before.vram_total + chunk * BUFFERS)
		pdt_skip("the GTT does not hold more than VRAM");
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], chunk, PDT_BOTH, 0));
		pdt_buffer_fill(&bufs[i], i + 1);
	}

	assert_ok(pdt_create(s->fd, before.vram_total + PDT_PAGE, PDT_BOTH, 0, &handle));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_GTT);
	assert_ok(pdt_destroy(s->fd, handle));

	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.evictions, before.evictions);
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_int_equal(pdt_domain(s->fd, bufs[i].handle), PDT_VRAM);
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
}

/* Into the most preferred domain that has room, wherever it was. */
static void set_domain_goes_down_the_list(void **state)
{
	struct pdt_state *s = *state;
	/* With ever smaller ones for what is left at the end */
	struct pdt_buffer vram[BUFFERS + 64], buf;
	struct drm_pddgpu_memory_stats stats;
	uint32_t now;
	size_t n;
	int err;

	assert_ok(pdt_stats(s->fd, &stats));
	n = pdt_fill_domain(s->fd, vram, PDT_ARRAY_SIZE(vram),
			    pdt_pages(stats.vram_free / BUFFERS), PDT_VRAM, &err);
	assert_int_equal(err, -ENOMEM);
	assert_ok(pdt_buffer_create(s->fd, &buf, 8 * PDT_MIB, PDT_CPU, 0));
	pdt_buffer_fill(&buf, 99);

	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_BOTH | PDT_CPU, &now));
	assert_int_equal(now, PDT_GTT);
	assert_ok(pdt_buffer_check(&buf));
	assert_err(ENOMEM, pdt_set_domain(s->fd, buf.handle, PDT_VRAM, &now));
	assert_int_equal(pdt_domain(s->fd, buf.handle), PDT_GTT);

	/* With room in VRAM again it goes there. */
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(s->fd, &vram[i]);
	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_BOTH | PDT_CPU, &now));
	assert_int_equal(now, PDT_VRAM);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_destroy(s->fd, &buf);
}

/*
 * Small buffers far apart leave the aperture no hole that is large enough for a
 * victim; a user who keeps asking must not fill the kernel's log with it.
 */
static void failing_is_quiet(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_device_info device;
	uint32_t posts[BUFFERS], victim, handle;
	struct drm_pddgpu_memory_stats stats;
	const uint32_t apart = 64 * PDT_MIB;
	uint64_t count;

	assert_ok(pdt_device_info(s->fd, &device));
	assert_ok(pdt_stats(s->fd, &stats));
	count = device.gtt_size / apart;
	if (count > BUFFERS || stats.vram_free < 2 * apart ||
	    stats.vram_free > stats.vram_visible_total)
		pdt_skip("made for a small aperture and 128 MiB or more, all visible");
	for (uint64_t i = 0; i < count; i++)
		assert_ok(pdt_create_aligned(s->fd, PDT_PAGE, apart, PDT_GTT, 0, &posts[i]));

	assert_ok(pdt_create(s->fd, stats.vram_free * 2 / 3, PDT_BOTH, 0, &victim));
	assert_int_equal(pdt_domain(s->fd, victim), PDT_VRAM);
	for (unsigned int i = 0; i < 10; i++)
		assert_err(ENOMEM, pdt_create(s->fd, stats.vram_free / 2, PDT_VRAM, 0, &handle));
	assert_int_equal(pdt_domain(s->fd, victim), PDT_VRAM);
	assert_int_equal(pdt_log_count(&s->log, "Failed to find memory space"), 0);

	assert_ok(pdt_destroy(s->fd, victim));
	for (uint64_t i = 0; i < count; i++)
		assert_ok(pdt_destroy(s->fd, posts[i]));
}

/* On an empty card a contiguous buffer may have any size, also with a small BAR. */
static void contiguous_of_any_size(void **state)
{
	static const unsigned int eighths[] = { 1, 2, 3, 4, 5, 6, 7 };
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint64_t room, size;
	uint32_t handle;

	assert_ok(pdt_stats(s->fd, &stats));
	room = stats.vram_visible_total - stats.vram_visible_used;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(eighths); i++) {
		size = pdt_pages(room * eighths[i] / 8);
		if (pdt_create(s->fd, size, PDT_VRAM, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS,
			       &handle))
			fail_msg("%llu of %llu bytes failed", (unsigned long long)size,
				 (unsigned long long)room);
		assert_ok(pdt_destroy(s->fd, handle));
	}
}

struct race {
	struct pdt_state *s;
	uint64_t size;
	uint32_t handles[2];
};

static int create_one(void *arg, unsigned int index)
{
	struct race *race = arg;

	/* The second comes while the first is making room. */
	pdt_sleep_ms(index * 30);
	int rc;

	pdt_sleep_ms(index * 30);
	rc = pdt_create(race->s->fd, race->size, PDT_VRAM, 0, &race->handles[index]);
	if (rc)
		fprintf(stderr, "# %u: %s\n", index, strerror(-rc));
	return rc != 0;
}

/* Two ask for room that one victim has: the second waits until it is there. */
static void two_wait_for_one_victim(void **state)
{
	struct pdt_state *s = *state;
	struct race race = { .s = s };
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer victim;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.gtt_free < stats.vram_free)
		pdt_skip("the GTT does not hold what VRAM does");
	if (stats.vram_visible_total < stats.vram_total)
		pdt_skip("there is room where the CPU does not reach");
	race.size = pdt_pages((stats.vram_visible_total - stats.vram_visible_used) / 4);
	assert_ok(pdt_buffer_create(s->fd, &victim,
				    pdt_pages((stats.vram_visible_total -
					       stats.vram_visible_used) * 7 / 8),
				    PDT_BOTH, 0));
	pdt_buffer_fill(&victim, 3);
	assert_int_equal(pdt_domain(s->fd, victim.handle), PDT_VRAM);

	assert_int_equal(pdt_threads(2, create_one, &race), 0);
	assert_int_equal(pdt_domain(s->fd, victim.handle), PDT_GTT);
	assert_ok(pdt_buffer_check(&victim));
	pdt_buffer_destroy(s->fd, &victim);
	for (unsigned int i = 0; i < 2; i++)
		assert_ok(pdt_destroy(s->fd, race.handles[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(contiguous_keeps_its_alignment),
		pdt_test(hopeless_requests_evict_nobody),
		pdt_test(set_domain_goes_down_the_list),
		pdt_test(failing_is_quiet),
		pdt_test(contiguous_of_any_size),
		pdt_test(two_wait_for_one_victim),
	};

	return pdt_run_tests("placement", tests);
}
