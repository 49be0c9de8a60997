// SPDX-License-Identifier: MIT
/*
 * The linker leads the calls between the chip's blocks through here (--wrap), so
 * that the model sees each packet and each interrupt entry, and so that the guest
 * can interfere at a chosen place in the middle of a packet, the same in each run.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "device_fuzz.h"
#include "device_wrapped.h"

struct later fuzz_later;

/* The faults that a packet has foretold, for irq_fault() to meet */
static struct forecast forecast;

static void interfere(bool translations)
{
	struct later later;

	if (!fuzz_model || !fuzz_later.run || fuzz_later.translations != translations ||
	    fuzz_later.countdown--)
		return;
	later = fuzz_later;
	fuzz_later.run = NULL;
	if (fuzz_model->in_flight)
		fuzz_model->disturbed = true;
	later.run(later.what);
}

bool __wrap_engine_access_begin(struct engine *engine, uint64_t epoch)
{
	interfere(false);
	return __real_engine_access_begin(engine, epoch);
}

bool __wrap_mmu_access(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, bool write,
		       struct translation *out, struct fault *fault)
{
	interfere(true);
	return __real_mmu_access(mmu, tlb, addr, write, out, fault);
}

bool __wrap_mmu_run(const struct mmu *mmu, struct tlb *tlb, uint64_t addr, uint64_t want,
		    bool write, struct translation *out, struct fault *fault)
{
	interfere(true);
	return __real_mmu_run(mmu, tlb, addr, want, write, out, fault);
}

/* Without threads nobody else could end a delay: time passes at once. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
				  const struct timespec *until)
{
	int rc = ETIMEDOUT;

	if (fuzz_threads)
		rc = __real_pthread_cond_timedwait(cond, mutex, until);
	return rc;
}

static void check_forecast(enum packet_result result, const struct fault *fault)
{
	const struct forecast *f = &forecast;

	if (!f->known)
		return;
	fuzz_check(result == f->result, "%d, not %d (reason %u, level %u, at %#llx)",
		   result, f->result, f->fault.reason, f->fault.level,
		   (unsigned long long)f->fault.addr);
	if (result != PACKET_FAULT)
		return;
	fuzz_check(fault->reason == f->fault.reason && fault->level == f->fault.level &&
		   fault->write == f->fault.write &&
		   (f->any_addr || fault->addr == f->fault.addr),
		   "fault %u.%u.%d at %#llx, not %u.%u.%d at %#llx", fault->reason,
		   fault->level, fault->write, (unsigned long long)fault->addr,
		   f->fault.reason, f->fault.level, f->fault.write,
		   (unsigned long long)f->fault.addr);
}

/* The packet is at an end: what happened in it that was not foretold? */
static void land(struct model *m, struct engine *engine)
{
	m->in_flight = false;
	if (m->disturbed) {
		forecast.known = false;
		/* It may have been dropped after all was done */
		m->packets_unknown = true;
	}
	m->disturbed = false;
	if (!forecast.known)
		m->inject[engine->index] = atomic_load(&engine->inject);
}

enum packet_result __wrap_packet_fetch(struct engine *engine,
				       const struct ring_view *ring,
				       struct packet *packet, struct fault *fault)
{
	struct model *m = fuzz_model;
	enum packet_result result;
	struct packet want;

	count_one();
	if (!m)
		return __real_packet_fetch(engine, ring, packet, fault);
	forecast_fetch(m, ring, &want, &forecast);
	m->in_flight = true;
	result = __real_packet_fetch(engine, ring, packet, fault);
	land(m, engine);
	check_forecast(result, fault);
	if (forecast.known && result == PACKET_DONE)
		fuzz_check(packet->opcode == want.opcode && packet->flags == want.flags &&
			   packet->bytes == want.bytes && packet->high == want.high &&
			   packet->addr == want.addr &&
			   packet->ring_offset == want.ring_offset &&
			   !memcmp(packet->word, want.word, sizeof(want.word)),
			   "opcode %u, not %u", packet->opcode, want.opcode);
	return result;
}

static void count_done(struct model *m, const struct packet *packet)
{
	switch (packet->opcode) {
	case PDDGPU_OP_COPY:
		m->count[STAT_copies]++;
		m->count[STAT_bytes_copied] += forecast.bytes;
		break;
	case PDDGPU_OP_FILL:
		m->count[STAT_fills]++;
		m->count[STAT_bytes_filled] += forecast.bytes;
		break;
	case PDDGPU_OP_FENCE:
		m->count[STAT_fences]++;
		break;
	}
}

/* Counters of what was not foretold are as they are. */
static void learn_counts(struct model *m)
{
	static const enum counter moving[] = {
		STAT_copies, STAT_fills, STAT_fences, STAT_bytes_copied,
		STAT_bytes_filled,
	};

	for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
		m->count[moving[i]] = stats_get(&m->chip->stats, moving[i]);
}

