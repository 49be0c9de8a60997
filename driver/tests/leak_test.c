// SPDX-License-Identifier: GPL-2.0
/* The leak tracker: what an object is, when it comes of age, who has it */
#include <kunit/test.h>

#include <linux/kallsyms.h>
#include <linux/sizes.h>
#include <linux/time64.h>

#include "kunit_clock.h"
#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_leak.h"
#include "pddgpu_leak_internal.h"

#define LEAK_BEGIN	(1000000ull * NSEC_PER_SEC)

static struct pddgpu_leak_tracker *leak_of(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;

	return pdev->leaks;
}

static int leak_test_init(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);

	pddgpu_kunit_now = LEAK_BEGIN;
	pdev->leaks = pddgpu_leak_tracker_init(&pdev->drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev->leaks);
	return 0;
}

static struct pddgpu_leak_node *leak_node(struct kunit *test, u64 size, bool has_handle)
{
	struct pddgpu_leak_node *node = kunit_kzalloc(test, sizeof(*node), GFP_KERNEL);
	const struct pddgpu_leak_birth birth = {
		.size = size,
		.caller = _THIS_IP_,
		.domain = 1,
		.flags = 0x11,
		.has_handle = has_handle,
	};

	KUNIT_ASSERT_NOT_NULL(test, node);
	pddgpu_leak_track(leak_of(test), node, &birth);
	return node;
}

static void leak_expect_states(struct kunit *test, u64 live, u64 orphan, u64 zombie)
{
	struct pddgpu_leak_summary sum;

	pddgpu_leak_check(leak_of(test), &sum);
	KUNIT_EXPECT_EQ(test, sum.state[PDDGPU_LEAK_LIVE].objects, live);
	KUNIT_EXPECT_EQ(test, sum.state[PDDGPU_LEAK_ORPHAN].objects, orphan);
	KUNIT_EXPECT_EQ(test, sum.state[PDDGPU_LEAK_ZOMBIE].objects, zombie);
	KUNIT_EXPECT_EQ(test, sum.total.objects, live + orphan + zombie);
	KUNIT_EXPECT_EQ(test, sum.total.bytes, sum.state[PDDGPU_LEAK_LIVE].bytes +
			sum.state[PDDGPU_LEAK_ORPHAN].bytes + sum.state[PDDGPU_LEAK_ZOMBIE].bytes);
}

static void leak_expect_classes(struct kunit *test, u64 young, u64 suspicious, u64 confirmed)
{
	struct pddgpu_leak_summary sum;

	pddgpu_leak_check(leak_of(test), &sum);
	KUNIT_EXPECT_EQ(test, sum.class[PDDGPU_LEAK_YOUNG].objects, young);
	KUNIT_EXPECT_EQ(test, sum.class[PDDGPU_LEAK_SUSPICIOUS].objects, suspicious);
	KUNIT_EXPECT_EQ(test, sum.class[PDDGPU_LEAK_CONFIRMED].objects, confirmed);
}

/* Made with a handle: LIVE from before the handle is there */
static void leak_test_live(struct kunit *test)
{
	struct pddgpu_leak_node *node = leak_node(test, SZ_4K, true);

	leak_expect_states(test, 1, 0, 0);
	pddgpu_leak_handle_open(leak_of(test), node);
	leak_expect_states(test, 1, 0, 0);
	pddgpu_leak_handle_open(leak_of(test), node);
	KUNIT_EXPECT_FALSE(test, pddgpu_leak_handle_close(leak_of(test), node));
	leak_expect_states(test, 1, 0, 0);
	/* The last one, and nobody else has it: it goes at once */
	KUNIT_EXPECT_TRUE(test, pddgpu_leak_handle_close(leak_of(test), node));
	leak_expect_states(test, 1, 0, 0);
	pddgpu_leak_untrack(leak_of(test), node);
	leak_expect_states(test, 0, 0, 0);
}

/* The promised handle could not be made */
static void leak_test_promise_broken(struct kunit *test)
{
	struct pddgpu_leak_node *node = leak_node(test, SZ_4K, true);

	pddgpu_leak_settle(leak_of(test), node);
	leak_expect_states(test, 1, 0, 0);
	pddgpu_leak_untrack(leak_of(test), node);
	leak_expect_states(test, 0, 0, 0);
}

