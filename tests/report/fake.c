// SPDX-License-Identifier: MIT
/*
 * A libpddgpu whose cards are worlds of world.c, and a clock that only goes on while
 * the program waits: five minutes are over at once.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "live.h"
#include "world.h"

#define MIB (1024 * 1024ULL)
#define BEGIN_MS 5000

struct pddgpu_device {
	struct pddgpu_device_id id;
	struct world world;
};

struct reader {
	struct pddgpu_device *dev;
	size_t at, next;
	uint64_t offset, rest;
	uint32_t domain;
	uint64_t after;
	struct drm_pddgpu_object object;
	struct drm_pddgpu_unfreed unfreed;
};

struct pddgpu_owners { struct reader r; };
struct pddgpu_leaks { struct reader r; };
struct pddgpu_blocks { struct reader r; };
struct pddgpu_objects { struct reader r; };
struct pddgpu_unfreed { struct reader r; };
struct pddgpu_events { int told; };

static uint64_t now_ms = BEGIN_MS;

uint64_t live_now_ms(void)
{
	return now_ms;
}

/* Instead of poll(): see the Makefile */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	(void)fds;
	(void)count;
	now_ms += (uint64_t)(timeout > 0 ? timeout : 0);
	return 1;
}

static void __attribute__((constructor)) no_processes(void)
{
	facts_proc = "/nowhere";
	facts_sys = "/nowhere";
}

/* Those that PDDGPU_WORLDS names, separated by commas */
static unsigned int worlds(char kinds[4][32])
{
	const char *at = getenv("PDDGPU_WORLDS");
	unsigned int count = 0;

	while (at && *at && count < 4) {
		size_t length = strcspn(at, ",");

		snprintf(kinds[count++], 32, "%.*s", (int)length, at);
		at += length + (at[length] == ',');
	}
	return count;
}

static void identify(unsigned int place, struct pddgpu_device_id *id)
{
	memset(id, 0, sizeof(*id));
	snprintf(id->pci, sizeof(id->pci), "0000:00:%02x.0", 4 + place);
	snprintf(id->primary, sizeof(id->primary), "/dev/dri/card%u", place);
	snprintf(id->render, sizeof(id->render), "/dev/dri/renderD%u", 128 + place);
	id->card = (int32_t)place;
}

const char *pddgpu_strerror(int error)
{
	return strerror(error < 0 ? -error : error);
}

const char *pddgpu_version(void)
{
	return "0.0.0";
}

int pddgpu_list(struct pddgpu_device_id *out, unsigned int max)
{
	char kinds[4][32];
	unsigned int count = worlds(kinds), i;

	for (i = 0; i < count && i < max; i++)
		identify(i, &out[i]);
	return (int)count;
}

int pddgpu_open(const char *name, struct pddgpu_device **out)
{
	struct pddgpu_device_id id;
	char kinds[4][32];
	unsigned int count = worlds(kinds), i;

	for (i = 0; i < count; i++) {
		identify(i, &id);
		if (name && strcmp(name, id.pci) != 0 && strcmp(name, id.primary + 9) != 0)
			continue;
		if (!strcmp(kinds[i], "denied"))
			return -EACCES;
		*out = calloc(1, sizeof(**out));
		if (!*out)
			return -ENOMEM;
		(*out)->id = id;
		world_make(&(*out)->world, kinds[i]);
		return 0;
	}
	return -ENOENT;
}

void pddgpu_close(struct pddgpu_device *dev)
{
	if (dev)
		free(dev->world.things);
	free(dev);
}

int pddgpu_fd(const struct pddgpu_device *dev)
{
	(void)dev;
	return -1;
}

const struct pddgpu_device_id *pddgpu_id(const struct pddgpu_device *dev)
{
	return &dev->id;
}

int pddgpu_debugfs_open(struct pddgpu_device *dev, const char *file, int flags)
{
	(void)dev;
	(void)file;
	(void)flags;
	return -EACCES;
}

static int there(const struct thing *thing)
{
	return thing->born <= now_ms && now_ms < thing->died;
}

