// SPDX-License-Identifier: MIT
/*
 * The machine round the chip: its RAM, its guest's accesses, its limits. Memory
 * that the chip maps has a page on each side that nobody may touch.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "command.h"
#include "device_fuzz.h"

#ifdef FUZZ_THREADS
const bool fuzz_threads = true;
#else
const bool fuzz_threads;
#endif

struct model *fuzz_model;

/* The machines that there are: the options of the chip, and its RAM */
static const struct shape {
	uint64_t vram;
	uint64_t visible;
	uint64_t ram;
	uint64_t lowmem;
} shapes[] = {
	/* A seam in VRAM, RAM on both sides of the hole, room for leaves in each */
	{ 4 * MIB, 1 * MIB, 4 * MIB, 2 * MIB },
	/* No room for a leaf in VRAM; RAM ends in the middle of one */
	{ 1 * MIB, 1 * MIB, 3 * MIB, 3 * MIB },
	/* No RAM at all */
	{ 3 * MIB, 2 * MIB, 0, 0 },
};

#define SHAPES	(sizeof(shapes) / sizeof(shapes[0]))

static struct machine {
	struct options options;
	struct chip chip;
	struct model model;
	char path[32];
	bool made;
} machines[SHAPES];

static struct chip *chip;

void *__real_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset);

void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	uint8_t *room;

	if (addr)
		return __real_mmap(addr, size, prot, flags, fd, offset);
	room = __real_mmap(NULL, size + 2 * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return MAP_FAILED;
	return __real_mmap(room + PAGE, size, prot, flags | MAP_FIXED, fd, offset);
}

static void make(struct machine *machine, const struct shape *shape)
{
	struct options *o = &machine->options;
	struct model *m = &machine->model;

	*o = (struct options) {
		.chip_id = PDDGPU_CHIP_PDD1000, .chip_name = "PDD1000",
		.vram_size = shape->vram, .visible_size = shape->visible,
		.gtt_size = FUZZ_GTT, .pcie_mem_size = FUZZ_GTT,
		.ram_size = shape->ram, .lowmem_size = shape->lowmem,
	};
	if (shape->ram) {
		int fd = memfd_create("ram", MFD_CLOEXEC);

		snprintf(machine->path, sizeof(machine->path), "/proc/self/fd/%d", fd);
		o->ram_path = machine->path;
	}
	if (chip_init(&machine->chip, o) || (fuzz_threads && chip_start(&machine->chip)))
		fuzz_die("no chip");
	m->chip = &machine->chip;
	m->vram_pages = shape->vram / PAGE;
	m->pages = (shape->vram + shape->ram) / PAGE;
	m->lowmem = shape->lowmem;
	m->mem = calloc(m->pages, PAGE);
	if (!m->mem)
		fuzz_die("no memory");
	machine->made = true;
}

/* A chip that is as after power-on */
struct chip *rig_begin(unsigned int kind)
{
	struct machine *machine = &machines[kind % SHAPES];
	uint64_t count;

	if (!machine->made)
		make(machine, &shapes[kind % SHAPES]);
	chip = &machine->chip;
	fuzz_later.run = NULL;
	if (!fuzz_threads)
		fuzz_model = NULL;
	chip_clear_faults(chip);
	chip_power_cycle(chip);
	if (read(chip->irq.vector[PDDGPU_VECTOR_IH], &count, sizeof(count)) < 0)
		count = 0;
	if (chip->mem.ram_fd >= 0 &&
	    fallocate(chip->mem.ram_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      chip->mem.ram_size))
		fuzz_die("RAM cannot be cleared");
	stats_reset(&chip->stats);
	/* Threads read it without a lock: there it never changes */
	if (!fuzz_threads) {
		fuzz_model = &machine->model;
		model_clear(fuzz_model);
	}
	return chip;
}

