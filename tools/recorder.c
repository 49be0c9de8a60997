// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "out.h"
#include "recording.h"

/* A client as it was written last */
struct written {
	uint64_t number;
	struct drmclient client;
};

struct recorder {
	FILE *file;
	uint64_t start_ms, next;
	struct written **clients;	/* in the order of the last sample, sorted by key */
	size_t nr_clients;
	json_t *cards, *owners;		/* as they were written last */
	unsigned int denied, silent;
};

static int by_key(const struct drmclient *a, const struct drmclient *b)
{
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	if (a->driver != b->driver)
		return a->driver < b->driver ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static int by_clients(const void *a, const void *b)
{
	return by_key(*(const struct drmclient * const *)a, *(const struct drmclient * const *)b);
}

static int write_line(struct recorder *recorder, json_t *line)
{
	int error = 0;

	errno = 0;
	if (json_dumpf(line, recorder->file, JSON_COMPACT) || putc('\n', recorder->file) < 0 ||
	    fflush(recorder->file))
		error = errno ? -errno : -EIO;
	json_decref(line);
	return error;
}

struct recorder *recorder_new(FILE *file, const struct sample *first, uint64_t interval_ms)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));
	json_t *line = out_need(json_object());
	char host[65] = "";

	if (!recorder) {
		json_decref(line);
		return NULL;
	}
	gethostname(host, sizeof(host) - 1);
	recorder->file = file;
	recorder->start_ms = first->ms;
	json_put(line, "schema", json_text(RECORDING_SCHEMA));
	json_put(line, "start_ms", json_integer(first->wall_ms));
	json_put(line, "interval_ms", json_count(interval_ms));
	json_put(line, "host", json_text(host));
	if (write_line(recorder, line)) {
		free(recorder);
		return NULL;
	}
	return recorder;
}

void recorder_free(struct recorder *recorder)
{
	if (!recorder)
		return;
	for (size_t i = 0; i < recorder->nr_clients; i++)
		free(recorder->clients[i]);
	free(recorder->clients);
	json_decref(recorder->cards);
	json_decref(recorder->owners);
	free(recorder);
}

static json_t *three(const uint64_t values[REGION_CLASSES])
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < REGION_CLASSES; i++)
		json_add(array, json_count(values[i]));
	return array;
}

static json_t *card_line(const struct sample_card *card)
{
	json_t *object = json_object(), *own = json_array();
	json_int_t known = 0;

	json_put(object, "d", json_text(card->device));
	if (card->driver)
		json_put(object, "r", json_text(card->driver));
	if (*card->node)
		json_put(object, "k", json_text(card->node));
	if (card->gone || card->wedged)
		json_put(object, card->gone ? "gone" : "wedged", json_true());
	json_put(object, "t", three(card->total));
	json_put(object, "u", three(card->used));
	for (unsigned int i = 0; i < REGION_CLASSES; i++)
		known |= card->known[i] << i;
	json_put(object, "q", json_integer(known));
	for (unsigned int i = 0; i < REGION_CLASSES && card->owned; i++) {
		json_t *one = json_array();

		json_add(one, json_count(card->own[i].used));
		json_add(one, json_count(card->own[i].live));
		json_add(one, json_count(card->own[i].orphan));
		json_add(one, json_count(card->own[i].zombie));
		json_add(one, json_count(card->own[i].kernel));
		json_add(own, one);
	}
	if (card->owned)
		json_put(object, "o", own);
	else
		json_decref(own);
	if (card->leaks)
		json_put(object, "l", json_count(card->leaks));
	return object;
}

static json_t *region_line(const struct fdinfo_region *region)
{
	json_t *array = json_array();
	int last = FDINFO_MEMORIES - 1;

	while (last >= 0 && !(region->has & 1u << last))
		last--;
	for (int i = 0; i <= last; i++)
		json_add(array, region->has & 1u << i ? json_count(region->bytes[i]) :
			 json_null());
	return array;
}

static json_t *engine_line(const struct fdinfo_engine *engine)
{
	json_t *object = json_object();

	if (engine->has & FDINFO_HAS_NS)
		json_put(object, "ns", json_count(engine->ns));
	if (engine->has & FDINFO_HAS_CYCLES)
		json_put(object, "cy", json_count(engine->cycles));
	if (engine->has & FDINFO_HAS_TOTAL_CYCLES)
		json_put(object, "of", json_count(engine->total_cycles));
	if (engine->has & FDINFO_HAS_MAX_HZ)
		json_put(object, "hz", json_count(engine->max_hz));
	if (engine->capacity != 1)
		json_put(object, "n", json_count(engine->capacity));
	return object;
}

static bool same_engine(const struct fdinfo_engine *a, const struct fdinfo_engine *b)
{
	return a->name == b->name && a->ns == b->ns && a->cycles == b->cycles &&
	       a->total_cycles == b->total_cycles && a->max_hz == b->max_hz &&
	       a->capacity == b->capacity && a->has == b->has;
}

