// SPDX-License-Identifier: MIT
/* CPU mappings: parts, protection, fork, other ways to the same bytes. */
#include "pdt.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint32_t single[] = { PDT_VRAM, PDT_GTT, PDT_CPU };

#define PAGES	8
#define SIZE	(PAGES * PDT_PAGE)

/* Any length from the start; a mapping that begins inside is no DRM driver's. */
static void whole_and_parts(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	uint64_t offset, size;
	char *part;

	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, single[d], 0));
		pdt_buffer_fill(&buf, d + 1);
		assert_ok(pdt_map_offset(s->fd, buf.handle, &offset, &size));
		assert_u64(size, SIZE);
		assert_u64(offset % PDT_PAGE, 0);

		for (unsigned int n = 1; n <= PAGES; n++) {
			part = mmap(NULL, n * PDT_PAGE - 1, PROT_READ, MAP_SHARED, s->fd,
				    (off_t)offset);
			assert_ptr_not_equal(part, MAP_FAILED);
			assert_memory_equal(part, buf.map, n * PDT_PAGE);
			munmap(part, n * PDT_PAGE);
		}
		pdt_buffer_destroy(s->fd, &buf);
	}
}

/* A dma-buf is mapped at any page of it, and never beyond its end. */
static void parts_of_a_dmabuf(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	int dmabuf;
	char *part;

	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, single[d], 0));
		pdt_buffer_fill(&buf, d + 1);
		assert_ok(pdt_export(s->fd, buf.handle, &dmabuf));
		for (unsigned int first = 0; first < PAGES; first++) {
			for (unsigned int n = 1; n <= PAGES; n++) {
				part = mmap(NULL, n * PDT_PAGE, PROT_READ, MAP_SHARED, dmabuf,
					    (off_t)(first * PDT_PAGE));
				if (first + n > PAGES) {
					assert_ptr_equal(part, MAP_FAILED);
					continue;
				}
				assert_ptr_not_equal(part, MAP_FAILED);
				assert_memory_equal(part, (char *)buf.map + first * PDT_PAGE,
						    n * PDT_PAGE);
				munmap(part, n * PDT_PAGE);
			}
		}
		close(dmabuf);
		pdt_buffer_destroy(s->fd, &buf);
	}
}

/* Holes cut into a mapping, and parts of it moved away */
static void unmapped_in_pieces(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	void *room = mmap(NULL, 2 * PDT_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *moved, *again;

	assert_ptr_not_equal(room, MAP_FAILED);
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 5);
	assert_int_equal(munmap((char *)buf.map + 2 * PDT_PAGE, PDT_PAGE), 0);
	moved = mremap((char *)buf.map + 4 * PDT_PAGE, 2 * PDT_PAGE, 2 * PDT_PAGE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, room);
	assert_ptr_equal(moved, room);
	/* The moved pages are those of the buffer that they were. */
	assert_ok(pdt_mmap(s->fd, buf.handle, SIZE, &again));
	assert_memory_equal(moved, (char *)again + 4 * PDT_PAGE, 2 * PDT_PAGE);
	munmap(again, SIZE);
	munmap(moved, 2 * PDT_PAGE);
	/* Larger than what was asked for it does not get. */
	assert_ptr_equal(mremap(buf.map, PDT_PAGE, 2 * SIZE, MREMAP_MAYMOVE), MAP_FAILED);

	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_GTT, NULL));
	assert_int_equal(pdt_pattern_check(buf.map, 2 * PDT_PAGE, 5), -1);
	munmap(buf.map, 2 * PDT_PAGE);
	munmap((char *)buf.map + 3 * PDT_PAGE, SIZE - 3 * PDT_PAGE);
	assert_ok(pdt_destroy(s->fd, buf.handle));
}

static void assert_no_mapping(int fd, uint64_t offset, uint64_t size, int prot, int flags)
{
	void *map = mmap(NULL, size, prot, flags, fd, (off_t)offset);

	if (map != MAP_FAILED)
		fail_msg("offset %llx size %llx prot %x flags %x: mapped",
			 (unsigned long long)offset, (unsigned long long)size, prot, flags);
}

