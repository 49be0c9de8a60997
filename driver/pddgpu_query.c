// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_monitor.h"
#include "pddgpu_query.h"
#include "pddgpu_vram_mgr.h"

#define PDDGPU_QUERY_DATA_MAX	SZ_64K

/* The answers are the same for 32 and for 64 bits, and hold no holes */
static_assert(sizeof(struct drm_pddgpu_device_info) == 88);
static_assert(sizeof(struct drm_pddgpu_segment) == 24);
static_assert(sizeof(struct drm_pddgpu_domain_usage) == 40);
static_assert(sizeof(struct drm_pddgpu_memory_stats) ==
	      (31 + 3 * PDDGPU_LATENCY_BUCKETS) * sizeof(u64));
static_assert(sizeof(struct drm_pddgpu_query) == 24);
static_assert(sizeof(struct drm_pddgpu_gem_create) == 32);
static_assert(sizeof(struct drm_pddgpu_gem_map) == 32);
static_assert(sizeof(struct drm_pddgpu_gem_info) == 32);
static_assert(sizeof(struct drm_pddgpu_gem_destroy) == 8);
static_assert(sizeof(struct drm_pddgpu_gem_set_domain) == 16);
static_assert(PDDGPU_SEGMENT_KIND_LOCAL == PDDGPU_SEGMENT_LOCAL);
static_assert(PDDGPU_SEGMENT_KIND_PCIE_SNOOPED == PDDGPU_SEGMENT_PCIE_SNOOPED);
static_assert(PDDGPU_SEGMENT_KIND_PCIE_UNSNOOPED == PDDGPU_SEGMENT_PCIE_UNSNOOPED);

static void pddgpu_query_device_info(struct pddgpu_device *pdev, void *answer)
{
	const struct pddgpu_chip *chip = pdev->chip;
	struct drm_pddgpu_device_info *info = answer;

	info->chip_id = chip->id;
	info->chip_rev = chip->rev;
	info->spec_version = chip->spec_version;
	info->state = pddgpu_device_state(pdev);
	strscpy(info->name, chip->name, sizeof(info->name));
	info->vram_size = chip->vram_size;
	info->vram_visible_size = chip->vram_visible_size;
	info->vram_start = chip->vram_start;
	info->gtt_size = chip->gtt_size;
	info->gtt_start = chip->gtt_start;
	info->pcie_mem_size = pdev->system_limit;
	info->page_size = PAGE_SIZE;
	info->engine_count = PDDGPU_ENGINE_COUNT;
}

static void pddgpu_query_segments(struct pddgpu_device *pdev, void *answer)
{
	const struct pddgpu_chip *chip = pdev->chip;
	struct drm_pddgpu_segment *out = answer;
	u32 i;

	for (i = 0; i < chip->segment_count; i++) {
		const struct pddgpu_segment *segment = &chip->segments[i];

		out[i].kind = segment->kind;
		out[i].domain = segment->kind == PDDGPU_SEGMENT_LOCAL ?
				PDDGPU_GEM_DOMAIN_VRAM : PDDGPU_GEM_DOMAIN_GTT;
		out[i].base = segment->base;
		out[i].size = segment->size;
	}
}

static void pddgpu_query_domain_usage(struct pddgpu_device *pdev, void *answer)
{
	struct ttm_resource_manager *system =
		ttm_manager_type(&pdev->ttm, TTM_PL_SYSTEM);
	struct drm_pddgpu_domain_usage *out = answer;

	out[0].domain = PDDGPU_GEM_DOMAIN_VRAM;
	out[0].total = pddgpu_vram_mgr_size(pdev->vram_mgr);
	out[0].used = pddgpu_vram_mgr_usage(pdev->vram_mgr);
	out[0].visible_total = pddgpu_vram_mgr_visible_size(pdev->vram_mgr);
	out[0].visible_used = pddgpu_vram_mgr_visible_usage(pdev->vram_mgr);

	/* The CPU reaches every system page */
	out[1].domain = PDDGPU_GEM_DOMAIN_GTT;
	out[1].total = pddgpu_gtt_mgr_size(pdev->gtt_mgr);
	out[1].used = pddgpu_gtt_mgr_usage(pdev->gtt_mgr);
	out[1].visible_total = out[1].total;
	out[1].visible_used = out[1].used;

	out[2].domain = PDDGPU_GEM_DOMAIN_CPU;
	out[2].total = pdev->system_limit;
	out[2].used = ttm_resource_manager_usage(system);
	out[2].visible_total = out[2].total;
	out[2].visible_used = out[2].used;
}

static void pddgpu_query_memory_stats(struct pddgpu_device *pdev, void *answer)
{
	pddgpu_memory_stats_get_info(pdev, answer);
}

/**
 * struct pddgpu_query_type - a kind of query
 */
struct pddgpu_query_type {
	/** @size: bytes of the answer; of its element where @count is given */
	u32 size;
	/** @count: how many elements the answer has; NULL for one */
	u32 (*count)(struct pddgpu_device *pdev);
	/** @fill: write the answer into zeroed memory of that size */
	void (*fill)(struct pddgpu_device *pdev, void *answer);
};

static u32 pddgpu_query_segment_count(struct pddgpu_device *pdev)
{
	return pdev->chip->segment_count;
}

static const struct pddgpu_query_type pddgpu_query_types[] = {
	[PDDGPU_QUERY_DEVICE_INFO] = {
		.size = sizeof(struct drm_pddgpu_device_info),
		.fill = pddgpu_query_device_info,
	},
	[PDDGPU_QUERY_SEGMENTS] = {
		.size = sizeof(struct drm_pddgpu_segment),
		.count = pddgpu_query_segment_count,
		.fill = pddgpu_query_segments,
	},
	[PDDGPU_QUERY_DOMAIN_USAGE] = {
		.size = 3 * sizeof(struct drm_pddgpu_domain_usage),
		.fill = pddgpu_query_domain_usage,
	},
	[PDDGPU_QUERY_MEMORY_STATS] = {
		.size = sizeof(struct drm_pddgpu_memory_stats),
		.fill = pddgpu_query_memory_stats,
	},
};

static int pddgpu_query_copy(void __user *to, u32 room, const void *answer, u32 size)
{
	u32 copied = min(room, size);

	if (copy_to_user(to, answer, copied) ||
	    clear_user(to + copied, room - copied))
		return -EFAULT;
	return 0;
}

/**
 * pddgpu_query_ioctl() - DRM_IOCTL_PDDGPU_QUERY
 * @drm: the DRM device
 * @data: struct drm_pddgpu_query
 * @file: who asks
 *
 * Return: 0; -EINVAL, -EFAULT, -ENOMEM.
 */
int pddgpu_query_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct pddgpu_device *pdev = to_pddgpu(drm);
	const struct pddgpu_query_type *type;
	struct drm_pddgpu_query *args = data;
	void *answer;
	u32 size;
	int ret;

	if (args->type >= ARRAY_SIZE(pddgpu_query_types) || args->flags ||
	    args->size > PDDGPU_QUERY_DATA_MAX)
		return -EINVAL;
	type = &pddgpu_query_types[args->type];
	size = type->size * (type->count ? type->count(pdev) : 1);

	if (args->size) {
		answer = kzalloc(size, GFP_KERNEL);
		if (!answer)
			return -ENOMEM;
		type->fill(pdev, answer);
		ret = pddgpu_query_copy(u64_to_user_ptr(args->data), args->size,
					answer, size);
		kfree(answer);
		if (ret)
			return ret;
	}
	args->size = size;
	return 0;
}
