// SPDX-License-Identifier: MIT
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

uint32_t reg_read(struct rig *rig, uint32_t reg)
{
	return __atomic_load_n((uint32_t *)(rig->bar + reg), __ATOMIC_ACQUIRE);
}

uint64_t reg_read64(struct rig *rig, uint32_t reg)
{
	return reg_read(rig, reg) | (uint64_t)reg_read(rig, reg + 4) << 32;
}

void reg_write(struct rig *rig, uint32_t reg, uint32_t value)
{
	__atomic_store_n((uint32_t *)(rig->bar + reg), value, __ATOMIC_RELEASE);
}

void reg_write64(struct rig *rig, uint32_t reg, uint64_t value)
{
	__atomic_store_n((uint64_t *)(rig->bar + reg), value, __ATOMIC_RELEASE);
}

void ring_doorbell(struct rig *rig, int number)
{
	uint64_t one = 1;

	assert_int_equal(write(rig->doorbell[number], &one, sizeof(one)), sizeof(one));
}

/* Also the way to know that an earlier control doorbell has been answered */
void flush_tlb(struct rig *rig)
{
	uint32_t want = reg_read(rig, PDDGPU_TLB_FLUSH_REQ) + 1;

	reg_write(rig, PDDGPU_TLB_FLUSH_REQ, want);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	wait_for((int32_t)(reg_read(rig, PDDGPU_TLB_FLUSH_DONE) - want) >= 0);
}

uint32_t reset_chip(struct rig *rig)
{
	reg_write(rig, PDDGPU_RESET, PDDGPU_RESET_CHIP);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	wait_for(!(reg_read(rig, PDDGPU_RESET) & PDDGPU_RESET_CHIP));
	memset(rig->wptr, 0, sizeof(rig->wptr));
	rig->ih_rptr = 0;
	return reg_read(rig, PDDGPU_STATUS);
}

void reset_engine(struct rig *rig, int engine)
{
	reg_write(rig, PDDGPU_RESET, PDDGPU_RESET_ENGINE(engine));
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	wait_for(!(reg_read(rig, PDDGPU_RESET) & PDDGPU_RESET_ENGINE(engine)));
	rig->wptr[engine] = 0;
}

void ack_fault(struct rig *rig)
{
	reg_write(rig, PDDGPU_FAULT_ACK, 1);
	ring_doorbell(rig, PDDGPU_DOORBELL_CONTROL);
	wait_for(!reg_read(rig, PDDGPU_FAULT_ACK));
	assert_int_equal(reg_read(rig, PDDGPU_FAULT_STATUS), 0);
}

/* All on, as a driver does at its start; the aperture's tables are empty. */
void switch_on(struct rig *rig)
{
	memset(rig->vram + RIG_FENCE, 0, 16);
	memset(rig->vram + RIG_L2, 0, (1 + RIG_L3_TABLES) * 4096);
	for (int i = 0; i < RIG_L3_TABLES; i++)
		vram64(rig, RIG_L2)[i] = PDDGPU_PTE_VALID | (RIG_L3 + i * 4096);
	reg_write64(rig, PDDGPU_MMIO_MMU_START_ADDRESS +
		    PDDGPU_MMU_L1_INDEX(GTT_START) * 8, PDDGPU_PTE_VALID | RIG_L2);

	reg_write(rig, PDDGPU_MC_VRAM_CTRL, PDDGPU_MC_ENABLE);
	reg_write(rig, PDDGPU_MC_GTT_CTRL, PDDGPU_MC_ENABLE);
	reg_write(rig, PDDGPU_IH_RING_BASE, (VRAM_START + RIG_IH) >> 12);
	reg_write(rig, PDDGPU_IH_RING_SIZE, 4096);
	reg_write(rig, PDDGPU_IH_RING_RPTR, 0);
	reg_write(rig, PDDGPU_IH_RING_CTRL, PDDGPU_IH_RING_ENABLE);
	rig->ih_rptr = 0;
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		reg_write(rig, PDDGPU_CP_RING_BASE(i), (VRAM_START + RIG_RING(i)) >> 12);
		reg_write(rig, PDDGPU_CP_RING_SIZE(i), RIG_RING_SIZE);
		reg_write(rig, PDDGPU_CP_RING_WPTR(i), 0);
		reg_write(rig, PDDGPU_CP_RING_CTRL(i), PDDGPU_CP_RING_ENABLE);
		rig->wptr[i] = 0;
		rig->fence[i] = 0;
	}
	flush_tlb(rig);
}

uint64_t *vram64(struct rig *rig, uint64_t offset)
{
	return (uint64_t *)(rig->vram + offset);
}

/* Write the entry of a 4 KiB page; whoever wants it seen flushes. */
void map_entry(struct rig *rig, uint64_t addr, uint64_t entry)
{
	uint64_t leaf = PDDGPU_MMU_L2_INDEX(addr);

	assert_true(leaf < RIG_L3_TABLES);
	vram64(rig, RIG_L3 + leaf * 4096)[PDDGPU_MMU_L3_INDEX(addr)] = entry;
}

void map_leaf(struct rig *rig, uint64_t addr, uint64_t entry)
{
	vram64(rig, RIG_L2)[PDDGPU_MMU_L2_INDEX(addr)] = entry;
}

