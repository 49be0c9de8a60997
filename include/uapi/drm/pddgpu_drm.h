/* SPDX-License-Identifier: MIT */
#ifndef _PDDGPU_DRM_H_
#define _PDDGPU_DRM_H_

#if defined(__KERNEL__)
#include <drm/drm.h>
#elif __has_include(<drm.h>)
#include <drm.h>
#elif __has_include(<libdrm/drm.h>)
#include <libdrm/drm.h>
#else
#include <drm/drm.h>
#endif

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * DOC: rules
 *
 * - Every ioctl is allowed on the render node.
 * - Structures have the same layout for 32 and 64-bit userspace. Members only
 *   ever grow at the end; a zero there means what the older structure meant.
 * - An unknown flag, an unknown domain, or padding that is not zero is refused
 *   with -EINVAL, and a refused call changes nothing.
 * - Errors: -EINVAL an argument that can never be right; -ENOENT no such
 *   handle; -E2BIG a size that fits none of the named domains even when they
 *   are empty; -ENOMEM no room now; -EDQUOT more would be kept unpageable
 *   than is allowed; -EBUSY the buffer has to stay where it is; -EFAULT a bad
 *   pointer; -ENODEV the device is gone or not ready; -EIO nothing is given out
 *   in any of the named domains, because of an error, or the device is wedged:
 *   it could not be reset, and is to be bound to its driver anew. Then all that
 *   still can be done is to give back: GEM_DESTROY, DRM_IOCTL_GEM_CLOSE,
 *   DRM_IOCTL_SYNCOBJ_DESTROY, munmap() and close(); -EINTR call again.
 * - Sizes and offsets are bytes, times nanoseconds.
 */

#define DRM_PDDGPU_GEM_CREATE		0x00
#define DRM_PDDGPU_GEM_MAP		0x01
#define DRM_PDDGPU_GEM_INFO		0x02
#define DRM_PDDGPU_GEM_DESTROY		0x03
#define DRM_PDDGPU_GEM_WAIT		0x04
#define DRM_PDDGPU_GEM_SET_DOMAIN	0x05
#define DRM_PDDGPU_SUBMIT		0x06
#define DRM_PDDGPU_QUERY		0x07
#define DRM_PDDGPU_GEM_SET_LABEL	0x08

/*
 * Domains. A set of them says where a buffer may live; of several, VRAM is
 * preferred to GTT and GTT to CPU. A buffer never leaves its set to make room
 * for another, but system pages may be written to swap, when the kernel has any;
 * they come back when the buffer is used.
 */
#define PDDGPU_GEM_DOMAIN_CPU		0x1	/* system pages, not mapped for the GPU */
#define PDDGPU_GEM_DOMAIN_GTT		0x2	/* system pages in the GTT aperture */
#define PDDGPU_GEM_DOMAIN_VRAM		0x4	/* the card's own memory */
#define PDDGPU_GEM_DOMAIN_MASK		0x7

/* Creation flags */
/* The CPU will touch it: in VRAM it takes the visible part from the beginning */
#define PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED	(1 << 0)
/* No CPU will map it: GEM_MAP is refused with -EACCES */
#define PDDGPU_GEM_CREATE_NO_CPU_ACCESS		(1 << 1)
/*
 * GTT and CPU pages: write-combined for the CPU and not snooped by the GPU;
 * the default is cached and snooped.
 */
#define PDDGPU_GEM_CREATE_CPU_GTT_USWC		(1 << 2)
/* VRAM is zeroed when given out. Always the case; kept for compatibility. */
#define PDDGPU_GEM_CREATE_VRAM_CLEARED		(1 << 4)
/* One block of VRAM, or -ENOMEM */
#define PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS	(1 << 5)
/* As if by SET_DOMAIN with PDDGPU_GEM_SET_UNPAGEABLE through the new handle */
#define PDDGPU_GEM_CREATE_UNPAGEABLE		(1 << 6)
#define PDDGPU_GEM_CREATE_MASK			0x77

/**
 * struct drm_pddgpu_gem_create - create a buffer and a handle to it
 *
 * The buffer reads as zeros.
 */
