// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers that clients have left to the kernel to free: handles that were open when
 * their file was closed, by the end of the process or before. They are summed up by
 * who allocated them, where, and what they are called; the last sums are kept.
 *
 * Closing a file fails for nothing: where there is no memory kinds are not told apart,
 * or nothing is kept and counts as lost.
 *
 * Locks: unfreed->lock (spinlock), a leaf, guards the ring. A sum is its file's, which
 * one thread closes.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>

#include "pddgpu_leak.h"
#include "pddgpu_unfreed.h"

static_assert(sizeof_field(struct drm_pddgpu_unfreed, comm) == TASK_COMM_LEN);
static_assert(sizeof_field(struct drm_pddgpu_unfreed, label) == PDDGPU_LEAK_LABEL);

/**
 * struct pddgpu_unfreed - what has been left lately
 */
struct pddgpu_unfreed {
	/** @lock: guards the rest */
	spinlock_t lock;
	/** @last: the last id that was given out; they have no gaps */
	u64 last;
	/** @kept: how many of the last ones are in @ring, at id modulo its size */
	u32 kept;
	/** @ring: NULL before there is anything */
	struct pddgpu_unfreed_element *ring;
};

static void unfreed_release(struct drm_device *drm, void *data)
{
	struct pddgpu_unfreed *unfreed = data;

	kvfree(unfreed->ring);
}

/**
 * pddgpu_unfreed_init() - nothing has been left yet
 * @drm: the device, whose release ends it
 *
 * Return: it, or NULL.
 */
struct pddgpu_unfreed *pddgpu_unfreed_init(struct drm_device *drm)
{
	struct pddgpu_unfreed *unfreed = drmm_kzalloc(drm, sizeof(*unfreed), GFP_KERNEL);

	if (!unfreed)
		return NULL;
	spin_lock_init(&unfreed->lock);
	return drmm_add_action_or_reset(drm, unfreed_release, unfreed) ? NULL : unfreed;
}

/**
 * pddgpu_unfreed_begin() - a file is about to be closed
 * @sum: the file's, zeros until now
 * @some: it has handles
 */
