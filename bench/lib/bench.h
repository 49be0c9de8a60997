/* SPDX-License-Identifier: MIT */
/* What the parts of the benchmark share. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <drm/pddgpu_drm.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KIB(n)		((uint64_t)(n) << 10)
#define MIB(n)		((uint64_t)(n) << 20)

/* ---- lib/samples.c: figures, many of the same kind ---- */

struct samples {
	double *values;
	size_t count, room;
};

/* What a row of the table says */
struct summary {
	size_t count;
	double p10, median, p90, p99, max;
};

void samples_add(struct samples *s, double value);
struct summary samples_end(struct samples *s);	/* and forget them */
uint64_t now_ns(void);
void sleep_ms(unsigned int ms);
__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *format, ...);

/* ---- lib/report.c: the table and the JSON ---- */

struct row {
	char section[16];
	char name[56];
	char unit[8];
	uint64_t size;		/* bytes or objects; 0 when that says nothing */
	struct summary sum;
	double ratio;		/* negative: none */
	char to[40];		/* what it is a ratio to, or another remark */
};

/* A goal: @value is to be at most, or at least, @limit; NaN: not measured */
struct figure {
	char name[64];
	char unit[8];
	double value, limit;
	bool at_most;
};

#define ROWS_MAX	256
#define FIGURES_MAX	32

struct report {
	struct row rows[ROWS_MAX];
	struct figure figures[FIGURES_MAX];
	size_t row_count, figure_count, printed;
	char about[256];
	bool quick;
};

struct row *report_row(struct report *r, const char *section, const char *name,
		       uint64_t size, const char *unit, struct summary sum);
void report_ratio(struct row *row, double ratio, const char *to);
void report_figure(struct report *r, const char *name, const char *unit,
		   double value, bool at_most, double limit);
void report_print_rows(struct report *r, const char *title);
void report_print_figures(const struct report *r);
void report_json(const struct report *r, const char *path);

/* ---- lib/host.c: memcpy() on the host, the engine's limit ---- */

#define HOST_SIZES	6

struct host {
	size_t count;
	struct {
		uint64_t size;
		struct summary ns;
	} copy[HOST_SIZES];
};

extern const uint64_t move_sizes[HOST_SIZES];

void host_measure(bool quick);
bool host_parse(struct host *host, const char *text);
double host_copy_ns(const struct host *host, uint64_t size);	/* NaN: not known */

/* ---- lib/card.c: the card, its ioctls, its module and its files ---- */

int call(int fd, unsigned long request, void *arg);	/* 0 or a negative errno */
int card_open(const char *driver, bool render);		/* or a negative errno */
int card_open_ours(void);				/* or dies */
int card_try_create(int fd, uint64_t size, uint32_t domains, uint32_t *handle);
uint32_t card_create(int fd, uint64_t size, uint32_t domains);
void card_destroy(int fd, uint32_t handle);
void card_set_domain(int fd, uint32_t handle, uint32_t domains);
void card_submit(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count);
void card_wait(int fd, uint32_t handle);
void card_query(int fd, uint32_t type, void *data, uint32_t size);
void card_reload(const char *args);
bool card_parameter(const char *name, const char *value);
void debugfs_write(const char *name, uint64_t value);
uint64_t debugfs_read(const char *name);

/* ---- the parts ---- */

struct bench {
	struct report *report;
	struct host host;
	bool quick;
	double copy_rate;	/* bytes a second between VRAM and GTT; the engine's limit */
	double fill_ns[4];	/* of the engine alone, by create_sizes; NaN: not known */
};

#define CREATE_SIZES	4
extern const uint64_t create_sizes[CREATE_SIZES];

void bench_engine(struct bench *b);
void bench_create(struct bench *b);
void bench_cost(struct bench *b);
void bench_evidence(struct bench *b);
void bench_moves(struct bench *b);
void bench_oversubscription(struct bench *b);
void bench_leaks(struct bench *b);
void bench_fdinfo(struct bench *b);
void bench_library(struct bench *b);
void bench_tools(struct bench *b);

#endif
