// SPDX-License-Identifier: MIT
/*
 * A slide show with a leak, for docs/guide.md: slideshow [SECONDS [fixed]].
 *
 * Four slides a second, each a picture with its thumbnail; the last four thumbnails
 * are kept for a strip below. The one that drops out of the strip is forgotten, but
 * with "fixed" it is freed.
 */
#include <pddgpu.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRIP 4

/* A buffer in video memory with that label, painted by the card */
static int paint(struct pddgpu_device *dev, struct pddgpu_job *job, const char *label,
		 uint64_t size, struct pddgpu_bo **bo)
{
	int ret = pddgpu_bo_create(dev, size, PDDGPU_GEM_DOMAIN_VRAM | PDDGPU_GEM_DOMAIN_GTT,
				   0, bo);

	if (ret)
		return ret;
	pddgpu_bo_set_label(*bo, label);
	pddgpu_job_reset(job);
	ret = pddgpu_job_fill(job, *bo, 0, size, 0xff8000);
	return ret ? ret : pddgpu_job_submit(job);
}

static int show(struct pddgpu_device *dev, struct pddgpu_job *job, int slides, bool fixed)
{
	struct pddgpu_bo *strip[STRIP] = { NULL }, *picture;
	int i, ret = 0;

	for (i = 0; i < slides && !ret; i++) {
		if (fixed)
			pddgpu_bo_free(strip[i % STRIP]);	/* NULL is allowed */
		strip[i % STRIP] = NULL;
		picture = NULL;
		ret = paint(dev, job, "thumbnail", 256 << 10, &strip[i % STRIP]);
		ret = ret ? ret : paint(dev, job, "picture", 16 << 20, &picture);
		usleep(250000);
		pddgpu_bo_free(picture);
	}
	for (i = 0; i < STRIP; i++)
		pddgpu_bo_free(strip[i]);
	return ret;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 60;
	struct pddgpu_device *dev = NULL;
	struct pddgpu_job *job = NULL;
	int ret = pddgpu_open(NULL, &dev);

	ret = ret ? ret : pddgpu_job_create(dev, &job);
	ret = ret ? ret : show(dev, job, 4 * seconds, argc > 2 && !strcmp(argv[2], "fixed"));
	if (ret)
		fprintf(stderr, "slideshow: %s\n", pddgpu_strerror(ret));
	pddgpu_job_free(job);
	pddgpu_close(dev);
	return ret ? 1 : 0;
}
