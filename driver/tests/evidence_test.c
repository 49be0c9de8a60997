// SPDX-License-Identifier: GPL-2.0
/* Lists of objects in order of birth, places, and what files leave */
#include <kunit/test.h>

#include <linux/instruction_pointer.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <drm/pddgpu_drm.h>

#include "kunit_clock.h"
#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_leak_internal.h"
#include "pddgpu_site.h"
#include "pddgpu_unfreed.h"

#define EVIDENCE_BEGIN	(1000000ull * NSEC_PER_SEC)
#define EVIDENCE_MANY	1000

static int evidence_test_init(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);

	pddgpu_kunit_now = EVIDENCE_BEGIN;
	pdev->leaks = pddgpu_leak_tracker_init(&pdev->drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev->leaks);
	pdev->unfreed = pddgpu_unfreed_init(&pdev->drm);
	KUNIT_ASSERT_NOT_NULL(test, pdev->unfreed);
	return 0;
}

static struct pddgpu_leak_tracker *evidence_leaks(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;

	return pdev->leaks;
}

static void evidence_track(struct kunit *test, struct pddgpu_leak_node *node,
			   struct pddgpu_leak_client *client)
{
	const struct pddgpu_leak_birth birth = {
		.client = client,
		.size = SZ_4K,
		.caller = _THIS_IP_,
		.domain = PDDGPU_GEM_DOMAIN_VRAM,
		.flags = PDDGPU_GEM_CREATE_MASK,
		.has_handle = true,
	};

	pddgpu_leak_track(evidence_leaks(test), node, &birth);
}

static u32 evidence_seen;

static void evidence_look(struct pddgpu_leak_listing *listing,
			  const struct pddgpu_leak_node *node, struct drm_pddgpu_object *object)
{
	evidence_seen++;
}

/* Each once, by pages of any size, though some go between two of them */
static void evidence_test_list(struct kunit *test)
{
	static const u32 rooms[] = { 1, 7, 31, 32, 33, 255, 256, 257, EVIDENCE_MANY + 1 };
	struct pddgpu_leak_tracker *leaks = evidence_leaks(test);
	struct drm_pddgpu_object *objects;
	struct pddgpu_leak_node *nodes;
	u32 i, r;

	nodes = kunit_kcalloc(test, EVIDENCE_MANY, sizeof(*nodes), GFP_KERNEL);
	objects = kunit_kcalloc(test, EVIDENCE_MANY + 1, sizeof(*objects), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, nodes);
	KUNIT_ASSERT_NOT_NULL(test, objects);
	for (i = 0; i < EVIDENCE_MANY; i++)
		evidence_track(test, &nodes[i], NULL);
	/* Every other one goes: cohorts with gaps, and some that join */
	for (i = 0; i < EVIDENCE_MANY; i += 2)
		pddgpu_leak_untrack(leaks, &nodes[i]);

	for (r = 0; r < ARRAY_SIZE(rooms); r++) {
		struct pddgpu_leak_listing listing = {
			.all = true,
			.objects = objects,
			.room = rooms[r],
			.look = evidence_look,
		};
		u32 next = 1;

		evidence_seen = 0;
		do {
			pddgpu_leak_list(leaks, &listing);
			for (i = 0; i < listing.count; i++, next += 2) {
				KUNIT_EXPECT_EQ(test, objects[i].id, nodes[next].birth);
				listing.after = objects[i].id;
			}
		} while (listing.count);
		KUNIT_EXPECT_EQ(test, next, EVIDENCE_MANY + 1);
		KUNIT_EXPECT_EQ(test, evidence_seen, EVIDENCE_MANY / 2);
	}
	for (i = 1; i < EVIDENCE_MANY; i += 2)
		pddgpu_leak_untrack(leaks, &nodes[i]);
}

/* What is told of one, and to whom */
static void evidence_test_told(struct kunit *test)
{
	struct pddgpu_leak_tracker *leaks = evidence_leaks(test);
	struct pddgpu_leak_client client = { .client_id = 77 };
	struct drm_pddgpu_object object = {};
	struct pddgpu_leak_listing listing = {
		.uid = current_euid(),
		.objects = &object,
		.room = 1,
	};
	struct pddgpu_leak_node nobodys = {}, ours = {};

	evidence_track(test, &nobodys, NULL);
	evidence_track(test, &ours, &client);
	pddgpu_leak_handle_open(leaks, &ours);
	pddgpu_leak_set_baseline(leaks);
	pddgpu_kunit_now += 31ull * NSEC_PER_SEC;
	pddgpu_leak_list(leaks, &listing);
	KUNIT_ASSERT_EQ(test, listing.count, 1);
	KUNIT_EXPECT_EQ(test, object.id, ours.birth);
	KUNIT_EXPECT_EQ(test, object.birth_ns, ours.birth);
	KUNIT_EXPECT_EQ(test, object.size, SZ_4K);
	KUNIT_EXPECT_EQ(test, object.client_id, 77);
	KUNIT_EXPECT_EQ(test, object.flags, PDDGPU_GEM_CREATE_MASK);
	KUNIT_EXPECT_EQ(test, object.is, PDDGPU_OBJECT_BASELINE);
	KUNIT_EXPECT_EQ(test, object.age_class, PDDGPU_OBJECT_SUSPICIOUS);
	KUNIT_EXPECT_EQ(test, object.state, PDDGPU_OBJECT_LIVE);
	KUNIT_EXPECT_EQ(test, object.domain, PDDGPU_GEM_DOMAIN_VRAM);
	KUNIT_EXPECT_GT(test, object.site, 0);

	/* Another user has nothing; whoever may see all has the other one too. */
	listing.uid = KUIDT_INIT(54321);
	pddgpu_leak_list(leaks, &listing);
	KUNIT_EXPECT_EQ(test, listing.count, 0);
	listing.all = true;
	pddgpu_leak_list(leaks, &listing);
	KUNIT_EXPECT_EQ(test, listing.count, 1);
	KUNIT_EXPECT_EQ(test, object.id, nobodys.birth);

	pddgpu_leak_untrack(leaks, &nobodys);
	pddgpu_leak_untrack(leaks, &ours);
	pddgpu_leak_client_fini(leaks, &client);
}

