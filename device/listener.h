/* SPDX-License-Identifier: MIT */
#ifndef PDD_LISTENER_H
#define PDD_LISTENER_H

#include <sys/types.h>

/**
 * struct listener - a UNIX socket that waits for connections
 * @path: where it lies; NULL when there is none
 * @fd: the socket, non-blocking; -1 when there is none
 * @dev: of the file at @path, to remove no other
 * @ino: likewise
 */
struct listener {
	const char *path;
	int fd;
	dev_t dev;
	ino_t ino;
};

int listener_open(struct listener *listener, const char *path);
int listener_accept(struct listener *listener);
void listener_close(struct listener *listener);

#endif
