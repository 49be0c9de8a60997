/* SPDX-License-Identifier: MIT */
/*
 * Workloads that behave as real clients of a card do, some of which leak, and the truth
 * about each of their buffers; and what judges policies by them.
 *
 * A workload is a script that is made up as it goes: clients make, use, share and free
 * buffers (world.c), at times that a seed gives. Where that happens is a backend's matter:
 * in a model, without a card and in no time, or on a card. The clients do not know.
 */
#ifndef LEAK_H
#define LEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <drm/pddgpu_drm.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KIB(n)		((uint64_t)(n) << 10)
#define MIB(n)		((uint64_t)(n) << 20)
#define GIB(n)		((uint64_t)(n) << 30)
#define MS		1000000ull
#define SEC		1000000000ull
#define MIN		(60 * SEC)
#define NEVER		UINT64_MAX

/* ---- random.c: random numbers, the same from the same seed anywhere ---- */

struct rng {
	uint64_t state;
};

void rng_seed(struct rng *rng, uint64_t seed, uint64_t what);
uint64_t rng_next(struct rng *rng);
double rng_unit(struct rng *rng);				/* from 0, less than 1 */
bool rng_chance(struct rng *rng, double chance);
uint64_t rng_below(struct rng *rng, uint64_t count);		/* 0 to count - 1 */
uint64_t rng_from(struct rng *rng, uint64_t low, uint64_t high);
/* The same where each power of two is as likely as the next */
uint64_t rng_log(struct rng *rng, uint64_t low, uint64_t high);
double rng_real(struct rng *rng, double low, double high);
/* Until something happens that happens so often in the mean */
uint64_t rng_wait(struct rng *rng, uint64_t mean);
/* Bytes of a buffer: whole pages */
uint64_t rng_bytes(struct rng *rng, uint64_t low, uint64_t high);

/* ---- world.c: clients, their buffers, and what is true of them ---- */

struct world;
struct client;
struct leak;

/**
 * struct buffer - one, as long as it exists
 */
struct buffer {
	/** @object: what is known of it, as the driver tells it */
	struct drm_pddgpu_object object;
	/** @owner: who made it */
	struct client *owner;
	/** @importer: another client that has a handle to it, or NULL */
	struct client *importer;
	/** @place: where in the client it was made, for people */
	const char *place;
	/** @lost_ns: since when nobody will ever use or free it; 0: it is no leak */
	uint64_t lost_ns;
	/** @leak: the leak that it is lost by */
	struct leak *leak;
	/** @busy_ns: until when a job has to do with it */
	uint64_t busy_ns;
	/** @handle: the owner has one */
	bool handle;
	/** @dmabufs: file descriptors of it */
	unsigned int dmabufs;
	/** @queued: it is in the owner's next job */
	bool queued;
	/** @gone: it exists no more; the next look forgets it */
	bool gone;
	/** @card: what the card's backend keeps */
	void *card;
};

/* Creation: where it is to live, and whether the CPU is to reach it */
#define IN_VRAM		(1u << 0)
#define IN_SYSTEM	(1u << 1)
#define FOR_CPU		(1u << 2)

/* What labels a client gives its buffers: what they are for, with a number of some, or with
 * one that no other has
 */
enum labels { LABELS_NONE, LABELS_BY_PLACE, LABELS_NUMBERED, LABELS_UNIQUE };

/**
 * struct place - one at which a kind of client lets go of buffers
 */
struct place {
	const char *name;
	/** @often: it happens all the time, whatever else is drawn; each kind has one */
	bool often;
};

/**
 * struct kind - a kind of client
 */
struct kind {
	const char *name, *about;
	/** @comms: names that such programs have */
	const char *comms[4];
	/** @places: where it could leak, up to one without a name */
	struct place places[6];
	/** @blocks: its buffers are an allocator's, of which none has a name of its own */
	bool blocks;
	/** @start: begins; @client->rng has what is random about it. NULL: no memory */
	void *(*start)(struct client *client);
	/** @step: does what there is to do until now. Returns when the next is due. */
	uint64_t (*step)(struct client *client, void *state);
	/** @stop: forgets everything; its buffers are not its matter any more */
	void (*stop)(void *state);
};

/**
 * struct client - a program that has the card open
 */
