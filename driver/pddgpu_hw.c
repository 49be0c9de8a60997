// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/swiotlb.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <pddgpu_regs.h>

#include "pddgpu_hw.h"

/* The device answers a request in some 100 us; a busy host may take long. */
#define PDDGPU_HW_TIMEOUT_US	(3 * USEC_PER_SEC)
#define PDDGPU_HW_POLL_US	20
/* The control doorbell is rung again after this; a look at the card is cheap */
#define PDDGPU_HW_RING_US	(300 * USEC_PER_MSEC)
#define PDDGPU_HW_LOOKS		5000

#define PDDGPU_BAR_DOORBELL	0
#define PDDGPU_BAR_MEMORY	2

/**
 * struct pddgpu_hw - the card's PCI side
 */
struct pddgpu_hw {
	/** @drm: for messages and drm_dev_enter() */
	struct drm_device *drm;
	/** @pci: the PCI device */
	struct pci_dev *pci;
	/** @doorbell: BAR0, mapped until the driver is unbound */
	void __iomem *doorbell;
	/** @regs: the register file, mapped until the driver is unbound */
	void __iomem *regs;
	/** @vram: the visible part of VRAM, write-combined, as long as @regs */
	void __iomem *vram;
	/** @vram_phys: bus address of @vram */
	phys_addr_t vram_phys;
	/**
	 * @request_lock: one request (reset, TLB flush) at a time: a request
	 * register is read, changed and written. Taken last, sleeps.
	 */
	struct mutex request_lock;
	/** @watch_lock: guards @watch, and that it hears of the end once; a leaf, irq-safe */
	spinlock_t watch_lock;
	/** @watch: whom to tell */
	struct pddgpu_hw_watch watch;
	/** @gone: it has fallen off the bus, or answers no more; stays so */
	bool gone;
};

/**
 * pddgpu_hw_read() - read a 32-bit register
 * @hw: the card
 * @reg: offset in the register file
 *
 * The caller is inside drm_dev_enter(), or is probe.
 *
 * Return: the value; all ones when the card has fallen off the bus.
 */
u32 pddgpu_hw_read(struct pddgpu_hw *hw, u32 reg)
{
	return readl(hw->regs + reg);
}

/**
 * pddgpu_hw_read64() - read a pair of registers, low word first
 * @hw: the card
 * @reg_lo: offset of the low word
 *
 * Return: the value.
 */
u64 pddgpu_hw_read64(struct pddgpu_hw *hw, u32 reg_lo)
{
	u32 lo = pddgpu_hw_read(hw, reg_lo);

	return (u64)pddgpu_hw_read(hw, reg_lo + 4) << 32 | lo;
}

/**
 * pddgpu_hw_write() - write a 32-bit register
 * @hw: the card
 * @reg: offset in the register file
 * @value: the value
 */
void pddgpu_hw_write(struct pddgpu_hw *hw, u32 reg, u32 value)
{
	writel(value, hw->regs + reg);
}

/**
 * pddgpu_hw_write64() - write a pair of registers
 * @hw: the card
 * @reg_lo: offset of the low word, a multiple of 8
 * @value: the value; the device sees it whole or not at all
 */
void pddgpu_hw_write64(struct pddgpu_hw *hw, u32 reg_lo, u64 value)
{
	writeq(value, hw->regs + reg_lo);
}

/**
 * pddgpu_hw_doorbell() - ring a doorbell
 * @hw: the card
 * @number: PDDGPU_DOORBELL_*
 *
 * What was written before it to registers and VRAM is visible to the device.
 */
void pddgpu_hw_doorbell(struct pddgpu_hw *hw, u32 number)
{
	/* VRAM is write-combined: drain it before the device is told to look */
	wmb();
	writel(PDDGPU_PEER_DEVICE << 16 | number,
	       hw->doorbell + PDDGPU_IVSHMEM_DOORBELL);
}

/**
 * pddgpu_hw_present() - is the card still on the bus?
 * @hw: the card
 *
 * Return: true when the register file answers with the signature.
 */
