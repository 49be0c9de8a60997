// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-resv.h>
#include <linux/kmemleak.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_device.h>

#include <pddgpu_packets.h>

#include "pddgpu_compat.h"
#include "pddgpu_engine.h"
#include "pddgpu_fence.h"
#include "pddgpu_job.h"
#include "pddgpu_queue.h"

/* A batch of the driver's has at most twice as many jobs under way */
#define PDDGPU_BATCH_JOBS	64

/*
 * What moves much takes the place of more packets, so that what is in the ring
 * is work for a short time: once a job is in there nobody comes before it.
 */
#define PDDGPU_JOB_CREDIT_BYTES	SZ_64K

static gfp_t pddgpu_batch_gfp(const struct pddgpu_batch *batch)
{
	return batch->queue->account ? GFP_KERNEL_ACCOUNT : GFP_KERNEL;
}

static struct pddgpu_job *pddgpu_job_alloc(const struct pddgpu_batch *batch)
{
	gfp_t gfp = pddgpu_batch_gfp(batch);
	struct pddgpu_job *job;

	job = kzalloc(sizeof(*job), gfp);
	if (!job)
		return NULL;
	job->fence = pddgpu_fence_alloc(gfp);
	if (!job->fence) {
		kfree(job);
		return NULL;
	}
	job->ops = job->few;
	job->room = ARRAY_SIZE(job->few);
	INIT_LIST_HEAD(&job->link);
	job->engine = batch->engine;
	job->client_id = batch->client_id;
	job->client = pddgpu_account_client_get(batch->client);
	pddgpu_account_flight_init(&job->flight);
	job->must_run = batch->must_run;
	job->losses = pddgpu_engine_losses(batch->engine);
	job->turn = batch->queue->turn;
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
 * @timeline: whose fence the engine's is
 *
 * They may outlive the card and the driver.
 *
 * Who sets a deadline for them says so under their lock, and then looks at the
 * engine's fence without a reference (drm_sched_fence_set_deadline_finished()): what
 * was said before may be followed by such a look still, what is said later is not.
 */
void pddgpu_job_forget(struct drm_sched_fence *fence, struct pddgpu_timeline *timeline)
{
	struct dma_fence *parent = fence->parent;
	bool looked_at;

	spin_lock_irq(&fence->lock);
	/* Who sets a deadline reads it so */
	smp_store_release(&fence->parent, NULL);
	looked_at = test_bit(DRM_SCHED_FENCE_FLAG_HAS_DEADLINE_BIT, &fence->finished.flags);
	spin_unlock_irq(&fence->lock);
	if (parent && looked_at)
		pddgpu_fence_put_late(timeline, parent);
	else
		dma_fence_put(parent);
	WRITE_ONCE(fence->sched, pddgpu_job_past);
}

/**
 * pddgpu_job_free() - free a job
 * @job: a job that the engine has nothing to do with any more
 */
void pddgpu_job_free(struct pddgpu_job *job)
{
	struct pddgpu_queue *queue = job->queue;
	u32 weight = job->weight;

	if (job->armed || job->base.s_fence)
		drm_sched_job_cleanup(&job->base);
	if (job->emitted)
		dma_fence_put(&job->fence->base);
	else
		kfree(job->fence);
	if (job->ops != job->few)
		kvfree(job->ops);
	pddgpu_account_land(&job->flight);
	pddgpu_account_client_put(job->client);
	kfree(job);
	/* Only now: what is not over is what takes memory */
	pddgpu_queue_uncharge(queue, weight);
	pddgpu_queue_put(queue);
}

/**
 * pddgpu_job_break() - a job has failed
 * @job: the job; the rest of what its turn has submitted has failed with it
 * @error: why, negative
 *
 * Where the engine's jobs are run, or while that is stopped.
 */
void pddgpu_job_break(struct pddgpu_job *job, int error)
{
	job->queue->failed = job->turn;
	job->queue->error = error;
}

/**
 * pddgpu_job_broken() - has a job failed, or one before it?
 * @job: the job
 *
 * Where pddgpu_job_break() may be called.
 *
 * Return: 0, or why, negative.
 */
int pddgpu_job_broken(const struct pddgpu_job *job)
{
	return job->queue->failed == job->turn ? job->queue->error : 0;
}

/* Room for more operations */
static int pddgpu_job_grow(struct pddgpu_job *job, gfp_t gfp)
{
	u32 room = min(8 * job->room, PDDGPU_JOB_OPS_MAX);
	struct pddgpu_op *ops = kvmalloc_array(room, sizeof(*ops), gfp);

	if (!ops)
		return -ENOMEM;
	memcpy(ops, job->ops, job->count * sizeof(*ops));
	if (job->ops != job->few)
		kvfree(job->ops);
	job->ops = ops;
	job->room = room;
	return 0;
}

static int pddgpu_batch_new_job(struct pddgpu_batch *batch)
{
	struct pddgpu_job *job = pddgpu_job_alloc(batch);
	int ret;

	if (!job)
		return -ENOMEM;
	/* How much of the ring it takes is known when it is handed over */
	ret = pddgpu_sched_job_init(&job->base, &batch->queue->entity, 1, batch,
				    batch->client_id);
	if (ret) {
		pddgpu_account_client_put(job->client);
		kfree(job->fence);
		kfree(job);
		return ret;
	}
	job->queue = batch->queue;
	job->weight = 1;
	pddgpu_queue_get(job->queue);
	pddgpu_queue_charge(job->queue, job->weight);
	batch->job = job;
	return 0;
}

/* Hand the job over; the next one waits for it, since a ring runs in order. */
static void pddgpu_batch_push(struct pddgpu_batch *batch)
{
	struct pddgpu_job *job = batch->job;
	u32 more = job->bytes / SZ_1M;

	/* Room for each operation, and for a flush and a fence */
	job->base.credits = job->count + 1 + job->bytes / PDDGPU_JOB_CREDIT_BYTES;
	job->weight += more;
	pddgpu_queue_charge(job->queue, more);
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
 * @queue: by which it goes there; locked, from here to the end
 * @client_id: the DRM client that asks; 0 for the driver itself
 * @client: for whom the engine works then; or NULL
 * @must_run: data depends on it
 *
 * Return: 0, -ENOMEM, or -ENOENT when the entity is being killed.
 */
int pddgpu_batch_begin(struct pddgpu_batch *batch, struct pddgpu_engine *engine,
		       struct pddgpu_queue *queue, u64 client_id,
		       struct pddgpu_account_client *client, bool must_run)
{
	lockdep_assert_held(&queue->lock);

	*batch = (struct pddgpu_batch) {
		.engine = engine,
		.queue = queue,
		.client_id = client_id,
		.client = client,
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
 * A batch may have any number of operations, but not any amount of memory: one
 * of the driver's waits for its own jobs. A client's is cut short by its maker.
 */
static void pddgpu_batch_wait_turn(struct pddgpu_batch *batch)
{
	if (!batch->must_run || ++batch->pushed % PDDGPU_BATCH_JOBS)
		return;
	if (batch->earlier)
		dma_fence_wait(batch->earlier, false);
	dma_fence_put(batch->earlier);
	batch->earlier = dma_fence_get(batch->last);
}

static int pddgpu_batch_add(struct pddgpu_batch *batch, const struct pddgpu_op *op)
{
	int ret;

	if (batch->job && (batch->job->count == PDDGPU_JOB_OPS_MAX ||
			   batch->job->bytes + op->bytes > PDDGPU_JOB_BYTES_MAX)) {
		pddgpu_batch_push(batch);
		pddgpu_batch_wait_turn(batch);
	}
	if (!batch->job) {
		ret = pddgpu_batch_new_job(batch);
		if (ret)
			return ret;
	}
	if (batch->job->count == batch->job->room) {
		ret = pddgpu_job_grow(batch->job, pddgpu_batch_gfp(batch));
		if (ret)
			return ret;
	}
	batch->job->ops[batch->job->count++] = *op;
	batch->job->bytes += op->bytes;
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
	    batch->job->bytes + bytes > PDDGPU_JOB_BYTES_MAX ||
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
 * Return: 0, or -ENOMEM; then the batch is to be aborted.
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
		batch->job->bytes += bytes;
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
 * Return: 0, or -ENOMEM; then the batch is to be aborted.
 */
int pddgpu_batch_fill(struct pddgpu_batch *batch, u64 dst, u64 bytes, u32 pattern)
{
	struct pddgpu_op *last;
	int ret = 0;

	last = pddgpu_batch_adjoining(batch, PDDGPU_OP_FILL, dst, bytes);
	if (last && last->pattern == pattern) {
		last->bytes += bytes;
		batch->job->bytes += bytes;
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
 * pddgpu_batch_use() - a buffer is in use until a batch is over
 * @batch: a client's batch, with all its operations
 * @account: whose lock guards that
 * @node: the buffer's node; the caller has a reference to the buffer
 */
void pddgpu_batch_use(struct pddgpu_batch *batch, struct pddgpu_account *account,
		      struct pddgpu_account_node *node)
{
	/* The last of its jobs; there is one, be it of no operations */
	if (batch->job)
		pddgpu_account_board(account, node, batch->client, &batch->job->flight);
}

/**
 * pddgpu_batch_carry() - a buffer is on its way until a batch is over
 * @batch: a batch of the queue of moves, with all its operations
 * @account: whose lock guards that
 * @node: the buffer's node; the caller has its reservation
 */
void pddgpu_batch_carry(struct pddgpu_batch *batch, struct pddgpu_account *account,
			struct pddgpu_account_node *node)
{
	if (batch->job)
		pddgpu_account_carry(account, node, &batch->job->flight);
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
