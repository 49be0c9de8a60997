// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/pci.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "pddgpu_account.h"
#include "pddgpu_bo_evidence.h"
#include "pddgpu_chip.h"
#include "pddgpu_clear.h"
#include "pddgpu_debugfs.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_gart.h"
#include "pddgpu_gem.h"
#include "pddgpu_gone.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_hw.h"
#include "pddgpu_import.h"
#include "pddgpu_irq.h"
#include "pddgpu_leak.h"
#include "pddgpu_lockdep.h"
#include "pddgpu_monitor.h"
#include "pddgpu_move.h"
#include "pddgpu_paging.h"
#include "pddgpu_reset.h"
#include "pddgpu_residency.h"
#include "pddgpu_stats.h"
#include "pddgpu_swap.h"
#include "pddgpu_ttm.h"
#include "pddgpu_tunable.h"
#include "pddgpu_unfreed.h"
#include "pddgpu_unpageable.h"
#include "pddgpu_vram_mgr.h"

static int pddgpu_device_init_hw(struct pddgpu_device *pdev, struct pci_dev *pci)
{
	int ret;

	pdev->hw = pddgpu_hw_init(&pdev->drm, pci);
	if (IS_ERR(pdev->hw))
		return PTR_ERR(pdev->hw);
	/* The last driver, or a kernel before this one, may have left anything */
	ret = pddgpu_hw_reset(pdev->hw);
	if (ret)
		return ret;
	pdev->chip = pddgpu_chip_init(&pdev->drm, pdev->hw);
	if (IS_ERR(pdev->chip))
		return PTR_ERR(pdev->chip);
	pddgpu_tunable_limit_vram(pdev);
	return pddgpu_hw_map_vram(pdev->hw, pdev->chip->vram_bar_offset,
				  pdev->chip->vram_visible_size);
}

static int pddgpu_device_init_memory(struct pddgpu_device *pdev)
{
	const struct pddgpu_chip *chip = pdev->chip;
	struct drm_device *drm = &pdev->drm;
	struct sysinfo si;
	int ret;

	si_meminfo(&si);
	pdev->system_limit =
		pddgpu_chip_system_memory(chip, (u64)si.totalram * si.mem_unit);

	pdev->vram_mgr = pddgpu_vram_mgr_create(drm);
	pdev->gtt_mgr = pddgpu_gtt_mgr_create(drm);
	if (!pdev->vram_mgr || !pdev->gtt_mgr)
		return -ENOMEM;
	ret = pddgpu_ttm_init(pdev);
	if (ret)
		return ret;
	ret = pddgpu_vram_mgr_init(pdev->vram_mgr, drm, &pdev->ttm, chip->vram_size,
				   chip->vram_visible_size);
	if (ret)
		return ret;
	ret = pddgpu_gtt_mgr_init(pdev->gtt_mgr, drm, &pdev->ttm, chip->gtt_size,
				  pddgpu_tunable_gtt_size(pdev, min(chip->gtt_size,
								    pdev->system_limit)));
	if (ret)
		return ret;
	ret = pddgpu_ttm_init_evict(pdev);
	if (ret)
		return ret;
	pdev->gart = pddgpu_gart_init(drm, pdev->hw, chip, pdev->vram_mgr);
	if (IS_ERR(pdev->gart))
		return PTR_ERR(pdev->gart);
	return pddgpu_swap_init(pdev);
}

static void pddgpu_device_fences(void *data, u32 engine)
{
	struct pddgpu_device *pdev = data;

	pddgpu_engine_signal(pdev->engine[engine]);
}

static void pddgpu_device_fault(void *data, u32 engine, u32 status, u64 addr)
{
	struct pddgpu_device *pdev = data;

	pddgpu_engine_fault(pdev->engine[engine], status, addr);
}

