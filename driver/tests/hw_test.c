// SPDX-License-Identifier: GPL-2.0
/* Requests to the card, and what the driver believes of what a chip says */
#include <kunit/test.h>

#include <linux/ktime.h>

#include <pddgpu_regs.h>

#include "kunit_card.h"
#include "kunit_device.h"

#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_hw.h"

#define HW_VRAM		(64ull << 20)
#define HW_VISIBLE	(16ull << 20)
#define HW_GTT		(1024ull << 20)

static int hw_test_init(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);

	test->priv = pddgpu_kunit_card_init(test, &pdev->drm, HW_VRAM, HW_VISIBLE, HW_GTT);
	return 0;
}

static struct drm_device *hw_drm(struct pddgpu_kunit_card *card)
{
	return card->drm;
}

static void hw_test_registers(struct kunit *test)
{
	struct pddgpu_kunit_card *card = test->priv;

	KUNIT_EXPECT_TRUE(test, pddgpu_hw_present(card->hw));
	KUNIT_EXPECT_EQ(test, pddgpu_hw_read64(card->hw, PDDGPU_VRAM_SIZE_LO), HW_VRAM);
	pddgpu_hw_write64(card->hw, PDDGPU_MMIO_MMU_START_ADDRESS + 8, 0x123456789abcdef0ull);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_MMIO_MMU_START_ADDRESS + 8),
			0x9abcdef0);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_MMIO_MMU_START_ADDRESS + 12),
			0x12345678);
	pddgpu_hw_doorbell(card->hw, PDDGPU_DOORBELL_ENGINE1);
	KUNIT_EXPECT_EQ(test, card->rings[PDDGPU_DOORBELL_ENGINE1], 1);
	KUNIT_EXPECT_EQ(test, card->rings[PDDGPU_DOORBELL_CONTROL], 0);
}

static void hw_test_reset(struct kunit *test)
{
	struct pddgpu_kunit_card *card = test->priv;

	pddgpu_kunit_card_set(card, PDDGPU_MC_GTT_CTRL, 1);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_hw_reset(card->hw));
	KUNIT_EXPECT_EQ(test, card->resets, 1);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_MC_GTT_CTRL), 0);
	/* The chip says so, and is not asked again by itself */
	card->fail_reset = true;
	KUNIT_EXPECT_EQ(test, -EIO, pddgpu_hw_reset(card->hw));
	KUNIT_EXPECT_EQ(test, card->rings[PDDGPU_DOORBELL_CONTROL], 2);
	card->fail_reset = false;
	KUNIT_EXPECT_EQ(test, 0, pddgpu_hw_reset(card->hw));
	card->gone = true;
	KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_hw_reset(card->hw));
	KUNIT_EXPECT_FALSE(test, pddgpu_hw_present(card->hw));
}

/* Its ring is off when it comes back, and a fault is forgotten */
static void hw_test_reset_engine(struct kunit *test)
{
	struct pddgpu_kunit_card *card = test->priv;

	pddgpu_kunit_card_set(card, PDDGPU_CP_RING_CTRL(0), PDDGPU_CP_RING_ENABLE);
	pddgpu_kunit_card_set(card, PDDGPU_CP_RING_CTRL(1), PDDGPU_CP_RING_ENABLE);
	pddgpu_kunit_card_set(card, PDDGPU_CP_RING_RPTR(1), 64);
	pddgpu_kunit_card_set(card, PDDGPU_FAULT_STATUS, PDDGPU_FAULT_VALID);
	pddgpu_kunit_card_set(card, PDDGPU_STATUS, PDDGPU_STATUS_READY |
			      PDDGPU_STATUS_ENGINE_HALTED(0) | PDDGPU_STATUS_ENGINE_HALTED(1));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_hw_reset_engine(card->hw, 1));
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_CP_RING_CTRL(0)),
			PDDGPU_CP_RING_ENABLE);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_CP_RING_CTRL(1)), 0);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_CP_RING_RPTR(1)), 0);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_FAULT_STATUS), 0);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_STATUS),
			PDDGPU_STATUS_READY | PDDGPU_STATUS_ENGINE_HALTED(0));
	card->fail_reset = true;
	KUNIT_EXPECT_EQ(test, -EIO, pddgpu_hw_reset_engine(card->hw, 0));
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_CP_RING_CTRL(0)), 0);
}

