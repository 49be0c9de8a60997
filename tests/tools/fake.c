// SPDX-License-Identifier: MIT
/*
 * A libpddgpu without cards, for the tests of the command alone: what it answers is in
 * the JSON file that PDDGPU_FAKE names. README.md says what may be in there.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pddgpu.h>

#include "facts.h"
#include "fake.h"
#include "fields.h"

/* All readers are the same: a list, and where in it */
struct reader {
	struct pddgpu_device *dev;
	json_t *list;
	size_t at;
	char *stack;
};

struct pddgpu_owners { struct reader r; };
struct pddgpu_leaks { struct reader r; };
struct pddgpu_blocks { struct reader r; };

static json_t *world;

/* Processes, too, are made up, or none */
static void __attribute__((constructor)) no_processes(void)
{
	const char *path = getenv("PDDGPU_FAKE_PROC");

	facts_proc = path ? path : "/nowhere";
	path = getenv("PDDGPU_FAKE_SYS");
	facts_sys = path ? path : "/nowhere";
	facts_all = !getenv("PDDGPU_FAKE_PART");
}

static json_t *devices(void)
{
	const char *path = getenv("PDDGPU_FAKE");
	json_error_t error;

	if (!world) {
		world = json_load_file(path ? path : "/dev/null", 0, &error);
		if (!world) {
			fprintf(stderr, "fake: %s: line %d: %s\n", path ? path : "PDDGPU_FAKE",
				error.line, error.text);
			exit(70);
		}
	}
	return json_object_get(world, "devices");
}

static void __attribute__((destructor)) forget(void)
{
	json_decref(world);
}

const char *fake_text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value ? value : "";
}

