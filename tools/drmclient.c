// SPDX-License-Identifier: MIT
/*
 * Reads what drivers say about the descriptors that drmfiles.c has found, and puts the
 * clients together. The fdinfo files stay open: reading one again is a third of the
 * work, and holds neither the process nor the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "drmscan_internal.h"

#define IDLE_PERIOD 8
#define BUSY_PERIOD 4
#define SPARE_FILES 64		/* descriptors left for all else in this program */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* As many descriptors as this program may have; those of fdinfo are most of them. */
static unsigned int raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit more = { limit.rlim_max, limit.rlim_max };

		if (!setrlimit(RLIMIT_NOFILE, &more))
			limit = more;
	}
	if (limit.rlim_cur <= SPARE_FILES)
		return 0;
	return limit.rlim_cur > UINT_MAX ? UINT_MAX : limit.rlim_cur - SPARE_FILES;
}

int drmscan_new(const struct drmscan_options *options, struct drmscan **out)
{
	const char *sys = options->sys ? options->sys : options->proc ? NULL : "/sys";
	struct drmscan *scan = calloc(1, sizeof(*scan));
	int error;

	if (!scan)
		return -ENOMEM;
	scan->options = *options;
	scan->recorded = options->proc;
	scan->sys = -1;
	scan->idle_period = 1;
	scan->busy_period = 1;
	scan->proc = open(options->proc ? options->proc : "/proc",
			  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (scan->proc < 0) {
		error = errno;
		free(scan);
		return -error;
	}
	if (sys)
		scan->sys = open(sys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A recorded file may be replaced by another of its name; the kernel's are not. */
	scan->kept_max = scan->recorded ? 0 : raise_limit();
	*out = scan;
	return 0;
}

void drmscan_free(struct drmscan *scan)
{
	if (!scan)
		return;
	drmscan_free_processes(scan);
	free(scan->pids);
	free(scan->clients);
	free(scan->table);
	close(scan->proc);
	if (scan->sys >= 0)
		close(scan->sys);
	free(scan);
}

static uint64_t hash_bytes(const char *text, size_t length)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	return hash;
}

/* A device without PCI address, by sysfs: the folder's name, such as 3d00000.gpu */
static const char *device_of(const struct drmscan *scan, const struct slot *slot)
{
	const struct fdinfo *info = &slot->client.info;
	unsigned int major = slot->node >= NODES ? ACCEL_MAJOR : DRM_MAJOR;
	char path[64], target[256];
	const char *name = NULL, *one = NULL;
	ssize_t length = -1;

	if (info->pdev)
		return info->pdev;
	snprintf(path, sizeof(path), "dev/char/%u:%u/device", major, slot->node % NODES);
	if (scan->sys >= 0)
		length = readlinkat(scan->sys, path, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		name = strrchr(target, '/');
		name = name ? name + 1 : target;
		one = names_get(scan->options.names, name, strlen(name));
	}
	return one ? one : info->driver;
}

static ssize_t read_text(struct drmscan *scan, const struct process *process, struct slot *slot)
{
	char path[48];
	ssize_t got;
	int file = slot->file;

	if (file < 0) {
		snprintf(path, sizeof(path), "%d/fdinfo/%d", process->pid, slot->fd);
		file = openat(scan->proc, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (file < 0)
			return -1;
	}
	got = pread(file, scan->text, sizeof(scan->text), 0);
	if (file == slot->file)
		return got;
	if (got > 0 && scan->kept < scan->kept_max) {
		slot->file = file;
		scan->kept++;
	} else {
		close(file);
	}
	return got;
}

/* What a file says that says something else than before */
static void take_text(struct drmscan *scan, struct process *process, struct slot *slot,
		      size_t length)
{
	struct drmclient *client = &slot->client;
	uint64_t before = client->info.client_id;

	slot->speaks = fdinfo_parse(&client->info, scan->text, length, scan->options.names);
	/* Another file by that number: perhaps of another node, or of none */
	slot->changed = !slot->speaks || client->info.client_id != before;
	if (slot->changed && before)
		process->looked_ms = 0;
	if (!slot->speaks)
		return;
	client->driver = client->info.driver;
	client->device = device_of(scan, slot);
	client->id = client->info.has_client_id ? client->info.client_id :
		     (uint64_t)process->pid << 32 | (unsigned int)slot->fd;
}

/* Reads one descriptor's file; false: it has gone. */
static bool read_slot(struct drmscan *scan, struct process *process, struct slot *slot)
{
	ssize_t got = read_text(scan, process, slot);
	uint64_t hash;

	scan->totals.reads++;
	if (got < 0)
		return false;
	slot->client.read_ms = scan->now_ms;
	hash = hash_bytes(scan->text, got);
	if (hash != slot->hash) {
		slot->hash = hash;
		slot->period = scan->busy_period;
		take_text(scan, process, slot, got);
	} else {
		slot->period *= 2;
		if (slot->period > scan->idle_period)
			slot->period = scan->idle_period;
	}
	/* Not all in step, but in the second half of it */
	slot->due = scan->run + slot->period -
		    (((unsigned int)slot->fd + scan->run) * 2654435761u >> 16) %
		    ((slot->period + 1) / 2);
	return true;
}

static size_t client_hash(const struct drmclient *client)
{
	uint64_t hash = ((uintptr_t)client->device ^ (uintptr_t)client->driver << 7) + client->id;

	hash *= 0x9e3779b97f4a7c15u;
	return hash >> 20;
}

/* Room for all slots, and a table twice as large as they are many */
static int prepare_table(struct drmscan *scan)
{
	size_t size = 64;

	while (scan->max_clients < scan->nr_slots) {
		if (drmscan_room(&scan->clients, scan->max_clients, &scan->max_clients,
				 sizeof(void *)))
			return -ENOMEM;
	}
	while (size < (size_t)scan->nr_slots * 2)
		size *= 2;
	if (size > scan->table_size) {
		const struct drmclient **table = reallocarray(scan->table, size, sizeof(void *));

		if (!table)
			return -ENOMEM;
		scan->table = table;
		scan->table_size = size;
	}
	if (scan->table_size)
		memset(scan->table, 0, scan->table_size * sizeof(void *));
	scan->nr_clients = 0;
	return 0;
}

/* The first descriptor of a client stands for it; the others only count. */
static void add_client(struct drmscan *scan, struct process *process, struct slot *slot)
{
	struct drmclient *client = &slot->client;

	client->pid = process->pid;
	client->uid = process->uid;
	memcpy(client->comm, process->comm, sizeof(client->comm));
	client->files = 1;
	for (size_t i = client_hash(client);; i++) {
		const struct drmclient **place = &scan->table[i % scan->table_size];
		const struct drmclient *other = *place;

		if (!other) {
			*place = client;
			scan->clients[scan->nr_clients++] = client;
			return;
		}
		if (other->id == client->id && other->device == client->device &&
		    other->driver == client->driver) {
			((struct drmclient *)other)->files++;
			return;
		}
	}
}

static void add_clients(struct drmscan *scan, struct process *process)
{
	scan->totals.denied += process->denied;
	for (unsigned int i = 0; i < process->nr_slots; i++) {
		if (process->slots[i]->speaks)
			add_client(scan, process, process->slots[i]);
		else
			scan->totals.silent++;
	}
}

static void read_process(struct drmscan *scan, struct process *process)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < process->nr_slots; i++) {
		struct slot *slot = process->slots[i];

		if (slot->due <= scan->run && !read_slot(scan, process, slot)) {
			drmscan_free_slot(scan, slot);
			/* Perhaps it is another one now. */
			process->looked_ms = 0;
			continue;
		}
		process->slots[left++] = slot;
	}
	process->nr_slots = left;
}

