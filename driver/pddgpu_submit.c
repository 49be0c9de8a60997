// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-resv.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_syncobj.h>

#include "pddgpu_bo.h"
#include "pddgpu_bo_evidence.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_file.h"
#include "pddgpu_job.h"
#include "pddgpu_queue.h"
#include "pddgpu_room.h"
#include "pddgpu_submit.h"
#include "pddgpu_submit_op.h"
#include "pddgpu_walk.h"

static_assert(sizeof(struct drm_pddgpu_submit_op) == 40);
static_assert(sizeof(struct drm_pddgpu_sync) == 16);
static_assert(sizeof(struct drm_pddgpu_submit) == 40);

/* Whom a job tells */
struct pddgpu_submit_signal {
	struct drm_syncobj *syncobj;
	/* For a point of a timeline; NULL for a binary one */
	struct dma_fence_chain *chain;
	u64 point;
};

/**
 * struct pddgpu_submit - a job on its way
 */
struct pddgpu_submit {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @file: who asks */
	struct drm_file *file;
	/** @args: what for */
	const struct drm_pddgpu_submit *args;
	/** @ops: the operations, copied and checked */
	struct drm_pddgpu_submit_op *ops;
	/** @next: which of them is handed over next */
	u32 next;
	/** @done: how much of that one has been */
	u64 done;
	/** @begun: something was handed over: it cannot be begun anew */
	bool begun;
	/** @buffers: by handle; each with a reference, marked when it is written */
	struct xarray buffers;
	/** @first: the lowest handle among them: empty slots take time to look at */
	u32 first;
	/** @last: the highest */
	u32 last;
	/** @waits: syncobjs to wait for */
	struct drm_pddgpu_sync *waits;
	/** @signals: syncobjs to signal */
	struct pddgpu_submit_signal *signals;
	/** @exec: the buffers' reservations */
	struct drm_exec exec;
	/** @stamp: how old its first attempt to lock them is, as ww_mutex has it; 0: none */
	unsigned long stamp;
};

#define PDDGPU_SUBMIT_WRITTEN	XA_MARK_0

/* How often, and after how long, it looks for room again that others' SUBMITs may have had */
#define PDDGPU_SUBMIT_PATIENCE	200
#define PDDGPU_SUBMIT_PAUSE_MS	5

static struct drm_gem_object *pddgpu_submit_buffer(struct pddgpu_submit *submit, u32 handle)
{
	return xa_load(&submit->buffers, handle);
}

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

static void pddgpu_submit_signal(struct pddgpu_submit *submit, struct dma_fence *fence)
{
	u32 i;

	for (i = 0; i < submit->args->signal_count; i++) {
		struct pddgpu_submit_signal *signal = &submit->signals[i];

		if (signal->chain)
			drm_syncobj_add_point(signal->syncobj, signal->chain, fence,
					      signal->point);
		else
			drm_syncobj_replace_fence(signal->syncobj, fence);
		/* The timeline's now */
		signal->chain = NULL;
	}
}

/* Where the engine reaches it; a buffer that is there already stays. */
static int pddgpu_submit_place(struct pddgpu_submit *submit, struct pddgpu_bo *bo)
{
	struct ttm_operation_ctx ctx = { .interruptible = !submit->begun };
	struct pddgpu_bo_placement placement;
	u32 domains = bo->domains & ~PDDGPU_GEM_DOMAIN_CPU;
	int ret;

	if (pddgpu_walk_possible(bo->tbo.resource))
		return 0;
	if (!domains)
		return -EINVAL;
	if (bo->tbo.pin_count)
		return -EBUSY;
	ret = pddgpu_bo_placement_init(submit->pdev, &placement, bo->tbo.base.size,
				       (u64)bo->tbo.page_alignment << PAGE_SHIFT,
				       domains, bo->flags);
	return ret ? ret : ttm_bo_validate(&bo->tbo, &placement.base, &ctx);
}

