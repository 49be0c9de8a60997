/* SPDX-License-Identifier: MIT */
/*
 * A device program under test, and the part of QEMU and of a guest that the
 * tests play: its connection, BAR2, RAM, doorbells, interrupts.
 */
#ifndef RIG_H
#define RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include <pddgpu_packets.h>
#include <pddgpu_pte.h>
#include <pddgpu_regs.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

#define KIB	(1ull << 10)
#define MIB	(1ull << 20)
#define GIB	(1ull << 30)

#define VRAM_START	0x800000000ull
#define GTT_START	0x2000000000ull

/* Generous: a loaded machine is slow, and only a failing test waits so long */
#define PATIENCE_MS	20000

/* The rig's VRAM, by offset: the rest, from RIG_DATA on, is the test's */
#define RIG_FENCE	0x1000ull		/* a 64-bit fence an engine */
#define RIG_IH		0x10000ull		/* one page */
#define RIG_RING(n)	(0x20000ull + (n) * 0x10000ull)
#define RIG_RING_SIZE	0x1000u
#define RIG_L2		0x100000ull
#define RIG_L3		0x101000ull		/* 64 tables: 128 MiB of GTT */
#define RIG_L3_TABLES	64
#define RIG_DATA	0x200000ull

/**
 * struct rig_config - how the device is started
 * @chip: --chip; the other strings likewise; NULL: not given
 * @vram: --vram
 * @visible: --visible
 * @gtt: --gtt
 * @pcie_mem: --pcie-mem
 * @ram: bytes of guest RAM; 0: --ram is not given
 * @lowmem: of them, so much below 4 GiB
 * @persist: --persist
 * @verbose: --verbose
 */
struct rig_config {
	const char *chip;
	const char *vram;
	const char *visible;
	const char *gtt;
	const char *pcie_mem;
	uint64_t ram;
	uint64_t lowmem;
	bool persist;
	bool verbose;
};

/**
 * struct rig - a running device, with a guest connected
 * @config: how it was started
 * @pid: the process; 0 once it has been waited for
 * @dir: folder with all files
 * @conn: QEMU's connection; -1: none
 * @control: a connection to the control channel; -1: none
 * @bar_fd: BAR2's memory
 * @bar: mapped
 * @bar_size: bytes
 * @vram: the visible part, in @bar
 * @ram: guest RAM, mapped
 * @doorbell: eventfds that a write to BAR0 would ring
 * @vector: eventfds of the MSI-X vectors
 * @wptr: where the next packet goes, an engine each
 * @fence: the last fence, an engine each
 * @ih_rptr: the next interrupt entry
 */
struct rig {
	struct rig_config config;
	pid_t pid;
	char dir[96];
	int conn;
	int control;
	int bar_fd;
	uint8_t *bar;
	size_t bar_size;
	uint8_t *vram;
	uint8_t *ram;
	int doorbell[PDDGPU_NUM_VECTORS];
	int vector[PDDGPU_NUM_VECTORS];
	uint32_t wptr[PDDGPU_ENGINE_COUNT];
	uint64_t fence[PDDGPU_ENGINE_COUNT];
	uint32_t ih_rptr;
};

/* Wait for a condition; the test fails when it does not come true. */
#define wait_for(condition) do { \
	uint64_t wait_end = now_ms() + PATIENCE_MS; \
	while (!(condition)) { \
		if (now_ms() > wait_end) \
			fail_msg("waited in vain for: %s", #condition); \
		nap(); \
	} \
} while (0)

/* rig.c: the process and its sockets */
uint64_t now_ms(void);
void nap(void);
int run_device(char *const argv[], char *text, size_t size);
pid_t spawn_device(char *const argv[], const char *messages);
int wait_for_end(pid_t pid, int ms);
int unix_connect(const char *path);
void rig_start(struct rig *rig, const struct rig_config *config);
void rig_connect(struct rig *rig);
void rig_disconnect(struct rig *rig);
int rig_wait_exit(struct rig *rig);
void rig_end(struct rig *rig);
const char *rig_path(const struct rig *rig, const char *name);
int receive_message(int conn, int64_t *value, int *fd);

/* cmocka's set-up and tear-down: a small PDD1000 with 16 MiB of RAM */
int rig_setup(void **state);
int rig_setup_on(void **state);
int rig_setup_with(void **state, const struct rig_config *config);
int rig_teardown(void **state);

/* gpu.c: what a driver does */
uint32_t reg_read(struct rig *rig, uint32_t reg);
uint64_t reg_read64(struct rig *rig, uint32_t reg);
void reg_write(struct rig *rig, uint32_t reg, uint32_t value);
void reg_write64(struct rig *rig, uint32_t reg, uint64_t value);
void ring_doorbell(struct rig *rig, int number);
void flush_tlb(struct rig *rig);
uint32_t reset_chip(struct rig *rig);
void reset_engine(struct rig *rig, int engine);
void ack_fault(struct rig *rig);
void switch_on(struct rig *rig);
void map_entry(struct rig *rig, uint64_t addr, uint64_t entry);
void map_leaf(struct rig *rig, uint64_t addr, uint64_t entry);
uint64_t *vram64(struct rig *rig, uint64_t offset);
void emit(struct rig *rig, int engine, const void *packet, uint32_t bytes);
void submit(struct rig *rig, int engine);
void emit_copy(struct rig *rig, int engine, uint64_t src, uint64_t dst, uint64_t bytes);
void emit_fill(struct rig *rig, int engine, uint64_t dst, uint32_t pattern, uint64_t bytes);
void emit_fence(struct rig *rig, int engine, uint64_t addr, uint64_t seq, uint32_t flags);
void emit_nop(struct rig *rig, int engine, uint32_t dwords);
void finish(struct rig *rig, int engine);
void copy(struct rig *rig, uint64_t src, uint64_t dst, uint64_t bytes);
void fill(struct rig *rig, uint64_t dst, uint32_t pattern, uint64_t bytes);
uint32_t expect_fault(struct rig *rig, int engine, uint32_t reason, uint32_t level,
		      bool write, uint64_t addr);
bool wait_interrupt(struct rig *rig, int ms);
bool next_entry(struct rig *rig, struct pddgpu_ih_entry *entry);

/* text.c: the control channel */
const char *command(struct rig *rig, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *command_on(int fd, const char *line);
uint64_t counter(struct rig *rig, const char *name);
void read_gpu(struct rig *rig, uint64_t addr, void *bytes, uint64_t count);

/* A small generator, so that a failure can be run again */
uint64_t random64(uint64_t *seed);
uint64_t random_below(uint64_t *seed, uint64_t limit);

/* The groups of tests: each returns how many failed, and adds to @total */
int run_options_tests(int *total);
int run_attach_tests(int *total);
int run_reset_tests(int *total);
int run_mmu_tests(int *total);
int run_copy_tests(int *total);
int run_packet_tests(int *total);
int run_irq_tests(int *total);
int run_inject_tests(int *total);
int run_control_tests(int *total);
int run_fuzz_tests(int *total);
int run_corpus_tests(int *total);

#define RUN_GROUP(name, tests, total) \
	(*(total) += (int)ARRAY_SIZE(tests), \
	 cmocka_run_group_tests_name(name, tests, NULL, NULL))

#endif
