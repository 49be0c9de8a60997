// SPDX-License-Identifier: MIT
/*
 * pddgpu: one program for all that can be known of PDDGPU cards. Each command is in a
 * file cmd_NAME.c; what they share is in args, out, text, table, json and card.
 */
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "card.h"
#include "commands.h"
#include "out.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "list", cmd_list, "the cards there are" },
	{ "status", cmd_status, "who has how much memory, and how the card is" },
	{ "stats", cmd_stats, "counters, times and rates" },
	{ "leaks", cmd_leaks, "buffers that leak, and what a program leaves behind" },
	{ "map", cmd_map, "a picture of video memory" },
	{ "top", cmd_top, "processes and their memory, live" },
	{ "watch", cmd_watch, "events as they come: alerts, growth" },
	{ "record", cmd_record, "keep what top shows in a file" },
	{ "replay", cmd_replay, "show such a file again" },
	{ "report", cmd_report, "all of it as a page for a browser" },
	{ "export", cmd_export, "metrics for Prometheus" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
	size_t i;

	fputs("Usage: pddgpu COMMAND [OPTION]...\n"
	      "       pddgpu --query=FIELD,... [--format=csv,noheader,nounits]\n"
	      "Shows what PDDGPU cards do with their memory.\n\n", to);
	for (i = 0; i < COMMANDS; i++)
		if (commands[i].run)
			fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs("  help     help with a command\n\n"
	      "pddgpu COMMAND --help says more, and so does man pddgpu-COMMAND.\n", to);
}

static int run(const char *name, int argc, char **argv)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (commands[i].run && !strcmp(name, commands[i].name))
			return commands[i].run(argc, argv);
	out_say("there is no command '%s' (see pddgpu --help)", name);
	return RC_USAGE;
}

static int command_help(int argc, char **argv)
{
	char *line[] = { argv[0], (char *)"--help", NULL };

	if (argc > 2) {
		out_say("help: '%s' is too much (see pddgpu --help)", argv[2]);
		return RC_USAGE;
	}
	if (argc == 2)
		return run(argv[1], 2, line);
	usage(stdout);
	return RC_OK;
}

static int dispatch(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : NULL;

	if (!first) {
		usage(stderr);
		return RC_USAGE;
	}
	if (!strcmp(first, "--help") || !strcmp(first, "-h")) {
		usage(stdout);
		return RC_OK;
	}
	if (!strcmp(first, "--version") || !strcmp(first, "-V")) {
		printf("pddgpu %s (libpddgpu %s)\n", PDDGPU_TOOL_VERSION, pddgpu_version());
		return RC_OK;
	}
	if (!strcmp(first, "help"))
		return command_help(argc - 1, argv + 1);
	/* As nvidia-smi has it */
	if (!strncmp(first, "--query", 7) || !strncmp(first, "--help-query", 12) ||
	    !strncmp(first, "--format", 8))
		return cmd_status(argc, argv);
	return run(first, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	out_program();
	return out_end(dispatch(argc, argv));
}
