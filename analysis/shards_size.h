/* SPDX-License-Identifier: MIT */
/*
 * SHARDS with a sample of fixed size: the LRU curve in constant memory, whatever the trace has of pages (C. Waldspurger
 * et al., FAST 2015, section 3.2: fixed size, with SHARDS-adj).
 *
 * The sample begins with all pages. Whenever it would have more than so many, the page with the largest hash leaves,
 * and from then on only pages with smaller hashes are in the sample: the rate falls. A reference counts 1 / rate, and
 * its distance is scaled by 1 / rate, with the rate at that time; that is what the paper's rescaling of earlier counts
 * comes to in the end. Scaled distances are counted in classes: exactly up to 512, then 256 to each doubling, so that
 * the sizes of the curve are 0.4 % apart.
 *
 * The bound is that of shards.h, with the rate at the end: 99 % for each size by itself. A distance counted while the
 * rate was higher is less uncertain than the bound takes it to be.
 */
#ifndef OL_ANALYSIS_SHARDS_SIZE_H
#define OL_ANALYSIS_SHARDS_SIZE_H

#include "analysis/shards.h"

enum { OL_SHARDS_SIZE_LEAST = 64, OL_SHARDS_SIZE_MOST = 1 << 24 };

struct ol_shards_size;

/* pages_max: OL_SHARDS_SIZE_LEAST to OL_SHARDS_SIZE_MOST. NULL without memory. */
struct ol_shards_size *ol_shards_size_create(uint32_t pages_max);
void ol_shards_size_destroy(struct ol_shards_size *shards);

/* `count` references, directly one after the other, to a page, by its number as the program has it; in the sample or
 * not. False without memory. */
bool ol_shards_size_reference(struct ol_shards_size *shards, uint64_t page, uint32_t count);

/* After the last reference, once, of one at least. False without memory. */
bool ol_shards_size_finish(struct ol_shards_size *shards);

/* The curve at the sizes at which it changes: 0 is the first point; false beyond the last. If the trace has no more
 * pages than the sample, the curve is exact. */
bool ol_shards_size_point(const struct ol_shards_size *shards, uint32_t index, struct ol_shards_point *out);

uint64_t ol_shards_size_references(const struct ol_shards_size *shards); /* all */
uint32_t ol_shards_size_pages(const struct ol_shards_size *shards);      /* in the sample, at the end */
double ol_shards_size_rate(const struct ol_shards_size *shards);         /* at the end */

#endif
