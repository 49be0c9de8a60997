// SPDX-License-Identifier: MIT
/* What QUERY_OBJECTS tells of each buffer: that it is true, and changes when it should. */
#include "pdt.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define USER	1000

#define MAPPED		PDDGPU_OBJECT_MAPPED
#define EXPORTED	PDDGPU_OBJECT_EXPORTED
#define BUSY		PDDGPU_OBJECT_BUSY

static struct drm_pddgpu_object object_of(int fd, uint32_t handle)
{
	struct drm_pddgpu_object object;

	assert_ok(pdt_object(fd, handle, &object));
	return object;
}

static uint64_t id_of(int fd, uint32_t handle)
{
	struct drm_pddgpu_gem_info info;

	assert_ok(pdt_info(fd, handle, &info));
	assert_true(info.id > 0);
	return info.id;
}

static struct drm_pddgpu_object object_by(int fd, uint64_t id)
{
	struct drm_pddgpu_object object;

	assert_ok(pdt_object_by_id(fd, id, &object));
	return object;
}

static void assert_gone(int fd, uint64_t id)
{
	uint64_t end = pdt_now_ms() + 10000 * pdt_slow();
	struct drm_pddgpu_object object;
	int rc;

	do {
		rc = pdt_object_by_id(fd, id, &object);
		if (rc)
			break;
		pdt_sleep_ms(5);
	} while (pdt_now_ms() < end);
	assert_int_equal(rc, -ENOENT);
}

static void birth_and_owner(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_object object;
	struct pdt_fdinfo info;
	uint64_t before, after;
	uint32_t handle;

	before = pdt_now_ns();
	assert_ok(pdt_create(s->fd, 5 * PDT_PAGE - 1, PDT_VRAM,
			     PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS, &handle));
	after = pdt_now_ns();
	assert_ok(pdt_wait_idle(s->fd, handle, 5000));
	object = object_of(s->fd, handle);
	assert_u64(object.size, 5 * PDT_PAGE);
	assert_true(object.birth_ns >= before && object.birth_ns <= after);
	assert_u64(object.used_ns, 0);
	assert_u64(object.touched_ns, 0);
	assert_int_equal(object.pid, getpid());
	assert_int_equal(object.session, getsid(0));
	assert_true(object.site > 0);
	assert_int_equal(object.flags, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS);
	assert_int_equal(object.is, 0);
	assert_int_equal(object.domain, PDT_VRAM);
	assert_int_equal(object.state, PDDGPU_OBJECT_LIVE);
	assert_int_equal(object.age_class, PDDGPU_OBJECT_YOUNG);
	assert_int_equal(object.pad, 0);
	assert_string_equal(object.comm, "test_evidence");
	assert_string_equal(object.label, "");
	assert_ok(pdt_fdinfo(s->fd, &info));
	assert_u64(object.client_id, info.client_id);
}

static void used_by_jobs(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	uint32_t from, to, other;
	uint64_t before, after;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &from));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &to));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &other));
	for (int i = 0; i < 3; i++) {
		op = pdt_copy(to, 0, from, 0, PDT_PAGE);
		before = pdt_now_ns();
		assert_ok(pdt_submit(s->fd, &op, 1));
		after = pdt_now_ns();
		assert_true(object_of(s->fd, from).used_ns >= before);
		assert_true(object_of(s->fd, from).used_ns <= after);
		/* One moment for all of a job's */
		assert_u64(object_of(s->fd, to).used_ns, object_of(s->fd, from).used_ns);
		assert_u64(object_of(s->fd, other).used_ns, 0);
		assert_u64(object_of(s->fd, from).touched_ns, 0);
	}
	/* A job that is refused uses nothing. */
	before = object_of(s->fd, from).used_ns;
	op = pdt_copy(to, 0, from, 0, 2 * PDT_PAGE);
	assert_err(EINVAL, pdt_submit(s->fd, &op, 1));
	assert_u64(object_of(s->fd, from).used_ns, before);
	assert_u64(object_of(s->fd, to).used_ns, before);
}

