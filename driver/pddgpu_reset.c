// SPDX-License-Identifier: GPL-2.0
/*
 * The chip is reset when an engine cannot be, and then everything is brought back.
 * Where that fails the CPU does the engines' work, and the reset is tried again
 * some times; after the last the card is given up, and says so.
 *
 * Whatever recovers the chip or an engine runs on one ordered workqueue, so there
 * is no lock between them. Fences wait for what runs there: nothing on it waits for
 * memory, nor takes a lock that is held while somebody waits for memory. Also the
 * last of it is so: the engine whose job has hung goes on only when that is over.
 *
 * Locks, from the outside: a buffer's reservation; the paging window; the driver's
 * queue; &pddgpu_device.reset_sem, read by who copies from or to VRAM by the CPU, who
 * allocates nothing meanwhile, and written while the chip is being reset; the GART's;
 * the card's requests. The VRAM manager's is not taken here: see pddgpu_vram_loss.c.
 * Who runs the engines' jobs needs none: the schedulers are stopped.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <pddgpu_regs.h>

#include "pddgpu_chip.h"
#include "pddgpu_compat.h"
#include "pddgpu_coredump.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_fence.h"
#include "pddgpu_hw.h"
#include "pddgpu_irq.h"
#include "pddgpu_reset.h"
#include "pddgpu_restart.h"
#include "pddgpu_trace.h"
#include "pddgpu_vram_mgr.h"

/* Before the second attempt; twice as long before each that follows */
#define PDDGPU_RESET_DELAY_MS	250u
/* No longer than this, however many there may be */
#define PDDGPU_RESET_DELAY_MAX	4000u
/* An engine that stops while it fills VRAM with zeros is reset so often */
#define PDDGPU_RESET_ZERO_TRIES	3

static unsigned int chip_resets = 4;
module_param(chip_resets, uint, 0644);
MODULE_PARM_DESC(chip_resets, "Resets of the chip one after the other that may fail before it is given up; 0: it is not reset (default: 4)");

/**
 * struct pddgpu_reset - who resets the chip
 */
struct pddgpu_reset {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @recovery: what the engines are given; constant */
	struct pddgpu_recovery recovery;
	/** @again: the next attempt */
	struct delayed_work again;
	/** @asked: somebody wants it reset */
	struct work_struct asked;
	/** @wedged: tells userspace that it is given up; waits for memory */
	struct work_struct wedged;
	/** @ask_lock: one who wants that at a time; taken before anything else */
	struct mutex ask_lock;
	/** @answer: what came of it */
	int answer;
	/** @failed: attempts since the last good one; on @recovery.wq alone */
	u32 failed;
	/** @stopped: no more resets */
	bool stopped;
	/** @coredump: where the last one is kept */
	struct pddgpu_coredump *coredump;
	/** @good: see struct pddgpu_reset_info */
	atomic64_t good;
	/** @bad: the same */
	atomic64_t bad;
	/** @losses: the same */
	atomic64_t losses;
	/** @last_us: the same */
	u64 last_us;
};

static void pddgpu_reset_engines(struct pddgpu_device *pdev,
				 void (*what)(struct pddgpu_engine *engine))
{
	u32 i;

	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		what(pdev->engine[i]);
}

/* One piece of what buffers have been in */
static int pddgpu_reset_zero_piece(struct pddgpu_device *pdev, u64 from, u64 bytes)
{
	struct pddgpu_engine *engine = pdev->engine[PDDGPU_ENGINE_PAGING];
	u32 tries;
	int ret;

	for (tries = 0; tries < PDDGPU_RESET_ZERO_TRIES; tries++) {
		ret = pddgpu_engine_fill_now(engine, pdev->chip->vram_start + from, bytes);
		if (!ret || pddgpu_hw_reset_engine(pdev->hw, PDDGPU_ENGINE_PAGING))
			break;
		pddgpu_engine_start(engine);
		if (pddgpu_hw_flush_tlb(pdev->hw))
			break;
	}
	return ret;
}

/*
 * What VRAM holds now is the device's. Users find zeros, before anything of theirs
 * gets there: nothing that was put there after the loss is wiped out.
 */