static void leak_test_orphan(struct kunit *test)
{
	struct pddgpu_leak_node *node = leak_node(test, SZ_8K, true);
	struct pddgpu_leak_tracker *leaks = leak_of(test);

	pddgpu_leak_handle_open(leaks, node);
	KUNIT_EXPECT_TRUE(test, pddgpu_leak_handle_close(leaks, node));
	/* A dma-buf keeps it */
	pddgpu_leak_settle(leaks, node);
	leak_expect_states(test, 0, 1, 0);
	pddgpu_leak_settle(leaks, node);
	leak_expect_states(test, 0, 1, 0);
	/* And an import finds it */
	pddgpu_leak_handle_open(leaks, node);
	leak_expect_states(test, 1, 0, 0);
	KUNIT_EXPECT_TRUE(test, pddgpu_leak_handle_close(leaks, node));
	pddgpu_leak_settle(leaks, node);
	pddgpu_leak_untrack(leaks, node);
	leak_expect_states(test, 0, 0, 0);
}

/* Somebody opens it between the close and the settling */
static void leak_test_settle_late(struct kunit *test)
{
	struct pddgpu_leak_node *node = leak_node(test, SZ_4K, true);
	struct pddgpu_leak_tracker *leaks = leak_of(test);

	pddgpu_leak_handle_open(leaks, node);
	KUNIT_EXPECT_TRUE(test, pddgpu_leak_handle_close(leaks, node));
	pddgpu_leak_handle_open(leaks, node);
	pddgpu_leak_settle(leaks, node);
	leak_expect_states(test, 1, 0, 0);
	pddgpu_leak_untrack(leaks, node);
}

/* A mapping that was made while the last handle was closed keeps it */
static void leak_test_mapped(struct kunit *test)
{
	struct pddgpu_leak_node *node = leak_node(test, SZ_4K, true);
	struct pddgpu_leak_tracker *leaks = leak_of(test);

	pddgpu_leak_handle_open(leaks, node);
	pddgpu_leak_mapped(leaks, node);
	leak_expect_states(test, 1, 0, 0);
	KUNIT_EXPECT_TRUE(test, pddgpu_leak_handle_close(leaks, node));
	pddgpu_leak_mapped(leaks, node);
	leak_expect_states(test, 0, 1, 0);
	pddgpu_leak_untrack(leaks, node);
	leak_expect_states(test, 0, 0, 0);
}

static void leak_test_foreign(struct kunit *test)
{
	struct pddgpu_leak_node *node = leak_node(test, SZ_4K, false);

	leak_expect_states(test, 0, 1, 0);
	pddgpu_leak_handle_open(leak_of(test), node);
	leak_expect_states(test, 1, 0, 0);
	pddgpu_leak_untrack(leak_of(test), node);
	leak_expect_states(test, 0, 0, 0);
}

/* From LIVE and from ORPHAN; their bytes add up past 4 GiB */
static void leak_test_zombie(struct kunit *test)
{
	struct pddgpu_leak_node *live = leak_node(test, 5ull << 30, true);
	struct pddgpu_leak_node *orphan = leak_node(test, SZ_4K, false);
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	struct pddgpu_leak_summary sum;

	pddgpu_leak_handle_open(leaks, live);
	pddgpu_leak_handle_close(leaks, live);
	pddgpu_leak_zombie(leaks, live);
	leak_expect_states(test, 0, 1, 1);
	pddgpu_leak_zombie(leaks, orphan);
	leak_expect_states(test, 0, 0, 2);
	pddgpu_leak_check(leaks, &sum);
	KUNIT_EXPECT_EQ(test, sum.state[PDDGPU_LEAK_ZOMBIE].bytes, (5ull << 30) + SZ_4K);
	pddgpu_leak_untrack(leaks, orphan);
	leak_expect_states(test, 0, 0, 1);
	pddgpu_leak_untrack(leaks, live);
	leak_expect_states(test, 0, 0, 0);
}

/* What was never tracked is nobody's business */
static void leak_test_untracked(struct kunit *test)
{
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	struct pddgpu_leak_node node = {};
	char comm[TASK_COMM_LEN];
	pid_t pid;

	pddgpu_leak_handle_open(leaks, &node);
	KUNIT_EXPECT_FALSE(test, pddgpu_leak_handle_close(leaks, &node));
	pddgpu_leak_settle(leaks, &node);
	pddgpu_leak_mapped(leaks, &node);
	pddgpu_leak_set_domain(leaks, &node, 4);
	pddgpu_leak_zombie(leaks, &node);
	KUNIT_EXPECT_FALSE(test, pddgpu_leak_read_owner(leaks, &node, &pid, comm));
	pddgpu_leak_untrack(leaks, &node);
	leak_expect_states(test, 0, 0, 0);
	KUNIT_EXPECT_TRUE(test, mem_is_zero(&node, sizeof(node)));
}

