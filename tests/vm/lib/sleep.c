// SPDX-License-Identifier: MIT
/* The machine sleeps, and wakes up by itself. */
#include "pdt.h"

#define ALARM	"/sys/class/rtc/rtc0/wakealarm"
#define STATE	"/sys/power/state"
#define TEST	"/sys/power/pm_test"
#define DELAY	"/sys/module/suspend/parameters/pm_test_delay"

/*
 * @how: "mem" or "freeze", until the clock wakes it; or "devices": all of them
 * are suspended and resumed, and the machine stays awake.
 */
int pdt_sleep(const char *how)
{
	bool devices = !strcmp(how, "devices");
	int rc;

	if (devices) {
		rc = pdt_file_write(DELAY, "0");
		if (!rc)
			rc = pdt_file_write(TEST, "devices");
	} else {
		pdt_file_write(ALARM, "0");
		rc = pdt_file_write(ALARM, "+1");
	}
	if (rc)
		return rc;
	rc = pdt_file_write(STATE, devices ? "mem" : how);
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
