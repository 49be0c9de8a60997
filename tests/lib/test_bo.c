// SPDX-License-Identifier: MIT
/* Queries, buffers and jobs, against a driver that is made up. */
#include "fake.h"

#include <fcntl.h>
#include <unistd.h>

#define VRAM	PDDGPU_GEM_DOMAIN_VRAM

static void queries(void **state)
{
	struct rig *rig = *state;
	struct drm_pddgpu_device_info info;
	struct drm_pddgpu_segment segments[3];
	struct drm_pddgpu_domain_usage usage[3];
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_ownership own[3];

	assert_ok(pddgpu_query_info(rig->dev, &info));
	assert_int_equal(info.chip_id, 0x01010101);
	assert_int_equal(pddgpu_query_segments(rig->dev, segments, 3), 2);
	assert_int_equal(segments[1].kind, 0x02020202);
	assert_int_equal(segments[2].kind, 0);
	assert_int_equal(pddgpu_query_segments(rig->dev, segments, 1), 2);
	assert_ok(pddgpu_query_usage(rig->dev, usage));
	assert_int_equal(usage[2].domain, 0x03030303);
	assert_ok(pddgpu_query_stats(rig->dev, &stats));
	assert_int_equal(stats.swapped_bytes, 0x0404040404040404);
	assert_ok(pddgpu_query_ownership(rig->dev, own));
	assert_int_equal(own[2].zombie_objects, 0x0505050505050505);
	assert_err(EOPNOTSUPP, pddgpu_query(rig->dev, 99, &info, sizeof(info)));
	assert_err(EINVAL, pddgpu_query(rig->dev, 0, &info, 65537));
	assert_int_equal(pddgpu_query(rig->dev, 0, NULL, 0), sizeof(info));
}

/* A driver that knows less: zeros; one that knows more: nothing is written behind */
static void query_sizes(void **state)
{
	struct rig *rig = *state;
	struct {
		struct drm_pddgpu_memory_stats stats;
		uint64_t behind[16];
	} answer;
	struct drm_pddgpu_ownership own[3];

	for (uint32_t size = 8; size < sizeof(answer); size += 8) {
		const unsigned char *bytes = (const unsigned char *)&answer;

		memset(&answer, 0xaa, sizeof(answer));
		fake.query_size = size;
		assert_ok(pddgpu_query_stats(rig->dev, &answer.stats));
		for (uint32_t i = 0; i < sizeof(answer); i++)
			assert_int_equal(bytes[i], i >= sizeof(answer.stats) ? 0xaa :
					 i < size ? 4 : 0);
		assert_int_equal(pddgpu_query(rig->dev, PDDGPU_QUERY_MEMORY_STATS, &answer,
					      16), size);
	}
	fake.query_types = 4;
	memset(own, 0xaa, sizeof(own));
	assert_err(EOPNOTSUPP, pddgpu_query_ownership(rig->dev, own));
}

static void buffer(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_bo_info info;
	struct pddgpu_bo *bo = NULL;
	void *map, *again;

	assert_err(EINVAL, pddgpu_bo_create(rig->dev, 0, VRAM, 0, &bo));
	assert_err(EINVAL, pddgpu_bo_create(rig->dev, 1, 0, 0, &bo));
	assert_err(E2BIG, pddgpu_bo_create(rig->dev, 1ULL << 30, VRAM, 0, &bo));
	assert_null(bo);
	assert_ok(pddgpu_bo_create_aligned(rig->dev, 4097, 65536, VRAM, 0, &bo));
	assert_int_equal(pddgpu_bo_size(bo), 8192);
	assert_int_not_equal(pddgpu_bo_handle(bo), 0);
	memset(&info, 0xaa, sizeof(info));
	assert_ok(pddgpu_bo_get_info(bo, &info));
	assert_int_equal(info.size, 8192);
	assert_int_equal(info.domain, VRAM);
	assert_int_equal(info.flags, PDDGPU_GEM_INFO_VRAM_LOST);
	assert_int_equal(info.reserved[3], 0);
	pddgpu_bo_unmap(bo);
	assert_ok(pddgpu_bo_map(bo, &map));
	assert_ok(pddgpu_bo_map(bo, &again));
	assert_ptr_equal(map, again);
	pddgpu_bo_unmap(bo);
	memset(map, 5, 8192);
	pddgpu_bo_unmap(bo);
	pddgpu_bo_unmap(bo);
	assert_ok(pddgpu_bo_map(bo, &map));
	assert_int_equal(*(unsigned char *)map, 5);
	assert_ok(pddgpu_bo_set_domain(bo, PDDGPU_GEM_DOMAIN_GTT, 0));
	pddgpu_bo_free(bo);
}

