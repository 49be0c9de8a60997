// SPDX-License-Identifier: MIT
/* The card is taken away while it is used: no crash, errors, memory given back. */
#include "pdt.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_CPU };

/* What a test begins with, and where it puts the card back */
struct unplug {
	struct pdt_log log;
	char device[64];
};

static int unplug_setup(void **state)
{
	struct unplug *unplug = calloc(1, sizeof(*unplug));

	*state = unplug;
	if (!unplug || pdt_log_open(&unplug->log) || pdt_wait_for_card() || !pdt_pci_name())
		return -1;
	snprintf(unplug->device, sizeof(unplug->device), "%s", pdt_pci_name());
	return 0;
}

static int card_back(void)
{
	int rc = pdt_file_write("/sys/bus/pci/rescan", "1");

	return rc ? rc : pdt_wait_for_card();
}

/* After all: the card comes back, empty, and the driver can be unloaded. */
static int unplug_teardown(void **state)
{
	struct unplug *unplug = *state;
	struct pdt_level level;
	const char *complaint;
	uint64_t end = pdt_now_ms() + 10000;
	int fd, rc = card_back();

	fd = pdt_open();
	if (rc || fd < 0 || pdt_level_read(fd, &level) || level.objects || level.gtt_used) {
		fprintf(stderr, "# the card did not come back empty\n");
		rc = -1;
	}
	close(fd);
	while (!rc && (rc = pdt_module_unload()) && pdt_now_ms() < end) {
		rc = 0;
		pdt_sleep_ms(10);
	}
	if (rc || pdt_module_loaded()) {
		fprintf(stderr, "# something is left in use: unloading says %s\n", strerror(-rc));
		rc = -1;
	} else {
		rc = pdt_module_load();
	}
	complaint = pdt_log_complaint(&unplug->log);
	if (complaint)
		fprintf(stderr, "# the kernel log: %s\n", complaint);
	pdt_log_close(&unplug->log);
	free(unplug);
	return rc || complaint ? -1 : 0;
}

static void remove_card(const struct unplug *unplug)
{
	assert_ok(pdt_pci_write(unplug->device, "remove", "1"));
}

/* Every call there is says that the device is gone. */
static int all_say_enodev(int fd, uint32_t handle, int dmabuf)
{
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_device_info device;
	struct drm_gem_close gem_close = { .handle = handle };
	struct drm_pddgpu_ownership ownership[3];
	struct drm_pddgpu_gem_info info;
	char name[16];
	struct drm_version version = { .name = name, .name_len = sizeof(name) };
	uint32_t other;
	uint64_t offset;
	int other_fd;

	child_check(pdt_create(fd, PDT_PAGE, PDT_VRAM, 0, &other) == -ENODEV);
	child_check(pdt_create(fd, 0, 0, 0, &other) == -ENODEV);
	child_check(pdt_map_offset(fd, handle, &offset, NULL) == -ENODEV);
	child_check(pdt_info(fd, handle, &info) == -ENODEV);
	child_check(pdt_set_domain(fd, handle, PDT_GTT, NULL) == -ENODEV);
	child_check(pdt_destroy(fd, handle) == -ENODEV);
	child_check(pdt_set_label(fd, handle, "gone") == -ENODEV);
	child_check(pdt_stats(fd, &stats) == -ENODEV);
	child_check(pdt_ownership(fd, ownership) == -ENODEV);
	child_check(pdt_device_info(fd, &device) == -ENODEV);
	child_check(pdt_export(fd, handle, &other_fd) == -ENODEV);
	child_check(pdt_import(fd, dmabuf, &other) == -ENODEV);
	child_check(pdt_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &gem_close) == -ENODEV);
	child_check(pdt_ioctl(fd, DRM_IOCTL_VERSION, &version) == -ENODEV);
	return 0;
}

static int touch(void *arg)
{
	const struct pdt_buffer *buf = arg;
	volatile char *bytes = buf->map;

	for (uint64_t i = 0; i < buf->size; i += PDT_PAGE) {
		(void)bytes[i];
		bytes[i] = 1;
	}
	return 0;
}

/* A mapping of a card that is gone reads as something, or is a bus error. */
static void assert_harmless(const struct pdt_buffer *buf)
{
	int status = pdt_run(touch, (void *)buf);

	if (status && status != 128 + SIGBUS)
		fail_msg("touching a mapping of domains %x: status %d", buf->domains, status);
}

