// SPDX-License-Identifier: MIT
/*
 * The card goes without a word: it falls off the bus, or its device program dies,
 * in the midst of everything that it can be used for; and it is plugged out and in.
 * Nobody hangs, everybody is told -ENODEV, and nothing is left.
 */
#include "pdt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 4
/* By a busy host's clock: it takes some 100 ms where nobody is late */
#define PROMPT_MS 4000
/* A dead device is asked after a second at the latest, and has three to answer. */
#define DEATH_MS 12000

/* What threads do until the card is gone; they share it with who takes it away. */
struct users {
	int fd;
	atomic_uint calls;
	atomic_int odd;
};

struct load {
	const char *name;
	int (*fn)(void *arg, unsigned int index);
	/* What the device is told before: so that it is gone in the middle */
	const char *control;
};

/* ---- loads ---- */

/* Until a call fails, which only the end of the card may make it do */
static int over(struct users *users, int rc)
{
	if (!rc) {
		atomic_fetch_add(&users->calls, 1);
		return 0;
	}
	if (rc != -ENODEV) {
		fprintf(stderr, "# a call said %s\n", strerror(-rc));
		atomic_store(&users->odd, rc);
	}
	return 1;
}

static int create_storm(void *arg, unsigned int index)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_CPU };
	struct users *users = arg;
	uint64_t random = index + 1;
	uint32_t handle;

	for (;;) {
		uint64_t r = pdt_random(&random);

		if (over(users, pdt_create(users->fd, (1 + r % 64) * PDT_PAGE,
					   domains[r / 64 % 4], 0, &handle)) ||
		    over(users, pdt_destroy(users->fd, handle)))
			return 0;
	}
}

static int copies(void *arg, unsigned int index)
{
	struct users *users = arg;
	struct drm_pddgpu_submit_op op;
	uint32_t a, b;

	(void)index;
	if (over(users, pdt_create(users->fd, 8 * PDT_MIB, PDT_VRAM, 0, &a)) ||
	    over(users, pdt_create(users->fd, 8 * PDT_MIB, PDT_GTT, 0, &b)))
		return 0;
	for (;;) {
		op = pdt_copy(a, 0, b, 0, 8 * PDT_MIB);
		if (over(users, pdt_submit(users->fd, &op, 1)))
			return 0;
	}
}

/* Twice the VRAM, moved in turn */
static int evictions(void *arg, unsigned int index)
{
	struct users *users = arg;
	struct drm_pddgpu_memory_stats stats;
	uint32_t handles[64];
	size_t count = 0;
	uint64_t size;

	(void)index;
	if (over(users, pdt_stats(users->fd, &stats)))
		return 0;
	size = pdt_pages((stats.vram_used + stats.vram_free) / THREADS / 32);
	for (; count < PDT_ARRAY_SIZE(handles); count++) {
		if (over(users, pdt_create(users->fd, size, PDT_BOTH, 0, &handles[count])))
			return 0;
	}
	for (size_t i = 0;; i = (i + 1) % count) {
		struct drm_pddgpu_submit_op op = pdt_fill(handles[i], 0, size, (uint32_t)i);

		if (over(users, pdt_set_domain(users->fd, handles[i], PDT_BOTH, NULL)) ||
		    over(users, pdt_submit(users->fd, &op, 1)))
			return 0;
	}
}

/* Touches what moves to and fro */
static int mapped(void *arg, unsigned int index)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_CPU };
	struct users *users = arg;
	struct pdt_buffer buf;

	if (over(users, pdt_buffer_create(users->fd, &buf, PDT_MIB, PDT_VRAM, 0)))
		return 0;
	for (unsigned int i = index;; i++) {
		volatile char *bytes = buf.map;

		for (uint64_t at = 0; at < buf.size; at += PDT_PAGE)
			bytes[at]++;
		if (over(users, pdt_set_domain(users->fd, buf.handle, domains[i % 3], NULL)))
			return 0;
	}
}