struct drm_pddgpu_gem_create {
	/** @size: in: bytes, rounded up to a page; 0 is -EINVAL */
	__u64 size;
	/**
	 * @alignment: in: of the GPU address, in bytes, a power of two; 0 and
	 * anything below a page mean a page. More than the largest named
	 * domain is -EINVAL.
	 */
	__u32 alignment;
	/** @domains: in: a non-empty set of PDDGPU_GEM_DOMAIN_* */
	__u32 domains;
	/** @flags: in: PDDGPU_GEM_CREATE_* */
	__u32 flags;
	/** @handle: out: the handle */
	__u32 handle;
	/** @pad: must be zero */
	__u64 pad;
};

/**
 * struct drm_pddgpu_gem_map - ask for the offset at which to mmap() a buffer
 */
struct drm_pddgpu_gem_map {
	/** @handle: in: the buffer */
	__u32 handle;
	/** @pad: must be zero */
	__u32 pad;
	/** @offset: out: for mmap() on the device's file */
	__u64 offset;
	/** @size: out: bytes */
	__u64 size;
	/** @flags: in: must be zero */
	__u64 flags;
};

/**
 * struct drm_pddgpu_gem_info - what a buffer is and where it is now
 */
struct drm_pddgpu_gem_info {
	/** @handle: in: the buffer */
	__u32 handle;
	/** @pad: must be zero */
	__u32 pad;
	/** @size: out: bytes */
	__u64 size;
	/**
	 * @offset: out: the GPU address of its first byte now; 0 while it has
	 * none (in the CPU domain). It may change at any time.
	 */
	__u64 offset;
	/**
	 * @domain: out: the one domain it is in now. CPU, whether in its set or
	 * not, for one that was swapped out and has not been used since.
	 */
	__u32 domain;
	/**
	 * @flags: out: its creation flags; PDDGPU_GEM_CREATE_UNPAGEABLE while
	 * some client keeps it unpageable, however it was made; and
	 * PDDGPU_GEM_INFO_VRAM_LOST
	 */
	__u32 flags;
	/** @id: out: its &drm_pddgpu_object.id */
	__u64 id;
};

/*
 * What the buffer held is lost: it was in VRAM, or not yet whole out of it, when a
 * reset of the chip lost VRAM. It was zeros then, or where even that failed what the
 * chip had left there, and nobody else's; what was written to it since is there. A
 * buffer in system pages or in swap is never marked. One that was on its way into
 * VRAM may be, though it is whole. The mark stays, wherever the buffer goes and
 * whoever writes it, until some client of those who share it says with
 * PDDGPU_GEM_SET_VRAM_LOST_SEEN that he knows.
 */
#define PDDGPU_GEM_INFO_VRAM_LOST	(1U << 31)

/**
 * struct drm_pddgpu_gem_destroy - close a handle, as DRM_IOCTL_GEM_CLOSE does
 */
struct drm_pddgpu_gem_destroy {
	/** @handle: in: the handle; -ENOENT when there is none */
	__u32 handle;
	/** @pad: must be zero */
	__u32 pad;
};

/* SET_DOMAIN: keep the buffer where it is afterwards; or no longer; not both */
#define PDDGPU_GEM_SET_UNPAGEABLE	(1 << 0)
#define PDDGPU_GEM_SET_PAGEABLE		(1 << 1)
/* When it succeeds the buffer is marked PDDGPU_GEM_INFO_VRAM_LOST no more */
#define PDDGPU_GEM_SET_VRAM_LOST_SEEN	(1 << 2)
#define PDDGPU_GEM_SET_MASK		0x7

