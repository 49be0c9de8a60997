/* SPDX-License-Identifier: MIT */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>

#include "out.h"

/**
 * struct table_column - a column of a table
 */
struct table_column {
	/** @title: over it */
	const char *title;
	/** @right: numbers stand on the right */
	bool right;
	/** @shrink: may be cut, where the terminal is too narrow; none in a pipe */
	bool shrink;
};

struct table;

struct table *table_new(const struct table_column *columns, unsigned int count);
/* The next cell, from left to right, then in the next row; made printable */
void table_cell(struct table *table, enum out_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A size as out_size() has it */
void table_size(struct table *table, enum out_style style, uint64_t bytes);
/* Prints and frees it; at most so many rows, 0 all of them */
void table_print(struct table *table, unsigned int indent);

#endif
