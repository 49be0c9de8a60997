/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the engines share; nobody else includes this.
 */
#ifndef PDDGPU_ENGINE_INTERNAL_H
#define PDDGPU_ENGINE_INTERNAL_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include <drm/gpu_scheduler.h>

#include "pddgpu_engine.h"
#include "pddgpu_fence.h"
#include "pddgpu_ring.h"

struct drm_device;
struct pddgpu_chip;
struct pddgpu_coredump;
struct pddgpu_gart;
struct pddgpu_hw;

/**
 * struct pddgpu_engine - a copy engine
 */
struct pddgpu_engine {
	/** @drm: for messages and drm_dev_enter() */
	struct drm_device *drm;
	/** @hw: the card */
	struct pddgpu_hw *hw;
	/** @chip: where VRAM begins */
	const struct pddgpu_chip *chip;
	/** @gart: tells when translations have become stale */
	struct pddgpu_gart *gart;
	/** @index: its number; constant */
	u32 index;
	/** @name: for people; constant */
	char name[16];
	/** @ring: its command ring */
	struct pddgpu_ring ring;
	/** @slot_offset: of the number that fences write, in VRAM; constant */
	u64 slot_offset;
	/** @flushed: the GART's generation at the last TLB flush in the ring */
	u64 flushed;
	/** @recovery: for when it has stopped; constant */
	const struct pddgpu_recovery *recovery;
	/** @lost: it does not answer; the CPU does its work */
	bool lost;
	/** @abandon_lock: one pddgpu_engine_abandon() at a time. Sleeps */
	struct mutex abandon_lock;
	/** @abandoned: the card is gone: jobs fail. Set while no jobs are run */
	bool abandoned;
	/** @paused: the chip is being reset: what it writes says nothing */
	bool paused;
	/** @refused: what users' jobs fail with, negative; 0: they run */
	int refused;
	/** @losses: how often VRAM has been lost */
	u32 losses;
	/** @resets: how often it has been reset alone, and well */
	atomic64_t resets;
	/** @stop_lock: guards @stops; a leaf. Sleeps */
	struct mutex stop_lock;
	/** @stops: who wants that no jobs are run: recovery, sleep, the card's end */
	u32 stops;
	/** @asleep: sleep is one of them; under the device's lock */
	bool asleep;
	/** @timeline: its fences */
	struct pddgpu_timeline timeline;
	/** @timeout: jiffies that a job may take; constant */
	unsigned long timeout;
	/** @timer: looks for fences whose interrupt was lost */
	struct timer_list timer;
	/** @lock: guards @jobs */
	spinlock_t lock;
	/** @jobs: jobs in the ring, oldest first */
	struct list_head jobs;
	/** @progress: jiffies when the packet at work became it, at the latest */
	unsigned long progress;
	/** @reached: the fence's number that was found when @progress was set */
	u64 reached;
	/** @rptr: how far in the ring the engine had come then */
	u32 rptr;
	/** @fault_status: the last fault that it reported; 0 for none */
	u32 fault_status;
	/** @fault_addr: its address */
	u64 fault_addr;
	/** @coredump: where its last stop is kept */
	struct pddgpu_coredump *coredump;
	/**
	 * @bounce: a page for the CPU's copies. Reclaim may wait for them, so it
	 * is there already; whoever may write the ring may use it.
	 */
	void *bounce;
	/** @alive: jobs that were handed over and have not been freed */
	atomic_t alive;
	/** @sched: the scheduler */
	struct drm_gpu_scheduler sched;
};

static inline struct pddgpu_job *to_pddgpu_job(struct drm_sched_job *job)
{
	return container_of(job, struct pddgpu_job, base);
}

void pddgpu_engine_emit(struct pddgpu_engine *engine, const struct pddgpu_job *job,
			bool fence_only);
void pddgpu_engine_kick(struct pddgpu_engine *engine);
bool pddgpu_engine_is_stuck(struct pddgpu_engine *engine);
int pddgpu_engine_stale(const struct pddgpu_engine *engine, const struct pddgpu_job *job);
int pddgpu_engine_run_by_cpu(struct pddgpu_engine *engine, struct pddgpu_job *job);
void pddgpu_engine_write_ring(struct pddgpu_engine *engine);

int pddgpu_engine_finish_job(struct pddgpu_engine *engine, struct pddgpu_job *job);

void pddgpu_engine_stop_sched(struct pddgpu_engine *engine);
void pddgpu_engine_start_sched(struct pddgpu_engine *engine);
enum drm_gpu_sched_stat pddgpu_engine_timedout_job(struct drm_sched_job *base);

#endif /* PDDGPU_ENGINE_INTERNAL_H */
