// SPDX-License-Identifier: MIT
/* Command rings, and every packet but COPY. */
#include <string.h>

#include "rig.h"

#define DATA	(VRAM_START + RIG_DATA)
#define HDR	PDDGPU_PKT_HEADER

static void test_fill(void **state)
{
	struct rig *rig = *state;
	uint32_t *words = (uint32_t *)(rig->vram + RIG_DATA);

	map_entry(rig, GTT_START, PDDGPU_PTE_VALID | PDDGPU_PTE_WRITABLE |
		  PDDGPU_PTE_SYSTEM | 0x4000);
	fill(rig, DATA + 4, 0x12345678, 12);
	assert_int_equal(words[0], 0);
	for (int i = 1; i < 4; i++)
		assert_int_equal(words[i], 0x12345678);
	assert_int_equal(words[4], 0);
	fill(rig, GTT_START + 8, 0xcafef00d, 4096 - 8);
	assert_int_equal(*(uint32_t *)(rig->ram + 0x4004), 0);
	assert_int_equal(*(uint32_t *)(rig->ram + 0x4008), 0xcafef00d);
	assert_int_equal(*(uint32_t *)(rig->ram + 0x4ffc), 0xcafef00d);
	assert_int_equal(*(uint32_t *)(rig->ram + 0x5000), 0);
	/* More than a chunk, over the edge of visible VRAM */
	fill(rig, VRAM_START + 8 * MIB, 0xa5a5a5a5, 16 * MIB);
	read_gpu(rig, VRAM_START + 24 * MIB - 4, words, 8);
	assert_int_equal(words[0], 0xa5a5a5a5);
	assert_int_equal(words[1], 0);
	fill(rig, 0, 1, 0);
	assert_int_equal(counter(rig, "fills"), 4);
	assert_int_equal(counter(rig, "bytes_filled"), 12 + 4088 + 16 * MIB);
}

static void test_fence(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;
	const uint64_t sequence = 0xfedcba9876543210;

	emit_fence(rig, 1, DATA + 8, sequence, 0);
	finish(rig, 1);
	assert_true(*vram64(rig, RIG_DATA + 8) == sequence);
	assert_false(wait_interrupt(rig, 5));
	emit_fence(rig, 1, DATA + 16, sequence + 1, PDDGPU_FENCE_INTERRUPT);
	submit(rig, 1);
	assert_true(wait_interrupt(rig, PATIENCE_MS));
	/* The interrupt comes after the value */
	assert_true(*vram64(rig, RIG_DATA + 16) == sequence + 1);
	assert_true(next_entry(rig, &entry));
	assert_int_equal(entry.source, PDDGPU_IH_SOURCE_FENCE);
	assert_int_equal(entry.engine, 1);
	assert_true(entry.sequence == sequence + 1);
	assert_true(entry.address == DATA + 16);
	assert_int_equal(entry.flags, 0);
	assert_int_equal(entry.reserved, 0);
	assert_false(next_entry(rig, &entry));
}

/* Every packet begins at, and so wraps at, every place of the ring. */
static void test_wrap(void **state)
{
	struct rig *rig = *state;

	for (uint32_t at = RIG_RING_SIZE - 64; at < RIG_RING_SIZE; at += 8) {
		for (int kind = 0; kind < 4; kind++) {
			uint32_t gap = (at - rig->wptr[0]) & (RIG_RING_SIZE - 1);

			if (gap)
				emit_nop(rig, 0, gap / 4);
			submit(rig, 0);
			*vram64(rig, RIG_DATA) = at;
			*vram64(rig, RIG_DATA + 8) = 0;
			switch (kind) {
			case 0:
				emit_copy(rig, 0, DATA, DATA + 8, 8);
				break;
			case 1:
				emit_fill(rig, 0, DATA + 8, at, 4);
				break;
			case 2:
				emit_fence(rig, 0, DATA + 8, at, 0);
				break;
			default:
				emit_nop(rig, 0, 20);
				emit_fill(rig, 0, DATA + 8, at, 4);
			}
			finish(rig, 0);
			assert_int_equal(*vram64(rig, RIG_DATA + 8), at);
		}
	}
}

