// SPDX-License-Identifier: MIT
/* The module's parameters: documented, and they give the defaults when it is loaded. */
#include "pdt.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static int setup(void **state)
{
	struct pdt_log *log = calloc(1, sizeof(*log));

	*state = log;
	if (!log || pdt_log_open(log))
		return -1;
	return pdt_module_loaded() ? 0 : pdt_module_load();
}

/* Back to what it is without parameters */
static int teardown(void **state)
{
	struct pdt_log *log = *state;
	const char *complaint = pdt_log_complaint(log);
	int rc = 0;

	if (complaint)
		fprintf(stderr, "# the kernel log: %s\n", complaint);
	/* What a test that has failed left open */
	close_range((unsigned int)log->fd + 1, ~0U, 0);
	pdt_log_close(log);
	free(log);
	if (pdt_module_loaded())
		rc = pdt_module_unload();
	if (!rc)
		rc = pdt_module_load();
	return complaint || rc ? -1 : 0;
}

#define params_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Loads it anew. */
static int load(const char *const parameters[])
{
	if (pdt_module_loaded())
		assert_ok(pdt_module_unload());
	return pdt_module_load_with(parameters);
}

/* One parameter */
static int load_one(const char *parameter)
{
	const char *const parameters[] = { parameter, NULL };

	return load(parameters);
}

static uint64_t setting(const char *file)
{
	uint64_t value = 0;

	assert_ok(pdt_debugfs_u64(file, &value));
	return value;
}

/* The strings of the module's .modinfo: all that begin with a word, one after the other */
static const char *modinfo_next(const char *file, size_t size, const char *at, const char *word)
{
	const char *end = file + size;

	while ((at = memmem(at, (size_t)(end - at), word, strlen(word)))) {
		if (at > file && !at[-1])
			return at + strlen(word);
		at++;
	}
	return NULL;
}

/* Where modprobe finds it; NULL where the file is compressed */
static char *module_read(size_t *size)
{
	struct utsname name;
	char path[256];
	struct stat st;
	char *file;
	int fd;

	if (uname(&name))
		return NULL;
	snprintf(path, sizeof(path), "/lib/modules/%s/extra/pddgpu.ko", name.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return NULL;
	*size = (size_t)st.st_size;
	file = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return file == MAP_FAILED ? NULL : file;
}

static void all_are_documented(void **state)
{
	char wanted[128];
	const char *type;
	unsigned int count = 0;
	size_t size = 0;
	char *file = module_read(&size);

	(void)state;
	assert_non_null(file);
	for (type = file; (type = modinfo_next(file, size, type, "parmtype=")); count++) {
		const char *text;

		snprintf(wanted, sizeof(wanted), "parm=%.*s:", (int)strcspn(type, ":"), type);
		text = modinfo_next(file, size, file, wanted);
		if (!text)
			fail_msg("parameter %s is not documented", type);
		else if (!strstr(text, "default"))
			fail_msg("parameter %s: no default is named: %s", type, text);
	}
	/* Those of this test alone */
	assert_true(count >= 2 + pdt_settings_count);
	munmap(file, size);
}

static void without_any_the_documented_defaults(void **state)
{
	static const char *const none[] = { NULL };

	(void)state;
	assert_ok(load(none));
	for (size_t i = 0; i < pdt_settings_count; i++)
		assert_u64(setting(pdt_settings[i].file), pdt_settings[i].preset);
}

/* Each at its least and at its most */
static void give_the_defaults(void **state)
{
	char text[2][16][64];
	const char *parameters[2][16] = { { NULL } };

	(void)state;
	assert_true(pdt_settings_count < 12);
	for (size_t i = 0; i < pdt_settings_count; i++) {
		for (size_t k = 0; k < 2; k++) {
			snprintf(text[k][i], sizeof(text[k][i]), "%s=%llu", pdt_settings[i].file,
				 (unsigned long long)(k ? pdt_settings[i].max :
						      pdt_settings[i].min));
			parameters[k][i] = text[k][i];
		}
	}
	assert_ok(load(parameters[0]));
	for (size_t i = 0; i < pdt_settings_count; i++)
		assert_u64(setting(pdt_settings[i].file), pdt_settings[i].min);
	assert_ok(load(parameters[1]));
	for (size_t i = 0; i < pdt_settings_count; i++)
		assert_u64(setting(pdt_settings[i].file), pdt_settings[i].max);
}

static void switched_off_it_does_not_start(void **state)
{
	struct pdt_log *log = *state;

	assert_ok(load_one("leak_monitor_enabled=0"));
	assert_int_equal(pdt_log_count(log, "PDDGPU: Memory leak monitor started"), 0);
	assert_ok(pdt_debugfs_write("leak_monitor_enabled", "1"));
	assert_true(pdt_log_wait(log, "PDDGPU: Memory leak monitor started"));
}

static void out_of_range_keeps_the_default(void **state)
{
	struct pdt_log *log = *state;
	char text[64];

	for (size_t i = 0; i < pdt_settings_count; i++) {
		const struct pdt_setting *one = &pdt_settings[i];

		if (one->max == UINT64_MAX)
			continue;
		snprintf(text, sizeof(text), "%s=%llu", one->file,
			 (unsigned long long)one->max + 1);
		pdt_log_restart(log);
		assert_ok(load_one(text));
		assert_u64(setting(one->file), one->preset);
		snprintf(text, sizeof(text), "PDDGPU: parameter %s: ", one->file);
		assert_int_equal(pdt_log_count(log, text), 1);
	}
}

static void rubbish_is_refused(void **state)
{
	static const char *const rubbish[] = {
		"leak_check_interval=soon", "vram_retry_count=-1", "vramlimit=1G", "gttsize=",
	};

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(rubbish); i++) {
		assert_err(ENOEXEC, load_one(rubbish[i]));
		assert_false(pdt_module_loaded());
	}
}

