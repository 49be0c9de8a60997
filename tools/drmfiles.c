// SPDX-License-Identifier: MIT
/*
 * Finds the DRM nodes among all descriptors of all processes. To look at each of them
 * takes long, so what is known is not asked for again at once:
 *  - A folder of descriptors is looked through when the number of them has changed
 *    (the size of the folder, on kernels from 6.2 on), and every few seconds, for one
 *    may have been closed and another opened in its place.
 *  - What was no DRM node is remembered until the folder is looked through in full.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drmscan_internal.h"

#define FULL_LOOK_DRM_MS 2000	/* between looks through all files of a process with some */
#define FULL_LOOK_MS 10000	/* of any other */
#define FULL_LOOK_FILE_MS 2	/* at least so long for each file, for they take time */
#define FEW_FILES 64		/* of which each is looked at whenever the number changes */
#define MANY_PROCESSES 1024	/* of which those without DRM files take turns */
#define TURNS 8
#define YOUNG_MS 5000		/* programs open their device soon; these take no turns */
#define PLAIN_MAX (1 << 20)	/* descriptors below are remembered */

void drmscan_free_slot(struct drmscan *scan, struct slot *slot)
{
	if (slot->file >= 0) {
		close(slot->file);
		scan->kept--;
	}
	free(slot);
	scan->nr_slots--;
}

static void free_process(struct drmscan *scan, struct process *process)
{
	for (unsigned int i = 0; i < process->nr_slots; i++)
		drmscan_free_slot(scan, process->slots[i]);
	free(process->slots);
	free(process->plain);
	free(process);
}

void drmscan_free_processes(struct drmscan *scan)
{
	for (size_t i = 0; i < scan->nr_processes; i++)
		free_process(scan, scan->processes[i]);
	free(scan->processes);
	scan->processes = NULL;
	scan->nr_processes = 0;
}

/* Makes room for one more in an array of `size` bytes each. */
int drmscan_room(void *array, size_t count, size_t *max, size_t size)
{
	void **pointer = array;
	size_t more = *max ? *max * 2 : 64;
	void *bigger;

	if (count < *max)
		return 0;
	bigger = reallocarray(*pointer, more, size);
	if (!bigger)
		return -ENOMEM;
	*pointer = bigger;
	*max = more;
	return 0;
}

/* A number without sign, zeros before it or anything behind it; -1: it is none. */
static int plain_number(const char *text)
{
	long value = 0;

	if (*text == '0' && text[1])
		return -1;
	do {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + *text - '0';
		if (value > INT_MAX)
			return -1;
	} while (*++text);
	return (int)value;
}

/*
 * Calls back with the number and inode of each entry of a folder whose name is a number.
 * Takes over the descriptor.
 */
