/* SPDX-License-Identifier: MIT */
/* What the device tells the guest: STATUS, the fault latch, the interrupt ring. */
#ifndef PDD_IRQ_H
#define PDD_IRQ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "mmu.h"

#define IRQ_NO_ENGINE	0xffffffffu

/**
 * struct irq - status, fault latch and interrupt ring
 * @regs: the register file
 * @mmu: for the ring, without a TLB
 * @stats: counters
 * @vector: eventfds by which the guest is interrupted
 * @lock: guards what follows, and the registers that go with it; taken after
 *	the engines' locks, nothing is taken after it
 * @status: STATUS as the device knows it
 * @latched: a fault is in the FAULT_* registers
 * @ring_ctrl: IH_RING_CTRL as last seen, to notice its edges
 * @ring_on: entries are written
 * @base: GPU address of the ring
 * @size: its bytes
 * @wptr: where the next entry goes
 * @overflow: entries were lost since the last one written
 * @drop: so many interrupts are not raised (a fault of the control channel)
 */
struct irq {
	struct regs *regs;
	const struct mmu *mmu;
	struct stats *stats;
	int vector[PDDGPU_NUM_VECTORS];
	pthread_mutex_t lock;
	uint32_t status;
	bool latched;
	bool ring_ctrl;
	bool ring_on;
	uint64_t base;
	uint32_t size;
	uint32_t wptr;
	bool overflow;
	uint64_t drop;
};

int irq_init(struct irq *irq, struct regs *regs, const struct mmu *mmu,
	     struct stats *stats);
void irq_fini(struct irq *irq);
void irq_status(struct irq *irq, uint32_t clear, uint32_t set);
uint32_t irq_get_status(struct irq *irq);
void irq_fence(struct irq *irq, uint32_t engine, uint64_t addr, uint64_t sequence);
void irq_engine_reset(struct irq *irq, uint32_t engine);
void irq_fault(struct irq *irq, uint32_t engine, const struct fault *fault);
void irq_control(struct irq *irq);
void irq_power_on(struct irq *irq);
void irq_settle(struct irq *irq);
uint64_t irq_get_drop(struct irq *irq);
void irq_drop(struct irq *irq, uint64_t count);
bool ring_valid(const struct mmu *mmu, uint64_t base, uint32_t size);

#endif