static int pddgpu_device_init_engines(struct pddgpu_device *pdev, struct pci_dev *pci)
{
	const struct pddgpu_irq_handler handler = {
		.fences = pddgpu_device_fences,
		.fault = pddgpu_device_fault,
		.data = pdev,
	};
	struct drm_device *drm = &pdev->drm;
	u64 offset;
	int ret;
	u32 i;

	ret = pddgpu_reset_init(pdev);
	if (ret)
		return ret;
	ret = pddgpu_vram_mgr_reserve(pdev->vram_mgr, PDDGPU_IRQ_RING_SIZE, PAGE_SIZE,
				      &offset);
	if (ret)
		return ret;
	pdev->irq = pddgpu_irq_init(drm, pdev->hw, pci, pdev->chip->vram_start, offset);
	if (IS_ERR(pdev->irq))
		return PTR_ERR(pdev->irq);
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		ret = pddgpu_vram_mgr_reserve(pdev->vram_mgr, PDDGPU_ENGINE_VRAM_SIZE,
					      PAGE_SIZE, &offset);
		if (ret)
			return ret;
		pdev->engine[i] = pddgpu_engine_init(drm, pdev->hw, pdev->chip,
						     pdev->gart, i, offset,
						     pddgpu_reset_recovery(pdev));
		if (IS_ERR(pdev->engine[i]))
			return PTR_ERR(pdev->engine[i]);
	}
	ret = pddgpu_move_init(pdev);
	if (ret)
		return ret;
	ret = pddgpu_paging_init(pdev);
	if (ret)
		return ret;
	ret = pddgpu_clear_init(pdev);
	if (ret)
		return ret;

	ret = pddgpu_irq_start(pdev->irq, &handler);
	if (ret)
		return ret;
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		pddgpu_engine_start(pdev->engine[i]);
	/* Tells too that the rings have been taken over */
	ret = pddgpu_hw_flush_tlb(pdev->hw);
	if (ret)
		pddgpu_irq_stop(pdev->irq);
	return ret;
}

static int pddgpu_device_init_parts(struct pddgpu_device *pdev, struct pci_dev *pci)
{
	int ret;

	pdev->stats = pddgpu_memory_stats_init(&pdev->drm);
	if (IS_ERR(pdev->stats))
		return PTR_ERR(pdev->stats);
	pdev->leaks = pddgpu_leak_tracker_init(&pdev->drm);
	if (IS_ERR(pdev->leaks))
		return PTR_ERR(pdev->leaks);
	pddgpu_leak_set_look(pdev->leaks, pddgpu_bo_look);
	pdev->unfreed = pddgpu_unfreed_init(&pdev->drm);
	if (!pdev->unfreed)
		return -ENOMEM;
	pdev->account = pddgpu_account_init(&pdev->drm);
	if (IS_ERR(pdev->account))
		return PTR_ERR(pdev->account);
	ret = pddgpu_device_init_memory(pdev);
	if (ret)
		return ret;
	ret = pddgpu_monitor_init(pdev);
	if (ret)
		return ret;
	pddgpu_tunable_preset(pdev);
	ret = pddgpu_device_init_engines(pdev, pci);
	if (ret)
		return ret;
	ret = pddgpu_unpageable_init(pdev);
	if (ret)
		return ret;
	ret = pddgpu_residency_init(pdev);
	if (ret)
		return ret;
	ret = pddgpu_lockdep_prime(pdev);
	if (ret)
		return ret;
	return pddgpu_gone_init(pdev);
}

/**
 * pddgpu_device_init() - bring a card up
 * @pdev: the device, allocated with its DRM device
 * @pci: the PCI device, enabled
 *
 * Ends in the state READY; users come with drm_dev_register().
 *
 * Return: 0 or an errno; -ENODEV without a word when the card is somebody
 * else's. What was done is undone with @pdev; the chip reaches no memory any more.
 */
