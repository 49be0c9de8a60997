// SPDX-License-Identifier: MIT
/*
 * What is known of buffers, in the made-up library: "objects", "sites" and "unfreed" of a
 * card, as README.md has them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

#define NS_PER_MS	1000000

struct pddgpu_objects {
	struct pddgpu_device *dev;
	json_t *list;
	size_t at, made;
	uint64_t now_ms;
	struct drm_pddgpu_object object;
};

struct pddgpu_unfreed {
	json_t *list;
	uint64_t after, lost;
	size_t at;
	struct drm_pddgpu_unfreed one;
};

/* That of the program that has been run, which has written it there */
static uint32_t session_of(const json_t *from)
{
	const char *path = getenv("PDDGPU_FAKE_SESSION");
	unsigned int session = 0;
	FILE *file;

	if (json_object_get(from, "session"))
		return (uint32_t)fake_number(from, "session");
	file = path ? fopen(path, "r") : NULL;
	if (file && fscanf(file, "%u", &session) != 1)
		session = 0;
	if (file)
		fclose(file);
	return session;
}

/* Looks are counted: each sees the next list, and the last one again and again */
static json_t *this_look(struct pddgpu_objects *reader, json_t *from)
{
	json_t *looks = json_object_get(from, "looks"), *list;
	uint64_t number = fake_number(from, "done");

	json_object_set_new(from, "done", json_integer((json_int_t)number + 1));
	reader->now_ms = fake_number(from, "start_ms") + number * fake_number(from, "step_ms");
	reader->made = fake_number(from, "made");
	list = json_array_get(looks, number < json_array_size(looks) ? number :
			      json_array_size(looks) - 1);
	return list;
}

int pddgpu_objects_open(struct pddgpu_device *dev, struct pddgpu_objects **out)
{
	json_t *from = json_object_get(dev->json, "objects"), *list;
	struct pddgpu_objects *reader;
	int error = fake_gone(dev);

	if (!error && !from)
		error = -EOPNOTSUPP;
	if (error)
		return error;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	list = this_look(reader, from);
	error = json_is_string(list) ? fake_error(json_string_value(list)) : 0;
	reader->dev = dev;
	reader->list = list;
	if (error)
		free(reader);
	else
		*out = reader;
	return error;
}

static uint64_t ns(const json_t *from, const char *name)
{
	return fake_number(from, name) * NS_PER_MS;
}

/* So many of them, without as much text */
static void made_object(struct pddgpu_objects *reader)
{
	struct drm_pddgpu_object *object = &reader->object;
	size_t at = reader->at++;

	object->id = at + 1;
	object->size = 4096;
	object->client_id = at % 100 + 1;
	object->pid = (uint32_t)(4194305 + at % 100);
	object->site = (uint32_t)(at % 7 + 1);
	object->birth_ns = (reader->now_ms / 2 + at) * NS_PER_MS;
	object->used_ns = at % 3 ? object->birth_ns : 0;
	object->age_class = PDDGPU_OBJECT_SUSPICIOUS;
	snprintf(object->comm, sizeof(object->comm), "p%zu", at % 100);
	snprintf(object->label, sizeof(object->label), "label %zu", at % 13);
}

int pddgpu_objects_next(struct pddgpu_objects *reader, const struct drm_pddgpu_object **out)
{
	struct drm_pddgpu_object *object = &reader->object;
	const json_t *one = json_array_get(reader->list, reader->at);
	int error = fake_gone(reader->dev);

	*out = NULL;
	if (error)
		return error;
	memset(object, 0, sizeof(*object));
	if (reader->made && reader->at >= reader->made)
		return 0;
	*out = object;
	if (reader->made) {
		made_object(reader);
		return 1;
	}
	if (!one || json_is_string(one)) {
		*out = NULL;
		return one ? fake_error(json_string_value(one)) : 0;
	}
	reader->at++;
	object->id = fake_number(one, "id");
	object->size = fake_number(one, "size");
	object->client_id = fake_number(one, "client");
	object->birth_ns = ns(one, "birth_ms");
	object->used_ns = ns(one, "used_ms");
	object->touched_ns = ns(one, "touched_ms");
	object->pid = (uint32_t)fake_number(one, "pid");
	object->site = (uint32_t)fake_number(one, "site");
	object->is = (uint32_t)fake_number(one, "is");
	object->state = (uint8_t)fake_number(one, "state");
	object->domain = json_object_get(one, "domain") ? (uint8_t)fake_number(one, "domain") : 4;
	object->age_class = (uint8_t)fake_number(one, "class");
	object->session = session_of(one);
	fake_bytes(one, "comm", object->comm, sizeof(object->comm));
	fake_bytes(one, "label", object->label, sizeof(object->label));
	return 1;
}

