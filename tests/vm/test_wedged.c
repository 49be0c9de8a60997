// SPDX-License-Identifier: MIT
/*
 * A chip that cannot be reset any more: its users get errors and their memory back,
 * and to bind the driver anew makes it another card. Its VM loads the driver with a
 * short job_timeout_ms.
 */
#include "pdt.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE	(2 * PDT_MIB)
#define DRIVER	"/sys/bus/pci/drivers/pddgpu/"

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

/* Somebody who waits for a job, for as long as it may take */
struct waiter {
	int fd;
	uint32_t syncobj;
	int result;
};

static void *wait_for_job(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = pdt_syncobj_wait(waiter->fd, waiter->syncobj, 0, 90000);
	return NULL;
}

static void assert_all_say_eio(int fd, uint32_t handle, uint32_t syncobj, int dmabuf)
{
	struct drm_pddgpu_submit_op op = pdt_fill(handle, 0, PDT_PAGE, 1);
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_device_info device;
	struct drm_pddgpu_gem_info info;
	struct drm_pddgpu_ownership ownership[3];
	struct drm_pddgpu_segment segments[4];
	char name[16];
	struct drm_version version = { .name = name, .name_len = sizeof(name) };
	unsigned int count;
	uint32_t other;
	uint64_t offset;
	int other_fd;

	assert_err(EIO, pdt_create(fd, PDT_PAGE, PDT_VRAM, 0, &other));
	assert_err(EIO, pdt_create(fd, PDT_PAGE, PDT_CPU, 0, &other));
	assert_err(EIO, pdt_map_offset(fd, handle, &offset, NULL));
	assert_err(EIO, pdt_info(fd, handle, &info));
	assert_err(EIO, pdt_wait_idle(fd, handle, 0));
	assert_err(EIO, pdt_set_domain(fd, handle, PDT_GTT, NULL));
	assert_err(EIO, pdt_submit(fd, &op, 1));
	assert_err(EIO, pdt_set_label(fd, handle, "wedged"));
	assert_err(EIO, pdt_stats(fd, &stats));
	assert_err(EIO, pdt_ownership(fd, ownership));
	assert_err(EIO, pdt_device_info(fd, &device));
	assert_err(EIO, pdt_segments(fd, segments, 4, &count));
	assert_err(EIO, pdt_export(fd, handle, &other_fd));
	assert_err(EIO, pdt_import(fd, dmabuf, &other));
	assert_err(EIO, pdt_syncobj_create(fd, &other));
	assert_err(EIO, pdt_syncobj_wait(fd, syncobj, 0, 60000));
	assert_err(EIO, pdt_ioctl(fd, DRM_IOCTL_VERSION, &version));
}

static uint64_t figure(const char *name)
{
	uint64_t value;

	assert_ok(pdt_debugfs_stat(name, &value));
	return value;
}

static void assert_state(const char *state)
{
	char *text = pdt_debugfs_read("reset"), line[32];

	snprintf(line, sizeof(line), "state: %s\n", state);
	assert_non_null(text);
	if (!strstr(text, line))
		fail_msg("no \"%s\" in: %s", line, text);
	free(text);
}

/* Waits until the driver has given the card up; @sync: the job that made it */
static void wedge(struct pdt_state *s, uint32_t handle, uint32_t syncobj, int *sync)
{
	struct drm_pddgpu_submit_op op = pdt_fill(handle, 0, SIZE, 0xdddddddd);

	control("fail-reset 1000");
	control("hang 0");
	assert_ok(pdt_submit_sync(s->fd, &op, 1, 0, 0, syncobj, 0));
	assert_ok(pdt_fence_fd(s->fd, syncobj, sync));
}

static void bind_anew(const char *device)
{
	assert_ok(pdt_file_write(DRIVER "unbind", device));
	assert_ok(pdt_file_write(DRIVER "bind", device));
	assert_ok(pdt_wait_for_card());
}

