// SPDX-License-Identifier: MIT
/*
 * An input is a byte, and then records of 16 bytes: each an operation of the guest
 * or of the control channel. Most of what they say is brought to where it makes
 * sense; the raw ones are taken as they are. The byte chooses the machine, whether
 * its driver begins with a set-up, and whether it resets an engine that has halted.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "device_ops.h"

#define RING_PAGE(n)	(8u + 2 * (n))
#define IH_PAGE		12u
#define TABLE_PAGES	5u	/* level 2, and a level 3 for every 2 MiB */
#define MAPPED		64u	/* pages of the aperture, by a set-up */

static struct chip *chip;
static int depth;

static uint32_t vram_pages(void)
{
	return chip->mem.vram_size / PAGE;
}

/* Where an operation's 16 bits lead: mostly to memory, or close to its ends */
static uint64_t address(uint16_t where, uint32_t offset)
{
	uint32_t page = where & 0x1fff;

	offset %= PAGE;
	switch (where >> 13) {
	case 0:
	case 1:
		return LAYOUT_VRAM_START + page % vram_pages() * PAGE + offset;
	case 2:
	case 3:
		return LAYOUT_GTT_START + page % MAPPED * PAGE + offset;
	case 4:
		return LAYOUT_GTT_START + page % (FUZZ_GTT / PAGE) * PAGE + offset;
	case 5:
		return LAYOUT_VRAM_START + chip->mem.vram_size +
		       (page % 16 - 8ull) * PAGE + offset;
	case 6:
		return LAYOUT_GTT_START + FUZZ_GTT + (page % 16 - 8ull) * PAGE + offset;
	default:
		return ((uint64_t)page << 51) - offset;
	}
}

static uint64_t amount(uint16_t how, uint32_t raw)
{
	switch (how >> 14) {
	case 0:
		return how & 0x3ff;
	case 1:
		return how & 0x3fff;
	case 2:
		return (how & 0x1f) * PAGE + (raw & 0xff);
	default:
		return how & 1 ? raw : how & 2 ? (how & 0x7ff) * PAGE : (how & 0xff) * 4;
	}
}

/* A level-2 entry's table, and the entry of a page of the aperture */
static void map_page(uint32_t page, uint64_t entry)
{
	uint32_t table = 1 + page / PDDGPU_MMU_ENTRIES % (TABLE_PAGES - 1);

	guest_write_page(table, page % PDDGPU_MMU_ENTRIES * 8, entry);
}

static void map_table(uint32_t index, uint64_t entry)
{
	guest_write_page(0, index % (FUZZ_GTT / PDDGPU_MMU_LEAF_SIZE) * 8, entry);
}

/* Mostly a page that there is, often the last, or the first that there is not */
static uint64_t page_of(const struct record *r, uint32_t pages)
{
	const uint32_t leaf = PDDGPU_MMU_LEAF_SIZE / PAGE;

	if (r->a & 0x80 && r->a & PDDGPU_PTE_LEAF && r->c >> 29)
		return r->c % (pages / leaf + 1) * leaf;
	if (r->c >> 29 < 2 || !pages)
		return pages - 1 + r->c % 2;
	return r->c % pages;
}

static void op_map(const struct record *r)
{
	uint32_t low = chip->mem.lowmem_size / PAGE;
	uint32_t high = chip->mem.ram_size / PAGE - low;
	uint64_t entry = r->a & 0x1f;

	if (r->a & 0x20)
		entry = r->d;
	else if (!(r->a & PDDGPU_PTE_SYSTEM))
		entry |= page_of(r, vram_pages()) * PAGE;
	else if (r->a & 0x40)
		entry |= 4 * GIB + page_of(r, high) * PAGE;
	else
		entry |= page_of(r, low) * PAGE;
	if (r->a & 0x80)
		map_table(r->b, entry);
	else
		map_page(r->b % (FUZZ_GTT / PAGE), entry);
}

