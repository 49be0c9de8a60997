// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <pddgpu_pte.h>
#include <pddgpu_regs.h>

#include "pddgpu_chip.h"
#include "pddgpu_gart.h"
#include "pddgpu_hw.h"
#include "pddgpu_vram_mgr.h"

static_assert(PAGE_SHIFT == PDDGPU_MMU_PAGE_SHIFT);

#define PDDGPU_LEAF_PAGES	PDDGPU_MMU_ENTRIES	/* pages under a level-2 entry */

/**
 * struct pddgpu_gart - the page tables of the GTT aperture
 *
 * In VRAM lie the level-2 tables, one page a GiB, and behind them every level-3
 * table, one page for each 2 MiB of the aperture: all are allocated at the
 * start, so that mapping never fails for want of a table.
 */
struct pddgpu_gart {
	/** @drm: for messages and drm_dev_enter() */
	struct drm_device *drm;
	/** @hw: the card */
	struct pddgpu_hw *hw;
	/** @chip: who writes the first level */
	const struct pddgpu_chip *chip;
	/** @dummy: a page of zeros, read-only for the chip (requirement D3) */
	struct page *dummy;
	/** @dummy_entry: the entry of every page that is not in use */
	u64 dummy_entry;
	/** @pages: pages of the aperture; constant */
	u64 pages;
	/** @l2_offset: of the level-2 tables in VRAM */
	u64 l2_offset;
	/** @l3_offset: of the level-3 tables in VRAM */
	u64 l3_offset;
	/** @lock: guards the tables and @bindings */
	struct mutex lock;
	/** @generation: grows with every change of an entry; see pddgpu_gart_generation() */
	atomic64_t generation;
	/** @bindings: everything that is bound */
	struct list_head bindings;
};

static void pddgpu_gart_write(struct pddgpu_gart *gart, u64 table, u64 index,
			      u64 entry)
{
	writeq(entry, pddgpu_hw_vram(gart->hw) + table +
	       index * PDDGPU_MMU_ENTRY_SIZE);
}

/*
 * The level-2 tables adjoin, and so do the level-3 tables: index them flat. Each
 * entry is @step more than the one before it.
 */
static void pddgpu_gart_write_pages(struct pddgpu_gart *gart, u64 page, u64 count,
				    u64 entry, u64 step)
{
	u64 __iomem *to = pddgpu_hw_vram(gart->hw) + gart->l3_offset +
			  page * PDDGPU_MMU_ENTRY_SIZE;
	u64 __iomem *end = to + count;

	for (; to < end; entry += step)
		writeq(entry, to++);
}

static u64 pddgpu_gart_table_entry(struct pddgpu_gart *gart, u64 leaf)
{
	return PDDGPU_PTE_VALID | (gart->l3_offset + leaf * PAGE_SIZE);
}

static void pddgpu_gart_write_leaf(struct pddgpu_gart *gart, u64 leaf, u64 entry)
{
	pddgpu_gart_write(gart, gart->l2_offset, leaf, entry);
}

/*
 * Write the entries of a piece that is contiguous on the bus, with large leaves
 * where they fit. With @flags 0 the same entries are taken back: the dummy page
 * in level 3, the level-3 table in level 2. A leaf leaves the table below it as
 * it was, so that much need not be written.
 */
static void pddgpu_gart_write_piece(struct pddgpu_gart *gart, u64 page, u64 count,
				    dma_addr_t addr, u64 flags)
{
	while (count) {
		u64 leaf = page / PDDGPU_LEAF_PAGES;
		/* What is left under this leaf */
		u64 pages = min(count, (leaf + 1) * PDDGPU_LEAF_PAGES - page);

		if (IS_ALIGNED(page, PDDGPU_LEAF_PAGES) &&
		    count >= PDDGPU_LEAF_PAGES &&
		    IS_ALIGNED(addr, PDDGPU_MMU_LEAF_SIZE)) {
			pddgpu_gart_write_leaf(gart, leaf, flags ?
					       flags | PDDGPU_PTE_LEAF | addr :
					       pddgpu_gart_table_entry(gart, leaf));
		} else if (flags) {
			pddgpu_gart_write_pages(gart, page, pages, flags | addr,
						PAGE_SIZE);
		} else {
			pddgpu_gart_write_pages(gart, page, pages, gart->dummy_entry, 0);
		}
		page += pages;
		addr += pages << PAGE_SHIFT;
		count -= pages;
	}
}

