// SPDX-License-Identifier: MIT
/* Address translation and its TLB. The rig has RAM below and above the hole. */
#include <string.h>

#include "rig.h"

#define V	PDDGPU_PTE_VALID
#define W	PDDGPU_PTE_WRITABLE
#define S	PDDGPU_PTE_SYSTEM
#define LEAF	PDDGPU_PTE_LEAF

#define SRC	(VRAM_START + RIG_DATA)
#define HIGH	(4 * GIB)
#define LOWMEM	(8 * MIB)

static void set_source(struct rig *rig, uint64_t value)
{
	*vram64(rig, RIG_DATA) = value;
}

/* Through the aperture into each kind of memory, and back */
static void test_pages(void **state)
{
	struct rig *rig = *state;
	const struct {
		uint64_t entry;
		uint8_t *where;
	} pages[] = {
		{ V | W | S | PDDGPU_PTE_SNOOPED | 0x3000, rig->ram + 0x3000 },
		{ V | W | S, rig->ram },
		{ V | W | S | (LOWMEM - 0x1000), rig->ram + LOWMEM - 0x1000 },
		{ V | W | S | HIGH, rig->ram + LOWMEM },
		{ V | W | S | (HIGH + 0x5000), rig->ram + LOWMEM + 0x5000 },
		{ V | W | S | (HIGH + 8 * MIB - 0x1000), rig->ram + 16 * MIB - 0x1000 },
		{ V | W | (RIG_DATA + 0x7000), rig->vram + RIG_DATA + 0x7000 },
		{ V | W | (RIG_DATA + 0x9000) | 0xe00 | (0xfffull << 52),
		  rig->vram + RIG_DATA + 0x9000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		uint64_t addr = GTT_START + i * 0x1000 + 0x18, back;

		set_source(rig, 0xabcd0000 + i);
		map_entry(rig, addr, pages[i].entry);
		copy(rig, SRC, addr, 8);
		memcpy(&back, pages[i].where + 0x18, 8);
		assert_int_equal(back, 0xabcd0000 + i);
		copy(rig, addr, SRC + 0x100, 8);
		assert_int_equal(*vram64(rig, RIG_DATA + 0x100), 0xabcd0000 + i);
	}
}

static void test_leaves(void **state)
{
	struct rig *rig = *state;
	const struct {
		uint64_t entry;
		uint8_t *where;
	} leaves[] = {
		{ V | W | S | LEAF | 2 * MIB, rig->ram + 2 * MIB },
		{ V | W | S | LEAF | (HIGH + 6 * MIB), rig->ram + LOWMEM + 6 * MIB },
		{ V | W | LEAF | 4 * MIB, rig->vram + 4 * MIB },
	};

	for (int i = 0; i < 3; i++) {
		uint64_t addr = GTT_START + i * 2 * MIB;

		map_leaf(rig, addr, leaves[i].entry);
		set_source(rig, 0xfeed0000 + i);
		copy(rig, SRC, addr, 8);
		copy(rig, SRC, addr + 2 * MIB - 8, 8);
		assert_memory_equal(leaves[i].where, rig->vram + RIG_DATA, 8);
		assert_memory_equal(leaves[i].where + 2 * MIB - 8, rig->vram + RIG_DATA, 8);
	}
	/* All of one, from one kind of memory to another */
	memset(rig->ram + 2 * MIB, 0x5a, 2 * MIB);
	copy(rig, GTT_START, GTT_START + 4 * MIB, 2 * MIB);
	assert_memory_equal(rig->vram + 4 * MIB, rig->ram + 2 * MIB, 2 * MIB);
}

/* Tables in VRAM that the CPU does not reach, in another GiB of the aperture */
static void test_hidden_tables(void **state)
{
	const uint64_t l2 = 20 * MIB, l3 = 20 * MIB + 0x1000, page = 20 * MIB + 0x2000;
	const uint64_t addr = GTT_START + 3 * GIB + 511 * 2 * MIB + 511 * 4096;
	const struct rig_config config = { .vram = "32M", .visible = "15M", .gtt = "4G" };
	struct rig rig;

	(void)state;
	rig_start(&rig, &config);
	rig_connect(&rig);
	switch_on(&rig);
	*vram64(&rig, RIG_DATA) = V | l3;
	*vram64(&rig, RIG_DATA + 8) = V | W | page;
	*vram64(&rig, RIG_DATA + 16) = 0x600d;
	emit_fill(&rig, 0, VRAM_START + l2, 0, 0x2000);
	emit_copy(&rig, 0, SRC, VRAM_START + l2 + 511 * 8, 8);
	emit_copy(&rig, 0, SRC + 8, VRAM_START + l3 + 511 * 8, 8);
	emit_copy(&rig, 0, SRC + 16, VRAM_START + page, 8);
	finish(&rig, 0);
	reg_write64(&rig, PDDGPU_MMIO_MMU_START_ADDRESS + PDDGPU_MMU_L1_INDEX(addr) * 8,
		    V | l2);
	copy(&rig, addr, SRC + 24, 8);
	assert_int_equal(*vram64(&rig, RIG_DATA + 24), 0x600d);
	rig_end(&rig);
}

struct bad_entry {
	const char *name;
	int level;		/* where @entry goes */
	uint64_t entry;
	bool write;
	uint32_t reason;
	uint32_t fault_level;
};

static const struct bad_entry bad_entries[] = {
	{ "level 1 invalid", 1, RIG_L2, false, PDDGPU_FAULT_INVALID_ENTRY, 1 },
	{ "level 1 empty", 1, 0, true, PDDGPU_FAULT_INVALID_ENTRY, 1 },
	{ "table past VRAM", 1, V | 32 * MIB, false, PDDGPU_FAULT_BAD_TABLE, 1 },
	{ "table far away", 1, V | 0xffffffffff000, true, PDDGPU_FAULT_BAD_TABLE, 1 },
	{ "table in RAM", 1, V | S | 0x1000, false, PDDGPU_FAULT_BAD_TABLE, 1 },
	{ "leaf at level 1", 1, V | LEAF, false, PDDGPU_FAULT_BAD_TABLE, 1 },
	{ "level 2 invalid", 2, RIG_L3, false, PDDGPU_FAULT_INVALID_ENTRY, 2 },
	{ "level 3 table past VRAM", 2, V | 32 * MIB, true, PDDGPU_FAULT_BAD_TABLE, 2 },
	{ "level 3 table in RAM", 2, V | S, false, PDDGPU_FAULT_BAD_TABLE, 2 },
	{ "crooked leaf", 2, V | W | LEAF | 0x1000, true, PDDGPU_FAULT_BAD_TABLE, 2 },
	{ "leaf past VRAM", 2, V | LEAF | 32 * MIB, false, PDDGPU_FAULT_BAD_TABLE, 2 },
	{ "leaf in the hole", 2, V | S | LEAF | 8 * MIB, false, PDDGPU_FAULT_BUS, 2 },
	{ "leaf past RAM", 2, V | S | LEAF | (HIGH + 8 * MIB), true, PDDGPU_FAULT_BUS, 2 },
	{ "read-only leaf", 2, V | LEAF, true, PDDGPU_FAULT_READ_ONLY, 2 },
	{ "level 3 invalid", 3, W | 0x5000, false, PDDGPU_FAULT_INVALID_ENTRY, 3 },
	{ "leaf at level 3", 3, V | W | LEAF, false, PDDGPU_FAULT_BAD_TABLE, 3 },
	{ "page past VRAM", 3, V | W | 32 * MIB, true, PDDGPU_FAULT_BAD_TABLE, 3 },
	{ "page far away", 3, V | 0xffffffffff000, false, PDDGPU_FAULT_BAD_TABLE, 3 },
	{ "page in the hole", 3, V | S | LOWMEM, false, PDDGPU_FAULT_BUS, 3 },
	{ "page under 4 GiB", 3, V | S | (HIGH - 0x1000), true, PDDGPU_FAULT_BUS, 3 },
	{ "page past RAM", 3, V | S | (HIGH + 8 * MIB), false, PDDGPU_FAULT_BUS, 3 },
	{ "page far past RAM", 3, V | S | 0xffffffffff000, true, PDDGPU_FAULT_BUS, 3 },
	{ "read-only RAM", 3, V | S | 0x1000, true, PDDGPU_FAULT_READ_ONLY, 3 },
	{ "read-only VRAM", 3, V | RIG_DATA, true, PDDGPU_FAULT_READ_ONLY, 3 },
};

static void set_level1(struct rig *rig, uint64_t entry)
{
	reg_write64(rig, PDDGPU_MMIO_MMU_START_ADDRESS +
		    PDDGPU_MMU_L1_INDEX(GTT_START) * 8, entry);
}

static void test_bad_entries(void **state)
{
	const uint64_t addr = GTT_START + 5 * 0x1000 + 0x10;
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad_entries); i++) {
		const struct bad_entry *bad = &bad_entries[i];

		set_level1(rig, bad->level == 1 ? bad->entry : V | RIG_L2);
		map_leaf(rig, addr, bad->level == 2 ? bad->entry : V | RIG_L3);
		map_entry(rig, addr, bad->level == 3 ? bad->entry : V | W | RIG_DATA);
		flush_tlb(rig);
		if (bad->write)
			emit_copy(rig, 0, SRC, addr, 8);
		else
			emit_copy(rig, 0, addr, SRC, 8);
		submit(rig, 0);
		expect_fault(rig, 0, bad->reason, bad->fault_level, bad->write, addr);
		reset_engine(rig, 0);
		ack_fault(rig);
	}
	assert_int_equal(counter(rig, "faults"), ARRAY_SIZE(bad_entries));
	/* A read-only page can be read */
	map_entry(rig, addr, V | S);
	flush_tlb(rig);
	copy(rig, addr, SRC, 8);
}

