/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_EVENT_H
#define PDDGPU_EVENT_H

#include <linux/types.h>

struct pddgpu_device;

void pddgpu_event_leak(struct pddgpu_device *pdev, bool alert, u64 used, u64 threshold);

#endif /* PDDGPU_EVENT_H */
