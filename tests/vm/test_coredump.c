// SPDX-License-Identifier: MIT
/*
 * The device coredump that an engine's or the chip's reset leaves: what it says, read
 * in pieces of any size and from any offset, of long jobs, from odd names; and that one
 * is kept until it has been taken away. Its VM loads the driver with a short
 * job_timeout_ms.
 */
#include "pdt.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A coredump has so many of a job's operations */
#define OPS_KEPT	64
/* What is more is another job */
#define JOB_OPS		200
#define TEXT_MOST	65536

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

/* The one that there is, or is about to be */
static char *dump(void)
{
	char path[128], *text;

	assert_true(pdt_coredump_wait(path, sizeof(path), true));
	text = pdt_file_read(path);
	assert_non_null(text);
	return text;
}

static bool says(const char *text, const char *format, ...)
{
	char line[160];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return strstr(text, line);
}

static void hang(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count)
{
	int sync;

	control("hang 0");
	assert_ok(pdt_submit_fence(fd, ops, count, &sync));
	assert_int_equal(pdt_fence_fd_wait(sync, 60000), -ETIME);
	close(sync);
}

/* All of a file from the beginning, @step bytes at a time */
static size_t read_in_steps(const char *path, size_t step, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	assert_true(fd >= 0);
	do {
		n = read(fd, text + len, step);
		assert_true(n >= 0 && (size_t)n <= step);
		len += (size_t)n;
		assert_true(len + step < TEXT_MOST);
	} while (n);
	close(fd);
	return len;
}

/* However it is read, it is the same text, which ends where it ends. */
static void read_anyhow(void **state)
{
	static const size_t steps[] = { 1, 7, 160, 4095, 4096, 16384 };
	static const long long beyond[] = {
		0, 1, 4096, 1LL << 31, 1LL << 40, INT64_MAX - TEXT_MOST,
	};
	static char piece[TEXT_MOST], text[TEXT_MOST];
	struct drm_pddgpu_submit_op ops[OPS_KEPT];
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	char path[128];
	size_t len;
	int fd;

	pdt_coredump_free();
	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_MIB, PDT_GTT, 0));
	for (uint32_t i = 0; i < OPS_KEPT; i++)
		ops[i] = pdt_fill(buf.handle, 8192ULL * i, 16, i);
	hang(s->fd, ops, OPS_KEPT);
	assert_true(pdt_coredump_wait(path, sizeof(path), true));

	len = read_in_steps(path, TEXT_MOST / 2, text);
	assert_true(len > 4096);
	assert_null(memchr(text, 0, len));
	assert_int_equal(text[len - 1], '\n');
	for (size_t i = 0; i < PDT_ARRAY_SIZE(steps); i++) {
		assert_int_equal(read_in_steps(path, steps[i], piece), len);
		assert_memory_equal(piece, text, len);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t at = 0; at < len; at += 61) {
		ssize_t n = pread(fd, piece, 97, (off_t)at);

		assert_int_equal(n, len - at < 97 ? len - at : 97);
		assert_memory_equal(piece, text + at, (size_t)n);
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(beyond); i++)
		assert_int_equal(pread(fd, piece, 100, (off_t)((long long)len + beyond[i])), 0);
	close(fd);
	pdt_coredump_free();
	pdt_buffer_destroy(s->fd, &buf);
}

/* Of a job with more operations than are kept, the first, and how many there were */
static void long_jobs(void **state)
{
	static const uint32_t counts[] = { 1, OPS_KEPT - 1, OPS_KEPT, OPS_KEPT + 1, JOB_OPS };
	struct drm_pddgpu_submit_op ops[JOB_OPS];
	struct pdt_state *s = *state;
	struct pdt_buffer to, from;

	assert_ok(pdt_buffer_create(s->fd, &to, 8 * PDT_MIB, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &from, 8 * PDT_MIB, PDT_GTT, 0));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(counts); i++) {
		uint32_t count = counts[i], last = count < OPS_KEPT ? count - 1 : OPS_KEPT - 1;
		uint64_t begin = 6 * PDT_MIB;
		char *text;

		pdt_coredump_free();
		for (uint32_t k = 0; k < count; k++)
			ops[k] = pdt_copy(to.handle, begin + 64 * k, from.handle,
					  begin + 128 * k, 48);
		hang(s->fd, ops, count);
		text = dump();
		assert_true(says(text, "\noperations: %u\n", count));
		assert_true(says(text, "\n  %u: copy ", last));
		assert_true(says(text, " (handle %u offset %#llx) from ", to.handle,
				 (unsigned long long)begin + 64 * last));
		assert_true(says(text, " (handle %u offset %#llx) bytes 0x30\n", from.handle,
				 (unsigned long long)begin + 128 * last));
		assert_false(says(text, "\n  %u: ", last + 1));
		if (count > OPS_KEPT)
			assert_true(says(text, "\n  and %u more\n", count - OPS_KEPT));
		else
			assert_false(says(text, " more\n"));
		free(text);
	}
	pdt_coredump_free();
	pdt_buffer_destroy(s->fd, &to);
	pdt_buffer_destroy(s->fd, &from);
}

