// SPDX-License-Identifier: GPL-2.0
/*
 * The leak monitor: looks at the memory in use every few seconds, says in the
 * kernel log when it passes a threshold, and who has it.
 */
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "pddgpu_device.h"
#include "pddgpu_event.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_leak.h"
#include "pddgpu_monitor.h"
#include "pddgpu_stats.h"
#include "pddgpu_swap.h"
#include "pddgpu_vram_mgr.h"

/* How many owners a report names */
#define PDDGPU_MONITOR_OWNERS	5

/**
 * enum pddgpu_alarm_event - what a look at the memory in use calls for
 */
enum pddgpu_alarm_event {
	/** @PDDGPU_ALARM_NONE: nothing to say */
	PDDGPU_ALARM_NONE,
	/** @PDDGPU_ALARM_RAISED: the threshold has been passed */
	PDDGPU_ALARM_RAISED,
	/** @PDDGPU_ALARM_WORSENED: it stands, and use grew by a tenth of the threshold */
	PDDGPU_ALARM_WORSENED,
	/** @PDDGPU_ALARM_CLEARED: it is over */
	PDDGPU_ALARM_CLEARED,
};

/**
 * struct pddgpu_alarm - what has been said so far; zeros for nothing
 */
struct pddgpu_alarm {
	/** @standing: it has been raised and not cleared */
	bool standing;
	/** @reported: bytes in use when it was last spoken of */
	u64 reported;
};

/**
 * struct pddgpu_monitor - the leak monitor of a device
 *
 * @control comes before @check; the work takes @check only, so that whoever
 * holds @control may wait for it.
 */
struct pddgpu_monitor {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @work: the next check */
	struct delayed_work work;
	/** @control: serialises starting, stopping and tuning; guards the three below */
	struct mutex control;
	/** @started: between pddgpu_monitor_start() and pddgpu_monitor_stop() */
	bool started;
	/** @enabled: the user wants it to run */
	bool enabled;
	/** @running: both; read by the work without the lock */
	bool running;
	/** @interval_ms: between two checks; written under @control, read without */
	u32 interval_ms;
	/** @check: serialises checks; guards what follows */
	struct mutex check;
	/** @threshold: bytes in use above which the alarm is raised */
	u64 threshold;
	/** @alarm: what has been said of it */
	struct pddgpu_alarm alarm;
	/** @confirmed: what had become a confirmed leak by the last check */
	struct pddgpu_leak_count confirmed;
};

/*
 * Is there something to say? What it returns is taken as said. While the alarm
 * stands, only growth by a tenth of the threshold beyond the highest figure
 * reported is news: use that goes up and down says nothing.
 */
static enum pddgpu_alarm_event alarm_update(struct pddgpu_alarm *alarm, u64 used, u64 threshold)
{
	bool above = used > threshold;

	if (!above && !alarm->standing)
		return PDDGPU_ALARM_NONE;
	if (!above) {
		alarm->standing = false;
		return PDDGPU_ALARM_CLEARED;
	}
	if (!alarm->standing) {
		alarm->standing = true;
		alarm->reported = used;
		return PDDGPU_ALARM_RAISED;
	}
	if (used > alarm->reported && used - alarm->reported >= threshold / 10) {
		alarm->reported = used;
		return PDDGPU_ALARM_WORSENED;
	}
	return PDDGPU_ALARM_NONE;
}

/* As memory_stats says, what the driver itself needs included (requirement A6) */
static u64 monitor_used(struct pddgpu_device *pdev)
{
	return pddgpu_vram_mgr_usage(pdev->vram_mgr) + pddgpu_gtt_mgr_usage(pdev->gtt_mgr);
}

/**
 * pddgpu_memory_stats_leak_report() - tell the kernel log what is allocated, and by whom
 * @pdev: the device
 *
 * Context: may sleep.
 */
