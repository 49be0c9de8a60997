// SPDX-License-Identifier: MIT
/* The control channel itself, and those who abuse it. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

static int client(struct rig *rig)
{
	int fd = unix_connect(rig_path(rig, "control"));

	assert_true(fd >= 0);
	return fd;
}

static void send_bytes(int fd, const void *bytes, size_t count)
{
	assert_int_equal(send(fd, bytes, count, MSG_NOSIGNAL), count);
}

static void expect_error(const char *answer, const char *say)
{
	if (strncmp(answer, "error: ", 7) || !strstr(answer, say))
		fail_msg("'%s' does not say '%s'", answer, say);
}

static void expect_closed(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
}

static void test_bad_commands(void **state)
{
	static const struct { const char *line, *say; } bad[] = {
		{ "", "empty line" }, { "   \t ", "empty line" },
		{ "nonsense", "'nonsense' is not a command" },
		{ "HELP", "is not a command" }, { "%s%n%p", "is not a command" },
		{ "hang", "an argument is missing: hang ENGINE" },
		{ "hang 2", "'2' is not a number from 0 to 1" },
		{ "hang -1", "is not a number" }, { "hang x", "is not a number" },
		{ "hang 0x", "is not a number" }, { "hang 0 0", "too many arguments" },
		{ "unhang 18446744073709551616", "is not a number" },
		{ "drop-interrupts", "missing" }, { "drop-interrupts -3", "not a number" },
		{ "skip-flushes", "missing" },
		{ "delay 60000001", "from 0 to 60000000" }, { "delay 1s", "not a number" },
		{ "fault 9", "not a number" }, { "fail-reset many", "not a number" },
		{ "fail-reset 5x", "not a number" }, { "fail-reset 0x", "not a number" },
		{ "fail-reset 18446744073709551616", "not a number" },
		{ "stats now", "'now' is not reset" }, { "stats reset 1", "too many" },
		{ "read 0", "missing" }, { "read 0 4097", "from 0 to 4096" },
		{ "read 0x800000000 -1", "not a number" },
		{ "read 0 1", "no memory at 0x0" },
		{ "read 0x801ffffff 2", "no memory at 0x802000000" },
		{ "read 0xffffffffffffffff 16", "no memory" },
		{ "read 0x2000000000 1", "no memory at 0x2000000000: reason 1, level 1" },
		{ "die now", "too many" }, { "info please", "too many" },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_error(command(rig, "%s", bad[i].line), bad[i].say);
	assert_int_equal(reset_chip(rig), 0x301);
}

static void test_answers(void **state)
{
	static const char *const commands[] = {
		"help", "info", "stats", "hang", "unhang", "drop-interrupts", "delay",
		"skip-flushes",
		"fault", "fail-reset", "lose-vram", "all-ones", "restore-registers",
		"die", "read", "clear", "quit",
	};
	struct rig *rig = *state;
	const char *answer = command(rig, "help");

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		assert_non_null(strstr(answer, commands[i]));
	answer = command(rig, "  info\t\r");
	assert_non_null(strstr(answer, "ok chip=PDD1000 vram=33554432 visible=15728640 "
			       "gtt=1073741824 pcie_mem=1073741824 bar=16777216 "
			       "ram=16777216 lowmem=8388608 guest=1 status=0x301"));
	assert_string_equal(command(rig, "read 0x800000000 0"), "ok ");
	memcpy(rig->vram, "\x01\x23\x45\x67\x89", 5);
	assert_string_equal(command(rig, "read 0x800000000 4"), "ok 01234567");
	assert_string_equal(command(rig, "read 34359738369 4"), "ok 23456789");
}

static void test_stats(void **state)
{
	struct rig *rig = *state;

	fill(rig, VRAM_START + RIG_DATA, 1, 64);
	copy(rig, VRAM_START + RIG_DATA, VRAM_START + RIG_DATA + 64, 64);
	emit_fence(rig, 0, VRAM_START + RIG_DATA, 1, PDDGPU_FENCE_INTERRUPT);
	finish(rig, 0);
	assert_int_equal(counter(rig, "packets"), 6);
	assert_int_equal(counter(rig, "copies"), 1);
	assert_int_equal(counter(rig, "fills"), 1);
	assert_int_equal(counter(rig, "fences"), 4);
	assert_int_equal(counter(rig, "bytes_copied"), 64);
	assert_int_equal(counter(rig, "bytes_filled"), 64);
	assert_int_equal(counter(rig, "ih_entries"), 1);
	assert_int_equal(counter(rig, "interrupts"), 1);
	assert_int_equal(counter(rig, "doorbells_control"), 1);
	assert_int_equal(counter(rig, "doorbells_engine0"), 3);
	assert_int_equal(counter(rig, "doorbells_engine1"), 0);
	assert_int_equal(counter(rig, "tlb_flushes"), 1);
	assert_string_equal(command(rig, "stats reset"), "ok");
	assert_int_equal(counter(rig, "packets"), 0);
	assert_int_equal(counter(rig, "doorbells_engine0"), 0);
}

static void test_long_lines(void **state)
{
	struct rig *rig = *state;
	char line[100001];
	int fd = client(rig);

	/* The longest that is allowed: 255 characters and the newline */
	memset(line, ' ', 250);
	memcpy(line + 250, "delay\n", 7);
	expect_error(command_on(fd, line), "missing");
	memset(line, ' ', 251);
	memcpy(line + 251, "delay\n", 7);
	expect_error(command_on(fd, line), "line too long");
	assert_non_null(strstr(command_on(fd, "info\n"), "ok chip"));
	memset(line, 'x', 100000);
	line[99999] = '\n';
	line[100000] = 0;
	expect_error(command_on(fd, line), "line too long");
	assert_non_null(strstr(command_on(fd, "info\n"), "ok chip"));
	close(fd);
}

