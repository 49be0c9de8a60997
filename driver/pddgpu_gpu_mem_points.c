// SPDX-License-Identifier: GPL-2.0
/*
 * The event gpu_mem:gpu_mem_total, for kernels that were built without it, as
 * distributions' are. Its symbols stay within this module: a kernel that has the event
 * exports them, and then this file is left out. Where another module does the same there
 * are two events of that name and format, which the system's switch turns on together;
 * either module can be unloaded first.
 */
#ifndef __CHECKER__
#define CREATE_TRACE_POINTS
#include <trace/events/gpu_mem.h>
#endif
