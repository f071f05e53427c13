/* SPDX-License-Identifier: MIT */
/*
 * What larger pages cost and save, from the set of all pieces of memory (granules) that a trace touches: how many pages
 * they make up, how much of those pages is never touched, and how large the page tables are.
 *
 * Tables are as on AMD64: a tree over 48 bits of address, tables of 4 KiB with 512 entries, so that pages of 2 MiB need
 * a level less than those of 4 KiB, and pages of 512 bytes one more.
 */
#ifndef OL_ANALYSIS_PAGE_SIZES_H
#define OL_ANALYSIS_PAGE_SIZES_H

#include <stddef.h>
#include <stdint.h>

struct ol_page_size {
    uint64_t pages;       /* touched */
    uint64_t waste_bytes; /* of these, granules that were never touched */
    uint64_t table_bytes;
};

/* granules: ascending, all different, each `number << granule_shift` bytes from address 0. page_shift >= granule_shift.
 */
void ol_page_size_of(const uint64_t *granules, size_t count, unsigned granule_shift, unsigned page_shift,
                     struct ol_page_size *out);

#endif
