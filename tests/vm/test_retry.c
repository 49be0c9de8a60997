// SPDX-License-Identifier: MIT
/*
 * A request that finds no room is tried again while room may come: as often and
 * as late as was set, no oftener, and not where nothing can help. To have it so
 * for as long as a test needs, an engine is made to hang: then a buffer that was
 * freed is not free yet, and one who wants its memory waits holding it. Its VM
 * loads the driver with a long job_timeout_ms.
 */
#include "pdt.h"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#define MAX_BUFFERS	2000
#define CHUNK		(4 * PDT_MIB)

/* What differs between the two managers */
static const struct domain {
	const char *name;
	uint32_t domain;
	/* What is set when the driver is loaded */
	unsigned int count, delay;
} domains[] = {
	{ "vram", PDT_VRAM, 3, 10 },
	{ "gtt", PDT_GTT, 3, 5 },
};

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

static uint64_t figure(const struct domain *d, const char *what)
{
	char *text = pdt_debugfs_read("health"), name[64];
	uint64_t value = 0;

	assert_non_null(text);
	snprintf(name, sizeof(name), "%s_%s", d->name, what);
	assert_ok(pdt_number_of(text, name, &value));
	free(text);
	return value;
}

static void set(const struct domain *d, const char *what, unsigned int value)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_retry_%s", d->name, what);
	assert_ok(pdt_debugfs_write_u64(name, value));
}

/**
 * struct full - a domain that is full
 */
struct full {
	/** @bufs: what fills it; the first is CHUNK long */
	struct pdt_buffer bufs[MAX_BUFFERS];
	/** @count: of them */
	size_t count;
};

static struct full full;

static void fill(struct pdt_state *s, const struct domain *d)
{
	int err;

	full.count = pdt_fill_domain(s->fd, full.bufs, MAX_BUFFERS, CHUNK, d->domain, &err);
	assert_true(full.count > 2 && full.count < MAX_BUFFERS);
	assert_int_equal(err, -ENOMEM);
	assert_u64(full.bufs[0].size, CHUNK);
}

static void empty(struct pdt_state *s)
{
	for (size_t i = 0; i < full.count; i++)
		pdt_buffer_destroy(s->fd, &full.bufs[i]);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

/**
 * struct request - one who wants a buffer, in a thread of his own
 */
struct request {
	/** @thread: his */
	pthread_t thread;
	/** @fd: the device */
	int fd;
	/** @domains: where he wants it */
	uint32_t domains;
	/** @handle: what he got */
	uint32_t handle;
	/** @rc: what he was told */
	int rc;
	/** @ms: how long it took */
	uint64_t ms;
};

static void *ask(void *arg)
{
	struct request *r = arg;
	uint64_t begun = pdt_now_ms();

	r->rc = pdt_create(r->fd, CHUNK, r->domains, 0, &r->handle);
	r->ms = pdt_now_ms() - begun;
	return NULL;
}

static void ask_in_a_thread(struct pdt_state *s, struct request *r, uint32_t wanted)
{
	*r = (struct request){ .fd = s->fd, .domains = wanted };
	assert_int_equal(pthread_create(&r->thread, NULL, ask, r), 0);
}

static void answered(struct request *r)
{
	assert_int_equal(pthread_join(r->thread, NULL), 0);
}

/*
 * The engine hangs at a job that uses the first buffer, which is freed, and
 * somebody waits for its memory: all that others can do is to try again.
 */
static void somebody_waits(struct pdt_state *s, struct request *first, uint32_t wanted)
{
	struct drm_pddgpu_submit_op op =
		pdt_fill(full.bufs[0].handle, 0, PDT_PAGE, 0x55555555);

	control("hang 0");
	assert_ok(pdt_submit(s->fd, &op, 1));
	pdt_buffer_destroy(s->fd, &full.bufs[0]);
	ask_in_a_thread(s, first, wanted);
	/* No figure says that it has come there. */
	pdt_sleep_ms(200);
}

static void nobody_waits(struct pdt_state *s, struct request *first)
{
	control("unhang 0");
	answered(first);
	assert_ok(first->rc);
	assert_ok(pdt_destroy(s->fd, first->handle));
}

static int teardown(void **state)
{
	char answer[256];
	int rc = pdt_control("unhang 0", answer, sizeof(answer));

	return pdt_teardown(state) || pdt_settings_restore() || rc ? -1 : 0;
}

static void as_often_and_as_late(struct pdt_state *s, const struct domain *d)
{
	const struct {
		unsigned int count, delay;
	} cases[] = {
		{ d->count, d->delay }, { 0, 10 }, { 1, 200 }, { 7, 30 }, { 5, 0 },
	};
	struct request first, second;

	fill(s, d);
	somebody_waits(s, &first, d->domain);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(cases); i++) {
		uint64_t retries = figure(d, "retries"), helped = figure(d, "retries_helped");

		/* The first are what it was loaded with. */
		if (i) {
			set(d, "count", cases[i].count);
			set(d, "delay", cases[i].delay);
		}
		ask_in_a_thread(s, &second, d->domain);
		answered(&second);
		assert_int_equal(second.rc, -ENOMEM);
		assert_u64(figure(d, "retries"), retries + cases[i].count);
		assert_u64(figure(d, "retries_helped"), helped);
		/* A tick that came late makes a sleep look shorter. */
		assert_true(4 * second.ms >= 3 * cases[i].count * cases[i].delay);
	}
	nobody_waits(s, &first);
	empty(s);
}

