/* SPDX-License-Identifier: MIT */
#ifndef PDDGPU_TOOLS_DEVICE_NAME_H
#define PDDGPU_TOOLS_DEVICE_NAME_H

#include "sample.h"

/*
 * The card of a sample that --device names: a PCI address, with or without its domain,
 * card0, renderD128, a path of either, or sysfs' name of a device. NULL: none
 */
const char *device_find(const struct sample *sample, const char *name);

#endif
