// SPDX-License-Identifier: GPL-2.0
/*
 * System sleep. The card loses what is in VRAM, so all of it has to leave, and
 * what cannot leave is copied and brought back:
 *
 * 1. While users work still, and memory can be had by swapping others out: buffers
 *    that may live elsewhere and that nobody uses are evicted, as at any other
 *    time, and memory is taken for a copy of the others.
 * 2. Users are frozen. What the driver does by itself ends, and so do the jobs
 *    that have begun; those that wait for another device's fence stay queued. What
 *    is in VRAM is copied (pddgpu_save.c), the chip is reset.
 * 3. The chip is reset again, and given its page tables, rings and the copy. All
 *    other VRAM counts as lost: nothing of it is clear.
 *
 * The first is a notifier's, the others are the device's callbacks. Any failure
 * refuses the sleep and leaves all as it was. A card that does not come back is
 * unplugged when all devices have been resumed, before users go on.
 *
 * A card that is wedged has no chip that could be reset, and nobody who would miss
 * what VRAM held: only what the driver does by itself ends in the second, and begins
 * again in the third.
 *
 * For hibernation it is the same: once around the image, and once more when the
 * machine is switched off. The memory for the copy is kept in between.
 *
 * Locks: the callbacks come one after the other, and the device's lock is held in
 * the second and third. info_lock (spinlock, a leaf) guards @info.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/suspend.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "pddgpu_clear.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_gone.h"
#include "pddgpu_hw.h"
#include "pddgpu_irq.h"
#include "pddgpu_monitor.h"
#include "pddgpu_pm.h"
#include "pddgpu_reset.h"
#include "pddgpu_residency.h"
#include "pddgpu_restart.h"
#include "pddgpu_save.h"
#include "pddgpu_swap.h"
#include "pddgpu_vram_used.h"

/* What the kernel gives to processes, so that they freeze, jobs get too */
#define PDDGPU_PM_PATIENCE	(20 * HZ)

/* As recovery does before it gives a card up: data would be lost with it */
#define PDDGPU_PM_RESETS	4
#define PDDGPU_PM_RESET_MS	250

/**
 * struct pddgpu_pm - a card's sleep
 */
struct pddgpu_pm {
	/** @pdev: the device; constant */
	struct pddgpu_device *pdev;
	/** @notifier: tells of sleeps before users are frozen */
	struct notifier_block notifier;
	/** @save: what is in VRAM meanwhile */
	struct pddgpu_save *save;
	/** @asleep: the chip has been reset and is to be brought back */
	bool asleep;
	/** @resting: what the driver does by itself has been stopped, and no more */
	bool resting;
	/** @info_lock: guards @info */
	spinlock_t info_lock;
	/** @info: for people */
	struct pddgpu_pm_info info;
};

/**
 * pddgpu_pm_get_info() - what has come of sleeping
 * @pdev: the device
 * @info: out
 */
void pddgpu_pm_get_info(struct pddgpu_device *pdev, struct pddgpu_pm_info *info)
{
	struct pddgpu_pm *pm = pdev->pm;

	spin_lock(&pm->info_lock);
	*info = pm->info;
	spin_unlock(&pm->info_lock);
}

static void pddgpu_pm_set_phase(struct pddgpu_pm *pm, enum pddgpu_pm_phase phase)
{
	spin_lock(&pm->info_lock);
	pm->info.phase = phase;
	spin_unlock(&pm->info_lock);
}

static void pddgpu_pm_failed(struct pddgpu_pm *pm, enum pddgpu_pm_phase phase, int error)
{
	spin_lock(&pm->info_lock);
	pm->info.phase = phase;
	pm->info.failures++;
	pm->info.last_error = error;
	spin_unlock(&pm->info_lock);
}

static u64 pddgpu_pm_ms_since(ktime_t start)
{
	return ktime_ms_delta(ktime_get(), start);
}

/* Users work still: what is done here may be undone by them, and is tried only. */
static int pddgpu_pm_prepare(struct pddgpu_pm *pm)
{
	ktime_t start = ktime_get();
	u64 evicted;
	int ret;

	/* Gone already; or not yet there, and then there is nothing to lose */
	if (!pddgpu_device_ready(pm->pdev))
		return 0;
	pddgpu_pm_set_phase(pm, PDDGPU_PM_PREPARING);
	pddgpu_residency_evict_vram(pm->pdev, &evicted);
	ret = pddgpu_save_prepare(pm->save);

	spin_lock(&pm->info_lock);
	pm->info.evicted = evicted;
	pm->info.prepare_ms = pddgpu_pm_ms_since(start);
	spin_unlock(&pm->info_lock);
	if (ret) {
		drm_err(&pm->pdev->drm, "PDDGPU: no sleep: no memory for what is in VRAM: %d\n",
			ret);
		pddgpu_save_free(pm->save);
		pddgpu_pm_failed(pm, PDDGPU_PM_ACTIVE, ret);
	}
	return ret;
}

