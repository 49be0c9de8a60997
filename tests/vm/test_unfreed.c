// SPDX-License-Identifier: MIT
/* What QUERY_UNFREED tells of buffers that clients have left to the kernel to free. */
#include "pdt.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER	1000
#define ROOM	450
#define KEPT	1024

/* What has been left since @after; there is room for @room */
static uint32_t left_since(int fd, uint64_t after, struct drm_pddgpu_unfreed *out, uint32_t room,
			   uint64_t *lost)
{
	struct drm_pddgpu_unfreed_list header = { .after = after };

	assert_ok(pdt_unfreed_ask(fd, &header, out, room));
	assert_int_equal(header.stride, sizeof(*out));
	if (lost)
		*lost = header.lost;
	for (uint32_t i = 0; i < header.count; i++)
		assert_true(out[i].id > (i ? out[i - 1].id : after));
	if (header.count)
		assert_u64(header.after, out[header.count - 1].id);
	return header.count;
}

static uint64_t last_of(int fd)
{
	uint64_t last = pdt_unfreed_last(fd);

	assert_true(last != UINT64_MAX);
	return last;
}

/* One that a child has left, and nothing else */
static struct drm_pddgpu_unfreed only_one(int fd, uint64_t after)
{
	struct drm_pddgpu_unfreed left[4];

	assert_int_equal(left_since(fd, after, left, 4, NULL), 1);
	return left[0];
}

struct child {
	int fd;
	int pipe[2];
	int dmabuf;
	uint64_t oldest;
	uint64_t client_id;
	uint32_t session;
};

static int leaves_three(void *arg)
{
	struct child *shared = arg;
	struct drm_pddgpu_object object;
	struct pdt_fdinfo info;
	uint32_t handle;
	int fd;

	child_check(setsid() == getpid());
	fd = pdt_open();
	child_check(fd >= 0 && !pdt_fdinfo(fd, &info));
	child_check(!prctl(PR_SET_NAME, "leaver"));
	for (int i = 0; i < 4; i++) {
		child_check(!pdt_create(fd, (i + 1) * PDT_PAGE, i % 2 ? PDT_VRAM : PDT_GTT, 0,
					&handle));
		child_check(!pdt_object(fd, handle, &object));
		if (!i)
			shared->oldest = object.birth_ns;
		child_check(!pdt_set_label(fd, handle, "three"));
	}
	child_check(!pdt_destroy(fd, handle));
	shared->client_id = info.client_id;
	return 0;
}

