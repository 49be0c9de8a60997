// SPDX-License-Identifier: GPL-2.0
/*
 * What a client has under way is bounded: each job weighs one, and one more for
 * each MiB that it moves, and when a client's jobs weigh too much it waits. So
 * nobody fills the kernel's memory with jobs, and whoever comes next waits for
 * so much work of each other client, and for no more.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "pddgpu_queue.h"

/* 256 small jobs, or 256 MiB: the engine has enough to go on with */
#define PDDGPU_QUEUE_WEIGHT	256

/**
 * pddgpu_queue_init() - make a queue
 * @sched: the engine's scheduler
 * @priority: among the queues of that engine
 * @account: its jobs are a user's
 *
 * Return: the queue, ended with pddgpu_queue_fini(); or an error pointer.
 */
struct pddgpu_queue *pddgpu_queue_init(struct drm_gpu_scheduler *sched,
				       enum drm_sched_priority priority, bool account)
{
	struct pddgpu_queue *queue;
	int ret;

	queue = kzalloc(sizeof(*queue), account ? GFP_KERNEL_ACCOUNT : GFP_KERNEL);
	if (!queue)
		return ERR_PTR(-ENOMEM);
	ret = drm_sched_entity_init(&queue->entity, priority, &sched, 1, NULL);
	if (ret) {
		kfree(queue);
		return ERR_PTR(ret);
	}
	kref_init(&queue->ref);
	/* Two classes for lockdep: they are taken in different places */
	if (account)
		mutex_init(&queue->lock);
	else
		mutex_init(&queue->lock);
	init_waitqueue_head(&queue->room);
	queue->account = account;
	return queue;
}

/**
 * pddgpu_queue_fini() - the owner needs it no more
 * @queue: the queue
 *
 * What was submitted runs to its end, unless its process is exiting: then the
 * scheduler gives it a second, and drops what has not begun.
 */
void pddgpu_queue_fini(struct pddgpu_queue *queue)
{
	drm_sched_entity_destroy(&queue->entity);
	pddgpu_queue_put(queue);
}

static void pddgpu_queue_free(struct kref *ref)
{
	struct pddgpu_queue *queue = container_of(ref, struct pddgpu_queue, ref);

	mutex_destroy(&queue->lock);
	kfree(queue);
}

/**
 * pddgpu_queue_get() - keep a queue
 * @queue: the queue
 */
void pddgpu_queue_get(struct pddgpu_queue *queue)
{
	kref_get(&queue->ref);
}

/**
 * pddgpu_queue_put() - keep it no more
 * @queue: the queue
 */
void pddgpu_queue_put(struct pddgpu_queue *queue)
{
	kref_put(&queue->ref, pddgpu_queue_free);
}

/**
 * pddgpu_queue_charge() - a job takes room
 * @queue: its queue
 * @weight: how much
 */
void pddgpu_queue_charge(struct pddgpu_queue *queue, u32 weight)
{
	atomic_add(weight, &queue->used);
}

/**
 * pddgpu_queue_uncharge() - a job is over
 * @queue: its queue
 * @weight: what it took
 */
void pddgpu_queue_uncharge(struct pddgpu_queue *queue, u32 weight)
{
	atomic_sub(weight, &queue->used);
	wake_up(&queue->room);
}

/**
 * pddgpu_queue_made() - is a fence one of the queue's?
 * @queue: the queue
 * @fence: any fence
 *
 * Return: true when it is of one of its jobs.
 */
bool pddgpu_queue_made(struct pddgpu_queue *queue, struct dma_fence *fence)
{
	/* The scheduler gives an entity two: of what has begun, and of what is over */
	return fence->context - queue->entity.fence_context < 2;
}

/**
 * pddgpu_queue_full() - has its owner enough under way?
 * @queue: the queue
 *
 * Return: true when no more should be begun. Who has begun may go a little over.
 */
bool pddgpu_queue_full(struct pddgpu_queue *queue)
{
	return atomic_read(&queue->used) >= PDDGPU_QUEUE_WEIGHT;
}

/**
 * pddgpu_queue_lock() - begin to submit: get a turn, and room
 * @queue: a client's queue
 * @nonblock: do not wait
 *
 * Takes the queue's lock, and keeps it when it succeeds.
 *
 * Return: 0, -EAGAIN when it would have to wait, or -ERESTARTSYS.
 */
int pddgpu_queue_lock(struct pddgpu_queue *queue, bool nonblock)
{
	int ret;

	if (nonblock) {
		if (!mutex_trylock(&queue->lock))
			return -EAGAIN;
		ret = pddgpu_queue_full(queue) ? -EAGAIN : 0;
	} else {
		if (mutex_lock_interruptible(&queue->lock))
			return -ERESTARTSYS;
		ret = wait_event_interruptible(queue->room, !pddgpu_queue_full(queue));
	}
	if (ret)
		mutex_unlock(&queue->lock);
	else
		queue->turn++;
	return ret;
}

/**
 * pddgpu_queue_wait_half() - wait until half of what is under way is over
 * @queue: a client's queue, locked
 *
 * For a submit that has begun, and that only the death of its process ends.
 *
 * Return: 0, or -EINTR when the caller is killed.
 */
int pddgpu_queue_wait_half(struct pddgpu_queue *queue)
{
	int ret = wait_event_killable(queue->room, atomic_read(&queue->used) <=
				      PDDGPU_QUEUE_WEIGHT / 2);

	return ret ? -EINTR : 0;
}
