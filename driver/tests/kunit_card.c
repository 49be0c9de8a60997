// SPDX-License-Identifier: GPL-2.0
/*
 * The card of plain memory. What the driver does with a card is its own code,
 * compiled here with another writel(), which sees the doorbell being rung; the
 * answer is there when that returns.
 */
#include <kunit/test.h>

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include <pddgpu_pte.h>
#include <pddgpu_regs.h>

#include "kunit_card.h"

static void pddgpu_kunit_writel(u32 value, void __iomem *addr);

#undef writel
#define writel pddgpu_kunit_writel
#include "../pddgpu_hw.c"
#undef writel

/* Tests run one after the other, and have one card each */
static struct pddgpu_kunit_card *pddgpu_kunit_card;

/**
 * pddgpu_kunit_card_get() - look at a register
 * @card: the card
 * @reg: its offset
 *
 * Return: what is in it.
 */
u32 pddgpu_kunit_card_get(struct pddgpu_kunit_card *card, u32 reg)
{
	return READ_ONCE(*(u32 *)(card->regs + reg));
}

/**
 * pddgpu_kunit_card_set() - change a register, as the chip does
 * @card: the card
 * @reg: its offset
 * @value: the value
 */
void pddgpu_kunit_card_set(struct pddgpu_kunit_card *card, u32 reg, u32 value)
{
	WRITE_ONCE(*(u32 *)(card->regs + reg), value);
}

/**
 * pddgpu_kunit_card_set64() - change a pair of registers
 * @card: the card
 * @reg: offset of the low word
 * @value: the value
 */
void pddgpu_kunit_card_set64(struct pddgpu_kunit_card *card, u32 reg, u64 value)
{
	pddgpu_kunit_card_set(card, reg, lower_32_bits(value));
	pddgpu_kunit_card_set(card, reg + 4, upper_32_bits(value));
}

/**
 * pddgpu_kunit_card_publish() - the registers as after power-on
 * @card: the card
 */
void pddgpu_kunit_card_publish(struct pddgpu_kunit_card *card)
{
	u64 gibs = DIV_ROUND_UP(card->gtt_size, 1ull << PDDGPU_MMU_L1_SHIFT);
	u64 tables = gibs + DIV_ROUND_UP(card->gtt_size, PDDGPU_MMU_LEAF_SIZE);
	const u64 base[] = { PDDGPU_KUNIT_VRAM_START, PDDGPU_KUNIT_GTT_START,
			     PDDGPU_KUNIT_GTT_START };
	const u64 size[] = { card->vram_size, card->gtt_size, card->gtt_size };
	u32 i;

	memset(card->regs, 0, PDDGPU_REG_FILE_SIZE);
	pddgpu_kunit_card_set(card, PDDGPU_CHIP_ID, PDDGPU_CHIP_PDD2000);
	pddgpu_kunit_card_set(card, PDDGPU_CHIP_REV, 1);
	pddgpu_kunit_card_set(card, PDDGPU_SIGNATURE, PDDGPU_SIGNATURE_VALUE);
	pddgpu_kunit_card_set(card, PDDGPU_SPEC_VERSION, PDDGPU_SPEC_VERSION_1_0);
	pddgpu_kunit_card_set64(card, PDDGPU_VRAM_SIZE_LO, card->vram_size);
	pddgpu_kunit_card_set64(card, PDDGPU_GTT_SIZE_LO, card->gtt_size);
	pddgpu_kunit_card_set64(card, PDDGPU_VRAM_START_LO, PDDGPU_KUNIT_VRAM_START);
	pddgpu_kunit_card_set64(card, PDDGPU_VRAM_END_LO,
				PDDGPU_KUNIT_VRAM_START + card->vram_size);
	pddgpu_kunit_card_set64(card, PDDGPU_GTT_START_LO, PDDGPU_KUNIT_GTT_START);
	pddgpu_kunit_card_set64(card, PDDGPU_GTT_END_LO, PDDGPU_KUNIT_GTT_START + card->gtt_size);
	pddgpu_kunit_card_set64(card, PDDGPU_VRAM_VISIBLE_SIZE_LO, card->vram_visible);
	pddgpu_kunit_card_set64(card, PDDGPU_VRAM_BAR_OFFSET_LO, PDDGPU_VRAM_BAR_OFFSET_DEFAULT);
	pddgpu_kunit_card_set64(card, PDDGPU_PCIE_MEM_SIZE_LO, card->gtt_size);
	pddgpu_kunit_card_set(card, PDDGPU_GART_TABLE_SIZE, tables * PDDGPU_MMU_PAGE_SIZE);
	pddgpu_kunit_card_set(card, PDDGPU_SEGMENT_COUNT, ARRAY_SIZE(base));
	for (i = 0; i < ARRAY_SIZE(base); i++) {
		u32 desc = PDDGPU_SEGMENT_DESC + i * PDDGPU_SEGMENT_STRIDE;

		pddgpu_kunit_card_set(card, desc + PDDGPU_SEGMENT_KIND, i);
		pddgpu_kunit_card_set64(card, desc + PDDGPU_SEGMENT_BASE_LO, base[i]);
		pddgpu_kunit_card_set64(card, desc + PDDGPU_SEGMENT_SIZE_LO, size[i]);
	}
	pddgpu_kunit_card_set(card, PDDGPU_STATUS, PDDGPU_STATUS_READY);
}

