/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How often a file of the driver takes a lock, which is included before anything else
 * there; it does not know.
 */
#ifndef PDDGPU_KUNIT_LOCK_H
#define PDDGPU_KUNIT_LOCK_H

#include <linux/compiler.h>
#include <linux/spinlock.h>

/* How often; good while no other thread takes one */
extern unsigned long pddgpu_kunit_locks;

#define pddgpu_kunit_lock(lock)				\
	do {						\
		spin_lock(lock);			\
		pddgpu_kunit_locks++;			\
	} while (0)
#define spin_lock(lock) pddgpu_kunit_lock(lock)

#endif /* PDDGPU_KUNIT_LOCK_H */
