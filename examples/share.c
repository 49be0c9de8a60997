// SPDX-License-Identifier: MIT
/*
 * Hands a buffer to another process, as a dma-buf: here it is inherited, and else it
 * is sent over a socket (SCM_RIGHTS). Each process opens the card for itself.
 */
#include <pddgpu.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int child(const char *name, int fd)
{
	struct pddgpu_device *dev = NULL;
	struct pddgpu_bo *bo = NULL;
	void *map;
	int ret = pddgpu_open(name, &dev);

	ret = ret ? ret : pddgpu_bo_import(dev, fd, &bo);
	ret = ret ? ret : pddgpu_bo_map(bo, &map);
	if (!ret)
		printf("process %d reads: %s\n", getpid(), (char *)map);
	else
		fprintf(stderr, "share: the other process: %s\n", pddgpu_strerror(ret));
	fflush(stdout);
	pddgpu_bo_free(bo);
	pddgpu_close(dev);
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	struct pddgpu_device *dev = NULL;
	struct pddgpu_bo *bo = NULL;
	int fd, status = 1, ret = pddgpu_open(name, &dev);
	void *map;

	ret = ret ? ret : pddgpu_bo_create(dev, 4096, PDDGPU_GEM_DOMAIN_GTT, 0, &bo);
	ret = ret ? ret : pddgpu_bo_map(bo, &map);
	ret = ret ? ret : pddgpu_bo_export(bo, &fd);
	if (!ret) {
		sprintf(map, "written by process %d", getpid());
		if (!fork())
			_exit(child(name, fd));
		wait(&status);
		close(fd);
	} else {
		fprintf(stderr, "share: %s\n", pddgpu_strerror(ret));
	}
	pddgpu_bo_free(bo);
	pddgpu_close(dev);
	return status ? 1 : 0;
}
