// SPDX-License-Identifier: MIT
/* Tracepoints: each event comes when it should and says what happened. */
#include "pdt.h"

#include <unistd.h>

#define SIZE	(2 * PDT_MIB)

/* Every event, and the fields that its text has */
static const struct {
	const char *name;
	const char *fields[8];
} events[] = {
	{ "bo_create", { "dev", "bo", "size_bytes", "domain", "domains", "flags", "client" } },
	{ "bo_destroy", { "dev", "bo", "size_bytes" } },
	{ "bo_state", { "dev", "bo", "size_bytes", "from", "to" } },
	{ "bo_move", { "dev", "bo", "size_bytes", "from", "to", "evict", "duration_ns",
		       "error" } },
	{ "bo_evict", { "dev", "bo", "size_bytes", "from", "to" } },
	{ "gart_bind", { "dev", "address", "size_bytes" } },
	{ "gart_unbind", { "dev", "address", "size_bytes" } },
	{ "job_run", { "dev", "engine", "job", "client", "operations", "size_bytes" } },
	{ "job_done", { "dev", "engine", "job", "client", "run_ns", "error" } },
	{ "leak_alert", { "dev", "used_bytes", "threshold_bytes" } },
	{ "leak_clear", { "dev", "used_bytes", "threshold_bytes" } },
	{ "engine_reset", { "dev", "engine", "error" } },
	{ "chip_reset", { "dev", "vram_lost", "duration_us", "error" } },
	{ "fault", { "dev", "engine", "reason", "write", "address", "client" } },
};

static int restore(void **state)
{
	int rc = pdt_trace_off(), settings = pdt_settings_restore();

	return pdt_teardown(state) || rc || settings ? -1 : 0;
}

#define trace_test(f) cmocka_unit_test_setup_teardown(f, pdt_setup, restore)

/* "name=value", for pdt_trace_find(); four at a time */
static const char *word(const char *name, uint64_t value)
{
	static char words[4][64];
	static unsigned int next;
	char *text = words[next++ % 4];

	snprintf(text, sizeof(words[0]), "%s=%llu", name, (unsigned long long)value);
	return text;
}

static const char *dev_word(void)
{
	static char text[64];

	snprintf(text, sizeof(text), "dev=%s", pdt_pci_name());
	return text;
}

/* The line of that event; the test fails where there is none. */
static const char *find(const char *trace, const char *event, const char *a, const char *b,
			const char *c)
{
	const char *const words[] = { dev_word(), a, b, c, NULL };
	const char *line = pdt_trace_find(trace, event, words);

	if (!line)
		fail_msg("no %s with %s %s %s in:\n%s", event, a ? a : "", b ? b : "",
			 c ? c : "", trace);
	return line;
}

static uint64_t field(const char *line, const char *name)
{
	uint64_t value = 0;

	assert_ok(pdt_trace_u64(line, name, &value));
	return value;
}

/* What was traced until now */
static char *traced(void)
{
	char *text;

	assert_ok(pdt_trace_off());
	text = pdt_trace_read();
	assert_non_null(text);
	return text;
}

static void fields_are_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(events); i++) {
		char path[128], wanted[64], *format;

		snprintf(path, sizeof(path), "/sys/kernel/tracing/events/pddgpu/%s/format",
			 events[i].name);
		format = pdt_file_read(path);
		assert_non_null(format);
		for (size_t k = 0; k < 8 && events[i].fields[k]; k++) {
			snprintf(wanted, sizeof(wanted), "%s=", events[i].fields[k]);
			if (!strstr(format, wanted))
				fail_msg("%s: no %s in: %s", events[i].name, wanted, format);
		}
		/* No pointer, not even a hashed one */
		assert_null(strstr(format, "%p"));
		free(format);
	}
}

static void buffers_come_and_go(void **state)
{
	struct pdt_state *s = *state;
	const char *line;
	uint32_t one, other;
	uint64_t number;
	char *trace;

	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_create(s->fd, 3 * PDT_PAGE, PDT_BOTH, 0, &one));
	assert_ok(pdt_create(s->fd, 5 * PDT_PAGE, PDT_CPU, 0, &other));
	assert_ok(pdt_destroy(s->fd, one));
	assert_ok(pdt_destroy(s->fd, other));
	assert_true(pdt_level_wait(s->fd, &s->before));
	trace = traced();

	line = find(trace, "bo_create", word("size_bytes", 3 * PDT_PAGE), "domain=vram",
		    "domains=vram|gtt");
	number = field(line, "bo");
	assert_true(number && field(line, "client"));
	find(trace, "bo_destroy", word("bo", number), word("size_bytes", 3 * PDT_PAGE), NULL);

	line = find(trace, "bo_create", word("size_bytes", 5 * PDT_PAGE), "domain=cpu",
		    "domains=cpu");
	/* Given out once, in order */
	assert_u64(field(line, "bo"), number + 1);
	find(trace, "bo_destroy", word("bo", number + 1), NULL, NULL);
	assert_null(strstr(trace, "bo_move"));
	free(trace);
}

