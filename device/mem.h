/* SPDX-License-Identifier: MIT */
#ifndef PDD_MEM_H
#define PDD_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

/**
 * struct mem - the memory that the chip reaches
 * @bar: the first megabyte of BAR2, which begins with the register file
 * @vram: all of VRAM, the visible part first, in one piece
 * @vram_size: bytes
 * @visible_size: bytes of it that lie in BAR2
 * @bar_fd: what QEMU maps as BAR2
 * @bar_size: its size, a power of two
 * @hidden_fd: holds the invisible part; -1 when there is none
 * @ram: the guest's RAM, NULL for none
 * @ram_size: bytes
 * @lowmem_size: of them, how much lies below 4 GiB; the rest begins there
 * @ram_fd: the file; -1 for none
 *
 * All are shared with the guest, which may change a byte at any time.
 */
struct mem {
	uint8_t *bar;
	uint8_t *vram;
	uint64_t vram_size;
	uint64_t visible_size;
	int bar_fd;
	uint64_t bar_size;
	int hidden_fd;
	uint8_t *ram;
	uint64_t ram_size;
	uint64_t lowmem_size;
	int ram_fd;
};

int mem_init(struct mem *mem, const struct options *options);
void mem_fini(struct mem *mem);
uint8_t *mem_system_page(const struct mem *mem, uint64_t bus, uint64_t bytes);
void mem_poison_vram(struct mem *mem);
void mem_discard_vram(struct mem *mem);

#endif