/* Of age at the very ns at which the age is reached, and not one before */
static void leak_test_age_edges(struct kunit *test)
{
	u64 suspicious = PDDGPU_LEAK_SUSPICIOUS_AGE_MS * NSEC_PER_MSEC;
	u64 confirmed = PDDGPU_LEAK_CONFIRMED_AGE_MS * NSEC_PER_MSEC;
	struct pddgpu_leak_node *node = leak_node(test, SZ_4K, true);

	KUNIT_EXPECT_EQ(test, node->birth, LEAK_BEGIN);
	leak_expect_classes(test, 1, 0, 0);
	pddgpu_kunit_now = LEAK_BEGIN + suspicious - 1;
	leak_expect_classes(test, 1, 0, 0);
	pddgpu_kunit_now = LEAK_BEGIN + suspicious;
	leak_expect_classes(test, 0, 1, 0);
	pddgpu_kunit_now = LEAK_BEGIN + confirmed - 1;
	leak_expect_classes(test, 0, 1, 0);
	pddgpu_kunit_now = LEAK_BEGIN + confirmed;
	leak_expect_classes(test, 0, 0, 1);
	pddgpu_leak_untrack(leak_of(test), node);
	leak_expect_classes(test, 0, 0, 0);
}

/* The machine may have been up for less than the age */
static void leak_test_age_at_boot(struct kunit *test)
{
	struct pddgpu_leak_node *node;

	pddgpu_kunit_now = 1;
	node = leak_node(test, SZ_4K, true);
	leak_expect_classes(test, 1, 0, 0);
	pddgpu_kunit_now = PDDGPU_LEAK_SUSPICIOUS_AGE_MS * NSEC_PER_MSEC;
	leak_expect_classes(test, 1, 0, 0);
	pddgpu_kunit_now++;
	leak_expect_classes(test, 0, 1, 0);
	pddgpu_leak_untrack(leak_of(test), node);
}

static void leak_test_ages_set(struct kunit *test)
{
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	const int bad[] = { PDDGPU_LEAK_YOUNG, PDDGPU_LEAK_CLASSES, -1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ(test, -EINVAL, pddgpu_leak_set_age(leaks, bad[i], 1000));
	for (i = PDDGPU_LEAK_SUSPICIOUS; i < PDDGPU_LEAK_CLASSES; i++) {
		u64 was = pddgpu_leak_get_age(leaks, i);

		KUNIT_EXPECT_EQ(test, -ERANGE, pddgpu_leak_set_age(leaks, i, 0));
		KUNIT_EXPECT_EQ(test, -ERANGE,
				pddgpu_leak_set_age(leaks, i, PDDGPU_LEAK_AGE_MAX_MS + 1));
		KUNIT_EXPECT_EQ(test, -ERANGE, pddgpu_leak_set_age(leaks, i, U64_MAX));
		KUNIT_EXPECT_EQ(test, pddgpu_leak_get_age(leaks, i), was);
		KUNIT_EXPECT_EQ(test, 0, pddgpu_leak_set_age(leaks, i, PDDGPU_LEAK_AGE_MAX_MS));
		KUNIT_EXPECT_EQ(test, 0, pddgpu_leak_set_age(leaks, i, PDDGPU_LEAK_AGE_MIN_MS));
		KUNIT_EXPECT_EQ(test, pddgpu_leak_get_age(leaks, i), PDDGPU_LEAK_AGE_MIN_MS);
	}
}

/* A changed age counts at once, for what there is; in both directions */
static void leak_test_ages_move(struct kunit *test)
{
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	struct pddgpu_leak_node *node[10];
	struct pddgpu_leak_summary sum;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(node); i++) {
		node[i] = leak_node(test, SZ_4K, true);
		pddgpu_kunit_now += NSEC_PER_SEC;
	}
	/* They are 10, 9 … 1 s old */
	leak_expect_classes(test, 10, 0, 0);
	pddgpu_leak_set_age(leaks, PDDGPU_LEAK_SUSPICIOUS, 4000);
	leak_expect_classes(test, 3, 7, 0);
	pddgpu_leak_set_age(leaks, PDDGPU_LEAK_CONFIRMED, 9000);
	leak_expect_classes(test, 3, 5, 2);
	/* The smaller confirmed age waits for the suspicious one */
	pddgpu_leak_set_age(leaks, PDDGPU_LEAK_CONFIRMED, 1000);
	leak_expect_classes(test, 3, 0, 7);
	pddgpu_leak_set_age(leaks, PDDGPU_LEAK_SUSPICIOUS, 8000);
	leak_expect_classes(test, 7, 0, 3);
	pddgpu_leak_set_age(leaks, PDDGPU_LEAK_SUSPICIOUS, 20000);
	leak_expect_classes(test, 10, 0, 0);
	pddgpu_leak_check(leaks, &sum);
	/* What has ever grown past an edge: it never becomes less */
	KUNIT_EXPECT_EQ(test, sum.entered[PDDGPU_LEAK_SUSPICIOUS].objects, 7);
	KUNIT_EXPECT_EQ(test, sum.entered[PDDGPU_LEAK_CONFIRMED].objects, 7);
	pddgpu_leak_set_age(leaks, PDDGPU_LEAK_SUSPICIOUS, 10000);
	pddgpu_leak_check(leaks, &sum);
	KUNIT_EXPECT_EQ(test, sum.entered[PDDGPU_LEAK_SUSPICIOUS].objects, 8);
	KUNIT_EXPECT_EQ(test, sum.entered[PDDGPU_LEAK_SUSPICIOUS].bytes, 8 * SZ_4K);
	for (i = 0; i < ARRAY_SIZE(node); i++)
		pddgpu_leak_untrack(leaks, node[i]);
}

