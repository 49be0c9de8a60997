// SPDX-License-Identifier: MIT
/*
 * System pages beyond what the machine gives: to the kernel's swap and back. It
 * wants a VM with little RAM and a swap device that is somewhat less than twice
 * as large, since swap is filled too.
 */
#include "pdt.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define SWAP_DEVICE	"/dev/vda"
#define OVERCOMMIT	"/proc/sys/vm/overcommit_memory"
#define COMMIT_LIMIT	"/proc/sys/vm/overcommit_kbytes"
#define SEED		7

/* How long it may take until the kernel swaps no more */
#define SETTLE_MS	60000

/* A test's buffers */
struct set {
	struct pdt_buffer *bufs;
	size_t count;
};

static uint64_t meminfo(const char *name)
{
	uint64_t bytes;

	assert_ok(pdt_meminfo(name, &bytes));
	return bytes;
}

static struct drm_pddgpu_memory_stats stats_of(struct pdt_state *s)
{
	struct drm_pddgpu_memory_stats stats;

	assert_ok(pdt_stats(s->fd, &stats));
	return stats;
}

static void need_swap(uint64_t bytes)
{
	if (meminfo("SwapFree") < bytes)
		pdt_skip("there is no swap device of %llu MiB",
			 (unsigned long long)(bytes / PDT_MIB));
}

/* What of swap is not for who wants more, in buffers of @size: see docs/driver.md */
static uint64_t kept(uint64_t size)
{
	return meminfo("MemTotal") / 16 + 2 * size + meminfo("Shmem");
}

/* Where the aperture holds less than half the RAM, its end comes before that of memory */
static void need_aperture(struct pdt_state *s)
{
	if (stats_of(s).gtt_total + 8 * PDT_MIB < meminfo("MemTotal") / 2)
		pdt_skip("the aperture is smaller than half the RAM");
}

/*
 * What goes to swap goes in pages: a number at both ends of each tells as much
 * as a pattern in all of it, in a fraction of the time.
 */
static void stamp(struct pdt_buffer *buf, uint64_t seed)
{
	uint64_t *words = buf->map, state = seed;

	buf->seed = seed;
	for (size_t i = 0; i < buf->size / 8; i += PDT_PAGE / 8) {
		words[i] = pdt_random(&state);
		words[i + PDT_PAGE / 8 - 1] = ~words[i];
	}
}

static int stamped(const struct pdt_buffer *buf)
{
	uint64_t *words = buf->map, state = buf->seed;

	for (size_t i = 0; i < buf->size / 8; i += PDT_PAGE / 8) {
		uint64_t expected = pdt_random(&state);

		if (words[i] != expected || words[i + PDT_PAGE / 8 - 1] != ~expected)
			return -EILSEQ;
	}
	return 0;
}

/* Buffers of @size for @bytes in all, each with its own content. */
static void make_set(struct pdt_state *s, struct set *set, uint64_t bytes, uint64_t size,
		     uint32_t domains)
{
	set->count = bytes / size;
	set->bufs = calloc(set->count, sizeof(*set->bufs));
	assert_non_null(set->bufs);
	for (size_t i = 0; i < set->count; i++) {
		assert_ok(pdt_buffer_create(s->fd, &set->bufs[i], size, domains, 0));
		stamp(&set->bufs[i], SEED + i);
	}
}

static void check_set(const struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		assert_ok(stamped(&set->bufs[i]));
}

static void free_set(struct pdt_state *s, struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		pdt_buffer_destroy(s->fd, &set->bufs[i]);
	free(set->bufs);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_u64(stats_of(s).swapped_bytes, 0);
}

