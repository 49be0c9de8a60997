// SPDX-License-Identifier: MIT
/*
 * pddgpu top: all clients of all DRM devices, live.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "device_name.h"
#include "json.h"
#include "live.h"
#include "out.h"
#include "sample_json.h"
#include "top.h"

/* Less than a hundredth of a core: the rest is for drawing. */
#define BUDGET_PER_MS 6000
#define FIRST_WAIT_MS 500

static const char *device, *filter, *proc, *sys;
static bool as_json, batch, no_exited, iterations_given;
static uint64_t interval_ms = 1000, iterations;
static unsigned int sort, group;

static const struct args_option options[] = {
	ARGS_DEVICE(&device),
	ARGS_JSON(&as_json),
	{ "batch", 'b', ARGS_FLAG, &batch, NULL, "print instead of drawing; without a\n"
	  "terminal that is so anyway" },
	{ "iterations", 'n', ARGS_NUMBER, &iterations, "N", "end after so many; when printing to\n"
	  "no terminal, 1 unless --batch is given", .min = 1, .given = &iterations_given },
	{ "interval", 'i', ARGS_TIME, &interval_ms, "TIME", "between two samples; 1 s",
	  .min = 100, .max = 3600000 },
	{ "sort", 's', ARGS_WORD, &sort, "vram|gtt|system|memory|growth|busy|evictions|"
	  "pid|user|name|driver|client", "what comes first" },
	{ "filter", 'f', ARGS_TEXT, &filter, "TEXT", "only those with it in their name, user,\n"
	  "driver, card or PID" },
	{ "group", 'g', ARGS_WORD, &group, "clients|processes|tree", "a line for each ..." },
	{ "no-exited", 0, ARGS_FLAG, &no_exited, NULL, "without those who left memory behind" },
	{ "proc", 0, ARGS_TEXT, &proc, "DIR", "a copy of /proc instead, for tests" },
	{ "sys", 0, ARGS_TEXT, &sys, "DIR", "the same for /sys" },
	ARGS_END
};

static const struct args_command command = {
	.name = "top",
	.summary = "Processes that use DRM devices, of any driver, and their memory, live",
	.options = options,
};

static int next(void *live, const struct sample **sample)
{
	int error = live_sample(live, sample);

	return error ? error : 1;
}

static void sleep_ms(uint64_t ms)
{
	struct timespec t = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static int print(struct live *live, struct rows_view *view)
{
	struct history *history = out_need(history_new());
	const struct sample *sample;
	struct rows rows = { 0 };
	uint64_t begun, done = 0;
	int error = live_sample(live, &sample);

	if (!error)
		error = history_update(history, sample);
	/* The first that is shown has rates too. */
	sleep_ms(interval_ms < FIRST_WAIT_MS ? interval_ms : FIRST_WAIT_MS);
	while (!error) {
		uint64_t now = live_now_ms();

		error = live_sample(live, &sample);
		if (!error)
			error = history_update(history, sample);
		if (!error)
			error = rows_build(&rows, view, sample, history);
		if (error)
			break;
		if (as_json) {
			json_print(sample_json("top", sample, history, &rows),
				   iterations != 1);
		} else {
			if (done)
				putchar('\n');
			sample_print(sample, history, &rows);
		}
		/* Nobody reads it any more: there is no use in going on. */
		if (!out_flush())
			break;
		if (++done == iterations)
			break;
		begun = now;
		now = live_now_ms() - begun;
		sleep_ms(now < interval_ms ? interval_ms - now : 0);
	}
	rows_free(&rows);
	history_free(history);
	if (!error)
		return RC_OK;
	out_say("top: %s", strerror(-error));
	return out_rc(error);
}

/* Which of the cards it is whose name was given */
static int find_device(struct live *live, struct rows_view *view)
{
	const struct sample *sample;
	int error;

	if (!device)
		return RC_OK;
	error = live_sample(live, &sample);
	if (error) {
		out_say("top: %s", strerror(-error));
		return out_rc(error);
	}
	view->device = device_find(sample, device);
	if (view->device)
		return RC_OK;
	out_say("top: there is no card '%s'", device);
	return RC_NO_DEVICE;
}

int cmd_top(int argc, char **argv)
{
	struct live_options from = { 0 };
	struct top_source source = { .next = next, .title = "pddgpu top" };
	struct top top = { .source = &source, .card = SIZE_MAX, .speed = 1 };
	struct live *live;
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
		out_say("top: %s: %s", proc ? proc : "/proc", strerror(-error));
		return error == -EACCES ? RC_DENIED : RC_ERROR;
	}
	top.view.sort = sort;
	top.view.group = group;
	top.view.no_exited = no_exited;
	if (filter)
		snprintf(top.view.filter, sizeof(top.view.filter), "%s", filter);
	top.delay_ms = interval_ms;
	source.context = live;
	rc = find_device(live, &top.view);
	if (rc == RC_OK && (batch || as_json || !screen.terminal || !isatty(STDIN_FILENO))) {
		if (!iterations_given && !batch)
			iterations = 1;
		rc = print(live, &top.view);
	} else if (rc == RC_OK) {
		rc = top_run(&top);
	}
	live_free(live);
	return rc;
}