static void op_doorbell(const struct record *r)
{
	if (r->a % 3)
		ops_rung(chip, r->a % 3 - 1);
	else
		ops_control(chip);
}

static void set_ring(uint32_t n, uint64_t addr, uint32_t size)
{
	guest_write_reg(PDDGPU_CP_RING_BASE(n), addr >> 12);
	guest_write_reg(PDDGPU_CP_RING_SIZE(n), size);
	guest_write_reg(PDDGPU_CP_RING_WPTR(n), 0);
	guest_write_reg(PDDGPU_CP_RING_CTRL(n), 1);
}

/* What a driver does first. The bits of @a choose where things lie. */
static void op_setup(const struct record *r)
{
	const uint64_t rw = PDDGPU_PTE_VALID | PDDGPU_PTE_WRITABLE;
	uint32_t l1 = PDDGPU_MMIO_MMU_START_ADDRESS +
		      PDDGPU_MMU_L1_INDEX(LAYOUT_GTT_START) * 8;
	uint32_t size = PAGE << (r->a & 1);

	guest_write_reg(l1, PDDGPU_PTE_VALID);
	guest_write_reg(l1 + 4, 0);
	for (uint32_t i = 0; i < TABLE_PAGES - 1; i++)
		map_table(i, (i + 1ull) * PAGE | PDDGPU_PTE_VALID);
	for (uint32_t i = 0; i < MAPPED; i++) {
		uint64_t page = i % 2 ? 64 + i : r->c % 8 + i;

		map_page(i, page * PAGE | rw | (i % 2 ? 0 : PDDGPU_PTE_SYSTEM));
	}
	if (r->a & 2)
		map_table(3, rw | PDDGPU_PTE_LEAF |
			  (r->a & 4 ? 4 * GIB | PDDGPU_PTE_SYSTEM : 0));
	guest_write_reg(PDDGPU_MC_VRAM_CTRL, 1);
	guest_write_reg(PDDGPU_MC_GTT_CTRL, 1);
	for (uint32_t n = 0; n < PDDGPU_ENGINE_COUNT; n++)
		set_ring(n, r->a & 8 << n ? LAYOUT_GTT_START + 40 * PAGE + n * 2 * PAGE :
			    LAYOUT_VRAM_START + RING_PAGE(n) * PAGE, size);
	guest_write_reg(PDDGPU_IH_RING_BASE, (r->a & 0x20 ? LAYOUT_GTT_START + 50 * PAGE :
					     LAYOUT_VRAM_START + IH_PAGE * PAGE) >> 12);
	guest_write_reg(PDDGPU_IH_RING_SIZE, PAGE);
	guest_write_reg(PDDGPU_IH_RING_RPTR, 0);
	guest_write_reg(PDDGPU_IH_RING_CTRL, !(r->a & 0x40));
	guest_write_reg(PDDGPU_TLB_FLUSH_REQ, guest_read_reg(PDDGPU_TLB_FLUSH_DONE) + 1);
	ops_control(chip);
}

