/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the VRAM manager share; nobody else includes this.
 */
#ifndef PDDGPU_VRAM_MGR_INTERNAL_H
#define PDDGPU_VRAM_MGR_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/wait.h>

#include <drm/ttm/ttm_resource.h>

#include "pddgpu_compat.h"
#include "pddgpu_vram_mgr.h"

struct drm_printer;

/**
 * struct pddgpu_vram_clear - free VRAM that is to be cleared
 *
 * All of it under the manager's lock, unless it says something else.
 */
struct pddgpu_vram_clear {
	/** @stale: a bit for each page that is free and was used since its last clear */
	unsigned long *stale;
	/** @stale_bytes: how much that is */
	u64 stale_bytes;
	/** @next: page that the search goes on at */
	unsigned long next;
	/** @held: bytes that are being cleared: nobody's, but not to be had */
	u64 held;
	/** @ahead: bytes that are to be clear before anybody asks for them */
	u64 ahead;
	/** @ahead_max: the most of that; constant */
	u64 ahead_max;
	/** @wanting: allocations that wait until nothing is held: no more is taken */
	u32 wanting;
	/** @scarce: an allocation has found no room, not long before @scarce_until */
	bool scarce;
	/** @scarce_until: jiffies */
	unsigned long scarce_until;
	/** @returned: woken when memory is given back */
	wait_queue_head_t returned;
	/** @notify: called when there is something to clear; or NULL */
	void (*notify)(void *data, bool now);
	/** @data: for @notify */
	void *data;
	/** @losses: losses of VRAM that the allocator has been told of */
	u32 losses;
	/** @distrust: and of the last could not be: nothing is clear, whatever it says */
	bool distrust;
};

/**
 * struct pddgpu_vram_retired - an allocator whose record was not to be trusted
 *
 * It gives out nothing more. But readers know buffers' places by its blocks, so
 * it stays until the last of those is freed.
 */
struct pddgpu_vram_retired {
	/** @mm: the allocator */
	struct gpu_buddy mm;
	/** @users: resources whose blocks are its; under the manager's lock */
	u64 users;
};

/**
 * struct pddgpu_vram_booking - memory of a resource older than the allocator
 */
struct pddgpu_vram_booking {
	/** @blocks: the same memory as the resource's blocks, in the present allocator */
	struct list_head blocks;
	/** @link: in a list of them while the record is rebuilt */
	struct list_head link;
	/** @vres: the resource */
	struct pddgpu_vram_resource *vres;
	/** @home: which allocator the resource's own blocks are from */
	struct pddgpu_vram_retired *home;
};

/**
 * struct pddgpu_vram_inject - faults that were asked for, by a test
 */
struct pddgpu_vram_inject {
	/** @lost: blocks that belong to nobody; the test aid alone remembers them */
	struct list_head lost;
	/** @free: the next resource that is freed is to look wrong */
	bool free;
	/** @alloc: the next allocation is to fail */
	bool alloc;
};

/* Page tables, the interrupt ring, a ring for each engine, and some to spare */
#define PDDGPU_VRAM_RESERVED_RANGES	8

/**
 * struct pddgpu_vram_range - a part of VRAM
 */
struct pddgpu_vram_range {
	/** @start: offset of its first byte */
	u64 start;
	/** @end: of the byte behind it */
	u64 end;
};

/**
 * struct pddgpu_vram_mgr - who allocates VRAM
 */
struct pddgpu_vram_mgr {
	/** @manager: TTM's part; counts buffers' bytes under the LRU lock */
	struct ttm_resource_manager manager;
	/** @ttm: the TTM device; constant */
	struct ttm_device *ttm;
	/** @health: state and counts */
	struct pddgpu_health health;
	/**
	 * @lock: guards what follows up to @visible_used; sleeps, and allocates
	 * memory; the LRU lock and the health's alone are taken inside
	 */
	struct mutex lock;
	/** @mm: the buddy allocator over all VRAM, in bytes */
	struct gpu_buddy mm;
	/** @clear: what is to be cleared */
	struct pddgpu_vram_clear clear;
	/** @reserved_blocks: what the driver keeps for itself, until the end */
	struct list_head reserved_blocks;
	/** @reserved_range: where they lie; constant once there are users, read without @lock */
	struct pddgpu_vram_range reserved_range[PDDGPU_VRAM_RESERVED_RANGES];
	/** @reserved_ranges: how many */
	u32 reserved_ranges;
	/** @live: what buffers hold: the record apart from the allocator's */
	struct list_head live;
	/** @live_count: how many */
	u64 live_count;
	/** @live_bytes: bytes of their blocks */
	u64 live_bytes;
	/** @inject: faults to come */
	struct pddgpu_vram_inject inject;
	/** @reserved: bytes of @reserved_blocks; only grows, all visible; read without */
	atomic64_t reserved;
	/** @visible_used: visible bytes in use, @reserved included; read without */
	atomic64_t visible_used;
	/** @size: bytes of VRAM; constant */
	u64 size;
	/** @visible_size: bytes the CPU reaches, from 0; constant */
	u64 visible_size;
	/** @losses: how often VRAM has been lost */
	atomic_t losses;
	/**
	 * @touched: a bit for each PDDGPU_VRAM_GRANULE that a buffer was ever in; set
	 * under @lock before the buffer gets it, never cleared, read without
	 */
	unsigned long *touched;
	/** @retry: what to do about a transient failure */
	struct pddgpu_retry retry;
};

