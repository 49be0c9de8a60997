// SPDX-License-Identifier: GPL-2.0
/*
 * Reads what lies where, some blocks at a time, under the lock of the segment's
 * manager; between two times the reader remembers no more than an address. So each
 * byte is told of once, in order, with no gap, whatever happens meanwhile; and what
 * happens meanwhile is seen where the reader has not been yet.
 *
 * Locks: the manager's, in which a resource cannot go away; then TTM's LRU lock, in
 * which it keeps its buffer; then the leak tracker's.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <drm/drm_drv.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_bo.h"
#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_extent.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_leak.h"
#include "pddgpu_map.h"
#include "pddgpu_vram_mgr.h"

/*
 * Blocks looked at in one go. VRAM's manager has a mutex, and others that want it
 * sleep; the GTT's has a spinlock.
 */
#define PDDGPU_MAP_VRAM_BATCH	256
#define PDDGPU_MAP_GTT_BATCH	32

/**
 * struct pddgpu_map - a reader's place in a segment
 */
struct pddgpu_map {
	/** @pdev: the device, with a reference */
	struct pddgpu_device *pdev;
	/** @domain: of the segment; PDDGPU_GEM_DOMAIN_VRAM or PDDGPU_GEM_DOMAIN_GTT */
	u32 domain;
	/** @size: bytes of the segment */
	u64 size;
	/** @next: where to go on */
	u64 next;
	/** @budget: blocks that may still be looked at in this go */
	unsigned int budget;
	/** @held: of the last part in this go, in which it cannot go away; or NULL */
	const struct ttm_resource *held;
	/** @nr: blocks copied */
	unsigned int nr;
	/** @pos: blocks handed out */
	unsigned int pos;
	/** @blocks: the batch, and the last one of the one before it */
	struct pddgpu_map_block blocks[PDDGPU_MAP_VRAM_BATCH + 1];
};

/**
 * pddgpu_map_create() - prepare to read what lies where
 * @pdev: the device
 * @domain: PDDGPU_GEM_DOMAIN_VRAM or PDDGPU_GEM_DOMAIN_GTT
 *
 * The reader keeps the device from being released. It is at the beginning.
 *
 * Return: a reader for one thread at a time, or NULL when there is no memory.
 */
struct pddgpu_map *pddgpu_map_create(struct pddgpu_device *pdev, u32 domain)
{
	struct pddgpu_map *map = kvzalloc(sizeof(*map), GFP_KERNEL);

	if (!map)
		return NULL;
	drm_dev_get(&pdev->drm);
	map->pdev = pdev;
	map->domain = domain;
	map->size = domain == PDDGPU_GEM_DOMAIN_VRAM ? pddgpu_vram_mgr_size(pdev->vram_mgr) :
						       pddgpu_gtt_mgr_aperture(pdev->gtt_mgr);
	return map;
}

/**
 * pddgpu_map_destroy() - end reading
 * @map: the reader, or NULL
 */
void pddgpu_map_destroy(struct pddgpu_map *map)
{
	struct drm_device *drm;

	if (!map)
		return;
	drm = &map->pdev->drm;
	kvfree(map);
	drm_dev_put(drm);
}

/**
 * pddgpu_map_seek() - go on elsewhere
 * @map: the reader
 * @offset: where to, in the segment: whole pages; beyond the end there is nothing
 */
void pddgpu_map_seek(struct pddgpu_map *map, u64 offset)
{
	map->next = offset;
	map->nr = 0;
	map->pos = 0;
}

/*
 * The buffer whose place a resource is; NULL for one that a move has left, or leads
 * to. Valid as long as the LRU lock is held, and the manager's.
 */
static struct pddgpu_bo *pddgpu_map_bo(struct pddgpu_device *pdev, struct ttm_resource *res)
{
	struct ttm_buffer_object *tbo = res->bo;

	lockdep_assert_held(&pdev->ttm.lru_lock);

	if (!tbo || !pddgpu_bo_is_ours(tbo) || READ_ONCE(tbo->resource) != res)
		return NULL;
	return to_pddgpu_bo(tbo);
}

/* Whose is it? What a buffer has is what it says it has; the rest is the kernel's. */
static void pddgpu_map_look(struct pddgpu_map *map, struct ttm_resource *res,
			    struct pddgpu_map_block *block)
{
	struct pddgpu_device *pdev = map->pdev;
	struct pddgpu_bo *bo;

	block->res = res;
	spin_lock(&pdev->ttm.lru_lock);
	bo = pddgpu_map_bo(pdev, res);
	if (bo && pddgpu_leak_read_holder(pdev->leaks, &bo->leak, &block->holder))
		block->state = (enum pddgpu_map_state)block->holder.state;
	spin_unlock(&pdev->ttm.lru_lock);
}

