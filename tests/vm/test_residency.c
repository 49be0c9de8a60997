// SPDX-License-Identifier: MIT
/* Lists of what is where, and page-out, least recently used first. */
#include "pdt.h"

#include <unistd.h>

#define BUFFERS	6

/* All of different sizes, by which they are known in lists */
static uint64_t size_of(size_t i)
{
	return (256 + 16 * i + 1) * PDT_PAGE;
}

static void make(struct pdt_state *s, struct pdt_buffer *bufs, uint32_t domains)
{
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], size_of(i), domains, 0));
		pdt_buffer_fill(&bufs[i], 100 + i);
	}
}

static void check_and_free(struct pdt_state *s, struct pdt_buffer *bufs)
{
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
	assert_true(pdt_level_wait(s->fd, &s->before));
}

static void assert_order(const char *segment, const char *list, const size_t *want, int count)
{
	uint64_t sizes[64];

	assert_int_equal(pdt_listed(segment, list, sizes, 64), count);
	for (int i = 0; i < count; i++) {
		if (sizes[i] != size_of(want[i]))
			fail_msg("%s %s: number %d is %llu bytes, not %llu", segment, list, i,
				 (unsigned long long)sizes[i],
				 (unsigned long long)size_of(want[i]));
	}
}

/*
 * Use numbers 0 to 2: by a job, SET_DOMAIN, the CPU. Only the first touch after a
 * move faults, so what the CPU is to use has gone to the GTT and back.
 */
static void use_three(struct pdt_state *s, struct pdt_buffer *bufs)
{
	struct drm_pddgpu_submit_op op = pdt_copy(bufs[0].handle, 0, bufs[0].handle, 0, 64);
	volatile uint32_t *map = bufs[2].map;
	struct drm_pddgpu_gem_info info;

	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, bufs[0].handle, 5000));
	assert_ok(pdt_set_domain(s->fd, bufs[1].handle, bufs[1].domains, NULL));
	(void)*map;
	/* To ask is not to use. */
	assert_ok(pdt_info(s->fd, bufs[4].handle, &info));
	assert_ok(pdt_info(s->fd, bufs[3].handle, &info));
}

/* Everything out and back once, so that nothing is mapped */
static void out_and_back(struct pdt_state *s, struct pdt_buffer *bufs)
{
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_set_domain(s->fd, bufs[i].handle, PDT_GTT, NULL));
		assert_ok(pdt_set_domain(s->fd, bufs[i].handle, bufs[i].domains, NULL));
		assert_int_equal(pdt_domain(s->fd, bufs[i].handle), PDT_VRAM);
	}
}

static void order_follows_use(void **state)
{
	static const size_t made[] = { 0, 1, 2, 3, 4, 5 }, used[] = { 3, 4, 5, 0, 1, 2 };
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[BUFFERS];

	make(s, bufs, PDT_BOTH);
	out_and_back(s, bufs);
	assert_order("vram", "pageable", made, BUFFERS);
	use_three(s, bufs);
	assert_order("vram", "pageable", used, BUFFERS);
	check_and_free(s, bufs);
}

static void page_out_follows_use(void **state)
{
	static const size_t rest[] = { 0, 1, 2 }, gone[] = { 3, 4, 5 };
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats before, after;
	struct pdt_buffer bufs[BUFFERS];
	uint64_t moved;

	make(s, bufs, PDT_BOTH);
	out_and_back(s, bufs);
	use_three(s, bufs);
	assert_ok(pdt_stats(s->fd, &before));

	/* A byte of it takes a whole buffer; more takes more, in order. */
	assert_ok(pdt_page_out("vram", 1, &moved));
	assert_u64(moved, size_of(3));
	assert_int_equal(pdt_domain(s->fd, bufs[3].handle), PDT_GTT);
	assert_ok(pdt_page_out("vram", size_of(4) + 1, &moved));
	assert_u64(moved, size_of(4) + size_of(5));
	assert_order("vram", "pageable", rest, 3);
	assert_order("gtt", "pageable", gone, 3);
	assert_ok(pdt_stats(s->fd, &after));
	assert_u64(before.vram_used - after.vram_used, size_of(3) + size_of(4) + size_of(5));
	assert_u64(after.gtt_used - before.gtt_used, size_of(3) + size_of(4) + size_of(5));
	check_and_free(s, bufs);
}

