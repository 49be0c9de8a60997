// SPDX-License-Identifier: MIT
/* Chip reset, engine reset, and guests that reboot. */
#include <string.h>

#include "rig.h"

static void scribble(struct rig *rig, uint64_t *seed)
{
	for (uint32_t reg = 0; reg < PDDGPU_REG_FILE_SIZE; reg += 4)
		reg_write(rig, reg, random64(seed));
	/* This would be a reset, which is not what is tried here */
	reg_write(rig, PDDGPU_RESET, 0);
}

static void check_fresh(struct rig *rig)
{
	assert_int_equal(reg_read(rig, PDDGPU_STATUS), 0x301);
	assert_int_equal(reg_read(rig, PDDGPU_SIGNATURE), PDDGPU_SIGNATURE_VALUE);
	assert_int_equal(reg_read64(rig, PDDGPU_VRAM_SIZE_LO), 32 * MIB);
	assert_int_equal(reg_read(rig, PDDGPU_SEGMENT_COUNT), 3);
	assert_int_equal(reg_read(rig, PDDGPU_GART_TABLE_SIZE), 513 * 4096);
	for (uint32_t reg = PDDGPU_MC_VRAM_CTRL; reg < PDDGPU_REG_FILE_SIZE; reg += 4)
		if (reg != PDDGPU_GART_TABLE_SIZE && reg_read(rig, reg))
			fail_msg("register %#x is %#x", reg, reg_read(rig, reg));
}

/* A reboot is no disconnection: the registers are rubbish, then comes a reset. */
static void test_reboot(void **state)
{
	struct rig *rig = *state;
	uint64_t seed = 0x5eed0001, pattern = 0x1122334455667788;

	*vram64(rig, RIG_DATA) = pattern;
	for (int i = 0; i < 8; i++) {
		switch_on(rig);
		copy(rig, VRAM_START + RIG_DATA, VRAM_START + RIG_DATA + 3 * MIB, 64);
		emit_copy(rig, 0, VRAM_START + RIG_DATA, VRAM_START + 16 * MIB, 12 * MIB);
		submit(rig, 0);
		scribble(rig, &seed);
		for (int number = 0; number < 3; number++)
			ring_doorbell(rig, number);
		command(rig, "info");
		reset_chip(rig);
		check_fresh(rig);
		assert_true(*vram64(rig, RIG_DATA) == pattern);
		assert_true(*vram64(rig, RIG_DATA + 3 * MIB) == pattern);
	}
}

/* Nothing that was set up before is used after a reset. */
static void test_reset_forgets(void **state)
{
	struct rig *rig = *state;

	emit_nop(rig, 0, 2);
	finish(rig, 0);
	assert_int_equal(reset_chip(rig), 0x301);
	check_fresh(rig);
	emit_fence(rig, 0, VRAM_START + RIG_DATA, 1, PDDGPU_FENCE_INTERRUPT);
	submit(rig, 0);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	command(rig, "info");
	assert_int_equal(counter(rig, "packets"), 2);
	assert_int_equal(*vram64(rig, RIG_DATA), 0);
	assert_false(wait_interrupt(rig, 10));
}

/* The TLB is empty after a reset, without a flush. */
static void test_reset_flushes(void **state)
{
	struct rig *rig = *state;
	uint64_t *result = vram64(rig, RIG_DATA + 0x8000);

	*vram64(rig, RIG_DATA) = 1;
	*vram64(rig, RIG_DATA + 0x1000) = 2;
	map_entry(rig, GTT_START, PDDGPU_PTE_VALID | RIG_DATA);
	copy(rig, GTT_START, VRAM_START + RIG_DATA + 0x8000, 8);
	assert_int_equal(*result, 1);
	map_entry(rig, GTT_START, PDDGPU_PTE_VALID | (RIG_DATA + 0x1000));

	reset_chip(rig);
	reg_write64(rig, PDDGPU_MMIO_MMU_START_ADDRESS +
		    PDDGPU_MMU_L1_INDEX(GTT_START) * 8, PDDGPU_PTE_VALID | RIG_L2);
	reg_write(rig, PDDGPU_MC_VRAM_CTRL, 1);
	reg_write(rig, PDDGPU_MC_GTT_CTRL, 1);
	reg_write(rig, PDDGPU_CP_RING_BASE(0), (VRAM_START + RIG_RING(0)) >> 12);
	reg_write(rig, PDDGPU_CP_RING_SIZE(0), RIG_RING_SIZE);
	reg_write(rig, PDDGPU_CP_RING_CTRL(0), 1);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	/* Answered after the doorbell, which was rung first */
	command(rig, "info");
	copy(rig, GTT_START, VRAM_START + RIG_DATA + 0x8000, 8);
	assert_int_equal(*result, 2);
}

