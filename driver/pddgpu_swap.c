// SPDX-License-Identifier: GPL-2.0
/*
 * System memory that buffers hold, and its way to the kernel's swap (requirement
 * D8).
 *
 * TTM swaps a buffer out by copying its pages to a file in shared memory, which
 * the kernel writes to its swap devices like anybody's; the buffer is in the CPU
 * domain until it is used again. TTM begins that when the pages of all its
 * devices pass half the RAM, pddgpu_swap_out_some() when this driver's limit is
 * reached, and the shrinker when others need memory. All of them ask
 * pddgpu_ttm_eviction_valuable() first, which says no when swap has no room:
 * without that bound a user could fill all memory with shared memory.
 *
 * A failure in the middle leaves the content in its pages, but without the place
 * in the aperture: TTM gives that up first. So each swapping out is looked at
 * again soon after it began, and who has his pages still gets a place again; a few
 * times, for who wanted the memory may have taken the place, and have to give it up.
 *
 * Locks
 * -----
 *
 * - The shrinker takes none. Reclaim can begin anywhere, also while
 *   reservations are held or memory is short to the last page, and copying a
 *   buffer takes memory before it gives any back. So a worker does it, which
 *   only tries for reservations and never waits for a GPU; who reclaims memory
 *   waits for it a moment, without any lock that it could need being known to be
 *   free, hence with a limit.
 * - swap->lock (spinlock, a leaf): guards swap->begun with the links of the
 *   buffers in it.
 * - The reservation of a buffer guards its pages' @swapping and @swapped.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "pddgpu_account.h"
#include "pddgpu_bo.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_room.h"
#include "pddgpu_stats.h"
#include "pddgpu_swap.h"
#include "pddgpu_ttm.h"

/* When to see what became of a buffer that was to be swapped out */
#define PDDGPU_SWAP_SETTLE_DELAY	(HZ / 50)
/* And how often where there is no place, each time after twice as long: 5 s in all */
#define PDDGPU_SWAP_SETTLE_TRIES	8
/* How long one who reclaims memory waits for the worker */
#define PDDGPU_SWAP_RECLAIM_WAIT	(HZ / 10)
/* How long the shrinker has nothing to offer after nothing could be swapped out */
#define PDDGPU_SWAP_STALL		HZ
/* Pages that are worth a look: buffers are not swapped out in parts */
#define PDDGPU_SWAP_BATCH		(SZ_1M >> PAGE_SHIFT)

/**
 * struct pddgpu_swap - what swaps a card's buffers out
 */
struct pddgpu_swap {
	/** @pdev: the device; constant */
	struct pddgpu_device *pdev;
	/** @shrinker: the kernel's way to ask for memory; constant */
	struct shrinker *shrinker;
	/** @wq: for @out alone: there may be no memory for another worker */
	struct workqueue_struct *wq;
	/** @out: swaps out what the shrinker was asked for */
	struct work_struct out;
	/** @worker: who runs it now; only to be compared with */
	struct task_struct *worker;
	/** @wanted: pages to be swapped out; below 0: so many too many were */
	atomic_long_t wanted;
	/** @done: pages that it has swapped out, ever */
	atomic_long_t done;
	/** @wait: for @done */
	wait_queue_head_t wait;
	/** @stalled: jiffies until which it is not worth to ask again */
	unsigned long stalled;
	/** @credited: jiffies until which a @wanted below 0 counts */
	unsigned long credited;
	/** @swapped: bytes in swap */
	atomic64_t swapped;
	/** @largest: bytes of the largest buffer there, or that was; roughly */
	u64 largest;
	/** @lock: guards @begun */
	spinlock_t lock;
	/** @begun: buffers that were to be swapped out, each with a reference */
	struct list_head begun;
	/** @settle: sees what became of them */
	struct delayed_work settle;
};

/* Bytes of system memory that the buffers of all cards hold */
static atomic64_t pddgpu_swap_all_cards;

static u64 pddgpu_swap_half_the_ram(void)
{
	return (u64)totalram_pages() / 2 << PAGE_SHIFT;
}

/**
 * pddgpu_swap_uncharge() - system memory is given back
 * @pdev: the device
 * @bytes: how much
 */