/* Mostly a register that means something */
static void op_register(const struct record *r)
{
	static const uint16_t known[] = {
		PDDGPU_RESET, PDDGPU_STATUS, PDDGPU_MC_VRAM_CTRL, PDDGPU_MC_GTT_CTRL,
		PDDGPU_FAULT_STATUS, PDDGPU_FAULT_ACK, PDDGPU_TLB_FLUSH_REQ,
		PDDGPU_TLB_FLUSH_DONE, PDDGPU_IH_RING_BASE, PDDGPU_IH_RING_SIZE,
		PDDGPU_IH_RING_WPTR, PDDGPU_IH_RING_RPTR, PDDGPU_IH_RING_CTRL,
		PDDGPU_IH_HOLD, PDDGPU_CP_RING_BASE(0), PDDGPU_CP_RING_SIZE(0),
		PDDGPU_CP_RING_WPTR(0), PDDGPU_CP_RING_RPTR(0), PDDGPU_CP_RING_CTRL(0),
		PDDGPU_CP_RING_BASE(1), PDDGPU_CP_RING_SIZE(1), PDDGPU_CP_RING_WPTR(1),
		PDDGPU_CP_RING_RPTR(1), PDDGPU_CP_RING_CTRL(1),
		PDDGPU_MMIO_MMU_START_ADDRESS + 128 * 8,
	};
	uint32_t reg = known[r->b % (sizeof(known) / sizeof(known[0]))];
	uint32_t value = r->c;

	if (r->a & 1)
		reg = r->b;
	if (r->a & 2)
		value = 1u << r->c % 32;
	if (r->a & 4)
		value = address(r->c & 0xffff, 0) >> 12;
	/* As an entry of level 1: the last table, or the first that is none */
	if (r->a & 0x10)
		value = (vram_pages() - 1 + r->c % 2) * PAGE | PDDGPU_PTE_VALID;
	guest_write_reg(reg, value);
	if (r->a & 8)
		ops_control(chip);
}

/* Packets are put into the ring; most of the time it is rung for them, too. */
static void emit(const struct record *r, const uint64_t *words, uint32_t count)
{
	ops_emit(chip, r->a & 1, words, count);
	if (r->a & 0x40)
		ops_rung(chip, r->a & 1);
}

static void op_copy(const struct record *r)
{
	uint64_t packet[4] = {
		PDDGPU_PKT_HEADER(PDDGPU_OP_COPY, 0, 8),
		address(r->b, r->d), address(r->c & 0xffff, r->d >> 12),
		amount(r->c >> 16, r->d >> 24),
	};

	/* To itself, a little further */
	if (r->a & 2)
		packet[2] = packet[1] + (int16_t)(r->d >> 48);
	emit(r, packet, 4);
}

static void op_fill(const struct record *r)
{
	uint32_t mask = r->a & 0x80 ? ~0u : ~3u;
	uint64_t packet[3] = {
		PDDGPU_PKT_HEADER(PDDGPU_OP_FILL, 0, 6) | r->d << 32,
		address(r->b, r->d >> 32 & mask), amount(r->c >> 16, r->c) & ~0ull << 2,
	};

	packet[2] |= r->a & 0x80 ? r->c & 3 : 0;
	emit(r, packet, 3);
}

static void op_fence(const struct record *r)
{
	uint64_t packet[3] = {
		PDDGPU_PKT_HEADER(PDDGPU_OP_FENCE, r->a >> 1 & 1, 6),
		address(r->b, r->c & (r->a & 0x80 ? ~0u : ~7u)), r->d,
	};

	emit(r, packet, 3);
}

static void op_small(const struct record *r)
{
	uint64_t flush = PDDGPU_PKT_HEADER(PDDGPU_OP_TLB_FLUSH, 0, 2);
	uint64_t nop[4] = { PDDGPU_PKT_HEADER(PDDGPU_OP_NOP, 0, 2 + r->b % 4 * 2), r->d };

	if (r->a & 2)
		emit(r, &flush, 1);
	else
		emit(r, nop, 1 + r->b % 4);
}

static void op_raw(const struct record *r)
{
	emit(r, &r->d, 1);
}

/* A packet's header, wrong in its own way */
static void op_odd(const struct record *r)
{
	uint64_t packet[4] = {
		PDDGPU_PKT_HEADER(r->b % 6, r->a >> 4, r->b >> 8) | (uint64_t)r->c << 32,
		address(r->c & 0xffff, 0), r->d, r->d >> 40,
	};

	emit(r, packet, 1 + (r->a >> 1 & 3));
}

static void op_write(const struct record *r)
{
	guest_write_page(r->a & 1 ? r->c % 16 : r->c, r->b, r->d);
}