static void test_pointers(void **state)
{
	struct rig *rig = *state;
	const uint32_t status = PDDGPU_STATUS_ENGINE_IDLE(0);
	uint64_t packets = counter(rig, "packets");

	/* A doorbell with nothing new does nothing */
	ring_doorbell(rig, PDDGPU_DOORBELL_ENGINE0);
	ring_doorbell(rig, PDDGPU_DOORBELL_ENGINE1);
	command(rig, "info");
	assert_int_equal(counter(rig, "packets"), packets);
	/* The longest ever: all of the ring but 8 bytes */
	emit_nop(rig, 0, RIG_RING_SIZE / 4 - 2);
	submit(rig, 0);
	wait_for(reg_read(rig, PDDGPU_CP_RING_RPTR(0)) == RIG_RING_SIZE - 8);
	wait_for(reg_read(rig, PDDGPU_STATUS) & status);
	/* What the guest writes into RPTR is no concern of the device */
	reg_write(rig, PDDGPU_CP_RING_RPTR(0), 0x123);
	emit_nop(rig, 0, 2);
	submit(rig, 0);
	wait_for(reg_read(rig, PDDGPU_CP_RING_RPTR(0)) == 0);
	finish(rig, 0);
	assert_int_equal(counter(rig, "packets"), packets + 3);
}

struct malformed {
	uint32_t word[8];
	uint32_t count;
};

static const struct malformed malformed[] = {
	{ { HDR(PDDGPU_OP_NOP, 0, 0) }, 2 },
	{ { HDR(PDDGPU_OP_NOP, 0, 1) }, 2 },
	{ { HDR(PDDGPU_OP_NOP, 0, 3) }, 4 },
	{ { HDR(PDDGPU_OP_NOP, 0, 4) }, 2 },
	{ { HDR(PDDGPU_OP_NOP, 0, 0xfffe) }, 8 },
	{ { HDR(PDDGPU_OP_NOP, 1, 2) }, 2 },
	{ { HDR(PDDGPU_OP_COPY, 0, 6) }, 8 },
	{ { HDR(PDDGPU_OP_COPY, 0, 10) }, 8 },
	{ { HDR(PDDGPU_OP_COPY, 0, 8) }, 6 },
	{ { HDR(PDDGPU_OP_COPY, 1, 8) }, 8 },
	{ { HDR(PDDGPU_OP_COPY, 0, 8), 1 }, 8 },
	{ { HDR(PDDGPU_OP_COPY, 0, 8), 0, 0, 8, 0, 8, 1, 1 }, 8 },
	{ { HDR(PDDGPU_OP_COPY, 0, 8), 0, 0, 8, 0, 8, 0, ~0u }, 8 },
	{ { HDR(PDDGPU_OP_FILL, 0, 4) }, 6 },
	{ { HDR(PDDGPU_OP_FILL, 0, 8) }, 8 },
	{ { HDR(PDDGPU_OP_FILL, 4, 6) }, 6 },
	{ { HDR(PDDGPU_OP_FILL, 0, 6), 0, 2, 8, 4, 0 }, 6 },
	{ { HDR(PDDGPU_OP_FILL, 0, 6), 0, 0, 8, 6, 0 }, 6 },
	{ { HDR(PDDGPU_OP_FILL, 0, 6), 0, 0, 8, 4, 1 }, 6 },
	{ { HDR(PDDGPU_OP_FENCE, 0, 8) }, 8 },
	{ { HDR(PDDGPU_OP_FENCE, 2, 6) }, 6 },
	{ { HDR(PDDGPU_OP_FENCE, 0xff, 6) }, 6 },
	{ { HDR(PDDGPU_OP_FENCE, 0, 6), 7, 0, 8 }, 6 },
	{ { HDR(PDDGPU_OP_FENCE, 0, 6), 0, 4, 8 }, 6 },
	{ { HDR(PDDGPU_OP_TLB_FLUSH, 0, 4) }, 4 },
	{ { HDR(PDDGPU_OP_TLB_FLUSH, 1, 2) }, 2 },
	{ { HDR(PDDGPU_OP_TLB_FLUSH, 0, 2), 1 }, 2 },
	{ { HDR(PDDGPU_OP_TLB_FLUSH + 1, 0, 2) }, 2 },
	{ { HDR(255, 0, 2) }, 2 },
	{ { ~0u, ~0u }, 2 },
};

