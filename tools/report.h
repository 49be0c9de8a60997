/* SPDX-License-Identifier: MIT */
/*
 * What `pddgpu report` has seen, and how it becomes a page. It is kept as small as a
 * page can show it, however long it looks and however many buffers there are.
 */
#ifndef PDDGPU_TOOLS_REPORT_H
#define PDDGPU_TOOLS_REPORT_H

#include <jansson.h>

#include "facts.h"
#include "map.h"
#include "sites.h"
#include "verdict.h"

/* Points of time that are kept; with more, of two neighbours the one that has more */
#define REPORT_POINTS	1024
/* Owners whose memory is kept through time; of more, the sum */
#define REPORT_OWNERS	1024
/* What the page has: owners, groups, lines of the log, cells of a region's map */
#define PAGE_OWNERS	200
#define PAGE_SERIES	12
#define PAGE_GROUPS	400
#define PAGE_LOG	500
#define PAGE_CELLS	16384
#define PAGE_NODES	6000
/* Of those, for processes with a box of their own, which are so many */
#define NAMED_NODES	4000
#define NAMED_PROCESSES	64

/* Of a recording; a machine has less */
#define REPORT_CARDS	16

#define NOT_THERE UINT32_MAX

/** struct index - finds a number by another */
struct index {
	uint64_t *keys;
	uint32_t *values;
	size_t count, room;
};

/* NOT_THERE if it is not */
uint32_t index_find(const struct index *index, uint64_t key);
/* A key that is not there yet */
void index_add(struct index *index, uint64_t key, uint32_t value);
void index_free(struct index *index);
/* To begin with: INDEX_SEED */
uint64_t index_hash(uint64_t value, const void *bytes, size_t count);
#define INDEX_SEED 0xcbf29ce484222325

/** struct report_owner - a process, there still or not */
struct report_owner {
	int32_t pid;
	char comm[PDDGPU_COMM_MAX];
	enum alive alive;
	/** @now: bytes by enum pddgpu_region at the last look, and buffers */
	uint64_t now[PDDGPU_REGIONS], objects;
	/** @peak: the most it had at once */
	uint64_t peak;
	/** @look: when it was seen last, by number */
	uint64_t look;
	/** @points: bytes through time, as @now; NULL: there was no look yet */
	uint64_t (*points)[PDDGPU_REGIONS];
};

/** struct report_time - who had how much, and when */
struct report_time {
	/** @looks: so far, of which @count points are kept */
	uint64_t looks;
	size_t count;
	/** @ms: since the first look */
	uint64_t ms[REPORT_POINTS];
	/** @sums: bytes of all owners */
	uint64_t sums[REPORT_POINTS];
	/** @used: by the card itself, of VRAM, GTT and CPU */
	uint64_t used[REPORT_POINTS][PDDGPU_REGIONS];
	/** @rated: bytes by rating */
	uint64_t rated[REPORT_POINTS][RATINGS];
	struct report_owner *owners;
	size_t owner_count;
	/** @rest: those that there was no room for */
	struct report_owner rest;
	struct index by_name;
	/** @last: the owner that was told last; most often it comes again */
	uint32_t last;
};

/* A look at all owners: begin, tell what each has, end */
void time_begin(struct report_time *time, uint64_t ms);
void time_add(struct report_time *time, int32_t pid, const char *comm, unsigned int region,
	      uint64_t bytes, uint64_t objects);
void time_end(struct report_time *time);
void time_free(struct report_time *time);
/* Places in owners, who had most first; to be freed */
uint32_t *time_ranked(const struct report_time *time);
/* Place in owners, or NOT_THERE */
uint32_t time_find(const struct report_time *time, int32_t pid, const char *comm);
/* An owner's bytes, wherever they are, at a point */
uint64_t time_bytes(const struct report_owner *owner, size_t point);

enum report_event_type {
	REPORT_ALERT, REPORT_CLEAR, REPORT_WEDGED, REPORT_ADDED, REPORT_REMOVED,
	REPORT_LOST, REPORT_RATING, REPORT_UNFREED, REPORT_AGED, REPORT_EVENTS
};

/** struct report_event - a line of the log */
struct report_event {
	/** @ms: since the first look */
	uint64_t ms;
	enum report_event_type type;
	/** @pid: whose it is, and @comm and @label; may hold any byte */
	int32_t pid;
	char comm[PDDGPU_COMM_MAX], label[PDDGPU_LABEL_MAX];
	/** @from: of a group's rating, and to */
	enum rating from, to;
	/** @bytes: and the rest: as the type has them */
	uint64_t bytes, objects, threshold;
};

/** struct report_frame - a place in a stack */
struct report_frame {
	/** @user: not the kernel's */
	bool user;
	/** @text: may hold any byte */
	char *text;
};

/** struct report_site - a place that buffers are allocated at */
struct report_site {
	/** @count: of @frames, the innermost first; and the one to name it by */
	unsigned int count, main;
	struct report_frame frames[PDDGPU_SITE_FRAMES];
};

