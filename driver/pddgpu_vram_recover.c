// SPDX-License-Identifier: GPL-2.0
/*
 * Rebuilds the VRAM manager's record from what buffers hold: a new allocator, in
 * which all of that is taken, exactly where it is (requirement C6).
 *
 * Whoever copies, maps or evicts a buffer reads its blocks under the buffer's
 * reservation alone. So those blocks stay what they are, and with them the old
 * allocator that they are from, as no more than a list of places; beside them a
 * booking has the same memory in the new allocator. Buffers need not be
 * reserved for it, not even waited for, and no byte in VRAM is touched.
 *
 * The new record takes nothing for clear: whoever gets memory next clears it.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "pddgpu_buddy.h"
#include "pddgpu_compat.h"
#include "pddgpu_health.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

/**
 * struct pddgpu_vram_rebuild - a record being built
 */
struct pddgpu_vram_rebuild {
	/** @mm: the new allocator */
	struct gpu_buddy mm;
	/** @bookings: one for each resource that is live */
	struct list_head bookings;
	/** @reserved: what the driver keeps for itself */
	struct list_head reserved;
	/** @retired: for the old allocator */
	struct pddgpu_vram_retired *retired;
};

/* Take the same memory in the new allocator; -EBUSY when somebody else has it. */
static int pddgpu_vram_book_blocks(struct pddgpu_vram_rebuild *rebuild,
				   struct list_head *from, struct list_head *to)
{
	struct gpu_buddy_block *block;
	int ret;

	list_for_each_entry(block, from, link) {
		u64 start = gpu_buddy_block_offset(block);
		u64 size = gpu_buddy_block_size(&rebuild->mm, block);

		ret = pddgpu_buddy_alloc_at(&rebuild->mm, start, start + size, to);
		if (ret)
			return ret == -ENOSPC ? -EBUSY : ret;
	}
	return 0;
}

static int pddgpu_vram_book(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_rebuild *rebuild,
			    struct pddgpu_vram_resource *vres)
{
	struct pddgpu_vram_booking *booking;

	/* Not to be built on, until it is freed */
	if (pddgpu_vram_what_is_wrong(mgr, vres))
		return -EUCLEAN;
	booking = kzalloc(sizeof(*booking), GFP_KERNEL);
	if (!booking)
		return -ENOMEM;
	INIT_LIST_HEAD(&booking->blocks);
	booking->vres = vres;
	list_add_tail(&booking->link, &rebuild->bookings);
	return pddgpu_vram_book_blocks(rebuild, &vres->blocks, &booking->blocks);
}

static void pddgpu_vram_rebuild_undo(struct pddgpu_vram_rebuild *rebuild)
{
	struct pddgpu_vram_booking *booking, *next;

	list_for_each_entry_safe(booking, next, &rebuild->bookings, link) {
		gpu_buddy_free_list(&rebuild->mm, &booking->blocks, 0);
		kfree(booking);
	}
	gpu_buddy_free_list(&rebuild->mm, &rebuild->reserved, 0);
	gpu_buddy_fini(&rebuild->mm);
	kfree(rebuild->retired);
}

static int pddgpu_vram_rebuild_begin(struct pddgpu_vram_mgr *mgr,
				     struct pddgpu_vram_rebuild *rebuild)
{
	struct pddgpu_vram_resource *vres;
	int ret;

	INIT_LIST_HEAD(&rebuild->bookings);
	INIT_LIST_HEAD(&rebuild->reserved);
	rebuild->retired = kzalloc(sizeof(*rebuild->retired), GFP_KERNEL);
	if (!rebuild->retired)
		return -ENOMEM;
	ret = gpu_buddy_init(&rebuild->mm, mgr->size, PAGE_SIZE);
	if (ret) {
		kfree(rebuild->retired);
		return ret;
	}
	ret = pddgpu_vram_book_blocks(rebuild, &mgr->reserved_blocks, &rebuild->reserved);
	list_for_each_entry(vres, &mgr->live, live) {
		if (ret)
			break;
		ret = pddgpu_vram_book(mgr, rebuild, vres);
	}
	if (ret)
		pddgpu_vram_rebuild_undo(rebuild);
	return ret;
}