static void test_malformed(void **state)
{
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		struct pddgpu_ih_entry entry;
		uint32_t status;

		emit_nop(rig, 0, 6);
		emit(rig, 0, malformed[i].word, malformed[i].count * 4);
		submit(rig, 0);
		status = expect_fault(rig, 0, PDDGPU_FAULT_BAD_PACKET, 0, false,
				      VRAM_START + RIG_RING(0) + 24);
		/* It stays the next one */
		assert_int_equal(reg_read(rig, PDDGPU_CP_RING_RPTR(0)), 24);
		assert_true(wait_interrupt(rig, PATIENCE_MS));
		assert_true(next_entry(rig, &entry));
		assert_int_equal(entry.source, PDDGPU_IH_SOURCE_FAULT);
		assert_int_equal(entry.engine, 0);
		assert_int_equal(entry.sequence, status);
		assert_true(entry.address == VRAM_START + RIG_RING(0) + 24);
		reset_engine(rig, 0);
		ack_fault(rig);
		assert_true(next_entry(rig, &entry));
		assert_int_equal(entry.source, PDDGPU_IH_SOURCE_RESET);
		while (wait_interrupt(rig, 0))
			continue;
	}
	fill(rig, DATA, 1, 4);
}

/* A halted engine does nothing until it is reset, and the other goes on. */
static void test_halted(void **state)
{
	struct rig *rig = *state;

	emit(rig, 0, malformed[0].word, 8);
	emit_fill(rig, 0, DATA, 1, 4);
	submit(rig, 0);
	expect_fault(rig, 0, PDDGPU_FAULT_BAD_PACKET, 0, false, VRAM_START + RIG_RING(0));
	ack_fault(rig);
	ring_doorbell(rig, PDDGPU_DOORBELL_ENGINE0);
	/* Off and on again is no reset */
	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 0);
	flush_tlb(rig);
	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 1);
	flush_tlb(rig);
	emit_fill(rig, 1, DATA + 8, 2, 4);
	finish(rig, 1);
	assert_int_equal(*vram64(rig, RIG_DATA), 0);
	assert_true(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_HALTED(0));
	reset_engine(rig, 0);
	fill(rig, DATA, 3, 4);
	assert_int_equal(*vram64(rig, RIG_DATA), 3);
}

static void test_bad_wptr(void **state)
{
	static const uint32_t bad[] = {
		1, 4, 7, 9, RIG_RING_SIZE, RIG_RING_SIZE + 8, 0x80000000, 0xfffffff8, ~0u,
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		reg_write(rig, PDDGPU_CP_RING_WPTR(1), bad[i]);
		ring_doorbell(rig, PDDGPU_DOORBELL_ENGINE1);
		expect_fault(rig, 1, PDDGPU_FAULT_BAD_RING, 0, false,
			     VRAM_START + RIG_RING(1));
		reset_engine(rig, 1);
		ack_fault(rig);
		emit_nop(rig, 1, 2);
		finish(rig, 1);
	}
}

static void test_bad_ring(void **state)
{
	static const struct { uint64_t base; uint32_t size; } bad[] = {
		{ VRAM_START, 0 }, { VRAM_START, 2048 }, { VRAM_START, 4095 },
		{ VRAM_START, 4097 }, { VRAM_START, 3 * 4096 }, { VRAM_START, 0x200000 },
		{ VRAM_START, 0x80000000 }, { VRAM_START, ~0u }, { 0, 4096 },
		{ VRAM_START - 4096, 8192 }, { VRAM_START + 32 * MIB, 4096 },
		{ VRAM_START + 32 * MIB - 4096, 8192 }, { GTT_START - 4096, 8192 },
		{ GTT_START + GIB, 4096 }, { GTT_START + GIB - 4096, 0x100000 },
		{ 0xffffffffull << 12, 4096 },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		reg_write(rig, PDDGPU_CP_RING_CTRL(0), 0);
		flush_tlb(rig);
		reg_write(rig, PDDGPU_CP_RING_BASE(0), bad[i].base >> 12);
		reg_write(rig, PDDGPU_CP_RING_SIZE(0), bad[i].size);
		reg_write(rig, PDDGPU_CP_RING_CTRL(0), 1);
		flush_tlb(rig);
		expect_fault(rig, 0, PDDGPU_FAULT_BAD_RING, 0, false, bad[i].base);
		reg_write(rig, PDDGPU_CP_RING_CTRL(0), 0);
		reset_engine(rig, 0);
		ack_fault(rig);
	}
}