/* All there is when more is asked for; and nowhere that a buffer may not be. */
static void within_their_domains(void **state)
{
	static const struct {
		uint32_t domains, from, to;
		const char *segment;
	} cases[] = {
		{ PDT_VRAM | PDT_CPU, PDT_VRAM, PDT_CPU, "vram" },
		{ PDT_VRAM | PDT_GTT | PDT_CPU, PDT_VRAM, PDT_GTT, "vram" },
		{ PDT_GTT | PDT_CPU, PDT_GTT, PDT_CPU, "gtt" },
	}, stuck[] = {
		{ PDT_VRAM, PDT_VRAM, 0, "vram" },
	};
	struct pdt_state *s = *state;
	struct pdt_buffer buf, stays;
	uint64_t moved;

	assert_err(ENOENT, pdt_page_out("vram", PDT_PAGE, &moved));
	assert_u64(moved, 0);
	for (size_t i = 0; i < PDT_ARRAY_SIZE(cases); i++) {
		assert_ok(pdt_buffer_create(s->fd, &stays, PDT_MIB, stuck[0].domains, 0));
		pdt_buffer_fill(&stays, 2);
		assert_ok(pdt_buffer_create(s->fd, &buf, PDT_MIB, cases[i].domains, 0));
		pdt_buffer_fill(&buf, i);
		assert_int_equal(pdt_domain(s->fd, buf.handle), cases[i].from);
		assert_ok(pdt_page_out(cases[i].segment, 8 * PDT_MIB, &moved));
		assert_u64(moved, PDT_MIB);
		assert_int_equal(pdt_domain(s->fd, buf.handle), cases[i].to);
		assert_ok(pdt_buffer_check(&buf));
		assert_err(EBUSY, pdt_page_out("vram", PDT_PAGE, &moved));
		assert_u64(moved, 0);
		assert_int_equal(pdt_domain(s->fd, stays.handle), PDT_VRAM);
		assert_ok(pdt_buffer_check(&stays));
		pdt_buffer_destroy(s->fd, &buf);
		pdt_buffer_destroy(s->fd, &stays);
		assert_true(pdt_level_wait(s->fd, &s->before));
	}
}

static void lists_add_up(void **state)
{
	static const size_t none[] = { 0 };
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer bufs[BUFFERS];
	uint32_t cpu, gtt;
	char *text, want[128];

	make(s, bufs, PDT_BOTH);
	assert_ok(pdt_create(s->fd, size_of(0), PDT_CPU, 0, &cpu));
	assert_ok(pdt_create(s->fd, size_of(0), PDT_GTT | PDT_CPU, PDDGPU_GEM_CREATE_UNPAGEABLE,
			     &gtt));
	assert_order("cpu", "pageable", none, 1);
	assert_order("gtt", "user", none, 1);
	assert_order("gtt", "pageable", none, 0);

	assert_ok(pdt_stats(s->fd, &stats));
	assert_u64(pdt_residency_sum("vram_unpageable_bytes"), stats.kernel_bytes);
	assert_u64(pdt_residency_sum("vram_pageable_bytes"),
		   stats.vram_used - stats.kernel_bytes);
	assert_u64(pdt_residency_sum("vram_pageable_count"), BUFFERS);
	assert_u64(pdt_residency_sum("gtt_unpageable_bytes"), size_of(0));
	assert_u64(pdt_residency_sum("gtt_unpageable_count"), 1);
	assert_u64(pdt_residency_sum("cpu_pageable_bytes"), size_of(0));

	text = pdt_debugfs_read("residency");
	assert_non_null(text);
	snprintf(want, sizeof(want), "%-8s %-10s %-12llu %-12s %-8d test_residency\n", "gtt",
		 "user", (unsigned long long)size_of(0), "gtt,cpu", getpid());
	if (!strstr(text, want))
		fail_msg("no line \"%s\" in\n%s", want, text);
	assert_null(strstr(text, "ffff"));
	free(text);
	assert_ok(pdt_destroy(s->fd, cpu));
	assert_ok(pdt_destroy(s->fd, gtt));
	check_and_free(s, bufs);
}

