// SPDX-License-Identifier: GPL-2.0
#include <linux/io.h>

#include <pddgpu_packets.h>

#include "pddgpu_engine.h"
#include "pddgpu_hw.h"
#include "pddgpu_job.h"
#include "pddgpu_ring.h"

static_assert(sizeof(struct pddgpu_pkt_copy) == 32);
static_assert(sizeof(struct pddgpu_pkt_fill) == 24);
static_assert(sizeof(struct pddgpu_pkt_fence) == 24);
static_assert(sizeof(struct pddgpu_pkt_tlb_flush) == 8);

static void pddgpu_ring_put(struct pddgpu_ring *ring, u64 value)
{
	writeq(value, pddgpu_hw_vram(ring->hw) + ring->offset + ring->wptr);
	ring->wptr = (ring->wptr + sizeof(value)) & (PDDGPU_ENGINE_RING_SIZE - 1);
}

/* Packets begin with their header and another dword. */
static void pddgpu_ring_put_header(struct pddgpu_ring *ring, u32 opcode, u32 flags,
				   size_t bytes, u32 second)
{
	pddgpu_ring_put(ring, (u64)second << 32 |
			PDDGPU_PKT_HEADER(opcode, flags, bytes / sizeof(u32)));
}

static void pddgpu_ring_put_op(struct pddgpu_ring *ring, const struct pddgpu_op *op)
{
	if (op->opcode == PDDGPU_OP_COPY) {
		pddgpu_ring_put_header(ring, op->opcode, 0, sizeof(struct pddgpu_pkt_copy), 0);
		pddgpu_ring_put(ring, op->src);
	} else {
		pddgpu_ring_put_header(ring, op->opcode, 0, sizeof(struct pddgpu_pkt_fill),
				       op->pattern);
	}
	pddgpu_ring_put(ring, op->dst);
	pddgpu_ring_put(ring, op->bytes);
}

/**
 * pddgpu_ring_put_flush() - make the engine forget its translations
 * @ring: the ring, which has room
 */
void pddgpu_ring_put_flush(struct pddgpu_ring *ring)
{
	pddgpu_ring_put_header(ring, PDDGPU_OP_TLB_FLUSH, 0,
			       sizeof(struct pddgpu_pkt_tlb_flush), 0);
}

/**
 * pddgpu_ring_put_work() - write what a job does
 * @ring: the ring, which has room
 * @job: the job
 */
void pddgpu_ring_put_work(struct pddgpu_ring *ring, const struct pddgpu_job *job)
{
	u32 i;

	for (i = 0; i < job->count; i++)
		pddgpu_ring_put_op(ring, &job->ops[i]);
}

/**
 * pddgpu_ring_put_fill() - write a fill that is no job's
 * @ring: the ring, which has room
 * @addr: GPU address, a multiple of 4
 * @bytes: how much, a multiple of 4
 * @pattern: what with
 */
void pddgpu_ring_put_fill(struct pddgpu_ring *ring, u64 addr, u64 bytes, u32 pattern)
{
	const struct pddgpu_op op = {
		.opcode = PDDGPU_OP_FILL,
		.pattern = pattern,
		.dst = addr,
		.bytes = bytes,
	};

	pddgpu_ring_put_op(ring, &op);
}

/**
 * pddgpu_ring_put_fence() - write a number to memory, and interrupt
 * @ring: the ring, which has room
 * @addr: GPU address, a multiple of 8
 * @number: the number
 */
void pddgpu_ring_put_fence(struct pddgpu_ring *ring, u64 addr, u64 number)
{
	pddgpu_ring_put_header(ring, PDDGPU_OP_FENCE, PDDGPU_FENCE_INTERRUPT,
			       sizeof(struct pddgpu_pkt_fence), 0);
	pddgpu_ring_put(ring, addr);
	pddgpu_ring_put(ring, number);
}
