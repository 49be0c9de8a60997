// SPDX-License-Identifier: MIT
/*
 * What a program did that was new: steps from one place in the driver to the
 * next, where the kernel tells (KCOV); and otherwise which call had which answer.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define KCOV	"/sys/kernel/debug/kcov"
#define WORDS	(1UL << 16)

/* Has it never been seen? Two that look alike are taken for one. */
bool fz_feature(uint64_t hash)
{
	_Atomic uint8_t *seen;

	hash *= 0x9e3779b97f4a7c15ULL;
	seen = &fz_shared->seen[hash >> 44];
	if (atomic_load_explicit(seen, memory_order_relaxed))
		return false;
	if (atomic_exchange(seen, 1))
		return false;
	atomic_fetch_add(&fz_shared->features, 1);
	return true;
}

/* In the thread itself, whose way through the kernel is followed from now on */
bool fz_cover_open(struct fz_lane *lane)
{
	int fd = open(KCOV, O_RDWR | O_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd < 0)
		return false;
	if (!ioctl(fd, KCOV_INIT_TRACE, WORDS))
		p = mmap(NULL, WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
	if (p == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
		close(fd);
		return false;
	}
	/* Open as long as the process is there */
	lane->kcov = p;
	return true;
}

void fz_cover_begin(struct fz_lane *lane)
{
	if (lane->kcov)
		__atomic_store_n(&lane->kcov[0], 0, __ATOMIC_RELAXED);
}

void fz_cover_end(struct fz_lane *lane)
{
	uint64_t count, before = 0;

	if (!lane->kcov)
		return;
	count = __atomic_load_n(&lane->kcov[0], __ATOMIC_RELAXED);
	if (count > WORDS - 1)
		count = WORDS - 1;
	for (uint64_t i = 1; i <= count; i++) {
		uint64_t place = lane->kcov[i];

		if (fz_feature(place))
			atomic_fetch_add(&fz_shared->places, 1);
		if (fz_feature(place ^ before << 20 ^ 0x5555)) {
			atomic_fetch_add(&fz_shared->edges, 1);
			lane->features++;
		}
		before = place;
	}
}
