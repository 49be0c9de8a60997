// SPDX-License-Identifier: MIT
/*
 * Fuzzes the driver's ioctls and all that leads to it; scripts/fuzz-ioctl runs
 * it in a VM. See README.md.
 */
#include "fuzz.h"

#include "run.h"

#include <dirent.h>
#include <getopt.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct option options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "seconds", required_argument, NULL, 't' },
	{ "count", required_argument, NULL, 'c' },
	{ "workers", required_argument, NULL, 'w' },
	{ "corpus", required_argument, NULL, 'C' },
	{ "crashes", required_argument, NULL, 'X' },
	{ "replay", no_argument, NULL, 'r' },
	{ "times", required_argument, NULL, 'n' },
	{ "show", no_argument, NULL, 'S' },
	{ "distill", no_argument, NULL, 'd' },
	{ "faults", no_argument, NULL, 'f' },
	{ "unplug", no_argument, NULL, 'u' },
	{ "call-seconds", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static const char help[] =
	"usage: fuzz-ioctl [options] [FILE...]\n"
	"  --seed N          where the random numbers begin (1)\n"
	"  --seconds N       stop after so long (30)\n"
	"  --count N         stop after so many ioctls\n"
	"  --workers N       processes, each with four threads (4)\n"
	"  --corpus DIR      programs to begin with\n"
	"  --crashes DIR     programs to run first, as a test\n"
	"  --replay          run the FILEs only, and look what comes of each\n"
	"  --times N         run each program so often (20)\n"
	"  --distill         name the FILEs that reach what those before did not\n"
	"  --show            print the program of --seed, or its variant of one FILE, two\n"
	"  --faults          let programs make the chip fail\n"
	"  --unplug          take the card away and bring it back now and then\n"
	"  --call-seconds N  longer than that no call may take (60)\n"
	"The last line sums up; the exit status is 0 if nothing was found.\n";

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void make_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t how;

	pthread_mutexattr_init(&how);
	pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mutex, &how);
}

/* What the host makes of a line of the kernel's log: "fuzz WORKER SEED [A B]" */
static int show(uint64_t seed, char **files, int count)
{
	static struct fz_program programs[3];

	if (count > 2)
		return 2;
	for (int i = 0; i < count; i++) {
		if (fz_parse(files[i], &programs[i], 1) < 0)
			return 2;
	}
	if (!count)
		fz_generate(&programs[2], seed);
	else
		fz_mutate(&programs[2], &programs[0], &programs[count - 1], seed);
	fz_print(stdout, &programs[2]);
	return 0;
}

static bool parse_number(const char *text, uint64_t *value)
{
	char *end;

	*value = strtoull(text, &end, 0);
	return *text && !*end;
}

/* An option's value, or the option itself; false when it cannot be */
static bool take(int option, const char *text, struct fz_run *run)
{
	const struct {
		int option;
		uint64_t *value;
	} numbers[] = {
		{ 's', &run->seed }, { 't', &run->seconds }, { 'c', &run->count },
		{ 'w', &run->workers }, { 'n', &run->times }, { 'b', &run->call_seconds },
	};
	const struct {
		int option;
		bool *on;
	} switches[] = {
		{ 'r', &run->replay }, { 'S', &run->show }, { 'd', &run->distill },
		{ 'f', &run->faults }, { 'u', &run->unplug },
	};

	for (size_t i = 0; i < PDT_ARRAY_SIZE(numbers); i++) {
		if (numbers[i].option == option)
			return parse_number(text, numbers[i].value);
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(switches); i++) {
		if (switches[i].option == option)
			return *switches[i].on = true;
	}
	if (option == 'C')
		run->corpus = text;
	else if (option == 'X')
		run->crashes = text;
	else
		return false;
	return true;
}

/* 0, -1 when there is nothing to do, or an exit status */
static int parse(int argc, char **argv, struct fz_run *run)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'h') {
			fputs(help, stdout);
			return -1;
		}
		if (!take(option, optarg, run)) {
			fprintf(stderr, "fuzz-ioctl: see fuzz-ioctl --help\n");
			return 2;
		}
	}
	if (!run->workers || run->workers > FZ_WORKERS) {
		fprintf(stderr, "fuzz-ioctl: 1 to %d workers\n", FZ_WORKERS);
		return 2;
	}
	run->files = argv + optind;
	run->file_count = argc - optind;
	return 0;
}

int main(int argc, char **argv)
{
	struct fz_run run = {
		.seed = 1, .workers = 4, .times = 20, .call_seconds = 60,
	};
	int rc = parse(argc, argv, &run);

	if (rc)
		return rc < 0 ? 0 : rc;
	if (run.show)
		return show(run.seed, run.files, run.file_count);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fz_shared = shared(sizeof(*fz_shared));
	if (!fz_shared)
		return 3;
	make_mutex(&fz_shared->control);
	make_mutex(&fz_shared->corpus_lock);
	return fz_run(&run);
}
