// SPDX-License-Identifier: MIT
/*
 * The list of objects past the suspicious age, put into groups: what a program forgot
 * to free it has forgot at the same place every time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "leaks.h"
#include "out.h"
#include "text.h"

static uint64_t hash(const char *key, size_t length)
{
	uint64_t value = 0xcbf29ce484222325;

	while (length--)
		value = (value ^ (unsigned char)*key++) * 0x100000001b3;
	return value ^ value >> 32;
}

/**
 * struct reading - a card's buffers, one after the other
 */
struct reading {
	const struct card *card;
	const struct leaks_wanted *wanted;
	struct leaks *leaks;
	/* Of the buffer that is added: where it was made; 0: its stack tells */
	uint32_t site;
};

static size_t key_put(char *key, size_t at, const void *from, size_t bytes)
{
	memcpy(key + at, from, bytes);
	return at + bytes;
}

/* pid, site; comm, label and stack each with its NUL; what does not count is empty */
static size_t key_of(const struct reading *reading, const struct pddgpu_leak *leak)
{
	enum leaks_by by = reading->wanted->by;
	bool owner = by != LEAKS_BY_LABEL, stack = by == LEAKS_BY_STACK || by == LEAKS_BY_NONE;
	const char *comm = owner ? leak->comm : "";
	const char *name = by != LEAKS_BY_OWNER ? leak->label : "";
	const char *frames = stack ? leak->stack : "";
	int32_t pid = owner ? leak->pid : 0;
	uint32_t site = stack ? reading->site : 0;
	size_t comms = strlen(comm) + 1, names = strlen(name) + 1, bytes = strlen(frames) + 1;
	struct leaks *leaks = reading->leaks;
	size_t need = sizeof(pid) + sizeof(site) + comms + names + bytes, at;

	if (leaks->key_room < need) {
		leaks->key = out_need(realloc(leaks->key, need));
		leaks->key_room = need;
	}
	at = key_put(leaks->key, 0, &pid, sizeof(pid));
	at = key_put(leaks->key, at, &site, sizeof(site));
	at = key_put(leaks->key, at, comm, comms);
	at = key_put(leaks->key, at, name, names);
	return key_put(leaks->key, at, frames, bytes);
}

static struct leak_group *group_new(struct reading *reading, size_t length)
{
	struct leaks *leaks = reading->leaks;
	struct leak_group *group;
	uint32_t site;

	if (leaks->count == leaks->room) {
		leaks->room = leaks->room * 2 + 64;
		leaks->groups = out_need(realloc(leaks->groups,
						 leaks->room * sizeof(*leaks->groups)));
	}
	group = &leaks->groups[leaks->count++];
	memset(group, 0, sizeof(*group));
	group->key = out_need(malloc(length));
	memcpy(group->key, leaks->key, length);
	group->key_length = length;
	memcpy(&group->pid, group->key, sizeof(group->pid));
	memcpy(&site, group->key + sizeof(group->pid), sizeof(site));
	if (site)
		group->site = sites_get(reading->wanted->sites, reading->card->dev, site);
	group->comm = group->key + sizeof(group->pid) + sizeof(site);
	group->label = group->comm + strlen(group->comm) + 1;
	group->stack = group->label + strlen(group->label) + 1;
	group->youngest_ms = UINT64_MAX;
	return group;
}

static size_t slot_of(const struct leaks *leaks, const char *key, size_t length)
{
	size_t at = hash(key, length) & (leaks->slots_count - 1);

	while (leaks->slots[at]) {
		const struct leak_group *group = &leaks->groups[leaks->slots[at] - 1];

		if (group->key_length == length && !memcmp(group->key, key, length))
			break;
		at = (at + 1) & (leaks->slots_count - 1);
	}
	return at;
}

static void slots_grow(struct leaks *leaks)
{
	size_t i;

	free(leaks->slots);
	leaks->slots_count = leaks->slots_count ? leaks->slots_count * 2 : 256;
	leaks->slots = out_need(calloc(leaks->slots_count, sizeof(*leaks->slots)));
	for (i = 0; i < leaks->count; i++)
		leaks->slots[slot_of(leaks, leaks->groups[i].key, leaks->groups[i].key_length)] =
			(uint32_t)i + 1;
}

