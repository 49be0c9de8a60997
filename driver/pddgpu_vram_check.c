// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the VRAM manager's record is right. It is kept twice: the allocator
 * knows what is not free, and a list knows what buffers hold. Each request and
 * each freeing compares the sums; all of it is compared on request.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#include <drm/drm_print.h>
#include <drm/ttm/ttm_placement.h>

#include "pddgpu_buddy.h"
#include "pddgpu_compat.h"
#include "pddgpu_health.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

/* What is neither free nor in use, nor being cleared, has got lost. */
static bool pddgpu_vram_sums_agree(struct pddgpu_vram_mgr *mgr)
{
	u64 used = mgr->live_bytes + pddgpu_vram_mgr_reserved(mgr) + mgr->clear.held;

	if (likely(mgr->mm.avail + used == mgr->mm.size))
		return true;
	pddgpu_health_fail(&mgr->health, "%llu bytes free and %llu in use, of %llu",
			   mgr->mm.avail, used, mgr->mm.size);
	return false;
}

/**
 * pddgpu_vram_ready() - may memory be taken?
 * @mgr: the manager, locked
 *
 * Return: 0 or what pddgpu_health_errno() says.
 */
int pddgpu_vram_ready(struct pddgpu_vram_mgr *mgr)
{
	lockdep_assert_held(&mgr->lock);

	if (!pddgpu_health_ready(&mgr->health))
		return pddgpu_health_errno(&mgr->health);
	if (!pddgpu_vram_sums_agree(mgr))
		return -EIO;
	if (unlikely(mgr->inject.alloc)) {
		mgr->inject.alloc = false;
		return pddgpu_vram_judge(mgr, -EUCLEAN);
	}
	return 0;
}

/**
 * pddgpu_vram_judge() - what to think of the allocator's answer
 * @mgr: the manager, locked
 * @ret: the answer, which is not that there is no room
 *
 * Return: 0, -ENOMEM, or -EIO for what it never should say.
 */
int pddgpu_vram_judge(struct pddgpu_vram_mgr *mgr, int ret)
{
	lockdep_assert_held(&mgr->lock);

	if (likely(!ret || ret == -ENOMEM))
		return ret;
	pddgpu_health_fail(&mgr->health, "the allocator said %d", ret);
	return -EIO;
}

/**
 * pddgpu_vram_hold() - a buffer holds memory from now on
 * @mgr: the manager, locked
 * @vres: what it holds, with its blocks
 */
void pddgpu_vram_hold(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_resource *vres)
{
	struct gpu_buddy_block *block;
	u64 next = U64_MAX;

	lockdep_assert_held(&mgr->lock);

	vres->contiguous = true;
	list_for_each_entry(block, &vres->blocks, link) {
		u64 start = gpu_buddy_block_offset(block);

		if (next == U64_MAX)
			vres->base.start = start >> PAGE_SHIFT;
		else if (next != start)
			vres->contiguous = false;
		next = start + gpu_buddy_block_size(&mgr->mm, block);
		block->private = vres;
		vres->bytes += next - start;
		vres->visible += pddgpu_vram_block_visible(mgr, block);
	}
	if (vres->contiguous)
		vres->base.placement |= TTM_PL_FLAG_CONTIGUOUS;

	list_add_tail(&vres->live, &mgr->live);
	mgr->live_count++;
	mgr->live_bytes += vres->bytes;
	atomic64_add(vres->visible, &mgr->visible_used);
}

static struct list_head *pddgpu_vram_booked(struct pddgpu_vram_resource *vres)
{
	return vres->booking ? &vres->booking->blocks : &vres->blocks;
}

/**
 * pddgpu_vram_what_is_wrong() - look at what a buffer holds
 * @mgr: the manager, locked
 * @vres: what it holds
 *
 * Return: what contradicts what the allocator says, in words; NULL: nothing.
 */
const char *pddgpu_vram_what_is_wrong(struct pddgpu_vram_mgr *mgr,
				      struct pddgpu_vram_resource *vres)
{
	struct gpu_buddy_block *block;
	u64 bytes = 0;

	lockdep_assert_held(&mgr->lock);

	list_for_each_entry(block, pddgpu_vram_booked(vres), link) {
		u64 size = gpu_buddy_block_size(&mgr->mm, block);

		if (!gpu_buddy_block_is_allocated(block))
			return "memory that a buffer holds is free";
		if (gpu_buddy_block_offset(block) + size > mgr->size)
			return "a buffer holds memory beyond the end";
		bytes += size;
	}
	return bytes == vres->bytes ? NULL : "a buffer holds more or less than it was given";
}

/**
 * pddgpu_vram_retired_put() - free an old allocator when nobody needs it
 * @mgr: the manager, locked
 * @retired: the allocator
 */
