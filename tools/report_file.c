// SPDX-License-Identifier: MIT
/*
 * The file that a report is written to: beside it at first, so that what is there under
 * its name is always whole, and stays if the disk is full.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out.h"
#include "report.h"

static int say(const char *name, int error)
{
	out_say("report: %s: %s", name, strerror(error));
	return out_rc_file(-error);
}

static bool is_stdout(const char *name)
{
	return !strcmp(name, "-");
}

/* What is no regular file stays what it is, and is written to: a FIFO, /dev/null */
static bool is_special(const char *name)
{
	struct stat st;

	return !stat(name, &st) && !S_ISREG(st.st_mode);
}

/* Where links lead to, so that they stay; a name that is not there yet as it is */
static char *target_of(const char *name)
{
	char *path = realpath(name, NULL);

	return path ? path : out_need(strdup(name));
}

/* "folder/.name.XXXXXX" */
static char *beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash - path + 1) : 0;
	char *text;

	/* Long names are cut: it has to fit as well */
	if (asprintf(&text, "%.*s.%.200s.XXXXXX", folder, path, path + folder) < 0)
		return out_need(NULL);
	return text;
}

int report_file_check(const char *name)
{
	char *path, *slash, *folder;
	struct stat st;
	int error = 0;

	if (is_stdout(name))
		return RC_OK;
	if (!*name)
		return say("''", ENOENT);
	if (!stat(name, &st) && S_ISDIR(st.st_mode))
		return say(name, EISDIR);
	if (is_special(name))
		return access(name, W_OK) ? say(name, errno) : RC_OK;
	path = target_of(name);
	slash = strrchr(path, '/');
	if (slash && !slash[1])
		error = EISDIR;
	/* "folder/.", which says what is wrong where it is none */
	if (asprintf(&folder, "%.*s.", slash ? (int)(slash - path + 1) : 0, path) < 0)
		return out_rc(-ENOMEM);
	if (!error && access(folder, W_OK | X_OK))
		error = errno;
	free(folder);
	free(path);
	return error ? say(name, error) : RC_OK;
}

/* Closes it as well; 0 or an errno */
static int put(FILE *to, const struct report *report, const json_t *document, bool sync)
{
	int error = 0;

	errno = 0;
	report_page(to, report, document);
	if (fflush(to) || ferror(to))
		error = errno ? errno : EIO;
	if (!error && sync && fsync(fileno(to)))
		error = errno;
	if (fclose(to) && !error)
		error = errno;
	return error;
}

static int write_special(const char *name, const struct report *report, const json_t *document)
{
	FILE *to = fopen(name, "we");
	int error = to ? put(to, report, document, false) : errno;

	return error ? say(name, error) : RC_OK;
}

/* As any file that this user makes, or as the one that was there */
static int give_mode(int fd, const char *path)
{
	struct stat st;
	mode_t mask;

	if (!stat(path, &st))
		return fchmod(fd, st.st_mode & 0777);
	mask = umask(0);
	umask(mask);
	return fchmod(fd, 0666 & ~mask);
}

int report_file_write(const char *name, const struct report *report, const json_t *document)
{
	char *path, *other;
	int error = 0, fd;
	FILE *to = NULL;

	if (is_stdout(name)) {
		report_page(stdout, report, document);
		return RC_OK;
	}
	if (is_special(name))
		return write_special(name, report, document);
	path = target_of(name);
	other = beside(path);
	fd = mkostemp(other, O_CLOEXEC);
	if (fd < 0 || give_mode(fd, path))
		error = errno;
	else
		to = fdopen(fd, "w");
	if (!error && !to)
		error = errno;
	if (to)
		error = put(to, report, document, true);
	else if (fd >= 0)
		close(fd);
	if (!error && rename(other, path))
		error = errno;
	if (error && fd >= 0)
		unlink(other);
	free(other);
	free(path);
	return error ? say(name, error) : RC_OK;
}
