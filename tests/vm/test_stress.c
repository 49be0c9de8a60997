// SPDX-License-Identifier: MIT
/* Many threads and processes at once; the statistics count every one of them. */
#include "pdt.h"

#include <unistd.h>

#define PROCESSES	4
#define THREADS		8
#define CREATES		313	/* by each thread: 10,016 in all, fewer on a slow kernel */
#define KEPT		8	/* buffers that a thread has at most */

/* What the processes share */
struct tally {
	uint64_t created;
	uint64_t bytes;
};

struct job {
	struct tally *tally;
	int fd;
	unsigned int process;
	unsigned int creates;
};

static const uint32_t choices[] = {
	PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_VRAM, PDT_GTT, PDT_BOTH, PDT_BOTH, PDT_CPU,
};

/* Few pages mostly, now and then many */
static uint64_t random_size(uint64_t r)
{
	uint64_t pages = 1 + r % 4;

	if (!(r / 4 % 32))
		pages += r / 128 % 64;
	return pages * PDT_PAGE - r / 8192 % PDT_PAGE;
}

static int replace(struct job *job, struct pdt_buffer *slot, uint64_t *random)
{
	uint64_t r = pdt_random(random), seed = pdt_random(random);
	uint64_t size = random_size(r);
	uint32_t flags = r >> 40 & 1 ? PDT_USWC : 0;

	if (slot->map) {
		child_check(!pdt_buffer_check(slot));
		pdt_buffer_destroy(job->fd, slot);
	}
	child_check(!pdt_buffer_create(job->fd, slot, pdt_pages(size),
				       choices[r >> 50 & 7], flags));
	child_check(pdt_zero_check(slot->map, 64) < 0);
	pdt_buffer_fill(slot, seed);
	__atomic_add_fetch(&job->tally->created, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&job->tally->bytes, slot->size, __ATOMIC_RELAXED);
	return 0;
}

static int thread_main(void *arg, unsigned int index)
{
	struct job *job = arg;
	struct pdt_buffer slots[KEPT] = { 0 };
	uint64_t random = 1 + job->process * 1000 + index;

	pdt_random(&random);
	for (unsigned int i = 0; i < job->creates; i++) {
		struct pdt_buffer *slot = &slots[pdt_random(&random) % KEPT];

		if (replace(job, slot, &random))
			return 1;
		/* Some move, and some are only looked at */
		slot = &slots[pdt_random(&random) % KEPT];
		if (slot->map && slot->domains == PDT_BOTH && i % 4 == 0)
			child_check(!pdt_set_domain(job->fd, slot->handle,
						    i % 8 ? PDT_GTT : PDT_BOTH, NULL));
		if (slot->map && i % 8 == 1)
			child_check(!pdt_buffer_check(slot));
	}
	for (size_t i = 0; i < KEPT; i++) {
		if (slots[i].map)
			child_check(!pdt_buffer_check(&slots[i]));
		pdt_buffer_destroy(job->fd, &slots[i]);
	}
	return 0;
}

static int process_main(void *arg)
{
	struct job *job = arg;
	unsigned int failed;

	job->fd = pdt_open();
	child_check(job->fd >= 0);
	failed = pdt_threads(THREADS, thread_main, job);
	close(job->fd);
	return failed ? 1 : 0;
}

static uint64_t sum(const __u64 *after, const __u64 *before)
{
	uint64_t total = 0;

	for (size_t i = 0; i < PDDGPU_LATENCY_BUCKETS; i++)
		total += after[i] - before[i];
	return total;
}

/* An average lies within what the histogram's buckets allow. */
static void assert_plausible(uint64_t average, const __u64 *histogram)
{
	uint64_t low = 0, high = 0, count = 0;

	for (unsigned int i = 0; i < PDDGPU_LATENCY_BUCKETS; i++) {
		low += histogram[i] * (i ? 1ULL << i : 0);
		high += histogram[i] * (2ULL << i);
		count += histogram[i];
	}
	assert_true(count > 0);
	if (average < low / count || average > high / count)
		fail_msg("average %llu, by its histogram between %llu and %llu",
			 (unsigned long long)average, (unsigned long long)(low / count),
			 (unsigned long long)(high / count));
	/* A page takes longer than a nanosecond and less than a minute. */
	assert_in_range(average, 2, 60000000000ULL);
}

static void ten_thousand(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct tally *tally = pdt_shared(sizeof(*tally));
	const unsigned int creates = pdt_many(CREATES);
	struct job jobs[PROCESSES];
	pid_t pids[PROCESSES];
	int bad = 0;

	assert_non_null(tally);
	assert_ok(pdt_debugfs_write("reset_stats", "1"));
	assert_ok(pdt_stats(s->fd, &before));
	for (unsigned int i = 0; i < PROCESSES; i++) {
		jobs[i] = (struct job) { .tally = tally, .process = i, .creates = creates };
		pids[i] = pdt_fork(process_main, &jobs[i]);
	}
	for (unsigned int i = 0; i < PROCESSES; i++)
		bad += pdt_wait(pids[i]) != 0;
	assert_int_equal(bad, 0);
	assert_u64(tally->created, PROCESSES * THREADS * creates);

	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.total_allocations - before.total_allocations, tally->created);
	assert_u64(after.total_deallocations - before.total_deallocations, tally->created);
	assert_u64(after.failed_allocations, before.failed_allocations);
	assert_u64(after.vram_visible_used, before.vram_visible_used);
	assert_u64(after.live_objects + after.orphan_objects + after.zombie_objects,
		   s->before.objects);
	assert_u64(after.live_bytes, before.live_bytes);
	assert_u64(sum(after.allocation_histogram, before.allocation_histogram), tally->created);
	assert_u64(sum(after.deallocation_histogram, before.deallocation_histogram),
		   tally->created);
	assert_u64(sum(after.move_histogram, before.move_histogram), after.moves - before.moves);
	assert_plausible(after.avg_allocation_time, after.allocation_histogram);
	assert_plausible(after.avg_deallocation_time, after.deallocation_histogram);
	assert_plausible(after.avg_move_time, after.move_histogram);
}

/* A hundred threads of one process, on one file; $PDT_STRESS seconds long */
static void hundred_threads(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct tally *tally = pdt_shared(sizeof(*tally));
	struct job job = { .tally = tally, .fd = s->fd, .process = 77, .creates = 10 };
	uint64_t end = pdt_now_ms() + pdt_count("PDT_STRESS", 0) * 1000ULL;
	uint64_t rounds = 0;

	assert_non_null(tally);
	assert_ok(pdt_stats(s->fd, &before));
	do {
		assert_int_equal(pdt_threads(100, thread_main, &job), 0);
		assert_u64(tally->created, ++rounds * 1000);
		job.process++;
		assert_true(pdt_level_wait(s->fd, &s->before));
	} while (pdt_now_ms() < end);
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.total_allocations - before.total_allocations, rounds * 1000);
	assert_u64(after.total_deallocations - before.total_deallocations, rounds * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(ten_thousand),
		pdt_test(hundred_threads),
	};

	return pdt_run_tests("stress", tests);
}