/* What the card has without any limit */
static void sizes(struct drm_pddgpu_memory_stats *stats)
{
	int fd;

	assert_ok(pdt_wait_for_card());
	fd = pdt_open();
	assert_true(fd >= 0);
	assert_ok(pdt_stats(fd, stats));
	close(fd);
}

/* All that tells of a size tells of the same, and so much can be had and used. */
static void assert_vram(uint64_t total)
{
	static struct pdt_buffer bufs[8192];
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_device_info info;
	struct drm_pddgpu_segment segments[8];
	uint64_t local = 0, size, had = 0;
	unsigned int count;
	size_t n;
	int fd = pdt_open(), err;

	assert_true(fd >= 0);
	assert_ok(pdt_stats(fd, &stats));
	assert_ok(pdt_device_info(fd, &info));
	assert_ok(pdt_segments(fd, segments, PDT_ARRAY_SIZE(segments), &count));
	for (unsigned int i = 0; i < count; i++) {
		assert_true(segments[i].size > 0);
		local += segments[i].domain == PDT_VRAM ? segments[i].size : 0;
	}
	assert_u64(stats.vram_total, total);
	assert_true(stats.vram_visible_total <= total);
	assert_u64(info.vram_size, total);
	assert_u64(local, total);
	assert_ok(pdt_sysfs_u64("mem_info_vram_total", &size));
	assert_u64(size, total);

	n = pdt_fill_domain(fd, bufs, PDT_ARRAY_SIZE(bufs), PDT_MIB, PDT_VRAM, &err);
	assert_int_equal(err, -ENOMEM);
	for (size_t i = 0; i < n; i++) {
		assert_ok(pdt_mmap(fd, bufs[i].handle, bufs[i].size, &bufs[i].map));
		pdt_buffer_fill(&bufs[i], i);
		had += bufs[i].size;
	}
	assert_true(had <= total - stats.vram_used && had + 2 * PDT_MIB > total - stats.vram_used);
	for (size_t i = 0; i < n; i++)
		assert_ok(pdt_buffer_check(&bufs[i]));
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(fd, &bufs[i]);
	close(fd);
}