static void test_out_of_range(void **state)
{
	const uint64_t bad[] = {
		0, 4096, VRAM_START - 1, VRAM_START - 8, VRAM_START + 32 * MIB,
		GTT_START - 8, GTT_START + GIB, 1ull << 39, 1ull << 63, ~0ull - 63,
		VRAM_START + (1ull << 39), GTT_START + (1ull << 40),
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		emit_copy(rig, 0, bad[i], SRC, 8);
		submit(rig, 0);
		expect_fault(rig, 0, PDDGPU_FAULT_OUT_OF_RANGE, 0, false, bad[i]);
		reset_engine(rig, 0);
		ack_fault(rig);
		emit_copy(rig, 0, SRC, bad[i], 8);
		submit(rig, 0);
		expect_fault(rig, 0, PDDGPU_FAULT_OUT_OF_RANGE, 0, true, bad[i]);
		reset_engine(rig, 0);
		ack_fault(rig);
	}
}

/* With an enable off, its range is not there. */
static void test_enables(void **state)
{
	struct rig *rig = *state;

	map_entry(rig, GTT_START, V | W | S);
	reg_write(rig, PDDGPU_MC_GTT_CTRL, ~PDDGPU_MC_ENABLE);
	flush_tlb(rig);
	emit_copy(rig, 0, GTT_START, SRC, 8);
	submit(rig, 0);
	expect_fault(rig, 0, PDDGPU_FAULT_OUT_OF_RANGE, 0, false, GTT_START);
	reset_engine(rig, 0);
	ack_fault(rig);

	/* The ring itself lies in VRAM */
	reg_write(rig, PDDGPU_MC_GTT_CTRL, PDDGPU_MC_ENABLE);
	reg_write(rig, PDDGPU_MC_VRAM_CTRL, 0);
	flush_tlb(rig);
	emit_nop(rig, 0, 2);
	submit(rig, 0);
	expect_fault(rig, 0, PDDGPU_FAULT_OUT_OF_RANGE, 0, false, VRAM_START + RIG_RING(0));
}

