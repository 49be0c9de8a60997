// SPDX-License-Identifier: GPL-2.0
/*
 * What a SUBMIT asks for: copied, checked and held, before anything is done for it.
 */
#include <linux/dma-fence-chain.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_gem.h>
#include <drm/drm_syncobj.h>

#include "pddgpu_submit_internal.h"

static_assert(sizeof(struct drm_pddgpu_submit_op) == 40);
static_assert(sizeof(struct drm_pddgpu_sync) == 16);

/* Look a buffer up, once. */
static int pddgpu_submit_add_buffer(struct pddgpu_submit *submit, u32 handle, bool write)
{
	struct drm_gem_object *obj = pddgpu_submit_buffer(submit, handle);
	int ret;

	if (!obj) {
		obj = drm_gem_object_lookup(submit->file, handle);
		if (!obj)
			return -ENOENT;
		ret = xa_err(xa_store(&submit->buffers, handle, obj, GFP_KERNEL_ACCOUNT));
		if (ret) {
			drm_gem_object_put(obj);
			return ret;
		}
		submit->first = min(submit->first, handle);
		submit->last = max(submit->last, handle);
	}
	if (write)
		xa_set_mark(&submit->buffers, handle, PDDGPU_SUBMIT_WRITTEN);
	return 0;
}

static bool pddgpu_submit_within(struct pddgpu_submit *submit, u32 handle, u64 offset,
				 u64 bytes)
{
	u64 size = pddgpu_submit_buffer(submit, handle)->size;

	return offset < size && bytes <= size - offset;
}

static int pddgpu_submit_check_op(struct pddgpu_submit *submit,
				  const struct drm_pddgpu_submit_op *op)
{
	bool copy = op->opcode == PDDGPU_SUBMIT_COPY;
	int ret;

	if (!op->bytes || (!copy && op->opcode != PDDGPU_SUBMIT_FILL))
		return -EINVAL;
	if (copy && op->pattern)
		return -EINVAL;
	if (!copy && (op->src_handle || op->src_offset ||
		      (op->dst_offset | op->bytes) % sizeof(u32)))
		return -EINVAL;

	ret = pddgpu_submit_add_buffer(submit, op->dst_handle, true);
	if (!ret && copy)
		ret = pddgpu_submit_add_buffer(submit, op->src_handle, false);
	if (ret)
		return ret;
	if (!pddgpu_submit_within(submit, op->dst_handle, op->dst_offset, op->bytes) ||
	    (copy && !pddgpu_submit_within(submit, op->src_handle, op->src_offset,
					   op->bytes)))
		return -EINVAL;
	return 0;
}

/* An array of the user's, in memory that he pays for */
static void *pddgpu_submit_copy_array(u64 from, u32 count, size_t size)
{
	void *array = kvmalloc_array(count, size, GFP_KERNEL_ACCOUNT | __GFP_NOWARN |
				     __GFP_RETRY_MAYFAIL);

	if (!array)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(array, u64_to_user_ptr(from), count * size)) {
		kvfree(array);
		return ERR_PTR(-EFAULT);
	}
	return array;
}