static void pddgpu_kunit_card_reset(struct pddgpu_kunit_card *card, u32 request)
{
	u32 status = pddgpu_kunit_card_get(card, PDDGPU_STATUS), i;

	if (card->fail_reset) {
		status |= PDDGPU_STATUS_RESET_FAILED;
		if (request & PDDGPU_RESET_CHIP)
			status &= ~PDDGPU_STATUS_READY;
		pddgpu_kunit_card_set(card, PDDGPU_STATUS, status);
	} else if (request & PDDGPU_RESET_CHIP) {
		card->resets++;
		pddgpu_kunit_card_publish(card);
		if (card->lose_vram)
			pddgpu_kunit_card_set(card, PDDGPU_STATUS, PDDGPU_STATUS_READY |
					      PDDGPU_STATUS_VRAM_LOST);
	} else {
		for (i = 0; i < PDDGPU_ENGINE_COUNT; i++) {
			if (!(request & PDDGPU_RESET_ENGINE(i)))
				continue;
			card->resets++;
			status &= ~(PDDGPU_STATUS_ENGINE_HALTED(i) | PDDGPU_STATUS_RESET_FAILED);
			pddgpu_kunit_card_set(card, PDDGPU_CP_RING_WPTR(i), 0);
			pddgpu_kunit_card_set(card, PDDGPU_CP_RING_RPTR(i), 0);
		}
		pddgpu_kunit_card_set(card, PDDGPU_STATUS, status);
	}
	pddgpu_kunit_card_set(card, PDDGPU_RESET, 0);
}

/* What is done at a control doorbell, in the order of docs/device.md */
static void pddgpu_kunit_card_control(struct pddgpu_kunit_card *card)
{
	u32 request = pddgpu_kunit_card_get(card, PDDGPU_RESET), want;

	if (request) {
		pddgpu_kunit_card_reset(card, request);
		if (request & PDDGPU_RESET_CHIP)
			return;
	}
	if (pddgpu_kunit_card_get(card, PDDGPU_FAULT_ACK)) {
		pddgpu_kunit_card_set(card, PDDGPU_FAULT_STATUS, 0);
		pddgpu_kunit_card_set(card, PDDGPU_FAULT_ACK, 0);
	}
	want = pddgpu_kunit_card_get(card, PDDGPU_TLB_FLUSH_REQ);
	if (want != pddgpu_kunit_card_get(card, PDDGPU_TLB_FLUSH_DONE)) {
		card->flushes++;
		pddgpu_kunit_card_set(card, PDDGPU_TLB_FLUSH_DONE, want);
	}
}

static void pddgpu_kunit_writel(u32 value, void __iomem *addr)
{
	struct pddgpu_kunit_card *card = pddgpu_kunit_card;
	u32 number = value & 0xffff;

	writel(value, addr);
	if (!card || (void __force *)addr != (void *)card->doorbell + PDDGPU_IVSHMEM_DOORBELL ||
	    value >> 16 != PDDGPU_PEER_DEVICE || number >= ARRAY_SIZE(card->rings))
		return;
	card->rings[number]++;
	if (card->gone)
		memset(card->regs, 0xff, PDDGPU_REG_FILE_SIZE);
	else if (card->silent)
		return;
	else if (card->deaf)
		card->deaf--;
	else if (number == PDDGPU_DOORBELL_CONTROL)
		pddgpu_kunit_card_control(card);
	else if (card->ring && number <= PDDGPU_DOORBELL_ENGINE1)
		card->ring(card, number - PDDGPU_DOORBELL_ENGINE0);
}

