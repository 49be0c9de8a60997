/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the leak tracker share among themselves */
#ifndef PDDGPU_LEAK_INTERNAL_H
#define PDDGPU_LEAK_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "pddgpu_leak.h"
#include "pddgpu_site.h"

/* The longest anyone holds the tracker's lock, in objects or cohorts */
#define PDDGPU_LEAK_AGE_BATCH	128
#define PDDGPU_LEAK_READ_BATCH	32

/* Objects in a cohort; and when it is so small that it joins a small neighbour */
#define PDDGPU_LEAK_COHORT	256
#define PDDGPU_LEAK_SPARSE	64

/* Marks in a node's count of handles */
#define PDDGPU_LEAK_PROMISED	0x40000000	/* the first one is counted, but not open yet */
#define PDDGPU_LEAK_FREED	0x20000000	/* nobody has it any more: a ZOMBIE */

/**
 * struct pddgpu_leak_cohort - objects that follow each other in order of birth
 *
 * They come of age together, as one number: only a cohort that an edge comes to
 * lie in is walked.
 */
struct pddgpu_leak_cohort {
	/** @link: in the tracker's list, the oldest first; or among the spare ones */
	struct list_head link;
	/** @nodes: the objects, and marks among them, in order of birth */
	struct list_head nodes;
	/** @first: no object in it is older, and all in those before it are; ns */
	u64 first;
	/** @last: no object in it is younger; ns */
	u64 last;
	/** @bytes: of its objects */
	u64 bytes;
	/** @objects: how many */
	u32 objects;
};

/*
 * Of two neighbours, the youngest cohort left aside, one has more than
 * PDDGPU_LEAK_SPARSE objects. So this is the most that each has to bear.
 */
#define PDDGPU_LEAK_COHORT_SHARE \
	DIV_ROUND_UP(2 * sizeof(struct pddgpu_leak_cohort), PDDGPU_LEAK_SPARSE)

static_assert(sizeof(struct pddgpu_leak_node) + PDDGPU_LEAK_COHORT_SHARE <= 64);

/**
 * struct pddgpu_leak_edge - where a class begins
 */
struct pddgpu_leak_edge {
	/** @mark: what stands before it is past, what stands behind is not */
	struct pddgpu_leak_node mark;
	/** @limit: the same as a time of birth, up to which all is past; ns */
	u64 limit;
	/** @past: the objects that are past it */
	struct pddgpu_leak_count past;
	/** @entered: what ever grew past it */
	struct pddgpu_leak_count entered;
};

/**
 * struct pddgpu_leak_counts - objects by region, and by what is not LIVE of them
 */
struct pddgpu_leak_counts {
	/** @all: all of them; under the tracker's lock */
	struct pddgpu_leak_count all[PDDGPU_LEAK_REGIONS];
	/** @orphans: of them, those that are marked so; under the tracker's lock */
	struct pddgpu_leak_count orphans[PDDGPU_LEAK_REGIONS];
	/**
	 * @zombies: of them, those that are freed; see pddgpu_leak_zombies(). It may
	 * grow without the lock. What is neither is LIVE.
	 */
	atomic64_t zombies[PDDGPU_LEAK_REGIONS];
};

/**
 * struct pddgpu_leak_owner - a process that allocates through a DRM client
 *
 * Owners of one tracker only; never shared by two. It ends when it has neither
 * objects nor users.
 */
struct pddgpu_leak_owner {
	/** @client_id: the DRM client; constant */
	u64 client_id;
	/** @pid: the process in the initial namespace; constant */
	pid_t pid;
	/** @session: the process's session at that time, in the same; constant */
	pid_t session;
	/** @uid: the process's effective user at that time; constant */
	kuid_t uid;
	/** @users: clients that point to it; under the tracker's lock */
	u32 users;
	/** @comm: the process's name at that time; constant */
	char comm[TASK_COMM_LEN];
	/** @link: in the tracker's list; under its lock */
	struct list_head link;
	/** @seq: grows along that list; constant */
	u64 seq;
	/** @has: what it has */
	struct pddgpu_leak_counts has;
};

/**
 * struct pddgpu_leak_tracker - every buffer that exists
 */