/* Is it the same as the one before it? Free blocks stay what they are. */
static bool pddgpu_map_adjoins(const struct pddgpu_map_block *last,
			       const struct pddgpu_map_block *block)
{
	return block->state != PDDGPU_MAP_FREE && block->state == last->state &&
	       block->res == last->res && block->holder.client_id == last->holder.client_id &&
	       block->holder.pid == last->holder.pid;
}

static bool pddgpu_map_extent(const struct pddgpu_extent *extent, void *data)
{
	static const enum pddgpu_map_state states[] = {
		[PDDGPU_EXTENT_FREE] = PDDGPU_MAP_FREE,
		[PDDGPU_EXTENT_CLEARING] = PDDGPU_MAP_CLEARING,
		[PDDGPU_EXTENT_KERNEL] = PDDGPU_MAP_KERNEL,
		[PDDGPU_EXTENT_RESOURCE] = PDDGPU_MAP_KERNEL,
	};
	struct pddgpu_map *map = data;
	struct pddgpu_map_block *block = &map->blocks[map->nr];
	u64 size = extent->end - extent->start;

	/* Under one and the same lock the same resource is the same buffer's still */
	if (extent->res && extent->res == map->held) {
		block[-1].size += size;
		return --map->budget;
	}
	map->held = extent->res;
	memset(block, 0, sizeof(*block));
	block->offset = extent->start;
	block->size = size;
	block->state = states[extent->kind];
	if (extent->res)
		pddgpu_map_look(map, extent->res, block);
	if (map->nr && pddgpu_map_adjoins(block - 1, block))
		block[-1].size += size;
	else
		map->nr++;
	return --map->budget;
}

/* The last block may go on in the next batch, so it is kept back until then. */
static void pddgpu_map_fetch(struct pddgpu_map *map)
{
	bool vram = map->domain == PDDGPU_GEM_DOMAIN_VRAM;

	if (map->nr)
		map->blocks[0] = map->blocks[map->nr - 1];
	map->nr = map->nr ? 1 : 0;
	map->pos = 0;
	map->held = NULL;
	if (vram) {
		map->budget = PDDGPU_MAP_VRAM_BATCH;
		map->next = pddgpu_vram_mgr_walk(map->pdev->vram_mgr, map->next,
						 pddgpu_map_extent, map);
	} else {
		map->budget = PDDGPU_MAP_GTT_BATCH;
		map->next = pddgpu_gtt_mgr_walk(map->pdev->gtt_mgr, map->next,
						pddgpu_map_extent, map);
	}
}

/**
 * pddgpu_map_next() - the next block
 * @map: the reader
 *
 * Context: process, may sleep; no lock of those in the head of this file held.
 * Return: a block, good until the next call, or NULL at the end of the segment.
 */
const struct pddgpu_map_block *pddgpu_map_next(struct pddgpu_map *map)
{
	while (map->pos + 1 >= map->nr && map->next < map->size) {
		pddgpu_map_fetch(map);
		cond_resched();
	}
	return map->pos < map->nr ? &map->blocks[map->pos++] : NULL;
}

/**
 * struct pddgpu_map_search - whose is an address?
 */
struct pddgpu_map_search {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @record: gets what is known of the buffer; a size of 0: there is none */
	struct pddgpu_leak_record *record;
};

static bool pddgpu_map_found(const struct pddgpu_extent *extent, void *data)
{
	struct pddgpu_map_search *search = data;
	struct pddgpu_device *pdev = search->pdev;
	struct pddgpu_bo *bo;

	if (extent->res) {
		spin_lock(&pdev->ttm.lru_lock);
		bo = pddgpu_map_bo(pdev, extent->res);
		if (bo)
			pddgpu_leak_read_named(pdev->leaks, &bo->named, search->record);
		spin_unlock(&pdev->ttm.lru_lock);
	}
	return false;
}

/**
 * pddgpu_map_find() - what buffer is at an address?
 * @pdev: the device
 * @addr: a GPU address
 * @record: out: what is known of it
 *
 * Context: as pddgpu_map_next().
 * Return: 0; -ERANGE for an address that the card has not, -ENOENT where there is no
 * buffer that is tracked.
 */
int pddgpu_map_find(struct pddgpu_device *pdev, u64 addr, struct pddgpu_leak_record *record)
{
	struct pddgpu_map_search search = { .pdev = pdev, .record = record };
	u64 vram = addr - pdev->chip->vram_start, gtt = addr - pdev->chip->gtt_start;

	record->size = 0;
	if (vram < pddgpu_vram_mgr_size(pdev->vram_mgr))
		pddgpu_vram_mgr_walk(pdev->vram_mgr, round_down(vram, PAGE_SIZE),
				     pddgpu_map_found, &search);
	else if (gtt < pddgpu_gtt_mgr_aperture(pdev->gtt_mgr))
		pddgpu_gtt_mgr_walk(pdev->gtt_mgr, round_down(gtt, PAGE_SIZE),
				    pddgpu_map_found, &search);
	else
		return -ERANGE;
	return record->size ? 0 : -ENOENT;
}
