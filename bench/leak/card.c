// SPDX-License-Identifier: MIT
/*
 * A card: the clients' buffers are real ones, made through libpddgpu, and what is known of
 * them comes from the driver. Each client is a file of its own of this process. Time is
 * made to run faster: clients live that many times faster, and all times that the driver
 * tells are stretched before anybody sees them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "leak.h"
#include "pddgpu.h"

#define DMABUFS_MAX	4

const char *card_name;
uint64_t card_factor = 30;

struct card {
	struct pddgpu_device *monitor;
	uint64_t start_ns;
};

struct card_client {
	struct pddgpu_device *dev;
	struct pddgpu_job *job;
};

struct card_buffer {
	struct pddgpu_bo *bo, *imported;
	int dmabufs[DMABUFS_MAX];
	bool mapped;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SEC + (uint64_t)now.tv_nsec;
}

/* A time of the card's as the clients know it; 0 stays "never" */
static uint64_t stretch(const struct card *card, uint64_t ns)
{
	if (!ns)
		return 0;
	return ns > card->start_ns ? (ns - card->start_ns) * card_factor : 1;
}

static uint64_t card_now(struct world *world)
{
	return stretch(world->card, clock_ns());
}

/* Whether the driver records call stacks, as far as one may say so */
static void record_stacks(bool on)
{
	int fd = open("/sys/module/pddgpu/parameters/leak_stacks", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, on ? "1" : "0", 1) != 1)
		fprintf(stderr, "leak-bench: call stacks are recorded as before\n");
	close(fd);
}

static int card_begin(struct world *world)
{
	struct card *card = need(calloc(1, sizeof(*card)));
	int ret = pddgpu_open(card_name, &card->monitor);

	if (ret) {
		fprintf(stderr, "leak-bench: %s\n", pddgpu_strerror(ret));
		free(card);
		return ret;
	}
	card->start_ns = clock_ns();
	world->card = card;
	return 0;
}

static void card_end(struct world *world)
{
	struct card *card = world->card;

	record_stacks(false);
	pddgpu_close(card->monitor);
	free(card);
}

static void card_wait(struct world *world, uint64_t until)
{
	uint64_t now = card_now(world);

	while (now < until) {
		uint64_t left = (until - now) / card_factor + 1;
		struct timespec time = { (time_t)(left / SEC), (long)(left % SEC) };

		nanosleep(&time, NULL);
		now = card_now(world);
	}
	world->now = now;
}

static int card_client(struct client *client)
{
	struct card_client *mine = need(calloc(1, sizeof(*mine)));
	int ret = pddgpu_open(card_name, &mine->dev);

	if (client->world->clients == client && !client->next)
		record_stacks(client->world->stacks);
	ret = ret ? ret : pddgpu_job_create(mine->dev, &mine->job);
	client->card = mine;
	return ret;
}

static void card_client_gone(struct client *client)
{
	struct card_client *mine = client->card;

	pddgpu_job_free(mine->job);
	pddgpu_close(mine->dev);
	free(mine);
	client->card = NULL;
}

static int card_create(struct buffer *buffer, unsigned int where)
{
	struct card_client *mine = buffer->owner->card;
	struct card_buffer *its = need(calloc(1, sizeof(*its)));
	struct drm_pddgpu_gem_info info = { 0 };
	uint32_t domains = PDDGPU_GEM_DOMAIN_GTT;

	/* An owner has the name that its process has when it allocates */
	prctl(PR_SET_NAME, buffer->owner->comm);
	if (where & IN_VRAM)
		domains |= PDDGPU_GEM_DOMAIN_VRAM;
	if (pddgpu_bo_create(mine->dev, buffer->object.size, domains,
			     where & FOR_CPU ? PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED : 0,
			     &its->bo)) {
		free(its);
		return -ENOMEM;
	}
	info.handle = pddgpu_bo_handle(its->bo);
	if (ioctl(pddgpu_fd(mine->dev), DRM_IOCTL_PDDGPU_GEM_INFO, &info) || !info.id)
		die("the driver does not tell the ids of buffers: it is too old");
	buffer->object.id = info.id;
	buffer->object.birth_ns = buffer->owner->world->now;
	buffer->card = its;
	return 0;
}

static void card_label(struct buffer *buffer)
{
	struct card_buffer *its = buffer->card;

	pddgpu_bo_set_label(its->bo, buffer->object.label);
}

/* Those of them that this handle, the owner's or the importer's, leads to */
static void job(struct client *client, struct buffer **buffers, size_t count, bool imported)
{
	struct card_client *mine = client->card;
	unsigned int ops = 0;

	pddgpu_job_reset(mine->job);
	for (size_t i = 0; i < count; i++) {
		struct card_buffer *its = buffers[i]->card;
		struct pddgpu_bo *bo = imported ? its->imported : its->bo;

		if (!bo || (imported && (its->bo || buffers[i]->importer != client)))
			continue;
		if (pddgpu_job_fill(mine->job, bo, 0, 4, 0x6c65616b))
			die("a job could not be made");
		ops++;
	}
	if (ops && pddgpu_job_submit(mine->job) == -ENODEV)
		die("the card has gone");
}