static void refused(void **state)
{
	struct pdt_state *s = *state;
	int other = pdt_open();
	uint64_t offset;
	uint32_t handle;

	assert_true(other >= 0);
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_map_offset(s->fd, handle, &offset, NULL));

	/* Beyond the end, before the start, and where nothing is */
	assert_no_mapping(s->fd, offset, SIZE + PDT_PAGE, PROT_READ, MAP_SHARED);
	assert_no_mapping(s->fd, offset + PDT_PAGE, SIZE, PROT_READ, MAP_SHARED);
	assert_no_mapping(s->fd, offset + PDT_PAGE, PDT_PAGE, PROT_READ, MAP_SHARED);
	assert_no_mapping(s->fd, offset + SIZE, PDT_PAGE, PROT_READ, MAP_SHARED);
	assert_no_mapping(s->fd, offset - PDT_PAGE, PDT_PAGE, PROT_READ, MAP_SHARED);
	assert_no_mapping(s->fd, 0, PDT_PAGE, PROT_READ, MAP_SHARED);
	assert_no_mapping(s->fd, 1ULL << 62, PDT_PAGE, PROT_READ, MAP_SHARED);

	/* A private writable mapping would copy on write. */
	assert_no_mapping(s->fd, offset, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	/* The offset is of use only to those who have the buffer. */
	assert_no_mapping(other, offset, SIZE, PROT_READ, MAP_SHARED);
	assert_int_equal(errno, EACCES);
	close(other);

	assert_ok(pdt_destroy(s->fd, handle));
	assert_no_mapping(s->fd, offset, SIZE, PROT_READ, MAP_SHARED);
}

struct access {
	char *at;
	bool write;
};

static int touch(void *arg)
{
	struct access *access = arg;

	if (access->write)
		*(volatile char *)access->at = 1;
	else
		(void)*(volatile char *)access->at;
	return 0;
}

static void protection(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	struct access access;
	uint64_t offset;

	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, single[d], 0));
		assert_ok(pdt_map_offset(s->fd, buf.handle, &offset, NULL));
		access.at = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, s->fd, (off_t)offset);
		assert_ptr_not_equal(access.at, MAP_FAILED);

		access.write = false;
		assert_int_equal(pdt_run(touch, &access), 0);
		access.write = true;
		assert_int_equal(pdt_run(touch, &access), 128 + SIGSEGV);
		assert_int_equal(mprotect(access.at, SIZE, PROT_READ | PROT_WRITE), 0);
		assert_int_equal(pdt_run(touch, &access), 0);
		/* Shared: what the child wrote is there. */
		assert_int_equal(*(char *)buf.map, 1);
		assert_int_equal(mprotect(access.at, SIZE, PROT_NONE), 0);
		access.write = false;
		assert_int_equal(pdt_run(touch, &access), 128 + SIGSEGV);
		munmap(access.at, SIZE);
		pdt_buffer_destroy(s->fd, &buf);
	}
}

static int child_writes(void *arg)
{
	struct pdt_buffer *buf = arg;

	child_check(!pdt_buffer_check(buf));
	pdt_buffer_fill(buf, 77);
	return 0;
}

static void shared_over_fork(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;

	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, single[d], 0));
		pdt_buffer_fill(&buf, 76);
		assert_int_equal(pdt_run(child_writes, &buf), 0);
		buf.seed = 77;
		assert_ok(pdt_buffer_check(&buf));
		/* The child's mapping went with it, ours has to follow a move. */
		assert_ok(pdt_set_domain(s->fd, buf.handle, single[(d + 1) % 3], NULL));
		assert_ok(pdt_buffer_check(&buf));
		pdt_buffer_destroy(s->fd, &buf);
	}
}

