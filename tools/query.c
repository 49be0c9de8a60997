// SPDX-License-Identifier: MIT
/*
 * --query and --format, as people know them from nvidia-smi: fields by name, a line a
 * row, ", " between them. A value with a comma, a quote or a line's end in it is quoted
 * as RFC 4180 says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "query.h"
#include "text.h"

static int check_format(const struct args_command *command, struct query *query)
{
	const char *at = query->format;
	bool csv = false;

	while (*at) {
		size_t length = strcspn(at, ",");

		if (length == 3 && !strncmp(at, "csv", 3))
			csv = true;
		else if (length == 8 && !strncmp(at, "noheader", 8))
			query->no_header = true;
		else if (length == 7 && !strncmp(at, "nounits", 7))
			query->no_units = true;
		else
			return args_wrong(command,
					  "--format: '%.*s' is none of csv, noheader, nounits",
					  (int)length, at);
		at += length + (at[length] == ',');
	}
	return csv ? -1 : args_wrong(command, "--format: there is csv only");
}

static const struct query_field *find(const struct query_field *fields, const char *name,
				      size_t length)
{
	for (; fields->path; fields++)
		if (strlen(fields->path) == length && !strncmp(fields->path, name, length))
			return fields;
	return NULL;
}

int query_check(const struct args_command *command, const struct query_field *fields,
		struct query *query)
{
	const char *at = query->names;
	int rc;

	if (!query->format)
		query->format = "csv";
	rc = check_format(command, query);
	if (rc >= 0)
		return rc;
	while (1) {
		const struct query_field *field;
		size_t length;

		at += strspn(at, " ");
		length = strcspn(at, ", ");
		field = find(fields, at, length);
		if (!field)
			return args_wrong(command, "there is no field '%.*s'", (int)length, at);
		if (query->count == sizeof(query->wanted) / sizeof(query->wanted[0]))
			return args_wrong(command, "more than %u fields", query->count);
		query->wanted[query->count++] = field;
		at += length;
		at += strspn(at, " ");
		if (!*at)
			return -1;
		if (*at++ != ',')
			return args_wrong(command, "fields are separated by commas");
	}
}

static const char *unit_of(const struct query_field *field)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB" };
	unsigned int i = 0;

	if (strcmp(field->unit, "B"))
		return field->unit;
	while (i < 3 && out_unit >> 10 * (i + 1))
		i++;
	return names[i];
}

void query_header(const struct query *query)
{
	unsigned int i;

	if (query->no_header)
		return;
	for (i = 0; i < query->count; i++) {
		const char *unit = unit_of(query->wanted[i]);

		printf("%s%s", i ? ", " : "", query->wanted[i]->path);
		if (*unit)
			printf(" [%s]", unit);
	}
	putchar('\n');
}

static const json_t *value_at(const json_t *object, const char *path)
{
	char name[64];

	while (object) {
		size_t length = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)length, path);
		object = json_object_get(object, name);
		if (!path[length])
			break;
		path += length + 1;
	}
	return object;
}

static void print_text(const char *raw)
{
	char *text = text_printable(raw), *at;

	if (!strpbrk(text, ",\"")) {
		fputs(text, stdout);
	} else {
		putchar('"');
		for (at = text; *at; at++) {
			if (*at == '"')
				putchar('"');
			putchar(*at);
		}
		putchar('"');
	}
	free(text);
}

static void print_number(const struct query *query, const struct query_field *field,
			 json_int_t value)
{
	bool scaled = !strcmp(field->unit, "B") && out_unit > 1;

	if (scaled && value % (json_int_t)out_unit)
		printf("%.3f", (double)value / (double)out_unit);
	else
		printf("%lld", (long long)(scaled ? value / (json_int_t)out_unit : value));
	if (*field->unit && !query->no_units)
		printf(" %s", unit_of(field));
}

void query_row(const struct query *query, const json_t *object)
{
	unsigned int i;

	for (i = 0; i < query->count; i++) {
		const struct query_field *field = query->wanted[i];
		const json_t *value = value_at(object, field->path);

		if (i)
			fputs(", ", stdout);
		if (json_is_string(value))
			print_text(json_string_value(value));
		else if (json_is_integer(value))
			print_number(query, field, json_integer_value(value));
		else if (json_is_boolean(value))
			fputs(json_is_true(value) ? "true" : "false", stdout);
		else
			fputs("[N/A]", stdout);
	}
	putchar('\n');
}

void query_help(const struct query_field *fields, const char *option)
{
	printf("Fields of --%s:\n", option);
	for (; fields->path; fields++)
		printf("  %-30s %s%s%s%s\n", fields->path, fields->help,
		       *fields->unit ? " [" : "", fields->unit, *fields->unit ? "]" : "");
}
