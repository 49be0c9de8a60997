// SPDX-License-Identifier: MIT
/* Unit tests of libpddgpu that need no card. */
#include "fake.h"

/* cmocka's macro wants an array whose size it sees. */
static int run(const char *name, const struct CMUnitTest *tests, size_t count)
{
	return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

int main(void)
{
	int failed = 0;

	failed += run("open", open_tests, open_tests_count);
	failed += run("buffers", bo_tests, bo_tests_count);
	failed += run("text", text_tests, text_tests_count);
	failed += run("evidence", evidence_tests, evidence_tests_count);
	failed += run("events", event_tests, event_tests_count);
	return failed ? 1 : 0;
}
