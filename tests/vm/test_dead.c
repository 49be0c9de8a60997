// SPDX-License-Identifier: MIT
/*
 * A card that has stopped answering, and that nobody replaces. Its VM runs with
 * --device-may-die. Nothing is opened after the first test: there is no card.
 */
#include "pdt.h"

#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS 200

/* Asked once a second while it is used, it has three to answer; on a busy host. */
#define DEATH_MS 12000

static struct pdt_log klog;
static int fd = -1;

static int setup(void **state)
{
	(void)state;
	if (pdt_log_open(&klog) || pdt_wait_for_card())
		return -1;
	fd = pdt_open();
	return fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	const char *complaint = pdt_log_complaint(&klog);

	(void)state;
	if (complaint)
		fprintf(stderr, "# the kernel log: %s\n", complaint);
	return complaint ? -1 : 0;
}

/*
 * The first who waits for it tells the others: closing a file must not take a wait
 * for each of its buffers. Nothing is lost that was not on the card.
 */
static void freeing_does_not_take_for_ever(void **state)
{
	static struct pdt_buffer bufs[BUFFERS];
	struct drm_pddgpu_device_info info;
	char answer[256];
	uint64_t start;

	(void)state;
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_buffer_create(fd, &bufs[i], PDT_PAGE, PDT_GTT, 0));
		pdt_buffer_fill(&bufs[i], i + 1);
	}
	/* It may be gone before it has answered. */
	pdt_control("die", answer, sizeof(answer));

	/* Calls that need no card go on until it has been found dead, no longer. */
	start = pdt_now_ms();
	while (!pdt_device_info(fd, &info) && pdt_now_ms() < start + DEATH_MS * pdt_slow())
		pdt_sleep_ms(10);
	assert_err(ENODEV, pdt_device_info(fd, &info));
	printf("# -ENODEV after %llu ms\n", (unsigned long long)(pdt_now_ms() - start));

	start = pdt_now_ms();
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		assert_err(ENODEV, pdt_destroy(fd, bufs[i].handle));
		munmap(bufs[i].map, bufs[i].size);
	}
	close(fd);
	assert_in_range(pdt_now_ms() - start, 0, 5000);
	assert_int_equal(pdt_log_count(&klog, "no answer within"), 1);
	assert_int_equal(pdt_log_count(&klog, "the card is gone"), 1);
}

/* The driver can go, and comes again; it does not take what is dead. */
static void nobody_takes_it(void **state)
{
	static const char *const by_name[] = { "modprobe", "pddgpu", NULL };
	uint64_t end = pdt_now_ms() + 10000;
	int rc;

	(void)state;
	while ((rc = pdt_module_unload()) == -EAGAIN && pdt_now_ms() < end)
		pdt_sleep_ms(10);
	assert_ok(rc);
	assert_int_equal(pdt_command(by_name), 0);
	assert_int_equal(pdt_open(), -ENODEV);
	assert_ok(pdt_module_unload());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(freeing_does_not_take_for_ever, teardown),
		cmocka_unit_test_teardown(nobody_takes_it, teardown),
	};

	pdt_main_init();
	return cmocka_run_group_tests_name("dead", tests, setup, NULL) ? 1 : 0;
}
