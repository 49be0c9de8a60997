// SPDX-License-Identifier: MIT
/* Lets the card fill a buffer in video memory, and copy it to system memory. */
#include <pddgpu.h>
#include <stdio.h>

static int run(struct pddgpu_device *dev, struct pddgpu_job *job, struct pddgpu_bo *vram,
	       struct pddgpu_bo *gtt)
{
	uint64_t size = pddgpu_bo_size(vram);
	void *map;
	int ret = pddgpu_job_fill(job, vram, 0, size, 0xcafe);

	ret = ret ? ret : pddgpu_job_copy(job, gtt, 0, vram, 0, size);
	ret = ret ? ret : pddgpu_job_submit(job);
	ret = ret ? ret : pddgpu_job_wait(job, 5000000000, NULL);
	ret = ret ? ret : pddgpu_bo_map(gtt, &map);
	if (!ret)
		printf("%s: filled and copied %llu bytes: the last word is 0x%x\n",
		       pddgpu_id(dev)->pci, (unsigned long long)size,
		       ((uint32_t *)map)[size / 4 - 1]);
	return ret;
}

int main(int argc, char **argv)
{
	struct pddgpu_device *dev = NULL;
	struct pddgpu_job *job = NULL;
	struct pddgpu_bo *vram = NULL, *gtt = NULL;
	int ret = pddgpu_open(argc > 1 ? argv[1] : NULL, &dev);

	ret = ret ? ret : pddgpu_bo_create(dev, 1 << 20, PDDGPU_GEM_DOMAIN_VRAM, 0, &vram);
	ret = ret ? ret : pddgpu_bo_create(dev, 1 << 20, PDDGPU_GEM_DOMAIN_GTT, 0, &gtt);
	ret = ret ? ret : pddgpu_job_create(dev, &job);
	ret = ret ? ret : run(dev, job, vram, gtt);
	if (ret)
		fprintf(stderr, "copy: %s\n", pddgpu_strerror(ret));
	pddgpu_job_free(job);	/* NULL is allowed */
	pddgpu_bo_free(gtt);
	pddgpu_bo_free(vram);
	pddgpu_close(dev);
	return ret ? 1 : 0;
}
