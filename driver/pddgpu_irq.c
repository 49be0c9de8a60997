// SPDX-License-Identifier: GPL-2.0
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#include <drm/drm_device.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include <pddgpu_packets.h>
#include <pddgpu_regs.h>

#include "pddgpu_hw.h"
#include "pddgpu_irq.h"

static_assert(sizeof(struct pddgpu_ih_entry) == PDDGPU_IH_ENTRY_SIZE);
static_assert(PDDGPU_RING_SIZE_MIN <= PDDGPU_IRQ_RING_SIZE);
static_assert(PDDGPU_RING_SIZE_MAX >= PDDGPU_IRQ_RING_SIZE);

/**
 * struct pddgpu_irq - the interrupt ring
 */
struct pddgpu_irq {
	/** @drm: for messages */
	struct drm_device *drm;
	/** @hw: the card */
	struct pddgpu_hw *hw;
	/** @number: the interrupt; freed by pddgpu_irq_stop() */
	int number;
	/** @running: between start and stop */
	bool running;
	/** @ring_addr: GPU address of the ring */
	u64 ring_addr;
	/** @ring_offset: of the ring in VRAM */
	u64 ring_offset;
	/** @lock: guards what follows; irq-safe, taken before the fences' locks */
	spinlock_t lock;
	/** @rptr: the entry to look at next */
	u32 rptr;
	/** @paused: the chip is being reset: what is in the ring says nothing */
	bool paused;
	/** @holders: who looks at the ring so often that no interrupt is needed */
	u32 holders;
	/** @handler: whom to tell */
	struct pddgpu_irq_handler handler;
};

static void pddgpu_irq_entry(struct pddgpu_irq *irq,
			     const struct pddgpu_ih_entry *entry)
{
	u32 engine = le32_to_cpu(entry->engine);

	/* Entries were lost: look at every engine */
	if (le32_to_cpu(entry->flags) & PDDGPU_IH_FLAG_OVERFLOW) {
		u32 i;

		for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
			irq->handler.fences(irq->handler.data, i);
	}
	if (engine >= PDDGPU_ENGINE_COUNT)
		return;

	switch (le32_to_cpu(entry->source)) {
	case PDDGPU_IH_SOURCE_FENCE:
		irq->handler.fences(irq->handler.data, engine);
		break;
	case PDDGPU_IH_SOURCE_FAULT:
		irq->handler.fault(irq->handler.data, engine,
				   le64_to_cpu(entry->sequence),
				   le64_to_cpu(entry->address));
		break;
	}
}

/* Read what is in the ring. False for rubbish, from a card that is gone. */
static bool pddgpu_irq_read_ring(struct pddgpu_irq *irq)
{
	u32 wptr = pddgpu_hw_read(irq->hw, PDDGPU_IH_RING_WPTR);
	struct pddgpu_ih_entry entry;

	lockdep_assert_held(&irq->lock);

	if (irq->paused)
		return true;
	if (wptr >= PDDGPU_IRQ_RING_SIZE || wptr % PDDGPU_IH_ENTRY_SIZE) {
		pddgpu_hw_look(irq->hw);
		return false;
	}
	if (wptr == irq->rptr)
		return true;

	/* The pointer was written after the entries: read them after it */
	rmb();
	while (irq->rptr != wptr) {
		memcpy_fromio(&entry, pddgpu_hw_vram(irq->hw) +
			      irq->ring_offset + irq->rptr, sizeof(entry));
		irq->rptr = (irq->rptr + PDDGPU_IH_ENTRY_SIZE) &
			    (PDDGPU_IRQ_RING_SIZE - 1);
		pddgpu_irq_entry(irq, &entry);
	}
	pddgpu_hw_write(irq->hw, PDDGPU_IH_RING_RPTR, irq->rptr);
	return true;
}

static irqreturn_t pddgpu_irq_handle(int number, void *arg)
{
	struct pddgpu_irq *irq = arg;
	unsigned long flags;
	bool sane;

	spin_lock_irqsave(&irq->lock, flags);
	sane = pddgpu_irq_read_ring(irq);
	spin_unlock_irqrestore(&irq->lock, flags);
	return sane ? IRQ_HANDLED : IRQ_NONE;
}

/**
 * pddgpu_irq_hold() - no interrupts for a moment
 * @irq: the ring
 *
 * Whoever is awake for a fence anyway needs none. The caller is inside
 * drm_dev_enter(), and does not sleep, nor is it preempted, until it calls
 * pddgpu_irq_release(): others may be waiting for what the ring says.
 */
void pddgpu_irq_hold(struct pddgpu_irq *irq)
{
	unsigned long flags;

	spin_lock_irqsave(&irq->lock, flags);
	if (!irq->holders++)
		pddgpu_hw_write(irq->hw, PDDGPU_IH_HOLD, 1);
	spin_unlock_irqrestore(&irq->lock, flags);
}

/**
 * pddgpu_irq_release() - undo pddgpu_irq_hold()
 * @irq: the ring
 *
 * Does what interrupts would have done meanwhile.
 */
