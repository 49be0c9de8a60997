/* SPDX-License-Identifier: MIT */
/* Temporary folders, which the next run removes where this one is killed. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stddef.h>

void scratch_begin(void);
void scratch_end(void);
void scratch_folder(char *path, size_t room);

#endif /* SCRATCH_H */
