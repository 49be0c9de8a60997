// SPDX-License-Identifier: MIT
/* What the driver knows of each buffer, where they are allocated, and what was left. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define ANSWER_MAX	65536

/* An answer of many elements, asked for again and again; both kinds begin like this. */
struct pages {
	struct pddgpu_device *dev;
	uint64_t after;
	uint32_t count;
	uint32_t next;
	bool begun;
	/* The header, and behind it the elements; aligned as they need it */
	uint64_t answer[ANSWER_MAX / sizeof(uint64_t)];
};

struct pddgpu_objects {
	struct pages pages;
	uint64_t now;
	uint64_t until;
};

struct pddgpu_unfreed {
	struct pages pages;
	uint64_t lost;
};

static struct pages *pages_begin(struct pddgpu_device *dev, uint64_t after, size_t size)
{
	struct pages *pages = malloc(size);

	if (!pages)
		return NULL;
	pages->dev = pddi_ref(dev);
	pages->after = after;
	pages->count = pages->next = 0;
	pages->begun = false;
	return pages;
}

static void pages_end(struct pages *pages)
{
	if (!pages)
		return;
	pddgpu_close(pages->dev);
	free(pages);
}

static int objects_fetch(struct pddgpu_objects *objects)
{
	struct pages *pages = &objects->pages;
	struct drm_pddgpu_objects *header = (struct drm_pddgpu_objects *)pages->answer;
	int ret;

	memset(header, 0, sizeof(*header));
	header->after = pages->after;
	header->stride = sizeof(struct drm_pddgpu_object);
	ret = pddgpu_query(pages->dev, PDDGPU_QUERY_OBJECTS, pages->answer, ANSWER_MAX);
	if (ret < 0)
		return ret;
	if (header->count > (ANSWER_MAX - sizeof(*header)) / sizeof(struct drm_pddgpu_object))
		return -EPROTO;
	objects->now = header->now_ns;
	if (!pages->begun)
		objects->until = header->now_ns;
	pages->begun = true;
	pages->after = header->after;
	pages->count = header->count;
	pages->next = 0;
	return 0;
}

int pddgpu_objects_open(struct pddgpu_device *dev, struct pddgpu_objects **out)
{
	struct pddgpu_objects *objects;
	int ret;

	objects = (struct pddgpu_objects *)pages_begin(dev, 0, sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	ret = objects_fetch(objects);
	if (ret)
		pages_end(&objects->pages);
	else
		*out = objects;
	return ret;
}

int pddgpu_objects_next(struct pddgpu_objects *objects, const struct drm_pddgpu_object **out)
{
	struct pages *pages = &objects->pages;
	const struct drm_pddgpu_object *object;
	int ret;

	*out = NULL;
	if (pages->next == pages->count && pages->count) {
		ret = objects_fetch(objects);
		if (ret)
			return ret;
	}
	if (!pages->count)
		return 0;
	object = (const struct drm_pddgpu_object *)
		 ((const char *)pages->answer + sizeof(struct drm_pddgpu_objects)) + pages->next;
	if (object->birth_ns > objects->until) {
		/* Whoever makes buffers as fast as they are read would keep it going for ever */
		pages->count = pages->next = 0;
		return 0;
	}
	pages->next++;
	*out = object;
	return 1;
}

uint64_t pddgpu_objects_now(const struct pddgpu_objects *objects)
{
	return objects->now;
}

void pddgpu_objects_close(struct pddgpu_objects *objects)
{
	if (objects)
		pages_end(&objects->pages);
}

int pddgpu_query_site(struct pddgpu_device *dev, uint32_t site, struct drm_pddgpu_site *out)
{
	struct drm_pddgpu_site answer = { .site = site };
	int ret = pddgpu_query(dev, PDDGPU_QUERY_SITE, &answer, sizeof(answer));

	if (ret < 0)
		return ret;
	if (answer.count > PDDGPU_SITE_FRAMES)
		answer.count = PDDGPU_SITE_FRAMES;
	*out = answer;
	return 0;
}

static int unfreed_ask(struct pages *pages, struct drm_pddgpu_unfreed_list **out)
{
	struct drm_pddgpu_unfreed_list *header = (struct drm_pddgpu_unfreed_list *)pages->answer;
	int ret;

	memset(header, 0, sizeof(*header));
	header->after = pages->after;
	header->stride = sizeof(struct drm_pddgpu_unfreed);
	ret = pddgpu_query(pages->dev, PDDGPU_QUERY_UNFREED, pages->answer, ANSWER_MAX);
	if (ret < 0)
		return ret;
	if (header->count > (ANSWER_MAX - sizeof(*header)) / sizeof(struct drm_pddgpu_unfreed))
		return -EPROTO;
	pages->begun = true;
	pages->after = header->after;
	pages->count = header->count;
	pages->next = 0;
	*out = header;
	return 0;
}

/* What was lost while it was read is lost too. */
static int unfreed_fetch(struct pddgpu_unfreed *unfreed)
{
	struct drm_pddgpu_unfreed_list *header;
	int ret = unfreed_ask(&unfreed->pages, &header);

	if (!ret)
		unfreed->lost += header->lost;
	return ret;
}

int pddgpu_unfreed_open(struct pddgpu_device *dev, uint64_t after, struct pddgpu_unfreed **out)
{
	struct pddgpu_unfreed *unfreed;
	int ret;

	/* That asks for something else */
	if (after == UINT64_MAX)
		after--;
	unfreed = (struct pddgpu_unfreed *)pages_begin(dev, after, sizeof(*unfreed));
	if (!unfreed)
		return -ENOMEM;
	unfreed->lost = 0;
	ret = unfreed_fetch(unfreed);
	if (ret)
		pages_end(&unfreed->pages);
	else
		*out = unfreed;
	return ret;
}

int pddgpu_unfreed_next(struct pddgpu_unfreed *unfreed, const struct drm_pddgpu_unfreed **out)
{
	struct pages *pages = &unfreed->pages;
	int ret;

	*out = NULL;
	if (pages->next == pages->count && pages->count) {
		ret = unfreed_fetch(unfreed);
		if (ret)
			return ret;
	}
	if (!pages->count)
		return 0;
	*out = (const struct drm_pddgpu_unfreed *)
	       ((const char *)pages->answer + sizeof(struct drm_pddgpu_unfreed_list)) +
	       pages->next++;
	return 1;
}

uint64_t pddgpu_unfreed_lost(const struct pddgpu_unfreed *unfreed)
{
	return unfreed->lost;
}

int pddgpu_unfreed_last(struct pddgpu_device *dev, uint64_t *out)
{
	struct drm_pddgpu_unfreed_list *header;
	struct pages *pages = pages_begin(dev, UINT64_MAX, sizeof(*pages));
	int ret;

	if (!pages)
		return -ENOMEM;
	ret = unfreed_ask(pages, &header);
	if (!ret)
		*out = header->after;
	pages_end(pages);
	return ret;
}

void pddgpu_unfreed_close(struct pddgpu_unfreed *unfreed)
{
	if (unfreed)
		pages_end(&unfreed->pages);
}
