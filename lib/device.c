// SPDX-License-Identifier: MIT
/* Cards: listed, opened, closed; what the driver answers. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <xf86drm.h>

#include "internal.h"

#define QUERY_MAX	65536

int pddi_list(const struct pddi_paths *paths, struct pddgpu_device_id *out, unsigned int max)
{
	struct pddgpu_device_id *ids;
	int count = pddi_find(paths, &ids);

	if (count > 0 && max)
		memcpy(out, ids, ((unsigned int)count < max ? (unsigned int)count : max) *
		       sizeof(*ids));
	free(ids);
	return count;
}

int pddgpu_list(struct pddgpu_device_id *out, unsigned int max)
{
	return pddi_list(&pddi_system, out, max);
}

/* Is it the driver's, and is the card there? -EIO: a card is, and it is wedged. */
static int check_driver(int fd)
{
	char name[16] = "";
	struct drm_version version = {
		.name = name,
		.name_len = sizeof(name) - 1,
	};

	if (drmIoctl(fd, DRM_IOCTL_VERSION, &version))
		return errno == EIO ? -EIO : -ENODEV;
	return strcmp(name, "pddgpu") ? -ENODEV : 0;
}

bool pddi_gone(const struct pddgpu_device *dev)
{
	return check_driver(dev->fd) == -ENODEV;
}

static bool is_drm(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == PDDI_DRM_MAJOR;
}

/* Without sysfs, as in some sandboxes, a card has no names, and works. */
static void identify(struct pddgpu_device *dev, unsigned int minor_number)
{
	struct pddgpu_device_id *ids;
	char path[PDDI_PATH_MAX], pci[16];
	int i, count;

	dev->id.card = -1;
	snprintf(path, sizeof(path), "%s/dev/char/%u:%u/device", dev->paths->sys,
		 PDDI_DRM_MAJOR, minor_number);
	if (!pddi_pci_of(path, pci))
		return;
	count = pddi_find(dev->paths, &ids);
	for (i = 0; i < count; i++)
		if (!strcmp(ids[i].pci, pci))
			dev->id = ids[i];
	free(ids);
}

static int check_file(struct pddgpu_device *dev)
{
	struct stat st;
	int ret;

	if (fstat(dev->fd, &st))
		return -errno;
	if (!is_drm(&st))
		return -ENODEV;
	ret = check_driver(dev->fd);
	if (!ret || ret == -EIO)
		identify(dev, minor(st.st_rdev));
	/* A wedged one does not tell its name, but sysfs does. There is much to see yet. */
	return ret == -EIO && dev->id.pci[0] ? 0 : ret;
}

/* Takes over @fd, also when it fails. */
static int adopt(const struct pddi_paths *paths, int fd, struct pddgpu_device **out)
{
	struct pddgpu_device *dev = calloc(1, sizeof(*dev));
	int ret;

	if (!dev) {
		close(fd);
		return -ENOMEM;
	}
	dev->fd = fd;
	dev->paths = paths;
	dev->page = (uint64_t)sysconf(_SC_PAGESIZE);
	atomic_init(&dev->refs, 1);
	pthread_mutex_init(&dev->share_lock, NULL);
	ret = check_file(dev);
	if (ret)
		pddgpu_close(dev);
	else
		*out = dev;
	return ret;
}

int pddi_open_fd(const struct pddi_paths *paths, int fd, struct pddgpu_device **out)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return own < 0 ? -errno : adopt(paths, own, out);
}

int pddgpu_open_fd(int fd, struct pddgpu_device **out)
{
	return pddi_open_fd(&pddi_system, fd, out);
}