/* What half the RAM does not hold is in swap, and all of it can be read. */
static void more_than_there_is(struct pdt_state *s, uint64_t bytes, uint32_t domains)
{
	uint64_t ram = meminfo("MemTotal");
	struct drm_pddgpu_memory_stats before = stats_of(s), full, read;
	struct set set;

	need_swap(bytes - ram / 2 + kept(4 * PDT_MIB));
	make_set(s, &set, bytes, 4 * PDT_MIB, domains);
	/* Some of them are full to the last byte. */
	for (size_t i = 0; i < set.count; i += 9)
		pdt_buffer_fill(&set.bufs[i], SEED + i);
	full = stats_of(s);
	assert_true(full.swapped_bytes >= bytes - ram / 2 - 4 * PDT_MIB);
	assert_true(full.swap_outs - before.swap_outs >= full.swapped_bytes / (4 * PDT_MIB));
	for (size_t i = 0; i < set.count; i++)
		assert_ok(i % 9 ? stamped(&set.bufs[i]) : pdt_buffer_check(&set.bufs[i]));
	read = stats_of(s);
	assert_true(read.swap_ins - full.swap_ins >= full.swapped_bytes / (4 * PDT_MIB));
	assert_u64(read.live_bytes - before.live_bytes, set.count * 4 * PDT_MIB);
	free_set(s, &set);
}

static void twice_the_ram(void **state)
{
	pdt_need_speed();
	more_than_there_is(*state, 2 * meminfo("MemTotal"), PDT_GTT);
}

static void in_the_cpu_domain(void **state)
{
	pdt_need_speed();
	more_than_there_is(*state, meminfo("MemTotal") * 3 / 4, PDT_CPU);
}

/* What only a mapping keeps goes to swap as well, and is counted there. */
static void without_handles(void **state)
{
	struct pdt_state *s = *state;
	uint64_t ram = meminfo("MemTotal"), size = 4 * PDT_MIB;
	struct drm_pddgpu_memory_stats before = stats_of(s), full, read;
	struct set set;

	pdt_need_speed();
	need_swap(ram / 2);
	set.count = ram * 3 / 4 / size;
	set.bufs = calloc(set.count, sizeof(*set.bufs));
	assert_non_null(set.bufs);
	for (size_t i = 0; i < set.count; i++) {
		assert_ok(pdt_buffer_create(s->fd, &set.bufs[i], size, PDT_GTT, 0));
		stamp(&set.bufs[i], SEED + i);
		assert_ok(pdt_destroy(s->fd, set.bufs[i].handle));
	}
	full = stats_of(s);
	assert_true(full.swapped_bytes >= set.count * size - ram / 2 - size);
	assert_true(full.swap_outs - before.swap_outs >= full.swapped_bytes / size);
	check_set(&set);
	read = stats_of(s);
	/* Each that came back had gone, and those that are there have not come back */
	assert_u64(read.swapped_bytes, (read.swap_outs - before.swap_outs -
					(read.swap_ins - before.swap_ins)) * size);
	for (size_t i = 0; i < set.count; i++)
		assert_int_equal(munmap(set.bufs[i].map, size), 0);
	free(set.bufs);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_u64(stats_of(s).swapped_bytes, 0);
}

/* What VRAM does not hold goes to the aperture, and on to swap. */
static void out_of_vram(void **state)
{
	struct pdt_state *s = *state;
	uint64_t ram = meminfo("MemTotal");
	struct set set;

	pdt_need_speed();
	need_swap(ram / 2);
	make_set(s, &set, ram * 3 / 4 + stats_of(s).vram_free, 3 * PDT_MIB + PDT_PAGE, PDT_BOTH);
	assert_true(stats_of(s).swapped_bytes > ram / 5);
	check_set(&set);
	/* And the other way about, so that the last go first */
	for (size_t i = set.count; i--; )
		assert_ok(stamped(&set.bufs[i]));
	free_set(s, &set);
}

/* A job finds what is in swap, and what it writes gets there. */
static void jobs_use_it(void **state)
{
	struct pdt_state *s = *state;
	uint64_t ram = meminfo("MemTotal"), size = 2 * PDT_MIB;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer to;
	struct set set;

	pdt_need_speed();
	need_swap(ram / 2);
	make_set(s, &set, ram * 3 / 4, size, PDT_GTT);
	assert_int_equal(pdt_domain(s->fd, set.bufs[0].handle), PDT_CPU);
	assert_ok(pdt_buffer_create(s->fd, &to, size, PDT_VRAM,
				    PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED));
	for (size_t i = 0; i < set.count; i += 7) {
		op = pdt_copy(to.handle, 0, set.bufs[i].handle, 0, size);
		assert_ok(pdt_submit(s->fd, &op, 1));
		assert_ok(pdt_wait_idle(s->fd, to.handle, 10000));
		assert_int_equal(pdt_domain(s->fd, set.bufs[i].handle), PDT_GTT);
		to.seed = SEED + i;
		assert_ok(stamped(&to));

		/* Another content for it, which others then push out */
		stamp(&to, 1000 + i);
		op = pdt_copy(set.bufs[i].handle, 0, to.handle, 0, size);
		assert_ok(pdt_submit(s->fd, &op, 1));
		set.bufs[i].seed = 1000 + i;
	}
	pdt_buffer_destroy(s->fd, &to);
	check_set(&set);
	free_set(s, &set);
}

