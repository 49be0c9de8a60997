// SPDX-License-Identifier: MIT
/*
 * What a client accepts, by RFC 9110's Accept: of the two formats the one that it
 * gives more weight, and where it says nothing, the older.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "export.h"

/* A piece of the header, trimmed; moves *at behind the separator */
static size_t piece(const char **at, char separator, const char **out)
{
	const char *end = strchr(*at, separator);
	size_t length;

	if (!end)
		end = *at + strlen(*at);
	while (*at < end && isspace((unsigned char)**at))
		++*at;
	*out = *at;
	length = (size_t)(end - *at);
	while (length && isspace((unsigned char)(*out)[length - 1]))
		length--;
	*at = *end ? end + 1 : end;
	return length;
}

static bool is(const char *text, size_t length, const char *word)
{
	return length == strlen(word) && !strncasecmp(text, word, length);
}

/* "0.75" in thousandths; what cannot be read is no weight at all */
static unsigned int weight(const char *text, size_t length)
{
	unsigned int value = 0, digit = 1000;
	size_t n;

	for (n = 0; n < length && n < 5; n++) {
		if (n == 1 && text[n] == '.')
			continue;
		if (n == 1 || !isdigit((unsigned char)text[n]))
			return 0;
		value += (unsigned int)(text[n] - '0') * digit;
		digit /= 10;
	}
	return value > 1000 ? 1000 : value;
}

/* Of one range the weight, with the version of OpenMetrics that is written here, or none */
static unsigned int range_weight(const char *range, bool openmetrics)
{
	unsigned int q = 1000;
	const char *text;
	size_t length;

	while (*range) {
		length = piece(&range, ';', &text);
		if (length > 2 && !strncasecmp(text, "q=", 2))
			q = weight(text + 2, length - 2);
		else if (openmetrics && length > 8 && !strncasecmp(text, "version=", 8) &&
			 !is(text + 8, length - 8, "1.0.0") &&
			 !is(text + 8, length - 8, "\"1.0.0\""))
			return 0;
	}
	return q;
}

/**
 * export_format() - which format to answer in
 * @accept: the header's value; NULL: there was none
 *
 * Return: the format.
 */
enum metrics_format export_format(const char *accept)
{
	unsigned int openmetrics = 0, text_q = 0, any = 0, q;
	char range[256] = "";
	const char *text, *rest, *type;
	size_t length;

	while (accept && *accept) {
		length = piece(&accept, ',', &text);
		if (length >= sizeof(range))
			continue;
		memcpy(range, text, length);
		range[length] = '\0';
		rest = range;
		length = piece(&rest, ';', &type);
		q = range_weight(rest, is(type, length, "application/openmetrics-text"));
		if (is(type, length, "application/openmetrics-text"))
			openmetrics = q > openmetrics ? q : openmetrics;
		else if (is(type, length, "text/plain"))
			text_q = q > text_q ? q : text_q;
		else if (is(type, length, "*/*") || is(type, length, "text/*"))
			any = q > any ? q : any;
	}
	if (!text_q)
		text_q = any;
	return openmetrics > text_q ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}
