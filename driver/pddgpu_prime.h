/* SPDX-License-Identifier: GPL-2.0 */
/*
 * PRIME: sharing buffers with other devices as dma-bufs.
 */
#ifndef PDDGPU_PRIME_H
#define PDDGPU_PRIME_H

struct dma_buf;
struct drm_device;
struct drm_gem_object;
struct iosys_map;
struct sg_table;

int pddgpu_prime_pin(struct drm_gem_object *obj);
void pddgpu_prime_unpin(struct drm_gem_object *obj);
struct sg_table *pddgpu_prime_get_sg_table(struct drm_gem_object *obj);
int pddgpu_prime_vmap(struct drm_gem_object *obj, struct iosys_map *map);
void pddgpu_prime_vunmap(struct drm_gem_object *obj, struct iosys_map *map);
struct dma_buf *pddgpu_prime_export(struct drm_gem_object *obj, int flags);
struct drm_gem_object *pddgpu_prime_import(struct drm_device *drm, struct dma_buf *dma_buf);

#endif /* PDDGPU_PRIME_H */
