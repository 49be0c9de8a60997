// SPDX-License-Identifier: MIT
/* Finding the card, and its ioctls. */
#include "pdt.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char render_path[PATH_MAX];
static char pci_name[64];

/* A DRM call may be interrupted at any point and is then made again. */
int pdt_ioctl(int fd, unsigned long request, void *arg)
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
	struct drm_version version = {
		.name = name,
		.name_len = sizeof(name) - 1,
	};

	return !pdt_ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver);
}

/* Opens the first node of a driver; the path goes to @found when it has room. */
static int open_node(const char *driver, const char *prefix, char *found)
{
	struct dirent **names;
	char path[PATH_MAX];
	int n = scandir("/dev/dri", &names, NULL, alphasort);
	int fd = -ENODEV;

	if (n < 0)
		return -ENODEV;

	for (int i = 0; i < n; i++) {
		if (fd < 0 && !strncmp(names[i]->d_name, prefix, strlen(prefix))) {
			snprintf(path, sizeof(path), "/dev/dri/%s", names[i]->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd >= 0 && !is_driver(fd, driver)) {
				close(fd);
				fd = -ENODEV;
			} else if (fd < 0) {
				fd = -errno;
			}
		}
		free(names[i]);
	}
	free(names);

	if (fd >= 0 && found)
		strcpy(found, path);
	return fd;
}

int pdt_open_card(const char *driver, bool render)
{
	return open_node(driver, render ? "renderD" : "card", NULL);
}

/* A new open file of the pddgpu render node, whose number may change. */
int pdt_open(void)
{
	return open_node("pddgpu", "renderD", render_path);
}

/* The path of the render node last found; NULL when there is none. */
const char *pdt_render_path(void)
{
	int fd;

	if (render_path[0])
		return render_path;
	fd = pdt_open();
	if (fd < 0)
		return NULL;
	close(fd);
	return render_path;
}

/* The card's name on the PCI bus, as 0000:00:04.0; NULL when there is none. */
const char *pdt_pci_name(void)
{
	char path[128], target[PATH_MAX];
	struct stat st;

	if (pci_name[0])
		return pci_name;
	if (!pdt_render_path() || stat(render_path, &st))
		return NULL;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device",
		 major(st.st_rdev), minor(st.st_rdev));
	if (!realpath(path, target))
		return NULL;
	snprintf(pci_name, sizeof(pci_name), "%s", strrchr(target, '/') + 1);
	return pci_name;
}

int pdt_create_aligned(int fd, uint64_t size, uint32_t alignment, uint32_t domains,
		       uint32_t flags, uint32_t *handle)
{
	struct drm_pddgpu_gem_create args = {
		.size = size,
		.alignment = alignment,
		.domains = domains,
		.flags = flags,
	};
	int rc = pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args);

	*handle = rc ? 0 : args.handle;
	return rc;
}

int pdt_create(int fd, uint64_t size, uint32_t domains, uint32_t flags, uint32_t *handle)
{
	return pdt_create_aligned(fd, size, 0, domains, flags, handle);
}

int pdt_destroy(int fd, uint32_t handle)
{
	struct drm_pddgpu_gem_destroy args = { .handle = handle };

	return pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_DESTROY, &args);
}

int pdt_info(int fd, uint32_t handle, struct drm_pddgpu_gem_info *info)
{
	memset(info, 0, sizeof(*info));
	info->handle = handle;
	return pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_INFO, info);
}

/* The domain that a buffer is in now; 0 when that cannot be known. */
uint32_t pdt_domain(int fd, uint32_t handle)
{
	struct drm_pddgpu_gem_info info;

	return pdt_info(fd, handle, &info) ? 0 : info.domain;
}

int pdt_set_domain(int fd, uint32_t handle, uint32_t domains, uint32_t *now)
{
	struct drm_pddgpu_gem_set_domain args = {
		.handle = handle,
		.domains = domains,
	};
	int rc = pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &args);

	if (now)
		*now = rc ? 0 : args.domain;
	return rc;
}

int pdt_map_offset(int fd, uint32_t handle, uint64_t *offset, uint64_t *size)
{
	struct drm_pddgpu_gem_map args = { .handle = handle };
	int rc = pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_MAP, &args);

	if (rc)
		return rc;
	*offset = args.offset;
	if (size)
		*size = args.size;
	return 0;
}

