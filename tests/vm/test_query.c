// SPDX-License-Identifier: MIT
/* QUERY: sizes that are negotiated, and figures that agree with each other. */
#include "pdt.h"

#include <sys/mman.h>

static void sizes_are_negotiated(void **state)
{
	struct pdt_state *s = *state;
	unsigned char data[8192], whole[8192];

	for (uint32_t type = PDDGPU_QUERY_DEVICE_INFO; type <= PDDGPU_QUERY_OWNERSHIP; type++) {
		uint32_t full = 0, size = 0;

		/* With size 0 the pointer does not matter. */
		assert_ok(pdt_query(s->fd, type, NULL, &full));
		assert_in_range(full, 1, sizeof(whole) / 2);

		memset(whole, 0xaa, sizeof(whole));
		size = full;
		assert_ok(pdt_query(s->fd, type, whole, &size));
		assert_int_equal(size, full);
		for (size_t i = full; i < sizeof(whole); i++)
			assert_int_equal(whole[i], 0xaa);

		memset(data, 0xaa, sizeof(data));
		size = 8;
		assert_ok(pdt_query(s->fd, type, data, &size));
		assert_int_equal(size, full);
		assert_memory_equal(data, whole, 8);
		for (size_t i = 8; i < sizeof(data); i++)
			assert_int_equal(data[i], 0xaa);

		memset(data, 0xaa, sizeof(data));
		size = full + 1000;
		assert_ok(pdt_query(s->fd, type, data, &size));
		assert_int_equal(size, full);
		for (size_t i = full; i < full + 1000; i++)
			assert_int_equal(data[i], 0);
		for (size_t i = full + 1000; i < sizeof(data); i++)
			assert_int_equal(data[i], 0xaa);
	}
}

static void refused(void **state)
{
	static const uint32_t bad_types[] = { 8, 9, 0x7fffffff, 0x80000000, 0xffffffff };
	struct pdt_state *s = *state;
	struct drm_pddgpu_device_info info;
	struct drm_pddgpu_query args;
	uint32_t size;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(bad_types); i++) {
		size = sizeof(info);
		assert_err(EINVAL, pdt_query(s->fd, bad_types[i], &info, &size));
		size = 0;
		assert_err(EINVAL, pdt_query(s->fd, bad_types[i], NULL, &size));
	}
	for (uint32_t type = PDDGPU_QUERY_DEVICE_INFO; type <= PDDGPU_QUERY_UNFREED; type++) {
		size = 64;
		assert_err(EFAULT, pdt_query(s->fd, type, NULL, &size));
		size = 64;
		assert_err(EFAULT, pdt_query(s->fd, type, (void *)-4096L, &size));
		size = 65537;
		assert_err(EINVAL, pdt_query(s->fd, type, &info, &size));
		size = 0xffffffff;
		assert_err(EINVAL, pdt_query(s->fd, type, &info, &size));
	}
	args = (struct drm_pddgpu_query) {
		.type = PDDGPU_QUERY_DEVICE_INFO,
		.size = sizeof(info),
		.data = (uintptr_t)&info,
		.flags = 1,
	};
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
	args.flags = 1ULL << 63;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
}

static void device_info(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_device_info info;
	char name[16];

	assert_ok(pdt_device_info(s->fd, &info));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_true(info.chip_id == 0x1000 || info.chip_id == 0x2000 || info.chip_id == 0x3000);
	snprintf(name, sizeof(name), "PDD%x", info.chip_id);
	assert_memory_equal(info.name, name, strlen(name) + 1);
	assert_int_equal(info.state, PDDGPU_DEVICE_STATE_READY);
	assert_true(info.spec_version >= 1 << 16);
	assert_u64(info.vram_size, stats.vram_total);
	assert_u64(info.vram_visible_size, stats.vram_visible_total);
	assert_true(info.vram_visible_size <= info.vram_size);
	assert_true(info.gtt_size >= stats.gtt_total);
	assert_int_equal(info.page_size, PDT_PAGE);
	assert_int_equal(info.engine_count, 2);
	/* The two ranges of addresses do not meet. */
	assert_true(info.vram_start + info.vram_size <= info.gtt_start ||
		    info.gtt_start + info.gtt_size <= info.vram_start);
}

