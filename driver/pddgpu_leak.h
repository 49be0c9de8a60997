/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PDDGPU_LEAK_H
#define PDDGPU_LEAK_H

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct drm_device;
struct drm_pddgpu_object;
struct pddgpu_leak_cohort;
struct pddgpu_leak_iter;
struct pddgpu_leak_owner;
struct pddgpu_leak_owner_iter;
struct pddgpu_leak_tracker;
struct pddgpu_sites;
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

/* Bytes of a label with its NUL; as in the uapi, which is not known here */
#define PDDGPU_LEAK_LABEL	64

/**
 * enum pddgpu_leak_region - a domain, as an index
 */
enum pddgpu_leak_region {
	/** @PDDGPU_LEAK_CPU: system pages without an address */
	PDDGPU_LEAK_CPU,
	/** @PDDGPU_LEAK_GTT: system pages in the aperture */
	PDDGPU_LEAK_GTT,
	/** @PDDGPU_LEAK_VRAM: the card's own memory */
	PDDGPU_LEAK_VRAM,
	/** @PDDGPU_LEAK_REGIONS: how many there are */
	PDDGPU_LEAK_REGIONS,
};

/**
 * pddgpu_leak_region_of() - the region that a domain is
 * @domain: one PDDGPU_GEM_DOMAIN_*, which are 1, 2 and 4
 *
 * Return: enum pddgpu_leak_region.
 */
static inline enum pddgpu_leak_region pddgpu_leak_region_of(u32 domain)
{
	return domain >> 1;
}

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
 * members belong to the tracker and are guarded by its lock, but for @handles;
 * @birth does not change while the node is tracked.
 */
struct pddgpu_leak_node {
	/** @link: in its cohort's list, in order of @birth */
	struct list_head link;
	/**
	 * @birth: when it was tracked, ns on the tracker's clock, no two the
	 * same; 0 when it is not tracked
	 */
	u64 birth;
	/** @cohort: those born about the same time, among which it is counted */
	struct pddgpu_leak_cohort *cohort;
	/** @owner: who allocated it; NULL when not known */
	struct pddgpu_leak_owner *owner;
	/** @size: bytes, whole pages */
	u64 size;
	/** @handles: handles open, in all files together, and two marks above them */
	atomic_t handles;
	/** @site: where it was allocated, see pddgpu_site.c; 0 not known */
	u16 site;
	/** @flags: creation flags, for the reader */
	u8 flags;
	/** @is: what it is now */
	struct {
		/** @is.domain: the domain it is in */
		u8 domain : 3;
		/** @is.orphan: counted as an ORPHAN */
		u8 orphan : 1;
		/** @is.foreign: it did not come with a handle: imported, or the kernel's */
		u8 foreign : 1;
		/** @is.mark: no object at all, it only keeps a place in the list */
		u8 mark : 1;
		/** @is.named: it is the node of a struct pddgpu_leak_named with a label */
		u8 named : 1;
	} is;
};

/**
 * struct pddgpu_leak_named - a node that can have a label
 */
struct pddgpu_leak_named {
	/** @node: the node */
	struct pddgpu_leak_node node;
	/** @label: up to PDDGPU_LEAK_LABEL bytes, kmalloc(); or NULL. Under the tracker's lock */
	char *label;
};

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
 * struct pddgpu_leak_held - what there is of each state in each region
 */
struct pddgpu_leak_held {
	/** @in: by region and state; bytes and objects of each belong together */
	struct pddgpu_leak_count in[PDDGPU_LEAK_REGIONS][PDDGPU_LEAK_STATES];
};

/**
 * struct pddgpu_leak_summary - the tracker's totals at one moment
 *
 * They are read in one go: the states add up to @total, and so do the classes with
 * @baseline.
 */
struct pddgpu_leak_summary {
	/** @total: everything tracked */
	struct pddgpu_leak_count total;
	/** @state: of it, by state */
	struct pddgpu_leak_count state[PDDGPU_LEAK_STATES];
	/** @baseline: of it, what is from before the last baseline and so of no class */
	struct pddgpu_leak_count baseline;
	/** @class: of the rest, by class */
	struct pddgpu_leak_count class[PDDGPU_LEAK_CLASSES];
	/**
	 * @entered: what has ever entered a class by growing older. It only
	 * grows; the difference of two summaries is what is new.
	 */
	struct pddgpu_leak_count entered[PDDGPU_LEAK_CLASSES];
};