/* A clock that stands still, or is asked twice at once, gives no two the same */
static void leak_test_births_differ(struct kunit *test)
{
	struct pddgpu_leak_node *node[4];
	struct pddgpu_leak_birth late = { .size = SZ_4K, .now = LEAK_BEGIN - 5000 };
	struct pddgpu_leak_node *old = kunit_kzalloc(test, sizeof(*old), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, old);
	for (i = 0; i < ARRAY_SIZE(node); i++) {
		node[i] = leak_node(test, SZ_4K, true);
		KUNIT_EXPECT_EQ(test, node[i]->birth, LEAK_BEGIN + i);
	}
	/* Who looked at the clock long ago comes last all the same */
	pddgpu_leak_track(leak_of(test), old, &late);
	KUNIT_EXPECT_EQ(test, old->birth, LEAK_BEGIN + 4);
	/* And it is young, though a check has been since */
	pddgpu_leak_untrack(leak_of(test), old);
	pddgpu_kunit_now = LEAK_BEGIN + 3600ull * NSEC_PER_SEC;
	leak_expect_classes(test, 0, 0, 4);
	late.now = LEAK_BEGIN;
	pddgpu_leak_track(leak_of(test), old, &late);
	leak_expect_classes(test, 1, 0, 4);
	pddgpu_leak_untrack(leak_of(test), old);
	leak_expect_classes(test, 0, 0, 4);
	for (i = 0; i < ARRAY_SIZE(node); i++)
		pddgpu_leak_untrack(leak_of(test), node[i]);
}

