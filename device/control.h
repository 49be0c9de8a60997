/* SPDX-License-Identifier: MIT */
#ifndef PDD_CONTROL_H
#define PDD_CONTROL_H

#include <poll.h>
#include <stdbool.h>

#include "command.h"
#include "listener.h"

#define CONTROL_CLIENTS		16
#define CONTROL_LINE_MAX	256	/* with its newline */
/* The listener and every client */
#define CONTROL_POLL_FDS	(1 + CONTROL_CLIENTS)

/**
 * struct control_client - a connection of the control channel
 * @fd: the connection; -1: no client
 * @in: what was received and has no newline yet
 * @in_bytes: how much of it
 * @skip: an overlong line is being skipped up to its newline
 * @ended: nothing more is read; closed once @out is sent
 * @out: answers that are not sent yet
 * @out_bytes: how much of them
 */
struct control_client {
	int fd;
	char in[CONTROL_LINE_MAX];
	size_t in_bytes;
	bool skip;
	bool ended;
	char out[COMMAND_ANSWER_MAX];
	size_t out_bytes;
};

/**
 * struct control - the control channel
 * @chip: the chip
 * @listener: where clients connect
 * @guest: a QEMU is connected; kept up to date by the owner
 * @die: a client wants the program to end
 * @client: the clients
 */
struct control {
	struct chip *chip;
	struct listener listener;
	bool guest;
	bool die;
	struct control_client client[CONTROL_CLIENTS];
};

int control_open(struct control *control, struct chip *chip, const char *path);
void control_close(struct control *control);
void control_prepare(const struct control *control, struct pollfd *fds);
void control_handle(struct control *control, const struct pollfd *fds);

#endif
