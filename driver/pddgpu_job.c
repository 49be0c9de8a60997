// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/kmemleak.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_device.h>

#include <pddgpu_packets.h>

#include "pddgpu_chip.h"
#include "pddgpu_compat.h"
#include "pddgpu_engine.h"
#include "pddgpu_fence.h"
#include "pddgpu_gart.h"
#include "pddgpu_hw.h"
#include "pddgpu_job.h"

/* A batch has at most twice as many jobs under way */
#define PDDGPU_BATCH_JOBS	64

static struct pddgpu_job *pddgpu_job_alloc(const struct pddgpu_batch *batch)
{
	struct pddgpu_job *job;

	job = kvzalloc(struct_size(job, ops, PDDGPU_JOB_OPS_MAX), GFP_KERNEL);
	if (!job)
		return NULL;
	job->fence = pddgpu_fence_alloc();
	if (!job->fence) {
		kvfree(job);
		return NULL;
	}
	INIT_LIST_HEAD(&job->link);
	job->engine = batch->engine;
	job->client_id = batch->client_id;
	job->must_run = batch->must_run;
	job->pid = task_tgid_nr(current);
	get_task_comm(job->comm, current);
	return job;
}

/*
 * Whom the fences of jobs that are over belong to: their name is asked for as
 * long as they live, in a sync file for example, and nobody tells when that
 * ends. So it is never freed.
 */
static struct drm_gpu_scheduler *pddgpu_job_past;
static DEFINE_MUTEX(pddgpu_job_past_lock);

/**
 * pddgpu_job_init_past() - see to it that there is whom they belong to then
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_job_init_past(void)
{
	static const char name[] = "pddgpu";
	struct drm_gpu_scheduler *past;

	guard(mutex)(&pddgpu_job_past_lock);
	if (pddgpu_job_past)
		return 0;
	past = kzalloc(sizeof(*past) + sizeof(name), GFP_KERNEL);
	if (!past)
		return -ENOMEM;
	kmemleak_ignore(past);
	/* A string of the module's would go with it */
	past->name = memcpy(past + 1, name, sizeof(name));
	pddgpu_job_past = past;
	return 0;
}

/**
 * pddgpu_job_forget() - let go of what a job's fences point to
 * @fence: the scheduler's fences of a job that is over
 *
 * They may outlive the card and the driver.
 */
void pddgpu_job_forget(struct drm_sched_fence *fence)
{
	struct dma_fence *parent = fence->parent;

	/* Who sets a deadline reads it so */
	smp_store_release(&fence->parent, NULL);
	dma_fence_put(parent);
	WRITE_ONCE(fence->sched, pddgpu_job_past);
}

/**
 * pddgpu_job_free() - free a job
 * @job: a job that the engine has nothing to do with any more
 */
void pddgpu_job_free(struct pddgpu_job *job)
{
	if (job->armed || job->base.s_fence)
		drm_sched_job_cleanup(&job->base);
	if (job->emitted)
		dma_fence_put(&job->fence->base);
	else
		kfree(job->fence);
	kvfree(job);
}

static int pddgpu_batch_new_job(struct pddgpu_batch *batch)
{
	struct pddgpu_job *job = pddgpu_job_alloc(batch);
	int ret;

	if (!job)
		return -ENOMEM;
	/* Room for each operation, and for a flush and a fence */
	ret = pddgpu_sched_job_init(&job->base, batch->entity, PDDGPU_JOB_OPS_MAX + 1,
				    batch, batch->client_id);
	if (ret) {
		kfree(job->fence);
		kvfree(job);
		return ret;
	}
	batch->job = job;
	return 0;
}

/* Hand the job over; the next one waits for it, since a ring runs in order. */
static void pddgpu_batch_push(struct pddgpu_batch *batch)
{
	struct pddgpu_job *job = batch->job;

	job->base.credits = job->count + 1;
	pddgpu_engine_hold(batch->engine);
	drm_sched_job_arm(&job->base);
	job->armed = true;
	dma_fence_put(batch->last);
	batch->last = dma_fence_get(&job->base.s_fence->finished);
	drm_sched_entity_push_job(&job->base);
	batch->job = NULL;
}

