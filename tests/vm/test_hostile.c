// SPDX-License-Identifier: MIT
/*
 * Jobs of a client that means harm: what it says changes while it is read, its
 * handles go away in the middle, its timelines run backwards. It may get any
 * error, but nobody else's bytes, and the kernel has nothing to complain about.
 */
#include "pdt.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define OPS	64
#define BUFFERS	4
#define SIZE	(16 * PDT_PAGE)
#define MS	2000

/* What the threads of the client fight about */
struct fight {
	int fd;
	uint64_t end;
	uint32_t handles[BUFFERS];
	uint32_t syncobj;
	uint32_t timeline;
	struct drm_pddgpu_submit_op *ops;
	struct drm_pddgpu_sync *syncs;
	unsigned long ran;
};

static bool going_on(const struct fight *fight)
{
	return pdt_now_ms() < fight->end;
}

/* Anything but an error that has nothing to do with it */
static bool expected(int rc)
{
	switch (rc) {
	case 0:
	case -EINVAL:
	case -ENOENT:
	case -ENOMEM:
	case -EFAULT:
	case -E2BIG:
		return true;
	}
	fprintf(stderr, "# unexpected: %s\n", strerror(-rc));
	return false;
}

static uint32_t any_handle(struct fight *fight, uint64_t *random)
{
	return __atomic_load_n(&fight->handles[pdt_random(random) % BUFFERS],
			       __ATOMIC_RELAXED);
}

/* Good operations, most of the time, in the array that others are submitting */
static int change_arrays(struct fight *fight, uint64_t random)
{
	static const uint64_t sizes[] = { 0, 1, 4, SIZE, SIZE + 4, ~0ULL, 1ULL << 40 };

	while (going_on(fight)) {
		volatile struct drm_pddgpu_submit_op *op = &fight->ops[pdt_random(&random) % OPS];
		uint64_t bytes = 4 * (1 + pdt_random(&random) % 1000);
		uint64_t at = 4 * (pdt_random(&random) % 1000);

		*op = pdt_random(&random) % 2 ?
		      pdt_copy(any_handle(fight, &random), at, any_handle(fight, &random), at,
			       bytes) :
		      pdt_fill(any_handle(fight, &random), at, bytes, 0x66666666);
		/* For a moment it is no good */
		switch (pdt_random(&random) % 4) {
		case 0:
			op->bytes = sizes[pdt_random(&random) % PDT_ARRAY_SIZE(sizes)];
			op->bytes = bytes;
			break;
		case 1:
			op->dst_offset = ~0ULL - 3;
			op->dst_offset = at;
			break;
		case 2:
			op->dst_handle = (uint32_t)pdt_random(&random);
			op->dst_handle = any_handle(fight, &random);
			break;
		default:
			break;
		}
	}
	return 0;
}

static int submit_arrays(struct fight *fight, uint64_t random)
{
	while (going_on(fight)) {
		struct drm_pddgpu_submit args = {
			.ops = (uintptr_t)fight->ops,
			.op_count = (uint32_t)(pdt_random(&random) % (OPS + 1)),
			.wait_syncs = (uintptr_t)fight->syncs,
			.wait_count = pdt_random(&random) % 2,
			.signal_syncs = (uintptr_t)(fight->syncs + 1),
			.signal_count = (uint32_t)(pdt_random(&random) % 4),
		};
		int rc = pdt_ioctl(fight->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args);

		child_check(expected(rc));
		if (!rc)
			__atomic_fetch_add(&fight->ran, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* Buffers and syncobjs that are closed and made anew under the others' hands */
static int change_handles(struct fight *fight, uint64_t random)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_BOTH | PDT_CPU };

	while (going_on(fight)) {
		size_t i = pdt_random(&random) % BUFFERS;
		uint32_t fresh;

		child_check(!pdt_destroy(fight->fd, fight->handles[i]));
		child_check(!pdt_create(fight->fd, SIZE, domains[pdt_random(&random) % 4], 0,
					&fresh));
		__atomic_store_n(&fight->handles[i], fresh, __ATOMIC_RELAXED);
		if (pdt_random(&random) % 8 == 0) {
			child_check(!pdt_syncobj_destroy(fight->fd, fight->syncobj));
			child_check(!pdt_syncobj_create(fight->fd, &fight->syncobj));
		}
		/* It may be another's by now, or none */
		pdt_set_domain(fight->fd, any_handle(fight, &random), PDT_GTT, NULL);
	}
	return 0;
}

/* Points that go back as often as forth */
static int change_points(struct fight *fight, uint64_t random)
{
	while (going_on(fight)) {
		for (size_t i = 0; i < 4; i++) {
			fight->syncs[i].handle = pdt_random(&random) % 4 ? fight->timeline :
						 fight->syncobj;
			fight->syncs[i].point = pdt_random(&random) % 3 ?
						pdt_random(&random) % 100 : 0;
			fight->syncs[i].flags = pdt_random(&random) % 64 == 0;
		}
		pdt_syncobj_wait(fight->fd, fight->timeline, 1 + pdt_random(&random) % 100, 1);
	}
	return 0;
}

static int fight_on(void *arg, unsigned int index)
{
	struct fight *fight = arg;
	uint64_t random = 1000 + index;

	switch (index) {
	case 0:
		return change_arrays(fight, random);
	case 1:
		return change_handles(fight, random);
	case 2:
		return change_points(fight, random);
	default:
		return submit_arrays(fight, random);
	}
}

static int hostile_client(void *arg)
{
	struct fight fight = { .fd = pdt_open(), .end = pdt_now_ms() + MS };

	(void)arg;
	child_check(fight.fd >= 0);
	fight.ops = calloc(OPS, sizeof(*fight.ops));
	fight.syncs = calloc(4, sizeof(*fight.syncs));
	child_check(fight.ops && fight.syncs);
	child_check(!pdt_syncobj_create(fight.fd, &fight.syncobj));
	child_check(!pdt_syncobj_create(fight.fd, &fight.timeline));
	for (size_t i = 0; i < BUFFERS; i++)
		child_check(!pdt_create(fight.fd, SIZE, PDT_BOTH, 0, &fight.handles[i]));
	for (size_t i = 0; i < OPS; i++)
		fight.ops[i] = pdt_fill(fight.handles[i % BUFFERS], 0, SIZE, 1);
	child_check(!pdt_threads(6, fight_on, &fight));
	child_check(fight.ran > 0);
	return 0;
}

/* Somebody else's, all that time */
static void bystanders(struct pdt_state *s, struct pdt_buffer *bufs)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_BOTH };

	for (size_t i = 0; i < 4; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, domains[i], 0));
		pdt_buffer_fill(&bufs[i], 50 + i);
	}
}

