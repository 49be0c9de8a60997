// SPDX-License-Identifier: MIT
/* Figures for everybody in sysfs, with amdgpu's names and meaning. */
#include "pdt.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {
	"mem_info_vram_total", "mem_info_vram_used",
	"mem_info_vis_vram_total", "mem_info_vis_vram_used",
	"mem_info_gtt_total", "mem_info_gtt_used",
};

static void path_of(const char *name, char *path, size_t room)
{
	snprintf(path, room, "/sys/bus/pci/devices/%s/%s", pdt_pci_name(), name);
}

static uint64_t figure(const char *name)
{
	uint64_t value = 0;

	assert_ok(pdt_sysfs_u64(name, &value));
	return value;
}

static void mode_and_form(void **state)
{
	char path[PATH_MAX], again[32];

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++) {
		struct stat st;
		char *text;

		path_of(names[i], path, sizeof(path));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0444);
		text = pdt_file_read(path);
		assert_non_null(text);
		/* A decimal number and a newline, nothing else */
		snprintf(again, sizeof(again), "%llu\n", strtoull(text, NULL, 10));
		assert_string_equal(text, again);
		free(text);
	}
}

static int read_as_user(void *arg)
{
	uint64_t value;

	(void)arg;
	child_check(!pdt_become_user(1000));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++)
		child_check(!pdt_sysfs_u64(names[i], &value));
	return 0;
}

static void ordinary_users_read_them(void **state)
{
	(void)state;
	assert_int_equal(pdt_run(read_as_user, NULL), 0);
}

/* The same as the ioctl says at the same time */
static void assert_agrees(int fd)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(fd, &stats));
	assert_u64(figure("mem_info_vram_total"), stats.vram_total);
	assert_u64(figure("mem_info_vram_used"), stats.vram_used);
	assert_u64(figure("mem_info_vis_vram_total"), stats.vram_visible_total);
	assert_u64(figure("mem_info_vis_vram_used"), stats.vram_visible_used);
	assert_u64(figure("mem_info_gtt_total"), stats.gtt_total);
	assert_u64(figure("mem_info_gtt_used"), stats.gtt_used);
}

static void follow_allocations(void **state)
{
	struct pdt_state *s = *state;
	uint64_t vram = figure("mem_info_vram_used"), gtt = figure("mem_info_gtt_used");
	uint32_t handle, seen, system;
	uint64_t visible;

	assert_agrees(s->fd);
	assert_ok(pdt_create(s->fd, 3 * PDT_MIB, PDT_VRAM, 0, &handle));
	assert_u64(figure("mem_info_vram_used"), vram + 3 * PDT_MIB);
	visible = figure("mem_info_vis_vram_used");
	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_VRAM,
			     PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED, &seen));
	assert_u64(figure("mem_info_vram_used"), vram + 4 * PDT_MIB);
	assert_u64(figure("mem_info_vis_vram_used"), visible + PDT_MIB);
	assert_ok(pdt_create(s->fd, 5 * PDT_PAGE, PDT_GTT, 0, &system));
	assert_u64(figure("mem_info_gtt_used"), gtt + 5 * PDT_PAGE);
	assert_agrees(s->fd);

	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_destroy(s->fd, seen));
	assert_ok(pdt_destroy(s->fd, system));
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_u64(figure("mem_info_vram_used"), vram);
	assert_u64(figure("mem_info_gtt_used"), gtt);
	assert_agrees(s->fd);
}

static int open_figure(const char *name)
{
	char path[PATH_MAX];

	path_of(name, path, sizeof(path));
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* What one that was opened before says now: 0 or a negative errno */
static int read_opened(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	return n < 0 ? -errno : 0;
}

static void gone_with_the_card(void **state)
{
	uint64_t value, end;
	int open_one;

	(void)state;
	open_one = open_figure("mem_info_vram_used");
	assert_true(open_one >= 0);
	assert_ok(read_opened(open_one));

	/* Bound still, but fallen off the bus: ioctls say the same. */
	assert_ok(pdt_take_away(PDT_ONES));
	end = pdt_now_ms() + 10000 * pdt_slow();
	do {
		int fd = pdt_open();

		if (fd >= 0)
			close(fd);
		pdt_sleep_ms(20);
	} while (read_opened(open_one) != -ENODEV && pdt_now_ms() < end);
	assert_err(ENODEV, read_opened(open_one));
	assert_err(ENODEV, pdt_sysfs_u64("mem_info_gtt_total", &value));
	assert_ok(pdt_bring_back(PDT_ONES));
	close(open_one);
	assert_ok(pdt_sysfs_u64("mem_info_gtt_total", &value));
}

static void gone_with_the_driver(void **state)
{
	char path[PATH_MAX];
	int open_one;

	(void)state;
	open_one = open_figure("mem_info_vram_used");
	path_of("mem_info_vram_used", path, sizeof(path));
	assert_true(open_one >= 0);
	assert_ok(pdt_take_away(PDT_UNBIND));
	assert_err(ENODEV, read_opened(open_one));
	assert_int_equal(access(path, F_OK), -1);
	assert_ok(pdt_bring_back(PDT_UNBIND));
	/* It was the old one's */
	assert_err(ENODEV, read_opened(open_one));
	close(open_one);
	assert_int_equal(access(path, R_OK), 0);
}

#define READERS	4
#define ROUNDS	5

struct crowd {
	atomic_bool over;
	/* How often a figure was read */
	atomic_uint read;
	/* Where the files are, as long as there is a card */
	char path[PDT_ARRAY_SIZE(names)][PATH_MAX];
};

static int crowd_run(void *arg, unsigned int index)
{
	struct crowd *crowd = arg;
	int rc = 0;

	if (index == READERS) {
		for (int i = 0; i < ROUNDS && !rc; i++) {
			rc = pdt_take_away(PDT_UNBIND);
			if (!rc)
				rc = pdt_bring_back(PDT_UNBIND);
		}
		atomic_store(&crowd->over, true);
		child_check(!rc);
		return 0;
	}
	while (!atomic_load(&crowd->over)) {
		for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++) {
			char *text = pdt_file_read(crowd->path[i]);

			child_check(text || errno == ENODEV || errno == ENOENT);
			if (text)
				atomic_fetch_add(&crowd->read, 1);
			free(text);
		}
	}
	return 0;
}

static void read_while_it_goes(void **state)
{
	static struct crowd crowd;

	(void)state;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++)
		path_of(names[i], crowd.path[i], sizeof(crowd.path[i]));
	assert_int_equal(pdt_threads(READERS + 1, crowd_run, &crowd), 0);
	assert_true(atomic_load(&crowd.read) > READERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(mode_and_form),
		pdt_test(ordinary_users_read_them),
		pdt_test(follow_allocations),
		pdt_gone_test(gone_with_the_card),
		pdt_gone_test(gone_with_the_driver),
		pdt_gone_test(read_while_it_goes),
	};

	return pdt_run_tests("sysfs", tests);
}