/* A mapping keeps the buffer, handle or none, open file or none. */
static void outlives_handle_and_file(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	struct pdt_level now;
	int fd = pdt_open();

	assert_true(fd >= 0);
	assert_ok(pdt_buffer_create(fd, &buf, SIZE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 12);
	assert_ok(pdt_destroy(fd, buf.handle));
	assert_ok(pdt_buffer_check(&buf));
	close(fd);
	assert_ok(pdt_buffer_check(&buf));
	pdt_buffer_fill(&buf, 13);
	assert_ok(pdt_buffer_check(&buf));

	assert_ok(pdt_level_read(s->fd, &now));
	assert_u64(now.vram_used, s->before.vram_used + SIZE);
	munmap(buf.map, SIZE);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

struct peek {
	struct pdt_buffer *buf;
	int ready[2];
	int done[2];
};

static int be_looked_at(void *arg)
{
	struct peek *peek = arg;
	char byte;

	child_check(write(peek->ready[1], "r", 1) == 1);
	/* The tracer's end closes when it has seen enough. */
	close(peek->done[1]);
	return read(peek->done[0], &byte, 1) == 0 ? 0 : 1;
}

/* What a debugger does, a page's border included */
static void check_debugger_access(const struct peek *peek, pid_t pid)
{
	uint64_t local[2 * PDT_PAGE / 8], *remote = peek->buf->map;
	uint64_t *across = (uint64_t *)((char *)peek->buf->map + PDT_PAGE - 4);
	char path[64];
	long word;
	int mem, status;

	/* The kernel cannot take these pages for a copy: it may say so, not crash. */
	struct iovec to = { local, sizeof(local) }, from = { remote, sizeof(local) };
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	if (n > 0)
		assert_memory_equal(local, remote, (size_t)n);

	assert_int_equal(ptrace(PTRACE_ATTACH, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, &remote[100], NULL);
	assert_int_equal(errno, 0);
	assert_u64((uint64_t)word, remote[100]);
	word = ptrace(PTRACE_PEEKDATA, pid, across, NULL);
	assert_int_equal(errno, 0);
	assert_memory_equal(&word, across, sizeof(word));
	assert_int_equal(ptrace(PTRACE_POKEDATA, pid, &remote[200], 0x1234567890abcdefL), 0);
	assert_u64(remote[200], 0x1234567890abcdefULL);

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR);
	assert_true(mem >= 0);
	assert_int_equal(pread(mem, local, sizeof(local), (off_t)(uintptr_t)remote),
			 sizeof(local));
	assert_memory_equal(local, remote, sizeof(local));
	memset(local, 0x5a, sizeof(local));
	assert_int_equal(pwrite(mem, local, sizeof(local), (off_t)(uintptr_t)remote),
			 sizeof(local));
	assert_memory_equal(local, remote, sizeof(local));
	close(mem);
	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
}

static void seen_by_a_debugger(void **state)
{
	struct pdt_state *s = *state;

	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		struct pdt_buffer buf;
		struct peek peek = { .buf = &buf };
		char byte;
		pid_t pid;

		assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, single[d], 0));
		pdt_buffer_fill(&buf, d + 500);
		assert_int_equal(pipe(peek.ready), 0);
		assert_int_equal(pipe(peek.done), 0);
		pid = pdt_fork(be_looked_at, &peek);
		assert_true(pid > 0);
		close(peek.ready[1]);
		assert_int_equal(read(peek.ready[0], &byte, 1), 1);
		check_debugger_access(&peek, pid);
		close(peek.ready[0]);
		close(peek.done[0]);
		close(peek.done[1]);
		assert_int_equal(pdt_wait(pid), 0);
		pdt_buffer_destroy(s->fd, &buf);
	}
}

/* As source and target of read() and write(): the bytes, or -EFAULT */
static void used_for_io(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	char local[PDT_PAGE];
	int ends[2];
	ssize_t n;

	for (size_t d = 0; d < PDT_ARRAY_SIZE(single); d++) {
		assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, single[d], 0));
		pdt_buffer_fill(&buf, 9);
		assert_int_equal(pipe(ends), 0);
		n = write(ends[1], buf.map, sizeof(local));
		assert_int_equal(n, sizeof(local));
		assert_int_equal(read(ends[0], local, sizeof(local)), sizeof(local));
		assert_memory_equal(local, buf.map, sizeof(local));
		memset(local, 1, sizeof(local));
		assert_int_equal(write(ends[1], local, sizeof(local)), sizeof(local));
		n = read(ends[0], (char *)buf.map + PDT_PAGE, sizeof(local));
		assert_int_equal(n, sizeof(local));
		assert_memory_equal(local, (char *)buf.map + PDT_PAGE, sizeof(local));
		close(ends[0]);
		close(ends[1]);
		pdt_buffer_destroy(s->fd, &buf);
	}
}

