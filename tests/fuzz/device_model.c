// SPDX-License-Identifier: MIT
/*
 * Memory as the manual has it: what each page holds, and where an address leads.
 * The tables are walked anew each time. An engine may remember older entries, so
 * the model notes which it may have seen; when one of them changes, nothing that
 * goes through the aperture is foretold until the next flush.
 */
#include <string.h>

#include "device_fuzz.h"

void model_clear(struct model *m)
{
	for (uint32_t page = 0; page < m->pages; page++)
		if (m->touched[page])
			memset(m->mem + (size_t)page * PAGE, 0, PAGE);
	memset(m->touched, 0, sizeof(m->touched));
	model_flush(m);
	m->vram_on = false;
	m->gtt_on = false;
	m->ready = true;
	memset(m->halted, 0, sizeof(m->halted));
	memset(m->inject, 0, sizeof(m->inject));
	m->fail_resets = 0;
	m->lose_vram = false;
	m->skip_flushes = 0;
	m->latched = false;
	m->ih_ctrl = false;
	m->ih_on = false;
	m->ih_overflow = false;
	m->ih_wptr = 0;
	m->drop = 0;
	m->raised = 0;
	memset(m->count, 0, sizeof(m->count));
	m->in_flight = false;
	m->disturbed = false;
	m->packets_unknown = false;
	m->bytes = 0;
}

/* No engine remembers anything. */
void model_flush(struct model *m)
{
	for (uint32_t i = 0; i < m->marks; i++) {
		m->marked[m->mark[i]] = 0;
		m->marked_page[m->mark[i] * 8 / PAGE] = 0;
	}
	m->marks = 0;
	m->stale = false;
	/* The packet at work, if it is not dropped, writes where it would have */
	if (!m->in_flight)
		memset(m->reach, 0, sizeof(m->reach));
}

/* A flush was asked for. */
void model_asks_flush(struct model *m)
{
	if (m->skip_flushes) {
		m->skip_flushes--;
		return;
	}
	m->count[STAT_tlb_flushes]++;
	model_flush(m);
}

static void mark(struct model *m, uint32_t word)
{
	if (m->marked[word])
		return;
	m->marked[word] = 1;
	m->marked_page[word * 8 / PAGE] = 1;
	m->mark[m->marks++] = word;
}

/* Level 1 comes after the words of VRAM. */
void model_entry_changed(struct model *m, uint32_t word)
{
	if (m->marked[word])
		m->stale = true;
}

static bool refuse(struct place *place, uint32_t reason, uint32_t level)
{
	*place = (struct place) { .reason = reason, .level = level };
	return false;
}

/* Where an entry's page of @size bytes is; false: nowhere */
static bool leads_to(struct model *m, uint64_t entry, uint32_t level, uint64_t size,
		     struct place *place)
{
	uint64_t at = entry & PDDGPU_PTE_ADDR_MASK;
	uint64_t vram = (uint64_t)m->vram_pages * PAGE;
	uint64_t ram = (uint64_t)(m->pages - m->vram_pages) * PAGE;

	if (at % size)
		return refuse(place, PDDGPU_FAULT_BAD_TABLE, level);
	if (!(entry & PDDGPU_PTE_SYSTEM)) {
		if (at + size > vram)
			return refuse(place, PDDGPU_FAULT_BAD_TABLE, level);
		place->page = at / PAGE;
	} else if (at + size <= m->lowmem) {
		place->page = m->vram_pages + at / PAGE;
	} else if (at >= 4 * GIB && at - 4 * GIB + size <= ram - m->lowmem) {
		place->page = m->vram_pages + (m->lowmem + at - 4 * GIB) / PAGE;
	} else {
		return refuse(place, PDDGPU_FAULT_BUS, level);
	}
	return true;
}

static uint64_t level1(struct model *m, uint64_t addr)
{
	uint64_t entry;

	memcpy(&entry, m->chip->regs.base + PDDGPU_MMIO_MMU_START_ADDRESS +
	       PDDGPU_MMU_L1_INDEX(addr) * 8, sizeof(entry));
	return entry;
}

/* The entry of a table in VRAM; false: @parent names none */
static bool next_level(struct model *m, uint64_t parent, uint32_t index, uint32_t *word,
		       uint64_t *entry)
{
	uint64_t table = parent & PDDGPU_PTE_ADDR_MASK;

	if (parent & (PDDGPU_PTE_SYSTEM | PDDGPU_PTE_LEAF) ||
	    table + PAGE > (uint64_t)m->vram_pages * PAGE)
		return false;
	*word = table / 8 + index;
	memcpy(entry, m->mem + (size_t)*word * 8, 8);
	return true;
}

static bool walk(struct model *m, uint64_t addr, bool write, bool note,
		 struct place *place)
{
	uint32_t word2, word3, level = 3;
	uint64_t entry = level1(m, addr);