/**
 * pddgpu_batch_begin() - begin a batch
 * @batch: filled in
 * @engine: which one is to run it
 * @entity: the queue; the caller sees to it that one batch at a time is made
 *	for it, from here to the end
 * @client_id: the DRM client that asks; 0 for the driver itself
 * @must_run: data depends on it
 *
 * Return: 0, -ENOMEM, or -ENOENT when the entity is being killed.
 */
int pddgpu_batch_begin(struct pddgpu_batch *batch, struct pddgpu_engine *engine,
		       struct drm_sched_entity *entity, u64 client_id, bool must_run)
{
	*batch = (struct pddgpu_batch) {
		.engine = engine,
		.entity = entity,
		.client_id = client_id,
		.must_run = must_run,
	};
	return pddgpu_batch_new_job(batch);
}

/**
 * pddgpu_batch_wait_resv() - run after those who use a buffer
 * @batch: a batch without operations
 * @resv: the buffer's reservation, held
 * @write: the buffer is written: after its readers too
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_batch_wait_resv(struct pddgpu_batch *batch, struct dma_resv *resv, bool write)
{
	return drm_sched_job_add_resv_dependencies(&batch->job->base, resv,
						   dma_resv_usage_rw(write));
}

/**
 * pddgpu_batch_wait_all() - run after whatever is going on with a buffer
 * @batch: a batch without operations
 * @resv: the buffer's reservation, held
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_batch_wait_all(struct pddgpu_batch *batch, struct dma_resv *resv)
{
	return drm_sched_job_add_resv_dependencies(&batch->job->base, resv,
						   DMA_RESV_USAGE_BOOKKEEP);
}

/**
 * pddgpu_batch_wait_fence() - run after a fence
 * @batch: a batch without operations
 * @fence: the fence; its reference is taken over
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_batch_wait_fence(struct pddgpu_batch *batch, struct dma_fence *fence)
{
	return drm_sched_job_add_dependency(&batch->job->base, fence);
}

/*
 * A batch may have any number of operations, but not any amount of memory: it
 * waits for its own jobs, unless it is killed.
 */
static int pddgpu_batch_wait_turn(struct pddgpu_batch *batch)
{
	if (++batch->pushed % PDDGPU_BATCH_JOBS)
		return 0;
	while (batch->earlier &&
	       !dma_fence_wait_timeout(batch->earlier, false, HZ / 20)) {
		if (fatal_signal_pending(current))
			break;
	}
	dma_fence_put(batch->earlier);
	batch->earlier = dma_fence_get(batch->last);
	return fatal_signal_pending(current) && !batch->must_run ? -EINTR : 0;
}

static int pddgpu_batch_add(struct pddgpu_batch *batch, const struct pddgpu_op *op)
{
	int ret;

	if (batch->job && batch->job->count == PDDGPU_JOB_OPS_MAX) {
		pddgpu_batch_push(batch);
		ret = pddgpu_batch_wait_turn(batch);
		if (ret)
			return ret;
	}
	if (!batch->job) {
		ret = pddgpu_batch_new_job(batch);
		if (ret)
			return ret;
	}
	batch->job->ops[batch->job->count++] = *op;
	return 0;
}

/* Is this what follows in the same buffer? The driver's own have no names. */
static bool pddgpu_batch_same_place(const struct pddgpu_op_place *before, u64 bytes,
				    const struct pddgpu_op_place *place)
{
	return before->handle == place->handle &&
	       (!place->handle || before->offset + bytes == place->offset);
}

/* What is added next follows what was added. */
static void pddgpu_batch_advance(struct pddgpu_batch *batch, u64 bytes)
{
	if (batch->to.handle)
		batch->to.offset += bytes;
	if (batch->from.handle)
		batch->from.offset += bytes;
}