/* Bus addresses must be whole pages that an entry can hold, and enough. */
static int pddgpu_gart_check_sgt(struct sg_table *sgt, u64 count)
{
	struct scatterlist *sg;
	u64 pages = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!PAGE_ALIGNED(sg_dma_address(sg) | sg_dma_len(sg)) ||
		    (sg_dma_address(sg) + sg_dma_len(sg) - 1) &
		    ~(PDDGPU_PTE_ADDR_MASK | ~PAGE_MASK))
			return -EINVAL;
		pages += sg_dma_len(sg) >> PAGE_SHIFT;
	}
	return pages < count ? -EINVAL : 0;
}

/*
 * Write the entries of @count pages, or take them back with @flags 0. The chip
 * may hold what was there before: no job that is written into a ring from now
 * on sees that.
 */
static void pddgpu_gart_write_sgt(struct pddgpu_gart *gart, u64 page, u64 count,
				  struct sg_table *sgt, u64 flags)
{
	struct scatterlist *sg;
	int i;

	lockdep_assert_held(&gart->lock);

	for_each_sgtable_dma_sg(sgt, sg, i) {
		u64 piece = min_t(u64, sg_dma_len(sg) >> PAGE_SHIFT, count);

		pddgpu_gart_write_piece(gart, page, piece, sg_dma_address(sg),
					flags);
		page += piece;
		count -= piece;
		if (!count)
			break;
	}
	/* Write-combined: what is counted is also there */
	wmb();
	atomic64_inc(&gart->generation);
}

/**
 * pddgpu_gart_bind_sgt() - map system memory that is mapped for DMA already
 * @gart: the GART
 * @binding: not bound; the caller keeps it until pddgpu_gart_unbind()
 * @first_page: page number in the aperture
 * @sgt: bus addresses for the card; stays the caller's
 * @count: pages
 * @snooped: the CPU's caches are looked at
 *
 * May sleep; takes the GART's lock.
 *
 * Return: 0, -EINVAL for addresses that cannot be mapped, -ENODEV when the card
 * is gone. On failure nothing is mapped.
 */
int pddgpu_gart_bind_sgt(struct pddgpu_gart *gart,
			 struct pddgpu_gart_binding *binding, u64 first_page,
			 struct sg_table *sgt, u32 count, bool snooped)
{
	u64 flags = PDDGPU_PTE_VALID | PDDGPU_PTE_WRITABLE | PDDGPU_PTE_SYSTEM |
		    (snooped ? PDDGPU_PTE_SNOOPED : 0);
	int ret, idx;

	if (first_page > gart->pages || count > gart->pages - first_page)
		return -EINVAL;
	/* An imported buffer has lost its pages with the card */
	if (!sgt)
		return -ENODEV;
	ret = pddgpu_gart_check_sgt(sgt, count);
	if (ret)
		return ret;

	mutex_lock(&gart->lock);
	if (!drm_dev_enter(gart->drm, &idx)) {
		ret = -ENODEV;
		goto out_unlock;
	}
	pddgpu_gart_write_sgt(gart, first_page, count, sgt, flags);
	drm_dev_exit(idx);

	binding->sgt = sgt;
	binding->first_page = first_page;
	binding->pages = count;
	binding->flags = flags;
	list_add_tail(&binding->link, &gart->bindings);
out_unlock:
	mutex_unlock(&gart->lock);
	return ret;
}

/*
 * The chip and the CPU use the pages at the same time, and what is cached is snooped.
 * Pages may be mapped twice, in their place and in the paging window.
 */
#define PDDGPU_GART_DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

static void pddgpu_gart_free_sgt(struct pddgpu_gart *gart, struct sg_table *sgt)
{
	dma_unmap_sgtable(gart->drm->dev, sgt, DMA_BIDIRECTIONAL, PDDGPU_GART_DMA_ATTRS);
	sg_free_table(sgt);
	kfree(sgt);
}

/* How many of the pages lie one behind the other, from the first on */
static u32 pddgpu_gart_run(struct page **pages, u32 count, u32 most)
{
	unsigned long pfn = page_to_pfn(pages[0]);
	u32 n = 1;

	count = min(count, most);
	while (n < count && page_to_pfn(pages[n]) == pfn + n)
		n++;
	return n;
}

/*
 * A list of the runs. sg_alloc_table_from_pages() makes the same, at a cost for
 * each page that is felt when buffers move.
 */
