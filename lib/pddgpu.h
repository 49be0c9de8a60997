/* SPDX-License-Identifier: MIT */
#ifndef PDDGPU_H
#define PDDGPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm/pddgpu_drm.h>

#if defined(__cplusplus)
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/**
 * DOC: libpddgpu
 *
 * A thin library over the ioctls of drm/pddgpu_drm.h, and over what the driver shows
 * in sysfs, debugfs and uevents. Sizes and offsets are bytes, times nanoseconds,
 * unless a name says otherwise.
 *
 * Errors: what returns an int returns 0 or a count, or a negative errno, for which
 * pddgpu_strerror() has a text; errno itself means nothing. A call that fails has
 * changed nothing, and sets no output. All have these, which are not repeated below:
 * -ENODEV the card has gone (from then on every call says so); -EIO the device is
 * wedged, and only freeing works; -ENOMEM. A signal does not end a call, but for
 * pddgpu_events_next(): what was interrupted is begun again. Pointers have to be
 * valid: only those that are said to may be NULL.
 *
 * Threads: there is no global state. A device may be used by any number of threads at
 * the same time, and so may a buffer. A job, a reader or a struct pddgpu_events is for
 * one thread at a time. Who frees an object has to be its last user.
 *
 * Processes: all files are closed by exec(). After a fork() parent and child share
 * the card's file, and with it all handles; only one of them may go on with the
 * device and what is made from it. To share a buffer hand on a dma-buf.
 *
 * ABI: functions are added, and never changed or taken away. Structures that the
 * library writes do not grow either; they have room that is zero. Those of
 * drm/pddgpu_drm.h may grow, but for elements of arrays, and a program, the library and
 * the driver may each know another length: what one of them does not know is zero.
 */

struct pddgpu_device;
struct pddgpu_bo;
struct pddgpu_job;
struct pddgpu_owners;
struct pddgpu_leaks;
struct pddgpu_objects;
struct pddgpu_unfreed;
struct pddgpu_blocks;
struct pddgpu_events;

/**
 * pddgpu_strerror() - what an error means here
 * @error: a negative errno that a call has returned; a positive one will do
 *
 * Return: a text of one line, without a full stop; never NULL, never to be freed.
 */
const char *pddgpu_strerror(int error);

/**
 * pddgpu_version() - the version of the library
 *
 * Return: such as "0.1.0". The first number is that of the ABI, as in the library's
 * file name; the second rises when something is added.
 */
const char *pddgpu_version(void);

/* ---- devices ---- */

/**
 * struct pddgpu_device_id - how a card is called
 */
struct pddgpu_device_id {
	/** @pci: PCI address, "0000:00:04.0" */
	char pci[16];
	/** @render: "/dev/dri/renderD128"; empty if it has none */
	char render[32];
	/** @primary: "/dev/dri/card0"; empty if it has none */
	char primary[32];
	/** @card: the number of the primary node, 0 for card0; -1 if it has none */
	int32_t card;
	/** @reserved: zero */
	uint32_t reserved[11];
};

/**
 * pddgpu_list() - all cards that the driver has
 * @out: the first @max of them, in order of PCI address; may be NULL with 0
 * @max: room in @out
 *
 * No card is opened and no right is needed: this is what sysfs says.
 *
 * Return: how many cards there are, which may be more than @max.
 */
int pddgpu_list(struct pddgpu_device_id *out, unsigned int max);

/**
 * pddgpu_open() - open a card
 * @name: NULL for the first card that can be opened; a device file, such as
 *	"/dev/dri/renderD128", or a link to one; or another name of a card: "renderD128",
 *	"card0", or a PCI address, "0000:00:04.0" or "00:04.0"
 * @out: the device, to be closed
 *
 * A device file is opened as it is; for any other name the render node, or the
 * primary one where there is no other. A DRM master by accident gives that up. A card
 * that is wedged can be opened, and what debugfs says of it be read.
 *
 * Return: 0, -ENOENT no such card or file, -ENODEV it is not a PDDGPU card, or it has
 * just gone, -EACCES, -EINVAL that cannot be a name; or another error of open().
 */
