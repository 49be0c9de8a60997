// SPDX-License-Identifier: MIT
/* Attachment: handshake, identity, memory of the host, beginning and end. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

static bool is_eventfd(int fd)
{
	char link[64], target[64] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, target, sizeof(target) - 1) > 0 &&
	       strstr(target, "eventfd");
}

/* The messages themselves are looked at by rig_connect(). */
static void test_handshake(void **state)
{
	struct rig *rig = *state;
	struct pollfd more = { .fd = rig->conn, .events = POLLIN };

	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++) {
		assert_true(is_eventfd(rig->doorbell[i]));
		assert_true(is_eventfd(rig->vector[i]));
	}
	/* Nothing follows, and doorbells without a meaning do no harm */
	assert_int_equal(poll(&more, 1, 20), 0);
	for (int i = 0; i < 1000; i++)
		ring_doorbell(rig, 3);
	assert_int_equal(reset_chip(rig), 0x301);
}

/* QEMU cannot pull the memory from under the engines. */
static void test_sealed(void **state)
{
	struct rig *rig = *state;

	assert_int_not_equal(ftruncate(rig->bar_fd, 4096), 0);
	assert_int_not_equal(ftruncate(rig->bar_fd, rig->bar_size * 2), 0);
}

static void test_second_guest(void **state)
{
	struct rig *rig = *state;
	int conn = unix_connect(rig_path(rig, "socket"));
	int64_t value;
	int fd;

	assert_true(conn >= 0);
	assert_int_equal(receive_message(conn, &value, &fd), 0);
	close(conn);
	assert_int_equal(reset_chip(rig), 0x301);
}

/* What a guest says on its connection is no protocol: it changes nothing. */
static void test_talkative_guest(void **state)
{
	struct rig *rig = *state;
	char junk[3000];

	memset(junk, 0xa5, sizeof(junk));
	for (int i = 0; i < 20; i++)
		assert_true(send(rig->conn, junk, sizeof(junk), MSG_NOSIGNAL) > 0);
	assert_int_equal(reset_chip(rig), 0x301);
}

struct identity {
	struct rig_config config;
	uint32_t chip;
	uint64_t vram;
	uint64_t visible;
	uint64_t gtt;
	uint64_t bar;
	uint64_t pcie_mem;	/* 0: the aperture */
};

static void check_segments(struct rig *rig, const struct identity *want)
{
	const struct { uint32_t kind; uint64_t base, size; } segments[] = {
		{ PDDGPU_SEGMENT_LOCAL, VRAM_START, want->vram },
		{ PDDGPU_SEGMENT_PCIE_SNOOPED, GTT_START, want->gtt },
		{ PDDGPU_SEGMENT_PCIE_UNSNOOPED, GTT_START, want->gtt },
	};

	assert_int_equal(reg_read(rig, PDDGPU_SEGMENT_COUNT), 3);
	for (int i = 0; i < 3; i++) {
		uint32_t desc = PDDGPU_SEGMENT_DESC + i * PDDGPU_SEGMENT_STRIDE;

		assert_int_equal(reg_read(rig, desc + PDDGPU_SEGMENT_KIND),
				 segments[i].kind);
		assert_int_equal(reg_read64(rig, desc + PDDGPU_SEGMENT_BASE_LO),
				 segments[i].base);
		assert_int_equal(reg_read64(rig, desc + PDDGPU_SEGMENT_SIZE_LO),
				 segments[i].size);
	}
}

