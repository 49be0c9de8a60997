// SPDX-License-Identifier: GPL-2.0
/*
 * What could not be evicted keeps its place in VRAM while the card sleeps, and its
 * content is copied to system pages and back. It is the pages of VRAM that are
 * copied, not buffers: so it does not matter whose they are, nor whether they are
 * pinned, shared, mapped, or have been freed while a job that has not begun still
 * needs them, and many small buffers cost no more than a large one.
 *
 * The pages are allocated while the system is awake and can swap others out for
 * them, and topped up at the end. They are the driver's, not buffers': they do not
 * count against what buffers may hold.
 *
 * The callbacks of a sleep come one after the other, so there are no locks.
 */
#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "pddgpu_device.h"
#include "pddgpu_hw.h"
#include "pddgpu_paging.h"
#include "pddgpu_save.h"
#include "pddgpu_vram_mgr.h"
#include "pddgpu_vram_used.h"

/* Pages between two looks at how much memory is left */
#define PDDGPU_SAVE_LOOK	1024
/* What is left to others: a part of the RAM */
#define PDDGPU_SAVE_RESERVE	32

/**
 * struct pddgpu_save - a copy of what is in VRAM
 */
struct pddgpu_save {
	/** @pdev: the device; constant */
	struct pddgpu_device *pdev;
	/** @pages: system pages */
	struct page **pages;
	/** @count: how many */
	u64 count;
	/** @room: for how many there is room in @pages */
	u64 room;
	/** @used: a bit for each page of VRAM that was copied; NULL: there is no copy */
	unsigned long *used;
};

static unsigned long pddgpu_save_vram_pages(struct pddgpu_save *save)
{
	return pddgpu_vram_mgr_size(save->pdev->vram_mgr) >> PAGE_SHIFT;
}

static void pddgpu_save_drop(struct pddgpu_save *save)
{
	kvfree(save->used);
	save->used = NULL;
}

static int pddgpu_save_grow(struct pddgpu_save *save, u64 room)
{
	struct page **pages;

	pages = kvmalloc_array(room, sizeof(*pages), GFP_KERNEL | __GFP_NOWARN);
	if (!pages)
		return -ENOMEM;
	if (save->count)
		memcpy(pages, save->pages, save->count * sizeof(*pages));
	kvfree(save->pages);
	save->pages = pages;
	save->room = room;
	return 0;
}

/* Would so many pages leave enough to others? */
static bool pddgpu_save_can_have(u64 pages)
{
	long swap = get_nr_swap_pages();
	u64 available = si_mem_available() + max(swap, 0l);

	return available >= pages + totalram_pages() / PDDGPU_SAVE_RESERVE;
}

/*
 * As many pages as are wanted. The kernel may swap others out for them, but kills
 * nobody; when the system is going to sleep it does not swap any more either.
 */
static int pddgpu_save_fill(struct pddgpu_save *save, u64 wanted)
{
	struct page *page;
	int ret;

	if (wanted <= save->count)
		return 0;
	if (!pddgpu_save_can_have(wanted - save->count))
		return -ENOMEM;
	ret = wanted > save->room ? pddgpu_save_grow(save, wanted) : 0;
	while (!ret && save->count < wanted) {
		if (!(save->count % PDDGPU_SAVE_LOOK)) {
			cond_resched();
			if (signal_pending(current))
				return -EINTR;
			if (!pddgpu_save_can_have(0))
				return -ENOMEM;
		}
		page = alloc_page(GFP_KERNEL | __GFP_HIGHMEM | __GFP_RETRY_MAYFAIL |
				  __GFP_NOWARN);
		if (!page)
			return -ENOMEM;
		save->pages[save->count++] = page;
	}
	return ret;
}

/**
 * pddgpu_save_prepare() - get memory for what is in VRAM now
 * @save: the copy, not made
 *
 * Users may go on.
 *
 * Return: 0, -ENOMEM or -EINTR.
 */
int pddgpu_save_prepare(struct pddgpu_save *save)
{
	struct pddgpu_vram_mgr *mgr = save->pdev->vram_mgr;

	return pddgpu_save_fill(save, (pddgpu_vram_mgr_usage(mgr) -
				       pddgpu_vram_mgr_reserved(mgr)) >> PAGE_SHIFT);
}