static void hw_test_flush(struct kunit *test)
{
	struct pddgpu_kunit_card *card = test->priv;
	u32 i;

	for (i = 1; i <= 3; i++) {
		KUNIT_EXPECT_EQ(test, 0, pddgpu_hw_flush_tlb(card->hw));
		KUNIT_EXPECT_EQ(test, card->flushes, i);
	}
	KUNIT_EXPECT_EQ(test, 0, pddgpu_hw_enable_memory(card->hw));
	KUNIT_EXPECT_EQ(test, card->flushes, 4);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_MC_VRAM_CTRL), PDDGPU_MC_ENABLE);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_MC_GTT_CTRL), PDDGPU_MC_ENABLE);
	KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_MC_FB_CTRL), PDDGPU_MC_ENABLE);
	card->gone = true;
	KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_hw_flush_tlb(card->hw));
}

/* The numbers of flushes have 32 bits, and go round; halfway the sign changes */
static void hw_test_flush_wraps(struct kunit *test)
{
	static const u32 begin[] = { U32_MAX - 3, S32_MAX - 2 };
	struct pddgpu_kunit_card *card = test->priv;
	size_t i;
	u32 n;

	for (i = 0; i < ARRAY_SIZE(begin); i++) {
		pddgpu_kunit_card_set(card, PDDGPU_TLB_FLUSH_REQ, begin[i]);
		pddgpu_kunit_card_set(card, PDDGPU_TLB_FLUSH_DONE, begin[i]);
		for (n = 1; n <= 6; n++) {
			KUNIT_EXPECT_EQ_MSG(test, 0, pddgpu_hw_flush_tlb(card->hw), "at %#x",
					    begin[i] + n);
			KUNIT_EXPECT_EQ(test, pddgpu_kunit_card_get(card, PDDGPU_TLB_FLUSH_DONE),
					begin[i] + n);
		}
	}
}

/* Who is silent for long is dead, and who is dead is not believed to be back */
static void hw_test_silent(struct kunit *test)
{
	struct pddgpu_kunit_card *card = test->priv;
	ktime_t start = ktime_get();

	card->silent = true;
	KUNIT_EXPECT_TRUE(test, pddgpu_hw_look(card->hw));
	KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_hw_flush_tlb(card->hw));
	KUNIT_EXPECT_GE(test, ktime_ms_delta(ktime_get(), start), 2000);
	KUNIT_EXPECT_FALSE(test, pddgpu_hw_look(card->hw));
	card->silent = false;
	start = ktime_get();
	KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_hw_flush_tlb(card->hw));
	KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_hw_reset(card->hw));
	KUNIT_EXPECT_LT(test, ktime_ms_delta(ktime_get(), start), 2000);
}

/* A doorbell that goes unheard is rung again */
static void hw_test_deaf(struct kunit *test)
{
	struct pddgpu_kunit_card *card = test->priv;

	card->deaf = 2;
	KUNIT_EXPECT_EQ(test, 0, pddgpu_hw_flush_tlb(card->hw));
	KUNIT_EXPECT_EQ(test, 0, card->deaf);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_hw_ping(card->hw));
	KUNIT_EXPECT_TRUE(test, pddgpu_hw_look(card->hw));
}

static void hw_test_chip(struct kunit *test)
{
	struct pddgpu_kunit_card *card = test->priv;
	struct pddgpu_chip *chip = pddgpu_chip_init(hw_drm(card), card->hw);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, chip);
	KUNIT_EXPECT_STREQ(test, chip->name, "PDD2000");
	KUNIT_EXPECT_EQ(test, chip->vram_start, PDDGPU_KUNIT_VRAM_START);
	KUNIT_EXPECT_EQ(test, chip->vram_size, HW_VRAM);
	KUNIT_EXPECT_EQ(test, chip->vram_visible_size, HW_VISIBLE);
	KUNIT_EXPECT_EQ(test, chip->gtt_start, PDDGPU_KUNIT_GTT_START);
	KUNIT_EXPECT_EQ(test, chip->gtt_size, HW_GTT);
	KUNIT_EXPECT_EQ(test, chip->gart_table_size, 513 * 4096);
	KUNIT_ASSERT_EQ(test, chip->segment_count, 3);
	KUNIT_EXPECT_EQ(test, chip->segments[0].kind, PDDGPU_SEGMENT_LOCAL);
	KUNIT_EXPECT_EQ(test, chip->segments[2].kind, PDDGPU_SEGMENT_PCIE_UNSNOOPED);
	KUNIT_EXPECT_EQ(test, chip->segments[2].base, PDDGPU_KUNIT_GTT_START);
	/* Half the RAM, whole pages, and no more than the chip maps */
	KUNIT_EXPECT_EQ(test, pddgpu_chip_system_memory(chip, 0x12345678), 0x091a2000);
	KUNIT_EXPECT_EQ(test, pddgpu_chip_system_memory(chip, 64ull << 30), HW_GTT);
	/* More segments than there is room for are not read */
	pddgpu_kunit_card_set(card, PDDGPU_SEGMENT_COUNT, U32_MAX);
	chip = pddgpu_chip_init(hw_drm(card), card->hw);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, chip);
	KUNIT_EXPECT_EQ(test, chip->segment_count, PDDGPU_SEGMENT_MAX);
}

