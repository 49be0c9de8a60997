// SPDX-License-Identifier: MIT
/* QUERY_OBJECTS: who is told of what, how much at a time, and that none is missed. */
#include "pdt.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define USER	1000

static uint64_t id_of(int fd, uint32_t handle)
{
	struct drm_pddgpu_gem_info info;

	assert_ok(pdt_info(fd, handle, &info));
	assert_true(info.id > 0);
	return info.id;
}

/* An id is a buffer's for good, and later ones are greater. */
static void ids_grow(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_object object;
	uint64_t last = 0, id;
	uint32_t handle;

	for (int i = 0; i < 100; i++) {
		assert_ok(pdt_create(s->fd, PDT_PAGE, i % 2 ? PDT_VRAM : PDT_GTT, 0, &handle));
		id = id_of(s->fd, handle);
		assert_true(id > last);
		assert_u64(id_of(s->fd, handle), id);
		assert_ok(pdt_object_by_id(s->fd, id, &object));
		assert_ok(pdt_destroy(s->fd, handle));
		last = id;
	}
}

/* Whoever was compiled before there was an id asks for fewer bytes, and gets no more. */
static void older_gem_info(void **state)
{
	struct pdt_state *s = *state;
	struct {
		__u32 handle;
		__u32 pad;
		__u64 size;
		__u64 offset;
		__u32 domain;
		__u32 flags;
		__u64 behind;
	} old = { .behind = 0x1122334455667788 };
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	old.handle = handle;
	assert_ok(pdt_ioctl(s->fd, _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE,
					DRM_COMMAND_BASE + DRM_PDDGPU_GEM_INFO, 32), &old));
	assert_u64(old.size, PDT_PAGE);
	assert_int_equal(old.domain, PDT_GTT);
	assert_u64(old.behind, 0x1122334455667788);
}

static int sees_only_his(void *arg)
{
	struct pdt_state *s = arg;
	struct drm_pddgpu_objects header = { .stride = 8 };
	struct drm_pddgpu_object *all, mine;
	uint64_t room[100];
	uint32_t handle;
	size_t count;
	int fd;

	child_check(!pdt_become_user(USER));
	fd = pdt_open();
	child_check(fd >= 0);
	all = pdt_objects(fd, &count);
	child_check(all && !count);
	free(all);
	/* Nor where others' end */
	child_check(!pdt_objects_ask(fd, &header, room, sizeof(room)));
	child_check(!header.after && !header.count);

	child_check(!pdt_create(fd, 3 * PDT_PAGE, PDT_VRAM, 0, &handle));
	all = pdt_objects(fd, &count);
	child_check(all && count == 1);
	child_check(!pdt_object(fd, handle, &mine) && all->id == mine.id);
	child_check(all->pid == (uint32_t)getpid());
	free(all);
	/* Through a file that root has opened too */
	all = pdt_objects(s->fd, &count);
	child_check(all && count == 1);
	free(all);
	return 0;
}

static void others_are_not_told(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_int_equal(pdt_run(sees_only_his, s), 0);
}

static int ask(int fd, uint64_t after, uint32_t stride, uint64_t flags, void *room,
	       uint32_t size)
{
	struct drm_pddgpu_objects header = { .after = after, .stride = stride, .flags = flags };

	return pdt_objects_ask(fd, &header, room, size);
}

