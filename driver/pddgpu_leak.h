/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_LEAK_H
#define PDDGPU_LEAK_H

#include <linux/build_bug.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/types.h>

struct drm_device;
struct pddgpu_leak_iter;
struct pddgpu_leak_owner;
struct pddgpu_leak_tracker;
struct seq_file;

/* Ages at which an object is taken for a leak, and what they may be set to */
#define PDDGPU_LEAK_SUSPICIOUS_AGE_MS	30000
#define PDDGPU_LEAK_CONFIRMED_AGE_MS	300000
#define PDDGPU_LEAK_AGE_MIN_MS		1
#define PDDGPU_LEAK_AGE_MAX_MS		86400000

/**
 * enum pddgpu_leak_state - who keeps an object
 */
enum pddgpu_leak_state {
	/** @PDDGPU_LEAK_LIVE: a handle exists, or its first one is being made */
	PDDGPU_LEAK_LIVE,
	/** @PDDGPU_LEAK_ORPHAN: no handle; a dma-buf, a mapping or the kernel does */
	PDDGPU_LEAK_ORPHAN,
	/** @PDDGPU_LEAK_ZOMBIE: nobody; it waits for a fence before it is freed */
	PDDGPU_LEAK_ZOMBIE,
	/** @PDDGPU_LEAK_STATES: how many there are */
	PDDGPU_LEAK_STATES,
};

/**
 * enum pddgpu_leak_class - what an object's age makes of it
 *
 * The age counts from the allocation, whatever has become of the object since.
 */
enum pddgpu_leak_class {
	/** @PDDGPU_LEAK_YOUNG: below the suspicious age */
	PDDGPU_LEAK_YOUNG,
	/** @PDDGPU_LEAK_SUSPICIOUS: past the suspicious age only */
	PDDGPU_LEAK_SUSPICIOUS,
	/** @PDDGPU_LEAK_CONFIRMED: past the confirmed age */
	PDDGPU_LEAK_CONFIRMED,
	/** @PDDGPU_LEAK_CLASSES: how many there are */
	PDDGPU_LEAK_CLASSES,
};

/**
 * struct pddgpu_leak_node - the tracker's part of a buffer
 *
 * Embedded in the buffer and zeroed with it. A node of zeros is one that is not
 * tracked, and every function here takes such a node and does nothing. All
 * members belong to the tracker and are guarded by its lock; @birth does not
 * change while the node is tracked.
 */
struct pddgpu_leak_node {
	/** @link: in the tracker's list, in order of @birth */
	struct list_head link;
	/** @birth: when it was tracked, ns on the tracker's clock; 0 when it is not */
	u64 birth;
	/** @owner: who allocated it, with a reference; NULL when not known */
	struct pddgpu_leak_owner *owner;
	/** @size: bytes */
	u64 size;
	/** @flags: creation flags, for the reader */
	u32 flags;
	/** @handles: handles open, in all files together */
	u32 handles;
	/** @stack: where it was allocated, an index into the tracker's stacks; 0 none */
	u16 stack;
	/** @domain: the domain it is in now */
	u8 domain;
	/** @state: enum pddgpu_leak_state */
	u8 state;
	/** @class: enum pddgpu_leak_class, as of the last check */
	u8 class;
	/** @foreign: it did not come with a handle: imported, or the kernel's */
	u8 foreign;
};

static_assert(sizeof(struct pddgpu_leak_node) <= 64);

/**
 * struct pddgpu_leak_count - a number of objects and of bytes
 */
struct pddgpu_leak_count {
	/** @objects: how many */
	u64 objects;
	/** @bytes: their size together */
	u64 bytes;
};

/**
 * struct pddgpu_leak_summary - the tracker's totals at one moment
 *
 * They are read in one go: the states add up to @total, and so do the classes.
 */
