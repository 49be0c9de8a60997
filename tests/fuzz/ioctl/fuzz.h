/* SPDX-License-Identifier: MIT */
/*
 * The ioctl fuzzer: programs of calls, run by several threads of several
 * processes at the same time.
 *
 * A program is all that a crash needs to be seen again: it names what it works
 * on by slots (the third file, its fifth handle), so that it means the same
 * whenever it runs. See README.md.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "pdt.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>

#define FZ_ARGS		7
#define FZ_CALLS	96
#define FZ_REPEAT	32
#define FZ_LANES	4
#define FZ_WORKERS	16
#define FZ_CORPUS	1024

/* Slots of a program. Files up to FZ_OTHER are this driver's, later ones others' */
#define FZ_FILES	6
#define FZ_OTHER	4
#define FZ_HANDLES	16
#define FZ_SYNCS	8
#define FZ_FDS		16
#define FZ_MAPS		16
#define FZ_MAP_BYTES	(4ULL << 20)

/* A handle is a slot, or with this bit a number of its own */
#define FZ_LITERAL	(1ULL << 32)

/* What a thread stages for SUBMIT; an array may claim to be longer */
#define FZ_OPS		16
#define FZ_SCRATCH	(64ULL << 10)

/**
 * struct fz_call - a call of a program
 */
struct fz_call {
	/** @kind: index in fz_kinds */
	uint32_t kind;
	/** @lane: the thread that makes it */
	uint32_t lane;
	/** @arg: as fz_kinds says */
	uint64_t arg[FZ_ARGS];
};

/**
 * struct fz_program - calls; those of a lane are made in order, and those of lane
 * 0 that come first of all before any other
 */
struct fz_program {
	/** @count: how many */
	uint32_t count;
	/** @repeat: so often is done what does not come first of all; 0: once */
	uint32_t repeat;
	/** @call: the calls */
	struct fz_call call[FZ_CALLS];
};

/**
 * struct fz_counts - what became of the calls of a kind
 */
struct fz_counts {
	/** @calls: made */
	uint64_t calls;
	/** @good: those that succeeded */
	uint64_t good;
	/** @ns: that they took in all */
	uint64_t ns;
};

#define FZ_KINDS_MAX	80

/**
 * struct fz_now - what a thread is doing, for who looks for hangs
 */
struct fz_now {
	/** @since: when the call began, in ms; 0 between calls */
	_Atomic uint64_t since;
	/** @kind: of the call */
	_Atomic uint32_t kind;
	/** @tid: the thread */
	_Atomic int tid;
};

/* What may happen to the card in a round; from FZ_ONES on it is gone */
enum fz_event {
	FZ_NOTHING, FZ_WEDGE, FZ_ONES, FZ_BUS, FZ_REMOVE, FZ_UNBIND, FZ_EVENTS
};

/**
 * struct fz_shared - what all processes of a run share
 */
struct fz_shared {
	/** @stop: all end at the next program */
	_Atomic int stop;
	/** @failed: something was found; said already */
	_Atomic int failed;
	/** @faults: faults of the control channel may be asked for */
	int faults;
	/** @hidden: the CPU does not reach all of VRAM */
	bool hidden;
	/** @event: what happens to the card in this round, sooner or later */
	_Atomic int event;
	/** @bound: how often the card was bound anew */
	_Atomic unsigned int bound;
	/** @kcov: coverage is collected */
	int kcov;
	/** @ioctls: calls of ioctl() made */
	_Atomic uint64_t ioctls;
	/** @programs: programs run */
	_Atomic uint64_t programs;
	/** @checks: contents looked at */
	_Atomic uint64_t checks;
	/** @control: one at a time on the control channel */
	pthread_mutex_t control;
	/** @now: of each thread */
	struct fz_now now[FZ_WORKERS][FZ_LANES + 1];
	/** @counts: by kind, of each worker */
	struct fz_counts counts[FZ_WORKERS][FZ_KINDS_MAX];
	/** @running: the program that each worker is at, or was at last */
	struct fz_program running[FZ_WORKERS];
	/** @errnos: by kind: those seen, a bit each up to 133 */
	_Atomic uint64_t errnos[FZ_KINDS_MAX][3];

	/** @corpus_lock: of what follows */
	pthread_mutex_t corpus_lock;
	/** @corpus_count: programs in the corpus */
	_Atomic uint32_t corpus_count;
	/** @corpus_next: number of the next program that comes in */
	uint32_t corpus_next;
	/** @id: number of each */
	uint32_t id[FZ_CORPUS];
	/** @corpus: programs that did something new */
	struct fz_program corpus[FZ_CORPUS];
	/** @features: how much new was seen */
	_Atomic uint64_t features;
	/** @edges: of them, steps from one place in the driver to another */
	_Atomic uint64_t edges;
	/** @places: places in the driver that were reached */
	_Atomic uint64_t places;
	/** @seen: what was seen, hashed */
	_Atomic uint8_t seen[1 << 20];
};