/* Many mappings of a buffer at once, all moved with it */
static void many_mappings(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer buf;
	void *maps[50];

	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_VRAM, 0));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(maps); i++)
		assert_ok(pdt_mmap(s->fd, buf.handle, SIZE, &maps[i]));
	for (size_t d = 0; d < 2 * PDT_ARRAY_SIZE(single); d++) {
		pdt_pattern_fill(maps[d], SIZE, d + 40);
		for (size_t i = 0; i < PDT_ARRAY_SIZE(maps); i++)
			assert_int_equal(pdt_pattern_check(maps[i], SIZE, d + 40), -1);
		assert_ok(pdt_set_domain(s->fd, buf.handle, single[d % 3], NULL));
		for (size_t i = 0; i < PDT_ARRAY_SIZE(maps); i++)
			assert_int_equal(pdt_pattern_check(maps[i], SIZE, d + 40), -1);
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(maps); i++)
		munmap(maps[i], SIZE);
	pdt_buffer_destroy(s->fd, &buf);
}

/* A mapping is enough to keep it, with no handle to it. */
static void mapped_orphan(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	uint32_t handle;
	void *map;

	assert_ok(pdt_create(s->fd, 23 * PDT_PAGE, PDT_VRAM, 0, &handle));
	assert_ok(pdt_mmap(s->fd, handle, 23 * PDT_PAGE, &map));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.live_objects, 1);
	assert_u64(stats.live_bytes, 23 * PDT_PAGE);
	assert_ok(pdt_destroy(s->fd, handle));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.orphan_objects, 1);
	assert_u64(stats.orphan_bytes, 23 * PDT_PAGE);
	assert_u64(stats.live_objects + stats.live_bytes, 0);
	assert_int_equal(munmap(map, 23 * PDT_PAGE), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(stats.orphan_objects + stats.orphan_bytes, 0);
	assert_u64(stats.zombie_objects + stats.zombie_bytes, 0);
}

struct closing {
	int fd;
	uint32_t handle;
	uint64_t offset;
	unsigned int round;
	unsigned int at[2];
	void *map;
};

/* One closes the last handle while the other maps the buffer. */
static int close_or_map(void *arg, unsigned int index)
{
	struct closing *c = arg;

	__atomic_store_n(&c->at[index], c->round, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&c->at[!index], __ATOMIC_SEQ_CST) != c->round)
		sched_yield();
	for (unsigned int i = 0; i < c->round % 50 * 20; i++)
		__asm__ volatile("" ::: "memory");
	if (!index) {
		child_check(!pdt_destroy(c->fd, c->handle));
		return 0;
	}
	c->map = mmap(NULL, PDT_PAGE, PROT_READ, MAP_SHARED, c->fd, (off_t)c->offset);
	return 0;
}

/* Whoever is first, what is left of it is not LIVE. */
static void mapped_while_closed(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct closing c = { .fd = s->fd };
	uint64_t size;

	for (c.round = 1; c.round <= 300; c.round++) {
		assert_ok(pdt_create(s->fd, PDT_PAGE, PDT_VRAM, 0, &c.handle));
		assert_ok(pdt_map_offset(s->fd, c.handle, &c.offset, &size));
		assert_int_equal(pdt_threads(2, close_or_map, &c), 0);
		assert_ok(pdt_stats(s->fd, &stats));
		assert_u64(stats.live_objects + stats.live_bytes, 0);
		assert_u64(stats.orphan_objects, c.map != MAP_FAILED);
		if (c.map != MAP_FAILED)
			assert_int_equal(munmap(c.map, PDT_PAGE), 0);
	}
	assert_true(pdt_level_wait(s->fd, &s->before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(whole_and_parts),
		pdt_test(parts_of_a_dmabuf),
		pdt_test(unmapped_in_pieces),
		pdt_test(refused),
		pdt_test(protection),
		pdt_test(shared_over_fork),
		pdt_test(outlives_handle_and_file),
		pdt_test(seen_by_a_debugger),
		pdt_test(used_for_io),
		pdt_test(many_mappings),
		pdt_test(mapped_orphan),
		pdt_test(mapped_while_closed),
	};

	return pdt_run_tests("mmap", tests);
}
