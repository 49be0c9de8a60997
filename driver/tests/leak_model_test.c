// SPDX-License-Identifier: GPL-2.0
/*
 * The leak tracker against a model that has no lists, no cohorts and no edges:
 * an array of objects, looked at one by one.
 */
#include <kunit/test.h>

#include <linux/sizes.h>
#include <linux/time64.h>
#include <linux/vmalloc.h>

#include "kunit_clock.h"
#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_leak_internal.h"

#define MODEL_BEGIN	(1000000ull * NSEC_PER_SEC)
#define MODEL_READERS	3
#define MODEL_CLIENTS	40

/**
 * struct model_object - an object as the model has it
 */
struct model_object {
	/** @node: the tracker's part */
	struct pddgpu_leak_node node;
	/** @size: bytes */
	u64 size;
	/** @birth: as the tracker said when it was tracked; 0: it does not exist */
	u64 birth;
	/** @handles: open */
	u32 handles;
	/** @zombie: freed */
	bool zombie;
	/** @forgiven: from before the baseline */
	bool forgiven;
	/** @region: where it is */
	u8 region;
	/** @class: by the last check */
	u8 class;
};

/**
 * struct model - all of them
 */
struct model {
	/** @leaks: what is tested */
	struct pddgpu_leak_tracker *leaks;
	/** @rnd: random numbers */
	struct rnd_state rnd;
	/** @objects: the objects, @room of them */
	struct model_object *objects;
	/** @room: how many there may be */
	u32 room;
	/** @alive: how many there are */
	u32 alive;
	/** @age_ms: of each class */
	u64 age_ms[PDDGPU_LEAK_CLASSES];
	/** @entered: what ever came into a class by age */
	struct pddgpu_leak_count entered[PDDGPU_LEAK_CLASSES];
	/** @last: the latest birth */
	u64 last;
	/** @iter: readers in the middle of it */
	struct pddgpu_leak_iter *iter[MODEL_READERS];
	/** @owners: the same, of owners */
	struct pddgpu_leak_owner_iter *owners[MODEL_READERS];
	/** @client: who allocates */
	struct pddgpu_leak_client client[MODEL_CLIENTS];
};

static void model_fini(void *data)
{
	struct model *model = data;
	u32 i;

	for (i = 0; i < MODEL_READERS; i++) {
		pddgpu_leak_iter_destroy(model->iter[i]);
		pddgpu_leak_owner_iter_destroy(model->owners[i]);
	}
	for (i = 0; i < model->room; i++)
		pddgpu_leak_untrack(model->leaks, &model->objects[i].node);
	for (i = 0; i < MODEL_CLIENTS; i++)
		pddgpu_leak_client_fini(model->leaks, &model->client[i]);
	vfree(model->objects);
}

static struct model *model_create(struct kunit *test, u32 room)
{
	struct pddgpu_device *pdev = test->priv;
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, model);
	model->leaks = pdev->leaks;
	model->room = room;
	model->objects = vzalloc(array_size(room, sizeof(*model->objects)));
	KUNIT_ASSERT_NOT_NULL(test, model->objects);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, model_fini, model));
	for (i = 0; i < MODEL_READERS; i++) {
		model->iter[i] = pddgpu_leak_iter_create(model->leaks);
		KUNIT_ASSERT_NOT_NULL(test, model->iter[i]);
		model->owners[i] = pddgpu_leak_owner_iter_create(model->leaks);
		KUNIT_ASSERT_NOT_NULL(test, model->owners[i]);
	}
	for (i = 0; i < MODEL_CLIENTS; i++)
		model->client[i].client_id = i + 1;
	model->age_ms[PDDGPU_LEAK_SUSPICIOUS] = PDDGPU_LEAK_SUSPICIOUS_AGE_MS;
	model->age_ms[PDDGPU_LEAK_CONFIRMED] = PDDGPU_LEAK_CONFIRMED_AGE_MS;
	pddgpu_kunit_seed(test, &model->rnd);
	return model;
}

static int model_test_init(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);

	pddgpu_kunit_now = MODEL_BEGIN;
	pdev->leaks = pddgpu_leak_tracker_init(&pdev->drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev->leaks);
	return 0;
}