enum packet_result __wrap_packet_run(struct engine *engine, uint64_t epoch,
				     const struct packet *packet, struct fault *fault)
{
	struct model *m = fuzz_model;
	enum packet_result result;

	if (!m)
		return __real_packet_run(engine, epoch, packet, fault);
	forecast_run(m, engine->index, packet, &forecast);
	m->in_flight = true;
	result = __real_packet_run(engine, epoch, packet, fault);
	land(m, engine);
	check_forecast(result, fault);
	if (result == PACKET_DONE)
		m->count[STAT_packets]++;
	if (forecast.known && result == PACKET_DONE)
		count_done(m, packet);
	else
		learn_counts(m);
	forecast_apply(m, &forecast);
	if (result == PACKET_DONE && packet->opcode == PDDGPU_OP_TLB_FLUSH)
		model_asks_flush(m);
	return result;
}

static void raise_vector(struct model *m)
{
	if (guest_read_reg(PDDGPU_IH_HOLD)) {
		m->count[STAT_interrupts_held]++;
	} else if (m->drop) {
		m->drop--;
		m->count[STAT_interrupts_dropped]++;
	} else {
		m->count[STAT_interrupts]++;
		m->raised++;
	}
}

static void latch(struct model *m)
{
	m->count[STAT_faults]++;
	m->latched = true;
}

/* An entry of the interrupt ring, into the model; the page, or -1 for none */
static int64_t put_entry(struct model *m, uint32_t source, uint32_t engine,
			 uint64_t sequence, uint64_t address)
{
	uint32_t next = (m->ih_wptr + PDDGPU_IH_ENTRY_SIZE) & (m->ih_size - 1);
	uint32_t rptr = guest_read_reg(PDDGPU_IH_RING_RPTR) & (m->ih_size - 1) &
			~(PDDGPU_IH_ENTRY_SIZE - 1);
	struct pddgpu_ih_entry entry = {
		.source = source, .engine = engine,
		.sequence = sequence, .address = address,
	};
	struct place place;

	if (!m->ih_on || atomic_load(&m->chip->regs.gone))
		return -1;
	if (next == rptr) {
		m->ih_overflow = true;
		m->count[STAT_ih_overflows]++;
		raise_vector(m);
		return -1;
	}
	if (!model_walk(m, m->ih_base + m->ih_wptr, true, true, false, &place)) {
		m->ih_on = false;
		latch(m);
		return -1;
	}
	entry.flags = m->ih_overflow ? PDDGPU_IH_FLAG_OVERFLOW : 0;
	m->ih_overflow = false;
	model_write(m, place.page, m->ih_wptr % PAGE, &entry, sizeof(entry));
	m->ih_wptr = next;
	m->count[STAT_ih_entries]++;
	raise_vector(m);
	return place.page;
}

static void check_entry(struct model *m, int64_t page)
{
	if (m->ih_on && !atomic_load(&m->chip->regs.gone))
		fuzz_check(m->chip->irq.wptr == m->ih_wptr, "%#x, not %#x",
			   m->chip->irq.wptr, m->ih_wptr);
	fuzz_check(m->chip->irq.ring_on == m->ih_on, "%d", m->ih_on);
	if (page < 0)
		return;
	fuzz_check(guest_read_reg(PDDGPU_IH_RING_WPTR) == m->ih_wptr, "%#x, not %#x",
		   guest_read_reg(PDDGPU_IH_RING_WPTR), m->ih_wptr);
	if (!m->in_flight)
		model_compare_page(m, page);
}

/* The guest may not interfere with an entry, only with packets. */
static struct later hold_off(void)
{
	struct later later = fuzz_later;

	fuzz_later.run = NULL;
	return later;
}

void __wrap_irq_fence(struct irq *irq, uint32_t engine, uint64_t addr, uint64_t sequence)
{
	struct later later;
	int64_t page;

	if (!fuzz_model)
		return __real_irq_fence(irq, engine, addr, sequence);
	later = hold_off();
	page = put_entry(fuzz_model, PDDGPU_IH_SOURCE_FENCE, engine, sequence, addr);
	__real_irq_fence(irq, engine, addr, sequence);
	fuzz_later = later;
	check_entry(fuzz_model, page);
}

void __wrap_irq_engine_reset(struct irq *irq, uint32_t engine)
{
	struct later later;
	int64_t page;

	if (!fuzz_model)
		return __real_irq_engine_reset(irq, engine);
	later = hold_off();
	fuzz_model->halted[engine] = false;
	page = put_entry(fuzz_model, PDDGPU_IH_SOURCE_RESET, engine, 0, 0);
	__real_irq_engine_reset(irq, engine);
	fuzz_later = later;
	check_entry(fuzz_model, page);
}

