// SPDX-License-Identifier: MIT
/*
 * Random numbers. The generator is SplitMix64's recurrence: one addition and a mix of
 * bits, so that any seed is as good as any other, neighbours too.
 */
#include <math.h>

#include "leak.h"

#define STEP 0x9e3779b97f4a7c15ull

static uint64_t mix(uint64_t bits)
{
	bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ull;
	bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebull;
	return bits ^ (bits >> 31);
}

void rng_seed(struct rng *rng, uint64_t seed, uint64_t what)
{
	rng->state = mix(seed * STEP + mix(what + STEP));
}

uint64_t rng_next(struct rng *rng)
{
	rng->state += STEP;
	return mix(rng->state);
}

double rng_unit(struct rng *rng)
{
	return (double)(rng_next(rng) >> 11) / (double)(1ull << 53);
}

bool rng_chance(struct rng *rng, double chance)
{
	return rng_unit(rng) < chance;
}

uint64_t rng_below(struct rng *rng, uint64_t count)
{
	return count ? rng_next(rng) % count : 0;
}

uint64_t rng_from(struct rng *rng, uint64_t low, uint64_t high)
{
	return low + rng_below(rng, high - low + 1);
}

double rng_real(struct rng *rng, double low, double high)
{
	return low + rng_unit(rng) * (high - low);
}

uint64_t rng_log(struct rng *rng, uint64_t low, uint64_t high)
{
	double value = exp2(rng_real(rng, log2((double)low), log2((double)high)));

	return value < (double)low ? low : value > (double)high ? high : (uint64_t)value;
}

uint64_t rng_wait(struct rng *rng, uint64_t mean)
{
	return (uint64_t)(-log(1.0 - rng_unit(rng)) * (double)mean);
}

uint64_t rng_bytes(struct rng *rng, uint64_t low, uint64_t high)
{
	return (rng_log(rng, low, high) + 4095) & ~4095ull;
}
