// SPDX-License-Identifier: MIT
/*
 * What a seed stands for: which clients, which faults, how long the user is away, and
 * when the monitor looks. Of five seeds one has no fault. The kinds of clients and of
 * leaks take turns, so that any sixty leaky seeds in a row have all pairs of them about
 * equally often; everything else is drawn.
 */
#include <stdlib.h>

#include "leak.h"

const struct kind *const kinds[] = {
	&kind_game, &kind_compositor, &kind_browser, &kind_training, &kind_video, &kind_batch,
	&kind_viewer, &kind_desktop, &kind_editor, &kind_inference,
};

const unsigned int kind_count = ARRAY_SIZE(kinds);

bool scenario_is_leaky(uint64_t seed)
{
	return seed % 5;
}

/* One at which something happens all the time, or any */
static const char *pick_place(struct rng *rng, const struct kind *kind, bool often)
{
	unsigned int count = 0, i;

	while (count < ARRAY_SIZE(kind->places) && kind->places[count].name)
		count++;
	do
		i = (unsigned int)rng_below(rng, count);
	while (often && !kind->places[i].often);
	return kind->places[i].name;
}

/* How often, how many, and until when */
static void set_rates(struct leak *leak, struct rng *rng, uint64_t end_ns)
{
	leak->end_ns = end_ns;
	leak->batch = rng_chance(rng, 0.3) ? (unsigned int)rng_from(rng, 2, 6) : 0;
	switch (leak->kind) {
	case LEAK_FRAME:
		leak->regular = true;
		leak->period_ns = rng_log(rng, 16 * MS, 30 * SEC);
		break;
	case LEAK_ERROR:
		leak->period_ns = rng_log(rng, 10 * SEC, 4 * MIN);
		leak->fresh = rng_chance(rng, 0.4);
		break;
	case LEAK_ORPHAN:
		leak->regular = rng_chance(rng, 0.5);
		leak->period_ns = rng_log(rng, 500 * MS, 2 * MIN);
		break;
	case LEAK_POOL:
		leak->regular = rng_chance(rng, 0.5);
		leak->period_ns = rng_log(rng, 200 * MS, MIN);
		break;
	case LEAK_FENCE:
		leak->period_ns = rng_log(rng, 10 * SEC, 5 * MIN);
		leak->zombie = rng_chance(rng, 0.5);
		leak->batch = 0;
		break;
	default:
		leak->regular = true;
		leak->period_ns = rng_log(rng, 20 * MS, SEC);
		leak->burst_ns = rng_log(rng, 10 * SEC, 3 * MIN);
		leak->batch = 0;
		break;
	}
}

static void add_leak(struct world *world, struct client *client, enum leak_kind kind,
		     struct rng *rng)
{
	struct leak *leak = &world->leaks[world->leak_count++];

	leak->kind = kind;
	leak->client = client;
	rng_seed(&leak->rng, world->seed, 3 + world->leak_count);
	leak->often = pick_place(rng, client->kind, true);
	leak->place = rng_chance(rng, 0.5) ? pick_place(rng, client->kind, false) : leak->often;
	/* Many are there from the beginning; all begin in the first two thirds */
	leak->begin_ns = kind != LEAK_BURST && rng_chance(rng, 0.4) ? 0 :
		rng_from(rng, world->end_ns / 20, world->end_ns * 2 / 3);
	set_rates(leak, rng, world->end_ns);
	leak->next_ns = leak->begin_ns;
	if (kind == LEAK_ERROR || kind == LEAK_FENCE)
		leak->next_ns += rng_wait(rng, leak->period_ns);
	leak->mapped = rng_chance(rng, 0.15);
	leak->objects_max = kind == LEAK_BURST ? rng_log(rng, 8, 400) : rng_log(rng, 20, 2500);
	leak->bytes_max = rng_log(rng, GIB(4), GIB(24));
	if (kind == LEAK_BURST)
		return;
	/* What is no burst lasts: until there are too many it takes some minutes */
	if (leak->period_ns * leak->objects_max < 5 * MIN)
		leak->period_ns = 5 * MIN / leak->objects_max;
	/* The client that is out of memory is started again, unless that were all the time */
	leak->restart = rng_chance(rng, 0.4) && leak->period_ns * leak->objects_max > 10 * MIN;
}

static void set_aways(struct world *world, struct rng *rng)
{
	if (!rng_chance(rng, 0.4))
		return;
	world->aways = (unsigned int)rng_from(rng, 1, 3);
	for (unsigned int i = 0; i < world->aways; i++) {
		world->away[i].from = rng_from(rng, MIN, world->end_ns);
		world->away[i].to = world->away[i].from + rng_log(rng, MIN, 20 * MIN);
	}
}

struct scenario *scenario_new(const struct backend *backend, uint64_t seed, uint64_t end_ns)
{
	struct scenario *scenario = need(calloc(1, sizeof(*scenario)));
	uint64_t turn = scenario_is_leaky(seed) ? seed - seed / 5 : seed / 5;
	struct world *world = world_new(backend, seed, end_ns);
	struct client *client;
	struct rng rng;

	if (!world) {
		free(scenario);
		return NULL;
	}
	rng_seed(&rng, seed, 0);
	scenario->seed = seed;
	scenario->world = world;
	scenario->leaky = scenario_is_leaky(seed);
	scenario->kind = kinds[turn % kind_count];
	scenario->leak = (enum leak_kind)((turn / kind_count + turn) % LEAK_KINDS);
	if (scenario->leak == LEAK_FENCE && !backend->hangs)
		scenario->leak = LEAK_ERROR;
	scenario->every_ns = SEC;
	world->stacks = rng_chance(&rng, 0.7);
	set_aways(world, &rng);
	/* Somebody may begin to look late, and not look for a while */
	if (rng_chance(&rng, 0.15))
		scenario->first_ns = rng_from(&rng, 0, end_ns / 3);
	if (rng_chance(&rng, 0.1)) {
		scenario->pause.from = rng_from(&rng, end_ns / 20, end_ns * 3 / 4);
		scenario->pause.to = scenario->pause.from + rng_log(&rng, 5 * SEC, MIN);
	}
	for (unsigned int i = (unsigned int)rng_below(&rng, 3); i; i--)
		client_new(world, kinds[rng_below(&rng, kind_count)], 100 + i);
	client = client_new(world, scenario->kind, 10);
	if (scenario->leaky) {
		add_leak(world, client, scenario->leak, &rng);
		/* A second one, of any kind, elsewhere */
		if (rng_chance(&rng, 0.15)) {
			enum leak_kind other = (enum leak_kind)rng_below(&rng, LEAK_KINDS);

			add_leak(world, client, other == LEAK_FENCE ? scenario->leak : other, &rng);
			if (world->leaks[0].place == world->leaks[1].place)
				world->leak_count--;
		}
	}
	return scenario;
}

void scenario_free(struct scenario *scenario)
{
	world_free(scenario->world);
	free(scenario);
}
