// SPDX-License-Identifier: MIT
/* How long it takes to read fdinfo of a client that has many buffers. */
#include "bench.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* As monitors do it: opened, read to the end, closed */
static double read_us(int fd)
{
	uint64_t start = now_ns();
	char path[64], text[4096];
	ssize_t len;
	int file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		die("%s cannot be opened", path);
	len = read(file, text, sizeof(text));
	if (len <= 0 || read(file, text, sizeof(text)))
		die("%s cannot be read in one go", path);
	close(file);
	return (double)(now_ns() - start) / 1000;
}

static struct summary read_often(struct bench *b, int fd)
{
	struct samples s = { 0 };

	for (int i = 0; i < (b->quick ? 300 : 3000); i++)
		samples_add(&s, read_us(fd));
	return samples_end(&s);
}

void bench_fdinfo(struct bench *b)
{
	static const uint32_t counts[2][3] = {
		{ 0, 1000, 100000 }, { 0, 1000, 10000 },
	};
	int fd = card_open_ours(), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct summary sum = { 0 };
	uint32_t count = 0;

	if (null < 0)
		die("/dev/null cannot be opened");
	report_row(b->report, "fdinfo", "that of /dev/null", 0, "us", read_often(b, null));
	for (int i = 0; i < 3; i++) {
		for (; count < counts[b->quick][i]; count++)
			card_create(fd, KIB(4), PDDGPU_GEM_DOMAIN_CPU);
		sum = read_often(b, fd);
		report_row(b->report, "fdinfo", "of a client with so many buffers", count, "us",
			   sum);
	}
	report_figure(b->report, b->quick ? "fdinfo of a client with 10,000 buffers" :
		      "fdinfo of a client with 100,000 buffers", "us", sum.median, true, 100);
	report_print_rows(b->report, "To open, read and close fdinfo, by the number of buffers");
	close(null);
	/* The buffers go with the file */
	close(fd);
}
