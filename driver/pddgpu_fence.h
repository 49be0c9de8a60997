/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hardware fences: numbers that an engine writes when it has come so far.
 */
#ifndef PDDGPU_FENCE_H
#define PDDGPU_FENCE_H

#include <linux/cleanup.h>
#include <linux/dma-fence.h>
#include <linux/list.h>
#include <linux/spinlock.h>

struct pddgpu_account_client;
struct pddgpu_timeline;

/**
 * struct pddgpu_fence - a number that has not been written yet, or has
 */
struct pddgpu_fence {
	/** @base: the fence; freed with its last reference */
	struct dma_fence base;
	/** @link: among the timeline's pending ones, under its lock */
	struct list_head link;
	/** @timeline: whose number it is; until it signals */
	const struct pddgpu_timeline *timeline;
	/**
	 * @client: for whom the engine works towards it; or NULL. Whose fence it is
	 * keeps it until it signals
	 */
	struct pddgpu_account_client *client;
	/** @work: how much that is, compared with others; not 0 */
	u64 work;
	/** @late: for pddgpu_fence_put_late() */
	struct rcu_head late;
};

/**
 * struct pddgpu_timeline - an engine's numbers, which only grow
 */
struct pddgpu_timeline {
	/** @lock: guards @pending, @emitted and @since, and is the fences' own; irq-safe */
	spinlock_t lock;
	/** @context: the fences' context; constant */
	u64 context;
	/** @name: for people; constant */
	const char *name;
	/** @engine: the engine's number; constant */
	u32 engine;
	/** @emitted: the last number that was handed out */
	u64 emitted;
	/**
	 * @since: up to when the engine's time is accounted for, ns; while fences are
	 * pending
	 */
	u64 since;
	/** @late: has pddgpu_fence_put_late() been called? Then for ever */
	bool late;
	/** @pending: fences that have not signalled, oldest first */
	struct list_head pending;
};

/*
 * From where it is declared to the end of the block lockdep knows that fences wait
 * for what is done here, and reports what must not be done meanwhile, such as to
 * allocate memory in a way that may wait for a fence.
 */
DEFINE_CLASS(pddgpu_signalling, bool, dma_fence_end_signalling(_T),
	     dma_fence_begin_signalling(), void)

void pddgpu_timeline_init(struct pddgpu_timeline *timeline, u32 engine, const char *name);
void pddgpu_timeline_fini(struct pddgpu_timeline *timeline);
struct pddgpu_fence *pddgpu_fence_alloc(gfp_t gfp);
void pddgpu_fence_emit(struct pddgpu_timeline *timeline, struct pddgpu_fence *fence);
void pddgpu_fence_put_late(struct pddgpu_timeline *timeline, struct dma_fence *fence);
void pddgpu_timeline_tick(struct pddgpu_timeline *timeline);
bool pddgpu_timeline_signal(struct pddgpu_timeline *timeline, u64 reached);
u64 pddgpu_timeline_signalled(struct pddgpu_timeline *timeline);
void pddgpu_timeline_fail(struct pddgpu_timeline *timeline, int error);

#endif /* PDDGPU_FENCE_H */