/**
 * struct drm_pddgpu_gem_set_domain - change where a buffer may live, and move it
 *
 * The buffer's set of domains becomes @domains, and it is moved into the most
 * preferred of them in which there is room, or room can be made: buffers that
 * may live elsewhere are evicted. On failure both stay as they were. An
 * imported or an exported and attached buffer does not move: -EBUSY.
 *
 * PDDGPU_GEM_SET_UNPAGEABLE is a client's (an open file's) wish that a buffer
 * keep its place and its GPU address: it is not evicted, swapped or moved until
 * no client wishes it any more. A wish ends with PDDGPU_GEM_SET_PAGEABLE from the
 * same client, and when the handle through which it was last made is closed.
 * PDDGPU_GEM_SET_PAGEABLE from a client that has no wish ends nobody else's.
 *
 * As long as a buffer stays unpageable, the same @domains leave it where it is,
 * and others are refused with -EBUSY.
 *
 * Limits hold for the bytes that one client keeps unpageable, and for those of
 * all clients together, where a shared buffer counts once. VRAM that the CPU
 * reaches, VRAM that it does not, and system memory (GTT and CPU together) have
 * their own. A domain in which they leave no room is passed over; where they
 * alone are in the way the answer is -EDQUOT. In VRAM an unpageable buffer is
 * put where the CPU reaches it, or if it was made with
 * PDDGPU_GEM_CREATE_NO_CPU_ACCESS and there is such a part, where it does not.
 *
 * An unpageable buffer in the CPU domain cannot be used by SUBMIT: -EBUSY.
 * Another device cannot attach to one that is unpageable in VRAM: -EBUSY.
 */
struct drm_pddgpu_gem_set_domain {
	/** @handle: in: the buffer */
	__u32 handle;
	/** @domains: in: a non-empty set of PDDGPU_GEM_DOMAIN_* */
	__u32 domains;
	/**
	 * @flags: in: PDDGPU_GEM_SET_*; without UNPAGEABLE and PAGEABLE the
	 * client's wish stays as it is
	 */
	__u32 flags;
	/** @domain: out: the one domain it is in now */
	__u32 domain;
};

/* GEM_WAIT: only for those who write it, so that it may be read; else for all */
#define PDDGPU_GEM_WAIT_WRITERS	(1 << 0)
#define PDDGPU_GEM_WAIT_MASK	0x1

/**
 * struct drm_pddgpu_gem_wait - wait until a buffer is idle
 *
 * For jobs that use it and for moves that are under way.
 */
struct drm_pddgpu_gem_wait {
	/** @handle: in: the buffer */
	__u32 handle;
	/** @flags: in: PDDGPU_GEM_WAIT_* */
	__u32 flags;
	/**
	 * @timeout_ns: in: when to stop waiting, on CLOCK_MONOTONIC; what lies
	 * in the past only asks. -ETIME when it is busy still.
	 */
	__s64 timeout_ns;
};

/* Bytes of a label, with the NUL */
#define PDDGPU_LABEL_MAX	64

/**
 * struct drm_pddgpu_gem_set_label - say what a buffer is for
 *
 * For people: debugfs shows it to root, in leak_objects and gem_info, and it has no
 * other effect. Any client with a handle may set it, and it is the buffer's: all who
 * share the buffer share it, and the last to set it wins. It may hold any byte but NUL.
 *
 * Errors: -EINVAL a string of PDDGPU_LABEL_MAX bytes or more before its NUL; -EFAULT
 * a bad pointer; -ENOENT; -ENOMEM: nothing has changed then.
 */
struct drm_pddgpu_gem_set_label {
	/** @handle: in: the buffer */
	__u32 handle;
	/** @pad: must be zero */
	__u32 pad;
	/**
	 * @label: in: user pointer to a NUL-terminated string of up to
	 * PDDGPU_LABEL_MAX bytes with the NUL; 0, or an empty string, takes the
	 * label away
	 */
	__u64 label;
};

/* What an operation does */
#define PDDGPU_SUBMIT_COPY	1
#define PDDGPU_SUBMIT_FILL	2

/**
 * struct drm_pddgpu_submit_op - an operation of a job
 */
struct drm_pddgpu_submit_op {
	/** @opcode: in: PDDGPU_SUBMIT_* */
	__u32 opcode;
	/** @pattern: in: what to fill with; 0 for a copy */
	__u32 pattern;
	/** @dst_handle: in: the buffer that is written */
	__u32 dst_handle;
	/** @src_handle: in: the buffer that is read; 0 for a fill */
	__u32 src_handle;
	/** @dst_offset: in: byte in it; a multiple of 4 for a fill */
	__u64 dst_offset;
	/** @src_offset: in: byte in it; 0 for a fill */
	__u64 src_offset;
	/**
	 * @bytes: in: how much, at least 1, within both buffers; a multiple of
	 * 4 for a fill. A copy within a buffer may overlap itself: the result is
	 * that of memmove().
	 */
	__u64 bytes;
};

