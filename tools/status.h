/* SPDX-License-Identifier: MIT */
#ifndef STATUS_H
#define STATUS_H

#include "facts.h"
#include "query.h"

/* What pddgpu status knows of a card, as text and as JSON */
void status_print(const struct facts *facts, uint64_t max_processes);
json_t *status_json(const struct facts *facts);
json_t *process_json(const struct facts *facts, const struct process *process);
/* The same with what only --query has: index and the statistics */
json_t *status_row(const struct facts *facts, unsigned int index);

extern const struct query_field status_fields[];
extern const struct query_field process_fields[];

#endif
