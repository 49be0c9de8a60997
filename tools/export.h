/* SPDX-License-Identifier: MIT */
#ifndef EXPORT_H
#define EXPORT_H

/**
 * DOC: export
 *
 * cards.c asks every card, each in a thread of its own, so that one that does not
 * answer keeps nobody waiting; export_text.c says in metrics what they answered;
 * export_http.c hands that to who asks over HTTP, and export_run.c to a file.
 *
 * All of it is in a program of its own, pddgpu-export, which pddgpu becomes: the
 * libraries that HTTP brings take longer to load than most other commands to run.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pddgpu.h>
#include <pddgpu_watch.h>

#include "metrics.h"

/* How long a card may take to answer before it is said not to */
#define EXPORT_CARD_MS		2000

/**
 * struct export_process - what all processes of one name have
 */
struct export_process {
	/** @comm: the name; any bytes */
	char comm[PDDGPU_COMM_MAX];
	/** @bytes: in VRAM, GTT and CPU; live, orphaned and zombies */
	uint64_t bytes[PDDGPU_REGIONS][PDDGPU_STATES_OWNED];
};

/**
 * struct export_sample - what a card answered
 */
struct export_sample {
	/** @id: the card */
	struct pddgpu_device_id id;
	/** @error: 0, or the negative errno that it answered; -ETIMEDOUT: nothing */
	int error;
	/** @seconds: how long that took */
	double seconds;
	/** @driver: the driver's version */
	char driver[32];
	/** @info: what it is */
	struct drm_pddgpu_device_info info;
	/** @usage: of VRAM, GTT and CPU */
	struct drm_pddgpu_domain_usage usage[3];
	/** @stats: counters */
	struct drm_pddgpu_memory_stats stats;
	/** @seconds_of: of all allocations, deallocations and moves; never less */
	double seconds_of[3];
	/** @has_owners: the driver is new enough for @owned */
	bool has_owners;
	/** @owned: whose the memory is */
	struct drm_pddgpu_ownership owned[3];
	/** @asked_processes: @process_error and what follows is filled in */
	bool asked_processes;
	/** @process_error: 0, or why there are no @processes */
	int process_error;
	/** @processes: the largest, in order */
	struct export_process *processes;
	/** @process_count: how many */
	unsigned int process_count;
	/** @others: what the rest has, together */
	struct export_process others;
};

struct export_cards;

int export_cards_open(unsigned int processes, struct export_cards **out);
void export_cards_close(struct export_cards *cards);
int export_cards_ask(struct export_cards *cards, struct export_sample **out);
void export_samples_free(struct export_sample *samples, int count);

int export_processes(struct pddgpu_device *dev, unsigned int most, struct export_sample *out);

void export_text(struct metrics_text *out, const struct export_sample *samples, int count);

struct export_server;

/* The command: its line, and an exit code (enum rc) */
int export_run(int argc, char **argv);
int export_listen(const char *address, char *url, size_t url_size, const char **why);
int export_server_open(int listener, struct export_cards *cards, struct export_server **out);
void export_server_tick(struct export_server *server);
void export_server_close(struct export_server *server);
enum metrics_format export_format(const char *accept);

#endif
