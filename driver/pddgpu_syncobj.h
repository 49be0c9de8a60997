/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PDDGPU_SYNCOBJ_H_
#define _PDDGPU_SYNCOBJ_H_

int pddgpu_syncobj_check(unsigned int cmd, const void __user *args);

#endif
