// SPDX-License-Identifier: GPL-2.0
/*
 * The VRAM manager's part in clearing free memory. The buddy allocator knows
 * which free blocks are clear and prefers them where it is asked to, but it has
 * no way to name those that are not, and takes memory that was never used for
 * one of them. That is to be left alone: a card may have more memory than its
 * host, and what is filled has to be there. So a bit for each page says that it
 * is free and was used since it was last clear. Ranges of them are found and
 * marked a word at a time: 64 pages, so that a buffer of 1 GiB touches 32 KiB.
 *
 * Beyond what was freed, memory is cleared ahead of demand: as much as misses
 * have shown to be wanted, and within a bound.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include <drm/drm_print.h>

#include "pddgpu_buddy.h"
#include "pddgpu_compat.h"
#include "pddgpu_vram_clear.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_mgr_internal.h"

/* Ranges taken at once: each is an operation of the one job that clears them */
#define PDDGPU_VRAM_CLEAR_RANGES	128
/*
 * Worth a job at once: the engine fills it in 0.1 ms, which is about what the
 * job itself costs. What is less waits for more, or for some time to pass.
 */
#define PDDGPU_VRAM_CLEAR_WORTH		SZ_1M
/* The most that is cleared ahead of demand: some 4 ms of the engine */
#define PDDGPU_VRAM_CLEAR_AHEAD		SZ_32M
/* While memory is short, whatever is freed is wanted as it is */
#define PDDGPU_VRAM_CLEAR_SCARCE	(HZ / 4)
/* How long an allocation without room waits: an engine that hangs is reset by then */
#define PDDGPU_VRAM_CLEAR_PATIENCE	(10 * HZ)
/* How long one waits rather than clear memory of its own: several batches */
#define PDDGPU_VRAM_CLEAR_EXPECT	msecs_to_jiffies(10)

static unsigned long pddgpu_vram_clear_pages(struct pddgpu_vram_mgr *mgr)
{
	return mgr->size >> PAGE_SHIFT;
}

/**
 * pddgpu_vram_clear_init() - prepare for clearing
 * @mgr: the manager, its size known
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_vram_clear_init(struct pddgpu_vram_mgr *mgr)
{
	struct pddgpu_vram_clear *clear = &mgr->clear;

	init_waitqueue_head(&clear->returned);
	clear->ahead_max = min_t(u64, PDDGPU_VRAM_CLEAR_AHEAD, mgr->size / 8);
	clear->stale = kvcalloc(BITS_TO_LONGS(pddgpu_vram_clear_pages(mgr)),
				sizeof(long), GFP_KERNEL);
	return clear->stale ? 0 : -ENOMEM;
}

/**
 * pddgpu_vram_clear_fini() - the end of it
 * @mgr: the manager; nobody clears any more
 */
void pddgpu_vram_clear_fini(struct pddgpu_vram_mgr *mgr)
{
	WARN_ON(mgr->clear.held);
	kvfree(mgr->clear.stale);
}

/* These pages are not free any more, or clear. */
static void pddgpu_vram_clear_unmark(struct pddgpu_vram_mgr *mgr, unsigned long first,
				     unsigned long end)
{
	unsigned long *stale = mgr->clear.stale, stop;

	for (first = find_next_bit(stale, end, first); first < end;
	     first = find_next_bit(stale, end, stop)) {
		stop = find_next_zero_bit(stale, end, first);
		bitmap_clear(stale, first, stop - first);
		mgr->clear.stale_bytes -= (u64)(stop - first) << PAGE_SHIFT;
	}
}

static void pddgpu_vram_clear_unmark_block(struct pddgpu_vram_mgr *mgr,
					   struct gpu_buddy_block *block)
{
	u64 start = gpu_buddy_block_offset(block);
	u64 end = start + gpu_buddy_block_size(&mgr->mm, block);

	pddgpu_vram_clear_unmark(mgr, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* Free blocks that are not clear; none of their pages is marked. */
static void pddgpu_vram_clear_free_stale(struct pddgpu_vram_mgr *mgr,
					 struct list_head *blocks)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, blocks, link) {
		u64 bytes = gpu_buddy_block_size(&mgr->mm, block);

