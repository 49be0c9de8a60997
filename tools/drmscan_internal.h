/* SPDX-License-Identifier: MIT */
/* What drmclient.c (reading) and drmfiles.c (finding what to read) share */
#ifndef DRMSCAN_INTERNAL_H
#define DRMSCAN_INTERNAL_H

#include "drmclient.h"

#define DRM_MAJOR 226
#define ACCEL_MAJOR 261
#define NODES (1u << 20)	/* more minor numbers than there can be */

struct slot {			/* a descriptor of a process that is a DRM node */
	int fd;
	int file;		/* its fdinfo, kept open; -1: not */
	unsigned int node;	/* its minor number; + NODES for accel */
	unsigned int period;	/* runs between two readings */
	uint64_t due;		/* the run of the next */
	uint64_t hash;		/* of the text */
	bool found;		/* by the look that is being done */
	bool changed;		/* it is another client: which node is it of? */
	bool speaks;		/* the driver shows something: client is filled */
	struct drmclient client;
};

struct process {
	pid_t pid;
	ino_t inode;		/* another: another process with the same number */
	uid_t uid;
	char comm[COMM_BYTES + 1];
	bool denied;
	uint64_t born_ms;	/* when it was first seen */
	uint64_t looked_ms;	/* when all of its descriptors were looked at; 0: never */
	uint64_t expected;	/* the newest client that drmscan_expect() was told of */
	int64_t files;		/* how many it had then; -1: an old kernel does not say */
	struct slot **slots;	/* in order of fd */
	size_t max_slots;
	unsigned int nr_slots;
	uint8_t *plain;		/* a bit for each descriptor that was no DRM node */
	size_t plain_bytes;
};

/* An entry of /proc */
struct pid {
	pid_t pid;
	ino_t inode;
};

struct drmscan {
	struct drmscan_options options;
	int proc, sys;
	bool recorded;		/* not the kernel's: nodes are links' texts */
	unsigned int kept, kept_max;	/* open fdinfo files */
	uint64_t run, now_ms;
	uint64_t read_ns;	/* what a reading takes, smoothed */
	struct process **processes;
	size_t nr_processes;
	struct pid *pids;
	size_t nr_pids, max_pids;
	const struct drmclient **clients;
	size_t nr_clients, max_clients;
	const struct drmclient **table;	/* the same by hash */
	size_t table_size;
	unsigned int nr_slots, idle_period, busy_period;
	struct drmscan_totals totals;
	char text[32768];	/* a file that is longer is cut off */
};

/* Which processes there are, and what of their descriptors are DRM nodes; 0 or -errno */
int drmscan_find(struct drmscan *scan);
void drmscan_free_slot(struct drmscan *scan, struct slot *slot);
void drmscan_free_processes(struct drmscan *scan);
/* Makes room for one more in an array of elements of `size` bytes; 0 or -ENOMEM */
int drmscan_room(void *array, size_t count, size_t *max, size_t size);

#endif