/**
 * struct stall - a call that waits for memory of its user's, and how it ended
 */
struct stall {
	/** @fd: of the card */
	int fd;
	/** @cmd: the call */
	unsigned long cmd;
	/** @args: its structure */
	void *args;
	/** @rc: 0 or a negative errno */
	int rc;
};

static void *stall_call(void *arg)
{
	struct stall *stall = arg;

	stall->rc = pdt_ioctl(stall->fd, stall->cmd, stall->args);
	return NULL;
}

/* Pages that nobody brings: who reads them waits. A userfaultfd; negative: not here */
static int stall_memory(unsigned char **pages, size_t bytes)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register all = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return fd;
	*pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(*pages, MAP_FAILED);
	all.range.start = (uintptr_t)*pages;
	all.range.len = bytes;
	assert_ok(pdt_ioctl(fd, UFFDIO_API, &api));
	assert_ok(pdt_ioctl(fd, UFFDIO_REGISTER, &all));
	return fd;
}

struct removal {
	const struct unplug *unplug;
	atomic_bool over;
};

static void *remove_in_thread(void *arg)
{
	struct removal *removal = arg;
	int rc = pdt_pci_write(removal->unplug->device, "remove", "1");

	atomic_store(&removal->over, true);
	return (void *)(intptr_t)rc;
}

/* A user whose memory does not come keeps nobody from taking the card away. */
static void memory_that_does_not_come(void **state)
{
	struct drm_pddgpu_submit submit = { .op_count = 1 };
	struct drm_pddgpu_query query = { .type = PDDGPU_QUERY_DEVICE_INFO, .size = 8 };
	struct stall stalls[] = {
		{ .cmd = DRM_IOCTL_PDDGPU_SUBMIT, .args = &submit },
		{ .cmd = DRM_IOCTL_PDDGPU_QUERY, .args = &query },
		{ .cmd = DRM_IOCTL_PDDGPU_GEM_INFO },
		{ .cmd = DRM_IOCTL_SYNCOBJ_SIGNAL },
	};
	struct uffdio_zeropage zeros = { .range.len = sizeof(stalls) / sizeof(*stalls) * PDT_PAGE };
	struct removal removal = { .unplug = *state };
	pthread_t threads[PDT_ARRAY_SIZE(stalls)], remover;
	int fd = pdt_open(), memory;
	struct uffd_msg fault;
	unsigned char *pages = NULL;
	size_t faults = 0;
	uint64_t end;
	bool in_time;
	void *rc;

	assert_true(fd >= 0);
	memory = stall_memory(&pages, zeros.range.len);
	if (memory < 0) {
		close(fd);
		pdt_skip("this kernel has no userfaultfd");
	}
	submit.ops = (uintptr_t)pages;
	query.data = (uintptr_t)pages + PDT_PAGE;
	stalls[2].args = pages + 2 * PDT_PAGE;
	stalls[3].args = pages + 3 * PDT_PAGE;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(stalls); i++) {
		stalls[i].fd = fd;
		assert_int_equal(pthread_create(&threads[i], NULL, stall_call, &stalls[i]), 0);
	}
	end = pdt_now_ms() + 10000 * pdt_slow();
	while (faults < PDT_ARRAY_SIZE(stalls) && pdt_now_ms() < end) {
		faults += read(memory, &fault, sizeof(fault)) == sizeof(fault);
		pdt_sleep_ms(1);
	}
	assert_int_equal(faults, PDT_ARRAY_SIZE(stalls));

	assert_int_equal(pthread_create(&remover, NULL, remove_in_thread, &removal), 0);
	end = pdt_now_ms() + 10000 * pdt_slow();
	while (!atomic_load(&removal.over) && pdt_now_ms() < end)
		pdt_sleep_ms(10);
	in_time = atomic_load(&removal.over);

	zeros.range.start = (uintptr_t)pages;
	assert_ok(pdt_ioctl(memory, UFFDIO_ZEROPAGE, &zeros));
	pthread_join(remover, &rc);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(stalls); i++)
		pthread_join(threads[i], NULL);
	assert_true(in_time);
	assert_null(rc);
	assert_int_equal(stalls[0].rc, -ENODEV);
	/* It had its answer */
	assert_int_equal(stalls[1].rc, 0);
	assert_int_equal(stalls[2].rc, -ENODEV);
	assert_int_equal(stalls[3].rc, -ENODEV);
	close(memory);
	munmap(pages, zeros.range.len);
	close(fd);
}

