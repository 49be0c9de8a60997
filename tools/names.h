/* SPDX-License-Identifier: MIT */
/* Names that come again and again: each is kept once, so that they compare by address. */
#ifndef PDDGPU_TOOLS_NAMES_H
#define PDDGPU_TOOLS_NAMES_H

#include <stddef.h>

/* A name's bytes at most; a longer one is cut off. */
#define NAME_BYTES 47
/* Who makes up names without end gets no more than this. */
#define NAMES_MAX 4096

struct names;

struct names *names_new(void);		/* NULL: no memory */
void names_free(struct names *names);

/*
 * The one copy of a name: printable ASCII without blanks, what is not becomes '?'. It
 * lives as long as the table. NULL: the table is full, or there is no memory.
 */
const char *names_get(struct names *names, const char *text, size_t length);

#endif
