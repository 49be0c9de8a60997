// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-resv.h>
#include <linux/sched/signal.h>

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
#include "pddgpu_submit_internal.h"
#include "pddgpu_submit_op.h"
#include "pddgpu_walk.h"

static_assert(sizeof(struct drm_pddgpu_submit) == 40);

/* How often, and after how long, it looks for room again that others' SUBMITs may have had */
#define PDDGPU_SUBMIT_PATIENCE	200
#define PDDGPU_SUBMIT_PAUSE_MS	5

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

/* Is it where the engine reaches it, or could it be? */
static int pddgpu_submit_placeable(const struct pddgpu_bo *bo)
{
	if (pddgpu_walk_possible(bo->tbo.resource))
		return 0;
	if (!(bo->domains & ~PDDGPU_GEM_DOMAIN_CPU))
		return -EINVAL;
	return bo->tbo.pin_count ? -EBUSY : 0;
}

/* Where the engine reaches it; a buffer that is there already stays. */
static int pddgpu_submit_place(struct pddgpu_submit *submit, struct pddgpu_bo *bo)
{
	struct ttm_operation_ctx ctx = { .interruptible = !submit->begun };
	struct pddgpu_bo_placement placement;
	u32 flags = bo->flags;
	int ret;

	if (pddgpu_walk_possible(bo->tbo.resource))
		return 0;
	/* What is in system pages comes to no other VRAM than the CPU can bring it to */
	if (pddgpu_engine_lost(submit->pdev->engine[PDDGPU_ENGINE_PAGING]))
		flags |= PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED;
	ret = pddgpu_bo_placement_init(submit->pdev, &placement, bo->tbo.base.size,
				       (u64)bo->tbo.page_alignment << PAGE_SHIFT,
				       bo->domains & ~PDDGPU_GEM_DOMAIN_CPU, flags);
	return ret ? ret : ttm_bo_validate(&bo->tbo, &placement.base, &ctx);
}

static int pddgpu_submit_place_all(struct pddgpu_submit *submit)
{
	struct drm_gem_object *obj;
	unsigned long handle;
	int ret = 0;

	/* One that cannot be placed at all is not to cost the others theirs */
	xa_for_each_range(&submit->buffers, handle, obj, submit->first, submit->last) {
		ret = pddgpu_submit_placeable(gem_to_pddgpu_bo(obj));
		if (ret)
			return ret;
	}
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
		ret = pddgpu_batch_wait_fence(batch, submit->waits[i]);
		submit->waits[i] = NULL;
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

/*
 * Hand the job over. What the queue has not room for goes in parts, and in
 * between nobody is kept from the buffers: they may move, and others' jobs may
 * use them.
 */
static int pddgpu_submit_all(struct pddgpu_submit *submit)
{
	struct pddgpu_queue *queue = to_pddgpu_file(submit->file)->queue;
	int ret;

	CLASS(pddgpu_inside, inside)(&submit->pdev->drm);
	if (!inside.is)
		return -ENODEV;
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
	pddgpu_submit_put(&submit);
	mutex_unlock(&queue->lock);
	return ret;
}
