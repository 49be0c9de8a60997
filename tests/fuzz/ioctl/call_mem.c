// SPDX-License-Identifier: MIT
/* Mappings, right and wrong, and what is read and written through them */
#include "fuzz.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int result(void *p)
{
	return p == MAP_FAILED ? -errno : 0;
}

static uint64_t pages(uint64_t length)
{
	length = pdt_pages(length % FZ_MAP_BYTES);
	return length ? length : PDT_PAGE;
}

/* file, handle, slot, length, beyond its beginning, protection, how */
FZ_RUN(mmap)
{
	struct drm_pddgpu_gem_map args = { .handle = fz_handle(lane, arg[0], arg[1]) };
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_GEM_MAP, &args);
	void *p;

	/* Another's offset, or none at all */
	if (rc || arg[6] % 16 == 1)
		args.offset = arg[4];
	else if (arg[4] & FZ_LITERAL)
		args.offset += (arg[4] & 0xff) * PDT_PAGE;
	p = mmap(fz_map(lane, arg[2], 0), pages(arg[3]), (int)(arg[5] & 7),
		 (arg[6] % 16 == 2 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED |
		 (arg[6] % 16 == 3 ? MAP_POPULATE : 0), fz_file(lane, arg[0], NULL),
		 (off_t)(args.offset & ~(PDT_PAGE - 1)));
	return result(p);
}

/* slot, offset, length */
FZ_RUN(munmap)
{
	uint64_t offset = pages(arg[1]) - PDT_PAGE, length = pages(arg[2]);

	if (length > FZ_MAP_BYTES - offset)
		length = FZ_MAP_BYTES - offset;
	return munmap(fz_map(lane, arg[0], offset), length) ? -errno : 0;
}

/* slot, slot, old length, new length */
FZ_RUN(mremap)
{
	if (arg[0] % FZ_MAPS == arg[1] % FZ_MAPS)
		return result(mremap(fz_map(lane, arg[0], 0), pages(arg[2]), pages(arg[3]), 0));
	return result(mremap(fz_map(lane, arg[0], 0), pages(arg[2]), pages(arg[3]),
			     MREMAP_MAYMOVE | MREMAP_FIXED, fz_map(lane, arg[1], 0)));
}

/* slot, offset, length, protection */
FZ_RUN(mprotect)
{
	uint64_t offset = pages(arg[1]) - PDT_PAGE;

	return mprotect(fz_map(lane, arg[0], offset), pages(arg[2]) % (FZ_MAP_BYTES - offset),
			(int)(arg[3] & 7)) ? -errno : 0;
}

/* slot, offset, length, advice */
FZ_RUN(madvise)
{
	/* None that says memory is broken */
	static const int advices[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
		MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE,
		MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP,
		MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, 24, 25,
	};
	uint64_t offset = pages(arg[1]) - PDT_PAGE;

	return madvise(fz_map(lane, arg[0], offset), pages(arg[2]) % (FZ_MAP_BYTES - offset),
		       advices[arg[3] % PDT_ARRAY_SIZE(advices)]) ? -errno : 0;
}

/* slot, length, lock or not */
FZ_RUN(mlock)
{
	if (arg[2] & 1)
		return mlock(fz_map(lane, arg[0], 0), pages(arg[1])) ? -errno : 0;
	return munlock(fz_map(lane, arg[0], 0), pages(arg[1])) ? -errno : 0;
}

/* slot, length, page */
FZ_RUN(remap)
{
	return remap_file_pages(fz_map(lane, arg[0], 0), pages(arg[1]), 0, arg[2] & 0xff, 0) ?
	       -errno : 0;
}

/* slot, length, how */
FZ_RUN(msync)
{
	unsigned char vec[FZ_MAP_BYTES / PDT_PAGE];

	if (arg[2] & 1)
		return mincore(fz_map(lane, arg[0], 0), pages(arg[1]), vec) ? -errno : 0;
	return msync(fz_map(lane, arg[0], 0), pages(arg[1]), (arg[2] & 2) ? MS_SYNC : MS_ASYNC) ?
	       -errno : 0;
}

/* Does what may fault; -EFAULT if it did */
static int touch(struct fz_lane *lane, volatile unsigned char *p, size_t length, int value)
{
	if (sigsetjmp(lane->jump, 1)) {
		lane->armed = false;
		return -EFAULT;
	}
	lane->armed = true;
	for (size_t at = 0; at < length || !at; at += PDT_PAGE) {
		if (value < 0)
			(void)p[at];
		else
			p[at] = (unsigned char)value;
	}
	lane->armed = false;
	return 0;
}

/* slot, offset, length */
FZ_RUN(load)
{
	uint64_t offset = arg[1] % FZ_MAP_BYTES;
	uint64_t length = arg[2] % (64 * PDT_PAGE) % (FZ_MAP_BYTES - offset);

	return touch(lane, fz_map(lane, arg[0], offset), length, -1);
}

/* slot, offset, length, value */
FZ_RUN(store)
{
	uint64_t offset = arg[1] % FZ_MAP_BYTES;
	uint64_t length = arg[2] % (64 * PDT_PAGE) % (FZ_MAP_BYTES - offset);

	return touch(lane, fz_map(lane, arg[0], offset), length, (int)(arg[3] & 0xff));
}

/* slot, offset, length, write: as a debugger does it */
FZ_RUN(peek)
{
	unsigned char data[256] = { 0 };
	unsigned char *at = fz_map(lane, arg[0], arg[1]);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ssize_t n;
	int rc;

	if (fd < 0)
		return -errno;
	if (arg[3] & 1)
		n = pwrite(fd, data, arg[2] % sizeof(data), (off_t)(uintptr_t)at);
	else
		n = pread(fd, data, arg[2] % sizeof(data), (off_t)(uintptr_t)at);
	rc = n < 0 ? -errno : 0;
	close(fd);
	return rc;
}
