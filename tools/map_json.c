// SPDX-License-Identifier: MIT
#include "json.h"
#include "map.h"
#include "out.h"

static json_t *orders_json(const struct map_region *region)
{
	json_t *orders = out_need(json_array());
	unsigned int i;

	for (i = 0; i < MAP_ORDERS; i++) {
		json_t *order;

		if (!region->orders[i])
			continue;
		order = out_need(json_object());
		json_put(order, "bytes", json_count((uint64_t)MAP_PAGE << i));
		json_put(order, "blocks", json_count(region->orders[i]));
		json_add(orders, order);
	}
	return orders;
}

static json_t *blocks_json(const struct map *map, const struct map_region *region)
{
	json_t *blocks = out_need(json_array());
	size_t i;

	for (i = 0; i < region->count; i++) {
		const struct map_block *from = &region->blocks[i];
		json_t *block = out_need(json_object());

		json_put(block, "offset", json_count(from->offset));
		json_put(block, "size", json_count(from->size));
		json_put(block, "state", json_string(state_name((int)from->state)));
		json_put(block, "owner", from->owner == UINT32_MAX ? json_null() :
			 json_count(map->owners[from->owner].rank));
		json_add(blocks, block);
	}
	return blocks;
}

static json_t *region_json(const struct map *map, const struct map_region *region, bool blocks)
{
	json_t *object = out_need(json_object());
	unsigned int state;

	json_put(object, "size", json_count(region->size));
	for (state = 0; state <= PDDGPU_STATE_CLEARING; state++)
		json_put(object, state_names[state], json_count(region->states[state]));
	json_put(object, "unknown", json_count(region->states[PDDGPU_STATE_CLEARING + 1]));
	json_put(object, "blocks_count", json_count(region->count));
	json_put(object, "free_blocks", json_count(region->free_blocks));
	json_put(object, "largest_free_block", json_count(region->largest_block));
	json_put(object, "largest_free_run", json_count(region->largest_run));
	json_put(object, "fragmentation", json_real(map_fragmentation(region)));
	json_put(object, "free_by_size", orders_json(region));
	if (blocks)
		json_put(object, "blocks", blocks_json(map, region));
	return object;
}

static json_t *owners_json(const struct map *map)
{
	json_t *owners = out_need(json_array());
	size_t i;

	for (i = 0; i < map->owner_count; i++) {
		const struct map_owner *from = &map->owners[map->ranked[i]];
		json_t *owner = out_need(json_object());

		json_put(owner, "pid", from->pid ? json_integer(from->pid) : json_null());
		json_put(owner, "comm", *from->comm ? json_text(from->comm) : json_null());
		json_put(owner, "bytes", json_count(from->bytes));
		json_add(owners, owner);
	}
	return owners;
}

json_t *map_json(const struct map *map, bool blocks)
{
	json_t *object = card_json(map->card);
	unsigned int i;

	json_put(object, "error", json_null());
	json_put(object, "name", json_text(map->name));
	for (i = 0; i < map->regions; i++)
		json_put(object, region_names[map->region[i].region], map->region[i].error ?
			 json_null() : region_json(map, &map->region[i], blocks));
	json_put(object, "owners", owners_json(map));
	return object;
}