static void touched_by_the_cpu(void **state)
{
	struct pdt_state *s = *state;
	static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_CPU };
	struct drm_pddgpu_object object;
	uint64_t before, mapped;
	uint32_t handle;
	void *map;

	for (size_t d = 0; d < PDT_ARRAY_SIZE(domains); d++) {
		assert_ok(pdt_create(s->fd, 4 * PDT_PAGE, domains[d], 0, &handle));
		before = pdt_now_ns();
		assert_ok(pdt_mmap(s->fd, handle, 4 * PDT_PAGE, &map));
		object = object_of(s->fd, handle);
		mapped = object.touched_ns;
		assert_true(mapped >= before && mapped <= pdt_now_ns());
		assert_true(object.is & MAPPED);
		before = pdt_now_ns();
		*(volatile uint32_t *)map = 1;
		object = object_of(s->fd, handle);
		assert_true(object.touched_ns >= before && object.touched_ns <= pdt_now_ns());
		assert_u64(object.used_ns, 0);
		before = object.touched_ns;
		munmap(map, 4 * PDT_PAGE);
		object = object_of(s->fd, handle);
		assert_false(object.is & MAPPED);
		assert_u64(object.touched_ns, before);
	}
}

/* Who asks for a mapping that is refused has none. */
static void mappings_refused(void **state)
{
	struct pdt_state *s = *state;
	uint64_t offset, size;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_map_offset(s->fd, handle, &offset, &size));
	assert_ptr_equal(mmap(NULL, 2 * PDT_PAGE, PROT_READ, MAP_SHARED, s->fd, (off_t)offset),
			 MAP_FAILED);
	assert_ptr_equal(mmap(NULL, PDT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, s->fd,
			      (off_t)offset), MAP_FAILED);
	assert_false(object_of(s->fd, handle).is & MAPPED);
}

static int hold_a_mapping(void *arg)
{
	int *pipes = arg;
	char c;

	/* The other end is the parent's alone, then */
	close(pipes[1]);
	return read(pipes[0], &c, 1) == 1 ? 0 : 1;
}

/* A mapping counts in every process that has some of it. */
static void mapped_in_parts_and_by_children(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	int pipes[2];
	char *map;
	pid_t pid;

	assert_ok(pdt_create(s->fd, 3 * PDT_PAGE, PDT_GTT, 0, &handle));
	assert_ok(pdt_mmap(s->fd, handle, 3 * PDT_PAGE, (void **)&map));
	munmap(map + PDT_PAGE, PDT_PAGE);
	assert_true(object_of(s->fd, handle).is & MAPPED);
	munmap(map, PDT_PAGE);
	assert_true(object_of(s->fd, handle).is & MAPPED);
	assert_int_equal(pipe(pipes), 0);
	pid = pdt_fork(hold_a_mapping, pipes);
	munmap(map + 2 * PDT_PAGE, PDT_PAGE);
	assert_true(object_of(s->fd, handle).is & MAPPED);
	assert_int_equal(write(pipes[1], "x", 1), 1);
	assert_int_equal(pdt_wait(pid), 0);
	assert_false(object_of(s->fd, handle).is & MAPPED);
	close(pipes[0]);
	close(pipes[1]);
}

