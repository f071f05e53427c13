/* SPDX-License-Identifier: MIT */
/*
 * The pager that keeps pages in memory, compressed with LZ4 or Zstandard. A page all of whose 64-bit words are equal is
 * kept as one word and takes no room in the store.
 *
 * Conditions that hold for all functions, and for those of the pager:
 * - Those of core/pager.h. The pager is synchronous: it completes before submit returns.
 * - Async-signal-safe but for create and close. errno may be changed.
 * - A process that forks has no call under way; parent and child then have a store of their own each.
 */
#ifndef OL_PAGER_COMPRESSED_H
#define OL_PAGER_COMPRESSED_H

#include "core/pager.h"
#include "pager/codec.h"
#include "pager/store.h"

struct ol_compressed_options {
    uint32_t page_bytes;           /* a power of two from 4096 to 16384 */
    uint32_t capacity;             /* slots */
    uint64_t max_store_bytes;      /* the store never takes more; at least four pages */
    struct ol_store_budget budget; /* asked before the store takes memory, with the pager's lock held */
    uint32_t level;                /* OL_CODEC_LZ4, or 1 to OL_CODEC_LEVEL_MAX: Zstandard's level */
    bool keep_incompressible;      /* keep pages that do not compress to 3/4 as they are, instead of refusing them */
};

/* Bytes and pages; "now" where not since creation. Pages all of whose words are equal count as same_pages only. */
struct ol_compressed_statistics {
    uint64_t pages;          /* now */
    uint64_t same_pages;     /* now */
    uint64_t bytes;          /* now: compressed contents of pages */
    uint64_t store_bytes;    /* now: memory taken from the budget */
    uint64_t in_pages;       /* ever taken into the store */
    uint64_t in_bytes;       /* … and their compressed size */
    uint64_t refused;        /* page writes refused: no room, or they do not compress */
    uint64_t metadata_bytes; /* now: tables, up to the highest slot and slab that were used, and working memory */
};

/* OL_OK; OL_E_INVALID (capacity 0, level too high, or what ol_store_create refuses); OL_E_NO_META. Closing the pager
 * does not call budget.give: whose memory it was may be gone by then. */
enum ol_status ol_compressed_create(const struct ol_compressed_options *options, struct ol_pager **out);

void ol_compressed_statistics(struct ol_pager *pager, struct ol_compressed_statistics *out);

#endif
