/* SPDX-License-Identifier: MIT */
/*
 * A set-associative array of translations. The TLBs and page-walk caches of a processor (tlbs.h) are made of these.
 *
 * A key names a page of a space. Bit 63 is set; below it a tag, the size of the page as an index, and its number, in
 * pages of that size:
 *
 *     63  62..47                     46..45  44..0
 *     1   tag, or OL_TLB_GLOBAL_TAG  size    page
 *
 * Conditions that hold for all functions:
 * - An entry keeps its place while it lives; `used` says when it was used last, so that looking up moves nothing.
 * - `now` is any clock that starts above 0 and goes on from one use to the next.
 * - An array of no entries never hits and may be used like any other.
 */
#ifndef OL_SIM_TLB_H
#define OL_SIM_TLB_H

#include <assert.h>

#include "core/types.h"

/* 45 bits name the pages of 57-bit addresses. */
enum {
    OL_TLB_PAGE_BITS = 45,
    OL_TLB_SIZE_BITS = 2,
    OL_TLB_SIZES_MAX = 1 << OL_TLB_SIZE_BITS,
    OL_TLB_TAG_BITS = 15, /* tags of spaces lie below OL_TLB_GLOBAL_TAG */
    OL_TLB_GLOBAL_TAG = 1 << OL_TLB_TAG_BITS,
    OL_TLB_ENTRIES_MAX = 1 << 20
};

/* Which entry of a full set goes. All are deterministic. */
enum ol_tlb_replacement {
    OL_TLB_LRU,   /* the one used longest ago */
    OL_TLB_PLRU,  /* a binary tree over the ways: at each node, the half that was not used last. Ways are 2^n */
    OL_TLB_FIFO,  /* the one stored longest ago */
    OL_TLB_RANDOM /* any, by a generator of its own */
};

struct ol_tlb_entry {
    uint64_t key;      /* 0: empty */
    ol_frame_no frame; /* where the page of the key begins */
    uint8_t rights; /* a write is allowed only if the page is dirty in its tables: the first one walks, and sets it */
    uint8_t page_shift; /* log2 of the page that the tables map; more than the key's where that was too large to hold */
};

struct ol_tlb {
    struct ol_tlb_entry *entries; /* c: set after set */
    /* Of each entry: when it was used last, or for FIFO stored. What was emptied keeps it: the tree of PLRU, which is
     * worked out from these times, does not forget. */
    uint64_t *used;
    uint32_t ways;     /* c: entries of a set; 0: no TLB */
    uint32_t set_mask; /* c: number of sets - 1; the sets are a power of two */
    uint32_t random;
    enum ol_tlb_replacement replacement; /* c: */
};

/* Can there be such an array? entries / ways is a power of two, at most OL_TLB_ENTRIES_MAX; for PLRU, so are the ways.
 */
bool ol_tlb_is_possible(uint32_t entries, uint32_t ways, enum ol_tlb_replacement replacement);

/* `entries` 0: no TLB. OL_OK; OL_E_INVALID if it is not possible; OL_E_NO_META. */
enum ol_status ol_tlb_create(struct ol_tlb *tlb, uint32_t entries, uint32_t ways, enum ol_tlb_replacement replacement);
void ol_tlb_destroy(struct ol_tlb *tlb);

/* The entry with that key, or NULL. It counts as used only when it is touched. */
struct ol_tlb_entry *ol_tlb_find(const struct ol_tlb *tlb, uint64_t key);

/* Where a translation with that key belongs: the entry that has the key, else an empty one, else the one that has to
 * go, which is still what it was. NULL if there is no TLB. */
struct ol_tlb_entry *ol_tlb_place(struct ol_tlb *tlb, uint64_t key);
/* Stores a translation in the place that ol_tlb_place found for its key. */
void ol_tlb_store(struct ol_tlb *tlb, struct ol_tlb_entry *place, const struct ol_tlb_entry *entry, uint64_t now);

/* The number of entries, empty ones included. */
static inline size_t ol_tlb_room(const struct ol_tlb *tlb)
{
    return (size_t)(tlb->set_mask + 1) * tlb->ways;
}

/* Where the time of an entry's uses is to be noted; NULL if replacement does not ask for it. */
static inline uint64_t *ol_tlb_used(const struct ol_tlb *tlb, const struct ol_tlb_entry *entry)
{
    return tlb->replacement <= OL_TLB_PLRU ? &tlb->used[entry - tlb->entries] : NULL;
}

static inline void ol_tlb_touch(const struct ol_tlb *tlb, const struct ol_tlb_entry *entry, uint64_t now)
{
    uint64_t *const used = ol_tlb_used(tlb, entry);
    if (used) *used = now;
}

/* The key of a page of size number `size`; more bits of the page's number than a key has are left out. */
static inline uint64_t ol_tlb_key(uint32_t tag, unsigned size, uint64_t page)
{
    assert(tag <= OL_TLB_GLOBAL_TAG && size < OL_TLB_SIZES_MAX);
    const uint64_t above = (uint64_t)tag << OL_TLB_SIZE_BITS | size;
    return 1ULL << 63 | above << OL_TLB_PAGE_BITS | (page & ((1ULL << OL_TLB_PAGE_BITS) - 1));
}

static inline uint32_t ol_tlb_key_tag(uint64_t key)
{
    return (uint32_t)(key >> (OL_TLB_PAGE_BITS + OL_TLB_SIZE_BITS)) & ((1U << (OL_TLB_TAG_BITS + 1)) - 1);
}

static inline unsigned ol_tlb_key_size(uint64_t key)
{
    return (unsigned)(key >> OL_TLB_PAGE_BITS) & (OL_TLB_SIZES_MAX - 1);
}

static inline uint64_t ol_tlb_key_page(uint64_t key)
{
    return key & ((1ULL << OL_TLB_PAGE_BITS) - 1);
}

#endif
