/* SPDX-License-Identifier: MIT */
/*
 * PDD1000 family: packets of the command rings and entries of the interrupt
 * ring. Little endian. Every packet is a multiple of 8 bytes and may wrap round
 * the end of the ring at any 8-byte boundary.
 */
#ifndef PDDGPU_PACKETS_H
#define PDDGPU_PACKETS_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#include <linux/types.h>
#endif

/* Header: opcode [7:0], flags [15:8], length [31:16] in dwords, header included */
#define PDDGPU_PKT_OPCODE_SHIFT	0
#define PDDGPU_PKT_OPCODE_MASK	0x000000ffu
#define PDDGPU_PKT_FLAGS_SHIFT	8
#define PDDGPU_PKT_FLAGS_MASK	0x0000ff00u
#define PDDGPU_PKT_LENGTH_SHIFT	16
#define PDDGPU_PKT_LENGTH_MASK	0xffff0000u
#define PDDGPU_PKT_HEADER(op, flags, dwords) \
	((__u32)(op) | ((__u32)(flags) << PDDGPU_PKT_FLAGS_SHIFT) | \
	 ((__u32)(dwords) << PDDGPU_PKT_LENGTH_SHIFT))

#define PDDGPU_OP_NOP		0	/* any even length from 2; the rest is skipped */
#define PDDGPU_OP_COPY		1
#define PDDGPU_OP_FILL		2
#define PDDGPU_OP_FENCE		3
#define   PDDGPU_FENCE_INTERRUPT (1u << 0)
#define PDDGPU_OP_TLB_FLUSH	4

/*
 * struct pddgpu_pkt_copy - copy bytes between any two GPU addresses
 * @header: PDDGPU_OP_COPY, length 8 dwords
 * @reserved: must be zero
 * @src: GPU address, any alignment
 * @dst: GPU address, any alignment
 * @bytes: any, up to 4 GiB; zero copies nothing. Source and destination may
 *	overlap in GPU addresses: the result is memmove()'s
 */
struct pddgpu_pkt_copy {
	__le32 header;
	__le32 reserved;
	__le64 src;
	__le64 dst;
	__le64 bytes;
};

/*
 * struct pddgpu_pkt_fill - fill with a 32-bit pattern
 * @header: PDDGPU_OP_FILL, length 6 dwords
 * @pattern: the pattern
 * @dst: GPU address, a multiple of 4
 * @bytes: a multiple of 4, up to 4 GiB
 */
struct pddgpu_pkt_fill {
	__le32 header;
	__le32 pattern;
	__le64 dst;
	__le64 bytes;
};

/*
 * struct pddgpu_pkt_fence - write a sequence number when all before it is done
 * @header: PDDGPU_OP_FENCE, flags PDDGPU_FENCE_INTERRUPT, length 6 dwords
 * @reserved: must be zero
 * @addr: GPU address, a multiple of 8
 * @sequence: the value; also put into the interrupt entry
 */
struct pddgpu_pkt_fence {
	__le32 header;
	__le32 reserved;
	__le64 addr;
	__le64 sequence;
};

/*
 * struct pddgpu_pkt_tlb_flush - drop every cached translation
 * @header: PDDGPU_OP_TLB_FLUSH, length 2 dwords
 * @reserved: must be zero
 */
struct pddgpu_pkt_tlb_flush {
	__le32 header;
	__le32 reserved;
};

/*
 * struct pddgpu_ih_entry - an entry of the interrupt ring
 * @source: PDDGPU_IH_SOURCE_*
 * @engine: engine number, 0xffffffff when none
 * @sequence: fence: its sequence; fault: the value of FAULT_STATUS
 * @address: fence: its address; fault: the failing GPU address
 * @flags: PDDGPU_IH_FLAG_*
 * @reserved: zero
 */
struct pddgpu_ih_entry {
	__le32 source;
	__le32 engine;
	__le64 sequence;
	__le64 address;
	__le32 flags;
	__le32 reserved;
};

#endif /* PDDGPU_PACKETS_H */