static void check_counts(struct model *m)
{
	static const enum counter foretold[] = {
		STAT_copies, STAT_fills, STAT_fences, STAT_bytes_filled,
		STAT_interrupts, STAT_interrupts_dropped, STAT_interrupts_held,
		STAT_ih_entries, STAT_ih_overflows, STAT_tlb_flushes, STAT_faults,
		STAT_resets, STAT_engine_resets, STAT_resets_failed, STAT_bytes_copied,
	};
	uint64_t rung = 0;

	for (size_t i = 0; i < sizeof(foretold) / sizeof(foretold[0]); i++)
		fuzz_check(stats_get(&chip->stats, foretold[i]) == m->count[foretold[i]],
			   "counter %d: %llu, not %llu", foretold[i],
			   (unsigned long long)stats_get(&chip->stats, foretold[i]),
			   (unsigned long long)m->count[foretold[i]]);
	fuzz_check(m->packets_unknown ||
		   stats_get(&chip->stats, STAT_packets) == m->count[STAT_packets],
		   "%llu, not %llu",
		   (unsigned long long)stats_get(&chip->stats, STAT_packets),
		   (unsigned long long)m->count[STAT_packets]);
	if (read(chip->irq.vector[PDDGPU_VECTOR_IH], &rung, sizeof(rung)) < 0)
		rung = 0;
	fuzz_check(rung == m->raised, "%llu interrupts, not %llu",
		   (unsigned long long)rung, (unsigned long long)m->raised);
}

/* Everything is as it should be, and the chip still answers. */
void rig_end(void)
{
	static struct answer answer;
	char line[] = "stats";

	fuzz_later.run = NULL;
	command_run(chip, true, line, &answer);
	fuzz_check(!memcmp(answer.text, "ok packets=", 11), "%s", answer.text);
	if (fuzz_model) {
		check_counts(fuzz_model);
		model_compare(fuzz_model);
		return;
	}
	chip_clear_faults(chip);
	chip_power_cycle(chip);
}

uint8_t *rig_page(const struct model *m, uint32_t page)
{
	if (page < m->vram_pages)
		return m->chip->mem.vram + (size_t)page * PAGE;
	return m->chip->mem.ram + (size_t)(page - m->vram_pages) * PAGE;
}

static void data_of(int fd, off_t start, uint32_t pages, uint8_t *has_data)
{
	const off_t end = start + (off_t)pages * PAGE;
	off_t at = start, stop;

	while (fd >= 0 && at < end) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 || at >= end)
			return;
		stop = lseek(fd, at, SEEK_HOLE);
		if (stop < 0 || stop > end)
			stop = end;
		memset(has_data + (at - start) / PAGE, 1, (stop - at) / PAGE);
		at = stop;
	}
}

/* Which pages were ever touched, as the host knows it */
void rig_data(const struct model *m, uint8_t *has_data)
{
	const struct mem *mem = &m->chip->mem;
	uint32_t visible = mem->visible_size / PAGE;

	memset(has_data, 0, m->pages);
	data_of(mem->bar_fd, PDDGPU_VRAM_BAR_OFFSET_DEFAULT, visible, has_data);
	data_of(mem->hidden_fd, 0, m->vram_pages - visible, has_data + visible);
	data_of(mem->ram_fd, 0, m->pages - m->vram_pages, has_data + m->vram_pages);
}

void guest_write64(uint64_t *where, uint64_t value)
{
	__atomic_store_n(where, value, __ATOMIC_RELAXED);
}

/* @page of those that there are, @offset in it, both brought into range */
void guest_write_page(uint32_t page, uint32_t offset, uint64_t value)
{
	struct model *m = &machines[0].model;

	for (size_t i = 0; i < SHAPES; i++)
		if (chip == &machines[i].chip)
			m = &machines[i].model;
	page %= m->pages;
	offset = offset % PAGE & ~7u;
	guest_write64((uint64_t *)(rig_page(m, page) + offset), value);
	if (!fuzz_model)
		return;
	model_write(m, page, offset, &value, sizeof(value));
	/* Should it be an entry, a packet at work may go through it */
	if (m->in_flight && page < m->vram_pages &&
	    (value & (PDDGPU_PTE_VALID | PDDGPU_PTE_WRITABLE)) == 3)
		memset(m->reach, 1, sizeof(m->reach));
}

void guest_write_reg(uint32_t offset, uint32_t value)
{
	const uint32_t first = PDDGPU_MMIO_MMU_START_ADDRESS;

	offset = offset % PDDGPU_REG_FILE_SIZE & ~3u;
	if (fuzz_model && offset >= first && offset < first + PAGE &&
	    guest_read_reg(offset) != value)
		model_entry_changed(fuzz_model, FUZZ_VRAM_MAX / 8 + (offset - first) / 8);
	__atomic_store_n((uint32_t *)(chip->regs.base + offset), value, __ATOMIC_RELAXED);
}

uint32_t guest_read_reg(uint32_t offset)
{
	return __atomic_load_n((uint32_t *)(chip->regs.base + offset), __ATOMIC_RELAXED);
}