static int each_number(int folder, int (*entry)(void *context, int number, ino_t inode),
		       void *context)
{
	union {
		struct dirent64 first;
		char bytes[16384];
	} buffer;
	int error = 0;
	ssize_t got;

	while (!error && (got = getdents64(folder, &buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < got && !error;) {
			const struct dirent64 *one = (const void *)(buffer.bytes + at);
			int number = plain_number(one->d_name);

			if (number >= 0)
				error = entry(context, number, one->d_ino);
			at += one->d_reclen;
		}
		if (error)
			break;
	}
	if (!error && got < 0)
		error = -errno;
	return error;
}

static int add_pid(void *context, int number, ino_t inode)
{
	struct drmscan *scan = context;
	int error = drmscan_room(&scan->pids, scan->nr_pids, &scan->max_pids, sizeof(*scan->pids));

	if (error)
		return error;
	scan->pids[scan->nr_pids++] = (struct pid){ number, inode };
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct pid *one = a, *other = b;

	return (one->pid > other->pid) - (one->pid < other->pid);
}

static int list_pids(struct drmscan *scan)
{
	int error;

	scan->nr_pids = 0;
	if (lseek(scan->proc, 0, SEEK_SET))
		return -errno;
	error = each_number(scan->proc, add_pid, scan);
	if (error)
		return error;
	for (size_t i = 1; i < scan->nr_pids; i++) {
		if (scan->pids[i].pid < scan->pids[i - 1].pid) {
			qsort(scan->pids, scan->nr_pids, sizeof(*scan->pids), by_pid);
			break;
		}
	}
	return 0;
}

static struct process *new_process(struct drmscan *scan, const struct pid *pid)
{
	struct process *process = calloc(1, sizeof(*process));

	if (process) {
		process->pid = pid->pid;
		process->inode = pid->inode;
		process->born_ms = scan->now_ms;
		process->files = -1;
	}
	return process;
}

/* The processes that are there now; both lists are in order. */
static int merge_processes(struct drmscan *scan)
{
	struct process **merged = calloc(scan->nr_pids + 1, sizeof(void *));
	size_t old = 0, count = 0;

	if (!merged)
		return -ENOMEM;
	for (size_t i = 0; i < scan->nr_pids; i++) {
		const struct pid *pid = &scan->pids[i];
		struct process *process = NULL;

		while (old < scan->nr_processes && scan->processes[old]->pid < pid->pid)
			free_process(scan, scan->processes[old++]);
		if (old < scan->nr_processes && scan->processes[old]->pid == pid->pid) {
			process = scan->processes[old++];
			if (process->inode != pid->inode) {
				free_process(scan, process);
				process = NULL;
			}
		}
		if (!process)
			process = new_process(scan, pid);
		if (process)
			merged[count++] = process;
	}
	while (old < scan->nr_processes)
		free_process(scan, scan->processes[old++]);
	free(scan->processes);
	scan->processes = merged;
	scan->nr_processes = count;
	return 0;
}

static void read_comm(const struct drmscan *scan, struct process *process)
{
	char path[32];
	struct statx st;
	ssize_t got;
	int file;

	snprintf(path, sizeof(path), "%d", process->pid);
	if (!statx(scan->proc, path, AT_STATX_DONT_SYNC, STATX_UID, &st))
		process->uid = st.stx_uid;
	snprintf(path, sizeof(path), "%d/comm", process->pid);
	file = openat(scan->proc, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return;
	got = read(file, process->comm, COMM_BYTES);
	close(file);
	if (got < 0)
		return;
	process->comm[got] = '\0';
	process->comm[strcspn(process->comm, "\n")] = '\0';
}

/* The device node's number that a recorded link says: /dev/dri/renderD128 */
static bool recorded_node(int folder, const char *name, unsigned int *node)
{
	char target[64];
	ssize_t length = readlinkat(folder, name, target, sizeof(target) - 1);
	unsigned int offset = 0;
	const char *digits;
	int number;

	if (length < 0)
		return false;
	target[length] = '\0';
	if (!strncmp(target, "/dev/dri/renderD", 16)) {
		digits = target + 16;
	} else if (!strncmp(target, "/dev/dri/card", 13)) {
		digits = target + 13;
	} else if (!strncmp(target, "/dev/accel/accel", 16)) {
		digits = target + 16;
		offset = NODES;
	} else {
		return false;
	}
	number = plain_number(digits);
	if (number < 0 || (unsigned int)number >= NODES)
		return false;
	*node = number + offset;
	return true;
}

/* Whether a descriptor is a DRM node, and which; no file system is asked to look it up. */
static bool is_node(const struct drmscan *scan, int folder, const char *name, unsigned int *node)
{
	struct statx st;

	if (scan->recorded)
		return recorded_node(folder, name, node);
	if (statx(folder, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) ||
	    !S_ISCHR(st.stx_mode))
		return false;
	if (st.stx_rdev_major != DRM_MAJOR && st.stx_rdev_major != ACCEL_MAJOR)
		return false;
	*node = st.stx_rdev_minor + (st.stx_rdev_major == ACCEL_MAJOR ? NODES : 0);
	return true;
}

struct look {
	struct drmscan *scan;
	struct process *process;
	int folder;
	bool full;
};

static bool known_plain(const struct process *process, int fd)
{
	return (size_t)fd / 8 < process->plain_bytes && process->plain[fd / 8] & 1 << fd % 8;
}

/* To forget is no error: it is looked at again. */
static void remember_plain(struct process *process, int fd)
{
	size_t need = (size_t)fd / 8 + 1;

	if (fd >= PLAIN_MAX)
		return;
	if (!process->plain || need > process->plain_bytes) {
		size_t more = need < 16 ? 16 : need * 2;
		uint8_t *bigger = realloc(process->plain, more);

		if (!bigger)
			return;
		memset(bigger + process->plain_bytes, 0, more - process->plain_bytes);
		process->plain = bigger;
		process->plain_bytes = more;
	}
	process->plain[fd / 8] |= 1 << fd % 8;
}

/* Slots are in order of their descriptors: the first of that one, or behind it. */
static unsigned int find_slot(const struct process *process, int fd)
{
	unsigned int low = 0, high = process->nr_slots;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (process->slots[middle]->fd < fd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int add_slot(struct drmscan *scan, struct process *process, unsigned int at, int fd,
		    unsigned int node)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot || drmscan_room(&process->slots, process->nr_slots, &process->max_slots,
				  sizeof(void *))) {
		free(slot);
		return -ENOMEM;
	}
	slot->fd = fd;
	slot->file = -1;
	slot->node = node;
	slot->found = true;
	slot->due = scan->run;
	slot->period = 1;
	memmove(&process->slots[at + 1], &process->slots[at],
		(process->nr_slots - at) * sizeof(void *));
	process->slots[at] = slot;
	process->nr_slots++;
	scan->nr_slots++;
	return 0;
}

static int look_at(void *context, int fd, ino_t inode)
{
	struct look *look = context;
	struct process *process = look->process;
	unsigned int at, node;
	struct slot *slot = NULL;
	char name[16];

	(void)inode;
	if (!look->full && known_plain(process, fd))
		return 0;
	at = find_slot(process, fd);
	if (at < process->nr_slots && process->slots[at]->fd == fd)
		slot = process->slots[at];
	/* What it says tells whether it is another one now. */
	if (slot && (!look->full || (slot->speaks && !slot->changed))) {
		slot->found = true;
		return 0;
	}
	snprintf(name, sizeof(name), "%d", fd);
	if (!is_node(look->scan, look->folder, name, &node)) {
		remember_plain(process, fd);
		return 0;
	}
	if (!slot)
		return add_slot(look->scan, process, at, fd, node);
	slot->found = true;
	slot->changed = false;
	if (slot->node != node) {
		/* Another file by the same number: all that it says is new. */
		slot->node = node;
		slot->hash = 0;
		slot->due = look->scan->run;
	}
	return 0;
}

static void drop_slots(struct drmscan *scan, struct process *process)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < process->nr_slots; i++) {
		if (process->slots[i]->found)
			process->slots[left++] = process->slots[i];
		else
			drmscan_free_slot(scan, process->slots[i]);
	}
	process->nr_slots = left;
}

