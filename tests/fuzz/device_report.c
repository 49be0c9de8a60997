// SPDX-License-Identifier: MIT
/* How a target says that something is wrong, and how much it has run. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device_fuzz.h"

void fuzz_die(const char *format, ...)
{
	va_list args;

	fputs("device-fuzz: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static _Atomic uint64_t *counted;

/* What is run is counted where whoever runs the fuzzer can read it, if it asks. */
__attribute__((constructor)) static void count_open(void)
{
	const char *path = getenv("PDDGPU_FUZZ_COUNT");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *p;

	if (fd < 0)
		return;
	if (ftruncate(fd, sizeof(*counted)))
		fuzz_die("%s: no room", path);
	p = mmap(NULL, sizeof(*counted), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		fuzz_die("%s: cannot be mapped", path);
	counted = p;
	close(fd);
}

/* A packet, or what other targets have for one */
void count_one(void)
{
	if (counted)
		atomic_fetch_add_explicit(counted, 1, memory_order_relaxed);
}
