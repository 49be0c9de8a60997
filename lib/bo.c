// SPDX-License-Identifier: MIT
/* Buffers. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xf86drm.h>

#include "internal.h"

struct pddgpu_bo {
	struct pddgpu_device *dev;
	uint64_t size;
	/* Guarded by the device's share_lock once it is shared; else 1 */
	unsigned int refs;
	uint32_t handle;
	/* Set once, before anybody else can know of the buffer */
	atomic_bool shared;
	/* Guards map and maps */
	pthread_mutex_t map_lock;
	void *map;
	unsigned int maps;
};

/* A lock made so needs no end: two calls less for each buffer */
static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

static struct pddgpu_bo *bo_alloc(struct pddgpu_device *dev)
{
	struct pddgpu_bo *bo = malloc(sizeof(*bo));

	if (!bo)
		return NULL;
	bo->dev = dev;
	bo->refs = 1;
	atomic_init(&bo->shared, false);
	bo->map_lock = unlocked;
	bo->map = NULL;
	bo->maps = 0;
	return bo;
}

static void handle_close(struct pddgpu_device *dev, uint32_t handle)
{
	struct drm_pddgpu_gem_destroy destroy = { .handle = handle };

	/* All that can be wrong is that the card has gone, and the handle with it. */
	pddi_ioctl(dev, DRM_IOCTL_PDDGPU_GEM_DESTROY, &destroy);
}

int pddgpu_bo_create_aligned(struct pddgpu_device *dev, uint64_t size, uint32_t alignment,
			     uint32_t domains, uint32_t flags, struct pddgpu_bo **out)
{
	struct drm_pddgpu_gem_create create = {
		.size = size,
		.alignment = alignment,
		.domains = domains,
		.flags = flags,
	};
	struct pddgpu_bo *bo = bo_alloc(dev);
	int ret;

	if (!bo)
		return -ENOMEM;
	ret = pddi_ioctl(dev, DRM_IOCTL_PDDGPU_GEM_CREATE, &create);
	if (ret) {
		free(bo);
		return ret;
	}
	pddi_ref(dev);
	bo->handle = create.handle;
	bo->size = (size + dev->page - 1) & ~(dev->page - 1);
	*out = bo;
	return 0;
}

int pddgpu_bo_create(struct pddgpu_device *dev, uint64_t size, uint32_t domains,
		     uint32_t flags, struct pddgpu_bo **out)
{
	return pddgpu_bo_create_aligned(dev, size, 0, domains, flags, out);
}

