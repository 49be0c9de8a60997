// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pddgpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "live.h"

/* How many owners are kept of those who left memory behind: the first in the list */
#define OWNERS_MAX 100000
/* A list of owners that takes longer than this is read each tenth time. */
#define OWNERS_SLOW_NS 2000000

struct live {
	struct drmscan *scan;
	struct names *names;
	int classes;		/* class/drm of sysfs; -1: none */
	bool with_owners;
	unsigned int rest;	/* samples to go before owners are read again */
	size_t max_cards, max_owners;
	struct sample sample;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t live_now_ms(void)
{
	return clock_ns(CLOCK_BOOTTIME) / 1000000;
}

int live_new(const struct live_options *options, struct live **out)
{
	struct live *live = calloc(1, sizeof(*live));
	struct drmscan_options scan = {
		.proc = options->proc,
		.sys = options->sys,
		.budget_ns = options->budget_ns,
	};
	const char *sys = options->sys ? options->sys : options->proc ? NULL : "/sys";
	char path[4096];
	int error = -ENOMEM;

	if (!live)
		return error;
	live->names = names_new();
	scan.names = live->names;
	if (live->names)
		error = drmscan_new(&scan, &live->scan);
	if (error) {
		names_free(live->names);
		free(live);
		return error;
	}
	live->with_owners = options->owners;
	live->classes = -1;
	if (sys && snprintf(path, sizeof(path), "%s/class/drm", sys) < (int)sizeof(path))
		live->classes = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*out = live;
	return 0;
}

void live_free(struct live *live)
{
	if (!live)
		return;
	drmscan_free(live->scan);
	names_free(live->names);
	if (live->classes >= 0)
		close(live->classes);
	free(live->sample.cards);
	free(live->sample.owners);
	free(live);
}

/* Room for one more card, or owner; NULL: no memory */
static void *grow(void **array, size_t *max, size_t count, size_t size)
{
	size_t more = *max ? *max * 2 : 16;
	void *bigger;

	if (count < *max)
		return *array;
	bigger = reallocarray(*array, more, size);
	if (bigger) {
		*array = bigger;
		*max = more;
	}
	return bigger;
}

static struct sample_card *add_card(struct live *live, const char *device)
{
	struct sample *sample = &live->sample;
	struct sample_card *card;

	for (size_t i = 0; i < sample->nr_cards; i++)
		if (sample->cards[i].device == device)
			return &sample->cards[i];
	if (!grow((void **)&sample->cards, &live->max_cards, sample->nr_cards, sizeof(*card)))
		return NULL;
	card = &sample->cards[sample->nr_cards++];
	*card = (struct sample_card){ .device = device };
	return card;
}

/* What a link of a card's folder leads to, without the path; NULL: there is none */
static const char *link_name(struct live *live, const char *card, const char *link)
{
	char path[64], target[512];
	const char *name;
	ssize_t length;

	snprintf(path, sizeof(path), "%.15s/%s", card, link);
	length = readlinkat(live->classes, path, target, sizeof(target) - 1);
	if (length <= 0)
		return NULL;
	target[length] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	return names_get(live->names, name, strlen(name));
}

static bool read_number(struct live *live, const char *card, const char *file, uint64_t *value)
{
	char path[80], text[32], *end;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%.15s/device/%s", card, file);
	fd = openat(live->classes, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return false;
	text[got] = '\0';
	errno = 0;
	*value = strtoull(text, &end, 10);
	return end != text && !errno;
}

/* cardN, and not cardN-HDMI-A-1 */
static bool is_card(const char *name)
{
	if (strncmp(name, "card", 4) || strlen(name) > 15)
		return false;
	name += 4;
	return *name && !name[strspn(name, "0123456789")];
}

/* amdgpu's names, which PDDGPU has too */
static void read_sizes(struct live *live, struct sample_card *card)
{
	static const char * const regions[] = { "vram", "gtt" };
	char file[32];

	for (unsigned int i = 0; i < 2; i++) {
		snprintf(file, sizeof(file), "mem_info_%s_total", regions[i]);
		if (!read_number(live, card->node, file, &card->total[i]))
			continue;
		snprintf(file, sizeof(file), "mem_info_%s_used", regions[i]);
		card->known[i] = read_number(live, card->node, file, &card->used[i]);
	}
}

static void find_cards(struct live *live)
{
	struct dirent *entry;
	DIR *folder;
	int fd;

	if (live->classes < 0)
		return;
	fd = openat(live->classes, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder))) {
		const char *device;
		struct sample_card *card;

		if (!is_card(entry->d_name))
			continue;
		device = link_name(live, entry->d_name, "device");
		card = device ? add_card(live, device) : NULL;
		if (!card)
			continue;
		card->gone = false;
		card->driver = link_name(live, entry->d_name, "device/driver");
		snprintf(card->node, sizeof(card->node), "%.15s", entry->d_name);
		read_sizes(live, card);
	}
	closedir(folder);
}

static void read_owners(struct live *live, struct sample_card *card, struct pddgpu_device *dev)
{
	struct sample *sample = &live->sample;
	struct pddgpu_owners *reader;
	struct pddgpu_owner one;

	if (pddgpu_owners_open(dev, &reader)) {
		sample->owners_known = false;
		return;
	}
	while (sample->nr_owners < OWNERS_MAX) {
		int got = pddgpu_owners_next(reader, &one);
		struct sample_owner *owner;

		if (got == -EPROTO)
			continue;
		if (got <= 0 || !grow((void **)&sample->owners, &live->max_owners,
				      sample->nr_owners, sizeof(*owner)))
			break;
		owner = &sample->owners[sample->nr_owners++];
		*owner = (struct sample_owner){
			.device = card->device, .id = one.client_id, .pid = one.pid,
		};
		memcpy(owner->comm, one.comm, COMM_BYTES);
		for (unsigned int i = 0; i < PDDGPU_REGIONS; i++)
			for (unsigned int j = 0; j < PDDGPU_STATES_OWNED; j++)
				owner->bytes[i] = add_saturated(owner->bytes[i], one.bytes[i][j]);
		for (unsigned int j = 0; j < PDDGPU_STATES_OWNED; j++)
			owner->objects += one.objects[j];
	}
	pddgpu_owners_close(reader);
}

