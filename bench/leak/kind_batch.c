// SPDX-License-Identifier: MIT
/*
 * A service that runs jobs: each has buffers of its own, some of which one long command
 * uses, and is over in seconds or minutes. Some services give each job a new file, or a
 * new process. What jobs have in common is kept up to a limit.
 */
#include <stdlib.h>

#include "leak.h"

#define WORKERS	8

static const char input[] = "input", workspace[] = "workspace", result[] = "result",
	common[] = "shared data";

struct batch_job {
	struct client *client;
	struct set buffers;
	uint64_t end_ns, next_ns;
	bool runs;
};

struct batch {
	unsigned int workers, buffers;
	uint64_t job_ns, wait_ns, low, high, long_ns;
	/* Its files: one for all, one a job, or a process a job */
	unsigned int files;
	struct batch_job jobs[WORKERS];
	uint64_t next_ns[WORKERS];
	struct cache cache;
	uint64_t night_from, night_to;
};

static void *batch_start(struct client *client)
{
	struct batch *batch = need(calloc(1, sizeof(*batch)));
	struct rng *rng = &client->rng;

	batch->workers = (unsigned int)rng_from(rng, 1, WORKERS);
	batch->buffers = (unsigned int)rng_log(rng, 3, 40);
	batch->job_ns = rng_log(rng, 500 * MS, 3 * MIN);
	batch->wait_ns = rng_log(rng, 100 * MS, 2 * MIN);
	batch->low = rng_log(rng, KIB(64), MIB(2));
	batch->high = batch->low * rng_from(rng, 2, 64);
	batch->files = (unsigned int)rng_below(rng, 3);
	batch->long_ns = rng_chance(rng, 0.5) ? rng_log(rng, SEC, 60 * SEC) : 0;
	batch->cache.place = common;
	batch->cache.where = IN_VRAM;
	batch->cache.keys = (unsigned int)rng_from(rng, 8, 200);
	batch->cache.skew = rng_real(rng, 0.2, 0.8);
	batch->cache.low = batch->low;
	batch->cache.high = batch->high;
	batch->cache.limit = batch->high * rng_from(rng, 4, 40);
	batch->cache.seed = rng_next(rng);
	if (rng_chance(rng, 0.3)) {
		/* A time without work */
		batch->night_from = rng_from(rng, 0, 50) * MIN;
		batch->night_to = batch->night_from + rng_from(rng, 5, 25) * MIN;
	}
	return batch;
}

static void begin_job(struct client *client, struct batch *batch, struct batch_job *job)
{
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;
	unsigned int count = 1 + (unsigned int)rng_below(rng, 2 * batch->buffers);

	job->runs = true;
	job->client = batch->files ? client_child(client, batch->files == 2 ? "worker" : NULL,
						  batch->files == 2) : client;
	job->end_ns = now + rng_wait(rng, batch->job_ns) + 200 * MS;
	job->next_ns = now;
	for (unsigned int i = 0; i < count; i++) {
		unsigned int what = (unsigned int)rng_below(rng, 3);
		struct buffer *buffer;

		/* What comes and what becomes of it is the service's own */
		buffer = buffer_new(what == 1 ? job->client : client,
				    what == 0 ? input : what == 1 ? workspace : result,
				    rng_bytes(rng, batch->low, batch->high),
				    what == 1 ? IN_VRAM : IN_SYSTEM | FOR_CPU);
		if (what == 0)
			buffer_map(buffer);
		set_add(&job->buffers, buffer);
	}
	set_use(&job->buffers);
	for (unsigned int i = (unsigned int)rng_below(rng, 4); i; i--)
		cache_want(&batch->cache, client, cache_pick(&batch->cache, rng));
}

static void run_job(struct client *client, struct batch *batch, struct batch_job *job)
{
	struct rng *rng = &client->rng;
	uint64_t now = client->world->now;

	if (now < job->next_ns)
		return;
	if (batch->long_ns && rng_chance(rng, 0.3)) {
		/* One command that takes long; nothing else happens meanwhile */
		uint64_t takes = rng_wait(rng, batch->long_ns);

		if (takes > 3 * MIN)
			takes = 3 * MIN;
		for (size_t i = 0; i < job->buffers.count; i++)
			buffer_long_job(job->buffers.items[i], takes);
		job->next_ns = now + takes;
		if (job->end_ns < job->next_ns)
			job->end_ns = job->next_ns;
		return;
	}
	set_use_some(&job->buffers, rng, 0.7);
	job->next_ns = now + rng_wait(rng, batch->job_ns / 20);
}

static void end_job(struct client *client, struct batch *batch, struct batch_job *job)
{
	while (job->buffers.count) {
		struct buffer *buffer = set_first(&job->buffers);

		release(client, buffer->place, buffer);
	}
	if (batch->files)
		client_exit(job->client);
	job->runs = false;
}

static uint64_t batch_step(struct client *client, void *state)
{
	struct batch *batch = state;
	uint64_t now = client->world->now, next = now + SEC;

	for (unsigned int i = 0; i < batch->workers; i++) {
		struct batch_job *job = &batch->jobs[i];

		if (job->runs && now >= job->end_ns) {
			end_job(client, batch, job);
			batch->next_ns[i] = now + rng_wait(&client->rng, batch->wait_ns);
		} else if (job->runs) {
			run_job(client, batch, job);
		} else if (now >= batch->next_ns[i] &&
			   (now < batch->night_from || now >= batch->night_to)) {
			begin_job(client, batch, job);
		}
		if (job->runs && job->end_ns < next)
			next = job->end_ns;
	}
	return next < now + 100 * MS ? now + 100 * MS : next;
}

static void batch_stop(void *state)
{
	struct batch *batch = state;

	for (unsigned int i = 0; i < WORKERS; i++)
		set_free(&batch->jobs[i].buffers);
	cache_free(&batch->cache);
	free(batch);
}

const struct kind kind_batch = {
	.name = "batch",
	.about = "a service that runs short jobs, in files or processes of their own or not",
	.comms = { "ci-runner", "render-farm", "blender" },
	.places = {
		{ result, true }, { input, true }, { common, false },
	},
	.start = batch_start,
	.step = batch_step,
	.stop = batch_stop,
};
