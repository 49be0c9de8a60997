// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "out.h"
#include "text.h"

json_t *json_document(const char *name)
{
	json_t *document = out_need(json_object());
	char schema[64];

	snprintf(schema, sizeof(schema), "pddgpu.%s/1", name);
	json_put(document, "schema", json_string(schema));
	return document;
}

json_t *json_text(const char *raw)
{
	char *text = text_utf8(raw);
	json_t *value = json_string(text);

	free(text);
	return value;
}

json_t *json_count(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

void json_put(json_t *object, const char *key, json_t *value)
{
	out_need(value);
	if (json_object_set_new(object, key, value))
		out_need(NULL);
}

void json_add(json_t *array, json_t *value)
{
	out_need(value);
	if (json_array_append_new(array, value))
		out_need(NULL);
}

void json_print(json_t *document, bool line)
{
	size_t flags = JSON_PRESERVE_ORDER | (line ? JSON_COMPACT : JSON_INDENT(2));

	/* Control characters above 0x7f are valid in JSON as they are, and terminals obey them */
	if (screen.terminal)
		flags |= JSON_ENSURE_ASCII;
	/* An error is stdout's, and told at the end */
	json_dumpf(document, stdout, flags);
	putchar('\n');
	json_decref(document);
}