static int pddgpu_submit_place_all(struct pddgpu_submit *submit)
{
	struct drm_gem_object *obj;
	unsigned long handle;
	int ret = 0;

	xa_for_each_range(&submit->buffers, handle, obj, submit->first, submit->last) {
		ret = pddgpu_submit_place(submit, gem_to_pddgpu_bo(obj));
		if (ret)
			break;
	}
	return ret;
}

static int pddgpu_submit_lock_all(struct pddgpu_submit *submit)
{
	struct drm_gem_object *obj;
	unsigned long handle;
	int ret = 0;

	drm_exec_until_all_locked(&submit->exec) {
		/* Nothing is locked by this ticket yet, or it is that old already */
		if (submit->stamp)
			submit->exec.ticket.stamp = submit->stamp;
		submit->stamp = submit->exec.ticket.stamp;
		xa_for_each_range(&submit->buffers, handle, obj, submit->first, submit->last) {
			/*
			 * Buffers may share a reservation, and a buffer may have
			 * two handles: room for a writer and a reader.
			 */
			ret = drm_exec_prepare_obj(&submit->exec, obj, 2);
			drm_exec_retry_on_contention(&submit->exec);
			if (ret)
				return ret;
		}
		/* TTM may lock what it evicts, which is allowed as long as this loop lasts */
		ret = pddgpu_submit_place_all(submit);
		if (ret)
			return ret;
	}
	return 0;
}

/* Lock the buffers and put them where the engine reaches them; or hold nothing. */
static int pddgpu_submit_try_lock(struct pddgpu_submit *submit)
{
	int ret;

	drm_exec_init(&submit->exec, (submit->begun ? 0 : DRM_EXEC_INTERRUPTIBLE_WAIT) |
		      DRM_EXEC_IGNORE_DUPLICATES, 0);
	ret = pddgpu_submit_lock_all(submit);
	if (ret)
		drm_exec_fini(&submit->exec);
	return ret;
}

/*
 * A SUBMIT that found no room may have found what could be evicted in the hands of
 * another, who is older and does not give way. Has there been one since @before?
 */
static bool pddgpu_submit_was_in_the_way(struct pddgpu_submit *submit, int before)
{
	struct pddgpu_device *pdev = submit->pdev;

	return atomic_read(&pdev->submits_holding) ||
	       atomic_read(&pdev->submits_held) != before;
}

/*
 * Others who need room at the same moment are no reason to fail. It is tried again as
 * old as at first, and whoever comes later then gives way.
 */
static int pddgpu_submit_lock(struct pddgpu_submit *submit)
{
	struct pddgpu_device *pdev = submit->pdev;
	unsigned int patience = PDDGPU_SUBMIT_PATIENCE;
	struct pddgpu_room room;
	int ret, before;

	pddgpu_room_init(&room, to_pddgpu_file(submit->file)->account, false);
	submit->stamp = 0;
	for (;;) {
		before = atomic_read(&pdev->submits_held);
		pddgpu_room_search(pdev, &room);
		ret = pddgpu_submit_try_lock(submit);
		pddgpu_room_found(pdev, &room);
		if (!ret) {
			pddgpu_room_done(pdev, &room, PDDGPU_GEM_DOMAIN_MASK);
			atomic_inc(&pdev->submits_holding);
			return 0;
		}
		/* Somebody older wants what we hold, and we what he holds */
		if (ret == -EDEADLK)
			continue;
		if (ret == -ENOMEM && patience && pddgpu_submit_was_in_the_way(submit, before)) {
			patience--;
			ret = msleep_interruptible(PDDGPU_SUBMIT_PAUSE_MS) ? -ERESTARTSYS : 0;
		} else {
			ret = pddgpu_room_retry(pdev, &room, PDDGPU_GEM_DOMAIN_MASK, ret);
		}
		if (ret == -ERESTARTSYS && submit->begun) {
			/* What has begun is not begun anew: only death ends it */
			if (fatal_signal_pending(current))
				return -EINTR;
			schedule_timeout_uninterruptible(1);
		} else if (ret) {
			return ret;
		}
	}
}

