/* SPDX-License-Identifier: MIT */
/* The part of libpddgpu for those who watch: include pddgpu.h. */
#ifndef PDDGPU_WATCH_H
#define PDDGPU_WATCH_H

#include "pddgpu.h"

#if defined(__cplusplus)
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/**
 * DOC: who has memory
 *
 * What follows up to the events comes from debugfs, in the card's own folder there, and
 * so it is root's. All calls that open something there have these errors: -EACCES not
 * root; -ENOENT there is no debugfs: it is not mounted, or not in this kernel;
 * -EPERM the kernel is locked down; -EOPNOTSUPP an older driver, which has not got
 * that file; -ENODEV the card has gone.
 *
 * Readers: open, next until it returns 0, close. They need as much memory as a line,
 * however long the list is. What they show is not of one moment: buffers that come,
 * move or go meanwhile may be there or not. Texts are as the driver knows them, byte
 * for byte: a process may be called anything, control characters and broken UTF-8
 * included, but for NUL. A text that is empty is not known.
 */

/**
 * enum pddgpu_region - index into arrays of three
 * @PDDGPU_REGION_VRAM: the card's own memory
 * @PDDGPU_REGION_GTT: system memory in the card's aperture
 * @PDDGPU_REGION_CPU: system memory outside of it
 * @PDDGPU_REGIONS: how many
 */
enum pddgpu_region {
	PDDGPU_REGION_VRAM,
	PDDGPU_REGION_GTT,
	PDDGPU_REGION_CPU,
	PDDGPU_REGIONS
};

/**
 * enum pddgpu_state - what keeps a buffer, or a block of memory
 * @PDDGPU_STATE_LIVE: a handle
 * @PDDGPU_STATE_ORPHAN: no handle, but a dma-buf, a mapping or the kernel
 * @PDDGPU_STATE_ZOMBIE: freed by its users, and waiting for a fence
 * @PDDGPU_STATES_OWNED: how many of those there are, which buffers can be in
 * @PDDGPU_STATE_KERNEL: a block of no buffer: the driver's, or of a move under way
 * @PDDGPU_STATE_FREE: a block that is free
 * @PDDGPU_STATE_CLEARING: free, and being filled with zeros just now
 * @PDDGPU_STATE_UNKNOWN: something that only a newer driver knows
 */
enum pddgpu_state {
	PDDGPU_STATE_LIVE,
	PDDGPU_STATE_ORPHAN,
	PDDGPU_STATE_ZOMBIE,
	PDDGPU_STATES_OWNED,
	PDDGPU_STATE_KERNEL = PDDGPU_STATES_OWNED,
	PDDGPU_STATE_FREE,
	PDDGPU_STATE_CLEARING,
	PDDGPU_STATE_UNKNOWN = 255
};

/* Bytes of a process's name, with the NUL; the kernel keeps 15 and a NUL */
#define PDDGPU_COMM_MAX		32

/**
 * struct pddgpu_owner - who has made buffers that are still there
 *
 * A process through an open file. It may have ended long ago.
 */
struct pddgpu_owner {
	/** @client_id: of the open file, as drm-client-id in fdinfo; 0: nobody's */
	uint64_t client_id;
	/** @pid: the process, in the initial namespace, when it made the first; 0: nobody */
	int32_t pid;
	/** @reserved0: zero */
	uint32_t reserved0;
	/** @comm: its name then */
	char comm[PDDGPU_COMM_MAX];
	/** @bytes: by where they are now, enum pddgpu_region, and by enum pddgpu_state */
	uint64_t bytes[PDDGPU_REGIONS][PDDGPU_STATES_OWNED];
	/** @objects: how many buffers, by enum pddgpu_state */
	uint64_t objects[PDDGPU_STATES_OWNED];
	/** @reserved: zero */
	uint64_t reserved[8];
};

/**
 * pddgpu_owners_open() - who has memory of a card
 * @dev: the device
 * @out: a reader, to be closed
 *
 * Return: 0, or an error as above; -EPROTO the text is none of this library's.
 */
int pddgpu_owners_open(struct pddgpu_device *dev, struct pddgpu_owners **out);

