/* SPDX-License-Identifier: MIT */
#ifndef MAP_H
#define MAP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "card.h"
#include "facts.h"

#define MAP_PAGE 4096
/* Blocks of a page, of two, ... of 2^(this - 1) and more */
#define MAP_ORDERS 32

/**
 * struct map_owner - who has something in the picture
 */
struct map_owner {
	int32_t pid;
	char comm[PDDGPU_COMM_MAX];
	enum alive alive;
	/** @bytes: in all regions that are shown */
	uint64_t bytes;
	/** @rank: 0 for who has most; decides on the colour */
	uint32_t rank;
};

/**
 * struct map_block - a block, as short as 100,000 of them should be
 */
struct map_block {
	uint64_t offset, size;
	/** @owner: place in the owners; UINT32_MAX none */
	uint32_t owner;
	/** @state: enum pddgpu_state, which fits */
	uint32_t state;
};

/**
 * struct map_region - VRAM or the GTT
 */
struct map_region {
	unsigned int region;
	/** @error: why there are no blocks */
	int error;
	struct map_block *blocks;
	size_t count, room;
	/** @size: behind the last block */
	uint64_t size;
	/** @states: bytes of each, the last of those unknown */
	uint64_t states[PDDGPU_STATE_CLEARING + 2];
	/** @free_blocks: how many there are */
	uint64_t free_blocks;
	/** @orders: of them, by size */
	uint64_t orders[MAP_ORDERS];
	/** @largest_block: the largest of them */
	uint64_t largest_block;
	/** @largest_run: of free blocks that touch each other, together */
	uint64_t largest_run;
};

/**
 * struct map - a card's memory, as it lies
 */
struct map {
	const struct card *card;
	char name[16];
	struct map_region region[2];
	unsigned int regions;
	struct map_owner *owners;
	size_t owner_count, owner_room;
	/** @last_owner: the one of the block before; UINT32_MAX none */
	uint32_t last_owner;
	/** @ranked: places in owners, who has most first */
	uint32_t *ranked;
	/* Of hash values: places in owners, and 1 */
	uint32_t *slots;
	size_t slots_count;
};

enum map_by { MAP_BY_OWNER, MAP_BY_STATE };

/* What a cell of a picture shows: an owner's rank, or a state and this */
#define MAP_STATE 0x80000000U

/**
 * struct map_cell - a piece of a region that is shown as one
 */
struct map_cell {
	/** @key: who or what has most of it */
	uint32_t key;
	/** @used: how much of it is used, of 255; at least 1 if any is */
	uint8_t used;
};

/* which: bits 1 VRAM, 2 GTT. 0 or a negative errno; regions have errors of their own. */
int map_read(const struct card *card, unsigned int which, struct map *map);
void map_free(struct map *map);
/* The region in so many cells of the same size, of which the last may be behind it */
void map_cells(const struct map *map, const struct map_region *region, enum map_by by,
	       uint64_t cell_bytes, struct map_cell *cells, size_t count);
/* 0: all that is free is in one piece; towards 1: in dust. 0 when nothing is free. */
double map_fragmentation(const struct map_region *region);
uint64_t map_free_bytes(const struct map_region *region);
/* "name (pid 12)" as it is, not yet fit to be shown */
void map_owner_name(const struct map_owner *owner, char *text, size_t room);

/* At most so many rows for all regions; 0: what the terminal has */
void map_print(const struct map *map, enum map_by by, unsigned int rows);
/* Several cards below each other; false: ferror(to) */
void map_svg(FILE *to, const struct map *maps, unsigned int count, enum map_by by);
json_t *map_json(const struct map *map, bool blocks);

#endif
