// SPDX-License-Identifier: MIT
/*
 * Text that others wrote, made fit for a terminal, JSON or XML.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "out.h"
#include "text.h"

#define REPLACEMENT "\xef\xbf\xbd"	/* U+FFFD */

struct builder {
	char *text;
	size_t length, room;
};

static void append(struct builder *b, const char *text, size_t length)
{
	if (b->length + length + 1 > b->room) {
		b->room = (b->length + length + 1) * 2;
		b->text = out_need(realloc(b->text, b->room));
	}
	memcpy(b->text + b->length, text, length);
	b->length += length;
	b->text[b->length] = '\0';
}

/*
 * The character at *at, which moves behind it. 0 at the end; -1 for a byte that is
 * not part of one, over which it moves.
 */
static int32_t next_character(const unsigned char **at)
{
	const unsigned char *s = *at;
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int length, i;
	int32_t c;

	if (*s < 0x80) {
		*at += *s != 0;
		return *s;
	}
	++*at;
	if (*s >= 0xc2 && *s <= 0xdf)
		length = 2;
	else if (*s >= 0xe0 && *s <= 0xef)
		length = 3;
	else if (*s >= 0xf0 && *s <= 0xf4)
		length = 4;
	else
		return -1;
	c = *s & (0x7f >> length);
	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	*at += length - 1;
	return c;
}

/* Those that change how others look, or cannot be seen */
static bool invisible(int32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}

static void append_escaped(struct builder *b, const unsigned char *raw, int32_t c)
{
	char text[16];

	switch (c) {
	case '\n':
		append(b, "\\n", 2);
		break;
	case '\t':
		append(b, "\\t", 2);
		break;
	case '\\':
		append(b, "\\\\", 2);
		break;
	default:
		if (c < 0x80)
			snprintf(text, sizeof(text), "\\x%02x", raw[0]);
		else
			snprintf(text, sizeof(text), "\\u{%x}", (unsigned int)c);
		append(b, text, strlen(text));
	}
}

char *text_printable(const char *raw)
{
	const unsigned char *at = (const unsigned char *)raw;
	struct builder b = { 0 };

	append(&b, "", 0);
	while (*at) {
		const unsigned char *from = at;
		int32_t c = next_character(&at);
		size_t length = (size_t)(at - from);

		if (c < 0 || c == '\\' || invisible(c) ||
		    (c >= 0x80 && (!screen.utf8 || wcwidth((wchar_t)c) < 0)))
			append_escaped(&b, from, c);
		else
			append(&b, (const char *)from, length);
	}
	return b.text;
}

char *text_utf8(const char *raw)
{
	const unsigned char *at = (const unsigned char *)raw;
	struct builder b = { 0 };

	append(&b, "", 0);
	while (*at) {
		const unsigned char *from = at;

		if (next_character(&at) < 0)
			append(&b, REPLACEMENT, 3);
		else
			append(&b, (const char *)from, (size_t)(at - from));
	}
	return b.text;
}

size_t text_characters(const char *valid, size_t count)
{
	const unsigned char *at = (const unsigned char *)valid;

	while (*at && count--)
		next_character(&at);
	return (size_t)(at - (const unsigned char *)valid);
}

static const char *xml_entity(int32_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

char *text_xml(const char *raw)
{
	const unsigned char *at = (const unsigned char *)raw;
	struct builder b = { 0 };

	append(&b, "", 0);
	while (*at) {
		const unsigned char *from = at;
		int32_t c = next_character(&at);
		const char *entity = xml_entity(c);

		if (entity)
			append(&b, entity, strlen(entity));
		else if (c < 0 || invisible(c) || (c & 0xfffe) == 0xfffe)
			append(&b, REPLACEMENT, 3);
		else
			append(&b, (const char *)from, (size_t)(at - from));
	}
	return b.text;
}

/* Columns of the character at *at, which moves behind it */
static unsigned int step(const unsigned char **at)
{
	int32_t c = next_character(at);
	int width = c < 0x80 || !screen.utf8 ? 1 : wcwidth((wchar_t)c);

	return width < 0 ? 1 : (unsigned int)width;
}

unsigned int text_width(const char *printable)
{
	const unsigned char *at = (const unsigned char *)printable;
	unsigned int width = 0;

	while (*at)
		width += step(&at);
	return width;
}

size_t text_fit(const char *printable, unsigned int columns)
{
	const unsigned char *at = (const unsigned char *)printable;

	while (*at) {
		const unsigned char *from = at;
		unsigned int width = step(&at);

		if (width > columns)
			return (size_t)(from - (const unsigned char *)printable);
		columns -= width;
	}
	return (size_t)(at - (const unsigned char *)printable);
}
