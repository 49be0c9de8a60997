// SPDX-License-Identifier: GPL-2.0
/*
 * A parameter goes through the function that its file in debugfs goes through, when
 * a card is brought up; so both know the same ranges. One that is out of range is
 * not taken, with a line in the log, and the default stays.
 */
#include <linux/align.h>
#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/stringify.h>

#include <drm/drm_print.h>

#include "pddgpu_chip.h"
#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_health.h"
#include "pddgpu_leak.h"
#include "pddgpu_monitor.h"
#include "pddgpu_tunable.h"
#include "pddgpu_vram_mgr.h"

#define PDDGPU_RETRY_COUNT_MAX		100
#define PDDGPU_RETRY_DELAY_MAX_MS	10000
#define PDDGPU_RECOVER_COUNT_MAX	100
#define PDDGPU_RECOVER_DELAY_MAX_MS	10000

/* What a card can do nothing with less of, MiB: VRAM besides the page tables; GTT */
#define PDDGPU_VRAM_LEAST	16
#define PDDGPU_GTT_LEAST	16

static int vramlimit;
module_param(vramlimit, int, 0444);
MODULE_PARM_DESC(vramlimit, "MiB of VRAM to use at most, no less than "
		 __stringify(PDDGPU_VRAM_LEAST) " besides page tables; 0: all of it (default: 0)");

static int gttsize = -1;
module_param(gttsize, int, 0444);
MODULE_PARM_DESC(gttsize, "MiB that buffers in the GTT may hold together, no less than "
		 __stringify(PDDGPU_GTT_LEAST) "; -1: what the system allows (default: -1)");

static unsigned long long leak_check_interval = PDDGPU_LEAK_CHECK_INTERVAL_MS;
module_param(leak_check_interval, ullong, 0444);
MODULE_PARM_DESC(leak_check_interval, "Milliseconds between two leak checks, "
		 __stringify(PDDGPU_LEAK_CHECK_INTERVAL_MIN_MS) " to "
		 __stringify(PDDGPU_LEAK_CHECK_INTERVAL_MAX_MS) " (default: "
		 __stringify(PDDGPU_LEAK_CHECK_INTERVAL_MS) ")");

static unsigned long long leak_threshold = PDDGPU_MEMORY_LEAK_THRESHOLD;
module_param(leak_threshold, ullong, 0444);
MODULE_PARM_DESC(leak_threshold, "Bytes in use above which the leak alarm is raised (default: 104857600)");

static unsigned long long leak_suspicious_age = PDDGPU_LEAK_SUSPICIOUS_AGE_MS;
module_param(leak_suspicious_age, ullong, 0444);
MODULE_PARM_DESC(leak_suspicious_age, "Milliseconds after which a buffer is a suspicious leak, "
		 __stringify(PDDGPU_LEAK_AGE_MIN_MS) " to "
		 __stringify(PDDGPU_LEAK_AGE_MAX_MS) " (default: "
		 __stringify(PDDGPU_LEAK_SUSPICIOUS_AGE_MS) ")");

static unsigned long long leak_confirmed_age = PDDGPU_LEAK_CONFIRMED_AGE_MS;
module_param(leak_confirmed_age, ullong, 0444);
MODULE_PARM_DESC(leak_confirmed_age, "Milliseconds after which it is a confirmed one, "
		 __stringify(PDDGPU_LEAK_AGE_MIN_MS) " to "
		 __stringify(PDDGPU_LEAK_AGE_MAX_MS) " (default: "
		 __stringify(PDDGPU_LEAK_CONFIRMED_AGE_MS) ")");

static unsigned long long leak_monitor_enabled = PDDGPU_MEMORY_LEAK_MONITOR_ENABLED;
module_param(leak_monitor_enabled, ullong, 0444);
MODULE_PARM_DESC(leak_monitor_enabled, "Whether leak checks run by themselves, 0 or 1 (default: "
		 __stringify(PDDGPU_MEMORY_LEAK_MONITOR_ENABLED) ")");

static unsigned long long vram_retry_count = PDDGPU_VRAM_ALLOC_RETRY_COUNT;
module_param(vram_retry_count, ullong, 0444);
MODULE_PARM_DESC(vram_retry_count, "How often a request for VRAM is tried again while room is about to come, 0 to "
		 __stringify(PDDGPU_RETRY_COUNT_MAX) " (default: "
		 __stringify(PDDGPU_VRAM_ALLOC_RETRY_COUNT) ")");

