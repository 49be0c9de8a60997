/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the leak tracker, and its tests, share among themselves */
#ifndef PDDGPU_LEAK_INTERNAL_H
#define PDDGPU_LEAK_INTERNAL_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "pddgpu_leak.h"

/* The longest anyone holds the tracker's lock, in objects */
#define PDDGPU_LEAK_AGE_BATCH	128
#define PDDGPU_LEAK_READ_BATCH	32

/* A node that only marks a place in the list; takes the place of a state */
#define PDDGPU_LEAK_MARK	PDDGPU_LEAK_STATES

#define PDDGPU_LEAK_STACKS	128
#define PDDGPU_LEAK_FRAMES	8

/**
 * struct pddgpu_leak_stack - a call stack that has allocated something
 */
struct pddgpu_leak_stack {
	/** @frames: return addresses, innermost first */
	unsigned long frames[PDDGPU_LEAK_FRAMES];
	/** @hash: of the frames */
	u32 hash;
	/** @nr: how many frames; 0 for a free slot */
	u32 nr;
};

/**
 * struct pddgpu_leak_owner - a process that allocates through a DRM client
 *
 * Owners of one tracker only; never shared by two.
 */
struct pddgpu_leak_owner {
	/** @ref: one for each node, and one for each user of the pointer */
	struct kref ref;
	/** @pid: the process in the initial namespace; constant */
	pid_t pid;
	/** @client_id: the DRM client; constant */
	u64 client_id;
	/** @comm: the process's name at that time; constant */
	char comm[TASK_COMM_LEN];
	/** @link: in the tracker's list while it has objects; under its lock */
	struct list_head link;
	/** @seq: grows along that list; under the tracker's lock */
	u64 seq;
	/** @has: what it has; under the tracker's lock. Listed with nothing: a mark */
	struct pddgpu_leak_count has;
};

/**
 * struct pddgpu_leak_tracker - every buffer that exists
 */
struct pddgpu_leak_tracker {
	/** @drm: the device; constant */
	struct drm_device *drm;
	/** @clock: ns, never going back; constant but for tests */
	u64 (*clock)(void);
	/** @lock: see the table in pddgpu_leak.c */
	spinlock_t lock;
	/** @nodes: all nodes in order of birth, and marks among them */
	struct list_head nodes;
	/**
	 * @edge: marks in @nodes: what stands before edge[class] is of that
	 * class or of a higher one. edge[0] is not used.
	 */
	struct pddgpu_leak_node edge[PDDGPU_LEAK_CLASSES];
	/** @age_ms: at which a class begins; age_ms[0] is 0 */
	u64 age_ms[PDDGPU_LEAK_CLASSES];
	/** @checked: the latest time that objects have been classified for */
	u64 checked;
	/** @sum: totals, always in step with @nodes */
	struct pddgpu_leak_summary sum;
	/** @owners: all that have objects, in order of their seq */
	struct list_head owners;
	/** @owner_seq: the last one given out */
	u64 owner_seq;
	/** @stacks: a hash table with linear probing; slots are never freed */
	struct pddgpu_leak_stack stacks[PDDGPU_LEAK_STACKS];
};

static inline bool pddgpu_leak_is_mark(const struct pddgpu_leak_node *node)
{
	return node->state == PDDGPU_LEAK_MARK;
}

void pddgpu_leak_stack_capture(struct pddgpu_leak_stack *stack);
u16 pddgpu_leak_stack_store(struct pddgpu_leak_tracker *tracker,
			    const struct pddgpu_leak_stack *stack);

#endif /* PDDGPU_LEAK_INTERNAL_H */