/* The operation before, if this one can be made part of it. */
static struct pddgpu_op *pddgpu_batch_adjoining(struct pddgpu_batch *batch, u32 opcode,
						u64 dst, u64 bytes)
{
	struct pddgpu_op *op;

	if (!batch->job || !batch->job->count)
		return NULL;
	op = &batch->job->ops[batch->job->count - 1];
	if (op->opcode != opcode || op->dst + op->bytes != dst ||
	    op->bytes + bytes > PDDGPU_OP_BYTES_MAX ||
	    !pddgpu_batch_same_place(&op->to, op->bytes, &batch->to))
		return NULL;
	return op;
}

/**
 * pddgpu_batch_copy() - add a copy
 * @batch: the batch
 * @dst: GPU address
 * @src: GPU address
 * @bytes: how much
 *
 * Pieces that adjoin on both sides become one packet, as long as the ranges do
 * not overlap each other: the order of bytes is the chip's.
 *
 * Return: 0, -ENOMEM, or -EINTR when the caller is killed; then the batch is to
 * be aborted.
 */
int pddgpu_batch_copy(struct pddgpu_batch *batch, u64 dst, u64 src, u64 bytes)
{
	struct pddgpu_op *last;
	int ret = 0;

	last = pddgpu_batch_adjoining(batch, PDDGPU_OP_COPY, dst, bytes);
	if (last && last->src + last->bytes == src &&
	    pddgpu_batch_same_place(&last->from, last->bytes, &batch->from) &&
	    (last->src + last->bytes + bytes <= last->dst ||
	     last->dst + last->bytes + bytes <= last->src)) {
		last->bytes += bytes;
		pddgpu_batch_advance(batch, bytes);
		return 0;
	}
	while (bytes && !ret) {
		struct pddgpu_op op = {
			.opcode = PDDGPU_OP_COPY,
			.dst = dst,
			.src = src,
			.bytes = min(bytes, PDDGPU_OP_BYTES_MAX),
			.to = batch->to,
			.from = batch->from,
		};

		ret = pddgpu_batch_add(batch, &op);
		pddgpu_batch_advance(batch, op.bytes);
		dst += op.bytes;
		src += op.bytes;
		bytes -= op.bytes;
	}
	return ret;
}

/**
 * pddgpu_batch_fill() - add a fill
 * @batch: the batch
 * @dst: GPU address, a multiple of 4
 * @bytes: how much, a multiple of 4
 * @pattern: what with
 *
 * Return: 0, -ENOMEM, or -EINTR when the caller is killed; then the batch is to
 * be aborted.
 */
int pddgpu_batch_fill(struct pddgpu_batch *batch, u64 dst, u64 bytes, u32 pattern)
{
	struct pddgpu_op *last;
	int ret = 0;

	last = pddgpu_batch_adjoining(batch, PDDGPU_OP_FILL, dst, bytes);
	if (last && last->pattern == pattern) {
		last->bytes += bytes;
		pddgpu_batch_advance(batch, bytes);
		return 0;
	}
	while (bytes && !ret) {
		struct pddgpu_op op = {
			.opcode = PDDGPU_OP_FILL,
			.pattern = pattern,
			.dst = dst,
			.bytes = min(bytes, PDDGPU_OP_BYTES_MAX),
			.to = batch->to,
			.from = batch->from,
		};

		ret = pddgpu_batch_add(batch, &op);
		pddgpu_batch_advance(batch, op.bytes);
		dst += op.bytes;
		bytes -= op.bytes;
	}
	return ret;
}

/**
 * pddgpu_batch_end() - let the batch run
 * @batch: the batch
 *
 * Return: the fence of all of it, with a reference.
 */
struct dma_fence *pddgpu_batch_end(struct pddgpu_batch *batch)
{
	if (batch->job)
		pddgpu_batch_push(batch);
	dma_fence_put(batch->earlier);
	return batch->last;
}

/**
 * pddgpu_batch_abort() - give a batch up
 * @batch: a batch that has begun; what of it has been handed over is waited for
 */
void pddgpu_batch_abort(struct pddgpu_batch *batch)
{
	if (batch->job)
		pddgpu_job_free(batch->job);
	dma_fence_put(batch->earlier);
	if (batch->last) {
		dma_fence_wait(batch->last, false);
		dma_fence_put(batch->last);
	}
}

/**
 * struct pddgpu_piece - memory that the CPU reaches in one piece
 */
