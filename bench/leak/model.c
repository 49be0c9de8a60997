// SPDX-License-Identifier: MIT
/*
 * A card that does not exist, where time passes when it is told to. It tells of buffers
 * what the driver would: docs/driver.md has the rules.
 */
#include "leak.h"

/* What the driver's module parameters are unless set */
#define SUSPICIOUS_NS	(30 * SEC)
#define CONFIRMED_NS	(300 * SEC)

static uint64_t model_now(struct world *world)
{
	return world->now;
}

static void model_wait(struct world *world, uint64_t until)
{
	if (until > world->now)
		world->now = until;
}

static int model_client(struct client *client)
{
	(void)client;
	return 0;
}

static void model_client_gone(struct client *client)
{
	(void)client;
}

static int model_create(struct buffer *buffer, unsigned int where)
{
	struct drm_pddgpu_object *object = &buffer->object;
	struct world *world = buffer->owner->world;

	object->id = world->next_id++;
	object->birth_ns = world->now;
	object->domain = where & IN_VRAM ? PDDGPU_GEM_DOMAIN_VRAM : PDDGPU_GEM_DOMAIN_GTT;
	object->flags = where & FOR_CPU ? PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED : 0;
	return 0;
}

static void model_label(struct buffer *buffer)
{
	(void)buffer;
}

static void model_submit(struct client *client, struct buffer **buffers, size_t count)
{
	uint64_t now = client->world->now, done = now + client->latency_ns;

	for (size_t i = 0; i < count; i++) {
		buffers[i]->object.used_ns = now;
		if (buffers[i]->busy_ns < done)
			buffers[i]->busy_ns = done;
	}
}

static void model_map(struct buffer *buffer, bool mapped)
{
	if (mapped) {
		buffer->object.is |= PDDGPU_OBJECT_MAPPED;
		buffer->object.touched_ns = buffer->owner->world->now;
	} else {
		buffer->object.is &= ~PDDGPU_OBJECT_MAPPED;
	}
}

static void model_export(struct buffer *buffer)
{
	buffer->object.is |= PDDGPU_OBJECT_EXPORTED;
}

static void model_unexport(struct buffer *buffer)
{
	if (!buffer->dmabufs)
		buffer->object.is &= ~PDDGPU_OBJECT_EXPORTED;
}

static void model_import(struct buffer *buffer)
{
	(void)buffer;
}

static void model_close(struct buffer *buffer, bool importer)
{
	(void)buffer;
	(void)importer;
}

static void model_hang(struct buffer *buffer, uint64_t ns)
{
	uint64_t now = buffer->owner->world->now;

	buffer->object.used_ns = now;
	buffer->busy_ns = ns == NEVER ? NEVER : now + ns;
}

static uint64_t model_look(struct world *world)
{
	for (size_t i = 0; i < world->count; i++) {
		struct buffer *buffer = world->buffers[i];
		struct drm_pddgpu_object *object = &buffer->object;
		uint64_t age = world->now - object->birth_ns;
		bool busy = buffer->busy_ns > world->now;

		if (buffer->handle || buffer->importer)
			object->state = PDDGPU_OBJECT_LIVE;
		else if (buffer->dmabufs || object->is & PDDGPU_OBJECT_MAPPED)
			object->state = PDDGPU_OBJECT_ORPHAN;
		else if (busy)
			object->state = PDDGPU_OBJECT_ZOMBIE;
		else
			buffer->gone = true;
		object->is &= ~PDDGPU_OBJECT_BUSY;
		object->is |= busy ? PDDGPU_OBJECT_BUSY : 0;
		object->age_class = age >= CONFIRMED_NS ? PDDGPU_OBJECT_CONFIRMED :
			age >= SUSPICIOUS_NS ? PDDGPU_OBJECT_SUSPICIOUS : PDDGPU_OBJECT_YOUNG;
	}
	return world->now;
}

const struct backend model_backend = {
	.name = "model",
	.grain_ns = 50 * MS,
	.times_max = UINT32_MAX,
	.scale = 1,
	.hangs = true,
	.now = model_now,
	.wait = model_wait,
	.client = model_client,
	.client_gone = model_client_gone,
	.create = model_create,
	.label = model_label,
	.submit = model_submit,
	.map = model_map,
	.export = model_export,
	.unexport = model_unexport,
	.import = model_import,
	.close = model_close,
	.hang = model_hang,
	.look = model_look,
};
