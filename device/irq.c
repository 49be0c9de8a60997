// SPDX-License-Identifier: MIT
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "irq.h"
#include "log.h"

/**
 * irq_init() - make the interrupt vectors
 * @irq: filled in
 * @regs: the register file
 * @mmu: the MMU
 * @stats: counters
 *
 * Return: 0, or -1 after a message; irq_fini() is due in both cases.
 */
int irq_init(struct irq *irq, struct regs *regs, const struct mmu *mmu,
	     struct stats *stats)
{
	*irq = (struct irq) { .regs = regs, .mmu = mmu, .stats = stats };
	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++)
		irq->vector[i] = -1;
	pthread_mutex_init(&irq->lock, NULL);
	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++) {
		irq->vector[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (irq->vector[i] < 0) {
			log_error("no eventfd for an interrupt");
			return -1;
		}
	}
	return 0;
}

/**
 * irq_fini() - close the interrupt vectors
 * @irq: the block; no thread uses it any more
 */
void irq_fini(struct irq *irq)
{
	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++)
		if (irq->vector[i] >= 0)
			close(irq->vector[i]);
	pthread_mutex_destroy(&irq->lock);
}

static void raise_vector(struct irq *irq)
{
	uint64_t one = 1;
	ssize_t n;

	/* Who ends the hold looks at WPTR after it: one of both sees the other */
	atomic_thread_fence(memory_order_seq_cst);
	if (regs_read(irq->regs, PDDGPU_IH_HOLD)) {
		stats_add(irq->stats, STAT_interrupts_held, 1);
		return;
	}
	if (irq->drop) {
		irq->drop--;
		stats_add(irq->stats, STAT_interrupts_dropped, 1);
		return;
	}
	/* It can only fail when 2^64 - 2 interrupts wait already */
	n = write(irq->vector[PDDGPU_VECTOR_IH], &one, sizeof(one));
	(void)n;
	stats_add(irq->stats, STAT_interrupts, 1);
}

static void set_status(struct irq *irq, uint32_t clear, uint32_t set)
{
	irq->status = (irq->status & ~clear) | set;
	regs_write(irq->regs, PDDGPU_STATUS, irq->status);
}

static uint32_t fault_status(const struct fault *fault)
{
	return PDDGPU_FAULT_VALID | (fault->write ? PDDGPU_FAULT_WRITE : 0) |
	       fault->level << PDDGPU_FAULT_LEVEL_SHIFT |
	       fault->reason << PDDGPU_FAULT_REASON_SHIFT;
}

static void latch(struct irq *irq, uint32_t engine, const struct fault *fault)
{
	stats_add(irq->stats, STAT_faults, 1);
	if (irq->latched)
		return;
	irq->latched = true;
	regs_write64(irq->regs, PDDGPU_FAULT_ADDR_LO, fault->addr);
	regs_write(irq->regs, PDDGPU_FAULT_ENGINE, engine);
	regs_write(irq->regs, PDDGPU_FAULT_STATUS, fault_status(fault));
}

/* The ring's own page is gone: the ring is off until it is enabled again. */
static void ring_broken(struct irq *irq, const struct fault *fault)
{
	irq->ring_on = false;
	latch(irq, IRQ_NO_ENGINE, fault);
}

static void put_entry(struct irq *irq, struct pddgpu_ih_entry *entry)
{
	struct translation to;
	struct fault fault;
	uint32_t next, rptr;

	if (!irq->ring_on || atomic_load(&irq->regs->gone))
		return;
	/* RPTR is the guest's: brought into the ring, whatever it says */
	rptr = regs_read(irq->regs, PDDGPU_IH_RING_RPTR) & (irq->size - 1) &
	       ~(PDDGPU_IH_ENTRY_SIZE - 1u);
	next = (irq->wptr + PDDGPU_IH_ENTRY_SIZE) & (irq->size - 1);
	if (next == rptr) {
		irq->overflow = true;
		stats_add(irq->stats, STAT_ih_overflows, 1);
		/* To find the ring full, the driver needs the right WPTR */
		regs_write(irq->regs, PDDGPU_IH_RING_WPTR, irq->wptr);
		raise_vector(irq);
		return;
	}
	if (!mmu_access(irq->mmu, NULL, irq->base + irq->wptr, true, &to, &fault)) {
		ring_broken(irq, &fault);
		return;
	}
	if (irq->overflow)
		entry->flags |= htole32(PDDGPU_IH_FLAG_OVERFLOW);
	irq->overflow = false;
	memcpy(to.host, entry, sizeof(*entry));
	irq->wptr = next;
	regs_write(irq->regs, PDDGPU_IH_RING_WPTR, next);
	stats_add(irq->stats, STAT_ih_entries, 1);
	raise_vector(irq);
}

/**
 * irq_status() - change STATUS
 * @irq: the block
 * @clear: bits to clear
 * @set: bits to set
 */
void irq_status(struct irq *irq, uint32_t clear, uint32_t set)
{
	pthread_mutex_lock(&irq->lock);
	set_status(irq, clear, set);
	pthread_mutex_unlock(&irq->lock);
}

/**
 * irq_get_status() - STATUS as the device knows it
 * @irq: the block
 *
 * Return: the bits.
 */
uint32_t irq_get_status(struct irq *irq)
{
	uint32_t status;

	pthread_mutex_lock(&irq->lock);
	status = irq->status;
	pthread_mutex_unlock(&irq->lock);
	return status;
}

/**
 * irq_fence() - report a fence that asked for it
 * @irq: the block
 * @engine: the engine
 * @addr: GPU address of the fence
 * @sequence: what was written there
 */
