// SPDX-License-Identifier: GPL-2.0
/* A manager's states, what it says in each, and who gets it out of ERROR, when */
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/jiffies.h>

#include "kunit_device.h"

#include "pddgpu_device.h"
#include "pddgpu_health.h"

/**
 * struct health_test - a manager that does nothing but count
 */
struct health_test {
	/** @health: its health */
	struct pddgpu_health health;
	/** @result: what its recovery comes to; 0: it is well */
	int result;
	/** @recovered: how often it was told to recover */
	u32 recovered;
	/** @at: when it last was, jiffies */
	unsigned long at;
	/** @usable: what it was last told to be */
	bool usable;
	/** @told: how often it was told that */
	u32 told;
};

static int health_test_recover(struct pddgpu_health *health)
{
	struct health_test *ht = container_of(health, struct health_test, health);

	WRITE_ONCE(ht->at, jiffies);
	if (!ht->result)
		pddgpu_health_recovered(health);
	WRITE_ONCE(ht->recovered, ht->recovered + 1);
	return ht->result;
}

static void health_test_usable(struct pddgpu_health *health, bool usable)
{
	struct health_test *ht = container_of(health, struct health_test, health);

	ht->usable = usable;
	ht->told++;
}

static const struct pddgpu_health_ops health_test_ops = {
	.recover = health_test_recover,
	.usable = health_test_usable,
};

static void health_test_fini(void *data)
{
	pddgpu_health_fini(&((struct health_test *)data)->health);
}

static int health_test_init(struct kunit *test)
{
	struct health_test *ht = kunit_kzalloc(test, sizeof(*ht), GFP_KERNEL);
	struct pddgpu_device *pdev = pddgpu_kunit_device(test);

	KUNIT_ASSERT_NOT_NULL(test, ht);
	KUNIT_ASSERT_EQ(test, 0, pddgpu_health_init(&ht->health, &pdev->drm, "test",
						    &health_test_ops));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, health_test_fini, ht));
	test->priv = ht;
	return 0;
}

/* By hand alone */
static struct health_test *health_manual(struct kunit *test)
{
	struct health_test *ht = test->priv;

	ht->health.recover_count = 0;
	return ht;
}

static void health_expect(struct kunit *test, u32 state, int result, const char *name)
{
	struct health_test *ht = test->priv;
	struct pddgpu_health_stats stats;

	pddgpu_health_get_stats(&ht->health, &stats);
	KUNIT_EXPECT_EQ(test, stats.state, state);
	KUNIT_EXPECT_EQ(test, stats.is_healthy, state == PDDGPU_HEALTH_READY);
	KUNIT_EXPECT_EQ(test, pddgpu_health_errno(&ht->health), result);
	KUNIT_EXPECT_EQ(test, pddgpu_health_ready(&ht->health), state == PDDGPU_HEALTH_READY);
	KUNIT_EXPECT_EQ(test, pddgpu_health_failed(&ht->health), state == PDDGPU_HEALTH_ERROR);
	KUNIT_EXPECT_STREQ(test, pddgpu_health_state_name(stats.state), name);
}

