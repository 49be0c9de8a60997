// SPDX-License-Identifier: MIT
/* Buffers that are made at places which can be told from each other, and the places. */
#include "pdt.h"

#define STACKS	"/sys/module/pddgpu/parameters/leak_stacks"

#define framed	__attribute__((noipa, optimize("no-omit-frame-pointer", \
					       "no-optimize-sibling-calls")))

/* As GEM_CREATE, with the call into the kernel in the function itself */
static inline __attribute__((always_inline)) int create_here(int fd, uint32_t *handle)
{
	struct drm_pddgpu_gem_create args = {
		.size = PDT_PAGE,
		.domains = PDT_GTT,
	};
#ifdef __x86_64__
	long rc;

	__asm__ volatile("syscall" : "=a"(rc) : "a"(16L), "D"((long)fd),
			 "S"((long)DRM_IOCTL_PDDGPU_GEM_CREATE), "d"(&args)
			 : "rcx", "r11", "memory");
#else
	int rc = pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_CREATE, &args);
#endif
	*handle = args.handle;
	return (int)rc;
}

framed int pdt_create_deepest(int fd, uint32_t *handle)
{
	return create_here(fd, handle);
}

framed int pdt_create_one(int fd, uint32_t *handle)
{
	int rc = pdt_create_deepest(fd, handle);

	__asm__ volatile("");
	return rc;
}

framed int pdt_create_two(int fd, uint32_t *handle)
{
	int rc = pdt_create_deepest(fd, handle);

	__asm__ volatile("nop");
	return rc;
}

/* A level for each bit: as many stacks as there are numbers */
framed int pdt_create_by_number(int fd, unsigned int bits, unsigned int levels, uint32_t *handle)
{
	int rc;

	if (!levels)
		return pdt_create_deepest(fd, handle);
	if (bits & 1) {
		rc = pdt_create_by_number(fd, bits >> 1, levels - 1, handle);
		__asm__ volatile("nop");
	} else {
		rc = pdt_create_by_number(fd, bits >> 1, levels - 1, handle);
		__asm__ volatile("");
	}
	return rc;
}

/* Does a frame lie in a function of this program's? */
bool pdt_lies_in(const struct drm_pddgpu_frame *frame, const void *function)
{
	uintptr_t at = (uintptr_t)function, offset = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, from;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &from) == 3 && at >= start &&
		    at < end)
			offset = at - start + from;
	if (maps)
		fclose(maps);
	return offset && frame->kind == PDDGPU_FRAME_USER && frame->offset >= offset &&
	       frame->offset < offset + 160;
}

bool pdt_ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

/* The process's own frames: the number of the first one */
uint32_t pdt_first_user(const struct drm_pddgpu_site *site)
{
	uint32_t i;

	for (i = 0; i < site->count; i++)
		if (site->frames[i].kind == PDDGPU_FRAME_USER)
			break;
	return i;
}

uint32_t pdt_site_of(int fd, uint32_t handle)
{
	struct drm_pddgpu_object object;

	return pdt_object(fd, handle, &object) ? 0 : object.site;
}

int pdt_stacks(const char *value)
{
	return pdt_file_write(STACKS, value);
}