void pddgpu_irq_release(struct pddgpu_irq *irq)
{
	unsigned long flags;

	spin_lock_irqsave(&irq->lock, flags);
	if (!--irq->holders)
		pddgpu_hw_write(irq->hw, PDDGPU_IH_HOLD, 0);
	/* The chip writes WPTR, then looks at HOLD: one of both sees the other */
	mb();
	if (irq->running)
		pddgpu_irq_read_ring(irq);
	spin_unlock_irqrestore(&irq->lock, flags);
}

/**
 * pddgpu_irq_init() - make the interrupt ring
 * @drm: the DRM device, which frees it
 * @hw: the card
 * @pci: the PCI device; its vectors end with the driver
 * @vram_start: GPU address of VRAM
 * @ring_offset: PDDGPU_IRQ_RING_SIZE bytes of visible VRAM, page aligned
 *
 * Return: the ring, stopped; or an error pointer.
 */
struct pddgpu_irq *pddgpu_irq_init(struct drm_device *drm, struct pddgpu_hw *hw,
				   struct pci_dev *pci, u64 vram_start, u64 ring_offset)
{
	struct pddgpu_irq *irq;
	int ret;

	irq = drmm_kzalloc(drm, sizeof(*irq), GFP_KERNEL);
	if (!irq)
		return ERR_PTR(-ENOMEM);

	ret = pci_alloc_irq_vectors(pci, PDDGPU_VECTOR_IH + 1, PDDGPU_NUM_VECTORS,
				    PCI_IRQ_MSIX);
	/* Both are said where there is no memory for them; at -ENODEV nobody else complains */
	if (ret == -ENODEV || ret == -ENOSPC)
		ret = -ENOMEM;
	if (ret < 0)
		return ERR_PTR(ret);
	irq->drm = drm;
	irq->hw = hw;
	irq->number = pci_irq_vector(pci, PDDGPU_VECTOR_IH);
	irq->ring_offset = ring_offset;
	irq->ring_addr = vram_start + ring_offset;
	spin_lock_init(&irq->lock);
	return irq;
}

static void pddgpu_irq_free(void *irq)
{
	pddgpu_irq_stop(irq);
}

/**
 * pddgpu_irq_start() - let the chip interrupt
 * @irq: the ring, stopped
 * @handler: whom to tell; copied
 *
 * The chip takes the ring over with the next control doorbell: a TLB flush will
 * do.
 *
 * Return: 0 or an errno.
 */
int pddgpu_irq_start(struct pddgpu_irq *irq, const struct pddgpu_irq_handler *handler)
{
	int ret;

	irq->handler = *handler;
	irq->rptr = 0;
	ret = request_irq(irq->number, pddgpu_irq_handle, 0, "pddgpu", irq);
	if (ret) {
		drm_err(irq->drm, "PDDGPU: no interrupt: %d\n", ret);
		return ret;
	}
	irq->running = true;
	pddgpu_irq_restart(irq);
	/* Before the vectors go, should the driver not be bound in the end */
	return devm_add_action_or_reset(irq->drm->dev, pddgpu_irq_free, irq);
}

/**
 * pddgpu_irq_pause() - look at the ring no more
 * @irq: the ring
 *
 * Before the chip is reset, which forgets its pointers: they would tell of what
 * is over, or of rubbish. When it returns nobody is looking.
 */
void pddgpu_irq_pause(struct pddgpu_irq *irq)
{
	unsigned long flags;

	spin_lock_irqsave(&irq->lock, flags);
	irq->paused = true;
	spin_unlock_irqrestore(&irq->lock, flags);
}

/**
 * pddgpu_irq_restart() - give the chip the ring, empty
 * @irq: the ring; the chip has been reset
 *
 * What was in it is forgotten: look at the fences. The chip takes the ring over
 * with the next control doorbell: a TLB flush will do. Nothing happens when the
 * interrupt is not requested. Any context.
 */
void pddgpu_irq_restart(struct pddgpu_irq *irq)
{
	unsigned long flags;

	if (!irq->running)
		return;
	spin_lock_irqsave(&irq->lock, flags);
	irq->rptr = 0;
	pddgpu_hw_write(irq->hw, PDDGPU_IH_RING_BASE, irq->ring_addr >> PAGE_SHIFT);
	pddgpu_hw_write(irq->hw, PDDGPU_IH_RING_SIZE, PDDGPU_IRQ_RING_SIZE);
	pddgpu_hw_write(irq->hw, PDDGPU_IH_RING_RPTR, 0);
	pddgpu_hw_write(irq->hw, PDDGPU_IH_HOLD, irq->holders ? 1 : 0);
	pddgpu_hw_write(irq->hw, PDDGPU_IH_RING_CTRL, PDDGPU_IH_RING_ENABLE);
	irq->paused = false;
	spin_unlock_irqrestore(&irq->lock, flags);
}

/**
 * pddgpu_irq_stop() - no more interrupts
 * @irq: the ring; does nothing when it is stopped
 *
 * Waits for a handler at work. The chip may go on writing the ring: reset it.
 */
void pddgpu_irq_stop(struct pddgpu_irq *irq)
{
	if (!irq->running)
		return;
	irq->running = false;
	free_irq(irq->number, irq);
}
