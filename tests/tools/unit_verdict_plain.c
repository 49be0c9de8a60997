// SPDX-License-Identifier: MIT
/*
 * Plain programs, as people write them to see whether it works: from their first second on,
 * without labels or call stacks unless a test says so. A leak is to be found within a minute
 * and three times the time from one loss to the next.
 */
#include "verdict_world.h"

#define MINUTE	60

/* Lost ones, by their id */
static bool all_found(const struct world *world, const uint64_t *lost, unsigned int count)
{
	while (count--)
		if (!rating_is_leak(verdict_rating(world->verdict, lost[count])))
			return false;
	return true;
}

/* So many buffers that are used all the time */
static void resident(struct world *world, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		make(world, 0, 4 * MIB)->flags = 2;
}

static void use_resident(struct world *world)
{
	size_t i;

	for (i = 0; i < world->count; i++)
		if (world->object[i].flags == 2)
			world->object[i].used_ns = world->now;
}

/* One of ten is forgotten, of those that are otherwise freed after a second. */
static void of_ten_frames_one(void **state)
{
	struct world *world = *state;
	uint64_t lost[32];
	unsigned int i, n = 0;

	resident(world, 20);
	for (i = 0; i < MINUTE + 3 * 10; i++) {
		churn(world, 0);
		use_resident(world);
		if (i % 10 == 5) {
			make(world, 0, MIB)->used_ns = world->now;
			lost[n++] = world->object[world->count - 1].id;
		}
		look(world);
	}
	assert_true(all_found(world, lost, n - 3));
	assert_in_range(group(world, 0)->leaked_objects, n - 3, n);
}

/* What has no other habit is known after a minute if nothing else is done at all. */
static void nothing_else(struct world *world, unsigned int period, bool written)
{
	uint64_t lost[128];
	unsigned int i, n = 0;

	for (i = 0; i < MINUTE + 4 * period; i++) {
		world->now += SECOND;
		/* Written to by the CPU as soon as it is there, which is no use of it */
		if (written && world->count)
			world->object[world->count - 1].touched_ns =
				world->object[world->count - 1].birth_ns + SECOND / 2;
		if (i % period == 0) {
			make(world, 0, MIB);
			lost[n++] = world->object[world->count - 1].id;
		}
		look(world);
	}
	assert_int_equal(group(world, 0)->rating, RATING_GROWING);
	assert_true(all_found(world, lost, n - 21 / period - 1));
}

static void one_a_second(void **state)
{
	nothing_else(*state, 1, false);
}

static void one_in_five_seconds(void **state)
{
	nothing_else(*state, 5, false);
}

static void one_that_is_written(void **state)
{
	nothing_else(*state, 1, true);
}

/* What a program loads for later, and fills, while it draws with something else. */
static void filled_and_kept(void **state)
{
	struct world *world = *state;
	unsigned int i;

	resident(world, 4);
	for (i = 0; i < 600; i++) {
		world->now += SECOND;
		use_resident(world);
		if (i && i <= MINUTE)
			world->object[world->count - 1].touched_ns = world->now - SECOND / 2;
		if (i < MINUTE)
			make(world, 0, 2 * MIB);
		look(world);
		assert_true(verdict_leaked(world->verdict) == 0);
	}
}

/* Each has 20 buffers, of which those of the foremost are drawn; the first ones stay open. */
static void tabs(void **state)
{
	struct world *world = *state;
	unsigned int i, j, front = 100;

	for (i = 0; i < 1200; i++) {
		world->now += SECOND;
		if (i % 20 == 0) {
			for (j = 0; i >= 160 && j < 20; j++)
				drop(world, world->count - 20 + j);
			front++;
			for (j = 0; j < 20; j++)
				make(world, 1, MIB)->flags = front;
		}
		for (j = 0; j < world->count; j++)
			if (world->object[j].flags == front)
				world->object[j].used_ns = world->now;
		look(world);
		assert_true(verdict_leaked(world->verdict) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(of_ten_frames_one),
		WORLD(one_a_second),
		WORLD(one_in_five_seconds),
		WORLD(one_that_is_written),
		WORLD(filled_and_kept),
		WORLD(tabs),
	};

	return cmocka_run_group_tests_name("verdict_plain", tests, NULL, NULL);
}
