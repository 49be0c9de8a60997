// SPDX-License-Identifier: MIT
/*
 * Looks: what is there now beside what was there before. Buffers come in order of their
 * ids, so that two looks are merged in one pass, and one that is missing has been freed.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "verdict_internal.h"

/* Looks that a process's habits are remembered for when it has no buffers */
#define ABSENT_LOOKS 60

static struct seen *seen_add(struct seen_list *list)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 256;
		struct seen *at = reallocarray(list->at, room, sizeof(*at));

		if (!at)
			return NULL;
		list->at = at;
		list->room = room;
	}
	return &list->at[list->count++];
}

struct verdict *verdict_new(void)
{
	return calloc(1, sizeof(struct verdict));
}

static int compare_groups(const void *a, const void *b)
{
	const struct verdict_group *x = a, *y = b;

	if (x->client_id != y->client_id)
		return x->client_id < y->client_id ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return strcmp(x->label, y->label);
}

static void group_free(struct verdict *verdict, struct group *group)
{
	struct kind *kind, *next;

	for (kind = group->kinds; kind; kind = next) {
		next = kind->next;
		free(kind);
	}
	tdelete(&group->shown, &verdict->by_name, compare_groups);
	verdict->group_count--;
	free(group);
}

static void owner_free(struct verdict *verdict, struct owner *owner)
{
	struct group *group, *next;

	for (group = owner->groups; group; group = next) {
		next = group->next;
		group_free(verdict, group);
	}
	free(owner);
}

static void forget(struct verdict *verdict)
{
	struct owner *owner, *next;

	for (owner = verdict->owners; owner; owner = next) {
		next = owner->next;
		owner_free(verdict, owner);
	}
	verdict->owners = NULL;
	verdict->now.count = verdict->before.count = verdict->dead.count = 0;
	verdict->shown_count = 0;
	verdict->looks = 0;
	verdict->failed = false;
}

void verdict_free(struct verdict *verdict)
{
	if (!verdict)
		return;
	forget(verdict);
	free(verdict->now.at);
	free(verdict->before.at);
	free(verdict->dead.at);
	free(verdict->shown);
	free(verdict);
}

int verdict_begin(struct verdict *verdict, uint64_t now_ns)
{
	struct seen_list list = verdict->before;
	struct owner *owner;

	if (verdict->failed || (verdict->looks && now_ns < verdict->now_ns))
		forget(verdict);
	verdict->before = verdict->now;
	verdict->now = list;
	verdict->now.count = verdict->dead.count = 0;
	verdict->merged = 0;
	verdict->last_ns = verdict->looks ? verdict->now_ns : now_ns;
	verdict->now_ns = now_ns;
	if (!verdict->looks)
		verdict->first_ns = now_ns;
	verdict->looks++;
	for (owner = verdict->owners; owner; owner = owner->next) {
		owner->objects = 0;
		owner->active = false;
	}
	return 0;
}

static struct owner *owner_of(struct verdict *verdict, const struct verdict_group *name)
{
	struct owner *owner;

	for (owner = verdict->owners; owner; owner = owner->next)
		if (owner->client_id == name->client_id && owner->pid == name->pid)
			return owner;
	owner = calloc(1, sizeof(*owner));
	if (!owner)
		return NULL;
	owner->client_id = name->client_id;
	owner->pid = name->pid;
	owner->next = verdict->owners;
	verdict->owners = owner;
	return owner;
}

/* FNV-1a; a collision puts two of an owner's places together at worst */
static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
	const unsigned char *at = data;

	while (bytes--)
		hash = (hash ^ *at++) * 0x100000001b3ull;
	return hash;
}

static uint64_t key_of(const struct verdict_group *name)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	hash = mix(hash, &name->client_id, sizeof(name->client_id));
	hash = mix(hash, &name->pid, sizeof(name->pid));
	hash = mix(hash, &name->site, sizeof(name->site));
	return mix(hash, name->label, strlen(name->label));
}

static struct group *group_of(struct verdict *verdict, const struct drm_pddgpu_object *object)
{
	struct verdict_group name = {
		.client_id = object->client_id, .pid = object->pid, .site = object->site,
	};
	struct verdict_group **found;
	struct group *group;
	struct owner *owner;

	memcpy(name.label, object->label, sizeof(name.label));
	name.label[sizeof(name.label) - 1] = 0;
	found = tfind(&name, &verdict->by_name, compare_groups);
	if (found)
		return (struct group *)*found;
	owner = owner_of(verdict, &name);
	group = calloc(1, sizeof(*group));
	if (!owner || !group) {
		free(group);
		return NULL;
	}
	memcpy(name.comm, object->comm, sizeof(name.comm));
	name.comm[sizeof(name.comm) - 1] = 0;
	name.key = key_of(&name);
	group->shown = name;
	group->owner = owner;
	if (!tsearch(&group->shown, &verdict->by_name, compare_groups)) {
		free(group);
		return NULL;
	}
	group->next = owner->groups;
	owner->groups = group;
	verdict->group_count++;
	return group;
}

/* Four to each power of two */
static uint32_t bucket_of(uint64_t size)
{
	unsigned int bits = size > 4 ? 63 - (unsigned int)__builtin_clzll(size) : 2;

	return bits * 4 + (uint32_t)((size >> (bits - 2)) & 3);
}

static struct kind *kind_of(struct verdict *verdict, const struct drm_pddgpu_object *object)
{
	struct group *group = group_of(verdict, object);
	uint32_t bucket = bucket_of(object->size);
	struct kind *kind;

