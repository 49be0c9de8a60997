/* SPDX-License-Identifier: MIT */
#ifndef METRICS_H
#define METRICS_H

/**
 * DOC: metrics
 *
 * Writes what Prometheus reads: its text format 0.0.4, or OpenMetrics 1.0.0. A text is
 * families, one after the other, each with its samples. A text that there is no memory
 * for is remembered as failed, so that nobody needs to check but he who takes it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metrics_format {
	METRICS_PROMETHEUS,
	METRICS_OPENMETRICS,
	METRICS_FORMATS,
};

enum metrics_type {
	METRICS_GAUGE,
	METRICS_COUNTER,	/* its name ends in _total */
	METRICS_HISTOGRAM,
	METRICS_INFO,		/* its name ends in _info, its value is 1 */
};

/**
 * struct metrics_text - a text that is being written; zeros but for @format
 */
struct metrics_text {
	/** @format: in which of the two languages */
	enum metrics_format format;
	/** @text: what is there, NUL-terminated; NULL at the beginning */
	char *text;
	/** @length: bytes of it, without the NUL */
	size_t length;
	/** @room: bytes that there are */
	size_t room;
	/** @failed: there was no memory for some of it */
	bool failed;
	/** @name: of the family */
	const char *name;
};

/**
 * struct metrics_label - a label; a list of them ends with a name that is NULL
 */
struct metrics_label {
	/** @name: what may be the name of a label */
	const char *name;
	/** @value: any bytes: what is no text is escaped, so that two that differ stay so */
	const char *value;
};

void metrics_family(struct metrics_text *out, const char *name, enum metrics_type type,
		    const char *help);
void metrics_integer(struct metrics_text *out, const struct metrics_label *labels,
		     uint64_t value);
void metrics_number(struct metrics_text *out, const struct metrics_label *labels, double value);
void metrics_histogram(struct metrics_text *out, const struct metrics_label *labels,
		       const uint64_t *buckets, unsigned int count, double sum);
void metrics_end(struct metrics_text *out);
void metrics_free(struct metrics_text *out);

#endif