static int gone(const struct pddgpu_device *dev)
{
	return dev->world.gone_ms && now_ms >= dev->world.gone_ms;
}

static uint64_t used(const struct world *world, uint32_t domain)
{
	uint64_t sum = domain == PDDGPU_GEM_DOMAIN_VRAM ? 2 * MIB : 0;
	size_t i;

	for (i = 0; i < world->count; i++)
		if (there(&world->things[i]) && world->things[i].domain == domain)
			sum += world->things[i].size;
	return sum;
}

static void usage(const struct world *world, struct drm_pddgpu_domain_usage *out)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		out[i].domain = PDDGPU_GEM_DOMAIN_VRAM >> i;
		out[i].used = used(world, PDDGPU_GEM_DOMAIN_VRAM >> i);
		out[i].total = !i ? world->vram : i == 1 ? world->gtt : 0;
	}
}

static void stats(const struct world *world, struct drm_pddgpu_memory_stats *out)
{
	size_t i;

	for (i = 0; i < world->count; i++) {
		out->total_allocations += world->things[i].born <= now_ms;
		out->total_deallocations += world->things[i].died <= now_ms;
	}
	out->evictions = now_ms / 7000;
	out->bytes_moved = now_ms / 7000 * 3 * MIB;
}

int pddgpu_query(struct pddgpu_device *dev, uint32_t type, void *out, size_t size)
{
	memset(out, 0, size);
	if (gone(dev))
		return -ENODEV;
	switch (type) {
	case PDDGPU_QUERY_DEVICE_INFO:
		snprintf(((struct drm_pddgpu_device_info *)out)->name, 16, "PDD1000");
		return (int)size;
	case PDDGPU_QUERY_DOMAIN_USAGE:
		usage(&dev->world, out);
		return (int)size;
	case PDDGPU_QUERY_MEMORY_STATS:
		stats(&dev->world, out);
		return (int)size;
	default:
		return -EOPNOTSUPP;
	}
}

static int reader_open(struct pddgpu_device *dev, struct reader **out)
{
	if (gone(dev))
		return -ENODEV;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->dev = dev;
	return 0;
}

/* The next that is there; NULL: no more */
static const struct thing *next(struct reader *r)
{
	const struct world *world = &r->dev->world;

	while (r->at < world->count) {
		const struct thing *thing = &world->things[r->at++];

		if (there(thing) && (!world->user || thing->pid == 2101))
			return thing;
	}
	return NULL;
}

static uint64_t last_use_ms(const struct thing *thing)
{
	uint64_t until = thing->used_until < now_ms ? thing->used_until : now_ms;

	if (!thing->used_every || until <= thing->born)
		return 0;
	return until - (until - thing->born) % thing->used_every;
}

int pddgpu_objects_open(struct pddgpu_device *dev, struct pddgpu_objects **out)
{
	if (dev->world.old)
		return -EOPNOTSUPP;
	return reader_open(dev, (struct reader **)out);
}

int pddgpu_objects_next(struct pddgpu_objects *objects, const struct drm_pddgpu_object **out)
{
	struct drm_pddgpu_object *object = &objects->r.object;
	const struct thing *thing = next(&objects->r);

	*out = NULL;
	if (!thing)
		return 0;
	memset(object, 0, sizeof(*object));
	object->id = objects->r.at;
	object->size = thing->size;
	object->client_id = thing->pid;
	object->birth_ns = thing->born * 1000000;
	object->used_ns = last_use_ms(thing) * 1000000;
	object->pid = thing->pid;
	object->site = thing->site;
	object->domain = thing->domain;
	/* What becomes of it comes to be when it is used no more */
	if (now_ms >= thing->used_until) {
		object->state = thing->state;
		object->is = thing->is;
	}
	snprintf(object->comm, sizeof(object->comm), "%s", thing->comm);
	snprintf(object->label, sizeof(object->label), "%s", thing->label);
	*out = object;
	return 1;
}

