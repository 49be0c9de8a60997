// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"
#include "scratch.h"

static const struct {
	const char *name;
	int (*run)(int *total);
} groups[] = {
	{ "options", run_options_tests },
	{ "attach", run_attach_tests },
	{ "reset", run_reset_tests },
	{ "mmu", run_mmu_tests },
	{ "copy", run_copy_tests },
	{ "packet", run_packet_tests },
	{ "irq", run_irq_tests },
	{ "inject", run_inject_tests },
	{ "control", run_control_tests },
	{ "fuzz", run_fuzz_tests },
	{ "corpus", run_corpus_tests },
};

/* usage: test-device [GROUP]; without one, all groups */
int main(int argc, char **argv)
{
	int total = 0, failed = 0;

	signal(SIGPIPE, SIG_IGN);
	scratch_begin();
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (argc < 2 || !strcmp(argv[1], groups[i].name))
			failed += groups[i].run(&total);
	scratch_end();
	if (!total) {
		fprintf(stderr, "test-device: no such group\n");
		return 2;
	}
	fflush(stderr);
	printf("%d passed, %d failed\n", total - failed, failed);
	return failed ? 1 : 0;
}
