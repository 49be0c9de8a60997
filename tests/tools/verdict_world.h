/* SPDX-License-Identifier: MIT */
/* Small worlds for the verdict: buffers that are made, used and dropped, and looks at them. */
#ifndef PDDGPU_TESTS_VERDICT_WORLD_H
#define PDDGPU_TESTS_VERDICT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "verdict.h"

#define SECOND 1000000000ull
#define MIB (1ull << 20)
#define MOST 4096

struct world {
	struct verdict *verdict;
	struct drm_pddgpu_object object[MOST];
	size_t count;
	uint64_t now, ids;
};

static int begin(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->verdict = verdict_new();
	world->now = 1000 * SECOND;
	*state = world;
	return world->verdict ? 0 : -1;
}

static int end(void **state)
{
	struct world *world = *state;

	verdict_free(world->verdict);
	free(world);
	return 0;
}

static struct drm_pddgpu_object *make(struct world *world, uint32_t site, uint64_t size)
{
	struct drm_pddgpu_object *object = &world->object[world->count++];

	assert_true(world->count <= MOST);
	memset(object, 0, sizeof(*object));
	object->id = world->now + ++world->ids;
	object->birth_ns = world->now;
	object->size = size;
	object->site = site;
	object->client_id = 7;
	object->pid = 70;
	strcpy(object->comm, "painter");
	return object;
}

static void drop(struct world *world, size_t at)
{
	memmove(&world->object[at], &world->object[at + 1],
		(--world->count - at) * sizeof(world->object[0]));
}

static void look(struct world *world)
{
	size_t i;

	assert_int_equal(verdict_begin(world->verdict, world->now), 0);
	for (i = 0; i < world->count; i++)
		assert_int_equal(verdict_add(world->verdict, &world->object[i]), 0);
	assert_int_equal(verdict_end(world->verdict), 0);
}

/* Something else of the same program, so that sites are known to differ */
static __attribute__((unused)) void elsewhere(struct world *world)
{
	make(world, 99, 65536);
}

/* A second of a program that makes a buffer, uses it, and frees the one of a second ago */
static void churn(struct world *world, uint32_t site)
{
	size_t i;

	for (i = 0; i < world->count; i++)
		if (world->object[i].site == site && world->object[i].flags == 1) {
			drop(world, i);
			break;
		}
	world->now += SECOND;
	make(world, site, MIB)->flags = 1;
	world->object[world->count - 1].used_ns = world->now;
}

static const struct verdict_group *group(const struct world *world, uint32_t site)
{
	const struct verdict_group *const *groups;
	size_t count, i;

	groups = verdict_groups(world->verdict, &count);
	for (i = 0; i < count; i++)
		if (groups[i]->site == site)
			return groups[i];
	fail_msg("no group of site %u", site);
	/* Not reached, which only cmocka knows */
	abort();
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, begin, end)

#endif
