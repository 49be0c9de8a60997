// SPDX-License-Identifier: MIT
/* The parser of fdinfo, and what is made of its numbers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fdinfo.h"
#include "history.h"

static struct names *names;
static struct fdinfo info;

static bool parse(const char *text)
{
	/* Of its own, so that a byte too far is seen */
	size_t length = strlen(text);
	char *copy = malloc(length ? length : 1);
	bool well;

	for (size_t i = 0; i < length; i++)
		copy[i] = text[i];
	well = fdinfo_parse(&info, copy, length, names);
	free(copy);
	return well;
}

static int begin(void **state)
{
	(void)state;
	names = names_new();
	return !names;
}

static int end(void **state)
{
	(void)state;
	names_free(names);
	return 0;
}

static void units(void **state)
{
	static const struct { const char *text; uint64_t bytes; bool has; } cases[] = {
		{ "0", 0, true }, { "1", 1, true }, { "12 KiB", 12288, true },
		{ "3 MiB", 3 << 20, true }, { "2 GiB", 2ULL << 30, true }, { "7KiB", 7168, true },
		{ "  5   KiB  ", 5120, true }, { "18446744073709551615", UINT64_MAX, true },
		{ "18446744073709551616", 0, false }, { "18014398509481984 KiB", 0, false },
		{ "18014398509481983 KiB", 18014398509481983ULL << 10, true },
		{ "-1", 0, false }, { "+1", 0, false }, { "0x10", 0, false }, { "", 0, false },
		{ "KiB", 0, false }, { "1 kB", 0, false }, { "1 MB", 0, false },
		{ "1.5 MiB", 0, false }, { "1 KiB 2", 0, false },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *what = "taken";

		snprintf(text, sizeof(text), "drm-driver: x\ndrm-total-vram:\t%s\n",
			 cases[i].text);
		assert_true(parse(text));
		if (cases[i].has)
			what = "left out";
		if (info.nr_regions != cases[i].has)
			fail_msg("'%s' was %s", cases[i].text, what);
		if (cases[i].has)
			assert_int_equal(info.regions[0].bytes[FDINFO_TOTAL], cases[i].bytes);
	}
}

static void regions(void **state)
{
	(void)state;
	assert_true(parse("drm-driver:\ti915\ndrm-total-system0: 8 KiB\n"
			  "drm-resident-system0: 4 KiB\ndrm-shared-system0: 0\n"
			  "drm-total-local0: 12 KiB\ndrm-memory-gtt: 3 KiB\n"
			  "drm-total-cycles-rcs: 5\namd-memory-visible-vram: 99 KiB\n"));
	assert_int_equal(info.nr_regions, 3);
	assert_int_equal(fdinfo_used(&info.regions[0]), 4096);
	assert_int_equal(fdinfo_used(&info.regions[1]), 12288);
	assert_int_equal(fdinfo_used(&info.regions[2]), 3072);
	/* Older and newer words for the same are not added up. */
	assert_true(parse("drm-driver: amdgpu\ndrm-memory-vram: 5\ndrm-resident-vram: 5\n"
			  "drm-total-vram: 9\n"));
	assert_int_equal(info.nr_regions, 1);
	assert_int_equal(fdinfo_used(&info.regions[0]), 5);
}

static void classes(void **state)
{
	(void)state;
	assert_int_equal(fdinfo_class("vram"), REGION_VRAM);
	assert_int_equal(fdinfo_class("vram0"), REGION_VRAM);
	assert_int_equal(fdinfo_class("local0"), REGION_VRAM);
	assert_int_equal(fdinfo_class("gtt"), REGION_GTT);
	assert_int_equal(fdinfo_class("system"), REGION_SYSTEM);
	assert_int_equal(fdinfo_class("memory"), REGION_SYSTEM);
	assert_int_equal(fdinfo_class("stolen-system0"), REGION_SYSTEM);
	assert_int_equal(fdinfo_class("cpu"), REGION_SYSTEM);
}

static void engines(void **state)
{
	(void)state;
	assert_true(parse("drm-driver: m\ndrm-engine-gpu:\t7 ns\ndrm-cycles-gpu:\t3\n"
			  "drm-maxfreq-gpu:\t800 MHz\ndrm-engine-capacity-video: 2\n"
			  "drm-engine-video: 9 ns\ndrm-engine-odd: 1 days\n"
			  "drm-engine-capacity-gpu: 0\ndrm-engine-: 4 ns\n"));
	assert_int_equal(info.nr_engines, 2);
	assert_string_equal(info.engines[0].name, "gpu");
	assert_int_equal(info.engines[0].ns, 7);
	assert_int_equal(info.engines[0].max_hz, 800000000);
	assert_int_equal(info.engines[0].capacity, 1);
	assert_int_equal(info.engines[1].capacity, 2);
	assert_int_equal(info.engines[1].ns, 9);
}

