/* SPDX-License-Identifier: MIT */
/*
 * A set-associative translation lookaside buffer, with least recently used replacement within a set.
 *
 * A key names a page of a space: valid bit, address space tag, page number. What the entry allows is `rights`; a write
 * is allowed only if the page is already dirty in its tables, so that the first write walks and sets the bit.
 *
 * Conditions that hold for all functions:
 * - The entries of a set stand in the order of their last use, empty ones at the end.
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
    uint32_t ways;                /* c: entries of a set; 0: no TLB */
    uint32_t set_mask;            /* c: number of sets - 1; the sets are a power of two */
};

/* `entries` 0: no TLB. OL_OK; OL_E_INVALID if entries / ways is no power of two, or above OL_TLB_ENTRIES_MAX;
 * OL_E_NO_META. */
enum ol_status ol_tlb_create(struct ol_tlb *tlb, uint32_t entries, uint32_t ways);
void ol_tlb_destroy(struct ol_tlb *tlb);

/* Stores a translation as the set's most recent, in place of the one with the same key, else of the oldest. */
void ol_tlb_insert(struct ol_tlb *tlb, uint64_t key, ol_frame_no frame, uint32_t rights);

/* Forgets the entry for key, if there is one. */
void ol_tlb_invalidate(struct ol_tlb *tlb, uint64_t key);

/* The part of the key that is common to a space; `tag` has OL_TLB_TAG_BITS. */
static inline uint64_t ol_tlb_space_key(uint32_t tag)
{
    return 1ULL << 63 | (uint64_t)tag << OL_TLB_PAGE_BITS;
}

static inline struct ol_tlb_entry *ol_tlb_set(const struct ol_tlb *tlb, uint64_t key)
{
    return tlb->entries + (key & tlb->set_mask) * tlb->ways;
}

/* The entry for key, which becomes the most recent of its set; NULL if there is none. Valid until the next call. */
static inline const struct ol_tlb_entry *ol_tlb_lookup(struct ol_tlb *tlb, uint64_t key)
{
    struct ol_tlb_entry *const set = ol_tlb_set(tlb, key);
    for (uint32_t way = 0; way < tlb->ways; way++) {
        if (set[way].key != key) continue;
        if (way > 0) {
            const struct ol_tlb_entry found = set[way];
            memmove(set + 1, set, way * sizeof *set);
            set[0] = found;
        }
        return set;
    }
    return NULL;
}

#endif
