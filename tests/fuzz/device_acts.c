// SPDX-License-Identifier: MIT
/*
 * What operations are made of: doorbells, packets, lines. After each the chip is
 * compared with the model.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "device_ops.h"

#define POISON	0xdb

static bool stepping;

static void ring_eventfd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		fuzz_die("a doorbell cannot be rung");
}

/* VRAM is lost: what was ever written has changed, the rest is still zeros. */
static void check_poison(struct model *m)
{
	static uint8_t has_data[FUZZ_PAGES];

	rig_data(m, has_data);
	for (uint32_t page = 0; page < m->vram_pages; page++) {
		uint8_t *mine = m->mem + (size_t)page * PAGE;

		if (has_data[page])
			memset(mine, POISON, PAGE);
		else
			fuzz_check(!m->touched[page], "page %u", page);
		m->touched[page] |= has_data[page];
		if (has_data[page])
			model_compare_page(m, page);
	}
}

static void check_identity(struct model *m)
{
	const struct chip *chip = m->chip;

	const uint8_t *want = (const uint8_t *)chip->identity;
	const uint8_t *have = chip->regs.base;
	const size_t rest = PDDGPU_STATUS + 4;

	fuzz_check(!memcmp(have, want, PDDGPU_STATUS) &&
		   !memcmp(have + rest, want + rest, PDDGPU_REG_FILE_SIZE - rest),
		   "a register is not as after a reset");
	fuzz_check(guest_read_reg(PDDGPU_SIGNATURE) == PDDGPU_SIGNATURE_VALUE, "%#x",
		   guest_read_reg(PDDGPU_SIGNATURE));
}

static void check_status(struct model *m)
{
	uint32_t status = irq_get_status(&m->chip->irq);

	/* Off the bus there is none */
	if (atomic_load(&m->chip->regs.gone))
		return;
	fuzz_check(!(status & PDDGPU_STATUS_READY) == !m->ready, "%#x", status);
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		fuzz_check(!(status & PDDGPU_STATUS_ENGINE_HALTED(i)) == !m->halted[i],
			   "engine %d, %#x", i, status);
}

/* After a reset of the chip that has succeeded, or not */
static void chip_was_reset(struct model *m)
{
	if (m->fail_resets) {
		m->fail_resets--;
		m->ready = false;
		m->count[STAT_resets_failed]++;
	} else {
		m->ready = true;
		m->count[STAT_resets]++;
		if (m->lose_vram)
			check_poison(m);
		m->lose_vram = false;
	}
	check_identity(m);
}

static void engines_were_reset(struct model *m, uint32_t request)
{
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		if (!(request & PDDGPU_RESET_ENGINE(i)))
			continue;
		if (m->fail_resets) {
			m->fail_resets--;
			m->count[STAT_resets_failed]++;
		} else {
			m->count[STAT_engine_resets]++;
		}
	}
}

/* Ring the control doorbell. */
void ops_control(struct chip *chip)
{
	uint32_t request = guest_read_reg(PDDGPU_RESET);
	uint32_t flush = guest_read_reg(PDDGPU_TLB_FLUSH_REQ);
	bool gone = atomic_load(&chip->regs.gone);
	struct model *m = fuzz_model;

	ring_eventfd(chip->doorbell);
	if (m && !gone && !(request & PDDGPU_RESET_CHIP) && m->ready) {
		engines_were_reset(m, request);
		if (flush != chip->tlb_done)
			model_asks_flush(m);
	}
	chip_doorbell(chip);
	if (!m || gone)
		return;
	if (request & PDDGPU_RESET_CHIP)
		chip_was_reset(m);
	else if (m->ready)
		fuzz_check(guest_read_reg(PDDGPU_TLB_FLUSH_DONE) == flush, "%#x, not %#x",
			   guest_read_reg(PDDGPU_TLB_FLUSH_DONE), flush);
	fuzz_check(!(guest_read_reg(PDDGPU_RESET) & request), "%#x",
		   guest_read_reg(PDDGPU_RESET));
	check_status(m);
}

/* Ring an engine's doorbell, and let it run until it has nothing to do. */
void ops_rung(struct chip *chip, uint32_t n)
{
	struct engine *engine = &chip->engine[n];
	bool rings;

	ring_eventfd(engine->doorbell);
	if (fuzz_threads || stepping)
		return;
	stepping = true;
	engine_step(engine);
	stepping = false;
	rings = engine->enabled && !fuzz_model->halted[n] && !engine->hung;
	if (rings)
		fuzz_check(guest_read_reg(PDDGPU_CP_RING_WPTR(n)) == engine->rptr,
			   "%#x, not %#x", engine->rptr,
			   guest_read_reg(PDDGPU_CP_RING_WPTR(n)));
	check_status(fuzz_model);
}