static void card_submit(struct client *client, struct buffer **buffers, size_t count)
{
	job(client, buffers, count, false);
	for (size_t i = 0; i < count; i++) {
		struct card_buffer *its = buffers[i]->card;

		if (!its->bo && its->imported)
			job(buffers[i]->importer, &buffers[i], 1, true);
	}
}

static void card_map(struct buffer *buffer, bool mapped)
{
	struct card_buffer *its = buffer->card;
	void *map;

	if (mapped == its->mapped || !its->bo)
		return;
	if (!mapped) {
		pddgpu_bo_unmap(its->bo);
		its->mapped = false;
		buffer->object.is &= ~PDDGPU_OBJECT_MAPPED;
	} else if (!pddgpu_bo_map(its->bo, &map)) {
		*(volatile char *)map = 1;
		its->mapped = true;
		buffer->object.is |= PDDGPU_OBJECT_MAPPED;
	}
}

static void card_export(struct buffer *buffer)
{
	struct card_buffer *its = buffer->card;
	struct pddgpu_bo *bo = its->bo ? its->bo : its->imported;

	if (buffer->dmabufs == DMABUFS_MAX || pddgpu_bo_export(bo, &its->dmabufs[buffer->dmabufs]))
		die("a buffer could not be exported");
}

/* World has lowered the count already */
static void card_unexport(struct buffer *buffer)
{
	struct card_buffer *its = buffer->card;

	close(its->dmabufs[buffer->dmabufs]);
}

static void card_import(struct buffer *buffer)
{
	struct card_buffer *its = buffer->card;
	struct card_client *theirs = buffer->importer->card;

	if (pddgpu_bo_import(theirs->dev, its->dmabufs[buffer->dmabufs - 1], &its->imported))
		die("a buffer could not be imported");
}

static void card_close(struct buffer *buffer, bool importer)
{
	struct card_buffer *its = buffer->card;

	if (importer) {
		pddgpu_bo_free(its->imported);
		its->imported = NULL;
	} else {
		pddgpu_bo_free(its->bo);
		its->bo = NULL;
		its->mapped = false;
		buffer->object.is &= ~PDDGPU_OBJECT_MAPPED;
	}
}

/* No job of a card's takes that long: it is one, and that is all */
static void card_hang(struct buffer *buffer, uint64_t ns)
{
	(void)ns;
	card_submit(buffer->owner, &buffer, 1);
}

/* What was done to the buffer, and what the driver says of it */
static bool agrees(const struct buffer *buffer, const struct drm_pddgpu_object *object)
{
	const struct card_buffer *its = buffer->card;
	bool handle = buffer->handle || buffer->importer;

	if (object->size != buffer->object.size)
		return false;
	if (handle)
		return object->state == PDDGPU_OBJECT_LIVE &&
			!(object->is & PDDGPU_OBJECT_MAPPED) == !its->mapped &&
			!(object->is & PDDGPU_OBJECT_EXPORTED) <= !buffer->dmabufs;
	if (buffer->dmabufs)
		return object->state == PDDGPU_OBJECT_ORPHAN;
	/* Whoever is freed may be seen for a moment more */
	return true;
}

static void told(struct world *world, struct buffer *buffer,
		 const struct drm_pddgpu_object *object)
{
	const struct card *card = world->card;

	if (!agrees(buffer, object))
		world->strange++;
	buffer->object = *object;
	buffer->object.birth_ns = stretch(card, object->birth_ns);
	buffer->object.used_ns = stretch(card, object->used_ns);
	buffer->object.touched_ns = stretch(card, object->touched_ns);
}

static uint64_t card_look(struct world *world)
{
	struct card *card = world->card;
	const struct drm_pddgpu_object *object;
	struct pddgpu_objects *objects;
	size_t i = 0;
	int ret = pddgpu_objects_open(card->monitor, &objects);

	if (ret)
		die("what buffers there are cannot be read: %s", pddgpu_strerror(ret));
	/* Both are in order of ids; what is others' is skipped */
	while ((ret = pddgpu_objects_next(objects, &object)) > 0) {
		while (i < world->count && world->buffers[i]->object.id < object->id)
			world->buffers[i++]->gone = true;
		if (i < world->count && world->buffers[i]->object.id == object->id)
			told(world, world->buffers[i++], object);
	}
	if (ret)
		die("what buffers there are cannot be read: %s", pddgpu_strerror(ret));
	while (i < world->count)
		world->buffers[i++]->gone = true;
	world->now = card_now(world);
	pddgpu_objects_close(objects);
	for (i = 0; i < world->count; i++) {
		struct buffer *buffer = world->buffers[i];

		if (!buffer->gone)
			continue;
		/* The driver has forgotten what somebody has */
		if (buffer->handle || buffer->importer || buffer->dmabufs)
			world->strange++;
	}
	return world->now;
}

const struct backend card_backend = {
	.name = "card",
	.grain_ns = 500 * MS,
	.times_max = 4,
	.scale = 128,
	.begin = card_begin,
	.end = card_end,
	.now = card_now,
	.wait = card_wait,
	.client = card_client,
	.client_gone = card_client_gone,
	.create = card_create,
	.label = card_label,
	.submit = card_submit,
	.map = card_map,
	.export = card_export,
	.unexport = card_unexport,
	.import = card_import,
	.close = card_close,
	.hang = card_hang,
	.look = card_look,
};
