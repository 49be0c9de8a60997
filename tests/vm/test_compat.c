// SPDX-License-Identifier: MIT
/*
 * 32-bit userspace: its structures are laid out alike, and its calls come in
 * by the other door. The calls are made from here, through the gate that 32-bit
 * programs use, so that no 32-bit toolchain is needed.
 */
#include "pdt.h"

#include <sys/mman.h>

#define EXCEPTION_TRACE	"/proc/sys/debug/exception-trace"

/* What a 32-bit compiler would make of them: no member is a pointer or long. */
_Static_assert(sizeof(struct drm_pddgpu_gem_create) == 32, "gem_create");
_Static_assert(sizeof(struct drm_pddgpu_gem_map) == 32, "gem_map");
_Static_assert(sizeof(struct drm_pddgpu_gem_info) == 40, "gem_info");
_Static_assert(sizeof(struct drm_pddgpu_gem_destroy) == 8, "gem_destroy");
_Static_assert(sizeof(struct drm_pddgpu_gem_set_domain) == 16, "gem_set_domain");
_Static_assert(sizeof(struct drm_pddgpu_query) == 24, "query");
_Static_assert(sizeof(struct drm_pddgpu_device_info) == 88, "device_info");
_Static_assert(sizeof(struct drm_pddgpu_segment) == 24, "segment");
_Static_assert(sizeof(struct drm_pddgpu_domain_usage) == 40, "domain_usage");
_Static_assert(sizeof(struct drm_pddgpu_ownership) == 72, "ownership");
_Static_assert(sizeof(struct drm_pddgpu_gem_set_label) == 16, "gem_set_label");
_Static_assert(sizeof(struct drm_pddgpu_memory_stats) ==
	       (31 + 3 * PDDGPU_LATENCY_BUCKETS) * 8, "memory_stats");

/* 64-bit members stand where 32 bits, too, would align them: no hidden holes. */
_Static_assert(offsetof(struct drm_pddgpu_gem_create, pad) == 24, "gem_create");
_Static_assert(offsetof(struct drm_pddgpu_gem_map, offset) == 8, "gem_map");
_Static_assert(offsetof(struct drm_pddgpu_gem_map, flags) == 24, "gem_map");
_Static_assert(offsetof(struct drm_pddgpu_gem_info, offset) == 16, "gem_info");
_Static_assert(offsetof(struct drm_pddgpu_query, data) == 8, "query");
_Static_assert(offsetof(struct drm_pddgpu_ownership, used) == 8, "ownership");
_Static_assert(offsetof(struct drm_pddgpu_gem_set_label, label) == 8, "gem_set_label");
_Static_assert(offsetof(struct drm_pddgpu_device_info, vram_size) == 32, "device_info");

#if defined(__x86_64__)

/* Pointers must have 32 bits there. */
static void *low_memory;

static int call32(int fd, unsigned long request, void *arg)
{
	long rc = 54; /* ioctl */

	do {
		rc = 54;
		__asm__ volatile("int $0x80"
				 : "+a"(rc)
				 : "b"(fd), "c"(request), "d"(arg)
				 : "memory", "r8", "r9", "r10", "r11");
		rc = (int)rc;
	} while (rc == -EINTR || rc == -EAGAIN);
	return (int)rc;
}

static int probe(void *arg)
{
	long rc = 20; /* getpid */

	(void)arg;
	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
	return rc > 0 ? 0 : 1;
}

static int setup32(void **state)
{
	low_memory = mmap(NULL, PDT_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	return low_memory == MAP_FAILED ? -1 : pdt_setup(state);
}

static int teardown32(void **state)
{
	munmap(low_memory, PDT_PAGE);
	return pdt_teardown(state);
}

/* Without the gate the probe dies of it, which the kernel need not log. */
static bool no_gate(void)
{
	bool none;

	pdt_file_write(EXCEPTION_TRACE, "0");
	none = pdt_run(probe, NULL);
	pdt_file_write(EXCEPTION_TRACE, "1");
	return none;
}

#define skip_without_gate() do {					\
	if (no_gate())							\
		pdt_skip("the kernel takes no 32-bit calls");		\
} while (0)