static void test_failing_reset(void **state)
{
	struct rig *rig = *state;

	assert_string_equal(command(rig, "fail-reset 2"), "ok");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(reset_chip(rig), PDDGPU_STATUS_RESET_FAILED);
		/* Dead but for another reset */
		reg_write(rig, PDDGPU_TLB_FLUSH_REQ, 5);
		reg_write(rig, PDDGPU_RESET, PDDGPU_RESET_ENGINE(0));
		ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
		wait_for(!reg_read(rig, PDDGPU_RESET));
		assert_int_equal(reg_read(rig, PDDGPU_TLB_FLUSH_DONE), 0);
		assert_int_equal(reg_read(rig, PDDGPU_STATUS),
				 PDDGPU_STATUS_RESET_FAILED);
	}
	assert_int_equal(reset_chip(rig), 0x301);
	switch_on(rig);
	fill(rig, VRAM_START + RIG_DATA, 7, 64);
	assert_int_equal(counter(rig, "resets_failed"), 2);
	assert_int_equal(counter(rig, "resets"), 1);
}

/* An engine that is not reset stays as it was, and so does the chip. */
static void test_failing_engine_reset(void **state)
{
	struct rig *rig = *state;
	uint32_t status;

	assert_string_equal(command(rig, "hang 1"), "ok");
	assert_string_equal(command(rig, "fail-reset 1"), "ok");
	reset_engine(rig, 1);
	status = reg_read(rig, PDDGPU_STATUS);
	assert_true(status & PDDGPU_STATUS_RESET_FAILED);
	assert_true(status & PDDGPU_STATUS_READY);
	assert_int_equal(counter(rig, "resets_failed"), 1);
	assert_int_equal(counter(rig, "engine_resets"), 0);
	/* The other one works on, and the next reset does it. */
	fill(rig, VRAM_START + RIG_DATA, 7, 64);
	reset_engine(rig, 1);
	assert_false(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_RESET_FAILED);
	assert_int_equal(counter(rig, "engine_resets"), 1);
}

static void test_lost_vram(void **state)
{
	struct rig *rig = *state;
	uint8_t bytes[64], lost[64];

	memset(lost, 0xdb, sizeof(lost));
	fill(rig, VRAM_START + RIG_DATA, 0x11111111, 4096);
	fill(rig, VRAM_START + 30 * MIB, 0x22222222, 4096);
	assert_string_equal(command(rig, "lose-vram"), "ok");
	command(rig, "fail-reset 1");
	/* A reset that fails loses nothing yet */
	assert_int_equal(reset_chip(rig), PDDGPU_STATUS_RESET_FAILED);
	assert_int_equal(rig->vram[RIG_DATA], 0x11);
	assert_int_equal(reset_chip(rig), 0x301 | PDDGPU_STATUS_VRAM_LOST);
	assert_memory_equal(rig->vram + RIG_DATA, lost, sizeof(lost));
	read_gpu(rig, VRAM_START + 30 * MIB, bytes, sizeof(bytes));
	assert_memory_equal(bytes, lost, sizeof(lost));
	assert_int_equal(reset_chip(rig), 0x301);
}

/* Neither a delay nor a long copy makes a reset wait. */
static void test_reset_interrupts(void **state)
{
	struct rig *rig = *state;
	uint64_t before;

	command(rig, "delay 60000000");
	emit_nop(rig, 0, 2);
	emit_nop(rig, 1, 2);
	submit(rig, 0);
	submit(rig, 1);
	wait_for(!(reg_read(rig, PDDGPU_STATUS) & 0x300));
	before = now_ms();
	assert_int_equal(reset_chip(rig), 0x301);
	assert_true(now_ms() - before < 10000);
	/* A new delay does not shorten a wait: the old one has ended */
	command(rig, "delay 1");
	switch_on(rig);
	finish(rig, 0);
	finish(rig, 1);
	command(rig, "delay 0");
	reset_chip(rig);

	for (int i = 0; i < 4; i++) {
		switch_on(rig);
		for (int k = 0; k < 60; k++) {
			emit_copy(rig, 0, VRAM_START + 8 * MIB, VRAM_START + 8 * MIB + 1,
				  20 * MIB);
			emit_fill(rig, 1, VRAM_START + 8 * MIB, k, 20 * MIB);
		}
		submit(rig, 0);
		submit(rig, 1);
		wait_for(!(reg_read(rig, PDDGPU_STATUS) & 0x300));
		assert_int_equal(reset_chip(rig), 0x301);
		assert_int_equal(reg_read(rig, PDDGPU_CP_RING_RPTR(0)), 0);
	}
	assert_true(counter(rig, "packets") < 4 * 120);
	assert_int_equal(counter(rig, "faults"), 0);
}

