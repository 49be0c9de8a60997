// SPDX-License-Identifier: MIT
/* Jobs of users: every byte compared with a model in memory, and what is refused. */
#include "pdt.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS	6
#define SIZE	(640 * PDT_KIB + 3 * PDT_PAGE)

/* Buffers, and what they should hold */
struct model {
	struct pdt_buffer bufs[BUFFERS];
	unsigned char *bytes[BUFFERS];
};

static const struct {
	uint32_t domains;
	uint32_t flags;
} kinds[BUFFERS] = {
	{ PDT_VRAM, 0 },
	{ PDT_VRAM, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS },
	{ PDT_GTT, 0 },
	{ PDT_GTT, PDT_USWC },
	{ PDT_BOTH, 0 },
	{ PDT_BOTH | PDT_CPU, 0 },
};

/* With holes between them, so that what is scattered is. */
static int model_create(int fd, struct model *m)
{
	uint32_t plugs[64];
	int rc = 0;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(plugs) && !rc; i++)
		rc = pdt_create(fd, 3 * PDT_PAGE, PDT_VRAM, 0, &plugs[i]);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(plugs) && !rc; i += 2)
		rc = pdt_destroy(fd, plugs[i]);
	for (size_t i = 0; i < BUFFERS && !rc; i++) {
		rc = pdt_buffer_create(fd, &m->bufs[i], SIZE, kinds[i].domains,
				       kinds[i].flags);
		if (rc)
			break;
		pdt_buffer_fill(&m->bufs[i], i + 1);
		m->bytes[i] = malloc(SIZE);
		memcpy(m->bytes[i], m->bufs[i].map, SIZE);
	}
	for (size_t i = 1; i < PDT_ARRAY_SIZE(plugs) && !rc; i += 2)
		rc = pdt_destroy(fd, plugs[i]);
	return rc;
}

static void model_destroy(int fd, struct model *m)
{
	for (size_t i = 0; i < BUFFERS; i++) {
		pdt_buffer_destroy(fd, &m->bufs[i]);
		free(m->bytes[i]);
	}
}

static int model_check(int fd, struct model *m)
{
	for (size_t i = 0; i < BUFFERS; i++) {
		int rc = pdt_wait_idle(fd, m->bufs[i].handle, 60000);

		if (rc)
			return rc;
		if (memcmp(m->bufs[i].map, m->bytes[i], SIZE))
			return -EILSEQ;
	}
	return 0;
}

static int random_jobs(int fd, uint64_t random, unsigned int jobs)
{
	struct drm_pddgpu_submit_op ops[40];
	struct model m = { 0 };
	int rc = model_create(fd, &m);

	for (unsigned int i = 0; i < jobs && !rc; i++) {
		uint32_t count = 1 + (uint32_t)(pdt_random(&random) % PDT_ARRAY_SIZE(ops));

		for (uint32_t n = 0; n < count; n++)
			ops[n] = pdt_random_op(m.bufs, m.bytes, BUFFERS, SIZE, &random);
		rc = pdt_submit(fd, ops, count);
		/* Moves in between change addresses, not bytes. */
		if (!rc && !(pdt_random(&random) % 4)) {
			size_t n = pdt_random(&random) % BUFFERS;

			rc = pdt_set_domain(fd, m.bufs[n].handle, m.bufs[n].domains, NULL);
		}
		if (!rc && !(i % 10))
			rc = model_check(fd, &m);
	}
	if (!rc)
		rc = model_check(fd, &m);
	model_destroy(fd, &m);
	return rc;
}

static void jobs_follow_the_model(void **state)
{
	struct pdt_state *s = *state;

	assert_ok(random_jobs(s->fd, pdt_seed(12345), 60));
}

static int random_child(void *arg)
{
	int fd = pdt_open(), rc;

	child_check(fd >= 0);
	rc = random_jobs(fd, *(uint64_t *)arg, 30);
	if (rc)
		fprintf(stderr, "# seed %llu: %s\n", *(unsigned long long *)arg, strerror(-rc));
	close(fd);
	return rc != 0;
}

