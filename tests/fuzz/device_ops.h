/* SPDX-License-Identifier: MIT */
#ifndef DEVICE_OPS_H
#define DEVICE_OPS_H

#include "device_fuzz.h"

/**
 * struct record - an operation, as it is in an input
 * @op: which
 * @a: choices
 * @b: mostly where
 * @c: where else, and how much
 * @d: raw
 */
struct record {
	uint8_t op;
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
};

_Static_assert(sizeof(struct record) == 16, "a record has 16 bytes");

/* device_acts.c: what operations are made of */
void ops_control(struct chip *chip);
void ops_rung(struct chip *chip, uint32_t engine);
void ops_emit(struct chip *chip, uint32_t engine, const uint64_t *words, uint32_t count);
void ops_line(struct chip *chip, uint8_t which, uint16_t a, uint32_t b, uint64_t addr);

#endif /* DEVICE_OPS_H */
