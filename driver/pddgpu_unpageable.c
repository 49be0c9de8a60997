// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers that users keep unpageable.
 *
 * Locks: a buffer's reservation guards its list of wishes, and all that decides
 * whether it may move; within it struct pddgpu_unpageable's lock, a leaf, guards
 * the sums and the clients' lists. What is charged was charged before the wish
 * existed, and is given back after it has ended, so that no limit is ever passed.
 *
 * A wish ends with its handle: GEM empties the handle's slot before it calls the
 * close callback, so that who adds a wish and then finds the slot still full will
 * be seen by that callback, and who finds it empty takes the wish back himself.
 */
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_managed.h>

#include "pddgpu_bo.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_unpageable.h"
#include "pddgpu_vram_mgr.h"

/*
 * One client cannot take what others need, and four that do their worst leave
 * half a segment to those who evict each other. For the administrator to change.
 */
#define PDDGPU_UNPAGEABLE_CLIENT_SHARE	8
#define PDDGPU_UNPAGEABLE_ALL_SHARE	2

/**
 * struct pddgpu_unpageable - the limits of a card
 */
struct pddgpu_unpageable {
	/** @lock: guards what is below, and in the clients; a leaf */
	spinlock_t lock;
	/** @limit: by enum pddgpu_unpageable_segment */
	struct pddgpu_unpageable_limit limit[PDDGPU_UNPAGEABLE_SEGMENTS];
};

/**
 * pddgpu_unpageable_init() - set the limits
 * @pdev: the device; its managers have the sizes that they keep
 *
 * Return: 0 or -ENOMEM; freed with the DRM device.
 */
int pddgpu_unpageable_init(struct pddgpu_device *pdev)
{
	u64 visible = pddgpu_vram_mgr_visible_size(pdev->vram_mgr);
	struct pddgpu_unpageable *unpageable;
	struct pddgpu_unpageable_limit *limit;

	unpageable = drmm_kzalloc(&pdev->drm, sizeof(*unpageable), GFP_KERNEL);
	if (!unpageable)
		return -ENOMEM;
	spin_lock_init(&unpageable->lock);
	limit = unpageable->limit;
	limit[PDDGPU_UNPAGEABLE_VRAM].size = visible;
	limit[PDDGPU_UNPAGEABLE_INVISIBLE].size =
		pddgpu_vram_mgr_size(pdev->vram_mgr) - visible;
	/* Pages in the aperture or not: the smaller of the two bounds both */
	limit[PDDGPU_UNPAGEABLE_SYSTEM].size = pddgpu_gtt_mgr_size(pdev->gtt_mgr);
	for (; limit < unpageable->limit + PDDGPU_UNPAGEABLE_SEGMENTS; limit++) {
		limit->client = limit->size / PDDGPU_UNPAGEABLE_CLIENT_SHARE;
		limit->all = limit->size / PDDGPU_UNPAGEABLE_ALL_SHARE;
	}
	pdev->unpageable = unpageable;
	return 0;
}

/* Where a buffer lands, or is, once it is unpageable; see pddgpu_bo_add_vram(). */
static enum pddgpu_unpageable_segment
pddgpu_unpageable_segment(struct pddgpu_device *pdev, u32 domain, u32 flags)
{
	if (domain != PDDGPU_GEM_DOMAIN_VRAM)
		return PDDGPU_UNPAGEABLE_SYSTEM;
	if (flags & PDDGPU_GEM_CREATE_NO_CPU_ACCESS &&
	    pdev->unpageable->limit[PDDGPU_UNPAGEABLE_INVISIBLE].size)
		return PDDGPU_UNPAGEABLE_INVISIBLE;
	return PDDGPU_UNPAGEABLE_VRAM;
}

/* Is there room below a limit that may have been lowered since? */
static bool pddgpu_unpageable_fits(u64 used, u64 bytes, u64 limit)
{
	return used <= limit && bytes <= limit - used;
}

static bool pddgpu_unpageable_allows(const struct pddgpu_unpageable_limit *limit,
				     u64 client_used, u64 bytes, bool first)
{
	return pddgpu_unpageable_fits(client_used, bytes, limit->client) &&
	       (!first || pddgpu_unpageable_fits(limit->used, bytes, limit->all));
}

/**
 * pddgpu_unpageable_domains() - where could a new buffer be unpageable now?
 * @pdev: the device
 * @client: whose it would be
 * @size: bytes
 * @domains: a set
 * @flags: creation flags
 *
 * Return: those of the set in which no limit is in the way, unless others are
 * quicker.
 */
