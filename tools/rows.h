/* SPDX-License-Identifier: MIT */
/* The lines of top's list: clients or processes, filtered and in order */
#ifndef PDDGPU_TOOLS_ROWS_H
#define PDDGPU_TOOLS_ROWS_H

#include "history.h"

enum row_kind {
	ROW_CLIENT,
	ROW_PROCESS,		/* all clients of a process on a card */
	ROW_EXITED,		/* memory left behind */
};

struct row {
	enum row_kind kind;
	/** @child: a client below its process, in the tree */
	bool child;
	/** @last: the last of them */
	bool last;
	/** @client: and its history; of a process those of its largest client */
	const struct drmclient *client;
	const struct history_client *history;
	const char *device, *driver;
	uint64_t id;
	pid_t pid;
	uid_t uid;
	const char *comm;
	unsigned int clients;
	uint64_t used[REGION_CLASSES];
	uint64_t sum;
	int64_t growth;
	bool growing;
	float busy;
	uint64_t evictions;
	bool has_evictions;
};

enum rows_sort {
	SORT_VRAM, SORT_GTT, SORT_SYSTEM, SORT_SUM, SORT_GROWTH, SORT_BUSY, SORT_EVICTIONS,
	SORT_PID, SORT_USER, SORT_NAME, SORT_DRIVER, SORT_CLIENT,
	SORTS
};

/* As an option has them, and in the list's head */
extern const char * const rows_sorts[SORTS];

enum rows_group { GROUP_CLIENTS, GROUP_PROCESSES, GROUP_TREE, GROUPS };

struct rows_view {
	enum rows_sort sort;
	bool reverse;		/* the other way round than that key usually goes */
	enum rows_group group;
	const char *device;	/* this card alone; NULL: all */
	char filter[64];	/* part of a name, user, driver, pid or card; any case */
	bool no_exited;
};

struct rows {
	struct row *row;
	size_t count;
	/* The rest is its own */
	size_t max;
};

/* 0 or -ENOMEM: then there are none. Valid as long as the sample and its history. */
int rows_build(struct rows *rows, const struct rows_view *view, const struct sample *sample,
	       const struct history *history);
void rows_free(struct rows *rows);
/* The name of a user, or the number where it has none; kept */
const char *rows_user(uid_t uid);

#endif
