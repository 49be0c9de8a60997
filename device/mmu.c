// SPDX-License-Identifier: MIT
#include <string.h>

#include "mmu.h"

static bool refuse(struct fault *fault, uint32_t reason, uint32_t level,
		   bool write, uint64_t addr)
{
	*fault = (struct fault) {
		.reason = reason,
		.level = level,
		.write = write,
		.addr = addr,
	};
	return false;
}

/**
 * mmu_is_vram() - does an address lie in the VRAM range?
 * @mmu: the MMU
 * @addr: GPU address
 *
 * Return: true when it does.
 */
bool mmu_is_vram(const struct mmu *mmu, uint64_t addr)
{
	return addr >= LAYOUT_VRAM_START &&
	       addr - LAYOUT_VRAM_START < mmu->mem->vram_size;
}

static bool mmu_is_gtt(const struct mmu *mmu, uint64_t addr)
{
	return addr >= LAYOUT_GTT_START && addr - LAYOUT_GTT_START < mmu->gtt_size;
}

/**
 * mmu_in_one_range() - do all of some bytes lie in VRAM, or all in the aperture?
 * @mmu: the MMU
 * @addr: GPU address
 * @bytes: how many
 *
 * Return: true when they do; the page tables are not looked at.
 */
bool mmu_in_one_range(const struct mmu *mmu, uint64_t addr, uint64_t bytes)
{
	if (mmu_is_vram(mmu, addr))
		return bytes <= mmu->mem->vram_size - (addr - LAYOUT_VRAM_START);
	if (mmu_is_gtt(mmu, addr))
		return bytes <= mmu->gtt_size - (addr - LAYOUT_GTT_START);
	return false;
}

/* Read entry @index of the table that @parent names; false: it is no table. */
static bool read_entry(const struct mmu *mmu, uint64_t parent, uint64_t index,
		       uint64_t *entry)
{
	uint64_t table = parent & PDDGPU_PTE_ADDR_MASK;

	if (parent & (PDDGPU_PTE_SYSTEM | PDDGPU_PTE_LEAF) ||
	    mmu->mem->vram_size < PDDGPU_MMU_PAGE_SIZE ||
	    table > mmu->mem->vram_size - PDDGPU_MMU_PAGE_SIZE)
		return false;
	*entry = shared_read64(mmu->mem->vram + table +
			       index * PDDGPU_MMU_ENTRY_SIZE);
	return true;
}

/* @entry names a page of @size bytes that holds @addr: find it on the host. */
static bool page_of_entry(const struct mmu *mmu, uint64_t entry, uint32_t level,
			  uint64_t size, uint64_t addr, bool write,
			  struct translation *out, struct fault *fault)
{
	uint64_t page = entry & PDDGPU_PTE_ADDR_MASK;
	uint8_t *host;

	if (page & (size - 1))
		return refuse(fault, PDDGPU_FAULT_BAD_TABLE, level, write, addr);
	if (entry & PDDGPU_PTE_SYSTEM) {
		host = mem_system_page(mmu->mem, page, size);
		if (!host)
			return refuse(fault, PDDGPU_FAULT_BUS, level, write, addr);
	} else {
		if (size > mmu->mem->vram_size || page > mmu->mem->vram_size - size)
			return refuse(fault, PDDGPU_FAULT_BAD_TABLE, level, write,
				      addr);
		host = mmu->mem->vram + page;
	}
	out->host = host;
	out->bytes = size;
	out->shift = size == PDDGPU_MMU_LEAF_SIZE ? PDDGPU_MMU_LEAF_SHIFT :
						    PDDGPU_MMU_PAGE_SHIFT;
	out->writable = entry & PDDGPU_PTE_WRITABLE;
	return true;
}

/* Find the page of an aperture address; @out->host is the page's first byte. */
static bool walk_tables(const struct mmu *mmu, uint64_t addr, bool write,
			struct translation *out, struct fault *fault)
{
	uint64_t entry;