	if (!group)
		return NULL;
	for (kind = group->kinds; kind; kind = kind->next)
		if (kind->bucket == bucket)
			return kind;
	kind = calloc(1, sizeof(*kind));
	if (!kind)
		return NULL;
	kind->group = group;
	kind->bucket = bucket;
	kind->next = group->kinds;
	group->kinds = kind;
	return kind;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The same buffer at the look before; those that it leaves behind have been freed */
static const struct seen *same_before(struct verdict *verdict, uint64_t id, bool *failed)
{
	while (verdict->merged < verdict->before.count) {
		const struct seen *old = &verdict->before.at[verdict->merged];
		struct seen *dead;

		if (old->id > id)
			return NULL;
		verdict->merged++;
		if (old->id == id)
			return old;
		dead = seen_add(&verdict->dead);
		if (!dead) {
			*failed = true;
			return NULL;
		}
		*dead = *old;
	}
	return NULL;
}

static int fail(struct verdict *verdict)
{
	verdict->failed = true;
	return -ENOMEM;
}

int verdict_add(struct verdict *verdict, const struct drm_pddgpu_object *object)
{
	uint32_t name = object->label[0] ?
		(uint32_t)mix(1, object->label, strnlen(object->label, sizeof(object->label))) : 0;
	bool failed = verdict->failed;
	const struct seen *old;
	struct seen *seen;

	/* An element that is out of order belongs to nothing: the sums would be wrong */
	if (verdict->now.count && object->id <= verdict->now.at[verdict->now.count - 1].id)
		return 0;
	old = same_before(verdict, object->id, &failed);
	if (failed)
		return fail(verdict);
	seen = seen_add(&verdict->now);
	if (!seen)
		return fail(verdict);
	*seen = old ? *old : (struct seen) { .id = object->id, .fresh = true };
	if (old)
		seen->fresh = false;
	seen->size = object->size;
	seen->birth_ns = object->birth_ns < verdict->now_ns ? object->birth_ns : verdict->now_ns;
	if (!old || seen->name != name)
		seen->kind = kind_of(verdict, object);
	if (!seen->kind) {
		verdict->now.count--;
		return fail(verdict);
	}
	seen->name = name;
	seen->was_ns = old ? old->active_ns : 0;
	seen->active_ns = latest(seen->birth_ns, latest(object->used_ns, object->touched_ns));
	if (seen->active_ns > verdict->now_ns)
		seen->active_ns = verdict->now_ns;
	seen->is = object->is;
	seen->state = object->state;
	seen->kind->group->owner->objects++;
	return 0;
}

static void drop_absent(struct verdict *verdict)
{
	struct owner **link = &verdict->owners;

	while (*link) {
		struct owner *owner = *link;

		owner->absent = owner->objects ? 0 : owner->absent + 1;
		if (owner->absent > ABSENT_LOOKS) {
			*link = owner->next;
			owner_free(verdict, owner);
		} else {
			link = &owner->next;
		}
	}
}

static int compare_shown(const void *a, const void *b)
{
	const struct verdict_group *x = *(const struct verdict_group *const *)a;
	const struct verdict_group *y = *(const struct verdict_group *const *)b;

	if (x->leaked_bytes != y->leaked_bytes)
		return x->leaked_bytes > y->leaked_bytes ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int show(struct verdict *verdict)
{
	struct owner *owner;
	struct group *group;

	if (verdict->shown_room < verdict->group_count) {
		size_t room = verdict->group_count + 64;
		void *shown = reallocarray(verdict->shown, room, sizeof(*verdict->shown));

		if (!shown)
			return fail(verdict);
		verdict->shown = shown;
		verdict->shown_room = room;
	}
	verdict->shown_count = 0;
	for (owner = verdict->owners; owner; owner = owner->next) {
		for (group = owner->groups; group; group = group->next) {
			if (!group->shown.objects)
				continue;
			verdict_explain(verdict, group);
			verdict->shown[verdict->shown_count++] = &group->shown;
		}
	}
	if (verdict->shown_count)
		qsort(verdict->shown, verdict->shown_count, sizeof(*verdict->shown), compare_shown);
	return 0;
}

int verdict_end(struct verdict *verdict)
{
	bool failed = verdict->failed;

	verdict->shown_count = 0;
	same_before(verdict, UINT64_MAX, &failed);
	if (failed)
		return fail(verdict);
	verdict_learn(verdict);
	verdict_judge(verdict);
	drop_absent(verdict);
	return show(verdict);
}

const struct verdict_group *const *verdict_groups(const struct verdict *verdict, size_t *count)
{
	*count = verdict->shown_count;
	return verdict->shown;
}

static const struct seen *find(const struct verdict *verdict, uint64_t id)
{
	size_t low = 0, high = verdict->now.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (verdict->now.at[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < verdict->now.count && verdict->now.at[low].id == id)
		return &verdict->now.at[low];
	return NULL;
}

enum rating verdict_rating(const struct verdict *verdict, uint64_t id)
{
	const struct seen *seen = find(verdict, id);

	return seen ? seen->rating : RATING_NEW;
}

const struct verdict_group *verdict_group_of(const struct verdict *verdict, uint64_t id)
{
	const struct seen *seen = find(verdict, id);

	return seen ? &seen->kind->group->shown : NULL;
}

uint64_t verdict_span(const struct verdict *verdict)
{
	return verdict->looks ? verdict->now_ns - verdict->first_ns : 0;
}

uint64_t verdict_leaked(const struct verdict *verdict)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < verdict->shown_count; i++)
		bytes += verdict->shown[i]->leaked_bytes;
	return bytes;
}
