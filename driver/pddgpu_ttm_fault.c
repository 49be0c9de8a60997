// SPDX-License-Identifier: GPL-2.0
/*
 * CPU mappings of buffers: what is touched is brought to where the CPU reaches it, and
 * stays readable when the card has gone.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>

#include <drm/drm_drv.h>
#include <drm/ttm/ttm_bo.h>

#include "pddgpu_bo.h"
#include "pddgpu_bo_evidence.h"
#include "pddgpu_compat.h"
#include "pddgpu_copy.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_file.h"
#include "pddgpu_room.h"
#include "pddgpu_ttm.h"
#include "pddgpu_wait.h"

/*
 * The card is gone: a CPU mapping of it must not kill its user. What is in system
 * pages is there still: moves are over, be it that zeros took the place of what
 * could not be read. For the rest there is one page of zeros for each buffer, so
 * that nothing passes between those who did not share the buffer anyway.
 */
static vm_fault_t pddgpu_ttm_fault_unplugged(struct vm_fault *vmf,
					     struct pddgpu_bo *bo)
{
	struct ttm_buffer_object *tbo = &bo->tbo;

	dma_resv_assert_held(tbo->base.resv);

	if (tbo->resource && tbo->resource->mem_type != TTM_PL_VRAM && tbo->ttm &&
	    ttm_tt_is_populated(tbo->ttm))
		return ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
						TTM_BO_VM_NUM_PREFAULT);
	if (!bo->unplugged_page) {
		bo->unplugged_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!bo->unplugged_page)
			return VM_FAULT_OOM;
	}
	return vmf_insert_pfn_prot(vmf->vma, vmf->address,
				   page_to_pfn(bo->unplugged_page),
				   vmf->vma->vm_page_prot);
}

/* Faults wait for room that others are making, but not for ever */
#define PDDGPU_TTM_FAULT_PATIENCE	(10 * HZ)
/* And where nobody is, only a little: somebody may just have been */
#define PDDGPU_TTM_FAULT_HOPE		(HZ / 10)
/* How long before the next attempt, ms: a page to swap takes less */
#define PDDGPU_TTM_FAULT_DELAY		5

static bool pddgpu_ttm_has_its_pages(struct ttm_buffer_object *tbo)
{
	return !tbo->ttm || tbo->resource->mem_type == TTM_PL_VRAM ||
	       ttm_tt_is_populated(tbo->ttm);
}

/* Where the CPU reaches it, and not in swap */
static int pddgpu_ttm_fault_try(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
				const struct vm_area_struct *vma)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct pddgpu_room room;
	int ret;

	pddgpu_room_init(&room, pddgpu_file_account(&pdev->drm, vma->vm_file), false);
	pddgpu_room_search(pdev, &room);
	ret = pddgpu_bo_make_visible(pdev, bo, &ctx);
	if (!ret && !pddgpu_ttm_has_its_pages(&bo->tbo))
		ret = pddgpu_ttm_populate(&bo->tbo, &ctx);
	pddgpu_room_found(pdev, &room);
	return ret;
}

/*
 * What the CPU touches has to be where it reaches, and its pages may have gone to
 * swap. That there is no room at the moment may be so because those who could
 * give some up are at work, or give it to somebody else.
 */
static vm_fault_t pddgpu_ttm_fault_place(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
					 const struct vm_area_struct *vma)
{
	unsigned long patience;
	bool wanted = false;
	int ret = 0;

	if (!pddgpu_bo_is_visible(bo) || !pddgpu_ttm_has_its_pages(&bo->tbo)) {
		/* Before too: what was in the way may be over when it has failed */
		wanted = pddgpu_room_wanted(pdev);
		ret = pddgpu_ttm_fault_try(pdev, bo, vma);
	}
	/* About to be unplugged: soon there are pages that need no card */
	if (ret && ret != -EINTR && ret != -ERESTARTSYS &&
	    pddgpu_device_state(pdev) == PDDGPU_DEVICE_STATE_SHUTDOWN) {
		wanted = true;
		ret = -ENOMEM;
	}
	switch (ret) {
	case 0:
		bo->starving = 0;
		return 0;
	case -EINTR:
	case -ERESTARTSYS:
		/* The signal first, then the fault again */
		return VM_FAULT_NOPAGE;
	case -EIO:
		/* Or else a manager is in ERROR: it may recover */
		if (pddgpu_engine_lost(pdev->engine[PDDGPU_ENGINE_PAGING]))
			return VM_FAULT_SIGBUS;
		wanted = true;
		fallthrough;
	case -ENOMEM:
		/* Who starved long ago may have been killed meanwhile */
		if (!bo->starving ||
		    time_after(jiffies, bo->starved + PDDGPU_TTM_FAULT_PATIENCE))
			bo->starving = jiffies | 1;
		bo->starved = jiffies;
		patience = wanted || pddgpu_room_wanted(pdev) ?
			   PDDGPU_TTM_FAULT_PATIENCE : PDDGPU_TTM_FAULT_HOPE;
		if (time_before(jiffies, bo->starving + patience))
			return VM_FAULT_NOPAGE;
		fallthrough;
	default:
		bo->starving = 0;
		return VM_FAULT_SIGBUS;
	}
}

