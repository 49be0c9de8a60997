// SPDX-License-Identifier: GPL-2.0
/* Accounts of clients who share buffers, many of them: for how long others wait. */
#include <kunit/test.h>

#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "kunit_device.h"

#include "pddgpu_account.h"
#include "pddgpu_device.h"

/* Buffers, and clients who share each of them */
#define SHARED		256
#define SHARERS		256
/* How often it is tried, should the reader not have run */
#define TRIES		20

/**
 * struct account_crowd - a job of many buffers that many share, and one who reads
 */
struct account_crowd {
	/** @account: what is tested */
	struct pddgpu_account *account;
	/** @client: who shares */
	struct pddgpu_account_client *client[SHARERS];
	/** @node: the buffers */
	struct pddgpu_account_node node[SHARED];
	/** @reads: what the reader has done so far */
	unsigned long reads;
};

static int crowd_read(void *data)
{
	struct pddgpu_account_figures has;
	struct account_crowd *crowd = data;

	while (!kthread_should_stop()) {
		pddgpu_account_read(crowd->account, crowd->client[0], &has);
		WRITE_ONCE(crowd->reads, crowd->reads + 1);
		cond_resched();
	}
	return 0;
}

/* How often somebody could read while a job of all the buffers landed */
static unsigned long crowd_land(struct account_crowd *crowd)
{
	struct pddgpu_account_flight flight;
	unsigned long before;
	u32 i;

	pddgpu_account_flight_init(&flight);
	for (i = 0; i < SHARED; i++)
		pddgpu_account_board(crowd->account, &crowd->node[i], crowd->client[0], &flight);
	before = READ_ONCE(crowd->reads);
	pddgpu_account_land(&flight);
	return READ_ONCE(crowd->reads) - before;
}

static void crowd_open(struct kunit *test, struct account_crowd *crowd)
{
	u32 i, c;

	for (c = 0; c < SHARERS; c++) {
		crowd->client[c] = pddgpu_account_client_create();
		KUNIT_ASSERT_NOT_NULL(test, crowd->client[c]);
	}
	for (i = 0; i < SHARED; i++) {
		pddgpu_account_begin(&crowd->node[i], SZ_4K, PDDGPU_ACCOUNT_VRAM,
				     PDDGPU_ACCOUNT_VRAM, false);
		for (c = 0; c < SHARERS; c++)
			KUNIT_ASSERT_EQ(test, 0, pddgpu_account_open(crowd->account,
								     &crowd->node[i],
								     crowd->client[c]));
		cond_resched();
	}
}

static void crowd_close(struct account_crowd *crowd)
{
	u32 i, c;

	for (i = 0; i < SHARED; i++) {
		for (c = 0; c < SHARERS; c++)
			pddgpu_account_close(crowd->account, &crowd->node[i], crowd->client[c]);
		pddgpu_account_end(crowd->account, &crowd->node[i]);
		cond_resched();
	}
	for (c = 0; c < SHARERS; c++)
		pddgpu_account_client_put(crowd->client[c]);
}

/* What is shared by many lands as it is told to all of them, not 64 of it at a time */
static void account_share_test_land(struct kunit *test)
{
	struct account_crowd *crowd = kunit_kzalloc(test, sizeof(*crowd), GFP_KERNEL);
	struct task_struct *thread;
	unsigned long reads = 0;
	u32 i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "takes two CPUs");
	KUNIT_ASSERT_NOT_NULL(test, crowd);
	crowd->account = pddgpu_account_init(&pddgpu_kunit_device(test)->drm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, crowd->account);
	crowd_open(test, crowd);
	thread = kthread_run(crowd_read, crowd, "pddgpu_kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	for (i = 0; i < TRIES && reads < SHARED / 16; i++)
		reads = crowd_land(crowd);
	kthread_stop(thread);
	KUNIT_EXPECT_GE(test, reads, SHARED / 16);
	crowd_close(crowd);
}

static struct kunit_case account_share_test_cases[] = {
	KUNIT_CASE(account_share_test_land),
	{}
};

static struct kunit_suite account_share_test_suite = {
	.name = "pddgpu_account_share",
	.test_cases = account_share_test_cases,
};

kunit_test_suite(account_share_test_suite);