static void model_bear(struct kunit *test, struct model *model, struct model_object *obj)
{
	struct pddgpu_leak_birth birth = {
		.size = (u64)(1 + pddgpu_kunit_below(&model->rnd, 1000)) << PAGE_SHIFT,
		.has_handle = pddgpu_kunit_below(&model->rnd, 8),
		.caller = _THIS_IP_,
	};

	/* Some look at the clock before others, and come behind them */
	if (!pddgpu_kunit_below(&model->rnd, 4))
		birth.now = pddgpu_kunit_now - pddgpu_kunit_below(&model->rnd, NSEC_PER_SEC);
	obj->region = pddgpu_kunit_below(&model->rnd, PDDGPU_LEAK_REGIONS);
	birth.domain = BIT(obj->region);
	if (pddgpu_kunit_below(&model->rnd, 8))
		birth.client = &model->client[pddgpu_kunit_below(&model->rnd, MODEL_CLIENTS)];
	obj->size = birth.size;
	obj->handles = birth.has_handle;
	obj->zombie = false;
	obj->forgiven = false;
	obj->class = PDDGPU_LEAK_YOUNG;
	pddgpu_leak_track(model->leaks, &obj->node, &birth);
	if (birth.has_handle)
		pddgpu_leak_handle_open(model->leaks, &obj->node);
	obj->birth = obj->node.birth;
	if (obj->birth <= model->last || (birth.now && obj->birth < birth.now))
		KUNIT_FAIL(test, "born at %llu after %llu, clock %llu", obj->birth, model->last,
			   birth.now);
	model->last = obj->birth;
	model->alive++;
}

static void model_bury(struct model *model, struct model_object *obj)
{
	pddgpu_leak_untrack(model->leaks, &obj->node);
	obj->birth = 0;
	model->alive--;
}

static void model_handle(struct model *model, struct model_object *obj, bool open)
{
	if (obj->zombie)
		return;
	if (open) {
		pddgpu_leak_handle_open(model->leaks, &obj->node);
		obj->handles++;
	} else if (obj->handles) {
		obj->handles--;
		if (pddgpu_leak_handle_close(model->leaks, &obj->node))
			pddgpu_leak_settle(model->leaks, &obj->node);
	}
}

static void model_zombie(struct model *model, struct model_object *obj)
{
	if (obj->zombie)
		return;
	while (obj->handles--)
		pddgpu_leak_handle_close(model->leaks, &obj->node);
	obj->handles = 0;
	obj->zombie = true;
	pddgpu_leak_zombie(model->leaks, &obj->node);
}

static void model_move(struct model *model, struct model_object *obj)
{
	if (obj->zombie)
		return;
	obj->region = pddgpu_kunit_below(&model->rnd, PDDGPU_LEAK_REGIONS);
	pddgpu_leak_set_domain(model->leaks, &obj->node, BIT(obj->region));
}

static void model_forgive(struct model *model)
{
	u32 i;

	pddgpu_leak_set_baseline(model->leaks);
	for (i = 0; i < model->room; i++)
		model->objects[i].forgiven = model->objects[i].birth;
}

static enum pddgpu_leak_state model_state(const struct model_object *obj)
{
	if (obj->zombie)
		return PDDGPU_LEAK_ZOMBIE;
	return obj->handles ? PDDGPU_LEAK_LIVE : PDDGPU_LEAK_ORPHAN;
}

static enum pddgpu_leak_class model_class(struct model *model, const struct model_object *obj)
{
	u64 suspicious = model->age_ms[PDDGPU_LEAK_SUSPICIOUS] * NSEC_PER_MSEC;
	u64 confirmed = model->age_ms[PDDGPU_LEAK_CONFIRMED] * NSEC_PER_MSEC;
	u64 age = pddgpu_kunit_now > obj->birth ? pddgpu_kunit_now - obj->birth : 0;

	if (age < suspicious)
		return PDDGPU_LEAK_YOUNG;
	return age < confirmed ? PDDGPU_LEAK_SUSPICIOUS : PDDGPU_LEAK_CONFIRMED;
}