struct client {
	struct world *world;
	const struct kind *kind;
	void *state;
	struct rng rng;
	uint64_t seed;
	/** @parent: who made it and has it do what it does; NULL: it is on its own */
	struct client *parent;
	struct client *next;
	char comm[16];
	uint32_t pid, session;
	uint64_t client_id;
	enum labels labels;
	/** @stacks: its call stacks can be followed; it comes to a place in so many ways */
	bool stacks;
	unsigned int ways;
	bool gone;
	/** @buffers: that it has made and that exist */
	size_t buffers;
	uint64_t step_ns, last_ns;
	/** @latency_ns: how long a job of it takes */
	uint64_t latency_ns;
	/** @serial: of labels with numbers; when it begins anew, where that is numbered */
	unsigned int serial, numbers;
	/** @card: what the card's backend keeps */
	void *card;
	struct buffer **queue;
	size_t queued, queue_room;
};

/**
 * enum leak_kind - in which way buffers get lost
 */
enum leak_kind {
	LEAK_FRAME,	/* one a frame, or every so many */
	LEAK_ERROR,	/* in an error path, now and then */
	LEAK_ORPHAN,	/* the handle is closed, but not the dma-buf */
	LEAK_POOL,	/* they go to a pool that never gives them out again */
	LEAK_FENCE,	/* they wait for a fence that never signals */
	LEAK_BURST,	/* many in a short time, and then never again */
	LEAK_KINDS
};

extern const char *const leak_names[LEAK_KINDS];

#define POLICIES	5
#define LEAKS_MAX	3

/**
 * struct leak - a fault that a client has
 */
struct leak {
	enum leak_kind kind;
	struct client *client;
	/** @place: where; if nothing comes there for long, then @often */
	const char *place, *often;
	struct rng rng;
	/** @begin_ns: from when to when it happens, how often, and when the next time */
	uint64_t begin_ns, end_ns, period_ns, next_ns;
	/** @burst_ns: for how long, once it has begun, when that is all */
	uint64_t burst_ns;
	/** @regular: at equal distances; else at random ones */
	bool regular;
	/** @batch: how many at once; @left: of them, how many still */
	unsigned int batch, left;
	/** @fresh: it was never used; @mapped: it stays mapped; @zombie: no handle is left */
	bool fresh, mapped, zombie;
	/** @restart: when there are too many the client dies and comes back */
	bool restart;
	/** @objects_max: how many too many are, in all and in bytes */
	uint64_t objects_max, bytes_max;
	/** @objects: that it has lost, and bytes, now */
	uint64_t objects, bytes;
	/** @lost: ever; in how many events, one second or more apart */
	uint64_t lost, events;
	uint64_t first_ns, event_ns, last_ns;
	/** @seen_ns: when each policy first named one of them; 0 never */
	uint64_t seen_ns[POLICIES];
};

/**
 * struct backend - where buffers are
 */
struct backend {
	const char *name;
	/** @grain_ns: no client does anything more often than this */
	uint64_t grain_ns;
	/** @times_max: nor makes up for more than so many of what it should have done */
	unsigned int times_max;
	/** @scale: buffers are this many times smaller than their clients think */
	uint64_t scale;
	/** @hangs: fences can be had that never signal */
	bool hangs;
	/** @begin: and @end, of a world; not 0: it cannot be */
	int (*begin)(struct world *world);
	void (*end)(struct world *world);
	uint64_t (*now)(struct world *world);
	/** @wait: until then */
	void (*wait)(struct world *world, uint64_t until);
	int (*client)(struct client *client);
	void (*client_gone)(struct client *client);
	/** @create: sets @object.id and what else is known; not 0: no memory */
	int (*create)(struct buffer *buffer, unsigned int where);
	void (*label)(struct buffer *buffer);
	/** @submit: a job with all of these */
	void (*submit)(struct client *client, struct buffer **buffers, size_t count);
	void (*map)(struct buffer *buffer, bool mapped);
	void (*export)(struct buffer *buffer);
	void (*unexport)(struct buffer *buffer);
	void (*import)(struct buffer *buffer);
	/** @close: the owner's handle, or the importer's */
	void (*close)(struct buffer *buffer, bool importer);
	/** @hang: a job with it whose fence never signals; or one that takes this long */
	void (*hang)(struct buffer *buffer, uint64_t ns);
	/**
	 * @look: what the driver tells now of each buffer into its @object, in order of
	 * their ids, without those that are gone. Returns the time.
	 */
	uint64_t (*look)(struct world *world);
};