int pddgpu_device_init(struct pddgpu_device *pdev, struct pci_dev *pci)
{
	int ret;

	atomic_set(&pdev->state, PDDGPU_DEVICE_STATE_INITIALIZING);
	pdev->gem_funcs = &pddgpu_gem_funcs;
	init_rwsem(&pdev->reset_sem);
	spin_lock_init(&pdev->search_lock);
	INIT_LIST_HEAD(&pdev->searches);

	ret = pddgpu_import_init(pdev);
	if (ret)
		return ret;
	ret = pddgpu_device_init_hw(pdev, pci);
	if (ret)
		return ret;
	ret = pddgpu_device_init_parts(pdev, pci);
	if (ret) {
		/* What it could reach is given back from here on */
		pddgpu_device_quiesce(pdev);
		return ret;
	}

	atomic_set_release(&pdev->state, PDDGPU_DEVICE_STATE_READY);
	drm_info(&pdev->drm, "PDDGPU: %s: VRAM %llu MB (%llu MB visible), GTT %llu MB\n",
		 pdev->chip->name, pddgpu_vram_mgr_size(pdev->vram_mgr) >> 20,
		 pddgpu_vram_mgr_visible_size(pdev->vram_mgr) >> 20,
		 pddgpu_gtt_mgr_size(pdev->gtt_mgr) >> 20);
	return 0;
}

/* No new users */
static void pddgpu_device_close(struct pddgpu_device *pdev)
{
	pddgpu_debugfs_unlink(pdev);
	atomic_set_release(&pdev->state, PDDGPU_DEVICE_STATE_SHUTDOWN);
	pddgpu_vram_mgr_shutdown(pdev->vram_mgr);
	pddgpu_gtt_mgr_shutdown(pdev->gtt_mgr);
}

/* Nobody is inside drm_dev_enter() any more. */
static void pddgpu_device_stop(struct pddgpu_device *pdev)
{
	u32 i;

	pddgpu_monitor_stop(pdev);
	pddgpu_reset_stop(pdev);
	pddgpu_device_quiesce(pdev);
	pddgpu_irq_stop(pdev->irq);
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		pddgpu_engine_forsake(pdev->engine[i]);
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		pddgpu_engine_stop(pdev->engine[i]);
	pddgpu_reset_forget(pdev);
	/* Whose jobs have failed now, if they were not done */
	pddgpu_clear_stop(pdev);
	pddgpu_engine_drain(pdev->engine[PDDGPU_ENGINE_PAGING]);
	pddgpu_gart_unplug(pdev->gart);
	pddgpu_import_unplug(pdev);
}

/**
 * pddgpu_device_unplug() - take the card away from its users
 * @pdev: the device, registered; called once, by pddgpu_gone.c
 *
 * In this order: no new users, and those inside leave; nothing runs by itself
 * any more; the chip stops reaching memory, and nobody waits for it; the pages
 * are unmapped for it. The buffers stay until their users close them.
 */
void pddgpu_device_unplug(struct pddgpu_device *pdev)
{
	pddgpu_device_close(pdev);
	drm_dev_unplug(&pdev->drm);
	pddgpu_device_stop(pdev);
}

/**
 * pddgpu_device_undo() - take a card away that could not be registered
 * @pdev: the device, brought up
 *
 * As pddgpu_device_unplug(): DRM shows one node after the other, so somebody may
 * have found the first, and have work under way. That he gets no further DRM has
 * seen to, when it failed; to unplug what is not registered it takes for a bug.
 */
void pddgpu_device_undo(struct pddgpu_device *pdev)
{
	pddgpu_device_close(pdev);
	unmap_mapping_range(pdev->drm.anon_inode->i_mapping, 0, 0, 1);
	pddgpu_device_stop(pdev);
}

/**
 * pddgpu_device_quiesce() - stop the chip from reaching memory
 * @pdev: the device, brought up
 *
 * A reset, unless the card has fallen off the bus; then it is no bus master.
 */
void pddgpu_device_quiesce(struct pddgpu_device *pdev)
{
	if (pddgpu_hw_present(pdev->hw))
		pddgpu_hw_reset(pdev->hw);
	pci_clear_master(to_pci_dev(pdev->drm.dev));
}
