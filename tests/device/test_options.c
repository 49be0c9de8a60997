// SPDX-License-Identifier: MIT
/* The command line. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"
#include "scratch.h"

#define ARGS_MAX	8

/* Never listens there: every line below is refused before */
#define SOCKET	"--socket", "/tmp/pddgpu-device-test-unused"

static int lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_bad_options(void **state)
{
	static const struct {
		const char *say;
		const char *arg[ARGS_MAX];
	} bad[] = {
		{ "--socket is missing", { "--verbose" } },
		{ "'--nonsense' is not an option", { SOCKET, "--nonsense" } },
		{ "'x' is not an option", { SOCKET, "x" } },
		{ "needs a value", { SOCKET, "--vram" } },
		{ "--chip: 'pdd4000'", { SOCKET, "--chip", "pdd4000" } },
		{ "--chip: ''", { SOCKET, "--chip", "" } },
		{ "--vram: '' is not a size", { SOCKET, "--vram", "" } },
		{ "--vram: 'M' is not a size", { SOCKET, "--vram", "M" } },
		{ "--vram: '12X' is not a size", { SOCKET, "--vram", "12X" } },
		{ "--vram: '12MM' is not a size", { SOCKET, "--vram", "12MM" } },
		{ "--vram: '-1M' is not a size", { SOCKET, "--vram", "-1M" } },
		{ "--vram: ' 1M' is not a size", { SOCKET, "--vram", " 1M" } },
		{ "--vram: '1.5G' is not a size", { SOCKET, "--vram", "1.5G" } },
		{ "is not a size", { SOCKET, "--vram", "18446744073709551616" } },
		{ "is not a size", { SOCKET, "--vram", "17179869184G" } },
		{ "--vram: 0 bytes", { SOCKET, "--vram", "0" } },
		{ "--vram: 4097 bytes", { SOCKET, "--vram", "4097" } },
		{ "--vram: ", { SOCKET, "--vram", "97G" } },
		{ "--visible: ", { SOCKET, "--vram", "8M", "--visible", "9M" } },
		{ "--visible: 0 bytes", { SOCKET, "--visible", "0" } },
		{ "--gtt: 0 bytes", { SOCKET, "--gtt", "0" } },
		{ "--gtt: ", { SOCKET, "--gtt", "9M" } },
		{ "--gtt: ", { SOCKET, "--gtt", "385G" } },
		{ "--pcie-mem: ", { SOCKET, "--gtt", "8M", "--pcie-mem", "9M" } },
		{ "--pcie-mem: ", { SOCKET, "--pcie-mem", "1" } },
		{ "need --ram", { SOCKET, "--ram-size", "16M" } },
		{ "need --ram", { SOCKET, "--lowmem", "16M" } },
		{ "'-x' is not", { "-xyz", SOCKET } },
		{ "is not an option", { "-\xff\xfe", SOCKET } },
		{ "--ram-size: ", { SOCKET, "--ram", "/tmp/x", "--ram-size", "1" } },
		{ "--lowmem: ", { SOCKET, "--ram", "/tmp/x", "--lowmem", "5G" } },
		{ "same path", { "--socket", "/tmp/x", "--control", "/tmp/x" } },
		{ "--socket: the path", { "--socket", "" } },
		{ "--control: the path", { SOCKET, "--control", "" } },
	};
	char text[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *argv[ARGS_MAX + 2] = { "pddgpu-device" };

		memcpy(argv + 1, bad[i].arg, sizeof(bad[i].arg));
		if (run_device(argv, text, sizeof(text)) != 2 || lines(text) != 1 ||
		    !strstr(text, bad[i].say))
			fail_msg("for '%s': %s", bad[i].say, text);
	}
}

static void test_long_path(void **state)
{
	char path[200], text[4096];
	char *argv[] = { "pddgpu-device", "--socket", path, NULL };

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	assert_int_equal(run_device(argv, text, sizeof(text)), 2);
	assert_int_equal(lines(text), 1);
}