static void pddgpu_submit_unlock(struct pddgpu_submit *submit)
{
	drm_exec_fini(&submit->exec);
	atomic_inc(&submit->pdev->submits_held);
	atomic_dec(&submit->pdev->submits_holding);
}

/* Add some of the next operation, and go on to what follows it. */
static int pddgpu_submit_add(struct pddgpu_submit *submit, struct pddgpu_batch *batch)
{
	const struct drm_pddgpu_submit_op *op = &submit->ops[submit->next];
	struct drm_gem_object *to = pddgpu_submit_buffer(submit, op->dst_handle);
	struct drm_gem_object *from = to;
	int ret;

	if (op->opcode == PDDGPU_SUBMIT_COPY)
		from = pddgpu_submit_buffer(submit, op->src_handle);
	ret = pddgpu_submit_op_add(submit->pdev, batch, op, gem_to_pddgpu_bo(to),
				   gem_to_pddgpu_bo(from), &submit->done);
	if (submit->done == op->bytes) {
		submit->next++;
		submit->done = 0;
	}
	return ret;
}

/* The syncobjs that the job has to wait for */
static int pddgpu_submit_wait_syncs(struct pddgpu_submit *submit, struct pddgpu_batch *batch)
{
	u32 i;
	int ret;

	for (i = 0; i < submit->args->wait_count; i++) {
		struct dma_fence *fence;

		ret = drm_syncobj_find_fence(submit->file, submit->waits[i].handle,
					     submit->waits[i].point, 0, &fence);
		if (!ret)
			ret = pddgpu_batch_wait_fence(batch, fence);
		if (ret)
			return ret;
	}
	return 0;
}

/* Everything that the job has to wait for; a queue's jobs run in order. */
static int pddgpu_submit_add_waits(struct pddgpu_submit *submit, struct pddgpu_batch *batch)
{
	struct drm_gem_object *obj;
	unsigned long handle;
	int ret;

	ret = submit->begun ? 0 : pddgpu_submit_wait_syncs(submit, batch);
	if (ret)
		return ret;
	xa_for_each_range(&submit->buffers, handle, obj, submit->first, submit->last) {
		ret = pddgpu_batch_wait_resv(batch, obj->resv,
					     xa_get_mark(&submit->buffers, handle,
							 PDDGPU_SUBMIT_WRITTEN));
		if (ret)
			return ret;
	}
	return 0;
}

/* Hand over as much as the queue has room for; the buffers are locked. */
static int pddgpu_submit_run(struct pddgpu_submit *submit)
{
	struct pddgpu_file *pfile = to_pddgpu_file(submit->file);
	struct drm_gem_object *obj;
	struct pddgpu_batch batch;
	struct dma_fence *fence;
	unsigned long handle;
	u64 now;
	int ret;

	ret = pddgpu_batch_begin(&batch, submit->pdev->engine[PDDGPU_ENGINE_USER],
				 pfile->queue, submit->file->client_id, pfile->account, false);
	if (ret)
		return ret;
	ret = pddgpu_submit_add_waits(submit, &batch);
	while (!ret && submit->next < submit->args->op_count) {
		ret = pddgpu_submit_add(submit, &batch);
		if (pddgpu_queue_full(pfile->queue))
			break;
	}
	if (ret) {
		pddgpu_batch_abort(&batch);
		return ret;
	}
	xa_for_each_range(&submit->buffers, handle, obj, submit->first, submit->last)
		pddgpu_batch_use(&batch, submit->pdev->account, &gem_to_pddgpu_bo(obj)->account);
	fence = pddgpu_batch_end(&batch);
	now = pddgpu_bo_now();
	xa_for_each_range(&submit->buffers, handle, obj, submit->first, submit->last) {
		dma_resv_add_fence(obj->resv, fence,
				   xa_get_mark(&submit->buffers, handle,
					       PDDGPU_SUBMIT_WRITTEN) ?
				   DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
		pddgpu_bo_used(gem_to_pddgpu_bo(obj), now);
		/* In use: the last to be evicted */
		ttm_bo_move_to_lru_tail_unlocked(&gem_to_pddgpu_bo(obj)->tbo);
	}
	if (submit->next == submit->args->op_count)
		pddgpu_submit_signal(submit, fence);
	dma_fence_put(fence);
	return 0;
}

static void pddgpu_submit_fini(struct pddgpu_submit *submit)
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
	kvfree(submit->signals);
	if (!IS_ERR(submit->waits))
		kvfree(submit->waits);
	kvfree(submit->ops);
}