void pddgpu_memory_stats_leak_report(struct pddgpu_device *pdev)
{
	struct pddgpu_leak_owner_record owners[PDDGPU_MONITOR_OWNERS];
	struct pddgpu_leak_summary found;
	struct drm_device *drm = &pdev->drm;
	unsigned int i, nr;

	pddgpu_leak_check(pdev->leaks, &found);
	nr = pddgpu_leak_largest_owners(pdev->leaks, owners, ARRAY_SIZE(owners));

	drm_warn(drm, "PDDGPU: Memory leak report:\n");
	drm_warn(drm, "PDDGPU:   Total allocated objects: %llu\n", found.total.objects);
	drm_warn(drm, "PDDGPU:   Total leaked size: %llu bytes\n",
		 found.total.bytes - found.baseline.bytes);
	if (found.baseline.objects)
		drm_warn(drm, "PDDGPU:   Not leaked, by the baseline: %llu objects, %llu bytes\n",
			 found.baseline.objects, found.baseline.bytes);
	drm_warn(drm, "PDDGPU:   Suspicious leaks: %llu\n",
		 found.class[PDDGPU_LEAK_SUSPICIOUS].objects);
	drm_warn(drm, "PDDGPU:   Confirmed leaks: %llu\n",
		 found.class[PDDGPU_LEAK_CONFIRMED].objects);
	if (!nr)
		return;

	drm_warn(drm, "PDDGPU:   Largest owners:\n");
	for (i = 0; i < nr; i++) {
		const struct pddgpu_leak_owner_record *owner = &owners[i];

		/* Escaped, or a process could forge lines with its name */
		drm_warn(drm, "PDDGPU:     %*pE[%d] client %llu: %llu objects, %llu bytes\n",
			 (int)strnlen(owner->comm, sizeof(owner->comm)), owner->comm,
			 owner->pid, owner->client_id, owner->has.objects, owner->has.bytes);
	}
}

/**
 * pddgpu_memory_stats_leak_check() - look for leaks now
 * @pdev: the device
 *
 * Says in the kernel log what is new: objects that have become confirmed leaks,
 * and an alarm that is raised, worsens, or is over. When it is raised and when it is
 * over userspace gets a uevent.
 *
 * Context: may sleep.
 */
void pddgpu_memory_stats_leak_check(struct pddgpu_device *pdev)
{
	struct pddgpu_monitor *mon = pdev->monitor;
	const struct pddgpu_leak_count *confirmed;
	struct pddgpu_leak_summary found;
	enum pddgpu_alarm_event event;
	u64 used, judged;

	mutex_lock(&mon->check);
	pddgpu_leak_check(pdev->leaks, &found);
	used = monitor_used(pdev);
	/* What the driver needs for itself is no leak, however low the threshold */
	judged = used > pddgpu_vram_mgr_reserved(pdev->vram_mgr) ? used : 0;

	confirmed = &found.entered[PDDGPU_LEAK_CONFIRMED];
	if (confirmed->objects != mon->confirmed.objects)
		drm_warn(&pdev->drm,
			 "PDDGPU: %llu objects newly confirmed as leaks, %llu bytes\n",
			 confirmed->objects - mon->confirmed.objects,
			 confirmed->bytes - mon->confirmed.bytes);
	mon->confirmed = *confirmed;

	event = alarm_update(&mon->alarm, judged, mon->threshold);
	switch (event) {
	case PDDGPU_ALARM_RAISED:
	case PDDGPU_ALARM_WORSENED:
		drm_err(&pdev->drm, "PDDGPU: Memory leak detected! Total used: %llu MB\n",
			used >> 20);
		pddgpu_memory_stats_leak_report(pdev);
		break;
	case PDDGPU_ALARM_CLEARED:
		drm_info(&pdev->drm, "PDDGPU: Memory leak cleared. Total used: %llu MB\n",
			 used >> 20);
		break;
	case PDDGPU_ALARM_NONE:
		break;
	}
	if (event == PDDGPU_ALARM_RAISED || event == PDDGPU_ALARM_CLEARED)
		pddgpu_event_leak(pdev, event == PDDGPU_ALARM_RAISED, used, mon->threshold);
	mutex_unlock(&mon->check);
}

static unsigned long monitor_delay(const struct pddgpu_monitor *mon)
{
	return msecs_to_jiffies(READ_ONCE(mon->interval_ms));
}

/**
 * pddgpu_memory_leak_monitor_work() - check, and come again
 * @work: the monitor's work
 */
void pddgpu_memory_leak_monitor_work(struct work_struct *work)
{
	struct pddgpu_monitor *mon = container_of(to_delayed_work(work),
						  struct pddgpu_monitor, work);

	pddgpu_memory_stats_leak_check(mon->pdev);

	/* Whoever clears it cancels the work afterwards, this one included */
	if (READ_ONCE(mon->running))
		queue_delayed_work(system_power_efficient_wq, &mon->work, monitor_delay(mon));
}