int pddgpu_open(const char *name, struct pddgpu_device **out);

/**
 * pddgpu_open_fd() - use a card's file that is open already
 * @fd: the file; the library takes a duplicate, and @fd stays the caller's
 * @out: the device, to be closed
 *
 * Handles are the open file's. So those of @fd are also this device's, and one that
 * is used here must not be closed there.
 *
 * Return: 0, -ENODEV it is not a PDDGPU card's file, -EBADF, -EMFILE.
 */
int pddgpu_open_fd(int fd, struct pddgpu_device **out);

/**
 * pddgpu_close() - close a card
 * @dev: the device, or NULL
 *
 * Whoever has made something from it may still use and free that: the file is closed
 * with the last of them.
 */
void pddgpu_close(struct pddgpu_device *dev);

/**
 * pddgpu_fd() - the card's file
 * @dev: the device
 *
 * For poll(), for libdrm's drmSyncobj functions, and for ioctls. It stays the
 * library's.
 *
 * Return: the file descriptor, which is closed by exec().
 */
int pddgpu_fd(const struct pddgpu_device *dev);

/**
 * pddgpu_id() - how an open card is called
 * @dev: the device
 *
 * Return: its names at the moment in which it was opened; valid until it is closed.
 */
const struct pddgpu_device_id *pddgpu_id(const struct pddgpu_device *dev);

/* ---- queries ---- */

/**
 * pddgpu_query() - ask the driver
 * @dev: the device
 * @type: PDDGPU_QUERY_*
 * @out: the answer; what the driver does not know, or @size has more, is zero
 * @size: bytes of @out, up to 64 KiB
 *
 * Those below are easier to use.
 *
 * Return: how many bytes the driver's answer has, which may be more or less than
 * @size; -EOPNOTSUPP an older driver, which does not know @type; -EINVAL @size.
 */
int pddgpu_query(struct pddgpu_device *dev, uint32_t type, void *out, size_t size);

/**
 * pddgpu_query_info() - what the card is
 * @dev: the device
 * @out: name, chip, sizes
 *
 * Return: 0 or an error.
 */
static inline int pddgpu_query_info(struct pddgpu_device *dev,
				    struct drm_pddgpu_device_info *out)
{
	int bytes = pddgpu_query(dev, PDDGPU_QUERY_DEVICE_INFO, out, sizeof(*out));

	return bytes < 0 ? bytes : 0;
}

/**
 * pddgpu_query_segments() - the card's memory segments
 * @dev: the device
 * @out: the first @max of them
 * @max: room in @out, at least 1
 *
 * Return: how many there are, which may be more than @max; or an error.
 */
static inline int pddgpu_query_segments(struct pddgpu_device *dev,
					struct drm_pddgpu_segment *out, unsigned int max)
{
	int bytes = pddgpu_query(dev, PDDGPU_QUERY_SEGMENTS, out, max * sizeof(*out));

	return bytes < 0 ? bytes : bytes / (int)sizeof(*out);
}

/**
 * pddgpu_query_usage() - how full VRAM, GTT and CPU are
 * @dev: the device
 * @out: the three of them, indexed by enum pddgpu_region
 *
 * Return: 0 or an error.
 */
static inline int pddgpu_query_usage(struct pddgpu_device *dev,
				     struct drm_pddgpu_domain_usage out[3])
{
	int bytes = pddgpu_query(dev, PDDGPU_QUERY_DOMAIN_USAGE, out, 3 * sizeof(*out));

	return bytes < 0 ? bytes : 0;
}

/**
 * pddgpu_query_stats() - the memory statistics
 * @dev: the device
 * @out: those of all users together
 *
 * Return: 0 or an error.
 */