static void health_test_states(struct kunit *test)
{
	struct health_test *ht = health_manual(test);

	/* Nobody has begun: an error is counted, and is no state */
	health_expect(test, PDDGPU_HEALTH_INITIALIZING, -EAGAIN, "INITIALIZING");
	pddgpu_health_fail(&ht->health, "too soon");
	health_expect(test, PDDGPU_HEALTH_INITIALIZING, -EAGAIN, "INITIALIZING");
	KUNIT_EXPECT_EQ(test, -EAGAIN, pddgpu_health_recover(&ht->health));
	KUNIT_EXPECT_EQ(test, ht->health.counts.errors, 1);
	KUNIT_EXPECT_STREQ(test, ht->health.cause, "");

	pddgpu_health_start(&ht->health);
	health_expect(test, PDDGPU_HEALTH_READY, 0, "READY");
	KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
	KUNIT_EXPECT_EQ(test, ht->told + ht->recovered, 0);

	/* Of the causes of one ERROR the first is kept, and no second one begins */
	pddgpu_health_fail(&ht->health, "cause %u", 1);
	pddgpu_health_fail(&ht->health, "cause %u", 2);
	health_expect(test, PDDGPU_HEALTH_ERROR, -EIO, "ERROR");
	KUNIT_EXPECT_STREQ(test, ht->health.cause, "cause 1");
	KUNIT_EXPECT_EQ(test, ht->health.counts.errors, 3);
	KUNIT_EXPECT_EQ(test, ht->told, 1);
	KUNIT_EXPECT_FALSE(test, ht->usable);
	KUNIT_EXPECT_FALSE(test, pddgpu_health_recovering(&ht->health));
	pddgpu_health_start(&ht->health);
	health_expect(test, PDDGPU_HEALTH_ERROR, -EIO, "ERROR");

	ht->result = -EBUSY;
	KUNIT_EXPECT_EQ(test, -EBUSY, pddgpu_health_recover(&ht->health));
	health_expect(test, PDDGPU_HEALTH_ERROR, -EIO, "ERROR");
	KUNIT_EXPECT_EQ(test, ht->health.counts.recoveries_failed, 1);
	KUNIT_EXPECT_EQ(test, ht->told, 1);
	ht->result = 0;
	KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
	health_expect(test, PDDGPU_HEALTH_READY, 0, "READY");
	KUNIT_EXPECT_EQ(test, ht->health.counts.recoveries, 1);
	KUNIT_EXPECT_EQ(test, ht->told, 2);
	KUNIT_EXPECT_TRUE(test, ht->usable);
	/* What it was is still to be read, and the next one has its own */
	KUNIT_EXPECT_STREQ(test, ht->health.cause, "cause 1");
	pddgpu_health_fail(&ht->health, "cause %u", 3);
	KUNIT_EXPECT_STREQ(test, ht->health.cause, "cause 3");

	pddgpu_health_stop(&ht->health);
	health_expect(test, PDDGPU_HEALTH_SHUTDOWN, -ENODEV, "SHUTDOWN");
	KUNIT_EXPECT_EQ(test, -ENODEV, pddgpu_health_recover(&ht->health));
	pddgpu_health_recovered(&ht->health);
	pddgpu_health_fail(&ht->health, "too late");
	pddgpu_health_start(&ht->health);
	health_expect(test, PDDGPU_HEALTH_SHUTDOWN, -ENODEV, "SHUTDOWN");
	KUNIT_EXPECT_EQ(test, ht->told, 3);
	KUNIT_EXPECT_EQ(test, ht->recovered, 2);
	KUNIT_EXPECT_EQ(test, ht->health.counts.recoveries, 1);
}

/* A cause of any length is a text that ends */
static void health_test_cause(struct kunit *test)
{
	struct health_test *ht = health_manual(test);
	struct pddgpu_health_stats stats;

	pddgpu_health_start(&ht->health);
	pddgpu_health_fail(&ht->health, "%0*d", 3 * PDDGPU_HEALTH_CAUSE_MAX, 7);
	memset(&stats, 0xff, sizeof(stats));
	pddgpu_health_get_stats(&ht->health, &stats);
	KUNIT_EXPECT_EQ(test, strnlen(stats.cause, sizeof(stats.cause)),
			PDDGPU_HEALTH_CAUSE_MAX - 1);
}

/* Time in ERROR adds up, the present one included, and stops where it ends */
static void health_test_time(struct kunit *test)
{
	struct health_test *ht = health_manual(test);
	struct pddgpu_health_stats stats, later;
	u32 i;

	pddgpu_health_start(&ht->health);
	pddgpu_health_get_stats(&ht->health, &stats);
	KUNIT_EXPECT_EQ(test, stats.error_ms + stats.cause_at_ms, 0);
	for (i = 1; i <= 2; i++) {
		pddgpu_health_fail(&ht->health, "for a while");
		msleep(30);
		pddgpu_health_get_stats(&ht->health, &stats);
		KUNIT_EXPECT_GE(test, stats.error_ms, 30 * i);
		KUNIT_EXPECT_GT(test, stats.cause_at_ms, 0);
		KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
		pddgpu_health_get_stats(&ht->health, &stats);
		msleep(30);
		pddgpu_health_get_stats(&ht->health, &later);
		KUNIT_EXPECT_EQ(test, later.error_ms, stats.error_ms);
	}
}

