// SPDX-License-Identifier: MIT
/*
 * pddgpu report: a page for eyes: who has memory through time, what lies where, what
 * leaks, where, and why we say so.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "commands.h"
#include "facts.h"
#include "json.h"
#include "live.h"
#include "out.h"
#include "report.h"

/* A look takes at most this part of the time, however many buffers there are */
#define SHARE 4

static const char *device, *output, *from;
static bool as_json, for_given;
static uint64_t for_ms = 10000, interval_ms = 1000;
static volatile sig_atomic_t stopped;

static const struct args_option options[] = {
	ARGS_DEVICE(&device),
	{ "output", 'o', ARGS_TEXT, &output, "FILE.html", "write the page there; - is stdout" },
	{ "for", 0, ARGS_TIME, &for_ms, "TIME", "how long to look: 30s, 5m; 10 s. An interrupt\n"
	  "ends it, and then the page is written",
	  .max = 7 * 86400000ULL, .given = &for_given },
	{ "interval", 'i', ARGS_TIME, &interval_ms, "TIME", "between two looks; 1 s", .min = 100,
	  .max = 3600000 },
	{ "from", 0, ARGS_TEXT, &from, "FILE", "memory through time from a recording of\n"
	  "`pddgpu record` instead; - is stdin" },
	{ "json", 'j', ARGS_FLAG, &as_json, NULL,
	  "what is in the page, on stdout; sizes in bytes" },
	ARGS_END
};

static const struct args_command command = {
	.name = "report",
	.summary = "A page for a browser, in one file: memory through time by owner, a map of it,\n"
		   "what leaks, where, and why it is taken for a leak",
	.options = options,
};

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static struct report_card *card_of(struct report *report, const struct pddgpu_event *event)
{
	size_t i;

	for (i = 0; i < report->count; i++)
		if (!strcmp(report->cards[i].device, event->pci))
			return &report->cards[i];
	return NULL;
}

static void take_event(struct report *report, const struct pddgpu_event *event, uint64_t ms)
{
	static const enum report_event_type types[] = {
		[PDDGPU_EVENT_LEAK_ALERT] = REPORT_ALERT,
		[PDDGPU_EVENT_LEAK_CLEAR] = REPORT_CLEAR,
		[PDDGPU_EVENT_WEDGED] = REPORT_WEDGED,
		[PDDGPU_EVENT_ADDED] = REPORT_ADDED,
		[PDDGPU_EVENT_REMOVED] = REPORT_REMOVED,
	};
	struct report_card *card = card_of(report, event);
	struct report_event *line;

	if (!card || (unsigned int)event->type >= sizeof(types) / sizeof(types[0]))
		return;
	line = report_log(card, types[event->type], ms);
	line->bytes = event->used_bytes;
	line->threshold = event->threshold_bytes;
}

static void take_events(struct report *report, struct pddgpu_events *events, uint64_t ms)
{
	struct pddgpu_event event;
	int got;
	size_t i;

	while (events && (got = pddgpu_events_next(events, &event, 0)) != 0) {
		if (got > 0)
			take_event(report, &event, ms);
		for (i = 0; got == -ENOBUFS && i < report->count; i++)
			report_log(&report->cards[i], REPORT_LOST, ms);
		if (got < 0 && got != -ENOBUFS)
			return;
	}
}

/* 1: some card is there still */
static bool look(struct report *report, uint64_t ms)
{
	bool any = false;
	size_t i;

	for (i = 0; i < report->count; i++) {
		struct report_card *card = &report->cards[i];

		if (card->error)
			continue;
		card->error = report_look(card, ms);
		card->gone = card->error != 0;
		if (card->gone && card->time.count)
			report_log(card, REPORT_REMOVED, ms);
		any |= !card->error;
	}
	report->looks += any;
	return any;
}

static void loop(struct report *report, struct pddgpu_events *events)
{
	uint64_t begun = live_now_ms(), due, now = begun;

	while (look(report, now - begun)) {
		uint64_t took = live_now_ms() - now;

		report->duration_ms = now - begun;
		due = now + (took * SHARE > interval_ms ? took * SHARE : interval_ms);
		/* The last look is at the end of the time, and there are two at least */
		if (due > begun + for_ms && now < begun + for_ms)
			due = begun + for_ms;
		while (!stopped && (now = live_now_ms()) < due && due <= begun + for_ms) {
			struct pollfd fd = {
				.fd = events ? pddgpu_events_fd(events) : -1, .events = POLLIN,
			};

			if (poll(&fd, 1, (int)(due - now)) > 0)
				take_events(report, events, live_now_ms() - begun);
		}
		take_events(report, events, live_now_ms() - begun);
		now = live_now_ms();
		if (stopped || due > begun + for_ms)
			return;
	}
}

