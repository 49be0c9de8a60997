// SPDX-License-Identifier: MIT
/*
 * Free VRAM is cleared in the background; what it held is seen by nobody. All of
 * it is looked at and written by the engine of the users, so that invisible VRAM
 * stays where it is and faults hit the other engine.
 */
#include "pdt.h"

#include <sys/wait.h>
#include <unistd.h>

#define MOST		4096	/* buffers that fill VRAM */
#define CONTIGUOUS	PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS
#define SWITCH		"/sys/module/pddgpu/parameters/clear_freed"

static struct pdt_buffer bufs[MOST];
static struct pdt_buffer glass;

/* A figure of the VRAM manager */
static uint64_t figure(const char *name)
{
	uint64_t value;

	assert_ok(pdt_vram_mm(name, &value));
	return value;
}

static uint64_t filled(void)
{
	uint64_t value;

	assert_ok(pdt_control_stat("bytes_filled", &value));
	return value;
}

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

/* Until all that was freed is clear, and nothing goes on */
static void wait_until_clear(void)
{
	uint64_t end = pdt_now_ms() + 60000, clear = 0, before;

	do {
		if (pdt_now_ms() > end)
			fail_msg("%llu bytes are still to be cleared",
				 (unsigned long long)figure("to_clear"));
		before = clear;
		pdt_sleep_ms(60);
		clear = figure("clear");
	} while (figure("to_clear") || figure("clearing") || clear != before);
}

static bool wait_until_clearing(void)
{
	for (unsigned int i = 0; i < 4000 && !figure("clearing"); i++)
		usleep(500);
	return figure("clearing");
}

static void check_zeros(int fd, const struct pdt_buffer *buf)
{
	assert_ok(pdt_glass_zero_check(fd, &glass, buf->handle, buf->size, PDT_MIB / 2));
}

static void create(int fd, struct pdt_buffer *buf, uint64_t size, uint32_t flags)
{
	*buf = (struct pdt_buffer) { .size = size };
	assert_ok(pdt_create(fd, size, PDT_VRAM, flags, &buf->handle));
	check_zeros(fd, buf);
}

static void spoil(int fd, const struct pdt_buffer *buf)
{
	assert_ok(pdt_spoil(fd, buf->handle, buf->size, 0xd1d1d1d1));
}

/* Creates, checks for zeros and spoils; returns how many there were. */
static size_t fill_vram(int fd, uint64_t chunk, uint64_t *bytes)
{
	size_t n;
	int err;

	n = pdt_fill_domain(fd, bufs, MOST, chunk, PDT_VRAM, &err);
	assert_int_equal(err, -ENOMEM);
	control("delay 0");
	*bytes = 0;
	for (size_t i = 0; i < n; i++) {
		check_zeros(fd, &bufs[i]);
		spoil(fd, &bufs[i]);
		*bytes += bufs[i].size;
	}
	return n;
}

static void free_all(int fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(fd, &bufs[i]);
}

/* A size of which some hundred fill VRAM; not where the host has less memory */
static uint64_t chunk_of(int fd)
{
	struct drm_pddgpu_memory_stats stats;
	uint64_t chunk = PDT_MIB;

	assert_ok(pdt_stats(fd, &stats));
	if (stats.vram_total > 2 * PDT_GIB)
		pdt_skip("VRAM is too large to fill");
	while (chunk < stats.vram_total / 128)
		chunk *= 2;
	return chunk;
}

static int setup(void **state)
{
	struct pdt_state *s;
	int rc = pdt_setup(state);

	if (rc)
		return rc;
	s = *state;
	if (pdt_glass_create(s->fd, &glass))
		return -1;
	return pdt_level_read(s->fd, &s->before);
}

static int teardown(void **state)
{
	struct pdt_state *s = *state;
	char answer[64];

	pdt_control("clear", answer, sizeof(answer));
	pdt_file_write(SWITCH, "1");
	if (!pdt_level_wait(s->fd, &s->before))
		fprintf(stderr, "# something is left\n");
	pdt_buffer_destroy(s->fd, &glass);
	s->before.gtt_used -= 4 * PDT_MIB;
	s->before.objects--;
	return pdt_teardown(state);
}

