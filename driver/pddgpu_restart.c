// SPDX-License-Identifier: GPL-2.0
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_gart.h"
#include "pddgpu_hw.h"
#include "pddgpu_irq.h"
#include "pddgpu_restart.h"

/**
 * pddgpu_device_restart() - bring a chip to work that has just been reset
 * @pdev: the device, brought up once, with its interrupt requested; the caller is
 *	inside drm_dev_enter(), and the schedulers of both engines are stopped
 *
 * In the order of docs/device.md: page tables, memories, interrupt ring, command
 * rings, and a TLB flush that tells that all has been taken over. What VRAM held
 * of this does not matter: all of it is written anew. The engines have nothing to
 * do afterwards; jobs that were in their rings are the caller's. May sleep; takes
 * the GART's lock.
 *
 * Return: 0, or -ENODEV when the card is gone.
 */
int pddgpu_device_restart(struct pddgpu_device *pdev)
{
	int ret;
	u32 i;

	ret = pddgpu_gart_restore(pdev->gart);
	if (ret)
		return ret;
	pddgpu_irq_restart(pdev->irq);
	for (i = 0; i < PDDGPU_ENGINE_COUNT; i++)
		pddgpu_engine_start(pdev->engine[i]);
	return pddgpu_hw_flush_tlb(pdev->hw);
}