static int pddgpu_reset_zero(struct pddgpu_device *pdev)
{
	u64 from = 0, bytes;
	int ret = 0;

	while (!ret) {
		bytes = pddgpu_vram_mgr_next_touched(pdev->vram_mgr, &from,
						     PDDGPU_OP_BYTES_MAX);
		if (!bytes)
			break;
		ret = pddgpu_reset_zero_piece(pdev, from, bytes);
		from += bytes;
	}
	return ret;
}

/* The chip itself. Nobody else touches it, nor VRAM, apart from users' mappings. */
static int pddgpu_reset_chip(struct pddgpu_reset *reset)
{
	struct pddgpu_device *pdev = reset->pdev;
	bool lost;
	int ret;

	ret = pddgpu_hw_reset(pdev->hw);
	lost = !ret && pddgpu_hw_vram_lost(pdev->hw);
	if (lost) {
		atomic64_inc(&reset->losses);
		pddgpu_vram_mgr_lose(pdev->vram_mgr);
		pddgpu_reset_engines(pdev, pddgpu_engine_lose_vram);
		drm_err(&pdev->drm, "PDDGPU: what VRAM held is lost\n");
	} else {
		pddgpu_reset_engines(pdev, pddgpu_engine_catch_up);
	}
	if (!ret)
		ret = pddgpu_device_restart(pdev);
	if (!ret && lost)
		ret = pddgpu_reset_zero(pdev);
	if (ret)
		pddgpu_hw_silence(pdev->hw);
	return ret;
}

static void pddgpu_reset_tell(struct work_struct *work)
{
	struct pddgpu_reset *reset = container_of(work, struct pddgpu_reset, wedged);
	int idx;

	/* Of one that is taken away everybody is told anyway */
	if (!drm_dev_enter(&reset->pdev->drm, &idx))
		return;
	pddgpu_wedged_event(&reset->pdev->drm);
	drm_dev_exit(idx);
}

/*
 * The card is of no use any more. Moves go on, by the CPU, so that what is in system
 * pages or where the CPU reaches can be had until it is freed.
 */
static void pddgpu_reset_give_up(struct pddgpu_reset *reset)
{
	struct pddgpu_device *pdev = reset->pdev;
	u32 i;

	/* Unplugging goes further */
	if (atomic_cmpxchg(&pdev->state, PDDGPU_DEVICE_STATE_READY,
			   PDDGPU_DEVICE_STATE_WEDGED) != PDDGPU_DEVICE_STATE_READY)
		return;
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		pddgpu_engine_refuse(pdev->engine[i], -EIO);
	drm_err(&pdev->drm, "PDDGPU: wedged: %u resets of the chip have failed; bind it anew\n",
		reset->failed);
	schedule_work(&reset->wedged);
}

/* It did not work: how to go on */
static void pddgpu_reset_failed(struct pddgpu_reset *reset, int error)
{
	unsigned int most = READ_ONCE(chip_resets);
	u32 delay;

	reset->failed++;
	/* A card that is gone is no card to be reset */
	if (error == -ENODEV || !most)
		return;
	if (reset->failed >= most) {
		pddgpu_reset_give_up(reset);
		return;
	}
	delay = min(PDDGPU_RESET_DELAY_MS << min(reset->failed - 1, 8u), PDDGPU_RESET_DELAY_MAX);
	drm_notice(&reset->pdev->drm, "PDDGPU: the chip is reset again in %u ms\n", delay);
	mod_delayed_work(reset->recovery.wq, &reset->again, msecs_to_jiffies(delay));
}

/*
 * The engines are paused. Here lockdep knows that fences wait for what is done, and
 * not while they are paused and resumed: to stop a scheduler is to wait for all that
 * it does, which lockdep would take for more than it is.
 */
static int pddgpu_reset_paused(struct pddgpu_reset *reset)
{
	struct pddgpu_device *pdev = reset->pdev;
	int ret;

	CLASS(pddgpu_signalling, cookie)();
	down_write(&pdev->reset_sem);
	ret = pddgpu_reset_chip(reset);
	up_write(&pdev->reset_sem);

	/* Of a card that is gone whoever takes it away ends the jobs */
	if (ret != -ENODEV)
		pddgpu_reset_engines(pdev, ret ? pddgpu_engine_give_up : pddgpu_engine_replay);
	if (ret) {
		atomic64_inc(&reset->bad);
		pddgpu_reset_failed(reset, ret);
	} else {
		atomic64_inc(&reset->good);
		reset->failed = 0;
	}
	return ret;
}