/* After a pause buffers of the same kind need no fill, and are zeros. */
static void cleared_in_a_pause(void **state)
{
	static const uint64_t sizes[] = {
		PDT_PAGE, 64 * PDT_KIB, 68 * PDT_KIB, 256 * PDT_KIB, 768 * PDT_KIB,
	};
	struct pdt_state *s = *state;
	uint64_t before;

	for (unsigned int round = 0; round < 6; round++) {
		uint32_t flags = round % 2 ? CONTIGUOUS : 0;

		wait_until_clear();
		before = filled();
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++)
			create(s->fd, &bufs[i], sizes[i], flags);
		/* The first rounds find what has never been used */
		if (round >= 3)
			assert_u64(filled(), before);
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
			spoil(s->fd, &bufs[i]);
			pdt_buffer_destroy(s->fd, &bufs[i]);
		}
	}
	wait_until_clear();
	assert_true(figure("clear") >= 2 * PDT_MIB);
}

/* The chip itself finds zeros there before anybody asks for them. */
static void chip_finds_zeros(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info;
	unsigned char bytes[1024];

	create(s->fd, &bufs[0], PDT_MIB, CONTIGUOUS);
	spoil(s->fd, &bufs[0]);
	assert_ok(pdt_info(s->fd, bufs[0].handle, &info));
	assert_ok(pdt_control_peek(info.offset, bytes, sizeof(bytes)));
	assert_int_equal(pdt_zero_check(bytes, sizeof(bytes)), 0);
	pdt_buffer_destroy(s->fd, &bufs[0]);
	wait_until_clear();
	for (unsigned int i = 0; i < 16; i++) {
		assert_ok(pdt_control_peek(info.offset + i * 64 * PDT_KIB, bytes,
					   sizeof(bytes)));
		assert_int_equal(pdt_zero_check(bytes, sizeof(bytes)), -1);
	}
}

/* Nothing is cleared twice, and only so much that nobody has asked for. */
static void no_more_than_needed(void **state)
{
	static const uint64_t sizes[] = { 4 * PDT_KIB, 256 * PDT_KIB, PDT_MIB, 3 * PDT_MIB };
	struct pdt_state *s = *state;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
		uint64_t before, bytes;

		wait_until_clear();
		before = filled();
		for (unsigned int k = 0; k < 40; k++) {
			assert_ok(pdt_create(s->fd, sizes[i], PDT_VRAM, 0, &bufs[0].handle));
			assert_ok(pdt_destroy(s->fd, bufs[0].handle));
		}
		wait_until_clear();
		bytes = filled() - before;
		if (bytes > 40 * sizes[i] + 33 * PDT_MIB)
			fail_msg("40 times %llu bytes: %llu were filled",
				 (unsigned long long)sizes[i], (unsigned long long)bytes);
	}
}

/*
 * All of VRAM can be had while part of it is being cleared, which an engine that
 * takes its time makes sure of. What is being cleared counts as free.
 */
static void full_while_clearing(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats, before;
	uint64_t chunk = chunk_of(s->fd), all, bytes;
	bool held = false;
	size_t n;

	assert_ok(pdt_stats(s->fd, &before));
	n = fill_vram(s->fd, chunk, &all);
	for (unsigned int round = 0; round < 3; round++) {
		control("delay 5000");
		free_all(s->fd, n);
		/* Failing to find room has put it off */
		if (wait_until_clearing()) {
			held = true;
			assert_ok(pdt_stats(s->fd, &stats));
			assert_u64(stats.vram_used, before.vram_used);
			assert_u64(stats.vram_free, before.vram_free);
			assert_u64(stats.vram_visible_used, before.vram_visible_used);
		}
		if (round % 2)
			control("delay 0");
		n = fill_vram(s->fd, round % 2 ? chunk : 2 * chunk, &bytes);
		assert_u64(bytes, all);
		assert_ok(pdt_stats(s->fd, &stats));
		assert_u64(stats.vram_used, before.vram_used + all);
		assert_u64(stats.vram_visible_used, stats.vram_visible_total);
	}
	assert_true(held);
	free_all(s->fd, n);
	wait_until_clear();
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.vram_used, before.vram_used);
}