/**
 * pddgpu_owners_next() - the next who has some
 * @owners: the reader
 * @out: who
 *
 * Return: 1 one was read, 0 there are no more; -EPROTO a line makes no sense, and the
 * next call goes on behind it; -ENODEV the card has gone.
 */
int pddgpu_owners_next(struct pddgpu_owners *owners, struct pddgpu_owner *out);

/**
 * pddgpu_owners_close() - end a reader
 * @owners: the reader, or NULL
 */
void pddgpu_owners_close(struct pddgpu_owners *owners);

/**
 * struct pddgpu_leak - a buffer that is older than buffers usually get
 */
struct pddgpu_leak {
	/** @age_ms: since it was made, milliseconds */
	uint64_t age_ms;
	/** @size: bytes */
	uint64_t size;
	/** @domain: the PDDGPU_GEM_DOMAIN_* it is in; 0 not known */
	uint32_t domain;
	/** @state: what keeps it */
	enum pddgpu_state state;
	/** @pid: who made it, in the initial namespace; 0: nobody */
	int32_t pid;
	/** @confirmed: older than leak_confirmed_age; else than leak_suspicious_age */
	bool confirmed;
	/** @reserved0: zero */
	uint8_t reserved0[3];
	/** @comm: his name */
	char comm[PDDGPU_COMM_MAX];
	/** @label: pddgpu_bo_set_label(), or "imported" or "kernel" for such */
	char label[PDDGPU_LABEL_MAX];
	/**
	 * @stack: where in the driver, "a < b < c": the innermost first. Valid until
	 * the next call with the reader. Never NULL.
	 */
	const char *stack;
	/** @reserved: zero */
	uint64_t reserved[8];
};

/**
 * pddgpu_leaks_open() - what looks like leaks
 * @dev: the device
 * @out: a reader, to be closed
 *
 * Return: as pddgpu_owners_open().
 */
int pddgpu_leaks_open(struct pddgpu_device *dev, struct pddgpu_leaks **out);

/**
 * pddgpu_leaks_next() - the next one, the oldest first
 * @leaks: the reader
 * @out: it
 *
 * Return: as pddgpu_owners_next().
 */
int pddgpu_leaks_next(struct pddgpu_leaks *leaks, struct pddgpu_leak *out);

/**
 * pddgpu_leaks_close() - end a reader
 * @leaks: the reader, or NULL
 */
void pddgpu_leaks_close(struct pddgpu_leaks *leaks);

/**
 * pddgpu_leaks_scan() - have the driver look for leaks now
 * @dev: the device
 *
 * What it finds that was not known before goes to the kernel's log.
 *
 * Return: 0 it has looked, or an error as above.
 */
int pddgpu_leaks_scan(struct pddgpu_device *dev);

/**
 * pddgpu_leaks_clear() - take what exists now for no leak
 * @dev: the device
 *
 * It is not listed or counted as one any more, for all who look. What is made
 * from now on is.
 *
 * Return: 0 or an error as above.
 */
int pddgpu_leaks_clear(struct pddgpu_device *dev);

/**
 * struct pddgpu_block - a piece of VRAM or of the GTT
 */
struct pddgpu_block {
	/** @offset: of its first byte, within VRAM or the GTT */
	uint64_t offset;
	/** @size: bytes */
	uint64_t size;
	/** @state: what keeps it, or PDDGPU_STATE_KERNEL, _FREE, _CLEARING or _UNKNOWN */
	enum pddgpu_state state;
	/** @pid: who made the buffer; 0: nobody */
	int32_t pid;
	/** @client_id: through which open file; 0: nobody's */
	uint64_t client_id;
	/** @comm: his name */
	char comm[PDDGPU_COMM_MAX];
	/** @reserved: zero */
	uint64_t reserved[4];
};

/**
 * pddgpu_blocks_open() - what is where in VRAM or in the GTT
 * @dev: the device
 * @domain: PDDGPU_GEM_DOMAIN_VRAM or PDDGPU_GEM_DOMAIN_GTT
 * @out: a reader, to be closed
 *
 * The blocks come in order of their offsets and without gaps. Free ones in VRAM are
 * those of its allocator, each a power of two pages.
 *
 * Return: as pddgpu_owners_open(); -EINVAL another domain.
 */
