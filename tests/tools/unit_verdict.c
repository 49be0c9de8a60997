// SPDX-License-Identifier: MIT
/* Which buffers are leaks: small worlds, a look a second. */
#include "verdict_world.h"

static void what_is_used_is_in_use(void **state)
{
	struct world *world = *state;
	unsigned int i;

	make(world, 1, MIB);
	make(world, 2, MIB);
	for (i = 0; i < 400; i++) {
		world->now += SECOND;
		world->object[0].used_ns = world->now;
		world->object[1].touched_ns = world->now;
		look(world);
	}
	assert_int_equal(group(world, 1)->rating, RATING_IN_USE);
	assert_int_equal(group(world, 2)->rating, RATING_IN_USE);
	assert_true(verdict_leaked(world->verdict) == 0);
}

static void pool_is_cached(void **state)
{
	struct world *world = *state;
	unsigned int i;

	for (i = 0; i < 32; i++)
		make(world, 1, MIB);
	for (i = 0; i < 3600; i++) {
		churn(world, 2);
		look(world);
		assert_true(verdict_leaked(world->verdict) == 0);
	}
	assert_int_equal(group(world, 1)->rating, RATING_CACHED);
	assert_int_equal(verdict_rating(world->verdict, world->object[0].id), RATING_CACHED);
}

static void lost_ones_are_idle(void **state)
{
	struct world *world = *state;
	uint64_t lost[4];
	unsigned int i, n = 0;

	elsewhere(world);
	for (i = 0; i < 120; i++) {
		churn(world, 1);
		if (i % 20 == 10 && n < 4) {
			make(world, 1, MIB)->used_ns = world->now;
			lost[n++] = world->object[world->count - 1].id;
		}
		look(world);
	}
	assert_int_equal(group(world, 1)->rating, RATING_IDLE);
	assert_true(group(world, 1)->leaked_objects == 4);
	assert_true(group(world, 1)->leaked_bytes == 4 * MIB);
	assert_true(verdict_leaked(world->verdict) == 4 * MIB);
	for (i = 0; i < 4; i++)
		assert_int_equal(verdict_rating(world->verdict, lost[i]), RATING_IDLE);
	/* A MiB every 20 s */
	assert_in_range(group(world, 1)->per_minute, 3 * MIB, 5 * MIB);
	assert_non_null(strstr(group(world, 1)->why, "unused"));
}

static void a_single_one_may_be_kept(void **state)
{
	struct world *world = *state;
	unsigned int i;

	make(world, 1, MIB);
	for (i = 0; i < 600; i++) {
		churn(world, 1);
		look(world);
	}
	assert_true(verdict_leaked(world->verdict) == 0);
}

static void burst_is_found(void **state)
{
	struct world *world = *state;
	unsigned int i, j;

	elsewhere(world);
	for (i = 0; i < 400; i++) {
		churn(world, 1);
		for (j = 0; i == 60 && j < 16; j++)
			make(world, 1, MIB);
		look(world);
	}
	assert_true(group(world, 1)->leaked_objects == 16);
}

static void pool_that_only_grows(void **state)
{
	struct world *world = *state;
	unsigned int i, j;

	for (i = 0; i < 400; i++) {
		world->now += SECOND;
		if (i % 10 == 0)
			make(world, 1, MIB);
		/* The last two are used */
		for (j = 1; j <= 2 && j <= world->count; j++)
			world->object[world->count - j].used_ns = world->now;
		look(world);
	}
	assert_int_equal(group(world, 1)->rating, RATING_GROWING);
	assert_true(group(world, 1)->leaked_objects > 30);
	assert_in_range(group(world, 1)->per_minute, 5 * MIB, 7 * MIB);
}

/* Never frees and never uses again: the plainest leak that there is */
static void nothing_but_growth(void **state)
{
	struct world *world = *state;
	unsigned int i;

	for (i = 0; i < 75; i++) {
		world->now += SECOND / 2;
		make(world, 1, MIB)->used_ns = world->now;
		make(world, 1, MIB / 2);
		world->now += SECOND / 2;
		make(world, 1, MIB)->used_ns = world->now;
		make(world, 1, MIB / 2);
		look(world);
	}
	assert_int_equal(group(world, 1)->rating, RATING_GROWING);
	assert_true(group(world, 1)->leaked_objects >= 200);
	assert_in_range(group(world, 1)->per_minute, 160 * MIB, 200 * MIB);
}

