// SPDX-License-Identifier: MIT
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device_name.h"

static const char *by_name(const struct sample *sample, const char *name)
{
	for (size_t i = 0; i < sample->nr_cards; i++) {
		const struct sample_card *card = &sample->cards[i];

		if (!strcmp(card->device, name) || (*card->node && !strcmp(card->node, name)))
			return card->device;
	}
	return NULL;
}

const char *device_find(const struct sample *sample, const char *name)
{
	const char *found = by_name(sample, name);
	char path[PATH_MAX], real[PATH_MAX];
	const char *last;
	ssize_t length;

	if (found)
		return found;
	snprintf(path, sizeof(path), "0000:%.40s", name);
	found = by_name(sample, path);
	if (found)
		return found;
	/* Also such as /dev/dri/by-path/... */
	if (*name == '/' && !realpath(name, real))
		return NULL;
	if (*name != '/')
		snprintf(real, sizeof(real), "%s", name);
	last = strrchr(real, '/');
	last = last ? last + 1 : real;
	found = by_name(sample, last);
	if (found)
		return found;
	snprintf(path, sizeof(path), "/sys/class/drm/%.40s/device", last);
	length = readlink(path, real, sizeof(real) - 1);
	if (length <= 0)
		return NULL;
	real[length] = '\0';
	last = strrchr(real, '/');
	return by_name(sample, last ? last + 1 : real);
}
