// SPDX-License-Identifier: MIT
/* The driver's own ioctls */
#include "fuzz.h"

/* file, slot, size, alignment, domains, flags, pad */
FZ_RUN(create)
{
	struct drm_pddgpu_gem_create args = {
		.size = arg[2],
		.alignment = (uint32_t)arg[3],
		.domains = (uint32_t)arg[4],
		.flags = (uint32_t)arg[5],
		.pad = arg[6],
	};
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_GEM_CREATE, &args);

	if (!rc)
		lane->state->handle[arg[0] % FZ_FILES][arg[1] % FZ_HANDLES] = args.handle;
	return rc;
}

/* file, handle, pad, flags */
FZ_RUN(gem_map)
{
	struct drm_pddgpu_gem_map args = {
		.handle = fz_handle(lane, arg[0], arg[1]),
		.pad = (uint32_t)arg[2],
		.flags = arg[3],
	};

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_GEM_MAP, &args);
}

/* file, handle, pad */
FZ_RUN(info)
{
	struct drm_pddgpu_gem_info args = {
		.handle = fz_handle(lane, arg[0], arg[1]),
		.pad = (uint32_t)arg[2],
	};
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_GEM_INFO, &args);

	if (!rc && !lane->unstable &&
	    (args.size % PDT_PAGE || !args.size || !args.domain ||
	     args.domain & (args.domain - 1) || args.domain & ~PDDGPU_GEM_DOMAIN_MASK ||
	     !args.offset == !!(args.domain & ~PDDGPU_GEM_DOMAIN_CPU)))
		fz_fail("GEM_INFO: size %llx offset %llx domain %x", args.size, args.offset,
			args.domain);
	return rc;
}

/* file, handle, pad */
FZ_RUN(destroy)
{
	struct drm_pddgpu_gem_destroy args = {
		.handle = fz_handle(lane, arg[0], arg[1]),
		.pad = (uint32_t)arg[2],
	};

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_GEM_DESTROY, &args);
}

/* file, handle, flags, time */
FZ_RUN(wait)
{
	struct drm_pddgpu_gem_wait args = {
		.handle = fz_handle(lane, arg[0], arg[1]),
		.flags = (uint32_t)arg[2],
		.timeout_ns = fz_deadline(arg[3]),
	};

	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_GEM_WAIT, &args);
}

/* file, handle, domains, flags */
FZ_RUN(set_domain)
{
	struct drm_pddgpu_gem_set_domain args = {
		.handle = fz_handle(lane, arg[0], arg[1]),
		.domains = (uint32_t)arg[2],
		.flags = (uint32_t)arg[3],
	};
	int rc = fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &args);

	/* Another may move it, but not to where it may not live */
	if (!rc && !lane->unstable && args.domain & (args.domain - 1))
		fz_fail("SET_DOMAIN: domain %x", args.domain);
	return rc;
}

/* opcode, pattern, destination, its offset, source, its offset, bytes */
FZ_RUN(add_op)
{
	if (lane->op_count == FZ_OPS)
		return -ENOSPC;
	/* Handles are still slots: the file is known when it is submitted */
	lane->ops[lane->op_count++] = (struct drm_pddgpu_submit_op){
		.opcode = (uint32_t)arg[0],
		.pattern = (uint32_t)arg[1],
		.dst_handle = (uint32_t)(arg[2] & FZ_LITERAL ? arg[2] | 1U << 31 : arg[2]),
		.dst_offset = arg[3],
		.src_handle = (uint32_t)(arg[4] & FZ_LITERAL ? arg[4] | 1U << 31 : arg[4]),
		.src_offset = arg[5],
		.bytes = arg[6],
	};
	return 0;
}

/* which way, syncobj, flags, point */
FZ_RUN(add_sync)
{
	unsigned int way = arg[0] & 1;

	if (lane->sync_count[way] == FZ_OPS)
		return -ENOSPC;
	lane->syncs[way][lane->sync_count[way]++] = (struct drm_pddgpu_sync){
		.handle = (uint32_t)(arg[1] & FZ_LITERAL ? arg[1] | 1U << 31 : arg[1]),
		.flags = (uint32_t)arg[2],
		.point = arg[3],
	};
	return 0;
}

static uint32_t staged_handle(struct fz_lane *lane, uint64_t file, uint32_t handle)
{
	return fz_handle(lane, file, handle >> 31 ? FZ_LITERAL | (handle & ~(1U << 31)) : handle);
}

static uint32_t staged_sync(struct fz_lane *lane, uint64_t file, uint32_t handle)
{
	return fz_sync(lane, file, handle >> 31 ? FZ_LITERAL | (handle & ~(1U << 31)) : handle);
}

static unsigned char *append(unsigned char **end, const void *data, size_t bytes)
{
	unsigned char *at = *end;

	memcpy(at, data, bytes);
	*end += bytes;
	return at;
}

