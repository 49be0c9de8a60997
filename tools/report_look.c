// SPDX-License-Identifier: MIT
/*
 * A look at a card: each buffer with a driver that tells of them, else who has how much.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "out.h"
#include "report.h"

static unsigned int region_of(uint32_t domain)
{
	return domain & PDDGPU_GEM_DOMAIN_VRAM ? PDDGPU_REGION_VRAM :
	       domain & PDDGPU_GEM_DOMAIN_GTT ? PDDGPU_REGION_GTT : PDDGPU_REGION_CPU;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void take(struct report_card *card, const struct drm_pddgpu_object *object)
{
	char comm[sizeof(object->comm) + 1];

	memcpy(comm, object->comm, sizeof(object->comm));
	comm[sizeof(object->comm)] = '\0';
	if (object->is & PDDGPU_OBJECT_KERNEL)
		*comm = '\0';
	time_add(&card->time, *comm ? (int32_t)object->pid : 0, comm,
		 region_of(object->domain), object->size, 1);
}

static int look_objects(struct report_card *card)
{
	const struct drm_pddgpu_object *object;
	struct pddgpu_objects *objects;
	int ret = pddgpu_objects_open(card->card->dev, &objects), judged;

	if (ret)
		return ret;
	ret = pddgpu_objects_next(objects, &object);
	if (ret < 0) {
		pddgpu_objects_close(objects);
		return ret;
	}
	/* Without memory for it there is no verdict of this look */
	judged = verdict_begin(card->verdict, ret ? pddgpu_objects_now(objects) : monotonic_ns());
	while (ret > 0) {
		take(card, object);
		if (!judged)
			judged = verdict_add(card->verdict, object);
		ret = pddgpu_objects_next(objects, &object);
	}
	pddgpu_objects_close(objects);
	if (!judged)
		judged = verdict_end(card->verdict);
	return ret < 0 ? ret : judged;
}

static void rate(struct report_card *card)
{
	const struct verdict_group *const *groups;
	uint64_t *rated = card->time.rated[card->time.count - 1];
	size_t count, i, j;

	groups = verdict_groups(card->verdict, &count);
	for (i = 0; i < count; i++)
		for (j = 0; j < RATINGS; j++)
			rated[j] += groups[i]->rated_bytes[j];
}

/* What an older driver tells, and of other users' processes the open files */
static int look_owners(struct report_card *card)
{
	struct facts facts;
	unsigned int region, state;
	size_t i;
	int ret = facts_read(card->card, FACTS_PROCESSES, &facts);

	for (i = 0; !ret && i < facts.process_count; i++) {
		const struct process *process = &facts.processes[i];
		uint64_t objects = 0;

		for (state = 0; state < PDDGPU_STATES_OWNED; state++)
			objects += process->objects[state];
		for (region = 0; region < PDDGPU_REGIONS; region++)
			time_add(&card->time, process->pid, process->comm, region,
				 process_region(process, region), region ? 0 : objects);
	}
	facts_free(&facts);
	return ret;
}

static int look_sums(struct report_card *card)
{
	struct drm_pddgpu_domain_usage usage[PDDGPU_REGIONS];
	struct drm_pddgpu_device_info info;
	unsigned int i;
	int ret = 0;

	if (!*card->name) {
		ret = pddgpu_query_info(card->card->dev, &info);
		if (!ret)
			memcpy(card->name, info.name, sizeof(card->name) - 1);
	}
	if (!ret)
		ret = pddgpu_query_usage(card->card->dev, usage);
	if (!ret)
		ret = pddgpu_query_stats(card->card->dev, &card->stats);
	if (ret)
		return ret;
	if (!card->stats_known)
		card->first = card->stats;
	card->stats_known = true;
	for (i = 0; i < PDDGPU_REGIONS; i++) {
		card->total[i] = usage[i].total;
		card->used[i] = usage[i].used;
		card->time.used[card->time.count - 1][i] = usage[i].used;
	}
	return 0;
}

int report_look(struct report_card *card, uint64_t ms)
{
	int ret;

	time_begin(&card->time, ms);
	ret = look_sums(card);
	if (!ret && !card->by_age) {
		ret = look_objects(card);
		if (ret == -EOPNOTSUPP)
			card->by_age = true;
		else if (!ret)
			rate(card);
	}
	if (!ret || ret == -EOPNOTSUPP)
		ret = card->by_age ? look_owners(card) : 0;
	time_end(&card->time);
	if (ret) {
		/* It is as if there had been none */
		card->time.count--;
		return ret;
	}
	if (!card->by_age) {
		report_log_ratings(card, ms);
		report_log_unfreed(card, ms);
	}
	return 0;
}
