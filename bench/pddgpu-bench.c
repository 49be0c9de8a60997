// SPDX-License-Identifier: MIT
/*
 * The benchmark: runs in a VM with a PDDGPU card and the virtual cards of other
 * drivers, prints a table, and writes the same as JSON. docs/bench.md says what
 * each row means.
 */
#include "bench.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
"Usage: pddgpu-bench [OPTION]... [PART]...\n"
"Measures the driver of a PDDGPU card; needs root, and nobody else there.\n"
"\n"
"  --quick             few samples: shows that all of it works\n"
"  --json FILE         write the results there too\n"
"  --host              measure memcpy() here, print the results, and end\n"
"  --host-memcpy TEXT  what --host printed on the host\n"
"  --about TEXT        the kind of machine, for the record\n"
"  --help              print this and exit\n"
"\n"
"Parts: engine create cost evidence move over leak fdinfo library tools; all by default.\n"
"What a part needs of another that is not run is not measured.\n"
"Exit status: 0 done, whatever the figures; 1 something failed, 2 bad usage.\n";

static const struct part {
	const char *name;
	void (*run)(struct bench *b);
} parts[] = {
	{ "engine", bench_engine },
	{ "create", bench_create },
	{ "cost", bench_cost },
	{ "evidence", bench_evidence },
	{ "move", bench_moves },
	{ "over", bench_oversubscription },
	{ "leak", bench_leaks },
	{ "fdinfo", bench_fdinfo },
	{ "library", bench_library },
	{ "tools", bench_tools },
};

static bool is_part(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strcmp(parts[i].name, name))
			return true;
	return false;
}

static bool wanted(const char *name, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return true;
	return !count;
}

static void run(struct bench *b, char **names, int count)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint64_t start = now_ns();

		if (!wanted(parts[i].name, names, count))
			continue;
		parts[i].run(b);
		printf("  (%s: %.1f s)\n", parts[i].name, (double)(now_ns() - start) / 1e9);
	}
	report_print_figures(b->report);
}

static const struct option options[] = {
	{ "quick", no_argument, NULL, 'q' },
	{ "json", required_argument, NULL, 'j' },
	{ "host", no_argument, NULL, 'o' },
	{ "host-memcpy", required_argument, NULL, 'm' },
	{ "about", required_argument, NULL, 'a' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	static struct report report;
	struct bench b = { .report = &report, .copy_rate = NAN };
	const char *json = NULL;
	bool host = false;
	int option;

	for (int i = 0; i < CREATE_SIZES; i++)
		b.fill_ns[i] = NAN;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'q') {
			b.quick = report.quick = true;
		} else if (option == 'j') {
			json = optarg;
		} else if (option == 'o') {
			host = true;
		} else if (option == 'm' && !host_parse(&b.host, optarg)) {
			fprintf(stderr, "pddgpu-bench: --host-memcpy: '%s' is not what "
				"--host prints\n", optarg);
			return 2;
		} else if (option == 'a') {
			snprintf(report.about, sizeof(report.about), "%s", optarg);
		} else if (option == 'h') {
			fputs(help, stdout);
			return 0;
		} else if (option == '?') {
			return 2;
		}
	}
	for (int i = optind; i < argc; i++) {
		if (is_part(argv[i]))
			continue;
		fprintf(stderr, "pddgpu-bench: '%s' is no part; see --help\n", argv[i]);
		return 2;
	}
	if (host) {
		host_measure(b.quick);
		return 0;
	}
	run(&b, argv + optind, argc - optind);
	if (json)
		report_json(&report, json);
	return 0;
}
