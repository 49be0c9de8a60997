// SPDX-License-Identifier: MIT
/* Jobs for the copy engine. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <xf86drm.h>

#include "internal.h"

/* Syncobjs that a job waits for, or signals */
struct syncs {
	struct drm_pddgpu_sync *list;
	uint32_t count, room;
};

struct pddgpu_job {
	struct pddgpu_device *dev;
	struct drm_pddgpu_submit_op *ops;
	uint32_t count, room;
	struct syncs waits;
	/* The first is the library's own, by which the job is waited for. */
	struct syncs signals;
	bool submitted;
};

/* The list with room for one more of @bytes bytes each; NULL without memory */
static void *make_room(void *list, uint32_t count, uint32_t *room, size_t bytes)
{
	uint32_t more = *room ? *room * 2 : 8;
	void *bigger;

	if (count < *room)
		return list;
	bigger = reallocarray(list, more, bytes);
	if (bigger)
		*room = more;
	return bigger;
}

static int sync_add(struct syncs *syncs, uint32_t handle, uint64_t point)
{
	struct drm_pddgpu_sync *list;

	if (syncs->count >= PDDGPU_SUBMIT_SYNCS_MAX)
		return -E2BIG;
	list = make_room(syncs->list, syncs->count, &syncs->room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	syncs->list = list;
	list[syncs->count++] = (struct drm_pddgpu_sync) { .handle = handle, .point = point };
	return 0;
}

int pddgpu_job_create(struct pddgpu_device *dev, struct pddgpu_job **out)
{
	struct pddgpu_job *job = calloc(1, sizeof(*job));
	uint32_t syncobj;
	int ret;

	if (!job)
		return -ENOMEM;
	ret = drmSyncobjCreate(dev->fd, 0, &syncobj) ? -errno : 0;
	if (!ret) {
		ret = sync_add(&job->signals, syncobj, 0);
		if (ret)
			drmSyncobjDestroy(dev->fd, syncobj);
	}
	if (ret) {
		free(job);
		return ret;
	}
	job->dev = pddi_ref(dev);
	*out = job;
	return 0;
}

static int op_add(struct pddgpu_job *job, const struct drm_pddgpu_submit_op *op)
{
	struct drm_pddgpu_submit_op *ops;

	if (job->count >= PDDGPU_SUBMIT_OPS_MAX)
		return -E2BIG;
	ops = make_room(job->ops, job->count, &job->room, sizeof(*ops));
	if (!ops)
		return -ENOMEM;
	job->ops = ops;
	ops[job->count++] = *op;
	return 0;
}

int pddgpu_job_copy(struct pddgpu_job *job, struct pddgpu_bo *dst, uint64_t dst_offset,
		    struct pddgpu_bo *src, uint64_t src_offset, uint64_t bytes)
{
	struct drm_pddgpu_submit_op op = {
		.opcode = PDDGPU_SUBMIT_COPY,
		.dst_handle = pddgpu_bo_handle(dst),
		.src_handle = pddgpu_bo_handle(src),
		.dst_offset = dst_offset,
		.src_offset = src_offset,
		.bytes = bytes,
	};

	/* There the handles are others' buffers. */
	if (pddi_bo_device(dst) != job->dev || pddi_bo_device(src) != job->dev)
		return -EINVAL;
	return op_add(job, &op);
}

int pddgpu_job_fill(struct pddgpu_job *job, struct pddgpu_bo *dst, uint64_t offset,
		    uint64_t bytes, uint32_t pattern)
{
	struct drm_pddgpu_submit_op op = {
		.opcode = PDDGPU_SUBMIT_FILL,
		.pattern = pattern,
		.dst_handle = pddgpu_bo_handle(dst),
		.dst_offset = offset,
		.bytes = bytes,
	};

	return pddi_bo_device(dst) == job->dev ? op_add(job, &op) : -EINVAL;
}

int pddgpu_job_wait_for(struct pddgpu_job *job, uint32_t syncobj, uint64_t point)
{
	return sync_add(&job->waits, syncobj, point);
}

int pddgpu_job_signal(struct pddgpu_job *job, uint32_t syncobj, uint64_t point)
{
	return sync_add(&job->signals, syncobj, point);
}

int pddgpu_job_submit(struct pddgpu_job *job)
{
	struct drm_pddgpu_submit submit = {
		.ops = (uintptr_t)job->ops,
		.op_count = job->count,
		.wait_syncs = (uintptr_t)job->waits.list,
		.wait_count = job->waits.count,
		.signal_syncs = (uintptr_t)job->signals.list,
		.signal_count = job->signals.count,
	};
	int ret = pddi_ioctl(job->dev, DRM_IOCTL_PDDGPU_SUBMIT, &submit);

	if (!ret)
		job->submitted = true;
	return ret;
}

/* How what is done has ended: 0 or an error. A syncobj itself does not tell. */
static int outcome(struct pddgpu_job *job, int *error)
{
	struct sync_file_info info = { .num_fences = 0 };
	int fd, ret;

	if (drmSyncobjExportSyncFile(job->dev->fd, job->signals.list[0].handle, &fd))
		return -errno;
	ret = drmIoctl(fd, SYNC_IOC_FILE_INFO, &info) ? -errno : 0;
	close(fd);
	if (!ret)
		*error = info.status < 0 ? info.status : 0;
	return ret;
}

int pddgpu_job_wait(struct pddgpu_job *job, int64_t timeout_ns, int *error)
{
	int ended = 0, ret;

	if (!job->submitted)
		return -EINVAL;
	/* It returns the error itself. */
	ret = drmSyncobjWait(job->dev->fd, &job->signals.list[0].handle, 1,
			     pddi_deadline(timeout_ns), 0, NULL);
	if (!ret)
		ret = outcome(job, &ended);
	if (ret)
		return ret;
	if (!error)
		return ended;
	*error = ended;
	return 0;
}

void pddgpu_job_reset(struct pddgpu_job *job)
{
	job->count = 0;
	job->waits.count = 0;
	job->signals.count = 1;
}

void pddgpu_job_free(struct pddgpu_job *job)
{
	if (!job)
		return;
	drmSyncobjDestroy(job->dev->fd, job->signals.list[0].handle);
	free(job->signals.list);
	free(job->waits.list);
	free(job->ops);
	pddgpu_close(job->dev);
	free(job);
}
