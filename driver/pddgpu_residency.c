// SPDX-License-Identifier: GPL-2.0
/*
 * TTM's lists are the truth about who is evicted next, so they are what is read
 * here, and what is paged out by. Its lock is every allocation's: it is held for
 * a few buffers at a time, and a hitch in the list keeps the place meanwhile, as
 * TTM's own walks do. A buffer that is used meanwhile goes to the end.
 *
 * Locks: @lock of struct pddgpu_residency, then a buffer's reservation, then the
 * LRU lock, then the leak tracker's.
 */
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_bo.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_residency.h"
#include "pddgpu_vram_mgr.h"

/* Items of a list looked at in one go: 4 us each where the CPU is emulated */
#define PDDGPU_RESIDENCY_BATCH	8

/* How often a segment is looked through that is to be emptied */
#define PDDGPU_RESIDENCY_ROUNDS	4

/* Memory for so many records at first */
#define PDDGPU_RESIDENCY_ROOM	1024

/**
 * struct pddgpu_residency - who reads the lists
 */
struct pddgpu_residency {
	/** @lock: one reader, and one page-out, at a time; sleeps */
	struct mutex lock;
	/** @listing: number of the last listing; under @lock */
	u32 listing;
	/** @last: the last page-out; under @lock */
	struct pddgpu_residency_page_out last;
};

/**
 * pddgpu_residency_init() - make the lists readable
 * @pdev: the device
 *
 * Return: 0 or an errno; ended with the DRM device.
 */
int pddgpu_residency_init(struct pddgpu_device *pdev)
{
	struct pddgpu_residency *residency;
	int ret;

	residency = drmm_kzalloc(&pdev->drm, sizeof(*residency), GFP_KERNEL);
	if (!residency)
		return -ENOMEM;
	ret = drmm_mutex_init(&pdev->drm, &residency->lock);
	if (ret)
		return ret;
	pdev->residency = residency;
	return 0;
}

/**
 * struct pddgpu_residency_walk - a place in one of TTM's lists
 */
struct pddgpu_residency_walk {
	/** @ttm: whose */
	struct ttm_device *ttm;
	/** @list: the list */
	struct list_head *list;
	/** @here: behind what has been looked at; listed, under the LRU lock */
	struct ttm_lru_item here;
	/** @end: behind what was there at the beginning; the same */
	struct ttm_lru_item end;
};

static void pddgpu_residency_walk_begin(struct pddgpu_residency_walk *walk,
					struct ttm_device *ttm, struct list_head *list)
{
	walk->ttm = ttm;
	walk->list = list;
	ttm_lru_item_init(&walk->here, TTM_LRU_HITCH);
	ttm_lru_item_init(&walk->end, TTM_LRU_HITCH);
	spin_lock(&ttm->lru_lock);
	list_add(&walk->here.link, list);
	list_add_tail(&walk->end.link, list);
	spin_unlock(&ttm->lru_lock);
}

static void pddgpu_residency_walk_end(struct pddgpu_residency_walk *walk)
{
	spin_lock(&walk->ttm->lru_lock);
	list_del(&walk->here.link);
	list_del(&walk->end.link);
	spin_unlock(&walk->ttm->lru_lock);
}

/* The next item of the list, passed by then; NULL at the end. */
static struct ttm_lru_item *pddgpu_residency_walk_next(struct pddgpu_residency_walk *walk)
{
	struct ttm_lru_item *next = list_next_entry(&walk->here, link);

	lockdep_assert_held(&walk->ttm->lru_lock);

	if (next == &walk->end)
		return NULL;
	list_move(&walk->here.link, &next->link);
	return next;
}

/*
 * The buffer that an item stands for, valid as long as the LRU lock is held. NULL
 * for others' hitches, for what is left of moved and of freed buffers, and for
 * the place that a move under way leads to: the buffer is where it was still.
 */
static struct pddgpu_bo *pddgpu_residency_bo(struct ttm_lru_item *item)
{
	struct ttm_buffer_object *tbo;

