// SPDX-License-Identifier: MIT
/* The words that the driver's texts are made of. */
#include <string.h>

#include "internal.h"

/* So many digits are no more than UINT64_MAX, whatever they are */
#define SAFE_DIGITS	19

/* As pddi_number(), of more digits than are safe */
static int long_number(const char *text, uint64_t *value)
{
	uint64_t n = 0;

	for (; *text; text++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (unsigned int)(*text - '0'), &n))
			return -EINVAL;
	*value = n;
	return 0;
}

/* Digits and nothing else; there may be half a million such words, of few digits each */
int pddi_number(const char *text, uint64_t max, uint64_t *value)
{
	const char *at = text;
	unsigned int digit;
	uint64_t n = 0;

	for (; (digit = (unsigned int)(*at - '0')) <= 9; at++)
		n = n * 10 + digit;
	if (*at || at == text || (at - text > SAFE_DIGITS && long_number(text, &n)) || n > max)
		return -EINVAL;
	*value = n;
	return 0;
}

int pddi_pid(const char *text, int32_t *pid)
{
	bool negative = *text == '-';
	uint64_t value;
	int ret = pddi_number(text + negative, INT32_MAX, &value);

	if (!ret)
		*pid = negative ? -(int32_t)value : (int32_t)value;
	return ret;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/*
 * Undoes the driver's escapes: \ooo is a byte. What is too long is cut off; what is
 * no escape, or would be a NUL, is taken as it is. A single - stands for nothing.
 */
void pddi_unescape(const char *text, char *out, size_t room)
{
	size_t n = 0;

	if (!strcmp(text, "-"))
		text = "";
	while (*text && n < room - 1) {
		int byte = 0;

		if (text[0] == '\\' && text[1] <= '3' && is_octal(text[1]) &&
		    is_octal(text[2]) && is_octal(text[3]))
			byte = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
		if (byte) {
			out[n++] = (char)byte;
			text += 4;
		} else {
			out[n++] = *text++;
		}
	}
	/* Nobody finds something of before behind it. */
	memset(out + n, 0, room - n);
}

enum pddgpu_state pddi_state(const char *text, size_t length)
{
	static const struct {
		const char *name;
		enum pddgpu_state state;
	} names[] = {
		{ "LIVE", PDDGPU_STATE_LIVE },
		{ "ORPHAN", PDDGPU_STATE_ORPHAN },
		{ "ZOMBIE", PDDGPU_STATE_ZOMBIE },
		{ "KERNEL", PDDGPU_STATE_KERNEL },
		{ "FREE", PDDGPU_STATE_FREE },
		{ "CLEARING", PDDGPU_STATE_CLEARING },
	};
	size_t i;

	for (i = 0; i < PDDI_ARRAY_SIZE(names); i++)
		if (*names[i].name == *text && strlen(names[i].name) == length &&
		    !memcmp(names[i].name, text, length))
			return names[i].state;
	return PDDGPU_STATE_UNKNOWN;
}

uint32_t pddi_domain(const char *text)
{
	if (!strcmp(text, "VRAM"))
		return PDDGPU_GEM_DOMAIN_VRAM;
	if (!strcmp(text, "GTT"))
		return PDDGPU_GEM_DOMAIN_GTT;
	if (!strcmp(text, "CPU"))
		return PDDGPU_GEM_DOMAIN_CPU;
	return 0;
}