static void every_call_fails(void **state)
{
	struct unplug *unplug = *state;
	struct pdt_buffer bufs[4];
	int fd = pdt_open(), dmabuf;

	assert_true(fd >= 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_ok(pdt_buffer_create(fd, &bufs[i], 8 * PDT_PAGE, domains[i], 0));
		pdt_buffer_fill(&bufs[i], i);
	}
	assert_ok(pdt_export(fd, bufs[2].handle, &dmabuf));

	remove_card(unplug);
	assert_int_equal(all_say_enodev(fd, bufs[0].handle, dmabuf), 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++)
		assert_harmless(&bufs[i]);
	assert_int_equal(access("/sys/kernel/debug/pddgpu", F_OK), -1);
	assert_int_equal(pdt_open(), -ENODEV);

	close(fd);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_harmless(&bufs[i]);
		munmap(bufs[i].map, bufs[i].size);
	}
	close(dmabuf);
}

/* New mappings after the removal, too: fork, a dma-buf's, one made before only */
static void mappings_made_later(void **state)
{
	struct unplug *unplug = *state;
	struct pdt_buffer buf, untouched;
	int fd = pdt_open(), dmabuf;
	uint64_t offset;
	void *map;

	assert_true(fd >= 0);
	assert_ok(pdt_buffer_create(fd, &buf, 8 * PDT_PAGE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 1);
	assert_ok(pdt_buffer_create(fd, &untouched, 8 * PDT_PAGE, PDT_GTT, 0));
	assert_ok(pdt_export(fd, buf.handle, &dmabuf));
	assert_ok(pdt_map_offset(fd, buf.handle, &offset, NULL));
	remove_card(unplug);

	assert_harmless(&untouched);
	map = mmap(NULL, buf.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (map != MAP_FAILED) {
		struct pdt_buffer later = { .map = map, .size = buf.size };

		assert_harmless(&later);
		munmap(map, buf.size);
	}
	map = mmap(NULL, buf.size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	if (map != MAP_FAILED) {
		struct pdt_buffer later = { .map = map, .size = buf.size };

		assert_harmless(&later);
		munmap(map, buf.size);
	}
	munmap(buf.map, buf.size);
	munmap(untouched.map, untouched.size);
	close(dmabuf);
	close(fd);
}

struct users {
	int fd;
	unsigned int calls;
	unsigned int odd;
};

/* Allocates, writes, moves, until the device is gone; only that may go wrong. */
static int use_until_gone(void *arg, unsigned int index)
{
	struct users *users = arg;
	uint64_t random = index + 5;
	struct pdt_buffer buf;

	for (;;) {
		uint64_t r = pdt_random(&random);
		int rc = pdt_buffer_create(users->fd, &buf, (1 + r % 16) * PDT_PAGE,
					   domains[r / 16 % 4], 0);

		if (rc) {
			/* It goes between two steps of making a buffer. */
			if (rc != -ENODEV)
				__atomic_add_fetch(&users->odd, 1, __ATOMIC_RELAXED);
			return rc == -ENODEV ? 0 : 1;
		}
		touch(&buf);
		pdt_set_domain(users->fd, buf.handle, domains[r / 64 % 4], NULL);
		touch(&buf);
		munmap(buf.map, buf.size);
		if (r / 256 % 8)
			pdt_destroy(users->fd, buf.handle);
		__atomic_add_fetch(&users->calls, 1, __ATOMIC_RELAXED);
	}
}

static void on_bus_error(int number)
{
	(void)number;
	/* The rest of the process must not go on with a page that is not there. */
	_exit(77);
}

static int eight_users(void *arg)
{
	struct users *users = arg;

	signal(SIGBUS, on_bus_error);
	users->fd = pdt_open();
	child_check(users->fd >= 0);
	return pdt_threads(8, use_until_gone, users) ? 1 : 0;
}

/* Two processes with eight threads each are in the midst of it. */
static void while_threads_allocate(void **state)
{
	struct unplug *unplug = *state;
	struct users *users = pdt_shared(2 * sizeof(*users));
	pid_t pids[2];
	uint64_t end = pdt_now_ms() + 20000 * pdt_slow();

	assert_non_null(users);
	for (int i = 0; i < 2; i++)
		pids[i] = pdt_fork(eight_users, &users[i]);
	while ((__atomic_load_n(&users[0].calls, __ATOMIC_RELAXED) < 100 ||
		__atomic_load_n(&users[1].calls, __ATOMIC_RELAXED) < 100) && pdt_now_ms() < end)
		pdt_sleep_ms(5);
	remove_card(unplug);
	for (int i = 0; i < 2; i++) {
		int status = pdt_wait(pids[i]);

		assert_true(status == 0 || status == 77);
		assert_true(users[i].calls >= 100);
		assert_int_equal(users[i].odd, 0);
	}
}

/* VRAM and GTT full of data that has nowhere to go */
static void with_much_in_it(void **state)
{
	struct unplug *unplug = *state;
	static struct pdt_buffer bufs[400];
	size_t n = 0;
	int fd = pdt_open();

	assert_true(fd >= 0);
	while (n < PDT_ARRAY_SIZE(bufs) &&
	       !pdt_buffer_create(fd, &bufs[n], PDT_MIB, n % 2 ? PDT_VRAM : PDT_GTT, 0)) {
		pdt_pattern_fill(bufs[n].map, PDT_PAGE, n);
		n++;
	}
	assert_true(n > 10);
	remove_card(unplug);
	for (size_t i = 0; i < n; i += 16)
		assert_harmless(&bufs[i]);
	for (size_t i = 0; i < n; i++)
		munmap(bufs[i].map, bufs[i].size);
	close(fd);
}

static int submit_for_hours(void *arg)
{
	struct drm_pddgpu_submit_op *ops = calloc(PDDGPU_SUBMIT_OPS_MAX, sizeof(*ops));
	int fd = pdt_open(), *ready = arg;
	uint32_t handle;

	child_check(ops && fd >= 0);
	child_check(!pdt_create(fd, 16 * PDT_MIB, PDT_BOTH, 0, &handle));
	for (uint32_t i = 0; i < PDDGPU_SUBMIT_OPS_MAX; i++)
		ops[i] = pdt_fill(handle, 0, 16 * PDT_MIB, i);
	*ready = 1;
	child_check(pdt_submit(fd, ops, PDDGPU_SUBMIT_OPS_MAX) == -ENODEV);
	return 0;
}

/* Until somebody submits what signals it, which nobody does */
static int wait_for_ever(void *arg)
{
	struct drm_syncobj_wait args = {
		.timeout_nsec = INT64_MAX,
		.count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};
	int fd = pdt_open(), *ready = arg;
	uint32_t handle;

	child_check(fd >= 0 && !pdt_syncobj_create(fd, &handle));
	args.handles = (uintptr_t)&handle;
	*ready = 1;
	pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_WAIT, &args);
	return 1;
}

/* Calls that take for ever do not keep the card from going. */
static void with_patient_callers(void **state)
{
	struct unplug *unplug = *state;
	int *ready = pdt_shared(2 * sizeof(*ready));
	pid_t submitter, waiter;
	uint64_t start;

	assert_non_null(ready);
	submitter = pdt_fork(submit_for_hours, &ready[0]);
	waiter = pdt_fork(wait_for_ever, &ready[1]);
	start = pdt_now_ms();
	while ((!((volatile int *)ready)[0] || !((volatile int *)ready)[1]) &&
	       pdt_now_ms() < start + 10000 * pdt_slow())
		pdt_sleep_ms(5);
	pdt_sleep_ms(300);
	start = pdt_now_ms();
	remove_card(unplug);
	if (pdt_now_ms() - start > 15000 * pdt_slow())
		fail_msg("it took %llu ms", (unsigned long long)(pdt_now_ms() - start));
	assert_int_equal(pdt_wait(submitter), 0);
	kill(waiter, SIGKILL);
	assert_int_equal(pdt_wait(waiter), 128 + SIGKILL);
}

/* Files of debugfs that are open, and read again, when it goes */
static void with_debugfs_open(void **state)
{
	struct unplug *unplug = *state;
	static const char *const names[] = {
		"memory_stats", "leak_objects", "vram_mm", "gtt_mm", "leak_threshold",
		"residency", "page_out", "unpageable_limits", "leak_sites",
	};
	int fds[PDT_ARRAY_SIZE(names)], threshold, fd = pdt_open();
	uint32_t handle;
	char text[64];

	assert_true(fd >= 0);
	assert_ok(pdt_create(fd, PDT_PAGE, PDT_VRAM, PDDGPU_GEM_CREATE_UNPAGEABLE, &handle));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++) {
		fds[i] = open(pdt_debugfs_path(names[i]), O_RDONLY);
		assert_true(fds[i] >= 0);
		assert_true(read(fds[i], text, 1) == 1);
	}
	threshold = open(pdt_debugfs_path("leak_threshold"), O_WRONLY);
	assert_true(threshold >= 0);
	remove_card(unplug);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++) {
		/* An error or nothing new, as debugfs decides; the kernel lives. */
		lseek(fds[i], 0, SEEK_SET);
		(void)!read(fds[i], text, sizeof(text));
		close(fds[i]);
	}
	assert_int_equal(write(threshold, "1", 1), -1);
	close(threshold);
	close(fd);
}

