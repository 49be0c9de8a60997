// SPDX-License-Identifier: GPL-2.0
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include <drm/drm_file.h>
#include <trace/events/gpu_mem.h>

#include "pddgpu_bo.h"
#include "pddgpu_bo_evidence.h"
#include "pddgpu_bo_trace.h"
#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_move.h"
#include "pddgpu_trace.h"

/* The last buffer's number, of all cards' */
static atomic64_t pddgpu_bo_last = ATOMIC64_INIT(0);

/* What a process has now, and what all have on the card, which has process 0 */
static void pddgpu_bo_trace_totals(struct pddgpu_device *pdev, pid_t pid)
{
	u32 card = pdev->drm.primary->index;
	u64 all, bytes;

	bytes = pddgpu_leak_totals(pdev->leaks, pid, &all);
	if (pid)
		trace_gpu_mem_total(card, pid, bytes);
	trace_gpu_mem_total(card, 0, all);
}

/* Who has allocated a buffer; 0 when that is not known */
static pid_t pddgpu_bo_trace_pid(struct pddgpu_device *pdev, const struct pddgpu_bo *bo)
{
	char comm[TASK_COMM_LEN];
	pid_t pid = 0;

	pddgpu_leak_read_owner(pdev->leaks, &bo->leak, &pid, comm);
	return pid;
}

/**
 * pddgpu_bo_trace_created() - a buffer exists
 * @pdev: the device
 * @bo: the buffer, reserved and tracked; gets its number
 * @client: the DRM client that made it; 0: none did
 *
 * Context: may sleep.
 */
void pddgpu_bo_trace_created(struct pddgpu_device *pdev, struct pddgpu_bo *bo, u64 client)
{
	bo->number = atomic64_inc_return(&pddgpu_bo_last);
	trace_bo_create(pdev->drm.dev, bo->number, bo->tbo.base.size,
			pddgpu_bo_domain(bo->tbo.resource), bo->domains, bo->flags, client);
	if (trace_gpu_mem_total_enabled())
		pddgpu_bo_trace_totals(pdev, pddgpu_bo_trace_pid(pdev, bo));
}

/**
 * pddgpu_bo_trace_destroyed() - a buffer does not exist any more: untrack it
 * @pdev: the device
 * @bo: the buffer; nobody has a reference
 *
 * Context: may sleep.
 */
void pddgpu_bo_trace_destroyed(struct pddgpu_device *pdev, struct pddgpu_bo *bo)
{
	bool totals = trace_gpu_mem_total_enabled();
	pid_t pid = totals ? pddgpu_bo_trace_pid(pdev, bo) : 0;

	pddgpu_leak_untrack(pdev->leaks, &bo->leak);
	/* One that could not be made was never told of */
	if (!bo->number)
		return;
	trace_bo_destroy(pdev->drm.dev, bo->number, bo->tbo.base.size);
	if (totals)
		pddgpu_bo_trace_totals(pdev, pid);
}

/**
 * pddgpu_bo_trace_state() - a buffer may be in another state
 * @bo: the buffer, with a reference
 * @now: LIVE or ORPHAN, which it was not before; or %PDDGPU_LEAK_STATES
 */
void pddgpu_bo_trace_state(struct pddgpu_bo *bo, enum pddgpu_leak_state now)
{
	if (now == PDDGPU_LEAK_STATES)
		return;
	trace_bo_state(bo->tbo.base.dev->dev, bo->number, bo->tbo.base.size,
		       now == PDDGPU_LEAK_LIVE ? PDDGPU_LEAK_ORPHAN : PDDGPU_LEAK_LIVE, now);
}

/**
 * pddgpu_bo_trace_freed() - a buffer waits to be freed
 * @bo: the buffer; nobody has a reference any more
 * @orphan: it was an ORPHAN until now
 */
void pddgpu_bo_trace_freed(struct pddgpu_bo *bo, bool orphan)
{
	trace_bo_state(bo->tbo.base.dev->dev, bo->number, bo->tbo.base.size,
		       orphan ? PDDGPU_LEAK_ORPHAN : PDDGPU_LEAK_LIVE, PDDGPU_LEAK_ZOMBIE);
}

/**
 * pddgpu_bo_trace_move() - pddgpu_bo_move(), and tell of it
 * @tbo: as there
 * @evict: as there
 * @ctx: as there
 * @new_mem: as there
 * @hop: as there
 *
 * A first placement is no move. Whatever it is, there may be another fence. What is
 * told as the duration is the caller's time; the engine may be at it still.
 *
 * Return: as there.
 */
int pddgpu_bo_trace_move(struct ttm_buffer_object *tbo, bool evict,
			 struct ttm_operation_ctx *ctx, struct ttm_resource *new_mem,
			 struct ttm_place *hop)
{
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);
	u64 start, spent;
	u32 from, to;
	int ret;

	if (!pddgpu_bo_is_ours(tbo))
		return pddgpu_bo_move(tbo, evict, ctx, new_mem, hop);
	if ((!trace_bo_move_enabled() && !trace_bo_evict_enabled()) || !tbo->resource) {
		ret = pddgpu_bo_move(tbo, evict, ctx, new_mem, hop);
		pddgpu_bo_fenced(bo);
		return ret;
	}

	from = pddgpu_bo_domain(tbo->resource);
	to = pddgpu_bo_domain(new_mem);
	start = ktime_get_ns();
	ret = pddgpu_bo_move(tbo, evict, ctx, new_mem, hop);
	spent = ktime_get_ns() - start;
	pddgpu_bo_fenced(bo);

	trace_bo_move(tbo->base.dev->dev, bo->number, tbo->base.size, from, to, evict, spent,
		      ret);
	if (evict && !ret)
		trace_bo_evict(tbo->base.dev->dev, bo->number, tbo->base.size, from, to);
	return ret;
}
