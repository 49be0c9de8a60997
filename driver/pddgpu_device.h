/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_DEVICE_H
#define PDDGPU_DEVICE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/cleanup.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/ttm/ttm_device.h>

#include <drm/pddgpu_drm.h>

#include <pddgpu_regs.h>

struct drm_gem_object_funcs;
struct pci_dev;
struct pddgpu_account;
struct pddgpu_hw;
struct pddgpu_chip;
struct pddgpu_clear;
struct pddgpu_stats;
struct pddgpu_leak_tracker;
struct pddgpu_vram_mgr;
struct pddgpu_gtt_mgr;
struct pddgpu_gart;
struct pddgpu_engine;
struct pddgpu_gone;
struct pddgpu_evict;
struct pddgpu_irq;
struct pddgpu_monitor;
struct pddgpu_mover;
struct pddgpu_paging;
struct pddgpu_pm;
struct pddgpu_reset;
struct pddgpu_residency;
struct pddgpu_swap;
struct pddgpu_unfreed;
struct pddgpu_unpageable;

/**
 * struct pddgpu_device - a card
 *
 * Visible from the floor of buffers up; what lies below takes its own
 * structure. Each block is allocated by its own init function.
 */
struct pddgpu_device {
	/** @drm: the DRM device; its release frees everything here */
	struct drm_device drm;
	/** @state: PDDGPU_DEVICE_STATE_*, see pddgpu_device_state() */
	atomic_t state;
	/** @hw: registers, doorbells and interrupts */
	struct pddgpu_hw *hw;
	/** @chip: what the chip says it is, and its segments */
	struct pddgpu_chip *chip;
	/** @stats: event counters and latencies */
	struct pddgpu_stats *stats;
	/** @leaks: every buffer alive */
	struct pddgpu_leak_tracker *leaks;
	/** @unfreed: what clients have left */
	struct pddgpu_unfreed *unfreed;
	/** @account: what clients have */
	struct pddgpu_account *account;
	/** @monitor: the leak monitor */
	struct pddgpu_monitor *monitor;
	/** @ttm: the memory manager; constant after init */
	struct ttm_device ttm;
	/** @vram_mgr: who allocates VRAM */
	struct pddgpu_vram_mgr *vram_mgr;
	/** @gtt_mgr: who allocates the GTT aperture */
	struct pddgpu_gtt_mgr *gtt_mgr;
	/** @gart: page tables of the GTT aperture */
	struct pddgpu_gart *gart;
	/** @evict: where victims go; constant */
	const struct pddgpu_evict *evict;
	/** @irq: the interrupt ring */
	struct pddgpu_irq *irq;
	/** @engine: the copy engines, by PDDGPU_ENGINE_* */
	struct pddgpu_engine *engine[PDDGPU_ENGINE_COUNT];
	/** @mover: the driver's own queue for the paging engine */
	struct pddgpu_mover *mover;
	/** @paging: the window for what has no place in the aperture */
	struct pddgpu_paging *paging;
	/** @swap: what swaps buffers out */
	struct pddgpu_swap *swap;
	/** @unpageable: what may be kept unpageable, and what is */
	struct pddgpu_unpageable *unpageable;
	/** @residency: what is where, and page-out on request */
	struct pddgpu_residency *residency;
	/** @gone: who notices that the card is gone */
	struct pddgpu_gone *gone;
	/** @clear: who clears free VRAM */
	struct pddgpu_clear *clear;
	/** @import_mutex: one who maps or unmaps at a time, see pddgpu_import.c */
	struct mutex import_mutex;
	/** @imports: dma-bufs that are mapped for the card; under @import_mutex */
	struct list_head imports;
	/** @import_lock: guards who uses them; a leaf */
	spinlock_t import_lock;
	/** @import_work: lets go of those that nobody uses any more */
	struct work_struct import_work;
	/** @import_wq: where it runs */
	struct workqueue_struct *import_wq;
	/** @pm: what it does when the system sleeps */
	struct pddgpu_pm *pm;
	/** @gem_funcs: what GEM calls on a buffer; constant */
	const struct drm_gem_object_funcs *gem_funcs;
	/** @system_limit: bytes of system memory that buffers may hold; constant */
	u64 system_limit;
	/** @system_used: bytes of system memory that they hold, swap excluded */
	atomic64_t system_used;
	/** @reset: who resets the chip */
	struct pddgpu_reset *reset;
	/**
	 * @reset_sem: read while the CPU copies from or to VRAM, written while the
	 * chip is being reset; taken last but for the GART's lock, and whoever has it
	 * waits for no memory
	 */
	struct rw_semaphore reset_sem;
	/** @search_lock: guards @searches; a leaf */
	spinlock_t search_lock;
	/** @searches: threads that are looking for room, see pddgpu_room.c */
	struct list_head searches;
	/** @submits_holding: SUBMITs that hold their buffers now */
	atomic_t submits_holding;
	/** @submits_held: how many have held theirs; it wraps */
	atomic_t submits_held;
};

static inline struct pddgpu_device *to_pddgpu(struct drm_device *drm)
{
	return container_of(drm, struct pddgpu_device, drm);
}

static inline struct pddgpu_device *ttm_to_pddgpu(struct ttm_device *ttm)
{
	return container_of(ttm, struct pddgpu_device, ttm);
}

/**
 * pddgpu_device_state() - the device's state
 * @pdev: the device
 *
 * Return: PDDGPU_DEVICE_STATE_*. It only ever goes forward; a caller that must
 * not race with unplug holds drm_dev_enter() besides.
 */
static inline u32 pddgpu_device_state(struct pddgpu_device *pdev)
{
	return atomic_read_acquire(&pdev->state);
}

static inline bool pddgpu_device_ready(struct pddgpu_device *pdev)
{
	return pddgpu_device_state(pdev) == PDDGPU_DEVICE_STATE_READY;
}

/**
 * pddgpu_device_error() - is the device of no use to its users, and why?
 * @pdev: the device
 *
 * Return: 0; -EIO when it is wedged, -ENODEV when it is going or not there yet.
 */
static inline int pddgpu_device_error(struct pddgpu_device *pdev)
{
	switch (pddgpu_device_state(pdev)) {
	case PDDGPU_DEVICE_STATE_READY:
		return 0;
	case PDDGPU_DEVICE_STATE_WEDGED:
		return -EIO;
	default:
		return -ENODEV;
	}
}

int pddgpu_device_init(struct pddgpu_device *pdev, struct pci_dev *pci);
void pddgpu_device_unplug(struct pddgpu_device *pdev);
void pddgpu_device_undo(struct pddgpu_device *pdev);
void pddgpu_device_quiesce(struct pddgpu_device *pdev);

/**
 * struct pddgpu_inside - whether the card is there, for as long as this is in scope
 *
 * Nobody has one any more when drm_dev_unplug() returns, and who asks for one later finds
 * the device gone (requirement C1). So there is to be no copy from or to the user's memory
 * in such a scope: see pddgpu_drv_guarded_ioctl().
 */
struct pddgpu_inside {
	/** @is: it is there; or else return -ENODEV */
	bool is;
	/** @idx: for drm_dev_exit() */
	int idx;
};

static inline struct pddgpu_inside pddgpu_inside_enter(struct drm_device *drm)
{
	struct pddgpu_inside inside;

	inside.is = drm_dev_enter(drm, &inside.idx);
	return inside;
}

DEFINE_CLASS(pddgpu_inside, struct pddgpu_inside, if (_T.is) drm_dev_exit(_T.idx),
	     pddgpu_inside_enter(drm), struct drm_device *drm)

#endif /* PDDGPU_DEVICE_H */
