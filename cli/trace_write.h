/* SPDX-License-Identifier: MIT */
/*
 * The forms that `onelevel trace` writes.
 */
#ifndef OL_CLI_TRACE_WRITE_H
#define OL_CLI_TRACE_WRITE_H

#include "trace/reader.h"

struct ol_trace_writer_ops {
    const char *name, *summary;
    /* "-" is standard output. `shift` is log2 of the pages that the input tells apart, 0: it has addresses. NULL: errno
     * says why. */
    void *(*create)(const char *path, unsigned shift);
    /* A reference or an event; text knows no events, and a line for each reference. */
    void (*append)(void *writer, const struct ol_reference *reference);
    /* Frees the writer. False: the file is incomplete, errno says why. */
    bool (*finish)(void *writer);
};

/* Ends with NULL; the first is the native format. */
extern const struct ol_trace_writer_ops *const ol_trace_writers[];

#endif
