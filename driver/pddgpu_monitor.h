/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_MONITOR_H
#define PDDGPU_MONITOR_H

#include <linux/types.h>

struct drm_pddgpu_memory_stats;
struct drm_printer;
struct pddgpu_device;
struct work_struct;

/*
 * Set by Kbuild from CONFIG_DRM_PDDGPU_LEAK_MONITOR. Without it there is no
 * periodic check; one can still be asked for.
 */
#ifndef PDDGPU_MEMORY_LEAK_MONITOR_ENABLED
#define PDDGPU_MEMORY_LEAK_MONITOR_ENABLED 0
#endif

/* Bytes of vram_used and gtt_used above which the alarm is raised, unless set otherwise */
#ifndef PDDGPU_MEMORY_LEAK_THRESHOLD
#define PDDGPU_MEMORY_LEAK_THRESHOLD (100ULL * 1024 * 1024)
#endif

#define PDDGPU_LEAK_CHECK_INTERVAL_MS		5000
#define PDDGPU_LEAK_CHECK_INTERVAL_MIN_MS	100
#define PDDGPU_LEAK_CHECK_INTERVAL_MAX_MS	3600000

int pddgpu_monitor_init(struct pddgpu_device *pdev);
void pddgpu_monitor_start(struct pddgpu_device *pdev);
void pddgpu_monitor_stop(struct pddgpu_device *pdev);
void pddgpu_memory_leak_monitor_work(struct work_struct *work);

void pddgpu_memory_stats_leak_check(struct pddgpu_device *pdev);
void pddgpu_memory_stats_leak_report(struct pddgpu_device *pdev);

void pddgpu_memory_stats_get_info(struct pddgpu_device *pdev,
				  struct drm_pddgpu_memory_stats *info);
void pddgpu_memory_stats_print(const struct drm_pddgpu_memory_stats *info, struct drm_printer *p);
void pddgpu_memory_stats_debug_print(struct pddgpu_device *pdev);

u64 pddgpu_memory_stats_get_leak_check_interval(struct pddgpu_device *pdev);
int pddgpu_memory_stats_set_leak_check_interval(struct pddgpu_device *pdev, u64 ms);
u64 pddgpu_memory_stats_get_leak_threshold(struct pddgpu_device *pdev);
int pddgpu_memory_stats_set_leak_threshold(struct pddgpu_device *pdev, u64 bytes);
u64 pddgpu_memory_stats_get_leak_monitor_enabled(struct pddgpu_device *pdev);
int pddgpu_memory_stats_set_leak_monitor_enabled(struct pddgpu_device *pdev, u64 enabled);

#endif /* PDDGPU_MONITOR_H */