static void check_identity(struct rig *rig, const struct identity *want)
{
	uint64_t tables = ((want->gtt + GIB - 1) / GIB + want->gtt / (2 * MIB)) * 4096;

	assert_int_equal(reg_read(rig, PDDGPU_CHIP_ID), want->chip);
	assert_int_equal(reg_read(rig, PDDGPU_CHIP_REV), 1);
	assert_int_equal(reg_read(rig, PDDGPU_SIGNATURE), PDDGPU_SIGNATURE_VALUE);
	assert_int_equal(reg_read(rig, PDDGPU_SPEC_VERSION), PDDGPU_SPEC_VERSION_1_0);
	assert_int_equal(reg_read64(rig, PDDGPU_VRAM_SIZE_LO), want->vram);
	assert_int_equal(reg_read64(rig, PDDGPU_GTT_SIZE_LO), want->gtt);
	assert_int_equal(reg_read64(rig, PDDGPU_VRAM_START_LO), VRAM_START);
	assert_int_equal(reg_read64(rig, PDDGPU_VRAM_END_LO), VRAM_START + want->vram);
	assert_int_equal(reg_read64(rig, PDDGPU_GTT_START_LO), GTT_START);
	assert_int_equal(reg_read64(rig, PDDGPU_GTT_END_LO), GTT_START + want->gtt);
	assert_int_equal(reg_read64(rig, PDDGPU_VRAM_VISIBLE_SIZE_LO), want->visible);
	assert_int_equal(reg_read64(rig, PDDGPU_VRAM_BAR_OFFSET_LO), MIB);
	assert_int_equal(reg_read64(rig, PDDGPU_PCIE_MEM_SIZE_LO),
			 want->pcie_mem ? want->pcie_mem : want->gtt);
	assert_int_equal(reg_read(rig, PDDGPU_GART_TABLE_SIZE), tables);
	check_segments(rig, want);
	/* And the rest is off */
	assert_int_equal(reg_read(rig, PDDGPU_STATUS), 0x301);
	for (uint32_t reg = PDDGPU_MC_VRAM_CTRL; reg < PDDGPU_REG_FILE_SIZE; reg += 4)
		if (reg != PDDGPU_GART_TABLE_SIZE && reg_read(rig, reg))
			fail_msg("register %#x is %#x", reg, reg_read(rig, reg));
}

static void test_chips(void **state)
{
	static const struct identity chips[] = {
		{ { .chip = NULL }, 0x1000, 255 * MIB, 255 * MIB, GIB, 256 * MIB, 0 },
		{ { .chip = "pdd1000" }, 0x1000, 255 * MIB, 255 * MIB, GIB, 256 * MIB, 0 },
		{ { .chip = "PDD2000" }, 0x2000, GIB, 255 * MIB, 4 * GIB, 256 * MIB, 0 },
		{ { .chip = "pdd3000" }, 0x3000, 8 * GIB, 255 * MIB, 8 * GIB, 256 * MIB, 0 },
		{ { .chip = "pdd2000", .vram = "64M", .gtt = "8192K" },
		  0x2000, 64 * MIB, 64 * MIB, 8 * MIB, 128 * MIB, 0 },
		{ { .chip = "pdd3000", .vram = "3G", .visible = "1m", .gtt = "1026M" },
		  0x3000, 3 * GIB, MIB, 1026 * MIB, 2 * MIB, 0 },
		{ { .gtt = "64M", .pcie_mem = "12K" },
		  0x1000, 255 * MIB, 255 * MIB, 64 * MIB, 256 * MIB, 12 * KIB },
		{ { .vram = "1048576", .visible = "1M", .gtt = "384G" },
		  0x1000, MIB, MIB, 384 * GIB, 2 * MIB, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
		struct rig rig;

		rig_start(&rig, &chips[i].config);
		rig_connect(&rig);
		/* A guest is greeted when the chip is on, not before */
		check_identity(&rig, &chips[i]);
		assert_int_equal(rig.bar_size, chips[i].bar);
		reset_chip(&rig);
		check_identity(&rig, &chips[i]);
		rig_end(&rig);
	}
}

/* Memory of all memfds that the device has, of VRAM and registers alike */
static uint64_t memory_of_device(struct rig *rig)
{
	uint64_t bytes = 0;
	int memfds = 0;

	for (int fd = 0; fd < 64; fd++) {
		char link[64], target[256] = "";
		struct stat st;

		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)rig->pid, fd);
		if (readlink(link, target, sizeof(target) - 1) > 0 &&
		    strstr(target, "memfd:pddgpu") && !stat(link, &st)) {
			bytes += st.st_blocks * 512ull;
			memfds++;
		}
	}
	assert_int_equal(memfds, 2);
	return bytes;
}

static void test_sparse(void **state)
{
	const struct rig_config config = { .chip = "pdd3000" };
	struct rig rig;

	(void)state;
	rig_start(&rig, &config);
	rig_connect(&rig);
	assert_true(memory_of_device(&rig) <= PDDGPU_REG_FILE_SIZE);
	reset_chip(&rig);
	assert_true(memory_of_device(&rig) <= PDDGPU_REG_FILE_SIZE);
	/* What is used is paid for: the last page of 8 GiB, and what it took */
	switch_on(&rig);
	fill(&rig, VRAM_START + 8 * GIB - 4096, 0x12345678, 4096);
	assert_true(memory_of_device(&rig) < 4 * MIB);
	/* To lose VRAM costs nothing either */
	command(&rig, "lose-vram");
	reset_chip(&rig);
	assert_true(memory_of_device(&rig) < 4 * MIB);
	rig_end(&rig);
}