/* Recoveries that are to fail: so many, or none of them any more */
static void health_test_fail_next(struct kunit *test)
{
	struct health_test *ht = health_manual(test);

	pddgpu_health_start(&ht->health);
	pddgpu_health_fail_next(&ht->health, true);
	pddgpu_health_fail_next(&ht->health, true);
	pddgpu_health_fail(&ht->health, "a test wants it");
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_health_recover(&ht->health));
	KUNIT_EXPECT_EQ(test, -ENOMEM, pddgpu_health_recover(&ht->health));
	KUNIT_EXPECT_EQ(test, ht->recovered, 0);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
	pddgpu_health_fail_next(&ht->health, true);
	pddgpu_health_fail_next(&ht->health, false);
	pddgpu_health_fail(&ht->health, "a test wants it");
	KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
	KUNIT_EXPECT_EQ(test, ht->health.counts.recoveries_failed, 2);
	KUNIT_EXPECT_EQ(test, ht->health.counts.recoveries, 2);
}

static void health_await(struct kunit *test, u32 recovered)
{
	struct health_test *ht = test->priv;
	bool last = recovered >= ht->health.recover_count;
	u32 i;

	for (i = 0; i < 500 && READ_ONCE(ht->recovered) < recovered; i++)
		msleep(20);
	for (i = 0; i < 500 && !last && !delayed_work_pending(&ht->health.work); i++)
		msleep(20);
	KUNIT_ASSERT_EQ(test, READ_ONCE(ht->recovered), recovered);
}

/* How long it is until the next attempt; 0: there is none */
static long health_next(struct kunit *test)
{
	struct health_test *ht = test->priv;

	KUNIT_EXPECT_EQ(test, pddgpu_health_recovering(&ht->health),
			delayed_work_pending(&ht->health.work));
	if (!delayed_work_pending(&ht->health.work))
		return 0;
	return (long)(ht->health.work.timer.expires - jiffies);
}

/* By itself so often and no oftener, each time after twice as long */
static void health_test_attempts(struct kunit *test)
{
	struct health_test *ht = test->priv;
	unsigned long begun = jiffies;
	u32 i;

	ht->result = -EBUSY;
	ht->health.recover_count = 3;
	ht->health.recover_delay_ms = 40;
	pddgpu_health_start(&ht->health);
	pddgpu_health_fail(&ht->health, "it does not end");
	for (i = 1; i <= 3; i++) {
		health_await(test, i);
		/* After 40, 120 and 280 ms */
		KUNIT_EXPECT_GE(test, READ_ONCE(ht->at) - begun,
				msecs_to_jiffies(40 * ((1 << i) - 1)) - 1);
	}
	msleep(400);
	KUNIT_EXPECT_EQ(test, ht->recovered, 3);
	KUNIT_EXPECT_EQ(test, health_next(test), 0);
	KUNIT_EXPECT_EQ(test, ht->health.counts.recoveries_failed, 3);
	health_expect(test, PDDGPU_HEALTH_ERROR, -EIO, "ERROR");

	/* By hand it succeeds; what fails again soon has its attempts anew */
	ht->result = 0;
	KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
	KUNIT_EXPECT_EQ(test, ht->health.attempts, 0);
	pddgpu_health_fail(&ht->health, "again");
	KUNIT_EXPECT_TRUE(test, pddgpu_health_recovering(&ht->health));
	health_await(test, 5);
	health_expect(test, PDDGPU_HEALTH_READY, 0, "READY");
	KUNIT_EXPECT_EQ(test, ht->health.counts.recoveries, 2);
	/* Not so when it was by itself, until it has been well for long */
	KUNIT_EXPECT_EQ(test, ht->health.attempts, 1);
	pddgpu_health_fail(&ht->health, "and again");
	health_await(test, 6);
	KUNIT_EXPECT_EQ(test, ht->health.attempts, 2);
	ht->health.ready_since = jiffies - 11 * HZ;
	pddgpu_health_fail(&ht->health, "much later");
	KUNIT_EXPECT_EQ(test, ht->health.attempts, 0);
	health_await(test, 7);
	health_expect(test, PDDGPU_HEALTH_READY, 0, "READY");
}