void irq_fence(struct irq *irq, uint32_t engine, uint64_t addr, uint64_t sequence)
{
	struct pddgpu_ih_entry entry = {
		.source = htole32(PDDGPU_IH_SOURCE_FENCE),
		.engine = htole32(engine),
		.sequence = htole64(sequence),
		.address = htole64(addr),
	};

	pthread_mutex_lock(&irq->lock);
	put_entry(irq, &entry);
	pthread_mutex_unlock(&irq->lock);
}

/**
 * irq_engine_reset() - report that an engine was reset
 * @irq: the block
 * @engine: the engine
 */
void irq_engine_reset(struct irq *irq, uint32_t engine)
{
	struct pddgpu_ih_entry entry = {
		.source = htole32(PDDGPU_IH_SOURCE_RESET),
		.engine = htole32(engine),
	};

	pthread_mutex_lock(&irq->lock);
	put_entry(irq, &entry);
	pthread_mutex_unlock(&irq->lock);
}

/**
 * irq_fault() - report a fault that has halted an engine
 * @irq: the block
 * @engine: the engine
 * @fault: the fault
 */
void irq_fault(struct irq *irq, uint32_t engine, const struct fault *fault)
{
	struct pddgpu_ih_entry entry = {
		.source = htole32(PDDGPU_IH_SOURCE_FAULT),
		.engine = htole32(engine),
		.sequence = htole64(fault_status(fault)),
		.address = htole64(fault->addr),
	};

	pthread_mutex_lock(&irq->lock);
	latch(irq, engine, fault);
	set_status(irq, PDDGPU_STATUS_ENGINE_IDLE(engine),
		   PDDGPU_STATUS_ENGINE_HALTED(engine));
	put_entry(irq, &entry);
	pthread_mutex_unlock(&irq->lock);
}

/**
 * ring_valid() - may a ring lie there?
 * @mmu: the MMU
 * @base: GPU address
 * @size: bytes
 *
 * Return: true when the size is a power of two within the limits, and the ring
 * lies in one address range.
 */
bool ring_valid(const struct mmu *mmu, uint64_t base, uint32_t size)
{
	return size >= PDDGPU_RING_SIZE_MIN && size <= PDDGPU_RING_SIZE_MAX &&
	       !(size & (size - 1)) && mmu_in_one_range(mmu, base, size);
}

static void ring_enable(struct irq *irq)
{
	struct fault fault = { .reason = PDDGPU_FAULT_BAD_RING };

	irq->base = (uint64_t)regs_read(irq->regs, PDDGPU_IH_RING_BASE) << 12;
	fault.addr = irq->base;
	irq->size = regs_read(irq->regs, PDDGPU_IH_RING_SIZE);
	irq->wptr = 0;
	irq->overflow = false;
	regs_write(irq->regs, PDDGPU_IH_RING_WPTR, 0);
	if (ring_valid(irq->mmu, irq->base, irq->size))
		irq->ring_on = true;
	else
		ring_broken(irq, &fault);
}

/**
 * irq_control() - take over what the guest wrote before a control doorbell
 * @irq: the block
 */
void irq_control(struct irq *irq)
{
	bool ctrl;

	pthread_mutex_lock(&irq->lock);
	ctrl = regs_read(irq->regs, PDDGPU_IH_RING_CTRL) & PDDGPU_IH_RING_ENABLE;
	if (ctrl && !irq->ring_ctrl)
		ring_enable(irq);
	else if (!ctrl)
		irq->ring_on = false;
	irq->ring_ctrl = ctrl;

	if (regs_read(irq->regs, PDDGPU_FAULT_ACK) & 1) {
		irq->latched = false;
		regs_write(irq->regs, PDDGPU_FAULT_STATUS, 0);
		regs_write(irq->regs, PDDGPU_FAULT_ENGINE, 0);
		regs_write64(irq->regs, PDDGPU_FAULT_ADDR_LO, 0);
		regs_write(irq->regs, PDDGPU_FAULT_ACK, 0);
	}
	pthread_mutex_unlock(&irq->lock);
}

/**
 * irq_power_on() - ring off, no fault; STATUS is left to the caller
 * @irq: the block
 *
 * The registers are the caller's too. Armed interrupt losses stay.
 */
void irq_power_on(struct irq *irq)
{
	pthread_mutex_lock(&irq->lock);
	irq->latched = false;
	irq->ring_ctrl = false;
	irq->ring_on = false;
	irq->overflow = false;
	irq->wptr = 0;
	pthread_mutex_unlock(&irq->lock);
}

/**
 * irq_drop() - lose interrupts on purpose
 * @irq: the block
 * @count: how many of the next
 */
void irq_drop(struct irq *irq, uint64_t count)
{
	pthread_mutex_lock(&irq->lock);
	irq->drop = count;
	pthread_mutex_unlock(&irq->lock);
}

/**
 * irq_get_drop() - how many interrupts are still to be lost
 * @irq: the block
 *
 * Return: their number.
 */
uint64_t irq_get_drop(struct irq *irq)
{
	uint64_t drop;

	pthread_mutex_lock(&irq->lock);
	drop = irq->drop;
	pthread_mutex_unlock(&irq->lock);
	return drop;
}

/**
 * irq_settle() - wait until no interrupt entry is being written
 * @irq: the block
 *
 * Page tables that were changed before the call are seen by all that follow.
 */
void irq_settle(struct irq *irq)
{
	pthread_mutex_lock(&irq->lock);
	pthread_mutex_unlock(&irq->lock);
}
