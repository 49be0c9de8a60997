// SPDX-License-Identifier: MIT
/* A driver behind ioctl(), stat() and fstat(). */
#include "fake.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <xf86drm.h>

#define OBJECTS		65536
#define SPACING		(1ULL << 20)	/* of buffers in the file */
#define FDS		1024

struct fake fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t sizes[OBJECTS];		/* by handle; 0: none */
static unsigned int handles, syncobjs, closed_twice, calls;
static ino_t dmabufs[FDS];		/* by fd: of which file it is a dma-buf */
static uint32_t dmabuf_handles[FDS];

void fake_reset(void)
{
	pthread_mutex_lock(&lock);
	memset(&fake, 0, sizeof(fake));
	strcpy(fake.driver, "pddgpu");
	fake.fail_nr = -1;
	fake.query_types = 5;
	fake.labels = true;
	fake.status = 1;
	fake.handle_step = 1;
	memset(sizes, 0, sizeof(sizes));
	memset(dmabufs, 0, sizeof(dmabufs));
	handles = syncobjs = closed_twice = calls = 0;
	pthread_mutex_unlock(&lock);
}

unsigned int fake_handles(void)
{
	return handles;
}

unsigned int fake_syncobjs(void)
{
	return syncobjs;
}

unsigned int fake_handles_closed_twice(void)
{
	return closed_twice;
}

/* Device files here are regular ones, of this size */
#define DEVICE_BYTES	((off_t)(OBJECTS * SPACING))

static void disguise(struct stat *st)
{
	if (!S_ISREG(st->st_mode) || st->st_size / DEVICE_BYTES != 1)
		return;
	/* The minor is what the size is more */
	st->st_rdev = makedev(PDDI_DRM_MAJOR, (unsigned int)(st->st_size % DEVICE_BYTES));
	st->st_mode = S_IFCHR | 0666;
}

int __wrap_fstat(int fd, struct stat *st)
{
	int ret = __real_fstat(fd, st);

	if (!ret)
		disguise(st);
	return ret;
}

int __wrap_stat(const char *path, struct stat *st)
{
	int ret = __real_stat(path, st);

	if (!ret)
		disguise(st);
	return ret;
}

static uint32_t handle_new(uint64_t size)
{
	uint32_t h = fake.handle_step;

	while (sizes[h])
		h += fake.handle_step;
	sizes[h] = (size + 4095) & ~4095ULL;
	handles++;
	return h;
}

static int handle_close(uint32_t h)
{
	if (h >= OBJECTS || !sizes[h]) {
		closed_twice++;
		return -ENOENT;
	}
	sizes[h] = 0;
	handles--;
	return 0;
}

static int create(struct drm_pddgpu_gem_create *args)
{
	if (!args->size || !args->domains || args->domains & ~7U || args->flags & ~0x77U)
		return -EINVAL;
	if (args->size > SPACING && args->size < 1ULL << 40)
		return -E2BIG;
	args->handle = handle_new(args->size);
	return 0;
}

static int info(struct drm_pddgpu_gem_info *args)
{
	if (args->handle >= OBJECTS || !sizes[args->handle])
		return -ENOENT;
	args->size = sizes[args->handle];
	args->offset = args->handle * SPACING;
	args->domain = PDDGPU_GEM_DOMAIN_VRAM;
	args->flags = PDDGPU_GEM_INFO_VRAM_LOST;
	return 0;
}

/* Every byte of an answer is the number of its query; what is newer is 0xee. */
static int query(struct drm_pddgpu_query *args)
{
	static const uint32_t usual[] = {
		sizeof(struct drm_pddgpu_device_info),
		2 * sizeof(struct drm_pddgpu_segment),
		3 * sizeof(struct drm_pddgpu_domain_usage),
		sizeof(struct drm_pddgpu_memory_stats),
		3 * sizeof(struct drm_pddgpu_ownership),
	};
	uint32_t size, i;
	char *out = (char *)(uintptr_t)args->data;

	if (args->type >= PDDGPU_QUERY_OBJECTS && fake.ask)
		return fake.ask(args);
	if (args->type >= fake.query_types || args->flags)
		return -EINVAL;
	size = fake.query_size ? fake.query_size : usual[args->type];
	for (i = 0; i < args->size; i++)
		out[i] = i >= size ? 0 : i >= usual[args->type] ? (char)0xee :
			 (char)(args->type + 1);
	args->size = size;
	return 0;
}

static int submit(int fd, const struct drm_pddgpu_submit *args)
{
	const struct drm_pddgpu_submit_op *ops = (const void *)(uintptr_t)args->ops;
	char bytes[4096];
	uint32_t i, n;

	for (i = 0; i < args->op_count; i++) {
		if (ops[i].dst_handle >= OBJECTS || !sizes[ops[i].dst_handle])
			return -ENOENT;
		if (ops[i].bytes > sizeof(bytes))
			return -EINVAL;
		if (ops[i].opcode == PDDGPU_SUBMIT_FILL)
			for (n = 0; n < ops[i].bytes; n += 4)
				memcpy(bytes + n, &ops[i].pattern, 4);
		else if (pread(fd, bytes, ops[i].bytes, (off_t)(ops[i].src_handle * SPACING +
			       ops[i].src_offset)) < 0)
			return -EIO;
		if (pwrite(fd, bytes, ops[i].bytes, (off_t)(ops[i].dst_handle * SPACING +
			   ops[i].dst_offset)) < 0)
			return -EIO;
	}
	fake.submitted++;
	fake.signals = args->signal_count;
	return 0;
}