static void labels(void **state)
{
	char text[PDDGPU_LABEL_MAX + 1];
	struct rig *rig = *state;
	struct pddgpu_bo *bo;

	assert_ok(pddgpu_bo_create(rig->dev, 1, VRAM, 0, &bo));
	memset(text, 'x', sizeof(text));
	text[PDDGPU_LABEL_MAX] = '\0';
	assert_err(EINVAL, pddgpu_bo_set_label(bo, text));
	assert_string_equal(fake.label, "");
	text[PDDGPU_LABEL_MAX - 1] = '\0';
	assert_ok(pddgpu_bo_set_label(bo, text));
	assert_string_equal(fake.label, text);
	assert_ok(pddgpu_bo_set_label(bo, NULL));
	assert_string_equal(fake.label, "");
	fake.labels = false;
	assert_err(EOPNOTSUPP, pddgpu_bo_set_label(bo, "a"));
	pddgpu_bo_free(bo);
}

/* Relative times, whatever they are, become absolute ones that do not overflow. */
static void timeouts(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_bo *bo;

	assert_ok(pddgpu_bo_create(rig->dev, 1, VRAM, 0, &bo));
	assert_ok(pddgpu_bo_wait(bo, 0, 0));
	assert_true(fake.timeout_ns < pddi_now());
	assert_ok(pddgpu_bo_wait(bo, -1, 0));
	assert_int_equal(fake.timeout_ns, INT64_MAX);
	assert_ok(pddgpu_bo_wait(bo, INT64_MIN, 0));
	assert_int_equal(fake.timeout_ns, INT64_MAX);
	assert_ok(pddgpu_bo_wait(bo, INT64_MAX, 0));
	assert_int_equal(fake.timeout_ns, INT64_MAX);
	assert_ok(pddgpu_bo_wait(bo, 1000000000, 0));
	assert_in_range(fake.timeout_ns - pddi_now(), 500000000, 1000000000);
	fake.busy = true;
	assert_err(ETIME, pddgpu_bo_wait(bo, 0, PDDGPU_GEM_WAIT_WRITERS));
	pddgpu_bo_free(bo);
}

static void share(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_bo *bo, *same, *other = NULL;
	void *map;
	int fd, i;

	/* Handles far apart, so that the table grows */
	fake.handle_step = 20011;
	for (i = 0; i < 2; i++) {
		assert_ok(pddgpu_bo_create(rig->dev, 4096, VRAM, 0, &bo));
		assert_ok(pddgpu_bo_map(bo, &map));
		assert_ok(pddgpu_bo_export(bo, &fd));
		assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
		assert_ok(pddgpu_bo_import(rig->dev, fd, &same));
		assert_ptr_equal(bo, same);
		pddgpu_bo_free(bo);
		/* Still there, and still mapped */
		assert_int_equal(fake_handles(), 1);
		memset(map, 9, 4096);
		pddgpu_bo_free(same);
		assert_int_equal(fake_handles(), 0);
		/* The dma-buf keeps it, and it comes in as another. */
		assert_ok(pddgpu_bo_import(rig->dev, fd, &bo));
		assert_int_equal(pddgpu_bo_size(bo), 4096);
		pddgpu_bo_free(bo);
		close(fd);
	}
	assert_err(EBADF, pddgpu_bo_import(rig->dev, -1, &other));
	assert_err(EINVAL, pddgpu_bo_import(rig->dev, 0, &other));
	assert_null(other);
}

/* An import that fails half way leaves no handle behind. */
static void share_fails(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_bo *bo, *other = NULL;
	int fd = -5;

	assert_ok(pddgpu_bo_create(rig->dev, 4096, VRAM, 0, &bo));
	fake.fail_nr = 0x2d; /* PRIME_HANDLE_TO_FD */
	fake.fail_errno = EMFILE;
	assert_err(EMFILE, pddgpu_bo_export(bo, &fd));
	assert_int_equal(fd, -5);
	fake.fail_nr = -1;
	assert_ok(pddgpu_bo_export(bo, &fd));
	pddgpu_bo_free(bo);
	fake.fail_nr = 0x40 + DRM_PDDGPU_GEM_INFO;
	fake.fail_errno = EIO;
	assert_err(EIO, pddgpu_bo_import(rig->dev, fd, &other));
	assert_null(other);
	assert_int_equal(fake_handles(), 0);
	close(fd);
}

