/* SPDX-License-Identifier: MIT */
#ifndef PDDGPU_TOOLS_SAMPLE_JSON_H
#define PDDGPU_TOOLS_SAMPLE_JSON_H

#include <jansson.h>

#include "rows.h"

/* A sample as a document, "pddgpu.NAME/1", its clients in the order of the rows */
json_t *sample_json(const char *name, const struct sample *sample,
		    const struct history *history, const struct rows *rows);
/* The same for people, of as many lines as it takes */
void sample_print(const struct sample *sample, const struct history *history,
		  const struct rows *rows);

#endif
