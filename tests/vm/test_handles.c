// SPDX-License-Identifier: MIT
/* Handles: bad, closed and foreign ones; padding, flags and pointers. */
#include "pdt.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

/* Every call that takes a handle says that there is none. */
static void assert_no_handle(int fd, uint32_t handle)
{
	struct drm_gem_close gem_close = { .handle = handle };
	struct drm_pddgpu_gem_info info;
	uint64_t offset;
	uint32_t now;
	int dmabuf;

	assert_err(ENOENT, pdt_info(fd, handle, &info));
	assert_err(ENOENT, pdt_map_offset(fd, handle, &offset, NULL));
	assert_err(ENOENT, pdt_set_domain(fd, handle, PDT_GTT, &now));
	assert_err(ENOENT, pdt_export(fd, handle, &dmabuf));
	assert_err(ENOENT, pdt_destroy(fd, handle));
	assert_err(ENOENT, pdt_set_label(fd, handle, "nothing"));
	assert_err(ENOENT, pdt_set_label(fd, handle, NULL));
	/* DRM's own, which says it differently */
	assert_err(EINVAL, pdt_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &gem_close));
}

static void bad_handles(void **state)
{
	static const uint32_t bad[] = { 0, 2, 3, 100, 0x7fffffff, 0x80000000, 0xffffffff };
	struct pdt_state *s = *state;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_int_not_equal(handle, 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bad); i++)
		if (bad[i] != handle)
			assert_no_handle(s->fd, bad[i]);
	assert_int_equal(pdt_domain(s->fd, handle), PDT_VRAM);
}

static void closed_handles(void **state)
{
	struct pdt_state *s = *state;
	struct drm_gem_close gem_close = { 0 };
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_no_handle(s->fd, handle);

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	gem_close.handle = handle;
	assert_ok(pdt_ioctl(s->fd, DRM_IOCTL_GEM_CLOSE, &gem_close));
	assert_no_handle(s->fd, handle);
}

static void foreign_handles(void **state)
{
	struct pdt_state *s = *state;
	uint32_t mine[4], theirs;
	int other = pdt_open();

	assert_true(other >= 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(mine); i++)
		assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &mine[i]));
	assert_ok(pdt_create(other, 2 * PDT_PAGE, PDT_GTT, 0, &theirs));

	for (size_t i = 0; i < PDT_ARRAY_SIZE(mine); i++)
		if (mine[i] != theirs)
			assert_no_handle(other, mine[i]);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(mine); i++)
		assert_int_equal(pdt_domain(s->fd, mine[i]), PDT_VRAM);

	/* The same number names another buffer there. */
	assert_ok(pdt_destroy(other, theirs));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(mine); i++)
		assert_int_equal(pdt_domain(s->fd, mine[i]), PDT_VRAM);
	close(other);
}

static void padding_and_flags(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_map map = { 0 };
	struct drm_pddgpu_gem_info info = { 0 };
	struct drm_pddgpu_gem_destroy destroy = { 0 };
	struct drm_pddgpu_gem_set_domain set = { .domains = PDT_GTT };
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));

	map.handle = handle;
	map.pad = 1;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_MAP, &map));
	map.pad = 0;
	map.flags = 1;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_MAP, &map));
	map.flags = 1ULL << 63;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_MAP, &map));

	info.handle = handle;
	info.pad = 0x80000000;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_INFO, &info));

	destroy.handle = handle;
	destroy.pad = 1;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_DESTROY, &destroy));

	set.handle = handle;
	set.flags = PDDGPU_GEM_SET_UNPAGEABLE | PDDGPU_GEM_SET_PAGEABLE;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &set));
	set.flags = PDDGPU_GEM_SET_MASK + 1;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &set));
	set.flags = 0x80000001;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &set));
	set.flags = 0;
	set.domains = 0;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &set));
	set.domains = PDT_VRAM | 8;
	assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, &set));

	/* It is where it was, and alive. */
	assert_int_equal(pdt_domain(s->fd, handle), PDT_VRAM);
	assert_ok(pdt_destroy(s->fd, handle));
}

static void bad_pointers(void **state)
{
	static const unsigned long requests[] = {
		DRM_IOCTL_PDDGPU_GEM_CREATE, DRM_IOCTL_PDDGPU_GEM_MAP,
		DRM_IOCTL_PDDGPU_GEM_INFO, DRM_IOCTL_PDDGPU_GEM_DESTROY,
		DRM_IOCTL_PDDGPU_GEM_SET_DOMAIN, DRM_IOCTL_PDDGPU_QUERY,
		DRM_IOCTL_PDDGPU_GEM_SET_LABEL,
	};
	struct pdt_state *s = *state;
	struct drm_pddgpu_gem_create create = { .size = PDT_PAGE, .domains = PDT_VRAM };
	void *nothing = mmap(NULL, PDT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *read_only = mmap(NULL, PDT_PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(nothing, MAP_FAILED);
	assert_ptr_not_equal(read_only, MAP_FAILED);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(requests); i++) {
		assert_err(EFAULT, pdt_ioctl(s->fd, requests[i], NULL));
		assert_err(EFAULT, pdt_ioctl(s->fd, requests[i], nothing));
		assert_err(EFAULT, pdt_ioctl(s->fd, requests[i], (void *)-4096L));
	}

	/* The answer has nowhere to go: what was made goes with the file. */
	memcpy(read_only, &create, sizeof(create));
	mprotect(read_only, PDT_PAGE, PROT_READ);
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_GEM_CREATE, read_only));
	munmap(read_only, PDT_PAGE);
	munmap(nothing, PDT_PAGE);
}