extern struct fz_shared *fz_shared;

/**
 * struct fz_state - what the threads of a program share
 *
 * A slot of files holds a descriptor in its lower half and in its upper half how
 * often it has changed, so that a call can see that it was closed meanwhile.
 */
struct fz_state {
	/** @worker: number of the process */
	unsigned int worker;
	/** @file: DRM files */
	_Atomic uint64_t file[FZ_FILES];
	/** @fd: dma-bufs, sync files, syncobjs and other files */
	_Atomic uint64_t fd[FZ_FDS];
	/** @handle: buffers by file */
	_Atomic uint32_t handle[FZ_FILES][FZ_HANDLES];
	/** @sync: syncobjs by file */
	_Atomic uint32_t sync[FZ_FILES][FZ_SYNCS];
	/** @zone: where programs map, FZ_MAPS times FZ_MAP_BYTES */
	unsigned char *zone;
};

/**
 * struct fz_lane - a thread
 */
struct fz_lane {
	/** @state: of the process */
	struct fz_state *state;
	/** @program: what it runs */
	const struct fz_program *program;
	/** @again: it has run it so often already */
	unsigned int again;
	/** @index: its number */
	unsigned int index;
	/** @thread: itself */
	pthread_t thread;
	/** @scratch: memory for arguments, then as much that is not there */
	unsigned char *scratch;
	/** @readonly: the same memory, read-only */
	unsigned char *readonly;
	/** @ops: staged for SUBMIT */
	struct drm_pddgpu_submit_op ops[FZ_OPS];
	/** @syncs: to wait for, to signal */
	struct drm_pddgpu_sync syncs[2][FZ_OPS];
	/** @op_count: of @ops */
	unsigned int op_count;
	/** @sync_count: of @syncs */
	unsigned int sync_count[2];
	/** @random: where a call needs some */
	uint64_t random;
	/** @unstable: a slot changed under the call: any error may come */
	bool unstable;
	/** @jump: where a fault in a mapping leads to */
	sigjmp_buf jump;
	/** @armed: @jump is good */
	volatile bool armed;
	/** @kcov: the places reached, after their number; NULL without */
	uint64_t *kcov;
	/** @features: new ones in this program */
	unsigned int features;
};

/**
 * struct fz_kind - a kind of call
 */
struct fz_kind {
	/** @name: in programs as text */
	const char *name;
	/** @types: of its arguments, a letter each; see gen.c */
	const char *types;
	/** @weight: how often */
	unsigned int weight;
	/** @errnos: what it may answer, ended by 0; NULL: not this driver's matter */
	const int *errnos;
	/** @run: make the call; 0, a count, or a negative errno */
	int (*run)(struct fz_lane *lane, const uint64_t *arg);
};

extern const struct fz_kind fz_kinds[];
extern const unsigned int fz_kind_count;

/* Ways to give a pointer */
enum fz_pointer {
	FZ_GOOD, FZ_NULL, FZ_UNMAPPED, FZ_KERNEL, FZ_READONLY, FZ_CUT, FZ_MAPPING, FZ_WILD,
	FZ_POINTERS
};

/* table.c */
int fz_kind_find(const char *name);

/* text.c */
void fz_print(FILE *to, const struct fz_program *program);
int fz_parse(const char *path, struct fz_program *programs, unsigned int max);

/* gen.c */
void fz_generate(struct fz_program *program, uint64_t seed);
void fz_mutate(struct fz_program *program, const struct fz_program *a,
	       const struct fz_program *b, uint64_t seed);

/* The nodes of this driver and of vgem; empty where there is none */
enum fz_node {
	FZ_RENDER, FZ_CARD, FZ_VGEM_RENDER, FZ_VGEM_CARD, FZ_NODES
};

extern char fz_nodes[FZ_NODES][64];

/* slot.c */
bool fz_nodes_find(void);
int fz_slot_get(_Atomic uint64_t *slot, uint32_t *age);
void fz_slot_put(_Atomic uint64_t *slot, int fd);
int fz_file(struct fz_lane *lane, uint64_t arg, uint32_t *age);
int fz_fd(struct fz_lane *lane, uint64_t arg);
uint32_t fz_handle(struct fz_lane *lane, uint64_t file, uint64_t arg);
uint32_t fz_sync(struct fz_lane *lane, uint64_t file, uint64_t arg);
void *fz_pointer(struct fz_lane *lane, uint64_t how, const void *good, size_t bytes);
int fz_ioctl(int fd, unsigned long request, void *arg);
int fz_file_ioctl(struct fz_lane *lane, uint64_t file, unsigned long request, void *arg);
unsigned char *fz_map(struct fz_lane *lane, uint64_t arg, uint64_t offset);
int64_t fz_deadline(uint64_t arg);
uint64_t fz_now_ns(void);

