// SPDX-License-Identifier: MIT
/* What leak_objects takes: a check, a baseline, how often; an object in the log. */
#include "pdt.h"

#include <unistd.h>

static int setup(void **state)
{
	if (pdt_setup(state) || pdt_debugfs_write("leak_monitor_enabled", "0"))
		return -1;
	pdt_log_restart(&((struct pdt_state *)*state)->log);
	return 0;
}

static int teardown(void **state)
{
	return pdt_settings_restore() | pdt_teardown(state);
}

#define leak_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int command(const char *text)
{
	return pdt_debugfs_write("leak_objects", text);
}

/* Objects that leak_objects lists, and their bytes */
static unsigned int listed(uint64_t *bytes)
{
	char *text = pdt_debugfs_read("leak_objects");
	unsigned long long size;
	unsigned int count = 0;

	assert_non_null(text);
	*bytes = 0;
	for (char *at = strchr(text, '\n'); at && at[1]; at = strchr(at + 1, '\n'), count++) {
		assert_int_equal(sscanf(at + 1, "%*u %llu", &size), 1);
		*bytes += size;
	}
	free(text);
	return count;
}

/* So many are leaks, here and in every figure */
static void assert_leaks(struct pdt_state *s, unsigned int objects, uint64_t bytes)
{
	struct drm_pddgpu_memory_stats stats;
	uint64_t shown;

	assert_int_equal(listed(&shown), objects);
	assert_u64(shown, bytes);
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_suspicious + stats.leak_confirmed, objects);
	assert_u64(stats.leak_suspicious_bytes + stats.leak_confirmed_bytes, bytes);
}

#define OLD	700

/* What is there at "clear" is no leak any more; what comes after it is. */
static void baseline(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint32_t old[OLD], new[3];

	for (size_t i = 0; i < OLD; i++)
		assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_CPU, 0, &old[i]));
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	pdt_sleep_ms(5);
	assert_leaks(s, OLD, OLD * PDT_PAGE);
	assert_ok(command("clear"));
	assert_leaks(s, 0, 0);
	/* They are there all the same. */
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.live_objects, OLD);

	for (size_t i = 0; i < 3; i++)
		assert_ok(pdt_create(s->fd, 3 * PDT_PAGE, PDT_CPU, 0, &new[i]));
	pdt_sleep_ms(5);
	assert_leaks(s, 3, 9 * PDT_PAGE);
	/* Old ones go, and new ones: each from its own sum */
	for (size_t i = 0; i < OLD; i += 2)
		assert_ok(pdt_destroy(s->fd, old[i]));
	assert_leaks(s, 3, 9 * PDT_PAGE);
	assert_ok(pdt_destroy(s->fd, new[0]));
	assert_leaks(s, 2, 6 * PDT_PAGE);

	/* Ages that change do not bring them back. */
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "3600000"));
	assert_leaks(s, 0, 0);
	assert_ok(pdt_debugfs_write("leak_confirmed_age", "1"));
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_leaks(s, 2, 6 * PDT_PAGE);
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.leak_confirmed, 2);

	/* And a second one takes those in too. */
	assert_ok(command("clear\n"));
	assert_leaks(s, 0, 0);
	assert_ok(pdt_create(s->fd, 5 * PDT_PAGE, PDT_CPU, 0, &new[0]));
	pdt_sleep_ms(5);
	assert_leaks(s, 1, 5 * PDT_PAGE);
}

static void report_knows_it(void **state)
{
	static const char *const lines[] = {
		"PDDGPU: 1 objects newly confirmed as leaks, 20480 bytes\n",
		"PDDGPU:   Total allocated objects: 2\n",
		"PDDGPU:   Total leaked size: 20480 bytes\n",
		"PDDGPU:   Not leaked, by the baseline: 1 objects, 12288 bytes\n",
		"PDDGPU:   Confirmed leaks: 1\n",
	};
	struct pdt_state *s = *state;
	uint32_t handle;

	/* What earlier tests have made is told of now */
	assert_ok(command("scan"));
	pdt_log_restart(&s->log);
	assert_ok(pdt_debugfs_write("leak_confirmed_age", "1"));
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, 3 * PDT_PAGE, PDT_GTT, 0, &handle));
	assert_ok(command("clear"));
	assert_ok(pdt_create(s->fd, 5 * PDT_PAGE, PDT_GTT, 0, &handle));
	pdt_sleep_ms(5);
	assert_ok(pdt_debugfs_write("leak_threshold", "0"));
	assert_ok(command("scan"));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(lines); i++)
		assert_int_equal(pdt_log_count(&s->log, lines[i]), 1);
}

