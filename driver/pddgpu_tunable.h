/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can be tuned: by files in debugfs while the driver runs, and by parameters
 * of the module of the same names when it is loaded.
 */
#ifndef PDDGPU_TUNABLE_H
#define PDDGPU_TUNABLE_H

#include <linux/types.h>

struct pddgpu_device;

void pddgpu_tunable_limit_vram(struct pddgpu_device *pdev);
u64 pddgpu_tunable_gtt_size(struct pddgpu_device *pdev, u64 most);
void pddgpu_tunable_preset(struct pddgpu_device *pdev);

u64 pddgpu_tunable_get_suspicious_age(struct pddgpu_device *pdev);
int pddgpu_tunable_set_suspicious_age(struct pddgpu_device *pdev, u64 ms);
u64 pddgpu_tunable_get_confirmed_age(struct pddgpu_device *pdev);
int pddgpu_tunable_set_confirmed_age(struct pddgpu_device *pdev, u64 ms);
u64 pddgpu_tunable_get_vram_retry_count(struct pddgpu_device *pdev);
int pddgpu_tunable_set_vram_retry_count(struct pddgpu_device *pdev, u64 count);
u64 pddgpu_tunable_get_vram_retry_delay(struct pddgpu_device *pdev);
int pddgpu_tunable_set_vram_retry_delay(struct pddgpu_device *pdev, u64 ms);
u64 pddgpu_tunable_get_gtt_retry_count(struct pddgpu_device *pdev);
int pddgpu_tunable_set_gtt_retry_count(struct pddgpu_device *pdev, u64 count);
u64 pddgpu_tunable_get_gtt_retry_delay(struct pddgpu_device *pdev);
int pddgpu_tunable_set_gtt_retry_delay(struct pddgpu_device *pdev, u64 ms);
u64 pddgpu_tunable_get_recover_count(struct pddgpu_device *pdev);
int pddgpu_tunable_set_recover_count(struct pddgpu_device *pdev, u64 count);
u64 pddgpu_tunable_get_recover_delay(struct pddgpu_device *pdev);
int pddgpu_tunable_set_recover_delay(struct pddgpu_device *pdev, u64 ms);

#endif /* PDDGPU_TUNABLE_H */
