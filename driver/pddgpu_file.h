/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An open file of the device.
 */
#ifndef PDDGPU_FILE_H
#define PDDGPU_FILE_H

#include <drm/drm_file.h>

#include "pddgpu_leak.h"
#include "pddgpu_unpageable.h"

struct pddgpu_queue;

/**
 * struct pddgpu_file - an open file
 */
struct pddgpu_file {
	/** @client: who allocates through it, for the leak tracker */
	struct pddgpu_leak_client client;
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
