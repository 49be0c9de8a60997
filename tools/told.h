/* SPDX-License-Identifier: MIT */
#ifndef PDDGPU_TOOLS_TOLD_H
#define PDDGPU_TOOLS_TOLD_H

#include "looks.h"

struct told_leak;

/**
 * struct told - which leaks have been told of
 */
struct told {
	struct told_leak *leaks;
	size_t count;
};

/*
 * Whether a look shows something else than what has been told: a group is a leak now, or
 * is none any more, or another kind of leak, or twice as large. With @print each is a
 * line on stdout.
 */
bool told_change(struct told *told, const struct looks *looks, bool print);
void told_free(struct told *told);

#endif
