// SPDX-License-Identifier: MIT
/*
 * Asks all cards at the same time, each in a thread of its own.
 *
 * A card is opened for each question and closed after it: a file that stays open
 * would keep the driver from being unloaded, and a card that is gone from being
 * forgotten. One that does not answer in time is reported as such at once from then
 * on, until it does.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xf86drm.h>

#include "export.h"

#define MOST_CARDS	64

/**
 * struct slot - a card, and the thread that asks it
 */
struct slot {
	/** @cards: all of them; its lock guards what is below but @sample */
	struct export_cards *cards;
	/** @id: the card */
	struct pddgpu_device_id id;
	/** @used: there is a thread */
	bool used;
	/** @listed: the card was there when somebody last looked */
	bool listed;
	/** @quit: the thread is to end */
	bool quit;
	/** @asked: it has been asked, and @sample is the thread's */
	bool asked;
	/** @awaited: somebody waits for the answer */
	bool awaited;
	/** @wake: @asked or @quit has become true */
	pthread_cond_t wake;
	/** @thread: who asks */
	pthread_t thread;
	/** @sample: the answer */
	struct export_sample sample;
	/** @count: of what @seconds were the sum, last time */
	uint64_t count[3];
	/** @seconds: what was said last time */
	double seconds[3];
};

