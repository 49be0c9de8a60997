// SPDX-License-Identifier: MIT
/* The device's control channel, which the harness carries into the guest. */
#include "pdt.h"

#include <fcntl.h>
#include <unistd.h>

#define PDT_CONTROL "/dev/virtio-ports/org.pddgpu.control"

static int control_read_line(int fd, char *answer, size_t room)
{
	size_t len = 0;

	while (len < room - 1) {
		ssize_t n = read(fd, answer + len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EPIPE;
		if (answer[len] == '\n') {
			answer[len] = '\0';
			return 0;
		}
		len++;
	}
	return -EMSGSIZE;
}

/* One command, one answer; an answer that is no "ok" is -EIO and kept. */
int pdt_control(const char *command, char *answer, size_t room)
{
	char line[256];
	int fd, rc, len;

	fd = open(PDT_CONTROL, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = snprintf(line, sizeof(line), "%s\n", command);
	if (write(fd, line, (size_t)len) != len)
		rc = errno ? -errno : -EIO;
	else
		rc = control_read_line(fd, answer, room);
	close(fd);
	if (!rc && strncmp(answer, "ok", 2))
		rc = -EIO;
	return rc;
}

/* A counter of the device */
int pdt_control_stat(const char *name, uint64_t *value)
{
	char answer[4096], wanted[64];
	const char *found;
	int rc = pdt_control("stats", answer, sizeof(answer));

	if (rc)
		return rc;
	snprintf(wanted, sizeof(wanted), " %s=", name);
	found = strstr(answer, wanted);
	if (!found)
		return -ENOENT;
	*value = strtoull(found + strlen(wanted), NULL, 10);
	return 0;
}

/* What the chip's MMU finds at a GPU address; at most 1 KiB */
int pdt_control_peek(uint64_t addr, void *data, size_t bytes)
{
	char command[64], answer[4096];
	unsigned char *out = data;
	const char *hex;
	int rc;

	snprintf(command, sizeof(command), "read 0x%llx %zu", (unsigned long long)addr,
		 bytes);
	rc = pdt_control(command, answer, sizeof(answer));
	if (rc)
		return rc;
	hex = answer + strlen("ok ");
	if (strlen(hex) != 2 * bytes)
		return -EPROTO;
	for (size_t i = 0; i < bytes; i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -EPROTO;
		out[i] = (unsigned char)byte;
	}
	return 0;
}