extern const struct backend model_backend, card_backend;

/* Of the card's: which, and how many times faster than real time is */
extern const char *card_name;
extern uint64_t card_factor;

struct interval {
	uint64_t from, to;
};

/**
 * struct world - a card and who uses it
 */
struct world {
	const struct backend *backend;
	void *card;
	uint64_t seed, now, end_ns;
	struct rng rng;
	/** @stacks: the driver records call stacks */
	bool stacks;
	/** @scale: the backend's */
	uint64_t scale;
	struct client *clients;
	/** @buffers: in order of their ids; NULL where one has gone */
	struct buffer **buffers;
	size_t count, room;
	uint64_t next_id, next_client;
	uint32_t next_pid;
	/** @away: when the user is not there */
	struct interval away[4];
	unsigned int aways;
	struct leak leaks[LEAKS_MAX];
	unsigned int leak_count;
	/** @sites: where buffers are made; the index is the driver's number less one */
	struct {
		const struct kind *kind;
		const char *place;
		unsigned int way;
	} sites[512];
	unsigned int site_count;
	/** @strange: buffers of which the driver told what cannot be, by what was done to them */
	uint64_t strange;
};

struct world *world_new(const struct backend *backend, uint64_t seed, uint64_t end_ns);
void world_free(struct world *world);
/* Lets all clients do what they do until then */
void world_run(struct world *world, uint64_t until);
/* One look; then world->buffers is what the driver has told */
uint64_t world_look(struct world *world);
bool world_away(const struct world *world);

/* kind NULL: it does nothing by itself */
struct client *client_new(struct world *world, const struct kind *kind, uint64_t seed);
/* One more, of another process or a new file of the same, that does nothing by itself */
struct client *client_child(struct client *parent, const char *comm, bool process);
/* It has ended, in order or not: the kernel closes what it has open */
void client_exit(struct client *client);
/* When this is called every step: how many times something has happened that happens so
 * often a second; at least a chance of one
 */
unsigned int client_times(struct client *client, double per_second);

struct buffer *buffer_new(struct client *client, const char *place, uint64_t size,
			  unsigned int where);
void buffer_use(struct buffer *buffer);
void buffer_map(struct buffer *buffer);
void buffer_unmap(struct buffer *buffer);
void buffer_export(struct buffer *buffer);
void buffer_unexport(struct buffer *buffer);
/* The other client opens a handle of its own */
void buffer_import(struct buffer *buffer, struct client *importer);
/* The owner closes its handle */
void buffer_close(struct buffer *buffer);
/* A job with it that takes so long */
void buffer_long_job(struct buffer *buffer, uint64_t ns);
/* Jobs that are to use it do so now */
void buffer_flush(struct buffer *buffer);
/* Everything that leads to it is given up */
void buffer_free(struct buffer *buffer);

/* ---- lose.c: leaks ---- */

/*
 * A client of which it is a fault, or none, needs a buffer no more: frees it, or does
 * not. Either way the caller must forget it.
 */
void release(struct client *client, const char *place, struct buffer *buffer);
/* The same for what would be kept for the next time: true: it is lost, forget it */
bool lost_instead(struct client *client, const char *place, struct buffer *buffer);
void leak_lose(struct leak *leak, struct buffer *buffer);
/* What is to happen when too many are lost, if it is time */
void leak_restart(struct world *world);
/* Its own period: from event to event in the mean; and the grace that a policy has */
uint64_t leak_period(const struct leak *leak);
uint64_t leak_grace(const struct leak *leak);

/* ---- set.c: some buffers; and a cache of them ---- */

struct set {
	struct buffer **items;
	size_t count, room;
};

void set_add(struct set *set, struct buffer *buffer);
struct buffer *set_take(struct set *set, size_t index);	/* the last comes in its place */
struct buffer *set_first(struct set *set);		/* the oldest, taken out */
void set_use(struct set *set);				/* all of them */
void set_use_some(struct set *set, struct rng *rng, double chance);
void set_release(struct set *set, struct client *client, const char *place);
void set_free(struct set *set);

