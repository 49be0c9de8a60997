// SPDX-License-Identifier: MIT
/* The files in debugfs: modes, input, and the same figures as QUERY gives. */
#include "pdt.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELD(f) { #f, offsetof(struct drm_pddgpu_memory_stats, f) }

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	FIELD(vram_total), FIELD(vram_used), FIELD(vram_free),
	FIELD(vram_visible_total), FIELD(vram_visible_used),
	FIELD(gtt_total), FIELD(gtt_used), FIELD(gtt_free),
	FIELD(total_allocations), FIELD(total_deallocations), FIELD(failed_allocations),
	FIELD(moves), FIELD(evictions), FIELD(bytes_moved), FIELD(swap_outs), FIELD(swap_ins),
	FIELD(leak_suspicious), FIELD(leak_suspicious_bytes),
	FIELD(leak_confirmed), FIELD(leak_confirmed_bytes),
	FIELD(avg_allocation_time), FIELD(avg_deallocation_time), FIELD(avg_move_time),
	FIELD(live_objects), FIELD(live_bytes), FIELD(orphan_objects), FIELD(orphan_bytes),
	FIELD(zombie_objects), FIELD(zombie_bytes), FIELD(kernel_bytes),
	FIELD(swapped_bytes),
}, histograms[] = {
	FIELD(allocation_histogram), FIELD(deallocation_histogram), FIELD(move_histogram),
};

/* The structure holds what is named here, and nothing else. */
_Static_assert(sizeof(struct drm_pddgpu_memory_stats) ==
	       8 * (PDT_ARRAY_SIZE(numbers) + 3 * PDDGPU_LATENCY_BUCKETS), "all fields");

static const struct {
	const char *name;
	mode_t mode;
} files[] = {
	{ "memory_stats", 0400 },
	{ "leak_objects", 0600 },
	{ "leak_sites", 0400 },
	{ "gem_info", 0400 },
	{ "owners", 0400 },
	{ "vram_blocks", 0400 },
	{ "gtt_blocks", 0400 },
	{ "trigger_leak_check", 0200 },
	{ "leak_check_interval", 0600 },
	{ "leak_threshold", 0600 },
	{ "leak_suspicious_age", 0600 },
	{ "leak_confirmed_age", 0600 },
	{ "leak_monitor_enabled", 0600 },
	{ "leak_object_bytes", 0400 },
	{ "vram_retry_count", 0600 },
	{ "vram_retry_delay", 0600 },
	{ "gtt_retry_count", 0600 },
	{ "gtt_retry_delay", 0600 },
	{ "vram_mm", 0400 },
	{ "gtt_mm", 0400 },
	{ "reset_stats", 0200 },
	{ "residency", 0400 },
	{ "page_out", 0600 },
	{ "unpageable_limits", 0600 },
	{ "health", 0400 },
	{ "check", 0200 },
	{ "recover", 0200 },
	{ "inject_error", 0200 },
	{ "recover_count", 0600 },
	{ "recover_delay", 0600 },
	{ "reset", 0600 },
	{ "pm_state", 0400 },
};

static void modes(void **state)
{
	char target[PATH_MAX] = "";
	struct stat st;

	(void)state;
	assert_int_equal(lstat("/sys/kernel/debug/pddgpu", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_true(readlink("/sys/kernel/debug/pddgpu", target, sizeof(target) - 1) > 0);
	assert_int_equal(strncmp(target, "dri/", 4), 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(files); i++) {
		if (stat(pdt_debugfs_path(files[i].name), &st))
			fail_msg("%s: %s", files[i].name, strerror(errno));
		if ((st.st_mode & 07777) != files[i].mode || st.st_uid || st.st_gid)
			fail_msg("%s: mode %o, owner %u:%u", files[i].name, st.st_mode & 07777,
				 st.st_uid, st.st_gid);
	}
}

/* The word that holds a histogram's bucket in a line of them */
static uint64_t word(const char **at)
{
	char *end;
	uint64_t value = strtoull(*at, &end, 10);

	assert_ptr_not_equal(end, *at);
	*at = end;
	return value;
}

static void same_as_query(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	unsigned int lines = 0;
	uint32_t handle;
	uint64_t value;
	char *text;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
	assert_ok(pdt_stats(s->fd, &stats));
	text = pdt_debugfs_read("memory_stats");
	assert_non_null(text);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(numbers); i++) {
		uint64_t expected = *(uint64_t *)((char *)&stats + numbers[i].offset);

		if (pdt_number_of(text, numbers[i].name, &value))
			fail_msg("no line %s in memory_stats", numbers[i].name);
		if (value != expected)
			fail_msg("%s: %llu in memory_stats, %llu by QUERY", numbers[i].name,
				 (unsigned long long)value, (unsigned long long)expected);
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(histograms); i++) {
		const uint64_t *expected = (void *)((char *)&stats + histograms[i].offset);
		const char *at = strstr(text, histograms[i].name);

		assert_non_null(at);
		at += strlen(histograms[i].name);
		assert_int_equal(*at, ':');
		at++;
		for (size_t b = 0; b < PDDGPU_LATENCY_BUCKETS; b++)
			assert_u64(word(&at), expected[b]);
		assert_int_equal(*at, '\n');
	}
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, PDT_ARRAY_SIZE(numbers) + PDT_ARRAY_SIZE(histograms));
	free(text);
}

