/* SPDX-License-Identifier: MIT */
/*
 * Compression of single pages: LZ4, or Zstandard at a level. All memory is given to it beforehand, none is allocated.
 *
 * Conditions that hold for all functions:
 * - Async-signal-safe; no system call.
 * - A codec is used by one thread at a time, but for ol_codec_decompress where ol_codec_shares_decompress.
 */
#ifndef OL_PAGER_CODEC_H
#define OL_PAGER_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OL_CODEC_LZ4 = 0, OL_CODEC_LEVEL_MAX = 19 }; /* levels from 1 on are Zstandard's */

struct ol_codec {
    uint8_t level;       /* c: OL_CODEC_LZ4, or that of Zstandard */
    uint32_t page_bytes; /* c: */
    void *compressor;    /* c: the library's state */
    void *decompressor;  /* c: the library's state, or NULL */
};

/* Size of the memory that ol_codec_init wants, a multiple of 64. level <= OL_CODEC_LEVEL_MAX; page_bytes is a power of
 * two of 512 or more. */
size_t ol_codec_workspace_bytes(unsigned level, uint32_t page_bytes);

/* workspace is zeroed, and aligned to 64 bytes. False if the library does not accept it. */
bool ol_codec_init(struct ol_codec *codec, unsigned level, uint32_t page_bytes, void *workspace);

/* Returns the size of the compressed page in `out`, or 0 if it would be larger than `room`. */
uint32_t ol_codec_compress(const struct ol_codec *codec, const void *page, void *out, uint32_t room);

/* False if the data is no compressed page. Nothing is ever written outside the page. */
bool ol_codec_decompress(const struct ol_codec *codec, const void *data, uint32_t bytes, void *page);

/* True if threads may decompress with one codec at a time, and while another compresses. */
static inline bool ol_codec_shares_decompress(const struct ol_codec *codec)
{
    return codec->level == OL_CODEC_LZ4;
}

#endif
