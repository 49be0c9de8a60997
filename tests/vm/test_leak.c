// SPDX-License-Identifier: MIT
/* The leak tracker and the monitor: states, ages, owners, the alarm. */
#include "pdt.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A line of leak_objects */
struct line {
	unsigned long long age;
	unsigned long long size;
	char domain[16];
	char state[32];
	int pid;
	char comm[64];
};

/* The object of exactly this size; sizes in these tests are nobody else's. */
static bool find_object(uint64_t size, struct line *line)
{
	char *text = pdt_debugfs_read("leak_objects");
	bool found = false;

	if (!text)
		return false;
	for (char *at = text; !found && (at = strchr(at, '\n')) && *++at;)
		found = sscanf(at, "%llu %llu %15s %31s %d %63s", &line->age, &line->size,
			       line->domain, line->state, &line->pid, line->comm) == 6 &&
			line->size == size;
	free(text);
	return found;
}

static bool wait_for_state(uint64_t size, const char *state, struct line *line)
{
	uint64_t end = pdt_now_ms() + 20000 * pdt_slow();

	do {
		if (find_object(size, line) && !strcmp(line->state, state))
			return true;
		pdt_sleep_ms(10);
	} while (pdt_now_ms() < end);
	return false;
}

static int restore(void **state)
{
	int rc = pdt_settings_restore();

	if (rc)
		fprintf(stderr, "# settings: %s\n", strerror(-rc));
	return pdt_teardown(state) || rc ? -1 : 0;
}

/* An alarm that an earlier test has left standing would not be raised anew. */
static int setup(void **state)
{
	struct pdt_state *s;

	if (pdt_setup(state) || pdt_debugfs_write("trigger_leak_check", "1"))
		return -1;
	s = *state;
	pdt_log_restart(&s->log);
	return 0;
}

#define leak_test(f) cmocka_unit_test_setup_teardown(f, setup, restore)

static void header(void **state)
{
	char *text = pdt_debugfs_read("leak_objects");
	char words[8][16];

	(void)state;
	assert_non_null(text);
	assert_int_equal(sscanf(text, "%15s %15s %15s %15s %15s %15s %15s %15s", words[0],
				words[1], words[2], words[3], words[4], words[5], words[6],
				words[7]), 8);
	assert_string_equal(words[0], "age_ms");
	assert_string_equal(words[1], "size");
	assert_string_equal(words[2], "domain");
	assert_string_equal(words[3], "state");
	assert_string_equal(words[4], "pid");
	assert_string_equal(words[5], "comm");
	assert_string_equal(words[6], "label");
	assert_string_equal(words[7], "stack");
	free(text);
}

static void young_is_not_listed(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct line line;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, 11 * PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_suspicious, 0);
	assert_u64(stats.leak_confirmed, 0);
	assert_false(find_object(11 * PDT_PAGE, &line));
}

static void suspicious_then_confirmed(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct line line;
	uint32_t handle;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "100"));
	assert_ok(pdt_debugfs_write("leak_confirmed_age", "3600000"));
	assert_ok(pdt_create(s->fd, 13 * PDT_PAGE, PDT_GTT, 0, &handle));
	assert_true(wait_for_state(13 * PDT_PAGE, "LIVE,suspicious", &line));
	assert_true(line.age >= 100);
	assert_string_equal(line.domain, "GTT");
	assert_int_equal(line.pid, getpid());
	assert_string_equal(line.comm, "test_leak");
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_suspicious, 1);
	assert_u64(stats.leak_suspicious_bytes, 13 * PDT_PAGE);
	assert_u64(stats.leak_confirmed, 0);

	assert_ok(pdt_debugfs_write("leak_confirmed_age", "200"));
	assert_true(wait_for_state(13 * PDT_PAGE, "LIVE,confirmed", &line));
	assert_true(line.age >= 200);
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_suspicious, 0);
	assert_u64(stats.leak_confirmed, 1);
	assert_u64(stats.leak_confirmed_bytes, 13 * PDT_PAGE);
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	assert_true(pdt_log_wait(&s->log, "PDDGPU: 1 objects newly confirmed as leaks"));

	/* Older ages make it young again: what counts is what is so now. */
	assert_ok(pdt_debugfs_write("leak_confirmed_age", "3600000"));
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "3600000"));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_suspicious + stats.leak_confirmed, 0);

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_true(wait_for_state(13 * PDT_PAGE, "LIVE,suspicious", &line));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_suspicious + stats.leak_suspicious_bytes, 0);
	assert_false(find_object(13 * PDT_PAGE, &line));
}

