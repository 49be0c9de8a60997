/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lies where in VRAM and in the GTT aperture, and whose it is.
 */
#ifndef PDDGPU_MAP_H
#define PDDGPU_MAP_H

#include <linux/types.h>

#include "pddgpu_leak.h"

struct pddgpu_device;
struct pddgpu_map;

/**
 * enum pddgpu_map_state - what a part of a segment is; the first are as in the tracker
 */
enum pddgpu_map_state {
	/** @PDDGPU_MAP_LIVE: a buffer's, that is LIVE */
	PDDGPU_MAP_LIVE = PDDGPU_LEAK_LIVE,
	/** @PDDGPU_MAP_ORPHAN: the same, ORPHAN */
	PDDGPU_MAP_ORPHAN = PDDGPU_LEAK_ORPHAN,
	/** @PDDGPU_MAP_ZOMBIE: the same, ZOMBIE */
	PDDGPU_MAP_ZOMBIE = PDDGPU_LEAK_ZOMBIE,
	/**
	 * @PDDGPU_MAP_KERNEL: the driver's own; what a buffer that has moved has not
	 * given back yet, or one that moves or is made has already; what is not tracked
	 */
	PDDGPU_MAP_KERNEL,
	/** @PDDGPU_MAP_FREE: nobody's */
	PDDGPU_MAP_FREE,
	/** @PDDGPU_MAP_CLEARING: nobody's, being filled with zeros */
	PDDGPU_MAP_CLEARING,
	/** @PDDGPU_MAP_STATES: how many there are */
	PDDGPU_MAP_STATES,
};

/**
 * struct pddgpu_map_block - a part of a segment
 */
struct pddgpu_map_block {
	/** @offset: of its first byte in the segment */
	u64 offset;
	/** @size: bytes */
	u64 size;
	/** @res: the resource that it is of; only to be compared with */
	const void *res;
	/** @state: enum pddgpu_map_state */
	enum pddgpu_map_state state;
	/** @holder: whose it is; zeros where it is no buffer's */
	struct pddgpu_leak_holder holder;
};

struct pddgpu_map *pddgpu_map_create(struct pddgpu_device *pdev, u32 domain);
void pddgpu_map_destroy(struct pddgpu_map *map);
void pddgpu_map_seek(struct pddgpu_map *map, u64 offset);
const struct pddgpu_map_block *pddgpu_map_next(struct pddgpu_map *map);
int pddgpu_map_find(struct pddgpu_device *pdev, u64 addr, struct pddgpu_leak_record *record);

#endif /* PDDGPU_MAP_H */
