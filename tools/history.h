/* SPDX-License-Identifier: MIT */
/* What is to be known of clients and cards from samples one after the other */
#ifndef PDDGPU_TOOLS_HISTORY_H
#define PDDGPU_TOOLS_HISTORY_H

#include "sample.h"

#define HISTORY_POINTS 61	/* one a second: a minute from the first to the last */
#define HISTORY_SPACING_MS 1000
#define HISTORY_WINDOW_MS 60000

/** struct history_client - a client through time */
struct history_client {
	const char *device, *driver;
	uint64_t id;
	/** @first_ms: when it was first seen */
	uint64_t first_ms;
	/** @used: bytes by class, and all together, now */
	uint64_t used[REGION_CLASSES];
	uint64_t sum;
	/** @growth: bytes a minute over the last minute, or since it is there */
	int64_t growth;
	/** @growing: it is there for long enough to say so */
	bool growing;
	/** @busy: per cent of the engine that it uses most; of one, of those that are alike */
	float busy;
	/** @percent: of each engine, in the order of the client's fdinfo */
	float percent[FDINFO_ENGINES];
	/** @evictions: since it is there; 0 where the driver does not say */
	uint64_t evictions;
	/** @mark: see history_mark() */
	uint64_t mark;
	/* From here on the history's own */
	uint64_t run, first_tick, read_ms;
	unsigned int nr_engines;
	struct fdinfo_engine engines[FDINFO_ENGINES];
	uint64_t points[HISTORY_POINTS];
};

/** struct history_card - a card through time */
struct history_card {
	const char *device;
	/** @engines: what its clients do with each, per cent */
	unsigned int nr_engines;
	struct { const char *name; float percent; } engines[FDINFO_ENGINES];
	/** @busy: per cent of the busiest */
	float busy;
	unsigned int clients;
	/** @growth: of all its clients, bytes a minute */
	int64_t growth;
	/* The last minute; see history_point() */
	bool seen;
	uint64_t first_tick;
	uint64_t used[REGION_CLASSES][HISTORY_POINTS];
	float busies[HISTORY_POINTS];
};

struct history;

struct history *history_new(void);	/* NULL: no memory */
void history_free(struct history *history);
/* Takes in a sample that is not older than the last; 0 or -ENOMEM */
int history_update(struct history *history, const struct sample *sample);

/* Of the sample's clients and cards, in the same order; valid until the next update */
const struct history_client *history_client(const struct history *history, size_t index);
const struct history_card *history_card(const struct history *history, size_t index);

/* Something that is to stay with a client for as long as it is in each sample; 0 at first */
void history_mark(struct history *history, size_t index, uint64_t mark);

/*
 * Where in the arrays the value is that is so many points old: 0 is the newest. -1: it
 * is too old, or from before first_tick.
 */
int history_point(const struct history *history, uint64_t first_tick, unsigned int age);
/* When that was */
uint64_t history_point_ms(const struct history *history, unsigned int age);

/*
 * Whether a client grows for long: the least it had in each quarter of the last window_ms
 * (at most a minute) is more than that of the quarter before. What comes and goes is
 * none of that. *rate: bytes a minute, by the first and the last quarter.
 */
bool history_steady(const struct history *history, const struct history_client *client,
		    uint64_t window_ms, int64_t *rate);

#endif