/* Let the work run or not, as it should now */
static void monitor_apply(struct pddgpu_monitor *mon)
{
	bool run = mon->started && mon->enabled;

	lockdep_assert_held(&mon->control);

	if (run == mon->running)
		return;

	WRITE_ONCE(mon->running, run);
	if (run) {
		drm_info(&mon->pdev->drm, "PDDGPU: Memory leak monitor started\n");
		queue_delayed_work(system_power_efficient_wq, &mon->work, monitor_delay(mon));
	} else {
		cancel_delayed_work_sync(&mon->work);
		drm_info(&mon->pdev->drm, "PDDGPU: Memory leak monitor stopped\n");
	}
}

static void monitor_set_started(struct pddgpu_device *pdev, bool started)
{
	struct pddgpu_monitor *mon = pdev->monitor;

	if (!mon)
		return;

	mutex_lock(&mon->control);
	mon->started = started;
	monitor_apply(mon);
	mutex_unlock(&mon->control);
}

/**
 * pddgpu_monitor_start() - begin the periodic checks, unless they are switched off
 * @pdev: the device; does nothing when it has no monitor
 */
void pddgpu_monitor_start(struct pddgpu_device *pdev)
{
	monitor_set_started(pdev, true);
}

/**
 * pddgpu_monitor_stop() - end the periodic checks, and wait for the one under way
 * @pdev: the device; does nothing when it has no monitor
 */
void pddgpu_monitor_stop(struct pddgpu_device *pdev)
{
	monitor_set_started(pdev, false);
}

static void monitor_release(struct drm_device *drm, void *data)
{
	struct pddgpu_monitor *mon = data;

	/* A probe that failed late may have started it */
	WRITE_ONCE(mon->running, false);
	cancel_delayed_work_sync(&mon->work);
}

/**
 * pddgpu_monitor_init() - make the leak monitor
 * @pdev: the device, with its statistics, its leak tracker and its managers;
 *        its release ends the monitor
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_monitor_init(struct pddgpu_device *pdev)
{
	struct pddgpu_monitor *mon;
	int ret;

	mon = drmm_kzalloc(&pdev->drm, sizeof(*mon), GFP_KERNEL);
	if (!mon)
		return -ENOMEM;

	mon->pdev = pdev;
	mon->enabled = PDDGPU_MEMORY_LEAK_MONITOR_ENABLED;
	mon->interval_ms = PDDGPU_LEAK_CHECK_INTERVAL_MS;
	mon->threshold = PDDGPU_MEMORY_LEAK_THRESHOLD;
	INIT_DELAYED_WORK(&mon->work, pddgpu_memory_leak_monitor_work);
	ret = drmm_mutex_init(&pdev->drm, &mon->control);
	if (ret)
		return ret;
	ret = drmm_mutex_init(&pdev->drm, &mon->check);
	if (ret)
		return ret;
	ret = drmm_add_action_or_reset(&pdev->drm, monitor_release, mon);
	if (ret)
		return ret;

	pdev->monitor = mon;
	return 0;
}

/**
 * pddgpu_memory_stats_get_leak_check_interval() - time between two checks
 * @pdev: the device
 *
 * Return: milliseconds.
 */
u64 pddgpu_memory_stats_get_leak_check_interval(struct pddgpu_device *pdev)
{
	return READ_ONCE(pdev->monitor->interval_ms);
}

/**
 * pddgpu_memory_stats_set_leak_check_interval() - change the time between two checks
 * @pdev: the device
 * @ms: PDDGPU_LEAK_CHECK_INTERVAL_MIN_MS to PDDGPU_LEAK_CHECK_INTERVAL_MAX_MS;
 *      the next check comes that long from now
 *
 * Return: 0, or -ERANGE, which changes nothing.
 */
int pddgpu_memory_stats_set_leak_check_interval(struct pddgpu_device *pdev, u64 ms)
{
	struct pddgpu_monitor *mon = pdev->monitor;

	if (ms < PDDGPU_LEAK_CHECK_INTERVAL_MIN_MS || ms > PDDGPU_LEAK_CHECK_INTERVAL_MAX_MS)
		return -ERANGE;

	mutex_lock(&mon->control);
	WRITE_ONCE(mon->interval_ms, ms);
	if (mon->running)
		mod_delayed_work(system_power_efficient_wq, &mon->work, monitor_delay(mon));
	mutex_unlock(&mon->control);
	return 0;
}

/**
 * pddgpu_memory_stats_get_leak_threshold() - use above which the alarm is raised
 * @pdev: the device
 *
 * Return: bytes.
 */
u64 pddgpu_memory_stats_get_leak_threshold(struct pddgpu_device *pdev)
{
	struct pddgpu_monitor *mon = pdev->monitor;
	u64 bytes;

	mutex_lock(&mon->check);
	bytes = mon->threshold;
	mutex_unlock(&mon->check);
	return bytes;
}