static void test_engine_reset(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;

	command(rig, "hang 0");
	emit_fill(rig, 0, VRAM_START + RIG_DATA, 1, 64);
	submit(rig, 0);
	wait_for(!(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_IDLE(0)));
	emit_fill(rig, 1, VRAM_START + RIG_DATA + 64, 2, 64);
	finish(rig, 1);

	reset_engine(rig, 0);
	assert_int_equal(reg_read(rig, PDDGPU_STATUS), 0x301);
	assert_int_equal(reg_read(rig, PDDGPU_CP_RING_RPTR(0)), 0);
	assert_int_equal(reg_read(rig, PDDGPU_CP_RING_WPTR(0)), 0);
	assert_true(wait_interrupt(rig, PATIENCE_MS));
	assert_true(next_entry(rig, &entry));
	assert_int_equal(entry.source, PDDGPU_IH_SOURCE_RESET);
	assert_int_equal(entry.engine, 0);
	/* What was queued is gone; the ring, still enabled, works on */
	assert_int_equal(*vram64(rig, RIG_DATA), 0);
	fill(rig, VRAM_START + RIG_DATA, 3, 64);
	assert_int_equal(rig->vram[RIG_DATA], 3);
	assert_int_equal(rig->vram[RIG_DATA + 64], 2);
	assert_int_equal(counter(rig, "engine_resets"), 1);
}

static void ping(struct rig *rig)
{
	reg_write(rig, PDDGPU_RESET, PDDGPU_RESET_PING);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	wait_for(!reg_read(rig, PDDGPU_RESET));
}

/* A sign of life: nothing is done, whatever state the chip is in. */
static void test_ping(void **state)
{
	struct rig *rig = *state;

	command(rig, "stats reset");
	fill(rig, VRAM_START + RIG_DATA, 8, 64);
	ping(rig);
	fill(rig, VRAM_START + RIG_DATA, 9, 64);
	assert_int_equal(counter(rig, "doorbells_control"), 1);
	assert_int_equal(counter(rig, "resets"), 0);
	assert_int_equal(counter(rig, "engine_resets"), 0);
	assert_int_equal(counter(rig, "tlb_flushes"), 0);

	command(rig, "hang 0");
	ping(rig);
	command(rig, "clear");
	command(rig, "fail-reset 1");
	reg_write(rig, PDDGPU_RESET, PDDGPU_RESET_CHIP);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	wait_for(!reg_read(rig, PDDGPU_RESET));
	assert_false(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_READY);
	ping(rig);
	assert_true(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_RESET_FAILED);
}

/* Bits without a meaning, and engines that are not there */
static void test_reset_rubbish(void **state)
{
	struct rig *rig = *state;

	reg_write(rig, PDDGPU_RESET, ~(PDDGPU_RESET_CHIP | PDDGPU_RESET_ENGINE(0) |
				       PDDGPU_RESET_ENGINE(1)));
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	wait_for(!reg_read(rig, PDDGPU_RESET));
	fill(rig, VRAM_START + RIG_DATA, 9, 64);
	assert_int_equal(counter(rig, "engine_resets"), 0);
	reg_write(rig, PDDGPU_RESET, ~0u);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	wait_for(!reg_read(rig, PDDGPU_RESET));
	check_fresh(rig);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_reboot, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_reset_forgets, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_reset_flushes, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_failing_reset, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_failing_engine_reset, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_lost_vram, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_reset_interrupts, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_engine_reset, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_ping, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_reset_rubbish, rig_setup_on, rig_teardown),
};

int run_reset_tests(int *total)
{
	return RUN_GROUP("reset", tests, total);
}
