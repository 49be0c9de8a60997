// SPDX-License-Identifier: MIT
/* Whose the memory is: by QUERY, exactly, and in debugfs by owner. */
#include "pdt.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define USER	1000

enum { VRAM, GTT, CPU };
enum { LIVE, ORPHAN, ZOMBIE };

static const uint32_t domains[] = { PDT_VRAM, PDT_GTT, PDT_CPU };

/* The sum holds, and the figures are those of other queries when nothing moves. */
static int check_sums(const struct drm_pddgpu_ownership own[3])
{
	for (size_t d = 0; d < 3; d++) {
		const struct drm_pddgpu_ownership *o = &own[d];

		child_check(o->domain == domains[d] && !o->pad);
		child_check(o->used == o->live + o->orphan + o->zombie + o->kernel);
		/* No difference has gone below zero */
		child_check((o->live | o->orphan | o->zombie | o->kernel) < 1ULL << 40);
		child_check((o->live_objects | o->orphan_objects | o->zombie_objects) < 1 << 24);
		child_check(o->live >= o->live_objects * PDT_PAGE);
		child_check(!(o->live % PDT_PAGE || o->orphan % PDT_PAGE || o->zombie % PDT_PAGE));
	}
	return 0;
}

static void assert_at_rest(int fd, struct drm_pddgpu_ownership own[3])
{
	struct drm_pddgpu_domain_usage usage[3];
	struct drm_pddgpu_memory_stats stats;
	uint32_t size = sizeof(usage);

	assert_ok(pdt_ownership(fd, own));
	assert_int_equal(check_sums(own), 0);
	assert_ok(pdt_query(fd, PDDGPU_QUERY_DOMAIN_USAGE, usage, &size));
	assert_ok(pdt_stats(fd, &stats));
	for (size_t d = 0; d < 3; d++) {
		assert_u64(own[d].used, usage[d].used);
		assert_u64(own[d].kernel, d == VRAM ? stats.kernel_bytes : 0);
	}
	assert_u64(own[0].live + own[1].live + own[2].live, stats.live_bytes);
	assert_u64(own[0].orphan + own[1].orphan + own[2].orphan, stats.orphan_bytes);
	assert_u64(own[0].zombie + own[1].zombie + own[2].zombie, stats.zombie_bytes);
	assert_u64(own[0].live_objects + own[1].live_objects + own[2].live_objects,
		   stats.live_objects);
}

/* The columns of owners add up to what QUERY says. */
static void assert_owners_add_up(const struct drm_pddgpu_ownership own[3])
{
	uint64_t bytes[3][3] = { 0 }, objects[3] = { 0 };
	struct pdt_owner *owners;
	size_t count;

	owners = pdt_owners(&count);
	assert_non_null(owners);
	for (size_t i = 0; i < count; i++) {
		assert_true(owners[i].objects[0] + owners[i].objects[1] + owners[i].objects[2] > 0);
		for (size_t n = 0; n < 9; n++)
			bytes[n / 3][n % 3] += owners[i].bytes[n / 3][n % 3];
		for (size_t n = 0; n < 3; n++)
			objects[n] += owners[i].objects[n];
	}
	for (size_t d = 0; d < 3; d++) {
		assert_u64(bytes[d][LIVE], own[d].live);
		assert_u64(bytes[d][ORPHAN], own[d].orphan);
		assert_u64(bytes[d][ZOMBIE], own[d].zombie);
	}
	assert_u64(objects[LIVE], own[0].live_objects + own[1].live_objects + own[2].live_objects);
	assert_u64(objects[ORPHAN],
		   own[0].orphan_objects + own[1].orphan_objects + own[2].orphan_objects);
	assert_u64(objects[ZOMBIE],
		   own[0].zombie_objects + own[1].zombie_objects + own[2].zombie_objects);
	free(owners);
}

/* The line of a process; the test fails when there is none, or more than one */
static struct pdt_owner owner_of(int pid)
{
	struct pdt_owner *owners, found = { 0 };
	size_t count, lines = 0;