/**
 * struct pddgpu_vram_request - what an allocation asks for
 */
struct pddgpu_vram_request {
	/** @start: of the range that it is to lie in, bytes */
	u64 start;
	/** @end: of the same, exclusive */
	u64 end;
	/** @size: bytes, a multiple of a page */
	u64 size;
	/** @align: bytes, a power of two, at least a page */
	u64 align;
	/** @contiguous: one range */
	bool contiguous;
	/** @topdown: as high as possible */
	bool topdown;
	/** @first: there is no content yet: it will have to be zeros */
	bool first;
	/** @clear: rather of what is clear than of what is not; set by the manager */
	bool clear;
};

/* What is filled with zeros at least, where VRAM was lost */
#define PDDGPU_VRAM_GRANULE_SHIFT	21
#define PDDGPU_VRAM_GRANULE		BIT_ULL(PDDGPU_VRAM_GRANULE_SHIFT)

/*
 * Whose a block is that is taken: a struct pddgpu_vram_resource; the manager's
 * @clear for what is being cleared; NULL, as a block is born, for the driver itself
 * and for what a fault has lost. Only of blocks of the present allocator.
 */
static inline void pddgpu_vram_tag(struct list_head *blocks, void *whose)
{
	struct gpu_buddy_block *block;

	list_for_each_entry(block, blocks, link)
		block->private = whose;
}

int pddgpu_vram_loss_init(struct pddgpu_vram_mgr *mgr);
void pddgpu_vram_loss_fini(struct pddgpu_vram_mgr *mgr);
void pddgpu_vram_loss_sync(struct pddgpu_vram_mgr *mgr);
void pddgpu_vram_loss_allocated(struct pddgpu_vram_mgr *mgr,
				struct pddgpu_vram_resource *vres);
void pddgpu_vram_clear_doubt(struct pddgpu_vram_mgr *mgr, struct list_head *blocks);

u64 pddgpu_vram_block_visible(struct pddgpu_vram_mgr *mgr,
			      struct gpu_buddy_block *block);
int pddgpu_vram_alloc(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_request *req,
		      struct pddgpu_vram_resource *vres);

int pddgpu_vram_ready(struct pddgpu_vram_mgr *mgr);
int pddgpu_vram_judge(struct pddgpu_vram_mgr *mgr, int ret);
void pddgpu_vram_hold(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_resource *vres);
void pddgpu_vram_release(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_resource *vres);
const char *pddgpu_vram_what_is_wrong(struct pddgpu_vram_mgr *mgr,
				      struct pddgpu_vram_resource *vres);
void pddgpu_vram_retired_put(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_retired *retired);

int pddgpu_vram_clear_init(struct pddgpu_vram_mgr *mgr);
void pddgpu_vram_clear_fini(struct pddgpu_vram_mgr *mgr);
bool pddgpu_vram_clear_has_stale(struct pddgpu_vram_mgr *mgr, u64 bytes);
u64 pddgpu_vram_clear_used(struct pddgpu_vram_mgr *mgr, struct list_head *blocks);
void pddgpu_vram_clear_freed(struct pddgpu_vram_mgr *mgr, struct list_head *blocks);
void pddgpu_vram_clear_undo(struct pddgpu_vram_mgr *mgr, struct list_head *blocks);
void pddgpu_vram_clear_demand(struct pddgpu_vram_mgr *mgr, u64 bytes, bool missed);
void pddgpu_vram_clear_expect(struct pddgpu_vram_mgr *mgr, u64 bytes);
bool pddgpu_vram_clear_wait(struct pddgpu_vram_mgr *mgr);
bool pddgpu_vram_clear_settle(struct pddgpu_vram_mgr *mgr);
void pddgpu_vram_clear_rebuilt(struct pddgpu_vram_mgr *mgr);
void pddgpu_vram_clear_debug(struct pddgpu_vram_mgr *mgr, struct drm_printer *p);

extern const struct pddgpu_health_ops pddgpu_vram_health_ops;

#endif /* PDDGPU_VRAM_MGR_INTERNAL_H */
