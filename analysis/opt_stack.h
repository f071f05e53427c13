/* SPDX-License-Identifier: MIT */
/*
 * OPT's stack distances: memory of so many frames or more has the page under Belady's OPT. Exactly, for all sizes in
 * one pass over a trace whose future is known. (R. L. Mattson et al., IBM Systems Journal 9(2), 1970: OPT is a stack
 * algorithm whose priority is the next reference.)
 *
 * A reference to the page at depth d changes the stack above: going down from the top, a page is carried along, and
 * changes places with each page that is wanted later than it, until the last one carried takes depth d. Those exchanges
 * are few; a tree of maxima finds each in O(log n).
 */
#ifndef OL_ANALYSIS_OPT_STACK_H
#define OL_ANALYSIS_OPT_STACK_H

#include <stdbool.h>

#include "trace/batch.h"

struct ol_opt_stack;

/* For a trace of so many pages. NULL without memory. */
struct ol_opt_stack *ol_opt_stack_create(uint32_t pages_total);
void ol_opt_stack_destroy(struct ol_opt_stack *stack);

/* Counts the distances of a batch with its future, as ol_stack_count does. */
void ol_opt_stack_count(struct ol_opt_stack *stack, const struct ol_batch *batch, uint64_t *histogram);

#endif