uint64_t fake_number(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

static uint64_t element(const json_t *object, const char *name, size_t place)
{
	const json_t *array = json_object_get(object, name);

	return (uint64_t)json_integer_value(json_array_get(array, place));
}

int fake_error(const char *name)
{
	static const struct { const char *name; int error; } known[] = {
		{ "EACCES", EACCES }, { "ENOENT", ENOENT }, { "ENODEV", ENODEV }, { "EIO", EIO },
		{ "EOPNOTSUPP", EOPNOTSUPP }, { "EPROTO", EPROTO }, { "EPERM", EPERM },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(name, known[i].name))
			return -known[i].error;
	return *name ? -EINVAL : 0;
}

const char *pddgpu_strerror(int error)
{
	return strerror(error < 0 ? -error : error);
}

const char *pddgpu_version(void)
{
	return "0.0.0";
}

static void identify(const json_t *json, struct pddgpu_device_id *id)
{
	memset(id, 0, sizeof(*id));
	snprintf(id->pci, sizeof(id->pci), "%s", fake_text(json, "pci"));
	snprintf(id->render, sizeof(id->render), "%s", fake_text(json, "render"));
	snprintf(id->primary, sizeof(id->primary), "%s", fake_text(json, "primary"));
	id->card = (int32_t)fake_number(json, "card");
}

int pddgpu_list(struct pddgpu_device_id *out, unsigned int max)
{
	size_t count = json_array_size(devices()), i;

	for (i = 0; i < count && i < max; i++)
		identify(json_array_get(devices(), i), &out[i]);
	return (int)count;
}

int pddgpu_open(const char *name, struct pddgpu_device **out)
{
	struct pddgpu_device_id id;
	json_t *json;
	size_t i;

	json_array_foreach(devices(), i, json) {
		int error = fake_error(fake_text(json, "open_error"));

		identify(json, &id);
		if (name && strcmp(name, id.pci) && strcmp(name, id.render))
			continue;
		if (error)
			return error;
		*out = calloc(1, sizeof(**out));
		if (!*out)
			return -ENOMEM;
		(*out)->id = id;
		(*out)->json = json;
		(*out)->calls = json_object_get(json, "vanish_after") ?
				(long)fake_number(json, "vanish_after") : -1;
		return 0;
	}
	return -ENOENT;
}

void pddgpu_close(struct pddgpu_device *dev)
{
	free(dev);
}

/* Another file each time that the card has been bound: "bound" has a number for each look */
int pddgpu_fd(const struct pddgpu_device *dev)
{
	const json_t *bound = json_object_get(dev->json, "bound");
	static int files[8];
	size_t look = (size_t)fake_number(json_object_get(dev->json, "objects"), "done");
	json_int_t number;

	if (!bound)
		return -1;
	number = json_integer_value(json_array_get(bound, look < json_array_size(bound) ? look :
						   json_array_size(bound) - 1)) % 8;
	if (!files[number])
		files[number] = memfd_create("bound", MFD_CLOEXEC);
	return files[number];
}

const struct pddgpu_device_id *pddgpu_id(const struct pddgpu_device *dev)
{
	return &dev->id;
}

int fake_gone(struct pddgpu_device *dev)
{
	if (!dev->calls)
		return -ENODEV;
	if (dev->calls > 0)
		dev->calls--;
	return fake_error(fake_text(dev->json, "query_error"));
}

static void info(const json_t *json, struct drm_pddgpu_device_info *out)
{
	const json_t *from = json_object_get(json, "info");

	snprintf(out->name, sizeof(out->name), "%s", fake_text(from, "name"));
	out->chip_rev = (uint32_t)fake_number(from, "revision");
	out->state = (uint32_t)fake_number(from, "state");
	out->vram_size = fake_number(from, "vram_size");
	out->vram_visible_size = fake_number(from, "vram_visible_size");
	out->gtt_size = fake_number(from, "gtt_size");
}

static void usage(const json_t *json, struct drm_pddgpu_domain_usage *out)
{
	const json_t *from = json_object_get(json, "usage");
	size_t i;

	for (i = 0; i < json_array_size(from); i++) {
		const json_t *one = json_array_get(from, i);

		out[i].domain = 4 >> i;
		out[i].total = fake_number(one, "total");
		out[i].used = fake_number(one, "used");
		out[i].visible_total = fake_number(one, "visible_total");
		out[i].visible_used = fake_number(one, "visible_used");
	}
}

static void ownership(const json_t *json, struct drm_pddgpu_ownership *out)
{
	const json_t *from = json_object_get(json, "ownership");
	size_t i;

	for (i = 0; i < json_array_size(from); i++) {
		const json_t *one = json_array_get(from, i);

		out[i].domain = 4 >> i;
		out[i].live = fake_number(one, "live");
		out[i].orphan = fake_number(one, "orphan");
		out[i].zombie = fake_number(one, "zombie");
		out[i].kernel = fake_number(one, "kernel");
		out[i].used = out[i].live + out[i].orphan + out[i].zombie + out[i].kernel;
		out[i].live_objects = fake_number(one, "live_objects");
		out[i].orphan_objects = fake_number(one, "orphan_objects");
		out[i].zombie_objects = fake_number(one, "zombie_objects");
	}
}

/* A member that is a list gives its next element each time, the last for ever */
static uint64_t changing(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);
	uint64_t now;

	if (!json_is_array(value))
		return (uint64_t)json_integer_value(value);
	now = (uint64_t)json_integer_value(json_array_get(value, 0));
	if (json_array_size(value) > 1)
		json_array_remove(value, 0);
	return now;
}

static void stats(const json_t *json, struct drm_pddgpu_memory_stats *out)
{
	json_t *from = json_object_get(json, "stats");
	const struct histogram *histogram;
	const struct field *field;
	size_t i;

	for (field = fields; field->name; field++)
		*(__u64 *)((char *)out + field->offset) = changing(from, field->name);
	for (histogram = histograms; histogram->name; histogram++)
		for (i = 0; i < PDDGPU_LATENCY_BUCKETS; i++)
			((__u64 *)((char *)out + histogram->offset))[i] =
				element(from, histogram->name, i);
}