/* From now on the booking is what holds the resource's memory. */
static void pddgpu_vram_rebook(struct pddgpu_vram_mgr *mgr,
			       struct pddgpu_vram_rebuild *rebuild,
			       struct pddgpu_vram_booking *booking)
{
	struct pddgpu_vram_resource *vres = booking->vres;
	struct pddgpu_vram_booking *old = vres->booking;

	if (old) {
		booking->home = old->home;
		gpu_buddy_free_list(&mgr->mm, &old->blocks, 0);
		kfree(old);
	} else {
		booking->home = rebuild->retired;
		rebuild->retired->users++;
	}
	vres->booking = booking;
	pddgpu_vram_tag(&booking->blocks, vres);
}

/* Cannot fail. Under the manager's lock since the bookings were made. */
static void pddgpu_vram_rebuild_end(struct pddgpu_vram_mgr *mgr,
				    struct pddgpu_vram_rebuild *rebuild)
{
	u64 visible = pddgpu_vram_mgr_reserved(mgr);
	struct pddgpu_vram_booking *booking, *next;

	mgr->live_count = 0;
	mgr->live_bytes = 0;
	list_for_each_entry_safe(booking, next, &rebuild->bookings, link) {
		list_del(&booking->link);
		pddgpu_vram_rebook(mgr, rebuild, booking);
		mgr->live_count++;
		mgr->live_bytes += booking->vres->bytes;
		visible += booking->vres->visible;
	}
	atomic64_set(&mgr->visible_used, visible);

	/* Nobody reads these without the lock */
	gpu_buddy_free_list(&mgr->mm, &mgr->reserved_blocks, 0);
	list_splice_tail(&rebuild->reserved, &mgr->reserved_blocks);
	gpu_buddy_free_list(&mgr->mm, &mgr->inject.lost, 0);

	rebuild->retired->mm = mgr->mm;
	mgr->mm = rebuild->mm;
	pddgpu_vram_retired_put(mgr, rebuild->retired);
	pddgpu_vram_clear_rebuilt(mgr);
}

static int pddgpu_vram_recover(struct pddgpu_health *health)
{
	struct pddgpu_vram_mgr *mgr = container_of(health, struct pddgpu_vram_mgr, health);
	struct pddgpu_vram_rebuild rebuild;
	int ret = -EBUSY;

	mutex_lock(&mgr->lock);
	/* A signal, or an engine that is not given up yet */
	if (!pddgpu_vram_clear_settle(mgr))
		goto out_unlock;
	ret = pddgpu_vram_rebuild_begin(mgr, &rebuild);
	if (ret)
		goto out_unlock;
	pddgpu_vram_rebuild_end(mgr, &rebuild);
	pddgpu_health_recovered(health);
out_unlock:
	mutex_unlock(&mgr->lock);
	return ret;
}

/*
 * In ERROR TTM passes it by, on its way to a buffer's next domain, and evicts
 * nobody in vain. Its own function for that wants the manager to be empty.
 */
static void pddgpu_vram_usable(struct pddgpu_health *health, bool usable)
{
	struct pddgpu_vram_mgr *mgr = container_of(health, struct pddgpu_vram_mgr, health);

	WRITE_ONCE(mgr->manager.use_type, usable);
}

const struct pddgpu_health_ops pddgpu_vram_health_ops = {
	.recover = pddgpu_vram_recover,
	.usable = pddgpu_vram_usable,
};

/**
 * pddgpu_vram_mgr_recover() - recover the manager from ERROR (requirement C6)
 * @mgr: the manager
 *
 * Takes its lock while it builds the new record: some us for each block that is
 * held; whoever allocates or frees meanwhile waits.
 *
 * Context: process, without locks; sleeps.
 * Return: as pddgpu_health_recover(): -EBUSY when two hold the same memory or when
 * what is being cleared does not come back, -EUCLEAN when what a buffer holds makes
 * no sense, -ENOMEM.
 */
int pddgpu_vram_mgr_recover(struct pddgpu_vram_mgr *mgr)
{
	return pddgpu_health_recover(&mgr->health);
}