static unsigned long long vram_retry_delay = PDDGPU_VRAM_ALLOC_RETRY_DELAY;
module_param(vram_retry_delay, ullong, 0444);
MODULE_PARM_DESC(vram_retry_delay, "Milliseconds before each, 0 to "
		 __stringify(PDDGPU_RETRY_DELAY_MAX_MS) " (default: "
		 __stringify(PDDGPU_VRAM_ALLOC_RETRY_DELAY) ")");

static unsigned long long gtt_retry_count = PDDGPU_GTT_ALLOC_RETRY_COUNT;
module_param(gtt_retry_count, ullong, 0444);
MODULE_PARM_DESC(gtt_retry_count, "How often a request that does not want VRAM is tried again, 0 to "
		 __stringify(PDDGPU_RETRY_COUNT_MAX) " (default: "
		 __stringify(PDDGPU_GTT_ALLOC_RETRY_COUNT) ")");

static unsigned long long gtt_retry_delay = PDDGPU_GTT_ALLOC_RETRY_DELAY;
module_param(gtt_retry_delay, ullong, 0444);
MODULE_PARM_DESC(gtt_retry_delay, "Milliseconds before each, 0 to "
		 __stringify(PDDGPU_RETRY_DELAY_MAX_MS) " (default: "
		 __stringify(PDDGPU_GTT_ALLOC_RETRY_DELAY) ")");

static unsigned long long recover_count = PDDGPU_HEALTH_RECOVER_COUNT;
module_param(recover_count, ullong, 0444);
MODULE_PARM_DESC(recover_count, "How often a manager in ERROR tries to recover by itself, 0 to "
		 __stringify(PDDGPU_RECOVER_COUNT_MAX) " (default: "
		 __stringify(PDDGPU_HEALTH_RECOVER_COUNT) ")");

static unsigned long long recover_delay = PDDGPU_HEALTH_RECOVER_DELAY;
module_param(recover_delay, ullong, 0444);
MODULE_PARM_DESC(recover_delay, "Milliseconds before the first time, doubled each time, 0 to "
		 __stringify(PDDGPU_RECOVER_DELAY_MAX_MS) " (default: "
		 __stringify(PDDGPU_HEALTH_RECOVER_DELAY) ")");

static_assert(PDDGPU_MEMORY_LEAK_THRESHOLD == 104857600);

static const struct {
	const char *name;
	const unsigned long long *preset;
	int (*set)(struct pddgpu_device *pdev, u64 value);
} tunables[] = {
	{ "leak_check_interval", &leak_check_interval,
	  pddgpu_memory_stats_set_leak_check_interval },
	{ "leak_threshold", &leak_threshold, pddgpu_memory_stats_set_leak_threshold },
	{ "leak_suspicious_age", &leak_suspicious_age, pddgpu_tunable_set_suspicious_age },
	{ "leak_confirmed_age", &leak_confirmed_age, pddgpu_tunable_set_confirmed_age },
	{ "leak_monitor_enabled", &leak_monitor_enabled,
	  pddgpu_memory_stats_set_leak_monitor_enabled },
	{ "vram_retry_count", &vram_retry_count, pddgpu_tunable_set_vram_retry_count },
	{ "vram_retry_delay", &vram_retry_delay, pddgpu_tunable_set_vram_retry_delay },
	{ "gtt_retry_count", &gtt_retry_count, pddgpu_tunable_set_gtt_retry_count },
	{ "gtt_retry_delay", &gtt_retry_delay, pddgpu_tunable_set_gtt_retry_delay },
	{ "recover_count", &recover_count, pddgpu_tunable_set_recover_count },
	{ "recover_delay", &recover_delay, pddgpu_tunable_set_recover_delay },
};

/**
 * pddgpu_tunable_preset() - set everything to what the module's parameters say
 * @pdev: the device, with its managers and its leak monitor, not started
 */
void pddgpu_tunable_preset(struct pddgpu_device *pdev)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tunables); i++) {
		if (tunables[i].set(pdev, *tunables[i].preset))
			drm_warn(&pdev->drm,
				 "PDDGPU: parameter %s: %llu is not possible, the default stays\n",
				 tunables[i].name, *tunables[i].preset);
	}
}