bool pddgpu_hw_present(struct pddgpu_hw *hw)
{
	return pddgpu_hw_read(hw, PDDGPU_SIGNATURE) == PDDGPU_SIGNATURE_VALUE;
}

/**
 * pddgpu_hw_watch() - be told of the card's end
 * @hw: the card
 * @watch: whom to tell, copied; NULL: nobody any more, and no call is under way
 *	when it returns
 *
 * Where the card is gone already, @watch is told at once.
 */
void pddgpu_hw_watch(struct pddgpu_hw *hw, const struct pddgpu_hw_watch *watch)
{
	unsigned long flags;

	spin_lock_irqsave(&hw->watch_lock, flags);
	hw->watch = watch ? *watch : (struct pddgpu_hw_watch) {};
	if (hw->gone && watch)
		watch->gone(watch->data);
	spin_unlock_irqrestore(&hw->watch_lock, flags);
}

static void pddgpu_hw_set_gone(struct pddgpu_hw *hw, const char *why)
{
	unsigned long flags;

	spin_lock_irqsave(&hw->watch_lock, flags);
	if (!hw->gone) {
		drm_err(hw->drm, "PDDGPU: the card is gone: %s\n", why);
		WRITE_ONCE(hw->gone, true);
		if (hw->watch.gone)
			hw->watch.gone(hw->watch.data);
	}
	spin_unlock_irqrestore(&hw->watch_lock, flags);
}

/**
 * pddgpu_hw_look() - is the card there? Notice when it is not
 * @hw: the card
 *
 * One register is read: that shows a card that has fallen off the bus, not one
 * that is dead. Any context; the registers are mapped.
 *
 * Return: false from the first time on that the card was found gone.
 */
bool pddgpu_hw_look(struct pddgpu_hw *hw)
{
	if (READ_ONCE(hw->gone))
		return false;
	/* All ones, or zeros: bridges differ. A reset never changes it */
	if (pddgpu_hw_present(hw))
		return true;
	pddgpu_hw_set_gone(hw, "it has fallen off the bus");
	return false;
}

/**
 * pddgpu_hw_doubt() - it is time to ask whether the card is alive
 * @hw: the card
 *
 * Tells the watch, which asks when it sees fit. Any context.
 */
void pddgpu_hw_doubt(struct pddgpu_hw *hw)
{
	unsigned long flags;

	spin_lock_irqsave(&hw->watch_lock, flags);
	if (hw->watch.doubt)
		hw->watch.doubt(hw->watch.data);
	spin_unlock_irqrestore(&hw->watch_lock, flags);
}

/* Has the card answered: 0; -ENODEV it has gone; -EAGAIN not yet */
static int pddgpu_hw_answered(struct pddgpu_hw *hw, u32 reg, u32 mask, u32 want)
{
	u32 value = pddgpu_hw_read(hw, reg);

	/* One that reads all ones would look as if it had */
	if (!pddgpu_hw_look(hw))
		return -ENODEV;
	return (value & mask) == want ? 0 : -EAGAIN;
}

/*
 * Ring the control doorbell and wait until a register has what was asked for. A
 * card that is silent so long is dead. When the machine has just woken up the clock
 * may leap, and what was rung may have gone unheard: so the card is looked at some
 * times, whatever the clock says, and rung for more than once.
 */
static int pddgpu_hw_ask(struct pddgpu_hw *hw, u32 reg, u32 mask, u32 want, const char *what)
{
	unsigned long end = jiffies + usecs_to_jiffies(PDDGPU_HW_TIMEOUT_US);
	unsigned long again = 0;
	u32 looks = 0;
	int ret;

	do {
		if (!looks || time_after(jiffies, again)) {
			pddgpu_hw_doorbell(hw, PDDGPU_DOORBELL_CONTROL);
			again = jiffies + usecs_to_jiffies(PDDGPU_HW_RING_US);
		}
		ret = pddgpu_hw_answered(hw, reg, mask, want);
		if (ret != -EAGAIN)
			return ret;
		usleep_range(PDDGPU_HW_POLL_US / 2, PDDGPU_HW_POLL_US);
	} while (++looks < PDDGPU_HW_LOOKS || time_before(jiffies, end));

	drm_err(hw->drm, "PDDGPU: %s: no answer within %lu ms\n", what,
		PDDGPU_HW_TIMEOUT_US / USEC_PER_MSEC);
	pddgpu_hw_set_gone(hw, "it does not answer");
	return -ENODEV;
}

