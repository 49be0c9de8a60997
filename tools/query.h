/* SPDX-License-Identifier: MIT */
#ifndef QUERY_H
#define QUERY_H

#include <jansson.h>
#include <stdbool.h>

#include "args.h"

/**
 * struct query_field - something that --query knows
 */
struct query_field {
	/** @path: members of the row's object, "vram.used" */
	const char *path;
	/** @unit: "B" for bytes, which --unit changes; "ns"; "" none */
	const char *unit;
	/** @help: what it is */
	const char *help;
};

/**
 * struct query - what the caller asked for
 */
struct query {
	/** @names: --query */
	const char *names;
	/** @format: --format */
	const char *format;
	/** @wanted: the fields, in their order */
	const struct query_field *wanted[128];
	unsigned int count;
	bool no_header;
	bool no_units;
};

/*
 * Looks whether all names and the format are known; -1 when they are, else the exit
 * code. fields: to one without a path.
 */
int query_check(const struct args_command *command, const struct query_field *fields,
		struct query *query);
/* A line of column names, unless they are not wanted */
void query_header(const struct query *query);
/* The object's line; what it does not have is [N/A] */
void query_row(const struct query *query, const json_t *object);
/* --help-query */
void query_help(const struct query_field *fields, const char *option);

#endif
