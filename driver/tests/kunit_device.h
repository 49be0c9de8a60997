/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites share: a device without a card, with the memory managers, and
 * buffers that are no more than TTM's resources.
 */
#ifndef PDDGPU_KUNIT_DEVICE_H
#define PDDGPU_KUNIT_DEVICE_H

#include <linux/list.h>
#include <linux/prandom.h>
#include <linux/types.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

struct kunit;
struct pddgpu_device;

/**
 * struct pddgpu_kunit_bo - a buffer that has a place, and nothing in it
 */
struct pddgpu_kunit_bo {
	/** @tbo: TTM's part; its resource is NULL, as that of a new buffer's */
	struct ttm_buffer_object tbo;
	/** @res: its place; NULL for none */
	struct ttm_resource *res;
	/** @link: among the test's buffers */
	struct list_head link;
	/** @man: who gave the place */
	struct ttm_resource_manager *man;
};

struct pddgpu_device *pddgpu_kunit_device(struct kunit *test);
struct pddgpu_device *pddgpu_kunit_memory(struct kunit *test, u64 vram_size, u64 visible_size,
					  u64 gtt_size, u64 gtt_limit);
struct pddgpu_kunit_bo *pddgpu_kunit_bo(struct kunit *test, struct pddgpu_device *pdev, u64 size,
					u32 align_pages);
int pddgpu_kunit_place(struct pddgpu_kunit_bo *bo, u32 mem_type, u64 first, u64 end, u32 flags);
void pddgpu_kunit_unplace(struct pddgpu_kunit_bo *bo);
void pddgpu_kunit_bo_free(struct pddgpu_kunit_bo *bo);

void pddgpu_kunit_seed(struct kunit *test, struct rnd_state *rnd);
u32 pddgpu_kunit_below(struct rnd_state *rnd, u32 limit);

#endif /* PDDGPU_KUNIT_DEVICE_H */