/* A number of MiB within bounds, in bytes; says so where it was not. */
static u64 tunable_mib(struct pddgpu_device *pdev, const char *name, int mib, u64 least,
		       u64 most)
{
	u64 bytes = mib < 0 ? most : clamp((u64)mib << 20, least, most);

	if (mib < 0 || bytes != (u64)mib << 20)
		drm_warn(&pdev->drm, "PDDGPU: parameter %s: %d is out of range, %llu MiB it is\n",
			 name, mib, bytes >> 20);
	return bytes;
}

/**
 * pddgpu_tunable_limit_vram() - use no more VRAM than the user wants
 * @pdev: the device, with its chip, before VRAM is mapped
 */
void pddgpu_tunable_limit_vram(struct pddgpu_device *pdev)
{
	struct pddgpu_chip *chip = pdev->chip;
	u64 least = ALIGN((u64)chip->gart_table_size, SZ_1M) + PDDGPU_VRAM_LEAST * SZ_1M;

	if (vramlimit)
		pddgpu_chip_limit_vram(chip, tunable_mib(pdev, "vramlimit", vramlimit,
							 min(least, chip->vram_size),
							 chip->vram_size));
}

/**
 * pddgpu_tunable_gtt_size() - how much buffers in the GTT may hold
 * @pdev: the device
 * @most: bytes that they could
 *
 * Return: bytes.
 */
u64 pddgpu_tunable_gtt_size(struct pddgpu_device *pdev, u64 most)
{
	if (gttsize == -1)
		return most;
	return tunable_mib(pdev, "gttsize", gttsize, min_t(u64, PDDGPU_GTT_LEAST * SZ_1M, most),
			   most);
}

/**
 * pddgpu_tunable_get_suspicious_age() - the age at which a leak is suspicious
 * @pdev: the device
 *
 * Return: ms.
 */
u64 pddgpu_tunable_get_suspicious_age(struct pddgpu_device *pdev)
{
	return pddgpu_leak_get_age(pdev->leaks, PDDGPU_LEAK_SUSPICIOUS);
}

/**
 * pddgpu_tunable_set_suspicious_age() - set it
 * @pdev: the device
 * @ms: PDDGPU_LEAK_AGE_MIN_MS to PDDGPU_LEAK_AGE_MAX_MS
 *
 * Return: 0 or -ERANGE.
 */
int pddgpu_tunable_set_suspicious_age(struct pddgpu_device *pdev, u64 ms)
{
	return pddgpu_leak_set_age(pdev->leaks, PDDGPU_LEAK_SUSPICIOUS, ms);
}

/**
 * pddgpu_tunable_get_confirmed_age() - the age at which a leak is confirmed
 * @pdev: the device
 *
 * Return: ms.
 */
u64 pddgpu_tunable_get_confirmed_age(struct pddgpu_device *pdev)
{
	return pddgpu_leak_get_age(pdev->leaks, PDDGPU_LEAK_CONFIRMED);
}

/**
 * pddgpu_tunable_set_confirmed_age() - set it
 * @pdev: the device
 * @ms: PDDGPU_LEAK_AGE_MIN_MS to PDDGPU_LEAK_AGE_MAX_MS
 *
 * Return: 0 or -ERANGE.
 */
int pddgpu_tunable_set_confirmed_age(struct pddgpu_device *pdev, u64 ms)
{
	return pddgpu_leak_set_age(pdev->leaks, PDDGPU_LEAK_CONFIRMED, ms);
}

static int tunable_set(u32 *setting, u64 value, u32 max)
{
	if (value > max)
		return -ERANGE;

	WRITE_ONCE(*setting, value);
	return 0;
}

/**
 * pddgpu_tunable_get_vram_retry_count() - attempts at a request for VRAM after the first
 * @pdev: the device
 *
 * Return: how many.
 */
u64 pddgpu_tunable_get_vram_retry_count(struct pddgpu_device *pdev)
{
	return READ_ONCE(pddgpu_vram_mgr_retry(pdev->vram_mgr)->count);
}

/**
 * pddgpu_tunable_set_vram_retry_count() - set it
 * @pdev: the device
 * @count: 0 to 100
 *
 * Return: 0 or -ERANGE.
 */
int pddgpu_tunable_set_vram_retry_count(struct pddgpu_device *pdev, u64 count)
{
	return tunable_set(&pddgpu_vram_mgr_retry(pdev->vram_mgr)->count, count,
			   PDDGPU_RETRY_COUNT_MAX);
}

/**
 * pddgpu_tunable_get_vram_retry_delay() - the pause before each of them
 * @pdev: the device
 *
 * Return: ms.
 */