static void mapping_moves_and_stays(void **state)
{
	struct pdt_state *s = *state;
	void *map, *moved;
	uint32_t handle;
	uint64_t id;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	id = id_of(s->fd, handle);
	assert_ok(pdt_mmap(s->fd, handle, PDT_PAGE, &map));
	moved = mmap(NULL, PDT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(moved, MAP_FAILED);
	map = mremap(map, PDT_PAGE, PDT_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, moved);
	assert_ptr_equal(map, moved);
	assert_true(object_by(s->fd, id).is & MAPPED);
	/* A mapping alone keeps it. */
	assert_ok(pdt_destroy(s->fd, handle));
	assert_int_equal(object_by(s->fd, id).state, PDDGPU_OBJECT_ORPHAN);
	assert_true(object_by(s->fd, id).is & MAPPED);
	assert_false(object_by(s->fd, id).is & EXPORTED);
	munmap(map, PDT_PAGE);
	assert_gone(s->fd, id);
}

static void exported_and_orphaned(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_object object;
	int other = pdt_open(), dmabuf;
	uint32_t handle, again;
	uint64_t id;
	void *map;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	id = id_of(s->fd, handle);
	assert_false(object_by(s->fd, id).is & EXPORTED);
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	object = object_by(s->fd, id);
	assert_int_equal(object.is & (EXPORTED | PDDGPU_OBJECT_IMPORTED), EXPORTED);
	assert_int_equal(object.state, PDDGPU_OBJECT_LIVE);
	assert_ok(pdt_destroy(s->fd, handle));
	object = object_by(s->fd, id);
	assert_int_equal(object.state, PDDGPU_OBJECT_ORPHAN);
	assert_true(object.is & EXPORTED);
	assert_int_equal(object.pid, getpid());

	/* It is the same buffer in another file, and whose it was. */
	assert_ok(pdt_import(other, dmabuf, &again));
	assert_u64(id_of(other, again), id);
	object = object_by(s->fd, id);
	assert_int_equal(object.state, PDDGPU_OBJECT_LIVE);
	assert_int_equal(object.is & (EXPORTED | PDDGPU_OBJECT_IMPORTED), EXPORTED);
	assert_ok(pdt_destroy(other, again));

	/* By a mapping of the dma-buf it is mapped; what it keeps is the dma-buf. */
	map = mmap(NULL, PDT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_true(object_by(s->fd, id).is & MAPPED);
	assert_true(object_by(s->fd, id).touched_ns > 0);
	close(dmabuf);
	assert_true(object_by(s->fd, id).is & MAPPED);
	munmap(map, PDT_PAGE);
	assert_gone(s->fd, id);
	close(other);
}

/* A dma-buf is gone, what it was of is mapped still. */
static void no_more_exported(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	uint64_t id;
	int dmabuf;
	void *map;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	id = id_of(s->fd, handle);
	assert_ok(pdt_mmap(s->fd, handle, PDT_PAGE, &map));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_ok(pdt_destroy(s->fd, handle));
	assert_int_equal(object_by(s->fd, id).is & (MAPPED | EXPORTED), MAPPED | EXPORTED);
	close(dmabuf);
	assert_true(pdt_object_wait(s->fd, id, MAPPED | EXPORTED, MAPPED));
	assert_int_equal(object_by(s->fd, id).state, PDDGPU_OBJECT_ORPHAN);
	munmap(map, PDT_PAGE);
	assert_gone(s->fd, id);
}

/* Of another device: who imported it, and that its maker still writes to it */
static void imported_and_busy(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), dmabuf = -1;
	struct drm_pddgpu_object object;
	uint32_t theirs, ours, fence;
	uint64_t id;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	id = id_of(s->fd, ours);
	object = object_by(s->fd, id);
	assert_int_equal(object.is, PDDGPU_OBJECT_IMPORTED);
	assert_int_equal(object.pid, getpid());
	assert_int_equal(object.domain, PDT_GTT);
	assert_int_equal(object.state, PDDGPU_OBJECT_LIVE);
	assert_ok(pdt_vgem_busy(vgem, theirs, &fence));
	assert_int_equal(object_by(s->fd, id).is, PDDGPU_OBJECT_IMPORTED | BUSY);
	assert_ok(pdt_destroy(s->fd, ours));
	object = object_by(s->fd, id);
	assert_int_equal(object.state, PDDGPU_OBJECT_ZOMBIE);
	assert_true(object.is & BUSY);
	assert_int_equal(object.pid, getpid());
	assert_ok(pdt_vgem_signal(vgem, fence));
	assert_gone(s->fd, id);
	close(dmabuf);
	close(vgem);
}

/* A job that waits makes what it uses busy, also when nobody has it any more. */
static void busy_until_the_job_is_done(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), dmabuf = -1;
	struct drm_pddgpu_submit_op op;
	uint32_t theirs, ours, mine, fence;
	struct drm_pddgpu_object object;
	uint64_t id;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &mine));
	assert_ok(pdt_wait_idle(s->fd, mine, 5000));
	id = id_of(s->fd, mine);
	for (int i = 0; i < 2; i++) {
		/* Whether anything is kept of its use or not */
		assert_ok(pdt_parameter("evidence", i ? "0" : "1"));
		/* Asked while it is idle, it is asked again when it no longer is. */
		assert_true(pdt_object_wait(s->fd, id, BUSY, 0));
		assert_ok(pdt_vgem_busy(vgem, theirs, &fence));
		op = pdt_copy(mine, 0, ours, 0, PDT_PAGE);
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_true(object_by(s->fd, id).is & BUSY);
		assert_true(object_by(s->fd, id).is & BUSY);
		if (i)
			break;
		assert_ok(pdt_vgem_signal(vgem, fence));
		assert_true(pdt_object_wait(s->fd, id, BUSY, 0));
	}
	assert_ok(pdt_parameter("evidence", "1"));
	assert_ok(pdt_destroy(s->fd, mine));
	object = object_by(s->fd, id);
	assert_int_equal(object.state, PDDGPU_OBJECT_ZOMBIE);
	assert_true(object.is & BUSY);
	assert_ok(pdt_vgem_signal(vgem, fence));
	assert_gone(s->fd, id);
	assert_ok(pdt_destroy(s->fd, ours));
	close(dmabuf);
	close(vgem);
}

