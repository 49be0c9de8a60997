// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the command line. An input is its words, each ended by a newline.
 * What is accepted has to fit together.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device_target.h"
#include "layout.h"
#include "log.h"
#include "options.h"

#define WORDS	64

static char said[1024];
static char **words;

/* In the place of the device's own: what it says is looked at, not shown. */
void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	(void)format;
}

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "device-fuzz: %s; it said '%s'\n", what, said);
	for (int i = 0; words[i]; i++)
		fprintf(stderr, "  '%s'\n", words[i]);
	abort();
}

static void check_accepted(const struct options *o)
{
	need(o->socket_path && *o->socket_path && strlen(o->socket_path) <= 96, "socket");
	if (!o->socket_path)
		return;
	need(!o->control_path || (*o->control_path && strlen(o->control_path) <= 96 &&
				  strcmp(o->control_path, o->socket_path)), "control");
	need(o->vram_size && o->vram_size % MIB == 0 && o->vram_size <= LAYOUT_VRAM_MAX,
	     "vram");
	need(o->visible_size && o->visible_size % MIB == 0 &&
	     o->visible_size <= o->vram_size, "visible");
	need(o->gtt_size >= 8 * MIB && o->gtt_size % (2 * MIB) == 0 &&
	     o->gtt_size <= LAYOUT_GTT_MAX, "gtt");
	need(o->pcie_mem_size && o->pcie_mem_size % (4 * KIB) == 0 &&
	     o->pcie_mem_size <= o->gtt_size, "pcie-mem");
	need(o->ram_path || (!o->ram_size && o->lowmem_size == UINT64_MAX), "ram");
	need(o->ram_size % (4 * KIB) == 0 && o->ram_size <= 1ull << 46, "ram-size");
	need(o->lowmem_size == UINT64_MAX || (o->lowmem_size <= 4 * GIB &&
					      o->lowmem_size % (4 * KIB) == 0), "lowmem");
	need(o->chip_name && o->chip_id, "chip");
}

/* What is quoted as no option is a word that was given, or a letter of one. */
static void check_refused(void)
{
	static const char last[] = "' is not an option; see --help";
	const size_t tail = sizeof(last) - 1;
	size_t length = strlen(said);
	const char *quoted = said + 1;

	need(length, "refused without a word");
	if (length <= tail || said[0] != '\'' || strcmp(said + length - tail, last))
		return;
	length -= tail + 1;
	for (int i = 1; words[i]; i++) {
		if (strlen(words[i]) == length && !memcmp(words[i], quoted, length))
			return;
		if (length == 2 && words[i][0] == '-' && words[i][1] != '-' &&
		    strchr(words[i], quoted[1]))
			return;
	}
	need(false, "it names a word that was not given");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *argv[WORDS + 2], text[4096];
	char *word = text, *end;
	struct options options;
	int argc = 1;

	if (size >= sizeof(text) || memchr(data, 0, size))
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	argv[0] = "pddgpu-device";
	while (argc <= WORDS && (end = strchr(word, '\n')) != NULL) {
		*end = 0;
		argv[argc++] = word;
		word = end + 1;
	}
	argv[argc] = NULL;
	words = argv;
	said[0] = 0;
	/* 0: getopt() begins anew */
	optind = 0;
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_RUN:
		check_accepted(&options);
		break;
	case OPTIONS_BAD:
		check_refused();
		break;
	case OPTIONS_DONE:
		need(!said[0], "done, with a complaint");
		break;
	}
	return 0;
}