/* A caller has one number; there is room for some */
static void evidence_test_callers(struct kunit *test)
{
	struct pddgpu_sites *sites = pddgpu_sites_create();
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, sites);
	KUNIT_EXPECT_EQ(test, pddgpu_sites_last(sites), 0);
	KUNIT_EXPECT_EQ(test, pddgpu_site_nr(sites, 0), 0);
	for (i = 1; i <= PDDGPU_SITE_CALLERS; i++) {
		KUNIT_EXPECT_EQ(test, pddgpu_site_caller(sites, 1000 * i), i);
		KUNIT_EXPECT_EQ(test, pddgpu_site_caller(sites, 1000 * i), i);
		KUNIT_EXPECT_EQ(test, pddgpu_site_nr(sites, i), 1);
		KUNIT_EXPECT_EQ(test, pddgpu_site_nr(sites, i + 1), 0);
	}
	KUNIT_EXPECT_EQ(test, pddgpu_site_caller(sites, 7), 0);
	KUNIT_EXPECT_EQ(test, pddgpu_site_caller(sites, 2000), 2);
	KUNIT_EXPECT_EQ(test, pddgpu_sites_last(sites), PDDGPU_SITE_CALLERS);
	KUNIT_EXPECT_EQ(test, pddgpu_site_nr(sites, U32_MAX), 0);
	pddgpu_sites_destroy(sites);
}

static void evidence_leave(struct pddgpu_unfreed *unfreed, u32 kinds, u32 each, bool memory)
{
	struct pddgpu_leak_record record = { .size = SZ_4K, .uid = current_euid() };
	struct pddgpu_unfreed_sum sum = {};
	u32 i;

	pddgpu_unfreed_begin(&sum, memory);
	for (i = 0; i < kinds * each; i++) {
		record.id = 5000 - i;
		record.site = 1 + i % kinds;
		pddgpu_unfreed_add(&sum, &record);
	}
	pddgpu_unfreed_end(unfreed, &sum);
}

static void evidence_test_unfreed(struct kunit *test)
{
	const struct pddgpu_unfreed_viewer all = { .all = true };
	struct pddgpu_device *pdev = test->priv;
	struct drm_pddgpu_unfreed *out;
	u64 lost;
	u32 i;

	out = kunit_kcalloc(test, PDDGPU_UNFREED_KEPT, sizeof(*out), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, out);
	evidence_leave(pdev->unfreed, 0, 0, false);
	KUNIT_EXPECT_EQ(test, pddgpu_unfreed_last(pdev->unfreed), 0);
	evidence_leave(pdev->unfreed, 3, 4, true);
	KUNIT_EXPECT_EQ(test, pddgpu_unfreed_read(pdev->unfreed, &all, 0, out, 10, &lost), 3);
	KUNIT_EXPECT_EQ(test, lost, 0);
	KUNIT_EXPECT_EQ(test, out[1].site, 2);
	KUNIT_EXPECT_EQ(test, out[1].objects, 4);
	KUNIT_EXPECT_EQ(test, out[1].bytes, 4 * SZ_4K);
	KUNIT_EXPECT_EQ(test, out[1].oldest_ns, 5000 - 10);

	/* Without memory for kinds, and with too many of them, there is one for the rest. */
	evidence_leave(pdev->unfreed, 3, 4, false);
	KUNIT_EXPECT_EQ(test, pddgpu_unfreed_read(pdev->unfreed, &all, 3, out, 10, &lost), 1);
	KUNIT_EXPECT_EQ(test, out[0].site, 0);
	KUNIT_EXPECT_EQ(test, out[0].objects, 12);
	evidence_leave(pdev->unfreed, PDDGPU_UNFREED_KINDS + 5, 2, true);
	KUNIT_EXPECT_EQ(test, pddgpu_unfreed_read(pdev->unfreed, &all, 4, out, 100, &lost),
			PDDGPU_UNFREED_KINDS + 1);
	KUNIT_EXPECT_EQ(test, out[PDDGPU_UNFREED_KINDS].objects, 10);

	for (i = 0; i < PDDGPU_UNFREED_KEPT; i++)
		evidence_leave(pdev->unfreed, 1, 1, true);
	KUNIT_EXPECT_EQ(test, pddgpu_unfreed_read(pdev->unfreed, &all, 0, out,
						  PDDGPU_UNFREED_KEPT, &lost),
			PDDGPU_UNFREED_KEPT);
	KUNIT_EXPECT_EQ(test, lost, 4 + PDDGPU_UNFREED_KINDS + 1);
	KUNIT_EXPECT_EQ(test, pddgpu_unfreed_read(pdev->unfreed, &all, U64_MAX, out, 1, &lost), 0);
	KUNIT_EXPECT_EQ(test, lost, 0);
}

static struct kunit_case evidence_test_cases[] = {
	KUNIT_CASE(evidence_test_list),
	KUNIT_CASE(evidence_test_told),
	KUNIT_CASE(evidence_test_callers),
	KUNIT_CASE(evidence_test_unfreed),
	{}
};

static struct kunit_suite evidence_test_suite = {
	.name = "pddgpu_evidence",
	.init = evidence_test_init,
	.test_cases = evidence_test_cases,
};

kunit_test_suite(evidence_test_suite);