/**
 * struct drm_pddgpu_sync - a syncobj that a job waits for or signals
 */
struct drm_pddgpu_sync {
	/** @handle: in: the syncobj; -EINVAL: nothing that would signal it was submitted */
	__u32 handle;
	/** @flags: in: must be zero */
	__u32 flags;
	/** @point: in: of its timeline; 0 for a binary one */
	__u64 point;
};

/* Operations, and syncobjs each way, of one job */
#define PDDGPU_SUBMIT_OPS_MAX	(1 << 20)
#define PDDGPU_SUBMIT_SYNCS_MAX	1024

/**
 * struct drm_pddgpu_submit - let the copy engine do something
 *
 * The operations run in order, after all that used the buffers before, and
 * whoever uses them later waits for it. The buffers may be in any domain but
 * CPU alone; those that are there now come where the engine reaches them. If
 * they do not fit in there together the answer is -ENOMEM and nothing runs. A
 * job that fails on the way signals its syncobjs with an error, and what of it
 * had not run by then does not:
 *
 * - -EIO it has faulted;
 * - -ETIME the engine got no further with it in the time that the module's
 *   parameter job_timeout_ms says;
 * - -ECANCELED through no fault of its own: the chip was reset in the middle of it
 *   and to do it once more might come to something else, since it reads what it
 *   may have written; or a reset lost VRAM after it was submitted;
 * - -EIO, -ENODEV the device is wedged, or gone.
 *
 * A job that somebody else's stopped on the way, and that had not begun, or that
 * comes to the same when it is begun again, is run again and knows nothing of it.
 *
 * A file has so much under way at most: each job counts one, and one for each
 * MiB that it writes, and with 256 of that SUBMIT waits until some is done. A
 * signal ends that with -EINTR and nothing runs; with O_NONBLOCK on the file the
 * answer is -EAGAIN at once, also while another thread submits. One job may count
 * for more: then SUBMIT hands it over in parts, and returns when the last part
 * is. In between others may lock its buffers: their moves, and their jobs that
 * are not ordered by syncobjs, may come between two parts; and if the buffers
 * then fit no more, or there is no memory for the rest, the answer is -ENOMEM,
 * the syncobjs are not signalled and the parts before have run.
 */
struct drm_pddgpu_submit {
	/** @ops: in: pointer to @op_count struct drm_pddgpu_submit_op */
	__u64 ops;
	/** @wait_syncs: in: pointer to @wait_count struct drm_pddgpu_sync */
	__u64 wait_syncs;
	/** @signal_syncs: in: pointer to @signal_count struct drm_pddgpu_sync */
	__u64 signal_syncs;
	/** @op_count: in: up to PDDGPU_SUBMIT_OPS_MAX, or -E2BIG; 0: to wait and signal only */
	__u32 op_count;
	/** @wait_count: in: up to PDDGPU_SUBMIT_SYNCS_MAX */
	__u32 wait_count;
	/** @signal_count: in: up to PDDGPU_SUBMIT_SYNCS_MAX */
	__u32 signal_count;
	/** @flags: in: must be zero */
	__u32 flags;
};

/* What QUERY answers */
#define PDDGPU_QUERY_DEVICE_INFO	0
#define PDDGPU_QUERY_SEGMENTS		1
#define PDDGPU_QUERY_DOMAIN_USAGE	2
#define PDDGPU_QUERY_MEMORY_STATS	3
#define PDDGPU_QUERY_OWNERSHIP		4
#define PDDGPU_QUERY_OBJECTS		5
#define PDDGPU_QUERY_SITE		6
#define PDDGPU_QUERY_UNFREED		7

/**
 * struct drm_pddgpu_query - ask for one of the structures below
 *
 * With @size 0 nothing is written and @size becomes the number of bytes the
 * answer has. Otherwise the smaller of the two sizes is written to @data, what
 * is left of the caller's buffer is zeroed, and @size becomes the number of
 * bytes the answer has; so both sides can grow, but for elements of arrays.
 */