static void leak_test_owners(struct kunit *test)
{
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	struct pddgpu_leak_owner_record largest[4];
	struct pddgpu_leak_client client[6] = {};
	struct pddgpu_leak_node *node[6];
	char comm[TASK_COMM_LEN];
	pid_t pid = -1;
	u32 i, nr;

	for (i = 0; i < ARRAY_SIZE(node); i++) {
		struct pddgpu_leak_birth birth = {
			.client = &client[i],
			/* 4, 20, 16, 12, 8, 24 KiB */
			.size = i ? i == 5 ? 6 * SZ_4K : (6 - i) * SZ_4K : SZ_4K,
			.has_handle = true,
		};

		client[i].client_id = 100 + i;
		node[i] = kunit_kzalloc(test, sizeof(*node[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, node[i]);
		pddgpu_leak_track(leaks, node[i], &birth);
	}
	KUNIT_EXPECT_TRUE(test, pddgpu_leak_read_owner(leaks, node[2], &pid, comm));
	KUNIT_EXPECT_EQ(test, pid, task_tgid_nr(current));

	nr = pddgpu_leak_largest_owners(leaks, largest, ARRAY_SIZE(largest));
	KUNIT_ASSERT_EQ(test, nr, 4);
	KUNIT_EXPECT_EQ(test, largest[0].client_id, 105);
	KUNIT_EXPECT_EQ(test, largest[1].client_id, 101);
	KUNIT_EXPECT_EQ(test, largest[2].client_id, 102);
	KUNIT_EXPECT_EQ(test, largest[3].client_id, 103);
	KUNIT_EXPECT_EQ(test, largest[0].has.bytes, 6 * SZ_4K);
	KUNIT_EXPECT_EQ(test, largest[0].has.objects, 1);

	/* What a client has made outlives it, with its owner */
	pddgpu_leak_client_fini(leaks, &client[5]);
	KUNIT_EXPECT_TRUE(test, pddgpu_leak_read_owner(leaks, node[5], &pid, comm));
	pddgpu_leak_untrack(leaks, node[5]);
	KUNIT_EXPECT_FALSE(test, pddgpu_leak_read_owner(leaks, node[5], &pid, comm));
	nr = pddgpu_leak_largest_owners(leaks, largest, 1);
	KUNIT_ASSERT_EQ(test, nr, 1);
	KUNIT_EXPECT_EQ(test, largest[0].client_id, 101);

	for (i = 0; i < 5; i++) {
		pddgpu_leak_untrack(leaks, node[i]);
		pddgpu_leak_client_fini(leaks, &client[i]);
	}
	KUNIT_EXPECT_EQ(test, 0, pddgpu_leak_largest_owners(leaks, largest, 4));
	KUNIT_EXPECT_TRUE(test, list_empty(&leaks->owners));
}

static void leak_test_records(struct kunit *test)
{
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	struct pddgpu_leak_iter *iter = pddgpu_leak_iter_create(leaks);
	struct pddgpu_leak_node *orphan = leak_node(test, SZ_8K, false);
	const struct pddgpu_leak_record *rec;
	struct pddgpu_leak_node *live;

	KUNIT_ASSERT_NOT_NULL(test, iter);
	KUNIT_EXPECT_NULL(test, pddgpu_leak_iter_next(iter));
	pddgpu_kunit_now += 270ull * NSEC_PER_SEC;
	live = leak_node(test, SZ_4K, true);
	pddgpu_leak_set_domain(leaks, live, 2);
	pddgpu_kunit_now += 30ull * NSEC_PER_SEC - 1;
	pddgpu_leak_iter_rewind(iter);
	rec = pddgpu_leak_iter_next(iter);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->age_ms, 299999);
	KUNIT_EXPECT_EQ(test, rec->class, PDDGPU_LEAK_SUSPICIOUS);
	KUNIT_EXPECT_EQ(test, rec->state, PDDGPU_LEAK_ORPHAN);
	KUNIT_EXPECT_EQ(test, rec->size, SZ_8K);
	KUNIT_EXPECT_EQ(test, rec->domain, 1);
	KUNIT_EXPECT_EQ(test, rec->flags, 0x11);
	KUNIT_EXPECT_TRUE(test, rec->foreign);
	KUNIT_EXPECT_FALSE(test, rec->owned);
	KUNIT_EXPECT_NULL(test, pddgpu_leak_iter_next(iter));
	KUNIT_EXPECT_NULL(test, pddgpu_leak_iter_next(iter));

	pddgpu_kunit_now++;
	pddgpu_leak_iter_rewind(iter);
	rec = pddgpu_leak_iter_next(iter);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->class, PDDGPU_LEAK_CONFIRMED);
	rec = pddgpu_leak_iter_next(iter);
	KUNIT_ASSERT_NOT_NULL(test, rec);
	KUNIT_EXPECT_EQ(test, rec->age_ms, 30000);
	KUNIT_EXPECT_EQ(test, rec->domain, 2);
	KUNIT_EXPECT_EQ(test, rec->state, PDDGPU_LEAK_LIVE);
	KUNIT_EXPECT_FALSE(test, rec->foreign);
	KUNIT_EXPECT_NULL(test, pddgpu_leak_iter_next(iter));

	pddgpu_leak_iter_destroy(iter);
	pddgpu_leak_iter_destroy(NULL);
	pddgpu_leak_untrack(leaks, orphan);
	pddgpu_leak_untrack(leaks, live);
}

