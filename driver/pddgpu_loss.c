// SPDX-License-Identifier: GPL-2.0
/*
 * A buffer that is in VRAM has lost what it held when VRAM was lost after it got
 * that. One that is not has lost nothing, unless it was on its way out: the copy is
 * made again after the reset, of what is there then. So what counts is whether VRAM
 * was lost before the last of the copy was done.
 */
#include "pddgpu_bo.h"
#include "pddgpu_device.h"
#include "pddgpu_loss.h"
#include "pddgpu_vram_mgr.h"

/**
 * pddgpu_loss_left() - a buffer's content has been copied out of VRAM
 * @pdev: the device
 * @bo: the buffer
 * @losses: pddgpu_vram_mgr_losses() when it was there still
 *
 * Any context.
 */
void pddgpu_loss_left(struct pddgpu_device *pdev, struct pddgpu_bo *bo, u32 losses)
{
	if (pddgpu_vram_mgr_losses(pdev->vram_mgr) != losses)
		WRITE_ONCE(bo->vram_lost, true);
}

/**
 * pddgpu_loss_fini() - nobody has a reference to the buffer any more
 * @bo: the buffer
 */
void pddgpu_loss_fini(struct pddgpu_bo *bo)
{
	if (!bo->leaving_fence)
		return;
	dma_fence_remove_callback(bo->leaving_fence, &bo->left);
	dma_fence_put(bo->leaving_fence);
}

/**
 * pddgpu_loss_check() - has a buffer lost what it held?
 * @pdev: the device
 * @bo: the buffer, reserved
 *
 * Waits for a reset of the chip that is under way.
 *
 * Return: true when it has, and nobody has said that he knows.
 */
bool pddgpu_loss_check(struct pddgpu_device *pdev, struct pddgpu_bo *bo)
{
	struct ttm_resource *res = bo->tbo.resource;

	/* Who has seen rubbish while the chip was being reset gets to know why */
	down_read(&pdev->reset_sem);
	if (res && res->mem_type == TTM_PL_VRAM) {
		struct pddgpu_vram_resource *vres = to_pddgpu_vram_resource(res);
		u32 losses = pddgpu_vram_mgr_losses(pdev->vram_mgr);

		if (vres->losses != losses)
			WRITE_ONCE(bo->vram_lost, true);
		/* What is put there from now on is not lost */
		vres->losses = losses;
	}
	up_read(&pdev->reset_sem);
	/* What it has told counts, and nobody needs it any more */
	if (bo->leaving_fence && dma_fence_is_signaled(bo->leaving_fence)) {
		pddgpu_loss_fini(bo);
		bo->leaving_fence = NULL;
	}
	return READ_ONCE(bo->vram_lost);
}

/**
 * pddgpu_loss_forget() - a user knows that the buffer has lost what it held
 * @pdev: the device
 * @bo: the buffer, reserved
 */
void pddgpu_loss_forget(struct pddgpu_device *pdev, struct pddgpu_bo *bo)
{
	pddgpu_loss_check(pdev, bo);
	WRITE_ONCE(bo->vram_lost, false);
}

static void pddgpu_loss_fence(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct pddgpu_bo *bo = container_of(cb, struct pddgpu_bo, left);

	/* Zeros took the place of what could not be read */
	if (fence->error)
		WRITE_ONCE(bo->vram_lost, true);
	pddgpu_loss_left(ttm_to_pddgpu(bo->tbo.bdev), bo, bo->leaving);
}

/**
 * pddgpu_loss_leaving() - a buffer's content is being copied out of VRAM
 * @pdev: the device
 * @bo: the buffer, reserved
 * @fence: when it has been
 * @losses: pddgpu_vram_mgr_losses() before
 *
 * Of moves one after the other the last is over last, so it tells for all.
 */
void pddgpu_loss_leaving(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			 struct dma_fence *fence, u32 losses)
{
	bool pending = bo->leaving_fence &&
		       dma_fence_remove_callback(bo->leaving_fence, &bo->left);

	dma_fence_put(bo->leaving_fence);
	bo->leaving_fence = dma_fence_get(fence);
	if (!pending)
		bo->leaving = losses;
	if (dma_fence_add_callback(fence, &bo->left, pddgpu_loss_fence))
		pddgpu_loss_fence(fence, &bo->left);
}