static int pddgpu_gart_list_pages(struct pddgpu_gart *gart, struct sg_table *sgt,
				  struct page **pages, u32 count)
{
	/* A piece's length has 32 bits */
	u32 most = min_t(size_t, dma_max_mapping_size(gart->drm->dev), SZ_1G) >> PAGE_SHIFT;
	struct scatterlist *sg;
	u32 done, n, runs = 0;
	int ret, i;

	most = max(most, 1u);
	for (done = 0; done < count; done += pddgpu_gart_run(pages + done, count - done, most))
		runs++;
	ret = sg_alloc_table(sgt, runs, GFP_KERNEL);
	if (ret)
		return ret;
	done = 0;
	for_each_sgtable_sg(sgt, sg, i) {
		n = pddgpu_gart_run(pages + done, count - done, most);
		sg_set_page(sg, pages[done], n << PAGE_SHIFT, 0);
		done += n;
	}
	return 0;
}

/**
 * pddgpu_gart_bind_pages() - map system pages
 * @gart: the GART
 * @binding: not bound; the caller keeps it until pddgpu_gart_unbind()
 * @first_page: page number in the aperture
 * @pages: the pages; the caller keeps them until pddgpu_gart_unbind()
 * @count: pages
 * @snooped: the CPU's caches are looked at
 *
 * Maps them for DMA too. May sleep; takes the GART's lock.
 *
 * Return: as pddgpu_gart_bind_sgt(), or -ENOMEM.
 */
int pddgpu_gart_bind_pages(struct pddgpu_gart *gart,
			   struct pddgpu_gart_binding *binding, u64 first_page,
			   struct page **pages, u32 count, bool snooped)
{
	struct sg_table *sgt;
	int ret, idx;

	/* A device that is gone maps nothing */
	if (!drm_dev_enter(gart->drm, &idx))
		return -ENODEV;

	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt) {
		ret = -ENOMEM;
		goto out_exit;
	}
	ret = pddgpu_gart_list_pages(gart, sgt, pages, count);
	if (ret)
		goto err_free;
	ret = dma_map_sgtable(gart->drm->dev, sgt, DMA_BIDIRECTIONAL,
			      PDDGPU_GART_DMA_ATTRS);
	if (ret)
		goto err_free_table;

	binding->owns_sgt = true;
	ret = pddgpu_gart_bind_sgt(gart, binding, first_page, sgt, count, snooped);
	if (ret) {
		binding->owns_sgt = false;
		pddgpu_gart_free_sgt(gart, sgt);
	}
	drm_dev_exit(idx);
	return ret;

err_free_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
out_exit:
	drm_dev_exit(idx);
	return ret;
}

/* Forget a binding whose entries no longer reach its pages. */
static void pddgpu_gart_drop(struct pddgpu_gart *gart,
			     struct pddgpu_gart_binding *binding)
{
	lockdep_assert_held(&gart->lock);

	list_del_init(&binding->link);
	if (binding->owns_sgt)
		pddgpu_gart_free_sgt(gart, binding->sgt);
	binding->sgt = NULL;
	binding->owns_sgt = false;
}

/**
 * pddgpu_gart_unbind() - take pages away from the chip
 * @gart: the GART
 * @binding: bound or not
 *
 * The caller has waited for the fences of all jobs that use the pages. Those in
 * the rings use others, and those written from now on begin with a TLB flush;
 * an engine reaches for what its packets name and for nothing else. So when
 * this returns the chip reaches the pages no more, though its TLB may still
 * hold them. After unplug it only forgets. May sleep; takes the GART's lock.
 */
void pddgpu_gart_unbind(struct pddgpu_gart *gart,
			struct pddgpu_gart_binding *binding)
{
	int idx;

	mutex_lock(&gart->lock);
	if (!binding->sgt)
		goto out_unlock;
	if (drm_dev_enter(gart->drm, &idx)) {
		pddgpu_gart_write_sgt(gart, binding->first_page, binding->pages,
				      binding->sgt, 0);
		drm_dev_exit(idx);
	}
	pddgpu_gart_drop(gart, binding);
out_unlock:
	mutex_unlock(&gart->lock);
}

/**
 * pddgpu_gart_generation() - what the page tables are like now
 * @gart: the GART
 *
 * A number that grows whenever an entry has changed. An engine that last
 * flushed its TLB at another one may hold stale translations. Many changes cost
 * one flush that way, and nobody waits for it.
 *
 * Return: the number.
 */
u64 pddgpu_gart_generation(struct pddgpu_gart *gart)
{
	return atomic64_read(&gart->generation);
}

/**
 * pddgpu_gart_page() - the system page behind an address of the aperture
 * @gart: the GART
 * @addr: GPU address
 *
 * Takes the GART's lock.
 *
 * Return: the page, as long as it is bound; NULL where none is, or where it is
 * another device's.
 */
