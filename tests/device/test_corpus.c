// SPDX-License-Identifier: MIT
/*
 * The inputs that are kept of the device's fuzzers, each target's once more: seeds,
 * and what once went wrong. PDDGPU_REPLAY names the folder of the programs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

static const char *folder(const char *name, const char *otherwise)
{
	const char *path = getenv(name);

	return path ? path : otherwise;
}

static void replay(const char *target)
{
	char command[512], line[256], last[4096] = "";
	FILE *output;

	snprintf(command, sizeof(command),
		 "'%s/%s' '%s/%s' 2>&1", folder("PDDGPU_REPLAY",
						"../../build/fuzz-device/replay"), target,
		 folder("PDDGPU_CORPUS", "../fuzz/corpus-device"), target);
	output = popen(command, "r");
	assert_non_null(output);
	while (fgets(line, sizeof(line), output)) {
		/* The end of it says what went wrong, and in which input */
		if (strlen(last) + strlen(line) >= sizeof(last))
			memmove(last, last + sizeof(last) / 2, sizeof(last) / 2);
		strcat(last, line);
	}
	if (pclose(output))
		fail_msg("%s: %s", target, last);
}

static void test_chip(void **state)
{
	(void)state;
	replay("chip");
}

static void test_line(void **state)
{
	(void)state;
	replay("line");
}

static void test_socket(void **state)
{
	(void)state;
	replay("socket");
}

static void test_options(void **state)
{
	(void)state;
	replay("options");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_chip),
	cmocka_unit_test(test_line),
	cmocka_unit_test(test_socket),
	cmocka_unit_test(test_options),
};

int run_corpus_tests(int *total)
{
	return RUN_GROUP("inputs of the fuzzers", tests, total);
}
