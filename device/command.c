// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "util.h"

#define WORDS_MAX	4

/**
 * struct request - a command line, taken apart
 * @chip: the chip
 * @guest: a QEMU is connected
 * @count: arguments
 * @arg: the arguments
 */
struct request {
	struct chip *chip;
	bool guest;
	int count;
	char *arg[WORDS_MAX - 1];
};

static void put(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put_line(struct answer *answer, const char *format, va_list args)
{
	size_t room = sizeof(answer->text) - answer->bytes;
	int n = vsnprintf(answer->text + answer->bytes, room, format, args);

	answer->bytes += (size_t)n < room ? (size_t)n : room - 1;
}

static void put(struct answer *answer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(answer, format, args);
	va_end(args);
}

/**
 * command_error() - answer that something is wrong
 * @answer: the answer
 * @format: as of printf(), without a newline
 */
void command_error(struct answer *answer, const char *format, ...)
{
	va_list args;

	answer->bytes = 0;
	put(answer, "error: ");
	va_start(args, format);
	put_line(answer, format, args);
	va_end(args);
	put(answer, "\n");
}

static bool number(const char *text, uint64_t max, uint64_t *value)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, !strncmp(text, "0x", 2) ? 16 : 10);
	if (errno || *end || number > max)
		return false;
	*value = number;
	return true;
}

/* The argument's number, or false after an answer */
static bool get_number(struct request *r, int index, uint64_t max, uint64_t *value,
		       struct answer *answer)
{
	if (number(r->arg[index], max, value))
		return true;
	command_error(answer, "'%.32s' is not a number from 0 to %llu", r->arg[index],
		      (unsigned long long)max);
	return false;
}

static struct engine *get_engine(struct request *r, struct answer *answer)
{
	uint64_t index;

	if (!get_number(r, 0, PDDGPU_ENGINE_COUNT - 1, &index, answer))
		return NULL;
	return &r->chip->engine[index];
}

static void run_help(struct request *r, struct answer *answer);

static void run_info(struct request *r, struct answer *answer)
{
	const struct options *o = r->chip->options;
	const struct chip *chip = r->chip;

	put(answer, "ok chip=%s vram=%llu visible=%llu gtt=%llu pcie_mem=%llu",
	    o->chip_name, (unsigned long long)o->vram_size,
	    (unsigned long long)o->visible_size, (unsigned long long)o->gtt_size,
	    (unsigned long long)o->pcie_mem_size);
	put(answer, " bar=%llu ram=%llu lowmem=%llu guest=%d status=0x%x",
	    (unsigned long long)chip->mem.bar_size,
	    (unsigned long long)chip->mem.ram_size,
	    (unsigned long long)chip->mem.lowmem_size, r->guest,
	    irq_get_status(&r->chip->irq));
	put(answer, " all_ones=%d fail_resets=%llu lose_vram=%d drop_interrupts=%llu",
	    atomic_load(&chip->regs.gone), (unsigned long long)chip->fail_resets,
	    chip->lose_vram, (unsigned long long)irq_get_drop(&r->chip->irq));
	put(answer, " skip_flushes=%llu\n", atomic_load(&chip->engine[0].skip_flushes));
}

static void run_stats(struct request *r, struct answer *answer)
{
	static const char *const names[] = {
#define X(name) #name,
		STATS_LIST(X)
#undef X
	};

	if (r->count == 1) {
		if (strcmp(r->arg[0], "reset")) {
			command_error(answer, "'%.32s' is not reset", r->arg[0]);
			return;
		}
		stats_reset(&r->chip->stats);
		put(answer, "ok\n");
		return;
	}
	put(answer, "ok");
	for (int i = 0; i < STAT_COUNT; i++)
		put(answer, " %s=%llu", names[i],
		    (unsigned long long)stats_get(&r->chip->stats, i));
	put(answer, "\n");
}

static void set_hung(struct request *r, struct answer *answer, bool hung)
{
	struct engine *engine = get_engine(r, answer);

	if (!engine)
		return;
	engine_hold(engine);
	engine_set_hung(engine, hung);
	engine_release(engine);
	put(answer, "ok\n");
}

static void run_hang(struct request *r, struct answer *answer)
{
	set_hung(r, answer, true);
}

static void run_unhang(struct request *r, struct answer *answer)
{
	set_hung(r, answer, false);
}

static void run_drop(struct request *r, struct answer *answer)
{
	uint64_t count;

	if (!get_number(r, 0, UINT64_MAX, &count, answer))
		return;
	irq_drop(&r->chip->irq, count);
	put(answer, "ok\n");
}

static void run_skip_flushes(struct request *r, struct answer *answer)
{
	uint64_t count;

	if (!get_number(r, 0, UINT64_MAX, &count, answer))
		return;
	atomic_store(&r->chip->engine[0].skip_flushes, count);
	put(answer, "ok\n");
}

static void run_delay(struct request *r, struct answer *answer)
{
	uint64_t us;

	if (!get_number(r, 0, 60000000, &us, answer))
		return;
	for (int i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
		engine_hold(&r->chip->engine[i]);
		engine_set_delay(&r->chip->engine[i], us);
		engine_release(&r->chip->engine[i]);
	}
	put(answer, "ok\n");
}