struct page *pddgpu_gart_page(struct pddgpu_gart *gart, u64 addr)
{
	u64 number = (addr - gart->chip->gtt_start) >> PAGE_SHIFT;
	struct pddgpu_gart_binding *binding;
	struct sg_page_iter iter;
	struct page *page = NULL;

	mutex_lock(&gart->lock);
	list_for_each_entry(binding, &gart->bindings, link) {
		if (number < binding->first_page ||
		    number - binding->first_page >= binding->pages)
			continue;
		if (!binding->owns_sgt)
			break;
		__sg_page_iter_start(&iter, binding->sgt->sgl, binding->sgt->orig_nents,
				     number - binding->first_page);
		if (__sg_page_iter_next(&iter))
			page = sg_page_iter_page(&iter);
		break;
	}
	mutex_unlock(&gart->lock);
	return page;
}

/**
 * pddgpu_gart_read_entries() - the page table entries for an address
 * @gart: the GART
 * @addr: GPU address
 * @entries: filled in, from level 1 on; room for PDDGPU_GART_LEVELS
 *
 * As they are read back from the chip, for a report: they may be about to
 * change. Takes no lock; the registers are mapped.
 *
 * Return: how many there are; one that leads nowhere is the last.
 */
u32 pddgpu_gart_read_entries(struct pddgpu_gart *gart, u64 addr, u64 *entries)
{
	const u32 index[PDDGPU_GART_LEVELS] = {
		PDDGPU_MMU_L1_INDEX(addr), PDDGPU_MMU_L2_INDEX(addr),
		PDDGPU_MMU_L3_INDEX(addr),
	};
	u32 level = 0;
	u64 table;

	/* VRAM has no page tables */
	if (addr < gart->chip->gtt_start || addr - gart->chip->gtt_start >= gart->chip->gtt_size)
		return 0;
	entries[level++] = pddgpu_hw_read64(gart->hw, PDDGPU_MMIO_MMU_START_ADDRESS +
					    index[0] * PDDGPU_MMU_ENTRY_SIZE);
	while (level < PDDGPU_GART_LEVELS) {
		u64 entry = entries[level - 1];

		table = entry & PDDGPU_PTE_ADDR_MASK;
		if (!(entry & PDDGPU_PTE_VALID) ||
		    entry & (PDDGPU_PTE_LEAF | PDDGPU_PTE_SYSTEM) ||
		    table >= gart->chip->vram_visible_size)
			break;
		entries[level] = readq(pddgpu_hw_vram(gart->hw) + table +
				       index[level] * PDDGPU_MMU_ENTRY_SIZE);
		level++;
	}
	return level;
}

/**
 * pddgpu_gart_unplug() - forget every binding
 * @gart: the GART
 *
 * For remove, after drm_dev_unplug() and once the chip can no longer reach
 * memory: the pages' DMA mappings end with the device, while their buffers live
 * on until their users close them.
 */
void pddgpu_gart_unplug(struct pddgpu_gart *gart)
{
	struct pddgpu_gart_binding *binding, *next;

	mutex_lock(&gart->lock);
	list_for_each_entry_safe(binding, next, &gart->bindings, link)
		pddgpu_gart_drop(gart, binding);
	mutex_unlock(&gart->lock);
}

static void pddgpu_gart_free_dummy(void *arg)
{
	struct pddgpu_gart *gart = arg;

	dma_unmap_page(gart->drm->dev, gart->dummy_entry & PDDGPU_PTE_ADDR_MASK,
		       PAGE_SIZE, DMA_TO_DEVICE);
	__free_page(gart->dummy);
}

static int pddgpu_gart_init_dummy(struct pddgpu_gart *gart)
{
	struct device *dev = gart->drm->dev;
	dma_addr_t addr;

	gart->dummy = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!gart->dummy)
		return -ENOMEM;
	addr = dma_map_page(dev, gart->dummy, 0, PAGE_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, addr)) {
		__free_page(gart->dummy);
		return -ENOMEM;
	}
	gart->dummy_entry = PDDGPU_PTE_VALID | PDDGPU_PTE_SYSTEM |
			    PDDGPU_PTE_SNOOPED | addr;
	return devm_add_action_or_reset(dev, pddgpu_gart_free_dummy, gart);
}

