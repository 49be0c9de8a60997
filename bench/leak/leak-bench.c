// SPDX-License-Identifier: MIT
/*
 * How often policies are right about what is a leak: runs workloads of which that is
 * known, a process for each CPU, and prints what came of it. See docs/leak-bench.md.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leak.h"

static const char usage[] =
	"usage: leak-bench [OPTION...]\n"
	"  --from SEED     the first seed (1)\n"
	"  --seeds COUNT   how many (300); of five one is steady\n"
	"  --seed SEED     only this one\n"
	"  --explain       what each run is, and what the verdict got wrong\n"
	"  --minutes N     how long each is (60)\n"
	"  --every MS      from look to look (1000)\n"
	"  --jobs N        processes (a CPU each)\n"
	"  --json FILE     the same for programs\n"
	"  --card          on a card, its memory that much smaller; one run at a time\n"
	"  --device NAME   on this one\n"
	"  --factor N      and so many times faster than real time (30)\n";

static uint64_t number(const char *text, uint64_t low, uint64_t high)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (end == text || *end || *text == '-' || value < low || value > high)
		die("'%s' is no number from %llu to %llu", text, (unsigned long long)low,
		    (unsigned long long)high);
	return value;
}

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "explain", no_argument, NULL, 'e' },
		{ "minutes", required_argument, NULL, 'm' },
		{ "every", required_argument, NULL, 'l' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "json", required_argument, NULL, 'o' },
		{ "card", no_argument, NULL, 'c' },
		{ "device", required_argument, NULL, 'd' },
		{ "factor", required_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'f':
			options->from = number(optarg, 1, UINT32_MAX);
			break;
		case 'n':
			options->count = number(optarg, 1, 100000);
			break;
		case 's':
			options->from = number(optarg, 1, UINT32_MAX);
			options->count = 1;
			break;
		case 'e':
			options->explain = true;
			break;
		case 'm':
			options->end_ns = number(optarg, 1, 24 * 60) * MIN;
			break;
		case 'l':
			options->every_ns = number(optarg, 100, 60000) * MS;
			break;
		case 'j':
			options->jobs = (unsigned int)number(optarg, 1, 256);
			break;
		case 'o':
			options->json = optarg;
			break;
		case 'd':
			card_name = optarg;
			options->backend = &card_backend;
			break;
		case 'c':
			options->backend = &card_backend;
			break;
		case 'x':
			card_factor = number(optarg, 1, 1000);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		exit(2);
	}
}

static void *shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Takes the next seed that nobody has, until there is none */
static void work(const struct options *options, struct result *results, uint64_t *next)
{
	for (;;) {
		uint64_t index = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);

		if (index >= options->count)
			return;
		score_run(options->from + index, options, &results[index]);
		fflush(stdout);
	}
}

static int run(const struct options *options, struct result *results)
{
	uint64_t *next = need(shared(sizeof(*next)));
	int failed = 0, status;

	if (options->jobs == 1 || options->count == 1) {
		work(options, results, next);
		return 0;
	}
	fflush(stdout);
	for (unsigned int i = 0; i < options->jobs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("no process could be made");
		if (!pid) {
			work(options, results, next);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	return failed;
}

int main(int argc, char **argv)
{
	struct options options = {
		.from = 1, .count = 300, .end_ns = 60 * MIN, .backend = &model_backend,
		.jobs = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN),
	};
	struct result *results;

	parse(argc, argv, &options);
	if (options.explain || options.backend == &card_backend)
		options.jobs = 1;
	results = need(shared(options.count * sizeof(*results)));
	if (run(&options, results))
		die("a run has failed");
	report_print(&options, results, options.count);
	if (options.json && report_json(&options, results, options.count))
		die("%s cannot be written", options.json);
	return 0;
}
