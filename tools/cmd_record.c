// SPDX-License-Identifier: MIT
/*
 * pddgpu record: what top shows, into a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "live.h"
#include "out.h"
#include "recording.h"

#define BUDGET_PER_MS 6000

static const char *output, *proc, *sys;
static uint64_t interval_ms = 1000, samples, duration_ms;
static bool force, no_exited;
static volatile sig_atomic_t stopped;

static const struct args_option options[] = {
	{ "output", 'o', ARGS_TEXT, &output, "FILE", "where to; - or nothing is the standard\n"
	  "output, if that is no terminal" },
	{ "force", 'f', ARGS_FLAG, &force, NULL, "also over a file that is there" },
	{ "interval", 'i', ARGS_TIME, &interval_ms, "TIME", "between two samples; 1 s",
	  .min = 100, .max = 3600000 },
	{ "samples", 'n', ARGS_NUMBER, &samples, "N", "end after so many", .min = 1 },
	{ "time", 't', ARGS_TIME, &duration_ms, "TIME", "end after so long", .min = 1 },
	{ "no-exited", 0, ARGS_FLAG, &no_exited, NULL, "without those who left memory behind" },
	{ "proc", 0, ARGS_TEXT, &proc, "DIR", "a copy of /proc instead, for tests" },
	{ "sys", 0, ARGS_TEXT, &sys, "DIR", "the same for /sys" },
	ARGS_END
};

static const struct args_command command = {
	.name = "record",
	.summary = "Keeps what `pddgpu top` shows in a file, for `pddgpu replay`",
	.options = options,
};

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

/* Until the end of the interval, or a signal */
static void wait_until(uint64_t ms)
{
	uint64_t now = live_now_ms();

	while (!stopped && now < ms) {
		poll(NULL, 0, (int)(ms - now));
		now = live_now_ms();
	}
}

static int say(int error)
{
	out_say("record: %s%s%s", output && strcmp(output, "-") ? output : "",
		output && strcmp(output, "-") ? ": " : "", strerror(-error));
	return error == -EPIPE ? RC_OK : out_rc_file(error);
}

static int record(struct live *live, FILE *file)
{
	const struct sample *sample;
	struct recorder *recorder;
	uint64_t begun, due, done = 0;
	int error = live_sample(live, &sample);

	if (error)
		return say(error);
	errno = 0;
	recorder = recorder_new(file, sample, interval_ms);
	if (!recorder)
		return say(errno ? -errno : -ENOMEM);
	begun = sample->ms;
	due = begun;
	while (!error) {
		error = recorder_write(recorder, sample);
		if (error || ++done == samples || stopped)
			break;
		due += interval_ms;
		/* What has been missed, while the machine slept, is not made up for. */
		if (due < live_now_ms())
			due = live_now_ms();
		if (duration_ms && due - begun > duration_ms)
			break;
		wait_until(due);
		if (stopped)
			break;
		error = live_sample(live, &sample);
	}
	recorder_free(recorder);
	return error ? say(error) : RC_OK;
}

/* What is no regular file has nothing that could be lost: a FIFO, /dev/null */
static int open_special(void)
{
	int fd = open(output, O_WRONLY | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && !S_ISREG(st.st_mode))
		return fd;
	if (fd >= 0)
		close(fd);
	errno = EEXIST;
	return -1;
}

static int open_output(FILE **file)
{
	int fd;

	*file = stdout;
	if (!output || !strcmp(output, "-")) {
		if (!output && isatty(STDOUT_FILENO))
			return args_wrong(&command, "where to? --output=FILE");
		return RC_OK;
	}
	fd = open(output, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0666);
	if (fd < 0 && errno == EEXIST)
		fd = open_special();
	*file = fd < 0 ? NULL : fdopen(fd, "w");
	if (*file)
		return RC_OK;
	if (errno == EEXIST) {
		out_say("record: %s is there already; --force writes over it", output);
		return RC_USAGE;
	}
	return say(-errno);
}

int cmd_record(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct live_options from = { 0 };
	struct live *live;
	FILE *file;
	int rc = args_parse(&command, argc, argv);
	int error;

	if (rc >= 0)
		return rc;
	from.proc = proc;
	from.sys = sys;
	from.budget_ns = interval_ms * BUDGET_PER_MS;
	from.owners = !no_exited;
	error = live_new(&from, &live);
	if (error) {
		out_say("record: %s: %s", proc ? proc : "/proc", strerror(-error));
		return error == -EACCES ? RC_DENIED : RC_ERROR;
	}
	rc = open_output(&file);
	if (rc == RC_OK) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		rc = record(live, file);
		if (file != stdout && fclose(file) && rc == RC_OK)
			rc = say(-errno);
	}
	live_free(live);
	return rc;
}