static void unpageable(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, PDDGPU_GEM_CREATE_UNPAGEABLE, &handle));
	assert_true(object_of(s->fd, handle).is & PDDGPU_OBJECT_UNPAGEABLE);
	assert_ok(pdt_set_domain_flags(s->fd, handle, PDT_GTT, PDDGPU_GEM_SET_PAGEABLE, NULL));
	assert_false(object_of(s->fd, handle).is & PDDGPU_OBJECT_UNPAGEABLE);
	assert_ok(pdt_set_domain_flags(s->fd, handle, PDT_GTT, PDDGPU_GEM_SET_UNPAGEABLE, NULL));
	assert_true(object_of(s->fd, handle).is & PDDGPU_OBJECT_UNPAGEABLE);
}

/* What the figures say is in swap are the buffers that say so. */
static void swapped(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_object *all;
	struct pdt_buffer bufs[256];
	size_t count, n = 0, in_swap = 0;
	uint64_t free_swap = 0, bytes = 0;

	assert_ok(pdt_meminfo("SwapFree", &free_swap));
	if (free_swap < 256 * PDT_MIB)
		pdt_skip("there is no swap to speak of");
	memset(bufs, 0, sizeof(bufs));
	do {
		assert_ok(pdt_buffer_create(s->fd, &bufs[n], 4 * PDT_MIB, PDT_CPU, 0));
		n++;
		assert_ok(pdt_stats(s->fd, &stats));
	} while (stats.swapped_bytes < 16 * PDT_MIB && n < PDT_ARRAY_SIZE(bufs));
	assert_true(stats.swapped_bytes >= 16 * PDT_MIB);

	/* Until the kernel has let them be for as long as it takes to look */
	for (int i = 0; i < 50; i++) {
		assert_ok(pdt_stats(s->fd, &stats));
		all = pdt_objects(s->fd, &count);
		assert_non_null(all);
		bytes = in_swap = 0;
		for (size_t o = 0; o < count; o++) {
			if (all[o].is & PDDGPU_OBJECT_SWAPPED) {
				bytes += all[o].size;
				in_swap++;
			}
		}
		free(all);
		if (bytes == stats.swapped_bytes)
			break;
		pdt_sleep_ms(100);
	}
	assert_true(in_swap >= 4);
	assert_u64(bytes, stats.swapped_bytes);
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(s->fd, &bufs[i]);
}

static void follows_its_domain(void **state)
{
	struct pdt_state *s = *state;
	static const uint32_t domains[] = { PDT_GTT, PDT_CPU, PDT_VRAM };
	uint32_t handle;
	uint64_t id;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	id = id_of(s->fd, handle);
	for (size_t d = 0; d < PDT_ARRAY_SIZE(domains); d++) {
		assert_ok(pdt_set_domain(s->fd, handle, domains[d], NULL));
		assert_int_equal(object_of(s->fd, handle).domain, domains[d]);
		assert_u64(id_of(s->fd, handle), id);
		/* To be moved is not to be used. */
		assert_u64(object_of(s->fd, handle).used_ns, 0);
		assert_u64(object_of(s->fd, handle).touched_ns, 0);
	}
}

static void names_may_hold_anything(void **state)
{
	struct pdt_state *s = *state;
	static const char label[] = "\x1b[31m<script>\xff\xfe\n \\ \"'|";
	static const char comm[] = "\x1b]0;\xc3(\n";
	char longest[PDDGPU_LABEL_MAX];
	struct drm_pddgpu_object object;
	uint32_t handle;

	assert_int_equal(prctl(PR_SET_NAME, comm), 0);
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	assert_int_equal(prctl(PR_SET_NAME, "test_evidence"), 0);
	assert_ok(pdt_set_label(s->fd, handle, label));
	object = object_of(s->fd, handle);
	assert_string_equal(object.comm, comm);
	assert_string_equal(object.label, label);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_ok(pdt_set_label(s->fd, handle, longest));
	assert_string_equal(object_of(s->fd, handle).label, longest);
	assert_ok(pdt_set_label(s->fd, handle, NULL));
	object = object_of(s->fd, handle);
	for (size_t i = 0; i < sizeof(object.label); i++)
		assert_int_equal(object.label[i], 0);
}

