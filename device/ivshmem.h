/* SPDX-License-Identifier: MIT */
#ifndef PDD_IVSHMEM_H
#define PDD_IVSHMEM_H

#include "chip.h"

int ivshmem_greet(int connection, const struct chip *chip);

#endif
