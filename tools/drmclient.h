/* SPDX-License-Identifier: MIT */
/*
 * All clients of all DRM devices, of any driver that fills /proc/PID/fdinfo. A client is
 * an open of a device's node; the same one in several descriptors, and in several
 * processes, is one client.
 */
#ifndef PDDGPU_TOOLS_DRMCLIENT_H
#define PDDGPU_TOOLS_DRMCLIENT_H

#include <sys/types.h>

#include "fdinfo.h"

#define COMM_BYTES 16

struct drmclient {
	const char *device;	/* PCI address, else sysfs' name, else the driver's */
	const char *driver;
	uint64_t id;		/* unique for a device and driver */
	uint64_t read_ms;	/* when info was read, on the clock that drmscan_run() was given */
	pid_t pid;		/* of several processes the one with the lowest */
	uid_t uid;
	char comm[COMM_BYTES + 1];	/* may hold any byte but NUL */
	unsigned int files;	/* descriptors that lead to it */
	struct fdinfo info;
};

struct drmscan;

struct drmscan_options {
	const char *proc;	/* NULL: /proc. Another folder: a copy of one, of links and files */
	const char *sys;	/* NULL: /sys, or nothing where proc is set */
	/*
	 * ns of CPU time that reading may take in a run, 0 for any. When it takes longer,
	 * idle clients are read less often than each time, at least each eighth, and
	 * then busy ones too, at least each fourth.
	 */
	uint64_t budget_ns;
	struct names *names;	/* outlives the scan */
};

struct drmscan_totals {
	unsigned int processes;
	unsigned int denied;	/* processes whose files this user may not see */
	unsigned int silent;	/* DRM files of drivers that show nothing there */
	unsigned int reads;	/* fdinfo files read by the last run */
};

/* 0 or a negative errno, such as that of opening the folder. */
int drmscan_new(const struct drmscan_options *options, struct drmscan **out);
void drmscan_free(struct drmscan *scan);

/*
 * Looks at everything that may have changed. now_ms: any clock that does not go back.
 * 0, or a negative errno: then there are no clients until the next.
 */
int drmscan_run(struct drmscan *scan, uint64_t now_ms);

/* What the last run found, in order of process; valid until the next. */
const struct drmclient *const *drmscan_clients(const struct drmscan *scan, size_t *count);
/*
 * A driver says that there is a client, by its number, of a process: all that this one has
 * open is looked at when drmscan_run() is called next, once for each that is newer.
 */
void drmscan_expect(struct drmscan *scan, pid_t pid, uint64_t client);
void drmscan_totals(const struct drmscan *scan, struct drmscan_totals *totals);

#endif