struct pddgpu_leak_tracker {
	/** @drm: the device; constant */
	struct drm_device *drm;
	/** @lock: see the table in pddgpu_leak.c */
	spinlock_t lock;
	/** @youngest: the last of @cohorts, into which objects are born */
	struct pddgpu_leak_cohort *youngest;
	/** @born: the latest time of birth, and no edge's limit is later; ns */
	u64 born;
	/** @has: all objects */
	struct pddgpu_leak_counts has;
	/** @baseline: the latest time of birth that makes no leak any more; ns, 0 none */
	u64 baseline;
	/** @forgiven: the objects born up to then */
	struct pddgpu_leak_count forgiven;
	/** @edge: of each class; edge[0] is not used */
	struct pddgpu_leak_edge edge[PDDGPU_LEAK_CLASSES];
	/** @age_ms: at which a class begins; age_ms[0] is 0 */
	u64 age_ms[PDDGPU_LEAK_CLASSES];
	/** @checked: the latest time that objects have been classified for */
	u64 checked;
	/** @cohorts: all cohorts, the oldest first; never empty */
	struct list_head cohorts;
	/** @spare: cohorts that are not used */
	struct list_head spare;
	/** @spares: how many; read without the lock to see that there are too many */
	unsigned int spares;
	/** @owners: all owners, in order of their seq, and marks that have nothing */
	struct list_head owners;
	/** @nobody: who has what has no owner; not listed, and never ends */
	struct pddgpu_leak_owner nobody;
	/** @importer: see pddgpu_leak_importer() */
	struct pddgpu_leak_client importer;
	/** @owner_seq: the last one given out */
	u64 owner_seq;
	/** @sites: where objects are allocated; constant */
	struct pddgpu_sites *sites;
	/** @look: tells of an object's use; NULL until there is somebody who knows */
	pddgpu_leak_look_fn look;
};

static inline void pddgpu_leak_count_add(struct pddgpu_leak_count *count, u64 objects, u64 bytes)
{
	count->objects += objects;
	count->bytes += bytes;
}

static inline void pddgpu_leak_count_sub(struct pddgpu_leak_count *count, u64 objects, u64 bytes)
{
	count->objects -= objects;
	count->bytes -= bytes;
}

/* A number of objects, and above it their pages, in one word */
#define PDDGPU_LEAK_PACKED_BITS	28

static inline s64 pddgpu_leak_packed(u64 bytes)
{
	return ((bytes >> PAGE_SHIFT) << PDDGPU_LEAK_PACKED_BITS) + 1;
}

/* One read, so that number and bytes belong together */
static inline struct pddgpu_leak_count pddgpu_leak_zombies(const atomic64_t *zombies)
{
	u64 packed = atomic64_read(zombies);

	return (struct pddgpu_leak_count) {
		.objects = packed & (BIT_ULL(PDDGPU_LEAK_PACKED_BITS) - 1),
		.bytes = (packed >> PDDGPU_LEAK_PACKED_BITS) << PAGE_SHIFT,
	};
}

/* The class of an object, by the last check */
static inline enum pddgpu_leak_class pddgpu_leak_class_of(const struct pddgpu_leak_tracker *tracker,
							  u64 birth)
{
	if (birth > tracker->edge[PDDGPU_LEAK_SUSPICIOUS].limit)
		return PDDGPU_LEAK_YOUNG;
	if (birth > tracker->edge[PDDGPU_LEAK_CONFIRMED].limit)
		return PDDGPU_LEAK_SUSPICIOUS;
	return PDDGPU_LEAK_CONFIRMED;
}

static inline u64 pddgpu_leak_objects(const struct pddgpu_leak_counts *has)
{
	return has->all[PDDGPU_LEAK_CPU].objects + has->all[PDDGPU_LEAK_GTT].objects +
	       has->all[PDDGPU_LEAK_VRAM].objects;
}

static inline enum pddgpu_leak_region pddgpu_leak_node_region(const struct pddgpu_leak_node *node)
{
	return pddgpu_leak_region_of(node->is.domain);
}

enum pddgpu_leak_state pddgpu_leak_node_state(const struct pddgpu_leak_node *node);
void pddgpu_leak_read_label(const struct pddgpu_leak_node *node, char *label);
void pddgpu_leak_held(const struct pddgpu_leak_counts *has, struct pddgpu_leak_held *held);
struct pddgpu_leak_count pddgpu_leak_total(const struct pddgpu_leak_counts *has);
void pddgpu_leak_record_fill(struct pddgpu_leak_record *record,
			     const struct pddgpu_leak_tracker *tracker,
			     const struct pddgpu_leak_node *node, u64 now);

typedef void (*pddgpu_leak_owner_fn)(const struct pddgpu_leak_owner *owner, void *data);
void pddgpu_leak_walk_owners(struct pddgpu_leak_tracker *tracker, pddgpu_leak_owner_fn fn,
			     void *data);

int pddgpu_leak_cohorts_init(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_cohorts_fini(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_cohorts_stock(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_cohort_begin(struct pddgpu_leak_tracker *tracker);
void pddgpu_leak_cohort_shrunk(struct pddgpu_leak_tracker *tracker,
			       struct pddgpu_leak_cohort *cohort);
void pddgpu_leak_mark_move(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *mark,
			   struct pddgpu_leak_cohort *cohort, struct list_head *after);
void pddgpu_leak_mark_remove(struct pddgpu_leak_tracker *tracker, struct pddgpu_leak_node *mark);

#endif /* PDDGPU_LEAK_INTERNAL_H */
