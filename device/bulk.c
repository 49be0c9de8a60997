// SPDX-License-Identifier: MIT
#include <endian.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "bulk.h"

/* wmemset() is the C library's fastest way to write a word over and over */
_Static_assert(sizeof(wchar_t) == sizeof(uint32_t), "a wide character is no dword");

/*
 * From here on a copy goes past the CPU's caches: nobody reads so much again
 * before they are full of something else, and to store without having read the
 * old lines is a fifth faster. 256 KiB is half of a current CPU's second level.
 */
#define BULK_STREAM_BYTES	(256u << 10)

#ifdef __SSE2__
#define LINE	64u

/* Whole lines of @to, which is aligned to one */
static void stream_lines(uint8_t *to, const uint8_t *from, uint64_t lines)
{
	__m128i *dst = (__m128i *)to;
	const __m128i *src = (const __m128i *)from;

	for (; lines; lines--, dst += 4, src += 4) {
		__m128i a = _mm_loadu_si128(src), b = _mm_loadu_si128(src + 1);
		__m128i c = _mm_loadu_si128(src + 2), d = _mm_loadu_si128(src + 3);

		_mm_stream_si128(dst, a);
		_mm_stream_si128(dst + 1, b);
		_mm_stream_si128(dst + 2, c);
		_mm_stream_si128(dst + 3, d);
	}
	/* A fence that is written afterwards is not seen before the data */
	_mm_sfence();
}

static bool stream(uint8_t *to, const uint8_t *from, uint64_t bytes)
{
	uint64_t head = -(uintptr_t)to % LINE;
	uint64_t lines = (bytes - head) / LINE;

	if (to < from + bytes && from < to + bytes)
		return false;
	memcpy(to, from, head);
	stream_lines(to + head, from + head, lines);
	head += lines * LINE;
	memcpy(to + head, from + head, bytes - head);
	return true;
}
#else
static bool stream(uint8_t *to, const uint8_t *from, uint64_t bytes)
{
	(void)to;
	(void)from;
	(void)bytes;
	return false;
}
#endif

/**
 * bulk_copy() - memmove() that is quick with much
 * @to: where to
 * @from: where from; may overlap
 * @bytes: how many
 */
void bulk_copy(uint8_t *to, const uint8_t *from, uint64_t bytes)
{
	if (bytes < BULK_STREAM_BYTES || !stream(to, from, bytes))
		memmove(to, from, bytes);
}

/**
 * bulk_fill() - write a dword over and over
 * @to: aligned to one
 * @pattern: the dword, as the CPU sees it; stored as little endian
 * @bytes: a multiple of its size
 */
void bulk_fill(uint8_t *to, uint32_t pattern, uint64_t bytes)
{
	const uint8_t low = pattern & 0xff;

	if (pattern == low * 0x01010101u)
		memset(to, low, bytes);
	else
		wmemset((wchar_t *)to, (wchar_t)htole32(pattern), bytes / sizeof(wchar_t));
}
