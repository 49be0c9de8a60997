// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the GTT manager's record is right, and rebuilding it (requirements C4
 * and C6). It is kept twice: drm_mm knows what addresses are taken, and a list
 * knows what buffers hold. Each request and each freeing looks at one place and
 * the sum; all of it is compared on request.
 */
#include <linux/mm.h>
#include <linux/spinlock.h>

#include <drm/drm_mm.h>
#include <drm/ttm/ttm_resource.h>

#include "pddgpu_gtt_mgr.h"
#include "pddgpu_gtt_mgr_internal.h"
#include "pddgpu_health.h"

/* Nodes that are taken out or put in at once: others wait for the lock */
#define PDDGPU_GTT_REBUILD_BATCH	32

static u64 pddgpu_gtt_pages(const struct pddgpu_gtt_resource *gres)
{
	return PFN_UP(gres->base.size);
}

static bool pddgpu_gtt_sum_fits(struct pddgpu_gtt_mgr *mgr)
{
	u64 used = mgr->live_pages + mgr->reserved.size;

	if (likely(used <= mgr->aperture_pages))
		return true;
	pddgpu_health_fail(&mgr->health, "%llu pages in use, of %llu", used,
			   mgr->aperture_pages);
	return false;
}

/**
 * pddgpu_gtt_ready() - may addresses be taken?
 * @mgr: the manager, locked
 *
 * Return: 0 or what pddgpu_health_errno() says.
 */
int pddgpu_gtt_ready(struct pddgpu_gtt_mgr *mgr)
{
	lockdep_assert_held(&mgr->lock);

	if (!pddgpu_health_ready(&mgr->health))
		return pddgpu_health_errno(&mgr->health);
	if (!pddgpu_gtt_sum_fits(mgr))
		return -EIO;
	if (unlikely(mgr->inject.alloc)) {
		mgr->inject.alloc = false;
		pddgpu_health_fail(&mgr->health, "the allocator said %d", -EUCLEAN);
		return -EIO;
	}
	return 0;
}

/**
 * pddgpu_gtt_hold() - a buffer holds addresses from now on
 * @mgr: the manager, locked
 * @gres: what it holds, with its node
 */
void pddgpu_gtt_hold(struct pddgpu_gtt_mgr *mgr, struct pddgpu_gtt_resource *gres)
{
	lockdep_assert_held(&mgr->lock);

	gres->placed = true;
	gres->base.start = gres->node.start;
	list_add_tail(&gres->live, &mgr->live);
	mgr->live_count++;
	mgr->live_pages += pddgpu_gtt_pages(gres);
}

/* What is wrong with what a buffer holds, in words; NULL: nothing. */
static const char *pddgpu_gtt_what_is_wrong(struct pddgpu_gtt_mgr *mgr,
					    struct pddgpu_gtt_resource *gres)
{
	if (!drm_mm_node_allocated(&gres->node))
		return "an address that a buffer holds is free";
	if (gres->node.start != gres->base.start ||
	    gres->node.size != pddgpu_gtt_pages(gres))
		return "a buffer holds more or less than it was given";
	if (gres->node.start + gres->node.size > mgr->aperture_pages)
		return "a buffer holds addresses beyond the end";
	return NULL;
}

/**
 * pddgpu_gtt_release() - a buffer gives its addresses up; works in any state
 * @mgr: the manager, locked
 * @gres: what it held
 */
void pddgpu_gtt_release(struct pddgpu_gtt_mgr *mgr, struct pddgpu_gtt_resource *gres)
{
	const char *wrong = NULL;

	lockdep_assert_held(&mgr->lock);

	list_del(&gres->live);
	mgr->live_count--;
	mgr->live_pages -= pddgpu_gtt_pages(gres);
	/* In ERROR the record is being rebuilt, perhaps, and this not in it yet */
	if (pddgpu_health_ready(&mgr->health))
		wrong = pddgpu_gtt_what_is_wrong(mgr, gres);
	if (unlikely(mgr->inject.free) && !wrong) {
		mgr->inject.free = false;
		wrong = "a test asked for it";
	}
	if (unlikely(wrong))
		pddgpu_health_fail(&mgr->health, "when one was freed: %s", wrong);
	if (drm_mm_node_allocated(&gres->node))
		drm_mm_remove_node(&gres->node);
	if (pddgpu_health_ready(&mgr->health))
		pddgpu_gtt_sum_fits(mgr);
}