static void four_processes(void **state)
{
	uint64_t seeds[4] = { pdt_seed(101), pdt_seed(202), pdt_seed(303), pdt_seed(404) };
	pid_t pids[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		pids[i] = pdt_fork(random_child, &seeds[i]);
		assert_true(pids[i] > 0);
	}
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pdt_wait(pids[i]), 0);
}

static void overlapping_in_scattered_memory(void **state)
{
	static const int64_t shifts[] = { 1, 4095, 4096, 12288, 70001, -1, -4096, -12289 };
	struct pdt_state *s = *state;
	struct model m = { 0 };

	assert_ok(model_create(s->fd, &m));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(shifts); i++) {
		uint64_t span = SIZE - 80000;
		uint64_t from = shifts[i] < 0 ? 80000 : 0, to = from + (uint64_t)shifts[i];

		for (size_t b = 0; b < BUFFERS; b++) {
			struct drm_pddgpu_submit_op op =
				pdt_copy(m.bufs[b].handle, to, m.bufs[b].handle, from, span);

			memmove(m.bytes[b] + to, m.bytes[b] + from, span);
			assert_ok(pdt_submit(s->fd, &op, 1));
		}
		assert_ok(model_check(s->fd, &m));
	}
	model_destroy(s->fd, &m);
}

static void assert_op_refused(struct pdt_state *s, int err, struct drm_pddgpu_submit_op op)
{
	int rc = pdt_submit(s->fd, &op, 1);

	if (rc != -err)
		fail_msg("op %u %x dst %u+%llx src %u+%llx %llx: %s, not %s", op.opcode,
			 op.pattern, op.dst_handle, (unsigned long long)op.dst_offset,
			 op.src_handle, (unsigned long long)op.src_offset,
			 (unsigned long long)op.bytes, rc ? strerror(-rc) : "succeeded",
			 strerror(err));
}

static void bad_operations(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer a, b;
	uint32_t cpu;

	assert_ok(pdt_buffer_create(s->fd, &a, 2 * PDT_PAGE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &b, PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_CPU, 0, &cpu));
	pdt_buffer_fill(&a, 1);
	pdt_buffer_fill(&b, 2);

	assert_op_refused(s, EINVAL, pdt_copy(a.handle, 0, b.handle, 0, 0));
	assert_op_refused(s, EINVAL, pdt_copy(a.handle, 0, b.handle, 0, PDT_PAGE + 1));
	assert_op_refused(s, EINVAL, pdt_copy(a.handle, 0, b.handle, 1, PDT_PAGE));
	assert_op_refused(s, EINVAL, pdt_copy(a.handle, PDT_PAGE + 1, b.handle, 0, PDT_PAGE));
	assert_op_refused(s, EINVAL, pdt_copy(a.handle, 2 * PDT_PAGE, b.handle, 0, 1));
	assert_op_refused(s, EINVAL, pdt_copy(a.handle, ~0ULL, b.handle, 0, 1));
	assert_op_refused(s, EINVAL, pdt_copy(a.handle, 0, b.handle, ~0ULL, 2));
	assert_op_refused(s, EINVAL, pdt_copy(a.handle, 1, b.handle, 0, ~0ULL));
	assert_op_refused(s, EINVAL, pdt_fill(a.handle, 1, 4, 0));
	assert_op_refused(s, EINVAL, pdt_fill(a.handle, 0, 5, 0));
	assert_op_refused(s, EINVAL, pdt_fill(a.handle, 2 * PDT_PAGE - 4, 8, 0));
	assert_op_refused(s, ENOENT, pdt_copy(a.handle, 0, 9999, 0, 1));
	assert_op_refused(s, ENOENT, pdt_copy(0, 0, b.handle, 0, 1));
	assert_op_refused(s, ENOENT, pdt_fill(9999, 0, 4, 0));
	assert_op_refused(s, EINVAL, pdt_fill(cpu, 0, 4, 0));
	assert_op_refused(s, EINVAL, pdt_copy(a.handle, 0, cpu, 0, 4));
	op = pdt_fill(a.handle, 0, 4, 0);
	op.src_handle = b.handle;
	assert_op_refused(s, EINVAL, op);
	op = pdt_fill(a.handle, 0, 4, 0);
	op.src_offset = 4;
	assert_op_refused(s, EINVAL, op);
	op = pdt_copy(a.handle, 0, b.handle, 0, 4);
	op.pattern = 1;
	assert_op_refused(s, EINVAL, op);
	for (uint32_t opcode = 0; opcode < 40; opcode++) {
		op = pdt_copy(a.handle, 0, b.handle, 0, 4);
		op.opcode = opcode;
		if (opcode != PDDGPU_SUBMIT_COPY)
			assert_op_refused(s, EINVAL, op);
	}

	assert_ok(pdt_buffer_check(&a));
	assert_ok(pdt_buffer_check(&b));
	pdt_buffer_destroy(s->fd, &a);
	pdt_buffer_destroy(s->fd, &b);
	assert_ok(pdt_destroy(s->fd, cpu));
}