static void test_signals(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	(void)state;
	for (int i = 0; i < 3; i++) {
		const struct rig_config config = { .vram = "8M" };
		struct rig rig;

		rig_start(&rig, &config);
		rig_connect(&rig);
		kill(rig.pid, signals[i]);
		assert_int_equal(rig_wait_exit(&rig), 0);
		assert_int_not_equal(access(rig_path(&rig, "socket"), F_OK), 0);
		assert_int_not_equal(access(rig_path(&rig, "control"), F_OK), 0);
		rig_end(&rig);
	}
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* Silent, unless it is told to talk */
static void test_messages(void **state)
{
	(void)state;
	for (int verbose = 0; verbose < 2; verbose++) {
		const struct rig_config config = { .vram = "8M", .verbose = verbose };
		struct rig rig;

		rig_start(&rig, &config);
		rig_connect(&rig);
		reset_chip(&rig);
		command(&rig, "info");
		assert_int_equal(size_of(rig_path(&rig, "messages")) > 0, verbose);
		rig_end(&rig);
	}
}

static void test_ends_with_qemu(void **state)
{
	struct rig *rig = *state;

	/* In the middle of work */
	emit_fill(rig, 0, VRAM_START + RIG_DATA, 1, 16 * MIB);
	for (int i = 0; i < 20; i++)
		emit_copy(rig, 1, VRAM_START + RIG_DATA, VRAM_START + RIG_DATA + 1,
			  16 * MIB);
	submit(rig, 0);
	submit(rig, 1);
	command(rig, "info");
	rig_disconnect(rig);
	assert_int_equal(rig_wait_exit(rig), 0);
	assert_int_not_equal(access(rig_path(rig, "socket"), F_OK), 0);
}

/* The next guest finds a chip that was switched off and on. */
static void test_persist(void **state)
{
	const struct rig_config config = {
		.vram = "32M", .visible = "15M", .ram = 16 * MIB, .lowmem = 8 * MIB,
		.persist = true,
	};
	struct rig rig;
	uint8_t bytes[16], zeros[16] = { 0 };

	(void)state;
	rig_start(&rig, &config);
	for (int i = 0; i < 3; i++) {
		rig_connect(&rig);
		assert_int_equal(reg_read(&rig, PDDGPU_STATUS), 0x301);
		assert_memory_equal(rig.vram + RIG_DATA, zeros, 16);
		read_gpu(&rig, VRAM_START + 31 * MIB, bytes, sizeof(bytes));
		assert_memory_equal(bytes, zeros, 16);
		assert_false(wait_interrupt(&rig, 0));

		switch_on(&rig);
		fill(&rig, VRAM_START + RIG_DATA, 0xa5a5a5a5, 4096);
		fill(&rig, VRAM_START + 31 * MIB, 0xa5a5a5a5, 4096);
		emit_fence(&rig, 0, VRAM_START + RIG_DATA, 7, PDDGPU_FENCE_INTERRUPT);
		finish(&rig, 0);
		/* One of them leaves while the card is gone */
		if (i == 1)
			command(&rig, "all-ones");
		rig_disconnect(&rig);
		wait_for(strstr(command(&rig, "info"), "guest=0"));
	}
	rig_end(&rig);
}

static uint64_t cpu_ticks(pid_t pid)
{
	unsigned long user, system;
	char path[64], text[1024];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = 0;
	assert_int_equal(sscanf(strrchr(text, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				&user, &system), 2);
	return user + system;
}

/* A tick is 10 ms: not one in half a second, of 50. */
static void test_idle(void **state)
{
	struct rig *rig = *state;
	uint64_t before;

	fill(rig, VRAM_START + RIG_DATA, 1, MIB);
	command(rig, "hang 1");
	emit_nop(rig, 1, 2);
	submit(rig, 1);
	command(rig, "info");
	before = cpu_ticks(rig->pid);
	usleep(500000);
	assert_true(cpu_ticks(rig->pid) - before <= 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_handshake, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_sealed, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_second_guest, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_talkative_guest, rig_setup, rig_teardown),
	cmocka_unit_test(test_chips),
	cmocka_unit_test(test_sparse),
	cmocka_unit_test(test_signals),
	cmocka_unit_test(test_messages),
	cmocka_unit_test_setup_teardown(test_ends_with_qemu, rig_setup_on, rig_teardown),
	cmocka_unit_test(test_persist),
	cmocka_unit_test_setup_teardown(test_idle, rig_setup_on, rig_teardown),
};

int run_attach_tests(int *total)
{
	return RUN_GROUP("attachment", tests, total);
}
