/* SPDX-License-Identifier: MIT */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stdint.h>

/** enum args_kind - what an option takes, and what its value points to */
enum args_kind {
	ARGS_FLAG,	/* nothing; bool */
	ARGS_TEXT,	/* any text; const char * */
	ARGS_NUMBER,	/* decimal; uint64_t */
	ARGS_SIZE,	/* bytes, or with K, M, G, T, also KiB or KB, all of 1024; uint64_t */
	ARGS_TIME,	/* seconds, or with ms, s, m, h, d; decimals allowed; uint64_t of ms */
	ARGS_WORD,	/* one of those in operand, "auto|always|never"; unsigned int, its place */
};

/**
 * struct args_option - an option of a command
 */
struct args_option {
	/** @name: long name, without dashes */
	const char *name;
	/** @letter: short name; 0 none */
	char letter;
	/** @kind: what it takes */
	enum args_kind kind;
	/** @value: where to put it */
	void *value;
	/** @operand: what help calls it; for ARGS_WORD the words */
	const char *operand;
	/** @help: what it does; may have several lines */
	const char *help;
	/** @min: least number, size or ms */
	uint64_t min;
	/** @max: greatest; 0 any */
	uint64_t max;
	/** @given: set when it was given; or NULL */
	bool *given;
};

/**
 * struct args_command - a command's line
 *
 * -h and --help, and --color=WHEN, are there for all.
 */
struct args_command {
	/** @name: as in `pddgpu NAME` */
	const char *name;
	/** @summary: a line on what it does, without a full stop */
	const char *summary;
	/** @operands: what comes behind the options, such as "FILE"; NULL nothing */
	const char *operands;
	/** @operands_min: how many there have to be */
	int operands_min;
	/** @operands_max: how many there may be; -1 any number */
	int operands_max;
	/** @program: the first operand is a program: what follows it is no option of ours */
	bool program;
	/** @options: its own, to an element without a name */
	const struct args_option *options;
};

/* Those that several commands have, to be put into their lists */
#define ARGS_DEVICE(where) \
	{ "device", 'd', ARGS_TEXT, (where), "NAME", \
	  "this card alone: a PCI address (0000:00:04.0), card0,\n" \
	  "renderD128, or a path" }
#define ARGS_JSON(where) \
	{ "json", 'j', ARGS_FLAG, (where), NULL, "JSON; sizes in bytes" }
#define ARGS_UNIT(where) \
	{ "unit", 'u', ARGS_WORD, (where), "auto|B|KiB|MiB|GiB", "of sizes in tables" }
#define ARGS_END { 0 }

/*
 * Reads a command's line and calls out_begin(). -1: go on, operands begin at
 * argv[optind]; else the program is to end with what is returned.
 */
int args_parse(const struct args_command *command, int argc, char **argv);
/* Says what is wrong with the line, and where help is; RC_USAGE */
int args_wrong(const struct args_command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* What ARGS_UNIT gave, into out_unit */
void args_unit(unsigned int unit);
/* As ARGS_SIZE and ARGS_TIME; false for rubbish */
bool args_size(const char *text, uint64_t *bytes);
bool args_time(const char *text, uint64_t *ms);

#endif