static void test_pieces(void **state)
{
	struct rig *rig = *state;
	char answer[4096] = "";
	size_t used = 0;
	int fd = client(rig);

	/* A line in pieces, then several in one, and the rest for nothing */
	send_bytes(fd, "clea", 4);
	assert_non_null(strstr(command(rig, "info"), "ok"));
	send_bytes(fd, "r\nclear\nnone\nclear\nquit\nclear\nclear", 35);
	while (used < sizeof(answer) - 1) {
		ssize_t n = recv(fd, answer + used, sizeof(answer) - 1 - used, 0);

		if (n <= 0)
			break;
		used += n;
	}
	assert_string_equal(answer, "ok\nok\nerror: 'none' is not a command; try help\n"
			    "ok\nok\n");
	close(fd);
	/* Zeros and other bytes that are no text */
	fd = client(rig);
	send_bytes(fd, "in\0fo\n", 6);
	expect_error(command_on(fd, ""), "zero byte");
	expect_error(command_on(fd, "\xff\xfe\x80\n"), "is not a command");
	close(fd);
}

/* Somebody who says all at once and then only listens gets every answer. */
static void test_half_closed(void **state)
{
	struct rig *rig = *state;
	int fd = client(rig);
	size_t bytes = 0;
	char text[8192];
	ssize_t n;

	for (int i = 0; i < 50; i++)
		send_bytes(fd, "read 0x800000000 4096\n", 22);
	send_bytes(fd, "unfinished", 10);
	shutdown(fd, SHUT_WR);
	while ((n = recv(fd, text, sizeof(text), 0)) > 0)
		bytes += n;
	assert_int_equal(n, 0);
	assert_int_equal(bytes, 50 * (3 + 8192 + 1));
	close(fd);
}

static void test_many_clients(void **state)
{
	struct rig *rig = *state;
	char text[64];
	ssize_t n;
	int fd[20];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 16; i++)
			fd[i] = client(rig);
		for (int i = 0; i < 16; i++)
			assert_non_null(strstr(command_on(fd[i], "info\n"), "ok chip"));
		fd[16] = client(rig);
		n = recv(fd[16], text, sizeof(text) - 1, 0);
		assert_true(n > 0);
		text[n] = 0;
		assert_string_equal(text, "error: too many connections\n");
		expect_closed(fd[16]);
		for (int i = 0; i < 16; i++)
			close(fd[i]);
	}
	wait_for(!strncmp(command(rig, "info"), "ok", 2));
}

/* Some write and never read, or leave at once: the device is there for others. */
static void test_deaf_clients(void **state)
{
	struct rig *rig = *state;
	const char line[] = "read 0x800000000 4096\n";
	int fd[8];

	for (int i = 0; i < 8; i++) {
		fd[i] = client(rig);
		fcntl(fd[i], F_SETFL, O_NONBLOCK);
		/* Until it cannot take any more */
		for (int k = 0; k < 20000; k++)
			if (send(fd[i], line, sizeof(line) - 1, MSG_NOSIGNAL) < 0)
				break;
	}
	assert_int_equal(reset_chip(rig), 0x301);
	switch_on(rig);
	fill(rig, VRAM_START + RIG_DATA, 1, MIB);
	assert_non_null(strstr(command(rig, "info"), "ok chip"));
	for (int i = 0; i < 8; i++)
		close(fd[i]);
	for (int i = 0; i < 100; i++) {
		int quick = client(rig);

		send(quick, "stats\nhelp\n", 11, MSG_NOSIGNAL);
		close(quick);
	}
	wait_for(!strncmp(command(rig, "info"), "ok", 2));
}

/* Random bytes, with newlines among them */
static void test_noise(void **state)
{
	struct rig *rig = *state;
	uint64_t seed = 4711;
	char noise[512];
	int fd = client(rig);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 500; i++) {
		for (size_t k = 0; k < sizeof(noise); k++)
			noise[k] = random_below(&seed, 8) ? random64(&seed) : '\n';
		send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
		while (recv(fd, noise, sizeof(noise), 0) > 0)
			continue;
	}
	close(fd);
	assert_int_equal(reset_chip(rig), 0x301);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(test_bad_commands, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_answers, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_stats, rig_setup_on, rig_teardown),
	cmocka_unit_test_setup_teardown(test_long_lines, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_pieces, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_half_closed, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_many_clients, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_deaf_clients, rig_setup, rig_teardown),
	cmocka_unit_test_setup_teardown(test_noise, rig_setup, rig_teardown),
};

int run_control_tests(int *total)
{
	return RUN_GROUP("control channel", tests, total);
}