/* One request for all that is free, while some of it is held; nobody makes room. */
static void one_large_while_clearing(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats, after;
	unsigned int held = 0;
	struct pdt_buffer bystander;

	chunk_of(s->fd);
	create(s->fd, &bystander, 64 * PDT_KIB, 0);
	assert_ok(pdt_set_domain(s->fd, bystander.handle, PDT_BOTH, NULL));
	assert_ok(pdt_stats(s->fd, &stats));
	for (unsigned int round = 0; round < 6; round++) {
		create(s->fd, &bufs[0], stats.vram_free, 0);
		spoil(s->fd, &bufs[0]);
		control("delay 10000");
		pdt_buffer_destroy(s->fd, &bufs[0]);
		held += wait_until_clearing();
		/* In the last rounds at another moment of it */
		usleep(round * 1000);
		assert_ok(pdt_create(s->fd, stats.vram_free, PDT_VRAM, 0, &bufs[0].handle));
		control("delay 0");
		bufs[0].size = stats.vram_free;
		check_zeros(s->fd, &bufs[0]);
		pdt_buffer_destroy(s->fd, &bufs[0]);
	}
	assert_true(held);
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.evictions, stats.evictions);
	pdt_buffer_destroy(s->fd, &bystander);
}

/* In one piece, where free memory is clear here and dirty there */
static void contiguous_among_clear(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint64_t chunk = chunk_of(s->fd), all, large;
	size_t n;

	assert_ok(pdt_stats(s->fd, &stats));
	large = stats.vram_total / 8 * 5;
	if (pdt_create(s->fd, large, PDT_VRAM, CONTIGUOUS, &bufs[0].handle))
		pdt_skip("VRAM is not free in one piece");
	assert_ok(pdt_destroy(s->fd, bufs[0].handle));
	for (unsigned int round = 0; round < 2; round++) {
		n = fill_vram(s->fd, chunk, &all);
		/* Every third of them is freed, and cleared, before the others */
		for (size_t i = 0; i < n; i += 3)
			pdt_buffer_destroy(s->fd, &bufs[i]);
		pdt_sleep_ms(300);
		wait_until_clear();
		assert_ok(pdt_file_write(SWITCH, "0"));
		free_all(s->fd, n);
		assert_true(figure("clear") && figure("to_clear"));
		create(s->fd, &bufs[0], large, CONTIGUOUS);
		spoil(s->fd, &bufs[0]);
		pdt_buffer_destroy(s->fd, &bufs[0]);
		assert_ok(pdt_file_write(SWITCH, "1"));
	}
}

/* A fault and a hang in a fill: it is done again, or memory is not taken for clear. */
static void faults_and_hangs(void **state)
{
	static const char *const commands[] = { "fault 1", "hang 1" };
	struct pdt_state *s = *state;
	uint64_t chunk = chunk_of(s->fd), bytes;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(commands); i++) {
		size_t n = fill_vram(s->fd, chunk, &bytes);

		/* Nothing else uses the engine now */
		control(commands[i]);
		free_all(s->fd, n);
		wait_until_clear();
		control("clear");
		n = fill_vram(s->fd, chunk, &bytes);
		free_all(s->fd, n);
	}
	assert_true(pdt_log_wait(&s->log, "engine 1: injected fault"));
	assert_true(pdt_log_wait(&s->log, "engine 1 hangs"));
}

static int move_out(void *arg)
{
	struct pdt_state *s = arg;

	pdt_set_domain(s->fd, bufs[0].handle, PDT_GTT, NULL);
	_exit(0);
}