static const char *pddgpu_gtt_check_all(struct pddgpu_gtt_mgr *mgr)
{
	u64 pages = 0, count = 0, taken = 0, end = 0, bytes = 0;
	struct pddgpu_gtt_resource *gres;
	struct drm_mm_node *node;
	const char *wrong;

	list_for_each_entry(gres, &mgr->live, live) {
		wrong = pddgpu_gtt_what_is_wrong(mgr, gres);
		if (wrong)
			return wrong;
		pages += pddgpu_gtt_pages(gres);
		bytes += gres->base.size;
		count++;
	}
	if (pages != mgr->live_pages || count != mgr->live_count)
		return "the buffers' sum is wrong";
	drm_mm_for_each_node(node, &mgr->mm) {
		if (node->start < end)
			return "two buffers hold the same address";
		end = node->start + node->size;
		taken += node->size;
	}
	if (taken != pages + mgr->reserved.size)
		return "addresses are taken that nobody holds";
	/* TTM counts a place before it is one, and until after it was */
	if (bytes > ttm_resource_manager_usage(&mgr->manager))
		return "TTM knows of less than is held";
	return NULL;
}

/**
 * pddgpu_gtt_mgr_check() - compare the allocator with what buffers hold
 * @mgr: the manager
 *
 * Takes the manager's lock, for as long as it takes: some 0.1 us a buffer.
 *
 * Return: 0; -EIO when it is in ERROR, now or before; -ENODEV.
 */
int pddgpu_gtt_mgr_check(struct pddgpu_gtt_mgr *mgr)
{
	const char *wrong;
	int ret;

	spin_lock(&mgr->lock);
	pddgpu_health_checked(&mgr->health);
	ret = pddgpu_health_errno(&mgr->health);
	if (!ret) {
		wrong = pddgpu_gtt_check_all(mgr);
		if (wrong) {
			pddgpu_health_fail(&mgr->health, "when it was checked: %s", wrong);
			ret = -EIO;
		}
	}
	spin_unlock(&mgr->lock);
	return ret;
}

/* Empty the allocator, some nodes at a time; what buffers hold stays in their list. */
static void pddgpu_gtt_forget(struct pddgpu_gtt_mgr *mgr)
{
	struct drm_mm_node *node, *next;
	unsigned int batch = 0;

	lockdep_assert_held(&mgr->lock);

	while (!drm_mm_clean(&mgr->mm)) {
		drm_mm_for_each_node_safe(node, next, &mgr->mm) {
			drm_mm_remove_node(node);
			if (++batch % PDDGPU_GTT_REBUILD_BATCH == 0)
				break;
		}
		cond_resched_lock(&mgr->lock);
	}
	drm_mm_takedown(&mgr->mm);
	drm_mm_init(&mgr->mm, 0, mgr->aperture_pages);
}

/*
 * Put what buffers hold into the allocator, where it is. What has been put is at
 * the list's end; buffers that go meanwhile leave the list. Nobody takes any more
 * in ERROR.
 */
static int pddgpu_gtt_put_all(struct pddgpu_gtt_mgr *mgr)
{
	struct pddgpu_gtt_resource *gres;
	unsigned int batch = 0;
	int ret;

	lockdep_assert_held(&mgr->lock);

	for (;;) {
		gres = list_first_entry_or_null(&mgr->live, struct pddgpu_gtt_resource, live);
		if (!gres || drm_mm_node_allocated(&gres->node))
			return 0;
		gres->node.start = gres->base.start;
		gres->node.size = pddgpu_gtt_pages(gres);
		gres->node.color = 0;
		ret = drm_mm_reserve_node(&mgr->mm, &gres->node);
		if (ret)
			return ret == -ENOSPC ? -EBUSY : ret;
		list_move_tail(&gres->live, &mgr->live);
		if (++batch % PDDGPU_GTT_REBUILD_BATCH == 0)
			cond_resched_lock(&mgr->lock);
	}
}