static void less_vram(void **state)
{
	struct pdt_log *log = *state;
	struct drm_pddgpu_memory_stats all;

	sizes(&all);
	if (all.vram_total < 64 * PDT_MIB)
		pdt_skip("the card has little VRAM");
	pdt_log_restart(log);
	assert_ok(load_one("vramlimit=40"));
	assert_vram(40 * PDT_MIB);
	assert_int_equal(pdt_log_count(log, "PDDGPU: parameter"), 0);
	assert_ok(load_one("vramlimit=0"));
	sizes(&all);
	assert_true(all.vram_total > 40 * PDT_MIB);
}

static void vram_limits_out_of_range(void **state)
{
	struct pdt_log *log = *state;
	struct drm_pddgpu_memory_stats all, now;

	sizes(&all);
	if (all.vram_total < 64 * PDT_MIB)
		pdt_skip("the card has little VRAM");
	/* More than there is */
	pdt_log_restart(log);
	assert_ok(load_one("vramlimit=1000000"));
	sizes(&now);
	assert_u64(now.vram_total, all.vram_total);
	assert_int_equal(pdt_log_count(log, "PDDGPU: parameter vramlimit: "), 1);
	/* No number of MiB */
	pdt_log_restart(log);
	assert_ok(load_one("vramlimit=-5"));
	sizes(&now);
	assert_u64(now.vram_total, all.vram_total);
	assert_int_equal(pdt_log_count(log, "PDDGPU: parameter vramlimit: "), 1);
	/* Less than the card works with */
	pdt_log_restart(log);
	assert_ok(load_one("vramlimit=1"));
	sizes(&now);
	assert_true(now.vram_total >= 16 * PDT_MIB && now.vram_total < all.vram_total);
	assert_true(now.vram_total >= now.kernel_bytes + 8 * PDT_MIB);
	assert_int_equal(pdt_log_count(log, "PDDGPU: parameter vramlimit: "), 1);
}

static void less_gtt(void **state)
{
	static struct pdt_buffer bufs[64];
	struct pdt_log *log = *state;
	struct drm_pddgpu_memory_stats all, now;
	uint64_t had = 0;
	size_t n;
	int fd, err;

	sizes(&all);
	pdt_log_restart(log);
	assert_ok(load_one("gttsize=24"));
	sizes(&now);
	assert_u64(now.gtt_total, 24 * PDT_MIB);
	assert_u64(now.vram_total, all.vram_total);
	assert_int_equal(pdt_log_count(log, "PDDGPU: parameter"), 0);
	fd = pdt_open();
	assert_true(fd >= 0);
	n = pdt_fill_domain(fd, bufs, PDT_ARRAY_SIZE(bufs), PDT_MIB, PDT_GTT, &err);
	for (size_t i = 0; i < n; i++)
		had += bufs[i].size;
	assert_u64(had, 24 * PDT_MIB);
	assert_int_equal(err, -ENOMEM);
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(fd, &bufs[i]);
	close(fd);

	pdt_log_restart(log);
	assert_ok(load_one("gttsize=1000000000"));
	sizes(&now);
	assert_u64(now.gtt_total, all.gtt_total);
	assert_int_equal(pdt_log_count(log, "PDDGPU: parameter gttsize: "), 1);
	assert_ok(load_one("gttsize=0"));
	sizes(&now);
	assert_u64(now.gtt_total, 16 * PDT_MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		params_test(all_are_documented),
		params_test(without_any_the_documented_defaults),
		params_test(give_the_defaults),
		params_test(switched_off_it_does_not_start),
		params_test(out_of_range_keeps_the_default),
		params_test(rubbish_is_refused),
		params_test(less_vram),
		params_test(vram_limits_out_of_range),
		params_test(less_gtt),
	};

	return pdt_run_tests("params", tests);
}
