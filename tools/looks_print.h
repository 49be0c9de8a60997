/* SPDX-License-Identifier: MIT */
#ifndef PDDGPU_TOOLS_LOOKS_PRINT_H
#define PDDGPU_TOOLS_LOOKS_PRINT_H

#include <jansson.h>
#include <stdio.h>

#include "looks.h"

/* Without a number of groups: all leaks, and the largest of the others */
#define VERDICT_MAX_PRESET	UINT64_MAX

/* What is thought of a card's buffers: its leaks, then the rest; max groups, 0 all */
void verdict_print(FILE *to, const struct looked *looked, struct sites *sites, uint64_t max);
/* "comm (pid 12, exited), label x" */
void verdict_print_owner(FILE *to, const struct verdict_group *group);
/* "3.2 MiB in 13 buffers, 3.1 MiB more each minute" */
void verdict_print_size(FILE *to, const struct verdict_group *group);
/* The same as members of an object; a card that could not be asked has an error only */
json_t *verdict_json(const struct looked *looked, struct sites *sites, uint64_t max);
json_t *verdict_card_json(const struct looked *looked, struct sites *sites, uint64_t max);

#endif