void pddgpu_swap_uncharge(struct pddgpu_device *pdev, u64 bytes)
{
	atomic64_sub(bytes, &pdev->system_used);
	atomic64_sub(bytes, &pddgpu_swap_all_cards);
}

/* What is too much is not added for a moment either: others would find no room */
static bool pddgpu_swap_take(atomic64_t *used, u64 bytes, u64 limit)
{
	s64 old = atomic64_read(used);

	do {
		if (old + bytes > limit)
			return false;
	} while (!atomic64_try_cmpxchg(used, &old, old + bytes));
	return true;
}

/**
 * pddgpu_swap_charge() - system memory is wanted
 * @pdev: the device
 * @bytes: how much
 *
 * Pages count against what the system gives, whether the aperture maps them or
 * not: without a bound a user could take all the machine's memory. A second
 * card does not make it more.
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_swap_charge(struct pddgpu_device *pdev, u64 bytes)
{
	if (!pddgpu_swap_take(&pdev->system_used, bytes, pdev->system_limit))
		return -ENOMEM;
	if (pddgpu_swap_take(&pddgpu_swap_all_cards, bytes, pddgpu_swap_half_the_ram()))
		return 0;
	atomic64_sub(bytes, &pdev->system_used);
	return -ENOMEM;
}

/**
 * pddgpu_swap_has_pages() - would system pages for so much be given now?
 * @pdev: the device
 * @bytes: how much
 *
 * Return: true when nothing has to be swapped out for it.
 */
bool pddgpu_swap_has_pages(struct pddgpu_device *pdev, u64 bytes)
{
	return atomic64_read(&pdev->system_used) + bytes <= pdev->system_limit &&
	       atomic64_read(&pddgpu_swap_all_cards) + bytes <= pddgpu_swap_half_the_ram();
}

/*
 * What swap can still take. All shared memory that is in RAM may want to go
 * there, what was swapped out by TTM included.
 *
 * Not all of it is for who wants more memory than he has: a sixteenth of the RAM
 * is for those whom the full RAM would hit. And what is in swap must be able to
 * come back: for that others go there, one buffer more at times than is needed,
 * before there is less in it again.
 */
static u64 pddgpu_swap_room(struct pddgpu_swap *swap, u64 size, bool grows)
{
	s64 pages = get_nr_swap_pages();

	pages -= global_node_page_state(NR_SHMEM);
	if (grows)
		pages -= totalram_pages() / 16 +
			 2 * (max(READ_ONCE(swap->largest), size) >> PAGE_SHIFT);
	return pages > 0 ? (u64)pages << PAGE_SHIFT : 0;
}

/**
 * pddgpu_swap_has_room() - may a buffer be swapped out?
 * @pdev: the device
 * @bytes: its size
 *
 * Return: true when swap has room for it, for what the calling thread wants.
 */
bool pddgpu_swap_has_room(struct pddgpu_device *pdev, u64 bytes)
{
	struct pddgpu_swap *swap = pdev->swap;

	return bytes <= pddgpu_swap_room(swap, bytes, pddgpu_room_grows(pdev) ||
					 READ_ONCE(swap->worker) == current);
}

/**
 * pddgpu_swap_bytes() - how much is in swap
 * @pdev: the device
 *
 * Return: bytes of buffers.
 */
u64 pddgpu_swap_bytes(struct pddgpu_device *pdev)
{
	return atomic64_read(&pdev->swap->swapped);
}

/**
 * pddgpu_swap_out_some() - swap a buffer out, to make room for another
 * @pdev: the device
 * @ctx: how to wait
 *
 * The least recently used of those whose reservations are free. The caller may
 * hold reservations.
 *
 * Context: process, may sleep and allocate.
 * Return: 0 when there are more free pages now; -ENOMEM when there is none to be
 * swapped out; -ERESTARTSYS.
 */
int pddgpu_swap_out_some(struct pddgpu_device *pdev, struct ttm_operation_ctx *ctx)
{
	int ret = ttm_device_swapout(&pdev->ttm, ctx, GFP_KERNEL);

	if (ret > 0)
		return 0;
	return ret == -ERESTARTSYS || ret == -EINTR ? ret : -ENOMEM;
}

/**
 * pddgpu_swap_began() - a buffer is about to be swapped out
 * @pdev: the device
 * @tbo: the buffer, reserved, a buffer of ours; its pages have no place any more
 */