static void bad_submits(void **state)
{
	struct drm_pddgpu_sync sync = { .handle = 4242 };
	struct drm_pddgpu_submit good = { 0 }, args;
	struct pdt_state *s = *state;
	uint32_t unsignalled;

	assert_ok(pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &good));

	args = (struct drm_pddgpu_submit){ .flags = 1 };
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	args = (struct drm_pddgpu_submit){ .op_count = PDDGPU_SUBMIT_OPS_MAX + 1 };
	assert_err(E2BIG, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	args = (struct drm_pddgpu_submit){ .wait_count = ~0u };
	assert_err(E2BIG, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	args = (struct drm_pddgpu_submit){ .signal_count = ~0u };
	assert_err(E2BIG, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	args = (struct drm_pddgpu_submit){ .ops = 8, .op_count = 1 };
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	args = (struct drm_pddgpu_submit){ .signal_syncs = 8, .signal_count = 1 };
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	args = (struct drm_pddgpu_submit){ .signal_syncs = (uintptr_t)&sync, .signal_count = 1 };
	assert_err(ENOENT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	args = (struct drm_pddgpu_submit){ .wait_syncs = (uintptr_t)&sync, .wait_count = 1 };
	assert_err(ENOENT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	/* Nothing has ever been promised for it. */
	assert_ok(pdt_syncobj_create(s->fd, &unsignalled));
	sync.handle = unsignalled;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	sync.flags = 1;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_SUBMIT, &args));
	assert_ok(pdt_syncobj_destroy(s->fd, unsignalled));
}

static void syncobjs_in_and_out(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	uint32_t binary, timeline;
	struct pdt_buffer buf;

	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_MIB, PDT_VRAM, 0));
	assert_ok(pdt_syncobj_create(s->fd, &binary));
	assert_ok(pdt_syncobj_create(s->fd, &timeline));

	op = pdt_fill(buf.handle, 0, PDT_MIB, 0x11111111);
	assert_ok(pdt_submit_sync(s->fd, &op, 1, 0, 0, binary, 0));
	for (uint64_t point = 1; point <= 10; point++) {
		op = pdt_fill(buf.handle, 0, PDT_MIB, (uint32_t)point);
		assert_ok(pdt_submit_sync(s->fd, &op, 1, point > 1 ? timeline : binary,
					  point > 1 ? point - 1 : 0, timeline, point));
	}
	assert_ok(pdt_syncobj_wait(s->fd, binary, 0, 60000));
	assert_ok(pdt_syncobj_wait(s->fd, timeline, 10, 60000));
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 0));
	for (uint64_t i = 0; i < PDT_MIB / 4; i += 1000)
		assert_int_equal(((uint32_t *)buf.map)[i], 10);

	assert_ok(pdt_syncobj_destroy(s->fd, binary));
	assert_ok(pdt_syncobj_destroy(s->fd, timeline));
	pdt_buffer_destroy(s->fd, &buf);
}

/* While the engine hangs nothing is done, and waiting ends when it is told to. */
static void waiting_has_an_end(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer buf;
	char answer[256];

	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_PAGE, PDT_VRAM, 0));
	assert_ok(pdt_control("hang 0", answer, sizeof(answer)));
	op = pdt_fill(buf.handle, 0, PDT_PAGE, 0x55555555);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_err(ETIME, pdt_wait_idle(s->fd, buf.handle, 0));
	assert_err(ETIME, pdt_wait_idle(s->fd, buf.handle, 50));
	assert_ok(pdt_control("unhang 0", answer, sizeof(answer)));
	assert_ok(pdt_wait_idle(s->fd, buf.handle, 60000));
	assert_int_equal(*(uint32_t *)buf.map, 0x55555555);
	assert_err(ENOENT, pdt_wait_idle(s->fd, 9999, 0));
	pdt_buffer_destroy(s->fd, &buf);
}