/* Much is freed, and more wanted: it is being cleared all the time. */
static int clearing(void *arg, unsigned int index)
{
	struct users *users = arg;
	struct drm_pddgpu_submit_op op;
	uint32_t handle;

	(void)index;
	for (;;) {
		if (over(users, pdt_create(users->fd, 4 * PDT_MIB, PDT_VRAM, 0, &handle)))
			return 0;
		op = pdt_fill(handle, 0, 4 * PDT_MIB, 0x5a5a5a5a);
		if (over(users, pdt_submit(users->fd, &op, 1)) ||
		    over(users, pdt_destroy(users->fd, handle)))
			return 0;
	}
}

/* GEM_WAIT, without an end of its own */
static int gem_waits(void *arg, unsigned int index)
{
	struct users *users = arg;
	struct drm_pddgpu_submit_op op;
	struct drm_pddgpu_gem_wait wait = { .timeout_ns = INT64_MAX };
	uint32_t handle;

	(void)index;
	if (over(users, pdt_create(users->fd, PDT_MIB, PDT_VRAM, 0, &handle)))
		return 0;
	wait.handle = handle;
	for (;;) {
		op = pdt_fill(handle, 0, PDT_MIB, 1);
		if (over(users, pdt_submit(users->fd, &op, 1)) ||
		    over(users, pdt_ioctl(users->fd, DRM_IOCTL_PDDGPU_GEM_WAIT, &wait)))
			return 0;
	}
}

static int syncobj_waits(void *arg, unsigned int index)
{
	struct users *users = arg;
	struct drm_pddgpu_submit_op op;
	uint32_t handle, syncobj;

	(void)index;
	if (over(users, pdt_create(users->fd, PDT_MIB, PDT_VRAM, 0, &handle)) ||
	    over(users, pdt_syncobj_create(users->fd, &syncobj)))
		return 0;
	for (;;) {
		op = pdt_fill(handle, 0, PDT_MIB, 1);
		if (over(users, pdt_submit_sync(users->fd, &op, 1, 0, 0, syncobj, 0)) ||
		    over(users, pdt_syncobj_wait(users->fd, syncobj, 0, 60000)))
			return 0;
	}
}

static const struct load loads[] = {
	{ "creating", create_storm, NULL },
	{ "copying", copies, "delay 20000" },
	{ "evicting", evictions, "delay 500" },
	{ "mapped", mapped, NULL },
	{ "clearing", clearing, "delay 500" },
	{ "waiting", gem_waits, "delay 300000" },
	{ "waiting for a syncobj", syncobj_waits, "delay 300000" },
	{ "creating without interrupts", create_storm, "drop-interrupts 1000000" },
};

struct child {
	struct users users;
	const struct load *load;
};

static int use(void *arg)
{
	struct child *child = arg;

	child->users.fd = pdt_open();
	child_check(child->users.fd >= 0);
	/* It ends in -ENODEV, and so soon that who hangs is found out */
	return pdt_threads(THREADS, child->load->fn, &child->users) ||
	       atomic_load(&child->users.odd);
}

/* The card goes under a load. Returns in how many ms all of it had noticed. */
static uint64_t lose_under(enum pdt_way way, const struct load *load, unsigned int calls)
{
	struct child *child = pdt_shared(sizeof(*child));
	uint64_t start = pdt_now_ms();
	char answer[256];
	pid_t pid;

	assert_non_null(child);
	child->load = load;
	if (load->control)
		assert_ok(pdt_control(load->control, answer, sizeof(answer)));
	pid = pdt_fork(use, child);
	while (atomic_load(&child->users.calls) < calls &&
	       pdt_now_ms() < start + 10000 * pdt_slow())
		pdt_sleep_ms(2);
	assert_true(atomic_load(&child->users.calls) > 0);
	start = pdt_now_ms();
	assert_ok(pdt_take_away(way));
	if (pdt_wait(pid))
		fail_msg("%s, %s: the users did not end well", pdt_way_names[way], load->name);
	start = pdt_now_ms() - start;
	munmap(child, sizeof(*child));
	return start;
}