/* call_*.c: what fz_kinds lists */
#define FZ_RUN(name) int fz_##name(struct fz_lane *lane, const uint64_t *arg)
FZ_RUN(create); FZ_RUN(gem_map); FZ_RUN(info); FZ_RUN(destroy); FZ_RUN(wait);
FZ_RUN(set_domain); FZ_RUN(add_op); FZ_RUN(add_sync); FZ_RUN(submit); FZ_RUN(query);
FZ_RUN(label); FZ_RUN(ask);
FZ_RUN(raw); FZ_RUN(get_cap); FZ_RUN(set_client_cap); FZ_RUN(version); FZ_RUN(gem_close);
FZ_RUN(flink); FZ_RUN(gem_open); FZ_RUN(export); FZ_RUN(import); FZ_RUN(master);
FZ_RUN(sync_create); FZ_RUN(sync_destroy); FZ_RUN(sync_export); FZ_RUN(sync_import);
FZ_RUN(sync_wait); FZ_RUN(sync_timeline_wait); FZ_RUN(sync_array); FZ_RUN(sync_points);
FZ_RUN(sync_transfer); FZ_RUN(sync_eventfd);
FZ_RUN(mmap); FZ_RUN(munmap); FZ_RUN(mremap); FZ_RUN(mprotect); FZ_RUN(madvise);
FZ_RUN(mlock); FZ_RUN(remap); FZ_RUN(load); FZ_RUN(store); FZ_RUN(peek); FZ_RUN(msync);
FZ_RUN(fork); FZ_RUN(open); FZ_RUN(close); FZ_RUN(dup); FZ_RUN(nonblock); FZ_RUN(read);
FZ_RUN(fd_close); FZ_RUN(dmabuf_sync); FZ_RUN(dmabuf_export); FZ_RUN(dmabuf_import);
FZ_RUN(dmabuf_name); FZ_RUN(dmabuf_mmap); FZ_RUN(dmabuf_seek); FZ_RUN(merge);
FZ_RUN(fd_ioctl); FZ_RUN(foreign); FZ_RUN(file_write); FZ_RUN(file_read); FZ_RUN(kick);
FZ_RUN(fault); FZ_RUN(fdinfo); FZ_RUN(dumb); FZ_RUN(vgem_fence);

/* cover.c */
bool fz_cover_open(struct fz_lane *lane);
void fz_cover_begin(struct fz_lane *lane);
void fz_cover_end(struct fz_lane *lane);
bool fz_feature(uint64_t hash);

/* away.c */
bool fz_wedged(void);
bool fz_out_of_order(void);
bool fz_gone(int fd);
enum fz_event fz_event_pick(bool faults, bool unplug, uint64_t random);
pid_t fz_event_start(enum fz_event event, uint64_t random);
int fz_event_mend(void);

/* corpus.c */
int fz_corpus_load(const char *dir);
void fz_corpus_add(const struct fz_program *program, unsigned int features, uint64_t seed);
bool fz_corpus_pick(uint64_t *random, struct fz_program *out, uint32_t *id);

/**
 * struct fz_oracle - buffers whose content is known
 */
struct fz_oracle {
	/** @fd: a file of its own */
	int fd;
	/** @worker: whose */
	unsigned int worker;
	/** @bufs: the buffers */
	struct pdt_buffer bufs[6];
	/** @random: for what is done next */
	uint64_t random;
};

/* oracle.c */
int fz_oracle_open(struct fz_oracle *oracle, unsigned int worker, uint64_t seed);
int fz_oracle_step(struct fz_oracle *oracle);
void fz_oracle_close(struct fz_oracle *oracle);

/* worker.c */
void fz_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * struct fz_worker - a process that runs programs
 */
struct fz_worker {
	/** @number: which */
	unsigned int number;
	/** @seed: of its programs */
	uint64_t seed;
	/** @program: run this one only */
	const struct fz_program *program;
	/** @times: so often */
	unsigned int times;
	/** @guided: a quarter or more of the programs are variants of what did something new */
	bool guided;
	/** @kmsg: where programs are announced, or -1 */
	int kmsg;
};

int fz_worker_run(const struct fz_worker *worker);

#endif /* FUZZ_H */
