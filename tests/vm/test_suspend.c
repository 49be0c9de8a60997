// SPDX-License-Identifier: MIT
/*
 * The machine sleeps, and the card loses what was in its VRAM: nobody misses
 * anything afterwards.
 */
#include "pdt.h"

#include <sys/mman.h>
#include <unistd.h>

#define SIZE	(PDT_MIB + 3 * PDT_PAGE)
#define STAY	PDDGPU_GEM_CREATE_UNPAGEABLE
#define HIDDEN	PDDGPU_GEM_CREATE_NO_CPU_ACCESS

static void control(const char *command)
{
	char answer[512];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

static int64_t figure(const char *name)
{
	int64_t value;

	assert_ok(pdt_pm_number(name, &value));
	return value;
}

/* What VRAM holds is rubbish afterwards; and the card says that all went well. */
static void sleep_and_lose(const char *how)
{
	int64_t suspends = figure("suspends"), resumes = figure("resumes");
	int64_t failures = figure("failures");
	char *text;

	control("lose-vram");
	assert_ok(pdt_sleep(how));
	assert_u64(figure("suspends"), suspends + 1);
	assert_u64(figure("resumes"), resumes + 1);
	assert_u64(figure("failures"), failures);
	text = pdt_debugfs_read("pm_state");
	assert_non_null(text);
	assert_non_null(strstr(text, "state: active\n"));
	free(text);
}

/* What a buffer holds that no CPU sees: a job brings it to the glass */
static int seen_through(int fd, const struct pdt_buffer *glass, uint32_t handle,
			uint64_t offset, uint64_t bytes)
{
	struct drm_pddgpu_submit_op op = pdt_copy(glass->handle, 0, handle, offset, bytes);
	int rc = pdt_submit(fd, &op, 1);

	return rc ? rc : pdt_wait_idle(fd, glass->handle, 60000);
}

struct kind {
	const char *name;
	uint32_t domains;
	uint32_t flags;
};

static const struct kind kinds[] = {
	{ "vram", PDT_VRAM, 0 },
	{ "vram, visible", PDT_VRAM, PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED },
	{ "vram, contiguous", PDT_VRAM, PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS },
	{ "vram or gtt", PDT_BOTH, 0 },
	{ "vram or cpu", PDT_VRAM | PDT_CPU, 0 },
	{ "any", PDT_BOTH | PDT_CPU, 0 },
	{ "unpageable in vram", PDT_VRAM, STAY },
	{ "unpageable anywhere", PDT_BOTH, STAY },
	{ "gtt", PDT_GTT, 0 },
	{ "gtt, uncached", PDT_GTT, PDT_USWC },
	{ "unpageable in gtt", PDT_GTT, STAY },
	{ "cpu", PDT_CPU, 0 },
};

#define KINDS	PDT_ARRAY_SIZE(kinds)

/* Each kind of buffer, mapped, shared or seen by the engine alone */
static void every_kind_of_buffer(void **state)
{
	struct drm_pddgpu_gem_info before[KINDS], now;
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[KINDS], glass;
	void *shared[KINDS];
	int dmabuf[KINDS];

	assert_ok(pdt_buffer_create(s->fd, &glass, SIZE, PDT_GTT, 0));
	for (size_t i = 0; i < KINDS; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, kinds[i].domains,
					    kinds[i].flags));
		pdt_buffer_fill(&bufs[i], 100 + i);
		assert_ok(pdt_export(s->fd, bufs[i].handle, &dmabuf[i]));
		shared[i] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf[i], 0);
		assert_ptr_not_equal(shared[i], MAP_FAILED);
	}
	for (size_t i = 0; i < KINDS; i++)
		assert_ok(pdt_info(s->fd, bufs[i].handle, &before[i]));
	sleep_and_lose("mem");
	assert_true(figure("saved_bytes") >= (int64_t)(4 * SIZE));
	assert_true(figure("evicted_bytes") > 0);

	for (size_t i = 0; i < KINDS; i++) {
		assert_ok(pdt_info(s->fd, bufs[i].handle, &now));
		/* What may live nowhere else, or is to stay, is where it was */
		if (kinds[i].flags & STAY || !(kinds[i].domains & ~PDT_VRAM)) {
			assert_u64(now.offset, before[i].offset);
			assert_u64(now.domain, before[i].domain);
		}
		assert_int_equal(now.flags, before[i].flags);
		assert_true(now.domain & kinds[i].domains);
		/* By the engine, before a CPU has touched it */
		if (!(i % 2) && kinds[i].domains != PDT_CPU) {
			assert_ok(seen_through(s->fd, &glass, bufs[i].handle, 0, SIZE));
			assert_int_equal(pdt_pattern_check(glass.map, SIZE, 100 + i), -1);
		}
		if (pdt_buffer_check(&bufs[i]))
			fail_msg("%s: mapped", kinds[i].name);
		if (pdt_pattern_check(shared[i], SIZE, 100 + i) != -1)
			fail_msg("%s: shared", kinds[i].name);
		/* The chip has no address for the others */
		if (kinds[i].domains != PDT_CPU) {
			assert_ok(seen_through(s->fd, &glass, bufs[i].handle, 0, SIZE));
			assert_int_equal(pdt_pattern_check(glass.map, SIZE, 100 + i), -1);
		}
		close(dmabuf[i]);
		munmap(shared[i], SIZE);
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
	pdt_buffer_destroy(s->fd, &glass);
}