/* From who has a handle to who has a dma-buf, back, and to its end */
static void states(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	uint64_t number;
	int dmabuf;
	char *trace;

	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_create(s->fd, 3 * PDT_PAGE, PDT_GTT, 0, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_import(s->fd, dmabuf, &handle));
	assert_ok(pdt_destroy(s->fd, handle));
	close(dmabuf);
	assert_true(pdt_level_wait(s->fd, &s->before));
	trace = traced();
	number = field(find(trace, "bo_create", word("size_bytes", 3 * PDT_PAGE), NULL, NULL),
		       "bo");
	find(trace, "bo_state", word("bo", number), "from=LIVE", "to=ORPHAN");
	find(trace, "bo_state", word("bo", number), "from=ORPHAN", "to=LIVE");
	find(trace, "bo_state", word("bo", number), "from=ORPHAN", "to=ZOMBIE");
	assert_null(strstr(trace, "from=LIVE to=ZOMBIE"));
	free(trace);

	/* What goes with its handle has not been an orphan. */
	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_create(s->fd, 3 * PDT_PAGE, PDT_GTT, 0, &handle));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
	trace = traced();
	find(trace, "bo_state", word("size_bytes", 3 * PDT_PAGE), "from=LIVE", "to=ZOMBIE");
	assert_null(strstr(trace, "ORPHAN"));
	free(trace);
}

static void nothing_while_off(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	char *trace;

	assert_ok(pdt_trace_on("pddgpu/fault"));
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &handle));
	assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
	trace = traced();
	assert_null(strstr(trace, "size_bytes="));
	free(trace);
}

static void moves_and_places(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info;
	const char *line;
	uint32_t handle;
	char *trace;

	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
	assert_ok(pdt_info(s->fd, handle, &info));
	assert_ok(pdt_set_domain(s->fd, handle, PDT_VRAM, NULL));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
	trace = traced();

	line = find(trace, "bo_move", word("size_bytes", SIZE), "from=vram", "to=gtt");
	assert_u64(field(line, "evict"), 0);
	assert_u64(field(line, "error"), 0);
	assert_true(field(line, "duration_ns"));
	find(trace, "bo_move", word("bo", field(line, "bo")), "from=gtt", "to=vram");
	line = find(trace, "gart_bind", word("size_bytes", SIZE), NULL, NULL);
	assert_u64(field(line, "address"), info.offset);
	line = find(trace, "gart_unbind", word("size_bytes", SIZE), NULL, NULL);
	assert_u64(field(line, "address"), info.offset);
	/* The paging engine made the copy, for nobody's account */
	find(trace, "job_run", "engine=paging", "client=0", NULL);
	assert_null(strstr(trace, "bo_evict"));
	free(trace);
}

static void evictions(void **state)
{
	static uint32_t handles[128];
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint64_t chunk;
	const char *line;
	uint32_t one;
	size_t count = 0;
	char *trace;

	assert_ok(pdt_stats(s->fd, &stats));
	chunk = stats.vram_total / 64 & ~(PDT_MIB - 1);
	if (!chunk || chunk > 16 * PDT_MIB || stats.gtt_free < 8 * chunk)
		pdt_skip("the card has too little or too much VRAM for it");
	do {
		assert_true(count < PDT_ARRAY_SIZE(handles));
		assert_ok(pdt_create(s->fd, chunk, PDT_BOTH, 0, &handles[count++]));
		assert_ok(pdt_stats(s->fd, &stats));
	} while (stats.vram_free >= chunk);
	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_create(s->fd, 2 * chunk, PDT_VRAM, 0, &one));
	trace = traced();
	line = find(trace, "bo_evict", word("size_bytes", chunk), "from=vram", "to=gtt");
	find(trace, "bo_move", word("bo", field(line, "bo")), "evict=1", "error=0");
	free(trace);
	for (size_t i = 0; i < count; i++)
		assert_ok(pdt_destroy(s->fd, handles[i]));
	assert_ok(pdt_destroy(s->fd, one));
}

static void jobs(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op ops[2];
	const char *line, *done;
	uint32_t handle;
	char *trace;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	ops[0] = pdt_fill(handle, 0, 64 * PDT_KIB, 1);
	ops[1] = pdt_copy(handle, PDT_MIB, handle, 0, 32 * PDT_KIB);
	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_submit(s->fd, ops, 2));
	assert_ok(pdt_wait_idle(s->fd, handle, 10000));
	/* The scheduler lets go of it a little later. */
	for (int i = 0; i < 200; i++) {
		const char *const words[] = { "engine=user", NULL };

		bool over;

		trace = pdt_trace_read();
		assert_non_null(trace);
		over = pdt_trace_find(trace, "job_done", words);
		free(trace);
		if (over)
			break;
		pdt_sleep_ms(20);
	}
	trace = traced();
	line = find(trace, "job_run", "engine=user", "operations=2",
		    word("size_bytes", 96 * PDT_KIB));
	done = find(trace, "job_done", "engine=user", word("job", field(line, "job")),
		    word("client", field(line, "client")));
	assert_u64(field(done, "error"), 0);
	assert_true(field(done, "run_ns"));
	assert_true(field(line, "client"));
	free(trace);
}

