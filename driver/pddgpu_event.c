// SPDX-License-Identifier: GPL-2.0
/*
 * What userspace is told without asking: uevents of the DRM device, at its primary
 * node, where DRM's own are too.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/sprintf.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "pddgpu_device.h"
#include "pddgpu_event.h"
#include "pddgpu_trace.h"

/* A name of up to 17 characters, the sign, 20 digits and the end, with room to spare */
#define PDDGPU_EVENT_LINE	48

/**
 * pddgpu_event_leak() - the leak alarm has been raised, or is over
 * @pdev: the device
 * @alert: raised
 * @used: bytes in use, of VRAM and GTT together
 * @threshold: bytes above which it is raised
 *
 * Sends a uevent and a tracepoint. Who listens hears nothing of the alarm's end when
 * the card is taken away while it stands: the device's removal says that.
 *
 * Context: process; allocates with GFP_KERNEL.
 */
void pddgpu_event_leak(struct pddgpu_device *pdev, bool alert, u64 used, u64 threshold)
{
	char what[PDDGPU_EVENT_LINE], used_line[PDDGPU_EVENT_LINE],
	     threshold_line[PDDGPU_EVENT_LINE],
	     *environment[] = { what, used_line, threshold_line, NULL };
	int idx;

	if (alert)
		trace_leak_alert(pdev->drm.dev, used, threshold);
	else
		trace_leak_clear(pdev->drm.dev, used, threshold);

	snprintf(what, sizeof(what), "PDDGPU_EVENT=leak_%s", alert ? "alert" : "clear");
	snprintf(used_line, sizeof(used_line), "PDDGPU_USED=%llu", used);
	snprintf(threshold_line, sizeof(threshold_line), "PDDGPU_THRESHOLD=%llu", threshold);
	/* The node goes in drm_dev_unplug(), after who is in here */
	if (!drm_dev_enter(&pdev->drm, &idx))
		return;
	kobject_uevent_env(&pdev->drm.primary->kdev->kobj, KOBJ_CHANGE, environment);
	drm_dev_exit(idx);
}
