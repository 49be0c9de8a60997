/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VRAM manager: TTM's resource manager for the card's own memory, on the
 * kernel's buddy allocator (requirements B1, B3, B5, B6).
 */
#ifndef PDDGPU_VRAM_MGR_H
#define PDDGPU_VRAM_MGR_H

#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include <drm/ttm/ttm_resource.h>

#include "pddgpu_health.h"

struct drm_device;
struct pddgpu_vram_booking;
struct pddgpu_vram_mgr;
struct ttm_device;

/* Requirement C5: three times, 10 ms */
#define PDDGPU_VRAM_ALLOC_RETRY_COUNT	3
#define PDDGPU_VRAM_ALLOC_RETRY_DELAY	10

/*
 * Up to this the CPU has cleared visible VRAM before a job is made: it takes
 * 10 us for that, a job 60 and more, see docs/bench.md
 */
#define PDDGPU_VRAM_CPU_CLEAR	SZ_128K

/**
 * struct pddgpu_retry - how a transient failure is retried (requirement C5)
 *
 * Read and written with READ_ONCE() and WRITE_ONCE(): tunable at run time.
 */
struct pddgpu_retry {
	/** @count: attempts after the first; 0 to 100 */
	u32 count;
	/** @delay_ms: pause before each; 0 to 10000 */
	u32 delay_ms;
};

/**
 * struct pddgpu_vram_resource - VRAM that a buffer holds
 */
struct pddgpu_vram_resource {
	/** @base: TTM's part; its start is the first block's page number */
	struct ttm_resource base;
	/** @blocks: buddy blocks in the order of the buffer's bytes; never others */
	struct list_head blocks;
	/** @live: in the manager's list; under its lock */
	struct list_head live;
	/** @booking: what holds the memory since the record was rebuilt; under its lock */
	struct pddgpu_vram_booking *booking;
	/** @bytes: of @blocks, which may be more than were asked for */
	u64 bytes;
	/** @visible: bytes of them that the CPU reaches */
	u64 visible;
	/** @unclear: bytes of them that did not hold zeros when they were allocated */
	u64 unclear;
	/** @contiguous: the blocks adjoin: the buffer is one range */
	bool contiguous;
	/** @spoilt: what was clear when it was allocated is not any more */
	bool spoilt;
	/** @losses: how often VRAM had been lost when it got what it holds */
	u32 losses;
};

/**
 * struct pddgpu_vram_stats - the VRAM manager's figures (requirement C4)
 */
struct pddgpu_vram_stats {
	/** @total_size: bytes of VRAM */
	u64 total_size;
	/** @used_size: bytes in use, by buffers and the driver */
	u64 used_size;
	/** @visible_used: bytes of them that the CPU reaches */
	u64 visible_used;
	/** @buffers: places that buffers hold, those that they are leaving included */
	u64 buffers;
	/** @health: state and counts */
	struct pddgpu_health_stats health;
};

static inline struct pddgpu_vram_resource *
to_pddgpu_vram_resource(struct ttm_resource *res)
{
	return container_of(res, struct pddgpu_vram_resource, base);
}

struct pddgpu_vram_mgr *pddgpu_vram_mgr_create(struct drm_device *drm);
int pddgpu_vram_mgr_init(struct pddgpu_vram_mgr *mgr, struct drm_device *drm,
			 struct ttm_device *ttm, u64 size, u64 visible_size);
void pddgpu_vram_mgr_shutdown(struct pddgpu_vram_mgr *mgr);
int pddgpu_vram_mgr_reserve(struct pddgpu_vram_mgr *mgr, u64 size, u64 align,
			    u64 *offset);

struct ttm_resource_manager *pddgpu_vram_mgr_to_ttm(struct pddgpu_vram_mgr *mgr);
struct pddgpu_retry *pddgpu_vram_mgr_retry(struct pddgpu_vram_mgr *mgr);
u64 pddgpu_vram_mgr_size(struct pddgpu_vram_mgr *mgr);
u64 pddgpu_vram_mgr_usage(struct pddgpu_vram_mgr *mgr);
u64 pddgpu_vram_mgr_visible_size(struct pddgpu_vram_mgr *mgr);
u64 pddgpu_vram_mgr_visible_usage(struct pddgpu_vram_mgr *mgr);
u64 pddgpu_vram_mgr_invisible_free(struct pddgpu_vram_mgr *mgr);
u64 pddgpu_vram_mgr_reserved(struct pddgpu_vram_mgr *mgr);

struct pddgpu_health *pddgpu_vram_mgr_health(struct pddgpu_vram_mgr *mgr);
bool pddgpu_vram_mgr_is_healthy(struct pddgpu_vram_mgr *mgr);
void pddgpu_vram_mgr_get_stats(struct pddgpu_vram_mgr *mgr, struct pddgpu_vram_stats *stats);
int pddgpu_vram_mgr_check(struct pddgpu_vram_mgr *mgr);
int pddgpu_vram_mgr_recover(struct pddgpu_vram_mgr *mgr);
int pddgpu_vram_mgr_inject(struct pddgpu_vram_mgr *mgr, enum pddgpu_health_fault fault);
u32 pddgpu_vram_mgr_losses(struct pddgpu_vram_mgr *mgr);
void pddgpu_vram_mgr_lose(struct pddgpu_vram_mgr *mgr);
u32 pddgpu_vram_mgr_refresh(struct pddgpu_vram_mgr *mgr, struct ttm_resource *res);
u64 pddgpu_vram_mgr_next_touched(struct pddgpu_vram_mgr *mgr, u64 *from, u64 most);

#endif /* PDDGPU_VRAM_MGR_H */