	if (!(entry & PDDGPU_PTE_VALID))
		return refuse(place, PDDGPU_FAULT_INVALID_ENTRY, 1);
	if (!next_level(m, entry, PDDGPU_MMU_L2_INDEX(addr), &word2, &entry))
		return refuse(place, PDDGPU_FAULT_BAD_TABLE, 1);
	if (!(entry & PDDGPU_PTE_VALID))
		return refuse(place, PDDGPU_FAULT_INVALID_ENTRY, 2);
	if (entry & PDDGPU_PTE_LEAF) {
		level = 2;
		word3 = word2;
		if (!leads_to(m, entry, 2, 2 * MIB, place))
			return false;
		place->page += (addr & (2 * MIB - 1)) / PAGE;
	} else {
		if (!next_level(m, entry, PDDGPU_MMU_L3_INDEX(addr), &word3, &entry))
			return refuse(place, PDDGPU_FAULT_BAD_TABLE, 2);
		if (!(entry & PDDGPU_PTE_VALID))
			return refuse(place, PDDGPU_FAULT_INVALID_ENTRY, 3);
		if (entry & PDDGPU_PTE_LEAF)
			return refuse(place, PDDGPU_FAULT_BAD_TABLE, 3);
		if (!leads_to(m, entry, 3, PAGE, place))
			return false;
	}
	if (note) {
		mark(m, FUZZ_VRAM_MAX / 8 + PDDGPU_MMU_L1_INDEX(addr));
		mark(m, word2);
		mark(m, word3);
		/* A leaf is cached as a whole */
		if (entry & PDDGPU_PTE_WRITABLE && level == 2)
			memset(m->reach + place->page - addr % (2 * MIB) / PAGE, 1,
			       2 * MIB / PAGE);
		else if (entry & PDDGPU_PTE_WRITABLE)
			m->reach[place->page] = 1;
	}
	if (write && !(entry & PDDGPU_PTE_WRITABLE))
		return refuse(place, PDDGPU_FAULT_READ_ONLY, level);
	return true;
}

/* With @enables, as an engine; without, as the command `read`. @note: see above. */
bool model_walk(struct model *m, uint64_t addr, bool write, bool enables, bool note,
		struct place *place)
{
	uint64_t vram = (uint64_t)m->vram_pages * PAGE;

	*place = (struct place) { 0 };
	if (addr >= LAYOUT_VRAM_START && addr < LAYOUT_VRAM_START + vram) {
		if (enables && !m->vram_on)
			return refuse(place, PDDGPU_FAULT_OUT_OF_RANGE, 0);
		place->page = (addr - LAYOUT_VRAM_START) / PAGE;
		if (note && write)
			m->reach[place->page] = 1;
		return true;
	}
	if (addr < LAYOUT_GTT_START || addr >= LAYOUT_GTT_START + FUZZ_GTT ||
	    (enables && !m->gtt_on))
		return refuse(place, PDDGPU_FAULT_OUT_OF_RANGE, 0);
	return walk(m, addr, write, note, place);
}

/* Would this change an entry that an engine may have cached? */
bool model_hits_entry(struct model *m, uint32_t page, uint32_t offset, const void *bytes,
		      uint32_t count)
{
	uint32_t first = (page * PAGE + offset) / 8;
	uint32_t last = (page * PAGE + offset + count - 1) / 8;

	if (page >= m->vram_pages || !count || !m->marked_page[page] ||
	    !memcmp(m->mem + (size_t)page * PAGE + offset, bytes, count))
		return false;
	for (uint32_t word = first; word <= last; word++)
		if (m->marked[word])
			return true;
	return false;
}

/* The guest or the chip has written, on one page. */
void model_write(struct model *m, uint32_t page, uint32_t offset, const void *bytes,
		 uint32_t count)
{
	if (model_hits_entry(m, page, offset, bytes, count))
		m->stale = true;
	m->touched[page] = 1;
	memcpy(m->mem + (size_t)page * PAGE + offset, bytes, count);
}

void model_compare_page(struct model *m, uint32_t page)
{
	const uint8_t *want = m->mem + (size_t)page * PAGE;
	const uint8_t *have = rig_page(m, page);

	if (!memcmp(want, have, PAGE))
		return;
	for (uint32_t i = 0; i < PAGE; i++)
		fuzz_check(want[i] == have[i], "page %u of %s, byte %u: %02x, not %02x",
			   page < m->vram_pages ? page : page - m->vram_pages,
			   page < m->vram_pages ? "VRAM" : "RAM", i, have[i], want[i]);
}

/* All memory is as it should be. What was never touched stays so. */
void model_compare(struct model *m)
{
	static uint8_t has_data[FUZZ_PAGES];

	rig_data(m, has_data);
	for (uint32_t page = 0; page < m->pages; page++)
		if (has_data[page] || m->touched[page])
			model_compare_page(m, page);
}

/*
 * Learn what memory holds. @bounded: nothing may have changed but where a write
 * may have gone.
 */
void model_take(struct model *m, bool bounded)
{
	static uint8_t has_data[FUZZ_PAGES];

	rig_data(m, has_data);
	for (uint32_t page = 0; page < m->pages; page++) {
		uint8_t *mine = m->mem + (size_t)page * PAGE;
		const uint8_t *have = rig_page(m, page);

		if ((!has_data[page] && !m->touched[page]) || !memcmp(mine, have, PAGE))
			continue;
		if (bounded && !m->reach[page])
			model_compare_page(m, page);
		model_write(m, page, 0, have, PAGE);
	}
}
