/* SPDX-License-Identifier: MIT */
#ifndef PDD_OPTIONS_H
#define PDD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define KIB	(1ull << 10)
#define MIB	(1ull << 20)
#define GIB	(1ull << 30)

/**
 * struct options - what the command line asks for, checked and complete
 * @chip_id: CHIP_ID
 * @chip_name: its name
 * @vram_size: bytes of VRAM
 * @visible_size: bytes of it in BAR2
 * @gtt_size: bytes of the aperture
 * @pcie_mem_size: bytes of system memory that the chip can map
 * @socket_path: where QEMU connects
 * @control_path: the control channel's socket, or NULL
 * @ram_path: the guest's RAM, or NULL for none
 * @ram_size: its size; 0: that of the file
 * @lowmem_size: how much of it lies below 4 GiB; UINT64_MAX: as q35 splits it
 * @persist: wait for another QEMU when one has gone
 * @verbose: print what happens
 */
struct options {
	uint32_t chip_id;
	const char *chip_name;
	uint64_t vram_size;
	uint64_t visible_size;
	uint64_t gtt_size;
	uint64_t pcie_mem_size;
	const char *socket_path;
	const char *control_path;
	const char *ram_path;
	uint64_t ram_size;
	uint64_t lowmem_size;
	bool persist;
	bool verbose;
};

/* What the program does after options_parse() */
enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,	/* --help or --version has been answered */
	OPTIONS_BAD,	/* a message has been printed */
};

enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