void pddgpu_swap_began(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo)
{
	struct pddgpu_tt *tt = to_pddgpu_tt(tbo->ttm);
	struct pddgpu_bo *bo = to_pddgpu_bo(tbo);
	struct pddgpu_swap *swap = pdev->swap;

	/* TTM's count, not GEM's: mappings keep a buffer whose handles are closed */
	if (!pddgpu_ttm_bo_tryget(tbo))
		return;
	tt->swapping = true;
	tt->account = &bo->account;

	spin_lock(&swap->lock);
	if (list_empty(&bo->swap_link)) {
		list_add_tail(&bo->swap_link, &swap->begun);
		tbo = NULL;
	}
	spin_unlock(&swap->lock);
	if (tbo)
		/* Listed since the last time, with a reference of its own */
		pddgpu_ttm_bo_unget(tbo);
	queue_delayed_work(system_unbound_wq, &swap->settle, PDDGPU_SWAP_SETTLE_DELAY);
}

static void pddgpu_swap_count(struct pddgpu_device *pdev, struct pddgpu_tt *tt, bool swapped)
{
	s64 bytes = (s64)tt->base.num_pages << PAGE_SHIFT;

	if (tt->swapped == swapped)
		return;
	tt->swapped = swapped;
	pddgpu_account_swap(pdev->account, tt->account, swapped);
	if (!atomic64_add_return(swapped ? bytes : -bytes, &pdev->swap->swapped))
		WRITE_ONCE(pdev->swap->largest, 0);
	else if (swapped && READ_ONCE(pdev->swap->largest) < bytes)
		WRITE_ONCE(pdev->swap->largest, bytes);
}

/**
 * pddgpu_swap_populated() - a buffer has got pages
 * @pdev: the device
 * @tt: the pages; when they were swapped out TTM is about to read them back
 */
void pddgpu_swap_populated(struct pddgpu_device *pdev, struct pddgpu_tt *tt)
{
	if (!(tt->base.page_flags & TTM_TT_FLAG_SWAPPED))
		return;
	pddgpu_swap_count(pdev, tt, false);
	pddgpu_memory_stats_swap_in(pdev->stats);
}

/**
 * pddgpu_swap_unpopulated() - a buffer has given its pages back
 * @pdev: the device
 * @tt: the pages
 */
void pddgpu_swap_unpopulated(struct pddgpu_device *pdev, struct pddgpu_tt *tt)
{
	const struct pddgpu_memory_stats_batch failed = { .swap_ins_failed = 1 };

	if (tt->base.page_flags & TTM_TT_FLAG_SWAPPED) {
		/* To read it back has failed: it is in swap as before */
		pddgpu_swap_count(pdev, tt, true);
		pddgpu_memory_stats_batch_update(pdev->stats, &failed);
	} else if (tt->swapping) {
		tt->swapping = false;
		pddgpu_swap_count(pdev, tt, true);
		pddgpu_memory_stats_swap_out(pdev->stats);
		atomic_long_add(tt->base.num_pages, &pdev->swap->done);
		wake_up_all(&pdev->swap->wait);
	}
}

/**
 * pddgpu_swap_destroyed() - a buffer's pages are no more, in swap neither
 * @pdev: the device
 * @tt: the pages
 */
void pddgpu_swap_destroyed(struct pddgpu_device *pdev, struct pddgpu_tt *tt)
{
	pddgpu_swap_count(pdev, tt, false);
}

/*
 * A buffer that has not got to swap: back to the aperture, unless its place has
 * been taken meanwhile; then it comes when it is used, or when it is tried again.
 * Returns whether that might help.
 */
static bool pddgpu_swap_put_back(struct pddgpu_device *pdev, struct pddgpu_bo *bo)
{
	struct ttm_place places[] = {
		{
			.mem_type = TTM_PL_TT,
			.flags = TTM_PL_FLAG_DESIRED,
			.lpfn = PDDGPU_BO_PLACE_END,
		}, {
			.mem_type = TTM_PL_SYSTEM,
			.flags = TTM_PL_FLAG_FALLBACK,
			.lpfn = PDDGPU_BO_PLACE_END,
		},
	};
	struct ttm_placement placement = {
		.num_placement = ARRAY_SIZE(places),
		.placement = places,
	};
	struct ttm_operation_ctx ctx = {};

	if (bo->tbo.resource->mem_type != TTM_PL_SYSTEM || bo->tbo.pin_count ||
	    !(bo->domains & PDDGPU_GEM_DOMAIN_GTT))
		return false;
	if (ttm_bo_validate(&bo->tbo, &placement, &ctx)) {
		drm_dbg(&pdev->drm, "PDDGPU: a buffer could not be put back\n");
		return false;
	}
	return bo->tbo.resource->mem_type == TTM_PL_SYSTEM &&
	       ttm_tt_is_populated(bo->tbo.ttm);
}

