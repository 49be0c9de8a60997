/* SPDX-License-Identifier: MIT */
/*
 * PDD1000 family: page table entries.
 *
 * Three levels, 4 KiB pages, 512 entries of 64 bits a level, little endian.
 * Level 1 is the register block MMIO_MMU_START_ADDRESS; an entry covers a GiB
 * and is indexed by GPU address bits 38:30. Level 2 (an entry 2 MiB, bits
 * 29:21) and level 3 (an entry 4 KiB, bits 20:12) are pages of VRAM. Only GPU
 * addresses in the GTT aperture are translated; the VRAM range is direct.
 *
 * An address in VRAM is held as a byte offset from the start of VRAM, an
 * address in system memory as a bus address.
 */
#ifndef PDDGPU_PTE_H
#define PDDGPU_PTE_H

#define PDDGPU_PTE_VALID	(1ull << 0)
#define PDDGPU_PTE_WRITABLE	(1ull << 1)
#define PDDGPU_PTE_SNOOPED	(1ull << 2)
#define PDDGPU_PTE_SYSTEM	(1ull << 3)	/* else VRAM */
#define PDDGPU_PTE_LEAF		(1ull << 4)	/* level 2 only: a 2 MiB page */
#define PDDGPU_PTE_ADDR_MASK	0x000ffffffffff000ull	/* bits 51:12 */

/* Entries of level 1 and 2 that name a table: VALID and the table's VRAM offset */

#define PDDGPU_MMU_PAGE_SHIFT	12
#define PDDGPU_MMU_PAGE_SIZE	(1ull << PDDGPU_MMU_PAGE_SHIFT)
#define PDDGPU_MMU_LEAF_SHIFT	21
#define PDDGPU_MMU_LEAF_SIZE	(1ull << PDDGPU_MMU_LEAF_SHIFT)
#define PDDGPU_MMU_L1_SHIFT	30
#define PDDGPU_MMU_ENTRIES	512u
#define PDDGPU_MMU_ENTRY_SIZE	8u
/* GPU addresses have 39 bits */
#define PDDGPU_MMU_ADDR_BITS	39

#define PDDGPU_MMU_L1_INDEX(a)	(((a) >> 30) & 511)
#define PDDGPU_MMU_L2_INDEX(a)	(((a) >> 21) & 511)
#define PDDGPU_MMU_L3_INDEX(a)	(((a) >> 12) & 511)

#endif /* PDDGPU_PTE_H */
