/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is kept when an engine stops: a device coredump that says whose job it
 * was, what it did, and what the chip saw; and what the chip's registers said when
 * all of it is reset.
 */
#ifndef PDDGPU_COREDUMP_H
#define PDDGPU_COREDUMP_H

#include <linux/types.h>

struct drm_device;
struct pddgpu_chip;
struct pddgpu_coredump;
struct pddgpu_gart;
struct pddgpu_hw;
struct pddgpu_job;

/**
 * struct pddgpu_fault - why an engine has stopped
 */
struct pddgpu_fault {
	/** @engine: its number */
	u32 engine;
	/** @status: the chip's FAULT_STATUS; 0 when the engine hangs */
	u32 status;
	/** @addr: the failing address */
	u64 addr;
	/** @handle: the client's handle of the buffer there; 0 when not known */
	u32 handle;
	/** @offset: into that buffer */
	u64 offset;
};

const char *pddgpu_fault_name(u32 status);
void pddgpu_fault_find_buffer(struct pddgpu_fault *fault, const struct pddgpu_job *job);
void pddgpu_fault_report(struct drm_device *drm, const struct pddgpu_fault *fault,
			 const struct pddgpu_job *job);

struct pddgpu_coredump *pddgpu_coredump_init(struct drm_device *drm, struct pddgpu_hw *hw,
					     const struct pddgpu_chip *chip,
					     struct pddgpu_gart *gart);
void pddgpu_coredump_keep(struct pddgpu_coredump *dump, const struct pddgpu_fault *fault,
			  const struct pddgpu_job *job, u32 wptr);
void pddgpu_coredump_keep_chip(struct pddgpu_coredump *dump);
void pddgpu_coredump_stop(struct pddgpu_coredump *dump);

#endif /* PDDGPU_COREDUMP_H */
