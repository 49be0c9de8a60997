// SPDX-License-Identifier: MIT
/* What is where, what stays there, and page-out. */
#include "pdt.h"

#include <unistd.h>

int pdt_set_domain_flags(int fd, uint32_t handle, uint32_t domains, uint32_t flags,
			 uint32_t *now)
{
	struct drm_pddgpu_gem_set_domain args = {
		.handle = handle,
		.domains = domains,
		.flags = flags,
	};
	int rc = pdt_ioctl(fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &args);

	if (now)
		*now = rc ? 0 : args.domain;
	return rc;
}

/* Is a buffer unpageable? Says no when there is none. */
bool pdt_unpageable(int fd, uint32_t handle)
{
	struct drm_pddgpu_gem_info info;

	return !pdt_info(fd, handle, &info) && info.flags & PDDGPU_GEM_CREATE_UNPAGEABLE;
}

/* A line of unpageable_limits */
int pdt_limits(const char *segment, struct pdt_limits *limits)
{
	char *text = pdt_debugfs_read("unpageable_limits"), name[32];
	int rc = -ENOENT;

	if (!text)
		return -errno;
	for (const char *line = text; line && rc; line = strchr(line, '\n')) {
		unsigned long long client, all, used, size;

		if (*line == '\n')
			line++;
		if (sscanf(line, "%31s %llu %llu %llu %llu", name, &client, &all, &used,
			   &size) != 5 || strcmp(name, segment))
			continue;
		*limits = (struct pdt_limits){ client, all, used, size };
		rc = 0;
	}
	free(text);
	return rc;
}

int pdt_limits_set(const char *segment, uint64_t client, uint64_t all)
{
	char text[96];

	snprintf(text, sizeof(text), "%s %llu %llu\n", segment, (unsigned long long)client,
		 (unsigned long long)all);
	return pdt_debugfs_write("unpageable_limits", text);
}

/* What they are after loading: an eighth, and half */
int pdt_limits_restore(void)
{
	static const char *const segments[] = { "vram", "vram_invisible", "system" };
	struct pdt_limits limits = { 0 };
	int rc = 0;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(segments) && !rc; i++) {
		rc = pdt_limits(segments[i], &limits);
		if (!rc)
			rc = pdt_limits_set(segments[i], limits.size / 8, limits.size / 2);
	}
	return rc;
}

/* Pages out, and says how much it was */
int pdt_page_out(const char *segment, uint64_t bytes, uint64_t *moved)
{
	char text[64], *result;
	int rc;

	snprintf(text, sizeof(text), "%s %llu", segment, (unsigned long long)bytes);
	rc = pdt_debugfs_write("page_out", text);
	if (moved) {
		result = pdt_debugfs_read("page_out");
		if (!result || pdt_number_of(result, "moved", moved))
			*moved = UINT64_MAX;
		free(result);
	}
	return rc;
}

/*
 * The sizes of this process's buffers in a list ("pageable", "user"...) of a
 * segment, in its order; how many, or a negative errno.
 */
int pdt_listed(const char *segment, const char *list, uint64_t *sizes, int max)
{
	char *text = pdt_debugfs_read("residency");
	int count = 0;

	if (!text)
		return -errno;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		char words[2][32];
		unsigned long long size;
		int pid;

		if (*line == '\n')
			line++;
		if (sscanf(line, "%31s %31s %llu %*s %d", words[0], words[1], &size, &pid) != 4 ||
		    strcmp(words[0], segment) || strcmp(words[1], list) || pid != getpid())
			continue;
		if (count < max)
			sizes[count] = size;
		count++;
	}
	free(text);
	return count;
}

/* One of the sums in residency */
uint64_t pdt_residency_sum(const char *name)
{
	char *text = pdt_debugfs_read("residency");
	uint64_t value;

	if (!text || pdt_number_of(text, name, &value))
		value = UINT64_MAX;
	free(text);
	return value;
}