/* The old file stays dead while the card lives again. */
static void comes_back_beside_the_old(void **state)
{
	struct unplug *unplug = *state;
	int old = pdt_open(), fd, dmabuf;
	struct pdt_buffer buf, fresh;

	assert_true(old >= 0);
	assert_ok(pdt_buffer_create(old, &buf, 8 * PDT_PAGE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 90);
	assert_ok(pdt_export(old, buf.handle, &dmabuf));
	remove_card(unplug);
	assert_ok(card_back());

	fd = pdt_open();
	assert_true(fd >= 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(domains); i++) {
		assert_ok(pdt_buffer_create(fd, &fresh, 8 * PDT_PAGE, domains[i], 0));
		assert_int_equal(pdt_zero_check(fresh.map, fresh.size), -1);
		pdt_buffer_fill(&fresh, 91);
		/* What is written through the dead mapping reaches nobody. */
		assert_harmless(&buf);
		assert_ok(pdt_buffer_check(&fresh));
		pdt_buffer_destroy(fd, &fresh);
	}
	assert_int_equal(all_say_enodev(old, buf.handle, dmabuf), 0);
	munmap(buf.map, buf.size);
	close(dmabuf);
	close(old);
	assert_ok(pdt_buffer_create(fd, &fresh, 8 * PDT_PAGE, PDT_VRAM, 0));
	pdt_buffer_fill(&fresh, 92);
	assert_ok(pdt_buffer_check(&fresh));
	pdt_buffer_destroy(fd, &fresh);
	close(fd);
}

/* The driver let go of the card, and took it again; ten times, once in use */
static void unbound_and_bound(void **state)
{
	struct unplug *unplug = *state;
	char driver[32];
	uint32_t handle;
	int fd;

	for (int i = 0; i < 10; i++) {
		fd = pdt_open();
		assert_true(fd >= 0);
		assert_ok(pdt_create(fd, PDT_PAGE, domains[i % 4], 0, &handle));
		if (i % 2)
			close(fd);
		assert_ok(pdt_file_write("/sys/bus/pci/drivers/pddgpu/unbind", unplug->device));
		pdt_pci_driver(unplug->device, driver, sizeof(driver));
		assert_string_equal(driver, "");
		if (i % 2 == 0) {
			assert_err(ENODEV, pdt_destroy(fd, handle));
			close(fd);
		}
		assert_ok(pdt_file_write("/sys/bus/pci/drivers/pddgpu/bind", unplug->device));
		assert_ok(pdt_wait_for_card());
	}
}

#define unplug_test(f) cmocka_unit_test_setup_teardown(f, unplug_setup, unplug_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unplug_test(every_call_fails),
		unplug_test(memory_that_does_not_come),
		unplug_test(mappings_made_later),
		unplug_test(while_threads_allocate),
		unplug_test(with_much_in_it),
		unplug_test(with_patient_callers),
		unplug_test(with_debugfs_open),
		unplug_test(comes_back_beside_the_old),
		unplug_test(unbound_and_bound),
	};

	return pdt_run_tests("unplug", tests);
}