static void nonsense(void **state)
{
	char *many = malloc(1 << 20);
	size_t length;

	(void)state;
	assert_false(parse(""));
	assert_false(parse("pos:\t0\nflags:\t02\n"));
	assert_false(parse("drm-driver:"));
	assert_false(parse("drm-driver:   \r\ndrm-driver:\t"));
	assert_false(parse(":\n::\n\n\n: :"));
	assert_true(parse("drm-driver: a b\x01\ndrm-pdev: \x1b[31m\ndrm-client-id: x"));
	assert_string_equal(info.driver, "a?b?");
	assert_string_equal(info.pdev, "?[31m");
	assert_false(info.has_client_id);
	/* More regions than there is room for; and a driver that is named last */
	length = 0;
	for (int i = 0; i < 1000; i++)
		length += (size_t)sprintf(many + length, "drm-total-r%d: 1\ndrm-engine-e%d: 1\n",
					  i, i);
	sprintf(many + length, "drm-driver: last");
	assert_true(parse(many));
	assert_int_equal(info.nr_regions, FDINFO_REGIONS);
	assert_int_equal(info.nr_engines, FDINFO_ENGINES);
	free(many);
}

static void own_keys(void **state)
{
	(void)state;
	assert_true(parse("drm-driver: pddgpu\ndrm-client-id: 18446744073709551615\n"
			  "drm-client-name: a name that is longer than it may be\n"
			  "pddgpu-evictions: 12\n"));
	assert_int_equal(info.client_id, UINT64_MAX);
	assert_true(info.has_evictions);
	assert_int_equal(info.evictions, 12);
	assert_int_equal(strlen(info.label), sizeof(info.label) - 1);
}

static void table_of_names(void **state)
{
	char text[16];
	const char *first = names_get(names, "vram", 4);
	int got = 0;

	(void)state;
	assert_ptr_equal(first, names_get(names, "vramXX", 4));
	for (int i = 0; i < 2 * NAMES_MAX; i++) {
		int length = snprintf(text, sizeof(text), "n%d", i);

		got += !!names_get(names, text, (size_t)length);
	}
	assert_true(got < NAMES_MAX);
	assert_ptr_equal(first, names_get(names, "vram", 4));
}

/* ---- through time ---- */

static struct drmclient client;
static const struct drmclient *const clients[] = { &client };

static const struct history_client *feed(struct history *history, uint64_t ms, const char *text)
{
	struct sample_card card = { .device = "dev" };
	struct sample sample = { .ms = ms, .cards = &card, .nr_cards = 1, .clients = clients,
				 .nr_clients = 1 };

	assert_true(parse(text));
	client.info = info;
	client.driver = info.driver;
	client.device = card.device;
	client.id = info.client_id;
	client.read_ms = ms + 1;
	assert_int_equal(history_update(history, &sample), 0);
	return history_client(history, 0);
}

#define assert_near(a, b) assert_true((a) > (b) - 0.1 && (a) < (b) + 0.1)

static void percents(void **state)
{
	struct history *history = history_new();
	const struct history_client *one;

	(void)state;
	one = feed(history, 1000, "drm-driver: a\ndrm-engine-x: 1000000000 ns\n");
	assert_near(one->busy, 0);
	one = feed(history, 2000, "drm-driver: a\ndrm-engine-x: 1250000000 ns\n");
	assert_near(one->busy, 25);
	/* Less than before is nothing, until it is more again. */
	one = feed(history, 3000, "drm-driver: a\ndrm-engine-x: 900000000 ns\n");
	assert_near(one->busy, 0);
	one = feed(history, 4000, "drm-driver: a\ndrm-engine-x: 1350000000 ns\n");
	assert_near(one->busy, 10);
	/* Two of a kind; more than there can be */
	one = feed(history, 5000, "drm-driver: a\ndrm-engine-x: 2350000000 ns\n"
		   "drm-engine-capacity-x: 2\n");
	assert_near(one->busy, 50);
	one = feed(history, 6000, "drm-driver: a\ndrm-engine-x: 99000000000 ns\n");
	assert_near(one->busy, 100);
	/* Nothing at all has gone by. */
	one = feed(history, 6000, "drm-driver: a\ndrm-engine-x: 99000000000 ns\n");
	assert_near(one->busy, 100);
	history_free(history);
}

