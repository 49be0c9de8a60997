// SPDX-License-Identifier: MIT
/* What the driver knows of each buffer. */
#include "pdt.h"

#include <time.h>

#define ANSWER	65536

uint64_t pdt_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* One query; @room has @size bytes, the header at its beginning, which goes in and out. */
int pdt_objects_ask(int fd, struct drm_pddgpu_objects *header, void *room, uint32_t size)
{
	int rc;

	memcpy(room, header, sizeof(*header));
	rc = pdt_query(fd, PDDGPU_QUERY_OBJECTS, room, &size);
	if (!rc)
		memcpy(header, room, sizeof(*header));
	return rc;
}

/* All that there are, for free(); NULL when it fails */
struct drm_pddgpu_object *pdt_objects(int fd, size_t *count)
{
	struct drm_pddgpu_objects header = { .stride = sizeof(struct drm_pddgpu_object) };
	struct drm_pddgpu_object *all = calloc(1, sizeof(*all)), *more;
	char *room = malloc(ANSWER);

	*count = 0;
	while (all && room) {
		header.stride = sizeof(*all);
		if (pdt_objects_ask(fd, &header, room, ANSWER)) {
			free(all);
			all = NULL;
			break;
		}
		if (!header.count)
			break;
		more = realloc(all, (*count + header.count) * sizeof(*all));
		if (!more) {
			free(all);
			all = NULL;
			break;
		}
		all = more;
		memcpy(all + *count, room + sizeof(header), header.count * sizeof(*all));
		*count += header.count;
	}
	free(room);
	return all;
}

/* -ENOENT when there is none of that name that the caller may see */
int pdt_object_by_id(int fd, uint64_t id, struct drm_pddgpu_object *out)
{
	struct {
		struct drm_pddgpu_objects header;
		struct drm_pddgpu_object object;
	} one;
	struct drm_pddgpu_objects header = { .after = id - 1, .stride = sizeof(one.object) };
	int rc = pdt_objects_ask(fd, &header, &one, sizeof(one));

	if (rc)
		return rc;
	if (!header.count || one.object.id != id)
		return -ENOENT;
	*out = one.object;
	return 0;
}

int pdt_object(int fd, uint32_t handle, struct drm_pddgpu_object *out)
{
	struct drm_pddgpu_gem_info info;
	int rc = pdt_info(fd, handle, &info);

	return rc ? rc : pdt_object_by_id(fd, info.id, out);
}

/* Until what it is has @wanted of @mask; false when it is not so in time, or it is gone */
bool pdt_object_wait(int fd, uint64_t id, uint32_t mask, uint32_t wanted)
{
	uint64_t end = pdt_now_ms() + 10000 * pdt_slow();
	struct drm_pddgpu_object object;

	do {
		if (pdt_object_by_id(fd, id, &object))
			return false;
		if ((object.is & mask) == wanted)
			return true;
		pdt_sleep_ms(5);
	} while (pdt_now_ms() < end);
	return false;
}

int pdt_site(int fd, uint32_t site, struct drm_pddgpu_site *out)
{
	uint32_t size = sizeof(*out);

	memset(out, 0, sizeof(*out));
	out->site = site;
	return pdt_query(fd, PDDGPU_QUERY_SITE, out, &size);
}

/* At most @room of them; the header goes in and out */
int pdt_unfreed_ask(int fd, struct drm_pddgpu_unfreed_list *header,
		    struct drm_pddgpu_unfreed *out, uint32_t room)
{
	uint32_t size = (uint32_t)(sizeof(*header) + room * sizeof(*out));
	char *answer = malloc(size);
	int rc = -ENOMEM;

	if (answer) {
		header->stride = sizeof(*out);
		memcpy(answer, header, sizeof(*header));
		rc = pdt_query(fd, PDDGPU_QUERY_UNFREED, answer, &size);
	}
	if (!rc) {
		memcpy(header, answer, sizeof(*header));
		memcpy(out, answer + sizeof(*header), header->count * sizeof(*out));
	}
	free(answer);
	return rc;
}

/* The id after which new ones come; ~0 when that fails */
uint64_t pdt_unfreed_last(int fd)
{
	struct drm_pddgpu_unfreed_list header = { .after = UINT64_MAX };
	struct drm_pddgpu_unfreed none[1];

	return pdt_unfreed_ask(fd, &header, none, 0) ? UINT64_MAX : header.after;
}
