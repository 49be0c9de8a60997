// SPDX-License-Identifier: MIT
/*
 * A training loop with an allocator that keeps blocks: tensors of any purpose are in
 * blocks that are made in one place. Weights and what the optimizer keeps stay; each
 * iteration takes and gives back others; evaluations and checkpoints want more, or other
 * sizes, now and then, and until the next one nobody uses those blocks.
 */
#include <stdlib.h>

#include "leak.h"

static const char block[] = "cached block", pinned[] = "pinned block";

struct training {
	uint64_t iteration_ns, evaluate_ns, checkpoint_ns, next_evaluate, next_checkpoint;
	uint64_t varying_until, evaluate_until, empty_ns, next_empty;
	unsigned int sizes, per_iteration, evaluation;
	uint64_t size[24];
	unsigned int iterations, optimizer;
	struct set weights, idle, used, pins;
	bool pins_stay;
	unsigned int batch_pins;
};

static void *training_start(struct client *client)
{
	struct training *training = need(calloc(1, sizeof(*training)));
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;
	uint64_t grain = MIB(2) << rng_below(rng, 4);

	training->iteration_ns = rng_log(rng, 60 * MS, 8 * SEC);
	training->evaluate_ns = rng_log(rng, 90 * SEC, 20 * MIN);
	training->checkpoint_ns = rng_log(rng, 2 * MIN, 25 * MIN);
	training->next_evaluate = now + training->evaluate_ns;
	training->next_checkpoint = now + training->checkpoint_ns;
	training->varying_until = now + rng_log(rng, 5 * SEC, 10 * MIN);
	training->empty_ns = rng_chance(rng, 0.3) ? rng_log(rng, 5 * MIN, 30 * MIN) : NEVER;
	training->next_empty = training->empty_ns == NEVER ? NEVER : now + training->empty_ns;
	training->sizes = (unsigned int)rng_from(rng, 3, ARRAY_SIZE(training->size));
	for (unsigned int i = 0; i < training->sizes; i++)
		training->size[i] = grain * rng_log(rng, 1, 12);
	training->per_iteration = (unsigned int)rng_log(rng, 8, 120);
	training->evaluation = (unsigned int)rng_below(rng, training->sizes);
	training->optimizer = (unsigned int)rng_from(rng, 0, 2);
	training->pins_stay = rng_chance(rng, 0.5);
	training->batch_pins = (unsigned int)rng_from(rng, 2, 10);
	for (unsigned int i = (unsigned int)rng_log(rng, 4, 60); i; i--)
		set_add(&training->weights,
			buffer_new(client, block, training->size[rng_below(rng, training->sizes)],
				   IN_VRAM));
	for (unsigned int i = 0; i < training->batch_pins; i++) {
		struct buffer *buffer = buffer_new(client, pinned, grain, IN_SYSTEM | FOR_CPU);

		buffer_map(buffer);
		set_add(&training->pins, buffer);
	}
	return training;
}

/* The best that fits of those that are free, or a new one */
static void take(struct client *client, struct training *training, uint64_t size)
{
	size_t best = training->idle.count;
	struct buffer *buffer;

	size /= client->world->scale;
	for (size_t i = training->idle.count; i-- > 0;) {
		uint64_t has = training->idle.items[i]->object.size;

		if (has >= size && has <= size + size / 4 &&
		    (best == training->idle.count ||
		     has < training->idle.items[best]->object.size))
			best = i;
	}
	buffer = best < training->idle.count ? set_take(&training->idle, best) :
		buffer_new(client, block, size * client->world->scale, IN_VRAM);
	buffer_use(buffer);
	set_add(&training->used, buffer);
}

static void give_back(struct client *client, struct training *training)
{
	while (training->used.count) {
		struct buffer *buffer = training->used.items[--training->used.count];

		if (!lost_instead(client, block, buffer))
			set_add(&training->idle, buffer);
	}
}

static void iterate(struct client *client, struct training *training, bool evaluates)
{
	struct rng *rng = &client->rng;
	bool varies = client->world->now < training->varying_until;
	/* Another batch size, longest sequences first and so on */
	uint64_t more = evaluates ? 150 : varies ? rng_from(rng, 60, 140) : 100;
	struct rng shapes;

	if (training->pins.count) {
		buffer_use(training->pins.items[training->iterations % training->pins.count]);
		buffer_use(training->pins.items[(training->iterations + 1) %
						training->pins.count]);
	}
	set_use(&training->weights);
	rng_seed(&shapes, client->seed, 77 + evaluates);
	for (unsigned int i = 0; i < training->per_iteration; i++)
		take(client, training,
		     training->size[rng_below(&shapes, training->sizes)] * more / 100);
	give_back(client, training);
	if (training->iterations++ == 0)
		for (size_t i = training->weights.count * training->optimizer; i; i--)
			set_add(&training->weights,
				buffer_new(client, block,
					   training->size[rng_below(rng, training->sizes)],
					   IN_VRAM));
}

/* Weights go to system memory, and from there to a file */
static void checkpoint(struct client *client, struct training *training)
{
	struct set copies = { 0 };

	for (size_t i = 0; i < training->weights.count && i < 16; i++) {
		struct buffer *buffer;

		buffer = buffer_new(client, pinned, training->weights.items[i]->object.size *
				    client->world->scale, IN_SYSTEM | FOR_CPU);
		buffer_map(buffer);
		buffer_use(buffer);
		buffer_use(training->weights.items[i]);
		set_add(&copies, buffer);
	}
	if (training->pins_stay && training->pins.count == training->batch_pins) {
		/* It keeps these as well, for the next time */
		while (copies.count)
			set_add(&training->pins, set_first(&copies));
	} else if (training->pins_stay) {
		set_release(&copies, client, pinned);
		set_use(&training->pins);
	} else {
		set_release(&copies, client, pinned);
	}
	set_free(&copies);
}

static uint64_t training_step(struct client *client, void *state)
{
	struct training *training = state;
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;
	bool evaluates;

	if (now >= training->next_evaluate) {
		training->evaluate_until = now + rng_log(rng, 5 * SEC, 90 * SEC);
		training->next_evaluate = training->evaluate_until + training->evaluate_ns;
	}
	evaluates = now < training->evaluate_until;
	iterate(client, training, evaluates);
	if (now >= training->next_checkpoint) {
		training->next_checkpoint = now + training->checkpoint_ns;
		checkpoint(client, training);
		return now + rng_log(rng, SEC, 30 * SEC);
	}
	if (now >= training->next_empty) {
		training->next_empty = now + training->empty_ns;
		while (training->idle.count)
			buffer_free(set_first(&training->idle));
	}
	return now + training->iteration_ns * rng_from(rng, 95, 105) / 100;
}

static void training_stop(void *state)
{
	struct training *training = state;

	set_free(&training->weights);
	set_free(&training->idle);
	set_free(&training->used);
	set_free(&training->pins);
	free(training);
}

const struct kind kind_training = {
	.name = "training",
	.about = "an allocator that keeps blocks, evaluations, checkpoints",
	.comms = { "python3", "torchrun", "train.py" },
	.places = {
		{ block, true }, { pinned, false },
	},
	.blocks = true,
	.start = training_start,
	.step = training_step,
	.stop = training_stop,
};
