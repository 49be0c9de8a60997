// SPDX-License-Identifier: MIT
/* What fdinfo says of clients' memory: after everything that changes it. */
#include "pdt.h"

#if __has_include(<drm.h>)
#include <drm.h>
#else
#include <libdrm/drm.h>
#endif
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define VRAM	PDT_FDINFO_VRAM
#define GTT	PDT_FDINFO_GTT
#define MEMORY	PDT_FDINFO_MEMORY

/* A whole number of MiB, of KiB and of neither, to see each unit */
#define SIZE	(3 * PDT_MIB)
#define ODD	(SIZE + 5 * PDT_PAGE)

static struct pdt_fdinfo read_of(int fd)
{
	struct pdt_fdinfo info;

	assert_ok(pdt_fdinfo(fd, &info));
	for (unsigned int i = 0; i < PDT_FDINFO_REGIONS; i++) {
		assert_true(info.shared[i] <= info.total[i]);
		assert_true(info.active[i] <= info.resident[i]);
		assert_u64(info.purgeable[i], 0);
	}
	return info;
}

static void expect_total(int fd, unsigned int region, uint64_t bytes)
{
	struct pdt_fdinfo info = read_of(fd);

	for (unsigned int i = 0; i < PDT_FDINFO_REGIONS; i++)
		assert_u64(info.total[i], i == region ? bytes : 0);
}

static void expect_resident(int fd, unsigned int region, uint64_t bytes)
{
	struct pdt_fdinfo info = read_of(fd);

	for (unsigned int i = 0; i < PDT_FDINFO_REGIONS; i++)
		assert_u64(info.resident[i], i == region ? bytes : 0);
}

static void expect_empty(int fd)
{
	struct pdt_fdinfo info = read_of(fd);

	assert_true(pdt_fdinfo_is_empty(&info));
}

/* Who it is; pdt_fdinfo() has looked at the form */
static void identity(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_fdinfo mine = read_of(s->fd), others, copys;
	int other = pdt_open(), copy = dup(s->fd);

	assert_true(other >= 0 && copy >= 0);
	others = read_of(other);
	copys = read_of(copy);
	assert_string_equal(mine.driver, "pddgpu");
	assert_string_equal(mine.pdev, pdt_pci_name());
	assert_string_equal(others.pdev, mine.pdev);
	assert_true(others.client_id != mine.client_id);
	assert_u64(copys.client_id, mine.client_id);
	assert_true(pdt_fdinfo_is_empty(&mine));
	assert_u64(mine.copy_ns, 0);
	assert_u64(mine.paging_ns, 0);
	assert_u64(mine.evictions, 0);
	close(other);
	close(copy);
}

/* By the one that it prefers, and by where it is */
static void created_and_destroyed(void **state)
{
	static const struct {
		uint32_t domains;
		unsigned int region;
	} cases[] = {
		{ PDT_VRAM, VRAM },
		{ PDT_BOTH, VRAM },
		{ PDT_VRAM | PDT_CPU, VRAM },
		{ PDT_GTT, GTT },
		{ PDT_GTT | PDT_CPU, GTT },
		{ PDT_CPU, MEMORY },
	};
	static const uint64_t sizes[] = { 1, PDT_PAGE, SIZE, ODD };
	struct pdt_state *s = *state;
	struct pdt_fdinfo info;
	uint32_t handle;

	for (size_t c = 0; c < PDT_ARRAY_SIZE(cases); c++) {
		for (size_t i = 0; i < PDT_ARRAY_SIZE(sizes); i++) {
			uint64_t bytes = pdt_pages(sizes[i]);

			assert_ok(pdt_create(s->fd, sizes[i], cases[c].domains, 0, &handle));
			expect_total(s->fd, cases[c].region, bytes);
			expect_resident(s->fd, cases[c].region, bytes);
			info = read_of(s->fd);
			for (unsigned int r = 0; r < PDT_FDINFO_REGIONS; r++)
				assert_u64(info.shared[r], 0);
			assert_ok(pdt_destroy(s->fd, handle));
			expect_empty(s->fd);
		}
	}
	/* What could not be made is not there */
	assert_err(E2BIG, pdt_create(s->fd, 1ULL << 50, PDT_VRAM, 0, &handle));
	expect_empty(s->fd);
}

