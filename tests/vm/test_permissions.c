// SPDX-License-Identifier: MIT
/* An ordinary user: may use the card, may see nothing of other users. */
#include "pdt.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER	1000

static int use_the_card(void *arg)
{
	struct pdt_buffer buf, other;
	int fd;

	(void)arg;
	child_check(!pdt_become_user(USER));
	fd = pdt_open();
	child_check(fd >= 0);
	child_check(!pdt_buffer_create(fd, &buf, 5 * PDT_PAGE, PDT_VRAM, 0));
	child_check(pdt_zero_check(buf.map, buf.size) < 0);
	pdt_buffer_fill(&buf, 1000);
	child_check(!pdt_set_domain(fd, buf.handle, PDT_GTT, NULL));
	child_check(!pdt_buffer_check(&buf));
	child_check(!pdt_buffer_create(fd, &other, 2 * PDT_MIB, PDT_GTT, 0));
	pdt_buffer_destroy(fd, &buf);
	pdt_buffer_destroy(fd, &other);
	close(fd);
	return 0;
}

static void user_can_use_the_card(void **state)
{
	(void)state;
	assert_int_equal(pdt_run(use_the_card, NULL), 0);
}

static int read_debugfs(void *arg)
{
	const char *folder = arg;
	static const char *const names[] = {
		"memory_stats", "leak_objects", "trigger_leak_check", "leak_check_interval",
		"leak_threshold", "leak_suspicious_age", "leak_confirmed_age",
		"leak_monitor_enabled", "vram_retry_count", "vram_retry_delay",
		"gtt_retry_count", "gtt_retry_delay", "vram_mm", "gtt_mm", "reset_stats",
		"residency", "page_out", "unpageable_limits", "health", "check",
		"recover", "inject_error", "recover_count", "recover_delay", "owners",
		"gem_info", "vram_blocks", "gtt_blocks", "leak_sites",
	};
	char path[PATH_MAX];

	child_check(!pdt_become_user(USER));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		child_check(open(path, O_RDONLY) < 0 && errno == EACCES);
		child_check(open(path, O_WRONLY) < 0 && errno == EACCES);
		child_check(pdt_debugfs_write(names[i], "1") == -EACCES);
	}
	return 0;
}

static void user_can_read_no_debugfs(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(pdt_run(read_debugfs, "/sys/kernel/debug/pddgpu"), 0);

	/* By their own modes, too: debugfs's door may be opened by its owner. */
	assert_int_equal(stat("/sys/kernel/debug", &st), 0);
	assert_int_equal(chmod("/sys/kernel/debug", 0755), 0);
	assert_int_equal(pdt_run(read_debugfs, "/sys/kernel/debug/pddgpu"), 0);
	assert_int_equal(chmod("/sys/kernel/debug", st.st_mode & 07777), 0);
}

static int use_privileged_calls(void *arg)
{
	struct drm_set_version version = { .drm_di_major = 1, .drm_di_minor = 4 };
	struct drm_gem_flink flink = { 0 };
	struct drm_gem_open gem_open = { .name = 1 };
	int fd;

	(void)arg;
	child_check(!pdt_become_user(USER));
	fd = pdt_open();
	child_check(fd >= 0);
	child_check(!pdt_create(fd, PDT_PAGE, PDT_VRAM, 0, &flink.handle));
	/* Global names, by which anybody could open a buffer: not on a render node */
	child_check(pdt_ioctl(fd, DRM_IOCTL_GEM_FLINK, &flink) == -EACCES);
	child_check(pdt_ioctl(fd, DRM_IOCTL_GEM_OPEN, &gem_open) == -EACCES);
	child_check(pdt_ioctl(fd, DRM_IOCTL_SET_MASTER, NULL) == -EACCES);
	child_check(pdt_ioctl(fd, DRM_IOCTL_SET_VERSION, &version) == -EACCES);
	close(fd);
	return 0;
}

static void render_node_gives_no_more(void **state)
{
	(void)state;
	assert_int_equal(pdt_run(use_privileged_calls, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(user_can_use_the_card),
		pdt_test(user_can_read_no_debugfs),
		pdt_test(render_node_gives_no_more),
	};

	return pdt_run_tests("permissions", tests);
}