static inline int pddgpu_query_stats(struct pddgpu_device *dev,
				     struct drm_pddgpu_memory_stats *out)
{
	int bytes = pddgpu_query(dev, PDDGPU_QUERY_MEMORY_STATS, out, sizeof(*out));

	return bytes < 0 ? bytes : 0;
}

/**
 * pddgpu_query_ownership() - whose the used memory is
 * @dev: the device
 * @out: VRAM, GTT and CPU, indexed by enum pddgpu_region; in each
 *	used = live + orphan + zombie + kernel, exactly
 *
 * Return: 0, -EOPNOTSUPP an older driver, or another error.
 */
static inline int pddgpu_query_ownership(struct pddgpu_device *dev,
					 struct drm_pddgpu_ownership out[3])
{
	int bytes = pddgpu_query(dev, PDDGPU_QUERY_OWNERSHIP, out, 3 * sizeof(*out));

	return bytes < 0 ? bytes : 0;
}

/* ---- buffers ---- */

/**
 * struct pddgpu_bo_info - what a buffer is and where it is
 */
struct pddgpu_bo_info {
	/** @size: bytes, whole pages */
	uint64_t size;
	/** @gpu_address: now; 0 while it has none (in the CPU domain). May change. */
	uint64_t gpu_address;
	/** @domain: the one PDDGPU_GEM_DOMAIN_* it is in now. May change. */
	uint32_t domain;
	/** @flags: PDDGPU_GEM_CREATE_* and PDDGPU_GEM_INFO_VRAM_LOST */
	uint32_t flags;
	/** @reserved: zero */
	uint64_t reserved[4];
};

/**
 * pddgpu_bo_create() - make a buffer
 * @dev: the device
 * @size: bytes, rounded up to a page
 * @domains: where it may live: PDDGPU_GEM_DOMAIN_*, one or several
 * @flags: PDDGPU_GEM_CREATE_*
 * @out: the buffer, to be freed; it reads as zeros
 *
 * Return: 0; -EINVAL size 0, or unknown domains or flags; -E2BIG it fits in none of
 * @domains; -ENOMEM no room now; -EDQUOT more would be unpageable than is allowed.
 */
int pddgpu_bo_create(struct pddgpu_device *dev, uint64_t size, uint32_t domains,
		     uint32_t flags, struct pddgpu_bo **out);

/**
 * pddgpu_bo_create_aligned() - make a buffer at a multiple of something
 * @dev: the device
 * @size: bytes, rounded up to a page
 * @alignment: of the GPU address, in bytes: a power of two, or 0 for a page
 * @domains: where it may live: PDDGPU_GEM_DOMAIN_*
 * @flags: PDDGPU_GEM_CREATE_*
 * @out: the buffer, to be freed
 *
 * Return: as pddgpu_bo_create(); -EINVAL also for @alignment.
 */
int pddgpu_bo_create_aligned(struct pddgpu_device *dev, uint64_t size, uint32_t alignment,
			     uint32_t domains, uint32_t flags, struct pddgpu_bo **out);

/**
 * pddgpu_bo_free() - have done with a buffer
 * @bo: the buffer, or NULL
 *
 * Unmaps it and closes its handle. Jobs that have been submitted do what they are to;
 * one that has not must not be submitted any more. Of a buffer that was imported
 * several times this ends one import.
 */
void pddgpu_bo_free(struct pddgpu_bo *bo);

/**
 * pddgpu_bo_size() - how large a buffer is
 * @bo: the buffer
 *
 * Return: bytes, whole pages.
 */
uint64_t pddgpu_bo_size(const struct pddgpu_bo *bo);

/**
 * pddgpu_bo_handle() - a buffer's handle, for ioctls on pddgpu_fd()
 * @bo: the buffer
 *
 * Return: the GEM handle, which stays the library's.
 */
uint32_t pddgpu_bo_handle(const struct pddgpu_bo *bo);

/**
 * pddgpu_bo_get_info() - what a buffer is and where it is now
 * @bo: the buffer
 * @out: that
 *
 * Return: 0 or an error.
 */