	if (!ttm_lru_item_is_res(item))
		return NULL;
	tbo = ttm_lru_item_to_res(item)->bo;
	if (!pddgpu_bo_is_ours(tbo) || tbo->deleted ||
	    READ_ONCE(tbo->resource) != ttm_lru_item_to_res(item))
		return NULL;
	return to_pddgpu_bo(tbo);
}

static enum pddgpu_residency_why pddgpu_residency_why(const struct pddgpu_bo *bo)
{
	if (bo->dma_buf)
		return PDDGPU_RESIDENCY_IMPORTED;
	if (!bo->tbo.pin_count)
		return PDDGPU_RESIDENCY_PAGEABLE;
	return READ_ONCE(bo->wish_count) ? PDDGPU_RESIDENCY_USER :
					   PDDGPU_RESIDENCY_ATTACHED;
}

static void pddgpu_residency_fill(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
				  struct ttm_lru_item *item,
				  struct pddgpu_residency_record *record)
{
	memset(record, 0, sizeof(*record));
	record->size = bo->tbo.base.size;
	record->domain = pddgpu_bo_domain(ttm_lru_item_to_res(item));
	record->domains = READ_ONCE(bo->domains);
	record->why = pddgpu_residency_why(bo);
	pddgpu_leak_read_owner(pdev->leaks, &bo->leak, &record->pid, record->comm);
}

static int pddgpu_residency_grow(struct pddgpu_residency_list *list)
{
	size_t room = list->room ? 2 * list->room : PDDGPU_RESIDENCY_ROOM;
	struct pddgpu_residency_record *records;

	records = kvmalloc_array(room, sizeof(*records), GFP_KERNEL);
	if (!records)
		return -ENOMEM;
	if (list->count)
		memcpy(records, list->records, list->count * sizeof(*records));
	kvfree(list->records);
	list->records = records;
	list->room = room;
	return 0;
}

/* Some more of a list; false at its end. There is room for a batch. */
static bool pddgpu_residency_read_some(struct pddgpu_device *pdev,
				       struct pddgpu_residency_walk *walk,
				       struct pddgpu_residency_list *list)
{
	struct ttm_lru_item *item = NULL;
	unsigned int i;

	spin_lock(&pdev->ttm.lru_lock);
	for (i = 0; i < PDDGPU_RESIDENCY_BATCH; i++) {
		struct pddgpu_bo *bo;

		item = pddgpu_residency_walk_next(walk);
		if (!item)
			break;
		bo = pddgpu_residency_bo(item);
		/* What moves from list to list meanwhile is met twice */
		if (!bo || bo->listed == pdev->residency->listing)
			continue;
		bo->listed = pdev->residency->listing;
		pddgpu_residency_fill(pdev, bo, item, &list->records[list->count++]);
	}
	spin_unlock(&pdev->ttm.lru_lock);
	return item;
}

static int pddgpu_residency_read_list(struct pddgpu_device *pdev, struct list_head *from,
				      struct pddgpu_residency_list *list)
{
	struct pddgpu_residency_walk walk;
	bool more = true;
	int ret = 0;

