// SPDX-License-Identifier: MIT
/*
 * The two text formats of metrics. See metrics.h.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

#define FIRST_ROOM	16384

/* Buckets below a microsecond are of no use, and each costs a series a card */
#define FIRST_BUCKET	9

static bool grow(struct metrics_text *out, size_t more)
{
	size_t room = out->room ? out->room : FIRST_ROOM;
	char *text;

	if (out->failed)
		return false;
	while (room - out->length <= more)
		room *= 2;
	if (room == out->room)
		return true;
	text = realloc(out->text, room);
	if (!text) {
		out->failed = true;
		return false;
	}
	out->text = text;
	out->room = room;
	return true;
}

static void put(struct metrics_text *out, const char *bytes, size_t length)
{
	if (!grow(out, length))
		return;
	memcpy(out->text + out->length, bytes, length);
	out->length += length;
	out->text[out->length] = '\0';
}

static void puts_to(struct metrics_text *out, const char *text)
{
	put(out, text, strlen(text));
}

__attribute__((format(printf, 2, 3)))
static void print(struct metrics_text *out, const char *format, ...)
{
	char text[128];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(text))
		out->failed = true;
	else
		put(out, text, (size_t)length);
}

/* How many bytes of UTF-8 make the character at text, which is no control; else 0 */
static size_t character(const unsigned char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length, n;
	uint32_t code;

	if (*text < 0x80)
		return *text >= ' ' && *text != 0x7f;
	if (*text >= 0xc2 && *text <= 0xdf)
		length = 2;
	else if (*text >= 0xe0 && *text <= 0xef)
		length = 3;
	else if (*text >= 0xf0 && *text <= 0xf4)
		length = 4;
	else
		return 0;
	code = *text & (0x7fu >> length);
	for (n = 1; n < length; n++) {
		if ((text[n] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[n] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	/* The other half of the control characters */
	return code < 0xa0 ? 0 : length;
}

/*
 * A backslash is escaped as if it were no text, so that nobody can choose a name
 * that looks like another's escaped one: two series of the same name and labels
 * would be refused by Prometheus with all the others.
 */
static void put_value(struct metrics_text *out, const char *value)
{
	const unsigned char *at = (const unsigned char *)value;

	while (*at) {
		size_t length = *at == '\\' ? 0 : character(at);

		if (!length)
			print(out, "\\\\x%02x", *at);
		else if (*at == '"')
			puts_to(out, "\\\"");
		else
			put(out, (const char *)at, length);
		at += length ? length : 1;
	}
}

static void put_labels(struct metrics_text *out, const struct metrics_label *labels,
		       const char *le)
{
	const char *before = "{";

	for (; labels && labels->name; labels++) {
		puts_to(out, before);
		puts_to(out, labels->name);
		puts_to(out, "=\"");
		put_value(out, labels->value);
		puts_to(out, "\"");
		before = ",";
	}
	if (le) {
		puts_to(out, before);
		print(out, "le=\"%s\"", le);
		before = ",";
	}
	puts_to(out, *before == ',' ? "} " : " ");
}

/**
 * metrics_family() - begins a family
 * @out: the text
 * @name: its name, as samples have it; kept until the next one
 * @type: its type, which @name's end agrees with
 * @help: what it is, in one line
 */
void metrics_family(struct metrics_text *out, const char *name, enum metrics_type type,
		    const char *help)
{
	static const char * const types[METRICS_FORMATS][4] = {
		{"gauge", "counter", "histogram", "gauge"},
		{"gauge", "counter", "histogram", "info"},
	};
	int length = (int)strlen(name);

	/* There the family's name is without what its samples end in */
	if (out->format == METRICS_OPENMETRICS && type == METRICS_COUNTER)
		length -= (int)strlen("_total");
	if (out->format == METRICS_OPENMETRICS && type == METRICS_INFO)
		length -= (int)strlen("_info");
	out->name = name;
	print(out, "# HELP %.*s ", length, name);
	puts_to(out, help);
	print(out, "\n# TYPE %.*s ", length, name);
	puts_to(out, types[out->format][type]);
	puts_to(out, "\n");
}

/**
 * metrics_integer() - writes a sample of the family that was begun last
 * @out: the text
 * @labels: what tells it from its like; NULL: nothing
 * @value: the value; exact here, rounded by Prometheus from 2^53 on
 */
void metrics_integer(struct metrics_text *out, const struct metrics_label *labels,
		     uint64_t value)
{
	puts_to(out, out->name);
	put_labels(out, labels, NULL);
	print(out, "%" PRIu64 "\n", value);
}

/**
 * metrics_number() - as metrics_integer(), for what is none
 * @out: the text
 * @labels: labels
 * @value: the value
 */
void metrics_number(struct metrics_text *out, const struct metrics_label *labels, double value)
{
	puts_to(out, out->name);
	put_labels(out, labels, NULL);
	print(out, "%.10g\n", value);
}

/**
 * metrics_histogram() - writes a histogram of times
 * @out: the text
 * @labels: labels
 * @buckets: how often something took from 2^n to 2^(n+1)-1 ns; the last also all longer
 * @count: how many buckets
 * @sum: of all times, in seconds
 */
void metrics_histogram(struct metrics_text *out, const struct metrics_label *labels,
		       const uint64_t *buckets, unsigned int count, double sum)
{
	uint64_t total = 0;
	unsigned int n;
	char le[32];

	for (n = 0; n < count; n++) {
		total += buckets[n];
		if (n < FIRST_BUCKET)
			continue;
		if (n + 1 < count)
			snprintf(le, sizeof(le), "%.10g", (double)(2ull << n) / 1e9);
		else
			strcpy(le, "+Inf");
		puts_to(out, out->name);
		puts_to(out, "_bucket");
		put_labels(out, labels, le);
		print(out, "%" PRIu64 "\n", total);
	}
	puts_to(out, out->name);
	puts_to(out, "_sum");
	put_labels(out, labels, NULL);
	print(out, "%.10g\n", sum);
	puts_to(out, out->name);
	puts_to(out, "_count");
	put_labels(out, labels, NULL);
	print(out, "%" PRIu64 "\n", total);
}

/**
 * metrics_end() - ends the text
 * @out: the text
 */
void metrics_end(struct metrics_text *out)
{
	if (out->format == METRICS_OPENMETRICS)
		puts_to(out, "# EOF\n");
	else
		puts_to(out, "");
}

/**
 * metrics_free() - gives the text's memory back, so that another may begin
 * @out: the text; its format stays
 */
void metrics_free(struct metrics_text *out)
{
	free(out->text);
	*out = (struct metrics_text){.format = out->format};
}
