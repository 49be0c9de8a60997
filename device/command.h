/* SPDX-License-Identifier: MIT */
/* What the control channel understands. */
#ifndef PDD_COMMAND_H
#define PDD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "chip.h"

#define COMMAND_READ_MAX	4096
/* "ok ", two digits a byte, the newline, and some room */
#define COMMAND_ANSWER_MAX	(2 * COMMAND_READ_MAX + 64)

/**
 * struct answer - what a command has led to
 * @text: the line, with its newline
 * @bytes: its length
 * @close: close this connection once the answer is sent
 * @die: end the program
 */
struct answer {
	char text[COMMAND_ANSWER_MAX];
	size_t bytes;
	bool close;
	bool die;
};

void command_run(struct chip *chip, bool guest, char *line, struct answer *answer);
void command_error(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
