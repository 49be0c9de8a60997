/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bringing the chip back after a reset.
 */
#ifndef PDDGPU_RESTART_H
#define PDDGPU_RESTART_H

struct pddgpu_device;

int pddgpu_device_restart(struct pddgpu_device *pdev);

#endif /* PDDGPU_RESTART_H */
