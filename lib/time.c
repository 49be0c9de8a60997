// SPDX-License-Identifier: MIT
/* Times. */
#include <time.h>

#include "internal.h"

int64_t pddi_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* When so long from now is, for ioctls; the past for 0, the end of time for less */
int64_t pddi_deadline(int64_t timeout_ns)
{
	int64_t now;

	if (timeout_ns < 0)
		return INT64_MAX;
	if (!timeout_ns)
		return 0;
	now = pddi_now();
	return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}
