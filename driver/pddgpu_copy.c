// SPDX-License-Identifier: GPL-2.0
/*
 * Copying by the CPU, block by block, through the visible window: VRAM may be
 * scattered, so TTM's own linear copy would corrupt it. Not while the chip is being
 * reset: what is copied comes before a loss of VRAM, or after it and stays.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/ttm/ttm_tt.h>

#include "pddgpu_copy.h"
#include "pddgpu_device.h"
#include "pddgpu_hw.h"
#include "pddgpu_res_cursor.h"
#include "pddgpu_vram_mgr.h"

/* Between two looks at whether somebody else wants the CPU */
#define PDDGPU_COPY_CHUNK	SZ_1M

static bool pddgpu_copy_reachable(struct ttm_resource *res)
{
	return to_pddgpu_vram_resource(res)->visible >= res->size;
}

/**
 * pddgpu_copy_clear() - fill VRAM with zeros
 * @pdev: the device, inside drm_dev_enter()
 * @res: a resource of the VRAM manager that nobody uses, nor has since it was
 *	allocated: what was clear then is left alone
 *
 * Return: 0, or -EINVAL where the CPU does not reach.
 */
int pddgpu_copy_clear(struct pddgpu_device *pdev, struct ttm_resource *res)
{
	void __iomem *vram = pddgpu_hw_vram(pdev->hw);
	struct pddgpu_res_cursor cur;

	if (!pddgpu_copy_reachable(res))
		return -EINVAL;

	pddgpu_res_first(res, 0, res->size, &cur);
	down_read(&pdev->reset_sem);
	while (cur.remaining) {
		u64 bytes = min_t(u64, cur.size, PDDGPU_COPY_CHUNK);

		if (!pddgpu_res_is_clear(&cur))
			memset_io(vram + cur.offset, 0, bytes);
		pddgpu_res_next(&cur, bytes);
		cond_resched();
	}
	up_read(&pdev->reset_sem);
	return 0;
}

/**
 * pddgpu_copy_pages() - copy between VRAM and system pages
 * @pdev: the device, inside drm_dev_enter()
 * @res: a resource of the VRAM manager
 * @tt: the pages, populated
 * @to_vram: which way
 *
 * Nobody else uses either.
 *
 * Return: 0, -EINVAL where the CPU does not reach, or -ENODEV when the card is gone.
 */
int pddgpu_copy_pages(struct pddgpu_device *pdev,
		      struct ttm_resource *res, struct ttm_tt *tt, bool to_vram)
{
	void __iomem *vram = pddgpu_hw_vram(pdev->hw);
	struct pddgpu_res_cursor cur;
	u32 page;

	if (!pddgpu_copy_reachable(res))
		return -EINVAL;

	/* Blocks are whole pages, so a page is never split */
	pddgpu_res_first(res, 0, res->size, &cur);
	down_read(&pdev->reset_sem);
	for (page = 0; cur.remaining; page++) {
		void *mem = kmap_local_page(tt->pages[page]);

		if (to_vram)
			memcpy_toio(vram + cur.offset, mem, PAGE_SIZE);
		else
			memcpy_fromio(mem, vram + cur.offset, PAGE_SIZE);
		kunmap_local(mem);
		pddgpu_res_next(&cur, PAGE_SIZE);
		cond_resched();
	}
	up_read(&pdev->reset_sem);
	/* It may have fallen off the bus meanwhile, and all that was read be ones */
	return pddgpu_hw_look(pdev->hw) ? 0 : -ENODEV;
}

/**
 * pddgpu_copy_vram() - copy between two places in VRAM
 * @pdev: the device, inside drm_dev_enter()
 * @from: a resource of the VRAM manager
 * @to: another one, as large
 *
 * Return: 0, -EINVAL where the CPU does not reach, -ENOMEM, or -ENODEV when the card
 * is gone.
 */
int pddgpu_copy_vram(struct pddgpu_device *pdev,
		     struct ttm_resource *from, struct ttm_resource *to)
{
	void __iomem *vram = pddgpu_hw_vram(pdev->hw);
	struct pddgpu_res_cursor src, dst;
	void *bounce;

	if (!pddgpu_copy_reachable(from) || !pddgpu_copy_reachable(to))
		return -EINVAL;
	bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!bounce)
		return -ENOMEM;

	pddgpu_res_first(from, 0, from->size, &src);
	pddgpu_res_first(to, 0, to->size, &dst);
	down_read(&pdev->reset_sem);
	while (src.remaining) {
		memcpy_fromio(bounce, vram + src.offset, PAGE_SIZE);
		memcpy_toio(vram + dst.offset, bounce, PAGE_SIZE);
		pddgpu_res_next(&src, PAGE_SIZE);
		pddgpu_res_next(&dst, PAGE_SIZE);
		cond_resched();
	}
	up_read(&pdev->reset_sem);
	kfree(bounce);
	return pddgpu_hw_look(pdev->hw) ? 0 : -ENODEV;
}

/**
 * pddgpu_copy_access_vram() - read or write a buffer's VRAM by the CPU
 * @pdev: the device, inside drm_dev_enter()
 * @res: a resource of the VRAM manager; the buffer is reserved
 * @offset: byte of the buffer
 * @buf: the other side
 * @len: bytes; @offset + @len lies within the buffer
 * @write: to VRAM
 *
 * Return: 0, or -EINVAL where the CPU does not reach.
 */
int pddgpu_copy_access_vram(struct pddgpu_device *pdev, struct ttm_resource *res,
			    u64 offset, void *buf, u64 len, bool write)
{
	void __iomem *vram = pddgpu_hw_vram(pdev->hw);
	struct pddgpu_res_cursor cur;

	if (!pddgpu_copy_reachable(res))
		return -EINVAL;

	pddgpu_res_first(res, offset, len, &cur);
	down_read(&pdev->reset_sem);
	while (cur.remaining) {
		u64 bytes = cur.size;

		if (write)
			memcpy_toio(vram + cur.offset, buf, bytes);
		else
			memcpy_fromio(buf, vram + cur.offset, bytes);
		buf += bytes;
		pddgpu_res_next(&cur, bytes);
	}
	up_read(&pdev->reset_sem);
	return 0;
}

/**
 * pddgpu_copy_access_pages() - read or write a buffer's system pages
 * @tt: the pages, populated; the buffer is reserved
 * @offset: byte of the buffer
 * @buf: the other side
 * @len: bytes; @offset + @len lies within the buffer
 * @write: to the pages
 */
void pddgpu_copy_access_pages(struct ttm_tt *tt, u64 offset, void *buf, u64 len,
			      bool write)
{
	while (len) {
		struct page *page = tt->pages[offset >> PAGE_SHIFT];
		u64 bytes = min_t(u64, len, PAGE_SIZE - offset_in_page(offset));

		if (write)
			memcpy_to_page(page, offset_in_page(offset), buf, bytes);
		else
			memcpy_from_page(buf, page, offset_in_page(offset), bytes);
		offset += bytes;
		buf += bytes;
		len -= bytes;
	}
}