/* Interrupts get lost; what was done is noticed all the same. */
static void lost_interrupts(void **state)
{
	struct pdt_state *s = *state;
	char answer[256];

	assert_ok(pdt_control("drop-interrupts 1000000", answer, sizeof(answer)));
	assert_ok(random_jobs(s->fd, 777, 20));
	assert_ok(pdt_control("clear", answer, sizeof(answer)));
}

static int submit_and_hang(void *arg)
{
	struct drm_pddgpu_submit_op op;
	int fd = pdt_open(), *ready = arg;
	uint32_t handle;

	child_check(fd >= 0);
	child_check(!pdt_create(fd, PDT_MIB, PDT_BOTH, 0, &handle));
	op = pdt_fill(handle, 0, PDT_MIB, 1);
	for (unsigned int i = 0; i < 100; i++)
		child_check(!pdt_submit(fd, &op, 1));
	*ready = 1;
	for (;;)
		pause();
}

/* A process is killed while its jobs are queued: they go, and so do its buffers. */
static void killed_with_jobs_queued(void **state)
{
	struct pdt_state *s = *state;
	int *ready = pdt_shared(sizeof(*ready));
	char answer[256];
	pid_t pid;

	assert_non_null(ready);
	assert_ok(pdt_control("hang 0", answer, sizeof(answer)));
	pid = pdt_fork(submit_and_hang, ready);
	assert_true(pid > 0);
	for (unsigned int i = 0; i < 5000 && !*(volatile int *)ready; i++)
		pdt_sleep_ms(2);
	assert_int_equal(*ready, 1);
	kill(pid, SIGKILL);
	pdt_wait(pid);
	assert_ok(pdt_control("unhang 0", answer, sizeof(answer)));
	assert_true(pdt_level_wait(s->fd, &s->before));
	munmap(ready, sizeof(*ready));
}

/* More pieces than the machine has memory for: takes for ever, but ends */
static int submit_endlessly(void *arg)
{
	struct drm_pddgpu_submit_op *ops = calloc(PDDGPU_SUBMIT_OPS_MAX, sizeof(*ops));
	struct model m;
	int fd = pdt_open();

	(void)arg;
	child_check(ops && fd >= 0 && !model_create(fd, &m));
	for (uint32_t i = 0; i < PDDGPU_SUBMIT_OPS_MAX; i++)
		ops[i] = pdt_fill(m.bufs[0].handle, 0, SIZE, i);
	child_check(!pdt_submit(fd, ops, PDDGPU_SUBMIT_OPS_MAX));
	return 0;
}

static void endless_submit_is_killed(void **state)
{
	uint64_t before, after, start;
	pid_t child;

	(void)state;
	child = pdt_fork(submit_endlessly, NULL);
	assert_true(child > 0);
	pdt_sleep_ms(1000);
	assert_ok(pdt_meminfo("SUnreclaim", &before));
	pdt_sleep_ms(2000);
	assert_ok(pdt_meminfo("SUnreclaim", &after));
	start = pdt_now_ms();
	kill(child, SIGKILL);
	pdt_wait(child);
	if (pdt_now_ms() - start > (pdt_slow() > 1 ? 12000 : 6000) * pdt_slow())
		fail_msg("took %llu ms to die", (unsigned long long)(pdt_now_ms() - start));
	if (after > before + 32 * PDT_MIB)
		fail_msg("took %llu MiB of the kernel's memory",
			 (unsigned long long)((after - before) / PDT_MIB));
}

#define READERS	8

/* Another user's job that reads the buffer, and does not end yet */
static int read_elsewhere(int dmabuf, int *fd)
{
	struct drm_pddgpu_submit_op op;
	uint32_t from, to = 0;
	int rc;

	*fd = pdt_open();
	if (*fd < 0)
		return *fd;
	rc = pdt_import(*fd, dmabuf, &from);
	if (!rc)
		rc = pdt_create(*fd, PDT_PAGE, PDT_GTT, 0, &to);
	op = pdt_copy(to, 0, from, 0, PDT_PAGE);
	return rc ? rc : pdt_submit(*fd, &op, 1);
}

