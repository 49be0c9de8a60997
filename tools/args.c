// SPDX-License-Identifier: MIT
/*
 * Command lines, by tables, so that what --help says is what is there.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "out.h"

#define HELP_COLUMN 26

static unsigned int colour;

static const struct args_option common[] = {
	{ "color", 0, ARGS_WORD, &colour, "auto|always|never",
	  "colours; auto: on a terminal, unless NO_COLOR is set" },
	{ "help", 'h', ARGS_FLAG, NULL, NULL, "this text" },
	ARGS_END
};

static void help_option(const struct args_option *option)
{
	const char *at = option->help;
	char left[128];
	size_t length;

	snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", option->letter ? '-' : ' ',
		 option->letter ? option->letter : ' ', option->letter ? ", " : "  ",
		 option->name, option->operand ? "=" : "",
		 option->operand ? option->operand : "");
	printf("%-*s", HELP_COLUMN, left);
	if (strlen(left) >= HELP_COLUMN)
		printf("\n%*s", HELP_COLUMN, "");
	while (1) {
		length = strcspn(at, "\n");
		printf("%.*s\n", (int)length, at);
		if (!at[length])
			break;
		at += length + 1;
		printf("%*s", HELP_COLUMN, "");
	}
}

static void help(const struct args_command *command)
{
	const struct args_option *option;

	printf("Usage: pddgpu %s [OPTION]...%s%s\n%s.\n\n", command->name,
	       command->operands ? " " : "", command->operands ? command->operands : "",
	       command->summary);
	for (option = command->options; option->name; option++)
		help_option(option);
	for (option = common; option->name; option++)
		help_option(option);
	printf("\nExit status: 0 well, 1 something was found that was asked about, 2 bad usage,\n"
	       "3 no device, 4 not allowed, 5 another error. See also: man pddgpu-%s\n",
	       command->name);
}

int args_wrong(const struct args_command *command, const char *format, ...)
{
	va_list list;
	char *text;
	int length;

	va_start(list, format);
	length = vasprintf(&text, format, list);
	va_end(list);
	if (length < 0)
		return RC_USAGE;
	out_say("%s: %s (see pddgpu %s --help)", command->name, text, command->name);
	free(text);
	return RC_USAGE;
}

bool args_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGTPE";
	unsigned long long value;
	const char *unit;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (unit) {
			shift = 10 * (unsigned int)(unit - units + 1);
			end++;
			if (*end == 'i')
				end++;
		}
		if (*end == 'B' && (!shift || end[-1] != 'B'))
			end++;
		if (*end)
			return false;
	}
	if (shift && value >> (64 - shift))
		return false;
	*bytes = value << shift;
	return true;
}

bool args_time(const char *text, uint64_t *ms)
{
	static const struct { const char *name; double ms; } units[] = {
		{ "", 1e3 }, { "ms", 1 }, { "s", 1e3 }, { "m", 6e4 }, { "min", 6e4 },
		{ "h", 3.6e6 }, { "d", 8.64e7 },
	};
	double value;
	unsigned int i;
	char *end;

	/* Not what strtod() knows besides: signs, 0x, inf, nan */
	if (!isdigit((unsigned char)*text) || text[strspn(text, "0123456789.")] == 'x')
		return false;
	value = strtod(text, &end);
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name))
			continue;
		value *= units[i].ms;
		if (!(value < 1e15))
			return false;
		*ms = (uint64_t)llround(value);
		return true;
	}
	return false;
}

static bool word(const char *words, const char *text, unsigned int *place)
{
	size_t length = strlen(text);

	for (*place = 0; words; ++*place) {
		size_t this = strcspn(words, "|");

		if (this == length && !strncmp(words, text, length))
			return true;
		words = words[this] ? words + this + 1 : NULL;
	}
	return false;
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && !errno;
}

/* -1 when it is well */
static int take(const struct args_command *command, const struct args_option *option,
		const char *text)
{
	uint64_t value = 0;
	bool well = true;

	switch (option->kind) {
	case ARGS_FLAG:
		*(bool *)option->value = true;
		break;
	case ARGS_TEXT:
		*(const char **)option->value = text;
		break;
	case ARGS_WORD:
		if (!word(option->operand, text, option->value))
			return args_wrong(command, "--%s: '%s' is none of %s", option->name,
					  text, option->operand);
		break;
	case ARGS_NUMBER:
		well = number(text, &value);
		break;
	case ARGS_SIZE:
		well = args_size(text, &value);
		break;
	case ARGS_TIME:
		well = args_time(text, &value);
		break;
	}
	if (!well)
		return args_wrong(command, "--%s: '%s' is no %s", option->name, text,
				  option->kind == ARGS_SIZE ? "size" :
				  option->kind == ARGS_TIME ? "time" : "number");
	if (option->kind >= ARGS_NUMBER && option->kind <= ARGS_TIME) {
		if (value < option->min || (option->max && value > option->max))
			return args_wrong(command, "--%s: %s is out of range", option->name, text);
		*(uint64_t *)option->value = value;
	}
	if (option->given)
		*option->given = true;
	return -1;
}

struct parser {
	const struct args_option *options[64];
	struct option longs[65];
	char shorts[133];
	int count;
};

static void parser_add(struct parser *p, const struct args_option *options)
{
	size_t length = strlen(p->shorts);

	for (; options->name && p->count < 64; options++) {
		p->options[p->count] = options;
		p->longs[p->count].name = options->name;
		p->longs[p->count].has_arg = options->kind == ARGS_FLAG ? no_argument :
					     required_argument;
		p->longs[p->count].val = 256 + p->count;
		p->count++;
		if (!options->letter)
			continue;
		p->shorts[length++] = options->letter;
		if (options->kind != ARGS_FLAG)
			p->shorts[length++] = ':';
	}
}

static const struct args_option *parser_find(const struct parser *p, int found)
{
	int i;

	if (found >= 256)
		return p->options[found - 256];
	for (i = 0; i < p->count; i++)
		if (p->options[i]->letter == found)
			return p->options[i];
	return NULL;
}

static int operands(const struct args_command *command, int count, char **argv)
{
	if (command->operands_max >= 0 && count > command->operands_max)
		return args_wrong(command, "'%s' is too much",
				  argv[optind + command->operands_max]);
	if (count < command->operands_min)
		return args_wrong(command, "%s is missing", command->operands);
	return -1;
}

int args_parse(const struct args_command *command, int argc, char **argv)
{
	struct parser p = { 0 };
	int found, rc;

	strcpy(p.shorts, command->program ? "+:" : ":");
	parser_add(&p, command->options);
	parser_add(&p, common);
	optind = 0;
	opterr = 0;
	while ((found = getopt_long(argc, argv, p.shorts, p.longs, NULL)) != -1) {
		const struct args_option *option;

		if (found == ':')
			return args_wrong(command, "%s takes a value", argv[optind - 1]);
		option = found == '?' ? NULL : parser_find(&p, found);
		if (!option) {
			if (optopt >= 256)
				return args_wrong(command, "%s takes no value", argv[optind - 1]);
			if (optopt)
				return args_wrong(command, "there is no option -%c", optopt);
			return args_wrong(command, "%s is no option, or short for several",
					  argv[optind - 1]);
		}
		if (!option->value) {
			out_begin(OUT_COLOUR_AUTO);
			help(command);
			return RC_OK;
		}
		rc = take(command, option, optarg);
		if (rc >= 0)
			return rc;
	}
	out_begin(colour);
	return operands(command, argc - optind, argv);
}

void args_unit(unsigned int unit)
{
	out_unit = unit ? 1ULL << 10 * (unit - 1) : 0;
}
