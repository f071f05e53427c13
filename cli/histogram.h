/* SPDX-License-Identifier: MIT */
/* The LRU stack distances of a whole trace. Messages are given here. */
#ifndef OL_CLI_HISTOGRAM_H
#define OL_CLI_HISTOGRAM_H

#include "cli/stream.h"

struct ol_histogram {
    uint64_t *distances; /* [d]: references at distance d, up to `pages`; [0]: first references */
    size_t capacity;
    uint64_t references, runs; /* runs: of references alike */
    uint32_t pages;
};

/* Reads a stream to its end. False after a message; either way the histogram is to be released. */
bool ol_histogram_read(struct ol_histogram *histogram, struct ol_stream *stream);
void ol_histogram_release(struct ol_histogram *histogram);

/* References of a batch, those that are alike counted one by one. */
uint64_t ol_batch_references(const struct ol_batch *batch);

#endif
