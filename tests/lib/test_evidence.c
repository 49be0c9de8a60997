// SPDX-License-Identifier: MIT
/* Readers of answers that come in pieces: all of them, older drivers, and wrong ones. */
#include "fake.h"

#define NOW	1000000

static unsigned int total, asked, wrong;
/* How many in each answer, at most; what they are told as at most */
static unsigned int most;
static uint64_t lost;

/* Elements 1 to @total, as many as there is room for; the first member is the number */
static int ask_list(struct drm_pddgpu_query *args, size_t known)
{
	char *data = (char *)(uintptr_t)args->data;
	struct drm_pddgpu_objects *header = (void *)data;
	uint64_t next = header->after + 1;
	uint32_t stride = header->stride, count = 0;

	asked++;
	if (args->size != 65536 || stride != known || header->flags)
		wrong++;
	for (; next <= total && (count + 1) * stride <= args->size - 32 && count < most; count++) {
		char *at = data + 32 + count * stride;

		memset(at, 0, stride);
		memcpy(at, &next, sizeof(next));
		if (args->type == PDDGPU_QUERY_OBJECTS)
			((struct drm_pddgpu_object *)at)->birth_ns = next;
		next++;
	}
	header->after = next - 1;
	header->count = count;
	args->size = 32 + count * stride;
	return 0;
}

static int ask(struct drm_pddgpu_query *args)
{
	struct drm_pddgpu_objects *objects = (void *)(uintptr_t)args->data;
	struct drm_pddgpu_unfreed_list *unfreed = (void *)(uintptr_t)args->data;
	struct drm_pddgpu_site *site = (void *)(uintptr_t)args->data;
	int ret;

	switch (args->type) {
	case PDDGPU_QUERY_OBJECTS:
		ret = ask_list(args, sizeof(struct drm_pddgpu_object));
		objects->now_ns = NOW + asked;
		return ret;
	case PDDGPU_QUERY_SITE:
		if (site->site != 7)
			return -ENOENT;
		site->count = wrong ? 1000 : 1;
		strcpy(site->frames[0].name, "here");
		args->size = sizeof(*site);
		return 0;
	case PDDGPU_QUERY_UNFREED:
		if (unfreed->after == UINT64_MAX) {
			unfreed->after = total;
			unfreed->count = 0;
			return 0;
		}
		ret = ask_list(args, sizeof(struct drm_pddgpu_unfreed));
		unfreed->lost = asked == 1 ? lost : 0;
		return ret;
	default:
		return -EINVAL;
	}
}

static void begin(unsigned int elements)
{
	fake.ask = ask;
	total = elements;
	asked = wrong = 0;
	most = ~0U;
	lost = 0;
}

static void all_objects(void **state)
{
	struct rig *rig = *state;
	static const unsigned int counts[] = { 0, 1, 430, 431, 432, 5000 };
	const struct drm_pddgpu_object *object;
	struct pddgpu_objects *reader;
	uint64_t id;

	for (size_t i = 0; i < PDDI_ARRAY_SIZE(counts); i++) {
		begin(counts[i]);
		assert_ok(pddgpu_objects_open(rig->dev, &reader));
		for (id = 1; id <= counts[i]; id++) {
			assert_int_equal(pddgpu_objects_next(reader, &object), 1);
			assert_int_equal(object->id, id);
			assert_int_equal(pddgpu_objects_now(reader), NOW + asked);
		}
		for (int again = 0; again < 3; again++) {
			assert_int_equal(pddgpu_objects_next(reader, &object), 0);
			assert_null(object);
		}
		pddgpu_objects_close(reader);
		assert_int_equal(wrong, 0);
	}
	pddgpu_objects_close(NULL);
}

/* Who makes buffers as fast as they are read does not keep the reader for ever. */
static void objects_end(void **state)
{
	struct rig *rig = *state;
	const struct drm_pddgpu_object *object;
	struct pddgpu_objects *reader;
	unsigned int n = 0;

	begin(~0U);
	most = 100000;
	assert_ok(pddgpu_objects_open(rig->dev, &reader));
	while (pddgpu_objects_next(reader, &object) == 1)
		n++;
	/* Born before the first answer */
	assert_int_equal(n, NOW + 1);
	assert_int_equal(pddgpu_objects_next(reader, &object), 0);
	pddgpu_objects_close(reader);
}

static void older_driver(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_objects *objects;
	struct pddgpu_unfreed *unfreed;
	struct drm_pddgpu_site site;
	uint64_t last = 5;

	assert_err(EOPNOTSUPP, pddgpu_objects_open(rig->dev, &objects));
	assert_err(EOPNOTSUPP, pddgpu_unfreed_open(rig->dev, 0, &unfreed));
	assert_err(EOPNOTSUPP, pddgpu_unfreed_last(rig->dev, &last));
	assert_err(EOPNOTSUPP, pddgpu_query_site(rig->dev, 1, &site));
	assert_int_equal(last, 5);
}