/* Room for the buffer of a handle; under share_lock */
static int share_room(struct pddgpu_device *dev, uint32_t handle)
{
	struct pddi_slot *bigger;
	uint32_t room = dev->shared_room ? dev->shared_room : 64;

	if (handle < dev->shared_room)
		return 0;
	while (room <= handle) {
		if (room > UINT32_MAX / 2)
			return -ENOMEM;
		room *= 2;
	}
	bigger = reallocarray(dev->shared, room, sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	memset(bigger + dev->shared_room, 0, (room - dev->shared_room) * sizeof(*bigger));
	dev->shared = bigger;
	dev->shared_room = room;
	return 0;
}

/*
 * The last one closes the handle under the lock: else an import could get the
 * handle in between that is about to be closed.
 */
static bool shared_put(struct pddgpu_bo *bo)
{
	struct pddgpu_device *dev = bo->dev;
	bool last;

	pthread_mutex_lock(&dev->share_lock);
	last = !--bo->refs;
	if (last) {
		dev->shared[bo->handle].bo = NULL;
		handle_close(dev, bo->handle);
	}
	pthread_mutex_unlock(&dev->share_lock);
	return last;
}

void pddgpu_bo_free(struct pddgpu_bo *bo)
{
	struct pddgpu_device *dev;

	if (!bo)
		return;
	dev = bo->dev;
	/* No dma-buf, so no import: there is one reference, and nobody looks. */
	if (!atomic_load_explicit(&bo->shared, memory_order_acquire))
		handle_close(dev, bo->handle);
	else if (!shared_put(bo))
		return;
	if (bo->map)
		munmap(bo->map, (size_t)bo->size);
	free(bo);
	pddgpu_close(dev);
}

struct pddgpu_device *pddi_bo_device(const struct pddgpu_bo *bo)
{
	return bo->dev;
}

uint64_t pddgpu_bo_size(const struct pddgpu_bo *bo)
{
	return bo->size;
}

uint32_t pddgpu_bo_handle(const struct pddgpu_bo *bo)
{
	return bo->handle;
}

static int gem_info(struct pddgpu_device *dev, uint32_t handle,
		    struct drm_pddgpu_gem_info *info)
{
	memset(info, 0, sizeof(*info));
	info->handle = handle;
	return pddi_ioctl(dev, DRM_IOCTL_PDDGPU_GEM_INFO, info);
}

int pddgpu_bo_get_info(struct pddgpu_bo *bo, struct pddgpu_bo_info *out)
{
	struct drm_pddgpu_gem_info info;
	int ret = gem_info(bo->dev, bo->handle, &info);

	if (ret)
		return ret;
	*out = (struct pddgpu_bo_info) {
		.size = info.size,
		.gpu_address = info.offset,
		.domain = info.domain,
		.flags = info.flags,
	};
	return 0;
}

/* Under map_lock */
static int map_make(struct pddgpu_bo *bo)
{
	struct drm_pddgpu_gem_map map = { .handle = bo->handle };
	void *ptr;
	int ret;

	if (bo->size > SIZE_MAX / 2)
		return -EOVERFLOW;
	ret = pddi_ioctl(bo->dev, DRM_IOCTL_PDDGPU_GEM_MAP, &map);
	if (ret)
		return ret;
	ptr = mmap(NULL, (size_t)bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, bo->dev->fd,
		   (off_t)map.offset);
	if (ptr == MAP_FAILED)
		return -errno;
	bo->map = ptr;
	return 0;
}

int pddgpu_bo_map(struct pddgpu_bo *bo, void **out)
{
	int ret = 0;

	pthread_mutex_lock(&bo->map_lock);
	if (!bo->map)
		ret = map_make(bo);
	if (!ret) {
		bo->maps++;
		*out = bo->map;
	}
	pthread_mutex_unlock(&bo->map_lock);
	return ret;
}

void pddgpu_bo_unmap(struct pddgpu_bo *bo)
{
	pthread_mutex_lock(&bo->map_lock);
	if (bo->map && !--bo->maps) {
		munmap(bo->map, (size_t)bo->size);
		bo->map = NULL;
	}
	pthread_mutex_unlock(&bo->map_lock);
}

int pddgpu_bo_wait(struct pddgpu_bo *bo, int64_t timeout_ns, uint32_t flags)
{
	struct drm_pddgpu_gem_wait wait = {
		.handle = bo->handle,
		.flags = flags,
		.timeout_ns = pddi_deadline(timeout_ns),
	};

	return pddi_ioctl(bo->dev, DRM_IOCTL_PDDGPU_GEM_WAIT, &wait);
}

int pddgpu_bo_set_domain(struct pddgpu_bo *bo, uint32_t domains, uint32_t flags)
{
	struct drm_pddgpu_gem_set_domain set = {
		.handle = bo->handle,
		.domains = domains,
		.flags = flags,
	};

	return pddi_ioctl(bo->dev, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &set);
}

int pddgpu_bo_set_label(struct pddgpu_bo *bo, const char *label)
{
	struct drm_pddgpu_gem_set_label set = {
		.handle = bo->handle,
		.label = (uintptr_t)label,
	};
	int ret;

	if (label && strnlen(label, PDDGPU_LABEL_MAX) == PDDGPU_LABEL_MAX)
		return -EINVAL;
	ret = pddi_ioctl(bo->dev, DRM_IOCTL_PDDGPU_GEM_SET_LABEL, &set);
	/* All else is right, so it does not know the call. */
	return ret == -EINVAL ? -EOPNOTSUPP : ret;
}

int pddgpu_bo_export(struct pddgpu_bo *bo, int *dmabuf_fd)
{
	struct pddgpu_device *dev = bo->dev;
	int fd, ret;

	/* Before there is a dma-buf by which it could come in again */
	pthread_mutex_lock(&dev->share_lock);
	ret = share_room(dev, bo->handle);
	if (!ret) {
		dev->shared[bo->handle].bo = bo;
		atomic_store_explicit(&bo->shared, true, memory_order_release);
	}
	pthread_mutex_unlock(&dev->share_lock);
	if (ret)
		return ret;
	if (drmPrimeHandleToFD(dev->fd, bo->handle, DRM_CLOEXEC | DRM_RDWR, &fd))
		return -errno;
	*dmabuf_fd = fd;
	return 0;
}

/* A handle that is new; under share_lock */
static int import_new(struct pddgpu_device *dev, uint32_t handle, struct pddgpu_bo *bo)
{
	struct drm_pddgpu_gem_info info;
	int ret = share_room(dev, handle);

	if (!ret)
		ret = gem_info(dev, handle, &info);
	if (ret) {
		handle_close(dev, handle);
		return ret;
	}
	bo->handle = handle;
	bo->size = info.size;
	atomic_store_explicit(&bo->shared, true, memory_order_relaxed);
	dev->shared[handle].bo = bo;
	return 0;
}

int pddgpu_bo_import(struct pddgpu_device *dev, int dmabuf_fd, struct pddgpu_bo **out)
{
	struct pddgpu_bo *bo = bo_alloc(dev), *known = NULL;
	uint32_t handle;
	int ret;

	if (!bo)
		return -ENOMEM;
	pthread_mutex_lock(&dev->share_lock);
	ret = drmPrimeFDToHandle(dev->fd, dmabuf_fd, &handle) ? -errno : 0;
	if (!ret && handle < dev->shared_room)
		known = dev->shared[handle].bo;
	if (known)
		known->refs++;
	else if (!ret)
		ret = import_new(dev, handle, bo);
	pthread_mutex_unlock(&dev->share_lock);
	if (known || ret)
		free(bo);
	else
		pddi_ref(dev);
	if (!ret)
		*out = known ? known : bo;
	return ret;
}
