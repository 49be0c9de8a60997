/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the driver builds on, and nowhere else.
 * Kbuild looks into the kernel's headers and says what they have, not which
 * version they are: distributions bring interfaces back into stable kernels.
 */
#ifndef PDDGPU_COMPAT_H
#define PDDGPU_COMPAT_H

#include <drm/drm_buddy.h>
#include <drm/drm_device.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_tt.h>

/* The buddy allocator left drm for drivers/gpu about 7.0 */
#ifdef PDDGPU_HAVE_GPU_BUDDY
#include <linux/gpu_buddy.h>
#else
#define gpu_buddy			drm_buddy
#define gpu_buddy_block			drm_buddy_block
#define gpu_buddy_init			drm_buddy_init
#define gpu_buddy_fini			drm_buddy_fini
#define gpu_buddy_alloc_blocks		drm_buddy_alloc_blocks
#define gpu_buddy_block_trim		drm_buddy_block_trim
#define gpu_buddy_free_list		drm_buddy_free_list
#define gpu_buddy_free_block		drm_buddy_free_block
#define gpu_buddy_block_offset		drm_buddy_block_offset
#define gpu_buddy_block_size		drm_buddy_block_size
#define gpu_buddy_block_is_clear	drm_buddy_block_is_clear
#define GPU_BUDDY_RANGE_ALLOCATION	DRM_BUDDY_RANGE_ALLOCATION
#define GPU_BUDDY_TOPDOWN_ALLOCATION	DRM_BUDDY_TOPDOWN_ALLOCATION
#define GPU_BUDDY_CONTIGUOUS_ALLOCATION	DRM_BUDDY_CONTIGUOUS_ALLOCATION
#define GPU_BUDDY_CLEAR_ALLOCATION	DRM_BUDDY_CLEAR_ALLOCATION
#define GPU_BUDDY_CLEARED		DRM_BUDDY_CLEARED
#endif

/*
 * About 7.1 what is smaller than its alignment stopped being rounded up to it,
 * and within a range the alignment got lost: round up here, and give back.
 */
static inline int pddgpu_buddy_alloc_blocks(struct gpu_buddy *mm, u64 start, u64 end,
					    u64 size, u64 align,
					    struct list_head *blocks,
					    unsigned long flags)
{
	u64 whole = max(size, align);
	int ret;

	ret = gpu_buddy_alloc_blocks(mm, start, end, whole, align, blocks, flags);
	/* Not to have given back wastes room until the block is freed, no more */
	if (!ret && whole != size)
		gpu_buddy_block_trim(mm, NULL, size, blocks);
	return ret;
}

/* struct drm_driver lost its date with 6.14; before, a missing one warns */
#ifdef PDDGPU_HAVE_DRIVER_DATE
#define PDDGPU_DRIVER_DATE	.date = "20260101",
#else
#define PDDGPU_DRIVER_DATE
#endif

/* ttm_device_init() took flags for its two booleans about 6.18 */
static inline int pddgpu_ttm_device_init(struct ttm_device *ttm,
					 const struct ttm_device_funcs *funcs,
					 struct drm_device *drm,
					 struct address_space *mapping)
{
#ifdef PDDGPU_HAVE_TTM_ALLOCATION_FLAGS
	return ttm_device_init(ttm, funcs, drm->dev, mapping,
			       drm->vma_offset_manager, 0);
#else
	return ttm_device_init(ttm, funcs, drm->dev, mapping,
			       drm->vma_offset_manager, false, false);
#endif
}

/* ttm_tt_populate() went behind ttm_bo_populate() with 6.15 */
static inline int pddgpu_ttm_populate(struct ttm_buffer_object *tbo,
				      struct ttm_operation_ctx *ctx)
{
#ifdef PDDGPU_HAVE_TTM_BO_POPULATE
	return ttm_bo_populate(tbo, ctx);
#else
	return ttm_tt_populate(tbo->bdev, tbo->ttm, ctx);
#endif
}

/* drm_sched_init() took a structure with 6.15 */
static inline int pddgpu_sched_init(struct drm_gpu_scheduler *sched,
				    const struct drm_sched_backend_ops *ops,
				    u32 credits, long timeout, const char *name,
				    struct device *dev)
{
#ifdef PDDGPU_HAVE_SCHED_INIT_ARGS
	const struct drm_sched_init_args args = {
		.ops = ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = credits,
		.timeout = timeout,
		.name = name,
		.dev = dev,
	};

	return drm_sched_init(sched, &args);
#else
	return drm_sched_init(sched, ops, NULL, DRM_SCHED_PRIORITY_COUNT, credits, 0,
			      timeout, NULL, NULL, name, dev);
#endif
}

/* What timedout_job() says of an engine that goes on got its name with 6.17 */
#ifndef PDDGPU_HAVE_SCHED_STAT_RESET
#define DRM_GPU_SCHED_STAT_RESET	DRM_GPU_SCHED_STAT_NOMINAL
#endif

/* drm_sched_job_init() took the client's id with 6.17 */
static inline int pddgpu_sched_job_init(struct drm_sched_job *job,
					struct drm_sched_entity *entity, u32 credits,
					void *owner, u64 client_id)
{
#ifdef PDDGPU_HAVE_SCHED_CLIENT_ID
	return drm_sched_job_init(job, entity, credits, owner, client_id);
#else
	return drm_sched_job_init(job, entity, credits, owner);
#endif
}

/* ttm_bo_put() became ttm_bo_fini() about 6.18, for a GEM object's end alone */
static inline void pddgpu_ttm_bo_fini(struct ttm_buffer_object *tbo)
{
#ifdef PDDGPU_HAVE_TTM_BO_FINI
	ttm_bo_fini(tbo);
#else
	ttm_bo_put(tbo);
#endif
}

/*
 * A reference to a buffer that was found on one of TTM's lists, unless it is on
 * its way out. TTM's own count went with ttm_bo_put(): GEM's counts all.
 */
static inline bool pddgpu_ttm_bo_tryget(struct ttm_buffer_object *tbo)
{
#ifdef PDDGPU_HAVE_TTM_BO_FINI
	return kref_get_unless_zero(&tbo->base.refcount);
#else
	return kref_get_unless_zero(&tbo->kref);
#endif
}

static inline void pddgpu_ttm_bo_unget(struct ttm_buffer_object *tbo)
{
#ifdef PDDGPU_HAVE_TTM_BO_FINI
	drm_gem_object_put(&tbo->base);
#else
	ttm_bo_put(tbo);
#endif
}

/* What is pinned; since 6.13 under another name, with what is swapped out */
static inline struct list_head *pddgpu_ttm_pinned(struct ttm_device *ttm)
{
#ifdef PDDGPU_HAVE_TTM_UNEVICTABLE
	return &ttm->unevictable;
#else
	return &ttm->pinned;
#endif
}

#endif /* PDDGPU_COMPAT_H */
