/* SPDX-License-Identifier: MIT */
/* A trace as the simulators and analyses take it: batches of pages by number. Messages are given here. */
#ifndef OL_CLI_STREAM_H
#define OL_CLI_STREAM_H

#include "trace/numbering.h"

struct ol_stream {
    struct ol_trace *trace;
    struct ol_numbering *numbering;
    unsigned page_shift;
    bool empty; /* nothing was read so far */
};

/* False after a message. */
bool ol_stream_open(struct ol_stream *stream, const char *path, enum ol_trace_format format, unsigned page_shift);
void ol_stream_close(struct ol_stream *stream);

/* The name of a form of trace. False after a message. */
bool ol_parse_trace_format(const char *text, enum ol_trace_format *format);

/* Does the trace have addresses? Else it is a list of pages, of whatever size. Valid once something was read. */
bool ol_trace_has_addresses(const struct ol_trace *trace);

/* A page size that traces can be read with: a power of two from 512 bytes to 1 GiB. False after a message. */
bool ol_parse_page_size(const char *text, unsigned *page_shift);

/* The next references; batch->count 0 is the end. The batch is good until the next call. False after a message; a trace
 * without any reference is an error. */
bool ol_stream_next(struct ol_stream *stream, struct ol_batch *batch);

#endif