/* One in nearly five minutes: the rate is that, however long ago the last one was */
static void slow_growth_is_not_fast(void **state)
{
	struct world *world = *state;
	uint64_t most = 0;
	unsigned int i;

	for (i = 0; i < 280 * 12; i++) {
		world->now += SECOND;
		if (i % 280 == 0)
			make(world, 1, MIB);
		look(world);
		if (group(world, 1) && group(world, 1)->per_minute > most)
			most = group(world, 1)->per_minute;
	}
	assert_true(group(world, 1)->leaked_objects >= 5);
	assert_in_range(most, MIB * 60 / 280 * 9 / 10, MIB * 60 / 280 * 11 / 10);
}

static void warming_up_is_none(void **state)
{
	struct world *world = *state;
	unsigned int i;

	for (i = 0; i < 1800; i++) {
		world->now += SECOND;
		if (i < 50)
			make(world, 1, MIB);
		make(world, 2, 4096)->used_ns = world->now;
		look(world);
		assert_true(verdict_leaked(world->verdict) == 0);
		drop(world, world->count - 1);
	}
}

static void orphan_that_nobody_uses(void **state)
{
	struct world *world = *state;
	unsigned int i;

	make(world, 1, MIB)->state = PDDGPU_OBJECT_ORPHAN;
	make(world, 2, MIB)->state = PDDGPU_OBJECT_ORPHAN;
	for (i = 0; i < 300; i++) {
		world->now += SECOND;
		world->object[1].used_ns = world->now;
		look(world);
	}
	assert_int_equal(group(world, 1)->rating, RATING_ORPHANED);
	assert_int_equal(group(world, 2)->rating, RATING_IN_USE);
}

static void fence_that_never_signals(void **state)
{
	struct world *world = *state;
	struct drm_pddgpu_object *job;
	unsigned int i;

	make(world, 1, MIB)->is = PDDGPU_OBJECT_BUSY;
	world->object[0].used_ns = world->now;
	make(world, 2, MIB)->state = PDDGPU_OBJECT_ZOMBIE;
	job = make(world, 3, MIB);
	job->is = PDDGPU_OBJECT_BUSY;
	for (i = 0; i < 120; i++) {
		world->now += SECOND;
		job->used_ns = world->now;
		look(world);
	}
	assert_int_equal(group(world, 1)->rating, RATING_STUCK);
	assert_int_equal(group(world, 2)->rating, RATING_STUCK);
	assert_int_equal(group(world, 3)->rating, RATING_IN_USE);
}

static void long_jobs_are_none(void **state)
{
	struct world *world = *state;
	struct drm_pddgpu_object *job = make(world, 1, MIB);
	unsigned int i;

	/* 25 s of work, then 60 s, as a program has that computes */
	for (i = 0; i < 400; i++) {
		unsigned int at = i < 100 ? i % 30 : i % 70;

		world->now += SECOND;
		if (!at)
			job->used_ns = world->now;
		job->is = at < (i < 100 ? 25u : 60u) ? PDDGPU_OBJECT_BUSY : 0;
		look(world);
		assert_true(verdict_leaked(world->verdict) == 0);
	}
}

static void away_from_the_keyboard(void **state)
{
	struct world *world = *state;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		churn(world, 1);
		look(world);
	}
	make(world, 1, MIB);
	make(world, 1, MIB);
	for (i = 0; i < 3600; i++) {
		world->now += SECOND;
		look(world);
		assert_true(verdict_leaked(world->verdict) == 0);
	}
}

static void burst_and_then_nothing(void **state)
{
	struct world *world = *state;
	unsigned int i;

	elsewhere(world);
	for (i = 0; i < 60; i++) {
		churn(world, 1);
		look(world);
	}
	for (i = 0; i < 16; i++)
		make(world, 1, MIB);
	for (i = 0; i < 300; i++) {
		world->now += SECOND;
		look(world);
	}
	assert_true(group(world, 1)->leaked_objects >= 16);
}