static uint64_t limit_of(enum pdt_way way, const struct load *load)
{
	if (way == PDT_DIE)
		return DEATH_MS * pdt_slow();
	/* Who is there to the end finishes what it does. */
	return (PROMPT_MS + (way == PDT_ONES || way == PDT_BUS || !load->control ? 0 : 20000)) *
	       pdt_slow();
}

static void check_time(enum pdt_way way, const struct load *load, uint64_t ms)
{
	printf("# %s, %s: -ENODEV after %llu ms\n", pdt_way_names[way], load->name,
	       (unsigned long long)ms);
	if (ms > limit_of(way, load))
		fail_msg("that is too long");
}

/* ---- tests ---- */

static void every_load(enum pdt_way way)
{
	/* A card that goes in order is in test_unplug too */
	size_t step = way == PDT_ONES || way == PDT_BUS || way == PDT_DIE ? 1 : 2;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(loads); i += step) {
		uint64_t ms;

		if (!pdt_way_possible(way)) {
			printf("# not here: %s\n", pdt_way_names[way]);
			skip();
		}
		ms = lose_under(way, &loads[i], loads[i].control ? 5 : 50);
		assert_ok(pdt_bring_back(way));
		check_time(way, &loads[i], ms);
		assert_ok(pdt_gone_works());
	}
}

static void all_ones_under_load(void **state)
{
	(void)state;
	every_load(PDT_ONES);
}

static void off_the_bus_under_load(void **state)
{
	(void)state;
	every_load(PDT_BUS);
}

static void death_under_load(void **state)
{
	(void)state;
	every_load(PDT_DIE);
}

static void removed_under_load(void **state)
{
	(void)state;
	every_load(PDT_REMOVE);
}

static void unbound_under_load(void **state)
{
	(void)state;
	every_load(PDT_UNBIND);
}

static void plugged_out_under_load(void **state)
{
	(void)state;
	every_load(PDT_PLUG);
}

/* Any way, under any load, at any moment, again and again */
static void many_times(unsigned int count, const enum pdt_way *ways, size_t ways_count)
{
	uint64_t random = pdt_seed(1), sum = 0, most = 0;

	for (unsigned int i = 0; i < count; i++) {
		enum pdt_way way = ways[pdt_random(&random) % ways_count];
		const struct load *load =
			&loads[pdt_random(&random) % PDT_ARRAY_SIZE(loads)];
		uint64_t ms;

		if (!pdt_way_possible(way))
			way = PDT_REMOVE;
		ms = lose_under(way, load, 1 + (unsigned int)(pdt_random(&random) % 40));
		sum += ms;
		most = ms > most ? ms : most;
		if (ms > limit_of(way, load))
			check_time(way, load, ms);
		assert_ok(pdt_bring_back(way));
		assert_ok(pdt_gone_works());
	}
	if (count)
		printf("# %u times: -ENODEV after %llu ms on average, %llu at most\n", count,
		       (unsigned long long)(sum / count), (unsigned long long)most);
}

static void many_unplugs(void **state)
{
	static const enum pdt_way ways[] = { PDT_ONES, PDT_BUS, PDT_REMOVE, PDT_UNBIND, PDT_PLUG };

	(void)state;
	many_times(pdt_count("PDT_UNPLUGS", 10), ways, PDT_ARRAY_SIZE(ways));
}

static void many_deaths(void **state)
{
	static const enum pdt_way ways[] = { PDT_DIE };

	(void)state;
	if (!pdt_way_possible(PDT_DIE))
		pdt_skip("the card cannot be plugged in again");
	many_times(pdt_count("PDT_DEATHS", 4), ways, PDT_ARRAY_SIZE(ways));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_gone_test(all_ones_under_load),
		pdt_gone_test(off_the_bus_under_load),
		pdt_gone_test(death_under_load),
		pdt_gone_test(removed_under_load),
		pdt_gone_test(unbound_under_load),
		pdt_gone_test(plugged_out_under_load),
		pdt_gone_test(many_unplugs),
		pdt_gone_test(many_deaths),
	};

	return pdt_run_tests("gone", tests);
}