static struct leak_group *group_of(struct reading *reading, const struct pddgpu_leak *leak)
{
	struct leaks *leaks = reading->leaks;
	size_t length = key_of(reading, leak), slot;

	if (reading->wanted->by == LEAKS_BY_NONE)
		return group_new(reading, length);
	if (leaks->count * 2 >= leaks->slots_count)
		slots_grow(leaks);
	slot = slot_of(leaks, leaks->key, length);
	if (leaks->slots[slot])
		return &leaks->groups[leaks->slots[slot] - 1];
	leaks->slots[slot] = (uint32_t)leaks->count + 1;
	return group_new(reading, length);
}

static unsigned int region_of(uint32_t domain)
{
	switch (domain) {
	case PDDGPU_GEM_DOMAIN_VRAM:
		return PDDGPU_REGION_VRAM;
	case PDDGPU_GEM_DOMAIN_GTT:
		return PDDGPU_REGION_GTT;
	case PDDGPU_GEM_DOMAIN_CPU:
		return PDDGPU_REGION_CPU;
	default:
		return PDDGPU_REGIONS;
	}
}

static void count(struct leak_group *group, const struct pddgpu_leak *leak)
{
	group->bytes += leak->size;
	group->objects++;
	if (leak->confirmed) {
		group->confirmed++;
		group->confirmed_bytes += leak->size;
	}
	if (group->oldest_ms < leak->age_ms)
		group->oldest_ms = leak->age_ms;
	if (group->youngest_ms > leak->age_ms)
		group->youngest_ms = leak->age_ms;
	group->states[leak->state < PDDGPU_STATES_OWNED ? leak->state : PDDGPU_STATES_OWNED]++;
	group->regions[region_of(leak->domain)] += leak->size;
}

static bool wanted(const struct pddgpu_leak *leak, const struct leaks_filter *filter)
{
	return leak->age_ms >= filter->min_age_ms && leak->size >= filter->min_size &&
	       (!filter->state || leak->state + 1 == filter->state) &&
	       (!filter->pid || leak->pid == filter->pid) &&
	       (!filter->confirmed || leak->confirmed);
}