int pddgpu_query(struct pddgpu_device *dev, uint32_t type, void *out, size_t size)
{
	int error = fake_gone(dev);

	memset(out, 0, size);
	if (error)
		return error;
	switch (type) {
	case PDDGPU_QUERY_DEVICE_INFO:
		info(dev->json, out);
		return (int)size;
	case PDDGPU_QUERY_DOMAIN_USAGE:
		usage(dev->json, out);
		return (int)size;
	case PDDGPU_QUERY_MEMORY_STATS:
		stats(dev->json, out);
		return (int)size;
	case PDDGPU_QUERY_OWNERSHIP:
		if (!json_object_get(dev->json, "ownership"))
			return -EOPNOTSUPP;
		ownership(dev->json, out);
		return (int)size;
	default:
		return -EOPNOTSUPP;
	}
}

/* The list, or the error whose name is in its place */
static int reader_open(struct pddgpu_device *dev, const char *name, struct reader **out)
{
	json_t *list = json_object_get(dev->json, name);
	int error = fake_gone(dev);

	if (!error)
		error = list ? fake_error(json_is_string(list) ? json_string_value(list) : "") :
			-EACCES;
	if (error)
		return error;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->dev = dev;
	(*out)->list = list;
	return 0;
}

/* { "made": N, "size": BYTES }: so many blocks, without as much text */
static int made_block(struct reader *r, struct pddgpu_block *out)
{
	size_t at = r->at++;

	if (at >= fake_number(r->list, "made"))
		return 0;
	memset(out, 0, sizeof(*out));
	out->size = fake_number(r->list, "size");
	out->offset = at * out->size;
	out->state = at % 3 ? PDDGPU_STATE_LIVE : PDDGPU_STATE_FREE;
	if (out->state == PDDGPU_STATE_LIVE) {
		out->client_id = at % 1000 + 1;
		out->pid = (int32_t)(4194305 + at % 1000);
		snprintf(out->comm, sizeof(out->comm), "p%zu", at % 1000);
	}
	return 1;
}

/* 1, 0 or an error; a text among the elements is an error's name */
static int reader_next(struct reader *r, json_t **one)
{
	*one = json_array_get(r->list, r->at);
	if (!*one)
		return 0;
	r->at++;
	return json_is_string(*one) ? fake_error(json_string_value(*one)) : 1;
}

static void reader_close(struct reader *r)
{
	if (r)
		free(r->stack);
	free(r);
}

/* "NAME", or "NAME_hex" for what is no UTF-8 */
void fake_bytes(const json_t *object, const char *name, char *out, size_t room)
{
	char hex[64];
	const char *at;
	unsigned int byte;
	size_t i = 0;

	snprintf(hex, sizeof(hex), "%s_hex", name);
	at = fake_text(object, hex);
	if (!*at) {
		snprintf(out, room, "%s", fake_text(object, name));
		return;
	}
	for (; i + 1 < room && sscanf(at, "%2x", &byte) == 1; at += 2)
		out[i++] = (char)byte;
	out[i] = '\0';
}

int pddgpu_owners_open(struct pddgpu_device *dev, struct pddgpu_owners **out)
{
	const char *ms = getenv("PDDGPU_FAKE_OWNERS_MS");

	if (ms)
		usleep((useconds_t)strtoul(ms, NULL, 10) * 1000);
	return reader_open(dev, "owners", (struct reader **)out);
}

int pddgpu_owners_next(struct pddgpu_owners *owners, struct pddgpu_owner *out)
{
	static const char *const regions[] = { "vram", "gtt", "cpu" };
	unsigned int region, state;
	json_t *one;
	int ret = reader_next(&owners->r, &one);

	if (ret <= 0)
		return ret;
	memset(out, 0, sizeof(*out));
	out->client_id = fake_number(one, "client");
	out->pid = (int32_t)fake_number(one, "pid");
	fake_bytes(one, "comm", out->comm, sizeof(out->comm));
	for (state = 0; state < PDDGPU_STATES_OWNED; state++) {
		for (region = 0; region < PDDGPU_REGIONS; region++)
			out->bytes[region][state] = element(one, regions[region], state);
		out->objects[state] = element(one, "objects", state);
	}
	return 1;
}

void pddgpu_owners_close(struct pddgpu_owners *owners)
{
	reader_close(owners ? &owners->r : NULL);
}