u64 pddgpu_tunable_get_vram_retry_delay(struct pddgpu_device *pdev)
{
	return READ_ONCE(pddgpu_vram_mgr_retry(pdev->vram_mgr)->delay_ms);
}

/**
 * pddgpu_tunable_set_vram_retry_delay() - set it
 * @pdev: the device
 * @ms: 0 to 10000
 *
 * Return: 0 or -ERANGE.
 */
int pddgpu_tunable_set_vram_retry_delay(struct pddgpu_device *pdev, u64 ms)
{
	return tunable_set(&pddgpu_vram_mgr_retry(pdev->vram_mgr)->delay_ms, ms,
			   PDDGPU_RETRY_DELAY_MAX_MS);
}

/**
 * pddgpu_tunable_get_gtt_retry_count() - attempts at a request for no VRAM after the first
 * @pdev: the device
 *
 * Return: how many.
 */
u64 pddgpu_tunable_get_gtt_retry_count(struct pddgpu_device *pdev)
{
	return READ_ONCE(pddgpu_gtt_mgr_retry(pdev->gtt_mgr)->count);
}

/**
 * pddgpu_tunable_set_gtt_retry_count() - set it
 * @pdev: the device
 * @count: 0 to 100
 *
 * Return: 0 or -ERANGE.
 */
int pddgpu_tunable_set_gtt_retry_count(struct pddgpu_device *pdev, u64 count)
{
	return tunable_set(&pddgpu_gtt_mgr_retry(pdev->gtt_mgr)->count, count,
			   PDDGPU_RETRY_COUNT_MAX);
}

/**
 * pddgpu_tunable_get_gtt_retry_delay() - the pause before each of them
 * @pdev: the device
 *
 * Return: ms.
 */
u64 pddgpu_tunable_get_gtt_retry_delay(struct pddgpu_device *pdev)
{
	return READ_ONCE(pddgpu_gtt_mgr_retry(pdev->gtt_mgr)->delay_ms);
}

/**
 * pddgpu_tunable_set_gtt_retry_delay() - set it
 * @pdev: the device
 * @ms: 0 to 10000
 *
 * Return: 0 or -ERANGE.
 */
int pddgpu_tunable_set_gtt_retry_delay(struct pddgpu_device *pdev, u64 ms)
{
	return tunable_set(&pddgpu_gtt_mgr_retry(pdev->gtt_mgr)->delay_ms, ms,
			   PDDGPU_RETRY_DELAY_MAX_MS);
}

/**
 * pddgpu_tunable_get_recover_count() - how often managers recover by themselves
 * @pdev: the device
 *
 * Return: attempts.
 */
u64 pddgpu_tunable_get_recover_count(struct pddgpu_device *pdev)
{
	return READ_ONCE(pddgpu_vram_mgr_health(pdev->vram_mgr)->recover_count);
}

/**
 * pddgpu_tunable_set_recover_count() - set it, for both
 * @pdev: the device
 * @count: 0 to 100; from the next attempt on
 *
 * Return: 0 or -ERANGE.
 */
int pddgpu_tunable_set_recover_count(struct pddgpu_device *pdev, u64 count)
{
	if (count > PDDGPU_RECOVER_COUNT_MAX)
		return -ERANGE;
	WRITE_ONCE(pddgpu_vram_mgr_health(pdev->vram_mgr)->recover_count, count);
	WRITE_ONCE(pddgpu_gtt_mgr_health(pdev->gtt_mgr)->recover_count, count);
	return 0;
}

/**
 * pddgpu_tunable_get_recover_delay() - when they do
 * @pdev: the device
 *
 * Return: ms before the first attempt.
 */
u64 pddgpu_tunable_get_recover_delay(struct pddgpu_device *pdev)
{
	return READ_ONCE(pddgpu_vram_mgr_health(pdev->vram_mgr)->recover_delay_ms);
}

/**
 * pddgpu_tunable_set_recover_delay() - set it, for both
 * @pdev: the device
 * @ms: 0 to 10000
 *
 * Return: 0 or -ERANGE.
 */
int pddgpu_tunable_set_recover_delay(struct pddgpu_device *pdev, u64 ms)
{
	if (ms > PDDGPU_RECOVER_DELAY_MAX_MS)
		return -ERANGE;
	WRITE_ONCE(pddgpu_vram_mgr_health(pdev->vram_mgr)->recover_delay_ms, ms);
	WRITE_ONCE(pddgpu_gtt_mgr_health(pdev->gtt_mgr)->recover_delay_ms, ms);
	return 0;
}
