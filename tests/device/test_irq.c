// SPDX-License-Identifier: MIT
/* The interrupt ring and the fault latch. */
#include <string.h>

#include "rig.h"

#define DATA	(VRAM_START + RIG_DATA)
#define IH_ENTRIES	(4096 / PDDGPU_IH_ENTRY_SIZE)

static void fences(struct rig *rig, int engine, uint64_t first, int count)
{
	for (int i = 0; i < count; i++) {
		emit_fence(rig, engine, DATA, first + i, PDDGPU_FENCE_INTERRUPT);
		submit(rig, engine);
	}
	finish(rig, engine);
}

static void ih_off(struct rig *rig)
{
	reg_write(rig, PDDGPU_IH_RING_CTRL, 0);
	flush_tlb(rig);
}

static void ih_on(struct rig *rig, uint64_t base, uint32_t size)
{
	ih_off(rig);
	reg_write(rig, PDDGPU_IH_RING_BASE, base >> 12);
	reg_write(rig, PDDGPU_IH_RING_SIZE, size);
	reg_write(rig, PDDGPU_IH_RING_RPTR, 0);
	reg_write(rig, PDDGPU_IH_RING_CTRL, PDDGPU_IH_RING_ENABLE);
	flush_tlb(rig);
	rig->ih_rptr = 0;
}

static void test_order(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;

	/* Several times round the ring */
	for (uint64_t i = 0; i < 5; i++) {
		fences(rig, 0, 1000 * i, 100);
		assert_true(wait_interrupt(rig, PATIENCE_MS));
		for (uint64_t k = 0; k < 100; k++) {
			assert_true(next_entry(rig, &entry));
			assert_true(entry.sequence == 1000 * i + k);
			assert_int_equal(entry.flags, 0);
		}
		assert_false(next_entry(rig, &entry));
	}
	assert_int_equal(counter(rig, "ih_entries"), 500);
	assert_int_equal(counter(rig, "interrupts"), 500);
}

static void test_overflow(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;

	fences(rig, 0, 0, IH_ENTRIES + 20);
	for (uint64_t k = 0; k < IH_ENTRIES - 1; k++) {
		assert_true(next_entry(rig, &entry));
		assert_true(entry.sequence == k);
		assert_int_equal(entry.flags, 0);
	}
	/* The rest was dropped; the next one that fits says so, once */
	assert_false(next_entry(rig, &entry));
	assert_int_equal(counter(rig, "ih_overflows"), 21);
	fences(rig, 1, 777, 2);
	assert_true(next_entry(rig, &entry));
	assert_true(entry.sequence == 777);
	assert_int_equal(entry.flags, PDDGPU_IH_FLAG_OVERFLOW);
	assert_true(next_entry(rig, &entry));
	assert_int_equal(entry.flags, 0);
}

static void test_rptr_rubbish(void **state)
{
	static const uint32_t junk[] = { 1, 31, 33, 4096, 4097, 0x80000000, ~0u, 0x7fffffe0 };
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(junk); i++) {
		reg_write(rig, PDDGPU_IH_RING_RPTR, junk[i]);
		reg_write(rig, PDDGPU_IH_RING_WPTR, junk[i]);
		fences(rig, 0, i, IH_ENTRIES * 2);
		assert_true(reg_read(rig, PDDGPU_IH_RING_WPTR) < 4096);
	}
	/* Outside of its page nothing was written */
	for (int i = 0; i < 512; i++) {
		assert_int_equal(vram64(rig, RIG_IH - 4096)[i], 0);
		assert_int_equal(vram64(rig, RIG_IH + 4096)[i], 0);
	}
}

static void test_off(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;

	ih_off(rig);
	fences(rig, 0, 1, 3);
	assert_false(wait_interrupt(rig, 5));
	assert_false(next_entry(rig, &entry));
	assert_int_equal(*vram64(rig, RIG_DATA), 3);
}

/* Base and size are looked at when the ring is enabled, and not later. */
static void test_take_over(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;

	fences(rig, 0, 1, 1);
	reg_write(rig, PDDGPU_IH_RING_BASE, 0);
	reg_write(rig, PDDGPU_IH_RING_SIZE, 3);
	flush_tlb(rig);
	fences(rig, 0, 2, 1);
	for (uint64_t i = 1; i < 3; i++) {
		assert_true(next_entry(rig, &entry));
		assert_true(entry.sequence == i);
	}
	ih_on(rig, VRAM_START + RIG_IH, 4096);
	assert_int_equal(reg_read(rig, PDDGPU_IH_RING_WPTR), 0);
	fences(rig, 0, 3, 1);
	assert_true(next_entry(rig, &entry));
	assert_true(entry.sequence == 3);
}

/* @level: of the page tables; 0: it was no access */
static void expect_ih_fault(struct rig *rig, uint32_t reason, uint32_t level, uint64_t addr)
{
	assert_int_equal(reg_read(rig, PDDGPU_FAULT_STATUS), PDDGPU_FAULT_VALID |
			 reason << PDDGPU_FAULT_REASON_SHIFT |
			 level << PDDGPU_FAULT_LEVEL_SHIFT | (level ? PDDGPU_FAULT_WRITE : 0));
	assert_true(reg_read(rig, PDDGPU_FAULT_ENGINE) == ~0u);
	assert_true(reg_read64(rig, PDDGPU_FAULT_ADDR_LO) == addr);
	ack_fault(rig);
}

