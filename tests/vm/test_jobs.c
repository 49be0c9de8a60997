// SPDX-License-Identifier: MIT
/*
 * Random jobs of several processes against models in memory: with buffers that
 * they share, in an order that syncobjs give; and with far more buffers than VRAM
 * holds, which are moved while jobs use them.
 */
#include "pdt.h"

#include <sys/mman.h>
#include <unistd.h>

#define PROCESSES	4
#define SHARED		2
#define OWN		3
#define BUFFERS		(SHARED + OWN)
#define SIZE		(200 * PDT_KIB)
#define STEPS		120

/* What the processes have in common; fork hands it on */
struct common {
	int dmabuf[SHARED];
	int timeline;
	uint64_t seed;
	/* What the shared buffers hold after the steps that were handed over */
	unsigned char (*bytes)[SIZE];
};

/* A process's buffers, the shared ones first, and their bytes */
struct view {
	int fd;
	uint32_t timeline;
	struct pdt_buffer bufs[BUFFERS];
	unsigned char *bytes[BUFFERS];
};

static int syncobj_fd(int fd, uint32_t handle)
{
	struct drm_syncobj_handle args = { .handle = handle, .fd = -1 };
	int rc = pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);

	return rc ? rc : args.fd;
}

static int syncobj_of(int fd, int from, uint32_t *handle)
{
	struct drm_syncobj_handle args = { .fd = from };
	int rc = pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args);

	*handle = args.handle;
	return rc;
}

/* Until somebody has handed over what will signal it */
static int wait_for_point(int fd, uint32_t handle, uint64_t point)
{
	struct drm_syncobj_timeline_wait args = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.timeout_nsec = (int64_t)((pdt_now_ms() + 60000) * 1000000),
		.count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT |
			 DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE,
	};

	return pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &args);
}

static int view_open(struct view *v, const struct common *common, unsigned int process)
{
	static const uint32_t domains[OWN] = { PDT_VRAM, PDT_GTT, PDT_BOTH };
	int rc;

	v->fd = pdt_open();
	if (v->fd < 0)
		return v->fd;
	rc = syncobj_of(v->fd, common->timeline, &v->timeline);
	for (size_t i = 0; i < SHARED && !rc; i++) {
		v->bytes[i] = common->bytes[i];
		rc = pdt_import(v->fd, common->dmabuf[i], &v->bufs[i].handle);
	}
	for (size_t i = SHARED; i < BUFFERS && !rc; i++) {
		rc = pdt_buffer_create(v->fd, &v->bufs[i], SIZE, domains[i - SHARED], 0);
		if (rc)
			break;
		pdt_buffer_fill(&v->bufs[i], 100 * process + i);
		v->bytes[i] = malloc(SIZE);
		if (!v->bytes[i])
			return -ENOMEM;
		memcpy(v->bytes[i], v->bufs[i].map, SIZE);
	}
	return rc;
}

/* Its turn: the job waits for that of the step before, and the next for it. */
static int take_step(struct view *v, uint64_t step, uint64_t *random)
{
	struct drm_pddgpu_submit_op ops[20];
	uint32_t count = 1 + (uint32_t)(pdt_random(random) % PDT_ARRAY_SIZE(ops));
	int rc = step > 1 ? wait_for_point(v->fd, v->timeline, step - 1) : 0;

	if (rc)
		return rc;
	for (uint32_t i = 0; i < count; i++)
		ops[i] = pdt_random_op(v->bufs, v->bytes, BUFFERS, SIZE, random);
	return pdt_submit_sync(v->fd, ops, count, step > 1 ? v->timeline : 0, step - 1,
			       v->timeline, step);
}

static int check_own(struct view *v)
{
	for (size_t i = SHARED; i < BUFFERS; i++) {
		int rc = pdt_wait_idle(v->fd, v->bufs[i].handle, 60000);

		if (!rc && memcmp(v->bufs[i].map, v->bytes[i], SIZE))
			rc = -EILSEQ;
		if (rc)
			return rc;
	}
	return 0;
}

struct child {
	const struct common *common;
	unsigned int process;
};

