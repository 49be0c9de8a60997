/* SPDX-License-Identifier: MIT */
/* The family's GPU address space, and what is derived from it. */
#ifndef PDD_LAYOUT_H
#define PDD_LAYOUT_H

#include <pddgpu_packets.h>
#include <pddgpu_pte.h>
#include <pddgpu_regs.h>

#define PDD_VERSION		"1.0"

#define LAYOUT_VRAM_START	0x0800000000ull		/* 32 GiB */
#define LAYOUT_GTT_START	0x2000000000ull		/* 128 GiB */
#define LAYOUT_VRAM_MAX		(LAYOUT_GTT_START - LAYOUT_VRAM_START)
#define LAYOUT_GTT_MAX		((1ull << PDDGPU_MMU_ADDR_BITS) - LAYOUT_GTT_START)

#define CHIP_REV_VALUE		0x01

#endif