/* How often the next run reads whom, by what this one's readings took */
static void set_periods(struct drmscan *scan, uint64_t took_ns)
{
	uint64_t all, budget = scan->options.budget_ns;

	if (!scan->totals.reads || !budget)
		return;
	scan->idle_period = 1;
	scan->busy_period = 1;
	took_ns /= scan->totals.reads;
	scan->read_ns = scan->read_ns ? (scan->read_ns * 7 + took_ns) / 8 : took_ns;
	all = scan->read_ns * scan->nr_slots;
	if (all <= budget)
		return;
	scan->idle_period = IDLE_PERIOD;
	all /= budget;
	scan->busy_period = all < 1 ? 1 : all > BUSY_PERIOD ? BUSY_PERIOD : (unsigned int)all;
}

int drmscan_run(struct drmscan *scan, uint64_t now_ms)
{
	struct drmscan_totals totals = { 0 };
	uint64_t start;
	int error;

	/* Zero is never. */
	scan->now_ms = now_ms + 1;
	scan->run++;
	/* Slots that are freed are no clients from here on. */
	scan->nr_clients = 0;
	error = drmscan_find(scan);
	if (!error)
		error = prepare_table(scan);
	if (error)
		return error;
	scan->totals = totals;
	start = cpu_ns();
	for (size_t i = 0; i < scan->nr_processes; i++)
		read_process(scan, scan->processes[i]);
	set_periods(scan, cpu_ns() - start);
	scan->totals.processes = scan->nr_processes;
	for (size_t i = 0; i < scan->nr_processes; i++)
		add_clients(scan, scan->processes[i]);
	return 0;
}

const struct drmclient *const *drmscan_clients(const struct drmscan *scan, size_t *count)
{
	*count = scan->nr_clients;
	return scan->clients;
}

void drmscan_totals(const struct drmscan *scan, struct drmscan_totals *totals)
{
	*totals = scan->totals;
}
