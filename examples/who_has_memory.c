// SPDX-License-Identifier: MIT
/* Who has the card's memory: for all together, and, where root asks, for each. */
#include <ctype.h>
#include <pddgpu.h>
#include <stdio.h>

static void print_owner(const struct pddgpu_owner *owner)
{
	const uint64_t *vram = owner->bytes[PDDGPU_REGION_VRAM];
	const char *c;

	printf("%d ", owner->pid);
	for (c = owner->comm; *c; c++)	/* it can hold anything */
		putchar(isgraph((unsigned char)*c) ? *c : '?');
	printf(": VRAM %llu live, %llu orphaned, %llu zombie\n", (unsigned long long)vram[0],
	       (unsigned long long)vram[1], (unsigned long long)vram[2]);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "VRAM", "GTT", "CPU" };
	struct drm_pddgpu_ownership all[3];
	struct pddgpu_owners *owners = NULL;
	struct pddgpu_device *dev = NULL;
	struct pddgpu_owner owner;
	int i, ret = pddgpu_open(argc > 1 ? argv[1] : NULL, &dev);

	ret = ret ? ret : pddgpu_query_ownership(dev, all);
	for (i = 0; !ret && i < PDDGPU_REGIONS; i++)
		printf("%s: %llu used = %llu live + %llu orphan + %llu zombie + %llu kernel\n",
		       names[i], (unsigned long long)all[i].used, (unsigned long long)all[i].live,
		       (unsigned long long)all[i].orphan, (unsigned long long)all[i].zombie,
		       (unsigned long long)all[i].kernel);
	ret = ret ? ret : pddgpu_owners_open(dev, &owners);
	while (!ret && (ret = pddgpu_owners_next(owners, &owner)) == 1) {
		print_owner(&owner);
		ret = 0;
	}
	if (ret)
		fprintf(stderr, "who_has_memory: %s\n", pddgpu_strerror(ret));
	pddgpu_owners_close(owners);
	pddgpu_close(dev);
	return ret ? 1 : 0;
}