/* What has become of one? True: it has no place, and is to be tried again. */
static bool pddgpu_swap_settle_one(struct pddgpu_swap *swap, struct pddgpu_bo *bo)
{
	struct pddgpu_tt *tt;
	bool again = false;

	/* Waits for the swapping out to be over */
	ttm_bo_reserve(&bo->tbo, false, false, NULL);
	tt = bo->tbo.ttm ? to_pddgpu_tt(bo->tbo.ttm) : NULL;
	if (tt && (tt->swapping || (bo->swap_tries && ttm_tt_is_populated(&tt->base)))) {
		tt->swapping = false;
		again = pddgpu_swap_put_back(swap->pdev, bo) &&
			kref_read(&bo->tbo.base.refcount) &&
			!drm_dev_is_unplugged(&swap->pdev->drm) &&
			++bo->swap_tries < PDDGPU_SWAP_SETTLE_TRIES;
	}
	if (!again)
		bo->swap_tries = 0;
	ttm_bo_unreserve(&bo->tbo);
	return again;
}

static void pddgpu_swap_settle(struct work_struct *work)
{
	struct pddgpu_swap *swap = container_of(to_delayed_work(work),
						struct pddgpu_swap, settle);
	unsigned int tries = 0;
	struct pddgpu_bo *bo;
	LIST_HEAD(later);

	for (;;) {
		spin_lock(&swap->lock);
		bo = list_first_entry_or_null(&swap->begun, struct pddgpu_bo, swap_link);
		if (bo)
			list_del_init(&bo->swap_link);
		spin_unlock(&swap->lock);
		if (!bo)
			break;

		if (pddgpu_swap_settle_one(swap, bo)) {
			tries = max_t(unsigned int, tries, READ_ONCE(bo->swap_tries));
			spin_lock(&swap->lock);
			/* Or else it has begun once more, with a reference of its own */
			if (list_empty(&bo->swap_link)) {
				list_add_tail(&bo->swap_link, &later);
				bo = NULL;
			}
			spin_unlock(&swap->lock);
		}
		if (bo)
			pddgpu_ttm_bo_unget(&bo->tbo);
	}
	if (list_empty(&later))
		return;
	spin_lock(&swap->lock);
	list_splice_tail(&later, &swap->begun);
	spin_unlock(&swap->lock);
	queue_delayed_work(system_unbound_wq, &swap->settle,
			   PDDGPU_SWAP_SETTLE_DELAY << tries);
}

/* Until none is left that would be looked at again */
static void pddgpu_swap_settle_all(struct pddgpu_swap *swap)
{
	while (flush_delayed_work(&swap->settle))
		;
}

static void pddgpu_swap_out(struct work_struct *work)
{
	struct pddgpu_swap *swap = container_of(work, struct pddgpu_swap, out);
	struct ttm_operation_ctx ctx = { .no_wait_gpu = true };

	WRITE_ONCE(swap->worker, current);
	while (atomic_long_read(&swap->wanted) > 0) {
		long done = atomic_long_read(&swap->done);

		if (pddgpu_swap_out_some(swap->pdev, &ctx)) {
			atomic_long_set(&swap->wanted, 0);
			WRITE_ONCE(swap->stalled, jiffies + PDDGPU_SWAP_STALL);
			wake_up_all(&swap->wait);
			break;
		}
		atomic_long_sub(atomic_long_read(&swap->done) - done, &swap->wanted);
		WRITE_ONCE(swap->credited, jiffies + PDDGPU_SWAP_STALL);
		cond_resched();
	}
	WRITE_ONCE(swap->worker, NULL);
}

static unsigned long pddgpu_swap_count_objects(struct shrinker *shrinker,
					       struct shrink_control *sc)
{
	struct pddgpu_swap *swap = shrinker->private_data;
	s64 used = atomic64_read(&swap->pdev->system_used);

