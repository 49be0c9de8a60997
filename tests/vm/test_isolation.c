// SPDX-License-Identifier: MIT
/* What one process wrote no other can read. */
#include "pdt.h"

#include <sys/mman.h>
#include <unistd.h>

#define CHUNK		(2 * PDT_MIB)
#define MAX_CHUNKS	512
#define MOST		(256 * PDT_MIB)	/* of one domain, for the machine's time */

struct owner {
	uint32_t domains;
	uint32_t flags;
	/* Where the last owner's bytes are moved before it ends; 0: nowhere */
	uint32_t moved_to;
	unsigned int count;
};

/* Takes all of a domain and writes a secret into each word. */
static int write_secrets(void *arg)
{
	const struct owner *owner = arg;
	static struct pdt_buffer bufs[MAX_CHUNKS];
	int fd = pdt_open();

	child_check(fd >= 0);
	for (unsigned int i = 0; i < owner->count; i++) {
		child_check(!pdt_buffer_create(fd, &bufs[i], CHUNK, owner->domains, owner->flags));
		memset(bufs[i].map, 0xa5, CHUNK);
		if (owner->moved_to)
			child_check(!pdt_set_domain(fd, bufs[i].handle, owner->moved_to, NULL));
	}
	/* Half of it is given back in order, the rest as the process ends. */
	for (unsigned int i = 0; i < owner->count / 2; i++)
		pdt_buffer_destroy(fd, &bufs[i]);
	return 0;
}

/* Takes all of a domain and looks for anything. */
static int find_secrets(void *arg)
{
	const struct owner *owner = arg;
	static struct pdt_buffer bufs[MAX_CHUNKS];
	int fd = pdt_open();

	child_check(fd >= 0);
	child_check(!pdt_become_user(1000));
	for (unsigned int i = 0; i < owner->count; i++) {
		child_check(!pdt_buffer_create(fd, &bufs[i], CHUNK, owner->domains, owner->flags));
		child_check(pdt_zero_check(bufs[i].map, CHUNK) < 0);
	}
	return 0;
}

/* Chunks of a domain that are free now */
static unsigned int free_chunks(struct pdt_state *s, uint32_t domain)
{
	struct drm_pddgpu_memory_stats stats;
	uint64_t bytes;

	assert_ok(pdt_stats(s->fd, &stats));
	bytes = domain == PDT_VRAM ? stats.vram_visible_total - stats.vram_visible_used :
				     stats.gtt_free;
	/* Something has to be left for page tables and the rest of the machine. */
	return (unsigned int)((bytes < MOST ? bytes : MOST) / CHUNK) - 1;
}

