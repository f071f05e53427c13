/* SPDX-License-Identifier: MIT */
/* Reads a list of pages as `onelevel sim` does, and does nothing with it: what reading alone costs. sim.sh runs it.
 * usage: read_trace TRACE */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "trace/reader.h"

enum { BATCH = 4096, PAGE_SHIFT = 12 };

int main(int argc, char **argv)
{
    static struct ol_reference references[BATCH];
    const struct ol_trace_options options = {.format = OL_TRACE_PAGES, .page_shift = PAGE_SHIFT, .last_va = INT64_MAX};
    struct ol_trace *trace;
    char message[256];
    size_t count;
    uint64_t total = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: read_trace TRACE\n");
        return 2;
    }
    if (ol_trace_open(argv[1], &options, &trace, message, sizeof(message)) != OL_TRACE_OK) {
        fprintf(stderr, "read_trace: %s\n", message);
        return 1;
    }
    enum ol_trace_status status;
    while ((status = ol_trace_read(trace, references, BATCH, &count)) == OL_TRACE_OK && count) {
        for (size_t i = 0; i < count; i++) total += references[i].count;
    }
    if (status != OL_TRACE_OK) fprintf(stderr, "read_trace: %s\n", ol_trace_message(trace));
    else printf("%llu\n", (unsigned long long)total);
    ol_trace_close(trace);
    return status == OL_TRACE_OK ? 0 : 1;
}