/* A move waits for a job that hangs: nothing else waits behind it. */
static void not_behind_a_hung_job(void **state)
{
	const uint32_t seen = PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED;
	char *timeout = pdt_file_read("/sys/module/pddgpu/parameters/job_timeout_ms");
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	pid_t pid;

	assert_non_null(timeout);
	create(s->fd, &bufs[0], PDT_MIB, 0);
	create(s->fd, &bufs[1], 4 * PDT_MIB, seen);
	spoil(s->fd, &bufs[1]);
	wait_until_clear();
	control("hang 0");
	op = pdt_fill(bufs[0].handle, 0, bufs[0].size, 1);
	assert_ok(pdt_submit(s->fd, &op, 1));
	pid = pdt_fork(move_out, s);
	/* Less than a hang lasts, be it ever so short here */
	pdt_sleep_ms(50);
	pdt_buffer_destroy(s->fd, &bufs[1]);
	for (unsigned int i = 0; i < 5; i++) {
		assert_ok(pdt_create(s->fd, 64 * PDT_KIB, PDT_VRAM, seen, &bufs[2].handle));
		assert_ok(pdt_destroy(s->fd, bufs[2].handle));
	}
	wait_until_clear();
	/* Unless that is over too soon to tell */
	if (atoi(timeout) >= 2000)
		assert_null(pdt_log_find(&s->log, "engine 0 hangs"));
	free(timeout);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(pdt_log_wait(&s->log, "engine 0 hangs"));
	control("clear");
	pdt_buffer_destroy(s->fd, &bufs[0]);
	wait_until_clear();
}

/* Switched off, and on again */
static void switched_off(void **state)
{
	struct pdt_state *s = *state;
	uint64_t before;

	wait_until_clear();
	assert_ok(pdt_file_write(SWITCH, "0"));
	create(s->fd, &bufs[0], 3 * PDT_MIB, 0);
	spoil(s->fd, &bufs[0]);
	pdt_buffer_destroy(s->fd, &bufs[0]);
	before = filled();
	pdt_sleep_ms(300);
	assert_u64(figure("to_clear"), 3 * PDT_MIB);
	assert_u64(figure("clearing"), 0);
	assert_u64(filled(), before);
	create(s->fd, &bufs[0], 3 * PDT_MIB, 0);
	assert_ok(pdt_file_write(SWITCH, "1"));
	pdt_buffer_destroy(s->fd, &bufs[0]);
	wait_until_clear();
	assert_true(filled() > before);
}

static int bare_setup(void **state)
{
	struct pdt_log *log = calloc(1, sizeof(*log));

	*state = log;
	return !log || pdt_log_open(log) || pdt_wait_for_card() ? -1 : 0;
}

static int bare_open(void)
{
	int fd = pdt_open();

	assert_true(fd >= 0);
	assert_ok(pdt_glass_create(fd, &glass));
	return fd;
}

static void bare_close(int fd)
{
	pdt_buffer_destroy(fd, &glass);
	close(fd);
}

static void unload(void)
{
	uint64_t end = pdt_now_ms() + 20000;
	int rc;

	while ((rc = pdt_module_unload()) && pdt_now_ms() < end)
		pdt_sleep_ms(10);
	assert_ok(rc);
}

/* With the driver as it was before */
static int bare_teardown(void **state)
{
	struct pdt_log *log = *state;
	const char *complaint;
	char answer[64];
	int rc;

	pdt_control("clear", answer, sizeof(answer));
	pdt_file_write("/sys/bus/pci/rescan", "1");
	rc = pdt_module_loaded() ? pdt_wait_for_card() : pdt_module_load();
	complaint = pdt_log_complaint(log);
	if (complaint)
		fprintf(stderr, "# the kernel log: %s\n", complaint);
	pdt_log_close(log);
	free(log);
	return rc || complaint ? -1 : 0;
}

/*
 * What was never used is left alone until somebody wants it. Clear memory is kept
 * for those who want it clear, and nobody else has it cleared.
 */
