// SPDX-License-Identifier: MIT
/* Loading and unloading the driver: refused while in use, and without a trace. */
#include "pdt.h"

#include <linux/sync_file.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* Headers of a kernel before 6.6 do not have it, as the kernel that is tested does */
#ifndef SYNC_IOC_SET_DEADLINE
struct sync_set_deadline {
	__u64 deadline_ns;
	__u64 pad;
};

#define SYNC_IOC_SET_DEADLINE	_IOW(SYNC_IOC_MAGIC, 5, struct sync_set_deadline)
#endif

#define HURRIED		200
#define HURRIERS	3

/* Where everything takes longer, fewer: kmemleak looks as well there */
#define ROUNDS	(pdt_slow() > 1 ? 6U : 20U)

static int module_setup(void **state)
{
	struct pdt_log *log = calloc(1, sizeof(*log));

	*state = log;
	if (!log || pdt_log_open(log))
		return -1;
	if (!pdt_module_loaded())
		return pdt_module_load();
	return 0;
}

static int module_teardown(void **state)
{
	struct pdt_log *log = *state;
	const char *complaint = pdt_log_complaint(log);

	if (complaint)
		fprintf(stderr, "# the kernel log: %s\n", complaint);
	pdt_log_close(log);
	free(log);
	if (!pdt_module_loaded() && pdt_module_load())
		return -1;
	return complaint ? -1 : 0;
}

static void assert_in_use(void)
{
	int rc = pdt_module_unload();

	if (rc != -EAGAIN && rc != -EBUSY)
		fail_msg("unloading: %s", rc ? strerror(-rc) : "succeeded");
	assert_true(pdt_module_loaded());
}

/* As soon as nobody uses it; a last user's end may take a moment. */
static void assert_unloads(void)
{
	uint64_t end = pdt_now_ms() + 10000 * pdt_slow();
	int rc;

	while ((rc = pdt_module_unload()) && pdt_now_ms() < end)
		pdt_sleep_ms(10);
	assert_ok(rc);
	assert_false(pdt_module_loaded());
}