static void bad_input(void **state)
{
	static const char *const rubbish[] = {
		"", "\n", "vram", "vram ", "vram\n", "vram x", "vram 1x", "vram 1KK", "vram 1 ",
		"vram 1 2", " vram 1", "vram  1", "vram -1", "vram +1", "vram 0x10", "vram 1.5M",
		"cpu 1M", "VRAM 1M", "system 1M", "64M", "vram\t1M", "vram M", "vram 1\n\n",
	}, *const too_much[] = {
		"vram 0", "gtt 0", "vram 1024G", "gtt 1024G", "vram 18446744073709551615",
		"vram 18446744073709551616", "vram 99999999999G",
	};
	struct pdt_state *s = *state;
	uint32_t handle;
	char big[512];
	uint64_t moved;

	assert_ok(pdt_create(s->fd, PDT_MIB, PDT_BOTH, 0, &handle));
	for (size_t i = 0; i < PDT_ARRAY_SIZE(rubbish); i++) {
		if (pdt_debugfs_write("page_out", rubbish[i]) != -EINVAL && rubbish[i][0])
			fail_msg("\"%s\" was not refused", rubbish[i]);
	}
	for (size_t i = 0; i < PDT_ARRAY_SIZE(too_much); i++)
		assert_err(ERANGE, pdt_debugfs_write("page_out", too_much[i]));
	memset(big, '1', sizeof(big));
	memcpy(big, "vram ", 5);
	big[sizeof(big) - 1] = '\0';
	assert_err(EINVAL, pdt_debugfs_write("page_out", big));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_VRAM);
	assert_ok(pdt_debugfs_write("page_out", "vram 1k\n"));
	assert_int_equal(pdt_domain(s->fd, handle), PDT_GTT);
	assert_err(EBUSY, pdt_page_out("gtt", 4096, &moved));
	assert_ok(pdt_destroy(s->fd, handle));
}

struct churn {
	int fd;
	volatile bool stop;
};

/* Buffers that come, move and go; a reader; one who pages out */
static int churn(void *arg, unsigned int index)
{
	struct churn *churn = arg;
	uint64_t random = index + 1;
	uint32_t handles[32] = { 0 };

	if (index == 0) {
		for (unsigned int i = 0; i < 150; i++) {
			char *text = pdt_debugfs_read("residency");

			child_check(text);
			free(text);
		}
		churn->stop = true;
		return 0;
	}
	while (!churn->stop) {
		uint64_t r = pdt_random(&random);
		uint32_t *handle = &handles[r % 32];
		int rc;

		if (index == 1) {
			rc = pdt_page_out("vram", 64 * PDT_KIB, NULL);
			child_check(!rc || rc == -ENOENT || rc == -EBUSY);
		} else if (!*handle) {
			child_check(!pdt_create(churn->fd, (1 + r % 16) * PDT_PAGE,
						PDT_BOTH | PDT_CPU, 0, handle));
		} else if (r & 1 << 6) {
			child_check(!pdt_set_domain(churn->fd, *handle, PDT_BOTH | PDT_CPU,
						    NULL));
		} else {
			child_check(!pdt_destroy(churn->fd, *handle));
			*handle = 0;
		}
	}
	for (size_t i = 0; i < 32; i++)
		child_check(!handles[i] || !pdt_destroy(churn->fd, handles[i]));
	return 0;
}

static void read_while_all_moves(void **state)
{
	struct pdt_state *s = *state;
	struct churn shared = { .fd = s->fd };

	assert_int_equal(pdt_threads(4, churn, &shared), 0);
}

/* More than are read in one go */
static void many(void **state)
{
	static uint32_t handles[5000];
	static uint64_t sizes[5000];
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	size_t count = PDT_ARRAY_SIZE(handles);

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_free < count * 4 * PDT_PAGE)
		count = stats.vram_free / 4 / PDT_PAGE;
	for (size_t i = 0; i < count; i++)
		assert_ok(pdt_create(s->fd, (1 + i % 3) * PDT_PAGE, PDT_BOTH, 0, &handles[i]));
	assert_int_equal(pdt_listed("vram", "pageable", sizes, (int)count), count);
	for (size_t i = 0; i < count; i++)
		assert_u64(sizes[i], (1 + i % 3) * PDT_PAGE);
	for (size_t i = 0; i < count; i++)
		assert_ok(pdt_destroy(s->fd, handles[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(order_follows_use),
		pdt_test(page_out_follows_use),
		pdt_test(within_their_domains),
		pdt_test(lists_add_up),
		pdt_test(bad_input),
		pdt_test(read_while_all_moves),
		pdt_test(many),
	};

	return pdt_run_tests("residency", tests);
}
