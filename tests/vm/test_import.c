// SPDX-License-Identifier: MIT
/* Buffers of another device: imports that fail, that are busy, and their end. */
#include "pdt.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (64 * PDT_KIB)

static void close_theirs(int vgem, uint32_t handle)
{
	struct drm_gem_close args = { .handle = handle };

	assert_ok(pdt_ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &args));
}

/*
 * TTM frees what it could not place later, and looks at the reservation then,
 * which is the dma-buf's.
 */
static void failed_imports_leave_nothing(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[256];
	struct drm_pddgpu_memory_stats stats;
	int vgem = pdt_vgem_open(), dmabuf = -1, err;
	uint32_t theirs = 0, ours;
	size_t n;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_stats(s->fd, &stats));
	n = pdt_fill_domain(s->fd, bufs, PDT_ARRAY_SIZE(bufs),
			    pdt_pages(stats.gtt_free / 100), PDT_GTT, &err);
	assert_int_equal(err, -ENOMEM);
	for (unsigned int i = 0; i < 50; i++) {
		assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
		assert_err(ENOMEM, pdt_import(s->fd, dmabuf, &ours));
		close_theirs(vgem, theirs);
		close(dmabuf);
	}
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(s->fd, &bufs[i]);

	/* And with room again it works. */
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_destroy(s->fd, ours));
	close(dmabuf);
	close(vgem);
}

static int zombies(int fd, uint64_t *count)
{
	struct drm_pddgpu_memory_stats stats;
	int rc = pdt_stats(fd, &stats);

	*count = stats.zombie_objects;
	return rc;
}

/*
 * Importing does not wait for those who use the buffer: a fence that nobody has
 * signalled yet can still be signalled afterwards, since vgem's run out after a
 * while. Freed in that state, the buffer is a ZOMBIE until then.
 */
static void busy_buffers_are_imported_at_once(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), dmabuf = -1;
	uint32_t theirs = 0, ours, fence;
	uint64_t count;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_vgem_busy(vgem, theirs, &fence));

	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_destroy(s->fd, ours));
	assert_ok(zombies(s->fd, &count));
	assert_u64(count, 1);

	assert_ok(pdt_vgem_signal(vgem, fence));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(zombies(s->fd, &count));
	assert_u64(count, 0);
	close(dmabuf);
	close(vgem);
}

/* A zombie past the suspicious age is listed as one. */
static void zombies_are_listed(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), dmabuf = -1;
	uint32_t theirs = 0, ours, fence;
	char *objects;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_vgem_busy(vgem, theirs, &fence));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_destroy(s->fd, ours));

	pdt_sleep_ms(10);
	objects = pdt_debugfs_read("leak_objects");
	assert_non_null(objects);
	assert_non_null(strstr(objects, "ZOMBIE"));
	assert_non_null(strstr(objects, "imported pddgpu_prime_import+0x"));
	free(objects);

	assert_ok(pdt_vgem_signal(vgem, fence));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_settings_restore());
	close(dmabuf);
	close(vgem);
}

struct waiting {
	int dmabuf;
	volatile int jobs;
};

/* As many jobs as there is room for, each behind the other device's fence */
static int queue_behind_it(void *arg)
{
	struct waiting *waiting = arg;
	struct drm_pddgpu_submit_op op;
	struct drm_pddgpu_submit args = { .ops = (uintptr_t)&op, .op_count = 1 };
	int fd = pdt_open(), jobs = 0;
	uint32_t theirs, mine;

	child_check(fd >= 0 && !pdt_import(fd, waiting->dmabuf, &theirs));
	child_check(!pdt_create(fd, SIZE, PDT_BOTH, 0, &mine));
	op = pdt_copy(mine, 0, theirs, 0, SIZE);
	child_check(!fcntl(fd, F_SETFL, O_NONBLOCK));
	while (!ioctl(fd, DRM_IOCTL_PDDGPU_SUBMIT, &args))
		jobs++;
	child_check(errno == EAGAIN);
	waiting->jobs = jobs;
	for (;;)
		pause();
}

/*
 * The other device's fence ends by itself after 10 s, which a slow machine may need to
 * come so far: then once more. Returns who has queued them, or -1.
 */
static pid_t queue_up(struct waiting *waiting, int vgem, uint32_t theirs, uint32_t *fence,
		      uint64_t *start)
{
	pid_t child;

	for (int tries = 0; tries < 6; tries++) {
		waiting->jobs = 0;
		*start = pdt_now_ms();
		if (pdt_vgem_busy(vgem, theirs, fence))
			return -1;
		child = pdt_fork(queue_behind_it, waiting);
		if (child < 0)
			return -1;
		while (!waiting->jobs && pdt_now_ms() - *start < 8000)
			pdt_sleep_ms(5);
		if (pdt_now_ms() - *start < 8000)
			return child;
		kill(child, SIGKILL);
		pdt_wait(child);
		pdt_vgem_signal(vgem, *fence);
	}
	return -1;
}

/*
 * A client's jobs that wait for another device are so many, keep nobody else
 * waiting, and go with the client when it is killed.
 */
