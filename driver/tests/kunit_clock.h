/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A clock that the tests set. Included before anything else in those of the
 * driver's files that ask for the time; they do not know.
 */
#ifndef PDDGPU_KUNIT_CLOCK_H
#define PDDGPU_KUNIT_CLOCK_H

#include <linux/timekeeping.h>
#include <linux/types.h>

/* What it says, ns */
extern u64 pddgpu_kunit_now;

static inline u64 pddgpu_kunit_clock(void)
{
	return READ_ONCE(pddgpu_kunit_now);
}

#define ktime_get_ns() pddgpu_kunit_clock()

#endif /* PDDGPU_KUNIT_CLOCK_H */
