// SPDX-License-Identifier: MIT
/* The coredump that a reset leaves. */
#include "pdt.h"

#include <glob.h>

#define COREDUMPS	"/sys/class/devcoredump/devcd*/data"

/* The one coredump there is; false when there is none */
bool pdt_coredump_find(char *path, size_t room)
{
	glob_t found = { 0 };
	bool any = !glob(COREDUMPS, 0, NULL, &found) && found.gl_pathc == 1;

	if (any)
		snprintf(path, room, "%s", found.gl_pathv[0]);
	globfree(&found);
	return any;
}

bool pdt_coredump_wait(char *path, size_t room, bool wanted)
{
	uint64_t end = pdt_now_ms() + 10000 * pdt_slow();

	while (pdt_coredump_find(path, room) != wanted) {
		if (pdt_now_ms() > end)
			return false;
		pdt_sleep_ms(10);
	}
	return true;
}

/* Writing to it frees it. */
void pdt_coredump_free(void)
{
	char path[128];

	if (pdt_coredump_find(path, sizeof(path)))
		assert_ok(pdt_file_write(path, "1"));
	assert_true(pdt_coredump_wait(path, sizeof(path), false));
}
