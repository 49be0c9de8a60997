// SPDX-License-Identifier: MIT
/*
 * A machine in which devices do not reach memory itself, but copies of it that the
 * kernel makes (swiotlb=force): the driver says so and leaves the card alone.
 */
#include "pdt.h"

#define DRIVER	"/sys/bus/pci/drivers/pddgpu/"
#define LINE	"cannot be used where DMA goes through copies"

static void refused(void **state)
{
	char names[8][32], driver[32];
	struct pdt_log log;

	(void)state;
	assert_true(pdt_module_loaded());
	assert_true(pdt_pci_ivshmem(names, PDT_ARRAY_SIZE(names)) == 1);
	pdt_pci_driver(names[0], driver, sizeof(driver));
	assert_string_equal(driver, "");
	assert_true(pdt_open() < 0);

	for (unsigned int i = 0; i < 3; i++) {
		assert_ok(pdt_log_open(&log));
		assert_err(EOPNOTSUPP, pdt_file_write(DRIVER "bind", names[0]));
		assert_int_equal(pdt_log_count(&log, LINE), 1);
		assert_int_equal(pdt_log_count(&log, "*ERROR*"), 1);
		assert_null(pdt_log_complaint(&log));
		pdt_log_close(&log);
	}
	assert_ok(pdt_module_unload());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
	};

	return pdt_run_tests("bounce", tests);
}