static void begin(struct report *report, const struct cards *cards, struct sites *sites)
{
	unsigned int i;

	report->cards = out_need(calloc(cards->count + 1, sizeof(*report->cards)));
	report->count = cards->count;
	for (i = 0; i < cards->count; i++) {
		struct report_card *card = &report->cards[i];

		card->card = &cards->card[i];
		card->device = out_need(strdup(card->card->id.pci));
		card->driver = out_need(strdup("pddgpu"));
		card->error = card->card->error;
		card->verdict = out_need(verdict_new());
		card->resolver = sites;
	}
	if (!sees_all())
		report_note(report, "This is what an ordinary user may know: buffers of other "
			    "users' processes, and what lies where, are root's to see.");
}

static int finish(struct report *report)
{
	int rc = RC_OK, error;
	size_t i;

	for (i = 0; i < report->count; i++) {
		struct report_card *card = &report->cards[i];

		error = card->error;
		if (error && !card->card->error)
			rc = out_worse(rc, card_say(card->card, card->time.count ?
						    "no more looks" : "cannot ask it", error));
		if (card->time.count)
			report_finish(report, card);
	}
	return rc;
}

static int write_out(const struct report *report)
{
	json_t *document = report_json(report);
	int rc = RC_OK;

	if (as_json) {
		json_print(document, false);
		return rc;
	}
	rc = report_file_write(output, report, document);
	json_decref(document);
	return rc;
}

/* What is missing is said here as well as in the page */
static void done(struct report *report)
{
	size_t i;

	for (i = 0; i < json_array_size(report->notes); i++)
		out_say("%s", json_string_value(json_array_get(report->notes, i)));
	report_free(report);
}

static int from_cards(struct report *report)
{
	struct sigaction action = { .sa_handler = stop };
	struct pddgpu_events *events = NULL;
	struct sites *sites = sites_new();
	struct timespec now;
	struct cards cards;
	bool any = false;
	size_t i;
	int rc = cards_open(device, &cards);

	begin(report, &cards, sites);
	for (i = 0; i < report->count; i++)
		any |= !report->cards[i].error;
	if (any) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
		if (pddgpu_events_open(&events))
			events = NULL;
		loop(report, events);
		pddgpu_events_close(events);
		rc = out_worse(rc, finish(report));
		clock_gettime(CLOCK_REALTIME, &now);
		report->made_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
		/* What a reader does not take, an interrupt ends; a file is soon written */
		if (as_json || !strcmp(output, "-")) {
			signal(SIGINT, SIG_DFL);
			signal(SIGTERM, SIG_DFL);
		}
		if (report->looks)
			rc = out_worse(rc, write_out(report));
	}
	done(report);
	sites_free(sites);
	cards_close(&cards);
	return rc;
}

static int from_recording(struct report *report)
{
	FILE *file = strcmp(from, "-") ? fopen(from, "re") : stdin;
	int rc;

	if (!file) {
		int error = errno;

		out_say("report: %s: %s", from, strerror(error));
		return out_rc_file(-error);
	}
	report->file = from;
	rc = report_recording(report, file, device);
	/* What is before the damage can be shown */
	if (report->looks && rc != RC_NO_DEVICE)
		rc = out_worse(rc, write_out(report));
	done(report);
	return rc;
}

int cmd_report(int argc, char **argv)
{
	struct report report = { 0 };
	int rc = args_parse(&command, argc, argv);

	if (rc >= 0)
		return rc;
	if (!output && !as_json)
		return args_wrong(&command, "where to? --output=FILE.html");
	if (output && as_json)
		return args_wrong(&command, "--output is a page, and excludes --json");
	if (from && for_given)
		return args_wrong(&command, "--for looks at cards, --from at a recording");
	if (output) {
		rc = report_file_check(output);
		if (rc != RC_OK)
			return rc;
	}
	return from ? from_recording(&report) : from_cards(&report);
}