uint64_t pddgpu_objects_now(const struct pddgpu_objects *reader)
{
	return reader->now_ms * NS_PER_MS;
}

void pddgpu_objects_close(struct pddgpu_objects *reader)
{
	free(reader);
}

int pddgpu_query_site(struct pddgpu_device *dev, uint32_t site, struct drm_pddgpu_site *out)
{
	const json_t *frames, *frame;
	char number[16];
	int error = fake_gone(dev);
	size_t i;

	if (error)
		return error;
	snprintf(number, sizeof(number), "%u", site);
	frames = json_object_get(json_object_get(dev->json, "sites"), number);
	if (!frames)
		return -ENOENT;
	memset(out, 0, sizeof(*out));
	out->site = site;
	json_array_foreach(frames, i, frame) {
		if (i == PDDGPU_SITE_FRAMES)
			break;
		out->frames[i].kind = fake_number(frame, "user") ? PDDGPU_FRAME_USER :
				      PDDGPU_FRAME_KERNEL;
		out->frames[i].offset = fake_number(frame, "offset");
		fake_bytes(frame, "name", out->frames[i].name, sizeof(out->frames[i].name));
		out->count++;
	}
	return 0;
}

int pddgpu_unfreed_open(struct pddgpu_device *dev, uint64_t after, struct pddgpu_unfreed **out)
{
	json_t *list = json_object_get(dev->json, "unfreed");
	int error = fake_gone(dev);

	if (!error && !list)
		error = -EOPNOTSUPP;
	if (!error && json_is_string(list))
		error = fake_error(json_string_value(list));
	if (error)
		return error;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->list = list;
	(*out)->after = after;
	return 0;
}

int pddgpu_unfreed_next(struct pddgpu_unfreed *reader, const struct drm_pddgpu_unfreed **out)
{
	struct drm_pddgpu_unfreed *one = &reader->one;
	const json_t *from;

	*out = NULL;
	while ((from = json_array_get(reader->list, reader->at))) {
		if (json_is_string(from))
			return fake_error(json_string_value(from));
		reader->at++;
		if (fake_number(from, "id") > reader->after)
			break;
	}
	if (!from)
		return 0;
	memset(one, 0, sizeof(*one));
	one->id = fake_number(from, "id");
	one->bytes = fake_number(from, "bytes");
	one->objects = fake_number(from, "objects");
	one->client_id = fake_number(from, "client");
	one->oldest_ns = ns(from, "oldest_ms");
	one->pid = (uint32_t)fake_number(from, "pid");
	one->site = (uint32_t)fake_number(from, "site");
	one->session = session_of(from);
	fake_bytes(from, "comm", one->comm, sizeof(one->comm));
	fake_bytes(from, "label", one->label, sizeof(one->label));
	reader->lost = fake_number(from, "lost");
	*out = one;
	return 1;
}

uint64_t pddgpu_unfreed_lost(const struct pddgpu_unfreed *reader)
{
	return reader->lost;
}

int pddgpu_unfreed_last(struct pddgpu_device *dev, uint64_t *out)
{
	int error = fake_gone(dev);

	if (!error && !json_object_get(dev->json, "unfreed"))
		error = -EOPNOTSUPP;
	*out = fake_number(dev->json, "unfreed_last");
	return error;
}

void pddgpu_unfreed_close(struct pddgpu_unfreed *reader)
{
	free(reader);
}