/* A ring that the engine refuses has to be a bad one. */
static void check_bad_ring(struct model *m, uint32_t n, const struct fault *fault)
{
	const struct engine *engine = &m->chip->engine[n];
	uint64_t vram_end = LAYOUT_VRAM_START + (uint64_t)m->vram_pages * PAGE;
	uint64_t end = engine->base + engine->size;
	uint32_t wptr = guest_read_reg(PDDGPU_CP_RING_WPTR(n));
	bool fits = (engine->base >= LAYOUT_VRAM_START && end <= vram_end) ||
		    (engine->base >= LAYOUT_GTT_START &&
		     end <= LAYOUT_GTT_START + FUZZ_GTT);
	bool size = engine->size >= PDDGPU_RING_SIZE_MIN &&
		    engine->size <= PDDGPU_RING_SIZE_MAX &&
		    __builtin_popcount(engine->size) == 1;

	fuzz_check(fault->addr == engine->base, "%#llx", (unsigned long long)fault->addr);
	fuzz_check(!fits || !size || wptr >= engine->size || wptr % 8,
		   "ring %#llx + %#x, wptr %#x", (unsigned long long)engine->base,
		   engine->size, wptr);
}

void __wrap_irq_fault(struct irq *irq, uint32_t engine, const struct fault *fault)
{
	uint32_t entry = PDDGPU_FAULT_VALID | (fault->write ? PDDGPU_FAULT_WRITE : 0) |
			  fault->level << PDDGPU_FAULT_LEVEL_SHIFT |
			  fault->reason << PDDGPU_FAULT_REASON_SHIFT;
	struct model *m = fuzz_model;
	struct later later;
	int64_t page;
	uint32_t status = entry, addr = fault->addr;

	if (!m)
		return __real_irq_fault(irq, engine, fault);
	later = hold_off();
	/* The first stays, whoever wrote to the registers */
	if (m->latched || atomic_load(&irq->regs->gone)) {
		status = guest_read_reg(PDDGPU_FAULT_STATUS);
		addr = guest_read_reg(PDDGPU_FAULT_ADDR_LO);
	}
	if (fault->reason == PDDGPU_FAULT_BAD_RING)
		check_bad_ring(m, engine, fault);
	latch(m);
	m->halted[engine] = true;
	page = put_entry(m, PDDGPU_IH_SOURCE_FAULT, engine, entry, fault->addr);
	__real_irq_fault(irq, engine, fault);
	fuzz_later = later;
	fuzz_check(guest_read_reg(PDDGPU_FAULT_STATUS) == status &&
		   guest_read_reg(PDDGPU_FAULT_ADDR_LO) == addr, "%#x at %#x, not %#x at %#x",
		   guest_read_reg(PDDGPU_FAULT_STATUS),
		   guest_read_reg(PDDGPU_FAULT_ADDR_LO), status, addr);
	check_entry(m, page);
}

static void ring_enable(struct model *m)
{
	uint64_t vram_end = LAYOUT_VRAM_START + (uint64_t)m->vram_pages * PAGE, end;

	m->ih_base = (uint64_t)guest_read_reg(PDDGPU_IH_RING_BASE) << 12;
	m->ih_size = guest_read_reg(PDDGPU_IH_RING_SIZE);
	m->ih_wptr = 0;
	m->ih_overflow = false;
	end = m->ih_base + m->ih_size;
	m->ih_on = m->ih_size >= PDDGPU_RING_SIZE_MIN &&
		   m->ih_size <= PDDGPU_RING_SIZE_MAX &&
		   __builtin_popcount(m->ih_size) == 1 &&
		   ((m->ih_base >= LAYOUT_VRAM_START && end <= vram_end) ||
		    (m->ih_base >= LAYOUT_GTT_START &&
		     end <= LAYOUT_GTT_START + FUZZ_GTT));
	if (!m->ih_on)
		latch(m);
}

void __wrap_irq_control(struct irq *irq)
{
	struct model *m = fuzz_model;
	bool ctrl;

	if (!m)
		return __real_irq_control(irq);
	ctrl = guest_read_reg(PDDGPU_IH_RING_CTRL) & PDDGPU_IH_RING_ENABLE;
	m->vram_on = guest_read_reg(PDDGPU_MC_VRAM_CTRL) & PDDGPU_MC_ENABLE;
	m->gtt_on = guest_read_reg(PDDGPU_MC_GTT_CTRL) & PDDGPU_MC_ENABLE;
	if (ctrl && !m->ih_ctrl)
		ring_enable(m);
	else if (!ctrl)
		m->ih_on = false;
	m->ih_ctrl = ctrl;
	if (guest_read_reg(PDDGPU_FAULT_ACK) & 1)
		m->latched = false;
	__real_irq_control(irq);
	check_entry(m, -1);
}

/* With the chip's power, or a reset of it */
void __wrap_irq_power_on(struct irq *irq)
{
	struct model *m = fuzz_model;

	if (m) {
		m->latched = false;
		m->ih_ctrl = false;
		m->ih_on = false;
		m->ih_overflow = false;
		m->ih_wptr = 0;
		m->vram_on = false;
		m->gtt_on = false;
		memset(m->halted, 0, sizeof(m->halted));
		model_flush(m);
	}
	__real_irq_power_on(irq);
}
