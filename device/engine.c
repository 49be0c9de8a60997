// SPDX-License-Identifier: MIT
/*
 * An engine's thread sleeps on its doorbell. It touches memory only between
 * engine_access_begin() and engine_access_end(), a chunk at a time. Another
 * thread that wants to change the engine holds it: it waits until no access is
 * under way, and then has the engine's lock. So a reset, a TLB flush or the
 * end of the program never waits longer than for one chunk.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "log.h"
#include "packet.h"

/**
 * engine_init() - make an engine, without its thread
 * @all: the chip's engines
 * @index: which of them
 * @regs: the register file
 * @mmu: the MMU
 * @irq: where it reports
 * @stats: counters
 *
 * Return: 0, or -1 after a message; engine_fini() is due in both cases.
 */
int engine_init(struct engine *all, uint32_t index, struct regs *regs,
		const struct mmu *mmu, struct irq *irq, struct stats *stats)
{
	struct engine *engine = &all[index];
	pthread_condattr_t attr;

	memset(engine, 0, sizeof(*engine));
	engine->index = index;
	engine->all = all;
	engine->regs = regs;
	engine->mmu = mmu;
	engine->irq = irq;
	engine->stats = stats;
	pthread_mutex_init(&engine->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&engine->changed, &attr);
	pthread_condattr_destroy(&attr);
	engine->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	engine->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine->doorbell < 0 || engine->kick < 0) {
		log_error("no eventfd for engine %u", index);
		return -1;
	}
	return 0;
}

/**
 * engine_end() - end the engine's thread
 * @engine: an engine after engine_init(); others may be told by it until then
 */
void engine_end(struct engine *engine)
{
	if (!engine->started)
		return;
	engine_hold(engine);
	engine->exit = true;
	engine_release(engine);
	engine_kick(engine);
	pthread_join(engine->thread, NULL);
	engine->started = false;
}

/**
 * engine_fini() - end the engine's thread and give everything back
 * @engine: an engine after engine_init()
 */
void engine_fini(struct engine *engine)
{
	engine_end(engine);
	if (engine->doorbell >= 0)
		close(engine->doorbell);
	if (engine->kick >= 0)
		close(engine->kick);
	pthread_cond_destroy(&engine->changed);
	pthread_mutex_destroy(&engine->lock);
}

/**
 * engine_hold() - stop the engine between two accesses and take its lock
 * @engine: the engine
 *
 * The caller is not within an access of its own.
 */
void engine_hold(struct engine *engine)
{
	/* Announced first: a busy engine takes its lock again and again */
	atomic_fetch_add(&engine->holders, 1);
	pthread_mutex_lock(&engine->lock);
	while (engine->in_access)
		pthread_cond_wait(&engine->changed, &engine->lock);
}

/**
 * engine_release() - undo engine_hold()
 * @engine: the engine
 */
void engine_release(struct engine *engine)
{
	atomic_fetch_sub(&engine->holders, 1);
	pthread_cond_broadcast(&engine->changed);
	pthread_mutex_unlock(&engine->lock);
}

/**
 * engine_access_begin() - the engine's thread is about to touch memory
 * @engine: the engine
 * @epoch: the engine's when the packet at work was begun
 *
 * Return: false when the packet is to be dropped instead.
 */
bool engine_access_begin(struct engine *engine, uint64_t epoch)
{
	bool go;

	pthread_mutex_lock(&engine->lock);
	while (atomic_load(&engine->holders))
		pthread_cond_wait(&engine->changed, &engine->lock);
	go = engine->epoch == epoch && !engine->exit;
	engine->in_access = go;
	pthread_mutex_unlock(&engine->lock);
	return go;
}

/**
 * engine_access_end() - the engine's thread has touched memory
 * @engine: the engine
 */
void engine_access_end(struct engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	engine->in_access = false;
	if (atomic_load(&engine->holders))
		pthread_cond_broadcast(&engine->changed);
	pthread_mutex_unlock(&engine->lock);
}

/**
 * engine_kick() - make the engine's thread look at its ring
 * @engine: the engine
 */
void engine_kick(struct engine *engine)
{
	uint64_t one = 1;
	ssize_t n = write(engine->kick, &one, sizeof(one));

	/* It can only fail when a kick is waiting already */
	(void)n;
}

/* Is this flush one of those that are to be left out? */
static bool skip_flush(struct engine *all)
{
	unsigned long long left = atomic_load(&all->skip_flushes);

	while (left)
		if (atomic_compare_exchange_weak(&all->skip_flushes, &left, left - 1))
			return true;
	return false;
}

