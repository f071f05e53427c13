/* SPDX-License-Identifier: MIT */
/*
 * A whole trace in memory, 8 or 12 bytes an element, with what comes next: when each page is referenced again.
 *
 * For OPT in memories of some least number of frames, most traces are made shorter. A reference to a page since whose
 * last one fewer other pages were referenced than there are frames is a hit: OPT would have made that page leave only
 * if all others in memory, and the one that comes in, were wanted sooner. So no page leaves while only such references
 * are made, and of these all to the same page are as good as one. They are made one element with their count. The
 * faults stay the same: a page that leaves is wanted latest, at a reference that is none of these, or never, and the
 * order of all others is kept. (Which of several pages leaves that are never wanted again is left open, as ever.)
 */
#ifndef OL_ANALYSIS_FUTURE_H
#define OL_ANALYSIS_FUTURE_H

#include <stdbool.h>

#include "trace/batch.h"

struct ol_future;

/* frames: the trace is for OPT in memories of at least so many frames; 0 or 1: all elements are kept. NULL without
 * memory. */
struct ol_future *ol_future_create(uint32_t frames);
void ol_future_destroy(struct ol_future *future);

/* Appends a batch. False without memory, or beyond 2^32 - 2 elements. */
bool ol_future_add(struct ol_future *future, const struct ol_batch *batch);

/* The batch of at most `most` elements from index `at` on, with its future; count 0 at the end. Good until the next
 * ol_future_add. */
void ol_future_batch(const struct ol_future *future, size_t at, size_t most, struct ol_batch *batch);

#endif
