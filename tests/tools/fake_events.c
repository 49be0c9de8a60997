// SPDX-License-Identifier: MIT
/*
 * The events of the made-up library: lines of the FIFO that PDDGPU_FAKE_EVENTS names,
 * "TYPE PCI USED THRESHOLD", where TYPE is a number of enum pddgpu_event_type, or -1
 * for "too many".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pddgpu.h>

struct pddgpu_events {
	int fd;
};

int pddgpu_events_open(struct pddgpu_events **out)
{
	const char *path = getenv("PDDGPU_FAKE_EVENTS");
	/* For writing too: then its end is not seen when a writer closes it. */
	int fd = path ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;

	if (fd < 0)
		return path ? -errno : -EACCES;
	*out = malloc(sizeof(**out));
	(*out)->fd = fd;
	return 0;
}

int pddgpu_events_fd(const struct pddgpu_events *events)
{
	return events->fd;
}

int pddgpu_events_next(struct pddgpu_events *events, struct pddgpu_event *out, int timeout_ms)
{
	struct pollfd fd = { .fd = events->fd, .events = POLLIN };
	unsigned long long used = 0, threshold = 0;
	char line[128];
	size_t length = 0;
	int type;

	if (poll(&fd, 1, timeout_ms) <= 0)
		return 0;
	while (length + 1 < sizeof(line) && read(events->fd, &line[length], 1) == 1)
		if (line[length++] == '\n')
			break;
	line[length] = '\0';
	memset(out, 0, sizeof(*out));
	if (sscanf(line, "%d %15s %llu %llu", &type, out->pci, &used, &threshold) < 2)
		return 0;
	if (type < 0)
		return -ENOBUFS;
	out->type = type;
	out->used_bytes = used;
	out->threshold_bytes = threshold;
	return 1;
}

void pddgpu_events_close(struct pddgpu_events *events)
{
	if (events)
		close(events->fd);
	free(events);
}
