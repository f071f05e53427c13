/* SPDX-License-Identifier: MIT */
/*
 * LRU stack distances, exactly and in one pass: the distance of a reference is the number of different pages referenced
 * since the last reference to its page, that page included; memory of so many frames or more has the page (R. L.
 * Mattson et al., IBM Systems Journal 9(2), 1970). A page's first reference has no distance.
 *
 * Pages stand on a line in the order of their last reference, a bit each; the distance is the number of bits behind. A
 * tree of sums over 64 bits, then 64 sums, and so on, counts them in O(log n). (F. Olken, LBL-12370, 1981, has a tree.)
 */
#ifndef OL_ANALYSIS_STACK_H
#define OL_ANALYSIS_STACK_H

#include <stdbool.h>

#include "trace/batch.h"

struct ol_stack;

/* NULL without memory. */
struct ol_stack *ol_stack_create(void);
void ol_stack_destroy(struct ol_stack *stack);

/* The distance of the next reference; 0 for a first one. False without memory. */
bool ol_stack_reference(struct ol_stack *stack, uint32_t page, uint32_t *distance);

/* Forgets a page that was referenced, as if it had never been. Its number may be another page's from then on. */
void ol_stack_remove(struct ol_stack *stack, uint32_t page);

/* Counts the distances of a batch: histogram[d]++ for a distance d, histogram[0]++ for a first reference; repeated
 * references have distance 1. histogram must reach to pages_total. False without memory. */
bool ol_stack_count(struct ol_stack *stack, const struct ol_batch *batch, uint64_t *histogram);

#endif
