// SPDX-License-Identifier: MIT
/* What fdinfo says of engines: whose buffers are in use, and for whom they work. */
#include "pdt.h"

#include <pthread.h>
#include <unistd.h>

#define VRAM	PDT_FDINFO_VRAM
#define GTT	PDT_FDINFO_GTT
#define SIZE	(4 * PDT_MIB)

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

static struct pdt_fdinfo read_of(int fd)
{
	struct pdt_fdinfo info;

	assert_ok(pdt_fdinfo(fd, &info));
	return info;
}

static uint64_t active(int fd)
{
	struct pdt_fdinfo info = read_of(fd);

	return info.active[VRAM] + info.active[GTT] + info.active[PDT_FDINFO_MEMORY];
}

/* A job is over a moment before all that it has used is known to be idle. */
static void expect_active_soon(int fd, uint64_t bytes)
{
	uint64_t end = pdt_now_ms() + 5000 * pdt_slow();

	while (active(fd) != bytes && pdt_now_ms() < end)
		pdt_sleep_ms(1);
	assert_u64(active(fd), bytes);
}

static void fill_some(int fd, uint32_t handle, unsigned int times)
{
	struct drm_pddgpu_submit_op op = pdt_fill(handle, 0, SIZE, 0x5a);

	for (unsigned int i = 0; i < times; i++)
		assert_ok(pdt_submit(fd, &op, 1));
	assert_ok(pdt_wait_idle(fd, handle, 60000));
}

/* It grows with the work, by no more than the time that has passed, and for who asked */
static void jobs_take_time(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_fdinfo one, two;
	int other = pdt_open();
	uint64_t begun, ms;
	uint32_t handle;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_u64(read_of(s->fd).copy_ns, 0);
	begun = pdt_now_ms();
	fill_some(s->fd, handle, 4);
	one = read_of(s->fd);
	fill_some(s->fd, handle, 40);
	two = read_of(s->fd);
	ms = pdt_now_ms() - begun + 1;
	assert_true(one.copy_ns > 0);
	/* Ten times as much; the machine may have slept during the first */
	assert_true(two.copy_ns > one.copy_ns);
	assert_true(two.copy_ns <= ms * 1000000);
	assert_u64(read_of(other).copy_ns, 0);
	assert_u64(read_of(other).paging_ns, 0);
	/* Who does nothing takes nothing */
	pdt_sleep_ms(50);
	assert_u64(read_of(s->fd).copy_ns, two.copy_ns);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_u64(read_of(s->fd).copy_ns, two.copy_ns);
	close(other);
}

/* What the engine is at counts already; what waits behind it does not */
static void running_counts(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_fdinfo info;
	uint32_t mine, theirs;
	int other = pdt_open();
	uint64_t last = 0;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &mine));
	assert_ok(pdt_create(other, SIZE, PDT_VRAM, 0, &theirs));
	control("hang 0");
	op = pdt_fill(mine, 0, SIZE, 1);
	assert_ok(pdt_submit(s->fd, &op, 1));
	/* In the ring, so that its turn is the first */
	pdt_sleep_ms(100);
	op = pdt_fill(theirs, 0, SIZE, 1);
	assert_ok(pdt_submit(other, &op, 1));
	for (int i = 0; i < 3; i++) {
		pdt_sleep_ms(200);
		info = read_of(s->fd);
		assert_true(info.copy_ns >= last + 190000000);
		last = info.copy_ns;
		assert_u64(read_of(other).copy_ns, 0);
	}
	control("unhang 0");
	assert_ok(pdt_wait_idle(s->fd, mine, 10000));
	assert_ok(pdt_wait_idle(other, theirs, 10000));
	assert_true(read_of(s->fd).copy_ns >= last);
	assert_true(read_of(other).copy_ns > 0);
	assert_true(read_of(other).copy_ns < last);
	assert_ok(pdt_destroy(s->fd, mine));
	close(other);
}