static void run_fault(struct request *r, struct answer *answer)
{
	struct engine *engine = get_engine(r, answer);

	if (!engine)
		return;
	atomic_store(&engine->inject, true);
	put(answer, "ok\n");
}

static void run_fail_reset(struct request *r, struct answer *answer)
{
	if (get_number(r, 0, UINT64_MAX, &r->chip->fail_resets, answer))
		put(answer, "ok\n");
}

static void run_lose_vram(struct request *r, struct answer *answer)
{
	r->chip->lose_vram = true;
	put(answer, "ok\n");
}

static void run_all_ones(struct request *r, struct answer *answer)
{
	chip_all_ones(r->chip);
	put(answer, "ok\n");
}

static void run_restore(struct request *r, struct answer *answer)
{
	chip_restore_registers(r->chip);
	put(answer, "ok\n");
}

static void run_clear(struct request *r, struct answer *answer)
{
	chip_clear_faults(r->chip);
	put(answer, "ok\n");
}

static void run_die(struct request *r, struct answer *answer)
{
	(void)r;
	answer->die = true;
	put(answer, "ok\n");
}

static void run_quit(struct request *r, struct answer *answer)
{
	(void)r;
	answer->close = true;
	put(answer, "ok\n");
}

static void put_hex(struct answer *answer, const uint8_t *bytes, uint64_t count)
{
	/* The guest may change them meanwhile: whatever is found is answered */
	for (uint64_t i = 0; i < count; i++)
		put(answer, "%02x", ((const volatile uint8_t *)bytes)[i]);
}

/* As the page tables are now, whatever an engine has cached */
static void run_read(struct request *r, struct answer *answer)
{
	struct translation from;
	struct fault fault;
	uint64_t addr, bytes;

	if (!get_number(r, 0, UINT64_MAX, &addr, answer) ||
	    !get_number(r, 1, COMMAND_READ_MAX, &bytes, answer))
		return;
	put(answer, "ok ");
	while (bytes) {
		if (!mmu_walk(&r->chip->mmu, addr, false, &from, &fault)) {
			command_error(answer, "no memory at 0x%llx: reason %u, level %u",
				      (unsigned long long)addr, fault.reason,
				      fault.level);
			return;
		}
		if (from.bytes > bytes)
			from.bytes = bytes;
		put_hex(answer, from.host, from.bytes);
		addr += from.bytes;
		bytes -= from.bytes;
	}
	put(answer, "\n");
}

static const struct command {
	const char *name;
	const char *args;
	int args_min;
	int args_max;
	void (*run)(struct request *r, struct answer *answer);
} commands[] = {
	{ "help", "", 0, 0, run_help },
	{ "info", "", 0, 0, run_info },
	{ "stats", " [reset]", 0, 1, run_stats },
	{ "hang", " ENGINE", 1, 1, run_hang },
	{ "unhang", " ENGINE", 1, 1, run_unhang },
	{ "drop-interrupts", " COUNT", 1, 1, run_drop },
	{ "skip-flushes", " COUNT", 1, 1, run_skip_flushes },
	{ "delay", " MICROSECONDS", 1, 1, run_delay },
	{ "fault", " ENGINE", 1, 1, run_fault },
	{ "fail-reset", " COUNT", 1, 1, run_fail_reset },
	{ "lose-vram", "", 0, 0, run_lose_vram },
	{ "all-ones", "", 0, 0, run_all_ones },
	{ "restore-registers", "", 0, 0, run_restore },
	{ "die", "", 0, 0, run_die },
	{ "read", " ADDRESS BYTES", 2, 2, run_read },
	{ "clear", "", 0, 0, run_clear },
	{ "quit", "", 0, 0, run_quit },
};

#define COMMANDS	ARRAY_SIZE(commands)

static void run_help(struct request *r, struct answer *answer)
{
	(void)r;
	for (size_t i = 0; i < COMMANDS; i++)
		put(answer, "%s%s%s", i ? ", " : "ok ", commands[i].name,
		    commands[i].args);
	put(answer, "\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/**
 * command_run() - do what a line says
 * @chip: the chip
 * @guest: a QEMU is connected
 * @line: the line, without its newline; changed
 * @answer: filled in
 */
void command_run(struct chip *chip, bool guest, char *line, struct answer *answer)
{
	struct request request = { .chip = chip, .guest = guest };
	const struct command *command;
	char *save, *name, *word;

	answer->bytes = 0;
	answer->close = false;
	answer->die = false;
	name = strtok_r(line, " \t\r", &save);
	if (!name) {
		command_error(answer, "empty line; try help");
		return;
	}
	command = find(name);
	if (!command) {
		command_error(answer, "'%.32s' is not a command; try help", name);
		return;
	}
	while ((word = strtok_r(NULL, " \t\r", &save)) != NULL) {
		if (request.count == command->args_max) {
			command_error(answer, "too many arguments: %s%s",
				      command->name, command->args);
			return;
		}
		request.arg[request.count++] = word;
	}
	if (request.count < command->args_min) {
		command_error(answer, "an argument is missing: %s%s", command->name,
			      command->args);
		return;
	}
	command->run(&request, answer);
}
