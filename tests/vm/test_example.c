// SPDX-License-Identifier: MIT
/* examples/memory_leak_test, what it prints and what the kernel says to it */
#include "pdt.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM	"./memory_leak_test"

/* Runs it with these arguments; what it printed, and its exit status */
static char *run_example(int *status, bool as_user, const char *const *args)
{
	const char *argv[16] = { PROGRAM };
	const char *output = "/tmp/test_example.out";
	char *text;
	pid_t pid;
	int fd;

	for (size_t i = 0; i < 14 && args[i]; i++)
		argv[i + 1] = args[i];
	unlink(output);
	fd = open(output, O_RDWR | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(fd, 1);
		dup2(fd, 2);
		if (as_user && pdt_become_user(1000))
			_exit(126);
		execv(PROGRAM, (char *const *)argv);
		_exit(127);
	}
	close(fd);
	*status = pdt_wait(pid);
	text = pdt_file_read(output);
	unlink(output);
	assert_non_null(text);
	return text;
}

struct wording {
	const char *title, *opened, *created, *total, *detect, *freeing, *freed, *kept,
		   *watch, *cleaning, *end;
};

static const struct wording english = {
	"PDDGPU memory leak test\n========================\n",
	"Device opened, starting the memory leak test...\n",
	"Allocated BO %d: handle=%d, size=10485760 bytes\n",
	"Allocated 15 BOs, total size: 150 MB\n",
	"Waiting 0 seconds for the leak monitor to detect the leak...\n\n",
	"Freeing some of the BOs...\n",
	"Freed BO %d: handle=%d\n",
	"Kept 10 BOs unfreed, simulating a memory leak\n",
	"Waiting 0 seconds to watch the leak monitor...\n\n",
	"Test done, cleaning up the remaining BOs...\n",
	"Test program finished\n",
};

static const struct wording chinese = {
	"PDDGPU 内存泄漏测试程序\n========================\n",
	"设备打开成功，开始内存泄漏测试...\n",
	"分配BO %d: handle=%d, size=10485760 bytes\n",
	"已分配 15 个BO，总大小: 150 MB\n",
	"等待 0 秒，让内存泄漏监控进程检测到泄漏...\n\n",
	"开始释放部分BO...\n",
	"释放BO %d: handle=%d\n",
	"保留了 10 个BO未释放，模拟内存泄漏\n",
	"等待 0 秒，观察内存泄漏监控...\n\n",
	"测试完成，清理剩余BO...\n",
	"测试程序结束\n",
};

/* The next piece of the text must be this. */
static void take(const char **at, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void take(const char **at, const char *format, ...)
{
	char expected[200];
	va_list args;

	va_start(args, format);
	vsnprintf(expected, sizeof(expected), format, args);
	va_end(args);
	if (strncmp(*at, expected, strlen(expected)))
		fail_msg("expected '%s' at '%.100s'", expected, *at);
	*at += strlen(expected);
}

static void assert_output(const char *at, const struct wording *w)
{
	take(&at, "%s%s", w->title, w->opened);
	for (int i = 0; i < 15; i++)
		take(&at, w->created, i, i + 1);
	take(&at, "%s%s%s", w->total, w->detect, w->freeing);
	for (int i = 0; i < 5; i++)
		take(&at, w->freed, i, i + 1);
	take(&at, "%s%s%s", w->kept, w->watch, w->cleaning);
	for (int i = 5; i < 15; i++)
		take(&at, w->freed, i, i + 1);
	take(&at, "%s", w->end);
	assert_int_equal(*at, '\0');
}

static void skip_unless_it_fits(struct pdt_state *s)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_visible_total - stats.vram_visible_used < 150 * PDT_MIB)
		pdt_skip("VRAM is too small");
}

static void assert_logged_once(struct pdt_state *s, const char *text)
{
	unsigned int count = pdt_log_count(&s->log, text);

	if (count != 1)
		fail_msg("'%s' is %u times in the log", text, count);
}

