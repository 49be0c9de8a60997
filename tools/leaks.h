/* SPDX-License-Identifier: MIT */
#ifndef LEAKS_H
#define LEAKS_H

#include <jansson.h>
#include <stdbool.h>

#include "card.h"
#include "facts.h"
#include "looks.h"
#include "sites.h"

enum leaks_by { LEAKS_BY_STACK, LEAKS_BY_OWNER, LEAKS_BY_LABEL, LEAKS_BY_NONE };
enum leaks_sort { LEAKS_SORT_BYTES, LEAKS_SORT_OBJECTS, LEAKS_SORT_AGE };

/**
 * struct leaks_filter - which objects are of interest; 0 all
 */
struct leaks_filter {
	uint64_t min_age_ms;
	uint64_t min_size;
	/** @state: 0 any, else enum pddgpu_state and 1 */
	unsigned int state;
	int32_t pid;
	bool confirmed;
};

/**
 * struct leak_group - objects that have something in common
 */
struct leak_group {
	uint64_t bytes, objects;
	uint64_t confirmed_bytes, confirmed;
	uint64_t oldest_ms, youngest_ms;
	/** @states: objects by enum pddgpu_state, the last of those unknown */
	uint64_t states[PDDGPU_STATES_OWNED + 1];
	/** @regions: bytes by enum pddgpu_region, the last of those unknown */
	uint64_t regions[PDDGPU_REGIONS + 1];
	/** @pid: of all of them; 0 when they are not grouped by it, or nobody's */
	int32_t pid;
	enum alive alive;
	/** @key: what it was found by; comm, label and stack point into it */
	char *key;
	size_t key_length;
	const char *comm, *label;
	/** @stack: "a < b < c" as debugfs has it, empty where @site is not NULL */
	const char *stack;
	const struct site *site;
};

/**
 * struct leaks - a card's, grouped
 */
struct leaks {
	struct leak_group *groups;
	size_t count, room;
	/* Of hash values: places in groups, and 1 */
	uint32_t *slots;
	size_t slots_count;
	/* The key of the last that was added, and how long one may be */
	char *key;
	size_t key_room;
	/* Of all that were not left out */
	struct leak_group all;
};

/**
 * struct leaks_wanted - what is to be read of a card
 */
struct leaks_wanted {
	const struct leaks_filter *filter;
	enum leaks_by by;
	enum leaks_sort sort;
	struct sites *sites;
};

/*
 * Reads a card's list; 0 or a negative errno. leaks_free() in any case. Those of one
 * group are together in the order that was asked for. @first: out: what is thought of
 * all buffers at a first look; its verdict is NULL where nobody can say.
 *
 * Both come from one reading of the driver's answers, which takes a fourth of the time
 * of the same as text; but it is text that is read where ioctls do not tell of all.
 */
int leaks_read(const struct card *card, const struct leaks_wanted *wanted, struct leaks *leaks,
	       struct looked *first);
/* The list alone, from debugfs */
int leaks_read_text(const struct card *card, const struct leaks_wanted *wanted,
		    struct leaks *leaks);
void leaks_free(struct leaks *leaks);
json_t *leak_group_json(const struct leak_group *group, enum leaks_by by);
void leak_group_print(const struct leak_group *group, enum leaks_by by);

#endif