/* Moves belong to who moves, also what another has made */
static void moves_take_time(void **state)
{
	struct pdt_state *s = *state;
	int other = pdt_open(), dmabuf;
	struct pdt_fdinfo mine, info;
	uint32_t handle, theirs;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	mine = read_of(s->fd);
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_ok(pdt_import(other, dmabuf, &theirs));
	close(dmabuf);
	assert_ok(pdt_set_domain(other, theirs, PDT_GTT, NULL));
	info = read_of(other);
	assert_true(info.paging_ns > 0);
	assert_u64(info.copy_ns, 0);
	assert_u64(read_of(s->fd).paging_ns, mine.paging_ns);
	assert_ok(pdt_set_domain(s->fd, handle, PDT_VRAM, NULL));
	assert_true(read_of(s->fd).paging_ns > mine.paging_ns);
	assert_u64(read_of(other).paging_ns, info.paging_ns);
	assert_ok(pdt_destroy(s->fd, handle));
	close(other);
}

/* A job that needs a buffer where the engine reaches it has it brought there */
static void jobs_bring_buffers(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_fdinfo before;
	uint64_t moved;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM | PDT_CPU, 0, &handle));
	assert_ok(pdt_page_out("vram", SIZE, &moved));
	if (pdt_domain(s->fd, handle) != PDT_CPU)
		pdt_skip("it does not leave VRAM");
	/* root's page-out was nobody's */
	before = read_of(s->fd);
	op = pdt_fill(handle, 0, SIZE, 1);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, handle, 10000));
	assert_true(read_of(s->fd).paging_ns > before.paging_ns);
	assert_ok(pdt_destroy(s->fd, handle));
}

#define MOST	1000

/* Who needs room has others moved, and that is on his account */
static void evictions_take_time(void **state)
{
	struct pdt_state *s = *state;
	static uint32_t handles[MOST];
	struct pdt_fdinfo before, victim, mine;
	int other = pdt_open();
	unsigned int i;
	uint32_t handle;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &handle));
	before = read_of(s->fd);
	for (i = 0; i < MOST && !read_of(s->fd).evictions; i++) {
		if (pdt_create(other, 2 * PDT_MIB, PDT_BOTH, 0, &handles[i]))
			break;
	}
	victim = read_of(s->fd);
	if (!victim.evictions)
		pdt_skip("VRAM is not full after %u buffers", i);
	/* The move may be going on still */
	assert_ok(pdt_wait_idle(s->fd, handle, 10000));
	mine = read_of(other);
	assert_true(mine.paging_ns > 0);
	assert_u64(victim.paging_ns, before.paging_ns);
	assert_u64(read_of(s->fd).paging_ns, before.paging_ns);
	close(other);
	assert_ok(pdt_destroy(s->fd, handle));
}

/* A CPU touches what lies where it does not reach: whose mapping was that? */
static void touches_take_time(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_fdinfo before, others;
	int other = pdt_open(), dmabuf;
	uint32_t handle, theirs;
	void *map;

	assert_true(other >= 0);
	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_total == stats.vram_visible_total)
		pdt_skip("all of VRAM is visible");
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_ok(pdt_import(other, dmabuf, &theirs));
	close(dmabuf);
	assert_ok(pdt_mmap(other, theirs, SIZE, &map));
	before = read_of(s->fd);
	others = read_of(other);
	*(volatile uint32_t *)map = 7;
	assert_true(read_of(other).paging_ns > others.paging_ns);
	assert_u64(read_of(s->fd).paging_ns, before.paging_ns);
	assert_ok(pdt_destroy(s->fd, handle));
	close(other);
}

/* What a job uses is in use for all who have it, whoever goes meanwhile */
static void in_use(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op ops[2];
	int other = pdt_open(), dmabuf;
	uint32_t alone, shared, theirs;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &alone));
	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_GTT, 0, &shared));
	assert_ok(pdt_export(s->fd, shared, &dmabuf));
	assert_ok(pdt_import(other, dmabuf, &theirs));
	close(dmabuf);
	assert_u64(active(s->fd), 0);

	control("hang 0");
	ops[0] = pdt_fill(alone, 0, SIZE, 1);
	ops[1] = pdt_copy(shared, 0, alone, 0, PDT_MIB);
	assert_ok(pdt_submit(s->fd, ops, 2));
	/* Again: in use once */
	assert_ok(pdt_submit(s->fd, ops, 2));
	assert_u64(read_of(s->fd).active[VRAM], SIZE);
	assert_u64(read_of(s->fd).active[GTT], PDT_MIB);
	assert_u64(active(other), PDT_MIB);
	/* It goes, though the job still has it */
	assert_ok(pdt_destroy(s->fd, alone));
	assert_u64(active(s->fd), PDT_MIB);
	assert_ok(pdt_destroy(s->fd, shared));
	assert_u64(active(s->fd), 0);
	assert_u64(active(other), PDT_MIB);
	control("unhang 0");
	expect_active_soon(other, 0);
	assert_u64(read_of(other).total[GTT], PDT_MIB);
	close(other);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

