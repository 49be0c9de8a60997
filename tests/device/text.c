// SPDX-License-Identifier: MIT
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

/* Send a line as it is, and take the answer, without its newline. */
const char *command_on(int fd, const char *line)
{
	static char answer[16384];
	size_t used = 0;

	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	while (!used || answer[used - 1] != '\n') {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
		n = recv(fd, answer + used, sizeof(answer) - 1 - used, 0);
		assert_true(n > 0);
		used += n;
	}
	answer[used - 1] = 0;
	/* One line, no more */
	assert_null(strchr(answer, '\n'));
	return answer;
}

const char *command(struct rig *rig, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	strcat(line, "\n");
	if (rig->control < 0)
		rig->control = unix_connect(rig_path(rig, "control"));
	assert_true(rig->control >= 0);
	return command_on(rig->control, line);
}

uint64_t counter(struct rig *rig, const char *name)
{
	const char *line = command(rig, "stats");
	char key[64];

	assert_int_equal(strncmp(line, "ok ", 3), 0);
	snprintf(key, sizeof(key), " %s=", name);
	line = strstr(line, key);
	assert_non_null(line);
	return strtoull(line + strlen(key), NULL, 10);
}

/* Bytes by GPU address, those of invisible VRAM too */
void read_gpu(struct rig *rig, uint64_t addr, void *bytes, uint64_t count)
{
	uint8_t *to = bytes;

	while (count) {
		uint64_t n = count < 4096 ? count : 4096;
		const char *line = command(rig, "read 0x%llx %llu",
					   (unsigned long long)addr,
					   (unsigned long long)n);

		assert_int_equal(strncmp(line, "ok ", 3), 0);
		assert_int_equal(strlen(line), 3 + 2 * n);
		for (uint64_t i = 0; i < n; i++) {
			char digits[3] = { line[3 + 2 * i], line[4 + 2 * i], 0 };

			to[i] = strtoul(digits, NULL, 16);
		}
		to += n;
		addr += n;
		count -= n;
	}
}
