// SPDX-License-Identifier: MIT
/* The card's folder in debugfs: opening files, numbers, commands. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define NAME_LENGTH_MAX	64

/* Nothing that leads out of the folder */
static bool is_name(const char *file)
{
	size_t n = strspn(file, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n && n <= NAME_LENGTH_MAX && n == strlen(file);
}

/*
 * Older kernels name the folder by the primary node's number. On newer ones that
 * is a link, which another card's may be by now; hence the address first.
 */
static int folder_path(const struct pddgpu_device *dev, char *path, size_t room)
{
	if (!dev->id.pci[0])
		return -ENOENT;
	snprintf(path, room, "%s/dri/%s", dev->paths->debugfs, dev->id.pci);
	if (!access(path, F_OK))
		return 0;
	if (errno == EACCES || errno == EPERM || dev->id.card < 0)
		return -errno;
	snprintf(path, room, "%s/dri/%d", dev->paths->debugfs, dev->id.card);
	return access(path, F_OK) ? -errno : 0;
}

static int open_retrying(const char *path, int flags)
{
	int fd;

	do {
		fd = open(path, flags);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* The driver answers so to root who wants to do what it cannot. */
static bool wrong_way(const char *path, int flags, int error)
{
	int other = (flags & O_ACCMODE) == O_WRONLY ? R_OK : W_OK;

	return error == -EACCES && geteuid() == 0 && !access(path, other);
}

int pddgpu_debugfs_open(struct pddgpu_device *dev, const char *file, int flags)
{
	char path[PDDI_PATH_MAX], *end;
	int ret;

	if (!is_name(file))
		return -EINVAL;
	/* Another card may be in its place, and the folder be that one's. */
	if (pddi_gone(dev))
		return -ENODEV;
	ret = folder_path(dev, path, sizeof(path) - NAME_LENGTH_MAX - 1);
	if (!ret) {
		end = path + strlen(path);
		snprintf(end, (size_t)(path + sizeof(path) - end), "/%s", file);
		ret = open_retrying(path, (flags | O_CLOEXEC) & ~O_CREAT);
		if (ret == -ENOENT || wrong_way(path, flags, ret))
			ret = -EOPNOTSUPP;
	}
	return ret < 0 && pddi_gone(dev) ? -ENODEV : ret;
}

int pddi_debugfs_write(const struct pddgpu_device *dev, const char *file, const char *text)
{
	int fd = pddgpu_debugfs_open((struct pddgpu_device *)dev, file, O_WRONLY);
	ssize_t n;
	int ret;

	if (fd < 0)
		return fd;
	do {
		n = write(fd, text, strlen(text));
	} while (n < 0 && errno == EINTR);
	ret = n < 0 ? -errno : 0;
	close(fd);
	return ret && pddi_gone(dev) ? -ENODEV : ret;
}

int pddgpu_setting_get(struct pddgpu_device *dev, const char *name, uint64_t *value)
{
	int fd = pddgpu_debugfs_open(dev, name, O_RDONLY), ret = 0;
	char text[32];
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = read(fd, text + length, sizeof(text) - length);
		if (n > 0)
			length += (size_t)n;
		else if (n < 0 && errno != EINTR)
			ret = -errno;
	} while (!ret && n && length < sizeof(text));
	close(fd);
	if (ret)
		return pddi_gone(dev) ? -ENODEV : ret;
	/* One number and one newline; a NUL in the middle does not end it. */
	if (length < 2 || length == sizeof(text) || text[length - 1] != '\n')
		return -EINVAL;
	text[length - 1] = '\0';
	if (strlen(text) != length - 1)
		return -EINVAL;
	return pddi_number(text, UINT64_MAX, value);
}

int pddgpu_setting_set(struct pddgpu_device *dev, const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return pddi_debugfs_write(dev, name, text);
}

/* Older drivers have the file for reading only, which says so when it is written. */
static int leaks_write(struct pddgpu_device *dev, const char *command)
{
	int ret = pddi_debugfs_write(dev, "leak_objects", command);

	return ret == -EINVAL ? -EOPNOTSUPP : ret;
}

int pddgpu_leaks_scan(struct pddgpu_device *dev)
{
	int ret = leaks_write(dev, "scan");

	/* How those are asked */
	if (ret == -EOPNOTSUPP)
		ret = pddi_debugfs_write(dev, "trigger_leak_check", "1");
	return ret;
}

int pddgpu_leaks_clear(struct pddgpu_device *dev)
{
	return leaks_write(dev, "clear");
}