/* The documented run; the alarm, its report and its end stand in the log. */
static void documented_run(struct pdt_state *s, const char *lang, const struct wording *wording)
{
	const char *const args[] = { "--wait", "0", "--lang", lang, NULL };
	struct drm_pddgpu_memory_stats stats;
	char alarm[100], *text;
	int status;

	skip_unless_it_fits(s);
	assert_ok(pdt_stats(s->fd, &stats));
	/* Only the checks that it asks for */
	assert_ok(pdt_debugfs_write("leak_check_interval", "3600000"));
	text = run_example(&status, false, args);
	assert_output(text, wording);
	assert_int_equal(status, 0);
	free(text);

	snprintf(alarm, sizeof(alarm), "PDDGPU: Memory leak detected! Total used: %llu MB\n",
		 (stats.kernel_bytes + 150 * PDT_MIB) >> 20);
	assert_logged_once(s, alarm);
	assert_logged_once(s, "PDDGPU: Memory leak report:");
	assert_logged_once(s, "PDDGPU:   Total allocated objects: 15\n");
	assert_logged_once(s, "PDDGPU:   Total leaked size: 157286400 bytes\n");
	assert_logged_once(s, "PDDGPU:   Suspicious leaks: 0\n");
	assert_logged_once(s, "PDDGPU:   Confirmed leaks: 0\n");
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	assert_logged_once(s, "PDDGPU: Memory leak cleared.");
	assert_ok(pdt_settings_restore());
}

static void in_english(void **state)
{
	documented_run(*state, "en", &english);
}

static void in_chinese(void **state)
{
	documented_run(*state, "zh", &chinese);
}

/* An ordinary user cannot ask for a check; the monitor comes by. */
static void by_an_ordinary_user(void **state)
{
	struct pdt_state *s = *state;
	static const char *const args[] = {
		"--wait", "1", "--count", "3", "--size", "1M", "--free", "1", "--domain", "gtt",
		NULL,
	};
	char *text;
	int status;

	assert_ok(pdt_debugfs_write("leak_check_interval", "100"));
	assert_ok(pdt_debugfs_write("leak_threshold", "0"));
	text = run_example(&status, true, args);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "Allocated 3 BOs, total size: 3 MB\n"));
	assert_non_null(strstr(text, "Kept 2 BOs unfreed"));
	free(text);
	assert_true(pdt_log_wait(&s->log, "PDDGPU: Memory leak detected!"));
	assert_ok(pdt_settings_restore());
}

static void wrong_usage(void **state)
{
	static const char *const wrong[][5] = {
		{ "--count", "x" }, { "--count", "0" }, { "--count", "-1" }, { "--size", "0" },
		{ "--size", "10T" }, { "--domain", "disk" }, { "--lang", "fr" },
		{ "--count", "3", "--free", "4" }, { "--wait", "" }, { "--nothing" }, { "more" },
	};
	char *text;
	int status;

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(wrong); i++) {
		text = run_example(&status, false, wrong[i]);
		assert_int_equal(status, 2);
		/* One line */
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		free(text);
	}
}

static void no_room(void **state)
{
	static const char *const args[] = { "--size", "1G", "--count", "16", NULL };
	char *text, *error;
	int status;

	(void)state;
	text = run_example(&status, false, args);
	assert_int_equal(status, 1);
	error = strstr(text, "memory_leak_test: cannot allocate buffer ");
	assert_non_null(error);
	assert_ptr_equal(strchr(error, '\n'), error + strlen(error) - 1);
	free(text);
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

#define example_test(f) cmocka_unit_test_setup_teardown(f, setup, pdt_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		example_test(in_english),
		example_test(in_chinese),
		example_test(by_an_ordinary_user),
		pdt_test(wrong_usage),
		pdt_test(no_room),
	};

	return pdt_run_tests("example", tests);
}
