// SPDX-License-Identifier: MIT
/*
 * Threads that use a device and a buffer at the same time. Built with the thread
 * sanitizer, which says what is not locked; a program of its own, since that does
 * not go with the address sanitizer.
 */
#include "fake.h"

#include <unistd.h>

#define THREADS	4
#define ROUNDS	300

struct crowd {
	struct pddgpu_device *dev;
	struct pddgpu_bo *bo;
	int dmabuf;
	atomic_uint wrong;
};

/* Each thread's own: nobody waits for nobody. */
static bool own_things(struct crowd *crowd)
{
	struct drm_pddgpu_memory_stats stats;
	struct pddgpu_bo_info info;
	struct pddgpu_bo *bo, *same;
	int fd = -1;
	void *map;
	bool ok;

	if (pddgpu_bo_create(crowd->dev, 4096, PDDGPU_GEM_DOMAIN_VRAM, 0, &bo))
		return false;
	ok = !pddgpu_bo_map(bo, &map) && !pddgpu_query_stats(crowd->dev, &stats) &&
	     !pddgpu_bo_get_info(bo, &info) && !pddgpu_bo_export(bo, &fd) &&
	     !pddgpu_bo_import(crowd->dev, fd, &same) && same == bo;
	if (fd >= 0)
		close(fd);
	if (ok)
		pddgpu_bo_free(same);
	pddgpu_bo_free(bo);
	return ok;
}

/* One buffer for all: mapped, imported, freed; the same for everybody */
static bool same_thing(struct crowd *crowd)
{
	struct pddgpu_bo *bo;
	void *map;
	bool ok;

	if (pddgpu_bo_import(crowd->dev, crowd->dmabuf, &bo))
		return false;
	ok = bo == crowd->bo && !pddgpu_bo_map(bo, &map) && !pddgpu_bo_wait(bo, 0, 0);
	if (ok) {
		/* To see that it is there, not to write at the same time */
		ok = *(volatile char *)map == 0;
		pddgpu_bo_unmap(bo);
	}
	pddgpu_bo_free(bo);
	return ok;
}

static void *work(void *arg)
{
	struct crowd *crowd = arg;
	int i;

	for (i = 0; i < ROUNDS; i++)
		if (!own_things(crowd) || !same_thing(crowd))
			atomic_fetch_add(&crowd->wrong, 1);
	return NULL;
}

static void crowd(void **state)
{
	struct rig *rig = *state;
	struct crowd all = { .dev = rig->dev };
	pthread_t threads[THREADS];
	int i;

	assert_ok(pddgpu_bo_create(rig->dev, 4096, PDDGPU_GEM_DOMAIN_VRAM, 0, &all.bo));
	assert_ok(pddgpu_bo_export(all.bo, &all.dmabuf));
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &all), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&all.wrong), 0);
	assert_int_equal(fake_handles(), 1);
	pddgpu_bo_free(all.bo);
	close(all.dmabuf);
}

static void *share_many(void *arg)
{
	struct crowd *crowd = arg;
	struct pddgpu_bo *bos[20];
	int i, fd;

	for (i = 0; i < 20; i++) {
		if (pddgpu_bo_create(crowd->dev, 4096, PDDGPU_GEM_DOMAIN_VRAM, 0, &bos[i]))
			return NULL;
		if (pddgpu_bo_export(bos[i], &fd))
			atomic_fetch_add(&crowd->wrong, 1);
		else
			close(fd);
	}
	while (i--)
		pddgpu_bo_free(bos[i]);
	return NULL;
}

/* Handles that are far apart: what knows them grows while others look. */
static void far_apart(void **state)
{
	struct rig *rig = *state;
	struct crowd all = { .dev = NULL };
	pthread_t threads[THREADS];
	int i, round;

	fake.handle_step = 77;
	for (round = 0; round < 20; round++) {
		assert_ok(pddi_open(&rig->tree.paths, PCI0, &all.dev));
		for (i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, share_many, &all), 0);
		for (i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		pddgpu_close(all.dev);
	}
	assert_int_equal(atomic_load(&all.wrong), 0);
}

static void *go_last(void *arg)
{
	pddgpu_bo_free(arg);
	return NULL;
}

/* The device is closed by whoever is last, in any thread. */
static void closed_by_anybody(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_device *dev;
	struct pddgpu_bo *bo;
	pthread_t thread;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		assert_ok(pddi_open(&rig->tree.paths, PCI0, &dev));
		assert_ok(pddgpu_bo_create(dev, 4096, PDDGPU_GEM_DOMAIN_VRAM, 0, &bo));
		assert_int_equal(pthread_create(&thread, NULL, go_last, bo), 0);
		pddgpu_close(dev);
		pthread_join(thread, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		rig_test(crowd),
		rig_test(far_apart),
		rig_test(closed_by_anybody),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
