// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_ttm_helper.h>
#include <drm/drm_utils.h>

#include "pddgpu_account.h"
#include "pddgpu_bo.h"
#include "pddgpu_bo_evidence.h"
#include "pddgpu_bo_trace.h"
#include "pddgpu_compat.h"
#include "pddgpu_device.h"
#include "pddgpu_engine.h"
#include "pddgpu_file.h"
#include "pddgpu_gem.h"
#include "pddgpu_leak.h"
#include "pddgpu_loss.h"
#include "pddgpu_prime.h"
#include "pddgpu_queue.h"
#include "pddgpu_ttm.h"
#include "pddgpu_unpageable.h"
#include "pddgpu_wait.h"

/* dma_buf_mmap(); MODULE_IMPORT_NS() took a word before 6.13, a string since */
MODULE_INFO(import_ns, "DMA_BUF");

static_assert(sizeof(struct drm_pddgpu_gem_wait) == 16);

/**
 * pddgpu_gem_file_open() - the DRM driver's open callback
 * @drm: the DRM device
 * @file: the file
 *
 * Return: 0 or -ENOMEM.
 */
int pddgpu_gem_file_open(struct drm_device *drm, struct drm_file *file)
{
	struct drm_gpu_scheduler *sched =
		pddgpu_engine_sched(to_pddgpu(drm)->engine[PDDGPU_ENGINE_USER]);
	struct pddgpu_file *pfile = kzalloc(sizeof(*pfile), GFP_KERNEL);
	int ret;

	if (!pfile)
		return -ENOMEM;
	pfile->account = pddgpu_account_client_create();
	if (!pfile->account) {
		ret = -ENOMEM;
		goto err_free;
	}
	pfile->queue = pddgpu_queue_init(sched, DRM_SCHED_PRIORITY_NORMAL, true);
	if (IS_ERR(pfile->queue)) {
		ret = PTR_ERR(pfile->queue);
		goto err_put;
	}
	pddgpu_unpageable_client_init(&pfile->unpageable);
	pfile->client.client_id = file->client_id;
	file->driver_priv = pfile;
	return 0;

err_put:
	pddgpu_account_client_put(pfile->account);
err_free:
	kfree(pfile);
	return ret;
}

/**
 * pddgpu_gem_file_close() - the DRM driver's postclose callback
 * @drm: the DRM device
 * @file: the file
 */
void pddgpu_gem_file_close(struct drm_device *drm, struct drm_file *file)
{
	struct pddgpu_file *pfile = to_pddgpu_file(file);

	pddgpu_unfreed_end(to_pddgpu(drm)->unfreed, &pfile->unfreed);
	pddgpu_unpageable_client_fini(to_pddgpu(drm), &pfile->unpageable);
	pddgpu_queue_fini(pfile->queue);
	pddgpu_leak_client_fini(to_pddgpu(drm)->leaks, &pfile->client);
	pddgpu_account_client_put(pfile->account);
	kfree(pfile);
}

static bool pddgpu_gem_domains_ok(u32 domains)
{
	return domains && !(domains & ~PDDGPU_GEM_DOMAIN_MASK);
}

static bool pddgpu_gem_flags_ok(u32 flags)
{
	const u32 access = PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED |
			   PDDGPU_GEM_CREATE_NO_CPU_ACCESS;

	return !(flags & ~PDDGPU_GEM_CREATE_MASK) && (flags & access) != access;
}

/* What the client wants for the buffer behind a handle of its file */
static int pddgpu_gem_place(struct pddgpu_bo *bo, struct drm_file *file, u32 handle,
			    u32 domains, u32 flags, u32 *now)
{
	const struct pddgpu_bo_wanted wanted = {
		.domains = domains,
		.flags = flags,
		.client = &to_pddgpu_file(file)->unpageable,
		.account = to_pddgpu_file(file)->account,
		.file = file,
		.handle = handle,
	};

	return pddgpu_bo_set_domains(to_pddgpu(bo->tbo.base.dev), bo, &wanted, now);
}

/*
 * Look for a new unpageable buffer's place only where the limits allow it, so
 * that a hopeless wish evicts nobody.
 */
static int pddgpu_gem_allowed_domains(struct pddgpu_device *pdev, struct drm_file *file,
				      struct pddgpu_bo_param *param)
{
	u32 domains = pddgpu_unpageable_domains(pdev, &to_pddgpu_file(file)->unpageable,
						PAGE_ALIGN(param->size), param->domains,
						param->flags);
	int ret;