static void all_together(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, now;
	struct pdt_fdinfo info;
	uint32_t handle[3];

	assert_ok(pdt_stats(s->fd, &before));
	assert_ok(pdt_create(s->fd, ODD, PDT_VRAM, 0, &handle[0]));
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &handle[1]));
	assert_ok(pdt_create(s->fd, ODD, PDT_GTT, 0, &handle[2]));
	info = read_of(s->fd);
	assert_ok(pdt_stats(s->fd, &now));
	assert_u64(info.total[VRAM], ODD + SIZE);
	assert_u64(info.resident[VRAM], now.vram_used - before.vram_used);
	assert_u64(info.resident[GTT], now.gtt_used - before.gtt_used);
	for (size_t i = 0; i < 3; i++)
		assert_ok(pdt_destroy(s->fd, handle[i]));
	expect_empty(s->fd);
}

/* SET_DOMAIN changes what it prefers, and where it is; what fails changes neither */
static void set_domain(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_set_domain(s->fd, handle, PDT_GTT, NULL));
	expect_total(s->fd, GTT, SIZE);
	expect_resident(s->fd, GTT, SIZE);
	assert_ok(pdt_set_domain(s->fd, handle, PDT_CPU, NULL));
	expect_total(s->fd, MEMORY, SIZE);
	expect_resident(s->fd, MEMORY, SIZE);
	assert_err(EINVAL, pdt_set_domain(s->fd, handle, 0, NULL));
	expect_total(s->fd, MEMORY, SIZE);
	assert_ok(pdt_set_domain(s->fd, handle, PDT_BOTH, NULL));
	expect_total(s->fd, VRAM, SIZE);
	expect_resident(s->fd, VRAM, SIZE);
	assert_ok(pdt_destroy(s->fd, handle));
	expect_empty(s->fd);
}

/* A buffer of two files is in both's figures, and shared; one that was exported stays so */
static void shared_by_files(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_fdinfo info;
	uint32_t handle, theirs, again;
	int other = pdt_open(), dmabuf;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &handle));
	assert_u64(read_of(s->fd).shared[VRAM], 0);
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_u64(read_of(s->fd).shared[VRAM], SIZE);
	assert_ok(pdt_import(other, dmabuf, &theirs));
	/* The same handle once more is no other buffer */
	assert_ok(pdt_import(other, dmabuf, &again));
	assert_int_equal(theirs, again);
	for (int i = 0; i < 2; i++) {
		info = read_of(i ? other : s->fd);
		assert_u64(info.total[VRAM], SIZE);
		assert_u64(info.shared[VRAM], SIZE);
		assert_u64(info.resident[VRAM], SIZE);
	}
	/* Whoever moves it, it has moved for both */
	assert_ok(pdt_set_domain(other, theirs, PDT_GTT, NULL));
	expect_total(s->fd, GTT, SIZE);
	expect_resident(s->fd, GTT, SIZE);
	assert_ok(pdt_destroy(s->fd, handle));
	expect_empty(s->fd);
	expect_total(other, GTT, SIZE);
	close(dmabuf);
	assert_u64(read_of(other).shared[GTT], SIZE);
	assert_ok(pdt_destroy(other, theirs));
	expect_empty(other);
	close(other);
}

