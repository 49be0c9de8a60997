/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What buffers know of their use.
 */
#ifndef PDDGPU_BO_EVIDENCE_H
#define PDDGPU_BO_EVIDENCE_H

#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/timekeeping.h>

#include <asm/barrier.h>

#include "pddgpu_bo.h"

/**
 * pddgpu_bo_fenced() - a buffer has got another fence
 * @bo: the buffer, reserved
 */
static inline void pddgpu_bo_fenced(struct pddgpu_bo *bo)
{
	/* Who sees this sees the fence */
	smp_store_release(&bo->idle, false);
}

/**
 * pddgpu_bo_used() - a job that uses a buffer has been submitted
 * @bo: the buffer, reserved; with the job's fence
 * @now_ns: what pddgpu_bo_now() says
 */
static inline void pddgpu_bo_used(struct pddgpu_bo *bo, u64 now_ns)
{
	/* Whether it is busy is asked whatever is kept of it */
	pddgpu_bo_fenced(bo);
	if (static_branch_likely(&pddgpu_leak_evidence_key))
		WRITE_ONCE(bo->used_ns, now_ns);
}

/**
 * pddgpu_bo_now() - what time it is, for pddgpu_bo_used()
 *
 * Return: nanoseconds.
 */
static inline u64 pddgpu_bo_now(void)
{
	return static_branch_likely(&pddgpu_leak_evidence_key) ? ktime_get_ns() : 0;
}

/**
 * pddgpu_bo_touched() - the CPU uses a buffer, or is about to
 * @bo: the buffer
 */
static inline void pddgpu_bo_touched(struct pddgpu_bo *bo)
{
	if (static_branch_likely(&pddgpu_leak_evidence_key))
		WRITE_ONCE(bo->touched_ns, ktime_get_ns());
}

void pddgpu_bo_look(const struct pddgpu_leak_node *node, enum pddgpu_leak_state state,
		    struct pddgpu_leak_evidence *evidence);
struct pddgpu_bo *pddgpu_bo_look_hold(const struct pddgpu_leak_node *node, bool freed,
				      u32 *is);
bool pddgpu_bo_look_busy(struct pddgpu_bo *bo);

#endif /* PDDGPU_BO_EVIDENCE_H */
