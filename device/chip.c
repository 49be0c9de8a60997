// SPDX-License-Identifier: MIT
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "chip.h"
#include "log.h"

#define STATUS_ALL_IDLE	(PDDGPU_STATUS_ENGINE_IDLE(0) | PDDGPU_STATUS_ENGINE_IDLE(1))

static void set32(struct chip *chip, uint32_t offset, uint32_t value)
{
	chip->identity[offset / 4] = value;
}

static void set64(struct chip *chip, uint32_t offset, uint64_t value)
{
	set32(chip, offset, (uint32_t)value);
	set32(chip, offset + 4, value >> 32);
}

static void set_segment(struct chip *chip, uint32_t index, uint32_t kind,
			uint64_t base, uint64_t size)
{
	uint32_t desc = PDDGPU_SEGMENT_DESC + index * PDDGPU_SEGMENT_STRIDE;

	set32(chip, desc + PDDGPU_SEGMENT_KIND, kind);
	set64(chip, desc + PDDGPU_SEGMENT_BASE_LO, base);
	set64(chip, desc + PDDGPU_SEGMENT_SIZE_LO, size);
}

/* Enough for a whole table at every level below the first */
static uint64_t gart_table_size(uint64_t gtt_size)
{
	const uint64_t gib = 1ull << PDDGPU_MMU_L1_SHIFT;

	return ((gtt_size + gib - 1) / gib + gtt_size / PDDGPU_MMU_LEAF_SIZE) *
	       PDDGPU_MMU_PAGE_SIZE;
}

static void make_identity(struct chip *chip)
{
	const struct options *o = chip->options;

	set32(chip, PDDGPU_CHIP_ID, o->chip_id);
	set32(chip, PDDGPU_CHIP_REV, CHIP_REV_VALUE);
	set32(chip, PDDGPU_SIGNATURE, PDDGPU_SIGNATURE_VALUE);
	set32(chip, PDDGPU_SPEC_VERSION, PDDGPU_SPEC_VERSION_1_0);
	set64(chip, PDDGPU_VRAM_SIZE_LO, o->vram_size);
	set64(chip, PDDGPU_GTT_SIZE_LO, o->gtt_size);
	set64(chip, PDDGPU_VRAM_START_LO, LAYOUT_VRAM_START);
	set64(chip, PDDGPU_VRAM_END_LO, LAYOUT_VRAM_START + o->vram_size);
	set64(chip, PDDGPU_GTT_START_LO, LAYOUT_GTT_START);
	set64(chip, PDDGPU_GTT_END_LO, LAYOUT_GTT_START + o->gtt_size);
	set64(chip, PDDGPU_VRAM_VISIBLE_SIZE_LO, o->visible_size);
	set64(chip, PDDGPU_VRAM_BAR_OFFSET_LO, PDDGPU_VRAM_BAR_OFFSET_DEFAULT);
	set64(chip, PDDGPU_PCIE_MEM_SIZE_LO, o->pcie_mem_size);
	set32(chip, PDDGPU_GART_TABLE_SIZE, (uint32_t)gart_table_size(o->gtt_size));
	set32(chip, PDDGPU_SEGMENT_COUNT, 3);
	set_segment(chip, 0, PDDGPU_SEGMENT_LOCAL, LAYOUT_VRAM_START, o->vram_size);
	set_segment(chip, 1, PDDGPU_SEGMENT_PCIE_SNOOPED, LAYOUT_GTT_START, o->gtt_size);
	set_segment(chip, 2, PDDGPU_SEGMENT_PCIE_UNSNOOPED, LAYOUT_GTT_START,
		    o->gtt_size);
}

/* RESET is the last to change: a driver that polls it finds the rest done. */
static void publish_all(struct chip *chip)
{
	for (uint32_t offset = 0; offset < PDDGPU_REG_FILE_SIZE; offset += 4)
		if (offset != PDDGPU_RESET && offset != PDDGPU_STATUS)
			regs_write(&chip->regs, offset, chip->identity[offset / 4]);
}

static void hold_all(struct chip *chip)
{
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		engine_hold(&chip->engine[i]);
}

static void release_all(struct chip *chip)
{
	for (int i = PDDGPU_ENGINE_COUNT - 1; i >= 0; i--)
		engine_release(&chip->engine[i]);
}

/* Everything off. The engines are held. */
static void stop_all(struct chip *chip)
{
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		engine_power_on(&chip->engine[i]);
	irq_power_on(&chip->irq);
	atomic_store(&chip->mmu.vram_on, false);
	atomic_store(&chip->mmu.gtt_on, false);
	chip->tlb_done = 0;
	chip->ready = false;
}

