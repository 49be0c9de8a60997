/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels that the driver builds on, and nowhere else.
 * Kbuild looks into the kernel's headers and says what they have, not which
 * version they are: distributions bring interfaces back into stable kernels.
 */
#ifndef PDDGPU_COMPAT_H
#define PDDGPU_COMPAT_H

#include <drm/drm_buddy.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/kobject.h>
#include <linux/rcupdate.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>
#include <drm/ttm/ttm_tt.h>

/* Whether a buffer is active is said in any case before drivers could choose */
#ifndef PDDGPU_HAVE_GEM_ACTIVE
#define DRM_GEM_OBJECT_ACTIVE	0
#endif

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
#define gpu_buddy_block_is_free		drm_buddy_block_is_free
#define gpu_buddy_block_is_split	drm_buddy_block_is_split
#define gpu_buddy_block_is_allocated	drm_buddy_block_is_allocated
#define GPU_BUDDY_RANGE_ALLOCATION	DRM_BUDDY_RANGE_ALLOCATION
#define GPU_BUDDY_TOPDOWN_ALLOCATION	DRM_BUDDY_TOPDOWN_ALLOCATION
#define GPU_BUDDY_CONTIGUOUS_ALLOCATION	DRM_BUDDY_CONTIGUOUS_ALLOCATION
#define GPU_BUDDY_CLEAR_ALLOCATION	DRM_BUDDY_CLEAR_ALLOCATION
#define GPU_BUDDY_CLEARED		DRM_BUDDY_CLEARED
#endif

/* Two of a block's states became the allocator's own affair with 7.1 or so */
#ifndef PDDGPU_HAVE_BUDDY_BLOCK_STATES
static inline bool gpu_buddy_block_is_split(const struct gpu_buddy_block *block)
{
	return (block->header & GPU_BUDDY_HEADER_STATE) == GPU_BUDDY_SPLIT;
}

static inline bool gpu_buddy_block_is_allocated(const struct gpu_buddy_block *block)
{
	return (block->header & GPU_BUDDY_HEADER_STATE) == GPU_BUDDY_ALLOCATED;
}
#endif

/*
 * Free blocks of an order, of those that are clear or of those that are not: the
 * highest, and the lowest that ends behind an address. The allocator kept them in
 * lists, in order of address and both kinds together, before it kept them in trees.
 */
#ifdef PDDGPU_HAVE_BUDDY_TREES
static inline struct rb_root *pddgpu_buddy_tree(struct gpu_buddy *mm, bool clear,
						unsigned int order)
{
	enum gpu_buddy_free_tree kind = clear ? GPU_BUDDY_CLEAR_TREE : GPU_BUDDY_DIRTY_TREE;

	return &mm->free_trees[kind][order];
}

static inline struct gpu_buddy_block *
pddgpu_buddy_last(struct gpu_buddy *mm, bool clear, unsigned int order)
{
	return rb_entry_safe(rb_last(pddgpu_buddy_tree(mm, clear, order)),
			     struct gpu_buddy_block, rb);
}

static inline struct gpu_buddy_block *
pddgpu_buddy_first(struct gpu_buddy *mm, bool clear, unsigned int order, u64 from)
{
	struct rb_node *node = pddgpu_buddy_tree(mm, clear, order)->rb_node;
	struct gpu_buddy_block *found = NULL;

	while (node) {
		struct gpu_buddy_block *block = rb_entry(node, struct gpu_buddy_block, rb);

		if (gpu_buddy_block_offset(block) + gpu_buddy_block_size(mm, block) > from) {
			found = block;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}
#else
static inline struct gpu_buddy_block *
pddgpu_buddy_last(struct gpu_buddy *mm, bool clear, unsigned int order)
{
	struct gpu_buddy_block *block;

	list_for_each_entry_reverse(block, &mm->free_list[order], link) {
		if (gpu_buddy_block_is_clear(block) == clear)
			return block;
	}
	return NULL;
}

static inline struct gpu_buddy_block *
pddgpu_buddy_first(struct gpu_buddy *mm, bool clear, unsigned int order, u64 from)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, &mm->free_list[order], link) {
		if (gpu_buddy_block_is_clear(block) == clear &&
		    gpu_buddy_block_offset(block) + gpu_buddy_block_size(mm, block) > from)
			return block;
	}
	return NULL;
}
#endif

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
				    u32 credits, long timeout,
				    struct workqueue_struct *timeout_wq,
				    const char *name, struct device *dev)
{
#ifdef PDDGPU_HAVE_SCHED_INIT_ARGS
	const struct drm_sched_init_args args = {
		.ops = ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = credits,
		.timeout = timeout,
		.timeout_wq = timeout_wq,
		.name = name,
		.dev = dev,
	};

	return drm_sched_init(sched, &args);
#else
	return drm_sched_init(sched, ops, NULL, DRM_SCHED_PRIORITY_COUNT, credits, 0,
			      timeout, timeout_wq, NULL, name, dev);
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

/* How many of a buffer's GEM references are mappings': TTM's own count has theirs */
static inline unsigned int pddgpu_ttm_map_refs(unsigned int maps)
{
#ifdef PDDGPU_HAVE_TTM_BO_FINI
	return maps;
#else
	return 0;
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

/*
 * The dmem cgroup controller came with 6.14: TTM charges what a manager gives out
 * to its region. Before the manager is initialised, so that the region outlives it.
 */
static inline int pddgpu_cgroup_init(struct ttm_resource_manager *man,
				     struct drm_device *drm, const char *name, u64 size)
{
#ifdef PDDGPU_HAVE_CGROUP_REGION
	struct dmem_cgroup_region *region = drmm_cgroup_register_region(drm, name, size);

	if (IS_ERR(region))
		return PTR_ERR(region);
	man->cg = region;
#endif
	return 0;
}

/* Where nothing in the kernel is preempted, RCU alone is what call_rcu_tasks() is */
#ifndef CONFIG_TASKS_RCU
#define rcu_barrier_tasks	rcu_barrier
#endif

/*
 * Tell userspace that the device is of no use until it is bound anew. DRM has had a
 * function for it since 6.15, which took who is to blame with 6.17; before, the
 * same event is sent here.
 */
static inline void pddgpu_wedged_event(struct drm_device *drm)
{
#if defined(PDDGPU_HAVE_WEDGE_TASK)
	drm_dev_wedged_event(drm, DRM_WEDGE_RECOVERY_REBIND, NULL);
#elif defined(PDDGPU_HAVE_WEDGED_EVENT)
	drm_dev_wedged_event(drm, DRM_WEDGE_RECOVERY_REBIND);
#else
	char method[] = "WEDGED=rebind", *environment[] = { method, NULL };

	kobject_uevent_env(&drm->primary->kdev->kobj, KOBJ_CHANGE, environment);
#endif
}

#endif /* PDDGPU_COMPAT_H */