static void hostile_arguments(void **state)
{
	struct pdt_state *s = *state;
	static const uint32_t strides[] = { 0, 1, 7, 12, 151, 153, 1025, 1032, 1 << 30, ~0U };
	struct drm_pddgpu_query args = { .type = PDDGPU_QUERY_OBJECTS, .size = 4096 };
	char *pages = mmap(NULL, 2 * PDT_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct drm_pddgpu_objects *header = (void *)pages;
	uint32_t handle, size = 0;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(strides); i++)
		assert_err(EINVAL, ask(s->fd, 0, strides[i], 0, pages, PDT_PAGE));
	for (uint32_t short_of = 1; short_of < sizeof(*header); short_of++)
		assert_err(EINVAL, ask(s->fd, 0, 152, 0, pages, short_of));
	for (int bit = 0; bit < 64; bit++)
		assert_err(EINVAL, ask(s->fd, 0, 152, 1ULL << bit, pages, PDT_PAGE));
	assert_err(EINVAL, ask(s->fd, 0, 152, 0, pages, 65537));

	/* The size that one answer has; the header alone; after all there is */
	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_OBJECTS, NULL, &size));
	assert_int_equal(size, sizeof(*header) + sizeof(struct drm_pddgpu_object));
	assert_ok(ask(s->fd, 7, 152, 0, pages, sizeof(*header)));
	assert_int_equal(header->count, 0);
	assert_u64(header->after, 7);
	assert_ok(ask(s->fd, UINT64_MAX, 152, 0, pages, PDT_PAGE));
	assert_int_equal(header->count, 0);
	assert_ok(ask(s->fd, UINT64_MAX - 1, 152, 0, pages, PDT_PAGE));
	assert_int_equal(header->count, 0);

	/* Bad pointers: none, the kernel's, one that ends in the middle, read-only */
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
	args.data = 0xffff888000000000;
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
	memset(pages, 0, 2 * PDT_PAGE);
	header = (void *)(pages + PDT_PAGE - sizeof(*header));
	header->stride = 152;
	munmap(pages + PDT_PAGE, PDT_PAGE);
	args.data = (uintptr_t)header;
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
	header = (void *)pages;
	header->stride = 152;
	mprotect(pages, PDT_PAGE, PROT_READ);
	args.data = (uintptr_t)pages;
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
	munmap(pages, PDT_PAGE);
}

/* Those who know less or more of a buffer than the driver does */
static void strides(void **state)
{
	struct pdt_state *s = *state;
	uint64_t room[512], id[3];
	struct drm_pddgpu_objects header;
	uint32_t handle;

	for (size_t i = 0; i < 3; i++) {
		assert_ok(pdt_create(s->fd, (i + 1) * PDT_PAGE, PDT_GTT, 0, &handle));
		id[i] = id_of(s->fd, handle);
	}
	for (uint32_t stride = 8; stride <= 1024; stride += 8) {
		memset(room, 0xa5, sizeof(room));
		header = (struct drm_pddgpu_objects) { .after = id[0] - 1, .stride = stride };
		assert_ok(pdt_objects_ask(s->fd, &header, room, sizeof(header) + 3 * stride));
		assert_int_equal(header.count, 3);
		assert_int_equal(header.stride, sizeof(struct drm_pddgpu_object));
		assert_u64(header.after, id[2]);
		for (size_t i = 0; i < 3; i++) {
			const uint64_t *one = room + (sizeof(header) + i * stride) / 8;

			assert_u64(one[0], id[i]);
			if (stride > 8)
				assert_u64(one[1], (i + 1) * PDT_PAGE);
			for (size_t w = sizeof(struct drm_pddgpu_object) / 8; w < stride / 8; w++)
				assert_u64(one[w], 0);
		}
		assert_u64(room[(sizeof(header) + 3 * stride) / 8], 0xa5a5a5a5a5a5a5a5);
	}
}

struct churn {
	int fd;
	volatile int stop;
	unsigned long made;
};

