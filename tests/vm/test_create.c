// SPDX-License-Identifier: MIT
/* GEM_CREATE: sizes, alignments, domains, flags, and what is refused. */
#include "pdt.h"

#include <sys/mman.h>

static const uint32_t all_domains[] = {
	PDT_VRAM, PDT_GTT, PDT_CPU, PDT_BOTH, PDT_GTT | PDT_CPU, PDT_BOTH | PDT_CPU,
};

static void assert_unchanged(struct pdt_state *s)
{
	struct pdt_level now;

	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.vram_used, s->before.vram_used);
	assert_u64(now.gtt_used, s->before.gtt_used);
	assert_u64(now.objects, s->before.objects);
}

/* Refused with this, and nothing at all has changed */
static void assert_refused(struct pdt_state *s, int err,
			   const struct drm_pddgpu_gem_create *request)
{
	struct drm_pddgpu_gem_create args = *request;
	int rc = pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args);

	if (rc != -err)
		fail_msg("size %llu alignment %u domains %x flags %x pad %llx: %s, not %s",
			 (unsigned long long)request->size, request->alignment,
			 request->domains, request->flags,
			 (unsigned long long)request->pad,
			 rc ? strerror(-rc) : "succeeded", strerror(err));
	assert_memory_equal(&args, request, sizeof(args));
	assert_unchanged(s);
}

static void check_size(struct pdt_state *s, uint64_t size, uint32_t domains)
{
	struct drm_pddgpu_gem_info info;
	struct pdt_level now;
	uint32_t handle;
	int rc = pdt_create(s->fd, size, domains, 0, &handle);

	if (rc)
		fail_msg("size %llu domains %x: %s", (unsigned long long)size, domains,
			 strerror(-rc));
	assert_ok(pdt_info(s->fd, handle, &info));
	assert_u64(info.size, pdt_pages(size));
	assert_true(info.domain & domains);
	assert_u64(info.flags, 0);

	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.objects, s->before.objects + 1);
	assert_u64(now.vram_used - s->before.vram_used,
		   info.domain == PDT_VRAM ? pdt_pages(size) : 0);
	assert_u64(now.gtt_used - s->before.gtt_used,
		   info.domain == PDT_GTT ? pdt_pages(size) : 0);

	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
}

static void sizes_that_fit(void **state)
{
	static const uint64_t sizes[] = {
		1, PDT_PAGE - 1, PDT_PAGE, PDT_PAGE + 1, 3 * PDT_PAGE, 10 * PDT_MIB,
		2 * PDT_MIB, 2 * PDT_MIB + PDT_PAGE, 7 * PDT_MIB - PDT_PAGE,
	};

	for (size_t d = 0; d < PDT_ARRAY_SIZE(all_domains); d++)
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++)
			check_size(*state, sizes[i], all_domains[d]);
}

static void all_of_vram(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	check_size(s, stats.vram_visible_total - stats.vram_visible_used, PDT_VRAM);
	check_size(s, stats.vram_visible_total - stats.vram_visible_used, PDT_BOTH);
}

static void all_of_gtt(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.gtt_total > 768 * PDT_MIB)
		pdt_skip("the GTT is too large for the machine's time");
	check_size(s, stats.gtt_total, PDT_GTT);
}

static void sizes_beyond(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_create args = { 0 };
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	for (size_t d = 0; d < PDT_ARRAY_SIZE(all_domains); d++) {
		args.domains = all_domains[d];
		args.size = 0;
		assert_refused(s, EINVAL, &args);
		args.size = 1ULL << 63;
		assert_refused(s, E2BIG, &args);
		args.size = UINT64_MAX;
		assert_refused(s, E2BIG, &args);
		args.size = UINT64_MAX - PDT_PAGE + 1;
		assert_refused(s, E2BIG, &args);
		args.size = 1ULL << 44;
		assert_refused(s, E2BIG, &args);
		args.size = (1ULL << 32) * PDT_PAGE;
		assert_refused(s, E2BIG, &args);
	}

	args.domains = PDT_VRAM;
	args.size = stats.vram_total + 1;
	assert_refused(s, E2BIG, &args);
	args.size = stats.vram_total + PDT_PAGE;
	assert_refused(s, E2BIG, &args);
	args.domains = PDT_GTT;
	args.size = stats.gtt_total + 1;
	assert_refused(s, E2BIG, &args);
	args.domains = PDT_BOTH;
	args.size = stats.vram_total + stats.gtt_total + PDT_PAGE;
	assert_refused(s, E2BIG, &args);
}

