/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A card that falls off the bus, or dies, while it is bound.
 */
#ifndef PDDGPU_GONE_H
#define PDDGPU_GONE_H

#include <linux/types.h>

struct pddgpu_device;

int pddgpu_gone_init(struct pddgpu_device *pdev);
void pddgpu_gone_start(struct pddgpu_device *pdev);
void pddgpu_gone_now(struct pddgpu_device *pdev);
void pddgpu_gone_remove(struct pddgpu_device *pdev);
bool pddgpu_gone_look(struct pddgpu_device *pdev);

#endif /* PDDGPU_GONE_H */
