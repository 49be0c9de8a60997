// SPDX-License-Identifier: MIT
/* What places in programs are called, and files that are none, or mean harm. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbols.h"

/* A program of our own: its functions are known by their names, and where they are */
static const char source[] =
	"static inline __attribute__((always_inline)) int inner(volatile int *x)\n"
	"{\n"
	"	return *x = 5;\n"
	"}\n"
	"static inline __attribute__((always_inline)) int middle(volatile int *x)\n"
	"{\n"
	"	return inner(x);\n"
	"}\n"
	"__attribute__((noinline)) int outer(volatile int *x)\n"
	"{\n"
	"	return middle(x);\n"
	"}\n"
	"int main(void)\n"
	"{\n"
	"	volatile int x;\n"
	"	return outer(&x);\n"
	"}\n";

static char folder[64];
static uint64_t place_of_outer;

/* Runs a line in the folder; its output */
static void shell(const char *line, char *out, size_t room)
{
	char whole[1024];
	FILE *pipe;
	size_t got;

	snprintf(whole, sizeof(whole), "cd '%s' && exec 2>&1 && %s", folder, line);
	pipe = popen(whole, "r");
	assert_non_null(pipe);
	got = fread(out, 1, room - 1, pipe);
	out[got] = '\0';
	if (pclose(pipe))
		fail_msg("%s: %s", line, out);
}

static int begin(void **state)
{
	char path[96], out[1024];
	FILE *file;

	(void)state;
	strcpy(folder, "/tmp/unit_symbols.XXXXXX");
	assert_non_null(mkdtemp(folder));
	/* Whoever looks has no rights to pass */
	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/program.c", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(source, file);
	fclose(file);
	/* Where offsets in the file are not addresses */
	shell("cc -g -O1 -fno-pie -no-pie program.c -o program", out, sizeof(out));
	shell("cp program stripped && strip stripped", out, sizeof(out));
	shell("readelf -sW program | awk '$8 == \"outer\" { print $2 }'", out, sizeof(out));
	place_of_outer = strtoull(out, NULL, 16);
	assert_true(place_of_outer > 0x400000);
	place_of_outer -= 0x400000;
	return 0;
}

static int end(void **state)
{
	char out[256];

	(void)state;
	shell("rm -rf ./*", out, sizeof(out));
	return rmdir(folder);
}

static const char *name(struct symbols *symbols, const char *file, uint64_t offset)
{
	struct drm_pddgpu_frame frame = { .kind = PDDGPU_FRAME_USER, .offset = offset };

	if (*file == '/')
		snprintf(frame.name, sizeof(frame.name), "%s", file);
	else
		snprintf(frame.name, sizeof(frame.name), "%.60s/%.40s", folder, file);
	return symbols_frame(symbols, &frame);
}

static void functions_and_lines(void **state)
{
	struct symbols *symbols = symbols_new();
	struct drm_pddgpu_frame frame = { .kind = PDDGPU_FRAME_KERNEL, .offset = 0x54 };
	const char *text;

	(void)state;
	text = name(symbols, "program", place_of_outer);
	if (!strstr(text, "outer+0x0 (program.c:"))
		fail_msg("%s", text);
	/* The same question, the same answer, at the same place */
	assert_ptr_equal(name(symbols, "program", place_of_outer), text);
	/* What was put into it */
	text = name(symbols, "program", place_of_outer + 3);
	if (!strstr(text, "outer+0x3 (program.c:"))
		fail_msg("%s", text);
	strcpy(frame.name, "create_ioctl");
	assert_string_equal(symbols_frame(symbols, &frame), "create_ioctl+0x54");
	frame.name[0] = '\0';
	assert_string_equal(symbols_frame(symbols, &frame), "?");
	symbols_free(symbols);
}

static void what_was_put_into_others(void **state)
{
	struct symbols *symbols = symbols_new();
	bool found = false;
	uint64_t i;

	(void)state;
	for (i = 0; i < 16; i++)
		if (strstr(name(symbols, "program", place_of_outer + i), "inner < middle < outer+"))
			found = true;
	assert_true(found);
	symbols_free(symbols);
}

