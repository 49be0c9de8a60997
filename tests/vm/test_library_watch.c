// SPDX-License-Identifier: MIT
/* libpddgpu on a real card: who has memory, leaks, what is where. */
#include "pdt.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pddgpu.h>

/* A name that has to be escaped in every way; 15 bytes */
#define NAME	"a b\\\n\t-\303\244\033[1m"
#define LABEL	" label of\ntwo \"lines\"\\ "

static struct pddgpu_device *open_card(void)
{
	struct pddgpu_device *dev = NULL;

	assert_ok(pddgpu_open(NULL, &dev));
	return dev;
}

static struct pddgpu_bo *make(struct pddgpu_device *dev, uint64_t size, uint32_t domains)
{
	struct pddgpu_bo *bo = NULL;

	assert_ok(pddgpu_bo_create(dev, size, domains, 0, &bo));
	return bo;
}

/* An older driver: what cannot be tested on it is said. */
static void need(int ret)
{
	if (ret == -EOPNOTSUPP)
		pdt_skip("this driver does not have it");
	assert_ok(ret);
}

static int setup(void **state)
{
	prctl(PR_SET_NAME, NAME);
	return pdt_setup(state);
}

static int teardown(void **state)
{
	prctl(PR_SET_NAME, "test_library");
	return pdt_settings_restore() | pdt_teardown(state);
}

#define watch_test(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

static void settings(void **state)
{
	struct pddgpu_device *dev = open_card();
	uint64_t value, kernel;
	char text[64];
	int fd;

	(void)state;
	assert_ok(pdt_debugfs_u64("leak_threshold", &kernel));
	assert_ok(pddgpu_setting_get(dev, "leak_threshold", &value));
	assert_u64(value, kernel);
	assert_ok(pddgpu_setting_set(dev, "leak_threshold", value + 1));
	assert_ok(pdt_debugfs_u64("leak_threshold", &kernel));
	assert_u64(kernel, value + 1);
	assert_err(ERANGE, pddgpu_setting_set(dev, "leak_check_interval", 1));
	assert_err(EINVAL, pddgpu_setting_get(dev, "memory_stats", &value));
	assert_err(EOPNOTSUPP, pddgpu_setting_get(dev, "no_such_thing", &value));
	assert_err(EOPNOTSUPP, pddgpu_setting_set(dev, "memory_stats", 1));
	assert_err(EOPNOTSUPP, pddgpu_setting_get(dev, "reset_stats", &value));
	fd = pddgpu_debugfs_open(dev, "health", O_RDONLY);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text)) > 0);
	close(fd);
	pddgpu_close(dev);
}

/* An ordinary user sees what is everybody's, and is told what is root's. */
static int as_user(void *arg)
{
	struct drm_pddgpu_memory_stats stats;
	struct pddgpu_device *dev;
	struct pddgpu_leaks *leaks;
	struct pddgpu_events *events;
	struct pddgpu_event event;
	uint64_t value;

	(void)arg;
	child_check(!pdt_become_user(1000));
	child_check(!pddgpu_open(NULL, &dev));
	child_check(!pddgpu_query_stats(dev, &stats));
	child_check(pddgpu_leaks_open(dev, &leaks) == -EACCES);
	child_check(pddgpu_leaks_scan(dev) == -EACCES);
	child_check(pddgpu_setting_get(dev, "leak_threshold", &value) == -EACCES);
	child_check(!pddgpu_events_open(&events));
	child_check(!pddgpu_events_next(events, &event, 0));
	pddgpu_events_close(events);
	pddgpu_close(dev);
	return 0;
}

static void rights(void **state)
{
	(void)state;
	assert_int_equal(pdt_run(as_user, NULL), 0);
}

static int without_debugfs(void *arg)
{
	static const char *const unmount[] = { "umount", "/sys/kernel/debug", NULL };
	static const char *const mount[] = { "mount", "-t", "debugfs", "none",
					     "/sys/kernel/debug", NULL };
	struct pddgpu_device *dev = arg;
	struct pddgpu_owners *owners;
	int ret, rc = pdt_command(unmount);

	ret = pddgpu_owners_open(dev, &owners);
	child_check(!rc && !pdt_command(mount));
	child_check(ret == -ENOENT);
	return 0;
}

static void no_debugfs(void **state)
{
	struct pddgpu_device *dev = open_card();

	(void)state;
	assert_int_equal(without_debugfs(dev), 0);
	pddgpu_close(dev);
}

