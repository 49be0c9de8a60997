// SPDX-License-Identifier: MIT
/*
 * What /proc/PID/fdinfo says of an open file of the card, read as strictly as
 * Documentation/gpu/drm-usage-stats.rst has it: every key once, none that is not known.
 */
#include "pdt.h"

#include <fcntl.h>
#include <unistd.h>

/* More than a page would be read in pieces by some tools */
#define MOST	4096

enum unit { TEXT, NUMBER, NS, BYTES };

/**
 * struct key - a key that must be there
 */
struct key {
	/** @name: the key */
	const char *name;
	/** @unit: what its value is */
	enum unit unit;
	/** @offset: where it goes in struct pdt_fdinfo */
	size_t offset;
};

#define KEY(name, unit, member)	{ name, unit, offsetof(struct pdt_fdinfo, member) }
#define KEYS_OF(region, index)							\
	KEY("drm-total-" region, BYTES, total[index]),				\
	KEY("drm-shared-" region, BYTES, shared[index]),			\
	KEY("drm-resident-" region, BYTES, resident[index]),			\
	KEY("drm-active-" region, BYTES, active[index]),			\
	KEY("drm-purgeable-" region, BYTES, purgeable[index])

static const struct key keys[] = {
	KEY("drm-driver", TEXT, driver),
	KEY("drm-pdev", TEXT, pdev),
	KEY("drm-client-id", NUMBER, client_id),
	KEY("drm-engine-copy", NS, copy_ns),
	KEY("drm-engine-paging", NS, paging_ns),
	KEY("pddgpu-evictions", NUMBER, evictions),
	KEYS_OF("vram", PDT_FDINFO_VRAM),
	KEYS_OF("gtt", PDT_FDINFO_GTT),
	KEYS_OF("memory", PDT_FDINFO_MEMORY),
};

/* A number with the unit that it may have; false for anything else */
static bool parse_number(const char *value, enum unit unit, uint64_t *number)
{
	char *end;

	if (*value < '0' || *value > '9' || (*value == '0' && value[1] >= '0' && value[1] <= '9'))
		return false;
	errno = 0;
	*number = strtoull(value, &end, 10);
	if (errno)
		return false;
	if (unit == NS)
		return !strcmp(end, " ns");
	if (unit == BYTES && !strcmp(end, " KiB"))
		*number *= PDT_KIB;
	else if (unit == BYTES && !strcmp(end, " MiB"))
		*number *= PDT_MIB;
	else
		return !*end;
	return true;
}

static bool parse_value(const struct key *key, const char *value, struct pdt_fdinfo *info)
{
	void *to = (char *)info + key->offset;

	if (key->unit != TEXT)
		return parse_number(value, key->unit, to);
	if (!*value || strlen(value) >= sizeof(info->driver))
		return false;
	strcpy(to, value);
	return true;
}

/* Is a key one that every open file has? */
static bool is_of_any_file(const char *name)
{
	static const char *const of_any[] = { "pos", "flags", "mnt_id", "ino" };

	for (size_t i = 0; i < PDT_ARRAY_SIZE(of_any); i++) {
		if (!strcmp(name, of_any[i]))
			return true;
	}
	return false;
}

static bool parse_line(char *line, struct pdt_fdinfo *info, uint32_t *seen)
{
	char *value = strchr(line, ':');

	if (!value || value == line)
		return false;
	*value++ = '\0';
	value += strspn(value, " \t");
	if (strpbrk(line, " \t"))
		return false;
	if (is_of_any_file(line))
		return true;
	for (size_t i = 0; i < PDT_ARRAY_SIZE(keys); i++) {
		if (strcmp(line, keys[i].name))
			continue;
		if (*seen & 1u << i)
			return false;
		*seen |= 1u << i;
		return parse_value(&keys[i], value, info);
	}
	return false;
}

static int parse(char *text, struct pdt_fdinfo *info)
{
	uint32_t seen = 0;
	char *rest = text;

	while (*rest) {
		char *line = strsep(&rest, "\n");

		if (!rest || !parse_line(line, info, &seen)) {
			fprintf(stderr, "# not as fdinfo should be: %s\n", line);
			return -EBADMSG;
		}
	}
	return seen == (1u << PDT_ARRAY_SIZE(keys)) - 1 ? 0 : -ENODATA;
}

/*
 * Of another process's file. -ENODATA when keys are missing, as they all are when the
 * card has gone; -EBADMSG for what the document does not allow.
 */
int pdt_fdinfo_of(pid_t pid, int fd, struct pdt_fdinfo *info)
{
	char path[64], text[MOST + 1];
	ssize_t len;
	int file;

	memset(info, 0, sizeof(*info));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	len = read(file, text, MOST);
	if (len < 0)
		len = -errno;
	close(file);
	if (len < 0)
		return (int)len;
	if (len == MOST)
		return -EMSGSIZE;
	text[len] = '\0';
	if (strlen(text) != (size_t)len)
		return -EBADMSG;
	return parse(text, info);
}

int pdt_fdinfo(int fd, struct pdt_fdinfo *info)
{
	return pdt_fdinfo_of(getpid(), fd, info);
}

/* Does a client have, and has it, nothing? Engine time and evictions stay. */
bool pdt_fdinfo_is_empty(const struct pdt_fdinfo *info)
{
	for (unsigned int i = 0; i < PDT_FDINFO_REGIONS; i++) {
		if (info->total[i] || info->shared[i] || info->resident[i] || info->active[i])
			return false;
	}
	return true;
}
