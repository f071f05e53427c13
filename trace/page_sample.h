/* SPDX-License-Identifier: MIT */
/*
 * Samples of pages, chosen by a hash of the page's number, so that all references to a page are in a sample or none,
 * and that a sample of a lower rate is part of each of a higher one. Native traces carry one.
 */
#ifndef OL_TRACE_PAGE_SAMPLE_H
#define OL_TRACE_PAGE_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    OL_PAGE_SAMPLE_ONE = 1 << 24,                    /* the rate of all pages; rates are counted in parts of it */
    OL_PAGE_SAMPLE_NATIVE = OL_PAGE_SAMPLE_ONE / 64, /* that of native traces */
    OL_PAGE_SAMPLE_NATIVE_SHIFT = 12                 /* log2 of the least size of its pages */
};

/* The finalizer of MurmurHash3 (A. Appleby; public domain). */
static inline uint64_t ol_page_hash(uint64_t page)
{
    page ^= page >> 33;
    page *= UINT64_C(0xff51afd7ed558ccd);
    page ^= page >> 33;
    page *= UINT64_C(0xc4ceb9fe1a85ec53);
    return page ^ page >> 33;
}

/* Is the page in the sample of that rate? */
static inline bool ol_page_sampled(uint64_t page, uint32_t rate)
{
    return (ol_page_hash(page) & (OL_PAGE_SAMPLE_ONE - 1)) < rate;
}

#endif