/* A name makes no line of its own, and no other harm. */
static void odd_names(void **state)
{
	static const struct {
		const char *name, *said;
	} names[] = {
		{ "a\nfault: b", "owner: a\\nfault: b pid " },
		{ "\x1b[2J\x07%s%n", "owner: \\e[2J\\a%s%n pid " },
		{ "back\\slash", "owner: back\\slash pid " },
	};
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer buf;
	char before[16];

	assert_ok(prctl(PR_GET_NAME, before) ? -errno : 0);
	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_PAGE, PDT_GTT, 0));
	op = pdt_fill(buf.handle, 0, PDT_PAGE, 1);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(names); i++) {
		char *text;

		pdt_coredump_free();
		assert_ok(prctl(PR_SET_NAME, names[i].name) ? -errno : 0);
		hang(s->fd, &op, 1);
		assert_ok(prctl(PR_SET_NAME, before) ? -errno : 0);
		text = dump();
		if (!says(text, "\n%s", names[i].said))
			fail_msg("no \"%s\" in:\n%s", names[i].said, text);
		assert_false(says(text, "\nfault: b"));
		free(text);
	}
	pdt_coredump_free();
	pdt_buffer_destroy(s->fd, &buf);
}

/* Of a reset of the chip: its registers, and nobody's job. */
static void chip_reset(void **state)
{
	char *text;

	(void)state;
	pdt_coredump_free();
	assert_ok(pdt_reset_chip());
	text = dump();
	assert_true(says(text, "PDDGPU coredump\ntime: "));
	assert_true(says(text, "\nreset: chip\n"));
	assert_true(says(text, "\nchip status: 0x"));
	assert_true(says(text, "\nring 0: base 0x"));
	assert_true(says(text, "\nring 1: base 0x"));
	assert_false(says(text, "owner:"));
	assert_false(says(text, "fault:"));
	assert_false(says(text, "operations:"));
	free(text);
	pdt_coredump_free();
}

/* The first is kept, whatever comes after it, until it has been taken away. */
static void first_is_kept(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	char *first, *text;
	struct pdt_buffer buf;

	pdt_coredump_free();
	assert_ok(pdt_buffer_create(s->fd, &buf, PDT_PAGE, PDT_GTT, 0));
	op = pdt_fill(buf.handle, 0, PDT_PAGE, 0xf1f1f1f1);
	hang(s->fd, &op, 1);
	first = dump();
	assert_true(says(first, " with 0xf1f1f1f1 bytes "));
	for (uint32_t i = 0; i < 2; i++) {
		op = pdt_fill(buf.handle, 0, PDT_PAGE, i);
		hang(s->fd, &op, 1);
		assert_ok(pdt_reset_chip());
		pdt_sleep_ms(100);
		text = dump();
		assert_string_equal(text, first);
		free(text);
	}
	pdt_coredump_free();
	op = pdt_fill(buf.handle, 0, PDT_PAGE, 0x2e2e2e2e);
	hang(s->fd, &op, 1);
	text = dump();
	assert_true(says(text, " with 0x2e2e2e2e bytes "));
	free(text);
	free(first);
	pdt_coredump_free();
	pdt_buffer_destroy(s->fd, &buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(read_anyhow),
		pdt_test(long_jobs),
		pdt_test(odd_names),
		pdt_test(chip_reset),
		pdt_test(first_is_kept),
	};

	return pdt_run_tests("coredump", tests);
}
