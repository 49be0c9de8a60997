/* SPDX-License-Identifier: MIT */
/* What the program does between its start and its end: it serves its sockets. */
#ifndef PDD_PROGRAM_H
#define PDD_PROGRAM_H

#include <stdbool.h>

#include "chip.h"
#include "control.h"
#include "listener.h"
#include "options.h"

#define PROGRAM_DIED	3

/**
 * struct program - everything that the program has
 * @options: the command line
 * @chip: the chip
 * @control: the control channel
 * @listener: where QEMU connects
 * @has_sockets: @control and @listener were opened
 * @guest: QEMU's connection; -1: none
 * @signals: signalfd; -1: none
 * @end: the program is to end
 * @status: its exit status
 */
struct program {
	struct options options;
	struct chip chip;
	struct control control;
	struct listener listener;
	bool has_sockets;
	int guest;
	int signals;
	bool end;
	int status;
};

int program_open(struct program *p);
void program_step(struct program *p, int timeout);
void program_close(struct program *p);

#endif
