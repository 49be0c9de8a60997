// SPDX-License-Identifier: GPL-2.0
/*
 * A job's work done by the CPU, when its engine is lost, or the whole card.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/sched.h>

#include <pddgpu_packets.h>

#include "pddgpu_chip.h"
#include "pddgpu_engine.h"
#include "pddgpu_gart.h"
#include "pddgpu_hw.h"
#include "pddgpu_job.h"

/**
 * struct pddgpu_piece - memory that the CPU reaches in one piece
 */
struct pddgpu_piece {
	/** @vram: its address; NULL for a page */
	void __iomem *vram;
	/** @page: a system page */
	struct page *page;
	/** @offset: into @page */
	u32 offset;
	/** @bytes: how much; at most to the end of the page */
	u32 bytes;
};

static int pddgpu_job_piece(u64 addr, u64 bytes, struct pddgpu_hw *hw,
			    const struct pddgpu_chip *chip, struct pddgpu_gart *gart,
			    struct pddgpu_piece *piece)
{
	u32 offset = offset_in_page(addr);

	piece->bytes = min_t(u64, bytes, PAGE_SIZE - offset);
	piece->vram = NULL;
	if (addr >= chip->vram_start &&
	    addr - chip->vram_start < chip->vram_visible_size) {
		if (!pddgpu_hw_present(hw))
			return -ENODEV;
		piece->vram = pddgpu_hw_vram(hw) + (addr - chip->vram_start);
		return 0;
	}
	piece->page = pddgpu_gart_page(gart, addr);
	piece->offset = offset;
	return piece->page ? 0 : -EIO;
}

static int pddgpu_job_read(struct pddgpu_piece *piece, struct pddgpu_hw *hw, void *to,
			   u32 bytes)
{
	if (!piece->vram) {
		memcpy_from_page(to, piece->page, piece->offset, bytes);
		return 0;
	}
	memcpy_fromio(to, piece->vram, bytes);
	/* All ones, if it has gone meanwhile */
	return pddgpu_hw_present(hw) ? 0 : -ENODEV;
}

static void pddgpu_job_write(struct pddgpu_piece *piece, const void *from, u32 bytes)
{
	if (piece->vram)
		memcpy_toio(piece->vram, from, bytes);
	else
		memcpy_to_page(piece->page, piece->offset, from, bytes);
}

/*
 * One operation. Where source and destination overlap it goes from the end that
 * leaves the source whole, as the chip does. What cannot be read is lost; zeros
 * take its place, for what is there now is another's.
 */
static int pddgpu_job_run_op(const struct pddgpu_op *op, struct pddgpu_hw *hw,
			     const struct pddgpu_chip *chip, struct pddgpu_gart *gart,
			     void *bounce)
{
	bool backward = op->opcode == PDDGPU_OP_COPY && op->dst > op->src &&
			op->dst < op->src + op->bytes;
	struct pddgpu_piece src, dst;
	u64 done = 0;
	int lost = 0, ret;

	if (op->opcode == PDDGPU_OP_FILL)
		memset32(bounce, op->pattern, PAGE_SIZE / sizeof(u32));
	while (done < op->bytes) {
		u64 at = done, left = op->bytes - done;

		if (backward) {
			/* Down to a page border of either side */
			u64 end = op->bytes - done;

			left = min3(end, (u64)offset_in_page(op->dst + end - 1) + 1,
				    (u64)offset_in_page(op->src + end - 1) + 1);
			at = end - left;
		}
		ret = pddgpu_job_piece(op->dst + at, left, hw, chip, gart, &dst);
		if (ret) {
			lost = ret;
			done += dst.bytes;
			continue;
		}
		if (op->opcode == PDDGPU_OP_COPY) {
			ret = pddgpu_job_piece(op->src + at, dst.bytes, hw, chip, gart, &src);
			dst.bytes = min(dst.bytes, src.bytes);
			if (!ret)
				ret = pddgpu_job_read(&src, hw, bounce, dst.bytes);
			if (ret)
				memset(bounce, 0, dst.bytes);
			lost = ret ?: lost;
		}
		pddgpu_job_write(&dst, bounce, dst.bytes);
		done += dst.bytes;
		cond_resched();
	}
	return lost;
}

/**
 * pddgpu_job_run_by_cpu() - do a job's work without an engine
 * @job: the job; what it waits for is over
 * @hw: the card, its registers mapped
 * @chip: the chip
 * @gart: the page tables
 * @bounce: a page to copy through
 *
 * Slow, and for an engine that is lost. Allocates nothing.
 *
 * Return: 0, -EIO where the CPU does not reach, or -ENODEV when the card has fallen
 * off the bus. Zeros then take the place of what cannot be read.
 */
int pddgpu_job_run_by_cpu(struct pddgpu_job *job, struct pddgpu_hw *hw,
			  const struct pddgpu_chip *chip, struct pddgpu_gart *gart,
			  void *bounce)
{
	int ret = 0, error;
	u32 i;

	for (i = 0; i < job->count; i++) {
		error = pddgpu_job_run_op(&job->ops[i], hw, chip, gart, bounce);
		ret = error ?: ret;
	}
	/* Drain write-combining before anybody is told */
	wmb();
	return ret;
}

/* Do two ranges of VRAM overlap, or are both in system memory? */
static bool pddgpu_job_may_meet(u64 a, u64 a_bytes, u64 b, u64 b_bytes,
				const struct pddgpu_chip *chip)
{
	bool a_vram = a - chip->vram_start < chip->vram_size;
	bool b_vram = b - chip->vram_start < chip->vram_size;

	/* The aperture may show the same page in two places */
	if (!a_vram && !b_vram)
		return true;
	return a_vram && b_vram && a < b + b_bytes && b < a + a_bytes;
}

/**
 * pddgpu_job_repeatable() - does a job come to the same when it is begun again?
 * @job: the job, at most PDDGPU_JOB_OPS_MAX operations
 * @chip: the chip
 *
 * It does when nothing that it reads may be what it has written.
 *
 * Return: false when it may not.
 */
bool pddgpu_job_repeatable(const struct pddgpu_job *job, const struct pddgpu_chip *chip)
{
	u32 i, j;

	for (i = 0; i < job->count; i++) {
		const struct pddgpu_op *op = &job->ops[i];

		for (j = 0; j < job->count && op->opcode == PDDGPU_OP_COPY; j++) {
			if (pddgpu_job_may_meet(op->src, op->bytes, job->ops[j].dst,
						job->ops[j].bytes, chip))
				return false;
		}
	}
	return true;
}