static void domain_now(void **state)
{
	struct pdt_state *s = *state;
	struct line line;
	uint32_t handle;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, 17 * PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_true(wait_for_state(17 * PDT_PAGE, "LIVE,suspicious", &line));
	assert_string_equal(line.domain, "VRAM");
	assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
	assert_true(find_object(17 * PDT_PAGE, &line));
	assert_string_equal(line.domain, "GTT");
	assert_ok(pdt_set_domain(s->fd, handle, PDT_CPU, NULL));
	assert_true(find_object(17 * PDT_PAGE, &line));
	assert_string_equal(line.domain, "CPU");
}

static int leave_dmabuf(void *arg)
{
	int sock = *(int *)arg, fd = pdt_open(), dmabuf;
	uint32_t handle;

	child_check(fd >= 0);
	/* A name that would break the line, and that must be shown whole */
	child_check(!prctl(PR_SET_NAME, "a b\n1 2 VRAM"));
	child_check(!pdt_create(fd, 19 * PDT_PAGE, PDT_BOTH, 0, &handle));
	child_check(!pdt_export(fd, handle, &dmabuf));
	child_check(!pdt_send_fd(sock, dmabuf));
	child_check(!pdt_destroy(fd, handle));
	return 0;
}

/* The dma-buf outlives handle, file and process: an orphan, of that owner */
static void orphan_with_its_owner(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct line line;
	int ends[2], dmabuf;
	pid_t pid;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = pdt_fork(leave_dmabuf, &ends[1]);
	dmabuf = pdt_receive_fd(ends[0]);
	assert_true(dmabuf >= 0);
	assert_int_equal(pdt_wait(pid), 0);

	assert_true(wait_for_state(19 * PDT_PAGE, "ORPHAN,suspicious", &line));
	assert_int_equal(line.pid, pid);
	assert_string_equal(line.comm, "a\\040b\\0121\\0402\\040VRAM");
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.orphan_objects, 1);
	assert_u64(stats.orphan_bytes, 19 * PDT_PAGE);
	assert_u64(stats.live_objects, 0);

	close(dmabuf);
	close(ends[0]);
	close(ends[1]);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_false(find_object(19 * PDT_PAGE, &line));
}

/* An orphan that is imported lives again. */
static void orphan_comes_back(void **state)
{
	struct pdt_state *s = *state;
	struct line line;
	uint32_t handle;
	int dmabuf;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, 21 * PDT_PAGE, PDT_BOTH, 0, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_true(wait_for_state(21 * PDT_PAGE, "LIVE,suspicious", &line));
	for (int i = 0; i < 3; i++) {
		assert_ok(pdt_destroy(s->fd, handle));
		assert_true(wait_for_state(21 * PDT_PAGE, "ORPHAN,suspicious", &line));
		assert_ok(pdt_import(s->fd, dmabuf, &handle));
		assert_true(wait_for_state(21 * PDT_PAGE, "LIVE,suspicious", &line));
	}
	close(dmabuf);
	assert_true(wait_for_state(21 * PDT_PAGE, "LIVE,suspicious", &line));
}

/* The last column of an object's line */
static char *allocated_at(uint64_t size)
{
	char *text = pdt_debugfs_read("leak_objects"), *at = text, *stack = NULL;
	unsigned long long is;
	int column;

	while (at && (at = strchr(at, '\n')) && *++at) {
		/* No name in these tests has a blank */
		if (sscanf(at, "%*u %llu %*s %*s %*d %*s %*s %n", &is, &column) == 1 &&
		    is == size) {
			stack = strndup(at + column, strcspn(at + column, "\n"));
			break;
		}
	}
	free(text);
	return stack;
}

