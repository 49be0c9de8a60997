/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Jobs of users, and waiting for them.
 */
#ifndef PDDGPU_SUBMIT_H
#define PDDGPU_SUBMIT_H

struct drm_device;
struct drm_file;

int pddgpu_submit_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* PDDGPU_SUBMIT_H */
