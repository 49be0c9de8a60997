// SPDX-License-Identifier: MIT
/*
 * The leak check among many objects, how long an allocation waits while they are
 * read, and what they cost. Nothing is logged meanwhile: the threshold is out of
 * reach and nothing is ever confirmed.
 */
#include "bench.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define AGE_MAX_MS	86400000
#define AGE_MIN_MS	1

#define OBJECTS		"/sys/kernel/debug/pddgpu/leak_objects"

struct objects {
	int fd;
	uint32_t *handles;
	uint32_t count;
};

static void objects_grow(struct objects *o, uint32_t count)
{
	o->handles = realloc(o->handles, count * sizeof(*o->handles));
	if (!o->handles)
		die("out of memory");
	while (o->count < count)
		o->handles[o->count++] = card_create(o->fd, KIB(4), PDDGPU_GEM_DOMAIN_CPU);
}

static double write_us(const char *name, uint64_t value)
{
	uint64_t start = now_ns();

	debugfs_write(name, value);
	return (double)(now_ns() - start) / 1000;
}

/*
 * Writing an age checks everything against it at once. To open a file and to
 * write a number to it is part of each row; a row of its own says how much, and
 * the figures are without it.
 */
static void check_rows(struct bench *b, const struct objects *o)
{
	struct samples none = { 0 }, all = { 0 }, idle = { 0 };
	bool most = o->count == (b->quick ? 10000 : 100000);
	struct summary sum, file;

	for (int i = 0; i < (b->quick ? 5 : 20); i++) {
		debugfs_write("leak_suspicious_age", AGE_MAX_MS);
		sleep_ms(2 * AGE_MIN_MS);
		samples_add(&all, write_us("leak_suspicious_age", AGE_MIN_MS));
		for (int n = 0; n < 10; n++) {
			samples_add(&none, write_us("trigger_leak_check", 1));
			/* The same but for the check */
			samples_add(&idle, write_us("leak_threshold", INT64_MAX));
		}
	}
	file = samples_end(&idle);
	sum = samples_end(&none);
	report_row(b->report, "leak check", "no check: a write to debugfs", o->count, "us", file);
	report_row(b->report, "leak check", "none newly aged", o->count, "us", sum);
	if (most)
		report_figure(b->report, "leak check, none of the objects newly aged", "us",
			      sum.median - file.median, true, 20);
	sum = samples_end(&all);
	report_row(b->report, "leak check", "all newly aged", o->count, "us", sum);
	if (most)
		report_figure(b->report, "leak check, all objects newly aged", "us",
			      sum.median - file.median, true, 1000);
}

/* ---- readers ---- */

struct neighbour {
	pthread_t thread;
	atomic_bool end;
	bool reads;
	uint64_t bytes;
};

/* Reads, or only keeps a CPU as busy as a reader would */
static void *neighbour_run(void *arg)
{
	struct neighbour *n = arg;
	static char text[65536];
	int fd = -1;

	while (!atomic_load(&n->end)) {
		ssize_t got;

		if (!n->reads)
			continue;
		if (fd < 0) {
			fd = open(OBJECTS, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				die("%s cannot be opened", OBJECTS);
		}
		got = read(fd, text, sizeof(text));
		if (got < 0)
			die("%s cannot be read", OBJECTS);
		n->bytes += (uint64_t)got;
		if (!got) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static struct summary latency(struct bench *b, const struct objects *o, bool busy, bool reads)
{
	uint64_t end = now_ns() + (b->quick ? 300 : 2500) * 1000000ull;
	struct neighbour n = { .reads = reads };
	struct samples s = { 0 };

	if (busy && pthread_create(&n.thread, NULL, neighbour_run, &n))
		die("no thread could be made");
	sleep_ms(20);
	while (now_ns() < end) {
		uint64_t start = now_ns();
		uint32_t handle = card_create(o->fd, KIB(4), PDDGPU_GEM_DOMAIN_VRAM);

		samples_add(&s, (double)(now_ns() - start) / 1000);
		card_destroy(o->fd, handle);
	}
	atomic_store(&n.end, true);
	if (busy)
		pthread_join(n.thread, NULL);
	if (reads && !n.bytes)
		die("%s was not read", OBJECTS);
	return samples_end(&s);
}

static void latency_rows(struct bench *b, const struct objects *o)
{
	static const char *const names[] = {
		"an allocation, alone", "beside a thread that only spins",
		"beside a reader of leak_objects",
	};
	struct summary sums[3];
	char remark[40];

	debugfs_write("leak_suspicious_age", AGE_MIN_MS);
	for (int i = 0; i < 3; i++) {
		sums[i] = latency(b, o, i > 0, i == 2);
		snprintf(remark, sizeof(remark), "p99 %.0f, at most %.0f", sums[i].p99,
			 sums[i].max);
		report_ratio(report_row(b->report, "readers", names[i], o->count, "us",
					sums[i]), NAN, remark);
	}
	report_figure(b->report, "longest allocation beside a reader", "us", sums[2].max,
		      true, 100);
	report_figure(b->report, "wait for a reader: p99 less that beside a spinner", "us",
		      sums[2].p99 - sums[1].p99, true, 100);
}

void bench_leaks(struct bench *b)
{
	static const uint32_t counts[2][3] = {
		{ 1000, 10000, 100000 }, { 1000, 3000, 10000 },
	};
	struct objects o = { .fd = card_open_ours() };
	uint64_t bytes;

	debugfs_write("leak_monitor_enabled", 0);
	debugfs_write("leak_confirmed_age", AGE_MAX_MS);
	debugfs_write("leak_threshold", INT64_MAX);
	for (int i = 0; i < 3; i++) {
		objects_grow(&o, counts[b->quick][i]);
		check_rows(b, &o);
	}
	report_print_rows(b->report, "A leak check, by the number of objects");

	latency_rows(b, &o);
	report_print_rows(b->report, "An allocation of 4K in VRAM while all objects are read");

	bytes = debugfs_read("leak_object_bytes");
	report_row(b->report, "memory", "for each tracked object", 0, "bytes",
		   (struct summary) { 1, (double)bytes, (double)bytes, (double)bytes,
				      (double)bytes, (double)bytes });
	report_figure(b->report, "memory for each tracked object", "bytes", (double)bytes,
		      true, 64);
	report_print_rows(b->report, "Memory");
	/* The objects go with the file */
	close(o.fd);
	free(o.handles);
	card_reload("");
}
