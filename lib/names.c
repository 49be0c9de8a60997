// SPDX-License-Identifier: MIT
/* How cards are called, in sysfs and by people. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

const struct pddi_paths pddi_system = {
	.sys = "/sys",
	.dri = "/dev/dri",
	.debugfs = "/sys/kernel/debug",
};

/* The hexadecimal digits that something begins with, if that is what follows */
static const char *hex(const char *text, size_t min, size_t max, char then)
{
	size_t n = strspn(text, "0123456789abcdefABCDEF");

	return n >= min && n <= max && text[n] == then ? text + n + 1 : NULL;
}

/* "00:04.0" */
static bool is_short_pci(const char *text)
{
	text = hex(text, 2, 2, ':');
	if (text)
		text = hex(text, 2, 2, '.');
	return text && text[0] >= '0' && text[0] <= '7' && !text[1];
}

/* "0000:00:04.0"; behind some bridges the first number has more digits */
bool pddi_is_pci(const char *text)
{
	const char *rest = hex(text, 4, 8, ':');

	return rest && is_short_pci(rest);
}

/* What a person calls a card by, as sysfs does; -EINVAL if it is no address */
int pddi_full_pci(const char *name, char pci[16])
{
	size_t i;

	if (is_short_pci(name))
		snprintf(pci, 16, "0000:%s", name);
	else if (pddi_is_pci(name) && strlen(name) < 16)
		snprintf(pci, 16, "%s", name);
	else
		return -EINVAL;
	for (i = 0; pci[i]; i++)
		if (pci[i] >= 'A' && pci[i] <= 'F')
			pci[i] = (char)(pci[i] - 'A' + 'a');
	return 0;
}

/* "card0", and not "card0-HDMI-A-1" */
bool pddi_is_node(const char *name, const char *prefix, int *number)
{
	size_t length = strlen(prefix);
	unsigned long value;
	char *end;

	if (strncmp(name, prefix, length) || name[length] < '0' || name[length] > '9')
		return false;
	errno = 0;
	value = strtoul(name + length, &end, 10);
	if (*end || errno || value > INT_MAX)
		return false;
	*number = (int)value;
	return true;
}

/* The last part of what a link leads to */
static bool link_name(const char *link, char *name, size_t room)
{
	char target[PDDI_PATH_MAX];
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	const char *last;

	if (length < 0)
		return false;
	target[length] = '\0';
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (strlen(last) >= room)
		return false;
	memcpy(name, last, strlen(last) + 1);
	return true;
}

/* The PCI address of the device that a link in sysfs leads to */
bool pddi_pci_of(const char *link, char pci[16])
{
	return link_name(link, pci, 16) && pddi_is_pci(pci);
}

bool pddi_our_driver(const char *link)
{
	char name[16];

	return link_name(link, name, sizeof(name)) && !strcmp(name, "pddgpu");
}

static int by_pci(const void *a, const void *b)
{
	const struct pddgpu_device_id *ids[2] = { a, b };
	unsigned long domains[2];
	int i;

	for (i = 0; i < 2; i++)
		domains[i] = strtoul(ids[i]->pci, NULL, 16);
	if (domains[0] != domains[1])
		return domains[0] < domains[1] ? -1 : 1;
	return strcmp(strchr(ids[0]->pci, ':'), strchr(ids[1]->pci, ':'));
}

/* A node in class/drm; whose @id is then filled in for one of our cards */
static bool node_read(const struct pddi_paths *paths, const char *name,
		      struct pddgpu_device_id *id)
{
	char path[PDDI_PATH_MAX];
	int number;

	memset(id, 0, sizeof(*id));
	id->card = -1;
	if (pddi_is_node(name, "card", &number)) {
		id->card = number;
		snprintf(id->primary, sizeof(id->primary), "/dev/dri/card%d", number);
	} else if (pddi_is_node(name, "renderD", &number)) {
		snprintf(id->render, sizeof(id->render), "/dev/dri/renderD%d", number);
	} else {
		return false;
	}
	snprintf(path, sizeof(path), "%s/class/drm/%s/device/driver", paths->sys, name);
	if (!pddi_our_driver(path))
		return false;
	snprintf(path, sizeof(path), "%s/class/drm/%s/device", paths->sys, name);
	return pddi_pci_of(path, id->pci);
}

/* Its other node may be there already */
static int node_add(struct pddgpu_device_id **ids, unsigned int *count,
		    const struct pddgpu_device_id *node)
{
	struct pddgpu_device_id *bigger;
	unsigned int i;

	for (i = 0; i < *count && strcmp((*ids)[i].pci, node->pci); i++)
		continue;
	if (i == *count) {
		bigger = realloc(*ids, (i + 1) * sizeof(**ids));
		if (!bigger)
			return -ENOMEM;
		*ids = bigger;
		bigger[i] = *node;
		++*count;
	} else if (node->card >= 0) {
		(*ids)[i].card = node->card;
		memcpy((*ids)[i].primary, node->primary, sizeof(node->primary));
	} else {
		memcpy((*ids)[i].render, node->render, sizeof(node->render));
	}
	return 0;
}

/* All cards, in order; to be freed. Returns their number. */
int pddi_find(const struct pddi_paths *paths, struct pddgpu_device_id **out)
{
	struct pddgpu_device_id *ids = NULL, node;
	char path[PDDI_PATH_MAX];
	struct dirent *entry;
	unsigned int count = 0;
	int ret = 0;
	DIR *dir;

	*out = NULL;
	snprintf(path, sizeof(path), "%s/class/drm", paths->sys);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!ret && (entry = readdir(dir)))
		if (node_read(paths, entry->d_name, &node))
			ret = node_add(&ids, &count, &node);
	closedir(dir);
	if (ret) {
		free(ids);
		return ret;
	}
	if (count)
		qsort(ids, count, sizeof(*ids), by_pci);
	*out = ids;
	return (int)count;
}
