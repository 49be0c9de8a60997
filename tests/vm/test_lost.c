// SPDX-License-Identifier: MIT
/*
 * VRAM that nobody reaches any more. Leaves a card whose paging engine is lost,
 * so it is the last in its VM; the kernel clears no pages of itself there.
 */
#include "pdt.h"

#define SIZE	(8 * PDT_MIB)

static void control(const char *command)
{
	char answer[256];

	assert_ok(pdt_control(command, answer, sizeof(answer)));
}

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

	assert_ok(pdt_parameter("chip_resets", "0"));
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

/*
 * A victim was on its way to where no CPU reaches when the engine got lost: what
 * lies there is another's, and nobody sees it.
 */
static void what_was_there_is_not_shown(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer victim, seen;
	struct drm_pddgpu_submit_op op;
	uint32_t secret, handle;
	uint64_t hidden;

	assert_ok(pdt_stats(s->fd, &stats));
	hidden = stats.vram_total - stats.vram_visible_total;
	if (hidden < 8 * SIZE)
		pdt_skip("all of this card's VRAM is visible");
	assert_ok(pdt_file_write("/sys/module/pddgpu/parameters/clear_freed", "0"));
	assert_ok(pdt_buffer_create(s->fd, &seen, SIZE, PDT_GTT, 0));
	assert_ok(pdt_buffer_create(s->fd, &victim, SIZE, PDT_VRAM, 0));
	memset(victim.map, 0x11, SIZE);

	/* Somebody's, who gives it back */
	assert_ok(pdt_create(s->fd, hidden, PDT_VRAM, PDDGPU_GEM_CREATE_NO_CPU_ACCESS, &secret));
	op = pdt_fill(secret, 0, hidden, 0xa5a5a5a5);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, secret, 60000));
	assert_ok(pdt_destroy(s->fd, secret));

	assert_ok(pdt_stats(s->fd, &stats));
	assert_ok(pdt_parameter("chip_resets", "0"));
	control("fail-reset 1000");
	control("hang 1");
	/* All of the visible part: the victim has to go; the engine is lost soon */
	(void)pdt_create(s->fd, stats.vram_visible_total - stats.vram_visible_used + SIZE / 2,
			 PDT_VRAM, PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED, &handle);
	assert_true(pdt_log_wait(&s->log, "engine 1 is lost"));
	op = pdt_copy(seen.handle, 0, victim.handle, 0, SIZE);
	if (!pdt_submit(s->fd, &op, 1))
		assert_ok(pdt_wait_idle(s->fd, seen.handle, 60000));
	for (uint64_t i = 0; i < SIZE; i += PDT_PAGE)
		assert_int_not_equal(((unsigned char *)seen.map)[i], 0xa5);
	assert_ok(pdt_file_write("/sys/module/pddgpu/parameters/clear_freed", "1"));
	control("clear");
}

/*
 * With the paging engine lost there is still the users' one, and room where the CPU
 * reaches it: what is out of its reach is in nobody's way there.
 */
static void the_rest_is_of_use(void **state)
{
	struct pdt_state *s = *state;
	struct drm_pddgpu_memory_stats stats;
	struct pdt_buffer buf, pushed;
	struct drm_pddgpu_submit_op op;
	uint32_t hidden, small, made, now;
	uint64_t size;

	assert_ok(pdt_stats(s->fd, &stats));
	size = stats.vram_total - stats.vram_visible_total;
	if (size < 8 * SIZE)
		pdt_skip("all of this card's VRAM is visible");
	assert_ok(pdt_buffer_create(s->fd, &pushed, SIZE, PDT_VRAM | PDT_CPU, 0));
	free(pdt_debugfs_read("evict_vram"));
	assert_int_equal(pdt_domain(s->fd, pushed.handle), PDT_CPU);
	assert_ok(pdt_create(s->fd, SIZE, PDT_BOTH, 0, &small));
	/* On both sides of the border */
	assert_ok(pdt_create(s->fd, size, PDT_BOTH, 0, &hidden));
	assert_ok(pdt_wait_idle(s->fd, hidden, 60000));
	assert_ok(pdt_buffer_create(s->fd, &buf, SIZE, PDT_VRAM,
				    PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED));
	assert_ok(pdt_parameter("chip_resets", "0"));
	control("fail-reset 1000");
	control("hang 1");
	assert_ok(pdt_set_domain(s->fd, buf.handle, PDT_GTT, NULL));
	assert_true(pdt_log_wait(&s->log, "engine 1 is lost"));

	/* It comes to where the CPU brings it */
	op = pdt_fill(pushed.handle, 0, SIZE, 0x33333333);
	assert_ok(pdt_submit(s->fd, &op, 1));
	assert_ok(pdt_wait_idle(s->fd, pushed.handle, 60000));
	assert_int_equal(((uint32_t *)pushed.map)[100], 0x33333333);
	pdt_buffer_destroy(s->fd, &pushed);

	/* What would have to be moved out of the way cannot be, and there is the GTT */
	assert_ok(pdt_stats(s->fd, &stats));
	assert_ok(pdt_create(s->fd, stats.vram_visible_total - stats.vram_visible_used + SIZE / 2,
			     PDT_BOTH, PDDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED, &made));
	assert_int_equal(pdt_domain(s->fd, made), PDT_GTT);
	assert_ok(pdt_destroy(s->fd, made));

	/* Not wrong, but not possible now */
	assert_err(EIO, pdt_set_domain(s->fd, small, PDT_GTT, &now));
	assert_int_equal(pdt_domain(s->fd, small), PDT_VRAM);
	control("clear");
	assert_ok(pdt_destroy(s->fd, small));
	assert_ok(pdt_destroy(s->fd, hidden));
	pdt_buffer_destroy(s->fd, &buf);
}

/* A card as it was at the beginning, whatever the test before has lost */
static int new_card(void **state)
{
	control("clear");
	if (pdt_module_unload() || pdt_module_load() || pdt_wait_for_card())
		return -1;
	return pdt_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(what_is_lost_is_zeros),
		cmocka_unit_test_setup_teardown(what_was_there_is_not_shown, new_card,
						pdt_teardown),
		cmocka_unit_test_setup_teardown(the_rest_is_of_use, new_card, pdt_teardown),
	};

	return pdt_run_tests("lost", tests);
}