/* Put a packet into the ring, when there is room for it. */
void emit(struct rig *rig, int engine, const void *packet, uint32_t bytes)
{
	const uint32_t mask = RIG_RING_SIZE - 1;
	uint8_t *ring = rig->vram + RIG_RING(engine);

	wait_for(((reg_read(rig, PDDGPU_CP_RING_RPTR(engine)) - rig->wptr[engine] - 8) &
		  mask) >= bytes);
	for (uint32_t i = 0; i < bytes; i += 8) {
		memcpy(ring + rig->wptr[engine], (const uint8_t *)packet + i, 8);
		rig->wptr[engine] = (rig->wptr[engine] + 8) & mask;
	}
}

void submit(struct rig *rig, int engine)
{
	reg_write(rig, PDDGPU_CP_RING_WPTR(engine), rig->wptr[engine]);
	ring_doorbell(rig, PDDGPU_DOORBELL_ENGINE0 + engine);
}

void emit_copy(struct rig *rig, int engine, uint64_t src, uint64_t dst, uint64_t bytes)
{
	const struct pddgpu_pkt_copy packet = {
		.header = PDDGPU_PKT_HEADER(PDDGPU_OP_COPY, 0, 8),
		.src = src, .dst = dst, .bytes = bytes,
	};

	emit(rig, engine, &packet, sizeof(packet));
}

void emit_fill(struct rig *rig, int engine, uint64_t dst, uint32_t pattern, uint64_t bytes)
{
	const struct pddgpu_pkt_fill packet = {
		.header = PDDGPU_PKT_HEADER(PDDGPU_OP_FILL, 0, 6),
		.pattern = pattern, .dst = dst, .bytes = bytes,
	};

	emit(rig, engine, &packet, sizeof(packet));
}

void emit_fence(struct rig *rig, int engine, uint64_t addr, uint64_t seq, uint32_t flags)
{
	const struct pddgpu_pkt_fence packet = {
		.header = PDDGPU_PKT_HEADER(PDDGPU_OP_FENCE, flags, 6),
		.addr = addr, .sequence = seq,
	};

	emit(rig, engine, &packet, sizeof(packet));
}

void emit_nop(struct rig *rig, int engine, uint32_t dwords)
{
	uint32_t packet[RIG_RING_SIZE / 4] = { PDDGPU_PKT_HEADER(PDDGPU_OP_NOP, 0, dwords) };

	emit(rig, engine, packet, dwords * 4);
}

/* Fence, submit, wait: all that was emitted has been done. */
void finish(struct rig *rig, int engine)
{
	uint64_t *fence = vram64(rig, RIG_FENCE + engine * 8);

	rig->fence[engine]++;
	emit_fence(rig, engine, VRAM_START + RIG_FENCE + engine * 8, rig->fence[engine], 0);
	submit(rig, engine);
	wait_for(__atomic_load_n(fence, __ATOMIC_ACQUIRE) == rig->fence[engine]);
}

void copy(struct rig *rig, uint64_t src, uint64_t dst, uint64_t bytes)
{
	emit_copy(rig, 0, src, dst, bytes);
	finish(rig, 0);
}

void fill(struct rig *rig, uint64_t dst, uint32_t pattern, uint64_t bytes)
{
	emit_fill(rig, 0, dst, pattern, bytes);
	finish(rig, 0);
}

/* What was submitted ends in this fault, and halts the engine. */
uint32_t expect_fault(struct rig *rig, int engine, uint32_t reason, uint32_t level,
		      bool write, uint64_t addr)
{
	uint32_t status;

	wait_for(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_HALTED(engine));
	status = reg_read(rig, PDDGPU_FAULT_STATUS);
	assert_true(status & PDDGPU_FAULT_VALID);
	assert_int_equal((status & PDDGPU_FAULT_REASON_MASK) >> PDDGPU_FAULT_REASON_SHIFT,
			 reason);
	assert_int_equal((status & PDDGPU_FAULT_LEVEL_MASK) >> PDDGPU_FAULT_LEVEL_SHIFT,
			 level);
	assert_int_equal(!!(status & PDDGPU_FAULT_WRITE), write);
	assert_int_equal(reg_read(rig, PDDGPU_FAULT_ENGINE), engine);
	assert_int_equal(reg_read64(rig, PDDGPU_FAULT_ADDR_LO), addr);
	assert_false(reg_read(rig, PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_IDLE(engine));
	return status;
}

bool wait_interrupt(struct rig *rig, int ms)
{
	struct pollfd fd = { .fd = rig->vector[PDDGPU_VECTOR_IH], .events = POLLIN };
	uint64_t count;

	return poll(&fd, 1, ms) == 1 && read(fd.fd, &count, sizeof(count)) == sizeof(count);
}

/* Take an entry of the interrupt ring; false when there is none. */
bool next_entry(struct rig *rig, struct pddgpu_ih_entry *entry)
{
	if (reg_read(rig, PDDGPU_IH_RING_WPTR) == rig->ih_rptr)
		return false;
	memcpy(entry, rig->vram + RIG_IH + rig->ih_rptr, sizeof(*entry));
	rig->ih_rptr = (rig->ih_rptr + sizeof(*entry)) & 4095;
	reg_write(rig, PDDGPU_IH_RING_RPTR, rig->ih_rptr);
	return true;
}