/* What a check makes of each object; @sum is what it should say */
static void model_check(struct model *model, struct pddgpu_leak_summary *sum)
{
	u32 i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < model->room; i++) {
		struct model_object *obj = &model->objects[i];
		enum pddgpu_leak_class class;

		if (!obj->birth)
			continue;
		pddgpu_leak_count_add(&sum->total, 1, obj->size);
		pddgpu_leak_count_add(&sum->state[model_state(obj)], 1, obj->size);
		if (obj->forgiven) {
			pddgpu_leak_count_add(&sum->baseline, 1, obj->size);
			continue;
		}
		class = model_class(model, obj);
		while (obj->class < class)
			pddgpu_leak_count_add(&model->entered[++obj->class], 1, obj->size);
		obj->class = class;
		pddgpu_leak_count_add(&sum->class[class], 1, obj->size);
	}
	memcpy(sum->entered, model->entered, sizeof(sum->entered));
}

/* The tracker's structure: order, sums, and how small cohorts may be */
static void model_expect_cohorts(struct kunit *test, struct model *model)
{
	struct pddgpu_leak_tracker *leaks = model->leaks;
	struct pddgpu_leak_cohort *cohort, *prev = NULL;
	u64 last = 0, all = 0;

	spin_lock(&leaks->lock);
	list_for_each_entry(cohort, &leaks->cohorts, link) {
		struct pddgpu_leak_node *node;
		u64 objects = 0, bytes = 0;
		bool fine = true;

		list_for_each_entry(node, &cohort->nodes, link) {
			fine &= node->cohort == cohort;
			if (node->is.mark)
				continue;
			fine &= node->birth > last && node->birth >= cohort->first &&
				node->birth <= cohort->last;
			last = node->birth;
			objects++;
			bytes += node->size;
		}
		fine &= objects == cohort->objects && bytes == cohort->bytes;
		fine &= objects <= PDDGPU_LEAK_COHORT;
		/* Nothing is kept for nothing, and small neighbours have joined */
		fine &= cohort == leaks->youngest || !list_empty(&cohort->nodes);
		fine &= !prev || cohort == leaks->youngest ||
			prev->objects > PDDGPU_LEAK_SPARSE || objects > PDDGPU_LEAK_SPARSE;
		if (!fine) {
			spin_unlock(&leaks->lock);
			KUNIT_FAIL(test, "cohort of %u (%llu), after one of %u", cohort->objects,
				   objects, prev ? prev->objects : 0);
			return;
		}
		prev = cohort;
		all += objects;
	}
	spin_unlock(&leaks->lock);
	KUNIT_EXPECT_PTR_EQ(test, prev, leaks->youngest);
	KUNIT_EXPECT_EQ(test, all, model->alive);
}

static void model_add_held(struct pddgpu_leak_held *sum, const struct pddgpu_leak_held *held)
{
	int i;

	for (i = 0; i < PDDGPU_LEAK_REGIONS * PDDGPU_LEAK_STATES; i++)
		pddgpu_leak_count_add(&sum->in[0][0] + i, (&held->in[0][0] + i)->objects,
				      (&held->in[0][0] + i)->bytes);
}

/* By region and state: the tracker's sums, and those of its owners together */
static void model_expect_held(struct kunit *test, struct model *model)
{
	struct pddgpu_leak_held *held = kunit_kzalloc(test, 3 * sizeof(*held), GFP_KERNEL);
	const struct pddgpu_leak_owner_held *owner;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, held);
	for (i = 0; i < model->room; i++) {
		struct model_object *obj = &model->objects[i];

		if (obj->birth)
			pddgpu_leak_count_add(&held[0].in[obj->region][model_state(obj)], 1,
					      obj->size);
	}
	pddgpu_leak_get_held(model->leaks, &held[1]);
	KUNIT_EXPECT_MEMEQ(test, &held[0], &held[1], sizeof(*held));
	pddgpu_leak_owner_iter_rewind(model->owners[0]);
	while ((owner = pddgpu_leak_owner_iter_next(model->owners[0])))
		model_add_held(&held[2], &owner->held);
	KUNIT_EXPECT_MEMEQ(test, &held[0], &held[2], sizeof(*held));
	kunit_kfree(test, held);
}

static void model_expect(struct kunit *test, struct model *model)
{
	struct pddgpu_leak_summary sum, expect;

	model_check(model, &expect);
	pddgpu_leak_check(model->leaks, &sum);
	KUNIT_EXPECT_MEMEQ(test, &sum, &expect, sizeof(sum));
	model_expect_held(test, model);
	model_expect_cohorts(test, model);
}