/* A dma-buf alone keeps it, in nobody's figures; then it is found again */
static void kept_by_a_dmabuf(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	int dmabuf;

	assert_ok(pdt_create(s->fd, ODD, PDT_VRAM, 0, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	assert_ok(pdt_destroy(s->fd, handle));
	expect_empty(s->fd);
	assert_ok(pdt_import(s->fd, dmabuf, &handle));
	expect_total(s->fd, VRAM, ODD);
	assert_u64(read_of(s->fd).shared[VRAM], ODD);
	close(dmabuf);
	assert_ok(pdt_destroy(s->fd, handle));
	expect_empty(s->fd);
}

static int open_by_name(int fd, uint32_t name, uint32_t *handle)
{
	struct drm_gem_open args = { .name = name };
	int rc = pdt_ioctl(fd, DRM_IOCTL_GEM_OPEN, &args);

	*handle = args.handle;
	return rc;
}

/* By name, which makes no dma-buf: shared as long as there are two handles */
static void shared_by_name(void **state)
{
	struct pdt_state *s = *state;
	int card = pdt_open_card("pddgpu", false), other;
	struct drm_gem_flink flink = {};
	uint32_t first, second, third;

	if (card < 0)
		pdt_skip("no primary node");
	assert_ok(pdt_create(card, SIZE, PDT_VRAM, 0, &first));
	flink.handle = first;
	assert_ok(pdt_ioctl(card, DRM_IOCTL_GEM_FLINK, &flink));
	assert_u64(read_of(card).shared[VRAM], 0);
	/* A second handle of the same file: one buffer, with more than one handle */
	assert_ok(open_by_name(card, flink.name, &second));
	assert_true(second != first);
	expect_total(card, VRAM, SIZE);
	assert_u64(read_of(card).shared[VRAM], SIZE);
	assert_ok(pdt_destroy(card, first));
	expect_total(card, VRAM, SIZE);
	assert_u64(read_of(card).shared[VRAM], 0);
	/* Another file, and the first one again */
	other = pdt_open_card("pddgpu", false);
	assert_true(other >= 0);
	assert_ok(open_by_name(other, flink.name, &third));
	assert_u64(read_of(card).shared[VRAM], SIZE);
	assert_u64(read_of(other).shared[VRAM], SIZE);
	assert_ok(pdt_destroy(card, second));
	expect_empty(card);
	expect_total(other, VRAM, SIZE);
	assert_u64(read_of(other).shared[VRAM], 0);
	assert_ok(pdt_destroy(other, third));
	expect_empty(other);
	close(other);
	close(card);
	expect_empty(s->fd);
}

/* Another device's buffer: in the GTT, and shared */
static void imported(void **state)
{
	struct pdt_state *s = *state;
	int vgem = pdt_vgem_open(), dmabuf;
	uint32_t handle, theirs;

	if (vgem < 0)
		pdt_skip("there is no vgem");
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_import(s->fd, dmabuf, &handle));
	close(dmabuf);
	expect_total(s->fd, GTT, 64 * PDT_KIB);
	expect_resident(s->fd, GTT, 64 * PDT_KIB);
	assert_u64(read_of(s->fd).shared[GTT], 64 * PDT_KIB);
	assert_ok(pdt_destroy(s->fd, handle));
	expect_empty(s->fd);
	close(vgem);
}

#define MOST	1000

/* Make buffers until others have to leave; returns how many */
static unsigned int make_until_evicted(int fd, int victim, uint32_t *handles)
{
	unsigned int count = 0;

	while (count < MOST && !read_of(victim).evictions) {
		if (pdt_create(fd, 2 * PDT_MIB, PDT_BOTH, 0, &handles[count]))
			break;
		count++;
	}
	return count;
}

/* Evicted: it is elsewhere, is counted, and still prefers VRAM */
static void evicted(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	static uint32_t handles[MOST];
	struct pdt_fdinfo info, mine;
	int other = pdt_open();
	unsigned int count;
	uint32_t handle;

	assert_true(other >= 0);
	assert_ok(pdt_stats(s->fd, &before));
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &handle));
	count = make_until_evicted(other, s->fd, handles);
	info = read_of(s->fd);
	if (!info.evictions)
		pdt_skip("VRAM is not full after %u buffers", count);
	assert_ok(pdt_stats(s->fd, &after));
	mine = read_of(other);
	assert_u64(info.evictions + mine.evictions, after.evictions - before.evictions);
	expect_total(s->fd, VRAM, SIZE);
	if (pdt_domain(s->fd, handle) == PDT_GTT)
		expect_resident(s->fd, GTT, SIZE);
	assert_u64(mine.total[VRAM], count * 2 * PDT_MIB);
	assert_u64(mine.resident[VRAM] + mine.resident[GTT], count * 2 * PDT_MIB);
	/* It comes back */
	assert_ok(pdt_set_domain(s->fd, handle, PDT_VRAM, NULL));
	expect_resident(s->fd, VRAM, SIZE);
	/* The file goes with all that is in it */
	close(other);
	assert_ok(pdt_destroy(s->fd, handle));
	expect_empty(s->fd);
	assert_u64(read_of(s->fd).evictions, info.evictions);
}

/* Swap: what is there is not resident; when it comes back it is */
static void swapped(void **state)
{
	struct pdt_state *s = *state;
	static struct pdt_buffer bufs[MOST];
	struct drm_pddgpu_memory_stats stats;
	struct pdt_fdinfo info;
	uint64_t swap, ram;
	size_t count, i;

	assert_ok(pdt_meminfo("SwapFree", &swap));
	assert_ok(pdt_meminfo("MemTotal", &ram));
	if (swap < 256 * PDT_MIB)
		pdt_skip("there is no swap");
	count = (ram / 2 + 64 * PDT_MIB) / (8 * PDT_MIB);
	for (i = 0; i < count; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], 8 * PDT_MIB,
					    i % 2 ? PDT_GTT | PDT_CPU : PDT_CPU, 0));
		memset(bufs[i].map, (int)i, PDT_PAGE);
	}
	assert_ok(pdt_stats(s->fd, &stats));
	info = read_of(s->fd);
	assert_true(stats.swapped_bytes > 0);
	assert_u64(info.total[GTT] + info.total[MEMORY], count * 8 * PDT_MIB);
	assert_u64(info.total[GTT] + info.total[MEMORY] - info.resident[GTT] -
		   info.resident[MEMORY], stats.swapped_bytes);
	/* All of it comes back in turn, while others go */
	for (i = 0; i < count; i++)
		assert_int_equal(*(unsigned char *)bufs[i].map, (unsigned char)i);
	assert_ok(pdt_stats(s->fd, &stats));
	info = read_of(s->fd);
	assert_u64(count * 8 * PDT_MIB - info.resident[GTT] - info.resident[MEMORY],
		   stats.swapped_bytes);
	for (i = 0; i < count; i++)
		pdt_buffer_destroy(s->fd, &bufs[i]);
	expect_empty(s->fd);
}