/* What only the driver's own interface knows. The card is not kept open: that would keep
 * its driver from being unloaded.
 */
static void ask_card(struct live *live, struct sample_card *card, bool owners)
{
	struct drm_pddgpu_ownership own[PDDGPU_REGIONS];
	struct drm_pddgpu_memory_stats stats;
	struct pddgpu_device *dev;
	int error = pddgpu_open(card->device, &dev);

	if (error) {
		live->sample.owners_known = false;
		return;
	}
	error = pddgpu_query_ownership(dev, own);
	card->wedged = error == -EIO;
	for (unsigned int i = 0; !error && i < PDDGPU_REGIONS; i++) {
		card->owned = true;
		card->own[i] = (struct sample_ownership){
			own[i].used, own[i].live, own[i].orphan, own[i].zombie, own[i].kernel
		};
		card->used[i] = own[i].used;
		card->known[i] = true;
	}
	if (!pddgpu_query_stats(dev, &stats))
		card->leaks = stats.leak_suspicious + stats.leak_confirmed;
	if (owners)
		read_owners(live, card, dev);
	pddgpu_close(dev);
}

static int by_owner(const void *a, const void *b)
{
	const struct sample_owner *one = a, *other = b;

	if (one->device != other->device)
		return one->device < other->device ? -1 : 1;
	return (one->id > other->id) - (one->id < other->id);
}

/*
 * Takes those away who are clients still: these are shown as such. Others may be whose
 * descriptor has not been found yet, if their process lives: it is looked for.
 */
static void drop_clients(struct live *live)
{
	struct sample *sample = &live->sample;
	size_t left = 0;

	if (!sample->nr_owners)
		return;
	qsort(sample->owners, sample->nr_owners, sizeof(*sample->owners), by_owner);
	for (size_t i = 0; i < sample->nr_clients; i++) {
		const struct drmclient *client = sample->clients[i];
		struct sample_owner key = { .device = client->device, .id = client->id }, *found;

		found = bsearch(&key, sample->owners, sample->nr_owners, sizeof(key), by_owner);
		if (found)
			found->objects = 0;
	}
	for (size_t i = 0; i < sample->nr_owners; i++)
		if (sample->owners[i].objects) {
			drmscan_expect(live->scan, sample->owners[i].pid, sample->owners[i].id);
			sample->owners[left++] = sample->owners[i];
		}
	sample->nr_owners = left;
}

static void ask_cards(struct live *live)
{
	struct sample *sample = &live->sample;
	bool owners = live->with_owners && !live->rest;
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	sample->owners_old = !owners;
	if (owners) {
		sample->nr_owners = 0;
		sample->owners_known = true;
	} else if (live->rest) {
		live->rest--;
	}
	for (size_t i = 0; i < sample->nr_cards; i++) {
		struct sample_card *card = &sample->cards[i];

		if (card->driver && !strcmp(card->driver, "pddgpu") && !card->gone)
			ask_card(live, card, owners);
	}
	if (owners && clock_ns(CLOCK_MONOTONIC) - start > OWNERS_SLOW_NS)
		live->rest = 9;
}

/* Where a card does not say how much is used, its clients do. */
static void add_up(struct live *live)
{
	struct sample *sample = &live->sample;
	struct sample_card *card = NULL;
	uint64_t sums[REGION_CLASSES];

	for (size_t i = 0; i < sample->nr_clients; i++) {
		const struct drmclient *client = sample->clients[i];

		if (!card || card->device != client->device)
			card = add_card(live, client->device);
		if (!card)
			return;
		card->gone = false;
		if (!card->driver)
			card->driver = client->driver;
		fdinfo_sums(&client->info, sums);
		for (unsigned int j = 0; j < REGION_CLASSES; j++)
			if (!card->known[j])
				card->used[j] = add_saturated(card->used[j], sums[j]);
	}
}

static int by_device(const void *a, const void *b)
{
	const struct sample_card *one = a, *other = b;

	return strcmp(one->device, other->device);
}

int live_sample(struct live *live, const struct sample **out)
{
	struct sample *sample = &live->sample;
	int error;

	sample->ms = live_now_ms();
	sample->wall_ms = (int64_t)(clock_ns(CLOCK_REALTIME) / 1000000);
	error = drmscan_run(live->scan, sample->ms);
	if (error)
		return error;
	sample->clients = drmscan_clients(live->scan, &sample->nr_clients);
	drmscan_totals(live->scan, &sample->totals);
	for (size_t i = 0; i < sample->nr_cards; i++) {
		struct sample_card *card = &sample->cards[i];
		struct sample_card empty = { .device = card->device, .driver = card->driver,
					     .gone = true };

		memcpy(empty.node, card->node, sizeof(empty.node));
		*card = empty;
	}
	find_cards(live);
	ask_cards(live);
	add_up(live);
	drop_clients(live);
	if (sample->nr_cards)
		qsort(sample->cards, sample->nr_cards, sizeof(*sample->cards), by_device);
	*out = sample;
	return 0;
}