uint64_t pddgpu_objects_now(const struct pddgpu_objects *objects)
{
	(void)objects;
	return now_ms * 1000000;
}

void pddgpu_objects_close(struct pddgpu_objects *objects)
{
	free(objects);
}

int pddgpu_query_site(struct pddgpu_device *dev, uint32_t site, struct drm_pddgpu_site *out)
{
	const struct frame *frames;
	unsigned int count, i;

	(void)dev;
	memset(out, 0, sizeof(*out));
	frames = world_site(site, &count);
	if (!frames)
		return -ENOENT;
	out->site = site;
	out->count = count;
	for (i = 0; i < count; i++) {
		out->frames[i].kind = frames[i].kind;
		out->frames[i].offset = frames[i].offset;
		snprintf(out->frames[i].name, sizeof(out->frames[i].name), "%s", frames[i].name);
	}
	return 0;
}

int pddgpu_unfreed_last(struct pddgpu_device *dev, uint64_t *out)
{
	(void)dev;
	*out = 0;
	return 0;
}

int pddgpu_unfreed_open(struct pddgpu_device *dev, uint64_t after, struct pddgpu_unfreed **out)
{
	int ret = reader_open(dev, (struct reader **)out);

	if (!ret)
		(*out)->r.after = after;
	return ret;
}

int pddgpu_unfreed_next(struct pddgpu_unfreed *unfreed, const struct drm_pddgpu_unfreed **out)
{
	const struct world *world = &unfreed->r.dev->world;
	struct drm_pddgpu_unfreed *one = &unfreed->r.unfreed;

	if (!world->unfreed_ms || now_ms < world->unfreed_ms || unfreed->r.after)
		return 0;
	unfreed->r.after = 1;
	one->id = 1;
	one->bytes = 20 * MIB;
	one->objects = 40;
	one->pid = 4077;
	snprintf(one->comm, sizeof(one->comm), "backup");
	snprintf(one->label, sizeof(one->label), "<b>chunk</b>");
	*out = one;
	return 1;
}

uint64_t pddgpu_unfreed_lost(const struct pddgpu_unfreed *unfreed)
{
	(void)unfreed;
	return 0;
}

void pddgpu_unfreed_close(struct pddgpu_unfreed *unfreed)
{
	free(unfreed);
}

int pddgpu_owners_open(struct pddgpu_device *dev, struct pddgpu_owners **out)
{
	return dev->world.user ? -EACCES : reader_open(dev, (struct reader **)out);
}

/* An element a buffer: whoever reads them adds them up by process */
int pddgpu_owners_next(struct pddgpu_owners *owners, struct pddgpu_owner *out)
{
	const struct thing *thing = next(&owners->r);
	unsigned int region;

	if (!thing)
		return 0;
	region = thing->domain == PDDGPU_GEM_DOMAIN_VRAM ? 0 :
		 thing->domain == PDDGPU_GEM_DOMAIN_GTT ? 1 : 2;
	memset(out, 0, sizeof(*out));
	out->client_id = thing->pid;
	out->pid = (int32_t)thing->pid;
	snprintf(out->comm, sizeof(out->comm), "%s", thing->comm);
	out->bytes[region][PDDGPU_STATE_LIVE] = thing->size;
	out->objects[PDDGPU_STATE_LIVE] = 1;
	return 1;
}

void pddgpu_owners_close(struct pddgpu_owners *owners)
{
	free(owners);
}

int pddgpu_leaks_open(struct pddgpu_device *dev, struct pddgpu_leaks **out)
{
	return dev->world.user ? -EACCES : reader_open(dev, (struct reader **)out);
}

int pddgpu_leaks_next(struct pddgpu_leaks *leaks, struct pddgpu_leak *out)
{
	const struct thing *thing = next(&leaks->r);

	/* They are in order of birth */
	if (!thing || now_ms - thing->born < 30000)
		return 0;
	memset(out, 0, sizeof(*out));
	out->age_ms = now_ms - thing->born;
	out->size = thing->size;
	out->pid = (int32_t)thing->pid;
	out->confirmed = out->age_ms >= 300000;
	snprintf(out->comm, sizeof(out->comm), "%s", thing->comm);
	snprintf(out->label, sizeof(out->label), "%s", thing->label);
	out->stack = "pddgpu_gem_create_ioctl+0x1a4 < drm_ioctl_kernel+0xb0 < drm_ioctl+0x2d4";
	return 1;
}

