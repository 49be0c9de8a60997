/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the device tells about itself.
 */
#ifndef PDDGPU_QUERY_H
#define PDDGPU_QUERY_H

struct drm_device;
struct drm_file;

int pddgpu_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* PDDGPU_QUERY_H */
