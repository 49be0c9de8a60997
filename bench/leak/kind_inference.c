// SPDX-License-Identifier: MIT
/*
 * A server that answers with a model: weights, some of which are hardly ever wanted;
 * blocks for what each request is about, kept for the next one of the same conversation
 * up to a limit; times without any request.
 */
#include <stdlib.h>

#include "leak.h"

static const char weights[] = "weights", experts[] = "expert", context[] = "context",
	activation[] = "activation", adapter[] = "adapter", pinned[] = "transfer";

struct inference {
	uint64_t request_ns, next_request, night_from, night_to;
	unsigned int layers, active;
	struct set weight_set, expert_set, pins;
	struct set work;
	struct cache contexts, adapters;
	double expert_skew;
	uint64_t work_low, work_high, answer_ns, busy_until;
};

static void *inference_start(struct client *client)
{
	struct inference *inference = need(calloc(1, sizeof(*inference)));
	struct rng *rng = &client->rng;
	uint64_t size = rng_log(rng, MIB(4), MIB(64));

	inference->request_ns = rng_log(rng, 200 * MS, 30 * SEC);
	inference->answer_ns = rng_log(rng, 100 * MS, 20 * SEC);
	inference->expert_skew = rng_real(rng, 1, 5);
	inference->work_low = rng_log(rng, KIB(64), MIB(1));
	inference->work_high = inference->work_low * rng_from(rng, 2, 20);
	inference->contexts.place = context;
	inference->contexts.where = IN_VRAM;
	inference->contexts.keys = (unsigned int)rng_log(rng, 20, 600);
	inference->contexts.skew = rng_real(rng, 0.1, 0.7);
	inference->contexts.low = MIB(1);
	inference->contexts.high = MIB(16);
	inference->contexts.limit = MIB(5) * rng_log(rng, 10, 200);
	inference->contexts.seed = rng_next(rng);
	inference->adapters = inference->contexts;
	inference->adapters.place = adapter;
	inference->adapters.keys = (unsigned int)rng_from(rng, 2, 60);
	inference->adapters.limit = MIB(5) * rng_from(rng, 4, 40);
	for (unsigned int i = (unsigned int)rng_from(rng, 6, 60); i; i--)
		set_add(&inference->weight_set, buffer_new(client, weights, size, IN_VRAM));
	for (unsigned int i = rng_chance(rng, 0.4) ? (unsigned int)rng_from(rng, 8, 64) : 0; i; i--)
		set_add(&inference->expert_set, buffer_new(client, experts, size / 4, IN_VRAM));
	set_use(&inference->weight_set);
	set_use(&inference->expert_set);
	for (unsigned int i = 0; i < 4; i++) {
		struct buffer *buffer = buffer_new(client, pinned, MIB(1), IN_SYSTEM | FOR_CPU);

		buffer_map(buffer);
		set_add(&inference->pins, buffer);
	}
	if (rng_chance(rng, 0.4)) {
		inference->night_from = rng_from(rng, 2, 50) * MIN;
		inference->night_to = inference->night_from + rng_from(rng, 3, 25) * MIN;
	}
	return inference;
}

static void answer(struct client *client, struct inference *inference)
{
	struct rng *rng = &client->rng;
	struct buffer *buffer;

	for (unsigned int i = (unsigned int)rng_from(rng, 2, 8); i; i--) {
		buffer = buffer_new(client, activation, rng_bytes(rng, inference->work_low,
								  inference->work_high), IN_VRAM);
		buffer_use(buffer);
		set_add(&inference->work, buffer);
	}
	cache_want(&inference->contexts, client, cache_pick(&inference->contexts, rng));
	if (rng_chance(rng, 0.2))
		cache_want(&inference->adapters, client, cache_pick(&inference->adapters, rng));
	inference->busy_until = client->world->now + rng_wait(rng, inference->answer_ns);
	/* New conversations come, old ones are not gone back to */
	if (rng_chance(rng, 0.05))
		inference->contexts.shift++;
}

static uint64_t inference_step(struct client *client, void *state)
{
	struct inference *inference = state;
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;
	bool night = now >= inference->night_from && now < inference->night_to;

	if (now >= inference->next_request && !night) {
		set_release(&inference->work, client, activation);
		inference->next_request = now + rng_wait(rng, inference->request_ns) + 50 * MS;
		answer(client, inference);
	}
	if (now >= inference->busy_until) {
		set_release(&inference->work, client, activation);
		return night ? inference->night_to : inference->next_request;
	}
	set_use(&inference->weight_set);
	set_use(&inference->work);
	buffer_use(inference->pins.count ?
		   inference->pins.items[rng_below(rng, inference->pins.count)] : NULL);
	for (unsigned int i = 0; i < 2 && inference->expert_set.count; i++) {
		double at = 1;

		/* Some are wanted for nearly everything, others for hardly anything */
		for (int n = (int)inference->expert_skew; n >= 0; n--)
			at *= rng_unit(rng);
		buffer_use(inference->expert_set.items[(size_t)
			   (at * (double)inference->expert_set.count)]);
	}
	return now + 100 * MS;
}

static void inference_stop(void *state)
{
	struct inference *inference = state;

	set_free(&inference->weight_set);
	set_free(&inference->expert_set);
	set_free(&inference->pins);
	set_free(&inference->work);
	cache_free(&inference->contexts);
	cache_free(&inference->adapters);
	free(inference);
}

const struct kind kind_inference = {
	.name = "inference",
	.about = "a model's weights, conversations in a cache, requests, nights without any",
	.comms = { "llama-server", "vllm", "tritonserver" },
	.places = {
		{ activation, true }, { context, false },
	},
	.start = inference_start,
	.step = inference_step,
	.stop = inference_stop,
};
