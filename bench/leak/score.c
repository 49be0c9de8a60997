// SPDX-License-Identifier: MIT
/*
 * A run, and how right each policy was: at its end, at moments throughout it, how soon it
 * named each leak, and when it first named what is none.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "leak.h"

/* A moment is that often */
#define MOMENT_NS	(5 * MIN)
/* For how long between looks for wrong alarms of a policy that may be right as well */
#define WRONG_NS	(10 * SEC)

/* Whether the leak has been one for so long that it ought to be known, or not quite */
static bool ripe(const struct buffer *buffer, uint64_t now)
{
	return now - buffer->lost_ns >= leak_grace(buffer->leak);
}

static void sum(const struct policies *policies, const struct world *world, uint64_t now,
		unsigned int policy, double *hit, double *missed, double *wrong)
{
	for (size_t i = 0; i < world->count; i++) {
		const struct buffer *buffer = world->buffers[i];
		bool says = policy_says(policies, policy, buffer);
		double bytes = (double)buffer->object.size;

		if (!buffer->lost_ns)
			*wrong += says ? bytes : 0;
		else if (ripe(buffer, now))
			*(says ? hit : missed) += bytes;
	}
}

static void explain_wrong(const struct policies *policies, unsigned int policy,
			  const struct buffer *buffer, uint64_t now, const char *what)
{
	const struct drm_pddgpu_object *object = &buffer->object;
	const char *rating, *why = policy_why(policies, policy, buffer, &rating);
	uint64_t last = object->used_ns > object->birth_ns ? object->used_ns : object->birth_ns;

	printf("  %.0f s: %s: %s: id %llu, %s of %s ", (double)now / SEC, policy_names[policy],
	       what, (unsigned long long)object->id, buffer->place, object->comm);
	printf("(client %llu, site %u, label \"%s\"), %llu KiB, %.0f s old, unused %.0f s",
	       (unsigned long long)object->client_id, object->site, object->label,
	       (unsigned long long)object->size >> 10, (double)(now - object->birth_ns) / SEC,
	       (double)(now - last) / SEC);
	if (buffer->lost_ns)
		printf(", lost %.0f s ago, %s", (double)(now - buffer->lost_ns) / SEC,
		       leak_names[buffer->leak->kind]);
	printf(", state %u, is 0x%x\n    %s: %s\n", object->state, object->is, rating, why);
}

/* One buffer of each client and place is enough */
static void explain_end(const struct policies *policies, const struct world *world,
			uint64_t now, unsigned int policy)
{
	for (size_t i = 0; i < world->count; i++) {
		const struct buffer *buffer = world->buffers[i];
		bool says = policy_says(policies, policy, buffer), shown = false;
		double bytes = 0;
		size_t count = 0;

		if (buffer->lost_ns ? says || !ripe(buffer, now) : !says)
			continue;
		for (size_t j = 0; j < world->count; j++) {
			const struct buffer *other = world->buffers[j];

			if (other->owner != buffer->owner || other->place != buffer->place ||
			    !other->lost_ns != !buffer->lost_ns ||
			    policy_says(policies, policy, other) != says)
				continue;
			shown |= j < i && (!other->lost_ns || ripe(other, now));
			bytes += (double)other->object.size;
			count++;
		}
		if (shown)
			continue;
		printf("  %zu buffers, %.1f MiB, such as\n", count, bytes / 1048576);
		explain_wrong(policies, policy, buffer, now,
			      buffer->lost_ns ? "MISSED" : "WRONG");
	}
}

/* The first that is called a leak and is none */
static const struct buffer *wrong_alarm(const struct policies *policies,
					const struct world *world, unsigned int policy)
{
	for (size_t i = 0; i < world->count; i++)
		if (!world->buffers[i]->lost_ns &&
		    policy_says(policies, policy, world->buffers[i]))
			return world->buffers[i];
	return NULL;
}

static void first_alarms(const struct policies *policies, const struct world *world,
			 uint64_t now, const struct options *options, struct result *result)
{
	for (unsigned int policy = 0; policy < POLICIES; policy++) {
		const struct buffer *buffer;

		if (result->score[policy].first_alarm_ns || !policy_may(policies, policy))
			continue;
		if (result->leaky && now / SEC % (WRONG_NS / SEC))
			continue;
		buffer = wrong_alarm(policies, world, policy);
		if (!buffer)
			continue;
		result->score[policy].first_alarm_ns = now;
		if (options->explain && policy == POLICIES - 1)
			explain_wrong(policies, policy, buffer, now, "first wrong alarm");
	}
}

/* Which leaks a policy has come to know */
static void first_hits(const struct policies *policies, struct world *world, uint64_t now)
{
	for (unsigned int policy = 0; policy < POLICIES; policy++) {
		unsigned int open = 0;

		for (unsigned int i = 0; i < world->leak_count; i++)
			open += world->leaks[i].lost && !world->leaks[i].seen_ns[policy];
		if (!open || !policy_may(policies, policy))
			continue;
		for (size_t i = 0; i < world->count; i++) {
			const struct buffer *buffer = world->buffers[i];

			if (buffer->lost_ns && !buffer->leak->seen_ns[policy] &&
			    policy_says(policies, policy, buffer))
				buffer->leak->seen_ns[policy] = now;
		}
	}
}

