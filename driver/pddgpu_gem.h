/* SPDX-License-Identifier: GPL-2.0 */
/*
 * GEM: handles to buffers, and the ioctls that make, map and move them.
 */
#ifndef PDDGPU_GEM_H
#define PDDGPU_GEM_H

struct drm_device;
struct drm_file;
struct drm_gem_object_funcs;

extern const struct drm_gem_object_funcs pddgpu_gem_funcs;

int pddgpu_gem_file_open(struct drm_device *drm, struct drm_file *file);
void pddgpu_gem_file_close(struct drm_device *drm, struct drm_file *file);

int pddgpu_gem_create_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file);
int pddgpu_gem_map_ioctl(struct drm_device *drm, void *data,
			 struct drm_file *file);
int pddgpu_gem_info_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file);
int pddgpu_gem_destroy_ioctl(struct drm_device *drm, void *data,
			     struct drm_file *file);
int pddgpu_gem_set_domain_ioctl(struct drm_device *drm, void *data,
				struct drm_file *file);
int pddgpu_gem_wait_ioctl(struct drm_device *drm, void *data, struct drm_file *file);
int pddgpu_gem_set_label_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

#endif /* PDDGPU_GEM_H */
