// SPDX-License-Identifier: MIT
/* The card plugged out and in, by QEMU's monitor, which vm/run --monitor brings. */
#include "pdt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define PDT_MONITOR "/dev/virtio-ports/org.pddgpu.monitor"
#define PDT_MONITOR_MS 15000

/* A machine without it: the tests that want it are skipped. */
bool pdt_can_plug(void)
{
	return !access(PDT_MONITOR, F_OK) && getenv("VM_SOCKET");
}

/* One line, without its end; -ETIME when none comes in time */
static int monitor_line(int fd, char *line, size_t room, uint64_t end)
{
	size_t len = 0;

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		uint64_t now = pdt_now_ms();
		char c;

		if (now >= end)
			return -ETIME;
		if (poll(&pfd, 1, (int)(end - now)) <= 0)
			continue;
		if (read(fd, &c, 1) != 1)
			return -EIO;
		if (c == '\n')
			break;
		/* What is too long is of no interest beyond its beginning */
		if (len < room - 1)
			line[len++] = c;
	}
	line[len] = '\0';
	return 0;
}

/*
 * Sends a command and waits for its answer, and for @event if there is one: 0,
 * -EIO when QEMU says no.
 */
static int monitor_do(int fd, const char *command, const char *event)
{
	char line[1024], id[32];
	uint64_t end = pdt_now_ms() + PDT_MONITOR_MS;
	static unsigned int number;
	bool answered = false, happened = !event;
	int rc;

	/* Answers to others' may be on the way still */
	snprintf(id, sizeof(id), "\"pdt-%d-%u\"", getpid(), number++);
	rc = snprintf(line, sizeof(line), "{\"id\": %s, %s}\n", id, command);
	if (write(fd, line, (size_t)rc) != rc)
		return -EIO;
	while (!answered || !happened) {
		rc = monitor_line(fd, line, sizeof(line), end);
		if (rc)
			return rc;
		if (event && strstr(line, event))
			happened = true;
		if (!strstr(line, id))
			continue;
		if (strstr(line, "\"error\"")) {
			fprintf(stderr, "# QEMU: %s\n", line);
			return -EIO;
		}
		answered = true;
	}
	return 0;
}

static int monitor_open(void)
{
	static bool greeted;
	int fd = open(PDT_MONITOR, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Once for all: to say it again is an error, and harmless */
	if (!greeted) {
		char line[512];
		const char *hello = "{\"execute\": \"qmp_capabilities\"}\n";

		if (write(fd, hello, strlen(hello)) > 0)
			while (!monitor_line(fd, line, sizeof(line), pdt_now_ms() + 2000) &&
			       !strstr(line, "\"return\"") && !strstr(line, "\"error\""))
				;
		greeted = true;
	}
	return fd;
}

/* The first card is taken out of its slot; returns when the guest has let go. */
int pdt_plug_out(void)
{
	int fd = monitor_open();
	int rc;

	if (fd < 0)
		return fd;
	rc = monitor_do(fd, "\"execute\": \"device_del\", \"arguments\": {\"id\": \"card0\"}",
			"\"device\": \"card0\"");
	close(fd);
	return rc;
}

/* A card, new or the old one, is put into the slot; returns when it is there. */
int pdt_plug_in(void)
{
	static const char remove[] =
		"\"execute\": \"chardev-remove\", \"arguments\": {\"id\": \"card0\"}";
	static const char add[] =
		"\"execute\": \"device_add\", \"arguments\": {\"driver\": \"ivshmem-doorbell\","
		" \"id\": \"card0\", \"bus\": \"slot0\", \"chardev\": \"card0\","
		" \"vectors\": 4}";
	uint64_t end = pdt_now_ms() + PDT_MONITOR_MS;
	char connect[512];
	int fd = monitor_open();
	int rc;

	if (fd < 0)
		return fd;
	snprintf(connect, sizeof(connect),
		 "\"execute\": \"chardev-add\", \"arguments\": {\"id\": \"card0\", \"backend\":"
		 " {\"type\": \"socket\", \"data\": {\"server\": false, \"addr\":"
		 " {\"type\": \"unix\", \"data\": {\"path\": \"%s0\"}}}}}", getenv("VM_SOCKET"));
	monitor_do(fd, remove, NULL);
	/* A device program that has died is being started again */
	while ((rc = monitor_do(fd, connect, NULL)) == -EIO && pdt_now_ms() < end)
		pdt_sleep_ms(100);
	if (!rc)
		rc = monitor_do(fd, add, NULL);
	close(fd);
	return rc ? rc : pdt_wait_for_card();
}