/**
 * engines_flush_tlb() - make every engine forget its translations
 * @all: the chip's engines; the caller holds none
 *
 * When it returns, nobody uses an older translation any more; unless the control
 * channel has asked for the flush to be left out.
 */
void engines_flush_tlb(struct engine *all)
{
	if (skip_flush(all))
		return;
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		engine_hold(&all[i]);
		tlb_flush(&all[i].tlb);
		engine_release(&all[i]);
	}
	irq_settle(all->irq);
	stats_add(all->stats, STAT_tlb_flushes, 1);
}

static void set_busy(struct engine *engine, bool busy)
{
	const uint32_t idle = PDDGPU_STATUS_ENGINE_IDLE(engine->index);

	if (engine->busy == busy)
		return;
	engine->busy = busy;
	irq_status(engine->irq, busy ? idle : 0, busy ? 0 : idle);
}

static void set_rptr(struct engine *engine, uint32_t rptr)
{
	engine->rptr = rptr;
	regs_write(engine->regs, PDDGPU_CP_RING_RPTR(engine->index), rptr);
}

static void halt(struct engine *engine, const struct fault *fault)
{
	engine->halted = true;
	engine->busy = true;
	irq_fault(engine->irq, engine->index, fault);
	log_info("engine %u: fault %u at %#llx", engine->index, fault->reason,
		 (unsigned long long)fault->addr);
}

static void halt_bad_ring(struct engine *engine)
{
	const struct fault fault = {
		.reason = PDDGPU_FAULT_BAD_RING,
		.addr = engine->base,
	};

	halt(engine, &fault);
}

/* The lock is held, and dropped while it waits. */
static void wait_delay(struct engine *engine, uint64_t epoch)
{
	struct timespec until;

	if (!engine->delay_us)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += engine->delay_us / 1000000;
	until.tv_nsec += engine->delay_us % 1000000 * 1000l;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (engine->delay_us && engine->epoch == epoch && !engine->exit)
		if (pthread_cond_timedwait(&engine->changed, &engine->lock,
					   &until) == ETIMEDOUT)
			break;
}

/* The lock is held, and dropped while the packet runs. */
static void run_one(struct engine *engine, uint32_t wptr)
{
	const struct ring_view ring = {
		.epoch = engine->epoch,
		.base = engine->base,
		.size = engine->size,
		.rptr = engine->rptr,
		.wptr = wptr,
	};
	const uint64_t ring_epoch = engine->ring_epoch;
	enum packet_result result;
	struct packet packet;
	struct fault fault;

	wait_delay(engine, ring.epoch);
	if (engine->hung)
		return;
	pthread_mutex_unlock(&engine->lock);
	result = packet_fetch(engine, &ring, &packet, &fault);
	if (result == PACKET_DONE)
		result = packet_run(engine, ring.epoch, &packet, &fault);
	if (result == PACKET_DONE && packet.opcode == PDDGPU_OP_TLB_FLUSH)
		engines_flush_tlb(engine->all);
	pthread_mutex_lock(&engine->lock);

	if (result == PACKET_DROPPED || engine->epoch != ring.epoch)
		return;
	if (result == PACKET_FAULT) {
		halt(engine, &fault);
		return;
	}
	stats_add(engine->stats, STAT_packets, 1);
	if (engine->ring_epoch == ring_epoch)
		set_rptr(engine, (packet.ring_offset + packet.bytes) & (ring.size - 1));
	if (packet_wants_interrupt(&packet))
		irq_fence(engine->irq, engine->index, packet.word[0], packet.word[1]);
}

/* Run packets until there is none, or the engine may not. */
static void run_ring(struct engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	while (engine->enabled && !engine->halted && !engine->exit) {
		uint32_t wptr = regs_read(engine->regs,
					  PDDGPU_CP_RING_WPTR(engine->index));

		if (wptr == engine->rptr)
			break;
		set_busy(engine, true);
		if (engine->hung)
			break;
		if (wptr >= engine->size || wptr % 8)
			halt_bad_ring(engine);
		else
			run_one(engine, wptr);
	}
	if (!engine->halted && !engine->hung)
		set_busy(engine, false);
	pthread_mutex_unlock(&engine->lock);
}

static void count_doorbells(struct engine *engine, uint64_t count)
{
	stats_add(engine->stats, STAT_doorbells_engine0 + engine->index, count);
}

