// SPDX-License-Identifier: MIT
/* What the kernel tells userspace of DRM devices, unasked. */
#include "pdt.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* From now on; a file descriptor, or -1 */
int pdt_uevents_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Has an event of a DRM device with that line come within the time? Its lines are put
 * into @event, where that is wanted, each with a newline before it and one at the end.
 */
bool pdt_uevent_wait(int fd, const char *line, unsigned int ms, char *event, size_t room)
{
	uint64_t end = pdt_now_ms() + ms;
	char text[8192];

	while (pdt_now_ms() < end) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		bool drm = false, found = false;
		size_t len = 0;
		ssize_t n;

		if (poll(&wait, 1, 100) <= 0)
			continue;
		n = recv(fd, text, sizeof(text) - 1, 0);
		if (n <= 0)
			continue;
		text[n] = '\0';
		for (char *at = text; at < text + n; at += strlen(at) + 1) {
			drm |= !strcmp(at, "SUBSYSTEM=drm");
			found |= !strcmp(at, line);
			if (len < room)
				len += (size_t)snprintf(event + len, room - len, "\n%s", at);
		}
		if (len < room)
			snprintf(event + len, room - len, "\n");
		if (drm && found)
			return true;
	}
	return false;
}

/* A line NAME=number of an event */
int pdt_uevent_u64(const char *event, const char *name, uint64_t *value)
{
	char wanted[64];
	const char *at;

	snprintf(wanted, sizeof(wanted), "\n%s=", name);
	at = strstr(event, wanted);
	if (!at)
		return -ENOENT;
	*value = strtoull(at + strlen(wanted), NULL, 10);
	return 0;
}