static void test_bad_ring(void **state)
{
	static const struct { uint64_t base; uint32_t size; } bad[] = {
		{ VRAM_START, 0 }, { VRAM_START, 32 }, { VRAM_START, 5000 },
		{ VRAM_START, 0x200000 }, { 0, 4096 }, { VRAM_START + 32 * MIB, 4096 },
		{ VRAM_START + 32 * MIB - 4096, 8192 }, { GTT_START + GIB, 4096 },
		{ 0xffffffffull << 12, 0x100000 },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ih_on(rig, bad[i].base, bad[i].size);
		expect_ih_fault(rig, PDDGPU_FAULT_BAD_RING, 0, bad[i].base);
		/* Engines work on, unheard */
		fences(rig, 0, i, 2);
	}
	assert_int_equal(counter(rig, "ih_entries"), 0);
	ih_on(rig, VRAM_START + RIG_IH, 4096);
	fences(rig, 0, 3, 1);
	assert_true(wait_interrupt(rig, PATIENCE_MS));
}

/* In the guest's RAM, as a driver may want it; its pages may be missing. */
static void test_ring_in_ram(void **state)
{
	struct rig *rig = *state;
	const uint64_t page = PDDGPU_PTE_VALID | PDDGPU_PTE_SYSTEM | PDDGPU_PTE_WRITABLE;
	struct pddgpu_ih_entry *entries = (void *)(rig->ram + 0x6000);

	map_entry(rig, GTT_START, page | 0x6000);
	ih_on(rig, GTT_START, 8192);
	fences(rig, 0, 50, 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_true(entries[i].sequence == 50 + i);
	/* The second page of the ring is not there */
	reg_write(rig, PDDGPU_IH_RING_RPTR, 4 * PDDGPU_IH_ENTRY_SIZE);
	fences(rig, 0, 0, 126);
	expect_ih_fault(rig, PDDGPU_FAULT_INVALID_ENTRY, 3, GTT_START + 4096);
	ih_on(rig, GTT_START, 4096);
	map_entry(rig, GTT_START, page & ~PDDGPU_PTE_WRITABLE);
	flush_tlb(rig);
	fences(rig, 0, 0, 1);
	expect_ih_fault(rig, PDDGPU_FAULT_READ_ONLY, 3, GTT_START);
}

/* The first fault stays in the registers; each has its entry in the ring. */
static void test_latch(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;
	uint32_t first;

	emit_copy(rig, 1, 0x1000, DATA, 8);
	submit(rig, 1);
	first = expect_fault(rig, 1, PDDGPU_FAULT_OUT_OF_RANGE, 0, false, 0x1000);
	emit_copy(rig, 0, DATA, GTT_START, 8);
	submit(rig, 0);
	wait_for(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_HALTED(0));
	assert_int_equal(reg_read(rig, PDDGPU_FAULT_STATUS), first);
	assert_int_equal(reg_read(rig, PDDGPU_FAULT_ENGINE), 1);
	assert_true(reg_read64(rig, PDDGPU_FAULT_ADDR_LO) == 0x1000);

	wait_for(reg_read(rig, PDDGPU_IH_RING_WPTR) == 2 * PDDGPU_IH_ENTRY_SIZE);
	assert_true(next_entry(rig, &entry));
	assert_int_equal(entry.engine, 1);
	assert_int_equal(entry.sequence, first);
	assert_true(next_entry(rig, &entry));
	assert_int_equal(entry.engine, 0);
	assert_int_equal(entry.source, PDDGPU_IH_SOURCE_FAULT);
	assert_int_equal(entry.sequence, PDDGPU_FAULT_VALID | PDDGPU_FAULT_WRITE |
			 3 << PDDGPU_FAULT_LEVEL_SHIFT |
			 PDDGPU_FAULT_INVALID_ENTRY << PDDGPU_FAULT_REASON_SHIFT);
	assert_true(entry.address == GTT_START);

	/* Acknowledging frees the latch, not the engines */
	ack_fault(rig);
	assert_int_equal(reg_read(rig, PDDGPU_FAULT_ENGINE), 0);
	assert_true(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_HALTED(0));
	reset_engine(rig, 0);
	emit_copy(rig, 0, 0x2000, DATA, 8);
	submit(rig, 0);
	expect_fault(rig, 0, PDDGPU_FAULT_OUT_OF_RANGE, 0, false, 0x2000);
	assert_int_equal(counter(rig, "faults"), 3);
}

/* Entries come, interrupts do not, until the hold has ended or the chip is reset. */
static void test_hold(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;

	reg_write(rig, PDDGPU_IH_HOLD, 1);
	fences(rig, 0, 5, 3);
	assert_int_equal(counter(rig, "interrupts_held"), 3);
	assert_int_equal(counter(rig, "interrupts"), 0);
	assert_false(wait_interrupt(rig, 0));
	for (uint64_t k = 5; k < 8; k++) {
		assert_true(next_entry(rig, &entry));
		assert_true(entry.sequence == k);
	}
	assert_false(next_entry(rig, &entry));

	/* What was held back is not made up for */
	reg_write(rig, PDDGPU_IH_HOLD, 0);
	assert_false(wait_interrupt(rig, 0));
	fences(rig, 0, 8, 1);
	assert_true(wait_interrupt(rig, PATIENCE_MS));
	assert_int_equal(counter(rig, "interrupts"), 1);

	reg_write(rig, PDDGPU_IH_HOLD, 1);
	reset_chip(rig);
	assert_int_equal(reg_read(rig, PDDGPU_IH_HOLD), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_order, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_overflow, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_rptr_rubbish, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_off, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_take_over, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_bad_ring, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_ring_in_ram, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_latch, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_hold, rig_setup_on, rig_teardown),
};

int run_irq_tests(int *total)
{
	return RUN_GROUP("interrupts and faults", tests, total);
}