/**
 * struct pddgpu_leak_evidence - what a buffer itself knows of its use
 */
struct pddgpu_leak_evidence {
	/** @used_ns: when a job that uses it was last submitted; 0 never */
	u64 used_ns;
	/** @touched_ns: when it was last mapped, or the CPU last faulted on it; 0 never */
	u64 touched_ns;
	/** @is: PDDGPU_OBJECT_* */
	u32 is;
};

/*
 * Reads it, under the tracker's lock: it may take no other, nor sleep. The node is
 * tracked and so valid memory, though maybe nobody has a reference any more.
 */
typedef void (*pddgpu_leak_look_fn)(const struct pddgpu_leak_node *node,
				    enum pddgpu_leak_state state,
				    struct pddgpu_leak_evidence *evidence);

/**
 * struct pddgpu_leak_record - a copy of what is known of an object
 */
struct pddgpu_leak_record {
	/** @id: names it; grows with its time of birth */
	u64 id;
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
	/** @session: its process's session; 0 when not known */
	pid_t session;
	/** @uid: the effective user of that process, where @owned */
	kuid_t uid;
	/** @evidence: of its use */
	struct pddgpu_leak_evidence evidence;
	/** @now_ns: the time for which all this is told */
	u64 now_ns;
	/** @site: where it was allocated; 0 not known */
	u16 site;
	/** @domain: the domain it was in */
	u8 domain;
	/** @owned: @client_id, @pid, @session, @uid and @comm are known */
	bool owned;
	/** @foreign: it did not come with a handle: imported, or the kernel's */
	bool foreign;
	/** @comm: name of the process at that time; may hold any byte */
	char comm[TASK_COMM_LEN];
	/** @label: what a client has called it; empty: nothing. May hold any byte */
	char label[PDDGPU_LEAK_LABEL];
};

/**
 * struct pddgpu_leak_holder - whose an object is, and what it is
 */