int pddgpu_blocks_open(struct pddgpu_device *dev, uint32_t domain,
		       struct pddgpu_blocks **out);

/**
 * pddgpu_blocks_next() - the next block
 * @blocks: the reader
 * @out: it
 *
 * Return: as pddgpu_owners_next().
 */
int pddgpu_blocks_next(struct pddgpu_blocks *blocks, struct pddgpu_block *out);

/**
 * pddgpu_blocks_close() - end a reader
 * @blocks: the reader, or NULL
 */
void pddgpu_blocks_close(struct pddgpu_blocks *blocks);

/**
 * pddgpu_setting_get() - read one of the driver's numbers
 * @dev: the device
 * @name: a file of debugfs that holds one number, such as "leak_threshold"
 * @value: the number
 *
 * Return: 0 or an error as above; -EINVAL that is no name, or no number in there.
 */
int pddgpu_setting_get(struct pddgpu_device *dev, const char *name, uint64_t *value);

/**
 * pddgpu_setting_set() - set one of the driver's numbers
 * @dev: the device
 * @name: a file of debugfs that takes one number, such as "leak_threshold"
 * @value: the number
 *
 * Return: 0 or an error as above; -EINVAL that is no name; -ERANGE, -EINVAL the
 * driver does not take that number.
 */
int pddgpu_setting_set(struct pddgpu_device *dev, const char *name, uint64_t value);

/**
 * pddgpu_debugfs_open() - open one of the card's files in debugfs
 * @dev: the device
 * @file: its name, such as "health"
 * @flags: O_RDONLY or O_WRONLY, or other flags of open()
 *
 * Return: a file descriptor, to be closed by the caller, and closed by exec(); or an
 * error as above; -EINVAL that is no name.
 */
int pddgpu_debugfs_open(struct pddgpu_device *dev, const char *file, int flags);

/**
 * DOC: evidence
 *
 * What the driver knows of each buffer, by PDDGPU_QUERY_OBJECTS and its relatives. It
 * needs no debugfs and no root: with CAP_PERFMON or CAP_SYS_ADMIN it is about all
 * buffers, without about those that processes of the caller's user have allocated.
 * The structures are the driver's own, see pddgpu_drm.h; what an older driver does not
 * know of them is zero. Errors: -EOPNOTSUPP the driver has no such query; -ENODEV the
 * card has gone.
 */

/**
 * pddgpu_objects_open() - all buffers
 * @dev: the device
 * @out: a reader, to be closed
 *
 * Return: 0 or an error.
 */
int pddgpu_objects_open(struct pddgpu_device *dev, struct pddgpu_objects **out);

/**
 * pddgpu_objects_next() - the next one, in order of their ids
 * @objects: the reader
 * @out: it, valid until the next call with the reader; NULL when there is none
 *
 * Return: 1 there is one, 0 there are no more, or an error.
 */
int pddgpu_objects_next(struct pddgpu_objects *objects, const struct drm_pddgpu_object **out);

/**
 * pddgpu_objects_now() - what time it was when the driver told the last one
 * @objects: the reader
 *
 * Return: nanoseconds on CLOCK_MONOTONIC.
 */
uint64_t pddgpu_objects_now(const struct pddgpu_objects *objects);

/**
 * pddgpu_objects_close() - end a reader
 * @objects: the reader, or NULL
 */
void pddgpu_objects_close(struct pddgpu_objects *objects);

/**
 * pddgpu_query_site() - the place at which buffers are allocated
 * @dev: the device
 * @site: &drm_pddgpu_object.site
 * @out: it
 *
 * Return: 0 or an error; -ENOENT there is no such site, or it is none of the caller's.
 */
int pddgpu_query_site(struct pddgpu_device *dev, uint32_t site, struct drm_pddgpu_site *out);

/**
 * pddgpu_unfreed_open() - what clients have left to the kernel to free
 * @dev: the device
 * @after: only those after this &drm_pddgpu_unfreed.id; 0: all that are kept
 * @out: a reader, to be closed
 *
 * Return: 0 or an error.
 */