	entry = regs_read64(mmu->regs, PDDGPU_MMIO_MMU_START_ADDRESS +
			    PDDGPU_MMU_L1_INDEX(addr) * PDDGPU_MMU_ENTRY_SIZE);
	if (!(entry & PDDGPU_PTE_VALID))
		return refuse(fault, PDDGPU_FAULT_INVALID_ENTRY, 1, write, addr);
	if (!read_entry(mmu, entry, PDDGPU_MMU_L2_INDEX(addr), &entry))
		return refuse(fault, PDDGPU_FAULT_BAD_TABLE, 1, write, addr);
	if (!(entry & PDDGPU_PTE_VALID))
		return refuse(fault, PDDGPU_FAULT_INVALID_ENTRY, 2, write, addr);
	if (entry & PDDGPU_PTE_LEAF)
		return page_of_entry(mmu, entry, 2, PDDGPU_MMU_LEAF_SIZE, addr,
				     write, out, fault);
	if (!read_entry(mmu, entry, PDDGPU_MMU_L3_INDEX(addr), &entry))
		return refuse(fault, PDDGPU_FAULT_BAD_TABLE, 2, write, addr);
	if (!(entry & PDDGPU_PTE_VALID))
		return refuse(fault, PDDGPU_FAULT_INVALID_ENTRY, 3, write, addr);
	if (entry & PDDGPU_PTE_LEAF)
		return refuse(fault, PDDGPU_FAULT_BAD_TABLE, 3, write, addr);
	return page_of_entry(mmu, entry, 3, PDDGPU_MMU_PAGE_SIZE, addr, write, out,
			     fault);
}

/* From the page's first byte on to @addr; the last check is the permission. */
static bool finish(struct translation *out, uint64_t addr, bool write,
		   struct fault *fault)
{
	uint64_t offset = addr & ((1ull << out->shift) - 1);
	uint32_t level = out->shift == PDDGPU_MMU_LEAF_SHIFT ? 2 : 3;

	if (write && !out->writable)
		return refuse(fault, PDDGPU_FAULT_READ_ONLY, level, write, addr);
	out->host += offset;
	out->bytes = (1ull << out->shift) - offset;
	return true;
}

static void translate_vram(const struct mmu *mmu, uint64_t addr,
			   struct translation *out)
{
	uint64_t offset = addr - LAYOUT_VRAM_START;

	*out = (struct translation) {
		.host = mmu->mem->vram + offset,
		.bytes = mmu->mem->vram_size - offset,
		.writable = true,
	};
}

/**
 * mmu_walk() - translate an address by the page tables as they are now
 * @mmu: the MMU
 * @addr: GPU address
 * @write: it is to be written
 * @out: the translation
 * @fault: why there is none
 *
 * Neither the TLB nor the enables matter.
 *
 * Return: true when there is a translation.
 */
bool mmu_walk(const struct mmu *mmu, uint64_t addr, bool write,
	      struct translation *out, struct fault *fault)
{
	if (mmu_is_vram(mmu, addr)) {
		translate_vram(mmu, addr, out);
		return true;
	}
	if (!mmu_is_gtt(mmu, addr))
		return refuse(fault, PDDGPU_FAULT_OUT_OF_RANGE, 0, write, addr);
	return walk_tables(mmu, addr, write, out, fault) &&
	       finish(out, addr, write, fault);
}

static struct tlb_entry *tlb_slot(struct tlb *tlb, unsigned int shift, uint64_t addr)
{
	uint64_t page = addr >> shift;

	if (shift == PDDGPU_MMU_LEAF_SHIFT)
		return &tlb->leaf[page % TLB_LEAF_ENTRIES];
	return &tlb->page[page % TLB_PAGE_ENTRIES];
}

static bool tlb_find(struct tlb *tlb, unsigned int shift, uint64_t addr,
		     struct translation *out)
{
	const struct tlb_entry *entry = tlb_slot(tlb, shift, addr);