struct pddgpu_leak_holder {
	/** @client_id: the DRM client that allocated it; 0 when not known */
	u64 client_id;
	/** @pid: its process in the initial namespace; 0 when not known */
	pid_t pid;
	/** @state: enum pddgpu_leak_state */
	enum pddgpu_leak_state state;
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

/**
 * struct pddgpu_leak_owner_held - a copy of all that an owner has
 */
struct pddgpu_leak_owner_held {
	/** @held: by region and state */
	struct pddgpu_leak_held held;
	/** @client_id: the DRM client; 0 for what is nobody's */
	u64 client_id;
	/** @pid: the process in the initial namespace; 0 for what is nobody's */
	pid_t pid;
	/** @comm: name of the process; may hold any byte */
	char comm[TASK_COMM_LEN];
};

/**
 * struct pddgpu_leak_client - who allocates through a file
 *
 * Zeros but for @client_id to begin with; ends by pddgpu_leak_client_fini().
 */
struct pddgpu_leak_client {
	/**
	 * @owner: the process that used it last to allocate; nearly always the
	 * same one. Under the tracker's lock.
	 */
	struct pddgpu_leak_owner *owner;
	/** @client_id: the DRM client; 0 when not known; constant */
	u64 client_id;
};

/**
 * struct pddgpu_leak_birth - what is to be noted of a new buffer
 */
struct pddgpu_leak_birth {
	/** @client: through which the current process made it; NULL: nobody did */
	struct pddgpu_leak_client *client;
	/** @size: bytes, whole pages */
	u64 size;
	/** @now: what ktime_get_ns() has just said, or 0: not asked */
	u64 now;
	/** @caller: a return address that names the way it came */
	unsigned long caller;
	/** @domain: the domain it is in */
	u32 domain;
	/** @flags: its creation flags */
	u32 flags;
	/**
	 * @has_handle: it is made to be given a handle at once, which is counted
	 * already, and it is LIVE from the start; otherwise, imported or the
	 * driver's own, it is an ORPHAN until it gets one
	 */
	bool has_handle;
};

/* What only somebody who looks for leaks wants is noted: to see what that costs */
DECLARE_STATIC_KEY_TRUE(pddgpu_leak_evidence_key);

struct pddgpu_leak_tracker *pddgpu_leak_tracker_init(struct drm_device *drm);
struct pddgpu_leak_client *pddgpu_leak_importer(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_client_fini(struct pddgpu_leak_tracker *tracker,
			     struct pddgpu_leak_client *client);

void pddgpu_leak_track(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
		       const struct pddgpu_leak_birth *birth);
enum pddgpu_leak_state pddgpu_leak_handle_open(struct pddgpu_leak_tracker *tracker,
					       struct pddgpu_leak_node *node);
bool pddgpu_leak_handle_close(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node);
enum pddgpu_leak_state pddgpu_leak_settle(struct pddgpu_leak_tracker *tracker,
					  struct pddgpu_leak_node *node);
enum pddgpu_leak_state pddgpu_leak_mapped(struct pddgpu_leak_tracker *tracker,
					  struct pddgpu_leak_node *node);
void pddgpu_leak_set_domain(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node,
			    u32 domain);
bool pddgpu_leak_zombie(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node);
void pddgpu_leak_untrack(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *node);
size_t pddgpu_leak_object_bytes(void);

u64 pddgpu_leak_get_age(struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class);
int pddgpu_leak_set_age(struct pddgpu_leak_tracker *tracker, enum pddgpu_leak_class class,
			u64 ms);
void pddgpu_leak_check(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_summary *out);
void pddgpu_leak_set_baseline(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_get_held(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_held *held);

/**
 * struct pddgpu_leak_listing - a list of objects in order of their ids, or some of it
 */
struct pddgpu_leak_listing {
	/** @after: in: only those with a greater id */
	u64 after;
	/** @all: in: whoever allocated them */
	bool all;
	/** @uid: in: else only those that a process of this user did */
	kuid_t uid;
	/** @objects: out: the objects; zeroed before */
	struct drm_pddgpu_object *objects;
	/** @room: in: how many have room */
	u32 room;
	/** @count: out: how many there are */
	u32 count;
	/** @now_ns: out: the time for which the last of them is told */
	u64 now_ns;
	/**
	 * @look: what else is known of one, the tracker's lock being held: as
	 * pddgpu_leak_look_fn; or NULL
	 */
	void (*look)(struct pddgpu_leak_listing *listing, const struct pddgpu_leak_node *node,
		     struct drm_pddgpu_object *object);
	/**
	 * @looked: after some of them, at most %PDDGPU_LEAK_LIST_BATCH, without the
	 * lock; or NULL
	 */
	void (*looked)(struct pddgpu_leak_listing *listing);
};

/* The most that @look is called before @looked is */
#define PDDGPU_LEAK_LIST_BATCH	32

void pddgpu_leak_list(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_listing *listing);
void pddgpu_leak_set_look(struct pddgpu_leak_tracker *tracker, pddgpu_leak_look_fn look);
struct pddgpu_sites *pddgpu_leak_sites(struct pddgpu_leak_tracker *tracker);

struct pddgpu_leak_iter *pddgpu_leak_iter_create(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_iter_destroy(struct pddgpu_leak_iter *iter);
void pddgpu_leak_iter_rewind(struct pddgpu_leak_iter *iter);
const struct pddgpu_leak_record *pddgpu_leak_iter_next(struct pddgpu_leak_iter *iter);

bool pddgpu_leak_read_holder(struct pddgpu_leak_tracker *tracker,
			     const struct pddgpu_leak_node *node,
			     struct pddgpu_leak_holder *holder);
void pddgpu_leak_read_named(struct pddgpu_leak_tracker *tracker,
			    const struct pddgpu_leak_named *named,
			    struct pddgpu_leak_record *record);
char *pddgpu_leak_set_label(struct pddgpu_leak_tracker *tracker,
			    struct pddgpu_leak_named *named, char *label);
bool pddgpu_leak_read_owner(struct pddgpu_leak_tracker *tracker,
			    const struct pddgpu_leak_node *node, pid_t *pid, char *comm);
u64 pddgpu_leak_totals(struct pddgpu_leak_tracker *tracker, pid_t pid, u64 *all);
unsigned int pddgpu_leak_largest_owners(struct pddgpu_leak_tracker *tracker,
					struct pddgpu_leak_owner_record *out, unsigned int max);
struct pddgpu_leak_owner_iter *pddgpu_leak_owner_iter_create(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_owner_iter_destroy(struct pddgpu_leak_owner_iter *iter);
void pddgpu_leak_owner_iter_rewind(struct pddgpu_leak_owner_iter *iter);
const struct pddgpu_leak_owner_held *
pddgpu_leak_owner_iter_next(struct pddgpu_leak_owner_iter *iter);

#endif /* PDDGPU_LEAK_H */