void pddgpu_vram_retired_put(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_retired *retired)
{
	lockdep_assert_held(&mgr->lock);

	if (retired->users)
		return;
	/* What it lost itself it cannot free, nor be freed without */
	if (retired->mm.avail == retired->mm.size)
		gpu_buddy_fini(&retired->mm);
	else
		drm_warn(mgr->health.drm, "PDDGPU: VRAM manager: an old record is kept\n");
	kfree(retired);
}

/*
 * Let no block name a buffer that goes. The buffer's own list may lack some of them,
 * or lead anywhere, since a block that is free has no link.
 */
static void pddgpu_vram_disown(struct pddgpu_vram_mgr *mgr,
			       const struct pddgpu_vram_resource *vres)
{
	struct gpu_buddy_block *block;

	for (block = pddgpu_buddy_leaf(&mgr->mm, 0); block;
	     block = pddgpu_buddy_next_leaf(&mgr->mm, block)) {
		if (block->private == vres)
			block->private = NULL;
	}
}

/*
 * Memory whose record contradicts itself is nobody's until that is rebuilt; what a
 * test said so of is remembered.
 */
static void pddgpu_vram_free_booked(struct pddgpu_vram_mgr *mgr,
				    struct pddgpu_vram_resource *vres)
{
	const char *wrong = pddgpu_vram_what_is_wrong(mgr, vres);
	struct list_head *booked = pddgpu_vram_booked(vres);

	if (unlikely(wrong)) {
		pddgpu_vram_disown(mgr, vres);
		pddgpu_health_fail(&mgr->health, "when one was freed: %s", wrong);
		return;
	}
	pddgpu_vram_tag(booked, NULL);
	if (unlikely(mgr->inject.free)) {
		mgr->inject.free = false;
		list_splice_tail_init(booked, &mgr->inject.lost);
		pddgpu_health_fail(&mgr->health, "when one was freed: a test asked for it");
	} else {
		pddgpu_vram_clear_freed(mgr, booked);
	}
}

/**
 * pddgpu_vram_release() - a buffer gives its memory up; works in any state
 * @mgr: the manager, locked
 * @vres: what it held
 */
void pddgpu_vram_release(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_resource *vres)
{
	struct pddgpu_vram_booking *booking = vres->booking;

	lockdep_assert_held(&mgr->lock);

	list_del(&vres->live);
	mgr->live_count--;
	mgr->live_bytes -= vres->bytes;
	atomic64_sub(vres->visible, &mgr->visible_used);

	pddgpu_vram_free_booked(mgr, vres);
	if (booking) {
		gpu_buddy_free_list(&booking->home->mm, &vres->blocks, 0);
		booking->home->users--;
		pddgpu_vram_retired_put(mgr, booking->home);
		kfree(booking);
	}
	if (pddgpu_health_ready(&mgr->health))
		pddgpu_vram_sums_agree(mgr);
}

/* Mark what a buffer holds in @pages; what is wrong with it, or NULL. */
static const char *pddgpu_vram_check_one(struct pddgpu_vram_mgr *mgr,
					 struct pddgpu_vram_resource *vres,
					 unsigned long *pages)
{
	const char *wrong = pddgpu_vram_what_is_wrong(mgr, vres);
	struct gpu_buddy_block *block;

	if (wrong)
		return wrong;
	list_for_each_entry(block, pddgpu_vram_booked(vres), link) {
		unsigned long first = gpu_buddy_block_offset(block) >> PAGE_SHIFT;
		unsigned long count = gpu_buddy_block_size(&mgr->mm, block) >> PAGE_SHIFT;

		if (find_next_bit(pages, first + count, first) < first + count)
			return "two buffers hold the same memory";
		if (find_next_bit(mgr->clear.stale, first + count, first) < first + count)
			return "memory that a buffer holds is to be cleared";
		bitmap_set(pages, first, count);
	}
	return NULL;
}

static const char *pddgpu_vram_check_all(struct pddgpu_vram_mgr *mgr, unsigned long *pages)
{
	u64 bytes = 0, asked = 0, visible = pddgpu_vram_mgr_reserved(mgr), count = 0;
	struct pddgpu_vram_resource *vres;
	struct gpu_buddy_block *block;
	const char *wrong;

	list_for_each_entry(block, &mgr->reserved_blocks, link)
		bitmap_set(pages, gpu_buddy_block_offset(block) >> PAGE_SHIFT,
			   gpu_buddy_block_size(&mgr->mm, block) >> PAGE_SHIFT);
	list_for_each_entry(vres, &mgr->live, live) {
		wrong = pddgpu_vram_check_one(mgr, vres, pages);
		if (wrong)
			return wrong;
		bytes += vres->bytes;
		asked += vres->base.size;
		visible += vres->visible;
		count++;
	}
	if (bytes != mgr->live_bytes || count != mgr->live_count)
		return "the buffers' sum is wrong";
	if (visible != atomic64_read(&mgr->visible_used))
		return "the visible bytes in use are wrong";
	/* TTM counts a place before it is one, and until after it was */
	if (asked > ttm_resource_manager_usage(&mgr->manager))
		return "TTM knows of less than is held";
	if ((u64)bitmap_weight(mgr->clear.stale, mgr->size >> PAGE_SHIFT) << PAGE_SHIFT !=
	    mgr->clear.stale_bytes)
		return "the bytes to clear are wrong";
	return NULL;
}

