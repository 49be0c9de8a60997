// SPDX-License-Identifier: MIT
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define USERS 64	/* whose names are kept */
#define USER_BYTES 33

const char * const rows_sorts[SORTS] = {
	"vram", "gtt", "system", "memory", "growth", "busy", "evictions", "pid", "user",
	"name", "driver", "client"
};

const char *rows_user(uid_t uid)
{
	static struct {
		bool set;
		uid_t uid;
		char name[USER_BYTES];
	} users[USERS];
	unsigned int i = uid % USERS;
	const struct passwd *entry;

	if (users[i].set && users[i].uid == uid)
		return users[i].name;
	entry = getpwuid(uid);
	if (entry)
		snprintf(users[i].name, sizeof(users[i].name), "%.32s", entry->pw_name);
	else
		snprintf(users[i].name, sizeof(users[i].name), "%u", uid);
	users[i].uid = uid;
	users[i].set = true;
	return users[i].name;
}

void rows_free(struct rows *rows)
{
	free(rows->row);
	*rows = (struct rows){ 0 };
}

static bool matches(const struct rows_view *view, const struct row *row)
{
	char pid[16];

	if (view->device && row->device != view->device)
		return false;
	if (!*view->filter)
		return true;
	snprintf(pid, sizeof(pid), "%d", row->pid);
	return strcasestr(row->comm, view->filter) || strcasestr(row->driver, view->filter) ||
	       strcasestr(row->device, view->filter) || strstr(pid, view->filter) ||
	       (row->kind != ROW_EXITED && strcasestr(rows_user(row->uid), view->filter));
}

static struct row *add(struct rows *rows, const struct row *row)
{
	size_t max = rows->max ? rows->max * 2 : 64;

	if (rows->count == rows->max) {
		struct row *bigger = reallocarray(rows->row, max, sizeof(*bigger));

		if (!bigger)
			return NULL;
		rows->row = bigger;
		rows->max = max;
	}
	rows->row[rows->count] = *row;
	return &rows->row[rows->count++];
}

static int add_clients(struct rows *rows, const struct rows_view *view,
		       const struct sample *sample, const struct history *history)
{
	for (size_t i = 0; i < sample->nr_clients; i++) {
		const struct drmclient *client = sample->clients[i];
		const struct history_client *past = history_client(history, i);
		struct row row = {
			.kind = ROW_CLIENT, .client = client, .history = past,
			.device = client->device, .driver = client->driver, .id = client->id,
			.pid = client->pid, .uid = client->uid, .comm = client->comm,
			.clients = 1, .sum = past->sum, .growth = past->growth,
			.growing = past->growing, .busy = past->busy,
			.evictions = past->evictions,
			.has_evictions = client->info.has_evictions,
		};

		memcpy(row.used, past->used, sizeof(row.used));
		if (matches(view, &row) && !add(rows, &row))
			return -ENOMEM;
	}
	return 0;
}

static int add_owners(struct rows *rows, const struct rows_view *view,
		      const struct sample *sample)
{
	for (size_t i = 0; i < sample->nr_owners && !view->no_exited; i++) {
		const struct sample_owner *owner = &sample->owners[i];
		struct row row = {
			.kind = ROW_EXITED, .device = owner->device, .driver = "pddgpu",
			.id = owner->id, .pid = owner->pid, .comm = owner->comm,
		};

		for (unsigned int j = 0; j < REGION_CLASSES; j++) {
			row.used[j] = owner->bytes[j];
			row.sum = add_saturated(row.sum, owner->bytes[j]);
		}
		if (matches(view, &row) && !add(rows, &row))
			return -ENOMEM;
	}
	return 0;
}

static int numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare(const struct rows_view *view, const struct row *a, const struct row *b)
{
	char user[USER_BYTES];
	int order = 0;

	switch (view->sort) {
	case SORT_VRAM:
	case SORT_GTT:
	case SORT_SYSTEM:
		order = numbers(b->used[view->sort], a->used[view->sort]);
		if (!order)
			order = numbers(b->sum, a->sum);
		break;
	case SORT_SUM:
		order = numbers(b->sum, a->sum);
		break;
	case SORT_GROWTH:
		order = (b->growth > a->growth) - (b->growth < a->growth);
		break;
	case SORT_BUSY:
		order = (b->busy > a->busy) - (b->busy < a->busy);
		break;
	case SORT_EVICTIONS:
		order = numbers(b->evictions, a->evictions);
		break;
	case SORT_USER:
		if (a->uid != b->uid) {
			/* What is asked for next may take its place */
			snprintf(user, sizeof(user), "%s", rows_user(a->uid));
			order = strcmp(user, rows_user(b->uid));
		}
		break;
	case SORT_NAME:
		order = strcasecmp(a->comm, b->comm);
		break;
	case SORT_DRIVER:
		order = strcmp(a->driver, b->driver);
		break;
	case SORT_CLIENT:
		order = numbers(a->id, b->id);
		break;
	default:
		break;
	}
	return view->reverse ? -order : order;
}