	if (!domains) {
		ret = pddgpu_bo_check(pdev, param);
		return ret ? ret : -EDQUOT;
	}
	param->domains = domains;
	return 0;
}

/**
 * pddgpu_gem_create_ioctl() - DRM_IOCTL_PDDGPU_GEM_CREATE
 * @drm: the DRM device
 * @data: struct drm_pddgpu_gem_create
 * @file: who asks
 *
 * Return: 0; -EINVAL, -E2BIG, -ENOMEM, -EDQUOT, -ERESTARTSYS, -ENODEV; -ENOENT
 * when another thread has closed the handle before it was known, -EBUSY when it has done
 * something to a buffer that is to be unpageable by which it must stay elsewhere.
 */
int pddgpu_gem_create_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_pddgpu_gem_create *args = data;
	struct pddgpu_bo_param param = {
		.size = args->size,
		.alignment = args->alignment,
		.domains = args->domains,
		.flags = args->flags,
		.client = &to_pddgpu_file(file)->client,
		.account = to_pddgpu_file(file)->account,
	};
	bool unpageable = args->flags & PDDGPU_GEM_CREATE_UNPAGEABLE;
	struct pddgpu_bo *bo;
	int ret;
	u32 now;

	CLASS(pddgpu_inside, inside)(drm);
	if (!inside.is)
		return -ENODEV;
	if (args->pad || !pddgpu_gem_domains_ok(args->domains) ||
	    !pddgpu_gem_flags_ok(args->flags))
		return -EINVAL;
	if (unpageable) {
		ret = pddgpu_gem_allowed_domains(to_pddgpu(drm), file, &param);
		if (ret)
			return ret;
	}

	bo = pddgpu_bo_create(to_pddgpu(drm), &param);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	/* From here on the handle keeps the buffer, or nobody does */
	ret = drm_gem_handle_create(file, &bo->tbo.base, &args->handle);
	if (!ret && unpageable) {
		ret = pddgpu_gem_place(bo, file, args->handle, args->domains,
				       PDDGPU_GEM_SET_UNPAGEABLE, &now);
		/* Closed already? Then it may be somebody else's by now */
		if (ret && ret != -ENOENT)
			drm_gem_handle_delete(file, args->handle);
	}
	drm_gem_object_put(&bo->tbo.base);
	return ret;
}

/**
 * pddgpu_gem_map_ioctl() - DRM_IOCTL_PDDGPU_GEM_MAP
 * @drm: the DRM device
 * @data: struct drm_pddgpu_gem_map
 * @file: who asks
 *
 * Return: 0; -EINVAL, -ENOENT; -EACCES for a buffer made without CPU access.
 */
int pddgpu_gem_map_ioctl(struct drm_device *drm, void *data,
			 struct drm_file *file)
{
	struct drm_pddgpu_gem_map *args = data;
	struct drm_gem_object *obj;
	int ret = 0;

	CLASS(pddgpu_inside, inside)(drm);
	if (!inside.is)
		return -ENODEV;
	if (args->pad || args->flags)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;

	if (gem_to_pddgpu_bo(obj)->flags & PDDGPU_GEM_CREATE_NO_CPU_ACCESS) {
		ret = -EACCES;
	} else {
		args->offset = drm_vma_node_offset_addr(&obj->vma_node);
		args->size = obj->size;
	}
	drm_gem_object_put(obj);
	return ret;
}

/**
 * pddgpu_gem_info_ioctl() - DRM_IOCTL_PDDGPU_GEM_INFO
 * @drm: the DRM device
 * @data: struct drm_pddgpu_gem_info
 * @file: who asks
 *
 * Takes the buffer's reservation, so that address and domain belong together. To
 * ask is not to use: the buffer keeps its place among those to be evicted.
 *
 * Return: 0; -EINVAL, -ENOENT, -ERESTARTSYS.
 */