static void leaks(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	uint64_t used;
	char *trace;

	assert_ok(pdt_debugfs_write("leak_check_interval", "3600000"));
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	assert_ok(pdt_create(s->fd, SIZE, PDT_GTT, 0, &handle));
	used = s->before.vram_used + s->before.gtt_used + SIZE;
	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_debugfs_write_u64("leak_threshold", used - 1));
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	assert_ok(pdt_debugfs_write_u64("leak_threshold", used));
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	trace = traced();
	find(trace, "leak_alert", word("used_bytes", used), word("threshold_bytes", used - 1),
	     NULL);
	find(trace, "leak_clear", word("used_bytes", used), word("threshold_bytes", used), NULL);
	free(trace);
}

static void faults_and_resets(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_info info;
	struct drm_pddgpu_submit_op op;
	char answer[256], *trace;
	const char *line;
	uint32_t handle;
	int sync;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_info(s->fd, handle, &info));
	assert_ok(pdt_wait_idle(s->fd, handle, 10000));
	op = pdt_fill(handle, 0, SIZE, 1);
	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_control("fault 0", answer, sizeof(answer)));
	assert_ok(pdt_submit_fence(s->fd, &op, 1, &sync));
	assert_int_equal(pdt_fence_fd_wait(sync, 20000), -EIO);
	close(sync);
	assert_ok(pdt_reset_chip());
	trace = traced();
	line = find(trace, "fault", "engine=user", "reason=injected", "write=1");
	assert_u64(field(line, "address"), info.offset);
	assert_true(field(line, "client"));
	find(trace, "engine_reset", "engine=user", "error=0", NULL);
	line = find(trace, "chip_reset", "vram_lost=0", "error=0", NULL);
	assert_true(field(line, "duration_us"));
	free(trace);
}

/* Nothing that looks like an address in the kernel's part */
static void assert_no_kernel_address(const char *trace)
{
	for (const char *at = trace; (at = strstr(at, "ffff")); at++) {
		if (strspn(at, "0123456789abcdef") >= 12)
			fail_msg("a kernel address: %.60s", at - 20);
	}
}

static void no_kernel_addresses(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	char *trace;

	assert_ok(pdt_trace_on("pddgpu"));
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &handle));
	assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
	assert_ok(pdt_reset_chip());
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
	trace = traced();
	find(trace, "bo_move", NULL, NULL, NULL);
	assert_no_kernel_address(trace);
	free(trace);
}

/* The last total of a process that was traced; 0 stands for all */
static uint64_t total(const char *trace, pid_t pid)
{
	const char *const words[] = { word("pid", (uint64_t)pid), NULL };
	uint64_t value = UINT64_MAX;
	const char *at = trace;

	while (at && (at = pdt_trace_find(at, "gpu_mem_total", words))) {
		assert_ok(pdt_trace_u64(at, "size", &value));
		at = strchr(at, '\n');
	}
	return value;
}

static uint64_t all_objects(int fd)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(fd, &stats));
	return stats.live_bytes + stats.orphan_bytes + stats.zombie_bytes;
}

/* Processes' totals, as other GPUs' drivers give them */
static void totals(void **state)
{
	struct pdt_state *s = *state;
	uint64_t before = all_objects(s->fd);
	uint32_t one, other;
	int second = pdt_open();
	char *trace;

	assert_true(pdt_trace_has("gpu_mem/gpu_mem_total"));
	assert_true(second >= 0);
	assert_ok(pdt_trace_on("gpu_mem"));
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &one));
	/* By another file, and in other memory: all that the process has counts. */
	assert_ok(pdt_create(second, PDT_MIB, PDT_CPU, 0, &other));
	trace = traced();
	assert_u64(total(trace, getpid()), SIZE + PDT_MIB);
	assert_u64(total(trace, 0), before + SIZE + PDT_MIB);
	free(trace);

	assert_ok(pdt_trace_on("gpu_mem"));
	assert_ok(pdt_destroy(s->fd, one));
	assert_ok(pdt_destroy(second, other));
	close(second);
	assert_true(pdt_level_wait(s->fd, &s->before));
	trace = traced();
	assert_u64(total(trace, getpid()), 0);
	assert_u64(total(trace, 0), before);
	free(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		trace_test(fields_are_there),
		trace_test(buffers_come_and_go),
		trace_test(states),
		trace_test(nothing_while_off),
		trace_test(moves_and_places),
		trace_test(evictions),
		trace_test(jobs),
		trace_test(leaks),
		trace_test(faults_and_resets),
		trace_test(no_kernel_addresses),
		trace_test(totals),
	};

	return pdt_run_tests("trace", tests);
}
