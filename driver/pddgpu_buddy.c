// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's buddy allocator splits a block into halves with records that it
 * allocates. Where one of them is not to be had in the middle of a request, it
 * puts a block back that is in its free tree already, or frees the record of one
 * that is: the next request ends in a BUG (alloc_from_freetree(),
 * __alloc_range_bias() and __alloc_range() of drivers/gpu/buddy.c, 6.12 and 7.2).
 * A process that the OOM killer has chosen can get there, and fault injection
 * does.
 *
 * Two things cannot go wrong: to take a free block as a whole, which allocates
 * nothing; and to trim a block that has been taken to one of its halves, since it
 * is cut off from its parent meanwhile. So here a request is a search for free
 * blocks, each of which is taken and then halved until it is what is wanted.
 */
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/minmax.h>

#include "pddgpu_buddy.h"
#include "pddgpu_compat.h"

static u64 pddgpu_buddy_block_end(struct gpu_buddy *mm, struct gpu_buddy_block *block)
{
	return gpu_buddy_block_offset(block) + gpu_buddy_block_size(mm, block);
}

/**
 * pddgpu_buddy_undo() - give blocks back as they were
 * @mm: the allocator, locked
 * @blocks: what was taken; empty then
 *
 * What was clear is so still.
 */
void pddgpu_buddy_undo(struct gpu_buddy *mm, struct list_head *blocks)
{
	struct gpu_buddy_block *block, *next;

	list_for_each_entry_safe(block, next, blocks, link) {
		list_del(&block->link);
		gpu_buddy_free_block(mm, block);
	}
}

/* Take the free block that has all of a range; only that. */
static int pddgpu_buddy_take(struct gpu_buddy *mm, struct gpu_buddy_block *whole,
			     u64 at, u64 size, struct list_head *blocks)
{
	u64 offset = gpu_buddy_block_offset(whole), bytes = gpu_buddy_block_size(mm, whole);
	LIST_HEAD(one);
	int ret;

	ret = gpu_buddy_alloc_blocks(mm, offset, offset + bytes, bytes, mm->chunk_size,
				     &one, 0);
	while (!ret && bytes > size) {
		bytes /= 2;
		if (at >= offset + bytes)
			offset += bytes;
		ret = gpu_buddy_block_trim(mm, &offset, bytes, &one);
	}
	if (ret) {
		pddgpu_buddy_undo(mm, &one);
		return ret;
	}
	list_splice_tail(&one, blocks);
	return 0;
}

/**
 * pddgpu_buddy_leaf() - the smallest block there is that has an address
 * @mm: the allocator, locked
 * @at: the address, below its size
 *
 * Return: the block, free or not.
 */
struct gpu_buddy_block *pddgpu_buddy_leaf(struct gpu_buddy *mm, u64 at)
{
	struct gpu_buddy_block *block;
	unsigned int i = 0;

	while (at >= pddgpu_buddy_block_end(mm, mm->roots[i]))
		i++;
	block = mm->roots[i];
	while (gpu_buddy_block_is_split(block))
		block = at < gpu_buddy_block_offset(block->right) ? block->left
								  : block->right;
	return block;
}

/**
 * pddgpu_buddy_next_leaf() - the block behind another
 * @mm: the allocator, locked
 * @block: a block that is free or taken, and not split
 *
 * All blocks take as many steps as there are, and twice that on the way.
 *
 * Return: the block, free or not; NULL at the end.
 */
struct gpu_buddy_block *pddgpu_buddy_next_leaf(struct gpu_buddy *mm,
					       struct gpu_buddy_block *block)
{
	u64 end = pddgpu_buddy_block_end(mm, block);

	while (block->parent && block->parent->right == block)
		block = block->parent;
	if (!block->parent)
		return end < mm->size ? pddgpu_buddy_leaf(mm, end) : NULL;
	block = block->parent->right;
	while (gpu_buddy_block_is_split(block))
		block = block->left;
	return block;
}

/**
 * pddgpu_buddy_alloc_at() - take a range
 * @mm: the allocator, locked
 * @start: its first byte
 * @end: the byte behind it; both multiples of the allocator's chunk
 * @blocks: gets its blocks at the end, in order
 *
 * Return: 0; -ENOSPC when not all of it is free, -EINVAL when it is not all there,
 * -ENOMEM.
 */