int pddgpu_gem_info_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_pddgpu_gem_info *args = data;
	struct drm_gem_object *obj;
	struct pddgpu_bo *bo;
	int ret;

	CLASS(pddgpu_inside, inside)(drm);
	if (!inside.is)
		return -ENODEV;
	if (args->pad)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	bo = gem_to_pddgpu_bo(obj);

	ret = ttm_bo_reserve(&bo->tbo, true, false, NULL);
	if (ret)
		goto out_put;
	args->size = obj->size;
	args->offset = pddgpu_bo_gpu_address(to_pddgpu(drm), bo);
	args->domain = pddgpu_bo_domain(bo->tbo.resource);
	args->flags = bo->flags;
	if (bo->wish_count)
		args->flags |= PDDGPU_GEM_CREATE_UNPAGEABLE;
	if (pddgpu_loss_check(to_pddgpu(drm), bo))
		args->flags |= PDDGPU_GEM_INFO_VRAM_LOST;
	args->id = bo->leak.birth;
	dma_resv_unlock(bo->tbo.base.resv);
out_put:
	drm_gem_object_put(obj);
	return ret;
}

/**
 * pddgpu_gem_destroy_ioctl() - DRM_IOCTL_PDDGPU_GEM_DESTROY
 * @drm: the DRM device
 * @data: struct drm_pddgpu_gem_destroy
 * @file: who asks
 *
 * Return: 0; -EINVAL, -ENOENT.
 */
int pddgpu_gem_destroy_ioctl(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct drm_pddgpu_gem_destroy *args = data;

	CLASS(pddgpu_inside, inside)(drm);
	if (!inside.is)
		return -ENODEV;
	if (args->pad)
		return -EINVAL;
	/* All that it can say is that there is no such handle */
	return drm_gem_handle_delete(file, args->handle) ? -ENOENT : 0;
}

/**
 * pddgpu_gem_set_domain_ioctl() - DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN
 * @drm: the DRM device
 * @data: struct drm_pddgpu_gem_set_domain
 * @file: who asks
 *
 * Return: 0; -EINVAL, -ENOENT, -E2BIG, -EBUSY, -EDQUOT, -ENOMEM, -ERESTARTSYS,
 * -ENODEV.
 */
int pddgpu_gem_set_domain_ioctl(struct drm_device *drm, void *data,
				struct drm_file *file)
{
	const u32 stay = PDDGPU_GEM_SET_UNPAGEABLE | PDDGPU_GEM_SET_PAGEABLE;
	struct drm_pddgpu_gem_set_domain *args = data;
	struct drm_gem_object *obj;
	int ret;

	CLASS(pddgpu_inside, inside)(drm);
	if (!inside.is)
		return -ENODEV;
	if (args->flags & ~PDDGPU_GEM_SET_MASK || (args->flags & stay) == stay ||
	    !pddgpu_gem_domains_ok(args->domains))
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	ret = pddgpu_gem_place(gem_to_pddgpu_bo(obj), file, args->handle, args->domains,
			       args->flags, &args->domain);
	drm_gem_object_put(obj);
	return ret;
}

/* The last GEM reference; a CPU mapping may keep TTM's */
static void pddgpu_gem_free(struct drm_gem_object *obj)
{
	pddgpu_ttm_bo_fini(&gem_to_pddgpu_bo(obj)->tbo);
}

static int pddgpu_gem_open(struct drm_gem_object *obj, struct drm_file *file)
{
	struct pddgpu_device *pdev = to_pddgpu(obj->dev);
	struct pddgpu_bo *bo = gem_to_pddgpu_bo(obj);
	int ret;

	ret = pddgpu_account_open(pdev->account, &bo->account, to_pddgpu_file(file)->account);
	if (!ret)
		pddgpu_bo_trace_state(bo, pddgpu_leak_handle_open(pdev->leaks, &bo->leak));
	return ret;
}

/* A handle is closed since the file is; what others allocated is not this client's to free */
static void pddgpu_gem_unfreed(struct pddgpu_leak_tracker *leaks, struct pddgpu_bo *bo,
			       struct pddgpu_file *pfile)
{
	struct pddgpu_leak_record record;

	pddgpu_leak_read_named(leaks, &bo->named, &record);
	if (!record.id || (record.client_id != pfile->client.client_id && !bo->dma_buf))
		return;
	pddgpu_unfreed_add(&pfile->unfreed, &record);
	WRITE_ONCE(bo->unfreed, true);
}