/* Put words into a ring, where the registers say that it is. */
void ops_emit(struct chip *chip, uint32_t n, const uint64_t *words, uint32_t count)
{
	uint64_t base = (uint64_t)guest_read_reg(PDDGPU_CP_RING_BASE(n)) << 12;
	uint32_t mask = guest_read_reg(PDDGPU_CP_RING_SIZE(n)) - 1;
	uint32_t wptr = guest_read_reg(PDDGPU_CP_RING_WPTR(n)) & ~7u;
	struct model *m = fuzz_model;
	struct place place;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t addr = base + (wptr & mask);

		if (m && model_walk(m, addr, false, false, false, &place))
			guest_write_page(place.page, addr % PAGE, words[i]);
		else if (!m && addr - LAYOUT_VRAM_START < chip->mem.vram_size)
			guest_write_page((addr - LAYOUT_VRAM_START) / PAGE, addr % PAGE,
					 words[i]);
		wptr += 8;
	}
	guest_write_reg(PDDGPU_CP_RING_WPTR(n), wptr & mask);
}

/* The answer to `read`: what memory holds, by the tables as they are now */
static void check_read(struct model *m, uint64_t addr, uint32_t bytes,
		       const struct answer *answer)
{
	static char want[COMMAND_ANSWER_MAX];
	struct place place = { 0 };
	size_t length = 3;

	strcpy(want, "ok ");
	for (uint32_t i = 0; i < bytes; i++, addr++) {
		if ((!i || addr % PAGE == 0) &&
		    !model_walk(m, addr, false, false, false, &place)) {
			fuzz_check(!memcmp(answer->text, "error: no memory", 16),
				   "%.40s", answer->text);
			return;
		}
		length += sprintf(want + length, "%02x",
				  m->mem[(size_t)place.page * PAGE + addr % PAGE]);
	}
	want[length++] = '\n';
	fuzz_check(answer->bytes == length && !memcmp(answer->text, want, length),
		   "%.40s, not %.40s", answer->text, want);
}

enum line {
	LINE_READ, LINE_FAULT, LINE_HANG, LINE_UNHANG, LINE_DELAY, LINE_DROP, LINE_SKIP,
	LINE_FAIL, LINE_LOSE, LINE_ONES, LINE_RESTORE, LINE_CLEAR, LINE_INFO,
	LINE_RESET_STATS, LINES,
};

static void all_off(struct model *m)
{
	memset(m->inject, 0, sizeof(m->inject));
	m->fail_resets = 0;
	m->lose_vram = false;
	m->skip_flushes = 0;
	m->drop = 0;
}

/* What a line leads to, beyond its answer */
static void learn_line(struct model *m, enum line which, uint16_t a, uint32_t b,
		       bool was_gone)
{
	switch (which) {
	case LINE_FAULT:
		m->inject[a % 2] = true;
		break;
	case LINE_DROP:
		m->drop = b;
		break;
	case LINE_SKIP:
		m->skip_flushes = b % 4;
		break;
	case LINE_FAIL:
		m->fail_resets = b % 4;
		break;
	case LINE_LOSE:
		m->lose_vram = true;
		break;
	case LINE_CLEAR:
		all_off(m);
		m->ready |= was_gone;
		break;
	case LINE_RESTORE:
		m->ready |= was_gone;
		break;
	case LINE_ONES:
		m->ready = false;
		break;
	case LINE_RESET_STATS:
		memset(m->count, 0, sizeof(m->count));
		/* A packet at work counts when it ends */
		m->packets_unknown = m->in_flight;
		break;
	default:
		break;
	}
}

void ops_line(struct chip *chip, uint8_t number, uint16_t a, uint32_t b, uint64_t addr)
{
	static const char *const formats[LINES] = {
		"read 0x%3$llx %2$u", "fault %1$u", "hang %1$u", "unhang %1$u",
		"delay %2$u", "drop-interrupts %2$u", "skip-flushes %2$u",
		"fail-reset %2$u", "lose-vram", "all-ones", "restore-registers", "clear",
		"info", "stats reset",
	};
	bool was_gone = atomic_load(&chip->regs.gone);
	enum line which = number % LINES;
	static struct answer answer;
	uint32_t value = b;
	char line[64];

	if (which == LINE_READ)
		value = b % 2 ? b % (COMMAND_READ_MAX + 1) : b % 64;
	else if (which == LINE_SKIP || which == LINE_FAIL)
		value = b % 4;
	else if (which == LINE_DELAY)
		value = fuzz_threads ? b % 200 : b % 60000000;
	snprintf(line, sizeof(line), formats[which], a % 2, value,
		 (unsigned long long)addr);
	command_run(chip, true, line, &answer);
	if (!fuzz_model)
		return;
	if (which == LINE_READ && !fuzz_model->in_flight)
		check_read(fuzz_model, addr, value, &answer);
	else if (which != LINE_READ)
		fuzz_check(!memcmp(answer.text, "ok", 2), "%s", answer.text);
	learn_line(fuzz_model, which, a, b, was_gone);
	if (was_gone && (which == LINE_RESTORE || which == LINE_CLEAR))
		check_identity(fuzz_model);
}