#define STACKS	"/sys/module/pddgpu/parameters/leak_stacks"

/* The ioctl always, the way to it when asked for, at run time */
static void where_allocated(void **state)
{
	struct pdt_state *s = *state;
	char *was = pdt_file_read(STACKS), *stack;
	uint32_t handle;

	assert_non_null(was);
	assert_string_equal(was, "N\n");
	free(was);
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, 25 * PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_file_write(STACKS, "1"));
	assert_ok(pdt_create(s->fd, 27 * PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_file_write(STACKS, "0"));
	assert_ok(pdt_create(s->fd, 29 * PDT_PAGE, PDT_VRAM, 0, &handle));
	pdt_sleep_ms(5);

	for (unsigned int pages = 25; pages <= 29; pages += 2) {
		stack = allocated_at(pages * PDT_PAGE);
		assert_non_null(stack);
		if (pages == 27) {
			assert_non_null(strstr(stack, " < pddgpu_gem_create_ioctl+0x"));
			assert_non_null(strstr(stack, " < drm_ioctl+0x"));
		} else {
			assert_ptr_equal(strstr(stack, "pddgpu_gem_create_ioctl+0x"), stack);
			assert_null(strchr(stack, '<'));
		}
		free(stack);
	}
}

/* What the driver itself has in VRAM, which counts in the alarm's total */
static uint64_t kernel_bytes(struct pdt_state *s)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	return stats.kernel_bytes;
}

static unsigned int alarms(struct pdt_state *s)
{
	return pdt_log_count(&s->log, "PDDGPU: Memory leak detected!");
}

static void check_now(void)
{
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
}

/* A number that stands behind a text in the log, which must have come once */
static uint64_t logged(struct pdt_state *s, const char *text)
{
	const char *at;

	if (pdt_log_count(&s->log, text) != 1)
		fail_msg("'%s' is %u times in the log", text, pdt_log_count(&s->log, text));
	at = pdt_log_find(&s->log, text) + strlen(text);
	return strtoull(at, NULL, 10);
}

static void assert_report(struct pdt_state *s, uint64_t objects, uint64_t bytes)
{
	struct drm_pddgpu_memory_stats stats;
	char owner[100];

	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(logged(s, "PDDGPU: Memory leak detected! Total used: "),
		   (stats.vram_used + stats.gtt_used) >> 20);
	assert_int_equal(pdt_log_count(&s->log, "PDDGPU: Memory leak report:"), 1);
	assert_u64(logged(s, "PDDGPU:   Total allocated objects: "), objects);
	assert_u64(logged(s, "PDDGPU:   Total leaked size: "), bytes);
	assert_u64(logged(s, "PDDGPU:   Suspicious leaks: "), stats.leak_suspicious);
	assert_u64(logged(s, "PDDGPU:   Confirmed leaks: "), stats.leak_confirmed);
	assert_u64(objects, stats.live_objects + stats.orphan_objects + stats.zombie_objects);
	assert_int_equal(pdt_log_count(&s->log, "PDDGPU:   Largest owners:"), 1);
	snprintf(owner, sizeof(owner), "PDDGPU:     test_leak[%d] client ", getpid());
	assert_int_equal(pdt_log_count(&s->log, owner), 1);
	snprintf(owner, sizeof(owner), ": %llu objects, %llu bytes\n",
		 (unsigned long long)objects, (unsigned long long)bytes);
	assert_int_equal(pdt_log_count(&s->log, owner), 1);
}

/* "… Total used: N MB" as it is logged when users have this many bytes */
static const char *total_used(struct pdt_state *s, const char *event, uint64_t bytes)
{
	static char text[100];

	snprintf(text, sizeof(text), "PDDGPU: Memory leak %s Total used: %llu MB\n", event,
		 (unsigned long long)(kernel_bytes(s) + bytes) >> 20);
	return text;
}