	if (entry->tag != (addr >> shift) + 1)
		return false;
	out->host = entry->host;
	out->shift = shift;
	out->writable = entry->writable;
	return true;
}

/* What an engine's TLB was good for; counted in one go, since counting is shared */
struct tlb_count {
	uint64_t hits;
	uint64_t misses;
};

static void count_tlb(const struct mmu *mmu, const struct tlb_count *count)
{
	if (count->hits)
		stats_add(mmu->stats, STAT_tlb_hits, count->hits);
	if (count->misses)
		stats_add(mmu->stats, STAT_tlb_misses, count->misses);
}

static bool translate(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, bool write,
		      struct translation *out, struct tlb_count *count,
		      struct fault *fault)
{
	struct tlb_entry *entry;

	if (mmu_is_vram(mmu, addr)) {
		if (!atomic_load(&mmu->vram_on))
			return refuse(fault, PDDGPU_FAULT_OUT_OF_RANGE, 0, write, addr);
		translate_vram(mmu, addr, out);
		return true;
	}
	if (!mmu_is_gtt(mmu, addr) || !atomic_load(&mmu->gtt_on))
		return refuse(fault, PDDGPU_FAULT_OUT_OF_RANGE, 0, write, addr);

	if (!tlb) {
		if (!walk_tables(mmu, addr, write, out, fault))
			return false;
	} else if (tlb_find(tlb, PDDGPU_MMU_PAGE_SHIFT, addr, out) ||
		   tlb_find(tlb, PDDGPU_MMU_LEAF_SHIFT, addr, out)) {
		count->hits++;
	} else {
		count->misses++;
		if (!walk_tables(mmu, addr, write, out, fault))
			return false;
		entry = tlb_slot(tlb, out->shift, addr);
		entry->tag = (addr >> out->shift) + 1;
		entry->host = out->host;
		entry->writable = out->writable;
	}
	return finish(out, addr, write, fault);
}

/**
 * mmu_access() - translate an address for an engine
 * @mmu: the MMU
 * @tlb: the engine's TLB; NULL: nothing is cached
 * @addr: GPU address
 * @write: it is to be written
 * @out: the translation, valid while the access lasts
 * @fault: why there is none
 *
 * Return: true when there is a translation. A cached one is used as it is, even
 * when the page tables say something else by now.
 */
bool mmu_access(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, bool write,
		struct translation *out, struct fault *fault)
{
	struct tlb_count count = { 0 };
	bool ok = translate(mmu, tlb, addr, write, out, &count, fault);

	count_tlb(mmu, &count);
	return ok;
}

/**
 * mmu_run() - translate as many bytes as lie in one piece on the host
 * @mmu: the MMU
 * @tlb: the engine's TLB
 * @addr: GPU address of the first
 * @want: how many at the most, not 0
 * @write: they are to be written
 * @out: the translation; its bytes are 1 to @want
 * @fault: why there is none
 *
 * Return: true when the first byte has a translation. A later page that has
 * none merely ends the run.
 */
bool mmu_run(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, uint64_t want,
	     bool write, struct translation *out, struct fault *fault)
{
	struct tlb_count count = { 0 };
	struct translation next;
	struct fault ignored;
	bool ok = translate(mmu, tlb, addr, write, out, &count, fault);

	/* The VRAM range is one piece: what follows it is another run */
	while (ok && out->shift && out->bytes < want &&
	       translate(mmu, tlb, addr + out->bytes, write, &next, &count, &ignored) &&
	       next.host == out->host + out->bytes)
		out->bytes += next.bytes;
	count_tlb(mmu, &count);
	if (ok && out->bytes > want)
		out->bytes = want;
	return ok;
}

/**
 * tlb_flush() - forget every translation
 * @tlb: the TLB; the caller holds its engine
 */
void tlb_flush(struct tlb *tlb)
{
	memset(tlb, 0, sizeof(*tlb));
}