/**
 * engine_step() - look at the doorbells once, and run what is in the ring
 * @engine: the engine; the caller is its thread, or there is none
 *
 * Return: false when the engine is to end.
 */
bool engine_step(struct engine *engine)
{
	uint64_t count;
	bool exit;

	/* Both are emptied before the ring is looked at */
	if (read(engine->doorbell, &count, sizeof(count)) == sizeof(count))
		count_doorbells(engine, count);
	if (read(engine->kick, &count, sizeof(count)) != sizeof(count))
		count = 0;
	run_ring(engine);
	pthread_mutex_lock(&engine->lock);
	exit = engine->exit;
	pthread_mutex_unlock(&engine->lock);
	return !exit;
}

static void *engine_thread(void *data)
{
	struct engine *engine = data;
	struct pollfd fds[] = {
		{ .fd = engine->doorbell, .events = POLLIN },
		{ .fd = engine->kick, .events = POLLIN },
	};
	bool go = true;

	while (go)
		if (poll(fds, 2, -1) >= 0)
			go = engine_step(engine);
	return NULL;
}

/**
 * engine_start() - start the engine's thread
 * @engine: the engine
 *
 * Return: 0, or -1 after a message.
 */
int engine_start(struct engine *engine)
{
	if (pthread_create(&engine->thread, NULL, engine_thread, engine)) {
		log_error("no thread for engine %u", engine->index);
		return -1;
	}
	engine->started = true;
	return 0;
}

static void take_ring(struct engine *engine)
{
	uint32_t n = engine->index;

	engine->base = (uint64_t)regs_read(engine->regs, PDDGPU_CP_RING_BASE(n)) << 12;
	engine->size = regs_read(engine->regs, PDDGPU_CP_RING_SIZE(n));
	engine->ring_epoch++;
	set_rptr(engine, 0);
	engine->enabled = ring_valid(engine->mmu, engine->base, engine->size);
	if (!engine->enabled)
		halt_bad_ring(engine);
}

/**
 * engine_control() - take over what the guest wrote before a control doorbell
 * @engine: the engine, held
 *
 * The ring is taken over when it becomes enabled, and then looked at.
 */
void engine_control(struct engine *engine)
{
	bool ctrl = regs_read(engine->regs, PDDGPU_CP_RING_CTRL(engine->index)) &
		    PDDGPU_CP_RING_ENABLE;

	if (ctrl == engine->ctrl)
		return;
	engine->ctrl = ctrl;
	engine->enabled = false;
	if (ctrl)
		take_ring(engine);
	engine_kick(engine);
}

static void stop(struct engine *engine)
{
	engine->epoch++;
	engine->enabled = false;
	engine->ctrl = false;
	engine->halted = false;
	engine->hung = false;
	engine->busy = false;
	engine->rptr = 0;
}

/**
 * engine_power_on() - ring off, nothing cached, no packet at work
 * @engine: the engine, held
 *
 * The registers, STATUS among them, are left to the caller.
 */
void engine_power_on(struct engine *engine)
{
	uint64_t count;

	stop(engine);
	tlb_flush(&engine->tlb);
	/* What was rung before the reset is not for after it */
	if (read(engine->doorbell, &count, sizeof(count)) == sizeof(count))
		count_doorbells(engine, count);
}

/**
 * engine_reset() - drop the packet at work and all that is queued
 * @engine: the engine, held
 *
 * The ring is empty afterwards. engine_control() takes it over anew when it is
 * enabled still.
 */
void engine_reset(struct engine *engine)
{
	stop(engine);
	set_rptr(engine, 0);
	regs_write(engine->regs, PDDGPU_CP_RING_WPTR(engine->index), 0);
	irq_status(engine->irq, PDDGPU_STATUS_ENGINE_HALTED(engine->index),
		   PDDGPU_STATUS_ENGINE_IDLE(engine->index));
	irq_engine_reset(engine->irq, engine->index);
}

/**
 * engine_set_delay() - wait before each packet
 * @engine: the engine, held
 * @us: how long; 0: no longer, which ends a wait that is under way
 */
void engine_set_delay(struct engine *engine, uint32_t us)
{
	engine->delay_us = us;
}

/**
 * engine_set_hung() - consume no packets, or go on
 * @engine: the engine, held
 * @hung: which of them; a reset of the engine ends it too
 */
void engine_set_hung(struct engine *engine, bool hung)
{
	engine->hung = hung;
	engine_kick(engine);
}
