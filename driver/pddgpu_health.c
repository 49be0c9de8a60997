// SPDX-License-Identifier: GPL-2.0
/*
 * A manager's state, and who gets it out of ERROR.
 *
 * Locks: @recovery, then the manager's own, then @lock. The state changes to and
 * from ERROR under the manager's lock, so that whoever holds it can rely on what
 * it says; to SHUTDOWN it changes at any time.
 */
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "pddgpu_health.h"

/* What fails again sooner than that is not a new story: the attempts count on */
#define PDDGPU_HEALTH_LASTING		(10 * HZ)

/* Queue the next attempt, if there is one left. Under @lock. */
static void pddgpu_health_schedule(struct pddgpu_health *health)
{
	u64 delay = (u64)health->recover_delay_ms << min(health->attempts, 10U);

	if (health->attempts < health->recover_count)
		queue_delayed_work(system_unbound_wq, &health->work,
				   msecs_to_jiffies(min_t(u64, delay, 10000)));
}

static bool pddgpu_health_is_to_fail(struct pddgpu_health *health)
{
	bool fail;

	spin_lock(&health->lock);
	fail = health->fail_recoveries;
	if (fail)
		health->fail_recoveries--;
	spin_unlock(&health->lock);
	return fail;
}

static int pddgpu_health_attempt(struct pddgpu_health *health)
{
	int ret;

	mutex_lock(&health->recovery);
	ret = pddgpu_health_errno(health);
	if (ret != -EIO)
		goto out_unlock;
	ret = pddgpu_health_is_to_fail(health) ? -ENOMEM : health->ops->recover(health);
	if (ret) {
		spin_lock(&health->lock);
		health->counts.recoveries_failed++;
		spin_unlock(&health->lock);
		drm_warn(health->drm, "PDDGPU: %s manager: recovery failed: %pe\n",
			 health->name, ERR_PTR(ret));
	} else if (pddgpu_health_errno(health) == -ENODEV) {
		ret = -ENODEV;
	} else {
		/* It may have failed again since: that has a cause, and attempts, of its own */
		drm_info(health->drm, "PDDGPU: %s manager: recovered\n", health->name);
	}
out_unlock:
	mutex_unlock(&health->recovery);
	return ret;
}

static void pddgpu_health_work(struct work_struct *work)
{
	struct pddgpu_health *health = container_of(work, struct pddgpu_health, work.work);
	bool failed;

	/* Somebody may just have been quicker */
	spin_lock(&health->lock);
	failed = health->state == PDDGPU_HEALTH_ERROR;
	if (failed)
		health->attempts++;
	spin_unlock(&health->lock);
	if (!failed || !pddgpu_health_attempt(health))
		return;
	spin_lock(&health->lock);
	if (health->state == PDDGPU_HEALTH_ERROR)
		pddgpu_health_schedule(health);
	spin_unlock(&health->lock);
}

/**
 * pddgpu_health_init() - begin, in state INITIALIZING
 * @health: filled in
 * @drm: the DRM device
 * @name: of the manager, for the log
 * @ops: what it does
 *
 * To be ended by pddgpu_health_fini().
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_health_init(struct pddgpu_health *health, struct drm_device *drm,
		       const char *name, const struct pddgpu_health_ops *ops)
{
	health->drm = drm;
	health->name = name;
	health->ops = ops;
	health->state = PDDGPU_HEALTH_INITIALIZING;
	health->recover_count = PDDGPU_HEALTH_RECOVER_COUNT;
	health->recover_delay_ms = PDDGPU_HEALTH_RECOVER_DELAY;
	spin_lock_init(&health->lock);
	INIT_DELAYED_WORK(&health->work, pddgpu_health_work);
	return drmm_mutex_init(drm, &health->recovery);
}

static void pddgpu_health_begin_ready(struct pddgpu_health *health)
{
	lockdep_assert_held(&health->lock);

	health->ready_since = jiffies;
	WRITE_ONCE(health->state, PDDGPU_HEALTH_READY);
}

/**
 * pddgpu_health_start() - the manager is ready
 * @health: its health, in state INITIALIZING
 */
