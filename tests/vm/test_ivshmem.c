// SPDX-License-Identifier: MIT
/* Another ivshmem device in the same machine, which is not ours to touch */
#include "pdt.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct other {
	char name[32];
	char *memory;
	size_t size;
};

/* The device that has the identity of the card but is not the card */
static void find_other(struct other *other)
{
	char names[8][32], path[PATH_MAX];
	size_t n = pdt_pci_ivshmem(names, PDT_ARRAY_SIZE(names));
	struct stat st;
	int fd;

	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], pdt_pci_name()))
			strcpy(other->name, names[i]);
	if (!other->name[0])
		pdt_skip("no other ivshmem device in this machine");

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2", other->name);
	assert_ok(pdt_pci_write(other->name, "enable", "1"));
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	other->size = (size_t)st.st_size;
	other->memory = mmap(NULL, other->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(other->memory, MAP_FAILED);
	close(fd);
}

static void assert_untouched(const struct other *other)
{
	char driver[32];

	pdt_pci_driver(other->name, driver, sizeof(driver));
	assert_string_equal(driver, "");
	pdt_pci_driver(pdt_pci_name(), driver, sizeof(driver));
	assert_string_equal(driver, "pddgpu");
	assert_int_equal(pdt_pattern_check(other->memory, other->size, 1110), -1);
}

static void left_alone(void **state)
{
	struct pdt_state *s = *state;
	struct other other = { 0 };
	uint64_t enabled;
	struct pdt_buffer buf;
	char path[PATH_MAX], *text;

	find_other(&other);
	/* Nobody had enabled it before we did. */
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", other.name);
	text = pdt_file_read(path);
	assert_non_null(text);
	enabled = strtoull(text, NULL, 10);
	free(text);
	assert_u64(enabled, 1);

	pdt_pattern_fill(other.memory, other.size, 1110);
	assert_untouched(&other);
	assert_ok(pdt_buffer_create(s->fd, &buf, 8 * PDT_MIB, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 1);
	assert_untouched(&other);
	pdt_buffer_destroy(s->fd, &buf);
	munmap(other.memory, other.size);
}

/* Asked for by hand, it says that this is no device of its own. */
static void refused_by_hand(void **state)
{
	struct pdt_state *s = *state;
	struct other other = { 0 };

	find_other(&other);
	pdt_pattern_fill(other.memory, other.size, 1110);
	pdt_log_restart(&s->log);
	assert_err(ENODEV, pdt_file_write("/sys/bus/pci/drivers/pddgpu/bind", other.name));
	assert_untouched(&other);
	/* No word about somebody else's device */
	assert_int_equal(pdt_log_count(&s->log, "*ERROR*"), 0);
	munmap(other.memory, other.size);
}

static void left_alone_by_loading(void **state)
{
	struct pdt_state *s = *state;
	struct other other = { 0 };

	find_other(&other);
	pdt_pattern_fill(other.memory, other.size, 1110);
	close(s->fd);
	for (int i = 0; i < 3; i++) {
		assert_ok(pdt_module_unload());
		assert_int_equal(pdt_pattern_check(other.memory, other.size, 1110), -1);
		assert_ok(pdt_module_load());
		assert_untouched(&other);
	}
	s->fd = pdt_open();
	assert_true(s->fd >= 0);
	munmap(other.memory, other.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(left_alone),
		pdt_test(refused_by_hand),
		pdt_test(left_alone_by_loading),
	};

	return pdt_run_tests("ivshmem", tests);
}
