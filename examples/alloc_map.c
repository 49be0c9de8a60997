// SPDX-License-Identifier: MIT
/* Makes a buffer in video memory, says what it is for, writes it and reads it. */
#include <pddgpu.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct pddgpu_device *dev;
	struct pddgpu_bo_info info;
	struct pddgpu_bo *bo;
	void *map;
	int ret = pddgpu_open(argc > 1 ? argv[1] : NULL, &dev);

	if (ret) {
		fprintf(stderr, "alloc_map: cannot open the card: %s\n", pddgpu_strerror(ret));
		return 1;
	}
	ret = pddgpu_bo_create(dev, 1 << 20, PDDGPU_GEM_DOMAIN_VRAM, 0, &bo);
	if (!ret) {
		pddgpu_bo_set_label(bo, "example");	/* older drivers cannot: no matter */
		ret = pddgpu_bo_map(bo, &map);
		if (!ret) {
			strcpy(map, "Hello from video memory");
			ret = pddgpu_bo_get_info(bo, &info);
		}
		if (!ret)
			printf("%s: %s, %llu bytes at 0x%llx\n", pddgpu_id(dev)->pci, (char *)map,
			       (unsigned long long)info.size,
			       (unsigned long long)info.gpu_address);
		pddgpu_bo_free(bo);
	}
	if (ret)
		fprintf(stderr, "alloc_map: %s\n", pddgpu_strerror(ret));
	pddgpu_close(dev);
	return ret ? 1 : 0;
}
