// SPDX-License-Identifier: MIT
/* Two cards in one machine: each for itself, and a buffer shared by both */
#include "pdt.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE	(16 * PDT_PAGE)
/* More of a MiB each than such a machine has */
#define BUFFERS	1024

/* Files of the first two pddgpu render nodes; how many there are */
static unsigned int open_cards(int fds[2])
{
	unsigned int found = 0;
	char path[64], name[16];

	for (unsigned int i = 128; i < 192 && found < 2; i++) {
		struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };
		int fd;

		snprintf(path, sizeof(path), "/dev/dri/renderD%u", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!pdt_ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "pddgpu"))
			fds[found++] = fd;
		else
			close(fd);
	}
	return found;
}

static void need_two_cards(int fds[2])
{
	uint64_t end = pdt_now_ms() + 5000 * pdt_slow();
	unsigned int found;

	while ((found = open_cards(fds)) < 2 && pdt_now_ms() < end) {
		while (found)
			close(fds[--found]);
		pdt_sleep_ms(20);
	}
	if (found < 2)
		pdt_skip("there are no two cards in this machine");
}

static void each_for_itself(void **state)
{
	struct pdt_level before[2], now[2];
	struct pdt_buffer first, second;
	int fds[2];

	(void)state;
	need_two_cards(fds);
	for (int i = 0; i < 2; i++)
		assert_ok(pdt_level_read(fds[i], &before[i]));
	assert_ok(pdt_buffer_create(fds[0], &first, 3 * SIZE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(fds[1], &second, 5 * SIZE, PDT_VRAM, 0));
	for (int i = 0; i < 2; i++)
		assert_ok(pdt_level_read(fds[i], &now[i]));
	assert_u64(now[0].vram_used - before[0].vram_used, 3 * SIZE);
	assert_u64(now[1].vram_used - before[1].vram_used, 5 * SIZE);
	assert_u64(now[0].objects - before[0].objects, 1);
	assert_u64(now[1].objects - before[1].objects, 1);

	pdt_buffer_fill(&first, 1);
	pdt_buffer_fill(&second, 2);
	assert_ok(pdt_set_domain(fds[0], first.handle, PDT_GTT, NULL));
	assert_ok(pdt_buffer_check(&first));
	assert_ok(pdt_buffer_check(&second));
	pdt_buffer_destroy(fds[0], &first);
	pdt_buffer_destroy(fds[1], &second);
	for (int i = 0; i < 2; i++)
		assert_true(pdt_level_wait(fds[i], &before[i]));
	close(fds[0]);
	close(fds[1]);
}

/* To the other card it is another device's memory: in system pages, pinned. */
static void shared_by_both(void **state)
{
	struct pdt_level before[2];
	struct pdt_buffer buf;
	uint32_t theirs;
	int fds[2], dmabuf;
	void *map;

	(void)state;
	need_two_cards(fds);
	for (int i = 0; i < 2; i++)
		assert_ok(pdt_level_read(fds[i], &before[i]));
	assert_ok(pdt_buffer_create(fds[0], &buf, SIZE, PDT_BOTH, 0));
	pdt_buffer_fill(&buf, 7);
	assert_ok(pdt_export(fds[0], buf.handle, &dmabuf));
	assert_ok(pdt_import(fds[1], dmabuf, &theirs));
	close(dmabuf);
	assert_int_equal(pdt_domain(fds[0], buf.handle), PDT_GTT);
	assert_int_equal(pdt_domain(fds[1], theirs), PDT_GTT);
	assert_err(EBUSY, pdt_set_domain(fds[0], buf.handle, PDT_VRAM, NULL));
	assert_err(EBUSY, pdt_set_domain(fds[1], theirs, PDT_VRAM, NULL));

	assert_ok(pdt_mmap(fds[1], theirs, SIZE, &map));
	assert_int_equal(pdt_pattern_check(map, SIZE, 7), -1);
	pdt_pattern_fill(map, SIZE, 8);
	buf.seed = 8;
	assert_ok(pdt_buffer_check(&buf));

	/* The one that made it lets go first. */
	pdt_buffer_destroy(fds[0], &buf);
	assert_int_equal(pdt_pattern_check(map, SIZE, 8), -1);
	munmap(map, SIZE);
	assert_ok(pdt_destroy(fds[1], theirs));
	for (int i = 0; i < 2; i++)
		assert_true(pdt_level_wait(fds[i], &before[i]));
	close(fds[0]);
	close(fds[1]);
}

/* Where debugfs's link leads */
static void link_target(char *target)
{
	ssize_t n = readlink("/sys/kernel/debug/pddgpu", target, PATH_MAX - 1);

	assert_true(n > 0);
	target[n] = '\0';
	assert_int_equal(access("/sys/kernel/debug/pddgpu/memory_stats", R_OK), 0);
}

/* The first card goes: the link leads to the other, which works on. */
static void first_goes(void **state)
{
	char target[PATH_MAX], after[PATH_MAX], first[64];
	struct pdt_buffer buf;
	int fds[2];

	(void)state;
	need_two_cards(fds);
	link_target(target);
	snprintf(first, sizeof(first), "%s", strrchr(target, '/') + 1);
	/* Which of the files is whose does not matter: one fails, one works. */
	assert_ok(pdt_pci_write(first, "remove", "1"));
	link_target(after);
	assert_string_not_equal(after, target);

	for (int i = 0; i < 2; i++) {
		int rc = pdt_buffer_create(fds[i], &buf, SIZE, PDT_VRAM, 0);

		if (rc) {
			assert_int_equal(rc, -ENODEV);
			close(fds[i]);
			fds[i] = -1;
			continue;
		}
		pdt_buffer_fill(&buf, 9);
		assert_ok(pdt_buffer_check(&buf));
		pdt_buffer_destroy(fds[i], &buf);
	}
	assert_true((fds[0] < 0) != (fds[1] < 0));
	close(fds[0] < 0 ? fds[1] : fds[0]);
	assert_ok(pdt_file_write("/sys/bus/pci/rescan", "1"));
	need_two_cards(fds);
	link_target(target);
	assert_string_equal(target, after);
	close(fds[0]);
	close(fds[1]);
}

/* A card goes while the other has its buffer. */
static void exporter_goes(void **state)
{
	char target[PATH_MAX];
	int fds[2], dmabuf, to;
	uint32_t handle, theirs;
	void *map;

	(void)state;
	need_two_cards(fds);
	assert_ok(pdt_create(fds[0], SIZE, PDT_GTT, 0, &handle));
	assert_ok(pdt_export(fds[0], handle, &dmabuf));
	assert_ok(pdt_import(fds[1], dmabuf, &theirs));
	close(dmabuf);
	assert_ok(pdt_mmap(fds[1], theirs, SIZE, &map));
	pdt_pattern_fill(map, SIZE, 10);

	/* Either may be the one that the link names. */
	link_target(target);
	assert_ok(pdt_pci_write(strrchr(target, '/') + 1, "remove", "1"));
	to = pdt_create(fds[1], PDT_PAGE, PDT_VRAM, 0, &handle);
	assert_true(!to || to == -ENODEV);
	assert_int_equal(pdt_create(fds[0], PDT_PAGE, PDT_VRAM, 0, &handle), to ? 0 : -ENODEV);
	munmap(map, SIZE);
	close(fds[1]);
	close(fds[0]);
	assert_ok(pdt_file_write("/sys/bus/pci/rescan", "1"));
	need_two_cards(fds);
	close(fds[0]);
	close(fds[1]);
	assert_ok(pdt_module_unload());
	assert_ok(pdt_module_load());
}

static int setup(void **state)
{
	struct pdt_log *log = calloc(1, sizeof(*log));

	*state = log;
	return log && !pdt_log_open(log) ? 0 : -1;
}

static int teardown(void **state)
{
	struct pdt_log *log = *state;
	const char *complaint = pdt_log_complaint(log);

	if (complaint)
		fprintf(stderr, "# the kernel log: %s\n", complaint);
	pdt_log_close(log);
	free(log);
	return complaint ? -1 : 0;
}

#define cards_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* System memory is the machine's: a second card does not make it more. */
static void system_memory_is_one(void **state)
{
	struct pdt_buffer *bufs = calloc(2 * BUFFERS, sizeof(*bufs));
	struct pdt_level before[2];
	uint64_t total = 0, ram;
	size_t n[2];
	int fds[2], err;

	(void)state;
	assert_non_null(bufs);
	need_two_cards(fds);
	assert_ok(pdt_meminfo("MemTotal", &ram));
	for (int i = 0; i < 2; i++) {
		assert_ok(pdt_level_read(fds[i], &before[i]));
		n[i] = pdt_fill_domain(fds[i], bufs + i * BUFFERS, BUFFERS, PDT_MIB,
				       PDT_GTT, &err);
		assert_int_equal(err, -ENOMEM);
		for (size_t b = 0; b < n[i]; b++)
			total += bufs[i * BUFFERS + b].size;
	}
	assert_in_range(total, ram / 4, ram / 2);
	for (int i = 0; i < 2; i++) {
		for (size_t b = 0; b < n[i]; b++)
			assert_ok(pdt_destroy(fds[i], bufs[i * BUFFERS + b].handle));
		assert_true(pdt_level_wait(fds[i], &before[i]));
		close(fds[i]);
	}
	free(bufs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cards_test(each_for_itself),
		cards_test(shared_by_both),
		cards_test(system_memory_is_one),
		cards_test(first_goes),
		cards_test(exporter_goes),
		cards_test(exporter_goes),
	};

	return pdt_run_tests("cards", tests);
}