	pddgpu_residency_walk_begin(&walk, &pdev->ttm, from);
	while (more && !ret) {
		if (list->room - list->count < PDDGPU_RESIDENCY_BATCH)
			ret = pddgpu_residency_grow(list);
		if (!ret)
			more = pddgpu_residency_read_some(pdev, &walk, list);
		if (fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	pddgpu_residency_walk_end(&walk);
	return ret;
}

/* What was used while a list was read is behind its old end: once more. */
static int pddgpu_residency_read_domain(struct pddgpu_device *pdev, u32 mem_type,
					struct pddgpu_residency_list *list)
{
	struct ttm_resource_manager *man = ttm_manager_type(&pdev->ttm, mem_type);
	unsigned int priority;
	int ret = 0;

	for (priority = 0; priority < TTM_MAX_BO_PRIORITY && !ret; priority++) {
		ret = pddgpu_residency_read_list(pdev, &man->lru[priority], list);
		if (!ret)
			ret = pddgpu_residency_read_list(pdev, &man->lru[priority], list);
	}
	return ret;
}

static int pddgpu_residency_read_all(struct pddgpu_device *pdev,
				     struct pddgpu_residency_list *list)
{
	static const u32 mem_types[] = { TTM_PL_VRAM, TTM_PL_TT, TTM_PL_SYSTEM };
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(mem_types); i++) {
		ret = pddgpu_residency_read_domain(pdev, mem_types[i], list);
		if (ret)
			return ret;
	}
	ret = pddgpu_residency_read_list(pdev, pddgpu_ttm_pinned(&pdev->ttm), list);
	if (!ret && list->count == list->room)
		ret = pddgpu_residency_grow(list);
	if (ret)
		return ret;
	list->records[list->count++] = (struct pddgpu_residency_record) {
		.size = pddgpu_vram_mgr_reserved(pdev->vram_mgr),
		.domain = PDDGPU_GEM_DOMAIN_VRAM,
		.domains = PDDGPU_GEM_DOMAIN_VRAM,
		.why = PDDGPU_RESIDENCY_KERNEL,
	};
	return 0;
}

/**
 * pddgpu_residency_read() - list all buffers
 * @pdev: the device
 * @list: out; for pddgpu_residency_free(), also after an error
 *
 * Each buffer is listed at most once. One that is used, made or moved while the
 * list is made may be missing, or not in its order.
 *
 * Context: process. Memory: 40 bytes a buffer.
 * Return: 0, -ENOMEM, -EINTR.
 */
int pddgpu_residency_read(struct pddgpu_device *pdev, struct pddgpu_residency_list *list)
{
	int ret;

	memset(list, 0, sizeof(*list));
	ret = mutex_lock_interruptible(&pdev->residency->lock);
	if (ret)
		return ret;
	/* New buffers have 0; after 2^32 listings one may be missing from one */
	if (!++pdev->residency->listing)
		pdev->residency->listing = 1;
	ret = pddgpu_residency_read_all(pdev, list);
	mutex_unlock(&pdev->residency->lock);
	return ret;
}

/**
 * pddgpu_residency_free() - free a list
 * @list: the list
 */
void pddgpu_residency_free(struct pddgpu_residency_list *list)
{
	kvfree(list->records);
	memset(list, 0, sizeof(*list));
}

/* Where a buffer may go when it leaves a domain: those that are preferred less */
static u32 pddgpu_residency_exits(const struct pddgpu_bo *bo, u32 domain)
{
	return READ_ONCE(bo->domains) & (domain - 1);
}

/* The next to go, with a reference; NULL at the end. @seen: one that would, if it could */
static struct pddgpu_bo *pddgpu_residency_victim(struct pddgpu_residency_walk *walk,
						 u32 domain, bool *seen)
{
	struct pddgpu_bo *victim = NULL;
	struct ttm_lru_item *item;
	unsigned int looked = 0;

	spin_lock(&walk->ttm->lru_lock);
	while (!victim && (item = pddgpu_residency_walk_next(walk))) {
		struct pddgpu_bo *bo = pddgpu_residency_bo(item);

		if (bo && pddgpu_residency_why(bo) == PDDGPU_RESIDENCY_PAGEABLE) {
			*seen = true;
			if (pddgpu_residency_exits(bo, domain) &&
			    pddgpu_ttm_bo_tryget(&bo->tbo))
				victim = bo;
		}
		if (!(++looked % PDDGPU_RESIDENCY_BATCH)) {
			spin_unlock(&walk->ttm->lru_lock);
			cond_resched();
			spin_lock(&walk->ttm->lru_lock);
		}
	}
	spin_unlock(&walk->ttm->lru_lock);
	return victim;
}

/*
 * Move a buffer out of a domain, and have it done, unless nobody is to wait.
 * Returns -EBUSY when it has become one that does not go.
 */
static int pddgpu_residency_expel(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
				  u32 domain, bool no_wait)
{
	struct ttm_operation_ctx ctx = { .interruptible = true, .no_wait_gpu = no_wait };
	struct pddgpu_bo_placement placement;
	u32 exits, i;
	int ret;

	ret = ttm_bo_reserve(&bo->tbo, true, no_wait, NULL);
	if (ret)
		return ret;
	ret = -EBUSY;
	exits = pddgpu_residency_exits(bo, domain);
	if (bo->tbo.deleted || bo->tbo.pin_count || !exits ||
	    pddgpu_bo_domain(bo->tbo.resource) != domain)
		goto out_unlock;
	ret = pddgpu_bo_placement_init(pdev, &placement, bo->tbo.base.size,
				       (u64)bo->tbo.page_alignment << PAGE_SHIFT, exits,
				       bo->flags);
	if (ret)
		goto out_unlock;
	/* Where there is room, before others are made to give way */
	for (i = 0; i < placement.base.num_placement; i++)
		placement.places[i].flags &= ~TTM_PL_FLAG_FALLBACK;
	bo->settle = !no_wait;
	ret = ttm_bo_validate(&bo->tbo, &placement.base, &ctx);
	bo->settle = false;
out_unlock:
	/* Not ttm_bo_unreserve(): this was no use of it */
	dma_resv_unlock(bo->tbo.base.resv);
	return ret;
}

/* Errors after which there is no going on with the next one */
static bool pddgpu_residency_fatal(int ret)
{
	return ret == -EINTR || ret == -ERESTARTSYS || ret == -ENODEV;
}

/* One of the domain's lists. Returns 0, or why the first that could not go did not. */
static int pddgpu_residency_page_out_list(struct pddgpu_device *pdev,
					  struct list_head *from,
					  struct pddgpu_residency_page_out *out, bool *seen)
{
	struct pddgpu_residency_walk walk;
	struct pddgpu_bo *bo;
	int ret, first = 0;

