// SPDX-License-Identifier: MIT
/*
 * Clients, their buffers, and what is true of them. What a client may not do is an error
 * of the suite, and ends it: to use what has been lost, above all.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "leak.h"

void die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("leak-bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

void *need(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

struct world *world_new(const struct backend *backend, uint64_t seed, uint64_t end_ns)
{
	struct world *world = need(calloc(1, sizeof(*world)));

	world->backend = backend;
	world->seed = seed;
	world->end_ns = end_ns;
	world->scale = backend->scale;
	rng_seed(&world->rng, seed, 1);
	world->next_id = rng_from(&world->rng, 1, 100000);
	world->next_client = rng_from(&world->rng, 1, 500);
	world->next_pid = (uint32_t)rng_from(&world->rng, 900, 30000);
	if (backend->begin && backend->begin(world)) {
		free(world);
		return NULL;
	}
	return world;
}

static void client_delete(struct client *client)
{
	free(client->queue);
	free(client);
}

void world_free(struct world *world)
{
	for (struct client *client = world->clients; client; client = client->next)
		if (!client->gone)
			client_exit(client);
	for (size_t i = 0; i < world->count; i++) {
		while (world->buffers[i]->dmabufs)
			buffer_unexport(world->buffers[i]);
		free(world->buffers[i]->card);
		free(world->buffers[i]);
	}
	while (world->clients) {
		struct client *client = world->clients;

		world->clients = client->next;
		client_delete(client);
	}
	free(world->buffers);
	if (world->backend->end)
		world->backend->end(world);
	free(world);
}

bool world_away(const struct world *world)
{
	for (unsigned int i = 0; i < world->aways; i++)
		if (world->now >= world->away[i].from && world->now < world->away[i].to)
			return true;
	return false;
}

/* ---- clients ---- */

static void identify(struct client *client)
{
	struct world *world = client->world;

	world->next_pid += (uint32_t)rng_from(&world->rng, 1, 90);
	client->pid = world->next_pid;
	client->client_id = world->next_client++;
}

struct client *client_new(struct world *world, const struct kind *kind, uint64_t seed)
{
	struct client *client = need(calloc(1, sizeof(*client)));
	unsigned int comms = 0;

	client->world = world;
	client->kind = kind;
	client->seed = seed;
	rng_seed(&client->rng, world->seed, seed);
	identify(client);
	client->session = client->pid - (uint32_t)rng_below(&client->rng, 3);
	client->stacks = world->stacks && rng_chance(&client->rng, 0.85);
	client->ways = 1;
	if (rng_chance(&client->rng, 0.3))
		client->ways = (unsigned int)rng_from(&client->rng, 2, 4);
	client->labels = rng_chance(&client->rng, 0.6) ? LABELS_NONE :
		rng_chance(&client->rng, 0.7) || (kind && kind->blocks) ? LABELS_BY_PLACE :
		rng_chance(&client->rng, 0.5) ? LABELS_NUMBERED : LABELS_UNIQUE;
	client->numbers = (unsigned int)rng_log(&client->rng, 2, 64);
	client->latency_ns = rng_log(&client->rng, MS, 15 * MS);
	client->step_ns = NEVER;
	client->last_ns = world->now;
	client->next = world->clients;
	world->clients = client;
	if (kind) {
		while (comms < ARRAY_SIZE(kind->comms) && kind->comms[comms])
			comms++;
		snprintf(client->comm, sizeof(client->comm), "%s",
			 kind->comms[rng_below(&client->rng, comms)]);
	}
	if (world->backend->client(client))
		die("no client could be made");
	if (kind) {
		client->state = need(kind->start(client));
		client->step_ns = world->now + rng_below(&client->rng, 10 * MS);
	}
	return client;
}

struct client *client_child(struct client *parent, const char *comm, bool process)
{
	struct client *client = need(calloc(1, sizeof(*client)));

	client->world = parent->world;
	client->parent = parent;
	client->kind = parent->kind;
	client->seed = parent->seed;
	rng_seed(&client->rng, rng_next(&parent->rng), 2);
	identify(client);
	if (!process)
		client->pid = parent->pid;
	client->session = parent->session;
	client->stacks = parent->stacks;
	client->ways = parent->ways;
	client->labels = parent->labels;
	client->numbers = parent->numbers;
	client->latency_ns = parent->latency_ns;
	client->step_ns = NEVER;
	snprintf(client->comm, sizeof(client->comm), "%s", comm ? comm : parent->comm);
	client->next = parent->world->clients;
	parent->world->clients = client;
	if (client->world->backend->client(client))
		die("no client could be made");
	return client;
}

