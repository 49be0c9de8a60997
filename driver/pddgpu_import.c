// SPDX-License-Identifier: GPL-2.0
/*
 * An imported buffer's pages are mapped for this card by who exports it. Such a
 * mapping must not outlive the driver's being bound to the card, while the buffer
 * lives until its users close it: unplugging unmaps them all.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/wait.h>

#include <drm/drm_prime.h>
#include <drm/drm_print.h>

#include "pddgpu_bo.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_import.h"

/* How long unplugging waits for buffers that are being destroyed */
#define PDDGPU_IMPORT_WAIT	(5 * HZ)

/**
 * pddgpu_import_init() - there are no imported buffers
 * @pdev: the device
 */
void pddgpu_import_init(struct pddgpu_device *pdev)
{
	spin_lock_init(&pdev->import_lock);
	INIT_LIST_HEAD(&pdev->imports);
	init_waitqueue_head(&pdev->import_wait);
}

/**
 * pddgpu_import_add() - a buffer has been imported
 * @pdev: the device; the caller has been inside drm_dev_enter() since before the
 *	buffer was made, so that pddgpu_import_unplug() is still to come
 * @bo: the buffer, new
 * @attach: the attachment that its pages come from; the buffer's from now on
 */
void pddgpu_import_add(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
		       struct dma_buf_attachment *attach)
{
	spin_lock(&pdev->import_lock);
	bo->tbo.base.import_attach = attach;
	list_add_tail(&bo->import_link, &pdev->imports);
	spin_unlock(&pdev->import_lock);
}

/**
 * pddgpu_import_destroy() - let go of what was imported
 * @pdev: the device
 * @bo: an imported buffer; nobody has a reference any more
 *
 * May sleep; takes the reservation of the dma-buf.
 */
void pddgpu_import_destroy(struct pddgpu_device *pdev, struct pddgpu_bo *bo)
{
	drm_prime_gem_destroy(&bo->tbo.base, bo->tbo.sg);

	spin_lock(&pdev->import_lock);
	list_del_init(&bo->import_link);
	spin_unlock(&pdev->import_lock);
	wake_up(&pdev->import_wait);
}

/* Takes a buffer that is not being destroyed off the list. */
static struct pddgpu_bo *pddgpu_import_next(struct pddgpu_device *pdev)
{
	struct pddgpu_bo *bo, *found = NULL;

	spin_lock(&pdev->import_lock);
	list_for_each_entry(bo, &pdev->imports, import_link) {
		if (!pddgpu_ttm_bo_tryget(&bo->tbo))
			continue;
		list_del_init(&bo->import_link);
		found = bo;
		break;
	}
	spin_unlock(&pdev->import_lock);
	return found;
}

/**
 * pddgpu_import_unplug() - unmap all imported buffers
 * @pdev: the device, unplugged; the chip reaches memory no more, and the GART has
 *	forgotten its bindings
 *
 * They have no pages afterwards, and their dma-bufs no attachment. Context: process,
 * without locks; takes the reservations of dma-bufs one after the other.
 */
void pddgpu_import_unplug(struct pddgpu_device *pdev)
{
	struct dma_buf_attachment *attach;
	struct pddgpu_bo *bo;

	while ((bo = pddgpu_import_next(pdev))) {
		attach = bo->tbo.base.import_attach;
		/* Which is the buffer's, too */
		dma_resv_lock(attach->dmabuf->resv, NULL);
		if (bo->tbo.sg)
			dma_buf_unmap_attachment(attach, bo->tbo.sg, DMA_BIDIRECTIONAL);
		bo->tbo.sg = NULL;
		dma_resv_unlock(attach->dmabuf->resv);
		/* Most exporters keep what they have mapped as long as it is attached */
		bo->tbo.base.import_attach = NULL;
		dma_buf_detach(bo->dma_buf, attach);
		/* The reference that came with it; the buffer has its own */
		dma_buf_put(bo->dma_buf);
		pddgpu_ttm_bo_unget(&bo->tbo);
	}
	if (!wait_event_timeout(pdev->import_wait, list_empty_careful(&pdev->imports),
				PDDGPU_IMPORT_WAIT))
		drm_warn(&pdev->drm, "PDDGPU: an imported buffer is still in use\n");
}