static void refused_with_an_open_file(void **state)
{
	uint32_t handle;
	int fd;

	(void)state;
	fd = pdt_open();
	assert_true(fd >= 0);
	assert_in_use();
	assert_ok(pdt_create(fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_in_use();
	assert_int_equal(pdt_domain(fd, handle), PDT_VRAM);
	close(fd);
	assert_unloads();
}

static void refused_with_a_mapping(void **state)
{
	struct pdt_buffer buf;
	int fd;

	(void)state;
	fd = pdt_open();
	assert_true(fd >= 0);
	assert_ok(pdt_buffer_create(fd, &buf, 3 * PDT_PAGE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 1);
	close(fd);
	assert_in_use();
	assert_ok(pdt_buffer_check(&buf));
	munmap(buf.map, buf.size);
	assert_unloads();
}

static void refused_with_a_dmabuf(void **state)
{
	uint32_t handle;
	int fd, dmabuf;

	(void)state;
	fd = pdt_open();
	assert_true(fd >= 0);
	assert_ok(pdt_create(fd, 3 * PDT_PAGE, PDT_BOTH, 0, &handle));
	assert_ok(pdt_export(fd, handle, &dmabuf));
	close(fd);
	assert_in_use();
	close(dmabuf);
	assert_unloads();
}

static void refused_with_debugfs_read(void **state)
{
	FILE *file;
	char line[100];

	(void)state;
	file = fopen(pdt_debugfs_path("leak_objects"), "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_in_use();
	fclose(file);
	assert_unloads();
}

static int sync_file_ask(int fd)
{
	struct sync_fence_info fence = { 0 };
	struct sync_file_info info = {
		.num_fences = 1,
		.sync_fence_info = (uintptr_t)&fence,
	};
	int rc = pdt_ioctl(fd, SYNC_IOC_FILE_INFO, &info);

	if (!rc && (!*fence.obj_name || !*fence.driver_name))
		return -ENODATA;
	return rc;
}

/* A job's fence knows nothing of the driver any more when the job is over. */
static void a_sync_file_outlives_the_driver(void **state)
{
	struct drm_syncobj_handle args = {
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
		.fd = -1,
	};
	struct drm_pddgpu_submit_op op;
	uint32_t handle;
	int fd;

	(void)state;
	fd = pdt_open();
	assert_true(fd >= 0);
	assert_ok(pdt_create(fd, PDT_MIB, PDT_BOTH, 0, &handle));
	assert_ok(pdt_syncobj_create(fd, &args.handle));
	op = pdt_fill(handle, 0, PDT_MIB, 1);
	assert_ok(pdt_submit_sync(fd, &op, 1, 0, 0, args.handle, 0));
	assert_ok(pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args));
	assert_ok(pdt_syncobj_wait(fd, args.handle, 0, 10000));
	assert_ok(sync_file_ask(args.fd));
	close(fd);
	assert_unloads();
	assert_ok(sync_file_ask(args.fd));
	close(args.fd);
}

/**
 * struct hurry - jobs for whose ends somebody sets deadlines
 */
struct hurry {
	/** @sync: sync files of the jobs */
	int sync[HURRIED];
	/** @jobs: how many have been submitted */
	atomic_uint jobs;
	/** @over: no more will come */
	atomic_bool over;
	/** @set: deadlines that have been set */
	atomic_uint set;
	/** @refused: and those that were not */
	atomic_uint refused;
};

/* Each earlier than the one before, or the kernel would keep that */
static void hurry_once(struct hurry *hurry, int sync, uint64_t number)
{
	struct sync_set_deadline args = { .deadline_ns = (UINT64_MAX >> 1) - number };

	/* A negative time is one too, and the earliest */
	if (number % 5 == 0)
		args.deadline_ns = 1ULL << 63;
	if (pdt_ioctl(sync, SYNC_IOC_SET_DEADLINE, &args))
		atomic_fetch_add(&hurry->refused, 1);
	else
		atomic_fetch_add(&hurry->set, 1);
}

/* The last ones again and again: one of them ends meanwhile */
static void *hurry_up(void *arg)
{
	struct hurry *hurry = arg;
	uint64_t number = 0;

	while (!atomic_load(&hurry->over)) {
		unsigned int jobs = atomic_load(&hurry->jobs);

		for (unsigned int i = jobs > 3 ? jobs - 3 : 0; i < jobs; i++)
			hurry_once(hurry, hurry->sync[i], ++number);
	}
	return NULL;
}

/* The end of a job is where its deadline must not be followed any further. */
static void deadlines_outlive_jobs_and_the_driver(void **state)
{
	struct hurry *hurry = calloc(1, sizeof(*hurry));
	struct drm_pddgpu_submit_op op;
	pthread_t threads[HURRIERS];
	uint32_t handle;
	int fd;

	(void)state;
	assert_non_null(hurry);
	fd = pdt_open();
	assert_true(fd >= 0);
	assert_ok(pdt_create(fd, PDT_MIB, PDT_BOTH, 0, &handle));
	op = pdt_fill(handle, 0, 64 * PDT_KIB, 1);
	for (int i = 0; i < HURRIERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hurry_up, hurry), 0);
	for (unsigned int i = 0; i < HURRIED; i++) {
		assert_ok(pdt_submit_fence(fd, &op, 1, &hurry->sync[i]));
		atomic_fetch_add(&hurry->jobs, 1);
		if (i % 2)
			assert_ok(pdt_wait_idle(fd, handle, 10000));
	}
	assert_ok(pdt_wait_idle(fd, handle, 10000));
	atomic_store(&hurry->over, true);
	for (int i = 0; i < HURRIERS; i++)
		pthread_join(threads[i], NULL);
	close(fd);
	assert_unloads();
	for (unsigned int i = 0; i < HURRIED; i++) {
		hurry_once(hurry, hurry->sync[i], i);
		assert_int_equal(pdt_fence_fd_wait(hurry->sync[i], 0), 1);
		close(hurry->sync[i]);
	}
	assert_int_equal(atomic_load(&hurry->refused), 0);
	assert_true(atomic_load(&hurry->set) > HURRIED);
	free(hurry);
}

/* Uses what there is, so that there is something to forget. */
static void use_everything(void)
{
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_CPU, PDT_BOTH };
	struct pdt_buffer buf;
	int fd = pdt_open(), dmabuf;
	uint32_t handle;

	assert_true(fd >= 0);
	for (unsigned int i = 0; i < 16; i++) {
		assert_ok(pdt_buffer_create(fd, &buf, (1 + i) * 16 * PDT_PAGE, domains[i % 4],
					    i / 4 % 2 ? PDT_USWC : 0));
		pdt_buffer_fill(&buf, i);
		assert_ok(pdt_set_domain(fd, buf.handle, domains[(i + 1) % 4], NULL));
		assert_ok(pdt_buffer_check(&buf));
		munmap(buf.map, buf.size);
	}
	assert_ok(pdt_create(fd, PDT_MIB, PDT_BOTH, 0, &handle));
	assert_ok(pdt_export(fd, handle, &dmabuf));
	free(pdt_debugfs_read("leak_objects"));
	assert_ok(pdt_debugfs_write("trigger_leak_check", "1"));
	close(dmabuf);
	close(fd);
}

/* A word that must stand in none of the kernel's lists of what is in use */
static void assert_forgotten(const char *path)
{
	char *text = pdt_file_read(path);

	if (!text)
		return;
	if (strstr(text, "pddgpu"))
		fail_msg("%s: %.100s", path, strstr(text, "pddgpu"));
	free(text);
}

static void assert_no_trace(void)
{
	char driver[32], names[4][32];

	assert_forgotten("/proc/interrupts");
	assert_forgotten("/proc/iomem");
	assert_forgotten("/proc/vmallocinfo");
	assert_forgotten("/proc/slabinfo");
	assert_forgotten("/proc/modules");
	assert_int_equal(access("/sys/kernel/debug/pddgpu", F_OK), -1);
	assert_int_equal(pdt_open(), -ENODEV);
	assert_true(pdt_pci_ivshmem(names, PDT_ARRAY_SIZE(names)) >= 1);
	pdt_pci_driver(names[0], driver, sizeof(driver));
	assert_string_equal(driver, "");
}

/* Kernel memory that does not come back by itself */
static uint64_t kernel_memory(void)
{
	static const char *const names[] = {
		"SUnreclaim", "VmallocUsed", "KernelStack", "PageTables", "Percpu",
	};
	uint64_t bytes, total = 0;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++)
		if (!pdt_meminfo(names[i], &bytes))
			total += bytes;
	return total;
}

