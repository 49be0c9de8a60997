/* SPDX-License-Identifier: MIT */
/* What the files of the verdict share among themselves */
#ifndef PDDGPU_TOOLS_VERDICT_INTERNAL_H
#define PDDGPU_TOOLS_VERDICT_INTERNAL_H

#include "verdict.h"

#define SECOND 1000000000ull

/* A gap of 2^(n/2) times 1/4 s and more is in bin n: up to 4.5 hours */
#define HABIT_BINS 32

/**
 * struct habit - for how long buffers are unused before they are used again, or freed
 *
 * Counted in looks in which it happened, not in buffers: those of a level of a game that
 * are all freed at once say no more than one of them would.
 */
struct habit {
	/** @longest_ns: on the group's clock */
	uint64_t longest_ns;
	/** @freed: buffers */
	uint64_t freed;
	/** @freed_looks: looks since which some were freed; and used again */
	uint32_t freed_looks, reused_looks;
	uint32_t last_freed, last_reused;
	/** @gaps: looks with a gap of that length, and the last such look */
	uint32_t gaps[HABIT_BINS], last[HABIT_BINS];
};

/**
 * struct size_habit - that of buffers of about the same size
 */
struct size_habit {
	struct size_habit *next;
	/** @bucket: bytes, of the smallest */
	uint64_t bucket;
	struct habit habit;
};

/**
 * struct place - where programs of one name allocate
 *
 * It outlives the processes, so that what one has shown holds for the next.
 */
struct place {
	struct place *next;
	char comm[16];
	char label[64];
	uint32_t site;
	/** @users: groups */
	uint32_t users;
	/** @unused_since: the look; when there are none */
	uint32_t unused_since;
	struct habit habit;
	/** @orphans: the same of those without a handle, while they had none */
	struct habit orphans;
	/** @busy_ns: the longest that one was busy and then was not */
	uint64_t busy_ns;
	/** @stuck: moments since which some wait for long; and when the last one was */
	unsigned int stuck;
	uint64_t stuck_ns;
	struct size_habit *sizes;
};

/**
 * struct owner - a process through an open file
 */
struct owner {
	struct owner *next;
	uint64_t client_id;
	uint32_t pid;
	/** @born_ns: when it made the first buffer that we know of */
	uint64_t born_ns;
	/** @objects: buffers in this look */
	uint32_t objects;
	/** @absent: looks in a row that it had none in */
	uint32_t absent;
	/** @busy_ns: the longest that a buffer of it was busy and then was not */
	uint64_t busy_ns;
	/** @event_looks: looks since which some were used again or freed; and the last one */
	uint32_t event_looks, last_event;
	/** @sites: how many it has, up to two; and one of them */
	uint32_t sites, site;
	struct group *groups;
};

/**
 * struct growth - unused buffers in order of birth, the last stretch without a break
 */
struct growth {
	uint64_t first_ns, last_ns, spacing_ns;
	/** @births: moments at which some were born; and of them those that we saw */
	uint32_t births, seen;
	/** @objects: how many were born */
	uint64_t objects;
};

/**
 * struct tally - what is unusual in a look, of a kind or of a whole group
 */
struct tally {
	/** @objects: how many there are; and were on the average of so many looks */
	uint32_t objects, looks;
	double mean;
	/** @outliers: how many of them are unusual */
	uint32_t outliers;
	/** @evidence: that there are leaks among those; and the most that comes from one of them */
	double evidence, best;
	/** @cluster_ns: when the last one that it comes from was used last */
	uint64_t cluster_ns;
	/** @clusters: how many those are that it comes from */
	uint32_t clusters;
};

/* More at the same time are a phase of the program */
#define DROPS_MAX 8

/**
 * struct drops - buffers of a pool that were used all the time, and then no more
 */
struct drops {
	/** @last: at the last such moment; how many; and when that was */
	struct seen *last[DROPS_MAX];
	unsigned int count;
	uint64_t last_ns;
	/** @moments: how many before that, with that many at most */
	unsigned int moments;
};

/**
 * struct group - what is shown as one
 */
struct group {
	/** @shown: first, for verdict_groups() */
	struct verdict_group shown;
	struct group *next;
	struct owner *owner;
	struct place *place;
	/** @alike: all that has the same label, wherever it is made; NULL: it has none */
	struct place *alike;
	struct kind *kinds;
	/** @absent: looks in a row that it had no buffers in */
	uint32_t absent;
	/** @quiet_ns: since when nothing of it was made, used or freed; and how often that is */
	uint64_t quiet_ns, every_ns;
	/** @resting: its clock stands */
	bool active, resting;
	/** @pure: it is one place in the program, and not just any */
	bool pure;
	/** @pooled: its kinds are judged together */
	bool pooled;
	struct tally tally;
	struct growth growth;
	struct drops drops;
	/** @since_ns: those born since then have been found to grow; 0: none */
	uint64_t since_ns;
	/* Of this look, for what is shown */
	uint64_t first_leak_ns, last_leak_ns;
	/** @recent_ns: when the first of those that are young was made, its size, and theirs */
	uint64_t recent_ns, recent_first_size, recent_bytes;
	uint64_t recent_count;
	/** @vram_leak_bytes: of those that are in VRAM */
	uint64_t vram_leak_bytes;
	uint64_t longest_wait_ns, outlier_ns, growth_ns, dropped;
};