/* Where it is, what it is, whose it is: all of it at once, and none when it is gone */
static void leak_test_held(struct kunit *test)
{
	static const u32 domains[] = { 4, 2, 1 };
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	struct pddgpu_leak_node *node = leak_node(test, 3 * SZ_4K, false);
	struct pddgpu_leak_owner_iter *iter = pddgpu_leak_owner_iter_create(leaks);
	const struct pddgpu_leak_owner_held *owner;
	struct pddgpu_leak_held held, none = {};
	enum pddgpu_leak_region region = PDDGPU_LEAK_VRAM;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, iter);
	KUNIT_EXPECT_NULL(test, pddgpu_leak_owner_iter_next(iter));
	for (i = 0; i < ARRAY_SIZE(domains); i++) {
		pddgpu_leak_set_domain(leaks, node, domains[i]);
		region = pddgpu_leak_region_of(domains[i]);
		pddgpu_leak_get_held(leaks, &held);
		KUNIT_EXPECT_EQ(test, held.in[region][PDDGPU_LEAK_ORPHAN].bytes, 3 * SZ_4K);
		held.in[region][PDDGPU_LEAK_ORPHAN] = (struct pddgpu_leak_count) {};
		KUNIT_EXPECT_MEMEQ(test, &held, &none, sizeof(held));
	}
	KUNIT_EXPECT_EQ(test, region, PDDGPU_LEAK_CPU);
	pddgpu_leak_zombie(leaks, node);
	pddgpu_leak_get_held(leaks, &held);
	KUNIT_EXPECT_EQ(test, held.in[region][PDDGPU_LEAK_ZOMBIE].objects, 1);
	KUNIT_EXPECT_EQ(test, held.in[region][PDDGPU_LEAK_ORPHAN].objects, 0);

	/* Nobody's, and that is a line of its own */
	pddgpu_leak_owner_iter_rewind(iter);
	owner = pddgpu_leak_owner_iter_next(iter);
	KUNIT_ASSERT_NOT_NULL(test, owner);
	KUNIT_EXPECT_EQ(test, owner->client_id, 0);
	KUNIT_EXPECT_EQ(test, owner->pid, 0);
	KUNIT_EXPECT_MEMEQ(test, &owner->held, &held, sizeof(held));
	KUNIT_EXPECT_NULL(test, pddgpu_leak_owner_iter_next(iter));

	pddgpu_leak_untrack(leaks, node);
	pddgpu_leak_get_held(leaks, &held);
	KUNIT_EXPECT_MEMEQ(test, &held, &none, sizeof(held));
	pddgpu_leak_owner_iter_rewind(iter);
	KUNIT_EXPECT_NULL(test, pddgpu_leak_owner_iter_next(iter));
	pddgpu_leak_owner_iter_destroy(iter);
	pddgpu_leak_owner_iter_destroy(NULL);
}

/* What is forgiven is so to the ns, and whatever becomes of the edges */
static void leak_test_baseline(struct kunit *test)
{
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	struct pddgpu_leak_node *old = leak_node(test, SZ_4K, true), *new;
	struct pddgpu_leak_summary sum;

	pddgpu_leak_set_baseline(leaks);
	new = leak_node(test, SZ_8K, true);
	pddgpu_leak_check(leaks, &sum);
	KUNIT_EXPECT_EQ(test, sum.baseline.objects, 1);
	KUNIT_EXPECT_EQ(test, sum.baseline.bytes, SZ_4K);
	leak_expect_classes(test, 1, 0, 0);
	pddgpu_kunit_now += PDDGPU_LEAK_CONFIRMED_AGE_MS * NSEC_PER_MSEC + 1;
	leak_expect_classes(test, 0, 0, 1);
	pddgpu_leak_check(leaks, &sum);
	KUNIT_EXPECT_EQ(test, sum.entered[PDDGPU_LEAK_CONFIRMED].objects, 1);
	KUNIT_EXPECT_EQ(test, sum.entered[PDDGPU_LEAK_CONFIRMED].bytes, SZ_8K);
	/* Of what is confirmed already */
	pddgpu_leak_set_baseline(leaks);
	leak_expect_classes(test, 0, 0, 0);
	pddgpu_leak_set_age(leaks, PDDGPU_LEAK_SUSPICIOUS, PDDGPU_LEAK_AGE_MAX_MS);
	pddgpu_leak_set_age(leaks, PDDGPU_LEAK_SUSPICIOUS, 1);
	leak_expect_classes(test, 0, 0, 0);
	pddgpu_leak_untrack(leaks, old);
	pddgpu_leak_check(leaks, &sum);
	KUNIT_EXPECT_EQ(test, sum.baseline.objects, 1);
	pddgpu_leak_untrack(leaks, new);
	pddgpu_leak_check(leaks, &sum);
	KUNIT_EXPECT_EQ(test, sum.baseline.objects, 0);
	KUNIT_EXPECT_EQ(test, sum.baseline.bytes, 0);
	KUNIT_EXPECT_EQ(test, sum.entered[PDDGPU_LEAK_CONFIRMED].objects, 1);
}

