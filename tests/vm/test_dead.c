// SPDX-License-Identifier: MIT
/* A card that has stopped answering. Its VM runs with --device-may-die. */
#include "pdt.h"

#define BUFFERS 200

/*
 * Nobody waits for it, or the first who does tells the others: closing a file
 * must not take a wait for each of its buffers. Nothing is lost that was not on
 * the card: system pages are there still.
 */
static void freeing_does_not_take_for_ever(void **state)
{
	struct pdt_state *s = *state;
	struct pdt_buffer bufs[BUFFERS];
	char answer[256];
	uint64_t start;

	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_buffer_create(s->fd, &bufs[i], PDT_PAGE, PDT_GTT, 0));
		pdt_buffer_fill(&bufs[i], i + 1);
	}
	/* It may be gone before it has answered. */
	pdt_control("die", answer, sizeof(answer));

	start = pdt_now_ms();
	for (size_t i = 0; i < BUFFERS; i++) {
		assert_ok(pdt_buffer_check(&bufs[i]));
		pdt_buffer_destroy(s->fd, &bufs[i]);
	}
	assert_true(pdt_level_wait(s->fd, &s->before));
	/* A wait is 2 s; two hundred would be 400. */
	assert_in_range(pdt_now_ms() - start, 0, 60000);
	assert_in_range(pdt_log_count(&s->log, "no answer within"), 0, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pdt_test(freeing_does_not_take_for_ever),
	};

	return pdt_run_tests("dead", tests);
}