static void everything_changes(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[4];

	bystanders(s, bufs);
	assert_int_equal(pdt_run(hostile_client, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
}

/* Arrays that end, or begin, where there is no memory; with all counts there are */
static void arrays_at_borders(void **state)
{
	static const uint32_t counts[] = { 1, 2, 102, 103, 104, 4096, PDDGPU_SUBMIT_OPS_MAX };
	static const uint64_t nowhere[] = {
		8, PDT_PAGE - 8, 0x7ffffffff000ULL, 0x800000000000ULL, 0xffff800000000000ULL,
		0xffffffff81000000ULL, ~0ULL, ~0ULL - 39,
	};
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	char *pages;

	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_PAGE, PDT_GTT, 0));
	pdt_buffer_fill(&buf, 6);
	pages = mmap(NULL, 3 * PDT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages, PDT_PAGE, PROT_NONE), 0);
	assert_int_equal(mprotect(pages + 2 * PDT_PAGE, PDT_PAGE, PROT_NONE), 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(counts); i++) {
		struct drm_pddgpu_submit_op good = pdt_fill(buf.handle, 0, PDT_PAGE, 1);
		char *end = pages + 2 * PDT_PAGE;
		struct drm_pddgpu_submit args = { .op_count = counts[i] };

		/* One good, and the rest is not there */
		memcpy(end - sizeof(good), &good, sizeof(good));
		args.ops = (uintptr_t)(end - sizeof(good) + (counts[i] == 1 ? 8 : 0));
		assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
		args.ops = (uintptr_t)(pages + PDT_PAGE - 8);
		assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
		for (size_t n = 0; n < PDT_ARRAY_SIZE(nowhere); n++) {
			args.ops = nowhere[n];
			assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
		}
	}
	for (size_t n = 0; n < PDT_ARRAY_SIZE(nowhere); n++) {
		struct drm_pddgpu_submit args = {
			.wait_syncs = nowhere[n], .wait_count = PDDGPU_SUBMIT_SYNCS_MAX,
		};

		assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
		args = (struct drm_pddgpu_submit) {
			.signal_syncs = nowhere[n], .signal_count = PDDGPU_SUBMIT_SYNCS_MAX,
		};
		assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	}
	assert_ok(pdt_buffer_check(&buf));
	munmap(pages, 3 * PDT_PAGE);
	pdt_buffer_destroy(s->fd, &buf);
}

/* Jobs for a timeline whose points come in any order, the same ones again too */
static void points_go_backwards(void **state)
{
	static const uint64_t points[] = { 10, 9, 1, 10, 11, 5, ~0ULL, 3, ~0ULL, 12 };
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer buf;
	uint32_t timeline;

	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_syncobj_create(s->fd, &timeline));
	for (uint32_t i = 0; i < PDT_ARRAY_SIZE(points); i++) {
		op = pdt_fill(buf.handle, 0, PDT_PAGE, i);
		assert_ok(pdt_submit_sync(s->fd, &op, 1, i ? timeline : 0, i ? points[i - 1] : 0,
					  timeline, points[i]));
	}
	assert_ok(pdt_syncobj_wait(s->fd, timeline, 12, 60000));
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
	assert_int_equal(*(uint32_t *)buf.map, PDT_ARRAY_SIZE(points) - 1);
	assert_ok(pdt_syncobj_destroy(s->fd, timeline));
	pdt_buffer_destroy(s->fd, &buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(everything_changes),
		pdt_test(arrays_at_borders),
		pdt_test(points_go_backwards),
	};

	return pdt_run_tests("hostile", tests);
}