/**
 * pddgpu_vram_mgr_check() - compare the allocator with what buffers hold
 * @mgr: the manager
 *
 * Takes the manager's lock, for as long as it takes: some 0.1 us a block.
 *
 * Return: 0; -EIO when it is in ERROR, now or before; -ENODEV; -ENOMEM.
 */
int pddgpu_vram_mgr_check(struct pddgpu_vram_mgr *mgr)
{
	unsigned long *pages;
	const char *wrong;
	int ret;

	pages = kvcalloc(BITS_TO_LONGS(mgr->size >> PAGE_SHIFT), sizeof(long), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	mutex_lock(&mgr->lock);
	pddgpu_health_checked(&mgr->health);
	ret = pddgpu_health_errno(&mgr->health);
	if (!ret && !pddgpu_vram_sums_agree(mgr))
		ret = -EIO;
	if (!ret) {
		wrong = pddgpu_vram_check_all(mgr, pages);
		if (wrong) {
			pddgpu_health_fail(&mgr->health, "when it was checked: %s", wrong);
			ret = -EIO;
		}
	}
	mutex_unlock(&mgr->lock);
	kvfree(pages);
	return ret;
}

/* Take a free page for nobody. */
static int pddgpu_vram_lose(struct pddgpu_vram_mgr *mgr)
{
	LIST_HEAD(blocks);
	int ret;

	ret = pddgpu_buddy_alloc(&mgr->mm, 0, mgr->size, PAGE_SIZE, PAGE_SIZE, &blocks, 0);
	if (ret)
		return ret;
	pddgpu_vram_clear_used(mgr, &blocks);
	list_splice_tail(&blocks, &mgr->inject.lost);
	return 0;
}

/**
 * pddgpu_vram_mgr_inject() - spoil the record, for a test
 * @mgr: the manager
 * @fault: how
 *
 * It is not told: it has to notice.
 *
 * Return: 0; -ENOSPC when there is nothing to lose; -ENOMEM.
 */
int pddgpu_vram_mgr_inject(struct pddgpu_vram_mgr *mgr, enum pddgpu_health_fault fault)
{
	int ret = 0;

	mutex_lock(&mgr->lock);
	switch (fault) {
	case PDDGPU_HEALTH_FAULT_LOST:
		ret = pddgpu_vram_lose(mgr);
		break;
	case PDDGPU_HEALTH_FAULT_ACCOUNT:
		mgr->live_bytes += PAGE_SIZE;
		break;
	case PDDGPU_HEALTH_FAULT_FREE:
		mgr->inject.free = true;
		break;
	case PDDGPU_HEALTH_FAULT_ALLOC:
		mgr->inject.alloc = true;
		break;
	case PDDGPU_HEALTH_FAULT_RECOVER:
		pddgpu_health_fail_next(&mgr->health, true);
		break;
	default:
		mgr->inject.free = false;
		mgr->inject.alloc = false;
		pddgpu_health_fail_next(&mgr->health, false);
		break;
	}
	mutex_unlock(&mgr->lock);
	return ret;
}

/**
 * pddgpu_vram_mgr_health() - the manager's health
 * @mgr: the manager
 *
 * Return: it.
 */
struct pddgpu_health *pddgpu_vram_mgr_health(struct pddgpu_vram_mgr *mgr)
{
	return &mgr->health;
}

/**
 * pddgpu_vram_mgr_is_healthy() - is the manager READY? (requirement C4)
 * @mgr: the manager
 *
 * Return: true when it is.
 */
bool pddgpu_vram_mgr_is_healthy(struct pddgpu_vram_mgr *mgr)
{
	return pddgpu_health_ready(&mgr->health);
}

/**
 * pddgpu_vram_mgr_get_stats() - the manager's figures (requirement C4)
 * @mgr: the manager
 * @stats: out: as they are at one moment; takes the manager's lock
 */
void pddgpu_vram_mgr_get_stats(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_stats *stats)
{
	mutex_lock(&mgr->lock);
	stats->total_size = mgr->size;
	stats->used_size = mgr->live_bytes + pddgpu_vram_mgr_reserved(mgr);
	stats->visible_used = pddgpu_vram_mgr_visible_usage(mgr);
	stats->buffers = mgr->live_count;
	pddgpu_health_get_stats(&mgr->health, &stats->health);
	mutex_unlock(&mgr->lock);
}