static void job(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_device *dev;
	struct pddgpu_bo *a, *b, *foreign;
	struct pddgpu_job *j;
	void *from, *to;
	int error = 77;

	assert_ok(pddi_open_fd(&rig->tree.paths, pddgpu_fd(rig->dev), &dev));
	assert_ok(pddgpu_bo_create(dev, 4096, VRAM, 0, &foreign));
	assert_ok(pddgpu_bo_create(rig->dev, 4096, VRAM, 0, &a));
	assert_ok(pddgpu_bo_create(rig->dev, 4096, VRAM, 0, &b));
	assert_ok(pddgpu_bo_map(a, &from));
	assert_ok(pddgpu_bo_map(b, &to));
	assert_ok(pddgpu_job_create(rig->dev, &j));
	assert_err(EINVAL, pddgpu_job_wait(j, -1, &error));
	assert_err(EINVAL, pddgpu_job_copy(j, foreign, 0, a, 0, 1));
	assert_err(EINVAL, pddgpu_job_copy(j, a, 0, foreign, 0, 1));
	assert_err(EINVAL, pddgpu_job_fill(j, foreign, 0, 4, 1));
	strcpy(from, "what was written");
	assert_ok(pddgpu_job_copy(j, b, 100, a, 5, 12));
	assert_ok(pddgpu_job_fill(j, b, 96, 4, 0x61616161));
	assert_ok(pddgpu_job_submit(j));
	assert_string_equal((char *)to + 96, "aaaawas written");
	assert_int_equal(error, 77);
	assert_ok(pddgpu_job_wait(j, 1000, &error));
	assert_int_equal(error, 0);
	/* Once more, the same */
	memset(to, 0, 4096);
	assert_ok(pddgpu_job_submit(j));
	assert_string_equal((char *)to + 96, "aaaawas written");
	pddgpu_job_reset(j);
	/* There is something to be waited for still; and nothing to do is no error. */
	assert_ok(pddgpu_job_wait(j, 1000, NULL));
	assert_ok(pddgpu_job_submit(j));
	assert_ok(pddgpu_job_wait(j, 1000, NULL));
	pddgpu_job_free(j);
	pddgpu_bo_free(a);
	pddgpu_bo_free(b);
	pddgpu_bo_free(foreign);
	pddgpu_close(dev);
}

static void job_ends(void **state)
{
	static const int errors[] = { EIO, ETIME, ECANCELED, ENODEV };
	struct rig *rig = *state;
	struct pddgpu_job *j;
	struct pddgpu_bo *bo;
	int error;

	assert_ok(pddgpu_bo_create(rig->dev, 4096, VRAM, 0, &bo));
	assert_ok(pddgpu_job_create(rig->dev, &j));
	assert_ok(pddgpu_job_fill(j, bo, 0, 4, 1));
	assert_ok(pddgpu_job_submit(j));
	for (size_t i = 0; i < PDDI_ARRAY_SIZE(errors); i++) {
		fake.status = -errors[i];
		assert_ok(pddgpu_job_wait(j, -1, &error));
		assert_int_equal(error, -errors[i]);
		assert_err(errors[i], pddgpu_job_wait(j, -1, NULL));
	}
	fake.busy = true;
	error = 5;
	assert_err(ETIME, pddgpu_job_wait(j, 0, &error));
	assert_int_equal(error, 5);
	/* The driver's answer to O_NONBLOCK is an answer, and not to be tried again. */
	fake.fail_nr = 0x40 + DRM_PDDGPU_SUBMIT;
	fake.fail_errno = EAGAIN;
	assert_err(EAGAIN, pddgpu_job_submit(j));
	pddgpu_job_free(j);
	pddgpu_bo_free(bo);
}