		bitmap_set(mgr->clear.stale, gpu_buddy_block_offset(block) >> PAGE_SHIFT,
			   bytes >> PAGE_SHIFT);
		mgr->clear.stale_bytes += bytes;
	}
	gpu_buddy_free_list(&mgr->mm, blocks, 0);
}

static bool pddgpu_vram_clear_is_low(struct pddgpu_vram_mgr *mgr, u64 level)
{
	return mgr->mm.clear_avail + mgr->clear.held < level &&
	       mgr->mm.avail > mgr->mm.clear_avail;
}

static void pddgpu_vram_clear_notify(struct pddgpu_vram_mgr *mgr, bool now)
{
	if (mgr->clear.notify)
		mgr->clear.notify(mgr->clear.data, now);
}

/**
 * pddgpu_vram_clear_has_stale() - is there memory that was used before?
 * @mgr: the manager, locked
 * @bytes: how much
 *
 * Return: true when there is so much of it, in pieces of any size.
 */
bool pddgpu_vram_clear_has_stale(struct pddgpu_vram_mgr *mgr, u64 bytes)
{
	lockdep_assert_held(&mgr->lock);

	return mgr->clear.stale_bytes >= bytes;
}

/**
 * pddgpu_vram_clear_used() - blocks have been allocated
 * @mgr: the manager, locked
 * @blocks: the blocks
 *
 * Return: how many bytes of them are not clear.
 */
u64 pddgpu_vram_clear_used(struct pddgpu_vram_mgr *mgr, struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	u64 unclear = 0;

	lockdep_assert_held(&mgr->lock);

	list_for_each_entry(block, blocks, link) {
		if (gpu_buddy_block_is_clear(block))
			continue;
		unclear += gpu_buddy_block_size(&mgr->mm, block);
		pddgpu_vram_clear_unmark_block(mgr, block);
	}
	return unclear;
}

/**
 * pddgpu_vram_clear_freed() - free blocks that are not clear
 * @mgr: the manager, locked
 * @blocks: the blocks; empty afterwards
 */
void pddgpu_vram_clear_freed(struct pddgpu_vram_mgr *mgr, struct list_head *blocks)
{
	lockdep_assert_held(&mgr->lock);

	pddgpu_vram_clear_free_stale(mgr, blocks);
	pddgpu_vram_clear_notify(mgr, mgr->clear.stale_bytes >= PDDGPU_VRAM_CLEAR_WORTH);
}

/**
 * pddgpu_vram_clear_undo() - give blocks back as they were
 * @mgr: the manager, locked
 * @blocks: blocks that nobody has been told of; empty afterwards
 */
void pddgpu_vram_clear_undo(struct pddgpu_vram_mgr *mgr, struct list_head *blocks)
{
	lockdep_assert_held(&mgr->lock);

	pddgpu_buddy_undo(&mgr->mm, blocks);
}

/**
 * pddgpu_vram_clear_doubt() - give blocks back, none of them clear
 * @mgr: the manager, locked
 * @blocks: blocks that nobody has been told of; empty afterwards
 */
void pddgpu_vram_clear_doubt(struct pddgpu_vram_mgr *mgr, struct list_head *blocks)
{
	struct gpu_buddy_block *block, *next;
	LIST_HEAD(others);

	lockdep_assert_held(&mgr->lock);

	/* Those that were not are marked already, or were never used */
	list_for_each_entry_safe(block, next, blocks, link) {
		if (!gpu_buddy_block_is_clear(block))
			list_move_tail(&block->link, &others);
	}
	pddgpu_vram_clear_free_stale(mgr, blocks);
	pddgpu_vram_clear_undo(mgr, &others);
	pddgpu_vram_clear_notify(mgr, true);
}

/**
 * pddgpu_vram_clear_demand() - somebody has taken memory that was to be clear
 * @mgr: the manager, locked
 * @bytes: how much
 * @missed: not all of it was
 *
 * Each miss doubles what is cleared ahead, so that whoever makes one buffer after
 * the other soon finds them made; from then on half of it is the least.
 */
