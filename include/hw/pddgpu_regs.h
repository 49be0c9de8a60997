/* SPDX-License-Identifier: MIT */
/*
 * PDD1000 family: register file, doorbells and interrupt ring.
 *
 * The register file is the first 64 KiB of BAR2 and is plain memory: neither
 * reads nor writes trap. A register that asks for an action is therefore
 * followed by a ring of the control doorbell. Registers are 32 bits, little
 * endian; one named FOO_LO is followed by the high word of a 64-bit value.
 *
 * docs/device.md is the programming manual; this header is its short form,
 * shared by the driver and the device program.
 */
#ifndef PDDGPU_REGS_H
#define PDDGPU_REGS_H

/* BAR2 */
#define PDDGPU_REG_FILE_SIZE		0x10000u
#define PDDGPU_VRAM_BAR_OFFSET_DEFAULT	0x100000u

/* BAR0: ivshmem's own registers */
#define PDDGPU_IVSHMEM_INTR_MASK	0x0
#define PDDGPU_IVSHMEM_INTR_STATUS	0x4
#define PDDGPU_IVSHMEM_IV_POSITION	0x8
#define PDDGPU_IVSHMEM_DOORBELL		0xc
/* The device program is always ivshmem peer 0, the guest peer 1. */
#define PDDGPU_PEER_DEVICE		0
#define PDDGPU_PEER_GUEST		1
#define PDDGPU_NUM_VECTORS		4

/* Doorbells: ((PDDGPU_PEER_DEVICE << 16) | number) written to BAR0 offset 12 */
#define PDDGPU_DOORBELL_CONTROL		0
#define PDDGPU_DOORBELL_ENGINE0		1
#define PDDGPU_DOORBELL_ENGINE1		2

/* MSI-X vector raised when entries were put into the interrupt ring */
#define PDDGPU_VECTOR_IH		0

/* PCI identity, ivshmem's; bind only where SIGNATURE agrees */
#define PDDGPU_PCI_VENDOR		0x1af4
#define PDDGPU_PCI_DEVICE		0x1110

/* Identity */
#define PDDGPU_CHIP_ID			0x0000
#define   PDDGPU_CHIP_PDD1000		0x1000
#define   PDDGPU_CHIP_PDD2000		0x2000
#define   PDDGPU_CHIP_PDD3000		0x3000
#define PDDGPU_CHIP_REV			0x0004
#define PDDGPU_SIGNATURE		0x0008
#define   PDDGPU_SIGNATURE_VALUE	0x47444450u	/* "PDDG" */
#define PDDGPU_SPEC_VERSION		0x000c
#define   PDDGPU_SPEC_MAJOR_SHIFT	16
#define   PDDGPU_SPEC_VERSION_1_0	0x00010000u

/* Sizes (bytes) and GPU address ranges; *_END is the first address past */
#define PDDGPU_VRAM_SIZE_LO		0x0010
#define PDDGPU_GTT_SIZE_LO		0x0018
#define PDDGPU_VRAM_START_LO		0x0020
#define PDDGPU_VRAM_END_LO		0x0028
#define PDDGPU_GTT_START_LO		0x0030
#define PDDGPU_GTT_END_LO		0x0038
#define PDDGPU_VRAM_VISIBLE_SIZE_LO	0x0040
#define PDDGPU_VRAM_BAR_OFFSET_LO	0x0048
#define PDDGPU_PCIE_MEM_SIZE_LO		0x0050

/*
 * Segments: ranges of GPU addresses. Descriptor n (24 bytes) is at
 * SEGMENT_DESC + n * SEGMENT_STRIDE: kind, reserved, base (64), size (64).
 * The snooped and the unsnooped PCIe segment both lie in the GTT aperture.
 */
#define PDDGPU_SEGMENT_COUNT		0x0060
#define PDDGPU_SEGMENT_DESC		0x0068
#define   PDDGPU_SEGMENT_STRIDE		0x18
#define   PDDGPU_SEGMENT_KIND		0x00
#define   PDDGPU_SEGMENT_BASE_LO	0x08
#define   PDDGPU_SEGMENT_SIZE_LO	0x10
#define   PDDGPU_SEGMENT_MAX		5
#define   PDDGPU_SEGMENT_LOCAL		0
#define   PDDGPU_SEGMENT_PCIE_SNOOPED	1
#define   PDDGPU_SEGMENT_PCIE_UNSNOOPED	2

/*
 * Reset: write the bits, ring the control doorbell, poll until the device has
 * cleared them. STATUS is written by the device alone.
 */
#define PDDGPU_RESET			0x00f0
#define   PDDGPU_RESET_CHIP		(1u << 0)
#define   PDDGPU_RESET_ENGINE(n)	(1u << (8 + (n)))
#define   PDDGPU_RESET_PING		(1u << 31)
#define PDDGPU_STATUS			0x00f4
#define   PDDGPU_STATUS_READY		(1u << 0)
#define   PDDGPU_STATUS_RESET_FAILED	(1u << 1)
#define   PDDGPU_STATUS_VRAM_LOST	(1u << 2)	/* cleared by the next good reset */
#define   PDDGPU_STATUS_ENGINE_IDLE(n)	(1u << (8 + (n)))
#define   PDDGPU_STATUS_ENGINE_HALTED(n) (1u << (16 + (n)))