	pddgpu_residency_walk_begin(&walk, &pdev->ttm, from);
	while (out->moved < out->asked &&
	       (bo = pddgpu_residency_victim(&walk, out->domain, seen))) {
		ret = pddgpu_residency_expel(pdev, bo, out->domain, out->no_wait);
		if (!ret) {
			out->moved += bo->tbo.base.size;
			out->buffers++;
		}
		pddgpu_ttm_bo_unget(&bo->tbo);
		if (!first)
			first = ret;
		if (pddgpu_residency_fatal(ret)) {
			first = ret;
			break;
		}
		cond_resched();
	}
	pddgpu_residency_walk_end(&walk);
	return first;
}

static int pddgpu_residency_page_out_domain(struct pddgpu_device *pdev, u32 mem_type,
					    struct pddgpu_residency_page_out *out)
{
	struct ttm_resource_manager *man = ttm_manager_type(&pdev->ttm, mem_type);
	unsigned int priority;
	bool seen = false;
	int ret, first = 0;

	for (priority = 0; priority < TTM_MAX_BO_PRIORITY; priority++) {
		ret = pddgpu_residency_page_out_list(pdev, &man->lru[priority], out, &seen);
		if (!first)
			first = ret;
		if (pddgpu_residency_fatal(ret))
			break;
	}
	if (out->moved)
		return 0;
	if (first)
		return first;
	return seen ? -EBUSY : -ENOENT;
}

/**
 * pddgpu_residency_page_out() - make some of a segment non-resident
 * @pdev: the device
 * @domain: the segment's, PDDGPU_GEM_DOMAIN_VRAM or PDDGPU_GEM_DOMAIN_GTT
 * @bytes: at least so much, if there is so much that may go
 *
 * Whole buffers, least recently used first (requirement D7), to a domain of their
 * set that is preferred less; what is used from now on is spared. Done when it
 * returns; pddgpu_residency_last() says how much it was.
 *
 * Context: process; takes reservations.
 * Return: 0 when anything went; else -ENOENT when there is no pageable buffer,
 * -EBUSY when those may live nowhere else, or what the first that could not be
 * moved ran into: -ENOMEM, -ERESTARTSYS, -ENODEV.
 */
int pddgpu_residency_page_out(struct pddgpu_device *pdev, u32 domain, u64 bytes)
{
	u32 mem_type = domain == PDDGPU_GEM_DOMAIN_VRAM ? TTM_PL_VRAM : TTM_PL_TT;
	struct pddgpu_residency_page_out out = { .domain = domain, .asked = bytes };
	int ret, idx;

	ret = mutex_lock_interruptible(&pdev->residency->lock);
	if (ret)
		return ret;
	if (drm_dev_enter(&pdev->drm, &idx)) {
		ret = pddgpu_residency_page_out_domain(pdev, mem_type, &out);
		drm_dev_exit(idx);
	} else {
		ret = -ENODEV;
	}
	pdev->residency->last = out;
	mutex_unlock(&pdev->residency->lock);
	return ret;
}

/**
 * pddgpu_residency_evict() - make all of a segment non-resident that may be
 * @pdev: the device
 * @domain: the segment's, PDDGPU_GEM_DOMAIN_VRAM or PDDGPU_GEM_DOMAIN_GTT
 *
 * As pddgpu_residency_page_out(), and once more for what has come back meanwhile; who
 * goes on using buffers has them back in the end. What is not pageable stays.
 *
 * Context: process; takes reservations.
 * Return: 0 when nothing pageable was left, or what there was keeps coming back;
 * -EBUSY when what is left may live nowhere else, and the errors of
 * pddgpu_residency_page_out().
 */
int pddgpu_residency_evict(struct pddgpu_device *pdev, u32 domain)
{
	u32 mem_type = domain == PDDGPU_GEM_DOMAIN_VRAM ? TTM_PL_VRAM : TTM_PL_TT;
	struct pddgpu_residency_page_out all = { .domain = domain };
	unsigned int rounds;
	int ret, idx;

	ret = mutex_lock_interruptible(&pdev->residency->lock);
	if (ret)
		return ret;
	if (drm_dev_enter(&pdev->drm, &idx)) {
		for (rounds = 0; rounds < PDDGPU_RESIDENCY_ROUNDS && !ret; rounds++) {
			struct pddgpu_residency_page_out out = {
				.domain = domain, .asked = U64_MAX,
			};

			ret = pddgpu_residency_page_out_domain(pdev, mem_type, &out);
			all.moved += out.moved;
			all.buffers += out.buffers;
			if (signal_pending(current))
				ret = -ERESTARTSYS;
		}
		drm_dev_exit(idx);
	} else {
		ret = -ENODEV;
	}
	all.asked = all.moved;
	pdev->residency->last = all;
	mutex_unlock(&pdev->residency->lock);
	return ret == -ENOENT ? 0 : ret;
}

/**
 * pddgpu_residency_evict_vram() - evict what may live elsewhere, before a sleep
 * @pdev: the device
 * @moved: out: bytes that went, or are about to
 *
 * As pddgpu_residency_page_out() of all, but nobody is waited for: what somebody
 * holds or uses stays. Moves may be under way when it returns. It is not what
 * pddgpu_residency_last() tells of.
 *
 * Context: process; takes reservations.
 */
void pddgpu_residency_evict_vram(struct pddgpu_device *pdev, u64 *moved)
{
	struct pddgpu_residency_page_out out = {
		.domain = PDDGPU_GEM_DOMAIN_VRAM, .asked = U64_MAX, .no_wait = true,
	};
	int idx;

	*moved = 0;
	/* Who pages out waits for jobs, which may take any time */
	if (!mutex_trylock(&pdev->residency->lock))
		return;
	if (drm_dev_enter(&pdev->drm, &idx)) {
		pddgpu_residency_page_out_domain(pdev, TTM_PL_VRAM, &out);
		drm_dev_exit(idx);
	}
	mutex_unlock(&pdev->residency->lock);
	*moved = out.moved;
}

/**
 * pddgpu_residency_last() - what the last page-out came to
 * @pdev: the device
 * @last: out
 *
 * Waits for one that is under way, and that waits for jobs.
 *
 * Return: 0 or -EINTR.
 */
int pddgpu_residency_last(struct pddgpu_device *pdev,
			  struct pddgpu_residency_page_out *last)
{
	int ret = mutex_lock_interruptible(&pdev->residency->lock);

	if (ret)
		return ret;
	*last = pdev->residency->last;
	mutex_unlock(&pdev->residency->lock);
	return 0;
}