static void unknown_calls(void **state)
{
	struct pdt_state *s = *state;
	char data[64] = "";

	for (unsigned int nr = DRM_PDDGPU_GEM_SET_LABEL + 1;
	     DRM_COMMAND_BASE + nr < DRM_COMMAND_END; nr++)
		assert_err(EINVAL, pdt_ioctl(s->fd, DRM_IOWR(DRM_COMMAND_BASE + nr, char[64]),
					     data));
}

struct longer_create {
	struct drm_pddgpu_gem_create create;
	uint64_t more[4];
};

/* An older program knows a shorter structure, a newer one a longer. */
static void other_structure_sizes(void **state)
{
	struct pdt_state *s = *state;
	size_t shorter = offsetof(struct drm_pddgpu_gem_create, pad);
	struct longer_create longer = { .create = { .size = PDT_PAGE, .domains = PDT_GTT } };
	struct drm_pddgpu_gem_create create = {
		.size = PDT_PAGE,
		.domains = PDT_VRAM,
		.pad = ~0ULL,
	};
	unsigned int nr = DRM_COMMAND_BASE + DRM_PDDGPU_GEM_CREATE;

	assert_ok(pdt_ioctl(s->fd, _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE, nr, shorter),
			    &create));
	assert_int_equal(pdt_domain(s->fd, create.handle), PDT_VRAM);
	assert_u64(create.pad, ~0ULL);

	assert_ok(pdt_ioctl(s->fd, DRM_IOWR(nr, struct longer_create), &longer));
	assert_int_equal(pdt_domain(s->fd, longer.create.handle), PDT_GTT);
}

struct race {
	int fd;
	uint32_t handle;
	pthread_barrier_t barrier;
	unsigned int rounds;
	unsigned int won;
	unsigned int odd;
};

static int destroyer(void *arg, unsigned int index)
{
	struct race *race = arg;

	for (unsigned int i = 0; i < race->rounds; i++) {
		int rc;

		if (!index)
			child_check(!pdt_create(race->fd, PDT_PAGE, PDT_BOTH, 0, &race->handle));
		pthread_barrier_wait(&race->barrier);
		rc = pdt_destroy(race->fd, race->handle);
		if (!rc)
			__atomic_add_fetch(&race->won, 1, __ATOMIC_RELAXED);
		else if (rc != -ENOENT)
			__atomic_add_fetch(&race->odd, 1, __ATOMIC_RELAXED);
		pthread_barrier_wait(&race->barrier);
	}
	return 0;
}

/* Of several threads that close a handle, one does. */
static void destroyed_once(void **state)
{
	struct pdt_state *s = *state;
	struct race race = { .fd = s->fd, .rounds = 200 };

	pthread_barrier_init(&race.barrier, NULL, 4);
	assert_int_equal(pdt_threads(4, destroyer, &race), 0);
	pthread_barrier_destroy(&race.barrier);
	assert_int_equal(race.won, race.rounds);
	assert_int_equal(race.odd, 0);
}

struct guess {
	int fd;
	bool stop;
	volatile unsigned int seen;
};

static int guesser(void *arg, unsigned int index)
{
	struct guess *guess = arg;
	uint64_t random = index + 1;
	struct drm_pddgpu_gem_info info;
	uint32_t handle, now;
	uint64_t offset;

	if (index) {
		while (!__atomic_load_n(&guess->stop, __ATOMIC_RELAXED)) {
			handle = 1 + (uint32_t)(pdt_random(&random) % 4);
			if (!pdt_info(guess->fd, handle, &info))
				__atomic_add_fetch(&guess->seen, 1, __ATOMIC_RELAXED);
			pdt_map_offset(guess->fd, handle, &offset, NULL);
			pdt_set_domain(guess->fd, handle, PDT_BOTH, &now);
			pdt_destroy(guess->fd, handle);
		}
		return 0;
	}
	/* What another thread closes meanwhile is gone: that is its own affair. */
	for (unsigned int i = 0; i < 500 || (i < 4000 && !guess->seen); i++)
		child_check(!pdt_create(guess->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	__atomic_store_n(&guess->stop, true, __ATOMIC_RELAXED);
	return 0;
}

/* Handles guessed and used while they are being made */
static void guessed_handles(void **state)
{
	struct pdt_state *s = *state;
	struct guess guess = { .fd = s->fd };

	assert_int_equal(pdt_threads(3, guesser, &guess), 0);
	assert_true(guess.seen > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(bad_handles),
		pdt_test(closed_handles),
		pdt_test(foreign_handles),
		pdt_test(padding_and_flags),
		pdt_test(bad_pointers),
		pdt_test(unknown_calls),
		pdt_test(other_structure_sizes),
		pdt_test(destroyed_once),
		pdt_test(guessed_handles),
	};

	return pdt_run_tests("handles", tests);
}