static uint64_t setting(const char *file)
{
	uint64_t value;

	assert_ok(pdt_debugfs_u64(file, &value));
	return value;
}

static void how_often(void **state)
{
	struct pdt_state *s = *state;

	assert_ok(command("scan=on"));
	assert_u64(setting("leak_monitor_enabled"), 1);
	assert_u64(setting("leak_check_interval"), 5000);
	assert_ok(command("scan=off\n"));
	assert_u64(setting("leak_monitor_enabled"), 0);
	assert_ok(command("scan=7"));
	assert_u64(setting("leak_monitor_enabled"), 1);
	assert_u64(setting("leak_check_interval"), 7000);
	assert_ok(command("scan=0"));
	assert_u64(setting("leak_monitor_enabled"), 0);
	assert_err(ERANGE, command("scan=3601"));
	assert_err(ERANGE, command("scan=18446744073709551615"));
	assert_err(ERANGE, command("scan=18446744073709551616"));
	assert_u64(setting("leak_monitor_enabled"), 0);
	assert_u64(setting("leak_check_interval"), 7000);
	assert_ok(command("scan=3600"));
	assert_u64(setting("leak_check_interval"), 3600000);
	assert_true(pdt_log_wait(&s->log, "PDDGPU: Memory leak monitor started"));
}

static void rubbish(void **state)
{
	static const char *const words[] = {
		"\n", "scan ", " scan", "scan\n\n", "Scan", "scanx", "scan=", "scan=x", "scan=+5",
		"scan=-1", "scan=5s", "scan=5 ", "scan= 5", "scan=0x5", "scan=off ", "clear=",
		"clear 1", "dump", "dump=", "dump=x", "dump=+1", "dump=-1", "dump= 1", "dump=1 ",
		"dump=0x", "off", "stack=off", "1",
		"dump=111111111111111111111111111111111111111111111111111111",
	};
	struct pdt_state *s = *state;
	uint32_t handle;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_CPU, 0, &handle));
	pdt_sleep_ms(5);
	pdt_log_restart(&s->log);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(words); i++) {
		if (command(words[i]) != -EINVAL)
			fail_msg("\"%s\" got %d", words[i], command(words[i]));
	}
	assert_leaks(s, 1, PDT_PAGE);
	assert_u64(setting("leak_monitor_enabled"), 0);
	assert_int_equal(pdt_log_count(&s->log, "PDDGPU"), 0);
}

/* As kmemleak does: the object at an address, in the log */
static void dump(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_device_info card;
	struct drm_pddgpu_gem_info info;
	uint32_t handle, domains[] = { PDT_VRAM, PDT_GTT };
	char text[100];

	assert_ok(pdt_device_info(s->fd, &card));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(domains); i++) {
		pdt_log_restart(&s->log);
		assert_ok(pdt_create(s->fd, 5 * PDT_PAGE, domains[i], 0, &handle));
		assert_ok(pdt_set_label(s->fd, handle, "dumped\nPDDGPU: forged"));
		assert_ok(pdt_info(s->fd, handle, &info));
		/* Anywhere in it, in hex or not */
		snprintf(text, sizeof(text), i ? "dump=%llu" : "dump=0x%llx",
			 (unsigned long long)info.offset + 4096 + 5);
		assert_ok(command(text));
		assert_int_equal(pdt_log_count(&s->log, " (size 20480):\n"), 1);
		snprintf(text, sizeof(text), "PDDGPU:   comm \"test_baseline\", pid %d, client ",
			 getpid());
		assert_int_equal(pdt_log_count(&s->log, text), 1);
		snprintf(text, sizeof(text), "   state LIVE,young, region %s, label \"dumped",
			 i ? "GTT" : "VRAM");
		assert_int_equal(pdt_log_count(&s->log, text), 1);
		assert_int_equal(pdt_log_count(&s->log, "\nPDDGPU: forged"), 0);
		assert_int_equal(pdt_log_count(&s->log, "     pddgpu_gem_create_ioctl+0x"), 1);
		assert_ok(pdt_destroy(s->fd, handle));
		assert_true(pdt_level_wait(s->fd, &s->before));
		snprintf(text, sizeof(text), "dump=%llu", (unsigned long long)info.offset);
		assert_err(ENOENT, command(text));
	}
	snprintf(text, sizeof(text), "dump=0x%llx",
		 (unsigned long long)card.gtt_start + card.gtt_size);
	assert_err(ERANGE, command(text));
	assert_err(ERANGE, command("dump=0xffffffffffffffff"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leak_test(baseline),
		leak_test(report_knows_it),
		leak_test(how_often),
		leak_test(rubbish),
		leak_test(dump),
	};

	return pdt_run_tests("baseline", tests);
}