void pddgpu_health_start(struct pddgpu_health *health)
{
	spin_lock(&health->lock);
	if (health->state == PDDGPU_HEALTH_INITIALIZING)
		pddgpu_health_begin_ready(health);
	spin_unlock(&health->lock);
}

static void pddgpu_health_end_error(struct pddgpu_health *health)
{
	if (health->state == PDDGPU_HEALTH_ERROR)
		health->error_ns += ktime_get_boottime_ns() - health->error_since;
}

/**
 * pddgpu_health_stop() - the card is taken away
 * @health: the manager's
 *
 * Nothing is given out any more, and nothing recovers by itself. Who recovers it
 * now is not waited for; see pddgpu_health_fini().
 */
void pddgpu_health_stop(struct pddgpu_health *health)
{
	spin_lock(&health->lock);
	pddgpu_health_end_error(health);
	WRITE_ONCE(health->state, PDDGPU_HEALTH_SHUTDOWN);
	spin_unlock(&health->lock);
	cancel_delayed_work(&health->work);
}

/**
 * pddgpu_health_fini() - the end of it
 * @health: the manager's; sleeps until nobody recovers it
 */
void pddgpu_health_fini(struct pddgpu_health *health)
{
	pddgpu_health_stop(health);
	cancel_delayed_work_sync(&health->work);
}

/**
 * pddgpu_health_errno() - what a request for memory is to be told
 * @health: the manager's
 *
 * Return: 0 in READY; -EAGAIN in INITIALIZING, -ENODEV in SHUTDOWN, -EIO in ERROR.
 */
int pddgpu_health_errno(const struct pddgpu_health *health)
{
	switch (READ_ONCE(health->state)) {
	case PDDGPU_HEALTH_READY:
		return 0;
	case PDDGPU_HEALTH_INITIALIZING:
		return -EAGAIN;
	case PDDGPU_HEALTH_SHUTDOWN:
		return -ENODEV;
	default:
		return -EIO;
	}
}

/**
 * pddgpu_health_fail() - the manager's record cannot be trusted any more
 * @health: its health
 * @format: why; of the causes of one ERROR the first is kept
 *
 * READY becomes ERROR; other states stay what they are, but it is counted.
 *
 * Context: with the manager's lock held.
 */
void pddgpu_health_fail(struct pddgpu_health *health, const char *format, ...)
{
	bool first;
	va_list args;

	spin_lock(&health->lock);
	health->counts.errors++;
	first = health->state == PDDGPU_HEALTH_READY;
	if (first) {
		va_start(args, format);
		vscnprintf(health->cause, sizeof(health->cause), format, args);
		va_end(args);
		if (time_after(jiffies, health->ready_since + PDDGPU_HEALTH_LASTING))
			health->attempts = 0;
		health->error_since = ktime_get_boottime_ns();
		WRITE_ONCE(health->state, PDDGPU_HEALTH_ERROR);
		pddgpu_health_schedule(health);
	}
	spin_unlock(&health->lock);
	if (!first)
		return;
	health->ops->usable(health, false);
	drm_err(health->drm, "PDDGPU: %s manager: in ERROR: %s\n", health->name,
		health->cause);
}

/**
 * pddgpu_health_recovered() - the manager's record is right again
 * @health: its health
 *
 * ERROR becomes READY; SHUTDOWN stays.
 *
 * Context: with the manager's lock held, by @recover.
 */
void pddgpu_health_recovered(struct pddgpu_health *health)
{
	spin_lock(&health->lock);
	pddgpu_health_end_error(health);
	if (health->state == PDDGPU_HEALTH_ERROR) {
		/* First: who is passed by is to find ERROR, or one more recovery */
		health->ops->usable(health, true);
		pddgpu_health_begin_ready(health);
		health->counts.recoveries++;
		/* Under the lock: an attempt that is queued from now on is another error's */
		cancel_delayed_work(&health->work);
	}
	spin_unlock(&health->lock);
}

/**
 * pddgpu_health_recover() - recover the manager now
 * @health: its health
 *
 * When it succeeds, the attempts to recover by itself count from 0 again.
 *
 * Context: process, without locks; sleeps.
 * Return: 0 when it was READY or has become so; -ENODEV in SHUTDOWN, -EAGAIN in
 * INITIALIZING, or what @recover says, and it is in ERROR still.
 */