/* Looks before it opens: to open somebody else's device can do something. */
static int open_node(const struct pddi_paths *paths, const char *path,
		     struct pddgpu_device **out)
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		return -errno;
	if (!is_drm(&st))
		return -ENODEV;
	do {
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	} while (fd < 0 && errno == EINTR);
	/* The device file can be there still when the device has gone. */
	if (fd < 0)
		return errno == ENXIO ? -ENODEV : -errno;
	/* Who opens a primary node first is its master, and keeps others from it. */
	if (drmIsMaster(fd))
		drmDropMaster(fd);
	return adopt(paths, fd, out);
}

static int open_card(const struct pddi_paths *paths, const struct pddgpu_device_id *id,
		     struct pddgpu_device **out)
{
	const char *node = id->render[0] ? id->render : id->primary;
	char path[PDDI_PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", paths->dri, strrchr(node, '/'));
	return open_node(paths, path, out);
}

static bool is_called(const struct pddgpu_device_id *id, const char *name)
{
	const char *nodes[] = { id->render, id->primary };
	size_t i;

	for (i = 0; i < PDDI_ARRAY_SIZE(nodes); i++)
		if (nodes[i][0] && !strcmp(strrchr(nodes[i], '/') + 1, name))
			return true;
	return !strcmp(id->pci, name);
}

/* There may be something else of that name. */
static int not_ours(const struct pddi_paths *paths, const char *name)
{
	char path[PDDI_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s", paths->sys,
		 pddi_is_pci(name) ? "bus/pci/devices" : "class/drm", name);
	return access(path, F_OK) ? -ENOENT : -ENODEV;
}

static int open_named(const struct pddi_paths *paths, const char *name,
		      struct pddgpu_device **out)
{
	struct pddgpu_device_id *ids;
	int i, count, one, ret = -ENOENT;
	char pci[16];

	if (name && !pddi_full_pci(name, pci))
		name = pci;
	else if (name && !pddi_is_node(name, "renderD", &i) && !pddi_is_node(name, "card", &i))
		return -EINVAL;
	count = pddi_find(paths, &ids);
	if (count < 0)
		return count;
	for (i = 0; i < count; i++) {
		if (name && !is_called(&ids[i], name))
			continue;
		one = open_card(paths, &ids[i], out);
		/* Of several errors the first card's */
		if (!one || ret == -ENOENT)
			ret = one;
		if (!one || name)
			break;
	}
	if (name && i == count)
		ret = not_ours(paths, name);
	free(ids);
	return ret;
}

int pddi_open(const struct pddi_paths *paths, const char *name, struct pddgpu_device **out)
{
	if (name && name[0] == '/')
		return open_node(paths, name, out);
	return open_named(paths, name, out);
}

int pddgpu_open(const char *name, struct pddgpu_device **out)
{
	return pddi_open(&pddi_system, name, out);
}

struct pddgpu_device *pddi_ref(struct pddgpu_device *dev)
{
	atomic_fetch_add_explicit(&dev->refs, 1, memory_order_relaxed);
	return dev;
}

void pddgpu_close(struct pddgpu_device *dev)
{
	if (!dev || atomic_fetch_sub_explicit(&dev->refs, 1, memory_order_acq_rel) != 1)
		return;
	close(dev->fd);
	pthread_mutex_destroy(&dev->share_lock);
	free(dev->shared);
	free(dev);
}

int pddgpu_fd(const struct pddgpu_device *dev)
{
	return dev->fd;
}

const struct pddgpu_device_id *pddgpu_id(const struct pddgpu_device *dev)
{
	return &dev->id;
}

int pddgpu_query(struct pddgpu_device *dev, uint32_t type, void *out, size_t size)
{
	struct drm_pddgpu_query query = {
		.type = type,
		.size = (uint32_t)size,
		.data = (uintptr_t)out,
	};
	int ret;

	if (size > QUERY_MAX)
		return -EINVAL;
	ret = pddi_ioctl(dev, DRM_IOCTL_PDDGPU_QUERY, &query);
	/* Nothing else about it can be wrong. */
	if (ret == -EINVAL)
		return -EOPNOTSUPP;
	return ret ? ret : (int)query.size;
}