/* The same each time, so that lines do not jump */
static int settle(const struct row *a, const struct row *b)
{
	int order = (a->pid > b->pid) - (a->pid < b->pid);

	if (!order && a->device != b->device)
		order = strcmp(a->device, b->device);
	return order ? order : numbers(a->id, b->id);
}

static int by_view(const void *a, const void *b, void *view)
{
	int order = compare(view, a, b);

	if (!order) {
		order = settle(a, b);
		if (((const struct rows_view *)view)->sort == SORT_PID &&
		    ((const struct rows_view *)view)->reverse)
			order = -order;
	}
	return order;
}

static int by_process(const void *a, const void *b)
{
	const struct row *one = a, *other = b;
	int order = (one->pid > other->pid) - (one->pid < other->pid);

	if (!order)
		order = (int)one->kind - (int)other->kind;
	if (!order && one->device != other->device)
		order = strcmp(one->device, other->device);
	return order;
}

static void add_up(struct row *process, const struct row *row)
{
	for (unsigned int i = 0; i < REGION_CLASSES; i++)
		process->used[i] = add_saturated(process->used[i], row->used[i]);
	if (row->history && (!process->history || row->sum > process->history->sum)) {
		process->client = row->client;
		process->history = row->history;
	}
	process->sum = add_saturated(process->sum, row->sum);
	if (__builtin_add_overflow(process->growth, row->growth, &process->growth))
		process->growth = row->growth < 0 ? INT64_MIN : INT64_MAX;
	process->growing |= row->growing;
	process->busy = process->busy + row->busy > 100 ? 100 : process->busy + row->busy;
	process->evictions = add_saturated(process->evictions, row->evictions);
	process->has_evictions |= row->has_evictions;
	process->clients += row->clients;
}

/* Makes lines of processes in front of those of their clients, or instead of them. */
static int group(struct rows *rows, const struct rows_view *view)
{
	struct rows processes = { 0 }, grouped = { 0 };
	size_t from, to;

	qsort(rows->row, rows->count, sizeof(*rows->row), by_process);
	for (from = 0; from < rows->count; from = to) {
		struct row process = rows->row[from];

		for (to = from + 1; to < rows->count &&
		     !by_process(&rows->row[from], &rows->row[to]); to++)
			add_up(&process, &rows->row[to]);
		if (process.kind == ROW_CLIENT)
			process.kind = ROW_PROCESS;
		/* Where its clients are, until they are put below it */
		process.id = from;
		if (!add(&processes, &process))
			goto no_memory;
	}
	qsort_r(processes.row, processes.count, sizeof(*processes.row), by_view, (void *)view);
	for (size_t i = 0; i < processes.count; i++) {
		struct row *process = &processes.row[i];
		struct row *first = &rows->row[process->id];
		size_t clients = process->clients ? process->clients : 1;

		process->id = first->id;
		if (!add(&grouped, process))
			goto no_memory;
		if (view->group != GROUP_TREE || clients == 1)
			continue;
		qsort_r(first, clients, sizeof(*first), by_view, (void *)view);
		for (size_t j = 0; j < clients; j++) {
			struct row *child = add(&grouped, &first[j]);

			if (!child)
				goto no_memory;
			child->child = true;
			child->last = j + 1 == clients;
		}
	}
	rows_free(&processes);
	rows_free(rows);
	*rows = grouped;
	return 0;
no_memory:
	rows_free(&processes);
	rows_free(&grouped);
	return -ENOMEM;
}

int rows_build(struct rows *rows, const struct rows_view *view, const struct sample *sample,
	       const struct history *history)
{
	int error;

	rows->count = 0;
	error = add_clients(rows, view, sample, history);
	if (!error)
		error = add_owners(rows, view, sample);
	if (!error && rows->count) {
		if (view->group == GROUP_CLIENTS)
			qsort_r(rows->row, rows->count, sizeof(*rows->row), by_view,
				(void *)view);
		else
			error = group(rows, view);
	}
	if (error)
		rows->count = 0;
	return error;
}
