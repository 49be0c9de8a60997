// SPDX-License-Identifier: MIT
/*
 * What lies where: reads the blocks, in one pass and with little for each, since there
 * may be a hundred thousand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "out.h"

#define NOBODY UINT32_MAX
/* Where a region ends at the latest: sums and doubled cells do not overflow */
#define SIZE_LIMIT (1ULL << 62)

static size_t hash(int32_t pid, const char *comm)
{
	uint64_t value = 0xcbf29ce484222325 ^ (uint32_t)pid;

	while (*comm)
		value = (value ^ (unsigned char)*comm++) * 0x100000001b3;
	return (size_t)(value ^ value >> 32);
}

static size_t slot_of(const struct map *map, int32_t pid, const char *comm)
{
	size_t at = hash(pid, comm) & (map->slots_count - 1);

	while (map->slots[at]) {
		const struct map_owner *owner = &map->owners[map->slots[at] - 1];

		if (owner->pid == pid && !strcmp(owner->comm, comm))
			break;
		at = (at + 1) & (map->slots_count - 1);
	}
	return at;
}

static void slots_grow(struct map *map)
{
	size_t i;

	free(map->slots);
	map->slots_count = map->slots_count ? map->slots_count * 2 : 256;
	map->slots = out_need(calloc(map->slots_count, sizeof(*map->slots)));
	for (i = 0; i < map->owner_count; i++)
		map->slots[slot_of(map, map->owners[i].pid, map->owners[i].comm)] =
			(uint32_t)i + 1;
}

static uint32_t owner_of(struct map *map, const struct pddgpu_block *block)
{
	struct map_owner *owner;
	size_t slot;

	/* Neighbours are often of one owner. */
	if (map->last_owner != NOBODY) {
		owner = &map->owners[map->last_owner];
		if (owner->pid == block->pid && !strcmp(owner->comm, block->comm))
			return map->last_owner;
	}
	if (map->owner_count * 2 >= map->slots_count)
		slots_grow(map);
	slot = slot_of(map, block->pid, block->comm);
	if (map->slots[slot])
		return map->last_owner = map->slots[slot] - 1;
	if (map->owner_count == map->owner_room) {
		map->owner_room = map->owner_room * 2 + 64;
		map->owners = out_need(realloc(map->owners,
					       map->owner_room * sizeof(*map->owners)));
	}
	owner = &map->owners[map->owner_count++];
	memset(owner, 0, sizeof(*owner));
	owner->pid = block->pid;
	memcpy(owner->comm, block->comm, sizeof(owner->comm));
	map->slots[slot] = (uint32_t)map->owner_count;
	return map->last_owner = (uint32_t)map->owner_count - 1;
}

static unsigned int order_of(uint64_t size)
{
	uint64_t pages = size / MAP_PAGE;
	unsigned int order = pages ? 63 - (unsigned int)__builtin_clzll(pages) : 0;

	return order < MAP_ORDERS ? order : MAP_ORDERS - 1;
}

static bool is_free(uint32_t state)
{
	return state == PDDGPU_STATE_FREE || state == PDDGPU_STATE_CLEARING;
}

static bool is_owned(uint32_t state)
{
	return state < PDDGPU_STATES_OWNED;
}

static void add_block(struct map *map, struct map_region *region,
		      const struct pddgpu_block *from)
{
	struct map_block *block;
	uint32_t state = from->state;

	if (region->count == region->room) {
		region->room = region->room * 2 + 1024;
		region->blocks = out_need(realloc(region->blocks,
						  region->room * sizeof(*region->blocks)));
	}
	block = &region->blocks[region->count++];
	block->offset = from->offset;
	block->size = from->size;
	block->state = state > PDDGPU_STATE_CLEARING ? PDDGPU_STATE_CLEARING + 1 : state;
	block->owner = NOBODY;
	region->states[block->state] += block->size;
	region->size = block->offset + block->size;
	if (is_owned(state)) {
		block->owner = owner_of(map, from);
		map->owners[block->owner].bytes += block->size;
	}
}

static void measure_free(struct map_region *region)
{
	uint64_t run = 0, end = 0;
	size_t i;

	for (i = 0; i < region->count; i++) {
		const struct map_block *block = &region->blocks[i];

		if (!is_free(block->state)) {
			run = 0;
			continue;
		}
		region->free_blocks++;
		region->orders[order_of(block->size)]++;
		if (region->largest_block < block->size)
			region->largest_block = block->size;
		run = run && end == block->offset ? run + block->size : block->size;
		end = block->offset + block->size;
		if (region->largest_run < run)
			region->largest_run = run;
	}
}

/* Only an order that is none, of blocks that nobody could show, is refused */
static int read_region(struct map *map, struct map_region *region)
{
	uint32_t domain = region->region == PDDGPU_REGION_VRAM ? PDDGPU_GEM_DOMAIN_VRAM :
			  PDDGPU_GEM_DOMAIN_GTT;
	struct pddgpu_blocks *reader;
	struct pddgpu_block block;
	int ret;

	ret = pddgpu_blocks_open(map->card->dev, domain, &reader);
	if (ret)
		return ret;
	while ((ret = pddgpu_blocks_next(reader, &block)) > 0 || ret == -EPROTO) {
		if (ret < 0)
			continue;
		if (!block.size || block.offset < region->size || block.size > SIZE_LIMIT ||
		    block.offset > SIZE_LIMIT - block.size) {
			ret = -EPROTO;
			break;
		}
		add_block(map, region, &block);
	}
	pddgpu_blocks_close(reader);
	measure_free(region);
	return ret;
}

static const struct map_owner *ranking;