/* Pointers begin anew, and base and size are looked at then alone. */
static void test_take_over(void **state)
{
	struct rig *rig = *state;

	emit_nop(rig, 0, 2);
	finish(rig, 0);
	reg_write(rig, PDDGPU_CP_RING_BASE(0), 0);
	reg_write(rig, PDDGPU_CP_RING_SIZE(0), 1);
	flush_tlb(rig);
	emit_nop(rig, 0, 2);
	finish(rig, 0);

	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 0);
	flush_tlb(rig);
	emit_fill(rig, 0, DATA, 1, 4);
	submit(rig, 0);
	command(rig, "info");
	assert_int_equal(*vram64(rig, RIG_DATA), 0);

	/* A megabyte of ring, in the aperture, wrapped once */
	map_leaf(rig, GTT_START + 2 * MIB, PDDGPU_PTE_VALID | PDDGPU_PTE_SYSTEM |
		 PDDGPU_PTE_LEAF | 2 * MIB);
	reg_write(rig, PDDGPU_CP_RING_BASE(0), (GTT_START + 2 * MIB) >> 12);
	reg_write(rig, PDDGPU_CP_RING_SIZE(0), MIB);
	reg_write(rig, PDDGPU_CP_RING_WPTR(0), 0);
	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 1);
	flush_tlb(rig);
	assert_int_equal(reg_read(rig, PDDGPU_CP_RING_RPTR(0)), 0);
	for (int i = 0; i < 5; i++) {
		uint32_t at = i * 0x40000 % MIB;

		*(uint32_t *)(rig->ram + 2 * MIB + at) = HDR(PDDGPU_OP_NOP, 0, 0xfffe);
		*(uint32_t *)(rig->ram + 2 * MIB + at + 0x3fff8) = HDR(PDDGPU_OP_NOP, 0, 2);
		reg_write(rig, PDDGPU_CP_RING_WPTR(0), (at + 0x40000) % MIB);
		ring_doorbell(rig, PDDGPU_DOORBELL_ENGINE0);
		wait_for(reg_read(rig, PDDGPU_CP_RING_RPTR(0)) == (at + 0x40000) % MIB);
	}
	assert_int_equal(counter(rig, "faults"), 0);
}

/* A packet from before does not move the pointer of the ring from after. */
static void test_take_over_at_work(void **state)
{
	struct rig *rig = *state;
	uint64_t packets = counter(rig, "packets");

	command(rig, "delay 100000");
	emit_nop(rig, 0, 2);
	submit(rig, 0);
	wait_for(!(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_IDLE(0)));
	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 0);
	flush_tlb(rig);
	assert_int_equal(counter(rig, "packets"), packets);
	reg_write(rig, PDDGPU_CP_RING_WPTR(0), 0);
	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 1);
	flush_tlb(rig);
	rig->wptr[0] = 0;
	wait_for(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_IDLE(0));
	assert_int_equal(counter(rig, "packets"), packets + 1);
	assert_int_equal(reg_read(rig, PDDGPU_CP_RING_RPTR(0)), 0);
	command(rig, "delay 0");
	fill(rig, DATA, 1, 4);
}

/* A ring whose page is taken away */
static void test_ring_vanishes(void **state)
{
	struct rig *rig = *state;

	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 0);
	flush_tlb(rig);
	map_entry(rig, GTT_START, PDDGPU_PTE_VALID | PDDGPU_PTE_SYSTEM);
	reg_write(rig, PDDGPU_CP_RING_BASE(0), GTT_START >> 12);
	reg_write(rig, PDDGPU_CP_RING_WPTR(0), 0);
	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 1);
	flush_tlb(rig);
	*(uint32_t *)rig->ram = HDR(PDDGPU_OP_NOP, 0, 2);
	reg_write(rig, PDDGPU_CP_RING_WPTR(0), 8);
	ring_doorbell(rig, PDDGPU_DOORBELL_ENGINE0);
	wait_for(reg_read(rig, PDDGPU_CP_RING_RPTR(0)) == 8);
	map_entry(rig, GTT_START, 0);
	flush_tlb(rig);
	reg_write(rig, PDDGPU_CP_RING_WPTR(0), 16);
	ring_doorbell(rig, PDDGPU_DOORBELL_ENGINE0);
	expect_fault(rig, 0, PDDGPU_FAULT_INVALID_ENTRY, 3, false, GTT_START + 8);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_fill, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_fence, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_wrap, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_pointers, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_malformed, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_halted, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_bad_wptr, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_bad_ring, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_take_over, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_take_over_at_work, rig_setup_on,
					rig_teardown),
	cmocka_unit_test_setup_teardown(test_ring_vanishes, rig_setup_on, rig_teardown),
};

int run_packet_tests(int *total)
{
	return RUN_GROUP("rings and packets", tests, total);
}