static int pddgpu_gtt_recover(struct pddgpu_health *health)
{
	struct pddgpu_gtt_mgr *mgr = container_of(health, struct pddgpu_gtt_mgr, health);
	struct pddgpu_gtt_resource *gres;
	bool reserved;
	int ret = 0;

	spin_lock(&mgr->lock);
	reserved = mgr->reserved.size;
	pddgpu_gtt_forget(mgr);
	if (reserved)
		ret = drm_mm_reserve_node(&mgr->mm, &mgr->reserved);
	if (!ret)
		ret = pddgpu_gtt_put_all(mgr);
	if (!ret) {
		mgr->live_count = 0;
		mgr->live_pages = 0;
		list_for_each_entry(gres, &mgr->live, live) {
			mgr->live_count++;
			mgr->live_pages += pddgpu_gtt_pages(gres);
		}
		pddgpu_health_recovered(health);
	}
	spin_unlock(&mgr->lock);
	return ret;
}

/* See pddgpu_vram_usable() */
static void pddgpu_gtt_usable(struct pddgpu_health *health, bool usable)
{
	struct pddgpu_gtt_mgr *mgr = container_of(health, struct pddgpu_gtt_mgr, health);

	WRITE_ONCE(mgr->manager.use_type, usable);
}

const struct pddgpu_health_ops pddgpu_gtt_health_ops = {
	.recover = pddgpu_gtt_recover,
	.usable = pddgpu_gtt_usable,
};

/**
 * pddgpu_gtt_mgr_recover() - recover the manager from ERROR (requirement C6)
 * @mgr: the manager
 *
 * What buffers hold stays where it is. Others free meanwhile.
 *
 * Context: process, without locks; sleeps.
 * Return: as pddgpu_health_recover(): -EBUSY when two hold the same address.
 */
int pddgpu_gtt_mgr_recover(struct pddgpu_gtt_mgr *mgr)
{
	return pddgpu_health_recover(&mgr->health);
}

/**
 * pddgpu_gtt_mgr_inject() - spoil the record, for a test
 * @mgr: the manager
 * @fault: how
 *
 * It is not told: it has to notice.
 *
 * Return: 0; -ENOSPC when there is nothing to lose; -EBUSY when it is lost still.
 */
int pddgpu_gtt_mgr_inject(struct pddgpu_gtt_mgr *mgr, enum pddgpu_health_fault fault)
{
	int ret = 0;

	spin_lock(&mgr->lock);
	switch (fault) {
	case PDDGPU_HEALTH_FAULT_LOST:
		ret = -EBUSY;
		if (!drm_mm_node_allocated(&mgr->inject.lost))
			ret = drm_mm_insert_node(&mgr->mm, &mgr->inject.lost, 1);
		break;
	case PDDGPU_HEALTH_FAULT_ACCOUNT:
		mgr->live_pages += mgr->aperture_pages;
		break;
	case PDDGPU_HEALTH_FAULT_FREE:
		mgr->inject.free = true;
		break;
	case PDDGPU_HEALTH_FAULT_ALLOC:
		mgr->inject.alloc = true;
		break;
	case PDDGPU_HEALTH_FAULT_RECOVER:
		pddgpu_health_fail_next(&mgr->health, true);
		break;
	default:
		mgr->inject.free = false;
		mgr->inject.alloc = false;
		pddgpu_health_fail_next(&mgr->health, false);
		break;
	}
	spin_unlock(&mgr->lock);
	return ret;
}

/**
 * pddgpu_gtt_mgr_health() - the manager's health
 * @mgr: the manager
 *
 * Return: it.
 */
struct pddgpu_health *pddgpu_gtt_mgr_health(struct pddgpu_gtt_mgr *mgr)
{
	return &mgr->health;
}

/**
 * pddgpu_gtt_mgr_is_healthy() - is the manager READY? (requirement C4)
 * @mgr: the manager
 *
 * Return: true when it is.
 */
bool pddgpu_gtt_mgr_is_healthy(struct pddgpu_gtt_mgr *mgr)
{
	return pddgpu_health_ready(&mgr->health);
}

/**
 * pddgpu_gtt_mgr_get_stats() - the manager's figures (requirement C4)
 * @mgr: the manager
 * @stats: out: as they are at one moment; takes the manager's lock
 */
void pddgpu_gtt_mgr_get_stats(struct pddgpu_gtt_mgr *mgr, struct pddgpu_gtt_stats *stats)
{
	spin_lock(&mgr->lock);
	stats->total_size = mgr->limit;
	stats->used_size = mgr->live_pages << PAGE_SHIFT;
	stats->buffers = mgr->live_count;
	pddgpu_health_get_stats(&mgr->health, &stats->health);
	spin_unlock(&mgr->lock);
}
