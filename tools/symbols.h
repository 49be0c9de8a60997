/* SPDX-License-Identifier: MIT */
/*
 * What places in programs are called: "function+0x1a (file.c:12)". The programs are
 * others', and so may be what they are made of: files are read by a process that has no
 * rights but to read, and that may crash or hang without harm.
 */
#ifndef PDDGPU_TOOLS_SYMBOLS_H
#define PDDGPU_TOOLS_SYMBOLS_H

#include "pddgpu.h"

struct symbols;

/* NULL: no memory. It starts nothing before it is asked. */
struct symbols *symbols_new(void);
void symbols_free(struct symbols *symbols);
/*
 * What to call a frame, valid until symbols_free(). Where nothing better is known,
 * "file+0x1234", or "function+0x1a" for a kernel's; "?" for nothing. It may hold any
 * byte but NUL. Never NULL.
 */
const char *symbols_frame(struct symbols *symbols, const struct drm_pddgpu_frame *frame);

/* ---- for the process that reads files, and tests ---- */

#define SYMBOLS_TEXT_MAX	512

struct elves;

struct elves *elves_new(void);
void elves_free(struct elves *elves);
/*
 * What is at an offset of a file that is mapped: into text, of SYMBOLS_TEXT_MAX bytes;
 * empty where it is not known.
 */
void elves_find(struct elves *elves, const char *path, uint64_t offset, char *text);

#endif