static void pddgpu_gem_close(struct drm_gem_object *obj, struct drm_file *file)
{
	struct pddgpu_leak_tracker *leaks = to_pddgpu(obj->dev)->leaks;
	struct pddgpu_file *pfile = to_pddgpu_file(file);
	struct pddgpu_bo *bo = gem_to_pddgpu_bo(obj);
	bool last;

	last = pddgpu_account_close(to_pddgpu(obj->dev)->account, &bo->account, pfile->account);
	if (last && pfile->unfreed.closing)
		pddgpu_gem_unfreed(leaks, bo, pfile);
	pddgpu_unpageable_handle_close(bo, file, &pfile->unpageable);
	if (!pddgpu_leak_handle_close(leaks, &bo->leak))
		return;
	if (kref_read(&obj->refcount) == 1) {
		/* A new mapping takes TTM's reference before it drops GEM's */
		smp_rmb();
		/* With no reference but this handle's it goes at once, no ORPHAN */
		if (kref_read(&bo->tbo.kref) == 1)
			return;
	}
	pddgpu_bo_trace_state(bo, pddgpu_leak_settle(leaks, &bo->leak));
}

/* An imported buffer is mapped by who exported it. */
static int pddgpu_gem_mmap_imported(struct drm_gem_object *obj,
				    struct vm_area_struct *vma)
{
	int ret;

	vma->vm_private_data = NULL;
	vma->vm_ops = NULL;
	vm_flags_set(vma, VM_DONTEXPAND);
	ret = dma_buf_mmap(gem_to_pddgpu_bo(obj)->dma_buf, vma, 0);
	/* The mapping holds the dma-buf, so this reference is not needed */
	if (!ret)
		drm_gem_object_put(obj);
	return ret;
}

static int pddgpu_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	struct pddgpu_bo *bo = gem_to_pddgpu_bo(obj);
	int ret;

	pddgpu_bo_trace_state(bo, pddgpu_leak_mapped(to_pddgpu(obj->dev)->leaks, &bo->leak));
	if (bo->flags & PDDGPU_GEM_CREATE_NO_CPU_ACCESS)
		return -EACCES;
	pddgpu_bo_touched(bo);
	if (bo->dma_buf)
		return pddgpu_gem_mmap_imported(obj, vma);
	/* Before it can end again */
	atomic_inc(&bo->maps);
	ret = drm_gem_ttm_mmap(obj, vma);
	if (ret)
		atomic_dec(&bo->maps);
	return ret;
}

/* What GEM calls on a buffer */
const struct drm_gem_object_funcs pddgpu_gem_funcs = {
	.free = pddgpu_gem_free,
	.open = pddgpu_gem_open,
	.close = pddgpu_gem_close,
	.print_info = drm_gem_ttm_print_info,
	.export = pddgpu_prime_export,
	.pin = pddgpu_prime_pin,
	.unpin = pddgpu_prime_unpin,
	.get_sg_table = pddgpu_prime_get_sg_table,
	.vmap = pddgpu_prime_vmap,
	.vunmap = pddgpu_prime_vunmap,
	.mmap = pddgpu_gem_mmap,
	.vm_ops = &pddgpu_ttm_vm_ops,
};

/**
 * pddgpu_gem_wait_ioctl() - DRM_IOCTL_PDDGPU_GEM_WAIT
 * @drm: the DRM device
 * @data: struct drm_pddgpu_gem_wait
 * @file: who asks
 *
 * Return: 0; -EINVAL, -ENOENT, -ETIME, -ERESTARTSYS, -ENODEV; -EIO when it is wedged.
 */
int pddgpu_gem_wait_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	const struct drm_pddgpu_gem_wait *args = data;
	struct drm_gem_object *obj;
	enum dma_resv_usage usage;
	long ret, timeout;
	int error;

	CLASS(pddgpu_inside, inside)(drm);
	if (!inside.is)
		return -ENODEV;
	if (args->flags & ~PDDGPU_GEM_WAIT_MASK)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	usage = dma_resv_usage_rw(!(args->flags & PDDGPU_GEM_WAIT_WRITERS));
	timeout = drm_timeout_abs_to_jiffies(args->timeout_ns);
	if (timeout)
		pddgpu_wait_awake(to_pddgpu(drm), obj->resv, usage, true);
	ret = dma_resv_wait_timeout(obj->resv, usage, true, timeout);
	drm_gem_object_put(obj);
	/* What it waited for may have failed because the card is gone, or wedged */
	error = pddgpu_device_error(to_pddgpu(drm));
	if (error)
		return error;
	if (!ret)
		return -ETIME;
	return ret < 0 ? ret : 0;
}