/* VRAM that no CPU reaches; and the first byte of all that is there */
static void what_no_cpu_sees(void **state)
{
	struct drm_pddgpu_memory_stats stats;
	struct pdt_state *s = *state;
	uint32_t hidden[8], own;
	struct pdt_buffer glass;
	uint64_t size;

	assert_ok(pdt_stats(s->fd, &stats));
	size = (stats.vram_total - stats.vram_visible_total) / 32 & ~(PDT_MIB - 1);
	if (!size)
		pdt_skip("all of this card's VRAM is visible");
	assert_ok(pdt_buffer_create(s->fd, &glass, PDT_MIB, PDT_GTT, 0));
	for (uint32_t i = 0; i < PDT_ARRAY_SIZE(hidden); i++) {
		assert_ok(pdt_create(s->fd, size, i % 2 ? PDT_VRAM : PDT_BOTH, HIDDEN,
				     &hidden[i]));
		assert_ok(pdt_spoil(s->fd, hidden[i], size, 0x1000 + i));
	}
	assert_ok(pdt_create(s->fd, size, PDT_VRAM, HIDDEN | STAY, &own));
	assert_ok(pdt_spoil(s->fd, own, size, 0x77));
	sleep_and_lose("mem");
	for (uint32_t i = 0; i <= PDT_ARRAY_SIZE(hidden); i++) {
		uint32_t handle = i < PDT_ARRAY_SIZE(hidden) ? hidden[i] : own;
		uint32_t wanted = i < PDT_ARRAY_SIZE(hidden) ? 0x1000 + i : 0x77;

		for (uint64_t at = 0; at < size; at += PDT_MIB) {
			assert_ok(seen_through(s->fd, &glass, handle, at, PDT_MIB));
			for (size_t n = 0; n < PDT_MIB / 4; n++)
				if (((uint32_t *)glass.map)[n] != wanted)
					fail_msg("buffer %u: %#x at %llu", i,
						 ((uint32_t *)glass.map)[n],
						 (unsigned long long)(at + 4 * n));
		}
		assert_ok(pdt_destroy(s->fd, handle));
	}
	pdt_buffer_destroy(s->fd, &glass);
}

/* Large leaves, single pages, holes between them: all is where it was */
static void page_tables(void **state)
{
	static const uint64_t sizes[] = { PDT_PAGE, 4 * PDT_MIB, 5 * PDT_PAGE, 2 * PDT_MIB };
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[40], glass;
	unsigned char byte[16];

	assert_ok(pdt_buffer_create(s->fd, &glass, 4 * PDT_MIB, PDT_VRAM, 0));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++)
		assert_ok(pdt_buffer_create(s->fd, &bufs[i],
					    sizes[i % PDT_ARRAY_SIZE(sizes)], PDT_GTT, 0));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		if (i % 3)
			pdt_buffer_fill(&bufs[i], i);
		else
			pdt_buffer_destroy(s->fd, &bufs[i]);
	}
	sleep_and_lose("mem");
	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
		struct drm_pddgpu_gem_info info;

		if (!(i % 3))
			continue;
		assert_ok(pdt_info(s->fd, bufs[i].handle, &info));
		assert_ok(pdt_control_peek(info.offset, byte, sizeof(byte)));
		assert_memory_equal(byte, bufs[i].map, sizeof(byte));
		assert_ok(seen_through(s->fd, &glass, bufs[i].handle, 0, bufs[i].size));
		assert_int_equal(pdt_pattern_check(glass.map, bufs[i].size, i), -1);
		/* And the other way */
		assert_ok(pdt_spoil(s->fd, bufs[i].handle, bufs[i].size, (uint32_t)i));
		assert_int_equal(((uint32_t *)bufs[i].map)[bufs[i].size / 4 - 1], i);
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
	pdt_buffer_destroy(s->fd, &glass);
}

