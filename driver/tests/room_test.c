// SPDX-License-Identifier: GPL-2.0
/* Looking for room: who is looking, and whether it is worth trying again */
#include <kunit/test.h>

#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sizes.h>

#include <drm/pddgpu_drm.h>

#include "kunit_clock.h"
#include "kunit_device.h"

#include "pddgpu_account.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_leak.h"
#include "pddgpu_room.h"
#include "pddgpu_vram_mgr.h"

#define ROOM_VRAM	PDDGPU_GEM_DOMAIN_VRAM
#define ROOM_GTT	PDDGPU_GEM_DOMAIN_GTT

static int room_test_init(struct kunit *test)
{
	struct pddgpu_device *pdev = pddgpu_kunit_memory(test, SZ_16M, SZ_16M, SZ_64M, SZ_64M);

	pddgpu_kunit_now = 1ull << 40;
	pdev->leaks = pddgpu_leak_tracker_init(&pdev->drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev->leaks);
	pddgpu_vram_mgr_retry(pdev->vram_mgr)->delay_ms = 0;
	pddgpu_gtt_mgr_retry(pdev->gtt_mgr)->delay_ms = 0;
	return 0;
}

/* Only want of room is tried again, and only where somebody may give some back */
static void room_test_results(struct kunit *test)
{
	static const int results[] = { 0, -ENOSPC, -ERESTARTSYS, -EINTR, -EINVAL, -ENODEV };
	struct pddgpu_device *pdev = test->priv;
	struct pddgpu_room room, other;
	size_t i;

	pddgpu_room_init(&room, NULL, true);
	pddgpu_room_init(&other, NULL, true);
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_room_retry(pdev, &room, ROOM_VRAM, -ENOMEM));
	pddgpu_room_search(pdev, &other);
	for (i = 0; i < ARRAY_SIZE(results); i++) {
		pddgpu_room_init(&room, NULL, true);
		KUNIT_EXPECT_EQ(test, results[i], pddgpu_room_retry(pdev, &room, ROOM_VRAM,
								    results[i]));
		KUNIT_EXPECT_EQ(test, room.attempts, 0);
	}
	pddgpu_room_found(pdev, &other);
}

/* As often as the manager's setting says, where somebody else is looking too */
static void room_test_counts(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;
	struct pddgpu_room room, other;
	u32 domains, count, n;

	pddgpu_room_init(&other, NULL, true);
	pddgpu_room_search(pdev, &other);
	for (domains = ROOM_GTT; domains <= ROOM_VRAM; domains <<= 1) {
		struct pddgpu_retry *retry = domains == ROOM_VRAM ?
			pddgpu_vram_mgr_retry(pdev->vram_mgr) : pddgpu_gtt_mgr_retry(pdev->gtt_mgr);

		for (count = 0; count <= 5; count++) {
			retry->count = count;
			pddgpu_room_init(&room, NULL, true);
			for (n = 0; n < count; n++)
				KUNIT_EXPECT_EQ(test, 0, pddgpu_room_retry(pdev, &room, domains,
									   -ENOMEM));
			KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_room_retry(pdev, &room, domains,
									 -ENOMEM));
		}
		retry->count = 0;
	}
	/* Either domain: VRAM's setting counts */
	pddgpu_vram_mgr_retry(pdev->vram_mgr)->count = 1;
	pddgpu_room_init(&room, NULL, true);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_room_retry(pdev, &room, ROOM_VRAM | ROOM_GTT, -ENOMEM));
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_room_retry(pdev, &room, ROOM_VRAM | ROOM_GTT,
							 -ENOMEM));
	pddgpu_room_found(pdev, &other);
}

static void room_test_delay(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;
	struct pddgpu_room room, other;
	unsigned long begin = jiffies;

	pddgpu_vram_mgr_retry(pdev->vram_mgr)->delay_ms = 300;
	pddgpu_room_init(&other, NULL, true);
	pddgpu_room_search(pdev, &other);
	pddgpu_room_init(&room, NULL, true);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_room_retry(pdev, &room, ROOM_VRAM, -ENOMEM));
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, begin + msecs_to_jiffies(300)));
	pddgpu_room_found(pdev, &other);
}

/* A buffer that waits for its fence will give room */
static void room_test_zombie(struct kunit *test)
{
	const struct pddgpu_leak_birth birth = { .size = SZ_4K, .has_handle = true };
	struct pddgpu_device *pdev = test->priv;
	struct pddgpu_leak_node node = {};
	struct pddgpu_room room;

	pddgpu_leak_track(pdev->leaks, &node, &birth);
	pddgpu_room_init(&room, NULL, true);
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_room_retry(pdev, &room, ROOM_GTT, -ENOMEM));
	pddgpu_leak_zombie(pdev->leaks, &node);
	pddgpu_room_init(&room, NULL, true);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_room_retry(pdev, &room, ROOM_GTT, -ENOMEM));
	pddgpu_leak_untrack(pdev->leaks, &node);
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_room_retry(pdev, &room, ROOM_GTT, -ENOMEM));
}