static void jobs_behind_a_foreign_fence(void **state)
{
	struct waiting *waiting = pdt_shared(sizeof(*waiting));
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	int vgem = pdt_vgem_open();
	struct pdt_buffer mine;
	uint64_t count, start;
	uint32_t theirs, fence;
	pid_t child;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_non_null(waiting);
	assert_ok(pdt_vgem_create(vgem, &theirs, &waiting->dmabuf));
	child = queue_up(waiting, vgem, theirs, &fence, &start);
	assert_true(child > 0);
	assert_in_range(waiting->jobs, 32, 256);

	assert_ok(pdt_buffer_create(s->fd, &mine, PDT_MIB, PDT_VRAM, 0));
	op = pdt_fill(mine.handle, 0, PDT_MIB, 4);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, mine.handle, 60000));
	assert_ok(pdt_set_domain(s->fd, mine.handle, PDT_GTT, NULL));
	assert_int_equal(((uint32_t *)mine.map)[1000], 4);

	kill(child, SIGKILL);
	assert_int_equal(pdt_wait(child), 128 + SIGKILL);
	/* They do not end before what they wait for. */
	assert_ok(zombies(s->fd, &count));
	if (pdt_now_ms() - start < 9000)
		assert_true(count > 0);
	pdt_vgem_signal(vgem, fence);
	pdt_buffer_destroy(s->fd, &mine);
	assert_true(pdt_level_wait(s->fd, &s->before));
	close(waiting->dmabuf);
	close(vgem);
	munmap(waiting, sizeof(*waiting));
}

/* How often the card is attached to somebody's dma-buf */
static unsigned int attachments(void)
{
	char *text = pdt_file_read("/sys/kernel/debug/dma_buf/bufinfo");
	unsigned int count = 0;
	char line[64];

	assert_non_null(text);
	snprintf(line, sizeof(line), "\t%s\n", pdt_pci_name());
	for (char *at = text; (at = strstr(at, line)); at++)
		count++;
	free(text);
	return count;
}

static bool attachments_wait(unsigned int count)
{
	uint64_t end = pdt_now_ms() + 5000 * pdt_slow();

	while (attachments() != count) {
		if (pdt_now_ms() > end)
			return false;
		pdt_sleep_ms(5);
	}
	return true;
}

/* What a client's engine finds in a dma-buf, after it has put it there itself */
static void use_theirs(int fd, uint32_t handle, uint32_t value)
{
	struct pdt_buffer buf;
	struct drm_pddgpu_submit_op ops[2];

	assert_ok(pdt_buffer_create(fd, &buf, SIZE, PDT_GTT, 0));
	ops[0] = pdt_fill(handle, 0, SIZE, value);
	ops[1] = pdt_copy(buf.handle, 0, handle, 0, SIZE);
	assert_ok(pdt_submit(fd, &ops[0], 1));
	assert_ok(pdt_submit(fd, &ops[1], 1));
	assert_ok(pdt_wait_idle(fd, buf.handle, 60000));
	for (size_t i = 0; i < SIZE / sizeof(uint32_t); i += 61)
		assert_int_equal(((uint32_t *)buf.map)[i], value);
	pdt_buffer_destroy(fd, &buf);
}

/* Each has a buffer of it; it is mapped for the card once, as long as one of them lives. */
static void by_several_clients(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), other = pdt_open(), dmabuf = -1;
	uint32_t theirs = 0, ours, again, others, fence;
	unsigned int before;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_true(other >= 0);
	before = attachments();
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_import(other, dmabuf, &others));
	assert_int_equal(attachments(), before + 1);
	use_theirs(s->fd, ours, 0x10101010);
	use_theirs(other, others, 0x20202020);

	/* Who came first goes first; and is back while his old one is a zombie. */
	assert_ok(pdt_vgem_busy(vgem, theirs, &fence));
	assert_ok(pdt_destroy(s->fd, ours));
	assert_ok(pdt_import(s->fd, dmabuf, &again));
	assert_int_equal(attachments(), before + 1);
	assert_ok(pdt_destroy(other, others));
	assert_ok(pdt_vgem_signal(vgem, fence));
	use_theirs(s->fd, again, 0x30303030);
	assert_int_equal(attachments(), before + 1);
	assert_ok(pdt_destroy(s->fd, again));
	assert_true(attachments_wait(before));
	assert_true(pdt_level_wait(s->fd, &s->before));
	close(other);
	close(dmabuf);
	close(vgem);
}

#define IMPORTERS	6

struct crowd {
	/** @dmabuf: what all import */
	int dmabuf;
	/** @done: imports that have worked */
	uint64_t done;
};

static int import_often(void *arg, unsigned int index)
{
	struct crowd *crowd = arg;
	int fd = pdt_open();
	uint32_t handle;

	(void)index;
	child_check(fd >= 0);
	for (unsigned int i = 0; i < 200; i++) {
		child_check(!pdt_import(fd, crowd->dmabuf, &handle));
		child_check(!pdt_destroy(fd, handle));
		__atomic_add_fetch(&crowd->done, 1, __ATOMIC_RELAXED);
	}
	close(fd);
	return 0;
}

/* The mapping comes and goes all the time, and is never there twice. */
static void by_a_crowd(void **state)
{
	struct pdt_state *s = *state;
	struct crowd crowd = { .dmabuf = -1 };
	int vgem = pdt_vgem_open();
	uint32_t theirs = 0, ours;
	unsigned int before;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	before = attachments();
	assert_ok(pdt_vgem_create(vgem, &theirs, &crowd.dmabuf));
	assert_int_equal(pdt_threads(IMPORTERS, import_often, &crowd), 0);
	assert_u64(crowd.done, 200 * IMPORTERS);
	assert_true(attachments_wait(before));
	assert_ok(pdt_import(s->fd, crowd.dmabuf, &ours));
	use_theirs(s->fd, ours, 0x40404040);
	assert_ok(pdt_destroy(s->fd, ours));
	assert_true(attachments_wait(before));
	assert_true(pdt_level_wait(s->fd, &s->before));
	close(crowd.dmabuf);
	close(vgem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(failed_imports_leave_nothing),
		pdt_test(busy_buffers_are_imported_at_once),
		pdt_test(zombies_are_listed),
		pdt_test(jobs_behind_a_foreign_fence),
		pdt_test(by_several_clients),
		pdt_test(by_a_crowd),
	};

	return pdt_run_tests("import", tests);
}
