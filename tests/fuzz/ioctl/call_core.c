// SPDX-License-Identifier: MIT
/* DRM's ioctls that reach every driver: files, handles, sharing, syncobjs */
#include "fuzz.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* file, capability */
FZ_RUN(get_cap)
{
	struct drm_get_cap args = { .capability = arg[1] };

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_GET_CAP, &args);
}

/* file, capability, value */
FZ_RUN(set_client_cap)
{
	struct drm_set_client_cap args = { .capability = arg[1], .value = arg[2] };

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_SET_CLIENT_CAP, &args);
}

/* file, pointer, length */
FZ_RUN(version)
{
	static const char room[64];
	struct drm_version args = {
		.name = fz_pointer(lane, arg[1], room, sizeof(room)),
		.name_len = arg[2] % sizeof(room),
	};

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_VERSION, &args);
}

/* file, handle */
FZ_RUN(gem_close)
{
	struct drm_gem_close args = { .handle = fz_handle(lane, arg[0], arg[1]) };

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_GEM_CLOSE, &args);
}

/* file, handle */
FZ_RUN(flink)
{
	struct drm_gem_flink args = { .handle = fz_handle(lane, arg[0], arg[1]) };

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_GEM_FLINK, &args);
}

/* file, slot, name */
FZ_RUN(gem_open)
{
	struct drm_gem_open args = { .name = (uint32_t)arg[2] };
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_GEM_OPEN, &args);

	if (!rc)
		lane->state->handle[arg[0] % FZ_FILES][arg[1] % FZ_HANDLES] = args.handle;
	return rc;
}

/* file, handle, slot, flags */
FZ_RUN(export)
{
	struct drm_prime_handle args = {
		.handle = fz_handle(lane, arg[0], arg[1]),
		.flags = (uint32_t)arg[3],
	};
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	if (!rc)
		fz_slot_put(&lane->state->fd[arg[2] % FZ_FDS], args.fd);
	return rc;
}

/* file, slot, descriptor */
FZ_RUN(import)
{
	struct drm_prime_handle args = { .fd = fz_fd(lane, arg[2]) };
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	if (!rc)
		lane->state->handle[arg[0] % FZ_FILES][arg[1] % FZ_HANDLES] = args.handle;
	return rc;
}

/* file, what */
FZ_RUN(master)
{
	return fz_file_ioctl(lane, arg[0], arg[1] & 1 ? DRM_IOCTL_SET_MASTER :
			     DRM_IOCTL_DROP_MASTER, NULL);
}

/* file, slot, flags */
FZ_RUN(sync_create)
{
	struct drm_syncobj_create args = { .flags = (uint32_t)arg[2] };
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_SYNCOBJ_CREATE, &args);

	if (!rc)
		lane->state->sync[arg[0] % FZ_FILES][arg[1] % FZ_SYNCS] = args.handle;
	return rc;
}

/* file, syncobj, pad */
FZ_RUN(sync_destroy)
{
	struct drm_syncobj_destroy args = {
		.handle = fz_sync(lane, arg[0], arg[1]),
		.pad = (uint32_t)arg[2],
	};

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_SYNCOBJ_DESTROY, &args);
}

/* file, syncobj, slot, flags, pad */
FZ_RUN(sync_export)
{
	struct drm_syncobj_handle args = {
		.handle = fz_sync(lane, arg[0], arg[1]),
		.flags = (uint32_t)arg[3],
		.pad = (uint32_t)arg[4],
	};
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);

	if (!rc)
		fz_slot_put(&lane->state->fd[arg[2] % FZ_FDS], args.fd);
	return rc;
}

/* file, slot, descriptor, flags */
FZ_RUN(sync_import)
{
	struct drm_syncobj_handle args = {
		.handle = fz_sync(lane, arg[0], arg[1]),
		.fd = fz_fd(lane, arg[2]),
		.flags = (uint32_t)arg[3],
	};
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args);

	if (!rc && !args.flags)
		lane->state->sync[arg[0] % FZ_FILES][arg[1] % FZ_SYNCS] = args.handle;
	return rc;
}

/* Two syncobjs */
static void *syncs_of(struct fz_lane *lane, const uint64_t *arg, uint64_t how)
{
	uint32_t handles[2] = {
		fz_sync(lane, arg[0], arg[1]),
		fz_sync(lane, arg[0], arg[2]),
	};

	return fz_pointer(lane, how, handles, sizeof(handles));
}

/*
 * As many as are asked for; of another driver not so many that the kernel warns
 * of what DRM wants to allocate for them.
 */
static uint32_t some(uint64_t file, uint64_t count)
{
	if (file % FZ_FILES >= FZ_OTHER && (uint32_t)count > PDDGPU_SUBMIT_SYNCS_MAX)
		return PDDGPU_SUBMIT_SYNCS_MAX;
	return (uint32_t)count;
}