void pddgpu_leaks_close(struct pddgpu_leaks *leaks)
{
	free(leaks);
}

int pddgpu_blocks_open(struct pddgpu_device *dev, uint32_t domain, struct pddgpu_blocks **out)
{
	int ret = dev->world.user ? -EACCES : reader_open(dev, (struct reader **)out);

	if (!ret)
		(*out)->r.domain = domain;
	return ret;
}

static void free_block(struct reader *r, struct pddgpu_block *out, uint64_t most)
{
	uint64_t size = 4096;

	/* A power of two, at a multiple of itself, as in the driver's allocator */
	while (size * 2 <= most && !(r->offset & (size * 2 - 1)))
		size *= 2;
	out->size = size;
	out->state = PDDGPU_STATE_FREE;
}

int pddgpu_blocks_next(struct pddgpu_blocks *blocks, struct pddgpu_block *out)
{
	struct reader *r = &blocks->r;
	const struct world *world = &r->dev->world;
	uint64_t whole = r->domain == PDDGPU_GEM_DOMAIN_VRAM ? world->vram : world->gtt;
	const struct thing *thing = NULL;

	memset(out, 0, sizeof(*out));
	out->offset = r->offset;
	if (r->offset >= whole)
		return 0;
	if (!r->offset && r->domain == PDDGPU_GEM_DOMAIN_VRAM) {
		out->size = 2 * MIB;
		out->state = PDDGPU_STATE_KERNEL;
	} else if (r->rest) {
		free_block(r, out, r->rest);
		r->rest -= out->size;
	} else {
		/* Who has gone has left a hole */
		while (r->at < world->count && !thing) {
			thing = &world->things[r->at++];
			if (thing->domain != r->domain || thing->born > now_ms ||
			    r->offset + thing->size > whole)
				thing = NULL;
			else if (!there(thing) && r->at % 5)
				thing = NULL;
		}
		if (thing && !there(thing)) {
			r->rest = thing->size;
			return pddgpu_blocks_next(blocks, out);
		}
		if (!thing) {
			free_block(r, out, whole - r->offset);
		} else {
			out->size = thing->size;
			out->state = now_ms < thing->used_until ? PDDGPU_STATE_LIVE :
				     (enum pddgpu_state)thing->state;
			out->pid = (int32_t)thing->pid;
			snprintf(out->comm, sizeof(out->comm), "%s", thing->comm);
		}
	}
	r->offset += out->size;
	return 1;
}

void pddgpu_blocks_close(struct pddgpu_blocks *blocks)
{
	free(blocks);
}

int pddgpu_events_open(struct pddgpu_events **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

int pddgpu_events_fd(const struct pddgpu_events *events)
{
	(void)events;
	return -1;
}

int pddgpu_events_next(struct pddgpu_events *events, struct pddgpu_event *out, int timeout_ms)
{
	const uint64_t at[] = { 120000, 200000 };
	const char *worlds_there = getenv("PDDGPU_WORLDS");

	(void)timeout_ms;
	if (events->told >= 2 || now_ms < at[events->told] || !worlds_there ||
	    strncmp(worlds_there, "leaky", 5) != 0)
		return 0;
	memset(out, 0, sizeof(*out));
	out->type = events->told ? PDDGPU_EVENT_LEAK_CLEAR : PDDGPU_EVENT_LEAK_ALERT;
	snprintf(out->pci, sizeof(out->pci), "0000:00:04.0");
	out->used_bytes = events->told ? 90 * MIB : 152 * MIB;
	out->threshold_bytes = 100 * MIB;
	events->told++;
	return 1;
}

void pddgpu_events_close(struct pddgpu_events *events)
{
	free(events);
}