void pddgpu_vram_clear_demand(struct pddgpu_vram_mgr *mgr, u64 bytes, bool missed)
{
	struct pddgpu_vram_clear *clear = &mgr->clear;

	lockdep_assert_held(&mgr->lock);

	if (missed)
		clear->ahead = min(max3(2 * clear->ahead, 4 * bytes,
					(u64)PDDGPU_VRAM_CLEAR_WORTH), clear->ahead_max);
	if (pddgpu_vram_clear_is_low(mgr, missed ? clear->ahead : clear->ahead / 2))
		pddgpu_vram_clear_notify(mgr, true);
}

/**
 * pddgpu_vram_clear_expect() - wait for clear memory that is about to come
 * @mgr: the manager, locked; given up in between
 * @bytes: how much is wanted
 *
 * Where as much is being cleared already: a job of one's own would come behind
 * those at work, and do again what they do.
 */
void pddgpu_vram_clear_expect(struct pddgpu_vram_mgr *mgr, u64 bytes)
{
	struct pddgpu_vram_clear *clear = &mgr->clear;

	lockdep_assert_held(&mgr->lock);

	if (mgr->mm.clear_avail >= bytes || mgr->mm.clear_avail + clear->held < bytes)
		return;
	mutex_unlock(&mgr->lock);
	wait_event_killable_timeout(clear->returned,
				    READ_ONCE(mgr->mm.clear_avail) >= bytes ||
				    !READ_ONCE(clear->held),
				    PDDGPU_VRAM_CLEAR_EXPECT);
	mutex_lock(&mgr->lock);
}

/**
 * pddgpu_vram_clear_wait() - an allocation has found no room
 * @mgr: the manager, locked; given up in between
 *
 * Waits until nothing is being cleared any more. Whoever gives it back waits for
 * no reservation and for no memory.
 *
 * Return: true when another attempt may find room.
 */
bool pddgpu_vram_clear_wait(struct pddgpu_vram_mgr *mgr)
{
	struct pddgpu_vram_clear *clear = &mgr->clear;

	lockdep_assert_held(&mgr->lock);

	clear->scarce = true;
	clear->scarce_until = jiffies + PDDGPU_VRAM_CLEAR_SCARCE;
	if (!clear->held)
		return false;

	clear->wanting++;
	mutex_unlock(&mgr->lock);
	wait_event_killable_timeout(clear->returned, !READ_ONCE(clear->held),
				    PDDGPU_VRAM_CLEAR_PATIENCE);
	mutex_lock(&mgr->lock);
	clear->wanting--;
	return true;
}

static int pddgpu_vram_clear_may_take(struct pddgpu_vram_mgr *mgr, bool due)
{
	struct pddgpu_vram_clear *clear = &mgr->clear;
	bool low = pddgpu_vram_clear_is_low(mgr, clear->ahead);

	if (!clear->stale_bytes && !low)
		return -ENOENT;
	if (clear->scarce && !time_before(jiffies, clear->scarce_until))
		clear->scarce = false;
	if (clear->wanting || clear->scarce || !pddgpu_health_ready(&mgr->health))
		return -EBUSY;
	return due || low || clear->stale_bytes >= PDDGPU_VRAM_CLEAR_WORTH ? 0 : -EAGAIN;
}

/**
 * pddgpu_vram_mgr_stale() - is there memory to clear?
 * @mgr: the manager
 * @due: it has waited for long enough, be it ever so little
 *
 * Takes the manager's lock.
 *
 * Return: 0, -EAGAIN when it is too little by now, -EBUSY while memory is short,
 * -ENOENT when there is none.
 */
int pddgpu_vram_mgr_stale(struct pddgpu_vram_mgr *mgr, bool due)
{
	int ret;

	mutex_lock(&mgr->lock);
	pddgpu_vram_loss_sync(mgr);
	ret = pddgpu_vram_clear_may_take(mgr, due);
	mutex_unlock(&mgr->lock);
	return ret;
}

/* Take the pages from @first to before @end, all of them free and not clear. */
static int pddgpu_vram_clear_take_range(struct pddgpu_vram_mgr *mgr, unsigned long first,
					unsigned long end, struct list_head *blocks)
{
	u64 from = (u64)first << PAGE_SHIFT, to = (u64)end << PAGE_SHIFT;
	LIST_HEAD(range);
	int ret;

	ret = pddgpu_buddy_alloc_at(&mgr->mm, from, to, &range);
	if (ret == -ENOMEM)
		return ret;
	/* Should it not be had: whoever gets it finds that it is not clear */
	pddgpu_vram_clear_unmark(mgr, first, end);
	if (ret)
		return 0;
	pddgpu_vram_tag(&range, &mgr->clear);
	list_splice_tail(&range, blocks);
	mgr->clear.held += to - from;
	return 0;
}

