/* SPDX-License-Identifier: MIT */
#ifndef PDD_ENGINE_H
#define PDD_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "irq.h"
#include "mmu.h"

/* How much an engine touches before it lets others interrupt it */
#define ENGINE_CHUNK	(2ull << 20)

/**
 * struct engine - a copy engine: a command ring and the thread that runs it
 * @index: its number
 * @all: the chip's engines, itself among them
 * @regs: the register file
 * @mmu: address translation
 * @irq: where it reports
 * @stats: counters
 * @doorbell: eventfd that the guest rings
 * @kick: eventfd by which the device's other threads wake it
 * @thread: the engine's thread
 * @started: the thread exists
 * @lock: guards what follows but @tlb and the faults behind it; taken before irq's lock.
 *	The engine's thread drops it to touch memory
 * @changed: signalled with @lock: any of what follows has changed
 * @holders: threads that wait in engine_hold(); the engine makes room for them
 * @in_access: the thread touches memory; nobody holds the engine then
 * @exit: the thread is to end
 * @epoch: counts up when the packet at work is to be dropped
 * @ring_epoch: counts up when the ring is taken over anew, so that a packet
 *	from before does not move the new ring's read pointer
 * @ctrl: CP_RING_CTRL as last seen, to notice its edges
 * @enabled: the ring is taken over
 * @halted: a fault has stopped it, until a reset
 * @hung: consumes nothing (a fault of the control channel)
 * @busy: STATUS does not say that it is idle
 * @base: GPU address of the ring
 * @size: its bytes
 * @rptr: where the next packet begins
 * @delay_us: waits so long before each packet
 * @inject: the next access fails
 * @skip_flushes: so many TLB flushes are left out (a fault of the control
 *	channel); engine 0's, for all
 * @tlb: cached translations
 */
struct engine {
	uint32_t index;
	struct engine *all;
	struct regs *regs;
	const struct mmu *mmu;
	struct irq *irq;
	struct stats *stats;
	int doorbell;
	int kick;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_uint holders;
	bool in_access;
	bool exit;
	uint64_t epoch;
	uint64_t ring_epoch;
	bool ctrl;
	bool enabled;
	bool halted;
	bool hung;
	bool busy;
	uint64_t base;
	uint32_t size;
	uint32_t rptr;
	uint32_t delay_us;

	atomic_bool inject;
	atomic_ullong skip_flushes;
	struct tlb tlb;
};

int engine_init(struct engine *all, uint32_t index, struct regs *regs,
		const struct mmu *mmu, struct irq *irq, struct stats *stats);
int engine_start(struct engine *engine);
bool engine_step(struct engine *engine);
void engine_end(struct engine *engine);
void engine_fini(struct engine *engine);
void engine_hold(struct engine *engine);
void engine_release(struct engine *engine);
bool engine_access_begin(struct engine *engine, uint64_t epoch);
void engine_access_end(struct engine *engine);
void engine_kick(struct engine *engine);
void engines_flush_tlb(struct engine *all);

/* These want the engine held */
void engine_set_delay(struct engine *engine, uint32_t us);
void engine_set_hung(struct engine *engine, bool hung);
void engine_control(struct engine *engine);
void engine_power_on(struct engine *engine);
void engine_reset(struct engine *engine);

#endif
