// SPDX-License-Identifier: GPL-2.0
/*
 * A dma-buf of another device is attached and mapped for this card once, however
 * many clients import it: each has a buffer of its own, and all buffers share the
 * mapping. (To map the same pages twice is allowed, but takes an IOMMU's addresses
 * twice, and the kernel's DMA debugging takes it for an error.)
 *
 * The mapping must not outlive the driver's being bound to the card, while buffers
 * live until their users close them: unplugging unmaps all.
 *
 * Locks: @import_mutex is held while a dma-buf is attached, mapped, unmapped or
 * detached; the dma-buf's reservation is taken inside it. A buffer may end where
 * reservations are held, so the last of them asks a worker to unmap.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>

#include "pddgpu_bo.h"
#include "pddgpu_device.h"
#include "pddgpu_import.h"

/**
 * struct pddgpu_import - a dma-buf that is mapped for the card
 */
struct pddgpu_import {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @link: in the device's list; under @import_mutex */
	struct list_head link;
	/** @bos: buffers that have its pages, by import_link; under @import_lock */
	struct list_head bos;
	/** @users: those, and who is about to make one; under @import_lock */
	u32 users;
	/** @dma_buf: with a reference */
	struct dma_buf *dma_buf;
	/** @attach: NULL when the card has been unplugged; under @import_mutex */
	struct dma_buf_attachment *attach;
	/** @sgt: its pages, for the card; under @import_mutex */
	struct sg_table *sgt;
};

/* Under @import_mutex */
static void pddgpu_import_unmap(struct pddgpu_import *import)
{
	struct pddgpu_device *pdev = import->pdev;
	struct pddgpu_bo *bo;

	lockdep_assert_held(&pdev->import_mutex);
	if (!import->attach)
		return;
	dma_resv_lock(import->dma_buf->resv, NULL);
	spin_lock(&pdev->import_lock);
	list_for_each_entry(bo, &import->bos, import_link) {
		bo->tbo.sg = NULL;
		bo->tbo.base.import_attach = NULL;
	}
	spin_unlock(&pdev->import_lock);
	dma_buf_unmap_attachment(import->attach, import->sgt, DMA_BIDIRECTIONAL);
	dma_resv_unlock(import->dma_buf->resv);
	/* Most exporters keep what they have mapped as long as it is attached */
	dma_buf_detach(import->dma_buf, import->attach);
	import->attach = NULL;
	import->sgt = NULL;
}

static bool pddgpu_import_is_used(struct pddgpu_import *import)
{
	bool used;

	spin_lock(&import->pdev->import_lock);
	used = import->users;
	spin_unlock(&import->pdev->import_lock);
	return used;
}

/* Lets go of all that nobody uses, nor has begun to use meanwhile. */
static void pddgpu_import_work(struct work_struct *work)
{
	struct pddgpu_device *pdev = container_of(work, struct pddgpu_device, import_work);
	struct pddgpu_import *import, *next;

	mutex_lock(&pdev->import_mutex);
	list_for_each_entry_safe(import, next, &pdev->imports, link) {
		if (pddgpu_import_is_used(import))
			continue;
		list_del(&import->link);
		pddgpu_import_unmap(import);
		dma_buf_put(import->dma_buf);
		kfree(import);
	}
	mutex_unlock(&pdev->import_mutex);
}

static void pddgpu_import_fini(struct drm_device *drm, void *arg)
{
	/* The last buffers have queued its last work */
	destroy_workqueue(arg);
}

/**
 * pddgpu_import_init() - there are no imported buffers
 * @pdev: the device; nothing that could destroy a buffer has been set up yet
 *
 * Return: 0 or -ENOMEM; ended with the DRM device.
 */
int pddgpu_import_init(struct pddgpu_device *pdev)
{
	int ret;

	spin_lock_init(&pdev->import_lock);
	INIT_LIST_HEAD(&pdev->imports);
	INIT_WORK(&pdev->import_work, pddgpu_import_work);
	ret = drmm_mutex_init(&pdev->drm, &pdev->import_mutex);
	if (ret)
		return ret;
	pdev->import_wq = alloc_workqueue("pddgpu-import", WQ_UNBOUND, 0);
	if (!pdev->import_wq)
		return -ENOMEM;
	return drmm_add_action_or_reset(&pdev->drm, pddgpu_import_fini, pdev->import_wq);
}

/* It is attached already, also when that is about to end. Under @import_mutex. */
static struct pddgpu_import *pddgpu_import_find(struct pddgpu_device *pdev,
						struct dma_buf *dma_buf)
{
	struct pddgpu_import *import;

	list_for_each_entry(import, &pdev->imports, link) {
		if (import->dma_buf != dma_buf)
			continue;
		spin_lock(&pdev->import_lock);
		import->users++;
		spin_unlock(&pdev->import_lock);
		return import;
	}
	return NULL;
}