/* Larger than VRAM, but the set has another domain with room for it */
static void larger_than_vram(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_gem_info info;
	uint64_t size;
	uint32_t handle;

	assert_ok(pdt_stats(s->fd, &stats));
	size = stats.vram_total + PDT_PAGE;
	if (size > stats.gtt_free || size > 512 * PDT_MIB)
		pdt_skip("VRAM is larger than the GTT, or than the machine's time");
	assert_ok(pdt_create(s->fd, size, PDT_BOTH, 0, &handle));
	assert_ok(pdt_info(s->fd, handle, &info));
	assert_int_equal(info.domain, PDT_GTT);
	assert_ok(pdt_destroy(s->fd, handle));
}

static void alignments(void **state)
{
	static const uint32_t good[] = { 0, 1, 2, 64, 2048, 4096, 8192, 65536, 1 << 20, 2 << 20 };
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_CPU, PDT_BOTH };
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info;
	uint32_t odd, handle;

	/* Something small in the way, so that being aligned is no accident */
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &odd));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &odd));
	for (size_t d = 0; d < PDT_ARRAY_SIZE(domains); d++) {
		for (size_t i = 0; i < PDT_ARRAY_SIZE(good); i++) {
			assert_ok(pdt_create_aligned(s->fd, 3 * PDT_PAGE, good[i],
						     domains[d], 0, &handle));
			assert_ok(pdt_info(s->fd, handle, &info));
			if (good[i] && info.domain != PDT_CPU)
				assert_u64(info.offset % good[i], 0);
			assert_u64(info.offset % PDT_PAGE, 0);
			assert_ok(pdt_create(s->fd, PDT_PAGE, domains[d], 0, &odd));
		}
	}
}

static void bad_alignments(void **state)
{
	static const uint32_t bad[] = {
		3, 5, 4095, 4097, 12288, (2 << 20) - 1, 3 << 20, 0x7fffffff, 0xffffffff,
		0x80000001,
	};
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_create args = { .size = PDT_PAGE };
	struct drm_pddgpu_memory_stats stats;
	uint64_t ram;

	assert_ok(pdt_stats(s->fd, &stats));
	assert_ok(pdt_meminfo("MemTotal", &ram));
	for (size_t d = 0; d < PDT_ARRAY_SIZE(all_domains); d++) {
		args.domains = all_domains[d];
		for (size_t i = 0; i < PDT_ARRAY_SIZE(bad); i++) {
			args.alignment = bad[i];
			assert_refused(s, EINVAL, &args);
		}
		args.alignment = 1U << 31;
		if (stats.vram_total < args.alignment && stats.gtt_total < args.alignment &&
		    ram < args.alignment)
			assert_refused(s, EINVAL, &args);
	}
}

static void bad_domains_and_flags(void **state)
{
	static const uint32_t bad_domains[] = { 0, 0x8, 0x10, 0xc, 0x80000004, 0xffffffff };
	static const uint32_t bad_flags[] = {
		0x8, 0x48, 0x80, 0x100, 0x80000000, 0xffffffff,
		PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED | PDDGPU_GEM_CREATE_NO_CPU_ACCESS,
	};
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_create args = { .size = PDT_PAGE };

	for (size_t i = 0; i < PDT_ARRAY_SIZE(bad_domains); i++) {
		args.domains = bad_domains[i];
		assert_refused(s, EINVAL, &args);
	}
	args.domains = PDT_VRAM;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bad_flags); i++) {
		args.flags = bad_flags[i];
		assert_refused(s, EINVAL, &args);
	}
	args.flags = 0;
	args.pad = 1;
	assert_refused(s, EINVAL, &args);
	args.pad = 1ULL << 63;
	assert_refused(s, EINVAL, &args);
}

