/* SPDX-License-Identifier: MIT */
#ifndef PDD_MMU_H
#define PDD_MMU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mem.h"
#include "regs.h"
#include "stats.h"

#define TLB_PAGE_ENTRIES	1024
#define TLB_LEAF_ENTRIES	64

/**
 * struct fault - why an access or a packet failed
 * @reason: PDDGPU_FAULT_*
 * @level: of the page table entry, 0 for none
 * @write: it was a write
 * @addr: GPU address
 */
struct fault {
	uint32_t reason;
	uint32_t level;
	bool write;
	uint64_t addr;
};

/**
 * struct mmu - address translation, the same for all who access memory
 * @mem: VRAM and guest RAM
 * @regs: holds the first level
 * @stats: counters
 * @gtt_size: bytes of the aperture
 * @vram_on: MC_VRAM_CTRL as taken over
 * @gtt_on: MC_GTT_CTRL as taken over
 */
struct mmu {
	const struct mem *mem;
	const struct regs *regs;
	struct stats *stats;
	uint64_t gtt_size;
	atomic_bool vram_on;
	atomic_bool gtt_on;
};

/**
 * struct translation - a page, or the rest of VRAM, as the host sees it
 * @host: where the translated address is mapped
 * @bytes: how far the mapping reaches from there
 * @shift: log2 of the page size; 0 for the VRAM range
 * @writable: writes are allowed
 */
struct translation {
	uint8_t *host;
	uint64_t bytes;
	unsigned int shift;
	bool writable;
};

/**
 * struct tlb_entry - a cached valid translation
 * @tag: page number plus one; 0: empty
 * @host: where the page is mapped
 * @writable: writes are allowed
 */
struct tlb_entry {
	uint64_t tag;
	uint8_t *host;
	bool writable;
};

/**
 * struct tlb - what one engine remembers of the page tables
 * @page: 4 KiB pages, direct-mapped
 * @leaf: 2 MiB pages, direct-mapped
 *
 * Used by the engine within an access, or by who holds the engine.
 */
struct tlb {
	struct tlb_entry page[TLB_PAGE_ENTRIES];
	struct tlb_entry leaf[TLB_LEAF_ENTRIES];
};

bool mmu_in_one_range(const struct mmu *mmu, uint64_t addr, uint64_t bytes);
bool mmu_is_vram(const struct mmu *mmu, uint64_t addr);
bool mmu_walk(const struct mmu *mmu, uint64_t addr, bool write,
	      struct translation *out, struct fault *fault);
bool mmu_access(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, bool write,
		struct translation *out, struct fault *fault);
bool mmu_run(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, uint64_t want,
	     bool write, struct translation *out, struct fault *fault);
void tlb_flush(struct tlb *tlb);

#endif