/* A file that is closed while its jobs run: they go on, and then it is all over */
static void closed_meanwhile(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	int other = pdt_open(), dmabuf;
	uint32_t mine, theirs;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &mine));
	assert_ok(pdt_export(s->fd, mine, &dmabuf));
	assert_ok(pdt_import(other, dmabuf, &theirs));
	close(dmabuf);
	control("hang 0");
	op = pdt_fill(theirs, 0, SIZE, 1);
	assert_ok(pdt_submit(other, &op, 1));
	pdt_sleep_ms(50);
	close(other);
	assert_u64(active(s->fd), SIZE);
	assert_u64(read_of(s->fd).copy_ns, 0);
	control("unhang 0");
	expect_active_soon(s->fd, 0);
	assert_ok(pdt_destroy(s->fd, mine));
}

static int move_away(void *arg)
{
	const struct pdt_buffer *buf = arg;
	int fd = (int)buf->seed;

	child_check(!pdt_set_domain(fd, buf->handle, PDT_GTT, NULL));
	return 0;
}

/* So is what is being moved */
static void on_its_way(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf = { .seed = (uint64_t)s->fd };
	pid_t pid;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &buf.handle));
	control("hang 1");
	pid = pdt_fork(move_away, &buf);
	assert_true(pid > 0);
	expect_active_soon(s->fd, SIZE);
	assert_u64(read_of(s->fd).active[VRAM], SIZE);
	control("unhang 1");
	assert_int_equal(pdt_wait(pid), 0);
	expect_active_soon(s->fd, 0);
	assert_u64(read_of(s->fd).resident[GTT], SIZE);
	assert_ok(pdt_destroy(s->fd, buf.handle));
}

/**
 * struct watch - one who reads all the time
 */
struct watch {
	/** @fd: of whom */
	int fd;
	/** @stop: enough */
	volatile bool stop;
	/** @reads: how often it has */
	volatile unsigned long reads;
	/** @wrong: how often a figure went back, or was more than there is */
	volatile unsigned long wrong;
};

static void *watch(void *arg)
{
	struct pdt_fdinfo before = {}, now;
	struct watch *w = arg;

	while (!w->stop) {
		if (pdt_fdinfo(w->fd, &now) || now.copy_ns < before.copy_ns ||
		    now.paging_ns < before.paging_ns || now.evictions < before.evictions ||
		    now.active[VRAM] > now.resident[VRAM] || now.active[GTT] > now.resident[GTT])
			w->wrong++;
		before = now;
		w->reads++;
	}
	return NULL;
}

/* Figures only grow, whatever goes on meanwhile */
static void never_back(void **state)
{
	struct pdt_state *s = *state;
	struct watch w = { .fd = s->fd };
	uint64_t end = pdt_now_ms() + 1500;
	uint32_t handle;
	pthread_t thread;

	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &handle));
	assert_int_equal(pthread_create(&thread, NULL, watch, &w), 0);
	while (pdt_now_ms() < end) {
		struct drm_pddgpu_submit_op ops[8];

		for (unsigned int i = 0; i < PDT_ARRAY_SIZE(ops); i++) {
			ops[i] = pdt_fill(handle, 0, i % 2 ? PDT_PAGE : SIZE, i);
			assert_ok(pdt_submit(s->fd, &ops[i], 1));
		}
		assert_ok(pdt_submit(s->fd, ops, PDT_ARRAY_SIZE(ops)));
		assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
		assert_ok(pdt_set_domain(s->fd, handle, PDT_BOTH, NULL));
	}
	w.stop = true;
	pthread_join(thread, NULL);
	assert_true(w.reads > 10);
	assert_int_equal(w.wrong, 0);
	expect_active_soon(s->fd, 0);
	assert_ok(pdt_destroy(s->fd, handle));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(jobs_take_time),
		pdt_test(running_counts),
		pdt_test(moves_take_time),
		pdt_test(jobs_bring_buffers),
		pdt_test(evictions_take_time),
		pdt_test(touches_take_time),
		pdt_test(in_use),
		pdt_test(closed_meanwhile),
		pdt_test(on_its_way),
		pdt_test(never_back),
	};

	return pdt_run_tests("fdinfo_time", tests);
}
