// SPDX-License-Identifier: MIT
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

#define BUCKETS 8192	/* twice NAMES_MAX: a search ends */

struct names {
	unsigned int count;
	char *buckets[BUCKETS];
};

struct names *names_new(void)
{
	return calloc(1, sizeof(struct names));
}

void names_free(struct names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		free(names->buckets[i]);
	free(names);
}

const char *names_get(struct names *names, const char *text, size_t length)
{
	char name[NAME_BYTES + 1];
	uint32_t hash = 2166136261u;
	char **bucket;

	if (length > NAME_BYTES)
		length = NAME_BYTES;
	for (size_t i = 0; i < length; i++) {
		name[i] = text[i] > ' ' && text[i] <= '~' ? text[i] : '?';
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	}
	name[length] = '\0';
	for (size_t i = hash;; i++) {
		bucket = &names->buckets[i % BUCKETS];
		if (!*bucket)
			break;
		if (!strcmp(*bucket, name))
			return *bucket;
	}
	if (names->count == NAMES_MAX)
		return NULL;
	*bucket = strdup(name);
	if (*bucket)
		names->count++;
	return *bucket;
}
