// SPDX-License-Identifier: GPL-2.0
/*
 * What users say about where a buffer may live, and whether it is to stay there.
 */
#include <linux/slab.h>

#include "pddgpu_bo.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_loss.h"
#include "pddgpu_room.h"
#include "pddgpu_unpageable.h"

/* Move a reserved buffer into the one domain, if it is not there. */
static int pddgpu_bo_move_to(struct pddgpu_device *pdev, struct pddgpu_bo *bo, u32 domain,
			     u32 flags)
{
	struct ttm_operation_ctx ctx = { .interruptible = true };
	struct pddgpu_bo_placement placement;
	int ret;

	ret = pddgpu_bo_placement_init(pdev, &placement, bo->tbo.base.size,
				       (u64)bo->tbo.page_alignment << PAGE_SHIFT,
				       domain, bo->flags | flags);
	if (!ret)
		ret = ttm_bo_validate(&bo->tbo, &placement.base, &ctx);
	/* What is to stay in the CPU domain stays in memory too */
	if (!ret && flags && domain == PDDGPU_GEM_DOMAIN_CPU)
		ret = pddgpu_ttm_populate(&bo->tbo, &ctx);
	return ret;
}

/* The same for one that then is unpageable for @client, whose account it is on. */
static int pddgpu_bo_move_to_stay(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
				  u32 domain, struct pddgpu_unpageable_client *client)
{
	int ret = pddgpu_unpageable_charge(pdev, bo, client, domain);

	if (ret)
		return ret;
	ret = pddgpu_bo_move_to(pdev, bo, domain, PDDGPU_GEM_CREATE_UNPAGEABLE);
	if (ret)
		pddgpu_unpageable_uncharge(pdev, bo, client, domain);
	return ret;
}

/* What to say when no domain took it: that there may be room soon comes first. */
static int pddgpu_bo_worse(int a, int b)
{
	if (a == -ENOMEM || b == -ENOMEM)
		return -ENOMEM;
	return a == -EDQUOT || b == -EDQUOT ? -EDQUOT : -E2BIG;
}

/*
 * One domain after the other: given them all at once, TTM would leave it in the
 * last of them rather than look for room in the second. @stay: for whom it is to
 * be unpageable then; or NULL.
 */
static int pddgpu_bo_move_into(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			       u32 domains, struct pddgpu_unpageable_client *stay)
{
	int ret = -E2BIG, result = -E2BIG;
	u32 domain;

	bo->settle = true;
	for (domain = PDDGPU_GEM_DOMAIN_VRAM; domain; domain >>= 1) {
		if (!(domains & domain))
			continue;
		if (stay)
			ret = pddgpu_bo_move_to_stay(pdev, bo, domain, stay);
		else
			ret = pddgpu_bo_move_to(pdev, bo, domain, 0);
		if (ret != -ENOMEM && ret != -E2BIG && ret != -EDQUOT)
			break;
		result = pddgpu_bo_worse(result, ret);
		ret = result;
	}
	bo->settle = false;
	return ret;
}

/* Charge a buffer that others keep where it is already, and is to stay. */
static int pddgpu_bo_stay_too(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			      struct pddgpu_unpageable_client *client)
{
	return pddgpu_unpageable_charge(pdev, bo, client,
					pddgpu_bo_domain(bo->tbo.resource));
}

/*
 * Move it if it may, and leave it charged to the client if that is a new wish.
 * @old: the client's wish; @keep: it has one afterwards.
 */
static int pddgpu_bo_place(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			   const struct pddgpu_bo_wanted *wanted,
			   struct pddgpu_wish *old, bool keep)
{
	const u32 stay = PDDGPU_GEM_SET_UNPAGEABLE | PDDGPU_GEM_SET_PAGEABLE;
	bool others = bo->tbo.pin_count > (old ? 1 : 0);
	int ret;

	/* Another device's pin is no wish: to ask for a move is to ask too much */
	if (bo->dma_buf ||
	    (bo->tbo.pin_count > bo->wish_count && !(wanted->flags & stay)))
		return -EBUSY;
	if (others || (old && keep)) {
		if (wanted->domains != bo->domains)
			return -EBUSY;
		return keep && !old ? pddgpu_bo_stay_too(pdev, bo, wanted->client) : 0;
	}
	if (!old)
		return pddgpu_bo_move_into(pdev, bo, wanted->domains,
					   keep ? wanted->client : NULL);
	/* It ends its own wish, unless the move fails */
	ttm_bo_unpin(&bo->tbo);
	ret = pddgpu_bo_move_into(pdev, bo, wanted->domains, NULL);
	ttm_bo_pin(&bo->tbo);
	return ret;
}

