/* SPDX-License-Identifier: MIT */
#include "cli/histogram.h"

#include "analysis/stack.h"
#include "cli/cli.h"
#include "trace/grow.h"

enum { CAPACITY_FIRST = 1 << 12 };

uint64_t ol_batch_references(const struct ol_batch *batch)
{
    uint64_t references = batch->count;
    for (size_t i = 0; batch->counts && i < batch->count; i++) references += batch->counts[i] - 1;
    return references;
}

static bool grow(struct ol_histogram *histogram, uint32_t pages_total)
{
    while (histogram->capacity <= pages_total) {
        const size_t old = histogram->capacity, wanted = old ? 2 * old : CAPACITY_FIRST;
        uint64_t *const grown = ol_grow(histogram->distances, old, wanted, sizeof(*grown));
        if (!grown) return false;
        histogram->distances = grown;
        histogram->capacity = wanted;
    }
    return true;
}

bool ol_histogram_read(struct ol_histogram *histogram, struct ol_stream *stream)
{
    *histogram = (struct ol_histogram){0};
    struct ol_stack *const stack = ol_stack_create();
    struct ol_batch batch = {0};
    bool memory = stack != NULL, good = memory;
    while (good && (good = ol_stream_next(stream, &batch)) && batch.count) {
        memory = grow(histogram, batch.pages_total) && ol_stack_count(stack, &batch, histogram->distances);
        good = memory;
        histogram->references += ol_batch_references(&batch);
        histogram->runs += batch.count;
        histogram->pages = batch.pages_total;
    }
    if (!memory) ol_error("no memory for the curve");
    if (stack) ol_stack_destroy(stack);
    return good;
}

void ol_histogram_release(struct ol_histogram *histogram)
{
    ol_grow_free(histogram->distances, histogram->capacity, sizeof(*histogram->distances));
}
