// SPDX-License-Identifier: MIT
/* Samples and the clock. */
#include "bench.h"

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

void die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("pddgpu-bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t))
		;
}

void samples_add(struct samples *s, double value)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->values = realloc(s->values, s->room * sizeof(*s->values));
		if (!s->values)
			die("out of memory");
	}
	s->values[s->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double rank(const struct samples *s, double part)
{
	return s->values[(size_t)(part * (double)(s->count - 1) + 0.5)];
}

struct summary samples_end(struct samples *s)
{
	struct summary sum = { 0 };

	if (!s->count)
		die("nothing was measured");
	qsort(s->values, s->count, sizeof(*s->values), compare);
	sum.count = s->count;
	sum.p10 = rank(s, 0.1);
	sum.median = rank(s, 0.5);
	sum.p90 = rank(s, 0.9);
	sum.p99 = rank(s, 0.99);
	sum.max = s->values[s->count - 1];
	free(s->values);
	*s = (struct samples) { 0 };
	return sum;
}