/* Under @import_mutex */
static struct pddgpu_import *pddgpu_import_map(struct pddgpu_device *pdev,
					       struct dma_buf *dma_buf)
{
	struct pddgpu_import *import = kzalloc(sizeof(*import), GFP_KERNEL);
	int ret;

	if (!import)
		return ERR_PTR(-ENOMEM);
	import->pdev = pdev;
	import->dma_buf = dma_buf;
	import->users = 1;
	INIT_LIST_HEAD(&import->bos);
	import->attach = dma_buf_attach(dma_buf, pdev->drm.dev);
	if (IS_ERR(import->attach)) {
		ret = PTR_ERR(import->attach);
		goto err_free;
	}
	import->sgt = dma_buf_map_attachment_unlocked(import->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(import->sgt)) {
		ret = PTR_ERR(import->sgt);
		goto err_detach;
	}
	get_dma_buf(dma_buf);
	list_add_tail(&import->link, &pdev->imports);
	return import;

err_detach:
	dma_buf_detach(dma_buf, import->attach);
err_free:
	kfree(import);
	return ERR_PTR(ret);
}

/**
 * pddgpu_import_get() - have a dma-buf's pages mapped for the card
 * @pdev: the device; the caller is inside drm_dev_enter() until it has its buffer, so
 *	that pddgpu_import_unplug() is still to come
 * @dma_buf: another device's
 *
 * Context: process; takes @import_mutex and the dma-buf's reservation.
 * Return: what pddgpu_import_put() ends; or an error pointer: -ENOMEM, -ERESTARTSYS,
 * or what the exporter says.
 */
struct pddgpu_import *pddgpu_import_get(struct pddgpu_device *pdev, struct dma_buf *dma_buf)
{
	struct pddgpu_import *import;

	if (mutex_lock_interruptible(&pdev->import_mutex))
		return ERR_PTR(-ERESTARTSYS);
	import = pddgpu_import_find(pdev, dma_buf) ?: pddgpu_import_map(pdev, dma_buf);
	mutex_unlock(&pdev->import_mutex);
	return import;
}

/**
 * pddgpu_import_put() - one user less
 * @import: from pddgpu_import_get()
 *
 * Context: any that may take a spinlock.
 */
void pddgpu_import_put(struct pddgpu_import *import)
{
	struct pddgpu_device *pdev = import->pdev;

	spin_lock(&pdev->import_lock);
	if (!--import->users)
		queue_work(pdev->import_wq, &pdev->import_work);
	spin_unlock(&pdev->import_lock);
}

/**
 * pddgpu_import_sgt() - the pages, as the card has them
 * @import: what the caller uses, inside drm_dev_enter()
 *
 * Return: the table.
 */
struct sg_table *pddgpu_import_sgt(struct pddgpu_import *import)
{
	return import->sgt;
}

/**
 * pddgpu_import_join() - a buffer is being made of it
 * @import: what the caller uses
 * @bo: the buffer; uses it too until pddgpu_import_leave()
 */
void pddgpu_import_join(struct pddgpu_import *import, struct pddgpu_bo *bo)
{
	spin_lock(&import->pdev->import_lock);
	import->users++;
	bo->import = import;
	list_add_tail(&bo->import_link, &import->bos);
	spin_unlock(&import->pdev->import_lock);
}

/**
 * pddgpu_import_show() - let DRM know whose pages a buffer has
 * @bo: made; the caller is inside drm_dev_enter() since pddgpu_import_get()
 */
void pddgpu_import_show(struct pddgpu_bo *bo)
{
	bo->tbo.base.import_attach = bo->import->attach;
}

/**
 * pddgpu_import_leave() - a buffer goes
 * @bo: imported; nobody has a reference any more
 *
 * Context: any that may take a spinlock.
 */
void pddgpu_import_leave(struct pddgpu_bo *bo)
{
	struct pddgpu_import *import = bo->import;

	spin_lock(&import->pdev->import_lock);
	list_del_init(&bo->import_link);
	spin_unlock(&import->pdev->import_lock);
	bo->tbo.base.import_attach = NULL;
	pddgpu_import_put(import);
}

/**
 * pddgpu_import_unplug() - unmap all that is imported
 * @pdev: the device, unplugged; the chip reaches memory no more, and the GART has
 *	forgotten its bindings
 *
 * Buffers have no pages afterwards, and their dma-bufs no attachment. Context:
 * process, without locks; takes the reservations of dma-bufs one after the other.
 */
void pddgpu_import_unplug(struct pddgpu_device *pdev)
{
	struct pddgpu_import *import;

	mutex_lock(&pdev->import_mutex);
	list_for_each_entry(import, &pdev->imports, link)
		pddgpu_import_unmap(import);
	mutex_unlock(&pdev->import_mutex);
}