/* Nothing is left but what the driver has itself. */
static void wait_empty(uint64_t kernel)
{
	uint64_t end = pdt_now_ms() + 20000;

	while (figure("vram_used") != kernel || figure("gtt_used") || figure("live_objects") ||
	       figure("orphan_objects") || figure("zombie_objects")) {
		if (pdt_now_ms() > end)
			fail_msg("memory is left: %llu and %llu bytes",
				 (unsigned long long)figure("vram_used"),
				 (unsigned long long)figure("gtt_used"));
		pdt_sleep_ms(10);
	}
}

static void assert_works(int fd)
{
	struct pdt_buffer buf;

	assert_true(fd >= 0);
	assert_ok(pdt_buffer_create(fd, &buf, SIZE, PDT_GTT, 0));
	assert_ok(pdt_spoil(fd, buf.handle, SIZE, 0x21212121));
	assert_int_equal(((uint32_t *)buf.map)[SIZE / 4 - 1], 0x21212121);
	pdt_buffer_destroy(fd, &buf);
}

static void given_up_and_bound_anew(void **state)
{
	struct drm_gem_close gem_close = { 0 };
	struct pdt_state *s = *state;
	struct pdt_buffer victim, vram, gtt, cpu, fresh;
	struct waiter waiter = { .fd = s->fd };
	int events = pdt_uevents_open(), sync, dmabuf, fd;
	uint64_t start, kernel = figure("kernel_bytes"), used;
	char device[64];
	pthread_t thread;

	assert_true(events >= 0);
	snprintf(device, sizeof(device), "%s", pdt_pci_name());
	assert_ok(pdt_buffer_create(s->fd, &victim, SIZE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &vram, SIZE, PDT_VRAM,
				    PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED));
	assert_ok(pdt_buffer_create(s->fd, &gtt, SIZE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &cpu, SIZE, PDT_CPU, 0));
	/* Mapped, and not touched by the CPU before */
	assert_ok(pdt_buffer_create(s->fd, &fresh, SIZE, PDT_GTT, 0));
	assert_ok(pdt_spoil(s->fd, fresh.handle, SIZE, 0x51515151));
	pdt_buffer_fill(&vram, 1);
	pdt_buffer_fill(&gtt, 2);
	pdt_buffer_fill(&cpu, 3);
	assert_ok(pdt_export(s->fd, gtt.handle, &dmabuf));
	assert_ok(pdt_syncobj_create(s->fd, &waiter.syncobj));

	start = pdt_now_ms();
	wedge(s, victim.handle, waiter.syncobj, &sync);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_job, &waiter), 0);
	assert_true(pdt_uevent_wait(events, "WEDGED=rebind", 30000, NULL, 0));
	printf("# given up after %llu ms\n", (unsigned long long)(pdt_now_ms() - start));
	assert_int_equal(pdt_fence_fd_wait(sync, 10000), -ETIME);
	pthread_join(thread, NULL);
	assert_ok(waiter.result);
	assert_true(pdt_log_wait(&s->log, "wedged: 4 resets of the chip have failed"));
	assert_state("wedged");
	assert_err(EIO, pdt_reset_chip());

	assert_all_say_eio(s->fd, gtt.handle, waiter.syncobj, dmabuf);
	/* What it holds can be seen all the same. */
	assert_ok(pdt_sysfs_u64("mem_info_vram_used", &used));
	assert_u64(used, figure("vram_used"));
	assert_true(used >= kernel + SIZE);
	fd = pdt_open();
	if (fd >= 0) {
		uint32_t handle;

		assert_err(EIO, pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
		close(fd);
	}
	/* What the CPU has mapped is there; a new page of it too */
	assert_ok(pdt_buffer_check(&vram));
	assert_ok(pdt_buffer_check(&gtt));
	assert_ok(pdt_buffer_check(&cpu));
	assert_int_equal(((uint32_t *)fresh.map)[SIZE / 4 - 1], 0x51515151);

	/* All of it can be given back */
	munmap(vram.map, SIZE);
	assert_ok(pdt_destroy(s->fd, vram.handle));
	munmap(gtt.map, SIZE);
	gem_close.handle = gtt.handle;
	assert_ok(pdt_ioctl(s->fd, DRM_IOCTL_GEM_CLOSE, &gem_close));
	assert_ok(pdt_syncobj_destroy(s->fd, waiter.syncobj));
	close(dmabuf);
	munmap(cpu.map, SIZE);
	munmap(fresh.map, SIZE);
	munmap(victim.map, SIZE);
	close(s->fd);
	wait_empty(kernel);
	close(sync);
	close(events);

	control("clear");
	bind_anew(device);
	assert_state("ready");
	s->fd = pdt_open();
	assert_works(s->fd);
}