/* file, pointer, pointer, flags, more operations, more waits, more signals */
FZ_RUN(submit)
{
	struct drm_pddgpu_submit_op ops[FZ_OPS];
	struct drm_pddgpu_sync syncs[2][FZ_OPS];
	unsigned char *end = lane->scratch;
	size_t bytes = lane->op_count * sizeof(ops[0]);
	struct drm_pddgpu_submit args = {
		.op_count = lane->op_count + (uint32_t)arg[4],
		.wait_count = lane->sync_count[0] + (uint32_t)arg[5],
		.signal_count = lane->sync_count[1] + (uint32_t)arg[6],
		.flags = (uint32_t)arg[3],
	};

	memcpy(ops, lane->ops, bytes);
	for (unsigned int i = 0; i < lane->op_count; i++) {
		ops[i].dst_handle = staged_handle(lane, arg[0], ops[i].dst_handle);
		if (ops[i].opcode != PDDGPU_SUBMIT_FILL || ops[i].src_handle)
			ops[i].src_handle = staged_handle(lane, arg[0], ops[i].src_handle);
	}
	for (unsigned int way = 0; way < 2; way++) {
		for (unsigned int i = 0; i < lane->sync_count[way]; i++) {
			syncs[way][i] = lane->syncs[way][i];
			syncs[way][i].handle = staged_sync(lane, arg[0], syncs[way][i].handle);
		}
	}
	args.wait_syncs = (uintptr_t)append(&end, syncs[0],
					    lane->sync_count[0] * sizeof(syncs[0][0]));
	args.signal_syncs = (uintptr_t)append(&end, syncs[1],
					      lane->sync_count[1] * sizeof(syncs[1][0]));
	if (arg[2] % FZ_POINTERS != FZ_GOOD)
		args.signal_syncs = (uintptr_t)fz_pointer(lane, arg[2], syncs[1],
							  sizeof(syncs[1]) / FZ_OPS *
							  lane->sync_count[1]);
	args.ops = (uintptr_t)fz_pointer(lane, arg[1], ops, bytes);
	/* The same again, or something new next */
	if (!(arg[1] & 0x100)) {
		lane->op_count = 0;
		lane->sync_count[0] = 0;
		lane->sync_count[1] = 0;
	}
	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_SUBMIT, &args);
}

/* file, type, size, pointer, flags */
FZ_RUN(query)
{
	static const unsigned char zeros[1024];
	struct drm_pddgpu_query args = {
		.type = (uint32_t)arg[1],
		.size = (uint32_t)arg[2],
		.flags = arg[4],
	};
	size_t room = args.size < sizeof(zeros) ? args.size : sizeof(zeros);

	args.data = (uintptr_t)fz_pointer(lane, arg[3], zeros, room);
	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_QUERY, &args);
}

/*
 * file, type, size, pointer, after or site, stride, flags: a query that reads what is
 * there before it answers
 */
FZ_RUN(ask)
{
	struct drm_pddgpu_query args = {
		.type = (uint32_t)arg[1],
		.size = (uint32_t)arg[2],
	};
	unsigned char data[4096] = { 0 };
	struct drm_pddgpu_objects header = {
		.after = arg[4],
		.stride = (uint32_t)arg[5],
		.flags = arg[6],
	};
	size_t room = args.size < sizeof(data) ? args.size : sizeof(data);

	/* The headers of both lists are alike; a site's is its number */
	memcpy(data, &header, sizeof(header));
	args.data = (uintptr_t)fz_pointer(lane, arg[3], data, room);
	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_QUERY, &args);
}

/* file, number, size, direction, pointer, seed: anything at all */
FZ_RUN(raw)
{
	unsigned char data[512];
	uint64_t random = arg[5];
	unsigned long request = _IOC(arg[3] & 3, 'd', arg[1] & 0xff, arg[2] % sizeof(data));

	for (size_t i = 0; i < sizeof(data); i += 8) {
		uint64_t r = pdt_random(&random);

		/* Small numbers are handles and flags, more often than not */
		r = r & 1 ? 0 : r & 2 ? (r >> 8 & 0xf) : r & 4 ? (r >> 8 & 0xff) << 32 : r;
		memcpy(data + i, &r, 8);
	}
	/* Waits for long are their caller's wish */
	switch (arg[1] & 0xff) {
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_WAIT):
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT):
	case _IOC_NR(DRM_IOCTL_SYNCOBJ_TRANSFER):
	case DRM_COMMAND_BASE + DRM_PDDGPU_GEM_WAIT:
		return 0;
	}
	/* Of another driver, see call_core.c */
	if (arg[0] % FZ_FILES >= FZ_OTHER && (arg[1] & 0xff) >= 0xbf)
		return 0;
	return fz_file_ioctl(lane, arg[0], request,
			     fz_pointer(lane, arg[4], data, arg[2] % sizeof(data)));
}

/* file, handle, pointer, seed, pad: a label, that may be too long or have no end */
FZ_RUN(label)
{
	uint64_t random = arg[3] | 1;
	char text[96];
	struct drm_pddgpu_gem_set_label args = {
		.handle = fz_handle(lane, arg[0], arg[1]),
		.pad = (uint32_t)arg[4],
	};

	for (size_t i = 0; i < sizeof(text); i += 8) {
		uint64_t r = pdt_random(&random);

		memcpy(text + i, &r, 8);
	}
	if (arg[3] & 7)
		text[arg[3] % 70] = '\0';
	args.label = (uintptr_t)fz_pointer(lane, arg[2], text, sizeof(text));
	return fz_file_ioctl(lane, arg[0], DRM_IOCTL_PDDGPU_GEM_SET_LABEL, &args);
}
