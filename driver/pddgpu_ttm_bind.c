// SPDX-License-Identifier: GPL-2.0
/* Buffers' pages in the aperture */
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_tt.h>

#include "pddgpu_bo.h"
#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_gart.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_trace.h"
#include "pddgpu_ttm.h"

/**
 * pddgpu_ttm_bind() - give a buffer's pages their place in the aperture
 * @pdev: the device
 * @tbo: the buffer, reserved, its pages populated and not bound
 * @res: the resource that holds the place; a temporary one has none
 *
 * Return: 0 or what pddgpu_gart_bind_pages() says.
 */
int pddgpu_ttm_bind(struct pddgpu_device *pdev, struct ttm_buffer_object *tbo,
		    struct ttm_resource *res)
{
	struct pddgpu_tt *tt = to_pddgpu_tt(tbo->ttm);
	bool snooped = tt->base.caching == ttm_cached;
	int ret;

	if (!pddgpu_gtt_has_address(res))
		return 0;
	if (tt->base.page_flags & TTM_TT_FLAG_EXTERNAL)
		ret = pddgpu_gart_bind_sgt(pdev->gart, &tt->binding, res->start,
					   tbo->sg, tt->base.num_pages, snooped);
	else
		ret = pddgpu_gart_bind_pages(pdev->gart, &tt->binding, res->start,
					     tt->base.pages, tt->base.num_pages, snooped);
	if (!ret)
		trace_gart_bind(pdev->drm.dev,
				pdev->chip->gtt_start + ((u64)res->start << PAGE_SHIFT),
				(u64)tt->base.num_pages << PAGE_SHIFT);
	return ret;
}

/**
 * pddgpu_ttm_unbind() - take a buffer's pages out of the aperture
 * @pdev: the device
 * @tt: the pages, bound or not
 */
void pddgpu_ttm_unbind(struct pddgpu_device *pdev, struct ttm_tt *tt)
{
	struct pddgpu_gart_binding *binding = &to_pddgpu_tt(tt)->binding;

	if (trace_gart_unbind_enabled() && READ_ONCE(binding->sgt))
		trace_gart_unbind(pdev->drm.dev,
				  pdev->chip->gtt_start + (binding->first_page << PAGE_SHIFT),
				  (u64)binding->pages << PAGE_SHIFT);
	pddgpu_gart_unbind(pdev->gart, binding);
}
