/* SPDX-License-Identifier: MIT */
/*
 * What every format's walk has in common: how it reads memory, and what it answers.
 *
 * A walk is a pure function of the words of memory, the state of the processor, an address and a kind of access. It
 * allocates nothing, keeps nothing and changes nothing: who asked carries the updates out.
 */
#ifndef OL_SIM_WALK_H
#define OL_SIM_WALK_H

#include "core/types.h"

/* Physical memory as a walk reads it. Embedded in what holds the memory. */
struct ol_words {
    /* The 8 bytes at `address`, a multiple of 8, as a little-endian number; 0 where there is no memory. */
    uint64_t (*read)(const struct ol_words *words, uint64_t address);
};

enum ol_walk_outcome {
    OL_WALK_OK,
    OL_WALK_PAGE_FAULT,        /* the core may be able to help */
    OL_WALK_GENERAL_PROTECTION /* no address of this machine, or a state that the processor refuses */
};

enum { OL_WALK_WORDS_MAX = 5 };

struct ol_walk {
    enum ol_walk_outcome outcome;
    uint8_t words_read;   /* entries that the walk looked at */
    uint8_t update_count; /* words that it would set; 0 unless OL_WALK_OK */
    struct ol_walk_step {
        uint64_t address, entry; /* of an entry, in whatever size the format has */
    } steps[OL_WALK_WORDS_MAX];
    struct ol_walk_update {
        uint64_t address, value; /* of a whole word of 8 bytes; no word twice */
    } updates[OL_WALK_WORDS_MAX];
    uint32_t error_code; /* OL_WALK_PAGE_FAULT: what the processor tells, in the format's own code */
    /* The rest: OL_WALK_OK alone. */
    uint64_t physical;  /* address of the byte */
    uint8_t page_shift; /* log2 of the size of the page that maps it */
    unsigned rights;    /* every kind of access that would succeed under this state */
    bool dirty;         /* the page counts as modified, after the updates; a machine without such a bit: true */
    bool global;        /* the translation is the same in all address spaces */
};

/* The `bytes` (1, 2, 4 or 8) at `address`, a multiple of them, as a little-endian number. */
static inline uint64_t ol_words_entry(const struct ol_words *words, uint64_t address, unsigned bytes)
{
    const uint64_t word = words->read(words, address & ~7ULL);
    if (bytes == 8) return word;
    return word >> (address & 7) * 8 & ((1ULL << bytes * 8) - 1);
}

/* A number of `bytes` (1, 2, 4 or 8) with its bytes in the other order. */
static inline uint64_t ol_big_endian(uint64_t number, unsigned bytes)
{
    return __builtin_bswap64(number) >> (64 - 8 * bytes);
}

/* Notes that the entry of `bytes` at `address` is to have `bits`, too. */
static inline void ol_walk_update(const struct ol_words *words, struct ol_walk *walk, uint64_t address, unsigned bytes,
                                  uint64_t bits)
{
    if ((ol_words_entry(words, address, bytes) & bits) == bits) return;
    const uint64_t at = address & ~7ULL;
    unsigned i = 0;
    while (i < walk->update_count && walk->updates[i].address != at) i++;
    if (i == walk->update_count) {
        walk->updates[i] = (struct ol_walk_update){.address = at, .value = words->read(words, at)};
        walk->update_count++;
    }
    walk->updates[i].value |= bits << (address & 7) * 8;
}

#endif