/**
 * pddgpu_memory_stats_set_leak_threshold() - change the use above which the alarm is raised
 * @pdev: the device
 * @bytes: any number; the next check goes by it
 *
 * Return: 0.
 */
int pddgpu_memory_stats_set_leak_threshold(struct pddgpu_device *pdev, u64 bytes)
{
	struct pddgpu_monitor *mon = pdev->monitor;

	mutex_lock(&mon->check);
	mon->threshold = bytes;
	mutex_unlock(&mon->check);
	return 0;
}

/**
 * pddgpu_memory_stats_get_leak_monitor_enabled() - are there periodic checks?
 * @pdev: the device
 *
 * Return: 1 or 0.
 */
u64 pddgpu_memory_stats_get_leak_monitor_enabled(struct pddgpu_device *pdev)
{
	return READ_ONCE(pdev->monitor->enabled);
}

/**
 * pddgpu_memory_stats_set_leak_monitor_enabled() - switch periodic checks on or off
 * @pdev: the device
 * @enabled: 1 or 0
 *
 * Return: 0, -ERANGE for another number, or -EOPNOTSUPP when the monitor was
 * left out at compile time; these change nothing.
 */
int pddgpu_memory_stats_set_leak_monitor_enabled(struct pddgpu_device *pdev, u64 enabled)
{
	struct pddgpu_monitor *mon = pdev->monitor;

	if (enabled > 1)
		return -ERANGE;
	if (enabled && !PDDGPU_MEMORY_LEAK_MONITOR_ENABLED)
		return -EOPNOTSUPP;

	mutex_lock(&mon->control);
	WRITE_ONCE(mon->enabled, enabled);
	monitor_apply(mon);
	mutex_unlock(&mon->control);
	return 0;
}

/**
 * pddgpu_memory_stats_get_info() - everything that is counted
 * @pdev: the device
 * @info: filled in
 *
 * Classifies what is tracked by its age now, monitor or no monitor.
 *
 * Context: may sleep.
 */
void pddgpu_memory_stats_get_info(struct pddgpu_device *pdev,
				  struct drm_pddgpu_memory_stats *info)
{
	struct pddgpu_leak_summary found;

	memset(info, 0, sizeof(*info));
	pddgpu_memory_stats_fill(pdev->stats, info);

	info->vram_total = pddgpu_vram_mgr_size(pdev->vram_mgr);
	info->vram_used = pddgpu_vram_mgr_usage(pdev->vram_mgr);
	info->vram_visible_total = pddgpu_vram_mgr_visible_size(pdev->vram_mgr);
	info->vram_visible_used = pddgpu_vram_mgr_visible_usage(pdev->vram_mgr);
	info->gtt_total = pddgpu_gtt_mgr_size(pdev->gtt_mgr);
	info->gtt_used = pddgpu_gtt_mgr_usage(pdev->gtt_mgr);
	info->kernel_bytes = pddgpu_vram_mgr_reserved(pdev->vram_mgr);
	info->swapped_bytes = pddgpu_swap_bytes(pdev);
	/* TTM counts a request before it finds that there is no room for it */
	info->vram_free = info->vram_total - min(info->vram_total, info->vram_used);
	info->gtt_free = info->gtt_total - min(info->gtt_total, info->gtt_used);

	pddgpu_leak_check(pdev->leaks, &found);
	info->leak_suspicious = found.class[PDDGPU_LEAK_SUSPICIOUS].objects;
	info->leak_suspicious_bytes = found.class[PDDGPU_LEAK_SUSPICIOUS].bytes;
	info->leak_confirmed = found.class[PDDGPU_LEAK_CONFIRMED].objects;
	info->leak_confirmed_bytes = found.class[PDDGPU_LEAK_CONFIRMED].bytes;
	info->live_objects = found.state[PDDGPU_LEAK_LIVE].objects;
	info->live_bytes = found.state[PDDGPU_LEAK_LIVE].bytes;
	info->orphan_objects = found.state[PDDGPU_LEAK_ORPHAN].objects;
	info->orphan_bytes = found.state[PDDGPU_LEAK_ORPHAN].bytes;
	info->zombie_objects = found.state[PDDGPU_LEAK_ZOMBIE].objects;
	info->zombie_bytes = found.state[PDDGPU_LEAK_ZOMBIE].bytes;
}

#define PDDGPU_INFO_FIELD(name)	{ #name, offsetof(struct drm_pddgpu_memory_stats, name) }