static void segments(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_segment list[16];
	struct drm_pddgpu_device_info info;
	bool vram = false, gtt = false;
	unsigned int n;

	assert_ok(pdt_device_info(s->fd, &info));
	assert_ok(pdt_segments(s->fd, list, PDT_ARRAY_SIZE(list), &n));
	assert_in_range(n, 2, PDT_ARRAY_SIZE(list));
	for (unsigned int i = 0; i < n; i++) {
		assert_true(list[i].size > 0);
		if (list[i].kind == PDDGPU_SEGMENT_KIND_LOCAL) {
			assert_int_equal(list[i].domain, PDT_VRAM);
			vram |= list[i].base == info.vram_start && list[i].size == info.vram_size;
		} else {
			assert_in_range(list[i].kind, PDDGPU_SEGMENT_KIND_PCIE_SNOOPED,
					PDDGPU_SEGMENT_KIND_PCIE_UNSNOOPED);
			assert_int_equal(list[i].domain, PDT_GTT);
			gtt |= list[i].base == info.gtt_start;
		}
	}
	assert_true(vram);
	assert_true(gtt);
}

static void domain_usage(void **state)
{
	static const uint32_t order[] = { PDT_VRAM, PDT_GTT, PDT_CPU };
	struct pdt_state *s = *state;
	struct drm_pddgpu_domain_usage before[3], after[3];
	struct drm_pddgpu_memory_stats stats;
	uint32_t size = sizeof(before), handle;

	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_DOMAIN_USAGE, before, &size));
	assert_int_equal(size, sizeof(before));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(before[0].total, stats.vram_total);
	assert_u64(before[0].used, stats.vram_used);
	assert_u64(before[0].visible_total, stats.vram_visible_total);
	assert_u64(before[0].visible_used, stats.vram_visible_used);
	assert_u64(before[1].total, stats.gtt_total);
	assert_u64(before[1].used, stats.gtt_used);

	for (size_t i = 0; i < PDT_ARRAY_SIZE(order); i++) {
		assert_int_equal(before[i].domain, order[i]);
		assert_int_equal(before[i].pad, 0);
		assert_true(before[i].used <= before[i].total);
		assert_true(before[i].visible_total <= before[i].total);
		assert_ok(pdt_create(s->fd, 5 * PDT_PAGE, order[i], 0, &handle));
		assert_ok(pdt_query(s->fd, PDDGPU_QUERY_DOMAIN_USAGE, after, &size));
		assert_u64(after[i].used - before[i].used, 5 * PDT_PAGE);
		assert_ok(pdt_destroy(s->fd, handle));
		assert_true(pdt_level_wait(s->fd, &s->before));
	}
}

static void stats_agree(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint64_t ram, allocations = 0, deallocations = 0, moves = 0;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_ok(pdt_meminfo("MemTotal", &ram));
	assert_u64(stats.vram_used + stats.vram_free, stats.vram_total);
	assert_u64(stats.gtt_used + stats.gtt_free, stats.gtt_total);
	assert_true(stats.vram_visible_total <= stats.vram_total);
	assert_true(stats.vram_visible_used <= stats.vram_visible_total);
	assert_true(stats.vram_visible_used <= stats.vram_used);
	assert_true(stats.kernel_bytes <= stats.vram_used);
	assert_true(stats.gtt_total <= ram / 2 + ram / 16);
	assert_true(stats.live_objects >= 1);
	assert_true(stats.live_bytes >= PDT_PAGE);

	for (size_t i = 0; i < PDDGPU_LATENCY_BUCKETS; i++) {
		allocations += stats.allocation_histogram[i];
		deallocations += stats.deallocation_histogram[i];
		moves += stats.move_histogram[i];
	}
	assert_u64(allocations, stats.total_allocations);
	assert_u64(deallocations, stats.total_deallocations);
	assert_u64(moves, stats.moves);
	assert_true(stats.evictions <= stats.moves);
	assert_true(stats.avg_allocation_time > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(sizes_are_negotiated),
		pdt_test(refused),
		pdt_test(device_info),
		pdt_test(segments),
		pdt_test(domain_usage),
		pdt_test(stats_agree),
	};

	return pdt_run_tests("query", tests);
}
