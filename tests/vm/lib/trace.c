// SPDX-License-Identifier: MIT
/* Tracepoints, by tracefs. */
#include "pdt.h"

#include <fcntl.h>
#include <unistd.h>

#define TRACEFS "/sys/kernel/tracing"

/* An event, "pddgpu/bo_move", or all of a system, "pddgpu" */
static int trace_write(const char *event, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), TRACEFS "/events/%s/%s", event, file);
	return pdt_file_write(path, text);
}

bool pdt_trace_has(const char *event)
{
	char path[256];

	snprintf(path, sizeof(path), TRACEFS "/events/%s/format", event);
	return !access(path, R_OK);
}

/* Traces that event from now on; what was traced before is forgotten. */
int pdt_trace_on(const char *event)
{
	int fd = open(TRACEFS "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	close(fd);
	rc = pdt_file_write(TRACEFS "/tracing_on", "1");
	return rc ? rc : trace_write(event, "enable", "1");
}

/* Traces nothing any more, and keeps what it has. */
int pdt_trace_off(void)
{
	int rc = trace_write("pddgpu", "enable", "0");

	if (!rc && pdt_trace_has("gpu_mem/gpu_mem_total"))
		rc = trace_write("gpu_mem", "enable", "0");
	return rc;
}

/* What was traced, to be freed */
char *pdt_trace_read(void)
{
	return pdt_file_read(TRACEFS "/trace");
}

/* Is a word there, with none of its own letters before or behind it? */
static bool has_word(const char *line, size_t len, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = line; (at = memmem(at, len - (size_t)(at - line), word, size));
	     at++) {
		const char *behind = at + size;

		if (at[-1] == ' ' && (behind == line + len || *behind == ' '))
			return true;
	}
	return false;
}

/* The first line of that event with all of these words, NULL at their end */
const char *pdt_trace_find(const char *trace, const char *event, const char *const words[])
{
	char name[64];

	snprintf(name, sizeof(name), " %s: ", event);
	for (const char *line = trace; line; line = strchr(line, '\n')) {
		size_t len, i;

		if (*line == '\n')
			line++;
		len = strcspn(line, "\n");
		if (!len || !memmem(line, len, name, strlen(name)))
			continue;
		for (i = 0; words[i] && has_word(line, len, words[i]); i++)
			;
		if (!words[i])
			return line;
	}
	return NULL;
}

/* A field of a line */
int pdt_trace_u64(const char *line, const char *field, uint64_t *value)
{
	char wanted[64];
	const char *at;

	snprintf(wanted, sizeof(wanted), " %s=", field);
	at = strstr(line, wanted);
	if (!at || at > strchrnul(line, '\n'))
		return -ENOENT;
	*value = strtoull(at + strlen(wanted), NULL, 0);
	return 0;
}
