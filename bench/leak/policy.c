// SPDX-License-Identifier: MIT
/*
 * What calls buffers leaks: the ages that the driver goes by, idleness, and the verdict
 * of the command. All of them are told the same at the same times, and nothing else.
 */
#include <stdlib.h>

#include "leak.h"
#include "verdict.h"

enum { AGE_30, AGE_300, IDLE_30, IDLE_300, VERDICT };

const char *const policy_names[POLICIES] = {
	[AGE_30] = "age 30 s",
	[AGE_300] = "age 300 s",
	[IDLE_30] = "idle 30 s",
	[IDLE_300] = "idle 300 s",
	[VERDICT] = "verdict",
};

struct policies {
	uint64_t now;
	struct verdict *verdict;
};

struct policies *policies_new(void)
{
	struct policies *policies = need(calloc(1, sizeof(*policies)));

	policies->verdict = need(verdict_new());
	return policies;
}

void policies_free(struct policies *policies)
{
	verdict_free(policies->verdict);
	free(policies);
}

int policies_look(struct policies *policies, const struct world *world, uint64_t now)
{
	int ret = verdict_begin(policies->verdict, now);

	policies->now = now;
	for (size_t i = 0; i < world->count && !ret; i++)
		ret = verdict_add(policies->verdict, &world->buffers[i]->object);
	return ret ? ret : verdict_end(policies->verdict);
}

/* Since anybody is known to have had to do with it */
static uint64_t idle(const struct policies *policies, const struct drm_pddgpu_object *object)
{
	uint64_t last = object->birth_ns;

	last = object->used_ns > last ? object->used_ns : last;
	last = object->touched_ns > last ? object->touched_ns : last;
	return policies->now - last;
}

bool policy_says(const struct policies *policies, unsigned int policy,
		 const struct buffer *buffer)
{
	const struct drm_pddgpu_object *object = &buffer->object;
	uint64_t age = policies->now - object->birth_ns;

	switch (policy) {
	case AGE_30:
		return age >= 30 * SEC;
	case AGE_300:
		return age >= 300 * SEC;
	case IDLE_30:
		return idle(policies, object) >= 30 * SEC;
	case IDLE_300:
		return idle(policies, object) >= 300 * SEC;
	default:
		return rating_is_leak(verdict_rating(policies->verdict, object->id));
	}
}

bool policy_may(const struct policies *policies, unsigned int policy)
{
	return policy != VERDICT || verdict_leaked(policies->verdict);
}

const char *policy_why(const struct policies *policies, unsigned int policy,
		       const struct buffer *buffer, const char **rating)
{
	const struct verdict_group *group;

	*rating = "";
	if (policy != VERDICT)
		return "";
	*rating = rating_name(verdict_rating(policies->verdict, buffer->object.id));
	group = verdict_group_of(policies->verdict, buffer->object.id);
	return group ? group->why : "";
}
