/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the device tells about itself.
 */
#ifndef PDDGPU_QUERY_H
#define PDDGPU_QUERY_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct drm_pddgpu_query;
struct pddgpu_device;

int pddgpu_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file);
int pddgpu_query_copy(void __user *to, u32 room, const void *answer, u32 size);

/* pddgpu_query_evidence.c */
int pddgpu_query_objects(struct pddgpu_device *pdev, struct drm_pddgpu_query *args);
int pddgpu_query_site(struct pddgpu_device *pdev, struct drm_pddgpu_query *args);
int pddgpu_query_unfreed(struct pddgpu_device *pdev, struct drm_pddgpu_query *args);

#endif /* PDDGPU_QUERY_H */
