// SPDX-License-Identifier: MIT
/* The machine sleeps, and vm/run wakes it up. */
#include "pdt.h"

#define STATE	"/sys/power/state"
#define TEST	"/sys/power/pm_test"
#define DELAY	"/sys/module/suspend/parameters/pm_test_delay"

/*
 * @how: "mem": until it is woken up, with the processors switched off; or "devices":
 * all of them are suspended and resumed, and the machine stays awake.
 */
int pdt_sleep(const char *how)
{
	bool devices = !strcmp(how, "devices");
	int rc = 0;

	if (devices) {
		rc = pdt_file_write(DELAY, "0");
		if (!rc)
			rc = pdt_file_write(TEST, "devices");
	}
	if (!rc)
		rc = pdt_file_write(STATE, "mem");
	if (devices)
		pdt_file_write(TEST, "none");
	return rc;
}

/* A figure of pm_state */
int pdt_pm_number(const char *name, int64_t *value)
{
	char *text = pdt_debugfs_read("pm_state");
	uint64_t number = 0;
	int rc;

	if (!text)
		return -errno;
	rc = pdt_number_of(text, name, &number);
	*value = (int64_t)number;
	free(text);
	return rc;
}
