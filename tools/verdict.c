// SPDX-License-Identifier: MIT
/*
 * Looks: what is there now beside what was there before. Buffers come in order of their
 * ids, so that two looks are merged in one pass, and one that is missing has been freed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verdict_internal.h"

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

static void begin_anew(struct verdict *verdict)
{
	verdict_forget(verdict, true);
	verdict->now.count = verdict->before.count = verdict->dead.count = 0;
	verdict->shown_count = 0;
	verdict->looks = 0;
	verdict->failed = false;
}

void verdict_free(struct verdict *verdict)
{
	if (!verdict)
		return;
	verdict_forget(verdict, true);
	free(verdict->now.at);
	free(verdict->before.at);
	free(verdict->dead.at);
	free(verdict->shown);
	free(verdict->idle);
	free(verdict);
}

int verdict_begin(struct verdict *verdict, uint64_t now_ns)
{
	struct seen_list list;
	struct owner *owner;

	if (verdict->failed || (verdict->looks && now_ns < verdict->now_ns))
		begin_anew(verdict);
	list = verdict->before;
	verdict->before = verdict->now;
	verdict->now = list;
	verdict->now.count = verdict->dead.count = 0;
	verdict->merged = 0;
	verdict->last_ns = verdict->looks ? verdict->now_ns : now_ns;
	verdict->now_ns = now_ns;
	if (!verdict->looks)
		verdict->first_ns = now_ns;
	verdict->looks++;
	for (owner = verdict->owners; owner; owner = owner->next)
		owner->objects = 0;
	return 0;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* FNV-1a: that a label changes is missed once in four thousand million times */
static uint32_t hash_of(const char *text, size_t bytes)
{
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < bytes && text[i]; i++)
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	return hash;
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
	uint32_t name = hash_of(object->label, sizeof(object->label));
	bool failed = verdict->failed;
	const struct seen *old;
	struct owner *owner;
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
	*seen = old ? *old : (struct seen) { .id = object->id };
	seen->fresh = !old;
	seen->size = object->size;
	seen->vram = object->domain == PDDGPU_GEM_DOMAIN_VRAM;
	seen->birth_ns = object->birth_ns < verdict->now_ns ? object->birth_ns : verdict->now_ns;
	if (!old || seen->name != name)
		seen->kind = verdict_kind(verdict, object);
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
	owner = seen->kind->group->owner;
	owner->objects++;
	if (seen->birth_ns < owner->born_ns)
		owner->born_ns = seen->birth_ns;
	return 0;
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

static int list_groups(struct verdict *verdict)
{
	struct owner *owner;
	struct group *group;

	if (verdict->shown_room < verdict->group_count) {
		size_t room = verdict->group_count + 64;
		void *shown = reallocarray(verdict->shown, room, sizeof(void *));

		if (!shown)
			return fail(verdict);
		verdict->shown = shown;
		verdict->shown_room = room;
	}
	for (owner = verdict->owners; owner; owner = owner->next)
		for (group = owner->groups; group; group = group->next)
			if (group->shown.objects)
				verdict->shown[verdict->shown_count++] = &group->shown;
	if (verdict->shown_count)
		qsort(verdict->shown, verdict->shown_count, sizeof(void *), compare_shown);
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
	if (verdict_together(verdict))
		return fail(verdict);
	verdict_judge(verdict);
	verdict_show(verdict);
	/* Of those in this look and in the one before none is forgotten */
	verdict_forget(verdict, false);
	return list_groups(verdict);
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
