// SPDX-License-Identifier: GPL-2.0
/*
 * An engine works on one job after the other. What has passed between two of its
 * fences is the time that it worked for the second one's client, as a CPU sees it:
 * until the signal is noticed. Where several are noticed at once, what has passed is
 * shared among them by what they had to do.
 */
#include <linux/math64.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "pddgpu_account.h"
#include "pddgpu_compat.h"
#include "pddgpu_fence.h"

static const char *pddgpu_fence_driver_name(struct dma_fence *fence)
{
	return "pddgpu";
}

static const char *pddgpu_fence_timeline_name(struct dma_fence *fence)
{
	return container_of(fence, struct pddgpu_fence, base)->timeline->name;
}

static const struct dma_fence_ops pddgpu_fence_ops = {
	.get_driver_name = pddgpu_fence_driver_name,
	.get_timeline_name = pddgpu_fence_timeline_name,
};

/**
 * pddgpu_timeline_init() - begin a timeline
 * @timeline: the timeline
 * @engine: the number of its engine
 * @name: for people; stays
 */
void pddgpu_timeline_init(struct pddgpu_timeline *timeline, u32 engine, const char *name)
{
	spin_lock_init(&timeline->lock);
	INIT_LIST_HEAD(&timeline->pending);
	timeline->context = dma_fence_context_alloc(1);
	timeline->engine = engine;
	timeline->name = name;
}

/**
 * pddgpu_timeline_fini() - end a timeline
 * @timeline: the timeline; all of its fences have signalled
 *
 * Returns when pddgpu_fence_put_late() has nothing left to do. Sleeps.
 */
void pddgpu_timeline_fini(struct pddgpu_timeline *timeline)
{
	if (READ_ONCE(timeline->late))
		rcu_barrier_tasks();
}

/**
 * pddgpu_fence_alloc() - memory for a fence
 * @gfp: how to get it
 *
 * Apart from emitting it, which must not fail.
 *
 * Return: a fence to emit or to kfree(), or NULL.
 */
struct pddgpu_fence *pddgpu_fence_alloc(gfp_t gfp)
{
	struct pddgpu_fence *fence = kzalloc(sizeof(*fence), gfp);

	if (fence)
		fence->work = 1;
	return fence;
}

/**
 * pddgpu_fence_emit() - give a fence the next number
 * @timeline: its timeline
 * @fence: from pddgpu_fence_alloc(), its client and work set; the timeline takes a
 *	reference until it signals, the caller keeps its own
 */
void pddgpu_fence_emit(struct pddgpu_timeline *timeline, struct pddgpu_fence *fence)
{
	unsigned long flags;

	fence->timeline = timeline;
	spin_lock_irqsave(&timeline->lock, flags);
	if (list_empty(&timeline->pending))
		timeline->since = ktime_get_ns();
	dma_fence_init(&fence->base, &pddgpu_fence_ops, &timeline->lock,
		       timeline->context, ++timeline->emitted);
	dma_fence_get(&fence->base);
	list_add_tail(&fence->link, &timeline->pending);
	spin_unlock_irqrestore(&timeline->lock, flags);
}

static void pddgpu_fence_done(struct pddgpu_fence *fence, int error)
{
	list_del_init(&fence->link);
	fence->client = NULL;
	if (error)
		dma_fence_set_error(&fence->base, error);
	dma_fence_signal_locked(&fence->base);
	dma_fence_put(&fence->base);
}

static void pddgpu_fence_put_now(struct rcu_head *late)
{
	dma_fence_put(&container_of(late, struct pddgpu_fence, late)->base);
}

/**
 * pddgpu_fence_put_late() - drop a reference that somebody may rely on unknowingly
 * @timeline: the fence's timeline
 * @fence: from pddgpu_fence_emit(); for each of them only once
 *
 * It is dropped when every task has slept or left the kernel: a task that looks
 * at a fence meanwhile and has no reference to it may have been preempted, so that
 * a grace period as all fences have it would not do.
 */