/* Whether there may be other descriptors now, and whether any of them. */
static bool must_look(struct drmscan *scan, struct process *process, int64_t *files, bool *full)
{
	/* looked_ms may be a little ahead */
	uint64_t age = scan->now_ms > process->looked_ms ? scan->now_ms - process->looked_ms : 0;
	char path[32];
	struct statx st;

	*full = !process->looked_ms ||
		(age >= (process->nr_slots ? FULL_LOOK_DRM_MS : FULL_LOOK_MS) &&
		 (int64_t)age >= process->files * FULL_LOOK_FILE_MS);
	*files = -1;
	if (!*full && !process->nr_slots && scan->nr_processes > MANY_PROCESSES &&
	    scan->now_ms - process->born_ms > YOUNG_MS &&
	    ((uint64_t)process->pid + scan->run) % TURNS)
		return false;
	snprintf(path, sizeof(path), "%d/fd", process->pid);
	if (!scan->recorded &&
	    !statx(scan->proc, path, AT_STATX_DONT_SYNC, STATX_SIZE, &st) && st.stx_size)
		*files = (int64_t)st.stx_size;
	if (*files < 0) {
		*full = true;
		return true;
	}
	if (*files != process->files && *files <= FEW_FILES)
		*full = true;
	return *full || *files != process->files;
}

static void look_through(struct drmscan *scan, struct process *process)
{
	struct look look = { .scan = scan, .process = process };
	char path[32];
	int64_t files;
	int error;

	if (!must_look(scan, process, &files, &look.full))
		return;
	snprintf(path, sizeof(path), "%d/fd", process->pid);
	look.folder = openat(scan->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	process->denied = look.folder < 0 && (errno == EACCES || errno == EPERM);
	if (look.folder < 0 && !process->denied)
		return;
	process->files = files;
	for (unsigned int i = 0; i < process->nr_slots; i++)
		process->slots[i]->found = false;
	if (look.full) {
		/* Not all at the same time: a little later for each. */
		process->looked_ms = scan->now_ms + process->pid % 16 * (FULL_LOOK_MS / 64) *
				     !process->nr_slots;
		if (process->plain)
			memset(process->plain, 0, process->plain_bytes);
	}
	if (look.folder >= 0) {
		error = each_number(look.folder, look_at, &look);
		close(look.folder);
		/* It has ended meanwhile, or memory is short: what is known stays. */
		for (unsigned int i = 0; error && i < process->nr_slots; i++)
			process->slots[i]->found = true;
	}
	drop_slots(scan, process);
	if (process->nr_slots && look.full)
		read_comm(scan, process);
}

void drmscan_expect(struct drmscan *scan, pid_t pid, uint64_t client)
{
	size_t low = 0, high = scan->nr_processes;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (scan->processes[middle]->pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == scan->nr_processes || scan->processes[low]->pid != pid ||
	    scan->processes[low]->expected >= client)
		return;
	scan->processes[low]->expected = client;
	scan->processes[low]->looked_ms = 0;
}

int drmscan_find(struct drmscan *scan)
{
	int error = list_pids(scan);

	if (!error)
		error = merge_processes(scan);
	if (error)
		return error;
	for (size_t i = 0; i < scan->nr_processes; i++)
		look_through(scan, scan->processes[i]);
	return 0;
}
