// SPDX-License-Identifier: MIT
/* Jobs for the copy engine, and syncobjs. */
#include "pdt.h"

int pdt_submit(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count)
{
	struct drm_pddgpu_submit args = {
		.ops = (uintptr_t)ops,
		.op_count = count,
	};

	return pdt_ioctl(fd, DRM_IOCTL_PDDGPU_SUBMIT, &args);
}

/* Signals a syncobj when it is done, and waits for another before; 0 for none */
int pdt_submit_sync(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count,
		    uint32_t wait, uint64_t wait_point, uint32_t signal,
		    uint64_t signal_point)
{
	struct drm_pddgpu_sync in = { .handle = wait, .point = wait_point };
	struct drm_pddgpu_sync out = { .handle = signal, .point = signal_point };
	struct drm_pddgpu_submit args = {
		.ops = (uintptr_t)ops,
		.op_count = count,
		.wait_syncs = (uintptr_t)&in,
		.wait_count = wait != 0,
		.signal_syncs = (uintptr_t)&out,
		.signal_count = signal != 0,
	};

	return pdt_ioctl(fd, DRM_IOCTL_PDDGPU_SUBMIT, &args);
}

struct drm_pddgpu_submit_op pdt_copy(uint32_t dst, uint64_t dst_offset, uint32_t src,
				     uint64_t src_offset, uint64_t bytes)
{
	return (struct drm_pddgpu_submit_op) {
		.opcode = PDDGPU_SUBMIT_COPY,
		.dst_handle = dst,
		.dst_offset = dst_offset,
		.src_handle = src,
		.src_offset = src_offset,
		.bytes = bytes,
	};
}

struct drm_pddgpu_submit_op pdt_fill(uint32_t dst, uint64_t dst_offset, uint64_t bytes,
				     uint32_t pattern)
{
	return (struct drm_pddgpu_submit_op) {
		.opcode = PDDGPU_SUBMIT_FILL,
		.pattern = pattern,
		.dst_handle = dst,
		.dst_offset = dst_offset,
		.bytes = bytes,
	};
}

/* Waits for the buffer to be idle, so many milliseconds at most */
int pdt_wait_idle(int fd, uint32_t handle, unsigned int ms)
{
	struct drm_pddgpu_gem_wait args = {
		.handle = handle,
		.timeout_ns = (int64_t)((pdt_now_ms() + ms) * 1000000),
	};

	return pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_WAIT, &args);
}

int pdt_syncobj_create(int fd, uint32_t *handle)
{
	struct drm_syncobj_create args = { 0 };
	int rc = pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_CREATE, &args);

	*handle = args.handle;
	return rc;
}

int pdt_syncobj_destroy(int fd, uint32_t handle)
{
	struct drm_syncobj_destroy args = { .handle = handle };

	return pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_DESTROY, &args);
}

/* Waits for a syncobj, or for a point of its timeline */
int pdt_syncobj_wait(int fd, uint32_t handle, uint64_t point, unsigned int ms)
{
	int64_t timeout = (int64_t)((pdt_now_ms() + ms) * 1000000);
	struct drm_syncobj_timeline_wait line = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.timeout_nsec = timeout,
		.count_handles = 1,
	};
	struct drm_syncobj_wait one = {
		.handles = (uintptr_t)&handle,
		.timeout_nsec = timeout,
		.count_handles = 1,
	};

	return point ? pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &line) :
		       pdt_ioctl(fd, DRM_IOCTL_SYNCOBJ_WAIT, &one);
}

/* Of a buffer that is looked at through another one: as much as is copied at once */
#define LOOK_BYTES	(4 * PDT_MIB)

/* Something to look at what the CPU does not reach through */
int pdt_glass_create(int fd, struct pdt_buffer *glass)
{
	return pdt_buffer_create(fd, glass, LOOK_BYTES, PDT_GTT, 0);
}

static int pdt_glass_piece(int fd, const struct pdt_buffer *glass, uint32_t handle,
			   uint64_t offset, uint64_t bytes)
{
	struct drm_pddgpu_submit_op op = pdt_copy(glass->handle, 0, handle, offset, bytes);
	int64_t at;
	int rc = pdt_submit(fd, &op, 1);

	if (!rc)
		rc = pdt_wait_idle(fd, glass->handle, 60000);
	if (rc)
		return rc;
	at = pdt_zero_check(glass->map, bytes);
	if (at < 0)
		return 0;
	fprintf(stderr, "# buffer %u: not zero at byte %llu\n", handle,
		(unsigned long long)offset + (unsigned long long)at);
	return -EILSEQ;
}

/*
 * Is a buffer all zeros? The engine copies it to where the CPU sees it, so that the
 * buffer stays where it is. What is larger than @most bytes is looked at in as many
 * in all, evenly spread.
 */
int pdt_glass_zero_check(int fd, const struct pdt_buffer *glass, uint32_t handle,
			 uint64_t size, uint64_t most)
{
	uint64_t piece = size <= most ? LOOK_BYTES : pdt_pages(most / 8);
	uint64_t step = size <= most ? LOOK_BYTES : pdt_pages(size / 8);
	int rc = 0;

	if (piece > LOOK_BYTES)
		piece = LOOK_BYTES;
	for (uint64_t at = 0; at < size && !rc; at += step)
		rc = pdt_glass_piece(fd, glass, handle, at,
				     size - at < piece ? size - at : piece);
	return rc;
}

/* Fills a buffer, be it where it may, and waits for that */
int pdt_spoil(int fd, uint32_t handle, uint64_t size, uint32_t pattern)
{
	struct drm_pddgpu_submit_op op = pdt_fill(handle, 0, size, pattern);
	int rc = pdt_submit(fd, &op, 1);

	return rc ? rc : pdt_wait_idle(fd, handle, 60000);
}

/*
 * A copy or a fill at any place of any of @count buffers of @size bytes, whose
 * content is done the same to in @bytes.
 */
struct drm_pddgpu_submit_op pdt_random_op(const struct pdt_buffer *bufs,
					  unsigned char *const *bytes, size_t count,
					  uint64_t size, uint64_t *random)
{
	uint64_t length = 1 + pdt_random(random) % (pdt_random(random) % 4 ? 5000 : size / 2);
	size_t dst = pdt_random(random) % count, src = pdt_random(random) % count;
	uint64_t to = pdt_random(random) % (size - length + 1);
	uint64_t from = pdt_random(random) % (size - length + 1);
	uint32_t pattern = (uint32_t)pdt_random(random);

	if (pdt_random(random) % 4) {
		memmove(bytes[dst] + to, bytes[src] + from, length);
		return pdt_copy(bufs[dst].handle, to, bufs[src].handle, from, length);
	}
	to &= ~3ULL;
	length = (length + 3) & ~3ULL;
	if (to + length > size)
		length = size - to;
	for (uint64_t i = 0; i < length; i += 4)
		memcpy(bytes[dst] + to + i, &pattern, 4);
	return pdt_fill(bufs[dst].handle, to, length, pattern);
}
