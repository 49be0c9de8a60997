/* SPDX-License-Identifier: MIT */
/* What pddgpu_drm.h includes; not to be included by itself. */
#ifndef PDDGPU_DRM_EVIDENCE_H
#define PDDGPU_DRM_EVIDENCE_H

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * struct drm_pddgpu_ownership - an element of PDDGPU_QUERY_OWNERSHIP, an array:
 * VRAM, GTT, CPU
 *
 * @used is @live + @orphan + @zombie + @kernel, always and exactly; the buffers' are of
 * one moment. A buffer counts where it is, or where a move that has begun leads to.
 */
struct drm_pddgpu_ownership {
	/** @domain: PDDGPU_GEM_DOMAIN_* */
	__u32 domain;
	/** @pad: zero */
	__u32 pad;
	/**
	 * @used: bytes, by all users and the kernel. While buffers come, move and go
	 * it may differ from that of PDDGPU_QUERY_DOMAIN_USAGE by what does so just
	 * then.
	 */
	__u64 used;
	/** @live: bytes of buffers to which a handle exists */
	__u64 live;
	/** @orphan: bytes of buffers kept by something else than a handle */
	__u64 orphan;
	/** @zombie: bytes of buffers freed by their users, waiting for a fence */
	__u64 zombie;
	/**
	 * @kernel: bytes of no buffer: the driver's own, and what a buffer that moves
	 * or is made has still or already. With nobody at work it is kernel_bytes of
	 * struct drm_pddgpu_memory_stats for VRAM, and 0 for the others.
	 */
	__u64 kernel;
	/** @live_objects: how many buffers @live are */
	__u64 live_objects;
	/** @orphan_objects: how many @orphan are */
	__u64 orphan_objects;
	/** @zombie_objects: how many @zombie are */
	__u64 zombie_objects;
};

/**
 * DOC: evidence
 *
 * PDDGPU_QUERY_OBJECTS, PDDGPU_QUERY_SITE and PDDGPU_QUERY_UNFREED tell of buffers
 * what somebody needs who is to say which of them are leaks. With CAP_PERFMON or
 * CAP_SYS_ADMIN they tell of all; without, of those that processes with the caller's
 * effective user id allocated. Times are nanoseconds on CLOCK_MONOTONIC.
 *
 * Unlike the other answers, what is at @data is read as well as written.
 */

/* &drm_pddgpu_object.state */
#define PDDGPU_OBJECT_LIVE	0	/* a handle exists */
/* No handle; a dma-buf, a mapping or the kernel keeps it */
#define PDDGPU_OBJECT_ORPHAN	1
/* Nobody; it waits for a fence before it is freed */
#define PDDGPU_OBJECT_ZOMBIE	2

/* &drm_pddgpu_object.age_class, by age alone; see the module's parameters */
#define PDDGPU_OBJECT_YOUNG	0
#define PDDGPU_OBJECT_SUSPICIOUS 1
#define PDDGPU_OBJECT_CONFIRMED	2

/* &drm_pddgpu_object.is */
#define PDDGPU_OBJECT_MAPPED		(1 << 0)	/* some process has it mapped now */
#define PDDGPU_OBJECT_UNPAGEABLE	(1 << 1)	/* some client wants it to stay */
#define PDDGPU_OBJECT_EXPORTED		(1 << 2)	/* a dma-buf of it exists now */
#define PDDGPU_OBJECT_IMPORTED		(1 << 3)	/* it is another driver's, by a dma-buf */
#define PDDGPU_OBJECT_BUSY		(1 << 4)	/* a job or a move of it is not done */
#define PDDGPU_OBJECT_SWAPPED		(1 << 5)	/* its pages are in swap */
#define PDDGPU_OBJECT_BASELINE		(1 << 6)	/* from before the last baseline */
#define PDDGPU_OBJECT_KERNEL		(1 << 7)	/* the driver's own; it has no owner */
#define PDDGPU_OBJECT_UNFREED		(1 << 8)	/* it is in PDDGPU_QUERY_UNFREED's sums */

/**
 * struct drm_pddgpu_object - what is known of a buffer
 */
struct drm_pddgpu_object {
	/**
	 * @id: names it while the device is bound, and is not given out again; a later
	 * buffer's is greater
	 */
	__u64 id;
	/** @size: bytes */
	__u64 size;
	/** @client_id: the DRM client that allocated it, as in fdinfo; 0 not known */
	__u64 client_id;
	/** @birth_ns: when it was allocated */
	__u64 birth_ns;
	/** @used_ns: when a job that uses it was last submitted; 0 never */
	__u64 used_ns;
	/** @touched_ns: when it was last mapped, or the CPU last faulted on it; 0 never */
	__u64 touched_ns;
	/** @pid: the process that allocated it, in the initial namespace; 0 not known */
	__u32 pid;
	/** @site: where it was allocated, for PDDGPU_QUERY_SITE; 0 not known */
	__u32 site;
	/** @flags: PDDGPU_GEM_CREATE_* that it was made with */
	__u32 flags;
	/** @is: PDDGPU_OBJECT_*, as it is now */
	__u32 is;
	/** @domain: PDDGPU_GEM_DOMAIN_* that it is in */
	__u8 domain;
	/** @state: PDDGPU_OBJECT_LIVE and so on */
	__u8 state;
	/** @age_class: PDDGPU_OBJECT_YOUNG and so on */
	__u8 age_class;
	/** @pad: zero */
	__u8 pad;
	/** @session: its process's session at that time, as by getsid(); 0 not known */
	__u32 session;
	/** @comm: that process's name, NUL-terminated; may hold any byte */
	char comm[16];
	/** @label: by PDDGPU_GEM_SET_LABEL, NUL-terminated; may hold any byte */
	char label[64];
};