static void pddgpu_pm_over(struct pddgpu_pm *pm)
{
	pddgpu_save_free(pm->save);
	if (pddgpu_device_ready(pm->pdev))
		pddgpu_pm_set_phase(pm, PDDGPU_PM_ACTIVE);
}

static int pddgpu_pm_notify(struct notifier_block *notifier, unsigned long event, void *data)
{
	struct pddgpu_pm *pm = container_of(notifier, struct pddgpu_pm, notifier);

	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(pddgpu_pm_prepare(pm));
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		pddgpu_pm_over(pm);
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

/* What the driver does by itself */
static void pddgpu_pm_stop_work(struct pddgpu_device *pdev)
{
	pddgpu_monitor_stop(pdev);
	pddgpu_clear_stop(pdev);
	pddgpu_swap_flush(pdev);
}

static void pddgpu_pm_start_work(struct pddgpu_device *pdev)
{
	pddgpu_clear_start(pdev);
	pddgpu_monitor_start(pdev);
}

/*
 * Users' jobs end first, since moves may wait for them, then what is in VRAM is
 * copied, by the paging engine, and it stops too.
 */
static int pddgpu_pm_empty(struct pddgpu_pm *pm)
{
	struct pddgpu_engine *user = pm->pdev->engine[PDDGPU_ENGINE_USER];
	struct pddgpu_engine *paging = pm->pdev->engine[PDDGPU_ENGINE_PAGING];
	unsigned long deadline = jiffies + PDDGPU_PM_PATIENCE;
	u64 saved;
	int ret;

	ret = pddgpu_engine_sleep(user, deadline);
	if (ret)
		return ret;
	ret = pddgpu_save_vram(pm->save, &saved);
	if (!ret)
		ret = pddgpu_engine_sleep(paging, deadline);
	if (ret) {
		pddgpu_engine_wake(user);
		return ret;
	}
	pddgpu_reset_hold(pm->pdev);
	spin_lock(&pm->info_lock);
	pm->info.saved = saved;
	spin_unlock(&pm->info_lock);
	return 0;
}

static int pddgpu_pm_suspend(struct device *dev)
{
	struct pddgpu_device *pdev = pci_get_drvdata(to_pci_dev(dev));
	struct pddgpu_pm *pm = pdev->pm;
	ktime_t start = ktime_get();
	int ret = 0, idx;

	if (!drm_dev_enter(&pdev->drm, &idx))
		return 0;
	pddgpu_pm_stop_work(pdev);
	if (!pddgpu_device_ready(pdev)) {
		pm->resting = true;
		goto out_exit;
	}
	pddgpu_pm_set_phase(pm, PDDGPU_PM_SUSPENDING);
	ret = pddgpu_pm_empty(pm);
	if (ret) {
		drm_err(&pdev->drm, "PDDGPU: no sleep: VRAM could not be saved: %d\n", ret);
		pddgpu_reset_go_on(pdev);
		pddgpu_pm_start_work(pdev);
		pddgpu_pm_failed(pm, PDDGPU_PM_ACTIVE, ret);
		goto out_exit;
	}
	pddgpu_irq_pause(pdev->irq);
	pddgpu_device_quiesce(pdev);
	pm->asleep = true;

	spin_lock(&pm->info_lock);
	pm->info.phase = PDDGPU_PM_SUSPENDED;
	pm->info.suspends++;
	pm->info.suspend_ms = pddgpu_pm_ms_since(start);
	spin_unlock(&pm->info_lock);
out_exit:
	drm_dev_exit(idx);
	return ret;
}

/* What is in system memory waits; nobody does but who has the machine woken up. */
static int pddgpu_pm_reset(struct pddgpu_device *pdev)
{
	u32 tries;
	int ret;

	for (tries = 1; ; tries++) {
		ret = pddgpu_hw_reset(pdev->hw);
		if (ret != -EIO || tries == PDDGPU_PM_RESETS)
			return ret;
		msleep(PDDGPU_PM_RESET_MS);
	}
}

/* From the reset on: page tables, rings, and what was in VRAM. */
static int pddgpu_pm_bring_back(struct pddgpu_pm *pm)
{
	struct pddgpu_device *pdev = pm->pdev;
	int ret;

	pci_set_master(to_pci_dev(pdev->drm.dev));
	if (!pddgpu_hw_present(pdev->hw))
		return -ENODEV;
	ret = pddgpu_pm_reset(pdev);
	if (ret)
		return ret;
	ret = pddgpu_device_restart(pdev);
	if (ret)
		return ret;
	ret = pddgpu_vram_mgr_forget_clear(pdev->vram_mgr);
	if (ret)
		return ret;
	pddgpu_reset_woken(pdev);
	pddgpu_engine_wake(pdev->engine[PDDGPU_ENGINE_PAGING]);
	return pddgpu_save_restore(pm->save);
}

static int pddgpu_pm_resume(struct device *dev)
{
	struct pddgpu_device *pdev = pci_get_drvdata(to_pci_dev(dev));
	struct pddgpu_pm *pm = pdev->pm;
	ktime_t start = ktime_get();
	int ret, idx;

	if (!(pm->asleep || pm->resting) || !drm_dev_enter(&pdev->drm, &idx))
		return 0;
	if (pm->resting) {
		ret = 0;
		pm->resting = false;
		/* One that has gone is taken away soon */
		if (pddgpu_device_error(pdev) == -EIO)
			pddgpu_pm_start_work(pdev);
		goto out_exit;
	}
	pm->asleep = false;
	pddgpu_pm_set_phase(pm, PDDGPU_PM_RESUMING);
	ret = pddgpu_pm_bring_back(pm);
	if (ret) {
		drm_err(&pdev->drm, "PDDGPU: the card has not come back: %d\n", ret);
		pddgpu_pm_failed(pm, PDDGPU_PM_GONE, ret);
		goto out_exit;
	}
	pddgpu_engine_wake(pdev->engine[PDDGPU_ENGINE_USER]);
	pddgpu_pm_start_work(pdev);

	spin_lock(&pm->info_lock);
	pm->info.phase = PDDGPU_PM_ACTIVE;
	pm->info.resumes++;
	pm->info.resume_ms = pddgpu_pm_ms_since(start);
	spin_unlock(&pm->info_lock);
out_exit:
	drm_dev_exit(idx);
	return ret;
}

/*
 * All devices are back, and users are frozen still: the last moment at which they
 * can be kept from a card that is not, whether that was noticed on the way back or
 * on the way to sleep.
 */
static void pddgpu_pm_complete(struct device *dev)
{
	struct pddgpu_device *pdev = pci_get_drvdata(to_pci_dev(dev));

	if (READ_ONCE(pdev->pm->info.phase) == PDDGPU_PM_GONE ||
	    pddgpu_device_state(pdev) == PDDGPU_DEVICE_STATE_SHUTDOWN)
		pddgpu_gone_now(pdev);
}

const struct dev_pm_ops pddgpu_pm_ops = {
	SYSTEM_SLEEP_PM_OPS(pddgpu_pm_suspend, pddgpu_pm_resume)
	.complete = pm_sleep_ptr(pddgpu_pm_complete),
};

static void pddgpu_pm_fini(void *arg)
{
	unregister_pm_notifier(arg);
}

/**
 * pddgpu_pm_init() - get ready to sleep
 * @pdev: the device, brought up
 *
 * Return: 0 or an errno; ended with the driver's binding.
 */
int pddgpu_pm_init(struct pddgpu_device *pdev)
{
	struct pddgpu_pm *pm;
	int ret;

	pm = drmm_kzalloc(&pdev->drm, sizeof(*pm), GFP_KERNEL);
	if (!pm)
		return -ENOMEM;
	pm->pdev = pdev;
	pm->save = pddgpu_save_init(pdev);
	if (IS_ERR(pm->save))
		return PTR_ERR(pm->save);
	spin_lock_init(&pm->info_lock);
	pm->notifier.notifier_call = pddgpu_pm_notify;
	pdev->pm = pm;
	ret = register_pm_notifier(&pm->notifier);
	if (ret)
		return ret;
	return devm_add_action_or_reset(pdev->drm.dev, pddgpu_pm_fini, &pm->notifier);
}
