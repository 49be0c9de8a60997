/* SPDX-License-Identifier: MIT */
#ifndef PDDGPU_TOOLS_RUN_H
#define PDDGPU_TOOLS_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct run - a program that runs in a session of its own, with all that it starts
 */
struct run {
	/** @argv: its line, as exec() has it */
	char **argv;
	/** @grace_ms: for how long to wait, once it has ended, for those that it has started */
	uint64_t grace_ms;
	/** @tick: called now and then until the end; NULL */
	void (*tick)(void *data);
	/** @data: for it */
	void *data;
	/** @session: out: its session, which is its pid as well */
	pid_t session;
	/** @status: out: as a shell has it, 128 and the number for a signal */
	int status;
	/** @signal: out: the signal that has ended it, or 0 */
	int signal;
	/** @running: out: how many processes of the session there are still */
	unsigned int running;
};

/*
 * Runs it. -1: it has ended; else it could not be started, which has been said: what
 * to exit with, 127 where there is none such and 126 otherwise.
 */
int run_program(struct run *run);

#endif
