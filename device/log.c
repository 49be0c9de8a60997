// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>

#include "log.h"

static bool log_verbose;

/**
 * log_set_verbose() - let log_info() print
 * @verbose: whether it does
 *
 * Called before there is a second thread.
 */
void log_set_verbose(bool verbose)
{
	log_verbose = verbose;
}

static void log_line(const char *format, va_list args)
{
	char text[512];

	/* One call, so that lines of several threads do not mix */
	vsnprintf(text, sizeof(text), format, args);
	fprintf(stderr, "pddgpu-device: %s\n", text);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	if (!log_verbose)
		return;
	va_start(args, format);
	log_line(format, args);
	va_end(args);
}