/* Every table as it is with nothing bound; level 1 too */
static void pddgpu_gart_write_tables(struct pddgpu_gart *gart)
{
	const struct pddgpu_chip *chip = gart->chip;
	u64 gibs = DIV_ROUND_UP(chip->gtt_size, 1ull << PDDGPU_MMU_L1_SHIFT);
	u64 leaves = gart->pages / PDDGPU_LEAF_PAGES;
	u64 i;

	pddgpu_gart_write_pages(gart, 0, gart->pages, gart->dummy_entry, 0);
	for (i = 0; i < leaves; i++)
		pddgpu_gart_write_leaf(gart, i, pddgpu_gart_table_entry(gart, i));
	/* The last GiB may be there in part: what is past the end is invalid */
	for (; i < gibs * PDDGPU_MMU_ENTRIES; i++)
		pddgpu_gart_write_leaf(gart, i, 0);
	for (i = 0; i < gibs; i++)
		pddgpu_chip_set_page_directory(chip,
					       PDDGPU_MMU_L1_INDEX(chip->gtt_start) + i,
					       PDDGPU_PTE_VALID |
					       (gart->l2_offset + i * PAGE_SIZE));
}

/**
 * pddgpu_gart_restore() - write the page tables again
 * @gart: the GART; the chip has been reset, the caller is inside drm_dev_enter()
 *
 * Every level, from what is bound, whatever VRAM holds now; then the memories are
 * switched on. The bindings are the whole record: nothing is read back, and
 * nothing is allocated. Takes the GART's lock, so that who binds meanwhile is in
 * the tables afterwards. May sleep.
 *
 * Return: 0 or what pddgpu_hw_enable_memory() says.
 */
int pddgpu_gart_restore(struct pddgpu_gart *gart)
{
	struct pddgpu_gart_binding *binding;
	int ret;

	mutex_lock(&gart->lock);
	pddgpu_gart_write_tables(gart);
	list_for_each_entry(binding, &gart->bindings, link)
		pddgpu_gart_write_sgt(gart, binding->first_page, binding->pages,
				      binding->sgt, binding->flags);
	/* Write-combined: the tables are there before they are used */
	wmb();
	ret = pddgpu_hw_enable_memory(gart->hw);
	mutex_unlock(&gart->lock);
	return ret;
}

/**
 * pddgpu_gart_init() - build the page tables and switch the memories on
 * @drm: the DRM device
 * @hw: the card, reset, its VRAM mapped
 * @chip: the chip
 * @vram_mgr: who gives the tables' VRAM
 *
 * The size of the tables comes from the chip (requirement D4).
 *
 * Return: the GART, freed with @drm; or an error pointer.
 */
struct pddgpu_gart *pddgpu_gart_init(struct drm_device *drm, struct pddgpu_hw *hw,
				     const struct pddgpu_chip *chip,
				     struct pddgpu_vram_mgr *vram_mgr)
{
	u64 gibs = DIV_ROUND_UP(chip->gtt_size, 1ull << PDDGPU_MMU_L1_SHIFT);
	u64 l2_size = gibs * PAGE_SIZE;
	struct pddgpu_gart *gart;
	int ret;

	gart = drmm_kzalloc(drm, sizeof(*gart), GFP_KERNEL);
	if (!gart)
		return ERR_PTR(-ENOMEM);

	gart->drm = drm;
	gart->hw = hw;
	gart->chip = chip;
	gart->pages = chip->gtt_size >> PAGE_SHIFT;
	INIT_LIST_HEAD(&gart->bindings);
	ret = drmm_mutex_init(drm, &gart->lock);
	if (ret)
		return ERR_PTR(ret);

	/* The aperture begins at a GiB, so that flat indices match the levels */
	if (!IS_ALIGNED(chip->gtt_start, 1ull << PDDGPU_MMU_L1_SHIFT) ||
	    chip->gart_table_size < l2_size + gart->pages * PDDGPU_MMU_ENTRY_SIZE) {
		drm_err(drm, "PDDGPU: page tables of %u bytes do not cover the aperture\n",
			chip->gart_table_size);
		return ERR_PTR(-EIO);
	}
	ret = pddgpu_vram_mgr_reserve(vram_mgr, PAGE_ALIGN(chip->gart_table_size),
				      PAGE_SIZE, &gart->l2_offset);
	if (ret)
		return ERR_PTR(ret);
	gart->l3_offset = gart->l2_offset + l2_size;

	ret = pddgpu_gart_init_dummy(gart);
	if (ret)
		return ERR_PTR(ret);
	ret = pddgpu_gart_restore(gart);
	return ret ? ERR_PTR(ret) : gart;
}