	owners = pdt_owners(&count);
	assert_non_null(owners);
	for (size_t i = 0; i < count; i++) {
		if (owners[i].pid == pid) {
			found = owners[i];
			lines++;
		}
	}
	free(owners);
	if (lines != 1)
		fail_msg("process %d has %zu lines", pid, lines);
	return found;
}

static void nothing_there(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_ownership own[3];
	struct pdt_owner *owners;
	size_t count;

	assert_at_rest(s->fd, own);
	for (size_t d = 0; d < 3; d++) {
		assert_u64(own[d].live + own[d].orphan + own[d].zombie, 0);
		assert_u64(own[d].live_objects + own[d].orphan_objects + own[d].zombie_objects, 0);
	}
	owners = pdt_owners(&count);
	assert_non_null(owners);
	assert_int_equal(count, 0);
	free(owners);
}

/* Made in each domain, moved through all of them, kept by a dma-buf */
static void state_and_domain_of_each(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_ownership own[3];
	struct pdt_owner owner;
	uint32_t handle[3];
	int dmabuf;

	for (size_t d = 0; d < 3; d++) {
		assert_ok(pdt_create(s->fd, (5 + d) * PDT_PAGE, domains[d], 0, &handle[d]));
		assert_at_rest(s->fd, own);
		assert_u64(own[d].live, (5 + d) * PDT_PAGE);
		assert_u64(own[d].live_objects, 1);
		assert_owners_add_up(own);
	}
	for (size_t d = 3; d-- > 0;) {
		assert_ok(pdt_set_domain(s->fd, handle[0], domains[d], NULL));
		assert_at_rest(s->fd, own);
		for (size_t i = 0; i < 3; i++) {
			assert_u64(own[i].live, (i ? 5 + i : 0) * PDT_PAGE +
				   (i == d ? 5 : 0) * PDT_PAGE);
			assert_u64(own[i].live_objects, !!i + (i == d));
		}
		assert_owners_add_up(own);
	}

	assert_ok(pdt_export(s->fd, handle[0], &dmabuf));
	assert_ok(pdt_destroy(s->fd, handle[0]));
	assert_at_rest(s->fd, own);
	assert_u64(own[VRAM].orphan, 5 * PDT_PAGE);
	assert_u64(own[VRAM].live, 0);
	assert_owners_add_up(own);
	owner = owner_of(getpid());
	assert_u64(owner.bytes[VRAM][ORPHAN], 5 * PDT_PAGE);
	assert_u64(owner.bytes[GTT][LIVE], 6 * PDT_PAGE);
	assert_u64(owner.bytes[CPU][LIVE], 7 * PDT_PAGE);
	assert_u64(owner.objects[LIVE], 2);
	assert_u64(owner.objects[ORPHAN], 1);
	assert_string_equal(owner.comm, "test_owners");
	assert_true(owner.client > 0);
	close(dmabuf);
	assert_ok(pdt_destroy(s->fd, handle[1]));
	assert_ok(pdt_destroy(s->fd, handle[2]));
	nothing_there(state);
}

/* What waits for a fence of somebody else's is a zombie, and its owner's. */
static void zombies(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), dmabuf = -1;
	struct drm_pddgpu_ownership own[3];
	uint32_t theirs = 0, ours, fence;
	struct drm_gem_close end = { 0 };
	struct pdt_owner owner;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_vgem_busy(vgem, theirs, &fence));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_at_rest(s->fd, own);
	assert_u64(own[GTT].live, 64 * PDT_KIB);
	assert_ok(pdt_destroy(s->fd, ours));
	assert_at_rest(s->fd, own);
	assert_u64(own[GTT].live, 0);
	assert_u64(own[GTT].zombie, 64 * PDT_KIB);
	assert_u64(own[GTT].zombie_objects, 1);
	assert_owners_add_up(own);
	/* The client that imports is not known; its process is */
	owner = owner_of(getpid());
	assert_u64(owner.client, 0);
	assert_u64(owner.bytes[GTT][ZOMBIE], 64 * PDT_KIB);
	assert_ok(pdt_vgem_signal(vgem, fence));
	assert_true(pdt_level_wait(s->fd, &s->before));
	nothing_there(state);
	end.handle = theirs;
	assert_ok(pdt_ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &end));
	close(dmabuf);
	close(vgem);
}