/**
 * struct drm_pddgpu_objects - PDDGPU_QUERY_OBJECTS, in front of its array
 *
 * The buffers in order of their @id, as many as the caller's size has room for. To
 * see all, begin with @after 0 and ask again with what came back until @count is 0.
 * A buffer that is there the whole time is told exactly once.
 */
struct drm_pddgpu_objects {
	/** @after: in: only those with a greater id; out: the last one that was looked at */
	__u64 after;
	/** @now_ns: out: the time */
	__u64 now_ns;
	/** @count: out: how many follow */
	__u32 count;
	/**
	 * @stride: in: bytes from one to the next, a multiple of 8, at most 1024; where
	 * that is more than the driver knows of, the rest is zero. out: bytes that the
	 * driver knows of.
	 */
	__u32 stride;
	/** @flags: in: must be zero */
	__u64 flags;
};

#define PDDGPU_SITE_FRAMES	24

/* &drm_pddgpu_frame.kind */
#define PDDGPU_FRAME_KERNEL	0
#define PDDGPU_FRAME_USER	1

/**
 * struct drm_pddgpu_frame - a place in a call stack
 */
struct drm_pddgpu_frame {
	/** @offset: bytes from the function's beginning (kernel), or in the file (user) */
	__u64 offset;
	/** @kind: PDDGPU_FRAME_* */
	__u32 kind;
	/** @pad: zero */
	__u32 pad;
	/**
	 * @name: NUL-terminated: of the function, or of the file, of whose path the end
	 * is kept; empty where it is not known, and then @offset is 0
	 */
	char name[112];
};

/**
 * struct drm_pddgpu_site - PDDGPU_QUERY_SITE: a place that buffers are allocated at
 *
 * With the module's parameter leak_stacks it is a whole call stack, the process's
 * own functions with it where frame pointers lead to them; without, the ioctl.
 */
struct drm_pddgpu_site {
	/** @site: in: which; -ENOENT: there is none such, or not for the caller */
	__u32 site;
	/** @count: out: frames */
	__u32 count;
	/** @frames: out: innermost first */
	struct drm_pddgpu_frame frames[PDDGPU_SITE_FRAMES];
};

/**
 * struct drm_pddgpu_unfreed - buffers that a client left to the kernel to free
 *
 * All of one client, process, site and label: their handles were open when the file
 * was closed, by the process's end or otherwise. Sums may hold buffers that exist on,
 * since somebody else has them.
 */
struct drm_pddgpu_unfreed {
	/** @id: of this element; a later one's is greater */
	__u64 id;
	/** @bytes: together */
	__u64 bytes;
	/** @objects: how many */
	__u64 objects;
	/** @client_id: the DRM client that allocated them */
	__u64 client_id;
	/** @oldest_ns: when the first of them was allocated */
	__u64 oldest_ns;
	/** @closed_ns: when the file was closed */
	__u64 closed_ns;
	/** @pid: the process that allocated them, in the initial namespace */
	__u32 pid;
	/** @session: its session */
	__u32 session;
	/** @site: where, for PDDGPU_QUERY_SITE; 0 not known, or several */
	__u32 site;
	/** @pad: zero */
	__u32 pad;
	/** @comm: the process's name, NUL-terminated; may hold any byte */
	char comm[16];
	/** @label: of all of them, NUL-terminated; may hold any byte */
	char label[64];
};

/**
 * struct drm_pddgpu_unfreed_list - PDDGPU_QUERY_UNFREED, in front of its array
 *
 * The driver keeps the last ones, some thousand. Asked as PDDGPU_QUERY_OBJECTS is.
 */
struct drm_pddgpu_unfreed_list {
	/**
	 * @after: in: only those with a greater id; ~0: none, to learn the last id.
	 * out: the last one
	 */
	__u64 after;
	/** @lost: out: elements with a greater id than @after that are kept no more */
	__u64 lost;
	/** @count: out: how many follow */
	__u32 count;
	/** @stride: in and out: as in struct drm_pddgpu_objects */
	__u32 stride;
	/** @flags: in: must be zero */
	__u64 flags;
};

#if defined(__cplusplus)
}
#endif

#endif /* PDDGPU_DRM_EVIDENCE_H */