/*
 * Write bits of RESET and wait until the device has taken them back. A card that
 * is thought to be dead is asked all the same: should it wake it stops first.
 */
static int pddgpu_hw_request(struct pddgpu_hw *hw, u32 bit, const char *what)
{
	int ret;

	mutex_lock(&hw->request_lock);
	pddgpu_hw_write(hw, PDDGPU_RESET, bit);
	ret = pddgpu_hw_ask(hw, PDDGPU_RESET, bit, 0, what);
	mutex_unlock(&hw->request_lock);
	return ret;
}

/**
 * pddgpu_hw_halt() - leave a reset for a card that does not answer
 * @hw: the card, known to be gone
 *
 * Should it wake it does that first. Nothing is waited for. Takes the request lock.
 */
void pddgpu_hw_halt(struct pddgpu_hw *hw)
{
	mutex_lock(&hw->request_lock);
	pddgpu_hw_write(hw, PDDGPU_RESET, PDDGPU_RESET_CHIP);
	pddgpu_hw_doorbell(hw, PDDGPU_DOORBELL_CONTROL);
	mutex_unlock(&hw->request_lock);
}

/**
 * pddgpu_hw_ping() - ask whether the card is alive
 * @hw: the card
 *
 * Nothing is done, and nothing that is under way is disturbed. May sleep; takes
 * the request lock.
 *
 * Return: 0, or -ENODEV when the card is gone.
 */
int pddgpu_hw_ping(struct pddgpu_hw *hw)
{
	return pddgpu_hw_request(hw, PDDGPU_RESET_PING, "ping");
}

static int pddgpu_hw_request_reset(struct pddgpu_hw *hw, u32 bit, const char *what)
{
	int ret = pddgpu_hw_request(hw, bit, what);
	u32 value;

	if (ret)
		return ret;
	value = pddgpu_hw_read(hw, PDDGPU_STATUS);
	if (value & PDDGPU_STATUS_RESET_FAILED || !(value & PDDGPU_STATUS_READY)) {
		drm_err(hw->drm, "PDDGPU: %s failed, status %#x\n", what, value);
		return -EIO;
	}
	return 0;
}

/**
 * pddgpu_hw_reset() - bring the chip to its power-on state
 * @hw: the card
 *
 * Page tables, rings and enables are gone afterwards; VRAM is kept unless
 * STATUS says otherwise. May sleep; takes the request lock.
 *
 * Return: 0, -EIO when the device says that it failed, or -ENODEV when the card is
 * gone: it has fallen off the bus, or is so silent that it must be dead.
 */
int pddgpu_hw_reset(struct pddgpu_hw *hw)
{
	return pddgpu_hw_request_reset(hw, PDDGPU_RESET_CHIP, "reset");
}

/**
 * pddgpu_hw_vram_lost() - has the reset lost what VRAM held?
 * @hw: the card, after a good pddgpu_hw_reset()
 *
 * Return: true when it has.
 */
bool pddgpu_hw_vram_lost(struct pddgpu_hw *hw)
{
	return pddgpu_hw_read(hw, PDDGPU_STATUS) & PDDGPU_STATUS_VRAM_LOST;
}

/**
 * pddgpu_hw_silence() - keep the engines from memory
 * @hw: the card
 *
 * Where it could not be brought back: what an engine still has to do would come
 * after what the CPU does in its place. Nothing is waited for.
 */