static int share_and_compute(void *arg)
{
	const struct child *child = arg;
	uint64_t random = (child->common->seed + 1) * (child->process + 17);
	struct view v = { 0 };
	int rc = view_open(&v, child->common, child->process);

	for (uint64_t step = 1 + child->process; step <= STEPS && !rc; step += PROCESSES) {
		rc = take_step(&v, step, &random);
		/* Moves in between change addresses, not bytes. */
		if (!rc && pdt_random(&random) % 4 == 0) {
			size_t i = SHARED + pdt_random(&random) % OWN;

			rc = pdt_set_domain(v.fd, v.bufs[i].handle, v.bufs[i].domains, NULL);
		}
		if (!rc && step % 5 == 0)
			rc = check_own(&v);
		if (rc)
			fprintf(stderr, "# process %u, step %llu: %s\n", child->process,
				(unsigned long long)step, strerror(-rc));
	}
	if (!rc)
		rc = check_own(&v);
	return rc != 0;
}

static void shared_in_order(void **state)
{
	struct pdt_state *s = *state;
	struct child children[PROCESSES];
	struct common common = { .seed = pdt_seed(71) };
	struct pdt_buffer bufs[SHARED];
	pid_t pids[PROCESSES];
	uint32_t timeline;

	common.bytes = pdt_shared(SHARED * SIZE);
	assert_non_null(common.bytes);
	assert_ok(pdt_syncobj_create(s->fd, &timeline));
	common.timeline = syncobj_fd(s->fd, timeline);
	assert_true(common.timeline >= 0);
	for (size_t i = 0; i < SHARED; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, i ? PDT_GTT : PDT_BOTH, 0));
		pdt_buffer_fill(&bufs[i], 7 + i);
		memcpy(common.bytes[i], bufs[i].map, SIZE);
		assert_ok(pdt_export(s->fd, bufs[i].handle, &common.dmabuf[i]));
	}
	for (unsigned int i = 0; i < PROCESSES; i++) {
		children[i] = (struct child){ .common = &common, .process = i };
		pids[i] = pdt_fork(share_and_compute, &children[i]);
		assert_true(pids[i] > 0);
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		assert_int_equal(pdt_wait(pids[i]), 0);
	assert_ok(pdt_syncobj_wait(s->fd, timeline, STEPS, 60000));
	for (size_t i = 0; i < SHARED; i++) {
		assert_ok(pdt_wait_idle(s->fd, bufs[i].handle, 60000));
		assert_int_equal(memcmp(bufs[i].map, common.bytes[i], SIZE), 0);
		close(common.dmabuf[i]);
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
	close(common.timeline);
	assert_ok(pdt_syncobj_destroy(s->fd, timeline));
	munmap(common.bytes, SHARED * SIZE);
}

/* Whole buffers, so that their patterns' seeds are model enough */
struct flood {
	uint64_t size;
	uint64_t seed;
	size_t count;
};

static int wait_all(int fd, const struct pdt_buffer *bufs, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++)
		rc = pdt_wait_idle(fd, bufs[i].handle, 60000);
	return rc;
}

/* Brings a buffer back to VRAM; there may be no room for the moment. */
static int bring_back(int fd, const struct pdt_buffer *buf)
{
	int rc = pdt_set_domain(fd, buf->handle, buf->domains, NULL);

	return rc == -ENOMEM ? 0 : rc;
}