static void op_reset(const struct record *r)
{
	static const uint32_t bits[] = {
		PDDGPU_RESET_CHIP, PDDGPU_RESET_ENGINE(0), PDDGPU_RESET_ENGINE(1),
		PDDGPU_RESET_ENGINE(0) | PDDGPU_RESET_ENGINE(1),
	};

	guest_write_reg(PDDGPU_RESET, r->a & 0x80 ? r->c : bits[r->a % 4]);
	guest_write_reg(PDDGPU_FAULT_ACK, r->a >> 6 & 1);
	ops_control(chip);
}

static void op_flush(const struct record *r)
{
	guest_write_reg(PDDGPU_TLB_FLUSH_REQ,
			guest_read_reg(PDDGPU_TLB_FLUSH_DONE) + r->a % 3);
	ops_control(chip);
}

/* The driver has read the interrupt ring. */
static void op_interrupts(const struct record *r)
{
	guest_write_reg(PDDGPU_IH_RING_RPTR, r->a & 1 ? r->c :
			guest_read_reg(PDDGPU_IH_RING_WPTR));
	guest_write_reg(PDDGPU_IH_HOLD, r->a >> 1 & 1);
}

static void op_line(const struct record *r)
{
	ops_line(chip, r->a, r->b, r->c, address(r->d & 0xffff, r->d >> 16));
}

static void op_later(const struct record *r);

static void (*const ops[])(const struct record *r) = {
	op_setup, op_copy, op_fill, op_fence, op_small, op_raw, op_odd, op_map,
	op_register, op_write, op_doorbell, op_reset, op_flush, op_interrupts, op_line,
	op_later,
};

/* What may happen while an engine is in the middle of an access */
static bool is_plain_write(uint8_t op)
{
	return ops[op % 16] == op_write || ops[op % 16] == op_map ||
	       ops[op % 16] == op_interrupts;
}

static void run(const struct record *r)
{
	depth++;
	ops[r->op % 16](r);
	depth--;
}

static void run_later(const void *what)
{
	struct record r;

	memcpy(&r, what, sizeof(r));
	run(&r);
}

/* The next record takes effect in the middle of a packet, not now. */
static void op_later(const struct record *r)
{
	if (depth > 1 || fuzz_threads)
		return;
	fuzz_later.translations = r->a & 1;
	fuzz_later.countdown = r->b % 64;
	fuzz_later.run = NULL;
}

static bool take_later(const struct record *before, const struct record *r)
{
	if (fuzz_threads || ops[before->op % 16] != op_later || ops[r->op % 16] == op_later)
		return false;
	if (fuzz_later.translations && !is_plain_write(r->op))
		return false;
	memcpy(fuzz_later.what, r, sizeof(*r));
	fuzz_later.run = run_later;
	return true;
}

/* A driver that wants to go on */
static void recover(void)
{
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		if (!(guest_read_reg(PDDGPU_STATUS) & PDDGPU_STATUS_ENGINE_HALTED(i)))
			continue;
		guest_write_reg(PDDGPU_RESET, PDDGPU_RESET_ENGINE(i));
		guest_write_reg(PDDGPU_FAULT_ACK, 1);
		ops_control(chip);
	}
}

/* @how: INPUT_* */
void ops_run(struct chip *which, uint8_t how, const uint8_t *data, size_t size)
{
	struct record before = { 0 }, r;

	chip = which;
	depth = 0;
	if (!(how & INPUT_OFF))
		op_setup(&(struct record) { .a = how & INPUT_SETUP });
	for (size_t at = 0; at + sizeof(r) <= size; at += sizeof(r)) {
		memcpy(&r, data + at, sizeof(r));
		if (!take_later(&before, &r))
			run(&r);
		before = r;
		if (!(how & INPUT_HELPLESS))
			recover();
		if (fuzz_model && fuzz_model->bytes > FUZZ_BYTES_MAX)
			break;
	}
	ops_rung(chip, 0);
	ops_rung(chip, 1);
}
