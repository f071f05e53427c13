/* SPDX-License-Identifier: MIT */
/*
 * A piece of a trace as simulators and analyses take it: pages by number, 0, 1, 2, … in the order of their first
 * reference (trace/numbering.h), one array for each thing that is known of a reference.
 */
#ifndef OL_TRACE_BATCH_H
#define OL_TRACE_BATCH_H

#include <stddef.h>
#include <stdint.h>

struct ol_batch {
    const uint32_t *pages;  /* numbers of the pages */
    const uint8_t *written; /* 1 if the page is modified, else 0; NULL: none is */
    const uint32_t *counts; /* so many references alike, one directly after the other; NULL: one each */
    const uint32_t
        *future; /* index in the trace of the next element with that page, UINT32_MAX for none; NULL: unknown */
    size_t count;
    uint32_t pages_total; /* all numbers up to here are below it */
};

#endif