static void *churn(void *arg)
{
	struct churn *c = arg;
	uint32_t handles[64] = { 0 };

	for (unsigned int i = 0; !c->stop; i++) {
		uint32_t *handle = &handles[i * 7 % 64];

		if (*handle)
			pdt_destroy(c->fd, *handle);
		if (!pdt_create(c->fd, PDT_PAGE, PDT_GTT, 0, handle))
			c->made++;
		else
			*handle = 0;
	}
	for (size_t i = 0; i < 64; i++)
		if (handles[i])
			pdt_destroy(c->fd, handles[i]);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* As many as there is room for, up to 100,000: each once, in order, whatever goes on */
static void each_once(void **state)
{
	struct pdt_state *s = *state;
	struct churn c = { .fd = s->fd };
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_object *all;
	size_t most = pdt_many(pdt_count("PDT_OBJECTS", 100000)), n = 0, count, found;
	size_t vram, gtt;
	struct drm_pddgpu_gem_info info;
	uint64_t *ids, last, began;
	pthread_t thread;
	uint32_t handle;

	assert_ok(pdt_stats(s->fd, &stats));
	/* There is to be room for what comes and goes */
	vram = (size_t)(stats.vram_free / PDT_PAGE / 4 * 3);
	gtt = (size_t)(stats.gtt_free / PDT_PAGE / 2);
	if (most > vram + gtt)
		most = vram + gtt;
	ids = calloc(most, sizeof(*ids));
	assert_non_null(ids);
	for (; n < most; n++) {
		assert_ok(pdt_create(s->fd, PDT_PAGE, n < vram ? PDT_VRAM : PDT_GTT, 0, &handle));
		assert_ok(pdt_info(s->fd, handle, &info));
		ids[n] = info.id;
	}
	qsort(ids, n, sizeof(*ids), by_value);
	for (int alone = 1; alone >= 0; alone--) {
		if (!alone)
			assert_int_equal(pthread_create(&thread, NULL, churn, &c), 0);
		for (int round = 0; round < 3; round++) {
			began = pdt_now_ns();
			all = pdt_objects(s->fd, &count);
			began = pdt_now_ns() - began;
			assert_non_null(all);
			printf("# %zu objects in %llu ms%s\n", count,
			       (unsigned long long)began / 1000000, alone ? "" : " in a crowd");
			last = 0;
			found = 0;
			for (size_t i = 0; i < count; i++) {
				assert_true(all[i].id > last);
				last = all[i].id;
				found += !!bsearch(&last, ids, n, sizeof(*ids), by_value);
			}
			assert_int_equal(found, n);
			if (alone)
				assert_int_equal(count, n);
			free(all);
		}
	}
	c.stop = 1;
	pthread_join(thread, NULL);
	assert_true(c.made > 0);
	free(ids);
}

struct race {
	int fd;
	volatile int stop;
	int failed;
};

static void *reads(void *arg)
{
	struct race *race = arg;
	struct drm_pddgpu_object *all;
	size_t count;

	while (!race->stop) {
		all = pdt_objects(race->fd, &count);
		for (size_t i = 0; all && i < count; i++)
			if (!all[i].size || all[i].size % PDT_PAGE || all[i].state > 2 ||
			    all[i].pid != (uint32_t)getpid() || all[i].is & ~0x1ffU)
				race->failed = 1;
		if (!all)
			race->failed = 1;
		free(all);
	}
	return NULL;
}

/* Readers look at buffers that are used, mapped, shared and freed at that moment. */
static void read_while_all_changes(void **state)
{
	struct pdt_state *s = *state;
	struct race race = { .fd = s->fd };
	struct drm_pddgpu_submit_op op;
	pthread_t threads[2];
	uint32_t handle, to;
	int dmabuf;
	void *map;

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reads, &race), 0);
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &to));
	for (unsigned int i = 0; i < 300 / pdt_slow(); i++) {
		assert_ok(pdt_create(s->fd, 2 * PDT_PAGE, i % 2 ? PDT_BOTH : PDT_GTT, 0,
				     &handle));
		op = pdt_copy(to, 0, handle, 0, PDT_PAGE);
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_mmap(s->fd, handle, 2 * PDT_PAGE, &map));
		*(volatile uint32_t *)map = i;
		assert_ok(pdt_export(s->fd, handle, &dmabuf));
		if (i % 3)
			assert_ok(pdt_destroy(s->fd, handle));
		munmap(map, 2 * PDT_PAGE);
		if (!(i % 3))
			assert_ok(pdt_destroy(s->fd, handle));
		close(dmabuf);
	}
	race.stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race.failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(ids_grow),
		pdt_test(older_gem_info),
		pdt_test(others_are_not_told),
		pdt_test(hostile_arguments),
		pdt_test(strides),
		pdt_test(each_once),
		pdt_test(read_while_all_changes),
	};

	return pdt_run_tests("objects", tests);
}