static void at_the_end_of_a_process(void **state)
{
	struct pdt_state *s = *state;
	struct child *shared = pdt_shared(sizeof(*shared));
	struct drm_pddgpu_unfreed left;
	uint64_t last = last_of(s->fd), before = pdt_now_ns();
	pid_t pid;

	pid = pdt_fork(leaves_three, shared);
	assert_int_equal(pdt_wait(pid), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	left = only_one(s->fd, last);
	assert_u64(left.objects, 3);
	assert_u64(left.bytes, 6 * PDT_PAGE);
	assert_u64(left.client_id, shared->client_id);
	assert_u64(left.oldest_ns, shared->oldest);
	assert_true(left.closed_ns >= before && left.closed_ns <= pdt_now_ns());
	assert_true(left.oldest_ns < left.closed_ns);
	assert_int_equal(left.pid, pid);
	assert_int_equal(left.session, pid);
	assert_true(left.site > 0);
	assert_int_equal(left.pad, 0);
	assert_string_equal(left.comm, "leaver");
	assert_string_equal(left.label, "three");
	assert_u64(last_of(s->fd), left.id);
	munmap(shared, sizeof(*shared));
}

static int frees_all(void *arg)
{
	uint32_t handle;
	int fd = pdt_open(), dmabuf;

	(void)arg;
	child_check(fd >= 0);
	for (int i = 0; i < 10; i++) {
		child_check(!pdt_create(fd, PDT_PAGE, PDT_BOTH, 0, &handle));
		child_check(!pdt_export(fd, handle, &dmabuf));
		child_check(!close(dmabuf));
		child_check(!pdt_destroy(fd, handle));
	}
	return 0;
}

static void nothing_of_who_frees(void **state)
{
	struct pdt_state *s = *state;
	uint64_t last = last_of(s->fd);

	assert_int_equal(pdt_run(frees_all, NULL), 0);
	assert_u64(last_of(s->fd), last);
}

static int waits_to_be_killed(void *arg)
{
	struct child *child = arg;
	uint32_t handle;
	int fd = pdt_open();

	child_check(fd >= 0);
	child_check(!pdt_create(fd, 7 * PDT_PAGE, PDT_VRAM, 0, &handle));
	child_check(write(child->pipe[1], "x", 1) == 1);
	pause();
	return 0;
}

static void of_who_is_killed(void **state)
{
	struct pdt_state *s = *state;
	struct child child = { 0 };
	struct drm_pddgpu_unfreed left;
	uint64_t last = last_of(s->fd);
	pid_t pid;
	char c;

	assert_int_equal(pipe(child.pipe), 0);
	pid = pdt_fork(waits_to_be_killed, &child);
	assert_int_equal(read(child.pipe[0], &c, 1), 1);
	assert_u64(last_of(s->fd), last);
	kill(pid, SIGKILL);
	assert_int_equal(pdt_wait(pid), 128 + SIGKILL);
	assert_true(pdt_level_wait(s->fd, &s->before));
	left = only_one(s->fd, last);
	assert_u64(left.objects, 1);
	assert_u64(left.bytes, 7 * PDT_PAGE);
	assert_int_equal(left.pid, pid);
	close(child.pipe[0]);
	close(child.pipe[1]);
}

/* By close() too, and what is left is free then. */
static void by_closing_the_file(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_unfreed left;
	uint64_t last = last_of(s->fd);
	uint32_t handle;
	int fd = pdt_open(), twin;

	assert_true(fd >= 0);
	assert_ok(pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
	twin = dup(fd);
	close(fd);
	assert_u64(last_of(s->fd), last);
	close(twin);
	left = only_one(s->fd, last);
	assert_int_equal(left.pid, getpid());
	assert_u64(left.bytes, PDT_PAGE);
}

static int allocates_in_the_parents(void *arg)
{
	struct child *child = arg;
	uint32_t handle;

	child_check(!pdt_create(child->fd, 2 * PDT_PAGE, PDT_GTT, 0, &handle));
	return 0;
}

/* A file that was handed on: who allocated what, and when the last one closes it */
static void inherited(void **state)
{
	struct pdt_state *s = *state;
	struct child child = { .fd = pdt_open() };
	struct drm_pddgpu_unfreed left[4];
	uint64_t last = last_of(s->fd);
	uint32_t handle;
	pid_t pid;

	assert_true(child.fd >= 0);
	assert_ok(pdt_create(child.fd, PDT_PAGE, PDT_GTT, 0, &handle));
	pid = pdt_fork(allocates_in_the_parents, &child);
	assert_int_equal(pdt_wait(pid), 0);
	assert_u64(last_of(s->fd), last);
	close(child.fd);
	assert_int_equal(left_since(s->fd, last, left, 4, NULL), 2);
	for (int i = 0; i < 2; i++) {
		bool own = left[i].pid == (uint32_t)getpid();

		assert_true(own || left[i].pid == (uint32_t)pid);
		assert_u64(left[i].bytes, (own ? 1 : 2) * PDT_PAGE);
		assert_u64(left[i].client_id, left[0].client_id);
		assert_u64(left[i].closed_ns, left[0].closed_ns);
	}
	assert_int_not_equal(left[0].pid, left[1].pid);
}

/* What others allocated is theirs to free; what others still have is told all the same. */
static void shared_buffers(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_object object;
	struct drm_pddgpu_unfreed left;
	int a = pdt_open(), b = pdt_open(), dmabuf;
	uint64_t last = last_of(s->fd), id;
	struct drm_pddgpu_gem_info info;
	uint32_t handle, theirs;

	assert_true(a >= 0 && b >= 0);
	assert_ok(pdt_create(a, PDT_PAGE, PDT_GTT, 0, &handle));
	assert_ok(pdt_info(a, handle, &info));
	id = info.id;
	assert_ok(pdt_export(a, handle, &dmabuf));
	assert_ok(pdt_import(b, dmabuf, &theirs));
	close(b);
	assert_u64(last_of(s->fd), last);
	assert_ok(pdt_object_by_id(s->fd, id, &object));
	assert_int_equal(object.is & PDDGPU_OBJECT_UNFREED, 0);
	close(a);
	left = only_one(s->fd, last);
	assert_u64(left.objects, 1);
	assert_ok(pdt_object_by_id(s->fd, id, &object));
	assert_int_equal(object.state, PDDGPU_OBJECT_ORPHAN);
	assert_true(object.is & PDDGPU_OBJECT_UNFREED);
	assert_true(object.is & PDDGPU_OBJECT_EXPORTED);
	close(dmabuf);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

static void imports_count(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), fd = pdt_open(), dmabuf;
	struct drm_pddgpu_unfreed left;
	uint64_t last = last_of(s->fd);
	uint32_t theirs, ours;

	if (vgem < 0) {
		close(fd);
		pdt_skip("no vgem in this machine");
	}
	assert_true(fd >= 0);
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_import(fd, dmabuf, &ours));
	close(fd);
	left = only_one(s->fd, last);
	assert_u64(left.objects, 1);
	assert_u64(left.bytes, 65536);
	assert_int_equal(left.pid, getpid());
	close(dmabuf);
	close(vgem);
}

/* A kind for each label; what is too much for that is one without */
static void kinds(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_unfreed left[80];
	uint64_t last, objects, bytes;
	static const unsigned int counts[] = { 1, 2, 63, 64, 65, 100 };
	uint32_t handle, n;
	char label[16];

	for (size_t c = 0; c < PDT_ARRAY_SIZE(counts); c++) {
		int fd = pdt_open();

		assert_true(fd >= 0);
		last = last_of(s->fd);
		for (unsigned int i = 0; i < 3 * counts[c]; i++) {
			assert_ok(pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
			snprintf(label, sizeof(label), "kind %u", i % counts[c]);
			assert_ok(pdt_set_label(fd, handle, label));
		}
		close(fd);
		n = left_since(s->fd, last, left, 80, NULL);
		assert_int_equal(n, counts[c] > 64 ? 65 : counts[c]);
		objects = bytes = 0;
		for (uint32_t i = 0; i < n; i++) {
			objects += left[i].objects;
			bytes += left[i].bytes;
			if (i < 64) {
				assert_u64(left[i].objects, 3);
				assert_int_equal(strncmp(left[i].label, "kind ", 5), 0);
				assert_true(left[i].site > 0);
			} else {
				assert_int_equal(left[i].site, 0);
				assert_string_equal(left[i].label, "");
				assert_int_equal(left[i].pid, getpid());
			}
		}
		assert_u64(objects, 3 * counts[c]);
		assert_u64(bytes, 3 * counts[c] * PDT_PAGE);
	}
}

/* Two handles to a buffer are one buffer. */
static void counted_once(void **state)
{
	struct pdt_state *s = *state;
	struct drm_gem_flink flink;
	struct drm_gem_open again;
	struct drm_pddgpu_unfreed left;
	uint64_t last = last_of(s->fd);
	uint32_t handle;
	int fd = pdt_open_card("pddgpu", false);

	assert_true(fd >= 0);
	assert_ok(pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
	flink = (struct drm_gem_flink) { .handle = handle };
	if (pdt_ioctl(fd, DRM_IOCTL_GEM_FLINK, &flink)) {
		close(fd);
		pdt_skip("this card gives buffers no names");
	}
	again = (struct drm_gem_open) { .name = flink.name };
	assert_ok(pdt_ioctl(fd, DRM_IOCTL_GEM_OPEN, &again));
	assert_int_not_equal(again.handle, handle);
	close(fd);
	left = only_one(s->fd, last);
	assert_u64(left.objects, 1);
	assert_u64(left.bytes, PDT_PAGE);
}

/* The last thousand are kept; of what is gone it is told how much. */
static void ring_overflows(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_unfreed *left = calloc(ROOM, sizeof(*left));
	uint64_t first = last_of(s->fd), lost, after, seen = 0;
	uint32_t handle, n;

	assert_non_null(left);
	for (int i = 0; i < KEPT + 100; i++) {
		int fd = pdt_open();

		assert_true(fd >= 0);
		assert_ok(pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
		close(fd);
		if (i == 9) {
			assert_int_equal(left_since(s->fd, first, left, ROOM, &lost), 10);
			assert_u64(lost, 0);
		}
	}
	assert_u64(last_of(s->fd), first + KEPT + 100);
	for (after = first; (n = left_since(s->fd, after, left, ROOM, &lost)); seen += n) {
		assert_u64(lost, after == first ? 100 : 0);
		assert_u64(left[0].id, after == first ? first + 101 : after + 1);
		assert_u64(left[n - 1].id, left[0].id + n - 1);
		after = left[n - 1].id;
	}
	assert_u64(seen, KEPT);
	assert_int_equal(left_since(s->fd, first + 50, left, 1, &lost), 1);
	assert_u64(lost, 50);
	assert_int_equal(left_since(s->fd, first + 100, left, 1, &lost), 1);
	assert_u64(lost, 0);
	free(left);
}

static int looks(void *arg)
{
	struct child *child = arg;
	struct drm_pddgpu_unfreed left[4];
	struct drm_pddgpu_unfreed_list header = { .after = child->oldest };
	uint32_t handle;
	int fd;

	child_check(!pdt_become_user(USER));
	child_check(!pdt_unfreed_ask(child->fd, &header, left, 4));
	child_check(header.count == 0);
	fd = pdt_open();
	child_check(fd >= 0 && !pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
	close(fd);
	header = (struct drm_pddgpu_unfreed_list) { .after = child->oldest };
	child_check(!pdt_unfreed_ask(child->fd, &header, left, 4));
	child_check(header.count == 1 && left[0].pid == (uint32_t)getpid());
	return 0;
}

static void others_are_not_told(void **state)
{
	struct pdt_state *s = *state;
	struct child child = { .fd = s->fd, .oldest = last_of(s->fd) };
	struct drm_pddgpu_unfreed left[4];
	uint32_t handle;
	int fd = pdt_open();

	assert_ok(pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
	close(fd);
	assert_int_equal(pdt_run(looks, &child), 0);
	assert_int_equal(left_since(s->fd, child.oldest, left, 4, NULL), 2);
}

static int ask(int fd, uint64_t after, uint32_t stride, uint64_t flags, void *room,
	       uint32_t size)
{
	struct drm_pddgpu_unfreed_list *header = room;

	*header = (struct drm_pddgpu_unfreed_list) {
		.after = after, .stride = stride, .flags = flags
	};
	return pdt_query(fd, PDDGPU_QUERY_UNFREED, room, &size);
}

static void hostile_arguments(void **state)
{
	struct pdt_state *s = *state;
	static const uint32_t strides[] = { 0, 1, 7, 12, 143, 145, 1025, 1032, 1 << 30, ~0U };
	struct drm_pddgpu_query args = { .type = PDDGPU_QUERY_UNFREED, .size = 4096 };
	uint64_t room[512], last = last_of(s->fd);
	struct drm_pddgpu_unfreed_list *header = (void *)room;
	uint32_t handle, size = 0;
	int fd = pdt_open();

	assert_ok(pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
	close(fd);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(strides); i++)
		assert_err(EINVAL, ask(s->fd, 0, strides[i], 0, room, sizeof(room)));
	for (uint32_t short_of = 1; short_of < sizeof(*header); short_of++)
		assert_err(EINVAL, ask(s->fd, 0, 144, 0, room, short_of));
	for (int bit = 0; bit < 64; bit++)
		assert_err(EINVAL, ask(s->fd, 0, 144, 1ULL << bit, room, sizeof(room)));
	assert_err(EINVAL, ask(s->fd, 0, 144, 0, room, 65537));
	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_UNFREED, NULL, &size));
	assert_int_equal(size, sizeof(*header) + sizeof(struct drm_pddgpu_unfreed));
	assert_ok(ask(s->fd, last, 144, 0, room, sizeof(*header)));
	assert_int_equal(header->count, 0);
	assert_u64(header->after, last);
	assert_ok(ask(s->fd, UINT64_MAX - 1, 144, 0, room, sizeof(room)));
	assert_int_equal(header->count, 0);
	assert_u64(header->lost, 0);
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
	args.data = 0xffff888000000000;
	assert_err(EFAULT, pdt_ioctl(s->fd, DRM_IOCTL_PDDGPU_QUERY, &args));
	for (uint32_t stride = 8; stride <= 1024; stride += 8) {
		memset(room, 0xa5, sizeof(room));
		assert_ok(ask(s->fd, last, stride, 0, room, sizeof(*header) + stride));
		assert_int_equal(header->count, 1);
		assert_u64(room[4], last + 1);
		if (stride > 8)
			assert_u64(room[5], PDT_PAGE);
		for (size_t w = sizeof(struct drm_pddgpu_unfreed) / 8; w < stride / 8; w++)
			assert_u64(room[4 + w], 0);
		assert_u64(room[4 + stride / 8], 0xa5a5a5a5a5a5a5a5);
	}
}

static int many_clients(void *arg)
{
	struct pdt_state *s = arg;
	struct drm_pddgpu_unfreed left[64];
	uint32_t handle;

	for (int i = 0; i < 100; i++) {
		struct drm_pddgpu_unfreed_list header = { 0 };
		int fd = pdt_open();

		child_check(fd >= 0 && !pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
		child_check(!pdt_unfreed_ask(s->fd, &header, left, 64));
		close(fd);
	}
	return 0;
}

/* Several close and ask at once: none is missing, none is twice. */
static void in_a_crowd(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_unfreed *left = calloc(ROOM, sizeof(*left));
	uint64_t last = last_of(s->fd), lost;
	pid_t pids[4];

	assert_non_null(left);
	for (int i = 0; i < 4; i++)
		pids[i] = pdt_fork(many_clients, s);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pdt_wait(pids[i]), 0);
	assert_int_equal(left_since(s->fd, last, left, ROOM, &lost), 400);
	assert_u64(lost, 0);
	for (int i = 0; i < 400; i++) {
		assert_u64(left[i].id, last + 1 + (uint64_t)i);
		assert_u64(left[i].objects, 1);
	}
	free(left);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(at_the_end_of_a_process),
		pdt_test(nothing_of_who_frees),
		pdt_test(of_who_is_killed),
		pdt_test(by_closing_the_file),
		pdt_test(inherited),
		pdt_test(shared_buffers),
		pdt_test(imports_count),
		pdt_test(kinds),
		pdt_test(counted_once),
		pdt_test(ring_overflows),
		pdt_test(others_are_not_told),
		pdt_test(hostile_arguments),
		pdt_test(in_a_crowd),
	};

	return pdt_run_tests("unfreed", tests);
}
