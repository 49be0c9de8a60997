/* SPDX-License-Identifier: MIT */
/*
 * The device program's fuzzers: the chip without its sockets and without its
 * threads, the guest that a fuzzer plays, and a model of what has to come of it.
 */
#ifndef DEVICE_FUZZ_H
#define DEVICE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "chip.h"
#include "packet.h"

#define PAGE		4096u
#define FUZZ_VRAM_MAX	(4 * MIB)
#define FUZZ_RAM_MAX	(4 * MIB)
#define FUZZ_GTT	(8 * MIB)
#define FUZZ_PAGES	((FUZZ_VRAM_MAX + FUZZ_RAM_MAX) / PAGE)
#define FUZZ_WORDS	(FUZZ_VRAM_MAX / 8 + PDDGPU_MMU_L1_ENTRIES)

/* How much one input may have the engines move, so that each ends soon */
#define FUZZ_BYTES_MAX	(96 * MIB)

/**
 * struct place - where an address leads, by the manual
 * @reason: PDDGPU_FAULT_*; 0: it leads to @page
 * @level: of the entry at fault
 * @page: page of the host: VRAM's come first, then RAM's
 */
struct place {
	uint32_t reason;
	uint32_t level;
	uint32_t page;
};

/**
 * struct model - the chip as the manual describes it
 * @chip: the chip that it is compared with
 * @vram_pages: of the memory, so many are VRAM
 * @pages: all of them
 * @lowmem: bytes of RAM below 4 GiB
 * @mem: what memory holds, VRAM first
 * @touched: the page may hold something other than zeros
 * @vram_on: MC_VRAM_CTRL as taken over
 * @gtt_on: MC_GTT_CTRL as taken over
 * @ready: the chip answers
 * @halted: a fault has stopped the engine
 * @inject: the engine's next access fails
 * @fail_resets: so many resets fail
 * @lose_vram: the next good one loses VRAM
 * @skip_flushes: so many flushes are left out
 * @latched: a fault is latched
 * @ih_ctrl: the interrupt ring's CTRL as last seen
 * @ih_on: entries are written
 * @ih_base: its GPU address
 * @ih_size: its bytes
 * @ih_wptr: the next entry
 * @ih_overflow: one was lost
 * @drop: so many interrupts are lost
 * @raised: interrupts since the eventfd was last read
 * @count: the counters; those that no model foretells are copied
 * @marked: the entry may be cached by an engine, a byte each
 * @marked_page: any of its words is
 * @marks: how many are
 * @mark: which
 * @reach: a write may go to the page, since the last flush
 * @stale: a cached entry has changed since
 * @in_flight: a packet is at work
 * @disturbed: something has interfered with it
 * @packets_unknown: how many have run cannot be told
 * @bytes: moved for this input
 */
struct model {
	struct chip *chip;
	uint32_t vram_pages;
	uint32_t pages;
	uint64_t lowmem;
	uint8_t *mem;
	uint8_t touched[FUZZ_PAGES];
	bool vram_on;
	bool gtt_on;
	bool ready;
	bool halted[PDDGPU_ENGINE_COUNT];
	bool inject[PDDGPU_ENGINE_COUNT];
	uint64_t fail_resets;
	bool lose_vram;
	uint64_t skip_flushes;
	bool latched;
	bool ih_ctrl;
	bool ih_on;
	uint64_t ih_base;
	uint32_t ih_size;
	uint32_t ih_wptr;
	bool ih_overflow;
	uint64_t drop;
	uint64_t raised;
	uint64_t count[STAT_COUNT];
	uint8_t marked[FUZZ_WORDS];
	uint8_t marked_page[FUZZ_WORDS * 8 / PAGE + 1];
	uint32_t marks;
	uint32_t mark[FUZZ_WORDS];
	uint8_t reach[FUZZ_PAGES];
	bool stale;
	bool in_flight;
	bool disturbed;
	bool packets_unknown;
	uint64_t bytes;
};

/**
 * struct forecast - what has to come of a packet
 * @known: it can be told
 * @result: how it ends
 * @fault: why it fails
 * @any_addr: the address of the fault is not foretold
 * @dst: GPU address of what it writes
 * @dst_bytes: how much that is
 * @writes: pieces of memory that it writes, as far as can be told
 * @bytes: all of them together
 */
struct forecast {
	bool known;
	enum packet_result result;
	struct fault fault;
	bool any_addr;
	uint64_t dst;
	uint64_t dst_bytes;
	uint32_t writes;
	uint64_t bytes;
};

/* The chip and its model at work; NULL model: threads run, nothing is foretold */
extern struct model *fuzz_model;
extern const bool fuzz_threads;

/* device_rig.c: the machine round the chip */
struct chip *rig_begin(unsigned int kind);
void rig_end(void);
void guest_write64(uint64_t *where, uint64_t value);
void guest_write_page(uint32_t page, uint32_t offset, uint64_t value);
void guest_write_reg(uint32_t offset, uint32_t value);
uint32_t guest_read_reg(uint32_t offset);
void rig_data(const struct model *m, uint8_t *has_data);
uint8_t *rig_page(const struct model *m, uint32_t page);

/* device_report.c */
void count_one(void);
void fuzz_die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
#define fuzz_check(condition, ...) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
			#condition); \
		fuzz_die(__VA_ARGS__); \
	} \
} while (0)

/* device_model.c: memory and its translation */
void model_clear(struct model *m);
bool model_walk(struct model *m, uint64_t addr, bool write, bool enables, bool mark,
		struct place *place);
bool model_hits_entry(struct model *m, uint32_t page, uint32_t offset, const void *bytes,
		      uint32_t count);
void model_write(struct model *m, uint32_t page, uint32_t offset, const void *bytes,
		 uint32_t count);
void model_entry_changed(struct model *m, uint32_t word);
void model_flush(struct model *m);
void model_asks_flush(struct model *m);
void model_compare(struct model *m);
void model_compare_page(struct model *m, uint32_t page);
void model_take(struct model *m, bool bounded);

/* device_packets.c: packets */
void forecast_fetch(struct model *m, const struct ring_view *ring,
		    struct packet *packet, struct forecast *f);
void forecast_run(struct model *m, uint32_t engine, const struct packet *packet,
		  struct forecast *f);
void forecast_apply(struct model *m, struct forecast *f);

/* device_hooks.c: between the chip's blocks */
struct later {
	bool translations;
	uint32_t countdown;
	void (*run)(const void *what);
	uint8_t what[16];
};

extern struct later fuzz_later;

/* The first byte of an input: the machine, and its driver */
#define INPUT_MACHINE	0xc0
#define INPUT_SETUP	0x07
#define INPUT_OFF	0x08	/* there is no set-up */
#define INPUT_HELPLESS	0x10	/* what has halted stays so */

/* device_ops.c: what the guest and the control channel do */
void ops_run(struct chip *chip, uint8_t how, const uint8_t *data, size_t size);

#endif /* DEVICE_FUZZ_H */
