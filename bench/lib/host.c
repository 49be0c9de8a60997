// SPDX-License-Identifier: MIT
/*
 * How fast the host copies: measured there, outside the VM, over shared memory
 * such as the device works on; and handed to the run in the VM as a text,
 * SIZE:P10:MEDIAN:P90,... in bytes and ns.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const uint64_t move_sizes[HOST_SIZES] = {
	KIB(4), KIB(64), MIB(1), MIB(4), MIB(16), MIB(64),
};

static void *shared(uint64_t size)
{
	int fd = memfd_create("pddgpu-bench", MFD_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, (off_t)size))
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("no memory to copy: %s", strerror(errno));
	close(fd);
	memset(p, 1, size);
	return p;
}

void host_measure(bool quick)
{
	uint64_t most = move_sizes[HOST_SIZES - 1];
	char *to = shared(most), *from = shared(most);

	for (size_t i = 0; i < HOST_SIZES; i++) {
		uint64_t size = move_sizes[i];
		struct samples s = { 0 };
		struct summary sum;
		int rounds = size > MIB(4) ? 20 : 200;

		for (int n = 0; n < (quick ? rounds / 4 : rounds); n++) {
			/* Ever new places, or the CPU's cache is measured */
			uint64_t at = (uint64_t)n * size % most;
			uint64_t start = now_ns();

			memcpy(to + at, from + at, size);
			/* It is not to be left out for want of a reader */
			__asm__ volatile("" : : "r"(to) : "memory");
			samples_add(&s, (double)(now_ns() - start));
		}
		sum = samples_end(&s);
		printf("%s%llu:%.0f:%.0f:%.0f", i ? "," : "", (unsigned long long)size,
		       sum.p10, sum.median, sum.p90);
	}
	putchar('\n');
	munmap(to, most);
	munmap(from, most);
}

bool host_parse(struct host *host, const char *text)
{
	while (host->count < HOST_SIZES) {
		struct summary *sum = &host->copy[host->count].ns;
		unsigned long long size;
		int length;

		if (sscanf(text, "%llu:%lf:%lf:%lf%n", &size, &sum->p10, &sum->median,
			   &sum->p90, &length) != 4)
			return false;
		sum->count = 1;
		sum->p99 = sum->max = sum->p90;
		host->copy[host->count++].size = size;
		text += length;
		if (!*text)
			return true;
		if (*text++ != ',')
			return false;
	}
	return false;
}

double host_copy_ns(const struct host *host, uint64_t size)
{
	for (size_t i = 0; i < host->count; i++)
		if (host->copy[i].size == size)
			return host->copy[i].ns.median;
	return NAN;
}