/* A process that imports has one line, however much it imports. */
static void imports_are_together(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_ownership own[3];
	int vgem = pdt_vgem_open(), dmabuf;
	uint32_t theirs, ours[20];
	struct pdt_owner owner;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	for (size_t i = 0; i < PDT_ARRAY_SIZE(ours); i++) {
		theirs = 0;
		dmabuf = -1;
		assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
		assert_ok(pdt_import(s->fd, dmabuf, &ours[i]));
		close(dmabuf);
	}
	assert_at_rest(s->fd, own);
	assert_owners_add_up(own);
	owner = owner_of(getpid());
	assert_u64(owner.client, 0);
	assert_u64(owner.objects[LIVE], PDT_ARRAY_SIZE(ours));
	assert_u64(owner.bytes[GTT][LIVE], PDT_ARRAY_SIZE(ours) * 64 * PDT_KIB);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(ours); i++)
		assert_ok(pdt_destroy(s->fd, ours[i]));
	assert_true(pdt_level_wait(s->fd, &s->before));
	nothing_there(state);
	close(vgem);
}

static int leave_dmabuf(void *arg)
{
	int sock = *(int *)arg, fd = pdt_open(), dmabuf;
	uint32_t handle;

	child_check(fd >= 0);
	child_check(!prctl(PR_SET_NAME, "-"));
	child_check(!pdt_create(fd, 19 * PDT_PAGE, PDT_GTT, 0, &handle));
	child_check(!pdt_export(fd, handle, &dmabuf));
	child_check(!pdt_send_fd(sock, dmabuf));
	return 0;
}

/* The point of it: memory that no process holds still has its owner. */
static void owner_has_exited(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_ownership own[3];
	struct pdt_owner owner;
	int ends[2], dmabuf;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = pdt_fork(leave_dmabuf, &ends[1]);
	dmabuf = pdt_receive_fd(ends[0]);
	assert_true(dmabuf >= 0);
	assert_int_equal(pdt_wait(pid), 0);

	assert_at_rest(s->fd, own);
	assert_u64(own[GTT].orphan, 19 * PDT_PAGE);
	assert_owners_add_up(own);
	owner = owner_of(pid);
	/* Not to be taken for no name */
	assert_string_equal(owner.comm, "\\055");
	assert_u64(owner.bytes[GTT][ORPHAN], 19 * PDT_PAGE);
	close(dmabuf);
	close(ends[0]);
	close(ends[1]);
	nothing_there(state);
}

struct churn {
	int fd;
	volatile bool stop;
	unsigned int reads;
};

/* Buffers that come, move, are kept as dma-bufs, and go; and who adds up meanwhile */
static int churn(void *arg, unsigned int index)
{
	struct churn *churn = arg;
	uint64_t random = pdt_seed(42) + index;
	struct drm_pddgpu_ownership own[3];
	uint32_t handles[16] = { 0 };
	struct pdt_owner *owners;
	size_t count;

	while (!churn->stop) {
		uint64_t r = pdt_random(&random);
		uint32_t *handle = &handles[r % 16];
		int dmabuf;

		if (index == 0) {
			for (unsigned int i = 0; i < 64; i++) {
				child_check(!pdt_ownership(churn->fd, own));
				child_check(!check_sums(own));
			}
			if (!(churn->reads++ % 8)) {
				owners = pdt_owners(&count);
				child_check(owners);
				free(owners);
			}
			churn->stop = churn->reads == 200;
		} else if (!*handle) {
			child_check(!pdt_create(churn->fd, (1 + r / 16 % 64) * PDT_PAGE,
						domains[r / 1024 % 3] | PDT_CPU, 0, handle));
		} else if (r & 1 << 20) {
			child_check(!pdt_set_domain(churn->fd, *handle,
						    domains[r / 1024 % 3] | PDT_CPU, NULL));
		} else if (r & 1 << 21) {
			child_check(!pdt_export(churn->fd, *handle, &dmabuf));
			child_check(!pdt_destroy(churn->fd, *handle));
			close(dmabuf);
			*handle = 0;
		} else {
			child_check(!pdt_destroy(churn->fd, *handle));
			*handle = 0;
		}
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(handles); i++)
		child_check(!handles[i] || !pdt_destroy(churn->fd, handles[i]));
	return 0;
}