static bool same_region(const struct fdinfo_region *a, const struct fdinfo_region *b)
{
	return a->name == b->name && a->has == b->has &&
	       !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static void put_engines(json_t *object, const struct fdinfo *info, const struct fdinfo *before)
{
	json_t *engines = json_object();

	for (unsigned int i = 0; i < info->nr_engines; i++) {
		const struct fdinfo_engine *now = &info->engines[i];

		if (before && i < before->nr_engines &&
		    same_engine(now, &before->engines[i]))
			continue;
		json_put(engines, now->name, engine_line(now));
	}
	if (json_object_size(engines))
		json_put(object, "e", engines);
	else
		json_decref(engines);
}

static void put_regions(json_t *object, const struct fdinfo *info, const struct fdinfo *before)
{
	json_t *regions = json_object();

	for (unsigned int i = 0; i < info->nr_regions; i++) {
		const struct fdinfo_region *now = &info->regions[i];

		if (before && i < before->nr_regions &&
		    same_region(now, &before->regions[i]))
			continue;
		json_put(regions, now->name, region_line(now));
	}
	if (json_object_size(regions))
		json_put(object, "m", regions);
	else
		json_decref(regions);
}

/* What is different from before; NULL before: all. NULL: nothing is. */
static json_t *client_line(const struct drmclient *client, const struct drmclient *before,
			   uint64_t number)
{
	json_t *object = json_object();

	json_put(object, "i", json_count(number));
	if (!before) {
		json_put(object, "d", json_text(client->device));
		json_put(object, "r", json_text(client->driver));
		json_put(object, "c", json_count(client->id));
	}
	if (!before || before->pid != client->pid)
		json_put(object, "p", json_integer(client->pid));
	if (!before || before->uid != client->uid)
		json_put(object, "u", json_count(client->uid));
	if (!before || strcmp(before->comm, client->comm))
		json_put(object, "n", json_text(client->comm));
	if (before ? strcmp(before->info.label, client->info.label) : *client->info.label)
		json_put(object, "l", json_text(client->info.label));
	if (before ? before->files != client->files : client->files != 1)
		json_put(object, "f", json_count(client->files));
	if (client->info.has_evictions &&
	    (!before || before->info.evictions != client->info.evictions))
		json_put(object, "v", json_count(client->info.evictions));
	put_regions(object, &client->info, before ? &before->info : NULL);
	put_engines(object, &client->info, before ? &before->info : NULL);
	if (before && json_object_size(object) == 1) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Both lists are in order: those before it are there no more. */
static struct written *find_written(struct recorder *recorder, size_t *old,
				    const struct drmclient *client, json_t *gone)
{
	for (; *old < recorder->nr_clients; ++*old) {
		struct written *one = recorder->clients[*old];
		int order = by_key(&one->client, client);

		if (order > 0)
			break;
		if (!order) {
			++*old;
			return one;
		}
		json_add(gone, json_count(one->number));
		free(one);
	}
	return NULL;
}

static void put_clients(struct recorder *recorder, json_t *line, const struct sample *sample)
{
	const struct drmclient **sorted = calloc(sample->nr_clients + 1, sizeof(void *));
	struct written **list = calloc(sample->nr_clients + 1, sizeof(void *));
	json_t *changed = json_array(), *gone = json_array();
	size_t old = 0;

	out_need(sorted);
	out_need(list);
	for (size_t i = 0; i < sample->nr_clients; i++)
		sorted[i] = sample->clients[i];
	if (sample->nr_clients)
		qsort(sorted, sample->nr_clients, sizeof(void *), by_clients);
	for (size_t i = 0; i < sample->nr_clients; i++) {
		struct written *before = find_written(recorder, &old, sorted[i], gone);
		json_t *one = client_line(sorted[i], before ? &before->client : NULL,
					  before ? before->number : recorder->next);

		if (one)
			json_add(changed, one);
		if (!before) {
			before = out_need(calloc(1, sizeof(*before)));
			before->number = recorder->next++;
		}
		before->client = *sorted[i];
		list[i] = before;
	}
	for (; old < recorder->nr_clients; old++) {
		json_add(gone, json_count(recorder->clients[old]->number));
		free(recorder->clients[old]);
	}
	free(sorted);
	free(recorder->clients);
	recorder->clients = list;
	recorder->nr_clients = sample->nr_clients;
	if (json_array_size(changed))
		json_put(line, "clients", changed);
	else
		json_decref(changed);
	if (json_array_size(gone))
		json_put(line, "gone", gone);
	else
		json_decref(gone);
}

static json_t *owners_line(const struct sample *sample)
{
	json_t *array = json_array();

	for (size_t i = 0; i < sample->nr_owners; i++) {
		const struct sample_owner *owner = &sample->owners[i];
		json_t *object = json_object();

		json_put(object, "d", json_text(owner->device));
		json_put(object, "c", json_count(owner->id));
		json_put(object, "p", json_integer(owner->pid));
		json_put(object, "n", json_text(owner->comm));
		json_put(object, "b", three(owner->bytes));
		json_put(object, "o", json_count(owner->objects));
		json_add(array, object);
	}
	return array;
}

/* Puts a list in only where it is another one than before. */
static void put_changed(json_t *line, const char *key, json_t **before, json_t *now)
{
	if (*before && json_equal(*before, now)) {
		json_decref(now);
		return;
	}
	json_decref(*before);
	*before = json_incref(now);
	json_put(line, key, now);
}

int recorder_write(struct recorder *recorder, const struct sample *sample)
{
	json_t *line = out_need(json_object()), *cards = json_array();

	json_put(line, "t", json_count(sample->ms - recorder->start_ms));
	for (size_t i = 0; i < sample->nr_cards; i++)
		json_add(cards, card_line(&sample->cards[i]));
	put_changed(line, "cards", &recorder->cards, cards);
	if (sample->owners_known || recorder->owners)
		put_changed(line, "owners", &recorder->owners, owners_line(sample));
	if (sample->totals.denied != recorder->denied)
		json_put(line, "denied", json_count(sample->totals.denied));
	if (sample->totals.silent != recorder->silent)
		json_put(line, "silent", json_count(sample->totals.silent));
	recorder->denied = sample->totals.denied;
	recorder->silent = sample->totals.silent;
	put_clients(recorder, line, sample);
	return write_line(recorder, line);
}
