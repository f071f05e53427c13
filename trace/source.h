/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a file or of standard input, decompressed on the way: gzip and zstd are known by their first bytes,
 * whatever the file is called. Memory is constant; input need not be seekable.
 */
#ifndef OL_TRACE_SOURCE_H
#define OL_TRACE_SOURCE_H

#include "core/types.h"

enum ol_source_status {
    OL_SOURCE_OK,
    OL_SOURCE_E_OPEN,      /* errno says why */
    OL_SOURCE_E_READ,      /* errno says why */
    OL_SOURCE_E_TRUNCATED, /* the compressed data ends too early */
    OL_SOURCE_E_CORRUPT,   /* the compressed data is damaged */
    OL_SOURCE_E_MEMORY,
};

struct ol_source;

/* Opens a file, or standard input for "-". On failure *out is NULL. */
enum ol_source_status ol_source_open(const char *path, struct ol_source **out);
void ol_source_close(struct ol_source *source);

/* Stores up to `max` bytes; *count 0 with OL_SOURCE_OK is the end. After a failure, *count bytes before it are good. */
enum ol_source_status ol_source_read(struct ol_source *source, char *to, size_t max, size_t *count);

/* The size of a plain file in which ol_source_seek can move; 0: it is compressed, or a pipe, or standard input of which
 * a part was read before. */
uint64_t ol_source_bytes(const struct ol_source *source);

/* Moves to an offset within such a file. False: errno says why. */
bool ol_source_seek(struct ol_source *source, uint64_t offset);

/* "gzip", "zstd", or NULL for plain input. */
const char *ol_source_compression(const struct ol_source *source);

#endif