static void class_and_baseline(void **state)
{
	struct pdt_state *s = *state;
	uint32_t old, young;

	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &old));
	assert_int_equal(object_of(s->fd, old).age_class, PDDGPU_OBJECT_YOUNG);
	pdt_sleep_ms(20);
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "10"));
	assert_int_equal(object_of(s->fd, old).age_class, PDDGPU_OBJECT_SUSPICIOUS);
	assert_ok(pdt_debugfs_write("leak_confirmed_age", "15"));
	assert_int_equal(object_of(s->fd, old).age_class, PDDGPU_OBJECT_CONFIRMED);
	assert_ok(pdt_debugfs_write("leak_suspicious_age", "3600000"));
	assert_int_equal(object_of(s->fd, old).age_class, PDDGPU_OBJECT_YOUNG);
	assert_ok(pdt_debugfs_write("leak_objects", "clear"));
	assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &young));
	assert_true(object_of(s->fd, old).is & PDDGPU_OBJECT_BASELINE);
	assert_false(object_of(s->fd, young).is & PDDGPU_OBJECT_BASELINE);
	assert_ok(pdt_settings_restore());
}

/* The same in the text, behind what was there before */
static void in_leak_objects(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_object object;
	char *text, wanted[128], *at;
	uint32_t handle;
	void *map;

	assert_ok(pdt_debugfs_write("leak_suspicious_age", "1"));
	assert_ok(pdt_create(s->fd, 33 * PDT_PAGE, PDT_GTT, 0, &handle));
	assert_ok(pdt_mmap(s->fd, handle, 33 * PDT_PAGE, &map));
	pdt_sleep_ms(5);
	object = object_of(s->fd, handle);
	text = pdt_debugfs_read("leak_objects");
	assert_non_null(text);
	snprintf(wanted, sizeof(wanted), " | id=%llu used_ms=- touched_ms=",
		 (unsigned long long)object.id);
	at = strstr(text, wanted);
	assert_non_null(at);
	*strchrnul(at, '\n') = '\0';
	snprintf(wanted, sizeof(wanted), " session=%u client=%llu site=%u is=mapped",
		 object.session, (unsigned long long)object.client_id, object.site);
	assert_string_equal(at + strlen(at) - strlen(wanted), wanted);
	free(text);
	munmap(map, 33 * PDT_PAGE);
	assert_ok(pdt_settings_restore());
}

/* A process that changes its session or its user is another owner from then on. */
static int changes_itself(void *arg)
{
	struct pdt_state *s = arg;
	struct drm_pddgpu_object object;
	uint32_t handle;
	int fd;

	child_check(!pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	child_check(!pdt_object(s->fd, handle, &object));
	child_check(object.session == (uint32_t)getsid(0) && object.pid == (uint32_t)getpid());
	child_check(setsid() == getpid());
	child_check(!pdt_create(s->fd, PDT_PAGE, PDT_GTT, 0, &handle));
	child_check(!pdt_object(s->fd, handle, &object));
	child_check(object.session == (uint32_t)getpid());

	/* What root has allocated is not the user's to see, what he does is. */
	fd = pdt_open();
	child_check(fd >= 0);
	child_check(!pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
	child_check(!pdt_become_user(USER));
	child_check(pdt_object(fd, handle, &object) == -ENOENT);
	child_check(!pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
	child_check(!pdt_object(fd, handle, &object));
	return 0;
}

static void sessions_and_users(void **state)
{
	assert_int_equal(pdt_run(changes_itself, *state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(birth_and_owner),
		pdt_test(used_by_jobs),
		pdt_test(touched_by_the_cpu),
		pdt_test(mappings_refused),
		pdt_test(mapped_in_parts_and_by_children),
		pdt_test(mapping_moves_and_stays),
		pdt_test(exported_and_orphaned),
		pdt_test(no_more_exported),
		pdt_test(imported_and_busy),
		pdt_test(busy_until_the_job_is_done),
		pdt_test(unpageable),
		pdt_test(swapped),
		pdt_test(follows_its_domain),
		pdt_test(names_may_hold_anything),
		pdt_test(class_and_baseline),
		pdt_test(in_leak_objects),
		pdt_test(sessions_and_users),
	};

	return pdt_run_tests("evidence", tests);
}