static void job_limits(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_job *j;
	struct pddgpu_bo *bo;
	unsigned int i;

	assert_ok(pddgpu_bo_create(rig->dev, 4096, VRAM, 0, &bo));
	assert_ok(pddgpu_job_create(rig->dev, &j));
	for (i = 0; i < PDDGPU_SUBMIT_OPS_MAX; i++)
		if (pddgpu_job_fill(j, bo, 0, 4, i))
			fail_msg("operation %u", i);
	assert_err(E2BIG, pddgpu_job_fill(j, bo, 0, 4, 1));
	assert_err(E2BIG, pddgpu_job_copy(j, bo, 0, bo, 0, 4));
	for (i = 0; i < PDDGPU_SUBMIT_SYNCS_MAX; i++)
		assert_ok(pddgpu_job_wait_for(j, 1, i));
	assert_err(E2BIG, pddgpu_job_wait_for(j, 1, 0));
	for (i = 0; i < PDDGPU_SUBMIT_SYNCS_MAX - 1; i++)
		assert_ok(pddgpu_job_signal(j, 1, i));
	assert_err(E2BIG, pddgpu_job_signal(j, 1, 0));
	pddgpu_job_reset(j);
	assert_ok(pddgpu_job_fill(j, bo, 0, 4, 1));
	assert_ok(pddgpu_job_signal(j, 1, 0));
	assert_ok(pddgpu_job_submit(j));
	assert_int_equal(fake.signals, 2);
	pddgpu_job_free(j);
	pddgpu_bo_free(bo);
}

/* Each call, while every second one is interrupted */
static void interrupted(void **state)
{
	fake.interrupt = 2;
	queries(state);
	buffer(state);
	job(state);
	fake.interrupt = 0;
	fake_reset();
	fake.interrupt = 3;
	share(state);
}

static void gone(void **state)
{
	struct drm_pddgpu_device_info device;
	struct rig *rig = *state;
	struct pddgpu_bo_info info;
	struct pddgpu_bo *bo, *other = NULL;
	struct pddgpu_job *j, *k = NULL;
	void *map, *kept;
	uint64_t value;
	int fd, fd2 = -7, error;

	assert_ok(pddgpu_bo_create(rig->dev, 4096, VRAM, 0, &bo));
	assert_ok(pddgpu_job_create(rig->dev, &j));
	assert_ok(pddgpu_job_fill(j, bo, 0, 4, 1));
	assert_ok(pddgpu_job_submit(j));
	assert_ok(pddgpu_bo_export(bo, &fd));
	assert_ok(pddgpu_bo_map(bo, &kept));
	fake.gone = true;
	assert_err(ENODEV, pddgpu_query_info(rig->dev, &device));
	assert_err(ENODEV, pddgpu_bo_create(rig->dev, 4096, VRAM, 0, &other));
	assert_err(ENODEV, pddgpu_bo_get_info(bo, &info));
	assert_err(ENODEV, pddgpu_bo_wait(bo, -1, 0));
	assert_err(ENODEV, pddgpu_bo_set_domain(bo, VRAM, 0));
	assert_err(ENODEV, pddgpu_bo_set_label(bo, "a"));
	assert_err(ENODEV, pddgpu_bo_export(bo, &fd2));
	assert_err(ENODEV, pddgpu_bo_import(rig->dev, fd, &other));
	assert_err(ENODEV, pddgpu_job_create(rig->dev, &k));
	assert_err(ENODEV, pddgpu_job_submit(j));
	assert_err(ENODEV, pddgpu_job_wait(j, -1, &error));
	assert_err(ENODEV, pddgpu_setting_get(rig->dev, "leak_threshold", &value));
	assert_err(ENODEV, pddgpu_leaks_scan(rig->dev));
	assert_null(other);
	assert_null(k);
	assert_int_equal(fd2, -7);
	/* What was mapped stays; all of it is given back without a word. */
	assert_ok(pddgpu_bo_map(bo, &map));
	assert_ptr_equal(map, kept);
	memset(map, 0, 4096);
	pddgpu_bo_free(bo);
	pddgpu_job_free(j);
	close(fd);
}

const struct CMUnitTest bo_tests[] = {
	rig_test(queries),
	rig_test(query_sizes),
	rig_test(buffer),
	rig_test(labels),
	rig_test(timeouts),
	rig_test(share),
	rig_test(share_fails),
	rig_test(job),
	rig_test(job_ends),
	rig_test(job_limits),
	rig_test(interrupted),
	rig_test(gone),
};

const size_t bo_tests_count = PDDI_ARRAY_SIZE(bo_tests);
