/* SPDX-License-Identifier: MIT */
#include "machine/linux/arena.h"

#include <assert.h>

#include "machine/linux/internal.h"
#include "pager/reserve.h"

enum { WORD_SLOTS = 64, WORDS_SEARCHED = 16 /* for a run that is long enough */ };

static uint32_t words_of(const struct ol_arena *arena)
{
    return arena->slots / WORD_SLOTS + 1; /* the last one is never quite full */
}

bool ol_arena_open(struct ol_arena *arena, uint32_t slots)
{
    *arena = (struct ol_arena){.slots = slots};
    arena->memory = ol_reserve(ol_arena_bytes(arena));
    arena->taken = ol_reserve(words_of(arena) * sizeof(*arena->taken));
    return arena->memory && arena->taken;
}

void ol_arena_close(struct ol_arena *arena)
{
    ol_release(arena->memory, ol_arena_bytes(arena));
    ol_release(arena->taken, words_of(arena) * sizeof(*arena->taken));
}

static uint64_t empty_slots(const struct ol_arena *arena, uint32_t word)
{
    uint64_t empty = ~arena->taken[word];
    if (word == words_of(arena) - 1) empty &= (1ULL << arena->slots % WORD_SLOTS) - 1;
    return empty;
}

struct run {
    uint32_t first, length;
};

/* The first run of `want` slots in a word, or the longest. */
static struct run longest_run(uint64_t empty, uint32_t want)
{
    struct run best = {0, 0};
    while (empty) {
        const uint32_t first = (uint32_t)__builtin_ctzll(empty);
        const uint64_t rest = ~(empty >> first);
        const uint32_t length = rest ? (uint32_t)__builtin_ctzll(rest) : WORD_SLOTS;
        if (length > best.length) best = (struct run){first, length};
        if (length >= want || first + length >= WORD_SLOTS) break;
        empty &= UINT64_MAX << (first + length);
    }
    return best;
}

char *ol_arena_take(struct ol_arena *arena, uint32_t want, uint32_t *length)
{
    struct run best = {0, 0};
    if (want > WORD_SLOTS) want = WORD_SLOTS;
    while (!empty_slots(arena, arena->first_room)) arena->first_room++;
    const uint32_t end = words_of(arena), from = arena->first_room;
    for (uint32_t word = from; word < end && (word < from + WORDS_SEARCHED || !best.length); word++) {
        const struct run run = longest_run(empty_slots(arena, word), want);
        if (run.length > best.length) best = (struct run){word * WORD_SLOTS + run.first, run.length};
        if (best.length >= want) break;
    }
    assert(best.length);
    *length = best.length < want ? best.length : want;
    const uint32_t word = best.first / WORD_SLOTS;
    arena->taken[word] |= (UINT64_MAX >> (WORD_SLOTS - *length)) << best.first % WORD_SLOTS;
    if (arena->high_water <= word) arena->high_water = word + 1;
    return arena->memory + (size_t)best.first * OL_LINUX_PAGE_BYTES;
}

void ol_arena_give(struct ol_arena *arena, const char *slot)
{
    const uint32_t number = (uint32_t)((size_t)(slot - arena->memory) / OL_LINUX_PAGE_BYTES);
    const uint32_t word = number / WORD_SLOTS;
    assert(arena->taken[word] >> number % WORD_SLOTS & 1);
    arena->taken[word] &= ~(1ULL << number % WORD_SLOTS);
    if (word < arena->first_room) arena->first_room = word;
}

size_t ol_arena_bytes(const struct ol_arena *arena)
{
    return (size_t)arena->slots * OL_LINUX_PAGE_BYTES;
}

uint64_t ol_arena_metadata_bytes(const struct ol_arena *arena)
{
    return (uint64_t)arena->high_water * sizeof(*arena->taken);
}