/* file, syncobj, syncobj, count, flags, time, pointer */
FZ_RUN(sync_wait)
{
	struct drm_syncobj_wait args = {
		.handles = (uintptr_t)syncs_of(lane, arg, arg[6]),
		.count_handles = some(arg[0], arg[3]),
		.flags = (uint32_t)arg[4],
		.timeout_nsec = fz_deadline(arg[5]),
	};

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_SYNCOBJ_WAIT, &args);
}

/* file, syncobj, syncobj, count, flags, time, point */
FZ_RUN(sync_timeline_wait)
{
	uint64_t points[2] = { arg[6], arg[6] / 2 };
	struct drm_syncobj_timeline_wait args = {
		.handles = (uintptr_t)syncs_of(lane, arg, FZ_GOOD),
		.points = (uintptr_t)points,
		.count_handles = (uint32_t)(arg[3] % 3),
		.flags = (uint32_t)arg[4],
		.timeout_nsec = fz_deadline(arg[5]),
	};

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &args);
}

/* file, syncobj, syncobj, count, which, pad, pointer */
FZ_RUN(sync_array)
{
	struct drm_syncobj_array args = {
		.handles = (uintptr_t)syncs_of(lane, arg, arg[6]),
		.count_handles = some(arg[0], arg[3]),
		.pad = (uint32_t)arg[5],
	};

	return fz_file_ioctl(lane, arg[0], arg[4] & 1 ? DRM_IOCTL_SYNCOBJ_RESET :
			     DRM_IOCTL_SYNCOBJ_SIGNAL, &args);
}

/* file, syncobj, syncobj, count, which, flags, point */
FZ_RUN(sync_points)
{
	uint64_t points[2] = { arg[6], arg[6] + 1 };
	struct drm_syncobj_timeline_array args = {
		.handles = (uintptr_t)syncs_of(lane, arg, FZ_GOOD),
		.points = (uintptr_t)points,
		.count_handles = (uint32_t)(arg[3] % 3),
		.flags = (uint32_t)arg[5],
	};

	return fz_file_ioctl(lane, arg[0], arg[4] & 1 ? DRM_IOCTL_SYNCOBJ_QUERY :
			     DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &args);
}

/* file, from, to, from's point, to's point, flags, pad */
FZ_RUN(sync_transfer)
{
	struct drm_syncobj_transfer args = {
		.src_handle = fz_sync(lane, arg[0], arg[1]),
		.dst_handle = fz_sync(lane, arg[0], arg[2]),
		.src_point = arg[3],
		.dst_point = arg[4],
		.flags = (uint32_t)arg[5],
		.pad = (uint32_t)arg[6],
	};

	/* It would wait for as long as nobody submits: minutes, if asked to */
	args.flags &= ~(uint32_t)DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_SYNCOBJ_TRANSFER, &args);
}

/* DRM_IOCTL_SYNCOBJ_EVENTFD, which may be newer than this machine's headers */
struct fz_syncobj_eventfd {
	uint32_t handle;
	uint32_t flags;
	uint64_t point;
	int32_t fd;
	uint32_t pad;
};

/* file, syncobj, slot, point, flags */
FZ_RUN(sync_eventfd)
{
	struct fz_syncobj_eventfd args = {
		.handle = fz_sync(lane, arg[0], arg[1]),
		.flags = (uint32_t)arg[4],
		.point = arg[3],
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOWR(0xcf, struct fz_syncobj_eventfd),
			       &args);

	fz_slot_put(&lane->state->fd[arg[2] % FZ_FDS], args.fd);
	return rc;
}

/* file, slot, size: on a card with dumb buffers, which this one is not */
FZ_RUN(dumb)
{
	struct drm_mode_create_dumb args = {
		.width = (uint32_t)(arg[2] / 4 % 65536),
		.height = 1,
		.bpp = 32,
	};
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_MODE_CREATE_DUMB, &args);

	if (!rc)
		lane->state->handle[arg[0] % FZ_FILES][arg[1] % FZ_HANDLES] = args.handle;
	return rc;
}

/* file, handle, flags: vgem's, a fence that only its user ends, or 10 seconds */
FZ_RUN(vgem_fence)
{
	struct {
		uint32_t handle, flags, out, pad;
	} attach = { fz_handle(lane, arg[0], arg[1]), (uint32_t)arg[2], 0, 0 };
	struct {
		uint32_t fence, flags;
	} signal;
	int rc;

	/* Elsewhere the numbers mean something else */
	if (arg[0] % FZ_FILES < FZ_OTHER)
		return -EINVAL;
	rc = fz_file_ioctl(lane, arg[0], DRM_IOWR(DRM_COMMAND_BASE + 1, attach), &attach);
	if (rc)
		return rc;
	usleep((unsigned int)(arg[2] % 4 * 300));
	signal.fence = attach.out;
	signal.flags = 0;
	return fz_file_ioctl(lane, arg[0], DRM_IOW(DRM_COMMAND_BASE + 2, signal), &signal);
}
