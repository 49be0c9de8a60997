// SPDX-License-Identifier: MIT
/*
 * How full a card is, for those who may not even open it: the files that amdgpu gave
 * their names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "facts.h"

const char *facts_sys;

static int figure(const struct card *card, const char *name, uint64_t *value)
{
	char path[256], text[32], *end;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/mem_info_%s",
		 facts_sys ? facts_sys : "/sys", card->id.pci, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return length ? -errno : -EPROTO;
	text[length] = '\0';
	*value = strtoull(text, &end, 10);
	return end == text || (*end && *end != '\n') ? -EPROTO : 0;
}

int facts_read_sysfs(const struct card *card, struct facts *facts)
{
	static const char *const names[] = { "vram", "gtt" };
	char file[32];
	unsigned int i;
	int error = 0;

	memset(facts, 0, sizeof(*facts));
	facts->card = card;
	facts->sums_only = true;
	facts->own_error = card->error;
	facts->processes_error = card->error;
	facts->health_error = card->error;
	for (i = 0; i < 2 && !error; i++) {
		uint64_t total = 0, used = 0;

		snprintf(file, sizeof(file), "%s_total", names[i]);
		error = figure(card, file, &total);
		snprintf(file, sizeof(file), "%s_used", names[i]);
		if (!error)
			error = figure(card, file, &used);
		facts->usage[i].total = total;
		facts->usage[i].used = used;
		facts->own[i].used = used;
	}
	return error;
}