/* Name and place of each number, in the structure's order */
static const struct {
	const char *name;
	size_t offset;
} info_numbers[] = {
	PDDGPU_INFO_FIELD(vram_total),
	PDDGPU_INFO_FIELD(vram_used),
	PDDGPU_INFO_FIELD(vram_free),
	PDDGPU_INFO_FIELD(vram_visible_total),
	PDDGPU_INFO_FIELD(vram_visible_used),
	PDDGPU_INFO_FIELD(gtt_total),
	PDDGPU_INFO_FIELD(gtt_used),
	PDDGPU_INFO_FIELD(gtt_free),
	PDDGPU_INFO_FIELD(total_allocations),
	PDDGPU_INFO_FIELD(total_deallocations),
	PDDGPU_INFO_FIELD(failed_allocations),
	PDDGPU_INFO_FIELD(moves),
	PDDGPU_INFO_FIELD(evictions),
	PDDGPU_INFO_FIELD(bytes_moved),
	PDDGPU_INFO_FIELD(swap_outs),
	PDDGPU_INFO_FIELD(swap_ins),
	PDDGPU_INFO_FIELD(leak_suspicious),
	PDDGPU_INFO_FIELD(leak_suspicious_bytes),
	PDDGPU_INFO_FIELD(leak_confirmed),
	PDDGPU_INFO_FIELD(leak_confirmed_bytes),
	PDDGPU_INFO_FIELD(avg_allocation_time),
	PDDGPU_INFO_FIELD(avg_deallocation_time),
	PDDGPU_INFO_FIELD(avg_move_time),
	PDDGPU_INFO_FIELD(live_objects),
	PDDGPU_INFO_FIELD(live_bytes),
	PDDGPU_INFO_FIELD(orphan_objects),
	PDDGPU_INFO_FIELD(orphan_bytes),
	PDDGPU_INFO_FIELD(zombie_objects),
	PDDGPU_INFO_FIELD(zombie_bytes),
	PDDGPU_INFO_FIELD(kernel_bytes),
	PDDGPU_INFO_FIELD(swapped_bytes),
};

static const struct {
	const char *name;
	size_t offset;
} info_histograms[] = {
	PDDGPU_INFO_FIELD(allocation_histogram),
	PDDGPU_INFO_FIELD(deallocation_histogram),
	PDDGPU_INFO_FIELD(move_histogram),
};

static_assert(sizeof(struct drm_pddgpu_memory_stats) == sizeof(u64) *
	      (ARRAY_SIZE(info_numbers) + ARRAY_SIZE(info_histograms) * PDDGPU_LATENCY_BUCKETS));

/**
 * pddgpu_memory_stats_print() - print statistics, a "name: value" a line
 * @info: the statistics
 * @p: where to print
 *
 * A histogram is one line, its buckets from the shortest time to the longest.
 */
void pddgpu_memory_stats_print(const struct drm_pddgpu_memory_stats *info, struct drm_printer *p)
{
	/* A blank and the 20 digits of the largest number each */
	char line[PDDGPU_LATENCY_BUCKETS * 21 + 1];
	unsigned int i, bucket;
	const u64 *value;
	int len;

	for (i = 0; i < ARRAY_SIZE(info_numbers); i++) {
		value = (const void *)info + info_numbers[i].offset;
		drm_printf(p, "%s: %llu\n", info_numbers[i].name, *value);
	}
	for (i = 0; i < ARRAY_SIZE(info_histograms); i++) {
		value = (const void *)info + info_histograms[i].offset;
		len = 0;
		for (bucket = 0; bucket < PDDGPU_LATENCY_BUCKETS; bucket++)
			len += scnprintf(line + len, sizeof(line) - len, " %llu", value[bucket]);
		drm_printf(p, "%s:%s\n", info_histograms[i].name, line);
	}
}

/**
 * pddgpu_memory_stats_debug_print() - tell the kernel log the statistics
 * @pdev: the device
 *
 * As debug messages of a driver: silent unless drm.debug has 0x2.
 *
 * Context: may sleep.
 */
void pddgpu_memory_stats_debug_print(struct pddgpu_device *pdev)
{
	struct drm_printer p = drm_dbg_printer(&pdev->drm, DRM_UT_DRIVER, "PDDGPU:");
	struct drm_pddgpu_memory_stats *info;

	if (!drm_debug_enabled(DRM_UT_DRIVER))
		return;

	info = kmalloc(sizeof(*info), GFP_KERNEL);
	if (!info)
		return;
	pddgpu_memory_stats_get_info(pdev, info);
	pddgpu_memory_stats_print(info, &p);
	kfree(info);
}
