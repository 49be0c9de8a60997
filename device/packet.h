/* SPDX-License-Identifier: MIT */
#ifndef PDD_PACKET_H
#define PDD_PACKET_H

#include "engine.h"

#define PACKET_WORDS_MAX	4

/**
 * struct packet - the device's own copy of a packet
 * @ring_offset: where it begins in the ring
 * @addr: the GPU address of that
 * @bytes: its length
 * @opcode: PDDGPU_OP_*
 * @flags: of the header
 * @high: the dword that follows the header
 * @word: the 64-bit words after the first, for the opcodes that have any
 */
struct packet {
	uint32_t ring_offset;
	uint64_t addr;
	uint32_t bytes;
	uint32_t opcode;
	uint32_t flags;
	uint32_t high;
	uint64_t word[PACKET_WORDS_MAX - 1];
};

/* How fetching or running a packet ended */
enum packet_result {
	PACKET_DONE,
	PACKET_FAULT,	/* the engine halts */
	PACKET_DROPPED,	/* the engine was reset meanwhile; nothing is reported */
};

/**
 * struct ring_view - what a packet may be fetched from
 * @epoch: the engine's when this was noted
 * @base: GPU address of the ring
 * @size: its bytes
 * @rptr: read pointer
 * @wptr: write pointer, checked
 */
struct ring_view {
	uint64_t epoch;
	uint64_t base;
	uint32_t size;
	uint32_t rptr;
	uint32_t wptr;
};

enum packet_result packet_fetch(struct engine *engine, const struct ring_view *ring,
				struct packet *packet, struct fault *fault);
enum packet_result packet_run(struct engine *engine, uint64_t epoch,
			      const struct packet *packet, struct fault *fault);
bool packet_wants_interrupt(const struct packet *packet);

#endif
