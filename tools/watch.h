/* SPDX-License-Identifier: MIT */
#ifndef PDDGPU_TOOLS_WATCH_H
#define PDDGPU_TOOLS_WATCH_H

#include <pddgpu.h>
#include <sys/resource.h>

#include "history.h"

/** struct watch - what is being watched for, and what has been told already */
struct watch {
	/** @device: this card alone; NULL: all */
	const char *device;
	/** @growth: bytes a minute, over @window_ms */
	uint64_t growth, window_ms;
	bool as_json;
	/** @command: run for each alert; NULL: none */
	const char *command;
	/** @files: the limit of descriptors that it gets; this program has raised its own */
	struct rlimit files;
	/** @alerts: so far */
	uint64_t alerts;
	/* From here on its own */
	struct history *history;
	struct watch_card *cards;
	size_t nr_cards;
	struct watch_owner *owners;
	size_t nr_owners;
	bool begun, owners_begun;
	int64_t wall_ms;
	unsigned int children;
};

/* Tells what is different from the sample before; 0 or -ENOMEM */
int watch_sample(struct watch *watch, const struct sample *sample);
void watch_event(struct watch *watch, const struct pddgpu_event *event);
/* Takes note of commands that have ended. */
void watch_reap(struct watch *watch);
void watch_end(struct watch *watch);

#endif
