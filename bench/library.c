// SPDX-License-Identifier: MIT
/*
 * What libpddgpu adds to the ioctls that it is made of. Both ways of asking for the
 * same take turns, and what is compared is their times within a round, so that what
 * else goes on in the machine weighs on both.
 */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/sync_file.h>
#include <pddgpu.h>

/* What both ways work on */
struct library {
	struct pddgpu_device *dev;
	struct pddgpu_bo *bo;
	struct pddgpu_job *job;
	int fd;
	uint32_t syncobj;
};

static void need(int ret)
{
	if (ret < 0)
		die("libpddgpu: %s", pddgpu_strerror(ret));
}

static void bare_create(struct library *l)
{
	card_destroy(l->fd, card_create(l->fd, KIB(4), PDDGPU_GEM_DOMAIN_VRAM));
}

static void library_create(struct library *l)
{
	struct pddgpu_bo *bo;

	need(pddgpu_bo_create(l->dev, KIB(4), PDDGPU_GEM_DOMAIN_VRAM, 0, &bo));
	pddgpu_bo_free(bo);
}

static void bare_info(struct library *l)
{
	struct drm_pddgpu_gem_info info = { .handle = pddgpu_bo_handle(l->bo) };

	need(call(l->fd, DRM_IOCTL_PDDGPU_GEM_INFO, &info));
}

static void library_info(struct library *l)
{
	struct pddgpu_bo_info info;

	need(pddgpu_bo_get_info(l->bo, &info));
}

static void bare_stats(struct library *l)
{
	struct drm_pddgpu_memory_stats stats;

	card_query(l->fd, PDDGPU_QUERY_MEMORY_STATS, &stats, sizeof(stats));
}

static void library_stats(struct library *l)
{
	struct drm_pddgpu_memory_stats stats;

	need(pddgpu_query_stats(l->dev, &stats));
}

/* A job, the wait for it, and how it ended, for which the kernel wants a file */
static void bare_job(struct library *l)
{
	struct drm_pddgpu_submit_op op = {
		.opcode = PDDGPU_SUBMIT_FILL,
		.dst_handle = pddgpu_bo_handle(l->bo),
		.bytes = KIB(4),
	};
	struct drm_pddgpu_sync done = { .handle = l->syncobj };
	struct drm_pddgpu_submit submit = {
		.ops = (uintptr_t)&op,
		.op_count = 1,
		.signal_syncs = (uintptr_t)&done,
		.signal_count = 1,
	};
	struct drm_syncobj_wait wait = {
		.handles = (uintptr_t)&l->syncobj,
		.count_handles = 1,
		.timeout_nsec = INT64_MAX,
	};
	struct drm_syncobj_handle file = {
		.handle = l->syncobj,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
	};
	struct sync_file_info info = { .num_fences = 0 };

	need(call(l->fd, DRM_IOCTL_PDDGPU_SUBMIT, &submit));
	need(call(l->fd, DRM_IOCTL_SYNCOBJ_WAIT, &wait));
	need(call(l->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &file));
	need(call(file.fd, SYNC_IOC_FILE_INFO, &info));
	close(file.fd);
	need(info.status);
}

static void library_job(struct library *l)
{
	need(pddgpu_job_submit(l->job));
	need(pddgpu_job_wait(l->job, -1, NULL));
}

static const struct pair {
	const char *name;
	void (*bare)(struct library *l);
	void (*library)(struct library *l);
	unsigned int calls;	/* in a round, one way */
} pairs[] = {
	{ "a buffer made and freed", bare_create, library_create, 50 },
	{ "GEM_INFO", bare_info, library_info, 500 },
	{ "QUERY of the statistics", bare_stats, library_stats, 500 },
	{ "a job, and how it ended", bare_job, library_job, 20 },
};

static double time_of(struct library *l, void (*way)(struct library *l), unsigned int calls)
{
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < calls; i++)
		way(l);
	return (double)(now_ns() - start) / calls / 1000;
}

/* Percent more than without the library */
static double compare(struct bench *b, struct library *l, const struct pair *pair)
{
	struct samples bare = { 0 }, library = { 0 }, more = { 0 };
	struct summary sum;
	char name[56];
	double times[2];

	for (int i = 0; i < (b->quick ? 20 : 200); i++) {
		/* Who is first takes turns too. */
		times[i % 2] = time_of(l, i % 2 ? pair->library : pair->bare, pair->calls);
		times[!(i % 2)] = time_of(l, i % 2 ? pair->bare : pair->library, pair->calls);
		samples_add(&bare, times[0]);
		samples_add(&library, times[1]);
		samples_add(&more, 100 * (times[1] / times[0] - 1));
	}
	report_row(b->report, "library", pair->name, 0, "us", samples_end(&bare));
	snprintf(name, sizeof(name), "%s, by libpddgpu", pair->name);
	sum = samples_end(&library);
	report_row(b->report, "library", name, 0, "us", sum);
	sum = samples_end(&more);
	report_row(b->report, "library", "  more, within a round", 0, "%", sum);
	return sum.median;
}

void bench_library(struct bench *b)
{
	struct drm_syncobj_create create = { .flags = 0 };
	struct library l = { .dev = NULL };
	double worst = -INFINITY;

	need(pddgpu_open(NULL, &l.dev));
	l.fd = pddgpu_fd(l.dev);
	need(pddgpu_bo_create(l.dev, KIB(4), PDDGPU_GEM_DOMAIN_VRAM, 0, &l.bo));
	need(pddgpu_job_create(l.dev, &l.job));
	need(pddgpu_job_fill(l.job, l.bo, 0, KIB(4), 0));
	need(call(l.fd, DRM_IOCTL_SYNCOBJ_CREATE, &create));
	l.syncobj = create.handle;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		double more = compare(b, &l, &pairs[i]);

		if (more > worst)
			worst = more;
	}
	report_print_rows(b->report, "libpddgpu, beside the ioctls it makes");
	report_figure(b->report, "libpddgpu, the most that it adds to a call", "%", worst,
		      true, 1);
	pddgpu_job_free(l.job);
	pddgpu_bo_free(l.bo);
	pddgpu_close(l.dev);
}
