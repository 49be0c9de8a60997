// SPDX-License-Identifier: GPL-2.0
#include <kunit/device.h>
#include <kunit/test.h>

#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_managed.h>

#include "kunit_clock.h"
#include "kunit_device.h"

#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_vram_mgr.h"

u64 pddgpu_kunit_now;

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of the tests' random numbers (default: 1)");

MODULE_DESCRIPTION("KUnit tests of the PDDGPU driver");
MODULE_LICENSE("GPL");

/**
 * struct pddgpu_kunit_buffers - a test's buffers
 */
struct pddgpu_kunit_buffers {
	/** @list: those that were not freed yet */
	struct list_head list;
};

static const struct drm_driver pddgpu_kunit_driver = {
	.driver_features = DRIVER_GEM,
	.name = "pddgpu_kunit",
	.desc = "PDDGPU unit tests",
	PDDGPU_DRIVER_DATE
	.major = 1,
};

/* A test that failed leaves buffers, which must not outlive the managers. */
static void pddgpu_kunit_free_buffers(void *data)
{
	struct pddgpu_kunit_buffers *buffers = data;
	struct pddgpu_kunit_bo *bo, *next;

	list_for_each_entry_safe(bo, next, &buffers->list, link)
		pddgpu_kunit_bo_free(bo);
}

/**
 * pddgpu_kunit_device() - a device with nothing behind it
 * @test: the test, with which it ends
 *
 * It becomes @test->priv too.
 *
 * Return: the device; a test that cannot get one has failed.
 */
struct pddgpu_device *pddgpu_kunit_device(struct kunit *test)
{
	struct device *dev = kunit_device_register(test, "pddgpu");
	struct pddgpu_device *pdev;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(dev, DMA_BIT_MASK(52)));
	pdev = devm_drm_dev_alloc(dev, &pddgpu_kunit_driver, struct pddgpu_device, drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev);
	spin_lock_init(&pdev->search_lock);
	INIT_LIST_HEAD(&pdev->searches);
	test->priv = pdev;
	return pdev;
}

static void pddgpu_kunit_evict_flags(struct ttm_buffer_object *tbo,
				     struct ttm_placement *placement)
{
	placement->num_placement = 0;
}

static struct ttm_device_funcs pddgpu_kunit_ttm_funcs = {
	.evict_flags = pddgpu_kunit_evict_flags,
};

static void pddgpu_kunit_ttm_fini(struct drm_device *drm, void *data)
{
	ttm_device_fini(&to_pddgpu(drm)->ttm);
}

/**
 * pddgpu_kunit_memory() - a device with the memory managers
 * @test: the test, with which it ends
 * @vram_size: bytes of VRAM
 * @visible_size: bytes of it that the CPU would reach
 * @gtt_size: bytes of the aperture
 * @gtt_limit: bytes of system memory in it
 *
 * Return: the device.
 */
struct pddgpu_device *pddgpu_kunit_memory(struct kunit *test, u64 vram_size, u64 visible_size,
					  u64 gtt_size, u64 gtt_limit)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);
	struct pddgpu_kunit_buffers *buffers;
	struct drm_device *drm = &pdev->drm;
	int ret;

	pdev->vram_mgr = pddgpu_vram_mgr_create(drm);
	pdev->gtt_mgr = pddgpu_gtt_mgr_create(drm);
	KUNIT_ASSERT_NOT_NULL(test, pdev->vram_mgr);
	KUNIT_ASSERT_NOT_NULL(test, pdev->gtt_mgr);
	ret = pddgpu_ttm_device_init(&pdev->ttm, &pddgpu_kunit_ttm_funcs, drm,
				     drm->anon_inode->i_mapping);
	KUNIT_ASSERT_EQ(test, 0, ret);
	ret = drmm_add_action_or_reset(drm, pddgpu_kunit_ttm_fini, NULL);
	KUNIT_ASSERT_EQ(test, 0, ret);
	ret = pddgpu_vram_mgr_init(pdev->vram_mgr, drm, &pdev->ttm, vram_size, visible_size);
	KUNIT_ASSERT_EQ(test, 0, ret);
	ret = pddgpu_gtt_mgr_init(pdev->gtt_mgr, drm, &pdev->ttm, gtt_size, gtt_limit);
	KUNIT_ASSERT_EQ(test, 0, ret);

	buffers = kunit_kzalloc(test, sizeof(*buffers), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buffers);
	INIT_LIST_HEAD(&buffers->list);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action(test, pddgpu_kunit_free_buffers, buffers));
	/* Where pddgpu_kunit_bo() finds it */
	dev_set_drvdata(drm->dev, buffers);
	return pdev;
}

/**
 * pddgpu_kunit_bo() - make a buffer
 * @test: the test, with which it ends at the latest
 * @pdev: the device, with managers
 * @size: bytes, whole pages
 * @align_pages: alignment of its place; 0 for none
 *
 * Return: the buffer, without a place.
 */
struct pddgpu_kunit_bo *pddgpu_kunit_bo(struct kunit *test, struct pddgpu_device *pdev, u64 size,
					u32 align_pages)
{
	struct pddgpu_kunit_buffers *buffers = dev_get_drvdata(pdev->drm.dev);
	struct pddgpu_kunit_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bo);
	drm_gem_private_object_init(&pdev->drm, &bo->tbo.base, size);
	bo->tbo.bdev = &pdev->ttm;
	bo->tbo.page_alignment = align_pages;
	list_add_tail(&bo->link, &buffers->list);
	return bo;
}

/**
 * pddgpu_kunit_place() - give a buffer a place
 * @bo: the buffer, without one
 * @mem_type: TTM_PL_VRAM or TTM_PL_TT
 * @first: first page that it may have
 * @end: the page behind the last that it may have; 0: any
 * @flags: TTM_PL_FLAG_*
 *
 * Return: what the manager says.
 */
int pddgpu_kunit_place(struct pddgpu_kunit_bo *bo, u32 mem_type, u64 first, u64 end, u32 flags)
{
	const struct ttm_place place = {
		.fpfn = first,
		.lpfn = end,
		.mem_type = mem_type,
		.flags = flags,
	};

	bo->man = ttm_manager_type(bo->tbo.bdev, mem_type);
	return bo->man->func->alloc(bo->man, &bo->tbo, &place, &bo->res);
}

/**
 * pddgpu_kunit_unplace() - take a buffer's place away
 * @bo: the buffer
 */
void pddgpu_kunit_unplace(struct pddgpu_kunit_bo *bo)
{
	if (bo->res)
		bo->man->func->free(bo->man, bo->res);
	bo->res = NULL;
}

/**
 * pddgpu_kunit_bo_free() - free a buffer
 * @bo: the buffer
 */
void pddgpu_kunit_bo_free(struct pddgpu_kunit_bo *bo)
{
	pddgpu_kunit_unplace(bo);
	list_del(&bo->link);
	drm_gem_private_object_fini(&bo->tbo.base);
	kfree(bo);
}

/**
 * pddgpu_kunit_seed() - begin a test's random numbers
 * @test: the test
 * @rnd: its random numbers
 */
void pddgpu_kunit_seed(struct kunit *test, struct rnd_state *rnd)
{
	prandom_seed_state(rnd, seed);
	kunit_info(test, "seed=%u\n", seed);
}

/**
 * pddgpu_kunit_below() - a random number
 * @rnd: the random numbers
 * @limit: more than 0
 *
 * Return: a number below @limit.
 */
u32 pddgpu_kunit_below(struct rnd_state *rnd, u32 limit)
{
	return prandom_u32_state(rnd) % limit;
}
