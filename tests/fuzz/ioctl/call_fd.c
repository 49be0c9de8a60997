// SPDX-License-Identifier: MIT
/* Files, dma-bufs and sync files, and what else a descriptor takes */
#include "fuzz.h"

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* file, which */
FZ_RUN(open)
{
	unsigned int file = arg[0] % FZ_FILES;
	int fd;

	if (file >= FZ_OTHER)
		fd = open(fz_nodes[arg[1] & 1 ? FZ_VGEM_RENDER : FZ_VGEM_CARD],
			  O_RDWR | O_CLOEXEC);
	else
		fd = open(fz_nodes[arg[1] % 8 == 7 ? FZ_CARD : FZ_RENDER], O_RDWR | O_CLOEXEC |
			  (arg[1] % 8 == 6 ? O_NONBLOCK : 0));
	if (fd < 0)
		return -errno;
	fz_slot_put(&lane->state->file[file], fd);
	return 0;
}

/* file */
FZ_RUN(close)
{
	fz_slot_put(&lane->state->file[arg[0] % FZ_FILES], -1);
	return 0;
}

/* from, to: within the driver's own, or the others' */
FZ_RUN(dup)
{
	unsigned int from = arg[0] % FZ_FILES, to = arg[1] % FZ_FILES;
	uint32_t before, after;
	int fd;

	if (from / FZ_OTHER != to / FZ_OTHER)
		return -EXDEV;
	fd = fcntl(fz_file(lane, from, &before), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	fz_file(lane, from, &after);
	if (before != after) {
		/* It may be of what has had the number since */
		close(fd);
		return -EBADF;
	}
	fz_slot_put(&lane->state->file[to], fd);
	return 0;
}

/* file, on */
FZ_RUN(nonblock)
{
	return fcntl(fz_file(lane, arg[0], NULL), F_SETFL, arg[1] & 1 ? O_NONBLOCK : 0) ?
	       -errno : 0;
}

/* file, length, what: there are no events to read, so wait for none */
FZ_RUN(read)
{
	struct pollfd p = { .fd = fz_file(lane, arg[0], NULL), .events = POLLIN };
	char data[64];

	switch (arg[2] % 3) {
	case 0:
		return poll(&p, 1, 0) < 0 ? -errno : 0;
	case 1:
		return lseek(p.fd, (off_t)arg[1], SEEK_SET) < 0 ? -errno : 0;
	}
	fcntl(p.fd, F_SETFL, O_NONBLOCK);
	return read(p.fd, data, arg[1] % sizeof(data)) < 0 ? -errno : 0;
}

/* descriptor */
FZ_RUN(fd_close)
{
	fz_slot_put(&lane->state->fd[arg[0] % FZ_FDS], -1);
	return 0;
}

/* descriptor, flags */
FZ_RUN(dmabuf_sync)
{
	struct dma_buf_sync args = { .flags = arg[1] };

	return fz_ioctl(fz_fd(lane, arg[0]), DMA_BUF_IOCTL_SYNC, &args);
}

/* descriptor, slot, flags */
FZ_RUN(dmabuf_export)
{
	struct dma_buf_export_sync_file args = { .flags = (uint32_t)arg[2], .fd = -1 };
	int rc = fz_ioctl(fz_fd(lane, arg[0]), DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args);

	if (!rc)
		fz_slot_put(&lane->state->fd[arg[1] % FZ_FDS], args.fd);
	return rc;
}

/* descriptor, descriptor, flags */
FZ_RUN(dmabuf_import)
{
	struct dma_buf_import_sync_file args = {
		.flags = (uint32_t)arg[2],
		.fd = fz_fd(lane, arg[1]),
	};

	return fz_ioctl(fz_fd(lane, arg[0]), DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args);
}

/* descriptor, pointer */
FZ_RUN(dmabuf_name)
{
	static const char name[] = "a name that is longer than a name may be, by far";

	return fz_ioctl(fz_fd(lane, arg[0]), arg[1] & 0x100 ? DMA_BUF_SET_NAME_A :
			DMA_BUF_SET_NAME_B,
			fz_pointer(lane, arg[1], name + arg[1] % sizeof(name),
				   sizeof(name) - arg[1] % sizeof(name)));
}

/* descriptor, slot, length, offset, protection */
FZ_RUN(dmabuf_mmap)
{
	uint64_t length = pdt_pages(arg[2] % FZ_MAP_BYTES);

	return mmap(fz_map(lane, arg[1], 0), length ? length : PDT_PAGE, (int)(arg[4] & 7),
		    (arg[4] & 8 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED, fz_fd(lane, arg[0]),
		    (off_t)(arg[3] & ~(PDT_PAGE - 1))) == MAP_FAILED ? -errno : 0;
}

/* descriptor, offset, what */
FZ_RUN(dmabuf_seek)
{
	struct pollfd p = {
		.fd = fz_fd(lane, arg[0]),
		.events = arg[1] & 1 ? POLLIN : POLLOUT,
	};

	if (arg[2] & 1)
		return poll(&p, 1, (int)(arg[1] % 3)) < 0 ? -errno : 0;
	return lseek(p.fd, (off_t)arg[1], (int)(arg[2] >> 1 & 3)) < 0 ? -errno : 0;
}

/* descriptor, descriptor, slot */
FZ_RUN(merge)
{
	struct sync_merge_data args = { .name = "merged", .fd2 = fz_fd(lane, arg[1]) };
	int rc = fz_ioctl(fz_fd(lane, arg[0]), SYNC_IOC_MERGE, &args);

	if (!rc)
		fz_slot_put(&lane->state->fd[arg[2] % FZ_FDS], args.fence);
	return rc;
}

/* descriptor, number, type, size, seed */
FZ_RUN(fd_ioctl)
{
	unsigned char data[128];
	uint64_t random = arg[4];
	unsigned long request = _IOC(_IOC_READ | _IOC_WRITE, arg[2] & 1 ? 'b' : '>',
				     arg[1] & 7, arg[3] % sizeof(data));

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(pdt_random(&random) % 3);
	/* A descriptor that it makes would be lost; these have calls of their own */
	if (request == DMA_BUF_IOCTL_EXPORT_SYNC_FILE || request == SYNC_IOC_MERGE)
		return 0;
	return fz_ioctl(fz_fd(lane, arg[0]), request, data);
}

static int from_heap(uint64_t bytes)
{
	struct dma_heap_allocation_data args = { .len = bytes, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);
	int rc;

	if (heap < 0)
		return -errno;
	rc = fz_ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &args);
	close(heap);
	return rc < 0 ? rc : (int)args.fd;
}

static int from_memfd(uint64_t bytes)
{
	struct udmabuf_create args = {
		.memfd = (uint32_t)memfd_create("fuzz", MFD_ALLOW_SEALING | MFD_CLOEXEC),
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = bytes,
	};
	int udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int rc = -ENODEV;

	if (udmabuf >= 0) {
		rc = ftruncate((int)args.memfd, (off_t)bytes);
		fcntl((int)args.memfd, F_ADD_SEALS, F_SEAL_SHRINK);
		rc = rc ? -errno : fz_ioctl(udmabuf, UDMABUF_CREATE, &args);
		close(udmabuf);
	}
	close((int)args.memfd);
	return rc;
}

/* slot, whose, size: a dma-buf of somebody else */
FZ_RUN(foreign)
{
	uint64_t bytes = pdt_pages(arg[2] % ((arg[1] & 14 ? 8 : 64) * PDT_PAGE) + 1);
	int fd;

	/* One is as good as the other, and takes long to make */
	if (lane->again % 4)
		return 0;
	fd = arg[1] & 1 ? from_heap(bytes) : from_memfd(bytes);
	if (fd < 0)
		return fd;
	fz_slot_put(&lane->state->fd[arg[0] % FZ_FDS], fd);
	return 0;
}
