// SPDX-License-Identifier: GPL-2.0
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>

#include "pddgpu_account.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_fdinfo.h"
#include "pddgpu_file.h"

static_assert(PDDGPU_ENGINE_COUNT == PDDGPU_ACCOUNT_ENGINES);

/* "memory" is the name that all drivers have for system memory */
static const char * const pddgpu_fdinfo_regions[PDDGPU_ACCOUNT_REGIONS] = {
	[PDDGPU_ACCOUNT_VRAM] = "vram",
	[PDDGPU_ACCOUNT_GTT] = "gtt",
	[PDDGPU_ACCOUNT_MEMORY] = "memory",
};

static const char * const pddgpu_fdinfo_engines[PDDGPU_ENGINE_COUNT] = {
	[PDDGPU_ENGINE_USER] = "copy",
	[PDDGPU_ENGINE_PAGING] = "paging",
};

static void pddgpu_fdinfo_show_region(struct drm_printer *p,
				      const struct pddgpu_account_figures *has, u32 region)
{
	/* Nothing can be purged: no content is given up before its user does */
	const enum drm_gem_object_status known = DRM_GEM_OBJECT_RESIDENT |
						 DRM_GEM_OBJECT_PURGEABLE |
						 DRM_GEM_OBJECT_ACTIVE;
	const struct drm_memory_stats stats = {
		.shared = has->shared[region],
		.private = has->total[region] - has->shared[region],
		.resident = has->resident[region],
		.active = has->active[region],
	};

	drm_print_memory_stats(p, &stats, known, pddgpu_fdinfo_regions[region]);
}

/**
 * pddgpu_fdinfo_show() - the DRM driver's show_fdinfo callback
 * @p: where to
 * @file: whose figures
 *
 * The DRM core has said who it is, and holds drm_dev_enter(). Takes the same time
 * whatever the client has.
 */
void pddgpu_fdinfo_show(struct drm_printer *p, struct drm_file *file)
{
	struct pddgpu_account_client *client = to_pddgpu_file(file)->account;
	struct pddgpu_device *pdev = to_pddgpu(file->minor->dev);
	struct pddgpu_account_figures has;
	u32 i;

	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		pddgpu_engine_tick(pdev->engine[i]);
		drm_printf(p, "drm-engine-%s:\t%llu ns\n", pddgpu_fdinfo_engines[i],
			   (u64)atomic64_read(&client->engine_ns[i]));
	}
	pddgpu_account_read(pdev->account, client, &has);
	for (i = 0; i < PDDGPU_ACCOUNT_REGIONS; i++)
		pddgpu_fdinfo_show_region(p, &has, i);
	drm_printf(p, "pddgpu-evictions:\t%llu\n", has.evictions);
}
