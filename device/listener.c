// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"

static int fail(const char *path)
{
	log_error("%s: %s", path, strerror(errno));
	return -1;
}

static bool set_path(struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	strcpy(addr->sun_path, path);
	return true;
}

/* May the file at @path make room? Nobody answers at what a dead device left. */
static bool may_replace(const char *path)
{
	struct sockaddr_un addr;
	struct stat st;
	bool answered;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	/* Of another kind: who listens there says so, and hears nothing of it */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || !set_path(&addr, path))
		return false;
	answered = !connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
		   errno != ECONNREFUSED;
	close(fd);
	errno = EADDRINUSE;
	return !answered;
}

/* Who sees the file can connect: it gets its name when it listens. */
static bool bind_and_listen(struct listener *listener, const char *path)
{
	struct sockaddr_un addr;
	char name[sizeof(addr.sun_path) + 16];
	struct stat st;

	snprintf(name, sizeof(name), "%s.%ld", path, (long)getpid());
	if (!set_path(&addr, name))
		return false;
	unlink(name);
	if (bind(listener->fd, (struct sockaddr *)&addr, sizeof(addr)))
		return false;
	if (listen(listener->fd, 8) || lstat(name, &st) || rename(name, path)) {
		int error = errno;

		unlink(name);
		errno = error;
		return false;
	}
	listener->path = path;
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
	return true;
}

/**
 * listener_open() - wait for connections at a path
 * @listener: filled in
 * @path: the path; NULL: no listener
 *
 * Return: 0, or -1 after a message; listener_close() is due in both cases.
 */
int listener_open(struct listener *listener, const char *path)
{
	*listener = (struct listener) { .fd = -1 };
	if (!path)
		return 0;
	if (!may_replace(path))
		return fail(path);
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener->fd < 0 || !bind_and_listen(listener, path))
		return fail(path);
	return 0;
}

/**
 * listener_accept() - take the next connection
 * @listener: the listener
 *
 * Return: the connection, non-blocking, or -1 when there is none.
 */
int listener_accept(struct listener *listener)
{
	return accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/**
 * listener_close() - wait no longer, and remove the file
 * @listener: the listener
 */
void listener_close(struct listener *listener)
{
	struct stat st;

	if (listener->path && !lstat(listener->path, &st) &&
	    st.st_dev == listener->dev && st.st_ino == listener->ino)
		unlink(listener->path);
	if (listener->fd >= 0)
		close(listener->fd);
	listener->path = NULL;
	listener->fd = -1;
}