int pddgpu_health_recover(struct pddgpu_health *health)
{
	int ret = pddgpu_health_attempt(health);

	if (!ret) {
		spin_lock(&health->lock);
		health->attempts = 0;
		spin_unlock(&health->lock);
	}
	return ret;
}

/**
 * pddgpu_health_recovering() - will the manager soon try to recover by itself?
 * @health: its health
 *
 * Return: true in ERROR while an attempt is queued or under way.
 */
bool pddgpu_health_recovering(struct pddgpu_health *health)
{
	bool recovering;

	spin_lock(&health->lock);
	recovering = health->state == PDDGPU_HEALTH_ERROR &&
		     work_busy(&health->work.work);
	spin_unlock(&health->lock);
	return recovering;
}

/**
 * pddgpu_health_recoveries() - how often has the manager become READY again?
 * @health: its health
 *
 * Return: a number that is another one after each time.
 */
u64 pddgpu_health_recoveries(struct pddgpu_health *health)
{
	u64 recoveries;

	spin_lock(&health->lock);
	recoveries = health->counts.recoveries;
	spin_unlock(&health->lock);
	return recoveries;
}

/**
 * pddgpu_health_failed() - is the manager in ERROR?
 * @health: its health
 *
 * Return: true when it is.
 */
bool pddgpu_health_failed(const struct pddgpu_health *health)
{
	return READ_ONCE(health->state) == PDDGPU_HEALTH_ERROR;
}

/**
 * pddgpu_health_retried() - a request is tried again (requirement C5)
 * @health: the manager's
 */
void pddgpu_health_retried(struct pddgpu_health *health)
{
	atomic64_inc(&health->retries);
}

/**
 * pddgpu_health_helped() - a request that was tried again has been granted
 * @health: the manager's
 */
void pddgpu_health_helped(struct pddgpu_health *health)
{
	atomic64_inc(&health->retries_helped);
}

/**
 * pddgpu_health_fail_next() - let the next recovery fail, for a test
 * @health: the manager's
 * @fail: one more of them; or none of those that were to
 */
void pddgpu_health_fail_next(struct pddgpu_health *health, bool fail)
{
	spin_lock(&health->lock);
	health->fail_recoveries = fail ? health->fail_recoveries + 1 : 0;
	spin_unlock(&health->lock);
}

/**
 * pddgpu_health_checked() - the whole record has been compared
 * @health: the manager's
 */
void pddgpu_health_checked(struct pddgpu_health *health)
{
	spin_lock(&health->lock);
	health->counts.checks++;
	spin_unlock(&health->lock);
}

/**
 * pddgpu_health_get_stats() - copy it for users
 * @health: the manager's
 * @stats: out; the counts of requests are exact when its lock is held
 */
void pddgpu_health_get_stats(struct pddgpu_health *health,
			     struct pddgpu_health_stats *stats)
{
	u64 error_ns;

	spin_lock(&health->lock);
	stats->state = health->state;
	stats->is_healthy = health->state == PDDGPU_HEALTH_READY;
	stats->recovering = health->state == PDDGPU_HEALTH_ERROR &&
			    work_busy(&health->work.work);
	stats->counts = health->counts;
	error_ns = health->error_ns;
	if (health->state == PDDGPU_HEALTH_ERROR)
		error_ns += ktime_get_boottime_ns() - health->error_since;
	stats->cause_at_ms = div_u64(health->error_since, NSEC_PER_MSEC);
	strscpy(stats->cause, health->cause, sizeof(stats->cause));
	spin_unlock(&health->lock);
	stats->error_ms = div_u64(error_ns, NSEC_PER_MSEC);
	stats->retries = atomic64_read(&health->retries);
	stats->retries_helped = atomic64_read(&health->retries_helped);
}

/**
 * pddgpu_health_state_name() - a state in letters
 * @state: enum pddgpu_health_state
 *
 * Return: its name.
 */
const char *pddgpu_health_state_name(u32 state)
{
	switch (state) {
	case PDDGPU_HEALTH_INITIALIZING:
		return "INITIALIZING";
	case PDDGPU_HEALTH_READY:
		return "READY";
	case PDDGPU_HEALTH_SHUTDOWN:
		return "SHUTDOWN";
	default:
		return "ERROR";
	}
}