/* Let the wish go with the handle, which may have gone already. */
static int pddgpu_bo_wish_by(struct pddgpu_device *pdev, struct pddgpu_wish *wish,
			     const struct pddgpu_bo_wanted *wanted, bool is_new)
{
	u32 before = wish->handle;

	wish->handle = wanted->handle;
	if (pddgpu_wish_has_handle(wish, wanted->file))
		return 0;
	wish->handle = before;
	if (is_new)
		pddgpu_wish_end(pdev, wish);
	return -ENOENT;
}

static int pddgpu_bo_try_set_domains(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
				     const struct pddgpu_bo_wanted *wanted, u32 *now)
{
	struct pddgpu_wish *old, *wish = NULL;
	bool keep;
	int ret;

	if (wanted->flags & PDDGPU_GEM_SET_UNPAGEABLE) {
		wish = kzalloc(sizeof(*wish), GFP_KERNEL);
		if (!wish)
			return -ENOMEM;
	}
	ret = ttm_bo_reserve(&bo->tbo, true, false, NULL);
	if (ret)
		goto out_free;
	old = pddgpu_wish_find(bo, wanted->client);
	keep = wish || (old && !(wanted->flags & PDDGPU_GEM_SET_PAGEABLE));
	ret = pddgpu_bo_place(pdev, bo, wanted, old, keep);
	if (ret)
		goto out_unreserve;

	if (wanted->flags & PDDGPU_GEM_SET_VRAM_LOST_SEEN)
		pddgpu_loss_forget(pdev, bo);
	bo->domains = wanted->domains;
	pddgpu_account_prefer(pdev->account, &bo->account, pddgpu_bo_region(bo->domains));
	*now = pddgpu_bo_domain(bo->tbo.resource);
	if (old && !keep) {
		pddgpu_wish_end(pdev, old);
	} else if (wish && old) {
		ret = pddgpu_bo_wish_by(pdev, old, wanted, false);
	} else if (wish) {
		pddgpu_wish_add(pdev, wish, bo, wanted->client);
		ret = pddgpu_bo_wish_by(pdev, wish, wanted, true);
		wish = NULL;
	}
out_unreserve:
	ttm_bo_unreserve(&bo->tbo);
out_free:
	kfree(wish);
	return ret;
}

/**
 * pddgpu_bo_set_domains() - change where a buffer may live, and move it there
 * @pdev: the device
 * @bo: the buffer
 * @wanted: where, and whether it is to stay there
 * @now: out: the domain it is in now
 *
 * Takes the reservation. See struct drm_pddgpu_gem_set_domain for what becomes of
 * unpageable buffers.
 *
 * Return: 0; -EBUSY for a buffer that has to stay where it is, -EDQUOT when a
 * limit is in the way, -EINVAL and -E2BIG as pddgpu_bo_create(), -ENOMEM,
 * -ERESTARTSYS, -ENODEV. On failure nothing has changed. -ENOENT when the handle
 * is closed meanwhile: then the buffer is there, and pageable.
 */
int pddgpu_bo_set_domains(struct pddgpu_device *pdev, struct pddgpu_bo *bo,
			  const struct pddgpu_bo_wanted *wanted, u32 *now)
{
	u32 stay = wanted->flags & PDDGPU_GEM_SET_UNPAGEABLE ?
		   PDDGPU_GEM_CREATE_UNPAGEABLE : 0;
	const struct pddgpu_bo_param param = {
		.size = bo->tbo.base.size,
		.alignment = bo->tbo.page_alignment << PAGE_SHIFT,
		.domains = wanted->domains,
		.flags = bo->flags | stay,
	};
	struct pddgpu_room room;
	int ret;

	pddgpu_room_init(&room, wanted->account, true);
	ret = pddgpu_bo_check(pdev, &param);
	while (!ret) {
		pddgpu_room_search(pdev, &room);
		ret = pddgpu_bo_try_set_domains(pdev, bo, wanted, now);
		pddgpu_room_found(pdev, &room);
		if (!ret) {
			pddgpu_room_done(pdev, &room, wanted->domains);
			break;
		}
		ret = pddgpu_room_retry(pdev, &room, wanted->domains, ret);
	}
	return ret;
}