static void used_again_is_none(void **state)
{
	struct world *world = *state;
	unsigned int i, j;

	elsewhere(world);
	for (i = 0; i < 400; i++) {
		churn(world, 1);
		for (j = 0; i == 50 && j < 3; j++)
			make(world, 1, MIB)->flags = 2;
		look(world);
	}
	assert_true(verdict_leaked(world->verdict) == 3 * MIB);
	for (j = 0; j < world->count; j++)
		if (world->object[j].flags == 2)
			world->object[j].used_ns = world->now;
	churn(world, 1);
	look(world);
	assert_true(verdict_leaked(world->verdict) == 0);
	/* That long is nothing unusual any more */
	for (i = 0; i < 60; i++) {
		churn(world, 1);
		look(world);
	}
	assert_true(verdict_leaked(world->verdict) == 0);
}

static void clock_that_goes_back(void **state)
{
	struct world *world = *state;
	unsigned int i;

	lost_ones_are_idle(state);
	world->now = SECOND;
	look(world);
	assert_true(verdict_span(world->verdict) == 0);
	assert_true(verdict_leaked(world->verdict) == 0);
	for (i = 0; i < 3; i++) {
		/* And one that jumps */
		world->now += 3600 * SECOND;
		look(world);
	}
	assert_true(verdict_span(world->verdict) == 3 * 3600 * SECOND);
}

static void ids_out_of_order(void **state)
{
	struct world *world = *state;
	struct drm_pddgpu_object first;

	make(world, 1, MIB);
	first = world->object[0];
	make(world, 1, MIB);
	assert_int_equal(verdict_begin(world->verdict, world->now), 0);
	verdict_add(world->verdict, &world->object[1]);
	verdict_add(world->verdict, &first);
	verdict_add(world->verdict, &world->object[1]);
	assert_int_equal(verdict_end(world->verdict), 0);
	assert_true(group(world, 1)->objects == 1);
}

static void forgiven_ones(void **state)
{
	struct world *world = *state;
	unsigned int i, j;

	for (i = 0; i < 300; i++) {
		churn(world, 1);
		for (j = 0; i == 50 && j < 8; j++)
			make(world, 1, MIB)->is = PDDGPU_OBJECT_BASELINE;
		for (j = 0; i == 60 && j < 8; j++)
			make(world, 2, MIB)->is = PDDGPU_OBJECT_KERNEL;
		look(world);
		assert_true(verdict_leaked(world->verdict) == 0);
	}
}

/* Every buffer is in exactly one group, whatever the names are */
static void sums(void **state)
{
	struct world *world = *state;
	const struct verdict_group *const *groups;
	uint64_t bytes = 0, sum = 0, rated = 0;
	size_t count, i, j;

	for (i = 0; i < 2000; i++) {
		struct drm_pddgpu_object *object = make(world, (uint32_t)i % 5, 4096 << i % 11);

		object->client_id = i % 700;
		object->pid = (uint32_t)i % 3;
		memset(object->label, (int)(i % 256), sizeof(object->label));
		memset(object->comm, 255, sizeof(object->comm));
		object->used_ns = i % 3 ? UINT64_MAX : 0;
		object->birth_ns = i % 7 ? object->birth_ns : UINT64_MAX;
		object->state = (uint8_t)i;
		object->is = (uint32_t)(i * 2654435761u);
		bytes += object->size;
	}
	for (i = 0; i < 50; i++) {
		look(world);
		world->now += i * SECOND;
	}
	groups = verdict_groups(world->verdict, &count);
	for (i = 0; i < count; i++) {
		sum += groups[i]->bytes;
		for (j = 0; j < RATINGS; j++)
			rated += groups[i]->rated_bytes[j];
		assert_true(groups[i]->leaked_bytes <= groups[i]->bytes);
		assert_true(strlen(groups[i]->label) < sizeof(groups[i]->label));
		assert_true(groups[i]->why[0]);
	}
	assert_true(sum == bytes);
	assert_true(rated == bytes);
}

static void processes_that_come_and_go(void **state)
{
	struct world *world = *state;
	const struct verdict_group *const *groups;
	size_t count;
	unsigned int i;

	for (i = 0; i < 5000; i++) {
		world->count = 0;
		world->now += SECOND;
		make(world, 1, MIB)->client_id = i;
		look(world);
	}
	groups = verdict_groups(world->verdict, &count);
	assert_true(count == 1 && groups[0]->client_id == 4999);
	assert_null(verdict_group_of(world->verdict, 12345));
	assert_int_equal(verdict_rating(world->verdict, 12345), RATING_NEW);
}