/* The engines are held. */
static void power_on(struct chip *chip, uint32_t status)
{
	stop_all(chip);
	publish_all(chip);
	chip->ready = status & PDDGPU_STATUS_READY;
	irq_status(&chip->irq, ~0u, status);
	regs_write(&chip->regs, PDDGPU_RESET, 0);
}

/**
 * chip_init() - make the chip, without its threads
 * @chip: zeroed
 * @options: checked; must live as long
 *
 * Return: 0, or -1 after a message; chip_fini() is due in both cases.
 */
int chip_init(struct chip *chip, const struct options *options)
{
	bool failed = false;

	/* All are called, so that chip_fini() finds none that was not */
	chip->options = options;
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		if (engine_init(chip->engine, i, &chip->regs, &chip->mmu, &chip->irq,
				&chip->stats))
			failed = true;
	if (irq_init(&chip->irq, &chip->regs, &chip->mmu, &chip->stats))
		failed = true;
	if (mem_init(&chip->mem, options))
		failed = true;
	chip->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	chip->spare_doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (chip->doorbell < 0 || chip->spare_doorbell < 0) {
		log_error("no eventfd for the control doorbell");
		return -1;
	}
	if (failed)
		return -1;
	chip->regs.base = chip->mem.bar;
	chip->mmu.mem = &chip->mem;
	chip->mmu.regs = &chip->regs;
	chip->mmu.stats = &chip->stats;
	chip->mmu.gtt_size = options->gtt_size;
	make_identity(chip);
	return 0;
}

/**
 * chip_start() - start the engines and switch the chip on
 * @chip: the chip
 *
 * Return: 0, or -1 after a message.
 */
int chip_start(struct chip *chip)
{
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		if (engine_start(&chip->engine[i]))
			return -1;
	hold_all(chip);
	power_on(chip, PDDGPU_STATUS_READY | STATUS_ALL_IDLE);
	release_all(chip);
	return 0;
}

/**
 * chip_fini() - end the engines' threads and give everything back
 * @chip: the chip, also one whose chip_init() failed
 */
void chip_fini(struct chip *chip)
{
	/* All of them: one that flushes TLBs takes the others' locks */
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		engine_end(&chip->engine[i]);
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		engine_fini(&chip->engine[i]);
	irq_fini(&chip->irq);
	mem_fini(&chip->mem);
	if (chip->doorbell >= 0)
		close(chip->doorbell);
	if (chip->spare_doorbell >= 0)
		close(chip->spare_doorbell);
}

static void reset(struct chip *chip)
{
	uint32_t status = PDDGPU_STATUS_READY | STATUS_ALL_IDLE;

	hold_all(chip);
	if (chip->fail_resets) {
		chip->fail_resets--;
		status = PDDGPU_STATUS_RESET_FAILED;
		stats_add(&chip->stats, STAT_resets_failed, 1);
	} else {
		stats_add(&chip->stats, STAT_resets, 1);
		if (chip->lose_vram) {
			mem_poison_vram(&chip->mem);
			status |= PDDGPU_STATUS_VRAM_LOST;
		}
		chip->lose_vram = false;
	}
	power_on(chip, status);
	release_all(chip);
	log_info("chip reset, status %#x", status);
}

static void reset_engines(struct chip *chip, uint32_t bits)
{
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		if (!(bits & PDDGPU_RESET_ENGINE(i)))
			continue;
		if (chip->fail_resets) {
			chip->fail_resets--;
			stats_add(&chip->stats, STAT_resets_failed, 1);
			irq_status(&chip->irq, 0, PDDGPU_STATUS_RESET_FAILED);
			continue;
		}
		irq_status(&chip->irq, PDDGPU_STATUS_RESET_FAILED, 0);
		engine_hold(&chip->engine[i]);
		engine_reset(&chip->engine[i]);
		engine_release(&chip->engine[i]);
		stats_add(&chip->stats, STAT_engine_resets, 1);
		log_info("engine %d reset", i);
	}
}