static void presets(void **state)
{
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < pdt_settings_count; i++) {
		assert_ok(pdt_debugfs_u64(pdt_settings[i].file, &value));
		if (value != pdt_settings[i].preset)
			fail_msg("%s is %llu", pdt_settings[i].file, (unsigned long long)value);
	}
}

static void ranges(void **state)
{
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < pdt_settings_count; i++) {
		const struct pdt_setting *set = &pdt_settings[i];
		const uint64_t good[] = { set->min, set->max, set->preset };

		for (size_t g = 0; g < PDT_ARRAY_SIZE(good); g++) {
			assert_ok(pdt_debugfs_write_u64(set->file, good[g]));
			assert_ok(pdt_debugfs_u64(set->file, &value));
			assert_u64(value, good[g]);
		}
		if (set->min)
			assert_err(ERANGE, pdt_debugfs_write_u64(set->file, set->min - 1));
		if (set->max < UINT64_MAX) {
			assert_err(ERANGE, pdt_debugfs_write_u64(set->file, set->max + 1));
			assert_err(ERANGE, pdt_debugfs_write_u64(set->file, UINT64_MAX));
			assert_err(ERANGE, pdt_debugfs_write_u64(set->file, 1ULL << 32));
		}
		assert_err(ERANGE, pdt_debugfs_write(set->file, "18446744073709551616"));
		assert_ok(pdt_debugfs_u64(set->file, &value));
		assert_u64(value, set->preset);
	}
}

static const char *const rubbish[] = {
	"rubbish", "\n", " ", "-1", "1 2", "1x", "x1", "0x10", "1.5", "1e3", " 1", "1 ", "1\n\n",
	"\xff", "10M", "1,000", "--1", "1\t", "nan",
};

static void rubbish_is_refused(void **state)
{
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < pdt_settings_count; i++) {
		const char *file = pdt_settings[i].file;

		for (size_t r = 0; r < PDT_ARRAY_SIZE(rubbish); r++)
			if (pdt_debugfs_write(file, rubbish[r]) != -EINVAL)
				fail_msg("%s: '%s' got %d", file, rubbish[r],
					 pdt_debugfs_write(file, rubbish[r]));
		assert_ok(pdt_debugfs_u64(file, &value));
		assert_u64(value, pdt_settings[i].preset);
	}
}

