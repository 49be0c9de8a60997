/* SPDX-License-Identifier: MIT */
/* What the files of the verdict share among themselves */
#ifndef PDDGPU_TOOLS_VERDICT_INTERNAL_H
#define PDDGPU_TOOLS_VERDICT_INTERNAL_H

#include "verdict.h"

#define SECOND 1000000000ull

struct kind;

/**
 * struct habit - for how long buffers are unused before they are used again, or freed
 *
 * Counted in looks in which it happened, not in buffers: those of a level of a game that
 * are all freed at once say no more than one of them would.
 */
struct habit {
	/** @longest_ns: on the owner's clock */
	uint64_t longest_ns;
	/** @freed: buffers */
	uint64_t freed;
	/** @freed_looks: looks since which some were freed; and used again after a while */
	uint32_t freed_looks, reused_looks;
	/** @last_freed: the last such look; and used again */
	uint32_t last_freed, last_reused;
};

/**
 * struct owner - a process through an open file
 */
struct owner {
	struct owner *next;
	uint64_t client_id;
	uint32_t pid;
	/** @objects: buffers in this look */
	uint32_t objects;
	/** @absent: looks in a row that it had none in */
	uint32_t absent;
	/** @active: it did something between the last look and this one */
	bool active;
	/** @rest_ns: for how long it has not done anything, on the driver's clock */
	uint64_t rest_ns;
	/** @resting: that is so long that its clock stands */
	bool resting;
	/** @busy_ns: the longest that a buffer of it was busy and then was not */
	uint64_t busy_ns;
	struct group *groups;
};

/**
 * struct group - what is shown as one
 */
struct group {
	/** @shown: first, for verdict_groups() */
	struct verdict_group shown;
	struct group *next;
	struct owner *owner;
	struct habit habit;
	/** @orphans: how long those without a handle were unused, before they were used or freed */
	struct habit orphans;
	struct kind *kinds;
	/** @leaks: of this look: when the first and the last leak was born, and in how many looks */
	uint64_t first_leak_ns, last_leak_ns, recent_leak_bytes;
	uint32_t leak_births;
	/** @longest_wait_ns: that one of it waits for a fence */
	uint64_t longest_wait_ns;
	/** @stale: what the outliers, and what those that grow were measured by */
	uint64_t outlier_ns, growth_ns;
};

/**
 * struct kind - buffers of a group that have about the same size
 */
struct kind {
	struct kind *next;
	struct group *group;
	uint32_t bucket;
	/** @objects: of the last look that was judged */
	uint32_t objects;
	/** @usual: how many there were on the average while the owner did something */
	double usual;
	/** @looks: of how many looks that is, up to a number */
	uint32_t looks;
	struct habit habit;
	/** @outlier_ns: from when on one is an outlier; 0: nobody can say */
	uint64_t outlier_ns;
	/** @growth_ns: from when on one counts for growth */
	uint64_t growth_ns;
	/** @outliers: of this look */
	uint32_t outliers;
	/** @stale: of this look: unused for growth_ns; and when they were born */
	uint32_t stale, stale_births, stale_new;
	uint64_t first_ns, last_ns, spacing_ns;
	/** @growing: it has been found to grow; ends when one of the stale ones is used or freed */
	bool growing;
};

/**
 * struct seen - a buffer of a look
 */
struct seen {
	uint64_t id, size, birth_ns;
	/** @active_ns: when it was last used, touched or made */
	uint64_t active_ns;
	/** @was_ns: the same at the look before */
	uint64_t was_ns;
	/** @idle_ns: since then, on its owner's clock */
	uint64_t idle_ns;
	/** @wait_ns: since when it is seen to wait for a fence; 0 it does not */
	uint64_t wait_ns;
	/** @orphan_ns: since when it is seen without a handle; 0 it has one */
	uint64_t orphan_ns;
	struct kind *kind;
	/** @name: hash of its label, to see that it changes */
	uint32_t name;
	uint32_t is;
	uint8_t state;
	uint8_t rating;
	/** @fresh: it was not there at the look before */
	bool fresh;
};

struct seen_list {
	struct seen *at;
	size_t count, room;
};

struct verdict {
	/** @now: this look, and the one before */
	struct seen_list now, before;
	/** @dead: those of the look before that are not in this one */
	struct seen_list dead;
	/** @merged: how far this look has come in the one before */
	size_t merged;
	uint64_t first_ns, last_ns, now_ns;
	uint32_t looks;
	bool failed;
	struct owner *owners;
	/** @by_name: groups, for tsearch() */
	void *by_name;
	const struct verdict_group **shown;
	size_t shown_count, shown_room;
	size_t group_count;
};

/* verdict_habit.c: what is learnt from a look */
void verdict_learn(struct verdict *verdict);
/* verdict_rules.c: what follows from it */
void verdict_judge(struct verdict *verdict);
/* verdict_text.c */
void verdict_explain(const struct verdict *verdict, struct group *group);

#endif