static uint64_t read_through(struct rig *rig, int engine, uint64_t addr)
{
	uint64_t to = RIG_DATA + 0x8000 + engine * 8;

	emit_copy(rig, engine, addr, VRAM_START + to, 8);
	finish(rig, engine);
	return *vram64(rig, to);
}

/* A translation is kept until a flush, whatever the tables say meanwhile. */
static void test_stale(void **state)
{
	const uint32_t flush[2] = { PDDGPU_PKT_HEADER(PDDGPU_OP_TLB_FLUSH, 0, 2) };
	const uint64_t page = GTT_START + 0x1000, leaf = GTT_START + 4 * MIB;
	struct rig *rig = *state;

	for (uint64_t i = 0; i < 5; i++) {
		const uint64_t now = RIG_DATA + 0x1000 * i, new = now + 0x1000;
		const uint64_t big = 2 * MIB * (2 + i);

		*vram64(rig, now) = 100 + i;
		*vram64(rig, new) = 101 + i;
		*vram64(rig, big) = 200 + i;
		*vram64(rig, big + 2 * MIB) = 201 + i;
		map_entry(rig, page, V | now);
		map_leaf(rig, leaf, V | LEAF | big);
		for (int engine = 0; engine < 2; engine++) {
			assert_int_equal(read_through(rig, engine, page), 100 + i);
			assert_int_equal(read_through(rig, engine, leaf), 200 + i);
		}
		map_entry(rig, page, i == 3 ? 0 : V | new);
		map_leaf(rig, leaf, V | LEAF | (big + 2 * MIB));
		for (int engine = 0; engine < 2; engine++) {
			assert_int_equal(read_through(rig, engine, page), 100 + i);
			assert_int_equal(read_through(rig, engine, leaf), 200 + i);
		}
		map_entry(rig, page, V | new);
		if (i % 3 == 0) {
			flush_tlb(rig);
		} else {
			/* Either engine's packet flushes both */
			emit(rig, i % 3 - 1, flush, sizeof(flush));
			finish(rig, i % 3 - 1);
		}
		for (int engine = 0; engine < 2; engine++) {
			assert_int_equal(read_through(rig, engine, page), 101 + i);
			assert_int_equal(read_through(rig, engine, leaf), 201 + i);
		}
		if (i % 3 != 0)
			flush_tlb(rig);
		else
			emit(rig, 0, flush, sizeof(flush));
		finish(rig, 0);
	}
	assert_int_equal(counter(rig, "tlb_flushes"), 1 + 2 * 5);
}

