/* SPDX-License-Identifier: MIT */
/*
 * Numbers the pages of a trace 0, 1, 2, … in the order of their first reference, so that whoever looks at a trace can
 * keep what it knows of pages in arrays. At most 20 bytes a page; pages that are often referenced tend to come early
 * and so lie close together.
 */
#ifndef OL_TRACE_NUMBERING_H
#define OL_TRACE_NUMBERING_H

#include "trace/batch.h"
#include "trace/reader.h"

enum { OL_NUMBERING_PAGES_MAX = 1 << 30, OL_NUMBERING_BATCH_MAX = 4096 };

struct ol_numbering;

/* NULL without memory. */
struct ol_numbering *ol_numbering_create(void);
void ol_numbering_destroy(struct ol_numbering *numbering);

/* Numbers the pages of up to OL_NUMBERING_BATCH_MAX references. The batch is good until the next call. False without
 * memory, or beyond OL_NUMBERING_PAGES_MAX pages. */
bool ol_numbering_add(struct ol_numbering *numbering, const struct ol_reference *references, size_t count,
                      unsigned page_shift, struct ol_batch *batch);

/* Stores the numbers of the pages of any number of references. False as above. */
bool ol_numbering_number(struct ol_numbering *numbering, const struct ol_reference *references, size_t count,
                         unsigned page_shift, uint32_t *numbers);

/* How many pages there are so far. */
uint32_t ol_numbering_pages(const struct ol_numbering *numbering);

/* The page of a number, counted in pages from address 0. */
uint64_t ol_numbering_page(const struct ol_numbering *numbering, uint32_t number);

#endif
