// SPDX-License-Identifier: MIT
/*
 * One folder a run, in $TMPDIR or /tmp, locked while the run lasts: one of this
 * name that is not locked is what a killed run has left.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "rig.h"
#include "scratch.h"

#define PREFIX	"pddgpu-device-run."

static char run[88];

static void need(bool fine, const char *what)
{
	if (fine)
		return;
	perror(what);
	exit(2);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

static void remove_stale(const char *path)
{
	int lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (lock < 0)
		return;
	if (!flock(lock, LOCK_EX | LOCK_NB))
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	close(lock);
}

void scratch_begin(void)
{
	const char *tmp = getenv("TMPDIR") ?: "/tmp";
	char new[sizeof(run)];
	struct dirent *entry;
	DIR *dir = opendir(tmp);
	int lock;

	need(dir, tmp);
	while ((entry = readdir(dir))) {
		char path[4096];

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", tmp, entry->d_name);
		remove_stale(path);
	}
	closedir(dir);

	/* It gets its name when it is locked: before, it would look stale */
	need(snprintf(new, sizeof(new), "%s/new." PREFIX "XXXXXX", tmp) < (int)sizeof(new), tmp);
	need(mkdtemp(new), new);
	lock = open(new, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(lock >= 0 && !flock(lock, LOCK_EX), new);
	snprintf(run, sizeof(run), "%s/%s", tmp, strrchr(new, '/') + strlen("/new."));
	need(!rename(new, run), run);
}

void scratch_end(void)
{
	rmdir(run);
}

/* A new folder in it, which is the caller's to remove */
void scratch_folder(char *path, size_t room)
{
	assert_true(snprintf(path, room, "%s/XXXXXX", run) < (int)room);
	assert_non_null(mkdtemp(path));
}