/*
 * Hand the job over. What the queue has not room for goes in parts, and in
 * between nobody is kept from the buffers: they may move, and others' jobs may
 * use them.
 */
static int pddgpu_submit_all(struct pddgpu_submit *submit)
{
	struct pddgpu_queue *queue = to_pddgpu_file(submit->file)->queue;
	int ret;

	do {
		ret = submit->begun ? pddgpu_queue_wait_half(queue) : 0;
		/* Unplugging waits for who is in here */
		if (!ret)
			ret = pddgpu_device_error(submit->pdev);
		if (!ret)
			ret = pddgpu_submit_lock(submit);
		if (ret)
			return ret;
		ret = pddgpu_submit_run(submit);
		pddgpu_submit_unlock(submit);
		submit->begun = true;
	} while (!ret && submit->next < submit->args->op_count);
	return ret;
}

/* Everything is looked at before anything is done. */
static int pddgpu_submit_get(struct pddgpu_submit *submit)
{
	const struct drm_pddgpu_submit *args = submit->args;
	int ret;

	ret = pddgpu_submit_get_ops(submit);
	if (ret)
		return ret;
	submit->waits = pddgpu_submit_copy_syncs(args->wait_syncs, args->wait_count);
	if (IS_ERR(submit->waits))
		return PTR_ERR(submit->waits);
	return pddgpu_submit_get_signals(submit);
}

/**
 * pddgpu_submit_ioctl() - DRM_IOCTL_PDDGPU_SUBMIT
 * @drm: the DRM device
 * @data: struct drm_pddgpu_submit
 * @file: who asks
 *
 * Takes the file's queue, and inside of it the buffers' reservations. A file
 * submits one job at a time, so that what a job takes while it is made is taken
 * once a file.
 *
 * Return: 0; -EINVAL, -E2BIG, -ENOENT, -EFAULT, -EBUSY, -ENOMEM, -EAGAIN,
 * -ERESTARTSYS, -ENODEV, -EIO; -EINTR when the process was killed in the middle.
 */
int pddgpu_submit_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	const struct drm_pddgpu_submit *args = data;
	struct pddgpu_queue *queue = to_pddgpu_file(file)->queue;
	struct pddgpu_submit submit = {
		.pdev = to_pddgpu(drm),
		.file = file,
		.args = args,
		.first = U32_MAX,
	};
	int ret;

	if (args->flags)
		return -EINVAL;
	if (args->op_count > PDDGPU_SUBMIT_OPS_MAX ||
	    args->wait_count > PDDGPU_SUBMIT_SYNCS_MAX ||
	    args->signal_count > PDDGPU_SUBMIT_SYNCS_MAX)
		return -E2BIG;

	ret = pddgpu_queue_lock(queue, file->filp->f_flags & O_NONBLOCK);
	if (ret)
		return ret;
	xa_init_flags(&submit.buffers, XA_FLAGS_ACCOUNT);
	ret = pddgpu_submit_get(&submit);
	if (!ret)
		ret = pddgpu_submit_all(&submit);
	pddgpu_submit_fini(&submit);
	mutex_unlock(&queue->lock);
	return ret;
}
