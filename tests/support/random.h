/* SPDX-License-Identifier: MIT */
/* Pseudo-random numbers for tests: the same sequence for the same seed, whatever the host. (xorshift64*, S. Vigna,
 * "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016.) */
#ifndef OL_TESTS_RANDOM_H
#define OL_TESTS_RANDOM_H

#include <stdint.h>

/* *state is the seed at first; it must not be 0. */
static inline uint64_t ol_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

/* One of 0 .. bound - 1. */
static inline uint64_t ol_random_below(uint64_t *state, uint64_t bound)
{
    return (ol_random(state) >> 16) % bound;
}

#endif
