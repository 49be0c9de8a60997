// SPDX-License-Identifier: MIT
/* Folders like /sys, /dev/dri and debugfs. */
#include "fake.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE_BYTES	(65536LL << 20)

/* Where the recorded texts are */
#ifndef DATA
#define DATA		"tests/lib/data"
#endif

static char *path_of(const struct tree *tree, const char *path)
{
	static char text[3][512];
	static unsigned int next;

	next = (next + 1) % 3;
	snprintf(text[next], sizeof(text[next]), "%s/%s", tree->root, path);
	return text[next];
}

static void make_folders(char *path)
{
	char *slash;

	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			fail_msg("%s: %s", path, strerror(errno));
		*slash = '/';
	}
}

void tree_make(struct tree *tree)
{
	static const char *const names[] = { "sys", "dev/dri", "debugfs" };
	const char **paths[] = { &tree->paths.sys, &tree->paths.dri, &tree->paths.debugfs };
	char root[] = "/tmp/pddgpu-lib-XXXXXX";
	int i;

	assert_non_null(mkdtemp(root));
	strcpy(tree->root, root);
	for (i = 0; i < 3; i++) {
		snprintf(tree->texts[i], sizeof(tree->texts[i]), "%s/%s", root, names[i]);
		*paths[i] = tree->texts[i];
	}
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void tree_remove(struct tree *tree)
{
	nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void tree_delete(const struct tree *tree, const char *path)
{
	assert_int_equal(nftw(path_of(tree, path), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void tree_write(const struct tree *tree, const char *path, const char *text)
{
	char *full = path_of(tree, path);
	FILE *f;

	make_folders(full);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

void tree_debugfs(const struct tree *tree, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "debugfs/dri/" PCI0 "/%s", file);
	tree_write(tree, path, text);
}

/* A recorded text */
void tree_data(const struct tree *tree, const char *path, const char *name)
{
	char text[65536], from[256];
	size_t n;
	FILE *f;

	snprintf(from, sizeof(from), "%s/%s", DATA, name);
	f = fopen(from, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	tree_debugfs(tree, path, text);
}

static void make_link(const struct tree *tree, const char *path, const char *to)
{
	char *full = path_of(tree, path);

	make_folders(full);
	if (symlink(to, full) && errno != EEXIST)
		fail_msg("%s: %s", full, strerror(errno));
}

/* One of a card's nodes, in all the places where it is found */
static void make_node(struct tree *tree, const char *pci, const char *name, int minor)
{
	char path[256], to[256];

	snprintf(path, sizeof(path), "dev/dri/%s", name);
	tree_write(tree, path, "");
	assert_int_equal(truncate(path_of(tree, path), DEVICE_BYTES + minor), 0);
	snprintf(path, sizeof(path), "sys/devices/pci0000:00/%s/drm/%s/device", pci, name);
	snprintf(to, sizeof(to), "../../../%s", pci);
	make_link(tree, path, to);
	snprintf(to, sizeof(to), "../../devices/pci0000:00/%s/drm/%s", pci, name);
	snprintf(path, sizeof(path), "sys/class/drm/%s", name);
	make_link(tree, path, to);
	snprintf(path, sizeof(path), "sys/dev/char/226:%d", minor);
	make_link(tree, path, to);
}

/* Numbers of its nodes; negative: it has none of that kind */
void tree_card(struct tree *tree, const char *driver, const char *pci, int card, int render)
{
	char path[256], to[256], name[32];

	snprintf(path, sizeof(path), "sys/devices/pci0000:00/%s/driver", pci);
	snprintf(to, sizeof(to), "../../../bus/pci/drivers/%s", driver);
	make_link(tree, path, to);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", pci);
	snprintf(to, sizeof(to), "../../../devices/pci0000:00/%s", pci);
	make_link(tree, path, to);
	if (card >= 0) {
		snprintf(name, sizeof(name), "card%d", card);
		make_node(tree, pci, name, card);
		/* A connector is no card. */
		snprintf(path, sizeof(path), "sys/class/drm/card%d-Virtual-1/device/x", card);
		tree_write(tree, path, "");
	}
	if (render >= 0) {
		snprintf(name, sizeof(name), "renderD%d", render);
		make_node(tree, pci, name, render);
	}
}

int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	fake_reset();
	rig->files = open_files();
	tree_make(&rig->tree);
	tree_card(&rig->tree, "pddgpu", PCI0, 0, 128);
	assert_ok(pddi_open(&rig->tree.paths, "renderD128", &rig->dev));
	*state = rig;
	return 0;
}

/* Whatever a test did, nothing is left of it. */
int rig_teardown(void **state)
{
	struct rig *rig = *state;

	fake.gone = false;
	pddgpu_close(rig->dev);
	tree_remove(&rig->tree);
	assert_int_equal(open_files(), rig->files);
	assert_int_equal(fake_handles(), 0);
	assert_int_equal(fake_syncobjs(), 0);
	assert_int_equal(fake_handles_closed_twice(), 0);
	free(rig);
	return 0;
}
