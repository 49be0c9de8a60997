// SPDX-License-Identifier: MIT
/* Patterns: every page of every seed differs, so that a page in the wrong place shows. */
#include "pdt.h"

/*
 * Where a test's random numbers begin, and says so: at @preset, unless PDT_SEED is
 * set. Then each test's own follows from both.
 */
uint64_t pdt_seed(uint64_t preset)
{
	const char *given = getenv("PDT_SEED");
	uint64_t seed = preset;

	if (given)
		seed = (strtoull(given, NULL, 0) + 1) * 0x9e3779b97f4a7c15ULL ^ preset;
	printf("# PDT_SEED=%s: random numbers from %#llx\n", given ? given : "(not set)",
	       (unsigned long long)seed);
	return seed ? seed : 1;
}

/* xorshift64; the state must not be zero */
uint64_t pdt_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* The first word of a page; the others follow in odd steps. */
static uint64_t page_word(uint64_t seed, uint64_t page)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + page + 1;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x | 1;
}

#define STEP	0x9e3779b97f4a7c15ULL

/* @size is a multiple of 8 */
void pdt_pattern_fill(void *ptr, uint64_t size, uint64_t seed)
{
	volatile uint64_t *word = ptr;
	uint64_t value = 0;

	for (uint64_t i = 0; i < size / 8; i++, value += STEP) {
		if (!(i % (PDT_PAGE / 8)))
			value = page_word(seed, i / (PDT_PAGE / 8));
		word[i] = value;
	}
}

/* Where the first wrong byte group is; -1 when all is right */
int64_t pdt_pattern_check(const void *ptr, uint64_t size, uint64_t seed)
{
	const volatile uint64_t *word = ptr;
	uint64_t value = 0;

	for (uint64_t i = 0; i < size / 8; i++, value += STEP) {
		if (!(i % (PDT_PAGE / 8)))
			value = page_word(seed, i / (PDT_PAGE / 8));
		if (word[i] != value)
			return (int64_t)(i * 8);
	}
	return -1;
}

/* Where the first byte group that is not zero is; -1 when all are */
int64_t pdt_zero_check(const void *ptr, uint64_t size)
{
	const volatile uint64_t *word = ptr;

	for (uint64_t i = 0; i < size / 8; i++)
		if (word[i])
			return (int64_t)(i * 8);
	return -1;
}