/* A permission is cached like the rest; that there was no page is not. */
static void test_stale_rights(void **state)
{
	struct rig *rig = *state;

	map_entry(rig, GTT_START, V | W | S);
	copy(rig, SRC, GTT_START, 8);
	map_entry(rig, GTT_START, V | S);
	copy(rig, SRC, GTT_START, 8);
	flush_tlb(rig);
	emit_copy(rig, 0, SRC, GTT_START, 8);
	submit(rig, 0);
	expect_fault(rig, 0, PDDGPU_FAULT_READ_ONLY, 3, true, GTT_START);
	reset_engine(rig, 0);
	ack_fault(rig);

	emit_copy(rig, 0, GTT_START + 0x1000, SRC, 8);
	submit(rig, 0);
	expect_fault(rig, 0, PDDGPU_FAULT_INVALID_ENTRY, 3, false, GTT_START + 0x1000);
	reset_engine(rig, 0);
	ack_fault(rig);
	map_entry(rig, GTT_START + 0x1000, V | S);
	copy(rig, GTT_START + 0x1000, SRC, 8);
}

static void test_hits_and_misses(void **state)
{
	struct rig *rig = *state;
	uint64_t misses, hits;

	for (int i = 0; i < 4; i++)
		map_entry(rig, GTT_START + i * 0x1000, V | S | (i * 0x2000));
	misses = counter(rig, "tlb_misses");
	copy(rig, GTT_START, SRC, 4 * 0x1000);
	assert_true(counter(rig, "tlb_misses") >= misses + 4);
	misses = counter(rig, "tlb_misses");
	hits = counter(rig, "tlb_hits");
	copy(rig, GTT_START, SRC, 4 * 0x1000);
	assert_int_equal(counter(rig, "tlb_misses"), misses);
	assert_true(counter(rig, "tlb_hits") >= hits + 4);
}

/* A card without RAM to reach: every system page is a bus fault. */
static void test_no_ram(void **state)
{
	const struct rig_config config = { .vram = "32M", .visible = "15M" };
	struct rig rig;

	(void)state;
	rig_start(&rig, &config);
	rig_connect(&rig);
	switch_on(&rig);
	map_entry(&rig, GTT_START, V | S);
	emit_copy(&rig, 0, GTT_START, SRC, 8);
	submit(&rig, 0);
	expect_fault(&rig, 0, PDDGPU_FAULT_BUS, 3, false, GTT_START);
	rig_end(&rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_pages, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_leaves, rig_setup_on, rig_teardown),
	cmocka_unit_test(test_hidden_tables),
	cmocka_unit_test_setup_teardown(test_bad_entries, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_out_of_range, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_enables, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_stale, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_stale_rights, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_hits_and_misses, rig_setup_on, rig_teardown),
	cmocka_unit_test(test_no_ram),
};

int run_mmu_tests(int *total)
{
	return RUN_GROUP("MMU", tests, total);
}