/* On the workqueue, inside drm_dev_enter() */
static int pddgpu_reset_attempt(struct pddgpu_reset *reset)
{
	struct pddgpu_device *pdev = reset->pdev;
	u64 losses = atomic64_read(&reset->losses);
	ktime_t start = ktime_get();
	int ret;

	drm_notice(&pdev->drm, "PDDGPU: resetting the chip\n");
	pddgpu_coredump_keep_chip(reset->coredump);
	pddgpu_reset_engines(pdev, pddgpu_engine_pause);
	pddgpu_irq_pause(pdev->irq);
	ret = pddgpu_reset_paused(reset);
	pddgpu_reset_engines(pdev, pddgpu_engine_resume);
	WRITE_ONCE(reset->last_us, ktime_us_delta(ktime_get(), start));
	trace_chip_reset(pdev->drm.dev, atomic64_read(&reset->losses) != losses,
			 reset->last_us, ret);
	if (!ret)
		drm_notice(&pdev->drm, "PDDGPU: the chip has been reset in %llu us\n",
			   reset->last_us);
	return ret;
}

static bool pddgpu_reset_for_engine(void *data)
{
	struct pddgpu_reset *reset = data;

	if (!READ_ONCE(chip_resets) || READ_ONCE(reset->stopped) ||
	    !pddgpu_device_ready(reset->pdev))
		return false;
	pddgpu_reset_attempt(reset);
	return true;
}

static void pddgpu_reset_again(struct work_struct *work)
{
	struct pddgpu_reset *reset = container_of(work, struct pddgpu_reset, again.work);
	int idx;

	if (!drm_dev_enter(&reset->pdev->drm, &idx))
		return;
	/* It may have been reset meanwhile, because somebody wanted it */
	if (!READ_ONCE(reset->stopped) && READ_ONCE(chip_resets) && reset->failed &&
	    pddgpu_device_ready(reset->pdev))
		pddgpu_reset_attempt(reset);
	drm_dev_exit(idx);
}

static void pddgpu_reset_asked(struct work_struct *work)
{
	struct pddgpu_reset *reset = container_of(work, struct pddgpu_reset, asked);
	int idx;

	reset->answer = -ENODEV;
	if (!drm_dev_enter(&reset->pdev->drm, &idx))
		return;
	if (!READ_ONCE(reset->stopped))
		reset->answer = pddgpu_device_error(reset->pdev);
	if (!reset->answer)
		reset->answer = pddgpu_reset_attempt(reset);
	drm_dev_exit(idx);
}

/**
 * pddgpu_reset_now() - reset the chip because somebody wants it
 * @pdev: the device
 *
 * As if an engine could not be reset. May sleep; not where fences wait.
 *
 * Return: 0; -EIO when the chip says that it failed or the device is wedged,
 * -ETIME when it stops at once, -ENODEV when it is gone, -EINTR.
 */
int pddgpu_reset_now(struct pddgpu_device *pdev)
{
	struct pddgpu_reset *reset = pdev->reset;
	int ret;

	if (mutex_lock_interruptible(&reset->ask_lock))
		return -EINTR;
	queue_work(reset->recovery.wq, &reset->asked);
	flush_work(&reset->asked);
	ret = reset->answer;
	mutex_unlock(&reset->ask_lock);
	return ret;
}

/**
 * pddgpu_reset_hold() - the system goes to sleep: the chip is not tried again
 * @pdev: the device
 *
 * Waits for an attempt that is under way, which lets both engines go on.
 */
void pddgpu_reset_hold(struct pddgpu_device *pdev)
{
	cancel_delayed_work_sync(&pdev->reset->again);
	flush_work(&pdev->reset->asked);
}

/**
 * pddgpu_reset_go_on() - it does not sleep after all: undo pddgpu_reset_hold()
 * @pdev: the device
 */
void pddgpu_reset_go_on(struct pddgpu_device *pdev)
{
	struct pddgpu_reset *reset = pdev->reset;

	if (reset->failed && READ_ONCE(chip_resets) && pddgpu_device_ready(pdev))
		mod_delayed_work(reset->recovery.wq, &reset->again,
				 msecs_to_jiffies(PDDGPU_RESET_DELAY_MS));
}