/** struct report_group - buffers that one owner allocated at one place */
struct report_group {
	/** @rating: its name */
	const char *rating;
	bool leak;
	uint64_t client_id;
	int32_t pid;
	char comm[PDDGPU_COMM_MAX], label[PDDGPU_LABEL_MAX];
	/** @site: place in the card's sites; NOT_THERE: not known */
	uint32_t site;
	uint64_t objects, bytes, leaked_objects, leaked_bytes;
	uint64_t oldest_ms, idle_ms, usual_ms, freed, per_minute;
	char why[256];
};

/** struct report_sum - what is rated alike */
struct report_sum {
	const char *name;
	bool leak;
	uint64_t objects, bytes;
};

/** enum report_node_kind - what a box of the flame graph is of */
enum report_node_kind {
	NODE_ROOT, NODE_PROCESS, NODE_OTHERS, NODE_USER, NODE_KERNEL, NODE_LABEL, NODE_UNKNOWN
};

/** struct report_node - a box of the flame graph */
struct report_node {
	char *name;
	enum report_node_kind kind;
	uint32_t parent;
	uint64_t bytes, leaked, objects;
};

/** struct report_card - all that is known of a card */
struct report_card {
	/** @card: NULL in a report of a recording */
	const struct card *card;
	char *device, *driver;
	char name[16];
	int error;
	/** @gone: it is there no more */
	bool gone;
	/** @by_age: the driver tells ages alone; else @verdict knows more */
	bool by_age;
	/** @judged: there is something in @groups and @sums, even if it is nothing */
	bool judged;
	struct verdict *verdict;
	/** @resolver: what places are called */
	struct sites *resolver;
	uint64_t total[PDDGPU_REGIONS], used[PDDGPU_REGIONS];
	struct drm_pddgpu_memory_stats first, stats;
	bool stats_known;
	struct report_time time;
	struct map map;
	bool map_known;
	/** @groups: the first of @groups_all, and what all of them have by rating */
	struct report_group *groups;
	size_t group_count, groups_all;
	/** @per_minute: bytes by which all leaks grow, and those in VRAM */
	uint64_t per_minute, vram_per_minute;
	struct report_sum *sums;
	size_t sum_count;
	struct report_site *sites;
	size_t site_count;
	struct index site_of;
	struct report_node *nodes;
	size_t node_count;
	bool nodes_more;
	struct index node_of;
	/** @named: processes with a box of their own */
	unsigned int named;
	struct report_event *events;
	size_t event_count, events_all;
	/** @ratings: of the groups at the last look, by key */
	struct index ratings;
	uint64_t unfreed_after;
	bool unfreed_known;
	/* Of a recording: how it was at the last sample, and whether this one tells of it */
	uint64_t old_leaks;
	bool wedged, begun;
};

/** struct report - what is to become a page */
struct report {
	struct report_card *cards;
	size_t count;
	/** @file: the recording; NULL: it has looked itself */
	const char *file;
	int64_t made_ms;
	uint64_t looks, duration_ms;
	/** @notes: sentences on what is missing */
	json_t *notes;
};

/* A look at a card, so long after the first; 0 or an error: then it has not answered */
int report_look(struct report_card *card, uint64_t ms);
/* What comes at the end: groups, places, the flame graph, the map */
void report_finish(struct report *report, struct report_card *card);
void report_note(struct report *report, const char *text);
void report_free(struct report *report);

/* A line of the log; it can be filled in until the next one. Never NULL. */
struct report_event *report_log(struct report_card *card, enum report_event_type type,
				uint64_t ms);
/* What has become of groups since the last look */
void report_log_ratings(struct report_card *card, uint64_t ms);
void report_log_unfreed(struct report_card *card, uint64_t ms);

void report_judge(struct report *report, struct report_card *card);
void report_flame(struct report_card *card, const struct report_group *group);

/* All of a recording; only of this card, or NULL. RC_OK, or says what is wrong. */
int report_recording(struct report *report, FILE *file, const char *device);

/* report_template.S */
extern const char report_template[], report_template_end[];

json_t *report_json(const struct report *report);
/* Its part on what is rated how */
void report_json_judged(json_t *object, const struct report_card *card);
const char *report_event_name(enum report_event_type type);
/* Bytes, and buffers, of all that is a leak */
uint64_t report_leaked(const struct report_card *card, uint64_t *objects);
/* When VRAM is full if the leaks go on as they do; 0: they do not grow */
uint64_t report_full_ms(const struct report_card *card);
/* The page with that document in it; false: ferror(to) */
void report_page(FILE *to, const struct report *report, const json_t *document);

/* Whether it looks as if a file could be written; says why not, as the next does */
int report_file_check(const char *name);
/*
 * Writes a file, which is there whole or as it was before; "-" is stdout. Returns an
 * exit code.
 */
int report_file_write(const char *name, const struct report *report, const json_t *document);

#endif
