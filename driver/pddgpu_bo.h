/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffer objects.
 */
#ifndef PDDGPU_BO_H
#define PDDGPU_BO_H

#include <linux/dma-fence.h>

#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_placement.h>

#include "pddgpu_account.h"
#include "pddgpu_leak.h"

struct dma_buf;
struct drm_file;
struct pddgpu_device;
struct pddgpu_import;
struct pddgpu_unpageable_client;

#define PDDGPU_BO_PLACES	3

/* End of a place that ends with its memory; 0 is the mark of TTM's own places */
#define PDDGPU_BO_PLACE_END	U32_MAX

/**
 * struct pddgpu_bo - a buffer object
 */
struct pddgpu_bo {
	/** @tbo: TTM's part, with the GEM object in it; its reservation guards the rest */
	struct ttm_buffer_object tbo;
	/** @number: its name in tracepoints, given out once; 0 until it is made; constant */
	u64 number;
	/** @domains: where it may live, PDDGPU_GEM_DOMAIN_* */
	u32 domains;
	/**
	 * @flags: creation flags, PDDGPU_GEM_CREATE_*; constant, and so without
	 * that of unpageable buffers
	 */
	u32 flags;
	/** @settle: moves are to be over when they return */
	bool settle;
	/** @swap_link: among those that were to be swapped out, see pddgpu_swap.c */
	struct list_head swap_link;
	/** @swap_tries: how often it has got no place again; under the reservation */
	u8 swap_tries;
	/** @import: imported: whose pages it has, see pddgpu_import.c */
	struct pddgpu_import *import;
	/** @import_link: among those that have them too */
	struct list_head import_link;
	/** @starving: jiffies when a CPU fault first found no pages for it, or 0 */
	unsigned long starving;
	/** @starved: jiffies when one last did, while @starving */
	unsigned long starved;
	/** @free_start: when its last user let go, for the statistics */
	u64 free_start;
	/** @created: it was made, so its end counts as a deallocation */
	bool created;
	/**
	 * @dma_buf: imported: what from, with a reference; TTM uses its
	 * reservation to the end, also when the import fails
	 */
	struct dma_buf *dma_buf;
	/** @unplugged_page: what CPU mappings see once the card is gone, or NULL */
	struct page *unplugged_page;
	/** @wishes: that it be unpageable, struct pddgpu_wish */
	struct list_head wishes;
	/** @wish_count: how many; read without the reservation as a hint */
	u32 wish_count;
	/** @listed: the last listing that it is in; under TTM's LRU lock */
	u32 listed;
	/** @vram_lost: what it held was lost with VRAM, and no user has said that he knows */
	bool vram_lost;
	/**
	 * @leaving: how often VRAM had been lost when the last move out of it began
	 * that nobody has waited for
	 */
	u32 leaving;
	/** @left: tells when that move is over */
	struct dma_fence_cb left;
	/** @leaving_fence: that of the move, with a reference; or NULL */
	struct dma_fence *leaving_fence;
	union {
		/** @leak: its entry in the leak tracker */
		struct pddgpu_leak_node leak;
		/** @named: the same, with its label */
		struct pddgpu_leak_named named;
	};
	/** @account: its entry in clients' accounts */
	struct pddgpu_account_node account;
	/** @used_ns: when a job that uses it was last submitted; 0 never. Without a lock */
	u64 used_ns;
	/** @touched_ns: when it was last mapped, or the CPU last faulted on it; the same */
	u64 touched_ns;
	/** @maps: mappings of it in processes, but for an imported one */
	atomic_t maps;
	/** @idle: a hint: it has no fence that is not signalled, see pddgpu_bo_evidence.c */
	bool idle;
	/** @unfreed: a file of who allocated it was closed before its handle; without a lock */
	bool unfreed;
};

/**
 * struct pddgpu_bo_param - what a buffer is made of
 */
struct pddgpu_bo_param {
	/** @size: bytes */
	u64 size;
	/** @alignment: bytes; 0 or a power of two */
	u32 alignment;
	/** @domains: where it may live */
	u32 domains;
	/** @flags: creation flags */
	u32 flags;
	/** @client: through which the current process asks, for the leak tracker */
	struct pddgpu_leak_client *client;
	/** @account: whom moves are charged to that this takes; or NULL */
	struct pddgpu_account_client *account;
	/** @dma_buf: what it is imported from, its reservation locked; or NULL */
	struct dma_buf *dma_buf;
	/** @import: its mapping, with @dma_buf */
	struct pddgpu_import *import;
};

/**
 * struct pddgpu_bo_wanted - where a client wants a buffer to live
 */
struct pddgpu_bo_wanted {
	/** @domains: a non-empty set */
	u32 domains;
	/** @flags: PDDGPU_GEM_SET_* */
	u32 flags;
	/** @client: who wants it */
	struct pddgpu_unpageable_client *client;
	/** @account: whom moves are charged to that this takes */
	struct pddgpu_account_client *account;
	/** @file: the client's file */
	struct drm_file *file;
	/** @handle: the buffer's in that file */
	u32 handle;
};

static inline struct pddgpu_bo *to_pddgpu_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct pddgpu_bo, tbo);
}

static inline struct pddgpu_bo *gem_to_pddgpu_bo(struct drm_gem_object *obj)
{
	return container_of(obj, struct pddgpu_bo, tbo.base);
}

void pddgpu_bo_destroy(struct ttm_buffer_object *tbo);

/**
 * pddgpu_bo_is_ours() - is it a buffer of this driver, and no ghost?
 * @tbo: what TTM hands to a callback
 *
 * TTM makes copies of a buffer to free its old memory after a move; they have
 * no driver part behind them.
 *
 * Return: false for such a copy.
 */
static inline bool pddgpu_bo_is_ours(struct ttm_buffer_object *tbo)
{
	return tbo->destroy == pddgpu_bo_destroy;
}

/**
 * struct pddgpu_bo_placement - a TTM placement with its places
 */
struct pddgpu_bo_placement {
	/** @base: what TTM takes */
	struct ttm_placement base;
	/** @places: what it points at */
	struct ttm_place places[PDDGPU_BO_PLACES];
};

int pddgpu_bo_placement_init(struct pddgpu_device *pdev,
			     struct pddgpu_bo_placement *placement, u64 size,
			     u64 alignment, u32 domains, u32 flags);
bool pddgpu_bo_is_visible(const struct pddgpu_bo *bo);
int pddgpu_bo_make_visible(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			   struct ttm_operation_ctx *ctx);
int pddgpu_bo_check(struct pddgpu_device *pdev, const struct pddgpu_bo_param *param);
struct pddgpu_bo *pddgpu_bo_create(struct pddgpu_device *pdev,
				   const struct pddgpu_bo_param *param);
int pddgpu_bo_set_domains(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			  const struct pddgpu_bo_wanted *wanted, u32 *now);
void pddgpu_bo_moved(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
		     const struct ttm_resource *now, bool evict);
enum pddgpu_account_region pddgpu_bo_region(u32 domains);
u32 pddgpu_bo_domain(const struct ttm_resource *res);
u64 pddgpu_bo_gpu_address(struct pddgpu_device *pdev, struct pddgpu_bo *bo);

#endif /* PDDGPU_BO_H */
