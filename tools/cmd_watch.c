// SPDX-License-Identifier: MIT
/*
 * pddgpu watch: a line when something happens. What a client of any driver does is seen
 * in samples; what PDDGPU's driver has to say comes as events.
 */
#include <errno.h>
#include <poll.h>
#include <pddgpu.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "commands.h"
#include "device_name.h"
#include "live.h"
#include "out.h"
#include "watch.h"

#define BUDGET_PER_MS 6000

static const char *device, *command_line, *proc, *sys;
static bool as_json;
static uint64_t interval_ms = 1000, growth = 1 << 20, window_ms = 60000, duration_ms, alerts_max;
static volatile sig_atomic_t stopped;

static const struct args_option options[] = {
	ARGS_DEVICE(&device),
	ARGS_JSON(&as_json),
	{ "growth", 'g', ARGS_SIZE, &growth, "BYTES", "that a client has to grow by in a minute;\n"
	  "1M", .min = 1 },
	{ "window", 'w', ARGS_TIME, &window_ms, "TIME", "for which it has to grow; 60 s, which is\n"
	  "the longest", .min = 5000, .max = 60000 },
	{ "interval", 'i', ARGS_TIME, &interval_ms, "TIME", "between two looks; 1 s", .min = 100,
	  .max = 10000 },
	{ "exec", 'x', ARGS_TEXT, &command_line, "COMMAND", "run it for each alert, in a shell;\n"
	  "PDDGPU_EVENT, _DEVICE, _PID, _NAME, _BYTES and\n_GROWTH say what for" },
	{ "time", 't', ARGS_TIME, &duration_ms, "TIME", "end after so long", .min = 1 },
	{ "alerts", 'n', ARGS_NUMBER, &alerts_max, "N", "end after so many alerts", .min = 1 },
	{ "proc", 0, ARGS_TEXT, &proc, "DIR", "a copy of /proc instead, for tests" },
	{ "sys", 0, ARGS_TEXT, &sys, "DIR", "the same for /sys" },
	ARGS_END
};

static const struct args_command command = {
	.name = "watch",
	.summary = "A line when something happens: memory that grows and grows, leak alerts,\n"
		   "memory that a process leaves behind, cards that come, go, or are wedged;\n"
		   "ends with 1 if there was an alert",
	.options = options,
};

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

/* What the driver has to say since the last time; whether there was something. */
static bool take_events(struct pddgpu_events *events, struct watch *watch)
{
	struct pddgpu_event event;
	bool any = false;
	int got;

	while (events && (got = pddgpu_events_next(events, &event, 0)) != 0) {
		if (got < 0 && got != -ENOBUFS)
			break;
		any = true;
		if (got == -ENOBUFS)
			out_say("watch: too many events at once; some are lost");
		else
			watch_event(watch, &event);
	}
	return any;
}

static int loop(struct live *live, struct pddgpu_events *events, struct watch *watch)
{
	uint64_t begun = live_now_ms(), due = begun;
	const struct sample *sample;
	int error;

	while (!stopped) {
		struct pollfd fd = { .fd = -1, .events = POLLIN };
		uint64_t now = live_now_ms();

		if (now >= due) {
			due = now + interval_ms;
			error = live_sample(live, &sample);
			if (!error)
				error = watch_sample(watch, sample);
			if (error)
				return error;
		}
		if (!out_flush())
			return 0;
		if ((alerts_max && watch->alerts >= alerts_max) ||
		    (duration_ms && now - begun >= duration_ms))
			return 0;
		if (events)
			fd.fd = pddgpu_events_fd(events);
		now = live_now_ms();
		poll(&fd, 1, now >= due ? 0 : (int)(due - now));
		/* A card has come or gone: look at once. */
		if (fd.revents && take_events(events, watch))
			due = live_now_ms();
		watch_reap(watch);
	}
	return 0;
}

static int find_device(struct live *live, struct watch *watch)
{
	const struct sample *sample;
	int error = live_sample(live, &sample);

	if (error)
		return out_rc(error);
	watch->device = device_find(sample, device);
	if (watch->device)
		return RC_OK;
	out_say("watch: there is no card '%s'", device);
	return RC_NO_DEVICE;
}

int cmd_watch(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct live_options from = { .owners = true };
	struct pddgpu_events *events = NULL;
	struct watch watch = { 0 };
	struct live *live;
	int rc = args_parse(&command, argc, argv);
	int error;

	if (rc >= 0)
		return rc;
	from.proc = proc;
	from.sys = sys;
	from.budget_ns = interval_ms * BUDGET_PER_MS;
	watch.growth = growth;
	watch.window_ms = window_ms;
	watch.as_json = as_json;
	watch.command = command_line;
	getrlimit(RLIMIT_NOFILE, &watch.files);
	error = live_new(&from, &live);
	if (error) {
		out_say("watch: %s: %s", proc ? proc : "/proc", strerror(-error));
		return error == -EACCES ? RC_DENIED : RC_ERROR;
	}
	if (device)
		rc = find_device(live, &watch);
	if (!device || rc == RC_OK) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		if (!proc && pddgpu_events_open(&events)) {
			out_say("watch: the driver's events cannot be had; the rest can");
			events = NULL;
		}
		error = loop(live, events, &watch);
		pddgpu_events_close(events);
		if (error)
			out_say("watch: %s", strerror(-error));
		rc = error ? out_rc(error) : watch.alerts ? RC_FOUND : RC_OK;
	}
	watch_end(&watch);
	live_free(live);
	return rc;
}