static void sums_hold_while_all_moves(void **state)
{
	struct pdt_state *s = *state;
	struct churn shared = { .fd = s->fd };

	assert_int_equal(pdt_threads(4, churn, &shared), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	nothing_there(state);
}

static int as_a_user(void *arg)
{
	struct drm_pddgpu_ownership own[3];
	uint32_t handle;
	int fd;

	(void)arg;
	child_check(!pdt_become_user(USER));
	fd = pdt_open();
	child_check(fd >= 0);
	child_check(!pdt_create(fd, PDT_PAGE, PDT_VRAM, 0, &handle));
	child_check(!pdt_ownership(fd, own));
	child_check(!check_sums(own));
	child_check(own[VRAM].live == PDT_PAGE);
	child_check(open(pdt_debugfs_path("owners"), O_RDONLY) < 0 && errno == EACCES);
	return 0;
}

static void for_every_user(void **state)
{
	(void)state;
	assert_int_equal(pdt_run(as_a_user, NULL), 0);
}

#define CLIENTS	600

/* More owners than are read in one go; some go while they are read */
static void many_owners(void **state)
{
	struct pdt_state *s = *state;
	const struct rlimit files = { CLIENTS + 200, CLIENTS + 200 };
	struct drm_pddgpu_ownership own[3];
	static int fd[CLIENTS];
	struct pdt_owner *owners;
	size_t count, part;
	uint32_t handle;
	char text[4096];
	int file;

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	for (size_t i = 0; i < CLIENTS; i++) {
		fd[i] = pdt_open();
		assert_true(fd[i] >= 0);
		assert_ok(pdt_create(fd[i], PDT_PAGE, domains[i % 3], 0, &handle));
	}
	assert_at_rest(s->fd, own);
	assert_owners_add_up(own);
	owners = pdt_owners(&count);
	assert_non_null(owners);
	assert_int_equal(count, CLIENTS);
	for (size_t i = 1; i < count; i++)
		assert_true(owners[i].client > owners[i - 1].client);
	free(owners);

	/* A reader that stops in the middle, while all that it stands among goes */
	file = open(pdt_debugfs_path("owners"), O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	assert_true(read(file, text, sizeof(text)) > 0);
	for (size_t i = 0; i < CLIENTS; i++)
		close(fd[i]);
	assert_true(pdt_level_wait(s->fd, &s->before));
	for (part = 0; read(file, text, sizeof(text)) > 0; part++)
		;
	assert_true(part < 4);
	close(file);
	nothing_there(state);
}

/* An older program, and a newer one */
static void query_is_negotiated(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_ownership own[4];
	uint32_t size = 0;

	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_OWNERSHIP, NULL, &size));
	assert_int_equal(size, 3 * sizeof(own[0]));
	memset(own, 0xaa, sizeof(own));
	size = sizeof(own);
	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_OWNERSHIP, own, &size));
	assert_int_equal(size, 3 * sizeof(own[0]));
	assert_int_equal(own[3].domain, 0);
	assert_u64(own[3].zombie_objects, 0);
	memset(own, 0xaa, sizeof(own));
	size = sizeof(own[0]);
	assert_ok(pdt_query(s->fd, PDDGPU_QUERY_OWNERSHIP, own, &size));
	assert_int_equal(own[0].domain, PDT_VRAM);
	assert_int_equal(own[1].domain, 0xaaaaaaaa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(nothing_there),
		pdt_test(state_and_domain_of_each),
		pdt_test(zombies),
		pdt_test(imports_are_together),
		pdt_test(owner_has_exited),
		pdt_test(sums_hold_while_all_moves),
		pdt_test(for_every_user),
		pdt_test(many_owners),
		pdt_test(query_is_negotiated),
	};

	return pdt_run_tests("owners", tests);
}