static void nul_and_length(void **state)
{
	static char long_text[100000];
	const void *nowhere = (void *)-4096L;
	int fd = open(pdt_debugfs_path("leak_threshold"), O_WRONLY);

	(void)state;
	assert_true(fd >= 0);
	memset(long_text, '1', sizeof(long_text));
	assert_int_equal(write(fd, "1\0002", 3), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(write(fd, "\0", 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(write(fd, long_text, sizeof(long_text)), -1);
	assert_true(errno == EINVAL || errno == ERANGE);
	assert_int_equal(write(fd, nowhere, 5), -1);
	assert_int_equal(errno, EFAULT);
	close(fd);
	presets(state);
}

/* Whatever a file is for: what it takes, beside those that only show something */
static const char *const writable[] = {
	"trigger_leak_check", "leak_check_interval", "leak_threshold", "leak_suspicious_age",
	"leak_confirmed_age", "leak_monitor_enabled", "vram_retry_count", "vram_retry_delay",
	"gtt_retry_count", "gtt_retry_delay", "reset_stats", "page_out", "unpageable_limits",
	"check", "recover", "inject_error", "recover_count", "recover_delay", "reset",
	"leak_objects",
};

/* A file's text, or what the health file counts where it cannot be read */
static char *shown(const char *file)
{
	char *text = pdt_debugfs_read(file);

	return text ? text : pdt_debugfs_read("memory_stats");
}

static uint64_t health_sum(void)
{
	static const char *const names[] = {
		"vram_errors", "gtt_errors", "vram_checks", "gtt_checks", "vram_recoveries",
		"gtt_recoveries", "vram_recoveries_failed", "gtt_recoveries_failed",
	};
	char *text = pdt_debugfs_read("health");
	uint64_t value, sum = 0;

	assert_non_null(text);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++) {
		assert_ok(pdt_number_of(text, names[i], &value));
		sum += value;
	}
	free(text);
	return sum;
}

/* No bytes, one too many, very many, no memory behind them, none of them a word */
static void odd_writes(void **state)
{
	static const size_t lengths[] = { 0, 1, 31, 32, 33, 64, 65, 4095, 4097, 1 << 20 };
	static const char fills[] = { 0, ' ', '\n', 'x', '-' };
	const void *volatile nowhere = (const void *)8;
	char *big = malloc(1 << 20);

	(void)state;
	assert_non_null(big);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(writable); i++) {
		char *before = shown(writable[i]), *after;
		int fd = open(pdt_debugfs_path(writable[i]), O_WRONLY | O_CLOEXEC);
		uint64_t sum = health_sum();

		assert_true(fd >= 0);
		for (size_t l = 0; l < PDT_ARRAY_SIZE(lengths); l++) {
			for (size_t f = 0; f < PDT_ARRAY_SIZE(fills); f++) {
				memset(big, fills[f], lengths[l]);
				errno = 0;
				if (write(fd, big, lengths[l]) != -1 || errno != EINVAL)
					fail_msg("%s: %zu times %#x: %s", writable[i], lengths[l],
						 fills[f], strerror(errno));
			}
		}
		assert_int_equal(write(fd, nowhere, 4), -1);
		assert_int_equal(errno, EFAULT);
		close(fd);
		after = shown(writable[i]);
		assert_non_null(before);
		assert_non_null(after);
		assert_string_equal(before, after);
		assert_u64(health_sum(), sum);
		free(before);
		free(after);
	}
	free(big);
}

/* The module's own: not all that can be read can be written, and rubbish is refused */
static void parameters(void **state)
{
	static const struct {
		const char *name;
		const char *const bad[6];
	} settings[] = {
		{ "busywait_us", { "", "x", "-1", "4294967296", "1 2", "1.5" } },
		{ "chip_resets", { "", "x", "-1", "4294967296", "1 2", "1.5" } },
		{ "clear_freed", { "", "x", "2", "-1", "maybe", " " } },
		{ "cpu_moves", { "", "x", "2", "-1", "maybe", " " } },
		{ "evidence", { "", "x", "2", "-1", "maybe", " " } },
		{ "leak_stacks", { "", "x", "2", "-1", "maybe", " " } },
	};
	static const char *const constant[] = { "stats", "tracking", "job_timeout_ms" };
	char path[128], *before, *after;
	int rc;

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), "/sys/module/pddgpu/parameters/%s",
			 settings[i].name);
		before = pdt_file_read(path);
		assert_non_null(before);
		for (size_t b = 1; b < PDT_ARRAY_SIZE(settings[i].bad); b++) {
			rc = pdt_file_write(path, settings[i].bad[b]);
			if (rc != -EINVAL && rc != -ERANGE)
				fail_msg("%s: \"%s\" got %d", path, settings[i].bad[b], rc);
		}
		after = pdt_file_read(path);
		assert_string_equal(before, after);
		free(before);
		free(after);
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(constant); i++) {
		struct stat st;

		snprintf(path, sizeof(path), "/sys/module/pddgpu/parameters/%s", constant[i]);
		assert_ok(stat(path, &st) ? -errno : 0);
		assert_int_equal(st.st_mode & 07777, 0444);
		assert_true(pdt_file_write(path, "1") < 0);
	}
}

static void switches_take_only_one(void **state)
{
	static const char *const names[] = { "trigger_leak_check", "reset_stats" };

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++) {
		for (size_t r = 0; r < PDT_ARRAY_SIZE(rubbish); r++)
			assert_err(EINVAL, pdt_debugfs_write(names[i], rubbish[r]));
		assert_err(ERANGE, pdt_debugfs_write(names[i], "0"));
		assert_err(ERANGE, pdt_debugfs_write(names[i], "2"));
		assert_ok(pdt_debugfs_write(names[i], "1"));
		assert_ok(pdt_debugfs_write(names[i], "1\n"));
		assert_null(pdt_debugfs_read(names[i]));
	}
	assert_true(pdt_debugfs_write("memory_stats", "1") < 0);
	assert_true(pdt_debugfs_write("leak_objects", "1") < 0);
	assert_true(pdt_debugfs_write("vram_mm", "1") < 0);
	assert_true(pdt_debugfs_write("residency", "1") < 0);
}