static int pddgpu_submit_get_ops(struct pddgpu_submit *submit)
{
	u32 count = submit->args->op_count, i;
	int ret;

	submit->ops = pddgpu_submit_copy_array(submit->args->ops, count,
					       sizeof(*submit->ops));
	if (IS_ERR(submit->ops)) {
		ret = PTR_ERR(submit->ops);
		submit->ops = NULL;
		return ret;
	}
	for (i = 0; i < count; i++) {
		ret = pddgpu_submit_check_op(submit, &submit->ops[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static struct drm_pddgpu_sync *pddgpu_submit_copy_syncs(u64 from, u32 count)
{
	struct drm_pddgpu_sync *syncs;
	u32 i;

	syncs = pddgpu_submit_copy_array(from, count, sizeof(*syncs));
	if (IS_ERR(syncs))
		return syncs;
	for (i = 0; i < count; i++) {
		if (syncs[i].flags) {
			kvfree(syncs);
			return ERR_PTR(-EINVAL);
		}
	}
	return syncs;
}

/* What is to be waited for, before anything is moved for a job that cannot be */
static int pddgpu_submit_get_waits(struct pddgpu_submit *submit)
{
	u32 count = submit->args->wait_count, i;
	struct drm_pddgpu_sync *syncs;
	int ret = 0;

	syncs = pddgpu_submit_copy_syncs(submit->args->wait_syncs, count);
	if (IS_ERR(syncs))
		return PTR_ERR(syncs);
	submit->waits = kvcalloc(count, sizeof(*submit->waits), GFP_KERNEL_ACCOUNT);
	if (!submit->waits)
		ret = -ENOMEM;
	for (i = 0; i < count && !ret; i++) {
		struct dma_fence *fence;

		ret = drm_syncobj_find_fence(submit->file, syncs[i].handle, syncs[i].point, 0,
					     &fence);
		/* One that has not been found may have been there, and is not ours */
		if (!ret)
			submit->waits[i] = fence;
	}
	kvfree(syncs);
	return ret;
}

/* Found before anything is done, so that nothing can fail afterwards. */
static int pddgpu_submit_get_signals(struct pddgpu_submit *submit)
{
	u32 count = submit->args->signal_count, i;
	struct drm_pddgpu_sync *syncs;
	int ret = 0;

	syncs = pddgpu_submit_copy_syncs(submit->args->signal_syncs, count);
	if (IS_ERR(syncs))
		return PTR_ERR(syncs);
	submit->signals = kvcalloc(count, sizeof(*submit->signals), GFP_KERNEL_ACCOUNT);
	if (!submit->signals)
		ret = -ENOMEM;
	for (i = 0; i < count && !ret; i++) {
		struct pddgpu_submit_signal *signal = &submit->signals[i];

		signal->syncobj = drm_syncobj_find(submit->file, syncs[i].handle);
		signal->point = syncs[i].point;
		if (!signal->syncobj)
			ret = -ENOENT;
		if (!ret && signal->point) {
			signal->chain = dma_fence_chain_alloc();
			if (!signal->chain)
				ret = -ENOMEM;
		}
	}
	kvfree(syncs);
	return ret;
}

/**
 * pddgpu_submit_get() - look at everything that is asked for
 * @submit: what for is set, and the rest zero but @buffers and @first; to be given to
 *	pddgpu_submit_put() whatever comes of this
 *
 * Reads the user's memory, which may take any time.
 *
 * Return: 0; -EINVAL, -ENOENT, -EFAULT, -ENOMEM.
 */
int pddgpu_submit_get(struct pddgpu_submit *submit)
{
	int ret;

	ret = pddgpu_submit_get_ops(submit);
	if (ret)
		return ret;
	ret = pddgpu_submit_get_waits(submit);
	return ret ? ret : pddgpu_submit_get_signals(submit);
}

/**
 * pddgpu_submit_put() - let go of what is held for a job
 * @submit: from pddgpu_submit_get()
 */
void pddgpu_submit_put(struct pddgpu_submit *submit)
{
	struct drm_gem_object *obj;
	unsigned long handle;
	u32 i;

	for (i = 0; submit->signals && i < submit->args->signal_count; i++) {
		dma_fence_chain_free(submit->signals[i].chain);
		if (submit->signals[i].syncobj)
			drm_syncobj_put(submit->signals[i].syncobj);
	}
	xa_for_each_range(&submit->buffers, handle, obj, submit->first, submit->last)
		drm_gem_object_put(obj);
	xa_destroy(&submit->buffers);
	for (i = 0; submit->waits && i < submit->args->wait_count; i++)
		dma_fence_put(submit->waits[i]);
	kvfree(submit->signals);
	kvfree(submit->waits);
	kvfree(submit->ops);
}