/* Take what was used before, adjoining pages together, going round. */
static int pddgpu_vram_clear_take_used(struct pddgpu_vram_mgr *mgr, u64 most,
				       u32 *ranges, struct list_head *blocks)
{
	struct pddgpu_vram_clear *clear = &mgr->clear;
	unsigned long pages = pddgpu_vram_clear_pages(mgr), first, end;
	u64 until = clear->held + most;
	int ret = 0;

	while (clear->stale_bytes && clear->held < until && *ranges && !ret) {
		first = find_next_bit(clear->stale, pages, clear->next);
		if (first >= pages) {
			if (!clear->next)
				break;
			clear->next = 0;
			continue;
		}
		end = min_t(u64, pages, first + ((until - clear->held) >> PAGE_SHIFT));
		end = find_next_zero_bit(clear->stale, end, first);
		ret = pddgpu_vram_clear_take_range(mgr, first, end, blocks);
		clear->next = end;
		(*ranges)--;
	}
	return ret;
}

/* Take any that is not clear, from where the next buffers will be put. */
static int pddgpu_vram_clear_take_any(struct pddgpu_vram_mgr *mgr, u64 most,
				      u32 *ranges, struct list_head *blocks)
{
	struct gpu_buddy_block *block, *next;
	LIST_HEAD(others);
	LIST_HEAD(any);
	int ret;

	most = min(most, mgr->mm.avail - mgr->mm.clear_avail);
	if (!most)
		return 0;
	ret = pddgpu_buddy_alloc(&mgr->mm, 0, mgr->size, most, PAGE_SIZE, &any,
				 GPU_BUDDY_TOPDOWN_ALLOCATION);
	if (ret)
		return ret;
	list_for_each_entry_safe(block, next, &any, link) {
		if (gpu_buddy_block_is_clear(block) || !*ranges) {
			list_move_tail(&block->link, &others);
			continue;
		}
		pddgpu_vram_clear_unmark_block(mgr, block);
		mgr->clear.held += gpu_buddy_block_size(&mgr->mm, block);
		block->private = &mgr->clear;
		list_move_tail(&block->link, blocks);
		(*ranges)--;
	}
	pddgpu_vram_clear_undo(mgr, &others);
	return 0;
}

/**
 * pddgpu_vram_mgr_take_stale() - take free memory away to clear it
 * @mgr: the manager
 * @most: bytes, at least a page
 * @due: see pddgpu_vram_mgr_stale()
 * @blocks: an empty list; gets buddy blocks, adjoining ones together, in a
 *	limited number of ranges
 *
 * To be given back soon, by pddgpu_vram_mgr_return_stale(), without waiting for
 * a buffer's reservation or for memory. Until then it counts as free. Takes the
 * manager's lock.
 *
 * Return: 0, -ENOMEM, or what pddgpu_vram_mgr_stale() says.
 */
int pddgpu_vram_mgr_take_stale(struct pddgpu_vram_mgr *mgr, u64 most, bool due,
			       struct list_head *blocks)
{
	struct pddgpu_vram_clear *clear = &mgr->clear;
	u32 ranges = PDDGPU_VRAM_CLEAR_RANGES;
	u64 before, have;
	int ret;

	mutex_lock(&mgr->lock);
	pddgpu_vram_loss_sync(mgr);
	ret = pddgpu_vram_clear_may_take(mgr, due);
	if (ret)
		goto out_unlock;
	before = clear->held;
	ret = pddgpu_vram_clear_take_used(mgr, most, &ranges, blocks);
	most -= clear->held - before;
	have = mgr->mm.clear_avail + clear->held;
	if (!ret && most && have < clear->ahead)
		ret = pddgpu_vram_clear_take_any(mgr, min(most, clear->ahead - have),
						 &ranges, blocks);
	if (!list_empty(blocks))
		ret = 0;
	else if (!ret)
		ret = -ENOENT;
out_unlock:
	mutex_unlock(&mgr->lock);
	return ret;
}

