// SPDX-License-Identifier: MIT
/*
 * A guest gone mad, from a seed. The device has to live, its sanitizers have to
 * stay silent, memory that no packet may reach has to stay as it was, and after
 * all a reset has to make the chip usable again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define DATA	(VRAM_START + RIG_DATA)

/* PDDGPU_TEST_SEED tries another one. */
static uint64_t first_seed(void)
{
	const char *text = getenv("PDDGPU_TEST_SEED");

	return text && strtoull(text, NULL, 0) ? strtoull(text, NULL, 0) : 0x9e3779b9;
}

static uint64_t random_addr(uint64_t *seed)
{
	static const uint64_t near[] = {
		0, VRAM_START, VRAM_START + 15 * MIB, VRAM_START + 32 * MIB, GTT_START,
		GTT_START + 2 * MIB, GTT_START + 128 * MIB, GTT_START + GIB, 1ull << 39,
	};
	uint64_t addr = near[random_below(seed, ARRAY_SIZE(near))];

	switch (random_below(seed, 4)) {
	case 0:
		return addr + random_below(seed, 64) - 32;
	case 1:
		return addr + random_below(seed, 4 * MIB);
	case 2:
		return addr + random_below(seed, 1024) * 4096;
	default:
		return random_below(seed, 8) ? DATA + random_below(seed, 12 * MIB) :
					       random64(seed);
	}
}

static uint64_t random_size(uint64_t *seed)
{
	switch (random_below(seed, 4)) {
	case 0:
		return random_below(seed, 65) * 4;
	case 1:
		return random_below(seed, 20000);
	case 2:
		return random_below(seed, MIB);
	default:
		return random_below(seed, 16) ? random_below(seed, 256) : random64(seed);
	}
}

/* Mostly well-formed, so that it gets further than the first check */
static uint32_t random_packet(uint64_t *seed, uint64_t *packet)
{
	static const uint32_t lengths[] = { 2, 8, 6, 6, 2 };
	uint32_t opcode = random_below(seed, 5), dwords = lengths[opcode], flags = 0;

	packet[1] = random_addr(seed);
	packet[2] = random_addr(seed);
	packet[3] = random_size(seed);
	if (opcode == PDDGPU_OP_FILL)
		packet[2] = random_size(seed);
	if (opcode == PDDGPU_OP_NOP)
		dwords = 2 + 2 * random_below(seed, 4);
	if (opcode == PDDGPU_OP_FENCE) {
		packet[1] &= ~(random_below(seed, 4) ? 7ull : 0);
		flags = random_below(seed, 2);
	}
	packet[0] = PDDGPU_PKT_HEADER(opcode, flags, dwords);
	if (random_below(seed, 20) == 0)
		packet[random_below(seed, 4)] ^= 1ull << random_below(seed, 64);
	if (random_below(seed, 40) == 0)
		packet[0] = random64(seed);
	return dwords * 4;
}

static void random_tables(struct rig *rig, uint64_t *seed)
{
	for (int i = 0; i < 40; i++) {
		uint64_t entry = random_below(seed, 64) | random_below(seed, 16384) << 12;
		uint64_t page = GTT_START + random_below(seed, 1100) * 4096;

		switch (random_below(seed, 8)) {
		case 0:
			entry = random64(seed);
			break;
		case 1:
			entry |= 4 * GIB;
			break;
		case 2:
			entry &= ~(2 * MIB - 4096);
			break;
		}
		switch (random_below(seed, 12)) {
		case 0:
			map_leaf(rig, page, entry);
			break;
		case 1:
			reg_write64(rig, PDDGPU_MMIO_MMU_START_ADDRESS +
				    random_below(seed, 512) * 8, entry);
			break;
		default:
			map_entry(rig, page, entry);
		}
	}
}

/* Submit what was written; take the engine up again when it has halted. */
static void settle(struct rig *rig, int engine)
{
	uint32_t halted = PDDGPU_STATUS_ENGINE_HALTED(engine);
	uint32_t idle = PDDGPU_STATUS_ENGINE_IDLE(engine), status;

	wait_for((status = reg_read(rig, PDDGPU_STATUS)) & halted ||
		 (status & idle &&
		  reg_read(rig, PDDGPU_CP_RING_RPTR(engine)) == rig->wptr[engine]));
	if (status & halted) {
		reset_engine(rig, engine);
		/* Taken over with the flush; the other engine may fault anew */
		reg_write(rig, PDDGPU_FAULT_ACK, 1);
		flush_tlb(rig);
	}
}

static void put_packets(struct rig *rig, int engine, uint64_t *seed)
{
	const uint32_t mask = RIG_RING_SIZE - 1;
	uint32_t count = 1 + random_below(seed, 8);

	for (uint32_t i = 0; i < count; i++) {
		uint64_t packet[8] = { 0 };
		uint32_t bytes = random_packet(seed, packet);

		/* The ring is empty, so there is room */
		for (uint32_t k = 0; k < bytes; k += 8) {
			memcpy(rig->vram + RIG_RING(engine) + rig->wptr[engine],
			       packet + k / 8, 8);
			rig->wptr[engine] = (rig->wptr[engine] + 8) & mask;
		}
	}
	submit(rig, engine);
}

