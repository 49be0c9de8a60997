// SPDX-License-Identifier: GPL-2.0
/*
 * What buffers know of their use, for who is to say which of them are leaks. They
 * note it without a lock, and it is read under the leak tracker's, which no other may
 * be taken in: a buffer that the tracker lists is valid memory, no more.
 *
 * Whether a buffer's fences are signalled can only be asked by who has a reference;
 * and a reference is noticed, since the buffer goes when that is given back. So it is
 * not taken where @idle says that there is nothing to ask. Who adds a fence clears
 * that afterwards; who asks sets it before, and clears it again when there is one.
 */
#include <linux/container_of.h>
#include <linux/dma-resv.h>
#include <linux/kref.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_bo.h"
#include "pddgpu_bo_evidence.h"
#include "pddgpu_compat.h"

static struct pddgpu_bo *node_bo(const struct pddgpu_leak_node *node)
{
	return container_of(node, struct pddgpu_bo, leak);
}

/*
 * Is there a dma-buf of it? DRM knows of one as long as there are handles; afterwards
 * what has GEM's reference, and is no mapping, is one.
 */
static bool bo_is_exported(const struct pddgpu_bo *bo, enum pddgpu_leak_state state)
{
	if (bo->dma_buf || !READ_ONCE(bo->account.exported))
		return false;
	if (state == PDDGPU_LEAK_ORPHAN)
		return kref_read(&bo->tbo.base.refcount) >
		       pddgpu_ttm_map_refs(atomic_read(&bo->maps));
	return state == PDDGPU_LEAK_LIVE && READ_ONCE(bo->tbo.base.dma_buf);
}

/**
 * pddgpu_bo_look() - what a buffer knows of its use
 * @node: its node
 * @state: its state
 * @evidence: out: all but PDDGPU_OBJECT_BASELINE and PDDGPU_OBJECT_BUSY
 *
 * Context: the leak tracker's lock is held.
 */
void pddgpu_bo_look(const struct pddgpu_leak_node *node, enum pddgpu_leak_state state,
		    struct pddgpu_leak_evidence *evidence)
{
	const struct pddgpu_bo *bo = node_bo(node);
	u32 is = 0;

	if (atomic_read(&bo->maps))
		is |= PDDGPU_OBJECT_MAPPED;
	if (READ_ONCE(bo->wish_count))
		is |= PDDGPU_OBJECT_UNPAGEABLE;
	if (bo_is_exported(bo, state))
		is |= PDDGPU_OBJECT_EXPORTED;
	if (bo->dma_buf)
		is |= PDDGPU_OBJECT_IMPORTED;
	else if (node->is.foreign)
		is |= PDDGPU_OBJECT_KERNEL;
	if (READ_ONCE(bo->unfreed))
		is |= PDDGPU_OBJECT_UNFREED;
	if (READ_ONCE(bo->account.swapped))
		is |= PDDGPU_OBJECT_SWAPPED;
	evidence->is = is;
	evidence->used_ns = READ_ONCE(bo->used_ns);
	evidence->touched_ns = READ_ONCE(bo->touched_ns);
}

/**
 * pddgpu_bo_look_hold() - is a buffer to be asked whether it is busy?
 * @node: its node
 * @freed: it is a ZOMBIE
 * @is: PDDGPU_OBJECT_BUSY is added where that is known already
 *
 * Context: the leak tracker's lock is held.
 * Return: the buffer for pddgpu_bo_look_busy(), with a reference; or NULL.
 */
struct pddgpu_bo *pddgpu_bo_look_hold(const struct pddgpu_leak_node *node, bool freed, u32 *is)
{
	struct pddgpu_bo *bo = node_bo(node);

	if (freed) {
		/* That is what it waits for */
		*is |= PDDGPU_OBJECT_BUSY;
		return NULL;
	}
	/* Others add fences to what they share without a word */
	if (READ_ONCE(bo->idle) && !bo->dma_buf && !READ_ONCE(bo->account.exported))
		return NULL;
	return pddgpu_ttm_bo_tryget(&bo->tbo) ? bo : NULL;
}

/**
 * pddgpu_bo_look_busy() - ask a buffer whether it is busy
 * @bo: the buffer; its reference is given back
 *
 * Context: may sleep; no lock is held.
 * Return: whether a job or a move of it is not done.
 */
bool pddgpu_bo_look_busy(struct pddgpu_bo *bo)
{
	bool busy;

	WRITE_ONCE(bo->idle, true);
	/* A fence that is not seen here is followed by a word that there is one */
	smp_mb();
	busy = !dma_resv_test_signaled(bo->tbo.base.resv, DMA_RESV_USAGE_BOOKKEEP);
	if (busy)
		WRITE_ONCE(bo->idle, false);
	pddgpu_ttm_bo_unget(&bo->tbo);
	return busy;
}