static uint64_t free_memory(void)
{
	uint64_t bytes = 0;

	/* Caches first, or they would be taken for what was lost. */
	pdt_file_write("/proc/sys/vm/drop_caches", "3\n");
	pdt_meminfo("MemFree", &bytes);
	return bytes;
}

static void reload(void)
{
	struct pdt_level level;
	int fd;

	assert_unloads();
	assert_no_trace();
	assert_ok(pdt_module_load());
	fd = pdt_open();
	assert_true(fd >= 0);
	assert_ok(pdt_level_read(fd, &level));
	assert_u64(level.objects, 0);
	assert_u64(level.gtt_used, 0);
	close(fd);
	use_everything();
}

/* Loads and unloads so often; what is gone afterwards, at the least 0 */
static void rounds_take(uint64_t *kernel, uint64_t *free_pages)
{
	uint64_t before = kernel_memory(), after, free_before = free_memory(), free_after;

	assert_ok(pdt_module_load());
	for (unsigned int i = 0; i < ROUNDS; i++)
		reload();
	assert_unloads();
	after = kernel_memory();
	free_after = free_memory();
	*kernel = after > before ? after - before : 0;
	*free_pages = free_before > free_after ? free_before - free_after : 0;
}

/*
 * Slabs and caches breathe, so a little, less than 32 KiB a round, is nothing,
 * and neither is what happens once: a leak leaks every time.
 */
static void twenty_times_leaks_nothing(void **state)
{
	uint64_t kernel = 0, free_pages = 0;

	(void)state;
	/* The first rounds fill the kernel's own caches. */
	for (int i = 0; i < 4; i++)
		reload();
	assert_unloads();
	for (int tries = 0; tries < 3; tries++) {
		rounds_take(&kernel, &free_pages);
		if (kernel <= ROUNDS * 32 * PDT_KIB && free_pages <= ROUNDS * 256 * PDT_KIB)
			return;
	}
	fail_msg("%u rounds take %llu KiB of the kernel's memory, %llu KiB of the free, "
		 "again and again", ROUNDS, (unsigned long long)kernel / 1024,
		 (unsigned long long)free_pages / 1024);
}

/* The monitor starts with the driver and ends with it. */
static void monitor_comes_and_goes(void **state)
{
	struct pdt_log *log = *state;

	assert_unloads();
	assert_true(pdt_log_wait(log, "PDDGPU: Memory leak monitor stopped"));
	pdt_log_restart(log);
	assert_ok(pdt_module_load());
	assert_true(pdt_log_wait(log, "PDDGPU: Memory leak monitor started"));
}

#define module_test(f) cmocka_unit_test_setup_teardown(f, module_setup, module_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		module_test(refused_with_an_open_file),
		module_test(refused_with_a_mapping),
		module_test(refused_with_a_dmabuf),
		module_test(refused_with_debugfs_read),
		module_test(a_sync_file_outlives_the_driver),
		module_test(deadlines_outlive_jobs_and_the_driver),
		module_test(monitor_comes_and_goes),
		module_test(twenty_times_leaks_nothing),
	};

	return pdt_run_tests("module", tests);
}