u32 pddgpu_unpageable_domains(struct pddgpu_device *pdev,
			      struct pddgpu_unpageable_client *client, u64 size,
			      u32 domains, u32 flags)
{
	struct pddgpu_unpageable *unpageable = pdev->unpageable;
	enum pddgpu_unpageable_segment segment;
	u32 domain, allowed = 0;

	spin_lock(&unpageable->lock);
	for (domain = PDDGPU_GEM_DOMAIN_CPU; domain & PDDGPU_GEM_DOMAIN_MASK; domain <<= 1) {
		segment = pddgpu_unpageable_segment(pdev, domain, flags);
		if (domains & domain &&
		    pddgpu_unpageable_allows(&unpageable->limit[segment],
					     client->used[segment], size, true))
			allowed |= domain;
	}
	spin_unlock(&unpageable->lock);
	return allowed;
}

/**
 * pddgpu_unpageable_charge() - count a buffer as unpageable, before it is
 * @pdev: the device
 * @bo: the buffer, reserved
 * @client: who wishes it, and does not yet
 * @domain: where it is or is going to be
 *
 * Return: 0; -EDQUOT when it would pass a limit.
 */
int pddgpu_unpageable_charge(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			     struct pddgpu_unpageable_client *client, u32 domain)
{
	enum pddgpu_unpageable_segment segment =
		pddgpu_unpageable_segment(pdev, domain, bo->flags);
	struct pddgpu_unpageable *unpageable = pdev->unpageable;
	struct pddgpu_unpageable_limit *limit = &unpageable->limit[segment];
	u64 bytes = bo->tbo.base.size;
	bool first = !bo->wish_count;
	int ret = -EDQUOT;

	dma_resv_assert_held(bo->tbo.base.resv);

	spin_lock(&unpageable->lock);
	if (pddgpu_unpageable_allows(limit, client->used[segment], bytes, first)) {
		client->used[segment] += bytes;
		limit->used += first ? bytes : 0;
		ret = 0;
	}
	spin_unlock(&unpageable->lock);
	return ret;
}

/**
 * pddgpu_unpageable_uncharge() - undo pddgpu_unpageable_charge()
 * @pdev: the device
 * @bo: the buffer, reserved
 * @client: whose wish has ended, or was not to be
 * @domain: where it was to be
 */
void pddgpu_unpageable_uncharge(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
				struct pddgpu_unpageable_client *client, u32 domain)
{
	enum pddgpu_unpageable_segment segment =
		pddgpu_unpageable_segment(pdev, domain, bo->flags);
	struct pddgpu_unpageable *unpageable = pdev->unpageable;
	u64 bytes = bo->tbo.base.size;

	dma_resv_assert_held(bo->tbo.base.resv);

	spin_lock(&unpageable->lock);
	client->used[segment] -= bytes;
	if (!bo->wish_count)
		unpageable->limit[segment].used -= bytes;
	spin_unlock(&unpageable->lock);
}

/**
 * pddgpu_wish_find() - a client's wish about a buffer
 * @bo: the buffer, reserved
 * @client: the client
 *
 * Return: the wish, or NULL.
 */
struct pddgpu_wish *pddgpu_wish_find(struct pddgpu_bo *bo,
				     struct pddgpu_unpageable_client *client)
{
	struct pddgpu_wish *wish;

	dma_resv_assert_held(bo->tbo.base.resv);

	list_for_each_entry(wish, &bo->wishes, in_bo) {
		if (wish->client == client)
			return wish;
	}
	return NULL;
}

/**
 * pddgpu_wish_add() - make a buffer unpageable
 * @pdev: the device
 * @wish: the wish, with its handle; allocated with kmalloc()
 * @bo: the buffer, reserved, and charged where it is
 * @client: whose wish
 */
void pddgpu_wish_add(struct pddgpu_device *pdev, struct pddgpu_wish *wish,
		     struct pddgpu_bo *bo, struct pddgpu_unpageable_client *client)
{
	drm_gem_object_get(&bo->tbo.base);
	wish->bo = bo;
	wish->client = client;
	wish->domain = pddgpu_bo_domain(bo->tbo.resource);
	list_add_tail(&wish->in_bo, &bo->wishes);
	WRITE_ONCE(bo->wish_count, bo->wish_count + 1);
	ttm_bo_pin(&bo->tbo);
	spin_lock(&pdev->unpageable->lock);
	list_add_tail(&wish->in_client, &client->wishes);
	spin_unlock(&pdev->unpageable->lock);
}

/**
 * pddgpu_wish_end() - a wish that is no more
 * @pdev: the device
 * @wish: the wish, its buffer reserved and pinned by it; freed
 *
 * The caller has a reference to the buffer, and puts it where it belongs in TTM's
 * lists, as ttm_bo_unreserve() does.
 */