/**
 * pddgpu_reset_woken() - the chip has been reset and restarted: all of it works again
 * @pdev: the device, its engines with nothing in their rings, their schedulers stopped
 */
void pddgpu_reset_woken(struct pddgpu_device *pdev)
{
	pdev->reset->failed = 0;
	pddgpu_reset_engines(pdev, pddgpu_engine_replay);
}

/**
 * pddgpu_reset_stop() - no more resets
 * @pdev: the device, unplugged or shut down
 *
 * Waits for one that is under way, whoever began it.
 */
void pddgpu_reset_stop(struct pddgpu_device *pdev)
{
	struct pddgpu_reset *reset = pdev->reset;

	WRITE_ONCE(reset->stopped, true);
	flush_workqueue(reset->recovery.wq);
	/* Which that may have asked for */
	cancel_delayed_work_sync(&reset->again);
}

/**
 * pddgpu_reset_forget() - keep nothing more of resets
 * @pdev: the device, after pddgpu_reset_stop(), when no fence waits for anything here:
 *	this waits for memory
 */
void pddgpu_reset_forget(struct pddgpu_device *pdev)
{
	flush_work(&pdev->reset->wedged);
	pddgpu_coredump_stop(pdev->reset->coredump);
}

/**
 * pddgpu_reset_get_info() - how often, and what came of it
 * @pdev: the device
 * @info: filled in
 */
void pddgpu_reset_get_info(struct pddgpu_device *pdev, struct pddgpu_reset_info *info)
{
	struct pddgpu_reset *reset = pdev->reset;
	u32 i;

	*info = (struct pddgpu_reset_info) {
		.chip_resets = atomic64_read(&reset->good),
		.chip_resets_failed = atomic64_read(&reset->bad),
		.vram_lost = atomic64_read(&reset->losses),
		.last_us = READ_ONCE(reset->last_us),
	};
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		info->engine_resets += pddgpu_engine_resets(pdev->engine[i]);
		if (pddgpu_engine_lost(pdev->engine[i]))
			info->lost |= BIT(i);
	}
}

/**
 * pddgpu_reset_recovery() - what the engines are to be given
 * @pdev: the device, after pddgpu_reset_init()
 *
 * Return: it; goes with the DRM device.
 */
const struct pddgpu_recovery *pddgpu_reset_recovery(struct pddgpu_device *pdev)
{
	return &pdev->reset->recovery;
}

static void pddgpu_reset_fini(struct drm_device *drm, void *arg)
{
	struct pddgpu_reset *reset = arg;

	cancel_delayed_work_sync(&reset->again);
	destroy_workqueue(reset->recovery.wq);
}

/**
 * pddgpu_reset_init() - get ready to reset the chip
 * @pdev: the device, its page tables made, without engines
 *
 * Return: 0 or an errno; ended with the DRM device.
 */
int pddgpu_reset_init(struct pddgpu_device *pdev)
{
	struct pddgpu_reset *reset;
	int ret;

	reset = drmm_kzalloc(&pdev->drm, sizeof(*reset), GFP_KERNEL);
	if (!reset)
		return -ENOMEM;
	ret = drmm_mutex_init(&pdev->drm, &reset->ask_lock);
	if (ret)
		return ret;
	reset->pdev = pdev;
	INIT_DELAYED_WORK(&reset->again, pddgpu_reset_again);
	INIT_WORK(&reset->asked, pddgpu_reset_asked);
	INIT_WORK(&reset->wedged, pddgpu_reset_tell);
	reset->recovery.reset_chip = pddgpu_reset_for_engine;
	reset->recovery.data = reset;
	reset->coredump = pddgpu_coredump_init(&pdev->drm, pdev->hw, pdev->chip, pdev->gart);
	if (IS_ERR(reset->coredump))
		return PTR_ERR(reset->coredump);
	reset->recovery.wq = alloc_ordered_workqueue("pddgpu-reset",
						     WQ_MEM_RECLAIM | WQ_HIGHPRI);
	if (!reset->recovery.wq)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&pdev->drm, pddgpu_reset_fini, reset);
	if (ret)
		return ret;
	pdev->reset = reset;
	return 0;
}
