/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the halves of SUBMIT know of each other: what is asked for, and how it is done.
 */
#ifndef PDDGPU_SUBMIT_INTERNAL_H
#define PDDGPU_SUBMIT_INTERNAL_H

#include <linux/xarray.h>

#include <drm/drm_exec.h>
#include <drm/pddgpu_drm.h>

struct dma_fence;
struct dma_fence_chain;
struct drm_file;
struct drm_gem_object;
struct drm_syncobj;
struct pddgpu_device;

/* Whom a job tells */
struct pddgpu_submit_signal {
	struct drm_syncobj *syncobj;
	/* For a point of a timeline; NULL for a binary one */
	struct dma_fence_chain *chain;
	u64 point;
};

/**
 * struct pddgpu_submit - a job on its way
 */
struct pddgpu_submit {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @file: who asks */
	struct drm_file *file;
	/** @args: what for */
	const struct drm_pddgpu_submit *args;
	/** @ops: the operations, copied and checked */
	struct drm_pddgpu_submit_op *ops;
	/** @next: which of them is handed over next */
	u32 next;
	/** @done: how much of that one has been */
	u64 done;
	/** @begun: something was handed over: it cannot be begun anew */
	bool begun;
	/** @buffers: by handle; each with a reference, marked when it is written */
	struct xarray buffers;
	/** @first: the lowest handle among them: empty slots take time to look at */
	u32 first;
	/** @last: the highest */
	u32 last;
	/** @waits: fences to wait for, until they have been handed over */
	struct dma_fence **waits;
	/** @signals: syncobjs to signal */
	struct pddgpu_submit_signal *signals;
	/** @exec: the buffers' reservations */
	struct drm_exec exec;
	/** @stamp: how old its first attempt to lock them is, as ww_mutex has it; 0: none */
	unsigned long stamp;
};

#define PDDGPU_SUBMIT_WRITTEN	XA_MARK_0

static inline struct drm_gem_object *pddgpu_submit_buffer(struct pddgpu_submit *submit,
							  u32 handle)
{
	return xa_load(&submit->buffers, handle);
}

int pddgpu_submit_get(struct pddgpu_submit *submit);
void pddgpu_submit_put(struct pddgpu_submit *submit);

#endif /* PDDGPU_SUBMIT_INTERNAL_H */
