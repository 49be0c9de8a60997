/* SPDX-License-Identifier: MIT */
/* What pddgpu leaks does besides listing by age */
#ifndef PDDGPU_TOOLS_LEAKS_MODES_H
#define PDDGPU_TOOLS_LEAKS_MODES_H

#include <stdbool.h>
#include <stdint.h>

#include "args.h"
#include "card.h"

/**
 * struct leaks_wish - what was asked for
 */
struct leaks_wish {
	/** @device: this card alone; NULL: all */
	const char *device;
	bool as_json, watch;
	/** @limited: there is a @limit, in bytes, from which on the status is 1 */
	bool limited;
	uint64_t limit;
	/** @for_ms: how long to look, or to wait for what a program has started */
	uint64_t for_ms;
	/** @for_given: as the user says, not the preset */
	bool for_given;
	/** @interval_ms: from look to look */
	uint64_t interval_ms;
	/** @since: "now", "boot", a time that args_time() reads, or NULL */
	const char *since;
	/** @max: groups to be shown; 0 all */
	uint64_t max;
	/** @pid: this process alone, or 0; and buffers as large as @min_size */
	int32_t pid;
	uint64_t min_size;
	/** @new_sessions: what sessions leave that begin while the program runs counts too */
	bool new_sessions;
	/** @output: a file for the report; NULL: where it usually goes */
	const char *output;
};

/* Each is the whole command, and returns the exit code */
int leaks_run(const struct leaks_wish *wish, char **argv);
int leaks_look(const struct args_command *command, const struct leaks_wish *wish);

#endif
