// SPDX-License-Identifier: MIT
/*
 * That the workloads of leak-bench are what they say: what is true of a buffer stays true,
 * the same seed is the same workload, and what is said to leak does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "leak.h"

#define SEEDS	15
#define END_NS	(30 * MIN)

/* What was known of a buffer when it had been lost */
struct memory {
	uint64_t id, lost_ns, used_ns, touched_ns;
};

struct memories {
	struct memory *items;
	size_t count, room;
};

static const struct memory *remembered(const struct memories *memories, uint64_t id)
{
	for (size_t i = 0; i < memories->count; i++)
		if (memories->items[i].id == id)
			return &memories->items[i];
	return NULL;
}

static void remember(struct memories *memories, const struct buffer *buffer)
{
	const struct drm_pddgpu_object *object = &buffer->object;

	if (memories->count == memories->room) {
		memories->room = memories->room ? 2 * memories->room : 256;
		memories->items = need(realloc(memories->items,
					       memories->room * sizeof(*memories->items)));
	}
	memories->items[memories->count++] = (struct memory){
		object->id, buffer->lost_ns, object->used_ns, object->touched_ns
	};
}

/* By the way in which it was lost */
static void check_state(const struct buffer *buffer)
{
	const struct drm_pddgpu_object *object = &buffer->object;

	assert_non_null(buffer->leak);
	assert_true(buffer->lost_ns >= object->birth_ns);
	assert_true(buffer->lost_ns <= buffer->owner->world->now);
	assert_true(object->used_ns <= buffer->lost_ns);
	assert_true(object->touched_ns <= buffer->lost_ns);
	switch (buffer->leak->kind) {
	case LEAK_ORPHAN:
		assert_int_equal(object->state, PDDGPU_OBJECT_ORPHAN);
		assert_true(object->is & PDDGPU_OBJECT_EXPORTED);
		assert_false(object->is & PDDGPU_OBJECT_MAPPED);
		break;
	case LEAK_FENCE:
		assert_true(object->is & PDDGPU_OBJECT_BUSY);
		assert_int_equal(object->state, buffer->leak->zombie ? PDDGPU_OBJECT_ZOMBIE :
				 PDDGPU_OBJECT_LIVE);
		break;
	default:
		assert_int_equal(object->state, PDDGPU_OBJECT_LIVE);
		break;
	}
}

/* Those that are lost stay as they were; others are not told to be what they are not */
static void check_look(const struct world *world, struct memories *memories)
{
	uint64_t last = 0;

	for (size_t i = 0; i < world->count; i++) {
		const struct buffer *buffer = world->buffers[i];
		const struct memory *memory;

		assert_true(buffer->object.id > last);
		last = buffer->object.id;
		assert_true(buffer->object.size && !(buffer->object.size & 4095));
		assert_true(buffer->object.birth_ns <= world->now);
		assert_true(buffer->object.used_ns <= world->now);
		if (!buffer->lost_ns)
			continue;
		/* Its process is dying; what a fence holds back goes with it */
		if (!buffer->owner->gone)
			check_state(buffer);
		memory = remembered(memories, buffer->object.id);
		if (!memory) {
			remember(memories, buffer);
			continue;
		}
		assert_int_equal(memory->lost_ns, buffer->lost_ns);
		assert_int_equal(memory->used_ns, buffer->object.used_ns);
		assert_int_equal(memory->touched_ns, buffer->object.touched_ns);
	}
}

/* A number that differs as soon as anything that was told does */
static uint64_t mix(uint64_t sum, const struct world *world)
{
	for (size_t i = 0; i < world->count; i++) {
		const struct drm_pddgpu_object *object = &world->buffers[i]->object;
		const uint64_t facts[] = { object->id, object->size, object->used_ns, object->site,
			object->client_id, object->is, world->buffers[i]->lost_ns };

		for (size_t j = 0; j < ARRAY_SIZE(facts); j++)
			sum = (sum ^ facts[j]) * 0x100000001b3ull;
	}
	return sum;
}

struct summary {
	uint64_t mix, lost, most;
	bool leaky;
};

static struct summary run(uint64_t seed, bool thorough)
{
	struct scenario *scenario = scenario_new(&model_backend, seed, END_NS);
	struct world *world = scenario->world;
	struct memories memories = { 0 };
	struct summary summary = { .leaky = scenario->leaky };

	for (uint64_t at = 15 * SEC; at <= END_NS; at += 15 * SEC) {
		world_run(world, at);
		assert_int_equal(world_look(world), at);
		if (thorough)
			check_look(world, &memories);
		summary.mix = mix(summary.mix, world);
		if (world->count > summary.most)
			summary.most = world->count;
	}
	for (unsigned int i = 0; i < world->leak_count; i++)
		summary.lost += world->leaks[i].lost;
	scenario_free(scenario);
	free(memories.items);
	return summary;
}