static void every_call(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_create *create = low_memory;
	struct drm_pddgpu_gem_map *map = low_memory;
	struct drm_pddgpu_gem_info *info = low_memory;
	struct drm_pddgpu_gem_set_domain *set = low_memory;
	struct drm_pddgpu_gem_destroy *destroy = low_memory;
	struct drm_pddgpu_gem_set_label *label = low_memory;
	uint32_t handle;
	char *bytes, *text;

	skip_without_gate();
	*create = (struct drm_pddgpu_gem_create) { .size = 3 * PDT_PAGE, .domains = PDT_BOTH };
	assert_ok(call32(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, create));
	handle = create->handle;
	assert_int_equal(pdt_domain(s->fd, handle), PDT_VRAM);

	*map = (struct drm_pddgpu_gem_map) { .handle = handle };
	assert_ok(call32(s->fd, DRM_IOCTL_PDDGPU_GEM_MAP, map));
	assert_u64(map->size, 3 * PDT_PAGE);
	/* What a 32-bit mmap() can name: its offset counts pages. */
	assert_true(map->offset >> 12 <= UINT32_MAX);
	bytes = mmap(NULL, map->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_32BIT, s->fd,
		     (off_t)map->offset);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	pdt_pattern_fill(bytes, 3 * PDT_PAGE, 32);

	*set = (struct drm_pddgpu_gem_set_domain) { .handle = handle, .domains = PDT_GTT };
	assert_ok(call32(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, set));
	assert_int_equal(set->domain, PDT_GTT);
	assert_int_equal(pdt_pattern_check(bytes, 3 * PDT_PAGE, 32), -1);
	munmap(bytes, 3 * PDT_PAGE);

	*info = (struct drm_pddgpu_gem_info) { .handle = handle };
	assert_ok(call32(s->fd, DRM_IOCTL_PDDGPU_GEM_INFO, info));
	assert_u64(info->size, 3 * PDT_PAGE);
	assert_int_equal(info->domain, PDT_GTT);

	*label = (struct drm_pddgpu_gem_set_label) {
		.handle = handle,
		.label = (uintptr_t)strcpy((char *)low_memory + 512, "of 32 bits"),
	};
	assert_ok(call32(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, label));
	text = pdt_debugfs_read("gem_info");
	assert_non_null(text);
	assert_non_null(strstr(text, " label of\\04032\\040bits\n"));
	free(text);
	/* A pointer is one of 64 bits all the same */
	label->label |= 1ULL << 32;
	assert_err(EFAULT, call32(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, label));

	*destroy = (struct drm_pddgpu_gem_destroy) { .handle = handle };
	assert_ok(call32(s->fd, DRM_IOCTL_PDDGPU_GEM_DESTROY, destroy));
	assert_err(ENOENT, call32(s->fd, DRM_IOCTL_PDDGPU_GEM_DESTROY, destroy));
}

static void errors_too(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_create *create = low_memory;

	skip_without_gate();
	*create = (struct drm_pddgpu_gem_create) { .size = UINT64_MAX, .domains = PDT_VRAM };
	assert_err(E2BIG, call32(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, create));
	*create = (struct drm_pddgpu_gem_create) { .size = 1, .domains = 8 };
	assert_err(EINVAL, call32(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, create));
	assert_err(EFAULT, call32(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, NULL));
}

static void queries(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_query *query = low_memory;
	struct drm_pddgpu_memory_stats *answer = (void *)((char *)low_memory + 1024);
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_ownership ownership[3];

	skip_without_gate();
	*query = (struct drm_pddgpu_query) {
		.type = PDDGPU_QUERY_MEMORY_STATS,
		.size = sizeof(*answer),
		.data = (uintptr_t)answer,
	};
	assert_ok(call32(s->fd, DRM_IOCTL_PDDGPU_QUERY, query));
	assert_int_equal(query->size, sizeof(*answer));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_memory_equal(answer, &stats, sizeof(stats));

	query->type = PDDGPU_QUERY_OWNERSHIP;
	query->size = sizeof(ownership);
	assert_ok(call32(s->fd, DRM_IOCTL_PDDGPU_QUERY, query));
	assert_int_equal(query->size, sizeof(ownership));
	assert_ok(pdt_ownership(s->fd, ownership));
	assert_memory_equal(answer, ownership, sizeof(ownership));
}

#define compat_test(f) cmocka_unit_test_setup_teardown(f, setup32, teardown32)

int main(void)
{
	const struct CMUnitTest tests[] = {
		compat_test(every_call),
		compat_test(errors_too),
		compat_test(queries),
	};

	return pdt_run_tests("compat", tests);
}

#else

static void no_gate(void **state)
{
	(void)state;
	pdt_skip("there is no such gate on this machine");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_gate) };

	return pdt_run_tests("compat", tests);
}

#endif
