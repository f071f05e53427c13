/* SPDX-License-Identifier: MIT */
#include "cli/stream.h"

#include "cli/cli.h"

enum { SHIFT_LEAST = 9, SHIFT_MOST = 30 };

bool ol_parse_trace_format(const char *text, enum ol_trace_format *format)
{
    *format = ol_trace_format_find(text);
    if (*format != OL_TRACE_DETECT) return true;
    ol_error("--format %s: expected native, lackey, pages, din, csv or oracleGeneral", text);
    return false;
}

bool ol_trace_has_addresses(const struct ol_trace *trace)
{
    const enum ol_trace_format format = ol_trace_format(trace);
    return format == OL_TRACE_NATIVE || format == OL_TRACE_LACKEY || format == OL_TRACE_DIN;
}

bool ol_parse_page_size(const char *text, unsigned *page_shift)
{
    uint64_t bytes;
    for (*page_shift = SHIFT_LEAST; *page_shift <= SHIFT_MOST && ol_parse_size(text, &bytes); ++*page_shift)
        if (bytes == UINT64_C(1) << *page_shift) return true;
    ol_error("--page-size %s: expected a power of two from 512 to 1G, such as 4K", text);
    return false;
}

bool ol_stream_open(struct ol_stream *stream, const char *path, enum ol_trace_format format, unsigned page_shift)
{
    const struct ol_trace_options options = {.format = format, .page_shift = page_shift, .last_va = UINT64_MAX};
    char message[512];
    *stream = (struct ol_stream){.page_shift = page_shift, .empty = true};
    if (ol_trace_open(path, &options, &stream->trace, message, sizeof(message)) != OL_TRACE_OK) {
        ol_error("%s", message);
        return false;
    }
    stream->numbering = ol_numbering_create();
    if (stream->numbering) return true;
    ol_trace_close(stream->trace);
    ol_error("no memory to number the pages of %s with", path);
    return false;
}

void ol_stream_close(struct ol_stream *stream)
{
    ol_numbering_destroy(stream->numbering);
    ol_trace_close(stream->trace);
}

bool ol_stream_next(struct ol_stream *stream, struct ol_batch *batch)
{
    if (ol_trace_read_batch(stream->trace, stream->numbering, batch) != OL_TRACE_OK) {
        ol_error("%s", ol_trace_message(stream->trace));
        return false;
    }
    if (batch->count) stream->empty = false;
    if (stream->empty) ol_error("the trace holds no references; with valgrind, was --trace-mem=yes given?");
    return !stream->empty;
}