int pddgpu_unfreed_open(struct pddgpu_device *dev, uint64_t after, struct pddgpu_unfreed **out);

/**
 * pddgpu_unfreed_next() - the next one, in order of their ids
 * @unfreed: the reader
 * @out: it, valid until the next call with the reader; NULL when there is none
 *
 * Return: 1 there is one, 0 there are no more, or an error.
 */
int pddgpu_unfreed_next(struct pddgpu_unfreed *unfreed, const struct drm_pddgpu_unfreed **out);

/**
 * pddgpu_unfreed_lost() - how many there were that the driver has forgotten
 * @unfreed: the reader, after its first pddgpu_unfreed_next()
 *
 * Return: their number.
 */
uint64_t pddgpu_unfreed_lost(const struct pddgpu_unfreed *unfreed);

/**
 * pddgpu_unfreed_last() - the id after which new ones will come
 * @dev: the device
 * @out: the id
 *
 * Return: 0 or an error.
 */
int pddgpu_unfreed_last(struct pddgpu_device *dev, uint64_t *out);

/**
 * pddgpu_unfreed_close() - end a reader
 * @unfreed: the reader, or NULL
 */
void pddgpu_unfreed_close(struct pddgpu_unfreed *unfreed);

/**
 * DOC: events
 *
 * What the kernel tells everybody about cards: any user may listen, to all cards at
 * once, and needs no open device.
 */

/**
 * enum pddgpu_event_type - what has happened
 * @PDDGPU_EVENT_LEAK_ALERT: more memory is in use than leak_threshold
 * @PDDGPU_EVENT_LEAK_CLEAR: no more
 * @PDDGPU_EVENT_WEDGED: the chip could not be reset; bind the driver anew
 * @PDDGPU_EVENT_ADDED: a card has come; who may open it is settled some moments later
 * @PDDGPU_EVENT_REMOVED: a card has gone
 */
enum pddgpu_event_type {
	PDDGPU_EVENT_LEAK_ALERT,
	PDDGPU_EVENT_LEAK_CLEAR,
	PDDGPU_EVENT_WEDGED,
	PDDGPU_EVENT_ADDED,
	PDDGPU_EVENT_REMOVED
};

/**
 * struct pddgpu_event - something that has happened
 */
struct pddgpu_event {
	/** @type: what; skip those that you do not know */
	enum pddgpu_event_type type;
	/** @card: the number of the card's primary node, 0 for card0 */
	int32_t card;
	/** @pci: the card's PCI address */
	char pci[16];
	/** @used_bytes: with LEAK_ALERT and LEAK_CLEAR: VRAM and GTT in use; else 0 */
	uint64_t used_bytes;
	/** @threshold_bytes: with those: leak_threshold; else 0 */
	uint64_t threshold_bytes;
	/** @reserved: zero */
	uint64_t reserved[4];
};

/**
 * pddgpu_events_open() - begin to listen
 * @out: to be closed; what happens from now on is kept for you
 *
 * Return: 0 or an error.
 */
int pddgpu_events_open(struct pddgpu_events **out);

/**
 * pddgpu_events_fd() - for poll(): readable when pddgpu_events_next() may have one
 * @events: the listener
 *
 * Return: a file descriptor, which stays the library's.
 */
int pddgpu_events_fd(const struct pddgpu_events *events);

/**
 * pddgpu_events_next() - the next event
 * @events: the listener
 * @out: the event
 * @timeout_ms: how long to wait for one, milliseconds; 0 not at all, and less than 0
 *	for ever
 *
 * Return: 1 there is one, 0 none in that time; -EINTR a signal came; -ENOBUFS there
 * were too many, some are lost, and you should see for yourself how things are.
 * The next call goes on after either.
 */
int pddgpu_events_next(struct pddgpu_events *events, struct pddgpu_event *out,
		       int timeout_ms);

/**
 * pddgpu_events_close() - listen no more
 * @events: the listener, or NULL
 */
void pddgpu_events_close(struct pddgpu_events *events);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#if defined(__cplusplus)
}
#endif

#endif /* PDDGPU_WATCH_H */
