// SPDX-License-Identifier: GPL-2.0
/*
 * An operation on buffers as copies and fills between addresses.
 */
#include <linux/slab.h>

#include <drm/pddgpu_drm.h>

#include "pddgpu_bo.h"
#include "pddgpu_engine.h"
#include "pddgpu_job.h"
#include "pddgpu_submit_op.h"
#include "pddgpu_walk.h"

/* A piece that is contiguous on both sides, and what lies before it */
struct pddgpu_submit_piece {
	u64 dst;
	u64 src;
	u64 bytes;
	u64 done;
};

/* Is it a copy to a later place in the same buffer, which it overlaps? */
static bool pddgpu_submit_op_is_backward(const struct drm_pddgpu_submit_op *op,
					 const struct pddgpu_bo *to,
					 const struct pddgpu_bo *from)
{
	return op->opcode == PDDGPU_SUBMIT_COPY && to == from &&
	       op->dst_offset > op->src_offset &&
	       op->dst_offset - op->src_offset < op->bytes;
}

/* Its pieces run from the last to the first, each like memmove(). */
static int pddgpu_submit_add_backward(struct pddgpu_batch *batch, struct pddgpu_walk *dst,
				      struct pddgpu_walk *src,
				      const struct drm_pddgpu_submit_op *op)
{
	struct pddgpu_submit_piece *pieces = NULL, *more;
	size_t count = 0, room = 0;
	u64 left = op->bytes;
	int ret = 0;

	while (left) {
		u64 bytes = min3(src->size, dst->size, PDDGPU_OP_BYTES_MAX);

		if (count == room) {
			room = max_t(size_t, 16, 2 * room);
			more = kvmalloc_array(room, sizeof(*pieces), GFP_KERNEL_ACCOUNT);
			if (!more) {
				kvfree(pieces);
				return -ENOMEM;
			}
			if (count)
				memcpy(more, pieces, count * sizeof(*pieces));
			kvfree(pieces);
			pieces = more;
		}
		pieces[count++] = (struct pddgpu_submit_piece) {
			dst->addr, src->addr, bytes, op->bytes - left
		};
		pddgpu_walk_next(src, bytes);
		pddgpu_walk_next(dst, bytes);
		left -= bytes;
	}
	while (count-- && !ret) {
		batch->to.offset = op->dst_offset + pieces[count].done;
		batch->from.offset = op->src_offset + pieces[count].done;
		ret = pddgpu_batch_copy(batch, pieces[count].dst, pieces[count].src,
					pieces[count].bytes);
	}
	kvfree(pieces);
	return ret;
}

static int pddgpu_submit_add_forward(struct pddgpu_batch *batch, struct pddgpu_walk *dst,
				     struct pddgpu_walk *src, u64 left)
{
	int ret = 0;

	while (left && !ret) {
		u64 bytes = min3(src->size, dst->size, PDDGPU_OP_BYTES_MAX);

		ret = pddgpu_batch_copy(batch, dst->addr, src->addr, bytes);
		pddgpu_walk_next(src, bytes);
		pddgpu_walk_next(dst, bytes);
		left -= bytes;
	}
	return ret;
}

static int pddgpu_submit_add_fill(struct pddgpu_batch *batch, struct pddgpu_walk *dst,
				  u64 left, u32 pattern)
{
	int ret = 0;

	while (left && !ret) {
		u64 bytes = dst->size;

		ret = pddgpu_batch_fill(batch, dst->addr, bytes, pattern);
		pddgpu_walk_next(dst, bytes);
		left -= bytes;
	}
	return ret;
}

/**
 * pddgpu_submit_op_add() - add a slice of an operation to a batch
 * @pdev: the device
 * @batch: the batch
 * @op: the operation, checked
 * @to: the buffer that it writes, reserved, where the engine reaches it
 * @from: the one that it reads, likewise; @to for a fill
 * @done: how much of it was added before; more by the slice, also on failure
 *
 * A slice is no more than a hardware job has, unless the buffers are scattered.
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_submit_op_add(struct pddgpu_device *pdev, struct pddgpu_batch *batch,
			 const struct drm_pddgpu_submit_op *op, struct pddgpu_bo *to,
			 struct pddgpu_bo *from, u64 *done)
{
	struct drm_pddgpu_submit_op slice = *op;
	struct pddgpu_walk dst, src;
	u64 offset = *done;

	slice.bytes = min(op->bytes - *done, PDDGPU_JOB_BYTES_MAX);
	*done += slice.bytes;
	/* What runs backward begins with its end */
	if (pddgpu_submit_op_is_backward(op, to, from))
		offset = op->bytes - *done;
	slice.dst_offset += offset;
	slice.src_offset += offset;

	batch->to = (struct pddgpu_op_place){ op->dst_handle, slice.dst_offset };
	batch->from = (struct pddgpu_op_place){ op->src_handle, slice.src_offset };
	pddgpu_walk_first(pdev, to->tbo.resource, slice.dst_offset, slice.bytes, &dst);
	if (op->opcode == PDDGPU_SUBMIT_FILL)
		return pddgpu_submit_add_fill(batch, &dst, slice.bytes, op->pattern);

	pddgpu_walk_first(pdev, from->tbo.resource, slice.src_offset, slice.bytes, &src);
	if (pddgpu_submit_op_is_backward(&slice, to, from))
		return pddgpu_submit_add_backward(batch, &dst, &src, &slice);
	return pddgpu_submit_add_forward(batch, &dst, &src, slice.bytes);
}