static void leak_test_label(struct kunit *test)
{
	struct pddgpu_leak_tracker *leaks = leak_of(test);
	const struct pddgpu_leak_birth birth = { .size = SZ_4K, .domain = 4 };
	struct pddgpu_leak_named named = {};
	struct pddgpu_leak_record record;
	char texts[2][8] = { "first", "second" };
	char *first = texts[0], *second = texts[1];

	/* One that is not tracked has a label all the same */
	KUNIT_EXPECT_NULL(test, pddgpu_leak_set_label(leaks, &named, first));
	pddgpu_leak_read_named(leaks, &named, &record);
	KUNIT_EXPECT_STREQ(test, record.label, "first");
	KUNIT_EXPECT_EQ(test, record.size, 0);
	pddgpu_leak_track(leaks, &named.node, &birth);
	KUNIT_EXPECT_PTR_EQ(test, pddgpu_leak_set_label(leaks, &named, second), first);
	pddgpu_leak_read_named(leaks, &named, &record);
	KUNIT_EXPECT_STREQ(test, record.label, "second");
	KUNIT_EXPECT_EQ(test, record.size, SZ_4K);
	KUNIT_EXPECT_EQ(test, record.domain, 4);
	KUNIT_EXPECT_PTR_EQ(test, pddgpu_leak_set_label(leaks, &named, NULL), second);
	pddgpu_leak_read_named(leaks, &named, &record);
	KUNIT_EXPECT_STREQ(test, record.label, "");
	KUNIT_EXPECT_NULL(test, named.label);
	pddgpu_leak_untrack(leaks, &named.node);
}

/* Never an address, whatever has become of the code there */
static void leak_test_frame_name(struct kunit *test)
{
	static const unsigned long nowhere[] = { 0, 1, 0x1234, ULONG_MAX };
	char name[KSYM_SYMBOL_LEN];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		pddgpu_site_frame_name(nowhere[i], name);
		KUNIT_EXPECT_STREQ(test, name, "?");
	}
	pddgpu_site_frame_name((unsigned long)pddgpu_leak_object_bytes + 1, name);
	KUNIT_EXPECT_EQ(test, 0, strncmp(name, "pddgpu_leak_object_bytes+0x0/", 29));
}

static void leak_test_object_bytes(struct kunit *test)
{
	/* Requirement: at most 64 for each */
	KUNIT_EXPECT_LE(test, pddgpu_leak_object_bytes(), 64);
	KUNIT_EXPECT_GT(test, pddgpu_leak_object_bytes(), sizeof(struct pddgpu_leak_node));
}

static struct kunit_case leak_test_cases[] = {
	KUNIT_CASE(leak_test_live),
	KUNIT_CASE(leak_test_promise_broken),
	KUNIT_CASE(leak_test_orphan),
	KUNIT_CASE(leak_test_settle_late),
	KUNIT_CASE(leak_test_mapped),
	KUNIT_CASE(leak_test_foreign),
	KUNIT_CASE(leak_test_zombie),
	KUNIT_CASE(leak_test_untracked),
	KUNIT_CASE(leak_test_age_edges),
	KUNIT_CASE(leak_test_age_at_boot),
	KUNIT_CASE(leak_test_ages_set),
	KUNIT_CASE(leak_test_ages_move),
	KUNIT_CASE(leak_test_births_differ),
	KUNIT_CASE(leak_test_owners),
	KUNIT_CASE(leak_test_records),
	KUNIT_CASE(leak_test_held),
	KUNIT_CASE(leak_test_baseline),
	KUNIT_CASE(leak_test_label),
	KUNIT_CASE(leak_test_frame_name),
	KUNIT_CASE(leak_test_object_bytes),
	{}
};

static struct kunit_suite leak_test_suite = {
	.name = "pddgpu_leak",
	.init = leak_test_init,
	.test_cases = leak_test_cases,
};

kunit_test_suite(leak_test_suite);