/**
 * pddgpu_kunit_card_walk() - translate an address, as the chip's MMU does
 * @card: the card
 * @gpu_addr: the address
 * @walk: where it leads
 *
 * From docs/device.md, and not from the driver.
 */
void pddgpu_kunit_card_walk(struct pddgpu_kunit_card *card, u64 gpu_addr,
			    struct pddgpu_kunit_walk *walk)
{
	const u32 index[] = { gpu_addr >> 30 & 511, gpu_addr >> 21 & 511, gpu_addr >> 12 & 511 };
	u64 *table = card->regs + PDDGPU_MMIO_MMU_START_ADDRESS;
	u64 low = 0xfff, next;

	*walk = (struct pddgpu_kunit_walk) { .addr = U64_MAX, .fault = PDDGPU_FAULT_OUT_OF_RANGE };
	if (gpu_addr < PDDGPU_KUNIT_GTT_START ||
	    gpu_addr - PDDGPU_KUNIT_GTT_START >= card->gtt_size)
		return;
	for (walk->level = 1; walk->level <= 3; walk->level++) {
		walk->entry = table[index[walk->level - 1]];
		walk->fault = PDDGPU_FAULT_INVALID_ENTRY;
		if (!(walk->entry & 1))
			return;
		walk->fault = PDDGPU_FAULT_BAD_TABLE;
		next = walk->entry & 0x000ffffffffff000ull;
		if (walk->entry & 16) {
			low = 0x1fffff;
			if (walk->level != 2 || next & low)
				return;
		} else if (walk->level < 3) {
			if (walk->entry & 8 || next + 4096 > card->vram_size ||
			    next + 4096 > card->vram_visible)
				return;
			table = card->vram + next;
			continue;
		}
		walk->fault = 0;
		walk->addr = next | (gpu_addr & low);
		return;
	}
}

static void pddgpu_kunit_card_fini(struct drm_device *drm, void *data)
{
	struct pddgpu_kunit_card *card = data;

	pddgpu_kunit_card = NULL;
	vfree(card->vram);
	vfree(card->regs);
	kfree(card);
}

/**
 * pddgpu_kunit_card_init() - plug a card in
 * @test: the test
 * @drm: the DRM device, which frees it, after what was made later
 * @vram_size: bytes of VRAM
 * @vram_visible: bytes of it that the CPU reaches: these are there
 * @gtt_size: bytes of the aperture
 *
 * Return: the card, after power-on.
 */
struct pddgpu_kunit_card *pddgpu_kunit_card_init(struct kunit *test, struct drm_device *drm,
						 u64 vram_size, u64 vram_visible, u64 gtt_size)
{
	struct pddgpu_kunit_card *card = kzalloc(sizeof(*card), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, card);
	KUNIT_ASSERT_NULL(test, pddgpu_kunit_card);
	KUNIT_ASSERT_EQ(test, 0, drmm_add_action_or_reset(drm, pddgpu_kunit_card_fini, card));
	card->drm = drm;
	card->vram_size = vram_size;
	card->vram_visible = vram_visible;
	card->gtt_size = gtt_size;
	card->regs = vzalloc(PDDGPU_REG_FILE_SIZE);
	card->vram = vzalloc(vram_visible);
	KUNIT_ASSERT_NOT_NULL(test, card->regs);
	KUNIT_ASSERT_NOT_NULL(test, card->vram);
	pddgpu_kunit_card_publish(card);

	card->hw = drmm_kzalloc(drm, sizeof(*card->hw), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, card->hw);
	card->hw->drm = drm;
	card->hw->doorbell = (void __iomem __force *)card->doorbell;
	card->hw->regs = (void __iomem __force *)card->regs;
	card->hw->vram = (void __iomem __force *)card->vram;
	spin_lock_init(&card->hw->watch_lock);
	KUNIT_ASSERT_EQ(test, 0, drmm_mutex_init(drm, &card->hw->request_lock));
	pddgpu_kunit_card = card;
	return card;
}
