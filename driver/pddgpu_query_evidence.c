// SPDX-License-Identifier: GPL-2.0
/*
 * Queries that tell of single buffers, of where they were allocated, and of what was
 * left. Their answers are as long as the caller has room for, and begin where the
 * caller says.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>

#include "pddgpu_bo_evidence.h"
#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_query.h"
#include "pddgpu_site.h"
#include "pddgpu_unfreed.h"

#define PDDGPU_QUERY_STRIDE_MAX	1024

static_assert(sizeof(struct drm_pddgpu_object) == 152);
static_assert(sizeof(struct drm_pddgpu_objects) == 32);
static_assert(sizeof(struct drm_pddgpu_frame) == 128);
static_assert(sizeof(struct drm_pddgpu_site) == 8 + PDDGPU_SITE_FRAMES * 128);
static_assert(sizeof(struct drm_pddgpu_unfreed) == 144);
static_assert(sizeof(struct drm_pddgpu_unfreed_list) == 32);
static_assert(PDDGPU_GEM_CREATE_MASK <= U8_MAX, "as struct pddgpu_leak_node has it");

/**
 * struct pddgpu_query_list - a caller's array behind a header
 */
struct pddgpu_query_list {
	/** @to: where the array begins */
	void __user *to;
	/** @stride: bytes from one element to the next */
	u32 stride;
	/** @known: bytes that the driver knows of an element */
	u32 known;
	/** @room: elements that have room */
	u32 room;
	/** @elements: them, as the driver has them; zeroed */
	void *elements;
};

/* Ends with kvfree() of the elements. */
static int pddgpu_query_list_init(struct pddgpu_query_list *list,
				  const struct drm_pddgpu_query *args, u32 header, u32 stride,
				  u32 known)
{
	if (!stride || stride % sizeof(u64) || stride > PDDGPU_QUERY_STRIDE_MAX)
		return -EINVAL;
	list->to = u64_to_user_ptr(args->data) + header;
	list->stride = stride;
	list->known = known;
	list->room = (args->size - header) / stride;
	/* As the caller pays for it, and before it is known how many there are */
	list->elements = kvcalloc(max(list->room, 1U), known, GFP_KERNEL_ACCOUNT);
	return list->elements ? 0 : -ENOMEM;
}

static int pddgpu_query_list_copy(const struct pddgpu_query_list *list, u32 count)
{
	u32 copied = min(list->stride, list->known), i;

	if (list->stride == list->known)
		return copy_to_user(list->to, list->elements, (size_t)count * list->known) ?
		       -EFAULT : 0;
	for (i = 0; i < count; i++) {
		void __user *to = list->to + (size_t)i * list->stride;

		if (copy_to_user(to, list->elements + (size_t)i * list->known, copied) ||
		    clear_user(to + copied, list->stride - copied))
			return -EFAULT;
	}
	return 0;
}

/**
 * struct pddgpu_query_objects - buffers that are listed
 */
struct pddgpu_query_objects {
	/** @listing: the list */
	struct pddgpu_leak_listing listing;
	/** @bos: of the last of them, those to be asked whether they are busy */
	struct pddgpu_bo *bos[PDDGPU_LEAK_LIST_BATCH];
	/** @objects: what is told of each */
	struct drm_pddgpu_object *objects[PDDGPU_LEAK_LIST_BATCH];
	/** @held: how many */
	u32 held;
};

static void pddgpu_query_look(struct pddgpu_leak_listing *listing,
			      const struct pddgpu_leak_node *node,
			      struct drm_pddgpu_object *object)
{
	struct pddgpu_query_objects *query =
		container_of(listing, struct pddgpu_query_objects, listing);
	struct pddgpu_leak_evidence evidence;
	struct pddgpu_bo *bo;

	pddgpu_bo_look(node, object->state, &evidence);
	object->used_ns = evidence.used_ns;
	object->touched_ns = evidence.touched_ns;
	object->is |= evidence.is;
	bo = pddgpu_bo_look_hold(node, object->state == PDDGPU_OBJECT_ZOMBIE, &object->is);
	if (!bo)
		return;
	query->bos[query->held] = bo;
	query->objects[query->held++] = object;
}

static void pddgpu_query_looked(struct pddgpu_leak_listing *listing)
{
	struct pddgpu_query_objects *query =
		container_of(listing, struct pddgpu_query_objects, listing);

	while (query->held) {
		query->held--;
		if (pddgpu_bo_look_busy(query->bos[query->held]))
			query->objects[query->held]->is |= PDDGPU_OBJECT_BUSY;
	}
}

/**
 * pddgpu_query_objects() - PDDGPU_QUERY_OBJECTS
 * @pdev: the device
 * @args: the query
 *
 * Return: 0; -EINVAL, -EFAULT, -ENOMEM.
 */