void pddgpu_hw_silence(struct pddgpu_hw *hw)
{
	u32 i;

	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		pddgpu_hw_write(hw, PDDGPU_CP_RING_CTRL(i), 0);
	pddgpu_hw_write(hw, PDDGPU_MC_VRAM_CTRL, 0);
	pddgpu_hw_write(hw, PDDGPU_MC_GTT_CTRL, 0);
	pddgpu_hw_doorbell(hw, PDDGPU_DOORBELL_CONTROL);
}

/**
 * pddgpu_hw_reset_engine() - bring an engine to its power-on state
 * @hw: the card
 * @engine: its number
 *
 * What it was doing is dropped, its ring is off afterwards, and a fault is
 * acknowledged. May sleep; takes the request lock.
 *
 * Return: as pddgpu_hw_reset().
 */
int pddgpu_hw_reset_engine(struct pddgpu_hw *hw, u32 engine)
{
	pddgpu_hw_write(hw, PDDGPU_CP_RING_CTRL(engine), 0);
	pddgpu_hw_write(hw, PDDGPU_FAULT_ACK, 1);
	return pddgpu_hw_request_reset(hw, PDDGPU_RESET_ENGINE(engine), "engine reset");
}

/**
 * pddgpu_hw_enable_memory() - let the engines reach VRAM and the aperture
 * @hw: the card
 *
 * The page tables must be in place: the TLB is flushed at the end, which also
 * tells that the enables have been taken over.
 *
 * Return: 0 or what pddgpu_hw_flush_tlb() says.
 */
int pddgpu_hw_enable_memory(struct pddgpu_hw *hw)
{
	pddgpu_hw_write(hw, PDDGPU_MC_FB_CTRL, PDDGPU_MC_ENABLE);
	pddgpu_hw_write(hw, PDDGPU_MC_VRAM_CTRL, PDDGPU_MC_ENABLE);
	pddgpu_hw_write(hw, PDDGPU_MC_GTT_CTRL, PDDGPU_MC_ENABLE);
	return pddgpu_hw_flush_tlb(hw);
}

/**
 * pddgpu_hw_flush_tlb() - make the MMU forget every translation
 * @hw: the card
 *
 * When it returns 0 no engine uses a translation older than the call. May
 * sleep; takes the request lock. The caller is inside drm_dev_enter(), or is
 * probe.
 *
 * Return: 0, or -ENODEV when the card is gone.
 */
int pddgpu_hw_flush_tlb(struct pddgpu_hw *hw)
{
	u32 want;
	int ret;

	mutex_lock(&hw->request_lock);
	want = pddgpu_hw_read(hw, PDDGPU_TLB_FLUSH_REQ) + 1;
	pddgpu_hw_write(hw, PDDGPU_TLB_FLUSH_REQ, want);
	ret = pddgpu_hw_ask(hw, PDDGPU_TLB_FLUSH_DONE, U32_MAX, want, "TLB flush");
	mutex_unlock(&hw->request_lock);
	return ret;
}

/**
 * pddgpu_hw_vram() - the CPU's window into VRAM
 * @hw: the card
 *
 * Return: the mapping of the visible part, write-combined; NULL before
 * pddgpu_hw_map_vram().
 */
void __iomem *pddgpu_hw_vram(struct pddgpu_hw *hw)
{
	return hw->vram;
}

/**
 * pddgpu_hw_vram_phys() - where the CPU's window into VRAM lies on the bus
 * @hw: the card
 *
 * Return: the address of VRAM's first byte.
 */
phys_addr_t pddgpu_hw_vram_phys(struct pddgpu_hw *hw)
{
	return hw->vram_phys;
}

/*
 * The chip and the CPU use system pages at the same time, and nobody says when one of
 * them is done. So they must be the same pages: not copies, which the kernel makes
 * where a device does not reach all memory, or is not to (an encrypted machine,
 * swiotlb=force).
 */
