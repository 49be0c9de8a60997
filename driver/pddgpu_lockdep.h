/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_LOCKDEP_H
#define PDDGPU_LOCKDEP_H

#include <linux/kconfig.h>

struct pddgpu_device;

#if IS_ENABLED(CONFIG_LOCKDEP)
int pddgpu_lockdep_prime(struct pddgpu_device *pdev);
#else
static inline int pddgpu_lockdep_prime(struct pddgpu_device *pdev)
{
	return 0;
}
#endif

#endif /* PDDGPU_LOCKDEP_H */