static void client_flush(struct client *client)
{
	if (!client->queued)
		return;
	client->world->backend->submit(client, client->queue, client->queued);
	for (size_t i = 0; i < client->queued; i++)
		client->queue[i]->queued = false;
	client->queued = 0;
}

static void close_file(struct client *client)
{
	struct world *world = client->world;

	for (size_t i = 0; i < world->count; i++) {
		struct buffer *buffer = world->buffers[i];

		if (!buffer || buffer->gone)
			continue;
		if (buffer->importer == client) {
			world->backend->close(buffer, true);
			buffer->importer = NULL;
		}
		if (buffer->owner != client)
			continue;
		buffer_unmap(buffer);
		if (buffer->handle)
			world->backend->close(buffer, false);
		buffer->handle = false;
		/* Its jobs are over, one way or another */
		if (buffer->busy_ns > world->now + SEC)
			buffer->busy_ns = world->now;
		/* What it exported and nobody else has, it has forgotten to close */
		while (buffer->dmabufs && !buffer->importer &&
		       !(buffer->leak && buffer->leak->kind == LEAK_ORPHAN))
			buffer_unexport(buffer);
	}
}

void client_exit(struct client *client)
{
	struct world *world = client->world;

	for (struct client *child = world->clients; child; child = child->next)
		if (child->parent == client && !child->gone)
			client_exit(child);
	client_flush(client);
	close_file(client);
	if (client->state)
		client->kind->stop(client->state);
	client->state = NULL;
	client->step_ns = NEVER;
	client->gone = true;
	world->backend->client_gone(client);
}

unsigned int client_times(struct client *client, double per_second)
{
	uint64_t passed = client->world->now - client->last_ns;
	double times = (double)passed * per_second / (double)SEC;
	unsigned int whole;

	/* Long without a step means that it slept, not that it has to make up for it */
	if (times > 2 * per_second + 1)
		times = 2 * per_second + 1;
	whole = (unsigned int)times;
	whole += rng_chance(&client->rng, times - whole);
	return whole < client->world->backend->times_max ? whole :
		client->world->backend->times_max;
}

static void client_step(struct client *client)
{
	struct world *world = client->world;
	uint64_t next = client->kind->step(client, client->state);
	uint64_t grain = world->backend->grain_ns;

	client_flush(client);
	for (struct client *child = world->clients; child; child = child->next)
		if (child->parent == client && !child->gone)
			client_flush(child);
	client->last_ns = world->now;
	if (next < world->now + grain)
		next = world->now + grain * 3 / 4 + rng_below(&client->rng, grain / 2);
	client->step_ns = next;
}

void world_run(struct world *world, uint64_t until)
{
	for (;;) {
		struct client *first = NULL;

		leak_restart(world);
		for (struct client *client = world->clients; client; client = client->next)
			if (!first || client->step_ns < first->step_ns)
				first = client;
		if (!first || first->step_ns > until)
			break;
		world->backend->wait(world, first->step_ns);
		client_step(first);
	}
	world->backend->wait(world, until);
}

/* Forgets buffers that have gone, and clients that have gone and left none */
static void world_tidy(struct world *world)
{
	size_t kept = 0;

	for (size_t i = 0; i < world->count; i++) {
		struct buffer *buffer = world->buffers[i];

		if (buffer->gone) {
			buffer->owner->buffers--;
			free(buffer->card);
			free(buffer);
		} else {
			world->buffers[kept++] = buffer;
		}
	}
	world->count = kept;
	for (struct client **link = &world->clients; *link;) {
		struct client *client = *link;

		/* A leak's client is kept, for the report */
		if (!client->gone || client->buffers || !client->parent) {
			link = &client->next;
			continue;
		}
		*link = client->next;
		client_delete(client);
	}
}

uint64_t world_look(struct world *world)
{
	uint64_t now = world->backend->look(world);

	world_tidy(world);
	return now;
}

/* ---- buffers ---- */

/* The driver's number of a place: the same for all processes of a program */
static uint32_t site_of(struct client *client, const char *place)
{
	struct world *world = client->world;
	unsigned int way = 0, i;

	if (client->ways > 1)
		way = (unsigned int)rng_below(&client->rng, client->ways);

	/* Without stacks there is but the ioctl */
	if (!client->stacks)
		return 1;
	for (i = 0; i < world->site_count; i++)
		if (world->sites[i].place == place && world->sites[i].kind == client->kind &&
		    world->sites[i].way == way)
			return i + 2;
	if (i == ARRAY_SIZE(world->sites))
		return 0;
	world->sites[i].kind = client->kind;
	world->sites[i].place = place;
	world->sites[i].way = way;
	world->site_count++;
	return i + 2;
}