/* Another process has so much memory, and uses it. */
static int eat(void *arg)
{
	uint64_t bytes = *(uint64_t *)arg;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	child_check(p != MAP_FAILED);
	for (unsigned int round = 0; round < 2; round++) {
		for (uint64_t at = 0; at < bytes; at += PDT_PAGE)
			p[at]++;
	}
	for (uint64_t at = 0; at < bytes; at += PDT_PAGE)
		child_check(p[at] == 2);
	return 0;
}

static void gives_way(void **state)
{
	struct pdt_state *s = *state;
	uint64_t ram = meminfo("MemTotal"), bytes = ram * 3 / 4;
	struct drm_pddgpu_memory_stats full, after;
	struct set set;

	pdt_need_speed();
	need_swap(ram);
	make_set(s, &set, ram / 3, PDT_MIB, PDT_GTT);
	/* A kernel that takes much memory for itself may have wanted some of it already */
	full = stats_of(s);
	assert_int_equal(pdt_run(eat, &bytes), 0);
	after = stats_of(s);
	assert_true(after.swap_outs > full.swap_outs);
	assert_true(after.swapped_bytes > full.swapped_bytes);
	check_set(&set);
	free_set(s, &set);
}

/* Several who want more than there is together never see an error for it. */
struct crowd {
	uint64_t bytes;
	uint64_t size;
};

static int in_the_crowd(void *arg, unsigned int index)
{
	const struct crowd *crowd = arg;
	size_t count = crowd->bytes / crowd->size;
	struct pdt_buffer *bufs = calloc(count, sizeof(*bufs));
	uint64_t random = 99 + index;
	int fd = pdt_open(), rc;

	child_check(bufs && fd >= 0);
	for (size_t i = 0; i < count; i++) {
		rc = pdt_buffer_create(fd, &bufs[i], crowd->size, PDT_GTT, 0);
		if (rc)
			errno = -rc;
		child_check(!rc);
		stamp(&bufs[i], random + i);
	}
	for (size_t i = 0; i < 2 * count; i++) {
		struct pdt_buffer *a = &bufs[pdt_random(&random) % count];
		struct pdt_buffer *b = &bufs[pdt_random(&random) % count];
		struct drm_pddgpu_submit_op op = pdt_copy(a->handle, 0, b->handle, 0, crowd->size);

		child_check(!stamped(a));
		rc = pdt_submit(fd, &op, 1);
		if (rc)
			errno = -rc;
		child_check(!rc);
		a->seed = b->seed;
		child_check(!pdt_wait_idle(fd, a->handle, 60000));
	}
	for (size_t i = 0; i < count; i++)
		child_check(!stamped(&bufs[i]));
	for (size_t i = 0; i < count; i++)
		pdt_buffer_destroy(fd, &bufs[i]);
	free(bufs);
	close(fd);
	return 0;
}

