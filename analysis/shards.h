/* SPDX-License-Identifier: MIT */
/*
 * SHARDS: the LRU curve of a sample of pages, chosen by a hash of the page, so that all references to a page are in the
 * sample or none. Distances and counts are scaled by the rate; what the sample has too many or too few of references is
 * made up for by references at distance 1. (C. Waldspurger, N. Park, A. Garthwaite, I. Ahmad, "Efficient MRC
 * Construction with SHARDS", FAST 2015: fixed rate, SHARDS-adj.)
 *
 * The bound: the sample is split by the hash into OL_SHARDS_GROUPS groups. How much their counts differ tells the
 * standard error of the miss ratio, of which the bound takes 2.95 (99 % of Student's distribution with 15 degrees of
 * freedom). That a distance is scaled from a sample of d pages makes it uncertain by 3 parts in sqrt(d): the bound
 * takes in the curve as far as that to both sides. It holds for each size by itself, not for all of them at once.
 */
#ifndef OL_ANALYSIS_SHARDS_H
#define OL_ANALYSIS_SHARDS_H

#include <stdbool.h>
#include <stdint.h>

enum { OL_SHARDS_GROUPS = 16 };

struct ol_shards;

struct ol_shards_point {
    uint64_t size;             /* pages */
    double ratio, least, most; /* faults per reference, and its bound */
};

/* rate: of OL_PAGE_SAMPLE_ONE (trace/page_sample.h). NULL without memory. */
struct ol_shards *ol_shards_create(uint32_t rate);
void ol_shards_destroy(struct ol_shards *shards);

/* Is the page in the sample? `page` is its number as the program has it. */
bool ol_shards_samples(const struct ol_shards *shards, uint64_t page);

/* Counts references that are not in the sample. */
void ol_shards_skip(struct ol_shards *shards, uint64_t count);

/* `count` references, directly one after the other, to a page in the sample; `number` is its number among those in the
 * sample, 0, 1, 2, … in the order of their first reference. False without memory. */
bool ol_shards_reference(struct ol_shards *shards, uint64_t page, uint32_t number, uint32_t count);

/* The curve at sizes that the sample can tell apart: 0 is the first point; false beyond the last. */
bool ol_shards_point(struct ol_shards *shards, uint32_t index, struct ol_shards_point *out);

uint64_t ol_shards_references(const struct ol_shards *shards); /* all */
uint32_t ol_shards_pages(const struct ol_shards *shards);      /* in the sample */

#endif