/**
 * struct cache - things that are made when wanted, and kept up to a limit
 */
struct cache {
	const char *place;
	unsigned int where;
	/** @keys: of so many things; some are wanted more often than others */
	unsigned int keys;
	double skew;
	uint64_t low, high, limit, bytes, seed;
	/** @shift: the things that are wanted most change */
	unsigned int shift;
	struct {
		struct buffer *buffer;
		unsigned int key;
		uint64_t used_ns;
	} *entries;
	size_t count, room;
};

/* Some thing that is wanted now */
unsigned int cache_pick(struct cache *cache, struct rng *rng);
/* Uses it, and makes it first if need be; releases others for it. True: it was there. */
bool cache_want(struct cache *cache, struct client *client, unsigned int key);
void cache_release(struct cache *cache, struct client *client);
void cache_free(struct cache *cache);

/* ---- the kinds, a file each ---- */

extern const struct kind kind_game, kind_compositor, kind_browser, kind_training,
	kind_video, kind_batch, kind_viewer, kind_desktop, kind_editor, kind_inference;
extern const struct kind *const kinds[];
extern const unsigned int kind_count;

/* ---- scenario.c: what a seed stands for ---- */

/**
 * struct scenario - a world with clients in it
 */
struct scenario {
	struct world *world;
	uint64_t seed;
	bool leaky;
	const struct kind *kind;
	enum leak_kind leak;
	/** @first_ns: when the first look is, and how often there are others */
	uint64_t first_ns, every_ns;
	/** @pause: when the monitor does not look */
	struct interval pause;
};

/* NULL: no memory, or the card is not as it should be */
struct scenario *scenario_new(const struct backend *backend, uint64_t seed, uint64_t end_ns);
void scenario_free(struct scenario *scenario);
/* One in five is steady */
bool scenario_is_leaky(uint64_t seed);

/* ---- policy.c: what is a leak, as somebody sees it ---- */

struct policies;

extern const char *const policy_names[POLICIES];
struct policies *policies_new(void);
void policies_free(struct policies *policies);
int policies_look(struct policies *policies, const struct world *world, uint64_t now);
bool policy_says(const struct policies *policies, unsigned int policy,
		 const struct buffer *buffer);
/* Whether there is anything that it calls a leak; may be true where there is not */
bool policy_may(const struct policies *policies, unsigned int policy);
/* Why, of its group, for people; "" where it does not know */
const char *policy_why(const struct policies *policies, unsigned int policy,
		       const struct buffer *buffer, const char **rating);

/* ---- score.c: a run, and what came of it ---- */

#define SERIES_MAX	LEAKS_MAX

/**
 * struct score - of one policy in one run
 */
struct score {
	/** @hit: bytes of leaks found; missed; and of what is none, called one: at the end */
	double hit, missed, wrong;
	/** @hits: the same, the sum over moments throughout the run */
	double hits, misses, wrongs;
	/** @first_alarm_ns: when it first called something a leak that is none; 0 never */
	uint64_t first_alarm_ns;
};

/**
 * struct series - a leak, and how long policies took
 */
struct series {
	uint8_t counts;		/* it lost something, long enough before the end */
	uint8_t leak_kind;
	uint64_t lost, bytes, period_ns, first_ns;
	/** @took_ns: from the first leak to the first alarm; NEVER */
	uint64_t took_ns[POLICIES];
};

/**
 * struct result - of one run
 */
struct result {
	uint64_t seed;
	uint8_t done, leaky, kind, leak_kind, stacks, late;
	uint32_t objects, looks;
	double seconds;
	struct score score[POLICIES];
	struct series series[SERIES_MAX];
	uint64_t strange;
};

struct options {
	uint64_t from, count, end_ns, every_ns;
	unsigned int jobs;
	bool explain;
	const char *json;
	const struct backend *backend;
};

void score_run(uint64_t seed, const struct options *options,
	       struct result *result);

/* ---- report.c ---- */

void report_print(const struct options *options, const struct result *results, size_t count);
int report_json(const struct options *options, const struct result *results, size_t count);

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *format, ...);
void *need(void *memory);

#endif