static void counts_and_delays(void **state)
{
	for (size_t i = 0; i < PDT_ARRAY_SIZE(domains); i++) {
		as_often_and_as_late(*state, &domains[i]);
		assert_ok(pdt_settings_restore());
	}
}

/* Somebody frees while it is being tried again. */
static void helps_when_freed(void **state)
{
	struct request first, second;
	struct pdt_state *s = *state;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(domains); i++) {
		const struct domain *d = &domains[i];
		uint64_t retries = figure(d, "retries"), helped = figure(d, "retries_helped");

		fill(s, d);
		set(d, "count", 100);
		set(d, "delay", 20);
		somebody_waits(s, &first, d->domain);
		ask_in_a_thread(s, &second, d->domain);
		while (figure(d, "retries") < retries + 3)
			pdt_sleep_ms(5);
		pdt_buffer_destroy(s->fd, &full.bufs[1]);
		answered(&second);
		assert_ok(second.rc);
		assert_true(second.ms >= 3 * 20);
		assert_u64(figure(d, "retries_helped"), helped + 1);
		assert_ok(pdt_destroy(s->fd, second.handle));
		nobody_waits(s, &first);
		/* It waited where it was, and was not tried again. */
		assert_u64(figure(d, "retries_helped"), helped + 1);
		empty(s);
	}
}

/* Full of what stays, and nobody at work: it is said at once, however patient. */
static void not_in_vain(void **state)
{
	struct pdt_state *s = *state;
	struct request request;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(domains); i++) {
		const struct domain *d = &domains[i];
		uint64_t retries, helped;

		fill(s, d);
		retries = figure(d, "retries");
		helped = figure(d, "retries_helped");
		set(d, "count", 100);
		set(d, "delay", 10000);
		ask_in_a_thread(s, &request, d->domain);
		answered(&request);
		assert_int_equal(request.rc, -ENOMEM);
		assert_true(request.ms < 5000);
		/* Nor what cannot be at all */
		assert_err(E2BIG, pdt_create(s->fd, 1ULL << 50, d->domain, 0,
					     &request.handle));
		assert_u64(figure(d, "retries"), retries);
		assert_u64(figure(d, "retries_helped"), helped);
		empty(s);
	}
}

static void ring(int number)
{
	(void)number;
}

/* It neither waits for the rest of the delay nor begins anew. */
static void ends_with_a_signal(void **state)
{
	const struct itimerval soon = { .it_value.tv_usec = 300000 }, never = { 0 };
	const struct sigaction action = { .sa_handler = ring };
	struct drm_pddgpu_gem_create args = {
		.size = CHUNK,
		.domains = PDT_VRAM,
	};
	struct pdt_state *s = *state;
	struct request first;
	uint64_t retries, begun;
	sigset_t alarm;
	int rc;

	fill(s, &domains[0]);
	set(&domains[0], "delay", 10000);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	/* The other thread is not to be the one who hears it. */
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	somebody_waits(s, &first, PDT_VRAM);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	retries = figure(&domains[0], "retries");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	begun = pdt_now_ms();
	rc = ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args) ? -errno : 0;
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(rc, -EINTR);
	assert_true(pdt_now_ms() - begun < 5000);
	assert_u64(figure(&domains[0], "retries"), retries + 1);
	nobody_waits(s, &first);
	empty(s);
}

/* Not under a lock: others allocate, free and read all the while. */
static void nobody_else_waits(void **state)
{
	struct pdt_state *s = *state;
	struct request first, second;
	uint64_t begun;
	uint32_t handle;
	char *text;

	fill(s, &domains[0]);
	set(&domains[0], "count", 1);
	set(&domains[0], "delay", 1000);
	somebody_waits(s, &first, PDT_VRAM);
	ask_in_a_thread(s, &second, PDT_VRAM);
	pdt_sleep_ms(100);
	begun = pdt_now_ms();
	pdt_buffer_destroy(s->fd, &full.bufs[full.count - 1]);
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_destroy(s->fd, handle));
	text = pdt_debugfs_read("vram_mm");
	assert_non_null(text);
	free(text);
	assert_true(pdt_now_ms() - begun < 700);
	answered(&second);
	assert_int_equal(second.rc, -ENOMEM);
	assert_true(second.ms >= 1000);
	nobody_waits(s, &first);
	empty(s);
}

#define retry_test(f) cmocka_unit_test_setup_teardown(f, pdt_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		retry_test(counts_and_delays),
		retry_test(helps_when_freed),
		retry_test(not_in_vain),
		retry_test(ends_with_a_signal),
		retry_test(nobody_else_waits),
	};

	return pdt_run_tests("retry", tests);
}