static void crowd(void **state)
{
	struct pdt_state *s = *state;
	uint64_t ram = meminfo("MemTotal");
	struct crowd crowd = { .bytes = ram / 5, .size = 5 * PDT_MIB };

	pdt_need_speed();
	need_swap(ram);
	assert_int_equal(pdt_threads(4, in_the_crowd, &crowd), 0);
	assert_true(stats_of(s).swap_outs > 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_u64(stats_of(s).swapped_bytes, 0);
}

/* Where swap is full too: an error, and nothing lost. */
static void swap_is_full(void **state)
{
	struct pdt_state *s = *state;
	size_t max = (meminfo("MemTotal") + meminfo("SwapTotal")) / (16 * PDT_MIB), n;
	struct pdt_buffer *bufs = calloc(max, sizeof(*bufs));
	uint64_t ram = meminfo("MemTotal"), swap;
	int rc = 0;

	pdt_need_speed();
	need_swap(ram / 2 + kept(16 * PDT_MIB));
	swap = meminfo("SwapFree") - kept(16 * PDT_MIB);
	assert_non_null(bufs);
	for (n = 0; n < max; n++) {
		rc = pdt_buffer_create(s->fd, &bufs[n], 16 * PDT_MIB, PDT_GTT, 0);
		if (rc)
			break;
		/* A page is enough to tell them apart */
		*(uint64_t *)bufs[n].map = SEED + n;
	}
	assert_int_equal(rc, -ENOMEM);
	assert_true(n * 16 * PDT_MIB > ram / 2 + swap * 3 / 4);
	/* The machine is still alive: others have some of the swap to themselves. */
	assert_true(meminfo("SwapFree") > 0);
	for (size_t i = 0; i < n; i++)
		assert_u64(*(uint64_t *)bufs[i].map, SEED + i);
	for (size_t i = 0; i < n; i++)
		pdt_buffer_destroy(s->fd, &bufs[i]);
	free(bufs);
}

/*
 * Let the kernel commit to no more memory: its limit, to which it holds now, has
 * been taken up. Returns the size of what is mapped at @taken.
 */
static uint64_t commit_to_nothing_more(void **taken)
{
	uint64_t size;

	assert_ok(pdt_file_write(COMMIT_LIMIT, "4"));
	assert_ok(pdt_file_write(OVERCOMMIT, "2"));
	for (size = meminfo("CommitLimit"); size >= PDT_MIB; size -= PDT_MIB) {
		*taken = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
		if (*taken != MAP_FAILED)
			return size;
	}
	*taken = NULL;
	return 0;
}

/*
 * Swapping out that fails on the way, since the kernel commits to nothing more:
 * what was to go stays where it was, and the request gets an error.
 */
static void failure_changes_nothing(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	uint64_t room = stats_of(s).gtt_free;
	char *mode = pdt_file_read(OVERCOMMIT);
	struct set set;
	size_t in_gtt = 0;
	uint64_t committed, start;
	uint32_t handle, now;
	void *taken;
	int rc;

	need_swap(meminfo("MemTotal"));
	need_aperture(s);
	assert_non_null(mode);
	/* Not so much that the kernel wants some back by itself */
	make_set(s, &set, room / 2, 8 * PDT_MIB, PDT_GTT);
	/*
	 * But it may still be short of memory from the test before: all back. Each large
	 * page that TTM takes for that makes the kernel reclaim some, and where that is
	 * slow it never ends.
	 */
	start = pdt_now_ms();
	while (stats_of(s).swapped_bytes && pdt_now_ms() - start < SETTLE_MS) {
		check_set(&set);
		pdt_sleep_ms(100);
	}
	if (stats_of(s).swapped_bytes) {
		free_set(s, &set);
		free(mode);
		pdt_skip("the kernel goes on swapping");
	}
	for (size_t i = 0; i < set.count; i++)
		assert_ok(pdt_set_domain(s->fd, set.bufs[i].handle, PDT_GTT, &now));
	before = stats_of(s);
	assert_u64(before.swapped_bytes, 0);

	committed = commit_to_nothing_more(&taken);
	rc = pdt_create(s->fd, pdt_pages(room * 3 / 4), PDT_GTT, 0, &handle);
	assert_ok(pdt_file_write(OVERCOMMIT, mode));
	assert_true(committed > 0);
	munmap(taken, committed);
	free(mode);
	assert_int_equal(rc, -ENOMEM);

	/* Soon: who lost his place for it gets one again. */
	start = pdt_now_ms();
	while (in_gtt < set.count && pdt_now_ms() - start < SETTLE_MS * (uint64_t)pdt_slow()) {
		in_gtt = 0;
		pdt_sleep_ms(10);
		for (size_t k = 0; k < set.count; k++)
			in_gtt += pdt_domain(s->fd, set.bufs[k].handle) == PDT_GTT;
	}
	assert_int_equal(in_gtt, set.count);
	after = stats_of(s);
	assert_u64(after.swap_outs, before.swap_outs);
	assert_u64(after.swapped_bytes, 0);
	assert_u64(after.gtt_used, before.gtt_used);
	check_set(&set);
	free_set(s, &set);
}

/* A buffer with others' eyes on it: a dma-buf keeps what is in swap. */
static void shared_by_dmabuf(void **state)
{
	struct pdt_state *s = *state;
	uint64_t ram = meminfo("MemTotal");
	struct pdt_buffer other = { .size = 4 * PDT_MIB, .seed = SEED, .domains = PDT_GTT };
	struct set set;
	int dmabuf, fd;

	need_swap(ram / 2);
	make_set(s, &set, ram * 3 / 4, 4 * PDT_MIB, PDT_GTT);
	assert_int_equal(pdt_domain(s->fd, set.bufs[0].handle), PDT_CPU);
	assert_ok(pdt_export(s->fd, set.bufs[0].handle, &dmabuf));
	pdt_buffer_destroy(s->fd, &set.bufs[0]);

	fd = pdt_open();
	assert_true(fd >= 0);
	assert_ok(pdt_import(fd, dmabuf, &other.handle));
	close(dmabuf);
	assert_ok(pdt_mmap(fd, other.handle, other.size, &other.map));
	assert_ok(stamped(&other));
	pdt_buffer_destroy(fd, &other);
	close(fd);

	/* Each takes another's place in memory, which takes its time */
	for (size_t i = 1; i < set.count && (pdt_slow() == 1 || i < 9); i++)
		assert_ok(stamped(&set.bufs[i]));
	free_set(s, &set);
}

/* Killed at any moment, also in the middle of a way to swap or back */
static int fill_for_ever(void *arg)
{
	size_t count = *(uint64_t *)arg / (4 * PDT_MIB);
	struct pdt_buffer *bufs = calloc(count, sizeof(*bufs));
	int fd = pdt_open();

	child_check(bufs && fd >= 0);
	for (size_t i = 0; i < count; i++)
		child_check(!pdt_buffer_create(fd, &bufs[i], 4 * PDT_MIB, PDT_GTT, 0));
	for (size_t i = 0; ; i++)
		stamp(&bufs[i % count], i);
	return 0;
}

static void killed(void **state)
{
	struct pdt_state *s = *state;
	uint64_t bytes = meminfo("MemTotal") * 3 / 4;
	int status;

	need_swap(bytes);
	for (unsigned int ms = 300; ms <= 3000; ms += 900) {
		pid_t pid = pdt_fork(fill_for_ever, &bytes);

		assert_true(pid > 0);
		pdt_sleep_ms(ms);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_true(pdt_level_wait(s->fd, &s->before));
		assert_u64(stats_of(s).swapped_bytes, 0);
	}
}

/* Without a swap device the limit is the RAM's half, and nothing goes anywhere. */
static void without_swap(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before = stats_of(s), after;
	size_t count = before.gtt_free / (8 * PDT_MIB);
	struct set set;
	uint32_t handle;

	need_swap(PDT_MIB);
	need_aperture(s);
	assert_int_equal(swapoff(SWAP_DEVICE), 0);
	make_set(s, &set, count * 8 * PDT_MIB, 8 * PDT_MIB, PDT_GTT);
	assert_err(ENOMEM, pdt_create(s->fd, 16 * PDT_MIB, PDT_GTT, 0, &handle));
	assert_err(ENOMEM, pdt_create(s->fd, 16 * PDT_MIB, PDT_CPU, 0, &handle));
	after = stats_of(s);
	assert_u64(after.swap_outs, before.swap_outs);
	check_set(&set);
	free_set(s, &set);
	assert_int_equal(swapon(SWAP_DEVICE, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(twice_the_ram),
		pdt_test(in_the_cpu_domain),
		pdt_test(without_handles),
		pdt_test(out_of_vram),
		pdt_test(jobs_use_it),
		pdt_test(gives_way),
		pdt_test(crowd),
		pdt_test(swap_is_full),
		pdt_test(failure_changes_nothing),
		pdt_test(shared_by_dmabuf),
		pdt_test(killed),
		pdt_test(without_swap),
	};

	return pdt_run_tests("swap", tests);
}
