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
#include "pddgpu_leak.h"
#include "pddgpu_monitor.h"
#include "pddgpu_query.h"
#include "pddgpu_vram_mgr.h"

#define PDDGPU_QUERY_DATA_MAX	SZ_64K

/* The answers are the same for 32 and for 64 bits, and hold no holes */
static_assert(sizeof(struct drm_pddgpu_device_info) == 88);
static_assert(sizeof(struct drm_pddgpu_segment) == 24);
static_assert(sizeof(struct drm_pddgpu_domain_usage) == 40);
static_assert(sizeof(struct drm_pddgpu_ownership) == 72);
static_assert(sizeof(struct drm_pddgpu_memory_stats) ==
	      (31 + 3 * PDDGPU_LATENCY_BUCKETS) * sizeof(u64));
static_assert(sizeof(struct drm_pddgpu_query) == 24);
static_assert(sizeof(struct drm_pddgpu_gem_create) == 32);
static_assert(sizeof(struct drm_pddgpu_gem_map) == 32);
static_assert(sizeof(struct drm_pddgpu_gem_info) == 40);
static_assert(sizeof(struct drm_pddgpu_gem_destroy) == 8);
static_assert(sizeof(struct drm_pddgpu_gem_set_domain) == 16);
static_assert(PDDGPU_GEM_DOMAIN_CPU == 1 && PDDGPU_GEM_DOMAIN_GTT == 2 &&
	      PDDGPU_GEM_DOMAIN_VRAM == 4, "as pddgpu_leak_region_of() has it");
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

/* Order of the answer's elements, and what bounds what is used of each */
static const u32 pddgpu_query_domains[] = {
	PDDGPU_GEM_DOMAIN_VRAM, PDDGPU_GEM_DOMAIN_GTT, PDDGPU_GEM_DOMAIN_CPU,
};

#define PDDGPU_QUERY_DOMAINS	ARRAY_SIZE(pddgpu_query_domains)

static void pddgpu_query_used(struct pddgpu_device *pdev, u64 *used)
{
	used[0] = pddgpu_vram_mgr_usage(pdev->vram_mgr);
	used[1] = pddgpu_gtt_mgr_usage(pdev->gtt_mgr);
	used[2] = ttm_resource_manager_usage(ttm_manager_type(&pdev->ttm, TTM_PL_SYSTEM));
}

/*
 * What is used and is no buffer's. The managers' figures are not of the moment of
 * the tracker's, so there are two of them, from before and from after: what comes
 * meanwhile is not in the first, and what goes is not in the second. And they count
 * a request before they find that there is no room for it, which @total is to hide.
 */
static u64 pddgpu_query_kernel(u64 before, u64 after, u64 held, u64 reserved, u64 total)
{
	u64 used = min3(before, after, total);

	return used > held + reserved ? used - held : reserved;
}

static void pddgpu_query_ownership(struct pddgpu_device *pdev, void *answer)
{
	const u64 reserved[PDDGPU_QUERY_DOMAINS] = { pddgpu_vram_mgr_reserved(pdev->vram_mgr) };
	const u64 total[PDDGPU_QUERY_DOMAINS] = {
		pddgpu_vram_mgr_size(pdev->vram_mgr), pddgpu_gtt_mgr_size(pdev->gtt_mgr),
		/* What is in swap is in the CPU domain too */
		U64_MAX,
	};
	u64 before[PDDGPU_QUERY_DOMAINS], after[PDDGPU_QUERY_DOMAINS];
	struct drm_pddgpu_ownership *out = answer;
	struct pddgpu_leak_held held;
	unsigned int i;

	pddgpu_query_used(pdev, before);
	pddgpu_leak_get_held(pdev->leaks, &held);
	pddgpu_query_used(pdev, after);

	for (i = 0; i < PDDGPU_QUERY_DOMAINS; i++) {
		const struct pddgpu_leak_count *in =
			held.in[pddgpu_leak_region_of(pddgpu_query_domains[i])];

		out[i].domain = pddgpu_query_domains[i];
		out[i].live = in[PDDGPU_LEAK_LIVE].bytes;
		out[i].orphan = in[PDDGPU_LEAK_ORPHAN].bytes;
		out[i].zombie = in[PDDGPU_LEAK_ZOMBIE].bytes;
		out[i].live_objects = in[PDDGPU_LEAK_LIVE].objects;
		out[i].orphan_objects = in[PDDGPU_LEAK_ORPHAN].objects;
		out[i].zombie_objects = in[PDDGPU_LEAK_ZOMBIE].objects;
		out[i].used = out[i].live + out[i].orphan + out[i].zombie;
		out[i].kernel = pddgpu_query_kernel(before[i], after[i], out[i].used,
						    reserved[i], total[i]);
		out[i].used += out[i].kernel;
	}
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
	/** @ask: instead of all this: what is at the caller's data says what is asked for */
	int (*ask)(struct pddgpu_device *pdev, struct drm_pddgpu_query *args);
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
	[PDDGPU_QUERY_OWNERSHIP] = {
		.size = PDDGPU_QUERY_DOMAINS * sizeof(struct drm_pddgpu_ownership),
		.fill = pddgpu_query_ownership,
	},
	[PDDGPU_QUERY_OBJECTS] = { .ask = pddgpu_query_objects },
	[PDDGPU_QUERY_SITE] = { .ask = pddgpu_query_site },
	[PDDGPU_QUERY_UNFREED] = { .ask = pddgpu_query_unfreed },
};

/**
 * pddgpu_query_copy() - give an answer
 * @to: where to
 * @room: bytes that the caller has there; what is left of them is zeroed
 * @answer: the answer
 * @size: bytes of it
 *
 * Return: 0 or -EFAULT.
 */
int pddgpu_query_copy(void __user *to, u32 room, const void *answer, u32 size)
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
 * Return: 0; -EINVAL, -EFAULT, -ENOMEM; -ENOENT there is no such site.
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
	if (type->ask)
		return type->ask(pdev, args);
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
