// SPDX-License-Identifier: MIT
/* What the commands are made of: sizes, times, texts. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "args.h"
#include "out.h"
#include "text.h"

#define KIB 1024ULL

static void sizes_are_read(void **state)
{
	static const struct { const char *text; uint64_t bytes; } good[] = {
		{ "0", 0 }, { "1", 1 }, { "1B", 1 }, { "4K", 4 * KIB }, { "4k", 4 * KIB },
		{ "4KB", 4 * KIB }, { "4KiB", 4 * KIB }, { "64M", 64 * KIB * KIB },
		{ "2GiB", 2 * KIB * KIB * KIB }, { "1T", 1ULL << 40 }, { "15E", 15ULL << 60 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "1.5K", "K", "0x10", "1KK", "1Bi", "1BB", "1KiBB",
		"16E", "18446744073709551616", "99999999999G", "1Ki B", "1Z",
	};
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(args_size(good[i].text, &bytes));
		assert_true(bytes == good[i].bytes);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (args_size(bad[i], &bytes))
			fail_msg("'%s' is a size", bad[i]);
}

static void times_are_read(void **state)
{
	static const struct { const char *text; uint64_t ms; } good[] = {
		{ "0", 0 }, { "1", 1000 }, { "1s", 1000 }, { "250ms", 250 }, { "0.5", 500 },
		{ "1.5m", 90000 }, { "2min", 120000 }, { "1h", 3600000 }, { "1d", 86400000 },
		{ "0.001", 1 }, { "50.001", 50001 },
	};
	static const char *const bad[] = {
		"", "-1", ".5", "1x", "1 s", "inf", "nan", "0x10", "1e400", "1ss",
		"99999999999999d",
	};
	uint64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(args_time(good[i].text, &ms));
		assert_true(ms == good[i].ms);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (args_time(bad[i], &ms))
			fail_msg("'%s' is a time", bad[i]);
}

static void figures_are_short(void **state)
{
	char text[OUT_SIZE_MAX];

	(void)state;
	out_unit = 0;
	assert_string_equal(out_size(text, 0), "0 B");
	assert_string_equal(out_size(text, 1023), "1023 B");
	assert_string_equal(out_size(text, 1024), "1 KiB");
	assert_string_equal(out_size(text, 1536), "1.5 KiB");
	assert_string_equal(out_size(text, (1 << 20) - 1), "1.0 MiB");
	assert_string_equal(out_size(text, 1ULL << 30), "1 GiB");
	assert_string_equal(out_size(text, UINT64_MAX), "16.0 EiB");
	out_unit = 1 << 20;
	assert_string_equal(out_size(text, 3 << 19), "1.5 MiB");
	assert_string_equal(out_size(text, 1ULL << 40), "1048576 MiB");
	out_unit = 0;
	assert_string_equal(out_ns(text, 0), "0 ns");
	assert_string_equal(out_ns(text, 999), "999 ns");
	assert_string_equal(out_ns(text, 1500), "1.5 us");
	assert_string_equal(out_ns(text, 999960), "1.0 ms");
	assert_string_equal(out_ns(text, 5000000000), "5.0 s");
	assert_string_equal(out_time(text, 999), "999 ms");
	assert_string_equal(out_time(text, 1999), "1.9 s");
	assert_string_equal(out_time(text, 312000), "5 min 12 s");
	assert_string_equal(out_time(text, 3600000), "1 h 0 min");
	assert_string_equal(out_time(text, 90000000), "1 d 1 h");
}

static void assert_text(char *made, const char *wanted)
{
	assert_string_equal(made, wanted);
	free(made);
}

static void texts_are_harmless(void **state)
{
	(void)state;
	screen.utf8 = true;
	assert_text(text_printable("a b"), "a b");
	assert_text(text_printable("\033[1m\n\t\\\177"), "\\x1b[1m\\n\\t\\\\\\x7f");
	assert_text(text_printable("\xc3\xa9\xff\xc3"), "\xc3\xa9\\xff\\xc3");
	assert_text(text_printable("\xe2\x80\xae"), "\\u{202e}");
	assert_text(text_printable("\xc2\x9b"), "\\u{9b}");
	/* Too long, a surrogate, too large */
	assert_text(text_printable("\xc0\xaf"), "\\xc0\\xaf");
	assert_text(text_printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
	assert_text(text_printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
	screen.utf8 = false;
	assert_text(text_printable("\xc3\xa9"), "\\u{e9}");
	assert_text(text_utf8("a\033\xff\xc3\xa9"), "a\033\xef\xbf\xbd\xc3\xa9");
	assert_text(text_utf8(""), "");
	assert_text(text_xml("<&>\"'\033\xff"),
		    "&lt;&amp;&gt;&quot;&#39;\xef\xbf\xbd\xef\xbf\xbd");
	assert_text(text_xml("\xef\xbf\xbe"), "\xef\xbf\xbd");
}

static void texts_are_measured(void **state)
{
	static const char wide[] = "a\xe6\x97\xa5z";	/* the middle takes two columns */

	(void)state;
	screen.utf8 = true;
	assert_int_equal(text_width(wide), 4);
	assert_int_equal(text_fit(wide, 0), 0);
	assert_int_equal(text_fit(wide, 2), 1);
	assert_int_equal(text_fit(wide, 3), 4);
	assert_int_equal(text_fit(wide, 100), 5);
	assert_int_equal(text_characters(wide, 2), 4);
	assert_int_equal(text_characters(wide, 100), 5);
	screen.utf8 = false;
}

/* Bytes of no sense: the results are valid, and nothing is read behind the end */
static void any_bytes(void **state)
{
	unsigned int round, i;
	char raw[24];

	(void)state;
	srand(7);
	screen.utf8 = true;
	for (round = 0; round < 20000; round++) {
		unsigned int length = (unsigned int)rand() % sizeof(raw);
		char *copy, *made;

		for (i = 0; i < length; i++)
			raw[i] = (char)(rand() % 255 + 1);
		raw[length] = '\0';
		copy = strdup(raw);	/* of its own size, for the sanitizer */
		assert_non_null(copy);
		made = text_utf8(copy);
		/* It is stable: what is valid stays */
		assert_text(text_utf8(made), made);
		free(made);
		made = text_printable(copy);
		for (i = 0; made[i]; i++)
			assert_true((unsigned char)made[i] >= ' ' && made[i] != 0x7f);
		free(made);
		free(text_xml(copy));
		free(copy);
	}
	screen.utf8 = false;
}

static void exit_codes(void **state)
{
	(void)state;
	assert_int_equal(out_rc(0), RC_OK);
	assert_int_equal(out_rc(-2), RC_NO_DEVICE);
	assert_int_equal(out_rc(-19), RC_NO_DEVICE);
	assert_int_equal(out_rc(-13), RC_DENIED);
	assert_int_equal(out_rc(-1), RC_DENIED);
	assert_int_equal(out_rc(-12), RC_ERROR);
	assert_int_equal(out_worse(RC_FOUND, RC_OK), RC_FOUND);
	assert_int_equal(out_worse(RC_FOUND, RC_DENIED), RC_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(figures_are_short),
		cmocka_unit_test(texts_are_harmless),
		cmocka_unit_test(texts_are_measured),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(exit_codes),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