static void fails_in_the_middle(void **state)
{
	struct rig *rig = *state;
	const struct drm_pddgpu_unfreed *left;
	const struct drm_pddgpu_object *object;
	struct pddgpu_objects *objects;
	struct pddgpu_unfreed *unfreed;

	begin(1000);
	most = 10;
	assert_ok(pddgpu_objects_open(rig->dev, &objects));
	assert_ok(pddgpu_unfreed_open(rig->dev, 0, &unfreed));
	for (int i = 0; i < 10; i++) {
		assert_int_equal(pddgpu_objects_next(objects, &object), 1);
		assert_int_equal(pddgpu_unfreed_next(unfreed, &left), 1);
	}
	fake.gone = true;
	assert_err(ENODEV, pddgpu_objects_next(objects, &object));
	assert_err(ENODEV, pddgpu_unfreed_next(unfreed, &left));
	assert_null(object);
	assert_null(left);
	pddgpu_objects_close(objects);
	pddgpu_unfreed_close(unfreed);
	fake.gone = false;
}

static int ask_too_many(struct drm_pddgpu_query *args)
{
	struct drm_pddgpu_objects *header = (void *)(uintptr_t)args->data;

	if (args->type == PDDGPU_QUERY_OBJECTS)
		header->count = 1000;
	else
		((struct drm_pddgpu_unfreed_list *)header)->count = UINT32_MAX;
	return 0;
}

/* More than there was room for is not believed. */
static void wrong_answers(void **state)
{
	struct rig *rig = *state;
	struct pddgpu_objects *objects;
	struct pddgpu_unfreed *unfreed;
	struct drm_pddgpu_site site;

	begin(0);
	fake.ask = ask_too_many;
	assert_err(EPROTO, pddgpu_objects_open(rig->dev, &objects));
	assert_err(EPROTO, pddgpu_unfreed_open(rig->dev, 0, &unfreed));
	begin(0);
	wrong = 1;
	assert_ok(pddgpu_query_site(rig->dev, 7, &site));
	assert_int_equal(site.count, PDDGPU_SITE_FRAMES);
}

static void sites(void **state)
{
	struct rig *rig = *state;
	struct drm_pddgpu_site site = { .site = 99 };

	begin(0);
	assert_err(ENOENT, pddgpu_query_site(rig->dev, 8, &site));
	assert_int_equal(site.site, 99);
	assert_ok(pddgpu_query_site(rig->dev, 7, &site));
	assert_int_equal(site.site, 7);
	assert_int_equal(site.count, 1);
	assert_string_equal(site.frames[0].name, "here");
	assert_string_equal(site.frames[1].name, "");
}

static void unfreed(void **state)
{
	struct rig *rig = *state;
	static const unsigned int counts[] = { 0, 1, 454, 455, 1024 };
	const struct drm_pddgpu_unfreed *left;
	struct pddgpu_unfreed *reader;
	uint64_t id, last = 0;

	for (size_t i = 0; i < PDDI_ARRAY_SIZE(counts); i++) {
		begin(counts[i]);
		lost = 17;
		assert_ok(pddgpu_unfreed_open(rig->dev, counts[i] ? 1 : 0, &reader));
		for (id = 2; id <= counts[i]; id++) {
			assert_int_equal(pddgpu_unfreed_next(reader, &left), 1);
			assert_int_equal(left->id, id);
		}
		assert_int_equal(pddgpu_unfreed_next(reader, &left), 0);
		assert_int_equal(pddgpu_unfreed_next(reader, &left), 0);
		assert_null(left);
		assert_int_equal(pddgpu_unfreed_lost(reader), 17);
		pddgpu_unfreed_close(reader);
		assert_int_equal(wrong, 0);
		assert_ok(pddgpu_unfreed_last(rig->dev, &last));
		assert_int_equal(last, counts[i]);
		/* That asks for what comes after all */
		assert_ok(pddgpu_unfreed_open(rig->dev, UINT64_MAX, &reader));
		assert_int_equal(pddgpu_unfreed_next(reader, &left), 0);
		pddgpu_unfreed_close(reader);
	}
	pddgpu_unfreed_close(NULL);
}

const struct CMUnitTest evidence_tests[] = {
	rig_test(all_objects),
	rig_test(objects_end),
	rig_test(older_driver),
	rig_test(fails_in_the_middle),
	rig_test(wrong_answers),
	rig_test(sites),
	rig_test(unfreed),
};

const size_t evidence_tests_count = PDDI_ARRAY_SIZE(evidence_tests);
