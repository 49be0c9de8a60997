/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What /proc/PID/fdinfo says of an open file.
 */
#ifndef PDDGPU_FDINFO_H
#define PDDGPU_FDINFO_H

struct drm_file;
struct drm_printer;

void pddgpu_fdinfo_show(struct drm_printer *p, struct drm_file *file);

#endif /* PDDGPU_FDINFO_H */