void pddgpu_unfreed_begin(struct pddgpu_unfreed_sum *sum, bool some)
{
	sum->closing = true;
	if (some)
		sum->kinds = kvmalloc_array(PDDGPU_UNFREED_KINDS, sizeof(*sum->kinds),
					    GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
}

static bool unfreed_is_kind(const struct pddgpu_unfreed_element *kind,
			    const struct pddgpu_leak_record *record)
{
	const struct drm_pddgpu_unfreed *sum = &kind->sum;

	return sum->site == record->site && sum->pid == (u32)record->pid &&
	       sum->client_id == record->client_id && sum->session == (u32)record->session &&
	       uid_eq(kind->uid, record->uid) && !strcmp(sum->label, record->label) &&
	       !memcmp(sum->comm, record->comm, sizeof(sum->comm));
}

static void unfreed_name(struct pddgpu_unfreed_element *kind,
			 const struct pddgpu_leak_record *record)
{
	memset(kind, 0, sizeof(*kind));
	kind->uid = record->uid;
	kind->sum.client_id = record->client_id;
	kind->sum.pid = record->pid;
	kind->sum.session = record->session;
	memcpy(kind->sum.comm, record->comm, sizeof(kind->sum.comm));
}

/* The kind that a buffer is of; the rest is whose the first of the rest is */
static struct pddgpu_unfreed_element *unfreed_kind(struct pddgpu_unfreed_sum *sum,
						   const struct pddgpu_leak_record *record)
{
	struct pddgpu_unfreed_element *kind;
	u32 i;

	if (sum->nr && unfreed_is_kind(&sum->kinds[sum->last], record))
		return &sum->kinds[sum->last];
	for (i = 0; i < sum->nr; i++) {
		if (!unfreed_is_kind(&sum->kinds[i], record))
			continue;
		sum->last = i;
		return &sum->kinds[i];
	}
	if (!sum->kinds || sum->nr == PDDGPU_UNFREED_KINDS) {
		if (!sum->rest.sum.objects)
			unfreed_name(&sum->rest, record);
		return &sum->rest;
	}
	sum->last = sum->nr++;
	kind = &sum->kinds[sum->last];
	unfreed_name(kind, record);
	kind->sum.site = record->site;
	memcpy(kind->sum.label, record->label, sizeof(kind->sum.label));
	return kind;
}

/**
 * pddgpu_unfreed_add() - a handle is closed because its file is
 * @sum: the file's
 * @record: what is known of the buffer
 */
void pddgpu_unfreed_add(struct pddgpu_unfreed_sum *sum, const struct pddgpu_leak_record *record)
{
	struct pddgpu_unfreed_element *kind = unfreed_kind(sum, record);

	if (!kind->sum.objects || record->id < kind->sum.oldest_ns)
		kind->sum.oldest_ns = record->id;
	kind->sum.objects++;
	kind->sum.bytes += record->size;
}

/* The ring, made when it is needed; NULL without memory */
static struct pddgpu_unfreed_element *unfreed_ring(struct pddgpu_unfreed *unfreed)
{
	struct pddgpu_unfreed_element *ring = READ_ONCE(unfreed->ring), *mine;

	if (ring)
		return ring;
	mine = kvcalloc(PDDGPU_UNFREED_KEPT, sizeof(*mine),
			GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY);
	spin_lock(&unfreed->lock);
	if (!unfreed->ring && mine) {
		WRITE_ONCE(unfreed->ring, mine);
		mine = NULL;
	}
	ring = unfreed->ring;
	spin_unlock(&unfreed->lock);
	kvfree(mine);
	return ring;
}

static void unfreed_keep(struct pddgpu_unfreed *unfreed, struct pddgpu_unfreed_element *kind,
			 u64 now_ns)
{
	spin_lock(&unfreed->lock);
	unfreed->last++;
	kind->sum.id = unfreed->last;
	kind->sum.closed_ns = now_ns;
	if (unfreed->ring) {
		unfreed->ring[unfreed->last % PDDGPU_UNFREED_KEPT] = *kind;
		unfreed->kept = min(unfreed->kept + 1, PDDGPU_UNFREED_KEPT);
	}
	spin_unlock(&unfreed->lock);
}

/**
 * pddgpu_unfreed_end() - a file has been closed
 * @unfreed: where to keep what was left in it
 * @sum: the file's
 */
void pddgpu_unfreed_end(struct pddgpu_unfreed *unfreed, struct pddgpu_unfreed_sum *sum)
{
	u64 now_ns = ktime_get_ns();
	u32 i;

	if (sum->nr || sum->rest.sum.objects)
		unfreed_ring(unfreed);
	for (i = 0; i < sum->nr; i++)
		unfreed_keep(unfreed, &sum->kinds[i], now_ns);
	if (sum->rest.sum.objects)
		unfreed_keep(unfreed, &sum->rest, now_ns);
	kvfree(sum->kinds);
	sum->kinds = NULL;
}

/**
 * pddgpu_unfreed_last() - after what id is there nothing yet?
 * @unfreed: what has been left
 *
 * Return: the id.
 */
u64 pddgpu_unfreed_last(struct pddgpu_unfreed *unfreed)
{
	u64 last;

	spin_lock(&unfreed->lock);
	last = unfreed->last;
	spin_unlock(&unfreed->lock);
	return last;
}

/**
 * pddgpu_unfreed_read() - what has been left
 * @unfreed: what has been left
 * @viewer: who asks
 * @after: only with a greater id
 * @out: out: the elements
 * @room: how many there is room for
 * @lost: out: elements with a greater id that are kept no more, whosoever's
 *
 * Return: how many there are.
 */
u32 pddgpu_unfreed_read(struct pddgpu_unfreed *unfreed,
			const struct pddgpu_unfreed_viewer *viewer, u64 after,
			struct drm_pddgpu_unfreed *out, u32 room, u64 *lost)
{
	const struct pddgpu_unfreed_element *element;
	u32 count = 0;
	u64 id, gone;

	spin_lock(&unfreed->lock);
	/* There are none of these */
	gone = unfreed->last - unfreed->kept;
	*lost = gone > after ? gone - after : 0;
	for (id = max(after, gone); id < unfreed->last && count < room;) {
		id++;
		element = &unfreed->ring[id % PDDGPU_UNFREED_KEPT];
		if (viewer->all || uid_eq(viewer->uid, element->uid))
			out[count++] = element->sum;
	}
	spin_unlock(&unfreed->lock);
	return count;
}
