// SPDX-License-Identifier: GPL-2.0
/* sparse does not follow what these macros do */
#ifndef __CHECKER__
#define CREATE_TRACE_POINTS
#include "pddgpu_trace.h"
#endif