int pddgpu_bo_get_info(struct pddgpu_bo *bo, struct pddgpu_bo_info *out);

/**
 * pddgpu_bo_map() - let the CPU reach a buffer
 * @bo: the buffer
 * @out: its first byte; to be read and written
 *
 * Made once: the pointer is the same until as many pddgpu_bo_unmap() have been
 * called, or the buffer is freed. It stays valid wherever the buffer moves. Does not
 * wait for jobs: pddgpu_bo_wait() does.
 *
 * Return: 0; -EACCES made with NO_CPU_ACCESS, or an import that cannot be mapped so;
 * -EOVERFLOW larger than this process's addresses; -ENOMEM.
 */
int pddgpu_bo_map(struct pddgpu_bo *bo, void **out);

/**
 * pddgpu_bo_unmap() - take back one pddgpu_bo_map()
 * @bo: the buffer; nothing happens to one that is not mapped
 */
void pddgpu_bo_unmap(struct pddgpu_bo *bo);

/**
 * pddgpu_bo_wait() - wait until nobody uses a buffer: jobs and moves
 * @bo: the buffer
 * @timeout_ns: how long at most; 0 only asks, and less than 0 is for ever
 * @flags: 0, or PDDGPU_GEM_WAIT_WRITERS: only for those who write it
 *
 * Return: 0 idle, -ETIME busy still, or -EINVAL.
 */
int pddgpu_bo_wait(struct pddgpu_bo *bo, int64_t timeout_ns, uint32_t flags);

/**
 * pddgpu_bo_set_domain() - change where a buffer may live, and move it there
 * @bo: the buffer
 * @domains: PDDGPU_GEM_DOMAIN_*, one or several
 * @flags: PDDGPU_GEM_SET_*
 *
 * Return: 0; -EINVAL; -EBUSY it has to stay where it is; -ENOMEM no room; -E2BIG it
 * can never fit; -EDQUOT more would be unpageable than is allowed.
 */
int pddgpu_bo_set_domain(struct pddgpu_bo *bo, uint32_t domains, uint32_t flags);

/**
 * pddgpu_bo_set_label() - say what a buffer is for, to whoever looks for leaks
 * @bo: the buffer
 * @label: less than PDDGPU_LABEL_MAX bytes, of any kind; NULL or "" takes it away
 *
 * Return: 0, -EINVAL too long, -EOPNOTSUPP an older driver.
 */
int pddgpu_bo_set_label(struct pddgpu_bo *bo, const char *label);

/**
 * pddgpu_bo_export() - hand a buffer to another process or device
 * @bo: the buffer
 * @dmabuf_fd: a dma-buf of it, for reading and writing; to be closed by the caller,
 *	and closed by exec()
 *
 * Return: 0, -EMFILE, -ENFILE.
 */
int pddgpu_bo_export(struct pddgpu_bo *bo, int *dmabuf_fd);

/**
 * pddgpu_bo_import() - take a buffer from another process or device
 * @dev: the device
 * @dmabuf_fd: its dma-buf, which stays the caller's
 * @out: the buffer, to be freed
 *
 * The same buffer is the same pointer each time, also if it was made here, and is to
 * be freed as often. That does not hold for handles made by ioctls of the caller's own.
 *
 * Return: 0, -EBADF, -EINVAL it is no dma-buf, or an error of who exports it.
 */
int pddgpu_bo_import(struct pddgpu_device *dev, int dmabuf_fd, struct pddgpu_bo **out);

/* ---- jobs ---- */

/**
 * pddgpu_job_create() - begin a list of what the copy engine is to do
 * @dev: the device
 * @out: the job, with no operations; to be freed
 *
 * Return: 0 or an error.
 */
int pddgpu_job_create(struct pddgpu_device *dev, struct pddgpu_job **out);

