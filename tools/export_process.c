// SPDX-License-Identifier: MIT
/*
 * What the processes of each name have. There may be any number of processes, and
 * as many names: the largest are told by name, the others together, since each
 * costs Prometheus a series for every region.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"

static uint64_t total(const struct export_process *process)
{
	uint64_t sum = 0;
	unsigned int region, state;

	for (region = 0; region < 3; region++)
		for (state = 0; state < 3; state++)
			sum += process->bytes[region][state];
	return sum;
}

static int by_name(const void *a, const void *b)
{
	const struct export_process *one = a, *other = b;

	return strcmp(one->comm, other->comm);
}

static int by_size(const void *a, const void *b)
{
	uint64_t one = total(a), other = total(b);

	if (one != other)
		return one < other ? 1 : -1;
	return by_name(a, b);
}

static void add(struct export_process *sum, const struct export_process *more)
{
	unsigned int region, state;

	for (region = 0; region < 3; region++)
		for (state = 0; state < 3; state++)
			sum->bytes[region][state] += more->bytes[region][state];
}

static int read_all(struct pddgpu_owners *owners, struct export_process **out,
		    unsigned int *count)
{
	struct export_process *all = NULL, *more;
	struct pddgpu_owner owner;
	unsigned int room = 0;
	int ret;

	*count = 0;
	while ((ret = pddgpu_owners_next(owners, &owner)) > 0) {
		if (*count == room) {
			room = room ? 2 * room : 64;
			more = realloc(all, room * sizeof(*all));
			if (!more) {
				ret = -ENOMEM;
				break;
			}
			all = more;
		}
		memcpy(all[*count].comm, owner.comm, sizeof(all->comm));
		memcpy(all[*count].bytes, owner.bytes, sizeof(all->bytes));
		++*count;
	}
	if (ret < 0) {
		free(all);
		all = NULL;
	}
	*out = all;
	return ret;
}

/* Those of a name become one */
static unsigned int join(struct export_process *all, unsigned int count)
{
	unsigned int n, names = 0;

	qsort(all, count, sizeof(*all), by_name);
	for (n = 0; n < count; n++) {
		if (names && !by_name(&all[names - 1], &all[n]))
			add(&all[names - 1], &all[n]);
		else
			all[names++] = all[n];
	}
	return names;
}

/**
 * export_processes() - what the processes have
 * @dev: the card
 * @most: how many names are told, at most
 * @out: its processes, process_count and others are filled in
 *
 * Return: 0; -EACCES without rights to read debugfs, -ENOENT where there is none, or
 * another negative errno.
 */
int export_processes(struct pddgpu_device *dev, unsigned int most, struct export_sample *out)
{
	struct export_process *all;
	struct pddgpu_owners *owners;
	unsigned int count, n;
	int ret;

	ret = pddgpu_owners_open(dev, &owners);
	if (ret)
		return ret;
	ret = read_all(owners, &all, &count);
	pddgpu_owners_close(owners);
	if (ret < 0)
		return ret;
	if (!count)
		return 0;
	count = join(all, count);
	qsort(all, count, sizeof(*all), by_size);
	for (n = most; n < count; n++)
		add(&out->others, &all[n]);
	out->processes = all;
	out->process_count = count < most ? count : most;
	return 0;
}