static void cycles(void **state)
{
	struct history *history = history_new();
	const struct history_client *one;

	(void)state;
	feed(history, 1000, "drm-driver: xe\ndrm-cycles-rcs: 100\ndrm-total-cycles-rcs: 1000\n"
	     "drm-cycles-vcs: 0\ndrm-total-cycles-vcs: 1000\ndrm-engine-capacity-vcs: 2\n");
	one = feed(history, 2000, "drm-driver: xe\ndrm-cycles-rcs: 400\n"
		   "drm-total-cycles-rcs: 2000\ndrm-cycles-vcs: 1000\n"
		   "drm-total-cycles-vcs: 2000\ndrm-engine-capacity-vcs: 2\n");
	assert_near(one->percent[0], 30);
	assert_near(one->percent[1], 50);
	assert_near(one->busy, 50);
	/* An engine that appears has been idle before; its clock's past is unknown. */
	one = feed(history, 3000, "drm-driver: xe\ndrm-cycles-ccs: 500\n"
		   "drm-total-cycles-ccs: 3000\n");
	assert_near(one->busy, 0);
	one = feed(history, 4000, "drm-driver: xe\ndrm-cycles-ccs: 600\n"
		   "drm-total-cycles-ccs: 4000\ndrm-cycles-g: 5\ndrm-maxfreq-g: 100 Hz\n");
	assert_near(one->percent[0], 10);
	assert_near(one->percent[1], 5);
	history_free(history);
}

static const struct history_client *feed_bytes(struct history *history, uint64_t ms,
					       uint64_t bytes)
{
	char text[96];

	snprintf(text, sizeof(text), "drm-driver: a\ndrm-resident-vram: %llu\n",
		 (unsigned long long)bytes);
	return feed(history, ms, text);
}

static void growth(void **state)
{
	struct history *history = history_new();
	const struct history_client *one = feed_bytes(history, 1000, 1000);
	int64_t rate;

	(void)state;
	assert_false(one->growing);
	for (int i = 1; i <= 100; i++)
		one = feed_bytes(history, 1000 + i * 1000, 1000 + i * 10);
	assert_true(one->growing);
	assert_int_equal(one->growth, 600);
	assert_true(history_steady(history, one, 60000, &rate));
	assert_int_equal(rate, 600);
	assert_true(history_steady(history, one, 10000, &rate));
	/* It stays as it is. */
	for (int i = 101; i <= 131; i++)
		one = feed_bytes(history, 1000 + i * 1000, 2000);
	assert_false(history_steady(history, one, 10000, &rate));
	assert_true(one->growth > 0);
	for (int i = 132; i <= 200; i++)
		one = feed_bytes(history, 1000 + i * 1000, 2000);
	assert_int_equal(one->growth, 0);
	one = feed_bytes(history, 202000, 0);
	assert_int_equal(one->growth, -2000);
	history_free(history);
}

/* What comes and goes is no growth, however much it is. */
static void waves(void **state)
{
	struct history *history = history_new();
	const struct history_client *one = NULL;
	int64_t rate;

	(void)state;
	for (int i = 0; i < 120; i++) {
		one = feed_bytes(history, 1000 + i * 1000, 5000 + i % 7 * 1000000);
		assert_false(history_steady(history, one, 60000, &rate));
	}
	/* Waves on a tide */
	for (int i = 120; i < 190; i++)
		one = feed_bytes(history, 1000 + i * 1000, 5000 + i * 100 + i % 7 * 1000000);
	assert_true(history_steady(history, one, 60000, &rate));
	assert_true(rate > 5000 && rate < 7000);
	history_free(history);
}

/* Samples that come faster, slower, or after a long sleep */
static void uneven(void **state)
{
	struct history *history = history_new();
	const struct history_client *one = NULL;
	int64_t rate;

	(void)state;
	for (int i = 0; i < 900; i++)
		one = feed_bytes(history, 1000 + i * 100, 1000 + i);
	assert_int_equal(one->growth, 600);
	one = feed_bytes(history, 100000000, 5000);
	assert_false(history_steady(history, one, 60000, &rate));
	for (int i = 1; i < 30; i++)
		one = feed_bytes(history, 100000000 + i * 10000, 5000 + i * 60);
	assert_int_equal(one->growth, 360);
	assert_true(history_steady(history, one, 60000, &rate));
	history_free(history);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(units, begin, end),
		cmocka_unit_test_setup_teardown(regions, begin, end),
		cmocka_unit_test_setup_teardown(classes, begin, end),
		cmocka_unit_test_setup_teardown(engines, begin, end),
		cmocka_unit_test_setup_teardown(nonsense, begin, end),
		cmocka_unit_test_setup_teardown(own_keys, begin, end),
		cmocka_unit_test_setup_teardown(table_of_names, begin, end),
		cmocka_unit_test_setup_teardown(percents, begin, end),
		cmocka_unit_test_setup_teardown(cycles, begin, end),
		cmocka_unit_test_setup_teardown(growth, begin, end),
		cmocka_unit_test_setup_teardown(waves, begin, end),
		cmocka_unit_test_setup_teardown(uneven, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