/* The leak of that size, if there is one; how many of them */
static int find_leak(struct pddgpu_device *dev, uint64_t size, struct pddgpu_leak *found)
{
	struct pddgpu_leaks *leaks;
	struct pddgpu_leak leak;
	int ret, count = 0;

	assert_ok(pddgpu_leaks_open(dev, &leaks));
	while ((ret = pddgpu_leaks_next(leaks, &leak)) == 1) {
		assert_non_null(leak.stack);
		if (leak.size == size) {
			*found = leak;
			count++;
		}
	}
	assert_ok(ret);
	pddgpu_leaks_close(leaks);
	return count;
}

static void leaks(void **state)
{
	const uint64_t size = 77 * PDT_PAGE;
	struct pdt_state *s = *state;
	struct pddgpu_device *dev = open_card();
	struct pddgpu_bo *bo = make(dev, size, PDT_GTT);
	struct drm_pddgpu_memory_stats stats;
	struct pddgpu_leak leak = { .stack = "" };
	bool labels = !pddgpu_bo_set_label(bo, LABEL);
	int fd, ret;

	assert_int_equal(find_leak(dev, size, &leak), 0);
	assert_ok(pddgpu_setting_set(dev, "leak_suspicious_age", 20));
	pdt_sleep_ms(60);
	assert_int_equal(find_leak(dev, size, &leak), 1);
	assert_in_range(leak.age_ms, 20, 100000);
	assert_int_equal(leak.domain, PDT_GTT);
	assert_int_equal(leak.state, PDDGPU_STATE_LIVE);
	assert_false(leak.confirmed);
	assert_int_equal(leak.pid, getpid());
	assert_string_equal(leak.comm, NAME);
	assert_string_equal(leak.label, labels ? LABEL : "");
	assert_non_null(strstr(leak.stack, "pddgpu"));
	/* Its handle goes, a dma-buf stays. */
	assert_ok(pddgpu_setting_set(dev, "leak_confirmed_age", 21));
	assert_ok(pddgpu_bo_export(bo, &fd));
	pddgpu_bo_free(bo);
	assert_int_equal(find_leak(dev, size, &leak), 1);
	assert_int_equal(leak.state, PDDGPU_STATE_ORPHAN);
	assert_true(leak.confirmed);
	/* By itself the driver does not look again; when it is told to it says what is new. */
	assert_ok(pddgpu_setting_set(dev, "leak_monitor_enabled", 0));
	assert_ok(pddgpu_setting_set(dev, "leak_threshold", 4096));
	pdt_log_restart(&s->log);
	assert_ok(pddgpu_leaks_scan(dev));
	assert_true(pdt_log_wait(&s->log, "Memory leak detected!"));
	assert_ok(pddgpu_query_stats(dev, &stats));
	assert_in_range(stats.leak_confirmed, 1, UINT64_MAX);
	ret = pddgpu_leaks_clear(dev);
	if (ret != -EOPNOTSUPP) {
		assert_ok(ret);
		assert_int_equal(find_leak(dev, size, &leak), 0);
	}
	close(fd);
	pddgpu_close(dev);
}

/* All owners together have what QUERY says, to the byte. */
static void owners(void **state)
{
	struct pddgpu_device *dev = open_card();
	struct pddgpu_bo *vram = make(dev, 50 * PDT_PAGE, PDT_VRAM);
	struct pddgpu_bo *gtt = make(dev, 30 * PDT_PAGE, PDT_GTT);
	struct drm_pddgpu_ownership own[3];
	uint64_t sums[3][3] = { 0 }, objects[3] = { 0 };
	struct pddgpu_owner owner, mine = { 0 };
	struct pddgpu_owners *reader;
	int ret, fd;

	(void)state;
	assert_ok(pddgpu_bo_export(gtt, &fd));
	pddgpu_bo_free(gtt);
	need(pddgpu_query_ownership(dev, own));
	need(pddgpu_owners_open(dev, &reader));
	while ((ret = pddgpu_owners_next(reader, &owner)) == 1) {
		for (int r = 0; r < PDDGPU_REGIONS; r++)
			for (int i = 0; i < PDDGPU_STATES_OWNED; i++)
				sums[r][i] += owner.bytes[r][i];
		for (int i = 0; i < PDDGPU_STATES_OWNED; i++)
			objects[i] += owner.objects[i];
		if (owner.pid == getpid() && owner.bytes[PDDGPU_REGION_VRAM][PDDGPU_STATE_LIVE])
			mine = owner;
	}
	assert_ok(ret);
	pddgpu_owners_close(reader);
	for (int r = 0; r < PDDGPU_REGIONS; r++) {
		assert_u64(sums[r][PDDGPU_STATE_LIVE], own[r].live);
		assert_u64(sums[r][PDDGPU_STATE_ORPHAN], own[r].orphan);
		assert_u64(sums[r][PDDGPU_STATE_ZOMBIE], own[r].zombie);
	}
	assert_u64(objects[0], own[0].live_objects + own[1].live_objects + own[2].live_objects);
	assert_string_equal(mine.comm, NAME);
	assert_u64(mine.bytes[PDDGPU_REGION_VRAM][PDDGPU_STATE_LIVE], 50 * PDT_PAGE);
	assert_u64(mine.bytes[PDDGPU_REGION_GTT][PDDGPU_STATE_ORPHAN], 30 * PDT_PAGE);
	assert_u64(mine.objects[PDDGPU_STATE_LIVE], 1);
	assert_u64(mine.objects[PDDGPU_STATE_ORPHAN], 1);
	assert_int_not_equal(mine.client_id, 0);
	close(fd);
	pddgpu_bo_free(vram);
	pddgpu_close(dev);
}

