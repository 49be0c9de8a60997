// SPDX-License-Identifier: MIT
/* The faults that the control channel causes. */
#include <string.h>
#include <unistd.h>

#include "rig.h"

#define DATA	(VRAM_START + RIG_DATA)

static void order(struct rig *rig, const char *line)
{
	assert_string_equal(command(rig, "%s", line), "ok");
}

static void test_hang(void **state)
{
	struct rig *rig = *state;

	order(rig, "hang 1");
	emit_fill(rig, 1, DATA, 5, 4);
	submit(rig, 1);
	fill(rig, DATA + 8, 6, 4);
	wait_for(!(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_IDLE(1)));
	usleep(20000);
	assert_int_equal(*vram64(rig, RIG_DATA), 0);
	assert_int_equal(reg_read(rig, PDDGPU_CP_RING_RPTR(1)), 0);
	order(rig, "unhang 1");
	finish(rig, 1);
	assert_int_equal(*vram64(rig, RIG_DATA), 5);
	wait_for((reg_read(rig, PDDGPU_STATUS) & 0x300) == 0x300);

	order(rig, "hang 0");
	reset_chip(rig);
	switch_on(rig);
	fill(rig, DATA, 7, 4);

	/* One that waits already is not run either */
	order(rig, "delay 60000000");
	emit_fill(rig, 0, DATA, 8, 4);
	submit(rig, 0);
	wait_for(!(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_IDLE(0)));
	usleep(20000);
	order(rig, "hang 0");
	order(rig, "delay 0");
	usleep(20000);
	assert_int_equal(*vram64(rig, RIG_DATA) & 0xffffffff, 7);
	order(rig, "unhang 0");
	finish(rig, 0);
	assert_int_equal(*vram64(rig, RIG_DATA) & 0xffffffff, 8);
}

static void test_drop(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_ih_entry entry;

	order(rig, "drop-interrupts 3");
	for (int i = 0; i < 3; i++)
		emit_fence(rig, 0, DATA, i, PDDGPU_FENCE_INTERRUPT);
	finish(rig, 0);
	assert_false(wait_interrupt(rig, 10));
	/* The entries are there; only nobody said so */
	for (int i = 0; i < 3; i++)
		assert_true(next_entry(rig, &entry));
	assert_int_equal(counter(rig, "interrupts_dropped"), 3);
	emit_fence(rig, 0, DATA, 4, PDDGPU_FENCE_INTERRUPT);
	submit(rig, 0);
	assert_true(wait_interrupt(rig, PATIENCE_MS));
}

/* A flush that is left out shows as what the page tables said before. */
static void test_skip_flushes(void **state)
{
	const uint64_t system = PDDGPU_PTE_VALID | PDDGPU_PTE_SYSTEM;
	struct rig *rig = *state;

	memset(rig->ram + 0x1000, 1, 8);
	memset(rig->ram + 0x2000, 2, 8);
	map_entry(rig, GTT_START, system | 0x1000);
	flush_tlb(rig);
	copy(rig, GTT_START, DATA, 8);
	assert_int_equal(*vram64(rig, RIG_DATA), 0x0101010101010101);

	order(rig, "skip-flushes 1");
	assert_non_null(strstr(command(rig, "info"), " skip_flushes=1"));
	map_entry(rig, GTT_START, system | 0x2000);
	flush_tlb(rig);
	copy(rig, GTT_START, DATA, 8);
	assert_int_equal(*vram64(rig, RIG_DATA), 0x0101010101010101);
	flush_tlb(rig);
	copy(rig, GTT_START, DATA, 8);
	assert_int_equal(*vram64(rig, RIG_DATA), 0x0202020202020202);
	order(rig, "skip-flushes 3");
	order(rig, "clear");
	assert_non_null(strstr(command(rig, "info"), " skip_flushes=0"));
}

static void test_delay(void **state)
{
	struct rig *rig = *state;
	uint64_t before = now_ms();

	order(rig, "delay 50000");
	emit_nop(rig, 0, 2);
	emit_nop(rig, 0, 2);
	finish(rig, 0);
	assert_true(now_ms() - before >= 150);
	/* Ending it ends a wait under way */
	order(rig, "delay 60000000");
	emit_nop(rig, 0, 2);
	submit(rig, 0);
	usleep(5000);
	order(rig, "delay 0");
	finish(rig, 0);
}

static void test_fault(void **state)
{
	struct rig *rig = *state;

	order(rig, "fault 1");
	emit_nop(rig, 1, 2);
	emit_fill(rig, 1, DATA, 1, 64);
	submit(rig, 1);
	expect_fault(rig, 1, PDDGPU_FAULT_INJECTED, 0, true, DATA);
	assert_int_equal(*vram64(rig, RIG_DATA), 0);
	fill(rig, DATA + 64, 1, 64);
	reset_engine(rig, 1);
	ack_fault(rig);
	/* Once */
	emit_fill(rig, 1, DATA, 1, 64);
	finish(rig, 1);
	order(rig, "fault 0");
	emit_copy(rig, 0, DATA, DATA + 64, 64);
	submit(rig, 0);
	expect_fault(rig, 0, PDDGPU_FAULT_INJECTED, 0, false, DATA);
}