/* Begins once, worsens once, ends once; with users at 10 MiB and more */
static void alarm_begins_worsens_ends(void **state)
{
	struct pdt_state *s = *state;
	uint64_t threshold = kernel_bytes(s) + 10 * PDT_MIB;
	uint64_t tenth = pdt_pages(threshold / 10);
	uint32_t handles[11], last;

	assert_ok(pdt_debugfs_write("leak_monitor_enabled", "0"));
	assert_ok(pdt_debugfs_write_u64("leak_threshold", threshold));
	for (size_t i = 0; i < 10; i++)
		assert_ok(pdt_create(s->fd, PDT_MIB, i % 2 ? PDT_VRAM : PDT_GTT, 0, &handles[i]));
	check_now();
	assert_int_equal(alarms(s), 0);

	/* At the threshold there is none, above there is. */
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handles[10]));
	check_now();
	assert_report(s, 11, 10 * PDT_MIB + PDT_PAGE);
	for (int i = 0; i < 5; i++)
		check_now();
	assert_int_equal(alarms(s), 1);

	/* Less than a tenth of the threshold more: the same condition */
	assert_ok(pdt_create(s->fd, tenth - PDT_PAGE, PDT_VRAM, 0, &last));
	check_now();
	assert_int_equal(alarms(s), 1);
	assert_ok(pdt_destroy(s->fd, last));
	assert_ok(pdt_create(s->fd, tenth, PDT_VRAM, 0, &last));
	pdt_log_restart(&s->log);
	check_now();
	assert_report(s, 12, 10 * PDT_MIB + PDT_PAGE + tenth);
	check_now();
	assert_int_equal(alarms(s), 1);
	assert_int_equal(pdt_log_count(&s->log, "PDDGPU: Memory leak cleared"), 0);

	pdt_log_restart(&s->log);
	assert_ok(pdt_destroy(s->fd, last));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(handles); i++)
		assert_ok(pdt_destroy(s->fd, handles[i]));
	assert_true(pdt_level_wait(s->fd, &s->before));
	check_now();
	check_now();
	assert_int_equal(alarms(s), 0);
	assert_int_equal(pdt_log_count(&s->log, total_used(s, "cleared.", 0)),
			 1);
	assert_int_equal(pdt_log_count(&s->log, "PDDGPU: Memory leak cleared"), 1);
}

/* What the driver itself has in VRAM raises no alarm, however low the threshold. */
static void no_alarm_without_users(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;

	assert_ok(pdt_debugfs_write("leak_monitor_enabled", "0"));
	assert_ok(pdt_debugfs_write("leak_threshold", "0"));
	check_now();
	assert_int_equal(alarms(s), 0);
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	check_now();
	assert_int_equal(alarms(s), 1);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_level_wait(s->fd, &s->before));
	check_now();
	assert_int_equal(pdt_log_count(&s->log, "PDDGPU: Memory leak cleared"), 1);
}

/* By itself, at the interval; and not while it is off */
static void monitor_runs_by_itself(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	uint64_t end;

	assert_ok(pdt_debugfs_write("leak_monitor_enabled", "0"));
	assert_true(pdt_log_wait(&s->log, "PDDGPU: Memory leak monitor stopped"));
	assert_ok(pdt_debugfs_write("leak_check_interval", "100"));
	assert_ok(pdt_debugfs_write_u64("leak_threshold", kernel_bytes(s) + PDT_MIB));
	assert_ok(pdt_create(s->fd, 2 * PDT_MIB, PDT_VRAM, 0, &handle));
	/* That nothing happens can only be seen by waiting. */
	for (end = pdt_now_ms() + 500; pdt_now_ms() < end; pdt_sleep_ms(50))
		assert_int_equal(alarms(s), 0);

	assert_ok(pdt_debugfs_write("leak_monitor_enabled", "1"));
	assert_true(pdt_log_wait(&s->log, "PDDGPU: Memory leak monitor started"));
	assert_true(pdt_log_wait(&s->log, total_used(s, "detected!", 2 * PDT_MIB)));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_true(pdt_log_wait(&s->log, total_used(s, "cleared.", 0)));
	assert_int_equal(alarms(s), 1);

	/* Set to what it is already: not a word */
	pdt_log_restart(&s->log);
	assert_ok(pdt_debugfs_write("leak_monitor_enabled", "1"));
	assert_int_equal(pdt_log_count(&s->log, "monitor"), 0);
}