static int by_bytes(const void *a, const void *b)
{
	const struct map_owner *x = &ranking[*(const uint32_t *)a];
	const struct map_owner *y = &ranking[*(const uint32_t *)b];
	int order = (x->bytes < y->bytes) - (x->bytes > y->bytes);

	if (!order)
		order = (x->pid > y->pid) - (x->pid < y->pid);
	return order ? order : strcmp(x->comm, y->comm);
}

static void rank(struct map *map)
{
	uint32_t i;

	map->ranked = out_need(malloc((map->owner_count + 1) * sizeof(*map->ranked)));
	for (i = 0; i < map->owner_count; i++)
		map->ranked[i] = i;
	ranking = map->owners;
	if (map->owner_count)
		qsort(map->ranked, map->owner_count, sizeof(*map->ranked), by_bytes);
	for (i = 0; i < map->owner_count; i++)
		map->owners[map->ranked[i]].rank = i;
}

int map_read(const struct card *card, unsigned int which, struct map *map)
{
	struct drm_pddgpu_device_info info;
	unsigned int i;
	int ret;

	memset(map, 0, sizeof(*map));
	map->last_owner = NOBODY;
	map->card = card;
	ret = pddgpu_query_info(card->dev, &info);
	if (ret)
		return ret;
	memcpy(map->name, info.name, sizeof(map->name));
	map->name[sizeof(map->name) - 1] = '\0';
	for (i = 0; i < 2; i++) {
		struct map_region *region = &map->region[map->regions];

		if (!(which & 1U << i))
			continue;
		region->region = i ? PDDGPU_REGION_GTT : PDDGPU_REGION_VRAM;
		region->error = read_region(map, region);
		if (region->error == -ENODEV)
			return -ENODEV;
		map->regions++;
	}
	rank(map);
	/* The few that a picture names */
	for (i = 0; i < map->owner_count && i < 64; i++) {
		struct map_owner *owner = &map->owners[map->ranked[i]];

		owner->alive = process_alive(owner->pid, owner->comm);
	}
	return 0;
}

void map_free(struct map *map)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		free(map->region[i].blocks);
	free(map->owners);
	free(map->ranked);
	free(map->slots);
	memset(map, 0, sizeof(*map));
}

uint64_t map_free_bytes(const struct map_region *region)
{
	return region->states[PDDGPU_STATE_FREE] + region->states[PDDGPU_STATE_CLEARING];
}

double map_fragmentation(const struct map_region *region)
{
	uint64_t bytes = map_free_bytes(region);

	return bytes ? 1 - (double)region->largest_run / (double)bytes : 0;
}

void map_owner_name(const struct map_owner *owner, char *text, size_t room)
{
	if (owner->pid || *owner->comm)
		snprintf(text, room, "%s (pid %d)", owner->comm, owner->pid);
	else
		snprintf(text, room, "nobody");
}

/**
 * struct sums - bytes in a cell by what they are
 */
struct sums {
	uint64_t *ranks;		/* by rank */
	uint32_t *touched;		/* those that are not 0 */
	size_t count;
	uint64_t states[PDDGPU_STATE_CLEARING + 2];
};

static void sum_add(struct sums *sums, const struct map *map, const struct map_block *block,
		    enum map_by by, uint64_t bytes)
{
	uint32_t place;

	sums->states[block->state] += bytes;
	if (by != MAP_BY_OWNER || block->owner == NOBODY)
		return;
	place = map->owners[block->owner].rank;
	if (!sums->ranks[place])
		sums->touched[sums->count++] = place;
	sums->ranks[place] += bytes;
}

static struct map_cell sum_cell(struct sums *sums, enum map_by by, uint64_t whole)
{
	struct map_cell cell = { .key = MAP_STATE | PDDGPU_STATE_FREE };
	uint64_t most = 0, used = 0;
	uint32_t state;
	size_t i;

	for (state = 0; state <= PDDGPU_STATE_CLEARING + 1; state++) {
		if (is_free(state))
			continue;
		used += sums->states[state];
		if (by == MAP_BY_OWNER && is_owned(state))
			continue;
		if (most < sums->states[state]) {
			most = sums->states[state];
			cell.key = MAP_STATE | state;
		}
	}
	for (i = 0; i < sums->count; i++) {
		if (most < sums->ranks[sums->touched[i]]) {
			most = sums->ranks[sums->touched[i]];
			cell.key = sums->touched[i];
		}
		sums->ranks[sums->touched[i]] = 0;
	}
	if (!used && sums->states[PDDGPU_STATE_CLEARING])
		cell.key = MAP_STATE | PDDGPU_STATE_CLEARING;
	cell.used = (uint8_t)((double)used / (double)whole * 255);
	if (used && !cell.used)
		cell.used = 1;
	sums->count = 0;
	memset(sums->states, 0, sizeof(sums->states));
	return cell;
}

void map_cells(const struct map *map, const struct map_region *region, enum map_by by,
	       uint64_t cell_bytes, struct map_cell *cells, size_t count)
{
	struct sums sums = {
		.ranks = out_need(calloc(map->owner_count + 1, sizeof(uint64_t))),
		.touched = out_need(calloc(map->owner_count + 1, sizeof(uint32_t))),
	};
	size_t at = 0, i;

	for (i = 0; i < count; i++) {
		uint64_t from = i * cell_bytes, to = from + cell_bytes;

		for (; at < region->count; at++) {
			const struct map_block *block = &region->blocks[at];
			uint64_t end = block->offset + block->size;
			uint64_t first = block->offset > from ? block->offset : from;
			uint64_t last = end < to ? end : to;

			if (last > first)
				sum_add(&sums, map, block, by, last - first);
			if (end > to)
				break;
		}
		cells[i] = sum_cell(&sums, by, cell_bytes);
	}
	free(sums.ranks);
	free(sums.touched);
}