struct export_cards {
	/** @lock: guards the slots */
	pthread_mutex_t lock;
	/** @done: some slot has answered */
	pthread_cond_t done;
	/** @processes: how many names are reported by themselves; 0: no processes at all */
	unsigned int processes;
	/** @slot: the cards */
	struct slot slot[MOST_CARDS];
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/*
 * The driver has no sum of all times but an average, rounded down. Multiplied it may
 * come to a little less than before, which for a counter means that it began anew.
 */
static void add_up(struct slot *slot, struct export_sample *out, unsigned int which,
		   const __u64 *histogram, uint64_t average)
{
	uint64_t count = 0;
	double seconds;
	unsigned int n;

	for (n = 0; n < PDDGPU_LATENCY_BUCKETS; n++)
		count += histogram[n];
	seconds = (double)average / 1e9 * (double)count;
	if (count >= slot->count[which] && seconds < slot->seconds[which])
		seconds = slot->seconds[which];
	slot->count[which] = count;
	slot->seconds[which] = seconds;
	out->seconds_of[which] = seconds;
}

static void driver_version(int fd, char *out, size_t size)
{
	drmVersionPtr version = drmGetVersion(fd);

	if (version)
		snprintf(out, size, "%d.%d.%d", version->version_major,
			 version->version_minor, version->version_patchlevel);
	drmFreeVersion(version);
}

static int query(struct slot *slot, struct pddgpu_device *dev, struct export_sample *out)
{
	unsigned int n;
	int ret;

	driver_version(pddgpu_fd(dev), out->driver, sizeof(out->driver));
	ret = pddgpu_query_info(dev, &out->info);
	if (!ret)
		ret = pddgpu_query_usage(dev, out->usage);
	if (!ret)
		ret = pddgpu_query_stats(dev, &out->stats);
	if (ret)
		return ret;
	ret = pddgpu_query_ownership(dev, out->owned);
	if (ret && ret != -EOPNOTSUPP)
		return ret;
	out->has_owners = !ret;
	/* Asked a moment later; the parts shall sum to the whole in one text */
	for (n = 0; n < PDDGPU_REGIONS && out->has_owners; n++)
		out->usage[n].used = out->owned[n].used;
	add_up(slot, out, 0, out->stats.allocation_histogram, out->stats.avg_allocation_time);
	add_up(slot, out, 1, out->stats.deallocation_histogram,
	       out->stats.avg_deallocation_time);
	add_up(slot, out, 2, out->stats.move_histogram, out->stats.avg_move_time);
	out->asked_processes = slot->cards->processes;
	if (out->asked_processes)
		out->process_error = export_processes(dev, slot->cards->processes, out);
	return 0;
}

static void take_sample(struct slot *slot)
{
	struct export_sample *out = &slot->sample;
	struct pddgpu_device *dev;
	double start = now();

	out->error = pddgpu_open(slot->id.pci, &dev);
	if (!out->error) {
		out->error = query(slot, dev, out);
		pddgpu_close(dev);
	}
	out->seconds = now() - start;
}

static void *slot_thread(void *data)
{
	struct slot *slot = data;
	struct export_cards *cards = slot->cards;

	pthread_mutex_lock(&cards->lock);
	for (;;) {
		while (!slot->asked && !slot->quit)
			pthread_cond_wait(&slot->wake, &cards->lock);
		if (!slot->asked)
			break;
		slot->sample = (struct export_sample){.id = slot->id};
		pthread_mutex_unlock(&cards->lock);
		take_sample(slot);
		pthread_mutex_lock(&cards->lock);
		if (!slot->awaited) {
			/* Too late: nobody will fetch it */
			free(slot->sample.processes);
			slot->sample.processes = NULL;
		}
		slot->asked = false;
		pthread_cond_broadcast(&cards->done);
	}
	pthread_mutex_unlock(&cards->lock);
	return NULL;
}

static int slot_begin(struct export_cards *cards, const struct pddgpu_device_id *id)
{
	struct slot *slot;
	sigset_t all, old;
	int ret;

	for (slot = cards->slot; slot->used; slot++)
		if (slot == &cards->slot[MOST_CARDS - 1])
			return -ENOSPC;
	memset(slot, 0, sizeof(*slot));
	slot->cards = cards;
	slot->id = *id;
	slot->listed = true;
	pthread_cond_init(&slot->wake, NULL);
	/* Signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&slot->thread, NULL, slot_thread, slot);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		pthread_cond_destroy(&slot->wake);
		return -ret;
	}
	slot->used = true;
	return 0;
}

/* Ends the thread of a slot that is not asked. The lock is dropped meanwhile. */
static void slot_end(struct slot *slot)
{
	slot->quit = true;
	pthread_cond_signal(&slot->wake);
	pthread_mutex_unlock(&slot->cards->lock);
	pthread_join(slot->thread, NULL);
	pthread_mutex_lock(&slot->cards->lock);
	pthread_cond_destroy(&slot->wake);
	slot->used = false;
}

static struct slot *find(struct export_cards *cards, const struct pddgpu_device_id *id)
{
	struct slot *slot;

	for (slot = cards->slot; slot < cards->slot + MOST_CARDS; slot++)
		if (slot->used && slot->id.card == id->card && !strcmp(slot->id.pci, id->pci))
			return slot;
	return NULL;
}

/* Makes the slots those of the cards that are there now */
static void look(struct export_cards *cards)
{
	struct pddgpu_device_id ids[MOST_CARDS];
	int n, count = pddgpu_list(ids, MOST_CARDS);
	struct slot *slot;

	for (slot = cards->slot; slot < cards->slot + MOST_CARDS; slot++)
		slot->listed = false;
	for (n = 0; n < count && n < MOST_CARDS; n++) {
		slot = find(cards, &ids[n]);
		if (slot)
			slot->listed = true;
	}
	/* Those that are gone first, for they have the room */
	for (slot = cards->slot; slot < cards->slot + MOST_CARDS; slot++)
		if (slot->used && !slot->listed && !slot->asked)
			slot_end(slot);
	for (n = 0; n < count && n < MOST_CARDS; n++)
		if (!find(cards, &ids[n]))
			slot_begin(cards, &ids[n]);
}

/* Waits for all that were asked, but not longer than a card may take */
static void await(struct export_cards *cards)
{
	struct timespec until;
	struct slot *slot;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += EXPORT_CARD_MS / 1000;
	until.tv_nsec += EXPORT_CARD_MS % 1000 * 1000000l;
	if (until.tv_nsec >= 1000000000l) {
		until.tv_nsec -= 1000000000l;
		until.tv_sec++;
	}
	for (slot = cards->slot; slot < cards->slot + MOST_CARDS; slot++)
		while (slot->awaited && slot->asked)
			if (pthread_cond_timedwait(&cards->done, &cards->lock, &until))
				return;
}

static int compare(const void *a, const void *b)
{
	const struct export_sample *one = a, *other = b;

	return strcmp(one->id.pci, other->id.pci);
}

/**
 * export_cards_ask() - asks all cards, and waits for what they say
 * @cards: the cards; one thread at a time may ask
 * @out: an array of what they said, in order of PCI address, for export_samples_free()
 *
 * Return: how many cards there are, or -ENOMEM.
 */
int export_cards_ask(struct export_cards *cards, struct export_sample **out)
{
	struct export_sample *samples = calloc(MOST_CARDS, sizeof(*samples));
	struct slot *slot;
	int count = 0;

	if (!samples)
		return -ENOMEM;
	pthread_mutex_lock(&cards->lock);
	look(cards);
	for (slot = cards->slot; slot < cards->slot + MOST_CARDS; slot++) {
		slot->awaited = slot->used && slot->listed && !slot->asked;
		if (slot->awaited) {
			slot->asked = true;
			pthread_cond_signal(&slot->wake);
		}
	}
	await(cards);
	for (slot = cards->slot; slot < cards->slot + MOST_CARDS; slot++) {
		if (!slot->used || !slot->listed)
			continue;
		if (slot->awaited && !slot->asked) {
			samples[count] = slot->sample;
			slot->sample.processes = NULL;
		} else {
			samples[count].id = slot->id;
			samples[count].error = -ETIMEDOUT;
			samples[count].seconds = EXPORT_CARD_MS / 1000.0;
		}
		slot->awaited = false;
		count++;
	}
	pthread_mutex_unlock(&cards->lock);
	qsort(samples, (size_t)count, sizeof(*samples), compare);
	*out = samples;
	return count;
}

/**
 * export_samples_free() - frees what export_cards_ask() gave
 * @samples: the array; may be NULL
 * @count: how many
 */
void export_samples_free(struct export_sample *samples, int count)
{
	int n;

	for (n = 0; samples && n < count; n++)
		free(samples[n].processes);
	free(samples);
}

/**
 * export_cards_open() - makes ready to ask
 * @processes: how many names of processes are reported by themselves; 0: no processes
 * @out: for export_cards_close()
 *
 * Return: 0 or a negative errno.
 */
int export_cards_open(unsigned int processes, struct export_cards **out)
{
	struct export_cards *cards = calloc(1, sizeof(*cards));
	pthread_condattr_t attr;

	if (!cards)
		return -ENOMEM;
	cards->processes = processes;
	pthread_mutex_init(&cards->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cards->done, &attr);
	pthread_condattr_destroy(&attr);
	*out = cards;
	return 0;
}

/**
 * export_cards_close() - ends all threads but those whose card does not answer
 * @cards: the cards; NULL is allowed
 *
 * Such a thread needs what is here until the process ends, which is soon.
 */
void export_cards_close(struct export_cards *cards)
{
	struct slot *slot;
	bool busy = false;

	if (!cards)
		return;
	pthread_mutex_lock(&cards->lock);
	for (slot = cards->slot; slot < cards->slot + MOST_CARDS; slot++) {
		if (slot->used && !slot->asked)
			slot_end(slot);
		busy |= slot->used;
	}
	pthread_mutex_unlock(&cards->lock);
	if (busy)
		return;
	pthread_cond_destroy(&cards->done);
	pthread_mutex_destroy(&cards->lock);
	free(cards);
}