static int pddgpu_hw_init_dma(struct pddgpu_hw *hw)
{
	struct device *dev = &hw->pci->dev;
	int ret;

	ret = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(52));
	if (ret)
		return ret;
	if (is_swiotlb_force_bounce(dev) || dma_addressing_limited(dev)) {
		drm_err(hw->drm, "PDDGPU: cannot be used where DMA goes through copies (swiotlb)\n");
		return -EOPNOTSUPP;
	}
	dma_set_max_seg_size(dev, UINT_MAX);
	return 0;
}

/**
 * pddgpu_hw_init() - map the registers and see whether the card is ours
 * @drm: the DRM device
 * @pci: the PCI device, enabled with pcim_enable_device()
 *
 * The PCI identity is ivshmem's, which other software uses too, so the register
 * file is looked at before anything is claimed for good.
 *
 * Return: the card, freed with @drm; -ENODEV when it is somebody else's, -EOPNOTSUPP
 * when it would not see the memory that the CPU sees.
 */
struct pddgpu_hw *pddgpu_hw_init(struct drm_device *drm, struct pci_dev *pci)
{
	struct device *dev = &pci->dev;
	struct pddgpu_hw *hw;
	int ret;

	if (pci_resource_len(pci, PDDGPU_BAR_MEMORY) <= PDDGPU_REG_FILE_SIZE ||
	    pci_resource_len(pci, PDDGPU_BAR_DOORBELL) < PAGE_SIZE / 16)
		return ERR_PTR(-ENODEV);

	hw = drmm_kzalloc(drm, sizeof(*hw), GFP_KERNEL);
	if (!hw)
		return ERR_PTR(-ENOMEM);
	hw->drm = drm;
	hw->pci = pci;
	spin_lock_init(&hw->watch_lock);

	ret = drmm_mutex_init(drm, &hw->request_lock);
	if (ret)
		return ERR_PTR(ret);

	hw->regs = devm_ioremap(dev, pci_resource_start(pci, PDDGPU_BAR_MEMORY),
				PDDGPU_REG_FILE_SIZE);
	if (!hw->regs)
		return ERR_PTR(-ENOMEM);
	if (!pddgpu_hw_present(hw))
		return ERR_PTR(-ENODEV);

	hw->doorbell = pcim_iomap_region(pci, PDDGPU_BAR_DOORBELL, "pddgpu");
	/* Who has that BAR gets -EINVAL where there is no memory to map it */
	if (hw->doorbell == IOMEM_ERR_PTR(-EINVAL))
		return ERR_PTR(-ENOMEM);
	if (IS_ERR(hw->doorbell))
		return ERR_CAST(hw->doorbell);

	ret = pcim_request_region(pci, PDDGPU_BAR_MEMORY, "pddgpu");
	if (ret)
		return ERR_PTR(ret);

	ret = pddgpu_hw_init_dma(hw);
	if (ret)
		return ERR_PTR(ret);
	pci_set_master(pci);

	return hw;
}

/**
 * pddgpu_hw_map_vram() - map the visible part of VRAM
 * @hw: the card
 * @bar_offset: where it begins in the memory BAR
 * @size: its size in bytes, a multiple of a page
 *
 * Return: 0, -ENXIO when the BAR does not hold it, -ENOMEM.
 */
int pddgpu_hw_map_vram(struct pddgpu_hw *hw, u64 bar_offset, u64 size)
{
	u64 bar_size = pci_resource_len(hw->pci, PDDGPU_BAR_MEMORY);

	if (!size || bar_offset < PDDGPU_REG_FILE_SIZE || bar_offset > bar_size ||
	    size > bar_size - bar_offset || !PAGE_ALIGNED(bar_offset | size)) {
		drm_err(hw->drm, "PDDGPU: visible VRAM %#llx+%#llx is not in a BAR of %#llx\n",
			bar_offset, size, bar_size);
		return -ENXIO;
	}

	hw->vram_phys = pci_resource_start(hw->pci, PDDGPU_BAR_MEMORY) + bar_offset;
	hw->vram = devm_ioremap_wc(hw->drm->dev, hw->vram_phys, size);
	return hw->vram ? 0 : -ENOMEM;
}
