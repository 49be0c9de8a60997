/* SPDX-License-Identifier: MIT */
/* Much memory at a time. */
#ifndef PDD_BULK_H
#define PDD_BULK_H

#include <stdint.h>

void bulk_copy(uint8_t *to, const uint8_t *from, uint64_t bytes);
void bulk_fill(uint8_t *to, uint32_t pattern, uint64_t bytes);

#endif
