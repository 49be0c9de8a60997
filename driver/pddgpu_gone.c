// SPDX-License-Identifier: GPL-2.0
/*
 * The card is taken away from its users as soon as it is known to be gone, though
 * its PCI device is bound still: what remove does later is the rest. So nobody
 * waits for a card that will not answer, and nothing in the driver has to expect
 * one but the waits for it.
 *
 * How it is noticed: a register reads as all ones; or a request is not answered.
 * An idle card is not looked at. A card in use is: at each ioctl and each interrupt,
 * and every 20 ms while it has jobs, its signature is read. That does not show a
 * device that is dead, whose registers are memory: so it is asked for a sign of life
 * once a second while it is used, or when an engine gets no further.
 */
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>

#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_gone.h"
#include "pddgpu_hw.h"
#include "pddgpu_reset.h"

/* How long a card in use goes without being asked whether it is alive */
#define PDDGPU_GONE_ASK		HZ

/**
 * struct pddgpu_gone - who notices that the card is gone
 */
struct pddgpu_gone {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @ask: asks the card for a sign of life; not while the machine sleeps */
	struct work_struct ask;
	/** @end: ends what waits for the card */
	struct work_struct end;
	/** @unplug: takes the card away, after @end; may wait for memory */
	struct work_struct unplug;
	/** @wq: for @end: fences, and so reclaim, wait for it */
	struct workqueue_struct *wq;
	/** @asked: jiffies when @ask was queued last */
	unsigned long asked;
	/** @unplugged: somebody takes the card away, or has: @unplug, or remove */
	atomic_t unplugged;
};

static void pddgpu_gone_ask(struct work_struct *work)
{
	struct pddgpu_gone *gone = container_of(work, struct pddgpu_gone, ask);

	/* Its answer, or none, is seen to where it is waited for */
	pddgpu_hw_ping(gone->pdev->hw);
}

static void pddgpu_gone_unplug(struct work_struct *work)
{
	struct pddgpu_gone *gone = container_of(work, struct pddgpu_gone, unplug);

	if (!atomic_xchg(&gone->unplugged, 1))
		pddgpu_device_unplug(gone->pdev);
}

/* First nobody waits for the card any more; then those who did can be waited for. */
static void pddgpu_gone_end(struct work_struct *work)
{
	struct pddgpu_gone *gone = container_of(work, struct pddgpu_gone, end);
	struct pddgpu_device *pdev = gone->pdev;
	u32 i;

	/* Recovery stops and starts the schedulers too: none comes any more */
	pddgpu_reset_stop(pdev);
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		pddgpu_engine_forsake(pdev->engine[i]);
	/* It may have been slow only: then it is to do no more of what has ended */
	pddgpu_hw_halt(pdev->hw);
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		pddgpu_engine_abandon(pdev->engine[i]);
	/* Not while the machine sleeps: the interrupt cannot be given back then */
	queue_work(system_freezable_wq, &gone->unplug);
}

/* Any context. From here on ioctls say -ENODEV. */
static void pddgpu_gone_notice(void *data)
{
	struct pddgpu_gone *gone = data;

	atomic_set_release(&gone->pdev->state, PDDGPU_DEVICE_STATE_SHUTDOWN);
	queue_work(gone->wq, &gone->end);
}

/* Any context */
static void pddgpu_gone_doubt(void *data)
{
	struct pddgpu_gone *gone = data;

	if (time_before(jiffies, READ_ONCE(gone->asked) + PDDGPU_GONE_ASK))
		return;
	WRITE_ONCE(gone->asked, jiffies);
	queue_work(system_freezable_wq, &gone->ask);
}

/**
 * pddgpu_gone_look() - is the card there?
 * @pdev: the device, inside drm_dev_enter()
 *
 * For who is about to use it: reads a register, and has a card that has not been
 * asked for a while asked whether it is alive. Any context.
 *
 * Return: false when it is known to be gone.
 */
bool pddgpu_gone_look(struct pddgpu_device *pdev)
{
	pddgpu_gone_doubt(pdev->gone);
	return pddgpu_hw_look(pdev->hw);
}

static void pddgpu_gone_fini(struct drm_device *drm, void *arg)
{
	struct pddgpu_gone *gone = arg;

	destroy_workqueue(gone->wq);
}

/**
 * pddgpu_gone_init() - get ready to notice that the card is gone
 * @pdev: the device
 *
 * Return: 0 or -ENOMEM; ended with the DRM device.
 */
int pddgpu_gone_init(struct pddgpu_device *pdev)
{
	struct pddgpu_gone *gone;

	gone = drmm_kzalloc(&pdev->drm, sizeof(*gone), GFP_KERNEL);
	if (!gone)
		return -ENOMEM;
	gone->pdev = pdev;
	gone->asked = jiffies;
	INIT_WORK(&gone->ask, pddgpu_gone_ask);
	INIT_WORK(&gone->end, pddgpu_gone_end);
	INIT_WORK(&gone->unplug, pddgpu_gone_unplug);
	gone->wq = alloc_workqueue("pddgpu-gone", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!gone->wq)
		return -ENOMEM;
	pdev->gone = gone;
	return drmm_add_action_or_reset(&pdev->drm, pddgpu_gone_fini, gone);
}

/**
 * pddgpu_gone_start() - from now on a card that is gone is taken away
 * @pdev: the device, registered and started
 */
void pddgpu_gone_start(struct pddgpu_device *pdev)
{
	const struct pddgpu_hw_watch watch = {
		.gone = pddgpu_gone_notice,
		.doubt = pddgpu_gone_doubt,
		.data = pdev->gone,
	};

	pddgpu_hw_watch(pdev->hw, &watch);
}

/**
 * pddgpu_gone_now() - take away a card that is known to be gone
 * @pdev: the device, started
 *
 * Sleeps until that is done. Nobody else is at it: workers are frozen, and the device's
 * lock is held.
 */
void pddgpu_gone_now(struct pddgpu_device *pdev)
{
	struct pddgpu_gone *gone = pdev->gone;

	if (atomic_read(&gone->unplugged))
		return;
	pddgpu_gone_notice(gone);
	flush_work(&gone->end);
	/* Workers may be frozen still */
	if (!atomic_xchg(&gone->unplugged, 1))
		pddgpu_device_unplug(pdev);
}

/**
 * pddgpu_gone_remove() - take the card away, unless that is done already
 * @pdev: the device, registered
 *
 * When it returns nothing reaches for the card any more. A card that goes while its
 * users are waited for here is noticed still. Sleeps.
 */
void pddgpu_gone_remove(struct pddgpu_device *pdev)
{
	struct pddgpu_gone *gone = pdev->gone;

	if (!atomic_xchg(&gone->unplugged, 1))
		pddgpu_device_unplug(pdev);
	pddgpu_hw_watch(pdev->hw, NULL);
	/* They have not begun, and what they would do is done; or they do it */
	cancel_work_sync(&gone->end);
	cancel_work_sync(&gone->unplug);
	/* Nobody is inside an ioctl any more, who could have it asked */
	cancel_work_sync(&gone->ask);
}
