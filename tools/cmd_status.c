// SPDX-License-Identifier: MIT
/*
 * pddgpu status: how full cards are, whose that is, and how they are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "json.h"
#include "out.h"
#include "status.h"

static const char *device;
static bool as_json, help_query;
static uint64_t max_processes;
static unsigned int unit;
static struct query query, processes;

static const struct args_option options[] = {
	ARGS_DEVICE(&device),
	ARGS_JSON(&as_json),
	ARGS_UNIT(&unit),
	{ "max", 'n', ARGS_NUMBER, &max_processes, "N", "the N largest processes; 0: all" },
	{ "query", 'q', ARGS_TEXT, &query.names, "FIELD,...",
	  "these fields alone, a line a card" },
	{ "query-processes", 0, ARGS_TEXT, &processes.names, "FIELD,...",
	  "the same for processes, a line each" },
	{ "format", 'f', ARGS_TEXT, &query.format, "csv[,noheader][,nounits]",
	  "of a query; sizes are in bytes unless --unit says otherwise" },
	{ "help-query", 0, ARGS_FLAG, &help_query, NULL, "what fields there are" },
	ARGS_END
};

static const struct args_command command = {
	.name = "status",
	.summary = "How full cards are and whose that is: used = live + orphaned + zombie +\n"
		   "kernel, always, and by process; and how they are",
	.options = options,
};

static int check(void)
{
	int rc = -1;

	if (query.names && processes.names)
		return args_wrong(&command, "--query and --query-processes exclude each other");
	if (as_json && (query.names || processes.names))
		return args_wrong(&command, "a query has no --json");
	if (query.format && !query.names && !processes.names)
		return args_wrong(&command, "--format is for --query");
	processes.format = query.format;
	if (query.names)
		rc = query_check(&command, status_fields, &query);
	if (processes.names)
		rc = query_check(&command, process_fields, &processes);
	return rc;
}

static void print_process_rows(const struct facts *facts)
{
	size_t i;

	for (i = 0; i < facts->process_count; i++) {
		json_t *row = process_json(facts, &facts->processes[i]);

		json_put(row, "pci", json_text(facts->card->id.pci));
		query_row(&processes, row);
		json_decref(row);
	}
}

static void print_one(const struct facts *facts, unsigned int index)
{
	if (query.names) {
		json_t *row = status_row(facts, index);

		query_row(&query, row);
		json_decref(row);
	} else if (processes.names) {
		print_process_rows(facts);
	} else {
		if (index)
			putchar('\n');
		status_print(facts, max_processes);
	}
}

/* What could be told if there were more rights, in a line for all cards */
static int say_what_misses(const struct facts *facts)
{
	int error = facts->processes_error ? facts->processes_error : facts->health_error;
	static bool said;

	if (!error || (said && (error == -EACCES || error == -EPERM || error == -ENOENT)))
		return RC_OK;
	said = true;
	switch (error) {
	case -EACCES:
	case -EPERM:
		out_say("processes of others and health are shown to root only");
		break;
	case -ENOENT:
		out_say("who has ended, and health, need debugfs: "
			"mount -t debugfs none /sys/kernel/debug");
		break;
	default:
		out_say("%s: processes or health: %s", facts->card->id.pci, pddgpu_strerror(error));
		if (error != -EOPNOTSUPP)
			return RC_ERROR;
	}
	return RC_OK;
}

/* A query need not read, nor say that it may not, what was not asked for */
static unsigned int needed(void)
{
	unsigned int i;

	if (processes.names)
		return FACTS_PROCESSES;
	if (!query.names)
		return FACTS_PROCESSES | FACTS_HEALTH;
	for (i = 0; i < query.count; i++)
		if (!strncmp(query.wanted[i]->path, "health.", 7))
			return FACTS_HEALTH;
	return 0;
}

static int one(const struct card *card, unsigned int index, json_t *devices)
{
	struct facts facts;
	int error, rc = RC_OK;

	error = card->error;
	if (error == -EACCES && !processes.names && !facts_read_sysfs(card, &facts)) {
		/* That it cannot be opened has been said, and counts */
		if (devices)
			json_add(devices, status_json(&facts));
		else
			print_one(&facts, index);
		facts_free(&facts);
		return RC_OK;
	}
	if (!error) {
		error = facts_read(card, needed(), &facts);
		if (error)
			rc = card_say(card, "cannot ask it", error);
		else if (devices)
			json_add(devices, status_json(&facts));
		else
			print_one(&facts, index);
		if (!error)
			rc = say_what_misses(&facts);
		facts_free(&facts);
	}
	if (error && devices) {
		json_t *object = card_json(card);

		json_put(object, "error", json_text(pddgpu_strerror(error)));
		json_add(devices, object);
	}
	return rc;
}

int cmd_status(int argc, char **argv)
{
	json_t *document = NULL, *devices = NULL;
	struct cards cards;
	unsigned int i;
	int rc;

	rc = args_parse(&command, argc, argv);
	if (rc >= 0)
		return rc;
	if (help_query) {
		query_help(status_fields, "query");
		query_help(process_fields, "query-processes");
		return RC_OK;
	}
	rc = check();
	if (rc >= 0)
		return rc;
	args_unit(unit);
	rc = cards_open(device, &cards);
	if (as_json) {
		document = json_document("status");
		devices = out_need(json_array());
	}
	if (query.names)
		query_header(&query);
	if (processes.names)
		query_header(&processes);
	for (i = 0; i < cards.count; i++)
		rc = out_worse(rc, one(&cards.card[i], i, devices));
	if (document) {
		json_put(document, "devices", devices);
		json_print(document, false);
	}
	cards_close(&cards);
	return rc;
}