int pdt_mmap(int fd, uint32_t handle, uint64_t size, void **ptr)
{
	uint64_t offset;
	int rc = pdt_map_offset(fd, handle, &offset, NULL);

	*ptr = NULL;
	if (rc)
		return rc;
	*ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (*ptr != MAP_FAILED)
		return 0;
	*ptr = NULL;
	return -errno;
}

int pdt_query(int fd, uint32_t type, void *data, uint32_t *size)
{
	struct drm_pddgpu_query args = {
		.type = type,
		.size = *size,
		.data = (uintptr_t)data,
	};
	int rc = pdt_ioctl(fd, DRM_IOCTL_PDDGPU_QUERY, &args);

	*size = args.size;
	return rc;
}

int pdt_stats(int fd, struct drm_pddgpu_memory_stats *stats)
{
	uint32_t size = sizeof(*stats);

	return pdt_query(fd, PDDGPU_QUERY_MEMORY_STATS, stats, &size);
}

/* At most @max of the segments; @count gets how many were written. */
int pdt_segments(int fd, struct drm_pddgpu_segment *segments, unsigned int max,
		 unsigned int *count)
{
	uint32_t room = max * (uint32_t)sizeof(*segments), size = room;
	int rc = pdt_query(fd, PDDGPU_QUERY_SEGMENTS, segments, &size);

	*count = rc ? 0 : (size < room ? size : room) / (uint32_t)sizeof(*segments);
	return rc;
}

int pdt_device_info(int fd, struct drm_pddgpu_device_info *info)
{
	uint32_t size = sizeof(*info);

	return pdt_query(fd, PDDGPU_QUERY_DEVICE_INFO, info, &size);
}

int pdt_export(int fd, uint32_t handle, int *dmabuf)
{
	struct drm_prime_handle args = {
		.handle = handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
	};
	int rc = pdt_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	*dmabuf = rc ? -1 : args.fd;
	return rc;
}

int pdt_import(int fd, int dmabuf, uint32_t *handle)
{
	struct drm_prime_handle args = { .fd = dmabuf };
	int rc = pdt_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	*handle = rc ? 0 : args.handle;
	return rc;
}

/* Makes a buffer and maps it. */
int pdt_buffer_create(int fd, struct pdt_buffer *buf, uint64_t size, uint32_t domains,
		      uint32_t flags)
{
	int rc;

	memset(buf, 0, sizeof(*buf));
	rc = pdt_create(fd, size, domains, flags, &buf->handle);
	if (rc)
		return rc;
	rc = pdt_mmap(fd, buf->handle, size, &buf->map);
	if (rc) {
		pdt_destroy(fd, buf->handle);
		return rc;
	}
	buf->size = size;
	buf->domains = domains;
	return 0;
}

void pdt_buffer_fill(struct pdt_buffer *buf, uint64_t seed)
{
	buf->seed = seed;
	pdt_pattern_fill(buf->map, buf->size, seed);
}

/* -EILSEQ, and a line that says where, when it doesn't hold its pattern */
int pdt_buffer_check(const struct pdt_buffer *buf)
{
	int64_t at = pdt_pattern_check(buf->map, buf->size, buf->seed);

	if (at < 0)
		return 0;
	fprintf(stderr, "# buffer of %llu bytes, domains %x: wrong from byte %lld on\n",
		(unsigned long long)buf->size, buf->domains, (long long)at);
	return -EILSEQ;
}

void pdt_buffer_destroy(int fd, struct pdt_buffer *buf)
{
	if (buf->map)
		munmap(buf->map, buf->size);
	if (buf->handle)
		pdt_destroy(fd, buf->handle);
	memset(buf, 0, sizeof(*buf));
}

/*
 * Makes unmapped buffers until one fails, with halving sizes from @chunk down
 * to a page, so that nothing is left. Returns how many there are; @err is what
 * the last request, of a page, got: 0 when @max was reached first.
 */
size_t pdt_fill_domain(int fd, struct pdt_buffer *bufs, size_t max, uint64_t chunk,
		       uint32_t domains, int *err)
{
	size_t n = 0;

	*err = 0;
	while (n < max) {
		memset(&bufs[n], 0, sizeof(bufs[n]));
		*err = pdt_create(fd, chunk, domains, 0, &bufs[n].handle);
		if (!*err) {
			bufs[n].size = chunk;
			bufs[n].domains = domains;
			n++;
			continue;
		}
		if (chunk <= PDT_PAGE)
			break;
		chunk /= 2;
	}
	return n;
}