static int make_and_leave(void *arg)
{
	struct pdt_fdinfo info;
	int fd = *(int *)arg;
	uint32_t handle;

	child_check(!pdt_create(fd, SIZE, PDT_GTT, 0, &handle));
	child_check(!pdt_fdinfo(fd, &info));
	child_check(info.total[VRAM] == SIZE && info.total[GTT] == SIZE);
	return 0;
}

/* A child has the same file: what it makes there is there when it has gone */
static void forked(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_fdinfo info;
	uint32_t handle;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_int_equal(pdt_run(make_and_leave, &s->fd), 0);
	info = read_of(s->fd);
	assert_u64(info.total[VRAM], SIZE);
	assert_u64(info.total[GTT], SIZE);
}

static int receive_and_use(void *arg)
{
	int fd = pdt_receive_fd(*(int *)arg);
	struct pdt_fdinfo info;

	child_check(fd >= 0);
	child_check(!pdt_fdinfo(fd, &info) && info.total[VRAM] == SIZE);
	return make_and_leave(&fd);
}

/* The file, and not its name or process, is the client */
static void passed_on(void **state)
{
	struct pdt_state *s = *state;
	int ends[2], other = pdt_open();
	uint32_t handle;
	pid_t pid;

	assert_true(other >= 0);
	assert_ok(pdt_create(other, SIZE, PDT_VRAM, 0, &handle));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = pdt_fork(receive_and_use, &ends[0]);
	assert_true(pid > 0);
	assert_ok(pdt_send_fd(ends[1], other));
	close(other);
	assert_int_equal(pdt_wait(pid), 0);
	close(ends[0]);
	close(ends[1]);
	/* Its last user has gone */
	assert_true(pdt_level_wait(s->fd, &s->before));
	expect_empty(s->fd);
}

static int share_until_killed(void *arg)
{
	int fd = pdt_open();
	uint32_t handle;

	child_check(fd >= 0);
	child_check(!pdt_import(fd, *(int *)arg, &handle));
	for (int i = 0; i < 100; i++)
		child_check(!pdt_create(fd, PDT_PAGE, PDT_GTT, 0, &handle));
	raise(SIGKILL);
	return 1;
}

/* Killed with many: what it shared is the others' alone, and where it was */
static void killed(void **state)
{
	struct pdt_state *s = *state;
	uint32_t handle;
	int dmabuf, status;
	pid_t pid;

	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_export(s->fd, handle, &dmabuf));
	pid = pdt_fork(share_until_killed, &dmabuf);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(dmabuf);
	expect_total(s->fd, VRAM, SIZE);
	expect_resident(s->fd, VRAM, SIZE);
	assert_ok(pdt_destroy(s->fd, handle));
	expect_empty(s->fd);
}

/* A mapping keeps the memory, but the client has no handle to it any more */
static void mapped_only(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;

	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_BOTH, 0));
	pdt_buffer_fill(&buf, 1);
	assert_ok(pdt_destroy(s->fd, buf.handle));
	expect_empty(s->fd);
	assert_ok(pdt_buffer_check(&buf));
	munmap(buf.map, buf.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(identity),
		pdt_test(created_and_destroyed),
		pdt_test(all_together),
		pdt_test(set_domain),
		pdt_test(shared_by_files),
		pdt_test(kept_by_a_dmabuf),
		pdt_test(shared_by_name),
		pdt_test(imported),
		pdt_test(evicted),
		pdt_test(swapped),
		pdt_test(forked),
		pdt_test(passed_on),
		pdt_test(killed),
		pdt_test(mapped_only),
	};

	return pdt_run_tests("fdinfo", tests);
}
