/* SPDX-License-Identifier: MIT */
#ifndef PDD_LOG_H
#define PDD_LOG_H

#include <stdbool.h>

void log_set_verbose(bool verbose);

/**
 * log_error() - print one line to stderr, with the program's name before it
 * @format: as of printf(), without a newline
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * log_info() - the same, but only with --verbose
 * @format: as of printf(), without a newline
 */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