static void take_over(struct chip *chip)
{
	uint32_t flush;

	atomic_store(&chip->mmu.vram_on,
		     regs_read(&chip->regs, PDDGPU_MC_VRAM_CTRL) & PDDGPU_MC_ENABLE);
	atomic_store(&chip->mmu.gtt_on,
		     regs_read(&chip->regs, PDDGPU_MC_GTT_CTRL) & PDDGPU_MC_ENABLE);
	irq_control(&chip->irq);

	flush = regs_read(&chip->regs, PDDGPU_TLB_FLUSH_REQ);
	if (flush != chip->tlb_done)
		engines_flush_tlb(chip->engine);
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		engine_hold(&chip->engine[i]);
		engine_control(&chip->engine[i]);
		engine_release(&chip->engine[i]);
	}
	/* Last: who polls it knows that the whole doorbell is done */
	chip->tlb_done = flush;
	regs_write(&chip->regs, PDDGPU_TLB_FLUSH_DONE, flush);
}

/**
 * chip_doorbell() - the guest has rung the control doorbell
 * @chip: the chip
 */
void chip_doorbell(struct chip *chip)
{
	uint64_t count;
	uint32_t request;

	if (read(chip->doorbell, &count, sizeof(count)) != sizeof(count))
		return;
	stats_add(&chip->stats, STAT_doorbells_control, count);
	if (atomic_load(&chip->regs.gone)) {
		memset(chip->regs.base, 0xff, PDDGPU_REG_FILE_SIZE);
		return;
	}
	request = regs_read(&chip->regs, PDDGPU_RESET);
	if (request & PDDGPU_RESET_CHIP) {
		reset(chip);
		return;
	}
	if (chip->ready) {
		reset_engines(chip, request);
		take_over(chip);
	}
	if (request)
		regs_clear_bits(&chip->regs, PDDGPU_RESET, request);
}

static void drain(int fd)
{
	uint64_t count;
	ssize_t n = read(fd, &count, sizeof(count));

	/* Nothing to read is as good */
	(void)n;
}

/**
 * chip_power_cycle() - switch the chip off and on, for another machine
 * @chip: the chip
 *
 * VRAM and what was rung are lost; faults of the control channel stay armed.
 */
void chip_power_cycle(struct chip *chip)
{
	hold_all(chip);
	stop_all(chip);
	atomic_store(&chip->regs.gone, false);
	drain(chip->doorbell);
	for (int i = 0; i < PDDGPU_NUM_VECTORS; i++)
		drain(chip->irq.vector[i]);
	mem_discard_vram(&chip->mem);
	power_on(chip, PDDGPU_STATUS_READY | STATUS_ALL_IDLE);
	release_all(chip);
}

/**
 * chip_all_ones() - fall off the bus
 * @chip: the chip
 *
 * The engines stop; registers read as all-ones and doorbells do nothing.
 */
void chip_all_ones(struct chip *chip)
{
	hold_all(chip);
	stop_all(chip);
	atomic_store(&chip->regs.gone, true);
	memset(chip->regs.base, 0xff, PDDGPU_REG_FILE_SIZE);
	release_all(chip);
}

/**
 * chip_restore_registers() - come back to the bus, or repair scribbled registers
 * @chip: the chip
 *
 * After all-ones the chip is as after a reset that has kept VRAM. Otherwise
 * only what the guest must not write is written anew.
 */
void chip_restore_registers(struct chip *chip)
{
	if (atomic_load(&chip->regs.gone)) {
		hold_all(chip);
		atomic_store(&chip->regs.gone, false);
		power_on(chip, PDDGPU_STATUS_READY | STATUS_ALL_IDLE);
		release_all(chip);
		return;
	}
	for (uint32_t offset = 0; offset < PDDGPU_RESET; offset += 4)
		regs_write(&chip->regs, offset, chip->identity[offset / 4]);
	regs_write(&chip->regs, PDDGPU_GART_TABLE_SIZE,
		   chip->identity[PDDGPU_GART_TABLE_SIZE / 4]);
	regs_write(&chip->regs, PDDGPU_TLB_FLUSH_DONE, chip->tlb_done);
	irq_status(&chip->irq, 0, 0);
}

/**
 * chip_clear_faults() - end every fault that the control channel has caused
 * @chip: the chip
 */
void chip_clear_faults(struct chip *chip)
{
	chip->fail_resets = 0;
	chip->lose_vram = false;
	irq_drop(&chip->irq, 0);
	atomic_store(&chip->engine[0].skip_flushes, 0);
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		struct engine *engine = &chip->engine[i];

		engine_hold(engine);
		atomic_store(&engine->inject, false);
		engine_set_delay(engine, 0);
		engine_set_hung(engine, false);
		engine_release(engine);
	}
	if (atomic_load(&chip->regs.gone))
		chip_restore_registers(chip);
}
