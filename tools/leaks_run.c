// SPDX-License-Identifier: MIT
/*
 * pddgpu leaks --fail-on=SIZE -- PROGRAM: runs it, and fails if it leaves memory behind.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "facts.h"
#include "json.h"
#include "leaks_modes.h"
#include "left.h"
#include "out.h"
#include "run.h"
#include "text.h"

struct watched {
	struct left left;
	struct run run;
};

static void tick(void *data)
{
	struct watched *watched = data;

	watched->left.session = watched->run.session;
	left_look(&watched->left);
}

static bool found(const struct leaks_wish *wish, const struct left *left)
{
	return left->objects && left->bytes >= wish->limit;
}

static uint64_t lost(const struct left *left)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < left->cards->count; i++)
		sum += left->card[i].lost;
	return sum;
}

/* ---- the report ---- */

static void print(FILE *to, const struct leaks_wish *wish, const struct watched *watched,
		  struct sites *sites)
{
	const struct left *left = &watched->left;
	const struct run *run = &watched->run;
	char *name = text_printable(run->argv[0]), size[OUT_SIZE_MAX];

	if (left->objects)
		fprintf(to, "pddgpu: leaks: %s has left %s of GPU memory in %" PRIu64
			" buffer%s%s\n", name, out_size(size, left->bytes), left->objects,
			left->objects == 1 ? "" : "s",
			found(wish, left) ? "" : ", which is less than the limit");
	else if (to != stderr)
		fprintf(to, "pddgpu: leaks: %s has left no GPU memory\n", name);
	left_print(to, left, sites, wish->max);
	if (left->objects && run->signal)
		fprintf(to, "pddgpu: leaks: %s was ended by signal %d (%s)\n", name, run->signal,
			strsignal(run->signal));
	if (run->running)
		fprintf(to, "pddgpu: leaks: %u process%s that %s has started still run%s\n",
			run->running, run->running == 1 ? "" : "es", name,
			run->running == 1 ? "s" : "");
	if (left->elsewhere_objects)
		fprintf(to, "pddgpu: leaks: %s in %" PRIu64 " buffer%s has been left by sessions "
			"that began meanwhile, which may be of %s: see --new-sessions\n",
			out_size(size, left->elsewhere_bytes), left->elsewhere_objects,
			left->elsewhere_objects == 1 ? "" : "s", name);
	if (lost(left))
		fprintf(to, "pddgpu: leaks: the driver has forgotten %" PRIu64
			" of its notes; there may be more\n", lost(left));
	free(name);
}

static json_t *report_json(const struct leaks_wish *wish, const struct watched *watched,
			   struct sites *sites)
{
	const struct run *run = &watched->run;
	const struct left *left = &watched->left;
	json_t *document = json_document("left"), *words = out_need(json_array());
	char **word;

	for (word = run->argv; *word; word++)
		json_add(words, json_text(*word));
	json_put(document, "program", words);
	json_put(document, "session", json_integer(run->session));
	json_put(document, "status", json_integer(run->status));
	json_put(document, "signal", run->signal ? json_integer(run->signal) : json_null());
	json_put(document, "running", json_count(run->running));
	json_put(document, "limit", json_count(wish->limit));
	json_put(document, "found", json_boolean(found(wish, left)));
	json_put(document, "bytes", json_count(left->bytes));
	json_put(document, "objects", json_count(left->objects));
	json_put(document, "elsewhere_bytes", json_count(left->elsewhere_bytes));
	json_put(document, "elsewhere_objects", json_count(left->elsewhere_objects));
	json_put(document, "devices", left_json(left, sites));
	return document;
}

/* Into a file of its own */
static int write_file(const struct leaks_wish *wish, const struct watched *watched,
		      struct sites *sites)
{
	FILE *file = fopen(wish->output, "we");
	int error = 0;

	if (!file) {
		error = errno;
	} else {
		if (wish->as_json) {
			json_t *document = report_json(wish, watched, sites);

			json_dumpf(document, file, JSON_PRESERVE_ORDER | JSON_INDENT(2));
			putc('\n', file);
			json_decref(document);
		} else {
			print(file, wish, watched, sites);
		}
		if (fflush(file) || ferror(file))
			error = errno ? errno : EIO;
		if (fclose(file) && !error)
			error = errno;
	}
	if (!error)
		return RC_OK;
	out_say("%s: %s", wish->output, strerror(error));
	return out_rc_file(-error);
}

static int report(const struct leaks_wish *wish, const struct watched *watched)
{
	struct sites *sites = sites_new();
	int rc = RC_OK;

	out_flush();
	/* What is found is said in any case: the file may not be at hand */
	if (!wish->output || (strcmp(wish->output, "-") &&
			      (found(wish, &watched->left) || lost(&watched->left) ||
			       watched->left.elsewhere_objects)))
		print(stderr, wish, watched, sites);
	if (wish->output && !strcmp(wish->output, "-")) {
		if (wish->as_json)
			json_print(report_json(wish, watched, sites), false);
		else
			print(stdout, wish, watched, sites);
	} else if (wish->output) {
		rc = write_file(wish, watched, sites);
	}
	if (watched->left.objects)
		sites_say_how();
	sites_free(sites);
	return rc;
}

/* The driver counts sessions as the whole machine does, which a container does not */
static bool knows_sessions(void)
{
	char comm[16] = "";

	prctl(PR_GET_NAME, comm);
	return process_alive(getpid(), comm) == ALIVE_YES;
}

int leaks_run(const struct leaks_wish *wish, char **argv)
{
	struct watched watched = {
		.run = { .argv = argv, .grace_ms = wish->for_ms, .tick = tick },
	};
	struct left *left = &watched.left;
	struct cards cards;
	int rc = cards_open(wish->device, &cards), ended;

	watched.run.data = &watched;
	if (rc == RC_OK && !knows_sessions()) {
		out_say("leaks: a program's buffers are known by its session, which takes the "
			"machine's own PID namespace and /proc");
		rc = RC_ERROR;
	}
	/* What cannot be watched is not run: its status would say that all is well */
	if (rc == RC_OK)
		rc = left_begin(left, &cards);
	left->all_new = wish->new_sessions;
	ended = rc == RC_OK ? run_program(&watched.run) : rc;
	if (ended < 0) {
		left->session = watched.run.session;
		rc = left_end(left, wish->for_ms);
		rc = out_worse(rc, report(wish, &watched));
		if (rc == RC_OK)
			rc = found(wish, left) ? RC_FOUND : watched.run.status;
		else if (found(wish, left))
			rc = RC_FOUND;
	} else {
		rc = ended;
	}
	left_free(left);
	cards_close(&cards);
	return rc;
}