static enum pddgpu_state state_of(const char *name)
{
	static const char *const names[] = { "LIVE", "ORPHAN", "ZOMBIE", "KERNEL", "FREE",
					     "CLEARING" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return (enum pddgpu_state)i;
	return PDDGPU_STATE_UNKNOWN;
}

int pddgpu_leaks_open(struct pddgpu_device *dev, struct pddgpu_leaks **out)
{
	return reader_open(dev, "leaks", (struct reader **)out);
}

int pddgpu_leaks_next(struct pddgpu_leaks *leaks, struct pddgpu_leak *out)
{
	json_t *one;
	int ret = reader_next(&leaks->r, &one);

	if (ret <= 0)
		return ret;
	memset(out, 0, sizeof(*out));
	out->age_ms = fake_number(one, "age_ms");
	out->size = fake_number(one, "size");
	out->domain = (uint32_t)fake_number(one, "domain");
	out->state = state_of(fake_text(one, "state"));
	out->confirmed = json_is_true(json_object_get(one, "confirmed"));
	out->pid = (int32_t)fake_number(one, "pid");
	fake_bytes(one, "comm", out->comm, sizeof(out->comm));
	fake_bytes(one, "label", out->label, sizeof(out->label));
	/* Gone with the next call, as the library says */
	free(leaks->r.stack);
	leaks->r.stack = strdup(fake_text(one, "stack"));
	out->stack = leaks->r.stack;
	return 1;
}

void pddgpu_leaks_close(struct pddgpu_leaks *leaks)
{
	reader_close(leaks ? &leaks->r : NULL);
}

/* What was asked of the driver is told in the file that PDDGPU_FAKE_LOG names */
static int command(struct pddgpu_device *dev, const char *what)
{
	const char *path = getenv("PDDGPU_FAKE_LOG");
	int error = fake_gone(dev);
	FILE *log;

	if (!error)
		error = fake_error(fake_text(dev->json, "write_error"));
	if (error || !path)
		return error;
	log = fopen(path, "a");
	if (!log)
		return -errno;
	fprintf(log, "%s %s\n", dev->id.pci, what);
	fclose(log);
	return 0;
}

int pddgpu_leaks_scan(struct pddgpu_device *dev)
{
	return command(dev, "scan");
}

int pddgpu_leaks_clear(struct pddgpu_device *dev)
{
	return command(dev, "clear");
}

int pddgpu_blocks_open(struct pddgpu_device *dev, uint32_t domain,
		       struct pddgpu_blocks **out)
{
	return reader_open(dev, domain == PDDGPU_GEM_DOMAIN_VRAM ? "vram_blocks" : "gtt_blocks",
			   (struct reader **)out);
}

int pddgpu_blocks_next(struct pddgpu_blocks *blocks, struct pddgpu_block *out)
{
	json_t *one;
	int ret;

	if (json_is_object(blocks->r.list))
		return made_block(&blocks->r, out);
	ret = reader_next(&blocks->r, &one);
	if (ret <= 0)
		return ret;
	memset(out, 0, sizeof(*out));
	out->offset = fake_number(one, "offset");
	out->size = fake_number(one, "size");
	out->state = state_of(fake_text(one, "state"));
	out->client_id = fake_number(one, "client");
	out->pid = (int32_t)fake_number(one, "pid");
	fake_bytes(one, "comm", out->comm, sizeof(out->comm));
	return 1;
}

void pddgpu_blocks_close(struct pddgpu_blocks *blocks)
{
	reader_close(blocks ? &blocks->r : NULL);
}

int pddgpu_debugfs_open(struct pddgpu_device *dev, const char *file, int flags)
{
	const json_t *files = json_object_get(dev->json, "debugfs");
	const char *content = fake_text(files, file);
	int fd, error = fake_gone(dev);

	(void)flags;
	if (error)
		return error;
	if (!files)
		return -EACCES;
	if (!json_object_get(files, file))
		return -EOPNOTSUPP;
	fd = memfd_create("fake", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, content, strlen(content)) < 0 || lseek(fd, 0, SEEK_SET)) {
		close(fd);
		return -EIO;
	}
	return fd;
}
