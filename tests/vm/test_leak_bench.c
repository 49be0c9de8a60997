// SPDX-License-Identifier: MIT
/*
 * leak-bench on a card: the clients' buffers are the driver's, and what the driver tells
 * of them is what was done to them; leaks are found in it.
 */
#include "pdt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM	"./leak-bench"
#define REPORT	"/tmp/leak-bench.json"

/* What it says of the run; NULL: it failed */
static char *measure(const char *seed, const char *minutes, const char *factor)
{
	char *text;
	pid_t pid;

	unlink(REPORT);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		execl(PROGRAM, PROGRAM, "--card", "--seed", seed, "--minutes", minutes, "--factor",
		      factor, "--json", REPORT, NULL);
		_exit(127);
	}
	assert_int_equal(pdt_wait(pid), 0);
	text = pdt_file_read(REPORT);
	unlink(REPORT);
	assert_non_null(text);
	return text;
}

/* A number behind a name, after another text; -1: there is none */
static double figure(const char *text, const char *after, const char *name)
{
	const char *at = strstr(text, after);

	at = at ? strstr(at, name) : NULL;
	return at ? strtod(at + strlen(name), NULL) : -1;
}

static void check_run(const char *seed, bool leaky, bool verdict)
{
	/*
	 * A slow kernel is to be looked at often enough as well; and clients that are late lose
	 * less often, so that it takes longer until what they lost is to be known.
	 */
	bool slow = pdt_slow() > 1;
	char *text = measure(seed, slow ? "16" : "8", slow ? "25" : "40");

	/* The driver told of each buffer what was done to it, as often as it was asked */
	assert_true(figure(text, "\"each\"", "\"strange\": ") == 0);
	assert_true(figure(text, "\"each\"", "\"looks\": ") > 20);
	assert_true(figure(text, "\"each\"", "\"objects\": ") > 0);
	if (leaky) {
		assert_true(figure(text, "\"each\"", "\"lost\": ") > 0);
		assert_true(figure(text, "\"age 30 s\"", "\"recall\": ") == 1);
		assert_true(figure(text, "\"age 30 s\"", "\"bytes_found\": ") > 0);
		assert_true(figure(text, "\"age 300 s\"", "\"bytes_missed\": ") >= 0);
	} else {
		assert_true(figure(text, "\"each\"", "\"lost\": ") == 0);
	}
	if (verdict)
		assert_true(figure(text, "\"verdict\"", "\"bytes_found\": ") > 0);
	free(text);
}

/* Tiles whose dma-bufs are kept, inputs of jobs too: nobody can have a use for them */
static void orphans_are_found(void **state)
{
	(void)state;
	check_run("2", true, true);
	check_run("43", true, true);
}

static void leaks_are_there(void **state)
{
	(void)state;
	check_run("37", true, false);
}

static void steady_clients(void **state)
{
	(void)state;
	check_run("10", false, false);
}

/* Every kind of client, with most of what it can do; what they had is given back */
static void all_kinds(void **state)
{
	(void)state;
	for (int seed = 11; seed < 25; seed++) {
		char number[16], *text;

		snprintf(number, sizeof(number), "%d", seed);
		text = measure(number, "2", "60");
		assert_true(figure(text, "\"each\"", "\"strange\": ") == 0);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(orphans_are_found),
		pdt_test(leaks_are_there),
		pdt_test(steady_clients),
		pdt_test(all_kinds),
	};

	return pdt_run_tests("leak_bench", tests);
}