int pddgpu_query_objects(struct pddgpu_device *pdev, struct drm_pddgpu_query *args)
{
	void __user *data = u64_to_user_ptr(args->data);
	struct pddgpu_query_objects query = {};
	struct pddgpu_leak_listing *listing = &query.listing;
	struct drm_pddgpu_objects header;
	struct pddgpu_query_list list;
	int ret;

	if (!args->size) {
		args->size = sizeof(header) + sizeof(struct drm_pddgpu_object);
		return 0;
	}
	if (args->size < sizeof(header))
		return -EINVAL;
	if (copy_from_user(&header, data, sizeof(header)))
		return -EFAULT;
	if (header.flags)
		return -EINVAL;
	ret = pddgpu_query_list_init(&list, args, sizeof(header), header.stride,
				     sizeof(struct drm_pddgpu_object));
	if (ret)
		return ret;

	listing->after = header.after;
	listing->all = perfmon_capable();
	listing->uid = current_euid();
	listing->objects = list.elements;
	listing->room = list.room;
	listing->look = pddgpu_query_look;
	listing->looked = pddgpu_query_looked;
	pddgpu_leak_list(pdev->leaks, listing);

	ret = pddgpu_query_list_copy(&list, listing->count);
	if (listing->count)
		header.after = listing->objects[listing->count - 1].id;
	kvfree(list.elements);
	if (ret)
		return ret;
	header.now_ns = listing->now_ns;
	header.count = listing->count;
	header.stride = sizeof(struct drm_pddgpu_object);
	args->size = sizeof(header) + header.count * list.stride;
	return copy_to_user(data, &header, sizeof(header)) ? -EFAULT : 0;
}

/**
 * pddgpu_query_site() - PDDGPU_QUERY_SITE
 * @pdev: the device
 * @args: the query
 *
 * Return: 0; -EINVAL, -EFAULT, -ENOMEM, -ENOENT.
 */
int pddgpu_query_site(struct pddgpu_device *pdev, struct drm_pddgpu_query *args)
{
	struct pddgpu_sites *sites = pddgpu_leak_sites(pdev->leaks);
	void __user *data = u64_to_user_ptr(args->data);
	struct drm_pddgpu_site *answer;
	u32 site, i;
	char *symbol;
	int ret;

	if (!args->size) {
		args->size = sizeof(*answer);
		return 0;
	}
	if (args->size < sizeof(site))
		return -EINVAL;
	if (copy_from_user(&site, data, sizeof(site)))
		return -EFAULT;
	if (!pddgpu_site_nr(sites, site) ||
	    (!pddgpu_site_may_see(sites, site, current_euid()) && !perfmon_capable()))
		return -ENOENT;

	answer = kzalloc(sizeof(*answer), GFP_KERNEL);
	symbol = kmalloc(KSYM_SYMBOL_LEN, GFP_KERNEL);
	ret = answer && symbol ? 0 : -ENOMEM;
	if (!ret) {
		answer->site = site;
		answer->count = pddgpu_site_nr(sites, site);
		for (i = 0; i < answer->count; i++)
			pddgpu_site_read(sites, site, i, &answer->frames[i], symbol);
		ret = pddgpu_query_copy(data, args->size, answer, sizeof(*answer));
		args->size = sizeof(*answer);
	}
	kfree(answer);
	kfree(symbol);
	return ret;
}

/**
 * pddgpu_query_unfreed() - PDDGPU_QUERY_UNFREED
 * @pdev: the device
 * @args: the query
 *
 * Return: 0; -EINVAL, -EFAULT, -ENOMEM.
 */
int pddgpu_query_unfreed(struct pddgpu_device *pdev, struct drm_pddgpu_query *args)
{
	void __user *data = u64_to_user_ptr(args->data);
	struct drm_pddgpu_unfreed_list header;
	struct pddgpu_unfreed_viewer viewer;
	struct drm_pddgpu_unfreed *unfreed;
	struct pddgpu_query_list list;
	int ret;

	if (!args->size) {
		args->size = sizeof(header) + sizeof(*unfreed);
		return 0;
	}
	if (args->size < sizeof(header))
		return -EINVAL;
	if (copy_from_user(&header, data, sizeof(header)))
		return -EFAULT;
	if (header.flags)
		return -EINVAL;
	ret = pddgpu_query_list_init(&list, args, sizeof(header), header.stride,
				     sizeof(*unfreed));
	if (ret)
		return ret;

	viewer.all = perfmon_capable();
	viewer.uid = current_euid();
	unfreed = list.elements;
	if (header.after == U64_MAX) {
		header.after = pddgpu_unfreed_last(pdev->unfreed);
		header.count = 0;
		header.lost = 0;
	} else {
		header.count = pddgpu_unfreed_read(pdev->unfreed, &viewer, header.after, unfreed,
						   list.room, &header.lost);
		if (header.count)
			header.after = unfreed[header.count - 1].id;
	}
	ret = pddgpu_query_list_copy(&list, header.count);
	kvfree(list.elements);
	if (ret)
		return ret;
	header.stride = sizeof(*unfreed);
	args->size = sizeof(header) + header.count * list.stride;
	return copy_to_user(data, &header, sizeof(header)) ? -EFAULT : 0;
}
