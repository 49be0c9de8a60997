/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues of jobs for an engine: a client has one, and so has the driver.
 */
#ifndef PDDGPU_QUEUE_H
#define PDDGPU_QUEUE_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/wait.h>

#include <drm/gpu_scheduler.h>

/**
 * struct pddgpu_queue - jobs that run one after the other
 *
 * Its jobs keep it: those of a client that was killed are over some time after
 * the client's file is closed.
 */
struct pddgpu_queue {
	/** @ref: its owner's reference, and one of each job */
	struct kref ref;
	/**
	 * @lock: one batch at a time is made. The driver's is taken after
	 * reservations, a client's before them, and is held while its owner
	 * waits for room. Sleeps.
	 */
	struct mutex lock;
	/** @entity: the scheduler's part */
	struct drm_sched_entity entity;
	/** @account: memory for jobs is charged to who asks */
	bool account;
	/** @used: what its jobs that are not over weigh together */
	atomic_t used;
	/** @room: woken when @used becomes less */
	wait_queue_head_t room;
	/**
	 * @turn: counts who had @lock, and is under it: what is submitted in one
	 * turn fails together
	 */
	u64 turn;
	/**
	 * @failed: the turn whose jobs failed last; 0 for none. The engine's work
	 * on jobs alone looks at it, and recovery while that is stopped. A queue
	 * runs in order, so nobody asks for an older one.
	 */
	u64 failed;
	/** @error: why, negative; as @failed */
	int error;
};

struct pddgpu_queue *pddgpu_queue_init(struct drm_gpu_scheduler *sched,
				       enum drm_sched_priority priority, bool account);
void pddgpu_queue_fini(struct pddgpu_queue *queue);
void pddgpu_queue_get(struct pddgpu_queue *queue);
void pddgpu_queue_put(struct pddgpu_queue *queue);
void pddgpu_queue_charge(struct pddgpu_queue *queue, u32 weight);
void pddgpu_queue_uncharge(struct pddgpu_queue *queue, u32 weight);
bool pddgpu_queue_made(struct pddgpu_queue *queue, struct dma_fence *fence);
bool pddgpu_queue_full(struct pddgpu_queue *queue);
int pddgpu_queue_lock(struct pddgpu_queue *queue, bool nonblock);
int pddgpu_queue_wait_half(struct pddgpu_queue *queue);

#endif /* PDDGPU_QUEUE_H */
