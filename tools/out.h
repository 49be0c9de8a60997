/* SPDX-License-Identifier: MIT */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** enum rc - what the program ends with */
enum rc {
	RC_OK = 0,		/* well */
	RC_FOUND = 1,		/* what the caller asked about is there */
	RC_USAGE = 2,
	RC_NO_DEVICE = 3,	/* none, or it has gone */
	RC_DENIED = 4,
	RC_ERROR = 5,
};

/** enum out_style - how a piece of text looks on a terminal that has colours */
enum out_style {
	OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_GOOD, OUT_WARN, OUT_BAD, OUT_TITLE,
	/* Parts of memory, the same in every picture */
	OUT_LIVE, OUT_ORPHAN, OUT_ZOMBIE, OUT_KERNEL, OUT_FREE,
	OUT_STYLES
};

enum out_colour { OUT_COLOUR_AUTO, OUT_COLOUR_ALWAYS, OUT_COLOUR_NEVER };

/**
 * struct out - what standard output is
 */
struct out {
	/** @terminal: a terminal, so that bars and colours are of use */
	bool terminal;
	/** @colour: it gets escape sequences */
	bool colour;
	/** @colours256: it knows 256 colours */
	bool colours256;
	/** @utf8: its characters are UTF-8 */
	bool utf8;
	/** @columns: its width, at least 1; 80 when it is no terminal */
	unsigned int columns;
	/** @rows: its height, at least 1; 24 when it is no terminal */
	unsigned int rows;
};

extern struct out screen;

/* What every program begins with, before it opens anything */
void out_program(void);
/* In a child that becomes a program of the user's: signals as out_program() has found them */
void out_signals_back(void);
/* Finds out what stdout is; args_parse() does it */
void out_begin(enum out_colour when);
/* Writes what there is; false when stdout cannot be written (any more) */
bool out_flush(void);
/* Writes what is left: rc, or RC_ERROR with a message when it could not be written */
int out_end(int rc);

/* "" where there is no colour */
const char *out_on(enum out_style style);
const char *out_off(void);

/* A line on stderr, "pddgpu: ..." without the newline; control characters made visible */
void out_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The exit code of a negative errno of a card's; and of a file's that the user named */
int out_rc(int error);
int out_rc_file(int error);
/* The worse of two exit codes, when several devices were looked at */
int out_worse(int a, int b);

#define OUT_SIZE_MAX 32
/* The unit that sizes have in tables; 0: the one that fits each */
extern uint64_t out_unit;
/* "10.5 MiB"; into a buffer of OUT_SIZE_MAX, which is returned */
const char *out_size(char *buffer, uint64_t bytes);
/* "1 d 2 h", "5 min 12 s", "8.5 s", "120 ms" */
const char *out_time(char *buffer, uint64_t ms);
/* "1.2 us" */
const char *out_ns(char *buffer, uint64_t ns);

/* A bar of so many columns, of parts of a whole; what is left of the whole is free */
struct out_part {
	uint64_t size;
	enum out_style style;
	char letter;	/* in place of a colour */
};

void out_bar(unsigned int width, uint64_t whole, const struct out_part *parts,
	     unsigned int count);

/* For memory: does not return NULL, ends the program */
void *out_need(void *memory);

#endif
