// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "layout.h"
#include "log.h"
#include "options.h"
#include "util.h"

#define OPTIONS_UNSET	UINT64_MAX

/* Exact room in sockaddr_un, less ".<pid>" of the name it is made under */
#define OPTIONS_SOCKET_PATH_MAX	96

struct chip_model {
	const char *name;
	uint32_t id;
	uint64_t vram_size;
	uint64_t visible_max;	/* of the default; 0: all */
	uint64_t gtt_size;
};

static const struct chip_model chip_models[] = {
	{ "PDD1000", PDDGPU_CHIP_PDD1000, 255 * MIB, 0, 1 * GIB },
	{ "PDD2000", PDDGPU_CHIP_PDD2000, 1 * GIB, 255 * MIB, 4 * GIB },
	{ "PDD3000", PDDGPU_CHIP_PDD3000, 8 * GIB, 255 * MIB, 8 * GIB },
};

enum {
	OPT_CHIP = 256, OPT_VRAM, OPT_VISIBLE, OPT_GTT, OPT_PCIE_MEM, OPT_SOCKET,
	OPT_CONTROL, OPT_RAM, OPT_RAM_SIZE, OPT_LOWMEM, OPT_PERSIST,
	OPT_VERBOSE, OPT_VERSION, OPT_HELP,
};

static const struct option option_table[] = {
	{ "chip", required_argument, NULL, OPT_CHIP },
	{ "vram", required_argument, NULL, OPT_VRAM },
	{ "visible", required_argument, NULL, OPT_VISIBLE },
	{ "gtt", required_argument, NULL, OPT_GTT },
	{ "pcie-mem", required_argument, NULL, OPT_PCIE_MEM },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "control", required_argument, NULL, OPT_CONTROL },
	{ "ram", required_argument, NULL, OPT_RAM },
	{ "ram-size", required_argument, NULL, OPT_RAM_SIZE },
	{ "lowmem", required_argument, NULL, OPT_LOWMEM },
	{ "persist", no_argument, NULL, OPT_PERSIST },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char options_help[] =
"Usage: pddgpu-device --socket PATH [OPTION]...\n"
"A GPU of the PDD1000 family, beside QEMU's ivshmem-doorbell device.\n"
"\n"
"  --socket PATH    UNIX socket to which QEMU connects (required)\n"
"  --control PATH   UNIX socket of the control channel\n"
"  --ram PATH       file that holds the guest's RAM; made when missing\n"
"  --ram-size SIZE  its size; a smaller file is enlarged (default: the file's)\n"
"  --lowmem SIZE    how much of the RAM lies below 4 GiB (default: as q35 does:\n"
"                   all of less than 2816M, else 2G)\n"
"  --chip NAME      PDD1000 (default), PDD2000 or PDD3000\n"
"  --vram SIZE      video memory (default: 255M, 1G, 8G by chip)\n"
"  --visible SIZE   of it, what the CPU reaches (default: all, 255M, 255M)\n"
"  --gtt SIZE       aperture for system memory (default: 1G, 4G, 8G)\n"
"  --pcie-mem SIZE  system memory that the chip can map (default: the aperture)\n"
"  --persist        wait for another QEMU when one has gone\n"
"  --verbose        say what happens on standard error\n"
"  --version        print the version and exit\n"
"  --help           print this and exit\n"
"\n"
"SIZE is a number of bytes, or one followed by K, M or G (powers of 1024).\n"
"Exit status: 0 QEMU has gone or a signal asked for the end, 1 failure,\n"
"2 bad usage, 3 told to die by the control channel.\n";

static bool parse_size(const char *name, const char *text, uint64_t *size)
{
	unsigned int shift = 0;
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || text[0] < '0' || text[0] > '9')
		goto bad;
	switch (*end) {
	case 'K':
	case 'k':
		shift = 10;
		break;
	case 'M':
	case 'm':
		shift = 20;
		break;
	case 'G':
	case 'g':
		shift = 30;
		break;
	}
	if (shift)
		end++;
	if (*end || value > (OPTIONS_UNSET - 1) >> shift)
		goto bad;
	*size = value << shift;
	return true;
bad:
	log_error("--%s: '%s' is not a size", name, text);
	return false;
}

static bool check_size(const char *name, uint64_t size, uint64_t unit,
		       uint64_t min, uint64_t max)
{
	if (size < min || size > max || size % unit) {
		log_error("--%s: %llu bytes; it must be a multiple of %llu from %llu to %llu",
			  name, (unsigned long long)size, (unsigned long long)unit,
			  (unsigned long long)min, (unsigned long long)max);
		return false;
	}
	return true;
}

static const struct chip_model *find_chip(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(chip_models); i++)
		if (!strcasecmp(chip_models[i].name, name))
			return &chip_models[i];
	log_error("--chip: '%s' is not PDD1000, PDD2000 or PDD3000", name);
	return NULL;
}

static bool check_path(const char *name, const char *path)
{
	if (!path)
		return true;
	if (!path[0] || strlen(path) > OPTIONS_SOCKET_PATH_MAX) {
		log_error("--%s: the path must have 1 to %d characters", name,
			  OPTIONS_SOCKET_PATH_MAX);
		return false;
	}
	return true;
}

