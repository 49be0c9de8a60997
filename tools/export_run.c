// SPDX-License-Identifier: MIT
/*
 * pddgpu export: metrics for Prometheus, over HTTP or in a file for node_exporter.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "export.h"
#include "out.h"

/* Taken by none of the exporters that are known to Prometheus' wiki */
#define DEFAULT_LISTEN	"127.0.0.1:21110"

#define PROCESSES_MAX	1000

static const char *address;
static const char *file;
static uint64_t interval;
static uint64_t processes;
static bool openmetrics;

static const struct args_option options[] = {
	{ .name = "listen", .letter = 'l', .kind = ARGS_TEXT, .value = &address,
	  .operand = "HOST:PORT",
	  .help = "where to serve; " DEFAULT_LISTEN ". :PORT is all\n"
		  "addresses; port 0 any that is free" },
	{ .name = "textfile", .letter = 't', .kind = ARGS_TEXT, .value = &file,
	  .operand = "FILE",
	  .help = "write a file for node_exporter's textfile\n"
		  "collector instead; - is standard output" },
	{ .name = "interval", .letter = 'i', .kind = ARGS_TIME, .value = &interval,
	  .operand = "TIME", .min = 100, .max = 86400000,
	  .help = "with --textfile: again and again, so often" },
	{ .name = "per-process", .letter = 'p', .kind = ARGS_NUMBER, .value = &processes,
	  .operand = "N", .min = 1, .max = PROCESSES_MAX,
	  .help = "also what processes have, the N names that have\n"
		  "most by themselves; takes root" },
	{ .name = "openmetrics", .kind = ARGS_FLAG, .value = &openmetrics,
	  .help = "with --textfile: OpenMetrics' format; over HTTP\n"
		  "who asks for it gets it" },
	ARGS_END
};

static const struct args_command command = {
	.name = "export",
	.summary = "Metrics of all cards, for Prometheus: over HTTP, or in a file",
	.options = options,
};

/* Those that end it. They are blocked in all threads, and waited for in pause_for(). */
static void ends(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

static void block_ends(void)
{
	sigset_t set;

	ends(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* True when it is to end */
static bool pause_for(uint64_t ms)
{
	struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000l};
	sigset_t set;

	ends(&set);
	return sigtimedwait(&set, NULL, &time) > 0;
}

/* Once, so that a log says why there are no figures */
static void say_troubles(const struct export_sample *samples, int count)
{
	int n;

	for (n = 0; n < count; n++) {
		if (samples[n].error)
			out_say("export: %s: %s", samples[n].id.pci,
				pddgpu_strerror(samples[n].error));
		else if (samples[n].process_error)
			out_say("export: %s: cannot read who has memory: %s", samples[n].id.pci,
				pddgpu_strerror(samples[n].process_error));
	}
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t done = write(fd, text, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		text += done;
		length -= (size_t)done;
	}
	return 0;
}

/*
 * Readers see the old file or the new one, whole. The other one's name does not end
 * as those that node_exporter reads.
 */
static int replace_file(const char *text, size_t length)
{
	char *copy = out_need(strdup(file)), *other, *folder;
	struct stat old;
	int fd, ret;

	if (!stat(file, &old) && !S_ISREG(old.st_mode)) {
		free(copy);
		return S_ISDIR(old.st_mode) ? -EISDIR : -ENOTSUP;
	}
	folder = dirname(copy);
	if (asprintf(&other, "%s/.pddgpu-XXXXXX", folder) < 0)
		other = out_need(NULL);
	free(copy);
	fd = mkostemp(other, O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		free(other);
		return ret;
	}
	ret = write_all(fd, text, length);
	if (!ret && fchmod(fd, 0644))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && rename(other, file))
		ret = -errno;
	if (ret)
		unlink(other);
	free(other);
	return ret;
}

static int write_once(struct export_cards *cards, bool first)
{
	struct metrics_text text = {
		.format = openmetrics ? METRICS_OPENMETRICS : METRICS_PROMETHEUS,
	};
	struct export_sample *samples;
	int count, ret;

	count = export_cards_ask(cards, &samples);
	if (count < 0)
		return count;
	if (first)
		say_troubles(samples, count);
	export_text(&text, samples, count);
	export_samples_free(samples, count);
	if (text.failed)
		ret = -ENOMEM;
	else if (!strcmp(file, "-"))
		ret = write_all(STDOUT_FILENO, text.text, text.length);
	else
		ret = replace_file(text.text, text.length);
	metrics_free(&text);
	return ret;
}

/* A file that cannot be written now may be later: only the first time ends it */
static int write_file(struct export_cards *cards)
{
	int ret, last = 0;
	bool first = true;

	/* A file is written whole, or not; a pipe may be full for ever */
	if (strcmp(file, "-") != 0)
		block_ends();
	do {
		ret = write_once(cards, first);
		if (ret && ret != last)
			out_say("export: %s: %s", file, strerror(-ret));
		if (ret && first)
			return ret == -EACCES || ret == -EPERM ? RC_DENIED : RC_ERROR;
		last = ret;
		first = false;
	} while (interval && !pause_for(interval));
	return ret ? RC_ERROR : RC_OK;
}

static int serve(struct export_cards *cards)
{
	struct export_server *server;
	struct export_sample *samples;
	const char *why = NULL;
	char url[128];
	int count, fd, ret;

	fd = export_listen(address, url, sizeof(url), &why);
	if (fd == -EINVAL && why)
		return args_wrong(&command, "--listen=%s: %s", address, why);
	if (fd < 0) {
		out_say("export: cannot listen at %s: %s", address, why ? why : strerror(-fd));
		return fd == -EACCES ? RC_DENIED : RC_ERROR;
	}
	/* Not before: to find an address may take a while, which is not to be waited for */
	block_ends();
	count = export_cards_ask(cards, &samples);
	if (count >= 0) {
		say_troubles(samples, count);
		export_samples_free(samples, count);
	}
	ret = export_server_open(fd, cards, &server);
	if (ret) {
		close(fd);
		out_say("export: cannot serve: %s", strerror(-ret));
		return RC_ERROR;
	}
	out_say("export: serving %s", url);
	while (!pause_for(1000))
		export_server_tick(server);
	export_server_close(server);
	return RC_OK;
}

int export_run(int argc, char **argv)
{
	struct export_cards *cards;
	int rc;

	rc = args_parse(&command, argc, argv);
	if (rc >= 0)
		return rc;
	if (file && address)
		return args_wrong(&command, "--listen and --textfile exclude each other");
	if (!file && (interval || openmetrics))
		return args_wrong(&command, "--interval and --openmetrics go with --textfile");
	if (interval && !strcmp(file, "-"))
		return args_wrong(&command, "--interval needs a file");
	if (!address)
		address = DEFAULT_LISTEN;
	/* The decimal point of metrics is nobody's choice */
	setlocale(LC_NUMERIC, "C");
	/* A log that nobody reads any more is no reason to end; that nobody reads figures is */
	if (!file || strcmp(file, "-") != 0)
		signal(SIGPIPE, SIG_IGN);
	rc = export_cards_open((unsigned int)processes, &cards);
	if (rc) {
		out_say("export: %s", strerror(-rc));
		return RC_ERROR;
	}
	rc = file ? write_file(cards) : serve(cards);
	export_cards_close(cards);
	return rc;
}