static void truth_stays(void **state)
{
	unsigned int leaky = 0, steady = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct summary summary = run(seed, true);

		assert_int_equal(summary.leaky, scenario_is_leaky(seed));
		if (summary.leaky)
			assert_true(summary.lost > 0);
		else
			assert_int_equal(summary.lost, 0);
		/* It is something, and not more than a card would hold */
		assert_in_range(summary.most, 5, 6000);
		leaky += summary.leaky;
		steady += !summary.leaky;
	}
	assert_int_equal(steady, SEEDS / 5);
	assert_int_equal(leaky, SEEDS - SEEDS / 5);
}

static void seeds_repeat(void **state)
{
	struct summary first = run(4, false);

	(void)state;
	assert_int_equal(run(4, false).mix, first.mix);
	assert_int_not_equal(run(64, false).mix, first.mix);
}

/* Sixty leaky seeds in a row have every kind of client with every kind of leak */
static void pairs_are_complete(void **state)
{
	unsigned int seen[16][LEAK_KINDS] = { 0 };

	(void)state;
	assert_in_range(kind_count, 5, 16);
	for (uint64_t seed = 1; seed < 5 * kind_count * LEAK_KINDS / 4 + 1; seed++) {
		struct scenario *scenario = scenario_new(&model_backend, seed, END_NS);
		unsigned int kind = 0;

		while (kinds[kind] != scenario->kind)
			kind++;
		if (scenario->leaky)
			seen[kind][scenario->leak]++;
		scenario_free(scenario);
	}
	for (unsigned int kind = 0; kind < kind_count; kind++)
		for (unsigned int leak = 0; leak < LEAK_KINDS; leak++)
			assert_in_range(seen[kind][leak], 1, 1);
}

static void kinds_are_described(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < kind_count; i++) {
		unsigned int often = 0;

		assert_non_null(kinds[i]->name);
		assert_non_null(kinds[i]->about);
		assert_non_null(kinds[i]->comms[0]);
		for (unsigned int j = 0; j < ARRAY_SIZE(kinds[i]->places); j++)
			often += kinds[i]->places[j].name && kinds[i]->places[j].often;
		assert_true(often > 0);
	}
}

static void random_keeps_bounds(void **state)
{
	double sum = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1, 1);
	for (int i = 0; i < 100000; i++) {
		assert_in_range(rng_from(&rng, 3, 7), 3, 7);
		assert_in_range(rng_log(&rng, 10, 1000), 10, 1000);
		assert_in_range(rng_bytes(&rng, 1, 100000), 4096, 102400);
		assert_true(rng_unit(&rng) < 1.0);
		sum += (double)rng_wait(&rng, SEC);
	}
	assert_true(sum / 100000 > 0.98e9 && sum / 100000 < 1.02e9);
}

/* A cache has what was wanted last, up to its limit, and finds it again */
static void cache_keeps_limit(void **state)
{
	static const char place[] = "cache";
	struct world *world = world_new(&model_backend, 9, END_NS);
	struct client *client = client_new(world, NULL, 1);
	struct cache cache = {
		.place = place, .where = IN_VRAM, .keys = 1000, .low = KIB(64), .high = KIB(64),
		.limit = MIB(1),
	};

	(void)state;
	for (unsigned int key = 0; key < 100; key++) {
		world->now += SEC;
		assert_false(cache_want(&cache, client, key));
		assert_true(cache_want(&cache, client, key));
		assert_true(cache.bytes <= cache.limit);
	}
	assert_int_equal(cache.count, 16);
	assert_true(cache_want(&cache, client, 99));
	assert_true(cache_want(&cache, client, 84));
	assert_false(cache_want(&cache, client, 83));
	cache_release(&cache, client);
	world->now += SEC;
	world_look(world);
	assert_int_equal(world->count, 0);
	cache_free(&cache);
	world_free(world);
}

/* What ends takes with it what it has, but not what others have of it */
static void exit_frees(void **state)
{
	static const char place[] = "place";
	struct world *world = world_new(&model_backend, 9, END_NS);
	struct client *one = client_new(world, NULL, 1), *two = client_new(world, NULL, 2);
	struct buffer *shared = buffer_new(one, place, MIB(1), IN_VRAM);

	(void)state;
	buffer_new(one, place, MIB(2), IN_VRAM);
	buffer_export(shared);
	buffer_import(shared, two);
	buffer_unexport(shared);
	client_exit(one);
	world->now += SEC;
	world_look(world);
	assert_int_equal(world->count, 1);
	assert_ptr_equal(world->buffers[0], shared);
	assert_int_equal(shared->object.state, PDDGPU_OBJECT_LIVE);
	client_exit(two);
	world_look(world);
	assert_int_equal(world->count, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_keeps_bounds),
		cmocka_unit_test(kinds_are_described),
		cmocka_unit_test(pairs_are_complete),
		cmocka_unit_test(cache_keeps_limit),
		cmocka_unit_test(exit_frees),
		cmocka_unit_test(seeds_repeat),
		cmocka_unit_test(truth_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