/* Jobs that are under way when it begins, each of which needs the one before */
static void jobs_under_way(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[8];
	struct drm_pddgpu_submit_op op;

	for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++)
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, i % 2 ? PDT_BOTH : PDT_VRAM,
					    0));
	pdt_buffer_fill(&bufs[0], 9);
	control("delay 5000");
	for (unsigned int round = 0; round < 10; round++) {
		for (size_t i = 0; i < PDT_ARRAY_SIZE(bufs); i++) {
			op = pdt_copy(bufs[(i + 1) % PDT_ARRAY_SIZE(bufs)].handle, 0,
				      bufs[i].handle, 0, SIZE);
			assert_ok(pdt_submit(s->fd, &op, 1));
		}
	}
	/* Not what is freed while a job is to read it, either */
	op = pdt_copy(bufs[1].handle, 0, bufs[0].handle, 0, SIZE);
	assert_ok(pdt_submit(s->fd, &op, 1));
	pdt_buffer_destroy(s->fd, &bufs[0]);
	sleep_and_lose("mem");
	control("clear");
	for (size_t i = 1; i < PDT_ARRAY_SIZE(bufs); i++) {
		assert_ok(pdt_wait_idle(s->fd, bufs[i].handle, 60000));
		bufs[i].seed = 9;
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
}

/* One that waits for another device's fence sleeps too, with what it needs. */
static void jobs_that_wait_for_others(void **state)
{
	int vgem = pdt_vgem_open(), dmabuf;
	uint32_t theirs, ours, fence, from;
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op ops[2];
	struct pdt_buffer to;

	if (vgem < 0)
		pdt_skip("no vgem in this machine");
	assert_ok(pdt_vgem_create(vgem, &theirs, &dmabuf));
	assert_ok(pdt_buffer_create(s->fd, &to, SIZE, PDT_BOTH, 0));
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, 0, &from));
	assert_ok(pdt_spoil(s->fd, from, SIZE, 0x1234));
	assert_ok(pdt_import(s->fd, dmabuf, &ours));
	assert_ok(pdt_vgem_busy(vgem, theirs, &fence));

	ops[0] = pdt_copy(to.handle, 0, from, 0, SIZE);
	ops[1] = pdt_copy(to.handle, 0, ours, 0, PDT_PAGE);
	assert_ok(pdt_submit(s->fd, ops, 2));
	assert_ok(pdt_destroy(s->fd, from));
	assert_err(ETIME, pdt_wait_idle(s->fd, to.handle, 1));
	sleep_and_lose("devices");
	assert_err(ETIME, pdt_wait_idle(s->fd, to.handle, 1));
	assert_ok(pdt_vgem_signal(vgem, fence));
	assert_ok(pdt_wait_idle(s->fd, to.handle, 60000));
	assert_int_equal(pdt_zero_check(to.map, PDT_PAGE), -1);
	for (size_t n = PDT_PAGE / 4; n < SIZE / 4; n++)
		assert_int_equal(((uint32_t *)to.map)[n], 0x1234);
	pdt_buffer_destroy(s->fd, &to);
	assert_ok(pdt_destroy(s->fd, ours));
	close(dmabuf);
	close(vgem);
}

/* An engine that hangs is dealt with first; its job alone has failed. */
static void a_hung_engine(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer buf, other;

	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_VRAM, 0));
	assert_ok(pdt_buffer_create(s->fd, &other, SIZE, PDT_VRAM, 0));
	pdt_buffer_fill(&buf, 3);
	pdt_buffer_fill(&other, 4);
	control("hang 0");
	op = pdt_fill(other.handle, 0, 4, 5);
	assert_ok(pdt_submit(s->fd, &op, 1));
	op = pdt_copy(other.handle, 0, buf.handle, 0, SIZE);
	assert_ok(pdt_submit(s->fd, &op, 1));
	sleep_and_lose("mem");
	assert_ok(pdt_wait_idle(s->fd, other.handle, 60000));
	other.seed = 3;
	assert_ok(pdt_buffer_check(&buf));
	assert_ok(pdt_buffer_check(&other));
	pdt_buffer_destroy(s->fd, &buf);
	pdt_buffer_destroy(s->fd, &other);
	control("clear");
}

