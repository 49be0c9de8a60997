// SPDX-License-Identifier: MIT
/*
 * Room in the visible part of VRAM that is made while the paging engine is being
 * lost. Leaves such a card, so it is the last in its VM.
 */
#include "pdt.h"

#define SIZE	(4 * PDT_MIB)
#define MOST	1024

/*
 * What was to go where no CPU reaches has not gone there: it is what it was, and
 * not what another had left there.
 */
static void victim_stays(void **state)
{
	const uint32_t seen = PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED;
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct drm_pddgpu_submit_op op;
	struct pdt_buffer victim, glass;
	uint32_t handles[MOST];
	char answer[256];
	size_t n = 0;

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_total - stats.vram_visible_total < 2 * SIZE ||
	    stats.vram_visible_total / SIZE >= MOST)
		pdt_skip("made for a card with some invisible VRAM");
	assert_ok(pdt_buffer_create(s->fd, &glass, SIZE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &victim, SIZE, PDT_VRAM, 0));
	pdt_buffer_fill(&victim, 5);
	assert_ok(pdt_stats(s->fd, &stats));
	while (stats.vram_visible_total - stats.vram_visible_used >= SIZE) {
		assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM, seen, &handles[n++]));
		assert_ok(pdt_stats(s->fd, &stats));
	}
	assert_ok(pdt_parameter("chip_resets", "0"));
	assert_ok(pdt_control("fail-reset 1", answer, sizeof(answer)));
	assert_ok(pdt_control("hang 1", answer, sizeof(answer)));
	/* Whether it gets room or not */
	if (!pdt_create(s->fd, SIZE, PDT_VRAM, seen, &handles[n]))
		n++;
	assert_true(pdt_log_wait(&s->log, "engine 1 is lost"));
	op = pdt_copy(glass.handle, 0, victim.handle, 0, SIZE);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, glass.handle, 60000));
	assert_int_equal(pdt_pattern_check(glass.map, SIZE, victim.seed), -1);

	pdt_buffer_destroy(s->fd, &victim);
	pdt_buffer_destroy(s->fd, &glass);
	while (n--)
		assert_ok(pdt_destroy(s->fd, handles[n]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(victim_stays),
	};

	return pdt_run_tests("hide", tests);
}
