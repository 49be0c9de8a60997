/* SPDX-License-Identifier: MIT */
/*
 * Recordings: samples as lines of JSON. The first line says what it is, each other one
 * what is different from the sample before:
 *
 *   {"schema":"pddgpu.record/1","start_ms":N,"interval_ms":N,"host":"..."}
 *   {"t":MS,"cards":[...],"clients":[...],"gone":[N,...],"owners":[...],...}
 *
 * t is since the start. A client has a number, "i", under which only what has changed of
 * it comes again; See man pddgpu-record.
 */
#ifndef PDDGPU_TOOLS_RECORDING_H
#define PDDGPU_TOOLS_RECORDING_H

#include <stdio.h>

#include "sample.h"

#define RECORDING_SCHEMA "pddgpu.record/1"
#define RECORDING_LINE_MAX (16 << 20)	/* bytes */
#define RECORDING_CLIENTS_MAX 100000	/* at the same time */

struct recorder;

/* Writes the first line. NULL: no memory, or it cannot be written. */
struct recorder *recorder_new(FILE *file, const struct sample *first, uint64_t interval_ms);
/* Writes what is new, and sees to it that it arrives; 0 or a negative errno. */
int recorder_write(struct recorder *recorder, const struct sample *sample);
void recorder_free(struct recorder *recorder);

/** struct played - a client of a recording, there still or not */
struct played {
	struct drmclient client;
	/** @first_ms: and the rest: when it was there, and how much memory it had */
	uint64_t first_ms, last_ms;
	uint64_t first, last, most;
	bool gone;
};

struct player;

/*
 * Takes over a file. 0, or a negative errno; *why has a text then, or NULL. -EPROTO: it
 * is no recording, or of another version.
 */
int player_new(FILE *file, struct player **out, const char **why);
void player_free(struct player *player);
/*
 * 1: there is a sample, valid until the next call; 0: that was all; -EPROTO: the file is
 * damaged, see player_why(); or another negative errno.
 */
int player_next(struct player *player, const struct sample **out);
/* ms from that sample to the next */
uint64_t player_gap(const struct player *player);
const char *player_why(const struct player *player);
/* All clients so far, in order of appearance, but for the first of very many */
const struct played *const *player_clients(const struct player *player, size_t *count);

#endif