struct pddgpu_leak_summary {
	/** @total: everything tracked */
	struct pddgpu_leak_count total;
	/** @state: of it, by state */
	struct pddgpu_leak_count state[PDDGPU_LEAK_STATES];
	/** @class: of it, by class */
	struct pddgpu_leak_count class[PDDGPU_LEAK_CLASSES];
	/**
	 * @entered: what has ever entered a class by growing older. It only
	 * grows; the difference of two summaries is what is new.
	 */
	struct pddgpu_leak_count entered[PDDGPU_LEAK_CLASSES];
};

/**
 * struct pddgpu_leak_record - a copy of what is known of an object
 */
struct pddgpu_leak_record {
	/** @age_ms: since its allocation */
	u64 age_ms;
	/** @size: bytes */
	u64 size;
	/** @client_id: the DRM client that allocated it; 0 when not known */
	u64 client_id;
	/** @pid: its process in the initial namespace; 0 when not known */
	pid_t pid;
	/** @flags: creation flags */
	u32 flags;
	/** @state: enum pddgpu_leak_state */
	enum pddgpu_leak_state state;
	/** @class: enum pddgpu_leak_class */
	enum pddgpu_leak_class class;
	/** @stack: for pddgpu_leak_iter_show_stack() */
	u16 stack;
	/** @domain: the domain it was in */
	u8 domain;
	/** @owned: @client_id, @pid and @comm are known */
	bool owned;
	/** @foreign: it did not come with a handle: imported, or the kernel's */
	bool foreign;
	/** @comm: name of the process at that time; may hold any byte */
	char comm[TASK_COMM_LEN];
};

/**
 * struct pddgpu_leak_owner_record - a copy of what an owner has
 */
struct pddgpu_leak_owner_record {
	/** @has: what it allocated and still exists */
	struct pddgpu_leak_count has;
	/** @client_id: the DRM client */
	u64 client_id;
	/** @pid: the process in the initial namespace */
	pid_t pid;
	/** @comm: name of the process; may hold any byte */
	char comm[TASK_COMM_LEN];
};

struct pddgpu_leak_tracker *pddgpu_leak_tracker_init(struct drm_device *drm);

struct pddgpu_leak_owner *pddgpu_leak_owner_create(u64 client_id);
struct pddgpu_leak_owner *pddgpu_leak_owner_get(struct pddgpu_leak_owner *owner);
void pddgpu_leak_owner_put(struct pddgpu_leak_owner *owner);
bool pddgpu_leak_owner_is_current(const struct pddgpu_leak_owner *owner);

void pddgpu_leak_track(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
		       struct pddgpu_leak_owner *owner, u64 size, u32 domain, u32 flags,
		       bool has_handle);
void pddgpu_leak_handle_open(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node);
void pddgpu_leak_handle_close(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node);
void pddgpu_leak_set_domain(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
			    u32 domain);
void pddgpu_leak_zombie(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node);
void pddgpu_leak_untrack(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node);

u64 pddgpu_leak_get_age(struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class);
int pddgpu_leak_set_age(struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class,
			u64 ms);
void pddgpu_leak_check(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_summary *out);

struct pddgpu_leak_iter *pddgpu_leak_iter_create(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_iter_destroy(struct pddgpu_leak_iter *iter);
void pddgpu_leak_iter_rewind(struct pddgpu_leak_iter *iter);
const struct pddgpu_leak_record *pddgpu_leak_iter_next(struct pddgpu_leak_iter *iter);
void pddgpu_leak_iter_show_stack(struct pddgpu_leak_iter *iter, struct seq_file *m, u16 stack);

bool pddgpu_leak_read_owner(struct pddgpu_leak_tracker *tracker,
			    const struct pddgpu_leak_node *node, pid_t *pid, char *comm);
unsigned int pddgpu_leak_largest_owners(struct pddgpu_leak_tracker *tracker,
					struct pddgpu_leak_owner_record *out, unsigned int max);

#endif /* PDDGPU_LEAK_H */