/*
 * While somebody evicts it is worth waiting however often, but not for ever, and
 * not at all for who wants no second attempt
 */
static void room_test_evictions(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;
	struct pddgpu_room room, other;
	u32 i;

	pddgpu_room_init(&other, NULL, true);
	pddgpu_room_search(pdev, &other);
	pddgpu_room_evicts(pdev);
	KUNIT_EXPECT_TRUE(test, other.evicting);
	pddgpu_room_init(&room, NULL, true);
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_EQ(test, 0, pddgpu_room_retry(pdev, &room, ROOM_VRAM, -ENOMEM));
	KUNIT_EXPECT_EQ(test, room.attempts, 0);
	/* Its patience is at an end: the attempts that it may have are left */
	room.since = jiffies - 10 * HZ;
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 0, pddgpu_room_retry(pdev, &room, ROOM_VRAM, -ENOMEM));
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_room_retry(pdev, &room, ROOM_VRAM, -ENOMEM));

	pddgpu_vram_mgr_retry(pdev->vram_mgr)->count = 0;
	pddgpu_room_init(&room, NULL, true);
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_room_retry(pdev, &room, ROOM_VRAM, -ENOMEM));
	/* The next attempt has no victim yet */
	pddgpu_room_found(pdev, &other);
	pddgpu_room_search(pdev, &other);
	KUNIT_EXPECT_FALSE(test, other.evicting);
	pddgpu_room_found(pdev, &other);
}

/**
 * struct room_test - another thread that looks for room
 */
struct room_test {
	/** @pdev: the device */
	struct pddgpu_device *pdev;
	/** @room: its request */
	struct pddgpu_room room;
	/** @client: for whom */
	struct pddgpu_account_client client;
	/** @began: it is looking */
	struct completion began;
};

static int room_thread(void *data)
{
	struct room_test *rt = data;

	pddgpu_room_init(&rt->room, &rt->client, true);
	pddgpu_room_search(rt->pdev, &rt->room);
	complete(&rt->began);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	pddgpu_room_found(rt->pdev, &rt->room);
	return 0;
}

/* Whose search it is counts, not that there is one */
static void room_test_threads(struct kunit *test)
{
	struct pddgpu_device *pdev = test->priv;
	struct room_test *rt = kunit_kzalloc(test, sizeof(*rt), GFP_KERNEL);
	struct pddgpu_account_client client = {};
	struct task_struct *thread;
	struct pddgpu_room room;

	KUNIT_ASSERT_NOT_NULL(test, rt);
	rt->pdev = pdev;
	init_completion(&rt->began);
	KUNIT_EXPECT_FALSE(test, pddgpu_room_wanted(pdev));
	thread = kthread_run(room_thread, rt, "pddgpu_kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	wait_for_completion(&rt->began);

	KUNIT_EXPECT_TRUE(test, pddgpu_room_wanted(pdev));
	KUNIT_EXPECT_FALSE(test, pddgpu_room_grows(pdev));
	pddgpu_room_evicts(pdev);
	KUNIT_EXPECT_FALSE(test, rt->room.evicting);
	KUNIT_EXPECT_NULL(test, pddgpu_room_client(pdev));
	pddgpu_room_init(&room, &client, false);
	pddgpu_room_search(pdev, &room);
	KUNIT_EXPECT_PTR_EQ(test, &client, pddgpu_room_client(pdev));
	KUNIT_EXPECT_FALSE(test, pddgpu_room_grows(pdev));
	pddgpu_room_evicts(pdev);
	KUNIT_EXPECT_TRUE(test, room.evicting);
	KUNIT_EXPECT_FALSE(test, rt->room.evicting);
	pddgpu_room_found(pdev, &room);
	room.grows = true;
	pddgpu_room_search(pdev, &room);
	KUNIT_EXPECT_TRUE(test, pddgpu_room_grows(pdev));
	pddgpu_room_found(pdev, &room);
	KUNIT_EXPECT_FALSE(test, pddgpu_room_grows(pdev));

	kthread_stop(thread);
	KUNIT_EXPECT_FALSE(test, pddgpu_room_wanted(pdev));
}

static struct kunit_case room_test_cases[] = {
	KUNIT_CASE(room_test_results),
	KUNIT_CASE(room_test_counts),
	KUNIT_CASE(room_test_delay),
	KUNIT_CASE(room_test_zombie),
	KUNIT_CASE(room_test_evictions),
	KUNIT_CASE(room_test_threads),
	{}
};

static struct kunit_suite room_test_suite = {
	.name = "pddgpu_room",
	.init = room_test_init,
	.test_cases = room_test_cases,
};

kunit_test_suite(room_test_suite);
