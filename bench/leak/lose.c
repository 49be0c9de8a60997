// SPDX-License-Identifier: MIT
/*
 * Leaks. A client that has done with a buffer releases it; where one of its faults is,
 * that does not happen. From then on nobody uses it, whoever still has it in some list:
 * a person with the source would say so. That moment is the truth; world.c sees to it
 * that it stays true.
 */
#include <string.h>

#include "leak.h"

/* So many at least are a burst, however long it takes */
#define LEAST	6
/* A place where nothing happens for so long is not where the fault is */
#define LONG_NS	(10 * MIN)

const char *const leak_names[LEAK_KINDS] = {
	[LEAK_FRAME] = "frame",
	[LEAK_ERROR] = "error path",
	[LEAK_ORPHAN] = "dma-buf kept",
	[LEAK_POOL] = "pool grows",
	[LEAK_FENCE] = "fence",
	[LEAK_BURST] = "burst",
};

static void settle(struct leak *leak, struct buffer *buffer)
{
	switch (leak->kind) {
	case LEAK_ORPHAN:
		if (!buffer->dmabufs)
			buffer_export(buffer);
		while (buffer->dmabufs > 1)
			buffer_unexport(buffer);
		buffer_unmap(buffer);
		break;
	case LEAK_FENCE:
		buffer_long_job(buffer, NEVER);
		while (leak->zombie && buffer->dmabufs)
			buffer_unexport(buffer);
		if (leak->zombie)
			buffer_unmap(buffer);
		break;
	default:
		if (leak->mapped)
			buffer_map(buffer);
		else
			buffer_unmap(buffer);
		return;
	}
	if (leak->kind == LEAK_FENCE && !leak->zombie)
		return;
	if (buffer->importer) {
		buffer->owner->world->backend->close(buffer, true);
		buffer->importer = NULL;
	}
	buffer_close(buffer);
}

void leak_lose(struct leak *leak, struct buffer *buffer)
{
	struct world *world = buffer->owner->world;

	buffer_flush(buffer);
	settle(leak, buffer);
	buffer->leak = leak;
	buffer->lost_ns = world->now ? world->now : 1;
	if (!leak->lost)
		leak->first_ns = buffer->lost_ns;
	if (!leak->lost || buffer->lost_ns > leak->last_ns + SEC) {
		leak->events++;
		leak->event_ns = buffer->lost_ns;
	}
	leak->last_ns = buffer->lost_ns;
	leak->lost++;
	leak->objects++;
	leak->bytes += buffer->object.size;
}

/* Whether one is to be lost now, of those that come this way */
static bool due(struct leak *leak, uint64_t now)
{
	if (now < leak->begin_ns || leak->objects >= leak->objects_max ||
	    leak->bytes >= leak->bytes_max)
		return false;
	if (now >= leak->end_ns && leak->lost >= LEAST)
		return false;
	if (leak->left) {
		leak->left--;
		return true;
	}
	if (now < leak->next_ns)
		return false;
	/* A burst begins when somebody comes this way at all */
	if (leak->kind == LEAK_BURST && !leak->lost)
		leak->end_ns = now + leak->burst_ns;
	/* It cannot happen more often than buffers come this way */
	if (leak->next_ns + leak->period_ns + SEC < now)
		leak->next_ns = now;
	leak->next_ns += leak->regular ? leak->period_ns : rng_wait(&leak->rng, leak->period_ns);
	leak->left = leak->batch ? (unsigned int)rng_below(&leak->rng, leak->batch) : 0;
	return true;
}

static struct leak *leak_at(struct client *client, const char *place)
{
	struct world *world = client->world;

	for (unsigned int i = 0; i < world->leak_count; i++) {
		struct leak *leak = &world->leaks[i];

		if (leak->client != client)
			continue;
		if (!leak->lost && world->now > leak->begin_ns + LONG_NS)
			leak->place = leak->often;
		if (leak->place == place)
			return leak;
	}
	return NULL;
}

bool lost_instead(struct client *client, const char *place, struct buffer *buffer)
{
	struct leak *leak = leak_at(client, place);
	struct buffer *fresh;

	if (!buffer || !leak || !due(leak, client->world->now))
		return false;
	if (!leak->fresh) {
		leak_lose(leak, buffer);
		return true;
	}
	/* The next one like it is made, something fails, and it is never used */
	fresh = buffer_new(buffer->owner, buffer->place,
			   buffer->object.size * client->world->scale, IN_VRAM);
	if (fresh)
		leak_lose(leak, fresh);
	return false;
}

void release(struct client *client, const char *place, struct buffer *buffer)
{
	if (buffer && !lost_instead(client, place, buffer))
		buffer_free(buffer);
}

void leak_restart(struct world *world)
{
	for (unsigned int i = 0; i < world->leak_count; i++) {
		struct leak *leak = &world->leaks[i];
		struct client *old = leak->client, *client;

		if (!leak->restart || old->gone ||
		    (leak->objects < leak->objects_max && leak->bytes < leak->bytes_max))
			continue;
		client_exit(old);
		client = client_new(world, old->kind, old->seed);
		/* The same program, set up in the same way */
		client->stacks = old->stacks;
		client->ways = old->ways;
		client->labels = old->labels;
		client->numbers = old->numbers;
		for (unsigned int j = 0; j < world->leak_count; j++) {
			if (world->leaks[j].client != old)
				continue;
			world->leaks[j].client = client;
			/* A dma-buf that somebody else has is not gone with it */
			if (world->leaks[j].kind == LEAK_ORPHAN)
				continue;
			world->leaks[j].objects = 0;
			world->leaks[j].bytes = 0;
		}
		if (leak->kind == LEAK_ORPHAN)
			leak->restart = false;
	}
}

uint64_t leak_period(const struct leak *leak)
{
	if (leak->events > 1)
		return (leak->event_ns - leak->first_ns) / (leak->events - 1);
	return leak->kind == LEAK_BURST ? 0 : leak->period_ns;
}

uint64_t leak_grace(const struct leak *leak)
{
	return 3 * leak_period(leak) + 60 * SEC;
}