void pddgpu_wish_end(struct pddgpu_device *pdev, struct pddgpu_wish *wish)
{
	struct pddgpu_bo *bo = wish->bo;

	ttm_bo_unpin(&bo->tbo);
	list_del(&wish->in_bo);
	WRITE_ONCE(bo->wish_count, bo->wish_count - 1);
	spin_lock(&pdev->unpageable->lock);
	list_del(&wish->in_client);
	spin_unlock(&pdev->unpageable->lock);
	pddgpu_unpageable_uncharge(pdev, bo, wish->client, wish->domain);
	kfree(wish);
	drm_gem_object_put(&bo->tbo.base);
}

/**
 * pddgpu_wish_has_handle() - is a wish's handle still there?
 * @wish: the wish
 * @file: the client's file
 *
 * Return: false also when another buffer has it by now.
 */
bool pddgpu_wish_has_handle(const struct pddgpu_wish *wish, struct drm_file *file)
{
	struct drm_gem_object *obj;

	spin_lock(&file->table_lock);
	obj = idr_find(&file->object_idr, wish->handle);
	spin_unlock(&file->table_lock);
	return obj == &wish->bo->tbo.base;
}

/**
 * pddgpu_unpageable_handle_close() - GEM closes a handle
 * @bo: its buffer
 * @file: the file it was in
 * @client: that file's client
 *
 * While a file is closed its handles are all there still: what is not ended here
 * pddgpu_unpageable_client_fini() ends.
 */
void pddgpu_unpageable_handle_close(struct pddgpu_bo *bo, struct drm_file *file,
				    struct pddgpu_unpageable_client *client)
{
	struct pddgpu_wish *wish;

	if (!READ_ONCE(bo->wish_count))
		return;
	ttm_bo_reserve(&bo->tbo, false, false, NULL);
	wish = pddgpu_wish_find(bo, client);
	if (wish && !pddgpu_wish_has_handle(wish, file))
		pddgpu_wish_end(to_pddgpu(bo->tbo.base.dev), wish);
	ttm_bo_unreserve(&bo->tbo);
}

/**
 * pddgpu_unpageable_client_init() - a file is opened
 * @client: the client
 */
void pddgpu_unpageable_client_init(struct pddgpu_unpageable_client *client)
{
	INIT_LIST_HEAD(&client->wishes);
}

/**
 * pddgpu_unpageable_client_fini() - a file is closed, and nobody else uses it
 * @pdev: the device
 * @client: the client; what it wished ends
 */
void pddgpu_unpageable_client_fini(struct pddgpu_device *pdev,
				   struct pddgpu_unpageable_client *client)
{
	struct pddgpu_wish *wish;
	struct pddgpu_bo *bo;

	/* Nobody adds or ends any but us */
	while ((wish = list_first_entry_or_null(&client->wishes, struct pddgpu_wish,
						in_client))) {
		bo = wish->bo;
		drm_gem_object_get(&bo->tbo.base);
		ttm_bo_reserve(&bo->tbo, false, false, NULL);
		pddgpu_wish_end(pdev, wish);
		ttm_bo_unreserve(&bo->tbo);
		drm_gem_object_put(&bo->tbo.base);
	}
}

/**
 * pddgpu_unpageable_get_limit() - read the limits of a segment
 * @pdev: the device
 * @segment: the segment
 * @limit: out
 */
void pddgpu_unpageable_get_limit(struct pddgpu_device *pdev,
				 enum pddgpu_unpageable_segment segment,
				 struct pddgpu_unpageable_limit *limit)
{
	spin_lock(&pdev->unpageable->lock);
	*limit = pdev->unpageable->limit[segment];
	spin_unlock(&pdev->unpageable->lock);
}

/**
 * pddgpu_unpageable_set_limit() - change the limits of a segment
 * @pdev: the device
 * @segment: the segment
 * @client: bytes that a client may keep unpageable
 * @all: bytes that all of them may
 *
 * What is unpageable stays so, even if it is more than that.
 *
 * Return: 0; -ERANGE for more than the segment has.
 */
int pddgpu_unpageable_set_limit(struct pddgpu_device *pdev,
				enum pddgpu_unpageable_segment segment, u64 client,
				u64 all)
{
	struct pddgpu_unpageable_limit *limit = &pdev->unpageable->limit[segment];

	if (client > limit->size || all > limit->size)
		return -ERANGE;
	spin_lock(&pdev->unpageable->lock);
	limit->client = client;
	limit->all = all;
	spin_unlock(&pdev->unpageable->lock);
	return 0;
}