/* Largest first; where that says nothing, an order that stays */
static int compare(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int by_key(const struct leak_group *a, const struct leak_group *b)
{
	size_t length = a->key_length < b->key_length ? a->key_length : b->key_length;
	int order = memcmp(a->key, b->key, length);

	return order ? order : compare(b->key_length, a->key_length);
}

static int by_bytes(const void *a, const void *b)
{
	const struct leak_group *x = a, *y = b;
	int order = compare(x->bytes, y->bytes);

	if (!order)
		order = compare(x->oldest_ms, y->oldest_ms);
	return order ? order : by_key(x, y);
}

static int by_objects(const void *a, const void *b)
{
	int order = compare(((const struct leak_group *)a)->objects,
			    ((const struct leak_group *)b)->objects);

	return order ? order : by_bytes(a, b);
}

static int by_age(const void *a, const void *b)
{
	int order = compare(((const struct leak_group *)a)->oldest_ms,
			    ((const struct leak_group *)b)->oldest_ms);

	return order ? order : by_bytes(a, b);
}

static void add(struct reading *reading, const struct pddgpu_leak *leak)
{
	if (!wanted(leak, reading->wanted->filter))
		return;
	count(group_of(reading, leak), leak);
	count(&reading->leaks->all, leak);
}

/* For looks_once() */
static void add_object(void *to, const struct drm_pddgpu_object *object, uint64_t now_ns)
{
	struct reading *reading = to;
	struct pddgpu_leak leak;

	if (object->age_class == PDDGPU_OBJECT_YOUNG || object->is & PDDGPU_OBJECT_BASELINE)
		return;
	leak = (struct pddgpu_leak) {
		.age_ms = now_ns > object->birth_ns ? (now_ns - object->birth_ns) / 1000000 : 0,
		.size = object->size,
		.domain = object->domain,
		.state = object->state < PDDGPU_STATES_OWNED ? (enum pddgpu_state)object->state :
			 PDDGPU_STATE_UNKNOWN,
		.pid = (int32_t)object->pid,
		.confirmed = object->age_class == PDDGPU_OBJECT_CONFIRMED,
		.stack = "",
	};
	reading->site = object->site;
	memcpy(leak.comm, object->comm, sizeof(object->comm) - 1);
	memcpy(leak.label, object->label, sizeof(object->label) - 1);
	/* As debugfs calls them */
	if (!*leak.label && object->is & PDDGPU_OBJECT_IMPORTED)
		strcpy(leak.label, "imported");
	else if (!*leak.label && object->is & PDDGPU_OBJECT_KERNEL)
		strcpy(leak.label, "kernel");
	add(reading, &leak);
}

static void begin(struct leaks *leaks)
{
	memset(leaks, 0, sizeof(*leaks));
	leaks->all.youngest_ms = UINT64_MAX;
}

static void sort(struct leaks *leaks, enum leaks_sort by)
{
	static int (*const orders[])(const void *, const void *) = {
		[LEAKS_SORT_BYTES] = by_bytes,
		[LEAKS_SORT_OBJECTS] = by_objects,
		[LEAKS_SORT_AGE] = by_age,
	};
	size_t i;

	for (i = 0; i < leaks->count; i++)
		leaks->groups[i].alive = process_alive(leaks->groups[i].pid,
						       leaks->groups[i].comm);
	if (leaks->count)
		qsort(leaks->groups, leaks->count, sizeof(*leaks->groups), orders[by]);
}

int leaks_read_text(const struct card *card, const struct leaks_wanted *wanted,
		    struct leaks *leaks)
{
	struct reading reading = { .card = card, .wanted = wanted, .leaks = leaks };
	struct pddgpu_leaks *reader;
	struct pddgpu_leak leak;
	int ret;

	begin(leaks);
	ret = pddgpu_leaks_open(card->dev, &reader);
	if (ret)
		return ret;
	while ((ret = pddgpu_leaks_next(reader, &leak)) > 0 || ret == -EPROTO)
		if (ret > 0)
			add(&reading, &leak);
	pddgpu_leaks_close(reader);
	sort(leaks, wanted->sort);
	return ret;
}

int leaks_read(const struct card *card, const struct leaks_wanted *wanted, struct leaks *leaks,
	       struct looked *first)
{
	struct reading reading = { .card = card, .wanted = wanted, .leaks = leaks };
	bool all = sees_all();
	const struct looks looks = {
		.pid = (uint32_t)wanted->filter->pid, .min_size = wanted->filter->min_size,
		.each = all ? add_object : NULL, .to = &reading,
	};
	int ret;

	begin(leaks);
	first->card = *card;
	ret = looks_once(first, &looks);
	if (ret == -ENODEV || (!ret && all)) {
		sort(leaks, wanted->sort);
		return ret;
	}
	leaks_free(leaks);
	return leaks_read_text(card, wanted, leaks);
}

void leaks_free(struct leaks *leaks)
{
	size_t i;

	for (i = 0; i < leaks->count; i++)
		free(leaks->groups[i].key);
	free(leaks->groups);
	free(leaks->slots);
	free(leaks->key);
	memset(leaks, 0, sizeof(*leaks));
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
	return *text ? json_text(text) : json_null();
}

static json_t *frames_json(const struct leak_group *group)
{
	json_t *frames = out_need(json_array());
	char *copy = out_need(strdup(group->stack)), *at = copy, *end;
	unsigned int i;

	for (i = 0; group->site && i < group->site->count; i++)
		json_add(frames, json_text(group->site->texts[i]));
	while (*at) {
		end = strstr(at, " < ");
		if (end)
			*end = '\0';
		json_add(frames, json_text(at));
		if (!end)
			break;
		at = end + 3;
	}
	free(copy);
	return frames;
}

json_t *leak_group_json(const struct leak_group *group, enum leaks_by by)
{
	json_t *object = out_need(json_object());
	unsigned int i;

	json_put(object, "bytes", json_count(group->bytes));
	json_put(object, "objects", json_count(group->objects));
	json_put(object, "confirmed_bytes", json_count(group->confirmed_bytes));
	json_put(object, "confirmed", json_count(group->confirmed));
	json_put(object, "oldest_ms", json_count(group->oldest_ms));
	json_put(object, "youngest_ms", json_count(group->youngest_ms));
	for (i = 0; i < PDDGPU_STATES_OWNED; i++)
		json_put(object, state_names[i], json_count(group->states[i]));
	for (i = 0; i < PDDGPU_REGIONS; i++)
		json_put(object, region_names[i], json_count(group->regions[i]));
	json_put(object, "pid", group->pid ? json_integer(group->pid) : json_null());
	json_put(object, "comm", text_or_null(group->comm));
	json_put(object, "exited", group->alive == ALIVE_UNKNOWN ? json_null() :
		 json_boolean(group->alive == ALIVE_NO));
	json_put(object, "label", text_or_null(group->label));
	json_put(object, "stack", by == LEAKS_BY_STACK || by == LEAKS_BY_NONE ?
		 frames_json(group) : json_null());
	return object;
}

/* ---- text ---- */

static void print_text(const char *raw)
{
	char *text = text_printable(raw);

	fputs(text, stdout);
	free(text);
}

static void print_age(const struct leak_group *group)
{
	char oldest[OUT_SIZE_MAX], youngest[OUT_SIZE_MAX];

	if (group->objects == 1)
		printf(", %s old", out_time(oldest, group->oldest_ms));
	else
		printf(", %s to %s old", out_time(youngest, group->youngest_ms),
		       out_time(oldest, group->oldest_ms));
}

static void print_class(const struct leak_group *group)
{
	if (group->confirmed == group->objects)
		printf("%sconfirmed%s", out_on(OUT_BAD), out_off());
	else if (group->confirmed)
		printf("%s%" PRIu64 " confirmed%s", out_on(OUT_BAD), group->confirmed, out_off());
	else
		printf("%ssuspicious%s", out_on(OUT_WARN), out_off());
}

static void print_frames(const char *stack)
{
	while (*stack) {
		const char *end = strstr(stack, " < ");
		size_t length = end ? (size_t)(end - stack) : strlen(stack);
		char *frame = out_need(strndup(stack, length));

		printf("      %s", out_on(OUT_DIM));
		print_text(frame);
		printf("%s\n", out_off());
		free(frame);
		stack += length + (end ? 3 : 0);
	}
}

static void print_owner(const struct leak_group *group)
{
	if (!group->pid && !*group->comm) {
		printf("nobody");
		return;
	}
	print_text(group->comm);
	printf(" (pid %d%s%s%s)", group->pid, group->alive == ALIVE_NO ? ", " : "",
	       group->alive == ALIVE_NO ? out_on(OUT_WARN) : "",
	       group->alive == ALIVE_NO ? "exited" : "");
	fputs(group->alive == ALIVE_NO ? out_off() : "", stdout);
}

void leak_group_print(const struct leak_group *group, enum leaks_by by)
{
	char size[OUT_SIZE_MAX];
	const char *comma = ", ";
	unsigned int i;

	printf("  %s%s%s in %" PRIu64 " buffer%s, ", out_on(OUT_BOLD),
	       out_size(size, group->bytes), out_off(), group->objects,
	       group->objects == 1 ? "" : "s");
	print_class(group);
	print_age(group);
	for (i = 0; i < PDDGPU_STATES_OWNED; i++, comma = ", ")
		if (group->states[i] == group->objects)
			printf("%s%s", comma, state_names[i]);
		else if (group->states[i])
			printf("%s%" PRIu64 " %s", comma, group->states[i], state_names[i]);
	for (i = 0; i < PDDGPU_REGIONS; i++)
		if (group->regions[i])
			printf("%s%s", comma, region_titles[i]);
	fputs("\n    ", stdout);
	if (by != LEAKS_BY_LABEL)
		print_owner(group);
	if (by != LEAKS_BY_OWNER && *group->label) {
		fputs(by == LEAKS_BY_LABEL ? "label " : ", label ", stdout);
		print_text(group->label);
	} else if (by == LEAKS_BY_LABEL) {
		fputs("no label", stdout);
	}
	putchar('\n');
	if (group->site)
		site_print(stdout, group->site, 6, true);
	print_frames(group->stack);
}