static int flood(void *arg)
{
	const struct flood *flood = arg;
	struct pdt_buffer *bufs = calloc(flood->count, sizeof(*bufs));
	uint64_t random = flood->seed;
	int fd = pdt_open();

	child_check(bufs && fd >= 0);
	for (size_t i = 0; i < flood->count; i++) {
		child_check(!pdt_buffer_create(fd, &bufs[i], flood->size, PDT_BOTH | PDT_CPU, 0));
		pdt_buffer_fill(&bufs[i], pdt_random(&random));
	}
	for (size_t i = 0; i < 3 * flood->count; i++) {
		size_t to = pdt_random(&random) % flood->count;
		size_t from = pdt_random(&random) % flood->count;
		struct drm_pddgpu_submit_op op = pdt_copy(bufs[to].handle, 0, bufs[from].handle,
							  0, flood->size);
		int rc = pdt_submit(fd, &op, 1);

		/* It runs, or nothing of it does. */
		child_check(!rc || rc == -ENOMEM);
		if (!rc)
			bufs[to].seed = bufs[from].seed;
		child_check(!bring_back(fd, &bufs[pdt_random(&random) % flood->count]));
	}
	child_check(!wait_all(fd, bufs, flood->count));
	for (size_t i = 0; i < flood->count; i++) {
		child_check(!pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(fd, &bufs[i]);
	}
	free(bufs);
	close(fd);
	return 0;
}

/* Four times what VRAM holds, in two processes, and jobs use all of it. */
static void four_times_the_vram(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct flood floods[2] = { { .seed = pdt_seed(81) }, { .seed = pdt_seed(82) } };
	uint64_t ram;
	pid_t pids[2];

	assert_ok(pdt_stats(s->fd, &before));
	assert_ok(pdt_meminfo("MemAvailable", &ram));
	if (before.vram_total * 4 > ram / 2 || before.vram_total * 4 > before.gtt_total +
	    before.vram_total / 2)
		pdt_skip("the machine has not the memory for it");
	for (size_t i = 0; i < 2; i++) {
		floods[i].size = pdt_pages(before.vram_total / 60);
		floods[i].count = 2 * before.vram_total / floods[i].size;
		pids[i] = pdt_fork(flood, &floods[i]);
		assert_true(pids[i] > 0);
	}
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pdt_wait(pids[i]), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &after));
	assert_true(after.evictions > before.evictions);
}

/* Jobs of several processes, and each needs most of VRAM */
#define RIVALS		3
#define RIVAL_ROUNDS	40

struct rival {
	uint64_t size;
	uint32_t number;
};

/* Operations of a job: it holds its buffer while it is handed over */
#define RIVAL_OPS	200

static int rival(void *arg)
{
	const struct rival *rival = arg;
	uint64_t end = pdt_now_ms() + 120000 * pdt_slow();
	int fd = pdt_open(), rc;
	uint32_t word = 0;
	struct pdt_buffer buf;

	child_check(fd >= 0);
	child_check(!pdt_buffer_create(fd, &buf, rival->size, PDT_VRAM | PDT_CPU, 0));
	for (uint32_t i = 0; i < RIVAL_ROUNDS; i++) {
		struct drm_pddgpu_submit_op ops[RIVAL_OPS];

		for (uint32_t j = 0; j < RIVAL_OPS; j++)
			ops[j] = pdt_fill(buf.handle, i * PDT_PAGE, PDT_PAGE, rival->number + i);
		/* There may be no room for a while, where everything is slow; but not for long */
		do
			rc = pdt_submit(fd, ops, RIVAL_OPS);
		while (rc == -ENOMEM && pdt_now_ms() < end);
		if (rc)
			errno = -rc;
		child_check(!rc);
	}
	child_check(!pdt_wait_idle(fd, buf.handle, 60000));
	for (uint32_t i = 0; i < RIVAL_ROUNDS; i++) {
		memcpy(&word, (char *)buf.map + (i + 1) * PDT_PAGE - sizeof(word), sizeof(word));
		child_check(word == rival->number + i);
	}
	pdt_buffer_destroy(fd, &buf);
	close(fd);
	return 0;
}

/*
 * What a job evicts may be locked by another that is looking for room itself, and
 * wants what the first one has.
 */
static void for_most_of_the_vram(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct rival rivals[RIVALS];
	pid_t pids[RIVALS];
	uint64_t ram;

	assert_ok(pdt_stats(s->fd, &stats));
	assert_ok(pdt_meminfo("MemAvailable", &ram));
	if (RIVALS * stats.vram_total > ram / 2 || RIVALS * stats.vram_total > stats.gtt_total)
		pdt_skip("the machine has not the memory for it");
	for (uint32_t i = 0; i < RIVALS; i++) {
		rivals[i].size = pdt_pages(stats.vram_total * 3 / 5);
		rivals[i].number = 1000 * (i + 1);
		pids[i] = pdt_fork(rival, &rivals[i]);
		assert_true(pids[i] > 0);
	}
	for (size_t i = 0; i < RIVALS; i++)
		assert_int_equal(pdt_wait(pids[i]), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(shared_in_order),
		pdt_test(four_times_the_vram),
		pdt_test(for_most_of_the_vram),
	};

	return pdt_run_tests("jobs", tests);
}
