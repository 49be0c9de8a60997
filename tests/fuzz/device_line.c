// SPDX-License-Identifier: MIT
/*
 * Fuzz target: lines of the control channel, straight into their parser. Each has
 * one line for an answer, and what it says is what came of it.
 */
#include <string.h>

#include "command.h"
#include "device_fuzz.h"
#include "device_target.h"

/* As long as a client's, which has its newline, too */
#define LINE_MAX_BYTES	255

static void check_answer(const char *line, const struct answer *answer)
{
	const char *end = memchr(answer->text, '\n', answer->bytes);

	fuzz_check(answer->bytes < sizeof(answer->text), "%zu", answer->bytes);
	fuzz_check(end && end == answer->text + answer->bytes - 1,
		   "the answer to '%s' is no line", line);
	fuzz_check(!memcmp(answer->text, "ok", 2) || !memcmp(answer->text, "error: ", 7),
		   "'%s' is answered by '%.40s'", line, answer->text);
	fuzz_check(memcmp(answer->text, "error: ", 7) || (!answer->die && !answer->close),
		   "'%s' is refused and done", line);
}

static void run_line(struct chip *chip, const uint8_t *data, size_t size)
{
	static struct answer answer;
	char line[LINE_MAX_BYTES + 1], copy[LINE_MAX_BYTES + 1];

	if (size > LINE_MAX_BYTES || memchr(data, 0, size))
		return;
	memcpy(line, data, size);
	line[size] = 0;
	memcpy(copy, line, sizeof(line));
	/* What a guest said before must not be seen again */
	memset(&answer, 0x5a, sizeof(answer));
	command_run(chip, size % 2, line, &answer);
	check_answer(copy, &answer);
}

/* Lines are what newlines part. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chip *chip = rig_begin(0);

	fuzz_model = NULL;
	guest_write_page(0, 0, 3);
	guest_write_reg(PDDGPU_MMIO_MMU_START_ADDRESS + 128 * 8, PDDGPU_PTE_VALID);
	while (size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;

		run_line(chip, data, length);
		count_one();
		length += !!end;
		data += length;
		size -= length;
	}
	rig_end();
	return 0;
}