static void check_all_ones(struct rig *rig)
{
	for (uint32_t reg = 0; reg < PDDGPU_REG_FILE_SIZE; reg += 4)
		assert_true(reg_read(rig, reg) == ~0u);
}

static void test_all_ones(void **state)
{
	struct rig *rig = *state;

	fill(rig, DATA, 0x77, 4);
	emit_copy(rig, 0, VRAM_START + 8 * MIB, VRAM_START + 8 * MIB + 1, 20 * MIB);
	submit(rig, 0);
	order(rig, "all-ones");
	check_all_ones(rig);
	/* A reset is not answered, and what is written does not stay */
	reg_write(rig, PDDGPU_RESET, PDDGPU_RESET_CHIP);
	reg_write(rig, PDDGPU_TLB_FLUSH_REQ, 1);
	for (int i = 0; i < 3; i++)
		ring_doorbell(rig, i);
	command(rig, "info");
	check_all_ones(rig);
	order(rig, "fault 0");
	order(rig, "hang 0");
	order(rig, "drop-interrupts 1");
	check_all_ones(rig);

	order(rig, "clear");
	assert_int_equal(reg_read(rig, PDDGPU_STATUS), 0x301);
	assert_int_equal(reg_read(rig, PDDGPU_SIGNATURE), PDDGPU_SIGNATURE_VALUE);
	assert_int_equal(reg_read(rig, PDDGPU_CP_RING_CTRL(0)), 0);
	memset(rig->wptr, 0, sizeof(rig->wptr));
	switch_on(rig);
	assert_int_equal(*vram64(rig, RIG_DATA), 0x77);
	fill(rig, DATA, 1, 64);
}

static void test_restore(void **state)
{
	struct rig *rig = *state;

	order(rig, "all-ones");
	order(rig, "restore-registers");
	assert_int_equal(reg_read(rig, PDDGPU_STATUS), 0x301);
	switch_on(rig);
	fill(rig, DATA, 1, 64);
	/* Without all-ones, what a guest has scribbled over is repaired */
	for (uint32_t reg = 0; reg < PDDGPU_RESET; reg += 4)
		reg_write(rig, reg, 0x5a5a5a5a);
	reg_write(rig, PDDGPU_STATUS, 0);
	order(rig, "restore-registers");
	assert_int_equal(reg_read(rig, PDDGPU_STATUS), 0x301);
	assert_int_equal(reg_read(rig, PDDGPU_CHIP_ID), PDDGPU_CHIP_PDD1000);
	assert_int_equal(reg_read(rig, PDDGPU_SEGMENT_COUNT), 3);
	assert_true(reg_read64(rig, PDDGPU_GTT_END_LO) == GTT_START + GIB);
	/* And what is at work stays so */
	fill(rig, DATA, 2, 64);
	assert_int_equal(reg_read(rig, PDDGPU_MC_VRAM_CTRL), 1);
}

static void test_clear(void **state)
{
	struct rig *rig = *state;

	order(rig, "hang 0");
	order(rig, "fault 0");
	order(rig, "delay 60000000");
	order(rig, "drop-interrupts 100");
	order(rig, "fail-reset 100");
	order(rig, "lose-vram");
	assert_non_null(strstr(command(rig, "info"), "fail_resets=100 lose_vram=1 "
			       "drop_interrupts=100"));
	emit_fence(rig, 0, DATA, 1, PDDGPU_FENCE_INTERRUPT);
	submit(rig, 0);
	order(rig, "clear");
	assert_non_null(strstr(command(rig, "info"), "fail_resets=0 lose_vram=0 "
			       "drop_interrupts=0"));
	assert_true(wait_interrupt(rig, PATIENCE_MS));
	finish(rig, 0);
	assert_int_equal(reset_chip(rig), 0x301);
	assert_int_equal(*vram64(rig, RIG_DATA), 1);
}

/* The guest keeps what it has mapped, and finds nobody there. */
static void test_die(void **state)
{
	struct rig *rig = *state;
	int64_t value;
	int fd;

	emit_copy(rig, 0, VRAM_START + 8 * MIB, VRAM_START + 8 * MIB + 1, 20 * MIB);
	submit(rig, 0);
	order(rig, "die");
	assert_int_equal(receive_message(rig->conn, &value, &fd), 0);
	assert_int_equal(rig_wait_exit(rig), 3);
	assert_int_not_equal(access(rig_path(rig, "socket"), F_OK), 0);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	*vram64(rig, RIG_DATA) = 1;
	assert_int_equal(reg_read(rig, PDDGPU_SIGNATURE), PDDGPU_SIGNATURE_VALUE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_hang, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_drop, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_skip_flushes, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_delay, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_fault, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_all_ones, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_restore, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_clear, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_die, rig_setup_on, rig_teardown),
};

int run_inject_tests(int *total)
{
	return RUN_GROUP("injected faults", tests, total);
}