/**
 * pddgpu_job_copy() - add a copy
 * @job: the job
 * @dst: the buffer that is written; has to live until the last pddgpu_job_submit()
 * @dst_offset: first byte in it
 * @src: the buffer that is read; may be @dst, and the result is that of memmove()
 * @src_offset: first byte in it
 * @bytes: how many
 *
 * Whether it lies within the buffers is looked at when the job is submitted.
 *
 * Return: 0; -EINVAL a buffer of another device; -E2BIG more than
 * PDDGPU_SUBMIT_OPS_MAX operations.
 */
int pddgpu_job_copy(struct pddgpu_job *job, struct pddgpu_bo *dst, uint64_t dst_offset,
		    struct pddgpu_bo *src, uint64_t src_offset, uint64_t bytes);

/**
 * pddgpu_job_fill() - add a fill
 * @job: the job
 * @dst: the buffer that is written; has to live until the last pddgpu_job_submit()
 * @offset: first byte in it, a multiple of 4
 * @bytes: how many, a multiple of 4
 * @pattern: what each four bytes become
 *
 * Return: as pddgpu_job_copy().
 */
int pddgpu_job_fill(struct pddgpu_job *job, struct pddgpu_bo *dst, uint64_t offset,
		    uint64_t bytes, uint32_t pattern);

/**
 * pddgpu_job_wait_for() - let a job begin only after something else
 * @job: the job
 * @syncobj: handle of a syncobj, made on pddgpu_fd()
 * @point: of its timeline; 0 for a binary one
 *
 * Return: 0, -E2BIG more than PDDGPU_SUBMIT_SYNCS_MAX.
 */
int pddgpu_job_wait_for(struct pddgpu_job *job, uint32_t syncobj, uint64_t point);

/**
 * pddgpu_job_signal() - let a job tell when it is done
 * @job: the job
 * @syncobj: handle of a syncobj, made on pddgpu_fd()
 * @point: of its timeline; 0 for a binary one
 *
 * Return: 0, -E2BIG PDDGPU_SUBMIT_SYNCS_MAX or more, since the library uses one.
 */
int pddgpu_job_signal(struct pddgpu_job *job, uint32_t syncobj, uint64_t point);

/**
 * pddgpu_job_submit() - begin a job
 * @job: the job; it keeps its operations and may be submitted again
 *
 * Waits for room in the queue if this device has too much under way.
 *
 * A job without operations only waits and signals. It is not ordered by buffers, so
 * pddgpu_job_wait_for() is what it waits for.
 *
 * Return: 0; -EINVAL it reaches beyond a buffer, or is to wait for something that nobody
 * has submitted yet; -ENOENT a syncobj or buffer that is no more; -EBUSY a buffer that
 * may not leave the CPU domain; -ENOMEM its buffers do not fit; -EAGAIN the queue is
 * full, and O_NONBLOCK is set on the file (the library does not).
 */
int pddgpu_job_submit(struct pddgpu_job *job);

/**
 * pddgpu_job_wait() - wait until what was last submitted is done
 * @job: the job
 * @timeout_ns: how long at most; 0 only asks, and less than 0 is for ever
 * @error: how it ended: 0; -EIO it faulted; -ETIME the engine hung in it; -ECANCELED
 *	the chip was reset, or VRAM was lost; or -ENODEV. May be NULL: then the call
 *	returns that itself, and -ETIME may be either.
 *
 * Return: 0 it has ended, -ETIME not yet, -EINVAL it has never been submitted.
 */
int pddgpu_job_wait(struct pddgpu_job *job, int64_t timeout_ns, int *error);

/**
 * pddgpu_job_reset() - take all operations and syncobjs from a job
 * @job: the job; what is under way goes on, and can be waited for
 */
void pddgpu_job_reset(struct pddgpu_job *job);

/**
 * pddgpu_job_free() - have done with a job
 * @job: the job, or NULL; what is under way goes on
 */
void pddgpu_job_free(struct pddgpu_job *job);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#if defined(__cplusplus)
}
#endif

/* Who has memory, leaks, maps, events */
#include "pddgpu_watch.h"

#endif /* PDDGPU_H */
