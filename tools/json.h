/* SPDX-License-Identifier: MIT */
#ifndef JSON_H
#define JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Documents have their schema first, "pddgpu.NAME/1", then what is in them, in the
 * order in which it was put there. Numbers are integers: bytes, ns, ms, counts. A
 * member that cannot be known (for want of rights, or of a newer driver) is null.
 */
json_t *json_document(const char *name);
/* What others wrote, as valid UTF-8 */
json_t *json_text(const char *raw);
/* Up to 2^63-1, which more is taken for */
json_t *json_count(uint64_t value);
/* Takes the reference to value; ends the program when there is no memory */
void json_put(json_t *object, const char *key, json_t *value);
void json_add(json_t *array, json_t *value);
/* On stdout, with a newline; line: all of it on one line. Frees it. */
void json_print(json_t *document, bool line);

#endif