/* The packets may hit tables, rings and all: no bytes are foretold here. */
static void fuzz(struct rig *rig, uint64_t seed, int rounds, bool tables)
{
	for (int i = 0; i < rounds; i++) {
		if (i % 64 == 0) {
			reset_chip(rig);
			switch_on(rig);
		}
		if (tables && i % 4 == 0) {
			random_tables(rig, &seed);
			flush_tlb(rig);
		}
		put_packets(rig, 0, &seed);
		put_packets(rig, 1, &seed);
		settle(rig, 0);
		settle(rig, 1);
	}
	reset_chip(rig);
	switch_on(rig);
	fill(rig, DATA, 0x600dcafe, 4096);
	assert_int_equal(*(uint32_t *)(rig->vram + RIG_DATA + 4092), 0x600dcafe);
}

static void test_packets(void **state)
{
	struct rig *rig = *state;

	fuzz(rig, first_seed(), 1000, false);
	/* It got somewhere, and was stopped often */
	assert_true(counter(rig, "packets") > 1000);
	assert_true(counter(rig, "faults") > 300);
}

static void test_tables(void **state)
{
	struct rig *rig = *state;

	fuzz(rig, first_seed() + 1, 1000, true);
	assert_true(counter(rig, "packets") > 1000);
	assert_true(counter(rig, "tlb_misses") > 300);
}

/* Rubbish in every register but the one that would reset, and all doorbells */
static void test_registers(void **state)
{
	struct rig *rig = *state;
	uint64_t seed = first_seed() + 2;

	for (int i = 0; i < 400; i++) {
		for (int k = 0; k < 60; k++) {
			uint32_t reg = 4 * random_below(&seed, 0x380 / 4);
			uint32_t value = random_below(&seed, 2) ? random64(&seed) :
					 1u << random_below(&seed, 32);

			if (reg != PDDGPU_RESET)
				reg_write(rig, reg, value);
		}
		if (random_below(&seed, 2))
			reg_write(rig, PDDGPU_CP_RING_BASE(0), (VRAM_START >> 12) +
				  random_below(&seed, 8192));
		if (random_below(&seed, 2))
			reg_write(rig, PDDGPU_IH_RING_BASE, (VRAM_START >> 12) +
				  random_below(&seed, 8192));
		if (random_below(&seed, 8) == 0)
			reg_write(rig, PDDGPU_RESET, random64(&seed));
		for (int k = 0; k < 4; k++)
			ring_doorbell(rig, random_below(&seed, 4));
		if (i % 16 == 0)
			assert_int_equal(strncmp(command(rig, "info"), "ok ", 3), 0);
	}
	assert_int_equal(reset_chip(rig), 0x301);
	switch_on(rig);
	fill(rig, DATA, 1, 64);
}

/*
 * The ring changes under the engine's hands: what it has checked is what it
 * must use. The tail of RAM and the hidden end of VRAM are in no packet.
 */
static void test_race(void **state)
{
	struct rig *rig = *state;
	uint64_t seed = first_seed() + 3, end = now_ms() + 1500;
	uint64_t *ring = vram64(rig, RIG_RING(0));
	uint8_t bytes[4096];

	fill(rig, VRAM_START + 31 * MIB, 0x5a5a5a5a, 4096);
	map_leaf(rig, GTT_START, PDDGPU_PTE_VALID | PDDGPU_PTE_WRITABLE |
		 PDDGPU_PTE_LEAF | 4 * MIB);
	while (now_ms() < end) {
		reset_engine(rig, 0);
		for (int i = 0; i < 64; i++) {
			emit_copy(rig, 0, DATA + 6 * MIB, GTT_START, 4096);
			emit_fill(rig, 0, DATA + 5 * MIB, 7, 4096);
		}
		submit(rig, 0);
		for (int i = 0; i < 20000; i++) {
			uint64_t value;

			switch (random_below(&seed, 3)) {
			case 0:
				value = PDDGPU_PKT_HEADER(PDDGPU_OP_FILL, 0, 6);
				break;
			case 1:
				value = DATA + random_below(&seed, 8 * MIB);
				break;
			default:
				value = random_below(&seed, 65536);
			}
			__atomic_store_n(&ring[random_below(&seed, RIG_RING_SIZE / 8)],
					 value, __ATOMIC_RELAXED);
		}
	}
	reset_engine(rig, 0);
	read_gpu(rig, VRAM_START + 31 * MIB, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0x5a);
	for (uint64_t i = 0; i < rig->config.ram; i++)
		assert_int_equal(rig->ram[i], 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_packets, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_tables, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_registers, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_race, rig_setup_on, rig_teardown),
};

int run_fuzz_tests(int *total)
{
	return RUN_GROUP("rubbish", tests, total);
}