/* Nothing that is free is taken for clear: it holds what a lost VRAM holds. */
static void new_buffers_are_zeros(void **state)
{
	static const uint64_t sizes[] = { PDT_PAGE, 64 * PDT_KIB, PDT_MIB, 6 * PDT_MIB };
	struct drm_pddgpu_memory_stats stats;
	struct pdt_state *s = *state;
	uint32_t handle[64], big;
	struct pdt_buffer glass;
	size_t n = 0;

	assert_ok(pdt_glass_create(s->fd, &glass));
	assert_ok(pdt_stats(s->fd, &stats));
	/* Used, cleared in the background, and then lost */
	assert_ok(pdt_create(s->fd, stats.vram_free / 2, PDT_VRAM, 0, &big));
	assert_ok(pdt_spoil(s->fd, big, stats.vram_free / 2, 0xa5a5a5a5));
	assert_ok(pdt_destroy(s->fd, big));
	pdt_sleep_ms(300);
	sleep_and_lose("mem");
	for (; n < PDT_ARRAY_SIZE(handle); n++) {
		uint64_t size = sizes[n % PDT_ARRAY_SIZE(sizes)];

		if (pdt_create(s->fd, size, PDT_VRAM, n % 3 ? 0 : HIDDEN, &handle[n]))
			break;
		assert_ok(pdt_glass_zero_check(s->fd, &glass, handle[n], size, size));
	}
	assert_true(n > 4);
	while (n)
		assert_ok(pdt_destroy(s->fd, handle[--n]));
	pdt_buffer_destroy(s->fd, &glass);
}

static void fill_all(int fd, struct pdt_buffer *bufs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_ok(pdt_mmap(fd, bufs[i].handle, bufs[i].size, &bufs[i].map));
		pdt_buffer_fill(&bufs[i], i);
	}
}

/* VRAM is full of what may live nowhere else, and system pages nearly are too. */
static void all_memory_in_use(void **state)
{
	struct drm_pddgpu_memory_stats stats;
	struct pdt_state *s = *state;
	static struct pdt_buffer vram[256], gtt[256];
	size_t nv, ng;
	int err;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_free > 128 * PDT_MIB)
		pdt_skip("too much to fill");
	nv = pdt_fill_domain(s->fd, vram, PDT_ARRAY_SIZE(vram), PDT_MIB - PDT_PAGE, PDT_VRAM,
			     &err);
	assert_int_equal(err, -ENOMEM);
	ng = pdt_fill_domain(s->fd, gtt, PDT_ARRAY_SIZE(gtt),
			     pdt_pages(stats.gtt_free / 50), PDT_GTT, &err);
	assert_int_equal(err, -ENOMEM);
	fill_all(s->fd, vram, nv);
	fill_all(s->fd, gtt, ng);
	sleep_and_lose("mem");
	for (size_t i = 0; i < nv; i++) {
		assert_ok(pdt_buffer_check(&vram[i]));
		assert_int_equal(pdt_domain(s->fd, vram[i].handle), PDT_VRAM);
		pdt_buffer_destroy(s->fd, &vram[i]);
	}
	for (size_t i = 0; i < ng; i++) {
		assert_ok(pdt_buffer_check(&gtt[i]));
		pdt_buffer_destroy(s->fd, &gtt[i]);
	}
}

/* A sleep makes nothing, frees nothing, and makes nobody older. */
static void what_is_counted(void **state)
{
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[3];

	for (size_t i = 0; i < 3; i++)
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], SIZE, i ? PDT_VRAM : PDT_GTT, 0));
	assert_ok(pdt_stats(s->fd, &before));
	sleep_and_lose("mem");
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(after.vram_used, before.vram_used);
	assert_u64(after.vram_visible_used, before.vram_visible_used);
	assert_u64(after.gtt_used, before.gtt_used);
	assert_u64(after.live_objects, before.live_objects);
	assert_u64(after.orphan_objects, 0);
	assert_u64(after.zombie_objects, 0);
	assert_u64(after.total_allocations, before.total_allocations);
	assert_u64(after.total_deallocations, before.total_deallocations);
	assert_u64(after.failed_allocations, before.failed_allocations);
	assert_u64(after.evictions, before.evictions);
	assert_u64(after.moves, before.moves);
	for (size_t i = 0; i < 3; i++)
		pdt_buffer_destroy(s->fd, &bufs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(every_kind_of_buffer),
		pdt_test(what_no_cpu_sees),
		pdt_test(page_tables),
		pdt_test(jobs_under_way),
		pdt_test(jobs_that_wait_for_others),
		pdt_test(a_hung_engine),
		pdt_test(new_buffers_are_zeros),
		pdt_test(all_memory_in_use),
		pdt_test(what_is_counted),
	};

	return pdt_run_tests("suspend", tests);
}
