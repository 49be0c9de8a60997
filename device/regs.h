/* SPDX-License-Identifier: MIT */
/*
 * The register file: plain memory that the guest may change at any time, so it
 * is read once, whole, and never trusted to hold what the device wrote.
 */
#ifndef PDD_REGS_H
#define PDD_REGS_H

#include <endian.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

/**
 * struct regs - the register file
 * @base: PDDGPU_REG_FILE_SIZE bytes, page-aligned
 * @gone: reads as all-ones; the device writes nothing. Changed with both
 *	engines held and the state lock taken, so a writer needs any of them
 */
struct regs {
	uint8_t *base;
	atomic_bool gone;
};

static inline uint64_t shared_read64(const void *p)
{
	return le64toh(__atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE));
}

static inline void shared_write64(void *p, uint64_t value)
{
	__atomic_store_n((uint64_t *)p, htole64(value), __ATOMIC_RELEASE);
}

static inline uint32_t regs_read(const struct regs *regs, uint32_t offset)
{
	return le32toh(__atomic_load_n((const uint32_t *)(regs->base + offset),
				       __ATOMIC_ACQUIRE));
}

static inline uint64_t regs_read64(const struct regs *regs, uint32_t offset)
{
	return shared_read64(regs->base + offset);
}

static inline void regs_write(struct regs *regs, uint32_t offset, uint32_t value)
{
	if (!atomic_load(&regs->gone))
		__atomic_store_n((uint32_t *)(regs->base + offset), htole32(value),
				 __ATOMIC_RELEASE);
}

static inline void regs_write64(struct regs *regs, uint32_t offset, uint64_t value)
{
	if (!atomic_load(&regs->gone))
		shared_write64(regs->base + offset, value);
}

/* The guest may set other bits of the register at the same moment. */
static inline void regs_clear_bits(struct regs *regs, uint32_t offset, uint32_t bits)
{
	if (!atomic_load(&regs->gone))
		__atomic_and_fetch((uint32_t *)(regs->base + offset),
				   htole32(~bits), __ATOMIC_ACQ_REL);
}

#endif