/* The whole segment, without gaps, and a buffer where it says it is */
static void check_map(struct pddgpu_device *dev, uint32_t domain, uint64_t size,
		      uint64_t start, struct pddgpu_bo *bo)
{
	struct pddgpu_bo_info info;
	struct pddgpu_blocks *reader;
	struct pddgpu_block block;
	uint64_t next = 0, found = 0;
	int ret;

	assert_ok(pddgpu_bo_get_info(bo, &info));
	assert_int_equal(info.domain, domain);
	need(pddgpu_blocks_open(dev, domain, &reader));
	while ((ret = pddgpu_blocks_next(reader, &block)) == 1) {
		assert_u64(block.offset, next);
		assert_int_not_equal(block.state, PDDGPU_STATE_UNKNOWN);
		next += block.size;
		/* What adjoins is one block, though it may not be the buffer's first */
		if (info.gpu_address - start - block.offset < block.size) {
			assert_int_equal(block.state, PDDGPU_STATE_LIVE);
			assert_int_equal(block.pid, getpid());
			assert_string_equal(block.comm, NAME);
			found++;
		}
	}
	assert_ok(ret);
	assert_u64(next, size);
	assert_u64(found, 1);
	pddgpu_blocks_close(reader);
}

static void blocks(void **state)
{
	struct pddgpu_device *dev = open_card();
	struct pddgpu_bo *vram = make(dev, 100 * PDT_PAGE, PDT_VRAM);
	struct pddgpu_bo *gtt = make(dev, 20 * PDT_PAGE, PDT_GTT);
	struct drm_pddgpu_device_info info;

	(void)state;
	assert_ok(pddgpu_query_info(dev, &info));
	check_map(dev, PDT_VRAM, info.vram_size, info.vram_start, vram);
	check_map(dev, PDT_GTT, info.gtt_size, info.gtt_start, gtt);
	pddgpu_bo_free(vram);
	pddgpu_bo_free(gtt);
	pddgpu_close(dev);
}

/* examples/who_has_memory, by root and by others */
static void example(void **state)
{
	struct pddgpu_device *dev = open_card();
	struct pddgpu_bo *bo = make(dev, 11 * PDT_PAGE, PDT_VRAM);
	struct drm_pddgpu_ownership own[3];
	char line[128];
	char *text;

	(void)state;
	need(pddgpu_query_ownership(dev, own));
	assert_int_equal(system("./who_has_memory >/tmp/who 2>&1"), 0);
	text = pdt_file_read("/tmp/who");
	/* No trigraphs */
	snprintf(line, sizeof(line), "\n%d a?b\\%s-%s[1m: VRAM 45056 live, 0 orphaned, ",
		 getpid(), "??", "???");
	assert_non_null(text);
	if (strncmp(text, "VRAM: ", 6) || !strstr(text, line))
		fail_msg("%s", text);
	free(text);
	unlink("/tmp/who");
	pddgpu_bo_free(bo);
	pddgpu_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		watch_test(settings),
		watch_test(rights),
		watch_test(no_debugfs),
		watch_test(leaks),
		watch_test(owners),
		watch_test(blocks),
		watch_test(example),
	};

	return pdt_run_tests("library_watch", tests);
}