/* Sizes of a kind of which it is known when the last ones were made */
#define KIND_SIZES 8
/* What is used within that time of being made is still being made */
#define MADE_NS (3 * SECOND)
/* More uses of a buffer are not counted */
#define USES_MAX 1000

/**
 * struct births - buffers of exactly one size
 */
struct births {
	uint64_t size;
	/** @at_ns: when the last two were made, the later first */
	uint64_t at_ns[2];
	/** @freed_looks: looks since which some were freed; and the last one */
	uint32_t freed_looks, last_freed;
};

/**
 * struct kind - buffers of a group that have about the same size
 */
struct kind {
	struct kind *next;
	struct group *group;
	struct size_habit *size;
	struct tally tally;
	/** @usual: how many there were on the average while the owner did something */
	double usual;
	/** @looks: of how many looks that is, up to a number */
	uint32_t looks;
	/** @births: by size, which one last */
	struct births births[KIND_SIZES];
	unsigned int last_birth;
	/** @slope: how quickly the habit's gaps become rare as they grow longer */
	double slope;
	/** @wide: they are very different */
	bool wide;
	/** @passed: moments of those that a pool would have given, if it had them; the last */
	uint32_t passed;
	uint64_t passed_ns;
	/** @not_given: how many were used again that were idle when another was made instead */
	uint32_t not_given;
	/** @retracted: the look at which one was used or freed that was taken for a leak */
	uint32_t retracted;
	/** @near: for verdict_together() */
	size_t near;
	/** @pool: its buffers are used again and again, and not freed */
	bool pool;
	/** @habit_ns: what is longer than that is unusual; 0: nobody can say */
	uint64_t habit_ns;
	/** @growth_ns: from when on one counts for growth; and is a leak where it grows */
	uint64_t growth_ns, grown_ns;
	struct growth growth;
	uint64_t since_ns;
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
	/** @idle_ns: since then, on its group's clock; and when it was first seen so */
	uint64_t idle_ns, first_idle_ns;
	/** @longest_ns: the longest time after which it was used again; and when we saw it first */
	uint64_t longest_ns, first_ns;
	/** @wait_ns: since when it is seen to wait for a fence; 0 it does not */
	uint64_t wait_ns;
	/** @orphan_ns: since when it is seen without a handle; 0 it has one */
	uint64_t orphan_ns;
	struct kind *kind;
	/** @name: hash of its label, to see that it changes */
	uint32_t name;
	uint32_t is;
	/** @uses: looks since which it was used, at most */
	uint16_t uses;
	uint8_t state;
	uint8_t rating;
	/** @vram: it is in VRAM */
	bool vram;
	/** @fresh: it was not there at the look before */
	bool fresh;
	/** @together: it fell idle with others of its owner that are something else */
	bool together;
	/** @crowded: it fell idle with many others of its owner, whatever they are */
	bool crowded;
	/** @dropped: of a pool, used all the time, and then, with a few others at most, no more */
	bool dropped;
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
	struct place *places;
	size_t place_count;
	/** @by_name: groups, and places, for tsearch() */
	void *by_name, *by_place;
	const struct verdict_group **shown;
	size_t shown_count, shown_room;
	size_t group_count;
	/** @idle: for verdict_together() */
	struct seen **idle;
	size_t idle_room;
};

/* verdict_names.c: where buffers belong */
struct kind *verdict_kind(struct verdict *verdict, const struct drm_pddgpu_object *object);
/* Those that have gone; and without all, those of long ago only */
void verdict_forget(struct verdict *verdict, bool all);
/* verdict_habit.c: what is learnt from a look */
void verdict_learn(struct verdict *verdict);
/* What is known of those of a size; NULL: nothing */
struct births *verdict_births(struct kind *kind, uint64_t size);
/* verdict_together.c: what fell idle together; 0 or -ENOMEM */
int verdict_together(struct verdict *verdict);
/* verdict_rules.c: what follows from it */
void verdict_judge(struct verdict *verdict);
/* verdict_show.c: the sums and texts of groups */
void verdict_show(struct verdict *verdict);

#endif