	if (time_before(jiffies, READ_ONCE(swap->stalled)) ||
	    drm_dev_is_unplugged(&swap->pdev->drm))
		return 0;
	return min_t(u64, max_t(s64, used, 0), pddgpu_swap_room(swap, 0, true)) >> PAGE_SHIFT;
}

static unsigned long pddgpu_swap_scan_objects(struct shrinker *shrinker,
					      struct shrink_control *sc)
{
	struct pddgpu_swap *swap = shrinker->private_data;
	long before = atomic_long_read(&swap->done);
	long wanted = sc->nr_to_scan, done;

	if (READ_ONCE(swap->worker) == current || !(sc->gfp_mask & __GFP_FS))
		return SHRINK_STOP;

	/* What went beyond the last wish counts for this one, for a while */
	if (time_after(jiffies, READ_ONCE(swap->credited)) &&
	    atomic_long_read(&swap->wanted) < 0)
		atomic_long_set(&swap->wanted, 0);
	if (atomic_long_add_return(wanted, &swap->wanted) <= 0)
		/* Free by now, and nobody has been told; there is no work to wait for */
		return wanted;
	queue_work(swap->wq, &swap->out);

	/* kswapd has others to look after */
	if (!current_is_kswapd())
		wait_event_timeout(swap->wait,
				   atomic_long_read(&swap->done) - before >= wanted ||
				   time_before(jiffies, READ_ONCE(swap->stalled)),
				   PDDGPU_SWAP_RECLAIM_WAIT);
	done = min(atomic_long_read(&swap->done) - before, wanted);
	/* Batch by batch it would wait, or wish, for all that there is */
	return done ? done : SHRINK_STOP;
}

/**
 * pddgpu_swap_flush() - wait until nothing is being swapped out
 * @pdev: the device
 *
 * For who knows that nobody asks for it any more. May sleep; no reservation held.
 */
void pddgpu_swap_flush(struct pddgpu_device *pdev)
{
	flush_workqueue(pdev->swap->wq);
	pddgpu_swap_settle_all(pdev->swap);
}

static void pddgpu_swap_release(struct drm_device *drm, void *arg)
{
	struct pddgpu_swap *swap = arg;

	shrinker_free(swap->shrinker);
	destroy_workqueue(swap->wq);
	/* Lets go of the buffers that it has references to */
	pddgpu_swap_settle_all(swap);
	/*
	 * Buffers on their way out hold no reference to the device: let them finish, while
	 * that which counts them is there.
	 */
	drain_workqueue(swap->pdev->ttm.wq);
}

/**
 * pddgpu_swap_init() - let buffers be swapped out
 * @pdev: the device, with its managers, without buffers
 *
 * Return: 0 or -ENOMEM; ended with the DRM device.
 */
int pddgpu_swap_init(struct pddgpu_device *pdev)
{
	struct pddgpu_swap *swap;

	swap = drmm_kzalloc(&pdev->drm, sizeof(*swap), GFP_KERNEL);
	if (!swap)
		return -ENOMEM;
	swap->pdev = pdev;
	swap->stalled = jiffies;
	swap->credited = jiffies;
	spin_lock_init(&swap->lock);
	INIT_LIST_HEAD(&swap->begun);
	init_waitqueue_head(&swap->wait);
	INIT_WORK(&swap->out, pddgpu_swap_out);
	INIT_DELAYED_WORK(&swap->settle, pddgpu_swap_settle);
	pdev->swap = swap;

	swap->wq = alloc_workqueue("pddgpu-swap", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	if (!swap->wq)
		return -ENOMEM;
	swap->shrinker = shrinker_alloc(0, "drm-pddgpu:%s", dev_name(pdev->drm.dev));
	if (!swap->shrinker) {
		destroy_workqueue(swap->wq);
		return -ENOMEM;
	}
	swap->shrinker->count_objects = pddgpu_swap_count_objects;
	swap->shrinker->scan_objects = pddgpu_swap_scan_objects;
	swap->shrinker->batch = PDDGPU_SWAP_BATCH;
	swap->shrinker->private_data = swap;
	shrinker_register(swap->shrinker);
	return drmm_add_action_or_reset(&pdev->drm, pddgpu_swap_release, swap);
}
