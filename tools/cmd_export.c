// SPDX-License-Identifier: MIT
/*
 * pddgpu export: the program beside this one that tells Prometheus.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "out.h"

#define PROGRAM	"pddgpu-export"

int cmd_export(int argc, char **argv)
{
	char path[PATH_MAX + sizeof(PROGRAM)];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	int error;

	(void)argc;
	for (; length > 0 && path[length - 1] != '/'; length--)
		;
	/* Where nobody knows where this one is, among those that are found by name */
	strcpy(&path[length > 0 ? length : 0], PROGRAM);
	execvp(path, argv);
	error = errno;
	out_say("export: %s: %s", path, strerror(error));
	return error == EACCES ? RC_DENIED : RC_ERROR;
}