struct pddgpu_piece {
	/** @vram: its address; NULL for a page */
	void __iomem *vram;
	/** @page: a system page */
	struct page *page;
	/** @offset: into @page */
	u32 offset;
	/** @bytes: how much; at most to the end of the page */
	u32 bytes;
};

static int pddgpu_job_piece(u64 addr, u64 bytes, struct pddgpu_hw *hw,
			    const struct pddgpu_chip *chip, struct pddgpu_gart *gart,
			    struct pddgpu_piece *piece)
{
	u32 offset = offset_in_page(addr);

	piece->bytes = min_t(u64, bytes, PAGE_SIZE - offset);
	piece->vram = NULL;
	if (addr >= chip->vram_start &&
	    addr - chip->vram_start < chip->vram_visible_size) {
		piece->vram = pddgpu_hw_vram(hw) + (addr - chip->vram_start);
		return 0;
	}
	piece->page = pddgpu_gart_page(gart, addr);
	piece->offset = offset;
	return piece->page ? 0 : -EIO;
}

static void pddgpu_job_read(struct pddgpu_piece *piece, void *to, u32 bytes)
{
	if (piece->vram)
		memcpy_fromio(to, piece->vram, bytes);
	else
		memcpy_from_page(to, piece->page, piece->offset, bytes);
}

static void pddgpu_job_write(struct pddgpu_piece *piece, const void *from, u32 bytes)
{
	if (piece->vram)
		memcpy_toio(piece->vram, from, bytes);
	else
		memcpy_to_page(piece->page, piece->offset, from, bytes);
}

/*
 * One piece of an operation. Where source and destination overlap it goes from
 * the end that leaves the source whole, as the chip does.
 */
static int pddgpu_job_run_op(const struct pddgpu_op *op, struct pddgpu_hw *hw,
			     const struct pddgpu_chip *chip, struct pddgpu_gart *gart,
			     void *bounce)
{
	bool backward = op->opcode == PDDGPU_OP_COPY && op->dst > op->src &&
			op->dst < op->src + op->bytes;
	struct pddgpu_piece src, dst;
	u64 done = 0;
	int ret;

	if (op->opcode == PDDGPU_OP_FILL)
		memset32(bounce, op->pattern, PAGE_SIZE / sizeof(u32));
	while (done < op->bytes) {
		u64 at = done, left = op->bytes - done;

		if (backward) {
			/* Down to a page border of either side */
			u64 end = op->bytes - done;

			left = min3(end, (u64)offset_in_page(op->dst + end - 1) + 1,
				    (u64)offset_in_page(op->src + end - 1) + 1);
			at = end - left;
		}
		ret = pddgpu_job_piece(op->dst + at, left, hw, chip, gart, &dst);
		if (!ret && op->opcode == PDDGPU_OP_COPY) {
			ret = pddgpu_job_piece(op->src + at, dst.bytes, hw, chip, gart, &src);
			dst.bytes = min(dst.bytes, src.bytes);
			if (!ret)
				pddgpu_job_read(&src, bounce, dst.bytes);
		}
		if (ret)
			return ret;
		pddgpu_job_write(&dst, bounce, dst.bytes);
		done += dst.bytes;
		cond_resched();
	}
	return 0;
}

/**
 * pddgpu_job_run_by_cpu() - do a job's work without an engine
 * @job: the job; what it waits for is over
 * @hw: the card, inside drm_dev_enter()
 * @chip: the chip
 * @gart: the page tables
 * @bounce: a page to copy through
 *
 * Slow, and for an engine that is lost. Allocates nothing.
 *
 * Return: 0, or -EIO where the CPU does not reach.
 */
int pddgpu_job_run_by_cpu(struct pddgpu_job *job, struct pddgpu_hw *hw,
			  const struct pddgpu_chip *chip, struct pddgpu_gart *gart,
			  void *bounce)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < job->count && !ret; i++)
		ret = pddgpu_job_run_op(&job->ops[i], hw, chip, gart, bounce);
	/* Drain write-combining before anybody is told */
	wmb();
	return ret;
}