static void check_handover(struct pdt_state *s, struct owner from, struct owner to)
{
	assert_int_equal(pdt_run(write_secrets, &from), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
	assert_int_equal(pdt_run(find_secrets, &to), 0);
	assert_true(pdt_level_wait(s->fd, &s->before));
}

static void vram_comes_as_zeros(void **state)
{
	struct pdt_state *s = *state;
	struct owner owner = { .domains = PDT_VRAM, .count = free_chunks(s, PDT_VRAM) };

	check_handover(s, owner, owner);
}

/* The flag changes nothing: memory is always cleared. */
static void vram_cleared_flag(void **state)
{
	struct pdt_state *s = *state;
	struct owner from = { .domains = PDT_VRAM, .count = 8 }, to = from;

	to.flags = PDDGPU_GEM_CREATE_VRAM_CLEARED;
	check_handover(s, from, to);
	to.flags |= PDDGPU_GEM_CREATE_VRAM_CONTIGUOUS;
	check_handover(s, from, to);
}

static void gtt_comes_as_zeros(void **state)
{
	struct pdt_state *s = *state;
	struct owner owner = { .domains = PDT_GTT, .count = free_chunks(s, PDT_GTT) };

	check_handover(s, owner, owner);
}

/* Pages with another caching come from a pool of their own. */
static void write_combined_pages(void **state)
{
	struct pdt_state *s = *state;
	struct owner from = { .domains = PDT_GTT, .flags = PDT_USWC, .count = 12 }, to = from;

	check_handover(s, from, to);
	to.flags = 0;
	check_handover(s, from, to);
	to.domains = PDT_CPU;
	check_handover(s, from, to);
}

/* From one domain to another, either way */
static void between_domains(void **state)
{
	struct pdt_state *s = *state;
	static const uint32_t single[] = { PDT_VRAM, PDT_GTT, PDT_CPU };

	for (size_t from = 0; from < PDT_ARRAY_SIZE(single); from++)
		for (size_t to = 0; to < PDT_ARRAY_SIZE(single); to++)
			check_handover(s,
				       (struct owner) { .domains = single[from], .count = 8 },
				       (struct owner) { .domains = single[to], .count = 8 });
}

/* A move leaves the old place behind, written. */
static void place_left_by_a_move(void **state)
{
	struct pdt_state *s = *state;
	static const uint32_t single[] = { PDT_VRAM, PDT_GTT, PDT_CPU };

	for (size_t from = 0; from < PDT_ARRAY_SIZE(single); from++) {
		struct owner owner = {
			.domains = single[from],
			.moved_to = single[(from + 1) % 3],
			.count = 8,
		};

		check_handover(s, owner, (struct owner) { .domains = single[from], .count = 8 });
	}
}

/* The same while the mover still lives */
static void place_left_by_an_eviction(void **state)
{
	struct pdt_state *s = *state;
	struct owner owner = { .domains = PDT_VRAM, .count = 4 };
	static struct pdt_buffer bufs[MAX_CHUNKS];
	unsigned int count = free_chunks(s, PDT_VRAM);

	if (free_chunks(s, PDT_GTT) < 12)
		pdt_skip("the GTT is too small");
	for (unsigned int i = 0; i < count; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], CHUNK, PDT_BOTH, 0));
		pdt_buffer_fill(&bufs[i], i + 1);
	}
	assert_int_equal(pdt_run(find_secrets, &owner), 0);
	for (unsigned int i = 0; i < count; i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
}

/* The rest of a page that was not asked for */
static void end_of_the_last_page(void **state)
{
	static const uint32_t single[] = { PDT_VRAM, PDT_GTT, PDT_CPU };
	struct pdt_state *s = *state;
	uint32_t handle;
	void *map;

	for (unsigned int i = 0; i < 100; i++) {
		assert_ok(pdt_create(s->fd, 1, single[i % 3], 0, &handle));
		assert_ok(pdt_mmap(s->fd, handle, PDT_PAGE, &map));
		assert_int_equal(pdt_zero_check(map, PDT_PAGE), -1);
		memset(map, 0xff, PDT_PAGE);
		munmap(map, PDT_PAGE);
		assert_ok(pdt_destroy(s->fd, handle));
	}
}

struct searcher {
	bool stop;
};

/* One writes and frees, the others take and look, all the time. */
static int write_or_look(void *arg, unsigned int index)
{
	struct searcher *searcher = arg;
	int fd = pdt_open();
	struct pdt_buffer buf;

	child_check(fd >= 0);
	for (unsigned int i = 0; !__atomic_load_n(&searcher->stop, __ATOMIC_RELAXED); i++) {
		child_check(!pdt_buffer_create(fd, &buf, 16 * PDT_PAGE,
					       i % 2 ? PDT_VRAM : PDT_GTT, 0));
		child_check(pdt_zero_check(buf.map, buf.size) < 0);
		memset(buf.map, 0x77, buf.size);
		pdt_buffer_destroy(fd, &buf);
		if (!index && i == 300)
			__atomic_store_n(&searcher->stop, true, __ATOMIC_RELAXED);
	}
	close(fd);
	return 0;
}

static void handed_over_at_once(void **state)
{
	struct searcher searcher = { 0 };

	(void)state;
	assert_int_equal(pdt_threads(4, write_or_look, &searcher), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(vram_comes_as_zeros),
		pdt_test(vram_cleared_flag),
		pdt_test(gtt_comes_as_zeros),
		pdt_test(write_combined_pages),
		pdt_test(between_domains),
		pdt_test(place_left_by_a_move),
		pdt_test(place_left_by_an_eviction),
		pdt_test(end_of_the_last_page),
		pdt_test(handed_over_at_once),
	};

	return pdt_run_tests("isolation", tests);
}