static void moves_leave_it_alone(void **state)
{
	uint64_t clear, before;
	int fd;

	(void)state;
	unload();
	assert_ok(pdt_module_load());
	fd = bare_open();
	pdt_sleep_ms(200);
	assert_u64(figure("clear") + figure("to_clear"), 0);
	if (figure("dirty") < 24 * PDT_MIB)
		pdt_skip("VRAM is too small");

	create(fd, &bufs[0], 4 * PDT_MIB, 0);
	spoil(fd, &bufs[0]);
	pdt_buffer_destroy(fd, &bufs[0]);
	wait_until_clear();
	clear = figure("clear");
	assert_true(clear >= 4 * PDT_MIB && clear <= 40 * PDT_MIB);

	assert_ok(pdt_buffer_create(fd, &bufs[1], 4 * PDT_MIB, PDT_GTT, 0));
	pdt_buffer_fill(&bufs[1], 3);
	before = filled();
	assert_ok(pdt_set_domain(fd, bufs[1].handle, PDT_VRAM, NULL));
	assert_u64(figure("clear"), clear);
	assert_u64(filled(), before);
	assert_ok(pdt_buffer_check(&bufs[1]));
	pdt_buffer_destroy(fd, &bufs[1]);
	bare_close(fd);
}

/* What was clear is not any more when the chip has lost its memory. */
static void memory_lost(void **state)
{
	int fd = bare_open();
	uint64_t bytes;

	(void)state;
	free_all(fd, fill_vram(fd, chunk_of(fd), &bytes));
	wait_until_clear();
	bare_close(fd);
	unload();
	control("lose-vram");
	assert_ok(pdt_module_load());
	fd = bare_open();
	assert_u64(figure("clear"), 0);
	free_all(fd, fill_vram(fd, chunk_of(fd), &bytes));
	bare_close(fd);
}

/*
 * An engine that is lost in a fill: what the CPU reaches is zeros all the same,
 * what it does not is had by nobody.
 */
static void engine_lost(void **state)
{
	struct drm_pddgpu_memory_stats stats;
	struct pdt_log *log = *state;
	uint64_t bytes;
	size_t n;
	int fd;

	fd = bare_open();
	n = fill_vram(fd, chunk_of(fd), &bytes);
	assert_ok(pdt_parameter("chip_resets", "0"));
	control("fail-reset 1");
	control("fault 1");
	free_all(fd, n);
	assert_true(pdt_log_wait(log, "engine 1 is lost"));
	assert_ok(pdt_stats(fd, &stats));
	n = fill_vram(fd, chunk_of(fd), &bytes);
	assert_u64(bytes, stats.vram_visible_total - stats.vram_visible_used);
	free_all(fd, n);
	bare_close(fd);
	unload();
}

/* The card goes while it is at it, at different moments. */
static void unplugged(void **state)
{
	static const unsigned int moments_ms[] = { 0, 5, 11, 15, 30, 60 };
	char device[64], command[64];
	uint64_t bytes;
	size_t n;
	int fd;

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(moments_ms); i++) {
		fd = bare_open();
		snprintf(device, sizeof(device), "%s", pdt_pci_name());
		n = fill_vram(fd, 4 * chunk_of(fd), &bytes);
		snprintf(command, sizeof(command), "delay %zu", i % 2 * 20000);
		control(command);
		/* Half of it is freed when the card has gone */
		for (size_t j = 0; j < n; j += 2)
			pdt_buffer_destroy(fd, &bufs[j]);
		if (i > 2)
			pdt_sleep_ms(250);
		pdt_sleep_ms(moments_ms[i]);
		assert_ok(pdt_pci_write(device, "remove", "1"));
		control("delay 0");
		bare_close(fd);
		assert_ok(pdt_file_write("/sys/bus/pci/rescan", "1"));
		assert_ok(pdt_wait_for_card());
	}
	unload();
}

#define clear_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define bare_test(f) cmocka_unit_test_setup_teardown(f, bare_setup, bare_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		bare_test(moves_leave_it_alone),
		clear_test(cleared_in_a_pause),
		clear_test(chip_finds_zeros),
		clear_test(no_more_than_needed),
		clear_test(full_while_clearing),
		clear_test(one_large_while_clearing),
		clear_test(contiguous_among_clear),
		clear_test(faults_and_hangs),
		clear_test(not_behind_a_hung_job),
		clear_test(switched_off),
		bare_test(memory_lost),
		bare_test(engine_lost),
		bare_test(unplugged),
	};

	return pdt_run_tests("clear", tests);
}