/* A buffer by two handles, one written and one read, among so many readers */
static void two_handles(int card, uint32_t readers)
{
	struct drm_pddgpu_submit_op ops[2];
	struct drm_gem_flink flink = { 0 };
	struct drm_gem_open second = { 0 };
	int fds[READERS], dmabuf;
	char answer[64];
	uint32_t other;

	assert_ok(pdt_create(card, PDT_PAGE, PDT_GTT, 0, &flink.handle));
	assert_ok(pdt_create(card, PDT_PAGE, PDT_GTT, 0, &other));
	assert_ok(pdt_ioctl(card, DRM_IOCTL_GEM_FLINK, &flink));
	second.name = flink.name;
	assert_ok(pdt_ioctl(card, DRM_IOCTL_GEM_OPEN, &second));
	assert_true(second.handle > flink.handle);
	assert_ok(pdt_export(card, flink.handle, &dmabuf));

	assert_ok(pdt_control("hang 0", answer, sizeof(answer)));
	for (uint32_t i = 0; i < readers; i++)
		assert_ok(read_elsewhere(dmabuf, &fds[i]));
	ops[0] = pdt_fill(flink.handle, 0, PDT_PAGE, 7);
	ops[1] = pdt_copy(other, 0, second.handle, 0, PDT_PAGE);
	assert_ok(pdt_submit(card, ops, 2));
	assert_ok(pdt_control("unhang 0", answer, sizeof(answer)));
	assert_ok(pdt_wait_idle(card, second.handle, 10000));

	for (uint32_t i = 0; i < readers; i++)
		close(fds[i]);
	close(dmabuf);
	assert_ok(pdt_destroy(card, flink.handle));
	assert_ok(pdt_destroy(card, second.handle));
	assert_ok(pdt_destroy(card, other));
}

static void one_buffer_by_two_handles(void **state)
{
	int card = pdt_open_card("pddgpu", false);

	(void)state;
	assert_true(card >= 0);
	for (uint32_t readers = 0; readers <= READERS; readers++)
		two_handles(card, readers);
	close(card);
}

/* What is refused for what it waits for, or for its last buffer, has moved none. */
static void refused_jobs_move_nothing(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct drm_pddgpu_submit_op ops[2];
	uint32_t handle, other, syncobj;

	assert_ok(pdt_create(s->fd, SIZE, PDT_GTT | PDT_CPU, 0, &handle));
	assert_ok(pdt_create(s->fd, SIZE, PDT_CPU, 0, &other));
	free(pdt_debugfs_read("evict_gtt"));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_CPU);
	assert_ok(pdt_syncobj_create(s->fd, &syncobj));
	assert_ok(pdt_stats(s->fd, &before));
	ops[0] = pdt_fill(handle, 0, SIZE, 1);
	ops[1] = pdt_fill(other, 0, SIZE, 1);
	/* Nobody has promised to signal it */
	assert_err(EINVAL, pdt_submit_sync(s->fd, ops, 1, syncobj, 0, 0, 0));
	assert_err(ENOENT, pdt_submit_sync(s->fd, ops, 1, syncobj + 1000, 0, 0, 0));
	assert_err(EINVAL, pdt_submit(s->fd, ops, 2));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_CPU);
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.moves, before.moves);
	assert_ok(pdt_submit(s->fd, ops, 1));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_GTT);
	assert_ok(pdt_wait_idle(s->fd, handle, 60000));
	assert_ok(pdt_syncobj_destroy(s->fd, syncobj));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_destroy(s->fd, other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(jobs_follow_the_model),
		pdt_test(overlapping_in_scattered_memory),
		pdt_test(four_processes),
		pdt_test(bad_operations),
		pdt_test(bad_submits),
		pdt_test(refused_jobs_move_nothing),
		pdt_test(syncobjs_in_and_out),
		pdt_test(waiting_has_an_end),
		pdt_test(lost_interrupts),
		pdt_test(one_buffer_by_two_handles),
		pdt_test(endless_submit_is_killed),
		pdt_test(killed_with_jobs_queued),
	};

	return pdt_run_tests("submit", tests);
}