/* By the CPU, as far as it reaches; what it does not reach is an error. */
static int pddgpu_save_by_cpu(struct pddgpu_save *save, bool to_vram)
{
	u64 visible = pddgpu_vram_mgr_visible_size(save->pdev->vram_mgr) >> PAGE_SHIFT;
	void __iomem *vram = pddgpu_hw_vram(save->pdev->hw);
	struct page **pages = save->pages;
	unsigned long bit;

	for_each_set_bit(bit, save->used, pddgpu_save_vram_pages(save)) {
		void *mem;

		if (bit >= visible)
			return -EIO;
		mem = kmap_local_page(*pages);
		if (to_vram)
			memcpy_toio(vram + ((u64)bit << PAGE_SHIFT), mem, PAGE_SIZE);
		else
			memcpy_fromio(mem, vram + ((u64)bit << PAGE_SHIFT), PAGE_SIZE);
		kunmap_local(mem);
		pages++;
		cond_resched();
	}
	return 0;
}

static int pddgpu_save_copy(struct pddgpu_save *save, bool to_vram)
{
	const struct pddgpu_paging_set set = {
		.used = save->used,
		.end = pddgpu_save_vram_pages(save),
		.pages = save->pages,
	};

	if (!pddgpu_paging_copy_set(save->pdev, &set, to_vram))
		return 0;
	return pddgpu_save_by_cpu(save, to_vram);
}

/**
 * pddgpu_save_vram() - copy what is in VRAM
 * @save: the copy, not made; the paging engine works, nobody uses VRAM, and
 *	nothing is being cleared
 * @bytes: out: how much it was
 *
 * Return: 0, -ENOMEM, or -EIO for what can be reached no more.
 */
int pddgpu_save_vram(struct pddgpu_save *save, u64 *bytes)
{
	unsigned long pages = pddgpu_save_vram_pages(save);
	u64 wanted;
	int ret;

	*bytes = 0;
	pddgpu_save_drop(save);
	save->used = kvcalloc(BITS_TO_LONGS(pages), sizeof(long), GFP_KERNEL | __GFP_NOWARN);
	if (!save->used)
		return -ENOMEM;
	ret = pddgpu_vram_mgr_used(save->pdev->vram_mgr, save->used);
	wanted = bitmap_weight(save->used, pages);
	if (!ret)
		ret = pddgpu_save_fill(save, wanted);
	if (!ret && wanted)
		ret = pddgpu_save_copy(save, false);
	if (ret)
		pddgpu_save_drop(save);
	else
		*bytes = wanted << PAGE_SHIFT;
	return ret;
}

/**
 * pddgpu_save_restore() - copy it back
 * @save: the copy, made; the paging engine works, and nobody else uses VRAM
 *
 * The memory is kept until pddgpu_save_free().
 *
 * Return: 0, or an errno when part of it could not be copied; then it is lost.
 */
int pddgpu_save_restore(struct pddgpu_save *save)
{
	int ret = 0;

	if (!save->used)
		return 0;
	if (!bitmap_empty(save->used, pddgpu_save_vram_pages(save)))
		ret = pddgpu_save_copy(save, true);
	pddgpu_save_drop(save);
	return ret;
}

/**
 * pddgpu_save_free() - the system is awake again
 * @save: the copy, restored or never made
 */
void pddgpu_save_free(struct pddgpu_save *save)
{
	pddgpu_save_drop(save);
	while (save->count)
		__free_page(save->pages[--save->count]);
	kvfree(save->pages);
	save->pages = NULL;
	save->room = 0;
}

static void pddgpu_save_release(struct drm_device *drm, void *arg)
{
	pddgpu_save_free(arg);
}

/**
 * pddgpu_save_init() - get ready to copy VRAM
 * @pdev: the device
 *
 * Return: a copy that has not been made, ended with the DRM device; or an error
 * pointer.
 */
struct pddgpu_save *pddgpu_save_init(struct pddgpu_device *pdev)
{
	struct pddgpu_save *save;
	int ret;

	save = drmm_kzalloc(&pdev->drm, sizeof(*save), GFP_KERNEL);
	if (!save)
		return ERR_PTR(-ENOMEM);
	save->pdev = pdev;
	ret = drmm_add_action_or_reset(&pdev->drm, pddgpu_save_release, save);
	return ret ? ERR_PTR(ret) : save;
}
