/* SPDX-License-Identifier: MIT */
#ifndef FIELDS_H
#define FIELDS_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <pddgpu.h>

/** enum field_kind - how a figure of the statistics is to be read */
enum field_kind {
	FIELD_BYTES,		/* now */
	FIELD_COUNT,		/* now */
	FIELD_NS,		/* an average */
	FIELD_TOTAL,		/* ever; has a rate */
	FIELD_TOTAL_BYTES,	/* ever; has a rate */
};

/**
 * struct field - a figure of struct drm_pddgpu_memory_stats
 */
struct field {
	const char *name;
	const char *help;
	size_t offset;
	enum field_kind kind;
};

/* All but the histograms, in the order of the structure; to one without a name */
extern const struct field fields[];

static inline uint64_t field_get(const struct field *field,
				 const struct drm_pddgpu_memory_stats *stats)
{
	return *(const __u64 *)((const char *)stats + field->offset);
}

/* It counts, and starts from 0 when the card does, or reset_stats is written */
static inline bool field_is_total(const struct field *field)
{
	return field->kind == FIELD_TOTAL || field->kind == FIELD_TOTAL_BYTES;
}

static inline bool field_is_bytes(const struct field *field)
{
	return field->kind == FIELD_BYTES || field->kind == FIELD_TOTAL_BYTES;
}

/**
 * struct histogram - one of struct drm_pddgpu_memory_stats
 */
struct histogram {
	const char *name;
	const char *what;
	size_t offset;
};

extern const struct histogram histograms[];

static inline const __u64 *histogram_get(const struct histogram *histogram,
					 const struct drm_pddgpu_memory_stats *stats)
{
	return (const __u64 *)((const char *)stats + histogram->offset);
}

#endif