static void what_is_not_known(void **state)
{
	struct symbols *symbols = symbols_new();

	(void)state;
	assert_null(strstr(name(symbols, "stripped", place_of_outer), "outer"));
	assert_string_equal(name(symbols, "nowhere", 0x10), "nowhere+0x10");
	assert_string_equal(name(symbols, "program", UINT64_MAX), "program+0xffffffffffffffff");
	assert_string_equal(name(symbols, "program.c", 0x10), "program.c+0x10");
	symbols_free(symbols);
}

/* None of these is opened for more than to see what it is */
static void files_that_are_none(void **state)
{
	struct symbols *symbols = symbols_new();
	char out[256];

	(void)state;
	shell("mkfifo fifo; ln -s /dev/zero zero; ln -s ./loop loop; : >empty; mkdir dir; "
	      "truncate -s 1T huge", out, sizeof(out));
	assert_string_equal(name(symbols, "fifo", 1), "fifo+0x1");
	assert_string_equal(name(symbols, "zero", 1), "zero+0x1");
	assert_string_equal(name(symbols, "loop", 1), "loop+0x1");
	assert_string_equal(name(symbols, "empty", 1), "empty+0x1");
	assert_string_equal(name(symbols, "dir", 1), "dir+0x1");
	assert_string_equal(name(symbols, "huge", 1), "huge+0x1");
	assert_string_equal(name(symbols, "/dev/tty", 1), "tty+0x1");
	/* And it goes on as before */
	assert_non_null(strstr(name(symbols, "program", place_of_outer), "outer+0x0"));
	symbols_free(symbols);
}

/* Wrong bytes, everywhere: there is an answer each time, and none takes for ever */
static void files_that_are_wrong(void **state)
{
	char path[96], out[256];
	unsigned char *bytes;
	struct stat status;
	unsigned int round;
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/program", folder);
	assert_int_equal(stat(path, &status), 0);
	bytes = malloc((size_t)status.st_size);
	assert_non_null(bytes);
	srand(1);
	for (round = 0; round < 60; round++) {
		struct symbols *symbols = symbols_new();
		size_t size = (size_t)status.st_size;
		unsigned int i;

		file = fopen(path, "r");
		assert_non_null(file);
		assert_int_equal(fread(bytes, 1, size, file), size);
		fclose(file);
		for (i = 0; i < 1u << round % 10; i++)
			bytes[(size_t)rand() % (round % 3 ? size : 4096)] = (unsigned char)rand();
		if (round % 5 == 4)
			size = (size_t)rand() % size;
		snprintf(out, sizeof(out), "%s/wrong", folder);
		file = fopen(out, "w");
		assert_non_null(file);
		assert_int_equal(fwrite(bytes, 1, size, file), size);
		fclose(file);
		for (i = 0; i < 8; i++)
			assert_true(*name(symbols, "wrong", place_of_outer + i * 16));
		symbols_free(symbols);
	}
	free(bytes);
}

/* The process that reads is gone: another one answers */
static void it_may_crash(void **state)
{
	struct symbols *symbols = symbols_new();
	char line[160], out[256];

	(void)state;
	assert_non_null(strstr(name(symbols, "program", place_of_outer), "outer"));
	snprintf(line, sizeof(line), "kill -KILL $(cat /proc/[0-9]*/stat 2>/dev/null | "
		 "awk '$4 == %d && $2 == \"(unit_symbols)\" { print $1 }')", getpid());
	shell(line, out, sizeof(out));
	/* That one is lost; the file is not asked for again */
	name(symbols, "stripped", 1);
	assert_non_null(strstr(name(symbols, "program", place_of_outer + 1), "outer"));
	symbols_free(symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_and_lines),
		cmocka_unit_test(what_was_put_into_others),
		cmocka_unit_test(what_is_not_known),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(files_that_are_wrong),
		cmocka_unit_test(it_may_crash),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests_name("symbols", tests, begin, end);
}
