// SPDX-License-Identifier: MIT
/*
 * Where buffers belong: to an owner, in it to a group, and there to those of about the same
 * size. Programs number their labels ("tile 17"), so numbers in them do not tell groups
 * apart. What is learnt belongs to the place, which all processes of a program share.
 */
#include <ctype.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "verdict_internal.h"

/* Looks that a process, or a group of it, is remembered for when it has no buffers */
#define ABSENT_LOOKS 30
/* Places that are kept when no process uses them; and for how many looks, if there are more */
#define PLACES_KEPT 1024
#define PLACE_LOOKS 600
/* The site of a place that is all sites */
#define ANYWHERE UINT32_MAX

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

/* FNV-1a */
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

/* "tile 17, 0x7f0a" becomes "tile #, #": a word of hexadecimal digits that has a number */
static void without_numbers(const char *label, size_t room, char *out)
{
	size_t i = 0, n = 0;

	while (i < room - 1 && label[i]) {
		size_t word = 0, hex = 0, digits = 0;

		while (i + word < room - 1 && isalnum((unsigned char)label[i + word])) {
			unsigned char c = (unsigned char)label[i + word++];

			digits += isdigit(c) != 0;
			hex += isxdigit(c) || ((c == 'x' || c == 'X') && word == 2);
		}
		if (!word) {
			out[n++] = label[i++];
		} else if (digits && (hex == word && word >= 4)) {
			out[n++] = '#';
			i += word;
		} else {
			for (; word; word--, i++)
				if (!isdigit((unsigned char)label[i]))
					out[n++] = label[i];
				else if (!n || out[n - 1] != '#')
					out[n++] = '#';
		}
	}
	memset(out + n, 0, room - n);
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
	owner->born_ns = UINT64_MAX;
	owner->next = verdict->owners;
	verdict->owners = owner;
	return owner;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order;

	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	order = strcmp(x->label, y->label);
	return order ? order : strcmp(x->comm, y->comm);
}

static struct place *place_of(struct verdict *verdict, const struct verdict_group *name)
{
	struct place like = { .site = name->site }, *place;
	struct place **found;

	memcpy(like.label, name->label, sizeof(like.label));
	memcpy(like.comm, name->comm, sizeof(like.comm));
	found = tfind(&like, &verdict->by_place, compare_places);
	if (found)
		return *found;
	place = malloc(sizeof(*place));
	if (!place)
		return NULL;
	*place = like;
	if (!tsearch(place, &verdict->by_place, compare_places)) {
		free(place);
		return NULL;
	}
	place->unused_since = verdict->looks;
	place->next = verdict->places;
	verdict->places = place;
	verdict->place_count++;
	return place;
}

static struct group *group_of(struct verdict *verdict, const struct drm_pddgpu_object *object)
{
	struct verdict_group name = {
		.client_id = object->client_id, .pid = object->pid, .site = object->site,
	};
	struct verdict_group **found;
	struct place *place, *alike = NULL;
	struct group *group;
	struct owner *owner;

	without_numbers(object->label, sizeof(name.label), name.label);
	found = tfind(&name, &verdict->by_name, compare_groups);
	if (found)
		return (struct group *)*found;
	memcpy(name.comm, object->comm, sizeof(name.comm));
	name.comm[sizeof(name.comm) - 1] = 0;
	name.key = key_of(&name);
	owner = owner_of(verdict, &name);
	place = place_of(verdict, &name);
	if (name.label[0]) {
		name.site = ANYWHERE;
		alike = place_of(verdict, &name);
		name.site = object->site;
	}
	group = calloc(1, sizeof(*group));
	if (!owner || !place || !group || (name.label[0] && !alike)) {
		free(group);
		return NULL;
	}
	group->shown = name;
	group->owner = owner;
	group->place = place;
	if (!tsearch(&group->shown, &verdict->by_name, compare_groups)) {
		free(group);
		return NULL;
	}
	place->users++;
	if (alike)
		alike->users++;
	group->alike = alike;
	if (!owner->sites || (owner->sites == 1 && owner->site != name.site))
		owner->sites++;
	owner->site = name.site;
	group->next = owner->groups;
	owner->groups = group;
	verdict->group_count++;
	return group;
}

/* Four to each power of two */
static uint64_t bucket_of(uint64_t size)
{
	unsigned int bits = size > 4 ? 63 - (unsigned int)__builtin_clzll(size) : 2;

	return (uint64_t)(4 + ((size >> (bits - 2)) & 3)) << (bits - 2);
}

static struct size_habit *size_of(struct place *place, uint64_t bucket)
{
	struct size_habit *size;

	for (size = place->sizes; size; size = size->next)
		if (size->bucket == bucket)
			return size;
	size = calloc(1, sizeof(*size));
	if (!size)
		return NULL;
	size->bucket = bucket;
	size->next = place->sizes;
	place->sizes = size;
	return size;
}

struct kind *verdict_kind(struct verdict *verdict, const struct drm_pddgpu_object *object)
{
	struct group *group = group_of(verdict, object);
	uint64_t bucket = bucket_of(object->size);
	struct kind *kind;

	if (!group)
		return NULL;
	for (kind = group->kinds; kind; kind = kind->next)
		if (kind->size->bucket == bucket)
			return kind;
	kind = calloc(1, sizeof(*kind));
	if (!kind)
		return NULL;
	kind->size = size_of(group->place, bucket);
	if (!kind->size) {
		free(kind);
		return NULL;
	}
	kind->group = group;
	kind->next = group->kinds;
	group->kinds = kind;
	return kind;
}

static void group_free(struct verdict *verdict, struct group *group)
{
	struct kind *kind, *next;

	for (kind = group->kinds; kind; kind = next) {
		next = kind->next;
		free(kind);
	}
	tdelete(&group->shown, &verdict->by_name, compare_groups);
	if (!--group->place->users)
		group->place->unused_since = verdict->looks;
	if (group->alike && !--group->alike->users)
		group->alike->unused_since = verdict->looks;
	verdict->group_count--;
	free(group);
}

static void forget_groups(struct verdict *verdict, struct owner *owner, bool all)
{
	struct group **link = &owner->groups;

	while (*link) {
		struct group *group = *link;

		group->absent = group->shown.objects ? 0 : group->absent + 1;
		if (all || group->absent > ABSENT_LOOKS) {
			*link = group->next;
			group_free(verdict, group);
		} else {
			link = &group->next;
		}
	}
}

static void forget_places(struct verdict *verdict, bool all)
{
	struct place **link = &verdict->places;
	struct size_habit *size, *next;

	while (*link) {
		struct place *place = *link;

		if (!all && (place->users || verdict->looks - place->unused_since < PLACE_LOOKS)) {
			link = &place->next;
			continue;
		}
		*link = place->next;
		for (size = place->sizes; size; size = next) {
			next = size->next;
			free(size);
		}
		tdelete(place, &verdict->by_place, compare_places);
		free(place);
		verdict->place_count--;
	}
}

void verdict_forget(struct verdict *verdict, bool all)
{
	struct owner **link = &verdict->owners;

	while (*link) {
		struct owner *owner = *link;

		owner->absent = owner->objects ? 0 : owner->absent + 1;
		forget_groups(verdict, owner, all || owner->absent > ABSENT_LOOKS);
		if (all || owner->absent > ABSENT_LOOKS) {
			*link = owner->next;
			free(owner);
		} else {
			link = &owner->next;
		}
	}
	if (all || verdict->place_count > PLACES_KEPT)
		forget_places(verdict, all);
}