int pddgpu_buddy_alloc_at(struct gpu_buddy *mm, u64 start, u64 end,
			  struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	LIST_HEAD(taken);
	int ret = 0;
	u64 size;

	if (end > mm->size)
		return -EINVAL;
	for (; start < end; start += size) {
		block = pddgpu_buddy_leaf(mm, start);
		/* The largest that begins here: by its address, and by what is left */
		size = min(gpu_buddy_block_size(mm, block), rounddown_pow_of_two(end - start));
		if (start != gpu_buddy_block_offset(block))
			size = min(size, 1ULL << __ffs64(start -
							 gpu_buddy_block_offset(block)));
		ret = gpu_buddy_block_is_free(block)
			      ? pddgpu_buddy_take(mm, block, start, size, &taken)
			      : -ENOSPC;
		if (ret)
			break;
	}
	if (ret)
		pddgpu_buddy_undo(mm, &taken);
	list_splice_tail(&taken, blocks);
	return ret;
}

/**
 * struct pddgpu_buddy_wish - what is looked for
 */
struct pddgpu_buddy_wish {
	/** @start: where it may begin */
	u64 start;
	/** @end: where it must end */
	u64 end;
	/** @clear: rather clear than not; or else rather not */
	bool clear;
	/** @topdown: as high as possible, however large the block is */
	bool topdown;
};

/*
 * The lowest block of an order with a piece of a size within the wish; blocks that
 * begin or end outside it need not have one.
 */
static struct gpu_buddy_block *
pddgpu_buddy_find_in(struct gpu_buddy *mm, const struct pddgpu_buddy_wish *wish,
		     bool clear, unsigned int order, u64 size, u64 *at)
{
	struct gpu_buddy_block *block = pddgpu_buddy_first(mm, clear, order, wish->start);

	while (block && gpu_buddy_block_offset(block) < wish->end) {
		u64 end = pddgpu_buddy_block_end(mm, block);
		u64 offset = gpu_buddy_block_offset(block);

		/* Pieces are aligned as the block is, not as an address is */
		*at = offset;
		if (offset < wish->start)
			*at += round_up(wish->start - offset, size);
		if (*at + size <= min(end, wish->end))
			return block;
		block = pddgpu_buddy_first(mm, clear, order, end);
	}
	return NULL;
}

/* The smallest free block that will do; with topdown the highest */
static struct gpu_buddy_block *
pddgpu_buddy_find_kind(struct gpu_buddy *mm, const struct pddgpu_buddy_wish *wish,
		       bool clear, unsigned int order, u64 *at)
{
	bool everywhere = !wish->start && wish->end == mm->size;
	u64 size = mm->chunk_size << order;
	struct gpu_buddy_block *found = NULL, *block;
	unsigned int i;

	for (i = order; i <= mm->max_order && (!found || wish->topdown); i++) {
		if (!everywhere) {
			block = pddgpu_buddy_find_in(mm, wish, clear, i, size, at);
			if (block)
				return block;
			continue;
		}
		block = pddgpu_buddy_last(mm, clear, i);
		if (block && (!found || gpu_buddy_block_offset(block) >
					gpu_buddy_block_offset(found)))
			found = block;
	}
	if (found)
		*at = pddgpu_buddy_block_end(mm, found) - size;
	return found;
}

static int pddgpu_buddy_alloc_one(struct gpu_buddy *mm, const struct pddgpu_buddy_wish *wish,
				  unsigned int order, struct list_head *blocks)
{
	struct gpu_buddy_block *block;
	u64 at;

	block = pddgpu_buddy_find_kind(mm, wish, wish->clear, order, &at);
	if (!block)
		block = pddgpu_buddy_find_kind(mm, wish, !wish->clear, order, &at);
	if (!block)
		return -ENOSPC;
	return pddgpu_buddy_take(mm, block, at, mm->chunk_size << order, blocks);
}

/*
 * Free neighbours stay apart when only one of them is clear. A request for what
 * there is none of makes the allocator join just so many as are needed; what it
 * then takes is what it has joined, so that it splits nothing.
 */
static int pddgpu_buddy_alloc_joined(struct gpu_buddy *mm,
				     const struct pddgpu_buddy_wish *wish,
				     unsigned int order, struct list_head *blocks)
{
	u64 size = mm->chunk_size << order;
	unsigned long flags = 0;

	/* One for all there is would be for a range, which joins nothing */
	if (!mm->clear_avail || !order || size >= wish->end - wish->start)
		return -ENOSPC;
	if (wish->start || wish->end != mm->size)
		flags |= GPU_BUDDY_RANGE_ALLOCATION;
	if (wish->clear)
		flags |= GPU_BUDDY_CLEAR_ALLOCATION;
	return gpu_buddy_alloc_blocks(mm, wish->start, wish->end, size, size, blocks, flags);
}