void pddgpu_fence_put_late(struct pddgpu_timeline *timeline, struct dma_fence *fence)
{
	WRITE_ONCE(timeline->late, true);
	call_rcu_tasks(&container_of(fence, struct pddgpu_fence, base)->late,
		       pddgpu_fence_put_now);
}

/* What has passed since that was last asked, ns; something is pending */
static u64 pddgpu_timeline_passed(struct pddgpu_timeline *timeline)
{
	u64 now = ktime_get_ns();
	u64 passed = now - timeline->since;

	timeline->since = now;
	return passed;
}

/* The engine has reached a number: for whom has it worked? */
static void pddgpu_timeline_share(struct pddgpu_timeline *timeline, u64 reached)
{
	struct pddgpu_fence *fence;
	u64 work = 0, passed;

	list_for_each_entry(fence, &timeline->pending, link) {
		if (fence->base.seqno > reached)
			break;
		work += fence->work;
	}
	if (!work)
		return;
	passed = pddgpu_timeline_passed(timeline);
	list_for_each_entry(fence, &timeline->pending, link) {
		if (fence->base.seqno > reached)
			break;
		pddgpu_account_worked(fence->client, timeline->engine,
				      mul_u64_u64_div_u64(passed, fence->work, work));
	}
}

/**
 * pddgpu_timeline_tick() - bring the engine's time up to date
 * @timeline: the timeline
 *
 * For who reads what clients have had of it: what the engine is at counts too.
 */
void pddgpu_timeline_tick(struct pddgpu_timeline *timeline)
{
	struct pddgpu_fence *first;
	unsigned long flags;

	spin_lock_irqsave(&timeline->lock, flags);
	first = list_first_entry_or_null(&timeline->pending, struct pddgpu_fence, link);
	if (first)
		pddgpu_account_worked(first->client, timeline->engine,
				      pddgpu_timeline_passed(timeline));
	spin_unlock_irqrestore(&timeline->lock, flags);
}

/**
 * pddgpu_timeline_signal() - the engine has come so far
 * @timeline: the timeline
 * @reached: the number that the engine has written; rubbish that was never
 *	handed out is left alone
 *
 * Any context.
 *
 * Return: true when fences are pending still.
 */
bool pddgpu_timeline_signal(struct pddgpu_timeline *timeline, u64 reached)
{
	struct pddgpu_fence *fence, *next;
	unsigned long flags;
	bool pending;

	spin_lock_irqsave(&timeline->lock, flags);
	if (reached <= timeline->emitted) {
		pddgpu_timeline_share(timeline, reached);
		list_for_each_entry_safe(fence, next, &timeline->pending, link) {
			if (fence->base.seqno > reached)
				break;
			pddgpu_fence_done(fence, 0);
		}
	}
	pending = !list_empty(&timeline->pending);
	spin_unlock_irqrestore(&timeline->lock, flags);
	return pending;
}

/**
 * pddgpu_timeline_signalled() - how far the timeline has come
 * @timeline: the timeline
 *
 * Any context.
 *
 * Return: the number of the last fence before the oldest pending one.
 */
u64 pddgpu_timeline_signalled(struct pddgpu_timeline *timeline)
{
	struct pddgpu_fence *first;
	unsigned long flags;
	u64 number;

	spin_lock_irqsave(&timeline->lock, flags);
	first = list_first_entry_or_null(&timeline->pending, struct pddgpu_fence, link);
	number = first ? first->base.seqno - 1 : timeline->emitted;
	spin_unlock_irqrestore(&timeline->lock, flags);
	return number;
}

/**
 * pddgpu_timeline_fail() - the engine will write no more
 * @timeline: the timeline
 * @error: what the pending fences say, negative
 */
void pddgpu_timeline_fail(struct pddgpu_timeline *timeline, int error)
{
	struct pddgpu_fence *fence, *next;
	unsigned long flags;

	spin_lock_irqsave(&timeline->lock, flags);
	pddgpu_timeline_share(timeline, timeline->emitted);
	list_for_each_entry_safe(fence, next, &timeline->pending, link)
		pddgpu_fence_done(fence, error);
	spin_unlock_irqrestore(&timeline->lock, flags);
}