static void set_label(struct buffer *buffer)
{
	struct client *client = buffer->owner;
	char *label = buffer->object.label;

	if (client->labels == LABELS_NONE)
		return;
	if (client->labels == LABELS_BY_PLACE)
		snprintf(label, sizeof(buffer->object.label), "%s", buffer->place);
	else
		snprintf(label, sizeof(buffer->object.label), "%s %u", buffer->place,
			 client->labels == LABELS_UNIQUE ? client->serial++ :
			 client->serial++ % client->numbers);
	client->world->backend->label(buffer);
}

struct buffer *buffer_new(struct client *client, const char *place, uint64_t size,
			  unsigned int where)
{
	struct world *world = client->world;
	struct buffer *buffer = need(calloc(1, sizeof(*buffer)));

	buffer->owner = client;
	buffer->place = place;
	buffer->handle = true;
	buffer->object.size = (size / world->scale + 4095) & ~4095ull;
	buffer->object.client_id = client->client_id;
	buffer->object.pid = client->pid;
	buffer->object.session = client->session;
	buffer->object.site = site_of(client, place);
	snprintf(buffer->object.comm, sizeof(buffer->object.comm), "%s", client->comm);
	if (world->backend->create(buffer, where)) {
		free(buffer);
		return NULL;
	}
	set_label(buffer);
	if (world->count == world->room) {
		world->room = world->room ? 2 * world->room : 1024;
		world->buffers = need(realloc(world->buffers,
					      world->room * sizeof(void *)));
	}
	world->buffers[world->count++] = buffer;
	client->buffers++;
	return buffer;
}

static void check(const struct buffer *buffer, const char *what)
{
	if (buffer->lost_ns || buffer->gone)
		die("seed %llu: %s of %s was lost or freed, and is %s",
		    (unsigned long long)buffer->owner->world->seed, buffer->place,
		    buffer->owner->comm, what);
}

void buffer_use(struct buffer *buffer)
{
	struct client *client;

	if (!buffer || buffer->queued)
		return;
	check(buffer, "used");
	client = buffer->owner->gone && buffer->importer ? buffer->importer : buffer->owner;
	if (client->queued == client->queue_room) {
		client->queue_room = client->queue_room ? 2 * client->queue_room : 64;
		client->queue = need(realloc(client->queue,
					     client->queue_room * sizeof(void *)));
	}
	client->queue[client->queued++] = buffer;
	buffer->queued = true;
}

void buffer_flush(struct buffer *buffer)
{
	if (!buffer->queued)
		return;
	client_flush(buffer->owner);
	if (buffer->queued && buffer->importer)
		client_flush(buffer->importer);
}

void buffer_map(struct buffer *buffer)
{
	if (!buffer)
		return;
	check(buffer, "mapped");
	buffer->owner->world->backend->map(buffer, true);
}

void buffer_unmap(struct buffer *buffer)
{
	if (buffer && buffer->object.is & PDDGPU_OBJECT_MAPPED)
		buffer->owner->world->backend->map(buffer, false);
}

void buffer_export(struct buffer *buffer)
{
	if (!buffer)
		return;
	check(buffer, "exported");
	buffer_flush(buffer);
	buffer->owner->world->backend->export(buffer);
	buffer->dmabufs++;
}

void buffer_unexport(struct buffer *buffer)
{
	if (!buffer || !buffer->dmabufs)
		return;
	buffer->dmabufs--;
	buffer->owner->world->backend->unexport(buffer);
}

void buffer_import(struct buffer *buffer, struct client *importer)
{
	if (!buffer)
		return;
	check(buffer, "imported");
	buffer->importer = importer;
	buffer->owner->world->backend->import(buffer);
}

void buffer_close(struct buffer *buffer)
{
	if (!buffer || !buffer->handle)
		return;
	buffer_flush(buffer);
	buffer->owner->world->backend->close(buffer, false);
	buffer->handle = false;
}

void buffer_long_job(struct buffer *buffer, uint64_t ns)
{
	if (!buffer)
		return;
	check(buffer, "used");
	buffer_flush(buffer);
	buffer->owner->world->backend->hang(buffer, ns);
}

void buffer_free(struct buffer *buffer)
{
	if (!buffer)
		return;
	check(buffer, "freed");
	buffer_flush(buffer);
	buffer_unmap(buffer);
	if (buffer->importer)
		buffer->owner->world->backend->close(buffer, true);
	buffer->importer = NULL;
	buffer_close(buffer);
	while (buffer->dmabufs)
		buffer_unexport(buffer);
}