/* Memory controller enables; bit 0. Taken over on a control doorbell. */
#define PDDGPU_MC_VRAM_CTRL		0x0100
#define PDDGPU_MC_GTT_CTRL		0x0104
#define PDDGPU_MC_FB_CTRL		0x0108
#define   PDDGPU_MC_ENABLE		(1u << 0)

/* MMU and engine faults: the first is latched until acknowledged */
#define PDDGPU_FAULT_STATUS		0x0110
#define   PDDGPU_FAULT_VALID		(1u << 0)
#define   PDDGPU_FAULT_WRITE		(1u << 1)
#define   PDDGPU_FAULT_LEVEL_SHIFT	4	/* level of the failing entry, 1 to 3; 0: none */
#define   PDDGPU_FAULT_LEVEL_MASK	0x30u
#define   PDDGPU_FAULT_REASON_SHIFT	8
#define   PDDGPU_FAULT_REASON_MASK	0xff00u
#define     PDDGPU_FAULT_INVALID_ENTRY	1
#define     PDDGPU_FAULT_READ_ONLY	2
#define     PDDGPU_FAULT_OUT_OF_RANGE	3	/* in neither VRAM nor GTT, or enable off */
#define     PDDGPU_FAULT_BUS		4	/* system page outside guest RAM */
#define     PDDGPU_FAULT_BAD_PACKET	5
#define     PDDGPU_FAULT_BAD_RING	6	/* ring base, size or pointer */
#define     PDDGPU_FAULT_INJECTED	7
#define     PDDGPU_FAULT_BAD_TABLE	8	/* table or page address outside VRAM */
#define PDDGPU_FAULT_ENGINE		0x0114
#define PDDGPU_FAULT_ADDR_LO		0x0118
#define PDDGPU_FAULT_ACK		0x0130	/* write 1, ring control; device clears both */

/*
 * TLB. A flush: raise TLB_FLUSH_REQ by one, ring control, poll until
 * TLB_FLUSH_DONE has reached it (compare as signed difference).
 */
#define PDDGPU_GART_TABLE_SIZE		0x0120	/* bytes, level 2 and level 3 together */
#define PDDGPU_TLB_FLUSH_REQ		0x0124
#define PDDGPU_TLB_FLUSH_DONE		0x0128

/*
 * Interrupt ring. BASE is a GPU address >> 12; SIZE in bytes, a power of two,
 * 4 KiB to 1 MiB; pointers count bytes, modulo SIZE. The device writes entries
 * and WPTR, the driver RPTR. A full ring drops the entry and sets OVERFLOW in
 * the next one that fits.
 */
#define PDDGPU_IH_RING_BASE		0x0200
#define PDDGPU_IH_RING_SIZE		0x0204
#define PDDGPU_IH_RING_WPTR		0x0208
#define PDDGPU_IH_RING_RPTR		0x020c
#define PDDGPU_IH_RING_CTRL		0x0210
#define   PDDGPU_IH_RING_ENABLE		(1u << 0)
#define PDDGPU_IH_HOLD			0x0214	/* not 0: do not interrupt */

/*
 * Command rings, one per engine. BASE is a GPU address >> 12; SIZE in bytes, a
 * power of two, 4 KiB to 1 MiB; pointers count bytes, modulo SIZE, a multiple
 * of 8. The driver writes WPTR and rings the engine's doorbell; the device
 * writes RPTR as it consumes packets. CTRL, BASE and SIZE are taken over on a
 * control doorbell; clearing ENABLE stops the engine after the packet at work
 * and sets RPTR to 0 when it is enabled again.
 */
#define PDDGPU_CP_RING_STRIDE		0x40
#define PDDGPU_CP_RING_BASE(n)		(0x0300 + (n) * PDDGPU_CP_RING_STRIDE)
#define PDDGPU_CP_RING_SIZE(n)		(0x0304 + (n) * PDDGPU_CP_RING_STRIDE)
#define PDDGPU_CP_RING_WPTR(n)		(0x0308 + (n) * PDDGPU_CP_RING_STRIDE)
#define PDDGPU_CP_RING_RPTR(n)		(0x030c + (n) * PDDGPU_CP_RING_STRIDE)
#define PDDGPU_CP_RING_CTRL(n)		(0x0310 + (n) * PDDGPU_CP_RING_STRIDE)
#define   PDDGPU_CP_RING_ENABLE		(1u << 0)
#define PDDGPU_RING_SIZE_MIN		0x1000u
#define PDDGPU_RING_SIZE_MAX		0x100000u
#define PDDGPU_ENGINE_COUNT		2
#define PDDGPU_ENGINE_USER		0
#define PDDGPU_ENGINE_PAGING		1

/* First-level page table: 512 entries of 64 bits, one GiB each */
#define PDDGPU_MMIO_MMU_START_ADDRESS	0x1000
#define PDDGPU_MMU_L1_ENTRIES		512

/* An entry of the interrupt ring */
#define PDDGPU_IH_ENTRY_SIZE		32
#define PDDGPU_IH_SOURCE_FENCE		1
#define PDDGPU_IH_SOURCE_FAULT		2
#define PDDGPU_IH_SOURCE_RESET		3
#define PDDGPU_IH_FLAG_OVERFLOW		(1u << 0)

#endif /* PDDGPU_REGS_H */