static void reset_zeroes_counters(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint32_t kept, handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &kept));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_true(stats.total_allocations >= 2);
	assert_true(stats.moves >= 1);

	assert_ok(pdt_debugfs_write("reset_stats", "1"));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.total_allocations, 0);
	assert_u64(stats.total_deallocations, 0);
	assert_u64(stats.failed_allocations, 0);
	assert_u64(stats.moves, 0);
	assert_u64(stats.evictions, 0);
	assert_u64(stats.bytes_moved, 0);
	assert_u64(stats.avg_allocation_time, 0);
	assert_u64(stats.avg_deallocation_time, 0);
	assert_u64(stats.avg_move_time, 0);
	for (size_t i = 0; i < PDDGPU_LATENCY_BUCKETS; i++)
		assert_u64(stats.allocation_histogram[i] + stats.deallocation_histogram[i] +
			   stats.move_histogram[i], 0);
	/* What is there stays counted. */
	assert_u64(stats.vram_used, s->before.vram_used + PDT_PAGE);
	assert_u64(stats.live_objects, s->before.objects + 1);

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.total_allocations, 1);
	assert_ok(pdt_destroy(s->fd, kept));
}

static void allocator_pictures(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	char *before, *after;

	for (int i = 0; i < 2; i++) {
		const char *file = i ? "gtt_mm" : "vram_mm";

		before = pdt_debugfs_read(file);
		assert_non_null(before);
		assert_true(strlen(before) > 20);
		assert_ok(pdt_create(s->fd, 9 * PDT_PAGE, i ? PDT_GTT : PDT_VRAM, 0, &handle));
		after = pdt_debugfs_read(file);
		assert_non_null(after);
		assert_string_not_equal(before, after);
		free(before);
		free(after);
	}
}

/* Where a number with a kernel address's digits stands, with or without 0x */
static const char *kernel_address(const char *text)
{
	for (const char *at = strstr(text, "ffff"); at; at = strstr(at + 1, "ffff")) {
		size_t digits = 0;

		while (isxdigit((unsigned char)at[digits]))
			digits++;
		if (digits >= 16)
			return at;
	}
	return NULL;
}

static void no_kernel_addresses(void **state)
{
	struct pdt_state *s = *state;
	const char *found;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	pdt_sleep_ms(5);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(files); i++) {
		char *text;

		if (!(files[i].mode & 0400))
			continue;
		text = pdt_debugfs_read(files[i].name);
		assert_non_null(text);
		found = kernel_address(text);
		if (found)
			fail_msg("%s: %.60s", files[i].name, found);
		free(text);
	}
	assert_ok(pdt_settings_restore());
}

struct churn {
	int fd;
	bool stop;
	unsigned int reads;
};

static int read_or_allocate(void *arg, unsigned int index)
{
	struct churn *churn = arg;
	uint32_t handle;

	if (index) {
		for (unsigned int i = 0; !__atomic_load_n(&churn->stop, __ATOMIC_RELAXED); i++) {
			char *text = pdt_debugfs_read(files[i % 2 ? 1 : 12 + i / 2 % 2].name);

			child_check(text);
			free(text);
			__atomic_add_fetch(&churn->reads, 1, __ATOMIC_RELAXED);
		}
		return 0;
	}
	for (unsigned int i = 0; i < 300; i++) {
		child_check(!pdt_create(churn->fd, PDT_PAGE, i % 2 ? PDT_VRAM : PDT_GTT, 0,
					&handle));
		if (i % 3)
			child_check(!pdt_destroy(churn->fd, handle));
	}
	__atomic_store_n(&churn->stop, true, __ATOMIC_RELAXED);
	return 0;
}

/* Read while everything that they show comes and goes */
static void read_while_changing(void **state)
{
	struct pdt_state *s = *state;
	struct churn churn = { .fd = s->fd };

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_int_equal(pdt_threads(3, read_or_allocate, &churn), 0);
	assert_ok(pdt_settings_restore());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(modes),
		pdt_test(presets),
		pdt_test(same_as_query),
		pdt_test(ranges),
		pdt_test(rubbish_is_refused),
		pdt_test(nul_and_length),
		pdt_test(odd_writes),
		pdt_test(parameters),
		pdt_test(switches_take_only_one),
		pdt_test(reset_zeroes_counters),
		pdt_test(allocator_pictures),
		pdt_test(no_kernel_addresses),
		pdt_test(read_while_changing),
	};

	return pdt_run_tests("debugfs", tests);
}
