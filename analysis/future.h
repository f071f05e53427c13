/* SPDX-License-Identifier: MIT */
/*
 * A whole trace in memory, 8 bytes a reference, with what comes next: when each page is referenced again.
 */
#ifndef OL_ANALYSIS_FUTURE_H
#define OL_ANALYSIS_FUTURE_H

#include <stdbool.h>

#include "trace/batch.h"

struct ol_future;

/* NULL without memory. */
struct ol_future *ol_future_create(void);
void ol_future_destroy(struct ol_future *future);

/* Appends a batch. False without memory, or beyond 2^32 - 2 elements. */
bool ol_future_add(struct ol_future *future, const struct ol_batch *batch);

/* The batch of at most `most` elements from index `at` on, with its future; count 0 at the end. Good until the next
 * ol_future_add. */
void ol_future_batch(const struct ol_future *future, size_t at, size_t most, struct ol_batch *batch);

#endif