static vm_fault_t pddgpu_ttm_fault(struct vm_fault *vmf)
{
	struct ttm_buffer_object *tbo = vmf->vma->vm_private_data;
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);
	vm_fault_t ret;
	bool starving;
	int idx;

	ret = ttm_bo_vm_reserve(tbo, vmf);
	if (ret)
		return ret;
	pddgpu_bo_touched(bo);

	if (drm_dev_enter(tbo->base.dev, &idx)) {
		ret = pddgpu_ttm_fault_place(ttm_to_pddgpu(tbo->bdev), bo, vmf->vma);
		if (!ret && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
			pddgpu_wait_awake(to_pddgpu(tbo->base.dev), tbo->base.resv,
					  DMA_RESV_USAGE_KERNEL, true);
		if (!ret)
			ret = ttm_bo_vm_fault_reserved(vmf, vmf->vma->vm_page_prot,
						       TTM_BO_VM_NUM_PREFAULT);
		drm_dev_exit(idx);
	} else {
		bo->starving = 0;
		ret = pddgpu_ttm_fault_unplugged(vmf, bo);
	}

	/* TTM has dropped the reservation already when it asks for a retry */
	if (ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;

	starving = bo->starving;
	/* Also makes it the last to be evicted: it is in use */
	ttm_bo_unreserve(tbo);
	if (starving)
		msleep_interruptible(PDDGPU_TTM_FAULT_DELAY);
	return ret;
}

/* A debugger reads or writes: unlike TTM's own, not before a move is over. */
static int pddgpu_ttm_access(struct ttm_buffer_object *tbo, u64 offset, void *buf,
			     int len, int write)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	int ret;

	ret = pddgpu_bo_make_visible(ttm_to_pddgpu(tbo->bdev), to_pddgpu_bo(tbo), &ctx);
	if (!ret)
		ret = pddgpu_wait_idle(ttm_to_pddgpu(tbo->bdev), tbo, &ctx);
	if (ret)
		return ret;
	if (tbo->resource->mem_type == TTM_PL_VRAM)
		return pddgpu_copy_access_vram(ttm_to_pddgpu(tbo->bdev), tbo->resource,
					       offset, buf, len, write);
	ret = pddgpu_ttm_populate(tbo, &ctx);
	if (!ret)
		pddgpu_copy_access_pages(tbo->ttm, offset, buf, len, write);
	return ret;
}

static int pddgpu_ttm_vm_access(struct vm_area_struct *vma, unsigned long addr,
				void *buf, int len, int write)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;
	u64 offset = addr - vma->vm_start +
		     ((vma->vm_pgoff - drm_vma_node_start(&tbo->base.vma_node)) << PAGE_SHIFT);
	int ret = -EIO, idx;

	if (len < 1 || offset > tbo->base.size || len > tbo->base.size - offset)
		return -EIO;
	if (!drm_dev_enter(tbo->base.dev, &idx))
		return -EIO;
	if (!ttm_bo_reserve(tbo, true, false, NULL)) {
		pddgpu_bo_touched(to_pddgpu_bo(tbo));
		ret = pddgpu_ttm_access(tbo, offset, buf, len, write);
		ttm_bo_unreserve(tbo);
	}
	drm_dev_exit(idx);
	return ret ? -EIO : len;
}

static void pddgpu_ttm_vm_open(struct vm_area_struct *vma)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;

	atomic_inc(&to_pddgpu_bo(tbo)->maps);
	ttm_bo_vm_open(vma);
}

static void pddgpu_ttm_vm_close(struct vm_area_struct *vma)
{
	struct ttm_buffer_object *tbo = vma->vm_private_data;

	/* It may have been the last that anybody has of it */
	atomic_dec(&to_pddgpu_bo(tbo)->maps);
	ttm_bo_vm_close(vma);
}

const struct vm_operations_struct pddgpu_ttm_vm_ops = {
	.fault = pddgpu_ttm_fault,
	.open = pddgpu_ttm_vm_open,
	.close = pddgpu_ttm_vm_close,
	.access = pddgpu_ttm_vm_access,
};