/* A register with rubbish in it, and what the driver says to such a chip */
static const struct hw_rubbish {
	u32 reg;
	bool wide;
	u64 value;
	int result;
} hw_rubbish[] = {
	{ PDDGPU_CHIP_ID, false, 0, -ENODEV },
	{ PDDGPU_CHIP_ID, false, 0x4000, -ENODEV },
	{ PDDGPU_CHIP_ID, false, PDDGPU_CHIP_PDD3000, 0 },
	{ PDDGPU_SPEC_VERSION, false, 0x00020000, -ENODEV },
	{ PDDGPU_SPEC_VERSION, false, 0x0001ffff, 0 },
	{ PDDGPU_VRAM_SIZE_LO, true, 0, -EIO },
	{ PDDGPU_VRAM_SIZE_LO, true, HW_VRAM + 1, -EIO },
	{ PDDGPU_VRAM_SIZE_LO, true, HW_VISIBLE - 4096, -EIO },
	{ PDDGPU_VRAM_SIZE_LO, true, 1ull << 39, -EIO },
	{ PDDGPU_VRAM_SIZE_LO, true, ~0xfffull, -EIO },
	/* Up to the aperture, and into it */
	{ PDDGPU_VRAM_SIZE_LO, true, PDDGPU_KUNIT_GTT_START - PDDGPU_KUNIT_VRAM_START, 0 },
	{ PDDGPU_VRAM_SIZE_LO, true, PDDGPU_KUNIT_GTT_START - PDDGPU_KUNIT_VRAM_START + 4096,
	  -EIO },
	{ PDDGPU_VRAM_START_LO, true, PDDGPU_KUNIT_VRAM_START + 8, -EIO },
	{ PDDGPU_VRAM_START_LO, true, 1ull << 39, -EIO },
	{ PDDGPU_VRAM_START_LO, true, PDDGPU_KUNIT_GTT_START, -EIO },
	{ PDDGPU_VRAM_VISIBLE_SIZE_LO, true, HW_VRAM, 0 },
	{ PDDGPU_VRAM_VISIBLE_SIZE_LO, true, HW_VRAM + 4096, -EIO },
	{ PDDGPU_VRAM_VISIBLE_SIZE_LO, true, 4096, -EIO },
	{ PDDGPU_GTT_SIZE_LO, true, 0, -EIO },
	{ PDDGPU_GTT_SIZE_LO, true, HW_GTT + 4096, -EIO },
	{ PDDGPU_GTT_SIZE_LO, true, U64_MAX, -EIO },
	{ PDDGPU_GTT_START_LO, true, PDDGPU_KUNIT_GTT_START + 4096, -EIO },
	{ PDDGPU_PCIE_MEM_SIZE_LO, true, 0, -EIO },
	{ PDDGPU_GART_TABLE_SIZE, false, HW_VISIBLE, -EIO },
	{ PDDGPU_GART_TABLE_SIZE, false, U32_MAX, -EIO },
};

static void hw_test_chip_rubbish(struct kunit *test)
{
	struct pddgpu_kunit_card *card = test->priv;
	struct pddgpu_chip *chip;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hw_rubbish); i++) {
		const struct hw_rubbish *it = &hw_rubbish[i];

		pddgpu_kunit_card_publish(card);
		if (it->wide)
			pddgpu_kunit_card_set64(card, it->reg, it->value);
		else
			pddgpu_kunit_card_set(card, it->reg, it->value);
		chip = pddgpu_chip_init(hw_drm(card), card->hw);
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(chip), it->result, "%#x = %#llx",
				    it->reg, it->value);
	}
	memset(card->regs, 0xff, PDDGPU_REG_FILE_SIZE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(pddgpu_chip_init(hw_drm(card), card->hw)), -ENODEV);
}

static struct kunit_case hw_test_cases[] = {
	KUNIT_CASE(hw_test_registers),
	KUNIT_CASE(hw_test_reset),
	KUNIT_CASE(hw_test_reset_engine),
	KUNIT_CASE(hw_test_flush),
	KUNIT_CASE(hw_test_flush_wraps),
	KUNIT_CASE_SLOW(hw_test_silent),
	KUNIT_CASE(hw_test_deaf),
	KUNIT_CASE(hw_test_chip),
	KUNIT_CASE(hw_test_chip_rubbish),
	{}
};

static struct kunit_suite hw_test_suite = {
	.name = "pddgpu_hw",
	.init = hw_test_init,
	.test_cases = hw_test_cases,
};

kunit_test_suite(hw_test_suite);