/* An alarm that stands may end by a higher threshold, too. */
static void threshold_is_raised(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;

	assert_ok(pdt_debugfs_write("leak_monitor_enabled", "0"));
	assert_ok(pdt_debugfs_write_u64("leak_threshold", kernel_bytes(s) + PDT_MIB));
	assert_ok(pdt_create(s->fd, 4 * PDT_MIB, PDT_VRAM, 0, &handle));
	check_now();
	assert_int_equal(alarms(s), 1);
	assert_ok(pdt_debugfs_write_u64("leak_threshold", kernel_bytes(s) + 4 * PDT_MIB));
	check_now();
	assert_int_equal(pdt_log_count(&s->log, total_used(s, "cleared.", 4 * PDT_MIB)),
			 1);
	assert_int_equal(alarms(s), 1);
}

static void every_line_says_pddgpu(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	const char *at, *end;

	assert_ok(pdt_debugfs_write("leak_threshold", "0"));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	check_now();
	at = pdt_log_find(&s->log, "PDDGPU: Memory leak detected!");
	assert_non_null(at);
	for (at = s->log.text; *at; at = *end ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		if (strstr(at, "leak") && strstr(at, "leak") < end)
			assert_true(strstr(at, "PDDGPU: ") && strstr(at, "PDDGPU: ") < end);
	}
}

struct race {
	int fd;
	bool stop;
	unsigned int checks;
};

static int check_or_allocate(void *arg, unsigned int index)
{
	static const char *const ages[] = { "1", "86400000", "3", "50" };
	struct race *race = arg;
	uint32_t handle;

	if (!index) {
		for (unsigned int i = 0; !__atomic_load_n(&race->stop, __ATOMIC_RELAXED); i++) {
			child_check(!pdt_debugfs_write("leak_suspicious_age", ages[i % 4]));
			child_check(!pdt_debugfs_write("leak_confirmed_age", ages[i / 2 % 4]));
			child_check(!pdt_debugfs_write("trigger_leak_check", "1"));
			race->checks++;
		}
		return 0;
	}
	for (unsigned int i = 0; i < 500; i++) {
		int dmabuf = -1;

		child_check(!pdt_create(race->fd, PDT_PAGE, PDT_BOTH, 0, &handle));
		if (i % 4 == 0)
			child_check(!pdt_export(race->fd, handle, &dmabuf));
		child_check(!pdt_destroy(race->fd, handle));
		if (dmabuf >= 0)
			close(dmabuf);
	}
	if (index == 1)
		__atomic_store_n(&race->stop, true, __ATOMIC_RELAXED);
	return 0;
}

/* Ages change and checks run while objects come, are orphaned, and go. */
static void checked_while_changing(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct race race = { .fd = s->fd };

	assert_int_equal(pdt_threads(3, check_or_allocate, &race), 0);
	assert_true(race.checks > 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_suspicious + stats.leak_suspicious_bytes, 0);
	assert_u64(stats.leak_confirmed + stats.leak_confirmed_bytes, 0);
	assert_u64(stats.live_bytes + stats.orphan_bytes + stats.zombie_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leak_test(header),
		leak_test(young_is_not_listed),
		leak_test(suspicious_then_confirmed),
		leak_test(domain_now),
		leak_test(orphan_with_its_owner),
		leak_test(orphan_comes_back),
		leak_test(where_allocated),
		leak_test(alarm_begins_worsens_ends),
		leak_test(no_alarm_without_users),
		leak_test(monitor_runs_by_itself),
		leak_test(threshold_is_raised),
		leak_test(every_line_says_pddgpu),
		leak_test(checked_while_changing),
	};

	return pdt_run_tests("leak", tests);
}