/* With files open and mapped it can be bound anew as well. */
static void bound_anew_in_use(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	char device[64];
	uint32_t syncobj, handle;
	int sync, old = s->fd;

	snprintf(device, sizeof(device), "%s", pdt_pci_name());
	assert_ok(pdt_buffer_create(old, &buf, SIZE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 1);
	assert_ok(pdt_syncobj_create(old, &syncobj));
	wedge(s, buf.handle, syncobj, &sync);
	assert_true(pdt_log_wait(&s->log, "wedged: "));
	control("clear");
	bind_anew(device);
	assert_int_equal(pdt_fence_fd_wait(sync, 10000), -ETIME);
	assert_err(ENODEV, pdt_create(old, PDT_PAGE, PDT_GTT, 0, &handle));
	s->fd = pdt_open();
	assert_works(s->fd);
	munmap(buf.map, SIZE);
	close(sync);
	close(old);
}

/* It keeps nobody from sleeping, and what the driver does by itself sleeps too. */
static void given_up_and_asleep(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer victim, buf;
	char device[64];
	uint32_t syncobj, handle;
	int sync;

	snprintf(device, sizeof(device), "%s", pdt_pci_name());
	assert_ok(pdt_buffer_create(s->fd, &victim, SIZE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_GTT, 0));
	pdt_buffer_fill(&buf, 1);
	assert_ok(pdt_syncobj_create(s->fd, &syncobj));
	wedge(s, victim.handle, syncobj, &sync);
	assert_true(pdt_log_wait(&s->log, "wedged: "));
	for (unsigned int i = 1; i <= 2; i++) {
		assert_ok(pdt_sleep(i % 2 ? "devices" : "mem"));
		assert_int_equal(pdt_log_count(&s->log, "leak monitor stopped"), i);
		assert_int_equal(pdt_log_count(&s->log, "leak monitor started"), i);
		assert_state("wedged");
		assert_err(EIO, pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
		assert_ok(pdt_buffer_check(&buf));
	}
	munmap(victim.map, SIZE);
	munmap(buf.map, SIZE);
	close(sync);
	close(s->fd);
	control("clear");
	bind_anew(device);
	s->fd = pdt_open();
	assert_works(s->fd);
}

/* With chip_resets=0 it is not reset, and never given up. */
static void never_reset(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	uint64_t value;

	assert_ok(pdt_parameter("chip_resets", "0"));
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_GTT, 0));
	control("fail-reset 1000");
	control("hang 0");
	assert_ok(pdt_spoil(s->fd, buf.handle, SIZE, 1));
	assert_true(pdt_log_wait(&s->log, "engine 0 is lost"));
	assert_ok(pdt_spoil(s->fd, buf.handle, SIZE, 0x31313131));
	assert_int_equal(((uint32_t *)buf.map)[0], 0x31313131);
	assert_state("ready");
	assert_ok(pdt_reset_figure("chip_resets_failed", &value));
	assert_u64(value, 0);

	/* But somebody may ask for it */
	control("clear");
	assert_ok(pdt_reset_chip());
	assert_true(pdt_log_wait(&s->log, "engine 0 works again"));
	assert_ok(pdt_spoil(s->fd, buf.handle, SIZE, 0x41414141));
	assert_int_equal(((uint32_t *)buf.map)[0], 0x41414141);
	assert_ok(pdt_parameter("chip_resets", "4"));
	pdt_buffer_destroy(s->fd, &buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(given_up_and_bound_anew),
		pdt_test(bound_anew_in_use),
		pdt_test(given_up_and_asleep),
		pdt_test(never_reset),
	};

	return pdt_run_tests("wedged", tests);
}
