// SPDX-License-Identifier: MIT
/* The card. What must work dies when it does not. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEBUGFS		"/sys/kernel/debug/pddgpu/"
#define PARAMETERS	"/sys/module/pddgpu/parameters/"

/* A DRM call that is interrupted is made again. */
int call(int fd, unsigned long request, void *arg)
{
	int rc;

	do {
		rc = ioctl(fd, request, arg);
	} while (rc < 0 && (errno == EINTR || errno == EAGAIN));
	return rc < 0 ? -errno : 0;
}

static bool is_driver(int fd, const char *driver)
{
	char name[32] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	return !call(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver);
}

int card_open(const char *driver, bool render)
{
	const char *prefix = render ? "renderD" : "card";
	struct dirent **names;
	int n = scandir("/dev/dri", &names, NULL, alphasort);
	int fd = -ENODEV;

	for (int i = 0; i < n; i++) {
		char path[300];

		if (fd < 0 && !strncmp(names[i]->d_name, prefix, strlen(prefix))) {
			snprintf(path, sizeof(path), "/dev/dri/%s", names[i]->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd < 0) {
				fd = -errno;
			} else if (!is_driver(fd, driver)) {
				close(fd);
				fd = -ENODEV;
			}
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return fd;
}

/* The node may take a moment after the module was loaded. */
int card_open_ours(void)
{
	int fd = -ENODEV;

	for (int i = 0; i < 250 && fd < 0; i++) {
		fd = card_open("pddgpu", true);
		if (fd < 0)
			sleep_ms(20);
	}
	if (fd < 0)
		die("no PDDGPU card can be opened: %s", strerror(-fd));
	return fd;
}

static void need(int rc, const char *what)
{
	if (rc)
		die("%s: %s", what, strerror(-rc));
}

int card_try_create(int fd, uint64_t size, uint32_t domains, uint32_t *handle)
{
	struct drm_pddgpu_gem_create args = { .size = size, .domains = domains };
	int rc = call(fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args);

	*handle = args.handle;
	return rc;
}

uint32_t card_create(int fd, uint64_t size, uint32_t domains)
{
	uint32_t handle;

	need(card_try_create(fd, size, domains, &handle), "GEM_CREATE");
	return handle;
}

void card_destroy(int fd, uint32_t handle)
{
	struct drm_pddgpu_gem_destroy args = { .handle = handle };

	need(call(fd, DRM_IOCTL_PDDGPU_GEM_DESTROY, &args), "GEM_DESTROY");
}

void card_set_domain(int fd, uint32_t handle, uint32_t domains)
{
	struct drm_pddgpu_gem_set_domain args = { .handle = handle, .domains = domains };

	need(call(fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &args), "GEM_SET_DOMAIN");
}

void card_submit(int fd, const struct drm_pddgpu_submit_op *ops, uint32_t count)
{
	struct drm_pddgpu_submit args = { .ops = (uintptr_t)ops, .op_count = count };

	need(call(fd, DRM_IOCTL_PDDGPU_SUBMIT, &args), "SUBMIT");
}

void card_wait(int fd, uint32_t handle)
{
	struct drm_pddgpu_gem_wait args = {
		.handle = handle,
		.timeout_ns = (int64_t)(now_ns() + 10000000000),
	};

	need(call(fd, DRM_IOCTL_PDDGPU_GEM_WAIT, &args), "GEM_WAIT");
}

void card_query(int fd, uint32_t type, void *data, uint32_t size)
{
	struct drm_pddgpu_query args = {
		.type = type,
		.size = size,
		.data = (uintptr_t)data,
	};

	need(call(fd, DRM_IOCTL_PDDGPU_QUERY, &args), "QUERY");
}

/* Unloads the driver, and loads it with these parameters; nobody has it open. */
void card_reload(const char *args)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "rmmod pddgpu && modprobe pddgpu %s", args);
	if (system(command))
		die("'%s' failed", command);
	close(card_open_ours());
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* A parameter that can be set while the driver works; false when there is none */
bool card_parameter(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return write_text(path, value);
}

void debugfs_write(const char *name, uint64_t value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	if (!write_text(path, text))
		die("cannot write %s to %s: %s", text, path, strerror(errno));
}

uint64_t debugfs_read(const char *name)
{
	unsigned long long value;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llu", &value) != 1)
		die("cannot read a number from %s", path);
	fclose(f);
	return value;
}
