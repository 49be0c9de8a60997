// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "pddgpu_account.h"
#include "pddgpu_bo.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_import.h"
#include "pddgpu_leak.h"
#include "pddgpu_prime.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_wait.h"

/* Move a buffer to system pages. */
static int pddgpu_prime_move(struct pddgpu_bo *bo, struct ttm_operation_ctx *ctx)
{
	struct pddgpu_device *pdev = to_pddgpu(bo->tbo.base.dev);
	struct pddgpu_bo_placement placement;
	u32 domains = bo->domains & (PDDGPU_GEM_DOMAIN_GTT | PDDGPU_GEM_DOMAIN_CPU);
	int ret;

	/* A buffer never leaves its domains, not even for this */
	if (!domains)
		return -EOPNOTSUPP;

	ret = pddgpu_bo_placement_init(pdev, &placement, bo->tbo.base.size,
				       (u64)bo->tbo.page_alignment << PAGE_SHIFT,
				       domains, bo->flags);
	return ret ? ret : ttm_bo_validate(&bo->tbo, &placement.base, ctx);
}

/*
 * Have a buffer in system pages: other devices cannot reach VRAM. With the
 * reservation held. What a user keeps unpageable stays where it is.
 */
static int pddgpu_prime_to_system(struct pddgpu_bo *bo)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	int ret = 0;

	if (!bo->tbo.pin_count)
		ret = pddgpu_prime_move(bo, &ctx);
	else if (bo->tbo.resource->mem_type == TTM_PL_VRAM)
		ret = -EBUSY;
	if (ret)
		return ret;
	/* In the CPU domain it may have been swapped out */
	ret = pddgpu_ttm_populate(&bo->tbo, &ctx);
	if (ret)
		return ret;
	/* Not everybody who shares it looks at fences */
	return pddgpu_wait_idle(to_pddgpu(bo->tbo.base.dev), &bo->tbo, &ctx);
}

/**
 * pddgpu_prime_pin() - keep a buffer where another device reaches it
 * @obj: the buffer, reserved
 *
 * Return: 0; -EOPNOTSUPP for a buffer that may live in VRAM only; -EBUSY when
 * the CPU has it mapped in VRAM, or a user keeps it there; -ENOMEM, -ERESTARTSYS,
 * -ENODEV.
 */
int pddgpu_prime_pin(struct drm_gem_object *obj)
{
	struct pddgpu_bo *bo = gem_to_pddgpu_bo(obj);
	int ret = 0;

	dma_resv_assert_held(obj->resv);

	/* Other devices' pins have seen to it already */
	if (bo->tbo.pin_count == bo->wish_count && !bo->dma_buf)
		ret = pddgpu_prime_to_system(bo);
	else if (bo->tbo.resource->mem_type == TTM_PL_VRAM)
		ret = -EBUSY;
	if (!ret)
		ttm_bo_pin(&bo->tbo);
	return ret;
}

/* Off TTM's list of what must stay: it may be evicted again. */
static void pddgpu_prime_let_go(struct pddgpu_bo *bo)
{
	ttm_bo_unpin(&bo->tbo);
	ttm_bo_move_to_lru_tail_unlocked(&bo->tbo);
}

/**
 * pddgpu_prime_unpin() - let a buffer move again
 * @obj: the buffer, reserved
 */
void pddgpu_prime_unpin(struct drm_gem_object *obj)
{
	dma_resv_assert_held(obj->resv);
	pddgpu_prime_let_go(gem_to_pddgpu_bo(obj));
}

/**
 * pddgpu_prime_get_sg_table() - the pages of a buffer, for another device
 * @obj: the buffer, pinned and reserved
 *
 * Return: a table that the caller maps and frees, or an error pointer.
 */
struct sg_table *pddgpu_prime_get_sg_table(struct drm_gem_object *obj)
{
	struct pddgpu_bo *bo = gem_to_pddgpu_bo(obj);
	struct ttm_tt *tt = bo->tbo.ttm;

	/* An imported buffer's pages are not ours to give away */
	if (bo->dma_buf || !tt || !ttm_tt_is_populated(tt))
		return ERR_PTR(-EOPNOTSUPP);
	return drm_prime_pages_to_sg(obj->dev, tt->pages, tt->num_pages);
}

/**
 * pddgpu_prime_vmap() - map a buffer for the kernel, and keep it where it is
 * @obj: the buffer, reserved
 * @map: out: the mapping
 *
 * VRAM is mapped in place where it is one range and visible; else the buffer
 * moves to system pages first.
 *
 * Return: 0; -EACCES for a buffer made without CPU access; -EOPNOTSUPP when it
 * is scattered and may live in VRAM only; -EBUSY when a user keeps it there;
 * -ENOMEM, -ERESTARTSYS, -ENODEV.
 */
