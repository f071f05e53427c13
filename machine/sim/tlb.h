/* SPDX-License-Identifier: MIT */
/*
 * A set-associative translation lookaside buffer, with least recently used replacement within a set.
 *
 * A key names a page of a space: valid bit, address space tag, page number. What the entry allows is `rights`; a write
 * is allowed only if the page is already dirty in its tables, so that the first write walks and sets the bit.
 *
 * Conditions that hold for all functions:
 * - An entry keeps its place while it lives; `used` says when it was used last, so that looking up moves nothing.
 * - `now` is any clock that starts above 0 and goes on from one use to the next.
 * - Lookups do not branch on which way holds the key: for programs, that is as good as random.
 * - A TLB of no entries never hits and may be used like any other.
 */
#ifndef OL_SIM_TLB_H
#define OL_SIM_TLB_H

#include <string.h>

#include "core/types.h"

/* 45 bits name the pages of 57-bit addresses. */
enum { OL_TLB_PAGE_BITS = 45, OL_TLB_TAG_BITS = 18, OL_TLB_ENTRIES_MAX = 1 << 20 };

struct ol_tlb_entry {
    uint64_t key; /* 0: empty */
    ol_frame_no frame;
    uint32_t rights;
};

struct ol_tlb {
    struct ol_tlb_entry *entries; /* c: set after set */
    uint64_t *used;               /* of each entry: when it was used last; 0: empty */
    uint32_t ways;                /* c: entries of a set; 0: no TLB */
    uint32_t set_mask;            /* c: number of sets - 1; the sets are a power of two */
};

/* `entries` 0: no TLB. OL_OK; OL_E_INVALID if entries / ways is no power of two, or above OL_TLB_ENTRIES_MAX;
 * OL_E_NO_META. */
enum ol_status ol_tlb_create(struct ol_tlb *tlb, uint32_t entries, uint32_t ways);
void ol_tlb_destroy(struct ol_tlb *tlb);

/* Stores a translation as the set's most recent, in place of the one with the same key, else of the oldest. */
void ol_tlb_insert(struct ol_tlb *tlb, uint64_t key, ol_frame_no frame, uint32_t rights, uint64_t now);

/* Forgets the entry for key, if there is one. */
void ol_tlb_invalidate(struct ol_tlb *tlb, uint64_t key);

/* The part of the key that is common to a space; `tag` has OL_TLB_TAG_BITS. */
static inline uint64_t ol_tlb_space_key(uint32_t tag)
{
    return 1ULL << 63 | (uint64_t)tag << OL_TLB_PAGE_BITS;
}

/* The first entry of key's set. */
static inline size_t ol_tlb_set(const struct ol_tlb *tlb, uint64_t key)
{
    return (size_t)(key & tlb->set_mask) * tlb->ways;
}

/* Which way of the set might hold key; the only one that can. */
static inline uint32_t ol_tlb_way(const struct ol_tlb_entry *set, uint32_t ways, uint64_t key)
{
    uint32_t way = 0;
    if (ways == 4) { /* the usual, without a loop */
        const uint32_t low = set[1].key == key, high = (uint32_t)(set[2].key == key) << 1;
        return low | high | (set[3].key == key ? 3U : 0);
    }
    for (uint32_t i = 1; i < ways; i++) way = set[i].key == key ? i : way;
    return way;
}

/* The entry for key, which becomes the most recent of its set; NULL if there is none. Valid until the next call. */
static inline const struct ol_tlb_entry *ol_tlb_lookup(struct ol_tlb *tlb, uint64_t key, uint64_t now)
{
    const size_t set = ol_tlb_set(tlb, key);
    const size_t found = set + ol_tlb_way(&tlb->entries[set], tlb->ways, key);
    if (tlb->entries[found].key != key) return NULL;
    tlb->used[found] = now;
    return &tlb->entries[found];
}

#endif