/* Fill in what was not given, then see that everything fits together. */
static bool complete(struct options *o, const struct chip_model *model)
{
	o->chip_id = model->id;
	o->chip_name = model->name;
	if (o->vram_size == OPTIONS_UNSET)
		o->vram_size = model->vram_size;
	if (o->visible_size == OPTIONS_UNSET) {
		o->visible_size = o->vram_size;
		if (model->visible_max && o->visible_size > model->visible_max)
			o->visible_size = model->visible_max;
	}
	if (o->gtt_size == OPTIONS_UNSET)
		o->gtt_size = model->gtt_size;
	if (o->pcie_mem_size == OPTIONS_UNSET)
		o->pcie_mem_size = o->gtt_size;

	if (!o->socket_path) {
		log_error("--socket is missing; see --help");
		return false;
	}
	if (o->control_path && !strcmp(o->control_path, o->socket_path)) {
		log_error("--control and --socket name the same path");
		return false;
	}
	if (!o->ram_path && (o->ram_size || o->lowmem_size != OPTIONS_UNSET)) {
		log_error("--ram-size and --lowmem need --ram");
		return false;
	}
	return check_path("socket", o->socket_path) &&
	       check_path("control", o->control_path) &&
	       check_size("vram", o->vram_size, MIB, MIB, LAYOUT_VRAM_MAX) &&
	       check_size("visible", o->visible_size, MIB, MIB, o->vram_size) &&
	       check_size("gtt", o->gtt_size, 2 * MIB, 8 * MIB, LAYOUT_GTT_MAX) &&
	       check_size("pcie-mem", o->pcie_mem_size, 4 * KIB, 4 * KIB, o->gtt_size);
}

static bool parse_one(struct options *o, const struct chip_model **model, int opt)
{
	switch (opt) {
	case OPT_CHIP:
		*model = find_chip(optarg);
		return *model;
	case OPT_VRAM:
		return parse_size("vram", optarg, &o->vram_size);
	case OPT_VISIBLE:
		return parse_size("visible", optarg, &o->visible_size);
	case OPT_GTT:
		return parse_size("gtt", optarg, &o->gtt_size);
	case OPT_PCIE_MEM:
		return parse_size("pcie-mem", optarg, &o->pcie_mem_size);
	case OPT_RAM_SIZE:
		return parse_size("ram-size", optarg, &o->ram_size) &&
		       check_size("ram-size", o->ram_size, 4 * KIB, MIB, 1ull << 46);
	case OPT_LOWMEM:
		return parse_size("lowmem", optarg, &o->lowmem_size) &&
		       check_size("lowmem", o->lowmem_size, 4 * KIB, 0, 4 * GIB);
	case OPT_SOCKET:
		o->socket_path = optarg;
		return true;
	case OPT_CONTROL:
		o->control_path = optarg;
		return true;
	case OPT_RAM:
		o->ram_path = optarg;
		return true;
	case OPT_PERSIST:
		o->persist = true;
		return true;
	case OPT_VERBOSE:
		o->verbose = true;
		return true;
	default:
		return false;
	}
}

/* There are no short options: getopt() goes through such a word by letter. */
static void refuse(const char *last)
{
	/* A byte beyond ASCII is negative */
	if (optopt && optopt < OPT_CHIP)
		log_error("'-%c' is not an option; see --help", optopt);
	else
		log_error("'%s' is not an option; see --help", last);
}

/**
 * options_parse() - read the command line
 * @options: filled in
 * @argc: of main()
 * @argv: of main()
 *
 * Return: what to do next; a message has been printed when it is wrong.
 */
enum options_result options_parse(struct options *options, int argc, char **argv)
{
	const struct chip_model *model = &chip_models[0];
	int opt;

	*options = (struct options) {
		.vram_size = OPTIONS_UNSET,
		.visible_size = OPTIONS_UNSET,
		.gtt_size = OPTIONS_UNSET,
		.pcie_mem_size = OPTIONS_UNSET,
		.lowmem_size = OPTIONS_UNSET,
	};
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", option_table, NULL)) != -1) {
		switch (opt) {
		case OPT_HELP:
			fputs(options_help, stdout);
			return OPTIONS_DONE;
		case OPT_VERSION:
			printf("pddgpu-device %s (specification %u.%u)\n",
			       PDD_VERSION,
			       PDDGPU_SPEC_VERSION_1_0 >> PDDGPU_SPEC_MAJOR_SHIFT,
			       PDDGPU_SPEC_VERSION_1_0 & 0xffff);
			return OPTIONS_DONE;
		case ':':
			log_error("'%s' needs a value; see --help", argv[optind - 1]);
			return OPTIONS_BAD;
		case '?':
			refuse(argv[optind - 1]);
			return OPTIONS_BAD;
		default:
			if (!parse_one(options, &model, opt))
				return OPTIONS_BAD;
		}
	}
	if (optind < argc) {
		log_error("'%s' is not an option; see --help", argv[optind]);
		return OPTIONS_BAD;
	}
	return complete(options, model) ? OPTIONS_RUN : OPTIONS_BAD;
}
