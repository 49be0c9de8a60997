/* SPDX-License-Identifier: MIT */
#ifndef FACTS_H
#define FACTS_H

#include <jansson.h>
#include <stdbool.h>

#include "card.h"

/** enum alive - whether a process is there still */
enum alive { ALIVE_UNKNOWN, ALIVE_YES, ALIVE_NO };

/**
 * struct process - what a process holds, by all files that it has or had open
 */
struct process {
	/** @pid: in the initial namespace; 0 nobody */
	int32_t pid;
	/** @alive: whether it is there still */
	enum alive alive;
	/** @comm: its name when it made the first buffer; any bytes */
	char comm[PDDGPU_COMM_MAX];
	/** @bytes: by region and state */
	uint64_t bytes[PDDGPU_REGIONS][PDDGPU_STATES_OWNED];
	/** @objects: buffers by state */
	uint64_t objects[PDDGPU_STATES_OWNED];
	/** @clients: the open files' ids, */
	uint64_t *clients;
	/** @client_count: so many */
	size_t client_count;
};

/**
 * struct facts - what can be known of a card now
 */
struct facts {
	const struct card *card;
	struct drm_pddgpu_device_info info;
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_domain_usage usage[PDDGPU_REGIONS];
	/** @own: whose it is; all zero with an older driver, see @own_error */
	struct drm_pddgpu_ownership own[PDDGPU_REGIONS];
	/** @own_error: 0, or why @own is not known */
	int own_error;
	/** @sums_only: by facts_read_sysfs(): totals and uses of @usage, nothing else */
	bool sums_only;
	/** @processes: largest first */
	struct process *processes;
	size_t process_count;
	/**
	 * @processes_error: 0, or why the driver's own list cannot be had. Then they
	 * are those whose open files this user may see, by their fdinfo: of those only
	 * is known how much there is, which counts as live; what is shared counts for
	 * each.
	 */
	int processes_error;
	/** @exact: the sums of @processes and @own agree: nothing changed meanwhile */
	bool exact;
	/** @health: names and texts of debugfs' health and reset; NULL: @health_error */
	json_t *health;
	int health_error;
};

extern const char *const region_names[PDDGPU_REGIONS];		/* "vram" */
extern const char *const region_titles[PDDGPU_REGIONS];	/* "VRAM" */
extern const char *const state_names[];	/* "live", "orphan", ...; by enum pddgpu_state */

/* Name of a state, also of one that only newer drivers know */
const char *state_name(int state);
/* "ready" and so on: PDDGPU_DEVICE_STATE_* */
const char *device_state_name(uint32_t state);

/* What facts_read() is to look for besides */
#define FACTS_PROCESSES	1
#define FACTS_HEALTH	2

/* 0 or a negative errno: then nothing is known. facts_free() in any case. */
int facts_read(const struct card *card, unsigned int what, struct facts *facts);
/*
 * What sysfs tells of a card that this user may not open; 0 or a negative errno: the
 * driver is too old for that.
 */
int facts_read_sysfs(const struct card *card, struct facts *facts);
void facts_free(struct facts *facts);
/* Bytes of a process in a region, whatever their state */
uint64_t process_region(const struct process *process, unsigned int region);
uint64_t process_total(const struct process *process);
/* Where processes and cards are looked for instead of /proc and /sys, in tests; NULL */
extern const char *facts_proc, *facts_sys;
/*
 * Whether the driver tells this program of everybody's buffers by ioctls, as it does whoever
 * may watch performance (CAP_PERFMON) outside of containers with users of their own.
 */
bool sees_all(void);
/* What sees_all() answers, in tests; less than 0 */
extern int facts_all;
/* As a person may want to see it: "pid 12 gone" needs no debugfs to tell */
enum alive process_alive(int32_t pid, const char *comm);

#endif
