/* SPDX-License-Identifier: MIT */
/* What a native trace tells, in a few numbers: to see whether what was written is what is read. */
#ifndef OL_TESTS_TRACE_SUM_H
#define OL_TESTS_TRACE_SUM_H

#include <stdio.h>

#include "trace/reader.h"

enum { OL_TRACE_SUM_BATCH_MAX = 1000, OL_TRACE_SUM_MESSAGE_BYTES = 512 };

/* Adds up a trace so that the order counts, but not how runs are split. Of events, all. Begins as zeros. */
struct ol_trace_sum {
    uint64_t references, events, hash;
    struct ol_reference last;
};

static inline void ol_trace_sum_add(struct ol_trace_sum *sum, const struct ol_reference *reference)
{
    const bool same = reference->event == OL_TRACE_REFERENCE && sum->last.event == OL_TRACE_REFERENCE &&
                      reference->va == sum->last.va && reference->access == sum->last.access &&
                      reference->thread == sum->last.thread;
    if (reference->event == OL_TRACE_REFERENCE) sum->references += reference->count;
    else sum->events++;
    const uint64_t where =
        reference->event == OL_TRACE_REFERENCE ? sum->references - reference->count : sum->references;
    if (!same)
        sum->hash = (sum->hash ^ (reference->va + where * 31 + reference->access * 7U + reference->thread * 13U +
                                  reference->event * 17U)) *
                    0x9e3779b97f4a7c15U;
    sum->last = *reference;
}

/* Reads the trace, `batch` references at once; on failure the sum is that of what was read before. The message is "" if
 * all is well. */
static inline enum ol_trace_status ol_trace_sum_read(const char *path, size_t batch, struct ol_trace_sum *sum,
                                                     char message[OL_TRACE_SUM_MESSAGE_BYTES])
{
    static struct ol_reference references[OL_TRACE_SUM_BATCH_MAX];
    const struct ol_trace_options options = {.page_shift = 12, .last_va = 0x7fffffffffff, .events = true};
    struct ol_trace *trace;
    size_t count;
    *sum = (struct ol_trace_sum){0};
    message[0] = '\0';
    enum ol_trace_status status = ol_trace_open(path, &options, &trace, message, OL_TRACE_SUM_MESSAGE_BYTES);
    if (status != OL_TRACE_OK) return status;
    do {
        status = ol_trace_read(trace, references, batch, &count);
        for (size_t i = 0; i < count; i++) ol_trace_sum_add(sum, &references[i]);
    } while (status == OL_TRACE_OK && count > 0);
    snprintf(message, OL_TRACE_SUM_MESSAGE_BYTES, "%s", ol_trace_message(trace));
    ol_trace_close(trace);
    return status;
}

#endif