/* A wrong argument is named as such, whatever else would have failed too. */
static void several_errors(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_create args = {
		.size = UINT64_MAX,
		.domains = PDT_VRAM,
	};

	args.flags = 0x8;
	assert_refused(s, EINVAL, &args);
	args.flags = 0;
	args.alignment = 3;
	assert_refused(s, EINVAL, &args);
	args.alignment = 0;
	args.pad = 1;
	assert_refused(s, EINVAL, &args);
}

static void good_flags(void **state)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_CPU, PDT_BOTH };
	struct pdt_state *s = *state;

	for (uint32_t flags = 0; flags <= PDDGPU_GEM_CREATE_MASK; flags++) {
		if (flags & ~PDDGPU_GEM_CREATE_MASK)
			continue;
		if ((flags & 3) == 3)
			continue;
		for (size_t d = 0; d < PDT_ARRAY_SIZE(domains); d++) {
			struct drm_pddgpu_gem_info info;
			uint64_t offset, size = 0;
			uint32_t handle;
			void *map;

			assert_ok(pdt_create(s->fd, 3 * PDT_PAGE, domains[d], flags, &handle));
			assert_ok(pdt_info(s->fd, handle, &info));
			assert_int_equal(info.flags, flags);
			assert_true(info.domain & domains[d]);
			if (flags & PDDGPU_GEM_CREATE_NO_CPU_ACCESS) {
				assert_err(EACCES, pdt_map_offset(s->fd, handle, &offset, &size));
			} else {
				assert_ok(pdt_map_offset(s->fd, handle, &offset, &size));
				assert_u64(size, 3 * PDT_PAGE);
				assert_ok(pdt_mmap(s->fd, handle, size, &map));
				assert_int_equal(pdt_zero_check(map, size), -1);
				pdt_pattern_fill(map, size, flags);
				assert_int_equal(pdt_pattern_check(map, size, flags), -1);
				munmap(map, size);
			}
			assert_ok(pdt_destroy(s->fd, handle));
		}
	}
}

static void visible_vram_is_counted(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	uint32_t handle;

	assert_ok(pdt_stats(s->fd, &before));
	assert_ok(pdt_create(s->fd, 5 * PDT_PAGE, PDT_VRAM,
			     PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED, &handle));
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.vram_visible_used - before.vram_visible_used, 5 * PDT_PAGE);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.vram_visible_used, before.vram_visible_used);
}

static void counted(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	uint32_t handles[10];

	assert_ok(pdt_stats(s->fd, &before));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(handles); i++)
		assert_ok(pdt_create(s->fd, PDT_PAGE, i % 2 ? PDT_VRAM : PDT_GTT, 0, &handles[i]));
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.total_allocations - before.total_allocations, 10);
	assert_u64(after.total_deallocations, before.total_deallocations);
	assert_u64(after.live_objects - before.live_objects, 10);
	assert_u64(after.live_bytes - before.live_bytes, 10 * PDT_PAGE);

	for (size_t i = 0; i < PDT_ARRAY_SIZE(handles); i++)
		assert_ok(pdt_destroy(s->fd, handles[i]));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.total_allocations - before.total_allocations, 10);
	assert_u64(after.total_deallocations - before.total_deallocations, 10);
	assert_u64(after.live_bytes, before.live_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(sizes_that_fit),
		pdt_test(all_of_vram),
		pdt_test(all_of_gtt),
		pdt_test(sizes_beyond),
		pdt_test(larger_than_vram),
		pdt_test(alignments),
		pdt_test(bad_alignments),
		pdt_test(bad_domains_and_flags),
		pdt_test(several_errors),
		pdt_test(good_flags),
		pdt_test(visible_vram_is_counted),
		pdt_test(counted),
	};

	return pdt_run_tests("create", tests);
}