struct drm_pddgpu_query {
	/** @type: in: PDDGPU_QUERY_*; unknown is -EINVAL */
	__u32 type;
	/** @size: in: bytes at @data, up to 64 KiB; out: bytes of the answer */
	__u32 size;
	/** @data: in: user pointer */
	__u64 data;
	/** @flags: in: must be zero */
	__u64 flags;
};

/**
 * struct drm_pddgpu_device_info - PDDGPU_QUERY_DEVICE_INFO
 */
struct drm_pddgpu_device_info {
	/** @chip_id: 0x1000, 0x2000 or 0x3000 */
	__u32 chip_id;
	/** @chip_rev: revision */
	__u32 chip_rev;
	/** @spec_version: major << 16 | minor */
	__u32 spec_version;
	/** @state: PDDGPU_DEVICE_STATE_* */
	__u32 state;
	/** @name: "PDD1000" and so on, NUL-terminated */
	char name[16];
	/** @vram_size: bytes */
	__u64 vram_size;
	/** @vram_visible_size: bytes the CPU reaches */
	__u64 vram_visible_size;
	/** @vram_start: GPU address */
	__u64 vram_start;
	/** @gtt_size: bytes of the aperture */
	__u64 gtt_size;
	/** @gtt_start: GPU address */
	__u64 gtt_start;
	/** @pcie_mem_size: bytes of system memory that the GTT may hold */
	__u64 pcie_mem_size;
	/** @page_size: bytes of a GPU page */
	__u32 page_size;
	/** @engine_count: copy engines */
	__u32 engine_count;
};

/*
 * Device states (requirement C1). Who can ask finds READY; debugfs has the file
 * reset, which also knows WEDGED.
 */
#define PDDGPU_DEVICE_STATE_INITIALIZING	0x01
#define PDDGPU_DEVICE_STATE_READY		0x02
#define PDDGPU_DEVICE_STATE_SHUTDOWN		0x04
#define PDDGPU_DEVICE_STATE_WEDGED		0x08

/* Segment kinds */
#define PDDGPU_SEGMENT_KIND_LOCAL		0
#define PDDGPU_SEGMENT_KIND_PCIE_SNOOPED	1
#define PDDGPU_SEGMENT_KIND_PCIE_UNSNOOPED	2

/**
 * struct drm_pddgpu_segment - an element of PDDGPU_QUERY_SEGMENTS, an array
 */
struct drm_pddgpu_segment {
	/** @kind: PDDGPU_SEGMENT_KIND_* */
	__u32 kind;
	/** @domain: the PDDGPU_GEM_DOMAIN_* that it serves */
	__u32 domain;
	/** @base: GPU address */
	__u64 base;
	/** @size: bytes */
	__u64 size;
};

/**
 * struct drm_pddgpu_domain_usage - an element of PDDGPU_QUERY_DOMAIN_USAGE, an
 * array: VRAM, GTT, CPU
 */
struct drm_pddgpu_domain_usage {
	/** @domain: PDDGPU_GEM_DOMAIN_* */
	__u32 domain;
	/** @pad: zero */
	__u32 pad;
	/** @total: bytes */
	__u64 total;
	/** @used: bytes, by all users and the kernel */
	__u64 used;
	/** @visible_total: bytes the CPU reaches */
	__u64 visible_total;
	/** @visible_used: bytes of them used */
	__u64 visible_used;
};

#define PDDGPU_LATENCY_BUCKETS	32

/**
 * struct drm_pddgpu_memory_stats - PDDGPU_QUERY_MEMORY_STATS
 *
 * The names are those of debugfs memory_stats. Bucket n of a histogram counts
 * what took from 2^n to 2^(n+1)-1 ns; the first also 0, the last all longer.
 */