static void explain_leak(const struct leak *leak, uint64_t took)
{
	printf("  leak: %s at %s of %s: %llu lost, %llu objects and %.1f MiB now, ",
	       leak_names[leak->kind], leak->place, leak->client->comm,
	       (unsigned long long)leak->lost, (unsigned long long)leak->objects,
	       (double)leak->bytes / 1048576);
	printf("first at %.0f s, period %.1f s, grace %.0f s, seen after %.0f s%s\n",
	       (double)leak->first_ns / SEC, (double)leak_period(leak) / SEC,
	       (double)leak_grace(leak) / SEC, took == NEVER ? -1.0 : (double)took / SEC,
	       leak->restart ? ", restarts" : "");
}

static void end_series(const struct scenario *scenario, uint64_t now, bool explain,
		       struct result *result)
{
	const struct world *world = scenario->world;

	for (unsigned int i = 0; i < world->leak_count; i++) {
		const struct leak *leak = &world->leaks[i];
		struct series *series = &result->series[i];
		/* Who comes late cannot be sooner than he comes */
		uint64_t first = leak->first_ns > scenario->first_ns ? leak->first_ns :
			scenario->first_ns;

		series->leak_kind = (uint8_t)leak->kind;
		series->lost = leak->lost;
		series->bytes = leak->bytes;
		series->period_ns = leak_period(leak);
		series->first_ns = leak->first_ns;
		series->counts = leak->lost && now - first >= leak_grace(leak);
		for (unsigned int policy = 0; policy < POLICIES; policy++)
			series->took_ns[policy] = !leak->seen_ns[policy] ? NEVER :
				leak->seen_ns[policy] > first ? leak->seen_ns[policy] - first : 0;
		if (explain)
			explain_leak(leak, series->took_ns[POLICIES - 1]);
	}
}

static void describe(const struct scenario *scenario)
{
	printf("seed %llu: %s %s%s; stacks %s, first look %.0f s, pause %.0f to %.0f s\n",
	       (unsigned long long)scenario->seed, scenario->kind->name,
	       scenario->leaky ? "leaks: " : "is steady",
	       scenario->leaky ? leak_names[scenario->leak] : "",
	       scenario->world->stacks ? "on" : "off", (double)scenario->first_ns / SEC,
	       (double)scenario->pause.from / SEC, (double)scenario->pause.to / SEC);
	for (const struct client *c = scenario->world->clients; c; c = c->next)
		printf("  client %llu %s (%s), labels %d, stacks %d, ways %u\n",
		       (unsigned long long)c->client_id, c->comm, c->kind->name, c->labels,
		       c->stacks, c->ways);
	for (unsigned int i = 0; i < scenario->world->aways; i++)
		printf("  away %.0f to %.0f s\n", (double)scenario->world->away[i].from / SEC,
		       (double)scenario->world->away[i].to / SEC);
}

static void end(const struct scenario *scenario, const struct policies *policies,
		uint64_t now, const struct options *options, struct result *result)
{
	const struct world *world = scenario->world;

	if (options->explain)
		printf(" at the end: %zu objects\n", world->count);
	end_series(scenario, now, options->explain, result);
	for (unsigned int policy = 0; policy < POLICIES; policy++) {
		struct score *score = &result->score[policy];

		sum(policies, world, now, policy, &score->hit, &score->missed, &score->wrong);
	}
	if (options->explain)
		explain_end(policies, world, now, POLICIES - 1);
	result->objects = (uint32_t)world->count;
	result->strange = world->strange;
	result->done = 1;
}

void score_run(uint64_t seed, const struct options *options, struct result *result)
{
	struct scenario *scenario = scenario_new(options->backend, seed, options->end_ns);
	struct policies *policies = policies_new();
	struct world *world;
	uint64_t every, now = 0;
	struct timespec from, to;

	if (!scenario)
		die("there is no card to run on, or no right to use it");
	world = scenario->world;
	every = options->every_ns ? options->every_ns : scenario->every_ns;
	memset(result, 0, sizeof(*result));
	result->seed = seed;
	result->leaky = scenario->leaky;
	result->leak_kind = (uint8_t)scenario->leak;
	while (kinds[result->kind] != scenario->kind)
		result->kind++;
	result->stacks = world->stacks;
	result->late = scenario->first_ns != 0;
	if (options->explain)
		describe(scenario);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (uint64_t at = scenario->first_ns + every; at <= options->end_ns; at += every) {
		/* On a card it may be later than that already */
		if (at + every <= world->now)
			continue;
		world_run(world, at);
		now = world_look(world);
		if (now >= scenario->pause.from && now < scenario->pause.to)
			continue;
		if (policies_look(policies, world, now))
			die("out of memory");
		result->looks++;
		first_hits(policies, world, now);
		first_alarms(policies, world, now, options, result);
		for (unsigned int policy = 0; policy < POLICIES; policy++)
			if (at % MOMENT_NS < every)
				sum(policies, world, now, policy, &result->score[policy].hits,
				    &result->score[policy].misses,
				    &result->score[policy].wrongs);
	}
	end(scenario, policies, now, options, result);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	result->seconds = (double)(to.tv_sec - from.tv_sec) +
		(double)(to.tv_nsec - from.tv_nsec) / 1e9;
	policies_free(policies);
	scenario_free(scenario);
}