int pddgpu_prime_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct pddgpu_bo *bo = gem_to_pddgpu_bo(obj);
	struct ttm_operation_ctx ctx = { .interruptible = true };
	int ret, idx;

	dma_resv_assert_held(obj->resv);

	if (bo->dma_buf)
		return dma_buf_vmap(bo->dma_buf, map);
	if (bo->flags & PDDGPU_GEM_CREATE_NO_CPU_ACCESS)
		return -EACCES;
	if (!drm_dev_enter(obj->dev, &idx))
		return -ENODEV;

	ret = pddgpu_wait_idle(to_pddgpu(bo->tbo.base.dev), &bo->tbo, &ctx);
	if (!ret && bo->tbo.resource->mem_type == TTM_PL_VRAM &&
	    !(to_pddgpu_vram_resource(bo->tbo.resource)->contiguous &&
	      pddgpu_bo_is_visible(bo)))
		ret = pddgpu_prime_to_system(bo);
	if (!ret)
		ret = ttm_bo_vmap(&bo->tbo, map);
	if (!ret)
		ttm_bo_pin(&bo->tbo);
	drm_dev_exit(idx);
	return ret;
}

/**
 * pddgpu_prime_vunmap() - undo pddgpu_prime_vmap()
 * @obj: the buffer, reserved
 * @map: the mapping
 */
void pddgpu_prime_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct pddgpu_bo *bo = gem_to_pddgpu_bo(obj);

	dma_resv_assert_held(obj->resv);

	if (bo->dma_buf) {
		dma_buf_vunmap(bo->dma_buf, map);
		return;
	}
	ttm_bo_vunmap(&bo->tbo, map);
	pddgpu_prime_let_go(bo);
}

/* How DRM's dma-bufs are known; NULL as long as this driver has exported nothing */
static const struct dma_buf_ops *pddgpu_prime_ops;

/**
 * pddgpu_prime_export() - make a dma-buf of a buffer
 * @obj: the buffer
 * @flags: of the file, DRM_CLOEXEC and DRM_RDWR
 *
 * Return: the dma-buf, or an error pointer.
 */
struct dma_buf *pddgpu_prime_export(struct drm_gem_object *obj, int flags)
{
	struct dma_buf *dma_buf = drm_gem_prime_export(obj, flags);

	if (!IS_ERR(dma_buf)) {
		WRITE_ONCE(pddgpu_prime_ops, dma_buf->ops);
		pddgpu_account_export(to_pddgpu(obj->dev)->account,
				      &gem_to_pddgpu_bo(obj)->account);
	}
	return dma_buf;
}

/* The card's own buffer that a dma-buf is of, or NULL */
static struct drm_gem_object *pddgpu_prime_own(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj;

	if (dma_buf->ops != READ_ONCE(pddgpu_prime_ops))
		return NULL;
	/* DRM's, maybe another driver's */
	obj = dma_buf->priv;
	return obj->dev == drm ? obj : NULL;
}

/* Inline: it is the import that the leak tracker names as the place */
static __always_inline struct pddgpu_bo *
pddgpu_prime_make(struct pddgpu_device *pdev, struct dma_buf *dma_buf,
		  struct pddgpu_import *import)
{
	struct pddgpu_bo_param param = {
		.size = dma_buf->size,
		.domains = PDDGPU_GEM_DOMAIN_GTT,
		/* The client that imports it is not known here, its process is */
		.client = pddgpu_leak_importer(pdev->leaks),
		.dma_buf = dma_buf,
		.import = import,
	};
	struct pddgpu_bo *bo;

	dma_resv_lock(dma_buf->resv, NULL);
	bo = pddgpu_bo_create(pdev, &param);
	dma_resv_unlock(dma_buf->resv);
	if (!IS_ERR(bo))
		pddgpu_import_show(bo);
	return bo;
}

/**
 * pddgpu_prime_import() - make a buffer of a dma-buf
 * @drm: the DRM device
 * @dma_buf: another device's, or of a buffer of the card's, which it is then again
 *
 * What is another's lives in the GTT and stays there.
 *
 * Return: the buffer, or an error pointer: -E2BIG, -ENOMEM, -ENODEV, -ERESTARTSYS,
 * -EINVAL for addresses that the card cannot reach, or what the exporter says.
 */
struct drm_gem_object *pddgpu_prime_import(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj = pddgpu_prime_own(drm, dma_buf);
	struct pddgpu_import *import;
	struct pddgpu_bo *bo;
	int idx;

	if (obj) {
		drm_gem_object_get(obj);
		return obj;
	}
	/* To the end: unplugging then finds the mapping, and the buffer */
	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	import = pddgpu_import_get(to_pddgpu(drm), dma_buf);
	if (IS_ERR(import)) {
		obj = ERR_CAST(import);
	} else {
		bo = pddgpu_prime_make(to_pddgpu(drm), dma_buf, import);
		obj = IS_ERR(bo) ? ERR_CAST(bo) : &bo->tbo.base;
		/* The buffer uses it now, or nobody does */
		pddgpu_import_put(import);
	}
	drm_dev_exit(idx);
	return obj;
}
