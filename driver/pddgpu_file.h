/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An open file of the device.
 */
#ifndef PDDGPU_FILE_H
#define PDDGPU_FILE_H

#include <linux/fs.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "pddgpu_account.h"
#include "pddgpu_leak.h"
#include "pddgpu_unfreed.h"
#include "pddgpu_unpageable.h"

struct pddgpu_queue;

/**
 * struct pddgpu_file - an open file
 */
struct pddgpu_file {
	/** @client: who allocates through it, for the leak tracker */
	struct pddgpu_leak_client client;
	/** @account: what it has, and has engines do */
	struct pddgpu_account_client *account;
	/** @queue: its jobs for the users' engine */
	struct pddgpu_queue *queue;
	/** @unpageable: what it keeps unpageable */
	struct pddgpu_unpageable_client unpageable;
	/** @unfreed: what was not freed when it is closed */
	struct pddgpu_unfreed_sum unfreed;
};

static inline struct pddgpu_file *to_pddgpu_file(struct drm_file *file)
{
	return file->driver_priv;
}

/**
 * pddgpu_file_account() - who acts through an open file?
 * @drm: the DRM device
 * @filp: the file of a mapping of one of its buffers
 *
 * Return: the client, which stays as long as the file; NULL where the file is a
 * dma-buf's, which any number of clients may have.
 */
static inline struct pddgpu_account_client *
pddgpu_file_account(const struct drm_device *drm, const struct file *filp)
{
	struct drm_file *file;

	if (!filp || filp->f_op != drm->driver->fops)
		return NULL;
	file = filp->private_data;
	return to_pddgpu_file(file)->account;
}

#endif /* PDDGPU_FILE_H */