static void model_set_age(struct kunit *test, struct model *model)
{
	static const u32 scale[] = { 10, 1000, 100000, 1000000 };
	u32 class = 1 + pddgpu_kunit_below(&model->rnd, 2);
	struct pddgpu_leak_summary expect;

	model->age_ms[class] = 1 + pddgpu_kunit_below(&model->rnd,
						      scale[pddgpu_kunit_below(&model->rnd, 4)]);
	model_check(model, &expect);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_leak_set_age(model->leaks, class, model->age_ms[class]));
}

static void model_read(struct kunit *test, struct model *model)
{
	struct pddgpu_leak_iter *iter = model->iter[pddgpu_kunit_below(&model->rnd,
								       MODEL_READERS)];
	struct pddgpu_leak_owner_iter *owners = model->owners[pddgpu_kunit_below(&model->rnd,
										 MODEL_READERS)];
	u32 n = pddgpu_kunit_below(&model->rnd, 100);
	struct pddgpu_leak_summary expect;

	if (!pddgpu_kunit_below(&model->rnd, 4)) {
		model_check(model, &expect);
		pddgpu_leak_iter_rewind(iter);
	}
	while (n-- && pddgpu_leak_iter_next(iter))
		;
	if (!pddgpu_kunit_below(&model->rnd, 4))
		pddgpu_leak_owner_iter_rewind(owners);
	n = pddgpu_kunit_below(&model->rnd, 50);
	while (n-- && pddgpu_leak_owner_iter_next(owners))
		;
}

/* Reads all in one go, and compares it with the model */
static void model_read_all(struct kunit *test, struct model *model)
{
	const struct pddgpu_leak_record *rec;
	struct pddgpu_leak_summary expect;
	u64 bytes = 0, older = U64_MAX;
	u64 objects = 0;

	model_check(model, &expect);
	pddgpu_leak_iter_rewind(model->iter[0]);
	while ((rec = pddgpu_leak_iter_next(model->iter[0]))) {
		if (rec->age_ms > older || rec->class == PDDGPU_LEAK_YOUNG)
			KUNIT_FAIL(test, "%llu ms after %llu, class %u", rec->age_ms, older,
				   rec->class);
		older = rec->age_ms;
		bytes += rec->size;
		objects++;
	}
	KUNIT_EXPECT_EQ(test, objects, expect.class[PDDGPU_LEAK_SUSPICIOUS].objects +
			expect.class[PDDGPU_LEAK_CONFIRMED].objects);
	KUNIT_EXPECT_EQ(test, bytes, expect.class[PDDGPU_LEAK_SUSPICIOUS].bytes +
			expect.class[PDDGPU_LEAK_CONFIRMED].bytes);
}

/* One thing that happens; @crowd is how many there are to be about */
static void model_step(struct kunit *test, struct model *model, u32 crowd)
{
	struct model_object *obj = &model->objects[pddgpu_kunit_below(&model->rnd, model->room)];

	pddgpu_kunit_now += pddgpu_kunit_below(&model->rnd, 20 * NSEC_PER_MSEC);
	switch (pddgpu_kunit_below(&model->rnd, 100)) {
	case 0 ... 59:
		if (!obj->birth && model->alive < crowd)
			model_bear(test, model, obj);
		else if (obj->birth && model->alive >= crowd)
			model_bury(model, obj);
		break;
	case 60 ... 69:
		if (obj->birth)
			model_bury(model, obj);
		break;
	case 70 ... 89:
		if (obj->birth)
			model_handle(model, obj, pddgpu_kunit_below(&model->rnd, 2));
		break;
	case 90 ... 94:
		if (obj->birth)
			model_zombie(model, obj);
		break;
	case 95:
		if (obj->birth)
			model_move(model, obj);
		break;
	case 96:
		pddgpu_kunit_now += pddgpu_kunit_below(&model->rnd, NSEC_PER_SEC);
		break;
	default:
		model_read(test, model);
	}
}