struct drm_pddgpu_memory_stats {
	/** @vram_total: bytes */
	__u64 vram_total;
	/** @vram_used: bytes */
	__u64 vram_used;
	/** @vram_free: bytes; total less used */
	__u64 vram_free;
	/** @vram_visible_total: bytes */
	__u64 vram_visible_total;
	/** @vram_visible_used: bytes */
	__u64 vram_visible_used;
	/** @gtt_total: bytes */
	__u64 gtt_total;
	/** @gtt_used: bytes */
	__u64 gtt_used;
	/** @gtt_free: bytes; total less used */
	__u64 gtt_free;
	/** @total_allocations: buffers ever made (or imported) */
	__u64 total_allocations;
	/** @total_deallocations: of them, buffers freed */
	__u64 total_deallocations;
	/** @failed_allocations: requests that failed for want of room */
	__u64 failed_allocations;
	/** @moves: buffers moved from one domain to another */
	__u64 moves;
	/** @evictions: of them, moves that made room for another buffer */
	__u64 evictions;
	/** @bytes_moved: bytes */
	__u64 bytes_moved;
	/** @swap_outs: buffers written to swap */
	__u64 swap_outs;
	/** @swap_ins: buffers read back */
	__u64 swap_ins;
	/** @leak_suspicious: objects past the suspicious age, not yet confirmed, now */
	__u64 leak_suspicious;
	/** @leak_suspicious_bytes: their bytes */
	__u64 leak_suspicious_bytes;
	/** @leak_confirmed: objects past the confirmed age, now */
	__u64 leak_confirmed;
	/** @leak_confirmed_bytes: their bytes */
	__u64 leak_confirmed_bytes;
	/** @avg_allocation_time: ns */
	__u64 avg_allocation_time;
	/** @avg_deallocation_time: ns */
	__u64 avg_deallocation_time;
	/** @avg_move_time: ns */
	__u64 avg_move_time;
	/** @live_objects: tracked buffers to which a handle exists */
	__u64 live_objects;
	/** @live_bytes: their bytes */
	__u64 live_bytes;
	/** @orphan_objects: buffers kept by something else than a handle */
	__u64 orphan_objects;
	/** @orphan_bytes: their bytes */
	__u64 orphan_bytes;
	/** @zombie_objects: buffers freed by their users, waiting for a fence */
	__u64 zombie_objects;
	/** @zombie_bytes: their bytes */
	__u64 zombie_bytes;
	/** @kernel_bytes: VRAM that the driver uses itself */
	__u64 kernel_bytes;
	/** @allocation_histogram: of allocation times */
	__u64 allocation_histogram[PDDGPU_LATENCY_BUCKETS];
	/** @deallocation_histogram: of deallocation times */
	__u64 deallocation_histogram[PDDGPU_LATENCY_BUCKETS];
	/** @move_histogram: of move times */
	__u64 move_histogram[PDDGPU_LATENCY_BUCKETS];
	/** @swapped_bytes: bytes of buffers that are in swap now */
	__u64 swapped_bytes;
};

/* Of PDDGPU_QUERY_OWNERSHIP and those that follow it */
#include "pddgpu_drm_evidence.h"

#define DRM_IOCTL_PDDGPU_GEM_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PDDGPU_GEM_CREATE, struct drm_pddgpu_gem_create)
#define DRM_IOCTL_PDDGPU_GEM_MAP \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PDDGPU_GEM_MAP, struct drm_pddgpu_gem_map)
#define DRM_IOCTL_PDDGPU_GEM_INFO \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PDDGPU_GEM_INFO, struct drm_pddgpu_gem_info)
#define DRM_IOCTL_PDDGPU_GEM_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PDDGPU_GEM_DESTROY, struct drm_pddgpu_gem_destroy)
#define DRM_IOCTL_PDDGPU_GEM_WAIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PDDGPU_GEM_WAIT, struct drm_pddgpu_gem_wait)
#define DRM_IOCTL_PDDGPU_SUBMIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PDDGPU_SUBMIT, struct drm_pddgpu_submit)
#define DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PDDGPU_GEM_SET_DOMAIN, struct drm_pddgpu_gem_set_domain)
#define DRM_IOCTL_PDDGPU_QUERY \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_PDDGPU_QUERY, struct drm_pddgpu_query)
#define DRM_IOCTL_PDDGPU_GEM_SET_LABEL \
	DRM_IOW(DRM_COMMAND_BASE + DRM_PDDGPU_GEM_SET_LABEL, struct drm_pddgpu_gem_set_label)

#if defined(__cplusplus)
}
#endif

#endif /* _PDDGPU_DRM_H_ */