/**
 * pddgpu_vram_mgr_return_stale() - give back what was taken away
 * @mgr: the manager
 * @blocks: all that one pddgpu_vram_mgr_take_stale() has given; empty afterwards
 * @clear: all of it holds zeros now, and nobody will write to it
 * @losses: pddgpu_vram_mgr_losses() before the first of these zeros: when there
 *	was a loss since then there may be none
 *
 * Takes the manager's lock.
 */
void pddgpu_vram_mgr_return_stale(struct pddgpu_vram_mgr *mgr, struct list_head *blocks,
				  bool clear, u32 losses)
{
	struct gpu_buddy_block *block;
	u64 bytes = 0;

	mutex_lock(&mgr->lock);
	list_for_each_entry(block, blocks, link)
		bytes += gpu_buddy_block_size(&mgr->mm, block);
	pddgpu_vram_loss_sync(mgr);
	pddgpu_vram_tag(blocks, NULL);
	if (clear && losses == mgr->clear.losses)
		gpu_buddy_free_list(&mgr->mm, blocks, GPU_BUDDY_CLEARED);
	else
		pddgpu_vram_clear_free_stale(mgr, blocks);
	WRITE_ONCE(mgr->clear.held, mgr->clear.held - bytes);
	mutex_unlock(&mgr->lock);
	wake_up_all(&mgr->clear.returned);
}

/**
 * pddgpu_vram_mgr_on_stale() - be told when there is memory to clear
 * @mgr: the manager
 * @notify: called with the manager's lock held, often; must not sleep. Told
 *	whether there is enough now, or will be in some time. NULL: no more; when
 *	this returns no call is under way
 * @data: for @notify
 */
void pddgpu_vram_mgr_on_stale(struct pddgpu_vram_mgr *mgr,
			      void (*notify)(void *data, bool now), void *data)
{
	mutex_lock(&mgr->lock);
	mgr->clear.notify = notify;
	mgr->clear.data = data;
	mutex_unlock(&mgr->lock);
}

/**
 * pddgpu_vram_clear_settle() - let everything that is being cleared come back
 * @mgr: the manager, locked, in state ERROR so that no more is taken; given up in
 *	between
 *
 * Return: true when nothing is held any more.
 */
bool pddgpu_vram_clear_settle(struct pddgpu_vram_mgr *mgr)
{
	struct pddgpu_vram_clear *clear = &mgr->clear;

	lockdep_assert_held(&mgr->lock);

	if (!clear->held)
		return true;
	mutex_unlock(&mgr->lock);
	wait_event_killable_timeout(clear->returned, !READ_ONCE(clear->held) ||
				    !pddgpu_health_failed(&mgr->health),
				    PDDGPU_VRAM_CLEAR_PATIENCE);
	mutex_lock(&mgr->lock);
	return !clear->held;
}

/**
 * pddgpu_vram_clear_rebuilt() - the allocator is a new one
 * @mgr: the manager, locked; nothing is held
 *
 * It takes nothing for clear. What was used and is free is still to be cleared.
 */
void pddgpu_vram_clear_rebuilt(struct pddgpu_vram_mgr *mgr)
{
	struct pddgpu_vram_resource *vres;
	struct gpu_buddy_block *block;

	lockdep_assert_held(&mgr->lock);

	list_for_each_entry(vres, &mgr->live, live) {
		list_for_each_entry(block, &vres->blocks, link)
			pddgpu_vram_clear_unmark_block(mgr, block);
	}
	mgr->clear.stale_bytes = (u64)bitmap_weight(mgr->clear.stale,
						    pddgpu_vram_clear_pages(mgr))
				 << PAGE_SHIFT;
}

/**
 * pddgpu_vram_clear_debug() - print how far it has come
 * @mgr: the manager, locked
 * @p: where to
 */
void pddgpu_vram_clear_debug(struct pddgpu_vram_mgr *mgr, struct drm_printer *p)
{
	drm_printf(p, "clear:%llu\n", mgr->mm.clear_avail);
	drm_printf(p, "clearing:%llu\n", mgr->clear.held);
	drm_printf(p, "dirty:%llu\n", mgr->mm.avail - mgr->mm.clear_avail);
	drm_printf(p, "to_clear:%llu\n", mgr->clear.stale_bytes);
}