static int to_dmabuf(int fd, struct drm_prime_handle *args)
{
	struct stat st;

	if (!sizes[args->handle])
		return -ENOENT;
	__real_fstat(fd, &st);
	args->fd = memfd_create("dmabuf", args->flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	dmabufs[args->fd] = st.st_ino;
	dmabuf_handles[args->fd] = args->handle;
	return 0;
}

/* The same handle as long as there is one; else another, as GEM does it */
static int from_dmabuf(int fd, struct drm_prime_handle *args)
{
	struct stat st;

	if (args->fd < 0 || args->fd >= FDS || fcntl(args->fd, F_GETFD) < 0)
		return -EBADF;
	__real_fstat(fd, &st);
	if (dmabufs[args->fd] != st.st_ino)
		return -EINVAL;
	args->handle = dmabuf_handles[args->fd];
	if (!sizes[args->handle]) {
		sizes[args->handle] = 4096;
		handles++;
	}
	return 0;
}

static int core(int fd, unsigned int nr, void *arg)
{
	struct drm_version *version = arg;
	struct drm_syncobj_create *syncobj = arg;
	struct drm_syncobj_handle *sync_fd = arg;

	switch (nr) {
	case _IOC_NR(DRM_IOCTL_VERSION):
		version->name_len = strlen(fake.driver);
		strcpy(version->name, fake.driver);
		return 0;
	case _IOC_NR(DRM_IOCTL_AUTH_MAGIC):
		return fake.master ? -EINVAL : -EACCES;
	case _IOC_NR(DRM_IOCTL_DROP_MASTER):
		fake.master = false;
		return 0;
	case _IOC_NR(DRM_IOCTL_PRIME_HANDLE_TO_FD):
		return to_dmabuf(fd, arg);
	case _IOC_NR(DRM_IOCTL_PRIME_FD_TO_HANDLE):
		return from_dmabuf(fd, arg);
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_CREATE):
		syncobj->handle = ++syncobjs;
		return 0;
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_DESTROY):
		syncobjs--;
		return 0;
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_WAIT):
		fake.timeout_ns = ((struct drm_syncobj_wait *)arg)->timeout_nsec;
		return fake.busy ? -ETIME : 0;
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD):
		sync_fd->fd = memfd_create("sync_file", MFD_CLOEXEC);
		return 0;
	default:
		return -ENOTTY;
	}
}

static int own(int fd, unsigned int nr, void *arg)
{
	struct drm_pddgpu_gem_set_label *label = arg;
	struct drm_pddgpu_gem_map *map = arg;

	switch (nr) {
	case DRM_PDDGPU_GEM_CREATE:
		return create(arg);
	case DRM_PDDGPU_GEM_MAP:
		map->offset = map->handle * SPACING;
		map->size = sizes[map->handle];
		return 0;
	case DRM_PDDGPU_GEM_INFO:
		return info(arg);
	case DRM_PDDGPU_GEM_DESTROY:
		return handle_close(((struct drm_pddgpu_gem_destroy *)arg)->handle);
	case DRM_PDDGPU_GEM_WAIT:
		fake.timeout_ns = ((struct drm_pddgpu_gem_wait *)arg)->timeout_ns;
		return fake.busy ? -ETIME : 0;
	case DRM_PDDGPU_GEM_SET_DOMAIN:
		return 0;
	case DRM_PDDGPU_SUBMIT:
		return submit(fd, arg);
	case DRM_PDDGPU_QUERY:
		return query(arg);
	case DRM_PDDGPU_GEM_SET_LABEL:
		snprintf(fake.label, sizeof(fake.label), "%s",
			 label->label ? (const char *)(uintptr_t)label->label : "");
		return fake.labels ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int answer(int fd, unsigned long request, void *arg)
{
	unsigned int nr = _IOC_NR(request);

	if (request == SYNC_IOC_FILE_INFO) {
		((struct sync_file_info *)arg)->status = fake.status;
		return 0;
	}
	if (fake.interrupt && ++calls % fake.interrupt == 0)
		return -EINTR;
	if (fake.gone) {
		memset(sizes, 0, sizeof(sizes));
		handles = syncobjs = 0;
		return -ENODEV;
	}
	if (fake.wedged && nr != DRM_COMMAND_BASE + DRM_PDDGPU_GEM_DESTROY)
		return -EIO;
	if (fake.fail_nr == (int)nr)
		return -fake.fail_errno;
	if (nr >= DRM_COMMAND_BASE && nr < DRM_COMMAND_END)
		return own(fd, nr - DRM_COMMAND_BASE, arg);
	return core(fd, nr, arg);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;
	int error;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (_IOC_TYPE(request) != DRM_IOCTL_BASE && request != SYNC_IOC_FILE_INFO)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	pthread_mutex_lock(&lock);
	error = fcntl(fd, F_GETFD) < 0 ? -EBADF : answer(fd, request, arg);
	pthread_mutex_unlock(&lock);
	errno = -error;
	return error ? -1 : 0;
}
