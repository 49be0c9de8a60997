// SPDX-License-Identifier: MIT
/*
 * Makes a buffer and keeps nothing of it but a dma-buf, for docs/guide.md: it has no
 * handle then, and is there all the same. lend [SECONDS]
 */
#include <pddgpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct pddgpu_device *dev = NULL;
	struct pddgpu_bo *bo = NULL;
	int fd, ret = pddgpu_open(NULL, &dev);

	ret = ret ? ret : pddgpu_bo_create(dev, 8 << 20, PDDGPU_GEM_DOMAIN_GTT, 0, &bo);
	ret = ret ? ret : pddgpu_bo_set_label(bo, "lent");
	ret = ret ? ret : pddgpu_bo_export(bo, &fd);
	if (ret)
		fprintf(stderr, "lend: %s\n", pddgpu_strerror(ret));
	pddgpu_bo_free(bo);
	pddgpu_close(dev);
	if (!ret)
		sleep(argc > 1 ? (unsigned int)atoi(argv[1]) : 60);	/* and ends with it */
	return ret ? 1 : 0;
}
