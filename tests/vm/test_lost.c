// SPDX-License-Identifier: MIT
/*
 * VRAM that nobody reaches any more. Leaves a card whose paging engine is lost,
 * so it is the last in its VM; the kernel clears no pages of itself there.
 */
#include "pdt.h"

#define SIZE	(8 * PDT_MIB)

/*
 * Where no engine is left, what lies in there is lost as it is evicted. What is
 * found in its place is nobody else's, also in a kernel that clears no pages.
 */
static void what_is_lost_is_zeros(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer secret, lost;
	struct drm_pddgpu_submit_op op;
	uint32_t handle;
	char answer[256];

	assert_ok(pdt_stats(s->fd, &stats));
	if (stats.vram_total - stats.vram_visible_total < 8 * SIZE)
		pdt_skip("all of this card's VRAM is visible");
	assert_ok(pdt_create(s->fd, SIZE, PDT_VRAM | PDT_GTT, 0, &lost.handle));
	lost.size = SIZE;
	op = pdt_fill(lost.handle, 0, SIZE, 0x11111111);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, lost.handle, 60000));

	/* Pages that the next one gets */
	assert_ok(pdt_buffer_create(s->fd, &secret, 8 * SIZE, PDT_GTT, 0));
	memset(secret.map, 0xa5, secret.size);
	pdt_buffer_destroy(s->fd, &secret);

	assert_ok(pdt_control("fail-reset 1000", answer, sizeof(answer)));
	assert_ok(pdt_control("hang 1", answer, sizeof(answer)));
	/* It cannot be cleared either */
	assert_ok(pdt_stats(s->fd, &stats));
	assert_true(pdt_create(s->fd, stats.vram_free + SIZE / 2, PDT_VRAM, 0, &handle) < 0);
	assert_true(pdt_log_wait(&s->log, "engine 1 is lost"));
	assert_int_equal(pdt_domain(s->fd, lost.handle), PDT_GTT);
	assert_ok(pdt_mmap(s->fd, lost.handle, SIZE, &lost.map));
	assert_int_equal(pdt_zero_check(lost.map, SIZE), -1);
	pdt_buffer_destroy(s->fd, &lost);
	assert_ok(pdt_control("fail-reset 0", answer, sizeof(answer)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(what_is_lost_is_zeros),
	};

	return pdt_run_tests("lost", tests);
}