static void test_help_and_version(void **state)
{
	char *help[] = { "pddgpu-device", "--help", NULL };
	char *version[] = { "pddgpu-device", "--version", NULL };
	static const char *const options[] = {
		"--chip", "--vram", "--visible", "--gtt", "--pcie-mem", "--socket",
		"--control", "--ram", "--ram-size", "--lowmem", "--persist",
		"--verbose", "--help", "--version",
	};
	char text[4096];

	(void)state;
	assert_int_equal(run_device(help, text, sizeof(text)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		assert_non_null(strstr(text, options[i]));
	assert_int_equal(run_device(version, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "specification 1.0"));
}

/* What is in the way is left there, and nothing else is left behind. */
static void test_path_in_use(void **state)
{
	char dir[96], path[112], text[4096];
	char *argv[] = { "pddgpu-device", "--socket", path, NULL };
	struct stat st;

	(void)state;
	scratch_folder(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	fclose(fopen(path, "w"));
	assert_int_equal(run_device(argv, text, sizeof(text)), 1);
	assert_int_equal(lines(text), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(path);

	snprintf(path, sizeof(path), "%s/none/socket", dir);
	assert_int_equal(run_device(argv, text, sizeof(text)), 1);
	assert_int_equal(lines(text), 1);
	assert_int_equal(rmdir(dir), 0);
}

/* A live device's socket is not taken from it; a dead one's is replaced. */
static void test_socket_of_another(void **state)
{
	struct rig *rig = *state;
	char text[4096];
	char *argv[] = {
		"pddgpu-device", "--socket", (char *)rig_path(rig, "socket"), NULL
	};
	struct rig again;
	const struct rig_config config = { .vram = "8M" };

	assert_int_equal(run_device(argv, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "in use"));
	assert_non_null(strstr(command(rig, "info"), "guest=1"));

	/* One whose guest has not come yet takes nobody for it */
	rig_start(&again, &config);
	argv[2] = (char *)rig_path(&again, "socket");
	assert_int_equal(run_device(argv, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "in use"));
	usleep(20000);
	rig_connect(&again);
	rig_end(&again);

	/* One that was killed leaves its files */
	rig_start(&again, &config);
	rig_connect(&again);
	kill(again.pid, SIGKILL);
	assert_int_equal(rig_wait_exit(&again), 128 + SIGKILL);
	char *twice[] = {
		"pddgpu-device", "--socket", (char *)rig_path(&again, "socket"), NULL
	};
	again.pid = spawn_device(twice, rig_path(&again, "messages"));
	rig_disconnect(&again);
	wait_for((again.conn = unix_connect(rig_path(&again, "socket"))) >= 0);
	rig_end(&again);
}

static void test_ram_file(void **state)
{
	char dir[96], path[112], socket[112], text[4096];
	char *empty[] = { "pddgpu-device", "--socket", socket, "--ram", path, NULL };
	char *folder[] = { "pddgpu-device", "--socket", socket, "--ram", dir, NULL };
	char *low[] = {
		"pddgpu-device", "--socket", socket, "--ram", path, "--ram-size", "1M",
		"--lowmem", "2M", NULL
	};

	(void)state;
	scratch_folder(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/ram", dir);
	snprintf(socket, sizeof(socket), "%s/socket", dir);
	assert_int_equal(run_device(empty, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "0 bytes is no size for RAM"));
	assert_int_equal(run_device(folder, text, sizeof(text)), 1);
	assert_int_equal(lines(text), 1);
	assert_int_equal(run_device(low, text, sizeof(text)), 1);
	assert_non_null(strstr(text, "--lowmem: more than the RAM"));
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_bad_options),
	cmocka_unit_test(test_long_path),
	cmocka_unit_test(test_help_and_version),
	cmocka_unit_test(test_path_in_use),
	cmocka_unit_test_setup_teardown(test_socket_of_another, rig_setup, rig_teardown),
	cmocka_unit_test(test_ram_file),
};

int run_options_tests(int *total)
{
	return RUN_GROUP("command line", tests, total);
}
