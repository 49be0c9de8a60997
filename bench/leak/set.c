// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "leak.h"

void set_add(struct set *set, struct buffer *buffer)
{
	if (!buffer)
		return;
	if (set->count == set->room) {
		set->room = set->room ? 2 * set->room : 16;
		set->items = need(realloc(set->items, set->room * sizeof(void *)));
	}
	set->items[set->count++] = buffer;
}

struct buffer *set_take(struct set *set, size_t index)
{
	struct buffer *buffer = set->items[index];

	set->items[index] = set->items[--set->count];
	return buffer;
}

struct buffer *set_first(struct set *set)
{
	struct buffer *buffer = set->items[0];

	set->count--;
	memmove(set->items, set->items + 1, set->count * sizeof(void *));
	return buffer;
}

void set_use(struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		buffer_use(set->items[i]);
}

void set_use_some(struct set *set, struct rng *rng, double chance)
{
	for (size_t i = 0; i < set->count; i++)
		if (rng_chance(rng, chance))
			buffer_use(set->items[i]);
}

void set_release(struct set *set, struct client *client, const char *place)
{
	while (set->count)
		release(client, place, set->items[--set->count]);
}

void set_free(struct set *set)
{
	free(set->items);
	memset(set, 0, sizeof(*set));
}

unsigned int cache_pick(struct cache *cache, struct rng *rng)
{
	/* The share of all wishes that goes to the first x of them is x^(1-skew) */
	double at = pow(rng_unit(rng), 1.0 / (1.0 - cache->skew)) * cache->keys;

	return ((unsigned int)at + cache->shift) % cache->keys;
}

static void evict(struct cache *cache, struct client *client)
{
	size_t oldest = 0;

	for (size_t i = 1; i < cache->count; i++)
		if (cache->entries[i].used_ns < cache->entries[oldest].used_ns)
			oldest = i;
	cache->bytes -= cache->entries[oldest].buffer->object.size;
	release(client, cache->place, cache->entries[oldest].buffer);
	cache->entries[oldest] = cache->entries[--cache->count];
}

bool cache_want(struct cache *cache, struct client *client, unsigned int key)
{
	uint64_t limit = cache->limit / client->world->scale;
	struct buffer *buffer;
	struct rng rng;

	for (size_t i = 0; i < cache->count; i++) {
		if (cache->entries[i].key == key) {
			cache->entries[i].used_ns = client->world->now;
			buffer_use(cache->entries[i].buffer);
			return true;
		}
	}
	rng_seed(&rng, cache->seed, key);
	buffer = buffer_new(client, cache->place, rng_bytes(&rng, cache->low, cache->high),
			    cache->where);
	if (!buffer)
		return false;
	while (cache->count && cache->bytes + buffer->object.size > limit)
		evict(cache, client);
	if (cache->count == cache->room) {
		cache->room = cache->room ? 2 * cache->room : 32;
		cache->entries = need(realloc(cache->entries,
					      cache->room * sizeof(*cache->entries)));
	}
	cache->entries[cache->count].buffer = buffer;
	cache->entries[cache->count].key = key;
	cache->entries[cache->count++].used_ns = client->world->now;
	cache->bytes += buffer->object.size;
	buffer_use(buffer);
	return false;
}

void cache_release(struct cache *cache, struct client *client)
{
	while (cache->count)
		release(client, cache->place, cache->entries[--cache->count].buffer);
	cache->bytes = 0;
}

void cache_free(struct cache *cache)
{
	free(cache->entries);
	cache->entries = NULL;
	cache->count = 0;
	cache->room = 0;
}
