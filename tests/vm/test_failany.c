// SPDX-License-Identifier: MIT
/*
 * Memory that is not to be had: any allocation that binding the driver makes, and
 * a tenth of all those that it makes in whatever thread. Needs a kernel with
 * fault injection.
 *
 * PDT_SWEEP_BIND=N: only every Nth allocation of bind; 1 takes half an hour.
 */
#include "pdt.h"

#include <fcntl.h>
#include <unistd.h>

#define SIZE		(PDT_MIB + 3 * PDT_PAGE)
/* That the driver has reserved */
#define BARS		2
#define DRIVER		"/sys/bus/pci/drivers/pddgpu/"

static int bind_card(const char *name)
{
	int fd = open(DRIVER "bind", O_WRONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, name, strlen(name)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/*
 * A card that cannot be brought up is left alone, whatever was missing: and it leaves
 * memory alone.
 */
static void every_allocation_of_bind(void **state)
{
	struct pdt_state *s = *state;
	unsigned int step = pdt_count("PDT_SWEEP_BIND", 23);
	unsigned int n = 1, bound = 0, refused = 0, busy = 0;
	struct drm_pddgpu_device_info device;
	char name[32], byte;
	bool failed = true;
	int rc;

	pdt_need_injection();
	assert_true(step > 0);
	/* drm_minor_alloc() (Linux 6.12) puts the error that it gets from there as a device */
	assert_ok(pdt_fail_spare("drm_sysfs_minor_alloc"));
	snprintf(name, sizeof(name), "%s", pdt_pci_name());
	assert_ok(pdt_device_info(s->fd, &device));
	assert_ok(pdt_control_peek(device.gtt_start, &byte, 1));
	close(s->fd);
	s->fd = -1;
	for (; failed; n += step) {
		assert_ok(pdt_file_write(DRIVER "unbind", name));
		assert_ok(pdt_fail_nth(n));
		rc = bind_card(name);
		failed = pdt_failed_one();
		assert_ok(pdt_fail_nth(0));
		if (rc) {
			/*
			 * The name that is written may not be had either; and a BAR is said
			 * to be in use where there is no memory to note that it is, by
			 * __request_region() (kernel/resource.c).
			 */
			busy += rc == -EBUSY;
			if (!failed || busy > BARS ||
			    (rc != -ENOMEM && rc != -EFAULT && rc != -EBUSY))
				fail_msg("bind: allocation %u%s: %s", n,
					 failed ? " failed" : " would have", strerror(-rc));
			refused++;
			if (!pdt_control_peek(device.gtt_start, &byte, 1))
				fail_msg("bind: allocation %u failed: the chip reaches memory", n);
			assert_ok(bind_card(name));
		} else if (failed) {
			bound++;
		}
		assert_ok(pdt_wait_for_card());
	}
	printf("# bind: about %u allocations; %u times refused, %u times not\n", n, refused,
	       bound);
	/* The kernel makes no /proc/irq/N/NAME without memory, and is surprised later */
	pdt_log_forgive(&s->log, "remove_proc_entry");
	s->fd = pdt_open();
	assert_true(s->fd >= 0);
}

/* What a crowded card does, done once; what fails is tried again by its user */
static int crowded_round(int fd, struct pdt_buffer *bufs, size_t count, uint64_t *random,
			 unsigned int *failures)
{
	static const uint32_t sets[] = { PDT_VRAM, PDT_GTT, PDT_GTT | PDT_CPU, PDT_BOTH,
					 PDT_BOTH | PDT_CPU };
	struct pdt_buffer *buf = &bufs[pdt_random(random) % count];
	struct drm_pddgpu_submit_op op;
	int rc = 0;

	switch (pdt_random(random) % 4) {
	case 0:
		pdt_buffer_destroy(fd, buf);
		do {
			rc = pdt_buffer_create(fd, buf, SIZE, PDT_BOTH, 0);
			*failures += rc == -ENOMEM;
		} while (rc == -ENOMEM);
		if (!rc && pdt_zero_check(buf->map, SIZE) != -1)
			rc = -EIO;
		if (!rc)
			pdt_buffer_fill(buf, pdt_random(random));
		break;
	case 1:
		op = pdt_copy(buf->handle, 0, buf->handle, 0, SIZE / 2);
		rc = pdt_submit(fd, &op, 1);
		break;
	case 2:
		rc = pdt_buffer_check(buf);
		break;
	default:
		rc = pdt_set_domain(fd, buf->handle,
				    sets[pdt_random(random) % PDT_ARRAY_SIZE(sets)], NULL);
	}
	*failures += rc == -ENOMEM;
	return rc == -ENOMEM ? 0 : rc;
}

static void in_every_thread_of_the_driver(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint64_t random = pdt_seed(40);
	unsigned int failures = 0;
	struct pdt_buffer *bufs;
	size_t count;

	pdt_need_injection();
	assert_ok(pdt_stats(s->fd, &stats));
	count = stats.vram_total / SIZE + 8;
	bufs = calloc(count, sizeof(*bufs));
	for (size_t i = 0; i < count; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, PDT_BOTH, 0));
		pdt_buffer_fill(&bufs[i], i);
	}
	if (pdt_fail_driver(10)) {
		pdt_fail_driver(0);
		fail_msg("the kernel does not take the filter for the driver's code");
	}
	for (unsigned int i = 0; i < 1000; i++) {
		int rc = crowded_round(s->fd, bufs, count, &random, &failures);

		if (rc) {
			pdt_fail_driver(0);
			fail_msg("round %u: %s", i, strerror(-rc));
		}
	}
	assert_ok(pdt_fail_driver(0));
	printf("# %u calls of 1000 failed\n", failures);
	assert_true(failures > 0);
	for (size_t i = 0; i < count; i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
	free(bufs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(in_every_thread_of_the_driver),
		pdt_test(every_allocation_of_bind),
	};

	return pdt_run_tests("failany", tests);
}