#define GIVEN	8
#define SPARE	14

/*
 * A pool that gives the same ones again and again. It has more than that since it began, when
 * it gave them all; each that is lost is replaced by one of those.
 */
static void pool_that_loses(struct world *world, unsigned int lost)
{
	unsigned int given[GIVEN], i, j, next = GIVEN;

	for (i = 0; i < GIVEN + SPARE; i++)
		make(world, 1, MIB);
	elsewhere(world);
	for (i = 0; i < GIVEN; i++)
		given[i] = i;
	for (i = 0; i < 1000; i++) {
		world->now += SECOND;
		for (j = 0; j < (i < 40 ? GIVEN + SPARE : GIVEN); j++)
			world->object[i < 40 ? j : given[j]].used_ns = world->now;
		if (i >= 200 && i % 50 == 0 && next < GIVEN + lost)
			given[next % GIVEN] = next, next++;
		look(world);
	}
}

static void dropped_one_by_one(void **state)
{
	struct world *world = *state;

	pool_that_loses(world, 12);
	assert_int_equal(group(world, 1)->rating, RATING_IDLE);
	/* Those of the last two minutes may come back */
	assert_in_range(group(world, 1)->leaked_objects, 9, 12);
	assert_non_null(strstr(group(world, 1)->why, "one after the other"));
}

static void some_dropped_are_a_pool(void **state)
{
	struct world *world = *state;

	pool_that_loses(world, 4);
	assert_true(verdict_leaked(world->verdict) == 0);
}

/* A cache makes one though it has others of that size, and uses those again later. */
static void passed_over_by_a_cache(void **state)
{
	struct world *world = *state;
	unsigned int i, j;

	elsewhere(world);
	for (i = 0; i < 4; i++)
		make(world, 1, MIB);
	for (i = 0; i < 900; i++) {
		world->now += SECOND;
		if (i % 60 == 0)
			make(world, 1, MIB);
		for (j = 1; j < world->count; j++)
			if (j >= world->count - 3 ||
			    (i % (i < 200 ? 40 : 400) == 10 && j < 12))
				world->object[j].used_ns = world->now;
		look(world);
		assert_true(verdict_leaked(world->verdict) == 0);
	}
}

/* That others come to be unused for as long does not excuse what was found before. */
static void found_stays_found(void **state)
{
	struct world *world = *state;
	struct drm_pddgpu_object *kept;
	unsigned int i;

	kept = make(world, 1, MIB);
	kept->is = PDDGPU_OBJECT_BASELINE;
	elsewhere(world);
	for (i = 0; i < 600; i++) {
		churn(world, 1);
		if (i >= 100 && i < 160 && i % 6 == 0)
			make(world, 1, MIB);
		look(world);
	}
	assert_int_equal(group(world, 1)->leaked_objects, 10);
	kept->used_ns = world->now + SECOND;
	churn(world, 1);
	look(world);
	assert_int_equal(group(world, 1)->leaked_objects, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(what_is_used_is_in_use),
		WORLD(pool_is_cached),
		WORLD(lost_ones_are_idle),
		WORLD(a_single_one_may_be_kept),
		WORLD(burst_is_found),
		WORLD(pool_that_only_grows),
		WORLD(nothing_but_growth),
		WORLD(slow_growth_is_not_fast),
		WORLD(warming_up_is_none),
		WORLD(orphan_that_nobody_uses),
		WORLD(fence_that_never_signals),
		WORLD(long_jobs_are_none),
		WORLD(away_from_the_keyboard),
		WORLD(burst_and_then_nothing),
		WORLD(used_again_is_none),
		WORLD(clock_that_goes_back),
		WORLD(ids_out_of_order),
		WORLD(forgiven_ones),
		WORLD(sums),
		WORLD(processes_that_come_and_go),
		WORLD(dropped_one_by_one),
		WORLD(some_dropped_are_a_pool),
		WORLD(passed_over_by_a_cache),
		WORLD(found_stays_found),
	};

	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
