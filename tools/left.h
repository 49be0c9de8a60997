/* SPDX-License-Identifier: MIT */
/* What a session of processes has left in the cards */
#ifndef PDDGPU_TOOLS_LEFT_H
#define PDDGPU_TOOLS_LEFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "card.h"
#include "sites.h"

/**
 * struct left_group - buffers that programs of one name allocated at one place
 */
struct left_group {
	/** @card: in which; its place among the cards */
	unsigned int card;
	uint32_t site;
	/** @pid: of one of the processes */
	uint32_t pid;
	/** @processes: how many there were */
	uint64_t processes;
	/** @bytes: and objects, in all */
	uint64_t bytes, objects;
	/** @unfreed_bytes: and objects, whose handles were open when their files were closed */
	uint64_t unfreed_bytes, unfreed_objects;
	/** @kept_bytes: and objects, that are there still; by enum pddgpu_state */
	uint64_t kept_bytes, kept_objects, kept_states[PDDGPU_STATES_OWNED];
	/** @both_bytes: and objects, that are in both */
	uint64_t both_bytes, both_objects;
	/** @client_id: of one of the files */
	uint64_t client_id;
	char comm[16];
	char label[64];
};

/** struct left_card - a card while the session is */
struct left_card {
	/** @after: the last element that has been looked at of what is unfreed */
	uint64_t after;
	/** @lost: elements that were gone before they were looked at */
	uint64_t lost;
	/** @bytes: and objects that were left */
	uint64_t bytes, objects;
	/** @began_ns: when it began, by the driver's clock */
	uint64_t began_ns;
	/** @error: for which nothing more can be known of it; 0 */
	int error;
	/** @waiting: objects that are about to be freed */
	uint64_t waiting;
	/** @pieces: what has been found so far, not yet in groups */
	struct left_group *pieces;
	size_t count, room;
};

/** struct left - what a session has left */
struct left {
	const struct cards *cards;
	struct left_card *card;
	pid_t session;
	/** @all_new: sessions that have begun meanwhile count as the program's */
	bool all_new;
	/** @before: the sessions there were before, in order */
	pid_t *before;
	size_t before_count;
	/** @elsewhere_bytes: and objects, left by others that have begun meanwhile */
	uint64_t elsewhere_bytes, elsewhere_objects;
	struct left_group *groups;
	size_t count;
	uint64_t bytes, objects;
};

/* Before the session; what it returns is the exit code, of cards that cannot tell */
int left_begin(struct left *left, const struct cards *cards);
/* While it is, now and then: the driver keeps the last elements only. @session is set. */
void left_look(struct left *left);
/*
 * After it: into groups, the largest first. Buffers that are on their way are waited for,
 * for that long.
 */
int left_end(struct left *left, uint64_t wait_ms);
void left_free(struct left *left);
/* The groups; at most so many, 0 all */
void left_print(FILE *to, const struct left *left, struct sites *sites, uint64_t max);
/* An array of cards with their groups */
json_t *left_json(const struct left *left, struct sites *sites);

#endif