/* Somebody is quicker: then the attempt that was to come is neither made nor counted */
static void health_test_by_hand(struct kunit *test)
{
	struct health_test *ht = test->priv;

	ht->health.recover_delay_ms = 60;
	pddgpu_health_start(&ht->health);
	pddgpu_health_fail(&ht->health, "first");
	KUNIT_EXPECT_TRUE(test, pddgpu_health_recovering(&ht->health));
	KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
	KUNIT_EXPECT_EQ(test, health_next(test), 0);
	/* The next error has all of its own delay */
	msleep(40);
	pddgpu_health_fail(&ht->health, "second");
	KUNIT_EXPECT_GE(test, health_next(test), (long)msecs_to_jiffies(60) - HZ / 50);
	KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
	msleep(150);
	KUNIT_EXPECT_EQ(test, ht->health.attempts, 0);
	KUNIT_EXPECT_EQ(test, ht->recovered, 2);
	KUNIT_EXPECT_EQ(test, ht->health.counts.recoveries, 2);
}

/* However often it has failed, and whatever was set, no pause is longer than 10 s */
static void health_test_pauses(struct kunit *test)
{
	static const struct { u32 attempts, delay_ms; u64 ms; } cases[] = {
		{ 0, 1000, 1000 }, { 1, 1000, 2000 }, { 3, 1000, 8000 }, { 4, 1000, 10000 },
		{ 10, 1, 1024 }, { 60, 1, 1024 }, { 99, 10000, 10000 }, { 0, 10000, 10000 },
	};
	struct health_test *ht = test->priv;
	size_t i;

	ht->health.recover_count = 100;
	pddgpu_health_start(&ht->health);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ht->health.attempts = cases[i].attempts;
		ht->health.recover_delay_ms = cases[i].delay_ms;
		pddgpu_health_fail(&ht->health, "case %zu", i);
		KUNIT_EXPECT_LE_MSG(test, health_next(test),
				    (long)msecs_to_jiffies(cases[i].ms), "case %zu", i);
		KUNIT_EXPECT_GE_MSG(test, health_next(test),
				    (long)msecs_to_jiffies(cases[i].ms) - HZ / 5, "case %zu", i);
		cancel_delayed_work_sync(&ht->health.work);
		KUNIT_EXPECT_EQ(test, 0, pddgpu_health_recover(&ht->health));
	}
	/* The last there is, and one too many */
	ht->health.attempts = 100;
	pddgpu_health_fail(&ht->health, "no more");
	KUNIT_EXPECT_EQ(test, health_next(test), 0);
}

/* The card goes while an attempt is to come: it does not come */
static void health_test_stop(struct kunit *test)
{
	struct health_test *ht = test->priv;

	ht->health.recover_delay_ms = 50;
	pddgpu_health_start(&ht->health);
	pddgpu_health_fail(&ht->health, "last words");
	KUNIT_EXPECT_TRUE(test, pddgpu_health_recovering(&ht->health));
	pddgpu_health_stop(&ht->health);
	KUNIT_EXPECT_FALSE(test, pddgpu_health_recovering(&ht->health));
	msleep(150);
	KUNIT_EXPECT_EQ(test, ht->recovered, 0);
	KUNIT_EXPECT_STREQ(test, ht->health.cause, "last words");
}

static void health_test_counts(struct kunit *test)
{
	struct health_test *ht = health_manual(test);
	struct pddgpu_health_stats stats;
	u32 i;

	for (i = 0; i < 3; i++)
		pddgpu_health_retried(&ht->health);
	pddgpu_health_helped(&ht->health);
	for (i = 0; i < 2; i++)
		pddgpu_health_checked(&ht->health);
	pddgpu_health_get_stats(&ht->health, &stats);
	KUNIT_EXPECT_EQ(test, stats.retries, 3);
	KUNIT_EXPECT_EQ(test, stats.retries_helped, 1);
	KUNIT_EXPECT_EQ(test, stats.counts.checks, 2);
	KUNIT_EXPECT_EQ(test, stats.counts.errors + stats.counts.recoveries +
			stats.counts.recoveries_failed, 0);
}

static struct kunit_case health_test_cases[] = {
	KUNIT_CASE(health_test_states),
	KUNIT_CASE(health_test_cause),
	KUNIT_CASE(health_test_time),
	KUNIT_CASE(health_test_fail_next),
	KUNIT_CASE(health_test_attempts),
	KUNIT_CASE(health_test_by_hand),
	KUNIT_CASE(health_test_pauses),
	KUNIT_CASE(health_test_stop),
	KUNIT_CASE(health_test_counts),
	{}
};

static struct kunit_suite health_test_suite = {
	.name = "pddgpu_health",
	.init = health_test_init,
	.test_cases = health_test_cases,
};

kunit_test_suite(health_test_suite);
