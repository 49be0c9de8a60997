/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An open file of the device.
 */
#ifndef PDDGPU_FILE_H
#define PDDGPU_FILE_H

#include <linux/mutex.h>

#include <drm/drm_file.h>

#include "pddgpu_unpageable.h"

struct pddgpu_leak_owner;
struct pddgpu_queue;

/**
 * struct pddgpu_file - an open file
 */
struct pddgpu_file {
	/** @lock: guards @owner */
	struct mutex lock;
	/**
	 * @owner: who used the file last to allocate; kept, since it is nearly
	 * always the same process. NULL before the first allocation.
	 */
	struct pddgpu_leak_owner *owner;
	/** @queue: its jobs for the users' engine */
	struct pddgpu_queue *queue;
	/** @unpageable: what it keeps unpageable */
	struct pddgpu_unpageable_client unpageable;
};

static inline struct pddgpu_file *to_pddgpu_file(struct drm_file *file)
{
	return file->driver_priv;
}

#endif /* PDDGPU_FILE_H */