/* Pieces, none smaller than 2^@least chunks, the largest that there are first */
static int pddgpu_buddy_alloc_pieces(struct gpu_buddy *mm,
				     const struct pddgpu_buddy_wish *wish, u64 size,
				     unsigned int least, struct list_head *blocks)
{
	u64 pages = size >> ilog2(mm->chunk_size);
	unsigned int order = min_t(unsigned int, ilog2(pages), mm->max_order);
	LIST_HEAD(taken);
	int ret = 0;

	while (pages && !ret) {
		order = min_t(unsigned int, order, ilog2(pages));
		ret = pddgpu_buddy_alloc_one(mm, wish, order, &taken);
		if (ret == -ENOSPC && order > least) {
			order--;
			ret = 0;
			continue;
		}
		if (ret == -ENOSPC)
			ret = pddgpu_buddy_alloc_joined(mm, wish, order, &taken);
		pages -= BIT_ULL(order);
	}
	if (ret)
		pddgpu_buddy_undo(mm, &taken);
	list_splice_tail(&taken, blocks);
	return ret;
}

/* Free blocks that adjoin, from the bottom, until there are enough of them */
static int pddgpu_buddy_alloc_run(struct gpu_buddy *mm, const struct pddgpu_buddy_wish *wish,
				  u64 size, u64 align, struct list_head *blocks)
{
	u64 from = round_up(wish->start, align), at = from;

	while (from + size <= wish->end) {
		struct gpu_buddy_block *block = pddgpu_buddy_leaf(mm, at);

		at = pddgpu_buddy_block_end(mm, block);
		if (!gpu_buddy_block_is_free(block)) {
			from = round_up(at, align);
			at = from;
		} else if (at >= from + size) {
			return pddgpu_buddy_alloc_at(mm, from, from + size, blocks);
		}
	}
	return -ENOSPC;
}

/* What lies behind @size bytes of a single block is given back. */
static int pddgpu_buddy_shorten(struct gpu_buddy *mm, u64 size, struct list_head *blocks)
{
	struct gpu_buddy_block *block = list_last_entry(blocks, struct gpu_buddy_block, link);
	u64 start = gpu_buddy_block_offset(block);

	list_del(&block->link);
	gpu_buddy_free_block(mm, block);
	return pddgpu_buddy_alloc_at(mm, start, start + size, blocks);
}

/**
 * pddgpu_buddy_alloc() - take memory
 * @mm: the allocator, locked
 * @start: where it may begin
 * @end: where it must end
 * @size: bytes; all four are multiples of the allocator's chunk
 * @align: a power of two, the alignment of each piece, or of the whole if it is
 * contiguous
 * @blocks: gets the blocks at the end; those of what is contiguous in order
 * @flags: GPU_BUDDY_CONTIGUOUS_ALLOCATION, _TOPDOWN_ and _CLEAR_
 *
 * As gpu_buddy_alloc_blocks() does it, which of the flags wants clear memory
 * prefers it, and which does not prefers other; within a range the lowest is
 * taken.
 *
 * Return: 0; -ENOSPC, or -ENOMEM after which all is as before.
 */
int pddgpu_buddy_alloc(struct gpu_buddy *mm, u64 start, u64 end, u64 size, u64 align,
		       struct list_head *blocks, unsigned long flags)
{
	const struct pddgpu_buddy_wish wish = {
		.start = start,
		.end = end,
		.clear = flags & GPU_BUDDY_CLEAR_ALLOCATION,
		.topdown = flags & GPU_BUDDY_TOPDOWN_ALLOCATION,
	};
	unsigned int least = ilog2(align) - ilog2(mm->chunk_size);
	u64 whole = round_up(size, align);
	LIST_HEAD(taken);
	int ret;

	if (flags & GPU_BUDDY_CONTIGUOUS_ALLOCATION) {
		whole = max(roundup_pow_of_two(size), align);
		least = ilog2(whole) - ilog2(mm->chunk_size);
	}
	if (least > mm->max_order)
		ret = -ENOSPC;
	else
		ret = pddgpu_buddy_alloc_pieces(mm, &wish, whole, least, &taken);
	if (ret == -ENOSPC && flags & GPU_BUDDY_CONTIGUOUS_ALLOCATION)
		return pddgpu_buddy_alloc_run(mm, &wish, size, align, blocks);
	if (!ret && whole > size) {
		struct gpu_buddy_block *last = list_last_entry(&taken, struct gpu_buddy_block,
							       link);

		ret = pddgpu_buddy_shorten(mm, gpu_buddy_block_size(mm, last) - (whole - size),
					   &taken);
		if (ret)
			pddgpu_buddy_undo(mm, &taken);
	}
	list_splice_tail(&taken, blocks);
	return ret;
}