static void model_test_histories(struct kunit *test)
{
	struct model *model = model_create(test, 3000);
	u32 i, crowd = 1500;

	for (i = 0; i < 60000; i++) {
		if (!(i % 2000))
			crowd = pddgpu_kunit_below(&model->rnd, 2500);
		model_step(test, model, crowd);
		if (!pddgpu_kunit_below(&model->rnd, 500))
			model_set_age(test, model);
		if (!pddgpu_kunit_below(&model->rnd, 3000))
			model_forgive(model);
		if (!pddgpu_kunit_below(&model->rnd, 200))
			model_expect(test, model);
		if (!pddgpu_kunit_below(&model->rnd, 1000))
			model_read_all(test, model);
		cond_resched();
	}
	model_expect(test, model);
	for (i = 0; i < model->room; i++) {
		if (model->objects[i].birth)
			model_bury(model, &model->objects[i]);
	}
	model_expect(test, model);
	KUNIT_EXPECT_EQ(test, model->alive, 0);
}

/* So many that every step over all of them would be felt; one in 300 stays */
static void model_test_crowd(struct kunit *test)
{
	struct model *model = model_create(test, 100000);
	struct pddgpu_leak_cohort *cohort;
	u32 i, cohorts = 0;

	for (i = 0; i < model->room; i++) {
		pddgpu_kunit_now += 10 * NSEC_PER_USEC;
		model_bear(test, model, &model->objects[i]);
		cond_resched();
	}
	model_expect(test, model);
	pddgpu_kunit_now += PDDGPU_LEAK_SUSPICIOUS_AGE_MS * NSEC_PER_MSEC - 500 * NSEC_PER_MSEC;
	model_expect(test, model);
	model_read_all(test, model);

	for (i = 0; i < model->room; i++) {
		if (i % 300)
			model_bury(model, &model->objects[i]);
		cond_resched();
	}
	model_expect(test, model);
	list_for_each_entry(cohort, &model->leaks->cohorts, link)
		cohorts++;
	/* 334 objects; of two neighbours one is not sparse; and there are the marks */
	KUNIT_EXPECT_LE(test, cohorts, 2 * 334 / PDDGPU_LEAK_SPARSE + 3);
	KUNIT_EXPECT_LE(test, model->leaks->spares, 1);
	pddgpu_kunit_now += PDDGPU_LEAK_CONFIRMED_AGE_MS * NSEC_PER_MSEC;
	model_expect(test, model);
	model_read_all(test, model);
}

/*
 * While one is being read objects go and come; whoever stays is shown once, and
 * nobody twice.
 */
static void model_test_reading_meanwhile(struct kunit *test)
{
	struct model *model = model_create(test, 4000);
	struct pddgpu_leak_iter *iter = model->iter[0];
	const struct pddgpu_leak_record *rec;
	struct pddgpu_leak_summary expect;
	u32 i, stay = 0, shown = 0, next = 2000;
	u64 last = 0;

	for (i = 0; i < 2000; i++) {
		pddgpu_kunit_now += NSEC_PER_MSEC;
		model_bear(test, model, &model->objects[i]);
		/* Those with an odd number stay, and are known by it */
		model->objects[i].node.flags = i & 1;
		stay += i & 1;
	}
	pddgpu_kunit_now += PDDGPU_LEAK_SUSPICIOUS_AGE_MS * NSEC_PER_MSEC;
	model_check(model, &expect);
	pddgpu_leak_iter_rewind(iter);
	while ((rec = pddgpu_leak_iter_next(iter))) {
		KUNIT_EXPECT_GT(test, rec->id, last);
		last = rec->id;
		shown += rec->flags;
		for (i = 0; i < 3; i++) {
			struct model_object *obj =
				&model->objects[2 * pddgpu_kunit_below(&model->rnd, 1000)];

			if (obj->birth)
				model_bury(model, obj);
		}
		if (next < model->room)
			model_bear(test, model, &model->objects[next++]);
		pddgpu_kunit_now += 20 * NSEC_PER_SEC;
	}
	KUNIT_EXPECT_EQ(test, shown, stay);
	model_expect(test, model);
}

static struct kunit_case model_test_cases[] = {
	KUNIT_CASE_SLOW(model_test_histories),
	KUNIT_CASE_SLOW(model_test_crowd),
	KUNIT_CASE(model_test_reading_meanwhile),
	{}
};

static struct kunit_suite model_test_suite = {
	.name = "pddgpu_leak_model",
	.init = model_test_init,
	.test_cases = model_test_cases,
};

kunit_test_suite(model_test_suite);
